/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_ai_attest.c - are checkpoints written in time, and is what is over taken out once an hour?
 */
#include "ai_attest.h"
#include "proof_frame.h"

static int told_n[AI_ATTEST_RETAINED + 1];
static const char *last_told;

static void hear(void *baton, ai_attest_event_e event, const char *text)
{
    (void)baton;
    told_n[event]++;
    last_told = apr_pstrdup(pool, text);
}

static long long number_of(const char *sql)
{
    const char *n = one(sql);

    return n ? apr_atoi64(n) : -1;
}

static long long checkpoints(void)
{
    return number_of("SELECT COUNT(*) FROM ai_audit_checkpoints");
}

static long long removed(void)
{
    return number_of("SELECT COUNT(*) FROM ai_audit_frames WHERE removed > 0");
}

static void test_rules(void)
{
    ai_attest_rule_t rule;

    fine(ai_attest_rule(pool, "30d", NULL, NULL, &rule), "a rule of bodies");
    ok(rule.older == 30 * DAY && !rule.records && !rule.tenant, "is read");
    fine(ai_attest_rule(pool, "1h", "records", "acme", &rule), "one of records");
    ok(rule.older == DAY / 24 && rule.records && strcmp(rule.tenant, "acme") == 0, "is read, too");
    ok(ai_attest_rule(pool, "1min", NULL, NULL, &rule) != NULL, "not below an hour");
    ok(ai_attest_rule(pool, "30", NULL, NULL, &rule) != NULL, "not without a unit");
    ok(ai_attest_rule(pool, "30d", "prompts", NULL, &rule) != NULL, "not another word");
    ok(ai_attest_rule(pool, "30d", NULL, "", &rule) != NULL, "not a tenant without a name");
}

static void test_rounds(ai_attest_t *attest)
{
    const apr_time_t minute = apr_time_from_sec(60);
    ai_spool_t *spool = open_spool(0);

    put_call(spool, "old", NOON - 40 * DAY, 1);
    put_call(spool, "acme", NOON - 2 * DAY, 1);
    put_call(spool, "acme", NOON - DAY / 2, 1);
    ship_all();
    is_number(ai_attest_round(attest, NOON), 1, "a round: there is more to take out");
    is_number(removed(), 2, "the first rule took out the bodies of the oldest");
    is_number(checkpoints(), 2, "the first checkpoint, and that of the removal");
    while (ai_attest_round(attest, NOON)) {
        continue;
    }
    is_number(removed(), 7, "the second rule all of the other tenant that is old");
    is_number(told_n[AI_ATTEST_RETAINED], 2, "each says what it did");
    is_well("all of it is proved");
    put_call(spool, "late", NOON - 40 * DAY, 1);
    ship_all();
    ai_attest_round(attest, NOON + minute - 1);
    is_number(checkpoints(), 4, "within a minute there is no other checkpoint");
    ai_attest_round(attest, NOON + minute);
    is_number(checkpoints(), 5, "then there is");
    ai_attest_round(attest, NOON + 2 * minute);
    is_number(checkpoints(), 5, "but none of nothing");
    is_number(removed(), 7, "within an hour nobody looks for what is over");
    while (ai_attest_round(attest, NOON + 60 * minute)) {
        continue;
    }
    is_number(removed(), 9, "then somebody does");
    close_spool(spool);
    ship_all();
    ai_attest_end(attest, NOON + 61 * minute);
    is_well("at the end all is proved");
    is_number(last.behind, 0, "up to the last record");
}

static void test_trouble(ai_attest_t *attest)
{
    const apr_time_t later = NOON + DAY;

    run("ALTER TABLE ai_audit_told RENAME TO ai_audit_gone");
    ai_attest_round(attest, later);
    ai_attest_round(attest, later + DAY);
    is_number(told_n[AI_ATTEST_TROUBLE], 1, "trouble is told once");
    run("ALTER TABLE ai_audit_gone RENAME TO ai_audit_told");
    ai_attest_round(attest, later + 2 * DAY);
    is_number(told_n[AI_ATTEST_RESUMED], 1, "and that it is over");
    ai_attest_interrupt(attest);
    is_number(ai_attest_round(attest, later + 3 * DAY), 0, "after the end nothing is done");
}

int main(int argc, char **argv)
{
    ai_attest_conf_t how = { .node = "gw1", .every = apr_time_from_sec(60), .say = hear };
    apr_array_header_t *rules;

    begin_proof(argc, argv);
    rules = apr_array_make(pool, 2, sizeof(ai_attest_rule_t));
    APR_ARRAY_PUSH(rules, ai_attest_rule_t) = (ai_attest_rule_t){ 30 * DAY, 0, NULL };
    APR_ARRAY_PUSH(rules, ai_attest_rule_t) = (ai_attest_rule_t){ DAY, 1, "acme" };
    how.database = conf;
    how.key = key;
    how.rules = rules;
    test_rules();
    test_rounds(ai_attest_open(pool, &how));
    test_trouble(ai_attest_open(pool, &how));
    return end_proof();
}
