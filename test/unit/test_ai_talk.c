/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_ai_talk.c - names, ids, data URLs and what was lost, between two dialects.
 */
#include <apr_general.h>
#include <apr_strings.h>

#include "ai_talk.h"
#include "tap.h"

static apr_pool_t *pool;

static const char *text(ai_slice_t slice)
{
    return slice.p ? apr_pstrmemdup(pool, slice.p, slice.n) : "-";
}

static void is_text(const char *got, const char *want, const char *what)
{
    is_bytes(got, strlen(got), want, strlen(want), what);
}

static const char *joined(const apr_array_header_t *lost)
{
    return lost->nelts ? apr_array_pstrcat(pool, lost, ' ') : "";
}

static void test_empty(void)
{
    ai_talk_t *talk = ai_talk_create(pool);
    int i, said = 0;

    for (i = 0; i < AI_OPTIONS_N; i++) {
        said += talk->options[i].value.p != NULL;
    }
    ok(!said && !talk->parts->nelts && !talk->tools->nelts && !talk->stops->nelts
           && !talk->lost->nelts && talk->choice == AI_CHOICE_UNSAID && talk->parallel == -1
           && talk->max_tokens == -1 && talk->n == 1 && talk->format == AI_FORMAT_TEXT
           && talk->format_strict == -1 && talk->thinking == AI_THINK_UNSAID
           && talk->effort == AI_EFFORTS_N && !talk->stream,
       "a new talk says nothing");
    ok(ai_talk_tool(talk)->strict == -1, "nor does a new tool");
    ai_talk_option(talk, AI_OPTION_SEED, "seed", AI_SLICE("null"));
    ai_talk_option(talk, AI_OPTION_TOP_P, "top_p", (ai_slice_t){ NULL, 0 });
    ok(!talk->options[AI_OPTION_SEED].value.p && !talk->options[AI_OPTION_TOP_P].value.p,
       "null and absent are not said");
    ai_talk_option(talk, AI_OPTION_SEED, "seed", AI_SLICE("7"));
    is_text(text(talk->options[AI_OPTION_SEED].value), "7", "a value is");
}

static void test_lost(void)
{
    apr_array_header_t *lost = ai_lost_create(pool);
    char name[200];
    ai_talk_t *talk = ai_talk_create(pool);
    ai_sent_t sent;
    int i;

    ai_lost_add(lost, "a.b");
    ai_lost_add(lost, "a.b");
    ai_lost_add(lost, "a.c\r\nx: y");
    ai_lost_add(lost, "\xc3\xa4");
    ai_lost_add(lost, "");
    is_text(joined(lost), "a.b a ?", "each once; what could break a header becomes its place");
    lost = ai_lost_create(pool);
    memset(name, 'n', sizeof(name));
    ai_lost_member(lost, "", AI_SLICE("foo"));
    ai_lost_member(lost, "messages", AI_SLICE("foo"));
    ai_lost_member(lost, "messages", AI_SLICE("f\\u006fo"));
    ai_lost_member(lost, "tools", AI_SLICE("a.b"));
    ai_lost_member(lost, "stop", (ai_slice_t){ name, sizeof(name) });
    ai_lost_member(lost, "n", AI_SLICE(""));
    ai_lost_member(lost, "", AI_SLICE("x y"));
    is_text(joined(lost), "foo messages.foo messages tools stop n ?", "members by their place");

    lost = ai_lost_create(pool);
    for (i = 0; i < 100; i++) {
        ai_lost_add(lost, apr_psprintf(pool, "k%d", i));
    }
    is_number(lost->nelts, 33, "a hundred: 32 of them");
    is_text(APR_ARRAY_IDX(lost, 32, const char *), "...", "and that there are more");

    ai_lost_add(talk->lost, "messages.name");
    ai_talk_option(talk, AI_OPTION_SEED, "seed", AI_SLICE("7"));
    ai_talk_option(talk, AI_OPTION_TOP_K, "top_k", AI_SLICE("7"));
    ai_sent_begin(pool, talk, &sent);
    ai_sent_lose_options(talk, 1u << AI_OPTION_SEED, &sent);
    is_text(joined(sent.lost), "messages.name top_k", "what a writer does not carry comes on top");
    is_text(joined(talk->lost), "messages.name", "of its own list");
}

#define LONG64 "0123456789012345678901234567890123456789012345678901234567890123"

static void test_names(void)
{
    static const char *const plain[] = { "\"f\"", "\"get_W-1\"", "\"" LONG64 "\"" };
    static const char *const odd[] = { "\"" LONG64 "4\"", "\"" LONG64 "5\"", "\"a b\"", "\"a.b\"",
                                       "\"a_b.\"", "\"\\u00e4\"", "\"\xc3\xa4\"", "\"\"" };
    ai_talk_t *talk = ai_talk_create(pool);
    ai_sent_t sent;
    ai_slice_t names[8], again;
    apr_size_t i, j;
    int bad = 0;

    ai_sent_begin(pool, talk, &sent);
    is_text(text(ai_sent_asked(&sent, AI_SLICE("\"f\""))), "\"f\"", "an unknown name is its own");
    for (i = 0; i < 3; i++) {
        is_text(text(ai_sent_name(pool, &sent, ai_slice_of(plain[i]), 64)), plain[i], plain[i]);
    }
    is_text(text(ai_sent_name(pool, &sent, AI_SLICE("\"\\u0066\""), 64)), "\"f\"",
            "escapes alone are no other name");
    is_number(sent.names->nelts, 0, "none of these is renamed");
    for (i = 0; i < 8; i++) {
        names[i] = ai_sent_name(pool, &sent, ai_slice_of(odd[i]), 64);
        ok(names[i].n > 2 && names[i].n <= 66
               && strspn(text(names[i]) + 1, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                             "0123456789_-") == names[i].n - 2,
           "%s becomes %s", odd[i], text(names[i]));
        again = ai_sent_name(pool, &sent, ai_slice_of(odd[i]), 64);
        is_text(text(again), text(names[i]), "and the same again");
        is_text(text(ai_sent_asked(&sent, names[i])), odd[i], "and is found again");
        for (j = 0; j < i && !(i == 6 && j == 5); j++) { /* these two are one name */
            bad += names[j].n == names[i].n && !memcmp(names[j].p, names[i].p, names[i].n);
        }
    }
    is_number(bad, 0, "no two are alike");
}

static void test_ids(void)
{
    ai_slice_t long_id = AI_SLICE("\"" LONG64 "x\"");

    is_text(text(ai_call_id(pool, AI_SLICE("\"toolu_01-A\""))), "\"toolu_01-A\"",
            "a narrow id stays");
    ok(ai_call_id(pool, long_id).n <= 66, "a long one is cut");
    is_text(text(ai_call_id(pool, AI_SLICE("\"functions.Bash:0\""))),
            text(ai_call_id(pool, AI_SLICE("\"functions.Bash:0\""))), "the same each time");
    ok(strstr(text(ai_call_id(pool, AI_SLICE("\"functions.Bash:0\""))),
              "_functions_Bash_0\"") != NULL,
       "with what can stay of it");
    ok(ai_call_id(pool, AI_SLICE("\"\"")).n > 2, "an empty one is made");
}

static void test_data_urls(void)
{
    static const struct {
        const char *url;
        int want;
        const char *media, *data;
    } rows[] = {
        { "\"data:image/png;base64,iVBORw0=\"", 1, "image/png", "iVBORw0=" },
        { "\"DATA:IMAGE/PNG;BASE64,AAAA\"", 1, "image/png", "AAAA" },
        { "\"data:image/jpg;base64,AAAA\"", 1, "image/jpeg", "AAAA" },
        { "\"data:image/png;charset=x;base64,AAAA\"", 1, "image/png", "AAAA" },
        { "\"data:image\\/svg+xml;base64,AA\\/+\"", 1, "image/svg+xml", "AA/+" },
        { "\"data:;base64,AAAA\"", 1, "-", "AAAA" },
        { "\"data:image/png;base64,AAA\"", 1, "image/png", "AAA" },
        { "\"data:application/vnd.a-b;base64,AA==\"", 1, "application/vnd.a-b", "AA==" },
        { "\"https://h/data:image/png;base64,AAAA\"", 0, NULL, NULL },
        { "\"\"", 0, NULL, NULL }, { "\"data\"", 0, NULL, NULL },
        { "\"data:\"", -1, NULL, NULL }, { "\"data:image/png,abc\"", -1, NULL, NULL },
        { "\"data:image/png;base64\"", -1, NULL, NULL }, { "\"data:base64,AAAA\"", -1, NULL, NULL },
        { "\"data:;base64,\"", -1, NULL, NULL }, { "\"data:;base64,A\"", -1, NULL, NULL },
        { "\"data:;base64,AA=\"", -1, NULL, NULL }, { "\"data:;base64,A===\"", -1, NULL, NULL },
        { "\"data:;base64,AA=A\"", -1, NULL, NULL }, { "\"data:;base64,AA AA\"", -1, NULL, NULL },
        { "\"data:;base64,AA-_\"", -1, NULL, NULL },
        { "\"data:;base64,\xc3\xa4\"", -1, NULL, NULL },
        { "\"data:a\\\"b;base64,AAAA\"", 1, "-", "AAAA" },
    };
    apr_size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ai_slice_t media = { NULL, 0 }, data = { NULL, 0 };
        int is = ai_data_url(pool, ai_slice_of(rows[i].url), &media, &data);

        if (!ok(is == rows[i].want
                    && (is != 1 || (strcmp(text(media), rows[i].media) == 0
                                    && strcmp(text(data), rows[i].data) == 0)),
                "%s", rows[i].url)) {
            printf("# %d %s %s\n", is, text(media), text(data));
        }
    }
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    test_empty();
    test_lost();
    test_names();
    test_ids();
    test_data_urls();
    apr_pool_destroy(pool);
    apr_terminate();
    return done();
}
