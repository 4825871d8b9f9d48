# SPDX-License-Identifier: Apache-2.0
"""faults_audit - does every call have its one record, whatever breaks?

The truth is the simulator's: what it was asked, under which id, and how many tokens it told. After
each measurement the database must say the same: one row for each of its calls, with its tokens, and
none that it does not know. "Acknowledged" is a call whose caller had the whole answer.

The database is PostgreSQL; it is stopped, hung, slowed down and restarted in mid-run.
"""

import os
import pwd
import re
import signal
import subprocess
import time

from bases import Base, Slow
from figures import Figure, attempt
from lab import TOP, Trouble, children_of, memory_kb, wait_for

GROUP = "audit"
KINDS = ("stopped", "hung", "slow", "restarted")
FIGURES = [figure for kind in KINDS for figure in (
    Figure(kind + "_client_errors", "requests", "==0"),
    Figure(kind + "_lost", "records", "==0"),
    Figure(kind + "_wrong", "records", "==0"),
    Figure(kind + "_memory_mb", "MB", "<=8"),
    Figure(kind + "_catch_up", "x", ">=5"))] + [
    Figure("child_kill_lost", "records", "==0"),
    Figure("child_kill_wrong", "records", "==0"),
    Figure("parent_kill_lost", "records", "==0"),
    Figure("parent_kill_wrong", "records", "==0"),
    Figure("torn_tail_failed", "tests", "==0"),
    Figure("disk_faults_failed", "tests", "==0"),
]

SECTION = os.path.join(TOP, "test", "faults", "conf", "audit.conf.in")
PATH = "/v1/chat/completions"
BODY = ('{"model":"gpt-audit","messages":[{"role":"user","content":"Say something about {id}."}]}')
CHILDREN = 4
THREADS = 32
RATE = 500
COLUMNS = "id, status, tokens_prompt, tokens_completion, estimated"


def start_gateway(lab, sim, base, name, sync="10ms"):
    """A gateway whose records end in the base's database."""
    subprocess.run([lab.part("aictl"), "db", "init", "--database", "%s %s" % (base.driver, base.params)],
                   check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    folder = lab.path(name)
    os.makedirs(folder, exist_ok=True)
    secret = os.path.join(folder, "database")
    with open(os.open(secret, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="ascii") as file:
        file.write(base.params + "\n")
    if os.geteuid() == 0:  # the children read it
        os.chown(secret, pwd.getpwnam("nobody").pw_uid, -1)
    values = {"sim_port": sim.port, "children": CHILDREN, "servers": 3 * CHILDREN, "threads": THREADS,
              "mod_ai_audit": lab.part("mod_ai_audit.so"), "spool": os.path.join(folder, "spool"),
              "database": "AIDatabase %s file:%s" % (base.driver, secret), "sync": sync}
    return lab.start_httpd(name, SECTION, **values)


def ask(lab, server, part, seconds, rate=RATE):
    """Begins a load at a steady rate."""
    return lab.start_load(server.url + PATH, "--connections", 64, "--rate", rate,
                          "--requests", int(seconds * rate), "--seconds", seconds + 30,
                          "--retry-stale", "--timeout", 20, "--prefix", part + "-",
                          "--log", lab.path("asked-%s.log" % part), "--body", BODY,
                          "--header", "X-Sim: id={id};tokens=7")


def rows_of(base):
    """What the database says: a list of rows for each id."""
    rows = {}
    for line in base.ask("SELECT %s FROM ai_audit_calls" % COLUMNS).splitlines():
        fields = re.split(r"[|\t]", line)
        rows.setdefault(fields[0], []).append(fields[1:])
    return rows


def acknowledged(lab, part):
    with open(lab.path("asked-%s.log" % part), encoding="ascii") as file:
        return {line.split()[0] for line in file if line.split()[1] == "ok"}


def compare(lab, sim, base, parts, say, name):
    """(lost, wrong): calls without a row of their own, or that were acknowledged and have only an
    estimate; rows that are not what happened, or of nothing that did."""
    rows = rows_of(base)
    truth = [call for call in lab.truth(sim) if (call["asked"] or "").split("-")[0] in parts]
    told = set().union(*(acknowledged(lab, part) for part in parts))
    known, lost, wrong, estimated = set(), 0, 0, 0
    whole = set()  # asked ids with a full record
    for call in truth:
        known.add(call["id"])
        found = rows.get(call["id"], [])
        lost += not found
        wrong += len(found) > 1
        if not found:
            continue
        status, prompt, completion, guess = found[0]
        if guess not in ("0", "f"):
            estimated += 1
            continue
        whole.add(call["asked"])
        if call["status"] == 200 and call["ended"] == "complete":
            wrong += (status != "200" or int(prompt or -1) != call["prompt_tokens"]
                      or int(completion or -1) != call["completion_tokens"])
    lost += len(told - whole)
    wrong += len([row for row in rows if row not in known])
    say.note("%s: %d calls at the provider, %d answers had by callers, %d rows, %d of them estimated"
             % (name, len(truth), len(told), len(rows), estimated))
    return lost, wrong


def shipped(base, sim_total):
    """1 when the database has as many calls as the simulator had."""
    return int(base.ask("SELECT count(*) FROM ai_audit_calls").strip() or 0) >= sim_total


def count_calls(lab, sim):
    with open(os.path.join(sim.files, "truth.log"), "rb") as file:
        return file.read().count(b"\n")


class Outage:
    """What is done to the database, and how it is undone."""

    def __init__(self, kind, base):
        self.kind, self.base, self.slow = kind, base, None

    def begin(self):
        if self.kind == "stopped":
            self.base.do("crash")
        elif self.kind == "hung":
            self.base.do("pause")
        elif self.kind == "slow":
            self.slow = Slow(self.base)
        else:
            self.base.do("stop")
            self.base.do("start")

    def end(self):
        if self.kind == "stopped":
            self.base.do("start")
        elif self.kind == "hung":
            self.base.do("resume")
        elif self.slow:
            self.slow.end()


def measure_outage(lab, quick, say, kind):
    away = 10 if quick else 60
    base = Base("pgsql")
    try:
        sim = lab.start_sim("sim-" + kind)
        server = start_gateway(lab, sim, base, kind)
        warm = lab.end_load(ask(lab, server, "warm", 3), 60)
        before = {pid: memory_kb(pid, "Rss") for pid in children_of(server.pid)}
        outage = Outage(kind, base)
        load = ask(lab, server, "away", away)
        began = time.monotonic()
        wait_for("the first second", lambda: time.monotonic() > began + 1, 5)
        outage.begin()
        got = lab.end_load(load, away + 120)
        if got is None or warm is None:
            raise Trouble("the load had to be killed")
        grown = max(memory_kb(pid, "Rss") - kb for pid, kb in before.items())
        outage.end()
        down = time.monotonic() - began
        back = time.monotonic()
        wait_for("all records in the database", lambda: shipped(base, count_calls(lab, sim)), down + 60)
        caught_up = time.monotonic() - back
        lost, wrong = compare(lab, sim, base, ("warm", "away"), say, kind)
        say.figure(kind + "_client_errors", got["errors"] + warm["errors"])
        say.figure(kind + "_lost", lost)
        say.figure(kind + "_wrong", wrong)
        say.figure(kind + "_memory_mb", grown / 1024)
        say.figure(kind + "_catch_up", down / max(caught_up, 0.05))
        say.note("%s: %.1f s with %d requests a second, caught up in %.2f s" % (kind, down, RATE, caught_up))
    finally:
        base.end()


def measure_stopped(lab, quick, say):
    measure_outage(lab, quick, say, "stopped")


def measure_hung(lab, quick, say):
    measure_outage(lab, quick, say, "hung")


def measure_slow(lab, quick, say):
    measure_outage(lab, quick, say, "slow")


def measure_restarted(lab, quick, say):
    measure_outage(lab, quick, say, "restarted")


def kill_children(server, load):
    """One child a second, as long as the load lasts. Returns how many."""
    killed = 0
    while load.poll() is None:
        children = children_of(server.pid)
        if children:
            try:
                os.kill(children[killed % len(children)], signal.SIGKILL)
                killed += 1
            except ProcessLookupError:
                pass
        due = time.monotonic() + 1
        wait_for("a second", lambda: load.poll() is not None or time.monotonic() > due, 5)
    return killed


def settle_and_compare(lab, sim, base, parts, say, name):
    wait_for("all records in the database", lambda: shipped(base, count_calls(lab, sim)), 60)
    lost, wrong = compare(lab, sim, base, parts, say, name)
    say.figure(name + "_lost", lost)
    say.figure(name + "_wrong", wrong)


def measure_child_kill(lab, quick, say):
    base = Base("pgsql")
    try:
        sim = lab.start_sim("sim-child")
        server = start_gateway(lab, sim, base, "child_kill")
        load = ask(lab, server, "kill", 8 if quick else 60, 300)
        killed = kill_children(server, load)
        lab.end_load(load, 120)
        say.note("child_kill: %d children killed" % killed)
        settle_and_compare(lab, sim, base, ("kill",), say, "child_kill")
    finally:
        base.end()


def measure_parent_kill(lab, quick, say):
    """The parent and all its children at once, under load, then a new server over the same spool."""
    base = Base("pgsql")
    try:
        sim = lab.start_sim("sim-parent")
        server = start_gateway(lab, sim, base, "parent_kill")
        parts = []
        for turn in range(2 if quick else 5):
            parts.append("round%d" % turn)
            load = ask(lab, server, parts[-1], 4, 300)
            began = time.monotonic()
            wait_for("two seconds", lambda: time.monotonic() > began + 2, 5)
            for pid in [server.pid] + children_of(server.pid):
                os.kill(pid, signal.SIGKILL)
            server.process.wait()
            lab.end_load(load, 120)
            os.path.exists(os.path.join(server.files, "httpd.pid")) and os.remove(
                os.path.join(server.files, "httpd.pid"))
            server = start_gateway(lab, sim, base, "parent_kill")
        settle_and_compare(lab, sim, base, tuple(parts), say, "parent_kill")
    finally:
        base.end()


def count_failed(lab, program):
    """How many tests of a unit test fail; its own failure counts, too."""
    done = subprocess.run([lab.part(program)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False)
    text = done.stdout.decode("utf-8", "replace")
    if not re.search(r"^ok ", text, re.M):
        raise Trouble("%s said nothing" % program)
    return len(re.findall(r"^not ok ", text, re.M)) + (done.returncode != 0)


def measure_disk(lab, quick, say):
    """A segment cut at every byte, and every call to the disk failing in turn: unit tests."""
    subprocess.run(["make", "-s", "-C", os.path.join(lab.build, "test"), "test_ai_spool_read",
                    "test_ai_spool_faults"], check=True, stdin=subprocess.DEVNULL)
    say.figure("torn_tail_failed", count_failed(lab, "test_ai_spool_read"))
    say.figure("disk_faults_failed", count_failed(lab, "test_ai_spool_faults"))


def measure(lab, quick, say):
    attempt(lab, quick, say, measure_stopped, measure_hung, measure_slow, measure_restarted,
            measure_child_kill, measure_parent_kill, measure_disk)
