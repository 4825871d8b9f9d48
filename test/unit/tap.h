/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tap.h - the Test Anything Protocol for one test program: ok() and its kin, then done().
 */
#ifndef TAP_H
#define TAP_H

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static int tap_run, tap_failed;

/* One check; what says in words what it shows. Returns good. */
__attribute__((format(printf, 2, 3))) static inline int ok(int good, const char *what, ...)
{
    va_list args;

    va_start(args, what);
    printf("%sok %d - ", good ? "" : "not ", ++tap_run);
    vprintf(what, args);
    printf("\n");
    va_end(args);
    tap_failed += !good;
    return good;
}

/* n bytes at got are those of want. */
static inline int is_bytes(const char *got, size_t n, const char *want, size_t n_want,
                           const char *what)
{
    int good = n == n_want && (n == 0 || memcmp(got, want, n) == 0);

    if (!ok(good, "%s", what)) {
        printf("# got  (%lu) %.*s\n# want (%lu) %.*s\n", (unsigned long)n, (int)n, got ? got : "",
               (unsigned long)n_want, (int)n_want, want);
    }
    return good;
}

static inline int is_number(long long got, long long want, const char *what)
{
    int good = got == want;

    if (!ok(good, "%s", what)) {
        printf("# got %lld, want %lld\n", got, want);
    }
    return good;
}

/* Prints the plan. Returns what main() should: 0 when all was well and something was checked. */
static inline int done(void)
{
    printf("1..%d\n", tap_run);
    return tap_failed > 0 || tap_run == 0;
}

#endif
