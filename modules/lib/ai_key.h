/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_key.h - gateway keys: their text, what is kept of them, and a table of them.
 *
 * A key is "sk-ai-ID-SECRETCHECK": ID 12, SECRET 43, CHECK 6 characters, all of [0-9A-Za-z].
 * SECRET holds 256 random bits. CHECK is CRC-32 (IEEE 802.3) of all before it, so that a slip of
 * the pen is told without a look-up. Of a key only its id and the SHA-256 of its whole text are
 * kept: with 256 random bits nothing slower is needed.
 *
 * A record is one JSON object. Unknown members, and members of a wrong type, are an error: a limit
 * that is misspelt must not be no limit. docs/keys.md has them.
 *
 * Pure; a table that was read never changes: look-ups are thread-safe.
 */
#ifndef AI_KEY_H
#define AI_KEY_H

#include <apr_errno.h>
#include <apr_network_io.h>
#include <apr_pools.h>
#include <apr_tables.h>
#include <apr_time.h>

#include "ai_json.h"
#include "ai_slice.h"

#define AI_KEY_PREFIX "sk-ai-"
#define AI_KEY_ID 12
#define AI_KEY_SECRET 43
#define AI_KEY_CHECK 6
#define AI_KEY_LENGTH (6 + AI_KEY_ID + 1 + AI_KEY_SECRET + AI_KEY_CHECK)
#define AI_KEY_DIGEST 32

/* A new key, its text NUL-terminated. APR_EGENERAL when the system gives no random bytes. _renew
 * makes one with an id that is there, of AI_KEY_ID characters. */
apr_status_t ai_key_make(char text[AI_KEY_LENGTH + 1]);
apr_status_t ai_key_renew(ai_slice_t id, char text[AI_KEY_LENGTH + 1]);

typedef enum ai_key_form_e {
    AI_KEY_FOREIGN,  /* does not begin with AI_KEY_PREFIX: somebody else's */
    AI_KEY_BROKEN,   /* ours, but its length, alphabet or check is wrong */
    AI_KEY_WELL      /* ours, as far as the text tells */
} ai_key_form_e;

/* Out, where it is well formed: *id, AI_KEY_ID bytes of text. Takes any bytes. */
ai_key_form_e ai_key_look(ai_slice_t text, ai_slice_t *id);

/* SHA-256 of text. */
void ai_key_digest(ai_slice_t text, unsigned char digest[AI_KEY_DIGEST]);

/* The key text that was seen last in some place, as on a connection, whose client sends the same one
 * each time. Zeroed at first; for one thread at a time. */
typedef struct ai_key_seen_t {
    int known;
    char text[AI_KEY_LENGTH];
    unsigned char digest[AI_KEY_DIGEST];
} ai_key_seen_t;

/* What ai_key_look() and, where it is well formed, ai_key_digest() say of text: remembered where it
 * is what was seen last, else made and remembered. */
ai_key_form_e ai_key_see(ai_key_seen_t *seen, ai_slice_t text, ai_slice_t *id,
                         unsigned char digest[AI_KEY_DIGEST]);

/* 1 when both are equal; takes the same time wherever they differ. */
int ai_key_same(const unsigned char a[AI_KEY_DIGEST], const unsigned char b[AI_KEY_DIGEST]);

/* What is kept of a key. Text is NUL-terminated and lives as long as the table; NULL is not said. */
typedef struct ai_key_t {
    const char *id;
    unsigned char digest[AI_KEY_DIGEST];
    int has_next;                            /* while it is rotated: a second text is good, too */
    unsigned char next_digest[AI_KEY_DIGEST];
    apr_time_t next_until;                   /* the first text is good until then; 0: for ever */
    const char *name;                        /* for people */
    const char *tenant;                      /* organisation/team/user, of any depth */
    const char *user;
    const char *tier;
    const apr_array_header_t *models;        /* of const char *: patterns (* and ?), NULL: all */
    const apr_array_header_t *models_denied; /* stronger than models; NULL: none */
    const apr_array_header_t *endpoints;     /* words of ai_endpoint_name(); NULL: all */
    const apr_array_header_t *sources;       /* of apr_ipsubnet_t *; NULL: from anywhere */
    const apr_array_header_t *source_words;  /* of const char *: the same as they were written */
    apr_time_t not_before;                   /* 0: always */
    apr_time_t expires;                      /* 0: never */
    apr_time_t created;                      /* 0: not known */
    int disabled;
    ai_slice_t limits;                       /* an object, for mod_ai_ratelimit; absent: none */
    ai_slice_t metadata;                     /* an object of strings; absent: none */
} ai_key_t;

typedef struct ai_keys_t ai_keys_t;

/* The longest record and file in bytes, and how many keys a file may have. */
#define AI_KEY_RECORD 65536
#define AI_KEYS_SIZE (512 * 1024 * 1024)
#define AI_KEYS_MOST 1000000

/*
 * Reads a key file: one JSON object a line; empty lines, and lines that begin with #, are left out.
 * p: where the table lives; text must outlive it. Returns the table; or NULL and *wrong says what
 * is wrong and where ("line 3: expires: ..."), in p, without any digest.
 */
const ai_keys_t *ai_keys_read(apr_pool_t *p, ai_slice_t text, const char **wrong);

/* Reads one record; its text must outlive it, too. NULL and *wrong as above, without the line. */
const ai_key_t *ai_key_read(apr_pool_t *p, ai_slice_t record, const char **wrong);

/* A record as one line of JSON without line end, in p. What was not said is left out.
 * _show leaves the digests out, too: for people and programs that only look. */
ai_slice_t ai_key_write(apr_pool_t *p, const ai_key_t *key);
ai_slice_t ai_key_show(apr_pool_t *p, const ai_key_t *key);

/* The key with that id, or NULL. Takes about the same time for every table. */
const ai_key_t *ai_keys_find(const ai_keys_t *keys, ai_slice_t id);

int ai_keys_count(const ai_keys_t *keys);
const ai_key_t *ai_keys_at(const ai_keys_t *keys, int i); /* in the order of the file */

/* The line of the file that has the key at i, without its end. */
ai_slice_t ai_keys_line(const ai_keys_t *keys, int i);

typedef enum ai_key_verdict_e {
    AI_KEY_GOOD,
    AI_KEY_WRONG,     /* its secret is another one */
    AI_KEY_DISABLED,
    AI_KEY_TOO_EARLY,
    AI_KEY_EXPIRED,
    AI_KEY_SOURCE     /* not from this address */
} ai_key_verdict_e;

/* "invalid_api_key", "key_disabled", "key_not_yet_valid", "key_expired", "key_source_denied": the
 * machine reason of a refusal; NULL for AI_KEY_GOOD. */
const char *ai_key_reason(ai_key_verdict_e verdict);

/* Whether a digest is that of a key that may be used now, from there (NULL: not known). The digest
 * is compared first: who has not the secret learns nothing else. A first text whose time has ended
 * is a wrong one. */
ai_key_verdict_e ai_key_judge(const ai_key_t *key, const unsigned char digest[AI_KEY_DIGEST],
                              apr_time_t now, apr_sockaddr_t *from);

/* 1 when the key's own fields allow the model (NULL: none is named, nothing to forbid), the
 * endpoint's word. Models are compared without regard to case, as some providers do. */
int ai_key_allows_model(const ai_key_t *key, const char *model);
int ai_key_allows_endpoint(const ai_key_t *key, const char *endpoint);

/* The same rule for patterns (of const char *) that stand elsewhere: of denied none fits, of models
 * one does; NULL is no list. */
int ai_key_lists_allow(const apr_array_header_t *models, const apr_array_header_t *denied,
                       const char *model);

#endif
