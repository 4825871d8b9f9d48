/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_crc32c.c - did these bytes change by chance?
 *
 * Eight bytes at a time, by eight tables ("slicing by 8"), on any processor. The instruction that
 * some have is not used: beside the SHA-256 that each record of the spool gets as well, this is
 * the small part.
 *
 * Lives in: nothing.  Shared state: none.  May block: no.
 */
#include "ai_crc32c.h"
#include "ai_crc32c_table.h"

/* The four bytes from p on, the first one lowest. */
static apr_uint32_t four(const unsigned char *p)
{
    return (apr_uint32_t)p[0] | (apr_uint32_t)p[1] << 8 | (apr_uint32_t)p[2] << 16
           | (apr_uint32_t)p[3] << 24;
}

apr_uint32_t ai_crc32c(apr_uint32_t crc, const void *bytes, apr_size_t n)
{
    const unsigned char *p = bytes;

    crc = ~crc;
    for (; n >= 8; p += 8, n -= 8) {
        apr_uint32_t low = crc ^ four(p), high = four(p + 4);

        crc = ai_crc32c_table[7][low & 255] ^ ai_crc32c_table[6][low >> 8 & 255]
              ^ ai_crc32c_table[5][low >> 16 & 255] ^ ai_crc32c_table[4][low >> 24]
              ^ ai_crc32c_table[3][high & 255] ^ ai_crc32c_table[2][high >> 8 & 255]
              ^ ai_crc32c_table[1][high >> 16 & 255] ^ ai_crc32c_table[0][high >> 24];
    }
    for (; n; p++, n--) {
        crc = crc >> 8 ^ ai_crc32c_table[0][(crc ^ *p) & 255];
    }
    return ~crc;
}
