/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_json.c - is this text JSON, and which members has its root?
 *
 * One pass without recursion: a stack of open brackets, and a stack of the keys of the objects
 * that are open, looked through for doubles when one closes. The readers of a checked text are
 * in ai_json_read.c, the scanners that both stand on in ai_json_scan.c.
 */
#include <stdlib.h>

#include <apr_strings.h>

#include "ai_json.h"
#include "ai_json_scan.h"

/* Up to so many keys of one object are compared each with each, more are sorted. */
#define FEW_KEYS 8

/* A key of an object that is open. */
typedef struct seen_t {
    apr_uint32_t hash; /* of the decoded bytes: only to be quick, equal ones are compared */
    apr_uint32_t at;   /* where it begins, behind the quote */
} seen_t;

typedef struct check_t {
    const char *start;
    const char *at;
    const char *end;
    ai_json_error_t *err;
    struct {
        apr_size_t first_key;
        int is_object;
    } open[AI_JSON_DEPTH];
    int depth;
    int max_depth;
    int halves; /* strings may hold half a surrogate pair */
    seen_t *keys; /* key_store, or from malloc */
    apr_size_t n_keys;
    apr_size_t room_keys;
    ai_json_member_t *members; /* member_store, or from malloc */
    apr_size_t n_members;
    apr_size_t room_members;
    ai_slice_t root_key;    /* of the member of the root that is being read */
    const char *value[2];   /* where the root begins, where its member's value begins */
    const char *value_end;  /* of the value read last */
    seen_t key_store[64];
    ai_json_member_t member_store[32];
} check_t;

static int refuse(check_t *c, const char *at, const char *reason)
{
    c->err->offset = (apr_size_t)(at - c->start);
    c->err->reason = at == c->end ? "the text ends early" : reason;
    return 0;
}

/* A larger array in place of *array, which is either from malloc or the store. */
static int make_room(void **array, const void *store, apr_size_t used, apr_size_t room,
                     apr_size_t each)
{
    void *larger = realloc(*array == store ? NULL : *array, room * each);

    if (!larger) {
        return 0;
    }
    if (*array == store) {
        memcpy(larger, store, used * each);
    }
    *array = larger;
    return 1;
}

static int need_keys(check_t *c, apr_size_t n)
{
    void *array = c->keys;
    apr_size_t room = c->room_keys;

    while (room < n) {
        room *= 2;
    }
    if (room != c->room_keys) {
        if (!make_room(&array, c->key_store, c->n_keys, room, sizeof(*c->keys))) {
            return refuse(c, c->at, "out of memory");
        }
        c->keys = array;
        c->room_keys = room;
    }
    return 1;
}

static int compare_bytes(const check_t *c, const seen_t *a, const seen_t *b)
{
    ai_json_cursor_t left = ai_json_cursor(c->start + a->at, c->end);
    ai_json_cursor_t right = ai_json_cursor(c->start + b->at, c->end);
    int x, y;

    do {
        x = ai_json_next_byte(&left);
        y = ai_json_next_byte(&right);
    } while (x == y && x >= 0);
    return x - y;
}

static inline int compare_keys(const check_t *c, const seen_t *a, const seen_t *b)
{
    if (a->hash != b->hash) {
        return a->hash < b->hash ? -1 : 1;
    }
    return compare_bytes(c, a, b);
}

/*
 * Merge sort from keys into keys, with n of room in spare. Ours, because the C library's promises
 * no bound, and because it must be stable: of two equal keys the later one is to blame.
 */
static void sort_keys(const check_t *c, seen_t *keys, seen_t *spare, apr_size_t n)
{
    seen_t *from = keys, *to = spare, *swap;
    apr_size_t width, left, right, middle, stop, i;

    for (width = 1; width < n; width *= 2) {
        for (i = 0; i < n;) {
            left = i;
            right = middle = left + width < n ? left + width : n;
            stop = middle + width < n ? middle + width : n;
            for (; i < stop; i++) {
                if (left < middle
                    && (right == stop || compare_keys(c, &from[left], &from[right]) <= 0)) {
                    to[i] = from[left++];
                }
                else {
                    to[i] = from[right++];
                }
            }
        }
        swap = from;
        from = to;
        to = swap;
    }
    if (from != keys) {
        memcpy(keys, from, n * sizeof(*keys));
    }
}

/* Looks for a key that is there twice among those of the object that closes. */
static int check_keys(check_t *c, apr_size_t first)
{
    apr_size_t n = c->n_keys - first, i, j;
    apr_uint32_t twice = 0;
    seen_t *keys;

    if (n <= FEW_KEYS) {
        keys = c->keys + first;
        for (i = 1; i < n && !twice; i++) {
            for (j = 0; j < i; j++) {
                if (keys[i].hash == keys[j].hash && compare_keys(c, &keys[i], &keys[j]) == 0) {
                    twice = keys[i].at;
                }
            }
        }
    }
    else {
        if (!need_keys(c, c->n_keys + n)) {
            return 0;
        }
        keys = c->keys + first;
        sort_keys(c, keys, keys + n, n);
        for (i = 1; i < n; i++) {
            if ((!twice || keys[i].at < twice) && compare_keys(c, &keys[i - 1], &keys[i]) == 0) {
                twice = keys[i].at;
            }
        }
    }
    c->n_keys = first;
    return twice ? refuse(c, c->start + twice - 1, "a key twice in one object") : 1;
}

/* FNV-1a over the decoded bytes. */
static apr_uint32_t hash_key(const char *at, const char *end, int escaped)
{
    apr_uint32_t hash = 2166136261u;
    ai_json_cursor_t cursor = ai_json_cursor(at, end);
    int byte;

    if (!escaped) {
        for (; at < end; at++) {
            hash = (hash ^ (unsigned char)*at) * 16777619u;
        }
        return hash;
    }
    while ((byte = ai_json_next_byte(&cursor)) >= 0) {
        hash = (hash ^ (unsigned char)byte) * 16777619u;
    }
    return hash;
}

/* Reads a key and the colon behind it. */
static int read_key(check_t *c)
{
    const char *begin = c->at + 1, *quote, *wrong, *reason;
    int escaped = 0;

    if (c->at == c->end || *c->at != '"') {
        return refuse(c, c->at, "a key in quotes is missing");
    }
    quote = ai_json_scan_string(begin, c->end, 0, &escaped, &wrong, &reason);
    if (!quote) {
        return refuse(c, wrong, reason);
    }
    if (!need_keys(c, c->n_keys + 1)) {
        return 0;
    }
    c->keys[c->n_keys].hash = hash_key(begin, quote, escaped);
    c->keys[c->n_keys].at = (apr_uint32_t)(begin - c->start);
    c->n_keys++;
    if (c->depth == 1) {
        c->root_key.p = begin;
        c->root_key.n = (apr_size_t)(quote - begin);
    }
    c->at = ai_json_skip_space(quote + 1, c->end);
    if (c->at == c->end || *c->at != ':') {
        return refuse(c, c->at, "a colon is missing");
    }
    c->at++;
    return 1;
}

static int read_word(check_t *c, const char *word)
{
    const char *at = c->at;

    while (*word && at < c->end && *at == *word) {
        at++;
        word++;
    }
    if (*word) {
        return refuse(c, at, "not a JSON value");
    }
    c->value_end = c->at = at;
    return 1;
}

static int open_bracket(check_t *c)
{
    if (c->depth >= c->max_depth) {
        return refuse(c, c->at, "nested too deep");
    }
    c->open[c->depth].is_object = *c->at == '{';
    c->open[c->depth].first_key = c->n_keys;
    c->depth++;
    c->at++;
    return 1;
}

static int close_bracket(check_t *c)
{
    int is_object = c->open[c->depth - 1].is_object;

    if (c->at == c->end || *c->at != (is_object ? '}' : ']')) {
        return refuse(c, c->at, is_object ? "neither , nor }" : "neither , nor ]");
    }
    if (is_object && !check_keys(c, c->open[c->depth - 1].first_key)) {
        return 0;
    }
    c->depth--;
    c->value_end = ++c->at;
    return 1;
}

/* Reads the value at c->at, of an object or array only the opening bracket. */
static int read_value(check_t *c)
{
    const char *wrong = c->at, *reason = "not a number", *end = NULL;
    int escaped = 0;

    switch (c->at < c->end ? *c->at : 0) {
    case '{':
    case '[':
        return open_bracket(c);
    case '"':
        end = ai_json_scan_string(c->at + 1, c->end, c->halves, &escaped, &wrong, &reason);
        end = end ? end + 1 : NULL;
        break;
    case 't':
        return read_word(c, "true");
    case 'f':
        return read_word(c, "false");
    case 'n':
        return read_word(c, "null");
    case '-':
    case '0': case '1': case '2': case '3': case '4':
    case '5': case '6': case '7': case '8': case '9':
        end = ai_json_scan_number(c->at, c->end, &wrong);
        break;
    default:
        reason = "not a JSON value";
        break;
    }
    if (!end) {
        return refuse(c, wrong, reason);
    }
    c->value_end = c->at = end;
    return 1;
}

/* Keeps a member of the root that has just been read. */
static int note_member(check_t *c)
{
    ai_json_member_t *member;
    void *array = c->members;

    if (c->n_members == AI_JSON_MEMBERS) {
        return refuse(c, c->value[1], "too many members");
    }
    if (c->n_members == c->room_members) {
        if (!make_room(&array, c->member_store, c->n_members, c->room_members * 2,
                       sizeof(*c->members))) {
            return refuse(c, c->value[1], "out of memory");
        }
        c->members = array;
        c->room_members *= 2;
    }
    member = &c->members[c->n_members++];
    member->key = c->root_key;
    member->value.p = c->value[1];
    member->value.n = (apr_size_t)(c->value_end - c->value[1]);
    return 1;
}

/* Goes on behind a value to the next one. Returns 1, 0 when refused, -1 at the end of the text. */
static int go_on(check_t *c)
{
    for (;;) {
        c->at = ai_json_skip_space(c->at, c->end);
        if (c->depth == 0) {
            return c->at == c->end ? -1 : refuse(c, c->at, "more than one value");
        }
        if (c->depth == 1 && c->open[0].is_object && !note_member(c)) {
            return 0;
        }
        if (c->at < c->end && *c->at == ',') {
            c->at = ai_json_skip_space(c->at + 1, c->end);
            return !c->open[c->depth - 1].is_object || read_key(c);
        }
        if (!close_bracket(c)) {
            return 0;
        }
    }
}

/* Goes on behind an opening bracket. Returns as go_on(). */
static int go_in(check_t *c)
{
    c->at = ai_json_skip_space(c->at, c->end);
    if (c->at < c->end && *c->at == (c->open[c->depth - 1].is_object ? '}' : ']')) {
        return close_bracket(c) ? go_on(c) : 0;
    }
    return !c->open[c->depth - 1].is_object || read_key(c);
}

static int check_text(check_t *c)
{
    int going = 1;

    if (c->end - c->at >= 3 && memcmp(c->at, "\xEF\xBB\xBF", 3) == 0) {
        return refuse(c, c->at, "a byte order mark before the value");
    }
    while (going == 1) {
        int depth = c->depth;

        c->at = ai_json_skip_space(c->at, c->end);
        if (depth < 2) {
            c->value[depth] = c->at;
        }
        if (!read_value(c)) {
            return 0;
        }
        going = c->depth > depth ? go_in(c) : go_on(c);
    }
    return going < 0;
}

static apr_status_t parse(apr_pool_t *p, ai_slice_t text, int depth, int halves,
                          ai_json_doc_t *doc, ai_json_error_t *err)
{
    check_t c;
    int good;

    memset(doc, 0, sizeof(*doc));
    memset(err, 0, sizeof(*err));
    if (text.n > AI_JSON_LONGEST) {
        err->reason = "the text is too long";
        return APR_EINVAL;
    }
    c.start = c.at = text.p ? text.p : "";
    c.end = c.start + text.n;
    c.err = err;
    c.depth = 0;
    c.halves = halves;
    c.max_depth = depth < AI_JSON_DEPTH ? depth : AI_JSON_DEPTH;
    c.keys = c.key_store;
    c.room_keys = sizeof(c.key_store) / sizeof(c.key_store[0]);
    c.members = c.member_store;
    c.room_members = sizeof(c.member_store) / sizeof(c.member_store[0]);
    c.n_keys = c.n_members = 0;
    good = check_text(&c);
    if (good) {
        doc->text = text;
        doc->root.p = c.value[0];
        doc->root.n = (apr_size_t)(c.value_end - c.value[0]);
        doc->members = apr_pmemdup(p, c.members, c.n_members * sizeof(*c.members));
        doc->n_members = (int)c.n_members;
    }
    if (c.keys != c.key_store) {
        free(c.keys);
    }
    if (c.members != c.member_store) {
        free(c.members);
    }
    return good ? APR_SUCCESS : APR_EINVAL;
}

apr_status_t ai_json_parse(apr_pool_t *p, ai_slice_t text, int depth, ai_json_doc_t *doc,
                           ai_json_error_t *err)
{
    return parse(p, text, depth, 0, doc, err);
}

apr_status_t ai_json_parse_piece(apr_pool_t *p, ai_slice_t text, ai_json_doc_t *doc)
{
    ai_json_error_t err;

    return parse(p, text, AI_JSON_DEPTH, 1, doc, &err);
}
