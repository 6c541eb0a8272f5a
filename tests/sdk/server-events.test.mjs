// SPDX-License-Identifier: Apache-2.0
// Events of clients for application servers at /server: what they are told,
// what they answer, what they decide.
import assert from 'node:assert/strict';
import { check, suite } from './lib/cases.mjs';
import { AppServer, appServer, appServerIn } from './lib/appserver.mjs';
import { until } from './lib/time.mjs';
import { JSON_V1 } from './lib/wsclient.mjs';

const hubs = {
  required: { anonymous: 'deny', event_handlers: [{ url: 'server:///', user_events: '*', system_events: ['connect'], request_events: ['join'] }] },
  '*': { anonymous: 'deny', event_handlers: [{ url: 'server:///' }] },
};
const server = appServer({ hubs, app: { timeout: '3s', decision_timeout: '2s' } });
let number = 0;
const fresh = () => `e${++number}`;
const open = (hub, options) => AppServer.open(server, { hub, ...options });
const SYSTEM = ['connect', 'connected', 'disconnected', 'joined', 'left'];
const text = (data) => ({ payload: { dataType: 'text', data } });

/** A hub with one server that has registered. */
async function served(what, fn, options) {
  const hub = fresh();
  const app = await open(hub, options);
  await app.handle(what);
  if (fn) app.serve(fn);
  return { hub, app };
}
const forbidden = async (c, request) => {
  const ack = await c.ask(request);
  assert.deepEqual([ack.success, ack.error?.name], [false, 'Forbidden'], JSON.stringify(ack));
};

for (const encoding of ['json', 'protobuf']) {
  suite(`events, ${encoding}`, () => {
    check('connect: what it says, and what the answer does', async () => {
      const { hub, app } = await served({ systemEvents: ['connect'] }, undefined, { encoding });
      const coming = server.json({ hub, user: 'alice', query: { room: ['7', '8'] }, roles: [] });
      const e = await app.next('connect');
      assert.equal(e.ackId, 1);
      assert.equal(e.context.userId, 'alice');
      assert.equal(e.context.hub, hub);
      assert.deepEqual(e.subprotocols, [JSON_V1]);
      assert.deepEqual(e.clientCertificates, []);
      const values = (v) => [].concat(v).join(',');
      assert.equal(values(e.context.claims.sub), 'alice');
      assert.equal(values(e.context.query.room), '7,8');
      assert.equal(values(e.context.headers.upgrade), 'websocket');
      assert.equal(e.context.query.access_token, undefined);
      assert.ok(!JSON.stringify(e).includes('eyJ'), 'no token');
      app.respond(e, {
        userId: 'bob', groups: ['lobby'], roles: ['webpubsub.sendToGroup.lobby'], state: 'seen',
      });
      const c = await coming;
      assert.equal(c.connected.userId, 'bob');
      assert.equal(c.connected.connectionId, e.context.connectionId);
      await c.publish('lobby', 'x');
      assert.equal((await c.type('message')).fromUserId, 'bob');
      await forbidden(c, { type: 'sendToGroup', group: 'other', data: 1 });
      await app.handle({ id: 2, userEvents: ['order'] });
      c.send({ type: 'event', event: 'order', data: 1 });
      const order = await app.next('event');
      assert.deepEqual([order.context.connectionState, order.context.userId, order.context.subprotocol], ['seen', 'bob', JSON_V1]);
      app.respond(order);
    });

    check('connect refused: the code, and the detail as the body', async () => {
      for (const [error, status, body] of [[{ code: 401, detail: 'no such room' }, 401, 'no such room'], [{ detail: 'no' }, 403, 'no'], [{ code: 99 }, 403, ''], [{ code: 503, detail: 'secret' }, 503, ''], [{}, 403, '']]) {
        const { hub } = await served({ systemEvents: ['connect'] }, () => ({ error }), { encoding });
        const r = await server.refused({ hub });
        assert.equal(r.status, status);
        if (body) assert.equal(r.body, body);
        assert.ok(!r.body.includes('secret'));
      }
    });

    check('connect answered with another subprotocol, and with roles taken away', async () => {
      const { hub } = await served({ systemEvents: ['connect'] }, () => ({ replaceRoles: true }), { encoding });
      const c = await server.json({ hub });
      await forbidden(c, { type: 'sendToGroup', group: 'g', data: 1 });
      const other = await served({ systemEvents: ['connect'] }, () => ({ subprotocol: JSON_V1 }), { encoding });
      const d = await server.json({ hub: other.hub, protocols: ['json.reliable.webpubsub.azure.v1', JSON_V1] });
      assert.equal(d.protocol, JSON_V1);
    });

    check('user events of every data type, answers of every data type', async () => {
      const { hub, app } = await served({ userEvents: ['*'] }, (e) => ({ payload: e.payload }), { encoding });
      const c = await server.json({ hub });
      const any = Buffer.from([0x0a, 3, 0x61, 0x2e, 0x62]).toString('base64');
      for (const [dataType, data] of [['text', 'hej å'], ['json', { a: [1, null] }], ['binary', Buffer.from([0, 255]).toString('base64')], ['protobuf', any]]) {
        await c.did({ type: 'event', event: 'echo', dataType, data });
        const m = await c.type('message');
        assert.deepEqual([m.from, m.dataType, m.data], ['server', dataType, data]);
        assert.deepEqual(app.seen.at(-1).payload, { dataType, data });
        assert.equal(app.seen.at(-1).eventName, 'echo');
      }
    });

    check('metadata, state, errors and silence', async () => {
      const { hub, app } = await served({ userEvents: ['*'] }, (e) => ({
        meta: { ...text('m'), metadata: { key: 'v', Other: 'w' } }, state: { state: 'one' }, ask: text(e.context.connectionState ?? 'none'), fail: { error: { code: 400, detail: 'no' } }, silent: null, nothing: {},
      })[e.eventName], { encoding });
      const c = await server.json({ hub });
      const ask = async (event) => { c.send({ type: 'event', event, data: 1, ackId: ++c.ackId }); return (await c.type('message')).data; };
      assert.equal(await ask('ask'), 'none');
      c.send({ type: 'event', event: 'meta', data: 1 });
      assert.deepEqual((await c.type('message')).metadata, { key: 'v', other: 'w' });
      await c.did({ type: 'event', event: 'state', data: 1 });
      assert.equal(await ask('ask'), 'one');
      await c.did({ type: 'event', event: 'nothing', data: 1 });
      for (const event of ['fail', 'silent']) {
        const ack = await c.ask({ type: 'event', event, data: 1 });
        assert.equal(ack.error.name, 'InternalServerError', event);
      }
      assert.equal(app.seen.filter((e) => e.eventName === 'silent').length, 1, 'at most once');
      await c.did({ type: 'event', event: 'nothing', data: 1 });
    });

    check('connected, joined, left and disconnected are told', async () => {
      const { hub, app } = await served({ systemEvents: SYSTEM }, undefined, { encoding });
      app.serve((e) => (e.type === 'connect' ? { groups: ['first'] } : undefined));
      const c = await server.json({ hub, user: 'u' });
      await c.join('g');
      await c.join('g');
      await c.leave('g');
      await c.close(1000, 'bye');
      await until(5000, 'the end', () => app.seen.some((e) => e.type === 'disconnected'));
      assert.deepEqual(app.seen.map((e) => [e.type, e.groupName].filter(Boolean).join(' ')), ['connect', 'clientConnected', 'joined first', 'joined g', 'left g', 'left first', 'disconnected']);
      assert.equal(app.seen.at(-1).reason, 'bye');
      for (const e of app.seen) assert.equal(e.context.connectionId, c.connectionId);
      assert.equal(new Set(app.seen.map((e) => e.ackId)).size, app.seen.length);
      assert.equal(app.seen[1].context.claims === undefined || Object.keys(app.seen[1].context.claims).length === 0, true);
    });

    check('join, leave and publish are asked about', async () => {
      const { hub, app } = await served({ systemEvents: ['join', 'leave', 'publish'], withPayload: true }, (e) => (e.groupName === 'no' ? { error: { detail: 'no' } } : undefined), { encoding });
      const c = await server.json({ hub });
      await c.join('yes');
      await c.publish('yes', 'text', { dataType: 'text' });
      assert.equal((await c.type('message')).data, 'text');
      await c.leave('yes');
      assert.deepEqual(app.seen.map((e) => e.type), ['join', 'publish', 'leave']);
      assert.deepEqual([app.seen[1].payload, app.seen[1].payloadMetadata], [{ dataType: 'text', data: 'text' }, { payloadSize: 4 }]);
      for (const type of ['joinGroup', 'leaveGroup', 'sendToGroup']) await forbidden(c, { type, group: 'no', data: type === 'sendToGroup' ? 1 : undefined });
    });
  });
}

suite('what a server registered for', () => {
  check('nothing: nothing is asked, and a client\'s event has no handler', async () => {
    const hub = fresh();
    const app = await open(hub);
    const c = await server.json({ hub });
    await c.join('g');
    await c.publish('g', 1);
    await c.leave('g');
    await c.ask({ type: 'event', event: 'e', data: 1 });
    assert.deepEqual(await app.fence(), []);
  });

  check('user events by name in any case, and by pattern', async () => {
    const { hub, app } = await served({ userEvents: ['Order', 'chat.*', 'log.**'] });
    app.serve();
    const c = await server.json({ hub });
    for (const event of ['order', 'ORDER', 'orders', 'chat.a', 'chat.a.b', 'log.a.b', 'chat']) await c.ask({ type: 'event', event, data: 1 });
    assert.deepEqual(app.seen.map((e) => e.eventName), ['order', 'ORDER', 'chat.a', 'log.a.b']);
  });

  check('a filter by user, by group, by connection', async () => {
    const { hub, app } = await served({ userEvents: ['*'], filter: "startswith(userId,'a') and 'g' in groups" });
    app.serve();
    const a = await server.json({ hub, user: 'alice' });
    const b = await server.json({ hub, user: 'bob' });
    await b.join('g');
    for (const c of [a, b]) await c.ask({ type: 'event', event: 'before', data: 1 });
    await a.join('g');
    for (const c of [a, b]) await c.ask({ type: 'event', event: 'after', data: 1 });
    assert.deepEqual(app.seen.map((e) => [e.eventName, e.context.userId]), [['after', 'alice']]);
    await app.handle({ systemEvents: ['connect'], filter: "userId eq 'bob'" });
    assert.equal((await server.json({ hub, user: 'alice' })).connected.userId, 'alice');
    assert.equal(app.seen.length, 1);
    await server.json({ hub, user: 'bob' });
    assert.equal(app.seen.length, 2);
  });

  check('groups by pattern', async () => {
    const { hub, app } = await served({ systemEvents: ['join', 'joined'], groups: ['room.*', 'hall'] });
    app.serve();
    const c = await server.json({ hub });
    for (const g of ['room.1', 'hall', 'room.1.2', 'lobby']) await c.join(g);
    assert.deepEqual(app.seen.map((e) => `${e.type} ${e.groupName}`), ['join room.1', 'joined room.1', 'join hall', 'joined hall']);
  });

  check('a registration is replaced by its id, and removed by an empty one', async () => {
    const { hub, app } = await served({ id: 7, userEvents: ['a'] });
    await app.handle({ id: 8, userEvents: ['b'] });
    app.serve();
    const c = await server.json({ hub });
    const both = async () => {
      const from = app.seen.length;
      for (const event of ['a', 'b', 'c']) await c.ask({ type: 'event', event, data: 1 });
      return app.seen.slice(from).map((e) => e.eventName).join('');
    };
    assert.equal(await both(), 'ab');
    await app.handle({ id: 7, userEvents: ['c'] });
    assert.equal(await both(), 'bc');
    await app.handle({ id: 8 });
    assert.equal(await both(), 'c');
    await app.handle({ id: 7, userEvents: [] });
    assert.equal(await both(), '');
  });

  check('publish without withPayload tells the size only', async () => {
    const { hub, app } = await served({ systemEvents: ['publish'] });
    app.serve();
    const c = await server.json({ hub });
    await c.publish('g', 'xyz', { dataType: 'text' });
    assert.equal(app.seen[0].payload, undefined);
    assert.deepEqual(app.seen[0].payloadMetadata, { payloadSize: 3 });
  });
});

suite('decisions', () => {
  check('no answer in time refuses; a late one does no harm', async () => {
    const { hub, app } = await served({ systemEvents: ['join'] });
    const c = await server.json({ hub });
    await forbidden(c, { type: 'joinGroup', group: 'g' });
    app.respond(await app.next('join'));
    app.send({ type: 'messageResponse', ackId: 999 });
    app.serve();
    await c.join('h');
    await server.logged((r) => r.event === 'join' && /not answered in time/.test(r.cause));
  });

  check('what follows waits for the decision, in order', async () => {
    const { hub, app } = await served({ systemEvents: ['join'] });
    const c = await server.json({ hub });
    c.send({ type: 'joinGroup', group: 'g', ackId: 1 });
    c.send({ type: 'sendToGroup', group: 'g', dataType: 'text', data: 'mine', ackId: 2 });
    const e = await app.next('join');
    assert.deepEqual(await c.fence(), []);
    app.respond(e);
    const all = [await c.json(), await c.json(), await c.json()];
    assert.ok(all.some((m) => m.data === 'mine'), 'it was in the group by then');
  });

  check('a simple client that is refused is closed with 1008', async () => {
    const { hub } = await served({ systemEvents: ['publish'] }, (e) => (e.groupName === 'no' ? { error: {} } : undefined));
    const c = await server.simple({ hub, query: { webpubsub_mode: 'sendToGroup', group: 'no' } });
    c.send('x');
    assert.equal((await c.end()).code, 1008);
    const d = await server.simple({ hub, query: { webpubsub_mode: 'sendToGroup', group: 'yes' } });
    d.send('x');
    await d.wsFence();
  });

  check('the start of a stream is asked about', async () => {
    const { hub, app } = await served({ systemEvents: ['publish'] }, (e) => (e.groupName === 'no' ? { error: {} } : undefined));
    const c = await server.json({ hub });
    c.send({ type: 'sendToGroup', group: 'no', stream: { streamId: 's1' } });
    assert.equal((await c.type('streamClosed')).error.name, 'Forbidden');
    c.send({ type: 'sendToGroup', group: 'yes', stream: { streamId: 's2' } });
    assert.equal((await c.type('streamAck')).expectedSequenceId, 1);
    assert.deepEqual(app.seen.map((e) => e.groupName), ['no', 'yes']);
  });

  check('what the token forbids is not asked about', async () => {
    const { hub, app } = await served({ systemEvents: ['join'] });
    const c = await server.json({ hub, roles: [] });
    await forbidden(c, { type: 'joinGroup', group: 'g' });
    assert.deepEqual(await app.fence(), []);
  });

  check('invoke is an event like others, several at a time', async () => {
    const { hub, app } = await served({ userEvents: ['*'] });
    const c = await server.json({ hub });
    for (const id of ['1', '2']) c.send({ type: 'invoke', invocationId: id, event: 'f', target: 'event', dataType: 'text', data: id });
    const [a, b] = [await app.next('event'), await app.next('event')];
    app.respond(b, text('second'));
    app.respond(a, text('first'));
    const answers = [await c.type('invokeResponse'), await c.type('invokeResponse')];
    assert.deepEqual(answers.map((r) => r.data).sort(), ['first', 'second']);
  });
});

suite('hubs that require a server', () => {
  check('nobody is connected: refused', async (t) => {
    const s = await appServerIn(t, { hubs });
    assert.equal((await s.refused({ hub: 'required' })).status, 500);
    const app = await AppServer.open(s, { hub: 'required' });
    assert.equal((await s.refused({ hub: 'required' })).status, 500, 'it has not registered');
    await app.handle({ systemEvents: ['connect'] });
    app.serve();
    const c = await s.json({ hub: 'required' });
    await forbidden(c, { type: 'joinGroup', group: 'g' });
    assert.equal((await c.ask({ type: 'event', event: 'e', data: 1 })).error.name, 'InternalServerError');
    await app.handle({ id: 2, systemEvents: ['join'], userEvents: ['*'] });
    await c.join('g');
    await c.did({ type: 'event', event: 'e', data: 1 });
    await app.drop();
    await until(5000, 'its end', async () => (await c.ask({ type: 'joinGroup', group: 'g' })).success === false);
    assert.equal((await s.refused({ hub: 'required' })).status, 500);
  });

  check('nobody is connected and nothing is configured: as without', async (t) => {
    const s = await appServerIn(t, { hubs });
    const c = await s.json({ hub: 'free' });
    await c.join('g');
    await c.publish('g', 1);
    assert.equal((await c.ask({ type: 'event', event: 'e', data: 1 })).success, false);
  });
});
