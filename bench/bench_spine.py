# SPDX-License-Identifier: Apache-2.0
"""bench_spine - what does the road itself cost, when nothing on it limits, stores or checks?"""

import time

from contenders import (PATH, chat, hold_open, instructions_each, load_fully, middle, play_rounds,
                        question, start_haproxy, start_httpd, start_nginx, stream_question)
from figures import Figure, attempt
from lab import Trouble, wait_for

GROUP = "spine"
RIVALS = ("nginx", "haproxy", "valgrind")
FIGURES = [
    Figure("throughput_ratio", "x", ">=0.85"),
    Figure("added_latency_us", "us", "<=60"),
    Figure("instructions_ratio", "x", "<=2.20"),
    Figure("client_gone_ms", "ms", "<=100"),
    Figure("streams_10k_errors", "errors", "==0"),
    Figure("stream_memory_kb", "KB", "<=80"),
]

STREAMS = 10000


# ---------------------------------------------------------------------------- contenders

def start_contenders(lab, sim, say):
    """Name to server; "direct" is the simulator itself."""
    servers = {"direct": sim}
    for kind in ("proxypass", "gateway"):
        servers[kind] = start_httpd(lab, sim, kind)
    for name, start in (("nginx", start_nginx), ("haproxy", start_haproxy)):
        if lab.rival(name):
            servers[name] = start(lab, sim)
        else:
            say.note("no %s here" % name)
    return servers


def check_answers(lab, servers):
    """Every contender must answer the very question that is measured, or ratios mean nothing."""
    for name, server in servers.items():
        got = lab.load(server.url + PATH, "--requests", 50, *question())
        if got["ok"] != 50:
            raise Trouble("%s does not answer: %s" % (name, {
                key: value for key, value in got.items()
                if value and (key.startswith("error") or key == "last_status")}))


# --------------------------------------------------------------------------- throughput

PAIR = ("proxypass", "gateway")


def measure_throughput(lab, servers, quick, say):
    seconds, count = (0.2, 21) if quick else (0.3, 101)

    def run_one(server):
        return load_fully(lab, server, seconds, *question())

    def ratio(over, under):
        return over[0] / under[0]
    rounds = play_rounds(servers, PAIR, count, run_one)
    say.figure("throughput_ratio", middle(rounds, ratio, "gateway", "proxypass"))
    for name in servers:
        say.note("throughput %-10s %6.0f requests/s, %5.2f of ProxyPass, %4.0f us processor time "
                 "per request" % (name, middle(rounds, lambda each: each[0], name),
                                  middle(rounds, ratio, name, "proxypass"),
                                  middle(rounds, lambda each: each[1], name)))


def measure_latency(lab, servers, quick, say):
    requests, count = (300, 25) if quick else (500, 101)

    def run_one(server):
        return lab.load(server.url + PATH, "--requests", requests,
                        *question())["whole_us_p50"]

    def added(over, under):
        return over - under
    rounds = play_rounds(servers, PAIR, count, run_one)
    say.figure("added_latency_us", middle(rounds, added, "gateway", "proxypass"))
    for name in servers:
        say.note("latency at one client %-10s %5.0f us, %+5.0f us to direct"
                 % (name, middle(rounds, lambda each: each, name), middle(rounds, added, name,
                                                                          "direct")))


# ------------------------------------------------------------------------- instructions

def measure_instructions(lab, quick, say):
    if not lab.rival("valgrind"):
        say.note("instructions: no valgrind here")
        return
    sim = lab.start_sim(log=False)
    each = {}
    for kind in ("proxypass", "gateway"):
        each[kind] = instructions_each(lab, sim, kind, quick, question())
        say.note("instructions per request %-10s %7.0f, without the kernel's" % (kind, each[kind]))
    say.figure("instructions_ratio", each["gateway"] / each["proxypass"])


# -------------------------------------------------------------------------- client gone

# What the client is in the middle of when it leaves; whether it has a head and events by then; the
# script of the answer; between how many milliseconds after its request it leaves.
GOING = [
    ("before the head", (False, False), "delay=20000;tokens=5", "20:400"),
    ("in a silent stream", (True, True), "tokens=20;stall=3", "60:500"),
    ("in a running stream", (True, True), "tokens=2000;gap=15", "60:900"),
]


def measure_client_gone(lab, quick, say):
    sim = lab.start_sim("sim-gone")
    server = start_httpd(lab, sim, "gateway", "gateway-gone")
    clients = 34
    left = {}
    worst = {}
    for number, (what, state, script, span) in enumerate(GOING):
        log = lab.path("gone-%d.log" % number)
        got = lab.load(server.url + PATH, "--connections", clients, "--each", 1, "--abort", span,
                       "--ramp", 100, "--prefix", "gone%d-" % number, "--log", log, "--timeout",
                       60, *stream_question(script))
        if got["aborted"] != clients:
            raise Trouble("%s: only %d of %d clients got to leave" % (what, got["aborted"],
                                                                       clients))
        states = set()
        with open(log, encoding="ascii") as file:
            for line in file:
                name, _, status, events, end_us, _ = line.split()
                left[name] = (what, int(end_us) / 1e3)
                states.add((int(status) > 0, int(events) > 0))
        if state not in states:
            raise Trouble("%s: no client got to that point" % what)
    ended = await_ends(lab, sim, set(left))
    for name, (what, left_ms) in left.items():
        late = ended.get(name, time.time() * 1e3) - left_ms
        worst[what] = max(worst.get(what, 0.0), late)
    for what, late in worst.items():
        say.note("client gone %s: upstream closed after %.0f ms at most" % (what, late))
    say.figure("client_gone_ms", max(worst.values()))


def await_ends(lab, sim, names, seconds=30.0):
    """When the simulator saw each call end, in milliseconds since the epoch.  A call that goes on
    for many seconds is left out: its upstream was not closed."""
    ended = {}

    def all_ended():
        for call in lab.truth(sim):
            if call["asked"] in names:
                ended[call["asked"]] = call["closed_ms"]
        return len(ended) == len(names)
    try:
        wait_for("the end of the calls", all_ended, seconds)
    except Trouble:
        pass
    return ended


# ------------------------------------------------------------------------- many streams

def hold_streams(lab, kind, streams, quick):
    """Memory per stream in KB, the load's figures, and processor time per stream event."""
    sim = lab.start_sim("sim-" + kind, log=False)
    server = start_httpd(lab, sim, kind, "streams-" + kind, children=4, servers=12,
                         threads=(streams // 4) * 26 // 25, stack="ThreadStackSize 262144")
    # Every child has served something before its memory is taken as that of an idle server.
    warm = ["--connections", 200, "--requests", 2000, "--stream", "--body", chat(stream=True)]
    found = hold_open(lab, server, streams, warm,
                      *stream_question("tokens=%d;gap=500" % (24 if quick else 60)))
    lab.stop(server)
    lab.stop(sim)
    return found


def note_streams(say, kind, memory, got, used):
    say.note("%d streams through %s: %s KB each, %.0f us processor time per event, gap p50 %.0f "
             "us p99 %.0f us, first byte p99 %.0f ms"
             % (STREAMS, kind, "-" if memory is None else "%.1f" % memory,
                used / max(1, got["events"]) * 1e6, got.get("gap_us_p50", 0),
                got.get("gap_us_p99", 0), got.get("first_us_p99", 0) / 1e3))


def measure_streams(lab, quick, say):
    if lab.descriptors < STREAMS + 1000:
        say.note("streams: only %d descriptors allowed" % lab.descriptors)
        return
    memory, got, used = hold_streams(lab, "gateway", STREAMS, quick)
    if got is None:
        say.note("streams: the load did not end in time")
        return
    note_streams(say, "the gateway", memory, got, used)
    for key, value in got.items():
        if key.startswith("error_") and value:
            say.note("streams: %s %d" % (key, value))
    say.figure("streams_10k_errors", got["errors"])
    if memory is not None:
        say.figure("stream_memory_kb", memory)
    if not quick:
        memory, got, used = hold_streams(lab, "proxypass", STREAMS, quick)
        if got is not None:
            note_streams(say, "plain ProxyPass", memory, got, used)


def measure_rates(lab, quick, say):
    sim = lab.start_sim(log=False)
    servers = start_contenders(lab, sim, say)
    check_answers(lab, servers)
    measure_throughput(lab, servers, quick, say)
    measure_latency(lab, servers, quick, say)


def measure(lab, quick, say):
    attempt(lab, quick, say, measure_rates, measure_instructions, measure_client_gone,
            measure_streams)
