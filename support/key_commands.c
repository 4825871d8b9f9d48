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

#include <apr_network_io.h>
#include <apr_strings.h>

#include <openssl/crypto.h>

#include "aictl.h"

#define FIELDS " name tenant user tier model deny-model endpoint source not-before expires limits " \
    "metadata "

/* Options of all commands: where the keys are. */
#define PLACE " file database runtime "

#define DEFAULT_OVERLAP APR_INT64_C(86400000)

/* Nobody is told: the command is to be run again. */
#define AGAIN (-1)
#define TRIES 20

typedef struct call_t {
    apr_pool_t *pool;
    apr_time_t now;
    key_options_t options;
    key_source_t source;
    const ai_keys_t *imported; /* what import has read */
} call_t;

static void print(ai_slice_t text)
{
    fwrite(text.p, 1, text.n, stdout);
}

/* A failure of a command whose words were right. */
static int fail(const char *wrong)
{
    return wrong == key_source_stale ? AGAIN : complain(FAILED, wrong);
}

/* The key with that id, or NULL and a complaint. */
static const ai_key_t *find(const call_t *call, const char *id)
{
    const ai_key_t *key = NULL;
    const char *wrong = call->source.find(call->source.self, call->pool, id, &key);

    if (wrong) {
        fail(wrong);
    }
    else if (!key) {
        /* Somebody may have given a whole key: it must not go on into a log. */
        fail(strlen(id) == AI_KEY_ID
                 ? apr_psprintf(call->pool, "%s: has no key '%s'", call->source.name, id)
                 : apr_psprintf(call->pool, "%s: a key is named by its id, 12 letters and digits",
                                call->source.name));
    }
    return key;
}

static const ai_key_t *find_first(const call_t *call)
{
    return find(call, APR_ARRAY_IDX(call->options.ids, 0, const char *));
}

static int save(call_t *call)
{
    const char *wrong = call->source.save(call->source.self);

    return wrong ? fail(wrong) : DONE_WELL;
}

/* Puts a key in the place of one that was found. */
static int change(call_t *call, const ai_key_t *key)
{
    const char *wrong = call->source.change(call->source.self, key);

    return wrong ? fail(wrong) : save(call);
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
    const ai_key_t *record, *there;
    char text[AI_KEY_LENGTH + 1];
    const char *wrong;
    int added, status;
    ai_slice_t id;
    ai_key_t key;

    memset(&key, 0, sizeof(key));
    do {
        if (ai_key_make(text) != APR_SUCCESS) {
            return fail("the system gives no random bytes");
        }
        ai_key_look(ai_slice_of(text), &id);
        key.id = apr_pstrmemdup(call->pool, id.p, id.n);
        wrong = call->source.find(call->source.self, call->pool, key.id, &there);
        if (wrong) {
            return fail(wrong);
        }
    } while (there);
    key.created = call->now;
    ai_key_digest(ai_slice_of(text), key.digest);
    wrong = key_options_apply(call->pool, &call->options, &key, &record);
    if (wrong) {
        return complain(MISUSED, wrong);
    }
    wrong = call->source.add(call->source.self, &record, 1, &added);
    if (wrong || !added) {
        return fail(wrong ? wrong : key_source_stale);
    }
    status = save(call);
    return status == DONE_WELL ? tell(call, record, text) : status;
}

typedef struct listing_t {
    const call_t *call;
    int n;
} listing_t;

static const char *list_one(void *baton, apr_pool_t *scratch, const ai_key_t *key)
{
    listing_t *listing = baton;

    print(key_show_row(scratch, key, listing->call->now, listing->call->options.json, listing->n++));
    return NULL;
}

static int list(call_t *call)
{
    listing_t listing = { call, 0 };
    const char *wrong;

    print(key_show_head(call->options.json));
    wrong = call->source.walk(call->source.self, list_one, &listing);
    if (wrong) {
        return fail(wrong);
    }
    print(key_show_end(call->options.json));
    return DONE_WELL;
}

static int show(call_t *call)
{
    const ai_key_t *key = find_first(call);

    if (!key) {
        return FAILED;
    }
    print(key_show_one(call->pool, key, call->now, call->options.json));
    return DONE_WELL;
}

static int update(call_t *call)
{
    const ai_key_t *record, *key = find_first(call);
    const char *wrong;

    if (!key) {
        return FAILED;
    }
    if (!call->options.members->nelts && !call->options.cleared->nelts) {
        return complain(MISUSED, "update: nothing is said to change");
    }
    wrong = key_options_apply(call->pool, &call->options, key, &record);
    return wrong ? complain(MISUSED, wrong) : change(call, record);
}

/* The newest text goes on beside the new one; one that is older ends now. */
static int rotate(call_t *call)
{
    const ai_key_t *found = find_first(call);
    char text[AI_KEY_LENGTH + 1];
    apr_int64_t overlap = call->options.overlap;
    ai_key_t key;
    int status;

    if (!found) {
        return FAILED;
    }
    key = *found;
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
    status = change(call, &key);
    return status == DONE_WELL ? tell(call, &key, text) : status;
}

/* disabled: 1 or 0; -1: delete. All of them or, if one is not there, none. */
static int change_all(call_t *call, int disabled)
{
    const char *wrong = NULL;
    int i;

    for (i = 0; !wrong && i < call->options.ids->nelts; i++) {
        const ai_key_t *found = find(call, APR_ARRAY_IDX(call->options.ids, i, const char *));
        ai_key_t key;

        if (!found) {
            return FAILED;
        }
        key = *found;
        key.disabled = disabled;
        wrong = disabled < 0 ? call->source.drop(call->source.self, key.id)
                             : call->source.change(call->source.self, &key);
    }
    return wrong ? fail(wrong) : save(call);
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

static const char *export_one(void *baton, apr_pool_t *scratch, const ai_key_t *key)
{
    (void)baton;
    print(ai_key_write(scratch, key));
    print(AI_SLICE("\n"));
    return NULL;
}

static int export_some(call_t *call)
{
    const char *wrong;
    int i;

    if (!call->options.ids->nelts) {
        wrong = call->source.walk(call->source.self, export_one, NULL);
        return wrong ? fail(wrong) : DONE_WELL;
    }
    for (i = 0; i < call->options.ids->nelts; i++) {
        const ai_key_t *key = find(call, APR_ARRAY_IDX(call->options.ids, i, const char *));

        if (!key) {
            return FAILED;
        }
        export_one(NULL, call->pool, key);
    }
    return DONE_WELL;
}

static int import_all(call_t *call)
{
    key_import_t done;
    const char *wrong = key_import(call->pool, &call->source, call->imported,
                                   call->options.replace, &done);
    /* Not run again: what standard input had is read. */
    int status = wrong ? complain(FAILED, wrong) : save(call);

    if (status == DONE_WELL) {
        fprintf(stderr, "aictl: %d keys are new, %d were replaced, %d were there already\n", done.added,
                done.replaced, done.same);
    }
    return status;
}

/* Judges the key that stdin says. Its text goes nowhere. */
static int check_key(call_t *call, apr_sockaddr_t *from)
{
    unsigned char digest[AI_KEY_DIGEST];
    ai_key_verdict_e verdict;
    const ai_key_t *key;
    const char *wrong;
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
    wrong = call->source.find(call->source.self, call->pool,
                              apr_pstrmemdup(call->pool, id.p, id.n), &key);
    if (wrong) {
        OPENSSL_cleanse(text, sizeof(text));
        return fail(wrong);
    }
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

static const char *count_one(void *baton, apr_pool_t *scratch, const ai_key_t *key)
{
    (void)scratch;
    (void)key;
    ++*(int *)baton;
    return NULL;
}

static int check_all(call_t *call)
{
    int n = 0;
    const char *wrong = call->source.walk(call->source.self, count_one, &n);

    if (wrong) {
        return fail(wrong);
    }
    printf("%s: %d keys\n", call->source.name, n);
    return DONE_WELL;
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
        return check_all(call);
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
    const char *options; /* spaces around each */
    const char *usage;
} commands[] = {
    { "create", create, 0, 0, 1, 1, FIELDS "json" PLACE, "[FIELD]... [--json]" },
    { "list", list, 0, 0, 0, 0, " json" PLACE, "[--json]" },
    { "show", show, 1, 1, 0, 0, " json" PLACE, "[--json] ID" },
    { "update", update, 1, 1, 1, 0, FIELDS "clear" PLACE, "[FIELD]... [--clear FIELD]... ID" },
    { "rotate", rotate, 1, 1, 1, 0, " overlap json" PLACE, "[--overlap SPAN] [--json] ID" },
    { "disable", disable, 1, 1000, 1, 0, PLACE, "ID..." },
    { "enable", enable, 1, 1000, 1, 0, PLACE, "ID..." },
    { "delete", delete_all, 1, 1000, 1, 0, PLACE, "ID..." },
    { "export", export_some, 0, 1000, 0, 0, PLACE, "[ID]..." },
    { "import", import_all, 0, 1, 1, 1, " replace" PLACE, "[--replace] [FILE]" },
    { "check", check, 0, 0, 0, 0, " stdin from" PLACE, "[--stdin [--from ADDRESS]]" },
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
           "       --limits JSON\n\n");
}

int key_command(apr_pool_t *p, int argc, const char *const *argv)
{
    call_t *call = apr_pcalloc(p, sizeof(*call));
    int i, tries, status;
    const char *wrong;

    for (i = 0; i < COMMANDS_N && strcmp(argv[0], commands[i].name) != 0; i++) {
        continue;
    }
    if (i == COMMANDS_N) {
        return complain(MISUSED, "key has no such command; aictl --help");
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
    /* Before root is given up: the file may be root's. */
    if (commands[i].run == import_all) {
        wrong = key_import_read(p, call->options.ids->nelts
                                       ? APR_ARRAY_IDX(call->options.ids, 0, const char *) : NULL,
                                &call->imported);
    }
    wrong = wrong ? wrong : key_source_open(p, &call->options, commands[i].writes,
                                            commands[i].creates, &call->source);
    if (wrong) {
        return fail(wrong);
    }
    for (tries = 1; (status = commands[i].run(call)) == AGAIN; tries++) {
        wrong = tries < TRIES ? call->source.again(call->source.self) : key_source_stale;
        if (wrong) {
            return complain(FAILED, wrong);
        }
    }
    return status;
}
