// SPDX-License-Identifier: Apache-2.0
// azure-client.md 5: json.webpubsub.azure.v1.
import assert from 'node:assert/strict';
import { check, suite } from './lib/cases.mjs';
import { control, controlled, hasControl } from './lib/control.mjs';
import {
  BINARY, TEXT, closeFrame, frame,
} from './lib/rawsocket.mjs';
import { JSON_V1 } from './lib/wsclient.mjs';

const server = controlled();
const INVALID = 'The client message is not a valid JSON protocol message.';
const MIB = 1048576;

/** Sending `message` must end the connection with `code`. */
async function ends(message, code = 1007, reason = INVALID) {
  const c = await server.json();
  c.send(message);
  const end = await c.end({ what: `close ${code} of ${String(message).slice(0, 120)}` });
  assert.equal(end.code, code, String(message).slice(0, 120));
  if (reason !== undefined) assert.equal(end.reason, reason);
  assert.deepEqual(c.queue, [], 'nothing is sent before the close');
}

let names = 0;
const fresh = (word = 'g') => `${word}-${process.pid}-${names++}`;

suite('json protocol', () => {
  check('C-52 connected has connectionId; plain has no reconnectionToken', async () => {
    const c = await server.json({ user: 'alice' });
    assert.deepEqual(Object.keys(c.connected).sort(), ['connectionId', 'event', 'type', 'userId']);
    assert.match(c.connected.connectionId, /^[0-9A-Za-z_-]{22,}$/);
    assert.equal(c.connected.userId, 'alice');
    const ids = new Set();
    for (let i = 0; i < 20; i++) ids.add((await server.json()).connectionId);
    assert.equal(ids.size, 20);
    const r = await server.reliable();
    assert.ok(r.reconnectionToken.length > 20);
  });

  check('C-53 joinGroup and leaveGroup with ackId → success; joining twice → success', async () => {
    const c = await server.json();
    const group = fresh();
    assert.deepEqual(await c.ask({ type: 'joinGroup', group, ackId: 1 }), { type: 'ack', ackId: 1, success: true });
    assert.deepEqual(await c.ask({ type: 'joinGroup', group, ackId: 2 }), { type: 'ack', ackId: 2, success: true });
    await c.publish(group, 'once', { ackId: 3 });
    assert.equal((await c.json()).data, 'once');
    assert.deepEqual(await c.fence(), [], 'joining twice delivers once');
    assert.deepEqual(await c.ask({ type: 'leaveGroup', group, ackId: 4 }), { type: 'ack', ackId: 4, success: true });
    assert.deepEqual(await c.ask({ type: 'leaveGroup', group, ackId: 5 }), { type: 'ack', ackId: 5, success: true });
    await c.publish(group, 'none', { ackId: 6 });
    assert.deepEqual(await c.fence(), []);
  });

  check('C-54 sendToGroup reaches members with group, fromUserId, dataType, data', async () => {
    const group = fresh();
    const a = await server.json({ user: 'a', groups: [group] });
    const b = await server.json({ user: 'böb "x"', groups: [group] });
    await b.publish(group, 'hi', { dataType: 'text' });
    for (const c of [a, b]) {
      assert.deepEqual(await c.json(), { type: 'message', from: 'group', group, fromUserId: 'böb "x"', dataType: 'text', data: 'hi' });
    }
    const nobody = await server.json();
    await nobody.publish(group, 'hi', { dataType: 'text' });
    assert.deepEqual(await a.json(), { type: 'message', from: 'group', group, dataType: 'text', data: 'hi' });
  });

  check('C-54 group names with any characters, case-sensitive', async () => {
    const c = await server.json();
    for (const group of ['a/b?c', 'ünï 😀', '"quo\\ted"', '\u0001\n', 'x'.repeat(1024), '😀'.repeat(512)]) {
      await c.join(group);
      await c.publish(group, 1);
      assert.equal((await c.json()).group, group);
    }
    await c.join('CASE');
    await c.publish('case', 1);
    assert.deepEqual(await c.fence(), []);
  });

  check('C-55 noEcho:true leaves out only the sending connection', async () => {
    const group = fresh();
    const a = await server.json({ user: 'same', groups: [group] });
    const b = await server.json({ user: 'same', groups: [group] });
    await a.publish(group, 'quiet', { noEcho: true });
    await a.publish(group, 'loud', { noEcho: false });
    assert.equal((await b.json()).data, 'quiet');
    assert.equal((await b.json()).data, 'loud');
    assert.equal((await a.json()).data, 'loud');
    await a.publish(group, 'null', { noEcho: null });
    assert.equal((await a.json()).data, 'null');
  });

  check('C-56 dataType Text, JSON are accepted; output is lower case; type ignores case', async () => {
    const group = fresh();
    const c = await server.json({ groups: [group] });
    for (const [given, shown, data] of [['Text', 'text', 'x'], ['JSON', 'json', { a: 1 }], ['Binary', 'binary', 'AQID'], ['TEXT', 'text', '']]) {
      await c.publish(group, data, { dataType: given });
      const m = await c.json();
      assert.equal(m.dataType, shown);
      assert.deepEqual(m.data, data);
    }
    c.send({ type: 'SENDTOGROUP', group, ackId: 50, data: 1 });
    assert.equal((await c.type('message')).data, 1);
    c.send({ type: 'Ping' });
    await c.type('pong');
  });

  check('C-57 missing dataType means json', async () => {
    const group = fresh();
    const c = await server.json({ groups: [group] });
    for (const data of ['text', 5, true, false, [1, 2], { a: null }, '']) {
      c.send({ type: 'sendToGroup', group, data });
      const m = await c.json();
      assert.equal(m.dataType, 'json');
      assert.deepEqual(m.data, data);
    }
    c.send({ type: 'sendToGroup', group, dataType: null, data: 1 });
    assert.equal((await c.json()).dataType, 'json');
  });

  check('C-58 dataType binary round-trips base64; bad base64 → 1007', async () => {
    const group = fresh();
    const c = await server.json({ groups: [group] });
    for (const data of ['', 'AA==', 'AAA=', 'AAAA', '+/+/', Buffer.from([...Array(256).keys()]).toString('base64')]) {
      await c.publish(group, data, { dataType: 'binary' });
      const m = await c.json();
      assert.deepEqual([m.dataType, m.data], ['binary', data]);
    }
    for (const data of ['A', 'AA', 'AAA', 'AA=', 'A===', 'AA==AA==', '-_-_', 'A A=', 'AAA=\n', '====', 'Ä==']) {
      await ends(JSON.stringify({ type: 'sendToGroup', group, dataType: 'binary', data }));
    }
  });

  check('C-59 ackId 18446744073709551615 is echoed exactly; "1", -1, 1.5 → 1007', async () => {
    const c = await server.json();
    for (const id of ['18446744073709551615', '9007199254740993', '0', '9223372036854775808']) {
      c.send(`{"type":"joinGroup","group":"g","ackId":${id}}`);
      assert.match(await c.text(), new RegExp(`"ackId":${id}[,}]`));
    }
    c.send('{"type":"joinGroup","group":"g","ackId":null}');
    assert.deepEqual(await c.fence(), [], 'null asks for no ack');
    for (const id of ['"1"', '-1', '1.5', '1e3', '18446744073709551616', 'true', '[]', '{}', '1.0']) {
      await ends(`{"type":"joinGroup","group":"g","ackId":${id}}`);
    }
  });

  check('C-60 JSON data with large integers and nesting is relayed unchanged', async () => {
    const group = fresh();
    const c = await server.json({ groups: [group] });
    for (const data of ['9007199254740993', '123456789012345678901234567890', '1.10', '1e400', '-0', '0.1e-7',
      '{"b":1,"a":2,"a":3}', `${'['.repeat(200)}${']'.repeat(200)}`, '"\\u0041\\/\\ud83d\\ude00"', '[ 1 , 2 ]', '{"type":"x","data":"y","ackId":5}']) {
      c.send(`{"type":"sendToGroup","group":"${group}","data":${data}}`);
      const text = await c.text();
      assert.ok(text.includes(`"data":${data}`), `${data.slice(0, 60)} in ${text.slice(0, 200)}`);
    }
  });

  check('C-60 the order of properties does not matter, of duplicates the last counts', async () => {
    const group = fresh();
    const c = await server.json({ groups: [group] });
    c.send(`{"data":{"type":"ping"},"noEcho":false,"group":"${group}","dataType":"json","type":"sendToGroup"}`);
    assert.deepEqual((await c.json()).data, { type: 'ping' });
    c.send(`{"type":"ping","group":"no","data":1,"type":"sendToGroup","group":"${group}","data":2}`);
    assert.equal((await c.json()).data, 2);
    c.send(` \r\n\t{ "\\u0074ype" : "sendToGroup" , "group" : "${group}" , "data" : "esc" } \n`);
    assert.equal((await c.json()).data, 'esc');
    c.send(`{"type":"sendToGroup","group":"\\u0067${group.slice(1)}","data":"name"}`);
    assert.equal((await c.json()).data, 'name');
  });

  check('C-60 escapes, control characters and lone surrogates of text', async () => {
    const group = fresh();
    const c = await server.json({ groups: [group] });
    const s = await server.simple({ groups: [group] });
    for (const [written, meant] of [['"a\\n\\t\\u0001\\"\\\\\\/"', 'a\n\t\u0001"\\/'], ['"\\ud83d\\ude00"', '😀'], ['"\\u0000x"', '\u0000x'],
      ['"\\ud83d!"', '\ufffd!'], ['"\\udc00"', '\ufffd']]) {
      c.send(`{"type":"sendToGroup","group":"${group}","dataType":"text","data":${written}}`);
      assert.equal((await c.json()).data, meant);
      assert.equal(await s.text(), meant);
    }
  });

  check('C-61 unknown type, non-object, invalid JSON, bad group, missing data → 1007', async () => {
    for (const message of ['{"type":"nonsense"}', '{"type":"streamStart","group":"g"}', '{}', '[]', '1', '"x"', 'null', '', ' ', 'x', '{', '{"type":"ping"', '{"type":"ping"}}', '{"type":"ping"}x',
      "{'type':'ping'}", '{"type":"ping",}', '{"type":5}', '{"type":null}', '{"type":"connected"}', '{"type":"ack","ackId":1}',
      '{"type":"joinGroup"}', '{"type":"joinGroup","group":""}', '{"type":"joinGroup","group":"  \\t"}', '{"type":"joinGroup","group":5}', '{"type":"joinGroup","group":null}',
      `{"type":"joinGroup","group":"${'x'.repeat(1025)}"}`, '{"type":"leaveGroup","group":[]}',
      '{"type":"sendToGroup","group":"g"}', '{"type":"sendToGroup","group":"g","data":null}', '{"type":"sendToGroup","data":1}',
      '{"type":"sendToGroup","group":"g","dataType":"text","data":5}', '{"type":"sendToGroup","group":"g","dataType":"xml","data":"x"}',
      '{"type":"sendToGroup","group":"g","dataType":5,"data":"x"}', '{"type":"sendToGroup","group":"g","data":1,"noEcho":"true"}', '{"type":"sendToGroup","group":"g","data":1,"noEcho":1}',
      '{"type":"event","data":1}', '{"type":"event","event":"e"}', '{"type":"event","event":5,"data":1}', '{"type":"event","event":"","data":1}',
      '{"type":"sendToGroup","group":"g","data":01}', '{"type":"sendToGroup","group":"g","data":+1}', '{"type":"sendToGroup","group":"g","data":NaN}', '{"type":"sendToGroup","group":"g","data":"a\tb"}', '\ufeff{"type":"ping"}']) {
      await ends(message);
    }
  });

  check('C-62 unknown extra properties are ignored', async () => {
    const c = await server.json();
    c.send('{"type":"ping","extra":{"deep":[1,2,{"type":"x"}]},"ttl":"x","sequenceId":"s","stream":7}');
    await c.type('pong');
    await c.did({ type: 'joinGroup', group: 'g', color: 7, Group: 9, sequenceID: 'x' });
  });

  check('C-63 binary frame → 1003', async () => {
    const c = await server.json();
    c.send(Buffer.from('{"type":"ping"}'));
    assert.equal((await c.end()).code, 1003);
  });

  check('C-63 message of 1,048,577 bytes → 1009; of 1,048,576 → accepted', async () => {
    const group = fresh();
    const c = await server.json({ groups: [group] });
    const build = (bytes) => {
      const head = `{"type":"sendToGroup","group":"${group}","dataType":"text","data":"`;
      return `${head}${'x'.repeat(bytes - head.length - 2)}"}`;
    };
    c.send(build(MIB));
    const m = await c.json({ ms: 10000 });
    assert.equal(m.data.length, JSON.parse(build(MIB)).data.length);
    c.send(build(MIB + 1));
    assert.equal((await c.end()).code, 1009);
    // Also when it comes in fragments.
    const raw = await server.raw();
    await raw.handshake({ path: new URL(server.url()).pathname + new URL(server.url()).search, host: `127.0.0.1:${server.port}`, protocols: JSON_V1 });
    await raw.frame();
    const half = Buffer.alloc(MIB / 2, 0x20);
    await raw.write(frame(TEXT, half, { fin: false }));
    await raw.write(frame(0, half, { fin: false }));
    await raw.write(frame(0, ' '));
    assert.equal((await raw.closing()).code, 1009);
    raw.destroy();
  });

  check('C-64 ping → pong', async () => {
    const c = await server.json();
    for (let i = 0; i < 3; i++) {
      c.send('{"type":"ping"}');
      assert.deepEqual(await c.json(), { type: 'pong' });
    }
  });

  check('C-65 request without ackId that fails → no answer, still open', async () => {
    const c = await server.json({ roles: undefined });
    c.send({ type: 'joinGroup', group: 'g' });
    c.send({ type: 'leaveGroup', group: 'g' });
    c.send({ type: 'sendToGroup', group: 'g', data: 1 });
    c.send({ type: 'event', event: 'e', data: 1 });
    assert.deepEqual(await c.fence(), []);
  });

  check('C-66 ack failure contains error.name and error.message; success no error key', async () => {
    const c = await server.json({ roles: ['webpubsub.joinLeaveGroup'] });
    const bad = await c.ask({ type: 'sendToGroup', group: "it's", data: 1 });
    assert.deepEqual(Object.keys(bad).sort(), ['ackId', 'error', 'success', 'type']);
    assert.deepEqual(bad.error, { name: 'Forbidden', message: "The client does not have permission to send to group 'it's'." });
    assert.deepEqual(Object.keys(await c.ask({ type: 'joinGroup', group: 'g' })).sort(), ['ackId', 'success', 'type']);
  });

  check('C-67 repeating a successful ackId → Duplicate and no second delivery; a failed one executes', async () => {
    const group = fresh();
    const c = await server.json({ groups: [group], roles: ['webpubsub.sendToGroup', 'webpubsub.joinLeaveGroup.x'] });
    await c.publish(group, 'once', { ackId: 7 });
    assert.deepEqual(await c.ask({ type: 'sendToGroup', group, data: 'twice', ackId: 7 }),
      { type: 'ack', ackId: 7, success: false, error: { name: 'Duplicate', message: 'Message with ack-id: 7 has been processed' } });
    assert.equal((await c.json()).data, 'once');
    assert.deepEqual(await c.fence(), []);
    assert.equal((await c.ask({ type: 'joinGroup', group: 'no', ackId: 8 })).error.name, 'Forbidden');
    assert.equal((await c.ask({ type: 'joinGroup', group: 'x', ackId: 8 })).success, true);
    assert.equal((await c.ask({ type: 'joinGroup', group: 'x', ackId: 8 })).error.name, 'Duplicate');
  });

  check('C-68 ackIds are one namespace; the 1001st success pushes the oldest out', async () => {
    const group = fresh();
    const c = await server.json();
    assert.equal((await c.ask({ type: 'joinGroup', group, ackId: 1 })).success, true);
    assert.equal((await c.ask({ type: 'leaveGroup', group, ackId: 1 })).error.name, 'Duplicate');
    assert.equal((await c.ask({ type: 'sendToGroup', group, data: 1, ackId: 1 })).error.name, 'Duplicate');
    for (let i = 2; i <= 1000; i++) c.send({ type: 'sendToGroup', group: 'void', data: 0, ackId: i });
    await c.take((m) => m.json?.ackId === 1000, { ms: 10000 });
    c.queue.length = 0;
    assert.equal((await c.ask({ type: 'joinGroup', group, ackId: 1 })).error.name, 'Duplicate', 'still within 1000');
    assert.equal((await c.ask({ type: 'joinGroup', group, ackId: 1001 })).success, true);
    assert.equal((await c.ask({ type: 'joinGroup', group, ackId: 1 })).success, true, 'pushed out');
    assert.equal((await c.ask({ type: 'joinGroup', group, ackId: 3 })).error.name, 'Duplicate');
    assert.equal((await c.ask({ type: 'joinGroup', group, ackId: 2 })).success, true);
  });

  check('C-69 a message sent after a join ack is received by the joiner, on whatever worker', async () => {
    const publishers = await Promise.all(Array.from({ length: 6 }, () => server.json()));
    for (let i = 0; i < 60; i++) {
      const group = fresh('after');
      const c = await server.json();
      await c.join(group);
      publishers[i % 6].send({ type: 'sendToGroup', group, data: i });
      assert.equal((await c.json()).data, i);
      await c.leave(group);
      await publishers[i % 6].publish(group, 'gone');
      assert.deepEqual(await c.fence(), []);
      await c.drop();
    }
  });

  check('C-69 messages of one publisher to one group arrive in order', async () => {
    const group = fresh();
    const members = await Promise.all(Array.from({ length: 6 }, () => server.json({ groups: [group] })));
    const publisher = await server.json();
    for (let i = 0; i < 500; i++) publisher.send({ type: 'sendToGroup', group, data: i });
    for (const c of members) {
      for (let i = 0; i < 500; i++) assert.equal((await c.json()).data, i);
    }
  });

  check('C-72 event without handler and listener → ack InternalServerError, still open', async () => {
    const c = await server.json();
    const ack = await c.ask({ type: 'event', event: 'order', dataType: 'json', data: { a: 1 } });
    assert.deepEqual(ack.error, { name: 'InternalServerError', message: 'Internal server error' });
    c.send({ type: 'ping' });
    await c.type('pong');
  });

  check('C-74 event name Order-1.a_b accepted; 1a, 129 characters, a/b → 1007', async () => {
    const c = await server.json();
    for (const event of ['Order-1.a_b', 'a', 'E'.repeat(128)]) {
      assert.equal((await c.ask({ type: 'event', event, data: 1 })).error.name, 'InternalServerError');
    }
    for (const event of ['1a', 'e'.repeat(129), 'a/b', '', '_a', '-a', '.a', 'a b', 'ä', 'a\u0000']) {
      await ends(JSON.stringify({ type: 'event', event, data: 1 }));
    }
  });

  check('C-75 metadata round-trips client → group; wrong metadata → 1007', async () => {
    const group = fresh();
    const c = await server.json({ groups: [group] });
    const send = (metadata, more = { data: 1 }) => { c.send({ type: 'sendToGroup', group, metadata, ...more }); return c.json(); };
    for (const metadata of [{ k: 'v' }, { traceparent: '00-abc', Other: '' }, { "!#$%&'*+-.^_`|~09azAZ": 'x y"\\' }, { ['k'.repeat(256)]: 'v'.repeat(1024) }]) {
      assert.deepEqual((await send(metadata)).metadata, metadata);
    }
    assert.equal((await send({})).metadata, undefined, 'omitted when empty');
    assert.equal((await send(null)).metadata, undefined);
    const empty = await send({ k: 'v' }, {});
    assert.deepEqual([empty.dataType, empty.data, empty.metadata], ['text', '', { k: 'v' }], 'data may be left out');
    const full = Object.fromEntries(Array.from({ length: 8 }, (x, i) => [`k${i}`, 'v'.repeat(1022)]));
    assert.deepEqual((await send(full)).metadata, full, 'exactly 8 KiB');
    for (const metadata of [{ 'a b': 'v' }, { '': 'v' }, { 'ä': 'v' }, { 'a:b': 'v' }, { k: 'ä' }, { k: 'v'.repeat(1025) }, { ['k'.repeat(257)]: 'v' }, { k: 1 }, { k: null }, { k: ['v'] },
      { ...full, x: '' }, 'x', [], 5]) {
      await ends(JSON.stringify({ type: 'sendToGroup', group, data: 1, metadata }));
    }
    await ends(`{"type":"sendToGroup","group":"${group}","data":1,"metadata":{"a":"1","a":"2"}}`);
    await ends(JSON.stringify({ type: 'sendToGroup', group, metadata: {} }));
  });

  check('C-77 ttlSeconds 300 accepted, 301 and -1 → 1007', async () => {
    const group = fresh();
    const c = await server.json({ groups: [group] });
    for (const ttlSeconds of [0, 1, 300, null]) {
      c.send({ type: 'sendToGroup', group, data: ttlSeconds ?? 'none', ttlSeconds });
      assert.equal((await c.json()).data, ttlSeconds ?? 'none');
    }
    for (const ttlSeconds of [301, -1, 1.5, '60', true, []]) {
      await ends(JSON.stringify({ type: 'sendToGroup', group, data: 1, ttlSeconds }));
    }
  });

  check('C-78 REST close → disconnected message with the reason, then close 1000', { skip: !hasControl }, async () => {
    const said = 'Application server closed the connection.';
    const long = 'ü'.repeat(500);
    for (const [reliable, reason, message] of [[false, 'kicked by admin', `${said} Reason: kicked by admin`], [true, long, `${said} Reason: ${long}`], [false, '', said], [true, undefined, said]]) {
      const c = await server.json({ reliable });
      await control.close(server, 'chat', { conn: c.connectionId }, reason === undefined ? {} : { reason });
      assert.deepEqual(await c.json(), { type: 'system', event: 'disconnected', message });
      assert.deepEqual(await c.end(), { code: 1000, reason: '' });
      assert.deepEqual(c.queue, []);
    }
  });

  check('C-79 sequenceAck on the plain protocol is ignored', async () => {
    const c = await server.json();
    c.send({ type: 'sequenceAck', sequenceId: 7 });
    assert.deepEqual(await c.fence(), []);
  });

  check('C-83 invoke where no handler is → NotFound; another target → BadRequest', async () => {
    const c = await server.json();
    c.send({ type: 'invoke', invocationId: 'a"1', target: 'event', event: 'echo', dataType: 'text', data: 'hi' });
    assert.deepEqual(await c.json(), {
      type: 'invokeResponse', invocationId: 'a"1', success: false, error: { name: 'NotFound', message: "No event handler for event 'echo'." },
    });
    c.send({ type: 'invoke', invocationId: '2', target: 'group', event: 'echo' });
    const m = await c.json();
    assert.deepEqual([m.type, m.invocationId, m.success, m.error.name], ['invokeResponse', '2', false, 'BadRequest']);
    assert.equal(typeof m.error.message, 'string');
    c.send({ type: 'cancelInvocation', invocationId: 'a"1' });
    assert.deepEqual(await c.fence(), [], 'C-84 cancelInvocation → no response');
  });

  check('C-88 a stream start without permission → streamClosed Forbidden', async () => {
    const c = await server.json({ roles: [] });
    c.send({ type: 'sendToGroup', group: 'g', noEcho: true, stream: { streamId: 's1', idleTimeoutMs: 60000 } });
    const m = await c.json();
    assert.deepEqual([m.type, m.streamId, m.error.name], ['streamClosed', 's1', 'Forbidden']);
    assert.equal(typeof m.error.message, 'string');
  });

  check('C-92 streamData and streamEnd of an unknown stream → streamClosed StreamNotFound', async () => {
    const c = await server.json();
    for (const message of [{ type: 'streamData', streamId: 's1', streamSequenceId: 1, dataType: 'text', data: 'hi' },
      { type: 'streamData', streamId: 's1' }, { type: 'streamEnd', streamId: 's1' },
      { type: 'streamEnd', streamId: 's1', error: { message: 'boom', userErrorCode: 'E1' } }]) {
      c.send(message);
      const m = await c.json();
      assert.deepEqual([m.type, m.streamId, m.error.name], ['streamClosed', 's1', 'StreamNotFound']);
    }
  });

  check('C-100 group states without their roles: acks Forbidden; giving up a subscription succeeds', async () => {
    const c = await server.json();
    for (const request of [{ type: 'setGroupState', group: 'g', state: { a: 'b' } }, { type: 'setGroupState', group: 'g' },
      { type: 'subscribeGroupState', group: 'g' }]) {
      const ack = await c.ask(request);
      assert.equal(ack.error.name, 'Forbidden');
      assert.equal(typeof ack.error.message, 'string');
    }
    await c.did({ type: 'unsubscribeGroupState', group: 'g' });
    c.send({ type: 'setGroupState', group: 'g', state: {} });
    assert.deepEqual(await c.fence(), [], 'without ackId there is no answer');
  });

  check('5.3.2 publishing to hub, user and connection excludes whom it names', { skip: !hasControl }, async () => {
    const hub = 'targets';
    const [a, b, c] = [await server.json({ hub, user: 'u' }), await server.json({ hub, user: 'u' }), await server.json({ hub, user: 'v' })];
    await control.publish(server, hub, { user: 'u' }, '"user"', { type: 'json', exclude: b.connectionId });
    await control.publish(server, hub, { conn: b.connectionId }, '"conn"', { type: 'json' });
    await control.publish(server, hub, {}, '"hub"', { type: 'json', exclude: a.connectionId });
    assert.deepEqual((await a.json()).data, 'user');
    assert.deepEqual([(await b.json()).data, (await b.json()).data], ['conn', 'hub']);
    assert.deepEqual((await c.json()).data, 'hub');
    for (const client of [a, b, c]) assert.deepEqual(await client.fence(), []);
    assert.equal(await control.count(server, hub), 3);
    assert.equal(await control.count(server, hub, { user: 'u' }), 2);
  });

  check('5.1 hubs do not see each other', async () => {
    const group = fresh();
    const a = await server.json({ hub: 'one', groups: [group] });
    const b = await server.json({ hub: 'two', groups: [group] });
    await b.publish(group, 'two');
    await (await server.json({ hub: 'one' })).publish(group, 'one');
    assert.equal((await a.json()).data, 'one');
    assert.equal((await b.json()).data, 'two');
  });

  check('5.1 nothing after a protocol error is executed', async () => {
    const group = fresh();
    const member = await server.json({ groups: [group] });
    const raw = await server.raw();
    const url = new URL(server.url({ roles: ['webpubsub.sendToGroup'] }));
    await raw.handshake({ path: url.pathname + url.search, host: url.host, protocols: JSON_V1 });
    await raw.frame();
    await raw.write(Buffer.concat([frame(TEXT, 'x'), frame(TEXT, `{"type":"sendToGroup","group":"${group}","data":"late"}`), frame(BINARY, 'x')]));
    assert.equal((await raw.closing()).code, 1007);
    await raw.write(closeFrame(1007));
    await raw.end();
    assert.deepEqual(await member.fence(), []);
  });
});
