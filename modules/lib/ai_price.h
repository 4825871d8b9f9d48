/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_price.h - what a call costs, and the most that one can cost.
 *
 * Prices come from a book: a JSON file in the format of LiteLLM's
 * model_prices_and_context_window.json. What is built in is ai_prices.json; an operator's file
 * (AIPriceFile) is read on top of it, and what a target says of itself (AITargetPrice) goes before
 * both. The format, and which entry is taken, are in docs/prices.md.
 *
 * Rates are whole pico-dollars (10^-12 USD) a token or other unit, costs whole nano-dollars
 * (10^-9 USD), rounded up once. There is no floating point. What has no price is unknown, and never
 * free.
 *
 * Pure. What was read is never changed after: look-ups and sums are thread-safe.
 */
#ifndef AI_PRICE_H
#define AI_PRICE_H

#include <apr_errno.h>
#include <apr_pools.h>
#include <apr_tables.h>
#include <apr_time.h>

#include "ai_chat.h"
#include "ai_slice.h"

/* Kinds of tokens, each with its rate. Those of a prompt come first. */
typedef enum ai_rate_e {
    AI_RATE_PROMPT,
    AI_RATE_CACHED,
    AI_RATE_WRITTEN,      /* into the provider's cache, for minutes */
    AI_RATE_WRITTEN_1H,   /* for an hour */
    AI_RATE_WRITTEN_12H,  /* for half a day; no usage tells it apart: for the most only */
    AI_RATE_PROMPT_AUDIO,
    AI_RATE_PROMPT_IMAGE,
    AI_RATE_COMPLETION,
    AI_RATE_REASONING,
    AI_RATE_COMPLETION_AUDIO,
    AI_RATE_COMPLETION_IMAGE,
    AI_RATES_N
} ai_rate_e;

/* What is paid for beside tokens, or in their place. */
typedef enum ai_unit_e {
    AI_UNIT_REQUEST,
    AI_UNIT_SEARCH, /* a search of the web by the provider; a unit of a rerank */
    AI_UNIT_SECOND, /* of audio */
    AI_UNIT_IMAGE,
    AI_UNIT_CHARACTER,
    AI_UNITS_N
} ai_unit_e;

/* The rates of one class of service, for prompts of more than so many tokens. */
typedef struct ai_price_line_t {
    ai_service_e service;
    apr_int64_t above;
    apr_int64_t rate[AI_RATES_N]; /* pico-dollars a token, or -1: not known. What an entry does not
                                     say is what it is charged as: cached tokens as others */
} ai_price_line_t;

/* One entry. Text lives as long as the book. */
typedef struct ai_price_t {
    const char *key;                 /* "gpt-4o", "groq/llama-3.3-70b-versatile"; a pattern */
    const char *provider;            /* LiteLLM's word for who charges it, or NULL */
    const char *origin;              /* what priced a call: "built-in:gpt-4o@2026-11-21" */
    const char *source;              /* where the entry says it is from, or NULL */
    const char *odd;                 /* why it cannot be used, or NULL */
    apr_time_t not_before;           /* of AITargetPrice, or 0 */
    const ai_price_line_t *lines;    /* by service, then by above, upwards */
    int n;
    apr_int64_t unit[AI_UNITS_N];    /* pico-dollars each, or -1: not charged */
} ai_price_t;

/* A book. Opaque. */
typedef struct ai_price_book_t ai_price_book_t;

/* How much a file may have: bytes, entries; and the longest key. */
#define AI_PRICE_SIZE (16 * 1024 * 1024)
#define AI_PRICE_ENTRIES 50000
#define AI_PRICE_NAME 200

/* The highest rate, in pico-dollars: 1000 USD. */
#define AI_PRICE_RATE_MAX APR_INT64_C(1000000000000000)

/* The text of ai_prices.json, and the name that its entries have in an origin. */
ai_slice_t ai_price_builtin(void);
#define AI_PRICE_BUILTIN "built-in"

/*
 * Reads a book. p: where it lives, all text is copied. name: what its entries' origin begins with.
 * base: the book that is asked where this one has no entry, or NULL; it must live as long.
 * odd: gets a text (const char *) for each entry that cannot be used, or NULL. Such an entry stays
 * in the book, as one without a price: base is not asked for that model.
 * Returns the book; or NULL and *wrong says what is wrong with the file as a whole, and where.
 */
const ai_price_book_t *ai_price_read(apr_pool_t *p, ai_slice_t text, const char *name,
                                     const ai_price_book_t *base, apr_array_header_t *odd,
                                     const char **wrong);

/* How many entries there are, without base's; and each, in the order of the file. */
int ai_price_count(const ai_price_book_t *book);
const ai_price_t *ai_price_at(const ai_price_book_t *book, int i);

/* LiteLLM's word for who charges at a host ("openai" for "api.openai.com"), or NULL. */
const char *ai_price_provider(const char *hostname);

/* Whose price is asked for. */
typedef struct ai_price_ask_t {
    const char *target;             /* the name of an AITarget, or NULL */
    const char *provider;           /* ai_price_provider() of its host, or NULL: not known */
    const char *model;              /* the name that the target is sent */
    apr_time_t when;                /* for prices that begin on a day */
    const apr_array_header_t *own;  /* of ai_price_t: what the target says itself, or NULL */
} ai_price_ask_t;

/* The entry, or NULL: the price is not known. One with odd is not handed out. In the order of
 * docs/prices.md. book may be NULL. */
const ai_price_t *ai_price_find(const ai_price_book_t *book, const ai_price_ask_t *ask);

/*
 * What a call cost. usage: as the provider reported it; a part that is larger than its whole is
 * taken as the whole.
 * Returns APR_SUCCESS and *nanousd, rounded up. APR_NOTFOUND: price is NULL or odd. APR_INCOMPLETE:
 * the usage does not say what it is charged by, or the price has no rate for it. APR_ERANGE: more
 * than 9.2 million USD. *nanousd is -1 then.
 */
apr_status_t ai_price_cost(const ai_price_t *price, const ai_usage_t *usage, apr_int64_t *nanousd);

/* Classes of service, as bits. */
#define AI_SERVICES(service) (1u << (service))
#define AI_SERVICES_ALL ((1u << AI_SERVICES_N) - 1)

/*
 * The most that a call can cost: at the dearest rate that can apply to prompts and answers within
 * bound, in any of those classes of service. Of bound, prompt, completion, searches, seconds, images and
 * characters count: the most of each; -1 of the last four is none. It is never less than what
 * ai_price_cost() makes of any usage within it.
 * Returns as ai_price_cost(); APR_INCOMPLETE also where prompt or completion is charged and -1.
 */
apr_status_t ai_price_most(const ai_price_t *price, unsigned services, const ai_usage_t *bound,
                           apr_int64_t *nanousd);

/*
 * Reads one AITargetPrice: a model's pattern (with * and ?), and "input=2.50", ...: USD a million
 * tokens, or each (docs/prices.md); "not-before=2026-12-01". Adds it to own.
 * Returns NULL, or what is wrong, in p.
 */
const char *ai_price_own(apr_pool_t *p, int argc, const char *const *argv, apr_array_header_t *own);

/*
 * A JSON number of not less than 0, times ten to the power of shift, as a whole number, rounded up.
 * With more than 15 digits it is what a program made of a binary fraction, and is rounded to 15 first.
 * 1; or 0 for what is none, is negative, or above AI_PRICE_RATE_MAX.
 */
int ai_price_number(ai_slice_t text, int shift, apr_int64_t *number);

/* A whole number of units of ten to the power of -places, as an exact decimal: (2500000, 6) is
 * "2.5". Not negative. In p. */
const char *ai_price_decimal(apr_pool_t *p, apr_int64_t number, int places);

/* "input", "cached", ...: the words of AITargetPrice; with what they are a price of. */
const char *ai_price_rate_word(ai_rate_e rate);
const char *ai_price_unit_word(ai_unit_e unit);

#endif
