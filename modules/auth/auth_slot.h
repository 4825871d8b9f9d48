/* SPDX-License-Identifier: Apache-2.0 */
/*
 * auth_slot.h - where the child processes of a server share what was fetched from URLs.
 *
 * A slot has the text of one URL, when it is to be fetched again, and who has that in hand. Any
 * process may die at any point: a text is written beside the one in force and then switched to, and
 * the lock of a slot is the system's (fcntl), which ends with who holds it.
 *
 * Readers need no lock. auth_slot_claim() to auth_slot_let_go() is for one thread of a process.
 */
#ifndef AUTH_SLOT_H
#define AUTH_SLOT_H

#include <httpd.h>

#include "ai_slice.h"

typedef struct auth_slot_t auth_slot_t;

/* For post_config: the memory, with a slot for each URL; those that had one keep it. Where the
 * system gives no shared memory, or no lock, each process has its own; that is logged. */
void auth_slots_share(apr_pool_t *p, server_rec *s, const char *const *urls, int n);

/* That of a URL which auth_slots_share() was told of. */
auth_slot_t *auth_slot_find(const char *url);

/* --------------------------------------------------------------------------- for readers */

/* Which text is there; 0: none. */
apr_uint32_t auth_slot_generation(const auth_slot_t *slot);

/* A copy of the text in p. 0 when there is none, or it changed meanwhile, or the slot is not url's
 * any more. */
int auth_slot_read(const auth_slot_t *slot, const char *url, apr_pool_t *p, ai_slice_t *text,
                   apr_uint32_t *generation);

/* 1 while it is url's; a later configuration may have given it to another one. */
int auth_slot_is_of(const auth_slot_t *slot, const char *url);

/* 1 when there is a text that is not too old. */
int auth_slot_is_usable(const auth_slot_t *slot, apr_time_t now);

/* 1 when the last attempt is over, and the next one not due. */
int auth_slot_rests(const auth_slot_t *slot);

/* When the attempt began that is under way; now when none is. */
apr_time_t auth_slot_begun(const auth_slot_t *slot);

/* Asks for an attempt before it is due: at most once a minute. Returns when that was asked, be it
 * by us now or by another one before. */
apr_time_t auth_slot_ask(auth_slot_t *slot);

/* 1 when an attempt is over that began after that was asked. */
int auth_slot_has_answered(const auth_slot_t *slot, apr_time_t asked);

/* ------------------------------------------------------------------------- for the thread */

/* 1 when an attempt should be made. */
int auth_slot_is_due(const auth_slot_t *slot);

/* Takes an attempt in hand. 0 when another process has it, or it is not due any more. *asked: what
 * the attempt will have answered. */
int auth_slot_claim(auth_slot_t *slot, const char *url, apr_time_t *asked);

/* How the attempt went: a text came, good for max_age seconds (-1: not said); 1 when it is another
 * one than before. Or none came; returns when the next attempt is. */
int auth_slot_write(auth_slot_t *slot, ai_slice_t text, apr_int64_t max_age, apr_time_t asked);
apr_interval_time_t auth_slot_fail(auth_slot_t *slot, apr_time_t asked);

void auth_slot_let_go(auth_slot_t *slot);

#endif
