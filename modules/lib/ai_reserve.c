/* SPDX-License-Identifier: Apache-2.0 */
/* ai_reserve.c - what is the most that a call can take, by what the caller has sent? */

#include "ai_field.h"
#include "ai_reserve.h"

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

static apr_int64_t most_completion(ai_endpoint_e endpoint, const ai_ask_t *ask)
{
    apr_int64_t n = ask->n ? ask->n : 1;

    if (gives_none(endpoint)) {
        return 0;
    }
    if (ai_endpoint_passes(endpoint) || ask->max_output <= 0 || n < 0 || n > ANSWERS_MAX) {
        return -1;
    }
    return ask->max_output * n;
}

ai_reserved_t ai_reserve(ai_endpoint_e endpoint, const ai_ask_t *ask, apr_int64_t bytes)
{
    return (ai_reserved_t){ most_prompt(endpoint, ask, bytes), most_completion(endpoint, ask) };
}

int ai_reserve_has(const ai_json_doc_t *doc, const char *name)
{
    ai_slice_t value = ai_json_doc_get(doc, name);

    return value.p && ai_json_type(value) != AI_JSON_NULL;
}

void ai_reserve_cap(const ai_json_doc_t *doc, const char *name, apr_int64_t *most)
{
    apr_int64_t cap;

    if (*most < 0 || !ai_reserve_has(doc, name)) {
        return;
    }
    cap = ai_field_tokens(ai_json_doc_get(doc, name));
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

int ai_reserve_type(ai_slice_t object, const char *const *words)
{
    ai_slice_t type;

    if (ai_json_type(object) != AI_JSON_OBJECT) {
        return 0;
    }
    type = ai_json_get(object, "type");
    if (!type.p) {
        return **words == '\0';
    }
    for (; *words; words++) {
        if (ai_json_string_is(type, *words)) {
            return 1;
        }
    }
    return 0;
}
