/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_reserve.h - what is the most that a call can take, by what the caller has sent?
 *
 * It is known before anything is: who must promise money, or count a call whose end nobody saw,
 * takes this. So where it is not certain it is unknown, never a guess. Pure; thread-safe.
 */
#ifndef AI_RESERVE_H
#define AI_RESERVE_H

#include "ai_chat.h"
#include "ai_json.h"

/* Tokens that a provider may put before a chat by itself: the template's own words, how tools are
 * used (Anthropic tells of up to 530), the date. */
#define AI_RESERVE_ADDED 1024

/*
 * bytes: of a JSON body that ask was read from; -1 for any other. No token of text is shorter than a
 * byte, and JSON is never shorter than the text in it; so its bytes bound the prompt. (Where a
 * provider prints deeply nested schemas of tools with indentation it may, in theory, not be so.)
 */
ai_reserved_t ai_reserve(ai_endpoint_e endpoint, const ai_ask_t *ask, apr_int64_t bytes);

/* The most tokens of its completion where the caller has set no cap, and limit (-1: not known) is what
 * the model itself can put out in an answer; -1 where that does not bound it. */
apr_int64_t ai_reserve_uncapped(ai_endpoint_e endpoint, const ai_ask_t *ask, apr_int64_t limit);

/* What the top-level members say: found[i] is that of words[i]; absent where it is not there, or
 * null. */
void ai_reserve_find(const ai_json_doc_t *doc, const ai_slice_t *words, int n, ai_slice_t *found);

/* Raises *most to what a member says; to -1, for good, where that is no count of tokens. */
void ai_reserve_cap(ai_slice_t value, apr_int64_t *most);

/* 1 when all elements of an array fit; 0 when it is none. */
int ai_reserve_all(ai_slice_t array, int (*fits)(ai_slice_t element));

/* What a member says of the object that it is in. */
typedef enum ai_reserve_e {
    AI_RESERVE_OTHER, /* more than its text may count */
    AI_RESERVE_TEXT,  /* nothing but text, as far as this member goes */
    AI_RESERVE_TYPE   /* the same, and it tells the object's type */
} ai_reserve_e;

/*
 * 1 when value is an array of objects, and all of their members are text; typed: each has one that
 * tells its type. The array is gone through once, and nothing in it twice. Of JSON that was checked.
 */
int ai_reserve_objects(ai_slice_t array, int typed,
                       ai_reserve_e (*judge)(const ai_json_member_t *member));

#endif
