// SPDX-License-Identifier: Apache-2.0
// azure-client.md 2: access tokens.
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { check, suite } from './lib/cases.mjs';
import { suiteServer } from './lib/server.mjs';
import { pass } from './lib/time.mjs';
import {
  ALL, PRIMARY, SECONDARY, STRANGER, b64, claims, lastMoment, now, sign,
} from './lib/token.mjs';

const server = suiteServer({
  endpoints: ['https://pubsub.example.com'],
  hubs: { '*': { anonymous: 'deny' } },
});
const minutes = 60;
const make = (more = {}, how) => sign(claims({ origin: server.origin, ...more }), how);
const accepts = async (token, options = {}) => assert.equal(await server.status({ token, ...options }), 101);
const refuses = async (token, what, status = 401) => {
  const refusal = await server.refused({ token });
  assert.equal(refusal.status, status, what);
  if (status === 401) assert.match(refusal.headers['www-authenticate'], /^Bearer/);
  for (const part of token.split('.')) {
    if (part.length > 10) assert.equal(refusal.body.includes(part), false, 'the body repeats the token');
  }
};

suite('tokens', () => {
  check('C-25 HS256 with the primary or the secondary key text → accepted; another key → 401', async () => {
    await accepts(make({}, { key: PRIMARY }));
    await accepts(make({}, { key: SECONDARY }));
    await refuses(make({}, { key: STRANGER }), 'a strange key');
    await refuses(make({}, { key: Buffer.from(PRIMARY, 'base64') }), 'the key base64-decoded');
    await refuses(make({}, { key: '' }), 'an empty key');
  });

  check('C-25 a changed signature, a changed payload → 401', async () => {
    const t = make({ user: 'alice' });
    const [h, p, s] = t.split('.');
    await refuses(`${h}.${p}.${s.slice(0, 20)}${s[20] === 'A' ? 'B' : 'A'}${s.slice(21)}`, 'signature');
    await refuses(`${h}.${b64({ ...JSON.parse(Buffer.from(p, 'base64url')), sub: 'root' })}.${s}`, 'payload');
    await refuses(`${h}.${p}.`, 'no signature');
    await refuses(`${h}.${p}`, 'two parts');
  });

  check('C-26 alg none or RS256 → 401', async () => {
    const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    for (const alg of ['none', 'None', 'NONE', 'nOnE']) {
      await refuses(make({}, { header: { alg, typ: 'JWT' } }), alg);
      const [h, p] = make({}, { header: { alg, typ: 'JWT' } }).split('.');
      await refuses(`${h}.${p}.${make().split('.')[2]}`, `${alg} with a signature`);
    }
    await refuses(make({}, { header: { alg: 'RS256', typ: 'JWT' }, key: privateKey }), 'RS256');
    await refuses(make({}, { header: { alg: 'ES256', typ: 'JWT' }, key: ec.privateKey }), 'ES256');
    await refuses(make({}, { header: { alg: 'HS384', typ: 'JWT' } }), 'HS384');
    await refuses(make({}, { header: { alg: 'HS512', typ: 'JWT' } }), 'HS512');
    await refuses(make({}, { key: publicKey.export({ type: 'spki', format: 'pem' }) }), 'HS256 with a public key');
    await refuses(make({}, { header: { typ: 'JWT' } }), 'no alg');
    await refuses(make({}, { header: { alg: 256, typ: 'JWT' } }), 'alg a number');
  });

  check('C-27 missing exp → 401; exp 4 minutes ago → accepted; 6 minutes ago → 401', async () => {
    await refuses(make({ exp: undefined }), 'no exp');
    await accepts(make({ exp: now() - 4 * minutes }));
    await refuses(make({ exp: now() - 6 * minutes }), 'expired');
    await accepts(make({ exp: now() + 60.5 }));
    await accepts(make({ exp: 4102444800 }));
    for (const exp of ['4102444800', null, true, [4102444800], {}]) {
      await refuses(make({ exp }), `exp ${JSON.stringify(exp)}`);
    }
  });

  check('C-28 nbf 4 minutes ahead → accepted; 6 minutes ahead → 401', async () => {
    await accepts(make({ nbf: now() + 4 * minutes }));
    await refuses(make({ nbf: now() + 6 * minutes }), 'not yet');
    await refuses(make({ nbf: 'soon' }), 'nbf a string');
  });

  check('C-29 aud: ws scheme, another hub, trailing slash → 401; upper-case host, array → accepted', async () => {
    const path = '/client/hubs/chat';
    const at = `127.0.0.1:${server.port}`;
    await refuses(make({ aud: `ws://${at}${path}` }), 'ws');
    await refuses(make({ aud: `wss://${at}${path}` }), 'wss');
    await refuses(make({ aud: `${server.origin}/client/hubs/other` }), 'hub');
    await refuses(make({ aud: `${server.origin}${path}/` }), 'slash');
    await refuses(make({ aud: `${server.origin}${path}?x=1` }), 'query');
    await refuses(make({ aud: server.origin }), 'no path');
    await refuses(make({ aud: `${server.origin}/clients/mqtt/hubs/chat` }), 'mqtt');
    await refuses(make({ aud: undefined }), 'no aud');
    await refuses(make({ aud: 7 }), 'a number');
    await refuses(make({ aud: [] }), 'an empty list');
    await refuses(make({ aud: 'http://elsewhere.example.com/client/hubs/chat' }), 'host');
    await accepts(make({ aud: ['http://x.example/', `${server.origin}${path}`] }));
    await accepts(make({ aud: `${server.origin}/client/hubs/CHAT` }));
    await accepts(make({ aud: `http://${at}${path}` }));
    await accepts(make({ aud: `https://${at}${path}` }));
    await accepts(make({ aud: `HTTP://${at}${path}` }));
    await accepts(make({ aud: `http://LOCALHOST:${server.port}${path}` }), { headers: { host: `localhost:${server.port}` } });
    await accepts(make({ aud: 'https://pubsub.example.com/client/hubs/chat' }));
    await accepts(make({ aud: 'http://PubSub.Example.com/client/hubs/chat' }));
    await accepts(make({ aud: 'http://pubsub.example.com/client/hubs/chat' }), { headers: { host: 'internal:99' } });
  });

  check('C-30 iss, kid, unknown claims do not matter', async () => {
    await accepts(make({ iss: 'anybody', jti: 'x', azp: { deep: [1, null, { x: true }] }, n: 1.5, z: null },
      { header: { alg: 'HS256', typ: 'JWT', kid: 's-1' } }));
    await accepts(make({}, { header: { alg: 'HS256' } }));
  });

  check('C-31 a token expiring after connect does not close the connection', async () => {
    const c = await lastMoment((exp) => server.json({ token: make({ exp, role: ALL }) }));
    await pass(3500);
    await c.join('late');
    assert.equal(await server.status({ token: make({ exp: now() - 302 }) }), 401);
  });

  check('C-32 role and webpubsub.group accept a string and an array', async () => {
    const one = await server.json({ token: make({ roles: 'webpubsub.joinLeaveGroup.a', groups: 'g1' }) });
    await one.join('a');
    const two = await server.json({ token: make({ roles: ['webpubsub.sendToGroup.g1', 'webpubsub.sendToGroup.g2', 'no.such.role'], groups: ['g1', 'g2', 'g1'] }) });
    await two.publish('g1', 'x');
    assert.equal((await one.json()).data, 'x');
    assert.equal((await two.json()).data, 'x');
    await two.publish('g2', 'y');
    assert.deepEqual((await two.json()).data, 'y');
    assert.deepEqual(await two.fence(), [], 'a group named twice delivers once');
    assert.deepEqual(await one.fence(), []);
  });

  check('C-33 a group of 1025 characters in the token → 400', async () => {
    for (const groups of ['x'.repeat(1025), ['ok', ''], ['   ']]) {
      const refusal = await server.refused({ token: make({ groups }) });
      assert.equal(refusal.status, 400);
      assert.equal(refusal.body.trim(), 'The token contains an invalid group name.');
    }
    await accepts(make({ groups: 'x'.repeat(1024) }));
    await accepts(make({ groups: '€'.repeat(1024) }));
    await accepts(make({ groups: '😀'.repeat(512) }));
    assert.equal(await server.status({ token: make({ groups: '😀'.repeat(513) }) }), 400);
  });

  check('C-34 token without sub → accepted; nameid gives the user id', async () => {
    assert.equal((await server.json({ token: make() })).connected.userId, null);
    assert.equal((await server.json({ token: make({ nameid: 'bob' }) })).connected.userId, 'bob');
    assert.equal((await server.json({ token: make({ sub: 'alice', nameid: 'bob' }) })).connected.userId, 'alice');
    assert.equal((await server.json({ token: make({ sub: '' }) })).connected.userId, null);
    assert.equal((await server.json({ token: make({ sub: 'ünï/ço"de\\ 😀' }) })).connected.userId, 'ünï/ço"de\\ 😀');
  });

  check('2.1 oversized and malformed tokens → 401', async () => {
    for (const [what, token] of Object.entries({
      big: make({ filler: 'x'.repeat(9000) }),
      dots: '...', dot: '.', words: 'a b c', one: 'abc', four: `${make()}.x`, leading: `.${make()}`,
      padded: `${make()}=`, star: `${make()}*`, array: sign('[1]'), text: sign('"x"'), junk: sign('{"a":1'),
      notJson: sign('no json at all'), trailing: sign(`${JSON.stringify(claims({ origin: server.origin }))}x`),
    })) {
      assert.equal(await server.status({ token }), 401, what);
    }
  });

  check('2.2 a token of a size that fits the request line is accepted', async () => {
    await accepts(make({ roles: Array.from({ length: 100 }, (x, i) => `webpubsub.sendToGroup.room-${i}`) }));
  });
});
