/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_redact_number.c - whose account, whose insurance: numbers that a card, a bank or an office gave.
 *
 * Lives in: nothing.  Shared state: none.  May block: no.
 */
#include "ai_redact_find.h"

/* ----------------------------------------------------------------------------------- cards */

#define CARD_LEAST 13 /* ISO/IEC 7812-1 */
#define CARD_MOST 19

/*
 * The numbers that issuers' cards begin with, and how long they are, as their networks publish them.
 * A check digit alone is right in one of ten numbers, and times in milliseconds have 13 digits.
 */
static const struct {
    int digits; /* of the two numbers that follow */
    int low;
    int high;
    int least;
    int most;
} issuers[] = {
    { 1, 4, 4, 13, 13 },           /* Visa */
    { 1, 4, 4, 16, 16 },           /* Visa */
    { 1, 4, 4, 18, 19 },           /* Visa */
    { 2, 51, 55, 16, 16 },         /* Mastercard */
    { 4, 2221, 2720, 16, 16 },     /* Mastercard */
    { 2, 34, 34, 15, 15 },         /* American Express */
    { 2, 37, 37, 15, 15 },         /* American Express */
    { 3, 300, 305, 14, 19 },       /* Diners Club */
    { 2, 36, 36, 14, 19 },         /* Diners Club */
    { 2, 38, 39, 14, 19 },         /* Diners Club */
    { 4, 3095, 3095, 16, 19 },     /* Diners Club */
    { 2, 60, 69, 13, 19 },         /* Discover, UnionPay, Maestro, RuPay, Troy, ... */
    { 4, 3528, 3589, 16, 19 },     /* JCB */
    { 2, 50, 50, 13, 19 },         /* Maestro, Dankort, Verve */
    { 2, 56, 58, 13, 19 },         /* Maestro */
    { 4, 2200, 2204, 16, 19 },     /* Mir */
    { 2, 81, 82, 16, 19 },         /* UnionPay, RuPay */
    { 1, 1, 1, 15, 15 },           /* UATP */
    { 4, 9792, 9792, 16, 16 },     /* Troy */
    { 4, 8600, 8600, 16, 16 },     /* Uzcard */
    { 4, 9860, 9860, 16, 16 },     /* Humo */
};

static int has_issuer(const char *digits, int n)
{
    apr_size_t i;
    int j, lead;

    for (i = 0; i < sizeof(issuers) / sizeof(issuers[0]); i++) {
        for (j = lead = 0; j < issuers[i].digits; j++) {
            lead = lead * 10 + (digits[j] - '0');
        }
        if (lead >= issuers[i].low && lead <= issuers[i].high && n >= issuers[i].least
            && n <= issuers[i].most) {
            return 1;
        }
    }
    return 0;
}

/* ISO/IEC 7812-1, annex B. */
static int has_check(const char *digits, int n)
{
    int i, sum = 0;

    for (i = 0; i < n; i++) {
        int digit = digits[n - 1 - i] - '0';

        if (i & 1) {
            digit = digit * 2 > 9 ? digit * 2 - 9 : digit * 2;
        }
        sum += digit;
    }
    return sum % 10 == 0;
}

/* Digits, with a space or a hyphen between some of them, always the same; the longest number that
 * fits counts.
 * Not the digits behind a decimal point: lists of vectors are full of them. */
int ai_redact_find_card(ai_redact_scan_t *scan, apr_size_t at, apr_size_t *from, apr_size_t *to)
{
    char digits[CARD_MOST], apart = '\0';
    apr_size_t i = at;
    int n = 0;

    *from = at;
    *to = 0;
    if (at >= 2 && scan->text.p[at - 1] == '.' && ai_redact_digit(scan->text.p[at - 2])) {
        return 0;
    }
    while (n < CARD_MOST && ai_redact_digit(ai_redact_at(scan, i))) {
        digits[n++] = scan->text.p[i++];
        if (n >= CARD_LEAST && ai_redact_ends(scan, i) && has_issuer(digits, n)
            && has_check(digits, n)) {
            *to = i;
        }
        if (ai_redact_at(scan, i) == ' ' || ai_redact_at(scan, i) == '-') {
            if (apart && apart != scan->text.p[i]) {
                break;
            }
            apart = scan->text.p[i++];
        }
    }
    return *to != 0;
}

/* --------------------------------------------------------------------------- bank accounts */

#define IBAN_MOST 34

/* Country and length, of the IBAN registry (ISO 13616). */
static const char ibans[][5] = {
    "AD24", "AE23", "AL28", "AT20", "AZ28", "BA20", "BE16", "BG22", "BH22", "BI27", "BR29", "BY28",
    "CH21", "CR22", "CY28", "CZ24", "DE22", "DJ27", "DK18", "DO28", "EE20", "EG29", "ES24", "FI18",
    "FK18", "FO18", "FR27", "GB22", "GE22", "GI23", "GL18", "GR27", "GT28", "HN28", "HR21", "HU28",
    "IE22", "IL23", "IQ23", "IS26", "IT27", "JO30", "KW30", "KZ20", "LB28", "LC32", "LI21", "LT20",
    "LU20", "LV21", "LY25", "MC27", "MD24", "ME22", "MK19", "MN20", "MR27", "MT31", "MU30", "NI28",
    "NL18", "NO15", "OM23", "PK24", "PL28", "PS29", "PT25", "QA29", "RO24", "RS22", "RU33", "SA24",
    "SC31", "SD18", "SE24", "SI19", "SK24", "SM27", "SO23", "ST25", "SV28", "TL23", "TN24", "TR26",
    "UA29", "VA22", "VG24", "XK20", "YE30",
};

static char upper(char c)
{
    return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

static int iban_length(char first, char second)
{
    apr_size_t i;

    for (i = 0; i < sizeof(ibans) / sizeof(ibans[0]); i++) {
        if (ibans[i][0] == upper(first) && ibans[i][1] == upper(second)) {
            return (ibans[i][2] - '0') * 10 + (ibans[i][3] - '0');
        }
    }
    return 0;
}

/* ISO 7064, mod 97-10: country and check digits behind the account, letters as 10 to 35. */
static int iban_holds(const char *iban, int n)
{
    int i, rest = 0;

    for (i = 0; i < n; i++) {
        char c = upper(iban[(i + 4) % n]);

        rest = ai_redact_digit(c) ? (rest * 10 + (c - '0')) % 97
                                  : (rest * 100 + (c - 'A' + 10)) % 97;
    }
    return rest == 1;
}

int ai_redact_find_iban(ai_redact_scan_t *scan, apr_size_t at, apr_size_t *from, apr_size_t *to)
{
    const char *text = scan->text.p + at;
    char iban[IBAN_MOST];
    apr_size_t i = at;
    int n = 0, length;

    if (scan->text.n - at < 15 || !ai_redact_alpha(text[1]) || !ai_redact_digit(text[2])
        || !ai_redact_digit(text[3])) {
        return 0;
    }
    length = iban_length(text[0], text[1]);
    while (n < length && ai_redact_alnum(ai_redact_at(scan, i))) {
        iban[n++] = scan->text.p[i++];
        if (n < length) {
            i += ai_redact_at(scan, i) == ' ' || ai_redact_at(scan, i) == '-';
        }
    }
    *from = at;
    *to = i;
    return length && n == length && ai_redact_ends(scan, i) && iban_holds(iban, n);
}

/* ------------------------------------------------------------------------ social security */

/*
 * A number of the USA's social security, or for its taxes (they begin with 9): 3, 2 and 4 digits,
 * with the same sign between. Never given: 000, 666, and zeros in a group.
 */
int ai_redact_find_ssn(ai_redact_scan_t *scan, apr_size_t at, apr_size_t *from, apr_size_t *to)
{
    const char *text = scan->text.p + at;
    int i;

    if (scan->text.n - at < 11 || (text[3] != '-' && text[3] != ' ') || text[6] != text[3]) {
        return 0;
    }
    for (i = 0; i < 11; i++) {
        if (i != 3 && i != 6 && !ai_redact_digit(text[i])) {
            return 0;
        }
    }
    if (memcmp(text, "000", 3) == 0 || memcmp(text, "666", 3) == 0 || memcmp(text + 4, "00", 2) == 0
        || memcmp(text + 7, "0000", 4) == 0 || (text[0] == '9' && text[4] < '5')) {
        return 0;
    }
    *from = at;
    *to = at + 11;
    return ai_redact_ends(scan, *to)
           && !(ai_redact_at(scan, *to) == '-' && ai_redact_digit(ai_redact_at(scan, *to + 1)));
}
