/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sim_buf.c - how does the simulator keep and look at bytes?
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "ai_sim.h"

static void *checked(void *p)
{
    if (!p) {
        fprintf(stderr, "ai-sim: out of memory\n");
        abort();
    }
    return p;
}

void *sim_alloc(size_t size)
{
    return checked(calloc(1, size));
}

char *buf_room(buf_t *b, size_t n)
{
    if (b->cap - b->len < n) {
        size_t cap = b->cap ? b->cap * 2 : 256;

        while (cap - b->len < n) {
            cap *= 2;
        }
        b->p = checked(realloc(b->p, cap));
        b->cap = cap;
    }
    return b->p + b->len;
}

void buf_add(buf_t *b, const void *bytes, size_t n)
{
    if (n) {
        memcpy(buf_room(b, n), bytes, n);
        b->len += n;
    }
}

void buf_str(buf_t *b, const char *s)
{
    buf_add(b, s, strlen(s));
}

void buf_fmt(buf_t *b, const char *fmt, ...)
{
    size_t room = 128;
    va_list ap;
    int n;

    for (;;) {
        char *p = buf_room(b, room);

        va_start(ap, fmt);
        n = vsnprintf(p, room, fmt, ap);
        va_end(ap);
        if (n < 0) {
            return;
        }
        if ((size_t)n < room) {
            b->len += (size_t)n;
            return;
        }
        room = (size_t)n + 1;
    }
}

/* Length of the UTF-8 character at p, 0 when it is none.  Overlong forms and surrogates are not
 * told apart: the simulator only has to stay printable. */
static size_t utf8_length(const unsigned char *p, size_t n)
{
    size_t len = p[0] < 0x80 ? 1 : p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    size_t i;

    if ((p[0] >= 0x80 && p[0] < 0xc2) || p[0] > 0xf4 || len > n) {
        return 0;
    }
    for (i = 1; i < len; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return len;
}

void buf_quote(buf_t *b, const char *text, size_t n)
{
    const unsigned char *p = (const unsigned char *)text;
    size_t i = 0;

    buf_str(b, "\"");
    while (i < n) {
        size_t len = utf8_length(p + i, n - i);

        if (p[i] == '"' || p[i] == '\\') {
            buf_fmt(b, "\\%c", p[i]);
        }
        else if (p[i] == '\n') {
            buf_str(b, "\\n");
        }
        else if (len == 0 || p[i] < 0x20 || p[i] == 0x7f) {
            buf_fmt(b, "\\u%04x", p[i]);
        }
        else {
            buf_add(b, p + i, len);
        }
        i += len ? len : 1;
    }
    buf_str(b, "\"");
}

void buf_drop(buf_t *b, size_t n)
{
    b->len -= n;
    if (b->len) {
        memmove(b->p, b->p + n, b->len);
    }
}

void buf_free(buf_t *b)
{
    free(b->p);
    memset(b, 0, sizeof(*b));
}

text_t buf_text(const buf_t *b)
{
    return (text_t) { b->p, b->len };
}

int text_is(text_t t, const char *s)
{
    size_t n = strlen(s);

    return t.n == n && (n == 0 || memcmp(t.p, s, n) == 0);
}

int text_is_nocase(text_t t, const char *s)
{
    size_t n = strlen(s);

    return t.n == n && (n == 0 || strncasecmp(t.p, s, n) == 0);
}

int text_ends(text_t t, const char *s)
{
    size_t n = strlen(s);

    return t.n >= n && memcmp(t.p + t.n - n, s, n) == 0;
}

text_t text_trim(text_t t)
{
    while (t.n && (t.p[0] == ' ' || t.p[0] == '\t')) {
        t.p++;
        t.n--;
    }
    while (t.n && (t.p[t.n - 1] == ' ' || t.p[t.n - 1] == '\t')) {
        t.n--;
    }
    return t;
}

int text_number(text_t t, long max, long *out)
{
    long value = 0;
    size_t i;

    if (t.n == 0) {
        return 0;
    }
    for (i = 0; i < t.n; i++) {
        int digit = t.p[i] - '0';

        if (digit < 0 || digit > 9 || value > (max - digit) / 10) {
            return 0;
        }
        value = value * 10 + digit;
    }
    *out = value;
    return 1;
}

text_t query_value(text_t query, const char *name)
{
    size_t n = strlen(name);
    size_t i = 0;

    while (i < query.n) {
        const char *p = query.p + i;
        const char *amp = memchr(p, '&', query.n - i);
        size_t len = amp ? (size_t)(amp - p) : query.n - i;

        if (len > n && p[n] == '=' && memcmp(p, name, n) == 0) {
            return (text_t) { p + n + 1, len - n - 1 };
        }
        i += len + 1;
    }
    return (text_t) { NULL, 0 };
}

void buf_base64(buf_t *b, const char *p, size_t n)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *raw = (const unsigned char *)p;
    char *to = buf_room(b, n * 4 / 3 + 4);
    size_t i, len = 0;

    for (i = 0; i < n; i += 3) {
        unsigned group = (unsigned)raw[i] << 16 | (i + 1 < n ? (unsigned)raw[i + 1] << 8 : 0)
                         | (i + 2 < n ? (unsigned)raw[i + 2] : 0);

        to[len++] = digits[group >> 18];
        to[len++] = digits[group >> 12 & 63];
        to[len++] = i + 1 < n ? digits[group >> 6 & 63] : '=';
        to[len++] = i + 2 < n ? digits[group & 63] : '=';
    }
    b->len += len;
}
