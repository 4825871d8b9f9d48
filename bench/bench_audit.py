# SPDX-License-Identifier: Apache-2.0
"""bench_audit - what does it cost to keep a record of every call?

The spool by itself (bench_spool.c), on the disk that the lab's folder is on; and the road of the
gateway with and without records.
"""

import os
import subprocess

from contenders import load_fully, middle, play_rounds, question, start_httpd
from figures import Figure, attempt
from lab import worker_seconds

GROUP = "audit"
FIGURES = [
    Figure("append_us", "us", "<=8"),
    Figure("records_s", "1/s", ">=20000"),
    Figure("call_us", "us", "<=8"),
]

RATE = 20000
THREADS = 2


def run_spool(lab, quick, say, name, rate):
    """(processor time, median, 99th percentile in microseconds, records a second), or None."""
    folder = lab.path("spool-" + name)
    os.mkdir(folder, 0o700)
    done = subprocess.run([lab.part("bench-spool"), "1" if quick else "10", folder, str(rate),
                           str(THREADS)],
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


def measure_call(lab, quick, say):
    """Processor time of the threads that serve requests; those that sync are not among them."""
    seconds, count = (0.3, 21) if quick else (0.5, 101)
    ask = question()
    sim = lab.start_sim(log=False)
    servers = start_pair(lab, sim)

    def run_one(server):
        return load_fully(lab, server, seconds, *ask, clock=worker_seconds)
    rounds = play_rounds(servers, ("plain", "audited"), count, run_one)
    say.figure("call_us", middle(rounds, lambda over, under: over[1] - under[1], "audited", "plain"))
    for name in servers:
        say.note("road %-7s %6.0f requests/s, %4.1f us processor time per request"
                 % (name, middle(rounds, lambda each: each[0], name),
                    middle(rounds, lambda each: each[1], name)))


def measure(lab, quick, say):
    attempt(lab, quick, say, measure_append, measure_rate, measure_call)
