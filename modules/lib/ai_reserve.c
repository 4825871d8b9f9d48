/* SPDX-License-Identifier: Apache-2.0 */
/* ai_reserve.c - what is the most that a call can take, by what the caller has sent? */

#include "ai_field.h"
#include "ai_reserve.h"
#include "ai_word.h"

/* More answers than any provider gives at once. */
#define ANSWERS_MAX 1000000

/* 1 for calls that give no tokens. */
static int gives_none(ai_endpoint_e endpoint)
{
    switch (endpoint) {
    case AI_ENDPOINT_EMBEDDINGS:
    case AI_ENDPOINT_MODERATIONS:
    case AI_ENDPOINT_COUNT:
    case AI_ENDPOINT_MODELS:
    case AI_ENDPOINT_MODEL:
        return 1;
    default:
        return 0;
    }
}

static apr_int64_t most_prompt(ai_endpoint_e endpoint, const ai_ask_t *ask, apr_int64_t bytes)
{
    if (endpoint == AI_ENDPOINT_MODELS || endpoint == AI_ENDPOINT_MODEL) {
        return 0; /* nobody is asked */
    }
    if (bytes < 0 || ask->kept || ask->unbounded || ai_endpoint_passes(endpoint)
        || endpoint == AI_ENDPOINT_RERANK) { /* it reads the query once for each document */
        return -1;
    }
    return endpoint == AI_ENDPOINT_CHAT || endpoint == AI_ENDPOINT_COUNT
                   || endpoint == AI_ENDPOINT_RESPONSES
               ? bytes + AI_RESERVE_ADDED
               : bytes;
}

/* cap: of one answer. */
static apr_int64_t most_completion(ai_endpoint_e endpoint, const ai_ask_t *ask, apr_int64_t cap)
{
    apr_int64_t n = ask->n ? ask->n : 1;

    if (gives_none(endpoint)) {
        return 0;
    }
    if (ai_endpoint_passes(endpoint) || cap <= 0 || n < 0 || n > ANSWERS_MAX) {
        return -1;
    }
    return cap * n;
}

apr_int64_t ai_reserve_uncapped(ai_endpoint_e endpoint, const ai_ask_t *ask, apr_int64_t limit)
{
    int writes = endpoint == AI_ENDPOINT_CHAT || endpoint == AI_ENDPOINT_COMPLETIONS
                 || endpoint == AI_ENDPOINT_RESPONSES;

    return writes && ask->max_output == 0 ? most_completion(endpoint, ask, limit) : -1;
}

ai_reserved_t ai_reserve(ai_endpoint_e endpoint, const ai_ask_t *ask, apr_int64_t bytes)
{
    return (ai_reserved_t){ most_prompt(endpoint, ask, bytes), most_completion(endpoint, ask, ask->max_output) };
}

void ai_reserve_find(const ai_json_doc_t *doc, const ai_slice_t *words, int n, ai_slice_t *found)
{
    int i, at;

    memset(found, 0, (apr_size_t)n * sizeof(*found));
    for (i = 0; i < doc->n_members; i++) {
        at = ai_word_key(doc->members[i].key, words, n);
        if (at >= 0 && ai_json_type(doc->members[i].value) != AI_JSON_NULL) {
            found[at] = doc->members[i].value;
        }
    }
}

void ai_reserve_cap(ai_slice_t value, apr_int64_t *most)
{
    apr_int64_t cap;

    if (*most < 0 || !value.p) {
        return;
    }
    cap = ai_field_tokens(value);
    *most = cap < 0 || cap > *most ? cap : *most;
}

int ai_reserve_all(ai_slice_t array, int (*fits)(ai_slice_t element))
{
    ai_json_walk_t walk;
    ai_json_member_t element;
    int rc;

    if (ai_json_type(array) != AI_JSON_ARRAY || !ai_json_walk(&walk, array)) {
        return 0;
    }
    while ((rc = ai_json_next(&walk, &element)) > 0) {
        if (!fits(element.value)) {
            return 0;
        }
    }
    return rc == 0;
}

static const char *skip_space(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r')) {
        at++;
    }
    return at;
}

/* Behind the object that begins at at, if all of its members are text; else NULL. Its own end is
 * where the walk finds no further member. */
static const char *judge_object(const char *at, const char *end, int typed,
                                ai_reserve_e (*judge)(const ai_json_member_t *member))
{
    ai_json_walk_t walk;
    ai_json_member_t member;
    ai_reserve_e verdict;
    int rc;

    if (at == end || *at != '{' || !ai_json_walk(&walk, (ai_slice_t){ at, (apr_size_t)(end - at) })) {
        return NULL;
    }
    at++;
    while ((rc = ai_json_next(&walk, &member)) > 0) {
        verdict = judge(&member);
        if (verdict == AI_RESERVE_OTHER) {
            return NULL;
        }
        typed = verdict == AI_RESERVE_TYPE ? 0 : typed;
        at = member.value.p + member.value.n;
    }
    at = skip_space(at, end);
    return rc == 0 && !typed && at < end ? at + 1 : NULL;
}

int ai_reserve_objects(ai_slice_t array, int typed,
                       ai_reserve_e (*judge)(const ai_json_member_t *member))
{
    const char *at = array.p, *end = array.p + array.n;

    if (ai_json_type(array) != AI_JSON_ARRAY) {
        return 0;
    }
    at = skip_space(at + 1, end);
    while (at < end && *at != ']') {
        at = judge_object(at, end, typed, judge);
        if (!at) {
            return 0;
        }
        at = skip_space(at, end);
        if (at < end && *at == ',') {
            at = skip_space(at + 1, end);
        }
    }
    return at < end;
}
