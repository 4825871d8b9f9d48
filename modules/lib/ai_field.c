/* SPDX-License-Identifier: Apache-2.0 */
/* ai_field.c - what do the fields say that several dialects share? */

#include <apr_lib.h>
#include <apr_strings.h>

#include "ai_field.h"

/* More tokens than any call can have: what is above is a provider's error, not a count. */
#define TOKENS_MAX APR_INT64_C(1000000000000)

const ai_error_t *ai_field_fault(apr_pool_t *p, const char *param, const char *message)
{
    ai_error_t *error = apr_pcalloc(p, sizeof(*error));

    error->status = 400;
    error->message = message;
    error->param = param;
    return error;
}

const ai_error_t *ai_field_variants(apr_pool_t *p, const ai_json_doc_t *doc,
                                    const char *const *known)
{
    int i;
    const char *const *name;

    for (i = 0; i < doc->n_members; i++) {
        ai_slice_t key = doc->members[i].key;

        for (name = known; *name; name++) {
            if (ai_json_key_folds(key, *name) && !ai_json_key_is(key, *name)) {
                return ai_field_fault(p, *name,
                                      apr_psprintf(p, "A field is written like '%s' but in another "
                                                   "case; field names are lower-case.", *name));
            }
        }
    }
    return NULL;
}

const ai_error_t *ai_field_model(apr_pool_t *p, const ai_json_doc_t *doc, int required,
                                 const char **model)
{
    ai_slice_t value = ai_json_doc_get(doc, "model");
    const char *text, *c;

    *model = NULL;
    if (!value.p) {
        return required ? ai_field_fault(p, "model",
                                         "The field 'model' is missing; it names the model.")
                        : NULL;
    }
    if (ai_json_string(p, value, &text, NULL) != APR_SUCCESS || !*text) {
        return ai_field_fault(p, "model", "The field 'model' must be a string that is not empty.");
    }
    for (c = text; *c; c++) {
        if (apr_iscntrl(*c)) {
            return ai_field_fault(p, "model", "The field 'model' holds a control character.");
        }
    }
    *model = text;
    return NULL;
}

const ai_error_t *ai_field_flag(apr_pool_t *p, const ai_json_doc_t *doc, const char *name,
                                int *flag)
{
    ai_slice_t value = ai_json_doc_get(doc, name);

    if (value.p && ai_json_type(value) != AI_JSON_BOOL && ai_json_type(value) != AI_JSON_NULL) {
        return ai_field_fault(p, name, apr_psprintf(p, "The field '%s' must be true or false.",
                                                    name));
    }
    *flag = ai_json_bool(value, 0);
    return NULL;
}

apr_int64_t ai_field_tokens(ai_slice_t value)
{
    apr_int64_t n;

    return ai_json_int(value, &n) == APR_SUCCESS && n >= 0 && n <= TOKENS_MAX ? n : -1;
}

apr_int64_t ai_field_count(ai_slice_t object, const char *name)
{
    return ai_field_tokens(ai_json_get(object, name));
}

void ai_field_keep(apr_int64_t *field, apr_int64_t value)
{
    if (value >= 0) {
        *field = value;
    }
}
