/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_segment.h - memory that all processes of a server share, and that restarts leave as it is.
 *
 * Compiled into every module (hidden), as ai_conf.h.
 */
#ifndef AI_SEGMENT_H
#define AI_SEGMENT_H

#include <httpd.h>

/*
 * For post_config, and not for its first pass (AP_SQ_MS_CREATE_PRE_CONFIG).
 *
 * Memory of size bytes: zeroed the first time, and when size or layout are not those of what is
 * there; else the same as before the restart. Children that still have the old one keep it; what
 * they count there is lost to the new one. A module asks in every post_config: memory that has been
 * replaced is gone for the parent process.
 *
 * It lies in the file DefaultRuntimeDir/ai-NAME.shm, mode 0600, so that aictl finds it (ai_map.h);
 * the file goes with the server. Where it cannot be made the memory has no file, and that is logged.
 * NULL when there is no memory at all; that is logged, too.
 */
void *ai_segment_get(server_rec *s, const char *name, apr_size_t size, apr_uint32_t layout);

/* For a configuration that does not ask for what one before it may have had: the file goes, and the
 * memory as far as the parent process is concerned. */
void ai_segment_drop(server_rec *s, const char *name);

#endif
