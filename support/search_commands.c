/* SPDX-License-Identifier: Apache-2.0 */
/*
 * search_commands.c - which calls were there? aictl audit search, and what tail has in common with it.
 */
#include <stdio.h>

#include "search.h"

#define DEFAULT_LIMIT 100

static const char *const formats[] = { "table", "json", "csv", NULL };
static const char for_people[] = "time,id,status,tenant,user,model,target,tokens.prompt,"
                                 "tokens.completion,cost,us.total";

const char *search_listing_prepare(apr_pool_t *p, search_listing_t *listing)
{
    search_options_t *o = &listing->options;
    const char *wrong;
    int format, i;

    wrong = search_options_word(p, "format", o->format, formats, &format);
    listing->format = (search_format_e)format;
    if (!wrong && (o->columns || format == SEARCH_TABLE)) {
        wrong = search_options_fields(p, "columns", o->columns ? o->columns : for_people,
                                      &listing->fields);
    }
    else if (!wrong) {
        listing->fields = apr_array_make(p, 40, sizeof(search_field_t));
        for (i = 0; search_field_column(p, i, apr_array_push(listing->fields)); i++) {
            continue;
        }
        listing->fields->nelts--;
    }
    wrong = wrong ? wrong : search_options_filters(p, o);
    for (i = 0; !wrong && i < listing->fields->nelts; i++) {
        search_want(&o->query, &APR_ARRAY_IDX(listing->fields, i, search_field_t));
    }
    return wrong;
}

const char *search_listing_row(void *baton, apr_pool_t *scratch, const search_row_t *row)
{
    search_listing_t *listing = baton;

    search_print_row(listing->print, scratch, row);
    return ferror(stdout) ? "what was found cannot be printed" : NULL;
}

int search_command(apr_pool_t *p, int argc, const char *const *argv)
{
    search_listing_t *listing = apr_pcalloc(p, sizeof(*listing));
    search_options_t *o = &listing->options;
    int more = 0;
    const char *wrong = search_options_read(p, argc, argv, " since until limit order format columns "
                                            "database ", apr_time_now(), o);

    wrong = wrong ? wrong : search_listing_prepare(p, listing);
    if (wrong) {
        return complain(MISUSED, wrong);
    }
    o->query.limit = o->query.limit < 0 ? DEFAULT_LIMIT : o->query.limit;
    wrong = search_source_open(p, o->database, &listing->source);
    if (wrong) {
        return complain(FAILED, wrong);
    }
    listing->print = search_print_begin(p, listing->format, listing->fields);
    wrong = search_walk(&listing->source, p, &o->query, search_listing_row, listing, &more);
    search_print_end(listing->print);
    if (more) {
        fprintf(stderr, "aictl: there are more than %" APR_INT64_T_FMT "; --limit 0 shows all\n",
                o->query.limit);
    }
    return wrong ? complain(FAILED, wrong) : DONE_WELL;
}
