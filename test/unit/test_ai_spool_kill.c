/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_ai_spool_kill.c - a writer with many threads is killed, again and again, at moments that
 * chance picks: is every record that was taken there, and none twice?
 */
#include <signal.h>
#include <sys/mman.h>

#include <apr_thread_proc.h>

#include "spool_frame.h"

enum { ROUNDS = 40, THREADS = 4, ALL = ROUNDS * THREADS };

/* What a thread says it has done, in memory that outlives it. */
typedef struct tally_t {
    volatile unsigned taken;   /* records that the spool took */
    volatile unsigned durable; /* of which it said that they are on the disk */
} tally_t;

static tally_t *tallies;
static int told; /* the pipe by which the parent hears of records */
static ai_spool_t *spool;

static void *APR_THREAD_FUNC write_on(apr_thread_t *thread, void *baton)
{
    tally_t *tally = baton;
    unsigned me = (unsigned)(tally - tallies), n;
    char body[400];

    (void)thread;
    memset(body, 'a' + (int)(me % 26), sizeof(body));
    for (n = 0;; n++) {
        ai_slice_t piece = { body, n * 37 % sizeof(body) };
        ai_spool_record_t record = { .type = AI_SPOOL_NOTE, .id = id_of(me, n), .time = NOON,
                                     .body = &piece, .pieces = 1, .promise = 100, .redeems = 100 };
        ai_spool_position_t position;

        if (ai_spool_append(spool, &record, &position) != APR_SUCCESS) {
            _exit(2);
        }
        tally->taken = n + 1;
        if (n % 8 == 7) {
            if (ai_spool_wait(spool, position) != APR_SUCCESS) {
                _exit(3);
            }
            tally->durable = n + 1;
        }
        if (write(told, "", 1) != 1) {
            _exit(4);
        }
    }
    return NULL;
}

static void be_the_writer(int round)
{
    apr_thread_t *threads[THREADS];
    apr_status_t rv;
    int i;

    if (spool_open(&spool, 30000) != APR_SUCCESS) {
        _exit(1);
    }
    for (i = 0; i < THREADS; i++) {
        apr_thread_create(&threads[i], NULL, write_on, &tallies[round * THREADS + i], pool);
    }
    for (i = 0; i < THREADS; i++) {
        apr_thread_join(&rv, threads[i]);
    }
    _exit(0);
}

/* Lets a writer write so many records, reads along, kills it. 1 when it was not its own end. */
static int run_writer(int round, unsigned records, found_t *live)
{
    int ends[2], status = 0;
    char byte;
    pid_t pid;

    if (pipe(ends) != 0 || (pid = fork()) < 0) {
        return 0;
    }
    if (pid == 0) {
        close(ends[0]);
        told = ends[1];
        be_the_writer(round);
    }
    close(ends[1]);
    while (records-- && read(ends[0], &byte, 1) == 1) {
        if (records == 10) {
            *live = read_all(NULL, NULL);
        }
    }
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    close(ends[0]);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

typedef struct seen_t {
    unsigned char *records[ALL]; /* how often each was found */
    unsigned most;
    int strange;
} seen_t;

static void note(void *baton, const ai_spool_frame_t *frame)
{
    unsigned thread = thread_of(&frame->id), n = n_of(&frame->id);
    seen_t *seen = baton;

    if (thread >= ALL || n >= seen->most || frame->length != n * 37 % 400
        || (frame->length && frame->body.p[frame->length - 1] != 'a' + (char)(thread % 26))) {
        seen->strange++;
        return;
    }
    seen->records[thread][n]++;
}

static void check_records(void)
{
    seen_t seen = { .most = 100000 };
    int lost = 0, lost_durable = 0, twice = 0, more = 0, i;
    unsigned n, all = 0;
    found_t found;

    for (i = 0; i < ALL; i++) {
        seen.records[i] = apr_pcalloc(pool, seen.most);
    }
    found = read_all(note, &seen);
    for (i = 0; i < ALL; i++) {
        int extra = 0;

        for (n = 0; n < seen.most; n++) {
            lost += n < tallies[i].taken && !seen.records[i][n];
            lost_durable += n < tallies[i].durable && !seen.records[i][n];
            twice += seen.records[i][n] > 1;
            extra += n >= tallies[i].taken && seen.records[i][n];
        }
        all += tallies[i].taken;
        more += extra > 1;
    }
    printf("# %u records taken, %d segments, %d cut, %ld bytes torn\n", all, segments()->nelts,
           found.cut, (long)found.left);
    is_number(lost, 0, "no record that was taken is lost");
    is_number(lost_durable, 0, "nor one that is on the disk");
    is_number(twice, 0, "none is there twice");
    is_number(more, 0, "of each thread at most the one that it had just in hand is there untold");
    is_number(seen.strange, 0, "each is as it was written");
    ok(found.frames > 0 && found.chained == found.frames + found.closed && !found.damage,
       "all of them are chained");
    /* Between a segment that is full and its successor a writer has both. */
    ok(found.cut >= ROUNDS && found.cut <= 2 * ROUNDS,
       "what each writer had open is told to be cut: %d", found.cut);
    ok(found.closed > ROUNDS, "and they had rolled over: %d are closed", found.closed);
    is_number(found.live + found.failed, 0, "nobody holds a lock");
}

/* A program that a writer has started lives on when the writer is gone. */
static void test_program(void)
{
    int ends[2], said[2], status;
    found_t found;
    char byte;
    pid_t pid;

    spool_empty();
    ok(pipe(ends) == 0 && pipe(said) == 0, "pipes");
    pid = fork();
    if (pid == 0) {
        close(ends[1]);
        close(said[0]);
        if (spool_open(&spool, 0) != APR_SUCCESS || put(spool, AI_SPOOL_NOTE, 0, "{}", NULL)) {
            _exit(1);
        }
        if (fork() == 0) {
            dup2(ends[0], 0);
            dup2(said[1], 1);
            /* Says that it runs, and stays until it is told to go. */
            execl("/bin/sh", "sh", "-c", "echo; read word", (char *)NULL);
            _exit(1);
        }
        close(said[1]);
        raise(SIGSTOP);
        _exit(0);
    }
    close(ends[0]);
    close(said[1]);
    ok(read(said[0], &byte, 1) == 1, "a program runs that the writer started");
    found = read_all(NULL, NULL);
    ok(found.live == 1, "the writer lives");
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    found = read_all(NULL, NULL);
    ok(found.cut == 1 && found.frames == 1,
       "it is killed: the program did not take its lock along");
    close(ends[1]);
    ok(read(said[0], &byte, 1) == 0, "the program ends");
    close(said[0]);
}

int main(void)
{
    int round, killed = 0, unsound = 0, mistaken = 0;

    if (!spool_begin("test_ai_spool_kill")) {
        return done();
    }
    tallies = mmap(NULL, sizeof(*tallies) * ALL, PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    srand((unsigned)getpid());
    for (round = 0; round < ROUNDS; round++) {
        found_t live = { 0 }, before = read_all(NULL, NULL);

        killed += run_writer(round, 11 + (unsigned)rand() % 400, &live);
        unsound += live.damage || live.altered || live.unchained;
        mistaken += live.cut != before.cut || live.failed;
    }
    is_number(killed, ROUNDS, "each writer wrote on until it was killed");
    is_number(unsound, 0, "who reads along sees nothing but whole records");
    is_number(mistaken, 0, "and takes no segment of a writer who lives for cut");
    check_records();
    test_program();
    munmap(tallies, sizeof(*tallies) * ALL);
    return spool_end();
}
