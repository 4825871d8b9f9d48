/* SPDX-License-Identifier: Apache-2.0 */
/* ai_traceparent.c - which trace is a request a part of? */

#include <stddef.h>
#include <string.h>

#include "ai_traceparent.h"

#define ENTRIES_MAX 32
#define KEY_MAX 256
#define TENANT_MAX 241
#define SYSTEM_MAX 14
#define VALUE_MAX 256

static int digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The two digits at text, or -1. */
static int octet(const char *text)
{
    int high = digit(text[0]), low = high < 0 ? -1 : digit(text[1]);

    return low < 0 ? -1 : high << 4 | low;
}

/* 1 when that many digits stand at text, and not all are nought. */
static int has_id(const char *text, int digits)
{
    int i, any = 0;

    for (i = 0; i < digits; i++) {
        int value = digit(text[i]);

        if (value < 0) {
            return 0;
        }
        any |= value;
    }
    return any != 0;
}

int ai_traceparent_is_id(const char *text, int digits)
{
    return has_id(text, digits) && !text[digits];
}

int ai_traceparent_read(const char *text, ai_traceparent_t *out)
{
    int version = octet(text), flags;

    /* Each step looks only where the one before has found no end. */
    if (version < 0 || version == 0xff || text[2] != '-' || !has_id(text + 3, AI_TRACE_ID_TEXT)
        || text[35] != '-' || !has_id(text + 36, AI_SPAN_ID_TEXT) || text[52] != '-') {
        return 0;
    }
    flags = octet(text + 53);
    if (flags < 0 || (text[55] && (version == 0 || text[55] != '-'))) {
        return 0;
    }
    memcpy(out->trace, text + 3, AI_TRACE_ID_TEXT);
    out->trace[AI_TRACE_ID_TEXT] = '\0';
    memcpy(out->span, text + 36, AI_SPAN_ID_TEXT);
    out->span[AI_SPAN_ID_TEXT] = '\0';
    out->flags = (unsigned)flags & (AI_TRACE_SAMPLED | AI_TRACE_RANDOM);
    return 1;
}

void ai_traceparent_hex(const unsigned char *bytes, int n, char *text)
{
    static const char hex[] = "0123456789abcdef";
    int i;

    for (i = 0; i < n; i++) {
        *text++ = hex[bytes[i] >> 4];
        *text++ = hex[bytes[i] & 15];
    }
    *text = '\0';
}

void ai_traceparent_write(const ai_traceparent_t *parent, char text[AI_TRACEPARENT_TEXT + 1])
{
    unsigned char flags = (unsigned char)parent->flags;

    memcpy(text, "00-", 3);
    memcpy(text + 3, parent->trace, AI_TRACE_ID_TEXT);
    text[35] = '-';
    memcpy(text + 36, parent->span, AI_SPAN_ID_TEXT);
    text[52] = '-';
    ai_traceparent_hex(&flags, 1, text + 53);
}

/* --------------------------------------------------------------------------- tracestate */

static int is_key_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c && strchr("_-*/", c));
}

/* How many characters of a key stand at text. */
static int span_of_key(const char *text)
{
    int n = 0;

    while (is_key_char(text[n])) {
        n++;
    }
    return n;
}

/* How long the key at text is: "name", or "tenant@system"; 0 when there is none. Level 2 lets each
 * begin with a digit. */
static int key_at(const char *text)
{
    int n = span_of_key(text), system;

    if (!n || strchr("_-*/", *text)) {
        return 0;
    }
    if (text[n] != '@') {
        return n <= KEY_MAX ? n : 0;
    }
    system = span_of_key(text + n + 1);
    if (n > TENANT_MAX || !system || system > SYSTEM_MAX || text[n + 1] < 'a' || text[n + 1] > 'z') {
        return 0;
    }
    return n + 1 + system;
}

/* How long the value at text is, white space behind it not counted; 0 when there is none. */
static int value_at(const char *text)
{
    int n = 0, last = 0;

    while (text[n] == '\t' || (text[n] >= ' ' && text[n] <= '~' && text[n] != ',' && text[n] != '=')) {
        n++;
        if (text[n - 1] != ' ' && text[n - 1] != '\t') {
            last = n;
        }
    }
    return last <= VALUE_MAX && !memchr(text, '\t', (size_t)last) ? last : 0;
}

static const char *skip_space(const char *at)
{
    while (*at == ' ' || *at == '\t') {
        at++;
    }
    return at;
}

typedef struct key_t {
    const char *text;
    int n;
} key_t;

/* Adds a key to those that there were. 0 when it is one too many, or was there. */
static int add_key(key_t *keys, int *n_keys, const char *text, int n)
{
    int i;

    for (i = 0; i < *n_keys; i++) {
        if (keys[i].n == n && memcmp(keys[i].text, text, (size_t)n) == 0) {
            return 0;
        }
    }
    if (*n_keys == ENTRIES_MAX) {
        return 0;
    }
    keys[*n_keys].text = text;
    keys[(*n_keys)++].n = n;
    return 1;
}

int ai_tracestate_read(const char *text)
{
    key_t keys[ENTRIES_MAX];
    const char *at = text;
    int n_keys = 0, end = 0;

    for (;;) {
        int key, value;

        at = skip_space(at);
        if (*at && *at != ',') { /* an entry may be empty */
            key = key_at(at);
            if (!key || at[key] != '=' || !add_key(keys, &n_keys, at, key)) {
                return 0;
            }
            at += key + 1;
            value = value_at(at);
            if (!value) {
                return 0;
            }
            at += value;
            end = at - text <= AI_TRACESTATE_MAX ? (int)(at - text) : end;
            at = skip_space(at);
        }
        if (!*at) {
            return end;
        }
        if (*at++ != ',') {
            return 0;
        }
    }
}
