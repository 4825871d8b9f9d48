/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sim_form.c - which fields does a multipart/form-data body have?
 *
 * As simple as a provider's reader may be: what a gateway lets pass must be right for this one.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include <string.h>

#include "ai_sim.h"

int form_is(const call_t *call)
{
    text_t type = http_header(call, "content-type");

    return type.n > 19 && text_is_nocase((text_t) { type.p, 19 }, "multipart/form-data");
}

/* "--" and the boundary, or nothing. */
static void add_mark(const call_t *call, buf_t *out)
{
    text_t type = http_header(call, "content-type"), value;
    const char *at = memmem(type.p, type.n, "boundary=", 9);

    if (!at) {
        return;
    }
    value = (text_t) { at + 9, type.n - (size_t)(at + 9 - type.p) };
    at = value.n ? memchr(value.p, ';', value.n) : NULL;
    value = text_trim((text_t) { value.p, at ? (size_t)(at - value.p) : value.n });
    if (value.n >= 2 && *value.p == '"') {
        value.p++;
        value.n -= 2;
    }
    buf_str(out, "--");
    buf_add(out, value.p, value.n);
}

/* The value of name="..." or filename="..." in a part's head. */
static text_t parameter(text_t head, const char *before, const char *name)
{
    buf_t key = { NULL, 0, 0 };
    text_t found = { NULL, 0 };
    const char *at, *end;

    buf_fmt(&key, "%s%s=\"", before, name);
    at = memmem(head.p, head.n, key.p, key.len);
    if (at) {
        at += key.len;
        end = memchr(at, '"', head.n - (size_t)(at - head.p));
        found = (text_t) { at, end ? (size_t)(end - at) : 0 };
    }
    buf_free(&key);
    return found;
}

int form_part(const call_t *call, const char *name, part_t *part)
{
    text_t rest = buf_text(&call->body);
    buf_t mark = { NULL, 0, 0 };
    int found = 0;

    add_mark(call, &mark);
    while (mark.len && !found && rest.n) {
        const char *begin = memmem(rest.p, rest.n, mark.p, mark.len), *head_end, *end;
        size_t left;

        if (!begin) {
            break;
        }
        begin += mark.len;
        left = rest.n - (size_t)(begin - rest.p);
        head_end = memmem(begin, left, "\r\n\r\n", 4);
        end = memmem(begin, left, mark.p, mark.len);
        if (!head_end || (end && head_end > end)) {
            break;
        }
        part->head = (text_t) { begin, (size_t)(head_end - begin) };
        head_end += 4;
        part->whole = end != NULL;
        end = end ? end - 2 : begin + left;
        part->value = (text_t) { head_end, end > head_end ? (size_t)(end - head_end) : 0 };
        part->filename = parameter(part->head, "", "filename");
        found = text_is(parameter(part->head, "; ", "name"), name);
        rest = (text_t) { end, left - (size_t)(end - begin) };
    }
    buf_free(&mark);
    return found;
}

text_t form_field(const call_t *call, const char *name)
{
    part_t part;

    return form_part(call, name, &part) ? part.value : (text_t) { NULL, 0 };
}

text_t call_member(const call_t *call, const char *name)
{
    return form_is(call) ? form_field(call, name) : json_get(call_json(call), name);
}

void call_text(const call_t *call, const char *name, buf_t *out)
{
    text_t value = call_member(call, name);

    if (form_is(call)) {
        buf_add(out, value.p, value.n);
    }
    else {
        json_decode(value, out);
    }
}

int call_text_is(const call_t *call, const char *name, const char *value)
{
    buf_t text = { NULL, 0, 0 };
    int is;

    call_text(call, name, &text);
    is = text_is(buf_text(&text), value);
    buf_free(&text);
    return is;
}

text_t call_json(const call_t *call)
{
    text_t text = buf_text(&call->body);

    while (text.n && *text.p && strchr(" \t\r\n", *text.p)) {
        text.p++;
        text.n--;
    }
    return text;
}
