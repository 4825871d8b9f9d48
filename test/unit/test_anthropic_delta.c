/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_anthropic_delta.c - are answers of Anthropic's API read right, and written right?
 *
 * What streams say is told by Anthropic's own SDK: data/anthropic/README.md.
 */
#include <apr_time.h>

#include "translate_frame.h"

extern const ai_dialect_t ai_dialect_anthropic;
#define ANTHROPIC (&ai_dialect_anthropic)

/* ------------------------------------------------------------------ read from streams */

/* Reasons to stop that other dialects do not have, as callers of this gateway get them. */
static const char *reason_of(const char *reason)
{
    static const char *const map[][2] = { { "stop_sequence", "end_turn" },
                                          { "pause_turn", "end_turn" },
                                          { "model_context_window_exceeded", "max_tokens" } };
    int i;

    for (i = 0; i < 3; i++) {
        if (strcmp(map[i][0], reason) == 0) {
            return map[i][1];
        }
    }
    return reason;
}

static long long count_of(struct json_object *usage, const char *name)
{
    struct json_object *count;

    return json_object_object_get_ex(usage, name, &count) ? json_object_get_int64(count) : 0;
}

static int same_usage(struct json_object *got, struct json_object *want)
{
    static const char *const names[] = { "input_tokens", "output_tokens", "cache_read_input_tokens",
                                         "cache_creation_input_tokens" };
    int i, same = 1;

    for (i = 0; i < 4; i++) {
        same &= count_of(got, names[i]) == count_of(want, names[i]);
    }
    return same;
}

/* 1 when a message of ours says what the SDK found. */
static int as_found(ai_slice_t text, struct json_object *want)
{
    struct json_object *got = json_tokener_parse(translate_text(text)), *a = NULL, *b = NULL;
    int same = got != NULL;

    if (same) {
        json_object_object_get_ex(got, "content", &a);
        json_object_object_get_ex(want, "content", &b);
        same = a && b && strcmp(translate_member(got, "id"), translate_member(want, "id")) == 0
               && strcmp(translate_member(got, "model"), translate_member(want, "model")) == 0
               && strcmp(translate_member(got, "stop_reason"),
                         reason_of(translate_member(want, "stop_reason")))
                      == 0
               && (json_object_array_length(b)
                       ? json_object_equal(a, b)
                       : strcmp(translate_plain(a), "[{\"type\":\"text\",\"text\":\"\"}]") == 0);
        json_object_object_get_ex(got, "usage", &a);
        json_object_object_get_ex(want, "usage", &b);
        same = same && same_usage(a, b);
    }
    if (!same) {
        printf("# got  %.*s\n# want %s\n", (int)text.n, text.p, translate_plain(want));
    }
    json_object_put(got);
    return same;
}

/* A stream, as it is told, and told once more from the events that were written of it. */
static void read_stream(struct json_object *want)
{
    const char *file = translate_member(want, "file");
    ai_slice_t text = frame_load(file), whole, events;
    translate_answer_t answer;
    apr_size_t cut, bad = 0;

    whole = translate_stream(&answer, ANTHROPIC, ANTHROPIC, text, 0, 0);
    ok(as_found(whole, want), "%s: all that the SDK finds in it", file);
    for (cut = 1; cut < text.n && !bad; cut++) {
        ai_slice_t other = translate_stream(&answer, ANTHROPIC, ANTHROPIC, text, cut, 0);

        bad = other.n == whole.n && memcmp(other.p, whole.p, whole.n) == 0 ? 0 : cut;
    }
    ok(!bad, "%s: the same cut in two at every byte (at %d)", file, (int)bad);
    events = translate_stream(&answer, ANTHROPIC, ANTHROPIC, text, 0, 1);
    ok(as_found(translate_stream(&answer, ANTHROPIC, ANTHROPIC, events, 0, 0), want),
       "%s: the same after it was written as a stream", file);
    events = translate_whole(&answer, ANTHROPIC, ANTHROPIC, whole, 1);
    ok(as_found(translate_stream(&answer, ANTHROPIC, ANTHROPIC, events, 0, 0), want),
       "%s: the same after it was read whole and written as a stream", file);
}

static void read_streams(void)
{
    struct json_object *all = json_tokener_parse(translate_text(frame_load("streams.sdk.json")));
    size_t i, n = json_object_array_length(all);

    is_number((long long)n, 14, "as many streams as the SDK read");
    for (i = 0; i < n; i++) {
        read_stream(json_object_array_get_idx(all, i));
    }
    json_object_put(all);
}

/* ----------------------------------------------------------------------------- deltas */

/* The deltas in short: "B(id,model) T("x") C0(id,name) A0("x") A0{} E0". */
static const char *show(const apr_array_header_t *deltas)
{
    static const char *const letters[] = { "B", "T", "R", "K", "S", "X", "C", "A", "E" };
    const char *text = "";
    int i;

    for (i = 0; i < deltas->nelts; i++) {
        const ai_delta_t *d = &APR_ARRAY_IDX(deltas, i, ai_delta_t);

        text = apr_pstrcat(pool, text, *text ? " " : "", letters[d->kind],
                           d->kind >= AI_DELTA_CALL ? apr_itoa(pool, d->call) : "",
                           translate_text(d->id), translate_text(d->name), translate_text(d->text),
                           translate_text(d->object), NULL);
    }
    return text;
}

/* Events as their data; what is told of them. */
static const char *told(const char *const *events, translate_answer_t *answer)
{
    const char *text = "";

    for (; *events; events++) {
        text = apr_pstrcat(pool, text, "data: ", *events, "\n\n", NULL);
    }
    translate_stream(answer, ANTHROPIC, ANTHROPIC, ai_slice_of(text), 0, 0);
    return show(answer->deltas);
}

#define START(i, block) \
    "{\"type\":\"content_block_start\",\"index\":" #i ",\"content_block\":" block "}"
#define DELTA(i, delta) \
    "{\"type\":\"content_block_delta\",\"index\":" #i ",\"delta\":" delta "}"
#define STOP(i) "{\"type\":\"content_block_stop\",\"index\":" #i "}"
#define TOOL(id) "{\"type\":\"tool_use\",\"id\":\"" id "\",\"name\":\"f\",\"input\":{}}"
#define JSON(text) "{\"type\":\"input_json_delta\",\"partial_json\":\"" text "\"}"

static void tell_events(void)
{
    static const struct {
        const char *what;
        const char *events[12];
        const char *told;
        int invalid;
    } cases[] = {
        { "two calls whose pieces come in turn",
          { START(0, TOOL("a")), START(1, TOOL("b")), DELTA(0, JSON("{")), DELTA(1, JSON("[")),
            DELTA(0, JSON("}")), STOP(0), DELTA(1, JSON("]")), STOP(1) },
          "C0\"a\"\"f\" C1\"b\"\"f\" A0\"{\" A1\"[\" A0\"}\" E0 A1\"]\" E1", 0 },
        { "arguments that are there at the start",
          { START(0, "{\"type\":\"tool_use\",\"id\":\"a\",\"name\":\"f\",\"input\":{\"x\":[1]}}"),
            STOP(0) },
          "C0\"a\"\"f\" A0{\"x\":[1]} E0", 0 },
        { "a call without arguments, by the end of its block",
          { START(3, TOOL("a")), DELTA(3, JSON("")), STOP(3), STOP(3) },
          "C0\"a\"\"f\" A0{} E0", 0 },
        { "what a server's tool does is not told",
          { START(0, "{\"type\":\"server_tool_use\",\"id\":\"s\",\"name\":\"web_search\"}"),
            DELTA(0, JSON("{}")), STOP(0),
            START(1, "{\"type\":\"web_search_tool_result\",\"content\":[{\"text\":\"x\"}]}"),
            STOP(1), START(2, TOOL("a")), STOP(2) },
          "C0\"a\"\"f\" A0{} E0", 0 },
        { "text and thinking in the start of a block",
          { START(0, "{\"type\":\"thinking\",\"thinking\":\"t\",\"signature\":\"s\"}"),
            START(1, "{\"type\":\"text\",\"text\":\"x\"}") },
          "K\"t\" S\"s\" T\"x\"", 0 },
        { "a call without an id, or with an empty one, gets one",
          { "{\"type\":\"message_start\",\"message\":{\"id\":\"msg_9\",\"model\":\"m\"}}",
            START(0, "{\"type\":\"tool_use\",\"name\":\"f\",\"input\":{}}"),
            START(1, "{\"type\":\"tool_use\",\"id\":\"\",\"name\":\"g\",\"input\":{}}") },
          "B\"msg_9\"\"m\" C0\"toolu_msg_9_0\"\"f\" C1\"toolu_msg_9_1\"\"g\"", 0 },
        { "text of a block whose start was lost; arguments of none",
          { DELTA(7, "{\"type\":\"text_delta\",\"text\":\"x\"}"), DELTA(8, JSON("{}")) },
          "T\"x\"", 0 },
        { "nothing behind a block's end",
          { START(0, TOOL("a")), STOP(0), DELTA(0, JSON("1")) }, "C0\"a\"\"f\" A0{} E0", 0 },
        { "an index begun twice is two calls",
          { START(0, TOOL("a")), START(0, TOOL("b")), DELTA(0, JSON("{}")), STOP(0) },
          "C0\"a\"\"f\" A0{} E0 C1\"b\"\"f\" A1\"{}\" E1", 0 },
        { "indexes that are none",
          { START(-1, TOOL("a")), START(99999999999999999999, TOOL("b")), DELTA(1.5, JSON("{}")),
            STOP(null), STOP("x") },
          "C0\"a\"\"f\" C1\"b\"\"f\"", 0 },
        { "members of a wrong type",
          { START(0, "null"), START(1, "[]"), START(2, "{\"type\":7}"), DELTA(0, "null"),
            DELTA(1, "\"x\""), DELTA(5, "{\"type\":\"text_delta\",\"text\":{}}"),
            START(6, "{\"type\":\"tool_use\",\"id\":1,\"name\":null}"),
            "{\"type\":\"message_start\",\"message\":null}", "{\"type\":\"content_block_start\"}" },
          "B", 0 },
        { "events that are not known, or cite",
          { "{\"type\":\"news\",\"index\":0}", DELTA(0, "{\"type\":\"citations_delta\"}"),
            DELTA(0, "{\"type\":\"of_tomorrow\",\"text\":\"x\"}") },
          "", 0 },
        { "an event that only looks like JSON",
          { "{\"type\":\"content_block_stop\",\"index\":0,\"x\":nul}",
            "{\"type\":\"content_block_stop\",\"type\":\"content_block_stop\"}" },
          "", 2 },
        { "keys and words that are written with escapes",
          { "{\"\\u0074ype\":\"content_block_delta\",\"index\":0,"
            "\"delta\":{\"type\":\"text\\u005fdelta\",\"text\":\"x\"}}" },
          "T\"x\"", 0 },
    };
    translate_answer_t answer;
    apr_size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *got = told(cases[i].events, &answer);

        is_bytes(got, strlen(got), cases[i].told, strlen(cases[i].told), cases[i].what);
        is_number(answer.invalid, cases[i].invalid, "  and as many invalid ones");
    }
}

static void tell_long(void)
{
    apr_size_t n = 10 << 20;
    char *long_text = apr_palloc(pool, n + 1);
    translate_answer_t answer;
    ai_slice_t out;

    memset(long_text, 'x', n);
    long_text[n] = '\0';
    out = translate_stream(&answer, ANTHROPIC, ANTHROPIC,
                           ai_slice_of(apr_pstrcat(pool, "data: {\"type\":\"content_block_delta\","
                                                   "\"index\":0,\"delta\":{\"type\":\"text_delta\","
                                                   "\"text\":\"", long_text, "\"}}\n\n", NULL)),
                           100, 1);
    ok(out.n > n && strstr(translate_text(out), long_text) != NULL, "a piece of 10 MB arrives");
}

static void read_wholes(void)
{
    static const char *const none[] = {
        "{}", "[]", "{\"type\":\"message\"}", "{\"type\":\"message\",\"content\":\"x\"}",
        "{\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":\"x\"}}",
        "{\"object\":\"chat.completion\",\"choices\":[]}"
    };
    static const struct {
        const char *file, *told;
        ai_finish_e finish;
    } files[] = {
        { "message-thinking.json",
          "B\"msg_1\"\"claude-x\" K\"Hm\" S\"c2ln\" X\"eA==\" "
          "T\"Hi \\\"usage\\\":{\\\"input_tokens\\\":99}\"", AI_FINISH_LENGTH },
        { "message-tools.json",
          "B\"msg_1\"\"claude-x\" C0\"toolu_A\"\"f\" "
          "A0{\"stop_reason\":\"refusal\",\"usage\":{\"input_tokens\":1}} E0", AI_FINISH_TOOL },
    };
    translate_answer_t answer;
    apr_size_t i;

    for (i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        ok(!translate_whole(&answer, ANTHROPIC, ANTHROPIC, ai_slice_of(none[i]), 0).p,
           "no answer: %s", none[i]);
    }
    for (i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        const char *got;

        translate_whole(&answer, ANTHROPIC, ANTHROPIC, frame_load(files[i].file), 0);
        got = show(answer.deltas);
        is_bytes(got, strlen(got), files[i].told, strlen(files[i].told), files[i].file);
        is_number(answer.stream.finish, files[i].finish, "  and its finish");
    }
}

/* ---------------------------------------------------------------------------- writing */

static void put(translate_answer_t *answer, ai_delta_e kind, int call, const char *text)
{
    ai_delta_t delta = { 0 };

    delta.kind = kind;
    delta.call = call;
    delta.text = ai_slice_of(text);
    if (kind == AI_DELTA_CALL) {
        delta.id = ai_slice_of(apr_psprintf(pool, "\"c%d\"", call));
        delta.name = delta.text;
    }
    if (kind == AI_DELTA_BEGIN) {
        delta.id = AI_SLICE("\"chatcmpl-1\"");
        delta.name = AI_SLICE("\"m\"");
    }
    if (kind == AI_DELTA_ARGUMENTS && *text == '{') {
        delta.object = delta.text;
        delta.text = (ai_slice_t){ NULL, 0 };
    }
    translate_on_delta(answer, &delta);
}

/* Both forms of an answer that was told delta by delta. */
static void write_both(translate_answer_t *answer, ai_slice_t *events, ai_slice_t *whole)
{
    *events = translate_end(answer);
    answer->writer = NULL;
    ai_write_begin(pool, &answer->out);
    *whole = translate_end(answer);
}

static ai_usage_t usage_of(int prompt, int completion, int cached, int reasoning, int written)
{
    ai_usage_t usage = AI_USAGE_UNKNOWN;

    usage.prompt = prompt;
    usage.completion = completion;
    usage.cached = cached;
    usage.reasoning = reasoning;
    usage.written = written;
    return usage;
}

/* Calls whose pieces come in turn: the golden stream of an answer of OpenAI's. */
static void write_interleaved(void)
{
    translate_answer_t a;
    ai_slice_t events, whole, want = frame_load("interleaved.sse");

    translate_begin(&a, ANTHROPIC, ANTHROPIC, 1);
    put(&a, AI_DELTA_BEGIN, 0, "");
    put(&a, AI_DELTA_TEXT, 0, "\"\"");
    put(&a, AI_DELTA_TEXT, 0, "\"Ok\"");
    put(&a, AI_DELTA_CALL, 0, "\"f\"");
    put(&a, AI_DELTA_ARGUMENTS, 0, "\"\"");
    put(&a, AI_DELTA_CALL, 1, "\"g\"");
    put(&a, AI_DELTA_ARGUMENTS, 0, "\"{\\\"a\\\":\"");
    put(&a, AI_DELTA_ARGUMENTS, 1, "\"{}\"");
    put(&a, AI_DELTA_ARGUMENTS, 0, "\"1}\"");
    a.stream.finish = AI_FINISH_TOOL;
    a.stream.usage = usage_of(20, 9, 16, -1, -1);
    write_both(&a, &events, &whole);
    is_bytes(events.p, events.n, want.p, want.n, "calls in turn, as events");
    ok(translate_same(translate_text(whole),
                      "{\"id\":\"chatcmpl-1\",\"type\":\"message\",\"role\":\"assistant\","
                      "\"model\":\"m\",\"content\":[{\"type\":\"text\",\"text\":\"Ok\"},"
                      "{\"type\":\"tool_use\",\"id\":\"c0\",\"name\":\"f\",\"input\":{\"a\":1}},"
                      "{\"type\":\"tool_use\",\"id\":\"c1\",\"name\":\"g\",\"input\":{}}],"
                      "\"stop_reason\":\"tool_use\",\"stop_sequence\":null,\"usage\":"
                      "{\"input_tokens\":4,\"cache_read_input_tokens\":16,"
                      "\"cache_creation_input_tokens\":0,\"output_tokens\":9}}"),
       "the same whole");
}

/* The events in short: + and - for a block's start and end, . for a delta, with their indexes. */
static const char *shape(ai_slice_t events)
{
    const char *at = translate_text(events), *text = "", *index, *sign;

    while ((at = strstr(at, "data: {\"type\":\"")) != NULL) {
        at += 15;
        sign = strncmp(at, "content_block_start", 19) == 0   ? "+"
               : strncmp(at, "content_block_delta", 19) == 0 ? "."
               : strncmp(at, "content_block_stop", 18) == 0  ? "-"
               : strncmp(at, "message_start", 13) == 0       ? "["
               : strncmp(at, "message_delta", 13) == 0       ? "="
                                                             : "]";
        index = strchr("+.-", *sign) ? apr_psprintf(pool, "%d", atoi(strstr(at, "\"index\":") + 8))
                                     : "";
        text = apr_pstrcat(pool, text, sign, index, NULL);
    }
    return text;
}

static void write_shapes(void)
{
    static const struct {
        const char *what;
        struct {
            ai_delta_e kind;
            int call;
            const char *text;
        } deltas[10];
        int n;
        ai_finish_e finish;
        const char *shape, *reason, *content;
    } cases[] = {
        { "nothing at all", { { AI_DELTA_BEGIN, 0, "" } }, 1, AI_FINISH_STOP, "[+0-0=]",
          "end_turn", "[{\"type\":\"text\",\"text\":\"\"}]" },
        { "no beginning", { { AI_DELTA_TEXT, 0, "\"x\"" } }, 1, AI_FINISH_NONE, "[+0.0-0=]",
          "end_turn", "[{\"type\":\"text\",\"text\":\"x\"}]" },
        { "thinking, signed twice, and text",
          { { AI_DELTA_THINKING, 0, "\"a\"" }, { AI_DELTA_THINKING, 0, "\"b\"" },
            { AI_DELTA_SIGNATURE, 0, "\"s\"" }, { AI_DELTA_THINKING, 0, "\"c\"" },
            { AI_DELTA_SIGNATURE, 0, "\"t\"" }, { AI_DELTA_TEXT, 0, "\"x\"" } }, 6,
          AI_FINISH_LENGTH, "[+0.0.0.0-0+1.1.1-1+2.2-2=]", "max_tokens",
          "[{\"type\":\"thinking\",\"thinking\":\"ab\",\"signature\":\"s\"},"
          "{\"type\":\"thinking\",\"thinking\":\"c\",\"signature\":\"t\"},"
          "{\"type\":\"text\",\"text\":\"x\"}]" },
        { "thinking that nobody signed, between texts",
          { { AI_DELTA_TEXT, 0, "\"x\"" }, { AI_DELTA_THINKING, 0, "\"a\"" },
            { AI_DELTA_TEXT, 0, "\"y\"" } }, 3, AI_FINISH_STOP, "[+0.0-0+1.1-1+2.2-2=]",
          "end_turn", "[{\"type\":\"thinking\",\"thinking\":\"a\",\"signature\":\"\"},"
                      "{\"type\":\"text\",\"text\":\"xy\"}]" },
        { "redacted thinking in between",
          { { AI_DELTA_THINKING, 0, "\"a\"" }, { AI_DELTA_REDACTED, 0, "\"r\"" },
            { AI_DELTA_TEXT, 0, "\"x\"" } }, 3, AI_FINISH_STOP, "[+0.0-0+1-1+2.2-2=]", "end_turn",
          "[{\"type\":\"thinking\",\"thinking\":\"a\",\"signature\":\"\"},"
          "{\"type\":\"redacted_thinking\",\"data\":\"r\"},{\"type\":\"text\",\"text\":\"x\"}]" },
        { "a call that is over, text, another call; late pieces and unknown calls are dropped",
          { { AI_DELTA_CALL, 0, "\"f\"" }, { AI_DELTA_ARGUMENTS, 0, "{\"a\":\"\\\"\"}" },
            { AI_DELTA_CALLED, 0, "" }, { AI_DELTA_ARGUMENTS, 5, "\"late\"" },
            { AI_DELTA_TEXT, 0, "\"x\"" }, { AI_DELTA_CALL, 1, "\"g\"" },
            { AI_DELTA_TEXT, 0, "\"y\"" } }, 7, AI_FINISH_STOP,
          "[+0.0-0+1.1-1+2+3.3-2-3=]", "tool_use",
          "[{\"type\":\"text\",\"text\":\"xy\"},{\"type\":\"tool_use\",\"id\":\"c0\","
          "\"name\":\"f\",\"input\":{\"a\":\"\\\"\"}},{\"type\":\"tool_use\",\"id\":\"c1\","
          "\"name\":\"g\",\"input\":{}}]" },
        { "a call that was cut off",
          { { AI_DELTA_CALL, 0, "\"f\"" }, { AI_DELTA_ARGUMENTS, 0, "\"{\\\"a\\\":\"" } }, 2,
          AI_FINISH_LENGTH, "[+0.0-0=]", "max_tokens",
          "[{\"type\":\"tool_use\",\"id\":\"c0\",\"name\":\"f\",\"input\":{}}]" },
        { "words of refusal", { { AI_DELTA_REFUSAL, 0, "\"No\"" }, { AI_DELTA_REFUSAL, 0, "\".\"" } },
          2, AI_FINISH_STOP, "[+0.0.0-0=]", "refusal", "[{\"type\":\"text\",\"text\":\"No.\"}]" },
        { "a filter", { { AI_DELTA_TEXT, 0, "\"x\"" } }, 1, AI_FINISH_FILTER, "[+0.0-0=]",
          "refusal", "[{\"type\":\"text\",\"text\":\"x\"}]" },
    };
    apr_size_t i;
    int j;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        translate_answer_t a;
        ai_slice_t events, whole;
        struct json_object *message, *content;
        const char *got, *reason = apr_psprintf(pool, "\"stop_reason\":\"%s\"", cases[i].reason);

        translate_begin(&a, ANTHROPIC, ANTHROPIC, 1);
        for (j = 0; j < cases[i].n; j++) {
            put(&a, cases[i].deltas[j].kind, cases[i].deltas[j].call, cases[i].deltas[j].text);
        }
        a.stream.finish = cases[i].finish;
        write_both(&a, &events, &whole);
        got = shape(events);
        is_bytes(got, strlen(got), cases[i].shape, strlen(cases[i].shape), cases[i].what);
        ok(strstr(translate_text(events), reason) != NULL, "  and it ends for %s", reason);
        message = json_tokener_parse(translate_text(whole));
        json_object_object_get_ex(message, "content", &content);
        ok(translate_same(translate_plain(content), cases[i].content), "  and its content, whole");
        ok(strstr(translate_text(whole), reason) != NULL, "  and whole it ends for the same");
        json_object_put(message);
    }
}

/* Another answer of several is not the caller's; what is unknown is nought. */
static void write_rest(void)
{
    translate_answer_t a;
    ai_slice_t events, whole;
    ai_delta_t other = { 0 };

    translate_begin(&a, ANTHROPIC, ANTHROPIC, 1);
    other.kind = AI_DELTA_TEXT;
    other.choice = 1;
    other.text = AI_SLICE("\"other\"");
    put(&a, AI_DELTA_TEXT, 0, "\"x\"");
    translate_on_delta(&a, &other);
    write_both(&a, &events, &whole);
    ok(!strstr(translate_text(events), "other") && !strstr(translate_text(whole), "other"),
       "only the first answer is told");
    ok(strstr(translate_text(events), "\"id\":\"msg_asked\"")
           && strstr(translate_text(whole), "\"model\":\"asked\""),
       "id and model are the request's where the provider gives none");
    ok(strstr(translate_text(whole),
              "\"usage\":{\"input_tokens\":0,\"cache_read_input_tokens\":0,"
              "\"cache_creation_input_tokens\":0,\"output_tokens\":0}") != NULL,
       "unknown usage is nought");
    a.stream.usage = usage_of(10, 2, 30, 1, 4);
    ai_write_begin(pool, &a.out);
    ok(strstr(translate_text(translate_end(&a)), "\"input_tokens\":0,") != NULL,
       "more cached than there was is not a negative count");
}

/* ----------------------------------------------------------------------------- limits */

static void test_limits(void)
{
    const ai_translator_t *t = ANTHROPIC->translator;
    apr_table_t *headers = apr_table_make(pool, 8);
    apr_time_t now = apr_time_from_sec(1767225600); /* 2026-01-01T00:00:00Z */
    ai_limits_t limits = AI_LIMITS_UNKNOWN, again = AI_LIMITS_UNKNOWN;

    t->read_limits(headers, now, &limits);
    ok(limits.requests.limit == -1 && limits.tokens.reset_ms == -1, "no headers tell nothing");
    apr_table_set(headers, "anthropic-ratelimit-requests-limit", "50");
    apr_table_set(headers, "anthropic-ratelimit-requests-remaining", "49");
    apr_table_set(headers, "anthropic-ratelimit-requests-reset", "2026-01-01T00:00:02Z");
    apr_table_set(headers, "anthropic-ratelimit-input-tokens-limit", "40000");
    apr_table_set(headers, "anthropic-ratelimit-input-tokens-remaining", "39000");
    apr_table_set(headers, "anthropic-ratelimit-output-tokens-limit", "8000");
    apr_table_set(headers, "anthropic-ratelimit-output-tokens-remaining", "7000");
    apr_table_set(headers, "anthropic-ratelimit-output-tokens-reset", "nonsense");
    t->read_limits(headers, now, &limits);
    ok(limits.requests.limit == 50 && limits.requests.remaining == 49
           && limits.requests.reset_ms == 2000,
       "requests");
    ok(limits.tokens.limit == 8000 && limits.tokens.remaining == 7000
           && limits.tokens.reset_ms == -1,
       "of input and output tokens the ones that end first");
    apr_table_set(headers, "anthropic-ratelimit-tokens-remaining", "-3");
    apr_table_set(headers, "anthropic-ratelimit-tokens-limit", "48000");
    t->read_limits(headers, now, &limits);
    ok(limits.tokens.limit == 48000 && limits.tokens.remaining == -1,
       "all tokens, where they are told; what is no count is unknown");

    limits = (ai_limits_t){ { 60, 59, 1500 }, { 1000, -1, -1 } };
    apr_table_clear(headers);
    t->write_limits(headers, pool, &limits, now);
    ok(ai_slice_is(ai_slice_of(apr_table_get(headers, "anthropic-ratelimit-requests-reset")),
                   "2026-01-01T00:00:02Z"),
       "a reset is a point in time, not too early");
    ok(!apr_table_get(headers, "anthropic-ratelimit-tokens-remaining"), "what is unknown is unsaid");
    t->read_limits(headers, now, &again);
    ok(again.requests.limit == 60 && again.requests.remaining == 59 && again.tokens.limit == 1000,
       "what was written is read again");
}

int main(void)
{
    frame_begin(ANTHROPIC, "anthropic");
    read_streams();
    tell_events();
    tell_long();
    read_wholes();
    write_interleaved();
    write_shapes();
    write_rest();
    test_limits();
    return frame_end();
}
