# SPDX-License-Identifier: Apache-2.0
"""bench_auth - what does it cost to know who asks?

Functions timed by themselves (bench_jwt.c, bench_key.c), as bench_dialects does with those that
translate; and the road of the gateway with and without gateway keys.
"""

import os
import random
import subprocess
import tempfile
import time

from contenders import (instructions_each, load_fully, middle, play_rounds, question,
                        start_httpd)
from figures import Figure, attempt
from lab import Trouble

GROUP = "auth"
RIVALS = ("valgrind",)
FIGURES = [
    Figure("road_ratio", "x", ">=0.97"),
    Figure("jwt_first_us", "us", "<=60"),
    Figure("key_cached_us", "us", "<=3"),
    Figure("sqlite_flat", "x", "<=3"),
    Figure("pgsql_flat", "x", "<=3"),
    Figure("import_sqlite_s", "s", "<=60"),
    Figure("import_pgsql_s", "s", "<=60"),
    Figure("jwt_cached_us", "us", "<=5"),
]

OTHERS = ("ES256", "EdDSA", "HS256")


def time_part(lab, quick, say, name, *words):
    """Microseconds that a program of ours says; None when that went wrong."""
    done = subprocess.run([lab.part(name), "0.15" if quick else "1.5", *words],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, check=False)
    if done.returncode != 0:
        say.note("%s: %s" % (" ".join((name, *words)), done.stderr.decode("utf-8", "replace").strip()))
        return None
    return float(done.stdout)


def measure_tokens(lab, quick, say):
    first = time_part(lab, quick, say, "bench-jwt", "RS256")
    if first is not None:
        say.figure("jwt_first_us", first)
    cached = time_part(lab, quick, say, "bench-jwt", "RS256", "cached")
    if cached is not None:
        say.figure("jwt_cached_us", cached)
    for algorithm in OTHERS:
        took = time_part(lab, quick, say, "bench-jwt", algorithm)
        if took is not None:
            say.note("token under %s: %.2f us" % (algorithm, took))


def measure_keys(lab, quick, say):
    """A key of a database that is in the cache: found, read, its digest made, judged."""
    took = time_part(lab, quick, say, "bench-key")
    if took is not None:
        say.figure("key_cached_us", took)


# ------------------------------------------------------------------------- the database

def write_keys(path, n):
    """A key file of n records, as callers of many teams would have them."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
    chance = random.Random(n)
    with open(path, "w", encoding="ascii") as file:
        for i in range(n):
            # A part that counts, so that no two are the same.
            key = "".join(chance.choices(letters, k=7)) + "%05x" % i
            file.write('{"id":"%s","digest":"sha256:%064x","name":"user %d","tenant":"acme/team%d",'
                       '"models":["gpt-*"],"created":"2026-01-01T00:00:00Z"}\n'
                       % (key, chance.getrandbits(256), i, i % 1000))


def run(*words, **more):
    done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False, **more)
    if done.returncode != 0:
        raise Trouble("%s: %s" % (os.path.basename(words[0]), done.stdout.decode("utf-8", "replace")))
    return done.stdout.decode()


def measure_base(lab, quick, say, driver, small, large):
    """small and large: params of two empty databases. How much longer takes it among so many more?"""
    took = {}
    with tempfile.TemporaryDirectory() as folder:
        for params, n in ((small, 1000), (large, 100000 if quick else 1000000)):
            keys = os.path.join(folder, "keys%d" % n)
            write_keys(keys, n)
            place = "--database=%s %s" % (driver, params)
            run(lab.part("aictl"), "db", "init", place)
            began = time.monotonic()
            run(lab.part("aictl"), "key", "import", place, "--runtime=" + folder, keys)
            filled = time.monotonic() - began
            took[n] = float(run(lab.part("bench-store"), "1" if quick else "5", driver, params, keys))
            say.note("%s, %d keys: imported in %.1f s, found in %.0f us" % (driver, n, filled, took[n]))
    say.figure(("sqlite" if driver == "sqlite3" else driver) + "_flat", took[max(took)] / took[1000])
    say.figure("import_%s_s" % ("sqlite" if driver == "sqlite3" else driver), filled)


def measure_sqlite(lab, quick, say):
    with tempfile.TemporaryDirectory() as folder:
        measure_base(lab, quick, say, "sqlite3", folder + "/small", folder + "/large")


def measure_pgsql(lab, quick, say):
    """The server of the tests; it goes when its standard input ends."""
    tests = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "test", "t", "lib")
    script = ("my $s = Databases->new('pgsql'); $| = 1; print $s->database($_), qq(\\n) for qw(small large);"
              " <STDIN>")
    with subprocess.Popen(["perl", "-I" + tests, "-MDatabases", "-e", script],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        small, large = server.stdout.readline().strip(), server.stdout.readline().strip()
        if not large:
            raise Trouble("no PostgreSQL here; build/setup --tests")
        measure_base(lab, quick, say, "pgsql", small, large)
        server.stdin.close()


# ------------------------------------------------------------------------------- the road

PAIR = ("open", "keyed")


def make_keys(lab, count):
    """A key file and the text of one key in it."""
    file = lab.path("keys")
    command = [lab.part("aictl"), "key", "create", "--file", file, "--user", "bench", "--tenant",
               "acme/search/bench", "--tier", "gold", "--model", "gpt-*", "--expires", "365d"]
    for _ in range(count):
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, check=False)
        if done.returncode != 0:
            raise Trouble("aictl: " + done.stderr.decode("utf-8", "replace").strip())
    os.chmod(file, 0o600)
    return file, done.stdout.decode("ascii").strip()


def with_keys(lab, file):
    """What makes a gateway for all callers one for those with a key."""
    return {"keys": "LoadModule ai_auth_module %s\nAIAuthKeyFile %s"
                    % (lab.modules["mod_ai_auth.so"], file), "who": "Require ai-key"}


def measure_road(lab, quick, say):
    seconds, count = (0.2, 31) if quick else (0.3, 201)
    file, key = make_keys(lab, 20)
    ask = question() + ["--header", "Authorization: Bearer " + key]
    sim = lab.start_sim(log=False)
    servers = {"open": start_httpd(lab, sim, "gateway", "open"),
               "keyed": start_httpd(lab, sim, "gateway", "keyed", **with_keys(lab, file))}

    def run_one(server):
        return load_fully(lab, server, seconds, *ask)

    def ratio(over, under):
        return over[0] / under[0]
    rounds = play_rounds(servers, PAIR, count, run_one)
    say.figure("road_ratio", middle(rounds, ratio, "keyed", "open"))
    for name in servers:
        say.note("road %-5s %6.0f requests/s, %4.1f us processor time per request"
                 % (name, middle(rounds, lambda each: each[0], name),
                    middle(rounds, lambda each: each[1], name)))


def count_road(lab, quick, say):
    if not lab.rival("valgrind"):
        say.note("instructions: no valgrind here")
        return
    file, key = make_keys(lab, 20)
    ask = question() + ["--header", "Authorization: Bearer " + key]
    sim = lab.start_sim(log=False)
    each = {"open": instructions_each(lab, sim, "gateway", quick, ask, "open"),
            "keyed": instructions_each(lab, sim, "gateway", quick, ask, "keyed",
                                       **with_keys(lab, file))}
    say.note("instructions per request: open %.0f, keyed %.0f, without the kernel's: %.3f"
             % (each["open"], each["keyed"], each["keyed"] / each["open"]))


def measure(lab, quick, say):
    attempt(lab, quick, say, measure_road, count_road, measure_tokens, measure_keys, measure_sqlite,
            measure_pgsql)
