// SPDX-License-Identifier: Apache-2.0
//
// stage.mjs - what every client test for Node stands on: the providers as a test sees them, and
// the run of its cells.  stage.py is the same for Python.
//
// A scene is one call, told in the words of the scenes_*.json of the test's dialect. Prints TAP.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename } from 'node:path';
import { setTimeout as nap } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';

export const CALLERS_KEY = 'sk-the-callers-own-key';
export const RED_PIXEL =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC';

// The SDKs are not beside this file.
export const load = createRequire(`${process.env.AI_CLIENTS_DIR}/node/`);

const CELL_LIMIT_MS = 60_000;

// Is the file with this import.meta.url the one that was started, or does another one use it?
export const isStarted = (url) => url === pathToFileURL(process.argv[1]).href;

// ------------------------------------------------------------------------------- providers

const testName = basename(process.argv[1]);
let marks = 0;

class Provider {
  // connect(url): an SDK's client. keyTail: how the key ends that the gateway must show to the
  // provider; '' is none.
  constructor(name, url, { dialect, connect, gatewayPath, providerPath, keyTail = '' }) {
    this.name = name;
    this.url = url;
    this.keyTail = keyTail;
    this.scenes = JSON.parse(
      readFileSync(new URL(`scenes_${dialect}.json`, import.meta.url), 'utf8'))[name];
    this.client = connect(process.env.AI_GATEWAY + gatewayPath(name));
    this.direct = connect(url + providerPath);
  }

  // One call: a scene with a mark that no other call has.
  scene(name) {
    const scene = this.scenes[name];
    assert.ok(scene, `no scene ${name} for ${this.name}`);
    const mark = `mark-${testName}-${++marks}-end`;
    const text = `${scene.say} ${mark}`;
    return { mark, text, model: scene.model, want: scene.want ?? scene.fixture.response,
             messages: [{ role: 'user', content: text }],
             options: { headers: this.script(scene, mark) } };
  }

  get models() {
    return new Set(Object.values(this.scenes).map((scene) => scene.model));
  }
}

export class Aimock extends Provider {
  constructor(settings) {
    super('aimock', process.env.AI_AIMOCK_URL, settings);
  }

  script() {
    return {};
  }

  // What the provider saw of a call; body: only a provider that keeps it.
  async truth(mark, until) {
    const answer = await fetch(`${this.url}/_truth?mark=${mark}&until=${until}`);
    assert.equal(answer.status, 200, `the provider knows of ${mark}`);
    const seen = await answer.json();
    const key = seen.headers['x-api-key'] ?? seen.headers.authorization ?? '';
    return { ...seen, hasKey: JSON.stringify(seen.headers).includes(CALLERS_KEY),
             keyTail: key.slice(-4), headerNames: Object.keys(seen.headers),
             usageAsked: /"include_usage"\s*:\s*true/.test(seen.body) };
  }
}

export class Sim extends Provider {
  constructor(settings) {
    super('sim', process.env.AI_SIM_URL, settings);
  }

  script(scene, mark) {
    return { 'X-Sim': `${scene.script};mark=${mark}` };
  }

  async calls() {
    return (await fetch(`${this.url}/_sim/calls`)).json();
  }

  // The simulator lists calls that are over, and counts those under way.
  async truth(mark, until) {
    for (const start = Date.now(); Date.now() - start < 20_000; await nap(20)) {
      const { active, last } = await this.calls();
      const call = last.find((line) => line.mark === mark);
      if (call) {
        return { request_id: call.id, ended: call.ended === 'complete' ? 'finished' : 'closed',
                 hasKey: call.key_tail === CALLERS_KEY.slice(-4) ||
                         call.header_names.includes('authorization'),
                 keyTail: call.key_tail, headerNames: call.header_names,
                 usageAsked: call.told !== null };
      }
      if (until === 'begun' && active > 0) {
        return {};
      }
    }
    return assert.fail(`the provider does not say that ${mark} has ${until}`);
  }
}

// ------------------------------------------------------------------------------- checks

export async function collect(stream) {
  const items = [];
  for await (const item of stream) {
    items.push(item);
  }
  return items;
}

export function checkText(text, want) {
  if (want.content !== undefined) {
    assert.equal(text, want.content);
  } else {
    assert.equal(text.split(/\s+/).filter(Boolean).length, want.words);
  }
}

// What the provider got must join with what the client was told, and hold none of its secrets.
export async function checkSeen(provider, mark, requestId) {
  const seen = await provider.truth(mark, 'ended');
  assert.ok(requestId, 'the client has a request id');
  assert.equal(seen.request_id, requestId, 'the provider was given the same request id');
  assert.ok(!seen.hasKey, "the caller's key stays away from the provider");
  assert.equal(seen.keyTail, provider.keyTail, 'the key that the provider was shown');
  assert.equal(seen.ended, 'finished');
  return seen;
}

// The body of a call as the provider got it: it says so, or echoes it in what it said.
export async function bodySeen(p, scene, said) {
  const seen = scene.want.echo ? JSON.parse(said).body : (await p.truth(scene.mark, 'ended')).body;
  return typeof seen === 'string' ? JSON.parse(seen) : seen;
}

export async function failure(promise, type, status) {
  let error;
  try {
    await promise;
  } catch (caught) {
    error = caught;
  }
  assert.ok(error, 'the call fails');
  assert.equal(error.constructor.name, type.name, error.message);
  assert.ok(error instanceof type, error.message);
  assert.equal(error.status, status);
  assert.ok(error.requestID, 'an error has a request id');
  return error;
}

// ------------------------------------------------------------------------------- the run

let count = 0;
let failed = 0;

async function play(title, cell, provider) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error('the cell did not end in time')), CELL_LIMIT_MS);
  });
  count += 1;
  try {
    await Promise.race([cell(provider), late]);
    console.log(`ok - node ${title}`);
  } catch (error) {
    failed += 1;
    console.log(`not ok - node ${title}`);
    console.log(String(error.stack ?? error).replace(/^/gm, '#   '));
  } finally {
    clearTimeout(timer);
  }
}

// cells: played by both providers. Ends the process.
export async function run({ settings, cells, aimockOnly = {}, simOnly = {}, gatewayCells }) {
  const { dialect } = settings;
  const aimock = new Aimock(settings);
  const sim = new Sim(settings);
  for (const [name, cell] of Object.entries({ ...cells, ...aimockOnly })) {
    await play(`${dialect} aimock: ${name}`, cell, aimock);
  }
  await runGateway(dialect, sim, { ...cells, ...simOnly }, gatewayCells);
}

// cells: played by the simulator alone. gatewayCells: what the gateway says of itself, without asking
// the provider behind it. Ends the process.
export async function runGateway(what, sim, cells, gatewayCells) {
  for (const [name, cell] of Object.entries(cells)) {
    await play(`${what} sim: ${name}`, cell, sim);
  }
  for (const [name, cell] of Object.entries(gatewayCells)) {
    await play(`${what} gateway: ${name}`, async () => {
      const before = await sim.calls();
      await cell();
      const after = await sim.calls();
      assert.equal(after.total + after.active, before.total + before.active,
                   'the provider was not asked');
    });
  }
  console.log(`1..${count}`);
  process.exit(failed ? 1 : 0);
}
