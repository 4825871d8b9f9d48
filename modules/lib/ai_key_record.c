/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_key_record.c - is this the record of a key, and what does it say?
 *
 * One row for each member, with its reader; ai_key_write() is the way back. What is wrong is said
 * with the member's name and what is allowed, never with what stands there.
 */
#include <stddef.h>

#include <arpa/inet.h>
#include <sys/socket.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "ai_chat.h"
#include "ai_digest.h"
#include "ai_key_record.h"
#include "ai_when.h"
#include "ai_word.h"
#include "ai_write.h"

#define DIGEST_PREFIX "sha256:"
#define DIGEST_PREFIX_N (sizeof(DIGEST_PREFIX) - 1)

/* The longest name, path and pattern in bytes, and how many elements a list may have. */
#define LONGEST_NAME 200
#define LONGEST_PATH 500
#define LONGEST_TIER 64
#define LONGEST_VALUE 1000
#define MOST_ELEMENTS 1000
#define MOST_METADATA 64
#define DEEPEST 8

/* --------------------------------------------------------------------------- kinds of value */

/* Decoded text of 1 to longest bytes without control characters; NULL for anything else. */
static const char *take_text(apr_pool_t *p, ai_slice_t value, apr_size_t longest)
{
    const char *text, *at;

    if (ai_json_string(p, value, &text, NULL) != APR_SUCCESS || !*text
        || strlen(text) > longest) {
        return NULL;
    }
    for (at = text; *at; at++) {
        if (apr_iscntrl(*at)) {
            return NULL;
        }
    }
    return text;
}

static const char *read_name(apr_pool_t *p, ai_slice_t value, void *out)
{
    const char **text = out;

    *text = take_text(p, value, LONGEST_NAME);
    return *text ? NULL : "must be a string of 1 to 200 bytes without control characters";
}

static const char *read_id(apr_pool_t *p, ai_slice_t value, void *out)
{
    const char **id = out, *at = take_text(p, value, AI_KEY_ID);

    *id = at;
    while (at && apr_isalnum(*at) && !(*at & 0x80)) {
        at++;
    }
    return at && !*at && strlen(*id) == AI_KEY_ID ? NULL : "must be 12 letters and digits";
}

static int nibble(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static const char *read_digest(apr_pool_t *p, ai_slice_t value, void *out)
{
    unsigned char *digest = out;
    const char *at = value.p + 1 + DIGEST_PREFIX_N;
    int i;

    (void)p;
    if (value.n != 2 + DIGEST_PREFIX_N + 2 * AI_KEY_DIGEST
        || memcmp(value.p, "\"" DIGEST_PREFIX, 1 + DIGEST_PREFIX_N) != 0) {
        return "must be \"sha256:\" and 64 hexadecimal digits in lower case";
    }
    for (i = 0; i < AI_KEY_DIGEST; i++, at += 2) {
        if (nibble(at[0]) < 0 || nibble(at[1]) < 0) {
            return "must be \"sha256:\" and 64 hexadecimal digits in lower case";
        }
        digest[i] = (unsigned char)(nibble(at[0]) << 4 | nibble(at[1]));
    }
    return NULL;
}

static const char *read_when(apr_pool_t *p, ai_slice_t value, void *out)
{
    const char *text = take_text(p, value, LONGEST_NAME);

    return text && ai_when_read(text, out)
               ? NULL
               : "must be a time as \"2026-12-31T23:59:59Z\", or a day as \"2026-12-31\"";
}

static const char *read_flag(apr_pool_t *p, ai_slice_t value, void *out)
{
    int *flag = out;

    (void)p;
    *flag = ai_json_bool(value, -1);
    return *flag < 0 ? "must be true or false" : NULL;
}

/* Its parts are compared and logged one by one, so none is empty, and no space stands in it. */
static const char *read_tenant(apr_pool_t *p, ai_slice_t value, void *out)
{
    const char **tenant = out;
    const char *at = take_text(p, value, LONGEST_PATH);

    *tenant = at;
    if (at && *at != '/' && at[strlen(at) - 1] != '/' && !strstr(at, "//")
        && !strpbrk(at, " \"\\")) {
        return NULL;
    }
    return "must be names of 500 bytes at most, parted by '/', without space, '\"' and '\\'";
}

static const char *read_tier(apr_pool_t *p, ai_slice_t value, void *out)
{
    const char **tier = out;
    const char *at = take_text(p, value, LONGEST_TIER);

    *tier = at;
    while (at && *at && !(*at & 0x80) && (apr_isalnum(*at) || strchr("._-", *at))) {
        at++;
    }
    return at && !*at ? NULL : "must be a word of 1 to 64 letters, digits, '.', '_' and '-'";
}

/* ---------------------------------------------------------------------------------- lists */

/* The elements of a list that is not empty, each through read(); or NULL and *wrong. */
static apr_array_header_t *read_list(apr_pool_t *p, ai_slice_t value, const char *what,
                                     const char *(*read)(apr_pool_t *p, ai_slice_t value),
                                     const char **wrong)
{
    apr_array_header_t *list = NULL;
    ai_json_member_t member;
    ai_json_walk_t walk;
    const char *element = "";

    if (ai_json_type(value) == AI_JSON_ARRAY && ai_json_walk(&walk, value)) {
        while (element && ai_json_next(&walk, &member) > 0) {
            if (!list) {
                list = apr_array_make(p, 2, sizeof(const char *));
            }
            element = list->nelts < MOST_ELEMENTS ? read(p, member.value) : NULL;
            APR_ARRAY_PUSH(list, const char *) = element;
        }
    }
    *wrong = list && element ? NULL : apr_psprintf(p, "must be a list of 1 to %d %s",
                                                   MOST_ELEMENTS, what);
    return *wrong ? NULL : list;
}

static const char *take_pattern(apr_pool_t *p, ai_slice_t value)
{
    const char *text = take_text(p, value, LONGEST_NAME);

    return text && !strchr(text, ' ') ? text : NULL;
}

static const char *read_patterns(apr_pool_t *p, ai_slice_t value, void *out)
{
    const apr_array_header_t **list = out;
    const char *wrong;

    *list = read_list(p, value, "names of models of 200 bytes at most without space, with '*' for "
                      "any characters and '?' for one", take_pattern, &wrong);
    return wrong;
}

static const char *take_endpoint(apr_pool_t *p, ai_slice_t value)
{
    int i;

    (void)p;
    for (i = 0; i < AI_ENDPOINTS_N; i++) {
        if (ai_json_string_is(value, ai_endpoint_name((ai_endpoint_e)i))) {
            return ai_endpoint_name((ai_endpoint_e)i);
        }
    }
    return NULL;
}

static const char *read_endpoints(apr_pool_t *p, ai_slice_t value, void *out)
{
    const apr_array_header_t **list = out;
    const char *words = "of", *wrong;
    int i;

    *list = read_list(p, value, "", take_endpoint, &wrong);
    for (i = 0; wrong && i < AI_ENDPOINTS_N; i++) {
        words = apr_pstrcat(p, words, i ? ", " : " ", ai_endpoint_name((ai_endpoint_e)i), NULL);
    }
    return wrong ? apr_pstrcat(p, wrong, words, NULL) : NULL;
}

/* An address, or with "/" and how many of its bits count, from 1 on. NULL for anything else: what
 * APR takes beyond that (10.1 for 10.1.0.0, masks, names) can be read in two ways. */
static apr_ipsubnet_t *make_subnet(apr_pool_t *p, const char *text)
{
    unsigned char address[16];
    char *ip = apr_pstrdup(p, text), *bits = strchr(ip, '/');
    apr_ipsubnet_t *subnet;
    int most;

    if (bits) {
        *bits++ = '\0';
    }
    most = inet_pton(AF_INET, ip, address) == 1 ? 32
           : inet_pton(AF_INET6, ip, address) == 1 ? 128 : -1;
    if (most < 0 || (bits && (strlen(bits) > 3 || !*bits || bits[strspn(bits, "0123456789")]
                              || apr_atoi64(bits) > most || (*bits == '0' && bits[1])))) {
        return NULL;
    }
    return apr_ipsubnet_create(&subnet, ip, bits, p) == APR_SUCCESS ? subnet : NULL;
}

static const char *take_source(apr_pool_t *p, ai_slice_t value)
{
    const char *text = take_text(p, value, LONGEST_NAME);

    return text && make_subnet(p, text) ? text : NULL;
}

static const char *read_sources(apr_pool_t *p, ai_slice_t value, void *out)
{
    ai_key_t *key = out;
    apr_array_header_t *subnets;
    const char *wrong;
    int i;

    key->source_words = read_list(p, value, "addresses: \"192.0.2.1\", \"10.0.0.0/8\", "
                                  "\"2001:db8::/32\" (without a list: from anywhere)",
                                  take_source, &wrong);
    if (wrong) {
        return wrong;
    }
    subnets = apr_array_make(p, key->source_words->nelts, sizeof(apr_ipsubnet_t *));
    for (i = 0; i < key->source_words->nelts; i++) {
        APR_ARRAY_PUSH(subnets, apr_ipsubnet_t *) =
            make_subnet(p, APR_ARRAY_IDX(key->source_words, i, const char *));
    }
    key->sources = subnets;
    return NULL;
}

/* -------------------------------------------------------------------------------- objects */

static const char *read_limits(apr_pool_t *p, ai_slice_t value, void *out)
{
    (void)p;
    *(ai_slice_t *)out = value;
    return ai_json_type(value) == AI_JSON_OBJECT ? NULL : "must be an object";
}

static const char *read_metadata(apr_pool_t *p, ai_slice_t value, void *out)
{
    ai_json_member_t member;
    ai_json_walk_t walk;
    int n = 0, good = ai_json_type(value) == AI_JSON_OBJECT && ai_json_walk(&walk, value);

    while (good && ai_json_next(&walk, &member) > 0) {
        ai_slice_t name = { member.key.p - 1, member.key.n + 2 };

        good = ++n <= MOST_METADATA && take_text(p, name, LONGEST_NAME)
               && (ai_json_string_is(member.value, "")
                   || take_text(p, member.value, LONGEST_VALUE));
    }
    *(ai_slice_t *)out = value;
    return good ? NULL
                : "must be an object of at most 64 strings: names of 1 to 200 bytes, values of "
                  "1000 bytes at most, without control characters";
}

/* ---------------------------------------------------------------------------- the members */

/* How a member is written. */
typedef enum kind_e { TEXT, DIGEST, WHEN, FLAG, LIST, JSON } kind_e;

#define AT(member) offsetof(ai_key_t, member)

/* In the order in which they are written. read: what to is, lies at place; of sources the key. */
static const struct {
    const char *name;
    kind_e kind;
    const char *(*read)(apr_pool_t *p, ai_slice_t value, void *to);
    apr_size_t read_at;
    apr_size_t write_at;
} members[] = {
    { "id", TEXT, read_id, AT(id), AT(id) },
    { "digest", DIGEST, read_digest, AT(digest), AT(digest) },
    { "next_digest", DIGEST, read_digest, AT(next_digest), AT(next_digest) },
    { "next_until", WHEN, read_when, AT(next_until), AT(next_until) },
    { "name", TEXT, read_name, AT(name), AT(name) },
    { "tenant", TEXT, read_tenant, AT(tenant), AT(tenant) },
    { "user", TEXT, read_name, AT(user), AT(user) },
    { "tier", TEXT, read_tier, AT(tier), AT(tier) },
    { "models", LIST, read_patterns, AT(models), AT(models) },
    { "models_denied", LIST, read_patterns, AT(models_denied), AT(models_denied) },
    { "endpoints", LIST, read_endpoints, AT(endpoints), AT(endpoints) },
    { "sources", LIST, read_sources, 0, AT(source_words) },
    { "not_before", WHEN, read_when, AT(not_before), AT(not_before) },
    { "expires", WHEN, read_when, AT(expires), AT(expires) },
    { "created", WHEN, read_when, AT(created), AT(created) },
    { "disabled", FLAG, read_flag, AT(disabled), AT(disabled) },
    { "limits", JSON, read_limits, AT(limits), AT(limits) },
    { "metadata", JSON, read_metadata, AT(metadata), AT(metadata) },
};

#define MEMBERS_N ((int)(sizeof(members) / sizeof(members[0])))

static int member_of(ai_slice_t key)
{
    int i;

    for (i = 0; i < MEMBERS_N && !ai_json_key_is(key, members[i].name); i++) {
        continue;
    }
    return i;
}

static const char *all_names(apr_pool_t *p)
{
    const char *all = members[0].name;
    int i;

    for (i = 1; i < MEMBERS_N; i++) {
        all = apr_pstrcat(p, all, ", ", members[i].name, NULL);
    }
    return all;
}

static const char *read_member(apr_pool_t *p, const ai_json_member_t *member, ai_key_t *key)
{
    int i = member_of(member->key);
    const char *wrong;

    if (i == MEMBERS_N) {
        return apr_psprintf(p, "it has a member that is none of %s", all_names(p));
    }
    wrong = members[i].read(p, member->value, (char *)key + members[i].read_at);
    return wrong ? apr_pstrcat(p, members[i].name, ": ", wrong, NULL) : NULL;
}

const char *ai_key_record(apr_pool_t *p, apr_pool_t *scratch, ai_slice_t text, ai_key_t *key)
{
    const char *wrong = NULL;
    ai_json_error_t err;
    ai_json_doc_t doc;
    int i;

    memset(key, 0, sizeof(*key));
    if (text.n > AI_KEY_RECORD) {
        return apr_psprintf(p, "it is longer than %d bytes", AI_KEY_RECORD);
    }
    apr_pool_clear(scratch);
    if (ai_json_parse(scratch, text, DEEPEST, &doc, &err) != APR_SUCCESS) {
        return apr_psprintf(p, "byte %" APR_SIZE_T_FMT ": %s", err.offset + 1, err.reason);
    }
    if (ai_json_type(doc.root) != AI_JSON_OBJECT) {
        return "must be an object";
    }
    for (i = 0; !wrong && i < doc.n_members; i++) {
        wrong = read_member(p, &doc.members[i], key);
    }
    if (wrong) {
        return wrong;
    }
    if (!key->id) {
        return "id: is required";
    }
    if (!ai_json_doc_get(&doc, "digest").p) {
        return "digest: is required";
    }
    key->has_next = ai_json_doc_get(&doc, "next_digest").p != NULL;
    if (key->next_until && !key->has_next) {
        return "next_until: needs next_digest";
    }
    return NULL;
}

const ai_key_t *ai_key_read(apr_pool_t *p, ai_slice_t record, const char **wrong)
{
    ai_key_t *key = apr_palloc(p, sizeof(*key));
    apr_pool_t *scratch;

    apr_pool_create(&scratch, p);
    *wrong = ai_key_record(p, scratch, record, key);
    apr_pool_destroy(scratch);
    return *wrong ? NULL : key;
}

/* -------------------------------------------------------------------------------- writing */

static void write_digest(ai_write_t *w, const unsigned char *digest)
{
    char text[2 * AI_KEY_DIGEST + 1];

    ai_digest_hex(digest, text);
    ai_write_literal(w, "\"" DIGEST_PREFIX);
    ai_write_copy(w, ai_slice_of(text));
    ai_write_literal(w, "\"");
}

static void write_list(ai_write_t *w, const apr_array_header_t *list)
{
    int i;

    for (i = 0; i < list->nelts; i++) {
        ai_write_copy(w, i ? AI_SLICE(",") : AI_SLICE("["));
        ai_write_quoted(w, ai_slice_of(APR_ARRAY_IDX(list, i, const char *)));
    }
    ai_write_literal(w, "]");
}

/* Between its values an object may have line ends; within its strings it has none. */
static void write_json(ai_write_t *w, ai_slice_t json)
{
    char *line = apr_pstrmemdup(w->pool, json.p, json.n);
    apr_size_t i;

    for (i = 0; i < json.n; i++) {
        if (line[i] == '\n' || line[i] == '\r') {
            line[i] = ' ';
        }
    }
    ai_write_bytes(w, (ai_slice_t){ line, json.n });
}

static int is_said(const ai_key_t *key, int i)
{
    const char *at = (const char *)key + members[i].write_at;

    switch (members[i].kind) {
    case DIGEST:
        return members[i].write_at == AT(digest) || key->has_next;
    case WHEN:
        return *(const apr_time_t *)at != 0;
    case FLAG:
        return *(const int *)at != 0;
    case JSON:
        return ((const ai_slice_t *)at)->p != NULL;
    case TEXT:
    case LIST:
        break;
    }
    return *(const void *const *)at != NULL;
}

static void write_member(ai_write_t *w, const ai_key_t *key, int i)
{
    const char *at = (const char *)key + members[i].write_at;

    ai_write_literal(w, "\"");
    ai_write_copy(w, ai_slice_of(members[i].name));
    ai_write_literal(w, "\":");
    switch (members[i].kind) {
    case TEXT:
        ai_write_quoted(w, ai_slice_of(*(const char *const *)at));
        break;
    case DIGEST:
        write_digest(w, (const unsigned char *)at);
        break;
    case WHEN:
        ai_write_quoted(w, ai_slice_of(ai_when_text(w->pool, *(const apr_time_t *)at)));
        break;
    case FLAG:
        ai_write_literal(w, "true");
        break;
    case LIST:
        write_list(w, *(const apr_array_header_t *const *)at);
        break;
    case JSON:
        write_json(w, *(const ai_slice_t *)at);
        break;
    }
}

static ai_slice_t write_members(apr_pool_t *p, const ai_key_t *key, int with_digests)
{
    const char *before = "{";
    ai_write_t w;
    int i;

    ai_write_begin(p, &w);
    for (i = 0; i < MEMBERS_N; i++) {
        if (is_said(key, i) && (with_digests || members[i].kind != DIGEST)) {
            ai_write_copy(&w, ai_slice_of(before));
            write_member(&w, key, i);
            before = ",";
        }
    }
    ai_write_literal(&w, "}");
    return ai_write_flat(&w);
}

ai_slice_t ai_key_write(apr_pool_t *p, const ai_key_t *key)
{
    return write_members(p, key, 1);
}

ai_slice_t ai_key_show(apr_pool_t *p, const ai_key_t *key)
{
    return write_members(p, key, 0);
}
