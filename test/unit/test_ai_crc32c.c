/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_ai_crc32c.c - RFC 3720's vectors, every length and split, and the table worked out again.
 */
#include "ai_crc32c.h"
#include "ai_crc32c_table.h"
#include "tap.h"

/* The definition, a bit at a time. */
static apr_uint32_t by_bits(const unsigned char *bytes, apr_size_t n)
{
    apr_uint32_t crc = 0xffffffff;
    int bit;

    for (; n; n--) {
        crc ^= *bytes++;
        for (bit = 0; bit < 8; bit++) {
            crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
        }
    }
    return ~crc;
}

static void test_vectors(void)
{
    static const unsigned char read10[48] = {
        0x01, 0xc0, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x14, 0x00, 0x00, 0x00, 0x00, 0x00, 0x04, 0x00, 0x00, 0x00, 0x00, 0x14, 0x00, 0x00, 0x00, 0x18,
        0x28, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00
    };
    unsigned char bytes[32];
    int i;

    memset(bytes, 0, sizeof(bytes));
    is_number(ai_crc32c(0, bytes, 32), 0x8a9136aa, "32 bytes of zeros");
    memset(bytes, 0xff, sizeof(bytes));
    is_number(ai_crc32c(0, bytes, 32), 0x62a8ab43, "32 bytes of ones");
    for (i = 0; i < 32; i++) {
        bytes[i] = (unsigned char)i;
    }
    is_number(ai_crc32c(0, bytes, 32), 0x46dd794e, "32 bytes upwards");
    for (i = 0; i < 32; i++) {
        bytes[i] = (unsigned char)(31 - i);
    }
    is_number(ai_crc32c(0, bytes, 32), 0x113fdb5c, "32 bytes downwards");
    is_number(ai_crc32c(0, read10, sizeof(read10)), 0xd9963a56, "an iSCSI command");
    is_number(ai_crc32c(0, "123456789", 9), 0xe3069283, "the check value");
    is_number(ai_crc32c(0, "", 0), 0, "no bytes");
}

static void test_table(void)
{
    int k, b, wrong = 0;

    for (k = 0; k < 8; k++) {
        for (b = 0; b < 256; b++) {
            apr_uint32_t crc = (apr_uint32_t)b;
            int bit;

            for (bit = 0; bit < 8 * (k + 1); bit++) {
                crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
            }
            wrong += crc != ai_crc32c_table[k][b];
        }
    }
    is_number(wrong, 0, "all 2048 numbers of the table are right");
}

static void test_splits(void)
{
    unsigned char bytes[200];
    int n, at, wrong = 0, split = 0;

    for (n = 0; n < 200; n++) {
        bytes[n] = (unsigned char)(n * 7 + n / 3);
    }
    for (n = 0; n <= 190; n++) {
        /* At each alignment. */
        wrong += ai_crc32c(0, bytes + n % 8, (apr_size_t)n) != by_bits(bytes + n % 8, (apr_size_t)n);
        wrong += ai_crc32c_by_table(0, bytes + n % 8, (apr_size_t)n)
                 != by_bits(bytes + n % 8, (apr_size_t)n);
    }
    is_number(wrong, 0, "each length, aligned or not, is as the definition has it");
    for (at = 0; at <= 150; at++) {
        split += ai_crc32c(ai_crc32c(0, bytes, (apr_size_t)at), bytes + at, (apr_size_t)(150 - at))
                 != by_bits(bytes, 150);
    }
    is_number(split, 0, "two pieces have the CRC of the whole, wherever it is cut");
}

int main(void)
{
    test_vectors();
    test_table();
    test_splits();
    return done();
}
