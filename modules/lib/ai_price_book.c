/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_price_book.c - which prices are there, and which one is a model's?
 *
 * Lives in: the pools it is given.  Shared state: none.  May block: no.
 */
#include <apr_fnmatch.h>
#include <apr_lib.h>
#include <apr_strings.h>

#include "ai_models.h"
#include "ai_price_book.h"

/* Not an entry of any model, but of what entries are like. */
#define SAMPLE "sample_spec"

/* ------------------------------------------------------------------------- reading */

const char *ai_price_key(apr_pool_t *p, const char *text)
{
    char *key;
    int i;

    if (!text || !*text || strlen(text) > AI_PRICE_NAME) {
        return NULL;
    }
    key = apr_pstrdup(p, text);
    for (i = 0; key[i]; i++) {
        if ((key[i] & 0x80) || !apr_isgraph(key[i]) || key[i] == '"' || key[i] == '\\') {
            return NULL;
        }
        key[i] = apr_tolower(key[i]);
    }
    return key;
}

/* The whole file as an object. NULL, or what is wrong. */
static const char *check_text(apr_pool_t *p, ai_slice_t text, ai_json_doc_t *doc)
{
    apr_size_t i, line = 1, begin = 0;
    ai_json_error_t err;

    if (text.n > AI_PRICE_SIZE) {
        return apr_psprintf(p, "it is longer than %d bytes", AI_PRICE_SIZE);
    }
    if (ai_json_parse(p, text, AI_JSON_DEPTH, doc, &err) != APR_SUCCESS) {
        for (i = 0; i < err.offset && i < text.n; i++) {
            if (text.p[i] == '\n') {
                line++;
                begin = i + 1;
            }
        }
        return apr_psprintf(p, "line %" APR_SIZE_T_FMT ", byte %" APR_SIZE_T_FMT ": %s", line,
                            err.offset - begin + 1, err.reason);
    }
    if (ai_json_type(doc->root) != AI_JSON_OBJECT) {
        return "it must be an object, in {}, with an entry for each model";
    }
    if (doc->n_members > AI_PRICE_ENTRIES) {
        return apr_psprintf(p, "it has more than %d entries", AI_PRICE_ENTRIES);
    }
    return NULL;
}

/* "2026-11-21", where the entry has such a date; else NULL. */
static const char *date_of(apr_pool_t *p, ai_slice_t entry)
{
    static const char form[] = "dddd-dd-dd";
    const char *text;
    int i;

    if (ai_json_string(p, ai_json_get(entry, "date"), &text, NULL) != APR_SUCCESS
        || strlen(text) != strlen(form)) {
        return NULL;
    }
    for (i = 0; form[i]; i++) {
        if (form[i] == 'd' ? !apr_isdigit(text[i]) : text[i] != form[i]) {
            return NULL;
        }
    }
    return text;
}

static int has_price(const ai_price_t *price)
{
    int i;

    for (i = 0; i < AI_UNITS_N && price->unit[i] < 0; i++) {
        continue;
    }
    return price->n > 0 || i < AI_UNITS_N;
}

/* One entry; tells odd what is wrong with it. */
static void read_entry(apr_pool_t *p, apr_pool_t *scratch, const ai_json_member_t *member,
                       const char *name, ai_price_book_t *book, apr_array_header_t *odd)
{
    ai_slice_t quoted = { member->key.p - 1, member->key.n + 2 };
    ai_price_t *price = &book->prices[book->n];
    const char *text = NULL, *date, *wrong = NULL;

    ai_price_begin(price);
    if (ai_json_string(scratch, quoted, &text, NULL) == APR_SUCCESS && strcmp(text, SAMPLE) == 0) {
        return;
    }
    price->key = ai_price_key(p, text);
    if (!price->key) {
        price->key = "";
        wrong = "its name must have 1 to 200 printable characters, without space, '\"' and '\\'";
    }
    else if (apr_hash_get(book->by_key, price->key, APR_HASH_KEY_STRING)) {
        wrong = "there is one before it that differs in the case of letters alone";
    }
    else {
        wrong = ai_price_entry(p, scratch, member->value, price);
        date = date_of(scratch, member->value);
        price->origin = apr_pstrcat(p, name, ":", price->key, date ? "@" : "", date, NULL);
        price->odd = wrong ? apr_pstrdup(p, wrong) : has_price(price) ? NULL : "it says no price";
        apr_hash_set(book->by_key, price->key, APR_HASH_KEY_STRING, price);
        book->n++;
    }
    if (wrong && odd) {
        APR_ARRAY_PUSH(odd, const char *) = *price->key
            ? apr_pstrcat(odd->pool, "\"", price->key, "\": ", wrong, NULL)
            : apr_psprintf(odd->pool, "entry behind \"%s\": %s",
                           book->n ? book->prices[book->n - 1].key : "", wrong);
    }
}

const ai_price_book_t *ai_price_read(apr_pool_t *p, ai_slice_t text, const char *name,
                                     const ai_price_book_t *base, apr_array_header_t *odd,
                                     const char **wrong)
{
    ai_price_book_t *book = apr_pcalloc(p, sizeof(*book));
    apr_pool_t *whole, *scratch;
    ai_json_doc_t doc;
    int i;

    book->base = base;
    book->by_key = apr_hash_make(p);
    apr_pool_create(&whole, p);
    apr_pool_create(&scratch, whole);
    *wrong = check_text(whole, text, &doc);
    if (*wrong) {
        *wrong = apr_pstrdup(p, *wrong);
        apr_pool_destroy(whole);
        return NULL;
    }
    name = ai_price_key(scratch, name) ? apr_pstrdup(p, name) : "file";
    book->prices = apr_pcalloc(p, ((apr_size_t)doc.n_members + 1) * sizeof(ai_price_t));
    for (i = 0; i < doc.n_members; i++) {
        read_entry(p, scratch, &doc.members[i], name, book, odd);
        apr_pool_clear(scratch);
    }
    apr_pool_destroy(whole);
    return book;
}

int ai_price_count(const ai_price_book_t *book)
{
    return book->n;
}

const ai_price_t *ai_price_at(const ai_price_book_t *book, int i)
{
    return &book->prices[i];
}

/* ------------------------------------------------------------------------- finding */

const char *ai_price_provider(const char *hostname)
{
    /* begins with, ends with. A host that is one of these and no other begins with all of it. */
    static const struct {
        const char *begin;
        const char *end;
        const char *provider;
    } hosts[] = {
        { "api.openai.com", "", "openai" },
        { "", ".api.openai.com", "openai" },
        { "api.anthropic.com", "", "anthropic" },
        { "", ".openai.azure.com", "azure" },
        { "", ".services.ai.azure.com", "azure_ai" },
        { "generativelanguage.googleapis.com", "", "gemini" },
        { "", "aiplatform.googleapis.com", "vertex_ai" },
        { "bedrock-runtime.", ".amazonaws.com", "bedrock" },
        { "api.mistral.ai", "", "mistral" },
        { "api.deepseek.com", "", "deepseek" },
        { "api.x.ai", "", "xai" },
        { "api.groq.com", "", "groq" },
        { "api.cohere.com", "", "cohere" },
        { "api.cohere.ai", "", "cohere" },
        { "openrouter.ai", "", "openrouter" },
        { "api.together.xyz", "", "together_ai" },
        { "api.together.ai", "", "together_ai" },
        { "api.fireworks.ai", "", "fireworks_ai" },
        { "api.cerebras.ai", "", "cerebras" },
        { "api.perplexity.ai", "", "perplexity" },
        { "api.deepinfra.com", "", "deepinfra" },
        { "dashscope.aliyuncs.com", "", "dashscope" },
        { "dashscope-intl.aliyuncs.com", "", "dashscope" },
    };
    apr_size_t i, n = hostname ? strlen(hostname) : 0;

    for (i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
        apr_size_t begin = strlen(hosts[i].begin), end = strlen(hosts[i].end);

        if (n >= begin + end && (end || n == begin)
            && strncasecmp(hostname, hosts[i].begin, begin) == 0
            && strcasecmp(hostname + n - end, hosts[i].end) == 0) {
            return hosts[i].provider;
        }
    }
    return NULL;
}

/* 1 when the entry is one of provider's: "bedrock_converse" is of "bedrock". One that does not say
 * whose it is, is anybody's. */
static int belongs(const ai_price_t *price, const char *provider)
{
    static const char older[] = "text-completion-";
    const char *own = price->provider;
    apr_size_t n = strlen(provider);

    if (!own) {
        return 1;
    }
    if (strncmp(own, older, sizeof(older) - 1) == 0) {
        own += sizeof(older) - 1;
    }
    return strncmp(own, provider, n) == 0 && (!own[n] || own[n] == '-' || own[n] == '_');
}

/* The entry "prefix/name"; prefix NULL: "name". */
static const ai_price_t *look(const ai_price_book_t *book, const char *prefix, const char *name,
                              apr_size_t n)
{
    char key[2 * AI_PRICE_NAME + 2];
    apr_size_t k, before = prefix ? strlen(prefix) + 1 : 0;

    if (before + n > 2 * AI_PRICE_NAME) {
        return NULL;
    }
    for (k = 0; k + 1 < before; k++) {
        key[k] = apr_tolower(prefix[k]);
    }
    if (before) {
        key[k++] = '/';
    }
    for (; k < before + n; k++) {
        key[k] = apr_tolower(name[k - before]);
    }
    return apr_hash_get(book->by_key, key, (apr_ssize_t)k);
}

/* The first n characters of the model's name, in one book. */
static const ai_price_t *search(const ai_price_book_t *book, const ai_price_ask_t *ask,
                                apr_size_t n)
{
    const ai_price_t *price = ask->target ? look(book, ask->target, ask->model, n) : NULL;
    apr_size_t bare;

    if (!price && ask->provider) {
        price = look(book, ask->provider, ask->model, n);
    }
    if (price) {
        return price;
    }
    price = look(book, NULL, ask->model, n);
    if (ask->provider) {
        return price && belongs(price, ask->provider) ? price : NULL;
    }
    for (bare = n; !price && bare > 0 && ask->model[bare - 1] != '/'; bare--) {
        continue;
    }
    return price || !bare ? price : look(book, NULL, ask->model + bare, n - bare);
}

/* 1 where what is left of a name says which state of the model it is: a date, "-latest", "-v1:0".
 * "-v3" alone may as well be another model. */
static int is_state(const char *at)
{
    return (*at == '-' || *at == '@') && (strchr(at, ':') || strlen(at) > strlen("-v3"))
           && ai_models_is_state(at);
}

/* What the target says: the first pattern that matches and has begun, at its latest day. */
static const ai_price_t *find_own(const ai_price_ask_t *ask)
{
    const ai_price_t *best = NULL;
    int i;

    for (i = 0; ask->own && i < ask->own->nelts; i++) {
        const ai_price_t *price = &APR_ARRAY_IDX(ask->own, i, ai_price_t);

        if (price->not_before <= ask->when
            && (best ? strcmp(best->key, price->key) == 0 && price->not_before > best->not_before
                     : apr_fnmatch(price->key, ask->model, APR_FNM_CASE_BLIND) == APR_SUCCESS)) {
            best = price;
        }
    }
    return best;
}

const ai_price_t *ai_price_find(const ai_price_book_t *book, const ai_price_ask_t *ask)
{
    const ai_price_t *price = NULL;
    apr_size_t n, whole;

    if (!ask->model || !*ask->model || strlen(ask->model) > AI_PRICE_NAME) {
        return NULL;
    }
    price = find_own(ask);
    whole = strlen(ask->model);
    for (; !price && book; book = book->base) {
        price = search(book, ask, whole);
        if (!price && strncmp(ask->model, "ft:", 3) == 0) { /* "ft:gpt-4o-2024-08-06:org::id" */
            price = search(book, ask, 3 + strcspn(ask->model + 3, ":"));
        }
        for (n = whole - 1; !price && n > 0; n--) {
            if (is_state(ask->model + n)) {
                price = search(book, ask, n);
            }
        }
    }
    return price && !price->odd ? price : NULL;
}
