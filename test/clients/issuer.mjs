// SPDX-License-Identifier: Apache-2.0
//
// issuer.mjs PORT_FILE - an OpenID provider that we did not write, for the tests of logins.
//
// Starts oidc-provider on a free port of 127.0.0.1 and writes the port into PORT_FILE. Anybody may
// log in, with any password: what is tested is what the gateway makes of it. Clients: "gateway", for
// people with a browser, and "program", which gets tokens for itself. One thing of it is ours:
//
//   POST /_sign   {"header":{...},"claims":{...}} -> a JWT under the provider's own key
//
// for tokens that no honest provider would give out.

import { renameSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createServer } from 'node:http';
import { pathToFileURL } from 'node:url';

const require = createRequire(`${process.env.AI_CLIENTS_DIR}/node/`);
const load = (name) => import(pathToFileURL(require.resolve(name)));
const { default: Provider } = await load('oidc-provider');
const { SignJWT, exportJWK, generateKeyPair } = await load('jose');

const { privateKey } = await generateKeyPair('RS256', { extractable: true });
const jwk = { ...await exportJWK(privateKey), alg: 'RS256', use: 'sig', kid: 'issuer-1' };

// What the directory of this company says of somebody: ann is a gold one of acme/red, ...
const people = {
  ann: { preferred_username: 'ann', tenant: 'acme/red', tier: 'gold' },
  ben: { preferred_username: 'ben', tenant: 'other', tier: 'silver' },
};

const server = createServer();
await new Promise((done) => server.listen(0, '127.0.0.1', done));
const issuer = `http://127.0.0.1:${server.address().port}`;
const resource = 'urn:gateway';

const provider = new Provider(issuer, {
  jwks: { keys: [jwk] },
  cookies: { keys: ['a key of a test'] },
  clients: [
    { client_id: 'gateway', client_secret: 'the-gateways-own-secret', application_type: 'native',
      redirect_uris: ['http://127.0.0.1/login/redirect'], // a native one's port may be any (RFC 8252)
      token_endpoint_auth_method: 'client_secret_basic' },
    { client_id: 'program', client_secret: 'the-programs-own-secret', redirect_uris: [],
      response_types: [], grant_types: ['client_credentials'] },
  ],
  claims: { openid: ['sub'], profile: ['preferred_username', 'tenant', 'tier'] },
  conformIdTokenClaims: false,
  findAccount: (_ctx, id) => ({ accountId: id, claims: () => ({ sub: id, ...people[id] }) }),
  features: {
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => resource,
      getResourceServerInfo: () => ({ scope: 'models', audience: resource,
                                      accessTokenFormat: 'jwt', accessTokenTTL: 600 }),
    },
  },
  extraTokenClaims: () => ({ tenant: 'acme/programs', tier: 'bronze' }),
  // Nobody is asked twice: who logs in agrees.
  async loadExistingGrant(ctx) {
    const grant = new ctx.oidc.provider.Grant({ accountId: ctx.oidc.session.accountId,
                                                clientId: ctx.oidc.client.clientId });
    grant.addOIDCScope('openid profile');
    grant.addResourceScope(resource, 'models');
    await grant.save();
    return grant;
  },
});

async function sign(req, res) {
  let text = '';
  for await (const part of req) {
    text += part;
  }
  const { header, claims } = JSON.parse(text);
  res.end(await new SignJWT({ iss: issuer, ...claims })
    .setProtectedHeader({ alg: 'RS256', kid: jwk.kid, ...header }).sign(privateKey));
}

const rest = provider.callback();
server.on('request', (req, res) => (req.url === '/_sign' ? sign(req, res) : rest(req, res)));
const portFile = process.argv[2];
writeFileSync(`${portFile}.new`, String(server.address().port));
renameSync(`${portFile}.new`, portFile);
