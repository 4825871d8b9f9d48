# SPDX-License-Identifier: Apache-2.0
#
# cross_anthropic.py - does the official Anthropic SDK for Python work with models of OpenAI's?  The
# same cells as cross_anthropic.mjs; scenes_cross_anthropic.json says how each provider plays them.
#
# Cells that ask nothing of the provider's own wire are those of anthropic_test.py.

import json
import sys

import anthropic

import anthropic_test as same_dialect
from anthropic_test import (MAX_TOKENS, THINKING, TOOLS, ask, body_seen, check_error,
                            check_tool_use, check_usage, connect, falls_over, go_on, of_type,
                            text_deltas, text_of)
from stage import RED_PIXEL, check, check_seen, check_text, failure, run, same, whole

SCHEMA = {
    "type": "object", "required": ["name", "day", "guests"], "additionalProperties": False,
    "properties": {"name": {"type": "string"}, "day": {"type": "integer"},
                   "guests": {"type": "array", "items": {"type": "string"}}}}


def plain_message(p):
    s = p.scene("message")
    message = p.client.messages.create(**ask(s), system="Be kind.")
    same(message.type, "message", "type")
    same(message.role, "assistant", "role")
    same(message.model, s.model, "model")
    same(message.stop_reason, "end_turn", "stop_reason")
    same([block.type for block in message.content], ["text"], "blocks")
    check_text(text_of(message), s.want)
    check_usage(message.usage, s.want)
    seen = check_seen(p, s.mark, message._request_id)
    check("anthropic-version" not in seen["header_names"], "no header of Anthropic's arrives")
    if "body" in seen:
        body = json.loads(seen["body"])
        same(body["messages"], [{"role": "system", "content": "Be kind."}, *s.messages],
             "messages")
        same([body.get("max_tokens"), body.get("max_completion_tokens")].count(MAX_TOKENS), 1,
             "the limit, by one of its names")


def told_of_loss(p):
    s = p.scene("message")
    answer = p.client.messages.with_raw_response.create(**ask(s), extra_body={"top_k": 3})
    same(answer.headers.get("ai-dropped"), "top_k", "ai-dropped")


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
    check(seen["usage_asked"], "the gateway asks for usage")


def one_tool(p):
    """One call, its result, and the answer."""
    s = p.scene("tool")
    message = p.client.messages.create(
        **ask(s), tools=TOOLS,
        tool_choice={"type": "auto", "disable_parallel_tool_use": True})
    check_tool_use(message, s.want)
    n = p.scene("tool_result")
    answer = p.client.messages.create(**go_on(n, message))
    same(answer.stop_reason, "end_turn", "stop_reason")
    check_text(text_of(answer), n.want)


def vision(p):
    s = p.scene("vision")
    source = {"type": "base64", "media_type": "image/png", "data": RED_PIXEL}
    s.messages = [{"role": "user", "content": [
        {"type": "image", "source": source}, {"type": "text", "text": s.text}]}]
    message = p.client.messages.create(**ask(s))
    same(body_seen(p, s, message)["messages"][0]["content"],
         [{"type": "image_url", "image_url": {"url": f"data:image/png;base64,{RED_PIXEL}"}},
          {"type": "text", "text": s.text}], "content")
    if not s.want.get("echo"):
        check_text(text_of(message), s.want)


def structured_output(p):
    s = p.scene("structured")
    message = p.client.messages.create(
        **ask(s), output_config={"format": {"type": "json_schema", "schema": SCHEMA}})
    same(sorted(json.loads(text_of(message))), ["day", "guests", "name"], "members")
    if "content" in s.want:
        same(text_of(message), s.want["content"], "content")
    seen = check_seen(p, s.mark, message._request_id)
    if "body" in seen:
        form = json.loads(seen["body"])["response_format"]
        same(form["type"], "json_schema", "type")
        same(form["json_schema"]["schema"], SCHEMA, "schema")
        check(form["json_schema"]["name"], "it has a name")


def thinking(p):
    """What OpenAI's side thinks is not signed; going back, it is left out and told as lost."""
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
        same(block.signature, "", "signature")
        if "reasoning" in s.want:
            same(whole(block.thinking), s.want["reasoning"], "thinking")
        check_tool_use(message, s.want)

        n = p.scene("thought")
        answer = p.client.messages.with_raw_response.create(**go_on(n, message),
                                                            thinking=THINKING)
        seen = body_seen(p, n, answer.parse())
        check(not any(m.get("reasoning_content") for m in seen["messages"]), "no thought goes up")
        check(seen["reasoning_effort"] in ("low", "medium"), "but how much to think does")
        same(len(seen["messages"][1]["tool_calls"]), len(s.want["toolCalls"]), "calls go up")
        check("messages.content.thinking" in answer.headers["ai-dropped"].split(","), "told")
        if not n.want.get("echo"):
            check_text(text_of(answer.parse()), n.want)


def provider_503(p):
    for stream in (False, True):
        s = p.scene("overloaded")
        check_error(failure(lambda: p.client.messages.create(**ask(s), stream=stream),
                            anthropic.ServiceUnavailableError, 503), s.want)


CELLS = {
    "plain message": plain_message,
    "what is lost is told": told_of_loss,
    "streamed message, event by event": streamed_events,
    "streamed message, text and final message": same_dialect.streamed_text,
    "one tool, then its result": one_tool,
    "parallel tools": same_dialect.tools,
    "parallel tools, streamed, then their results": same_dialect.tools_streamed,
    "vision: the picture arrives unchanged": vision,
    "structured output": structured_output,
    "thinking: it is told, unsigned": thinking,
    "the provider says 400: BadRequestError": same_dialect.provider_400,
    "the provider says 429: RateLimitError, with its Retry-After": same_dialect.provider_429,
    "the provider says 500: InternalServerError": same_dialect.provider_500,
    "the provider says 503: ServiceUnavailableError": provider_503,
    "abort in mid-stream: the silent provider is let go": same_dialect.abort_in_mid_stream,
    "abort before the answer begins: the provider is let go": same_dialect.abort_before_answer,
    "twenty streams at once stay apart": same_dialect.twenty_streams,
}

# aimock does not play these.
SIM_ONLY = {
    "an error event in mid-stream: APIError": lambda p: falls_over(p, p.scene("fails")),
    "the provider breaks off in mid-stream: APIError": lambda p: falls_over(p, p.scene("cut")),
}


def count_tokens():
    """OpenAI does not count: the gateway estimates, and says so."""
    client = connect(same_dialect.gateway("/sim-strict"))
    answer = client.messages.with_raw_response.count_tokens(
        model="gpt-4o", messages=[{"role": "user", "content": "word " * 100}])
    check(60 <= answer.parse().input_tokens <= 250, "input_tokens")
    same(answer.headers.get("ai-tokens-source"), "estimated", "ai-tokens-source")


GATEWAY_CELLS = {"count_tokens: estimated": count_tokens}

PLACES = {"aimock": "/aimock", "sim": "/sim-strict"}

if __name__ == "__main__":
    sys.exit(run(CELLS, GATEWAY_CELLS, sim_only=SIM_ONLY, dialect="cross_anthropic",
                 connect=connect, gateway_path=PLACES.get, provider_path=""))
