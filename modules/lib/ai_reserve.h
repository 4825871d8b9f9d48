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

/* Raises *most to what a top-level member says; to -1, for good, where that is no count of tokens
 * (null and absent say nothing). */
void ai_reserve_cap(const ai_json_doc_t *doc, const char *name, apr_int64_t *most);

/* 1 when the member is there and not null. */
int ai_reserve_has(const ai_json_doc_t *doc, const char *name);

/* 1 when all elements of an array fit; 0 when it is none. */
int ai_reserve_all(ai_slice_t array, int (*fits)(ai_slice_t element));

/* 1 when value is an object whose member "type" is one of the words (NULL-terminated), or absent
 * where the first word is "". */
int ai_reserve_type(ai_slice_t object, const char *const *words);

#endif
