/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth_fetch.c - what is at a URL?
 *
 * Whoever answers there is outside, and may send anything for any time: each transfer has its end
 * in time and in bytes, and nothing that it says leads elsewhere.
 *
 * Lives in: the child's pool; a transfer in a pool of its own.
 * Shared state: none, but for auth_fetcher_wake().  May block: auth_fetcher_run(), as long as asked.
 */

#include <curl/curl.h>

#include <apr_cstr.h>
#include <apr_strings.h>

#include "ai_jwt.h"
#include "auth_fetch.h"

#define CONNECT_MS 5000L
#define TOTAL_MS 10000L

/* 10 digits of seconds are 300 years. */
#define AGE_DIGITS 10

/* A Cache-Control that is longer is not looked at. */
#define HEADER_LONGEST 512

struct auth_fetcher_t {
    CURLM *multi;
    struct transfer_t *transfers; /* all that are under way */
};

typedef struct transfer_t {
    apr_pool_t *pool;
    CURL *easy;
    struct curl_slist *headers;
    void *baton;
    char *body; /* of AI_JWKS_SIZE bytes, once there is a first one */
    apr_size_t n;
    int too_long;
    apr_int64_t max_age;
    char error[CURL_ERROR_SIZE];
    struct transfer_t *next;
} transfer_t;

/* ------------------------------------------------------------------------- what is said */

static size_t take_body(char *bytes, size_t size, size_t n, void *data)
{
    transfer_t *transfer = data;

    n *= size;
    if (n > AI_JWKS_SIZE - transfer->n) {
        transfer->too_long = 1;
        return 0;
    }
    if (!transfer->body) {
        transfer->body = apr_palloc(transfer->pool, AI_JWKS_SIZE);
    }
    memcpy(transfer->body + transfer->n, bytes, n);
    transfer->n += n;
    return n;
}

/* The seconds of max-age in a value of Cache-Control; -1 where it has none. */
static apr_int64_t read_max_age(const char *value)
{
    const char *at = value;

    while (*at) {
        apr_size_t n, digits;

        at += strspn(at, " \t,");
        n = strcspn(at, ",");
        if (apr_cstr_casecmpn(at, "max-age=", 8) == 0) {
            at += 8;
            at += *at == '"';
            digits = strspn(at, "0123456789");
            return digits && digits <= AGE_DIGITS ? apr_atoi64(at) : -1;
        }
        at += n;
    }
    return -1;
}

static size_t take_header(char *bytes, size_t size, size_t n, void *data)
{
    static const char name[] = "Cache-Control:";
    char value[HEADER_LONGEST];
    transfer_t *transfer = data;
    apr_int64_t age;

    n *= size;
    if (n >= 5 && apr_cstr_casecmpn(bytes, "HTTP/", 5) == 0) {
        transfer->max_age = -1; /* an answer begins: that of a proxy may have come before */
    }
    else if (n > sizeof(name) - 1 && apr_cstr_casecmpn(bytes, name, sizeof(name) - 1) == 0
             && n - (sizeof(name) - 1) < sizeof(value)) {
        memcpy(value, bytes + sizeof(name) - 1, n - (sizeof(name) - 1));
        value[n - (sizeof(name) - 1)] = '\0';
        age = read_max_age(value);
        transfer->max_age = age >= 0 ? age : transfer->max_age;
    }
    return n;
}

/* ------------------------------------------------------------------------- what is asked */

static CURLcode set_protocols(CURL *easy, int https)
{
#if LIBCURL_VERSION_NUM >= 0x075500
    return curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, https ? "https" : "http");
#else
    return curl_easy_setopt(easy, CURLOPT_PROTOCOLS, (long)(https ? CURLPROTO_HTTPS
                                                                  : CURLPROTO_HTTP));
#endif
}

static int set_up(transfer_t *transfer, const char *url, const char *ca_file, int near)
{
    CURL *easy = transfer->easy;
    int good = set_protocols(easy, strncmp(url, "https:", 6) == 0) == CURLE_OK;

#define SET(option, value) good = good && curl_easy_setopt(easy, option, value) == CURLE_OK
    SET(CURLOPT_URL, url);
    SET(CURLOPT_NOSIGNAL, 1L); /* signals are httpd's */
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_SSL_VERIFYPEER, 1L);
    SET(CURLOPT_SSL_VERIFYHOST, 2L);
    SET(CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
    SET(CURLOPT_TIMEOUT_MS, TOTAL_MS);
    SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    SET(CURLOPT_USERAGENT, "mod_ai_auth");
    SET(CURLOPT_HTTPHEADER, transfer->headers);
    SET(CURLOPT_WRITEFUNCTION, take_body);
    SET(CURLOPT_WRITEDATA, transfer);
    SET(CURLOPT_HEADERFUNCTION, take_header);
    SET(CURLOPT_HEADERDATA, transfer);
    SET(CURLOPT_ERRORBUFFER, transfer->error);
    SET(CURLOPT_PRIVATE, transfer);
#if LIBCURL_VERSION_NUM >= 0x075700
    SET(CURLOPT_QUICK_EXIT, 1L); /* a resolver that hangs does not keep a child from ending */
#endif
    if (ca_file) {
        SET(CURLOPT_CAINFO, ca_file);
    }
    if (near) { /* the environment's proxy is for what lies outside of this machine */
        SET(CURLOPT_NOPROXY, "*");
    }
#undef SET
    return good;
}

/* ------------------------------------------------------------------------ its whole life */

static void end_transfer(auth_fetcher_t *fetcher, transfer_t *transfer)
{
    transfer_t **at = &fetcher->transfers;

    while (*at && *at != transfer) {
        at = &(*at)->next;
    }
    if (*at) {
        *at = transfer->next;
    }
    if (transfer->easy) {
        curl_multi_remove_handle(fetcher->multi, transfer->easy);
        curl_easy_cleanup(transfer->easy);
    }
    curl_slist_free_all(transfer->headers);
    apr_pool_destroy(transfer->pool);
}

static apr_status_t end_fetcher(void *data)
{
    auth_fetcher_t *fetcher = data;

    while (fetcher->transfers) {
        end_transfer(fetcher, fetcher->transfers);
    }
    curl_multi_cleanup(fetcher->multi);
    curl_global_cleanup();
    return APR_SUCCESS;
}

auth_fetcher_t *auth_fetcher_create(apr_pool_t *p)
{
    auth_fetcher_t *fetcher = apr_pcalloc(p, sizeof(*fetcher));

    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        return NULL;
    }
    fetcher->multi = curl_multi_init();
    if (!fetcher->multi) {
        curl_global_cleanup();
        return NULL;
    }
    apr_pool_cleanup_register(p, fetcher, end_fetcher, apr_pool_cleanup_null);
    return fetcher;
}

int auth_fetch_begin(auth_fetcher_t *fetcher, const char *url, const char *ca_file, int near,
                     void *baton)
{
    apr_pool_t *pool;
    transfer_t *transfer;

    if (apr_pool_create_unmanaged_ex(&pool, NULL, NULL) != APR_SUCCESS) {
        return 0;
    }
    transfer = apr_pcalloc(pool, sizeof(*transfer));
    transfer->pool = pool;
    transfer->baton = baton;
    transfer->max_age = -1;
    transfer->next = fetcher->transfers;
    fetcher->transfers = transfer;
    transfer->headers = curl_slist_append(NULL, "Accept: application/jwk-set+json, application/json");
    transfer->easy = curl_easy_init();
    if (!transfer->headers || !transfer->easy || !set_up(transfer, url, ca_file, near)
        || curl_multi_add_handle(fetcher->multi, transfer->easy) != CURLM_OK) {
        end_transfer(fetcher, transfer);
        return 0;
    }
    return 1;
}

void auth_fetcher_run(auth_fetcher_t *fetcher, apr_interval_time_t time)
{
    int running;

    curl_multi_perform(fetcher->multi, &running);
    curl_multi_poll(fetcher->multi, NULL, 0, (int)apr_time_as_msec(time), NULL);
    curl_multi_perform(fetcher->multi, &running);
}

void auth_fetcher_wake(auth_fetcher_t *fetcher)
{
    curl_multi_wakeup(fetcher->multi);
}

/* ------------------------------------------------------------------------- how it ended */

static const char *judge(apr_pool_t *p, const transfer_t *transfer, CURLcode code)
{
    long status = 0;

    if (transfer->too_long) {
        return apr_psprintf(p, "it is longer than %d bytes", AI_JWKS_SIZE);
    }
    if (code != CURLE_OK) {
        return apr_pstrdup(p, *transfer->error ? transfer->error : curl_easy_strerror(code));
    }
    curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    return status == 200 ? NULL : apr_psprintf(p, "the answer has status %ld, not 200", status);
}

int auth_fetcher_next(auth_fetcher_t *fetcher, apr_pool_t *p, auth_fetched_t *fetched)
{
    transfer_t *transfer = NULL;
    CURLMsg *message;
    int left;

    while ((message = curl_multi_info_read(fetcher->multi, &left)) != NULL) {
        if (message->msg == CURLMSG_DONE) {
            break;
        }
    }
    if (!message
        || curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&transfer) != CURLE_OK
        || !transfer) {
        return 0;
    }
    fetched->baton = transfer->baton;
    fetched->wrong = judge(p, transfer, message->data.result);
    fetched->max_age = transfer->max_age;
    fetched->body = (ai_slice_t){ NULL, 0 };
    if (!fetched->wrong && transfer->n) {
        fetched->body = (ai_slice_t){ apr_pmemdup(p, transfer->body, transfer->n), transfer->n };
    }
    end_transfer(fetcher, transfer);
    return 1;
}
