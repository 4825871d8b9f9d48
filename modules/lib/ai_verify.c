/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_verify.c - does each checkpoint follow the one before, and each record?
 *
 * A value that is wrong is told once: whatever follows is compared with what is there, so that one
 * change does not look like thousands.
 *
 * May block: no.
 */
#include <stdarg.h>

#include <apr_escape.h>
#include <apr_strings.h>

#include "ai_base64.h"
#include "ai_digest.h"
#include "ai_verify_part.h"

void ai_verify_begin(ai_verify_t *verify)
{
    verify->told = apr_hash_make(verify->pool);
    verify->holds = apr_hash_make(verify->pool);
    verify->next = 1;
}

void ai_verify_found(ai_verify_t *verify, const char *format, ...)
{
    char line[1024];
    va_list args;

    va_start(args, format);
    apr_vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    verify->findings++;
    verify->found(verify->baton, line);
}

const char *ai_verify_hex(apr_pool_t *p, const unsigned char *digest)
{
    return apr_pescape_hex(p, digest, AI_SPOOL_DIGEST, 0);
}

/* --------------------------------------------------------------------------- checkpoints */

static void check_signature(ai_verify_t *verify, apr_pool_t *p, apr_int64_t number,
                            const char *text, const char *signature, const char *signer)
{
    const ai_sign_key_t *key = NULL;
    ai_slice_t bytes;
    int i;

    if (!*signature && !*signer) {
        verify->unsigned_checkpoints++;
        if (verify->first_signed) {
            ai_verify_found(verify, "checkpoint %" APR_INT64_T_FMT ": is not signed, and those before "
                            "it are", number);
        }
        return;
    }
    verify->first_signed = verify->first_signed ? verify->first_signed : number;
    for (i = 0; i < verify->keys->nelts && !key; i++) {
        key = APR_ARRAY_IDX(verify->keys, i, const ai_sign_key_t *);
        key = strcmp(ai_sign_id(key), signer) == 0 ? key : NULL;
    }
    if (!verify->keys->nelts) {
        return;
    }
    if (!key) {
        ai_verify_found(verify, "checkpoint %" APR_INT64_T_FMT ": is signed by %.64s, whose public key "
                        "was not given", number, signer);
    }
    else if (!ai_base64_read(p, ai_slice_of(signature), &bytes)
             || !ai_sign_verify(key, ai_slice_of(text), bytes)) {
        ai_verify_found(verify, "checkpoint %" APR_INT64_T_FMT ": its signature does not hold", number);
    }
}

static int differs(const char *now, const char *before)
{
    return strcmp(now ? now : "", before) != 0;
}

/* Nothing that was said of a segment is taken back. */
static void check_told(ai_verify_t *verify, apr_int64_t number,
                       const ai_checkpoint_segment_t *segment, const ai_verify_told_t *told)
{
    if (differs(segment->start, told->start) || differs(segment->previous, told->previous)
        || segment->records < told->records || segment->state < told->state
        || segment->damaged < told->damaged || segment->settled < told->settled
        || (segment->records == told->records && differs(segment->chain, told->chain))) {
        ai_verify_found(verify, "checkpoint %" APR_INT64_T_FMT ": says of segment %s what checkpoint %"
                        APR_INT64_T_FMT " contradicts", number, segment->id, told->number);
    }
}

static void copy(char *to, const char *from, apr_size_t size)
{
    apr_cpystrn(to, from ? from : "", size);
}

static void take_segment(ai_verify_t *verify, apr_int64_t number,
                         const ai_checkpoint_segment_t *segment)
{
    ai_verify_told_t *told = apr_hash_get(verify->told, segment->id, AI_UUID_TEXT);
    ai_verify_entry_t *entry;
    apr_size_t n;

    if (told && told->number) {
        check_told(verify, number, segment, told);
    }
    if (!told) {
        told = apr_pcalloc(verify->pool, sizeof(*told));
        copy(told->id, segment->id, sizeof(told->id));
        apr_hash_set(verify->told, told->id, AI_UUID_TEXT, told);
    }
    copy(told->previous, segment->previous, sizeof(told->previous));
    copy(told->start, segment->start, sizeof(told->start));
    copy(told->chain, segment->chain, sizeof(told->chain));
    told->number = number;
    told->records = segment->records;
    told->torn = segment->torn;
    told->state = segment->state;
    told->damaged = segment->damaged;
    told->settled = segment->settled;
    if (told->entries && segment->chain) {
        entry = apr_array_push(told->entries);
        entry->number = number;
        entry->records = segment->records;
        apr_unescape_hex(entry->chain, segment->chain, AI_VERIFY_HEX, 0, &n);
    }
}

/* Only of segments that are in an export: in a database each record says where it is told. */
static void take_removal(ai_verify_t *verify, const ai_checkpoint_removal_t *removal)
{
    ai_verify_told_t *told = apr_hash_get(verify->told, removal->segment, AI_UUID_TEXT);

    if (told && told->ranges) {
        apr_array_cat(told->ranges, removal->ranges);
    }
}

static int same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static void take_hold(ai_verify_t *verify, apr_int64_t number, const ai_checkpoint_hold_t *hold)
{
    ai_checkpoint_hold_t *told = apr_hash_get(verify->holds, hold->id, APR_HASH_KEY_STRING);

    if (told && (!same_text(hold->tenant, told->tenant) || !same_text(hold->reason, told->reason)
                 || hold->since != told->since || hold->until != told->until
                 || hold->created != told->created
                 || (told->released >= 0 && hold->released != told->released))) {
        ai_verify_found(verify, "checkpoint %" APR_INT64_T_FMT ": says of hold %s what one before it "
                        "contradicts", number, hold->id);
    }
    if (!told) {
        told = apr_pcalloc(verify->pool, sizeof(*told));
        told->id = apr_pstrdup(verify->pool, hold->id);
        apr_hash_set(verify->holds, told->id, APR_HASH_KEY_STRING, told);
        told->tenant = hold->tenant ? apr_pstrdup(verify->pool, hold->tenant) : NULL;
        told->reason = hold->reason ? apr_pstrdup(verify->pool, hold->reason) : NULL;
        told->since = hold->since;
        told->until = hold->until;
        told->created = hold->created;
    }
    told->released = hold->released;
}

/* It follows the one before; the next follows it. */
static void check_order(ai_verify_t *verify, const ai_checkpoint_t *checkpoint, const char *digest)
{
    if (checkpoint->number != verify->next) {
        ai_verify_found(verify, "checkpoint %" APR_INT64_T_FMT ": stands where number %"
                        APR_INT64_T_FMT " must be", checkpoint->number, verify->next);
    }
    if (strcmp(checkpoint->previous, verify->last ? verify->last : "") != 0) {
        ai_verify_found(verify, "checkpoint %" APR_INT64_T_FMT ": does not follow the one that stands "
                        "before it", checkpoint->number);
    }
    verify->next = checkpoint->number < APR_INT64_MAX ? checkpoint->number + 1 : 1;
    verify->last_time = checkpoint->time;
    verify->expected |= verify->expect && strcmp(verify->expect, digest) == 0;
}

int ai_verify_checkpoint(ai_verify_t *verify, apr_pool_t *p, const char *text,
                         const char *signature, const char *signer, ai_checkpoint_t *checkpoint)
{
    const char *wrong = ai_checkpoint_read(p, text, checkpoint);
    const char *digest = ai_checkpoint_digest(p, text, signature);
    char *last = verify->last ? (char *)verify->last : apr_palloc(verify->pool, AI_VERIFY_HEX + 1);
    int i;

    verify->checkpoints++;
    digest = digest ? digest : "";
    if (wrong) {
        ai_verify_found(verify, "checkpoint %" APR_INT64_T_FMT ": its text %s", verify->next, wrong);
        verify->next++;
    }
    else {
        check_order(verify, checkpoint, digest);
        check_signature(verify, p, checkpoint->number, text, signature, signer);
    }
    copy(last, digest, AI_VERIFY_HEX + 1);
    verify->last = last;
    for (i = 0; !wrong && i < checkpoint->segments->nelts; i++) {
        take_segment(verify, checkpoint->number,
                     &APR_ARRAY_IDX(checkpoint->segments, i, ai_checkpoint_segment_t));
    }
    for (i = 0; !wrong && i < checkpoint->removals->nelts; i++) {
        take_removal(verify, &APR_ARRAY_IDX(checkpoint->removals, i, ai_checkpoint_removal_t));
    }
    for (i = 0; !wrong && i < checkpoint->holds->nelts; i++) {
        take_hold(verify, checkpoint->number,
                  &APR_ARRAY_IDX(checkpoint->holds, i, ai_checkpoint_hold_t));
    }
    return !wrong;
}

void ai_verify_checkpoints_end(ai_verify_t *verify)
{
    if (verify->expect && !verify->expected) {
        ai_verify_found(verify, "checkpoints: none has the digest %s that was expected; it was "
                        "changed, or those from it on were removed", verify->expect);
    }
    if (verify->keys->nelts && !verify->first_signed) {
        ai_verify_found(verify, "checkpoints: none is signed");
    }
}

void ai_verify_unseen(ai_verify_t *verify)
{
    apr_hash_index_t *at;

    for (at = apr_hash_first(verify->pool, verify->told); at; at = apr_hash_next(at)) {
        const ai_verify_told_t *told = apr_hash_this_val(at);

        if (!told->seen) {
            ai_verify_found(verify, "segment %s: is missing; checkpoint %" APR_INT64_T_FMT " tells of %"
                            APR_INT64_T_FMT " records", told->id, told->number, told->records);
        }
    }
}

/* -------------------------------------------------------------------------------- chains */

void ai_verify_chain_begin(ai_verify_chain_t *chain, ai_verify_t *verify, const char *segment,
                           const char *start)
{
    apr_size_t n;

    memset(chain, 0, sizeof(*chain));
    chain->verify = verify;
    chain->segment = segment;
    chain->known = start && *start
                   && apr_unescape_hex(chain->value, start, AI_VERIFY_HEX, 0, &n) == APR_SUCCESS;
}

static void check_body(ai_verify_chain_t *chain, const ai_spool_frame_t *frame)
{
    unsigned char digest[AI_SPOOL_DIGEST];

    if (!frame->body.p && frame->length) {
        return;
    }
    if (frame->body.n != frame->length
        || !ai_digest((ai_slice_t){ frame->body.n ? frame->body.p : "", frame->body.n }, digest)
        || memcmp(digest, frame->digest, sizeof(digest)) != 0) {
        ai_verify_found(chain->verify, "record %s:%010" APR_INT64_T_FMT ": its body is not the one "
                        "that was written", chain->segment, (apr_int64_t)frame->sequence);
    }
}

void ai_verify_frame(ai_verify_chain_t *chain, const ai_spool_frame_t *frame)
{
    apr_int64_t sequence = (apr_int64_t)frame->sequence;
    unsigned char value[AI_SPOOL_DIGEST];

    if (sequence > chain->next) {
        ai_verify_found(chain->verify, "segment %s: records %" APR_INT64_T_FMT " to %" APR_INT64_T_FMT
                        " are missing", chain->segment, chain->next, sequence - 1);
        chain->known = 0;
    }
    else if (sequence < chain->next) {
        ai_verify_found(chain->verify, "record %s:%010" APR_INT64_T_FMT ": stands where number %"
                        APR_INT64_T_FMT " must be", chain->segment, sequence, chain->next);
    }
    if (chain->known && (!ai_spool_chain(chain->value, frame, value)
                         || memcmp(value, frame->chain, sizeof(value)) != 0)) {
        ai_verify_found(chain->verify, "record %s:%010" APR_INT64_T_FMT ": it, or its place, is not as "
                        "it was written: its chain value does not follow from it", chain->segment,
                        sequence);
    }
    check_body(chain, frame);
    memcpy(chain->value, frame->chain, sizeof(chain->value));
    chain->known = 1;
    chain->next = sequence + 1;
    chain->last_type = frame->type;
    if (frame->type != AI_SPOOL_CLOSE) {
        memcpy(chain->last_of_calls, frame->chain, sizeof(chain->value));
        chain->has_calls = 1;
    }
    chain->verify->records++;
}
