# SPDX-License-Identifier: Apache-2.0
"""faults_spine - does every caller get its own answer when the first two targets always fail?

Each request carries an id that only the third target echoes, in every event of its stream.  The
route before it: nobody listens at the first target, the second answers 503.

Four children serve.  In between comes a graceful restart under load.  Then httpd closes kept-alive
connections that wait for their next request, and a request may already be on its way into one.
Such a request got no byte of an answer; as every HTTP client does, ai-load asks once more over a
new connection and counts it (--retry-stale).  Anything else that goes wrong is a failure.

Memory: each generation of children first serves a warm-up, with a wave of slow streams that keeps
nearly all threads busy at the same time, so that every thread has its pools.  What still grows
after that would grow for ever.
"""

import os
import signal

from figures import Figure, attempt
from lab import TOP, Trouble, children_of, memory_kb, wait_for

GROUP = "spine"
FIGURES = [
    Figure("fallback_wrong", "requests", "==0"),
    Figure("fallback_failed", "requests", "==0"),
    Figure("fallback_hang", "requests", "==0"),
    Figure("fallback_unjoined", "requests", "==0"),
    Figure("fallback_memory_growth_mb", "MB", "<=8"),
]

SECTION = os.path.join(TOP, "test", "faults", "conf", "fallback.conf.in")
PATH = "/v1/chat/completions"
BODY = ('{"model":"gpt-faults","stream":true,'
        '"messages":[{"role":"user","content":"Say something about {id}."}]}')
WORDS = 5
CHILDREN = 4
THREADS = 32  # of each child
CONNECTIONS = 100
HANG_SECONDS = 20


class Tally:
    """What all the load runs of this measurement saw, added up."""

    def __init__(self):
        self.sum = {}
        self.killed = 0

    def add(self, got):
        if got is None:
            self.killed += 1
            return
        for key, value in got.items():
            self.sum[key] = self.sum.get(key, 0) + value

    def __getitem__(self, key):
        return int(self.sum.get(key, 0))


def options(part, requests, log, connections=CONNECTIONS, script=""):
    return ["--connections", connections, "--requests", requests, "--stream", "--check-id",
            "--retry-stale", "--timeout", HANG_SECONDS, "--prefix", "%s-" % part, "--log", log,
            "--body", BODY, "--header", "X-Sim: id={id};tokens=%d%s" % (WORDS, script)]


def ask(lab, server, part, requests, tally, restart=False):
    """One load run; with restart, a graceful restart comes about a third into it."""
    log = lab.path("asked-%s.log" % part)
    before = set(children_of(server.pid))
    load = lab.start_load(server.url + PATH, *options(part, requests, log))
    if restart:
        wait_for("a third of the requests", lambda: load.poll() is not None or
                 count_lines(log) >= requests // 3, 300)
        server.signal(signal.SIGUSR1)
    tally.add(lab.end_load(load, 120 + requests / 100))
    if restart:
        wait_for("the end of the old children",
                 lambda: not before & set(children_of(server.pid)), 120)
        wait_for("the new children", lambda: len(children_of(server.pid)) >= CHILDREN, 30)


def ask_wave(lab, server, part, requests, tally):
    """Slow streams, nearly as many at a time as there are threads."""
    load = lab.start_load(server.url + PATH, *options(
        part, requests, lab.path("asked-%s.log" % part), CHILDREN * THREADS - 8, ";gap=30"))
    tally.add(lab.end_load(load, 120))


def count_lines(path):
    try:
        with open(path, "rb") as file:
            return file.read().count(b"\n")
    except OSError:
        return 0


def resident(server):
    """Resident memory in KiB of the parent and of each child."""
    return {pid: memory_kb(pid, "Rss") for pid in [server.pid] + children_of(server.pid)}


def growth_mb(start, end):
    """By how much the processes that lived from start to end grew, all together."""
    return sum(end[pid] - start[pid] for pid in start if pid in end) / 1024


def join_truth(lab, sim, names, say):
    """How many of the ids have no complete 200 in the truth log."""
    calls = lab.truth(sim)
    good = [call["asked"] for call in calls
            if call["status"] == 200 and call["ended"] == "complete"]
    busy = sum(call["status"] == 503 for call in calls)
    say.note("truth log: %d answers with 200, %d of them to an id that had one already (asked "
             "again), %d with 503" % (len(good), len(good) - len(set(good)), busy))
    if busy < len(names):
        # Then the route was not what this measurement says it is.
        raise Trouble("the busy target was asked for %d of %d requests" % (busy, len(names)))
    return len(names - set(good))


def asked_ids(lab, parts):
    names = set()
    for part in parts:
        with open(lab.path("asked-%s.log" % part), encoding="ascii") as file:
            names |= {line.split()[0] for line in file}
    return names


def measure_fallback(lab, quick, say):
    total = 20000 if quick else 200000
    wave = 5 * CHILDREN * THREADS
    warm = 3000 if quick else 20000
    rest = total // 2 - warm - wave
    sim = lab.start_sim()
    server = lab.start_httpd("fallback", SECTION, sim_port=sim.port, dead_port=lab.free_port(),
                             children=CHILDREN, servers=3 * CHILDREN, threads=THREADS)
    tally = Tally()
    growth = []
    for warm_part, wave_part, rest_part, restart in (("warm", "wave", "rest", False),
                                                     ("warm2", "wave2", "rest2", True)):
        ask(lab, server, warm_part, warm, tally, restart=restart)
        ask_wave(lab, server, wave_part, wave, tally)
        start = resident(server)
        ask(lab, server, rest_part, rest, tally)
        growth.append(growth_mb(start, resident(server)))
    parts = ["warm", "wave", "rest", "warm2", "wave2", "rest2"]

    report(say, tally, total)
    missing = join_truth(lab, sim, asked_ids(lab, parts), say)
    say.figure("fallback_unjoined", missing + total - tally["requests"])
    say.figure("fallback_memory_growth_mb", max(growth))
    say.note("memory of %d processes: %+.1f MB in %d requests before the restart, %+.1f MB in %d "
             "after it" % (len(start), growth[0], rest, growth[1], rest))


def report(say, tally, total):
    hang = tally["error_timeout"] + (total - tally["requests"] if tally.killed else 0)
    say.figure("fallback_wrong", tally["error_wrong"])
    say.figure("fallback_failed", tally["errors"] - tally["error_wrong"] -
               tally["error_timeout"])
    say.figure("fallback_hang", hang)
    say.note("%d requests, %d ok, %d sent again after a kept-alive connection closed, %d "
             "connections" % (tally["requests"], tally["ok"], tally["retried"],
                              tally["connects"]))
    for key in sorted(tally.sum):
        if key.startswith("error_") and tally[key]:
            say.note("%s %d" % (key, tally[key]))


def measure(lab, quick, say):
    attempt(lab, quick, say, measure_fallback)
