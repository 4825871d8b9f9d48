/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth_lookup.c - is this a key of the database?
 *
 * Asked first is the memory of all processes (ai_key_cache.c), then, if it has nothing or nothing
 * young enough, the database (auth_asker.c). A key that is in use is asked for ahead of time, so that
 * nobody waits for it. Where nobody answers, a key that was good lately is good for a while more.
 * A key that is not known is not refused then: it may be good.
 *
 * Lives in: the configuration pool, r->pool.
 * Shared state: the cache, by atomics; askers are of one process.  May block: on the asker.
 */

#include <apr_atomic.h>
#include <apr_strings.h>
#include <httpd.h>
#include <http_log.h>

#include "ai_key_cache.h"
#include "ai_segment.h"
#include "auth_asker.h"
#include "auth_private.h"

/* A key in use is asked for again when so much of its time is over. */
#define REFRESH_AT(ttl) ((ttl) / 4 * 3)

/* What the log was told of each database (auth_asker.h). Of another one than before it was told
 * nothing: who corrects AIDatabase is to read what is wrong now. */
typedef struct told_t {
    apr_uint64_t space; /* of the database */
    apr_uint64_t word;
} told_t;

#define TOLD_MOST 64
#define TOLD_SEGMENT "auth-lookup"
#define TOLD_LAYOUT 2

/* A clock that was set back by so much makes nothing younger. */
#define SET_BACK apr_time_from_sec(1)

struct auth_lookup_t {
    ai_db_conf_t conf;
    apr_uint64_t space;
    apr_uint64_t *told;
    auth_asker_t *asker; /* of this child; NULL: there is no thread */
    auth_lookup_t *next;
};

/* Of the configuration in force. */
static auth_lookup_t *lookups;
static ai_key_cache_t cache;

void auth_lookup_begin(void)
{
    lookups = NULL;
}

auth_lookup_t *auth_lookup_make(apr_pool_t *p, const ai_db_conf_t *conf)
{
    unsigned char digest[AI_KEY_DIGEST];
    auth_lookup_t *lookup;

    for (lookup = lookups; lookup; lookup = lookup->next) {
        if (strcmp(lookup->conf.driver, conf->driver) == 0
            && strcmp(lookup->conf.params, conf->params) == 0) {
            return lookup;
        }
    }
    lookup = apr_pcalloc(p, sizeof(*lookup));
    lookup->conf = *conf;
    /* A key of one database is none of another, also after the configuration has changed. */
    ai_key_digest(ai_slice_of(apr_pstrcat(p, conf->driver, " ", conf->params, NULL)), digest);
    memcpy(&lookup->space, digest, sizeof(lookup->space));
    lookup->next = lookups;
    lookups = lookup;
    return lookup;
}

void auth_lookup_share(apr_pool_t *p, server_rec *s, apr_size_t cache_size)
{
    auth_lookup_t *lookup;
    told_t *told;
    void *memory;
    int i;

    if (!lookups) { /* aictl must not find a cache that nobody reads */
        ai_segment_drop(s, AI_KEY_CACHE_SEGMENT);
        ai_segment_drop(s, TOLD_SEGMENT);
        return;
    }
    memory = ai_segment_get(s, AI_KEY_CACHE_SEGMENT, cache_size, AI_KEY_CACHE_LAYOUT);
    if (memory) {
        ai_key_cache_open(&cache, memory, cache_size);
    }
    else { /* each child remembers for itself then */
        ai_key_cache_open(&cache, apr_pcalloc(p, AI_KEY_CACHE_LEAST), AI_KEY_CACHE_LEAST);
    }
    told = ai_segment_get(s, TOLD_SEGMENT, TOLD_MOST * sizeof(*told), TOLD_LAYOUT);
    told = told ? told : apr_pcalloc(p, TOLD_MOST * sizeof(*told));
    for (lookup = lookups, i = 0; lookup; lookup = lookup->next, i++) {
        told_t *mine = &told[i % TOLD_MOST];

        if (mine->space != lookup->space) {
            mine->space = lookup->space;
            apr_atomic_set64(&mine->word, 0);
        }
        lookup->told = &mine->word;
    }
}

void auth_lookup_start(apr_pool_t *p, server_rec *s)
{
    auth_lookup_t *lookup;

    for (lookup = lookups; lookup; lookup = lookup->next) {
        const auth_asker_conf_t conf = { &lookup->conf, &cache, lookup->space, lookup->told };
        apr_status_t rv = auth_asker_start(p, s, &conf, &lookup->asker);

        if (rv != APR_SUCCESS) {
            ap_log_error(APLOG_MARK, APLOG_ERR, rv, s,
                         AI_LOGNO(0211) "no thread to look up keys in the database: only those go "
                         "on that are known");
        }
    }
}

auth_answer_e auth_lookup_find(auth_lookup_t *lookup, request_rec *r,
                               const auth_lookup_rule_t *rule, ai_slice_t id, ai_slice_t *record,
                               int *again)
{
    auth_asker_t *asker = lookup->asker;
    auth_answer_e answer = AUTH_ANSWER_AWAY;
    ai_slice_t news = { NULL, 0 };
    apr_time_t asked = 0;
    ai_key_cache_e known = ai_key_cache_find(&cache, r->pool, lookup->space, id, record, &asked);
    apr_interval_time_t age = known == AI_KEY_CACHE_NONE ? 0 : apr_time_now() - asked;
    int is_key;

    if (age < -SET_BACK) {
        ai_key_cache_forget(&cache, id);
        known = AI_KEY_CACHE_NONE;
    }
    is_key = known == AI_KEY_CACHE_KNOWN;
    if (known != AI_KEY_CACHE_NONE && age < rule->ttl) {
        if (is_key && asker && age >= REFRESH_AT(rule->ttl)) {
            auth_asker_ahead(asker, rule->timeout, id, asked);
        }
        return is_key ? AUTH_ANSWER_FOUND : AUTH_ANSWER_UNKNOWN;
    }
    if (!is_key && !auth_throttle_may_look_up(r)) {
        return AUTH_ANSWER_BARRED;
    }
    if (asker) {
        answer = auth_asker_ask(asker, r->pool, rule->timeout, id, is_key ? asked : 0, &news);
    }
    if (answer == AUTH_ANSWER_FOUND) {
        *record = news;
    }
    if (answer == AUTH_ANSWER_AWAY && is_key && (rule->grace < 0 || age < rule->grace)) {
        return AUTH_ANSWER_FOUND;
    }
    *again = asker ? auth_asker_pause(asker) : 1;
    return answer;
}
