// SPDX-License-Identifier: Apache-2.0
//
// keys_test.mjs - what do the official SDKs for Node make of keys of the gateway?  keys_test.py is
// the same for Python.  Prints TAP.

import assert from 'node:assert/strict';

import { Sim, failure, load, runGateway } from './stage.mjs';

const OpenAI = load('openai').default;
const Anthropic = load('@anthropic-ai/sdk').default;
const { AI_GATEWAY, AI_KEY_ALL, AI_KEY_SMALL } = process.env;
const WRONG = `${AI_KEY_ALL.slice(0, -1)}${AI_KEY_ALL.endsWith('0') ? '1' : '0'}`;
const messages = [{ role: 'user', content: 'hello' }];

const openai = (apiKey) => new OpenAI({ apiKey, baseURL: `${AI_GATEWAY}/keys/v1`, maxRetries: 0 });
const anthropic = (credentials) =>
  new Anthropic({ apiKey: null, authToken: null, ...credentials, baseURL: `${AI_GATEWAY}/keys-anthropic`, maxRetries: 0 });
const chat = (client, model = 'small-1') => client.chat.completions.create({ model, messages });
const talk = (client, model = 'small-1') => client.messages.create({ model, max_tokens: 16, messages });

const cells = {
  async 'a good key'() {
    assert.ok((await chat(openai(AI_KEY_ALL), 'large')).choices[0].message.content);
    assert.ok((await chat(openai(AI_KEY_SMALL))).choices[0].message.content);
    assert.ok((await talk(anthropic({ apiKey: AI_KEY_ALL }), 'large')).content[0].text);
    assert.ok((await talk(anthropic({ authToken: AI_KEY_SMALL }))).content[0].text);
  },
};

const gatewayCells = {
  async 'a bad key: AuthenticationError'() {
    assert.equal((await failure(chat(openai(WRONG)), OpenAI.AuthenticationError, 401)).code, 'malformed_api_key');
    assert.equal((await failure(chat(openai('sk-somebody-elses')), OpenAI.AuthenticationError, 401)).code, 'invalid_api_key');
    const error = await failure(talk(anthropic({ apiKey: WRONG })), Anthropic.AuthenticationError, 401);
    assert.equal(error.error.error.type, 'authentication_error');
    await failure(talk(anthropic({ authToken: WRONG })), Anthropic.AuthenticationError, 401);
  },

  async 'a model that the key may not use: PermissionDeniedError'() {
    const error = await failure(chat(openai(AI_KEY_SMALL), 'large'), OpenAI.PermissionDeniedError, 403);
    assert.deepEqual([error.code, error.param], ['model_not_allowed', 'model']);
    const other = await failure(talk(anthropic({ apiKey: AI_KEY_SMALL }), 'large'), Anthropic.PermissionDeniedError, 403);
    assert.equal(other.error.error.type, 'permission_error');
  },

  async 'a model that AIAuthModels leaves out: PermissionDeniedError'() {
    await failure(chat(openai(AI_KEY_ALL), 'secret'), OpenAI.PermissionDeniedError, 403);
    await failure(talk(anthropic({ apiKey: AI_KEY_ALL }), 'secret'), Anthropic.PermissionDeniedError, 403);
  },

  async 'the list of models is what the key may use'() {
    const ids = async (list) => {
      const all = [];
      for await (const model of list) {
        all.push(model.id);
      }
      return all;
    };
    assert.deepEqual(await ids(openai(AI_KEY_ALL).models.list()), ['small-1', 'large']);
    assert.deepEqual(await ids(openai(AI_KEY_SMALL).models.list()), ['small-1']);
    assert.deepEqual(await ids(anthropic({ apiKey: AI_KEY_SMALL }).models.list()), ['small-1']);
  },
};

await runGateway('keys', new Sim({ dialect: 'openai', connect: () => null, gatewayPath: (name) => `/${name}/v1`,
                                   providerPath: '/v1' }), cells, gatewayCells);
