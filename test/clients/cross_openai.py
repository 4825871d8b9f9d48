# SPDX-License-Identifier: Apache-2.0
#
# cross_openai.py - does the official OpenAI SDK for Python work with models of Anthropic's?  The
# same cells as cross_openai.mjs; scenes_cross_openai.json says how each provider plays them.
#
# Cells that ask nothing of the provider's own wire are those of openai_test.py.

import json
import os
import sys

import openai

import openai_test as same_dialect
from openai_test import TOOLS, Event, check_error, check_tool_calls, check_usage, connect, text_of
from stage import RED_PIXEL, check, check_seen, check_text, failure, gateway, run, same, whole


def body_seen(p, scene, said):
    """The body as the provider got it: it says so, or echoes it."""
    seen = (json.loads(said)["body"] if scene.want.get("echo")
            else p.truth(scene.mark, "ended")["body"])
    return json.loads(seen) if isinstance(seen, str) else seen


def plain_chat(p):
    s = p.scene("chat")
    answer = p.client.chat.completions.create(**s.chat, max_tokens=500, seed=7)
    choice = answer.choices[0]
    same(answer.object, "chat.completion", "object")
    same(answer.model, s.model, "model")
    same(choice.message.role, "assistant", "role")
    same(choice.finish_reason, "stop", "finish_reason")
    check_text(choice.message.content, s.want)
    check_usage(answer.usage, s.want)
    for name, count in s.want.get("details", {}).items():
        same(getattr(answer.usage.prompt_tokens_details, name), count, name)
    seen = check_seen(p, s.mark, answer._request_id)
    for name in ("anthropic-version", "x-api-key"):
        check(name in seen["header_names"], f"{name} arrives")
    if "body" in seen:
        content = [{"type": "text", "text": s.text}]
        same(json.loads(seen["body"]), {
            "model": s.model, "messages": [{"role": "user", "content": content}],
            "max_tokens": 500}, "what was sent")


def told_of_loss(p):
    s = p.scene("chat")
    answer = p.client.chat.completions.with_raw_response.create(**s.chat, seed=7, n=1)
    same(answer.headers.get("ai-dropped"), "seed", "ai-dropped")
    error = failure(lambda: p.client.chat.completions.create(**s.chat, n=2),
                    openai.BadRequestError, 400)
    same(error.param, "n", "param")


def streamed_without_usage(p):
    s = p.scene("chat")
    stream = p.client.chat.completions.create(**s.chat, stream=True)
    chunks = list(stream)
    check(len(chunks) > 3, "it came in pieces")
    check_text(text_of(chunks), s.want)
    same(chunks[0].choices[0].delta.role, "assistant", "role")
    for chunk in chunks:
        same(len(chunk.choices), 1, "choices of a chunk")
        check(not chunk.usage, "no usage")
    reasons = [c.choices[0].finish_reason for c in chunks if c.choices[0].finish_reason]
    same(reasons, ["stop"], "finish reasons")
    check_seen(p, s.mark, stream.response.headers.get("x-request-id"))


def one_tool(p):
    """One call, its result, and the answer."""
    s = p.scene("tool")
    answer = p.client.chat.completions.create(**s.chat, tools=TOOLS, parallel_tool_calls=False)
    message = answer.choices[0].message
    same(answer.choices[0].finish_reason, "tool_calls", "finish_reason")
    check_tool_calls(message.tool_calls, s.want)
    n = p.scene("tool_result")
    n.messages += [message, {"role": "tool", "tool_call_id": message.tool_calls[0].id,
                             "content": "it is what it is"}]
    answer = p.client.chat.completions.create(**n.chat, tools=TOOLS)
    same(answer.choices[0].finish_reason, "stop", "finish_reason")
    check_text(answer.choices[0].message.content, n.want)


def vision(p):
    s = p.scene("vision")
    url = f"data:image/png;base64,{RED_PIXEL}"
    s.messages = [{"role": "user", "content": [
        {"type": "text", "text": s.text}, {"type": "image_url", "image_url": {"url": url}}]}]
    answer = p.client.chat.completions.create(**s.chat)
    said = answer.choices[0].message.content
    same(body_seen(p, s, said)["messages"][0]["content"],
         [{"type": "text", "text": s.text}, {"type": "image", "source": {
             "type": "base64", "media_type": "image/png", "data": RED_PIXEL}}], "content")
    if not s.want.get("echo"):
        check_text(said, s.want)


def structured_output(p):
    s = p.scene("structured")
    answer = p.client.chat.completions.parse(**s.chat, response_format=Event)
    message = answer.choices[0].message
    same(message.parsed, Event.model_validate_json(message.content), "what was parsed")
    if "content" in s.want:
        same(message.content, s.want["content"], "content")
    seen = check_seen(p, s.mark, answer._request_id)
    if "body" in seen:
        form = json.loads(seen["body"])["output_config"]["format"]
        same(form["type"], "json_schema", "type")
        same(form["schema"]["required"], ["name", "day", "guests"], "required")


def think(p, scene, streamed):
    """What a model thought, in text and in blocks, and its message."""
    asked = {**scene.chat, "tools": TOOLS, "reasoning_effort": "high"}
    if not streamed:
        message = p.client.chat.completions.create(**asked).choices[0].message
        return message.reasoning_content, message.thinking_blocks, message
    with p.client.chat.completions.stream(**asked) as stream:
        deltas = [event.chunk.choices[0].delta for event in stream
                  if event.type == "chunk" and event.chunk.choices]
        message = stream.get_final_completion().choices[0].message
    text = "".join(getattr(delta, "reasoning_content", None) or "" for delta in deltas)
    blocks = [b for delta in deltas for b in getattr(delta, "thinking_blocks", None) or []]
    return text, blocks, message


def thinking(p):
    for streamed in (False, True):
        s = p.scene("thinking")
        text, blocks, message = think(p, s, streamed)
        check(text, "there is a thought")
        same([block["type"] for block in blocks], ["thinking"], "blocks")
        same(whole(blocks[0]["thinking"]), whole(text), "the block says the same")
        check(blocks[0]["signature"], "it is signed")
        if "reasoning" in s.want:
            same(whole(text), s.want["reasoning"], "reasoning_content")
            same(blocks[0]["signature"], s.want["reasoningSignature"], "signature")
        check_tool_calls(message.tool_calls, s.want)

        n = p.scene("thought")
        calls = [{"id": c.id, "type": "function",
                  "function": {"name": c.function.name, "arguments": c.function.arguments}}
                 for c in message.tool_calls]
        n.messages += [{"role": "assistant", "content": message.content,
                        "thinking_blocks": blocks, "tool_calls": calls}]
        n.messages += [{"role": "tool", "tool_call_id": c["id"], "content": "it is what it is"}
                       for c in calls]
        answer = p.client.chat.completions.create(**n.chat, tools=TOOLS, reasoning_effort="high")
        said = answer.choices[0].message.content
        seen = body_seen(p, n, said)
        same(seen["messages"][1]["content"][0], blocks[0], "the block that went back")
        same(seen["thinking"]["type"], "adaptive", "thinking")
        same(seen["output_config"]["effort"], "high", "effort")
        if not n.want.get("echo"):
            check_text(said, n.want)


def provider_529(p):
    for stream in (False, True):
        s = p.scene("overloaded")
        check_error(failure(lambda: p.client.chat.completions.create(**s.chat, stream=stream),
                            openai.InternalServerError, 503), s.want)


def falls_over(p, scene):
    """A failure that comes when half of the answer is there already."""
    stream = p.client.chat.completions.create(**scene.chat, stream=True)
    chunks = []
    error = None
    try:
        for chunk in stream:
            chunks.append(chunk)
    except openai.APIError as raised:
        error = raised
    check(error, "the call fails")
    check(len(text_of(chunks).split()) > 1, "an answer had begun")
    check(not any(c.choices[0].finish_reason for c in chunks if c.choices), "it does not end")
    check_error(error, scene.want)


CELLS = {
    "plain chat": plain_chat,
    "what is lost is told; what cannot be asked is refused": told_of_loss,
    "streamed chat, usage not asked for": streamed_without_usage,
    "streamed chat, usage asked for": same_dialect.streamed_with_usage,
    "one tool, then its result": one_tool,
    "parallel tools": same_dialect.tools,
    "parallel tools, streamed, then their results": same_dialect.tools_streamed,
    "vision: the picture arrives unchanged": vision,
    "structured output": structured_output,
    "thinking: it is told, and goes back signed": thinking,
    "the provider says 400: BadRequestError": same_dialect.provider_400,
    "the provider says 429: RateLimitError, with its Retry-After": same_dialect.provider_429,
    "the provider says 500: InternalServerError": same_dialect.provider_500,
    "the provider says 529: InternalServerError": provider_529,
    "abort in mid-stream: the silent provider is let go": same_dialect.abort_in_mid_stream,
    "abort before the answer begins: the provider is let go": same_dialect.abort_before_answer,
    "twenty streams at once stay apart": same_dialect.twenty_streams,
}

# aimock does not play these.
SIM_ONLY = {
    "an error event in mid-stream: APIError": lambda p: falls_over(p, p.scene("fails")),
    "the provider breaks off in mid-stream: APIError": lambda p: falls_over(p, p.scene("cut")),
}


def other_calls():
    client = connect(gateway("/sim-strict-anthropic/v1"))
    error = failure(lambda: client.embeddings.create(model="claude-opus-4-8", input="x"),
                    openai.BadRequestError, 400)
    same(error.code, "dialect_mismatch", "code")


GATEWAY_CELLS = {"what has no counterpart there: BadRequestError": other_calls}

PLACES = {"aimock": "/aimock-anthropic/v1", "sim": "/sim-strict-anthropic/v1"}

if __name__ == "__main__":
    sys.exit(run(CELLS, GATEWAY_CELLS, sim_only=SIM_ONLY, dialect="cross_openai", connect=connect,
                 gateway_path=PLACES.get, provider_path="/v1",
                 key_tail=os.environ["AI_PROVIDER_KEY"][-4:]))
