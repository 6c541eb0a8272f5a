// SPDX-License-Identifier: Apache-2.0
// azure-client.md 7: json.reliable.webpubsub.azure.v1.
import assert from 'node:assert/strict';
import { check, suite } from './lib/cases.mjs';
import { control, controlled, controlledIn, hasControl } from './lib/control.mjs';
import { CLOSE, TEXT } from './lib/rawsocket.mjs';
import { pass, until } from './lib/time.mjs';
import { ALL, now } from './lib/token.mjs';
import { JSON_V1, RELIABLE_V1 } from './lib/wsclient.mjs';

const server = controlled({ workers: 3 });
let names = 0;
const fresh = () => `r-${process.pid}-${names++}`;

/** Both workers and sockets differ from attempt to attempt: what holds for one
 * way of coming back is tried several times. */
const times = async (n, fn) => { for (let i = 0; i < n; i++) await fn(i); };

const sequence = (c, id) => c.send({ type: 'sequenceAck', sequenceId: id });

/** Recovery must be refused: 101, close 1008, no other frame. */
async function final(client, options) {
  const again = await server.recover(client, options);
  const end = await again.end();
  assert.equal(end.code, 1008, JSON.stringify(end));
  assert.ok(end.reason.length > 0 && Buffer.byteLength(end.reason) <= 123);
  assert.deepEqual(again.queue, []);
}

suite('reliable json', () => {
  check('C-112 sequenceId starts at 1, rises by 1 on server and group messages only', async () => {
    const group = fresh();
    const c = await server.reliable({ user: 'seq', groups: [group] });
    for (let i = 1; i <= 5; i++) {
      const ack = await c.publish(group, i);
      assert.equal(ack.sequenceId, undefined);
      c.send({ type: 'ping' });
      assert.equal((await c.type('pong')).sequenceId, undefined);
      const m = await c.type('message');
      assert.deepEqual([m.sequenceId, m.data], [i, i]);
    }
    if (hasControl) {
      await control.publish(server, 'chat', { user: 'seq' }, 'from server', { type: 'text' });
      const m = await c.type('message');
      assert.deepEqual([m.from, m.sequenceId], ['server', 6]);
    }
  });

  check('C-113 drop and recover: connected, unacked messages with old ids, then new ones', async () => {
    await times(8, async (i) => {
      const group = fresh();
      const publisher = await server.json();
      const c = await server.reliable({ user: 'alice', groups: [group] });
      for (let k = 1; k <= 3; k++) await publisher.publish(group, k);
      for (let k = 1; k <= 3; k++) assert.equal((await c.json()).sequenceId, k);
      if (i % 2) await c.drop(); else { c.ws.close(); await c.end(); }
      const again = await server.recovered(c);
      assert.equal(again.connected.userId, 'alice');
      assert.equal(again.protocol, RELIABLE_V1);
      assert.ok(again.reconnectionToken);
      await publisher.publish(group, 4);
      for (let k = 1; k <= 4; k++) {
        const m = await again.json();
        assert.deepEqual([m.sequenceId, m.data], [k, k]);
      }
      assert.deepEqual(await again.fence(), []);
    });
  });

  check('C-114 acked messages are not replayed; messages published while detached are', async () => {
    const group = fresh();
    const publisher = await server.json();
    const c = await server.reliable({ groups: [group] });
    for (let k = 1; k <= 4; k++) await publisher.publish(group, k);
    await c.take((m) => m.json?.sequenceId === 4);
    sequence(c, 3);
    c.queue.length = 0;
    await c.fence();
    await c.drop();
    for (let k = 5; k <= 7; k++) await publisher.publish(group, k);
    const again = await server.recovered(c);
    for (let k = 4; k <= 7; k++) assert.equal((await again.json()).sequenceId, k);
    sequence(again, 1000000);
    assert.deepEqual(await again.fence(), []);
    await again.drop();
    const third = await server.recovered(again);
    assert.deepEqual(await third.fence(), [], 'an ack beyond the last releases everything');
    await publisher.publish(group, 8);
    assert.equal((await third.json()).sequenceId, 8);
  });

  check('C-115 recovery with wrong token, unknown id, other hub → 101 and close 1008, no other frame', async () => {
    const c = await server.reliable();
    const other = await server.reliable();
    const t = c.reconnectionToken;
    await final(c, { token: 'wrong' });
    await final(c, { token: 'x'.repeat(4000) });
    await final(c, { token: other.reconnectionToken });
    await final(c, { id: 'unknown' });
    await final(c, { id: '../../../etc/passwd\u0001' });
    await final(c, { hub: 'other' });
    const changed = (at) => `${t.slice(0, at)}${t[at] === 'A' ? 'B' : 'A'}${t.slice(at + 1)}`;
    for (const at of [0, t.length >> 2, t.length >> 1, t.length - 10, t.length - 5]) await final(c, { token: changed(at) });
    await final(c, { token: ` ${t}` });
    await final(c, { token: `${t}.` });
    const plain = await server.json();
    await final(plain, { id: plain.connectionId, token: t });
    // Whether the plain protocol is echoed for such a client is nobody's
    // concern; "ws" would not go on without it.
    const raw = await server.raw();
    const answer = await raw.handshake({ path: `/client/hubs/chat?awps_connection_id=${plain.connectionId}&awps_reconnection_token=${t}`, protocols: JSON_V1 });
    assert.equal(answer.status, 101);
    const closing = await raw.frame();
    assert.deepEqual([closing.opcode, closing.payload.readUInt16BE(0)], [CLOSE, 1008]);
    raw.destroy();
    // None of it has disturbed the real one.
    await c.join('still');
    await c.drop();
    const again = await server.recovered(c);
    await again.publish('still', 1);
    assert.equal((await again.type('message')).data, 1);
  });

  check('C-115 one of the two parameters alone is no recovery', async () => {
    assert.equal(await server.status({ token: null, query: { awps_connection_id: 'x' }, protocols: RELIABLE_V1 }), 401);
    assert.equal(await server.status({ query: { awps_reconnection_token: 'x' }, protocols: RELIABLE_V1 }), 101);
  });

  check('C-115 a recovery that does not offer the session\'s protocol → close 1008', async () => {
    const c = await server.reliable();
    await c.drop();
    const simple = await server.recover(c, { protocols: [] });
    assert.equal(simple.protocol, '');
    assert.equal((await simple.end()).code, 1008);
    await server.recovered(c);
  });

  check('C-115 recovery after 31 s → 1008; within 28 s it works', { timeout: 60000 }, async () => {
    const late = await server.reliable();
    const early = await server.reliable();
    await late.drop();
    await early.drop();
    await pass(25000); // the machine may add some
    await server.recovered(early);
    await pass(6500);
    await final(late);
  });

  check('C-116 recovery works with an expired or absent access_token', async () => {
    const c = await server.reliable();
    await c.drop();
    const two = await server.recovered(c, { token: c.reconnectionToken, query: { access_token: server.token({ exp: now() - 9999 }) } });
    await two.drop();
    const three = await server.recovered(two, { query: { access_token: 'garbage' }, authorization: 'Bearer garbage' });
    await three.drop();
    await server.recovered(three, { query: { webpubsub_mode: 'bad' } });
  });

  check('C-117 groups, permissions, ackId set survive', async () => {
    const group = fresh();
    const c = await server.reliable({ user: 'u', roles: ['webpubsub.joinLeaveGroup', 'webpubsub.sendToGroup.a'] });
    await c.did({ type: 'joinGroup', group, ackId: 1 });
    await c.drop();
    const again = await server.recovered(c);
    assert.equal((await again.ask({ type: 'joinGroup', group, ackId: 1 })).error.name, 'Duplicate');
    assert.equal((await again.ask({ type: 'sendToGroup', group: 'a', data: 1, ackId: 2 })).success, true);
    assert.equal((await again.ask({ type: 'sendToGroup', group, data: 1, ackId: 3 })).error.name, 'Forbidden');
    await (await server.json()).publish(group, 'member');
    const m = await again.type('message');
    assert.equal(m.data, 'member');
    await again.publish('a', 1, { ackId: 4 });
    const other = await server.json({ groups: ['a'] });
    await again.publish('a', 2, { ackId: 5 });
    assert.equal((await other.json()).fromUserId, 'u');
  });

  check('C-117 a runtime grant survives, counts include detached sessions', { skip: !hasControl }, async () => {
    const hub = 'retained';
    const c = await server.reliable({ hub, roles: undefined });
    await control.permission(server, hub, { conn: c.connectionId, op: 'grant', action: 'publish', group: 'x' });
    await c.drop();
    assert.equal(await control.count(server, hub), 1, 'a detached session is a connection');
    const again = await server.recovered(c);
    assert.equal((await again.ask({ type: 'sendToGroup', group: 'x', data: 1 })).success, true);
    await again.close(1000);
    await until(5000, 'the connection is gone', async () => (await control.count(server, hub)) === 0);
  });

  check('C-119 1001 unacked messages → close 1008 and recovery refused', async () => {
    const group = fresh();
    const publisher = await server.json();
    const c = await server.reliable({ groups: [group] });
    for (let i = 1; i <= 1000; i++) publisher.send({ type: 'sendToGroup', group, data: i });
    await publisher.publish('other', 1);
    await c.take((m) => m.json?.sequenceId === 1000, { ms: 10000 });
    c.queue.length = 0;
    assert.deepEqual(await c.fence(), [], '1000 are allowed');
    await publisher.publish(group, 1001);
    assert.deepEqual(await c.end(), { code: 1008, reason: 'The reliable message buffer is full.' });
    await final(c);
  });

  check('C-119 the same while detached, and for more than 16 MiB', async () => {
    const group = fresh();
    const publisher = await server.json();
    const c = await server.reliable({ groups: [group] });
    const ok = await server.reliable({ groups: [group] });
    await c.drop();
    await ok.drop();
    const again = await server.recovered(ok);
    const big = 'x'.repeat(1000000);
    for (let i = 1; i <= 16; i++) await publisher.publish(group, big, { dataType: 'text' });
    const m = await again.take((x) => x.json?.sequenceId === 16, { ms: 15000 });
    assert.equal(m.json.data.length, big.length);
    sequence(again, 16);
    await again.fence();
    await publisher.publish(group, big, { dataType: 'text' });
    await again.take((x) => x.json?.sequenceId === 17, { ms: 15000 });
    await final(c);
  });

  check('C-113 a replay is bounded by the session, not by the limits of a queue', async (t) => {
    const s = await controlledIn(t, { limits: { queue_bytes: '1m', queue_messages: 5 } });
    const publisher = await s.json();
    const c = await s.reliable({ groups: ['g'] });
    await c.drop();
    await s.logged((r) => r.msg === 'client detached' && r.connection === c.connectionId, { what: 'the detach' });
    for (let i = 0; i < 21; i++) await publisher.publish('g', Buffer.alloc(750000, i).toString('base64'), { dataType: 'binary' });
    const raw = await s.raw();
    const answer = await raw.handshake({ path: `/client/hubs/chat?awps_connection_id=${c.connectionId}&awps_reconnection_token=${c.reconnectionToken}`, protocols: RELIABLE_V1 });
    assert.equal(answer.status, 101);
    raw.socket.pause();
    await pass(500);
    raw.socket.resume();
    assert.equal(JSON.parse((await raw.frame()).payload).event, 'connected');
    for (let i = 1; i <= 21; i++) {
      const f = await raw.frame();
      assert.equal(f.opcode, TEXT, f.payload.toString('latin1', 0, 100));
      assert.equal(JSON.parse(f.payload).sequenceId, i);
    }
    raw.destroy();
  });

  check('5.10 what was written before its ttl was over is sent again after it', async () => {
    const group = fresh();
    const publisher = await server.json();
    const c = await server.reliable({ groups: [group] });
    await publisher.publish(group, 'written', { ttlSeconds: 1 });
    await c.take((m) => m.json?.sequenceId === 1);
    await c.drop();
    await server.logged((r) => r.msg === 'client detached' && r.connection === c.connectionId, { what: 'the detach' });
    await publisher.publish(group, 'waits', { ttlSeconds: 1 });
    await publisher.publish(group, 'stays');
    await pass(1300);
    const again = await server.recovered(c);
    assert.deepEqual((await again.fence()).map((m) => [m.json.sequenceId, m.json.data]), [[1, 'written'], [3, 'stays']]);
  });

  check('5.10 what waited for a full socket until its ttl was over is not sent after it', { timeout: 60000 }, async (t) => {
    const s = await controlledIn(t);
    const publisher = await s.json();
    const url = new URL(s.url({ groups: ['g'] }));
    const raw = await s.raw();
    assert.equal((await raw.handshake({ path: url.pathname + url.search, host: url.host, protocols: RELIABLE_V1 })).status, 101);
    const { connectionId, reconnectionToken } = JSON.parse((await raw.frame()).payload);
    raw.socket.pause();
    const big = Buffer.alloc(750000).toString('base64');
    for (let i = 0; i < 14; i++) await publisher.publish('g', big, { dataType: 'binary' });
    await publisher.publish('g', 'late', { ttlSeconds: 1 });
    await publisher.publish('g', 'in time', { ttlSeconds: 300 });
    await pass(1300);
    raw.destroy();
    await s.logged((r) => r.msg === 'client detached' && r.connection === connectionId, { what: 'the detach' });
    const again = await s.recovered({ options: {}, connectionId, reconnectionToken });
    const got = (await again.fence()).map((m) => [m.json.sequenceId, m.json.dataType === 'binary' ? 'big' : m.json.data]);
    assert.deepEqual(got, [...Array.from({ length: 14 }, (_, i) => [i + 1, 'big']), [16, 'in time']]);
  });

  check('C-120 client close 1000 → session gone at once; close without code or others → recoverable', async () => {
    const gone = await server.reliable();
    await gone.close(1000, 'done');
    await final(gone);
    for (const code of [undefined, 1001, 3000, 4001]) {
      const c = await server.reliable();
      assert.equal((await c.close(code)).code, code ?? 1005);
      await server.recovered(c);
    }
  });

  check('C-121 REST close of an attached or detached session → recovery gets 1008', { skip: !hasControl }, async () => {
    const attached = await server.reliable();
    await control.close(server, 'chat', { conn: attached.connectionId }, { reason: 'out' });
    assert.equal((await attached.json()).event, 'disconnected');
    assert.equal((await attached.end()).code, 1000);
    await final(attached);
    const detached = await server.reliable();
    await detached.drop();
    await control.close(server, 'chat', { conn: detached.connectionId }, { reason: 'out' });
    await final(detached);
  });

  check('C-122 a second transport takes over; the first is closed with 1008', async () => {
    await times(6, async () => {
      const group = fresh();
      const publisher = await server.json();
      const c = await server.reliable({ groups: [group] });
      let sent = 0;
      const flow = (async () => { while (sent < 200) await publisher.publish(group, ++sent); })();
      await c.take((m) => m.json?.sequenceId === 20);
      const again = await server.recovered(c);
      assert.deepEqual(await c.end(), { code: 1008, reason: 'Replaced by a newer connection.' });
      await flow;
      await again.take((m) => m.json?.sequenceId === 200, { ms: 10000 });
      const seen = again.queue.map((m) => m.json).filter((m) => m.type === 'message');
      assert.deepEqual(seen.map((m) => m.sequenceId), Array.from({ length: 199 }, (x, i) => i + 1));
      assert.deepEqual(seen.map((m) => m.data), Array.from({ length: 199 }, (x, i) => i + 1));
    });
  });

  check('C-122 recoveries that race: one lives, the others get 1008', async () => {
    await times(20, async () => {
      const c = await server.reliable();
      await c.drop();
      const all = await Promise.all(Array.from({ length: 5 }, () => server.recover(c)));
      const ends = await Promise.all(all.map((x) => Promise.race([x.closed, until(10000, 'one is left', () => all.filter((y) => !y.ended).length <= 1).then(() => x.ended)])));
      const alive = all.filter((x) => !x.ended);
      assert.equal(alive.length, 1);
      assert.equal(ends.filter((e) => e?.code === 1008).length, 4, JSON.stringify(ends));
      await alive[0].type('system');
      await alive[0].fence();
    });
  });

  check('C-123 sequenceAck 0, lower or repeated has no effect; string → 1007', async () => {
    const group = fresh();
    const c = await server.reliable({ groups: [group] });
    for (let k = 1; k <= 4; k++) await c.publish(group, k);
    await c.take((m) => m.json?.sequenceId === 4);
    c.queue.length = 0;
    for (const id of [2, 0, 1, 2]) sequence(c, id);
    assert.deepEqual(await c.fence(), [], 'never answered');
    await c.drop();
    const again = await server.recovered(c);
    assert.equal((await again.json()).sequenceId, 3);
    assert.equal((await again.json()).sequenceId, 4);
    for (const id of ['"1"', '-1', '1.5', 'null', 'true']) {
      const bad = await server.reliable();
      bad.send(`{"type":"sequenceAck","sequenceId":${id}}`);
      assert.equal((await bad.end()).code, 1007, id);
    }
    const missing = await server.reliable();
    missing.send('{"type":"sequenceAck"}');
    assert.equal((await missing.end()).code, 1007);
    const most = await server.reliable();
    most.send('{"type":"sequenceAck","sequenceId":18446744073709551615}');
    await most.fence();
  });

  check('C-124 REST add-to-group while detached is in force after recovery', { skip: !hasControl }, async () => {
    const [into, from] = [fresh(), fresh()];
    const c = await server.reliable({ groups: [from] });
    await c.drop();
    await control.join(server, 'chat', { conn: c.connectionId }, into);
    await control.leave(server, 'chat', { conn: c.connectionId }, from);
    const publisher = await server.json();
    await publisher.publish(into, 'detached');
    await publisher.publish(from, 'never');
    const again = await server.recovered(c);
    assert.equal((await again.json()).data, 'detached');
    await publisher.publish(from, 'never');
    await publisher.publish(into, 'attached');
    assert.equal((await again.json()).data, 'attached');
  });

  check('C-125 a reconnection token opens nothing new, an access token recovers nothing', async () => {
    const c = await server.reliable();
    assert.equal(await server.status({ token: c.reconnectionToken }), 401);
    assert.equal(await server.status({ token: null, authorization: `Bearer ${c.reconnectionToken}` }), 401);
    await final(c, { token: server.token({ roles: ALL }) });
    await final(c, { token: server.token({ aud: c.connectionId, iss: 'https://webpubsub.azure.com' }) });
    await c.fence();
  });

  check('C-126 after a 1007 close the session is not recoverable', async () => {
    for (const [message, code] of [['nonsense', 1007], [Buffer.from('x'), 1003], ['x'.repeat(1048577), 1009]]) {
      const c = await server.reliable();
      c.send(message);
      assert.equal((await c.end()).code, code);
      await final(c);
    }
    const framing = await server.reliable();
    framing.ws._socket.write(Buffer.from([0xf1, 0x80, 0, 0, 0, 0]));
    assert.equal((await framing.end()).code, 1002);
    await final(framing);
  });

  check('7.6 every token of a session stays good', async () => {
    const c = await server.reliable();
    await c.drop();
    const two = await server.recovered(c);
    await two.drop();
    const three = await server.recovered(two, { token: c.reconnectionToken });
    await three.drop();
    await server.recovered(three, { token: two.reconnectionToken });
  });

  check('7.1 acks pending at a drop are lost, the request is answered as Duplicate', async () => {
    const group = fresh();
    const c = await server.reliable();
    const watcher = await server.json({ groups: [group] });
    c.send({ type: 'sendToGroup', group, data: 'once', ackId: 9 });
    assert.equal((await watcher.json()).data, 'once');
    await c.drop();
    const again = await server.recovered(c);
    assert.equal((await again.ask({ type: 'sendToGroup', group, data: 'once', ackId: 9 })).error.name, 'Duplicate');
    assert.deepEqual(await watcher.fence(), []);
  });

  check('5.10 a message whose TTL is over before it was ever written is dropped', async () => {
    const group = fresh();
    const publisher = await server.json();
    const c = await server.reliable({ groups: [group] });
    await c.drop();
    // What is written to a socket that is just breaking counts as written.
    await server.logged((r) => r.msg === 'client detached' && r.connection === c.connectionId, { what: 'the detach' });
    await publisher.publish(group, 'short', { ttlSeconds: 1 });
    await publisher.publish(group, 'long', { ttlSeconds: 60 });
    await publisher.publish(group, 'none');
    await pass(1500);
    const again = await server.recovered(c);
    const got = [await again.json(), await again.json()];
    assert.deepEqual(got.map((m) => m.data), ['long', 'none']);
    assert.deepEqual(got.map((m) => m.sequenceId), [2, 3]);
  });

  check('C-117 recovery lands on whatever worker accepts the socket', async (t) => {
    const many = await controlledIn(t, { workers: 4 });
    const group = fresh();
    const publisher = await many.json();
    let c = await many.reliable({ groups: [group] });
    for (let i = 1; i <= 40; i++) {
      await c.drop();
      await publisher.publish(group, i);
      c = await many.recovered(c);
      const m = await c.json();
      assert.deepEqual([m.sequenceId, m.data], [i, i]);
      sequence(c, i);
      await c.fence(); // a reset can take the ack with it
    }
    const resumed = await until(5000, '40 records', () => {
      const records = many.lines.filter((r) => r.msg === 'session resumed');
      return records.length === 40 && records;
    });
    assert.ok(resumed.some((r) => r.arrived !== r.thread), 'some sockets arrived at another worker');
    assert.ok(resumed.some((r) => r.arrived === r.thread), 'some at the same');
  });
});
