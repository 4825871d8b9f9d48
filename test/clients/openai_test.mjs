// SPDX-License-Identifier: Apache-2.0
//
// openai_test.mjs - does the official OpenAI SDK for Node see through the gateway what it sees from
// OpenAI?  Every cell runs against two providers: aimock and ai-sim.  openai_test.py holds the
// same cells for Python; scenes_openai.json says how each provider is brought to play them.
//
// Prints TAP.  test/clients/run sets the environment.

import assert from 'node:assert/strict';

import { CALLERS_KEY, RED_PIXEL, bodySeen, checkSeen, checkText, collect, failure, isStarted,
         load, run } from './stage.mjs';

const OpenAI = load('openai');
const { zodResponseFormat } = load('openai/helpers/zod');
const { z } = load('zod');

const PIXEL = Buffer.from(RED_PIXEL, 'base64');
const SOUND = Buffer.from('RIFF\r\n--\r\n\0\xff\n'.repeat(500), 'latin1');
const soundOf = (mark) => OpenAI.toFile(SOUND, `${mark}.wav`, { type: 'audio/wav' });
const PICTURE = `data:image/png;base64,${RED_PIXEL}`;
const tool = (name, properties) => ({
  type: 'function', function: { name, strict: true, parameters: {
    type: 'object', properties, required: Object.keys(properties),
    additionalProperties: false } } });
const TOOLS = [
  tool('get_weather', { city: { type: 'string' }, unit: { type: 'string' } }),
  tool('get_time', { zone: { type: 'string' }, seconds: { type: 'boolean' } }),
];

const connect = (baseURL) =>
  new OpenAI({ apiKey: CALLERS_KEY, baseURL, maxRetries: 0, timeout: 30_000 });
const gateway = (path) => connect(process.env.AI_GATEWAY + path);

// ------------------------------------------------------------------------------- checks

const textOf = (chunks) => chunks.map((c) => c.choices[0]?.delta?.content ?? '').join('');

function checkUsage(usage, want) {
  assert.ok(usage, 'there is usage');
  for (const [name, count] of Object.entries(want.usage)) {
    assert.equal(usage[name], count, name);
  }
  assert.ok(usage.prompt_tokens > 0);
  assert.equal(usage.total_tokens, usage.prompt_tokens + usage.completion_tokens);
}

function checkToolCalls(calls, want) {
  assert.equal(calls.length, want.toolCalls.length);
  want.toolCalls.forEach((tool, i) => {
    assert.equal(calls[i].type, 'function');
    assert.equal(calls[i].function.name, tool.name);
    assert.ok(calls[i].id, 'a tool call has an id');
    if (tool.id) {
      assert.equal(calls[i].id, tool.id);
    }
    const parsed = JSON.parse(calls[i].function.arguments);
    if (tool.arguments) {
      assert.equal(calls[i].function.arguments, tool.arguments);
    } else {
      assert.deepEqual(Object.keys(parsed).sort(), tool.members);
    }
  });
}

function checkError(error, want) {
  for (const name of ['type', 'code', 'param']) {
    if (want.error[name] !== undefined) {
      assert.equal(error[name], want.error[name], name);
    }
  }
  assert.ok(want.error.message === undefined || error.message.includes(want.error.message),
            error.message);
}

// ------------------------------------------------------------------------------- cells

const cells = {
  async 'plain chat'(p) {
    const { mark, model, messages, want, options } = p.scene('chat');
    const answer = await p.client.chat.completions.create({ model, messages }, options);
    const choice = answer.choices[0];
    assert.equal(answer.object, 'chat.completion');
    assert.equal(answer.model, model);
    assert.equal(choice.message.role, 'assistant');
    assert.equal(choice.finish_reason, 'stop');
    checkText(choice.message.content, want);
    checkUsage(answer.usage, want);
    const seen = await checkSeen(p, mark, answer._request_id);
    if (seen.body !== undefined) {
      assert.deepEqual(JSON.parse(seen.body), { model, messages }, 'nothing was added');
    }
  },

  async 'streamed chat, usage not asked for'(p) {
    const { mark, model, messages, want, options } = p.scene('chat');
    const { data, request_id } = await p.client.chat.completions
      .create({ model, messages, stream: true }, options).withResponse();
    const chunks = await collect(data);
    assert.ok(chunks.length > 3, 'it came in pieces');
    checkText(textOf(chunks), want);
    assert.equal(chunks[0].choices[0].delta.role, 'assistant');
    for (const chunk of chunks) {
      assert.equal(chunk.choices.length, 1, 'no chunk without choices');
      assert.ok(!chunk.usage, 'no usage');
    }
    assert.deepEqual(chunks.map((c) => c.choices[0].finish_reason).filter(Boolean), ['stop']);
    const seen = await checkSeen(p, mark, request_id);
    assert.ok(seen.usageAsked, 'the gateway asks for usage itself');
  },

  async 'streamed chat, usage asked for'(p) {
    const { mark, model, messages, want, options } = p.scene('chat');
    const { data, request_id } = await p.client.chat.completions
      .create({ model, messages, stream: true, stream_options: { include_usage: true } }, options)
      .withResponse();
    const chunks = await collect(data);
    checkText(textOf(chunks), want);
    assert.equal(chunks.filter((c) => c.choices.length === 0).length, 1);
    assert.equal(chunks.filter((c) => c.usage).length, 1);
    checkUsage(chunks.at(-1).usage, want);
    await checkSeen(p, mark, request_id);
  },

  async 'parallel tools'(p) {
    const { model, messages, want, options } = p.scene('tools');
    const answer = await p.client.chat.completions.create({ model, messages, tools: TOOLS },
                                                          options);
    assert.equal(answer.choices[0].finish_reason, 'tool_calls');
    checkToolCalls(answer.choices[0].message.tool_calls, want);
  },

  async 'parallel tools, streamed, then their results'(p) {
    const { model, messages, want, options } = p.scene('tools');
    const pieces = new Map();
    const stream = p.client.chat.completions.stream({ model, messages, tools: TOOLS }, options);
    stream.on('tool_calls.function.arguments.delta', ({ index }) => {
      pieces.set(index, (pieces.get(index) ?? 0) + 1);
    });
    const { choices: [choice] } = await stream.finalChatCompletion();
    assert.equal(choice.finish_reason, 'tool_calls');
    checkToolCalls(choice.message.tool_calls, want);
    want.toolCalls.forEach((_, i) => assert.ok(pieces.get(i) > 1, `tool ${i} came in pieces`));

    const next = p.scene('tool_results');
    const answer = await p.client.chat.completions.create({ model, tools: TOOLS, messages: [
      ...next.messages, choice.message,
      ...choice.message.tool_calls.map((call) => ({
        role: 'tool', tool_call_id: call.id, content: 'it is what it is' })),
    ] }, next.options);
    assert.equal(answer.choices[0].finish_reason, 'stop');
    checkText(answer.choices[0].message.content, next.want);
  },

  async 'vision: the picture arrives unchanged'(p) {
    const { mark, text, model, want, options } = p.scene('vision');
    const content = [{ type: 'text', text },
                     { type: 'image_url', image_url: { url: PICTURE, detail: 'low' } }];
    const answer = await p.client.chat.completions.create(
      { model, messages: [{ role: 'user', content }] }, options);
    const seen = await bodySeen(p, { mark, want }, answer.choices[0].message.content);
    assert.deepEqual(seen.messages[0].content, content);
    if (!want.echo) {
      checkText(answer.choices[0].message.content, want);
    }
  },

  async 'structured output'(p) {
    const { mark, model, messages, want, options } = p.scene('structured');
    const event = z.object({ name: z.string(), day: z.number(), guests: z.array(z.string()) });
    const answer = await p.client.chat.completions.parse(
      { model, messages, response_format: zodResponseFormat(event, 'event') }, options);
    const { parsed, content } = answer.choices[0].message;
    assert.deepEqual(parsed, event.parse(JSON.parse(content)));
    if (want.content !== undefined) {
      assert.equal(content, want.content);
    }
    const seen = await checkSeen(p, mark, answer._request_id);
    if (seen.body !== undefined) {
      const format = JSON.parse(seen.body).response_format;
      assert.equal(format.type, 'json_schema');
      assert.equal(format.json_schema.strict, true);
      assert.deepEqual(format.json_schema.schema.required, ['name', 'day', 'guests']);
    }
  },

  async 'embeddings, as floats'(p) {
    const { mark, text, model, want, options } = p.scene('embeddings');
    const answer = await p.client.embeddings.create(
      { model, input: [text, `${text} again`], encoding_format: 'float' }, options);
    assert.equal(answer.data.length, 2);
    assert.deepEqual(answer.data.map((item) => item.index), [0, 1]);
    assert.ok(answer.data[0].embedding.length > 1);
    assert.ok(answer.data[0].embedding.every((value) => typeof value === 'number'));
    if (want.embedding) {
      assert.deepEqual(answer.data[0].embedding, want.embedding);
    }
    assert.ok(answer.usage.total_tokens >= 0);
    await checkSeen(p, mark, answer._request_id);
  },

  // The SDK asks for base64 unless told otherwise, and decodes whatever comes.
  async "embeddings, as the SDK's default has it"(p) {
    const { mark, text, model, options } = p.scene('embeddings');
    const answer = await p.client.embeddings.create({ model, input: text }, options);
    const direct = await p.direct.embeddings.create({ model, input: text }, options);
    assert.deepEqual(answer.data, direct.data);
    const seen = await p.truth(mark, 'ended');
    if (seen.body !== undefined) {
      assert.equal(JSON.parse(seen.body).encoding_format, 'base64');
    }
  },

  async 'list of models'(p) {
    const ids = [];
    for await (const model of p.client.models.list()) {
      assert.equal(model.object, 'model');
      ids.push(model.id);
    }
    for (const id of p.models) {
      assert.ok(ids.includes(id), `${id} among ${ids}`);
      assert.equal((await p.client.models.retrieve(id)).id, id);
    }
  },

  async 'the provider says 400: BadRequestError'(p) {
    const { model, messages, want, options } = p.scene('bad');
    const error = await failure(p.client.chat.completions.create({ model, messages }, options),
                                OpenAI.BadRequestError, 400);
    checkError(error, want);
  },

  async 'the provider says 429: RateLimitError, with its Retry-After'(p) {
    const { model, messages, want, options } = p.scene('busy');
    for (const stream of [false, true]) {
      const error = await failure(
        p.client.chat.completions.create({ model, messages, stream }, options),
        OpenAI.RateLimitError, 429);
      checkError(error, want);
      assert.equal(error.headers.get('retry-after'), String(want.retryAfter));
    }
  },

  async 'the provider says 500: InternalServerError'(p) {
    const { model, messages, want, options } = p.scene('broken');
    const error = await failure(p.client.chat.completions.create({ model, messages }, options),
                                OpenAI.InternalServerError, 500);
    checkError(error, want);
  },

  async 'abort in mid-stream: the silent provider is let go'(p) {
    const { mark, model, messages, options } = p.scene('stalled');
    const { data: stream, request_id } = await p.client.chat.completions
      .create({ model, messages, stream: true }, options).withResponse();
    let pieces = 0;
    for await (const chunk of stream) {
      pieces += chunk.choices.length;
      if (pieces === 3) {
        stream.controller.abort();
      }
    }
    const seen = await p.truth(mark, 'ended');
    assert.equal(seen.ended, 'closed');
    assert.equal(seen.request_id, request_id);
  },

  async 'abort before the answer begins: the provider is let go'(p) {
    const { mark, model, messages, options } = p.scene('silent');
    const controller = new AbortController();
    const call = p.client.chat.completions.create({ model, messages, stream: true },
                                                  { ...options, signal: controller.signal });
    const outcome = call.then(() => assert.fail('nothing has come yet'), (error) => error);
    await p.truth(mark, 'begun');
    controller.abort();
    assert.equal((await outcome).constructor.name, 'APIUserAbortError');
    assert.equal((await p.truth(mark, 'ended')).ended, 'closed');
  },

  async 'twenty streams at once stay apart'(p) {
    await Promise.all(Array.from({ length: 20 }, async () => {
      const { mark, model, messages, want, options } = p.scene('chat');
      const { data, request_id } = await p.client.chat.completions
        .create({ model, messages, stream: true }, options).withResponse();
      checkText(textOf(await collect(data)), want);
      await checkSeen(p, mark, request_id);
    }));
  },

  async 'responses, passed through'(p) {
    const { mark, text, model, want, options } = p.scene('responses');
    const answer = await p.client.responses.create({ model, input: text }, options);
    assert.equal(answer.object, 'response');
    assert.equal(answer.status, 'completed');
    checkText(answer.output_text, want);
    await checkSeen(p, mark, answer._request_id);
  },

  async 'responses, passed through, streamed'(p) {
    const { mark, text, model, want, options } = p.scene('responses');
    const { data, request_id } = await p.client.responses
      .create({ model, input: text, stream: true }, options).withResponse();
    const events = await collect(data);
    assert.equal(events[0].type, 'response.created');
    assert.equal(events.at(-1).type, 'response.completed');
    const deltas = events.filter((event) => event.type === 'response.output_text.delta');
    assert.ok(deltas.length > 1, 'it came in pieces');
    checkText(deltas.map((event) => event.delta).join(''), want);
    assert.ok(events.at(-1).response.usage, 'there is usage');
    await checkSeen(p, mark, request_id);
  },

  async 'images'(p) {
    const { mark, text, model, options } = p.scene('image');
    const ask = { model, prompt: text, n: 2 };
    const answer = await p.client.images.generate(ask, options);
    assert.deepEqual(answer.data, (await p.direct.images.generate(ask, options)).data);
    assert.equal(answer.data.length, 2);
    await checkSeen(p, mark, answer._request_id);
  },

  // A form with two pictures, and the model behind them or in front, as the SDK has it.
  async 'images, edited'(p) {
    const { mark, text, model, options } = p.scene('image');
    const picture = () => OpenAI.toFile(PIXEL, 'pixel.png', { type: 'image/png' });
    const ask = async () => ({ image: [await picture(), await picture()], model, prompt: text });
    const answer = await p.client.images.edit(await ask(), options);
    assert.deepEqual(answer.data, (await p.direct.images.edit(await ask(), options)).data);
    assert.equal((await p.truth(mark, 'ended')).request_id, answer._request_id);
  },

  async 'speech: every byte, whole and as it comes'(p) {
    const { mark, text, model, options } = p.scene('speech');
    const ask = { model, input: text, voice: 'alloy' };
    const answer = await p.client.audio.speech.create(ask, options);
    const direct = await p.direct.audio.speech.create(ask, options);
    const want = Buffer.from(await direct.arrayBuffer());
    assert.ok(want.length > 10, 'there is sound');
    assert.ok(want.equals(Buffer.concat(await collect(answer.body))), 'the bytes are the same');
    assert.equal(answer.headers.get('content-type'), direct.headers.get('content-type'));
    await checkSeen(p, mark, answer.headers.get('x-request-id'));
  },

  async 'transcription of a file'(p) {
    const { mark, model, want, options } = p.scene('transcription');
    const answer = await p.client.audio.transcriptions
      .create({ file: await soundOf(mark), model }, options);
    checkText(answer.text, want.transcription ? { content: want.transcription.text } : want);
    assert.ok(answer.usage.total_tokens > 0, 'there is usage');
    await checkSeen(p, mark, answer._request_id);
  },

  async 'transcription of a file, streamed'(p) {
    const { mark, model, options } = p.scene('transcription');
    const { data, request_id } = await p.client.audio.transcriptions
      .create({ file: await soundOf(mark), model, stream: true }, options).withResponse();
    const events = await collect(data);
    assert.equal(events.at(-1).type, 'transcript.text.done');
    const deltas = events.filter((event) => event.type === 'transcript.text.delta');
    assert.ok(deltas.length > 1, 'it came in pieces');
    assert.equal(deltas.map((event) => event.delta).join(''), events.at(-1).text);
    assert.ok(events.at(-1).usage.total_tokens > 0, 'there is usage');
    await checkSeen(p, mark, request_id);
  },

  async 'translation of a file'(p) {
    const { mark, model, want, options } = p.scene('translation');
    const answer = await p.client.audio.translations
      .create({ file: await soundOf(mark), model }, options);
    checkText(answer.text, want.transcription ? { content: want.transcription.text } : want);
    await checkSeen(p, mark, answer._request_id);
  },

  // A body that is not JSON, and one that is not text: bytes must come back as they went.
  async 'a file, passed through both ways'(p) {
    const bytes = Buffer.from(Array.from({ length: 70_000 }, (_, i) => (i * 7 + (i >> 8)) % 256));
    const file = await p.client.files.create(
      { file: await OpenAI.toFile(bytes, 'bytes.bin'), purpose: 'user_data' });
    assert.equal(file.bytes, bytes.length);
    const content = await p.client.files.content(file.id);
    assert.ok(bytes.equals(Buffer.from(await content.arrayBuffer())), 'the bytes are the same');
    assert.equal((await p.client.files.retrieve(file.id)).filename, 'bytes.bin');
    assert.ok((await collect(p.client.files.list())).some(({ id }) => id === file.id));
    assert.equal((await p.client.files.delete(file.id)).deleted, true);
    await failure(p.client.files.retrieve(file.id), OpenAI.NotFoundError, 404);
  },

  async 'a batch, made of a file'(p) {
    const line = { custom_id: 'one', method: 'POST', url: '/v1/chat/completions', body: {
      model: 'gpt-4o', messages: [{ role: 'user', content: 'say hello' }] } };
    const file = await p.client.files.create(
      { file: await OpenAI.toFile(Buffer.from(JSON.stringify(line)), 'in.jsonl'),
        purpose: 'batch' });
    const batch = await p.client.batches.create(
      { input_file_id: file.id, endpoint: '/v1/chat/completions', completion_window: '24h' });
    assert.equal(batch.object, 'batch');
    assert.equal(batch.input_file_id, file.id);
    assert.equal((await p.client.batches.retrieve(batch.id)).id, batch.id);
    assert.ok((await collect(p.client.batches.list())).some(({ id }) => id === batch.id));
  },
};

// What aimock does not play.
const simOnly = {
  async 'moderations, with and without a model'(p) {
    for (const model of [{}, { model: 'omni-moderation-latest' }]) {
      const ask = { input: ['a quiet river'], ...model };
      const answer = await p.client.moderations.create(ask);
      assert.deepEqual(answer.results, (await p.direct.moderations.create(ask)).results);
      assert.equal(answer.model, 'omni-moderation-latest');
      assert.ok(answer._request_id, 'the client has a request id');
    }
  },

  async 'completions'(p) {
    const { mark, text, model, want, options } = p.scene('completion');
    const answer = await p.client.completions.create({ model, prompt: text }, options);
    assert.equal(answer.object, 'text_completion');
    checkText(answer.choices[0].text, want);
    assert.ok(answer.usage.completion_tokens > 0, 'there is usage');
    await checkSeen(p, mark, answer._request_id);
  },

  async 'completions, streamed'(p) {
    const { mark, text, model, want, options } = p.scene('completion');
    const { data, request_id } = await p.client.completions
      .create({ model, prompt: text, stream: true }, options).withResponse();
    const chunks = await collect(data);
    checkText(chunks.map((chunk) => chunk.choices[0].text).join(''), want);
    assert.ok(!chunks.some((chunk) => chunk.usage), 'no usage');
    assert.ok((await checkSeen(p, mark, request_id)).usageAsked, 'the gateway asks for it itself');
  },

  async 'images, streamed'(p) {
    const { text, model, options } = p.scene('image');
    const events = await collect(await p.client.images.generate(
      { model, prompt: text, stream: true, partial_images: 2 }, options));
    assert.deepEqual(events.map(({ type }) => type), [
      'image_generation.partial_image', 'image_generation.partial_image',
      'image_generation.completed']);
    assert.ok(events.at(-1).usage.total_tokens > 0, 'there is usage');
  },

  async 'speech, streamed'(p) {
    const { text, model, options } = p.scene('speech');
    const ask = { model, input: text, voice: 'alloy' };
    const sound = await p.client.audio.speech.create(ask, options);
    const answer = await p.client.audio.speech.create({ ...ask, stream_format: 'sse' }, options);
    const events = (await answer.text()).split('\n').filter((line) => line.startsWith('data:'))
      .map((line) => JSON.parse(line.slice(5)));
    const pieces = events.slice(0, -1).map(({ audio }) => Buffer.from(audio, 'base64'));
    assert.ok(Buffer.concat(pieces).equals(Buffer.from(await sound.arrayBuffer())));
    assert.equal(events.at(-1).type, 'speech.audio.done');
  },

  // What a stored response is asked for goes where it is kept.
  async 'responses that go on from another'(p) {
    const { text, model, want, options } = p.scene('responses');
    const answer = await p.client.responses.create(
      { model, input: text, previous_response_id: 'resp_1', store: true }, options);
    checkText(answer.output_text, want);
  },
};

// What the gateway says of itself, without asking the provider behind it.
const gatewayCells = {
  async 'no identity: AuthenticationError'() {
    for (const stream of [false, true]) {
      const error = await failure(
        gateway('/noauth/v1').chat.completions.create(
          { model: 'gpt-known', stream, messages: [{ role: 'user', content: 'hello' }] }),
        OpenAI.AuthenticationError, 401);
      assert.equal(error.code, 'invalid_api_key');
    }
    await failure(gateway('/noauth/v1').models.list(), OpenAI.AuthenticationError, 401);
  },

  async 'a model that no route knows: NotFoundError'() {
    for (const stream of [false, true]) {
      const error = await failure(
        gateway('/strict/v1').chat.completions.create(
          { model: 'gpt-unknown', stream, messages: [{ role: 'user', content: 'hello' }] }),
        OpenAI.NotFoundError, 404);
      assert.equal(error.code, 'model_not_found');
      assert.match(error.message, /gpt-unknown/);
    }
    await failure(gateway('/strict/v1').models.retrieve('gpt-unknown'), OpenAI.NotFoundError, 404);
  },

  async 'the list of models is what the routes name'() {
    const ids = [];
    for await (const model of gateway('/strict/v1').models.list()) {
      ids.push(model.id);
    }
    assert.deepEqual(ids, ['gpt-known']);
  },

  async 'a request that is not right: BadRequestError'() {
    const error = await failure(
      gateway('/sim/v1').chat.completions.create(
        { model: 7, messages: [{ role: 'user', content: 'hello' }] }),
      OpenAI.BadRequestError, 400);
    assert.equal(error.param, 'model');
  },
};

// What cross_openai.mjs uses.
export { TOOLS, cells, checkError, checkToolCalls, checkUsage, connect, gateway, textOf };

if (isStarted(import.meta.url)) {
  await run({
    settings: { dialect: 'openai', connect, gatewayPath: (name) => `/${name}/v1`,
                providerPath: '/v1' },
    cells, simOnly, gatewayCells,
  });
}
