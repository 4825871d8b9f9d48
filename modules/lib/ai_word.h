/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_word.h - which one of a list of words is this key, this string?
 *
 * A wire format is read by one walk over an object that looks each key up; requests and events are
 * short and many, so a look-up compares lengths first. Pure, thread-safe.
 */
#ifndef AI_WORD_H
#define AI_WORD_H

#include "ai_json.h"

/* A word of a static list of ai_slice_t. */
#define AI_WORD(literal) { (literal), sizeof(literal) - 1 }

/* The place of a key, as a walk hands it out, in words[0..n), or -1. Escapes are decoded. */
static inline int ai_word_key(ai_slice_t key, const ai_slice_t *words, int n)
{
    int i;

    for (i = 0; i < n; i++) {
        if (words[i].n == key.n && memcmp(words[i].p, key.p, key.n) == 0) {
            return i;
        }
    }
    if (key.n && memchr(key.p, '\\', key.n)) {
        for (i = 0; i < n; i++) {
            if (ai_json_key_is(key, words[i].p)) {
                return i;
            }
        }
    }
    return -1;
}

/* What an object's members hold, in one walk: found[i] is that of words[i], absent where it is not
 * there, or null; of one that is there twice, the last. Also for a value that is no object. */
static inline void ai_word_find(ai_slice_t object, const ai_slice_t *words, int n,
                                ai_slice_t *found)
{
    ai_json_walk_t walk;
    ai_json_member_t member;
    int i;

    memset(found, 0, (apr_size_t)n * sizeof(*found));
    if (!ai_json_walk(&walk, object) || !walk.is_object) {
        return;
    }
    while (ai_json_next(&walk, &member) > 0) {
        i = ai_word_key(member.key, words, n);
        if (i >= 0 && ai_json_type(member.value) != AI_JSON_NULL) {
            found[i] = member.value;
        }
    }
}

/* The place of a JSON string; -1 for any other value, too. */
static inline int ai_word_string(ai_slice_t value, const ai_slice_t *words, int n)
{
    if (value.n < 2 || value.p[0] != '"') {
        return -1;
    }
    return ai_word_key((ai_slice_t){ value.p + 1, value.n - 2 }, words, n);
}

#endif
