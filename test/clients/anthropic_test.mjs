// SPDX-License-Identifier: Apache-2.0
//
// anthropic_test.mjs - does the official Anthropic SDK for Node see through the gateway what it
// sees from Anthropic?  Every cell runs against two providers: aimock and ai-sim.
// anthropic_test.py holds the same cells for Python; scenes_anthropic.json says how each provider
// is brought to play them.
//
// Prints TAP.  test/clients/run sets the environment.

import assert from 'node:assert/strict';

import { CALLERS_KEY, RED_PIXEL, bodySeen, checkSeen, checkText, collect, failure, isStarted,
         load, run } from './stage.mjs';

const Anthropic = load('@anthropic-ai/sdk');

const tool = (name, properties) => ({
  name, description: `What ${name} says.`, input_schema: {
    type: 'object', properties, required: Object.keys(properties) } });
const TOOLS = [
  tool('get_weather', { city: { type: 'string' }, unit: { type: 'string' } }),
  tool('get_time', { zone: { type: 'string' }, seconds: { type: 'boolean' } }),
];
const MAX_TOKENS = 2048;
const THINKING = { type: 'enabled', budget_tokens: 1024 };

const connect = (baseURL) =>
  new Anthropic({ apiKey: CALLERS_KEY, baseURL, maxRetries: 0, timeout: 30_000 });
const gateway = (path) => connect(process.env.AI_GATEWAY + path);

const body = ({ model, messages }) => ({ model, messages, max_tokens: MAX_TOKENS });
const hello = (model) =>
  ({ model, max_tokens: 5, messages: [{ role: 'user', content: 'hello' }] });

// ------------------------------------------------------------------------------- checks

const ofType = (items, type) => items.filter((item) => item.type === type);

const textOf = (message) => ofType(message.content, 'text').map((block) => block.text).join('');

const textDeltas = (events) => ofType(events, 'content_block_delta')
  .filter(({ delta }) => delta.type === 'text_delta').map(({ delta }) => delta.text);

function checkUsage(usage, want) {
  assert.ok(usage, 'there is usage');
  for (const [name, count] of Object.entries(want.usage)) {
    assert.equal(usage[name], count, name);
  }
  assert.ok(usage.input_tokens > 0);
}

function checkToolUse(message, want) {
  const uses = ofType(message.content, 'tool_use');
  assert.equal(message.stop_reason, 'tool_use');
  assert.equal(uses.length, want.toolCalls.length);
  want.toolCalls.forEach((call, i) => {
    assert.equal(uses[i].name, call.name);
    assert.ok(uses[i].id, 'a tool use has an id');
    if (call.id) {
      assert.equal(uses[i].id, call.id);
    }
    if (call.arguments) {
      assert.deepEqual(uses[i].input, JSON.parse(call.arguments));
    } else {
      assert.deepEqual(Object.keys(uses[i].input).sort(), call.members);
    }
  });
  return uses;
}

function checkError(error, want) {
  assert.equal(error.type, want.error.type);
  assert.equal(error.error.type, 'error', "the body is of Anthropic's shape");
  assert.ok(error.message.includes(want.error.message ?? ''), error.message);
}

// Goes on with what the tools said, to the same question.
const goOn = (scene, message) => ({ ...body(scene), tools: TOOLS, messages: [
  ...scene.messages, { role: 'assistant', content: message.content },
  { role: 'user', content: ofType(message.content, 'tool_use').map((use) => ({
    type: 'tool_result', tool_use_id: use.id, content: 'it is what it is' })) },
] });

// A failure that comes when half of the answer is there already.
async function fallsOver(p, scene) {
  const { data, request_id } = await p.client.messages
    .create({ ...body(scene), stream: true }, scene.options).withResponse();
  const events = [];
  const error = await failure((async () => {
    for await (const event of data) {
      events.push(event);
    }
  })(), Anthropic.APIError, undefined);
  assert.ok(textDeltas(events).length > 1, 'an answer had begun');
  assert.equal(ofType(events, 'message_stop').length, 0);
  assert.equal(error.requestID, request_id);
  checkError(error, scene.want);
}

// ------------------------------------------------------------------------------- cells

const cells = {
  async 'plain message'(p) {
    const scene = p.scene('message');
    const message = await p.client.messages.create(body(scene), scene.options);
    assert.equal(message.type, 'message');
    assert.equal(message.role, 'assistant');
    assert.equal(message.model, scene.model);
    assert.equal(message.stop_reason, 'end_turn');
    assert.deepEqual(message.content.map((block) => block.type), ['text']);
    checkText(textOf(message), scene.want);
    checkUsage(message.usage, scene.want);
    const seen = await checkSeen(p, scene.mark, message._request_id);
    for (const name of ['anthropic-version', 'x-api-key']) {
      assert.ok(seen.headerNames.includes(name), `${name} arrives`);
    }
    if (seen.body !== undefined) {
      assert.deepEqual(JSON.parse(seen.body), body(scene), 'nothing was added');
    }
  },

  async 'streamed message, event by event'(p) {
    const scene = p.scene('message');
    const { data, request_id } = await p.client.messages
      .create({ ...body(scene), stream: true }, scene.options).withResponse();
    const events = await collect(data);
    const types = events.map((event) => event.type);
    const deltas = types.filter((type) => type === 'content_block_delta');
    assert.deepEqual(types, ['message_start', 'content_block_start', ...deltas,
                             'content_block_stop', 'message_delta', 'message_stop']);
    assert.ok(deltas.length > 3, 'it came in pieces');
    checkText(textDeltas(events).join(''), scene.want);
    assert.equal(events[0].message.model, scene.model);
    assert.equal(events.at(-2).delta.stop_reason, 'end_turn');
    assert.equal(events.at(-2).usage.output_tokens, scene.want.usage.output_tokens);
    const seen = await checkSeen(p, scene.mark, request_id);
    if (seen.body !== undefined) {
      assert.deepEqual(JSON.parse(seen.body), { ...body(scene), stream: true });
    }
  },

  async 'streamed message, text and final message'(p) {
    const scene = p.scene('message');
    const texts = [];
    const stream = p.client.messages.stream(body(scene), scene.options);
    stream.on('text', (text) => texts.push(text));
    const message = await stream.finalMessage();
    assert.ok(texts.length > 3, 'it came in pieces');
    assert.equal(texts.join(''), textOf(message));
    checkText(textOf(message), scene.want);
    checkUsage(message.usage, scene.want);
    assert.equal(message.stop_reason, 'end_turn');
    await checkSeen(p, scene.mark, stream.request_id);
  },

  async 'parallel tools'(p) {
    const scene = p.scene('tools');
    const message = await p.client.messages.create({ ...body(scene), tools: TOOLS },
                                                   scene.options);
    checkToolUse(message, scene.want);
    await checkSeen(p, scene.mark, message._request_id);
  },

  async 'parallel tools, streamed, then their results'(p) {
    const scene = p.scene('tools');
    const pieces = new Map();
    const stream = p.client.messages.stream({ ...body(scene), tools: TOOLS }, scene.options);
    stream.on('streamEvent', ({ type, index, delta }) => {
      if (type === 'content_block_delta' && delta.type === 'input_json_delta') {
        pieces.set(index, (pieces.get(index) ?? '') + `|${delta.partial_json}`);
      }
    });
    const message = await stream.finalMessage();
    checkToolUse(message, scene.want).forEach((use) => {
      const seen = pieces.get(message.content.indexOf(use));
      assert.ok(seen.split('|').length > 2, `${use.name} came in pieces`);
    });

    const next = p.scene('tool_results');
    const answer = await p.client.messages.create(goOn(next, message), next.options);
    assert.equal(answer.stop_reason, 'end_turn');
    checkText(textOf(answer), next.want);
  },

  async 'vision: the picture arrives unchanged'(p) {
    const scene = p.scene('vision');
    const content = [
      { type: 'image', source: { type: 'base64', media_type: 'image/png', data: RED_PIXEL } },
      { type: 'text', text: scene.text }];
    const message = await p.client.messages.create(
      { ...body(scene), messages: [{ role: 'user', content }] }, scene.options);
    assert.deepEqual((await bodySeen(p, scene, textOf(message))).messages[0].content, content);
    if (!scene.want.echo) {
      checkText(textOf(message), scene.want);
    }
  },

  async 'thinking: the signed block comes, and goes back unchanged'(p) {
    for (const streamed of [false, true]) {
      const scene = p.scene('thinking');
      const asked = { ...body(scene), tools: TOOLS, thinking: THINKING };
      const message = streamed
        ? await p.client.messages.stream(asked, scene.options).finalMessage()
        : await p.client.messages.create(asked, scene.options);
      const [block] = message.content;
      assert.equal(block.type, 'thinking');
      assert.ok(block.thinking.length > 0);
      assert.ok(block.signature.length > 0);
      if (scene.want.reasoning) {
        assert.equal(block.thinking, scene.want.reasoning);
        assert.equal(block.signature, scene.want.reasoningSignature);
      } else {
        assert.equal(message.usage.output_tokens_details.thinking_tokens,
                     scene.want.thinkingTokens);
      }
      checkToolUse(message, scene.want);

      const next = p.scene('thought');
      const sent = { ...goOn(next, message), thinking: THINKING };
      const answer = await p.client.messages.create(sent, next.options);
      const seen = await bodySeen(p, next, textOf(answer));
      assert.deepEqual(seen.messages[1].content, message.content);
      assert.deepEqual(seen.thinking, THINKING);
      if (!next.want.echo) {
        checkText(textOf(answer), next.want);
      }
    }
  },

  // Older versions of the SDK add a query; the header is what counts.
  async 'a beta: its header arrives'(p) {
    const scene = p.scene('message');
    const message = await p.client.beta.messages.create(
      { ...body(scene), betas: ['context-1m-2025-08-07'] },
      { ...scene.options, query: { beta: 'true' } });
    checkText(textOf(message), scene.want);
    const seen = await checkSeen(p, scene.mark, message._request_id);
    assert.ok(seen.headerNames.includes('anthropic-beta'));
    if (seen.headers) {
      assert.equal(seen.headers['anthropic-beta'], 'context-1m-2025-08-07');
    }
  },

  async "list of models, in Anthropic's shape"(p) {
    const models = await collect(p.client.models.list({ limit: 100 }));
    for (const model of models) {
      assert.equal(model.type, 'model');
      assert.ok(model.display_name);
      assert.ok(Date.parse(model.created_at) > 0, model.created_at);
    }
    for (const id of p.models) {
      assert.ok(models.some((model) => model.id === id), `${id} is among them`);
      assert.equal((await p.client.models.retrieve(id)).id, id);
    }
  },

  async 'the provider says 400: BadRequestError'(p) {
    const scene = p.scene('bad');
    const error = await failure(p.client.messages.create(body(scene), scene.options),
                                Anthropic.BadRequestError, 400);
    checkError(error, scene.want);
  },

  async 'the provider says 429: RateLimitError, with its Retry-After'(p) {
    for (const stream of [false, true]) {
      const scene = p.scene('busy');
      const error = await failure(
        p.client.messages.create({ ...body(scene), stream }, scene.options),
        Anthropic.RateLimitError, 429);
      checkError(error, scene.want);
      assert.equal(error.headers.get('retry-after'), String(scene.want.retryAfter));
    }
  },

  async 'the provider says 500: InternalServerError'(p) {
    const scene = p.scene('broken');
    const error = await failure(p.client.messages.create(body(scene), scene.options),
                                Anthropic.InternalServerError, 500);
    checkError(error, scene.want);
  },

  async 'the provider says 529: OverloadedError'(p) {
    for (const stream of [false, true]) {
      const scene = p.scene('overloaded');
      const error = await failure(
        p.client.messages.create({ ...body(scene), stream }, scene.options),
        Anthropic.OverloadedError, 529);
      assert.ok(error instanceof Anthropic.InternalServerError);
      checkError(error, scene.want);
    }
  },

  async 'abort in mid-stream: the silent provider is let go'(p) {
    const scene = p.scene('stalled');
    const { data: stream, request_id } = await p.client.messages
      .create({ ...body(scene), stream: true }, scene.options).withResponse();
    let pieces = 0;
    for await (const event of stream) {
      pieces += textDeltas([event]).length;
      if (pieces === 2) {
        stream.controller.abort();
      }
    }
    assert.ok(pieces >= 2, 'an answer had begun');
    const seen = await p.truth(scene.mark, 'ended');
    assert.equal(seen.ended, 'closed');
    assert.equal(seen.request_id, request_id);
  },

  async 'abort before the answer begins: the provider is let go'(p) {
    const scene = p.scene('silent');
    const controller = new AbortController();
    const call = p.client.messages.create({ ...body(scene), stream: true },
                                          { ...scene.options, signal: controller.signal });
    const outcome = call.then(() => assert.fail('nothing has come yet'), (error) => error);
    await p.truth(scene.mark, 'begun');
    controller.abort();
    assert.equal((await outcome).constructor.name, 'APIUserAbortError');
    assert.equal((await p.truth(scene.mark, 'ended')).ended, 'closed');
  },

  async 'twenty streams at once stay apart'(p) {
    await Promise.all(Array.from({ length: 20 }, async () => {
      const scene = p.scene('message');
      const stream = p.client.messages.stream(body(scene), scene.options);
      checkText(await stream.finalText(), scene.want);
      await checkSeen(p, scene.mark, stream.request_id);
    }));
  },
};

// aimock does not play these.
const simOnly = {
  async 'count_tokens'(p) {
    const scene = p.scene('count');
    const asked = { model: scene.model, messages: scene.messages };
    const { data: count, request_id } = await p.client.messages
      .countTokens(asked, scene.options).withResponse();
    assert.deepEqual(count, await p.direct.messages.countTokens(asked));
    assert.ok(count.input_tokens > 0);
    await checkSeen(p, scene.mark, request_id);
  },

  async 'an error event in mid-stream: APIError'(p) {
    await fallsOver(p, p.scene('fails'));
  },

  async 'the provider breaks off in mid-stream: APIError'(p) {
    await fallsOver(p, p.scene('cut'));
  },
};

const gatewayCells = {
  async 'no identity: AuthenticationError'() {
    const client = gateway('/noauth-anthropic');
    for (const stream of [false, true]) {
      const error = await failure(
        client.messages.create({ ...hello('claude-known'), stream }),
        Anthropic.AuthenticationError, 401);
      checkError(error, { error: { type: 'authentication_error' } });
    }
    await failure(client.messages.countTokens({ model: 'claude-known', messages: [] }),
                  Anthropic.AuthenticationError, 401);
    await failure(client.models.list(), Anthropic.AuthenticationError, 401);
  },

  async 'a model that no route knows: NotFoundError'() {
    const client = gateway('/strict-anthropic');
    const want = { error: { type: 'not_found_error', message: 'claude-unknown' } };
    for (const stream of [false, true]) {
      const error = await failure(
        client.messages.create({ ...hello('claude-unknown'), stream }),
        Anthropic.NotFoundError, 404);
      checkError(error, want);
    }
    checkError(await failure(client.models.retrieve('claude-unknown'),
                             Anthropic.NotFoundError, 404), want);
  },

  async 'the list of models is what the routes name'() {
    const models = await gateway('/strict-anthropic').models.list();
    assert.deepEqual(models.data.map((model) => model.id), ['claude-known']);
    assert.equal(models.has_more, false);
    assert.equal(models.first_id, 'claude-known');
    assert.equal(models.last_id, 'claude-known');
  },

  async 'a request that is not right: BadRequestError'() {
    const error = await failure(gateway('/sim-anthropic').messages.create(hello(7)),
                                Anthropic.BadRequestError, 400);
    checkError(error, { error: { type: 'invalid_request_error', message: 'model' } });
  },
};

// What cross_anthropic.mjs uses.
export { MAX_TOKENS, THINKING, TOOLS, body, cells, checkError, checkToolUse, checkUsage, connect,
         fallsOver, gateway, goOn, ofType, textDeltas, textOf };

if (isStarted(import.meta.url)) {
  await run({
    settings: { dialect: 'anthropic', connect, gatewayPath: (name) => `/${name}-anthropic`,
                providerPath: '', keyTail: process.env.AI_PROVIDER_KEY.slice(-4) },
    cells, simOnly, gatewayCells,
  });
}
