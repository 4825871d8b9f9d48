/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_models.c - what is known of this model?
 *
 * Records are kept by the first byte of their pattern, those with the most literal characters
 * first, so that the first one that matches is the one.
 */
#include <stdlib.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "ai_models_record.h"

/* A record with what is asked of it at each look-up. */
typedef struct row_t {
    const ai_ability_t *ability;
    apr_size_t prefix; /* how many bytes of the pattern stand before its first '*' or '[' */
    apr_size_t literals;
    int place;         /* in the file */
} row_t;

/* Patterns begin with an ASCII character; those with '*' or '[' are for all. */
#define FIRST_N 128
#define FIRST_ANY 0

struct ai_models_t {
    const ai_models_t *base;
    int n;
    ai_ability_t *abilities; /* in the order of the file */
    row_t *rows;             /* by first byte, then by literals */
    int first[FIRST_N + 1];  /* the first row of each */
};

/* A name to look up, in lower case. */
typedef struct name_t {
    char text[AI_MODELS_NAME + 1];
    apr_size_t n;
} name_t;

/* --------------------------------------------------------------------------- the patterns */

/* The end of the set that begins at the '[' at set. */
static const char *set_end(const char *set)
{
    return strchr(set, ']') + 1;
}

static int is_in_set(const char *set, char c)
{
    for (set++; *set != ']'; set++) {
        if (set[1] == '-') {
            if (c >= set[0] && c <= set[2]) {
                return 1;
            }
            set += 2;
        }
        else if (*set == c) {
            return 1;
        }
    }
    return 0;
}

static const char *skip_digits(const char *at, int n)
{
    for (; n > 0; n--, at++) {
        if (!apr_isdigit(*at)) {
            return NULL;
        }
    }
    return at;
}

/* Behind a date ("-20250929", "@20250929", "-2025-09-29") or "-latest"; at itself where none is. */
static const char *skip_date(const char *at)
{
    const char *end;

    if (strncmp(at, "-latest", 7) == 0) {
        return at + 7;
    }
    if (*at != '-' && *at != '@') {
        return at;
    }
    end = skip_digits(at + 1, 8);
    if (end) {
        return end;
    }
    end = skip_digits(at + 1, 4);
    end = *at == '-' && end && *end == '-' ? skip_digits(end + 1, 2) : NULL;
    end = end && *end == '-' ? skip_digits(end + 1, 2) : NULL;
    return end ? end : at;
}

int ai_models_is_state(const char *at)
{
    int version, revision = 0;

    at = skip_date(at);
    if (*at == '-') {
        at++;
        version = *at == 'v';
        at += version;
        if (!apr_isdigit(*at)) {
            return 0;
        }
        while (apr_isdigit(*at)) {
            at++;
        }
        if (*at == ':') {
            revision = apr_isdigit(at[1]) != 0;
            for (at++; apr_isdigit(*at); at++) {
                continue;
            }
        }
        return *at == '\0' && (version || revision);
    }
    return *at == '\0';
}

/* At most pattern times name steps: only the last '*' is tried again. */
static int does_match(const char *pattern, const char *name)
{
    const char *star = NULL, *again = NULL;

    for (;;) {
        if (*pattern == '*') {
            star = ++pattern;
            again = name;
            if (!*pattern) {
                return 1;
            }
            continue;
        }
        if (!*pattern && ai_models_is_state(name)) {
            return 1;
        }
        if (*pattern == '[' && *name && is_in_set(pattern, *name)) {
            pattern = set_end(pattern);
            name++;
            continue;
        }
        if (*pattern && *pattern != '[' && *pattern == *name) {
            pattern++;
            name++;
            continue;
        }
        if (!star || !*again) {
            return 0;
        }
        pattern = star;
        name = ++again;
    }
}

/* ------------------------------------------------------------------------------- reading */

static int first_of(const char *pattern)
{
    return *pattern == '*' || *pattern == '[' ? FIRST_ANY : (unsigned char)*pattern;
}

static void measure(row_t *row)
{
    const char *at = row->ability->match;

    row->prefix = strcspn(at, "*[");
    for (row->literals = 0; *at; at = *at == '[' ? set_end(at) : at + 1) {
        row->literals += *at != '*' && *at != '[';
    }
}

static int compare(const void *a_in, const void *b_in)
{
    const row_t *a = a_in, *b = b_in;
    int by = first_of(a->ability->match) - first_of(b->ability->match);

    if (by) {
        return by;
    }
    if (a->literals != b->literals) {
        return a->literals > b->literals ? -1 : 1;
    }
    by = strcmp(a->ability->match, b->ability->match);
    if (by) {
        return by;
    }
    /* What holds for one dialect before what holds for all. */
    by = (a->ability->dialect == NULL) - (b->ability->dialect == NULL);
    return by ? by : a->place - b->place;
}

/* NULL, or which two records are for the same models. */
static const char *find_twins(apr_pool_t *p, const ai_models_t *models)
{
    int i, k;

    for (i = 1; i < models->n; i++) {
        const ai_ability_t *one = models->rows[i].ability;

        for (k = i - 1; k >= 0 && strcmp(models->rows[k].ability->match, one->match) == 0; k--) {
            const ai_ability_t *other = models->rows[k].ability;

            if (one->dialect == other->dialect
                || (one->dialect && other->dialect && strcmp(one->dialect, other->dialect) == 0)) {
                return apr_psprintf(p, "record %d (\"%s\"): match: record %d has it already",
                                    models->rows[i].place + 1, one->match,
                                    models->rows[k].place + 1);
            }
        }
    }
    return NULL;
}

static void sort(apr_pool_t *p, ai_models_t *models)
{
    int i, at;

    models->rows = apr_pcalloc(p, (apr_size_t)models->n * sizeof(row_t));
    for (i = 0; i < models->n; i++) {
        models->rows[i].ability = &models->abilities[i];
        models->rows[i].place = i;
        measure(&models->rows[i]);
    }
    qsort(models->rows, (apr_size_t)models->n, sizeof(row_t), compare);
    for (i = 0, at = 0; i < FIRST_N; i++) {
        models->first[i] = at;
        while (at < models->n && first_of(models->rows[at].ability->match) == i) {
            at++;
        }
    }
    models->first[FIRST_N] = at;
}

/* The text as a JSON array, in root. NULL, or what is wrong. */
static const char *check_text(apr_pool_t *p, ai_slice_t text, ai_slice_t *root)
{
    ai_json_error_t err;
    ai_json_doc_t doc;
    apr_size_t i, line = 1, begin = 0;

    if (text.n > AI_MODELS_SIZE) {
        return apr_psprintf(p, "it is longer than %d bytes", AI_MODELS_SIZE);
    }
    if (ai_json_parse(p, text, AI_JSON_DEPTH, &doc, &err) != APR_SUCCESS) {
        for (i = 0; i < err.offset && i < text.n; i++) {
            if (text.p[i] == '\n') {
                line++;
                begin = i + 1;
            }
        }
        return apr_psprintf(p, "line %" APR_SIZE_T_FMT ", byte %" APR_SIZE_T_FMT ": %s", line,
                            err.offset - begin + 1, err.reason);
    }
    *root = doc.root;
    return ai_json_type(doc.root) == AI_JSON_ARRAY ? NULL : "it must be a list of records, in []";
}

static int count(ai_slice_t array)
{
    ai_json_member_t member;
    ai_json_walk_t walk;
    int n = 0;

    ai_json_walk(&walk, array);
    while (ai_json_next(&walk, &member) > 0) {
        n++;
    }
    return n;
}

const ai_models_t *ai_models_read(apr_pool_t *p, ai_slice_t text, const ai_models_t *base,
                                  const char **wrong)
{
    ai_models_t *models = apr_pcalloc(p, sizeof(*models));
    ai_json_member_t member;
    ai_json_walk_t walk;
    ai_slice_t root;
    int i;

    *wrong = check_text(p, text, &root);
    if (*wrong) {
        return NULL;
    }
    models->base = base;
    models->n = count(root);
    if (models->n > AI_MODELS_RECORDS) {
        *wrong = apr_psprintf(p, "it has more than %d records", AI_MODELS_RECORDS);
        return NULL;
    }
    models->abilities = apr_pcalloc(p, (apr_size_t)models->n * sizeof(ai_ability_t));
    ai_json_walk(&walk, root);
    for (i = 0; ai_json_next(&walk, &member) > 0; i++) {
        ai_ability_t *ability = &models->abilities[i];

        *wrong = ai_models_record(p, member.value, ability);
        if (*wrong) {
            const char *name = *ability->match ? apr_psprintf(p, " (\"%s\")", ability->match) : "";

            *wrong = apr_psprintf(p, "record %d%s: %s", i + 1, name, *wrong);
            return NULL;
        }
    }
    sort(p, models);
    *wrong = find_twins(p, models);
    return *wrong ? NULL : models;
}

int ai_models_count(const ai_models_t *models)
{
    return models->n;
}

const ai_ability_t *ai_models_at(const ai_models_t *models, int i)
{
    return &models->abilities[i];
}

/* ------------------------------------------------------------------------------- finding */

/* 0 when the name is none that a pattern could match. */
static int make_name(name_t *name, const char *text)
{
    apr_size_t n = 0;

    for (; text[n]; n++) {
        if (n == AI_MODELS_NAME || (text[n] & 0x80)) {
            return 0;
        }
        name->text[n] = apr_tolower(text[n]);
    }
    name->text[n] = '\0';
    name->n = n;
    return n > 0;
}

/* "us.anthropic." before a name of Bedrock's: words of letters that end in a dot. */
static const char *skip_vendors(const char *text)
{
    const char *at = text;

    while (apr_isalpha(*at) || *at == '-') {
        at++;
    }
    return *at == '.' && at > text ? skip_vendors(at + 1) : text;
}

/*
 * The name without what a host puts around it. 0 when there is nothing around it.
 *   "openrouter/anthropic/x", "accounts/y/models/x", "us.anthropic.x", "ft:x:org::id"
 */
static int strip_name(const name_t *whole, name_t *bare)
{
    const char *at = strrchr(whole->text, '/'), *end;

    at = skip_vendors(at ? at + 1 : whole->text);
    end = at + strlen(at);
    if (strncmp(at, "ft:", 3) == 0) {
        at += 3;
        end = at + strcspn(at, ":");
    }
    bare->n = (apr_size_t)(end - at);
    memcpy(bare->text, at, bare->n);
    bare->text[bare->n] = '\0';
    return bare->n > 0 && bare->n < whole->n;
}

/* The first row of a first byte that matches and has more literals than best, or best. */
static const row_t *search(const ai_models_t *models, int first, const char *dialect,
                           const name_t *name, const row_t *best)
{
    int i;

    for (i = models->first[first]; i < models->first[first + 1]; i++) {
        const row_t *row = &models->rows[i];
        const ai_ability_t *ability = row->ability;

        if (best && row->literals <= best->literals) {
            break;
        }
        if (row->prefix <= name->n && memcmp(ability->match, name->text, row->prefix) == 0
            && (!ability->dialect || (dialect && strcmp(ability->dialect, dialect) == 0))
            && does_match(ability->match + row->prefix, name->text + row->prefix)) {
            return row;
        }
    }
    return best;
}

const ai_ability_t *ai_models_find(const ai_models_t *models, const char *dialect,
                                   const char *model)
{
    const row_t *best = NULL;
    name_t whole, bare;
    int has_bare;

    if (!model || !make_name(&whole, model)) {
        return &ai_ability_unknown;
    }
    has_bare = strip_name(&whole, &bare);
    for (; models && !best; models = models->base) {
        best = search(models, (unsigned char)whole.text[0], dialect, &whole, best);
        best = search(models, FIRST_ANY, dialect, &whole, best);
        if (has_bare) {
            best = search(models, (unsigned char)bare.text[0], dialect, &bare, best);
            best = search(models, FIRST_ANY, dialect, &bare, best);
        }
    }
    return best ? best->ability : &ai_ability_unknown;
}
