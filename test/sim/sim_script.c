/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sim_script.c - what shall go wrong in this call?
 *
 * One row per key.  To add a key: a member in script_t, a row here, a line in ai_sim.c's comment
 * and in README.md.  A key that is misbehaviour is taken out once fail= is used up.
 */
#include <stdlib.h>
#include <string.h>

#include "ai_sim.h"

#define MS_MAX 86400000L
#define COUNT_MAX 1000000000L

typedef struct {
    const char *word;
    long value;
} word_t;

typedef enum { KIND_NUMBER, KIND_SIGNED, KIND_WORD, KIND_TEXT } kind_t;

typedef struct {
    const char *name;
    size_t offset;
    kind_t kind;
    long min, max;
    long unset;                  /* the value when nobody says the key */
    int misbehaviour;
    const word_t *words;         /* values with a name, besides the numbers */
} row_t;

static const word_t reset_words[] = { { "headers", AT_HEADERS }, { NULL, 0 } };
static const word_t garbage_words[] = {
    { "headers", AT_HEADERS }, { "body", AT_BODY }, { NULL, 0 }
};
static const word_t truth_words[] = { { "true", 1 }, { "false", 0 }, { NULL, 0 } };
static const word_t eol_words[] = {
    { "lf", EOL_LF }, { "crlf", EOL_CRLF }, { "cr", EOL_CR }, { NULL, 0 }
};
static const word_t body_words[] = {
    { "json", BODY_JSON }, { "html", BODY_HTML }, { "text", BODY_TEXT }, { "empty", BODY_EMPTY },
    { NULL, 0 }
};
static const word_t usage_words[] = {
    { "on", USAGE_ON }, { "none", USAGE_NONE }, { "zero", USAGE_ZERO },
    { "negative", USAGE_NEGATIVE }, { "huge", USAGE_HUGE }, { "text", USAGE_TEXT },
    { "null", USAGE_NULL }, { "late", USAGE_LATE }, { "early", USAGE_EARLY },
    { "every", USAGE_EVERY }, { "excess", USAGE_EXCESS }, { NULL, 0 }
};

#define AT(member) offsetof(script_t, member)

static const row_t keys[] = {
    { "status", AT(status), KIND_NUMBER, 200, 599, 0, 1, NULL },
    { "busy", AT(busy), KIND_NUMBER, 0, 1, 0, 1, NULL },
    { "body", AT(body), KIND_WORD, 0, 0, BODY_JSON, 1, body_words },
    { "delay", AT(delay), KIND_NUMBER, 0, MS_MAX, 0, 1, NULL },
    { "first", AT(first), KIND_NUMBER, 0, MS_MAX, 0, 1, NULL },
    { "gap", AT(gap), KIND_NUMBER, 0, MS_MAX, 0, 1, NULL },
    { "pace", AT(pace), KIND_NUMBER, 0, MS_MAX, 0, 0, NULL },
    { "tokens", AT(tokens), KIND_NUMBER, 0, 10000000, 12, 0, NULL },
    { "size", AT(size), KIND_NUMBER, 1, 16777216, 0, 0, NULL },
    { "cached", AT(cached), KIND_NUMBER, 0, COUNT_MAX, 0, 0, NULL },
    { "written", AT(written), KIND_NUMBER, 0, COUNT_MAX, 0, 0, NULL },
    { "reasoning", AT(reasoning), KIND_NUMBER, 0, COUNT_MAX, 0, 0, NULL },
    { "chunk", AT(chunk), KIND_NUMBER, 1, COUNT_MAX, 0, 0, NULL },
    { "cut", AT(cut), KIND_NUMBER, 0, COUNT_MAX, AT_NEVER, 1, NULL },
    { "bytes", AT(bytes), KIND_NUMBER, 0, COUNT_MAX, AT_NEVER, 1, NULL },
    { "stall", AT(stall), KIND_NUMBER, 0, COUNT_MAX, AT_NEVER, 1, NULL },
    { "reset", AT(reset), KIND_NUMBER, 0, COUNT_MAX, AT_NEVER, 1, reset_words },
    { "garbage", AT(garbage), KIND_NUMBER, 1, COUNT_MAX, AT_NEVER, 1, garbage_words },
    { "error", AT(error), KIND_NUMBER, 1, COUNT_MAX, AT_NEVER, 1, NULL },
    { "wrongtype", AT(wrongtype), KIND_NUMBER, 0, 1, 0, 1, NULL },
    { "length", AT(length), KIND_SIGNED, 1, COUNT_MAX, 0, 1, NULL },
    { "usage", AT(usage), KIND_WORD, 0, 0, USAGE_NORMAL, 1, usage_words },
    { "retry_after", AT(retry_after), KIND_NUMBER, 0, MS_MAX, AT_NEVER, 1, NULL },
    { "retry_after_ms", AT(retry_after_ms), KIND_NUMBER, 0, MS_MAX, AT_NEVER, 1, NULL },
    { "should_retry", AT(should_retry), KIND_WORD, 0, 0, AT_NEVER, 1, truth_words },
    { "eol", AT(eol), KIND_WORD, 0, 0, EOL_LF, 0, eol_words },
    { "comment", AT(comment), KIND_NUMBER, 0, 1, 0, 0, NULL },
    { "done", AT(done), KIND_NUMBER, 0, 1, 1, 1, NULL },
    { "close", AT(close), KIND_NUMBER, 0, 1, 0, 0, NULL },
    { "early", AT(early), KIND_NUMBER, 0, COUNT_MAX, AT_NEVER, 0, NULL },
    { "tool", AT(tool), KIND_NUMBER, 0, 1, 0, 0, NULL },
    { "calls", AT(calls), KIND_NUMBER, 1, ANSWER_TOOL_COUNT, ANSWER_TOOL_COUNT, 0, NULL },
    { "thought", AT(thought), KIND_NUMBER, 0, 1, 0, 0, NULL },
    { "redacted", AT(redacted), KIND_NUMBER, 0, 1, 0, 0, NULL },
    { "whole", AT(whole), KIND_NUMBER, 0, 1, 0, 1, NULL },
    { "refuse", AT(refuse), KIND_NUMBER, 0, 1, 0, 0, NULL },
    { "json", AT(json), KIND_NUMBER, 0, 1, 0, 0, NULL },
    { "echo", AT(echo), KIND_NUMBER, 0, 1, 0, 0, NULL },
    { "fail", AT(fail), KIND_NUMBER, 0, COUNT_MAX, 0, 0, NULL },
    { "key", AT(key), KIND_TEXT, 0, 0, 0, 0, NULL },
    { "id", AT(id), KIND_TEXT, 0, 0, 0, 0, NULL },
    { "finish", AT(finish), KIND_TEXT, 0, 0, 0, 0, NULL },
    { "message", AT(message), KIND_TEXT, 0, 0, 0, 0, NULL },
    { "mark", AT(mark), KIND_TEXT, 0, 0, 0, 0, NULL },
    { "whose", AT(whose), KIND_TEXT, 0, 0, 0, 0, NULL },
    { "seq", AT(seq), KIND_TEXT, 0, 0, 0, 0, NULL },
};

#define KEY_COUNT (sizeof(keys) / sizeof(keys[0]))

/* How often a key=NAME was seen.  A list: a test uses a handful. */
typedef struct tally {
    struct tally *next;
    long count;
    char name[SCRIPT_TEXT];
} tally_t;

static tally_t *tallies;

static long *number_of(script_t *s, const row_t *key)
{
    return (long *)(void *)((char *)s + key->offset);
}

void script_init(script_t *s)
{
    size_t i;

    memset(s, 0, sizeof(*s));
    for (i = 0; i < KEY_COUNT; i++) {
        if (keys[i].kind != KIND_TEXT) {
            *number_of(s, &keys[i]) = keys[i].unset;
        }
    }
}

static const row_t *find_key(text_t name)
{
    size_t i;

    for (i = 0; i < KEY_COUNT; i++) {
        if (text_is(name, keys[i].name)) {
            return &keys[i];
        }
    }
    return NULL;
}

static int set_text(script_t *s, const row_t *key, text_t value)
{
    char *to = (char *)s + key->offset;

    if (value.n == 0 || value.n >= SCRIPT_TEXT) {
        return 0;
    }
    memcpy(to, value.p, value.n);
    to[value.n] = '\0';
    return 1;
}

static int set_number(script_t *s, const row_t *key, text_t value)
{
    const word_t *word;
    long number;
    int negative = 0;

    for (word = key->words; word && word->word; word++) {
        if (text_is(value, word->word)) {
            *number_of(s, key) = word->value;
            return 1;
        }
    }
    if (key->kind == KIND_WORD) {
        return 0;
    }
    if (key->kind == KIND_SIGNED && value.n && (*value.p == '+' || *value.p == '-')) {
        negative = *value.p == '-';
        value.p++;
        value.n--;
    }
    if (!text_number(value, key->max, &number) || number < key->min) {
        return 0;
    }
    *number_of(s, key) = negative ? -number : number;
    return 1;
}

static int set_pair(script_t *s, text_t pair, buf_t *why)
{
    const char *equals = memchr(pair.p, '=', pair.n);
    text_t name = pair, value = { "", 0 };
    const row_t *key;

    if (equals) {
        name.n = (size_t)(equals - pair.p);
        value = (text_t) { equals + 1, pair.n - name.n - 1 };
    }
    key = find_key(name);
    if (!key) {
        buf_fmt(why, "ai-sim: unknown script key '%.*s'", (int)name.n, name.p);
        return 0;
    }
    if (!(key->kind == KIND_TEXT ? set_text(s, key, value) : set_number(s, key, value))) {
        buf_fmt(why, "ai-sim: bad value '%.*s' of script key '%s'", (int)value.n, value.p,
                key->name);
        return 0;
    }
    return 1;
}

int script_read(script_t *s, text_t words, buf_t *why)
{
    size_t i = 0;

    while (i < words.n) {
        const char *p = words.p + i;
        const char *semicolon = memchr(p, ';', words.n - i);
        size_t len = semicolon ? (size_t)(semicolon - p) : words.n - i;
        text_t pair = text_trim((text_t) { p, len });

        if (pair.n && !set_pair(s, pair, why)) {
            return 0;
        }
        i += len + 1;
    }
    return 1;
}

/* Counts this call in; returns how many there were before it. */
static long count_call(const char *name)
{
    tally_t *t;

    for (t = tallies; t; t = t->next) {
        if (strcmp(t->name, name) == 0) {
            return t->count++;
        }
    }
    t = sim_alloc(sizeof(*t));
    memcpy(t->name, name, strlen(name) + 1);
    t->count = 1;
    t->next = tallies;
    tallies = t;
    return 0;
}

static void pardon(script_t *s)
{
    size_t i;

    for (i = 0; i < KEY_COUNT; i++) {
        if (keys[i].misbehaviour) {
            *number_of(s, &keys[i]) = keys[i].unset;
        }
    }
}

/* 1 when the list "tail,tail" holds it. */
static int is_listed(const char *list, text_t tail)
{
    while (*list) {
        size_t n = strcspn(list, ",");

        if (n && n == tail.n && memcmp(list, tail.p, n) == 0) {
            return 1;
        }
        list += n + (list[n] == ',');
    }
    return 0;
}

int script_settle(script_t *s, text_t tail, buf_t *why)
{
    if (s->whose[0] && !is_listed(s->whose, tail)) {
        pardon(s);
        return 1;
    }
    if (s->fail > 0 && s->key[0] == '\0') {
        buf_str(why, "ai-sim: script key 'fail' needs 'key'");
        return 0;
    }
    if (s->fail > 0 && count_call(s->key) >= s->fail) {
        pardon(s);
    }
    if (s->busy && !s->status) {
        s->status = 503;
    }
    return 1;
}

void script_forget(void)
{
    while (tallies) {
        tally_t *t = tallies;

        tallies = t->next;
        free(t);
    }
}
