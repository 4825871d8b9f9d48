/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_ai_price_book.c - is each entry read as it stands, is what is wrong told and left out, and is
 * the right entry found for a model at a target?
 */
#include <apr_general.h>
#include <apr_strings.h>

#include "ai_price.h"
#include "ai_when.h"
#include "tap.h"

static apr_pool_t *pool;
static apr_array_header_t *odd;

static const ai_price_book_t *read_text(const char *text, const ai_price_book_t *base)
{
    const char *wrong = "nothing was said";
    const ai_price_book_t *book;

    odd = apr_array_make(pool, 1, sizeof(const char *));
    book = ai_price_read(pool, ai_slice_of(text), "dir file.json", base, odd, &wrong);
    if (!book || wrong) {
        printf("# %s\n", wrong ? wrong : "a book, and yet no NULL");
    }
    return book;
}

/* A book with an entry for each of the names in list, separated by spaces; each says its provider
 * behind a '!'. */
static const ai_price_book_t *book_of(const char *name, const char *list,
                                      const ai_price_book_t *base)
{
    char *last, *key = apr_strtok(apr_pstrdup(pool, list), " ", &last);
    const char *text = "", *wrong;

    for (; key; key = apr_strtok(NULL, " ", &last)) {
        char *provider = strchr(key, '!');

        if (provider) {
            *provider++ = '\0';
        }
        text = apr_pstrcat(pool, text, *text ? "," : "", "\"", key, "\":{\"input_cost_per_token\":1e-6,"
                           "\"output_cost_per_token\":1e-6", provider ? ",\"litellm_provider\":\"" : "",
                           provider ? provider : "", provider ? "\"" : "", "}", NULL);
    }
    text = apr_pstrcat(pool, "{", text, "}", NULL);
    return ai_price_read(pool, ai_slice_of(text), name, base, NULL, &wrong);
}

/* -------------------------------------------------------------------------- reading */

static void test_members(void)
{
    const ai_price_book_t *book = read_text(
        "{\"sample_spec\":{\"input_cost_per_token\":\"text\"},"
        "\"Big/Model\":{\"litellm_provider\":\"x\",\"mode\":\"chat\",\"source\":\"a page\",\"date\":\"2026-11-21\","
        "\"input_cost_per_token\":1e-6,\"cache_read_input_token_cost\":2e-7,"
        "\"cache_creation_input_token_cost\":3e-6,\"cache_creation_input_token_cost_above_1hr\":4e-6,"
        "\"input_cost_per_audio_token\":5e-6,\"input_cost_per_image_token\":6e-6,"
        "\"output_cost_per_token\":7e-6,\"output_cost_per_reasoning_token\":8e-6,"
        "\"output_cost_per_audio_token\":9e-6,\"output_cost_per_image_token\":10e-6,"
        "\"input_cost_per_request\":0.01,\"output_cost_per_token_batches\":1e-9,"
        "\"cache_creation_input_token_cost_above_1hr_above_200k_tokens\":11e-6,"
        "\"input_cost_per_token_above_1_tokens\":null,\"supports_x\":true,\"max_tokens\":\"many\","
        "\"input_cost_per_token_of_nobody\":\"x\",\"input_cost_per_token_decisions\":9}}", NULL);
    const ai_price_t *price = ai_price_at(book, 0);
    static const int want[AI_RATES_N] = { 1000000, 200000, 3000000, 4000000, 4000000, 5000000,
                                          6000000, 7000000, 8000000, 9000000, 10000000 };
    int i, bad = 0;

    is_number(ai_price_count(book), 1, "one entry: the sample is none");
    is_number(odd->nelts, 0, "nothing is odd");
    ok(strcmp(price->key, "big/model") == 0, "its name, in lower case");
    ok(strcmp(price->origin, "file:big/model@2026-11-21") == 0,
       "where it is from; a file's name with a space is not told");
    ok(strcmp(price->source, "a page") == 0 && strcmp(price->provider, "x") == 0, "source, provider");
    is_number(price->n, 4, "the standard class and batches, each with the threshold");
    for (i = 0; i < AI_RATES_N; i++) {
        bad += price->lines[0].rate[i] != want[i];
    }
    is_number(bad, 0, "all rates");
    ok(price->lines[1].above == 200000 && price->lines[1].rate[AI_RATE_WRITTEN_1H] == 11000000
       && price->lines[1].rate[AI_RATE_PROMPT] == 1000000, "a threshold changes what it names alone");
    ok(price->lines[2].service == AI_SERVICE_BATCH
       && price->lines[2].rate[AI_RATE_COMPLETION] == 1000
       && price->lines[2].rate[AI_RATE_PROMPT] == 1000000, "a class, too");
    is_number(price->unit[AI_UNIT_REQUEST], APR_INT64_C(10000000000), "each request");
}

/* What is not said is what it is charged as. */
static void test_missing(void)
{
    const ai_price_t *price = ai_price_at(read_text(
        "{\"m\":{\"input_cost_per_token\":1e-6,\"output_cost_per_token\":2e-6}}", NULL), 0);
    const ai_price_t *image = ai_price_at(read_text(
        "{\"m\":{\"input_cost_per_token\":1e-6,\"output_cost_per_image_token\":4e-5}}", NULL), 0);
    int i, bad = 0;

    for (i = 0; i < AI_RATES_N; i++) {
        bad += price->lines[0].rate[i] != (i < AI_RATE_COMPLETION ? 1000000 : 2000000);
    }
    is_number(bad, 0, "cached and written tokens as others, reasoning as the answer");
    is_number(image->lines[0].rate[AI_RATE_COMPLETION], 40000000, "who writes pictures alone");
}

static void test_tiers(void)
{
    const ai_price_t *price = ai_price_at(read_text(
        "{\"m\":{\"tiered_pricing\":[{\"range\":[256000.0,1000000.0],\"input_cost_per_token\":2e-6,"
        "\"output_cost_per_token\":3e-6},{\"range\":[0,256000.0],\"input_cost_per_token\":1e-6,"
        "\"cache_read_input_token_cost\":1e-7,\"output_cost_per_token\":1e-6}]}}", NULL), 0);
    const ai_price_t *searches = ai_price_at(read_text(
        "{\"m\":{\"input_cost_per_query\":0.005,\"tiered_pricing\":[{\"max_results_range\":[0,25],"
        "\"input_cost_per_query\":0.005}]}}", NULL), 0);

    is_number(price->n, 2, "two tiers");
    ok(price->lines[0].above == 0 && price->lines[1].above == 256000, "by their size");
    is_number(price->lines[1].rate[AI_RATE_CACHED], 2000000, "each says all of its own");
    ok(!searches->odd && searches->n == 0
       && searches->unit[AI_UNIT_SEARCH] == APR_INT64_C(5000000000), "tiers of something else");
}

static void is_odd(const char *entry, const char *want)
{
    const ai_price_book_t *base = book_of("base", "m", NULL);
    const ai_price_book_t *book = read_text(apr_pstrcat(pool, "{\"m\":", entry, "}", NULL), base);
    ai_price_ask_t ask = { NULL, NULL, "m", 0, NULL };
    const char *got = book && odd->nelts == 1 ? APR_ARRAY_IDX(odd, 0, const char *) : "";

    if (!ok(strstr(got, want) && strncmp(got, "\"m\": ", 5) == 0, "%s: %s", entry, want)) {
        printf("# got %s\n", got);
    }
    ok(!ai_price_find(book, &ask), "and what is built in is no price then, either");
}

static void test_odd(void)
{
    is_odd("1", "must be an object");
    is_odd("[]", "must be an object");
    is_odd("{\"input_cost_per_token\":\"1e-6\"}", "input_cost_per_token: must be a number from 0 to 1000");
    is_odd("{\"input_cost_per_token\":-1e-6}", "input_cost_per_token: must be");
    is_odd("{\"input_cost_per_token\":1001}", "input_cost_per_token: must be");
    is_odd("{\"output_cost_per_token\":true}", "output_cost_per_token: must be");
    is_odd("{\"output_cost_per_token\":{}}", "output_cost_per_token: must be");
    is_odd("{\"cache_read_input_token_cost_above_200k_tokens_flex\":[]}", "_200k_tokens_flex: must be");
    is_odd("{\"search_context_cost_per_query\":{\"a\":\"b\"}}", "search_context_cost_per_query: must be");
    is_odd("{\"search_context_cost_per_query\":{\"a\":{\"b\":1}}}", "search_context_cost_per_query: must be");
    is_odd("{\"tiered_pricing\":{}}", "tiered_pricing: must be a list");
    is_odd("{\"tiered_pricing\":[1]}", "tiered_pricing: must be a list of objects with a range");
    is_odd("{\"tiered_pricing\":[{\"range\":[\"a\"]}]}", "tiered_pricing: must be");
    is_odd("{\"tiered_pricing\":[{\"range\":[-1]}]}", "tiered_pricing: must be");
    is_odd("{\"tiered_pricing\":[{\"range\":[1],\"input_cost_per_token\":\"x\"}]}",
           "tiered_pricing: input_cost_per_token: must be");
    is_odd("{\"tiered_pricing\":[{\"range\":[1]},{\"range\":[1]}]}", "two of the same range");
}

static void test_odd_names(void)
{
    const ai_price_book_t *book = read_text("{\"a\":{\"input_cost_per_token\":1},\"A\":{},\"\":{},"
                                            "\"b c\":{},\"d\\u0000\":{},\"\\u00e4\":{}}", NULL);

    is_number(ai_price_count(book), 1, "entries whose names cannot be are left out");
    is_number(odd->nelts, 5, "and told of");
    ok(strstr(APR_ARRAY_IDX(odd, 0, const char *), "case of letters") != NULL, "twins but for case");
    ok(strcmp(APR_ARRAY_IDX(odd, 2, const char *), "entry behind \"a\": its name must have 1 to 200 printable "
              "characters, without space, '\"' and '\\'") == 0, "one without a name: by its place");
}

static const char *many(int n, const char *form)
{
    apr_array_header_t *all = apr_array_make(pool, n, sizeof(const char *));
    int i;

    for (i = 1; i <= n; i++) {
        APR_ARRAY_PUSH(all, const char *) = apr_psprintf(pool, form, i);
    }
    return apr_array_pstrcat(pool, all, ',');
}

static void test_whole(void)
{
    static const struct {
        const char *text;
        const char *wrong;
    } files[] = {
        { "", "line 1, byte 1" },
        { "[]", "it must be an object" },
        { "{\n \"a\":{},\n \"a\":{}}", "line 3, byte 2" },
        { "{\"a\":{\"b\":1,\"b\":2}}", "line 1" },
        { "{\"a\":{\"input_cost_per_token\":NaN}}", "line 1" },
    };
    const char *wrong;
    apr_size_t i;
    char *text;

    for (i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        wrong = NULL;
        ok(!ai_price_read(pool, ai_slice_of(files[i].text), "f", NULL, NULL, &wrong) && wrong
           && strstr(wrong, files[i].wrong), "'%s': %s", files[i].text, files[i].wrong);
    }
    text = apr_palloc(pool, AI_PRICE_SIZE + 1);
    memset(text, ' ', AI_PRICE_SIZE + 1);
    text[0] = '{';
    text[AI_PRICE_SIZE - 1] = '}';
    ok(ai_price_read(pool, (ai_slice_t){ text, AI_PRICE_SIZE }, "f", NULL, NULL, &wrong) != NULL,
       "the longest file");
    ok(!ai_price_read(pool, (ai_slice_t){ text, AI_PRICE_SIZE + 1 }, "f", NULL, NULL, &wrong)
       && strstr(wrong, "longer than 16777216"), "one that is longer");
    ok(!ai_price_read(pool, ai_slice_of(apr_pstrcat(pool, "{", many(AI_PRICE_ENTRIES + 1, "\"m%d\":0"),
                                                    "}", NULL)), "f", NULL, NULL, &wrong)
       && strstr(wrong, "more than 50000 entries"), "too many entries");
    is_odd(apr_pstrcat(pool, "{", many(64, "\"input_cost_per_token_above_%d_tokens\":1e-6"), "}", NULL),
           "more than 64 thresholds");
}

/* -------------------------------------------------------------------------- finding */

static void finds(const ai_price_book_t *book, const char *target, const char *provider,
                  const char *model, const char *want)
{
    ai_price_ask_t ask = { target, provider, model, 0, NULL };
    const ai_price_t *price = ai_price_find(book, &ask);

    if (!ok(price ? want && strcmp(price->origin, want) == 0 : !want, "%s of %s at %s: %s", model,
            provider ? provider : "anybody", target ? target : "any target", want ? want : "none")) {
        printf("# got %s\n", price ? price->origin : "none");
    }
}

static void test_order(void)
{
    const ai_price_book_t *built = book_of("b", "gpt-4o!openai gpt-4o-mini!openai claude-x!anthropic "
                                           "groq/llama!groq mistral/large!mistral old!text-completion-openai "
                                           "ft:gpt-4o-2024-08-06!openai near/gpt-4o", NULL);
    const ai_price_book_t *book = book_of("f", "gpt-4o-mini x/y/z z bedrock.a-v1:0!bedrock_converse "
                                          "deepseek", built);

    finds(book, NULL, NULL, "gpt-4o", "b:gpt-4o");
    finds(book, NULL, NULL, "GPT-4o", "b:gpt-4o");
    finds(book, "near", NULL, "gpt-4o", "b:near/gpt-4o");
    finds(book, "near", "openai", "gpt-4o", "b:near/gpt-4o");
    finds(book, "Near", NULL, "gpt-4o", "b:near/gpt-4o");
    finds(book, "far", NULL, "gpt-4o", "b:gpt-4o");
    finds(book, NULL, "openai", "gpt-4o-mini", "f:gpt-4o-mini");
    finds(book, NULL, "groq", "llama", "b:groq/llama");
    finds(book, NULL, NULL, "llama", NULL);
    finds(book, NULL, "groq", "gpt-4o", NULL);
    finds(book, NULL, "openai", "claude-x", NULL);
    finds(book, NULL, NULL, "claude-x", "b:claude-x");
    finds(book, NULL, "groq", "gpt-4o-mini", "f:gpt-4o-mini");
    finds(book, NULL, "openai", "old", "b:old");
    finds(book, NULL, "bedrock", "bedrock.a-v1:0", "f:bedrock.a-v1:0");
    finds(book, NULL, NULL, "x/y/z", "f:x/y/z");
    finds(book, NULL, NULL, "a/b/z", "f:z");
    finds(book, NULL, NULL, "openai/gpt-4o", "b:gpt-4o");
    finds(book, NULL, "openrouter", "openai/gpt-4o", NULL);
    finds(book, NULL, NULL, "groq/llama", "b:groq/llama");
    finds(book, NULL, NULL, "gpt-4o-2024-08-06", "b:gpt-4o");
    finds(book, NULL, NULL, "gpt-4o-latest", "b:gpt-4o");
    finds(book, NULL, NULL, "claude-x@20250929", "b:claude-x");
    finds(book, NULL, NULL, "claude-x-20250929-v1:0", "b:claude-x");
    finds(book, NULL, NULL, "gpt-4o-mini-2024-07-18", "f:gpt-4o-mini");
    finds(book, NULL, NULL, "gpt-4o-audio", NULL);
    finds(book, NULL, NULL, "deepseek-v3", NULL);
    finds(book, NULL, NULL, "ft:gpt-4o-2024-08-06:org::id", "b:ft:gpt-4o-2024-08-06");
    finds(book, NULL, NULL, "ft:gpt-4o:org::id", NULL);
    finds(book, NULL, NULL, "", NULL);
    finds(book, NULL, NULL, "/", NULL);
    finds(book, NULL, NULL, "a/", NULL);
    finds(book, NULL, NULL, apr_pstrcat(pool, many(100, "a%d"), "/z", NULL), NULL);
    finds(NULL, NULL, NULL, "gpt-4o", NULL);
    finds(book, NULL, NULL, NULL, NULL);
}

static void test_providers(void)
{
    static const struct {
        const char *host;
        const char *provider;
    } hosts[] = {
        { "api.openai.com", "openai" }, { "API.OpenAI.com", "openai" }, { "eu.api.openai.com", "openai" },
        { "xapi.openai.com", NULL }, { "api.openai.com.example", NULL }, { "openai.com", NULL },
        { "mine.openai.azure.com", "azure" }, { ".openai.azure.com", "azure" }, { "openai.azure.com", NULL },
        { "bedrock-runtime.eu-west-1.amazonaws.com", "bedrock" }, { "bedrock-runtime.amazonaws.com", NULL },
        { "europe-west1-aiplatform.googleapis.com", "vertex_ai" }, { "api.anthropic.com", "anthropic" },
        { "127.0.0.1", NULL }, { "", NULL }, { NULL, NULL },
    };
    apr_size_t i;

    for (i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        const char *got = ai_price_provider(hosts[i].host);

        ok(got ? hosts[i].provider && strcmp(got, hosts[i].provider) == 0 : !hosts[i].provider,
           "%s is %s", hosts[i].host ? hosts[i].host : "nothing",
           hosts[i].provider ? hosts[i].provider : "nobody's");
    }
}

/* ----------------------------------------------------------------- what a target says */

static const char *add(apr_array_header_t *own, const char *words)
{
    char **argv;
    int argc = 0;

    apr_tokenize_to_argv(words, &argv, pool);
    while (argv[argc]) {
        argc++;
    }
    return ai_price_own(pool, argc, (const char *const *)argv, own);
}

static void test_own(void)
{
    apr_array_header_t *own = apr_array_make(pool, 2, sizeof(ai_price_t));
    const ai_price_book_t *book = book_of("b", "gpt-4o other", NULL);
    ai_price_ask_t ask = { NULL, NULL, "GPT-4o", 0, own };
    const ai_price_t *price;
    apr_time_t day;
    int i, bad = 0;

    for (i = 0; i < 5; i++) {
        static const char *const lines[] = {
            "gpt-4o* input=3 output=4 not-before=2026-12-01",
            "GPT-4o* input=2.50 output=10 cached=1.25 written=3 written-1h=5 reasoning=11 request=0.01",
            "gpt-4o* input=5 output=6 not-before=2027-01-01T12:00:00Z",
            "gpt-4? input=7 output=7", "late output=1 not-before=2027-01-01",
        };
        const char *wrong = add(own, lines[i]);

        bad += wrong != NULL;
        printf("# %s\n", wrong ? wrong : lines[i]);
    }
    is_number(bad, 0, "what is right is taken");
    ai_when_read("2026-11-21", &ask.when);
    price = ai_price_find(book, &ask);
    ok(price && strcmp(price->origin, "AITargetPrice:gpt-4o*") == 0, "the first that has begun");
    ok(price && price->lines[0].rate[AI_RATE_PROMPT] == 2500000
       && price->lines[0].rate[AI_RATE_CACHED] == 1250000
       && price->lines[0].rate[AI_RATE_WRITTEN_1H] == 5000000
       && price->lines[0].rate[AI_RATE_REASONING] == 11000000
       && price->unit[AI_UNIT_REQUEST] == APR_INT64_C(10000000000), "as it says");
    ai_when_read("2026-12-01", &day);
    ask.when = day - 1;
    price = ai_price_find(book, &ask);
    ok(price && price->not_before == 0, "a microsecond before the day: the old one");
    ask.when = day;
    price = ai_price_find(book, &ask);
    ok(price && strcmp(price->origin, "AITargetPrice:gpt-4o*@2026-12-01T00:00:00Z") == 0,
       "from the day on: the new one");
    ai_when_read("2027-06-01", &ask.when);
    price = ai_price_find(book, &ask);
    ok(price && price->lines[0].rate[AI_RATE_PROMPT] == 5000000, "then the one after that");
    ask.model = "other";
    price = ai_price_find(book, &ask);
    ok(price && strcmp(price->origin, "b:other") == 0, "what no pattern matches is in the book");
    ask.model = "late";
    ask.when = day;
    ok(!ai_price_find(book, &ask), "what has not begun is none");
}

static void test_own_wrong(void)
{
    static const struct {
        const char *words;
        const char *wrong;
    } lines[] = {
        { "", "needs a model" }, { "m", "needs a model, and one or more of input, cached" },
        { "m input", "is none of input" }, { "m prompt=1", "'prompt=1' is none of" },
        { "m input=x", "input=x: must be USD a million tokens" }, { "m input=-1", "must be USD" },
        { "m input=", "must be USD" }, { "m input=1 input=2", "input: is said twice" },
        { "m input=1000000001", "to 1000000000" }, { "m request=1001", "each, a number from 0 to 1000" },
        { "m cached=1", "says no price" }, { "m not-before=2026-12-01", "says no price" },
        { "m input=1 not-before=2026-13-01", "is no day" }, { "m input=1 not-before=", "is no day" },
        { "m input=1 not-before=2026-12-01 not-before=2026-12-02", "said twice" },
        { "m[ab] input=1", "without '['" }, { "input=1 output=2", "the model must have" },
        { "M input=2", "there is one already" },
    };
    apr_array_header_t *own = apr_array_make(pool, 2, sizeof(ai_price_t));
    apr_size_t i;

    ok(!add(own, "m input=1"), "one that is right");
    for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        const char *wrong = add(own, lines[i].words);

        if (!ok(wrong && strstr(wrong, lines[i].wrong), "'%s': %s", lines[i].words, lines[i].wrong)) {
            printf("# got %s\n", wrong ? wrong : "nothing");
        }
    }
    is_number(own->nelts, 1, "what is wrong adds nothing");
}

/* ------------------------------------------------------------------- what is built in */

static void test_builtin(void)
{
    static const struct {
        const char *model;
        int rate[4]; /* input, cached, written, output: thousandths of USD a million tokens */
    } pages[] = {
        /* developers.openai.com/api/docs/pricing, as guides of June 2026 cite it */
        { "gpt-4o", { 2500, 1250, 2500, 10000 } },
        { "gpt-4o-mini", { 150, 75, 150, 600 } },
        /* platform.claude.com/docs/about-claude/models/whats-new-opus-5 */
        { "claude-opus-5", { 5000, 500, 6250, 25000 } },
        { "claude-opus-5-5", { 4000, 200, 5000, 20000 } },
    };
    static const ai_rate_e rates[] = { AI_RATE_PROMPT, AI_RATE_CACHED, AI_RATE_WRITTEN,
                                       AI_RATE_COMPLETION };
    const char *wrong;
    const ai_price_book_t *book;
    int i, k, bad = 0;

    odd = apr_array_make(pool, 1, sizeof(const char *));
    book = ai_price_read(pool, ai_price_builtin(), AI_PRICE_BUILTIN, NULL, odd, &wrong);
    ok(book && ai_price_count(book) > 100 && odd->nelts == 0, "it is read, and nothing in it is odd");
    for (i = 0; i < ai_price_count(book); i++) {
        const ai_price_t *price = ai_price_at(book, i);

        bad += price->odd || !price->source || !price->provider || !strchr(price->origin, '@');
    }
    is_number(bad, 0, "each entry has a price, a provider, a source and a date");
    for (i = 0; i < (int)(sizeof(pages) / sizeof(pages[0])); i++) {
        ai_price_ask_t ask = { NULL, NULL, pages[i].model, 0, NULL };
        const ai_price_t *price = ai_price_find(book, &ask);

        for (k = 0, bad = 0; k < 4; k++) {
            bad += !price || price->lines[0].rate[rates[k]] != pages[i].rate[k] * APR_INT64_C(1000);
        }
        ok(!bad, "%s costs what its maker's page says", pages[i].model);
    }
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    test_members();
    test_missing();
    test_tiers();
    test_odd();
    test_odd_names();
    test_whole();
    test_order();
    test_providers();
    test_own();
    test_own_wrong();
    test_builtin();
    return done();
}
