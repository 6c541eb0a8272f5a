// SPDX-License-Identifier: Apache-2.0
// azure-client.md 5.11: what was published as what, by whom, and what a
// receiver of each kind gets of it.
import assert from 'node:assert/strict';
import { check, suite } from './lib/cases.mjs';
import { Handler, hookServer } from './lib/handler.mjs';
import {
  ProtobufClient, any, downAny, hex, up,
} from './lib/protobuf.mjs';
import { Rest, to } from './lib/rest.mjs';

const app = await Handler.start();
const server = hookServer({
  workers: 2,
  plugins: { 'subprotocol-protobuf': {}, 'http-rest': {} },
  hubs: { '*': { anonymous: 'deny', event_handlers: [app.all({ system_events: [] })] } },
});
let names = 0;
const fresh = (word = 'm') => `${word}${process.pid}_${names++}`;

// U+0000 ends no text, spaces and large numbers of JSON stay, bytes are bytes,
// and an Any keeps what nobody knows of it, in its order.
const KINDS = {
  text: { body: Buffer.from('hi "ü"\u0000\n😀'), type: 'text/plain; charset=utf-8' },
  json: { body: Buffer.from('{"a":[1, "ü\\u0041"],"b":90071992547409931234}'), type: 'application/json' },
  binary: { body: Buffer.from([...Array(256).keys()]), type: 'application/octet-stream' },
  protobuf: { body: Buffer.concat([hex('F8 07 05'), any('type.googleapis.com/x.Y', Buffer.from([8, 1, 255])), hex('0B 08 01 0C 12 01 00')]), type: 'application/x-protobuf' },
};
const EMPTY = {
  text: { body: Buffer.alloc(0), type: KINDS.text.type }, binary: { body: Buffer.alloc(0), type: KINDS.binary.type },
  protobuf: { body: Buffer.alloc(0), type: KINDS.protobuf.type },
};

/** A value as it stands in a JSON message, and in a MessageData. */
const inJson = (kind, body) => ({ text: () => JSON.stringify(body.toString()), json: () => body.toString() }[kind] ?? (() => `"${body.toString('base64')}"`))();
const inProtobuf = (kind, body) => ({ [`${kind}_data`]: kind === 'text' || kind === 'json' ? body.toString() : body });

/** How each of them gets what it gets, as {kind, body}. */
const RECEIVERS = {
  json: async (c) => {
    const text = await c.text();
    const m = JSON.parse(text);
    assert.equal(m.type, 'message');
    if (m.dataType === 'json') return { kind: 'json', body: Buffer.from(/"data":(.*?)(,"metadata"|})*$/.exec(text)[1] + (text.includes('"metadata"') ? '' : '}')) };
    return { kind: m.dataType, body: Buffer.from(m.data, m.dataType === 'text' ? 'utf8' : 'base64') };
  },
  protobuf: async (c) => {
    const raw = await c.ws.next();
    downAny(raw.binary); // a parser that knows Any can read it
    c.ws.queue.unshift(raw);
    const { data } = await c.next();
    const [[member, value]] = Object.entries(data);
    assert.equal(Object.keys(data).length, 1);
    return { kind: member.replace('_data', ''), body: Buffer.from(value) };
  },
  simple: async (c) => {
    const m = await c.next();
    return m.binary ? { kind: 'binary', body: m.binary } : { kind: 'text', body: Buffer.from(m.text) };
  },
};
/** Simple clients see texts and octets. */
const shown = (receiver, kind) => (receiver !== 'simple' ? kind : { text: 'text', json: 'text', binary: 'binary', protobuf: 'binary' }[kind]);

/** One client of each kind in a group of its own. */
async function crowd() {
  const hub = fresh();
  const groups = ['g'];
  const open = (options) => ProtobufClient.open(server, { hub, ...options });
  return {
    hub,
    members: [['json', await server.json({ hub, groups })], ['json', await server.reliable({ hub, groups })],
      ['protobuf', await open({ groups })], ['protobuf', await open({ groups, reliable: true })], ['simple', await server.simple({ hub, groups })]],
    json: await server.json({ hub }),
    protobuf: await open(),
    simple: await server.simple({ hub, query: { webpubsub_mode: 'sendToGroup', group: 'g' } }),
    events: await server.simple({ hub }),
    rest: new Rest(server, { hub }),
  };
}

/** Each way of publishing to the group. */
const SENDERS = {
  JSON: { kinds: Object.keys(KINDS), send: (c, kind, body) => c.json.send(`{"type":"sendToGroup","group":"g","dataType":"${kind}","data":${inJson(kind, body)}}`) },
  protobuf: { kinds: Object.keys(KINDS), send: (c, kind, body) => c.protobuf.send('send_to_group_message', { group: 'g', data: inProtobuf(kind, body) }) },
  simple: { kinds: ['text', 'binary'], send: (c, kind, body) => c.simple.send(kind === 'text' ? body.toString() : body) },
  REST: { kinds: Object.keys(KINDS), send: (c, kind, body) => c.rest.send(to.group('g'), body, { type: KINDS[kind].type }) },
};

/** Each way of raising an event. */
const RAISERS = {
  JSON: { kinds: Object.keys(KINDS), send: (c, event, kind, body) => c.json.send(`{"type":"event","event":"${event}","dataType":"${kind}","data":${inJson(kind, body)}}`) },
  protobuf: { kinds: Object.keys(KINDS), send: (c, event, kind, body) => c.protobuf.send('event_message', { event, data: inProtobuf(kind, body) }) },
  invoke: { kinds: Object.keys(KINDS), send: (c, event, kind, body) => c.protobuf.send('invoke_event', { event, invocation_id: event, data: inProtobuf(kind, body) }) },
  simple: { kinds: ['text', 'binary'], event: 'message', send: (c, event, kind, body) => c.events.send(kind === 'text' ? body.toString() : body) },
};

suite('conversion', () => {
  check('C-107 C-108 S-81 from each sender, in each type, to each kind of client', async () => {
    for (const [name, sender] of Object.entries(SENDERS)) {
      const c = await crowd();
      for (const kind of sender.kinds) {
        for (const { body } of [KINDS[kind], ...(EMPTY[kind] && name !== 'REST' ? [EMPTY[kind]] : [])]) {
          await sender.send(c, kind, body);
          for (const [receiver, client] of c.members) {
            const got = await RECEIVERS[receiver](client);
            assert.deepEqual(got, { kind: shown(receiver, kind), body }, `${kind} of ${name} to ${receiver}`);
          }
        }
      }
    }
  });

  check('S-45 from each sender, in each type, to the handler', async () => {
    for (const [name, raiser] of Object.entries(RAISERS)) {
      const c = await crowd();
      for (const kind of raiser.kinds) {
        const { body, type } = KINDS[kind];
        const event = raiser.event ?? fresh('e');
        raiser.send(c, event, kind, body);
        const request = await app.one({ hub: c.hub, event });
        assert.deepEqual([request.headers['content-type'], request.body], [type, body], `${kind} of ${name}`);
        app.requests.splice(app.requests.indexOf(request), 1);
      }
    }
  });

  check('S-45 S-47 answers of the handler, in each type, to each kind of client', async () => {
    const c = await crowd();
    for (const [kind, { body, type }] of Object.entries(KINDS)) {
      app.always({ hub: c.hub, method: 'POST' }, { type, body });
      for (const [receiver, client] of c.members) {
        if (receiver === 'json') client.send('{"type":"event","event":"e","data":1}');
        else if (receiver === 'protobuf') client.send('event_message', { event: 'e', data: { text_data: '' } });
        else client.send('x');
        assert.deepEqual(await RECEIVERS[receiver](client), { kind: shown(receiver, kind), body }, `${kind} to ${receiver}`);
      }
      c.protobuf.send('invoke_event', { event: 'e', invocation_id: kind });
      assert.deepEqual((await c.protobuf.take('invoke_response')).data, inProtobuf(kind, body), `invoked: ${kind}`);
    }
  });

  check('C-108 S-81 an Any goes through unchanged, whatever is in it; what is none is refused', async () => {
    const c = await crowd();
    for (const body of [hex('0A 01 .u'), hex('12 00'), hex('1A 02 .xx 0A 01 .u 0A 01 .v'), hex('08 FF FF FF FF FF FF FF FF FF 01'),
      any(`type.googleapis.com/${'n'.repeat(300)}`, Buffer.alloc(70000, 255))]) {
      await SENDERS.protobuf.send(c, 'protobuf', body);
      for (const [receiver, client] of c.members) assert.deepEqual((await RECEIVERS[receiver](client)).body, body, receiver);
    }
    await c.rest.refused(400, 'POST', `${to.group('g')}:send`, { body: hex('0A 02 .u'), type: 'application/x-protobuf' });
    c.protobuf.ws.send(up({ send_to_group_message: { group: 'g', data: { protobuf_data: hex('0A 02 .u') } } }));
    assert.equal((await c.protobuf.end()).code, 1007);
    SENDERS.JSON.send(c, 'protobuf', hex('0A 02 .u'));
    assert.equal((await c.json.end()).code, 1007);
    for (const [receiver, client] of c.members) assert.deepEqual(await (receiver === 'simple' ? client.wsFence() : client.fence()), []);
  });

  check('C-107 user ids and metadata go with it where there is a place for them', async () => {
    const hub = fresh();
    const [j, p] = [await server.json({ hub, user: 'jü', groups: ['g'] }), await ProtobufClient.open(server, { hub, user: 'pü', groups: ['g'] })];
    p.send('send_to_group_message', { group: 'g', data: { text_data: 'x' }, metadata: { k: 'v' } });
    assert.deepEqual(await j.json(), { type: 'message', from: 'group', group: 'g', fromUserId: 'pü', dataType: 'text', data: 'x', metadata: { k: 'v' } });
    assert.deepEqual((await p.next()).metadata, { k: 'v' });
    j.send({ type: 'sendToGroup', group: 'g', dataType: 'text', data: 'y', metadata: { l: 'w' } });
    assert.deepEqual(await p.next(), { member: 'data_message', from: 'group', group: 'g', data: { text_data: 'y' }, metadata: { l: 'w' } });
  });

  check('C-96 streams and group states between JSON and protobuf', async () => {
    const hub = fresh();
    const roles = ['webpubsub.joinLeaveGroup', 'webpubsub.sendToGroup', 'webpubsub.setGroupState', 'webpubsub.getGroupState'];
    const [j, p] = [await server.json({ hub, groups: ['g'], roles }), await ProtobufClient.open(server, { hub, groups: ['g'], roles })];
    p.send('send_to_group_message', { group: 'g', no_echo: true, stream: { stream_id: 's' } });
    p.send('stream_data', { stream_id: 's', stream_sequence_id: 1, data: { json_data: '[1]' } });
    p.send('stream_end', { stream_id: 's', error: { user_error_code: 'E' } });
    assert.deepEqual(await j.type('message'), { type: 'message', from: 'group', group: 'g', dataType: 'json', data: [1], stream: { streamId: 's', streamSequenceId: 1 } });
    assert.deepEqual((await j.type('message')).stream, { streamId: 's', streamSequenceId: 2, endOfStream: true, error: { name: 'UserError', userErrorCode: 'E' } });
    j.send({ type: 'sendToGroup', group: 'g', noEcho: true, stream: { streamId: 't' } });
    j.send({ type: 'streamData', streamId: 't', streamSequenceId: 1, dataType: 'binary', data: 'AP8=' });
    j.send({ type: 'streamEnd', streamId: 't' });
    assert.deepEqual(await p.take('data_message'), { member: 'data_message', from: 'group', group: 'g', data: { binary_data: Buffer.from([0, 255]) }, stream: { stream_id: 't', stream_sequence_id: 1 } });
    assert.deepEqual((await p.take('data_message')).stream, { stream_id: 't', stream_sequence_id: 2, end_of_stream: true });
    await p.fence();
    await j.fence();
    await p.did('subscribe_group_state', { group: 'g' });
    await p.take('group_state_snapshot');
    await j.did({ type: 'subscribeGroupState', group: 'g' });
    await j.type('groupStateSnapshot');
    await j.did({ type: 'setGroupState', group: 'g', state: { k: 'ü"' } });
    const seen = await p.take('group_state_update');
    assert.deepEqual(seen.items, [{ connection_id: j.connectionId, state: { entries: { k: 'ü"' } }, updated_at: seen.items[0].updated_at }]);
    await j.type('groupStateUpdate');
    await p.did('set_group_state', { group: 'g', state: { entries: { l: '' } } });
    const own = await j.type('groupStateUpdate');
    assert.deepEqual(own.items, [{ connectionId: p.connectionId, state: { l: '' }, updatedAt: own.items[0].updatedAt }]);
  });
});
