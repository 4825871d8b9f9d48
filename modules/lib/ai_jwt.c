/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_jwt.c - what does a token claim, and is it for us, from whom we trust, and in time?
 *
 * Whose signature it has is ai_jws.c's; nothing of the claims is read before that is known.
 */
#include <apr_strings.h>

#include "ai_base64url.h"
#include "ai_jwk.h"

enum { CLAIMS_DEPTH = 32, CLAIM_LONGEST = 1024 };

/* The last second of the year 9999. What lies behind it is milliseconds, or a slip. */
#define LAST_SECOND APR_INT64_C(253402300799)

const char *ai_jwt_reason(ai_jwt_verdict_e verdict)
{
    switch (verdict) {
    case AI_JWT_GOOD:
        return NULL;
    case AI_JWT_FOREIGN:
        return "token_unknown";
    case AI_JWT_MALFORMED:
        return "token_malformed";
    case AI_JWT_ALGORITHM:
        return "token_algorithm";
    case AI_JWT_NO_KEY:
        return "token_key_unknown";
    case AI_JWT_SIGNATURE:
        return "token_signature";
    case AI_JWT_EXPIRED:
        return "token_expired";
    case AI_JWT_TOO_EARLY:
        return "token_not_yet_valid";
    case AI_JWT_ISSUER:
        return "token_issuer";
    case AI_JWT_AUDIENCE:
        return "token_audience";
    case AI_JWT_NO_EXPIRY:
        return "token_without_expiry";
    }
    return "token_malformed";
}

/* --- Looks ---------------------------------------------------------------------------------- */

/* 1 if the part of a token is base64url of an object. */
static int read_part(apr_pool_t *p, const char *from, const char *end, ai_json_doc_t *object)
{
    ai_json_error_t err;
    ai_slice_t bytes;

    return ai_base64url_read(p, (ai_slice_t){ from, (apr_size_t)(end - from) }, &bytes)
           && ai_json_parse(p, bytes, CLAIMS_DEPTH, object, &err) == APR_SUCCESS
           && ai_json_type(object->root) == AI_JSON_OBJECT;
}

ai_jwt_look_e ai_jwt_look(apr_pool_t *p, ai_slice_t token, const char **issuer)
{
    const char *end = token.p + token.n, *first, *second;
    ai_json_doc_t header, claims;
    ai_slice_t iss;

    *issuer = NULL;
    if (!ai_jws_looks(token)) {
        return AI_JWT_NONE;
    }
    first = memchr(token.p, '.', token.n);
    second = memchr(first + 1, '.', (apr_size_t)(end - first - 1));
    if (!second || memchr(second + 1, '.', (apr_size_t)(end - second - 1))
        || !read_part(p, token.p, first, &header)) {
        return AI_JWT_NONE;
    }
    if (!read_part(p, first + 1, second, &claims)) {
        return AI_JWT_UNREADABLE;
    }
    iss = ai_json_doc_get(&claims, "iss");
    if (ai_json_type(iss) == AI_JSON_STRING && ai_json_string(p, iss, issuer, NULL) != APR_SUCCESS) {
        return AI_JWT_UNREADABLE;
    }
    return AI_JWT_READS;
}

/* --- Times ---------------------------------------------------------------------------------- */

/* Microseconds of a fraction's digits. 0 to say no: there are others than digits. */
static int read_fraction(const char *at, const char *end, apr_int64_t *micros)
{
    apr_int64_t unit = 100000;

    for (*micros = 0; at < end; at++, unit /= 10) {
        if (*at < '0' || *at > '9') {
            return 0;
        }
        *micros += (*at - '0') * unit;
    }
    return 1;
}

/* A NumericDate of RFC 7519, from 1970 to 9999. Returns 1, with *time -1 where it is not there; 0
 * when it is none. */
static int read_time(const ai_json_doc_t *claims, const char *name, apr_time_t *time)
{
    ai_slice_t value = ai_json_doc_get(claims, name);
    apr_int64_t seconds, micros = 0;
    const char *dot;

    *time = -1;
    if (!value.n) {
        return 1;
    }
    if (ai_json_type(value) != AI_JSON_NUMBER || value.p[0] == '-') {
        return 0;
    }
    if (ai_json_int(value, &seconds) != APR_SUCCESS) {
        dot = memchr(value.p, '.', value.n);
        if (!dot || !read_fraction(dot + 1, value.p + value.n, &micros)
            || ai_json_int((ai_slice_t){ value.p, (apr_size_t)(dot - value.p) }, &seconds)
               != APR_SUCCESS) {
            return 0;
        }
    }
    if (seconds < 0 || seconds > LAST_SECOND) {
        return 0;
    }
    *time = apr_time_from_sec(seconds) + micros;
    return 1;
}

static ai_jwt_verdict_e check_times(const ai_json_doc_t *claims, const ai_jwt_rule_t *rule,
                                    apr_time_t *expires)
{
    apr_time_t exp, nbf, iat;

    if (!read_time(claims, "exp", &exp) || !read_time(claims, "nbf", &nbf)
        || !read_time(claims, "iat", &iat)) {
        return AI_JWT_MALFORMED;
    }
    if (exp < 0 && rule->needs_expiry) {
        return AI_JWT_NO_EXPIRY;
    }
    if (exp >= 0 && rule->now >= exp + rule->leeway) {
        return AI_JWT_EXPIRED;
    }
    if (nbf > rule->now + rule->leeway || iat > rule->now + rule->leeway) {
        return AI_JWT_TOO_EARLY;
    }
    *expires = exp < 0 ? 0 : exp;
    return AI_JWT_GOOD;
}

/* --- For whom, from whom -------------------------------------------------------------------- */

/* 1 if "aud" is the audience or holds it, 0 if not, -1 when it is no audience at all. */
static int find_audience(ai_slice_t aud, const char *audience)
{
    ai_json_walk_t walk;
    ai_json_member_t element;
    int found = 0;

    switch (ai_json_type(aud)) {
    case AI_JSON_NONE:
        return 0;
    case AI_JSON_STRING:
        return ai_json_string_is(aud, audience);
    case AI_JSON_ARRAY:
        ai_json_walk(&walk, aud);
        while (ai_json_next(&walk, &element) == 1) {
            if (ai_json_type(element.value) != AI_JSON_STRING) {
                return -1;
            }
            found |= ai_json_string_is(element.value, audience);
        }
        return found;
    default:
        return -1;
    }
}

static ai_jwt_verdict_e check_parties(const ai_json_doc_t *claims, const ai_jwt_rule_t *rule)
{
    int found;

    if (rule->issuer && !ai_json_string_is(ai_json_doc_get(claims, "iss"), rule->issuer)) {
        return AI_JWT_ISSUER;
    }
    if (rule->audience) {
        found = find_audience(ai_json_doc_get(claims, "aud"), rule->audience);
        if (found != 1) {
            return found < 0 ? AI_JWT_MALFORMED : AI_JWT_AUDIENCE;
        }
    }
    return AI_JWT_GOOD;
}

ai_jwt_verdict_e ai_jwt_verify(apr_pool_t *p, const ai_jwks_t *jwks, ai_slice_t token,
                               const ai_jwt_rule_t *rule, ai_json_doc_t *claims,
                               apr_time_t *expires)
{
    ai_jwt_verdict_e verdict;
    ai_slice_t payload;
    ai_json_doc_t doc;
    ai_json_error_t err;
    apr_time_t exp = 0;

    memset(claims, 0, sizeof(*claims));
    *expires = 0;
    verdict = ai_jws_verify(p, jwks, token, &payload);
    if (verdict != AI_JWT_GOOD) {
        return verdict;
    }
    if (ai_json_parse(p, payload, CLAIMS_DEPTH, &doc, &err) != APR_SUCCESS
        || ai_json_type(doc.root) != AI_JSON_OBJECT) {
        return AI_JWT_MALFORMED;
    }
    verdict = check_times(&doc, rule, &exp);
    if (verdict == AI_JWT_GOOD) {
        verdict = check_parties(&doc, rule);
    }
    if (verdict == AI_JWT_GOOD) {
        *claims = doc;
        *expires = exp;
    }
    return verdict;
}

/* --- Claims --------------------------------------------------------------------------------- */

/* The value at path. A name may hold dots itself ("https://example.com/team"), so the longest name
 * that is there is gone into first. */
static ai_slice_t find_value(apr_pool_t *p, ai_slice_t object, const char *path)
{
    ai_slice_t value = ai_json_get(object, path);
    apr_size_t n;

    for (n = strlen(path); !value.n && n > 0; n--) {
        if (path[n - 1] == '.') {
            ai_slice_t inner = ai_json_get(object, apr_pstrmemdup(p, path, n - 1));

            if (ai_json_type(inner) == AI_JSON_OBJECT) {
                value = find_value(p, inner, path + n);
            }
        }
    }
    return value;
}

/* A string without control characters, NUL-terminated; or NULL. */
static const char *read_text(apr_pool_t *p, ai_slice_t value)
{
    const char *text;
    const unsigned char *at;

    if (value.n > 6 * CLAIM_LONGEST + 2 || ai_json_string(p, value, &text, NULL) != APR_SUCCESS) {
        return NULL;
    }
    for (at = (const unsigned char *)text; *at; at++) {
        /* 0xc2 0x80 to 0xc2 0x9f are those beyond ASCII. */
        if (*at < 0x20 || *at == 0x7f || (*at == 0xc2 && at[1] < 0xa0)) {
            return NULL;
        }
    }
    return text;
}

/* An element that holds a comma would be read as two. */
static const char *join(apr_pool_t *p, ai_slice_t array)
{
    char *all = apr_palloc(p, CLAIM_LONGEST + 2);
    ai_json_walk_t walk;
    ai_json_member_t element;
    apr_size_t n = 0;

    ai_json_walk(&walk, array);
    while (ai_json_next(&walk, &element) == 1) {
        const char *text = read_text(p, element.value);
        apr_size_t length = text ? strlen(text) : 0;

        if (!text || memchr(text, ',', length) || n + length + 1 > CLAIM_LONGEST + 1) {
            return NULL;
        }
        memcpy(all + n, text, length);
        n += length;
        all[n++] = ',';
    }
    all[n ? n - 1 : 0] = '\0';
    return all;
}

const char *ai_jwt_claim(apr_pool_t *p, const ai_json_doc_t *claims, const char *path)
{
    ai_slice_t value = find_value(p, claims->root, path);
    const char *text = NULL;

    switch (ai_json_type(value)) {
    case AI_JSON_STRING:
        text = read_text(p, value);
        break;
    case AI_JSON_ARRAY:
        text = join(p, value);
        break;
    case AI_JSON_NUMBER:
    case AI_JSON_BOOL:
        text = value.n <= CLAIM_LONGEST ? apr_pstrmemdup(p, value.p, value.n) : NULL;
        break;
    case AI_JSON_NONE:
    case AI_JSON_NULL:
    case AI_JSON_OBJECT:
        break;
    }
    return text && strlen(text) <= CLAIM_LONGEST ? text : NULL;
}
