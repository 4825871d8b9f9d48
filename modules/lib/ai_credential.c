/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_credential.c - a provider's key as a file or a program gives it.
 *
 * Lives in: the pool given.  Shared state: none.  May block: no.
 */

#include <apr_strings.h>

#include "ai_credential.h"
#include "ai_json.h"
#include "ai_span.h"

static const char *check_key(ai_slice_t key)
{
    apr_size_t i;

    if (!key.n) {
        return "holds no key: it is empty";
    }
    if (key.n > AI_CREDENTIAL_KEY) {
        return "holds more than a key: the longest has 8192 bytes";
    }
    for (i = 0; i < key.n; i++) {
        if (!key.p[i]) {
            return "holds more than a key: a NUL";
        }
        if (!apr_isgraph(key.p[i]) || (key.p[i] & 0x80)) {
            return "holds a key with white space or a character that no header can carry";
        }
    }
    return NULL;
}

static const char *read_expires(apr_pool_t *p, ai_slice_t text, apr_time_t now,
                                ai_credential_t *credential)
{
    apr_int64_t ms = memchr(text.p, '\0', text.n)
                         ? -1
                         : ai_span_ms(apr_pstrmemdup(p, text.p, text.n), now);

    if (ms < 0) {
        return "holds an expires that is no time: allowed is one as 2026-12-31T23:59:59Z, or a "
               "number of seconds from now on";
    }
    credential->expires = now + apr_time_from_msec(ms);
    return NULL;
}

/* The lines behind the first. */
static const char *read_lines(apr_pool_t *p, ai_slice_t rest, apr_time_t now,
                              ai_credential_t *credential)
{
    static const char name[] = "expires=";
    const apr_size_t n = sizeof(name) - 1;

    rest = ai_slice_trim(rest);
    if (!rest.n) {
        return NULL;
    }
    if (rest.n <= n || memcmp(rest.p, name, n) != 0 || memchr(rest.p, '\n', rest.n)) {
        return "holds more than a key: behind it only a line expires=TIME is allowed (a key has no "
               "white space)";
    }
    return read_expires(p, (ai_slice_t){ rest.p + n, rest.n - n }, now, credential);
}

static const char *read_object(apr_pool_t *p, ai_slice_t text, apr_time_t now,
                               ai_credential_t *credential)
{
    ai_json_doc_t doc;
    ai_json_error_t err;
    const char *wrong = NULL;
    int i;

    if (ai_json_parse(p, text, 2, &doc, &err) != APR_SUCCESS) {
        return apr_psprintf(p, "holds JSON that is wrong at byte %" APR_SIZE_T_FMT ": %s",
                            err.offset, err.reason);
    }
    for (i = 0; i < doc.n_members && !wrong; i++) {
        const ai_json_member_t *member = &doc.members[i];
        ai_slice_t value = member->value;

        if (ai_json_key_is(member->key, "key")) {
            if (ai_json_string(p, value, &credential->key.p, &credential->key.n) != APR_SUCCESS) {
                wrong = "holds JSON whose key is no string";
            }
        }
        else if (ai_json_key_is(member->key, "expires")) {
            ai_slice_t at = value;

            if (ai_json_type(value) == AI_JSON_STRING
                && ai_json_string(p, value, &at.p, &at.n) != APR_SUCCESS) {
                at = value;
            }
            wrong = read_expires(p, at, now, credential);
        }
        else {
            wrong = "holds JSON with another member than key and expires";
        }
    }
    if (!wrong && !credential->key.p) {
        wrong = "holds JSON without the member key";
    }
    return wrong;
}

const char *ai_credential_read(apr_pool_t *p, ai_slice_t text, apr_time_t now,
                               ai_credential_t *credential)
{
    const char *wrong, *end;

    *credential = (ai_credential_t){ { NULL, 0 }, 0 };
    text = ai_slice_trim(text);
    if (text.n && *text.p == '{') {
        wrong = read_object(p, text, now, credential);
    }
    else {
        end = text.n ? memchr(text.p, '\n', text.n) : NULL;
        credential->key = text;
        if (end) {
            credential->key = ai_slice_trim((ai_slice_t){ text.p, (apr_size_t)(end - text.p) });
            text.n -= (apr_size_t)(end - text.p);
            text.p = end;
        }
        wrong = end ? read_lines(p, text, now, credential) : NULL;
    }
    if (!wrong) {
        wrong = check_key(credential->key);
    }
    if (!wrong) {
        credential->key.p = apr_pstrmemdup(p, credential->key.p, credential->key.n);
    }
    return wrong;
}
