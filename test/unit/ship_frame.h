/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ship_frame.h - a spool, a database, and what ships from one to the other, for their tests.
 */
#ifndef SHIP_FRAME_H
#define SHIP_FRAME_H

#include <stdlib.h>

#include "ai_audit_store.h"
#include "ai_ship.h"
#include "ai_spool.h"
#include "db_frame.h"

#define NOON apr_time_from_sec(1795219200)

static const char *spool_folder;
static ai_audit_store_t *store;
static ai_uuid_source_t *uuids;
static int told[AI_SHIP_UNREADABLE + 1]; /* how often each event was */
static const char *last_told;
static int lines, deaf; /* how many were taken; 1: none is */

/* ------------------------------------------------------------------------------- spool */

static const char *in_spool(const char *name)
{
    return apr_pstrcat(pool, spool_folder, "/", name, NULL);
}

/* How many files with that in their name; with removes, they go. */
static int files(const char *with, int removes)
{
    apr_finfo_t entry;
    apr_dir_t *dir;
    int n = 0;

    if (apr_dir_open(&dir, spool_folder, pool) != APR_SUCCESS) {
        abort();
    }
    while (apr_dir_read(&entry, APR_FINFO_NAME, dir) == APR_SUCCESS) {
        if (*entry.name != '.' && strstr(entry.name, with)) {
            n++;
            if (removes) {
                unlink(in_spool(entry.name));
            }
        }
    }
    apr_dir_close(dir);
    return n;
}

static ai_spool_t *open_spool(apr_off_t size)
{
    static ai_spool_conf_t spool_conf;
    ai_spool_t *spool;

    spool_conf = (ai_spool_conf_t){ .folder = spool_folder, .node = "gw1", .size = size };
    if (ai_spool_open(pool, &spool_conf, apr_time_now(), &spool) != APR_SUCCESS) {
        abort();
    }
    return spool;
}

static ai_uuid_t new_call(void)
{
    ai_uuid_t id;

    ai_uuid_make(uuids, apr_time_now(), &id);
    return id;
}

static void put_text(ai_spool_t *spool, int type, ai_uuid_t id, ai_slice_t text)
{
    ai_spool_record_t record = { .type = type, .id = id, .time = NOON, .body = &text, .pieces = 1 };
    ai_spool_position_t position;

    if (ai_spool_append(spool, &record, &position) != APR_SUCCESS) {
        abort();
    }
}

static void put_begin(ai_spool_t *spool, ai_uuid_t id)
{
    put_text(spool, AI_SPOOL_BEGIN, id,
             AI_SLICE("{\"v\":1,\"tenant\":\"acme\",\"reserved\":{\"prompt\":70,\"completion\":80}}"));
}

static void put_end(ai_spool_t *spool, ai_uuid_t id)
{
    put_text(spool, AI_SPOOL_END, id,
             AI_SLICE("{\"v\":1,\"tenant\":\"acme\",\"status\":200,\"tokens\":{\"prompt\":1,"
                      "\"completion\":2}}"));
}

/* n calls, whole. */
static void put_calls(ai_spool_t *spool, int n)
{
    while (n-- > 0) {
        ai_uuid_t id = new_call();

        put_begin(spool, id);
        put_end(spool, id);
    }
}

static void close_spool(ai_spool_t *spool)
{
    if (ai_spool_close(spool, apr_time_now()) != APR_SUCCESS) {
        abort();
    }
}

/* ---------------------------------------------------------------------------- shipping */

static void say(void *baton, ai_ship_event_e event, const char *text)
{
    (void)baton;
    told[event]++;
    last_told = apr_pstrdup(pool, text);
    printf("# %d: %s\n", (int)event, text);
}

static int line(void *baton, ai_slice_t body)
{
    (void)baton;
    lines += !deaf && body.n && body.p[0] == '{';
    return !deaf;
}

static ai_ship_t *open_ship(int batch)
{
    static ai_ship_conf_t ship_conf;
    ai_ship_t *ship;

    ship_conf = (ai_ship_conf_t){ .folder = spool_folder, .database = conf, .batch = batch,
                                  .say = say, .line = line };
    ship = ai_ship_open(pool, &ship_conf);
    memset(told, 0, sizeof(told));
    lines = 0;
    return ship;
}

/* Rounds until nothing more is there, or trouble. */
static ai_ship_outcome_e ship_on(ai_ship_t *ship)
{
    ai_ship_outcome_e outcome;
    int i = 0;

    do {
        outcome = ai_ship_round(ship, apr_time_now());
    } while (outcome == AI_SHIP_MORE && ++i < 100);
    return outcome;
}

static ai_ship_outcome_e ship_once(void)
{
    ai_ship_t *ship = open_ship(0);
    ai_ship_outcome_e outcome = ship_on(ship);

    ai_ship_close(ship);
    return outcome;
}

static const char *take_one(void *baton, const char *const *values)
{
    *(apr_int64_t *)baton = values[0] ? apr_atoi64(values[0]) : -1;
    return NULL;
}

/* The number that a question gives; -2: none. */
static long long count(const char *sql)
{
    apr_int64_t n = -2;
    const char *wrong = ai_db_select(ai_audit_store_db(store), pool, sql, 0, NULL, 1, take_one, &n);

    if (wrong) {
        printf("# %s: %s\n", sql, wrong);
    }
    return n;
}

#define FRAMES "SELECT COUNT(*) FROM ai_audit_frames"
#define CALLS "SELECT COUNT(*) FROM ai_audit_calls"

/* No rows, and no files. */
static void begin_anew(void)
{
    static const char *const sql[] = { "DELETE FROM ai_audit_frames", "DELETE FROM ai_audit_calls",
                                       "DELETE FROM ai_audit_segments",
                                       "DELETE FROM ai_audit_feedback" };
    apr_size_t i;

    for (i = 0; i < sizeof(sql) / sizeof(sql[0]); i++) {
        const char *wrong = ai_db_exec(ai_audit_store_db(store), pool, sql[i], 0, NULL, NULL);

        if (wrong) {
            printf("# %s: %s\n", sql[i], wrong);
        }
    }
    files("", 1);
    deaf = 0;
}

#endif
