/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_crc32c.h - CRC-32C (Castagnoli), as iSCSI has it (RFC 3720, appendix B.4).
 *
 * Finds what a disk or a cut did by chance. It stops nobody who alters bytes on purpose.
 */
#ifndef AI_CRC32C_H
#define AI_CRC32C_H

#include <apr.h>

/*
 * The CRC of n bytes that follow those whose CRC is crc; 0 is that of no bytes. So a text in pieces
 * has the same CRC as the whole. Thread-safe.
 */
apr_uint32_t ai_crc32c(apr_uint32_t crc, const void *bytes, apr_size_t n);

/* The same without the processor's instruction for it: what ai_crc32c() does where there is none. */
apr_uint32_t ai_crc32c_by_table(apr_uint32_t crc, const void *bytes, apr_size_t n);

#endif
