/* SPDX-License-Identifier: Apache-2.0 */
/* Claims: times, issuer, audience, and claims as text. Whose signature it is: test_ai_jws. */
#include "jose_frame.h"

#define NOW APR_INT64_C(1700000000)
#define ISSUER "https://login.example/"

static const ai_jwks_t *jwks;

static ai_jwt_rule_t rule_of(void)
{
    return (ai_jwt_rule_t){ .now = apr_time_from_sec(NOW), .leeway = apr_time_from_sec(30) };
}

static ai_jwt_verdict_e verify(const char *payload, const ai_jwt_rule_t *rule, apr_time_t *expires)
{
    ai_json_doc_t claims;
    apr_time_t exp;
    ai_jwt_verdict_e verdict = ai_jwt_verify(pool, jwks, ai_slice_of(good_token(payload)), rule,
                                             &claims, expires ? expires : &exp);

    /* Nothing of a token that is refused gets out. */
    if ((verdict == AI_JWT_GOOD) != (claims.root.n > 0)) {
        ok(0, "claims are handed out of a good token only: %s", payload);
    }
    return verdict;
}

typedef struct case_t {
    const char *payload;
    ai_jwt_verdict_e want;
} case_t;

static void run(const case_t *cases, size_t n, const ai_jwt_rule_t *rule)
{
    size_t i;

    for (i = 0; i < n; i++) {
        is_number(verify(cases[i].payload, rule, NULL), cases[i].want, cases[i].payload);
    }
}

#define RUN(cases, rule) run((cases), sizeof(cases) / sizeof((cases)[0]), (rule))

static void test_expiry(void)
{
    static const case_t cases[] = {
        { "{'exp':1700000100}", AI_JWT_GOOD },
        { "{'exp':1699999971}", AI_JWT_GOOD },        /* within leeway */
        { "{'exp':1699999970}", AI_JWT_EXPIRED },     /* on the second is over */
        { "{'exp':1699999970.000001}", AI_JWT_GOOD },
        { "{'exp':1699999969.999999}", AI_JWT_EXPIRED },
        { "{'exp':1.7000001e9}", AI_JWT_GOOD },
        { "{'exp':1700000100.0}", AI_JWT_GOOD },
        { "{'exp':0}", AI_JWT_EXPIRED },
        { "{'exp':253402300799}", AI_JWT_GOOD },
        { "{'exp':253402300800}", AI_JWT_MALFORMED }, /* the year 10000 */
        { "{'exp':1700000100000}", AI_JWT_MALFORMED }, /* milliseconds would be for ever */
        { "{'exp':99999999999999999999999999}", AI_JWT_MALFORMED },
        { "{'exp':1e400}", AI_JWT_MALFORMED },
        { "{'exp':1.5e400}", AI_JWT_MALFORMED },
        { "{'exp':17000001005e-1}", AI_JWT_MALFORMED },
        { "{'exp':-1}", AI_JWT_MALFORMED },
        { "{'exp':-0.5}", AI_JWT_MALFORMED },
        { "{'exp':'1700000100'}", AI_JWT_MALFORMED },
        { "{'exp':true}", AI_JWT_MALFORMED },
        { "{'exp':null}", AI_JWT_MALFORMED },
        { "{'exp':[1700000100]}", AI_JWT_MALFORMED },
        { "{'exp':1700000100,'exp':1}", AI_JWT_MALFORMED },
        { "{}", AI_JWT_GOOD }
    };
    ai_jwt_rule_t rule = rule_of();
    apr_time_t expires = -1;

    RUN(cases, &rule);
    is_number(verify("{'exp':1700000100.25}", &rule, &expires), AI_JWT_GOOD, "a fraction");
    is_number(expires, APR_INT64_C(1700000100250000), "is handed out to the microsecond");
    is_number(verify("{}", &rule, &expires), AI_JWT_GOOD, "no exp");
    is_number(expires, 0, "is handed out as 0");
    rule.needs_expiry = 1;
    is_number(verify("{}", &rule, NULL), AI_JWT_NO_EXPIRY, "no exp where one is needed");
    is_number(verify("{'exp':1}", &rule, NULL), AI_JWT_EXPIRED, "one that is over");
    is_number(verify("{'exp':1700000100}", &rule, NULL), AI_JWT_GOOD, "one that is not");
}

static void test_beginning(void)
{
    static const case_t cases[] = {
        { "{'nbf':1700000030}", AI_JWT_GOOD },
        { "{'nbf':1700000031}", AI_JWT_TOO_EARLY },
        { "{'nbf':1700000030.5}", AI_JWT_TOO_EARLY },
        { "{'nbf':0}", AI_JWT_GOOD },
        { "{'nbf':-1}", AI_JWT_MALFORMED },
        { "{'nbf':'0'}", AI_JWT_MALFORMED },
        { "{'nbf':1e300}", AI_JWT_MALFORMED },
        { "{'iat':1700000030}", AI_JWT_GOOD },
        { "{'iat':1700000031}", AI_JWT_TOO_EARLY },
        { "{'iat':'now'}", AI_JWT_MALFORMED },
        { "{'iat':{}}", AI_JWT_MALFORMED },
        { "{'exp':1,'nbf':1700009999}", AI_JWT_EXPIRED }
    };
    ai_jwt_rule_t rule = rule_of();

    RUN(cases, &rule);
    rule.leeway = 0;
    is_number(verify("{'nbf':1700000000,'iat':1700000000}", &rule, NULL), AI_JWT_GOOD,
              "no leeway: from the very second on");
    is_number(verify("{'exp':1700000000}", &rule, NULL), AI_JWT_EXPIRED,
              "no leeway: to the second before");
}

static void test_issuer(void)
{
    static const case_t cases[] = {
        { "{'iss':'https://login.example/'}", AI_JWT_GOOD },
        { "{'iss':'https:\\/\\/login.example\\/'}", AI_JWT_GOOD },
        { "{'iss':'https://login.example'}", AI_JWT_ISSUER },
        { "{'iss':'https://LOGIN.example/'}", AI_JWT_ISSUER },
        { "{'iss':'https://login.example/x'}", AI_JWT_ISSUER },
        { "{'iss':'https://login.example/\\u0000'}", AI_JWT_ISSUER },
        { "{'iss':['https://login.example/']}", AI_JWT_ISSUER },
        { "{'iss':null}", AI_JWT_ISSUER },
        { "{'iss':''}", AI_JWT_ISSUER },
        { "{}", AI_JWT_ISSUER }
    };
    ai_jwt_rule_t rule = rule_of();

    is_number(verify("{'iss':'anybody'}", &rule, NULL), AI_JWT_GOOD, "no issuer is asked for");
    rule.issuer = ISSUER;
    RUN(cases, &rule);
}

static void test_audience(void)
{
    static const case_t cases[] = {
        { "{'aud':'gateway'}", AI_JWT_GOOD },
        { "{'aud':['other','gateway']}", AI_JWT_GOOD },
        { "{'aud':['gateway']}", AI_JWT_GOOD },
        { "{'aud':'other'}", AI_JWT_AUDIENCE },
        { "{'aud':['other']}", AI_JWT_AUDIENCE },
        { "{'aud':[]}", AI_JWT_AUDIENCE },
        { "{'aud':''}", AI_JWT_AUDIENCE },
        { "{'aud':'Gateway'}", AI_JWT_AUDIENCE },
        { "{'aud':'gateway2'}", AI_JWT_AUDIENCE },
        { "{'aud':'gate'}", AI_JWT_AUDIENCE },
        { "{'aud':'other gateway'}", AI_JWT_AUDIENCE },
        { "{'aud':['gateway',1]}", AI_JWT_MALFORMED },
        { "{'aud':[['gateway']]}", AI_JWT_MALFORMED },
        { "{'aud':{'gateway':true}}", AI_JWT_MALFORMED },
        { "{'aud':null}", AI_JWT_MALFORMED },
        { "{'aud':7}", AI_JWT_MALFORMED },
        { "{}", AI_JWT_AUDIENCE }
    };
    ai_jwt_rule_t rule = rule_of();

    is_number(verify("{'aud':'other'}", &rule, NULL), AI_JWT_GOOD, "no audience is asked for");
    rule.audience = "gateway";
    RUN(cases, &rule);
}

static void test_payloads(void)
{
    static const case_t cases[] = {
        { "", AI_JWT_MALFORMED },
        { "foo", AI_JWT_MALFORMED },
        { "[]", AI_JWT_MALFORMED },
        { "null", AI_JWT_MALFORMED },
        { "'sub'", AI_JWT_MALFORMED },
        { "{'a':{'b':1,'b':2}}", AI_JWT_MALFORMED },
        { "{'sub':'\xff'}", AI_JWT_MALFORMED },
        { "{'sub':'\\ud800'}", AI_JWT_MALFORMED },
        { "\xef\xbb\xbf{}", AI_JWT_MALFORMED },
        { "{} {}", AI_JWT_MALFORMED },
        { " {'sub':'a'}\n", AI_JWT_GOOD }
    };
    ai_jwt_rule_t rule = rule_of();
    const char *deep = "{}", *inner = good_token("{}");
    int i;

    RUN(cases, &rule);
    is_number(verify(inner, &rule, NULL), AI_JWT_MALFORMED, "a token in a token (RFC 7519, A.2)");
    for (i = 0; i < 40; i++) {
        deep = apr_pstrcat(pool, "{'a':", deep, "}", NULL);
    }
    is_number(verify(deep, &rule, NULL), AI_JWT_MALFORMED, "40 levels");
}

/* RFC 7519, 3.1: expired since 2011. */
static void test_example(void)
{
    static const char token[] =
        "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQog"
        "Imh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const ai_jwks_t *keys = set_of(
        "{'kty':'oct','k':'AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgU"
        "uTwjAzZr1Z9CAow'}");
    ai_jwt_rule_t rule = { .issuer = "joe", .now = apr_time_from_sec(1300819379), .needs_expiry = 1 };
    ai_json_doc_t claims;
    apr_time_t expires;
    const char *text;

    is_number(ai_jwt_verify(pool, keys, ai_slice_of(token), &rule, &claims, &expires), AI_JWT_GOOD,
              "RFC 7519's example in its last second");
    is_number(expires, apr_time_from_sec(1300819380), "its exp");
    text = ai_jwt_claim(pool, &claims, "http://example.com/is_root");
    ok(text && strcmp(text, "true") == 0, "a claim whose name has dots");
    rule.now = apr_time_from_sec(1300819380);
    is_number(ai_jwt_verify(pool, keys, ai_slice_of(token), &rule, &claims, &expires),
              AI_JWT_EXPIRED, "and a second later");
    ok(claims.root.n == 0 && expires == 0, "nothing of it is handed out");
}

static void is_claim(const char *payload, const char *path, const char *want)
{
    ai_jwt_rule_t rule = rule_of();
    ai_json_doc_t claims;
    apr_time_t expires;
    const char *got;

    ai_jwt_verify(pool, jwks, ai_slice_of(good_token(payload)), &rule, &claims, &expires);
    got = ai_jwt_claim(pool, &claims, path);
    if (!ok(want ? got && strcmp(got, want) == 0 : claims.root.n && !got, "%s of %s", path,
            payload)) {
        printf("# got %s\n", got ? got : "nothing");
    }
}

static void test_claims(void)
{
    const char *longest = apr_psprintf(pool, "%01024d", 0);

    is_claim("{'sub':'alice'}", "sub", "alice");
    is_claim("{'sub':'\\u00e4 \\\"\\/'}", "sub", "\xc3\xa4 \"/");
    is_claim("{'sub':''}", "sub", "");
    is_claim("{'n':12.50,'t':true}", "n", "12.50");
    is_claim("{'n':12.50,'t':false}", "t", "false");
    is_claim("{'org':{'id':'a','team':{'id':'b'}}}", "org.id", "a");
    is_claim("{'org':{'id':'a','team':{'id':'b'}}}", "org.team.id", "b");
    is_claim("{'org.id':'dotted','org':{'id':'a'}}", "org.id", "dotted");
    is_claim("{'https://x.example/org':{'id':'a'}}", "https://x.example/org.id", "a");
    is_claim("{'groups':['a','b','c']}", "groups", "a,b,c");
    is_claim("{'groups':['a']}", "groups", "a");
    is_claim("{'groups':[]}", "groups", "");
    is_claim("{'groups':['a','b,admin']}", "groups", NULL);
    is_claim("{'groups':['a',1]}", "groups", NULL);
    is_claim("{'groups':[['a']]}", "groups", NULL);
    is_claim("{'org':{'id':'a'}}", "org", NULL);
    is_claim("{'org':{'id':'a'}}", "org.", NULL);
    is_claim("{'org':{'id':'a'}}", ".id", NULL);
    is_claim("{'org':{'id':'a'}}", "", NULL);
    is_claim("{'org':'a'}", "org.id", NULL);
    is_claim("{'sub':null}", "sub", NULL);
    is_claim("{}", "sub", NULL);
    is_claim("{'sub':'a\\nb'}", "sub", NULL);
    is_claim("{'sub':'a\\u0000'}", "sub", NULL);
    is_claim("{'sub':'a\\u007f'}", "sub", NULL);
    is_claim("{'sub':'a\\u0085b'}", "sub", NULL);
    is_claim("{'groups':['a\\r']}", "groups", NULL);
    is_claim(apr_psprintf(pool, "{'sub':'%s'}", longest), "sub", longest);
    is_claim(apr_psprintf(pool, "{'sub':'%s0'}", longest), "sub", NULL);
    is_claim(apr_psprintf(pool, "{'groups':['%s']}", longest), "groups", longest);
    is_claim(apr_psprintf(pool, "{'groups':['%s','']}", longest), "groups", NULL);
    is_claim(apr_psprintf(pool, "{'n':1%s}", longest), "n", NULL);
}

static void is_look(const char *text, ai_jwt_look_e want, const char *issuer)
{
    const char *found = "untouched";
    ai_jwt_look_e look = ai_jwt_look(pool, ai_slice_of(text), &found);

    ok(look == want && (issuer ? found && strcmp(found, issuer) == 0 : !found), "looks: %s", text);
}

/* What may be told before the signature is known: whose keys to ask. */
static void test_looks(void)
{
    static const char header[] = "{'alg':'none'}";
    const char *reads = unsigned_token(header, "{'iss':'" ISSUER "','n':1}");
    const char *broken = unsigned_token(header, "{'iss':");

    is_look(good_token("{'iss':'" ISSUER "'}"), AI_JWT_READS, ISSUER);
    is_look(apr_pstrcat(pool, reads, ".", NULL), AI_JWT_READS, ISSUER);
    is_look(apr_pstrcat(pool, reads, ".!", NULL), AI_JWT_READS, ISSUER);
    is_look(good_token("{'sub':'a'}"), AI_JWT_READS, NULL);
    is_look(good_token("{'iss':1}"), AI_JWT_READS, NULL);
    is_look(good_token("{'iss':'a\\u0000b'}"), AI_JWT_UNREADABLE, NULL);
    is_look(good_token("{'iss':'a','iss':'" ISSUER "'}"), AI_JWT_UNREADABLE, NULL);
    is_look(good_token("{'iss':'\xff'}"), AI_JWT_UNREADABLE, NULL);
    is_look(good_token("['" ISSUER "']"), AI_JWT_UNREADABLE, NULL);
    is_look(apr_pstrcat(pool, broken, ".x", NULL), AI_JWT_UNREADABLE, NULL);
    is_look(apr_pstrcat(pool, encode_text("{}"), "..", NULL), AI_JWT_UNREADABLE, NULL);
    is_look("eyJ..", AI_JWT_NONE, NULL);
    is_look(reads, AI_JWT_NONE, NULL);
    is_look(apr_pstrcat(pool, reads, ".x.y.z", NULL), AI_JWT_NONE, NULL); /* encrypted */
    is_look("sk-ai-x.y.z", AI_JWT_NONE, NULL);
    is_look("examples.of.names", AI_JWT_NONE, NULL);
    is_look("", AI_JWT_NONE, NULL);
}

static void test_reasons(void)
{
    int i, j;

    ok(ai_jwt_reason(AI_JWT_GOOD) == NULL, "a good token has no reason");
    for (i = AI_JWT_FOREIGN; i <= AI_JWT_NO_EXPIRY; i++) {
        const char *reason = ai_jwt_reason((ai_jwt_verdict_e)i);

        ok(reason && strncmp(reason, "token_", 6) == 0, "verdict %d has a reason", i);
        for (j = AI_JWT_FOREIGN; reason && j < i; j++) {
            ok(strcmp(reason, ai_jwt_reason((ai_jwt_verdict_e)j)) != 0, "of its own: %s", reason);
        }
    }
}

int main(void)
{
    apr_initialize();
    apr_pool_create(&pool, NULL);
    jwks = set_of(SECRET_KEY);
    test_expiry();
    test_beginning();
    test_issuer();
    test_audience();
    test_payloads();
    test_example();
    test_claims();
    test_looks();
    test_reasons();
    apr_pool_destroy(pool);
    apr_terminate();
    return done();
}
