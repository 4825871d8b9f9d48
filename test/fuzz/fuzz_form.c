/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fuzz_form.c - is a form read alike however it is cut, and do its fields stand where it says?
 *
 * The first byte of the input says where the rest is cut in two; it is also fed byte by byte. A
 * field that is found is replaced by another value, and the form is read again. The bytes up to
 * the first line end serve as a Content-Type, too.
 */
#include <string.h>

#include <apr_general.h>
#include <apr_strings.h>

#include "ai_form.h"
#include "fuzz.h"

#define BOUNDARY "B"

static const char *const names[] = { "model", "stream", NULL };

/* Feeds the first cut bytes and the rest; or, with cut -1, byte by byte. */
static ai_form_t *run(apr_pool_t *p, const char *boundary, const char *text, apr_size_t n,
                      long cut, const char **fault)
{
    ai_form_t *form = ai_form_create(p, boundary, names);
    apr_size_t i;

    *fault = NULL;
    if (cut >= 0) {
        ai_form_feed(form, text, (apr_size_t)cut);
        *fault = ai_form_feed(form, text + cut, n - (apr_size_t)cut);
    }
    for (i = 0; cut < 0 && i < n; i++) {
        *fault = ai_form_feed(form, text + i, 1);
    }
    return form;
}

static void compare(const ai_form_t *a, const ai_form_t *b)
{
    int i;

    must(ai_form_is_done(a) == ai_form_is_done(b));
    for (i = 0; names[i]; i++) {
        const ai_form_field_t *x = ai_form_get(a, i), *y = ai_form_get(b, i);

        must(!x == !y);
        must(!x || (x->offset == y->offset && x->n == y->n && strcmp(x->value, y->value) == 0));
    }
}

static void check_fields(const ai_form_t *form, const char *text, apr_size_t n)
{
    apr_size_t k;
    int i;

    for (i = 0; names[i]; i++) {
        const ai_form_field_t *field = ai_form_get(form, i);

        if (!field) {
            continue;
        }
        must(field->n <= AI_FORM_VALUE_MAX && field->offset + field->n <= n);
        must(memcmp(text + field->offset, field->value, field->n) == 0 && !field->value[field->n]);
        for (k = 0; k < field->n; k++) {
            must((unsigned char)field->value[k] >= 0x20 && field->value[k] != 0x7f);
        }
    }
}

/* The same form with another model is a form with that model. */
static void rename_model(apr_pool_t *p, const ai_form_t *form, const char *text, apr_size_t n)
{
    const ai_form_field_t *field = ai_form_get(form, 0), *again;
    static const char other[] = "another-model";
    const char *fault;
    char *edited;
    apr_size_t n_other = sizeof(other) - 1;

    if (!field) {
        return;
    }
    edited = apr_palloc(p, n + n_other + 1);
    memcpy(edited, text, field->offset);
    memcpy(edited + field->offset, other, n_other);
    memcpy(edited + field->offset + n_other, text + field->offset + field->n,
           n - field->offset - field->n);
    again = ai_form_get(run(p, BOUNDARY, edited, n - field->n + n_other, 0, &fault), 0);
    must(!fault && again && strcmp(again->value, other) == 0 && again->offset == field->offset);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static apr_pool_t *root;
    const char *text, *boundary, *fault, *other;
    ai_form_t *whole, *cut;
    apr_pool_t *pool;
    int rc;

    if (!root) {
        apr_initialize();
        apr_pool_create(&root, NULL);
    }
    if (n == 0) {
        return 0;
    }
    text = (const char *)bytes + 1;
    n--;
    apr_pool_create(&pool, root);
    whole = run(pool, BOUNDARY, text, n, 0, &fault);
    cut = run(pool, BOUNDARY, text, n, (long)(bytes[0] % (n + 1)), &other);
    must(fault == other);
    compare(whole, cut);
    cut = run(pool, BOUNDARY, text, n, -1, &other);
    must(fault == other);
    compare(whole, cut);
    check_fields(whole, text, n);
    if (!fault) {
        rename_model(pool, whole, text, n);
    }
    rc = ai_form_boundary(pool, apr_pstrmemdup(pool, text, strcspn(apr_pstrmemdup(pool, text, n),
                                                                   "\r\n")), &boundary);
    must((rc == 1) == (boundary != NULL));
    if (rc == 1) {
        must(strlen(boundary) >= 1 && strlen(boundary) <= 70);
        run(pool, boundary, text, n, 0, &fault);
    }
    apr_pool_destroy(pool);
    return 0;
}
