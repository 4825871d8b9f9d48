/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_ai_models.c - is each record read as it stands, each wrong file refused with the place and
 * the reason, and the right record found for a name?
 */
#include <apr_general.h>
#include <apr_strings.h>

#include "ai_models.h"
#include "tap.h"

static apr_pool_t *pool;

#define FROM "\"source\":\"s\",\"date\":\"2026-11-21\""

static const ai_models_t *read_text(const char *text, const ai_models_t *base)
{
    const char *wrong = "nothing was said";
    const ai_models_t *models = ai_models_read(pool, ai_slice_of(text), base, &wrong);

    if (!models || wrong) {
        printf("# %s\n", wrong ? wrong : "a table, and yet no NULL");
    }
    return models;
}

/* A table with a record for each of the patterns in list, which are separated by spaces. */
static const ai_models_t *table_of(const char *list, const ai_models_t *base)
{
    char *last, *match = apr_strtok(apr_pstrdup(pool, list), " ", &last);
    const char *text = "";

    for (; match; match = apr_strtok(NULL, " ", &last)) {
        text = apr_pstrcat(pool, text, *text ? "," : "", "{\"match\":\"", match, "\"," FROM "}", NULL);
    }
    return read_text(apr_pstrcat(pool, "[", text, "]", NULL), base);
}

static void test_all_members(void)
{
    const ai_models_t *models = read_text(
        "[{\"match\":\"Big-*\",\"dialect\":\"openai\",\"context\":1000,\"output\":200,"
        "\"input\":[\"text\",\"pdf\",\"video\"],\"output_modalities\":[\"audio\",\"image\"],"
        "\"sampling\":\"one_of\",\"thinking\":[\"adaptive\",\"always\"],"
        "\"efforts\":[\"none\",\"high\"],\"default_effort\":\"none\","
        "\"forced_tool_with_thinking\":false,\"prefill\":true,\"json_schema\":\"tool\","
        "\"refuses\":[\"stop\",\"a.b\"],\"renames\":{\"max_tokens\":\"max_completion_tokens\"},"
        "\"source\":\"a page\",\"date\":\"2026-11-21\"}]", NULL);
    const ai_ability_t *a = ai_models_find(models, "openai", "BIG-one");

    is_number(ai_models_count(models), 1, "one record");
    ok(a == ai_models_at(models, 0), "it is found, in any case of letters");
    ok(strcmp(a->match, "big-*") == 0 && strcmp(a->dialect, "openai") == 0, "match, dialect");
    ok(a->context == 1000 && a->output == 200, "context, output");
    is_number(a->input, AI_MODEL_TEXT | AI_MODEL_PDF | AI_MODEL_VIDEO, "input");
    is_number(a->written, AI_MODEL_AUDIO | AI_MODEL_IMAGE, "output_modalities");
    is_number(a->sampling, AI_SAMPLING_ONE_OF, "sampling");
    is_number(a->thinking, AI_THINKING_ADAPTIVE | AI_THINKING_ALWAYS, "thinking");
    is_number(a->efforts, 1u << AI_EFFORT_NONE | 1u << AI_EFFORT_HIGH, "efforts");
    is_number(a->default_effort, AI_EFFORT_NONE, "default_effort");
    is_number(a->schema, AI_SCHEMA_TOOL, "json_schema");
    ok(a->forced_tool == 0 && a->prefill == 1, "flags");
    ok(strcmp(a->refuses[0], "stop") == 0 && strcmp(a->refuses[1], "a.b") == 0 && !a->refuses[2],
       "refuses");
    ok(strcmp(a->renames[0], "max_tokens") == 0
       && strcmp(a->renames[1], "max_completion_tokens") == 0 && !a->renames[2], "renames");
    ok(strcmp(a->source, "a page") == 0 && strcmp(a->date, "2026-11-21") == 0, "source, date");
}

static void is_unknown(const ai_ability_t *a, const char *what)
{
    ok(a && *a->match == '\0' && a->context == -1 && a->output == -1 && !a->input && !a->written
       && a->sampling == AI_SAMPLING_UNKNOWN && !a->thinking && !a->efforts
       && a->default_effort == AI_EFFORTS_N && a->schema == AI_SCHEMA_UNKNOWN
       && a->forced_tool == -1 && a->prefill == -1 && !a->refuses[0] && !a->renames[0], "%s", what);
}

static void test_unknown(void)
{
    const ai_models_t *models = table_of("a", NULL);
    char longer[300];

    memset(longer, 'a', sizeof(longer));
    longer[sizeof(longer) - 1] = '\0';
    is_unknown(ai_models_find(models, NULL, "b"), "no record matches");
    is_unknown(ai_models_find(models, NULL, NULL), "no name");
    is_unknown(ai_models_find(models, NULL, ""), "an empty name");
    is_unknown(ai_models_find(models, NULL, "/"), "nothing but a slash");
    is_unknown(ai_models_find(models, NULL, "\xc3\xa4"), "a name beyond ASCII");
    is_unknown(ai_models_find(table_of("a*", NULL), NULL, longer), "a name that is too long");
    is_unknown(ai_models_find(NULL, NULL, "a"), "no table");
    is_unknown(ai_models_find(read_text("[]", NULL), NULL, "a"), "an empty table");
    ok(ai_models_find(models, NULL, "a") == ai_models_at(models, 0), "and one that matches");
}

static void test_match(void)
{
    static const struct {
        const char *patterns;
        const char *name;
        const char *want; /* "" for none */
    } rows[] = {
        { "gpt-4o", "gpt-4o", "gpt-4o" },
        { "gpt-4o", "gpt-4o-mini", "" },
        { "gpt-4o", "gpt-4", "" },
        { "gpt-4o", "my-gpt-4o", "" },
        /* Dates and versions. */
        { "gpt-4o", "gpt-4o-2024-08-06", "gpt-4o" },
        { "gpt-4o", "gpt-4o-2024-08-06x", "" },
        { "gpt-4o", "gpt-4o-2024-08", "" },
        { "gpt-4o gpt-4o-2024-05-13", "gpt-4o-2024-05-13", "gpt-4o-2024-05-13" },
        { "claude-opus-4", "claude-opus-4-20250514", "claude-opus-4" },
        { "claude-opus-4", "claude-opus-4-1", "" },
        { "claude-opus-4", "claude-opus-4-1-20250805", "" },
        { "claude-opus-4 claude-opus-4-1", "claude-opus-4-1-20250805", "claude-opus-4-1" },
        { "claude-opus-4", "claude-opus-4@20250514", "claude-opus-4" },
        { "claude-opus-4", "claude-opus-4-202505140", "" },
        { "claude-3-5-haiku", "claude-3-5-haiku-latest", "claude-3-5-haiku" },
        { "claude-opus-4", "us.anthropic.claude-opus-4-20250514-v1:0", "claude-opus-4" },
        { "claude-opus-4-6", "anthropic.claude-opus-4-6-v1", "claude-opus-4-6" },
        { "gpt-oss-120b", "openai.gpt-oss-120b-1:0", "gpt-oss-120b" },
        { "gpt-oss-120b", "gpt-oss-120b-1", "" },
        { "gpt-oss-120b", "gpt-oss-120b-1:", "" },
        { "gpt-oss-120b", "gpt-oss-120b-v", "" },
        /* What hosts put around it. */
        { "claude-opus-5", "anthropic/claude-opus-5", "claude-opus-5" },
        { "kimi-k2", "accounts/fireworks/models/kimi-k2", "kimi-k2" },
        { "llama-3.3-70b-instruct", "meta-llama/Llama-3.3-70B-Instruct", "llama-3.3-70b-instruct" },
        { "gpt-4.1-mini", "ft:gpt-4.1-mini-2025-04-14:org::id", "gpt-4.1-mini" },
        { "gpt-4.1", "gpt-4.1", "gpt-4.1" },
        { "1", "gpt-4.1", "" },
        { "claude-opus-5", "anthropic/", "" },
        { "host/kimi* kimi-k2", "host/kimi-k2", "host/kimi*" },
        { "h/k* kimi-k2", "h/kimi-k2", "kimi-k2" },
        /* Patterns. */
        { "claude-opus-4-[1-6]*", "claude-opus-4-5-20251101", "claude-opus-4-[1-6]*" },
        { "claude-opus-4-[1-6]*", "claude-opus-4-7", "" },
        { "claude-opus-4-[1-6]*", "claude-opus-4-", "" },
        { "x[a-c0]y", "xby", "x[a-c0]y" },
        { "x[a-c0]y", "x0y", "x[a-c0]y" },
        { "x[a-c0]y", "x-y", "" },
        { "x[a-c0]y", "x", "" },
        { "*-mini", "gpt-9-mini", "*-mini" },
        { "*-mini", "gpt-9-mini-2027-01-01", "*-mini" },
        { "*-mini", "gpt-9-minimal", "" },
        { "[gh]pt*", "hpt-1", "[gh]pt*" },
        { "a*b*c", "a1b2b3c", "a*b*c" },
        { "a*b*c", "a1b2b3", "" },
        { "a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac", "" },
        { "*", "anything", "*" },
        /* The most literal characters win, wherever they stand. */
        { "gpt* gpt-5* gpt-5-m* *", "gpt-5-mini", "gpt-5-m*" },
        { "gpt* gpt-5* gpt-5-m* *", "gpt-5-nano", "gpt-5*" },
        { "gpt* gpt-5* gpt-5-m* *", "o3", "*" },
        { "gpt-5* *t-5-mini", "gpt-5-mini", "*t-5-mini" },
        { "gpt-[0-9]* gpt-*", "gpt-5", "gpt-*" },
    };
    apr_size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const ai_models_t *models = table_of(rows[i].patterns, NULL);
        const ai_ability_t *got = ai_models_find(models, "openai", rows[i].name);

        if (!ok(strcmp(got->match, rows[i].want) == 0, "%s among %s", rows[i].name,
                rows[i].patterns)) {
            printf("# got '%s', want '%s'\n", got->match, rows[i].want);
        }
    }
}

static void test_dialects_and_base(void)
{
    const ai_models_t *base = read_text(
        "[{\"match\":\"m\",\"context\":1," FROM "},"
        " {\"match\":\"m\",\"dialect\":\"openai\",\"context\":2," FROM "},"
        " {\"match\":\"m-long\",\"dialect\":\"anthropic\",\"context\":3," FROM "},"
        " {\"match\":\"other\",\"context\":4," FROM "}]", NULL);
    const ai_models_t *own = read_text("[{\"match\":\"m*\",\"context\":5," FROM "},"
                                       " {\"match\":\"x\",\"dialect\":\"openai\"," FROM "}]", base);

    is_number(ai_models_find(base, "openai", "m")->context, 2, "a dialect's record before another");
    is_number(ai_models_find(base, "anthropic", "m")->context, 1, "and only in that dialect");
    is_number(ai_models_find(base, NULL, "m")->context, 1, "no dialect is given");
    is_number(ai_models_find(base, "openai", "m-long")->context, -1, "another dialect's");
    is_number(ai_models_find(own, "openai", "m")->context, 5, "the own table before the base");
    is_number(ai_models_find(own, "openai", "m-long")->context, 5, "however short its pattern");
    is_number(ai_models_find(own, "openai", "other")->context, 4, "what only the base has");
    is_number(ai_models_count(own), 2, "the base's are not counted");
}

#define ONE(members) "[{\"match\":\"m\"," FROM "," members "}]"
static const struct {
    const char *text;
    const char *say[3];
} wrong_rows[] = {
    { "", { "line 1, byte 1" } },
    { "[\n  {]", { "line 2, byte 4" } },
    { "[{\"match\":\"a\",\"match\":\"b\"}]", { "line 1", "twice" } },
    { "{}", { "must be a list" } },
    { "[1]", { "record 1: must be an object" } },
    { "[{}]", { "record 1: match: is required" } },
    { "[{\"match\":\"m\",\"date\":\"2026-11-21\"}]", { "record 1 (\"m\"): source: is required" } },
    { "[{\"match\":\"m\",\"source\":\"s\"}]", { "(\"m\"): date: is required" } },
    { "[{\"match\":\"a\"," FROM "},{\"match\":\"b\"," FROM ",\"contxt\":1}]",
      { "record 2 (\"b\")", "none of match, dialect, context" } },
    { "[{\"match\":\"a\"," FROM "},{\"match\":\"A\"," FROM "}]",
      { "record 2 (\"a\"): match: record 1" } },
    { "[{\"match\":\"\"," FROM "}]", { "record 1: match: must be a name" } },
    { "[{\"match\":\"a b\"," FROM "}]", { "record 1: match: must be a name" } },
    { "[{\"match\":\"\\u00e4\"," FROM "}]", { "record 1: match: must be a name" } },
    { "[{\"match\":\"a[b\"," FROM "}]", { "record 1: match: must be a name" } },
    { "[{\"match\":\"a]\"," FROM "}]", { "record 1: match: must be a name" } },
    { "[{\"match\":\"a[]\"," FROM "}]", { "record 1: match: must be a name" } },
    { "[{\"match\":\"a[[]\"," FROM "}]", { "record 1: match: must be a name" } },
    { "[{\"match\":\"a[c-b]\"," FROM "}]", { "record 1: match: has a range" } },
    { "[{\"match\":\"a[-b]\"," FROM "}]", { "record 1: match: has a range" } },
    { "[{\"match\":\"a[b-]\"," FROM "}]", { "record 1: match: has a range" } },
    { "[{\"match\":7," FROM "}]", { "record 1: match: must be a name" } },
    { "[{\"match\":\"m\",\"source\":\"\",\"date\":\"2026-11-21\"}]", { "source: must be a string" } },
    { "[{\"match\":\"m\",\"source\":\"a\\nb\",\"date\":\"2026-11-21\"}]", { "source: ", "control" } },
    { "[{\"match\":\"m\",\"source\":\"s\",\"date\":\"2026-13-21\"}]", { "date: must be a day" } },
    { "[{\"match\":\"m\",\"source\":\"s\",\"date\":\"2026-11-32\"}]", { "date: must be a day" } },
    { "[{\"match\":\"m\",\"source\":\"s\",\"date\":\"2026-11-1\"}]", { "date: must be a day" } },
    { "[{\"match\":\"m\",\"source\":\"s\",\"date\":20261121}]", { "date: must be a day" } },
    { ONE("\"context\":0"), { "context: must be a whole number from 1 to 1000000000" } },
    { ONE("\"context\":1.5"), { "context: must be a whole number" } },
    { ONE("\"context\":\"1\""), { "context: must be a whole number" } },
    { ONE("\"context\":null"), { "context: must be a whole number" } },
    { ONE("\"output\":2000000000"), { "output: must be a whole number" } },
    { ONE("\"dialect\":\"\""), { "dialect: must be a string" } },
    { ONE("\"input\":\"text\""), { "input: must be a list", "text, image, pdf, audio, video" } },
    { ONE("\"input\":[]"), { "input: must be a list" } },
    { ONE("\"input\":[\"text\",\"text\"]"), { "input: ", "at most once" } },
    { ONE("\"input\":[\"smell\"]"), { "input: must be a list" } },
    { ONE("\"output_modalities\":[1]"), { "output_modalities: must be a list" } },
    { ONE("\"sampling\":\"half\""), { "sampling: ", "full, one_of, no_thinking, default_only" } },
    { ONE("\"thinking\":[\"none\",\"budget\"]"), { "thinking: ", "beside none" } },
    { ONE("\"thinking\":true"), { "thinking: must be a list", "adaptive" } },
    { ONE("\"efforts\":[\"huge\"]"), { "efforts: must be a list", "xhigh" } },
    { ONE("\"efforts\":[\"low\"],\"default_effort\":\"high\""), { "default_effort: must be one" } },
    { ONE("\"efforts\":[\"low\"],\"thinking\":[\"none\"]"), { "efforts: it does not think" } },
    { ONE("\"default_effort\":\"\""), { "default_effort: must be one of none" } },
    { ONE("\"forced_tool_with_thinking\":0"), { "with_thinking: must be true or false" } },
    { ONE("\"prefill\":\"yes\""), { "prefill: must be true or false" } },
    { ONE("\"json_schema\":\"\""), { "json_schema: must be one of native, tool" } },
    { ONE("\"refuses\":{}"), { "refuses: must be a list of names" } },
    { ONE("\"refuses\":[\"a b\"]"), { "refuses: must hold names" } },
    { ONE("\"refuses\":[\"a.b.c\"]"), { "refuses: must hold names" } },
    { ONE("\"refuses\":[\".a\"]"), { "refuses: must hold names" } },
    { ONE("\"refuses\":[\"a.\"]"), { "refuses: must hold names" } },
    { ONE("\"refuses\":[\"top_p\"]"), { "refuses: must not hold top_p", "sampling" } },
    { ONE("\"renames\":[]"), { "renames: must be an object" } },
    { ONE("\"renames\":{\"a\":1}"), { "renames: must hold names" } },
    { ONE("\"renames\":{\"a\":\"a\"}"), { "renames: must give" } },
    { ONE("\"renames\":{\"a.b\":\"c\"}"), { "renames: must give" } },
    { ONE("\"renames\":{\"a\":\"b\\\"\"}"), { "renames: must hold names" } },
};

static void test_wrong(void)
{
    const char *wrong;
    apr_size_t i, k;

    for (i = 0; i < sizeof(wrong_rows) / sizeof(wrong_rows[0]); i++) {
        wrong = NULL;
        ok(!ai_models_read(pool, ai_slice_of(wrong_rows[i].text), NULL, &wrong), "refused: %s",
           *wrong_rows[i].text ? wrong_rows[i].text : "an empty file");
        for (k = 0; k < 3 && wrong_rows[i].say[k]; k++) {
            if (!ok(wrong && strstr(wrong, wrong_rows[i].say[k]) != NULL, "says %s", wrong_rows[i].say[k])) {
                printf("# got %s\n", wrong ? wrong : "nothing");
            }
        }
    }
}

static void test_bounds(void)
{
    char *text = apr_palloc(pool, AI_MODELS_SIZE + 2);
    const char *wrong = NULL;
    apr_size_t n = 1;
    int i;

    memset(text, ' ', AI_MODELS_SIZE + 1);
    text[0] = '[';
    text[AI_MODELS_SIZE - 1] = ']';
    ok(ai_models_read(pool, (ai_slice_t){ text, AI_MODELS_SIZE }, NULL, &wrong) != NULL,
       "a file of the greatest length");
    ok(!ai_models_read(pool, (ai_slice_t){ text, AI_MODELS_SIZE + 1 }, NULL, &wrong)
       && strstr(wrong, "longer than 4194304 bytes"), "one byte more");
    for (i = 0; i <= AI_MODELS_RECORDS; i++) {
        n += (apr_size_t)apr_snprintf(text + n, 8, "%s{}", i ? "," : "");
    }
    text[n++] = ']';
    ok(!ai_models_read(pool, (ai_slice_t){ text, n }, NULL, &wrong)
       && strstr(wrong, "more than 10000 records"), "one record too many");
}

static void test_words(void)
{
    const ai_models_t *models =
        read_text("[{\"match\":\"m\",\"efforts\":[\"low\",\"high\",\"xhigh\"]," FROM "}]", NULL);
    const ai_ability_t *a = ai_models_find(models, NULL, "m");
    int effort;

    for (effort = 0; effort < AI_EFFORTS_N; effort++) {
        const char *word = ai_effort_word((ai_effort_e)effort);

        ok(ai_effort_of(ai_slice_of(word)) == (ai_effort_e)effort, "%s there and back", word);
    }
    ok(ai_effort_of(AI_SLICE("huge")) == AI_EFFORTS_N, "no word");
    is_number(ai_ability_effort(a, AI_EFFORT_NONE), AI_EFFORT_LOW, "none: the lowest");
    is_number(ai_ability_effort(a, AI_EFFORT_MEDIUM), AI_EFFORT_LOW, "medium: rather lower");
    is_number(ai_ability_effort(a, AI_EFFORT_HIGH), AI_EFFORT_HIGH, "high: itself");
    is_number(ai_ability_effort(a, AI_EFFORT_MAX), AI_EFFORT_XHIGH, "max: the highest");
    a = ai_models_find(models, NULL, "unknown");
    is_number(ai_ability_effort(a, AI_EFFORT_MAX), AI_EFFORT_MAX, "not known: itself");
}

/* The file that is built in: what it says must be possible. */
static void test_builtin(void)
{
    const char *wrong = NULL;
    const ai_models_t *models = ai_models_read(pool, ai_models_builtin(), NULL, &wrong);
    const ai_ability_t *a;
    int i, bad = 0;

    if (!ok(models != NULL, "the built-in file reads: %s", wrong ? wrong : "")) {
        return;
    }
    ok(ai_models_count(models) > 100, "it has records");
    for (i = 0; i < ai_models_count(models); i++) {
        a = ai_models_at(models, i);
        if ((a->context != -1 && (a->context < 2048 || a->context > 20000000))
            || (a->output != -1 && (a->output < 1024 || a->output > 1000000))
            || (a->output != -1 && a->context != -1 && a->output > a->context)
            || strcmp(a->date, "2026-01-01") < 0 || strlen(a->source) < 5
            || (a->input && !(a->input & AI_MODEL_TEXT))
            || strcspn(a->match, "*[") < 1
            || (i > 0 && strcmp(ai_models_at(models, i - 1)->match, a->match) > 0)) {
            printf("# %s is not plausible or out of order\n", a->match);
            bad++;
        }
        if (!strpbrk(a->match, "*[")
            && ai_models_find(models, a->dialect, a->match) != a) {
            printf("# %s is not found by its own name\n", a->match);
            bad++;
        }
    }
    is_number(bad, 0, "each is plausible, has its place, and is found");
    a = ai_models_find(models, "anthropic", "us.anthropic.claude-opus-4-1-20250805-v1:0");
    ok(a->output == 32000 && a->sampling == AI_SAMPLING_ONE_OF, "Claude Opus 4.1");
    a = ai_models_find(models, "anthropic", "claude-opus-4-8");
    ok(a->sampling == AI_SAMPLING_DEFAULT_ONLY && a->prefill == 0
       && !(a->thinking & AI_THINKING_BUDGET), "Claude Opus 4.8");
    a = ai_models_find(models, "openai", "gpt-5-mini-2025-08-07");
    ok(a->output == 128000 && ai_ability_refuses(a, "max_tokens") && ai_ability_refuses(a, "stop"),
       "GPT-5 mini");
    a = ai_models_find(models, "openai", "gpt-4o-2024-05-13");
    ok(a->output == 4096 && !ai_ability_refuses(a, "max_tokens"), "the first GPT-4o");
    a = ai_models_find(models, "openai", "gpt-7-turbo");
    ok(a->context == -1 && ai_ability_refuses(a, "max_tokens"), "a model that is not there yet");
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    test_all_members();
    test_unknown();
    test_match();
    test_dialects_and_base();
    test_wrong();
    test_bounds();
    test_words();
    test_builtin();
    apr_pool_destroy(pool);
    apr_terminate();
    return done();
}
