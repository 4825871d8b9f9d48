# SPDX-License-Identifier: Apache-2.0
"""bench_auth - what does it cost to know who asks?

Functions timed by themselves (bench_jwt.c), as bench_dialects does with those that translate; and
the road of the gateway with and without gateway keys.
"""

import os
import subprocess

from contenders import (instructions_each, load_fully, middle, play_rounds, question,
                        start_httpd)
from figures import Figure, attempt
from lab import Trouble

GROUP = "auth"
RIVALS = ("valgrind",)
FIGURES = [
    Figure("road_ratio", "x", ">=0.97"),
    Figure("jwt_first_us", "us", "<=60"),
    Figure("jwt_cached_us", "us", "<=5"),
]

OTHERS = ("ES256", "EdDSA", "HS256")


def time_token(lab, quick, say, algorithm, *more):
    """Microseconds to verify one token and read its claims; None when that went wrong."""
    done = subprocess.run([lab.part("bench-jwt"), "0.15" if quick else "1.5", algorithm, *more],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, check=False)
    if done.returncode != 0:
        say.note("%s: %s" % (algorithm, done.stderr.decode("utf-8", "replace").strip()))
        return None
    return float(done.stdout)


def measure_tokens(lab, quick, say):
    first = time_token(lab, quick, say, "RS256")
    if first is not None:
        say.figure("jwt_first_us", first)
    cached = time_token(lab, quick, say, "RS256", "cached")
    if cached is not None:
        say.figure("jwt_cached_us", cached)
    for algorithm in OTHERS:
        took = time_token(lab, quick, say, algorithm)
        if took is not None:
            say.note("token under %s: %.2f us" % (algorithm, took))


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
    attempt(lab, quick, say, measure_road, count_road, measure_tokens)
