/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_form.h - finds a few fields in a multipart/form-data body (RFC 7578) that arrives in pieces.
 *
 * It is fed each chunk once, in order, and keeps only the values of the fields it was asked for;
 * files pass by unkept. It is right for every split of the bytes.
 *
 * It is strict where two readers could disagree about which fields there are, since a provider
 * reads the same bytes after us: a field twice, a name in other letters or in another notation, a
 * boundary behind a line end that is none, headers that fold, text before or behind the parts.
 *
 * Not thread-safe; one per body.
 */
#ifndef AI_FORM_H
#define AI_FORM_H

#include <apr_pools.h>

#include "ai_slice.h"

/* The longest value of a field that is asked for, and the longest head of a part, in bytes. */
#define AI_FORM_VALUE_MAX 256
#define AI_FORM_HEAD_MAX 4096
/* The most fields that can be asked for. */
#define AI_FORM_FIELDS_MAX 4

typedef struct ai_form_t ai_form_t;

typedef struct ai_form_field_t {
    const char *value;    /* NUL-terminated UTF-8 without control characters, in the pool */
    apr_size_t n;
    apr_uint64_t offset;  /* of the value in the body */
} ai_form_field_t;

/*
 * Reads a Content-Type. Returns 0 when it is not multipart/form-data; 1 and *boundary, in p; -1
 * when it is, but has no boundary of 1 to 70 of the characters that RFC 2046 allows, or has two.
 */
int ai_form_boundary(apr_pool_t *p, const char *content_type, const char **boundary);

/* names: NULL-terminated list of at most AI_FORM_FIELDS_MAX fields in lower case, static. The
 * boundary must live as long as p. */
ai_form_t *ai_form_create(apr_pool_t *p, const char *boundary, const char *const *names);

/* Takes the next n bytes. Returns NULL, or what is wrong with the form, in static text that goes on
 * from "the form ..."; then for good. */
const char *ai_form_feed(ai_form_t *form, const char *bytes, apr_size_t n);

/* 1 when the form's own end has come. */
int ai_form_is_done(const ai_form_t *form);

/* Field names[i], once all of it has come; else NULL. */
const ai_form_field_t *ai_form_get(const ai_form_t *form, int i);

#endif
