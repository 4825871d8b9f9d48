/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz.h - what every fuzz target has: the entry that libFuzzer and replay.c call, and must().
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* Returns 0. A property that does not hold ends the program. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

/* Ends the program, as a crash, where a property does not hold. */
#define must(property)                                                                            \
    do {                                                                                          \
        if (!(property)) {                                                                        \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #property);                \
            abort();                                                                              \
        }                                                                                         \
    } while (0)

#endif
