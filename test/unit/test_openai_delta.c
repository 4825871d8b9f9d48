/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_openai_delta.c - how does an answer get from other dialects to OpenAI's callers, and from
 * those who speak OpenAI's API to other dialects' callers?
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

static const ai_answer_t asked = { "req-1", "asked-for \"x\"", 7, 1 };
static const ai_answer_t asked_plain = { "req-1", "asked-for", 7, 0 };

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
            "{\"id\":\"req-1\",\"object\":\"chat.completion\",\"created\":5,\"model\":\"asked-for\","
            "\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":null,"
            "\"refusal\":null,\"tool_calls\":["
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
            "{\"id\":\"req-1\",\"object\":\"chat.completion\",\"created\":7,\"model\":\"asked-for\","
            "\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":null,"
            "\"refusal\":\"No.\"},\"logprobs\":null,\"finish_reason\":\"content_filter\"}],"
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

/* --------------------------------------------------------------------------- streams in */

/* The deltas of chunks given as their data, one below the other; a chunk is gone after its turn. */
static const char *told(const char *chunks)
{
    const ai_translator_t *t = dialect->translator;
    void *reader = t->begin_read(pool);
    const char *text = "", *end;
    apr_pool_t *event_pool;

    apr_pool_create(&event_pool, pool);
    for (; *chunks; chunks = *end ? end + 1 : end) {
        ai_sse_event_t event = { .complete = 1 };
        char *copy;

        end = strchr(chunks, '\n');
        end = end ? end : chunks + strlen(chunks);
        copy = malloc((size_t)(end - chunks) + 1);
        memcpy(copy, chunks, (size_t)(end - chunks));
        event.data = event.raw = (ai_slice_t){ copy, (apr_size_t)(end - chunks) };
        if (!t->read_deltas(reader, event_pool, &event, talk_on_delta, &text)) {
            text = apr_pstrcat(pool, text, "invalid\n", NULL);
        }
        free(copy);
        apr_pool_clear(event_pool);
    }
    return text;
}

#define C(delta) "{\"id\":\"i\",\"choices\":[{\"index\":0,\"delta\":" delta "}]}\n"
#define T(rest) C("{\"tool_calls\":[{" rest "}]}")
#define BEGIN "0 begin \"i\" -\n"

static const struct {
    const char *what, *chunks, *want;
} inputs[] = {
    { "text", "{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":9,\"model\":"
              "\"gpt\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},"
              "\"finish_reason\":null}]}\n" C("{\"content\":\"H\\u00e4\"}") C("{\"content\":null}")
              C("{}"),
      "0 begin \"chatcmpl-1\" \"gpt\" 9\n0 text \"H\\u00e4\"\n" },
    { "Azure's first chunk does not know its id yet",
      "{\"id\":\"\",\"model\":\"\",\"created\":0,\"choices\":[],\"prompt_filter_results\":[]}\n"
      C("{\"content\":\"a\"}"), BEGIN "0 text \"a\"\n" },
    { "no id at all", "{\"choices\":[{\"delta\":{\"content\":\"a\"}}]}",
      "0 begin - -\n0 text \"a\"\n" },
    { "several choices, by index or by place",
      "{\"id\":\"i\",\"choices\":[{\"index\":1,\"delta\":{\"content\":\"b\"}},{\"delta\":"
      "{\"content\":\"c\"}},{\"index\":128,\"delta\":{\"content\":\"x\"}},{\"index\":-1,\"delta\":"
      "{\"content\":\"x\"}},{\"index\":\"0\",\"delta\":{\"content\":\"d\"}}]}",
      BEGIN "1 text \"b\"\n1 text \"c\"\n4 text \"d\"\n" },
    { "thinking under each name, once", C("{\"reasoning_content\":\"a\"}") C("{\"reasoning\":\"b\"}")
      C("{\"reasoning_content\":\"c\",\"reasoning\":\"c\"}")
      C("{\"reasoning_content\":null,\"reasoning\":\"d\",\"content\":\"\"}")
      C("{\"reasoning\":{\"x\":1}}"),
      BEGIN "0 thinking \"a\"\n0 thinking \"b\"\n0 thinking \"c\"\n0 thinking \"d\"\n" },
    { "Mistral's parts", C("{\"content\":[{\"type\":\"thinking\",\"thinking\":[{\"type\":\"text\","
                           "\"text\":\"a\"},{\"type\":\"text\",\"text\":\"b\"}]},{\"type\":\"text\","
                           "\"text\":\"c\"},{\"type\":\"reference\",\"reference_ids\":[1]},7,"
                           "{\"type\":\"thinking\",\"thinking\":\"d\"}]}"),
      BEGIN "0 thinking \"a\"\n0 thinking \"b\"\n0 text \"c\"\n0 thinking \"d\"\n" },
    { "refusal", C("{\"refusal\":\"No\"}"), BEGIN "0 refusal \"No\"\n" },
    { "signed blocks of another gateway",
      C("{\"reasoning_content\":\"Hm\"}") C("{\"thinking_blocks\":[{\"type\":\"thinking\","
      "\"thinking\":\"Hm\",\"signature\":\"s\"},{\"type\":\"redacted_thinking\",\"data\":\"r\"}]}"),
      BEGIN "0 thinking \"Hm\"\n0 signature \"s\"\n0 redacted \"r\"\n" },
    { "OpenAI's parallel calls",
      T("\"index\":0,\"id\":\"c0\",\"type\":\"function\",\"function\":{\"name\":\"f\","
        "\"arguments\":\"\"}")
      T("\"index\":1,\"id\":\"c1\",\"type\":\"function\",\"function\":{\"name\":\"g\","
        "\"arguments\":\"\"}")
      T("\"index\":0,\"function\":{\"arguments\":\"{\\\"a\\\":\"}")
      T("\"index\":1,\"function\":{\"arguments\":\"{}\"}")
      T("\"index\":0,\"function\":{\"arguments\":\"1}\"}"),
      BEGIN "0 call 0 \"c0\" \"f\"\n0 call 1 \"c1\" \"g\"\n0 arguments 0 \"{\\\"a\\\":\"\n"
      "0 arguments 1 \"{}\"\n0 arguments 0 \"1}\"\n" },
    { "no index: a new id is a new call",
      T("\"id\":\"c0\",\"function\":{\"name\":\"f\",\"arguments\":\"{\"}")
      T("\"function\":{\"arguments\":\"}\"}")
      T("\"id\":\"c1\",\"function\":{\"name\":\"f\",\"arguments\":\"{\"}")
      T("\"id\":\"c1\",\"function\":{\"arguments\":\"}\"}")
      T("\"id\":\"c0\",\"function\":{\"arguments\":\" \"}"),
      BEGIN "0 call 0 \"c0\" \"f\"\n0 arguments 0 \"{\"\n0 arguments 0 \"}\"\n"
      "0 call 1 \"c1\" \"f\"\n0 arguments 1 \"{\"\n0 arguments 1 \"}\"\n0 arguments 0 \" \"\n" },
    { "all calls have index 0",
      T("\"index\":0,\"id\":\"c0\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}")
      T("\"index\":0,\"id\":\"c1\",\"function\":{\"name\":\"g\",\"arguments\":\"{\"}")
      T("\"index\":0,\"id\":\"\",\"function\":{\"name\":null,\"arguments\":\"}\"}"),
      BEGIN "0 call 0 \"c0\" \"f\"\n0 arguments 0 \"{}\"\n0 call 1 \"c1\" \"g\"\n"
      "0 arguments 1 \"{\"\n0 arguments 1 \"}\"\n" },
    { "id and name in each piece",
      T("\"index\":0,\"id\":\"c0\",\"function\":{\"name\":\"f\",\"arguments\":\"{\"}")
      T("\"index\":0,\"id\":\"c0\",\"function\":{\"name\":\"f\",\"arguments\":\"}\"}"),
      BEGIN "0 call 0 \"c0\" \"f\"\n0 arguments 0 \"{\"\n0 arguments 0 \"}\"\n" },
    { "another id in each piece, without a name",
      T("\"index\":0,\"id\":\"c0\",\"function\":{\"name\":\"f\",\"arguments\":\"{\"}")
      T("\"index\":0,\"id\":\"c9\",\"function\":{\"arguments\":\"}\"}"),
      BEGIN "0 call 0 \"c0\" \"f\"\n0 arguments 0 \"{\"\n0 arguments 0 \"}\"\n" },
    { "arguments as an object, and once more",
      T("\"index\":0,\"id\":\"c0\",\"function\":{\"name\":\"f\",\"arguments\":{\"a\":[1]}}")
      T("\"index\":0,\"function\":{\"arguments\":{\"a\":[1]}}"),
      BEGIN "0 call 0 \"c0\" \"f\"\n0 arguments 0 object {\"a\":[1]}\n" },
    { "the name comes last", T("\"index\":0,\"id\":\"c0\",\"function\":{\"arguments\":\"{\"}")
      T("\"index\":0,\"function\":{\"arguments\":\"}\"}")
      T("\"index\":0,\"function\":{\"name\":\"f\"}"),
      BEGIN "0 call 0 \"c0\" \"f\"\n0 arguments 0 \"{\"\n0 arguments 0 \"}\"\n" },
    { "a call without a name is none", T("\"index\":0,\"id\":\"c0\",\"function\":{}"), BEGIN },
    { "ids that are missing are made, each another",
      T("\"index\":0,\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}")
      T("\"index\":1,\"id\":\"null\",\"function\":{\"name\":\"g\",\"arguments\":\"{}\"}"),
      BEGIN "0 call 0 \"call_19771d2aaf918563a50a3bfe\" \"f\"\n0 arguments 0 \"{}\"\n"
      "0 call 1 \"call_88e91ebc24bcc8eb92d05b87\" \"g\"\n0 arguments 1 \"{}\"\n" },
    { "the old function_call", C("{\"function_call\":{\"name\":\"f\",\"arguments\":\"\"}}")
      C("{\"function_call\":{\"arguments\":\"{}\"}}"),
      BEGIN "0 call 0 \"call_19771d2aaf918563a50a3bfe\" \"f\"\n0 arguments 0 \"{}\"\n" },
    { "what says nothing", "{\"id\":\"i\",\"choices\":null}\n{\"id\":\"i\",\"choices\":{}}\n"
      "{\"id\":\"i\",\"choices\":[null,7,[],{}]}\n" C("null") C("7") C("[]")
      C("{\"content\":7,\"tool_calls\":{},\"function_call\":7,\"reasoning\":[],"
        "\"thinking_blocks\":{},\"refusal\":0,\"audio\":{\"data\":\"x\"}}")
      C("{\"tool_calls\":[null,7,{},{\"index\":0},{\"index\":\"x\",\"function\":7}]}"), BEGIN },
    { "what is no JSON", "{\"choices\":[{\"delta\":{\"content\":\"a\"}}]\n[]\n{\"a\":1,\"a\":2}\n"
      "{\"choices\":[{\"delta\":{\"content\":\"\xff\"}}]}\n<html>",
      "invalid\ninvalid\ninvalid\ninvalid\ninvalid\n" },
};

static void test_inputs(void)
{
    apr_size_t i;

    for (i = 0; i < sizeof(inputs) / sizeof(inputs[0]); i++) {
        is_text(told(inputs[i].chunks), inputs[i].want, inputs[i].what);
    }
}

#define GPT "0 begin \"chatcmpl-BxY1\" \"gpt-4o-2024-08-06\" 1741569952\n"

/* The streams that test_dialect_openai reads for their kind are read for what they say. */
static const struct {
    const char *file, *want;
} files[] = {
    { "chat-plain.sse", GPT "0 text \"Hello\"\n0 text \" \xe2\x80\x94 w\xc3\xb6rld\"\n" },
    { "chat-n2.sse", GPT "0 text \"a\"\n1 text \"b\"\n" },
    { "chat-tools.sse", GPT "0 call 0 \"call_DdmO9pD3\" \"get_weather\"\n"
      "0 arguments 0 \"{\\\"city\\\"\"\n0 arguments 0 \":\\\"Rome\\\"}\"\n"
      "0 call 1 \"call_x2\" \"get_time\"\n0 arguments 1 \"{}\"\n" },
    { "chat-refusal.sse", GPT "0 refusal \"I cannot\"\n" },
    { "chat-azure.sse", GPT "0 text \"Hi\"\n" },
    { "odd.sse", GPT "0 text \"x\"\n" },
    { "deepseek.sse", "0 begin \"ds-1\" \"deepseek-reasoner\" 1741569952\n0 thinking \"Hm\"\n"
      "0 text \"42\"\n" },
    { "vllm.sse", "0 begin \"chat-9\" \"m\" 1\n0 thinking \"so\"\n0 text \"x\"\n" },
    { "openrouter.sse", "0 begin \"gen-1741\" \"anthropic/claude-3.7-sonnet\" 1741569952\n"
      "0 text \"Hi\"\n" },
    { "xai.sse", "0 begin \"x\" \"grok-3-mini\" 1\n0 thinking \"First\"\n0 text \"ok\"\n" },
    { "groq.sse", "0 begin \"chatcmpl-g\" \"llama-3.3-70b-versatile\" 1\n0 text \"Hi\"\n" },
    { "perplexity.sse", "0 begin \"p-1\" \"sonar\" 1741569952\n0 text \"It\"\n"
      "0 text \" is\"\n0 text \" so\"\n" },
};

static apr_status_t on_event(void *baton, const ai_sse_event_t *event)
{
    void **of = baton;

    if (event->data.n && event->data.p[0] == '{') {
        dialect->translator->read_deltas(of[0], pool, event, talk_on_delta, of[1]);
    }
    return APR_SUCCESS;
}

static const char *file_told(const char *file)
{
    const char *text = "";
    void *of[2] = { dialect->translator->begin_read(pool), &text };
    ai_slice_t bytes = frame_load(file);
    ai_sse_t *sse = ai_sse_create(pool, 1 << 20);

    ai_sse_feed(sse, bytes.p, bytes.n, on_event, of);
    ai_sse_end(sse, on_event, of);
    return text;
}

/* ---------------------------------------------------------------------------- whole in */

static const char *whole_told(ai_slice_t body, ai_stream_t *stream)
{
    const char *text = "";
    ai_json_doc_t doc;
    ai_json_error_t wrong;

    memset(stream, 0, sizeof(*stream));
    stream->usage = AI_USAGE_UNKNOWN;
    if (ai_json_parse(pool, body, AI_JSON_DEPTH, &doc, &wrong) != APR_SUCCESS) {
        return wrong.reason;
    }
    if (!dialect->translator->read_whole(pool, &doc, stream, talk_on_delta, &text)) {
        return "no answer";
    }
    return text;
}

#define W(message) "{\"id\":\"i\",\"choices\":[{\"message\":" message "}]}"

static void test_wholes(void)
{
    static const struct {
        const char *what, *body, *want;
    } rows[] = {
        { "calls stand alone, whatever index and id they have",
          W("{\"content\":\"a\",\"tool_calls\":[{\"index\":0,\"id\":\"c\",\"function\":{\"name\":"
            "\"f\",\"arguments\":\"{}\"}},{\"index\":0,\"id\":\"c\",\"function\":{\"name\":\"f\","
            "\"arguments\":{\"a\":1}}}]}"),
          BEGIN "0 text \"a\"\n0 call 0 \"c\" \"f\"\n0 arguments 0 \"{}\"\n0 call 1 \"c\" \"f\"\n"
          "0 arguments 1 object {\"a\":1}\n" },
        { "signed blocks bring their text with them",
          W("{\"reasoning_content\":\"ab\",\"thinking_blocks\":[{\"type\":\"thinking\","
            "\"thinking\":\"a\",\"signature\":\"s\"},{\"type\":\"thinking\",\"thinking\":\"b\","
            "\"signature\":\"t\"}],\"content\":\"c\"}"),
          BEGIN "0 thinking \"a\"\n0 signature \"s\"\n0 thinking \"b\"\n0 signature \"t\"\n"
          "0 text \"c\"\n" },
        { "a refusal", W("{\"content\":null,\"refusal\":\"No\"}"), BEGIN "0 refusal \"No\"\n" },
        { "the arguments as the model wrote them", NULL,
          "0 begin \"chatcmpl-abc\" \"gpt-4.1\" 1\n0 call 0 \"call_abc123\" \"get_weather\"\n"
          "0 arguments 0 \"{\\n\\\"location\\\": \\\"Boston, MA\\\"\\n}\"\n" },
        { "no choices", "{\"id\":\"i\"}", "no answer" },
        { "choices of another type", "{\"choices\":{}}", "no answer" },
        { "an answer of nothing", "{\"choices\":[]}", "" },
        { "a message of nothing", W("null"), BEGIN },
    };
    ai_stream_t stream;
    apr_size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ai_slice_t body = rows[i].body ? ai_slice_of(rows[i].body) : frame_load("chat-tools.json");

        is_text(whole_told(body, &stream), rows[i].want, rows[i].what);
    }
    whole_told(ai_slice_of("{\"choices\":[{\"message\":{\"content\":\"a\"},\"finish_reason\":"
                           "\"length\"}],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":3,"
                           "\"prompt_tokens_details\":{\"cached_tokens\":4,"
                           "\"cache_write_tokens\":2},\"completion_tokens_details\":"
                           "{\"reasoning_tokens\":1}}}"), &stream);
    ok(stream.finish == AI_FINISH_LENGTH && stream.usage.prompt == 9
           && stream.usage.completion == 3 && stream.usage.cached == 4
           && stream.usage.written == 2 && stream.usage.reasoning == 1,
       "usage and finish of a whole answer");
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
    is_text(whole_told(ai_slice_of(answer_of(&asked, anthropic, N(anthropic), &anthropic_end)),
                       &stream),
            "0 begin \"msg_1\" \"claude-x\" 5\n0 thinking \"Hm\"\n0 signature \"c2ln\"\n"
            "0 text \"Hi\"\n0 call 0 \"toolu_A\" \"f\"\n0 arguments 0 \"{\\\"a\\\":1}\"\n"
            "0 call 1 \"toolu_B\" \"g\"\n0 arguments 1 \"{}\"\n", "and so is a whole answer");
}

/* ------------------------------------------------------------------------------ limits */

static void test_limits(void)
{
    apr_table_t *headers = apr_table_make(pool, 8), *written = apr_table_make(pool, 8);
    ai_limits_t limits = AI_LIMITS_UNKNOWN;

    apr_table_setn(headers, "x-ratelimit-limit-requests", "60");
    apr_table_setn(headers, "x-ratelimit-remaining-requests", "59");
    apr_table_setn(headers, "x-ratelimit-reset-requests", "1s");
    apr_table_setn(headers, "x-ratelimit-limit-tokens", "150000");
    apr_table_setn(headers, "x-ratelimit-remaining-tokens", "-1");
    apr_table_setn(headers, "x-ratelimit-reset-tokens", "6m0s");
    dialect->translator->read_limits(headers, 0, &limits);
    ok(limits.requests.limit == 60 && limits.requests.remaining == 59
           && limits.requests.reset_ms == 1000 && limits.tokens.limit == 150000
           && limits.tokens.remaining == -1 && limits.tokens.reset_ms == 360000,
       "limits are read; what is negative is not known");
    dialect->translator->write_limits(written, pool, &limits, 0);
    apr_table_unset(headers, "x-ratelimit-remaining-tokens");
    ok(apr_table_elts(written)->nelts == 5, "as many are written");
    {
        const apr_array_header_t *list = apr_table_elts(headers);
        int i;

        for (i = 0; i < list->nelts; i++) {
            const apr_table_entry_t *entry = &APR_ARRAY_IDX(list, i, apr_table_entry_t);

            is_text(apr_table_get(written, entry->key), entry->val, entry->key);
        }
    }
    limits = AI_LIMITS_UNKNOWN;
    apr_table_clear(headers);
    apr_table_setn(headers, "x-ratelimit-limit-requests", "many");
    apr_table_setn(headers, "x-ratelimit-reset-requests", "");
    dialect->translator->read_limits(headers, 0, &limits);
    apr_table_clear(written);
    dialect->translator->write_limits(written, pool, &limits, 0);
    ok(apr_is_empty_table(written), "what says nothing is not written");
}

int main(void)
{
    apr_size_t i;

    frame_begin(&ai_dialect_openai, "openai");
    test_golden();
    test_streams();
    test_answers();
    test_finish();
    test_long_thought();
    test_inputs();
    for (i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        is_text(file_told(files[i].file), files[i].want, files[i].file);
    }
    test_wholes();
    test_again();
    test_limits();
    return frame_end();
}
