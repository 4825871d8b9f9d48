# SPDX-License-Identifier: Apache-2.0
"""lab - the place where servers are started, watched and ended for a measurement.

A Lab has a build of this project, a private folder, and the processes it started.  Everything
listens on 127.0.0.1 and is ended when the lab closes, whatever happened.  Settings of servers are
templates (bench/conf, test/faults/conf): names between @ are replaced.

Environment: AI_BUILD is the build folder, else build/out in the source tree.  One that is
configured already is only brought up to date; else build/setup makes it.
"""

import contextlib
import ctypes
import json
import os
import pwd
import random
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import rivals

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LIBC = ctypes.CDLL(None, use_errno=True)
PR_SET_PDEATHSIG = 1


class Trouble(Exception):
    """Something outside the gateway that makes measuring impossible."""


def wait_for(what, condition, seconds=30.0, process=None):
    """Waits until condition() is true.  What it waits for gives no event of its own."""
    end = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer:
            return answer
        if process is not None and process.poll() is not None:
            raise Trouble("%s: the process ended with %s" % (what, process.returncode))
        if time.monotonic() > end:
            raise Trouble("%s: not within %g seconds" % (what, seconds))
        time.sleep(0.02)


def lift_limits():
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


def before_exec(cores):
    """What a child does before exec: no server outlives its lab, not even a killed one; and it
    stays on its cores."""
    def prepare():
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        os.sched_setaffinity(0, cores)
    return prepare


def children_of(pid):
    try:
        tasks = os.listdir("/proc/%d/task" % pid)
    except OSError:
        return []
    found = []
    for task in tasks:
        try:
            with open("/proc/%d/task/%s/children" % (pid, task), encoding="ascii") as file:
                found += [int(word) for word in file.read().split()]
        except OSError:
            pass
    return found


def tree_of(pid):
    """The process and all below it."""
    pids = [pid]
    for each in pids:
        pids += children_of(each)
    return pids


def memory_kb(pid, key):
    """A line of smaps_rollup (Pss, Rss) in KiB; 0 when the process is gone."""
    try:
        with open("/proc/%d/smaps_rollup" % pid, encoding="ascii") as file:
            found = re.search(r"^%s:\s+(\d+) kB" % key, file.read(), re.M)
    except OSError:
        return 0
    return int(found.group(1)) if found else 0


def cpu_seconds(pid):
    """Processor time that a process tree has used so far."""
    ticks = 0
    for each in tree_of(pid):
        try:
            with open("/proc/%d/stat" % each, encoding="ascii", errors="replace") as file:
                fields = file.read().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
        except OSError:
            pass
    return ticks / os.sysconf("SC_CLK_TCK")


def worker_seconds(pid):
    """Processor time of all threads of a process tree so far but for those of our modules (ai-...)
    that work beside the requests. Of threads that are there now."""
    spent = 0
    for each in tree_of(pid):
        tasks = "/proc/%d/task" % each
        try:
            for task in os.listdir(tasks):
                with open("%s/%s/comm" % (tasks, task), encoding="ascii", errors="replace") as file:
                    beside = file.read().startswith("ai-")
                with open("%s/%s/schedstat" % (tasks, task), encoding="ascii") as file:
                    spent += 0 if beside else int(file.read().split()[0])
        except OSError:
            pass
    return spent / 1e9


class Server:
    """One process that listens on a port."""

    def __init__(self, name, process, port, files):
        self.name = name
        self.process = process
        self.port = port
        self.files = files
        self.pid = process.pid

    @property
    def url(self):
        return "http://127.0.0.1:%d" % self.port

    def signal(self, number):
        if self.process.poll() is None:
            os.kill(self.pid, number)

    def stop(self, seconds=12.0):
        """Ends the process and everything below it, by their ids."""
        pids = tree_of(self.pid)
        self.signal(signal.SIGTERM)
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            for pid in sorted(set(pids + tree_of(self.pid))):
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            self.process.wait()
        if self.process.stdin:
            self.process.stdin.close()


class Lab:
    def __init__(self, keep=False):
        self.keep = keep
        self.servers = []
        self.loads = []
        self.load_number = 0
        self.rivals = {}
        self.build = os.environ.get("AI_BUILD") or os.path.join(TOP, "build", "out")
        self.build = os.path.abspath(self.build)
        self.folder = None
        self.used_ports = set()
        # Where servers run, and where the load generator and the simulator do.
        self.server_cores = self.tool_cores = sorted(os.sched_getaffinity(0))

    # ------------------------------------------------------------------ coming and going

    def __enter__(self):
        signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(143))
        self.descriptors = lift_limits()
        self.make()
        self.folder = tempfile.mkdtemp(prefix="ai-lab-")
        os.chmod(self.folder, 0o755)  # servers that give up root must get in
        return self

    def __exit__(self, kind, value, trace):
        self.stop_all()
        if self.folder is not None and self.keep:
            print("# kept: " + self.folder)
        elif self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)

    def stop_all(self):
        for process in self.loads:
            if process.poll() is None:
                process.kill()
                process.wait()
        self.loads.clear()
        for server in reversed(self.servers):
            server.stop()
        self.servers.clear()

    # ----------------------------------------------------------------------------- build

    def make(self):
        """Builds what is measured, through the project's own build, and finds its parts."""
        if os.environ.get("AI_BUILD") and os.path.exists(os.path.join(self.build, "Makefile")):
            self.shell("make", "-s", "-j%d" % os.cpu_count())
        else:
            self.shell(os.path.join(TOP, "build", "setup"))
        self.sim_program = self.part("ai-sim")
        self.load_program = self.part("ai-load")
        self.modules = {name: self.part(name) for name in ("mod_ai.so", "mod_ai_auth.so",
                                                       "mod_ai_route.so")}
        self.httpd = self.make_variable("AI_HTTPD")
        self.httpd_modules = self.make_variable("AI_HTTPD_LIBEXECDIR")
        listed = subprocess.run([self.httpd, "-l"], stdout=subprocess.PIPE, check=True).stdout
        self.built_in = set(re.findall(r"mod_(\w+)\.c", listed.decode()))

    def shell(self, *command):
        os.makedirs(self.build, exist_ok=True)
        done = subprocess.run(command, cwd=self.build, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        if done.returncode != 0:
            text = done.stdout.decode("utf-8", "replace").strip().splitlines()
            for line in text[-15:]:
                print("# " + line)
            raise Trouble("%s ended with %d" % (" ".join(command), done.returncode))

    def part(self, name):
        """The newest file of that name below the build folder."""
        found = []
        for folder, folders, files in os.walk(self.build):
            folders[:] = [each for each in folders if each not in (".git", "node_modules")]
            if name in files:
                found.append(os.path.join(folder, name))
        if not found:
            raise Trouble("%s has no %s" % (self.build, name))
        # libtool puts a wrapper script beside .libs/NAME; the program itself is wanted.
        found.sort(key=lambda path: ("/.libs/" in path, os.path.getmtime(path)))
        return found[-1]

    def rival(self, name):
        """The program of that name, which is not ours; None when this machine cannot have it."""
        if name not in self.rivals:
            self.rivals[name] = rivals.find(name, self.build)
        return self.rivals[name]

    def make_variable(self, name):
        with open(os.path.join(self.build, "Makefile"), encoding="utf-8") as file:
            found = re.search(r"^%s = (.+)$" % name, file.read(), re.M)
        if not found:
            raise Trouble("the Makefile does not say " + name)
        return found.group(1).strip()

    # --------------------------------------------------------------------------- servers

    def path(self, *parts):
        return os.path.join(self.folder, *parts)

    def free_port(self):
        # Below the ports that the kernel gives to outgoing connections: ten thousand of those
        # would otherwise take a port between our look and the server's bind.
        for _ in range(200):
            port = random.randint(15000, 30000)
            with socket.socket() as probe:
                try:
                    probe.bind(("127.0.0.1", port))
                except OSError:
                    continue
            if port not in self.used_ports:
                self.used_ports.add(port)
                return port
        raise Trouble("no free port")

    def fill(self, template, to, **values):
        """Writes a template with its @names@ replaced."""
        with open(template, encoding="utf-8") as file:
            text = file.read()

        def value(match):
            if match.group(1) not in values:
                raise Trouble("%s: nothing for @%s@" % (template, match.group(1)))
            return str(values[match.group(1)])

        with open(to, "w", encoding="utf-8") as file:
            file.write(re.sub(r"@(\w+)@", value, text))

    def listens(self, port):
        with socket.socket() as probe:
            probe.settimeout(1)
            return probe.connect_ex(("127.0.0.1", port)) == 0

    def start(self, name, command, port, stdin=subprocess.DEVNULL, output="output", cores=None):
        folder = self.path(name)
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, output), "ab") as file:
            process = subprocess.Popen(command, cwd=folder, stdin=stdin, stdout=file,
                                       stderr=subprocess.STDOUT,
                                       preexec_fn=before_exec(cores or self.server_cores))
        server = Server(name, process, port, folder)
        self.servers.append(server)
        try:
            wait_for("%s on port %d" % (name, port), lambda: self.listens(port), 60, process)
        except Trouble:
            for text in self.tail(os.path.join(folder, output)) + self.tail(
                    os.path.join(folder, "error.log")):
                print("# %s: %s" % (name, text))
            raise
        return server

    def tail(self, path, lines=8):
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                return file.read().splitlines()[-lines:]
        except OSError:
            return []

    def stop(self, server):
        server.stop()
        self.servers.remove(server)

    def start_sim(self, name="sim", log=True):
        os.makedirs(self.path(name), exist_ok=True)
        port = self.free_port()
        command = [self.sim_program, "--port", str(port)]
        if log:
            command += ["--truth", self.path(name, "truth.log")]
        return self.start(name, command, port, stdin=subprocess.PIPE, cores=self.tool_cores)

    def truth(self, sim):
        """What the simulator says it did: one dict per call, with two things added: "asked", the
        id= of the call's script, and "closed_ms", when the caller's side of the connection
        closed or the call ended, in milliseconds since the epoch."""
        calls = []
        with open(os.path.join(sim.files, "truth.log"), encoding="utf-8") as file:
            for line in file:
                if not line.endswith("\n"):
                    break
                call = json.loads(line)
                found = re.search(r"(?:^|;)id=([^;]+)", call["script"])
                call["asked"] = found.group(1) if found else None
                after = call["peer_closed_ms"]
                call["closed_ms"] = call["time"] * 1e3 + (
                    call["duration_ms"] if after is None else after)
                calls.append(call)
        return calls

    def load_lines(self, *names):
        """LoadModule lines for httpd's own modules, but those it has built in."""
        return "\n".join("LoadModule %s_module %s/mod_%s.so" % (name, self.httpd_modules, name)
                         for name in names if name not in self.built_in)

    def write_httpd(self, name, section, port, prefork="", **values):
        """Writes the settings of an httpd; returns the path.  `section` is the template of what
        this server does; the common part is bench/conf/httpd.conf.in."""
        folder = self.path(name)
        os.makedirs(folder, exist_ok=True)
        settings = {"children": 2, "servers": 6, "threads": 64, "stack": "", "dialect": "openai",
                    "keys": "", "who": "AIAnonymous On"}
        settings.update(values)
        settings.update(folder=folder, port=port, mod_ai=self.modules["mod_ai.so"],
                        mod_ai_route=self.modules["mod_ai_route.so"])
        settings["all_threads"] = settings["children"] * settings["threads"]
        settings["load"] = self.load_lines("mpm_event", "unixd", "log_config", "authz_core",
                                           "proxy", "proxy_http")
        settings["user"] = ""
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            settings["user"] = "User nobody\nGroup #%d" % nobody.pw_gid
            os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        self.fill(section, os.path.join(folder, "section.conf"), **settings)
        self.fill(os.path.join(TOP, "bench", "conf", "httpd.conf.in"),
                  os.path.join(folder, "httpd.conf"), **settings)
        return os.path.join(folder, "httpd.conf")

    def start_httpd(self, name, section, **values):
        port = self.free_port()
        conf = self.write_httpd(name, section, port, **values)
        return self.start(name, [self.httpd, "-d", self.path(name), "-f", conf, "-DFOREGROUND"],
                          port)

    @contextlib.contextmanager
    def one_core_for_servers(self):
        """Servers started herein have the last core for themselves, as far as this machine is
        ours; the load generator and the simulator have the others."""
        every = self.server_cores
        if len(every) > 1:
            self.server_cores, self.tool_cores = every[-1:], every[:-1]
        try:
            yield
        finally:
            self.server_cores = self.tool_cores = every

    # ------------------------------------------------------------------------------ load

    def load_command(self, url, *options):
        return [self.load_program] + [str(option) for option in options] + [url]

    def start_load(self, url, *options):
        """Starts ai-load.  What it prints goes to a file, so that nobody has to read along."""
        path = self.path("load-%d" % self.load_number)
        self.load_number += 1
        with open(path, "wb") as file:
            process = subprocess.Popen(self.load_command(url, *options), stdout=file,
                                       stdin=subprocess.DEVNULL,
                                       preexec_fn=before_exec(self.tool_cores))
        process.report = path
        self.loads.append(process)
        return process

    def await_open(self, process, seconds):
        """Waits until all streams of a load with --announce are open at the same time.  False
        when the load ended first or time ran out."""
        def said():
            with open(process.report, encoding="ascii") as file:
                return file.read(5) == "open "
        try:
            return wait_for("streams", said, seconds, process)
        except Trouble:
            return False

    def end_load(self, process, seconds):
        """The figures of a load run as a dict; None when it had to be killed."""
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            return None
        finally:
            self.loads.remove(process)
        if process.returncode not in (0, 1):
            raise Trouble("ai-load ended with %d" % process.returncode)
        figures = {}
        with open(process.report, encoding="ascii") as file:
            for line in file:
                key, _, value = line.partition(" ")
                figures[key] = float(value)
        return figures

    def load(self, url, *options, seconds=300.0):
        figures = self.end_load(self.start_load(url, *options), seconds)
        if figures is None:
            raise Trouble("ai-load did not end within %g seconds" % seconds)
        return figures
