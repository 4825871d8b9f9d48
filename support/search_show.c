/* SPDX-License-Identifier: Apache-2.0 */
/*
 * search_show.c - what is kept of this call? aictl audit show.
 */
#include <stdio.h>
#include <string.h>

#include <apr_strings.h>

#include "ai_audit_record.h"
#include "search.h"

/* So deep does a record go, and no deeper is looked. */
#define DEPTH 8

static void print_value(apr_pool_t *p, const char *name, ai_slice_t value, int depth)
{
    ai_json_member_t member;
    ai_json_walk_t walk;
    const char *text;
    apr_size_t n;
    int i = 0;

    if (depth < DEPTH && ai_json_walk(&walk, value)) {
        while (ai_json_next(&walk, &member) > 0) {
            const char *key = walk.is_object ? apr_pstrmemdup(p, member.key.p, member.key.n)
                                             : apr_psprintf(p, "%d", ++i);

            print_value(p, *name ? apr_pstrcat(p, name, ".", key, NULL) : key, member.value,
                        depth + 1);
        }
        return;
    }
    if (ai_json_string(p, value, &text, &n) == APR_SUCCESS) {
        value = (ai_slice_t){ text, n };
    }
    printf("%s: %s", search_visible(p, ai_slice_of(name)), search_visible(p, value));
    if (strcmp(name, "cost.nanousd") == 0 || strcmp(name, "cost.saved") == 0) {
        printf(" (USD %s)", search_dollars(p, search_visible(p, value)));
    }
    putchar('\n');
}

/* Where the record is gone, the columns still say something. */
static void print_columns(apr_pool_t *p, const search_call_t *call)
{
    const apr_array_header_t *values;
    search_field_t field;
    int i;

    for (i = 0; search_field_column(p, i, &field); i++) {
        values = search_values(p, &call->row, &field);
        if (values->nelts) {
            print_value(p, field.name, APR_ARRAY_IDX(values, 0, search_value_t).json, DEPTH);
        }
    }
}

static int show_text(apr_pool_t *p, const search_call_t *call)
{
    int i;

    if (call->record.n) {
        print_value(p, "", call->record, 0);
    }
    else {
        print_columns(p, call);
        printf("record: %s\n", call->absent);
    }
    if (call->estimated) {
        printf("estimated: its end was never written; it counts as the most that it can have cost\n");
    }
    else if (!call->ended && call->record.n) {
        printf("end: none yet\n");
    }
    for (i = 0; i < call->notes->nelts; i++) {
        print_value(p, apr_psprintf(p, "note.%d", i + 1), APR_ARRAY_IDX(call->notes, i, ai_slice_t), 0);
    }
    return DONE_WELL;
}

static void print_json(apr_pool_t *p, ai_slice_t json)
{
    json = search_visible_json(p, json);
    fwrite(json.p, 1, json.n, stdout);
}

static int show_json(apr_pool_t *p, const search_call_t *call)
{
    int i;

    printf("{\"id\":\"%s\",\"ended\":%s,\"estimated\":%s,\"record\":", call->id,
           call->ended ? "true" : "false", call->estimated ? "true" : "false");
    print_json(p, call->record.n ? call->record : AI_SLICE("null"));
    if (call->absent) {
        printf(",\"absent\":");
        print_json(p, ai_json_quote(p, ai_slice_of(call->absent)));
    }
    printf(",\"notes\":[");
    for (i = 0; i < call->notes->nelts; i++) {
        printf("%s", i ? "," : "");
        print_json(p, APR_ARRAY_IDX(call->notes, i, ai_slice_t));
    }
    printf("]}\n");
    return DONE_WELL;
}

/* -------------------------------------------------------------------------------- bodies */

/* Bytes as they came: whoever wants to look at them needs a program that is no terminal. */
static const char *write_part(void *baton, apr_pool_t *scratch, const search_frame_t *frame)
{
    (void)baton;
    (void)scratch;
    if (frame->absent) {
        return frame->absent;
    }
    fwrite(frame->body.p, 1, frame->body.n, stdout);
    return ferror(stdout) ? "it cannot be written" : NULL;
}

static int show_body(apr_pool_t *p, search_place_t *place, const search_call_t *call, int answer)
{
    const char *name = answer ? "answer" : "prompt", *wrong;
    ai_slice_t about = ai_json_get(call->record, name);
    apr_int64_t parts = -1;
    int n;

    wrong = search_call_frames(p, place, call, answer ? AI_AUDIT_ANSWER : AI_AUDIT_PROMPT,
                               write_part, NULL, &n);
    if (wrong) {
        return complain(FAILED, apr_psprintf(p, "%s: %s: %s", call->id, name, wrong));
    }
    if (!n) {
        return complain(FAILED, apr_psprintf(p, "%s: no %s was kept", call->id, name));
    }
    if (ai_json_int(ai_json_get(about, "parts"), &parts) == APR_SUCCESS && parts != n) {
        return complain(FAILED, apr_psprintf(p, "%s: %s: has %" APR_INT64_T_FMT " parts, of which %d "
                                             "are here", call->id, name, parts, n));
    }
    return DONE_WELL;
}

int show_command(apr_pool_t *p, int argc, const char *const *argv)
{
    search_options_t o;
    search_place_t place;
    search_call_t call;
    const char *wrong = search_options_read(p, argc, argv, " json prompt answer database spool ",
                                            apr_time_now(), &o);

    if (!wrong && (o.words->nelts != 1 || o.json + o.prompt + o.answer > 1)) {
        wrong = "usage: aictl audit show [--json | --prompt | --answer] ID";
    }
    if (wrong) {
        return complain(MISUSED, wrong);
    }
    wrong = search_place_open(p, &o, &place);
    wrong = wrong ? wrong : search_call_find(p, &place, APR_ARRAY_IDX(o.words, 0, const char *), &call);
    if (wrong) {
        return complain(FAILED, wrong);
    }
    return o.prompt || o.answer ? show_body(p, &place, &call, o.answer)
           : o.json ? show_json(p, &call) : show_text(p, &call);
}
