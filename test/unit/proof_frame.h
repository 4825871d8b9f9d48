/* SPDX-License-Identifier: Apache-2.0 */
/*
 * proof_frame.h - calls in a database with checkpoints, as a gateway leaves them: for the tests of what
 * is proved.
 */
#ifndef PROOF_FRAME_H
#define PROOF_FRAME_H

#include "ai_audit_store.h"
#include "ai_proof.h"
#include "ai_retain.h"
#include "ai_ship.h"
#include "ai_spool.h"
#include "ai_verify.h"
#include "ai_when.h"
#include "db_frame.h"

#define NOON apr_time_from_sec(1795219200)
#define DAY apr_time_from_sec(86400)

static ai_audit_store_t *store;
static ai_db_t *db;
static const char *spool_folder;
static ai_uuid_source_t *uuids;
static ai_sign_key_t *key;
static ai_proof_t proof;

/* ------------------------------------------------------------------------------- spool */

static inline ai_spool_t *open_spool(apr_off_t size)
{
    static ai_spool_conf_t spool_conf;
    static apr_time_t when = NOON; /* ids of segments are in the order of their time */
    ai_spool_t *spool;

    spool_conf = (ai_spool_conf_t){ .folder = spool_folder, .node = "gw1", .size = size };
    when += 1000;
    if (ai_spool_open(pool, &spool_conf, when, &spool) != APR_SUCCESS) {
        abort();
    }
    return spool;
}

static inline void put(ai_spool_t *spool, int type, const ai_uuid_t *id, apr_time_t when,
                       const char *text)
{
    ai_slice_t body = ai_slice_of(text);
    ai_spool_record_t record = { .type = type, .id = *id, .time = when, .body = &body, .pieces = 1 };
    ai_spool_position_t position;

    if (ai_spool_append(spool, &record, &position) != APR_SUCCESS) {
        abort();
    }
}

/* A call with all its records. ends: 0, it is cut off. */
static inline void put_call(ai_spool_t *spool, const char *tenant, apr_time_t when, int ends)
{
    char id_text[AI_UUID_TEXT + 1];
    const char *begin;
    ai_uuid_t id;

    ai_uuid_make(uuids, when, &id);
    ai_uuid_text(&id, id_text);
    begin = apr_psprintf(pool, "{\"v\":1,\"id\":\"%s\",\"time\":\"%s\",\"node\":\"gw1\",\"tenant\":\"%s\",\"user\":\"ann\","
                         "\"key\":\"k1\",\"model\":\"m\",\"stream\":true,"
                         "\"reserved\":{\"prompt\":70,\"completion\":80}", id_text, ai_when_text(pool, when), tenant);
    put(spool, AI_SPOOL_BEGIN, &id, when, apr_pstrcat(pool, begin, "}", NULL));
    put(spool, 16, &id, when, apr_pstrcat(pool, "what ", tenant, " asked \xff", NULL));
    if (!ends) {
        return;
    }
    put(spool, 17, &id, when + 1, apr_pstrcat(pool, "what ", tenant, " was answered", NULL));
    put(spool, AI_SPOOL_END, &id, when + 2,
        apr_pstrcat(pool, begin, ",\"served\":\"m1\",\"route\":\"r\",\"target\":\"t\",\"status\":200,"
                    "\"attempts\":[{\"target\":\"t\"}],\"tokens\":{\"prompt\":1,\"completion\":2,"
                    "\"source\":\"provider\"},\"cost\":{\"nanousd\":4200,\"price\":\"p\"},"
                    "\"us\":{\"first\":1,\"upstream\":2,\"overhead\":3,\"total\":4}}", NULL));
    put(spool, AI_SPOOL_NOTE, &id, when + 3,
        apr_psprintf(pool, "{\"v\":1,\"id\":\"%s\",\"tenant\":\"%s\",\"user\":\"ann\",\"feedback\":1,"
                     "\"score\":7}", id_text, tenant));
}

static inline void close_spool(ai_spool_t *spool)
{
    if (ai_spool_close(spool, NOON + 5) != APR_SUCCESS) {
        abort();
    }
}

static inline void say(void *baton, ai_ship_event_e event, const char *text)
{
    (void)baton;
    printf("# %d: %s\n", (int)event, text);
}

static inline void ship_all(void)
{
    const ai_ship_conf_t ship_conf = { .folder = spool_folder, .database = conf, .say = say };
    ai_ship_t *ship = ai_ship_open(pool, &ship_conf);
    int i;

    for (i = 0; i < 100 && ai_ship_round(ship, apr_time_now()) != AI_SHIP_DONE; i++) {
        continue;
    }
    /* What has no end becomes a call once its writer is seen to be gone. */
    ok(i < 100 && ai_ship_round(ship, apr_time_now()) == AI_SHIP_DONE, "all is shipped");
    ai_ship_close(ship);
}

static inline int tell(apr_time_t now)
{
    int written = 0;

    fine(ai_proof_checkpoint(&proof, pool, now, &written), "checkpoints are written");
    return written;
}

/* ------------------------------------------------------------------------------ database */

static inline void begin_proof(int argc, char **argv)
{
    int from;

    begin_database(argc, argv);
    spool_folder = in_folder("spool");
    if (mkdir(spool_folder, 0700) != 0 || ai_uuid_source_create(pool, &uuids) != APR_SUCCESS) {
        abort();
    }
    store = ai_audit_store_open(pool, &conf);
    db = ai_audit_store_db(store);
    fine(ai_db_migrate(db, pool, &ai_audit_store_schema, &from), "there are tables");
    fine(ai_sign_make(pool, &key), "there is a key");
    proof = (ai_proof_t){ db, key, "gw1" };
}

static inline int end_proof(void)
{
    apr_finfo_t entry;
    apr_dir_t *dir;

    if (apr_dir_open(&dir, spool_folder, pool) != APR_SUCCESS) {
        abort();
    }
    while (apr_dir_read(&entry, APR_FINFO_NAME | APR_FINFO_TYPE, dir) == APR_SUCCESS) {
        if (entry.filetype != APR_DIR) {
            unlink(apr_pstrcat(pool, spool_folder, "/", entry.name, NULL));
        }
    }
    apr_dir_close(dir);
    rmdir(spool_folder);
    ai_audit_store_close(store);
    return end_database();
}

static inline const char *take_one(void *baton, const char *const *values)
{
    *(const char **)baton = values[0] ? apr_pstrdup(pool, values[0]) : NULL;
    return NULL;
}

/* The one value that a question gives, or NULL. */
static inline const char *one(const char *sql)
{
    const char *value = NULL, *wrong = ai_db_select(db, pool, sql, 0, NULL, 1, take_one, &value);

    if (wrong) {
        fine(wrong, sql);
    }
    return value;
}

static inline const char *run(const char *sql)
{
    return ai_db_exec(db, pool, sql, 0, NULL, NULL);
}

/* ------------------------------------------------------------------------------ verifying */

static ai_verify_t last;         /* the last that was verified */
static const char *last_finding; /* its first finding, or NULL */

static inline void take_finding(void *baton, const char *line)
{
    (void)baton;
    last_finding = last_finding ? last_finding : apr_pstrdup(pool, line);
}

static inline ai_verify_t *new_verify(apr_pool_t *p, const ai_sign_key_t *whose)
{
    memset(&last, 0, sizeof(last));
    last_finding = NULL;
    last.pool = p;
    last.keys = apr_array_make(p, 1, sizeof(const ai_sign_key_t *));
    if (whose) {
        APR_ARRAY_PUSH(last.keys, const ai_sign_key_t *) = whose;
    }
    last.found = take_finding;
    ai_verify_begin(&last);
    return &last;
}

/* How many findings there are; -1: it could not go on. expect: a digest, or NULL. */
static inline long long verify_with(const ai_sign_key_t *whose, const char *expect)
{
    apr_pool_t *p;
    const char *wrong;

    apr_pool_create(&p, pool);
    new_verify(p, whose)->expect = expect;
    wrong = ai_verify_database(&last, db);
    if (wrong) {
        printf("# %s\n", wrong);
    }
    last.last = last.last ? apr_pstrdup(pool, last.last) : NULL;
    apr_pool_destroy(p);
    return wrong ? -1 : last.findings;
}

static inline long long verify(void)
{
    return verify_with(key, NULL);
}

static inline int is_well(const char *what)
{
    int good = is_number(verify(), 0, what);

    if (!good && last_finding) {
        printf("# %s\n", last_finding);
    }
    return good;
}

/* The last one found something like this. */
static inline void found(const char *with, const char *what)
{
    if (!ok(last.findings > 0 && last_finding && strstr(last_finding, with), "%s", what)) {
        printf("# found %s\n", last_finding ? last_finding : "nothing");
    }
}

#endif
