/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_ai_key_store.c - are keys found in a database, and is no change to them lost?
 */
#include "ai_key_store.h"
#include "db_frame.h"

static ai_key_store_t *store;
static const char *wrong;

/* A key with that id. */
static const ai_key_t *key_of(const char *id, const char *name, int disabled)
{
    ai_key_t *key = apr_pcalloc(pool, sizeof(*key));

    key->id = id;
    key->name = name;
    key->tenant = "acme/search";
    key->disabled = disabled;
    key->expires = apr_time_from_sec(APR_INT64_C(4102444800));
    ai_key_digest(ai_slice_of(id), key->digest);
    return key;
}

static const char *id_of(int i)
{
    return apr_psprintf(pool, "Key%09d", i);
}

static ai_key_store_outcome_e find(const char *id, ai_key_row_t *row)
{
    return ai_key_store_find(store, pool, ai_slice_of(id), row, &wrong);
}

static int add_one(const ai_key_t *key)
{
    int added = -1;

    fine(ai_key_store_add(store, pool, &key, 1, &added, &wrong) == AI_KEY_STORE_FOUND ? NULL : wrong,
         "a key is put in");
    return added;
}

static void test_one(void)
{
    ai_key_row_t row, again;
    ai_slice_t want = ai_key_write(pool, key_of("abcDEF012345", "Ann's \xc3\xa9", 0));

    is_number(find("abcDEF012345", &row), AI_KEY_STORE_NONE, "an unknown key is none");
    is_number(add_one(key_of("abcDEF012345", "Ann's \xc3\xa9", 0)), 1, "it was new");
    is_number(add_one(key_of("abcDEF012345", "another", 0)), 0, "a second one of that id is not");
    is_number(find("abcDEF012345", &row), AI_KEY_STORE_FOUND, "it is found");
    is_bytes(row.record.p, row.record.n, want.p, want.n, "as it was written");
    ok(row.key->name && strcmp(row.key->name, "Ann's \xc3\xa9") == 0, "and read");
    is_number(find("ABCDEF012345", &again), AI_KEY_STORE_NONE, "its case counts");
    is_number(find("abcDEF01234 ", &again), AI_KEY_STORE_NONE, "what cannot be an id is none");
    is_number(find("", &again), AI_KEY_STORE_NONE, "nor is nothing");
    is_number(ai_key_store_update(store, pool, key_of("abcDEF012345", NULL, 1), row.version, &wrong),
              AI_KEY_STORE_FOUND, "it is changed");
    is_number(find("abcDEF012345", &again), AI_KEY_STORE_FOUND, "and found");
    ok(again.key->disabled && !again.key->name && again.version > row.version, "as it is now");
    is_number(ai_key_store_update(store, pool, key_of("abcDEF012345", "lost", 0), row.version,
                                  &wrong),
              AI_KEY_STORE_NONE, "a change of what was read before is refused");
    is_number(ai_key_store_delete(store, pool, "abcDEF012345", row.version, &wrong),
              AI_KEY_STORE_NONE, "so is to delete it");
    is_number(find("abcDEF012345", &row), AI_KEY_STORE_FOUND, "it is there");
    ok(row.version == again.version && row.key->disabled, "as it was");
    is_number(ai_key_store_delete(store, pool, "abcDEF012345", row.version, &wrong),
              AI_KEY_STORE_FOUND, "who knows it may delete it");
    is_number(find("abcDEF012345", &row), AI_KEY_STORE_NONE, "then it is gone");
    is_number(ai_key_store_update(store, pool, key_of("abcDEF012345", "x", 0), row.version, &wrong),
              AI_KEY_STORE_NONE, "and cannot be changed");
}

/* In batches in, in pages out: each once, in order. */
static void test_many(void)
{
    const ai_key_t *keys[AI_KEY_STORE_BATCH];
    int total = 2 * AI_KEY_STORE_PAGE + AI_KEY_STORE_BATCH, i, added, sum = 0, seen = 0, bad = 0, pages = 0;
    apr_array_header_t *rows;
    const char *after = "";

    fine(ai_db_begin(ai_key_store_db(store), pool), "all at once");
    for (i = 0; i < total; i++) {
        keys[i % AI_KEY_STORE_BATCH] = key_of(id_of(i), "many", 0);
        if (i % AI_KEY_STORE_BATCH == AI_KEY_STORE_BATCH - 1) {
            bad += ai_key_store_add(store, pool, keys, AI_KEY_STORE_BATCH, &added, &wrong)
                   != AI_KEY_STORE_FOUND;
            sum += added;
        }
    }
    fine(ai_db_commit(ai_key_store_db(store), pool), "they go in");
    is_number(sum, total, "every one");
    fine(bad ? wrong : NULL, "without a fault");
    keys[0] = key_of("AAAnew000000", "new", 0);
    fine(ai_key_store_add(store, pool, keys, AI_KEY_STORE_BATCH, &added, &wrong)
             == AI_KEY_STORE_FOUND ? NULL : wrong, "a batch of which most are there");
    is_number(added, 1, "puts in what is new");
    do {
        if (ai_key_store_page(store, pool, after, &rows, &wrong) != AI_KEY_STORE_FOUND) {
            break;
        }
        for (i = 0; i < rows->nelts; i++) {
            const ai_key_row_t *row = &APR_ARRAY_IDX(rows, i, ai_key_row_t);

            bad += strcmp(row->key->id, after) <= 0;
            after = row->key->id;
            seen++;
        }
        pages++;
    } while (rows->nelts);
    is_number(seen, total + 1, "pages have all of them");
    is_number(bad, 0, "in order");
    is_number(pages, 4, "in so many pages");
}

/* Somebody wrote into the table by himself. */
static void test_broken(void)
{
    static const struct {
        const char *record, *want;
    } rows[] = {
        { "", "key Key000000001: " },
        { "null", "key Key000000001: " },
        { "{\"id\":\"Key000000001\"}", "key Key000000001: " },
        { "{\"id\":\"Key000000001\",\"digest\":\"sha256:00\"}", "key Key000000001: digest: " },
    };
    const char *args[2] = { NULL, "Key000000001" };
    static const char set[] = "UPDATE ai_keys SET record = %s WHERE id = %s";
    ai_db_t *db = ai_key_store_db(store);
    apr_array_header_t *page;
    ai_slice_t other;
    ai_key_row_t row;
    apr_size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        args[0] = rows[i].record;
        fine(ai_db_exec(db, pool, set, 2, args, NULL), "a record is broken");
        is_number(find("Key000000001", &row), AI_KEY_STORE_BROKEN, "it is no key");
        wrongs(wrong, rows[i].want, "and is named");
    }
    other = ai_key_write(pool, key_of("Key000000002", "x", 0));
    args[0] = apr_pstrmemdup(pool, other.p, other.n);
    fine(ai_db_exec(db, pool, set, 2, args, NULL), "a record has another one's id");
    is_number(find("Key000000001", &row), AI_KEY_STORE_BROKEN, "it is no key");
    wrongs(wrong, "that of another key", "and that is said");
    is_number(ai_key_store_page(store, pool, "", &page, &wrong), AI_KEY_STORE_BROKEN,
              "a page with it is an error");
    wrongs(wrong, "key Key000000001: ", "which names it");
    is_number(find("Key000000002", &row), AI_KEY_STORE_FOUND, "others are found");
}

static void test_away(void)
{
    ai_db_conf_t nowhere = { "sqlite3", in_folder("gone") };
    ai_key_row_t row;

    store = ai_key_store_open(pool, &nowhere);
    is_number(find("Key000000001", &row), AI_KEY_STORE_AWAY, "no database, no word of a key");
    wrongs(wrong, "is not there", "but why");
    make_file(nowhere.params, 0600, "");
    is_number(find("Key000000001", &row), AI_KEY_STORE_AWAY, "so it is without tables");
    wrongs(wrong, "ai_keys", "which are named");
}

int main(int argc, char **argv)
{
    int from;

    begin_database(argc, argv);
    store = ai_key_store_open(pool, &conf);
    fine(ai_db_migrate(ai_key_store_db(store), pool, &ai_key_store_schema, &from), "tables are made");
    test_one();
    test_many();
    test_broken();
    ai_key_store_close(store);
    test_away();
    return end_database();
}
