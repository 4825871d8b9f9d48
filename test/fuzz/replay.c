/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replay.c - runs one fuzz target over the files that it is given, without libFuzzer.
 *
 * Usage: <target> file...   Fails when no file is given or one cannot be read.
 */
#include "fuzz.h"

/* Returns 1 when the file was read and run. */
static int run_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    uint8_t *bytes = NULL;
    long n = -1;
    int good;

    if (file && fseek(file, 0, SEEK_END) == 0 && (n = ftell(file)) >= 0) {
        rewind(file);
        bytes = malloc(n > 0 ? (size_t)n : 1);
    }
    good = bytes && fread(bytes, 1, (size_t)n, file) == (size_t)n;
    if (good) {
        LLVMFuzzerTestOneInput(bytes, (size_t)n);
    }
    else {
        perror(path);
    }
    free(bytes);
    if (file) {
        fclose(file);
    }
    return good;
}

int main(int argc, char **argv)
{
    int i;

    if (argc < 2) {
        fprintf(stderr, "%s: no file given\n", argv[0]);
        return 2;
    }
    for (i = 1; i < argc; i++) {
        if (!run_file(argv[i])) {
            return 1;
        }
    }
    printf("%d inputs\n", argc - 1);
    return 0;
}
