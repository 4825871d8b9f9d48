/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_crc32c.c - did these bytes change by chance?
 *
 * Eight bytes at a time: by the instruction where the processor has one, else by eight tables
 * ("slicing by 8").
 *
 * Lives in: nothing.  Shared state: none.  May block: no.
 */
#include <string.h>

#include "ai_crc32c.h"
#include "ai_crc32c_table.h"

#if defined(__x86_64__) && defined(__GNUC__)
#define INSTRUCTION __attribute__((target("sse4.2")))
#define HAS_INSTRUCTION __builtin_cpu_supports("sse4.2")
#define ADD_EIGHT(crc, bytes) ((apr_uint32_t)__builtin_ia32_crc32di((crc), (bytes)))
#define ADD_ONE(crc, byte) __builtin_ia32_crc32qi((crc), (byte))
#elif defined(__ARM_FEATURE_CRC32) && defined(__AARCH64EL__)
#include <arm_acle.h>
#define INSTRUCTION
#define HAS_INSTRUCTION 1
#define ADD_EIGHT(crc, bytes) __crc32cd((crc), (bytes))
#define ADD_ONE(crc, byte) __crc32cb((crc), (byte))
#endif

/* The four bytes from p on, the first one lowest. */
static apr_uint32_t four(const unsigned char *p)
{
    return (apr_uint32_t)p[0] | (apr_uint32_t)p[1] << 8 | (apr_uint32_t)p[2] << 16
           | (apr_uint32_t)p[3] << 24;
}

#ifdef INSTRUCTION
INSTRUCTION static apr_uint32_t by_instruction(apr_uint32_t crc, const unsigned char *p, apr_size_t n)
{
    apr_uint64_t eight;

    crc = ~crc;
    for (; n >= 8; p += 8, n -= 8) {
        memcpy(&eight, p, sizeof(eight));
        crc = ADD_EIGHT(crc, eight);
    }
    for (; n; p++, n--) {
        crc = ADD_ONE(crc, *p);
    }
    return ~crc;
}
#endif

apr_uint32_t ai_crc32c(apr_uint32_t crc, const void *bytes, apr_size_t n)
{
#ifdef INSTRUCTION
    if (HAS_INSTRUCTION) {
        return by_instruction(crc, bytes, n);
    }
#endif
    return ai_crc32c_by_table(crc, bytes, n);
}

apr_uint32_t ai_crc32c_by_table(apr_uint32_t crc, const void *bytes, apr_size_t n)
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
