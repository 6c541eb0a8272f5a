// SPDX-License-Identifier: Apache-2.0
// Handlers that are down, hang, or talk nonsense: what clients see of it, that
// nobody else does, and that it passes.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import { check, suite } from './lib/cases.mjs';
import * as certs from './lib/certs.mjs';
import { Handler, HASTY, gate, hookServer, hookServerIn } from './lib/handler.mjs';
import { RawSocket } from './lib/rawsocket.mjs';
import { awake, limit, pass, until, within } from './lib/time.mjs';
import { remember } from './lib/token.mjs';

const CODE = 'c0de-of-the-faults-4410';
remember(CODE);
const MIB = 1048576;
const FAILED = { name: 'InternalServerError', message: 'Internal server error' };
const allow = (...event_handlers) => ({ anonymous: 'allow', event_handlers });
const app = await Handler.start();
const secure = await Handler.start({ tls: true });
const mutual = await Handler.start({ tls: { ca: certs.text('ca.pem'), requestCert: true, rejectUnauthorized: true } });
const stranger = await Handler.start({ tls: { cert: certs.text('stranger.pem'), key: certs.text('stranger.key') } });
const ca = certs.file('ca.pem');
const own = { client_certificate: certs.file('client.pem'), client_key: certs.file('client.key') };
/** Hubs where user events, or connect, have to be answered soon. */
const brief = (name, soon, other) => [name, allow(app.all({ timeout: '700ms', ...soon }), app.all(other))];
const server = hookServer({
  webhook: { ...HASTY, timeout: '20s' },
  hubs: {
    ...Object.fromEntries(['hangs', 'drips'].flatMap((name) => [
      brief(name, { system_events: [] }, { user_events: [] }), brief(`${name}_connect`, { user_events: [], system_events: ['connect'] }, {})])),
    '*': allow(app.all({ url: `${app.origin}/{hub}/{event}?code=${CODE}` })),
    roomy: allow(app.all({ timeout: '20s' })),
    trusted: allow(secure.all({ ca, timeout: '5s' })), untrusted: allow(secure.all({ ca: certs.file('stranger-ca.pem') })), unknown: allow(secure.all()),
    nameless: allow(app.all({ url: 'http://no-such-host.invalid/{hub}/{event}' })),
    stranger: allow(stranger.all({ ca })), misnamed: allow(secure.all({ ca, url: `https://127.0.0.2:${secure.port}/{event}` })),
    shown: allow(mutual.all({ ca, timeout: '5s', ...own })), unshown: allow(mutual.all({ ca })),
    notls: allow(app.all({ url: `https://127.0.0.1:${app.port}/{event}` })), notplain: allow(secure.all({ url: `http://127.0.0.1:${secure.port}/{event}` })),
  },
});
let number = 0;
const fresh = () => `f${++number}`;
const text = (more) => ({ type: 'event', event: 'e', dataType: 'text', data: 'x', ...more });

/** A new hub where `reply` is the answer to `events`, and what clients see. */
async function userEvents(reply, hub = fresh(), ms = 8000) {
  app.always({ hub, event: /^(e|message)$/ }, reply);
  const [simple, json, reliable] = await Promise.all([server.simple({ hub }), server.json({ hub }), server.reliable({ hub })]);
  simple.send('x');
  json.send(text());
  assert.deepEqual((await json.ask(text(), { ms })).error, FAILED);
  assert.deepEqual((await reliable.ask(text(), { ms })).error, FAILED);
  assert.equal((await simple.end({ ms })).code, 1011);
  for (const c of [json, reliable]) assert.deepEqual(await c.fence(), []);
}
async function connects(reply, status = 500, hub = fresh()) {
  app.always({ hub, event: 'connect' }, reply);
  const refusal = await server.refused({ hub });
  assert.deepEqual([refusal.status, refusal.body], [status, ''], JSON.stringify(reply)?.slice(0, 80));
}
const padded = (body, size) => ({ type: 'application/json', body: Buffer.concat([Buffer.from(body), Buffer.alloc(size - body.length, ' ')]) });

suite('answers that are none', () => {
  check('3.3 hanging: a failure at the timeout, for connect and for events', async () => {
    const start = Date.now();
    await connects({ hang: true }, 500, 'hangs_connect');
    assert.ok(Date.now() - start >= 650);
    await userEvents({ hang: true }, 'hangs');
  });

  check('3.3 one byte per second, in the head or in the body: no longer than the timeout', async () => {
    await connects({ type: 'application/json', body: '{"userId":"slow"}', drip: 1000 }, 500, 'drips_connect');
    await connects({ broken: 'HTTP/1.1 200 OK\r\nContent-Le' }, 500, 'drips_connect');
    await userEvents({ type: 'text/plain', body: 'never in time', drip: 1000 }, 'drips');
  });

  check('3.3 garbage in place of HTTP', async () => {
    for (const raw of ['SSH-2.0-OpenSSH\r\n', '\r\n\r\n', Buffer.alloc(100000, 0), 'HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n{}', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n', 'HTTP/9.9 200 OK\r\n\r\n{', `HTTP/1.1 200 OK\r\n${'X: y\r\n'.repeat(100000)}`, `HTTP/1.1 200 OK\r\nX: ${'y'.repeat(2 * MIB)}\r\n\r\n`, 'HTTP/1.1 000 OK\r\n\r\n']) await connects({ raw });
    await userEvents({ raw: 'SSH-2.0-OpenSSH\r\n' });
    await userEvents({ raw: 'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel' });
  });

  check('3.3 closing in the middle of the body', async () => {
    await connects({ half: true, type: 'application/json', body: '{"userId":"half"}' });
    await userEvents({ half: true, type: 'text/plain', body: 'half of it' });
  });

  check('3.3 16 MiB are read, one byte more is a failure', { timeout: 60000 }, async () => {
    const hub = 'roomy';
    app.queue({ hub, event: 'connect' }, padded('{"userId":"large"}', 16 * MIB), padded('{"userId":"larger"}', 16 * MIB + 1));
    const before = server.memory();
    const c = await server.json({ hub });
    assert.equal(c.connected.userId, 'large');
    assert.deepEqual((({ status, body }) => [status, body])(await server.refused({ hub })), [500, '']);
    app.queue({ hub, event: 'e' }, { type: 'application/octet-stream', body: Buffer.alloc(MIB), repeat: 17 }, { type: 'text/plain', body: 'x'.repeat(MIB), repeat: 1000 }, { type: 'text/plain', body: 'small' });
    for (let i = 0; i < 2; i++) assert.deepEqual((await c.ask(text(), { ms: 20000 })).error, FAILED);
    c.send(text({ ackId: 77 }));
    assert.equal((await c.json()).data, 'small');
    // The address sanitizer keeps what is freed for a while.
    assert.ok(server.memory() - before < (process.env.SDK_SANITIZED ? 600 : 100) * MIB, 'the body that is too large is not kept');
  });

  check('3.3 interim answers and trailers are no answers', async () => {
    const hub = fresh();
    const c = await server.json({ hub });
    const head = 'HTTP/1.1 103 Early Hints\r\nce-connectionState: early\r\nContent-Type: text/html\r\nX-WebPubSub-Metadata-early: 1\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n';
    app.queue({ hub, event: 'e' }, { raw: `${head}Transfer-Encoding: chunked\r\n\r\n3\r\nyes\r\n0\r\nce-connectionState: late\r\nX-WebPubSub-Metadata-late: 1\r\n\r\n` });
    c.send(text());
    assert.deepEqual(await c.json(), { type: 'message', from: 'server', dataType: 'text', data: 'yes' });
    await c.did(text());
    assert.equal(app.seen({ hub, event: 'e' }).at(-1).state, undefined);
    // Bytes behind an answer belong to no other one.
    app.queue({ hub, event: 'e' }, { broken: 'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 1\r\n\r\n1HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 6\r\n\r\nforged' });
    c.send(text());
    assert.equal((await c.json()).data, '1');
    await c.did(text());
    assert.deepEqual(await c.fence(), []);
    // Servers of the old kind end their answers by closing.
    app.queue({ hub, event: 'e' }, { raw: 'HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nold school' }, { raw: 'HTTP/1.1 200\nContent-Type:text/plain\nContent-Length: 4\n\nbare' });
    for (const said of ['old school', 'bare']) {
      c.send(text());
      assert.equal((await c.json()).data, said);
    }
  });

  check('3.3 a name that nobody knows: 500, and no worker waits for the resolver', async () => {
    const calm = await server.json({ hub: fresh() });
    const names = Array.from({ length: 5 }, () => server.status({ hub: 'nameless' }));
    await calm.did(text());
    await calm.fence();
    assert.deepEqual(new Set(await Promise.all(names)), new Set([500]));
  });

  check('3.3 certificates: of a stranger, of another name, none to be seen; and the right ones', async () => {
    for (const hub of ['untrusted', 'unknown', 'stranger', 'misnamed', 'unshown', 'notls', 'notplain']) {
      const refusal = await server.refused({ hub });
      assert.deepEqual([refusal.status, refusal.body], [500, ''], hub);
    }
    for (const handler of [stranger, mutual, secure]) assert.deepEqual(handler.seen({ method: 'POST' }), []);
    for (const [hub, handler] of [['trusted', secure], ['shown', mutual]]) {
      const c = await server.json({ hub });
      await c.did(text());
      assert.equal(handler.seen({ conn: c.connectionId, event: 'e' }).length, 1);
    }
  });
});

/** How many clients the limit on open files allows: they are open here, and in
 * the daemon. */
function crowd() {
  const files = Number(/Max open files\s+(\d+)/.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1] ?? 1024);
  return Math.min(process.env.SDK_SANITIZED ? 1000 : 5000, files - 600);
}

/** That many handshakes at once: how many had which status. */
async function storm(s, n, hub) {
  const request = RawSocket.request({ path: `/client/hubs/${hub}`, host: `127.0.0.1:${s.port}` });
  const statuses = {};
  const one = () => new Promise((done) => {
    const socket = net.connect({ port: s.port, host: '127.0.0.1' });
    let head = '';
    const end = (status) => { socket.destroy(); done(status); };
    socket.on('connect', () => socket.write(request));
    socket.on('data', (piece) => {
      head += piece.toString('latin1');
      if (head.includes('\r\n\r\n')) end(head.slice(9, 12));
    });
    socket.on('error', (error) => end(error.code));
    socket.on('close', () => end('closed'));
  });
  const all = Array.from({ length: n }, one);
  for (const status of await within(40000, `answers to ${n} clients`, Promise.all(all))) statuses[status] = (statuses[status] ?? 0) + 1;
  return statuses;
}

/** Round trips of a client, one after the other, until stop() gives the slowest. */
function pulse(trip) {
  let going = true;
  const times = [];
  const run = (async () => {
    while (going) {
      const start = Date.now();
      await trip();
      times.push(Date.now() - start);
      await pass(20);
    }
  })();
  return { stop: async () => { going = false; await run; return { n: times.length, worst: Math.max(...times) }; } };
}

suite('down', () => {
  check('3.3 thousands connect while the handler is down: each is told, others notice nothing, all is well 5 s after its return', { timeout: 90000 }, async (t) => {
    const [calm, victim] = [await Handler.start(), await Handler.start()];
    const s = await hookServerIn(t, {
      webhook: { timeout: '20s', event_retry_delays: ['100ms', '300ms', '500ms'] },
      limits: { connections: 20000 },
      hubs: { calm: allow(calm.all()), victim: allow(victim.all({ url: `${victim.origin}/{hub}/{event}?code=${CODE}` })), never: allow(victim.all({ url: `${victim.origin}/never/{event}` })) },
    });
    const inside = await s.json({ hub: 'victim', token: null });
    const simple = await s.simple({ hub: 'victim', token: null });
    const other = await s.json({ hub: 'calm', token: null });
    await inside.did(text());
    await victim.down();
    await storm(s, 200, 'victim');
    const before = s.memory();
    const trips = pulse(() => other.did(text({ event: 'e' }), { ms: 15000 }));
    const pings = pulse(() => inside.fence());
    const n = crowd();
    assert.deepEqual(await storm(s, n, 'victim'), { 500: n });
    assert.deepEqual(await storm(s, 500, 'never'), { 500: 500 });
    assert.deepEqual((await inside.ask(text(), { ms: 15000 })).error, FAILED);
    simple.send('x');
    assert.equal((await simple.end({ ms: 15000 })).code, 1011);
    const [a, b] = [await trips.stop(), await pings.stop()];
    assert.ok(a.n > 3 && a.worst < limit(3000), `other hub: ${JSON.stringify(a)}`);
    assert.ok(b.n > 3 && b.worst < limit(3000), `pings: ${JSON.stringify(b)}`);
    const grown = s.memory() - before;
    assert.ok(grown < (process.env.SDK_SANITIZED ? 800 : 150) * MIB, `${Math.round(grown / MIB)} MiB more`);
    await until(5000, 'sockets are closed', async () => await s.descriptors() < 300);

    await victim.up();
    const since = Date.now();
    await until(5000, 'clients are let in again', async () => await s.status({ hub: 'victim', token: null }) === 101);
    await until(5000, 'and their events taken', async () => (await inside.ask(text(), { ms: 15000 })).success);
    await until(5000, 'also where it had never been seen', async () => await s.status({ hub: 'never', token: null }) === 101);
    assert.ok(Date.now() - since <= limit(5000), `${Date.now() - since} ms`);
    assert.ok(victim.seen({ event: 'connect' }).length < n, 'nobody comes who has been refused already');
    await inside.did(text());
  });

});

suite('limits', () => {
  check('3.3 a handler that hangs does no harm to another one on the same server', { timeout: 30000 }, async (t) => {
    const both = await Handler.start();
    both.always({ path: /^\/ill\// }, { hang: true });
    const at = (path, timeout) => allow({ url: `${both.origin}/${path}/{event}`, user_events: '*', validate: false, timeout });
    const s = await hookServerIn(t, { webhook: { ...HASTY, breaker_failures: 3 }, workers: 1, hubs: { ill: at('ill', '300ms'), well: at('well', '20s') } });
    const [well, ...ill] = await Promise.all(['well', ...Array(8).fill('ill')].map((hub) => s.json({ hub, token: null })));
    let done = false;
    const noise = Promise.all(ill.map(async (c) => { while (!done) assert.equal((await c.ask(text())).success, false); }));
    await pass(1500);
    for (let i = 0; i < 8; i++) {
      await well.did(text());
      await pass(250);
    }
    done = true;
    await noise;
  });

  check('3.3 the breaker: not for a single failure, but for many; it tells so, and ends by itself', { timeout: 60000 }, (t) => awake(150, async () => {
    const victim = await Handler.start();
    const s = await hookServerIn(t, { webhook: { ...HASTY, timeout: '300ms', breaker_failures: 3 }, workers: 1, hubs: { '*': allow(victim.all()) } });
    const c = await s.json({ hub: 'cut', token: null });
    victim.queue({ event: 'e' }, { hang: true });
    assert.equal((await c.ask(text())).success, false);
    for (let i = 0; i < 5; i++) await c.did(text());
    // Answers are no failures of the network, whatever they say.
    victim.queue({ event: 'e' }, ...Array(6).fill({ status: 500 }));
    for (let i = 0; i < 6; i++) assert.equal((await c.ask(text())).success, false);
    await c.did(text());
    victim.always({ event: 'e' }, { hang: true });
    for (let i = 0; i < 3; i++) assert.equal((await c.ask(text())).success, false);
    const n = victim.seen({ event: 'e' }).length;
    for (let i = 0; i < 20; i++) assert.equal((await c.ask(text())).success, false);
    assert.ok(victim.seen({ event: 'e' }).length - n < 10, 'it is tried once a second only');
    await s.logged((r) => /breaker|gave up|given up|tried once a second|stopped/i.test(JSON.stringify(r)) && ['warn', 'error'].includes(r.level), { what: 'a line about it' });
    victim.always({ event: 'e' }, { status: 204 });
    const since = Date.now();
    await until(5000, 'taken again', async () => (await c.ask(text())).success);
    assert.ok(Date.now() - since <= limit(5000));
    for (let i = 0; i < 5; i++) await c.did(text());
  }));

  check('3.3 who leaves while the handler is down is told of when it is back, once each', { timeout: 60000 }, async (t) => {
    const victim = await Handler.start();
    const s = await hookServerIn(t, {
      webhook: { event_retry_delays: Array(8).fill('150ms'), timeout: '30s', breaker_failures: 3 },
      hubs: { '*': allow(victim.all({ system_events: ['connected', 'disconnected'], user_events: [] })) },
    });
    const all = [];
    for (let i = 0; i < 60; i++) all.push(await s.json({ token: null }));
    await victim.wait({ event: 'connected' }, 60);
    await victim.down();
    const from = s.lines.length;
    for (const c of all) await c.close(1000);
    await s.logged((r) => /circuit breaker is open/.test(r.msg ?? ''), { from, what: 'an open breaker' });
    await pass(3000); // longer than all repetitions together
    await victim.up();
    await victim.wait({ event: 'disconnected' }, 60, { ms: 10000 });
    for (const c of all) assert.deepEqual(victim.events(c.connectionId).map((r) => r.event), ['connected', 'disconnected']);
  });

  check('3.3 a handler that hung and is back, or was started again: all who wait are served within 5 s', { timeout: 60000 }, async (t) => {
    for (const way of ['it goes on', 'it is started again']) {
      const victim = await Handler.start();
      const s = await hookServerIn(t, { webhook: { timeout: '40s', in_flight: 4 }, hubs: { '*': allow(victim.all()) } });
      const inside = await s.json({ hub: 'hung', token: null });
      const door = gate();
      victim.always({ method: 'POST' }, way === 'it goes on' ? door.answer : { hang: true });
      const waiting = Array.from({ length: 60 }, () => s.status({ hub: 'hung', token: null }));
      await victim.wait({ event: 'connect', hub: 'hung' }, 5);
      await pass(1000);
      assert.deepEqual(await inside.fence(), []);
      const since = Date.now();
      if (way === 'it goes on') {
        door.open();
      } else {
        await victim.down();
        victim.always({ method: 'POST' }, { status: 204 });
        await victim.up();
      }
      const late = s.status({ hub: 'hung', token: null });
      assert.deepEqual(new Set(await Promise.all([...waiting, late])), new Set([101]), way);
      await inside.did(text());
      assert.ok(Date.now() - since < limit(5000), `${way}: ${Date.now() - since} ms`);
    }
  });

  check('3.3 connections are kept, not more than are wanted; a proxy of the environment is none', async (t) => {
    const pooled = await Handler.start();
    const s = await hookServerIn(t, { webhook: { ...HASTY, timeout: '20s', in_flight: 3 }, hubs: { '*': allow(pooled.all()) } }, { env: { http_proxy: 'http://127.0.0.1:1', HTTP_PROXY: 'http://127.0.0.1:1', all_proxy: 'http://127.0.0.1:1' } });
    const clients = await Promise.all(Array.from({ length: 40 }, () => s.json({ hub: 'pooled', token: null })));
    await Promise.all(clients.map(async (c) => { for (let i = 0; i < 10; i++) await c.did(text()); }));
    const posts = pooled.seen({ method: 'POST' });
    assert.ok(posts.length >= 440);
    assert.ok(Math.max(...posts.map((r) => r.during.length)) < 8, 'three of each worker, and a probe');
    assert.ok(pooled.accepted <= 10, `${pooled.accepted} connections`);
  });

  check('3.3 a full queue fails the event at once', async (t) => {
    const victim = await Handler.start();
    const door = gate();
    const s = await hookServerIn(t, { workers: 1, webhook: { ...HASTY, timeout: '20s', queue: 2, in_flight: 1 }, hubs: { '*': allow(victim.all({ system_events: ['connect'] })) } });
    const clients = [];
    for (let i = 0; i < 4; i++) clients.push(await s.json({ hub: 'full', token: null }));
    victim.queue({ event: 'e' }, door.answer);
    const asks = clients.map((c) => c.ask(text({ ackId: 1 }), { ms: 10000 }));
    const first = await Promise.race(asks);
    assert.deepEqual(first.error, FAILED);
    door.open();
    assert.deepEqual((await Promise.all(asks)).map((a) => a.success).sort(), [false, true, true, true]);
  });
});

suite('memory', () => {
  check('3.3 memory is bounded while events pile up before a handler that hangs', { timeout: 60000 }, async (t) => {
    const victim = await Handler.start();
    const s = await hookServerIn(t, { webhook: { ...HASTY, timeout: '8s', queue: 100, queue_bytes: '1m', in_flight: 4 }, hubs: { '*': allow(victim.all()) } });
    const clients = await Promise.all(Array.from({ length: 100 }, () => s.json({ hub: 'pile', token: null })));
    victim.always({ event: 'e' }, { hang: true });
    const before = s.memory();
    const data = 'x'.repeat(10000);
    for (const c of clients) for (let i = 0; i < 100; i++) c.send(text({ data }));
    await pass(1500);
    assert.ok(s.memory() - before < (process.env.SDK_SANITIZED ? 600 : 150) * MIB, `${Math.round((s.memory() - before) / MIB)} MiB more`);
    assert.ok(victim.seen({ event: 'e' }).length <= 8, 'in_flight of each worker');
    // Those that were refused at once are told so, and let the next ones in.
    victim.always({ event: 'e' }, { status: 204 });
    await until(20000, 'all is through', async () => (await clients[0].ask(text(), { ms: 15000 })).success);
  });
});
