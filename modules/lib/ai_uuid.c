/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_uuid.c - what is this called, and what came first?
 *
 * 48 bits of milliseconds, then 74 random ones (RFC 9562, 5.7), which count on within a millisecond
 * (6.2, method 2). They are kept here as 12 and 62 bits, as they lie around version and variant.
 *
 * Lives in: the source.  Shared state: the last one made, by a lock.  May block: no.
 */
#include <errno.h>
#include <sys/random.h>
#include <unistd.h>

#include <apr_thread_mutex.h>

#include "ai_uuid.h"

#define HIGH_MOST 0xfffu
#define LOW_MOST APR_UINT64_C(0x3fffffffffffffff)

struct ai_uuid_source_t {
    apr_thread_mutex_t *lock; /* of all below */
    pid_t pid;                /* whose the last one was; 0: there is none */
    apr_uint64_t ms;          /* of the last one */
    apr_uint64_t low;
    unsigned high;
};

apr_status_t ai_uuid_source_create(apr_pool_t *p, ai_uuid_source_t **source)
{
    *source = apr_pcalloc(p, sizeof(**source));
    return apr_thread_mutex_create(&(*source)->lock, APR_THREAD_MUTEX_UNNESTED, p);
}

static apr_status_t draw(apr_uint64_t random[2])
{
    unsigned char *at = (unsigned char *)random;
    apr_size_t left = 2 * sizeof(random[0]);

    while (left) {
        ssize_t n = getrandom(at, left, 0);

        if (n < 0 && errno != EINTR) {
            return errno;
        }
        if (n > 0) {
            at += n;
            left -= (apr_size_t)n;
        }
    }
    return APR_SUCCESS;
}

/* From the last one on, by less than 2^32. */
static void step(ai_uuid_source_t *source, apr_uint64_t random)
{
    source->low += (random & 0xffffffffu) + 1;
    if (source->low <= LOW_MOST) {
        return;
    }
    source->low &= LOW_MOST;
    if (source->high++ == HIGH_MOST) {
        source->high = 0;
        source->ms++;
    }
}

static void write_out(const ai_uuid_source_t *source, unsigned char *to)
{
    int i;

    for (i = 0; i < 6; i++) {
        to[i] = (unsigned char)(source->ms >> (40 - 8 * i));
    }
    to[6] = (unsigned char)(0x70 | source->high >> 8);
    to[7] = (unsigned char)source->high;
    for (i = 0; i < 8; i++) {
        to[8 + i] = (unsigned char)(source->low >> (56 - 8 * i));
    }
    to[8] |= 0x80;
}

apr_status_t ai_uuid_make(ai_uuid_source_t *source, apr_time_t now, ai_uuid_t *uuid)
{
    apr_uint64_t random[2], ms = (apr_uint64_t)(now / 1000);
    apr_status_t rv = draw(random);
    pid_t pid = getpid();

    if (rv != APR_SUCCESS) {
        return rv;
    }
    apr_thread_mutex_lock(source->lock);
    if (source->pid != pid || ms > source->ms) {
        source->ms = source->pid == pid || ms > source->ms ? ms : source->ms;
        source->pid = pid;
        source->high = (unsigned)random[0] & HIGH_MOST;
        source->low = random[1] & LOW_MOST;
    }
    else {
        step(source, random[0]);
    }
    write_out(source, uuid->bytes);
    apr_thread_mutex_unlock(source->lock);
    return APR_SUCCESS;
}

/* Whether a hyphen stands before byte i. */
static int hyphen_before(int i)
{
    return i == 4 || i == 6 || i == 8 || i == 10;
}

void ai_uuid_text(const ai_uuid_t *uuid, char text[AI_UUID_TEXT + 1])
{
    static const char digits[] = "0123456789abcdef";
    int i;

    for (i = 0; i < 16; i++) {
        if (hyphen_before(i)) {
            *text++ = '-';
        }
        *text++ = digits[uuid->bytes[i] >> 4];
        *text++ = digits[uuid->bytes[i] & 15];
    }
    *text = '\0';
}

/* What a hexadecimal digit is worth, or -1. */
static int worth(char digit)
{
    if (digit >= '0' && digit <= '9') {
        return digit - '0';
    }
    digit |= 0x20;
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

int ai_uuid_read(ai_slice_t text, ai_uuid_t *uuid)
{
    const char *at = text.p;
    int i;

    if (text.n != AI_UUID_TEXT) {
        return 0;
    }
    for (i = 0; i < 16; i++, at += 2) {
        int high, low;

        if (hyphen_before(i) && *at++ != '-') {
            return 0;
        }
        high = worth(at[0]);
        low = worth(at[1]);
        if (high < 0 || low < 0) {
            return 0;
        }
        uuid->bytes[i] = (unsigned char)(high << 4 | low);
    }
    return 1;
}

apr_time_t ai_uuid_time(const ai_uuid_t *uuid)
{
    apr_time_t ms = 0;
    int i;

    for (i = 0; i < 6; i++) {
        ms = ms << 8 | uuid->bytes[i];
    }
    return ms * 1000;
}
