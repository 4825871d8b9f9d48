/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_json_scan.h - the smallest parts of JSON: strings, numbers, escapes, UTF-8.
 *
 * Private to ai_json*.c and ai_form.c, but for ai_json_utf8(). All of these take bytes that nobody checked and never read
 * at or behind end. Strings are read eight bytes at a time where nothing in them needs a look.
 */
#ifndef AI_JSON_SCAN_H
#define AI_JSON_SCAN_H

#include <string.h>

#include <apr.h>

#define AI_JSON_ONES (~(apr_uint64_t)0 / 255) /* 0x01 in every byte */
#define AI_JSON_TOPS (AI_JSON_ONES * 0x80)    /* the top bit of every byte */

/*
 * The first byte from at that is a quote, a backslash, a control character or, with
 * AI_JSON_TOPS for high (else 0), not ASCII.
 */
static inline const char *ai_json_skip_plain(const char *at, const char *end, apr_uint64_t high)
{
    while (end - at >= 8) {
        apr_uint64_t word, quote, slash, hit;

        /* A byte of x - ONES has its top bit set, and that of x clear, only where a byte of x up
         * to there is 0: so no hit is missed, and the loop below finds which byte it was. */
        memcpy(&word, at, 8);
        quote = word ^ (AI_JSON_ONES * '"');
        slash = word ^ (AI_JSON_ONES * '\\');
        hit = ((quote - AI_JSON_ONES) & ~quote) | ((slash - AI_JSON_ONES) & ~slash);
        hit |= (word - AI_JSON_ONES * 0x20) & ~word;
        if ((hit & AI_JSON_TOPS) || (word & high)) {
            break;
        }
        at += 8;
    }
    while (at < end) {
        unsigned char c = (unsigned char)*at;

        if (c == '"' || c == '\\' || c < 0x20 || (c >= 0x80 && high)) {
            break;
        }
        at++;
    }
    return at;
}

static inline const char *ai_json_skip_space(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t')) {
        at++;
    }
    return at;
}

/* The length of the UTF-8 sequence of two to four bytes at text, 0 where it is none (RFC 3629). */
apr_size_t ai_json_utf8(const char *text, const char *end);

/*
 * Checks a string from behind its opening quote. Returns the place of its closing quote; else
 * NULL, *wrong the place that is wrong and *reason why, in static text. Sets *escaped to 1 when
 * the string holds escapes, else leaves it. halves: an escape may be half of a surrogate pair.
 */
const char *ai_json_scan_string(const char *at, const char *end, int halves, int *escaped,
                                const char **wrong, const char **reason);

/* The end of the number at text; NULL and *wrong the place that is wrong. */
const char *ai_json_scan_number(const char *at, const char *end, const char **wrong);

/* The decoded bytes of a string, one by one. */
typedef struct ai_json_cursor_t {
    const char *at;
    const char *end;
    char held[4]; /* of an escape that was decoded */
    apr_size_t n_held;
    apr_size_t next_held;
} ai_json_cursor_t;

/* at: behind the opening quote. */
ai_json_cursor_t ai_json_cursor(const char *at, const char *end);

/* The next byte; -1 at a quote or the end, -2 at a wrong escape. */
int ai_json_next_byte(ai_json_cursor_t *cursor);

#endif
