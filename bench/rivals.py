# SPDX-License-Identifier: Apache-2.0
"""rivals - where are nginx, haproxy and valgrind, and what if they are not there?

What is not installed is unpacked below the build folder, on Debian and its kin: installing the
packages of nginx and haproxy would start services.  Elsewhere it is simply absent.
"""

import glob
import os
import shutil
import subprocess

PATH = os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin"


def call(*command, cwd=None):
    """Whether it went well, and what it printed."""
    try:
        done = subprocess.run(command, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, timeout=300, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False, ""
    return done.returncode == 0, done.stdout.decode("utf-8", "replace")


def is_installed(package):
    good, text = call("dpkg-query", "-W", "-f", "${Status}", package)
    return good and text == "install ok installed"


def missing_libraries(package):
    _, text = call("apt-cache", "depends", "--recurse", "--important", "--no-pre-depends", package)
    names = {line.strip() for line in text.splitlines() if line.startswith("lib")}
    return sorted(name for name in names if ":" not in name and not is_installed(name))


def refresh_lists():
    command = ["apt-get", "-qq", "update"]
    return call(*(command if os.geteuid() == 0 else ["sudo", "-n"] + command))[0]


def unpack(package, root):
    """Puts the files of a package and of the libraries it lacks below root."""
    os.makedirs(root, exist_ok=True)
    if not call("apt-get", "-qq", "download", package, cwd=root)[0]:
        if not refresh_lists() or not call("apt-get", "-qq", "download", package, cwd=root)[0]:
            return False
    for library in missing_libraries(package):
        call("apt-get", "-qq", "download", library, cwd=root)
    for archive in glob.glob(os.path.join(root, "*.deb")):
        good = call("dpkg-deb", "-x", archive, root)[0]
        os.unlink(archive)
        if not good:
            return False
    return True


def write_starter(name, root, starter):
    """A program that runs NAME where it was unpacked."""
    found = [path for folder in ("usr/sbin", "usr/bin")
             for path in glob.glob(os.path.join(root, folder, name))]
    if not found:
        return False
    lines = ["#!/bin/sh"]
    libraries = [path for path in glob.glob(os.path.join(root, "usr/lib/*-linux-*"))
                 if glob.glob(os.path.join(path, "*.so.*"))]
    if libraries:
        lines.append("export LD_LIBRARY_PATH='%s'" % ":".join(libraries))
    if os.path.isdir(os.path.join(root, "usr/libexec", name)):
        lines.append("export VALGRIND_LIB='%s'" % os.path.join(root, "usr/libexec", name))
    lines.append("exec '%s' \"$@\"" % found[0])
    with open(starter, "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
    os.chmod(starter, 0o755)
    return True


def find(name, build, which=shutil.which):
    """The path of a program that runs NAME, or None."""
    path = which(name, path=PATH)
    if path is not None:
        return path
    root = os.path.join(build, "rivals", name)
    starter = os.path.join(root, "start")
    if not os.path.exists(starter):
        shutil.rmtree(root, ignore_errors=True)
        if not unpack(name, root) or not write_starter(name, root, starter):
            return None
    return starter if call(starter, "--version" if name == "valgrind" else "-v")[0] else None
