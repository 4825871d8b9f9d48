/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ship_command.c - "aictl audit ship": records from a spool into a database, by a program of its own.
 *
 * It stays in the foreground, says what happens on standard error, and ends at SIGTERM and SIGINT; what
 * was under way is shipped by whoever comes next.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <apr_strings.h>

#include "ai_attest.h"
#include "ai_ship.h"
#include "ai_value.h"
#include "audit_commands.h"
#include "audit_proof.h"

/* What a signal has to do with. */
static ai_ship_t *under_way;
static ai_attest_t *attest;
static int wake_pipe[2];

static volatile sig_atomic_t is_over, is_shut;

/* How often checkpoints could not be written. */
static int troubles;

static void on_signal(int number)
{
    int before = errno;

    (void)number;
    is_over = 1;
    ai_ship_interrupt(under_way);
    if (write(wake_pipe[1], "", 1) < 0) {
        errno = before;
    }
    errno = before;
}

static void say(void *baton, ai_ship_event_e event, const char *text)
{
    static const char *const words[] = {
        [AI_SHIP_TROUBLE] = "records stay in the spool",
        [AI_SHIP_RESUMED] = "records are shipped again",
        [AI_SHIP_DAMAGED] = "the disk has damaged the spool",
        [AI_SHIP_ALTERED] = "the spool was altered",
        [AI_SHIP_TORN] = "a child of httpd was killed while it wrote",
        [AI_SHIP_REFUSED] = "the database refuses a record",
        [AI_SHIP_STRANGE] = "not what it should be",
        [AI_SHIP_ESTIMATED] = "calls that were cut off",
        [AI_SHIP_UNREADABLE] = "the spool cannot be read",
    };

    (void)baton;
    fprintf(stderr, "aictl: %s: %s\n", words[event], text);
}

static int write_all(const char *bytes, apr_size_t n)
{
    while (n > 0 && !is_over) {
        ssize_t did = write(1, bytes, n);

        if (did < 0 && errno == EINTR) {
            continue;
        }
        if (did < 0) {
            is_shut = 1;
            return 0;
        }
        bytes += did;
        n -= (apr_size_t)did;
    }
    return n == 0;
}

static int print_line(void *baton, ai_slice_t body)
{
    (void)baton;
    return write_all(body.p, body.n) && write_all("\n", 1);
}

/* Until a signal comes, or that time is over. */
static void wait_for(apr_interval_time_t time)
{
    struct pollfd woken = { .fd = wake_pipe[0], .events = POLLIN };

    poll(&woken, 1, (int)(time / 1000));
}

static const char *catch_signals(void)
{
    struct sigaction action = { .sa_handler = on_signal };
    int i;

    if (pipe(wake_pipe) != 0) {
        return strerror(errno);
    }
    for (i = 0; i < 2; i++) {
        fcntl(wake_pipe[i], F_SETFD, FD_CLOEXEC);
        fcntl(wake_pipe[i], F_SETFL, O_NONBLOCK);
    }
    sigemptyset(&action.sa_mask);
    return sigaction(SIGTERM, &action, NULL) == 0 && sigaction(SIGINT, &action, NULL) == 0
               ? NULL
               : strerror(errno);
}

/* Files that we make there are to be the owner's. */
static const char *become_spooler(apr_pool_t *p, const char *folder)
{
    struct stat is;

    if (stat(folder, &is) != 0 || !S_ISDIR(is.st_mode)) {
        return apr_psprintf(p, "%s: is no folder that can be read", folder);
    }
    return geteuid() != 0 || is.st_uid == 0 ? NULL : database_become(p, is.st_uid, is.st_gid);
}

static void say_beside(void *baton, ai_attest_event_e event, const char *text)
{
    static const char *const words[] = {
        [AI_ATTEST_TROUBLE] = "no checkpoint can be written",
        [AI_ATTEST_RESUMED] = "it went wrong before",
        [AI_ATTEST_RETAINED] = "retention took out",
    };

    *(int *)baton += event == AI_ATTEST_TROUBLE;
    fprintf(stderr, "aictl: %s: %s\n", words[event], text);
}

static int ship_once(ai_ship_t *ship)
{
    ai_ship_outcome_e outcome;

    do {
        outcome = ai_ship_round(ship, apr_time_now());
    } while (outcome == AI_SHIP_MORE);
    while (outcome == AI_SHIP_DONE && ai_attest_round(attest, apr_time_now())) {
        continue;
    }
    ai_attest_end(attest, apr_time_now());
    if (outcome == AI_SHIP_DONE && troubles) {
        return complain(FAILED, "all is shipped, but not told of in a checkpoint");
    }
    return outcome == AI_SHIP_DONE    ? DONE_WELL
           : outcome == AI_SHIP_OTHER ? complain(FAILED, "somebody else ships from that folder")
                                      : complain(FAILED, "not all of it could be shipped");
}

static int ship_on(ai_ship_t *ship)
{
    ai_ship_outcome_e outcome;
    int has_waited = 0, ships = 0;

    while (!is_over && !is_shut) {
        outcome = ai_ship_round(ship, apr_time_now());
        if (outcome == AI_SHIP_OTHER && !has_waited) {
            fprintf(stderr, "aictl: somebody else ships from that folder; waiting\n");
            has_waited = 1;
        }
        ships = outcome == AI_SHIP_DONE || outcome == AI_SHIP_MORE;
        if (!ships || !ai_attest_round(attest, apr_time_now())) {
            wait_for(ai_ship_wait(ship, outcome));
        }
    }
    if (ships) {
        ai_attest_end(attest, apr_time_now());
    }
    return is_shut ? complain(FAILED, "nobody reads the lines") : DONE_WELL;
}

int ship_command(apr_pool_t *p, int argc, const char *const *argv)
{
    const char *folder = NULL, *text = NULL, *key_file = NULL, *every = "1min", *said = NULL, *wrong;
    int once = 0, lines = 0, status;
    const audit_option_t options[] = { { "spool", &folder, NULL }, { "database", &text, NULL },
                                       { "once", NULL, &once }, { "lines", NULL, &lines },
                                       { "signing-key", &key_file, NULL },
                                       { "checkpoint", &said, NULL },
                                       { NULL, NULL, NULL } };
    ai_ship_conf_t conf = { .say = say };
    ai_attest_conf_t beside = { .say = say_beside, .baton = &troubles };
    ai_sign_key_t *key = NULL;
    apr_int64_t ms = 0;
    apr_array_header_t *words;
    ai_audit_store_t *store;
    database_t database;

    wrong = audit_options_read(p, argc, argv, options, &words);
    if (!wrong && (words->nelts || !folder)) {
        wrong = "usage: aictl audit ship --spool FOLDER [--database 'DRIVER PARAMS'] [--once] [--lines] "
                "[--signing-key FILE] [--checkpoint SPAN]";
    }
    wrong = wrong ? wrong : ai_value_time(p, said ? said : every, 1000, 86400000, &ms);
    if (wrong) {
        return complain(MISUSED, wrong);
    }
    /* Before root becomes the owner of the spool. */
    wrong = key_file ? ai_sign_load(p, key_file, &key) : NULL;
    wrong = wrong ? wrong : audit_database_open(p, text, !once, &database, &store);
    wrong = wrong ? wrong : become_spooler(p, folder);
    if (wrong) {
        return complain(FAILED, wrong);
    }
    conf.folder = folder;
    conf.database = database.conf;
    conf.line = lines ? print_line : NULL;
    beside.database = database.conf;
    beside.key = key;
    beside.node = audit_host_name(p);
    beside.every = apr_time_from_msec(ms);
    attest = ai_attest_open(p, &beside);
    under_way = ai_ship_open(p, &conf);
    wrong = under_way && attest ? catch_signals() : "there is no memory";
    if (wrong) {
        return complain(FAILED, wrong);
    }
    status = once ? ship_once(under_way) : ship_on(under_way);
    signal(SIGTERM, SIG_IGN);
    signal(SIGINT, SIG_IGN);
    ai_ship_close(under_way);
    return status;
}
