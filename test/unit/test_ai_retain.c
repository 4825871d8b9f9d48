/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_ai_retain.c - does retention take out what is over, and nothing else, so that it can be proved?
 */
#include <apr_atomic.h>
#include <apr_thread_proc.h>

#include "proof_frame.h"

enum { MANY = 600, TENANTS = 4 };

static long long count(const char *where)
{
    const char *n = one(apr_pstrcat(pool, "SELECT COUNT(*) FROM ai_audit_frames f WHERE ", where, NULL));

    return n ? apr_atoi64(n) : -1;
}

static long long count_of(const char *tenant, const char *where)
{
    const char *n = one(apr_psprintf(pool, "SELECT COUNT(*) FROM ai_audit_frames f JOIN ai_audit_calls c "
                                     "ON c.id = f.call_id WHERE c.tenant = '%s' AND %s", tenant, where));

    return n ? apr_atoi64(n) : -1;
}

static ai_retained_t retain(int records, apr_time_t before, const char *tenant)
{
    const ai_retain_t what = { records, before, tenant, "a test" };
    ai_retained_t would, done = { 0, 0, 0 };

    fine(ai_retain_count(db, pool, &what, &would), "they are counted");
    fine(ai_retain_run(&proof, pool, &what, NOON, 100, &done), "and taken out");
    ok(done.frames == would.frames && done.bytes == would.bytes && !done.more,
       "as many as were counted: %d", (int)done.frames);
    return done;
}

static const char *hold(const char *tenant, apr_time_t since, apr_time_t until)
{
    const ai_checkpoint_hold_t what = { .tenant = tenant, .since = since, .until = until,
                                        .reason = "a case" };
    const char *id = NULL;

    fine(ai_hold_add(db, pool, &what, NOON, &id), "a hold");
    return id;
}

static void end_hold(const char *id, int want)
{
    int rows = -1;

    fine(ai_hold_release(db, pool, id, NOON + 1, &rows), "a hold is released");
    is_number(rows, want, "where there is one");
}

static void test_bodies(void)
{
    const char *id;

    is_number(retain(0, NOON - 3 * DAY, NULL).frames, 0, "nothing is that old");
    is_number(retain(0, NOON - DAY, "none").frames, 0, "nothing is of that tenant");
    id = hold("acme", -1, -1);
    is_number(retain(0, NOON - DAY, "acme").frames, 0, "a hold of the tenant keeps it");
    end_hold(id, 1);
    end_hold(id, 0);
    id = hold(NULL, -1, -1);
    is_number(retain(0, NOON - DAY, "acme").frames, 0, "a hold of all tenants keeps it");
    end_hold(id, 1);
    id = hold("acme", NOON - 2 * DAY, NOON - 2 * DAY + 1);
    is_number(retain(0, NOON - DAY, "acme").frames, 0, "so does one of its time");
    end_hold(id, 1);
    id = hold("acme", NOON - 2 * DAY + 1, -1);
    hold("other", -1, NOON - 2 * DAY);
    is_number(retain(0, NOON - DAY, "acme").frames, 2, "one of another time or tenant does not");
    end_hold(id, 1);
    is_number(count("f.removed > 0"), 2, "prompt and answer were taken out");
    is_number(count("f.removed > 0 AND f.body IS NULL AND f.coding = 0"), 2, "and are empty");
    is_number(count_of("acme", "f.type IN (16, 17) AND f.removed = 0"), 2, "those that are young are there");
    is_well("that can be proved");
    ok(last.removed == 2, "as it is told");
}

static void test_records(void)
{
    is_number(retain(1, NOON - DAY, "acme").frames, 3, "then begin, end and note");
    is_number(count_of("acme", "f.time < 1795132800000000"), 0, "the call's row is gone");
    is_number(apr_atoi64(one("SELECT COUNT(*) FROM ai_audit_feedback WHERE tenant = 'acme'")), 1,
              "and that of its note");
    is_well("that can be proved, too");
    is_number(retain(1, NOON - DAY, NULL).frames, 5, "all of another, in one go");
    is_number(retain(1, NOON - DAY, NULL).frames, 0, "and once only");
    is_well("all of that can be proved");
    /* What somebody took out without a word is left as it is. */
    run("UPDATE ai_audit_frames SET body = NULL WHERE type = 2 AND removed = 0");
    retain(1, NOON + DAY, NULL);
    ok(verify() > 0, "what was not told stays a finding");
    found("no checkpoint tells", "after retention, too");
}

/* ------------------------------------------------------------------------------- at once */

static volatile apr_uint32_t held;

/* Each batch while somebody puts a hold in; the next one when that is there. */
static void *APR_THREAD_FUNC retain_all(apr_thread_t *thread, void *baton)
{
    const ai_retain_t what = { 0, NOON + DAY, NULL, "all of it" };
    ai_retained_t *done = baton;
    apr_pool_t *p = apr_thread_pool_get(thread);
    ai_proof_t own = { ai_db_open(p, &conf), key, "gw1" };
    const char *wrong;
    apr_uint32_t n = 0;

    do {
        wrong = ai_retain_run(&own, p, &what, NOON, 1, done);
        for (n++; n < TENANTS && apr_atomic_read32(&held) < n;) {
            apr_thread_yield();
        }
    } while (!wrong && done->more);
    apr_thread_exit(thread, wrong == NULL ? APR_SUCCESS : APR_EGENERAL);
    return NULL;
}

static void test_at_once(void)
{
    ai_spool_t *spool = open_spool(1 << 20);
    const char *tenant, *taken = "f.removed > 0";
    long long before[TENANTS];
    ai_retained_t done = { 0, 0, 0 };
    apr_thread_t *thread;
    apr_status_t rv;
    int i;

    for (i = 0; i < MANY * TENANTS; i++) {
        put_call(spool, apr_psprintf(pool, "t%d", i % TENANTS), NOON, 1);
    }
    close_spool(spool);
    ship_all();
    ok(apr_thread_create(&thread, NULL, retain_all, &done, pool) == APR_SUCCESS, "retention runs");
    for (i = 0; i < TENANTS; i++) {
        tenant = apr_psprintf(pool, "t%d", i);
        hold(tenant, -1, -1);
        before[i] = count_of(tenant, taken);
        apr_atomic_inc32(&held);
    }
    apr_thread_join(&rv, thread);
    is_number(rv, APR_SUCCESS, "to its end");
    for (i = 0; i < TENANTS; i++) {
        tenant = apr_psprintf(pool, "t%d", i);
        is_number(count_of(tenant, taken), before[i], "nothing is taken out after its hold was said");
    }
    is_number(count(taken), done.frames, "it says how many it took");
    tell(NOON + 3);
    is_well("and all can be proved");
}

/* A batch, and a hold before the next. */
static void test_between(void)
{
    const ai_retain_t what = { 0, NOON + DAY, NULL, "all" };
    ai_retained_t done = { 0, 0, 0 };

    run("UPDATE ai_audit_holds SET released = created");
    fine(ai_retain_run(&proof, pool, &what, NOON, 1, &done), "one batch");
    is_number(done.more, 1, "there is more");
    hold(NULL, -1, -1);
    is_number(count("f.removed = 0 AND f.type IN (16, 17)") > 0, 1, "some is left");
    is_number(retain(0, NOON + DAY, NULL).frames, 0, "and stays, since it is held now");
}

int main(int argc, char **argv)
{
    ai_spool_t *spool;

    begin_proof(argc, argv);
    spool = open_spool(0);
    put_call(spool, "acme", NOON - 2 * DAY, 1);
    put_call(spool, "held", NOON - 2 * DAY, 1);
    put_call(spool, "acme", NOON, 1);
    close_spool(spool);
    ship_all();
    tell(NOON);
    test_bodies();
    test_records();
    run("DELETE FROM ai_audit_frames");
    run("DELETE FROM ai_audit_calls");
    run("DELETE FROM ai_audit_feedback");
    run("DELETE FROM ai_audit_segments");
    run("DELETE FROM ai_audit_holds");
    run("DELETE FROM ai_audit_told");
    run("DELETE FROM ai_audit_checkpoints");
    test_at_once();
    test_between();
    return end_proof();
}
