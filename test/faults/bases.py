# SPDX-License-Identifier: Apache-2.0
"""bases - databases that a measurement can stop, hang, slow down and ask.

PostgreSQL and MariaDB are those of the tests (test/t/lib/Databases.pm), driven by a Perl process
that ends them when it ends itself. SQLite is a file.
"""

import os
import subprocess
import threading

from lab import TOP, Trouble

SCRIPT = r"""
use Databases; $| = 1;
my $server = Databases->new(shift);
print $server->database('audit'), "\n";
while (my $line = <STDIN>) {
    chomp($line);
    my ($word, $text) = split(/ /, $line, 2);
    if ($word eq 'sql') { my $said = $server->sql('audit', $text); print length($said), "\n", $said; }
    else { $server->$word; print "done\n"; }
}
"""


class Base:
    """A server of the driver ("pgsql", "mysql"), with an empty database."""

    def __init__(self, driver):
        self.driver = driver
        self.process = subprocess.Popen(
            ["perl", "-I" + os.path.join(TOP, "test", "t", "lib"), "-e", SCRIPT, driver],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.params = self.process.stdout.readline().decode().strip()
        if not self.params:
            raise Trouble("no %s here; build/setup --tests" % driver)

    def say(self, line):
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise Trouble("the %s of the tests is gone" % self.driver)
        return answer

    def do(self, word):
        """pause, resume, crash, start, stop"""
        self.say(word)

    def ask(self, sql):
        """What it prints: a row a line, columns with | (PostgreSQL) or tabs (MariaDB) between."""
        size = int(self.say("sql " + sql))
        return self.process.stdout.read(size).decode()

    def end(self):
        self.process.stdin.close()
        self.process.wait()


class Slow:
    """A server that gets a tenth of the time, in slices, until it is told to stop."""

    def __init__(self, base, slice_s=0.05, share=0.1):
        self.base = base
        self.times = (slice_s * share, slice_s * (1 - share))
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while not self.over.wait(self.times[0]):
            self.base.do("pause")
            self.over.wait(self.times[1])
            self.base.do("resume")

    def end(self):
        self.over.set()
        self.thread.join()
