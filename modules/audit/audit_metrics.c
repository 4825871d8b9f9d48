/* SPDX-License-Identifier: Apache-2.0 */
/*
 * audit_metrics.c - how is the spool, for who measures?
 *
 * What a child does is counted as it is done. What lies in the folder is looked up when somebody
 * asks: all children's segments, and how far they were shipped, by whomever.
 *
 * Lives in: the thread of a record, or of who asks.  Shared state: none.
 * May block: who asks, on the disk.
 */

#include <apr_strings.h>

#include "ai_spool.h"
#include "audit_private.h"

typedef enum row_e {
    RECORDS,
    SYNC_FAILURES,
    SHIPPED,
    EVENTS,
    SEGMENTS,
    BYTES,
    UNSHIPPED,
    LAG,
    READABLE,
    ROWS_N
} row_e;

/* clang-format off */
static ai_metric_t rows[ROWS_N] = {
    [RECORDS] = { .name = "ai_audit_records_total", .kind = AI_METRIC_COUNTER,
        .help = "Records that were given to the spool, and what became of them",
        .labels = { "type", "result" } },
    [SYNC_FAILURES] = { .name = "ai_audit_sync_failures_total", .kind = AI_METRIC_COUNTER,
        .help = "How often the disk may have lost records" },
    [SHIPPED] = { .name = "ai_audit_shipped_records_total", .kind = AI_METRIC_COUNTER,
        .help = "Records that went into the database, or were refused by it", .labels = { "result" } },
    [EVENTS] = { .name = "ai_audit_ship_events_total", .kind = AI_METRIC_COUNTER,
        .help = "What happened while records were shipped", .labels = { "event" } },
    [SEGMENTS] = { .name = "ai_audit_spool_segments", .kind = AI_METRIC_GAUGE,
        .help = "Files in the spool" },
    [BYTES] = { .name = "ai_audit_spool_bytes", .kind = AI_METRIC_GAUGE, .unit = AI_METRIC_BYTES,
        .help = "What is in the spool" },
    [UNSHIPPED] = { .name = "ai_audit_unshipped_bytes", .kind = AI_METRIC_GAUGE,
        .unit = AI_METRIC_BYTES, .help = "What is in the spool and was not shipped yet" },
    [LAG] = { .name = "ai_audit_ship_lag_seconds", .kind = AI_METRIC_GAUGE,
        .unit = AI_METRIC_SECONDS, .help = "How old the oldest record is that was not shipped yet" },
    [READABLE] = { .name = "ai_audit_spool_readable", .kind = AI_METRIC_GAUGE,
        .help = "1; 0 when the spool's folder cannot be read" },
};
/* clang-format on */

void audit_metrics_records(const char *type, const char *result, apr_uint64_t n)
{
    if (n) {
        audit_ai->measure(&rows[RECORDS], (const char *[]){ type, result }, (apr_int64_t)n);
    }
}

void audit_metrics_sync_failed(void)
{
    audit_ai->measure(&rows[SYNC_FAILURES], NULL, 1);
}

void audit_metrics_ship_event(const char *event)
{
    audit_ai->measure(&rows[EVENTS], &event, 1);
}

void audit_metrics_shipped(const char *result, apr_uint64_t n)
{
    if (n) {
        audit_ai->measure(&rows[SHIPPED], &result, (apr_int64_t)n);
    }
}

/* ----------------------------------------------------------------------------- the folder */

typedef struct depth_t {
    int segments;
    apr_off_t bytes;
    apr_off_t unshipped;
    apr_interval_time_t lag;
} depth_t;

/* How far a segment was shipped; NULL: not at all. */
static const ai_spool_mark_t *mark_of(const apr_array_header_t *marks, const ai_uuid_t *segment)
{
    int i;

    for (i = 0; i < marks->nelts; i++) {
        const ai_spool_mark_t *mark = &APR_ARRAY_IDX(marks, i, ai_spool_mark_t);

        if (memcmp(&mark->segment, segment, sizeof(*segment)) == 0) {
            return mark;
        }
    }
    return NULL;
}

/* When the first record behind that place came; 0: there is none yet. */
static apr_time_t first_after(apr_pool_t *p, const char *folder, const ai_uuid_t *segment,
                              const ai_spool_place_t *place)
{
    ai_spool_reader_t *reader;
    ai_spool_frame_t frame;
    apr_time_t time = 0;

    if (ai_spool_reader_open(p, folder, segment, place, &reader) == APR_SUCCESS) {
        if (ai_spool_read(reader, &frame) == AI_SPOOL_FRAME && frame.type != AI_SPOOL_CLOSE) {
            time = frame.time;
        }
        ai_spool_reader_close(reader);
    }
    return time;
}

static apr_status_t look(apr_pool_t *p, const char *folder, depth_t *depth)
{
    apr_array_header_t *segments, *marks;
    apr_time_t now = apr_time_now(), first;
    const char *wrong;
    apr_status_t rv = ai_spool_list(p, folder, &segments);
    int i;

    if (rv == APR_SUCCESS) {
        rv = ai_spool_checkpoint_read(p, folder, &marks, &wrong);
    }
    for (i = 0; rv == APR_SUCCESS && i < segments->nelts; i++) {
        const ai_spool_segment_t *segment = &APR_ARRAY_IDX(segments, i, ai_spool_segment_t);
        const ai_spool_mark_t *mark = mark_of(marks, &segment->id);
        apr_off_t shipped = mark ? mark->place.offset : 0;

        depth->segments++;
        depth->bytes += segment->size;
        if (segment->size <= shipped) {
            continue;
        }
        first = depth->lag > 0 && now - ai_uuid_time(&segment->id) <= depth->lag
                    ? now /* it began after the oldest one came: no need to look */
                    : first_after(p, folder, &segment->id, mark ? &mark->place : NULL);
        if (first) { /* else there is but the segment's head */
            depth->unshipped += segment->size - shipped;
            depth->lag = now - first > depth->lag ? now - first : depth->lag;
        }
    }
    return rv;
}

static int on_metrics(ai_scrape_t *scrape)
{
    const char *folder = audit_server ? audit_server->folder : NULL;
    depth_t depth = { 0, 0, 0, 0 };
    int readable = folder && look(scrape->r->pool, folder, &depth) == APR_SUCCESS, row;
    const struct {
        row_e row;
        apr_int64_t n;
    } gauges[] = {
        { SEGMENTS, depth.segments }, { BYTES, depth.bytes }, { UNSHIPPED, depth.unshipped },
        { LAG, depth.lag },
    };

    for (row = RECORDS; row <= EVENTS; row++) {
        scrape->family(scrape, &rows[row]);
    }
    for (row = 0; row < (int)(sizeof(gauges) / sizeof(gauges[0])); row++) {
        scrape->family(scrape, &rows[gauges[row].row]);
        if (readable) {
            scrape->sample(scrape, NULL, gauges[row].n);
        }
    }
    scrape->family(scrape, &rows[READABLE]);
    if (folder) {
        scrape->sample(scrape, NULL, readable);
    }
    return OK;
}

/* Series that are there before anything happens: what goes from nothing to 1 Prometheus takes for a
 * series that is new, and no alert goes off. */
static void on_child_init(apr_pool_t *p, server_rec *s)
{
    static const char *const records[][2] = {
        { "begin", "written" }, { "begin", "refused" }, { "end", "written" }, { "end", "refused" },
        { "end", "saved" }, { "end", "lost" },
    };
    static const char *const events[] = { "damaged", "altered", "refused" };
    apr_size_t i;

    (void)p;
    (void)s;
    if (!audit_server->folder) {
        return;
    }
    for (i = 0; i < sizeof(records) / sizeof(records[0]); i++) {
        audit_ai->measure(&rows[RECORDS], records[i], 0);
    }
    for (i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
        audit_ai->measure(&rows[EVENTS], &events[i], 0);
    }
    audit_ai->measure(&rows[SYNC_FAILURES], NULL, 0);
}

void audit_metrics_register(void)
{
    ap_hook_child_init(on_child_init, NULL, NULL, APR_HOOK_MIDDLE);
    AI_STAGE(metrics, on_metrics);
}
