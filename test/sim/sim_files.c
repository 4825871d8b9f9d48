/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sim_files.c - what does a provider keep: files, and batches made of them?
 *
 * They are kept until /_sim/reset, and known to this one process alone: to another simulator their
 * ids are unknown, as they are to another provider.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE 1
#endif
#include <stdlib.h>
#include <string.h>

#include "ai_sim.h"

typedef struct kept {
    struct kept *next;
    unsigned long number;
    int is_batch, cancelled;
    buf_t name, purpose, content;    /* of a batch: its endpoint, -, its input's id */
} kept_t;

static kept_t *all;
static unsigned long last_number;

void files_forget(void)
{
    while (all) {
        kept_t *k = all;

        all = k->next;
        buf_free(&k->name);
        buf_free(&k->purpose);
        buf_free(&k->content);
        free(k);
    }
}

static kept_t *keep(int is_batch)
{
    kept_t *k = sim_alloc(sizeof(*k));

    k->number = ++last_number;
    k->is_batch = is_batch;
    k->next = all;
    all = k;
    return k;
}

static void add_id(const kept_t *k, buf_t *out)
{
    buf_fmt(out, "%s%06lu", k->is_batch ? "batch_sim" : "file-sim", k->number);
}

static kept_t *find(text_t id, int is_batch)
{
    kept_t *k;

    for (k = all; k; k = k->next) {
        buf_t name = { NULL, 0, 0 };
        int is;

        add_id(k, &name);
        is = k->is_batch == is_batch && name.len == id.n && memcmp(name.p, id.p, id.n) == 0;
        buf_free(&name);
        if (is) {
            return k;
        }
    }
    return NULL;
}

static void refuse(call_t *call, int status, const char *message, buf_t *out)
{
    call->status = status;
    call->is_error_answer = 1;
    error_body(status, message, NULL, out);
}

/* What stands behind "/files" or "/batches": the id, and what is wanted of it. */
static text_t behind(const call_t *call, const char *word, text_t *what)
{
    const char *at = memmem(call->path.p, call->path.n, word, strlen(word)), *slash;
    text_t id = { at + strlen(word), call->path.n - (size_t)(at + strlen(word) - call->path.p) };

    *what = (text_t) { "", 0 };
    if (id.n && *id.p == '/') {
        id.p++;
        id.n--;
    }
    slash = id.n ? memchr(id.p, '/', id.n) : NULL;
    if (slash) {
        *what = (text_t) { slash + 1, id.n - (size_t)(slash + 1 - id.p) };
        id.n = (size_t)(slash - id.p);
    }
    return id;
}

static void add_file(const kept_t *k, buf_t *out)
{
    buf_str(out, "{\"id\":\"");
    add_id(k, out);
    buf_fmt(out, "\",\"object\":\"file\",\"bytes\":%zu,\"created_at\":1700000000,\"filename\":",
            k->content.len);
    buf_quote(out, k->name.p, k->name.len);
    buf_str(out, ",\"purpose\":");
    buf_quote(out, k->purpose.p, k->purpose.len);
    buf_str(out, ",\"status\":\"processed\"}");
}

static void add_batch(const kept_t *k, buf_t *out)
{
    buf_str(out, "{\"id\":\"");
    add_id(k, out);
    buf_str(out, "\",\"object\":\"batch\",\"endpoint\":");
    buf_quote(out, k->name.p, k->name.len);
    buf_str(out, ",\"input_file_id\":");
    buf_quote(out, k->content.p, k->content.len);
    buf_fmt(out, ",\"completion_window\":\"24h\",\"status\":\"%s\",\"created_at\":1700000000}",
            k->cancelled ? "cancelling" : "validating");
}

static void list(int is_batch, buf_t *out)
{
    const kept_t *k;
    int n = 0;

    buf_str(out, "{\"object\":\"list\",\"data\":[");
    for (k = all; k; k = k->next) {
        if (k->is_batch == is_batch) {
            buf_str(out, n++ ? "," : "");
            (is_batch ? add_batch : add_file)(k, out);
        }
    }
    buf_str(out, "],\"has_more\":false}");
}

static void upload(call_t *call, buf_t *out)
{
    text_t purpose = form_field(call, "purpose");
    part_t file;
    kept_t *k;

    if (!purpose.p || !form_part(call, "file", &file)) {
        refuse(call, 400, "The fields 'file' and 'purpose' are required.", out);
        return;
    }
    k = keep(0);
    buf_add(&k->name, file.filename.p, file.filename.n);
    buf_add(&k->purpose, purpose.p, purpose.n);
    buf_add(&k->content, file.value.p, file.value.n);
    add_file(k, out);
}

static void delete_file(kept_t *k, buf_t *out)
{
    kept_t **at = &all;

    buf_str(out, "{\"id\":\"");
    add_id(k, out);
    buf_str(out, "\",\"object\":\"file\",\"deleted\":true}");
    while (*at != k) {
        at = &(*at)->next;
    }
    *at = k->next;
    buf_free(&k->name);
    buf_free(&k->purpose);
    buf_free(&k->content);
    free(k);
}

static void files(call_t *call, buf_t *out)
{
    text_t what, id = behind(call, "/files", &what);
    kept_t *k = id.n ? find(id, 0) : NULL;

    if (call->script.echo) {
        endpoint_echo.plain(call, out);
    }
    else if (!id.n && text_is(call->method, "POST")) {
        upload(call, out);
    }
    else if (!id.n) {
        list(0, out);
    }
    else if (!k) {
        refuse(call, 404, "No such File object.", out);
    }
    else if (text_is(what, "content")) {
        call->plain_type = "application/octet-stream";
        buf_add(out, k->content.p, k->content.len);
    }
    else if (text_is(call->method, "DELETE")) {
        delete_file(k, out);
    }
    else {
        add_file(k, out);
    }
}

static void create_batch(call_t *call, buf_t *out)
{
    buf_t input = { NULL, 0, 0 };
    kept_t *k;

    call_text(call, "input_file_id", &input);
    if (!input.len || !find(buf_text(&input), 0)) {
        refuse(call, 400, "The input file does not exist.", out);
        buf_free(&input);
        return;
    }
    k = keep(1);
    call_text(call, "endpoint", &k->name);
    k->content = input;
    add_batch(k, out);
}

static void batches(call_t *call, buf_t *out)
{
    text_t what, id = behind(call, "/batches", &what);
    kept_t *k = id.n ? find(id, 1) : NULL;

    if (call->script.echo) {
        endpoint_echo.plain(call, out);
    }
    else if (!id.n && text_is(call->method, "POST")) {
        create_batch(call, out);
    }
    else if (!id.n) {
        list(1, out);
    }
    else if (!k) {
        refuse(call, 404, "No such Batch object.", out);
    }
    else {
        k->cancelled = k->cancelled || text_is(what, "cancel");
        add_batch(k, out);
    }
}

const endpoint_t endpoint_files = {
    "files", { NULL }, DIALECT_OPENAI, files, NULL, NULL, .has_default_model = 1,
};
const endpoint_t endpoint_batches = {
    "batches", { NULL }, DIALECT_OPENAI, batches, NULL, NULL, .has_default_model = 1,
};

/* 1 when the path goes on from there with nothing or "/..." and stands below no other thing. */
static int is_below(text_t path, const char *word)
{
    size_t n = strlen(word);
    const char *at = memmem(path.p, path.n, word, n);

    return at && ((size_t)(at - path.p) + n == path.n || at[n] == '/')
           && !memmem(path.p, path.n, "/messages/", 10) && !memmem(path.p, path.n, "_stores/", 8);
}

const endpoint_t *files_endpoint(const call_t *call)
{
    return is_below(call->path, "/files")     ? &endpoint_files
           : is_below(call->path, "/batches") ? &endpoint_batches
                                              : NULL;
}
