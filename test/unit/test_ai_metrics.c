/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_ai_metrics.c - are the numbers of many processes exact, is it bounded how many there are, and
 * what becomes of what a dying process leaves half done?
 */
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <apr_general.h>
#include <apr_strings.h>
#include <apr_thread_proc.h>

/* The files themselves, to look at what lies in the memory. */
#include "ai_metrics.c"
#include "ai_metrics_text.c"

#include "tap.h"

static const apr_int64_t bounds[] = { 1000, 500000, 2000000, 0 };
static ai_metric_t counter = { .name = "t_calls_total", .kind = AI_METRIC_COUNTER,
                               .help = "Calls", .labels = { "model", "status" }, .open = 1 };
static ai_metric_t gauge = { .name = "t_depth_bytes", .kind = AI_METRIC_GAUGE,
                             .unit = AI_METRIC_BYTES, .help = "Depth" };
static ai_metric_t times = { .name = "t_time_seconds", .kind = AI_METRIC_HISTOGRAM,
                             .unit = AI_METRIC_SECONDS, .help = "Times", .labels = { "target" },
                             .open = 1, .bounds = bounds };
static ai_metric_t money = { .name = "t_cost_usd_total", .kind = AI_METRIC_COUNTER,
                             .unit = AI_METRIC_USD, .help = "Cost", .labels = { "model" },
                             .open = 1 };

static apr_pool_t *pool;

static ai_metrics_t *make(void)
{
    void *memory = mmap(NULL, ai_metrics_size(), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED) {
        exit(1);
    }
    return ai_metrics_prepare(memory, 42);
}

static void drop(ai_metrics_t *metrics)
{
    munmap(metrics, ai_metrics_size());
}

static void call(ai_metrics_t *metrics, const char *model, const char *status, apr_int64_t n)
{
    const char *values[] = { model, status };

    ai_metrics_measure(metrics, &counter, values, n);
}

/* The number of the one series with that first value; -1: none, -2: more than one. */
static apr_int64_t number(ai_metrics_t *metrics, ai_metric_t *metric, const char *value, int cell)
{
    apr_int64_t n = -1;
    apr_uint32_t at = 0;
    ai_series_t series;

    while (ai_metrics_next(metrics, metric, &at, &series)) {
        if (!metric->labels[0] || strcmp(series.values[0], value) == 0) {
            n = n == -1 ? (apr_int64_t)series.cells[cell] : -2;
        }
    }
    return n;
}

/* All series of a metric together, and how many there are. */
static apr_uint64_t sum_of(ai_metrics_t *metrics, ai_metric_t *metric, int *n)
{
    apr_uint64_t sum = 0;
    apr_uint32_t at = 0;
    ai_series_t series;

    for (*n = 0; ai_metrics_next(metrics, metric, &at, &series); ++*n) {
        sum += series.cells[0];
    }
    return sum;
}

/* ------------------------------------------------------------------------------ the text */

static char text[1 << 16];
static apr_size_t text_n;

static void collect(void *baton, const char *bytes, apr_size_t n)
{
    (void)baton;
    if (text_n + n < sizeof(text)) {
        memcpy(text + text_n, bytes, n);
        text_n += n;
    }
}

static void is_text(ai_metrics_t *metrics, ai_metric_t *metric, int open, const char *want,
                    const char *what)
{
    ai_metrics_text_t to = { collect, NULL, open };
    apr_uint32_t at = 0;
    ai_series_t series;

    text_n = 0;
    ai_metrics_text_family(&to, metric);
    while (ai_metrics_next(metrics, metric, &at, &series)) {
        ai_metrics_text_series(&to, metric, series.values, series.cells);
    }
    is_bytes(text, text_n, want, strlen(want), what);
}

static void test_text(void)
{
    static const char *const near[] = { "near" };
    ai_metrics_t *metrics = make();
    const char *const none[] = { NULL };

    is_text(metrics, &counter, 0, "# HELP t_calls_total Calls\n# TYPE t_calls_total counter\n",
            "a metric of which nothing was measured");
    call(metrics, "m", "2xx", 3);
    call(metrics, "m", "2xx", -7);
    is_text(metrics, &counter, 0, "# HELP t_calls_total Calls\n# TYPE t_calls_total counter\n"
            "t_calls_total{model=\"m\",status=\"2xx\"} 3\n", "a counter, which never falls");
    is_text(metrics, &counter, 1, "# HELP t_calls Calls\n# TYPE t_calls counter\n"
            "t_calls_total{model=\"m\",status=\"2xx\"} 3\n", "in OpenMetrics");
    ai_metrics_measure(metrics, &gauge, NULL, 17);
    ai_metrics_measure(metrics, &gauge, NULL, -2);
    is_text(metrics, &gauge, 1, "# HELP t_depth_bytes Depth\n# TYPE t_depth_bytes gauge\n"
            "# UNIT t_depth_bytes bytes\nt_depth_bytes -2\n", "a gauge, which has the last number");
    ai_metrics_measure(metrics, &times, near, 1000);
    ai_metrics_measure(metrics, &times, near, 1001);
    ai_metrics_measure(metrics, &times, near, 2500000);
    ai_metrics_measure(metrics, &times, near, -1);
    is_text(metrics, &times, 0, "# HELP t_time_seconds Times\n# TYPE t_time_seconds histogram\n"
            "t_time_seconds_bucket{target=\"near\",le=\"0.001\"} 2\n"
            "t_time_seconds_bucket{target=\"near\",le=\"0.5\"} 3\n"
            "t_time_seconds_bucket{target=\"near\",le=\"2.0\"} 3\n"
            "t_time_seconds_bucket{target=\"near\",le=\"+Inf\"} 4\n"
            "t_time_seconds_sum{target=\"near\"} 2.502001\n"
            "t_time_seconds_count{target=\"near\"} 4\n", "a histogram: each bucket with those below");
    ai_metrics_measure(metrics, &money, none, 1);
    ai_metrics_measure(metrics, &money, none, 2000000000);
    is_text(metrics, &money, 0, "# HELP t_cost_usd_total Cost\n# TYPE t_cost_usd_total counter\n"
            "t_cost_usd_total 2.000000001\n", "money to the last digit; no value is no label");
    drop(metrics);
}

static void test_escapes(void)
{
    static const struct {
        const char *value;
        const char *want;
    } rows[] = {
        { "a\"b", "a\\\"b" }, { "a\\", "a\\\\" }, { "a\nb", "a\xef\xbf\xbd" "b" },
        { "\"} 1\nevil 2", "\\\"} 1\xef\xbf\xbd" "evil 2" }, { "\x80x", "\xef\xbf\xbdx" },
        { "t\xc3\xa4", "t\xc3\xa4" }, { "t\xc3", "t\xef\xbf\xbd" }, { "\x7f", "\xef\xbf\xbd" },
        { "{}=,", "{}=," },
    };
    apr_size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ai_metrics_t *metrics = make();

        call(metrics, rows[i].value, NULL, 1);
        is_text(metrics, &counter, 0,
                apr_psprintf(pool, "# HELP t_calls_total Calls\n# TYPE t_calls_total counter\n"
                                   "t_calls_total{model=\"%s\"} 1\n", rows[i].want),
                apr_psprintf(pool, "value %d cannot leave its quotes", (int)i));
        drop(metrics);
    }
}

/* ---------------------------------------------------------------------------- the bounds */

static void test_bounds(void)
{
    ai_metrics_t *metrics = make();
    ai_metrics_state_t state;
    char name[AI_METRICS_VALUE + 2];
    int i, n;

    memset(name, 'n', sizeof(name));
    name[AI_METRICS_VALUE + 1] = '\0';
    call(metrics, name, "2xx", 1);
    is_number(number(metrics, &counter, "other", 0), 1, "a value that is too long is other");
    name[AI_METRICS_VALUE] = '\0';
    call(metrics, name, "2xx", 1);
    is_number(number(metrics, &counter, name, 0), 1, "the longest is kept whole");
    for (i = 0; i < 2 * AI_METRICS_EACH; i++) {
        call(metrics, apr_psprintf(pool, "model-%d", i), i % 2 ? "2xx" : "5xx", 1);
    }
    is_number((apr_int64_t)sum_of(metrics, &counter, &n), 2 * AI_METRICS_EACH + 2,
              "nothing is lost where there are too many");
    is_number(n, AI_METRICS_EACH + 1, "but they fall into other, by their closed labels");
    is_number(number(metrics, &counter, "model-7", 0), 1, "who came in time has a series of its own");
    is_number(number(metrics, &counter, apr_psprintf(pool, "model-%d", 2 * AI_METRICS_EACH - 1), 0),
              -1, "who came late has none");
    call(metrics, "model-7", "2xx", 1);
    is_number(number(metrics, &counter, "model-7", 0), 2, "the early ones go on");
    ai_metrics_state(metrics, &state);
    is_number((apr_int64_t)state.other, 2 * AI_METRICS_EACH + 2 - AI_METRICS_EACH,
              "how often is known");
    is_number((apr_int64_t)state.lost, 0, "and that none was lost");
    is_number((apr_int64_t)state.series, n, "and how many series there are");
    ai_metrics_measure(metrics, &times, (const char *[]){ "near" }, 1);
    is_number(number(metrics, &times, "near", 1), 1, "another metric is not touched by that");
    drop(metrics);
}

/* So many metrics that all series together are too many, and at last even the room for other. */
static void test_full(void)
{
    static ai_metric_t rows[300];
    ai_metrics_t *metrics = make();
    ai_metrics_state_t state;
    apr_uint64_t sum = 0;
    int i, k, n, m = 0;

    for (i = 0; i < 300; i++) {
        rows[i] = times;
        rows[i].key = 0;
        rows[i].name = apr_psprintf(pool, "t_%d_seconds", i);
        for (k = 0; k < 60; k++) {
            ai_metrics_measure(metrics, &rows[i],
                               (const char *[]){ apr_psprintf(pool, "target-%d", k) }, 1);
        }
    }
    for (i = 0; i < 300; i++) {
        sum += sum_of(metrics, &rows[i], &n);
        m += n;
    }
    ai_metrics_state(metrics, &state);
    is_number((apr_int64_t)(sum + state.lost), 300 * 60, "each is counted, or known to be lost");
    is_number((apr_int64_t)state.lost, 0, "there is room for the other of many metrics");
    ok(m <= AI_METRICS_ALL + 300 && state.series <= SLOTS, "and there are no more than there may be");
    drop(metrics);
}

static void test_names(void)
{
    ai_metrics_t *metrics = make();
    int i, known = 0;

    ok(!ai_metrics_is_known(metrics, "gpt"), "nobody has vouched for a name");
    ai_metrics_know(metrics, "gpt");
    ok(ai_metrics_is_known(metrics, "gpt") && !ai_metrics_is_known(metrics, "gpt2"), "now he has");
    ai_metrics_know(metrics, "");
    ok(!ai_metrics_is_known(metrics, ""), "none is no name");
    for (i = 0; i < 2 * AI_METRICS_NAMES; i++) {
        ai_metrics_know(metrics, "gpt");
        ai_metrics_know(metrics, apr_psprintf(pool, "name-%d", i));
    }
    for (i = 0; i < 2 * AI_METRICS_NAMES; i++) {
        known += ai_metrics_is_known(metrics, apr_psprintf(pool, "name-%d", i));
    }
    is_number(known, AI_METRICS_NAMES - 1, "it is bounded how many are known");
    drop(metrics);
}

/* A later version of a module has the same row elsewhere, or another one of that name. */
static void test_versions(void)
{
    ai_metrics_t *metrics = make();
    ai_metric_t again = counter, other = counter;
    int n;

    again.key = other.key = 0;
    other.labels[1] = "outcome";
    call(metrics, "m", "2xx", 5);
    ai_metrics_prepare(metrics, 43);
    ai_metrics_measure(metrics, &again, (const char *[]){ "m", "2xx" }, 1);
    is_number(number(metrics, &counter, "m", 0), 6, "the same row after a restart counts on");
    is_number((apr_int64_t)sum_of(metrics, &other, &n), 0, "one that means another thing begins anew");
    drop(metrics);
}

/* ------------------------------------------------------------------------- all at once */

#define PROCESSES 6
#define THREADS 4
#define ROUNDS 20000
#define MODELS 37
#define HOT 50 /* times as often is one series measured that all have */

static ai_metrics_t *shared;
static ai_metric_t hot = { .name = "t_hot_total", .kind = AI_METRIC_COUNTER, .help = "Hot" };
/* How many threads are to begin at once, and how many are there, in memory that all share. */
static int crowd, *there;

static void *APR_THREAD_FUNC work(apr_thread_t *thread, void *data)
{
    int i, k;

    (void)thread;
    (void)data;
    __atomic_fetch_add(there, 1, __ATOMIC_ACQ_REL);
    while (__atomic_load_n(there, __ATOMIC_ACQUIRE) < crowd) {
        sched_yield();
    }
    for (i = 0; i < ROUNDS; i++) {
        char model[16];

        for (k = 0; k < HOT; k++) {
            ai_metrics_measure(shared, &hot, NULL, 1);
        }
        apr_snprintf(model, sizeof(model), "m%d", i % MODELS);
        call(shared, model, i % 2 ? "2xx" : "4xx", 1);
        ai_metrics_measure(shared, &times, (const char *[]){ model }, i);
        ai_metrics_know(shared, model);
    }
    return NULL;
}

static void begin(int n)
{
    shared = make();
    there = mmap(NULL, sizeof(*there), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (there == MAP_FAILED) {
        exit(1);
    }
    crowd = n;
}

static void run_threads(void)
{
    apr_thread_t *threads[THREADS];
    apr_status_t rv;
    int i;

    for (i = 0; i < THREADS; i++) {
        if (apr_thread_create(&threads[i], NULL, work, NULL, pool) != APR_SUCCESS) {
            _exit(1);
        }
    }
    for (i = 0; i < THREADS; i++) {
        apr_thread_join(&rv, threads[i]);
    }
}

static void test_processes(void)
{
    const apr_int64_t all = (apr_int64_t)PROCESSES * THREADS * ROUNDS;
    apr_uint64_t n_times = 0;
    apr_uint32_t at = 0;
    ai_series_t series;
    int i, n, status, right = 1;

    begin(PROCESSES * THREADS);
    for (i = 0; i < PROCESSES; i++) {
        if (fork() == 0) {
            run_threads();
            _exit(0);
        }
    }
    while (wait(&status) > 0) {
        right = right && WIFEXITED(status) && WEXITSTATUS(status) == 0;
    }
    ok(right, "all processes came to their end");
    is_number((apr_int64_t)sum_of(shared, &hot, &n), HOT * all, "what all count at once is exact");
    is_number((apr_int64_t)sum_of(shared, &counter, &n), all, "of many processes nothing is lost");
    is_number(n, 2 * MODELS, "and no series is there twice");
    is_number((apr_int64_t)shared->series, 3 * MODELS + 1, "nor counted twice");
    is_number((apr_int64_t)shared->names_used, MODELS, "nor is a name");
    while (ai_metrics_next(shared, &times, &at, &series)) {
        n_times += series.cells[1] + series.cells[2] + series.cells[3] + series.cells[4];
    }
    is_number((apr_int64_t)n_times, all, "nor a duration");
    is_number((apr_int64_t)sum_of(shared, &times, &n), all / ROUNDS * ROUNDS / 2 * (ROUNDS - 1),
              "and their sum is right");
    drop(shared);
}

/* Threads of this process, which a thread sanitizer would watch. */
static void test_threads(void)
{
    int n;

    begin(THREADS);
    run_threads();
    is_number((apr_int64_t)sum_of(shared, &counter, &n), (apr_int64_t)THREADS * ROUNDS,
              "of many threads nothing is lost");
    drop(shared);
}

/* ---------------------------------------------------------------------- half done things */

/* A process that died between taking the place and giving it cells. */
static void test_half(void)
{
    ai_metrics_t *metrics = make();
    point_t point;
    apr_uint64_t key;
    int n;

    read_point(&point, &counter, (const char *[]){ "m", "2xx" });
    key = key_of_series(metrics, &point);
    metrics->places[key & (SLOTS - 1)].key = key;
    is_number((apr_int64_t)sum_of(metrics, &counter, &n) + n, 0, "half a series is not shown");
    call(metrics, "m", "2xx", 2);
    is_number(number(metrics, &counter, "m", 0), 2, "who comes next completes it");
    call(metrics, "k", "2xx", 1);
    metrics->places[key & (SLOTS - 1)].first = 0;
    memset(metrics->texts[key & (SLOTS - 1)], 'x', AI_METRICS_TEXT);
    call(metrics, "m", "2xx", 4);
    is_number(number(metrics, &counter, "m", 0), 4, "also where its values were half written");
    is_number(number(metrics, &counter, "k", 0), 1, "which does not touch others");
    drop(metrics);
}

/* Processes that make series and count on them are killed at any moment. */
static void test_kill(void)
{
    ai_metrics_t *metrics = make();
    apr_uint32_t at = 0;
    ai_series_t series;
    int i, k, n, right = 1;

    for (i = 0; i < 40; i++) {
        int pipes[2];
        pid_t pid;
        char c;

        if (pipe(pipes) != 0 || (pid = fork()) < 0) {
            exit(1);
        }
        if (pid == 0) {
            for (k = 0;; k++) {
                char model[16];

                apr_snprintf(model, sizeof(model), "k%d-%d", i, k % 1000);
                call(metrics, model, "2xx", 1);
                if (k == i * 3 && write(pipes[1], "x", 1) != 1) {
                    _exit(1);
                }
            }
        }
        if (read(pipes[0], &c, 1) != 1) {
            exit(1);
        }
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        close(pipes[0]);
        close(pipes[1]);
    }
    while (ai_metrics_next(metrics, &counter, &at, &series)) {
        right = right && (series.values[0][0] == 'k' || strcmp(series.values[0], "other") == 0)
                && strcmp(series.values[1], "2xx") == 0;
    }
    ok(right, "after 40 killed processes every series is whole");
    sum_of(metrics, &counter, &n);
    ok(n <= AI_METRICS_EACH + 1, "and there are no more than there may be");
    ai_metrics_measure(metrics, &times, (const char *[]){ "after" }, 1);
    is_number(number(metrics, &times, "after", 0), 1, "and who comes after counts on");
    drop(metrics);
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    test_text();
    test_escapes();
    test_bounds();
    test_full();
    test_names();
    test_versions();
    test_threads();
    test_processes();
    test_half();
    test_kill();
    apr_terminate();
    return done();
}
