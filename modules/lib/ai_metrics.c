/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_metrics.c - what has been measured so far?
 *
 * A hash table with open addressing. A series is found by a number made of its metric and its
 * values; it takes a place by setting that number from 0. Then its values are written, and who they
 * belong to, and at last where its cells are: who finds no cells (the one that took the place is
 * just writing, or was killed) writes all of that himself, since it is the same. So a series counts
 * from the moment it has cells, and is whole from then on.
 *
 * Two series of one number would be one. The number has 64 bits and begins with a seed that nobody
 * outside knows.
 *
 * Lives in: shared memory.  Shared state: all of it, by atomics.  May block: no.
 */

#include <string.h>

#include "ai_metrics.h"

#define WORD sizeof(apr_uint64_t)
#define SLOTS 8192u /* a power of two; what is above AI_METRICS_ALL is for "other" */
#define CELLS 131072u
#define CELLS_ALL (CELLS - 16384u)
#define OWNERS 256u /* metrics, in all versions that there were; a power of two */
#define NAME_SLOTS 512u /* a power of two, well above AI_METRICS_NAMES */
#define TEXT_WORDS (AI_METRICS_TEXT / WORD)

typedef struct owner_t {
    apr_uint64_t key;
    apr_uint64_t series; /* but for "other" */
} owner_t;

/* What is looked at each time lies together: memory is what takes the time. */
typedef struct place_t {
    apr_uint64_t key;   /* the number of a series; 0: free */
    apr_uint64_t first; /* its first cell, plus 1; 0: it has none yet */
} place_t;

struct ai_metrics_t {
    apr_uint64_t seed;
    apr_uint64_t series; /* but for "other" */
    apr_uint64_t all;
    apr_uint64_t cells_used;
    apr_uint64_t other;
    apr_uint64_t lost;
    apr_uint64_t names_used;
    owner_t owners[OWNERS];
    apr_uint64_t names[NAME_SLOTS];
    place_t places[SLOTS];
    apr_uint64_t of[SLOTS]; /* the key of its metric */
    apr_uint64_t texts[SLOTS][TEXT_WORDS];
    apr_uint64_t cells[CELLS];
};

/* What was measured of. */
typedef struct point_t {
    ai_metric_t *metric;
    apr_uint64_t key;      /* of the metric */
    int cells;
    int labels;
    int spare;             /* 1: takes of what is kept for "other" */
    apr_size_t bytes;      /* of all values */
    const char *value[AI_METRIC_LABELS];
    apr_size_t n[AI_METRIC_LABELS];
} point_t;

/* --------------------------------------------------------------------------------- words */

static apr_uint64_t load(const apr_uint64_t *word)
{
    return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

static void add(apr_uint64_t *word, apr_uint64_t n)
{
    __atomic_fetch_add(word, n, __ATOMIC_RELAXED);
}

/* Sets word from 0. 1: it was we; else *there is what it is. */
static int claim(apr_uint64_t *word, apr_uint64_t to, apr_uint64_t *there)
{
    *there = 0;
    return __atomic_compare_exchange_n(word, there, to, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

/* Adds n where the sum is at most limit. 1 and what was there before, or 0. */
static int take(apr_uint64_t *word, apr_uint64_t n, apr_uint64_t limit, apr_uint64_t *before)
{
    apr_uint64_t there = load(word);

    do {
        if (there + n > limit) {
            return 0;
        }
    } while (!__atomic_compare_exchange_n(word, &there, there + n, 0, __ATOMIC_ACQ_REL,
                                          __ATOMIC_ACQUIRE));
    *before = there;
    return 1;
}

static apr_uint64_t mix(apr_uint64_t sum, apr_uint64_t word)
{
    sum = (sum ^ word) * APR_UINT64_C(0x9e3779b97f4a7c15);
    return sum ^ (sum >> 29);
}

static apr_uint64_t word_at(const char *text)
{
    apr_uint64_t word;

    memcpy(&word, text, WORD);
    return word;
}

/* Of at most 7 bytes. */
static apr_uint64_t short_word(const char *text, apr_size_t n)
{
    apr_uint32_t low, high;

    if (n >= 4) {
        memcpy(&low, text, 4);
        memcpy(&high, text + n - 4, 4); /* the two may overlap: the length is in the sum, too */
        return low | (apr_uint64_t)high << 32;
    }
    return n ? (apr_uint64_t)(unsigned char)text[0] | (apr_uint64_t)(unsigned char)text[n / 2] << 8
                   | (apr_uint64_t)(unsigned char)text[n - 1] << 16
             : 0;
}

static apr_uint64_t sum_of_text(const char *text, apr_size_t n)
{
    apr_uint64_t sum = n * APR_UINT64_C(0xd6e8feb86659fd93);
    const char *end = text + n;

    if (n < WORD) {
        return mix(sum, short_word(text, n));
    }
    for (; text + WORD < end; text += WORD) {
        sum = mix(sum, word_at(text));
    }
    return mix(sum, word_at(end - WORD));
}

static apr_uint64_t mix_text(apr_uint64_t sum, const char *text, apr_size_t n)
{
    return mix(sum, sum_of_text(text, n));
}

static apr_uint64_t not_zero(apr_uint64_t sum)
{
    sum ^= sum >> 32;
    return sum ? sum : 1;
}

/* ------------------------------------------------------------------------------ the rows */

int ai_metric_bounds(const ai_metric_t *metric)
{
    int n = 0;

    while (metric->bounds && n < AI_METRIC_BOUNDS && metric->bounds[n]) {
        n++;
    }
    return n;
}

/* All that must be the same for two rows to be one metric: a later version of a module finds its
 * own series again, unless it has changed what they mean. */
static apr_uint64_t key_of_row(const ai_metric_t *metric)
{
    apr_uint64_t sum = mix_text((apr_uint64_t)metric->kind * AI_METRIC_UNITS_N + metric->unit,
                                metric->name, strlen(metric->name));
    int i;

    for (i = 0; metric->labels[i]; i++) {
        sum = mix_text(sum, metric->labels[i], strlen(metric->labels[i]));
    }
    for (i = 0; i < ai_metric_bounds(metric); i++) {
        sum = mix(sum, (apr_uint64_t)metric->bounds[i]);
    }
    return not_zero(sum);
}

static apr_uint64_t key_of(ai_metric_t *metric)
{
    apr_uint64_t key = __atomic_load_n(&metric->key, __ATOMIC_RELAXED);

    if (!key) { /* any thread may be first: all find the same */
        key = key_of_row(metric);
        __atomic_store_n(&metric->key, key, __ATOMIC_RELAXED);
    }
    return key;
}

static int cells_of(const ai_metric_t *metric)
{
    return metric->kind == AI_METRIC_HISTOGRAM ? ai_metric_bounds(metric) + 2 : 1;
}

/* ----------------------------------------------------------------------------- the point */

static void set_value(point_t *point, int i, const char *value, apr_size_t n)
{
    point->bytes += n - point->n[i];
    point->value[i] = value;
    point->n[i] = n;
}

static void set_other(point_t *point)
{
    int i;

    for (i = 0; i < point->labels; i++) {
        if (point->metric->open >> i & 1) {
            set_value(point, i, AI_METRICS_OTHER, sizeof(AI_METRICS_OTHER) - 1);
        }
    }
}

static void read_point(point_t *point, ai_metric_t *metric, const char *const *values)
{
    int i;

    point->metric = metric;
    point->key = key_of(metric);
    point->spare = 0;
    point->bytes = 0;
    for (i = 0; i < AI_METRIC_LABELS && metric->labels[i]; i++) {
        const char *value = values[i] ? values[i] : "";
        apr_size_t n = strnlen(value, AI_METRICS_VALUE + 1);

        point->n[i] = 0;
        if (n > AI_METRICS_VALUE) {
            set_value(point, i, AI_METRICS_OTHER, sizeof(AI_METRICS_OTHER) - 1);
        }
        else {
            set_value(point, i, value, n);
        }
    }
    point->labels = i;
    if (point->bytes + (apr_size_t)point->labels > AI_METRICS_TEXT) {
        set_other(point);
    }
}

/* ------------------------------------------------------------------------------ a series */

static apr_uint64_t key_of_series(const ai_metrics_t *metrics, const point_t *point)
{
    apr_uint64_t sum = mix(metrics->seed, point->key);
    int i;

    for (i = 0; i < point->labels; i++) {
        sum = mix_text(sum, point->value[i], point->n[i]);
    }
    return not_zero(sum);
}

/* How many series the metric has: where that is counted. NULL: too many metrics. */
static apr_uint64_t *count_of(ai_metrics_t *metrics, apr_uint64_t key)
{
    apr_uint64_t there;
    apr_uint32_t i;

    for (i = 0; i < OWNERS; i++) {
        owner_t *owner = &metrics->owners[(key + i) & (OWNERS - 1)];

        if (claim(&owner->key, key, &there) || there == key) {
            return &owner->series;
        }
    }
    return NULL;
}

/* 1 when there may be one more. */
static int may_begin(ai_metrics_t *metrics, const point_t *point)
{
    apr_uint64_t *count, before;

    if (point->spare) {
        return 1;
    }
    count = count_of(metrics, point->key);
    if (!count || !take(count, 1, AI_METRICS_EACH, &before)) {
        return 0;
    }
    if (!take(&metrics->series, 1, AI_METRICS_ALL, &before)) {
        add(count, (apr_uint64_t)-1);
        return 0;
    }
    return 1;
}

/* It was begun by somebody else, or had no place. */
static void not_begun(ai_metrics_t *metrics, const point_t *point)
{
    if (!point->spare) {
        add(count_of(metrics, point->key), (apr_uint64_t)-1);
        add(&metrics->series, (apr_uint64_t)-1);
    }
}

/* Takes a place for a series that was not there. SLOTS: there is none. */
static apr_uint32_t begin_series(ai_metrics_t *metrics, const point_t *point, apr_uint64_t key,
                                 apr_uint32_t at)
{
    apr_uint64_t there = 0;
    apr_uint32_t i;

    if (!may_begin(metrics, point)) {
        return SLOTS;
    }
    for (i = 0; i < SLOTS && there != key; i++) {
        if (claim(&metrics->places[at].key, key, &there)) {
            add(&metrics->all, 1);
            return at;
        }
        at = there == key ? at : (at + 1) & (SLOTS - 1);
    }
    not_begun(metrics, point);
    return there == key ? at : SLOTS;
}

static void write_text(apr_uint64_t *to, const point_t *point)
{
    char text[AI_METRICS_TEXT] = { 0 };
    apr_uint64_t word;
    apr_size_t at = 0, i;

    for (i = 0; i < (apr_size_t)point->labels; i++) {
        memcpy(text + at, point->value[i], point->n[i]);
        at += point->n[i] + 1;
    }
    for (i = 0; i < TEXT_WORDS; i++) {
        memcpy(&word, text + i * WORD, WORD);
        __atomic_store_n(&to[i], word, __ATOMIC_RELAXED);
    }
}

/* Gives a series its values and its cells. Returns the first cell plus 1, or 0: no room. */
static apr_uint64_t complete(ai_metrics_t *metrics, const point_t *point, apr_uint32_t at)
{
    apr_uint64_t n = (apr_uint64_t)cells_of(point->metric), cell, there, end;

    if (!take(&metrics->cells_used, n, point->spare ? CELLS : CELLS_ALL, &cell)) {
        return 0;
    }
    write_text(metrics->texts[at], point);
    __atomic_store_n(&metrics->of[at], point->key, __ATOMIC_RELAXED);
    if (claim(&metrics->places[at].first, cell + 1, &there)) {
        return cell + 1;
    }
    end = cell + n; /* another did the same; if nobody has come since, the room is back */
    __atomic_compare_exchange_n(&metrics->cells_used, &end, cell, 0, __ATOMIC_ACQ_REL,
                                __ATOMIC_RELAXED);
    return there;
}

/* The cells of the point's series, made if need be. NULL: no room. */
static apr_uint64_t *find(ai_metrics_t *metrics, const point_t *point)
{
    apr_uint64_t key = key_of_series(metrics, point), there, first;
    apr_uint32_t at = (apr_uint32_t)key & (SLOTS - 1), i;

    for (i = 0; i < SLOTS; i++, at = (at + 1) & (SLOTS - 1)) {
        there = load(&metrics->places[at].key);
        if (there == key || !there) {
            break;
        }
    }
    if (i == SLOTS || !there) {
        at = i == SLOTS ? SLOTS : begin_series(metrics, point, key, at);
    }
    if (at == SLOTS) {
        return NULL;
    }
    first = load(&metrics->places[at].first);
    if (!first) {
        first = complete(metrics, point, at);
    }
    return first ? &metrics->cells[first - 1] : NULL;
}

/* ----------------------------------------------------------------------------- measuring */

static void sort_in(apr_uint64_t *cells, const ai_metric_t *metric, apr_int64_t n)
{
    int i = 0;

    while (i < AI_METRIC_BOUNDS && metric->bounds[i] && n > metric->bounds[i]) {
        i++;
    }
    add(&cells[0], (apr_uint64_t)n);
    add(&cells[1 + i], 1);
}

static int put(ai_metrics_t *metrics, const point_t *point, apr_int64_t n)
{
    apr_uint64_t *cells = find(metrics, point);

    if (!cells) {
        return 0;
    }
    switch (point->metric->kind) {
    case AI_METRIC_COUNTER:
        add(cells, (apr_uint64_t)n);
        break;
    case AI_METRIC_GAUGE:
        __atomic_store_n(cells, (apr_uint64_t)n, __ATOMIC_RELAXED);
        break;
    case AI_METRIC_HISTOGRAM:
        sort_in(cells, point->metric, n);
        break;
    }
    return 1;
}

void ai_metrics_measure(ai_metrics_t *metrics, ai_metric_t *metric, const char *const *values,
                        apr_int64_t n)
{
    point_t point;

    if (n < 0 && metric->kind != AI_METRIC_GAUGE) {
        n = 0;
    }
    read_point(&point, metric, values);
    if (put(metrics, &point, n)) {
        return;
    }
    point.spare = 1;
    set_other(&point);
    add(put(metrics, &point, n) ? &metrics->other : &metrics->lost, 1);
}

/* ------------------------------------------------------------------------------- reading */

int ai_metrics_next(const ai_metrics_t *metrics, ai_metric_t *metric, apr_uint32_t *at,
                    ai_series_t *series)
{
    apr_uint64_t key = key_of(metric), first = 0;
    const char *value = series->text;
    int i;

    for (; *at < SLOTS; ++*at) {
        first = load(&metrics->places[*at].first);
        if (first && __atomic_load_n(&metrics->of[*at], __ATOMIC_RELAXED) == key) {
            break;
        }
    }
    if (*at == SLOTS) {
        return 0;
    }
    for (i = 0; i < (int)TEXT_WORDS; i++) {
        apr_uint64_t word = __atomic_load_n(&metrics->texts[*at][i], __ATOMIC_RELAXED);

        memcpy(series->text + (apr_size_t)i * WORD, &word, WORD);
    }
    series->text[AI_METRICS_TEXT - 1] = '\0';
    for (i = 0; i < AI_METRIC_LABELS && metric->labels[i]; i++) {
        series->values[i] = value;
        value += strlen(value) + (value + strlen(value) < series->text + AI_METRICS_TEXT - 1);
    }
    for (i = 0; i < cells_of(metric); i++) {
        series->cells[i] = __atomic_load_n(&metrics->cells[first - 1 + (apr_uint64_t)i],
                                           __ATOMIC_RELAXED);
    }
    ++*at;
    return 1;
}

void ai_metrics_state(const ai_metrics_t *metrics, ai_metrics_state_t *state)
{
    state->series = load(&metrics->all);
    state->other = load(&metrics->other);
    state->lost = load(&metrics->lost);
}

/* --------------------------------------------------------------------------------- names */

/* Where a name is, or would be; *key is its own number. NULL: no name, or no room. */
static apr_uint64_t *place_of(const ai_metrics_t *metrics, const char *name, apr_uint64_t *key)
{
    apr_size_t n = strnlen(name, AI_METRICS_VALUE + 1);
    apr_uint32_t i;

    if (!n || n > AI_METRICS_VALUE) {
        return NULL;
    }
    *key = not_zero(mix_text(metrics->seed, name, n));
    for (i = 0; i < NAME_SLOTS; i++) {
        const apr_uint64_t *place = &metrics->names[(*key + i) & (NAME_SLOTS - 1)];
        apr_uint64_t there = load(place);

        if (!there || there == *key) {
            return (apr_uint64_t *)place;
        }
    }
    return NULL;
}

int ai_metrics_is_known(const ai_metrics_t *metrics, const char *name)
{
    apr_uint64_t key, *place = place_of(metrics, name, &key);

    return place && load(place) == key;
}

void ai_metrics_know(ai_metrics_t *metrics, const char *name)
{
    apr_uint64_t key, there = 0, *place = place_of(metrics, name, &key);

    if (!place || load(place) == key || !take(&metrics->names_used, 1, AI_METRICS_NAMES, &there)) {
        return;
    }
    while (place && !claim(place, key, &there)) {
        if (there == key) {
            add(&metrics->names_used, (apr_uint64_t)-1);
            return;
        }
        place = place_of(metrics, name, &key);
    }
}

/* ---------------------------------------------------------------------------- the memory */

apr_size_t ai_metrics_size(void)
{
    return sizeof(ai_metrics_t);
}

ai_metrics_t *ai_metrics_prepare(void *memory, apr_uint64_t seed)
{
    ai_metrics_t *metrics = memory;
    apr_uint64_t there;

    claim(&metrics->seed, seed ? seed : 1, &there);
    return metrics;
}
