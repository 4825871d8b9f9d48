/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_attest.c - when is a checkpoint due, and when does somebody look for what is over?
 *
 * One batch a round: so records go on being shipped while much is taken out.
 *
 * May block: yes, on the database.
 */
#include <apr_atomic.h>
#include <apr_strings.h>

#include "ai_attest.h"
#include "ai_retain.h"
#include "ai_value.h"
#include "ai_when.h"

#define LONGEST_SPAN (APR_INT64_C(86400000) * 365 * 100)
#define SHORTEST_SPAN APR_INT64_C(3600000)

struct ai_attest_t {
    ai_attest_conf_t conf;
    ai_proof_t proof;
    apr_pool_t *round;
    apr_time_t told;     /* when the last checkpoint was due */
    apr_time_t retained; /* when retention began last */
    int rule;            /* which is under way; as many as there are: none */
    ai_retained_t done;  /* by that one */
    int is_in_trouble;
    volatile apr_uint32_t over;
};

ai_attest_t *ai_attest_open(apr_pool_t *p, const ai_attest_conf_t *conf)
{
    ai_attest_t *attest = apr_pcalloc(p, sizeof(*attest));

    attest->conf = *conf;
    attest->proof = (ai_proof_t){ ai_db_open(p, &attest->conf.database), conf->key, conf->node };
    attest->rule = conf->rules ? conf->rules->nelts : 0;
    return apr_pool_create(&attest->round, p) == APR_SUCCESS ? attest : NULL;
}

/* Returns 1 when it went well. */
static int note(ai_attest_t *attest, const char *wrong)
{
    if (wrong && !attest->is_in_trouble && !apr_atomic_read32(&attest->over)) {
        attest->is_in_trouble = 1;
        attest->conf.say(attest->conf.baton, AI_ATTEST_TROUBLE, wrong);
    }
    if (!wrong && attest->is_in_trouble) {
        attest->is_in_trouble = 0;
        attest->conf.say(attest->conf.baton, AI_ATTEST_RESUMED, "checkpoints are written again");
    }
    return !wrong;
}

static int tell(ai_attest_t *attest, apr_time_t now)
{
    int written;

    attest->told = now;
    return note(attest, ai_proof_checkpoint(&attest->proof, attest->round, now, &written));
}

/* One batch of the rule that is under way. */
static void retain(ai_attest_t *attest, apr_time_t now)
{
    const ai_attest_rule_t *rule = &APR_ARRAY_IDX(attest->conf.rules, attest->rule, ai_attest_rule_t);
    const ai_retain_t what = {
        rule->records, attest->retained - rule->older, rule->tenant,
        apr_psprintf(attest->round, "%s before %s%s%.100s", rule->records ? "records" : "bodies",
                     ai_when_text(attest->round, attest->retained - rule->older),
                     rule->tenant ? ", tenant " : "", rule->tenant ? rule->tenant : "")
    };

    if (!note(attest, ai_retain_run(&attest->proof, attest->round, &what, now, 1, &attest->done))) {
        attest->rule = attest->conf.rules->nelts;
        return;
    }
    if (attest->done.more) {
        return;
    }
    if (attest->done.frames) {
        attest->conf.say(attest->conf.baton, AI_ATTEST_RETAINED,
                         apr_psprintf(attest->round, "%" APR_INT64_T_FMT " bodies, %" APR_INT64_T_FMT
                                      " bytes (%s)", attest->done.frames, attest->done.bytes, what.why));
    }
    memset(&attest->done, 0, sizeof(attest->done));
    attest->rule++;
}

int ai_attest_round(ai_attest_t *attest, apr_time_t now)
{
    const apr_array_header_t *rules = attest->conf.rules;

    if (apr_atomic_read32(&attest->over)) {
        return 0;
    }
    apr_pool_clear(attest->round);
    /* The clock may go back. */
    if ((now - attest->told >= attest->conf.every || now < attest->told) && !tell(attest, now)) {
        return 0;
    }
    if (rules && attest->rule >= rules->nelts
        && (now - attest->retained >= AI_ATTEST_RETAIN || now < attest->retained)) {
        attest->retained = now;
        attest->rule = 0;
        memset(&attest->done, 0, sizeof(attest->done));
    }
    if (rules && attest->rule < rules->nelts) {
        retain(attest, now);
        return attest->rule < rules->nelts;
    }
    return 0;
}

void ai_attest_end(ai_attest_t *attest, apr_time_t now)
{
    apr_pool_clear(attest->round);
    if (!apr_atomic_read32(&attest->over)) {
        tell(attest, now);
    }
    ai_db_close(attest->proof.db);
}

void ai_attest_interrupt(ai_attest_t *attest)
{
    apr_atomic_set32(&attest->over, 1);
    ai_db_interrupt(attest->proof.db);
}

const char *ai_attest_rule(apr_pool_t *p, const char *span, const char *what, const char *tenant,
                           ai_attest_rule_t *rule)
{
    static const char *const words[] = { "bodies", "records", NULL };
    apr_int64_t ms, word = 0;
    const char *wrong = ai_value_time(p, span, SHORTEST_SPAN, LONGEST_SPAN, &ms);

    wrong = wrong || !what ? wrong : ai_value_word(p, what, words, &word);
    if (!wrong && tenant && (!*tenant || strlen(tenant) > 500)) {
        wrong = "a tenant has 1 to 500 bytes";
    }
    if (!wrong) {
        *rule = (ai_attest_rule_t){ apr_time_from_msec(ms), (int)word, tenant };
    }
    return wrong;
}
