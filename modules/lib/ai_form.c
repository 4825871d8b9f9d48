/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_form.c - which fields does a form have, and where do their values stand?
 *
 * A part ends where a line begins with "--" and the boundary. So data is skipped from line feed to
 * line feed, and only the first bytes of each line are compared; nothing of a file is kept.
 */
#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "ai_form.h"
#include "ai_json_scan.h"

#define BOUNDARY_MAX 70

typedef enum state_e {
    BEGIN,    /* before the first boundary */
    BEGIN_LF, /* the same, behind a CR */
    MARK,     /* inside the first boundary */
    MARKED,   /* behind a boundary */
    PADDING,  /* behind blanks behind a boundary */
    MARK_LF,  /* behind the CR behind a boundary */
    CLOSING,  /* behind the first '-' behind a boundary */
    DONE,     /* behind the last boundary */
    HEAD,     /* in the headers of a part */
    DATA,     /* in a line of a part that nobody asked for */
    LINE,     /* at the begin of such a line, which may be a boundary */
    VALUE,    /* in the value of a field that was asked for */
    VALUE_CR, /* behind a CR in it: nothing but a boundary may follow */
    VALUE_END,
    BROKEN
} state_e;

struct ai_form_t {
    apr_pool_t *pool;
    const char *const *names;
    state_e state;
    const char *fault;
    char mark[BOUNDARY_MAX + 3]; /* "--" and the boundary */
    apr_size_t n_mark;
    apr_size_t matched;          /* bytes of mark that a line has begun with */
    int proper;                  /* that line stands behind CR LF */
    char last;                   /* the byte before the one in hand */
    apr_uint64_t offset;         /* of the byte in hand */
    char head[AI_FORM_HEAD_MAX];
    apr_size_t n_head;
    int field;                   /* whose value is read, or -1 */
    char value[AI_FORM_VALUE_MAX + 1];
    apr_size_t n_value;
    apr_uint64_t value_offset;
    ai_form_field_t fields[AI_FORM_FIELDS_MAX];
};

/* --------------------------------------------------------------------- parameters of a header */

static int is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* RFC 9110, 5.6.2. */
static int is_token(char c)
{
    return apr_isalnum(c) || (c && strchr("!#$%&'*+-.^_`|~", c));
}

static ai_slice_t take_token(ai_slice_t *rest)
{
    ai_slice_t token = { rest->p, 0 };

    while (rest->n && is_token(*rest->p)) {
        rest->p++;
        rest->n--;
        token.n++;
    }
    return token;
}

static void skip_blanks(ai_slice_t *rest)
{
    while (rest->n && is_blank(*rest->p)) {
        rest->p++;
        rest->n--;
    }
}

/* A quoted string, without its quotes. Absent where it does not end, or holds a quote behind a
 * backslash: some readers take that for its end, and others do not. */
static ai_slice_t take_quoted(ai_slice_t *rest)
{
    ai_slice_t text = { rest->p + 1, 0 };

    while (text.n + 1 < rest->n && text.p[text.n] != '"') {
        text.n++;
    }
    if (text.n + 1 >= rest->n || (text.n && text.p[text.n - 1] == '\\')) {
        return (ai_slice_t){ NULL, 0 };
    }
    rest->p += text.n + 2;
    rest->n -= text.n + 2;
    return text;
}

/* Takes "; name=value" off. 1; 0 at the end; -1 where it is none. */
static int take_parameter(ai_slice_t *rest, ai_slice_t *name, ai_slice_t *value)
{
    skip_blanks(rest);
    if (!rest->n) {
        return 0;
    }
    if (*rest->p != ';') {
        return -1;
    }
    rest->p++;
    rest->n--;
    skip_blanks(rest);
    *name = take_token(rest);
    if (!name->n || !rest->n || *rest->p != '=') {
        return -1;
    }
    rest->p++;
    rest->n--;
    *value = rest->n && *rest->p == '"' ? take_quoted(rest) : take_token(rest);
    return value->p && (value->n || rest->p[-1] == '"') ? 1 : -1;
}

static int folds_to(ai_slice_t s, const char *lower)
{
    apr_size_t i;

    for (i = 0; i < s.n && lower[i]; i++) {
        if (apr_tolower(s.p[i]) != lower[i]) {
            return 0;
        }
    }
    return i == s.n && !lower[i];
}

/* RFC 2046, 5.1.1. */
static int is_boundary(ai_slice_t s)
{
    apr_size_t i;

    for (i = 0; i < s.n; i++) {
        if (!apr_isalnum(s.p[i]) && (!s.p[i] || !strchr("'()+_,-./:=? ", s.p[i]))) {
            return 0;
        }
    }
    return s.n >= 1 && s.n <= BOUNDARY_MAX && s.p[s.n - 1] != ' ';
}

int ai_form_boundary(apr_pool_t *p, const char *content_type, const char **boundary)
{
    ai_slice_t rest = ai_slice_of(content_type), name, value, found = { NULL, 0 };
    apr_size_t n = strlen("multipart/form-data");
    int rc;

    *boundary = NULL;
    skip_blanks(&rest);
    if (rest.n < n || !folds_to((ai_slice_t){ rest.p, n }, "multipart/form-data")
        || (rest.n > n && rest.p[n] != ';' && !is_blank(rest.p[n]))) {
        return 0;
    }
    rest.p += n;
    rest.n -= n;
    while ((rc = take_parameter(&rest, &name, &value)) > 0) {
        if (folds_to(name, "boundary")) {
            if (found.p || !is_boundary(value)) {
                return -1;
            }
            found = value;
        }
    }
    if (rc < 0 || !found.p) {
        return -1;
    }
    *boundary = apr_pstrmemdup(p, found.p, found.n);
    return 1;
}

/* -------------------------------------------------------------------------- the head of a part */

/* What is known of a part. */
typedef struct part_t {
    ai_slice_t name;
    int has_name;
    int is_file;
    int is_coded;
} part_t;

static const char *read_disposition(ai_slice_t rest, part_t *part)
{
    ai_slice_t name, value;
    int rc;

    skip_blanks(&rest);
    if (!folds_to(take_token(&rest), "form-data")) {
        return "has a part that is no form-data";
    }
    while ((rc = take_parameter(&rest, &name, &value)) > 0) {
        if (folds_to(name, "name")) {
            if (part->has_name) {
                return "has a part with two names";
            }
            part->name = value;
            part->has_name = 1;
        }
        else if (folds_to(name, "name*")) {
            return "has a name in the notation name*";
        }
        else if (folds_to(name, "filename") || folds_to(name, "filename*")) {
            part->is_file = 1;
        }
    }
    if (rc < 0) {
        return "has a Content-Disposition that cannot be read";
    }
    if (!part->has_name) {
        return "has a part without a name";
    }
    return memchr(part->name.p, '\\', part->name.n) ? "has a name with a backslash" : NULL;
}

/* RFC 2045, 6.1: these three leave the bytes as they are. */
static int is_plain_coding(ai_slice_t value)
{
    ai_slice_t word;

    skip_blanks(&value);
    word = take_token(&value);
    skip_blanks(&value);
    return !value.n && (folds_to(word, "7bit") || folds_to(word, "8bit")
                        || folds_to(word, "binary"));
}

static const char *read_header(ai_slice_t line, part_t *part)
{
    ai_slice_t rest = line, name;
    apr_size_t i;

    for (i = 0; i < line.n; i++) {
        if (apr_iscntrl(line.p[i]) && line.p[i] != '\t') {
            return "has a control character in the head of a part";
        }
    }
    name = take_token(&rest);
    if (!name.n || !rest.n || *rest.p != ':') {
        return "has a part with a header that is none";
    }
    rest.p++;
    rest.n--;
    if (folds_to(name, "content-disposition")) {
        return part->has_name ? "has a part with two Content-Dispositions"
                              : read_disposition(rest, part);
    }
    if (folds_to(name, "content-transfer-encoding")) {
        part->is_coded = part->is_coded || !is_plain_coding(rest);
    }
    return NULL;
}

/* Is it a field that was asked for? */
static const char *find_field(ai_form_t *form, const part_t *part)
{
    int i;

    form->field = -1;
    for (i = 0; form->names[i]; i++) {
        if (!folds_to(part->name, form->names[i])) {
            continue;
        }
        if (!ai_slice_is(part->name, form->names[i])) {
            return "has a field that is written in capital letters; names are lower-case";
        }
        if (form->fields[i].value) {
            return "has a field twice";
        }
        if (part->is_file || part->is_coded) {
            return "has a file, or an encoded text, in place of a field";
        }
        form->field = i;
    }
    return NULL;
}

/* The head is there, with the empty line that ends it. */
static const char *read_head(ai_form_t *form)
{
    part_t part = { { NULL, 0 }, 0, 0, 0 };
    const char *at = form->head, *end = form->head + form->n_head - 2, *fault = NULL;

    while (at < end && !fault) {
        const char *cr = at;

        while (cr[0] != '\r' || cr[1] != '\n') { /* the last line ends with one, too */
            cr++;
        }
        fault = read_header((ai_slice_t){ at, (apr_size_t)(cr - at) }, &part);
        at = cr + 2;
    }
    if (!fault && !part.has_name) {
        fault = "has a part without a Content-Disposition";
    }
    return fault ? fault : find_field(form, &part);
}

/* ----------------------------------------------------------------------------------- the bytes */

static void fail(ai_form_t *form, const char *fault)
{
    form->state = BROKEN;
    form->fault = fault;
}

static int is_utf8(const char *at, const char *end)
{
    apr_size_t n;

    for (; at < end; at += n) {
        n = (unsigned char)*at < 0x80 ? 1 : ai_json_utf8(at, end);
        if (!n) {
            return 0;
        }
    }
    return 1;
}

static void end_value(ai_form_t *form)
{
    ai_form_field_t *field = &form->fields[form->field];

    if (!is_utf8(form->value, form->value + form->n_value)) {
        fail(form, "has a field that is not UTF-8");
        return;
    }
    if (form->n_value >= form->n_mark && memcmp(form->value, form->mark, form->n_mark) == 0) {
        fail(form, "has a boundary where a value should be");
        return;
    }
    field->value = apr_pstrmemdup(form->pool, form->value, form->n_value);
    field->n = form->n_value;
    field->offset = form->value_offset;
    form->state = MARKED;
}

static void read_value(ai_form_t *form, char c)
{
    if (c == '\r') {
        form->state = VALUE_CR;
    }
    else if (apr_iscntrl(c)) {
        fail(form, "has a control character in a field");
    }
    else if (form->n_value == AI_FORM_VALUE_MAX) {
        fail(form, "has a field that is too long");
    }
    else {
        form->value[form->n_value++] = c;
    }
}

/* Goes on with a boundary that must come: of the first part, or behind a value. */
static void read_mark(ai_form_t *form, char c)
{
    if (c != form->mark[form->matched]) {
        fail(form, form->state == MARK ? "does not begin with its boundary"
                                       : "has a control character in a field");
    }
    else if (++form->matched < form->n_mark) {
        return;
    }
    else if (form->state == MARK) {
        form->state = MARKED;
    }
    else {
        end_value(form);
    }
}

static void begin_part(ai_form_t *form)
{
    const char *fault = read_head(form);

    if (fault) {
        fail(form, fault);
        return;
    }
    form->matched = 0;
    form->proper = 0; /* what would be a boundary here stands behind the head's line end */
    form->n_value = 0;
    form->value_offset = form->offset + 1;
    form->state = form->field >= 0 ? VALUE : LINE;
}

static void add_to_head(ai_form_t *form, char c)
{
    if (form->n_head == AI_FORM_HEAD_MAX) {
        fail(form, "has a part whose head is too long");
        return;
    }
    form->head[form->n_head++] = c;
    if (c == '\n' && ((form->n_head == 2 && form->head[0] == '\r')
                      || (form->n_head >= 4
                          && memcmp(form->head + form->n_head - 4, "\r\n\r\n", 4) == 0))) {
        begin_part(form);
    }
}

/* Behind a boundary. */
static void read_marked(ai_form_t *form, char c)
{
    if (c == '\r') {
        form->state = MARK_LF;
    }
    else if (is_blank(c)) {
        form->state = PADDING;
    }
    else if (c == '-' && form->state == MARKED) {
        form->state = CLOSING;
    }
    else {
        fail(form, "has text behind a boundary");
    }
}

static void read_begin(ai_form_t *form, char c)
{
    if (form->state == BEGIN && c == '\r' && form->offset == 0) {
        form->state = BEGIN_LF;
    }
    else if (form->state == BEGIN_LF) {
        if (c != '\n') {
            fail(form, "does not begin with its boundary");
        }
        else {
            form->state = MARK;
        }
    }
    else {
        form->state = MARK;
        read_mark(form, c);
    }
}

/* At the begin of a line of data. */
static void read_line(ai_form_t *form, char c)
{
    if (c == form->mark[form->matched]) {
        if (++form->matched == form->n_mark) {
            form->state = MARKED;
            if (!form->proper) {
                fail(form, "has a boundary that does not stand behind a line end (CR LF)");
            }
        }
        return;
    }
    form->state = DATA;
    if (c == '\n') {
        form->proper = 0; /* behind a CR it would have been data already */
        form->matched = 0;
        form->state = LINE;
    }
}

/* Skips data up to a line's begin. Returns how many bytes that were. */
static apr_size_t skip_data(ai_form_t *form, const char *bytes, apr_size_t n)
{
    const char *lf = memchr(bytes, '\n', n);

    if (!lf) {
        return n;
    }
    form->proper = (lf > bytes ? lf[-1] : form->last) == '\r';
    form->matched = 0;
    form->state = LINE;
    return (apr_size_t)(lf - bytes) + 1;
}

static void read_byte(ai_form_t *form, char c)
{
    switch (form->state) {
    case BEGIN:
    case BEGIN_LF:
        read_begin(form, c);
        break;
    case MARK:
    case VALUE_END:
        read_mark(form, c);
        break;
    case MARKED:
    case PADDING:
        read_marked(form, c);
        break;
    case MARK_LF:
        form->n_head = 0;
        form->state = HEAD;
        if (c != '\n') {
            fail(form, "has text behind a boundary");
        }
        break;
    case CLOSING:
        form->state = DONE;
        if (c != '-') {
            fail(form, "has text behind a boundary");
        }
        break;
    case DONE:
        if (!is_blank(c) && c != '\r' && c != '\n') {
            fail(form, "goes on behind its last boundary");
        }
        break;
    case HEAD:
        add_to_head(form, c);
        break;
    case LINE:
        read_line(form, c);
        break;
    case VALUE:
        read_value(form, c);
        break;
    case VALUE_CR:
        form->matched = 0;
        form->state = VALUE_END;
        if (c != '\n') {
            fail(form, "has a control character in a field");
        }
        break;
    case DATA:
    case BROKEN:
        break;
    }
}

ai_form_t *ai_form_create(apr_pool_t *p, const char *boundary, const char *const *names)
{
    ai_form_t *form = apr_pcalloc(p, sizeof(*form));

    form->pool = p;
    form->names = names;
    form->n_mark = (apr_size_t)(apr_cpystrn(form->mark + 2, boundary, BOUNDARY_MAX + 1)
                                - form->mark);
    form->mark[0] = form->mark[1] = '-';
    form->field = -1;
    return form;
}

const char *ai_form_feed(ai_form_t *form, const char *bytes, apr_size_t n)
{
    apr_size_t i = 0;

    while (i < n && form->state != BROKEN) {
        apr_size_t taken = 1;

        if (form->state == DATA) {
            taken = skip_data(form, bytes + i, n - i);
        }
        else {
            read_byte(form, bytes[i]);
        }
        i += taken;
        form->last = bytes[i - 1];
        form->offset += taken;
    }
    return form->fault;
}

int ai_form_is_done(const ai_form_t *form)
{
    return form->state == DONE;
}

const ai_form_field_t *ai_form_get(const ai_form_t *form, int i)
{
    return form->fields[i].value ? &form->fields[i] : NULL;
}
