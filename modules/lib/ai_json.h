/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_json.h - strict JSON (RFC 8259) over borrowed bytes: check once, then read where it lies.
 *
 * json-c accepts what RFC 8259 refuses (NaN, single quotes, duplicate keys, raw control
 * characters) and clamps big integers.  Two parsers that disagree are a way around a policy, so
 * every body from outside passes ai_json_parse() first.  What it accepted is then read as slices
 * of the caller's own bytes, at offsets that an edit can be spliced into (ai_splice.h); json-c is
 * used only to read or write small values.
 *
 * What is handed out lies in the pool that was given; scratch memory is returned before the
 * function does. All functions are thread-safe.
 */
#ifndef AI_JSON_H
#define AI_JSON_H

#include <apr_errno.h>
#include <apr_pools.h>

#include "ai_slice.h"

/* How deep values may nest. Tool schemas pass 32, which is json-c's own limit. */
#define AI_JSON_DEPTH 128

/* How many members a root object may have: what notes them grows with them. */
#define AI_JSON_MEMBERS 262144

/* How many bytes a text may have. */
#define AI_JSON_LONGEST 0x7fffffff

typedef enum ai_json_type_e {
    AI_JSON_NONE = 0, /* absent or not JSON */
    AI_JSON_NULL,
    AI_JSON_BOOL,
    AI_JSON_NUMBER,
    AI_JSON_STRING,
    AI_JSON_ARRAY,
    AI_JSON_OBJECT
} ai_json_type_e;

/* A member of an object, or (with an absent key) an element of an array. */
typedef struct ai_json_member_t {
    ai_slice_t key;   /* between the quotes, escapes not decoded; absent in an array */
    ai_slice_t value; /* first to last byte of the value, quotes and brackets included */
} ai_json_member_t;

/* A checked text. Slices point into the text; the members array lives in the pool. */
typedef struct ai_json_doc_t {
    ai_slice_t text;                 /* all of it, white space around the root included */
    ai_slice_t root;                 /* the value itself */
    const ai_json_member_t *members; /* of the root when it is an object, in order; a root array
                                      * is read with ai_json_walk() */
    int n_members;
} ai_json_doc_t;

/* Why a text was refused. */
typedef struct ai_json_error_t {
    apr_size_t offset;  /* of the first byte that is wrong, of a second key its quote; the length
                         * where the text ends early */
    const char *reason; /* static text, fit to show to a caller: never holds bytes of the text */
} ai_json_error_t;

/*
 * Checks that text is one JSON value as RFC 8259 has it, and notes the root's members.
 * Refused beyond the grammar: a key twice in one object at any level (compared after decoding
 * escapes), bad or overlong UTF-8, surrogate halves without their other half (escaped ones too),
 * more than depth levels (at most AI_JSON_DEPTH), more than AI_JSON_MEMBERS or AI_JSON_LONGEST.
 * Numbers of any size and precision pass. A UTF-8 BOM is refused.
 * Out: doc, valid as long as text and p; on refusal err.
 * Returns APR_SUCCESS, or APR_EINVAL with err filled in.
 */
apr_status_t ai_json_parse(apr_pool_t *p, ai_slice_t text, int depth, ai_json_doc_t *doc,
                           ai_json_error_t *err);

/*
 * The same for an event of a stream, but that strings (keys not) may hold half of a surrogate pair
 * as an escape: some servers cut text between the halves, and whoever joins the pieces has the
 * pair. Such a string passes as it lies; ai_json_string() refuses it.
 */
apr_status_t ai_json_parse_piece(apr_pool_t *p, ai_slice_t text, ai_json_doc_t *doc);

/* The kind of a value, told from its first byte. AI_JSON_NONE for the absent slice. */
ai_json_type_e ai_json_type(ai_slice_t value);

/* A walk over the members of one object or array. */
typedef struct ai_json_walk_t {
    const char *at;
    const char *end;
    int is_object;
    int started;
} ai_json_walk_t;

/*
 * Begins and goes on. These also take bytes that nobody checked (a provider's event) and never
 * read outside the slice; nesting is bounded by AI_JSON_DEPTH.
 * ai_json_walk() returns 1, or 0 when value is neither object nor array.
 * ai_json_next() returns 1 with the next member, 0 at the end, -1 when the bytes are not JSON
 * (only as far as was needed to find the member's ends: it is no replacement for a check).
 */
int ai_json_walk(ai_json_walk_t *walk, ai_slice_t value);
int ai_json_next(ai_json_walk_t *walk, ai_json_member_t *member);

/*
 * The value of a member by name, or the absent slice. name is compared with the decoded key.
 * The first match counts (a checked text has only one). doc form: no second pass over the text.
 */
ai_slice_t ai_json_get(ai_slice_t object, const char *name);
ai_slice_t ai_json_doc_get(const ai_json_doc_t *doc, const char *name);

/* 1 if the decoded key equals name; _fold compares ASCII letters without case. */
int ai_json_key_is(ai_slice_t key, const char *name);
int ai_json_key_folds(ai_slice_t key, const char *name);

/* 1 if value is a string whose decoded bytes equal text. */
int ai_json_string_is(ai_slice_t value, const char *text);

/*
 * Decodes a JSON string. Out: *text, NUL-terminated in p, *len without the NUL (the text may
 * hold NULs; pass len NULL to have such a string refused).
 * Returns APR_SUCCESS; APR_EINVAL when value is no string or holds what it must not.
 */
apr_status_t ai_json_string(apr_pool_t *p, ai_slice_t value, const char **text, apr_size_t *len);

/*
 * Reads an integer. 3.0 and 3e2 count as integers, 3.5 does not, "3" does not.
 * Returns APR_SUCCESS; APR_EINVAL when value is no integer; APR_ERANGE outside int64.
 */
apr_status_t ai_json_int(ai_slice_t value, apr_int64_t *number);

/* 1 for true, 0 for false, dflt for anything else (absent and null included). */
int ai_json_bool(ai_slice_t value, int dflt);

/* text as a JSON string with its quotes, in p. Bytes that are not UTF-8 become U+FFFD. */
ai_slice_t ai_json_quote(apr_pool_t *p, ai_slice_t text);

#endif
