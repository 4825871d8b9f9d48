/* SPDX-License-Identifier: Apache-2.0 */
/*
 * audit_metadata.c - what does the caller say of his call?
 *
 * Under the names that other gateways have for it, and OpenAI's and Anthropic's own: an object of
 * short texts, numbers and flags. It is taken as it is said, and nothing of it decides anything.
 *
 * Lives in: r->pool.  Shared state: none.  May block: no.
 */

#include <apr_strings.h>

#include "audit_metadata.h"

/* Of each source, as OpenAI has it; and of all. What is more is left out. */
#define SOURCE_MOST 16
#define PAIRS_MOST 32
#define NAME_MOST 64
#define VALUE_MOST 512

typedef struct list_t {
    apr_pool_t *pool;
    ai_audit_pair_t *pairs;
    int n;
    int most;
} list_t;

/* Of two with one name the first counts. */
static void add(list_t *list, const char *name, const char *value, ai_json_type_e type)
{
    int i;

    for (i = 0; i < list->n; i++) {
        if (strcmp(list->pairs[i].name, name) == 0) {
            return;
        }
    }
    if (list->n < list->most && *name && strlen(name) <= NAME_MOST) {
        if (strlen(value) > VALUE_MOST) {
            value = apr_pstrndup(list->pool, value, VALUE_MOST);
        }
        list->pairs[list->n++] = (ai_audit_pair_t){ name, value, type };
    }
}

static void add_value(list_t *list, const char *name, ai_slice_t value)
{
    ai_json_type_e type = ai_json_type(value);
    const char *text;

    if (type == AI_JSON_STRING) {
        if (ai_json_string(list->pool, value, &text, NULL) == APR_SUCCESS) {
            add(list, name, text, type);
        }
    }
    else if ((type == AI_JSON_NUMBER && value.n <= 64) || type == AI_JSON_BOOL) {
        add(list, name, apr_pstrmemdup(list->pool, value.p, value.n), type);
    }
}

static int is_flat(ai_slice_t object)
{
    ai_json_walk_t walk;
    ai_json_member_t member;

    if (!ai_json_walk(&walk, object) || !walk.is_object) {
        return 0;
    }
    while (ai_json_next(&walk, &member) > 0) {
        if (ai_json_type(member.value) == AI_JSON_OBJECT
            || ai_json_type(member.value) == AI_JSON_ARRAY) {
            return 0;
        }
    }
    return 1;
}

/* The members of a checked object; those whose names begin with "cf." are not for callers. */
static void add_object(list_t *list, ai_slice_t object)
{
    ai_json_walk_t walk;
    ai_json_member_t member;
    const char *name;

    if (!ai_json_walk(&walk, object) || !walk.is_object) {
        return;
    }
    list->most = list->n + SOURCE_MOST < PAIRS_MOST ? list->n + SOURCE_MOST : PAIRS_MOST;
    while (ai_json_next(&walk, &member) > 0 && list->n < list->most) {
        ai_slice_t quoted = { member.key.p - 1, member.key.n + 2 };

        if (ai_json_string(list->pool, quoted, &name, NULL) == APR_SUCCESS
            && strncmp(name, "cf.", 3) != 0) {
            add_value(list, name, member.value);
        }
    }
    list->most = PAIRS_MOST;
}

/* A header with an object in it; one that has more in it than that is passed over as a whole. */
static void add_header(list_t *list, const request_rec *r, const char *header)
{
    const char *value = apr_table_get(r->headers_in, header);
    ai_json_error_t wrong;
    ai_json_doc_t doc;

    if (value && ai_json_parse(list->pool, ai_slice_of(value), 2, &doc, &wrong) == APR_SUCCESS
        && is_flat(doc.root)) {
        add_object(list, doc.root);
    }
}

void audit_metadata_read(const ai_request_t *air, ai_audit_pairs_t *pairs)
{
    static const char *const users[] = { "user", "safety_identifier" };
    static const char *const texts[][2] = { { "cf-aig-event-id", "cf.event_id" },
                                            { "x-litellm-tags", "tags" } };
    ai_audit_pair_t found[PAIRS_MOST];
    const request_rec *r = air->r;
    list_t list = { r->pool, found, 0, PAIRS_MOST };
    apr_size_t i;

    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        const char *value = apr_table_get(r->headers_in, texts[i][0]);

        if (value) {
            add(&list, texts[i][1], value, AI_JSON_STRING);
        }
    }
    add_header(&list, r, "cf-aig-metadata");
    add_header(&list, r, "x-portkey-metadata");
    if (air->doc) {
        add_object(&list, ai_json_doc_get(air->doc, "metadata"));
        for (i = 0; i < sizeof(users) / sizeof(users[0]); i++) {
            add_value(&list, users[i], ai_json_doc_get(air->doc, users[i]));
        }
    }
    if (list.n) {
        *pairs = (ai_audit_pairs_t){
            apr_pmemdup(r->pool, found, (apr_size_t)list.n * sizeof(*found)), list.n
        };
    }
}
