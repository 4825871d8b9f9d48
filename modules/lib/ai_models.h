/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_models.h - what a model can do, as data: read from JSON, looked up by name.
 *
 * The format of the data, and how a name is matched, is in docs/models.md. What is built in is
 * ai_models.json; an operator's file (AIModelFile) is read on top of it.
 *
 * Pure. What was read is never changed after: all look-ups are thread-safe.
 */
#ifndef AI_MODELS_H
#define AI_MODELS_H

#include <apr_errno.h>
#include <apr_pools.h>
#include <apr_tables.h>

#include "ai_json.h"
#include "ai_slice.h"
#include "ai_splice.h"

/* Kinds of content, as bits. */
#define AI_MODEL_TEXT 1u
#define AI_MODEL_IMAGE 2u
#define AI_MODEL_PDF 4u
#define AI_MODEL_AUDIO 8u
#define AI_MODEL_VIDEO 16u

/* Ways to have a model think, as bits. */
#define AI_THINKING_NONE 1u     /* it cannot: stands alone */
#define AI_THINKING_BUDGET 2u   /* Anthropic's thinking.type "enabled" with a number of tokens */
#define AI_THINKING_ADAPTIVE 4u /* Anthropic's thinking.type "adaptive" */
#define AI_THINKING_EFFORT 8u   /* a word: reasoning_effort, output_config.effort */
#define AI_THINKING_ALWAYS 16u  /* it cannot be switched off */

/* Words of effort, as bits: 1u << the word's place. */
typedef enum ai_effort_e {
    AI_EFFORT_NONE,
    AI_EFFORT_MINIMAL,
    AI_EFFORT_LOW,
    AI_EFFORT_MEDIUM,
    AI_EFFORT_HIGH,
    AI_EFFORT_XHIGH,
    AI_EFFORT_MAX,
    AI_EFFORTS_N
} ai_effort_e;

/* Which of temperature, top_p, top_k, logprobs and top_logprobs it takes. */
typedef enum ai_sampling_e {
    AI_SAMPLING_UNKNOWN,
    AI_SAMPLING_FULL,        /* all that its dialect has */
    AI_SAMPLING_ONE_OF,      /* temperature or top_p, not both */
    AI_SAMPLING_NO_THINKING, /* all of them while its effort is "none"; else none */
    AI_SAMPLING_DEFAULT_ONLY /* none */
} ai_sampling_e;

/* How an answer is held to a JSON schema. */
typedef enum ai_schema_e {
    AI_SCHEMA_UNKNOWN,
    AI_SCHEMA_NATIVE, /* the API's own field does it */
    AI_SCHEMA_TOOL    /* only by a tool that the model must call */
} ai_schema_e;

/* What is known of the models that one pattern matches. Text lives as long as the table. */
typedef struct ai_ability_t {
    const char *match;          /* the pattern; "" in the record of a model that is unknown */
    const char *dialect;        /* a dialect's name: holds only there; NULL: everywhere */
    apr_int64_t context;        /* tokens, prompt and answer together; -1: not known */
    apr_int64_t output;         /* the most tokens of an answer; -1: not known */
    unsigned input;             /* AI_MODEL_*; 0: not known */
    unsigned written;           /* AI_MODEL_*, what it answers with; 0: not known */
    ai_sampling_e sampling;
    unsigned thinking;          /* AI_THINKING_*; 0: not known */
    unsigned efforts;           /* bits 1u << ai_effort_e; 0: not known */
    ai_effort_e default_effort; /* when none is asked for; AI_EFFORTS_N: not known */
    ai_schema_e schema;
    int forced_tool; /* 1: a tool may be forced while it thinks; 0: not; -1: not known */
    int prefill;     /* 1: the last message may be the assistant's; 0: not; -1: not known */
    const char *const *refuses; /* members of a request that it refuses, NULL-terminated */
    const char *const *renames; /* pairs: a member that it refuses, the one that says the same;
                                   NULL-terminated */
    const char *source;         /* where this is from */
    const char *date;           /* "2026-11-21": when it was read there */
} ai_ability_t;

/* A table of records. Opaque. */
typedef struct ai_models_t ai_models_t;

/* How many bytes and records a file may have. */
#define AI_MODELS_SIZE (4 * 1024 * 1024)
#define AI_MODELS_RECORDS 10000

/* The text of ai_models.json. */
ai_slice_t ai_models_builtin(void);

/*
 * Reads a table. p: where the table lives, all text is copied. base: the table whose records hold
 * where no record of this one matches, or NULL; it must live as long.
 * Returns the table; or NULL and *wrong says what is wrong and where ("record 3 (\"gpt-x\"):
 * context: ..."), in p.
 */
const ai_models_t *ai_models_read(apr_pool_t *p, ai_slice_t text, const ai_models_t *base,
                                  const char **wrong);

/*
 * What is known of a model, by the name that its provider knows it by. dialect: the provider's.
 * Of the records that match, the one with the most literal characters; the table's own before
 * its base's. Never NULL: nothing is known of a name that nothing matches (NULL included).
 */
const ai_ability_t *ai_models_find(const ai_models_t *models, const char *dialect,
                                   const char *model);

/* 1 if what is left of a name only says which state of the model it is: nothing, a date
 * ("-20250929", "@20250929", "-2025-09-29"), "-latest", and Bedrock's version ("-v1:0"). */
int ai_models_is_state(const char *at);

/* How many records there are, without the base's; and each, in the order of the file. */
int ai_models_count(const ai_models_t *models);
const ai_ability_t *ai_models_at(const ai_models_t *models, int i);

/*
 * 1 if a request to it must not have the member: one that it refuses, one that has another name
 * there, one that sampling "default_only" speaks for, thinking and reasoning_effort where it does
 * not think. 0 if it may, or nothing is known.
 */
int ai_ability_refuses(const ai_ability_t *ability, const char *member);

/* The nearest word of effort that it takes, a lower one where two are as near; the word itself
 * when its words are not known. */
ai_effort_e ai_ability_effort(const ai_ability_t *ability, ai_effort_e wanted);

/* A word of effort; and its place, AI_EFFORTS_N for a word that is none. */
const char *ai_effort_word(ai_effort_e effort);
ai_effort_e ai_effort_of(ai_slice_t word);

/*
 * Adds to splice the edits that make a checked body (doc->root is an object) fit a model of the
 * same dialect: renames members, takes out what the model refuses, caps max_tokens and its like to
 * the longest answer. For a body whose caller could not know which model it goes to.
 * dropped: gets the names (const char *) of what was taken out with a value that says something;
 * a default goes without a word.
 * Returns APR_SUCCESS, or what ai_splice.h returns.
 */
apr_status_t ai_ability_fit(apr_pool_t *p, const ai_ability_t *ability, const ai_json_doc_t *doc,
                            ai_splice_t *splice, apr_array_header_t *dropped);

#endif
