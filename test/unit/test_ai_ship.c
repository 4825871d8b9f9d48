/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_ai_ship.c - is each record in the database once, whatever ends or breaks in between?
 */
#include <sys/wait.h>

#include "ship_frame.h"

static void test_all(void)
{
    ai_spool_t *spool;
    ai_ship_state_t state;
    ai_ship_t *ship;

    begin_anew();
    spool = open_spool(20000);
    put_calls(spool, 100);
    put_text(spool, AI_SPOOL_NOTE, new_call(), AI_SLICE("{\"v\":1,\"feedback\":1}"));
    ship = open_ship(32);
    is_number(ship_on(ship), AI_SHIP_DONE, "all of a live spool is shipped");
    is_number(count(CALLS " WHERE estimated = 0 AND tenant = 'acme' AND status = 200"), 100,
              "each call is a row");
    is_number(count(FRAMES " WHERE type <> 6"), 201, "each record is a frame");
    is_number(count("SELECT COUNT(*) FROM ai_audit_feedback"), 1, "and feedback is feedback");
    is_number(lines, 101, "who listens got ends and notes");
    ok(count("SELECT COUNT(*) FROM ai_audit_segments WHERE state = 2") >= 1, "segments were closed");
    is_number(count("SELECT COUNT(*) FROM ai_audit_segments WHERE state = 0"), 1, "but for the last");
    put_calls(spool, 3);
    is_number(ship_on(ship), AI_SHIP_DONE, "and what comes later");
    is_number(count(CALLS), 103, "is there");
    ai_spool_sync(spool);
    close_spool(spool);
    is_number(ship_on(ship), AI_SHIP_DONE, "the writer ends");
    is_number(files(".spool", 0), 0, "no segment is left");
    is_number(count("SELECT COUNT(DISTINCT writer) FROM ai_audit_segments WHERE state = 2"), 1,
              "all are of one writer, and closed");
    is_number(count("SELECT COUNT(*) FROM ai_audit_segments WHERE settled = 0"), 0, "all are settled");
    ai_ship_look(ship, &state);
    is_number((long long)state.records, count(FRAMES), "as many as it says");
    ai_ship_close(ship);
    is_number(told[AI_SHIP_DAMAGED] + told[AI_SHIP_ALTERED] + told[AI_SHIP_TROUBLE], 0, "nothing is wrong");
}

/* Killed between commit and checkpoint: the mark is lost, the rows are there. */
static void test_again(void)
{
    ai_spool_t *spool;
    int i;

    begin_anew();
    spool = open_spool(0);
    put_calls(spool, 50);
    for (i = 0; i < 3; i++) {
        is_number(ship_once(), AI_SHIP_DONE, "shipped, and the checkpoint is lost");
        unlink(in_spool("checkpoint"));
    }
    is_number(count(CALLS), 50, "each call is there once");
    is_number(count(FRAMES), 100, "and each record");
    make_file(in_spool("checkpoint"), 0600, "nonsense");
    is_number(ship_once(), AI_SHIP_DONE, "a broken checkpoint is none");
    is_number(told[AI_SHIP_UNREADABLE], 1, "and told");
    close_spool(spool);
    is_number(ship_once(), AI_SHIP_DONE, "a new one goes on at the mark");
    is_number(count("SELECT COUNT(*) FROM ai_audit_segments WHERE state = 2"), 1, "to the end");
    is_number(lines, 0, "without telling what was told");
    is_number(files(".spool", 0), 0, "and removes it");
}

/* A process that begins calls, ends some, and dies. */
static void be_killed(int calls, int ends, ai_uuid_t *first)
{
    ai_uuid_t ids[64];
    pid_t pid;
    int i, status;

    for (i = 0; i < calls; i++) {
        ids[i] = new_call();
    }
    *first = ids[0];
    pid = fork();
    if (pid == 0) {
        ai_spool_t *spool = open_spool(6000);

        for (i = 0; i < calls; i++) {
            put_begin(spool, ids[i]);
        }
        for (i = calls - ends; i < calls; i++) {
            put_end(spool, ids[i]);
        }
        _exit(0);
    }
    ok(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0, "a writer dies");
}

static void test_begins(void)
{
    ai_spool_t *spool;
    ai_uuid_t first, open_call = new_call();
    ai_ship_t *ship;

    begin_anew();
    be_killed(60, 20, &first);
    spool = open_spool(4096);
    put_begin(spool, open_call);
    put_calls(spool, 50);
    ship = open_ship(0);
    is_number(ship_on(ship), AI_SHIP_DONE, "a dead writer and a live one");
    is_number(count(CALLS " WHERE estimated = 1"), 40, "what the dead one began is estimated");
    is_number(count("SELECT SUM(tokens_prompt + tokens_completion) FROM ai_audit_calls WHERE "
                    "estimated = 1"), 40 * 150, "at the most it can have taken");
    is_number(count(CALLS " WHERE estimated = 1 AND finish IS NULL AND status IS NULL AND frame IS NOT "
                    "NULL"), 40, "nothing is known of how they ended");
    is_number(count(CALLS), 110, "what the live one began is not, though that segment is over");
    is_number(ship_on(ship), AI_SHIP_DONE, "once more");
    is_number(count(CALLS), 110, "the same");
    put_end(spool, open_call);
    put_end(spool, first);
    is_number(ship_on(ship), AI_SHIP_DONE, "an end comes; and one of a call that was estimated");
    is_number(count(CALLS " WHERE estimated = 1"), 39, "what is known counts");
    is_number(count(CALLS), 111, "instead of it");
    unlink(in_spool("checkpoint"));
    put_begin(spool, new_call());
    ai_ship_close(ship);
    close_spool(spool);
    is_number(ship_once(), AI_SHIP_DONE, "another one ships, from the start");
    is_number(count(CALLS " WHERE estimated = 1"), 40, "a begin of a writer that closed is estimated, too");
    is_number(count(CALLS), 112, "and nothing is there twice");
    is_number(count("SELECT COUNT(*) FROM ai_audit_segments WHERE settled = 0"), 0, "all is settled");
    spool = open_spool(0);
    be_killed(3, 0, &first);
    is_number(ship_once(), AI_SHIP_DONE, "beside a writer that has nothing yet");
    is_number(count(CALLS " WHERE estimated = 1"), 43, "a dead one's begins are settled");
    close_spool(spool);
}

/* The only segment's path, and its bytes. */
static ai_slice_t bytes_of(const char **path)
{
    apr_array_header_t *list;
    char name[AI_UUID_TEXT + 1], *bytes;
    struct stat is;
    int fd;

    ai_spool_list(pool, spool_folder, &list);
    ai_uuid_text(&APR_ARRAY_IDX(list, 0, ai_spool_segment_t).id, name);
    *path = in_spool(apr_pstrcat(pool, name, ".spool", NULL));
    fd = open(*path, O_RDWR);
    if (fd < 0 || fstat(fd, &is) != 0) {
        abort();
    }
    bytes = apr_palloc(pool, (apr_size_t)is.st_size);
    if (read(fd, bytes, (size_t)is.st_size) != is.st_size || close(fd) != 0) {
        abort();
    }
    return (ai_slice_t){ bytes, (apr_size_t)is.st_size };
}

static void write_bytes(const char *path, ai_slice_t bytes, apr_size_t n)
{
    int fd = open(path, O_WRONLY | O_TRUNC);

    if (fd < 0 || write(fd, bytes.p, n) != (ssize_t)n || close(fd) != 0) {
        abort();
    }
}

static void test_torn(void)
{
    const char *path;
    ai_spool_t *spool;
    ai_slice_t bytes;

    begin_anew();
    spool = open_spool(0);
    put_calls(spool, 10);
    close_spool(spool);
    bytes = bytes_of(&path);
    /* The closing record has 120 bytes; so some of the last end is gone, too. */
    write_bytes(path, bytes, bytes.n - 150);
    is_number(ship_once(), AI_SHIP_DONE, "a segment with a torn tail");
    is_number(count(FRAMES), 19, "all whole records are there");
    is_number(count(CALLS " WHERE estimated = 1"), 1, "the call whose end is torn is estimated");
    ok(count("SELECT torn FROM ai_audit_segments WHERE state = 1") > 0, "what is torn is noted");
    is_number(told[AI_SHIP_TORN], 1, "and told");
    is_number(files(".spool", 0), 0, "the segment is removed all the same");
}

static void test_damage(void)
{
    static const char want[] = "\"status\":200", not[] = "\"status\":201";
    const char *path;
    ai_spool_t *spool;
    ai_slice_t bytes;
    char *at;

    begin_anew();
    spool = open_spool(0);
    put_calls(spool, 10);
    close_spool(spool);
    bytes = bytes_of(&path);
    at = memmem((void *)(bytes.p + bytes.n / 2), bytes.n / 2, want, sizeof(want) - 1);
    memcpy(at, not, sizeof(not) - 1);
    memset((void *)(bytes.p + 192), 0x55, 120);
    write_bytes(path, bytes, bytes.n);
    is_number(ship_once(), AI_SHIP_DONE, "a segment with damage");
    is_number(told[AI_SHIP_DAMAGED], 2, "both places are told");
    is_number(count(FRAMES " WHERE type <> 6"), 19, "what is whole is there, and what is known of the rest");
    is_number(count(FRAMES " WHERE body IS NULL AND type = 2"), 1, "without the body that is damaged");
    is_number(count(CALLS " WHERE estimated = 0"), 9, "and without a call made of it");
    is_number(count(CALLS " WHERE estimated = 1"), 1, "but for what its begin says");
    is_number(count("SELECT damaged FROM ai_audit_segments"), 1, "it is noted");
}

static void test_strange(void)
{
    ai_spool_t *spool;
    char *body = apr_palloc(pool, 200000);

    begin_anew();
    memset(body, 'x', 200000);
    spool = open_spool(0);
    put_text(spool, AI_SPOOL_END, new_call(), AI_SLICE("no JSON"));
    put_text(spool, AI_SPOOL_NOTE, new_call(), AI_SLICE("{\"v\":1}"));
    put_text(spool, AI_SPOOL_BEGIN, new_call(), AI_SLICE("[\"\xff\"]"));
    put_text(spool, 16, new_call(), AI_SLICE("a\0b\xff"));
    put_text(spool, 17, new_call(), (ai_slice_t){ body, 48 * 1024 });
    put_text(spool, 17, new_call(), (ai_slice_t){ body, 200000 });
    put_calls(spool, 1);
    close_spool(spool);
    is_number(ship_once(), AI_SHIP_DONE, "what nobody can read");
    is_number(count(FRAMES " WHERE type <> 6"), 8, "is kept");
    is_number(told[AI_SHIP_STRANGE], 2, "and told");
    is_number(count(CALLS " WHERE estimated = 0"), 1, "what can be read is read");
    is_number(count(CALLS " WHERE estimated = 1"), 1, "a begin counts, whatever it is");
    is_number(count(FRAMES " WHERE coding = 1"), 1, "a long text is packed");
    is_number(count(FRAMES " WHERE coding = 2"), 2, "what is no text is in base64");
    is_number(told[AI_SHIP_REFUSED], 1, "what is longer than a record can be is refused");
    is_number(files(".refused", 0), 1, "that is noted");
    is_number(files(".spool", 0), 1, "and its segment stays");
    is_number(ship_once(), AI_SHIP_DONE, "another one");
    is_number(files(".spool", 0), 1, "leaves it there");
    files(".refused", 1);
    is_number(ship_once(), AI_SHIP_DONE, "until somebody has looked at it");
    is_number(files(".spool", 0), 0, "then it goes");
}

static void sql(const char *statement)
{
    fine(ai_db_exec(ai_audit_store_db(store), pool, statement, 0, NULL, NULL), statement);
}

/* One record that the database does not take, whatever is done. */
static void test_refused(void)
{
    ai_spool_t *spool;
    ai_ship_t *ship;

    if (!is_sqlite()) {
        return;
    }
    begin_anew();
    sql("CREATE TRIGGER refuse BEFORE INSERT ON ai_audit_frames WHEN NEW.type = 99 "
        "BEGIN SELECT RAISE(ABORT, 'no'); END");
    spool = open_spool(0);
    put_calls(spool, 5);
    put_text(spool, 99, new_call(), AI_SLICE("{\"tenant\":\"secret\"}"));
    put_calls(spool, 5);
    ship = open_ship(0);
    is_number(ship_on(ship), AI_SHIP_AWAY, "a batch that fails is trouble first");
    is_number(count(CALLS), 0, "and nothing of it is there");
    is_number(ship_on(ship), AI_SHIP_DONE, "then it is taken apart");
    is_number(count(CALLS), 10, "and the others are in");
    is_number(told[AI_SHIP_REFUSED], 1, "the one is told");
    is_number(lines, 10, "to listeners, each was told once");
    put_calls(spool, 5);
    is_number(ship_on(ship), AI_SHIP_DONE, "what comes later goes in at once");
    is_number(count(CALLS), 15, "and is there");
    close_spool(spool);
    ship_on(ship);
    ai_ship_close(ship);
    is_number(files(".spool", 0), 1, "its segment stays");
    sql("DROP TRIGGER refuse");
    files(".refused", 1);
    unlink(in_spool("checkpoint"));
    is_number(ship_once(), AI_SHIP_DONE, "later it can be shipped");
    is_number(count(FRAMES " WHERE type = 99"), 1, "it is there");
    is_number(count(CALLS), 15, "the others as before");
    is_number(files(".spool", 0), 0, "and its segment is gone");
}

/* A database that takes nothing refuses nothing. */
static void test_takes_nothing(void)
{
    ai_spool_t *spool;
    ai_ship_t *ship;
    int i;

    if (!is_sqlite()) {
        return;
    }
    begin_anew();
    sql("CREATE TRIGGER refuse BEFORE INSERT ON ai_audit_frames BEGIN SELECT RAISE(ABORT, 'no'); END");
    spool = open_spool(0);
    put_calls(spool, 5);
    close_spool(spool);
    ship = open_ship(0);
    for (i = 0; i < 5; i++) {
        is_number(ship_on(ship), AI_SHIP_AWAY, "a database that takes nothing is in trouble");
    }
    is_number(told[AI_SHIP_REFUSED] + files(".refused", 0), 0, "no record is blamed");
    is_number(told[AI_SHIP_TROUBLE], 1, "it is told once");
    is_number(files(".spool", 0), 1, "nothing is removed");
    sql("DROP TRIGGER refuse");
    is_number(ship_on(ship), AI_SHIP_DONE, "then all goes in");
    is_number(count(CALLS), 5, "each once");
    is_number(told[AI_SHIP_RESUMED], 1, "that is told");
    ai_ship_close(ship);
}

static void test_away(void)
{
    static const int waits[] = { 1, 2, 2, 2, 2, 2 };
    const char *aside = in_folder("aside");
    ai_spool_t *spool;
    ai_ship_t *ship;
    int i;

    if (!is_sqlite()) {
        return;
    }
    begin_anew();
    spool = open_spool(0);
    put_calls(spool, 5);
    close_spool(spool);
    ai_audit_store_close(store);
    rename(conf.params, aside);
    ship = open_ship(0);
    for (i = 0; i < 6; i++) {
        is_number(ship_on(ship), AI_SHIP_AWAY, "the database is away");
        is_number(apr_time_sec(ai_ship_wait(ship, AI_SHIP_AWAY)), waits[i], "it is tried again so much later");
    }
    is_number(told[AI_SHIP_TROUBLE], 1, "it is told once");
    is_number(files(".spool", 0), 1, "nothing is removed");
    is_number(files("checkpoint", 0), 0, "no mark moves");
    rename(aside, conf.params);
    is_number(ship_on(ship), AI_SHIP_DONE, "it is back");
    is_number(count(CALLS), 5, "all is there");
    is_number(told[AI_SHIP_RESUMED], 1, "that is told");
    ai_ship_close(ship);
}

static void test_lock(void)
{
    ai_ship_t *one, *other;

    begin_anew();
    one = open_ship(0);
    other = open_ship(0);
    is_number(ai_ship_round(one, NOON), AI_SHIP_DONE, "one ships");
    is_number(ai_ship_round(other, NOON), AI_SHIP_OTHER, "another one does not");
    ai_ship_close(one);
    is_number(ai_ship_round(other, NOON), AI_SHIP_DONE, "until the first one is gone");
    ai_ship_interrupt(other);
    is_number(ai_ship_round(other, NOON), AI_SHIP_OVER, "and ends when it is told to");
    ai_ship_close(other);
    chmod(spool_folder, 0777);
    is_number(ship_once(), AI_SHIP_AWAY, "not from a folder that everybody writes in");
    is_number(told[AI_SHIP_UNREADABLE], 1, "which is told");
    chmod(spool_folder, 0700);
}

static void test_deaf(void)
{
    ai_spool_t *spool;
    ai_ship_t *ship;

    begin_anew();
    spool = open_spool(0);
    put_calls(spool, 5);
    close_spool(spool);
    ship = open_ship(0);
    deaf = 1;
    is_number(ship_on(ship), AI_SHIP_AWAY, "who listens does not take it");
    is_number(files("checkpoint", 0), 0, "no mark moves");
    is_number(files(".spool", 0), 1, "nothing is removed");
    deaf = 0;
    is_number(ship_on(ship), AI_SHIP_DONE, "then it does");
    is_number(lines, 5, "and gets all");
    is_number(count(CALLS), 5, "the database has each once");
    ai_ship_close(ship);
}

int main(int argc, char **argv)
{
    int from;

    begin_database(argc, argv);
    spool_folder = in_folder("spool");
    mkdir(spool_folder, 0700);
    if (ai_uuid_source_create(pool, &uuids) != APR_SUCCESS) {
        abort();
    }
    store = ai_audit_store_open(pool, &conf);
    fine(ai_db_migrate(ai_audit_store_db(store), pool, &ai_audit_store_schema, &from), "tables");
    test_all();
    test_again();
    test_begins();
    test_torn();
    test_damage();
    test_strange();
    test_refused();
    test_takes_nothing();
    test_away();
    test_lock();
    test_deaf();
    ai_audit_store_close(store);
    files("", 1);
    rmdir(spool_folder);
    return end_database();
}
