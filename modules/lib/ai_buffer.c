/* SPDX-License-Identifier: Apache-2.0 */
/* ai_buffer.c - where do bytes live that a pool would keep too long? */

#include <stdlib.h>
#include <string.h>

#include "ai_buffer.h"

#define FIRST_SIZE 512

apr_status_t ai_buffer_reserve(ai_buffer_t *buffer, apr_size_t size)
{
    char *p;

    if (size <= buffer->size) {
        return APR_SUCCESS;
    }
    if (size > AI_BUFFER_MAX) {
        return APR_ENOMEM;
    }
    p = realloc(buffer->p, size);
    if (!p) {
        return APR_ENOMEM;
    }
    buffer->p = p;
    buffer->size = size;
    return APR_SUCCESS;
}

void ai_buffer_add(ai_buffer_t *buffer, const char *bytes, apr_size_t n)
{
    if (n) {
        memcpy(buffer->p + buffer->n, bytes, n);
        buffer->n += n;
    }
}

apr_status_t ai_buffer_append(ai_buffer_t *buffer, const char *bytes, apr_size_t n)
{
    apr_size_t size = buffer->size ? buffer->size : FIRST_SIZE;
    apr_status_t rv;

    while (size - buffer->n < n) {
        size *= 2;
    }
    rv = ai_buffer_reserve(buffer, size);
    if (rv == APR_SUCCESS) {
        ai_buffer_add(buffer, bytes, n);
    }
    return rv;
}

void ai_buffer_free(ai_buffer_t *buffer)
{
    free(buffer->p);
    *buffer = (ai_buffer_t){ NULL, 0, 0 };
}
