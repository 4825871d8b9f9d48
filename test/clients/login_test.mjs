// SPDX-License-Identifier: Apache-2.0
//
// login_test.mjs - do people and programs with an OpenID login (mod_auth_openidc) come in beside keys?
//
// The issuer is a certified OpenID provider (issuer.mjs). A browser is played as far as cookies and
// redirects go; a program shows the provider's tokens as it would a key. Prints TAP.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { setTimeout as nap } from 'node:timers/promises';

import { Sim, load, runGateway } from './stage.mjs';

const OpenAI = load('openai').default;
const { AI_GATEWAY, AI_ISSUER, AI_KEY_ALL, AI_WHO_LOG } = process.env;

// fetch() says of itself that it is a page's script; here are a browser's own requests and curl's.
function send(url, { headers = {}, body } = {}) {
  return new Promise((done, fail) => {
    const call = request(url, { method: body === undefined ? 'GET' : 'POST', headers }, (answer) => {
      let text = '';
      answer.setEncoding('utf8');
      answer.on('data', (part) => { text += part; });
      answer.on('end', () => done({ status: answer.statusCode, headers: answer.headers, text }));
    });
    call.on('error', fail);
    call.end(body);
  });
}

// ------------------------------------------------------------------------------- a browser

class Browser {
  cookies = new Map(); // of 127.0.0.1, whatever the port: each side ignores those of the other

  async go(url, form) {
    const headers = { cookie: [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; '),
                      accept: 'text/html', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' };
    if (form) {
      headers['content-type'] = 'application/x-www-form-urlencoded';
    }
    const answer = await send(url, { headers, body: form && String(new URLSearchParams(form)) });
    const { location } = answer.headers;
    for (const cookie of answer.headers['set-cookie'] ?? []) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(cookie);
      if (value) {
        this.cookies.set(name, value);
      } else {
        this.cookies.delete(name);
      }
    }
    return { status: answer.status, text: answer.text, url, to: location && new URL(location, url).href };
  }

  // Follows redirects, and fills in the provider's form. Gives the page at the end.
  async login(url, name) {
    let page = await this.go(url);
    for (let steps = 0; steps < 20; steps += 1) {
      const form = /<form[^>]*action="([^"]+)"/.exec(page.text);
      if (page.to) {
        page = await this.go(page.to);
      } else if (form && page.url.includes('/interaction/')) {
        page = await this.go(new URL(form[1], page.url).href, {
          prompt: /name="prompt" value="(\w+)"/.exec(page.text)[1], login: name, password: 'any' });
      } else {
        return page;
      }
    }
    return assert.fail(`no end at ${page.url}`);
  }
}

// --------------------------------------------------------------------------------- programs

async function ask(path, { headers = {}, model = 'small-1' } = {}) {
  const { status, headers: told, text } = await send(`${AI_GATEWAY}${path}/chat/completions`, {
    headers: { 'content-type': 'application/json', accept: '*/*', ...headers },
    body: JSON.stringify({ model, messages: [{ role: 'user', content: 'hello' }] }) });
  let json;
  try {
    json = JSON.parse(text);
  } catch {
    json = {};
  }
  return { status, code: json.error?.code, text, to: told.location, asks: told['www-authenticate'],
           id: told['x-request-id'] };
}

const bearer = (token) => ({ headers: { authorization: `Bearer ${token}` } });
const key = { headers: { 'x-api-key': AI_KEY_ALL } };

// A token of the provider's, for a program.
async function granted() {
  const answer = await fetch(`${AI_ISSUER}/token`, {
    method: 'POST', body: new URLSearchParams({ grant_type: 'client_credentials', scope: 'models' }),
    headers: { authorization: `Basic ${btoa('program:the-programs-own-secret')}` } });
  const { access_token: token } = await answer.json();
  assert.match(token, /^eyJ[^.]+\.[^.]+\.[^.]+$/, 'the provider gives a JWT');
  return token;
}

async function signed(claims, header = {}) {
  const now = Math.floor(Date.now() / 1000);
  const all = { sub: 'forger', aud: 'urn:gateway', iat: now, exp: now + 60, tenant: 'acme/programs', ...claims };
  return (await fetch(`${AI_ISSUER}/_sign`, {
    method: 'POST', body: JSON.stringify({ header, claims: all }) })).text();
}

// What the gateway's log says of a request: status, user, ai-user, tenant, tier.
async function who(id) {
  for (const start = Date.now(); Date.now() - start < 10_000; await nap(10)) {
    const line = readFileSync(AI_WHO_LOG, 'utf8').split('\n').find((text) => text.startsWith(`${id} `));
    if (line) {
      return line.slice(id.length + 1);
    }
  }
  return assert.fail(`no line of ${id}`);
}

async function refused(answer, code = 'invalid_api_key') {
  assert.deepEqual([answer.status, answer.code], [401, code], answer.text);
}

// ------------------------------------------------------------------------------------ cells

const cells = {
  async 'a browser logs in, and is known from then on'() {
    const browser = new Browser();
    const page = await browser.login(`${AI_GATEWAY}/login/`, 'ann');
    // There is no such page; but nobody without a login would be told so.
    assert.deepEqual([page.status, page.url], [404, `${AI_GATEWAY}/login/`], page.text);
    assert.equal((await new Browser().go(page.url)).status, 302);
    const cookie = [...browser.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const answer = await ask('/oidc/v1', { headers: { cookie, 'x-sim': 'echo=1' } });
    assert.equal(answer.status, 200, answer.text);
    assert.equal(await who(answer.id), '200 ann ann acme/red gold');
    assert.doesNotMatch(answer.text, /mod_auth_openidc|OIDC_/, 'the provider hears nothing of the login');
    const claims = await ask('/oidc-claims/v1', { headers: { cookie } });
    assert.equal(claims.status, 200, 'Require claim composes with Require ai-model');
    assert.equal((await ask('/oidc-claims/v1', { headers: { cookie }, model: 'large' })).status, 401);
  },

  async 'a browser of another tenant: refused where Require claim wants this one'() {
    const browser = new Browser();
    await browser.login(`${AI_GATEWAY}/login/`, 'ben');
    const cookie = [...browser.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    assert.equal(await who((await ask('/oidc/v1', { headers: { cookie } })).id), '200 ben ben other silver');
    assert.equal((await ask('/oidc-claims/v1', { headers: { cookie } })).status, 401);
    await refused(await ask('/oidc/v1', { headers: { cookie: cookie.replace(/(mod_auth_openidc_session=)[^;]+/, '$1made-up') } }));
  },

  async 'a program with a token of the provider'() {
    const token = await granted();
    const answer = await ask('/oidc/v1', { headers: { ...bearer(token).headers, 'x-sim': 'echo=1' } });
    assert.equal(answer.status, 200, answer.text);
    assert.equal(await who(answer.id), '200 program program acme/programs bronze');
    assert.ok(!answer.text.includes(token.slice(-20)), 'the token does not go up');
    const said = await new OpenAI({ apiKey: token, baseURL: `${AI_GATEWAY}/oidc/v1` })
      .chat.completions.create({ model: 'small-1', messages: [{ role: 'user', content: 'hello' }] });
    assert.ok(said.choices[0].message.content, 'the SDK takes it for a key');
  },

  async 'a key on the same location'() {
    const answer = await ask('/oidc/v1', key);
    assert.equal(await who(answer.id), '200 program-1 program-1 programs gold');
    assert.equal((await ask('/oidc-browser/v1', key)).status, 200, 'and where browsers are led to the login');
  },
};

const gatewayCells = {
  async 'a token that is expired, for others, forged or none: 401'() {
    const now = Math.floor(Date.now() / 1000);
    const good = await signed({});
    const [head, body, signature] = good.split('.');
    const none = `${btoa('{"alg":"none"}').replace(/=+$/, '')}.${body}.`;
    for (const token of [await signed({ iat: now - 200, exp: now - 100 }), await signed({ iss: 'http://127.0.0.1:1' }), none,
                         `${head}.${btoa('{"sub":"ann"}').replace(/=+$/, '')}.${signature}`,
                         `${head}.${body}.${signature.split('').reverse().join('')}`, 'eyJ', 'x']) {
      await refused(await ask('/oidc/v1', bearer(token)));
    }
    const answer = await ask('/oidc/v1', bearer(await signed({ aud: 'urn:others' })));
    assert.equal(answer.status, 401, 'Require claim aud:... is what looks at the audience');
  },

  async 'nobody: 401 as JSON for programs, the login for browsers'() {
    const answer = await ask('/oidc/v1');
    await refused(answer);
    assert.match(answer.asks, /^Bearer/);
    await refused(await ask('/oidc-browser/v1', { headers: { accept: 'application/json' } }));
    const page = await ask('/oidc-browser/v1');
    assert.equal(page.status, 302, 'who takes anything is led to the login (docs/logins.md)');
    assert.match(page.to, new RegExp(`^${AI_ISSUER}/auth\\?`));
  },

  async 'a bad key beside a good token: 401'() {
    const token = await granted();
    await refused(await ask('/oidc/v1', { headers: { ...bearer(token).headers, 'x-api-key': `${AI_KEY_ALL.slice(0, -1)}-` } }),
                  'malformed_api_key');
  },
};

await runGateway('login', new Sim({ dialect: 'openai', connect: () => null, gatewayPath: (name) => `/${name}/v1`,
                                    providerPath: '/v1' }), cells, gatewayCells);
