// SPDX-License-Identifier: Apache-2.0
// azure-client.md 7: protobuf.reliable.webpubsub.azure.v1. What sessions are is
// shown by reliable.test.mjs; here is that these clients have them.
import assert from 'node:assert/strict';
import { check, suite } from './lib/cases.mjs';
import { Handler, hookServer } from './lib/handler.mjs';
import {
  PROTOBUF_RELIABLE_V1, ProtobufClient, down, json, text,
} from './lib/protobuf.mjs';
import { BINARY } from './lib/rawsocket.mjs';
import { Rest, to } from './lib/rest.mjs';
import { ALL } from './lib/token.mjs';

const app = await Handler.start();
const server = hookServer({
  workers: 3,
  plugins: { 'subprotocol-protobuf': {}, 'http-rest': {} },
  hubs: { '*': { anonymous: 'deny' }, app: { event_handlers: [app.all({ system_events: [] })] } },
});
const STATES = [...ALL, 'webpubsub.setGroupState', 'webpubsub.getGroupState'];
let names = 0;
const fresh = () => `pr-${process.pid}-${names++}`;
const open = (options) => ProtobufClient.open(server, { reliable: true, ...options });
const times = async (n, fn) => { for (let i = 0; i < n; i++) await fn(i); };
const numbers = (n, from = 1) => Array.from({ length: n }, (x, i) => i + from);
const sequence = (c, id) => c.send('sequence_ack_message', { sequence_id: id });

/** Recovery must be refused: 101, close 1008, no other message. */
async function final(client, options) {
  const again = await client.recover(options);
  const end = await again.end();
  assert.equal(end.code, 1008, JSON.stringify(end));
  assert.ok(end.reason.length > 0);
  assert.deepEqual(again.ws.queue, []);
}

suite('reliable protobuf', () => {
  check('C-112 sequence_id starts at 1, rises by 1 on server and group messages only', async () => {
    const group = fresh();
    const c = await open({ user: group, groups: [group] });
    for (const i of numbers(5)) {
      await c.publish(group, json(i));
      c.send('ping_message');
      assert.deepEqual(await c.take('pong_message'), { member: 'pong_message' });
      assert.deepEqual(await c.take('data_message'), { member: 'data_message', from: 'group', group, data: json(i), sequence_id: i });
    }
    await new Rest(server).send(to.user(group), 'from server');
    assert.deepEqual(await c.next(), { member: 'data_message', from: 'server', data: text('from server'), sequence_id: 6 });
  });

  check('C-112 group states and fragments are numbered as well, with the bytes of the vectors', async () => {
    const group = fresh();
    const c = await open({ groups: [group], roles: STATES });
    await c.did('subscribe_group_state', { group });
    assert.deepEqual(await c.next(), { member: 'group_state_snapshot', group, sequence_id: 1 });
    await c.did('set_group_state', { group, state: { entries: { a: 'b' } } });
    const update = await c.next();
    assert.deepEqual([update.member, update.sequence_id, update.items[0].state], ['group_state_update', 2, { entries: { a: 'b' } }]);
    c.send('send_to_group_message', { group, stream: { stream_id: 's' } });
    c.send('stream_data', { stream_id: 's', stream_sequence_id: 1, data: text('x') });
    c.send('stream_end', { stream_id: 's' });
    const first = await c.take('data_message');
    assert.deepEqual([first.sequence_id, first.stream], [3, { stream_id: 's', stream_sequence_id: 1 }]);
    const last = await c.take('data_message');
    assert.deepEqual([last.sequence_id, last.stream], [4, { stream_id: 's', stream_sequence_id: 2, end_of_stream: true }]);
  });

  check('C-113 drop and recover: connected, unacked messages with old ids, then new ones', async () => {
    await times(4, async (i) => {
      const group = fresh();
      const publisher = await server.json();
      const c = await open({ user: 'alice', groups: [group] });
      for (const k of numbers(3)) await publisher.publish(group, k);
      for (const k of numbers(3)) assert.equal((await c.next()).sequence_id, k);
      if (i % 2) await c.drop(); else { c.ws.ws.close(); await c.end(); }
      const again = await c.recovered();
      assert.equal(again.connected.user_id, 'alice');
      assert.equal(again.ws.protocol, PROTOBUF_RELIABLE_V1);
      assert.ok(again.connected.reconnection_token);
      await publisher.publish(group, 4);
      for (const k of numbers(4)) {
        const m = await again.next();
        assert.deepEqual([m.sequence_id, m.data], [k, json(k)]);
      }
      assert.deepEqual(await again.fence(), []);
    });
  });

  check('C-114 acked messages are not replayed; messages published while detached are', async () => {
    const group = fresh();
    const publisher = await server.json();
    const c = await open({ groups: [group] });
    for (const k of numbers(4)) await publisher.publish(group, k);
    await c.take('data_message', { wanted: (m) => m.sequence_id === 4 });
    sequence(c, 3);
    c.ws.queue.length = 0;
    await c.fence();
    await c.drop();
    for (const k of numbers(3, 5)) await publisher.publish(group, k);
    const again = await c.recovered();
    for (const k of numbers(4, 4)) assert.equal((await again.next()).sequence_id, k);
    sequence(again, 1000000);
    assert.deepEqual(await again.fence(), []);
    await again.drop();
    const third = await again.recovered();
    assert.deepEqual(await third.fence(), [], 'an ack beyond the last releases everything');
    await publisher.publish(group, 8);
    assert.equal((await third.next()).sequence_id, 8);
  });

  check('C-115 recovery with wrong token, unknown id, another protocol → 101 and close 1008, no other frame', async () => {
    const c = await open();
    await final(c, { token: 'wrong' });
    await final(c, { id: 'unknown' });
    await final(c, { hub: 'other' });
    await final(c, { protocols: 'json.reliable.webpubsub.azure.v1' });
    const j = await server.reliable();
    await final(c, { id: j.connectionId, token: j.reconnectionToken });
    await c.join('still');
    await c.drop();
    const again = await c.recovered();
    await again.publish('still', json(1));
    assert.deepEqual((await again.take('data_message')).data, json(1));
  });

  check('C-117 groups, ack ids and group states survive', async () => {
    const group = fresh();
    const c = await open({ groups: [group], roles: STATES });
    const watcher = await open({ groups: [group], roles: STATES });
    await watcher.did('subscribe_group_state', { group });
    await watcher.next();
    await c.did('set_group_state', { group, state: { entries: { a: 'b' } }, ack_id: 7 });
    await watcher.take('group_state_update');
    await c.drop();
    assert.deepEqual(await watcher.fence(), [], 'a detached member keeps its state');
    const again = await c.recovered();
    assert.equal((await again.ask('set_group_state', { group, ack_id: 7 })).error.name, 'Duplicate');
    await again.close(1000);
    const left = await watcher.take('group_state_update');
    assert.deepEqual([left.items[0].connection_id, 'state' in left.items[0]], [c.connectionId, false]);
  });

  check('C-119 1001 unacked messages → close 1008 and recovery refused', async () => {
    const group = fresh();
    const publisher = await server.json();
    const c = await open({ groups: [group] });
    for (const i of numbers(1000)) publisher.send({ type: 'sendToGroup', group, data: i });
    await publisher.publish('other', 1);
    await c.take('data_message', { wanted: (m) => m.sequence_id === 1000, ms: 10000 });
    c.ws.queue.length = 0;
    assert.deepEqual(await c.fence(), [], '1000 are allowed');
    await publisher.publish(group, 1001);
    assert.deepEqual(await c.end(), { code: 1008, reason: 'The reliable message buffer is full.' });
    await final(c);
  });

  check('C-122 a second transport takes over; the first is closed with 1008', async () => {
    await times(3, async () => {
      const group = fresh();
      const publisher = await server.json();
      const c = await open({ groups: [group] });
      let sent = 0;
      const flow = (async () => { while (sent < 200) await publisher.publish(group, ++sent); })();
      await c.take('data_message', { wanted: (m) => m.sequence_id === 20 });
      const again = await c.recovered();
      assert.deepEqual(await c.end(), { code: 1008, reason: 'Replaced by a newer connection.' });
      await flow;
      await again.take('data_message', { wanted: (m) => m.sequence_id === 200, ms: 10000 });
      const seen = again.ws.queue.map((m) => down(m.binary).data_message).filter(Boolean);
      assert.deepEqual(seen.map((m) => m.sequence_id), numbers(199));
      assert.deepEqual(seen.map((m) => m.data), numbers(199).map(json));
    });
  });

  check('C-123 sequence_ack 0, lower or repeated has no effect', async () => {
    const group = fresh();
    const c = await open({ groups: [group] });
    for (const i of numbers(3)) await c.publish(group, json(i));
    for (const id of [2, 2, 1, 0]) sequence(c, id);
    await c.fence();
    await c.drop();
    assert.equal((await (await c.recovered()).next()).sequence_id, 3);
  });

  check('C-126 after a 1007 close the session is not recoverable', async () => {
    const c = await open();
    c.ws.send(Buffer.from([0xff]));
    assert.equal((await c.end()).code, 1007);
    await final(c);
    const d = await open();
    d.ws.send('text');
    assert.equal((await d.end()).code, 1003);
    await final(d);
  });

  check('C-127 a running stream continues after recovery with its expected id', async () => {
    const group = fresh();
    const member = await open({ groups: [group] });
    const c = await open();
    const write = (client, n) => client.send('stream_data', { stream_id: 's', stream_sequence_id: n, data: json(n) });
    c.send('send_to_group_message', { group, stream: { stream_id: 's' } });
    await c.take('stream_ack');
    for (const n of [1, 2, 3]) write(c, n);
    await c.take('stream_ack', { wanted: (a) => a.expected_sequence_id === 4 });
    await c.drop();
    const again = await c.recovered();
    assert.deepEqual(await again.next(), { member: 'stream_ack', stream_id: 's', expected_sequence_id: 4 });
    for (const n of [3, 4]) write(again, n);
    again.send('stream_end', { stream_id: 's' });
    assert.deepEqual(await again.take('stream_closed'), { member: 'stream_closed', stream_id: 's' });
    const seen = [];
    do seen.push((await member.next()).stream); while (!seen.at(-1).end_of_stream);
    assert.deepEqual(seen.map((s) => s.stream_sequence_id), numbers(5));
    assert.deepEqual(await member.fence(), []);
    // The end may have been lost with the socket: it is told again.
    await again.drop();
    const third = await again.recovered();
    assert.deepEqual(await third.next(), { member: 'stream_closed', stream_id: 's' });
  });

  check('C-86 invocations end with the socket, their answers are not numbered', async () => {
    const c = await open({ hub: 'app' });
    app.queue({ hub: 'app', event: 'ok' }, { type: 'text/plain', body: 'yes' });
    c.send('invoke_event', { event: 'ok', invocation_id: '1' });
    assert.deepEqual(await c.next(), { member: 'invoke_response', invocation_id: '1', success: true, data: text('yes') });
    app.queue({ hub: 'app', event: 'slow' }, { type: 'text/plain', body: 'late', delay: 300 });
    c.send('invoke_event', { event: 'slow', invocation_id: '2' });
    await app.one({ hub: 'app', event: 'slow' });
    await c.drop();
    const again = await c.recovered();
    app.queue({ hub: 'app', event: 'ok' }, { type: 'text/plain', body: 'again' });
    again.send('invoke_event', { event: 'ok', invocation_id: '2' });
    assert.deepEqual((await again.next()).data, text('again'), 'the id is free, the old answer does not come');
  });

  check('C-113 a message near the limit is replayed, whole', async () => {
    const group = fresh();
    const c = await open({ groups: [group] });
    const publisher = await ProtobufClient.open(server);
    const bytes = Buffer.alloc(1000000, 7);
    for (const i of numbers(3)) await publisher.publish(group, { binary_data: Buffer.concat([Buffer.from([i]), bytes]) }, {}, { ms: 10000 });
    await c.take('data_message', { wanted: (m) => m.sequence_id === 3, ms: 10000 });
    await c.drop();
    const again = await c.recovered();
    for (const i of numbers(3)) {
      const m = await again.next({ ms: 10000 });
      assert.deepEqual([m.sequence_id, m.data.binary_data[0], m.data.binary_data.length], [i, i, bytes.length + 1]);
    }
  });

  check('7.4 everything goes as binary messages', async () => {
    const c = await open();
    await c.drop();
    const raw = await server.raw();
    await raw.handshake({
      path: `/client/hubs/chat?awps_connection_id=${c.connectionId}&awps_reconnection_token=${c.connected.reconnection_token}`,
      protocols: PROTOBUF_RELIABLE_V1,
    });
    const first = await raw.frame();
    assert.equal(first.opcode, BINARY);
    assert.equal(down(first.payload).system_message.connected_message.connection_id, c.connectionId);
    raw.destroy();
  });
});
