/* SPDX-License-Identifier: Apache-2.0 */
/*
 * search_options.c - what do the options of a command that looks into the audit say?
 */
#include <stdio.h>
#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "ai_value.h"
#include "ai_when.h"
#include "search.h"

#define LONGEST_SPAN (APR_INT64_C(100) * 366 * 86400000)
#define MOST_FILTERS 50
#define MOST_FIELDS 100
#define MOST_CALLS APR_INT64_C(1000000000)

/* How often a follower asks, in milliseconds. */
#define DEFAULT_INTERVAL 1000
#define LONGEST_INTERVAL 3600000

/* A time in UTC, to the microsecond. */
static int read_point(apr_pool_t *p, const char *word, apr_time_t *when)
{
    const char *dot = strchr(word, '.'), *end;
    apr_time_t scale = APR_USEC_PER_SEC / 10;

    if (!dot) {
        return ai_when_read(word, when);
    }
    for (end = dot + 1; apr_isdigit(*end); end++) {
        continue;
    }
    if (end == dot + 1 || strcmp(end, "Z") != 0
        || !ai_when_read(apr_pstrcat(p, apr_pstrmemdup(p, word, (apr_size_t)(dot - word)), "Z", NULL),
                         when)) {
        return 0;
    }
    for (dot++; dot < end; dot++) {
        *when += (*dot - '0') * scale;
        scale /= 10;
    }
    return 1;
}

/* A point in time, or a span before now. */
static const char *read_time(apr_pool_t *p, const char *option, const char *word, apr_time_t now,
                             apr_time_t *when)
{
    apr_int64_t ms;
    const char *wrong;

    if (!word || read_point(p, word, when)) {
        return NULL;
    }
    wrong = ai_value_time(p, word, 0, LONGEST_SPAN, &ms);
    if (wrong) {
        return apr_pstrcat(p, "--", option, ": ", search_visible(p, ai_slice_of(wrong)),
                           "; or a time in UTC as 2026-12-31T23:59:59Z, or a day", NULL);
    }
    *when = now - apr_time_from_msec(ms);
    *when = *when > 0 ? *when : 1;
    return NULL;
}

/* "+01:00", "-05:30", "Z" */
static const char *read_zone(const char *word, apr_int64_t *offset)
{
    const char *wrong = "--zone: must be Z, or hours and minutes as +01:00, -05:30, to 14:00 at most";
    int minutes;

    if (!word || strcmp(word, "Z") == 0) {
        return NULL;
    }
    if (strlen(word) != 6 || !strchr("+-", word[0]) || !apr_isdigit(word[1]) || !apr_isdigit(word[2])
        || word[3] != ':' || !apr_isdigit(word[4]) || !apr_isdigit(word[5])) {
        return wrong;
    }
    minutes = ((word[1] - '0') * 10 + word[2] - '0') * 60;
    if (minutes > 14 * 60 || word[4] > '5' || (minutes == 14 * 60 && strcmp(word + 4, "00") != 0)) {
        return wrong;
    }
    minutes += (word[4] - '0') * 10 + word[5] - '0';
    *offset = (word[0] == '-' ? -1 : 1) * apr_time_from_sec(minutes * APR_INT64_C(60));
    return NULL;
}

static const char *prefix(apr_pool_t *p, const char *option, const char *wrong)
{
    return wrong ? apr_pstrcat(p, "--", option, ": ", search_visible(p, ai_slice_of(wrong)), NULL)
                 : NULL;
}

/* Takes "-f" out, which is a letter for --follow. */
static void read_letters(search_options_t *o, const char *allowed)
{
    int i, n = 0;

    for (i = 0; i < o->words->nelts; i++) {
        const char *word = APR_ARRAY_IDX(o->words, i, const char *);

        if (strcmp(word, "-f") == 0 && strstr(allowed, " follow ")) {
            o->follow = 1;
            continue;
        }
        APR_ARRAY_IDX(o->words, n++, const char *) = word;
    }
    o->words->nelts = n;
}

const char *search_options_read(apr_pool_t *p, int argc, const char *const *argv,
                                const char *allowed, apr_time_t now, search_options_t *o)
{
    static const char *const orders[] = { "newest", "oldest", NULL };
    const char *since = NULL, *until = NULL, *limit = NULL, *zone = NULL, *interval = NULL, *wrong;
    const audit_option_t all[] = {
        { "database", &o->database, NULL }, { "spool", &o->spool, NULL },
        { "since", &since, NULL },          { "until", &until, NULL },
        { "limit", &limit, NULL },          { "order", &o->order, NULL },
        { "format", &o->format, NULL },     { "columns", &o->columns, NULL },
        { "by", &o->by, NULL },             { "zone", &zone, NULL },
        { "interval", &interval, NULL },    { "follow", NULL, &o->follow },
        { "json", NULL, &o->json },         { "prompt", NULL, &o->prompt },
        { "answer", NULL, &o->answer },
    };
    audit_option_t options[sizeof(all) / sizeof(all[0]) + 1];
    apr_size_t i, n = 0;

    memset(o, 0, sizeof(*o));
    for (i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        if (strstr(allowed, apr_pstrcat(p, " ", all[i].name, " ", NULL))) {
            options[n++] = all[i];
        }
    }
    options[n] = (audit_option_t){ NULL, NULL, NULL };
    o->interval = DEFAULT_INTERVAL;
    o->query.filters = apr_array_make(p, 4, sizeof(search_filter_t));
    wrong = audit_options_read(p, argc, argv, options, &o->words);
    if (wrong) {
        return search_visible(p, ai_slice_of(wrong));
    }
    read_letters(o, allowed);
    wrong = read_time(p, "since", since, now, &o->query.since);
    wrong = wrong ? wrong : read_time(p, "until", until, now, &o->query.until);
    wrong = wrong || !limit ? wrong
            : prefix(p, "limit", ai_value_number(p, limit, 0, MOST_CALLS, &o->query.limit));
    wrong = wrong ? wrong : search_options_word(p, "order", o->order, orders, &o->query.oldest);
    wrong = wrong ? wrong : read_zone(zone, &o->offset);
    o->query.limit = limit ? o->query.limit : -1;
    return wrong || !interval ? wrong
           : prefix(p, "interval", ai_value_time(p, interval, 1, LONGEST_INTERVAL, &o->interval));
}

const char *search_options_filters(apr_pool_t *p, search_options_t *o)
{
    const char *wrong = NULL;
    int i;

    if (o->words->nelts > MOST_FILTERS) {
        return "there may be 50 filters at most";
    }
    for (i = 0; !wrong && i < o->words->nelts; i++) {
        wrong = search_filter_read(p, APR_ARRAY_IDX(o->words, i, const char *),
                                   apr_array_push(o->query.filters));
    }
    return wrong;
}

const char *search_options_word(apr_pool_t *p, const char *option, const char *word,
                                const char *const *words, int *place)
{
    const char *all = "";
    int i;

    *place = 0;
    for (i = 0; word && words[i]; i++) {
        if (strcmp(word, words[i]) == 0) {
            *place = i;
            return NULL;
        }
        all = apr_pstrcat(p, all, i ? ", " : "", words[i], NULL);
    }
    return word ? apr_psprintf(p, "--%s: must be one of %s", option, all) : NULL;
}

const char *search_options_fields(apr_pool_t *p, const char *option, const char *names,
                                  apr_array_header_t **fields)
{
    const char *wrong = NULL, *end;
    search_field_t *field;

    *fields = apr_array_make(p, 8, sizeof(search_field_t));
    for (; !wrong; names = end + 1) {
        end = names + strcspn(names, ",");
        field = apr_array_push(*fields);
        wrong = (*fields)->nelts > MOST_FIELDS ? "has 100 names at most"
                : search_field_find(p, apr_pstrmemdup(p, names, (apr_size_t)(end - names)), field);
        if (!wrong && field->feedback) {
            wrong = apr_pstrcat(p, field->name, " is told by \"aictl audit show\"", NULL);
        }
        if (!*end) {
            break;
        }
    }
    return prefix(p, option, wrong);
}

void search_usage(void)
{
    printf("  aictl usage --by NAME[,NAME]... [--since T] [--until T] [--zone Z|+HH:MM]\n"
           "              [--format table|json|csv] [FILTER]...\n"
           "  aictl explain [--spool DIR] ID\n\n"
           "LISTING: --since T, --until T, --limit N, --format table|json|csv, --columns NAME[,NAME]...\n"
           "         T is a time in UTC, a day, or a span before now: 2026-12-31T23:59:59Z, 2h\n"
           "FILTER: NAME=VALUE[,VALUE]..., with = != ~ !~ < <= > >=: tenant=acme/*, 'status>=500'\n\n");
}
