/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_fault.c - what does this error say?
 *
 * One walk that goes into the members that are known to wrap an error and takes the first text it
 * finds for each part. The shapes, by who sends them:
 *
 *   {"error":{"message","type","param","code"}}         OpenAI and most others
 *   [{"error":{"code":400,"message","status":"..."}}]   Google
 *   {"error":"m"}  {"message":"m"}  {"detail":"m"}      many
 *   {"code":"a sentence","error":"m"}                   xAI
 *   {"detail":[{"loc":["body","x"],"msg":"m"}]}         FastAPI; also inside "message"
 *   {"success":false,"errors":[{"code":1,"message"}]}   Cloudflare
 *   {"fault":{"faultstring":"m","detail":{"errorcode"}}} Apigee
 */

#include <apr_lib.h>
#include <apr_strings.h>

#include "ai_fault.h"
#include "ai_json.h"

/* How deep errors are wrapped in errors. */
#define WRAPS_MAX 4

typedef struct fault_t {
    apr_pool_t *pool;
    const char *message;
    const char *code;
    const char *param;
} fault_t;

static const char *string_of(apr_pool_t *p, ai_slice_t value)
{
    const char *text;

    return ai_json_string(p, value, &text, NULL) == APR_SUCCESS && *text ? text : NULL;
}

/* A code is one word or a number; some put a sentence there. */
static const char *word_of(apr_pool_t *p, ai_slice_t value)
{
    const char *text, *c;

    if (ai_json_type(value) == AI_JSON_NUMBER) {
        return apr_pstrmemdup(p, value.p, value.n);
    }
    text = string_of(p, value);
    for (c = text; c && *c; c++) {
        if (!apr_isalnum(*c) && !strchr("_.-", *c)) {
            return NULL;
        }
    }
    return text;
}

static void take(const char **part, const char *text)
{
    if (!*part) {
        *part = text;
    }
}

static ai_slice_t first_of(ai_slice_t value)
{
    ai_json_walk_t walk;
    ai_json_member_t member;

    if (ai_json_type(value) == AI_JSON_ARRAY && ai_json_walk(&walk, value)
        && ai_json_next(&walk, &member) > 0) {
        return member.value;
    }
    return value;
}

/* The last name of a path like ["body","messages",0,"role"]. */
static const char *last_name(apr_pool_t *p, ai_slice_t loc)
{
    ai_json_walk_t walk;
    ai_json_member_t member;
    const char *name = NULL;

    if (ai_json_type(loc) == AI_JSON_ARRAY && ai_json_walk(&walk, loc)) {
        while (ai_json_next(&walk, &member) > 0) {
            const char *text = string_of(p, member.value);

            name = text ? text : name;
        }
    }
    return name;
}

static void read_object(fault_t *fault, ai_slice_t object, int wraps)
{
    static const char *const texts[] = { "message", "Message", "msg", "faultstring", "detail",
                                         "error" };
    static const char *const wrappers[] = { "error", "errors", "fault", "message", "detail" };
    const char *status = word_of(fault->pool, ai_json_get(object, "status"));
    ai_slice_t code = ai_json_get(object, "code");
    apr_size_t i;

    for (i = 0; i < sizeof(wrappers) / sizeof(wrappers[0]); i++) {
        ai_slice_t inner = first_of(ai_json_get(object, wrappers[i]));

        if (ai_json_type(inner) == AI_JSON_OBJECT && wraps < WRAPS_MAX) {
            read_object(fault, inner, wraps + 1);
        }
    }
    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        take(&fault->message, string_of(fault->pool, ai_json_get(object, texts[i])));
    }
    /* Google's code is the HTTP status once more; its word stands in "status". */
    if (ai_json_type(code) == AI_JSON_NUMBER && status && !apr_isdigit(*status)) {
        take(&fault->code, status);
    }
    take(&fault->code, word_of(fault->pool, code));
    take(&fault->code, word_of(fault->pool, ai_json_get(object, "errorcode")));
    /* A gateway like this one, in Anthropic's dialect. */
    take(&fault->code,
         word_of(fault->pool, ai_json_get(ai_json_get(object, "details"), "error_code")));
    take(&fault->param, string_of(fault->pool, ai_json_get(object, "param")));
    take(&fault->param, last_name(fault->pool, ai_json_get(object, "loc")));
}

void ai_fault_read(apr_pool_t *p, ai_slice_t body, ai_error_t *error)
{
    fault_t fault = { p, NULL, NULL, NULL };

    body = first_of(ai_slice_skip_space(body));
    if (ai_json_type(body) != AI_JSON_OBJECT) {
        return;
    }
    read_object(&fault, body, 0);
    error->message = fault.message ? fault.message : error->message;
    error->code = fault.code ? fault.code : error->code;
    error->param = fault.param ? fault.param : error->param;
}

/* 1 when text holds the phrase, which is in lower case. */
static int holds(const char *text, const char *phrase)
{
    apr_size_t i;

    for (; *text; text++) {
        for (i = 0; phrase[i] && apr_tolower(text[i]) == phrase[i]; i++) {
        }
        if (!phrase[i]) {
            return 1;
        }
    }
    return 0;
}

static int says_too_long(const char *message)
{
    static const char *const phrases[] = {
        "prompt is too long", "maximum context length", "exceeds the available context size",
        "input is too long", "exceed_context_size_error", "context window",
    };
    apr_size_t i;

    for (i = 0; message && i < sizeof(phrases) / sizeof(phrases[0]); i++) {
        if (holds(message, phrases[i])) {
            return 1;
        }
    }
    return 0;
}

void ai_fault_normalise(ai_error_t *error)
{
    static const struct {
        int status;
        const char *code;
    } codes[] = {
        { 401, "invalid_api_key" },     { 402, "insufficient_quota" },
        { 403, "permission_denied" },   { 404, "model_not_found" },
        { 408, "upstream_timeout" },    { 413, "request_too_large" },
        { 429, "rate_limit_exceeded" }, { 500, "upstream_error" },
        { 502, "upstream_error" },      { 503, "overloaded" },
        { 504, "upstream_timeout" },
    };
    apr_size_t i;

    if (error->status == 529) {
        error->status = 503;
    }
    if ((error->status == 400 || error->status == 413) && says_too_long(error->message)) {
        error->code = "context_length_exceeded";
    }
    for (i = 0; !error->code && i < sizeof(codes) / sizeof(codes[0]); i++) {
        if (codes[i].status == error->status) {
            error->code = codes[i].code;
        }
    }
}
