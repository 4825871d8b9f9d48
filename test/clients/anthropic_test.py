# SPDX-License-Identifier: Apache-2.0
#
# anthropic_test.py - does the official Anthropic SDK for Python see through the gateway what it
# sees from Anthropic?  The same cells as anthropic_test.mjs, which see; only what the SDKs do
# differently differs.
#
# Prints TAP.  test/clients/run sets the environment.

import asyncio
import datetime
import json
import os
import sys

import anthropic

from stage import (RED_PIXEL, check, check_seen, check_text, failure, gateway, run, same,
                   settings, whole)


def tool(name, **properties):
    return {"name": name, "description": f"What {name} says.", "input_schema": {
        "type": "object", "properties": properties, "required": list(properties)}}


TOOLS = [
    tool("get_weather", city={"type": "string"}, unit={"type": "string"}),
    tool("get_time", zone={"type": "string"}, seconds={"type": "boolean"}),
]
MAX_TOKENS = 2048
THINKING = {"type": "enabled", "budget_tokens": 1024}


def connect(base_url):
    return anthropic.Anthropic(**settings(base_url))


def ask(scene):
    return {**scene.chat, "max_tokens": MAX_TOKENS}


def hello(model):
    return {"model": model, "max_tokens": 5, "messages": [{"role": "user", "content": "hello"}]}


# ------------------------------------------------------------------------------- checks

def of_type(items, kind):
    return [item for item in items if item.type == kind]


def text_of(message):
    return "".join(block.text for block in of_type(message.content, "text"))


def text_deltas(events):
    return [event.delta.text for event in of_type(events, "content_block_delta")
            if event.delta.type == "text_delta"]


def check_usage(usage, want):
    check(usage, "there is usage")
    for name, count in want["usage"].items():
        same(getattr(usage, name), count, name)
    check(usage.input_tokens > 0, "input_tokens")


def check_tool_use(message, want):
    uses = of_type(message.content, "tool_use")
    same(message.stop_reason, "tool_use", "stop_reason")
    same(len(uses), len(want["toolCalls"]), "tool uses")
    for use, call in zip(uses, want["toolCalls"]):
        same(use.name, call["name"], "name")
        check(use.id, "a tool use has an id")
        if "id" in call:
            same(use.id, call["id"], "id")
        if "arguments" in call:
            same(use.input, json.loads(call["arguments"]), "input")
        else:
            same(sorted(use.input), call["members"], "members of the input")
    return uses


def check_error(error, want):
    same(error.type, want["error"]["type"], "type")
    same(error.body["type"], "error", "type of the body")
    check(want["error"].get("message", "") in error.message, f"message: {error.message}")


def as_sent(message):
    return [block.model_dump(mode="json", exclude_unset=True) for block in message.content]


def go_on(scene, message):
    """Goes on with what the tools said, to the same question."""
    results = [{"type": "tool_result", "tool_use_id": use.id, "content": "it is what it is"}
               for use in of_type(message.content, "tool_use")]
    return {**ask(scene), "tools": TOOLS, "messages": [
        *scene.messages, {"role": "assistant", "content": message.content},
        {"role": "user", "content": results}]}


def body_seen(p, scene, message):
    """The body as the provider got it: it says so, or echoes it."""
    seen = (json.loads(text_of(message))["body"] if scene.want.get("echo")
            else p.truth(scene.mark, "ended")["body"])
    return json.loads(seen) if isinstance(seen, str) else seen


def falls_over(p, scene):
    """A failure that comes when half of the answer is there already."""
    stream = p.client.messages.create(**ask(scene), stream=True)
    events = []

    def read():
        for event in stream:
            events.append(event)

    error = failure(read, anthropic.APIStatusError, 200)
    check(len(text_deltas(events)) > 1, "an answer had begun")
    same(of_type(events, "message_stop"), [], "ends")
    same(error.request_id, stream.response.headers.get("request-id"), "request id")
    check_error(error, scene.want)


# ------------------------------------------------------------------------------- cells

def plain_message(p):
    s = p.scene("message")
    message = p.client.messages.create(**ask(s))
    same(message.type, "message", "type")
    same(message.role, "assistant", "role")
    same(message.model, s.model, "model")
    same(message.stop_reason, "end_turn", "stop_reason")
    same([block.type for block in message.content], ["text"], "blocks")
    check_text(text_of(message), s.want)
    check_usage(message.usage, s.want)
    seen = check_seen(p, s.mark, message._request_id)
    for name in ("anthropic-version", "x-api-key"):
        check(name in seen["header_names"], f"{name} arrives")
    if "body" in seen:
        same(json.loads(seen["body"]),
             {"model": s.model, "messages": s.messages, "max_tokens": MAX_TOKENS}, "what was sent")


def streamed_events(p):
    s = p.scene("message")
    stream = p.client.messages.create(**ask(s), stream=True)
    events = list(stream)
    deltas = ["content_block_delta"] * len(of_type(events, "content_block_delta"))
    same([event.type for event in events],
         ["message_start", "content_block_start", *deltas, "content_block_stop", "message_delta",
          "message_stop"], "events")
    check(len(deltas) > 3, "it came in pieces")
    check_text("".join(text_deltas(events)), s.want)
    same(events[0].message.model, s.model, "model")
    same(events[-2].delta.stop_reason, "end_turn", "stop_reason")
    same(events[-2].usage.output_tokens, s.want["usage"]["output_tokens"], "output_tokens")
    seen = check_seen(p, s.mark, stream.response.headers.get("request-id"))
    if "body" in seen:
        same(json.loads(seen["body"]), {"model": s.model, "messages": s.messages,
                                        "max_tokens": MAX_TOKENS, "stream": True}, "what was sent")


def streamed_text(p):
    s = p.scene("message")
    with p.client.messages.stream(**ask(s)) as stream:
        texts = list(stream.text_stream)
        message = stream.get_final_message()
    check(len(texts) > 3, "it came in pieces")
    same("".join(texts), text_of(message), "text")
    check_text(text_of(message), s.want)
    check_usage(message.usage, s.want)
    same(message.stop_reason, "end_turn", "stop_reason")
    check_seen(p, s.mark, stream.request_id)


def tools(p):
    s = p.scene("tools")
    message = p.client.messages.create(**ask(s), tools=TOOLS)
    check_tool_use(message, s.want)
    check_seen(p, s.mark, message._request_id)


def tools_streamed(p):
    s = p.scene("tools")
    pieces = {}
    with p.client.messages.stream(**ask(s), tools=TOOLS) as stream:
        for event in stream:
            if event.type == "content_block_delta" and event.delta.type == "input_json_delta":
                pieces[event.index] = pieces.get(event.index, 0) + 1
        message = stream.get_final_message()
    check_tool_use(message, s.want)
    for i, block in enumerate(message.content):
        check(pieces.get(i, 0) > 1, f"{block.name} came in pieces")

    n = p.scene("tool_results")
    answer = p.client.messages.create(**go_on(n, message))
    same(answer.stop_reason, "end_turn", "stop_reason")
    check_text(text_of(answer), n.want)


def vision(p):
    s = p.scene("vision")
    source = {"type": "base64", "media_type": "image/png", "data": RED_PIXEL}
    content = [{"type": "image", "source": source}, {"type": "text", "text": s.text}]
    s.messages = [{"role": "user", "content": content}]
    message = p.client.messages.create(**ask(s))
    same(body_seen(p, s, message)["messages"][0]["content"], content, "content")
    if not s.want.get("echo"):
        check_text(text_of(message), s.want)


def thinking(p):
    for streamed in (False, True):
        s = p.scene("thinking")
        asked = {**ask(s), "tools": TOOLS, "thinking": THINKING}
        if streamed:
            with p.client.messages.stream(**asked) as stream:
                message = stream.get_final_message()
        else:
            message = p.client.messages.create(**asked)
        block = message.content[0]
        same(block.type, "thinking", "type")
        check(block.thinking, "there is a thought")
        check(block.signature, "it is signed")
        if "reasoning" in s.want:
            same(whole(block.thinking), s.want["reasoning"], "thinking")
            same(block.signature, s.want["reasoningSignature"], "signature")
        else:
            same(message.usage.output_tokens_details.thinking_tokens, s.want["thinkingTokens"],
                 "thinking_tokens")
        check_tool_use(message, s.want)

        n = p.scene("thought")
        answer = p.client.messages.create(**go_on(n, message), thinking=THINKING)
        seen = body_seen(p, n, answer)
        back = seen["messages"][1]["content"]
        same(back, as_sent(message), "what went back")
        same(back[0]["signature"], block.signature, "signature that went back")
        same(seen["thinking"], THINKING, "thinking")
        if not n.want.get("echo"):
            check_text(text_of(answer), n.want)


def beta(p):
    """Older versions of the SDK add a query; the header is what counts."""
    s = p.scene("message")
    message = p.client.beta.messages.create(**ask(s), betas=["context-1m-2025-08-07"],
                                            extra_query={"beta": "true"})
    check_text(text_of(message), s.want)
    seen = check_seen(p, s.mark, message._request_id)
    check("anthropic-beta" in seen["header_names"], "the header arrives")
    if "headers" in seen:
        same(seen["headers"]["anthropic-beta"], "context-1m-2025-08-07", "anthropic-beta")


def list_of_models(p):
    models = list(p.client.models.list(limit=100))
    for model in models:
        same(model.type, "model", "type")
        check(model.display_name, "display_name")
        check(isinstance(model.created_at, datetime.datetime), f"created_at {model.created_at!r}")
    ids = [model.id for model in models]
    for name in p.models:
        check(name in ids, f"{name} among {ids}")
        same(p.client.models.retrieve(name).id, name, "id")


def provider_400(p):
    s = p.scene("bad")
    check_error(failure(lambda: p.client.messages.create(**ask(s)),
                        anthropic.BadRequestError, 400), s.want)


def provider_429(p):
    for stream in (False, True):
        s = p.scene("busy")
        error = failure(lambda: p.client.messages.create(**ask(s), stream=stream),
                        anthropic.RateLimitError, 429)
        check_error(error, s.want)
        same(error.response.headers.get("retry-after"), str(s.want["retryAfter"]), "retry-after")


def provider_500(p):
    s = p.scene("broken")
    check_error(failure(lambda: p.client.messages.create(**ask(s)),
                        anthropic.InternalServerError, 500), s.want)


def provider_529(p):
    for stream in (False, True):
        s = p.scene("overloaded")
        error = failure(lambda: p.client.messages.create(**ask(s), stream=stream),
                        anthropic.OverloadedError, 529)
        check(isinstance(error, anthropic.InternalServerError), "an InternalServerError")
        check_error(error, s.want)


def abort_in_mid_stream(p):
    s = p.scene("stalled")
    pieces = 0
    with p.client.messages.create(**ask(s), stream=True) as stream:
        for event in stream:
            pieces += len(text_deltas([event]))
            if pieces == 2:
                break
    same(pieces, 2, "pieces")
    seen = p.truth(s.mark, "ended")
    same(seen["ended"], "closed", "how the call ended at the provider")
    same(seen["request_id"], stream.response.headers.get("request-id"), "request id")


def abort_before_answer(p):
    s = p.scene("silent")

    async def go():
        async with anthropic.AsyncAnthropic(**settings(p.base)) as client:
            call = asyncio.create_task(client.messages.create(**ask(s), stream=True))
            begun = asyncio.to_thread(p.truth, s.mark, "begun")
            done, _ = await asyncio.wait({call, asyncio.create_task(begun)},
                                         return_when=asyncio.FIRST_COMPLETED)
            check(call not in done, "nothing has come yet")
            call.cancel()
            try:
                await call
            except asyncio.CancelledError:
                pass

    asyncio.run(go())
    same(p.truth(s.mark, "ended")["ended"], "closed", "how the call ended at the provider")


def twenty_streams(p):
    async def one(client):
        s = p.scene("message")
        async with client.messages.stream(**ask(s)) as stream:
            check_text(await stream.get_final_text(), s.want)
        await asyncio.to_thread(check_seen, p, s.mark, stream.request_id)

    async def go():
        async with anthropic.AsyncAnthropic(**settings(p.base)) as client:
            await asyncio.gather(*[one(client) for _ in range(20)])

    asyncio.run(go())


CELLS = {
    "plain message": plain_message,
    "streamed message, event by event": streamed_events,
    "streamed message, text and final message": streamed_text,
    "parallel tools": tools,
    "parallel tools, streamed, then their results": tools_streamed,
    "vision: the picture arrives unchanged": vision,
    "thinking: the signed block comes, and goes back unchanged": thinking,
    "a beta: its header arrives": beta,
    "list of models, in Anthropic's shape": list_of_models,
    "the provider says 400: BadRequestError": provider_400,
    "the provider says 429: RateLimitError, with its Retry-After": provider_429,
    "the provider says 500: InternalServerError": provider_500,
    "the provider says 529: OverloadedError": provider_529,
    "abort in mid-stream: the silent provider is let go": abort_in_mid_stream,
    "abort before the answer begins: the provider is let go": abort_before_answer,
    "twenty streams at once stay apart": twenty_streams,
}


def count_tokens(p):
    s = p.scene("count")
    answer = p.client.messages.with_raw_response.count_tokens(**s.chat)
    count = answer.parse()
    direct = p.direct.messages.count_tokens(model=s.model, messages=s.messages)
    same(count.input_tokens, direct.input_tokens, "input_tokens")
    check(count.input_tokens > 0, "input_tokens")
    check_seen(p, s.mark, answer.headers.get("request-id"))


# aimock does not play these.
SIM_ONLY = {
    "count_tokens": count_tokens,
    "an error event in mid-stream: APIError": lambda p: falls_over(p, p.scene("fails")),
    "the provider breaks off in mid-stream: APIError": lambda p: falls_over(p, p.scene("cut")),
}


def no_identity():
    client = connect(gateway("/noauth-anthropic"))
    want = {"error": {"type": "authentication_error"}}
    for stream in (False, True):
        check_error(failure(
            lambda: client.messages.create(**hello("claude-known"), stream=stream),
            anthropic.AuthenticationError, 401), want)
    failure(lambda: client.messages.count_tokens(model="claude-known", messages=[]),
            anthropic.AuthenticationError, 401)
    failure(lambda: client.models.list(), anthropic.AuthenticationError, 401)


def unknown_model():
    client = connect(gateway("/strict-anthropic"))
    want = {"error": {"type": "not_found_error", "message": "claude-unknown"}}
    for stream in (False, True):
        check_error(failure(
            lambda: client.messages.create(**hello("claude-unknown"), stream=stream),
            anthropic.NotFoundError, 404), want)
    check_error(failure(lambda: client.models.retrieve("claude-unknown"),
                        anthropic.NotFoundError, 404), want)


def models_of_routes():
    models = connect(gateway("/strict-anthropic")).models.list()
    same([model.id for model in models.data], ["claude-known"], "models")
    same(models.has_more, False, "has_more")
    same([models.first_id, models.last_id], ["claude-known"] * 2, "first and last")


def bad_request():
    error = failure(lambda: connect(gateway("/sim-anthropic")).messages.create(**hello(7)),
                    anthropic.BadRequestError, 400)
    check_error(error, {"error": {"type": "invalid_request_error", "message": "model"}})


GATEWAY_CELLS = {
    "no identity: AuthenticationError": no_identity,
    "a model that no route knows: NotFoundError": unknown_model,
    "the list of models is what the routes name": models_of_routes,
    "a request that is not right: BadRequestError": bad_request,
}


if __name__ == "__main__":
    sys.exit(run(CELLS, GATEWAY_CELLS, sim_only=SIM_ONLY, dialect="anthropic", connect=connect,
                 gateway_path=lambda name: f"/{name}-anthropic", provider_path="",
                 key_tail=os.environ["AI_PROVIDER_KEY"][-4:]))
