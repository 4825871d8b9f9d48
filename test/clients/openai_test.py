# SPDX-License-Identifier: Apache-2.0
#
# openai_test.py - does the official OpenAI SDK for Python see through the gateway what it sees
# from OpenAI?  The same cells as openai_test.mjs, which see; only what the SDKs do differently
# differs.
#
# Prints TAP.  test/clients/run sets the environment.

import asyncio
import base64
import json
import sys

import openai
import pydantic

from stage import (RED_PIXEL, check, check_seen, check_text, failure, gateway, run, same,
                   settings)

PIXEL = base64.b64decode(RED_PIXEL)
SOUND = b"RIFF\r\n--\r\n\0\xff\n" * 500
PICTURE = f"data:image/png;base64,{RED_PIXEL}"


def tool(name, **properties):
    return {"type": "function", "function": {"name": name, "strict": True, "parameters": {
        "type": "object", "properties": properties, "required": list(properties),
        "additionalProperties": False}}}


TOOLS = [
    tool("get_weather", city={"type": "string"}, unit={"type": "string"}),
    tool("get_time", zone={"type": "string"}, seconds={"type": "boolean"}),
]


class Event(pydantic.BaseModel):
    name: str
    day: int
    guests: list[str]


def connect(base_url):
    return openai.OpenAI(**settings(base_url))


# ------------------------------------------------------------------------------- checks

def text_of(chunks):
    return "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)


def check_usage(usage, want):
    check(usage, "there is usage")
    for name, count in want["usage"].items():
        same(getattr(usage, name), count, name)
    check(usage.prompt_tokens > 0, "prompt_tokens")
    same(usage.total_tokens, usage.prompt_tokens + usage.completion_tokens, "total_tokens")


def check_tool_calls(calls, want):
    same(len(calls), len(want["toolCalls"]), "tool calls")
    for call, tool in zip(calls, want["toolCalls"]):
        same(call.type, "function", "type")
        same(call.function.name, tool["name"], "name")
        check(call.id, "a tool call has an id")
        if "id" in tool:
            same(call.id, tool["id"], "id")
        parsed = json.loads(call.function.arguments)
        if "arguments" in tool:
            same(call.function.arguments, tool["arguments"], "arguments")
        else:
            same(sorted(parsed), tool["members"], "members of the arguments")


def check_error(error, want):
    for name in ("type", "code", "param"):
        if name in want["error"]:
            same(getattr(error, name), want["error"][name], name)
    check(want["error"].get("message", "") in error.message, f"message: {error.message}")


# ------------------------------------------------------------------------------- cells

def plain_chat(p):
    s = p.scene("chat")
    answer = p.client.chat.completions.create(**s.chat)
    choice = answer.choices[0]
    same(answer.object, "chat.completion", "object")
    same(answer.model, s.model, "model")
    same(choice.message.role, "assistant", "role")
    same(choice.finish_reason, "stop", "finish_reason")
    check_text(choice.message.content, s.want)
    check_usage(answer.usage, s.want)
    seen = check_seen(p, s.mark, answer._request_id)
    if "body" in seen:
        same(json.loads(seen["body"]), {"model": s.model, "messages": s.messages}, "what was sent")


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
    seen = check_seen(p, s.mark, stream.response.headers.get("x-request-id"))
    check(seen["usage_asked"], "the gateway asks for usage itself")


def streamed_with_usage(p):
    s = p.scene("chat")
    stream = p.client.chat.completions.create(**s.chat, stream=True,
                                              stream_options={"include_usage": True})
    chunks = list(stream)
    check_text(text_of(chunks), s.want)
    same(sum(not c.choices for c in chunks), 1, "chunks without choices")
    same(sum(bool(c.usage) for c in chunks), 1, "chunks with usage")
    check_usage(chunks[-1].usage, s.want)
    check_seen(p, s.mark, stream.response.headers.get("x-request-id"))


def tools(p):
    s = p.scene("tools")
    answer = p.client.chat.completions.create(**s.chat, tools=TOOLS)
    same(answer.choices[0].finish_reason, "tool_calls", "finish_reason")
    check_tool_calls(answer.choices[0].message.tool_calls, s.want)


def tools_streamed(p):
    s = p.scene("tools")
    pieces = {}
    with p.client.chat.completions.stream(**s.chat, tools=TOOLS) as stream:
        for event in stream:
            if event.type == "tool_calls.function.arguments.delta":
                pieces[event.index] = pieces.get(event.index, 0) + 1
        choice = stream.get_final_completion().choices[0]
    same(choice.finish_reason, "tool_calls", "finish_reason")
    check_tool_calls(choice.message.tool_calls, s.want)
    for i in range(len(s.want["toolCalls"])):
        check(pieces.get(i, 0) > 1, f"tool {i} came in pieces")

    n = p.scene("tool_results")
    calls = [{"id": c.id, "type": c.type,
              "function": {"name": c.function.name, "arguments": c.function.arguments}}
             for c in choice.message.tool_calls]
    n.messages += [{"role": "assistant", "content": None, "tool_calls": calls}]
    n.messages += [{"role": "tool", "tool_call_id": c["id"], "content": "it is what it is"}
                   for c in calls]
    answer = p.client.chat.completions.create(**n.chat, tools=TOOLS)
    same(answer.choices[0].finish_reason, "stop", "finish_reason")
    check_text(answer.choices[0].message.content, n.want)


def vision(p):
    s = p.scene("vision")
    content = [{"type": "text", "text": s.text},
               {"type": "image_url", "image_url": {"url": PICTURE, "detail": "low"}}]
    s.messages = [{"role": "user", "content": content}]
    answer = p.client.chat.completions.create(**s.chat)
    said = answer.choices[0].message.content
    body = json.loads(said)["body"] if s.want.get("echo") else p.truth(s.mark, "ended")["body"]
    seen = json.loads(body) if isinstance(body, str) else body
    same(seen["messages"][0]["content"], content, "content")
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
        form = json.loads(seen["body"])["response_format"]
        same(form["type"], "json_schema", "type")
        same(form["json_schema"]["strict"], True, "strict")
        same(form["json_schema"]["schema"]["required"], ["name", "day", "guests"], "required")


def embeddings_float(p):
    s = p.scene("embeddings")
    answer = p.client.embeddings.create(model=s.model, input=[s.text, s.text + " again"],
                                        encoding_format="float", extra_headers=s.headers)
    same([item.index for item in answer.data], [0, 1], "index")
    check(len(answer.data[0].embedding) > 1, "a vector")
    check(all(isinstance(v, (int, float)) for v in answer.data[0].embedding), "of numbers")
    if "embedding" in s.want:
        same(answer.data[0].embedding, s.want["embedding"], "embedding")
    check(answer.usage.total_tokens >= 0, "there is usage")
    check_seen(p, s.mark, answer._request_id)


def embeddings_default(p):
    """The SDK asks for base64 unless told otherwise, and decodes what comes."""
    s = p.scene("embeddings")
    answer = p.client.embeddings.create(model=s.model, input=s.text, extra_headers=s.headers)
    direct = p.direct.embeddings.create(model=s.model, input=s.text, extra_headers=s.headers)
    same(answer.data, direct.data, "data")
    check(all(isinstance(v, float) for v in answer.data[0].embedding), "of numbers")
    seen = p.truth(s.mark, "ended")
    if "body" in seen:
        same(json.loads(seen["body"])["encoding_format"], "base64", "encoding_format")


def list_of_models(p):
    models = list(p.client.models.list())
    for model in models:
        same(model.object, "model", "object")
    ids = [model.id for model in models]
    for name in p.models:
        check(name in ids, f"{name} among {ids}")
        same(p.client.models.retrieve(name).id, name, "id")


def provider_400(p):
    s = p.scene("bad")
    check_error(failure(lambda: p.client.chat.completions.create(**s.chat),
                        openai.BadRequestError, 400), s.want)


def provider_429(p):
    s = p.scene("busy")
    for stream in (False, True):
        error = failure(lambda: p.client.chat.completions.create(**s.chat, stream=stream),
                        openai.RateLimitError, 429)
        check_error(error, s.want)
        same(error.response.headers.get("retry-after"), str(s.want["retryAfter"]), "retry-after")


def provider_500(p):
    s = p.scene("broken")
    check_error(failure(lambda: p.client.chat.completions.create(**s.chat),
                        openai.InternalServerError, 500), s.want)


def abort_in_mid_stream(p):
    s = p.scene("stalled")
    pieces = 0
    with p.client.chat.completions.create(**s.chat, stream=True) as stream:
        for chunk in stream:
            pieces += len(chunk.choices)
            if pieces == 3:
                break
    seen = p.truth(s.mark, "ended")
    same(seen["ended"], "closed", "how the call ended at the provider")
    same(seen["request_id"], stream.response.headers.get("x-request-id"), "request id")


def abort_before_answer(p):
    s = p.scene("silent")

    async def go():
        async with openai.AsyncOpenAI(**settings(p.base)) as client:
            call = asyncio.create_task(client.chat.completions.create(**s.chat, stream=True))
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
        s = p.scene("chat")
        stream = await client.chat.completions.create(**s.chat, stream=True)
        chunks = [chunk async for chunk in stream]
        check_text(text_of(chunks), s.want)
        await asyncio.to_thread(check_seen, p, s.mark, stream.response.headers.get("x-request-id"))

    async def go():
        async with openai.AsyncOpenAI(**settings(p.base)) as client:
            await asyncio.gather(*[one(client) for _ in range(20)])

    asyncio.run(go())


def responses(p):
    s = p.scene("responses")
    answer = p.client.responses.create(model=s.model, input=s.text, extra_headers=s.headers)
    same(answer.object, "response", "object")
    same(answer.status, "completed", "status")
    check_text(answer.output_text, s.want)
    check_seen(p, s.mark, answer._request_id)


def responses_streamed(p):
    s = p.scene("responses")
    stream = p.client.responses.create(model=s.model, input=s.text, extra_headers=s.headers,
                                       stream=True)
    events = list(stream)
    same(events[0].type, "response.created", "first event")
    same(events[-1].type, "response.completed", "last event")
    deltas = [e.delta for e in events if e.type == "response.output_text.delta"]
    check(len(deltas) > 1, "it came in pieces")
    check_text("".join(deltas), s.want)
    check(events[-1].response.usage, "there is usage")
    check_seen(p, s.mark, stream.response.headers.get("x-request-id"))


def moderations(p):
    for model in ({}, {"model": "omni-moderation-latest"}):
        ask = {"input": ["a quiet river"], **model}
        answer = p.client.moderations.create(**ask)
        same(answer.results, p.direct.moderations.create(**ask).results, "results")
        same(answer.model, "omni-moderation-latest", "model")
        check(answer._request_id, "the client has a request id")


def images(p):
    s = p.scene("image")
    ask = {"model": s.model, "prompt": s.text, "n": 2, "extra_headers": s.headers}
    answer = p.client.images.generate(**ask)
    same(answer.data, p.direct.images.generate(**ask).data, "data")
    same(len(answer.data), 2, "pictures")
    check_seen(p, s.mark, answer._request_id)


def images_edited(p):
    """A form with two pictures, and the model behind them or in front, as the SDK has it."""
    s = p.scene("image")
    picture = ("pixel.png", PIXEL, "image/png")
    ask = {"model": s.model, "prompt": s.text, "image": [picture, picture],
           "extra_headers": s.headers}
    answer = p.client.images.edit(**ask)
    same(answer.data, p.direct.images.edit(**ask).data, "data")
    seen = p.truth(s.mark, "ended")
    same(seen["request_id"], answer._request_id, "request id")


def speech(p):
    s = p.scene("speech")
    ask = {"model": s.model, "input": s.text, "voice": "alloy", "extra_headers": s.headers}
    answer = p.client.audio.speech.create(**ask)
    direct = p.direct.audio.speech.create(**ask)
    check(len(answer.content) > 10, "there is sound")
    check(answer.content == direct.content, "the bytes are the same")
    same(answer.response.headers["content-type"], direct.response.headers["content-type"], "type")
    with p.client.audio.speech.with_streaming_response.create(**ask) as stream:
        check(b"".join(stream.iter_bytes()) == direct.content, "as they come, too")
    check_seen(p, s.mark, answer.response.headers["x-request-id"])


def sound_of(s):
    return (f"{s.mark}.wav", SOUND, "audio/wav")


def transcriptions(p):
    s = p.scene("transcription")
    answer = p.client.audio.transcriptions.create(model=s.model, file=sound_of(s),
                                                  extra_headers=s.headers)
    text = s.want["transcription"]["text"] if "transcription" in s.want else None
    check_text(answer.text, {"content": text} if text else s.want)
    check(answer.usage.total_tokens > 0, "there is usage")
    check_seen(p, s.mark, answer._request_id)


def transcriptions_streamed(p):
    s = p.scene("transcription")
    stream = p.client.audio.transcriptions.create(model=s.model, file=sound_of(s), stream=True,
                                                  extra_headers=s.headers)
    events = list(stream)
    same(events[-1].type, "transcript.text.done", "last event")
    deltas = [e.delta for e in events if e.type == "transcript.text.delta"]
    check(len(deltas) > 1, "it came in pieces")
    same("".join(deltas), events[-1].text, "text")
    check(events[-1].usage.total_tokens > 0, "there is usage")
    check_seen(p, s.mark, stream.response.headers.get("x-request-id"))


def translations(p):
    s = p.scene("translation")
    answer = p.client.audio.translations.create(model=s.model, file=sound_of(s),
                                                extra_headers=s.headers)
    text = s.want["transcription"]["text"] if "transcription" in s.want else None
    check_text(answer.text, {"content": text} if text else s.want)
    check_seen(p, s.mark, answer._request_id)


def file_both_ways(p):
    """A body that is not JSON, and one that is not text: bytes must come back as they went."""
    data = bytes((i * 7 + (i >> 8)) % 256 for i in range(70_000))
    file = p.client.files.create(file=("bytes.bin", data), purpose="user_data")
    same(file.bytes, len(data), "bytes")
    check(p.client.files.content(file.id).content == data, "the bytes are the same")
    same(p.client.files.retrieve(file.id).filename, "bytes.bin", "name")
    check(file.id in [one.id for one in p.client.files.list()], "it is listed")
    check(p.client.files.delete(file.id).deleted, "deleted")
    failure(lambda: p.client.files.retrieve(file.id), openai.NotFoundError, 404)


def batches(p):
    line = {"custom_id": "one", "method": "POST", "url": "/v1/chat/completions", "body": {
        "model": "gpt-4o", "messages": [{"role": "user", "content": "say hello"}]}}
    file = p.client.files.create(file=("in.jsonl", json.dumps(line).encode()), purpose="batch")
    batch = p.client.batches.create(input_file_id=file.id, endpoint="/v1/chat/completions",
                                    completion_window="24h")
    same(batch.object, "batch", "object")
    same(batch.input_file_id, file.id, "input_file_id")
    same(p.client.batches.retrieve(batch.id).id, batch.id, "id")
    check(batch.id in [one.id for one in p.client.batches.list()], "it is listed")


CELLS = {
    "plain chat": plain_chat,
    "streamed chat, usage not asked for": streamed_without_usage,
    "streamed chat, usage asked for": streamed_with_usage,
    "parallel tools": tools,
    "parallel tools, streamed, then their results": tools_streamed,
    "vision: the picture arrives unchanged": vision,
    "structured output": structured_output,
    "embeddings, as floats": embeddings_float,
    "embeddings, as the SDK's default has it": embeddings_default,
    "list of models": list_of_models,
    "the provider says 400: BadRequestError": provider_400,
    "the provider says 429: RateLimitError, with its Retry-After": provider_429,
    "the provider says 500: InternalServerError": provider_500,
    "abort in mid-stream: the silent provider is let go": abort_in_mid_stream,
    "abort before the answer begins: the provider is let go": abort_before_answer,
    "twenty streams at once stay apart": twenty_streams,
    "responses, passed through": responses,
    "responses, passed through, streamed": responses_streamed,
    "images": images,
    "images, edited": images_edited,
    "speech: every byte, whole and as it comes": speech,
    "transcription of a file": transcriptions,
    "transcription of a file, streamed": transcriptions_streamed,
    "translation of a file": translations,
    "a file, passed through both ways": file_both_ways,
    "a batch, made of a file": batches,
}


def completions(p):
    s = p.scene("completion")
    ask = {"model": s.model, "prompt": s.text, "extra_headers": s.headers}
    answer = p.client.completions.create(**ask)
    same(answer.object, "text_completion", "object")
    check_text(answer.choices[0].text, s.want)
    check(answer.usage.completion_tokens > 0, "there is usage")
    check_seen(p, s.mark, answer._request_id)


def completions_streamed(p):
    s = p.scene("completion")
    stream = p.client.completions.create(model=s.model, prompt=s.text, stream=True,
                                         extra_headers=s.headers)
    chunks = list(stream)
    check_text("".join(c.choices[0].text for c in chunks), s.want)
    check(not any(c.usage for c in chunks), "no usage")
    seen = check_seen(p, s.mark, stream.response.headers.get("x-request-id"))
    check(seen["usage_asked"], "the gateway asks for usage itself")


def images_streamed(p):
    s = p.scene("image")
    events = list(p.client.images.generate(model=s.model, prompt=s.text, stream=True,
                                           partial_images=2, extra_headers=s.headers))
    same([e.type for e in events], ["image_generation.partial_image"] * 2
         + ["image_generation.completed"], "events")
    check(events[-1].usage.total_tokens > 0, "there is usage")


def speech_streamed(p):
    s = p.scene("speech")
    ask = {"model": s.model, "input": s.text, "voice": "alloy", "extra_headers": s.headers}
    whole = p.client.audio.speech.create(**ask).content
    answer = p.client.audio.speech.create(**ask, stream_format="sse")
    events = [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data:")]
    check(b"".join(base64.b64decode(e["audio"]) for e in events[:-1]) == whole, "the same sound")
    same(events[-1]["type"], "speech.audio.done", "last event")


def responses_kept(p):
    """What a stored response is asked for goes where it is kept."""
    s = p.scene("responses")
    answer = p.client.responses.create(model=s.model, input=s.text, extra_headers=s.headers,
                                       previous_response_id="resp_1", store=True)
    check_text(answer.output_text, s.want)


# What aimock does not play.
SIM_ONLY = {
    "moderations, with and without a model": moderations,
    "completions": completions,
    "completions, streamed": completions_streamed,
    "images, streamed": images_streamed,
    "speech, streamed": speech_streamed,
    "responses that go on from another": responses_kept,
}


def no_identity():
    client = connect(gateway("/noauth/v1"))
    for stream in (False, True):
        error = failure(lambda: client.chat.completions.create(
            model="gpt-known", stream=stream, messages=[{"role": "user", "content": "hello"}]),
            openai.AuthenticationError, 401)
        same(error.code, "invalid_api_key", "code")
    failure(lambda: list(client.models.list()), openai.AuthenticationError, 401)


def unknown_model():
    client = connect(gateway("/strict/v1"))
    for stream in (False, True):
        error = failure(lambda: client.chat.completions.create(
            model="gpt-unknown", stream=stream, messages=[{"role": "user", "content": "hello"}]),
            openai.NotFoundError, 404)
        same(error.code, "model_not_found", "code")
        check("gpt-unknown" in error.message, error.message)
    failure(lambda: client.models.retrieve("gpt-unknown"), openai.NotFoundError, 404)


def models_of_routes():
    models = connect(gateway("/strict/v1")).models.list()
    same([model.id for model in models], ["gpt-known"], "models")


def bad_request():
    error = failure(lambda: connect(gateway("/sim/v1")).chat.completions.create(
        model=7, messages=[{"role": "user", "content": "hello"}]), openai.BadRequestError, 400)
    same(error.param, "model", "param")


# What the gateway says of itself, without asking the provider behind it.
GATEWAY_CELLS = {
    "no identity: AuthenticationError": no_identity,
    "a model that no route knows: NotFoundError": unknown_model,
    "the list of models is what the routes name": models_of_routes,
    "a request that is not right: BadRequestError": bad_request,
}


if __name__ == "__main__":
    sys.exit(run(CELLS, GATEWAY_CELLS, sim_only=SIM_ONLY, dialect="openai", connect=connect,
                 gateway_path=lambda name: f"/{name}/v1", provider_path="/v1"))
