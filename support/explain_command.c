/* SPDX-License-Identifier: Apache-2.0 */
/*
 * explain_command.c - what became of this call, and why? aictl explain, in words.
 *
 * All of it is in the call's record: the road that it took through the gateway, and what each target
 * answered.
 */
#include <stdio.h>
#include <string.h>

#include <apr_strings.h>

#include "search.h"

/* A member of an object, fit to be printed; "" where it is not there. */
static const char *say(apr_pool_t *p, ai_slice_t object, const char *name)
{
    ai_slice_t value = ai_json_type(object) == AI_JSON_OBJECT ? ai_json_get(object, name)
                                                             : (ai_slice_t){ NULL, 0 };
    const char *text;
    apr_size_t n;

    if (ai_json_string(p, value, &text, &n) == APR_SUCCESS) {
        return search_visible(p, (ai_slice_t){ text, n });
    }
    return search_visible(p, value);
}

static int has(ai_slice_t object, const char *name, apr_int64_t *number)
{
    *number = 0;
    return ai_json_type(object) == AI_JSON_OBJECT
           && ai_json_int(ai_json_get(object, name), number) == APR_SUCCESS;
}

/* "0.12 ms", "12.3 ms": the gateway's own share is a fraction of one. */
static const char *span(apr_pool_t *p, apr_int64_t us)
{
    return us < 10000 ? apr_psprintf(p, "%.2f ms", (double)us / 1000)
                      : apr_psprintf(p, "%.1f ms", (double)us / 1000);
}

/* words, and the text behind them; nothing where there is no text. */
static void add(const char *words, const char *text)
{
    if (*text) {
        printf("%s%s", words, text);
    }
}

/* ------------------------------------------------------------------------------ who, what */

static void tell_question(apr_pool_t *p, const search_call_t *call)
{
    ai_slice_t r = call->record;

    printf("Call %s", call->id);
    if (strcmp(say(p, r, "id"), call->id) != 0) {
        add(", known to the caller as ", say(p, r, "id"));
    }
    add(", ", say(p, r, "time"));
    printf("\n%s %s", say(p, r, "method"), say(p, r, "path"));
    add(": ", say(p, r, "endpoint"));
    add(" in the dialect ", say(p, r, "dialect"));
    add(", from ", say(p, r, "address"));
    add(", by the key ", say(p, r, "key"));
    add(", the user ", say(p, r, "user"));
    add(", of the tenant ", say(p, r, "tenant"));
    add(", in the tier ", say(p, r, "tier"));
    printf(".\n");
    if (*say(p, r, "model")) {
        printf("Asked for the model %s%s.\n", say(p, r, "model"),
               ai_json_bool(ai_json_get(r, "stream"), 0) ? ", as a stream" : "");
    }
}

static void tell_road(apr_pool_t *p, ai_slice_t record)
{
    ai_slice_t road = ai_json_get(record, "road");
    ai_json_member_t step;
    ai_json_walk_t walk;
    apr_int64_t us;

    if (ai_json_type(road) != AI_JSON_ARRAY || !ai_json_walk(&walk, road)) {
        return;
    }
    printf("\nIts road through the gateway:\n");
    while (ai_json_next(&walk, &step) > 0) {
        printf("  %10s  %-10s %s", has(step.value, "us", &us) ? span(p, us) : "",
               say(p, step.value, "stage"), say(p, step.value, "decision"));
        add(": ", say(p, step.value, "reason"));
        putchar('\n');
    }
}

static void tell_attempts(apr_pool_t *p, ai_slice_t record)
{
    ai_slice_t attempts = ai_json_get(record, "attempts"), one;
    ai_json_member_t member;
    ai_json_walk_t walk;
    apr_int64_t status, us;
    int n = 0;

    if (ai_json_type(attempts) != AI_JSON_ARRAY || !ai_json_walk(&walk, attempts)) {
        return;
    }
    while (ai_json_next(&walk, &member) > 0) {
        one = member.value;
        printf("%s  %d. %s", n ? "" : "\nWhat the targets said:\n", n + 1, say(p, one, "target"));
        n++;
        add(", as ", say(p, one, "model"));
        if (has(one, "status", &status) && status) {
            printf(": answered %" APR_INT64_T_FMT, status);
        }
        else {
            printf(": no answer came");
        }
        if (has(one, "us", &us)) {
            printf(" after %s", span(p, us));
        }
        printf("%s%s\n", *say(p, one, "reason") ? "; it failed: "
                         : status < 400       ? "; it served" : "", say(p, one, "reason"));
    }
}

/* ---------------------------------------------------------------------------------- the end */

static const char *verdict(apr_pool_t *p, const search_call_t *call, apr_int64_t status, int attempts)
{
    ai_slice_t r = call->record;
    const char *deny = say(p, r, "deny"), *target = say(p, r, "target");
    const char *finish = say(p, r, "finish");

    if (call->estimated) {
        return "Nobody wrote its end: the process that served it is gone. It counts as the most tokens "
               "that it can have taken, as far as that was known.";
    }
    if (!call->ended) {
        return "It is not over, or its end has not come yet.";
    }
    if (status >= 400 && !attempts) {
        return apr_psprintf(p, "The gateway refused it%s%s: nothing went upstream.",
                            *deny ? ": " : "", deny);
    }
    if (status >= 400) {
        return apr_psprintf(p, "It failed%s%s, after %d attempt%s%s%s.", *deny ? ": " : "", deny,
                            attempts, attempts == 1 ? "" : "s", *target ? ", the last with " : "",
                            target);
    }
    if (attempts && (strcmp(finish, "error") == 0 || strcmp(finish, "client-abort") == 0)) {
        return apr_psprintf(p, "%s before the answer of %s was over.",
                            *finish == 'e' ? "It broke off" : "The caller left", *target ? target : "a target");
    }
    return attempts ? apr_psprintf(p, "It was served by %s%s%s.", *target ? target : "a target",
                                   *say(p, r, "served") ? " as " : "", say(p, r, "served"))
                    : "The gateway answered it itself.";
}

static int count(ai_slice_t list)
{
    ai_json_member_t member;
    ai_json_walk_t walk;
    int n = 0;

    if (ai_json_type(list) == AI_JSON_ARRAY && ai_json_walk(&walk, list)) {
        while (ai_json_next(&walk, &member) > 0) {
            n++;
        }
    }
    return n;
}

static void tell_cost(apr_pool_t *p, ai_slice_t record)
{
    ai_slice_t tokens = ai_json_get(record, "tokens"), cost = ai_json_get(record, "cost");
    apr_int64_t prompt, completion, nano;

    if (has(tokens, "prompt", &prompt) | has(tokens, "completion", &completion)) {
        printf("Tokens: %" APR_INT64_T_FMT " of the prompt, %" APR_INT64_T_FMT " of the answer", prompt,
               completion);
        add(", ", say(p, tokens, "source"));
        printf(".\n");
    }
    if (has(cost, "nanousd", &nano)) {
        printf("Cost: USD %s", search_dollars(p, apr_psprintf(p, "%" APR_INT64_T_FMT, nano)));
        add(", by the price ", say(p, cost, "price"));
        printf(".\n");
    }
    if (has(cost, "saved", &nano) && nano) {
        printf("Saved by the cache: USD %s.\n",
               search_dollars(p, apr_psprintf(p, "%" APR_INT64_T_FMT, nano)));
    }
}

static void tell_end(apr_pool_t *p, const search_call_t *call)
{
    static const struct { const char *member, *words; } parts[] = {
        { "route", "The rule was " }, { "cache", "The cache: " }, { "guard", "The guard: " },
        { "limit", "The limit: " }, { "dropped", "Left out, as the target has no word for it: " },
    };
    ai_slice_t r = call->record, us = ai_json_get(r, "us");
    apr_int64_t status, total, overhead;
    apr_size_t i;

    has(r, "status", &status);
    printf("\n%s\n", verdict(p, call, status, count(ai_json_get(r, "attempts"))));
    if (status) {
        printf("The caller got status %" APR_INT64_T_FMT, status);
        add("; the answer ended with ", say(p, r, "finish"));
        printf(".\n");
    }
    for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (*say(p, r, parts[i].member)) {
            printf("%s%s.\n", parts[i].words, say(p, r, parts[i].member));
        }
    }
    tell_cost(p, r);
    if (has(us, "total", &total)) {
        printf("It took %s", span(p, total));
        if (has(us, "overhead", &overhead)) {
            printf(", of which %s in the gateway", span(p, overhead));
        }
        printf(".\n");
    }
}

int explain_command(apr_pool_t *p, int argc, const char *const *argv)
{
    search_options_t o;
    search_place_t place;
    search_call_t call;
    const char *wrong = search_options_read(p, argc, argv, " database spool ", apr_time_now(), &o);

    if (!wrong && o.words->nelts != 1) {
        wrong = "usage: aictl explain ID";
    }
    if (wrong) {
        return complain(MISUSED, wrong);
    }
    wrong = search_place_open(p, &o, &place);
    wrong = wrong ? wrong : search_call_find(p, &place, APR_ARRAY_IDX(o.words, 0, const char *), &call);
    if (!wrong && !call.record.n) {
        wrong = apr_psprintf(p, "%s: its record is not here: %s", call.id, call.absent);
    }
    if (wrong) {
        return complain(FAILED, wrong);
    }
    tell_question(p, &call);
    tell_road(p, call.record);
    tell_attempts(p, call.record);
    tell_end(p, &call);
    return DONE_WELL;
}
