/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_ai_models_fit.c - does a request fit the model it goes to, is every loss told, and does
 * every other byte stay?
 */
#include <apr_general.h>
#include <apr_strings.h>

#include "ai_models.h"
#include "tap.h"

static apr_pool_t *pool;

#define RECORD(members) \
    "[{\"match\":\"m\",\"source\":\"s\",\"date\":\"2026-11-21\"" members "}]"

static const ai_ability_t *ability_of(const char *text)
{
    const char *wrong = NULL;
    const ai_models_t *models = ai_models_read(pool, ai_slice_of(text), NULL, &wrong);

    if (!ok(models != NULL, "a record: %s", wrong ? wrong : text)) {
        return ai_models_find(NULL, NULL, NULL);
    }
    return ai_models_find(models, NULL, "m");
}

/* The body as it goes to the model, and the names of what was dropped, in list. */
static const char *fit(const ai_ability_t *ability, const char *body, const char **list)
{
    apr_array_header_t *dropped = apr_array_make(pool, 4, sizeof(const char *));
    apr_array_header_t *slices;
    ai_json_error_t err;
    ai_splice_t splice;
    ai_json_doc_t doc;
    apr_size_t total;
    const char *text = "";
    int i;

    *list = "";
    if (ai_json_parse(pool, ai_slice_of(body), AI_JSON_DEPTH, &doc, &err) != APR_SUCCESS) {
        return "the test's own body is no JSON";
    }
    ai_splice_begin(pool, &splice, doc.text);
    if (ai_ability_fit(pool, ability, &doc, &splice, dropped) != APR_SUCCESS) {
        return "ai_ability_fit() failed";
    }
    ai_splice_end(&splice, &slices, &total);
    for (i = 0; i < slices->nelts; i++) {
        ai_slice_t slice = APR_ARRAY_IDX(slices, i, ai_slice_t);

        text = apr_pstrcat(pool, text, apr_pstrmemdup(pool, slice.p, slice.n), NULL);
    }
    for (i = 0; i < dropped->nelts; i++) {
        *list = apr_pstrcat(pool, *list, **list ? "," : "", APR_ARRAY_IDX(dropped, i, const char *),
                            NULL);
    }
    return ai_json_parse(pool, ai_slice_of(text), AI_JSON_DEPTH, &doc, &err) == APR_SUCCESS
               ? text : apr_pstrcat(pool, "no JSON: ", text, NULL);
}

#define NEWER ",\"renames\":{\"max_tokens\":\"max_completion_tokens\"},\"output\":100"
#define ALL_SAMPLING "\"temperature\":0.5,\"top_p\":0.9,\"logprobs\":true,\"x\":1"
#define DEFAULTS "\"temperature\":1.0,\"top_p\":1,\"logprobs\":false,\"top_k\":null,\"x\":1"
#define ENABLED "\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":2048,\"display\":\"omitted\"}"

static const struct {
    const char *record;
    const char *body;
    const char *want;
    const char *dropped;
} rows[] = {
    /* Nothing known, nothing changed. */
    { RECORD(""), "{ \"max_tokens\" : 9999999, \"stop\":[] }",
      "{ \"max_tokens\" : 9999999, \"stop\":[] }", "" },
    /* Limits and names. */
    { RECORD(NEWER), "{\"max_tokens\": 50 ,\"model\":\"m\"}",
      "{\"max_completion_tokens\": 50 ,\"model\":\"m\"}", "" },
    { RECORD(NEWER), "{\"max_tokens\": 5000 }", "{\"max_completion_tokens\": 100 }", "" },
    { RECORD(NEWER), "{\"max_\\u0074okens\":101}", "{\"max_completion_tokens\":100}", "" },
    { RECORD(NEWER), "{\"max_tokens\":5000,\"max_completion_tokens\":50}",
      "{\"max_completion_tokens\":50}", "max_tokens" },
    { RECORD(NEWER), "{\"max_completion_tokens\":5000,\"max_tokens\":null}",
      "{\"max_completion_tokens\":100}", "" },
    { RECORD(NEWER), "{\"max_tokens\":100}", "{\"max_completion_tokens\":100}", "" },
    { RECORD(NEWER), "{\"max_tokens\":\"many\"}", "{\"max_completion_tokens\":\"many\"}", "" },
    { RECORD(",\"output\":100"), "{\"max_output_tokens\":101}", "{\"max_output_tokens\":100}", "" },
    /* What it refuses. */
    { RECORD(",\"refuses\":[\"stop\",\"n\",\"a.b\"]"),
      "{\"stop\":\"x\",\"keep\":1,\"n\":2,\"a\":{\"b\":1,\"c\":2}}",
      "{\"keep\":1,\"a\":{\"c\":2}}", "stop,n,a.b" },
    { RECORD(",\"refuses\":[\"stop\",\"n\",\"a.b\"]"),
      "{\"stop\":null,\"keep\":1,\"n\":1,\"a\":7}", "{\"keep\":1,\"a\":7}", "" },
    { RECORD(",\"refuses\":[\"presence_penalty\",\"frequency_penalty\"]"),
      "{\"presence_penalty\":0,\"frequency_penalty\":0.1}", "{}", "frequency_penalty" },
    /* Sampling. */
    { RECORD(",\"sampling\":\"full\""), "{" ALL_SAMPLING "}", "{" ALL_SAMPLING "}", "" },
    { RECORD(",\"sampling\":\"default_only\""), "{" ALL_SAMPLING "}", "{\"x\":1}",
      "temperature,top_p,logprobs" },
    { RECORD(",\"sampling\":\"default_only\""), "{" DEFAULTS "}", "{\"x\":1}", "" },
    { RECORD(",\"sampling\":\"one_of\""), "{\"top_p\":0.9,\"temperature\":0.5}",
      "{\"temperature\":0.5}", "top_p" },
    { RECORD(",\"sampling\":\"one_of\""), "{\"top_p\":0.9,\"temperature\":null}",
      "{\"top_p\":0.9,\"temperature\":null}", "" },
    { RECORD(",\"sampling\":\"one_of\""), "{\"top_p\":0.9}", "{\"top_p\":0.9}", "" },
    { RECORD(",\"sampling\":\"no_thinking\""), "{\"top_p\":0.9,\"reasoning_effort\":\"none\"}",
      "{\"top_p\":0.9,\"reasoning_effort\":\"none\"}", "" },
    { RECORD(",\"sampling\":\"no_thinking\""), "{\"top_p\":0.9,\"reasoning_effort\":\"low\"}",
      "{\"reasoning_effort\":\"low\"}", "top_p" },
    { RECORD(",\"sampling\":\"no_thinking\""), "{\"top_p\":0.9}", "{}", "top_p" },
    { RECORD(",\"sampling\":\"no_thinking\",\"default_effort\":\"none\""), "{\"top_p\":0.9}",
      "{\"top_p\":0.9}", "" },
    /* Effort. */
    { RECORD(",\"efforts\":[\"low\",\"high\"]"), "{\"reasoning_effort\":\"xhigh\"}",
      "{\"reasoning_effort\":\"high\"}", "reasoning_effort" },
    { RECORD(",\"efforts\":[\"low\",\"high\"]"), "{\"output_config\":{\"effort\":\"max\"}}",
      "{\"output_config\":{\"effort\":\"high\"}}", "output_config.effort" },
    { RECORD(",\"efforts\":[\"low\",\"high\"]"), "{\"reasoning_effort\":\"low\"}",
      "{\"reasoning_effort\":\"low\"}", "" },
    { RECORD(",\"efforts\":[\"low\"]"), "{\"reasoning_effort\":\"huge\"}",
      "{\"reasoning_effort\":\"huge\"}", "" },
    { RECORD(",\"thinking\":[\"none\"]"), "{\"reasoning_effort\":\"low\"}", "{}",
      "reasoning_effort" },
    { RECORD(",\"thinking\":[\"none\"]"), "{\"reasoning_effort\":\"none\"}", "{}", "" },
    { RECORD(",\"refuses\":[\"output_config.effort\"],\"efforts\":[\"low\"]"),
      "{\"output_config\":{\"effort\":\"max\",\"format\":{}}}", "{\"output_config\":{\"format\":{}}}",
      "output_config.effort" },
    /* Thinking, as Anthropic has it. */
    { RECORD(",\"thinking\":[\"none\"]"), "{" ENABLED ",\"x\":1}", "{\"x\":1}", "thinking" },
    { RECORD(",\"thinking\":[\"none\"]"), "{\"thinking\":{\"type\":\"disabled\"}}", "{}", "" },
    { RECORD(",\"thinking\":[\"budget\"]"), "{" ENABLED "}", "{" ENABLED "}", "" },
    { RECORD(",\"thinking\":[\"budget\",\"adaptive\"]"), "{" ENABLED "}", "{" ENABLED "}", "" },
    { RECORD(",\"thinking\":[\"adaptive\"]"), "{" ENABLED "}",
      "{\"thinking\":{\"type\":\"adaptive\",\"display\":\"omitted\"}}", "thinking.budget_tokens" },
    { RECORD(",\"thinking\":[\"budget\"]"), "{\"thinking\":{\"type\":\"adaptive\"}}", "{}",
      "thinking" },
    { RECORD(",\"thinking\":[\"adaptive\",\"always\"]"), "{\"thinking\":{\"type\":\"disabled\"}}",
      "{}", "thinking" },
    { RECORD(",\"thinking\":[\"adaptive\"]"), "{\"thinking\":{\"type\":\"disabled\"}}",
      "{\"thinking\":{\"type\":\"disabled\"}}", "" },
    { RECORD(",\"thinking\":[\"budget\"],\"output\":2000"), "{\"max_tokens\":4000," ENABLED "}",
      "{\"max_tokens\":2000,\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":1999,"
      "\"display\":\"omitted\"}}", "" },
    { RECORD(",\"thinking\":[\"budget\"],\"output\":1024"), "{\"max_tokens\":4000," ENABLED "}",
      "{\"max_tokens\":1024}", "thinking" },
    { RECORD(",\"thinking\":[\"budget\"]"), "{\"thinking\":[\"odd\"]}", "{\"thinking\":[\"odd\"]}",
      "" },
};

static void test_rows(void)
{
    const char *got, *dropped;
    apr_size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const ai_ability_t *ability = ability_of(rows[i].record);

        got = fit(ability, rows[i].body, &dropped);
        is_bytes(got, strlen(got), rows[i].want, strlen(rows[i].want), rows[i].body);
        is_bytes(dropped, strlen(dropped), rows[i].dropped, strlen(rows[i].dropped),
                 "what was dropped");
    }
}

/* A request for one model of OpenAI's goes to another: as the built-in file has it. */
static void test_builtin(void)
{
    const char *wrong, *dropped, *got;
    const ai_models_t *models = ai_models_read(pool, ai_models_builtin(), NULL, &wrong);
    const char *body = "{\"model\":\"gpt-5\",\"max_tokens\":500,\"temperature\":0,\"stop\":[\"\\n\"],"
                       "\"messages\":[{\"role\":\"user\",\"content\":\"temperature\"}]}";
    const char *want = "{\"model\":\"gpt-5\",\"max_completion_tokens\":500,"
                       "\"messages\":[{\"role\":\"user\",\"content\":\"temperature\"}]}";

    got = fit(ai_models_find(models, "openai", "gpt-5"), body, &dropped);
    is_bytes(got, strlen(got), want, strlen(want), "a request for GPT-4o, to GPT-5");
    is_bytes(dropped, strlen(dropped), "temperature,stop", 16, "and what it lost");
    got = fit(ai_models_find(models, "openai", "gpt-4o"), body, &dropped);
    is_bytes(got, strlen(got), body, strlen(body), "the other way it stays as it is");
}

static void test_refuses(void)
{
    const ai_ability_t *a = ability_of(RECORD(NEWER ",\"refuses\":[\"stop\"],"
                                              "\"sampling\":\"default_only\","
                                              "\"thinking\":[\"none\"]"));

    ok(ai_ability_refuses(a, "stop"), "what it refuses");
    ok(ai_ability_refuses(a, "max_tokens"), "what has another name");
    ok(!ai_ability_refuses(a, "max_completion_tokens"), "but not the other name");
    ok(ai_ability_refuses(a, "top_k"), "sampling");
    ok(ai_ability_refuses(a, "reasoning_effort"), "effort where it does not think");
    ok(!ai_ability_refuses(a, "tools"), "nothing else");
    ok(!ai_ability_refuses(ai_models_find(NULL, NULL, NULL), "stop"), "nothing is known");
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    test_rows();
    test_builtin();
    test_refuses();
    apr_pool_destroy(pool);
    apr_terminate();
    return done();
}
