/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_redact_secret.c - what opens a door: keys of programs, tokens, private keys.
 *
 * Lives in: nothing.  Shared state: none.  May block: no.
 */
#include "ai_redact_find.h"

/* ------------------------------------------------------------------------------------ keys */

#define DIGIT_WITHIN 64

/* clang-format off */
/* What a key begins with, which signs it has beside letters and digits, how many bytes follow, and
 * whether there must be a digit (the prefix alone is also the beginning of words). Their makers'
 * documentation has them, and the public lists for scanners of secrets. */
static const struct {
    const char *prefix;
    const char *signs;
    apr_size_t least;
    apr_size_t most;      /* 0: any */
    int needs_digit;
} forms[] = {
    { "sk-",         "_-",  20, 0,  1 }, /* OpenAI, Anthropic (sk-ant-), OpenRouter, this gateway */
    { "sk_live_",    "",    16, 0,  0 }, /* Stripe */
    { "sk_test_",    "",    16, 0,  0 },
    { "rk_live_",    "",    16, 0,  0 },
    { "rk_test_",    "",    16, 0,  0 },
    { "whsec_",      "",    16, 0,  0 },
    { "AKIA",        "",    16, 16, 0 }, /* Amazon */
    { "ASIA",        "",    16, 16, 0 },
    { "ABIA",        "",    16, 16, 0 },
    { "ACCA",        "",    16, 16, 0 },
    { "AIza",        "_-",  35, 35, 0 }, /* Google */
    { "ya29.",       "_-.", 20, 0,  0 },
    { "ghp_",        "",    36, 0,  0 }, /* GitHub */
    { "gho_",        "",    36, 0,  0 },
    { "ghu_",        "",    36, 0,  0 },
    { "ghs_",        "",    36, 0,  0 },
    { "ghr_",        "",    36, 0,  0 },
    { "github_pat_", "_",   22, 0,  0 },
    { "glpat-",      "_-.", 20, 0,  0 }, /* GitLab */
    { "xoxa-",       "-",   10, 0,  1 }, /* Slack */
    { "xoxb-",       "-",   10, 0,  1 },
    { "xoxe-",       "-",   10, 0,  1 },
    { "xoxp-",       "-",   10, 0,  1 },
    { "xoxr-",       "-",   10, 0,  1 },
    { "xoxs-",       "-",   10, 0,  1 },
    { "xapp-",       "-",   10, 0,  1 },
    { "hf_",         "",    30, 0,  0 }, /* Hugging Face */
    { "gsk_",        "",    40, 0,  0 }, /* Groq */
    { "pplx-",       "",    40, 0,  0 }, /* Perplexity */
    { "r8_",         "",    30, 0,  0 }, /* Replicate */
    { "npm_",        "",    36, 0,  0 }, /* npm */
    { "pypi-",       "_-",  50, 0,  0 }, /* PyPI */
    { "dop_v1_",     "",    64, 64, 0 }, /* DigitalOcean */
    { "SG.",         "_-.", 60, 0,  0 }, /* SendGrid */
};
/* clang-format on */

static int in_form(char c, const char *signs)
{
    return ai_redact_alnum(c) || (c && strchr(signs, c));
}

/* 1 when the first bytes of a tail have what they need; no more of them are read than that takes. */
static int begins_well(const ai_redact_scan_t *scan, apr_size_t at, apr_size_t form)
{
    apr_size_t i;
    int has_digit = !forms[form].needs_digit;

    for (i = 0; i < forms[form].least || (!has_digit && i < DIGIT_WITHIN); i++) {
        char c = ai_redact_at(scan, at + i);

        if (!in_form(c, forms[form].signs)) {
            return i >= forms[form].least && has_digit;
        }
        has_digit = has_digit || ai_redact_digit(c);
    }
    return has_digit;
}

int ai_redact_find_key(ai_redact_scan_t *scan, apr_size_t at, apr_size_t *from, apr_size_t *to)
{
    const char *text = scan->text.p + at;
    apr_size_t left = scan->text.n - at, i, end;

    *from = at;
    for (i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        apr_size_t n = strlen(forms[i].prefix);

        if (*text != *forms[i].prefix || left < n || memcmp(text, forms[i].prefix, n) != 0
            || !begins_well(scan, at + n, i)) {
            continue;
        }
        end = at + n + forms[i].least;
        if (forms[i].most) {
            if (!ai_redact_ends(scan, end)) {
                continue;
            }
        }
        else {
            while (end < scan->text.n && in_form(scan->text.p[end], forms[i].signs)) {
                end++;
            }
        }
        *to = end;
        return 1;
    }
    return 0;
}

/* ---------------------------------------------------------------------------------- tokens */

static apr_size_t base64url_ends(const ai_redact_scan_t *scan, apr_size_t at)
{
    while (at < scan->text.n
           && (ai_redact_alnum(scan->text.p[at]) || scan->text.p[at] == '-'
               || scan->text.p[at] == '_')) {
        at++;
    }
    return at;
}

/* "eyJ" is {" in base64: a JSON Web Token (RFC 7519), signed or encrypted, begins so, and has a dot
 * behind its head. Without a signature, too: what it says is not for all. */
int ai_redact_find_token(ai_redact_scan_t *scan, apr_size_t at, apr_size_t *from, apr_size_t *to)
{
    apr_size_t end;
    int part;

    if (at < scan->dead || scan->text.n - at < 20 || memcmp(scan->text.p + at, "eyJ", 3) != 0) {
        return 0;
    }
    end = base64url_ends(scan, at);
    if (end - at < 10 || ai_redact_at(scan, end) != '.'
        || base64url_ends(scan, end + 1) - end - 1 < 4) {
        scan->dead = end;
        return 0;
    }
    for (part = 1; part < 5 && ai_redact_at(scan, end) == '.'; part++) {
        apr_size_t next = base64url_ends(scan, end + 1);

        if (next == end + 1 && ai_redact_at(scan, next) != '.') {
            break; /* the full stop of a sentence */
        }
        end = next;
    }
    *from = at;
    *to = end;
    return 1;
}

/* ----------------------------------------------------------------------------- private keys */

#define LABEL_MAX 64

/* The end of "-----BEGIN ... PRIVATE KEY-----", also "... PRIVATE KEY BLOCK-----"; 0 for any other
 * line. */
static apr_size_t pem_line_ends(const ai_redact_scan_t *scan, apr_size_t at, const char *word)
{
    static const char private_key[] = "PRIVATE KEY";
    apr_size_t n = strlen(word), label, i;
    int is_private = 0;

    if (scan->text.n - at < n || memcmp(scan->text.p + at, word, n) != 0) {
        return 0;
    }
    label = at + n;
    for (i = label; i < scan->text.n && i - label < LABEL_MAX; i++) {
        char c = scan->text.p[i];

        if (c == 'P' && scan->text.n - i >= sizeof(private_key) - 1
            && memcmp(scan->text.p + i, private_key, sizeof(private_key) - 1) == 0) {
            is_private = 1;
        }
        if (c == '-') {
            return is_private && scan->text.n - i >= 5 && memcmp(scan->text.p + i, "-----", 5) == 0
                       ? i + 5
                       : 0;
        }
        if (c != ' ' && !ai_redact_alnum(c)) {
            return 0;
        }
    }
    return 0;
}

/* RFC 7468. One without an end is one that was cut off: it goes to the end of the text. */
int ai_redact_find_pem(ai_redact_scan_t *scan, apr_size_t at, apr_size_t *from, apr_size_t *to)
{
    apr_size_t i = pem_line_ends(scan, at, "-----BEGIN "), end = 0;

    if (!i) {
        return 0;
    }
    for (; i < scan->text.n && !end; i++) {
        end = scan->text.p[i] == '-' ? pem_line_ends(scan, i, "-----END ") : 0;
    }
    *from = at;
    *to = end ? end : scan->text.n;
    return 1;
}
