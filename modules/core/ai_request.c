/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_request.c - when does a request become ours, who is it, and when is it over?
 *
 * Lives in: r->pool.  Shared state: none.  May block: no.
 */

#include <unistd.h>

#include <apr_strings.h>

#include "ai_private.h"
#include "dialects.h"

ai_request_t *ai_request_of(const request_rec *r)
{
    for (; r; r = r->prev) {
        ai_request_t *air = ap_get_module_config(r->request_config, &ai_module);

        if (air) {
            return air;
        }
    }
    return NULL;
}

ai_request_t *ai_request_behind(const request_rec *r)
{
    ai_request_t *air = ai_request_of(r);

    for (; !air && r->next; r = r->next) { /* a redirect may have led to us */
        air = ai_request_of(r->next);
    }
    return air;
}

/* A UUID of version 7 (RFC 9562): sorts by time, and the rest cannot be guessed from it. */
static const char *make_id(apr_pool_t *p, apr_time_t now)
{
    static const char hex[] = "0123456789abcdef";
    apr_uint64_t ms = (apr_uint64_t)apr_time_as_msec(now);
    unsigned char b[16];
    char *id = apr_palloc(p, 37), *to = id;
    int i;

    if (getentropy(b + 6, 10) != 0) { /* a tenth of the cost of httpd's own generator */
        ap_random_insecure_bytes(b + 6, 10);
    }
    for (i = 5; i >= 0; i--) {
        b[i] = (unsigned char)ms;
        ms >>= 8;
    }
    b[6] = (unsigned char)((b[6] & 0x0f) | 0x70);
    b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
    for (i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) {
            *to++ = '-';
        }
        *to++ = hex[b[i] >> 4];
        *to++ = hex[b[i] & 15];
    }
    *to = '\0';
    return id;
}

/*
 * The path below the API root. A base URL with "/v1" twice is a common slip and harmless, so any
 * number of them is taken off.
 */
static const char *path_below(const char *uri, const char *root)
{
    apr_size_t n = strlen(root);

    while (n && root[n - 1] == '/') {
        n--;
    }
    if (strncmp(uri, root, n) == 0) {
        uri += n;
    }
    while (strncmp(uri, "/v1", 3) == 0 && (uri[3] == '/' || uri[3] == '\0')) {
        uri += 3;
    }
    return *uri == '/' ? uri : "/";
}

/* The path with the slashes that "AllowEncodedSlashes NoDecode" has left as %2F: a model's name has
 * them, and mod_proxy would encode them once more. */
static const char *with_slashes(request_rec *r, const char *path)
{
    /* The host's own: up to httpd 2.4.62 a <Location> does not inherit this setting. */
    const core_dir_config *core = ap_get_core_module_config(r->server->lookup_defaults);
    char *from, *copy, *to;

    if (!core->allow_encoded_slashes || core->decode_encoded_slashes || !strchr(path, '%')) {
        return path;
    }
    copy = from = to = apr_pstrdup(r->pool, path);
    while (*from) {
        int slash = strncmp(from, "%2F", 3) == 0 || strncmp(from, "%2f", 3) == 0;

        *to++ = slash ? '/' : *from;
        from += slash ? 3 : 1;
    }
    *to = '\0';
    return copy;
}

/* A path that would climb out of a target's prefix. httpd has resolved dot segments, but not
 * those that AllowEncodedSlashes brings back to life afterwards, nor "..;": servers in Java take
 * off ";..." before they resolve. */
static int climbs(const char *path)
{
    const char *dot;

    for (dot = strstr(path, "/."); dot; dot = strstr(dot + 1, "/.")) {
        const char *end = dot[2] == '.' ? dot + 3 : dot + 2;

        if (*end == '/' || *end == ';' || *end == '\\' || *end == '\0') {
            return 1;
        }
    }
    return strchr(path, '\\') != NULL;
}

/* Takes the first dialect that knows the path; of those that do, one whose mark the caller sends. */
static void choose_dialect(ai_request_t *air)
{
    int i;

    air->dialect = ai_dialects[0];
    for (i = 0; ai_dialects[i]; i++) {
        const ai_dialect_t *dialect = ai_dialects[i];
        const char *model;
        ai_endpoint_e endpoint = dialect->endpoint(air->r->pool, air->path, &model);
        int marked = dialect->mark && apr_table_get(air->r->headers_in, dialect->mark);

        if (endpoint != AI_ENDPOINT_OTHER && (marked || air->endpoint == AI_ENDPOINT_OTHER)) {
            air->dialect = dialect;
            air->endpoint = endpoint;
            air->path_model = model;
        }
        else if (marked && air->endpoint == AI_ENDPOINT_OTHER) {
            air->dialect = dialect; /* a path that nobody knows, of a caller that tells himself */
        }
    }
}

void ai_request_show_id(const ai_request_t *air, apr_table_t *headers)
{
    const char *id = ai_note_get(air, AI_NOTE_REQUEST_ID);

    apr_table_setn(headers, "x-request-id", id);
    apr_table_setn(headers, air->dialect->id_header, id); /* where its SDK looks for it */
}

static ai_request_t *make_request(request_rec *r)
{
    ai_request_t *air = apr_pcalloc(r->pool, sizeof(*air));

    air->r = r;
    air->priv = apr_pcalloc(r->pool, sizeof(*air->priv));
    air->usage = AI_USAGE_UNKNOWN;
    air->reserved = (ai_reserved_t){ -1, -1 };
    air->path = with_slashes(r, path_below(r->uri, ai_core_conf(r)->root));
    choose_dialect(air);
    if (air->endpoint == AI_ENDPOINT_MODEL && r->method_number != M_GET) {
        air->endpoint = AI_ENDPOINT_OTHER; /* DELETE of a fine-tuned model is the provider's business */
    }
    if (!r->log_id) {
        r->log_id = make_id(r->pool, r->request_time);
    }
    ap_set_module_config(r->request_config, &ai_module, air);
    ai_note_set(air, AI_NOTE_REQUEST_ID, r->log_id);
    air->priv->stage = "claim";
    ai_road_begin(r->pool, &air->priv->road);
    ai_trace_begin(air);
    ai_note_set(air, AI_NOTE_DIALECT, air->dialect->name);
    ai_note_set(air, AI_NOTE_ENDPOINT, ai_endpoint_name(air->endpoint));
    ai_request_show_id(air, r->err_headers_out); /* also on errors that httpd itself makes */
    return air;
}

int ai_request_claim(request_rec *r)
{
    ai_request_t *air;

    if (r->main || ai_request_of(r) || !r->uri || r->uri[0] != '/') {
        return DECLINED;
    }
    /* mod_rewrite may have changed the path since httpd looked for its location. */
    if (ap_location_walk(r) != OK || !ai_core_number(r, AI_ENGINE)) {
        return DECLINED;
    }
    air = make_request(r);
    r->filename = apr_pstrdup(r->pool, r->uri); /* nobody's file, but modules expect a name */
    if (r->method_number != M_GET) {
        apr_table_unset(r->headers_in, "Range"); /* RFC 9110, 14.2: it means nothing here */
        apr_table_unset(r->headers_in, "Request-Range");
    }
    if (climbs(air->path)) {
        return ai_refuse_with(air, HTTP_BAD_REQUEST, "invalid_path", NULL,
                              "The path holds dot segments or backslashes.");
    }
    air->priv->stage = "access"; /* httpd's own phases: who is it, may he come here */
    return OK;
}

ai_request_t *ai_request_of_error(request_rec *r)
{
    /* mod_rewrite begins with a name like the path; whoever mapped it made another of it. */
    if (!ai_request_of(r) && (!r->filename || (r->uri && strcmp(r->filename, r->uri) == 0))) {
        ai_request_claim(r);
    }
    return ai_request_of(r);
}

int ai_request_known(const ai_request_t *air)
{
    return air->r->user || ai_note_get(air, AI_NOTE_KEY_ID)
           || ai_core_number(air->r, AI_ANONYMOUS);
}

static const char *known_by(const ai_request_t *air)
{
    return air->r->user ? "login" : ai_note_get(air, AI_NOTE_KEY_ID) ? "note" : "anonymous";
}

int ai_request_identify(ai_request_t *air)
{
    request_rec *r = air->r;
    int status = ai_notes_apply(air); /* a site may say by AINote who it is */

    if (status != OK) {
        return status;
    }
    if (ai_request_known(air)) {
        if (!ai_road_has(&air->priv->road, "identify")) { /* a module may know more exactly */
            ai_explain(air, "identify", "ok", known_by(air));
        }
        return OK;
    }
    apr_table_setn(r->err_headers_out, "WWW-Authenticate", "Bearer realm=\"ai\"");
    return ai_refuse_with(air, HTTP_UNAUTHORIZED, "invalid_api_key", NULL,
                          "No identity: this gateway serves only callers that it knows.");
}

static void note_count(ai_request_t *air, ai_note_e note, apr_int64_t count)
{
    if (count >= 0) {
        ai_note_set_number(air, note, count);
    }
}

/* The times of a request that came as far as the handler. */
static void note_times(ai_request_t *air)
{
    const ai_private_t *priv = air->priv;

    if (priv->head) {
        ai_note_set_number(air, AI_NOTE_TIME_HEAD_US, priv->head - air->r->request_time);
    }
    if (priv->first_content) {
        ai_note_set_number(air, AI_NOTE_TIME_FIRST_US, priv->first_content - air->r->request_time);
    }
    ai_note_set_number(air, AI_NOTE_TIME_UPSTREAM_US, priv->upstream_time);
    ai_note_set_number(air, AI_NOTE_OVERHEAD_US, apr_time_now() - priv->began
                                                     - priv->upstream_time - priv->other_time);
}

void ai_request_settle(ai_request_t *air)
{
    if (air->priv->settled) {
        return;
    }
    air->priv->settled = 1;
    note_count(air, AI_NOTE_TOKENS_PROMPT, air->usage.prompt);
    note_count(air, AI_NOTE_TOKENS_COMPLETION, air->usage.completion);
    note_count(air, AI_NOTE_TOKENS_CACHED, air->usage.cached);
    note_count(air, AI_NOTE_TOKENS_REASONING, air->usage.reasoning);
    if (air->usage.prompt >= 0 || air->usage.completion >= 0) {
        ai_note_set(air, AI_NOTE_TOKENS_SOURCE, "reported");
    }
    ai_price_note(air);
    if (air->finish != AI_FINISH_NONE) {
        ai_note_set(air, AI_NOTE_FINISH, ai_finish_name(air->finish));
    }
    if (air->priv->began) {
        note_times(air);
    }
    ai_run_ai_settle(air);
}
