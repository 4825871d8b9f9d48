/* SPDX-License-Identifier: Apache-2.0 */
/* ai_road.c - what was decided on a request's way, and how is it told? */

#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "ai_road.h"

/* Enough for most requests. */
#define FIRST_ROOM 12

/* In the place of those that are left out. */
static const char cut_stage[] = "road", cut_decision[] = "cut";

void ai_road_begin(apr_pool_t *p, ai_road_t *road)
{
    road->pool = p;
    road->n = 0;
    road->room = FIRST_ROOM;
    road->steps = apr_palloc(p, sizeof(*road->steps) * FIRST_ROOM);
}

void ai_road_add(ai_road_t *road, const ai_road_step_t *step)
{
    if (road->n == AI_ROAD_STEPS) {
        road->steps[AI_ROAD_STEPS - 2].stage = cut_stage;
        road->steps[AI_ROAD_STEPS - 2].decision = cut_decision;
        road->steps[AI_ROAD_STEPS - 2].target = NULL;
        road->steps[AI_ROAD_STEPS - 2].status = 0;
        road->steps[AI_ROAD_STEPS - 2].reason = NULL;
        road->n--;
    }
    if (road->n == road->room) {
        ai_road_step_t *more = apr_palloc(road->pool, sizeof(*more) * AI_ROAD_STEPS);

        memcpy(more, road->steps, sizeof(*more) * (apr_size_t)road->n);
        road->steps = more;
        road->room = AI_ROAD_STEPS;
    }
    road->steps[road->n++] = *step;
}

int ai_road_has(const ai_road_t *road, const char *stage)
{
    int i;

    for (i = 0; i < road->n; i++) {
        if (strcmp(road->steps[i].stage, stage) == 0) {
            return 1;
        }
    }
    return 0;
}

/* ------------------------------------------------------------------------------- texts */

/* RFC 9110, 5.6.2 */
static int is_token_char(char c)
{
    return apr_isalnum(c) || (c && strchr("!#$%&'*+-.^_`|~", c));
}

static const char *word(apr_pool_t *p, const char *text)
{
    char *copy = apr_pstrndup(p, text, AI_ROAD_WORD_MAX), *at;

    for (at = copy; *at; at++) {
        *at = is_token_char(*at) ? *at : '_';
    }
    return *copy ? copy : "_";
}

/* The reason with what it is about: "near 503 status". NULL: there is nothing to say. */
static const char *reason(apr_pool_t *p, const ai_road_step_t *step)
{
    const char *status = step->status ? apr_itoa(p, step->status) : NULL;
    char *text = apr_pstrcat(p, step->target ? step->target : "", step->target && status ? " " : "",
                             status ? status : "",
                             (step->target || status) && step->reason ? " " : "",
                             step->reason ? step->reason : "", NULL);
    char *at;

    if (strlen(text) > AI_ROAD_REASON_MAX) {
        text[AI_ROAD_REASON_MAX] = '\0';
    }
    for (at = text; *at; at++) {
        *at = *at >= ' ' && *at <= '~' ? *at : '?';
    }
    return *text ? text : NULL;
}

/* With its quotes; JSON and HTTP escape what is left to escape in the same way. */
static const char *quoted(apr_pool_t *p, const char *text)
{
    char *out = apr_palloc(p, 2 * strlen(text) + 3), *to = out;

    *to++ = '"';
    for (; *text; text++) {
        if (*text == '"' || *text == '\\') {
            *to++ = '\\';
        }
        *to++ = *text;
    }
    *to++ = '"';
    *to = '\0';
    return out;
}

static const char *token_or_quoted(apr_pool_t *p, const char *text)
{
    const char *at = text;

    while (is_token_char(*at)) {
        at++;
    }
    return *at ? quoted(p, text) : text;
}

static const char *text_of(apr_pool_t *p, const ai_road_step_t *step)
{
    const char *why = reason(p, step);

    return apr_psprintf(p, "%s=%s%s%s;t=%" APR_INT64_T_FMT, word(p, step->stage),
                        word(p, step->decision), why ? ";r=" : "",
                        why ? token_or_quoted(p, why) : "", step->us);
}

static const char *json_of(apr_pool_t *p, const ai_road_step_t *step)
{
    const char *why = reason(p, step);

    return apr_psprintf(p, "{\"stage\":\"%s\",\"decision\":\"%s\"%s%s,\"us\":%" APR_INT64_T_FMT "}",
                        word(p, step->stage), word(p, step->decision), why ? ",\"reason\":" : "",
                        why ? quoted(p, why) : "", step->us);
}

/* Leaves out parts between the first and the last until the rest has room, with a mark in their place:
 * how many are left. */
static int cut(const char **parts, int n, apr_size_t gap, apr_size_t max, const char *mark)
{
    const char *last = parts[n - 1];
    apr_size_t used = strlen(mark) + strlen(last) + 2 * gap;
    int fit;

    for (fit = 0; used + strlen(parts[fit]) + gap <= max; fit++) {
        used += strlen(parts[fit]) + gap;
    }
    parts[fit] = mark; /* all have no room, so this is before the last */
    parts[fit + 1] = last;
    return fit + 2;
}

/* Joins what is told of each step, as much of it as there is room for. */
static const char *join(apr_pool_t *p, const ai_road_t *road, apr_size_t max, const char *between,
                        const char *(*tell)(apr_pool_t *p, const ai_road_step_t *step))
{
    const char **parts = apr_palloc(p, sizeof(*parts) * (apr_size_t)(road->n + 1));
    apr_size_t gap = strlen(between), need = 0;
    int i, n = road->n;
    char *out, *to;

    for (i = 0; i < n; i++) {
        parts[i] = tell(p, &road->steps[i]);
        need += strlen(parts[i]) + gap;
    }
    if (need > max) {
        ai_road_step_t mark = { cut_stage, cut_decision, NULL, 0, NULL, road->steps[n - 1].us };

        n = cut(parts, n, gap, max, tell(p, &mark));
        need = max;
    }
    out = to = apr_palloc(p, need + 1);
    *to = '\0';
    for (i = 0; i < n; i++) {
        to = apr_cpystrn(to, i ? between : "", gap + 1);
        to = apr_cpystrn(to, parts[i], strlen(parts[i]) + 1);
    }
    return out;
}

const char *ai_road_text(apr_pool_t *p, const ai_road_t *road, apr_size_t max)
{
    return join(p, road, max, ", ", text_of);
}

const char *ai_road_json(apr_pool_t *p, const ai_road_t *road, apr_size_t max)
{
    return apr_pstrcat(p, "[", join(p, road, max - 2, ",", json_of), "]", NULL);
}
