/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_audit_member.h - the one list of what stands in a record, for its writer and its reader.
 */
#ifndef AI_AUDIT_MEMBER_H
#define AI_AUDIT_MEMBER_H

#include "ai_audit_record.h"

typedef enum ai_audit_kind_e {
    AI_AUDIT_VERSION, /* always 1 */
    AI_AUDIT_TEXT,    /* const char * */
    AI_AUDIT_TIME,    /* apr_time_t */
    AI_AUDIT_COUNT,   /* apr_int64_t, not negative */
    AI_AUDIT_SIGN,    /* int that is -1, 0 or 1, and before it an int: is it there? */
    AI_AUDIT_TRUE,    /* int; left out where 0 */
    AI_AUDIT_OBJECT,  /* a struct with members of its own; left out where all of them are */
    AI_AUDIT_LIST,    /* a pointer and an int: so many structs with members of their own */
    AI_AUDIT_PAIRS,   /* ai_audit_pairs_t */
    AI_AUDIT_JSON,    /* const char *: an array, as it is */
    AI_AUDIT_CUT      /* const char *; what the writer left out */
} ai_audit_kind_e;

typedef struct ai_audit_member_t ai_audit_member_t;

typedef struct ai_audit_shape_t {
    const ai_audit_member_t *members;
    int n;
    apr_size_t size; /* of the struct */
    int whole;       /* 1: it is the record itself */
} ai_audit_shape_t;

struct ai_audit_member_t {
    ai_slice_t name; /* with the quotes and the colon behind it */
    ai_audit_kind_e kind;
    apr_size_t offset;         /* in its struct */
    apr_size_t most;           /* bytes of JSON that a text may have, or all of a list */
    int begin;                 /* 1: stands in a begin, too */
    const ai_audit_shape_t *of; /* of an object, or of each of a list */
};

extern const ai_audit_shape_t ai_audit_record_shape;
extern const ai_audit_shape_t ai_audit_note_shape;

/* The bytes that a list of pairs may have for one name, and so many pairs. */
#define AI_AUDIT_PAIR_NAME 64
#define AI_AUDIT_PAIR_VALUE 512
enum { AI_AUDIT_PAIRS_MOST = 48 };

/* What a struct that begins at base has at that place. */
static inline void *ai_audit_at(void *base, const ai_audit_member_t *member)
{
    return (char *)base + member->offset;
}

static inline const void *ai_audit_there(const void *base, const ai_audit_member_t *member)
{
    return (const char *)base + member->offset;
}

/* How a list lies in its struct. */
typedef struct ai_audit_list_t {
    const char *list;
    int n;
} ai_audit_list_t;

#endif
