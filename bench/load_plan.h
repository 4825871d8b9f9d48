/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load_plan.h - what shall be asked, how often, and what counts as a good answer?
 */
#ifndef LOAD_PLAN_H
#define LOAD_PLAN_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct load_plan_t {
    struct sockaddr_in address;
    char authority[256];   /* for the Host header */
    const char *path;
    const char *header[16]; /* extra "Name: value", {id} replaced */
    unsigned headers;
    char *body;            /* {id} replaced */
    const char *prefix;    /* ids are PREFIX, the worker's number, "-", a running number */
    unsigned connections;  /* all workers together */
    unsigned processes;
    uint64_t requests;     /* all workers together; 0: no limit */
    unsigned each;         /* most requests on one slot; 0: no limit */
    double seconds;        /* start no request later than this; 0: no limit */
    double rate;           /* open loop: requests a second, all workers together; 0: closed loop */
    double ramp;           /* new connections a second, all workers together; 0: at once */
    double timeout;        /* seconds one request may take */
    double abort_from;     /* leave this many milliseconds after sending... */
    double abort_to;       /* ...at most; below 0: stay */
    unsigned events;       /* the stream must have this many data events; 0: any number */
    int status;            /* the wanted one */
    bool check_id;
    bool streamed;         /* the answer must be an event stream that ends in [DONE] */
    bool retry_stale;      /* once more when a kept-alive connection dies before the first byte */
    bool close_each;       /* one connection per request */
    bool announce;         /* print "open N" once N connections hold an open answer at a time */
    bool json;
    const char *log;       /* file: one line per request */
} load_plan_t;

/* Reads the command line.  Prints usage and exits when it is not right. */
void load_plan_read(load_plan_t *plan, int argc, char **argv);

/* Puts the request with this id into a fresh string: head and body.  The caller frees it. */
char *load_plan_request(const load_plan_t *plan, const char *id, size_t *n);

#endif
