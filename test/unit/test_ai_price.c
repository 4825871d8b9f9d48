/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_ai_price.c - is a call's cost what others make of it, rounded up once, and never more than what
 * was said to be the most?
 *
 * golden.tsv is what LiteLLM 1.109.1 makes of the same entries (data/price/golden.py).
 */
#include <stdlib.h>

#include <apr_file_io.h>
#include <apr_general.h>
#include <apr_strings.h>

#include "ai_price.h"
#include "tap.h"

static apr_pool_t *pool;

static ai_slice_t load(const char *name)
{
    const char *path = apr_pstrcat(pool, AI_TEST_DATA, "/price/", name, NULL);
    apr_finfo_t info;
    apr_file_t *file;
    apr_size_t n = 0;
    char *bytes;

    if (apr_file_open(&file, path, APR_READ, APR_OS_DEFAULT, pool) != APR_SUCCESS
        || apr_file_info_get(&info, APR_FINFO_SIZE, file) != APR_SUCCESS) {
        printf("Bail out! cannot read %s\n", path);
        exit(1);
    }
    bytes = apr_pcalloc(pool, (apr_size_t)info.size + 1);
    apr_file_read_full(file, bytes, (apr_size_t)info.size, &n);
    apr_file_close(file);
    return (ai_slice_t){ bytes, n };
}

static const ai_price_book_t *book_of(ai_slice_t text)
{
    apr_array_header_t *odd = apr_array_make(pool, 1, sizeof(const char *));
    const char *wrong = NULL;
    const ai_price_book_t *book = ai_price_read(pool, text, "test.json", NULL, odd, &wrong);

    if (!book || odd->nelts) {
        printf("# %s\n", book ? APR_ARRAY_IDX(odd, 0, const char *) : wrong);
    }
    return book;
}

/* The one entry whose members are given. */
static const ai_price_t *price_of(const char *members)
{
    return ai_price_at(book_of(ai_slice_of(apr_pstrcat(pool, "{\"m\":{", members, "}}", NULL))), 0);
}

/* --------------------------------------------------------------------- others' results */

static apr_int64_t number_of(const char *text)
{
    return apr_atoi64(text);
}

/* One line. 1 when the cost is the same, to the nano-dollar in which binary fractions differ. */
static int same_as_golden(const ai_price_book_t *book, char *line)
{
    ai_price_ask_t ask = { NULL, NULL, NULL, 0, NULL };
    ai_usage_t usage = AI_USAGE_UNKNOWN;
    apr_int64_t want, got;
    char *field[12], *last;
    int i;

    for (i = 0; i < 12; i++) {
        field[i] = apr_strtok(i ? NULL : line, "\t", &last);
        if (!field[i]) {
            printf("# a line of golden.tsv has %d fields\n", i);
            return 0;
        }
    }
    ask.model = field[0];
    usage.prompt = number_of(field[2]);
    usage.completion = number_of(field[3]);
    usage.cached = number_of(field[4]);
    usage.written = number_of(field[5]);
    usage.written_1h = number_of(field[6]);
    usage.reasoning = number_of(field[7]);
    usage.prompt_audio = number_of(field[8]);
    usage.completion_audio = number_of(field[9]);
    usage.service = ai_service_of(field[10]);
    if (ai_price_cost(ai_price_find(book, &ask), &usage, &got) != APR_SUCCESS
        || !ai_price_number(ai_slice_of(field[11]), 9, &want) || got < want - 1 || got > want + 1) {
        printf("# %s, %s tokens in, %s out, %s: %s USD, ours is %lld nano-dollars\n", field[0],
               field[2], field[3], field[10], field[11], (long long)got);
        return 0;
    }
    return 1;
}

static void test_golden(void)
{
    const ai_price_book_t *book = book_of(load("litellm.json"));
    char *last, *line = apr_strtok((char *)load("golden.tsv").p, "\n", &last);
    int n = 0, same = 0;

    for (; line; line = apr_strtok(NULL, "\n", &last), n++) {
        same += same_as_golden(book, line);
    }
    ok(n > 700 && same == n, "%d of %d calls cost what LiteLLM says", same, n);
}

/* Sums by hand, at rates as a vendor's page has them:
 * platform.claude.com/docs/about-claude/models/whats-new-opus-5, a million tokens: input 5 USD, output
 * 25, into the cache for five minutes 6.25, for an hour 10, out of it 0.50. */
static void test_published(void)
{
    ai_price_ask_t ask = { NULL, "anthropic", "claude-opus-5", 0, NULL };
    const ai_price_t *opus = ai_price_find(book_of(ai_price_builtin()), &ask);
    ai_usage_t usage = AI_USAGE_UNKNOWN;
    apr_int64_t cost;

    usage.prompt = 50000;
    usage.completion = 15000;
    ai_price_cost(opus, &usage, &cost);
    is_number(cost, 625000000, "50,000 in and 15,000 out of Opus 5 are 0.625 USD");
    usage.cached = 40000;
    ai_price_cost(opus, &usage, &cost);
    is_number(cost, 445000000, "with 40,000 of them cached 0.445 USD");
    usage.written = 10000;
    ai_price_cost(opus, &usage, &cost);
    is_number(cost, 457500000, "and the others put into the cache 0.4575 USD");
    usage.written_1h = 10000;
    ai_price_cost(opus, &usage, &cost);
    is_number(cost, 495000000, "for an hour 0.495 USD");
}

/* ----------------------------------------------------------------------------- sums */

static apr_int64_t cost_of(const ai_price_t *price, apr_int64_t prompt, apr_int64_t completion)
{
    ai_usage_t usage = AI_USAGE_UNKNOWN;
    apr_int64_t cost = -9;

    usage.prompt = prompt;
    usage.completion = completion;
    ai_price_cost(price, &usage, &cost);
    return cost;
}

/* Every rest of a division by a thousand, and the sum of two that are no whole nano-dollars. */
static void test_rounding(void)
{
    int pico, bad = 0, both = 0;

    for (pico = 0; pico <= 2001; pico++) {
        const ai_price_t *price = price_of(apr_psprintf(
            pool, "\"input_cost_per_token\":%de-12,\"output_cost_per_token\":%de-12", pico, pico));

        bad += cost_of(price, 1, 0) != (pico + 999) / 1000;
        bad += cost_of(price, 0, 1) != (pico + 999) / 1000;
        both += cost_of(price, 1, 1) != (2 * pico + 999) / 1000;
    }
    is_number(bad, 0, "each cost is rounded up to the next nano-dollar");
    is_number(both, 0, "a sum is rounded once, not each of its parts");
}

static void test_overflow(void)
{
    const ai_price_t *dear = price_of("\"input_cost_per_token\":1000,\"output_cost_per_token\":1000");
    apr_int64_t most = APR_INT64_MAX / AI_PRICE_RATE_MAX; /* tokens that just fit */
    ai_usage_t usage = AI_USAGE_UNKNOWN;
    apr_int64_t cost;

    is_number(cost_of(dear, most, 0), most * APR_INT64_C(1000000000000), "the dearest that fits");
    is_number(cost_of(dear, most + 1, 0), -1, "one token more does not");
    is_number(cost_of(dear, APR_INT64_C(1) << 49, 0), -1, "nor so many that 64 bits of it are 0");
    is_number(cost_of(dear, most / 2 + 1, most / 2 + 1), -1, "nor a sum of two that do");
    usage.prompt = usage.completion = APR_INT64_MAX;
    is_number(ai_price_cost(dear, &usage, &cost), APR_ERANGE, "the largest number is no cost");
    is_number(cost, -1, "which is -1 then");
    is_number(ai_price_most(dear, AI_SERVICES_ALL, &usage, &cost), APR_ERANGE, "and has no most");
    usage.searches = APR_INT64_MAX;
    usage.prompt = usage.completion = 1;
    dear = price_of("\"input_cost_per_token\":0,\"output_cost_per_token\":0,"
                    "\"search_context_cost_per_query\":{\"a\":0.01,\"b\":0.02}");
    is_number(ai_price_cost(dear, &usage, &cost), APR_ERANGE, "nor has a number of searches");
}

static void is_incomplete(const ai_price_t *price, const ai_usage_t *usage, const char *what)
{
    apr_int64_t cost = 5;

    is_number(ai_price_cost(price, usage, &cost), APR_INCOMPLETE, what);
    is_number(cost, -1, "and the cost is -1");
}

/* What is not known is not free. */
static void test_unknown(void)
{
    const ai_price_t *chat = price_of("\"input_cost_per_token\":1e-6,\"output_cost_per_token\":2e-6");
    const ai_price_t *half = price_of("\"input_cost_per_token\":1e-6");
    const ai_price_t *embed = price_of("\"input_cost_per_token\":1e-6,\"output_cost_per_token\":0");
    ai_usage_t usage = AI_USAGE_UNKNOWN;
    apr_int64_t cost = 5;

    is_number(ai_price_cost(NULL, &usage, &cost), APR_NOTFOUND, "no price");
    is_number(cost, -1, "no cost");
    is_number(ai_price_most(NULL, AI_SERVICES_ALL, &usage, &cost), APR_NOTFOUND, "and no most");
    is_incomplete(chat, &usage, "no usage, no cost");
    usage.prompt = 10;
    is_incomplete(chat, &usage, "half a usage, no cost");
    ok(ai_price_cost(embed, &usage, &cost) == APR_SUCCESS && cost == 10000,
       "where an answer costs nothing its length need not be told");
    usage.completion = 1;
    is_incomplete(half, &usage, "a price without one for the answer");
    usage.completion = 0;
    ok(ai_price_cost(half, &usage, &cost) == APR_SUCCESS && cost == 10000, "is one where none is");
    is_number(ai_price_most(half, AI_SERVICES_ALL, &usage, &cost), APR_SUCCESS, "and has a most");
    usage.prompt = -1;
    is_incomplete(chat, &usage, "the other half, no cost");
    is_number(ai_price_most(chat, AI_SERVICES_ALL, &usage, &cost), APR_INCOMPLETE,
              "no bound, no most");
}

/* Parts that do not fit into the whole are taken as it, and each token is charged once. */
static void test_parts(void)
{
    const ai_price_t *price = price_of(
        "\"input_cost_per_token\":10e-9,\"cache_read_input_token_cost\":1e-9,"
        "\"cache_creation_input_token_cost\":12e-9,\"cache_creation_input_token_cost_above_1hr\":20e-9,"
        "\"input_cost_per_audio_token\":100e-9,\"output_cost_per_token\":50e-9,"
        "\"output_cost_per_reasoning_token\":60e-9,\"output_cost_per_audio_token\":500e-9");
    ai_usage_t usage = AI_USAGE_UNKNOWN;
    apr_int64_t cost;

    usage.prompt = 100;
    usage.completion = 10;
    usage.cached = 30;
    ai_price_cost(price, &usage, &cost);
    is_number(cost, 70 * 10 + 30 * 1 + 10 * 50, "cached tokens are charged as such, and once");
    usage.written = 20;
    ai_price_cost(price, &usage, &cost);
    is_number(cost, 50 * 10 + 30 * 1 + 20 * 12 + 10 * 50, "written ones");
    usage.written_1h = 5;
    ai_price_cost(price, &usage, &cost);
    is_number(cost, 50 * 10 + 30 * 1 + 15 * 12 + 5 * 20 + 10 * 50, "those kept for an hour");
    usage.reasoning = 4;
    ai_price_cost(price, &usage, &cost);
    is_number(cost, 50 * 10 + 30 * 1 + 15 * 12 + 5 * 20 + 6 * 50 + 4 * 60, "reasoning");
    usage.prompt_audio = 7;
    usage.completion_audio = 2;
    ai_price_cost(price, &usage, &cost);
    is_number(cost, 43 * 10 + 7 * 100 + 30 * 1 + 15 * 12 + 5 * 20 + 4 * 50 + 4 * 60 + 2 * 500,
              "audio, in and out");
    usage = AI_USAGE_UNKNOWN;
    usage.prompt = 100;
    usage.completion = 10;
    usage.cached = 1000;
    usage.reasoning = 1000;
    ai_price_cost(price, &usage, &cost);
    is_number(cost, 100 * 1 + 10 * 60, "more parts than the whole has are the whole");
    usage.cached = usage.reasoning = -5;
    ai_price_cost(price, &usage, &cost);
    is_number(cost, 100 * 10 + 10 * 50, "what is not known is none");
}

/* The thresholds, from both sides; xAI's begin at them. */
static void test_thresholds(void)
{
    static const char members[] =
        "\"input_cost_per_token\":1e-9,\"input_cost_per_token_above_200k_tokens\":2e-9,"
        "\"output_cost_per_token\":10e-9,\"output_cost_per_token_above_200k_tokens\":15e-9,"
        "\"input_cost_per_token_above_1000_tokens_flex\":3e-9";
    const ai_price_t *price = price_of(members);
    const ai_price_t *xai =
        price_of(apr_pstrcat(pool, members, ",\"litellm_provider\":\"xai\"", NULL));
    ai_usage_t usage = AI_USAGE_UNKNOWN;
    apr_int64_t cost;

    is_number(cost_of(price, 200000, 1), 200000 + 10, "at the threshold: the lower rates");
    is_number(cost_of(price, 200001, 1), 2 * 200001 + 15, "above it: the higher ones, for all");
    is_number(cost_of(xai, 199999, 1), 199999 + 10, "xAI's: below it");
    is_number(cost_of(xai, 200000, 1), 2 * 200000 + 15, "and at it");
    usage.service = AI_SERVICE_FLEX;
    usage.prompt = 1001;
    usage.completion = 0;
    ai_price_cost(price, &usage, &cost);
    is_number(cost, 3 * 1001, "a threshold of another class of service is that one's");
    usage.service = AI_SERVICE_PRIORITY;
    ai_price_cost(price, &usage, &cost);
    is_number(cost, 1001, "a class that the entry does not have is the standard one");
    usage.service = AI_SERVICE_OTHER;
    ai_price_cost(price, &usage, &cost);
    is_number(cost, 3 * 1001, "a word that nobody knows is the dearest");
}

static void test_units(void)
{
    const ai_price_t *whisper = price_of("\"mode\":\"audio_transcription\","
                                         "\"input_cost_per_second\":0.0001,\"output_cost_per_second\":0.0001");
    const ai_price_t *both = price_of("\"mode\":\"audio_transcription\",\"input_cost_per_token\":1e-6,"
                                      "\"output_cost_per_token\":1e-6,\"input_cost_per_second\":0.0001");
    const ai_price_t *asked = price_of("\"mode\":\"chat\",\"input_cost_per_token\":1e-6,"
                                       "\"output_cost_per_token\":1e-6,\"input_cost_per_request\":0.005,"
                                       "\"output_cost_per_image\":9");
    ai_usage_t usage = AI_USAGE_UNKNOWN;
    apr_int64_t cost;

    is_incomplete(whisper, &usage, "a price by the second, of nobody knows how many");
    usage.seconds = 7;
    ai_price_cost(whisper, &usage, &cost);
    is_number(cost, 700000, "seven seconds, once");
    ai_price_cost(both, &usage, &cost);
    is_number(cost, 700000, "by the second where no tokens are told");
    usage.prompt = usage.completion = 1;
    ai_price_cost(both, &usage, &cost);
    is_number(cost, 2000, "by the token where they are");
    ai_price_most(both, AI_SERVICES_ALL, &usage, &cost);
    is_number(cost, 700000, "the most of both is the dearer");
    usage.seconds = -1;
    is_number(ai_price_most(both, AI_SERVICES_ALL, &usage, &cost), APR_INCOMPLETE,
              "which nobody knows without the seconds");
    ai_price_cost(asked, &usage, &cost);
    is_number(cost, 5002000, "a request costs beside its tokens; a chat no pictures");
}

/* ------------------------------------------------------------------------- properties */

/* A sequence that is the same at each run. */
static apr_uint64_t dice_state = 88172645463325252u;

static apr_int64_t dice(apr_int64_t below)
{
    dice_state ^= dice_state << 13;
    dice_state ^= dice_state >> 7;
    dice_state ^= dice_state << 17;
    return (apr_int64_t)(dice_state % (apr_uint64_t)below);
}

static apr_int64_t some(void)
{
    static const apr_int64_t sizes[] = { 1, 2, 10, 1000, 130000, 300000, 2000000 };

    return dice(sizes[dice(7)]);
}

static ai_usage_t some_usage(void)
{
    ai_usage_t usage = AI_USAGE_UNKNOWN;

    usage.prompt = some();
    usage.completion = some();
    usage.cached = dice(3) ? dice(usage.prompt + 1) : -1;
    usage.written = dice(3) ? dice(usage.prompt + 1) : -1;
    usage.written_1h = dice(3) ? dice(usage.prompt + 1) : -1;
    usage.reasoning = dice(3) ? dice(usage.completion + 1) : -1;
    usage.prompt_audio = dice(4) ? -1 : dice(usage.prompt + 1);
    usage.prompt_image = dice(4) ? -1 : dice(usage.prompt + 1);
    usage.completion_audio = dice(4) ? -1 : dice(usage.completion + 1);
    usage.completion_image = dice(4) ? -1 : dice(usage.completion + 1);
    usage.searches = dice(3) - 1;
    usage.seconds = dice(100);
    usage.images = dice(5);
    usage.characters = dice(1000);
    usage.service = (ai_service_e)dice(AI_SERVICES_N + 1);
    return usage;
}

/* 1 when no rate of the entry falls where a prompt becomes longer. */
static int only_rises(const ai_price_t *price)
{
    int i, k;

    for (i = 1; i < price->n; i++) {
        const ai_price_line_t *line = &price->lines[i];

        for (k = 0; k < AI_RATES_N && line->service == line[-1].service; k++) {
            if (line->rate[k] < line[-1].rate[k]) {
                return 0;
            }
        }
    }
    return 1;
}

/* 1 when cached tokens are nowhere dearer than others, as the entry has it. */
static int cached_is_cheap(const ai_price_t *price)
{
    int i;

    for (i = 0; i < price->n; i++) {
        if (price->lines[i].rate[AI_RATE_CACHED] > price->lines[i].rate[AI_RATE_PROMPT]) {
            return 0;
        }
    }
    return 1;
}

/* bad[0]: more tokens cost less; bad[1]: cached ones cost more; bad[2]: more than the most */
static void check_properties(const ai_price_t *price, int *bad, int *done_n)
{
    ai_usage_t usage = some_usage(), more = usage, uncached = usage, bound = usage;
    apr_int64_t cost, other;
    apr_status_t rv = ai_price_cost(price, &usage, &cost);

    more.prompt += dice(1000);
    more.completion += dice(1000);
    if (rv == APR_SUCCESS && only_rises(price)) { /* there may be no rate for what is more */
        rv = ai_price_cost(price, &more, &other);
        bad[0] += rv == APR_SUCCESS ? other < cost : rv != APR_INCOMPLETE;
        rv = APR_SUCCESS;
    }
    uncached.cached = -1;
    if (rv == APR_SUCCESS && cached_is_cheap(price)) {
        bad[1] += ai_price_cost(price, &uncached, &other) != APR_SUCCESS || other < cost;
    }
    bound.prompt += dice(3) * some();
    bound.completion += dice(3) * some();
    bound.cached = bound.written = bound.reasoning = -1;
    if (rv == APR_SUCCESS && ai_price_most(price, AI_SERVICES_ALL, &bound, &other) == APR_SUCCESS) {
        bad[2] += other < cost;
        ++*done_n;
    }
    if (usage.service < AI_SERVICES_N && rv == APR_SUCCESS
        && ai_price_most(price, AI_SERVICES(usage.service), &bound, &other) == APR_SUCCESS) {
        bad[2] += other < cost;
    }
}

static void test_properties(const ai_price_book_t *book, const char *name)
{
    int i, k, n = 0, bad[3] = { 0, 0, 0 };

    for (i = 0; i < ai_price_count(book); i++) {
        for (k = 0; k < 300; k++) {
            check_properties(ai_price_at(book, i), bad, &n);
        }
    }
    ok(n > 1000, "%s: %d calls were tried", name, n);
    is_number(bad[0], 0, "more tokens never cost less");
    is_number(bad[1], 0, "cached tokens never cost more than others");
    is_number(bad[2], 0, "no call costs more than the most");
}

/* The most is one that can be: of the dearest tokens alone. */
static void test_most_is_reached(void)
{
    const ai_price_t *price = price_of(
        "\"input_cost_per_token\":1e-9,\"cache_creation_input_token_cost_above_1hr\":2e-9,"
        "\"output_cost_per_token\":10e-9,\"input_cost_per_token_priority\":4e-9,"
        "\"input_cost_per_token_above_200k_tokens\":8e-9");
    ai_usage_t bound = AI_USAGE_UNKNOWN;
    apr_int64_t most;

    bound.prompt = 1000;
    bound.completion = 100;
    ai_price_most(price, AI_SERVICES(AI_SERVICE_STANDARD), &bound, &most);
    is_number(most, 2000 + 1000, "all of the prompt goes into the cache for an hour");
    ai_price_most(price, AI_SERVICES(AI_SERVICE_FLEX), &bound, &most);
    is_number(most, 2000 + 1000, "a class without rates has the standard one's");
    ai_price_most(price, AI_SERVICES_ALL, &bound, &most);
    is_number(most, 4000 + 1000, "in any class: the dearest");
    bound.prompt = 200000;
    ai_price_most(price, AI_SERVICES(AI_SERVICE_STANDARD), &bound, &most);
    is_number(most, 400000 + 1000, "a threshold that is not passed");
    bound.prompt = 200001;
    ai_price_most(price, AI_SERVICES(AI_SERVICE_STANDARD), &bound, &most);
    is_number(most, 8 * 200001 + 1000, "and one that is");
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    test_golden();
    test_published();
    test_rounding();
    test_overflow();
    test_unknown();
    test_parts();
    test_thresholds();
    test_units();
    test_properties(book_of(load("litellm.json")), "LiteLLM's entries");
    test_properties(book_of(ai_price_builtin()), "what is built in");
    test_most_is_reached();
    return done();
}
