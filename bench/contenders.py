# SPDX-License-Identifier: Apache-2.0
"""contenders - who is measured, what are they asked, and how do they take turns?

The machine is shared and its mood changes by the second, so contenders take turns in short
rounds, and what counts is the median over the rounds of the ratio within one round.
"""

import json
import os
import re
import statistics

from lab import TOP, Trouble, cpu_seconds, memory_kb, tree_of

CONF = os.path.join(TOP, "bench", "conf")
PATH = "/v1/chat/completions"
CHAT_BYTES = 1024
CHAT_WORDS = 120  # makes an answer of about the same size


def chat(stream=False, size=0, model="gpt-bench"):
    """A chat request as JSON text; padded to `size` bytes.  {id} is left for ai-load."""
    request = {
        "model": model,
        "messages": [
            {"role": "system", "content": "You are a helpful assistant."},
            {"role": "user", "content": "Say something about {id}. "},
        ],
        "temperature": 0.2,
        "max_tokens": 400,
    }
    if stream:
        request["stream"] = True
    missing = size - len(json.dumps(request))
    words = "The quick brown fox jumps over the lazy dog and goes on its way. "
    request["messages"][1]["content"] += (words * (missing // len(words) + 1))[:max(0, missing)]
    return json.dumps(request)


def question(model="gpt-bench"):
    """Options of ai-load for a plain chat, 1 KB each way."""
    return ["--check-id", "--body", chat(size=CHAT_BYTES, model=model),
            "--header", "X-Sim: id={id};tokens=%d" % CHAT_WORDS]


def stream_question(script, model="gpt-bench"):
    """The same for a streamed chat that the simulator answers by a script."""
    return ["--check-id", "--stream", "--body", chat(stream=True, model=model),
            "--header", "X-Sim: id={id};" + script]


# ---------------------------------------------------------------------------- starting

def start_nginx(lab, sim, name="nginx"):
    port = lab.free_port()
    folder = lab.path(name)
    os.makedirs(folder, exist_ok=True)
    conf = os.path.join(folder, "nginx.conf")
    lab.fill(os.path.join(CONF, "nginx.conf.in"), conf, folder=folder, port=port,
             sim_port=sim.port, cores=len(lab.server_cores), descriptors=lab.descriptors)
    return lab.start(name, [lab.rival("nginx"), "-e", "error.log", "-p", folder, "-c", conf], port)


def start_haproxy(lab, sim, name="haproxy"):
    port = lab.free_port()
    folder = lab.path(name)
    os.makedirs(folder, exist_ok=True)
    conf = os.path.join(folder, "haproxy.cfg")
    lab.fill(os.path.join(CONF, "haproxy.cfg.in"), conf, port=port, sim_port=sim.port,
             cores=len(lab.server_cores))
    return lab.start(name, [lab.rival("haproxy"), "-db", "-f", conf], port)


def start_portkey(lab, sim, name="portkey"):
    """It has no setting for the address: it listens on every one."""
    port = lab.free_port()
    return lab.start(name, [lab.rival("portkey"), "--port=%d" % port], port)


def start_httpd(lab, sim, kind, name=None, **values):
    section = os.path.join(CONF, kind + ".conf.in")
    return lab.start_httpd(name or kind, section, sim_port=sim.port, **values)


# --------------------------------------------------------------------------- measuring

def load_fully(lab, server, seconds, *options, clock=cpu_seconds):
    """32 connections that ask as fast as they can: requests per second, and processor time of the
    server per request in microseconds; clock: of what of it."""
    before = clock(server.pid)
    got = lab.load(server.url + PATH, "--connections", 32, "--seconds", seconds, *options)
    if got["errors"]:
        raise Trouble("%s: %d errors under plain load" % (server.name, got["errors"]))
    return got["rate"], (clock(server.pid) - before) / got["ok"] * 1e6


def count_instructions(lab, sim, kind, requests, options, name, values):
    """Instructions of one httpd from its start to its end, with that many requests between."""
    name = "%s-%d" % (name, requests)
    port = lab.free_port()
    conf = lab.write_httpd(name, os.path.join(CONF, kind + ".conf.in"), port, children=1,
                           servers=1, threads=4, sim_port=sim.port, **values)
    counts = lab.path(name, "callgrind.out")
    # --vgdb=no: else it leaves pipes in /tmp.
    server = lab.start(name, [lab.rival("valgrind"), "--tool=callgrind", "--vgdb=no",
                              "--callgrind-out-file=" + counts, lab.httpd, "-X", "-d",
                              lab.path(name), "-f", conf], port)
    if os.path.exists(counts):
        os.chmod(counts, 0o666)  # opened as root, to be written by whom httpd becomes
    got = lab.load(server.url + PATH, "--requests", requests, *options)
    lab.stop(server)
    if got["ok"] != requests:
        raise Trouble("%s under valgrind: %d of %d ok" % (name, got["ok"], requests))
    with open(counts, encoding="utf-8") as file:
        return int(re.search(r"^(?:summary|totals): (\d+)", file.read(), re.M).group(1))


def instructions_each(lab, sim, kind, quick, options, name=None, **values):
    """Instructions that one request costs an httpd of that kind in user space."""
    few, many = 100, 400 if quick else 1100
    counts = [count_instructions(lab, sim, kind, requests, options, name or kind, values)
              for requests in (few, many)]
    return (counts[1] - counts[0]) / (many - few)


def hold_open(lab, server, streams, warm, *options):
    """Memory per stream in KB while that many are open (None when they never all were), the
    load's figures (None when it did not end), and the processor time it took.  warm: options of
    a load after which the server's memory is taken as that of an idle one."""
    lab.load(server.url + PATH, *warm)
    idle = sum(memory_kb(pid, "Pss") for pid in tree_of(server.pid))
    before = cpu_seconds(server.pid)
    load = lab.start_load(server.url + PATH, "--connections", streams, "--each", 1, "--ramp",
                          2000, "--timeout", 120, "--announce", *options)
    full = 0
    if lab.await_open(load, 60):
        full = sum(memory_kb(pid, "Pss") for pid in tree_of(server.pid))
    got = lab.end_load(load, 180)
    used = cpu_seconds(server.pid) - before
    return (full - idle) / streams if full else None, got, used


def play_rounds(contenders, pair, count, measure_one):
    """Rounds as dicts of name to figure.  The pair that has a goal is measured in every round,
    one right after the other, in turned order each time; the rest in every third round."""
    rounds = []
    for number in range(count):
        names = list(pair if number % 2 == 0 else pair[::-1])
        if number % 3 == 0:
            names += [name for name in contenders if name not in pair]
        rounds.append({name: measure_one(contenders[name]) for name in names})
    return rounds


def middle(rounds, figure, *names):
    """The median of figure(...) over the rounds that have all the names."""
    return statistics.median(figure(*(each[name] for name in names)) for each in rounds
                             if all(name in each for name in names))
