/* SPDX-License-Identifier: Apache-2.0 */
/*
 * audit_whole.h - a streamed answer put together: the whole answer that it comes to.
 *
 * What is to be found in a text may be cut over many events; so the text is put together first.
 * Pure: no httpd.
 */
#ifndef AUDIT_WHOLE_H
#define AUDIT_WHOLE_H

#include "dialect.h"

/* So many bytes before a cut are left out: what stands there may be the beginning of a secret, too
 * short to be known as one. */
#define AUDIT_EDGE 320

typedef struct audit_whole_t audit_whole_t;

/* Of an answer in that dialect, of which at most limit bytes of text are held. In p; the text lies in
 * the system's memory, and is given back by audit_whole_free() or with p. */
audit_whole_t *audit_whole_begin(apr_pool_t *p, const ai_dialect_t *dialect, ai_endpoint_e endpoint,
                                 apr_size_t limit);

/* The next bytes of the stream. */
void audit_whole_feed(audit_whole_t *whole, const char *bytes, apr_size_t n);

/* How many bytes of text are held. */
apr_size_t audit_whole_held(const audit_whole_t *whole);

/*
 * The answer as one body, good until p ends or audit_whole_free(): as the dialect has a whole answer to a chat (of other endpoints: as far
 * as that fits), or what the stream's last event holds of it. Absent where there is none. *lost: NULL,
 * "limit" when the text was longer, "unreadable" when something in it could not be read; then, and
 * where is_cut says that the stream broke off, the end of each text is left out.
 */
ai_slice_t audit_whole_end(audit_whole_t *whole, apr_pool_t *p, const ai_answer_t *answer,
                           int is_cut, const char **lost);
void audit_whole_free(audit_whole_t *whole);

#endif
