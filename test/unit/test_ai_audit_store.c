/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_ai_audit_store.c - do records get into their tables once, whatever is in them?
 */
#include <stdlib.h>

#include "ai_audit_store.h"
#include "db_frame.h"

static ai_audit_store_t *store;
static ai_db_t *db;

static const char *take_one(void *baton, const char *const *values)
{
    *(const char **)baton = values[0] ? apr_pstrdup(pool, values[0]) : NULL;
    return NULL;
}

/* The one value that a question gives, or NULL. */
static const char *one(const char *sql)
{
    const char *value = NULL;

    fine(ai_db_select(db, pool, sql, 0, NULL, 1, take_one, &value), sql);
    return value;
}

static void is_text(const char *got, const char *want, const char *what)
{
    is_bytes(got ? got : "(null)", strlen(got ? got : "(null)"), want, strlen(want), what);
}

static const char *call_id(int i)
{
    return apr_psprintf(pool, "0190163d-8694-739b-aea5-%012d", i);
}

static const char *frame_id(int i)
{
    ai_uuid_t segment;
    char *id = apr_palloc(pool, AI_AUDIT_FRAME_ID);

    ai_uuid_read(AI_SLICE("0190163d-0000-7000-8000-000000000001"), &segment);
    ai_audit_frame_id(&segment, (apr_uint64_t)i, id);
    return id;
}

static ai_audit_frame_t frame_of(int i, const char *body)
{
    return (ai_audit_frame_t){ frame_id(i), call_id(i), 2, 1000 + i, body ? strlen(body) : 0,
                               "00", "11", 0, body, 0 };
}

static void test_frames(void)
{
    ai_audit_frame_t frames[200];
    int i;

    is_text(frame_id(17), "0190163d-0000-7000-8000-000000000001:0000000017", "a frame's id");
    for (i = 0; i < 200; i++) {
        frames[i] = frame_of(i, i == 5 ? NULL : "{\"a\":\"\xf0\x9f\x98\x80\"}");
    }
    fine(ai_audit_store_frames(store, pool, frames, 0), "none");
    fine(ai_audit_store_frames(store, pool, frames, 150), "150 frames");
    fine(ai_audit_store_frames(store, pool, frames + 100, 100), "50 of them again, and 50 new ones");
    is_text(one("SELECT COUNT(*) FROM ai_audit_frames"), "200", "each is there once");
    is_text(one("SELECT body FROM ai_audit_frames WHERE call_id = "
                "'0190163d-8694-739b-aea5-000000000199'"),
            "{\"a\":\"\xf0\x9f\x98\x80\"}", "with its body");
    is_text(one("SELECT body FROM ai_audit_frames WHERE time = 1005"), "(null)", "or none");
}

#define ALL "{\"v\":1,\"id\":\"x\",\"time\":\"2026-11-21T21:23:12.123456Z\",\"node\":\"n\"," \
    "\"tenant\":\"acme/a\",\"user\":\"ann\",\"key\":\"k1\",\"tier\":\"gold\",\"address\":\"::1\"," \
    "\"endpoint\":\"chat\",\"dialect\":\"openai\",\"model\":\"gpt-5\",\"stream\":true," \
    "\"reserved\":{\"prompt\":70,\"completion\":80},\"served\":\"gpt-5-mini\",\"route\":\"r\"," \
    "\"target\":\"t\",\"attempts\":[{\"target\":\"t\"},{\"target\":\"u\"}],\"cache\":\"hit\"," \
    "\"guard\":\"ok\",\"limit\":\"rpm\",\"status\":200,\"deny\":\"d\",\"finish\":\"stop\"," \
    "\"tokens\":{\"prompt\":1,\"completion\":2,\"cached\":3,\"reasoning\":4,\"written\":5," \
    "\"source\":\"provider\"},\"cost\":{\"nanousd\":6,\"price\":\"p\",\"saved\":7}," \
    "\"us\":{\"head\":8,\"first\":9,\"upstream\":10,\"overhead\":11,\"total\":12}," \
    "\"trace\":{\"id\":\"tr\",\"span\":\"s\"}}"

static void test_call(void)
{
    static const char *const want[AI_AUDIT_CALL_COLUMNS] = {
        "c", "1795296192123456", "n", "acme/a", "ann", "k1", "gold", "::1", "chat", "openai", "gpt-5",
        "gpt-5-mini", "t", "r", "hit", "ok", "rpm", "d", "200", "stop", "1", "2", "1", "2", "3", "4",
        "5", "provider", "6", "7", "9", "10", "11", "12", "tr", "0", "f"
    };
    ai_audit_call_t call;
    int i;

    ok(ai_audit_call_read(pool, AI_SLICE(ALL), "c", 5, "f", &call), "a record is read");
    for (i = 0; i < AI_AUDIT_CALL_COLUMNS; i++) {
        is_text(call.values[i], want[i], ai_audit_call_columns[i].name);
    }
    ok(ai_audit_call_estimate(pool, AI_SLICE(ALL), "c", 5, "f", &call), "as a begin");
    is_text(call.values[AI_AUDIT_CALL_ESTIMATED], "1", "it is estimated");
    is_text(call.values[22], "70", "at the most it can take");
    is_text(call.values[23], "80", "both ways");
    is_text(call.values[24], "(null)", "and not more is known");
}

static void test_wrong_values(void)
{
    const char *long_one = apr_psprintf(pool, "{\"tenant\":\"%0600d\",\"model\":\"a\\u0000b\","
                                        "\"status\":\"200\",\"attempts\":3,\"time\":\"soon\","
                                        "\"tokens\":[1],\"cost\":{\"nanousd\":1e40},\"us\":{}}", 7);
    ai_audit_call_t call;

    ok(ai_audit_call_read(pool, ai_slice_of(long_one), "c", 5, "f", &call), "odd values");
    is_number((long long)strlen(call.values[3]), 500, "a long text is cut");
    is_text(call.values[10], "a b", "a NUL is none");
    is_text(call.values[AI_AUDIT_CALL_TIME], "5", "no time: the frame's");
    ok(!call.values[18] && !call.values[21] && !call.values[22] && !call.values[28],
       "what is not as it must be is left out");
    ok(!ai_audit_call_read(pool, AI_SLICE("no JSON"), "c", 5, "f", &call), "no JSON at all");
    is_text(call.values[AI_AUDIT_CALL_ID], "c", "has its id all the same");
}

static void test_calls(void)
{
    ai_audit_call_t *calls = apr_pcalloc(pool, 100 * sizeof(*calls));
    int i;

    for (i = 0; i < 100; i++) {
        ai_audit_call_read(pool, AI_SLICE(ALL), call_id(i), 5, frame_id(i), &calls[i]);
    }
    ai_audit_call_estimate(pool, AI_SLICE(ALL), call_id(7), 5, frame_id(7), &calls[7]);
    fine(ai_audit_store_calls(store, pool, calls, 100), "a hundred calls");
    is_text(one("SELECT COUNT(*) FROM ai_audit_calls WHERE estimated = 1"), "1", "one is estimated");
    ai_audit_call_estimate(pool, AI_SLICE(ALL), call_id(8), 5, frame_id(8), &calls[8]);
    fine(ai_audit_store_calls(store, pool, calls + 8, 1), "what is known is estimated");
    is_text(one("SELECT COUNT(*) FROM ai_audit_calls WHERE estimated = 1"), "1", "it stays known");
    ai_audit_call_read(pool, AI_SLICE(ALL), call_id(7), 5, frame_id(1007), &calls[7]);
    fine(ai_audit_store_calls(store, pool, calls, 64), "what was estimated is known now, among others");
    is_text(one("SELECT COUNT(*) FROM ai_audit_calls WHERE estimated = 1"), "0", "it is known");
    is_text(one("SELECT COUNT(*) FROM ai_audit_calls"), "100", "each is there once");
    is_text(one("SELECT tokens_prompt FROM ai_audit_calls WHERE id = "
                "'0190163d-8694-739b-aea5-000000000007'"), "1", "with what it took");
    is_text(one("SELECT SUM(total_us) FROM ai_audit_calls WHERE tenant = 'acme/a'"), "1200",
            "numbers are numbers");
}

static void test_feedback(void)
{
    ai_audit_feedback_t feedback;

    ok(ai_audit_feedback_read(pool, AI_SLICE("{\"v\":1,\"id\":\"x\",\"tenant\":\"a\",\"feedback\":-1}"),
                              call_id(1), 9, frame_id(300), &feedback), "a note is read");
    fine(ai_audit_store_feedback(store, pool, &feedback, 1), "and put in");
    fine(ai_audit_store_feedback(store, pool, &feedback, 1), "twice");
    is_text(one("SELECT SUM(feedback) FROM ai_audit_feedback"), "-1", "it is there once");
    ok(!ai_audit_feedback_read(pool, AI_SLICE("{\"v\":1}"), call_id(1), 9, "f", &feedback),
       "without either number it is none");
}

static void test_segments(void)
{
    ai_audit_segment_t segment = { .id = "s1", .node = "n", .pid = 7, .created = 5, .writer = "s1",
                                   .records = 1, .damaged = 1, .chain = "aa" };

    fine(ai_audit_store_segment(store, pool, &segment), "a segment");
    segment.records = 9;
    segment.state = AI_AUDIT_CUT;
    segment.torn = 12;
    segment.damaged = 0;
    segment.chain = "bb";
    fine(ai_audit_store_segment(store, pool, &segment), "is told of again");
    is_text(one("SELECT records FROM ai_audit_segments WHERE id = 's1' AND state = 1 AND torn = 12 "
                "AND chain = 'bb' AND settled = 0"), "9", "as it is now");
    is_text(one("SELECT damaged FROM ai_audit_segments"), "1", "what was damaged stays so");
}

/* Steps are taken once more where MySQL broke in the middle. */
static void test_schema_again(void)
{
    int from;

    fine(ai_db_exec(db, pool, "UPDATE ai_schema SET version = 0 WHERE id = 'audit'", 0, NULL, NULL),
         "a step that broke");
    fine(ai_db_migrate(db, pool, &ai_audit_store_schema, &from), "is taken again");
    is_number(from, 0, "from the start");
    is_text(one("SELECT COUNT(*) FROM ai_audit_frames"), "200", "and does no harm");
}

int main(int argc, char **argv)
{
    int from = -1;

    begin_database(argc, argv);
    store = ai_audit_store_open(pool, &conf);
    db = ai_audit_store_db(store);
    fine(ai_db_migrate(db, pool, &ai_audit_store_schema, &from), "the tables are made");
    test_frames();
    test_call();
    test_wrong_values();
    test_calls();
    test_feedback();
    test_segments();
    test_schema_again();
    ai_audit_store_close(store);
    return end_database();
}
