// SPDX-License-Identifier: Apache-2.0
//
// cross_openai.mjs - does the official OpenAI SDK for Node work with models of Anthropic's?  Every
// cell runs against two providers: aimock, and ai-sim that refuses what Anthropic refuses.
// cross_openai.py holds the same cells for Python; scenes_cross_openai.json says how each provider
// is brought to play them.
//
// Cells that ask nothing of the provider's own wire are those of openai_test.mjs.

import assert from 'node:assert/strict';

import { RED_PIXEL, bodySeen, checkSeen, checkText, collect, failure, load, run }
  from './stage.mjs';
import { TOOLS, cells as sameDialect, checkError, checkToolCalls, checkUsage, connect, gateway,
         textOf } from './openai_test.mjs';

const OpenAI = load('openai');
const { zodResponseFormat } = load('openai/helpers/zod');
const { z } = load('zod');

// What a model thought, in text and in blocks, and its message.
async function think(p, { model, messages, options }, streamed) {
  const asked = { model, messages, tools: TOOLS, reasoning_effort: 'high' };
  if (!streamed) {
    const { choices: [{ message }] } = await p.client.chat.completions.create(asked, options);
    return { text: message.reasoning_content, blocks: message.thinking_blocks, message };
  }
  const deltas = [];
  const stream = p.client.chat.completions.stream(asked, options);
  stream.on('chunk', (chunk) => deltas.push(...chunk.choices.map(({ delta }) => delta)));
  const { choices: [{ message }] } = await stream.finalChatCompletion();
  return { text: deltas.map((delta) => delta.reasoning_content ?? '').join(''),
           blocks: deltas.flatMap((delta) => delta.thinking_blocks ?? []), message };
}

// A failure that comes when half of the answer is there already.
async function fallsOver(p, { model, messages, want, options }) {
  const stream = await p.client.chat.completions.create({ model, messages, stream: true },
                                                        options);
  const chunks = [];
  const error = await (async () => {
    for await (const chunk of stream) {
      chunks.push(chunk);
    }
  })().catch((caught) => caught);
  assert.ok(error instanceof OpenAI.APIError, String(error));
  assert.ok(textOf(chunks).split(' ').length > 1, 'an answer had begun');
  assert.ok(!chunks.some((chunk) => chunk.choices[0]?.finish_reason), 'it does not end');
  checkError(error, want);
}

const cells = {
  async 'plain chat'(p) {
    const { mark, text, model, messages, want, options } = p.scene('chat');
    const answer = await p.client.chat.completions.create(
      { model, messages, max_tokens: 500, seed: 7 }, options);
    const choice = answer.choices[0];
    assert.equal(answer.object, 'chat.completion');
    assert.equal(answer.model, model);
    assert.equal(choice.message.role, 'assistant');
    assert.equal(choice.finish_reason, 'stop');
    checkText(choice.message.content, want);
    checkUsage(answer.usage, want);
    for (const [name, count] of Object.entries(want.details ?? {})) {
      assert.equal(answer.usage.prompt_tokens_details[name], count, name);
    }
    const seen = await checkSeen(p, mark, answer._request_id);
    for (const name of ['anthropic-version', 'x-api-key']) {
      assert.ok(seen.headerNames.includes(name), `${name} arrives`);
    }
    if (seen.body !== undefined) {
      assert.deepEqual(JSON.parse(seen.body), {
        model, messages: [{ role: 'user', content: [{ type: 'text', text }] }], max_tokens: 500 });
    }
  },

  async 'what is lost is told; what cannot be asked is refused'(p) {
    const { model, messages, options } = p.scene('chat');
    const { response } = await p.client.chat.completions
      .create({ model, messages, seed: 7, n: 1 }, options).withResponse();
    assert.equal(response.headers.get('ai-dropped'), 'seed');
    const error = await failure(
      p.client.chat.completions.create({ model, messages, n: 2 }, options),
      OpenAI.BadRequestError, 400);
    assert.equal(error.param, 'n');
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
    await checkSeen(p, mark, request_id);
  },

  async 'one tool, then its result'(p) {
    const { model, messages, want, options } = p.scene('tool');
    const { choices: [choice] } = await p.client.chat.completions.create(
      { model, messages, tools: TOOLS, parallel_tool_calls: false }, options);
    assert.equal(choice.finish_reason, 'tool_calls');
    checkToolCalls(choice.message.tool_calls, want);

    const next = p.scene('tool_result');
    const answer = await p.client.chat.completions.create({ model, tools: TOOLS, messages: [
      ...next.messages, choice.message,
      { role: 'tool', tool_call_id: choice.message.tool_calls[0].id, content: 'it is what it is' },
    ] }, next.options);
    assert.equal(answer.choices[0].finish_reason, 'stop');
    checkText(answer.choices[0].message.content, next.want);
  },

  async 'vision: the picture arrives unchanged'(p) {
    const scene = p.scene('vision');
    const { text, model, want, options } = scene;
    const answer = await p.client.chat.completions.create({ model, messages: [{
      role: 'user', content: [
        { type: 'text', text },
        { type: 'image_url', image_url: { url: `data:image/png;base64,${RED_PIXEL}` } }] }] },
      options);
    const said = answer.choices[0].message.content;
    assert.deepEqual((await bodySeen(p, scene, said)).messages[0].content, [
      { type: 'text', text },
      { type: 'image', source: { type: 'base64', media_type: 'image/png', data: RED_PIXEL } }]);
    if (!want.echo) {
      checkText(said, want);
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
      const { format } = JSON.parse(seen.body).output_config;
      assert.equal(format.type, 'json_schema');
      assert.deepEqual(format.schema.required, ['name', 'day', 'guests']);
    }
  },

  async 'thinking: it is told, and goes back signed'(p) {
    for (const streamed of [false, true]) {
      const scene = p.scene('thinking');
      const { text, blocks, message } = await think(p, scene, streamed);
      assert.ok(text, 'there is a thought');
      assert.deepEqual(blocks.map((block) => block.type), ['thinking']);
      assert.equal(blocks[0].thinking, text);
      assert.ok(blocks[0].signature, 'it is signed');
      if (scene.want.reasoning) {
        assert.equal(text, scene.want.reasoning);
        assert.equal(blocks[0].signature, scene.want.reasoningSignature);
      }
      checkToolCalls(message.tool_calls, scene.want);

      const next = p.scene('thought');
      const calls = message.tool_calls.map((call) => ({
        id: call.id, type: 'function',
        function: { name: call.function.name, arguments: call.function.arguments } }));
      const answer = await p.client.chat.completions.create({
        model: scene.model, tools: TOOLS, reasoning_effort: 'high', messages: [
          ...next.messages,
          { role: 'assistant', content: message.content, thinking_blocks: blocks,
            tool_calls: calls },
          ...calls.map((call) => ({
            role: 'tool', tool_call_id: call.id, content: 'it is what it is' })),
        ] }, next.options);
      const said = answer.choices[0].message.content;
      const seen = await bodySeen(p, next, said);
      assert.deepEqual(seen.messages[1].content[0], blocks[0]);
      assert.equal(seen.thinking.type, 'adaptive');
      assert.equal(seen.output_config.effort, 'high');
      if (!next.want.echo) {
        checkText(said, next.want);
      }
    }
  },

  async 'the provider says 529: InternalServerError'(p) {
    for (const stream of [false, true]) {
      const { model, messages, want, options } = p.scene('overloaded');
      checkError(await failure(
        p.client.chat.completions.create({ model, messages, stream }, options),
        OpenAI.InternalServerError, 503), want);
    }
  },
};

for (const name of [
  'streamed chat, usage asked for',
  'parallel tools',
  'parallel tools, streamed, then their results',
  'the provider says 400: BadRequestError',
  'the provider says 429: RateLimitError, with its Retry-After',
  'the provider says 500: InternalServerError',
  'abort in mid-stream: the silent provider is let go',
  'abort before the answer begins: the provider is let go',
  'twenty streams at once stay apart',
]) {
  cells[name] = sameDialect[name];
}

// aimock does not play these.
const simOnly = {
  async 'an error event in mid-stream: APIError'(p) {
    await fallsOver(p, p.scene('fails'));
  },

  async 'the provider breaks off in mid-stream: APIError'(p) {
    await fallsOver(p, p.scene('cut'));
  },
};

const gatewayCells = {
  async 'what has no counterpart there: BadRequestError'() {
    const error = await failure(gateway('/sim-strict-anthropic/v1').embeddings.create(
      { model: 'claude-opus-4-8', input: 'x' }), OpenAI.BadRequestError, 400);
    assert.equal(error.code, 'dialect_mismatch');
  },
};

const places = { aimock: '/aimock-anthropic/v1', sim: '/sim-strict-anthropic/v1' };

await run({
  settings: { dialect: 'cross_openai', connect, gatewayPath: (name) => places[name],
              providerPath: '/v1', keyTail: process.env.AI_PROVIDER_KEY.slice(-4) },
  cells, simOnly, gatewayCells,
});
