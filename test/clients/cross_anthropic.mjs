// SPDX-License-Identifier: Apache-2.0
//
// cross_anthropic.mjs - does the official Anthropic SDK for Node work with models of OpenAI's?
// Every cell runs against two providers: aimock, and ai-sim that refuses what OpenAI refuses.
// cross_anthropic.py holds the same cells for Python; scenes_cross_anthropic.json says how each
// provider is brought to play them.
//
// Cells that ask nothing of the provider's own wire are those of anthropic_test.mjs.

import assert from 'node:assert/strict';

import { RED_PIXEL, bodySeen, checkSeen, checkText, collect, failure, load, run }
  from './stage.mjs';
import { MAX_TOKENS, THINKING, TOOLS, body, cells as sameDialect, checkError, checkToolUse,
         checkUsage, connect, fallsOver, gateway, goOn, ofType, textDeltas, textOf }
  from './anthropic_test.mjs';

const Anthropic = load('@anthropic-ai/sdk');

const SCHEMA = {
  type: 'object', required: ['name', 'day', 'guests'], additionalProperties: false,
  properties: { name: { type: 'string' }, day: { type: 'integer' },
                guests: { type: 'array', items: { type: 'string' } } } };

const cells = {
  async 'plain message'(p) {
    const scene = p.scene('message');
    const message = await p.client.messages.create({ ...body(scene), system: 'Be kind.' },
                                                   scene.options);
    assert.equal(message.type, 'message');
    assert.equal(message.role, 'assistant');
    assert.equal(message.model, scene.model);
    assert.equal(message.stop_reason, 'end_turn');
    assert.deepEqual(message.content.map((block) => block.type), ['text']);
    checkText(textOf(message), scene.want);
    checkUsage(message.usage, scene.want);
    const seen = await checkSeen(p, scene.mark, message._request_id);
    assert.ok(!seen.headerNames.includes('anthropic-version'), "no header of Anthropic's arrives");
    if (seen.body !== undefined) {
      const sent = JSON.parse(seen.body);
      assert.deepEqual(sent.messages, [{ role: 'system', content: 'Be kind.' },
                                       ...scene.messages]);
      assert.deepEqual([sent.max_tokens, sent.max_completion_tokens].filter(Boolean),
                       [MAX_TOKENS]);
    }
  },

  async 'what is lost is told'(p) {
    const scene = p.scene('message');
    const { response } = await p.client.messages
      .create({ ...body(scene), top_k: 3 }, scene.options).withResponse();
    assert.equal(response.headers.get('ai-dropped'), 'top_k');
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
    assert.ok(seen.usageAsked, 'the gateway asks for usage');
  },

  async 'one tool, then its result'(p) {
    const scene = p.scene('tool');
    const message = await p.client.messages.create({
      ...body(scene), tools: TOOLS,
      tool_choice: { type: 'auto', disable_parallel_tool_use: true } }, scene.options);
    checkToolUse(message, scene.want);

    const next = p.scene('tool_result');
    const answer = await p.client.messages.create(goOn(next, message), next.options);
    assert.equal(answer.stop_reason, 'end_turn');
    checkText(textOf(answer), next.want);
  },

  async 'vision: the picture arrives unchanged'(p) {
    const scene = p.scene('vision');
    const message = await p.client.messages.create({ ...body(scene), messages: [{
      role: 'user', content: [
        { type: 'image', source: { type: 'base64', media_type: 'image/png', data: RED_PIXEL } },
        { type: 'text', text: scene.text }] }] }, scene.options);
    const seen = await bodySeen(p, scene, textOf(message));
    assert.deepEqual(seen.messages[0].content, [
      { type: 'image_url', image_url: { url: `data:image/png;base64,${RED_PIXEL}` } },
      { type: 'text', text: scene.text }]);
    if (!scene.want.echo) {
      checkText(textOf(message), scene.want);
    }
  },

  async 'structured output'(p) {
    const scene = p.scene('structured');
    const message = await p.client.messages.create({
      ...body(scene), output_config: { format: { type: 'json_schema', schema: SCHEMA } } },
      scene.options);
    assert.deepEqual(Object.keys(JSON.parse(textOf(message))).sort(), ['day', 'guests', 'name']);
    if (scene.want.content !== undefined) {
      assert.equal(textOf(message), scene.want.content);
    }
    const seen = await checkSeen(p, scene.mark, message._request_id);
    if (seen.body !== undefined) {
      const format = JSON.parse(seen.body).response_format;
      assert.equal(format.type, 'json_schema');
      assert.deepEqual(format.json_schema.schema, SCHEMA);
      assert.ok(format.json_schema.name);
    }
  },

  // What OpenAI's side thinks is not signed; going back, it is left out and told as lost.
  async 'thinking: it is told, unsigned'(p) {
    for (const streamed of [false, true]) {
      const scene = p.scene('thinking');
      const asked = { ...body(scene), tools: TOOLS, thinking: THINKING };
      const message = streamed
        ? await p.client.messages.stream(asked, scene.options).finalMessage()
        : await p.client.messages.create(asked, scene.options);
      const [block] = message.content;
      assert.equal(block.type, 'thinking');
      assert.ok(block.thinking.length > 0);
      assert.equal(block.signature, '');
      if (scene.want.reasoning) {
        assert.equal(block.thinking, scene.want.reasoning);
      }
      checkToolUse(message, scene.want);

      const next = p.scene('thought');
      const { data: answer, response } = await p.client.messages
        .create({ ...goOn(next, message), thinking: THINKING }, next.options).withResponse();
      const seen = await bodySeen(p, next, textOf(answer));
      assert.ok(!seen.messages.some((sent) => sent.reasoning_content), 'no thought goes up');
      assert.ok(['low', 'medium'].includes(seen.reasoning_effort), 'but how much to think does');
      assert.equal(seen.messages[1].tool_calls.length, ofType(message.content, 'tool_use').length);
      assert.ok(response.headers.get('ai-dropped').split(',').includes('messages.content.thinking'));
      if (!next.want.echo) {
        checkText(textOf(answer), next.want);
      }
    }
  },

  async 'the provider says 503: ServiceUnavailableError'(p) {
    for (const stream of [false, true]) {
      const scene = p.scene('overloaded');
      const error = await failure(
        p.client.messages.create({ ...body(scene), stream }, scene.options),
        Anthropic.ServiceUnavailableError, 503);
      checkError(error, scene.want);
    }
  },
};

for (const name of [
  'streamed message, text and final message',
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
  // OpenAI does not count: the gateway estimates, and says so.
  async 'count_tokens: estimated'() {
    const { data: count, response } = await gateway('/sim-strict').messages.countTokens({
      model: 'gpt-4o', messages: [{ role: 'user', content: 'word '.repeat(100) }],
    }).withResponse();
    assert.ok(count.input_tokens >= 60 && count.input_tokens <= 250, String(count.input_tokens));
    assert.equal(response.headers.get('ai-tokens-source'), 'estimated');
  },
};

const places = { aimock: '/aimock', sim: '/sim-strict' };

await run({
  settings: { dialect: 'cross_anthropic', connect, gatewayPath: (name) => places[name],
              providerPath: '' },
  cells, simOnly, gatewayCells,
});
