/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_dialects.c - what does it cost to carry a chat from one dialect to another?
 *
 * The program bench-dialects: takes a request or a stream from a file, through the very functions
 * that the gateway calls, over and over, and prints what one time costs.  With --print it does it
 * once and prints what came out, so that nobody measures a translation that is wrong.
 *
 * Exit code 0: measured, 1: refused, with the reason, 3: not built, 2: it could not run.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr_file_io.h>
#include <apr_general.h>
#include <apr_pools.h>
#include <apr_strings.h>

#include "ai_models.h"
#include "bench_timer.h"
#include "dialects.h"

enum { LONGEST_EVENT = 1 << 20 };

static const char usage_text[] =
    "usage: bench-dialects [--print] SECONDS identity DIALECT FILE\n"
    "       bench-dialects [--print] SECONDS parse FILE\n"
    "       bench-dialects [--print] SECONDS request FROM TO FILE\n"
    "       bench-dialects [--print] SECONDS events FROM TO FILE\n"
    "FROM and TO are dialects; events FROM a provider are told TO a caller.\n";

typedef struct job_t job_t;

/* Does the work once; p is cleared after. Returns NULL, or why it cannot be done. */
typedef const char *work_fn(apr_pool_t *p, job_t *job);

struct job_t {
    work_fn *work;
    const ai_dialect_t *from;
    const ai_dialect_t *to;
    const ai_models_t *models;
    ai_slice_t text;
    apr_pool_t *pool; /* of one time */
    apr_pool_t *event_pool;
    FILE *print;       /* NULL while measuring */
    apr_uint64_t done; /* by one time: requests, or events */
    apr_uint64_t out;  /* bytes that came of one time */
};

static void end(int code, const char *why, const char *what)
{
    fprintf(stderr, "bench-dialects: %s%s%s\n%s", why, what != NULL ? ": " : "",
            what != NULL ? what : "", code == 2 ? usage_text : "");
    exit(code);
}

static void put(job_t *job, const apr_array_header_t *slices)
{
    for (int i = 0; i < slices->nelts; i++) {
        ai_slice_t slice = APR_ARRAY_IDX(slices, i, ai_slice_t);

        job->out += slice.n;
        if (job->print != NULL) {
            fwrite(slice.p, 1, slice.n, job->print);
        }
    }
}

/* --------------------------------------------------------------------------- requests */

static const char *parse(apr_pool_t *p, ai_slice_t text, ai_json_doc_t *doc)
{
    ai_json_error_t wrong;

    if (ai_json_parse(p, text, AI_JSON_DEPTH, doc, &wrong) != APR_SUCCESS) {
        return apr_psprintf(p, "%s at offset %" APR_SIZE_T_FMT, wrong.reason, wrong.offset);
    }
    return NULL;
}

static const char *work_parse(apr_pool_t *p, job_t *job)
{
    ai_json_doc_t doc;
    const char *why = parse(p, job->text, &doc);

    job->done = 1;
    job->out = doc.root.n;
    return why;
}

/* The same dialect on both sides: another model's name, and usage where it is a stream. The
 * check of the body is what every request pays; it is not counted. */
static const char *work_identity(apr_pool_t *p, job_t *job)
{
    static ai_json_doc_t doc;
    static ai_ask_t ask;
    ai_splice_t splice;
    apr_array_header_t *slices;
    apr_size_t total;

    if (doc.text.p == NULL) {
        apr_pool_t *for_ever = apr_pool_parent_get(p);
        const char *why = parse(for_ever, job->text, &doc);
        const ai_error_t *error = why != NULL ? NULL : job->from->read_ask(
                                                           for_ever, AI_ENDPOINT_CHAT, &doc, &ask);
        if (why != NULL || error != NULL) {
            return why != NULL ? why : error->message;
        }
    }
    ai_splice_begin(p, &splice, doc.text);
    if (job->from->edit_ask(p, AI_ENDPOINT_CHAT, &doc, &ask, "another-model", ask.stream, &splice)
        != APR_SUCCESS) {
        return "the edit failed";
    }
    ai_splice_end(&splice, &slices, &total);
    job->done = 1;
    put(job, slices);
    return NULL;
}

/* All that stands between the caller's bytes and the provider's: check, read, look up what the
 * model can do, write. */
static const char *work_request(apr_pool_t *p, job_t *job)
{
    ai_talk_t *talk = ai_talk_create(p);
    const ai_error_t *error;
    ai_json_doc_t doc;
    ai_ask_t ask = { 0 };
    ai_sent_t sent;
    ai_write_t out;
    const char *why = parse(p, job->text, &doc);

    if (why != NULL) {
        return why;
    }
    error = job->from->read_ask(p, AI_ENDPOINT_CHAT, &doc, &ask);
    if (error == NULL) {
        error = job->from->translator->read_talk(p, &doc, talk);
    }
    if (error == NULL) {
        ai_sent_begin(p, talk, &sent);
        ai_write_begin(p, &out);
        error = job->to->translator->write_talk(
            p, talk, ask.model, ai_models_find(job->models, job->to->name, ask.model), ask.stream,
            &sent, &out);
    }
    if (error != NULL) {
        return error->message;
    }
    job->done = 1;
    put(job, ai_write_end(&out));
    return NULL;
}

/* ----------------------------------------------------------------------------- events */

/* One stream on its way. */
typedef struct told_t {
    job_t *job;
    ai_stream_t stream;
    void *reader;
    void *writer;
    ai_write_t out; /* of the event in hand */
    const char *why;
} told_t;

static void take_delta(void *baton, const ai_delta_t *delta)
{
    told_t *told = baton;

    told->job->to->translator->write_delta(told->writer, delta, &told->out);
}

static apr_status_t take_event(void *baton, const ai_sse_event_t *event)
{
    told_t *told = baton;
    job_t *job = told->job;
    apr_pool_t *p = job->event_pool;

    ai_write_begin(p, &told->out);
    switch (job->from->read_event(p, &told->stream, event)) {
    case AI_EVENT_LIFECYCLE:
    case AI_EVENT_CONTENT:
    case AI_EVENT_USAGE:
        if (!job->from->translator->read_deltas(told->reader, p, event, take_delta, told)) {
            told->why = "an event is no JSON";
        }
        break;
    case AI_EVENT_DONE:
        job->to->translator->write_end(told->writer, &told->stream, &told->out);
        break;
    case AI_EVENT_COMMENT:
        break;
    case AI_EVENT_ERROR:
    case AI_EVENT_GARBAGE:
        told->why = "an event is not of this dialect";
        break;
    }
    job->done++;
    put(job, ai_write_end(&told->out));
    apr_pool_clear(p);
    return told->why == NULL ? APR_SUCCESS : APR_EGENERAL;
}

/* A whole answer, each event in a piece of its own, as it comes from a provider. */
static const char *work_events(apr_pool_t *p, job_t *job)
{
    const ai_answer_t answer = {
        .id = "chat-1", .model = "bench-model", .created_s = 1700000000, .prompt = 100,
        .wants_usage = 1
    };
    told_t told = { .job = job, .stream = { .endpoint = AI_ENDPOINT_CHAT,
                                            .usage = AI_USAGE_UNKNOWN } };
    ai_sse_t *sse = ai_sse_create(p, LONGEST_EVENT);
    const char *at = job->text.p, *limit = job->text.p + job->text.n;

    job->done = 0;
    told.reader = job->from->translator->begin_read(p);
    told.writer = job->to->translator->begin_stream(p, &answer);
    while (at < limit && told.why == NULL) {
        const char *gap = memmem(at, (size_t)(limit - at), "\n\n", 2);
        const char *next = gap != NULL ? gap + 2 : limit;

        if (ai_sse_feed(sse, at, (apr_size_t)(next - at), take_event, &told) != APR_SUCCESS
            && told.why == NULL) {
            told.why = "the stream cannot be read";
        }
        at = next;
    }
    if (told.why == NULL && !told.stream.done) {
        told.why = "the stream has no end";
    }
    return told.why;
}

/* -------------------------------------------------------------------------- measuring */

static void work_once(void *baton)
{
    job_t *job = baton;

    job->out = 0;
    const char *why = job->work(job->pool, job);
    if (why != NULL) {
        end(1, why, NULL);
    }
    apr_pool_clear(job->pool);
}

/* --------------------------------------------------------------------------- the line */

static const ai_dialect_t *find_dialect(const char *name, int translates)
{
    for (int i = 0; ai_dialects[i] != NULL; i++) {
        if (strcmp(ai_dialects[i]->name, name) == 0) {
            if (translates && ai_dialects[i]->translator == NULL) {
                end(3, "this dialect has no translator", name);
            }
            return ai_dialects[i];
        }
    }
    end(3, "no such dialect", name);
    return NULL;
}

static ai_slice_t read_file(apr_pool_t *p, const char *path)
{
    apr_file_t *file;
    apr_finfo_t info;
    apr_size_t n = 0;

    if (apr_file_open(&file, path, APR_READ, APR_OS_DEFAULT, p) != APR_SUCCESS
        || apr_file_info_get(&info, APR_FINFO_SIZE, file) != APR_SUCCESS) {
        end(2, "cannot read", path);
    }
    char *bytes = apr_palloc(p, (apr_size_t)info.size + 1);
    apr_file_read_full(file, bytes, (apr_size_t)info.size, &n);
    apr_file_close(file);
    return (ai_slice_t){ bytes, n };
}

/* Reads "WHAT NAME... FILE". */
static void read_job(apr_pool_t *p, int argc, char **argv, job_t *job)
{
    static const struct {
        const char *what;
        work_fn *work;
        int names;
    } kinds[] = {
        { "parse", work_parse, 0 },
        { "identity", work_identity, 1 },
        { "request", work_request, 2 },
        { "events", work_events, 2 },
    };

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (argc == kinds[i].names + 2 && strcmp(argv[0], kinds[i].what) == 0) {
            job->work = kinds[i].work;
            if (kinds[i].names > 0) {
                job->from = find_dialect(argv[1], kinds[i].names > 1);
            }
            if (kinds[i].names > 1) {
                job->to = find_dialect(argv[2], 1);
            }
            job->text = read_file(p, argv[argc - 1]);
            return;
        }
    }
    end(2, "not understood", NULL);
}

int main(int argc, char **argv)
{
    int prints = argc > 1 && strcmp(argv[1], "--print") == 0;
    job_t job = { .print = prints ? stdout : NULL };
    apr_pool_t *pool;
    const char *wrong = NULL;
    char *rest = NULL;

    argc -= 1 + prints;
    argv += 1 + prints;
    double seconds = argc > 0 ? strtod(argv[0], &rest) : -1;
    if (!(seconds >= 0 && seconds <= 600) || rest == argv[0] || *rest != '\0') {
        end(2, "how many seconds?", NULL);
    }
    apr_initialize();
    apr_pool_create(&pool, NULL);
    apr_pool_create(&job.pool, pool);
    apr_pool_create(&job.event_pool, pool);
    read_job(pool, argc - 1, argv + 1, &job);
    job.models = ai_models_read(pool, ai_models_builtin(), NULL, &wrong);
    if (job.models == NULL) {
        end(2, "the models that are built in", wrong);
    }
    if (prints) {
        work_once(&job);
    }
    else {
        double ns = bench_measure(work_once, &job, seconds);

        printf("us %.3f\ndone %" APR_UINT64_T_FMT "\nbytes_in %" APR_SIZE_T_FMT
               "\nbytes_out %" APR_UINT64_T_FMT "\n",
               ns / 1e3, job.done, job.text.n, job.out);
    }
    apr_pool_destroy(pool);
    apr_terminate();
    return 0;
}
