/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_round_trip.c - does what both dialects can say survive the way there and back?
 *
 * Requests are those of data/round-trip: what comes back of each is the request itself, but for the
 * members below "back", where the same is said in another way or has no place on the other side.
 */
#include "translate_frame.h"

extern const ai_dialect_t ai_dialect_anthropic;
extern const ai_dialect_t ai_dialect_openai;
#define ANTHROPIC (&ai_dialect_anthropic)
#define OPENAI (&ai_dialect_openai)

/* All is known, and all can be done: nothing is left out for the model's sake. */
static ai_ability_t able(const ai_dialect_t *dialect_of_it)
{
    ai_ability_t ability = translate_unknown;

    ability.sampling = AI_SAMPLING_FULL;
    ability.schema = AI_SCHEMA_NATIVE;
    ability.thinking = dialect_of_it == ANTHROPIC ? AI_THINKING_BUDGET | AI_THINKING_ADAPTIVE
                                                  : AI_THINKING_EFFORT;
    ability.efforts = (1u << AI_EFFORTS_N) - 1;
    ability.forced_tool = 1;
    return ability;
}

/* One way: reads, writes, and says what was lost. */
static const char *go(const ai_dialect_t *from, const ai_dialect_t *to, const char *text,
                      const char **lost)
{
    ai_ability_t ability = able(to);
    const ai_error_t *error;
    ai_talk_t *talk = translate_read(from, text, &error);
    ai_sent_t sent = { NULL };
    const char *got = talk ? translate_write(to, talk, &ability, &sent, &error) : NULL;

    if (!got) {
        printf("# refused: %s %s\n# %s\n", error->param, error->message, text);
        return NULL;
    }
    *lost = translate_lost(sent.lost);
    return got;
}

/* The request as it comes back: in, with what "back" says put over it. */
static const char *expected(struct json_object *in, struct json_object *back)
{
    struct json_object *want = json_tokener_parse(translate_plain(in));

    json_object_object_add(want, "model", json_object_new_string("m"));
    if (back) {
        json_object_object_foreach(back, name, value) {
            if (value) {
                json_object_object_add(want, name, json_object_get(value));
            }
            else {
                json_object_object_del(want, name);
            }
        }
    }
    return translate_plain(want);
}

static void round_trip(const ai_dialect_t *from, const ai_dialect_t *by, const char *file)
{
    struct json_object *all = json_tokener_parse(translate_text(frame_load(file)));
    size_t i, n = all ? json_object_array_length(all) : 0;

    ok(n > 0, "%s: there are cases", file);
    for (i = 0; i < n; i++) {
        struct json_object *test = json_object_array_get_idx(all, i), *in = NULL, *back = NULL;
        const char *what = translate_member(test, "what"), *there, *home, *lost = "", *more = "";
        const char *want = translate_member(test, "lost");

        json_object_object_get_ex(test, "in", &in);
        json_object_object_get_ex(test, "back", &back);
        there = go(from, by, translate_plain(in), &lost);
        home = there ? go(by, from, there, &more) : NULL;
        if (!ok(home && translate_same(home, expected(in, back)), "%s: %s", file, what)) {
            printf("# by way of %s\n", there ? there : "nothing");
        }
        lost = apr_pstrcat(pool, lost, "|", more, NULL);
        want = want ? want : "|";
        is_bytes(lost, strlen(lost), want, strlen(want), "  and what is lost on each way");
    }
    json_object_put(all);
}

/* --------------------------------------------------------------------------- answers */

/* Takes out counts of nought, and what holds nothing else: Anthropic has no other word for what is
 * unknown. */
static void drop_noughts(struct json_object *counts)
{
    static const char *const names[] = { "prompt_tokens", "completion_tokens", "total_tokens",
                                         "cached_tokens", "cache_write_tokens",
                                         "prompt_tokens_details" };
    struct json_object *value;
    size_t i;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (!json_object_object_get_ex(counts, names[i], &value)) {
            continue;
        }
        if (json_object_is_type(value, json_type_object)) {
            drop_noughts(value);
        }
        if (json_object_is_type(value, json_type_object) ? !json_object_object_length(value)
                                                         : !json_object_get_int64(value)) {
            json_object_object_del(counts, names[i]);
        }
    }
}

/* An answer without what only one side can say: when it was made, and that a count is unknown. */
static const char *normal(ai_slice_t text)
{
    struct json_object *answer = json_tokener_parse(translate_text(text)), *usage;
    const char *plain;

    json_object_object_del(answer, "created");
    if (json_object_object_get_ex(answer, "usage", &usage)) {
        drop_noughts(usage);
        if (!json_object_object_length(usage)) {
            json_object_object_del(answer, "usage");
        }
    }
    plain = translate_plain(answer);
    json_object_put(answer);
    return plain;
}

/* A stream of one dialect: whole, and whole after it was a stream of the other one's. */
static void answer_trip(const ai_dialect_t *from, const ai_dialect_t *by, const char *folder,
                        const char *file)
{
    translate_answer_t answer;
    ai_slice_t text, direct, events, home;

    frame_folder = folder;
    text = frame_load(file);
    direct = translate_stream(&answer, from, from, text, 0, 0);
    events = translate_stream(&answer, from, by, text, 0, 1);
    home = translate_stream(&answer, by, from, events, 0, 0);
    ok(!answer.invalid && translate_same(normal(home), normal(direct)),
       "%s/%s: the answer survives", folder, file);
    home = translate_whole(&answer, from, by, direct, 0);
    home = translate_whole(&answer, by, from, home, 0);
    ok(translate_same(normal(home), normal(direct)),
       "%s/%s: and survives whole", folder, file);
}

static void answers(void)
{
    static const char *const anthropic[] = { "plain.sse", "thinking-tools.sse", "redacted.sse",
                                             "cache.sse", "max-tokens.sse", "refusal.sse",
                                             "interleaved.sse", "crlf.sse", "window.sse" };
    static const char *const openai[] = { "chat-plain.sse", "chat-tools.sse", "chat-usage.sse",
                                          "deepseek.sse", "groq.sse" };
    apr_size_t i;

    for (i = 0; i < sizeof(anthropic) / sizeof(anthropic[0]); i++) {
        answer_trip(ANTHROPIC, OPENAI, "anthropic", anthropic[i]);
    }
    for (i = 0; i < sizeof(openai) / sizeof(openai[0]); i++) {
        answer_trip(OPENAI, ANTHROPIC, "openai", openai[i]);
    }
}

int main(void)
{
    frame_begin(ANTHROPIC, "round-trip");
    round_trip(OPENAI, ANTHROPIC, "openai.json");
    round_trip(ANTHROPIC, OPENAI, "anthropic.json");
    answers();
    return frame_end();
}
