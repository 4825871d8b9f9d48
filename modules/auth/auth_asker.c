/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth_asker.c - what does the database say of this key, and who waits for it?
 *
 * A question is a job. There is one for each id, however many requests wait for it. The thread takes
 * jobs from two queues: first ids that the cache has known as keys, then all others, so that ids that
 * somebody invents keep no key from being confirmed.
 *
 * The database is away when it fails, or when it is silent for longer than a request waits; that
 * is noticed by who waits, for the thread is held by the database itself then. From there on nobody
 * waits. The thread asks the last question again, less and less often, until there is an answer.
 *
 * Lives in: a pool of its own, which is left as it is where the thread does not come back in time at
 * the child's end; a job in one of its own, too.
 * Shared state: the cache; within the child all of it, by a lock.
 * May block: the thread on the database; requests on the thread.
 */

#include <apr_atomic.h>
#include <apr_strings.h>
#include <apr_thread_cond.h>
#include <apr_thread_mutex.h>
#include <httpd.h>
#include <ap_mpm.h>
#include <http_log.h>

#include "ai_key_store.h"
#include "ai_thread.h"
#include "auth_asker.h"
#include "auth_private.h"

/* How many jobs may wait in each queue. */
#define QUEUE_LONGEST 256

/* How long the thread waits before it tries again: twice as long each time. */
#define FIRST_PAUSE apr_time_from_msec(250)
#define LONGEST_PAUSE apr_time_from_sec(2)

/* How long a child that ends waits for its thread. */
#define END_WITHIN apr_time_from_sec(1)

/* One in so many turns is of the other ids, so that new keys come in however much is confirmed. */
#define OTHERS_TURN 8

/* No more than one line in so many seconds says that a database is away. One that has been away for
 * longer than the second, as the log says, may have been so for a child that is no more. */
#define SAY_AGAIN_S 10
#define SAY_FORGET_S 60

typedef enum lane_e { LANE_KNOWN, LANE_OTHER, LANES_N } lane_e;

typedef struct job_t job_t;
struct job_t {
    apr_pool_t *pool;      /* its own: the job lies there, and what comes of it */
    ai_slice_t id;
    int holders;           /* requests, and the thread until it is done */
    int background;        /* nobody has to wait for it */
    int done;
    apr_time_t seen;       /* when the database was asked, as far as the cache knew; 0: never */
    apr_time_t since;      /* when it was put into its queue */
    apr_uint64_t stamp;    /* of the cache, from before the question */
    auth_answer_e outcome;
    ai_slice_t record;
    job_t *next;
};

typedef struct queue_t {
    job_t *first, *last;
    int n;
} queue_t;

/* All below the lock is what it locks. */
struct auth_asker_t {
    auth_asker_conf_t conf;
    server_rec *s;
    apr_pool_t *pool;           /* of the thread; nobody else's */
    apr_thread_t *thread;
    ai_key_store_t *store;
    int waiting_most;
    apr_thread_mutex_t *lock;
    apr_thread_cond_t *work;    /* for the thread */
    apr_thread_cond_t *answers; /* for who waits */
    queue_t queues[LANES_N];
    job_t *asked;               /* what the database is being asked */
    apr_time_t asked_since;
    int waiting;                /* requests */
    unsigned turn;
    int away;
    char probe[AI_KEY_ID];      /* the id to ask for again when it is away */
    apr_interval_time_t pause;
    apr_time_t next_probe;
    int over, ended;
};

/* --------------------------------------------------------------------------------- the log */

/* One child speaks for all: the word has the second of the last line, times two, plus one while
 * the database is away as far as the log says. */
static void say_away(const auth_asker_t *asker, const char *wrong)
{
    apr_uint64_t was = apr_atomic_read64(asker->conf.told);
    apr_uint64_t now = (apr_uint64_t)apr_time_sec(apr_time_now()), last = was >> 1;

    if (now < last + (was & 1 ? SAY_FORGET_S : SAY_AGAIN_S)
        || apr_atomic_cas64(asker->conf.told, now << 1 | 1, was) != was) {
        return;
    }
    ap_log_error(APLOG_MARK, APLOG_ERR, 0, asker->s,
                 AI_LOGNO(0208) "the database gives no keys: %s; those that are known go on for "
                 "AIAuthGrace", wrong);
}

static void say_back(const auth_asker_t *asker)
{
    apr_uint64_t was = apr_atomic_read64(asker->conf.told);

    if ((was & 1)
        && apr_atomic_cas64(asker->conf.told, was & ~APR_UINT64_C(1), was) == was) {
        /* A warning, so that who reads of the one reads of the other. */
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, asker->s,
                     AI_LOGNO(0209) "the database gives keys again");
    }
}

/* ----------------------------------------------------------------------- jobs (locked) */

static void release(job_t *job)
{
    if (--job->holders == 0) {
        apr_pool_destroy(job->pool);
    }
}

static void finish(auth_asker_t *asker, job_t *job)
{
    job->done = 1;
    apr_thread_cond_broadcast(asker->answers);
    release(job);
}

static job_t *find_in_queue(const queue_t *queue, ai_slice_t id)
{
    job_t *job;

    for (job = queue->first; job; job = job->next) {
        if (memcmp(job->id.p, id.p, AI_KEY_ID) == 0) {
            return job;
        }
    }
    return NULL;
}

static job_t *find_job(const auth_asker_t *asker, ai_slice_t id)
{
    job_t *job = asker->asked;
    int lane;

    if (job && memcmp(job->id.p, id.p, AI_KEY_ID) == 0) {
        return job;
    }
    for (lane = 0, job = NULL; !job && lane < LANES_N; lane++) {
        job = find_in_queue(&asker->queues[lane], id);
    }
    return job;
}

/* Held by the caller. */
static job_t *make_job(ai_slice_t id, apr_time_t seen)
{
    apr_pool_t *pool;
    job_t *job;

    if (apr_pool_create_unmanaged_ex(&pool, NULL, NULL) != APR_SUCCESS) {
        return NULL;
    }
    apr_pool_tag(pool, "ai_auth_job");
    job = apr_pcalloc(pool, sizeof(*job));
    job->pool = pool;
    job->id = (ai_slice_t){ apr_pstrmemdup(pool, id.p, id.n), id.n };
    job->holders = 1;
    job->seen = seen;
    job->since = apr_time_now();
    job->outcome = AUTH_ANSWER_AWAY;
    return job;
}

/* Held by the queue. NULL when that is full. */
static job_t *add_job(auth_asker_t *asker, lane_e lane, ai_slice_t id, apr_time_t seen)
{
    queue_t *queue = &asker->queues[lane];
    job_t *job = queue->n < QUEUE_LONGEST ? make_job(id, seen) : NULL;

    if (job) {
        *(queue->last ? &queue->last->next : &queue->first) = job;
        queue->last = job;
        queue->n++;
        apr_thread_cond_signal(asker->work);
    }
    return job;
}

static job_t *take_from(queue_t *queue)
{
    job_t *job = queue->first;

    if (job) {
        queue->first = job->next;
        queue->last = queue->first ? queue->last : NULL;
        queue->n--;
        job->next = NULL;
    }
    return job;
}

/* Asked again for itself, and to know whether there is an answer: nobody waits for it. */
static job_t *make_probe(auth_asker_t *asker)
{
    if (apr_time_now() < asker->next_probe) {
        return NULL;
    }
    asker->next_probe = apr_time_now() + asker->pause;
    asker->pause = asker->pause * 2 < LONGEST_PAUSE ? asker->pause * 2 : LONGEST_PAUSE;
    return make_job((ai_slice_t){ asker->probe, AI_KEY_ID }, 0);
}

/* The next question, or NULL when there is none now. One that nobody waits for any more is dropped. */
static job_t *take_job(auth_asker_t *asker)
{
    job_t *job;

    if (asker->away) {
        return make_probe(asker);
    }
    for (;;) {
        lane_e lane = ++asker->turn % OTHERS_TURN ? LANE_KNOWN : LANE_OTHER;

        job = take_from(&asker->queues[lane]);
        job = job ? job : take_from(&asker->queues[LANES_N - 1 - lane]);
        if (!job || job->background || job->holders > 1) {
            return job;
        }
        finish(asker, job);
    }
}

/* From now on nobody waits; who does is told. */
static void go_away(auth_asker_t *asker, const char *wrong)
{
    int lane;
    job_t *job;

    for (lane = 0; lane < LANES_N; lane++) {
        while ((job = take_from(&asker->queues[lane])) != NULL) {
            finish(asker, job);
        }
    }
    if (!asker->away) {
        asker->away = 1;
        asker->pause = FIRST_PAUSE;
        asker->next_probe = apr_time_now() + FIRST_PAUSE;
        say_away(asker, wrong);
    }
    apr_thread_cond_broadcast(asker->answers);
}

/* ------------------------------------------------------------------------------ the thread */

/* What the database says now, or what another child has learned of it meanwhile. */
static void ask(auth_asker_t *asker, job_t *job, const char **wrong)
{
    const ai_key_cache_t *cache = asker->conf.cache;
    apr_uint64_t space = asker->conf.space;
    apr_time_t asked;
    ai_key_row_t row;

    if (job->background
        && ai_key_cache_find(cache, job->pool, space, job->id, &job->record, &asked)
               == AI_KEY_CACHE_KNOWN && asked > job->seen) {
        job->outcome = AUTH_ANSWER_FOUND;
        return;
    }
    asked = apr_time_now();
    switch (ai_key_store_find(asker->store, job->pool, job->id, &row, wrong)) {
    case AI_KEY_STORE_FOUND:
        job->outcome = AUTH_ANSWER_FOUND;
        job->record = row.record;
        ai_key_cache_put(cache, job->pool, space, job->id, job->stamp, asked, row.record);
        return;
    case AI_KEY_STORE_BROKEN:
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, asker->s,
                     AI_LOGNO(0210) "key %s in the database is refused: %s", job->id.p, *wrong);
        /* fall through */
    case AI_KEY_STORE_NONE:
        job->outcome = AUTH_ANSWER_UNKNOWN;
        ai_key_cache_put_unknown(cache, job->pool, space, job->id, job->stamp, asked);
        return;
    case AI_KEY_STORE_AWAY:
        job->outcome = AUTH_ANSWER_AWAY;
        return;
    }
}

static void work_on(auth_asker_t *asker, job_t *job)
{
    const char *wrong = NULL;

    asker->asked = job;
    asker->asked_since = apr_time_now();
    job->stamp = ai_key_cache_stamp(asker->conf.cache, job->id);
    apr_thread_mutex_unlock(asker->lock);
    ask(asker, job, &wrong);
    apr_thread_mutex_lock(asker->lock);
    asker->asked = NULL;
    if (job->outcome != AUTH_ANSWER_AWAY) {
        if (asker->away) {
            asker->away = 0;
            say_back(asker);
        }
        finish(asker, job);
        return;
    }
    memcpy(asker->probe, job->id.p, AI_KEY_ID);
    go_away(asker, wrong ? wrong : "it says nothing");
    finish(asker, job); /* last: what is wrong is told in its pool */
}

static void *APR_THREAD_FUNC run(apr_thread_t *thread, void *data)
{
    auth_asker_t *asker = data;
    job_t *job;

    (void)thread;
    ai_thread_name("ai-auth-lookup");
    apr_thread_mutex_lock(asker->lock);
    while (!asker->over) {
        job = take_job(asker);
        if (job) {
            work_on(asker, job);
        }
        else if (asker->away) {
            apr_interval_time_t left = asker->next_probe - apr_time_now();

            apr_thread_cond_timedwait(asker->work, asker->lock, left > 0 ? left : 1);
        }
        else {
            apr_thread_cond_wait(asker->work, asker->lock);
        }
    }
    asker->ended = 1;
    apr_thread_cond_broadcast(asker->answers);
    apr_thread_mutex_unlock(asker->lock);
    return NULL;
}

/* Before the pool loses what requests work with; they are over by then. A thread that the database
 * holds is freed by shutting its connection; one that does not come back all the same is left
 * where it is, with all that it has, for the process to end with. */
static apr_status_t end_asker(void *data)
{
    auth_asker_t *asker = data;
    apr_time_t until = apr_time_now() + END_WITHIN;
    apr_status_t rv;
    int ended;

    apr_thread_mutex_lock(asker->lock);
    asker->over = 1;
    apr_thread_cond_signal(asker->work);
    if (asker->asked) {
        ai_db_interrupt(ai_key_store_db(asker->store));
    }
    while (!asker->ended && apr_time_now() < until) {
        apr_thread_cond_timedwait(asker->answers, asker->lock, until - apr_time_now());
    }
    ended = asker->ended;
    apr_thread_mutex_unlock(asker->lock);
    if (ended) {
        apr_thread_join(&rv, asker->thread);
        apr_pool_destroy(asker->pool);
    }
    return APR_SUCCESS;
}

apr_status_t auth_asker_start(apr_pool_t *p, server_rec *s, const auth_asker_conf_t *conf,
                              auth_asker_t **out)
{
    auth_asker_t *asker;
    apr_pool_t *pool;
    apr_status_t rv = apr_pool_create_unmanaged_ex(&pool, NULL, NULL);
    int threads = 1;

    if (rv != APR_SUCCESS) {
        return rv;
    }
    apr_pool_tag(pool, "ai_auth_asker");
    ap_mpm_query(AP_MPMQ_MAX_THREADS, &threads);
    asker = apr_pcalloc(pool, sizeof(*asker));
    asker->conf = *conf;
    asker->s = s;
    asker->pool = pool;
    asker->waiting_most = threads > 1 ? threads / 2 : 1;
    asker->store = ai_key_store_open(pool, conf->db);
    rv = apr_thread_mutex_create(&asker->lock, APR_THREAD_MUTEX_UNNESTED, pool);
    if (rv == APR_SUCCESS) {
        rv = apr_thread_cond_create(&asker->work, pool);
    }
    if (rv == APR_SUCCESS) {
        rv = apr_thread_cond_create(&asker->answers, pool);
    }
    if (rv == APR_SUCCESS) {
        /* Not ai_thread_start(), whose threads are waited for as long as they take. */
        rv = ai_thread_create(&asker->thread, run, asker, pool);
    }
    if (rv != APR_SUCCESS) {
        apr_pool_destroy(pool);
        return rv;
    }
    apr_pool_pre_cleanup_register(p, asker, end_asker);
    *out = asker;
    return APR_SUCCESS;
}

/* ------------------------------------------------------------------------------- requests */

/* The database is silent for longer than anybody waits. It may never speak again: its connection is
 * shut after a while, so that the thread can try another one. */
static void look_at_silence(auth_asker_t *asker, apr_interval_time_t timeout)
{
    apr_interval_time_t silent = asker->asked ? apr_time_now() - asker->asked_since : 0;

    if (asker->asked && !asker->away && silent >= timeout) {
        go_away(asker, "no answer within AIAuthLookupTimeout");
    }
    if (asker->asked && silent >= apr_time_from_sec(AI_DB_STATEMENT_S)) {
        ai_db_interrupt(ai_key_store_db(asker->store));
    }
}

/* So many requests wait for keys that nobody knows, and for so long, that they would hold all of the
 * child's threads. */
static int is_crowded(const auth_asker_t *asker, apr_interval_time_t timeout)
{
    const job_t *first = asker->queues[LANE_OTHER].first;

    return asker->waiting >= asker->waiting_most && first
           && apr_time_now() - first->since >= timeout / 4;
}

/* The job of an id, new where there is none; held. NULL when none can be had. */
static job_t *join(auth_asker_t *asker, apr_interval_time_t timeout, lane_e lane, ai_slice_t id,
                   apr_time_t seen)
{
    job_t *job;

    look_at_silence(asker, timeout);
    if (asker->away || asker->over) {
        return NULL;
    }
    job = find_job(asker, id);
    if (!job && lane == LANE_OTHER && is_crowded(asker, timeout)) {
        return NULL;
    }
    job = job ? job : add_job(asker, lane, id, seen);
    if (job) {
        job->holders++;
    }
    return job;
}

/* Waits for a job until then. What is known of it, the record in p. */
static auth_answer_e wait_for(auth_asker_t *asker, apr_interval_time_t timeout, apr_pool_t *p,
                              job_t *job, apr_time_t until, ai_slice_t *record)
{
    auth_answer_e outcome = AUTH_ANSWER_AWAY;
    apr_time_t now;

    asker->waiting++;
    while (!job->done && !asker->away && (now = apr_time_now()) < until) {
        apr_thread_cond_timedwait(asker->answers, asker->lock, until - now);
    }
    asker->waiting--;
    if (job->done) {
        outcome = job->outcome;
    }
    else {
        look_at_silence(asker, timeout);
    }
    if (outcome == AUTH_ANSWER_FOUND) {
        *record = (ai_slice_t){ apr_pstrmemdup(p, job->record.p, job->record.n), job->record.n };
    }
    return outcome;
}

auth_answer_e auth_asker_ask(auth_asker_t *asker, apr_pool_t *p, apr_interval_time_t timeout,
                             ai_slice_t id, apr_time_t seen, ai_slice_t *record)
{
    apr_time_t until = apr_time_now() + timeout;
    auth_answer_e outcome;
    int outdated;
    job_t *job;

    apr_thread_mutex_lock(asker->lock);
    do {
        outcome = AUTH_ANSWER_AWAY;
        outdated = 0;
        job = join(asker, timeout, seen ? LANE_KNOWN : LANE_OTHER, id, seen);
        if (job) {
            outcome = wait_for(asker, timeout, p, job, until, record);
            /* Changed meanwhile: this answer may be from before. */
            outdated = outcome != AUTH_ANSWER_AWAY
                       && job->stamp != ai_key_cache_stamp(asker->conf.cache, id);
            release(job);
        }
    } while (outdated && apr_time_now() < until);
    apr_thread_mutex_unlock(asker->lock);
    return outdated ? AUTH_ANSWER_AWAY : outcome;
}

void auth_asker_ahead(auth_asker_t *asker, apr_interval_time_t timeout, ai_slice_t id,
                      apr_time_t seen)
{
    job_t *job;

    apr_thread_mutex_lock(asker->lock);
    look_at_silence(asker, timeout);
    if (!asker->away && !find_job(asker, id)) {
        job = add_job(asker, LANE_KNOWN, id, seen);
        if (job) {
            job->background = 1;
        }
    }
    apr_thread_mutex_unlock(asker->lock);
}

int auth_asker_pause(auth_asker_t *asker)
{
    apr_interval_time_t left;

    apr_thread_mutex_lock(asker->lock);
    left = asker->away ? asker->next_probe - apr_time_now() : 0;
    apr_thread_mutex_unlock(asker->lock);
    return left > 0 ? 1 + (int)apr_time_sec(left) : 1;
}
