/* SPDX-License-Identifier: Apache-2.0 */
/*
 * openai_part.c - reads the content of a message: text, images, documents, audio.
 *
 * Lives in: the request's pool.  Shared state: none.  May block: no.
 */

#include <apr_base64.h>
#include <apr_lib.h>
#include <apr_strings.h>

#include "openai_translator.h"

/* ---------------------------------------------------------------------------- faults */

int openai_bad_message(openai_read_t *r, const char *member, const char *what)
{
    return openai_fault(r, apr_psprintf(r->p, "messages[%d]%s%s", r->message, *member ? "." : "",
                                        member), what);
}

const char *openai_item_path(const openai_read_t *r, const char *array, const char *member)
{
    return apr_psprintf(r->p, "messages[%d].%s[%d]%s%s", r->message, array, r->item,
                        *member ? "." : "", member);
}

int openai_bad_item(openai_read_t *r, const char *array, const char *member, const char *what)
{
    return openai_fault(r, openai_item_path(r, array, member), what);
}

static int bad_part(openai_read_t *r, const char *member, const char *what)
{
    return openai_bad_item(r, "content", member, what);
}

/* ----------------------------------------------------------------------------- parts */

ai_part_t *openai_add_part(openai_read_t *r, ai_part_e kind, ai_role_e role)
{
    if (r->talk->parts->nelts >= AI_TALK_PARTS) {
        openai_fault(r, "messages", apr_psprintf(r->p, "has more than %d parts", AI_TALK_PARTS));
        return NULL;
    }
    return ai_talk_part(r->talk, kind, role);
}

/* Text that is empty says nothing, and some providers refuse it. */
int openai_add_text(openai_read_t *r, ai_part_e kind, ai_role_e role, ai_slice_t text)
{
    ai_part_t *part;

    if (text.n <= 2) {
        return 1;
    }
    part = openai_add_part(r, kind, role);
    if (part) {
        part->text = text;
    }
    return part != NULL;
}

/* Base64 of a text document as the text itself, as a JSON string. */
static ai_slice_t plain_text(apr_pool_t *p, ai_slice_t data)
{
    const char *coded = apr_pstrmemdup(p, data.p, data.n);
    char *text = apr_palloc(p, (apr_size_t)apr_base64_decode_len(coded) + 1);
    int n = apr_base64_decode(text, coded);

    return ai_json_quote(p, (ai_slice_t){ text, n > 0 ? (apr_size_t)n : 0 });
}

static int media_is(ai_slice_t media, const char *begin)
{
    apr_size_t n = strlen(begin);

    return media.n >= n && memcmp(media.p, begin, n) == 0;
}

/* A document or an image that lies in a data URL. */
static int add_data(openai_read_t *r, ai_slice_t media, ai_slice_t data, ai_slice_t name)
{
    int is_image = media_is(media, "image/");
    ai_part_t *part = openai_add_part(r, is_image ? AI_PART_IMAGE : AI_PART_FILE, AI_ROLE_USER);

    if (!part) {
        return 0;
    }
    part->name = name;
    if (!media.p || media_is(media, "text/")) { /* RFC 2397: none is text/plain */
        part->text = plain_text(r->p, data);
        return 1;
    }
    part->media = media;
    part->data = data;
    return 1;
}

static int is_web_url(ai_slice_t value)
{
    static const char *const schemes[] = { "\"https://", "\"http://", "\"https:\\/\\/",
                                           "\"http:\\/\\/" };
    apr_size_t i, n;

    for (i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        n = strlen(schemes[i]);
        if (value.n > n + 1 && strncasecmp(value.p, schemes[i], n) == 0) {
            return 1;
        }
    }
    return 0;
}

static int read_image(openai_read_t *r, ai_slice_t value)
{
    enum { URL, DETAIL, WORDS };
    static const ai_slice_t words[WORDS] = { AI_WORD("url"), AI_WORD("detail") };
    ai_slice_t found[WORDS] = { { NULL, 0 } }, media, data;
    ai_part_t *part;
    int split;

    if (openai_is_text(value)) {
        found[URL] = value; /* Mistral's way to write it */
    }
    else {
        openai_members(r, value, "messages.content.image_url", words, WORDS, found);
    }
    if (!openai_is_text(found[URL])) {
        return bad_part(r, "image_url.url", "must be a string");
    }
    split = ai_data_url(r->p, found[URL], &media, &data);
    if (split < 0) {
        return bad_part(r, "image_url.url", "is a data URL that is broken or not in base64");
    }
    if (split) {
        if (!media_is(media, "image/") && !ai_slice_is(media, "application/pdf")) {
            return bad_part(r, "image_url.url",
                            "must be of a type image/... (or application/pdf)");
        }
        if (!add_data(r, media, data, (ai_slice_t){ NULL, 0 })) {
            return 0;
        }
        part = &APR_ARRAY_IDX(r->talk->parts, r->talk->parts->nelts - 1, ai_part_t);
    }
    else if (!is_web_url(found[URL])) {
        return bad_part(r, "image_url.url", "must be an http, https or data URL");
    }
    else {
        part = openai_add_part(r, AI_PART_IMAGE, AI_ROLE_USER);
        if (!part) {
            return 0;
        }
        part->url = found[URL];
    }
    if (openai_is_text(found[DETAIL]) && !ai_json_string_is(found[DETAIL], "auto")) {
        part->detail = found[DETAIL];
    }
    return 1;
}

static int read_file(openai_read_t *r, ai_slice_t value)
{
    enum { DATA, ID, NAME, WORDS };
    static const ai_slice_t words[WORDS] = { AI_WORD("file_data"), AI_WORD("file_id"),
                                             AI_WORD("filename") };
    ai_slice_t found[WORDS], media, data;

    openai_members(r, value, "messages.content.file", words, WORDS, found);
    if (found[ID].p) {
        return openai_unsupported(r, openai_item_path(r, "content", "file.file_id"),
                                  "A file that was uploaded to one provider cannot be given to "
                                  "another; send it as file_data.");
    }
    if (!openai_is_text(found[DATA])) {
        return bad_part(r, "file.file_data", "must be a string");
    }
    if (found[NAME].p && !openai_is_text(found[NAME])) {
        return bad_part(r, "file.filename", "must be a string");
    }
    if (ai_data_url(r->p, found[DATA], &media, &data) != 1) {
        return bad_part(r, "file.file_data", "must be a data URL in base64");
    }
    return add_data(r, media, data, found[NAME]);
}

static int read_audio(openai_read_t *r, ai_slice_t value)
{
    enum { DATA, FORMAT, WORDS };
    static const ai_slice_t words[WORDS] = { AI_WORD("data"), AI_WORD("format") };
    static const ai_slice_t formats[] = { AI_WORD("wav"), AI_WORD("mp3") };
    static const ai_slice_t media[] = { AI_WORD("audio/wav"), AI_WORD("audio/mp3") };
    ai_slice_t found[WORDS], data = { NULL, 0 };
    ai_part_t *part;
    int format;

    openai_members(r, value, "messages.content.input_audio", words, WORDS, found);
    format = ai_word_string(found[FORMAT], formats, 2);
    if (format < 0) {
        return bad_part(r, "input_audio.format", "must be \"wav\" or \"mp3\"");
    }
    if (openai_is_long_text(found[DATA])) {
        data = (ai_slice_t){ found[DATA].p + 1, found[DATA].n - 2 };
    }
    if (!data.p || !ai_is_base64(data)) {
        return bad_part(r, "input_audio.data", "must be a string in base64");
    }
    part = openai_add_part(r, AI_PART_AUDIO, AI_ROLE_USER);
    if (part) {
        part->media = media[format];
        part->data = data;
    }
    return part != NULL;
}

/* ----------------------------------------------------------------- content of a message */

static const ai_slice_t types[OPENAI_PART_TYPES] = {
    AI_WORD("text"), AI_WORD("refusal"), AI_WORD("image_url"), AI_WORD("input_audio"),
    AI_WORD("file"),
};

int openai_read_cache(openai_read_t *r, ai_slice_t value, int first, int last)
{
    if (!value.p || last < first) {
        return 1;
    }
    if (ai_json_type(value) != AI_JSON_OBJECT) {
        return openai_bad_message(r, "cache_control", "must be an object");
    }
    APR_ARRAY_IDX(r->talk->parts, last, ai_part_t).cache = value;
    return 1;
}

static int read_part(openai_read_t *r, ai_slice_t value, ai_role_e role, unsigned allowed)
{
    enum { TYPE = OPENAI_PART_TYPES, CACHE, WORDS };
    static const ai_slice_t words[WORDS] = {
        AI_WORD("text"), AI_WORD("refusal"), AI_WORD("image_url"), AI_WORD("input_audio"),
        AI_WORD("file"), AI_WORD("type"), AI_WORD("cache_control"),
    };
    ai_slice_t found[WORDS];
    int first = r->talk->parts->nelts, type, good = 0;

    if (ai_json_type(value) != AI_JSON_OBJECT) {
        return bad_part(r, "", "must be an object");
    }
    openai_members(r, value, "messages.content", words, WORDS, found);
    type = ai_word_string(found[TYPE], types, OPENAI_PART_TYPES);
    if (type < 0 || !(allowed & OPENAI_BIT(type))) {
        return bad_part(r, "type", apr_psprintf(
            r->p, "is none that a message of this role may have here: text%s%s",
            allowed & OPENAI_BIT(OPENAI_REFUSAL) ? ", refusal" : "",
            allowed & OPENAI_BIT(OPENAI_INPUT_AUDIO) ? ", image_url, input_audio, file"
                : allowed & OPENAI_BIT(OPENAI_IMAGE_URL) ? ", image_url, file" : ""));
    }
    switch (type) {
    case OPENAI_TEXT:
    case OPENAI_REFUSAL:
        if (!openai_is_text(found[type])) {
            return bad_part(r, words[type].p, "must be a string");
        }
        good = openai_add_text(r, type == OPENAI_TEXT ? AI_PART_TEXT : AI_PART_REFUSAL, role,
                               found[type]);
        break;
    case OPENAI_IMAGE_URL:
        good = read_image(r, found[type]);
        break;
    case OPENAI_INPUT_AUDIO:
        good = read_audio(r, found[type]);
        break;
    case OPENAI_FILE:
        good = read_file(r, found[type]);
        break;
    }
    return good && openai_read_cache(r, found[CACHE], first, r->talk->parts->nelts - 1);
}

int openai_read_content(openai_read_t *r, ai_slice_t content, ai_role_e role, unsigned allowed)
{
    ai_json_walk_t walk;
    ai_json_member_t part;

    if (openai_is_text(content)) {
        return openai_add_text(r, AI_PART_TEXT, role, content);
    }
    if (ai_json_type(content) != AI_JSON_ARRAY) {
        return openai_bad_message(r, "content", content.p ? "must be a string or an array of parts"
                                                   : "is missing");
    }
    ai_json_walk(&walk, content);
    for (r->item = 0; ai_json_next(&walk, &part) > 0; r->item++) {
        if (!read_part(r, part.value, role, allowed)) {
            return 0;
        }
    }
    return 1;
}

