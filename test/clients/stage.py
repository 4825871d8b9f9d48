# SPDX-License-Identifier: Apache-2.0
#
# stage.py - what every client test for Python stands on: the providers as a test sees them, and
# the run of its cells.  The same as stage.mjs for Node, which see.

import json
import os
import pathlib
import re
import signal
import sys
import time
import traceback
import urllib.error
import urllib.parse
import urllib.request

CELL_LIMIT_S = 60
CALLERS_KEY = "sk-the-callers-own-key"
RED_PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC"
)
HERE = pathlib.Path(__file__).parent
TEST_NAME = pathlib.Path(sys.argv[0]).name


# ------------------------------------------------------------------------------- checks

def check(good, what):
    if not good:
        raise AssertionError(what)


def same(got, want, what):
    check(got == want, f"{what}: got {got!r}, not {want!r}")


def whole(text):
    """aimock cuts a character of four bytes into two events, as two halves of a UTF-16 pair."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16")


def check_text(text, want):
    if "content" in want:
        same(whole(text), want["content"], "text")
    else:
        same(len(text.split()), want["words"], "words")


def check_seen(provider, mark, request_id):
    """What the provider got joins with what the client was told, and holds none of its secrets."""
    seen = provider.truth(mark, "ended")
    check(request_id, "the client has a request id")
    same(seen["request_id"], request_id, "the request id that the provider was given")
    check(not seen["has_key"], "the caller's key stays away from the provider")
    same(seen["key_tail"], provider.key_tail, "the key that the provider was shown")
    same(seen["ended"], "finished", "how the call ended at the provider")
    return seen


def failure(call, kind, status):
    """call raises exactly kind, an error of a status."""
    error = None
    try:
        call()
    except kind as raised:
        error = raised
    check(error, "the call fails")
    same(type(error).__name__, kind.__name__, f"class of {error}")
    same(error.status_code, status, "status")
    check(error.request_id, "an error has a request id")
    return error


# ------------------------------------------------------------------------------- providers

def settings(base_url):
    return {"api_key": CALLERS_KEY, "base_url": base_url, "max_retries": 0, "timeout": 30}


def gateway(path):
    return os.environ["AI_GATEWAY"] + path


class Scene:
    """One call: a scene with a mark that no other call has."""

    marks = 0

    def __init__(self, provider, name):
        scene = provider.scenes[name]
        Scene.marks += 1
        self.mark = f"mark-{TEST_NAME}-{Scene.marks}-end"
        self.text = f"{scene['say']} {self.mark}"
        self.model = scene["model"]
        self.want = scene["want"] if "want" in scene else scene["fixture"]["response"]
        self.messages = [{"role": "user", "content": self.text}]
        self.headers = provider.script(scene, self.mark)

    @property
    def chat(self):
        return {"model": self.model, "messages": self.messages, "extra_headers": self.headers}


class Provider:
    """connect(base_url): an SDK's client.  key_tail: how the key ends that the gateway must show
    to the provider; "" is none."""

    def __init__(self, name, url, *, dialect, connect, gateway_path, provider_path, key_tail=""):
        scenes = json.loads((HERE / f"scenes_{dialect}.json").read_text("utf-8"))
        self.name = name
        self.url = url
        self.key_tail = key_tail
        self.scenes = scenes[name]
        self.models = {scene["model"] for scene in self.scenes.values()}
        self.base = gateway(gateway_path(name))
        self.client = connect(self.base)
        self.direct = connect(url + provider_path)

    def scene(self, name):
        return Scene(self, name)

    def get(self, path, **query):
        url = f"{self.url}{path}?{urllib.parse.urlencode(query)}"
        try:
            with urllib.request.urlopen(url) as answer:
                return json.loads(answer.read())
        except urllib.error.HTTPError as error:
            what = error.read().decode()
        raise AssertionError(f"{url}: {what}")


class Aimock(Provider):
    def __init__(self, **options):
        super().__init__("aimock", os.environ["AI_AIMOCK_URL"], **options)

    def script(self, _scene, _mark):
        return {}

    def truth(self, mark, until):
        """What the provider saw of a call; body: only a provider that keeps it."""
        seen = self.get("/_truth", mark=mark, until=until)
        headers = seen["headers"]
        key = headers.get("x-api-key", headers.get("authorization", ""))
        return {**seen, "has_key": CALLERS_KEY in json.dumps(headers), "key_tail": key[-4:],
                "header_names": list(headers),
                "usage_asked": bool(re.search(r'"include_usage"\s*:\s*true', seen["body"]))}


class Sim(Provider):
    def __init__(self, **options):
        super().__init__("sim", os.environ["AI_SIM_URL"], **options)

    def script(self, scene, mark):
        return {"X-Sim": f"{scene['script']};mark={mark}"}

    def calls(self):
        return self.get("/_sim/calls")

    def truth(self, mark, until):
        """The simulator lists calls that are over, and counts those under way."""
        start = time.monotonic()
        while time.monotonic() - start < 20:
            state = self.calls()
            for call in state["last"]:
                if call["mark"] == mark:
                    return {"request_id": call["id"],
                            "ended": "finished" if call["ended"] == "complete" else "closed",
                            "has_key": call["key_tail"] == CALLERS_KEY[-4:]
                            or "authorization" in call["header_names"],
                            "key_tail": call["key_tail"], "header_names": call["header_names"],
                            "usage_asked": call["told"] is not None}
            if until == "begun" and state["active"]:
                return {}
            time.sleep(0.02)
        raise AssertionError(f"the provider does not say that {mark} has {until}")


# ------------------------------------------------------------------------------- the run

def unasked(cell):
    """The cell, and the provider knows nothing of it."""
    def watched(sim):
        before = sim.calls()
        cell()
        after = sim.calls()
        same(after["total"] + after["active"], before["total"] + before["active"],
             "calls that reached the provider")
    return watched


def too_late(_signal, _frame):
    raise TimeoutError("the cell did not end in time")


def play(title, cell, provider):
    signal.alarm(CELL_LIMIT_S)
    try:
        cell(provider)
    except Exception:
        print(f"not ok - python {title}")
        print(re.sub("^", "#   ", traceback.format_exc().rstrip(), flags=re.M), flush=True)
        return False
    finally:
        signal.alarm(0)
    print(f"ok - python {title}", flush=True)
    return True


def run(cells, gateway_cells, *, aimock_only=None, sim_only=None, **options):
    """cells: played by both providers.  Returns the exit status."""
    signal.signal(signal.SIGALRM, too_late)
    dialect = options["dialect"]
    aimock = Aimock(**options)
    sim = Sim(**options)
    results = [play(f"{dialect} aimock: {name}", cell, aimock)
               for name, cell in {**cells, **(aimock_only or {})}.items()]
    return run_gateway(dialect, sim, {**cells, **(sim_only or {})}, gateway_cells, results)


def run_gateway(what, sim, cells, gateway_cells, results=()):
    """cells: played by the simulator alone.  gateway_cells: what the gateway says of itself, without
    asking the provider behind it.  results: of what was played before.  Returns the exit status."""
    signal.signal(signal.SIGALRM, too_late)
    results = [*results, *(play(f"{what} sim: {name}", cell, sim) for name, cell in cells.items())]
    results += [play(f"{what} gateway: {name}", unasked(cell), sim)
                for name, cell in gateway_cells.items()]
    print(f"1..{len(results)}")
    return 0 if all(results) else 1
