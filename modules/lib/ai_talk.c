/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_talk.c - keeps a chat request between two dialects.
 */
#include <apr_lib.h>
#include <apr_sha1.h>
#include <apr_strings.h>

#include "ai_talk.h"

#define LOST_MAX 128  /* the longest name that is shown of a lost field */
#define LOST_MANY 32  /* how many are named; the list is looked through for each */
#define ID_MAX 64

/* ------------------------------------------------------------------------- the talk */

ai_talk_t *ai_talk_create(apr_pool_t *p)
{
    ai_talk_t *talk = apr_pcalloc(p, sizeof(*talk));

    talk->parts = apr_array_make(p, 16, sizeof(ai_part_t));
    talk->tools = apr_array_make(p, 4, sizeof(ai_tool_t));
    talk->stops = apr_array_make(p, 2, sizeof(ai_slice_t));
    talk->lost = ai_lost_create(p);
    talk->parallel = talk->format_strict = -1;
    talk->max_tokens = -1;
    talk->n = 1;
    talk->effort = AI_EFFORTS_N;
    return talk;
}

ai_part_t *ai_talk_part(ai_talk_t *talk, ai_part_e kind, ai_role_e role)
{
    ai_part_t *part = apr_array_push(talk->parts);

    memset(part, 0, sizeof(*part));
    part->kind = kind;
    part->role = role;
    return part;
}

ai_tool_t *ai_talk_tool(ai_talk_t *talk)
{
    ai_tool_t *tool = apr_array_push(talk->tools);

    memset(tool, 0, sizeof(*tool));
    tool->strict = -1;
    return tool;
}

void ai_talk_option(ai_talk_t *talk, ai_option_e option, const char *name, ai_slice_t value)
{
    if (value.p && ai_json_type(value) != AI_JSON_NULL) {
        talk->options[option] = (ai_option_t){ value, name };
    }
}

/* Two tokens for seven bytes: prose has three and a half to four and a half bytes a token, code and
 * other scripts rather less, and escapes count as they are written. */
#define TOKENS_OF(bytes) ((apr_int64_t)((bytes) * 2 / 7 + 1))
#define TOKENS_A_MESSAGE 4
#define TOKENS_A_PICTURE 1600 /* what providers bill for a large one */

apr_int64_t ai_talk_tokens(const ai_talk_t *talk)
{
    apr_int64_t tokens = 0;
    int i;

    for (i = 0; i < talk->parts->nelts; i++) {
        const ai_part_t *part = &APR_ARRAY_IDX(talk->parts, i, ai_part_t);
        int seen = part->kind == AI_PART_IMAGE || (part->kind == AI_PART_FILE && !part->text.p);

        tokens += part->opens ? TOKENS_A_MESSAGE : 0;
        tokens += seen ? TOKENS_A_PICTURE
                       : TOKENS_OF(part->text.n + part->name.n + part->object.n);
    }
    for (i = 0; i < talk->tools->nelts; i++) {
        const ai_tool_t *tool = &APR_ARRAY_IDX(talk->tools, i, ai_tool_t);

        tokens += TOKENS_A_MESSAGE + TOKENS_OF(tool->name.n + tool->about.n + tool->schema.n);
    }
    return tokens;
}

/* -------------------------------------------------------------------- what was lost */

apr_array_header_t *ai_lost_create(apr_pool_t *p)
{
    return apr_array_make(p, 4, sizeof(const char *));
}

static int is_plain(const char *what)
{
    apr_size_t n = 0;

    for (; *what; what++, n++) {
        if (!apr_isalnum(*what) && !strchr("_-.[]", *what)) {
            return 0;
        }
    }
    return n > 0 && n <= LOST_MAX;
}

void ai_lost_add(apr_array_header_t *lost, const char *what)
{
    int i;

    if (lost->nelts > LOST_MANY) {
        return;
    }
    if (!is_plain(what)) {
        const char *dot = strrchr(what, '.');

        what = dot ? apr_pstrndup(lost->pool, what, (apr_size_t)(dot - what)) : "?";
        what = is_plain(what) ? what : "?";
    }
    for (i = 0; i < lost->nelts; i++) {
        if (strcmp(APR_ARRAY_IDX(lost, i, const char *), what) == 0) {
            return;
        }
    }
    if (lost->nelts == LOST_MANY) {
        what = "...";
    }
    APR_ARRAY_PUSH(lost, const char *) = apr_pstrdup(lost->pool, what);
}

void ai_lost_member(apr_array_header_t *lost, const char *place, ai_slice_t key)
{
    char what[2 * LOST_MAX + 2];
    apr_size_t n = strlen(place);
    int fits_in = n < LOST_MAX && key.n <= LOST_MAX && key.n;

    if (n && n < LOST_MAX) {
        memcpy(what, place, n);
        what[n++] = '.';
    }
    if (fits_in && !memchr(key.p, '.', key.n)) {
        memcpy(what + n, key.p, key.n);
        what[n + key.n] = '\0';
    }
    else { /* what cannot be shown is named by its place */
        memcpy(what + n, "?", sizeof("?"));
    }
    ai_lost_add(lost, what);
}

void ai_sent_begin(apr_pool_t *p, const ai_talk_t *talk, ai_sent_t *sent)
{
    sent->lost = apr_array_copy(p, talk->lost);
    sent->names = apr_array_make(p, 1, sizeof(ai_renamed_t));
    sent->by_asked = sent->by_sent = NULL;
}

void ai_sent_lose_options(const ai_talk_t *talk, unsigned carried, ai_sent_t *sent)
{
    int i;

    for (i = 0; i < AI_OPTIONS_N; i++) {
        if (talk->options[i].value.p && !(carried & (1u << i))) {
            ai_lost_add(sent->lost, talk->options[i].name);
        }
    }
}

/* ------------------------------------------------------------------- names and ids */

static int is_narrow(unsigned char c)
{
    return apr_isalnum(c) || c == '_' || c == '-';
}

/* 1 when the string between the quotes is 1 to max narrow characters. */
static int fits(ai_slice_t value, apr_size_t max)
{
    apr_size_t i;

    if (value.n < 3 || value.n - 2 > max) {
        return 0;
    }
    for (i = 1; i + 1 < value.n; i++) {
        if (!is_narrow((unsigned char)value.p[i])) {
            return 0;
        }
    }
    return 1;
}

/*
 * A narrow string made from another one, as a JSON string: what can stay of it and eight digits of
 * its digest, so that two that differ stay different. Not a matter of security.
 */
static ai_slice_t narrow(apr_pool_t *p, ai_slice_t value, apr_size_t max, int digest_first)
{
    unsigned char digest[APR_SHA1_DIGESTSIZE];
    apr_sha1_ctx_t sha;
    const char *text = "";
    apr_size_t n = 0, i;
    const char *tag;
    char *kept;

    if (ai_json_string(p, value, &text, &n) != APR_SUCCESS) {
        n = 0;
    }
    apr_sha1_init(&sha);
    apr_sha1_update_binary(&sha, (const unsigned char *)text, (unsigned)n);
    apr_sha1_final(digest, &sha);
    n = n > max - 9 ? max - 9 : n;
    kept = apr_pstrmemdup(p, text, n);
    for (i = 0; i < n; i++) {
        if (!is_narrow((unsigned char)kept[i])) {
            kept[i] = '_';
        }
    }
    tag = apr_psprintf(p, "%02x%02x%02x%02x", digest[0], digest[1], digest[2], digest[3]);
    return ai_slice_of(apr_pstrcat(p, "\"", digest_first ? tag : kept, "_",
                                   digest_first ? kept : tag, "\"", NULL));
}

ai_slice_t ai_call_id(apr_pool_t *p, ai_slice_t value)
{
    return fits(value, ID_MAX) ? value : narrow(p, value, ID_MAX, 1);
}

/* The name without its escapes where it is narrow then: the same name, only written otherwise. */
static ai_slice_t unescaped(apr_pool_t *p, ai_slice_t name, apr_size_t max)
{
    const char *text;
    ai_slice_t plain;
    apr_size_t n;

    if (name.n > 2 + 6 * max || !memchr(name.p, '\\', name.n)
        || ai_json_string(p, name, &text, &n) != APR_SUCCESS) {
        return name;
    }
    plain = ai_json_quote(p, (ai_slice_t){ text, n });
    return fits(plain, max) ? plain : name;
}

ai_slice_t ai_sent_name(apr_pool_t *p, ai_sent_t *sent, ai_slice_t name, apr_size_t max)
{
    const ai_slice_t *known;
    ai_renamed_t *renamed;

    name = unescaped(p, name, max);
    if (fits(name, max)) {
        return name;
    }
    if (!sent->by_asked) {
        sent->by_asked = apr_hash_make(p);
        sent->by_sent = apr_hash_make(p);
    }
    known = apr_hash_get(sent->by_asked, name.p, (apr_ssize_t)name.n);
    if (known) {
        return *known;
    }
    renamed = apr_palloc(p, sizeof(*renamed));
    renamed->asked.p = apr_pmemdup(p, name.p, name.n); /* needed when the body is gone */
    renamed->asked.n = name.n;
    renamed->sent = narrow(p, name, max, 0);
    APR_ARRAY_PUSH(sent->names, ai_renamed_t) = *renamed;
    apr_hash_set(sent->by_asked, renamed->asked.p, (apr_ssize_t)name.n, &renamed->sent);
    apr_hash_set(sent->by_sent, renamed->sent.p, (apr_ssize_t)renamed->sent.n, &renamed->asked);
    return renamed->sent;
}

ai_slice_t ai_sent_asked(const ai_sent_t *sent, ai_slice_t name)
{
    const ai_slice_t *asked = NULL;

    if (sent->by_sent) {
        asked = apr_hash_get(sent->by_sent, name.p, (apr_ssize_t)name.n);
    }
    return asked ? *asked : name;
}

/* ------------------------------------------------------------------------ data URLs */

static int is_base64_byte(unsigned char c)
{
    return apr_isalnum(c) || c == '+' || c == '/';
}

int ai_is_base64(ai_slice_t bytes)
{
    apr_size_t n = bytes.n, i;

    for (i = 0; i < 2 && n && bytes.p[n - 1] == '='; i++) {
        n--;
    }
    for (i = 0; i < n; i++) {
        if (!is_base64_byte((unsigned char)bytes.p[i])) {
            return 0;
        }
    }
    return n > 0 && n % 4 != 1 && (n == bytes.n || bytes.n % 4 == 0);
}

static int begins(ai_slice_t text, const char *with)
{
    apr_size_t n = strlen(with), i;

    for (i = 0; i < n && i < text.n && apr_tolower(text.p[i]) == with[i]; i++) {
    }
    return i == n;
}

/* The media type as it is sent on: lower case, without parameters, and no slips of the pen. */
static ai_slice_t read_media(apr_pool_t *p, const char *text, apr_size_t n)
{
    char *media;
    apr_size_t i;

    for (i = 0; i < n && text[i] != ';'; i++) {
        if (!apr_isalnum(text[i]) && !strchr("/.+-", text[i])) {
            return (ai_slice_t){ NULL, 0 };
        }
    }
    if (!i) {
        return (ai_slice_t){ NULL, 0 };
    }
    media = apr_pstrmemdup(p, text, i);
    for (n = 0; n < i; n++) {
        media[n] = (char)apr_tolower(media[n]);
    }
    return ai_slice_of(strcmp(media, "image/jpg") == 0 ? "image/jpeg" : media);
}

int ai_data_url(apr_pool_t *p, ai_slice_t value, ai_slice_t *media, ai_slice_t *data)
{
    static const char coding[] = ";base64";
    ai_slice_t url = { value.p + 1, value.n - 2 };
    const char *comma, *text;
    apr_size_t head;

    if (value.n < 2 || !begins(url, "data:")) {
        return 0;
    }
    if (memchr(url.p, '\\', url.n)) { /* some writers escape every slash */
        if (ai_json_string(p, value, &text, &url.n) != APR_SUCCESS) {
            return -1;
        }
        url.p = text;
    }
    comma = memchr(url.p, ',', url.n);
    head = comma ? (apr_size_t)(comma - url.p) : 0;
    if (head < 5 + sizeof(coding) - 1
        || !begins((ai_slice_t){ comma - (sizeof(coding) - 1), sizeof(coding) - 1 }, coding)) {
        return -1;
    }
    *media = read_media(p, url.p + 5, head - 5 - (sizeof(coding) - 1));
    *data = (ai_slice_t){ comma + 1, url.n - head - 1 };
    return ai_is_base64(*data) ? 1 : -1;
}
