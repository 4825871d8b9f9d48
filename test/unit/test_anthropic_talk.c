/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_anthropic_talk.c - is a request to Anthropic's API read right, and one for it written right?
 *
 * The cases are data/anthropic/talks.json: a request as a caller wrote it, for a model of which
 * something is known, and what Anthropic gets; or the field that is refused.
 */
#include "translate_frame.h"

extern const ai_dialect_t ai_dialect_anthropic;
extern const ai_dialect_t ai_dialect_openai;

/* What is known of a model, by the case's word for it. */
static const ai_ability_t *ability_of(const char *word)
{
    static ai_ability_t ability;

    ability = translate_unknown;
    if (!word) {
        return &ability;
    }
    if (strstr(word, "adaptive")) {
        ability.thinking |= AI_THINKING_ADAPTIVE;
    }
    if (strstr(word, "budget")) {
        ability.thinking |= AI_THINKING_BUDGET;
    }
    if (strstr(word, "always")) {
        ability.thinking |= AI_THINKING_ALWAYS;
    }
    if (strstr(word, "unthinking")) {
        ability.thinking = AI_THINKING_NONE;
    }
    if (strstr(word, "effort")) {
        ability.efforts = 1u << AI_EFFORT_LOW | 1u << AI_EFFORT_MEDIUM | 1u << AI_EFFORT_HIGH;
    }
    ability.sampling = strstr(word, "sampling-full")      ? AI_SAMPLING_FULL
                       : strstr(word, "sampling-one")     ? AI_SAMPLING_ONE_OF
                       : strstr(word, "sampling-default") ? AI_SAMPLING_DEFAULT_ONLY
                                                          : AI_SAMPLING_UNKNOWN;
    ability.schema = strstr(word, "schema-tool")     ? AI_SCHEMA_TOOL
                     : strstr(word, "schema-native") ? AI_SCHEMA_NATIVE
                                                     : AI_SCHEMA_UNKNOWN;
    ability.output = strstr(word, "output-8192") ? 8192 : -1;
    ability.input = strstr(word, "blind") ? AI_MODEL_TEXT : 0;
    ability.prefill = strstr(word, "prefill-no") ? 0 : -1;
    ability.forced_tool = strstr(word, "forced-yes") ? 1 : -1;
    return &ability;
}

static void run_case(struct json_object *test)
{
    const char *what = translate_member(test, "what"), *param = translate_member(test, "refused");
    const char *from = translate_member(test, "from"), *lost = translate_member(test, "lost");
    const ai_dialect_t *caller =
        from && strcmp(from, "openai") == 0 ? &ai_dialect_openai : &ai_dialect_anthropic;
    struct json_object *in, *want;
    const ai_error_t *error = NULL;
    const char *got = NULL;
    ai_sent_t sent = { NULL };
    ai_talk_t *talk;

    json_object_object_get_ex(test, "in", &in);
    talk = translate_read(caller, translate_plain(in), &error);
    if (talk) {
        got = translate_write(&ai_dialect_anthropic, talk,
                              ability_of(translate_member(test, "model")), &sent, &error);
    }
    if (param) {
        ok(error && error->status == 400 && error->param && strcmp(error->param, param) == 0
               && error->message && strlen(error->message) > 20,
           "%s: refused", what);
        if (error) {
            printf("# %s: %s\n", error->param, error->message);
        }
        return;
    }
    if (!ok(got != NULL, "%s: taken", what)) {
        printf("# %s: %s\n", error->param, error->message);
        return;
    }
    json_object_object_get_ex(test, "out", &want);
    ok(translate_same(got, translate_plain(want)), "%s: as it is sent", what);
    got = translate_lost(sent.lost);
    lost = lost ? lost : "";
    is_bytes(got, strlen(got), lost, strlen(lost), "  and what is lost of it");
}

static void run_cases(void)
{
    struct json_object *all = json_tokener_parse(translate_text(frame_load("talks.json")));
    size_t i, n = all ? json_object_array_length(all) : 0;

    for (i = 0; i < n; i++) {
        run_case(json_object_array_get_idx(all, i));
    }
    ok(n > 60, "there are cases");
    json_object_put(all);
}

/* Parts in short: the role's letter, * where a message opens, the kind, > inside a result. */
static const char *show_parts(const ai_talk_t *talk)
{
    static const char *const kinds[] = { "text", "refusal", "image", "file", "audio", "thinking",
                                         "redacted", "call", "result" };
    const char *text = "";
    int i;

    for (i = 0; i < talk->parts->nelts; i++) {
        const ai_part_t *part = &APR_ARRAY_IDX(talk->parts, i, ai_part_t);

        text = apr_pstrcat(pool, text, *text ? " " : "", part->opens ? "*" : "",
                           part->role == AI_ROLE_SYSTEM ? "s:"
                           : part->role == AI_ROLE_USER ? "u:"
                                                        : "a:",
                           part->inside ? ">" : "", kinds[part->kind], part->failed ? "!" : "",
                           NULL);
    }
    return text;
}

/* Every field of the API at once: what each becomes in between. */
static void read_all_fields(void)
{
    static const char parts[] =
        "*s:text s:text *u:text *s:text *a:thinking a:redacted a:text a:call a:call *u:result "
        "u:>text u:>image u:>file u:result! u:>text u:result u:text u:image u:file u:file u:file "
        "u:text u:image u:text u:text u:text *a:text";
    static const char lost[] =
        "cache_control,container,inference_geo,mcp_servers,of_tomorrow,messages.name,"
        "messages.content.server_tool_use,messages.content.web_search_tool_result,"
        "messages.content.citations,messages.content.context,messages.content.source.sort,"
        "messages.content.title,tools.web_search_20250305,tools.input_examples,"
        "tools.defer_loading,thinking.display,output_config.task_budget,metadata.team";
    const ai_error_t *error;
    const ai_talk_t *talk = translate_read(&ai_dialect_anthropic,
                                           translate_text(frame_load("all-fields.json")), &error);
    const char *got;

    if (!ok(talk != NULL, "a request with every field is read")) {
        printf("# %s: %s\n", error->param, error->message);
        return;
    }
    got = show_parts(talk);
    is_bytes(got, strlen(got), parts, sizeof(parts) - 1, "its parts");
    got = translate_lost(talk->lost);
    is_bytes(got, strlen(got), lost, sizeof(lost) - 1, "what is lost");
    ok(talk->max_tokens == 3000 && talk->stream
           && talk->thinking == AI_THINK_BUDGET && talk->thinking_budget == 2000
           && talk->effort == AI_EFFORT_HIGH
           && strcmp(talk->effort_name, "output_config.effort") == 0
           && strcmp(talk->max_tokens_name, "max_tokens") == 0,
       "settings");
    ok(talk->tools->nelts == 2 && APR_ARRAY_IDX(talk->tools, 0, ai_tool_t).strict == 1
           && APR_ARRAY_IDX(talk->tools, 0, ai_tool_t).cache.p
           && APR_ARRAY_IDX(talk->tools, 1, ai_tool_t).strict == -1,
       "tools");
    ok(talk->choice == AI_CHOICE_NAMED && ai_json_string_is(talk->choice_name, "get_w")
           && talk->parallel == 0,
       "the choice of a tool");
    ok(talk->format == AI_FORMAT_SCHEMA && talk->format_schema.p && talk->stops->nelts == 2,
       "format and stops");
    ok(ai_json_string_is(talk->options[AI_OPTION_USER].value, "u-1")
           && ai_json_string_is(talk->options[AI_OPTION_SERVICE_TIER].value, "default")
           && ai_slice_is(talk->options[AI_OPTION_TEMPERATURE].value, "1.0")
           && ai_slice_is(talk->options[AI_OPTION_TOP_K].value, "40"),
       "options");
}

/* Temperatures in every spelling: what is sent, and whether that is named as lost. */
static void clamp_temperatures(void)
{
    static const char *const cases[][3] = {
        { "1.0", "1.0", "" },    { "10e-1", "10e-1", "" },  { "0.1E+1", "0.1E+1", "" },
        { "100e-2", "100e-2", "" }, { "0.99999999999999999999", "0.99999999999999999999", "" },
        { "1e-400", "1e-400", "" }, { "0", "0", "" },        { "-0.0", "-0.0", "" },
        { "0e5", "0e5", "" },    { "0.001e3", "0.001e3", "" },
        { "1.00000000000000000001", "1", "temperature" },    { "1E400", "1", "temperature" },
        { "2", "1", "temperature" }, { "0.02e2", "1", "temperature" },
        { "-1", "0", "temperature" }, { "-1e-9", "0", "temperature" },
        { "12345678901234567890", "1", "temperature" },
    };
    apr_size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const ai_error_t *error;
        ai_sent_t sent;
        const char *text = apr_pstrcat(pool, "{\"max_tokens\":1,\"messages\":[{\"role\":\"user\","
                                       "\"content\":\"x\"}],\"temperature\":", cases[i][0], "}",
                                       NULL);
        ai_talk_t *talk = translate_read(&ai_dialect_anthropic, text, &error);
        const char *got = translate_write(&ai_dialect_anthropic, talk, &translate_unknown, &sent,
                                          &error);
        const char *at = strstr(got, "\"temperature\":");

        ok(at && strcmp(at + 14, apr_pstrcat(pool, cases[i][1], "}", NULL)) == 0
               && strcmp(translate_lost(sent.lost), cases[i][2]) == 0,
           "temperature %s is sent as %s", cases[i][0], cases[i][1]);
    }
}

/* Counting needs no limit of the answer. */
static void read_count(void)
{
    ai_talk_t *talk = ai_talk_create(pool);
    ai_json_error_t wrong;
    ai_json_doc_t doc;

    ai_json_parse(pool, AI_SLICE("{\"model\":\"m\",\"messages\":[{\"role\":\"user\","
                                 "\"content\":\"x\"}]}"), AI_JSON_DEPTH, &doc, &wrong);
    talk->counts_only = 1;
    ok(!ai_dialect_anthropic.translator->read_talk(pool, &doc, talk), "a count without max_tokens");
    ok(ai_slice_is(ai_dialect_anthropic.translator->write_count(pool, 42), "{\"input_tokens\":42}"),
       "its answer");
}

static void test_head(void)
{
    apr_table_t *headers = apr_table_make(pool, 2);

    ai_dialect_anthropic.translator->set_head(headers);
    ok(ai_slice_is(ai_slice_of(apr_table_get(headers, "anthropic-version")), "2023-06-01"),
       "the version of the API");
    ok(ai_slice_is(ai_slice_of(ai_dialect_anthropic.translator->chat_path(pool, "m", 1)),
                   "/messages"),
       "the path");
}

/* A conversation of many megabytes is referred to, not copied: the text's own bytes are sent. */
static void write_long(void)
{
    apr_size_t n = 1 << 20;
    char *text = apr_palloc(pool, n + 1), *end;
    const ai_error_t *error;
    apr_array_header_t *slices;
    ai_sent_t sent;
    ai_talk_t *talk;
    ai_write_t out;
    int i, referred = 0;

    memset(text, 'x', n);
    text[n] = '\0';
    end = apr_pstrcat(pool, "{\"max_tokens\":1,\"messages\":[{\"role\":\"user\",\"content\":\"", text,
                      "\"}]}", NULL);
    talk = translate_read(&ai_dialect_anthropic, end, &error);
    ai_sent_begin(pool, talk, &sent);
    ai_write_begin(pool, &out);
    ai_dialect_anthropic.translator->write_talk(pool, talk, "m", &translate_unknown, 1, &sent, &out);
    slices = ai_write_end(&out);
    for (i = 0; i < slices->nelts; i++) {
        ai_slice_t slice = APR_ARRAY_IDX(slices, i, ai_slice_t);

        referred |= slice.p > end && slice.p < end + n && slice.n > n;
    }
    ok(referred, "a long text is sent from where it lies");
}

int main(void)
{
    frame_begin(&ai_dialect_anthropic, "anthropic");
    run_cases();
    read_all_fields();
    clamp_temperatures();
    read_count();
    test_head();
    write_long();
    return frame_end();
}
