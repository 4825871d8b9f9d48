/* SPDX-License-Identifier: Apache-2.0 */
/*
 * key_show.c - how are keys shown?
 */
#include <string.h>

#include <apr_strings.h>

#include "ai_when.h"
#include "ai_write.h"
#include "aictl.h"

const char *key_state(const ai_key_t *key, apr_time_t now)
{
    return key->disabled ? "disabled"
           : key->not_before && now < key->not_before ? "not yet valid"
           : key->expires && now >= key->expires ? "expired" : "good";
}

static const char *or_dash(const char *text)
{
    return text ? text : "-";
}

ai_slice_t key_show_head(int as_json)
{
    return as_json ? AI_SLICE("[")
                   : AI_SLICE("ID            STATE          EXPIRES               TIER        "
                              "TENANT                    NAME\n");
}

ai_slice_t key_show_row(apr_pool_t *p, const ai_key_t *key, apr_time_t now, int as_json, int n)
{
    const char *expires = key->expires ? ai_when_text(p, key->expires) : NULL;
    ai_slice_t json;

    if (as_json) {
        json = ai_key_show(p, key);
        return ai_slice_of(apr_pstrcat(p, n ? ",\n" : "\n", apr_pstrmemdup(p, json.p, json.n), NULL));
    }
    return ai_slice_of(apr_psprintf(p, "%-12s  %-13s  %-20s  %-10s  %-24s  %s\n", key->id,
                                    key_state(key, now), or_dash(expires), or_dash(key->tier),
                                    or_dash(key->tenant), or_dash(key->name)));
}

ai_slice_t key_show_end(int as_json)
{
    return as_json ? AI_SLICE("\n]\n") : AI_SLICE("");
}

/* A string as its text, a list of strings as texts, else JSON. */
static void write_value(ai_write_t *w, ai_slice_t value)
{
    const char *text, *before = "";
    ai_json_member_t member;
    ai_json_walk_t walk;

    if (ai_json_string(w->pool, value, &text, NULL) == APR_SUCCESS) {
        ai_write_copy(w, ai_slice_of(text));
    }
    else if (ai_json_type(value) == AI_JSON_ARRAY && ai_json_walk(&walk, value)) {
        while (ai_json_next(&walk, &member) > 0) {
            ai_write_copy(w, ai_slice_of(before));
            write_value(w, member.value);
            before = ", ";
        }
    }
    else {
        ai_write_bytes(w, value);
    }
}

ai_slice_t key_show_one(apr_pool_t *p, const ai_key_t *key, apr_time_t now, int as_json)
{
    ai_slice_t json = ai_key_show(p, key);
    ai_json_member_t member;
    ai_json_walk_t walk;
    ai_write_t w;

    ai_write_begin(p, &w);
    if (as_json) {
        ai_write_bytes(&w, json);
        ai_write_literal(&w, "\n");
        return ai_write_flat(&w);
    }
    ai_json_walk(&walk, json);
    while (ai_json_next(&walk, &member) > 0) {
        ai_write_bytes(&w, member.key);
        ai_write_literal(&w, ": ");
        write_value(&w, member.value);
        ai_write_literal(&w, "\n");
    }
    ai_write_literal(&w, "state: ");
    ai_write_copy(&w, ai_slice_of(key_state(key, now)));
    ai_write_literal(&w, "\n");
    return ai_write_flat(&w);
}

ai_slice_t key_show_secret(apr_pool_t *p, const ai_key_t *key, const char *text)
{
    ai_write_t w;

    ai_write_begin(p, &w);
    ai_write_literal(&w, "{\"id\":");
    ai_write_quoted(&w, ai_slice_of(key->id));
    ai_write_literal(&w, ",\"key\":");
    ai_write_quoted(&w, ai_slice_of(text));
    ai_write_literal(&w, ",\"record\":");
    ai_write_bytes(&w, ai_key_show(p, key));
    ai_write_literal(&w, "}\n");
    return ai_write_flat(&w);
}
