// SPDX-License-Identifier: Apache-2.0
// Tunnels (azure-server.md 9.1, 9.2): the handshake, events through them, which
// of several gets what, and their ends.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { check, suite } from './lib/cases.mjs';
import { Server, configuration } from './lib/server.mjs';
import { pass, until } from './lib/time.mjs';
import {
  PRIMARY, SECONDARY, STRANGER, now, sign,
} from './lib/token.mjs';
import {
  CONNECTED, STATUS, Tunnel, encode, through, tunnelServer, tunnelServerIn, tunnelUrl,
} from './lib/tunnel.mjs';
import { Client, JSON_V1, Refusal } from './lib/wsclient.mjs';

const HOST = 'pubsub.example.com';
const server = tunnelServer({ endpoints: [`https://${HOST}`], tunnel: { timeout: '30s' } });
// Tokens name the endpoint that is configured.
const WS = `wss://${HOST}`;
const aud = (hub) => `${WS}/server/tunnel?hub=${hub}`;
const open = (hub, options = {}) => Tunnel.open(server, { hub, aud: aud(hub), ...options });
let number = 0;
const fresh = () => `t${++number}`;
const claims = (hub) => ({ origin: `https://${HOST}`, hub });
const json = (hub, options = {}) => server.json({ ...claims(hub), user: 'alice', ...options });

/** A hub with one tunnel that answers everything with fn. */
async function served(fn, options) {
  const hub = fresh();
  const tunnel = (await open(hub, options)).serve(fn);
  return { hub, tunnel };
}

async function refusal(url, options) {
  try {
    const c = await Client.open(url, options);
    await c.drop();
  } catch (error) {
    if (error instanceof Refusal) return error;
    throw error;
  }
  throw new Error('accepted');
}

suite('the handshake', () => {
  check('S-116 the first message is type 10', async () => {
    const t = await open(fresh());
    assert.deepEqual(Object.keys(t.hello.members), ['Type', 'ConnectionId', 'UserId', 'ReconnectionToken', 'TracingId']);
    assert.match(t.id, /^\S+$/);
    assert.equal(t.hello.content, null);
    assert.equal(t.hello.members.UserId, 'app-1');
    assert.equal(t.hello.members.ReconnectionToken, null);
    assert.equal(t.hello.members.TracingId, null);
    const other = await open(fresh(), { sub: null });
    assert.equal(other.hello.members.UserId, null);
    assert.notEqual(other.id, t.id);
  });

  check('S-122 S-116 tokens: 401 before the upgrade', async () => {
    const a = (options) => tunnelUrl(server, { hub: 'a', aud: aud('a'), ...options });
    const status = async (url, options) => (await refusal(url, options)).status;
    assert.equal(await status(a({ token: null })), 401);
    assert.equal(await status(a({ key: STRANGER })), 401);
    assert.equal(await status(a({ claims: { exp: now() - 600 } })), 401);
    assert.equal(await status(a({ token: 'x.y.z' })), 401);
    assert.equal(await status(a({ hub: 'b' })), 401, 'S-122: of hub a for hub b');
    assert.equal(await status(a({ aud: `${WS}/server/tunnel` })), 401, 'without a hub');
    assert.equal(await status(a({ aud: `${WS}/server?hub=a` })), 401, 'another path');
    assert.equal(await status(a({ aud: `${WS}/client/hubs/a` })), 401, 'of a client');
    assert.equal(await status(a({ aud: 'wss://elsewhere.example.com/server/tunnel?hub=a' })), 401, 'another host');
    const client = sign({ aud: `https://${HOST}/client/hubs/a`, iat: now(), exp: now() + 60 });
    assert.equal(await status(a({ token: client })), 401);
  });

  check('S-122 S-116 tokens that are good', async () => {
    for (const scheme of ['ws', 'wss', 'http', 'https']) await open('a', { aud: `${scheme}://${HOST}/server/tunnel?hub=a` });
    await open('a', { key: SECONDARY });
    await open('a', { target: 'node-1', aud: `${aud('a')}&target=node-1` });
    await open('a', { target: 'node-1' });
    const token = sign({ aud: aud('a'), iat: now(), exp: now() + 60 });
    const t = await open('a', { token: null, authorization: `Bearer ${token}` });
    assert.equal(t.hello.type, CONNECTED);
    // The name of a hub is of any case.
    const mixed = await open('MiXed', { aud: aud('mixed') });
    mixed.serve();
    const c = await json('mixed');
    assert.equal(c.connected.event, 'connected');
  });

  check('S-116 no hub: refused; none that can be: 400; no WebSocket: 400', async () => {
    assert.equal((await refusal(tunnelUrl(server, { hub: 'a b', aud: aud('a%20b') }))).status, 400);
    assert.equal((await refusal(tunnelUrl(server, { hub: '1a', aud: aud('1a') }))).status, 400);
    assert.ok([400, 401].includes((await refusal(tunnelUrl(server, { hub: null, query: 'x=1', aud: `${WS}/server/tunnel?x=1` }))).status));
    const token = sign({ aud: aud('a'), iat: now(), exp: now() + 60 });
    const plain = await server.http('/server/tunnel?hub=a', { headers: { Authorization: `Bearer ${token}` } });
    assert.ok([400, 426].includes(plain.status), String(plain.status));
    const post = await server.http('/server/tunnel?hub=a', { method: 'POST', body: '', headers: { Authorization: `Bearer ${token}` } });
    assert.equal(post.status, 405);
  });

  check('S-116 offered subprotocols do no harm, and none is chosen', async () => {
    const token = sign({ aud: aud('a'), iat: now(), exp: now() + 60 });
    for (const offer of ['json.webpubsub.azure.v1, x', '']) {
      const raw = await server.raw();
      try {
        await raw.write(`GET /server/tunnel?hub=a&access_token=${token} HTTP/1.1\r\nHost: ${HOST}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: ${offer}\r\n\r\n`);
        await until(5000, 'the answer', () => raw.data.includes('\r\n\r\n'));
        const head = raw.data.toString('latin1').split('\r\n\r\n')[0];
        assert.match(head, /^HTTP\/1\.1 101 /);
        assert.doesNotMatch(head, /sec-websocket-protocol/i);
      } finally { raw.destroy(); }
    }
  });

  check('no more than max_connections', async (t) => {
    const s = await tunnelServerIn(t, { tunnel: { max_connections: 2 } });
    const first = await Tunnel.open(s, {});
    await Tunnel.open(s, { hub: 'other' });
    assert.equal((await refusal(tunnelUrl(s))).status, 429);
    await first.close();
    await until(5000, 'room', async () => {
      try { await Tunnel.open(s, {}); return true; } catch { return false; }
    });
  });
});

suite('events', () => {
  check('S-17 S-61 an event is a type 1 with the headers of a webhook as arrays', async () => {
    const hub = fresh();
    const t = await open(hub);
    const coming = json(hub, { query: { room: '7' } });
    const r = await t.next();
    const { members } = r;
    assert.deepEqual(Object.keys(members), ['Type', 'AckId', 'HttpMethod', 'Url', 'Headers', 'LocalRouting', 'ChannelName', 'TracingId']);
    assert.equal(members.AckId, 1);
    assert.equal(members.HttpMethod, 'POST');
    assert.equal(members.Url, 'tunnel:///eventhandler/connect');
    assert.equal(members.LocalRouting, false);
    assert.equal(members.ChannelName, '');
    assert.equal(members.TracingId, null);
    const ALL = ['Content-Type', 'WebHook-Request-Origin', 'ce-awpsversion', 'ce-specversion', 'ce-type', 'ce-source', 'ce-id', 'ce-time', 'ce-signature', 'ce-hub', 'ce-connectionId', 'ce-eventName', 'x-ms-client-request-id', 'ce-userId'];
    assert.deepEqual(Object.keys(members.Headers).sort(), [...ALL].sort());
    for (const [name, value] of Object.entries(members.Headers)) assert.ok(Array.isArray(value) && value.length === 1 && typeof value[0] === 'string', name);
    const mac = (key) => `sha256=${createHmac('sha256', key).update(r.conn).digest('hex')}`;
    assert.deepEqual(members.Headers['ce-signature'], [`${mac(PRIMARY)},${mac(SECONDARY)}`], 'one item');
    assert.deepEqual(members.Headers['WebHook-Request-Origin'], [HOST]);
    assert.deepEqual(members.Headers['ce-type'], ['azure.webpubsub.sys.connect']);
    assert.deepEqual(members.Headers['ce-source'], [`/hubs/${hub}/client/${r.conn}`]);
    assert.deepEqual(members.Headers['ce-id'], ['0']);
    assert.deepEqual(members.Headers['ce-userId'], ['alice']);
    assert.deepEqual(members.Headers['Content-Type'], ['application/json; charset=utf-8']);
    assert.deepEqual(Object.keys(r.jsonBody), ['claims', 'query', 'headers', 'subprotocols', 'clientCertificates']);
    assert.deepEqual(r.jsonBody.query, { room: ['7'] });
    t.answer(r, { status: 200, body: '{"userId":"bob","groups":["g"]}' });
    const c = await coming;
    assert.equal(c.connected.userId, 'bob');
    const connected = await t.event('connected');
    assert.equal(connected.members.AckId, 2);
    assert.equal(connected.url, 'tunnel:///eventhandler/connected');
    assert.equal(connected.text, '{}');
    assert.equal(connected.headers['ce-subprotocol'], JSON_V1);
    t.answer(connected);
    c.send({ type: 'event', event: 'order', dataType: 'json', data: { id: 1 }, ackId: 1 });
    const order = await t.event('order');
    assert.equal(order.url, 'tunnel:///eventhandler/order');
    assert.equal(order.text, '{"id":1}');
    assert.equal(order.headers['content-type'], 'application/json');
    assert.equal(order.user, 'bob');
    t.answer(order, { status: 200, headers: { 'content-type': ['application/json'] }, body: '{"ok":true}' });
    assert.deepEqual((await c.type('message')).data, { ok: true });
    assert.equal((await c.type('ack')).success, true);
    await c.close(1000, 'bye');
    const gone = await t.event('disconnected');
    assert.deepEqual(gone.jsonBody, { reason: 'bye' });
    t.answer(gone);
  });

  check('S-17 binary and empty payloads, users of any script, metadata', async () => {
    const { hub, tunnel } = await served((r) => (r.event === 'echo' ? { status: 200, headers: { 'Content-Type': 'application/octet-stream', 'X-WebPubSub-Metadata-Key': ['v'] }, body: r.content } : undefined));
    const c = await json(hub, { user: 'Jürgen 𝄞' });
    await c.did({
      type: 'event', event: 'echo', dataType: 'binary', data: Buffer.from([0, 255, 1]).toString('base64'), metadata: { A: 'x' },
    });
    const back = await c.type('message');
    assert.equal(back.data, 'AP8B');
    assert.deepEqual(back.metadata, { key: 'v' });
    const echo = tunnel.seen.find((r) => r.event === 'echo');
    assert.equal(echo.user, 'Jürgen 𝄞');
    assert.equal(echo.headers['x-webpubsub-metadata-a'], 'x');
    await c.did({ type: 'event', event: 'echo', dataType: 'text', data: '' });
    const empty = tunnel.seen.filter((r) => r.event === 'echo').at(-1);
    assert.equal(empty.content?.length ?? 0, 0);
  });

  check('S-118 a connect event answered 401 refuses the client with 401', async () => {
    for (const [status, seen, body] of [[401, 401, 'no such room'], [403, 403, ''], [500, 500, ''], [302, 500, ''], [100, 500, '']]) {
      const { hub } = await served(() => ({ status, headers: { 'Content-Type': ['text/plain'] }, body: 'no such room' }));
      const answer = await server.refused({ ...claims(hub), protocols: JSON_V1 });
      assert.equal(answer.status, seen, String(status));
      if (body) { assert.equal(answer.body, body); assert.match(answer.headers['content-type'], /text\/plain/); } else if (status >= 500) assert.equal(answer.body, '');
    }
  });

  check('S-118 malformed answers to connect refuse with 500', async () => {
    for (const body of ['{', '[]', '{"groups":"x"}', '{"userId":1}']) {
      const { hub } = await served(() => ({ status: 200, body }));
      assert.equal((await server.refused({ ...claims(hub), protocols: JSON_V1 })).status, 500, body);
    }
  });

  check('S-119 nobody connected: connect 500, an event fails, a simple client is closed', async (t) => {
    assert.equal((await server.refused({ ...claims(fresh()), protocols: JSON_V1 })).status, 500);
    const s = await tunnelServerIn(t, { hubs: { '*': { anonymous: 'deny', event_handlers: [through({ system_events: [] })] } } });
    const c = await s.json({});
    const ack = await c.ask({ type: 'event', event: 'x', data: 1 });
    assert.equal(ack.success, false);
    assert.deepEqual(ack.error, { name: 'InternalServerError', message: 'Internal server error' });
    const simple = await s.simple({});
    simple.send('x');
    assert.equal((await simple.end()).code, 1011);
    await s.logged((l) => /no tunnel of its hub is connected/.test(JSON.stringify(l)));
  });

  check('S-120 a tunnel that is dropped fails what is in flight at once', async () => {
    const hub = fresh();
    const t = (await open(hub)).serve((r) => (r.event === 'stuck' ? null : undefined));
    const c = await json(hub);
    c.send({ type: 'event', event: 'stuck', data: 1, ackId: 1 });
    await until(5000, 'the event', () => t.seen.some((r) => r.event === 'stuck'));
    const since = Date.now();
    await t.drop();
    const ack = await c.type('ack');
    assert.equal(ack.success, false);
    assert.ok(Date.now() - since < 25000, 'not only after the timeout');
    // The client stays, and comes through the next tunnel.
    (await open(hub)).serve();
    await c.did({ type: 'event', event: 'again', data: 1 });
    // The same for a handshake.
    const other = fresh();
    const third = await open(other);
    const refused = server.refused({ ...claims(other), protocols: JSON_V1 });
    await third.next();
    await third.drop();
    assert.equal((await refused).status, 500);
  });

  check('S-123 answers: names in any case, arrays or not, ce-connectionState counts', async () => {
    const states = { one: { 'CE-CONNECTIONSTATE': 'first' }, two: { 'ce-ConnectionState': ['a', 'second'] }, three: { 'ce-connectionState': '' }, four: {}, five: { 'ce-connectionState': null } };
    const { hub, tunnel } = await served((r) => ({ status: 200, headers: r.event === 'connect' ? { 'ce-connectionstate': ['fromConnect'] } : states[r.event] ?? {} }));
    const c = await json(hub);
    for (const event of ['one', 'two', 'three', 'four', 'five']) await c.did({ type: 'event', event, data: 1 });
    const state = (name) => tunnel.seen.find((r) => r.event === name).state;
    assert.equal(state('connect'), undefined);
    assert.deepEqual(['one', 'two', 'three', 'four', 'five'].map(state), ['fromConnect', 'first', 'second', '', '']);
  });

  check('S-123 answers in pieces', async () => {
    const hub = fresh();
    const t = (await open(hub)).serve(() => undefined);
    const c = await json(hub);
    t.fn = (r) => {
      t.answer(r, { status: 200, headers: { 'content-type': ['text/plain'] }, body: 'Hel', more: true });
      t.answer(r, { status: 500, headers: { 'content-type': ['no/type'] }, body: 'lo', more: true });
      t.answer(r, { status: 0 });
      return null;
    };
    await c.did({ type: 'event', event: 'pieces', data: 1 });
    assert.equal((await c.type('message')).data, 'Hello', 'the first one says what it is');
    // Bounded: 17 MiB are too much for one answer.
    const piece = Buffer.alloc(1024 * 1024, 'x');
    t.fn = (r) => { for (let i = 0; i < 17; i++) t.answer(r, { status: 200, body: piece, more: true }); return { status: 200 }; };
    assert.equal((await c.ask({ type: 'event', event: 'long', data: 1 })).success, false);
    t.fn = () => undefined;
    await c.did({ type: 'event', event: 'after', data: 1 });
  });

  check('what first pieces say counts with the pieces: 64 MiB of all answers together', async (x) => {
    const s = await tunnelServerIn(x, { hubs: { '*': { anonymous: 'deny', event_handlers: [through({ system_events: [] })] } } });
    const t = (await Tunnel.open(s, {})).serve(() => null);
    const clients = await Promise.all(Array.from({ length: 12 }, () => s.json({})));
    clients.forEach((c, n) => { for (let i = 0; i < 100; i++) c.send({ type: 'invoke', invocationId: `${n}.${i}`, target: 'event', event: 'e' }); });
    await until(20000, 'the events', () => t.seen.length === 1200);
    const headers = { 'Content-Type': ['text/plain'], 'X-WebPubSub-Metadata-a': ['x'.repeat(60000)] };
    for (const r of t.seen) t.answer(r, { status: 200, headers, body: 'a', more: true });
    for (const r of t.seen) t.answer(r, { status: 200, body: 'b' });
    const said = [];
    for (const c of clients) for (let i = 0; i < 100; i++) said.push((await c.take((m) => m.json?.type === 'invokeResponse', { what: 'an answer', ms: 20000 })).json);
    const good = said.filter((m) => m.success);
    assert.ok(good.every((m) => m.data === 'ab'));
    assert.ok(good.length > 1000 && good.length < 1150, `${good.length} of 1200`);
    // Nothing of it counts any more.
    t.fn = (r) => { t.answer(r, { status: 200, headers, body: 'a', more: true }); t.answer(r, { status: 200, body: 'b' }); return null; };
    await clients[0].did({ type: 'event', event: 'e', data: 1 });
  });

  check('answers to nothing, twice, late, or of no known type do no harm', async (x) => {
    const s = await tunnelServerIn(x, { tunnel: { timeout: '10s' }, hubs: { '*': { anonymous: 'deny', event_handlers: [through({ timeout: '4s', system_events: [] })] } } });
    const t = (await Tunnel.open(s, {})).serve();
    const c = await s.json({});
    t.answer(99999, { status: 200, body: 'x' });
    t.send(3, { Type: 3 });
    t.send(STATUS, { Type: STATUS, Message: '' });
    t.fn = (r) => { t.answer(r); return {}; };
    await c.did({ type: 'event', event: 'twice', data: 1 });
    t.fn = () => null;
    const since = Date.now();
    const ack = await c.ask({ type: 'event', event: 'late', data: 1 });
    assert.equal(ack.success, false);
    assert.ok(Date.now() - since >= 3990);
    t.answer(t.seen.at(-1), { status: 200, body: 'too late' });
    t.fn = () => undefined;
    await c.did({ type: 'event', event: 'after', data: 1 });
    assert.deepEqual((await c.fence()).map((m) => m.json), []);
  });

  check('S-118 connect without an answer in time is a 500', async (x) => {
    const s = await tunnelServerIn(x, { tunnel: { timeout: '200ms' } });
    (await Tunnel.open(s, {})).serve(() => null);
    assert.equal((await s.refused({ protocols: JSON_V1 })).status, 500);
  });

  check('invocations are concurrent, and answered as they are', async () => {
    const later = [];
    const { hub } = await served((r) => {
      if (r.event === 'slow') return new Promise((done) => { later.push(() => done({ status: 200, headers: { 'Content-Type': 'text/plain' }, body: 'slow' })); });
      if (r.event === 'fails') return { status: 400 };
      if (r.event !== 'quick') return undefined;
      return { status: 200, headers: { 'Content-Type': 'text/plain' }, body: 'quick' };
    });
    const c = await json(hub);
    const invoke = (invocationId, event) => c.send({ type: 'invoke', invocationId, target: 'event', event });
    invoke('1', 'slow');
    invoke('2', 'quick');
    invoke('3', 'fails');
    const two = await c.take((m) => m.json?.invocationId === '2');
    assert.equal(two.json.success, true);
    assert.equal(two.json.data, 'quick');
    const three = await c.take((m) => m.json?.invocationId === '3');
    assert.equal(three.json.success, false);
    later[0]();
    assert.equal((await c.take((m) => m.json?.invocationId === '1')).json.data, 'slow');
  });

  check('S-57 joined and left', async (x) => {
    const s = await tunnelServerIn(x, { hubs: { '*': { anonymous: 'deny', event_handlers: [through({ presence_events: ['joined', 'left'] })] } } });
    const t = (await Tunnel.open(s, {})).serve();
    const c = await s.json({});
    await c.join('g1');
    await c.leave('g1');
    await until(5000, 'both', () => t.seen.some((r) => r.event === 'left'));
    const [joined, left] = t.seen.filter((r) => r.headers['ce-type'].startsWith('azure.webpubsub.gp.'));
    assert.equal(joined.url, 'tunnel:///eventhandler/joined');
    assert.deepEqual(joined.jsonBody, { group: 'g1' });
    assert.equal(left.headers['ce-type'], 'azure.webpubsub.gp.left');
    assert.ok(Number(left.id) > Number(joined.id));
  });
});

suite('frames', () => {
  const broken = (bytes) => async () => {
    const t = await open(fresh());
    t.client.ws.send(bytes);
    return t.end();
  };

  check('S-116 a text message is closed with 1003, a broken one with 1007', async () => {
    assert.equal((await broken('text')()).code, 1003);
    for (const bytes of [Buffer.from([]), Buffer.from([1, 0, 0, 0]), Buffer.from([9, 0, 0, 0, 0x93]), Buffer.from('ffffffff93', 'hex'), encode(2, '{'), encode(2, {}), encode(1, { AckId: 1 })]) {
      assert.equal((await broken(bytes)()).code, 1007, bytes.toString('hex'));
    }
  });

  check('S-116 messages that are too long are closed with 1009', async () => {
    assert.equal((await broken(encode(2, { AckId: 1, StatusCode: 200 }, Buffer.alloc(1024 * 1024 + 1)))()).code, 1009);
    assert.equal((await broken(encode(2, { AckId: 1, StatusCode: 200, x: 'x'.repeat(65536) }))()).code, 1009);
    assert.equal((await broken(Buffer.alloc(2 * 1024 * 1024))()).code, 1009);
  });

  check('S-117 what stands behind the length does not count', async () => {
    const t = await open(fresh());
    t.client.ws.send(Buffer.concat([encode(5, { Type: 5, Message: 'x' }), Buffer.from('more')]));
    const id = t.post('GET', 'https://host/nowhere');
    assert.equal((await t.answered(id)).status, 403);
  });

  check('pings, and the end of one that has fallen silent', async (x) => {
    const s = await tunnelServerIn(x, { tunnel: { ping_interval: '100ms', silence: '3s' } });
    const t = await Tunnel.open(s, {});
    let pings = 0;
    t.client.ws.on('ping', () => { pings += 1; });
    await until(5000, 'pings', () => pings >= 3);
    const quiet = (await Tunnel.open(s, { hub: 'quiet' })).serve();
    quiet.client.pause();
    const refused = s.refused({ hub: 'quiet', protocols: JSON_V1 });
    assert.equal((await refused).status, 500, 'its event fails when it is dropped');
    quiet.client.ws.terminate();
    assert.equal(t.client.ended, undefined);
  });

  check('a status now and then, for applications that see no pings', async (x) => {
    const s = await tunnelServerIn(x, { tunnel: { idle_status: '200ms' } });
    const t = await Tunnel.open(s, {});
    const status = await t.next(STATUS);
    assert.deepEqual(status.members, { Type: 5, Message: '', TracingId: null });
    assert.equal(status.content, null);
    await t.next(STATUS);
    const off = await tunnelServerIn(x, { tunnel: { idle_status: '0s' } });
    const other = await Tunnel.open(off, {});
    await assert.rejects(other.next(STATUS, { ms: 500 }));
  });
});

for (const workers of [1, 4]) {
  suite(`several tunnels, ${workers} workers`, () => {
    check('one client\'s events keep to one tunnel, in order; clients are spread', async (x) => {
      const s = await tunnelServerIn(x, { workers });
      const tunnels = await Promise.all([1, 2, 3].map(async () => (await Tunnel.open(s, {})).serve()));
      const clients = await Promise.all(Array.from({ length: 50 }, (_, i) => s.json({ user: `u${i}` })));
      await Promise.all(clients.map(async (c) => {
        for (let i = 0; i < 10; i++) c.send({ type: 'event', event: 'e', dataType: 'json', data: i, ackId: i + 1 });
        for (let i = 0; i < 10; i++) assert.equal((await c.type('ack')).success, true);
      }));
      for (const c of clients) {
        const of = tunnels.filter((t) => t.seen.some((r) => r.conn === c.connectionId));
        assert.equal(of.length, 1, 'all on one');
        const mine = of[0].seen.filter((r) => r.conn === c.connectionId && r.event === 'e');
        assert.deepEqual(mine.map((r) => Number(r.text)), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
      }
      for (const t of tunnels) {
        const count = new Set(t.seen.map((r) => r.conn)).size;
        assert.ok(count >= 16 && count <= 18, `spread: ${count}`);
      }
      for (const t of tunnels) assert.deepEqual(t.seen.map((r) => r.ack).sort((a, b) => a - b), t.seen.map((_, i) => i + 1), 'AckIds count from 1');
    });

    check('the end of one moves its clients to the others, and a new one gets new clients', async (x) => {
      const s = await tunnelServerIn(x, { workers });
      const tunnels = await Promise.all([1, 2, 3].map(async () => (await Tunnel.open(s, {})).serve()));
      const clients = await Promise.all(Array.from({ length: 12 }, (_, i) => s.json({ user: `u${i}` })));
      const before = tunnels.map((t) => new Set(t.seen.map((r) => r.conn)));
      await tunnels[0].drop();
      await s.logged((r) => r.connection === tunnels[0].id && r.msg === 'peer disconnected');
      await Promise.all(clients.map((c) => c.did({ type: 'event', event: 'e', data: 1 })));
      const carrier = (c) => tunnels.findIndex((t) => t.seen.some((r) => r.event === 'e' && r.conn === c.connectionId));
      for (const c of clients) {
        const was = before.findIndex((set) => set.has(c.connectionId));
        const is = carrier(c);
        if (was === 0) assert.ok(is === 1 || is === 2);
        else assert.equal(is, was);
      }
      const late = (await Tunnel.open(s, {})).serve();
      await Promise.all([1, 2, 3].map(() => s.json({})));
      assert.ok(late.seen.length > 0);
    });

    check('events under load while tunnels come and go: each is answered once', async (x) => {
      const s = await tunnelServerIn(x, { workers, tunnel: { timeout: '30s' } });
      // Some events get no answer but the end of their tunnel.
      const some = async () => (await Tunnel.open(s, {})).serve((r) => (r.event === 'e' && Math.random() < 0.3 ? null : undefined));
      const tunnels = [await some(), await some(), await some()];
      const clients = await Promise.all(Array.from({ length: 20 }, (_, i) => s.json({ user: `u${i}` })));
      const outcomes = new Set();
      let done = false;
      const churn = (async () => {
        while (!done) {
          tunnels.push(await some());
          await pass(50);
          await tunnels.shift().drop();
        }
      })();
      await Promise.all(clients.map(async (c) => {
        const acks = new Set();
        for (let i = 1; i <= 15; i++) {
          const ack = await c.ask({ type: 'event', event: 'e', data: i }, { ms: 10000 });
          outcomes.add(ack.success);
          assert.ok(!acks.has(ack.ackId));
          acks.add(ack.ackId);
        }
      }));
      done = true;
      await churn;
      assert.deepEqual([...outcomes].sort(), [false, true]);
      assert.equal((await clients[0].fence()).length, 0);
    });
  });
}

suite('bounds and ends', () => {
  check('max_pending: more events than that fail at once', async (x) => {
    const s = await tunnelServerIn(x, { tunnel: { max_pending: 2 }, hubs: { '*': { anonymous: 'deny', event_handlers: [through({ system_events: [] })] } } });
    const t = (await Tunnel.open(s, {})).serve(() => null);
    const clients = await Promise.all([1, 2, 3].map(() => s.json({})));
    clients[0].send({ type: 'event', event: 'e', data: 1, ackId: 1 });
    clients[1].send({ type: 'event', event: 'e', data: 1, ackId: 1 });
    await until(5000, 'two events', () => t.seen.length === 2);
    assert.equal((await clients[2].ask({ type: 'event', event: 'e', data: 1 })).success, false);
    // Another tunnel has room.
    const second = (await Tunnel.open(s, {})).serve();
    await clients[2].did({ type: 'event', event: 'e', data: 1 });
    assert.equal(second.seen.length, 1);
    for (const r of t.seen) t.answer(r);
    await clients[0].type('ack');
    await clients[1].type('ack');
  });

  check('events that nobody waits for any more hold no place', async (x) => {
    const s = await tunnelServerIn(x, { tunnel: { timeout: '300s', max_pending: 1 }, limits: { events_after_end: '0s' }, hubs: { '*': { anonymous: 'deny', event_handlers: [through({ system_events: [] })] } } });
    const t = (await Tunnel.open(s, {})).serve((r) => (r.event === 'slow' ? null : undefined));
    const [a, b, c] = await Promise.all([1, 2, 3].map(() => s.json({})));
    const quick = async () => (await b.ask({ type: 'event', event: 'quick', data: 1 })).success;
    const came = (count) => until(5000, 'the event', () => t.seen.filter((r) => r.event === 'slow').length === count);
    a.send({ type: 'invoke', invocationId: '1', target: 'event', event: 'slow' });
    await came(1);
    assert.equal(await quick(), false, 'it is full');
    a.send({ type: 'cancelInvocation', invocationId: '1' });
    await until(5000, 'a place after the cancelled invocation', quick);
    // Its answer in pieces, the first of which would be kept.
    const slow = t.seen.find((r) => r.event === 'slow');
    t.answer(slow, { status: 200, body: 'a', more: true });
    t.answer(slow, { status: 200, body: 'b' });
    await s.logged((r) => r.level === 'debug' && /nobody waits/.test(r.msg) && r.connection === t.id);
    assert.deepEqual((await a.fence()).map((m) => m.json), []);
    // One that has begun to answer.
    a.send({ type: 'invoke', invocationId: '2', target: 'event', event: 'slow' });
    await came(2);
    t.answer(t.seen.filter((r) => r.event === 'slow').at(-1), { status: 200, body: 'a', more: true });
    await a.drop();
    await until(5000, 'a place after the client that invoked', quick);
    c.send({ type: 'event', event: 'slow', data: 1 });
    await came(3);
    assert.equal(await quick(), false);
    await c.drop();
    await until(5000, 'a place after the client that has gone', quick);
  });

  check('one that does not read: its events fail, the others go on', async (x) => {
    const s = await tunnelServerIn(x, { tunnel: { timeout: '20s' }, limits: { queue_bytes: '256k' }, hubs: { '*': { anonymous: 'deny', event_handlers: [through({ system_events: [] })] } } });
    const t = (await Tunnel.open(s, {})).serve();
    t.client.pause();
    const data = 'x'.repeat(100 * 1024);
    const clients = await Promise.all(Array.from({ length: 60 }, () => s.json({})));
    for (const c of clients) c.send({ type: 'event', event: 'e', dataType: 'text', data, ackId: 1 });
    const acks = clients.map((c) => c.type('ack', { ms: 15000 }));
    assert.equal((await Promise.race(acks)).success, false);
    t.client.resume();
    assert.ok((await Promise.all(acks)).some((ack) => ack.success), 'those that it had taken');
    await until(5000, 'room again', async () => (await clients[0].ask({ type: 'event', event: 'e', data: 1 })).success);
  });

  check('shutdown: the last events go through, then the tunnel is closed with 1001', async (x) => {
    const s = await tunnelServerIn(x);
    const t = (await Tunnel.open(s, {})).serve();
    const idle = await Tunnel.open(s, { hub: 'idle' });
    const clients = await Promise.all(Array.from({ length: 10 }, () => s.json({})));
    const late = [];
    t.fn = (r) => (r.event === 'disconnected' ? new Promise((done) => { late.push(done); setTimeout(done, 200); }) : undefined);
    s.signal('SIGTERM');
    await Promise.all(clients.map(async (c) => assert.equal((await c.end()).code, 1001)));
    assert.equal((await t.end()).code, 1001);
    assert.equal((await idle.end()).code, 1001);
    assert.equal(t.seen.filter((r) => r.event === 'disconnected').length, 10);
    assert.equal(late.length, 10);
    await s.exited;
    await s.stop();
    assert.ok(!s.err.includes('lost'), 'nothing was lost');
  });

  check('shutdown with events and requests that have no answer', async (x) => {
    const s = await tunnelServerIn(x, { workers: 4, plugins: { 'http-rest': {} }, shutdown: { timeout: '1s', spread: '0s' }, limits: { events_after_end: '0s' } });
    const tunnels = await Promise.all([1, 2, 3].map(async () => (await Tunnel.open(s, {})).serve((r) => (r.event === 'connect' ? undefined : null))));
    const clients = await Promise.all(Array.from({ length: 12 }, () => s.json({})));
    for (const c of clients) {
      c.send({ type: 'event', event: 'e', data: 1 });
      c.send({ type: 'invoke', invocationId: '1', target: 'event', event: 'e' });
    }
    await until(5000, 'the events', () => tunnels.flatMap((t) => t.seen).length === 48);
    tunnels[0].answer(tunnels[0].seen.at(-1), { status: 200, body: 'begun', more: true });
    for (const t of tunnels) for (let i = 0; i < 50; i++) t.post('POST', 'https://host/api/hubs/chat/:send', { type: 'text/plain', body: 'x' });
    s.signal('SIGTERM');
    await Promise.all(tunnels.map((t) => t.closed));
    await s.exited;
    await s.stop();
    assert.ok(!s.err.includes('owes'), s.err);
  });

  check('configuration: URLs that are none', async (x) => {
    const folder = mkdtempSync(join(tmpdir(), 'webpubsubd-test-'));
    x.after(() => rmSync(folder, { recursive: true }));
    const file = join(folder, 'c.yaml');
    const write = (url, more) => writeFileSync(file, JSON.stringify(configuration({ plugins: { 'upstream-tunnel': {} }, hubs: { '*': { event_handlers: [{ url, user_events: '*', ...more }] } } })), { mode: 0o600 });
    for (const url of ['tunnel://host/{event}', 'tunnel:/x', 'tunnel:///{other}', 'tunnel:///a b', 'tunnel:///x#y', 'tunnel:///{hub']) {
      write(url);
      const { code, err } = await Server.run(['-t', '-c', file]);
      assert.notEqual(code, 0, url);
      assert.match(err, /`url`/, `${url}: ${err}`);
    }
    for (const url of ['tunnel:///', 'tunnel:///{hub}/{event}?code=x', 'TUNNEL:///x']) {
      write(url, { timeout: '5s' });
      const { code, err } = await Server.run(['-t', '-c', file]);
      assert.equal(code, 0, `${url}: ${err}`);
    }
  });
});
