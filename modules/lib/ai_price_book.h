/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_price_book.h - what the files of the price book share.
 *
 * Private to ai_price*.c.
 */
#ifndef AI_PRICE_BOOK_H
#define AI_PRICE_BOOK_H

#include <apr_hash.h>

#include "ai_json.h"
#include "ai_price.h"

struct ai_price_book_t {
    const ai_price_book_t *base;
    int n;
    ai_price_t *prices;  /* in the order of the file */
    apr_hash_t *by_key;  /* of ai_price_t, by key in lower case */
};

/* How many lines an entry may have: each class of service with some thresholds. */
#define AI_PRICE_LINES 64

/*
 * Reads an entry's value (checked JSON) into price, which was begun; text and lines live in p. key
 * and origin are the caller's. Returns NULL, or what is wrong, in scratch.
 */
const char *ai_price_entry(apr_pool_t *p, apr_pool_t *scratch, ai_slice_t value,
                           ai_price_t *price);

/* The rates that a line does not say become those that they are charged as. */
void ai_price_complete(ai_price_line_t *line);

/* Nothing is known of it yet. */
void ai_price_begin(ai_price_t *price);

/* The text in lower case, in p; NULL where it is empty, longer than AI_PRICE_NAME, or holds other
 * than printable ASCII characters without quotes and backslash. */
const char *ai_price_key(apr_pool_t *p, const char *text);

#endif
