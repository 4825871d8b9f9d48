# SPDX-License-Identifier: Apache-2.0
"""bench_dialects - what does translating cost, and what is a gateway worth beside the others?

Two halves.  The functions that translate, timed by themselves (bench_dialects.c, chats.py).  And
one table of everything a request can go through: in one run, with one simulator, each on the same
one core, because Portkey's gateway has one thread that runs JavaScript.
"""

import json
import os
import subprocess
import urllib.error
import urllib.request

import chats
from contenders import (PATH, hold_open, load_fully, middle, play_rounds, question, start_haproxy,
                        start_httpd, start_nginx, start_portkey, stream_question)
from figures import Figure, attempt
from lab import Trouble

GROUP = "dialects"
RIVALS = ("nginx", "haproxy", "portkey")
FIGURES = [
    Figure("identity_us", "us", "<=2"),
    Figure("request_us", "us", "<=12"),
    Figure("event_us", "us", "<=3"),
    Figure("conversation_mb_s", "MB/s", ">=200"),
    Figure("portkey_ratio", "x", ">=10"),
    Figure("table_gaps", "cells", "==0"),
]

DIALECTS = ("openai", "anthropic")
WAYS = (("openai", "anthropic"), ("anthropic", "openai"))
MEGABYTE = 1000000


# ------------------------------------------------------------------------ the functions

def call_program(lab, say, *words):
    """What bench-dialects printed; None when it could not do that, and why is said."""
    command = [lab.part("bench-dialects")] + [str(word) for word in words]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, check=False)
    if done.returncode == 0:
        return done.stdout
    why = done.stderr.decode("utf-8", "replace").strip().splitlines() or [
        "ended with %d" % done.returncode]
    say.note("%s: %s" % (" ".join(command[2 if words[0] != "--print" else 3:-1]), why[0]))
    return None


def time_one(lab, quick, say, check, *words):
    """What one time of that work costs, as a dict; None when it cannot be done or what came of
    it is wrong.  check(bytes) returns what is wrong with them."""
    once = call_program(lab, say, "--print", 0, *words)
    if once is None:
        return None
    wrong = check(once)
    if wrong:
        say.note("%s: the outcome is wrong: %s" % (" ".join(words[:-1]), wrong))
        return None
    text = call_program(lab, say, 0.15 if quick else 1.5, *words)
    if text is None:
        return None
    return {key: float(value) for key, value in map(str.split, text.decode().splitlines())}


def write_request(lab, name, dialect, chat, size):
    """A request of that many bytes as a file; returns the path and what checks its translation."""
    request = chats.request(dialect, chat, size)
    path = lab.path("%s-%s.json" % (name, dialect))
    with open(path, "w", encoding="utf-8") as file:
        file.write(request)
    said = chats.said_in(json.loads(request))
    return path, lambda translated: chats.missing_in(said, translated)


def worst(say, name, found, choose=max):
    """Says a figure: the worst of its parts, if all of them are known."""
    if found and all(value is not None for value in found):
        say.figure(name, choose(found))


def measure_identity(lab, quick, say):
    found = []
    for dialect in DIALECTS:
        for chat in chats.SMALL:
            path, check = write_request(lab, chat.__name__, dialect, chat, 1024)
            got = time_one(lab, quick, say, lambda edited, check=check: check(edited) or (
                None if b'"another-model"' in edited else "the old model"),
                "identity", dialect, path)
            found.append(got and got["us"])
            if got:
                say.note("identity %s, %s of 1 KB: %.2f us" % (dialect, chat.__name__, got["us"]))
    worst(say, "identity_us", found)


def measure_requests(lab, quick, say):
    found = []
    for source, target in WAYS:
        for chat in chats.SMALL:
            path, check = write_request(lab, chat.__name__, source, chat, 1024)
            got = time_one(lab, quick, say, check, "request", source, target, path)
            check_only = got and time_one(lab, quick, say, lambda none: None, "parse", path)
            found.append(got and got["us"])
            if check_only:
                say.note("%s to %s, %s of 1 KB: %.2f us, of which the check of the body %.2f us"
                         % (source, target, chat.__name__, got["us"], check_only["us"]))
    worst(say, "request_us", found)


def measure_events(lab, quick, say):
    sim = lab.start_sim(log=False)
    found = []
    for source, target in WAYS:
        stream = chats.fetch_stream(sim.url, source, 300)
        path = lab.path("stream-" + source)
        with open(path, "wb") as file:
            file.write(stream)
        words = chats.text_of_stream(stream)
        got = time_one(lab, quick, say, lambda told, words=words: None if
                       chats.text_of_stream(told) == words else "another text",
                       "events", source, target, path)
        found.append(got and got["us"] / got["done"])
        if got:
            say.note("stream of %s told to a caller of %s: %.2f us for each of %d events"
                     % (source, target, found[-1], got["done"]))
    worst(say, "event_us", found)


def measure_conversations(lab, quick, say):
    found = []
    for source, target in WAYS:
        path, check = write_request(lab, "conversation", source, chats.conversation, MEGABYTE)
        got = time_one(lab, quick, say, check, "request", source, target, path)
        check_only = got and time_one(lab, quick, say, lambda none: None, "parse", path)
        found.append(got and got["bytes_in"] / got["us"])
        if check_only:
            say.note("%s to %s, conversation of %.2f MB: %.0f MB/s; the check of the body alone "
                     "%.0f MB/s" % (source, target, got["bytes_in"] / 1e6, found[-1],
                                    check_only["bytes_in"] / check_only["us"]))
    worst(say, "conversation_mb_s", found, min)


# ---------------------------------------------------------------------------- the table

# All of them are asked for OpenAI's chat.  Only for "translated" the simulator plays Anthropic.
NAMES = ("direct", "proxypass", "nginx", "haproxy", "gateway", "translated", "portkey")
HTTPD = {"proxypass": ("proxypass", "openai"), "gateway": ("gateway", "openai"),
         "translated": ("gateway", "anthropic")}
OTHERS = {"nginx": start_nginx, "haproxy": start_haproxy, "portkey": start_portkey}
PAIR = ("gateway", "portkey")
COLUMNS = (("rate", "requests/s", "%.0f"), ("p50", "p50 us", "%.0f"), ("p99", "p99 us", "%.0f"),
           ("cpu", "CPU us", "%.0f"), ("memory", "KB/stream", "%.1f"))
RATE = 100  # requests a second; well below what any of them can do

# The model's name is what a translated answer still has of the request.
MODEL = "{id}"


class Contender:
    """One row of the table."""

    def __init__(self, name):
        self.name = name
        self.cells = {}
        self.why = None  # it has gaps
        self.sim = None
        self.server = None

    def start(self, lab, sim, name, **values):
        """Throws Trouble when it cannot be had, or does not answer what is asked."""
        self.sim = sim
        if self.name == "direct":
            self.server = sim
        elif self.name in HTTPD:
            kind, dialect = HTTPD[self.name]
            self.server = start_httpd(lab, sim, kind, name, dialect=dialect, **values)
        elif lab.rival(self.name):
            self.server = OTHERS[self.name](lab, sim, name)
        else:
            raise Trouble("cannot be had on this machine")
        self.probe(lab)

    def stop(self, lab):
        if self.server not in (None, self.sim):
            lab.stop(self.server)
        self.server = None

    def headers(self):
        """What Portkey's gateway must be told with each request."""
        if self.name != "portkey":
            return []
        return ["x-portkey-provider: openai", "x-portkey-forward-headers: x-sim",
                "x-portkey-custom-host: %s/v1" % self.sim.url]

    def options(self, question):
        return [word for header in self.headers() for word in ("--header", header)] + question

    def probe(self, lab):
        """Does it answer the very question that is measured, from the right side of the
        simulator?"""
        got = lab.load(self.server.url + PATH, "--requests", 50, *self.options(question(MODEL)))
        if got["ok"] != 50:
            raise Trouble("%d of 50 requests went well; it says: %s" % (got["ok"], self.ask()))
        with urllib.request.urlopen(self.sim.url + "/_sim/calls", timeout=10) as answer:
            asked = json.load(answer)["last"][-1]["path"]
        if asked.endswith("/messages") != (self.name == "translated"):
            raise Trouble("the simulator was asked for " + asked)

    def ask(self):
        """Status and beginning of an answer."""
        request = urllib.request.Request(
            self.server.url + PATH, chats.request("openai", chats.plain, 200).encode("utf-8"),
            dict([("Content-Type", "application/json")] +
                 [tuple(header.split(": ", 1)) for header in self.headers()]))
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return "%d" % answer.status
        except urllib.error.HTTPError as error:
            return "%d %s" % (error.code, " ".join(
                error.read(300).decode("utf-8", "replace").split()))
        except OSError as error:
            return str(error)


def measure_rates(lab, quick, say, rows):
    sim = lab.start_sim(log=False)
    ready = {}
    for row in rows:
        try:
            row.start(lab, sim, row.name)
            ready[row.name] = row
            # What compiles as it runs has done so.
            lab.load(row.server.url + PATH, "--connections", 32, "--requests", 8000, "--seconds",
                     4 if quick else 20, *row.options(question(MODEL)))
        except Trouble as trouble:
            row.why = str(trouble)
    measure_throughput(lab, quick, say, ready)
    measure_latency(lab, quick, ready)
    for row in rows:
        row.stop(lab)


def play(ready, pair, count, measure_one, *keys):
    """Plays rounds of measure_one(row), which returns a figure for each key, and fills in the
    cells.  A row that fails is left out from then on, and has none of them."""
    def play_one(row):
        if row.why is None:
            try:
                return measure_one(row)
            except Trouble as trouble:
                row.why = str(trouble)
        return (0.0,) * len(keys)
    rounds = play_rounds(ready, pair, count, play_one)
    for name, row in ready.items():
        if row.why is None:
            for place, key in enumerate(keys):
                row.cells[key] = middle(rounds, lambda each, place=place: each[place], name)
    return rounds


def measure_throughput(lab, quick, say, ready):
    seconds, count = (0.2, 7) if quick else (0.4, 61)

    def run_one(row):
        return load_fully(lab, row.server, seconds, *row.options(question(MODEL)))
    pair = tuple(name for name in PAIR if name in ready)
    rounds = play(ready, pair, count, run_one, "rate", "cpu")
    if all("rate" in ready[name].cells for name in pair) and pair == PAIR:
        say.figure("portkey_ratio", middle(rounds, lambda over, under: over[0] / under[0], *PAIR))


def measure_latency(lab, quick, ready):
    seconds, count = (0.8, 2) if quick else (2.0, 7)

    def run_one(row):
        got = lab.load(row.server.url + PATH, "--connections", 32, "--rate", RATE, "--seconds",
                       seconds, *row.options(question(MODEL)))
        if got["errors"]:
            raise Trouble("%s: %d errors at a fixed rate" % (row.name, got["errors"]))
        return got["whole_us_p50"], got["whole_us_p99"]
    play(ready, tuple(ready), count, run_one, "p50", "p99")


def measure_memory(lab, quick, rows):
    """A server of its own for each, that has held no stream before."""
    streams, script = (100, "tokens=3;gap=300") if quick else (500, "tokens=10;gap=500")
    for row in rows:
        if row.why is not None:
            continue
        sim = lab.start_sim("sim-streams-" + row.name, log=False)
        try:
            row.start(lab, sim, "streams-" + row.name, threads=streams // 2 * 26 // 25,
                      stack="ThreadStackSize 262144")
            # Few at a time: what so many streams need for the first time is part of the figure.
            warm = ["--connections", 16, "--requests", 400, "--seconds", 2]
            memory, got, _ = hold_open(
                lab, row.server, streams, warm + row.options(stream_question("tokens=4", MODEL)),
                *row.options(stream_question(script, MODEL)))
            if got is None or got["errors"]:
                raise Trouble("%d streams: %s" % (
                    streams, "no end" if got is None else "%d failed" % got["errors"]))
            if memory is None:
                raise Trouble("%d streams were never open at the same time" % streams)
            row.cells["memory"] = memory
        except Trouble as trouble:
            row.why = str(trouble)
        row.stop(lab)
        lab.stop(sim)


def print_table(say, rows):
    say.note("%-11s" % "" + "".join("%12s" % title for _, title, _ in COLUMNS))
    for row in rows:
        say.note("%-11s" % row.name + "".join(
            "%12s" % (form % row.cells[key] if key in row.cells else "-")
            for key, _, form in COLUMNS))
    for row in rows:
        if row.why is not None:
            say.note("%s: %s" % (row.name, row.why))
    say.figure("table_gaps", sum(key not in row.cells for row in rows for key, _, _ in COLUMNS))


def measure_table(lab, quick, say):
    rows = [Contender(name) for name in NAMES]
    with lab.one_core_for_servers():
        say.note("servers on core %s, load generator and simulator on %s; p50 and p99 at %d "
                 "requests/s" % (lab.server_cores, lab.tool_cores, RATE))
        try:
            measure_rates(lab, quick, say, rows)
            measure_memory(lab, quick, rows)
        finally:
            print_table(say, rows)


def measure(lab, quick, say):
    attempt(lab, quick, say, measure_identity, measure_requests, measure_events,
            measure_conversations, measure_table)
