/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_redact.c - what in this text is nobody's business?
 *
 * Lives in: nothing; a sieve is in the pool that it was made in.  Shared state: none.
 * May block: no.
 */

#include <strings.h>

#include <apr_strings.h>

#include "ai_redact_find.h"

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

/* clang-format off */
/* Where several find something at one place, the first row has it. starts: the bytes that one begins
 * with, or that an address is known by. */
static const struct {
    const char *word;
    const char *starts;
    ai_redact_find_fn *find;
} kinds[] = {
    { "email", "@",              ai_redact_find_email },
    { "card",  DIGITS,           ai_redact_find_card  },
    { "iban",  LETTERS,          ai_redact_find_iban  },
    { "ssn",   DIGITS,           ai_redact_find_ssn   },
    { "ip",    DIGITS "abcdefABCDEF", ai_redact_find_ip },
    { "phone", "+",              ai_redact_find_phone },
    { "key",   "ASdghnprswxy" ,  ai_redact_find_key   },
    { "token", "e",              ai_redact_find_token },
    { "pem",   "-",              ai_redact_find_pem   },
};
/* clang-format on */

#define KINDS_N ((int)(sizeof(kinds) / sizeof(kinds[0])))
#define KIND_CARD (1 << 1)

typedef struct own_t {
    const char *word;
    ai_redact_own_fn *fn;
    const void *baton;
} own_t;

struct ai_redact_t {
    ai_redact_kinds_t starts[256]; /* which kinds a byte may begin */
    ai_redact_kinds_t kinds;
    int n_own;
    own_t own[AI_REDACT_OWN];
};

/* ------------------------------------------------------------------------------ the sieve */

const char *ai_redact_word(int i)
{
    return i >= 0 && i < KINDS_N ? kinds[i].word : NULL;
}

ai_redact_kinds_t ai_redact_kind(const char *word)
{
    int i;

    for (i = 0; i < KINDS_N; i++) {
        if (strcasecmp(kinds[i].word, word) == 0) {
            return (ai_redact_kinds_t)1 << i;
        }
    }
    return 0;
}

static ai_redact_t *make(apr_pool_t *p, ai_redact_kinds_t set)
{
    ai_redact_t *redact = apr_pcalloc(p, sizeof(*redact));
    const char *c;
    int i;

    redact->kinds = set;
    for (i = 0; i < KINDS_N; i++) {
        for (c = kinds[i].starts; *c; c++) {
            redact->starts[(unsigned char)*c] |= set & ((ai_redact_kinds_t)1 << i);
        }
    }
    return redact;
}

const ai_redact_t *ai_redact_make(apr_pool_t *p, ai_redact_kinds_t set)
{
    return make(p, set);
}

const ai_redact_t *ai_redact_for(apr_pool_t *p, const ai_redact_t *redact, ai_redact_kinds_t set)
{
    ai_redact_t *other = make(p, set);

    other->n_own = redact->n_own;
    memcpy(other->own, redact->own, sizeof(other->own));
    return other;
}

const ai_redact_t *ai_redact_with(apr_pool_t *p, const ai_redact_t *redact, const char *word,
                                  ai_redact_own_fn *fn, const void *baton)
{
    ai_redact_t *more;

    if (redact->n_own == AI_REDACT_OWN) {
        return NULL;
    }
    more = apr_pmemdup(p, redact, sizeof(*redact));
    more->own[more->n_own++] = (own_t){ word, fn, baton };
    return more;
}

int ai_redact_is_card(const ai_redact_t *redact, ai_slice_t digits)
{
    ai_redact_scan_t scan;
    apr_size_t from, to;

    if (!(redact->kinds & KIND_CARD)) {
        return 0;
    }
    ai_redact_scan(&scan, redact, digits);
    return ai_redact_find_card(&scan, 0, &from, &to) && to == digits.n;
}

/* ------------------------------------------------------------------------------- the scan */

void ai_redact_scan(ai_redact_scan_t *scan, const ai_redact_t *redact, ai_slice_t text)
{
    int i;

    scan->redact = redact;
    scan->text = text;
    scan->at = scan->done = scan->dead = scan->from = scan->to = 0;
    scan->word = NULL;
    for (i = 0; i < redact->n_own; i++) {
        scan->own[i].searched = 0;
    }
}

apr_size_t ai_redact_escape(ai_slice_t text, apr_size_t at)
{
    const char *c = text.p + at;
    apr_size_t left = text.n - at;

    if (*c == '%' && left >= 3 && apr_isxdigit(c[1]) && apr_isxdigit(c[2])) {
        return 3;
    }
    if (*c == '\\' && left >= 2 && c[1] && strchr("nrtbf", c[1])) {
        return 2;
    }
    if (*c == '\\' && left >= 6 && c[1] == 'u' && apr_isxdigit(c[2]) && apr_isxdigit(c[3])
        && apr_isxdigit(c[4]) && apr_isxdigit(c[5])) {
        return 6;
    }
    return 1;
}

/* Looks at one place. */
static int look(ai_redact_scan_t *scan, apr_size_t at, ai_redact_kinds_t set)
{
    int i;

    for (i = 0; set; i++, set >>= 1) {
        if ((set & 1) && kinds[i].find(scan, at, &scan->from, &scan->to)) {
            scan->word = kinds[i].word;
            return 1;
        }
    }
    return 0;
}

/* The next find of our own kinds that is known before end. */
static int next_of_kinds(ai_redact_scan_t *scan, apr_size_t end)
{
    const ai_redact_t *redact = scan->redact;
    const char *text = scan->text.p;
    apr_size_t at = scan->at;

    while (at < end) {
        ai_redact_kinds_t set = redact->starts[(unsigned char)text[at]];

        if (set && look(scan, at, set)) {
            scan->at = scan->to;
            return 1;
        }
        if (ai_redact_alnum(text[at])) { /* a word: nothing begins inside */
            do {
                at++;
            } while (at < end && ai_redact_alnum(text[at]));
        }
        else {
            at += text[at] == '\\' || text[at] == '%' ? ai_redact_escape(scan->text, at) : 1;
        }
    }
    scan->at = at;
    return 0;
}

/* The site's own find that begins first, or -1. */
static int first_own(ai_redact_scan_t *scan)
{
    int i, first = -1;

    for (i = 0; i < scan->redact->n_own; i++) {
        const own_t *own = &scan->redact->own[i];
        apr_size_t at, n;

        if (!scan->own[i].searched || (scan->own[i].from < scan->done)) {
            int found = own->fn(own->baton, scan->text, scan->done, &at, &n) && n;

            scan->own[i].searched = 1;
            scan->own[i].from = found ? at : scan->text.n;
            scan->own[i].to = found ? at + n : scan->text.n;
        }
        if (scan->own[i].from < scan->text.n
            && (first < 0 || scan->own[i].from < scan->own[first].from)) {
            first = i;
        }
    }
    return first;
}

int ai_redact_next(ai_redact_scan_t *scan)
{
    int own = first_own(scan);
    int found = next_of_kinds(scan, own < 0 ? scan->text.n : scan->own[own].from);

    if (!found && own >= 0) {
        scan->from = scan->own[own].from;
        scan->at = scan->to = scan->own[own].to;
        scan->word = scan->redact->own[own].word;
        found = 1;
    }
    if (found) {
        scan->done = scan->to;
    }
    return found;
}

apr_status_t ai_redact_text(const ai_redact_t *redact, ai_slice_t text, ai_buffer_t *out,
                            apr_size_t *found)
{
    ai_redact_scan_t scan;
    apr_size_t copied = 0;
    apr_status_t rv = APR_SUCCESS;

    ai_redact_scan(&scan, redact, text);
    while (rv == APR_SUCCESS && ai_redact_next(&scan)) {
        rv = ai_buffer_append(out, text.p + copied, scan.from - copied);
        rv = rv ? rv : ai_buffer_append(out, "[", 1);
        rv = rv ? rv : ai_buffer_append(out, scan.word, strlen(scan.word));
        rv = rv ? rv : ai_buffer_append(out, "]", 1);
        copied = scan.to;
        ++*found;
    }
    return rv ? rv : ai_buffer_append(out, text.p + copied, text.n - copied);
}
