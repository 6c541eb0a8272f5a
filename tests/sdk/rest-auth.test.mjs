// SPDX-License-Identifier: Apache-2.0
// azure-server.md 8 and 7.13: who may use the REST API, and the tokens that it
// gives to clients.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { check, suite } from './lib/cases.mjs';
import {
  Rest, claimsOf, data, fresh, headerOf, restIn, restServer, service, to,
} from './lib/rest.mjs';
import { Handler } from './lib/handler.mjs';
import { configuration } from './lib/server.mjs';
import {
  EMULATOR_KEY, PRIMARY, SECONDARY, STRANGER, now, remember, sign,
} from './lib/token.mjs';

const server = restServer();
const rest = new Rest(server);
const TEXT = { body: 'x', type: 'text/plain' };
const SEND = '/api/hubs/chat/:send';
const PUBLIC = 'https://pubsub.example.com';

const bearer = (claims, how) => `Bearer ${sign({ exp: now() + 600, ...claims }, how)}`;
const aud = (path = SEND, origin = server.origin) => `${origin}${path}`;
const ask = (auth, { r = rest, path = SEND, ...options } = {}) => r.ask('POST', path, { ...TEXT, auth, ...options });
async function accepted(auth, what, options) {
  const a = await ask(auth, options);
  assert.equal(a.status, 202, `${what}: ${a.status} ${a.body}`);
}
async function refused(auth, what, options) {
  const a = await ask(auth, options);
  assert.deepEqual([a.status, a.body, a.headers['content-length'], a.headers['www-authenticate'], a.headers['retry-after']], [401, '', '0', 'Bearer', undefined], what);
}

suite('REST authentication', () => {
  check('S-3 either key, by its text as it is; no other', async () => {
    for (const key of [PRIMARY, SECONDARY]) await accepted(bearer({ aud: aud() }, { key }), 'key');
    await refused(bearer({ aud: aud() }, { key: STRANGER }), 'a stranger');
    await refused(bearer({ aud: aud() }, { key: '' }), 'an empty key');
  });

  check('S-2 the key is its bytes, not base64 of them', async (t) => {
    const key = Buffer.from('0123456789abcdefghijklmnopqrstuvwxyz').toString('base64');
    remember(key);
    const one = await restIn(t, { keys: [key] });
    const r = new Rest(one);
    await accepted(bearer({ aud: aud(SEND, one.origin) }, { key }), 'its text', { r });
    await refused(bearer({ aud: aud(SEND, one.origin) }, { key: Buffer.from(key, 'base64') }), 'decoded', { r });
    assert.equal((await one.json({ token: one.token({ user: 'u' }, { key }) })).connected.userId, 'u');
  });

  check('S-109 audience: query, fragment, slash, scheme, case of the host', async () => {
    const query = { query: { excluded: 'x' } };
    for (const a of [aud(), `${aud()}?excluded=x&api-version=2024-12-01`, `${aud()}?other=1`, `${aud()}#f`, `${aud()}/`, `${aud()}/?a=b`, aud(SEND, server.wsOrigin), aud(SEND, server.wsOrigin.replace('ws', 'wss')),
      aud(SEND, server.origin.replace('http', 'https')), aud(SEND, server.origin.replace('http', 'HTTP')), aud('/api/hubs/chat/%3Asend')]) await accepted(bearer({ aud: a }), a, query);
    for (const a of [aud(`${SEND}/x`), aud('/api/hubs/chat'), aud('/api/hubs/chat/'), aud('/'), aud(''), aud('/api/hubs/other/:send'), aud('/api/hubs/chat/:Send'), aud('/api/hubs/chat/groups/g/:send'), aud('/x/api/hubs/chat/:send'),
      aud(`${SEND}//`), aud(SEND, 'http://other.example.com'), aud(SEND, `http://127.0.0.1:${server.port + 1}`), aud(SEND, 'http://127.0.0.1'), aud(SEND, `ftp://127.0.0.1:${server.port}`), SEND, `127.0.0.1:${server.port}${SEND}`, 'nonsense', '',
      aud(SEND, `http://x@127.0.0.1:${server.port}`), aud(SEND, `http://127.0.0.1:${server.port}.example.com`)]) await refused(bearer({ aud: a }), a, query);
  });

  check('S-109 the path is compared as it is or decoded once', async () => {
    const path = '/api/hubs/chat/groups/room%201%2F%C3%BC/:send';
    for (const a of [path, '/api/hubs/chat/groups/room 1/ü/:send', '/api/hubs/chat/groups/room 1%2Fü/:send', '/api/hubs/chat/groups/room%201%2f%c3%bc/%3Asend']) await accepted(bearer({ aud: aud(a) }), a, { path });
    for (const a of ['/api/hubs/chat/groups/room%25201%2F%C3%BC/:send', '/api/hubs/chat/groups/room+1%2F%C3%BC/:send', '/api/hubs/chat/groups/Room%201%2F%C3%BC/:send']) await refused(bearer({ aud: aud(a) }), a, { path });
    // Hubs ignore case, audiences do not.
    await accepted(bearer({ aud: aud('/api/hubs/CHAT/:send') }), 'CHAT', { path: '/api/hubs/CHAT/:send' });
  });

  check('S-113 aud as an array with one that matches', async () => {
    await accepted(bearer({ aud: ['https://else.example.com/', aud()] }), 'second');
    await accepted(bearer({ aud: [aud()] }), 'only');
    for (const a of [[], ['https://else.example.com/'], [1], [[aud()]], { 0: aud() }, 1, null, true]) await refused(bearer({ aud: a }), JSON.stringify(a));
  });

  check('S-111 algorithms, lifetimes, what must be there', async () => {
    for (const alg of ['none', 'None', 'HS512', 'HS384', 'RS256', 'hs256', '']) {
      const header = { alg, typ: 'JWT' };
      const how = /^RS/.test(alg) ? undefined : { header };
      const auth = how ? bearer({ aud: aud() }, how) : `Bearer ${Buffer.from(JSON.stringify(header)).toString('base64url')}.${bearer({ aud: aud() }).split('.')[1]}.AAAA`;
      await refused(auth, alg);
    }
    await accepted(bearer({ aud: aud() }, { header: { alg: 'HS256', kid: 'unknown', cty: 'x' } }), 'kid');
    await accepted(bearer({ aud: aud(), exp: now() - 120 }), 'expired 2 minutes ago');
    await refused(bearer({ aud: aud(), exp: now() - 600 }), 'expired 10 minutes ago');
    await accepted(bearer({ aud: aud(), nbf: now() + 120 }), 'not before 2 minutes');
    await refused(bearer({ aud: aud(), nbf: now() + 600 }), 'not before 10 minutes');
    await accepted(bearer({ aud: aud(), iat: now() + 86400, iss: 'x', sub: 'y', role: 'z', 'http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name': 'n' }), 'others do not count');
    await refused(bearer({ aud: aud(), exp: undefined }), 'no exp');
    for (const exp of [null, '9999999999', {}, -1, 0]) await refused(bearer({ aud: aud(), exp }), `exp ${JSON.stringify(exp)}`);
    await refused(bearer({}), 'no aud');
    await refused(`Bearer ${sign('[]')}`, 'no object');
  });

  check('7.3 malformed credentials', async () => {
    const good = bearer({ aud: aud() });
    const token = good.slice(7);
    await accepted(`bearer ${token}`, 'lower case');
    await accepted(`BEARER ${token}`, 'upper case');
    for (const auth of [null, '', 'Bearer', 'Bearer ', token, `Basic ${token}`, `Bearer ${token.slice(0, -1)}`, `Bearer ${token}x`, `Bearer ${token.replace('.', '')}`, `Bearer ${token}.`, 'Bearer a.b.c', `Bearer x${token}`, `Bearer ${'x'.repeat(9000)}`,
      `Digest ${token}`, `Bearer "${token}"`]) await refused(auth, String(auth).slice(0, 20));
    await refused(null, 'access_token in the query', { query: { access_token: token } });
    await refused(null, 'two headers', { headers: [['Authorization', 'Bearer x'], ['Authorization', good]] });
  });

  check('S-112 a client token is refused on REST, a REST token on the client endpoint', async () => {
    await refused(`Bearer ${server.token({ user: 'u' })}`, 'a client token');
    const hub = '/client/hubs/chat';
    assert.equal(await server.status({ token: sign({ aud: aud(), exp: now() + 60 }) }), 401);
    assert.equal(await server.status({ token: sign({ aud: aud(hub), exp: now() + 60 }) }), 101);
    await refused(bearer({ aud: aud(hub) }), 'for the client endpoint');
  });

  check('S-109 without endpoints it is the Host header that counts; default ports', async () => {
    for (const [host, origin] of [['foo.example', 'http://foo.example'], ['foo.example', 'http://FOO.example:80'], ['Foo.Example:80', 'http://foo.example'], ['foo.example', 'https://foo.example:443'], ['foo.example:8080', 'wss://foo.example:8080'], ['[::1]:99', 'http://[::1]:99']]) {
      await accepted(bearer({ aud: aud(SEND, origin) }), `${host} ${origin}`, { host });
    }
    for (const [host, origin] of [['foo.example', 'http://bar.example'], ['foo.example:8080', 'http://foo.example'], ['foo.example', 'http://foo.example:8080'], ['foo.example', 'http://foo.example.com']]) {
      await refused(bearer({ aud: aud(SEND, origin) }), `${host} ${origin}`, { host });
    }
  });

  check('S-108 the test token of section 8', async (t) => {
    const one = await restIn(t, { keys: [EMULATOR_KEY], endpoints: [PUBLIC] });
    const r = new Rest(one);
    const token = 'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJhdWQiOiJodHRwczovL3B1YnN1Yi5leGFtcGxlLmNvbS9hcGkvaHVicy9jaGF0LzpzZW5kIiwiZXhwIjo0MTAyNDQ0ODAwfQ.0wFhpY8_yaN-ZuHA7yOvbu_HBF_dolSxupC6Tb5emNI';
    remember(token);
    await accepted(`Bearer ${token}`, ':send', { r });
    await refused(`Bearer ${token}`, 'a group', { r, path: '/api/hubs/chat/groups/g/:send' });
  });

  check('S-115 requests as the Python, .NET and Java SDKs make them (7.16)', async () => {
    const hub = fresh();
    const r = new Rest(server, { hub });
    const c = await server.json({ hub, user: 'u' });
    const url = (path, query = '') => `${server.origin}/api/hubs/${hub}/${path}?${query}api-version=2024-12-01`;
    const python = (path, query) => bearer({ aud: url(path, query), iat: now(), exp: now() + 60, 'http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name': 'x' });
    const net = (path, query) => bearer({ nbf: now(), iat: now(), exp: now() + 300, aud: url(path, query) }, { header: { alg: 'HS256', kid: '-1234567890', typ: 'JWT' } });
    const id = { 'x-ms-client-request-id': 'a-b-c', 'x-ms-return-client-request-id': 'true', 'User-Agent': 'azsdk-net-Messaging.WebPubSub/1.5.0' };
    const json = { Accept: 'application/json, text/json', 'Accept-Encoding': 'gzip, deflate' };
    await r.must(202, 'POST', ':send', { auth: python(':send'), body: '{"by": "python"}', type: 'application/json', headers: json });
    await r.must(202, 'POST', 'users/u/:send', { auth: net('users/u/:send'), body: 'net', type: 'text/plain', headers: id });
    await r.must(202, 'POST', ':send', { auth: python(':send', 'excluded=a&excluded=b&filter=userId%20eq%20%27u%27&'), query: 'excluded=a&excluded=b&filter=userId%20eq%20%27u%27', body: 'java', type: 'text/plain; charset=utf-8' });
    for (const headers of [{ ...json, 'Content-Length': 0 }, id]) {
      const path = `groups/g/connections/${c.connectionId}`;
      const a = await r.must(200, 'PUT', path, { auth: net(path), headers });
      assert.equal(a.headers['x-ms-client-request-id'], headers['x-ms-client-request-id']);
      await r.must(204, 'DELETE', path, { auth: python(path), headers });
    }
    assert.deepEqual(await data(c), [{ by: 'python' }, 'net', 'java']);
    // Their client tokens: the host in lower case, claims in another order, texts for arrays.
    const client = `${server.origin.toLowerCase()}/client/hubs/${hub}`;
    for (const claims of [{ aud: client, iat: now(), exp: now() + 3600, sub: 'p', role: ['webpubsub.joinLeaveGroup'], 'webpubsub.group': ['g'] }, { sub: 'p', role: 'webpubsub.joinLeaveGroup', 'webpubsub.group': 'g', nbf: now(), exp: now() + 3600, iat: now(), aud: client }]) {
      const p = await server.json({ hub, token: sign(claims) });
      await r.send(to.group('g'), 'in');
      assert.deepEqual([p.connected.userId, await data(p)], ['p', ['in']]);
      await p.leave('g');
    }
  });

  check('S-110 behind a reverse proxy: aud on a configured endpoint, Host of the proxy', async (t) => {
    const one = await restIn(t, { endpoints: [PUBLIC, 'http://pubsub.internal:8888', 'http://plain.example.com'] });
    const r = new Rest(one);
    const host = 'proxy.internal:9999';
    for (const origin of [PUBLIC, 'http://pubsub.example.com:443', 'http://pubsub.internal:8888', 'https://plain.example.com:80', 'https://PUBSUB.example.com']) {
      await accepted(bearer({ aud: aud(SEND, origin) }), origin, { r, host });
    }
    for (const origin of [`http://${host}`, one.origin, 'https://pubsub.example.com:8443', 'http://pubsub.internal']) await refused(bearer({ aud: aud(SEND, origin) }), origin, { r, host });
    await refused(bearer({ aud: aud(SEND, one.origin) }), 'Host is not asked', { r });
    if (one.secure) return;
    // The SDK signs for its endpoint and asks the proxy.
    const hub = fresh();
    const s = service(one, hub, { endpoint: 'http://plain.example.com', reverseProxyEndpoint: one.origin });
    const { token } = await s.getClientAccessToken({ userId: 'u' });
    remember(token);
    const c = await one.json({ hub, token });
    await s.sendToAll('hello', { contentType: 'text/plain' });
    assert.deepEqual(await data(c), ['hello']);
    assert.equal(await s.userExists('u'), true);
  });

  check('S-110 listings and tokens name the public endpoint', async (t) => {
    const one = await restIn(t, { endpoints: ['https://pubsub.example.com/'] });
    const hub = fresh();
    const r = new Rest(one, { hub });
    const options = { origin: PUBLIC };
    for (let i = 0; i < 3; i++) await one.json({ hub, origin: PUBLIC, groups: ['g/1'] });
    const page = (await r.must(200, 'GET', 'groups/g%2F1/connections', { query: { maxpagesize: 2 }, ...options })).json;
    assert.ok(page.nextLink.startsWith(`${PUBLIC}/api/hubs/${hub}/groups/g%2F1/connections?`), page.nextLink);
    const rest2 = await r.must(200, 'GET', page.nextLink.slice(PUBLIC.length), { version: null, auth: bearer({ aud: page.nextLink }) });
    assert.equal(rest2.json.value.length, 1);
    const { token } = (await r.must(200, 'POST', ':generateToken', options)).json;
    remember(token);
    assert.equal(claimsOf(token).aud, `${PUBLIC}/client/hubs/${hub}`);
    assert.ok(await one.json({ hub, token }));
  });

  check('S-4 SIGHUP with a new secondary key: the old one is refused at once, no client is dropped', async (t) => {
    const one = await restIn(t, { keys: [PRIMARY, SECONDARY], workers: 4 });
    const r = new Rest(one);
    const clients = await Promise.all([PRIMARY, SECONDARY].map((key) => one.json({ token: one.token({ user: 'u' }, { key }) })));
    const line = await r.kept();
    assert.equal((await line.ask('POST', ':send', { ...TEXT, key: SECONDARY })).status, 202);
    writeFileSync(one.file, JSON.stringify(configuration({ ...one.options.config, keys: [PRIMARY, STRANGER] })), { mode: 0o600 });
    one.child.kill('SIGHUP');
    await one.logged((l) => /SIGHUP: access keys/.test(l.msg ?? JSON.stringify(l)), { what: 'the reload' });
    assert.equal((await line.ask('POST', ':send', { ...TEXT, key: SECONDARY })).status, 401, 'the old secondary');
    assert.equal(await one.status({ token: one.token({}, { key: SECONDARY }) }), 401);
    for (const key of [PRIMARY, STRANGER]) {
      assert.equal((await r.ask('POST', ':send', { ...TEXT, key })).status, 202);
      assert.equal(await one.status({ token: one.token({}, { key }) }), 101);
    }
    for (const c of clients) assert.deepEqual(await data(c), ['x', 'x', 'x']);
    line.end();
  });

  check('7.3 403 for a reader that writes: no body', async (t) => {
    const [reader, owner] = ['reader', 'owner'].map((w) => `${w}-api-key-of-the-tests-0123456789-abcdefgh`);
    remember(reader);
    remember(owner);
    const one = await restIn(t, {
      plugins: { 'auth-static': { keys: [{ key: reader, roles: ['webpubsubd.reader'] }, { key: owner, roles: ['webpubsubd.owner'] }, { key: `client-${owner}`, roles: ['webpubsub.sendToGroup'] }] } },
    });
    const r = new Rest(one);
    const as = async (key, method, path, options) => (await r.ask(method, path, { auth: null, headers: { 'X-API-Key': key }, ...options }));
    for (const [method, path, status] of [['HEAD', 'users/u', 404], ['HEAD', 'groups/g', 404], ['HEAD', 'connections/c', 404], ['GET', 'groups/g/connections', 200]]) {
      for (const key of [reader, owner]) assert.equal((await as(key, method, path)).status, status, `${method} ${path}`);
    }
    for (const [method, path, status, options] of [['POST', ':send', 202, TEXT], ['PUT', 'users/u/groups/g', 404], ['DELETE', 'connections/c', 204], ['POST', ':generateToken', 200], ['POST', ':closeConnections', 204]]) {
      const a = await as(reader, method, path, options);
      assert.deepEqual([a.status, a.body, a.headers['retry-after']], [403, '', undefined], `${method} ${path}`);
      const b = await as(owner, method, path, options);
      assert.equal(b.status, status, `${method} ${path}`);
      if (b.json?.token) remember(b.json.token);
      assert.equal((await as(`client-${owner}`, method, path, options)).status, 403);
    }
    assert.equal((await as('x'.repeat(40), 'POST', ':send', TEXT)).status, 401);
  });

  check('S-114 without access keys, tokens signed with one get 401, events have no ce-signature, generated tokens work', async (t) => {
    const owner = 'owner-api-key-of-the-tests-without-access-keys';
    remember(owner);
    const app = await Handler.start();
    const one = await restIn(t, {
      keys: [],
      plugins: { 'upstream-webhook': {}, 'auth-static': { keys: [{ key: owner, roles: ['webpubsubd.owner'] }] } },
      hubs: { chat: { anonymous: 'deny', event_handlers: [app.all()] } },
    });
    const r = new Rest(one);
    for (const key of [PRIMARY, SECONDARY]) {
      await refused(bearer({ aud: aud(SEND, one.origin) }, { key }), 'a key of before', { r });
      assert.equal(await one.status({ token: one.token({}, { key }) }), 401);
    }
    const generated = await r.ask('POST', ':generateToken', { query: { userId: 'u' }, auth: null, headers: { 'X-API-Key': owner } });
    assert.equal(generated.status, 200, generated.body);
    remember(generated.json.token);
    assert.equal((await one.json({ token: generated.json.token })).connected.userId, 'u');
    const [connect] = await app.wait({ method: 'POST' });
    assert.equal(connect.headers['ce-signature'], undefined);
    assert.equal(connect.headers['ce-eventname'], 'connect');
  });

  check('S-131 what is refused is in the log without the token', async () => {
    const from = server.lines.length;
    await refused(bearer({ aud: aud('/api/hubs/chat/:other') }), 'audience');
    const record = await server.logged((r) => /audience/i.test(JSON.stringify(r)), { from, what: 'the cause' });
    assert.ok(!/eyJ/.test(JSON.stringify(record)));
  });
});

const generate = async (r, query, options) => {
  const a = await r.must(200, 'POST', ':generateToken', { query, ...options });
  assert.equal(a.headers['content-type'], 'application/json; charset=utf-8');
  assert.deepEqual(Object.keys(a.json), ['token']);
  remember(a.json.token);
  return a.json.token;
};

suite('REST generateToken', () => {
  check('S-96 without parameters: 60 minutes, the claims of 7.13; it connects a client', async () => {
    const hub = fresh('Hub');
    const r = new Rest(server, { hub });
    const token = await generate(r, {});
    const claims = claimsOf(token);
    assert.deepEqual(Object.keys(claims).sort(), ['aud', 'exp', 'iat', 'iss', 'nbf']);
    assert.ok(Math.abs(claims.nbf - now()) <= 2);
    assert.deepEqual([claims.iat, claims.exp - claims.nbf, claims.aud, typeof claims.iss], [claims.nbf, 3600, `${server.origin}/client/hubs/${hub.toLowerCase()}`, 'string']);
    const header = headerOf(token);
    assert.deepEqual([header.alg, header.typ], ['HS256', 'JWT']);
    assert.match(header.kid, /^s-/);
    const c = await server.json({ hub, token });
    assert.equal(c.connected.userId, null);
    assert.equal((await c.ask({ type: 'joinGroup', group: 'g' })).error.name, 'Forbidden');
    assert.equal(await server.status({ hub: fresh(), token }), 401, 'another hub');
    await refused(`Bearer ${token}`, 'REST');
  });

  check('S-98 role=a&role=b&group=c become arrays; they count', async () => {
    const hub = fresh();
    const r = new Rest(server, { hub });
    const query = { userId: 'föö "1"', role: ['webpubsub.joinLeaveGroup', 'webpubsub.sendToGroup.g 1'], group: ['a&b', 'c'], minutesToExpire: 5, clientType: 'default' };
    const token = await generate(r, query);
    const claims = claimsOf(token);
    assert.deepEqual([claims.sub, claims.role, claims['webpubsub.group'], claims.exp - claims.nbf], [query.userId, query.role, query.group, 300]);
    const one = claimsOf(await generate(r, { role: 'a', group: 'c' }));
    assert.deepEqual([one.role, one['webpubsub.group'], one.sub], [['a'], ['c'], undefined]);
    const c = await server.json({ hub, token });
    assert.equal(c.connected.userId, query.userId);
    for (const group of query.group) await r.send(to.group(group), group);
    assert.deepEqual(await data(c), query.group);
    assert.equal((await c.ask({ type: 'sendToGroup', group: 'g 1', data: 1 })).success, true);
    assert.equal((await c.ask({ type: 'sendToGroup', group: 'g 2', data: 1 })).success, false);
  });

  check('S-97 clientType decides the audience, in any case', async () => {
    const r = new Rest(server);
    for (const [type, path] of [['Default', 'client/hubs'], ['DEFAULT', 'client/hubs'], ['mqtt', 'clients/mqtt/hubs'], ['MQTT', 'clients/mqtt/hubs'], ['socketio', 'clients/socketio/hubs'], ['SocketIO', 'clients/socketio/hubs']]) {
      const token = await generate(r, { clientType: type });
      assert.equal(claimsOf(token).aud, `${server.origin}/${path}/chat`);
      assert.equal(await server.status({ token }), path === 'client/hubs' ? 101 : 401, type);
    }
  });

  check('S-96 minutesToExpire has no maximum', async () => {
    const r = new Rest(server);
    for (const minutes of [1, 525600, 2147483647]) {
      const claims = claimsOf(await generate(r, { minutesToExpire: minutes }));
      assert.equal(claims.exp - claims.nbf, minutes * 60);
    }
    assert.equal((await server.json({ token: await generate(r, { minutesToExpire: 2147483647 }) })).connected.event, 'connected');
  });

  check('S-99 generated tokens survive the rotation of both access keys', async (t) => {
    const service_key = 'service-key-of-the-tests-0123456789-abcdefgh';
    remember(service_key);
    const keys = (name) => [0, 1].map((i) => `${name}-${i}-access-key-of-the-tests-0123456789`);
    const endpoints = [PUBLIC];
    const [before, after, stranger] = [
      await restIn(t, { endpoints, service_key, keys: keys('old') }), await restIn(t, { endpoints, service_key, keys: keys('new') }), await restIn(t, { endpoints, keys: keys('old') })];
    const token = await generate(new Rest(before), { userId: 'u' }, { origin: PUBLIC, key: keys('old')[1] });
    assert.equal((await before.json({ token })).connected.userId, 'u');
    assert.equal((await after.json({ token })).connected.userId, 'u');
    assert.equal(await stranger.status({ token }), 401, 'another service key');
    await before.stop();
    assert.equal((await after.json({ token })).connected.userId, 'u');
    // The keys themselves no more.
    const old = sign({ aud: `${PUBLIC}/client/hubs/chat`, exp: now() + 60 }, { key: keys('old')[0] });
    assert.equal(await after.status({ token: old }), 401);
  });

  check('7.13 tokens are not to be cached', async () => {
    const a = await rest.must(200, 'POST', ':generateToken');
    remember(a.json.token);
    assert.match(a.headers['cache-control'] ?? '', /no-store/);
  });
});
