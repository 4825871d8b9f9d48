/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load_worker.h - when does which connection ask?
 */
#ifndef LOAD_WORKER_H
#define LOAD_WORKER_H

#include "load_plan.h"
#include "load_sum.h"

/* Runs this worker's share of the plan to its end.  `index` counts from 0.  One byte goes to
 * `announce_fd` when all connections of the worker hold an open answer at the same time. */
void load_worker_run(const load_plan_t *plan, unsigned index, load_sum_t *sum, int announce_fd);

#endif
