/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_keys.c - which key has this id?
 *
 * The keys lie in the order of the file; beside them a table of their places, at most half full,
 * that is entered at a hash of the id and read on from there. The hash has a seed of its own in
 * each table, so that nobody can choose ids that fall together.
 */
#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include <openssl/rand.h>

#include "ai_key.h"
#include "ai_key_record.h"

struct ai_keys_t {
    ai_key_t *keys;
    ai_slice_t *lines;
    apr_uint32_t *line_numbers;
    int n;
    apr_uint32_t *places; /* 1 + an index of keys; 0: nothing */
    apr_uint64_t mask;    /* how many places there are, less one: a power of two */
    apr_uint64_t seed[2];
};

/* An id's 12 bytes as two numbers, mixed with the seed. */
static apr_uint64_t hash(const ai_keys_t *keys, const char *id)
{
    apr_uint64_t head, h;
    apr_uint32_t tail;

    memcpy(&head, id, sizeof(head));
    memcpy(&tail, id + sizeof(head), sizeof(tail));
    h = (head ^ keys->seed[0]) * APR_UINT64_C(0x9e3779b97f4a7c15);
    h = (h ^ (h >> 32) ^ tail ^ keys->seed[1]) * APR_UINT64_C(0xd6e8feb86659fd93);
    return h ^ (h >> 32);
}

/* Where the id is, or where it would be put. */
static apr_uint32_t *place_of(const ai_keys_t *keys, const char *id)
{
    apr_uint64_t at = hash(keys, id) & keys->mask;

    while (keys->places[at]
           && memcmp(keys->keys[keys->places[at] - 1].id, id, AI_KEY_ID) != 0) {
        at = (at + 1) & keys->mask;
    }
    return &keys->places[at];
}

const ai_key_t *ai_keys_find(const ai_keys_t *keys, ai_slice_t id)
{
    apr_uint32_t place = id.n == AI_KEY_ID ? *place_of(keys, id.p) : 0;

    return place ? &keys->keys[place - 1] : NULL;
}

int ai_keys_count(const ai_keys_t *keys)
{
    return keys->n;
}

const ai_key_t *ai_keys_at(const ai_keys_t *keys, int i)
{
    return &keys->keys[i];
}

ai_slice_t ai_keys_line(const ai_keys_t *keys, int i)
{
    return keys->lines[i];
}

/* ------------------------------------------------------------------------------- reading */

/* The next line without its end, and *text behind it. */
static ai_slice_t take_line(ai_slice_t *text)
{
    const char *end = memchr(text->p, '\n', text->n);
    ai_slice_t line = { text->p, end ? (apr_size_t)(end - text->p) : text->n };
    apr_size_t used = line.n + (end != NULL);

    text->p += used;
    text->n -= used;
    return line;
}

static int holds_record(ai_slice_t line)
{
    apr_size_t i;

    for (i = 0; i < line.n; i++) {
        if (!strchr(" \t\r", line.p[i]) || !line.p[i]) {
            return line.p[0] != '#';
        }
    }
    return 0;
}

static int count_records(ai_slice_t text)
{
    int n = 0;

    while (text.n && n <= AI_KEYS_MOST) {
        n += holds_record(take_line(&text));
    }
    return n;
}

static const char *make_room(apr_pool_t *p, ai_keys_t *keys, int n)
{
    apr_size_t places = 4;

    if (n > AI_KEYS_MOST) {
        return apr_psprintf(p, "it has more than %d keys", AI_KEYS_MOST);
    }
    if (RAND_bytes((unsigned char *)keys->seed, sizeof(keys->seed)) != 1) {
        return "the system gives no random bytes";
    }
    while (places < 2 * (apr_size_t)n) {
        places *= 2;
    }
    keys->mask = places - 1;
    keys->places = apr_pcalloc(p, places * sizeof(*keys->places));
    keys->keys = apr_palloc(p, (apr_size_t)n * sizeof(*keys->keys));
    keys->lines = apr_palloc(p, (apr_size_t)n * sizeof(*keys->lines));
    keys->line_numbers = apr_palloc(p, (apr_size_t)n * sizeof(*keys->line_numbers));
    return NULL;
}

/* scratch is cleared: it holds nothing that lasts. */
static const char *add(apr_pool_t *p, apr_pool_t *scratch, ai_keys_t *keys, ai_slice_t line,
                       apr_uint32_t number)
{
    ai_key_t *key = &keys->keys[keys->n];
    const char *wrong = ai_key_record(p, scratch, line, key);
    apr_uint32_t *place;

    if (wrong) {
        return wrong;
    }
    place = place_of(keys, key->id);
    if (*place) {
        return apr_psprintf(p, "id: line %u has it already", keys->line_numbers[*place - 1]);
    }
    keys->lines[keys->n] = line;
    keys->line_numbers[keys->n] = number;
    *place = (apr_uint32_t)++keys->n;
    return NULL;
}

const ai_keys_t *ai_keys_read(apr_pool_t *p, ai_slice_t text, const char **wrong)
{
    ai_keys_t *keys = apr_pcalloc(p, sizeof(*keys));
    apr_pool_t *scratch;
    apr_uint32_t number = 0;

    if (text.n > AI_KEYS_SIZE) {
        *wrong = apr_psprintf(p, "it is longer than %d bytes", AI_KEYS_SIZE);
        return NULL;
    }
    *wrong = make_room(p, keys, count_records(text));
    if (*wrong) {
        return NULL;
    }
    apr_pool_create(&scratch, p);
    while (!*wrong && text.n) {
        ai_slice_t line = take_line(&text);

        number++;
        if (holds_record(line)) {
            *wrong = add(p, scratch, keys, line, number);
        }
    }
    apr_pool_destroy(scratch);
    if (*wrong) {
        *wrong = apr_psprintf(p, "line %u: %s", number, *wrong);
        return NULL;
    }
    return keys;
}
