/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_audit_write.c - how does a record become JSON, in a microsecond, whatever is in it?
 *
 * It goes from member to member of ai_audit_member.h. Each is written or taken back as a whole, so
 * what stands in the buffer is always the beginning of an object.
 *
 * Lives in: the caller's buffer.  Shared state: none.  May block: no.
 */
#include <stddef.h>

#include "ai_audit_member.h"

/* Room that is kept for the names of lists that were too long, and for the end. */
enum { ROOM_FOR_CUT = 128, LISTS = 6 };
/* And for the last of a list: of attempts it is the one that counts. */
enum { ROOM_FOR_LAST = 640 };

typedef struct out_t {
    char *at;
    char *end;
    int full; /* something did not go in */
    const ai_audit_member_t *cut[LISTS];
    int n_cut;
} out_t;

/* ------------------------------------------------------------------------- bytes, numbers */

static void put(out_t *out, const char *bytes, apr_size_t n)
{
    if (out->end - out->at < (ptrdiff_t)n) {
        out->full = 1;
        return;
    }
    memcpy(out->at, bytes, n);
    out->at += n;
}

static void put_one(out_t *out, char byte)
{
    if (out->at >= out->end) {
        out->full = 1;
        return;
    }
    *out->at++ = byte;
}

static void put_number(out_t *out, apr_int64_t number)
{
    char digits[24], *at = digits + sizeof(digits);
    apr_uint64_t left = number < 0 ? -(apr_uint64_t)number : (apr_uint64_t)number;

    do {
        *--at = (char)('0' + left % 10);
        left /= 10;
    } while (left);
    if (number < 0) {
        *--at = '-';
    }
    put(out, at, (apr_size_t)(digits + sizeof(digits) - at));
}

/* A number of exactly n digits. */
static void set_digits(char *at, apr_int64_t number, int n)
{
    while (n--) {
        at[n] = (char)('0' + number % 10);
        number /= 10;
    }
}

/* "2026-11-21T21:23:12.123456Z". The day is counted from March on, so that leap days come last. */
static void put_time(out_t *out, apr_time_t time)
{
    char text[] = "\"0000-00-00T00:00:00.000000Z\"";
    apr_int64_t seconds = time > 0 ? time / APR_USEC_PER_SEC : 0;
    apr_int64_t days = seconds / 86400 + 719468; /* from March 1st of the year 0 */
    apr_int64_t era = days / 146097, day = days % 146097;
    apr_int64_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
    apr_int64_t month;

    day -= 365 * year + year / 4 - year / 100;
    month = (5 * day + 2) / 153;
    day -= (153 * month + 2) / 5;
    year += 400 * era + (month >= 10);
    set_digits(text + 1, year, 4);
    set_digits(text + 6, month < 10 ? month + 3 : month - 9, 2);
    set_digits(text + 9, day + 1, 2);
    set_digits(text + 12, seconds % 86400 / 3600, 2);
    set_digits(text + 15, seconds % 3600 / 60, 2);
    set_digits(text + 18, seconds % 60, 2);
    set_digits(text + 21, time > 0 ? time % APR_USEC_PER_SEC : 0, 6);
    put(out, text, sizeof(text) - 1);
}

/* ---------------------------------------------------------------------------------- texts */

/* How many bytes of UTF-8 begin there, 2 to 4; 0: none do. A NUL ends the text, and fits nowhere. */
static int utf8_length(const unsigned char *s)
{
    int n, i;

    if (s[0] < 0xc2 || s[0] > 0xf4) {
        return 0;
    }
    n = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
    for (i = 1; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f)
        || (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f)) {
        return 0; /* too long a form, half of a pair, beyond the last */
    }
    return n;
}

/* Whether a byte stands in a string as it is; NUL does not. */
#define ROW(a) a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a
static const unsigned char plain[256] = {
    ROW(0), ROW(0),
    1, 1, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, /* '"' */
    ROW(1), ROW(1),
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 1, 1, 1, /* '\\' */
    ROW(1), ROW(1),
};

/* One character that is not plain, as JSON: its bytes in to, how many these are in *n. Returns how
 * many it took of s. */
static int encode(const unsigned char *s, char to[6], int *n)
{
    static const char hex[] = "0123456789abcdef";
    int taken;

    if (*s == '"' || *s == '\\') {
        to[0] = '\\';
        to[1] = (char)*s;
        *n = 2;
        return 1;
    }
    if (*s < 0x20) {
        memcpy(to, "\\u00", 4);
        to[4] = hex[*s >> 4];
        to[5] = hex[*s & 15];
        *n = 6;
        return 1;
    }
    taken = utf8_length(s);
    memcpy(to, taken ? (const char *)s : "\xef\xbf\xbd", (apr_size_t)(taken ? taken : 3));
    *n = taken ? taken : 3;
    return taken ? taken : 1;
}

/* A string of at most so many bytes between its quotes, and U+2026 behind them where it is cut. */
static void put_text(out_t *out, const char *text, apr_size_t most)
{
    const unsigned char *s = (const unsigned char *)text;
    apr_size_t used = 0;

    put_one(out, '"');
    while (*s) {
        const unsigned char *run = s;
        char one[6];
        int n, taken;

        while (plain[*s] && s < run + (most - used)) {
            s++;
        }
        used += (apr_size_t)(s - run);
        put(out, (const char *)run, (apr_size_t)(s - run));
        if (!*s) {
            break;
        }
        taken = encode(s, one, &n);
        if (used == most || used + (apr_size_t)n > most) {
            put(out, "\xe2\x80\xa6", 3);
            break;
        }
        put(out, one, (apr_size_t)n);
        used += (apr_size_t)n;
        s += taken;
    }
    put_one(out, '"');
}

/* --------------------------------------------------------------------------------- members */

static int write_members(out_t *out, const ai_audit_shape_t *shape, const void *base, int begin);

/* Begins a member behind those that are there. */
static void put_name(out_t *out, ai_slice_t name)
{
    if (out->at[-1] != '{') {
        put_one(out, ',');
    }
    put(out, name.p, name.n);
}

static void note_cut(out_t *out, const ai_audit_member_t *member)
{
    if (out->n_cut < LISTS) {
        out->cut[out->n_cut++] = member;
    }
}

/* One struct of a list; 0 when it does not go in. */
static int write_one(out_t *out, const ai_audit_shape_t *shape, const void *one)
{
    char *mark = out->at;

    if (mark[-1] != '[') {
        put_one(out, ',');
    }
    put_one(out, '{');
    if (!out->full) {
        write_members(out, shape, one, 0);
    }
    put_one(out, '}');
    if (out->full) {
        out->at = mark;
        out->full = 0;
        return 0;
    }
    return 1;
}

/* What is between the brackets; 1 when something stands there. */
static int write_list(out_t *out, const ai_audit_member_t *member, const ai_audit_list_t *list)
{
    char *begin = out->at, *end = out->end, *stop = end;
    int i, short_of = 0;

    if ((apr_size_t)(end - begin) > member->most) {
        stop = begin + member->most;
    }
    for (i = 0; i < list->n; i++) {
        int is_last = i == list->n - 1;

        out->end = is_last ? stop : stop - ROOM_FOR_LAST;
        if (!short_of || is_last) {
            short_of |= !write_one(out, member->of, list->list + (apr_size_t)i * member->of->size);
        }
    }
    out->end = end;
    if (short_of) {
        note_cut(out, member);
    }
    return out->at != begin;
}

/* Whether JSON has such a number. */
static int is_number(const char *s)
{
    const char *digits;

    s += *s == '-';
    digits = s;
    while (apr_isdigit(*s)) {
        s++;
    }
    if (s == digits || (*digits == '0' && s > digits + 1)) {
        return 0;
    }
    if (*s == '.') {
        digits = ++s;
        while (apr_isdigit(*s)) {
            s++;
        }
        if (s == digits) {
            return 0;
        }
    }
    if (*s == 'e' || *s == 'E') {
        s += s[1] == '+' || s[1] == '-' ? 2 : 1;
        digits = s;
        while (apr_isdigit(*s)) {
            s++;
        }
        return s > digits && !*s;
    }
    return !*s;
}

static int is_literal(const ai_audit_pair_t *pair)
{
    return (pair->type == AI_JSON_NUMBER && is_number(pair->value))
           || (pair->type == AI_JSON_BOOL
               && (strcmp(pair->value, "true") == 0 || strcmp(pair->value, "false") == 0));
}

/* Whether a name as it was written is there already. */
static int is_there(const ai_slice_t *names, int n, ai_slice_t name)
{
    while (n--) {
        if (names[n].n == name.n && memcmp(names[n].p, name.p, name.n) == 0) {
            return 1;
        }
    }
    return 0;
}

/* One pair. 1; 0: there is one of that name; out->full: it does not go in. */
static int write_pair(out_t *out, const ai_audit_pair_t *pair, ai_slice_t *names, int n)
{
    char *mark = out->at;

    if (mark[-1] != '{') {
        put_one(out, ',');
    }
    names[n].p = out->at;
    put_text(out, pair->name, AI_AUDIT_PAIR_NAME);
    names[n].n = (apr_size_t)(out->at - names[n].p);
    put_one(out, ':');
    if (is_literal(pair) && strlen(pair->value) <= AI_AUDIT_PAIR_VALUE) {
        put(out, pair->value, strlen(pair->value));
    }
    else {
        put_text(out, pair->value, AI_AUDIT_PAIR_VALUE);
    }
    if (out->full || is_there(names, n, names[n])) {
        out->at = mark;
        return 0;
    }
    return 1;
}

static int write_pairs(out_t *out, const ai_audit_member_t *member, const ai_audit_pairs_t *pairs)
{
    ai_slice_t names[AI_AUDIT_PAIRS_MOST];
    char *begin = out->at, *end = out->end;
    int i, n = 0;

    if ((apr_size_t)(end - begin) > member->most) {
        out->end = begin + member->most;
    }
    for (i = 0; i < pairs->n && n < AI_AUDIT_PAIRS_MOST && !out->full; i++) {
        if (pairs->list[i].name && pairs->list[i].value) {
            n += write_pair(out, &pairs->list[i], names, n);
        }
    }
    if (out->full || i < pairs->n) {
        note_cut(out, member);
        out->full = 0;
    }
    out->end = end;
    return n > 0;
}

/* 1 when a list or an object has something in it. */
static int write_inside(out_t *out, const ai_audit_member_t *member, const void *at, int begin)
{
    ai_audit_list_t list;
    int any;

    switch (member->kind) {
    case AI_AUDIT_LIST:
        memcpy(&list, at, sizeof(list));
        put_one(out, '[');
        any = !out->full && list.n > 0 && write_list(out, member, &list);
        put_one(out, ']');
        return any;
    case AI_AUDIT_PAIRS:
        put_one(out, '{');
        any = !out->full && write_pairs(out, member, at);
        break;
    default:
        put_one(out, '{');
        any = !out->full && write_members(out, member->of, at, begin);
    }
    put_one(out, '}');
    return any;
}

static int write_array(out_t *out, const ai_audit_member_t *member, const char *json)
{
    apr_size_t n = strlen(json);

    if (n > member->most) {
        note_cut(out, member);
        return 0;
    }
    put(out, json, n);
    return 1;
}

/* The value behind the name; 0: there is none. */
static int write_value(out_t *out, const ai_audit_member_t *member, const void *at, int begin)
{
    const int *sign = at;

    switch (member->kind) {
    case AI_AUDIT_VERSION:
        put_one(out, '1');
        return 1;
    case AI_AUDIT_TEXT:
        put_text(out, *(const char *const *)at, member->most);
        return 1;
    case AI_AUDIT_TIME:
        put_time(out, *(const apr_time_t *)at);
        return 1;
    case AI_AUDIT_COUNT:
        put_number(out, *(const apr_int64_t *)at);
        return 1;
    case AI_AUDIT_SIGN:
        put_number(out, sign[1]);
        return 1;
    case AI_AUDIT_TRUE:
        put(out, "true", 4);
        return 1;
    case AI_AUDIT_JSON:
        return write_array(out, member, *(const char *const *)at);
    default:
        return write_inside(out, member, at, begin);
    }
}

/* Whether there is something to write, for all kinds that say so at once. */
static int is_known(const ai_audit_member_t *member, const void *at)
{
    switch (member->kind) {
    case AI_AUDIT_TEXT:
    case AI_AUDIT_JSON:
        return *(const char *const *)at != NULL;
    case AI_AUDIT_COUNT:
        return *(const apr_int64_t *)at >= 0;
    case AI_AUDIT_SIGN:
    case AI_AUDIT_TRUE:
        return *(const int *)at != 0;
    case AI_AUDIT_CUT:
        return 0;
    default:
        return 1;
    }
}

/* The members of a struct that are known; 1 when there was one. */
static int write_members(out_t *out, const ai_audit_shape_t *shape, const void *base, int begin)
{
    const char *first = out->at;
    int i;

    for (i = 0; i < shape->n; i++) {
        const ai_audit_member_t *member = &shape->members[i];
        const void *at = ai_audit_there(base, member);
        char *mark = out->at;

        if ((begin && !member->begin) || !is_known(member, at)) {
            continue;
        }
        put_name(out, member->name);
        if (out->full || !write_value(out, member, at, begin)) {
            out->at = mark;
        }
        if (out->full && shape->whole) {
            out->at = mark; /* it is left out, whole; a shorter one may fit */
            out->full = 0;
        }
    }
    return out->at != first;
}

/* Which lists are not whole. */
static void write_cut(out_t *out)
{
    int i;

    put(out, ",\"cut\":\"", 8);
    for (i = 0; i < out->n_cut; i++) {
        if (i) {
            put_one(out, ',');
        }
        put(out, out->cut[i]->name.p + 1, out->cut[i]->name.n - 3);
    }
    put_one(out, '"');
}

static apr_size_t write_record(const ai_audit_shape_t *shape, const void *record, int begin,
                               char *json, apr_size_t size)
{
    out_t out = { .at = json, .end = json + size - ROOM_FOR_CUT };

    put_one(&out, '{');
    write_members(&out, shape, record, begin);
    out.end = json + size;
    if (out.n_cut) {
        write_cut(&out);
    }
    put_one(&out, '}');
    return (apr_size_t)(out.at - json);
}

apr_size_t ai_audit_begin_write(const ai_audit_record_t *record, char *json, apr_size_t size)
{
    return write_record(&ai_audit_record_shape, record, 1, json, size);
}

apr_size_t ai_audit_end_write(const ai_audit_record_t *record, char *json, apr_size_t size)
{
    return write_record(&ai_audit_record_shape, record, 0, json, size);
}

apr_size_t ai_audit_note_write(const ai_audit_note_t *note, char *json, apr_size_t size)
{
    return write_record(&ai_audit_note_shape, note, 0, json, size);
}
