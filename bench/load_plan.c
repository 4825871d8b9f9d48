/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load_plan.c - what shall be asked, how often, and what counts as a good answer?
 */
#include <arpa/inet.h>
#include <getopt.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "load_answer.h"
#include "load_plan.h"

enum { MOST_CONNECTIONS = 200000, MOST_PROCESSES = 64 };

/* clang-format off */
static const char usage_text[] =
    "usage: ai-load [options] http://host:port/path\n"
    "  --connections N    connections, each with one request at a time (1)\n"
    "  --processes N      worker processes that share them (1)\n"
    "  --requests N       stop after N requests\n"
    "  --each N           at most N requests on one connection slot\n"
    "  --seconds T        start nothing after T seconds\n"
    "  --rate R           open loop: R requests a second, timed from when they were due\n"
    "  --ramp R           open R connections a second\n"
    "  --timeout T        seconds one request may take (30)\n"
    "  --body TEXT        request body, {id} is replaced by the request's id\n"
    "  --body-file FILE   the same from a file\n"
    "  --header TEXT      extra request header, {id} is replaced; may repeat\n"
    "  --prefix TEXT      ids start with this (r)\n"
    "  --check-id         every event, or the body, must carry the id in quotes\n"
    "  --stream           the answer must be an event stream that ends in [DONE]\n"
    "  --events N         the stream must have N data events\n"
    "  --status N         the wanted status (200)\n"
    "  --close            one connection per request\n"
    "  --retry-stale      ask once more when a kept-alive connection dies before any answer byte\n"
    "  --abort A:B        close the connection A to B milliseconds after sending, at random\n"
    "  --announce         print \"open N\" once all connections hold an open answer\n"
    "  --log FILE         a line per request: id, end, status, events, end time, duration in us\n"
    "  --json             one JSON object instead of lines\n";

enum {
    CONNECTIONS = 1, PROCESSES, REQUESTS, EACH, SECONDS, RATE, RAMP, TIMEOUT, BODY, BODY_FILE,
    HEADER, PREFIX, CHECK_ID, STREAM, EVENTS, STATUS, CLOSE, RETRY_STALE, ABORT, ANNOUNCE, LOG, JSON
};

static const struct option options[] = {
    { "connections", required_argument, NULL, CONNECTIONS },
    { "processes",   required_argument, NULL, PROCESSES },
    { "requests",    required_argument, NULL, REQUESTS },
    { "each",        required_argument, NULL, EACH },
    { "seconds",     required_argument, NULL, SECONDS },
    { "rate",        required_argument, NULL, RATE },
    { "ramp",        required_argument, NULL, RAMP },
    { "timeout",     required_argument, NULL, TIMEOUT },
    { "body",        required_argument, NULL, BODY },
    { "body-file",   required_argument, NULL, BODY_FILE },
    { "header",      required_argument, NULL, HEADER },
    { "prefix",      required_argument, NULL, PREFIX },
    { "check-id",    no_argument,       NULL, CHECK_ID },
    { "stream",      no_argument,       NULL, STREAM },
    { "events",      required_argument, NULL, EVENTS },
    { "status",      required_argument, NULL, STATUS },
    { "close",       no_argument,       NULL, CLOSE },
    { "retry-stale", no_argument,       NULL, RETRY_STALE },
    { "abort",       required_argument, NULL, ABORT },
    { "announce",    no_argument,       NULL, ANNOUNCE },
    { "log",         required_argument, NULL, LOG },
    { "json",        no_argument,       NULL, JSON },
    { NULL, 0, NULL, 0 }
};
/* clang-format on */

static void fail(const char *why, const char *what)
{
    fprintf(stderr, "ai-load: %s%s%s\n%s", why, what != NULL ? ": " : "",
            what != NULL ? what : "", usage_text);
    exit(2);
}

/* A number from 0 to `most`, and nothing else. */
static double number(const char *text, double most)
{
    char *end;
    double value = strtod(text, &end);

    if (end == text || *end != '\0' || !(value >= 0 && value <= most)) {
        fail("not a number in range", text);
    }
    return value;
}

static void read_span(load_plan_t *plan, const char *text)
{
    char *end;

    plan->abort_from = strtod(text, &end);
    if (end == text || *end != ':') {
        fail("--abort wants A:B", text);
    }
    plan->abort_to = number(end + 1, 1e9);
    if (!(plan->abort_from >= 0 && plan->abort_from <= plan->abort_to)) {
        fail("--abort wants A:B with A up to B", text);
    }
}

static char *read_file(const char *path)
{
    load_bytes_t bytes = { NULL, 0, 0 };
    char piece[4096];
    size_t n;
    FILE *file = fopen(path, "rb");

    if (file == NULL) {
        fail("cannot read", path);
    }
    while ((n = fread(piece, 1, sizeof(piece), file)) > 0) {
        load_bytes_add(&bytes, piece, n);
    }
    fclose(file);
    load_bytes_add(&bytes, "", 0);
    return bytes.at;
}

static void read_url(load_plan_t *plan, const char *url)
{
    struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM };
    struct addrinfo *found;
    char host[200];
    const char *port = "80";

    if (strncmp(url, "http://", 7) != 0) {
        fail("only http:// is spoken here", url);
    }
    const char *start = url + 7;
    size_t n = strcspn(start, "/");
    if (n == 0 || n >= sizeof(host)) {
        fail("not a host", url);
    }
    plan->path = start[n] == '/' ? start + n : "/";
    memcpy(plan->authority, start, n);
    plan->authority[n] = '\0';
    memcpy(host, start, n);
    host[n] = '\0';
    char *colon = strchr(host, ':');
    if (colon != NULL) {
        *colon = '\0';
        port = colon + 1;
    }
    if (getaddrinfo(host, port, &hints, &found) != 0) {
        fail("no such address", url);
    }
    memcpy(&plan->address, found->ai_addr, sizeof(plan->address));
    freeaddrinfo(found);
}

static bool read_count(load_plan_t *plan, int option, const char *text)
{
    switch (option) {
    case CONNECTIONS:
        plan->connections = (unsigned)number(text, MOST_CONNECTIONS);
        return true;
    case PROCESSES:
        plan->processes = (unsigned)number(text, MOST_PROCESSES);
        return true;
    case REQUESTS:
        plan->requests = (uint64_t)number(text, 1e12);
        return true;
    case EACH:
        plan->each = (unsigned)number(text, 1e9);
        return true;
    case SECONDS:
        plan->seconds = number(text, 1e6);
        return true;
    case RATE:
        plan->rate = number(text, 1e7);
        return true;
    case RAMP:
        plan->ramp = number(text, 1e7);
        return true;
    case TIMEOUT:
        plan->timeout = number(text, 1e6);
        return true;
    case EVENTS:
        plan->events = (unsigned)number(text, 1e9);
        return true;
    case STATUS:
        plan->status = (int)number(text, 999);
        return true;
    default:
        return false;
    }
}

static void read_option(load_plan_t *plan, int option, char *text)
{
    switch (option) {
    case BODY:
        plan->body = text;
        break;
    case BODY_FILE:
        plan->body = read_file(text);
        break;
    case HEADER:
        if (plan->headers == sizeof(plan->header) / sizeof(plan->header[0])) {
            fail("too many headers", NULL);
        }
        plan->header[plan->headers++] = text;
        break;
    case PREFIX:
        plan->prefix = text;
        break;
    case CHECK_ID:
        plan->check_id = true;
        break;
    case STREAM:
        plan->streamed = true;
        break;
    case CLOSE:
        plan->close_each = true;
        break;
    case RETRY_STALE:
        plan->retry_stale = true;
        break;
    case ABORT:
        read_span(plan, text);
        break;
    case ANNOUNCE:
        plan->announce = true;
        break;
    case LOG:
        plan->log = text;
        break;
    case JSON:
        plan->json = true;
        break;
    default:
        fail("see the usage", NULL);
    }
}

void load_plan_read(load_plan_t *plan, int argc, char **argv)
{
    int option;

    memset(plan, 0, sizeof(*plan));
    plan->connections = plan->processes = 1;
    plan->prefix = "r";
    plan->timeout = 30;
    plan->abort_to = -1;
    plan->status = 200;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (!read_count(plan, option, optarg)) {
            read_option(plan, option, optarg);
        }
    }
    if (optind + 1 != argc) {
        fail("wants one URL", NULL);
    }
    read_url(plan, argv[optind]);
    if (plan->connections == 0 || plan->processes == 0 || plan->timeout <= 0) {
        fail("--connections, --processes and --timeout must be above 0", NULL);
    }
    if (plan->requests == 0 && plan->seconds <= 0 && plan->each == 0) {
        fail("say --requests, --each or --seconds", NULL);
    }
    if (plan->processes > plan->connections) {
        plan->processes = plan->connections;
    }
}

static void add_filled(load_bytes_t *out, const char *text, const char *id)
{
    const char *hole;

    while ((hole = strstr(text, "{id}")) != NULL) {
        load_bytes_add(out, text, (size_t)(hole - text));
        load_bytes_add(out, id, strlen(id));
        text = hole + 4;
    }
    load_bytes_add(out, text, strlen(text));
}

char *load_plan_request(const load_plan_t *plan, const char *id, size_t *n)
{
    load_bytes_t body = { NULL, 0, 0 };
    load_bytes_t out = { NULL, 0, 0 };
    char head[1024];

    if (plan->body != NULL) {
        add_filled(&body, plan->body, id);
    }
    load_bytes_add(&out, plan->body != NULL ? "POST " : "GET ", plan->body != NULL ? 5 : 4);
    add_filled(&out, plan->path, id);
    int used = snprintf(head, sizeof(head),
                        " HTTP/1.1\r\nHost: %s\r\nUser-Agent: ai-load\r\nAccept: %s\r\n",
                        plan->authority, plan->streamed ? "text/event-stream" : "application/json");
    load_bytes_add(&out, head, (size_t)used);
    if (plan->body != NULL) {
        used = snprintf(head, sizeof(head),
                        "Content-Type: application/json\r\nContent-Length: %zu\r\n", body.used);
        load_bytes_add(&out, head, (size_t)used);
    }
    for (unsigned i = 0; i < plan->headers; i++) {
        add_filled(&out, plan->header[i], id);
        load_bytes_add(&out, "\r\n", 2);
    }
    if (plan->close_each) {
        load_bytes_add(&out, "Connection: close\r\n", 19);
    }
    load_bytes_add(&out, "\r\n", 2);
    if (body.used != 0) {
        load_bytes_add(&out, body.at, body.used);
    }
    free(body.at);
    *n = out.used;
    return out.at;
}
