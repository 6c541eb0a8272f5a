// SPDX-License-Identifier: Apache-2.0
// azure-client.md 9: limits, timers, closing; what overload does to others.
import assert from 'node:assert/strict';
import { openSync } from 'node:fs';
import { check, suite } from './lib/cases.mjs';
import { control, controlledIn, hasControl } from './lib/control.mjs';
import { officialClient } from './lib/official.mjs';
import { Proxy } from './lib/proxy.mjs';
import { CLOSE, CONTINUATION, PING, PONG, TEXT, closeFrame, frame } from './lib/rawsocket.mjs';
import { suiteServer, testServer } from './lib/server.mjs';
import { limit, pass, slow, until, within } from './lib/time.mjs';
import { JSON_V1, RELIABLE_V1 } from './lib/wsclient.mjs';

const server = suiteServer({ workers: 2 });

/** A raw socket behind its handshake (and `connected`). */
async function rawClient(s, { protocols = JSON_V1, ...options } = {}) {
  const url = new URL(s.url({ roles: ['webpubsub.sendToGroup', 'webpubsub.joinLeaveGroup'], ...options }));
  const raw = await s.raw();
  const answer = await raw.handshake({ path: url.pathname + url.search, host: url.host, protocols });
  assert.equal(answer.status, 101);
  if (protocols) raw.connected = JSON.parse((await raw.frame()).payload);
  return raw;
}

suite('closing', () => {
  check('C-146 close reasons are at most 123 bytes of valid UTF-8', { skip: !hasControl }, async (t) => {
    const s = await controlledIn(t);
    for (const [reason, cut] of [['x'.repeat(200), 'x'.repeat(123)], ['ä'.repeat(100), 'ä'.repeat(61)], ['😀'.repeat(50), '😀'.repeat(30)], ['short', 'short']]) {
      const c = await s.simple({ user: 'r' });
      await control.close(s, 'chat', { user: 'r' }, { reason });
      assert.deepEqual(await c.end(), { code: 1000, reason: cut });
      const j = await s.json({ user: 'r' });
      await control.close(s, 'chat', { user: 'r' }, { reason });
      assert.equal((await j.json()).message, `Application server closed the connection. Reason: ${reason}`);
      assert.equal((await j.end()).code, 1000);
    }
  });

  check('9.2 a client that does not answer the close frame is cut off after close_timeout', async (t) => {
    const s = await testServer(t, { websocket: { close_timeout: '500ms' } });
    const raw = await rawClient(s);
    const start = Date.now();
    await raw.write(frame(TEXT, 'nonsense'));
    assert.equal((await raw.closing()).code, 1007);
    await raw.end({ ms: 5000 });
    assert.ok(Date.now() - start >= 300, 'not before');
  });

  check('9.2 the server answers a close frame and ends the connection', async () => {
    const raw = await rawClient(server);
    await raw.write(closeFrame(4321, 'bye'));
    assert.equal((await raw.closing()).code, 4321);
    assert.equal(await raw.end(), 'fin');
  });

  check('9.2 data behind a close frame is not looked at', async () => {
    const raw = await rawClient(server);
    await raw.write(Buffer.concat([closeFrame(1000), frame(TEXT, '{"type":"ping"}'), frame(PING, 'x'), Buffer.from([0xff, 0xff, 0xff])]));
    const f = await raw.frame();
    assert.equal(f.opcode, CLOSE);
    await raw.end();
    assert.equal(raw.data.length, 0);
  });
});

suite('keeping alive', () => {
  check('C-144 the server pings at the configured interval; a silent peer is dropped, a reliable one stays recoverable', { timeout: 60000 }, async (t) => {
    const s = await testServer(t, { websocket: { ping_interval: '1s' } });
    const answering = await s.reliable();
    let pings = 0;
    answering.ws.on('ping', () => { pings += 1; });
    const start = Date.now();
    const silent = await rawClient(s, { protocols: RELIABLE_V1 });
    assert.equal((await silent.frame()).opcode, PING);
    const first = Date.now() - start;
    assert.ok(first > 500, `first ping after ${first} ms`);
    assert.equal((await silent.frame()).opcode, PING);
    // The peer does not read pings in time if its pong never comes: at least
    // 30 s of silence, or twice the interval (9.2).
    await silent.end({ ms: 40000 });
    const silence = Date.now() - start;
    assert.ok(silence >= 29000, `dropped after ${silence} ms`);
    assert.ok(pings >= 10, `${pings} pings`);
    await answering.fence();
    const again = await s.recover({ options: {}, connectionId: silent.connected.connectionId, reconnectionToken: silent.connected.reconnectionToken });
    assert.equal((await again.json()).event, 'connected');
  });

  check('a message that never ends is a broken connection, although pings are answered', { timeout: 60000 }, async (t) => {
    const s = await testServer(t, { websocket: { ping_interval: '1s', message_timeout: '2s' } });
    const patient = await s.json();
    const raw = await rawClient(s, { protocols: RELIABLE_V1 });
    await raw.write(frame(TEXT, '{"type":', { fin: false }));
    for (let f; (f = await raw.frame({ ms: 20000 }).catch(() => undefined)) !== undefined;) {
      assert.equal(f.opcode, PING);
      await raw.write(Buffer.concat([frame(PONG, f.payload), frame(CONTINUATION, ' ', { fin: false })]));
    }
    const { connectionId, reconnectionToken } = raw.connected;
    await s.logged((r) => r.connection === connectionId && r.reason === 'MessageTimeout');
    // Messages that end may come for as long as they like.
    await patient.fence();
    const again = await s.recover({ options: {}, connectionId, reconnectionToken });
    assert.equal((await again.json()).event, 'connected');
  });

  check('C-144 the interval is a setting of the hub', async (t) => {
    const s = await testServer(t, { hubs: { '*': { ping_interval: '120s' }, fast: { ping_interval: '1s' } } });
    const slowOne = await s.json({ hub: 'other' });
    let pinged = false;
    slowOne.ws.on('ping', () => { pinged = true; });
    const fast = await s.json({ hub: 'fast' });
    await within(5000, 'a ping', new Promise((resolve) => fast.ws.once('ping', resolve)));
    assert.equal(pinged, false);
  });

  check('C-144 pings are answered at once with their payload', async () => {
    const raw = await rawClient(server);
    for (const payload of ['', 'x', Buffer.alloc(125, 0xff)]) {
      await raw.write(frame(PING, payload));
      const f = await raw.frame();
      assert.deepEqual([f.opcode, f.payload], [PONG, Buffer.from(payload)]);
    }
    await raw.write(frame(PONG, 'unasked'));
    await raw.write(frame(TEXT, '{"type":"ping"}'));
    assert.equal((await raw.frame()).payload.toString(), '{"type":"pong"}');
  });
});

suite('load', () => {
  check('C-145 a slow plain client with more than 1000 queued messages is closed 1008', { timeout: 60000 }, async () => {
    const publisher = await server.json();
    const quick = await server.json({ groups: ['slow'] });
    const slowOne = await server.json({ groups: ['slow'] });
    const socket = slowOne.ws._socket;
    slowOne.pause();
    socket.pause();
    const from = server.lines.length;
    let closed = false;
    const record = server.logged((r) => JSON.stringify(r).includes(slowOne.connectionId) && JSON.stringify(r).includes('1008'), { from, ms: 30000, what: 'a close 1008' });
    record.then(() => { closed = true; }, () => {});
    // Fill what the kernel buffers, then 1000 more.
    const filler = 'x'.repeat(10000);
    let sent = 0;
    for (; !closed && sent < 4000; sent++) await publisher.publish('slow', filler, { dataType: 'text' });
    await record;
    assert.ok(sent > 1000, `${sent}`);
    slowOne.resume();
    socket.resume();
    const end = await slowOne.end({ ms: 15000 });
    if (end.code !== 1006) assert.deepEqual(end, { code: 1008, reason: 'The outbound message queue is full.' });
    assert.ok(slowOne.queue.length <= sent);
    for (let i = 0; i < sent; i++) assert.equal((await quick.json()).data.length, 10000);
  });

  check('C-145 over 16 MiB queued closes as well, with few messages', { timeout: 60000 }, async () => {
    const publisher = await server.json();
    const slowOne = await server.json({ groups: ['heavy'] });
    const from = server.lines.length;
    slowOne.ws._socket.pause();
    let closed = false;
    const record = server.logged((r) => JSON.stringify(r).includes(slowOne.connectionId) && JSON.stringify(r).includes('1008'), { from, ms: 30000, what: 'a close 1008' });
    record.then(() => { closed = true; }, () => {});
    const filler = 'x'.repeat(1000000);
    let sent = 0;
    for (; !closed && sent < 100; sent++) await publisher.publish('heavy', filler, { dataType: 'text' });
    await record;
    assert.ok(sent >= 16 && sent < 60, `${sent}`);
    slowOne.ws.terminate();
  });

  check('C-145 1000 pipelined requests in one write are all answered', async () => {
    for (const protocols of [JSON_V1, RELIABLE_V1]) {
      const raw = await rawClient(server, { protocols });
      await raw.write(Buffer.concat(Array.from({ length: 1000 }, (x, i) => frame(TEXT, `{"type":"joinGroup","group":"p${i % 50}","ackId":${i}}`))));
      for (let i = 0; i < 1000; i++) {
        const ack = JSON.parse((await raw.frame()).payload);
        assert.deepEqual(ack, { type: 'ack', ackId: i, success: true });
      }
      raw.destroy();
    }
  });

  check('C-145 a burst of 3000 own messages echoed in one turn closes nobody who reads', async () => {
    const raw = await rawClient(server);
    await raw.write(frame(TEXT, '{"type":"joinGroup","group":"burst","ackId":1}'));
    await raw.frame();
    await raw.write(Buffer.concat(Array.from({ length: 3000 }, (x, i) => frame(TEXT, `{"type":"sendToGroup","group":"burst","data":${i}}`))));
    for (let i = 0; i < 3000; i++) assert.equal(JSON.parse((await raw.frame()).payload).data, i);
    raw.destroy();
  });

  check('C-145 a burst of more than is written in one turn closes nobody who reads', { timeout: 30000 }, async (t) => {
    const s = await testServer(t, { workers: 1 });
    const raw = await rawClient(s);
    await raw.write(frame(TEXT, '{"type":"joinGroup","group":"burst","ackId":1}'));
    await raw.frame();
    // Looking at each of them would be too slow a reader.
    let bytes = 0;
    raw.socket.removeAllListeners('data');
    raw.socket.on('data', (piece) => { bytes += piece.length; });
    const data = 'x'.repeat(70);
    const echo = JSON.stringify({ type: 'message', from: 'group', group: 'burst', dataType: 'json', data }).length;
    await raw.write(Buffer.concat(Array(12000).fill(frame(TEXT, `{"type":"sendToGroup","group":"burst","data":"${data}"}`))));
    await until(limit(10000), 'all are echoed', () => bytes >= 12000 * echo);
    raw.destroy();
  });

  check('C-144 10,000 pings in one write are all answered', async () => {
    const raw = await rawClient(server);
    await raw.write(Buffer.concat(Array.from({ length: 10000 }, (x, i) => frame(PING, String(i)))));
    for (let i = 0; i < 10000; i++) {
      const f = await raw.frame({ ms: 10000 });
      assert.deepEqual([f.opcode, f.payload.toString()], [PONG, String(i)]);
    }
    await raw.write(frame(TEXT, '{"type":"ping"}'));
    assert.equal((await raw.frame()).payload.toString(), '{"type":"pong"}');
    raw.destroy();
  });

  check('C-145 who writes and never reads is bounded, and closed or held up', { timeout: 60000 }, async (t) => {
    const s = await testServer(t, { log: { level: 'info', format: 'json' } });
    const other = await s.json({ groups: ['other'] });
    const before = s.memory();
    /** Write `chunk` until the server stops reading or closes. */
    const flood = async (raw, chunk) => {
      raw.socket.pause();
      for (let n = 0; n < 600 && !raw.gone && !raw.socket.destroyed; n++) {
        const written = raw.write(chunk).then(() => 'on', () => 'gone');
        const closed = new Promise((resolve) => raw.socket.once('close', () => resolve('gone')));
        const what = await Promise.race([written, closed, pass(1500 * slow).then(() => 'held up')]);
        raw.socket.removeAllListeners('close');
        if (what !== 'on') break;
      }
      raw.destroy();
      await other.publish('other', 1);
      assert.equal((await other.type('message')).data, 1);
    };
    await flood(await rawClient(s), Buffer.concat(Array(2000).fill(frame(PING, 'x'.repeat(125)))));
    await flood(await rawClient(s), Buffer.concat(Array(2000).fill(frame(TEXT, '{"type":"ping"}'))));
    await flood(await rawClient(s), Buffer.concat(Array.from({ length: 2000 }, (x, i) => frame(TEXT, `{"type":"sendToGroup","group":"void","data":1,"ackId":${i}}`))));
    await flood(await s.raw(), Buffer.from('GET /api/health HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(2000)));
    await flood(await s.raw(), Buffer.alloc(1048576, 'GET /'));
    const grown = (s.memory() - before) / 1048576;
    t.diagnostic(`memory grew by ${grown.toFixed(1)} MiB`);
    if (!process.env.SDK_SANITIZED) assert.ok(grown < 200, `${grown} MiB`);
  });

  check('C-119 the limits of queue and buffer are configurable', async (t) => {
    const s = await testServer(t, { limits: { queue_messages: 20 } });
    const publisher = await s.json();
    const slowOne = await s.json({ groups: ['g'] });
    slowOne.ws._socket.pause();
    const record = s.logged((r) => JSON.stringify(r).includes(slowOne.connectionId) && JSON.stringify(r).includes('1008'), { ms: 20000, what: 'a close 1008' });
    let closed = false;
    record.then(() => { closed = true; }, () => {});
    let sent = 0;
    for (; !closed && sent < 100; sent++) await publisher.publish('g', 'x'.repeat(500000), { dataType: 'text' });
    await record;
    slowOne.ws.terminate();
  });

  check('C-63 message_size is a setting', async (t) => {
    const s = await testServer(t, { limits: { message_size: '4k' } });
    const c = await s.json({ groups: ['g'] });
    const head = '{"type":"sendToGroup","group":"g","data":"';
    c.send(`${head}${'x'.repeat(4096 - head.length - 2)}"}`);
    assert.equal((await c.json()).data.length, 4096 - head.length - 2);
    c.send(`${head}${'x'.repeat(4097 - head.length - 2)}"}`);
    assert.equal((await c.end()).code, 1009);
  });

  check('9.1 groups_per_connection: one more is refused, the connection lives', async (t) => {
    const s = await testServer(t, { limits: { groups_per_connection: 10 } });
    const c = await s.json();
    for (let i = 0; i < 10; i++) await c.join(`g${i}`);
    const ack = await c.ask({ type: 'joinGroup', group: 'g10' });
    assert.equal(ack.success, false);
    await c.join('g3');
    await c.leave('g3');
    await c.join('g10');
  });

  check('C-147 connection limit → 429 before the upgrade; recovery is not subject to it', async (t) => {
    const s = await testServer(t, { limits: { connections: 5 }, workers: 2 });
    const first = await s.reliable();
    const all = [];
    for (let i = 0; i < 4; i++) all.push(await s.json());
    const refusal = await s.refused();
    assert.equal(refusal.status, 429);
    await first.drop();
    assert.equal((await s.refused()).status, 429, 'a detached session counts');
    await s.recovered(first);
    await all[0].close(1000);
    await until(5000, 'room again', async () => (await s.status()) === 101);
  });

  check('9.2 the handshake must be complete within its time', async (t) => {
    const s = await testServer(t, { http: { first_byte_timeout: '300ms', headers_timeout: '600ms' } });
    const silent = await s.raw();
    const slowly = await s.raw();
    await slowly.write('GET /client/hubs/chat HTTP/1.1\r\nHost: x\r\n');
    let over = false;
    const drip = (async () => {
      while (!over) { await slowly.write('X'); await pass(100); }
    })();
    await silent.end({ ms: 5000 });
    await slowly.end({ ms: 5000 }).finally(() => { over = true; });
    await drip;
    assert.equal(await s.status(), 101);
  });
});

suite('bodies', () => {
  check('9.2 a body must come within its time', { skip: !hasControl }, async (t) => {
    const s = await controlledIn(t, { http: { body_timeout: '400ms' } });
    const raw = await s.raw();
    await raw.write('POST /control/chat/publish?to=group&name=x HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc');
    await raw.end({ ms: 5000 });
    assert.equal((await s.http('/api/health')).status, 200);
  });
});

suite('stopping', () => {
  check('C-148 SIGTERM: 1001 for everybody, no disconnected message, exit 0', async (t) => {
    const s = await testServer(t, { workers: 2 });
    const all = await Promise.all([s.json(), s.reliable(), s.simple(), ...Array.from({ length: 20 }, () => s.json())]);
    const idle = await s.raw();
    s.signal('SIGTERM');
    for (const c of all) {
      assert.equal((await c.end()).code, 1001);
      assert.deepEqual(c.queue, []);
    }
    await within(5000, 'exit', s.exited);
    assert.deepEqual(s.exit, { code: 0, signal: null });
    assert.ok(idle.over || await idle.end());
  });

  check('C-148 clients that do not answer hold up the end only for shutdown.timeout', async (t) => {
    const s = await testServer(t, { shutdown: { timeout: '1s', spread: '0s' }, websocket: { close_timeout: '60s' } });
    const raw = await rawClient(s);
    raw.socket.pause();
    s.signal('SIGTERM');
    await within(8000, 'exit', s.exited);
    assert.deepEqual(s.exit, { code: 0, signal: null });
    raw.destroy();
  });

  check('C-148 while draining: health 503, closes are spread', async (t) => {
    const s = await testServer(t, { shutdown: { timeout: '20s', spread: '4s' } });
    const health = await s.raw();
    const get = `GET /api/health HTTP/1.1\r\nHost: x\r\n\r\n`;
    await health.write(get);
    assert.equal((await health.answer()).status, 200);
    const all = await Promise.all(Array.from({ length: 40 }, () => s.json()));
    const when = all.map((c) => c.closed.then(() => Date.now()));
    s.signal('SIGTERM');
    const times = await within(10000, 'all closed', Promise.all(when));
    assert.ok(all.every((c) => c.ended.code === 1001));
    const width = Math.max(...times) - Math.min(...times);
    assert.ok(width > 600, `closed within ${width} ms`);
    await within(8000, 'exit', s.exited);
    assert.equal(s.exit.code, 0);
  });

  check('C-148 the official client comes back by itself after a restart', { timeout: 60000 }, async (t) => {
    const first = await testServer(t, {});
    const proxy = await Proxy.start(first.port);
    t.after(() => proxy.stop());
    const origin = first.origin.replace(String(first.port), String(proxy.port));
    const a = officialClient({ origin });
    t.after(() => a.c.stop());
    await a.start();
    await a.c.joinGroup('restart');
    const second = await testServer(t, {});
    proxy.target.port = second.port;
    first.signal('SIGTERM');
    await within(10000, 'exit', first.exited);
    assert.equal(first.exit.code, 0);
    // The session is not there any more: 1008, then a new connection.
    await a.wait('a new connection', () => a.seen.connected.length === 2, 30000);
    const publisher = await second.json();
    await until(10000, 'the group is joined again', async () => { await publisher.publish('restart', 'x'); return a.seen.group.length > 0; });
  });

  check('1.6 while draining: requests under way are told 503 with Retry-After, new ones do not come in', async (t) => {
    const s = await testServer(t, { workers: 1, shutdown: { timeout: '20s', spread: '0s' }, websocket: { close_timeout: '10s' } });
    const holding = await rawClient(s); // and does not answer the close frame
    const [health, client] = [await s.raw(), await s.raw()];
    await health.write('GET /api/health HTTP/1.1\r\nHost: x\r\n');
    const url = new URL(s.url());
    await client.write(client.constructor.request({ path: url.pathname + url.search, host: url.host }).slice(0, -2));
    await s.http('/api/health'); // by the only worker, behind them
    s.signal('SIGTERM');
    await s.logged((r) => /shutting down/.test(r.msg ?? ''), { what: 'shutting down' });
    await until(5000, 'nobody is accepted', () => s.raw().then((raw) => { raw.destroy(); return false; }, (e) => e.code === 'ECONNREFUSED'));
    for (const raw of [health, client]) {
      await raw.write('\r\n');
      const answer = await raw.answer();
      assert.equal(answer.status, 503);
      assert.match(answer.headers['retry-after'], /^\d+$/);
    }
    holding.destroy();
    await within(8000, 'exit', s.exited);
    assert.equal(s.exit.code, 0);
  });

  check('C-148 SIGTERM under load', async (t) => {
    const s = await testServer(t, { workers: 4, shutdown: { timeout: '20s', spread: '300ms' } });
    const all = await Promise.all(Array.from({ length: 60 }, (x, i) => s.json({ reliable: i % 6 === 1, groups: i % 6 === 1 ? [] : ['load'] })));
    let go = true;
    const flow = Promise.allSettled(all.map(async (c) => { while (go) await c.publish('load', 'x'.repeat(200)); }));
    await all[0].take((m) => m.json?.type === 'message');
    await pass(300);
    s.signal('SIGTERM');
    await within(20000, 'exit', s.exited);
    go = false;
    await flow;
    assert.deepEqual(s.exit, { code: 0, signal: null });
    for (const c of all) assert.ok([1001, 1006, 1008].includes((await c.end()).code));
    assert.ok(all.filter((c) => c.ended.code === 1001).length > 50);
  });

  check('SIGHUP ends nothing', async (t) => {
    const s = await testServer(t, {});
    const c = await s.json({ groups: ['hup'] });
    s.signal('SIGHUP');
    await c.publish('hup', 1);
    assert.equal((await c.json()).data, 1);
    assert.equal(await s.status(), 101);
  });

  check('SIGTERM with nobody there ends at once; SIGINT as well', async (t) => {
    for (const signal of ['SIGTERM', 'SIGINT']) {
      const s = await testServer(t, {});
      s.signal(signal);
      await within(3000, 'exit', s.exited);
      assert.deepEqual(s.exit, { code: 0, signal: null });
    }
  });
});

suite('a machine in trouble', () => {
  check('running out of file descriptors: who is in is served, later others come in again', { timeout: 60000 }, async (t) => {
    const s = await testServer(t, { workers: 2 }, { prefix: ['prlimit', '--nofile=64:64'] });
    const a = await s.json({ groups: ['fd'] });
    const b = await s.json();
    const flood = await Promise.allSettled(Array.from({ length: 100 }, () => s.raw()));
    await b.publish('fd', 'still served');
    assert.equal((await a.json()).data, 'still served');
    assert.ok((await s.descriptors()) >= 60, 'the test has exhausted them');
    for (const r of flood) r.value?.destroy();
    await until(10000, 'somebody new comes in', async () => {
      try { const c = await s.json(); await c.publish('fd', 'new'); return true; } catch { return false; }
    });
    assert.equal((await a.json()).data, 'new');
  });

  check('a full disk for logs leaves clients served', async (t) => {
    const s = await testServer(t, {}, { stderr: openSync('/dev/full', 'w') });
    const a = await s.json({ groups: ['full'] });
    const b = await s.json();
    for (let i = 0; i < 50; i++) assert.equal(await s.status({ token: 'bad' }), 401);
    await b.publish('full', 1);
    assert.equal((await a.json()).data, 1);
  });

  check('a log that nobody reads leaves clients served', { timeout: 60000 }, async (t) => {
    const s = await testServer(t, {});
    s.child.stderr.pause();
    const a = await s.json({ groups: ['unread'] });
    for (let i = 0; i < 1500; i++) {
      const raw = await s.raw();
      await raw.write(`GET /${'x'.repeat(1000)} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
      assert.equal((await raw.answer()).status, 404);
      raw.destroy();
    }
    const b = await s.json();
    await b.publish('unread', 1);
    assert.equal((await a.json()).data, 1);
    s.child.stderr.resume();
  });

  check('clients that reset in the middle of everything leave nothing behind', async (t) => {
    const s = await testServer(t, { workers: 2 });
    const before = await s.descriptors();
    for (let round = 0; round < 5; round++) {
      await Promise.all(Array.from({ length: 40 }, async (x, i) => {
        const raw = await s.raw();
        const url = new URL(s.url());
        const request = Buffer.from(raw.constructor.request({ path: url.pathname + url.search, host: url.host, protocols: JSON_V1 }));
        await raw.write(i % 4 === 0 ? request.subarray(0, i * 3) : request);
        if (i % 4 === 2) await raw.answer();
        if (i % 4 === 3) { await raw.answer(); await raw.write(frame(TEXT, '{"type":"ping"}').subarray(0, 7)); }
        raw.reset();
      }));
    }
    await until(10000, 'all descriptors are given back', async () => (await s.descriptors()) <= before);
  });
});
