// SPDX-License-Identifier: Apache-2.0
// azure-client.md 6: protobuf.webpubsub.azure.v1, with protobufjs on the other
// side.
import assert from 'node:assert/strict';
import { check, suite } from './lib/cases.mjs';
import { Handler, hookServer, hookServerIn } from './lib/handler.mjs';
import {
  PROTOBUF_RELIABLE_V1, PROTOBUF_V1, ProtobufClient, any, down, downAny, hex, json, text, up,
} from './lib/protobuf.mjs';
import {
  BINARY, closeFrame, frame,
} from './lib/rawsocket.mjs';
import { Rest, service, to } from './lib/rest.mjs';
import { until } from './lib/time.mjs';

const app = await Handler.start();
const server = hookServer({
  plugins: { 'subprotocol-protobuf': {}, 'http-rest': {} },
  hubs: {
    '*': { anonymous: 'deny' },
    app: { event_handlers: [app.all({ system_events: [] })] },
  },
});
const INVALID = 'The client message is not a valid protobuf protocol message.';
const MIB = 1048576;
const STATES = ['webpubsub.joinLeaveGroup', 'webpubsub.sendToGroup', 'webpubsub.setGroupState', 'webpubsub.getGroupState'];
let names = 0;
const fresh = (word = 'p') => `${word}-${process.pid}-${names++}`;
const open = (options) => ProtobufClient.open(server, options);

/** Sending `bytes` must end the connection with `code`. */
async function ends(bytes, code = 1007, reason = INVALID) {
  const c = await open();
  const sent = typeof bytes === 'string' ? bytes : bytes.toString('hex').slice(0, 100);
  c.ws.send(bytes);
  const end = await c.end({ what: `close ${code} of ${sent}` });
  assert.deepEqual(end, { code, reason }, sent);
  assert.deepEqual(c.ws.queue, [], 'nothing is sent before the close');
}

suite('protobuf protocol', () => {
  check('C-12 both names are chosen', async () => {
    for (const name of [PROTOBUF_V1, PROTOBUF_RELIABLE_V1]) {
      const c = await server.simple({ protocols: [name, 'json.webpubsub.azure.v1'] });
      assert.equal(c.protocol, name);
      assert.equal(typeof down(await c.next().then((m) => m.binary)).system_message.connected_message.connection_id, 'string');
    }
  });

  check('C-104 every vector of a request is understood', async () => {
    const c = await open({ roles: STATES, hub: 'vectors' });
    const answers = async (bytes, wanted) => { c.send(hex(bytes)); assert.deepEqual(await c.next(), wanted, bytes); };
    const ok = (id) => ({ member: 'ack_message', ack_id: id, success: true });
    await answers('32 08 0A 04 63 68 61 74 10 01', ok(1));
    await c.did('set_group_state', { group: 'chat', ack_id: 100 });
    c.send(hex('0A 10 0A 04 63 68 61 74 10 03 1A 04 0A 02 68 69 20 01'));
    assert.deepEqual(await c.next(), ok(3), 'no_echo');
    const said = { member: 'data_message', from: 'group', group: 'chat' };
    await answers('0A 11 0A 04 63 68 61 74 1A 09 22 07 7B 22 61 22 3A 31 7D', { ...said, data: { json_data: '{"a":1}' } });
    await answers('0A 0D 0A 04 63 68 61 74 1A 05 12 03 01 02 03', { ...said, data: { binary_data: Buffer.from([1, 2, 3]) } });
    c.send(hex('0A 18 0A 04 63 68 61 74 10 14 1A 04 0A 02 68 69 28 3C 32 06 0A 01 6B 12 01 76'));
    assert.deepEqual(await c.take('data_message'), { ...said, data: { text_data: 'hi' }, metadata: { k: 'v' } });
    assert.deepEqual(await c.take('ack_message'), ok(20));
    const testMessage = hex('0A 2F .type.googleapis.com/azure.webpubsub.TestMessage 12 02 08 01');
    c.send(Buffer.concat([hex('0A 3F 0A 04 63 68 61 74 1A 37 1A 35'), testMessage]));
    assert.deepEqual(await c.next(), { ...said, data: { protobuf_data: testMessage } });
    await answers('2A 14 0A 05 6F 72 64 65 72 12 09 22 07 7B 22 61 22 3A 31 7D 18 04',
      { member: 'ack_message', ack_id: 4, error: { name: 'InternalServerError', message: 'Internal server error' } });
    c.send(hex('42 02 08 07'));
    await answers('4A 00', { member: 'pong_message' });
    await answers('52 0F 0A 04 65 63 68 6F 12 01 31 1A 04 0A 02 68 69',
      { member: 'invoke_response', invocation_id: '1', error: { name: 'NotFound', message: "No event handler for event 'echo'." } });
    c.send(hex('5A 03 0A 01 31'));
    await answers('0A 10 0A 04 63 68 61 74 3A 08 0A 02 73 31 10 E0 D4 03', { member: 'stream_ack', stream_id: 's1', expected_sequence_id: 1 });
    c.send(hex('6A 04 0A 02 73 31'));
    c.send(hex('6A 0C 0A 02 73 31 10 01 1A 04 0A 02 68 69'));
    assert.deepEqual(await c.take('data_message'), { ...said, data: { text_data: 'hi' }, stream: { stream_id: 's1', stream_sequence_id: 1 } });
    assert.equal((await c.take('stream_ack')).expected_sequence_id, 2);
    c.send(hex('72 10 0A 02 73 31 12 0A 0A 04 62 6F 6F 6D 12 02 45 31'));
    assert.deepEqual((await c.take('data_message')).stream,
      { stream_id: 's1', stream_sequence_id: 2, end_of_stream: true, error: { name: 'UserError', message: 'boom', user_error_code: 'E1' } });
    assert.deepEqual(await c.take('stream_closed'), { member: 'stream_closed', stream_id: 's1' });
    await answers('72 04 0A 02 73 31', { member: 'stream_closed', stream_id: 's1', error: { name: 'StreamNotFound', message: (await streamNotFound()) } });
    await answers('7A 1E 0A 04 63 68 61 74 10 08 1A 14 0A 12 0A 08 61 63 74 69 76 69 74 79 12 06 74 79 70 69 6E 67', ok(8));
    await answers('82 01 08 0A 04 63 68 61 74 10 0A', ok(10));
    const snapshot = await c.next();
    assert.deepEqual([snapshot.member, snapshot.group, snapshot.items[0].state], ['group_state_snapshot', 'chat', { entries: { activity: 'typing' } }]);
    c.send(hex('7A 08 0A 04 63 68 61 74 10 09'));
    assert.deepEqual(await c.next(), ok(9));
    const update = await c.next();
    assert.deepEqual([update.member, update.items[0].connection_id, update.items[0].state], ['group_state_update', c.connectionId, undefined]);
    await answers('8A 01 08 0A 04 63 68 61 74 10 0B', ok(11));
    await answers('3A 08 0A 04 63 68 61 74 10 02', ok(2));
    assert.deepEqual(await c.fence(), []);
  });

  check('C-104 what is written is that of the vectors, byte for byte', async () => {
    const hub = fresh('h').replaceAll('-', '_');
    const c = await open({ user: 'alice', hub });
    const raw = await server.simple({ protocols: PROTOBUF_V1, user: 'alice' });
    const greeting = (await raw.next()).binary;
    const id = down(greeting).system_message.connected_message.connection_id;
    const inner = Buffer.concat([Buffer.from([0x0a, id.length]), Buffer.from(id), hex('12 05 .alice')]);
    assert.deepEqual(greeting, Buffer.concat([Buffer.from([0x1a, inner.length + 2, 0x0a, inner.length]), inner]));
    const next = async (bytes) => { assert.equal((await c.bytes()).toString('hex'), hex(bytes).toString('hex'), bytes); };
    c.send(hex('32 08 0A 04 63 68 61 74 10 01'));
    await next('0A 04 08 01 10 01');
    c.send(hex('4A 00'));
    await next('22 00');
    c.send(hex('0A 0C 0A 04 63 68 61 74 1A 04 0A 02 68 69'));
    await next('12 13 0A 05 67 72 6F 75 70 12 04 63 68 61 74 1A 04 0A 02 68 69');
    await new Rest(server, { hub }).send(to.conn(c), '{"a":1}', { type: 'application/json' });
    await next('12 13 0A 06 73 65 72 76 65 72 1A 09 22 07 7B 22 61 22 3A 31 7D');
    await new Rest(server, { hub }).must(204, 'DELETE', to.conn(c).slice(0, -1), { query: { reason: 'bye' } });
    const words = 'Application server closed the connection. Reason: bye';
    assert.deepEqual(await c.bytes(), Buffer.concat([Buffer.from([0x1a, words.length + 4, 0x12, words.length + 2, 0x12, words.length]), Buffer.from(words)]));
    assert.deepEqual(await c.end(), { code: 1000, reason: '' });
    const poor = await open({ roles: [], hub });
    poor.send(hex('0A 0E 0A 04 63 68 61 74 10 03 1A 04 0A 02 68 69'));
    const message = "The client does not have permission to send to group 'chat'.";
    assert.deepEqual(await poor.bytes(), Buffer.concat([Buffer.from([0x0a, 17 + message.length, 0x08, 3, 0x1a, 13 + message.length, 0x0a, 9]),
      Buffer.from('Forbidden'), Buffer.from([0x12, message.length]), Buffer.from(message)]));
  });

  check('C-105 a text message → 1003', async () => {
    for (const message of ['{"type":"ping"}', '', 'J\u0000']) await ends(message, 1003, 'Only binary messages are allowed.');
  });

  check('C-105 garbage, nothing, and an empty oneof → 1007', async () => {
    for (const bytes of ['', 'FF', '00', 'A0 06 01', '4A', '4A 01', '4B', '48 00', '12 00', '62 00', '32 08 0A 04 .chat 10', '32 00', '32 03 0A 01 FF',
      '0A 06 0A 04 .chat', '0A 08 0A 04 .chat 1A 00', '0A 0F 0A 04 .chat 1A 04 0A 02 .hi 28 AD 02', '2A 07 0A 01 .1 12 02 0A 00', '0A 0B 0A 04 .chat 1A 03 22 01 .x',
      '0A 0E 0A 04 .chat 1A 06 22 04 .null', '6A 06 0A 02 .s1 10 01', '72 00', '5A 00', '7B', '0A 0B 0A 04 .chat 1A 03 1A 01 0A']) await ends(hex(bytes));
    await ends(up({ join_group_message: { group: 'x'.repeat(1025) } }));
    await ends(up({ join_group_message: { group: ' ' } }));
    await ends(up({ invoke_event: { event: 'e', invocation_id: 'i'.repeat(257) } }));
    await ends(up({ send_to_group_message: { group: 'g', data: json(1), metadata: { 'a b': 'c' } } }));
    await ends(up({ send_to_group_message: { group: 'g', data: json(1), metadata: { k: 'ü' } } }));
    await ends(Buffer.from('{"type":"ping"}'));
  });

  check('C-105 a message of 1,048,577 bytes → 1009; of 1,048,576 → accepted', async () => {
    const group = fresh();
    const c = await open({ groups: [group] });
    const sized = (bytes) => {
      const size = (n) => up({ send_to_group_message: { group, data: { binary_data: Buffer.alloc(n) } } });
      return size(bytes - (size(bytes).length - bytes));
    };
    const whole = sized(MIB);
    assert.equal(whole.length, MIB);
    c.ws.send(whole);
    assert.ok((await c.take('data_message', { ms: 10000 })).data.binary_data.length > MIB - 100);
    c.ws.send(sized(MIB + 1));
    assert.equal((await c.end()).code, 1009);
  });

  check('C-105 nothing after a protocol error is executed', async () => {
    const group = fresh();
    const member = await open({ groups: [group] });
    const raw = await server.raw();
    const url = new URL(server.url({ roles: ['webpubsub.sendToGroup'] }));
    await raw.handshake({ path: url.pathname + url.search, host: url.host, protocols: PROTOBUF_V1 });
    await raw.frame();
    await raw.write(Buffer.concat([frame(BINARY, 'x'), frame(BINARY, up({ send_to_group_message: { group, data: text('late') } }))]));
    assert.equal((await raw.closing()).code, 1007);
    await raw.write(closeFrame(1007));
    await raw.end();
    assert.deepEqual(await member.fence(), []);
  });

  check('C-106 a client that uses nothing new gets nothing new', async () => {
    const hub = fresh('h').replaceAll('-', '_');
    const group = fresh();
    const old = await open({ hub, groups: [group], user: 'old' });
    const modern = await open({ hub, groups: [group], roles: STATES });
    await modern.did('subscribe_group_state', { group });
    await modern.did('set_group_state', { group, state: { entries: { a: 'b' } } });
    modern.send('invoke_event', { event: 'e', invocation_id: '1' });
    modern.send('send_to_group_message', { group, stream: { stream_id: 's' } });
    await modern.take('stream_ack');
    modern.send('stream_data', { stream_id: 's', stream_sequence_id: 1, data: text('one') });
    modern.send('stream_end', { stream_id: 's' });
    await modern.take('stream_closed');
    await modern.leave(group);
    await new Rest(server, { hub }).send(to.user('old'), 'last');
    const seen = [];
    do seen.push(await old.bytes()); while (down(seen.at(-1)).data_message?.from !== 'server');
    for (const bytes of seen) assert.ok(bytes[0] >> 3 <= 3, bytes.toString('hex'));
    assert.deepEqual(seen.map((b) => down(b).data_message.data.text_data), ['one', '', 'last']);
  });

  check('C-109 unknown fields are skipped, at every level', async () => {
    const group = fresh();
    const c = await open({ groups: [group] });
    const extra = hex('F8 07 05 F9 07 01 02 03 04 05 06 07 08 FA 07 02 .xx FB 07 08 01 FC 07 FD 07 01 02 03 04');
    const wrap = (tag, ...parts) => { const b = Buffer.concat(parts); assert.ok(b.length < 128); return Buffer.concat([hex(tag), Buffer.from([b.length]), b]); };
    c.send(Buffer.concat([extra, wrap('0A', extra, wrap('0A', Buffer.from(group)), wrap('1A', wrap('0A', Buffer.from('hi')), extra)), hex('A0 06 01')]));
    assert.deepEqual(await c.next(), { member: 'data_message', from: 'group', group, data: { text_data: 'hi' } });
    // What has the wrong kind for its number is as unknown.
    c.send(Buffer.concat([hex('30 05'), wrap('0A', wrap('0A', Buffer.from(group)), hex('08 05'), wrap('1A', wrap('22', Buffer.from('1'))))]));
    assert.equal((await c.next()).data.json_data, '1');
  });

  check('C-109 ack_id 0 is an ack id, one beyond 63 bits comes back unchanged', async () => {
    const c = await open();
    c.send(up({ join_group_message: { group: 'g' } }));
    assert.deepEqual(await c.fence(), [], 'no ack id');
    c.send(hex('32 05 0A 01 .g 10 00'));
    assert.deepEqual(await c.bytes(), hex('0A 02 10 01'));
    c.send(hex('32 05 0A 01 .g 10 00'));
    const again = await c.next();
    assert.deepEqual(again.error, { name: 'Duplicate', message: 'Message with ack-id: 0 has been processed' });
    c.send(hex('32 0E 0A 01 .g 10 FE FF FF FF FF FF FF FF FF 01')); // -2 of an old client
    assert.deepEqual(await c.bytes(), hex('0A 0D 08 FE FF FF FF FF FF FF FF FF 01 10 01'));
  });

  check('C-109 of a oneof the last member counts, the same again is merged', async () => {
    const c = await open();
    c.send(Buffer.concat([up({ ping_message: {} }), up({ join_group_message: { group: 'a', ack_id: 5 } })]));
    assert.equal((await c.next()).ack_id, 5);
    c.send(Buffer.concat([up({ join_group_message: { group: 'b' } }), hex('32 02 10 06')]));
    assert.equal((await c.next()).ack_id, 6);
    c.send(Buffer.concat([up({ join_group_message: { group: 'c', ack_id: 7 } }), up({ ping_message: {} })]));
    assert.equal((await c.next()).member, 'pong_message');
    await c.publish('b', text('in b'));
    assert.equal((await c.take('data_message')).group, 'b');
  });

  check('C-110 disconnected_message.reason is field 2', async () => {
    const c = await open();
    await new Rest(server).must(204, 'DELETE', to.conn(c).slice(0, -1));
    const bytes = await c.bytes();
    assert.deepEqual([bytes[0], bytes[2], bytes[4]], [0x1a, 0x12, 0x12]);
    assert.deepEqual(down(bytes), { system_message: { disconnected_message: { reason: 'Application server closed the connection.' } } });
  });

  check('C-111 data absent with metadata → empty text; chosen and empty is valid', async () => {
    const group = fresh();
    const c = await open({ groups: [group] });
    const sends = async (fields) => { c.send('send_to_group_message', { group, ...fields }); return (await c.take('data_message')).data; };
    assert.deepEqual(await sends({ metadata: { k: 'v' } }), { text_data: '' });
    assert.deepEqual(await sends({ metadata: { k: 'v' }, data: {} }), { text_data: '' });
    assert.deepEqual(await sends({ data: text('') }), { text_data: '' });
    assert.deepEqual(await sends({ data: { binary_data: Buffer.alloc(0) } }), { binary_data: Buffer.alloc(0) });
    assert.deepEqual(await sends({ data: { protobuf_data: Buffer.alloc(0) } }), { protobuf_data: Buffer.alloc(0) });
    await ends(up({ send_to_group_message: { group } }));
    await ends(up({ send_to_group_message: { group, data: {} } }));
    await ends(up({ event_message: { event: 'e' } }));
  });

  check('C-52 connected: user_id is left out without a user; plain has no token', async () => {
    assert.deepEqual(Object.keys((await open({ user: 'ü' })).connected).sort(), ['connection_id', 'user_id']);
    assert.deepEqual(Object.keys((await open()).connected), ['connection_id']);
    const r = await open({ reliable: true, user: 'a' });
    assert.ok(r.connected.reconnection_token.length > 20);
  });

  check('C-55 C-67 no_echo, Duplicate, Forbidden', async () => {
    const group = fresh();
    const [a, b] = [await open({ groups: [group] }), await open({ groups: [group] })];
    await a.publish(group, text('quiet'), { no_echo: true });
    await a.publish(group, text('loud'), { no_echo: false, ack_id: 50 });
    assert.equal((await b.take('data_message')).data.text_data, 'quiet');
    assert.equal((await b.take('data_message')).data.text_data, 'loud');
    assert.deepEqual((await a.take('data_message')).data.text_data, 'loud');
    assert.equal((await a.ask('send_to_group_message', { group, data: text('twice'), ack_id: 50 })).error.name, 'Duplicate');
    assert.deepEqual(await a.fence(), []);
    const poor = await open({ roles: [] });
    for (const [member, verb] of [['join_group_message', 'join'], ['leave_group_message', 'leave']]) {
      assert.deepEqual((await poor.ask(member, { group: 'x' })).error, { name: 'Forbidden', message: `The client does not have permission to ${verb} group 'x'.` });
    }
  });

  check('C-69 messages of one publisher to one group arrive in order', async () => {
    const group = fresh();
    const members = await Promise.all(Array.from({ length: 4 }, () => open({ groups: [group] })));
    const publisher = await open();
    for (let i = 0; i < 300; i++) publisher.send('send_to_group_message', { group, data: json(i) });
    for (const c of members) for (let i = 0; i < 300; i++) assert.equal((await c.next()).data.json_data, String(i));
  });

  check('C-70 S-45 events go to the handler in the type of their data, answers come back', async () => {
    const c = await open({ hub: 'app', user: 'u' });
    const packed = any('type.googleapis.com/x.Y', Buffer.from([8, 1]));
    for (const [data, type, body] of [
      [text('hi ü'), 'text/plain; charset=utf-8', Buffer.from('hi ü')], [json({ a: 1 }), 'application/json', Buffer.from('{"a":1}')],
      [{ binary_data: Buffer.from([0, 255]) }, 'application/octet-stream', Buffer.from([0, 255])], [{ protobuf_data: packed }, 'application/x-protobuf', packed]]) {
      const event = fresh('e');
      app.queue({ hub: 'app', event }, { type, body });
      const done = c.did('event_message', { event, data, metadata: { k: 'v' } });
      const request = await app.one({ hub: 'app', event });
      assert.equal(request.headers['content-type'], type);
      assert.deepEqual(request.body, body);
      assert.equal(request.headers['x-webpubsub-metadata-k'], 'v');
      assert.deepEqual(await c.take('data_message'), { member: 'data_message', from: 'server', data });
      await done;
    }
  });

  check('5.11 what a handler calls protobuf, and is no Any, is shown as binary', async () => {
    const c = await open({ hub: 'app' });
    app.queue({ hub: 'app', event: 'odd' }, { type: 'application/x-protobuf', body: Buffer.from([0xff]) });
    await c.did('event_message', { event: 'odd', data: text('x') });
    assert.deepEqual(downAny(await c.bytes()).data_message.data, { binary_data: Buffer.from([0xff]) });
  });

  check('C-81 C-82 C-84 invoke: data, an empty answer, failures, cancel', async () => {
    const c = await open({ hub: 'app' });
    const invoke = (event, id, data) => c.send('invoke_event', { event, invocation_id: id, ...(data ? { data } : {}) });
    app.queue({ hub: 'app', event: 'echo' }, { type: 'application/json', body: '{"b":2}', headers: { 'X-WebPubSub-Metadata-m': 'n' } });
    invoke('echo', 'a', text('hi'));
    assert.deepEqual(await c.next(), { member: 'invoke_response', invocation_id: 'a', success: true, data: { json_data: '{"b":2}' }, metadata: { m: 'n' } });
    invoke('empty', 'b');
    assert.deepEqual(await c.next(), { member: 'invoke_response', invocation_id: 'b', success: true });
    app.queue({ hub: 'app', event: 'bad' }, { status: 500 });
    invoke('bad', 'c', text(''));
    assert.deepEqual(await c.next(), { member: 'invoke_response', invocation_id: 'c', error: { name: 'InternalServerError', message: 'Internal server error' } });
    app.queue({ hub: 'app', event: 'slow' }, { hang: true });
    invoke('slow', 'd', json(1));
    await app.wait({ hub: 'app', event: 'slow' });
    c.send('cancel_invocation', { invocation_id: 'd' });
    c.send('cancel_invocation', { invocation_id: 'nobody' });
    assert.deepEqual(await c.fence(), []);
    c.send('invoke_event', { event: 'echo', invocation_id: 'e', stream: { stream_id: 's' } });
    assert.deepEqual(await c.next(), { member: 'stream_closed', stream_id: 's', error: { name: 'BadRequest', message: 'Streams go to groups only.' } });
  });

  check('C-81 invocations of two clients under the same id do not mix', async () => {
    const [a, b] = [await open({ hub: 'app' }), await server.json({ hub: 'app' })];
    app.queue({ hub: 'app', event: 'mine', text: 'a' }, { type: 'text/plain', body: 'for a', delay: 100 });
    a.send('invoke_event', { event: 'mine', invocation_id: '1', data: text('a') });
    b.send({ type: 'invoke', invocationId: '1', target: 'event', event: 'mine', dataType: 'text', data: 'b' });
    assert.equal((await b.type('invokeResponse')).success, true);
    assert.deepEqual((await a.take('invoke_response')).data, { text_data: 'for a' });
  });

  check('C-87 C-90 C-91 C-93 C-95 C-98 streams', async () => {
    const group = fresh();
    const [c, member] = [await open(), await open({ groups: [group] })];
    const start = (id, more = {}, fields = {}) => c.send('send_to_group_message', { group, stream: { stream_id: id, ...more }, ...fields });
    const write = (id, n, data) => c.send('stream_data', { stream_id: id, stream_sequence_id: n, data });
    start('s');
    assert.deepEqual(await c.next(), { member: 'stream_ack', stream_id: 's', expected_sequence_id: 1 });
    write('s', 1, text('a'));
    write('s', 2, json({ n: 2 }));
    assert.deepEqual(await member.next(), { member: 'data_message', from: 'group', group, data: text('a'), stream: { stream_id: 's', stream_sequence_id: 1 } });
    assert.deepEqual((await member.next()).data, { json_data: '{"n":2}' });
    await c.take('stream_ack', { wanted: (a) => a.expected_sequence_id === 3 });
    write('s', 1, text('again'));
    assert.equal((await c.take('stream_ack')).expected_sequence_id, 3);
    write('s', 9, text('gap'));
    assert.deepEqual(await c.take('stream_nack'), { member: 'stream_nack', stream_id: 's', name: 'InvalidSequenceId', message: 'Expected 3.', expected_sequence_id: 3 });
    c.send('stream_end', { stream_id: 's' });
    assert.deepEqual(await c.take('stream_closed'), { member: 'stream_closed', stream_id: 's' });
    assert.deepEqual(await member.next(), { member: 'data_message', from: 'group', group, data: { text_data: '' }, stream: { stream_id: 's', stream_sequence_id: 3, end_of_stream: true } });
    start('bad', { idle_timeout_ms: 0 });
    assert.equal((await c.take('stream_closed')).error.name, 'BadRequest');
    start('data', {}, { data: text('x') });
    assert.equal((await c.take('stream_closed')).error.name, 'BadRequest');
    c.send('event_message', { event: 'e', stream: { stream_id: 'ev' } });
    assert.deepEqual([(await c.take('stream_closed')).stream_id], ['ev']);
    start('idle', { idle_timeout_ms: 50 });
    assert.deepEqual((await c.take('stream_closed', { wanted: (m) => m.stream_id === 'idle' })).error, { name: 'IdleTimeout', message: 'The stream was idle for too long.' });
    assert.equal((await member.next()).stream.error.name, 'IdleTimeout');
    assert.deepEqual(await member.fence(), []);
  });

  check('C-101 C-102 C-103 group states', async () => {
    const group = fresh();
    const [a, b] = [await open({ groups: [group], roles: STATES, user: 'alice' }), await open({ groups: [group], roles: STATES })];
    await a.did('set_group_state', { group, state: { entries: { k: 'ü', l: '' } } });
    await b.did('subscribe_group_state', { group });
    const snapshot = await b.next();
    assert.deepEqual(snapshot, { member: 'group_state_snapshot', group,
      items: [{ connection_id: a.connectionId, user_id: 'alice', state: { entries: { k: 'ü', l: '' } }, updated_at: snapshot.items[0].updated_at }] });
    assert.ok(Math.abs(snapshot.items[0].updated_at - Date.now()) < 60000);
    await b.did('set_group_state', { group, state: {} });
    const own = await b.next();
    assert.deepEqual(own, { member: 'group_state_update', group, items: [{ connection_id: b.connectionId, state: {}, updated_at: own.items[0].updated_at }] });
    assert.ok(own.items[0].updated_at > snapshot.items[0].updated_at);
    await a.leave(group);
    const left = await b.next();
    assert.deepEqual([left.member, left.items[0].connection_id, 'state' in left.items[0]], ['group_state_update', a.connectionId, false]);
    assert.deepEqual((await b.ask('set_group_state', { group, state: { entries: { k: 'v'.repeat(512) } } })).error,
      { name: 'BadRequest', message: 'State payload exceeds maximum size 512 bytes.' });
    assert.deepEqual((await a.ask('subscribe_group_state', { group })).error, { name: 'Forbidden', message: `Not a member of group ${group}.` });
    const poor = await open({ groups: [group] });
    assert.equal((await poor.ask('set_group_state', { group })).error.message, 'Permission denied.');
    assert.equal((await poor.ask('subscribe_group_state', { group })).error.message, `No permission to get states of group ${group}.`);
    await poor.did('unsubscribe_group_state', { group });
    const empty = await open({ groups: [`${group}e`], roles: STATES });
    await empty.did('subscribe_group_state', { group: `${group}e` });
    assert.deepEqual(await empty.bytes(), Buffer.concat([Buffer.from([0x52, group.length + 3, 0x0a, group.length + 1]), Buffer.from(`${group}e`)]));
    assert.deepEqual(a.ws.queue, []);
  });

  check('5.10 metadata of every kind and its limits', async () => {
    const group = fresh();
    const c = await open({ groups: [group] });
    const full = Object.fromEntries(Array.from({ length: 8 }, (x, i) => [`k${i}`, 'v'.repeat(1022)]));
    const many = Object.fromEntries(Array.from({ length: 400 }, (x, i) => [`k${i}`, `${i}`]));
    for (const metadata of [{ traceparent: '00-abc', Other: '' }, full, many]) {
      c.send('send_to_group_message', { group, data: json(1), metadata });
      assert.deepEqual((await c.next()).metadata, metadata);
    }
    await ends(up({ send_to_group_message: { group, data: json(1), metadata: { ...full, x: '' } } }));
    await ends(Buffer.concat([up({ send_to_group_message: { group: 'g', data: json(1), metadata: { a: '1' } } }), hex('0A 08 32 06 0A 01 .a 12 01 .2')]));
  });

  check('the official server SDK sends to these clients, closes and counts them', async () => {
    const hub = fresh('h').replaceAll('-', '_');
    const admin = service(server, hub);
    const c = await open({ hub, user: 'u' });
    await admin.sendToUser('u', { a: [1] });
    assert.deepEqual((await c.next()).data, { json_data: '{"a":[1]}' });
    await admin.sendToConnection(c.connectionId, 'plain', { contentType: 'text/plain' });
    assert.deepEqual((await c.next()).data, { text_data: 'plain' });
    await admin.group('g').addConnection(c.connectionId);
    await admin.group('g').sendToAll(new Uint8Array([1, 2]).buffer, { contentType: 'application/octet-stream' });
    assert.deepEqual(await c.next(), { member: 'data_message', from: 'group', group: 'g', data: { binary_data: Buffer.from([1, 2]) } });
    assert.equal(await admin.connectionExists(c.connectionId), true);
    await admin.closeConnection(c.connectionId, { reason: 'out' });
    assert.match((await c.next()).disconnected_message.reason, /out$/);
    assert.equal((await c.end()).code, 1000);
    await until(5000, 'it is gone', async () => !(await admin.connectionExists(c.connectionId)));
  });
});

suite('options', () => {
  check('10.1 json_as_text: JSON as text for clients that do not know better', async (t) => {
    const s = await hookServerIn(t, { plugins: { 'subprotocol-protobuf': { json_as_text: true } }, hubs: { chat: { event_handlers: [app.all({ system_events: [] })] } } });
    const c = await ProtobufClient.open(s, { groups: ['g'] });
    const r = await ProtobufClient.open(s, { groups: ['g'], reliable: true });
    await (await s.json()).publish('g', { a: 1 });
    assert.deepEqual((await c.next()).data, { text_data: '{"a":1}' });
    assert.deepEqual((await r.next()).data, { text_data: '{"a":1}' });
    app.queue({ hub: 'chat', event: 'astext' }, { type: 'application/json', body: '[1]' });
    c.send('invoke_event', { event: 'astext', invocation_id: '1' });
    assert.deepEqual((await c.next()).data, { text_data: '[1]' });
  });

  check('1.2 the name of before the first version, where it is allowed', async (t) => {
    const early = 'protobuf.webpubsub.azure';
    const s = await hookServerIn(t, { plugins: { 'subprotocol-protobuf': { early_names: true } } });
    const c = await s.simple({ protocols: early, groups: ['g'] });
    assert.equal(c.protocol, early);
    assert.deepEqual(Object.keys(down((await c.next()).binary).system_message.connected_message), ['connection_id']);
    c.send(up({ ping_message: {} }));
    assert.deepEqual((await c.next()).binary, hex('22 00'));
    const refused = await server.simple({ protocols: [early, PROTOBUF_V1] });
    assert.equal(refused.protocol, PROTOBUF_V1);
  });
});

async function streamNotFound() {
  const c = await open();
  c.send('stream_end', { stream_id: 'x' });
  const { error } = await c.next();
  assert.equal(error.name, 'StreamNotFound');
  return error.message;
}
