/* SPDX-License-Identifier: Apache-2.0 */
/*
 * route_slot.h - the keys of targets as all children see them: which are good, which is next?
 *
 * A slot is one key: its text, and what is known of it. Slots lie in memory that all processes of
 * the server share. Pure: zeroed memory is slots without keys, all is done with atomics, there are
 * no locks, and a process may die at any instruction without harm to the others. All calls may be
 * made by any thread of any process, but where it says otherwise.
 *
 * A text has a serial number. What is learned of a key is learned of that serial: what somebody
 * says late of an old text does not touch a new one.
 */
#ifndef ROUTE_SLOT_H
#define ROUTE_SLOT_H

#include <apr_pools.h>
#include <apr_time.h>

#include "ai_credential.h"
#include "ai_watched_file.h"

/* Raise it when anything of route_slot_t changes. */
#define ROUTE_SLOT_LAYOUT 1

/* The keys of one target; what was tried is a set of bits. */
#define ROUTE_KEYS_MAX 32
/* Largest weight of a key. */
#define ROUTE_WEIGHT_MAX 100

typedef struct route_text_t {
    apr_uint32_t n;
    apr_int64_t expires; /* microseconds since 1970, 0: never */
    char bytes[AI_CREDENTIAL_KEY];
} route_text_t;

typedef struct route_slot_t {
    apr_uint64_t id;               /* of the source, by which a later generation finds it again */
    volatile apr_uint32_t serial;  /* of the text in force, which is text[serial & 1]; 0: none */
    volatile apr_uint32_t turn;    /* of the first slot of a target: keys that were picked */
    volatile apr_uint64_t aside;   /* until when it is set aside: a moment of a serial */
    volatile apr_uint64_t rest;    /* the same: until when others are taken first */
    /* counts */
    volatile apr_uint64_t uses;     /* attempts with it */
    volatile apr_uint64_t refusals; /* the provider's 401, 402, 403 and empty quotas */
    volatile apr_uint64_t limits;   /* its other 429 */
    volatile apr_uint64_t asides;   /* how often it was set aside */
    volatile apr_uint64_t changes;  /* texts since the first */
    volatile apr_uint64_t failures; /* of its source */
    /* of who works on its source (route_slot_lease) */
    volatile apr_uint64_t lease;    /* until when somebody does, in microseconds; 0: nobody */
    volatile apr_uint64_t due;      /* when the program is to be run next */
    volatile apr_uint32_t failed;   /* how often in a row; 0: well, or not tried yet */
    volatile apr_uint32_t told;     /* of which failure the log has spoken; 0: of none */
    volatile apr_uint32_t buried;   /* the serial of which the log has said that it expired */
    volatile apr_uint32_t readable; /* the file could be opened by a child */
    ai_file_facts_t facts;          /* of the file as it was read last */
    route_text_t text[2];
} route_slot_t;

/* ------------------------------------------------------------------------------- picking */

/*
 * The next key to take, of n slots with their weights; tried is the set of those not to be taken.
 * Over time each that is good is taken as often as its weight says. Keys that rest are taken when
 * no other is left, the one first that rests least. -1 when none is good.
 */
int route_slot_pick(route_slot_t *slots, const int *weights, int n, apr_uint32_t tried,
                    apr_time_t now);

/* How many are good but for those that were tried; _fresh: and do not rest. */
int route_slot_good(const route_slot_t *slots, int n, apr_uint32_t tried, apr_time_t now);
int route_slot_fresh(const route_slot_t *slots, int n, apr_uint32_t tried, apr_time_t now);

/* The text in force, in p, and its serial; 0 when there is none, or none that is good. */
apr_uint32_t route_slot_read(const route_slot_t *slot, apr_pool_t *p, apr_time_t now,
                             const char **text);

/* ------------------------------------------------------------------------------ learning */

/* Until then nobody takes the key of that serial. 1 for the one caller that did it; 0 when it is
 * set aside already, or when there is another key by now. */
int route_slot_set_aside(route_slot_t *slot, apr_uint32_t serial, apr_time_t until, apr_time_t now);
/* Until then others are taken first. */
void route_slot_rest(route_slot_t *slot, apr_uint32_t serial, apr_time_t until, apr_time_t now);

/* Until when it is set aside, or rests; 0 when it is not, or does not. */
apr_time_t route_slot_aside_until(const route_slot_t *slot, apr_time_t now);
apr_time_t route_slot_rests_until(const route_slot_t *slot, apr_time_t now);
/* When the text in force expires; 0 for never, or where there is none. */
apr_time_t route_slot_expires(const route_slot_t *slot);

/* ------------------------------------------------------------------------------- sources */

/* To be the only one who works on a slot's source, until then at the latest. 1 or 0. */
int route_slot_lease(route_slot_t *slot, apr_time_t until, apr_time_t now);
void route_slot_release(route_slot_t *slot);

/*
 * Puts a key into force. Only for who has the lease, or while nobody else sees the slot.
 * 1 when it is another one than before; else only its end is new, and what is known of it stays.
 */
int route_slot_put(route_slot_t *slot, const ai_credential_t *credential);

/* A copy for a new generation. Nobody works on it, whoever did on the old one. */
void route_slot_copy(route_slot_t *to, const route_slot_t *from);

#endif
