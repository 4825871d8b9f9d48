/* SPDX-License-Identifier: Apache-2.0 */
/*
 * key_commands.c - what does each key command do?
 *
 * A secret is printed when the file that holds its digest is on the disk, and never again.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <apr_env.h>
#include <apr_network_io.h>
#include <apr_strings.h>

#include <openssl/crypto.h>

#include "aictl.h"

#define FIELDS " name tenant user tier model deny-model endpoint source not-before expires limits " \
    "metadata "

#define DEFAULT_OVERLAP APR_INT64_C(86400000)

typedef struct call_t {
    apr_pool_t *pool;
    apr_time_t now;
    key_options_t options;
    key_file_t file;
} call_t;

static void print(ai_slice_t text)
{
    fwrite(text.p, 1, text.n, stdout);
}

/* A failure of a command whose words were right. */
static int fail(const char *wrong)
{
    return complain(FAILED, wrong);
}

/* The place of a key in the file, or -1 and a complaint. */
static int place_of(const call_t *call, const char *id)
{
    const ai_key_t *key = ai_keys_find(call->file.keys, ai_slice_of(id));

    if (!key) {
        /* Somebody may have given a whole key: it must not go on into a log. */
        fail(strlen(id) == AI_KEY_ID
                 ? apr_psprintf(call->pool, "%s: has no key '%s'", call->file.path, id)
                 : apr_psprintf(call->pool, "%s: a key is named by its id, 12 letters and digits",
                                call->file.path));
        return -1;
    }
    return (int)(key - ai_keys_at(call->file.keys, 0));
}

static int save(call_t *call)
{
    const char *wrong = key_file_save(&call->file);

    return wrong ? fail(wrong) : DONE_WELL;
}

/* Prints the text of a key that was saved, and wipes it. */
static int tell(call_t *call, const ai_key_t *key, char *text)
{
    if (call->options.json) {
        print(key_show_secret(call->pool, key, text));
    }
    else {
        printf("%s\n", text);
        fprintf(stderr, "aictl: key %s; it is shown this once\n", key->id);
    }
    OPENSSL_cleanse(text, AI_KEY_LENGTH);
    if (fflush(stdout) != 0) {
        return fail(apr_psprintf(call->pool, "key %s was made, but could not be printed; rotate or "
                                 "delete it", key->id));
    }
    return DONE_WELL;
}

/* ------------------------------------------------------------------------- the commands */

static int create(call_t *call)
{
    char text[AI_KEY_LENGTH + 1];
    const ai_key_t *record;
    const char *wrong;
    ai_slice_t id;
    ai_key_t key;
    int status;

    memset(&key, 0, sizeof(key));
    do {
        if (ai_key_make(text) != APR_SUCCESS) {
            return fail("the system gives no random bytes");
        }
        ai_key_look(ai_slice_of(text), &id);
    } while (ai_keys_find(call->file.keys, id));
    key.id = apr_pstrmemdup(call->pool, id.p, id.n);
    key.created = call->now;
    ai_key_digest(ai_slice_of(text), key.digest);
    wrong = key_options_apply(call->pool, &call->options, &key, &record);
    if (wrong) {
        return complain(MISUSED, wrong);
    }
    if (ai_keys_count(call->file.keys) >= AI_KEYS_MOST) {
        return fail("the file has as many keys as a file may have");
    }
    call->file.appended = ai_key_write(call->pool, record);
    status = save(call);
    return status == DONE_WELL ? tell(call, record, text) : status;
}

static int list(call_t *call)
{
    print(key_show_list(call->pool, call->file.keys, call->now, call->options.json));
    return DONE_WELL;
}

static int show(call_t *call)
{
    int place = place_of(call, APR_ARRAY_IDX(call->options.ids, 0, const char *));

    if (place < 0) {
        return FAILED;
    }
    print(key_show_one(call->pool, ai_keys_at(call->file.keys, place), call->now,
                       call->options.json));
    return DONE_WELL;
}

static int update(call_t *call)
{
    int place = place_of(call, APR_ARRAY_IDX(call->options.ids, 0, const char *));
    const ai_key_t *record;
    const char *wrong;

    if (place < 0) {
        return FAILED;
    }
    if (!call->options.members->nelts && !call->options.cleared->nelts) {
        return complain(MISUSED, "update: nothing is said to change");
    }
    wrong = key_options_apply(call->pool, &call->options, ai_keys_at(call->file.keys, place),
                              &record);
    if (wrong) {
        return complain(MISUSED, wrong);
    }
    call->file.lines[place] = ai_key_write(call->pool, record);
    return save(call);
}

/* The newest text goes on beside the new one; one that is older ends now. */
static int rotate(call_t *call)
{
    int status, place = place_of(call, APR_ARRAY_IDX(call->options.ids, 0, const char *));
    char text[AI_KEY_LENGTH + 1];
    apr_int64_t overlap = call->options.overlap;
    ai_key_t key;

    if (place < 0) {
        return FAILED;
    }
    key = *ai_keys_at(call->file.keys, place);
    if (ai_key_renew(ai_slice_of(key.id), text) != APR_SUCCESS) {
        return fail("the system gives no random bytes");
    }
    if (key.has_next) {
        memcpy(key.digest, key.next_digest, sizeof(key.digest));
    }
    overlap = overlap < 0 ? DEFAULT_OVERLAP : overlap;
    key.has_next = overlap > 0;
    key.next_until = overlap > 0 ? call->now + apr_time_from_msec(overlap) : 0;
    ai_key_digest(ai_slice_of(text), overlap > 0 ? key.next_digest : key.digest);
    call->file.lines[place] = ai_key_write(call->pool, &key);
    status = save(call);
    return status == DONE_WELL ? tell(call, &key, text) : status;
}

/* disabled: 1 or 0; -1: delete. All of them or, if one is not there, none. */
static int change_all(call_t *call, int disabled)
{
    int i;

    for (i = 0; i < call->options.ids->nelts; i++) {
        int place = place_of(call, APR_ARRAY_IDX(call->options.ids, i, const char *));
        ai_key_t key;

        if (place < 0) {
            return FAILED;
        }
        key = *ai_keys_at(call->file.keys, place);
        key.disabled = disabled;
        call->file.lines[place] = disabled < 0 ? AI_SLICE("") : ai_key_write(call->pool, &key);
    }
    return save(call);
}

static int disable(call_t *call)
{
    return change_all(call, 1);
}

static int enable(call_t *call)
{
    return change_all(call, 0);
}

static int delete_all(call_t *call)
{
    return change_all(call, -1);
}

static int export_some(call_t *call)
{
    int i, n = call->options.ids->nelts;

    for (i = 0; i < (n ? n : ai_keys_count(call->file.keys)); i++) {
        int place = n ? place_of(call, APR_ARRAY_IDX(call->options.ids, i, const char *)) : i;

        if (place < 0) {
            return FAILED;
        }
        print(ai_key_write(call->pool, ai_keys_at(call->file.keys, place)));
        print(AI_SLICE("\n"));
    }
    return DONE_WELL;
}

/* Judges the key that stdin says. Its text goes nowhere. */
static int check_key(call_t *call, apr_sockaddr_t *from)
{
    unsigned char digest[AI_KEY_DIGEST];
    ai_key_verdict_e verdict;
    const ai_key_t *key;
    char text[1024];
    ai_slice_t said, id;

    said = (ai_slice_t){ text, fread(text, 1, sizeof(text), stdin) };
    while (said.n && strchr("\r\n", text[said.n - 1]) && text[said.n - 1]) {
        said.n--;
    }
    if (ai_key_look(said, &id) != AI_KEY_WELL) {
        OPENSSL_cleanse(text, sizeof(text));
        return fail("what stdin has is no key: its prefix, length or check is wrong");
    }
    key = ai_keys_find(call->file.keys, id);
    if (!key) {
        printf("%.*s unknown_key\n", (int)id.n, id.p);
        OPENSSL_cleanse(text, sizeof(text));
        return FAILED;
    }
    ai_key_digest(said, digest);
    OPENSSL_cleanse(text, sizeof(text));
    verdict = ai_key_judge(key, digest, call->now, from);
    printf("%s %s\n", key->id, verdict == AI_KEY_GOOD ? "good" : ai_key_reason(verdict));
    return verdict == AI_KEY_GOOD ? DONE_WELL : FAILED;
}

static int check(call_t *call)
{
    const char *word = call->options.from;
    apr_sockaddr_t *from = NULL;
    apr_ipsubnet_t *subnet;

    if (!call->options.from_stdin) {
        if (word) {
            return complain(MISUSED, "--from: needs --stdin");
        }
        printf("%s: %d keys\n", call->file.path, ai_keys_count(call->file.keys));
        return DONE_WELL;
    }
    /* Looked at first, so that no name is asked of the network. */
    if (word && (apr_ipsubnet_create(&subnet, word, NULL, call->pool) != APR_SUCCESS
                 || apr_sockaddr_info_get(&from, word, APR_UNSPEC, 0, 0, call->pool) != APR_SUCCESS)) {
        return complain(MISUSED, "--from: must be an address");
    }
    return check_key(call, from);
}

/* ---------------------------------------------------------------------------- the table */

static const struct {
    const char *name;
    int (*run)(call_t *call);
    int least, most;     /* ids */
    int writes, creates; /* the file */
    const char *options; /* spaces around each; file is for all */
    const char *usage;
} commands[] = {
    { "create", create, 0, 0, 1, 1, FIELDS "json file ", "[FIELD]... [--json]" },
    { "list", list, 0, 0, 0, 0, " json file ", "[--json]" },
    { "show", show, 1, 1, 0, 0, " json file ", "[--json] ID" },
    { "update", update, 1, 1, 1, 0, FIELDS "clear file ", "[FIELD]... [--clear FIELD]... ID" },
    { "rotate", rotate, 1, 1, 1, 0, " overlap json file ", "[--overlap SPAN] [--json] ID" },
    { "disable", disable, 1, 1000, 1, 0, " file ", "ID..." },
    { "enable", enable, 1, 1000, 1, 0, " file ", "ID..." },
    { "delete", delete_all, 1, 1000, 1, 0, " file ", "ID..." },
    { "export", export_some, 0, 1000, 0, 0, " file ", "[ID]..." },
    { "check", check, 0, 0, 0, 0, " stdin from file ", "[--stdin [--from ADDRESS]]" },
};

#define COMMANDS_N ((int)(sizeof(commands) / sizeof(commands[0])))

void key_usage(void)
{
    int i;

    for (i = 0; i < COMMANDS_N; i++) {
        printf("  aictl key %-8s %s\n", commands[i].name, commands[i].usage);
    }
    printf("\nFIELD: --name TEXT, --tenant PATH, --user NAME, --tier WORD, --model PATTERN...,\n"
           "       --deny-model PATTERN..., --endpoint WORD..., --source ADDRESS[/BITS]...,\n"
           "       --expires 30d|TIME, --not-before 30d|TIME, --metadata NAME=VALUE...,\n"
           "       --limits JSON\n"
           "FILE:  --file PATH, or $AI_KEY_FILE, or %s\n", AI_KEY_FILE);
}

static const char *path_of(call_t *call)
{
    char *path = NULL;

    if (call->options.file) {
        return call->options.file;
    }
    return apr_env_get(&path, "AI_KEY_FILE", call->pool) == APR_SUCCESS && *path ? path
                                                                                  : AI_KEY_FILE;
}

int key_command(apr_pool_t *p, int argc, const char *const *argv)
{
    call_t *call = apr_pcalloc(p, sizeof(*call));
    const char *wrong;
    int i;

    for (i = 0; i < COMMANDS_N && strcmp(argv[0], commands[i].name) != 0; i++) {
        continue;
    }
    if (i == COMMANDS_N) {
        return complain(MISUSED, "key: there is no such command; aictl --help");
    }
    call->pool = p;
    call->now = apr_time_now();
    wrong = key_options_read(p, argc, argv, commands[i].options, call->now, &call->options);
    if (!wrong && (call->options.ids->nelts < commands[i].least
                   || call->options.ids->nelts > commands[i].most)) {
        wrong = apr_psprintf(p, "usage: aictl key %s %s", commands[i].name, commands[i].usage);
    }
    if (wrong) {
        return complain(MISUSED, wrong);
    }
    wrong = key_file_open(p, path_of(call), commands[i].writes, commands[i].creates, &call->file);
    return wrong ? fail(wrong) : commands[i].run(call);
}
