// SPDX-License-Identifier: Apache-2.0
//
// provider.mjs PORT_FILE - aimock, a provider that we did not write, and what did it see?
//
// Starts aimock on a free port of 127.0.0.1 with the fixtures of scenes_*.json, and writes the
// port into PORT_FILE. Every answer is aimock's own; this file only looks on. Tests ask what became
// of the call whose body holds a certain text:
//
//   GET /_truth?mark=TEXT&until=begun|ended
//
// which waits for it and answers {"request_id","headers","body","ended"}. ended is "finished" when
// the whole answer went out, "closed" when the connection was closed before that.

import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const require = createRequire(`${process.env.AI_CLIENTS_DIR}/node/`);
const { createServer } = require('@copilotkit/aimock');

const LONGEST_WAIT_MS = 20_000;
const scenes = ['openai', 'anthropic', 'cross_openai', 'cross_anthropic'].flatMap(
  (name) => Object.values(JSON.parse(
    readFileSync(new URL(`scenes_${name}.json`, import.meta.url), 'utf8')).aimock));
const calls = [];
let waiters = [];

const find = (waiter) =>
  calls.find((call) => (waiter.until === 'begun' || call.ended) &&
                       Buffer.concat(call.chunks).includes(waiter.mark));

function tell(waiter, status, value) {
  clearTimeout(waiter.timer);
  waiter.res.writeHead(status, { 'content-type': 'application/json' });
  waiter.res.end(JSON.stringify(value));
}

function wake() {
  waiters = waiters.filter((waiter) => {
    const call = find(waiter);
    if (call) {
      tell(waiter, 200, { request_id: call.headers['x-request-id'] ?? null,
                          headers: call.headers,
                          body: Buffer.concat(call.chunks).toString('utf8'),
                          ended: call.ended });
    }
    return !call;
  });
}

// Keeps the bytes of the body as they come, whoever reads them.
function watch(req, res) {
  if (req.url.startsWith('/_truth')) {
    return;
  }
  const call = { headers: { ...req.headers }, chunks: [], ended: null };
  const emit = req.emit;
  req.emit = function (name, ...args) {
    if (name === 'data') {
      call.chunks.push(args[0]);
    }
    const had = emit.call(this, name, ...args);
    if (name === 'data') {
      wake();
    }
    return had;
  };
  res.on('close', () => {
    call.ended = res.writableFinished ? 'finished' : 'closed';
    wake();
  });
  calls.push(call);
}

const truth = {
  async handleRequest(req, res) {
    const query = new URL(req.url, 'http://localhost').searchParams;
    const waiter = { mark: query.get('mark'), until: query.get('until'), res };
    waiter.timer = setTimeout(() => {
      waiters = waiters.filter((other) => other !== waiter);
      tell(waiter, 504, { error: `no call with ${waiter.mark} has ${waiter.until}` });
    }, LONGEST_WAIT_MS);
    waiters.push(waiter);
    wake();
    return true;
  },
};

const fixtures = scenes.map(({ fixture }) => ({
  match: fixture.match, response: fixture.response, ...fixture.options }));

const instance = await createServer(
  fixtures, { host: '127.0.0.1', port: 0, strict: true, chunkSize: 6, journalMaxEntries: 50 },
  [{ path: '/_truth', handler: truth }]);
instance.server.prependListener('request', watch);

writeFileSync(`${process.argv[2]}.new`, `${instance.server.address().port}\n`);
renameSync(`${process.argv[2]}.new`, process.argv[2]);
