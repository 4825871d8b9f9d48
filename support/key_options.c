/* SPDX-License-Identifier: Apache-2.0 */
/*
 * key_options.c - what do the options of a key command say?
 *
 * Those that are fields become members of a record as JSON, and the record's own reader judges
 * them: what a file may hold and what an option may say is written down once.
 */
#include <string.h>

#include <apr_getopt.h>
#include <apr_strings.h>

#include "ai_value.h"
#include "ai_when.h"
#include "ai_write.h"
#include "aictl.h"

#define LONGEST_SPAN (APR_INT64_C(100) * 366 * 86400000)

/* Options that are members: how their words become JSON. */
typedef enum kind_e { TEXT, LIST, WHEN, PAIRS, OBJECT } kind_e;

static const struct {
    const char *option;
    const char *member;
    kind_e kind;
} fields[] = {
    { "name", "name", TEXT },
    { "tenant", "tenant", TEXT },
    { "user", "user", TEXT },
    { "tier", "tier", TEXT },
    { "model", "models", LIST },
    { "deny-model", "models_denied", LIST },
    { "endpoint", "endpoints", LIST },
    { "source", "sources", LIST },
    { "not-before", "not_before", WHEN },
    { "expires", "expires", WHEN },
    { "limits", "limits", OBJECT },
    { "metadata", "metadata", PAIRS },
};

#define FIELDS_N ((int)(sizeof(fields) / sizeof(fields[0])))

/* The others; numbered behind the fields. */
enum { O_FILE = FIELDS_N, O_JSON, O_STDIN, O_FROM, O_OVERLAP, O_CLEAR, O_REPLACE, O_DATABASE,
       O_RUNTIME, O_OWNER, OPTIONS_N };

static const apr_getopt_option_t others[] = {
    { "file", O_FILE, 1, NULL },       { "json", O_JSON, 0, NULL },
    { "stdin", O_STDIN, 0, NULL },     { "from", O_FROM, 1, NULL },
    { "overlap", O_OVERLAP, 1, NULL }, { "clear", O_CLEAR, 1, NULL },
    { "replace", O_REPLACE, 0, NULL }, { "database", O_DATABASE, 1, NULL },
    { "runtime", O_RUNTIME, 1, NULL }, { "owner", O_OWNER, 1, NULL },
};

/* APR takes a letter for an option from 1 to 255; ours have none. */
#define NO_LETTER 256

/* A point in time, or a span from now, to the member's text. */
static const char *read_when(apr_pool_t *p, const char *word, apr_time_t now, ai_slice_t *value)
{
    apr_time_t when;
    apr_int64_t ms;
    const char *wrong;

    if (!ai_when_read(word, &when)) {
        wrong = ai_value_time(p, word, 1000, LONGEST_SPAN, &ms);
        if (wrong) {
            return apr_pstrcat(p, wrong, "; or a time in UTC as 2026-12-31T23:59:59Z, or a day",
                               NULL);
        }
        when = now + apr_time_from_msec(ms);
    }
    *value = ai_json_quote(p, ai_slice_of(ai_when_text(p, when)));
    return NULL;
}

/* "name=value" as a member's JSON. */
static const char *read_pair(apr_pool_t *p, const char *word, ai_slice_t *value)
{
    const char *equals = strchr(word, '=');
    ai_write_t w;

    if (!equals) {
        return "must be NAME=VALUE";
    }
    ai_write_begin(p, &w);
    ai_write_quoted(&w, (ai_slice_t){ word, (apr_size_t)(equals - word) });
    ai_write_literal(&w, ":");
    ai_write_quoted(&w, ai_slice_of(equals + 1));
    *value = ai_write_flat(&w);
    return NULL;
}

static ai_json_member_t *find_member(apr_array_header_t *members, const char *name)
{
    int i;

    for (i = 0; i < members->nelts; i++) {
        ai_json_member_t *member = &APR_ARRAY_IDX(members, i, ai_json_member_t);

        if (ai_slice_is(member->key, name)) {
            return member;
        }
    }
    return NULL;
}

/* Sets a member; open and close: it is a list or an object, to which words are added. */
static const char *set_member(apr_pool_t *p, key_options_t *o, int i, ai_slice_t value,
                              const char *open, const char *close)
{
    ai_json_member_t *member = find_member(o->members, fields[i].member);
    ai_write_t w;

    if (member && !open) {
        return "is said twice";
    }
    if (open) {
        ai_write_begin(p, &w);
        if (member) {
            ai_write_bytes(&w, (ai_slice_t){ member->value.p, member->value.n - 1 });
            ai_write_literal(&w, ",");
        }
        else {
            ai_write_copy(&w, ai_slice_of(open));
        }
        ai_write_bytes(&w, value);
        ai_write_copy(&w, ai_slice_of(close));
        value = ai_write_flat(&w);
    }
    if (!member) {
        member = apr_array_push(o->members);
        member->key = ai_slice_of(fields[i].member);
    }
    member->value = value;
    return NULL;
}

static const char *read_field(apr_pool_t *p, key_options_t *o, int i, const char *word,
                              apr_time_t now)
{
    ai_slice_t value = { NULL, 0 };
    ai_json_error_t err;
    ai_json_doc_t doc;
    const char *wrong;

    switch (fields[i].kind) {
    case TEXT:
        return set_member(p, o, i, ai_json_quote(p, ai_slice_of(word)), NULL, NULL);
    case LIST:
        return set_member(p, o, i, ai_json_quote(p, ai_slice_of(word)), "[", "]");
    case WHEN:
        wrong = read_when(p, word, now, &value);
        return wrong ? wrong : set_member(p, o, i, value, NULL, NULL);
    case PAIRS:
        wrong = read_pair(p, word, &value);
        return wrong ? wrong : set_member(p, o, i, value, "{", "}");
    case OBJECT:
        break;
    }
    if (ai_json_parse(p, ai_slice_of(word), AI_JSON_DEPTH, &doc, &err) != APR_SUCCESS) {
        return apr_psprintf(p, "is no JSON: byte %" APR_SIZE_T_FMT ": %s", err.offset + 1,
                            err.reason);
    }
    return set_member(p, o, i, doc.root, NULL, NULL);
}

/* --clear takes the name of an option that is a field, or of its member. */
static const char *read_clear(apr_pool_t *p, key_options_t *o, const char *word)
{
    const char *all = fields[0].option;
    int i;

    for (i = 0; i < FIELDS_N; i++) {
        if (strcmp(word, fields[i].option) == 0 || strcmp(word, fields[i].member) == 0) {
            APR_ARRAY_PUSH(o->cleared, const char *) = fields[i].member;
            return NULL;
        }
    }
    for (i = 1; i < FIELDS_N; i++) {
        all = apr_pstrcat(p, all, ", ", fields[i].option, NULL);
    }
    return apr_pstrcat(p, "must be one of ", all, NULL);
}

static const char *read_option(apr_pool_t *p, key_options_t *o, int i, const char *word,
                               apr_time_t now)
{
    switch (i) {
    case O_FILE:
        o->file = word;
        return *word ? NULL : "must be a path";
    case O_JSON:
        o->json = 1;
        return NULL;
    case O_STDIN:
        o->from_stdin = 1;
        return NULL;
    case O_FROM:
        o->from = word;
        return NULL;
    case O_OVERLAP:
        return ai_value_time(p, word, 0, LONGEST_SPAN, &o->overlap);
    case O_CLEAR:
        return read_clear(p, o, word);
    case O_REPLACE:
        o->replace = 1;
        return NULL;
    case O_DATABASE:
        o->database = word;
        return NULL;
    case O_RUNTIME:
        o->runtime = word;
        return *word ? NULL : "must be a path";
    case O_OWNER:
        o->owner = word;
        return NULL;
    }
    return read_field(p, o, i, word, now);
}

static const apr_getopt_option_t *all_options(apr_pool_t *p)
{
    apr_getopt_option_t *all = apr_pcalloc(p, (OPTIONS_N + 1) * sizeof(*all));
    int i;

    for (i = 0; i < FIELDS_N; i++) {
        all[i] = (apr_getopt_option_t){ fields[i].option, NO_LETTER + i, 1, NULL };
    }
    for (; i < OPTIONS_N; i++) {
        all[i] = others[i - FIELDS_N];
        all[i].optch += NO_LETTER;
    }
    return all;
}

const char *key_options_read(apr_pool_t *p, int argc, const char *const *argv, const char *allowed,
                             apr_time_t now, key_options_t *o)
{
    const apr_getopt_option_t *all = all_options(p);
    const char *word, *wrong = NULL;
    apr_status_t rv;
    apr_getopt_t *walk;
    int i, ch;

    memset(o, 0, sizeof(*o));
    o->overlap = -1;
    o->members = apr_array_make(p, 8, sizeof(ai_json_member_t));
    o->cleared = apr_array_make(p, 4, sizeof(const char *));
    o->ids = apr_array_make(p, 4, sizeof(const char *));
    apr_getopt_init(&walk, p, argc, argv);
    walk->interleave = 1;
    while (!wrong && (rv = apr_getopt_long(walk, all, &ch, &word)) == APR_SUCCESS) {
        i = ch - NO_LETTER;
        wrong = strstr(allowed, apr_pstrcat(p, " ", all[i].name, " ", NULL))
                    ? read_option(p, o, i, word, now)
                    : apr_psprintf(p, "is no option of %s", argv[0]);
        wrong = wrong ? apr_psprintf(p, "--%s: %s", all[i].name, wrong) : NULL;
    }
    if (!wrong && rv != APR_EOF) {
        return "aictl --help says what may stand here";
    }
    for (i = walk->ind; i < argc; i++) {
        APR_ARRAY_PUSH(o->ids, const char *) = walk->argv[i];
    }
    return wrong;
}

static int is_cleared(const key_options_t *o, ai_slice_t key)
{
    int i;

    for (i = 0; i < o->cleared->nelts; i++) {
        if (ai_slice_is(key, APR_ARRAY_IDX(o->cleared, i, const char *))) {
            return 1;
        }
    }
    return 0;
}

static void write_member(ai_write_t *w, const ai_json_member_t *member)
{
    ai_write_copy(w, w->total ? AI_SLICE(",\"") : AI_SLICE("{\""));
    ai_write_copy(w, member->key);
    ai_write_literal(w, "\":");
    ai_write_bytes(w, member->value);
}

const char *key_options_apply(apr_pool_t *p, const key_options_t *o, const ai_key_t *base,
                              const ai_key_t **record)
{
    ai_json_member_t member;
    ai_json_walk_t walk;
    const char *wrong;
    ai_write_t w;
    int i;

    ai_write_begin(p, &w);
    ai_json_walk(&walk, ai_key_write(p, base));
    while (ai_json_next(&walk, &member) > 0) {
        if (!is_cleared(o, member.key)
            && !find_member(o->members, apr_pstrmemdup(p, member.key.p, member.key.n))) {
            write_member(&w, &member);
        }
    }
    for (i = 0; i < o->members->nelts; i++) {
        write_member(&w, &APR_ARRAY_IDX(o->members, i, ai_json_member_t));
    }
    ai_write_literal(&w, "}");
    *record = ai_key_read(p, ai_write_flat(&w), &wrong);
    return *record ? NULL : wrong;
}
