/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sim_json.c - what does the request's JSON say?
 *
 * Reads the text in place and keeps no tree: a request is looked at a few times only, and ten
 * thousand waiting calls must not hold ten thousand trees.  On purpose not the JSON library the
 * gateway uses, so that both cannot be wrong in the same way.
 */
#include <string.h>

#include "ai_sim.h"

#define DEPTH_MAX 512

static const char *skip_space(const char *p, const char *end)
{
    while (p < end && (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r')) {
        p++;
    }
    return p;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static const char *skip_string(const char *p, const char *end)
{
    for (p++; p < end; p++) {
        if (*p == '"') {
            return p + 1;
        }
        if ((unsigned char)*p < 0x20) {
            return NULL;
        }
        if (*p != '\\') {
            continue;
        }
        if (++p == end || !strchr("\"\\/bfnrtu", *p) || *p == '\0') {
            return NULL;
        }
        if (*p == 'u') {
            int i;

            for (i = 1; i <= 4; i++) {
                if (end - p <= i || hex_value(p[i]) < 0) {
                    return NULL;
                }
            }
            p += 4;
        }
    }
    return NULL;
}

static const char *skip_digits(const char *p, const char *end)
{
    const char *start = p;

    while (p < end && *p >= '0' && *p <= '9') {
        p++;
    }
    return p == start ? NULL : p;
}

static const char *skip_number(const char *p, const char *end)
{
    if (*p == '-') {
        p++;
    }
    if (p < end && *p == '0') {
        p++;
    }
    else {
        p = skip_digits(p, end);
    }
    if (p && p < end && *p == '.') {
        p = skip_digits(p + 1, end);
    }
    if (p && p < end && (*p == 'e' || *p == 'E')) {
        p++;
        if (p < end && (*p == '+' || *p == '-')) {
            p++;
        }
        p = skip_digits(p, end);
    }
    return p;
}

static const char *skip_value(const char *p, const char *end, int depth);

/* Objects and arrays: the same walk, with names or without. */
static const char *skip_container(const char *p, const char *end, int depth)
{
    int named = *p == '{';
    char closer = named ? '}' : ']';

    p = skip_space(p + 1, end);
    if (p < end && *p == closer) {
        return p + 1;
    }
    while (p < end) {
        if (named) {
            p = *p == '"' ? skip_string(p, end) : NULL;
            p = p ? skip_space(p, end) : NULL;
            if (!p || p == end || *p != ':') {
                return NULL;
            }
            p++;
        }
        p = skip_value(p, end, depth + 1);
        p = p ? skip_space(p, end) : NULL;
        if (!p || p == end) {
            return NULL;
        }
        if (*p == closer) {
            return p + 1;
        }
        if (*p != ',') {
            return NULL;
        }
        p = skip_space(p + 1, end);
    }
    return NULL;
}

static const char *skip_word(const char *p, const char *end, const char *word)
{
    size_t n = strlen(word);

    return (size_t)(end - p) >= n && memcmp(p, word, n) == 0 ? p + n : NULL;
}

static const char *skip_value(const char *p, const char *end, int depth)
{
    p = skip_space(p, end);
    if (p == end || depth > DEPTH_MAX) {
        return NULL;
    }
    switch (*p) {
    case '{':
    case '[':
        return skip_container(p, end, depth);
    case '"':
        return skip_string(p, end);
    case 't':
        return skip_word(p, end, "true");
    case 'f':
        return skip_word(p, end, "false");
    case 'n':
        return skip_word(p, end, "null");
    default:
        return skip_number(p, end);
    }
}

int json_valid(text_t t)
{
    const char *end = t.p + t.n;
    const char *p = t.n ? skip_value(t.p, end, 0) : NULL;

    return p && skip_space(p, end) == end;
}

/* From *pos to the next name or value; NULL at the closing bracket. */
static const char *next_start(text_t t, size_t pos)
{
    const char *end = t.p + t.n;
    const char *p = skip_space(t.p + pos, end);

    if (pos == 0) {
        p = skip_space(p + 1, end);
    }
    else if (p < end && *p == ',') {
        p = skip_space(p + 1, end);
    }
    return p < end && *p != ']' && *p != '}' ? p : NULL;
}

int json_next_member(text_t t, size_t *pos, text_t *name, text_t *value)
{
    const char *end = t.p + t.n;
    const char *p = t.n && *t.p == '{' ? next_start(t, *pos) : NULL;
    const char *q = p ? skip_string(p, end) : NULL;

    if (!q) {
        return 0;
    }
    *name = (text_t) { p + 1, (size_t)(q - p) - 2 };
    p = skip_space(skip_space(q, end) + 1, end);
    q = skip_value(p, end, 0);
    if (!q) {
        return 0;
    }
    *value = (text_t) { p, (size_t)(q - p) };
    *pos = (size_t)(q - t.p);
    return 1;
}

int json_next_item(text_t t, size_t *pos, text_t *value)
{
    const char *p = t.n && *t.p == '[' ? next_start(t, *pos) : NULL;
    const char *q = p ? skip_value(p, t.p + t.n, 0) : NULL;

    if (!q) {
        return 0;
    }
    *value = (text_t) { p, (size_t)(q - p) };
    *pos = (size_t)(q - t.p);
    return 1;
}

text_t json_get(text_t t, const char *name)
{
    text_t found = { NULL, 0 };
    text_t key, value;
    size_t pos = 0;

    while (json_next_member(t, &pos, &key, &value)) {
        if (text_is(key, name)) {
            found = value;
        }
    }
    return found;
}

static unsigned hex4(const char *p)
{
    return (unsigned)(hex_value(p[0]) << 12 | hex_value(p[1]) << 8 | hex_value(p[2]) << 4
                      | hex_value(p[3]));
}

static void add_utf8(buf_t *out, unsigned c)
{
    char *p = buf_room(out, 4);
    int n = 0;

    if (c < 0x80) {
        p[n++] = (char)c;
    }
    else if (c < 0x800) {
        p[n++] = (char)(0xc0 | c >> 6);
        p[n++] = (char)(0x80 | (c & 0x3f));
    }
    else if (c < 0x10000) {
        p[n++] = (char)(0xe0 | c >> 12);
        p[n++] = (char)(0x80 | (c >> 6 & 0x3f));
        p[n++] = (char)(0x80 | (c & 0x3f));
    }
    else {
        p[n++] = (char)(0xf0 | c >> 18);
        p[n++] = (char)(0x80 | (c >> 12 & 0x3f));
        p[n++] = (char)(0x80 | (c >> 6 & 0x3f));
        p[n++] = (char)(0x80 | (c & 0x3f));
    }
    out->len += (size_t)n;
}

/* One \uXXXX, or a pair of them; returns the last byte it used. */
static const char *decode_unicode(const char *p, const char *end, buf_t *out)
{
    unsigned c = hex4(p + 1);

    p += 4;
    if (c >= 0xd800 && c < 0xdc00 && end - p > 6 && p[1] == '\\' && p[2] == 'u') {
        unsigned low = hex4(p + 3);

        if (low >= 0xdc00 && low < 0xe000) {
            c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
            p += 6;
        }
    }
    add_utf8(out, c);
    return p;
}

void json_decode(text_t t, buf_t *out)
{
    static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
    const char *p, *end;

    if (t.n < 2 || *t.p != '"') {
        return;
    }
    end = t.p + t.n - 1;
    for (p = t.p + 1; p < end; p++) {
        const char *escape;

        if (*p != '\\') {
            buf_add(out, p, 1);
            continue;
        }
        p++;
        if (*p == 'u') {
            p = decode_unicode(p, end, out);
            continue;
        }
        escape = strchr(from, *p);
        buf_add(out, escape ? to + (escape - from) : p, 1);
    }
}

int json_is_true(text_t t)
{
    return text_is(t, "true");
}

long json_number(text_t t, long max)
{
    long value;

    return text_number(t, max, &value) ? value : -1;
}

size_t json_content_bytes(text_t t)
{
    size_t sum = 0, pos = 0;
    text_t item;

    if (t.n == 0) {
        return 0;
    }
    if (*t.p == '"') {
        buf_t text = { NULL, 0, 0 };

        json_decode(t, &text);
        sum = text.len;
        buf_free(&text);
        return sum;
    }
    if (*t.p == '[') {
        while (json_next_item(t, &pos, &item)) {
            sum += json_content_bytes(item);
        }
        return sum;
    }
    if (*t.p == '{') {
        item = json_get(t, "text");
        return json_content_bytes(item.p ? item : json_get(t, "content"));
    }
    return *t.p == '-' || (*t.p >= '0' && *t.p <= '9') ? 4 : 0;
}
