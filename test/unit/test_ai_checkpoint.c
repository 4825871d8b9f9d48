/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_ai_checkpoint.c - do a checkpoint and the lines of an export come back as they were, and is
 * anything else refused?
 */
#include <stdlib.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "ai_checkpoint.h"
#include "ai_export.h"
#include "tap.h"

#define A "0190163d-8694-739b-aea5-966c26f8ad91"
#define B "0190163d-8694-739b-aea5-966c26f8ad92"
#define H1 "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define H2 "ff112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static apr_pool_t *pool;

static const char text[] =
    "{\"v\":1,\"number\":7,\"node\":\"gw \\\"1\\\"\",\"time\":1732223592123456,\"previous\":\"" H1 "\","
    "\"segments\":["
    "{\"id\":\"" A "\",\"previous\":null,\"start\":\"" H1 "\",\"records\":12,\"chain\":\"" H2 "\","
    "\"state\":\"open\",\"torn\":0,\"damaged\":0,\"settled\":0},"
    "{\"id\":\"" B "\",\"previous\":\"" A "\",\"start\":null,\"records\":0,\"chain\":null,"
    "\"state\":\"cut\",\"torn\":17,\"damaged\":2,\"settled\":1}],"
    "\"removals\":[{\"segment\":\"" A "\",\"ranges\":[[0,3],[5,5]],\"why\":\"older than 30d\"}],"
    "\"holds\":[{\"id\":\"h1\",\"tenant\":null,\"since\":null,\"until\":5,\"reason\":\"case\","
    "\"created\":1,\"released\":null}]}";

/* The text with one piece of it replaced. */
static const char *with(const char *from, const char *to)
{
    const char *at = strstr(text, from);

    if (!at) {
        abort();
    }
    return apr_pstrcat(pool, apr_pstrmemdup(pool, text, (apr_size_t)(at - text)), to,
                       at + strlen(from), NULL);
}

static void refused(const char *other, const char *what)
{
    ai_checkpoint_t read;

    ok(ai_checkpoint_read(pool, other, &read) != NULL, "refused: %s", what);
}

static void test_checkpoint(void)
{
    ai_checkpoint_t read;
    const char *wrong = ai_checkpoint_read(pool, text, &read), *again;
    apr_size_t i;
    int taken = 0;
    char *cut;

    if (!ok(!wrong, "a checkpoint is read")) {
        printf("# %s\n", wrong);
        return;
    }
    again = ai_checkpoint_write(pool, &read);
    is_bytes(again, strlen(again), text, strlen(text), "and written as it was");
    is_number(read.number, 7, "its number");
    is_number(read.segments->nelts, 2, "its segments");
    ok(ai_checkpoint_removes(&read, A, 0) && ai_checkpoint_removes(&read, A, 3)
           && !ai_checkpoint_removes(&read, A, 4) && ai_checkpoint_removes(&read, A, 5)
           && !ai_checkpoint_removes(&read, A, 6) && !ai_checkpoint_removes(&read, B, 0),
       "what was taken out is what the ranges say");
    ok(strcmp(ai_checkpoint_digest(pool, text, "s"), ai_checkpoint_digest(pool, text, "t")) != 0
           && strcmp(ai_checkpoint_digest(pool, "s", ""), ai_checkpoint_digest(pool, "t", "")) != 0,
       "its digest is of text and signature");
    for (i = 0; i < sizeof(text) - 1; i++) {
        cut = apr_pstrmemdup(pool, text, i);
        taken += ai_checkpoint_read(pool, cut, &read) == NULL;
    }
    is_number(taken, 0, "cut anywhere it is none");
    refused(with("\"v\":1", "\"v\":2"), "another version");
    refused(with("\"v\":1", "\"v\": 1"), "white space");
    refused(with("\"v\":1", "\"v\":1,\"more\":1"), "a member that is not known");
    refused(with("\"number\":7", "\"number\":7.0"), "a number in another form");
    refused(with("\"number\":7", "\"number\":-7"), "a negative one");
    refused(with("[0,3],[5,5]", "[0,3],[3,5]"), "ranges that overlap");
    refused(with("[0,3],[5,5]", "[0,3],[4,5]"), "that touch");
    refused(with("[0,3],[5,5]", "[3,0]"), "that go backwards");
    refused(with("[0,3],[5,5]", ""), "no ranges");
    refused(with("\"open\"", "\"gone\""), "no state");
    refused(with("\"id\":\"" A "\"", "\"id\":\"x\""), "no segment");
    refused(with("\"settled\":1", "\"settled\":2"), "no flag");
    refused(with(",\"why\":\"older than 30d\"", ""), "a removal without a reason");
    refused(with("\"previous\":\"" H1 "\"", "\"previous\":\"abc\""), "no digest");
}

static const char *line_of(ai_slice_t line)
{
    ok(line.n && line.p[line.n - 1] == '\n' && memchr(line.p, '\n', line.n) == line.p + line.n - 1,
       "it is one line");
    return apr_pstrmemdup(pool, line.p, line.n - 1);
}

static void frame_of(ai_spool_frame_t *frame, ai_slice_t body)
{
    memset(frame, 0, sizeof(*frame));
    frame->type = 2;
    frame->sequence = 9;
    frame->time = APR_INT64_C(1732223592123456);
    frame->length = body.n;
    frame->body = body;
    memset(frame->id.bytes, 7, 16);
    memset(frame->digest, 0xab, 32);
    memset(frame->chain, 0xcd, 32);
}

static void test_frame(ai_slice_t body, const char *member, const char *what)
{
    ai_uuid_t segment;
    ai_spool_frame_t frame;
    ai_export_line_t read;
    const char *line, *wrong;

    ai_uuid_read(AI_SLICE(A), &segment);
    frame_of(&frame, body);
    line = line_of(ai_export_frame(pool, &segment, &frame));
    wrong = ai_export_read(pool, ai_slice_of(line), &read);
    ok(!wrong && read.kind == AI_EXPORT_FRAME && memcmp(&read.segment, &segment, 16) == 0
           && read.frame.type == 2 && read.frame.sequence == 9 && read.frame.time == frame.time
           && read.frame.length == body.n && memcmp(read.frame.digest, frame.digest, 32) == 0
           && memcmp(read.frame.chain, frame.chain, 32) == 0 && memcmp(&read.frame.id, &frame.id, 16) == 0,
       "%s: a frame comes back", what);
    ok(!wrong && read.frame.body.n == body.n && (read.frame.body.p != NULL) == (body.p != NULL)
           && (!body.n || memcmp(read.frame.body.p, body.p, body.n) == 0),
       "%s: and its body, byte by byte", what);
    ok(strstr(line, member) != NULL, "%s: as %s", what, member);
}

static void test_lines(void)
{
    ai_uuid_t segment;
    ai_spool_head_t head;
    ai_export_line_t read;
    const char *line;
    apr_size_t i;
    int taken = 0;

    test_frame(AI_SLICE("{\"v\":1,\"x\":[1, 2 ]}"), ",\"record\":{\"v\":1,\"x\":[1, 2 ]}}", "JSON");
    test_frame(AI_SLICE(" {\"v\":1}"), ",\"body\":\"", "JSON with a space before it");
    test_frame(AI_SLICE("{\"v\":1,\"v\":2}"), ",\"body\":\"", "JSON that is none");
    test_frame(AI_SLICE("{\n}"), ",\"body\":\"", "JSON of two lines");
    test_frame(AI_SLICE("\0\xff"), ",\"body\":\"", "bytes");
    test_frame(AI_SLICE("\"x\""), ",\"body\":\"", "a JSON string");
    test_frame((ai_slice_t){ NULL, 0 }, "\"}}", "no body");

    ai_uuid_read(AI_SLICE(A), &segment);
    memset(&head, 0, sizeof(head));
    line = line_of(ai_export_segment(pool, &segment, &head));
    ok(!ai_export_read(pool, ai_slice_of(line), &read) && read.kind == AI_EXPORT_SEGMENT
           && !read.head.is_good, "a segment whose head is damaged");
    head.is_good = 1;
    head.pid = 4294967295u;
    head.created = 5;
    memcpy(head.node, "n\"1", 4);
    ai_uuid_read(AI_SLICE(B), &head.before);
    memset(head.link, 9, 32);
    line = line_of(ai_export_segment(pool, &segment, &head));
    ok(!ai_export_read(pool, ai_slice_of(line), &read) && memcmp(&read.head, &head, sizeof(head)) == 0
           && memcmp(&read.segment, &segment, 16) == 0, "a segment comes back");
    line = line_of(ai_export_checkpoint(pool, text, "c2ln", "me"));
    ok(!ai_export_read(pool, ai_slice_of(line), &read) && read.kind == AI_EXPORT_CHECKPOINT
           && strcmp(read.text, text) == 0 && strcmp(read.signature, "c2ln") == 0
           && strcmp(read.signer, "me") == 0, "a checkpoint comes back");
    for (i = 0; i < strlen(line); i++) {
        taken += !ai_export_read(pool, (ai_slice_t){ line, i }, &read);
    }
    is_number(taken, 0, "cut anywhere it is none");
    ok(ai_export_read(pool, AI_SLICE("{}"), &read) != NULL, "an empty object is refused");
    ok(ai_export_read(pool, AI_SLICE("[]"), &read) != NULL, "so is a list");
    ok(ai_export_read(pool, AI_SLICE("{\"segment\":{\"id\":\"" A "\",\"more\":1}}"), &read) != NULL,
       "so is a member that is not known");
    ok(ai_export_read(pool, AI_SLICE("{\"segment\":{\"id\":\"" A "\"},\"record\":{}}"), &read) != NULL,
       "so are members that do not belong together");
    ok(ai_export_read(pool, AI_SLICE("{\"record\":{}}"), &read) != NULL, "so is a record alone");
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    test_checkpoint();
    test_lines();
    apr_pool_destroy(pool);
    apr_terminate();
    return done();
}
