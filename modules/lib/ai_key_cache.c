/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_key_cache.c - what do we remember of this key?
 *
 * A record is written once, into a ring, behind the one before it. Its place, one word in a set that
 * the id's hash names, is set when it is whole. So nothing is ever half there, nothing has to be
 * given back, and what a process leaves that dies in between is overwritten when the ring has come
 * round. The one thing that changes later is the time, a word with a check of its own: a record
 * that is confirmed as it was takes no new room while it is in the younger half of the ring.
 *
 * The ring's head moves before anything is written. Who has read a record looks at the head again:
 * where it has not passed, nobody has written. One process alone can write where the head has
 * passed long ago, one that was stopped in the middle: hence the checksum, which also has the
 * record's position in it.
 *
 * Lives in: shared memory.  Shared state: all of it, by atomics.  May block: no.
 */
#include <string.h>

#include <apr_strings.h>

#include "ai_key_cache.h"

#define WORD sizeof(apr_uint64_t)
#define WAYS 8

/* The memory's first words: the epoch, and two heads, each in a cache line of its own. */
#define HEADER_WORDS 24
#define KNOWN_HEAD 8
#define UNKNOWN_HEAD 16

/* A record's words. The checksum is of its position, and of all behind the time. */
#define AT_SUM 0
#define AT_TIME 1
#define AT_ID 2
#define AT_TAIL 3 /* the id's last four bytes, and the text's length above them */
#define AT_SPACE 4
#define AT_STAMP 5
#define AT_TEXT 6

/* A place: 16 bits of the hash, and the position plus one; 0: nothing. */
#define POSITION_BITS 48
#define POSITION_MASK ((APR_UINT64_C(1) << POSITION_BITS) - 1)

/* A time: milliseconds since 1970, until 2109, above 22 bits of the record's checksum. */
#define CHECK_BITS 22
#define CHECK_MASK ((APR_UINT64_C(1) << CHECK_BITS) - 1)

/* What a record is looked for by. */
typedef struct name_t {
    apr_uint64_t head; /* of the id */
    apr_uint64_t tail;
    apr_uint64_t space;
    apr_uint64_t hash;
} name_t;

/* What is put. */
typedef struct entry_t {
    name_t name;
    apr_uint64_t stamp;
    apr_time_t asked;
    ai_slice_t text; /* "" for an unknown one */
} entry_t;

/* ---------------------------------------------------------------------------- the memory */

static apr_uint64_t load(const apr_uint64_t *word)
{
    return __atomic_load_n(word, __ATOMIC_RELAXED);
}

static int swap(apr_uint64_t *word, apr_uint64_t from, apr_uint64_t to)
{
    return __atomic_compare_exchange_n(word, &from, to, 0, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

static apr_uint64_t power_of_two_below(apr_uint64_t n)
{
    apr_uint64_t power = 1;

    while (power * 2 <= n) {
        power *= 2;
    }
    return power;
}

static void lay_out(ai_key_cache_part_t *part, apr_uint64_t **at, apr_uint64_t *head,
                    apr_uint64_t sets, apr_uint64_t words)
{
    part->head = head;
    part->sets = sets;
    part->places = *at;
    part->words = words - sets * WAYS;
    part->ring = *at + sets * WAYS;
    *at += words;
}

void ai_key_cache_open(ai_key_cache_t *cache, void *memory, apr_size_t size)
{
    apr_uint64_t *base = memory, *at = base + HEADER_WORDS;
    apr_uint64_t words = size / WORD, sets = power_of_two_below(words / 32 / WAYS), stamp_words;

    cache->epoch = memory;
    cache->stamps = (apr_uint32_t *)at;
    cache->stamps_n = sets * WAYS;
    stamp_words = cache->stamps_n * sizeof(apr_uint32_t) / WORD;
    at += stamp_words;
    lay_out(&cache->unknown, &at, base + UNKNOWN_HEAD, sets / 2, words / 8);
    lay_out(&cache->known, &at, base + KNOWN_HEAD, sets,
            words - words / 8 - stamp_words - HEADER_WORDS);
}

/* An id as numbers. Nobody gains by ids that fall together: who invents some shares a part with
 * others of their kind, and keys of the store have ids by chance. So the hash needs no seed. */
static int read_name(name_t *name, apr_uint64_t space, ai_slice_t id)
{
    apr_uint32_t tail;
    apr_uint64_t h;

    if (id.n != AI_KEY_ID) {
        return 0;
    }
    memcpy(&name->head, id.p, WORD);
    memcpy(&tail, id.p + WORD, sizeof(tail));
    name->tail = tail;
    name->space = space;
    h = name->head * APR_UINT64_C(0x9e3779b97f4a7c15);
    h = (h ^ (h >> 32) ^ tail) * APR_UINT64_C(0xd6e8feb86659fd93);
    name->hash = h ^ (h >> 32);
    return 1;
}

/* -------------------------------------------------------------------------------- stamps */

static apr_uint32_t *stamp_of(const ai_key_cache_t *cache, const name_t *name)
{
    return &cache->stamps[name->hash & (cache->stamps_n - 1)];
}

static apr_uint64_t stamp_now(const ai_key_cache_t *cache, const name_t *name)
{
    apr_uint64_t epoch = __atomic_load_n(cache->epoch, __ATOMIC_ACQUIRE);

    return epoch << 32 | __atomic_load_n(stamp_of(cache, name), __ATOMIC_ACQUIRE);
}

apr_uint64_t ai_key_cache_stamp(const ai_key_cache_t *cache, ai_slice_t id)
{
    name_t name;

    return read_name(&name, 0, id) ? stamp_now(cache, &name) : 0;
}

void ai_key_cache_forget(const ai_key_cache_t *cache, ai_slice_t id)
{
    name_t name;

    if (read_name(&name, 0, id)) {
        __atomic_fetch_add(stamp_of(cache, &name), 1, __ATOMIC_ACQ_REL);
    }
}

void ai_key_cache_forget_all(const ai_key_cache_t *cache)
{
    __atomic_fetch_add(cache->epoch, 1, __ATOMIC_ACQ_REL);
}

/* ------------------------------------------------------------------------------ the ring */

static apr_uint64_t mix(apr_uint64_t sum, apr_uint64_t word)
{
    sum = (sum ^ word) * APR_UINT64_C(0x9e3779b97f4a7c15);
    return sum ^ (sum >> 29);
}

static apr_size_t words_of(apr_size_t bytes)
{
    return (bytes + WORD - 1) / WORD;
}

/* 1 while nobody may have begun to write where the record at position is. */
static int is_there(const ai_key_cache_part_t *part, apr_uint64_t position)
{
    apr_uint64_t head = load(part->head);

    return position < head && head - position <= part->words;
}

/* Room for so many words in one piece: its position. What is left at the ring's end stays unused. */
static apr_uint64_t take_room(const ai_key_cache_part_t *part, apr_uint64_t n)
{
    apr_uint64_t head, at;

    do {
        head = load(part->head);
        at = head;
        if (at % part->words + n > part->words) {
            at += part->words - at % part->words;
        }
    } while (!swap(part->head, head, at + n));
    __atomic_thread_fence(__ATOMIC_RELEASE);
    return at;
}

static apr_uint64_t time_word(apr_uint64_t sum, apr_time_t asked)
{
    return (apr_uint64_t)(asked / 1000) << CHECK_BITS | (sum & CHECK_MASK);
}

/* The word of a record at i, but for its checksum and time. */
static apr_uint64_t word_of(const entry_t *entry, apr_size_t i)
{
    apr_size_t at = (i - AT_TEXT) * WORD;
    apr_uint64_t word = 0;

    switch (i) {
    case AT_ID:
        return entry->name.head;
    case AT_TAIL:
        return entry->name.tail | (apr_uint64_t)entry->text.n << 32;
    case AT_SPACE:
        return entry->name.space;
    case AT_STAMP:
        return entry->stamp;
    default:
        memcpy(&word, entry->text.p + at, entry->text.n - at < WORD ? entry->text.n - at : WORD);
        return word;
    }
}

static apr_uint64_t write_record(const ai_key_cache_part_t *part, const entry_t *entry)
{
    apr_size_t n = AT_TEXT + words_of(entry->text.n), i;
    apr_uint64_t position = take_room(part, n), sum = mix(0, position);
    apr_uint64_t *to = part->ring + position % part->words;

    for (i = AT_ID; i < n; i++) {
        apr_uint64_t word = word_of(entry, i);

        sum = mix(sum, word);
        __atomic_store_n(&to[i], word, __ATOMIC_RELAXED);
    }
    __atomic_store_n(&to[AT_SUM], sum, __ATOMIC_RELAXED);
    __atomic_store_n(&to[AT_TIME], time_word(sum, entry->asked), __ATOMIC_RELAXED);
    return position;
}

/* A record that was read. */
typedef struct found_t {
    apr_uint64_t *place;    /* where its place is kept, and the word that was there */
    apr_uint64_t word;
    apr_uint64_t *time_at;
    apr_uint64_t time;      /* with its check */
    apr_uint64_t sum;
    apr_uint64_t position;
    apr_uint64_t stamp;
    ai_slice_t text;
} found_t;

static apr_time_t asked_of(const found_t *found)
{
    return (apr_time_t)(found->time >> CHECK_BITS) * 1000;
}

/* Reads the record that a place names, if it is that of the name. p: for its text. */
static int read_record(const ai_key_cache_part_t *part, const name_t *name, apr_pool_t *p,
                       found_t *found)
{
    apr_uint64_t *from, offset, tail, sum = 0, *text;
    apr_size_t n, i;

    found->position = (found->word & POSITION_MASK) - 1;
    offset = found->position % part->words;
    from = part->ring + offset;
    if (!is_there(part, found->position) || offset + AT_TEXT > part->words
        || load(&from[AT_ID]) != name->head || load(&from[AT_SPACE]) != name->space) {
        return 0;
    }
    tail = load(&from[AT_TAIL]);
    found->text.n = (apr_size_t)(tail >> 32);
    n = AT_TEXT + words_of(found->text.n);
    if ((tail & 0xffffffff) != name->tail || found->text.n > AI_KEY_RECORD
        || offset + n > part->words) {
        return 0;
    }
    found->time_at = &from[AT_TIME];
    found->time = load(&from[AT_TIME]);
    found->sum = load(&from[AT_SUM]);
    found->stamp = load(&from[AT_STAMP]);
    sum = mix(mix(mix(mix(mix(0, found->position), name->head), tail), name->space), found->stamp);
    text = apr_palloc(p, (n - AT_TEXT + 1) * WORD);
    for (i = 0; i < n - AT_TEXT; i++) {
        text[i] = load(&from[AT_TEXT + i]);
        sum = mix(sum, text[i]);
    }
    text[i] = 0;
    found->text.p = (const char *)text;
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    return is_there(part, found->position) && sum == found->sum
           && (found->time & CHECK_MASK) == (sum & CHECK_MASK);
}

/* ---------------------------------------------------------------------------- the places */

/* An id has two sets: with one alone, some would be full long before the others. */
static apr_uint64_t *set_of(const ai_key_cache_part_t *part, const name_t *name, int which)
{
    apr_uint64_t hash = which ? name->hash * APR_UINT64_C(0xc2b2ae3d27d4eb4f) : name->hash;

    return &part->places[((hash >> 32) & (part->sets - 1)) * WAYS];
}

static int has_tag(apr_uint64_t word, const name_t *name)
{
    return word && (word >> POSITION_BITS) == (name->hash & 0xffff);
}

/* The latest record of the name in this part. 0 when there is none. */
static int find_in(const ai_key_cache_part_t *part, const name_t *name, apr_pool_t *p,
                   found_t *found)
{
    int i, any = 0;

    for (i = 0; i < 2 * WAYS; i++) {
        apr_uint64_t *place = set_of(part, name, i / WAYS) + i % WAYS;
        found_t other = { .place = place, .word = __atomic_load_n(place, __ATOMIC_ACQUIRE) };

        if (has_tag(other.word, name) && read_record(part, name, p, &other)
            && (!any || other.time >> CHECK_BITS > found->time >> CHECK_BITS)) {
            *found = other;
            any = 1;
        }
    }
    return any;
}

ai_key_cache_e ai_key_cache_find(const ai_key_cache_t *cache, apr_pool_t *p, apr_uint64_t space,
                                 ai_slice_t id, ai_slice_t *record, apr_time_t *asked)
{
    found_t known, unknown;
    apr_uint64_t stamp;
    int is_known, is_unknown;
    name_t name;

    if (!read_name(&name, space, id)) {
        return AI_KEY_CACHE_NONE;
    }
    stamp = stamp_now(cache, &name);
    is_known = find_in(&cache->known, &name, p, &known) && known.stamp == stamp;
    is_unknown = find_in(&cache->unknown, &name, p, &unknown) && unknown.stamp == stamp;
    if (is_known && (!is_unknown || asked_of(&known) > asked_of(&unknown))) {
        *record = known.text;
        *asked = asked_of(&known);
        return AI_KEY_CACHE_KNOWN;
    }
    if (is_unknown) {
        *asked = asked_of(&unknown);
        return AI_KEY_CACHE_UNKNOWN;
    }
    return AI_KEY_CACHE_NONE;
}

/* ------------------------------------------------------------------------------- putting */

/* The place of a set with the oldest record, or with none; *was is what is there. Returns how many
 * have none. */
static int look_around(const ai_key_cache_part_t *part, apr_uint64_t *set, apr_uint64_t **spare,
                       apr_uint64_t *was)
{
    int i, n = 0;

    *spare = NULL;
    for (i = 0; i < WAYS; i++) {
        apr_uint64_t word = load(&set[i]);

        n += !is_there(part, (word & POSITION_MASK) - 1);
        if (!*spare || (word & POSITION_MASK) < (*was & POSITION_MASK)) {
            *spare = &set[i];
            *was = word;
        }
    }
    return n;
}

/* The place of a name's sets that loses least. */
static apr_uint64_t *spare_place(const ai_key_cache_part_t *part, const name_t *name,
                                 apr_uint64_t *was)
{
    apr_uint64_t *spare, *other, other_was;
    int n = look_around(part, set_of(part, name, 0), &spare, was);
    int other_n = look_around(part, set_of(part, name, 1), &other, &other_was);

    if (other_n > n
        || (other_n == n && (other_was & POSITION_MASK) < (*was & POSITION_MASK))) {
        *was = other_was;
        return other;
    }
    return spare;
}

/* The store says what it said before: only the time moves. A record of the ring's older half is
 * written anew, so that what is in use stays. */
static int confirm(const ai_key_cache_part_t *part, const found_t *found, const entry_t *entry)
{
    return found->stamp == entry->stamp && found->text.n == entry->text.n
           && memcmp(found->text.p, entry->text.p, entry->text.n) == 0
           && load(part->head) - found->position <= part->words / 2
           && swap(found->time_at, found->time, time_word(found->sum, entry->asked));
}

static int is_newer(const found_t *found, const entry_t *entry)
{
    return found->stamp == entry->stamp && asked_of(found) > entry->asked;
}

/* Writes it, and sets its place: that of what is known of the name by now, or a spare one. */
static int add(const ai_key_cache_part_t *part, const entry_t *entry, const found_t *old)
{
    apr_uint64_t was = 0, *place = spare_place(part, &entry->name, &was);
    apr_uint64_t position = write_record(part, entry);

    return swap(old ? old->place : place, old ? old->word : was,
                (position + 1) | entry->name.hash << POSITION_BITS);
}

/* Puts into one part, and takes out of the other, where the contrary may stand. */
static int put(const ai_key_cache_t *cache, const ai_key_cache_part_t *part,
               const ai_key_cache_part_t *other, apr_pool_t *p, const entry_t *entry)
{
    found_t old, contrary;
    int is_old, is_contrary, done;

    if (stamp_now(cache, &entry->name) != entry->stamp) {
        return 0;
    }
    is_old = find_in(part, &entry->name, p, &old);
    is_contrary = find_in(other, &entry->name, p, &contrary);
    if ((is_old && is_newer(&old, entry)) || (is_contrary && is_newer(&contrary, entry))) {
        return 0;
    }
    done = (is_old && confirm(part, &old, entry)) || add(part, entry, is_old ? &old : NULL);
    if (done && is_contrary) {
        swap(contrary.place, contrary.word, 0);
    }
    return done && stamp_now(cache, &entry->name) == entry->stamp;
}

int ai_key_cache_put(const ai_key_cache_t *cache, apr_pool_t *p, apr_uint64_t space, ai_slice_t id,
                     apr_uint64_t stamp, apr_time_t asked, ai_slice_t record)
{
    entry_t entry = { .stamp = stamp, .asked = asked, .text = record };

    return read_name(&entry.name, space, id) && record.n <= AI_KEY_RECORD
           && put(cache, &cache->known, &cache->unknown, p, &entry);
}

int ai_key_cache_put_unknown(const ai_key_cache_t *cache, apr_pool_t *p, apr_uint64_t space,
                             ai_slice_t id, apr_uint64_t stamp, apr_time_t asked)
{
    entry_t entry = { .stamp = stamp, .asked = asked, .text = AI_SLICE("") };

    return read_name(&entry.name, space, id)
           && put(cache, &cache->unknown, &cache->known, p, &entry);
}
