/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_redact_find.c - where can somebody be reached: addresses of mail, of the internet, telephones.
 *
 * Lives in: nothing.  Shared state: none.  May block: no.
 */
#include "ai_redact_find.h"

/* ----------------------------------------------------------------------------------- mail */

#define QUOTED_MAX 66  /* RFC 5321, 4.5.3.1.1: a local part has 64 bytes */
#define DOMAIN_MAX 255

/* RFC 5322 has more; those are left out that stand before an address more often than in one. */
static int is_local(char c)
{
    return ai_redact_alnum(c) || (c && strchr(".!#$%'*+-^_~", c));
}

static int is_high(char c)
{
    return (unsigned char)c >= 0x80;
}

/* Two bytes of UTF-8 before that place: a letter of an alphabet, which an address may have (RFC
 * 6531); writing without spaces between words has three. */
static int is_letter_before(const char *text, apr_size_t at)
{
    return (unsigned char)text[at - 2] >= 0xC2 && (unsigned char)text[at - 2] <= 0xDF
           && is_high(text[at - 1]);
}

/* Where the local part begins that ends before at; at itself when there is none. */
static apr_size_t local_begins(const ai_redact_scan_t *scan, apr_size_t at)
{
    const char *text = scan->text.p;
    apr_size_t from = at, least = scan->done;

    if (at > least && text[at - 1] == '"') {
        least = at - least > QUOTED_MAX ? at - QUOTED_MAX : least;
        for (from = at - 1; from > least; from--) {
            if (text[from - 1] == '"') {
                return from - 1;
            }
        }
        return at;
    }
    if (at > least && (unsigned char)text[at - 1] >= 0x80) {
        while (from > least && (is_high(text[from - 1]) || is_local(text[from - 1]))) {
            from--;
        }
    }
    while (from > least
           && (is_local(text[from - 1])
               || (from - least >= 2 && is_letter_before(text, from)))) {
        from -= is_local(text[from - 1]) ? 1 : 2;
    }
    if (from > 0 && from < at && text[from - 1] == '\\') {
        from += ai_redact_escape(scan->text, from - 1) - 1;
    }
    while (from < at && !ai_redact_alnum(text[from]) && !is_high(text[from])
           && text[from] != '_') {
        from++;
    }
    return from < at ? from : at;
}

/* Where the domain ends that begins at from; from itself when it is none. */
static apr_size_t domain_ends(const ai_redact_scan_t *scan, apr_size_t from)
{
    apr_size_t at = from, dot = 0;
    char first = ai_redact_at(scan, from);
    int is_ascii = ai_redact_alnum(first);

    if (!is_ascii && !is_high(first)) {
        return from;
    }
    for (; at < scan->text.n; at++) {
        char c = scan->text.p[at];

        if (c == '.' && at > from && scan->text.p[at - 1] == '.') {
            break;
        }
        if (c != '.' && c != '-' && !ai_redact_alnum(c)
            && !(is_high(c) && (!is_ascii || (unsigned char)c < 0xE0))) {
            break;
        }
        if (at - from >= DOMAIN_MAX && (unsigned char)(c & 0xC0) != 0x80) {
            break;
        }
    }
    while (at > from && (scan->text.p[at - 1] == '.' || scan->text.p[at - 1] == '-')) {
        at--;
    }
    for (dot = at; dot > from && scan->text.p[dot - 1] != '.'; dot--) {
    }
    return dot > from && at - dot >= 2 && !ai_redact_digit(scan->text.p[dot]) ? at : from;
}

int ai_redact_find_email(ai_redact_scan_t *scan, apr_size_t at, apr_size_t *from, apr_size_t *to)
{
    *from = local_begins(scan, at);
    *to = domain_ends(scan, at + 1);
    return *from < at && *to > at + 1;
}

/* ------------------------------------------------------------------------------- internet */

/* The end of an IPv4 address (RFC 3986's form: no leading zeros) that begins at, or 0. */
static apr_size_t ip4_ends(const ai_redact_scan_t *scan, apr_size_t at)
{
    int part, digits, value;

    for (part = 0; part < 4; part++) {
        if (part && ai_redact_at(scan, at++) != '.') {
            return 0;
        }
        for (digits = value = 0; digits < 4 && ai_redact_digit(ai_redact_at(scan, at)); digits++) {
            value = value * 10 + (scan->text.p[at++] - '0');
        }
        if (!digits || value > 255 || (digits > 1 && scan->text.p[at - (apr_size_t)digits] == '0')) {
            return 0;
        }
    }
    /* Longer ones are no addresses, but numbers of sections, of objects, of versions. */
    return ai_redact_ends(scan, at)
                   && !(ai_redact_at(scan, at) == '.' && ai_redact_digit(ai_redact_at(scan, at + 1)))
               ? at
               : 0;
}

static int hex_digits(const ai_redact_scan_t *scan, apr_size_t at, int *has_digit)
{
    int n = 0;

    while (n < 5 && apr_isxdigit(ai_redact_at(scan, at + (apr_size_t)n))) {
        *has_digit |= ai_redact_digit(scan->text.p[at + (apr_size_t)n]);
        n++;
    }
    return n;
}

/*
 * The end of an IPv6 address (RFC 4291) that begins with a group of hexadecimal digits, or 0. Source
 * code has much that looks alike ("a::b", "x[1::2]"): it must have a digit and two groups.
 */
static apr_size_t ip6_ends(const ai_redact_scan_t *scan, apr_size_t at)
{
    int groups = 0, gap = 0, has_digit = 0, n;

    for (;;) {
        n = hex_digits(scan, at, &has_digit);
        if (n > 4) {
            return 0;
        }
        if (n && ai_redact_at(scan, at + (apr_size_t)n) == '.' && (gap || groups == 6)
            && ip4_ends(scan, at)) {
            at = ip4_ends(scan, at);
            groups += 2;
            break;
        }
        at += (apr_size_t)n;
        groups += n > 0;
        if (groups == 8 || ai_redact_at(scan, at) != ':') {
            break;
        }
        if (ai_redact_at(scan, at + 1) == ':') {
            if (gap++) {
                return 0;
            }
            at += 2;
            if (!apr_isxdigit(ai_redact_at(scan, at))) {
                break;
            }
        }
        else if (!apr_isxdigit(ai_redact_at(scan, at + 1))) {
            break;
        }
        else {
            at++;
        }
    }
    if (!ai_redact_ends(scan, at) || !has_digit
        || (ai_redact_at(scan, at) == ':' && ai_redact_at(scan, at + 1) != ' ' && groups == 8)) {
        return 0;
    }
    return gap ? (groups >= 2 && groups <= 7 ? at : 0) : groups == 8 ? at : 0;
}

int ai_redact_find_ip(ai_redact_scan_t *scan, apr_size_t at, apr_size_t *from, apr_size_t *to)
{
    apr_size_t end = 0;

    /* Behind a dot it is the rest of something longer. */
    if (at > scan->done && scan->text.p[at - 1] == '.') {
        return 0;
    }
    if (ai_redact_digit(scan->text.p[at])) {
        end = ip4_ends(scan, at);
    }
    *from = at;
    *to = end ? end : ip6_ends(scan, at);
    return *to != 0;
}

/* ------------------------------------------------------------------------------ telephone */

#define PHONE_LEAST 8
#define PHONE_MOST 15 /* ITU-T E.164, 6.2.1 */

static int is_apart(char c)
{
    return c && strchr(" -./()", c) != NULL;
}

/* "+49 (0)30 901820": E.123 has spaces; people write others, and up to three of them. */
int ai_redact_find_phone(ai_redact_scan_t *scan, apr_size_t at, apr_size_t *from, apr_size_t *to)
{
    apr_size_t i = at + 1, end = 0;
    int digits = 0, apart = 0;

    if ((at > scan->done && ai_redact_alnum(scan->text.p[at - 1])) || ai_redact_at(scan, i) == '0') {
        return 0;
    }
    for (; apart <= 3; i++) {
        char c = ai_redact_at(scan, i);

        if (ai_redact_digit(c)) {
            apart = 0;
            if (++digits > PHONE_MOST) {
                break;
            }
            if (digits >= PHONE_LEAST && ai_redact_ends(scan, i + 1)) {
                end = i + 1;
            }
        }
        else if (is_apart(c) && digits) {
            apart++;
        }
        else {
            break;
        }
    }
    *from = at;
    *to = end;
    return end != 0;
}
