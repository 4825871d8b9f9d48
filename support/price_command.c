/* SPDX-License-Identifier: Apache-2.0 */
/*
 * price_command.c - what does a model cost, by which entry, and what would some tokens?
 */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <apr_file_io.h>
#include <apr_getopt.h>
#include <apr_strings.h>

#include "ai_json.h"
#include "ai_price.h"
#include "ai_when.h"
#include "ai_write.h"
#include "aictl.h"

/* So many entries that cannot be used are told of. */
#define ODD_MAX 10

typedef struct price_call_t {
    apr_pool_t *pool;
    const char *file;
    const char *host;
    int json;
    int counted;             /* 1 when tokens, or other units, were said */
    ai_price_ask_t ask;
    apr_array_header_t *own; /* of ai_price_t */
    ai_usage_t usage;
} price_call_t;

enum { O_FILE = 1, O_TARGET, O_HOST, O_PROVIDER, O_OWN, O_AT, O_SERVICE, O_JSON, O_COUNT };

/* Behind O_COUNT stand the counts, in the order of counts[]. */
static const struct {
    const char *option;
    apr_size_t offset;
} counts[] = {
    { "prompt", offsetof(ai_usage_t, prompt) },
    { "completion", offsetof(ai_usage_t, completion) },
    { "cached", offsetof(ai_usage_t, cached) },
    { "written", offsetof(ai_usage_t, written) },
    { "written-1h", offsetof(ai_usage_t, written_1h) },
    { "reasoning", offsetof(ai_usage_t, reasoning) },
    { "prompt-audio", offsetof(ai_usage_t, prompt_audio) },
    { "prompt-image", offsetof(ai_usage_t, prompt_image) },
    { "completion-audio", offsetof(ai_usage_t, completion_audio) },
    { "completion-image", offsetof(ai_usage_t, completion_image) },
    { "searches", offsetof(ai_usage_t, searches) },
    { "seconds", offsetof(ai_usage_t, seconds) },
    { "images", offsetof(ai_usage_t, images) },
    { "characters", offsetof(ai_usage_t, characters) },
};

#define COUNTS_N ((int)(sizeof(counts) / sizeof(counts[0])))

static const apr_getopt_option_t words[] = {
    { "file", O_FILE, 1, NULL },         { "target", O_TARGET, 1, NULL },
    { "host", O_HOST, 1, NULL },         { "provider", O_PROVIDER, 1, NULL },
    { "own", O_OWN, 1, NULL },           { "at", O_AT, 1, NULL },
    { "service", O_SERVICE, 1, NULL },   { "json", O_JSON, 0, NULL },
};

#define WORDS_N ((int)(sizeof(words) / sizeof(words[0])))

/* APR takes a letter for an option from 1 to 255; ours have none. */
#define NO_LETTER 256

/* ------------------------------------------------------------------------- options */

static const char *read_count(price_call_t *call, int i, const char *word)
{
    apr_int64_t *count = (apr_int64_t *)((char *)&call->usage + counts[i].offset);

    call->counted = 1;
    if (ai_json_int(ai_slice_of(word), count) != APR_SUCCESS || *count < 0) {
        return apr_pstrcat(call->pool, "--", counts[i].option, ": must be a whole number", NULL);
    }
    return NULL;
}

/* "gpt-4o* input=2.50 output=10": as behind AITargetPrice. */
static const char *read_own(price_call_t *call, const char *word)
{
    const char *wrong;
    char **argv;
    int argc = 0;

    if (apr_tokenize_to_argv(word, &argv, call->pool) != APR_SUCCESS) {
        return "--own: is not to be split into words";
    }
    while (argv[argc]) {
        argc++;
    }
    wrong = ai_price_own(call->pool, argc, (const char *const *)argv, call->own);
    return wrong ? apr_pstrcat(call->pool, "--own: ", wrong, NULL) : NULL;
}

static const char *read_option(price_call_t *call, int option, const char *word)
{
    switch (option) {
    case O_FILE:
        call->file = word;
        return NULL;
    case O_TARGET:
        call->ask.target = word;
        return NULL;
    case O_HOST:
        call->host = word;
        return NULL;
    case O_PROVIDER:
        call->ask.provider = word;
        return NULL;
    case O_OWN:
        return read_own(call, word);
    case O_AT:
        return ai_when_read(word, &call->ask.when)
                   ? NULL : "--at: must be a time in UTC as 2026-12-31T23:59:59Z, or a day";
    case O_SERVICE:
        call->usage.service = ai_service_of(word);
        return call->usage.service == AI_SERVICE_OTHER
                   ? "--service: must be one of standard, batch, flex, priority, balanced, ultrafast"
                   : NULL;
    case O_JSON:
        call->json = 1;
        return NULL;
    default:
        return read_count(call, option - O_COUNT, word);
    }
}

static const char *read_words(price_call_t *call, int argc, const char *const *argv)
{
    apr_getopt_option_t *all = apr_pcalloc(call->pool, (WORDS_N + COUNTS_N + 1) * sizeof(*all));
    const char *wrong = NULL, *word;
    apr_getopt_t *os;
    apr_status_t rv;
    int i, option;

    for (i = 0; i < WORDS_N + COUNTS_N; i++) {
        if (i < WORDS_N) {
            all[i] = words[i];
        }
        else {
            all[i].name = counts[i - WORDS_N].option;
            all[i].has_arg = 1;
            all[i].optch = O_COUNT + i - WORDS_N;
        }
        all[i].optch += NO_LETTER;
    }
    apr_getopt_init(&os, call->pool, argc, argv);
    os->interleave = 1;
    os->errfn = NULL;
    while (!wrong && (rv = apr_getopt_long(os, all, &option, &word)) == APR_SUCCESS) {
        wrong = read_option(call, option - NO_LETTER, word);
    }
    if (!wrong && rv != APR_EOF) {
        wrong = "has no such option, or it lacks its word; aictl --help";
    }
    if (!wrong && os->ind + 1 != argc) {
        wrong = "usage: aictl price [OPTION]... MODEL";
    }
    if (!wrong) {
        call->ask.model = os->argv[os->ind];
    }
    return wrong;
}

/* ------------------------------------------------------------------------- reading */

static const char *read_file(price_call_t *call, ai_slice_t *text)
{
    apr_size_t n = 0;
    apr_file_t *file;
    apr_status_t rv;
    char *bytes;

    rv = apr_file_open(&file, call->file, APR_READ, APR_OS_DEFAULT, call->pool);
    if (rv != APR_SUCCESS) {
        return apr_psprintf(call->pool, "%s: cannot be opened: %pm", call->file, &rv);
    }
    bytes = apr_palloc(call->pool, AI_PRICE_SIZE + 1);
    rv = apr_file_read_full(file, bytes, AI_PRICE_SIZE + 1, &n);
    apr_file_close(file);
    if (rv != APR_SUCCESS && rv != APR_EOF) {
        return apr_psprintf(call->pool, "%s: cannot be read: %pm", call->file, &rv);
    }
    *text = (ai_slice_t){ bytes, n };
    return NULL;
}

static const char *open_book(price_call_t *call, const ai_price_book_t **book)
{
    apr_array_header_t *odd = apr_array_make(call->pool, 4, sizeof(const char *));
    const char *wrong;
    ai_slice_t text;
    int i;

    *book = ai_price_read(call->pool, ai_price_builtin(), AI_PRICE_BUILTIN, NULL, odd, &wrong);
    if (!*book || !call->file) {
        return wrong;
    }
    wrong = read_file(call, &text);
    if (wrong) {
        return wrong;
    }
    *book = ai_price_read(call->pool, text, apr_filepath_name_get(call->file), *book, odd, &wrong);
    if (!*book) {
        return apr_pstrcat(call->pool, call->file, ": ", wrong, NULL);
    }
    for (i = 0; i < odd->nelts && i < ODD_MAX; i++) {
        fprintf(stderr, "aictl: %s: %s; the entry is left out\n", call->file,
                APR_ARRAY_IDX(odd, i, const char *));
    }
    if (odd->nelts > ODD_MAX) {
        fprintf(stderr, "aictl: %s: %d more entries are left out\n", call->file,
                odd->nelts - ODD_MAX);
    }
    return NULL;
}

/* ------------------------------------------------------------------------- telling */

/* What an entry says of each class is shown once: audio and pictures only where they differ. */
static int is_shown(const ai_price_line_t *line, ai_rate_e rate)
{
    switch (rate) {
    case AI_RATE_PROMPT_AUDIO:
    case AI_RATE_PROMPT_IMAGE:
        return line->rate[rate] != line->rate[AI_RATE_PROMPT];
    case AI_RATE_COMPLETION_AUDIO:
    case AI_RATE_COMPLETION_IMAGE:
        return line->rate[rate] != line->rate[AI_RATE_COMPLETION];
    case AI_RATE_WRITTEN_12H:
        return line->rate[rate] != line->rate[AI_RATE_WRITTEN_1H];
    default:
        return 1;
    }
}

static void show_line(const price_call_t *call, const ai_price_line_t *line)
{
    int i;

    printf("%-9s", ai_service_name(line->service));
    if (line->above) {
        printf(" prompts above %" APR_INT64_T_FMT ":", line->above);
    }
    for (i = 0; i < AI_RATES_N; i++) {
        if (is_shown(line, (ai_rate_e)i)) {
            printf(" %s %s", ai_price_rate_word((ai_rate_e)i),
                   line->rate[i] < 0 ? "-" : ai_price_decimal(call->pool, line->rate[i], 6));
        }
    }
    printf("\n");
}

static void show_text(const price_call_t *call, const ai_price_t *price)
{
    int i;

    printf("price     %s\n", price->origin);
    if (price->source) {
        printf("source    %s\n", price->source);
    }
    for (i = 0; i < price->n; i++) {
        show_line(call, &price->lines[i]);
    }
    for (i = 0; i < AI_UNITS_N; i++) {
        if (price->unit[i] >= 0) {
            printf("each      %s %s\n", ai_price_unit_word((ai_unit_e)i),
                   ai_price_decimal(call->pool, price->unit[i], 12));
        }
    }
}

static void write_member(ai_write_t *w, const char *before, const char *name, const char *value)
{
    ai_write_copy(w, ai_slice_of(before));
    ai_write_quoted(w, ai_slice_of(name));
    ai_write_literal(w, ":");
    ai_write_quoted(w, ai_slice_of(value));
}

static void write_line(const price_call_t *call, ai_write_t *w, const ai_price_line_t *line)
{
    int i;

    write_member(w, "{", "service", ai_service_name(line->service));
    ai_write_literal(w, ",\"above\":");
    ai_write_number(w, line->above);
    for (i = 0; i < AI_RATES_N; i++) {
        if (line->rate[i] >= 0) {
            write_member(w, ",", ai_price_rate_word((ai_rate_e)i),
                         ai_price_decimal(call->pool, line->rate[i], 6));
        }
    }
    ai_write_literal(w, "}");
}

/* cost, most: nano-dollars, or -1. */
static void show_json(const price_call_t *call, const ai_price_t *price, apr_int64_t cost,
                      apr_int64_t most)
{
    ai_slice_t text;
    ai_write_t w;
    int i;

    ai_write_begin(call->pool, &w);
    write_member(&w, "{", "price", price->origin);
    if (price->source) {
        write_member(&w, ",", "source", price->source);
    }
    ai_write_literal(&w, ",\"rates\":[");
    for (i = 0; i < price->n; i++) {
        ai_write_copy(&w, ai_slice_of(i ? "," : ""));
        write_line(call, &w, &price->lines[i]);
    }
    ai_write_literal(&w, "]");
    for (i = 0; i < AI_UNITS_N; i++) {
        if (price->unit[i] >= 0) {
            write_member(&w, ",", ai_price_unit_word((ai_unit_e)i),
                         ai_price_decimal(call->pool, price->unit[i], 12));
        }
    }
    if (cost >= 0) {
        ai_write_literal(&w, ",\"cost_nanousd\":");
        ai_write_number(&w, cost);
    }
    if (most >= 0) {
        ai_write_literal(&w, ",\"most_nanousd\":");
        ai_write_number(&w, most);
    }
    ai_write_literal(&w, "}\n");
    text = ai_write_flat(&w);
    fwrite(text.p, 1, text.n, stdout);
}

static int show(const price_call_t *call, const ai_price_t *price)
{
    apr_int64_t cost = -1, most = -1;
    apr_status_t rv = APR_SUCCESS;

    if (call->counted) {
        rv = ai_price_cost(price, &call->usage, &cost);
        ai_price_most(price, AI_SERVICES(call->usage.service), &call->usage, &most);
    }
    if (call->json) {
        show_json(call, price, cost, most);
    }
    else {
        show_text(call, price);
        if (cost >= 0) {
            printf("cost      %s USD\n", ai_price_decimal(call->pool, cost, 9));
        }
        if (most >= 0) {
            printf("at most   %s USD\n", ai_price_decimal(call->pool, most, 9));
        }
    }
    if (rv == APR_INCOMPLETE) {
        return complain(FAILED, "the cost is not known: say --prompt and --completion, or what else "
                                "the model is charged by");
    }
    return rv == APR_SUCCESS ? DONE_WELL : complain(FAILED, "the cost is above 9.2 million USD");
}

void price_usage(void)
{
    int i;

    printf("  aictl price [--file FILE] [--target NAME] [--host HOST | --provider WORD] [--own PRICE]...\n"
           "      [--at WHEN] [--service WORD] [--json]");
    for (i = 0; i < COUNTS_N; i++) {
        printf("%s[--%s N]", i % 5 ? " " : "\n      ", counts[i].option);
    }
    printf(" MODEL\n");
}

int price_command(apr_pool_t *p, int argc, const char *const *argv)
{
    price_call_t *call = apr_pcalloc(p, sizeof(*call));
    const ai_price_book_t *book;
    const ai_price_t *price;
    const char *wrong;

    call->pool = p;
    call->usage = AI_USAGE_UNKNOWN;
    call->own = apr_array_make(p, 2, sizeof(ai_price_t));
    call->ask.own = call->own;
    call->ask.when = apr_time_now();
    wrong = read_words(call, argc, argv);
    if (wrong) {
        return complain(MISUSED, wrong);
    }
    if (call->host) {
        call->ask.provider = ai_price_provider(call->host);
    }
    wrong = open_book(call, &book);
    if (wrong) {
        return complain(FAILED, wrong);
    }
    price = ai_price_find(book, &call->ask);
    return price ? show(call, price)
                 : complain(FAILED, apr_pstrcat(p, "no price of ", call->ask.model, " is known", NULL));
}
