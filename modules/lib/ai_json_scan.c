/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_json_scan.c - is this a string, a number, an escape, a character?
 */
#include "ai_json_scan.h"

static int is_digit(const char *at, const char *end)
{
    return at < end && *at >= '0' && *at <= '9';
}

apr_size_t ai_json_utf8(const char *text, const char *end)
{
    const unsigned char *s = (const unsigned char *)text;
    unsigned char low = s[0] == 0xE0 ? 0xA0 : s[0] == 0xF0 ? 0x90 : 0x80;
    unsigned char high = s[0] == 0xED ? 0x9F : s[0] == 0xF4 ? 0x8F : 0xBF;
    apr_size_t n = s[0] < 0xE0 ? 2 : s[0] < 0xF0 ? 3 : 4;
    apr_size_t i;

    if (s[0] < 0xC2 || s[0] > 0xF4 || (apr_size_t)(end - text) < n) {
        return 0;
    }
    if (s[1] < low || s[1] > high) {
        return 0;
    }
    for (i = 2; i < n; i++) {
        if ((s[i] & 0xC0) != 0x80) {
            return 0;
        }
    }
    return n;
}

/* Writes a code point as UTF-8 and returns its length. */
static apr_size_t put_utf8(apr_uint32_t code, char *out)
{
    apr_size_t n = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    static const unsigned char lead[] = { 0, 0, 0xC0, 0xE0, 0xF0 };
    apr_size_t i;

    for (i = n; i-- > 1; code >>= 6) {
        out[i] = (char)(0x80 | (code & 0x3F));
    }
    out[0] = (char)(lead[n] | code);
    return n;
}

/* The code unit of a \uXXXX at text, or -1. */
static long read_unit(const char *text, const char *end)
{
    long unit = 0;
    int i;

    if (end - text < 6 || text[0] != '\\' || text[1] != 'u') {
        return -1;
    }
    for (i = 2; i < 6; i++) {
        char c = text[i];
        char folded = (char)(c | 0x20);

        if (c >= '0' && c <= '9') {
            unit = unit * 16 + (c - '0');
        }
        else if (folded >= 'a' && folded <= 'f') {
            unit = unit * 16 + (folded - 'a' + 10);
        }
        else {
            return -1;
        }
    }
    return unit;
}

/* Decodes the escape at text. Returns how many bytes it takes, 0 when it is cut or wrong. */
static apr_size_t read_escape(const char *text, const char *end, apr_uint32_t *code)
{
    static const char from[] = "\"\\/bfnrt";
    static const char to[] = "\"\\/\b\f\n\r\t";
    long unit, low;

    if (end - text < 2) {
        return 0;
    }
    if (text[1] != 'u') {
        const char *found = memchr(from, text[1], sizeof(from) - 1);

        *code = found ? (apr_uint32_t)to[found - from] : 0;
        return found ? 2 : 0;
    }
    unit = read_unit(text, end);
    if (unit < 0 || (unit >= 0xDC00 && unit <= 0xDFFF)) {
        return 0;
    }
    if (unit < 0xD800 || unit > 0xDFFF) {
        *code = (apr_uint32_t)unit;
        return 6;
    }
    low = read_unit(text + 6, end);
    if (low < 0xDC00 || low > 0xDFFF) {
        return 0;
    }
    *code = (apr_uint32_t)(0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00));
    return 12;
}

/* 1 when text is an escape that is half of a surrogate pair: \uD800 to \uDFFF. */
static int is_half(const char *text, const char *end)
{
    long unit = end - text >= 2 && text[1] == 'u' ? read_unit(text, end) : -1;

    return unit >= 0xD800 && unit <= 0xDFFF;
}

const char *ai_json_scan_string(const char *at, const char *end, int halves, int *escaped,
                                const char **wrong, const char **reason)
{
    apr_uint32_t code;
    apr_size_t n;

    for (;;) {
        if (at == end || (unsigned char)*at < 0x80) { /* text in other letters goes straight on */
            at = ai_json_skip_plain(at, end, AI_JSON_TOPS);
        }
        *wrong = at;
        if (at == end) {
            *reason = "the text ends early";
            return NULL;
        }
        if (*at == '"') {
            return at;
        }
        if (*at == '\\') {
            n = read_escape(at, end, &code);
            if (!n && halves && is_half(at, end)) {
                n = 6;
            }
            *reason = "not an escape, or half a surrogate pair";
            *escaped = 1;
        }
        else if ((unsigned char)*at < 0x20) {
            n = 0;
            *reason = "a control character in a string";
        }
        else {
            n = ai_json_utf8(at, end);
            *reason = "not UTF-8";
        }
        if (n == 0) {
            return NULL;
        }
        at += n;
    }
}

const char *ai_json_scan_number(const char *at, const char *end, const char **wrong)
{
    at += at < end && *at == '-';
    *wrong = at;
    if (!is_digit(at, end)) {
        return NULL;
    }
    if (*at == '0') {
        at++;
    }
    else {
        while (is_digit(at, end)) {
            at++;
        }
    }
    if (at < end && *at == '.') {
        *wrong = ++at;
        if (!is_digit(at, end)) {
            return NULL;
        }
        while (is_digit(at, end)) {
            at++;
        }
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        at++;
        at += at < end && (*at == '+' || *at == '-');
        *wrong = at;
        if (!is_digit(at, end)) {
            return NULL;
        }
        while (is_digit(at, end)) {
            at++;
        }
    }
    return at;
}

ai_json_cursor_t ai_json_cursor(const char *at, const char *end)
{
    ai_json_cursor_t cursor = { at, end, { 0 }, 0, 0 };

    return cursor;
}

int ai_json_next_byte(ai_json_cursor_t *cursor)
{
    apr_uint32_t code;
    apr_size_t n;

    if (cursor->next_held < cursor->n_held) {
        return (unsigned char)cursor->held[cursor->next_held++];
    }
    if (cursor->at == cursor->end || *cursor->at == '"') {
        return -1;
    }
    if (*cursor->at != '\\') {
        return (unsigned char)*cursor->at++;
    }
    n = read_escape(cursor->at, cursor->end, &code);
    if (n == 0) {
        return -2;
    }
    cursor->at += n;
    cursor->n_held = put_utf8(code, cursor->held);
    cursor->next_held = 1;
    return (unsigned char)cursor->held[0];
}
