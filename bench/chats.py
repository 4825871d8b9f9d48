# SPDX-License-Identifier: Apache-2.0
"""chats - the same chats as each dialect has them, and what is said in them.

A chat is a list of turns: ("user", text), ("assistant", text), ("call", id, tool, arguments) and
("result", id, text), after one ("system", text).
"""

import json
import urllib.request

WORDS = "The quick brown fox jumps over the lazy dog and goes on its way. "
# Line ends, quotes, a path and more than ASCII, as in the conversations of coding tools.
LINES = 'Zeile 7: "größer" – siehe src\\lib\\a.c\n\tif (x > 1) return "é";\n'
# Whom a caller of that dialect asks for when its request is translated: what each can do is known.
MODEL = {"openai": "claude-sonnet-4-5", "anthropic": "gpt-4o"}
TOOLS = ("read_file", "write_file", "list_folder", "run_command")


# ------------------------------------------------------------------------------- chats

def filled(text, start, size):
    """size characters of a text that is repeated, different for each start."""
    return ("%d. " % start + text * (max(0, size) // len(text) + 1))[:max(0, size)]


def plain(size):
    return [("system", "You are a helpful assistant."), ("user", filled(WORDS, 1, size))], []


def tools(size):
    return [("system", "You are a helpful assistant."),
            ("user", filled(WORDS, 1, size)),
            ("call", "call_1", TOOLS[0], {"path": "src/a.c", "line": 7}),
            ("result", "call_1", LINES)], list(TOOLS[:1])


def conversation(size):
    """Rounds of a question, a call, its result and an answer."""
    turns, number = [("system", filled(WORDS, 0, 4000))], 0
    while size > 0:
        number += 1
        name = "call_%d" % number
        turns += [("user", filled(WORDS, number, 600)),
                  ("call", name, TOOLS[number % 4], {
                      "path": "src/%d.c" % number, "text": filled(LINES, number, 400)}),
                  ("result", name, filled(LINES, number, 3000)),
                  ("assistant", filled(WORDS + LINES, number, 1500))]
        size -= 600 + 400 + 3000 + 1500
    return turns, list(TOOLS)


SMALL = (plain, tools)


# ---------------------------------------------------------------------------- requests

def schema(name):
    return {"type": "object", "required": ["path"], "properties": {
        "path": {"type": "string", "description": "Where to " + name.replace("_", " ")},
        "line": {"type": "integer"}}}


def as_openai(turns, names):
    messages = []
    for turn in turns:
        if turn[0] == "call":
            messages.append({"role": "assistant", "content": None, "tool_calls": [{
                "id": turn[1], "type": "function", "function": {
                    "name": turn[2], "arguments": json.dumps(turn[3], ensure_ascii=False)}}]})
        elif turn[0] == "result":
            messages.append({"role": "tool", "tool_call_id": turn[1], "content": turn[2]})
        else:
            messages.append({"role": turn[0], "content": turn[1]})
    request = {"model": MODEL["openai"], "messages": messages, "max_completion_tokens": 400}
    if names:
        request["tools"] = [{"type": "function", "function": {
            "name": name, "description": "Tool to " + name, "parameters": schema(name)}}
            for name in names]
    return request


def as_anthropic(turns, names):
    messages = []
    for turn in turns[1:]:
        if turn[0] == "call":
            messages.append({"role": "assistant", "content": [{
                "type": "tool_use", "id": turn[1], "name": turn[2], "input": turn[3]}]})
        elif turn[0] == "result":
            messages.append({"role": "user", "content": [{
                "type": "tool_result", "tool_use_id": turn[1], "content": turn[2]}]})
        else:
            messages.append({"role": turn[0], "content": turn[1]})
    request = {"model": MODEL["anthropic"], "max_tokens": 400, "system": turns[0][1],
               "messages": messages}
    if names:
        request["tools"] = [{"name": name, "description": "Tool to " + name,
                             "input_schema": schema(name)} for name in names]
    return request


AS = {"openai": as_openai, "anthropic": as_anthropic}


def request(dialect, chat, size):
    """A request as JSON text of about that many bytes."""
    def text(filling):
        return json.dumps(AS[dialect](*chat(filling)), ensure_ascii=False)
    around = len(text(0).encode("utf-8"))
    # A conversation grows by whole rounds, and the names around its texts with them.
    return text(int(size * 0.8) if chat is conversation else max(0, size - around))


def said_in(value):
    """Every text in a request, those in arguments that are JSON in a string too."""
    if isinstance(value, str):
        if value.startswith("{"):
            return said_in(json.loads(value))
        return [value]
    if isinstance(value, dict):
        return [text for key, each in value.items() if key not in (
            "model", "role", "type") for text in said_in(each)]
    if isinstance(value, list):
        return [text for each in value for text in said_in(each)]
    return []


def missing_in(said, translated):
    """What is wrong with a translated request: text that is not in it."""
    try:
        there = set(said_in(json.loads(translated)))
    except ValueError as error:
        return "no JSON: %s" % error
    for text in said:
        if text not in there:
            return "lost: " + text[:60]
    return None


# ----------------------------------------------------------------------------- streams

def fetch_stream(url, dialect, words):
    """The bytes of a stream of that many words, from the simulator."""
    path = {"openai": "/v1/chat/completions", "anthropic": "/v1/messages"}[dialect]
    body = AS[dialect](*plain(200))
    body["stream"] = True
    if dialect == "openai":
        body["stream_options"] = {"include_usage": True}
    asked = urllib.request.Request(url + path, json.dumps(body).encode("utf-8"), {
        "Content-Type": "application/json", "anthropic-version": "2023-06-01",
        "X-Sim": "tokens=%d" % words})
    with urllib.request.urlopen(asked, timeout=30) as answer:
        return answer.read()


def text_of_stream(stream):
    """What the model says in a stream of either dialect; None when it has no end."""
    text, ended = "", False
    for line in stream.decode("utf-8").splitlines():
        if not line.startswith("data:"):
            continue
        if line[5:].strip() == "[DONE]":
            ended = True
            continue
        event = json.loads(line[5:])
        ended = ended or event.get("type") == "message_stop"
        for choice in event.get("choices") or [event]:
            delta = choice.get("delta") or {}
            text += delta.get("content") or delta.get("text") or ""
    return text if ended else None
