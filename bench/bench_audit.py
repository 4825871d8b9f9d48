# SPDX-License-Identifier: Apache-2.0
"""bench_audit - what does it cost to keep a record of every call?

The spool by itself (bench_spool.c), on the disk that the lab's folder is on.
"""

import os
import subprocess

from figures import Figure, attempt

GROUP = "audit"
FIGURES = [
    Figure("append_us", "us", "<=8"),
    Figure("records_s", "1/s", ">=20000"),
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


def measure(lab, quick, say):
    attempt(lab, quick, say, measure_append, measure_rate)
