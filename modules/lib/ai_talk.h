/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_talk.h - a chat request as no provider's wire format has it.
 *
 * Between two dialects stands this: the caller's reads a request into it, the provider's writes a
 * request from it. So n dialects need n readers and n writers, not n times n. It holds what at
 * least two dialects can say; what only the caller's can is named as lost at once.
 *
 * Nothing is decoded that can pass as it lies. Unless a comment says otherwise a slice is one whole
 * JSON value of the caller's checked body, quotes and brackets included ("text" means a JSON
 * string with its quotes), so it may be written as it is. The absent slice means: not said.
 *
 * Built once per request, then only read. Lives in the request's pool and the caller's body.
 * Functions are thread-safe for different talks.
 */
#ifndef AI_TALK_H
#define AI_TALK_H

#include <apr_hash.h>
#include <apr_pools.h>
#include <apr_tables.h>

#include "ai_chat.h"
#include "ai_json.h"
#include "ai_models.h"
#include "ai_slice.h"

typedef enum ai_role_e {
    AI_ROLE_SYSTEM, /* also OpenAI's "developer" */
    AI_ROLE_USER,
    AI_ROLE_ASSISTANT
} ai_role_e;

/*
 * One piece of a message. What each kind uses:
 *
 *   TEXT      text
 *   REFUSAL   text: the assistant's own words of refusal
 *   IMAGE     media and data, or url; detail
 *   FILE      media and data, or url, or text (a plain text document); name: its title
 *   AUDIO     media and data
 *   THINKING  text; signature, absent where there is none
 *   REDACTED  data: thinking that only its provider can read, a JSON string
 *   CALL      id, name, object: the arguments
 *   RESULT    id of the call, failed; its content is in the parts that follow with inside set
 */
typedef enum ai_part_e {
    AI_PART_TEXT,
    AI_PART_REFUSAL,
    AI_PART_IMAGE,
    AI_PART_FILE,
    AI_PART_AUDIO,
    AI_PART_THINKING,
    AI_PART_REDACTED,
    AI_PART_CALL,
    AI_PART_RESULT
} ai_part_e;

typedef struct ai_part_t {
    ai_part_e kind;
    ai_role_e role;       /* of its message; RESULT is the user's */
    unsigned opens : 1;   /* the first part of a message */
    unsigned inside : 1;  /* content of the RESULT before it: TEXT, IMAGE or FILE */
    unsigned failed : 1;  /* RESULT: the tool says that it failed */
    ai_slice_t text;
    ai_slice_t media;     /* a MIME type, not quoted: image/png, lower case */
    ai_slice_t data;      /* base64, not quoted, only of its alphabet (REDACTED: a JSON string) */
    ai_slice_t url;
    ai_slice_t name;
    ai_slice_t id;
    ai_slice_t object;    /* a checked JSON object */
    ai_slice_t signature;
    ai_slice_t detail;
    ai_slice_t cache;     /* cache_control as Anthropic has it: an object */
} ai_part_t;

/* A function the model may call. */
typedef struct ai_tool_t {
    ai_slice_t name;
    ai_slice_t about;  /* description */
    ai_slice_t schema; /* of its arguments, an object; absent: it takes none */
    int strict;        /* -1 not said, 0, 1 */
    ai_slice_t cache;
} ai_tool_t;

typedef enum ai_choice_e {
    AI_CHOICE_UNSAID,
    AI_CHOICE_AUTO,
    AI_CHOICE_NONE,
    AI_CHOICE_REQUIRED, /* some tool */
    AI_CHOICE_NAMED     /* the tool choice_name */
} ai_choice_e;

typedef enum ai_format_e {
    AI_FORMAT_TEXT,
    AI_FORMAT_OBJECT, /* any JSON object */
    AI_FORMAT_SCHEMA  /* JSON after format_schema */
} ai_format_e;

typedef enum ai_think_e {
    AI_THINK_UNSAID,
    AI_THINK_OFF,
    AI_THINK_BUDGET,  /* up to thinking_budget tokens */
    AI_THINK_ADAPTIVE /* as much as the model sees fit */
} ai_think_e;

/*
 * Settings that several dialects know, as JSON values. What a writer does not carry is lost, and
 * the answer says so under the caller's name for it.
 */
typedef enum ai_option_e {
    AI_OPTION_TEMPERATURE,       /* number, 0 to 2 as OpenAI has it */
    AI_OPTION_TOP_P,             /* number */
    AI_OPTION_TOP_K,             /* integer */
    AI_OPTION_SEED,              /* integer */
    AI_OPTION_FREQUENCY_PENALTY, /* number */
    AI_OPTION_PRESENCE_PENALTY,  /* number */
    AI_OPTION_LOGIT_BIAS,        /* object */
    AI_OPTION_LOGPROBS,          /* bool */
    AI_OPTION_TOP_LOGPROBS,      /* integer */
    AI_OPTION_USER,              /* string: an id of the end user's */
    AI_OPTION_METADATA,          /* object of strings */
    AI_OPTION_STORE,             /* bool */
    AI_OPTION_SERVICE_TIER,      /* string, in OpenAI's words */
    AI_OPTION_VERBOSITY,         /* string */
    AI_OPTION_PREDICTION,        /* object */
    AI_OPTION_WEB_SEARCH,        /* object */
    AI_OPTION_CACHE_KEY,         /* string */
    AI_OPTIONS_N
} ai_option_e;

typedef struct ai_option_t {
    ai_slice_t value; /* absent, also where the caller said null or the default */
    const char *name; /* what the caller calls it, static */
} ai_option_t;

typedef struct ai_talk_t {
    apr_array_header_t *parts; /* of ai_part_t, in the order of the conversation */
    apr_array_header_t *tools; /* of ai_tool_t */
    ai_choice_e choice;
    ai_slice_t choice_name;
    int parallel;              /* -1 not said; 0: one call at a time; 1 */
    apr_int64_t max_tokens;    /* of the answer; -1 not said */
    const char *max_tokens_name; /* what the caller calls it, static; also for errors */
    int n;                     /* answers wanted; 1 where not said */
    apr_array_header_t *stops; /* of ai_slice_t: JSON strings */
    ai_format_e format;
    ai_slice_t format_name;
    ai_slice_t format_schema;  /* an object */
    int format_strict;         /* -1 not said, 0, 1 */
    ai_think_e thinking;
    apr_int64_t thinking_budget;
    ai_effort_e effort;        /* AI_EFFORTS_N: not said */
    const char *effort_name;   /* what the caller calls what it said of effort or thinking */
    int stream;
    int counts_only;           /* in: how long it is is asked, no answer: an answer's greatest
                                  length need not be said */
    ai_option_t options[AI_OPTIONS_N];
    apr_array_header_t *lost;  /* of const char *: the caller's names of what no other dialect has,
                                  each once, in the order found: "messages.name" */
} ai_talk_t;

/* How many parts and tools a talk may have; more is the reader's fault to find (400). */
#define AI_TALK_PARTS 100000
#define AI_TALK_TOOLS 10000

/* An empty talk: nothing said. */
ai_talk_t *ai_talk_create(apr_pool_t *p);

/* About how many tokens its prompt has, for where nobody counts: by the length of its text, with a
 * flat charge for pictures and documents. Errs rather upwards; for prose within a third. */
apr_int64_t ai_talk_tokens(const ai_talk_t *talk);

/* Adds a zeroed part, tool; valid until the next is added. */
ai_part_t *ai_talk_part(ai_talk_t *talk, ai_part_e kind, ai_role_e role);
ai_tool_t *ai_talk_tool(ai_talk_t *talk);

/* Sets an option, unless value is absent or null. name is static. */
void ai_talk_option(ai_talk_t *talk, ai_option_e option, const char *name, ai_slice_t value);

/*
 * Names one thing as lost, once: what is the path of the caller's field without indexes, without
 * its value ("tools.function.strict"). It is copied; a name that could break a header (longer than
 * 128 bytes, or other bytes than letters, digits and _ - . [ ]) becomes its place's name: the part
 * before the last dot, or "?" where there is none. Behind the 32nd name there is only "...".
 */
void ai_lost_add(apr_array_header_t *lost, const char *what);
/* The same of a member that nobody knows. place: the path of its object, "" for the root; key: as
 * a walk hands it out. */
void ai_lost_member(apr_array_header_t *lost, const char *place, ai_slice_t key);
apr_array_header_t *ai_lost_create(apr_pool_t *p);

/*
 * What a writer leaves behind for the one who sends the request and reads the answer.
 */
typedef struct ai_sent_t {
    apr_array_header_t *lost;  /* of const char *: what this writer did not carry; begins as a
                                  copy of talk->lost */
    apr_array_header_t *names; /* of ai_renamed_t: tools that the provider knows by another name */
    apr_hash_t *by_asked;      /* private, NULL where there are none: names by either end */
    apr_hash_t *by_sent;
} ai_sent_t;

typedef struct ai_renamed_t {
    ai_slice_t asked; /* JSON strings */
    ai_slice_t sent;
} ai_renamed_t;

void ai_sent_begin(apr_pool_t *p, const ai_talk_t *talk, ai_sent_t *sent);

/* Adds every option that is set and not in carried (bits, 1u << ai_option_e). */
void ai_sent_lose_options(const ai_talk_t *talk, unsigned carried, ai_sent_t *sent);

/*
 * A tool's name as the provider takes it: at most max characters of [A-Za-z0-9_-]. A name that fits
 * is returned as it is, another one is noted in sent->names (the same again for the same name).
 */
ai_slice_t ai_sent_name(apr_pool_t *p, ai_sent_t *sent, ai_slice_t name, apr_size_t max);

/* The name that the caller gave the tool which the provider calls name. */
ai_slice_t ai_sent_asked(const ai_sent_t *sent, ai_slice_t name);

/*
 * Splits "data:image/png;base64,AAAA". value: a JSON string. Out: media and data as in ai_part_t,
 * in value's bytes or in p ("image/jpg" becomes image/jpeg; an empty media is absent).
 * Returns 1; 0 when it is no data URL (then it may be another URL); -1 when it is a broken one, or
 * one that is not in base64.
 */
int ai_data_url(apr_pool_t *p, ai_slice_t value, ai_slice_t *media, ai_slice_t *data);

/* 1 when the bytes are base64 (RFC 4648 section 4), padded or not; of any length. */
int ai_is_base64(ai_slice_t bytes);

/* An id of a tool call as providers with narrow rules take it: value itself, a JSON string, where
 * it is 1 to 64 characters of [A-Za-z0-9_-], else one made from it, the same each time. */
ai_slice_t ai_call_id(apr_pool_t *p, ai_slice_t value);

#endif
