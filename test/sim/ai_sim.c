/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ai_sim.c - how does the provider simulator start, run and stop?
 *
 * ai-sim plays an OpenAI-compatible provider, and Anthropic's Messages API, and misbehaves as each
 * request asks for.
 *
 *   ai-sim [--port N] [--listen ADDRESS] [--port-file FILE] [--truth FILE] [--quiet]
 *
 * Port 0, the default, takes a free one.  The port file is written once the port is listening.
 * SIGTERM and SIGINT end it.
 *
 * A script is "key=value;key=value", in the request header X-Sim or after '?' in the model's name;
 * of a key in both, the header's value counts.  An unknown key or a bad value is answered 400.
 * Events are counted from 1 and include [DONE]; a plain answer is one event.
 *
 *   status=N          200..599; from 300 on with an error body
 *   busy=1            as status=503
 *   body=KIND         of an error status: json (usual), html, text, empty
 *   retry_after=S     header Retry-After, seconds       retry_after_ms=MS  header retry-after-ms
 *   should_retry=B    header x-should-retry: true or false
 *   delay=MS          before the status line            first=MS  after the headers
 *   gap=MS            between events, not before [DONE] pace=MS   between the writes of chunk=
 *   tokens=N          words in the answer (12)          size=N    each word at least N bytes
 *   cached=N written=N reasoning=N   the details in the usage; reasoning also counts as completion
 *                     (/messages: a thinking block comes first; the tokens of the cache, read and
 *                     written, are beside the others, so the prompt grows by them)
 *   chunk=N           writes the body N bytes at a time, each an HTTP chunk of its own
 *   cut=N             closes after N events             bytes=N   closes after N body bytes
 *   stall=N           silent after N events, until the peer closes
 *   reset=headers|N   TCP reset before the headers, or after N events
 *   garbage=WHAT      headers: not HTTP; body: not JSON and not events; N: event N is broken JSON
 *   wrongtype=1       an HTML page with 200
 *   length=+N|-N      Content-Length that much too high or too low, in a stream too
 *   error=N           event N is an error, and the last; a plain answer is an error with 200
 *   usage=KIND        on: unasked too; none; zero; negative; huge; text; null; late: after [DONE];
 *                     early: in the first event only; every: in every event (/messages: every
 *                     delta); excess: above max_tokens, which is then not kept
 *   eol=KIND          lf, crlf or cr                    comment=1  a comment before each event
 *   done=0            no [DONE] (/responses: no completed event; /messages: no message_stop)
 *   close=1           Connection: close              whole=1   no stream though one was asked for
 *   early=N           answers after N bytes of the request's body, and reads no more of it (only
 *                     in the header)
 *   tool=1            two parallel tool calls, unless a tool's answer is the last message
 *   calls=N           with tool=1: so many calls (2)   refuse=1   a refusal
 *   thought=1         chat: what it thinks, as reasoning_content
 *   redacted=1        /messages: thinking that only the provider can read
 *   finish=WORD       the finish or stop reason         message=TEXT   the message of errors
 *   json=1            content is JSON that fits response_format's schema
 *   echo=1            content is the request, as JSON
 *   id=TEXT           system_fingerprint of every chunk (/responses, /messages: sim_id)
 *   mark=TEXT seq=TEXT   written to the truth as mark and mark_seq
 *   whose=TAIL,TAIL   misbehave to calls whose key ends so; answer others well
 *   fail=N;key=NAME   misbehave for the first N calls with that key, then answer well
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>

#include "ai_sim.h"

#define EVENTS_PER_TURN 512
#define TIMERS_PER_TURN 4096

static volatile sig_atomic_t stopping;

typedef struct {
    const char *address, *port_file, *truth;
    long port;
    int quiet;
} options_t;

static void on_signal(int number)
{
    (void)number;
    stopping = 1;
}

static int usage(void)
{
    fprintf(stderr, "usage: ai-sim [--port N] [--listen ADDRESS] [--port-file FILE] "
                    "[--truth FILE] [--quiet]\n");
    return 2;
}

static int read_options(int argc, char **argv, options_t *o)
{
    static const struct option names[] = {
        { "port", required_argument, NULL, 'p' }, { "listen", required_argument, NULL, 'l' },
        { "port-file", required_argument, NULL, 'f' }, { "truth", required_argument, NULL, 't' },
        { "quiet", no_argument, NULL, 'q' }, { NULL, 0, NULL, 0 }
    };
    int c;

    while ((c = getopt_long(argc, argv, "", names, NULL)) != -1) {
        switch (c) {
        case 'p':
            if (!text_number((text_t) { optarg, strlen(optarg) }, 65535, &o->port)) {
                return 0;
            }
            break;
        case 'l':
            o->address = optarg;
            break;
        case 'f':
            o->port_file = optarg;
            break;
        case 't':
            o->truth = optarg;
            break;
        case 'q':
            o->quiet = 1;
            break;
        default:
            return 0;
        }
    }
    return optind == argc;
}

/* Written beside and renamed, so that who sees the file sees the whole port. */
static int write_port_file(const char *path, int port)
{
    buf_t beside = { NULL, 0, 0 };
    FILE *f;
    int fine;

    buf_fmt(&beside, "%s.part", path);
    buf_add(&beside, "", 1);
    f = fopen(beside.p, "w");
    fine = f && fprintf(f, "%d\n", port) > 0;
    fine = f && fclose(f) == 0 && fine && rename(beside.p, path) == 0;
    buf_free(&beside);
    return fine;
}

static void raise_file_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* The signals are blocked but for the wait, so none can slip in between look and wait. */
static void catch_signals(sigset_t *while_waiting)
{
    struct sigaction action;
    sigset_t blocked;

    memset(&action, 0, sizeof(action));
    action.sa_handler = on_signal;
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGTERM);
    sigaddset(&blocked, SIGINT);
    sigprocmask(SIG_BLOCK, &blocked, while_waiting);
    sigdelset(while_waiting, SIGTERM);
    sigdelset(while_waiting, SIGINT);
}

static void run(const sigset_t *while_waiting)
{
    struct epoll_event events[EVENTS_PER_TURN];

    while (!stopping) {
        int n = epoll_pwait(conn_epoll(), events, EVENTS_PER_TURN, timer_wait(), while_waiting);
        int i;

        for (i = 0; i < n; i++) {
            if (events[i].data.ptr) {
                conn_ready(events[i].data.ptr, events[i].events);
            }
            else {
                conn_accept();
            }
        }
        for (i = 0; i < TIMERS_PER_TURN; i++) {
            conn_t *conn = timer_pop();

            if (!conn) {
                break;
            }
            conn_timer(conn);
        }
        conn_bury();
    }
}

int main(int argc, char **argv)
{
    options_t o = { "127.0.0.1", NULL, NULL, 0, 0 };
    sigset_t while_waiting;
    int port;

    if (!read_options(argc, argv, &o)) {
        return usage();
    }
    raise_file_limit();
    catch_signals(&while_waiting);
    if (o.truth && !truth_open(o.truth)) {
        fprintf(stderr, "ai-sim: %s: %s\n", o.truth, strerror(errno));
        return 1;
    }
    port = conn_listen(o.address, (int)o.port);
    if (port < 0) {
        fprintf(stderr, "ai-sim: %s:%ld: %s\n", o.address, o.port, strerror(errno));
        return 1;
    }
    if (o.port_file && !write_port_file(o.port_file, port)) {
        fprintf(stderr, "ai-sim: %s: %s\n", o.port_file, strerror(errno));
        return 1;
    }
    if (!o.quiet) {
        printf("ai-sim: listening on %s:%d\n", o.address, port);
        fflush(stdout);
    }
    run(&while_waiting);
    conn_close_all();
    return 0;
}
