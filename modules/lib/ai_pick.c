/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_pick.c - which members that are wanted have come by?
 *
 * A machine fed byte by byte, with two quick ways: through the inside of strings, and into the
 * buffer of a wanted value by runs. It knows where it stands in the object (place), whether it is
 * inside a string there, and which brackets are open below.
 */
#include "ai_json.h"
#include "ai_json_scan.h"
#include "ai_pick.h"

#define MOST_NAMES 8
#define FIRST_BYTES 256

/* The longest key looked at, as it is written: 32 bytes, all of them as \uXXXX. */
#define MOST_KEY 192

typedef enum place_e {
    KEY_OR_END, /* behind the opening brace */
    KEY,        /* behind a comma */
    IN_KEY,
    COLON,
    VALUE,
    IN_STRING,   /* a value that is one */
    IN_WORD,     /* a number, true, false, null */
    IN_BRACKETS, /* an object or array */
    COMMA
} place_e;

/* A wanted member. The buffer is used again when the member comes again. */
typedef struct wanted_t {
    char *bytes;
    apr_size_t n;
    apr_size_t room;
    int complete;
} wanted_t;

struct ai_pick_t {
    apr_pool_t *pool;
    const char *const *names;
    apr_size_t limit;
    wanted_t wanted[MOST_NAMES];
    wanted_t *open; /* the one whose value is coming in, or NULL */
    ai_pick_state_e state;
    place_e place;
    int in_string; /* in a key, a string, or a string below brackets */
    int escaped;   /* the next byte of the string is taken as it is */
    int depth;     /* of brackets below the object */
    char closing[AI_JSON_DEPTH];
    char key[MOST_KEY];
    apr_size_t n_key; /* MOST_KEY + 1: too long */
};

ai_pick_t *ai_pick_create(apr_pool_t *p, const char *const *names, apr_size_t limit)
{
    ai_pick_t *pick = apr_pcalloc(p, sizeof(*pick));

    pick->pool = p;
    pick->names = names;
    pick->limit = limit;
    pick->state = AI_PICK_BEFORE;
    return pick;
}

static int is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Adds bytes to the value that is open; drops it when it grows past the limit. */
static void keep(ai_pick_t *pick, const char *bytes, apr_size_t n)
{
    wanted_t *wanted = pick->open;
    apr_size_t room;
    char *larger;

    if (!wanted) {
        return;
    }
    if (n > pick->limit || wanted->n > pick->limit - n) {
        wanted->n = 0;
        pick->open = NULL;
        return;
    }
    if (wanted->n + n > wanted->room) {
        for (room = wanted->room ? wanted->room : FIRST_BYTES; room < wanted->n + n;) {
            room *= 2;
        }
        larger = apr_palloc(pick->pool, room);
        if (wanted->n > 0) {
            memcpy(larger, wanted->bytes, wanted->n);
        }
        wanted->bytes = larger;
        wanted->room = room;
    }
    memcpy(wanted->bytes + wanted->n, bytes, n);
    wanted->n += n;
}

/* A key is complete: is it one of ours? */
static void match_key(ai_pick_t *pick)
{
    ai_slice_t key = { pick->key, pick->n_key };
    int i;

    for (i = 0; pick->n_key <= MOST_KEY && i < MOST_NAMES && pick->names[i]; i++) {
        if (ai_json_key_is(key, pick->names[i])) {
            pick->open = &pick->wanted[i];
            pick->open->n = 0;
            pick->open->complete = 0;
            return;
        }
    }
}

static void end_value(ai_pick_t *pick)
{
    if (pick->open) {
        pick->open->complete = 1;
        pick->open = NULL;
    }
    pick->place = COMMA;
}

/* Through the string at hand up to its end or that of the bytes. Returns where that is. */
static const char *run_string(ai_pick_t *pick, const char *at, const char *end)
{
    const char *begin = at;
    apr_size_t n;

    while (at < end) {
        char c;

        if (!pick->escaped && (at = ai_json_skip_plain(at, end, 0)) == end) {
            break;
        }
        c = *at++;
        if (pick->escaped) {
            pick->escaped = 0;
        }
        else if (c == '\\') {
            pick->escaped = 1;
        }
        else if (c == '"') {
            pick->in_string = 0;
            break;
        }
    }
    n = (apr_size_t)(at - begin);
    if (pick->place != IN_KEY) {
        keep(pick, begin, n);
        if (pick->place == IN_STRING && !pick->in_string) {
            end_value(pick);
        }
        return at;
    }
    n -= (apr_size_t)!pick->in_string;
    if (pick->n_key > MOST_KEY || n > MOST_KEY - pick->n_key) {
        pick->n_key = MOST_KEY + 1;
    }
    else {
        memcpy(pick->key + pick->n_key, begin, n);
        pick->n_key += n;
    }
    if (!pick->in_string) {
        match_key(pick);
        pick->place = COLON;
    }
    return at;
}

/* A byte of brackets, outside of strings. Returns 0 when they do not match. */
static int take_bracket(ai_pick_t *pick, char c)
{
    if (c == '"') {
        pick->in_string = 1;
    }
    else if (c == '{' || c == '[') {
        if (pick->depth == AI_JSON_DEPTH) {
            return 0;
        }
        pick->closing[pick->depth++] = c == '{' ? '}' : ']';
    }
    else if (c == '}' || c == ']') {
        return pick->closing[--pick->depth] == c;
    }
    return 1;
}

/* Through brackets up to a string, to their end, or to that of the bytes. */
static const char *run_brackets(ai_pick_t *pick, const char *at, const char *end)
{
    const char *begin = at;

    while (at < end && !pick->in_string && pick->depth > 0) {
        if (!take_bracket(pick, *at++)) {
            pick->state = AI_PICK_BROKEN;
            return at;
        }
    }
    keep(pick, begin, (apr_size_t)(at - begin));
    if (pick->depth == 0) {
        end_value(pick);
    }
    return at;
}

/* The first byte of a value. */
static int begin_value(ai_pick_t *pick, char c)
{
    if (c == '"') {
        pick->place = IN_STRING;
        pick->in_string = 1;
    }
    else if (c == '{' || c == '[') {
        pick->place = IN_BRACKETS;
        take_bracket(pick, c);
    }
    else if (c == ',' || c == ':' || c == '}' || c == ']') {
        return 0;
    }
    else {
        pick->place = IN_WORD;
    }
    keep(pick, &c, 1);
    return 1;
}

/* A byte of the object itself, between its members or in a word. Returns 0 when it is wrong. */
static int take_byte(ai_pick_t *pick, char c)
{
    if (pick->place == IN_WORD) {
        if (!is_space(c) && c != ',' && c != '}') {
            keep(pick, &c, 1);
            return !memchr("\":{[]", c, 5);
        }
        end_value(pick);
    }
    if (is_space(c)) {
        return 1;
    }
    switch (pick->place) {
    case KEY_OR_END:
    case KEY:
        if (c == '"') {
            pick->place = IN_KEY;
            pick->in_string = 1;
            pick->n_key = 0;
            return 1;
        }
        pick->state = AI_PICK_DONE;
        return c == '}' && pick->place == KEY_OR_END;
    case COLON:
        pick->place = VALUE;
        return c == ':';
    case VALUE:
        return begin_value(pick, c);
    default: /* COMMA; the others are runs */
        if (c == ',') {
            pick->place = KEY;
            return 1;
        }
        pick->state = AI_PICK_DONE;
        return c == '}';
    }
}

ai_pick_state_e ai_pick_feed(ai_pick_t *pick, const char *bytes, apr_size_t n)
{
    const char *at = bytes, *end = n > 0 ? bytes + n : bytes;

    while (at < end && pick->state != AI_PICK_BROKEN) {
        if (pick->in_string) {
            at = run_string(pick, at, end);
        }
        else if (pick->state == AI_PICK_INSIDE && pick->place == IN_BRACKETS) {
            at = run_brackets(pick, at, end);
        }
        else if (pick->state == AI_PICK_INSIDE) {
            if (!take_byte(pick, *at++)) {
                pick->state = AI_PICK_BROKEN;
            }
        }
        else if (!is_space(*at++)) {
            /* Before the object only its brace is right, behind it nothing. */
            pick->state = pick->state == AI_PICK_BEFORE && at[-1] == '{' ? AI_PICK_INSIDE
                                                                         : AI_PICK_BROKEN;
        }
    }
    return pick->state;
}

ai_pick_state_e ai_pick_state(const ai_pick_t *pick)
{
    return pick->state;
}

ai_slice_t ai_pick_get(const ai_pick_t *pick, int i)
{
    ai_slice_t none = { NULL, 0 };

    if (i < 0 || i >= MOST_NAMES || !pick->wanted[i].complete) {
        return none;
    }
    return (ai_slice_t){ pick->wanted[i].bytes, pick->wanted[i].n };
}
