/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_checkpoint.c - writes and reads the text that is signed.
 *
 * What was read is written once more and compared: a text has one meaning, and a meaning one text.
 *
 * Lives in: what is handed in.  Shared state: none.  May block: no.
 */
#include <apr_strings.h>

#include "ai_checkpoint.h"
#include "ai_sign.h"
#include "ai_uuid.h"
#include "ai_word.h"
#include "ai_write.h"

#define DEPTH 8

static const char *const states[] = { "open", "cut", "closed" };
#define STATES 3

/* ------------------------------------------------------------------------------- writing */

static void put_text(ai_write_t *w, const char *name, const char *text)
{
    ai_write_copy(w, ai_slice_of(name));
    if (text) {
        ai_write_quoted(w, ai_slice_of(text));
    }
    else {
        ai_write_literal(w, "null");
    }
}

static void put_number(ai_write_t *w, const char *name, apr_int64_t number)
{
    ai_write_copy(w, ai_slice_of(name));
    ai_write_number(w, number);
}

static void put_time(ai_write_t *w, const char *name, apr_time_t when)
{
    if (when >= 0) {
        put_number(w, name, when);
    }
    else {
        put_text(w, name, NULL);
    }
}

static void put_segment(ai_write_t *w, const ai_checkpoint_segment_t *segment)
{
    put_text(w, "{\"id\":", segment->id);
    put_text(w, ",\"previous\":", segment->previous);
    put_text(w, ",\"start\":", segment->start);
    put_number(w, ",\"records\":", segment->records);
    put_text(w, ",\"chain\":", segment->chain);
    put_text(w, ",\"state\":", states[segment->state]);
    put_number(w, ",\"torn\":", segment->torn);
    put_number(w, ",\"damaged\":", segment->damaged);
    put_number(w, ",\"settled\":", segment->settled);
    ai_write_literal(w, "}");
}

static void put_removal(ai_write_t *w, const ai_checkpoint_removal_t *removal)
{
    int i;

    put_text(w, "{\"segment\":", removal->segment);
    ai_write_literal(w, ",\"ranges\":[");
    for (i = 0; i < removal->ranges->nelts; i++) {
        const ai_checkpoint_range_t *range = &APR_ARRAY_IDX(removal->ranges, i,
                                                            ai_checkpoint_range_t);

        put_number(w, i ? ",[" : "[", range->first);
        put_number(w, ",", range->last);
        ai_write_literal(w, "]");
    }
    put_text(w, "],\"why\":", removal->why);
    ai_write_literal(w, "}");
}

static void put_hold(ai_write_t *w, const ai_checkpoint_hold_t *hold)
{
    put_text(w, "{\"id\":", hold->id);
    put_text(w, ",\"tenant\":", hold->tenant);
    put_time(w, ",\"since\":", hold->since);
    put_time(w, ",\"until\":", hold->until);
    put_text(w, ",\"reason\":", hold->reason);
    put_time(w, ",\"created\":", hold->created);
    put_time(w, ",\"released\":", hold->released);
    ai_write_literal(w, "}");
}

const char *ai_checkpoint_write(apr_pool_t *p, const ai_checkpoint_t *checkpoint)
{
    ai_write_t w;
    int i;

    ai_write_begin(p, &w);
    ai_write_literal(&w, "{\"v\":1");
    put_number(&w, ",\"number\":", checkpoint->number);
    put_text(&w, ",\"node\":", checkpoint->node);
    put_number(&w, ",\"time\":", checkpoint->time);
    put_text(&w, ",\"previous\":", checkpoint->previous);
    ai_write_literal(&w, ",\"segments\":[");
    for (i = 0; i < checkpoint->segments->nelts; i++) {
        ai_write_copy(&w, i ? AI_SLICE(",") : (ai_slice_t){ NULL, 0 });
        put_segment(&w, &APR_ARRAY_IDX(checkpoint->segments, i, ai_checkpoint_segment_t));
    }
    ai_write_literal(&w, "],\"removals\":[");
    for (i = 0; i < checkpoint->removals->nelts; i++) {
        ai_write_copy(&w, i ? AI_SLICE(",") : (ai_slice_t){ NULL, 0 });
        put_removal(&w, &APR_ARRAY_IDX(checkpoint->removals, i, ai_checkpoint_removal_t));
    }
    ai_write_literal(&w, "],\"holds\":[");
    for (i = 0; i < checkpoint->holds->nelts; i++) {
        ai_write_copy(&w, i ? AI_SLICE(",") : (ai_slice_t){ NULL, 0 });
        put_hold(&w, &APR_ARRAY_IDX(checkpoint->holds, i, ai_checkpoint_hold_t));
    }
    ai_write_literal(&w, "]}");
    ai_write_copy(&w, (ai_slice_t){ "", 1 });
    return ai_write_flat(&w).p;
}

/* ------------------------------------------------------------------------------- reading */

int ai_checkpoint_is_hex(const char *text, apr_size_t n)
{
    return strlen(text) == n && strspn(text, "0123456789abcdef") == n;
}

static int is_uuid(const char *text)
{
    ai_uuid_t uuid;

    return ai_uuid_read(ai_slice_of(text), &uuid);
}

/* A text, or NULL for null. */
static int get_text(apr_pool_t *p, ai_slice_t value, const char **text)
{
    *text = NULL;
    return ai_json_type(value) == AI_JSON_NULL
           || ai_json_string(p, value, text, NULL) == APR_SUCCESS;
}

static int get_number(ai_slice_t value, apr_int64_t most, apr_int64_t *number)
{
    return ai_json_int(value, number) == APR_SUCCESS && *number >= 0 && *number <= most;
}

static int get_small(ai_slice_t value, int most, int *number)
{
    apr_int64_t read;
    int good = get_number(value, most, &read);

    *number = good ? (int)read : 0;
    return good;
}

static int get_time(ai_slice_t value, apr_time_t *when)
{
    *when = -1;
    return ai_json_type(value) == AI_JSON_NULL || get_number(value, APR_INT64_MAX, when);
}

static int get_state(ai_slice_t value, int *state)
{
    for (*state = 0; *state < STATES; (*state)++) {
        if (ai_json_string_is(value, states[*state])) {
            return 1;
        }
    }
    return 0;
}

static int get_segment(apr_pool_t *p, ai_slice_t value, ai_checkpoint_t *checkpoint)
{
    enum { ID, PREVIOUS, START, RECORDS, CHAIN, STATE, TORN, DAMAGED, SETTLED, MEMBERS };
    static const ai_slice_t words[MEMBERS] = { AI_WORD("id"), AI_WORD("previous"),
                                               AI_WORD("start"), AI_WORD("records"),
                                               AI_WORD("chain"), AI_WORD("state"),
                                               AI_WORD("torn"), AI_WORD("damaged"),
                                               AI_WORD("settled") };
    ai_checkpoint_segment_t *segment = apr_array_push(checkpoint->segments);
    ai_slice_t found[MEMBERS];

    ai_word_find(value, words, MEMBERS, found);
    return ai_json_string(p, found[ID], &segment->id, NULL) == APR_SUCCESS && is_uuid(segment->id)
           && (!found[PREVIOUS].n || (get_text(p, found[PREVIOUS], &segment->previous)
                                      && is_uuid(segment->previous)))
           && (!found[START].n || (get_text(p, found[START], &segment->start)
                                   && ai_checkpoint_is_hex(segment->start, AI_CHECKPOINT_DIGEST)))
           && (!found[CHAIN].n || (get_text(p, found[CHAIN], &segment->chain)
                                   && ai_checkpoint_is_hex(segment->chain, AI_CHECKPOINT_DIGEST)))
           && get_number(found[RECORDS], APR_INT64_MAX, &segment->records)
           && get_state(found[STATE], &segment->state)
           && get_number(found[TORN], APR_INT64_MAX, &segment->torn)
           && get_small(found[DAMAGED], 2, &segment->damaged)
           && get_small(found[SETTLED], 1, &segment->settled);
}

static int get_range(ai_slice_t value, ai_checkpoint_removal_t *removal)
{
    ai_checkpoint_range_t *before = removal->ranges->nelts
        ? &APR_ARRAY_IDX(removal->ranges, removal->ranges->nelts - 1, ai_checkpoint_range_t) : NULL;
    apr_int64_t behind = before ? before->last + 1 : -1;
    ai_checkpoint_range_t *range = apr_array_push(removal->ranges);
    ai_json_walk_t walk;
    ai_json_member_t first, last, more;

    return ai_json_walk(&walk, value) && !walk.is_object && ai_json_next(&walk, &first) > 0
           && ai_json_next(&walk, &last) > 0 && ai_json_next(&walk, &more) == 0
           && get_number(first.value, APR_INT64_MAX - 1, &range->first)
           && get_number(last.value, APR_INT64_MAX - 1, &range->last)
           && range->first <= range->last && range->first > behind;
}

static int get_removal(apr_pool_t *p, ai_slice_t value, ai_checkpoint_t *checkpoint)
{
    enum { SEGMENT, RANGES, WHY, MEMBERS };
    static const ai_slice_t words[MEMBERS] = { AI_WORD("segment"), AI_WORD("ranges"),
                                               AI_WORD("why") };
    ai_checkpoint_removal_t *removal = apr_array_push(checkpoint->removals);
    ai_slice_t found[MEMBERS];
    ai_json_walk_t walk;
    ai_json_member_t range;

    ai_word_find(value, words, MEMBERS, found);
    removal->ranges = apr_array_make(p, 4, sizeof(ai_checkpoint_range_t));
    if (ai_json_string(p, found[SEGMENT], &removal->segment, NULL) != APR_SUCCESS
        || !is_uuid(removal->segment)
        || ai_json_string(p, found[WHY], &removal->why, NULL) != APR_SUCCESS
        || !ai_json_walk(&walk, found[RANGES]) || walk.is_object) {
        return 0;
    }
    while (ai_json_next(&walk, &range) > 0) {
        if (!get_range(range.value, removal)) {
            return 0;
        }
    }
    return removal->ranges->nelts > 0;
}

static int get_hold(apr_pool_t *p, ai_slice_t value, ai_checkpoint_t *checkpoint)
{
    enum { ID, TENANT, SINCE, UNTIL, REASON, CREATED, RELEASED, MEMBERS };
    static const ai_slice_t words[MEMBERS] = { AI_WORD("id"), AI_WORD("tenant"), AI_WORD("since"),
                                               AI_WORD("until"), AI_WORD("reason"),
                                               AI_WORD("created"), AI_WORD("released") };
    ai_checkpoint_hold_t *hold = apr_array_push(checkpoint->holds);
    ai_slice_t found[MEMBERS];
    int i;

    ai_word_find(value, words, MEMBERS, found);
    for (i = 0; i < MEMBERS; i++) {
        found[i] = found[i].n ? found[i] : AI_SLICE("null");
    }
    return ai_json_string(p, found[ID], &hold->id, NULL) == APR_SUCCESS
           && get_text(p, found[TENANT], &hold->tenant) && get_time(found[SINCE], &hold->since)
           && get_time(found[UNTIL], &hold->until) && get_text(p, found[REASON], &hold->reason)
           && get_time(found[CREATED], &hold->created)
           && get_time(found[RELEASED], &hold->released);
}

typedef int get_fn(apr_pool_t *p, ai_slice_t value, ai_checkpoint_t *checkpoint);

static int get_list(apr_pool_t *p, ai_slice_t list, get_fn *get, ai_checkpoint_t *checkpoint)
{
    ai_json_walk_t walk;
    ai_json_member_t member;

    if (!ai_json_walk(&walk, list) || walk.is_object) {
        return 0;
    }
    while (ai_json_next(&walk, &member) > 0) {
        if (!get(p, member.value, checkpoint)) {
            return 0;
        }
    }
    return 1;
}

static int get_all(apr_pool_t *p, ai_slice_t root, ai_checkpoint_t *checkpoint)
{
    enum { V, NUMBER, NODE, TIME, PREVIOUS, SEGMENTS, REMOVALS, HOLDS, MEMBERS };
    static const ai_slice_t words[MEMBERS] = { AI_WORD("v"), AI_WORD("number"), AI_WORD("node"),
                                               AI_WORD("time"), AI_WORD("previous"),
                                               AI_WORD("segments"), AI_WORD("removals"),
                                               AI_WORD("holds") };
    ai_slice_t found[MEMBERS];
    apr_int64_t version;

    ai_word_find(root, words, MEMBERS, found);
    return get_number(found[V], 1, &version) && version == 1
           && get_number(found[NUMBER], APR_INT64_MAX, &checkpoint->number)
           && ai_json_string(p, found[NODE], &checkpoint->node, NULL) == APR_SUCCESS
           && get_number(found[TIME], APR_INT64_MAX, &checkpoint->time)
           && ai_json_string(p, found[PREVIOUS], &checkpoint->previous, NULL) == APR_SUCCESS
           && (!*checkpoint->previous
               || ai_checkpoint_is_hex(checkpoint->previous, AI_CHECKPOINT_DIGEST))
           && get_list(p, found[SEGMENTS], get_segment, checkpoint)
           && get_list(p, found[REMOVALS], get_removal, checkpoint)
           && get_list(p, found[HOLDS], get_hold, checkpoint);
}

const char *ai_checkpoint_read(apr_pool_t *p, const char *text, ai_checkpoint_t *checkpoint)
{
    ai_json_doc_t doc;
    ai_json_error_t err;

    memset(checkpoint, 0, sizeof(*checkpoint));
    checkpoint->segments = apr_array_make(p, 8, sizeof(ai_checkpoint_segment_t));
    checkpoint->removals = apr_array_make(p, 1, sizeof(ai_checkpoint_removal_t));
    checkpoint->holds = apr_array_make(p, 1, sizeof(ai_checkpoint_hold_t));
    if (ai_json_parse(p, ai_slice_of(text), DEPTH, &doc, &err) != APR_SUCCESS) {
        return apr_psprintf(p, "is no JSON at byte %" APR_SIZE_T_FMT ": %s", err.offset, err.reason);
    }
    return !get_all(p, doc.root, checkpoint) ? "is no checkpoint of version 1"
           : strcmp(ai_checkpoint_write(p, checkpoint), text) != 0
               ? "is not written as a checkpoint is" : NULL;
}

/* ---------------------------------------------------------------------------------- use */

const char *ai_checkpoint_digest(apr_pool_t *p, const char *text, const char *signature)
{
    return ai_sign_digest(p, ai_slice_of(text), ai_slice_of(signature));
}

int ai_checkpoint_removes(const ai_checkpoint_t *checkpoint, const char *segment,
                          apr_int64_t sequence)
{
    int i, k;

    for (i = 0; i < checkpoint->removals->nelts; i++) {
        const ai_checkpoint_removal_t *removal = &APR_ARRAY_IDX(checkpoint->removals, i,
                                                                ai_checkpoint_removal_t);

        for (k = 0; strcmp(removal->segment, segment) == 0 && k < removal->ranges->nelts; k++) {
            const ai_checkpoint_range_t *range = &APR_ARRAY_IDX(removal->ranges, k,
                                                                ai_checkpoint_range_t);

            if (sequence >= range->first && sequence <= range->last) {
                return 1;
            }
        }
    }
    return 0;
}
