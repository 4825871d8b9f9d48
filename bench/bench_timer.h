/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_timer.h - what does one time of this work cost?
 *
 * Counted is processor time of this thread, in many short batches; what a tenth of them reach is
 * the result. What else runs on the machine (on the core's other thread, in its caches) can only
 * add to the time.
 */
#ifndef BENCH_TIMER_H
#define BENCH_TIMER_H

/* Does the work once. */
typedef void bench_work_fn(void *job);

/* Nanoseconds that one time takes, measured for about so many seconds. */
double bench_measure(bench_work_fn *work, void *job, double seconds);

#endif
