/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_attest.h - what who ships does beside: checkpoints in time, and retention.
 *
 * It has a connection of its own. One thread; only ai_attest_interrupt() is for others. May block: on
 * the database.
 */
#ifndef AI_ATTEST_H
#define AI_ATTEST_H

#include "ai_proof.h"

/* How often retention looks for what is over. */
#define AI_ATTEST_RETAIN apr_time_from_sec(3600)

/* What is taken out when: all records, or what was asked and answered. */
typedef struct ai_attest_rule_t {
    apr_interval_time_t older;
    int records;        /* 0: prompt and answer */
    const char *tenant; /* NULL: of all */
} ai_attest_rule_t;

typedef enum ai_attest_event_e {
    AI_ATTEST_TROUBLE, /* the database does not take them now; told once, until it does again */
    AI_ATTEST_RESUMED, /* it does again */
    AI_ATTEST_RETAINED /* so much was taken out */
} ai_attest_event_e;

typedef void ai_attest_say_fn(void *baton, ai_attest_event_e event, const char *text);

typedef struct ai_attest_conf_t {
    ai_db_conf_t database;
    const ai_sign_key_t *key;  /* NULL: checkpoints are not signed */
    const char *node;
    apr_interval_time_t every; /* a checkpoint, where something is new */
    const apr_array_header_t *rules; /* of ai_attest_rule_t; NULL: all is kept */
    ai_attest_say_fn *say;
    void *baton;
} ai_attest_conf_t;

typedef struct ai_attest_t ai_attest_t;

/* Nothing is opened yet. *conf's texts must live as long. NULL: there is no memory. */
ai_attest_t *ai_attest_open(apr_pool_t *p, const ai_attest_conf_t *conf);

/* After each round of who has the lock of the spool: a checkpoint when it is time, and one batch of
 * what is over. Out, returned: 1, there is more to do at once. */
int ai_attest_round(ai_attest_t *attest, apr_time_t now);

/* A last checkpoint, and lets go of the connection. */
void ai_attest_end(ai_attest_t *attest, apr_time_t now);

/* Ends what is under way, and all that would come. For another thread, or a signal handler. */
void ai_attest_interrupt(ai_attest_t *attest);

/* Reads a rule: a span "30d"; what: "bodies", "records", or NULL for bodies. NULL, or what is wrong. */
const char *ai_attest_rule(apr_pool_t *p, const char *span, const char *what, const char *tenant,
                           ai_attest_rule_t *rule);

#endif
