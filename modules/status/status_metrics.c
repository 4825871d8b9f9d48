/* SPDX-License-Identifier: Apache-2.0 */
/*
 * status_metrics.c - what is measured of requests and attempts?
 *
 * Names and buckets that begin with gen_ai are those of OpenTelemetry's conventions for generative AI,
 * as Prometheus writes them. To its callers the gateway is a server, to a target it is a client.
 *
 * A model's name is a caller's word. It is a label only where the site's AIRoute has it in full, or
 * a target has answered to it: else anybody could write what he likes into the site's metrics.
 *
 * Lives in: the request.  Shared state: the memory, by atomics.  May block: no.
 */

#include <apr_strings.h>
#include <httpd.h>
#include <http_config.h>
#include <http_core.h>

#include "ai_metrics.h"
#include "ai_segment.h"
#include "ai_version.h"
#include "status_metrics.h"

extern AI_EXPORT module ai_status_module;

/* Set in post_config; memory is NULL where there is none. */
static const ai_api_t *ai;
static ai_metrics_t *memory;
static status_table_t *under_way;

/* What is remembered of a request until it is over. */
typedef struct call_t {
    const ai_target_t *target; /* of the last attempt */
    apr_time_t settled;
} call_t;

/* ------------------------------------------------------------------------------ the rows */

/* In microseconds, and in tokens: as OpenTelemetry has them. */
static const apr_int64_t operation_us[] = { 10000, 20000, 40000, 80000, 160000, 320000, 640000,
                                            1280000, 2560000, 5120000, 10240000, 20480000,
                                            40960000, 81920000, 0 };
static const apr_int64_t first_us[] = { 1000, 5000, 10000, 20000, 40000, 60000, 80000, 100000,
                                        250000, 500000, 750000, 1000000, 2500000, 5000000, 7500000,
                                        10000000, 0 };
static const apr_int64_t token_us[] = { 10000, 25000, 50000, 75000, 100000, 150000, 200000, 300000,
                                        400000, 500000, 750000, 1000000, 2500000, 0 };
static const apr_int64_t usage[] = { 1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576,
                                     4194304, 16777216, 67108864, 0 };
/* Of our own. */
static const apr_int64_t overhead_us[] = { 50, 100, 200, 300, 500, 750, 1000, 2000, 5000, 10000,
                                           25000, 50000, 100000, 250000, 1000000, 0 };
static const apr_int64_t estimate[] = { 250, 500, 750, 900, 1000, 1100, 1250, 1500, 2000, 3000, 5000,
                                        10000, 30000, 100000, 1000000, 0 };

typedef enum row_e {
    BUILD,
    REQUESTS,
    REFUSALS,
    ATTEMPTS,
    TOKENS,
    COST,
    CACHE,
    LIMITED,
    GUARD,
    SERVER_DURATION,
    FIRST_TOKEN,
    PER_TOKEN,
    CLIENT_DURATION,
    USAGE,
    ESTIMATE,
    OVERHEAD,
    IN_FLIGHT,
    TARGET_IN_FLIGHT,
    SERIES,
    OTHER,
    LOST,
    ROWS_N
} row_e;

/* Of the five that most gen_ai metrics have in common, three are open. */
#define MODEL_LABELS                                                                               \
    "gen_ai_operation_name", "gen_ai_provider_name", "gen_ai_request_model",                       \
        "gen_ai_response_model", "target"
#define MODEL_OPEN 0x1c

/* clang-format off */
static ai_metric_t rows[ROWS_N] = {
    [BUILD] = { .name = "ai_build_info", .kind = AI_METRIC_GAUGE,
        .help = "1, for the version of mod_ai that is loaded", .labels = { "version" } },
    [REQUESTS] = { .name = "ai_requests_total", .kind = AI_METRIC_COUNTER,
        .help = "Requests on AI locations that are over",
        .labels = { "endpoint", "dialect", "gen_ai_request_model", "target", "status", "outcome" },
        .open = 0x0c },
    [REFUSALS] = { .name = "ai_refusals_total", .kind = AI_METRIC_COUNTER,
        .help = "Requests that were refused before any target was asked",
        .labels = { "endpoint", "reason" }, .open = 2 },
    [ATTEMPTS] = { .name = "ai_attempts_total", .kind = AI_METRIC_COUNTER,
        .help = "Attempts at targets; error_type says why one failed",
        .labels = { "target", "gen_ai_request_model", "gen_ai_response_model", "status",
                    "error_type" },
        .open = 0x17 },
    [TOKENS] = { .name = "ai_tokens_total", .kind = AI_METRIC_COUNTER,
        .help = "Tokens; cached ones are among those of the input, reasoning among the output",
        .labels = { "gen_ai_token_type", "source", "gen_ai_request_model", "gen_ai_response_model",
                    "target" },
        .open = 0x1c },
    [COST] = { .name = "ai_cost_usd_total", .kind = AI_METRIC_COUNTER, .unit = AI_METRIC_USD,
        .help = "What requests have cost, by the price book",
        .labels = { "gen_ai_request_model", "gen_ai_response_model", "target" }, .open = 7 },
    [CACHE] = { .name = "ai_cache_requests_total", .kind = AI_METRIC_COUNTER,
        .help = "Requests by what the gateway's cache said", .labels = { "result" }, .open = 1 },
    [LIMITED] = { .name = "ai_limited_requests_total", .kind = AI_METRIC_COUNTER,
        .help = "Requests that met a limit", .labels = { "limit" }, .open = 1 },
    [GUARD] = { .name = "ai_guard_requests_total", .kind = AI_METRIC_COUNTER,
        .help = "Requests by what a guard said", .labels = { "verdict" }, .open = 1 },
    [SERVER_DURATION] = { .name = "gen_ai_server_request_duration_seconds",
        .kind = AI_METRIC_HISTOGRAM, .unit = AI_METRIC_SECONDS, .bounds = operation_us,
        .help = "From a request's arrival to the end of its answer, where a target was asked",
        .labels = { MODEL_LABELS, "error_type" }, .open = MODEL_OPEN | 0x20 },
    [FIRST_TOKEN] = { .name = "gen_ai_server_time_to_first_token_seconds",
        .kind = AI_METRIC_HISTOGRAM, .unit = AI_METRIC_SECONDS, .bounds = first_us,
        .help = "From a request's arrival to the first content of a good answer",
        .labels = { MODEL_LABELS }, .open = MODEL_OPEN },
    [PER_TOKEN] = { .name = "gen_ai_server_time_per_output_token_seconds",
        .kind = AI_METRIC_HISTOGRAM, .unit = AI_METRIC_SECONDS, .bounds = token_us,
        .help = "Time for each token of a stream after its first",
        .labels = { MODEL_LABELS }, .open = MODEL_OPEN },
    [CLIENT_DURATION] = { .name = "gen_ai_client_operation_duration_seconds",
        .kind = AI_METRIC_HISTOGRAM, .unit = AI_METRIC_SECONDS, .bounds = operation_us,
        .help = "How long attempts at targets took",
        .labels = { MODEL_LABELS, "error_type" }, .open = MODEL_OPEN | 0x20 },
    [USAGE] = { .name = "gen_ai_client_token_usage", .kind = AI_METRIC_HISTOGRAM, .bounds = usage,
        .help = "Tokens of a request, input and output",
        .labels = { MODEL_LABELS, "gen_ai_token_type" }, .open = MODEL_OPEN },
    [ESTIMATE] = { .name = "ai_estimate_ratio", .kind = AI_METRIC_HISTOGRAM,
        .unit = AI_METRIC_RATIO, .bounds = estimate,
        .help = "The most tokens that a call was thought to take, against those that it took",
        .labels = { "gen_ai_token_type", "gen_ai_request_model" }, .open = 2 },
    [OVERHEAD] = { .name = "ai_overhead_seconds", .kind = AI_METRIC_HISTOGRAM,
        .unit = AI_METRIC_SECONDS, .bounds = overhead_us,
        .help = "Time that requests spent in the gateway itself", .labels = { "endpoint" } },
    [IN_FLIGHT] = { .name = "ai_requests_in_flight", .kind = AI_METRIC_GAUGE,
        .help = "Requests under way, on all children" },
    [TARGET_IN_FLIGHT] = { .name = "ai_attempts_in_flight", .kind = AI_METRIC_GAUGE,
        .help = "Attempts under way, on all children", .labels = { "target" }, .open = 1 },
    [SERIES] = { .name = "ai_metrics_series", .kind = AI_METRIC_GAUGE,
        .help = "Series that are kept in shared memory" },
    [OTHER] = { .name = "ai_metrics_other_total", .kind = AI_METRIC_COUNTER,
        .help = "How often a series was one too many, and the label other was counted" },
    [LOST] = { .name = "ai_metrics_lost_total", .kind = AI_METRIC_COUNTER,
        .help = "How often there was no room even for that, so that nothing was counted" },
};
/* clang-format on */

/* ---------------------------------------------------------------------------- the labels */

static const char *or_none(const char *value)
{
    return value ? value : "";
}

static const char *operation_of(const ai_request_t *air)
{
    switch (air->endpoint) {
    case AI_ENDPOINT_RESPONSES:
        return "chat";
    case AI_ENDPOINT_COMPLETIONS:
        return "text_completion";
    default:
        return ai_endpoint_name(air->endpoint);
    }
}

static const char *status_of(int status)
{
    static const char *const classes[] = { "", "1xx", "2xx", "3xx", "4xx", "5xx" };

    return classes[status >= 100 && status < 600 ? status / 100 : 0];
}

/* A word that may be a provider's: what is none is "other". */
static const char *word_of(const char *text)
{
    apr_size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.");

    return n > 0 && n <= 48 && !text[n] ? text : AI_METRICS_OTHER;
}

static const char *asked_model(const ai_request_t *air)
{
    const char *model = air->ask.model, *route = ai->note_get(air, AI_NOTE_ROUTE);

    if (!model) {
        return "";
    }
    return (route && strcmp(route, model) == 0) || ai_metrics_is_known(memory, model)
               ? model : AI_METRICS_OTHER;
}

/* The name that went to the target: the site's word, unless it is the caller's. */
static const char *sent_model(const ai_request_t *air, const char *sent, const char *asked)
{
    return !sent || (air->ask.model && strcmp(sent, air->ask.model) == 0) ? asked : sent;
}

/* The first five values of what has MODEL_LABELS. */
static void set_models(const char *values[AI_METRIC_LABELS], const ai_request_t *air,
                       const ai_target_t *target, const char *sent)
{
    values[0] = operation_of(air);
    values[1] = target->dialect->name;
    values[2] = asked_model(air);
    values[3] = sent_model(air, sent, values[2]);
    values[4] = target->name;
    values[5] = "";
}

static call_t *call_of(const ai_request_t *air)
{
    call_t *call = ap_get_module_config(air->r->request_config, &ai_status_module);

    if (!call) {
        call = apr_pcalloc(air->r->pool, sizeof(*call));
        ap_set_module_config(air->r->request_config, &ai_status_module, call);
    }
    return call;
}

/* -------------------------------------------------------------------------- the attempts */

/* The status, where that is what was wrong; "": it was well. */
static const char *error_of(const ai_request_t *air, const ai_attempt_t *attempt)
{
    if (attempt->outcome == AI_OUTCOME_GONE || air->finish == AI_FINISH_CLIENT_ABORT) {
        return "client-abort";
    }
    if (attempt->status >= 400) {
        return apr_itoa(air->r->pool, attempt->status);
    }
    if (attempt->outcome == AI_OUTCOME_FAILED || air->finish == AI_FINISH_ERROR) {
        return attempt->reason ? attempt->reason : "broken";
    }
    return "";
}

void status_metrics_attempt(const ai_request_t *air, const ai_attempt_t *attempt)
{
    const char *values[AI_METRIC_LABELS], *error;

    if (!memory) {
        return;
    }
    error = error_of(air, attempt);
    call_of(air)->target = attempt->target;
    if (!*error && air->ask.model) {
        ai_metrics_know(memory, air->ask.model);
    }
    set_models(values, air, attempt->target, attempt->model);
    values[5] = error;
    ai_metrics_measure(memory, &rows[CLIENT_DURATION], values, attempt->took_us);
    ai_metrics_measure(memory, &rows[ATTEMPTS],
                       (const char *[]){ values[4], values[2], values[3],
                                         status_of(attempt->status), values[5] }, 1);
}

/* -------------------------------------------------------------------------- the requests */

void status_metrics_settled(const ai_request_t *air)
{
    if (memory) {
        call_of(air)->settled = apr_time_now();
    }
}

/* A note that is a number; -1 when it is not there. */
static apr_int64_t number_of(const ai_request_t *air, ai_note_e note)
{
    const char *text = ai->note_get(air, note);

    return text ? apr_atoi64(text) : -1;
}

static void count_tokens(const ai_request_t *air, const char *const *models)
{
    const char *source = or_none(ai->note_get(air, AI_NOTE_TOKENS_SOURCE));
    const struct {
        const char *type;
        apr_int64_t n;
    } tokens[] = {
        { "input", number_of(air, AI_NOTE_TOKENS_PROMPT) },
        { "output", number_of(air, AI_NOTE_TOKENS_COMPLETION) },
        { "cached", number_of(air, AI_NOTE_TOKENS_CACHED) },
        { "reasoning", number_of(air, AI_NOTE_TOKENS_REASONING) },
        { "written", air->usage.written },
    };
    apr_size_t i;

    for (i = 0; i < sizeof(tokens) / sizeof(tokens[0]); i++) {
        if (tokens[i].n > 0) {
            ai_metrics_measure(memory, &rows[TOKENS],
                               (const char *[]){ tokens[i].type, source, models[2], models[3],
                                                 models[4] }, tokens[i].n);
        }
        if (i < 2 && tokens[i].n >= 0) {
            ai_metrics_measure(memory, &rows[USAGE],
                               (const char *[]){ models[0], models[1], models[2], models[3],
                                                 models[4], tokens[i].type }, tokens[i].n);
        }
    }
}

/* In thousandths; the provider's own count is what is true. */
static void count_estimates(const ai_request_t *air, const char *model)
{
    const struct {
        const char *type;
        apr_int64_t most;
        apr_int64_t n;
    } sides[] = {
        { "input", air->reserved.prompt, air->usage.prompt },
        { "output", air->reserved.completion, air->usage.completion },
    };
    apr_size_t i;

    for (i = 0; i < sizeof(sides) / sizeof(sides[0]); i++) {
        if (sides[i].most >= 0 && sides[i].n > 0 && sides[i].most < APR_INT64_MAX / 1000) {
            ai_metrics_measure(memory, &rows[ESTIMATE], (const char *[]){ sides[i].type, model },
                               sides[i].most * 1000 / sides[i].n);
        }
    }
}

static void count_times(const ai_request_t *air, const call_t *call, const char **models,
                        const char *error)
{
    apr_int64_t first = number_of(air, AI_NOTE_TIME_FIRST_US), tokens = air->usage.completion;
    apr_int64_t total = call->settled - air->r->request_time;

    models[5] = error;
    ai_metrics_measure(memory, &rows[SERVER_DURATION], models, total);
    if (first < 0 || *error) {
        return;
    }
    ai_metrics_measure(memory, &rows[FIRST_TOKEN], models, first);
    if (air->ask.stream && tokens > 1) {
        ai_metrics_measure(memory, &rows[PER_TOKEN], models, (total - first) / (tokens - 1));
    }
}

static const char *error_of_request(const ai_request_t *air, const char *outcome)
{
    const char *deny = ai->note_get(air, AI_NOTE_DENY);

    if (strcmp(outcome, "answer") == 0) {
        return "";
    }
    return deny ? word_of(deny) : air->r->status >= 400 ? apr_itoa(air->r->pool, air->r->status)
                                                        : outcome;
}

/* A request that was sent to a target. */
static void count_call(const ai_request_t *air, const call_t *call, const char *outcome)
{
    const char *models[AI_METRIC_LABELS];
    apr_int64_t cost = number_of(air, AI_NOTE_COST_NANOUSD);

    set_models(models, air, call->target, ai->note_get(air, AI_NOTE_MODEL_SERVED));
    count_times(air, call, models, error_of_request(air, outcome));
    count_tokens(air, models);
    count_estimates(air, models[2]);
    if (cost >= 0) {
        ai_metrics_measure(memory, &rows[COST], (const char *[]){ models[2], models[3], models[4] },
                           cost);
    }
}

/* Counts a request by a note's word, where the note is there. */
static void count_word(const ai_request_t *air, row_e row, const char *note)
{
    const char *word = apr_table_get(air->r->notes, note);

    if (word) {
        word = word_of(word);
        ai_metrics_measure(memory, &rows[row], &word, 1);
    }
}

void status_metrics_request(const ai_request_t *air, const char *outcome, const char *reason)
{
    const char *endpoint = ai_endpoint_name(air->endpoint);
    const call_t *call;
    apr_int64_t overhead;

    if (!memory) {
        return;
    }
    call = call_of(air);
    ai_metrics_measure(memory, &rows[REQUESTS],
                       (const char *[]){ endpoint, air->dialect->name, asked_model(air),
                                         call->target ? call->target->name : "",
                                         status_of(air->r->status), outcome }, 1);
    if (reason) {
        ai_metrics_measure(memory, &rows[REFUSALS],
                           (const char *[]){ endpoint, word_of(reason) }, 1);
    }
    if (call->target) {
        count_call(air, call, outcome);
    }
    overhead = number_of(air, AI_NOTE_OVERHEAD_US);
    if (overhead >= 0) {
        ai_metrics_measure(memory, &rows[OVERHEAD], &endpoint, overhead);
    }
    count_word(air, CACHE, "ai-cache");
    count_word(air, LIMITED, "ai-limit");
    count_word(air, GUARD, "ai-guard");
}

/* ------------------------------------------------------------------------------- showing */

static void show_under_way(ai_scrape_t *scrape)
{
    int i;

    scrape->family(scrape, &rows[IN_FLIGHT]);
    if (under_way) {
        scrape->sample(scrape, NULL, status_table_in_flight(under_way, STATUS_SERVER));
    }
    scrape->family(scrape, &rows[TARGET_IN_FLIGHT]);
    for (i = 1; under_way && i < STATUS_LINES_N; i++) {
        const char *name = i == STATUS_OTHER ? AI_METRICS_OTHER : status_table_name(under_way, i);

        if (name && status_table_name(under_way, i)) {
            scrape->sample(scrape, &name, status_table_in_flight(under_way, i));
        }
    }
}

static void show_number(ai_scrape_t *scrape, row_e row, apr_uint64_t n)
{
    scrape->family(scrape, &rows[row]);
    scrape->sample(scrape, NULL, (apr_int64_t)n);
}

static int on_metrics(ai_scrape_t *scrape)
{
    static const char *const version = AI_VERSION;
    ai_metrics_state_t state = { 0, 0, 0 };
    int i;

    show_under_way(scrape); /* first: what it does not count any more is in the numbers below */
    for (i = BUILD + 1; i < IN_FLIGHT; i++) {
        scrape->family(scrape, &rows[i]);
    }
    if (memory) {
        ai_metrics_state(memory, &state);
    }
    show_number(scrape, SERIES, state.series);
    show_number(scrape, OTHER, state.other);
    show_number(scrape, LOST, state.lost);
    scrape->family(scrape, &rows[BUILD]);
    scrape->sample(scrape, &version, 1);
    return OK;
}

/* ---------------------------------------------------------------------------- the memory */

/* The optional function: it has the name by which it is found. */
static void ai_measure(ai_metric_t *metric, const char *const *values, apr_int64_t n)
{
    if (memory) {
        ai_metrics_measure(memory, metric, values, n);
    }
}

ai_metrics_t *status_metrics_memory(void)
{
    return memory;
}

void status_metrics_prepare(server_rec *s, const ai_api_t *api, status_table_t *children)
{
    void *at = ai_segment_get(s, "metrics", ai_metrics_size(), AI_METRICS_LAYOUT);
    apr_uint64_t seed = 0;

    ap_random_insecure_bytes(&seed, sizeof(seed));
    ai = api;
    under_way = children;
    memory = at ? ai_metrics_prepare(at, seed) : NULL;
}

void status_metrics_register(void)
{
    APR_REGISTER_OPTIONAL_FN(ai_measure);
    AI_STAGE(metrics, on_metrics);
}
