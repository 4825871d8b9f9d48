/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_ai_form.c - does every split of a form give the same fields, and is what two readers could
 * read differently refused?
 */
#include <stdlib.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "ai_form.h"
#include "tap.h"

#define T(literal) literal, sizeof(literal) - 1
#define PART(name) "--B\r\nContent-Disposition: form-data; name=\"" name "\"\r\n\r\n"
#define MODEL(value) PART("model") value "\r\n"
#define END "--B--\r\n"

static const char *const names[] = { "model", "stream", NULL };

/* What came of a form. */
typedef struct seen_t {
    const char *fault;
    char model[AI_FORM_VALUE_MAX + 2]; /* "-" when there is none */
    char stream[AI_FORM_VALUE_MAX + 2];
    apr_uint64_t offset;               /* of the model */
    int done;
} seen_t;

/* Feeds a piece as a copy of its own, so that a sanitizer sees what reads beyond it or keeps it. */
static const char *feed(ai_form_t *form, const char *bytes, apr_size_t n)
{
    char *copy = malloc(n ? n : 1);
    const char *fault;

    memcpy(copy, bytes, n);
    fault = ai_form_feed(form, copy, n);
    free(copy);
    return fault;
}

/* Feeds the text cut at first; step 0: the rest at once, else in pieces of that many bytes. */
static void run(const char *boundary, const char *text, apr_size_t n, apr_size_t first,
                apr_size_t step, seen_t *seen)
{
    const ai_form_field_t *model, *stream;
    ai_form_t *form;
    apr_pool_t *pool;
    apr_size_t at = first;

    apr_pool_create(&pool, NULL);
    form = ai_form_create(pool, boundary, names);
    seen->fault = feed(form, text, first);
    while (at < n) {
        apr_size_t piece = step && step < n - at ? step : n - at;

        seen->fault = feed(form, text + at, piece);
        at += piece;
    }
    model = ai_form_get(form, 0);
    stream = ai_form_get(form, 1);
    apr_cpystrn(seen->model, model ? model->value : "-", sizeof(seen->model));
    apr_cpystrn(seen->stream, stream ? stream->value : "-", sizeof(seen->stream));
    seen->offset = model ? model->offset : 0;
    seen->done = ai_form_is_done(form);
    if (model && (memcmp(text + model->offset, model->value, model->n) != 0
                  || strlen(model->value) != model->n)) {
        seen->fault = "the value does not stand where it should";
    }
    apr_pool_destroy(pool);
}

static int is_same(const seen_t *a, const seen_t *b)
{
    return a->fault == b->fault && strcmp(a->model, b->model) == 0
           && strcmp(a->stream, b->stream) == 0 && a->offset == b->offset && a->done == b->done;
}

/* Whole, cut in two at every byte, and byte by byte. */
static void run_all(const char *what, const char *text, apr_size_t n, seen_t *whole)
{
    apr_size_t at, bad = 0;
    seen_t cut;

    run("B", text, n, n, 0, whole);
    for (at = 0; at < n && !bad; at++) {
        run("B", text, n, at, 0, &cut);
        bad = is_same(whole, &cut) ? 0 : at + 1;
    }
    run("B", text, n, 0, 1, &cut);
    ok(!bad && is_same(whole, &cut), "%s: every split is the same (%d)", what, (int)bad);
}

static void test_good(void)
{
    static const struct {
        const char *text;
        apr_size_t n;
        const char *model, *stream;
        int done;
        const char *what;
    } rows[] = {
        { T(MODEL("whisper-1") END), "whisper-1", "-", 1, "one field" },
        { T("--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\n"
            "Content-Type: audio/wav\r\n\r\nRIFF\r\n--\r\n-B\n\r\r\n\0\xff\r\n" MODEL("m") END),
          "m", "-", 1, "behind a file" },
        { T(PART("stream") "true\r\n" MODEL("a/b:c") PART("x") "\r\n" END), "a/b:c", "true", 1,
          "two fields, and an empty one" },
        { T(MODEL("g\xc3\xa4") END), "g\xc3\xa4", "-", 1, "UTF-8" },
        { T(MODEL("") END), "", "-", 1, "an empty value" },
        { T(MODEL(" m ") END), " m ", "-", 1, "blanks belong to a value" },
        { T(MODEL("--b") END), "--b", "-", 1, "a value that begins nearly like a boundary" },
        { T("--B\r\ncontent-disposition:form-data;NAME=model\r\n\r\nm\r\n" END), "m", "-", 1,
          "names of headers in any case, a name without quotes" },
        { T("--B  \t\r\nContent-Disposition: form-data ; name=\"model\" ; x=y\r\n"
            "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nm"
            "\r\n--B-- \r\n"), "m", "-", 1, "blanks where they may be, further headers" },
        { T("\r\n" MODEL("m") END), "m", "-", 1, "an empty line first" },
        { T(MODEL("m") "--B--"), "m", "-", 1, "no line end at last" },
        { T("--B--"), "-", "-", 1, "no part" },
        { T(MODEL("m") "--B\r\nContent-Disposition: form-data; name=\"f\"; filename=\"C:\\a\\b\"; "
            "filename*=utf-8''%C3%A4\r\n\r\n\r\n" END), "m", "-", 1, "odd names of files" },
        { T(MODEL("m") PART("f") "-\r\n-B\r\n\r--B\r\n --B\r\n--\r\nB"), "m", "-", 0,
          "what looks like a boundary and is none" },
        { T(MODEL("m") PART("f") "unended"), "m", "-", 0, "a file that does not end" },
        { T(PART("model") "m"), "-", "-", 0, "a value that does not end" },
        { T(PART("model") "m\r\n--"), "-", "-", 0, "a value whose boundary does not end" },
        { T(""), "-", "-", 0, "nothing" },
    };
    apr_size_t i;
    seen_t seen;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        run_all(rows[i].what, rows[i].text, rows[i].n, &seen);
        ok(!seen.fault && strcmp(seen.model, rows[i].model) == 0
               && strcmp(seen.stream, rows[i].stream) == 0 && seen.done == rows[i].done,
           "%s: model '%s' stream '%s' done %d%s%s", rows[i].what, seen.model, seen.stream,
           seen.done, seen.fault ? " " : "", seen.fault ? seen.fault : "");
    }
}

/* What two readers could read differently, and what is no form at all. */
static const struct {
    const char *text;
    apr_size_t n;
    const char *fault, *what;
} refused[] = {
    { T(MODEL("a") MODEL("b") END), "a field twice", "two models" },
    { T(MODEL("a") MODEL("a") END), "a field twice", "twice the same" },
    { T(MODEL("a") PART("f") "x\r\n" MODEL("b")), "a field twice", "far apart" },
    { T(PART("Model") "a\r\n" END), "capital", "another case" },
    { T(MODEL("a") PART("MODEL") "b\r\n" END), "capital", "another case, later" },
    { T("--B\r\nContent-Disposition: form-data; name*=utf-8''model\r\n\r\nm\r\n" END),
      "notation name*", "name*" },
    { T("--B\r\nContent-Disposition: form-data; name=\"x\"; name=\"model\"\r\n\r\nm\r\n" END),
      "two names", "two names" },
    { T("--B\r\nContent-Disposition: form-data; name=\"x\"\r\n"
        "Content-Disposition: form-data; name=\"model\"\r\n\r\nm\r\n" END),
      "two Content-Dispositions", "two Content-Dispositions" },
    { T("--B\r\nContent-Disposition: form-data; name=\"model\"; filename=\"x\"\r\n\r\nm\r\n"
        END), "a file", "a model that is a file" },
    { T("--B\r\nContent-Disposition: form-data; name=\"model\"\r\n"
        "Content-Transfer-Encoding: base64\r\n\r\nbQ==\r\n" END), "encoded", "base64" },
    { T("--B\r\nContent-Disposition: form-data; name=\"mo\\del\"\r\n\r\nm\r\n" END),
      "backslash", "a backslash in a name" },
    { T("--B\r\nContent-Disposition: form-data; filename=\"a\\\"; name=\"model\"\r\n\r\nm\r\n"
        END), "cannot be read", "a quote behind a backslash" },
    { T("--B\r\nContent-Disposition: form-data; name=\"model\r\n\r\nm\r\n" END),
      "cannot be read", "a quoted name that does not end" },
    { T("--B\r\nContent-Disposition: form-data; name=\"model\"x\r\n\r\nm\r\n" END),
      "cannot be read", "something behind a name" },
    { T("--B\r\nContent-Disposition: form-data; name=\r\n\r\nm\r\n" END), "cannot be read",
      "no name behind the sign" },
    { T("--B\r\nContent-Disposition: form-data\r\n\r\nm\r\n" END), "without a name", "no name" },
    { T("--B\r\nContent-Disposition: attachment; name=\"model\"\r\n\r\nm\r\n" END),
      "no form-data", "another disposition" },
    { T("--B\r\nContent-Type: text/plain\r\n\r\nm\r\n" END), "without a Content-Disposition",
      "no disposition" },
    { T("--B\r\n\r\nm\r\n" END), "without a Content-Disposition", "no header at all" },
    { T("--B\r\nContent-Disposition: form-data;\r\n name=\"model\"\r\n\r\nm\r\n" END),
      "cannot be read", "a folded header" },
    { T("--B\r\nContent-Disposition: form-data; name=\"a\"\r\n name=\"model\"\r\n\r\nm\r\n" END),
      "header that is none", "a folded header behind a whole one" },
    { T("--B\r\nContent-Disposition : form-data; name=\"model\"\r\n\r\nm\r\n" END),
      "header that is none", "a blank before a colon" },
    { T("--B\r\nContent-Disposition: form-data; name=\"x\"\nX: y\r\n\r\nm\r\n" END),
      "control character in the head", "a bare line feed in a head" },
    { T("--B\r\nContent-Disposition: form-data; name=\"x\0\"\r\n\r\nm\r\n" END),
      "control character in the head", "a NUL in a head" },
    { T(MODEL("a\nb") END), "control character in a field", "a line feed in a value" },
    { T(MODEL("a\r\nb") END), "control character in a field", "a line end in a value" },
    { T(MODEL("a\rb") END), "control character in a field", "a CR in a value" },
    { T(MODEL("a\0b") END), "control character in a field", "a NUL in a value" },
    { T(MODEL("a\x7f") END), "control character in a field", "DEL in a value" },
    { T(MODEL("\xc3") END), "UTF-8", "half a character" },
    { T(MODEL("\xed\xa0\x80") END), "UTF-8", "half a pair" },
    { T(PART("model") "--B\r\n--B--"), "a boundary where a value", "a boundary as a value" },
    { T(PART("f") "--B--\r\n"), "behind a line end", "a boundary behind a head" },
    { T(PART("f") "x\n" MODEL("m") END), "behind a line end", "a boundary behind a line feed" },
    { T(PART("f") "x\n\n--B--"), "behind a line end", "behind two of them" },
    { T(PART("f") "x\r\n--BX\r\n"), "text behind a boundary", "a longer boundary" },
    { T(PART("f") "x\r\n--B-X\r\n"), "text behind a boundary", "half of the last boundary" },
    { T(PART("f") "x\r\n--B\n"), "text behind a boundary", "a bare line feed behind one" },
    { T(PART("f") "x\r\n--B\rX"), "text behind a boundary", "a bare CR behind one" },
    { T(PART("f") "x\r\n--B --\r\n"), "text behind a boundary", "a blank inside the last one" },
    { T("hello\r\n" MODEL("m") END), "does not begin", "text before the first boundary" },
    { T("--C\r\n"), "does not begin", "another boundary" },
    { T("\r\n\r\n" MODEL("m") END), "does not begin", "two empty lines" },
    { T("\n" MODEL("m") END), "does not begin", "a bare line feed first" },
    { T("\r" MODEL("m") END), "does not begin", "a bare CR first" },
    { T("{\"model\":\"m\"}"), "does not begin", "JSON" },
    { T(MODEL("a") END MODEL("b") END), "goes on", "a second form" },
    { T(MODEL("a") END "x"), "goes on", "text behind the end" },
};

static void test_bad(void)
{
    apr_size_t i;
    seen_t seen;

    for (i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        run_all(refused[i].what, refused[i].text, refused[i].n, &seen);
        ok(seen.fault && strstr(seen.fault, refused[i].fault), "%s: the form %s", refused[i].what,
           seen.fault ? seen.fault : "is taken");
    }
}

static void test_limits(void)
{
    apr_pool_t *pool;
    char *text, *big;
    seen_t seen;
    int i;

    apr_pool_create(&pool, NULL);
    for (i = 0; i < 2; i++) {
        big = apr_pcalloc(pool, AI_FORM_HEAD_MAX + 2);
        memset(big, 'x', (apr_size_t)(AI_FORM_VALUE_MAX + i));
        text = apr_pstrcat(pool, PART("model"), big, "\r\n" END, NULL);
        run("B", text, strlen(text), strlen(text), 0, &seen);
        ok(!seen.fault == !i && strlen(seen.model) == (i ? 1 : AI_FORM_VALUE_MAX),
           "a value of %d bytes", AI_FORM_VALUE_MAX + i);
        /* The first header, its line end, and the empty line stand beside it. */
        memset(big, 'x', AI_FORM_HEAD_MAX);
        big[AI_FORM_HEAD_MAX - strlen("Content-Disposition: form-data; name=\"f\"\r\nx:\r\n\r\n")
            + (apr_size_t)i] = '\0';
        text = apr_pstrcat(pool, "--B\r\nContent-Disposition: form-data; name=\"f\"\r\nx:", big,
                           "\r\n\r\n\r\n" END, NULL);
        run("B", text, strlen(text), strlen(text), 0, &seen);
        ok(!seen.fault == !i && seen.done == !i, "a head of %d bytes", AI_FORM_HEAD_MAX + i);
    }
    big = apr_pcalloc(pool, 71);
    memset(big, '-', 70);
    text = apr_pstrcat(pool, "--", big, "\r\nContent-Disposition: form-data; name=model\r\n\r\nm\r\n",
                       "-", big, "\r\n--", big, "--", NULL);
    run(big, text, strlen(text), strlen(text), 0, &seen);
    ok(seen.fault != NULL, "a boundary of 70 dashes is looked for in a value, too");
    text = apr_pstrcat(pool, "--", big, "\r\nContent-Disposition: form-data; name=f\r\n\r\n-", big,
                       "\r\n--", big, "--", NULL);
    run(big, text, strlen(text), 3, 1, &seen);
    ok(!seen.fault && seen.done, "a line one dash shorter than a boundary of dashes is none");
    apr_pool_destroy(pool);
}

static void test_boundaries(void)
{
    static const struct {
        const char *type;
        int rc;
        const char *boundary;
    } rows[] = {
        { "multipart/form-data; boundary=abc", 1, "abc" },
        { "Multipart/Form-Data;BOUNDARY=\"a b:c\"", 1, "a b:c" },
        { "multipart/form-data; charset=utf-8; boundary=abc ", 1, "abc" },
        { "multipart/form-data; boundary=----WebKitFormBoundaryAbC+'()_,-./:=?", -1, NULL },
        { "multipart/form-data; boundary=\"----WebKitFormBoundaryAbC+'()_,-./:=?\"", 1,
          "----WebKitFormBoundaryAbC+'()_,-./:=?" },
        { "multipart/form-data", -1, NULL },
        { "multipart/form-data;", -1, NULL },
        { "multipart/form-data; boundary=", -1, NULL },
        { "multipart/form-data; boundary=\"\"", -1, NULL },
        { "multipart/form-data; boundary=\"a", -1, NULL },
        { "multipart/form-data; boundary=\"a \"", -1, NULL },
        { "multipart/form-data; boundary=\"a\tb\"", -1, NULL },
        { "multipart/form-data; boundary=\"a\\b\"", -1, NULL },
        { "multipart/form-data; boundary=a; boundary=b", -1, NULL },
        { "multipart/form-data; boundary=a, multipart/form-data; boundary=b", -1, NULL },
        { "multipart/form-data boundary=a", -1, NULL },
        { "multipart/form-data; boundary=0123456789012345678901234567890123456789012345678901234567"
          "890123456789", 1,
          "0123456789012345678901234567890123456789012345678901234567890123456789" },
        { "multipart/form-data; boundary=0123456789012345678901234567890123456789012345678901234567"
          "8901234567890", -1, NULL },
        { "multipart/form-datax; boundary=a", 0, NULL },
        { "multipart/mixed; boundary=a", 0, NULL },
        { "application/json", 0, NULL },
        { "", 0, NULL },
    };
    const char *boundary;
    apr_pool_t *pool;
    apr_size_t i;

    apr_pool_create(&pool, NULL);
    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int rc = ai_form_boundary(pool, rows[i].type, &boundary);

        ok(rc == rows[i].rc && (rc == 1) == (boundary != NULL)
               && (rc != 1 || strcmp(boundary, rows[i].boundary) == 0),
           "Content-Type %s: %d", rows[i].type, rc);
    }
    apr_pool_destroy(pool);
}

int main(void)
{
    apr_initialize();
    test_good();
    test_bad();
    test_limits();
    test_boundaries();
    apr_terminate();
    return done();
}
