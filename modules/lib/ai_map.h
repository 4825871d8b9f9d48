/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_map.h - memory in a file that the processes of a server share, and programs beside it.
 *
 * The file begins with who it is: a name, a layout number, a size. It belongs to who made it, mode
 * 0600, so that only he and root can look into it. What is in the memory is its owner's matter.
 */
#ifndef AI_MAP_H
#define AI_MAP_H

#include <apr_errno.h>
#include <apr_pools.h>

/* The longest name, without the NUL that ends it. */
#define AI_MAP_NAME 31

/*
 * Makes zeroed memory of size bytes in a new file that takes the place of what path was before;
 * processes that have that go on with it. The system's memory or disk is reserved, so that no later
 * access can fail. *memory is aligned for any type and good until ai_map_close() or the end of the
 * process; children that are forked share it. The system's error, and nothing was changed.
 */
apr_status_t ai_map_create(apr_pool_t *p, const char *path, const char *name, apr_uint32_t layout,
                           apr_size_t size, void **memory);

/*
 * Maps a file that is there, to read and to write. Returns NULL, or what is wrong, in p: not there,
 * not ours or root's, open to others, cut short, or of another name or layout.
 */
const char *ai_map_attach(apr_pool_t *p, const char *path, const char *name, apr_uint32_t layout,
                          void **memory, apr_size_t *size);

/* Gives memory of one of the two back. The file stays. */
void ai_map_close(void *memory);

/* 1 if path is still the file that memory was made in. */
int ai_map_is_at(const void *memory, const char *path);

#endif
