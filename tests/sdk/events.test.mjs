// SPDX-License-Identifier: Apache-2.0
// Events and the life of clients: backpressure of those who send faster than
// their handler answers, the order of connected and disconnected, what an end
// leaves behind, and the connect answers of azure-server.md 3.7.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { check, suite } from './lib/cases.mjs';
import { control, controlled, controlledIn, hasControl, hasUpstream } from './lib/control.mjs';
import { Proxy } from './lib/proxy.mjs';
import { frame, TEXT } from './lib/rawsocket.mjs';
import { fixture, hasFixture, secure } from './lib/server.mjs';
import { limit, pass, slow, until, within } from './lib/time.mjs';
import { JSON_V1 } from './lib/wsclient.mjs';

const when = { skip: !(hasUpstream && hasControl && hasFixture('subprotocol-fixture')) && 'the fixture plugins are not built' };
const handler = (url, userEvents, ...systemEvents) => ({ url: `fixture:///${url}`, user_events: userEvents ?? [], system_events: systemEvents });
const hub = (...event_handlers) => ({ anonymous: 'allow', event_handlers });
const refuse = (code, more = '') => hub(handler(`refuse?code=${code}&data=no-such-room${more}`, null, 'connect', 'connected', 'disconnected'));
const plugins = when.skip ? {} : { 'subprotocol-fixture': { path: fixture('subprotocol-fixture') } };
const hubs = {
  '*': { anonymous: 'allow' },
  gate: hub(handler('gate', '*'), handler('ok', null, 'disconnected')),
  brief: hub(handler('gate?head=8', '*')),
  silent: hub(handler('silent', '*'), handler('ok', null, 'connected', 'disconnected')),
  late: hub(handler('slow?ms=1500', null, 'connected'), handler('echo', '*', 'disconnected')),
  never: hub(handler('silent', null, 'connected'), handler('echo', '*', 'disconnected')),
  deaf: hub(handler('fail', null, 'connected'), handler('echo', '*', 'disconnected')),
  told: hub(handler('echo', '*', 'connect', 'connected', 'disconnected')),
  fails: hub(handler('fail', '*', 'connected', 'disconnected')),
  says: hub(handler('refuse?code=418&data=x&state=no', '*', 'disconnected')),
  some: hub(handler('ok', 'known', 'disconnected')),
  note: hub(handler('note', '*', 'connect', 'connected', 'disconnected')),
  halfnote: hub(handler('note', '*', 'disconnected')),
  r401: refuse(401), r403: refuse(403, '&ctype=application/problem+json'), r499: hub(handler('refuse?code=499', null, 'connect')),
  r404: refuse(404), unasked: refuse(401), r500: refuse(500), r503: refuse(503), r302: refuse(302), r600: refuse(600),
  fewer: hub(handler('connect?subprotocol=', null, 'connect')), custom: hub(handler('connect?subprotocol=own.v1', null, 'connect')),
  nobody: hub(handler('connect?user=', null, 'connect', 'disconnected')), down: hub(handler('fail', null, 'connect', 'disconnected')),
  badgroup: hub(handler(`connect?groups=${'g'.repeat(1025)}`, null, 'connect', 'connected', 'disconnected')),
};
const server = controlled(when.skip ? {} : { plugins, hubs, limits: { events_after_end: '1s' } });

const events = async (s, conn) => JSON.parse((await s.http(`/fixture/events${conn ? `?conn=${conn}` : ''}`)).body);
const gate = (s, open) => s.http(`/fixture/gate?open=${open ? 1 : 0}`, { method: 'POST', body: '' });
const ofHub = async (s, name, type) => (await events(s)).filter((e) => e.hub === name && (!type || e.type === type));
const ended = (s, conn, ms = 5000) => until(ms, 'disconnected', async () => (await events(s, conn)).find((e) => e.type === 'disconnected'));
/** A server of one's own, whose gate is shut. */
const own = (t, more = {}) => controlledIn(t, { plugins, hubs, ...more });
/** What the client wants to write stays with it, but for what sockets take: some
 * MB of each, as the kernel sees fit. Others are answered meanwhile. */
const unread = (s, left, least = 1) => until(10000, 'a client that is not read', async () => {
  const n = left();
  for (let i = 0; i < 8; i++) await s.http('/api/health');
  await pass(150);
  return n >= least && left() === n;
});
const still = (s, c) => unread(s, () => c.ws.bufferedAmount, 0);
/** send(0), send(1) and so on, `count` of them and more until the server has
 * stopped reading and sockets take no more: so many they were. */
async function flood(s, c, count, send, left = () => c.ws.bufferedAmount) {
  let n = 0;
  const more = (k) => { for (; k > 0; k--) send(n++); };
  more(count);
  await unread(s, () => {
    if (left() === 0) more(Math.ceil(count / 4));
    return left();
  });
  return n;
}

suite('a client that sends faster than its handler answers', () => {
  check('C-45 5,000 messages behind a stopped handler: not read, not closed, all in order afterwards', { ...when, timeout: 90000 }, async (t) => {
    const s = await own(t);
    const c = await s.simple({ hub: 'brief', token: null });
    const fill = 'x'.repeat(5000);
    const before = s.memory();
    const n = await flood(s, c, 5000, (i) => c.send(`${i} ${fill}`));
    assert.ok(s.memory() - before < slow * 8e6, `${s.memory() - before} bytes more`);
    assert.equal((await ofHub(s, 'brief', 'message')).length, 1);
    await pass(300);
    assert.equal(c.ended, undefined);
    await gate(s, true);
    for (let i = 0; i < n; i++) assert.equal((await c.text({ ms: 20000 })).split(' ')[0], String(i));
    assert.equal(c.ended, undefined);
  });

  check('the same in bytes: few large messages', { ...when, timeout: 60000 }, async (t) => {
    const s = await own(t);
    const c = await s.simple({ hub: 'gate', token: null });
    const fill = Buffer.alloc(400000, 1);
    const n = await flood(s, c, 40, (i) => { fill[0] = i; c.send(Buffer.from(fill)); });
    await gate(s, true);
    for (let i = 0; i < n; i++) { const m = (await c.next({ ms: 20000 })).binary; assert.deepEqual([m.length, m[0]], [400000, i & 255]); }
  });

  check('the smallest messages there are, in one write', { ...when, timeout: 60000 }, async (t) => {
    const s = await own(t);
    const c = await s.simple({ hub: 'gate', token: null });
    const before = s.memory();
    c.ws._socket.write(Buffer.concat(Array.from({ length: 100000 }, () => frame(TEXT, ''))));
    await pass(500);
    assert.ok(s.memory() - before < slow * 12e6, `${s.memory() - before} bytes more`);
    assert.equal(c.ended, undefined);
    c.send('last');
    await gate(s, true);
    assert.equal(await c.text({ ms: 30000 }), 'last');
  });

  check('C-64 C-73 5,000 JSON events with ack ids likewise; pings are answered until the queue is full', { ...when, timeout: 90000 }, async (t) => {
    const s = await own(t);
    const c = await s.json({ hub: 'brief', token: null });
    c.send({ type: 'event', event: 'e', ackId: 1, dataType: 'text', data: '1' });
    for (let i = 2; i <= 500; i++) c.send({ type: 'event', event: 'e', ackId: i, dataType: 'text', data: String(i) });
    assert.deepEqual(await c.fence(), []);
    const before = s.memory();
    const fill = 'y'.repeat(5000);
    const n = 500 + await flood(s, c, 4500, (i) => c.send({ type: 'event', event: 'e', ackId: 501 + i, dataType: 'text', data: `${501 + i} ${fill}` }));
    assert.ok(s.memory() - before < slow * 8e6, `${s.memory() - before} bytes more`);
    await gate(s, true);
    for (let i = 1; i <= n; i++) {
      assert.equal((await c.json({ ms: 20000 })).data.split(' ')[0], String(i));
      assert.deepEqual(await c.json(), { type: 'ack', ackId: i, success: true });
    }
  });

  check('event_queue and event_queue_bytes: full, nothing is read; half empty, it goes on', { ...when, timeout: 60000 }, async (t) => {
    const s = await own(t, { workers: 1, plugins: { ...plugins, 'subprotocol-json': { event_queue: 10 } } });
    const c = await s.json({ hub: 'gate', token: null });
    for (let i = 1; i <= 10; i++) c.send({ type: 'event', event: 'e', ackId: i, data: i });
    assert.deepEqual(await c.fence(), []);
    c.send({ type: 'event', event: 'e', ackId: 11, data: 11 });
    // On its only worker: it has read what was there before.
    await s.http('/api/health');
    c.send({ type: 'ping' });
    await s.http('/api/health');
    await pass(500);
    assert.deepEqual(c.queue, [], 'held: no pong');
    await gate(s, true);
    await c.type('pong');
    await until(5000, 'all acks', async () => c.queue.filter((m) => m.json.type === 'ack').length === 11);
  });

  check('events_waiting_total and event_queue_total: many clients, none over its own limit, are held as well', { ...when, timeout: 90000 }, async (t) => {
    const s = await own(t, {
      limits: { events_waiting: 10000, events_waiting_bytes: '64m', events_waiting_total: '1m' },
      plugins: { ...plugins, 'subprotocol-json': { event_queue: 10000, event_queue_bytes: '64m', event_queue_total: '1m' } },
    });
    const fill = 'x'.repeat(40000);
    for (const kind of ['simple', 'json']) {
      const send = (c, i, more = '') => c.send(kind === 'simple' ? `${i} ${more}` : { type: 'event', event: 'e', ackId: i, dataType: 'text', data: `${i} ${more}` });
      await gate(s, false);
      const all = await Promise.all(Array.from({ length: 10 }, () => s[kind]({ hub: 'brief', token: null })));
      const before = s.memory();
      for (const c of all) for (let i = 0; i < 200; i++) send(c, i, fill);
      for (const c of all) await still(s, c);
      assert.ok(all.some((c) => c.ws.bufferedAmount > 0));
      assert.ok(s.memory() - before < slow * 12e6, `${s.memory() - before} bytes more, of 80 MB`);
      const late = await s[kind]({ hub: 'brief', token: null });
      send(late, 0);
      await gate(s, true);
      for (const [c, n] of [...all.map((x) => [x, 200]), [late, 1]]) {
        for (let i = 0; i < n; i++) {
          const m = await c.next({ ms: 20000 });
          assert.equal((kind === 'simple' ? m.text : m.json.data).split(' ')[0], String(i));
          if (kind === 'json') assert.deepEqual(await c.json(), { type: 'ack', ackId: i, success: true });
        }
      }
      for (const c of all) await c.close(1000);
    }
  });

  check('others are served while one is held; it can be closed by command, and the application hears of it', { ...when, timeout: 60000 }, async (t) => {
    const s = await own(t, { limits: { events_after_end: '500ms' } });
    for (const kind of ['simple', 'json']) {
      const c = await s[kind]({ hub: 'gate', user: 'u', token: undefined });
      const send = (i) => (kind === 'simple' ? `${i} ${'x'.repeat(5000)}` : { type: 'event', event: 'e', data: 'x'.repeat(5000) });
      await flood(s, c, 3000, (i) => c.send(send(i)));
      const other = await s.json({ hub: 'gate', token: undefined });
      await other.join('g');
      await other.close(1000);
      await control.close(s, 'gate', { user: 'u' }, { reason: 'flood' });
      const end = await c.end();
      assert.deepEqual(end, { code: 1000, reason: kind === 'simple' ? 'flood' : '' });
      const told = await until(5000, 'disconnected', async () => (await ofHub(s, 'gate', 'disconnected')).find((e) => e.user === 'u' && e.subprotocol === (kind === 'simple' ? null : JSON_V1)));
      assert.equal(told.reason, 'Application server closed the connection. Reason: flood');
      assert.equal(told.code, 1000);
    }
    assert.ok((await ofHub(s, 'gate', 'message')).filter((e) => e.abandoned).length >= 2);
  });

  check('a held client whose line breaks is missed by its pings', { ...when, timeout: 60000 }, async (t) => {
    const s = await own(t, { limits: { events_after_end: '0s' }, websocket: { ping_interval: '1s' } });
    const c = await s.simple({ hub: 'gate', token: null });
    await flood(s, c, 3000, () => c.send('x'.repeat(5000)));
    await c.drop();
    await until(8000, 'disconnected', async () => (await ofHub(s, 'gate', 'disconnected')).length === 1);
    assert.equal((await ofHub(s, 'gate', 'message'))[0].abandoned, true);
    const same = await ofHub(s, 'gate');
    await gate(s, true);
    await pass(200);
    assert.deepEqual(await ofHub(s, 'gate'), same, 'nothing comes behind it');
  });

  check('a held client does not count as silent', { ...when, timeout: 60000 }, async (t) => {
    const s = await own(t, { websocket: { ping_interval: '1s' } });
    const c = await s.simple({ hub: 'brief', token: null });
    const n = await flood(s, c, 3000, (i) => c.send(`${i} ${'x'.repeat(5000)}`));
    await pass(33000);
    assert.equal(c.ended, undefined);
    await gate(s, true);
    for (let i = 0; i < n; i++) assert.equal((await c.text({ ms: 20000 })).split(' ')[0], String(i));
  });

  check('a reliable client that is held may lose its socket and come back', { ...when, skip: when.skip || secure, timeout: 60000 }, async (t) => {
    const s = await own(t, { websocket: { ping_interval: '1s' }, plugins: { ...plugins, 'subprotocol-json': { event_queue: 50 } } });
    const proxy = await Proxy.start(s.port);
    t.after(() => proxy.stop());
    const c = await s.reliable({ hub: 'gate', token: null, port: proxy.port });
    const [line] = proxy.lines;
    const n = await flood(s, c, 3000, (i) => c.send({ type: 'event', event: 'e', dataType: 'text', data: `${i} ${'x'.repeat(5000)}` }), () => line.far.writableLength);
    proxy.cut('rst');
    await c.end();
    const again = await s.recovered(c);
    for (let i = 0; i < 60; i++) again.send({ type: 'event', event: 'e', dataType: 'text', data: `again ${i}` });
    again.send({ type: 'ping' });
    await pass(500);
    assert.deepEqual(again.queue, [], 'the new socket is not read either');
    await gate(s, true);
    await again.type('pong', { ms: 10000 });
    const seen = await until(10000, 'the last', async () => again.queue.at(-1)?.json?.data === 'again 59' && again.queue.map((m) => m.json));
    assert.deepEqual(seen.map((m) => m.sequenceId), seen.map((m, i) => i + 1));
    const first = seen.filter((m) => !m.data.startsWith('again')).map((m) => Number(m.data.split(' ')[0]));
    assert.ok(first.length >= 50 && first.length < n);
    assert.deepEqual(first, first.map((x, i) => i));
    assert.equal(seen.length, first.length + 60);
  });
});

const namespaces = spawnSync('unshare', ['-n', 'sh', '-c', 'ip link add near type veth peer name far']).status === 0;

/** A server and a client, each in a network of its own, with one cable between
 * them, which cut() makes swallow everything. */
async function cabled(t, config, program) {
  // It ends with its standard input, which is ours.
  const holder = spawn('unshare', ['-n', 'cat'], { stdio: ['pipe', 'ignore', 'inherit'] });
  t.after(() => holder.kill('SIGKILL'));
  const s = await controlledIn(t, { plugins, hubs, ...config, tls: false, listen: [{ address: '0.0.0.0:0' }] },
    { prefix: ['unshare', '-n', '--'] });
  const ip = (pid, ...args) => assert.equal(spawnSync('nsenter', ['-t', String(pid), '-n', 'ip', ...args], { stdio: 'inherit' }).status, 0, args.join(' '));
  const own = (pid) => spawnSync('readlink', [`/proc/${pid}/ns/net`]).stdout.toString();
  await until(5000, 'two networks', () => new Set([own(holder.pid), own(s.pid), own(process.pid)]).size === 3);
  ip(s.pid, 'link', 'add', 'near', 'type', 'veth', 'peer', 'name', 'far', 'netns', String(holder.pid));
  for (const [pid, name, address] of [[s.pid, 'near', '10.9.9.1/24'], [holder.pid, 'far', '10.9.9.2/24']]) {
    ip(pid, 'addr', 'add', address, 'dev', name);
    ip(pid, 'link', 'set', name, 'up');
  }
  const client = spawn('nsenter', ['-t', String(holder.pid), '-n', process.execPath, '-e', program, String(s.port), String(process.env.SDK_MODULES ?? '')], { stdio: ['ignore', 'pipe', 'inherit'], cwd: import.meta.dirname });
  t.after(() => client.kill('SIGKILL'));
  let said = '';
  client.stdout.on('data', (d) => { said += d; });
  const cut = () => {
    ip(s.pid, 'neigh', 'replace', '10.9.9.2', 'lladdr', '02:00:00:00:00:99', 'dev', 'near', 'nud', 'permanent');
    ip(holder.pid, 'neigh', 'replace', '10.9.9.1', 'lladdr', '02:00:00:00:00:98', 'dev', 'far', 'nud', 'permanent');
  };
  return { s, cut, said: (what) => until(10000, what, () => said.includes(what)) };
}

suite('a cable that is cut', () => {
  const program = `
    const net = require('node:net');
    const s = net.connect({ port: Number(process.argv[1]), host: '10.9.9.1' });
    s.write('GET /client/hubs/gate HTTP/1.1\\r\\nHost: x\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\nSec-WebSocket-Version: 13\\r\\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\\r\\n\\r\\n');
    const one = Buffer.alloc(8 + 5000); one[0] = 0x82; one[1] = 0xfe; one.writeUInt16BE(5000, 2);
    // More, until also what systems with large buffers take is not all of it.
    let left = 0;
    const look = () => {
      const now = s.writableLength;
      if (now > 0 && now === left) console.log('stuck');
      else if (now === 0) for (let i = 0; i < 3000; i++) s.write(one);
      left = s.writableLength;
    };
    s.once('data', () => { look(); setInterval(look, 1500); });`;

  check('under a client that is held: PingTimeout within the time of silence', { skip: when.skip || (!namespaces && 'networks of one\'s own are not allowed here'), timeout: 120000 }, async (t) => {
    const { s, cut, said } = await cabled(t, { limits: { events_after_end: '1s' }, websocket: { ping_interval: '1s' } }, program);
    await said('stuck');
    await pass(2000);
    assert.ok(!s.lines.some((r) => /^disconnected/.test(r.msg)), 'held, and alive');
    const start = Date.now();
    cut();
    await s.logged((r) => /^disconnected .*: PingTimeout$/.test(r.msg), { ms: 45000 });
    assert.ok(Date.now() - start > 25000);
  });
});

suite('conn->hold of a plugin', () => {
  const open = (s, name = 'plain') => s.simple({ hub: name, protocols: 'fixture.v1', token: null });

  check('nothing is read while it holds, what has been read is handed over', when, async () => {
    const c = await open(server);
    assert.match(await c.text(), /^hello/);
    const start = Date.now();
    // One write: both are in the same receive buffer (and TLS record).
    c.ws._socket.cork();
    c.send('hold 700');
    c.send('echo early');
    c.ws._socket.uncork();
    assert.equal(await c.text(), 'echo early');
    c.send('echo late');
    assert.equal(await c.text(), 'released');
    assert.ok(Date.now() - start >= 690);
    assert.equal(await c.text(), 'echo late');
  });

  check('more than one buffer behind the hold comes after it, to the last byte', { ...when, timeout: 60000 }, async () => {
    const c = await open(server);
    await c.text();
    const total = 200;
    c.send('hold 500');
    for (let i = 0; i < total; i++) c.send(`echo ${i} ${'z'.repeat(3900)}`);
    c.send('hold 300');
    c.send('echo end');
    const all = [];
    while (all.at(-1) !== 'echo end') all.push((await c.text({ ms: 10000 })).slice(0, 12).replace(/ z+$/, ''));
    assert.deepEqual(all.filter((x) => /^echo \d/.test(x)), Array.from({ length: total }, (_, i) => `echo ${i}`));
    assert.equal(all.filter((x) => x === 'released').length >= 1, true);
  });

  check('a held client is closed with the whole closing handshake', when, async () => {
    const c = await open(server, 'closing');
    await c.text();
    c.send('hold 20000');
    await pass(100);
    c.send('echo never');
    await control.close(server, 'closing', {}, { reason: 'enough' });
    assert.equal((await c.end()).code, 1000);
  });
});

suite('connected and disconnected', () => {
  check('S-40 events do not wait for connected; disconnected does', when, async () => {
    await (await server.json({ hub: 'never', token: null })).did({ type: 'event', event: 'e', data: 1 });
    const start = Date.now();
    const c = await server.json({ hub: 'late', token: null });
    await c.did({ type: 'event', event: 'e', data: 1 });
    await c.close(1000);
    const end = await ended(server, c.connectionId);
    assert.ok(Date.now() - start > 990, 'after connected, or after events_after_end');
    const list = await events(server, c.connectionId);
    assert.deepEqual(list.map((e) => e.type), ['connected', 'message', 'disconnected']);
    assert.deepEqual(list.map((e) => e.sequence), [1, 2, 3]);
    assert.equal(end.code, 1000);
  });

  check('a connected event that ends in time holds up nothing', when, async (t) => {
    const s = await own(t, { limits: { events_after_end: '10m' } });
    const c = await s.json({ hub: 'late', token: null });
    await pass(1700);
    await c.close(1000);
    await ended(s, c.connectionId);
  });

  check('a connected event that fails does nothing but a line in the log', when, async () => {
    const c = await server.json({ hub: 'deaf', token: null });
    await c.did({ type: 'event', event: 'e', data: 1 });
    await server.logged((r) => r.msg === 'event failed' && r.connection === c.connectionId && r.event === 'connected' && r.hub === 'deaf');
    await c.close(1000);
    assert.equal((await ended(server, c.connectionId)).sequence, 3);
  });

  check('limits.events_after_end: then it goes out regardless, exactly once', when, async () => {
    const start = Date.now();
    const c = await server.json({ hub: 'never', token: null });
    await c.drop();
    await ended(server, c.connectionId);
    assert.ok(Date.now() - start > 900, 'one second of patience');
    const d = await server.simple({ hub: 'silent', token: null, user: undefined });
    for (let i = 0; i < 20; i++) d.send(`m${i}`);
    await d.wsFence();
    const from = server.lines.length;
    await d.close(1000, 'bye');
    const list = await until(5000, 'disconnected', async () => { const l = await ofHub(server, 'silent'); return l.some((e) => e.type === 'disconnected') && l; });
    assert.deepEqual(list.map((e) => e.type), ['connected', 'message', 'disconnected'], 'the queued ones are dropped');
    assert.equal(list[1].abandoned, true);
    assert.deepEqual([list[2].reason, list[2].code], ['bye', 1000]);
    await server.logged((r) => /^queued events of a client/.test(r.msg) && String(r.events) === '19' && r.hub === 'silent', { from });
    await server.logged((r) => r.msg === 'event failed' && r.event === 'message' && r.hub === 'silent', { from });
    await pass(300);
    assert.equal((await ofHub(server, 'silent')).length, 3);
  });

  check('what is queued is still answered within that time', when, async (t) => {
    const s = await own(t, { hubs: { h: hub(handler('slow?ms=100', '*'), handler('ok', null, 'disconnected')) } });
    const c = await s.simple({ hub: 'h', token: null });
    for (let i = 0; i < 5; i++) c.send(`${i}`);
    await c.wsFence();
    await c.close(1000);
    await until(8000, 'disconnected', async () => (await ofHub(s, 'h')).length === 6);
    assert.deepEqual((await ofHub(s, 'h')).map((e) => e.data ?? e.type), ['0', '1', '2', '3', '4', 'disconnected']);
  });

  check('S-40 what a JSON client has sent before its close reaches the handler', when, async (t) => {
    const s = await own(t, { hubs: { h: hub(handler('slow?ms=50', '*'), handler('ok', null, 'disconnected')) } });
    const c = await s.json({ hub: 'h', token: null });
    const listener = await s.json({ hub: 'h', token: undefined, groups: ['g'] });
    for (let i = 0; i < 4; i++) c.send({ type: 'event', event: 'e', dataType: 'text', data: `${i}` });
    await c.close(1000);
    await until(8000, 'disconnected', async () => (await ofHub(s, 'h')).length === 5);
    assert.deepEqual((await ofHub(s, 'h')).map((e) => e.data ?? e.type), ['0', '1', '2', '3', 'disconnected']);
    const d = await s.json({ hub: 'h', token: undefined });
    d.send({ type: 'event', event: 'e', dataType: 'text', data: 'x' });
    d.send({ type: 'sendToGroup', group: 'g', data: 'bye' });
    await d.close(1000);
    assert.equal((await listener.json()).data, 'bye');
  });

  check('at shutdown every disconnected is handed over before the plugin drains', { ...when, timeout: 60000 }, async (t) => {
    const s = await own(t, { shutdown: { timeout: '4s', spread: '0s' } });
    const clients = [];
    for (let i = 0; i < 20; i++) clients.push(await s.json({ hub: i % 2 ? 'never' : 'silent', token: null }));
    for (const c of clients) for (let i = 0; i < 3; i++) c.send({ type: 'event', event: 'e', data: 1 });
    await Promise.all(clients.map((c) => c.fence()));
    s.signal('SIGTERM');
    await within(limit(8000), 'exit', s.exited);
    assert.deepEqual(s.exit, { code: 0, signal: null });
    const lines = s.lines.map((r) => r.msg);
    const drains = lines.indexOf('drains');
    for (const c of clients) {
      const at = lines.flatMap((m, i) => (m === `disconnected ${c.connectionId}: ServiceReload` ? [i] : []));
      assert.equal(at.length, 1, `${at.length} of ${c.connectionId}`);
      assert.ok(at[0] < drains);
    }
  });

  check('a note is kept from connect to disconnected, and shared by nobody', when, async () => {
    const c = await server.json({ hub: 'note', token: null });
    const other = await server.json({ hub: 'note', token: null });
    for (const d of ['A', 'B']) await c.did({ type: 'event', event: 'e', dataType: 'text', data: d });
    assert.equal((await c.ask({ type: 'event', event: 'e', dataType: 'text', data: 'too big' })).success, false);
    await c.did({ type: 'event', event: 'e', dataType: 'text', data: 'C' });
    await other.close(1000);
    await c.close(1000);
    assert.equal((await ended(server, c.connectionId)).note, 'coABC');
    assert.equal((await ended(server, other.connectionId)).note, 'co');
    assert.deepEqual((await events(server, c.connectionId)).map((e) => e.note), [null, 'c', 'co', 'coA', 'coAB', 'coAB', 'coABC']);
    const half = await server.json({ hub: 'halfnote', token: null });
    await half.did({ type: 'event', event: 'e', dataType: 'text', data: 'x' });
    await half.close(1000);
    assert.equal((await ended(server, half.connectionId)).note, 'x');
  });
});

suite('reasons and failures', () => {
  const reason = async (c) => (await ended(server, c.connectionId)).reason;

  check('3.9 a close of the client: its text, else empty', when, async () => {
    const c = await server.json({ hub: 'told', token: null });
    await c.close(1000, 'see you');
    assert.equal(await reason(c), 'see you');
    const d = await server.json({ hub: 'told', token: null });
    await d.close();
    assert.equal(await reason(d), '');
  });

  check('3.9 S-101 a close by command: the sentence, for every kind of client', when, async () => {
    for (const [why, told] of [['out', 'Application server closed the connection. Reason: out'], [undefined, 'Application server closed the connection.']]) {
      for (const reliable of [false, true]) {
        const c = await server.json({ hub: 'told', token: null, reliable });
        await control.close(server, 'told', { conn: c.connectionId }, { reason: why });
        assert.equal(await reason(c), told);
      }
      const s = await server.simple({ hub: 'told', user: `simple-${why}` });
      await control.close(server, 'told', { user: `simple-${why}` }, { reason: why });
      assert.deepEqual(await s.end(), { code: 1000, reason: why ?? '' });
      const e = await until(5000, 'disconnected', async () => (await ofHub(server, 'told', 'disconnected')).find((x) => x.user === `simple-${why}`));
      assert.equal(e.reason, told);
    }
    const long = await server.simple({ hub: 'told', user: 'long' });
    await control.close(server, 'told', { user: 'long' }, { reason: `${'ü'.repeat(70)}` });
    assert.deepEqual(await long.end(), { code: 1000, reason: 'ü'.repeat(61) });
  });

  check('3.9 a protocol error: the text of the close', when, async () => {
    const c = await server.json({ hub: 'told', token: null });
    c.send('{');
    const end = await c.end();
    assert.equal(end.code, 1007);
    assert.equal(await reason(c), end.reason);
  });

  check('3.13 an event that fails closes a simple client with 1011: SendEventFailed', when, async () => {
    for (const [name, cause] of [['fails', /as asked for/], ['says', /status 418/]]) {
      const from = server.lines.length;
      const c = await server.simple({ hub: name, user: 'sad' });
      c.send('x');
      const end = await c.end();
      assert.equal(end.code, 1011);
      assert.doesNotMatch(end.reason, /asked|418/);
      const record = await server.logged((r) => r.msg === 'event failed' && r.hub === name && r.event === 'message', { from });
      assert.match(record.cause, cause);
      assert.match(record.connection, /./);
      const e = await until(5000, 'disconnected', async () => (await ofHub(server, name, 'disconnected'))[0]);
      assert.deepEqual([e.reason, e.code, e.state], ['SendEventFailed', 1011, null]);
    }
  });

  check('3.13 no handler: SendEventFailed too, a line at debug level only', when, async () => {
    const from = server.lines.length;
    const c = await server.simple({ hub: 'some', token: null });
    c.send('x');
    assert.equal((await c.end()).code, 1011);
    const e = await until(5000, 'disconnected', async () => (await ofHub(server, 'some', 'disconnected'))[0]);
    assert.equal(e.reason, 'SendEventFailed');
    const r = await server.logged((x) => x.msg === 'no handler takes the event' && x.hub === 'some', { from });
    assert.deepEqual([r.level, r.event, r.connection], ['debug', 'message', e.conn]);
    const j = await server.json({ hub: 'some', token: null });
    j.send({ type: 'event', event: 'unknown', data: 1 });
    assert.deepEqual(await j.fence(), []);
    await j.close(1000, 'later');
    assert.equal(await reason(j), 'later', 'not the fault of the event');
  });

  check('3.13 drop_on_event_failure: 1011 for events without ackId', when, async (t) => {
    const s = await own(t, { plugins: { ...plugins, 'subprotocol-json': { drop_on_event_failure: true } } });
    for (const name of ['fails', 'some']) {
      const c = await s.json({ hub: name, token: null });
      assert.equal((await c.ask({ type: 'event', event: 'unknown', data: 1 })).error.name, 'InternalServerError');
      c.send({ type: 'event', event: 'unknown', data: 1 });
      assert.equal((await c.end()).code, 1011);
      assert.deepEqual(c.queue, []);
      assert.equal((await ended(s, c.connectionId)).reason, 'SendEventFailed');
    }
  });

  check('limits.event_timeout is the end of any event', when, async (t) => {
    const s = await own(t, { limits: { event_timeout: '300ms' } });
    const c = await s.json({ hub: 'silent', token: null });
    const start = Date.now();
    assert.equal((await c.ask({ type: 'event', event: 'e', data: 1 })).success, false);
    assert.ok(Date.now() - start >= 290);
    await s.logged((r) => r.msg === 'event failed' && r.event === 'e' && /deadline/.test(r.cause));
  });
});

suite('answers to connect', () => {
  const refused = (name, more) => server.refused({ hub: name, protocols: JSON_V1, token: null, ...more });

  check('3.7 a 4xx goes to the client with its body and its type', when, async () => {
    const plain = await refused('r401');
    assert.deepEqual([plain.status, plain.body, plain.headers['content-type'], plain.headers['content-length']], [401, 'no-such-room', 'text/plain; charset=utf-8', '12']);
    assert.equal(plain.headers['www-authenticate'], undefined, 'not ours to say');
    const typed = await refused('r403');
    assert.deepEqual([typed.status, typed.body, typed.headers['content-type']], [403, 'no-such-room', 'application/problem+json']);
    const none = await refused('r499');
    assert.deepEqual([none.status, none.body, none.headers['content-length'], none.headers['content-type']], [499, '', '0', undefined]);
    assert.equal((await refused('r404')).status, 404);
  });

  check('3.7 a 5xx keeps its status and loses its body; all else is 500', when, async () => {
    for (const [name, status] of [['r500', 500], ['r503', 503], ['r302', 500], ['r600', 500], ['down', 500], ['badgroup', 500]]) {
      const from = server.lines.length;
      const r = await refused(name);
      assert.deepEqual([r.status, r.body, r.headers['content-length'], r.headers['content-type']], [status, '', '0', undefined], name);
      await server.logged((x) => x.msg === 'event failed' && x.event === 'connect' && x.hub === name && /./.test(x.connection), { from });
    }
  });

  check('3.7 refused: neither connected nor disconnected', when, async () => {
    await refused('badgroup');
    await refused('r401');
    await pass(200);
    for (const name of ['badgroup', 'r401']) assert.ok((await ofHub(server, name)).every((e) => e.type === 'connect'));
  });

  check('3.7 a token that is no good is refused without asking', when, async () => {
    const r = await refused('unasked', { token: 'x.y.z' });
    assert.equal(r.status, 401);
    assert.equal(r.headers['www-authenticate'], 'Bearer');
    assert.deepEqual(await ofHub(server, 'unasked'), []);
  });

  check('3.7 several offered, none named: the first that the service knows, in the client\'s order', when, async () => {
    const c = await server.json({ hub: 'fewer', token: null, protocols: ['own.v1', JSON_V1, 'json.reliable.webpubsub.azure.v1'] });
    assert.equal(c.protocol, JSON_V1);
    assert.equal((await server.simple({ hub: 'custom', token: null, protocols: [JSON_V1, 'own.v1'] })).protocol, 'own.v1');
  });

  check('3.7 userId "" removes the user, for the events as well', when, async () => {
    const c = await server.json({ hub: 'nobody', user: 'alice' });
    assert.equal(c.connected.userId, null);
    await c.close(1000);
    assert.deepEqual((await events(server, c.connectionId)).slice(0, 1).map((e) => [e.type, e.user]), [['connect', 'alice']]);
    assert.equal((await ended(server, c.connectionId)).user, null);
  });
});
