/* SPDX-License-Identifier: Apache-2.0 */
/* ai_road.c - what was decided on a request's way, and how is it told? */

#include <string.h>

#include <apr_lib.h>

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

/* Each writes from to on, and returns where it ended. */

static char *put(char *to, const char *text)
{
    apr_size_t n = strlen(text);

    memcpy(to, text, n);
    return to + n;
}

static char *put_word(char *to, const char *text)
{
    int i;

    for (i = 0; text[i] && i < AI_ROAD_WORD_MAX; i++) {
        to[i] = is_token_char(text[i]) ? text[i] : '_';
    }
    if (!i) {
        to[i++] = '_';
    }
    return to + i;
}

static char *put_number(char *to, apr_int64_t number)
{
    char digits[24], *at = digits + sizeof(digits);
    apr_uint64_t left = number < 0 ? -(apr_uint64_t)number : (apr_uint64_t)number;

    do {
        *--at = (char)('0' + left % 10);
        left /= 10;
    } while (left);
    if (number < 0) {
        *--at = '-';
    }
    memcpy(to, at, (apr_size_t)(digits + sizeof(digits) - at));
    return to + (digits + sizeof(digits) - at);
}

/* One of the parts of a reason, as much as there is room for, behind a space where it is not the first. */
static char *put_part(char *begin, char *to, const char *text)
{
    const char *end = begin + AI_ROAD_REASON_MAX;

    if (to > begin && to < end) {
        *to++ = ' ';
    }
    for (; *text && to < end; text++) {
        *to++ = *text >= ' ' && *text <= '~' ? *text : '?';
    }
    return to;
}

/* The reason with what it is about: "near 503 status". 0: there is nothing to say. */
static apr_size_t reason(char text[AI_ROAD_REASON_MAX], const ai_road_step_t *step)
{
    char *to = text, status[24];

    if (step->target) {
        to = put_part(text, to, step->target);
    }
    if (step->status) {
        *put_number(status, step->status) = '\0';
        to = put_part(text, to, status);
    }
    if (step->reason) {
        to = put_part(text, to, step->reason);
    }
    return (apr_size_t)(to - text);
}

/* With its quotes; JSON and HTTP escape what is left to escape in the same way. */
static char *put_quoted(char *to, const char *text, apr_size_t n)
{
    *to++ = '"';
    for (; n; text++, n--) {
        if (*text == '"' || *text == '\\') {
            *to++ = '\\';
        }
        *to++ = *text;
    }
    *to++ = '"';
    return to;
}

static int is_token(const char *text, apr_size_t n)
{
    while (n && is_token_char(*text)) {
        text++;
        n--;
    }
    return n == 0;
}

/* What a step takes at most: words and a reason of quotes alone, names, numbers. */
enum { STEP_MAX = 2 * AI_ROAD_WORD_MAX + 2 * AI_ROAD_REASON_MAX + 120 };

static char *put_text(char *to, const ai_road_step_t *step)
{
    char why[AI_ROAD_REASON_MAX];
    apr_size_t n = reason(why, step);

    to = put_word(to, step->stage);
    *to++ = '=';
    to = put_word(to, step->decision);
    if (n) {
        to = put(to, ";r=");
        if (is_token(why, n)) {
            memcpy(to, why, n);
            to += n;
        }
        else {
            to = put_quoted(to, why, n);
        }
    }
    return put_number(put(to, ";t="), step->us);
}

static char *put_json(char *to, const ai_road_step_t *step)
{
    char why[AI_ROAD_REASON_MAX];
    apr_size_t n = reason(why, step);

    to = put_word(put(to, "{\"stage\":\""), step->stage);
    to = put_word(put(to, "\",\"decision\":\""), step->decision);
    *to++ = '"';
    if (n) {
        to = put_quoted(put(to, ",\"reason\":"), why, n);
    }
    to = put_number(put(to, ",\"us\":"), step->us);
    *to++ = '}';
    return to;
}

/*
 * Joins what is told of each step behind out, and returns the end. Where all have no room in max bytes:
 * the first ones, a mark in the place of the others, and the last one.
 */
static char *join(char *out, const ai_road_t *road, apr_size_t max, const char *between,
                  char *(*tell)(char *to, const ai_road_step_t *step))
{
    char one[STEP_MAX], end[2 * (STEP_MAX + 2)], *to = out, *fits = out, *behind = end;
    ai_road_step_t mark = { cut_stage, cut_decision, NULL, 0, NULL, 0 };
    apr_size_t gap = strlen(between), left_out;
    int i;

    if (road->n) {
        mark.us = road->steps[road->n - 1].us;
        behind = tell(put(end, between), &mark);
        behind = tell(put(behind, between), &road->steps[road->n - 1]);
    }
    for (i = 0; i < road->n; i++) {
        apr_size_t n = (apr_size_t)(tell(one, &road->steps[i]) - one);

        if ((apr_size_t)(to - out) + gap + n > max) {
            left_out = fits == out ? gap : 0; /* nothing stands before the mark */
            memcpy(fits, end + left_out, (apr_size_t)(behind - end) - left_out);
            return fits + (behind - end) - left_out;
        }
        to = i ? put(to, between) : to;
        memcpy(to, one, n);
        to += n;
        if ((apr_size_t)(to - out) + (apr_size_t)(behind - end) <= max) {
            fits = to;
        }
    }
    return to;
}

/* How much room join() may take. */
static apr_size_t room_for(const ai_road_t *road, apr_size_t max)
{
    apr_size_t most = (apr_size_t)road->n * (STEP_MAX + 2);

    return most < max ? most : max;
}

const char *ai_road_text(apr_pool_t *p, const ai_road_t *road, apr_size_t max)
{
    char *text = apr_palloc(p, room_for(road, max) + 1);

    *join(text, road, max, ", ", put_text) = '\0';
    return text;
}

const char *ai_road_json(apr_pool_t *p, const ai_road_t *road, apr_size_t max)
{
    char *text = apr_palloc(p, room_for(road, max) + 3), *to = text;

    *to++ = '[';
    to = join(to, road, max - 2, ",", put_json);
    *to++ = ']';
    *to = '\0';
    return text;
}
