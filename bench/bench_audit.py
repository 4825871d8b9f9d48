# SPDX-License-Identifier: Apache-2.0
"""bench_audit - what does it cost to keep a record of every call?

The spool by itself (bench_spool.c), on the disk that the lab's folder is on; and the road of the
gateway with and without records.
"""

import os
import subprocess
import tempfile
import time

from contenders import load_fully, middle, play_rounds, question, start_httpd
from figures import Figure, Trouble, attempt
from lab import worker_seconds

GROUP = "audit"
FIGURES = [
    Figure("append_us", "us", "<=8"),
    Figure("records_s", "1/s", ">=20000"),
    Figure("call_us", "us", "<=8"),
    Figure("ship_sqlite_s", "1/s", ">=10000"),
    Figure("ship_pgsql_s", "1/s", ">=8000"),
]

RATE = 20000
THREADS = 2


def run_spool(lab, quick, say, name, rate, *more):
    """(processor time, median, 99th percentile in microseconds, records a second), or None."""
    folder = lab.path("spool-" + name)
    os.mkdir(folder, 0o700)
    done = subprocess.run([lab.part("bench-spool"), "1" if quick else "10", folder, str(rate),
                           str(THREADS), *more],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, check=False)
    if done.returncode != 0:
        say.note("%s: %s" % (name, done.stderr.decode("utf-8", "replace").strip()))
        return None
    took = tuple(float(word) for word in done.stdout.split())
    say.note("%s: %.2f us of processor time a record, passed %.1f us (median) and %.1f us "
             "(99 of 100), %.0f records/s on the disk" % ((name,) + took))
    return took


def measure_append(lab, quick, say):
    took = run_spool(lab, quick, say, "paced", RATE)
    if took is not None:
        say.figure("append_us", took[0])


def measure_call(lab, quick, say):
    """A begin and an end, as the thread of a request appends them."""
    took = run_spool(lab, quick, say, "calls", RATE // 4, "calls")
    if took is not None:
        say.figure("call_us", took[0])


def measure_rate(lab, quick, say):
    took = run_spool(lab, quick, say, "full", 0)
    if took is not None:
        say.figure("records_s", took[3])


def start_pair(lab, sim):
    """The same gateway without records and with them; these stay in the spool."""
    spool = lab.path("spool-road")
    lines = "LoadModule ai_audit_module %s\nAIAuditSpool %s" % (lab.part("mod_ai_audit.so"), spool)
    return {"plain": start_httpd(lab, sim, "gateway", "plain"),
            "audited": start_httpd(lab, sim, "gateway", "audited", keys=lines,
                                   who="AIAnonymous On\n    AIAudit On")}


def measure_road(lab, quick, say):
    """Processor time of the threads that serve requests; those that sync are not among them."""
    seconds, count = (0.3, 21) if quick else (0.5, 101)
    ask = question()
    sim = lab.start_sim(log=False)
    servers = start_pair(lab, sim)

    def run_one(server):
        return load_fully(lab, server, seconds, *ask, clock=worker_seconds)
    rounds = play_rounds(servers, ("plain", "audited"), count, run_one)
    say.note("road: a record of a call costs the threads that serve %.1f us in all"
             % middle(rounds, lambda over, under: over[1] - under[1], "audited", "plain"))
    for name in servers:
        say.note("road %-7s %6.0f requests/s, %4.1f us processor time per request"
                 % (name, middle(rounds, lambda each: each[0], name),
                    middle(rounds, lambda each: each[1], name)))


# -------------------------------------------------------------------------------- shipping

def run(*words):
    done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False)
    if done.returncode != 0:
        raise Trouble("%s: %s" % (os.path.basename(words[0]), done.stdout.decode("utf-8", "replace")))


def measure_ship(lab, quick, say, driver, params, name):
    """Records a second, from a spool of calls into an empty database, all of it."""
    calls = 5000 if quick else 100000
    spool = lab.path("spool-" + name)
    database = driver + " " + params
    os.mkdir(spool, 0o700)
    run(lab.part("bench-calls"), spool, str(calls))
    run(lab.part("aictl"), "db", "init", "--database", database)
    began = time.monotonic()
    run(lab.part("aictl"), "audit", "ship", "--spool", spool, "--database", database, "--once")
    took = time.monotonic() - began
    say.note("%s: %d records shipped in %.1f s" % (driver, 2 * calls, took))
    say.figure("ship_%s_s" % name, 2 * calls / took)


def ship_sqlite(lab, quick, say):
    with tempfile.TemporaryDirectory() as folder:
        measure_ship(lab, quick, say, "sqlite3", folder + "/audit.db", "sqlite")


def ship_pgsql(lab, quick, say):
    """The server of the tests; it goes when its standard input ends."""
    tests = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "test", "t", "lib")
    script = "my $s = Databases->new('pgsql'); $| = 1; print $s->database('audit'), qq(\n); <STDIN>"
    with subprocess.Popen(["perl", "-I" + tests, "-MDatabases", "-e", script],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        params = server.stdout.readline().strip()
        if not params:
            raise Trouble("no PostgreSQL here; build/setup --tests")
        measure_ship(lab, quick, say, "pgsql", params, "pgsql")
        server.stdin.close()


def measure(lab, quick, say):
    attempt(lab, quick, say, measure_append, measure_rate, measure_call, ship_sqlite, ship_pgsql,
            measure_road)
