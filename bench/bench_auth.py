# SPDX-License-Identifier: Apache-2.0
"""bench_auth - what does it cost to know who asks?

Functions timed by themselves (bench_jwt.c), as bench_dialects does with those that translate.
"""

import subprocess

from figures import Figure, attempt

GROUP = "auth"
FIGURES = [
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


def measure(lab, quick, say):
    attempt(lab, quick, say, measure_tokens)
