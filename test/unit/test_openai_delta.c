/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_openai_delta.c - what does an OpenAI caller get of an answer that another dialect gave?
 *
 * The wire data lies in data/openai; README.md there says where each piece comes from.
 */
#include "talk_frame.h"

extern const ai_dialect_t ai_dialect_openai;

/* A delta in short; text is a JSON string, of ARGUMENTS it may be an object. */
typedef struct step_t {
    ai_delta_e kind;
    int choice;
    int call;
    const char *id;
    const char *name;
    const char *text;
} step_t;

static ai_delta_t delta_of(const step_t *step)
{
    ai_delta_t delta = { .kind = step->kind, .choice = step->choice, .call = step->call };
    ai_slice_t text = ai_slice_of(step->text);

    delta.id = ai_slice_of(step->id);
    delta.name = ai_slice_of(step->name);
    delta.created_s = step->kind == AI_DELTA_BEGIN ? 5 : 0;
    if (text.n && *text.p == '{') {
        delta.object = text;
    }
    else {
        delta.text = text;
    }
    return delta;
}

static const ai_answer_t asked = { "req-1", "asked-for \"x\"", 7, 1, 0 };
static const ai_answer_t asked_plain = { "req-1", "asked-for", 7, 0, 0 };

/* What a caller sees; each delta's bytes are gone when the next one comes. */
static const char *stream_of(const ai_answer_t *answer, const step_t *steps, int n,
                             const ai_stream_t *end)
{
    const ai_translator_t *t = dialect->translator;
    void *writer = t->begin_stream(pool, answer);
    const char *text = "";
    ai_write_t out;
    int i;

    for (i = 0; i < n; i++) {
        step_t copy = steps[i];
        char *bytes = copy.text ? strdup(copy.text) : NULL;
        ai_delta_t delta;

        copy.text = bytes;
        delta = delta_of(&copy);
        ai_write_begin(pool, &out);
        t->write_delta(writer, &delta, &out);
        text = apr_pstrcat(pool, text, talk_text(ai_write_flat(&out)), NULL);
        free(bytes);
    }
    ai_write_begin(pool, &out);
    t->write_end(writer, end, &out);
    return apr_pstrcat(pool, text, talk_text(ai_write_flat(&out)), NULL);
}

static const char *answer_of(const ai_answer_t *answer, const step_t *steps, int n,
                             const ai_stream_t *end)
{
    ai_delta_t *deltas = apr_palloc(pool, ((apr_size_t)n + 1) * sizeof(*deltas));
    ai_write_t out;
    int i;

    for (i = 0; i < n; i++) {
        deltas[i] = delta_of(&steps[i]);
    }
    ai_write_begin(pool, &out);
    dialect->translator->write_answer(pool, answer, deltas, n, end, &out);
    return talk_text(ai_write_flat(&out));
}

/* ------------------------------------------------------------------------------ golden */

/* What data/openai/from-anthropic.sse tells, as Anthropic's dialect reads it. */
static const step_t anthropic[] = {
    { AI_DELTA_BEGIN, 0, 0, "\"msg_1\"", "\"claude-x\"", NULL },
    { AI_DELTA_THINKING, 0, 0, NULL, NULL, "\"Hm\"" },
    { AI_DELTA_SIGNATURE, 0, 0, NULL, NULL, "\"c2ln\"" },
    { AI_DELTA_TEXT, 0, 0, NULL, NULL, "\"Hi\"" },
    { AI_DELTA_CALL, 0, 0, "\"toolu_A\"", "\"f\"", NULL },
    { AI_DELTA_ARGUMENTS, 0, 0, NULL, NULL, "\"\"" },
    { AI_DELTA_ARGUMENTS, 0, 0, NULL, NULL, "\"{\\\"a\\\":1}\"" },
    { AI_DELTA_CALLED, 0, 0, NULL, NULL, NULL },
    { AI_DELTA_CALL, 0, 1, "\"toolu_B\"", "\"g\"", NULL },
    { AI_DELTA_CALLED, 0, 1, NULL, NULL, NULL },
};

#define N(steps) ((int)(sizeof(steps) / sizeof(steps[0])))

static const ai_stream_t anthropic_end = {
    .usage = { 105, 42, 90, -1, 5 }, .finish = AI_FINISH_TOOL,
};

static void test_golden(void)
{
    ai_slice_t want = frame_load("from-anthropic.sse");
    const char *got = stream_of(&asked, anthropic, N(anthropic), &anthropic_end);

    is_bytes(got, strlen(got), want.p, want.n, "thinking, text and two tools as chunks");
    want = frame_load("from-anthropic.json");
    got = answer_of(&asked, anthropic, N(anthropic), &anthropic_end);
    is_bytes(got, strlen(got), want.p, want.n - 1, "the same as one body");
}

/* ------------------------------------------------------------------------ other streams */

#define HEAD(tail)                                                                                \
    "data: {\"id\":\"req-1\",\"object\":\"chat.completion.chunk\",\"created\":7,\"model\":"        \
    "\"asked-for\",\"choices\":[" tail
#define CHUNK(choice, delta)                                                                      \
    HEAD("{\"index\":" choice ",\"delta\":{" delta "},\"finish_reason\":null}]}\n\n")
#define ROLE(choice) CHUNK(choice, "\"role\":\"assistant\",\"content\":\"\"")
#define FINISH(choice, why)                                                                       \
    HEAD("{\"index\":" choice ",\"delta\":{},\"finish_reason\":\"" why "\"}]}\n\n")
#define DONE "data: [DONE]\n\n"
#define CALL(rest) CHUNK("0", "\"tool_calls\":[{\"index\":" rest "}]")

static const ai_stream_t unknown_end = { .usage = FRAME_NO_USAGE, .finish = AI_FINISH_NONE };

static void test_streams(void)
{
    static const step_t text[] = { { AI_DELTA_TEXT, 0, 0, NULL, NULL, "\"a\\n\"" },
                                   { AI_DELTA_TEXT, 0, 0, NULL, NULL, "\"\"" },
                                   { AI_DELTA_REFUSAL, 0, 0, NULL, NULL, "\"no\"" } };
    static const step_t two[] = { { AI_DELTA_TEXT, 1, 0, NULL, NULL, "\"b\"" },
                                  { AI_DELTA_TEXT, 0, 0, NULL, NULL, "\"a\"" },
                                  { AI_DELTA_TEXT, -1, 0, NULL, NULL, "\"x\"" },
                                  { AI_DELTA_TEXT, 1000000, 0, NULL, NULL, "\"x\"" } };
    static const step_t calls[] = {
        { AI_DELTA_CALL, 0, 0, "\"c0\"", "\"f\"", NULL },
        { AI_DELTA_CALL, 0, 1, "\"c1\"", "\"g\"", NULL },
        { AI_DELTA_CALL, 0, 2, "\"c2\"", "\"h\"", NULL },
        { AI_DELTA_CALL, 0, 1, "\"c1\"", "\"g\"", NULL }, /* again: not told twice */
        { AI_DELTA_ARGUMENTS, 0, 1, NULL, NULL, "{\"b\":\"\\u00e4\"}" },
        { AI_DELTA_ARGUMENTS, 0, 0, NULL, NULL, "\"{\"" },
        { AI_DELTA_ARGUMENTS, 0, 0, NULL, NULL, "\"}\"" },
        { AI_DELTA_ARGUMENTS, 0, 9, NULL, NULL, "\"{}\"" }, /* of no call that began */
        { AI_DELTA_CALLED, 0, 9, NULL, NULL, NULL },
        { AI_DELTA_CALLED, 0, 0, NULL, NULL, NULL },
    };
    static const step_t thoughts[] = {
        { AI_DELTA_REDACTED, 0, 0, NULL, NULL, "\"xyz\"" },
        { AI_DELTA_THINKING, 0, 0, NULL, NULL, "\"a\\n\"" },
        { AI_DELTA_THINKING, 0, 0, NULL, NULL, "\"b\"" },
        { AI_DELTA_SIGNATURE, 0, 0, NULL, NULL, "\"s1\"" },
        { AI_DELTA_THINKING, 0, 0, NULL, NULL, "\"c\"" },
        { AI_DELTA_SIGNATURE, 0, 0, NULL, NULL, "\"s2\"" },
        { AI_DELTA_SIGNATURE, 0, 0, NULL, NULL, "\"s3\"" },
    };
    static const struct {
        const char *what;
        const step_t *steps;
        int n;
        const char *want;
    } rows[] = {
        { "nothing at all", text, 0, ROLE("0") FINISH("0", "stop") DONE },
        { "text and a refusal, no usage", text, N(text),
          ROLE("0") CHUNK("0", "\"content\":\"a\\n\"") CHUNK("0", "\"refusal\":\"no\"")
          FINISH("0", "stop") DONE },
        { "two choices; what is out of range is no choice", two, N(two),
          ROLE("1") CHUNK("1", "\"content\":\"b\"") ROLE("0") CHUNK("0", "\"content\":\"a\"")
          FINISH("0", "stop") FINISH("1", "stop") DONE },
        { "interleaved calls, an object, and a call that is never given arguments", calls, N(calls),
          ROLE("0") CALL("0,\"id\":\"c0\",\"type\":\"function\",\"function\":{\"name\":\"f\","
                         "\"arguments\":\"\"}")
          CALL("1,\"id\":\"c1\",\"type\":\"function\",\"function\":{\"name\":\"g\","
               "\"arguments\":\"\"}")
          CALL("2,\"id\":\"c2\",\"type\":\"function\",\"function\":{\"name\":\"h\","
               "\"arguments\":\"\"}")
          CALL("1,\"function\":{\"arguments\":\"{\\\"b\\\":\\\"\\\\u00e4\\\"}\"}")
          CALL("0,\"function\":{\"arguments\":\"{\"}") CALL("0,\"function\":{\"arguments\":\"}\"}")
          CALL("2,\"function\":{\"arguments\":\"{}\"}") FINISH("0", "tool_calls") DONE },
        { "thinking that is signed in pieces", thoughts, N(thoughts),
          ROLE("0")
          CHUNK("0", "\"thinking_blocks\":[{\"type\":\"redacted_thinking\",\"data\":\"xyz\"}]")
          CHUNK("0", "\"reasoning_content\":\"a\\n\"") CHUNK("0", "\"reasoning_content\":\"b\"")
          CHUNK("0", "\"thinking_blocks\":[{\"type\":\"thinking\",\"thinking\":\"a\\nb\","
                     "\"signature\":\"s1\"}]")
          CHUNK("0", "\"reasoning_content\":\"c\"")
          CHUNK("0", "\"thinking_blocks\":[{\"type\":\"thinking\",\"thinking\":\"c\","
                     "\"signature\":\"s2\"}]")
          CHUNK("0", "\"thinking_blocks\":[{\"type\":\"thinking\",\"thinking\":\"\","
                     "\"signature\":\"s3\"}]")
          FINISH("0", "stop") DONE },
    };
    apr_size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        is_text(stream_of(&asked_plain, rows[i].steps, rows[i].n, &unknown_end), rows[i].want,
                rows[i].what);
    }
}

/* Whole answers of the same. */
static void test_answers(void)
{
    static const step_t calls[] = {
        { AI_DELTA_BEGIN, 0, 0, "\"\"", NULL, NULL },
        { AI_DELTA_CALL, 0, 0, "\"c0\"", "\"f\"", NULL },
        { AI_DELTA_CALL, 0, 1, "\"c1\"", "\"g\"", NULL },
        { AI_DELTA_ARGUMENTS, 0, 1, NULL, NULL, "{\"b\":1}" },
        { AI_DELTA_ARGUMENTS, 0, 0, NULL, NULL, "\"{\\\"a\\\"\"" },
        { AI_DELTA_ARGUMENTS, 0, 0, NULL, NULL, "\":1}\"" },
        { AI_DELTA_CALL, 0, 2, "\"c2\"", "\"h\"", NULL },
        { AI_DELTA_ARGUMENTS, 0, 7, NULL, NULL, "\"{}\"" },
        { AI_DELTA_TEXT, 1, 0, NULL, NULL, "\"b\"" },
    };
    static const step_t refusal[] = { { AI_DELTA_REFUSAL, 0, 0, NULL, NULL, "\"No\"" },
                                      { AI_DELTA_REFUSAL, 0, 0, NULL, NULL, "\".\"" } };
    static const ai_stream_t filtered = { .usage = { 1, -1, -1, -1, -1 },
                                          .finish = AI_FINISH_FILTER };

    is_text(answer_of(&asked_plain, calls, N(calls), &unknown_end),
            "{\"id\":\"req-1\",\"object\":\"chat.completion\",\"created\":5,\"model\":"
            "\"asked-for\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\","
            "\"content\":null,\"refusal\":null,\"tool_calls\":["
            "{\"id\":\"c0\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":"
            "\"{\\\"a\\\":1}\"}},"
            "{\"id\":\"c1\",\"type\":\"function\",\"function\":{\"name\":\"g\",\"arguments\":"
            "\"{\\\"b\\\":1}\"}},"
            "{\"id\":\"c2\",\"type\":\"function\",\"function\":{\"name\":\"h\",\"arguments\":"
            "\"{}\"}}]},\"logprobs\":null,\"finish_reason\":\"tool_calls\"},"
            "{\"index\":1,\"message\":{\"role\":\"assistant\",\"content\":\"b\",\"refusal\":null},"
            "\"logprobs\":null,\"finish_reason\":\"stop\"}]}", "calls whose arguments came in any "
            "order, two choices");
    is_text(answer_of(&asked_plain, refusal, N(refusal), &filtered),
            "{\"id\":\"req-1\",\"object\":\"chat.completion\",\"created\":7,\"model\":"
            "\"asked-for\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\","
            "\"content\":null,\"refusal\":\"No.\"},\"logprobs\":null,"
            "\"finish_reason\":\"content_filter\"}],"
            "\"usage\":{\"prompt_tokens\":1}}", "a refusal, and usage as far as it is known");
}

static void test_finish(void)
{
    static const struct {
        ai_finish_e finish;
        const char *want;
    } rows[] = {
        { AI_FINISH_NONE, "stop" }, { AI_FINISH_STOP, "stop" }, { AI_FINISH_LENGTH, "length" },
        { AI_FINISH_TOOL, "tool_calls" }, { AI_FINISH_FILTER, "content_filter" },
        { AI_FINISH_ERROR, "stop" }, { AI_FINISH_CLIENT_ABORT, "stop" },
    };
    apr_size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ai_stream_t end = { .usage = FRAME_NO_USAGE, .finish = rows[i].finish };
        const char *got = stream_of(&asked_plain, NULL, 0, &end);

        ok(strstr(got, apr_pstrcat(pool, "\"finish_reason\":\"", rows[i].want, "\"", NULL)) != NULL,
           "ending %d is %s", rows[i].finish, rows[i].want);
    }
}

/* What was thought is not kept without end, and the signature is told all the same. */
static void test_long_thought(void)
{
    apr_size_t n = 1024 * 1024, i;
    char *piece = apr_palloc(pool, n + 1);
    step_t steps[6];
    const char *got, *block;

    memset(piece, 'x', n);
    piece[0] = piece[n - 1] = '"';
    piece[n] = '\0';
    for (i = 0; i < 5; i++) {
        steps[i] = (step_t){ AI_DELTA_THINKING, 0, 0, NULL, NULL, piece };
    }
    steps[5] = (step_t){ AI_DELTA_SIGNATURE, 0, 0, NULL, NULL, "\"sig\"" };
    got = stream_of(&asked_plain, steps, 6, &unknown_end);
    block = strstr(got, "\"thinking_blocks\"");
    ok(block && strncmp(block, "\"thinking_blocks\":[{\"type\":\"thinking\",\"thinking\":\"\","
                               "\"signature\":\"sig\"}]", 68) == 0,
       "5 MB of thinking: its signature alone");
    got = stream_of(&asked_plain, steps + 2, 4, &unknown_end);
    block = strstr(got, "\"thinking_blocks\"");
    ok(block && strlen(block) > 3 * n && strstr(block, "\",\"signature\":\"sig\"}]"),
       "3 MB of thinking: all of it once more");
}

/* --------------------------------------------------------------------------- both ways */

static void on_again(void *baton, const ai_delta_t *delta)
{
    void **of = baton;

    dialect->translator->write_delta(of[0], delta, of[1]);
}

/* What we write is what we read. */
static void test_again(void)
{
    const char *first = stream_of(&asked, anthropic, N(anthropic), &anthropic_end);
    const char *at = first, *end, *text = "";
    void *reader = dialect->translator->begin_read(pool), *of[2];
    ai_stream_t stream = { .endpoint = AI_ENDPOINT_CHAT, .usage = FRAME_NO_USAGE };
    ai_write_t out;

    of[0] = dialect->translator->begin_stream(pool, &asked);
    of[1] = &out;
    ai_write_begin(pool, &out);
    for (; (end = strstr(at, "\n\n")); at = end + 2) {
        ai_sse_event_t event = { .raw = { at, (apr_size_t)(end + 2 - at) },
                                 .data = { at + 6, (apr_size_t)(end - at - 6) }, .complete = 1 };

        if (dialect->read_event(pool, &stream, &event) != AI_EVENT_DONE) {
            dialect->translator->read_deltas(reader, pool, &event, on_again, of);
        }
    }
    dialect->translator->write_end(of[0], &stream, &out);
    text = talk_text(ai_write_flat(&out));
    is_text(text, first, "chunks read and written again are the same");
    is_text(talk_whole(ai_slice_of(answer_of(&asked, anthropic, N(anthropic), &anthropic_end)),
                       &stream),
            "0 begin \"msg_1\" \"claude-x\" 5\n0 thinking \"Hm\"\n0 signature \"c2ln\"\n"
            "0 text \"Hi\"\n0 call 0 \"toolu_A\" \"f\"\n0 arguments 0 \"{\\\"a\\\":1}\"\n"
            "0 call 1 \"toolu_B\" \"g\"\n0 arguments 1 \"{}\"\n", "and so is a whole answer");
}

int main(void)
{
    frame_begin(&ai_dialect_openai, "openai");
    test_golden();
    test_streams();
    test_answers();
    test_finish();
    test_long_thought();
    test_again();
    return frame_end();
}
