/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_json_read.c - what does this value hold?
 *
 * All of it takes bytes that nobody checked. A walk looks only for the ends of values: quotes,
 * and brackets that match.
 */
#include <apr_strings.h>

#include "ai_json.h"
#include "ai_json_scan.h"

/* --- Walks ---------------------------------------------------------------------------------- */

ai_json_type_e ai_json_type(ai_slice_t value)
{
    if (value.n == 0) {
        return AI_JSON_NONE;
    }
    switch (value.p[0]) {
    case '{':
        return AI_JSON_OBJECT;
    case '[':
        return AI_JSON_ARRAY;
    case '"':
        return AI_JSON_STRING;
    case 't':
    case 'f':
        return AI_JSON_BOOL;
    case 'n':
        return AI_JSON_NULL;
    default:
        return value.p[0] == '-' || (value.p[0] >= '0' && value.p[0] <= '9') ? AI_JSON_NUMBER
                                                                             : AI_JSON_NONE;
    }
}

/* The place of the quote that closes the string that began before at, or NULL. It is the first one
 * with an even number of backslashes before it. */
static const char *skip_string(const char *at, const char *end)
{
    const char *begin = at, *run;

    while (at < end && (at = memchr(at, '"', (apr_size_t)(end - at)))) {
        for (run = at; run > begin && run[-1] == '\\'; run--) {
        }
        if ((at - run) % 2 == 0) {
            return at;
        }
        at++;
    }
    return NULL;
}

/* Behind the bracket that closes the one at text, or NULL. */
static const char *skip_brackets(const char *at, const char *end)
{
    char closing[AI_JSON_DEPTH];
    int depth = 0;

    for (; at < end; at++) {
        if (*at == '"') {
            at = skip_string(at + 1, end);
            if (!at) {
                return NULL;
            }
        }
        else if (*at == '{' || *at == '[') {
            if (depth == AI_JSON_DEPTH) {
                return NULL;
            }
            closing[depth++] = *at == '{' ? '}' : ']';
        }
        else if (*at == '}' || *at == ']') {
            if (*at != closing[--depth]) {
                return NULL;
            }
            if (depth == 0) {
                return at + 1;
            }
        }
    }
    return NULL;
}

/* Behind the value at text, or NULL. */
static const char *skip_value(const char *at, const char *end)
{
    const char *begin = at;

    if (at < end && (*at == '{' || *at == '[')) {
        return skip_brackets(at, end);
    }
    if (at < end && *at == '"') {
        at = skip_string(at + 1, end);
        return at ? at + 1 : NULL;
    }
    while (at < end && !memchr(" \t\r\n,:\"{}[]", *at, 11)) {
        at++;
    }
    return at > begin ? at : NULL;
}

int ai_json_walk(ai_json_walk_t *walk, ai_slice_t value)
{
    walk->at = walk->end = value.p;
    if (value.n > 0) {
        walk->end = value.p + value.n;
        walk->at = ai_json_skip_space(value.p, walk->end);
    }
    walk->started = 0;
    walk->is_object = walk->at < walk->end && *walk->at == '{';
    if (!walk->is_object && !(walk->at < walk->end && *walk->at == '[')) {
        walk->end = walk->at;
        return 0;
    }
    walk->at++;
    return 1;
}

/* Ends a walk: every later step says -1, or 0 after a good end. */
static int stop(ai_json_walk_t *walk, int result)
{
    walk->at = walk->end = NULL;
    walk->started = result == 0 ? 2 : 3;
    return result;
}

int ai_json_next(ai_json_walk_t *walk, ai_json_member_t *member)
{
    const char *at = ai_json_skip_space(walk->at, walk->end), *end = walk->end, *begin;

    member->key.p = member->value.p = NULL;
    member->key.n = member->value.n = 0;
    if (at == end) {
        return stop(walk, walk->started == 2 ? 0 : -1);
    }
    if (*at == (walk->is_object ? '}' : ']')) {
        return stop(walk, 0);
    }
    if (walk->started) {
        if (*at != ',') {
            return stop(walk, -1);
        }
        at = ai_json_skip_space(at + 1, end);
    }
    walk->started = 1;
    if (walk->is_object) {
        begin = at + 1;
        at = at < end && *at == '"' ? skip_string(begin, end) : NULL;
        if (!at) {
            return stop(walk, -1);
        }
        member->key.p = begin;
        member->key.n = (apr_size_t)(at - begin);
        at = ai_json_skip_space(at + 1, end);
        if (at == end || *at != ':') {
            return stop(walk, -1);
        }
        at = ai_json_skip_space(at + 1, end);
    }
    begin = at;
    at = skip_value(begin, end);
    if (!at) {
        return stop(walk, -1);
    }
    member->value.p = begin;
    member->value.n = (apr_size_t)(at - begin);
    walk->at = at;
    return 1;
}

ai_slice_t ai_json_get(ai_slice_t object, const char *name)
{
    ai_slice_t none = { NULL, 0 };
    ai_json_member_t member;
    ai_json_walk_t walk;

    if (ai_json_walk(&walk, object) && walk.is_object) {
        while (ai_json_next(&walk, &member) > 0) {
            if (ai_json_key_is(member.key, name)) {
                return member.value;
            }
        }
    }
    return none;
}

ai_slice_t ai_json_doc_get(const ai_json_doc_t *doc, const char *name)
{
    ai_slice_t none = { NULL, 0 };
    int i;

    for (i = 0; i < doc->n_members; i++) {
        if (ai_json_key_is(doc->members[i].key, name)) {
            return doc->members[i].value;
        }
    }
    return none;
}

/* --- Strings -------------------------------------------------------------------------------- */

static int fold(int c)
{
    return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
}

/* 1 if the decoded bytes of inside, a string without its quotes, are those of text. */
static int decodes_to(ai_slice_t inside, const char *text, int folding)
{
    ai_json_cursor_t cursor;
    apr_size_t n, i;
    int c;

    /* Most differ at once: a key is compared with all that there are. */
    if (!folding && inside.n && inside.p[0] != '\\' && inside.p[0] != text[0]) {
        return 0;
    }
    n = strlen(text);
    if (!folding && inside.n && !memchr(inside.p, '\\', inside.n)) {
        return inside.n == n && memcmp(inside.p, text, n) == 0;
    }
    cursor = ai_json_cursor(inside.p, inside.p + inside.n);
    for (i = 0; i < n; i++) {
        c = ai_json_next_byte(&cursor);
        if (c < 0) {
            return 0;
        }
        if (c != (unsigned char)text[i]
            && !(folding && fold(c) == fold((unsigned char)text[i]))) {
            return 0;
        }
    }
    return ai_json_next_byte(&cursor) == -1 && cursor.at == cursor.end;
}

int ai_json_key_is(ai_slice_t key, const char *name)
{
    return key.p && decodes_to(key, name, 0);
}

int ai_json_key_folds(ai_slice_t key, const char *name)
{
    return key.p && decodes_to(key, name, 1);
}

int ai_json_string_is(ai_slice_t value, const char *text)
{
    if (value.n < 2 || value.p[0] != '"' || value.p[value.n - 1] != '"') {
        return 0;
    }
    return decodes_to((ai_slice_t){ value.p + 1, value.n - 2 }, text, 0);
}

/* Decodes what was scanned, in runs between its escapes. Returns how many bytes there are. */
static apr_size_t decode(const char *at, const char *end, char *out)
{
    const char *escape;
    char *to = out;
    ai_json_cursor_t cursor;

    for (; at < end; at = cursor.at) {
        escape = ai_json_skip_plain(at, end, 0);
        memcpy(to, at, (apr_size_t)(escape - at));
        to += escape - at;
        cursor = ai_json_cursor(escape, end);
        if (escape < end) {
            do {
                *to++ = (char)ai_json_next_byte(&cursor);
            } while (cursor.next_held < cursor.n_held);
        }
    }
    return (apr_size_t)(to - out);
}

apr_status_t ai_json_string(apr_pool_t *p, ai_slice_t value, const char **text, apr_size_t *len)
{
    const char *end, *quote, *wrong, *reason;
    int escaped = 0;
    apr_size_t n = 0;
    char *out;

    *text = NULL;
    if (len) {
        *len = 0;
    }
    if (value.n < 2 || value.p[0] != '"') {
        return APR_EINVAL;
    }
    end = value.p + value.n;
    quote = ai_json_scan_string(value.p + 1, end, 0, &escaped, &wrong, &reason);
    if (!quote || quote + 1 != end) {
        return APR_EINVAL;
    }
    out = apr_palloc(p, value.n - 1);
    if (!escaped) {
        n = value.n - 2;
        memcpy(out, value.p + 1, n);
    }
    else {
        n = decode(value.p + 1, quote, out);
    }
    out[n] = '\0';
    if (!len && memchr(out, 0, n)) {
        return APR_EINVAL;
    }
    *text = out;
    if (len) {
        *len = n;
    }
    return APR_SUCCESS;
}

/* Writes the character at *at as it stands in a JSON string, to out where that is not NULL. */
static apr_size_t quote_one(const char **at, const char *end, char *out)
{
    static const char hex[] = "0123456789abcdef";
    static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
    char written[6] = { '\\', 'u', '0', '0', '0', '0' };
    const char *bytes = *at, *found;
    unsigned char c = (unsigned char)**at;
    apr_size_t taken = 1, n = 1;

    if (c >= 0x80) {
        taken = n = ai_json_utf8(*at, end);
        if (n == 0) {
            taken = 1;
            n = 3;
            bytes = "\xEF\xBF\xBD";
        }
    }
    else if (c != 0 && (found = strchr(from, c)) != NULL) {
        written[1] = to[found - from];
        bytes = written;
        n = 2;
    }
    else if (c < 0x20) {
        written[4] = hex[c >> 4];
        written[5] = hex[c & 15];
        bytes = written;
        n = 6;
    }
    if (out) {
        memcpy(out, bytes, n);
    }
    *at += taken;
    return n;
}

/* Writes a run of bytes that stand for themselves, to out where that is not NULL. */
static apr_size_t quote_run(const char **at, const char *end, char *out)
{
    const char *stop = ai_json_skip_plain(*at, end, AI_JSON_TOPS);
    apr_size_t n = (apr_size_t)(stop - *at);

    if (out) {
        memcpy(out, *at, n);
    }
    *at = stop;
    return n;
}

ai_slice_t ai_json_quote(apr_pool_t *p, ai_slice_t text)
{
    const char *at, *end = text.n > 0 ? text.p + text.n : text.p;
    apr_size_t n = 2;
    ai_slice_t quoted;
    char *out;

    for (at = text.p; at < end;) {
        n += quote_run(&at, end, NULL);
        n += at < end ? quote_one(&at, end, NULL) : 0;
    }
    quoted.p = out = apr_palloc(p, n);
    quoted.n = n;
    *out++ = '"';
    for (at = text.p; at < end;) {
        out += quote_run(&at, end, out);
        out += at < end ? quote_one(&at, end, out) : 0;
    }
    *out = '"';
    return quoted;
}

/* --- Numbers and truth ---------------------------------------------------------------------- */

/* The exponent of a number that begins at its e or ends at at, held within what can matter. */
static apr_int64_t read_exponent(const char *at, const char *end)
{
    const apr_int64_t most = APR_INT64_C(1) << 60;
    apr_int64_t exponent = 0;
    int negative;

    if (at == end) {
        return 0;
    }
    at++;
    negative = *at == '-';
    at += *at == '-' || *at == '+';
    for (; at < end && exponent < most / 16; at++) {
        exponent = exponent * 10 + (*at - '0');
    }
    return negative ? -exponent : exponent;
}

apr_status_t ai_json_int(ai_slice_t value, apr_int64_t *number)
{
    const char *end = value.n > 0 ? value.p + value.n : value.p, *at, *e, *wrong;
    apr_uint64_t sum = 0, limit = APR_INT64_MAX;
    apr_int64_t shift, zeros = 0;
    int negative, in_fraction = 0;

    if (value.n == 0 || ai_json_scan_number(value.p, end, &wrong) != end) {
        return APR_EINVAL;
    }
    negative = value.p[0] == '-';
    limit += (apr_uint64_t)negative;
    for (e = value.p; e < end && *e != 'e' && *e != 'E'; e++) {
    }
    shift = read_exponent(e, end);

    /* The digits are sum, then zeros that count only if another digit follows them. A sum past
     * the limit stays there: the number may yet prove to be no integer. */
    for (at = value.p + negative; at < e; at++) {
        if (*at == '.') {
            in_fraction = 1;
            continue;
        }
        shift -= in_fraction;
        zeros++;
        if (*at != '0') {
            for (; zeros > 0; zeros--) {
                sum = sum > limit / 10 ? limit + 1 : sum * 10;
            }
            sum = sum > limit ? sum : sum + (apr_uint64_t)(*at - '0');
        }
    }
    shift += zeros;
    if (sum > 0 && shift < 0) {
        return APR_EINVAL;
    }
    for (; sum > 0 && sum <= limit && shift > 0; shift--) {
        sum = sum > limit / 10 ? limit + 1 : sum * 10;
    }
    if (sum > limit) {
        return APR_ERANGE;
    }
    *number = negative ? (apr_int64_t)(~sum + 1) : (apr_int64_t)sum;
    return APR_SUCCESS;
}

int ai_json_bool(ai_slice_t value, int dflt)
{
    if (ai_slice_is(value, "true")) {
        return 1;
    }
    return ai_slice_is(value, "false") ? 0 : dflt;
}
