// SPDX-License-Identifier: Apache-2.0
// auth-static, and the order of several auth plugins.
import assert from 'node:assert/strict';

import { writeFileSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { check, suite } from './lib/cases.mjs';
import { Rest, restIn } from './lib/rest.mjs';
import { Server, TOOL, suiteServer, testServer } from './lib/server.mjs';
import { ALL, now, remember, sign } from './lib/token.mjs';
import { JSON_V1 } from './lib/wsclient.mjs';

const KEY = 'an-api-key-of-a-device-with-more-than-32-bytes';
const OTHER = 'another-api-key-of-a-device-with-32-bytes-more';
const PASSWORD = 'correct horse: battery';
remember(KEY); remember(OTHER); remember(PASSWORD);
const basic = (user, password) => `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;

const entries = {
  iterations: 20000,
  keys: [
    { key: KEY, user_id: 'device-1', roles: ALL, groups: ['fleet'] },
    { key: 'env:SDK_TEST_DEVICE_KEY', hubs: ['fleet'] },
  ],
  users: [{ name: 'ann', secret: PASSWORD, roles: ['webpubsub.joinLeaveGroup.x'] }],
};
const server = suiteServer({ plugins: { 'auth-static': entries } }, { env: { SDK_TEST_DEVICE_KEY: OTHER } });
const open = (options) => server.json({ token: null, ...options });
const status = (options) => server.status({ token: null, protocols: JSON_V1, ...options });

suite('auth-static', () => {
  check('an API key in the header or the query gives user, roles and groups', async () => {
    const a = await open({ headers: { 'x-api-key': KEY } });
    assert.equal(a.connected.userId, 'device-1');
    const b = await open({ query: { api_key: KEY } });
    await a.publish('fleet', 'hello');
    assert.equal((await b.json()).data, 'hello');
    assert.equal((await a.json()).fromUserId, 'device-1');
  });

  check('wrong keys → 401', async () => {
    for (const key of ['x', `${KEY}x`, KEY.slice(0, -1), KEY.toUpperCase(), 'x'.repeat(5000)]) {
      assert.equal(await status({ headers: { 'x-api-key': key } }), 401);
    }
    assert.equal(await status({}), 401);
  });

  check('a key for some hubs only → 403 elsewhere', async () => {
    const c = await open({ hub: 'fleet', headers: { 'x-api-key': OTHER } });
    assert.equal(c.connected.userId, null);
    assert.equal((await c.ask({ type: 'joinGroup', group: 'x' })).error.name, 'Forbidden');
    assert.equal(await status({ hub: 'chat', headers: { 'x-api-key': OTHER } }), 403);
  });

  check('name and password', async () => {
    const c = await open({ authorization: basic('ann', PASSWORD) });
    assert.equal(c.connected.userId, 'ann');
    await c.join('x');
    assert.equal((await c.ask({ type: 'joinGroup', group: 'y' })).error.name, 'Forbidden');
    for (const [user, password] of [['ann', 'wrong password'], ['ann', ''], ['bob', PASSWORD], ['', ''], ['ann', `${PASSWORD} `], ['Ann', PASSWORD]]) {
      assert.equal(await status({ authorization: basic(user, password) }), 401, `${user}`);
    }
    for (const value of ['Basic', 'Basic ====', 'Basic YW5u', `Basic ${'A'.repeat(4000)}`]) assert.equal(await status({ authorization: value }), 401, value);
  });

  check('tokens work beside it, whichever comes first in the file', async (t) => {
    assert.equal(await server.status(), 101);
    const s = await testServer(t, {
      plugins: { 'auth-jwt': undefined, 'auth-static': { keys: [{ key: KEY }] }, 'auth-jwt@second': {} },
    });
    assert.equal(await s.status(), 101);
    assert.equal(await s.status({ token: null, headers: { 'x-api-key': KEY } }), 101);
    assert.equal(await s.status({ token: null }), 401);
    assert.equal(await s.status({ token: 'bad' }), 401);
  });

  check('a password may stand in the file as its hash', async (t) => {
    const { code, out, err } = await Server.run(['hash-secret'], { command: TOOL, input: `${PASSWORD}\n` });
    assert.equal(code, 0, err);
    const s = await testServer(t, { plugins: { 'auth-static': { users: [{ name: 'ann', secret_hash: out.trim() }] } } });
    assert.equal(await s.status({ token: null, authorization: basic('ann', PASSWORD) }), 101);
    assert.equal(await s.status({ token: null, authorization: basic('ann', 'wrong password') }), 401);
  });
});

suite('auth-jwt with public keys', () => {
  const folder = mkdtempSync(join(tmpdir(), 'webpubsubd-keys-'));

  check('RS256 and ES256 with configured keys are accepted; C-26 holds for others', async (t) => {
    const { createPublicKey, generateKeyPairSync } = await import('node:crypto');
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const strange = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const pem = (key) => key.export({ type: 'spki', format: 'pem' });
    writeFileSync(join(folder, 'rsa.pem'), pem(rsa.publicKey));
    writeFileSync(join(folder, 'jwks.json'), JSON.stringify({ keys: [{ ...createPublicKey(ec.privateKey).export({ format: 'jwk' }), kid: 'k1', alg: 'ES256', use: 'sig' }] }));
    const s = await testServer(t, { plugins: { 'auth-jwt': { public_keys: [join(folder, 'rsa.pem')], jwks: join(folder, 'jwks.json') } } });
    const rs = (key, header = {}) => s.token({ user: 'r' }, { key, header: { alg: 'RS256', typ: 'JWT', ...header } });
    const es = (key, header = {}) => s.token({ user: 'e' }, { key, header: { alg: 'ES256', typ: 'JWT', ...header } });
    assert.equal((await s.json({ token: rs(rsa.privateKey) })).connected.userId, 'r');
    assert.equal((await s.json({ token: es(ec.privateKey, { kid: 'k1' }) })).connected.userId, 'e');
    assert.equal(await s.status(), 101, 'HS256 goes on');
    assert.equal(await s.status({ token: rs(strange.privateKey) }), 401);
    assert.equal(await s.status({ token: s.token({}, { key: pem(rsa.publicKey) }) }), 401, 'HS256 with the public key');
    assert.equal(await s.status({ token: s.token({}, { key: rsa.privateKey, header: { alg: 'RS384', typ: 'JWT' } }) }), 401);
  });

  check('azure-server.md 8: roles of an identity provider make servers', async (t) => {
    const { generateKeyPairSync } = await import('node:crypto');
    const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const pem = join(folder, 'provider.pem');
    writeFileSync(pem, ec.publicKey.export({ type: 'spki', format: 'pem' }));
    const aud = 'https://webpubsub.azure.com';
    const s = await restIn(t, {
      plugins: {
        'auth-jwt': {
          public_keys: [pem], issuer: 'https://id.example', audience: [aud], owner_roles: ['Web PubSub Service Owner'], reader_roles: ['Web PubSub Service Reader'],
        },
      },
    });
    const token = (more) => `Bearer ${sign({ aud, iss: 'https://id.example', exp: now() + 600, ...more }, { key: ec.privateKey, header: { alg: 'ES256', typ: 'JWT' } })}`;
    const rest = new Rest(s);
    const status = async (method, tail, auth) => {
      const a = await rest.ask(method, tail, { auth, ...(method === 'POST' ? { body: 'x', type: 'text/plain' } : {}) });
      if ([401, 403].includes(a.status)) assert.equal(a.body, '');
      return a.status;
    };
    const owner = token({ roles: ['x', 'Web PubSub Service Owner'] });
    const reader = token({ roles: ['Web PubSub Service Reader'] });
    assert.equal(await status('POST', ':send', owner), 202);
    assert.equal(await status('HEAD', 'users/nobody', owner), 404);
    assert.equal(await status('HEAD', 'users/nobody', reader), 404);
    assert.equal(await status('GET', 'groups/g/connections', reader), 200);
    assert.equal(await status('POST', ':send', reader), 403);
    assert.equal(await status('POST', ':generateToken', reader), 403);
    assert.equal(await status('POST', ':send', token({ roles: ['other'] })), 403);
    assert.equal(await status('HEAD', 'users/nobody', token({})), 403);
    assert.equal(await status('POST', ':send', token({ roles: ['Web PubSub Service Owner'], iss: 'https://other.example' })), 401);
    assert.equal(await status('POST', ':send', token({ roles: ['Web PubSub Service Owner'], aud: 'https://other.example' })), 401);
  });
});
