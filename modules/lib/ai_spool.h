/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_spool.h - records that outlive whoever wrote them: appended to files, chained by digest.
 *
 * A folder holds segments; a segment is one file, appended to by one process and all its threads,
 * read by anybody at the same time. Nothing is ever changed in it; ai_spool_strip() makes another
 * file of it. docs/design/0006-spool.md has the format, and why it is so.
 *
 * A process that is killed loses no record that ai_spool_append() took. A machine that loses power
 * loses none that ai_spool_wait() or ai_spool_sync() vouched for.
 */
#ifndef AI_SPOOL_H
#define AI_SPOOL_H

#include <apr_errno.h>
#include <apr_pools.h>
#include <apr_tables.h>
#include <apr_time.h>

#include "ai_slice.h"
#include "ai_uuid.h"

#define AI_SPOOL_DIGEST 32                     /* bytes of a digest: SHA-256 */
#define AI_SPOOL_NODE 63                       /* the longest name of a node, without a NUL */
#define AI_SPOOL_BODY ((apr_size_t)64 << 20)   /* the longest body of a record, in bytes */

/* What a record is. Others up to 65535 are whoever's writes them; a reader hands them out. */
typedef enum ai_spool_type_e {
    AI_SPOOL_BEGIN = 1,  /* a call is about to cost something */
    AI_SPOOL_END,        /* a call is over */
    AI_SPOOL_NOTE,       /* more about a call: feedback, ... */
    AI_SPOOL_TOMBSTONE,  /* tells of a body that was taken out */
    AI_SPOOL_CHECKPOINT, /* tells of other segments */
    AI_SPOOL_CLOSE       /* the last of a segment that was closed; only the spool writes it */
} ai_spool_type_e;

/* ------------------------------------------------------------------------------- writing */

typedef struct ai_spool_t ai_spool_t;

/* A record that was taken: 1 is the first of this spool, then 2, ... */
typedef apr_uint64_t ai_spool_position_t;

typedef struct ai_spool_conf_t {
    const char *folder; /* must be there, and nobody else may write in it but, where it hands its
                         * group on (chmod g+s), that group */
    const char *node;   /* name of this host, to be told apart where records of several meet */
    apr_off_t size;     /* bytes from which a segment is rolled over; 0: 64 MB */
    apr_interval_time_t age; /* time after which it is, at the next record; 0: one hour */
    apr_size_t ahead;   /* bytes of the disk that are reserved at a time; 0: 1 MB */
} ai_spool_conf_t;

typedef struct ai_spool_record_t {
    int type;               /* of ai_spool_type_e, or another from 1 to 65535 */
    ai_uuid_t id;           /* of the call */
    apr_time_t time;        /* now */
    const ai_slice_t *body; /* its pieces, in order */
    int pieces;
    apr_size_t promise; /* room for a later record with a body of so many bytes; 0: none */
    apr_size_t redeems; /* such a promise that was made is used up by this record; 0: none */
} ai_spool_record_t;

typedef struct ai_spool_state_t {
    apr_uint64_t written;  /* records taken */
    apr_uint64_t settled;  /* of which nothing more will be heard: durable, or lost */
    apr_uint64_t lost;     /* of which the disk said that it may not have kept them */
    apr_uint64_t refused;  /* records that were not taken */
    apr_uint64_t segments; /* begun by this spool */
    apr_off_t promised;    /* bytes reserved for records to come */
    int keeps_promises;    /* 0 where the file system cannot reserve room */
} ai_spool_state_t;

/*
 * Begins a spool with its first segment. After the process was forked, never before. *spool is in p
 * and open until ai_spool_close(). conf's strings must live as long. APR_EINVAL for a wrong conf or
 * a folder that others may write in; else the system's error; then nothing is left behind.
 */
apr_status_t ai_spool_open(apr_pool_t *p, const ai_spool_conf_t *conf, apr_time_t now,
                           ai_spool_t **spool);

/*
 * Appends a record: at once it can be read, and outlives this process. *position is for
 * ai_spool_wait(). An error means that the record is not in the spool, nor half of it; it may be
 * tried again, and goes in when the disk has room again. ENOSPC or EDQUOT: no room, also none for
 * what was to be promised. Where the state keeps_promises, a record that redeems a promise and is
 * no longer than promised never fails for want of room, as long as no disk breaks. APR_EINVAL for a
 * body beyond AI_SPOOL_BODY, or a type that is not the caller's.
 * Thread-safe. Waits for other threads that append; for the disk when a segment is rolled over.
 */
apr_status_t ai_spool_append(ai_spool_t *spool, const ai_spool_record_t *record,
                             ai_spool_position_t *position);

/* Gives back a promise of so many bytes that no record will redeem. Thread-safe. */
void ai_spool_release(ai_spool_t *spool, apr_size_t promise);

/*
 * Returns when that record is on the disk: at once if it is, else one thread syncs for all that
 * wait. An error: the disk may not have kept it. It is in no later segment; who still holds its
 * content may append it again (readers may then see it twice). APR_EINVAL for no position of this
 * spool. Thread-safe; may block for as long as the disk does.
 */
apr_status_t ai_spool_wait(ai_spool_t *spool, ai_spool_position_t position);

/*
 * The same for all records that are in now; for a thread that calls it every few milliseconds.
 * Costs nothing when there is nothing new. Segments that were rolled over stay open till then. An
 * error: some were lost since the last call; what is appended from now on goes into another one.
 */
apr_status_t ai_spool_sync(ai_spool_t *spool);

/* How things stand. Thread-safe. */
void ai_spool_look(ai_spool_t *spool, ai_spool_state_t *state);

/* Closes the segment and syncs. No other thread may use the spool any more. The error of the sync;
 * it is closed all the same. */
apr_status_t ai_spool_close(ai_spool_t *spool, apr_time_t now);

/* ------------------------------------------------------------------------------- reading */

typedef struct ai_spool_reader_t ai_spool_reader_t;

/* Where in a segment the next record is expected, and what it must follow. */
typedef struct ai_spool_place_t {
    apr_off_t offset;
    apr_uint64_t sequence;
    unsigned char chain[AI_SPOOL_DIGEST];
} ai_spool_place_t;

typedef enum ai_spool_found_e {
    AI_SPOOL_FRAME,  /* a whole record */
    AI_SPOOL_DAMAGE, /* bytes that are no whole record, and whole ones behind them */
    AI_SPOOL_YET,    /* nothing more yet: its writer lives */
    AI_SPOOL_CUT,    /* the end: its writer died, or gave it up; what may be left is torn */
    AI_SPOOL_CLOSED, /* the end, as its writer meant it */
    AI_SPOOL_FAILED  /* it cannot be read; reading may be tried again */
} ai_spool_found_e;

typedef enum ai_spool_trust_e {
    AI_SPOOL_CHAINED,   /* it follows the record before, and is as it was written */
    AI_SPOOL_UNCHAINED, /* what stands before is damaged, so nobody knows; it is whole in itself */
    AI_SPOOL_ALTERED    /* it, or what stood before it, was changed, removed or moved */
} ai_spool_trust_e;

/* One record as it was read. */
typedef struct ai_spool_frame_t {
    int type;
    ai_uuid_t id;
    apr_uint64_t sequence; /* 0 is the first of a segment */
    apr_time_t time;
    apr_size_t length; /* of its body as it was written */
    ai_slice_t body;   /* until the next call; absent when removed, or empty */
    int removed;       /* 1: it had a body, which was taken out by intent */
    unsigned char digest[AI_SPOOL_DIGEST]; /* of the body as it was written */
    unsigned char chain[AI_SPOOL_DIGEST];  /* its chain value */
    ai_spool_trust_e trust;
} ai_spool_frame_t;

/* Who wrote a segment. */
typedef struct ai_spool_head_t {
    int is_good;        /* 0: the head is damaged, and nothing below is known */
    apr_time_t created;
    apr_uint32_t pid;
    char node[AI_SPOOL_NODE + 1];
    ai_uuid_t before;   /* the segment that the same writer had before; zeros: none */
    unsigned char link[AI_SPOOL_DIGEST]; /* chain value of its last record but the closing one */
} ai_spool_head_t;

/*
 * Opens a segment to read, from its beginning or, where from is not NULL, from a place that a
 * reader of it was at. *reader is in p, closed with it or by ai_spool_reader_close(); it takes as
 * much memory as the longest record. APR_EINVAL for a segment of a version that is not known.
 */
apr_status_t ai_spool_reader_open(apr_pool_t *p, const char *folder, const ai_uuid_t *segment,
                                  const ai_spool_place_t *from, ai_spool_reader_t **reader);
void ai_spool_reader_close(ai_spool_reader_t *reader);

/* The segment's head. */
const ai_spool_head_t *ai_spool_reader_head(const ai_spool_reader_t *reader);

/*
 * Goes on to what is next. *frame is filled for AI_SPOOL_FRAME, and for AI_SPOOL_DAMAGE where only
 * a body is damaged, without that body; else its type is 0. For AI_SPOOL_FAILED,
 * ai_spool_reader_error() is why. After AI_SPOOL_YET and _FAILED the same may be asked again; _CUT
 * and _CLOSED stay. One thread.
 */
ai_spool_found_e ai_spool_read(ai_spool_reader_t *reader, ai_spool_frame_t *frame);

/* Where it stands: behind what was read last. */
void ai_spool_reader_place(const ai_spool_reader_t *reader, ai_spool_place_t *place);

/* How many bytes the last AI_SPOOL_DAMAGE had, or are left behind the end. */
apr_off_t ai_spool_reader_skipped(const ai_spool_reader_t *reader);
apr_status_t ai_spool_reader_error(const ai_spool_reader_t *reader);

/*
 * The chain value of a record: SHA-256 over that of the one before and all of the record that is
 * chained (type, id, sequence, time, length, digest), for who keeps records elsewhere. 1, or 0 when
 * OpenSSL failed. Thread-safe.
 */
int ai_spool_chain(const unsigned char before[AI_SPOOL_DIGEST], const ai_spool_frame_t *frame,
                   unsigned char chain[AI_SPOOL_DIGEST]);

/* -------------------------------------------------------------------------------- folder */

typedef struct ai_spool_segment_t {
    ai_uuid_t id;
    apr_off_t size;
} ai_spool_segment_t;

/* The segments of a folder, in order of creation: of ai_spool_segment_t, in p. Other files are left
 * out. */
apr_status_t ai_spool_list(apr_pool_t *p, const char *folder, apr_array_header_t **segments);

/*
 * Removes a segment of which everything up to place was shipped. APR_EBUSY when its writer lives,
 * APR_INCOMPLETE when a record or damage stands behind place; then nothing is removed.
 */
apr_status_t ai_spool_remove(apr_pool_t *p, const char *folder, const ai_uuid_t *segment,
                             const ai_spool_place_t *place);

/* Removes what writers left that were killed while they began a segment, from a minute before now
 * on. */
apr_status_t ai_spool_sweep(const char *folder, apr_time_t now);

/* Whether a record's body shall be taken out. */
typedef int ai_spool_strip_fn(void *baton, const ai_spool_frame_t *frame);

/*
 * Takes bodies out of a segment whose writer is gone; it verifies as before. A new file takes the
 * place of the old one. APR_EBUSY when its writer lives; APR_INCOMPLETE when it is damaged or
 * altered, for then this would hide it; else the system's error. On an error nothing was changed.
 */
apr_status_t ai_spool_strip(apr_pool_t *p, const char *folder, const ai_uuid_t *segment,
                            ai_spool_strip_fn *shall, void *baton);

/* ---------------------------------------------------------------------------- checkpoint */

/* How far a segment was shipped. */
typedef struct ai_spool_mark_t {
    ai_uuid_t segment;
    ai_spool_place_t place;
} ai_spool_mark_t;

/* More marks than this are not kept. */
#define AI_SPOOL_MARKS 65536

/*
 * Reads the folder's checkpoint: of ai_spool_mark_t, in p. None when there is no checkpoint or it
 * is broken; then *wrong, in p, says why (NULL: it is good, or there is none yet), and all is to be
 * shipped from the start. The system's error when it cannot be read.
 */
apr_status_t ai_spool_checkpoint_read(apr_pool_t *p, const char *folder,
                                      apr_array_header_t **marks, const char **wrong);

/* Replaces it, so that whoever reads finds the old or the new one, also after the power went. On an
 * error the old one is still there, or the new one already. One process at a time. */
apr_status_t ai_spool_checkpoint_write(apr_pool_t *p, const char *folder,
                                       const apr_array_header_t *marks);

#endif
