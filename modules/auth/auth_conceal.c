/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth_conceal.c - is there a key or a token for us, and where else does a key stand?
 *
 * Where SDKs put a key, all that begins like one of ours is taken out, well formed or not, and kept
 * here; so is a token that says it is of an issuer of this host, or of which nobody can read whose it
 * is. What is other people's stays where it was. Everywhere else (a cookie, the path, a Referer) a
 * key identifies nobody, but its secret is blotted out; tokens there are other people's matter.
 *
 * That is done for every request of the server, since who puts a key into the wrong host's URL has
 * shown it to that host's log all the same.
 *
 * Lives in: r->pool.  Shared state: none.  May block: no.
 */

#include <apr_lib.h>
#include <apr_strings.h>
#include <httpd.h>
#include <http_core.h>
#include <http_log.h>
#include <http_protocol.h>
#include <http_request.h>

#include "auth_private.h"
#include "auth_token.h"

#define PREFIX_N (sizeof(AI_KEY_PREFIX) - 1)

/* Fewer characters of a secret than this are left where they are: so much looks like a word. */
#define BLOT_LEAST 16

auth_request_t *auth_request_of(const request_rec *r)
{
    while (r) {
        auth_request_t *auth = ap_get_module_config(r->request_config, &ai_auth_module);

        if (auth) {
            return auth;
        }
        r = r->prev ? r->prev : r->main;
    }
    return NULL;
}

auth_request_t *auth_request_get(request_rec *r)
{
    auth_request_t *auth = auth_request_of(r);

    if (!auth) {
        auth = apr_pcalloc(r->pool, sizeof(*auth));
        ap_set_module_config(r->request_config, &ai_auth_module, auth);
    }
    return auth;
}

static int is_ours(ai_slice_t text)
{
    return text.n >= PREFIX_N && memcmp(text.p, AI_KEY_PREFIX, PREFIX_N) == 0;
}

static void keep(request_rec *r, ai_slice_t text, int token, const auth_issuer_t *issuer)
{
    auth_request_t *auth = auth_request_get(r);

    if (!auth->text) {
        auth->text = apr_pstrmemdup(r->pool, text.p, text.n);
        auth->token = token;
        auth->issuer = issuer;
        /* "Upgrade: h2c" would run the request again as its headers are then, without the key. */
        apr_table_unset(r->headers_in, "HTTP2-Settings");
    }
    else if (!ai_slice_is(text, auth->text)) {
        auth->ambiguous = 1;
    }
}

/* 1 when the text is a key of ours, or a token for us: then it is kept. */
static int take(request_rec *r, ai_slice_t text)
{
    const auth_issuer_t *issuer;

    if (is_ours(text)) {
        keep(r, text, 0, NULL);
        return 1;
    }
    switch (auth_token_look(r, text, &issuer)) {
    case AUTH_TOKEN_NONE:
        break;
    case AUTH_TOKEN_OURS:
        keep(r, text, 1, issuer);
        return 1;
    case AUTH_TOKEN_FOREIGN:
        auth_request_get(r)->stray = 1; /* it stays where it is: another module may know it */
        break;
    }
    return 0;
}

/* 1 when there can be something in a text that is taken. */
static int may_hold(const request_rec *r, const char *text)
{
    const auth_server_conf_t *conf =
        ap_get_module_config(r->server->module_config, &ai_auth_module);

    return strstr(text, AI_KEY_PREFIX) || (conf->issuers && strchr(text, '.'));
}

/* ----------------------------------------------------------------------------- headers */

/* What stands in an element behind "Bearer", or alone. */
static ai_slice_t bare(ai_slice_t element)
{
    if (element.n > 7 && ap_cstr_casecmpn(element.p, "Bearer", 6) == 0
        && apr_isspace(element.p[6])) {
        return ai_slice_trim((ai_slice_t){ element.p + 6, element.n - 6 });
    }
    return element;
}

/* 1 when an element holds a key or token for us, which is taken: all of it, or of a sub-protocol
 * what stands behind one of its dots ("openai-insecure-api-key.KEY"). */
static int take_element(request_rec *r, ai_slice_t element, int protocol)
{
    const char *p = element.p, *end = element.p + element.n;

    if (!protocol) {
        return take(r, bare(element));
    }
    while (p < end) {
        if (take(r, (ai_slice_t){ p, (apr_size_t)(end - p) })) {
            return 1;
        }
        p = memchr(p, '.', (apr_size_t)(end - p));
        p = p ? p + 1 : end;
    }
    return 0;
}

/* A header's value without the elements that are keys or tokens for us; value itself when there are
 * none, NULL when nothing is left. Headers that come twice are one value with a comma. */
static const char *take_elements(request_rec *r, const char *value, int protocol)
{
    apr_array_header_t *rest;
    const char *from = value;
    int taken = 0;

    if (!may_hold(r, value)) {
        return value;
    }
    rest = apr_array_make(r->pool, 2, sizeof(const char *));
    while (*from) {
        apr_size_t n = strcspn(from, ",");
        ai_slice_t element = ai_slice_trim((ai_slice_t){ from, n });

        if (element.n && take_element(r, element, protocol)) {
            taken = 1;
        }
        else if (element.n) {
            APR_ARRAY_PUSH(rest, const char *) = apr_pstrmemdup(r->pool, element.p, element.n);
        }
        from += n + (from[n] == ',');
    }
    if (!taken) {
        return value;
    }
    return rest->nelts ? apr_array_pstrcat(r->pool, rest, ',') : NULL;
}

/* Where SDKs put a key. A sub-protocol is what a browser's WebSocket can send. */
static const char *const places[] = { "Authorization", "x-api-key", "api-key", "x-goog-api-key",
                                      "cf-aig-authorization", "Sec-WebSocket-Protocol" };
#define PLACES_N (sizeof(places) / sizeof(places[0]))

/* Which of the places may have something of ours: a bit for each. One look at each header, since almost
 * all requests have one key or none. */
static unsigned find_places(const request_rec *r)
{
    const apr_array_header_t *entries = apr_table_elts(r->headers_in);
    unsigned found = 0;
    apr_size_t place;
    int i;

    for (i = 0; i < entries->nelts; i++) {
        const apr_table_entry_t *entry = &APR_ARRAY_IDX(entries, i, apr_table_entry_t);

        for (place = may_hold(r, entry->val) ? 0 : PLACES_N; place < PLACES_N; place++) {
            found |= (unsigned)(ap_cstr_casecmp(entry->key, places[place]) == 0) << place;
        }
    }
    return found;
}

static void take_from_headers(request_rec *r)
{
    unsigned found = find_places(r);
    apr_size_t i;

    for (i = 0; i < PLACES_N; i++) {
        const char *value, *rest;

        if (!(found & 1u << i)) {
            continue;
        }
        value = apr_table_getm(r->pool, r->headers_in, places[i]);
        rest = take_elements(r, value, places[i][0] == 'S');
        if (!rest) {
            apr_table_unset(r->headers_in, places[i]);
        }
        else if (rest != value) {
            apr_table_setn(r->headers_in, places[i], rest);
        }
    }
}

/* ------------------------------------------------------------------------------ the URL */

/* A part of a query, decoded; as it is where it cannot be. */
static const char *decoded(apr_pool_t *p, const char *text, apr_size_t n)
{
    char *copy = apr_pstrmemdup(p, text, n);

    return ap_unescape_urlencoded(copy) == OK ? copy : apr_pstrmemdup(p, text, n);
}

/* 1 when "name=value" is the parameter "key" with a key or token for us, which is taken. */
static int take_parameter(request_rec *r, const char *text, apr_size_t n)
{
    const char *equals = memchr(text, '=', n), *value;
    apr_size_t name_n = equals ? (apr_size_t)(equals - text) : n;

    if (!equals || strcmp(decoded(r->pool, text, name_n), "key") != 0) {
        return 0;
    }
    value = decoded(r->pool, equals + 1, n - name_n - 1);
    return take(r, ai_slice_of(value));
}

/* A query without what is for us; query itself when there are none, NULL when nothing is left. */
static const char *take_from_query(request_rec *r, const char *query)
{
    apr_array_header_t *rest;
    const char *from = query;
    int taken = 0;

    if (!strchr(query, '%') && !may_hold(r, query)) {
        return query;
    }
    rest = apr_array_make(r->pool, 4, sizeof(const char *));
    while (*from) {
        apr_size_t n = strcspn(from, "&");

        if (take_parameter(r, from, n)) {
            taken = 1;
        }
        else {
            APR_ARRAY_PUSH(rest, const char *) = apr_pstrmemdup(r->pool, from, n);
        }
        from += n + (from[n] == '&');
    }
    if (!taken) {
        return query;
    }
    return rest->nelts ? apr_array_pstrcat(r->pool, rest, '&') : NULL;
}

/* The same for all of a request's target. */
static const char *take_from_target(request_rec *r, const char *target)
{
    apr_pool_t *p = r->pool;
    const char *mark = strchr(target, '?'), *query, *rest, *end;

    if (!mark) {
        return target;
    }
    end = mark + strcspn(mark, "#");
    query = apr_pstrmemdup(p, mark + 1, (apr_size_t)(end - mark - 1));
    rest = take_from_query(r, query);
    if (rest == query) {
        return target;
    }
    return apr_pstrcat(p, apr_pstrmemdup(p, target, (apr_size_t)(mark - target)), rest ? "?" : "",
                       rest ? rest : "", end, NULL);
}

/* "GET /path?key=... HTTP/1.1" */
static const char *take_from_line(request_rec *r, const char *line)
{
    apr_pool_t *p = r->pool;
    const char *target = strchr(line, ' '), *end, *before, *after;

    if (!target || !strchr(target, '?')) {
        return line;
    }
    target++;
    end = strrchr(target, ' ');
    end = end ? end : target + strlen(target);
    before = apr_pstrmemdup(p, target, (apr_size_t)(end - target));
    after = take_from_target(r, before);
    if (after == before) {
        return line;
    }
    return apr_pstrcat(p, apr_pstrmemdup(p, line, (apr_size_t)(target - line)), after, end, NULL);
}

/* ---------------------------------------------------------------------------- elsewhere */

/* How many letters and digits there are from here on, at most. */
static apr_size_t count_alnum(const char *text, apr_size_t most)
{
    apr_size_t n = 0;

    while (n < most && apr_isalnum(text[n])) {
        n++;
    }
    return n;
}

/* 1 when a word may begin here: behind no letter or digit, but for those of "%22". */
static int begins_word(const char *text, const char *at)
{
    if (at == text || !apr_isalnum(at[-1])) {
        return 1;
    }
    return at - text >= 3 && at[-3] == '%' && apr_isxdigit(at[-2]) && apr_isxdigit(at[-1]);
}

/* The text without the secrets of keys of ours; text itself where there are none. */
static const char *blot(apr_pool_t *p, const char *text)
{
    char *copy = NULL;
    const char *from = text;

    while ((from = strstr(from, AI_KEY_PREFIX)) != NULL) {
        const char *id = from + PREFIX_N, *secret = id + AI_KEY_ID + 1;
        apr_size_t n = 0;

        if (begins_word(text, from) && count_alnum(id, AI_KEY_ID) == AI_KEY_ID
            && id[AI_KEY_ID] == '-') {
            n = count_alnum(secret, strlen(secret));
        }
        if (n >= BLOT_LEAST) {
            copy = copy ? copy : apr_pstrdup(p, text);
            memset(copy + (secret - text), '*', n);
        }
        from = id;
    }
    return copy ? copy : text;
}

static void blot_in_place(apr_pool_t *p, char **text)
{
    if (*text) {
        *text = (char *)blot(p, *text);
    }
}

static void blot_headers(request_rec *r)
{
    const apr_array_header_t *entries = apr_table_elts(r->headers_in);
    int i;

    for (i = 0; i < entries->nelts; i++) {
        blot_in_place(r->pool, &APR_ARRAY_IDX(entries, i, apr_table_entry_t).val);
    }
}

static void blot_target(request_rec *r)
{
    blot_in_place(r->pool, &r->the_request);
    blot_in_place(r->pool, &r->unparsed_uri);
    blot_in_place(r->pool, &r->uri);
    blot_in_place(r->pool, &r->args);
    blot_in_place(r->pool, &r->parsed_uri.path);
    blot_in_place(r->pool, &r->parsed_uri.query);
    blot_in_place(r->pool, &r->parsed_uri.fragment);
}

/* ------------------------------------------------------------------------ when it is done */

/* httpd's core logs the request line at trace5 as soon as it has read it, before it asks anybody, and
 * a header that is too long at debug. So its own log goes no further than info until we have been
 * asked. */
void auth_hush(request_rec *r)
{
    struct ap_logconf *log;

    if (ap_get_request_module_loglevel(r, AP_CORE_MODULE_INDEX) <= APLOG_INFO) {
        return;
    }
    log = ap_new_log_config(r->pool, r->log ? r->log : r->connection->log ? r->connection->log
                                                                          : &r->server->log);
    ap_set_module_loglevel(r->pool, log, AP_CORE_MODULE_INDEX, APLOG_INFO);
    auth_request_get(r)->log = r->log;
    auth_request_get(r)->hushed = 1;
    r->log = log;
}

static void unhush(request_rec *r)
{
    auth_request_t *auth = auth_request_of(r);

    if (auth && auth->hushed) {
        r->log = auth->log;
        auth->hushed = 0;
    }
}

void auth_conceal(request_rec *r)
{
    unhush(r);
    auth_request_get(r)->concealed = 1;
    take_from_headers(r);
    if (r->args) {
        r->args = (char *)take_from_query(r, r->args);
    }
    if (r->parsed_uri.query) {
        r->parsed_uri.query = (char *)take_from_query(r, r->parsed_uri.query);
    }
    if (r->unparsed_uri) {
        r->unparsed_uri = (char *)take_from_target(r, r->unparsed_uri);
    }
    if (r->the_request) {
        r->the_request = (char *)take_from_line(r, r->the_request);
    }
    blot_headers(r);
    blot_target(r);
}
