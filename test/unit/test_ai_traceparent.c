/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_ai_traceparent.c - is every header that is not valid refused, and every other one read?
 *
 * The cases are those of the W3C's own test suite for services (github.com/w3c/trace-context,
 * test/test.py at 00a91acf6cc05c274fdcd194e878d04172db3f5f), named after its tests, and some beside.
 * Headers that come twice are joined with ", " there as httpd does it.
 */
#include <stdlib.h>

#include "ai_traceparent.h"
#include "tap.h"

#define TRACE "12345678901234567890123456789012"
#define SPAN "1234567890123456"

/* A copy without room behind it, so that a sanitizer sees what reads on. */
static char *copy_of(const char *text)
{
    size_t n = strlen(text) + 1;
    char *copy = malloc(n);

    memcpy(copy, text, n);
    return copy;
}

static void test_valid(void)
{
    static const struct {
        const char *text;
        unsigned flags;
    } rows[] = {
        { "00-" TRACE "-" SPAN "-01", 1 },
        { "00-" TRACE "-" SPAN "-00", 0 },
        { "00-" TRACE "-" SPAN "-03", 3 },
        { "00-" TRACE "-" SPAN "-fe", 2 }, /* flags that nobody has defined are taken off */
        { "cc-" TRACE "-" SPAN "-01", 1 }, /* version_0xcc */
        { "cc-" TRACE "-" SPAN "-01-what-the-future-will-be-like", 1 },
        { "cc-" TRACE "-" SPAN "-01-", 1 },
        { "fe-" TRACE "-" SPAN "-01", 1 },
    };
    size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char *text = copy_of(rows[i].text);
        ai_traceparent_t got;

        memset(&got, 'x', sizeof(got));
        ok(ai_traceparent_read(text, &got) && strcmp(got.trace, TRACE) == 0
               && strcmp(got.span, SPAN) == 0 && got.flags == rows[i].flags,
           "read: %s", rows[i].text);
        free(text);
    }
}

static void test_invalid(void)
{
    static const char *const rows[] = {
        "00-" TRACE "-" SPAN "-01.", /* version_0x00 */
        "00-" TRACE "-" SPAN "-01-what-the-future-will-be-like",
        "cc-" TRACE "-" SPAN "-01.what-the-future-will-be-like", /* version_0xcc */
        "ff-" TRACE "-" SPAN "-01", /* version_0xff */
        ".0-" TRACE "-" SPAN "-01", /* version_illegal_characters */
        "0.-" TRACE "-" SPAN "-01",
        "000-" TRACE "-" SPAN "-01", /* version_too_long */
        "0000-" TRACE "-" SPAN "-01",
        "0-" TRACE "-" SPAN "-01", /* version_too_short */
        "00-00000000000000000000000000000000-" SPAN "-01", /* trace_id_all_zero */
        "00-.2345678901234567890123456789012-" SPAN "-01", /* trace_id_illegal_characters */
        "00-1234567890123456789012345678901.-" SPAN "-01",
        "00-" TRACE "3-" SPAN "-01", /* trace_id_too_long */
        "00-1234567890123456789012345678901-" SPAN "-01", /* trace_id_too_short */
        "00-" TRACE "-0000000000000000-01", /* parent_id_all_zero */
        "00-" TRACE "-.234567890123456-01", /* parent_id_illegal_characters */
        "00-" TRACE "-123456789012345.-01",
        "00-" TRACE "-" SPAN "7-01", /* parent_id_too_long */
        "00-" TRACE "-123456789012345-01", /* parent_id_too_short */
        "00-" TRACE "-" SPAN "-.0", /* trace_flags_illegal_characters */
        "00-" TRACE "-" SPAN "-0.",
        "00-" TRACE "-" SPAN "-001", /* trace_flags_too_long */
        "00-" TRACE "-" SPAN "-1", /* trace_flags_too_short */
        "00-" TRACE "-" SPAN "-01, 00-" TRACE "-" SPAN "-01", /* traceparent_duplicated */
        "", "0", "00", "00-", "00-" TRACE, "00-" TRACE "-" SPAN, "00-" TRACE "-" SPAN "-",
        "00_" TRACE "-" SPAN "-01", "00-" TRACE "_" SPAN "-01", "00-" TRACE "-" SPAN "_01",
        "00-ABCDEF78901234567890123456789012-" SPAN "-01", /* upper case */
        "00-" TRACE "-ABCDEF7890123456-01", "00-" TRACE "-" SPAN "-0A", "0A-" TRACE "-" SPAN "-01",
        " 00-" TRACE "-" SPAN "-01", "00-" TRACE "-" SPAN "-01 ",
        "00-\xc3\xa4" "34567890123456789012345678901-" SPAN "-01",
    };
    size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char *text = copy_of(rows[i]);
        ai_traceparent_t got;

        ok(!ai_traceparent_read(text, &got), "refused: '%s'", rows[i]);
        free(text);
    }
}

static void test_ids_and_writing(void)
{
    static const unsigned char bytes[] = { 0x00, 0x0f, 0xa0, 0xff };
    ai_traceparent_t parent = { TRACE, SPAN, AI_TRACE_RANDOM };
    char text[AI_TRACEPARENT_TEXT + 1];

    ok(ai_traceparent_is_id(TRACE, 32) && ai_traceparent_is_id(SPAN, 16), "ids");
    ok(!ai_traceparent_is_id(TRACE, 16) && !ai_traceparent_is_id(SPAN, 32), "of another length");
    ok(!ai_traceparent_is_id("0000000000000000", 16) && !ai_traceparent_is_id("", 16)
           && !ai_traceparent_is_id("ABCDEF7890123456", 16),
       "nought, nothing and upper case are none");
    ai_traceparent_hex(bytes, 4, text);
    ok(strcmp(text, "000fa0ff") == 0, "the digits of an id");
    ai_traceparent_write(&parent, text);
    ok(strcmp(text, "00-" TRACE "-" SPAN "-02") == 0, "a header");
}

#define Z16 "zzzzzzzzzzzzzzzz"
#define Z64 Z16 Z16 Z16 Z16
#define Z240 Z64 Z64 Z64 Z16 Z16 Z16
#define ALL "abcdefghijklmnopqrstuvwxyz0123456789_-*/"
#define VALUE " !\"#$%&'()*+-./0123456789:;<>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~"

/* Those that pass, and how much of them. */
static void test_states(void)
{
    static const struct {
        const char *text;
        int n; /* -1: all */
    } rows[] = {
        { "foo=1,bar=2", -1 }, /* tracestate_included_traceparent_included */
        { "", 0 }, /* tracestate_empty_header */
        { "foo=1, ", 5 },
        { ", foo=1", -1 },
        { "foo=1,bar=2, rojo=1,congo=2, baz=3", -1 }, /* multiple_headers_different_keys */
        { "foo=1,foo=1", 0 }, /* duplicated_keys */
        { "foo=1,foo=2", 0 },
        { ALL "=" VALUE, -1 }, /* all_allowed_characters */
        { ALL "@a-z0-9_-*/=" VALUE, -1 },
        { "foo=1 \t , \t bar=2, \t baz=3", -1 }, /* ows_handling */
        { "foo=1\t \t,\t \tbar=2,\t \tbaz=3", -1 },
        { "foo =1", 0 }, /* key_illegal_characters */
        { "FOO=1", 0 },
        { "foo.bar=1", 0 },
        { "foo@=1,bar=2", 0 }, /* key_illegal_vendor_format */
        { "@foo=1,bar=2", 0 },
        { "foo@@bar=1,bar=2", 0 },
        { "foo@bar@baz=1,bar=2", 0 },
        { "a=1,b=1,c=1,d=1,e=1,f=1,g=1,h=1,i=1,j=1,k=1,l=1,m=1,n=1,o=1,p=1,"
          "q=1,r=1,s=1,t=1,u=1,v=1,w=1,x=1,y=1,z=1,aa=1,ab=1,ac=1,ad=1,ae=1,af=1", -1 },
        { "a=1,b=1,c=1,d=1,e=1,f=1,g=1,h=1,i=1,j=1,k=1,l=1,m=1,n=1,o=1,p=1," /* count_limit */
          "q=1,r=1,s=1,t=1,u=1,v=1,w=1,x=1,y=1,z=1,aa=1,ab=1,ac=1,ad=1,ae=1,af=1,ag=1", 0 },
        { "foo=1," Z240 Z16 "=1", -1 }, /* key_length_limit */
        { "foo=1," Z240 Z16 "z=1", 0 },
        { "foo=1," Z240 "t@vvvvvvvvvvvvvv=1", -1 },
        { "foo=1," Z240 "tt@v=1", 0 },
        { "foo=1,t@vvvvvvvvvvvvvvv=1", 0 },
        { "foo=bar=baz", 0 }, /* value_illegal_characters */
        { "foo=,bar=3", 0 },
        { "foo=a\tb", 0 },
        { "foo=\x7f", 0 },
        { "foo=\xc3\xa4", 0 },
        { "foo", 0 },
        { "foo=1;bar", -1 },
        { "1foo=1", -1 }, /* level 2 */
        { "t@1v=1", 0 },
        { "a=" Z240 Z16, -1 },
        { "a=" Z240 Z16 "z", 0 },
        { "a=1,b=" Z240 ",c=" Z240 ",d=1", -1 }, /* 498 */
        { "a=1,b=" Z240 ",c=" Z240 ",d=" Z64 ",e=1", 489 },
        { "a=" Z240 ",b=" Z240 ",c=" Z240 ",=", 0 }, /* wrong where nobody would see it */
    };
    size_t i;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char *text = copy_of(rows[i].text);
        int want = rows[i].n < 0 ? (int)strlen(text) : rows[i].n;

        is_number(ai_tracestate_read(text), want, rows[i].text);
        free(text);
    }
}

int main(void)
{
    test_valid();
    test_invalid();
    test_ids_and_writing();
    test_states();
    return done();
}
