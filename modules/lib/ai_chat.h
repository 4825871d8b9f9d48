/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_chat.h - the words in which the rooms speak of a call: endpoint, ask, usage, finish, error.
 *
 * Plain values without a wire format and without httpd. Text is borrowed from the request's pool.
 */
#ifndef AI_CHAT_H
#define AI_CHAT_H

#include "ai_slice.h"

/* What kind of call it is; the word is the note ai-endpoint. */
typedef enum ai_endpoint_e {
    AI_ENDPOINT_OTHER = 0,      /* "other": passed through, metered where usage is present */
    AI_ENDPOINT_CHAT,           /* "chat" */
    AI_ENDPOINT_EMBEDDINGS,     /* "embeddings" */
    AI_ENDPOINT_COUNT,          /* "count-tokens": how long a chat would be */
    AI_ENDPOINT_MODELS,         /* "models": the list */
    AI_ENDPOINT_MODEL,          /* "model": one of the list */
    AI_ENDPOINT_COMPLETIONS,    /* "completions": text that goes on from a prompt */
    AI_ENDPOINT_RESPONSES,      /* "responses" */
    AI_ENDPOINT_MODERATIONS,    /* "moderations" */
    AI_ENDPOINT_IMAGES,         /* "images": generations, edits, variations */
    AI_ENDPOINT_SPEECH,         /* "speech": text to audio */
    AI_ENDPOINT_TRANSCRIPTIONS, /* "transcriptions": audio to text */
    AI_ENDPOINT_TRANSLATIONS,   /* "translations": audio to English text */
    AI_ENDPOINT_RERANK,         /* "rerank" */
    AI_ENDPOINT_FILES,          /* "files" */
    AI_ENDPOINT_BATCHES,        /* "batches" */
    AI_ENDPOINT_STORED,         /* "stored": all else that a provider keeps under an id */
    AI_ENDPOINTS_N
} ai_endpoint_e;

const char *ai_endpoint_name(ai_endpoint_e endpoint);

/* What is known of all calls of a kind, whatever the dialect; 1 or 0. */

/* Passed through as it is: what is asked and answered, and how, is the provider's business. */
int ai_endpoint_passes(ai_endpoint_e endpoint);
/* About something that one provider keeps: no other can answer. */
int ai_endpoint_is_kept(ai_endpoint_e endpoint);
/* Must say which model is asked, unless the dialect knows better. */
int ai_endpoint_needs_model(ai_endpoint_e endpoint);
/* Asked with POST alone, by a JSON object; or, where _takes_form, by multipart/form-data. */
int ai_endpoint_is_posted(ai_endpoint_e endpoint);
int ai_endpoint_takes_form(ai_endpoint_e endpoint);
/* Answered by a JSON object, unless by a stream. */
int ai_endpoint_gives_object(ai_endpoint_e endpoint);
/* Streamed as chunks of choices, with usage in the last one where it is asked for. */
int ai_endpoint_gives_chunks(ai_endpoint_e endpoint);

/* What a request asks for. Absent is NULL or 0. */
typedef struct ai_ask_t {
    const char *model;         /* decoded, NUL-terminated, no control characters */
    int stream;                /* 1 when the caller asked for a stream */
    int wants_usage;           /* 1 when the caller itself asked for usage in the stream */
    ai_slice_t stream_options; /* that member's value in the body, where it is an object */
    int kept;                  /* 1 when it speaks of something that one provider keeps: a file's
                                  id, an earlier response, ...: no other can answer it */
    int once;                  /* 1 when its body cannot be sent twice: it is longer than is held */
    apr_int64_t max_output;    /* the most tokens of one answer; -1: said in a way that does not tell */
    apr_int64_t n;             /* how many answers, where it is said; -1: as above */
    int unbounded;             /* 1 when the prompt may have more tokens than its text has bytes: an
                                  image, a file, a tool that the provider runs, ... */
} ai_ask_t;

/* The most tokens that a call can take; -1 is unknown. */
typedef struct ai_reserved_t {
    apr_int64_t prompt;
    apr_int64_t completion; /* of all answers together */
} ai_reserved_t;

/* Classes of service that a provider charges in different ways. */
typedef enum ai_service_e {
    AI_SERVICE_STANDARD = 0, /* also where nothing is said */
    AI_SERVICE_BATCH,
    AI_SERVICE_FLEX,
    AI_SERVICE_PRIORITY,
    AI_SERVICE_BALANCED,
    AI_SERVICE_ULTRAFAST,
    AI_SERVICES_N,
    AI_SERVICE_OTHER = AI_SERVICES_N /* a word that is none of these */
} ai_service_e;

/* By the provider's word, a JSON string; any other value leaves *service as it is. */
void ai_service_keep(ai_service_e *service, ai_slice_t value);
/* "standard", "batch", ...; the word's place, AI_SERVICE_OTHER for one that is none. */
const char *ai_service_name(ai_service_e service);
ai_service_e ai_service_of(const char *word);

/* Tokens as the provider reports them; -1 is unknown. cached, written, and the tokens of audio and
 * pictures are parts of prompt, or of completion, reasoning of completion, whatever the provider's
 * own convention. */
typedef struct ai_usage_t {
    apr_int64_t prompt;
    apr_int64_t completion;
    apr_int64_t cached;           /* read from the provider's cache */
    apr_int64_t reasoning;
    apr_int64_t written;          /* went into the provider's cache */
    apr_int64_t written_1h;       /* and is kept there for an hour: a part of written */
    apr_int64_t prompt_audio;
    apr_int64_t prompt_image;
    apr_int64_t completion_audio;
    apr_int64_t completion_image;
    apr_int64_t searches;         /* that the provider made; units of a rerank */
    apr_int64_t seconds;          /* of audio */
    apr_int64_t images;           /* pictures made */
    apr_int64_t characters;       /* spoken */
    ai_service_e service;
} ai_usage_t;

#define AI_USAGE_UNKNOWN \
    ((ai_usage_t){ -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, AI_SERVICE_STANDARD })

/* Why an answer ended; the word is the note ai-finish. */
typedef enum ai_finish_e {
    AI_FINISH_NONE = 0,
    AI_FINISH_STOP,
    AI_FINISH_LENGTH,
    AI_FINISH_TOOL,
    AI_FINISH_FILTER,
    AI_FINISH_ERROR,
    AI_FINISH_CLIENT_ABORT
} ai_finish_e;

/* NULL for AI_FINISH_NONE. */
const char *ai_finish_name(ai_finish_e finish);

/* An error as a value; a dialect renders it. */
typedef struct ai_error_t {
    int status;          /* HTTP status */
    const char *code;    /* machine reason: model_not_found, request_too_large, ... or NULL */
    const char *message; /* for a person; holds no secret and no content */
    const char *param;   /* the request's field that is at fault, or NULL */
} ai_error_t;

#endif
