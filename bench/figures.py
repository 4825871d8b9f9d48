# SPDX-License-Identifier: Apache-2.0
"""figures - which figures are there, and does each reach its goal?

The frame that bench/run and test/faults/run share.  A group is a module with

    GROUP     its word, the part of a figure's name before the slash
    FIGURES   a list of Figure, in the order of measuring
    RIVALS    names for rivals.find, where it measures programs that are not ours
    measure(lab, quick, say)   calls say.figure(name, value) for each and say.note(text) beside it

A figure that measure() did not say is printed with the value "-" and is short.
"""

import argparse
import math
import os
import platform
import re
import subprocess
import sys
import traceback
from collections import namedtuple

import rivals
from lab import Lab, Trouble

Figure = namedtuple("Figure", "name unit goal")


def reaches(value, goal):
    """Whether a number meets a goal: >=N, <=N or ==N."""
    match = re.fullmatch(r"(>=|<=|==)(-?[0-9.]+)", goal)
    if match is None:
        raise ValueError("not a goal: " + goal)
    want = float(match.group(2))
    if math.isnan(value):
        return False
    return {">=": value >= want, "<=": value <= want, "==": value == want}[match.group(1)]


def as_text(value):
    if float(value).is_integer():
        return str(int(value))
    return "%.3f" % value


class Say:
    """Prints figures as they come and remembers which are still missing."""

    def __init__(self, group):
        self.group = group.GROUP
        self.open = {figure.name: figure for figure in group.FIGURES}
        self.short = 0

    def line(self, figure, value, verdict):
        print("figure %s/%s %s %s %s %s" % (self.group, figure.name, value, figure.unit,
                                            figure.goal, verdict), flush=True)
        self.short += verdict == "short"

    def figure(self, name, value):
        figure = self.open.pop(name)
        self.line(figure, as_text(value), "ok" if reaches(value, figure.goal) else "short")

    def note(self, text):
        print("# " + text, flush=True)

    def rest(self):
        """What was not measured is short."""
        for figure in list(self.open.values()):
            self.line(figure, "-", "short")
        self.open.clear()


def first_line(*command):
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return "absent"
    lines = done.stdout.decode("utf-8", "replace").strip().splitlines()
    return lines[0] if lines else "says nothing"


def cpu_name():
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            found = re.search(r"model name\s*:\s*(.+)", file.read())
    except OSError:
        found = None
    return found.group(1) if found else platform.machine()


def print_machine(lab, groups):
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    print("# machine: %d x %s, %.1f GiB, Linux %s, load %.2f" % (
        os.cpu_count(), cpu_name(), pages / 2**30, platform.release(), os.getloadavg()[0]))
    print("# httpd: " + first_line(lab.httpd, "-v"))
    for name in dict.fromkeys(name for group in groups for name in getattr(group, "RIVALS", ())):
        print("# %s: %s" % (name, first_line(lab.rival(name) or name,
                                             rivals.version_option(name))))
    print("# build: " + lab.build, flush=True)


def attempt(lab, quick, say, *steps):
    """Calls each step(lab, quick, say) in a clean lab.  One that cannot measure does not take the
    next ones with it."""
    for step in steps:
        try:
            step(lab, quick, say)
        except Trouble as trouble:
            say.note("%s: %s" % (step.__name__, trouble))
        except Exception:
            for text in traceback.format_exc().splitlines():
                say.note(text)
        finally:
            lab.stop_all()


def run_group(group, lab, quick):
    say = Say(group)
    attempt(lab, quick, say, group.measure)
    say.rest()
    return say.short


def main(groups, about):
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--only", metavar="GROUP", action="append",
                        choices=[group.GROUP for group in groups],
                        help="measure this group only; may repeat")
    parser.add_argument("--quick", action="store_true", help="under a minute a group")
    parser.add_argument("--list", action="store_true",
                        help="print the name, unit and goal of every figure and measure nothing")
    parser.add_argument("--keep", action="store_true", help="keep the logs and say where")
    options = parser.parse_args()
    chosen = [group for group in groups if not options.only or group.GROUP in options.only]

    if options.list:
        for group in chosen:
            for figure in group.FIGURES:
                print("%s/%s %s %s" % (group.GROUP, figure.name, figure.unit, figure.goal))
        return 0
    short = 0
    try:
        with Lab(keep=options.keep) as lab:
            print_machine(lab, chosen)
            for group in chosen:
                short += run_group(group, lab, options.quick)
    except Trouble as trouble:
        print("# " + str(trouble), flush=True)
        for group in chosen:
            say = Say(group)
            say.rest()
            short += say.short
    return 1 if short else 0


def run(groups, about):
    try:
        sys.exit(main(groups, about))
    except KeyboardInterrupt:
        sys.exit(130)
