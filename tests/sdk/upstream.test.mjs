// SPDX-License-Identifier: Apache-2.0
// What clients see of event handlers, with an application inside the server
// (tests/fixtures/upstream-fixture) whose behaviour its URL chooses.
import assert from 'node:assert/strict';
import { check, suite } from './lib/cases.mjs';
import { control, controlled, controlledIn, hasControl, hasUpstream } from './lib/control.mjs';
import { limit, pass, until, within } from './lib/time.mjs';
import { ALL } from './lib/token.mjs';
import { JSON_V1, RELIABLE_V1 } from './lib/wsclient.mjs';

const user = (url) => [{ url: `fixture:///${url}`, user_events: '*' }];
const all = (url) => [{ url: `fixture:///${url}`, user_events: '*', system_events: ['connect', 'connected', 'disconnected'] }];
const connect = (url) => [{ url: `fixture:///connect?${url}`, system_events: ['connect'] }];
const hub = (event_handlers) => ({ anonymous: 'deny', event_handlers });
const server = controlled({
  hubs: hasUpstream ? {
    '*': { anonymous: 'deny' },
    echo: hub(user('echo')), ok: hub(user('ok')), fail: hub(user('fail')), slow: hub(user('slow?ms=300')),
    text: hub(user('text?data=said&state=s1')), silent: hub(user('silent')), thread: hub(user('thread')),
    told: hub(all('echo')), refuses: hub(all('refuse?code=403&data=no-entry')), down: hub(all('fail')),
    custom: hub(connect('subprotocol=foo')), unoffered: hub(connect('subprotocol=bar')), picks: hub(connect(`subprotocol=${RELIABLE_V1}`)),
    noroles: hub(connect('roles=')), keeps: hub(connect('')), roles: hub(connect('roles=webpubsub.joinLeaveGroup.x')),
    nogroups: hub(connect('groups=')), groups: hub(connect('groups=a')), badgroup: hub(connect(`groups=${'g'.repeat(1025)}`)),
    nouser: hub(connect('user=')), named: hub(connect('user=carol')),
    mixed: { anonymous: 'allow', event_handlers: [{ url: 'fixture:///text?data=first', user_events: 'one' }, { url: 'fixture:///text?data=rest', user_events: '*' }] },
    stated: { anonymous: 'deny', event_handlers: all('text?data=x&state=kept') },
  } : { '*': { anonymous: 'deny' } },
});
const when = { skip: !hasUpstream && 'the fixture plugins are not built' };
const events = async (conn) => JSON.parse((await server.http(`/fixture/events${conn ? `?conn=${conn}` : ''}`)).body);

suite('the connect event', () => {
  check('C-15 handler selects offered foo → echoed, simple behaviour', when, async () => {
    const c = await server.simple({ hub: 'custom', protocols: ['foo', JSON_V1], groups: ['g15'] });
    assert.equal(c.protocol, 'foo');
    await (await server.json({ hub: 'keeps', groups: ['x'] })).fence();
    const other = await server.simple({ hub: 'custom', protocols: 'foo', query: { webpubsub_mode: 'sendToGroup', group: 'g15' } });
    other.send('bare');
    assert.equal(await c.text(), 'bare');
  });

  check('C-15 handler selects one of the offered known names', when, async () => {
    const c = await server.json({ hub: 'picks', protocols: [JSON_V1, RELIABLE_V1] });
    assert.equal(c.protocol, RELIABLE_V1);
    assert.ok(c.reconnectionToken);
  });

  check('C-16 handler selects an unoffered protocol → 500', when, async () => {
    assert.equal(await server.status({ hub: 'unoffered', protocols: ['foo', JSON_V1] }), 500);
    assert.equal(await server.status({ hub: 'unoffered' }), 500);
  });

  check('C-17 handler answers 403 → client gets 403', when, async () => {
    const refusal = await server.refused({ hub: 'refuses', protocols: JSON_V1 });
    assert.equal(refusal.status, 403);
    assert.equal(refusal.body, 'no-entry');
  });

  check('C-18 handler is down → 500', when, async () => {
    assert.equal(await server.status({ hub: 'down', protocols: JSON_V1 }), 500);
  });

  check('C-19 handler roles:[] removes token roles; absent roles keeps them', when, async () => {
    const none = await server.json({ hub: 'noroles' });
    assert.equal((await none.ask({ type: 'joinGroup', group: 'x' })).error.name, 'Forbidden');
    await (await server.json({ hub: 'keeps' })).join('x');
    const some = await server.json({ hub: 'roles' });
    await some.join('x');
    assert.equal((await some.ask({ type: 'sendToGroup', group: 'x', data: 1 })).error.name, 'Forbidden');
  });

  check('C-20 handler groups:[] keeps token groups; ["a"] replaces them', when, async () => {
    const kept = await server.json({ hub: 'nogroups', groups: ['t'] });
    await kept.publish('t', 1);
    assert.equal((await kept.json()).data, 1);
    const replaced = await server.json({ hub: 'groups', groups: ['t'] });
    await replaced.publish('t', 1);
    await replaced.publish('a', 2);
    assert.equal((await replaced.json()).data, 2);
    assert.equal(await server.status({ hub: 'badgroup', protocols: JSON_V1 }), 500);
  });

  check('C-21 handler userId:"" gives a connection without user; another name replaces it', when, async () => {
    assert.equal((await server.json({ hub: 'nouser', user: 'alice' })).connected.userId, null);
    assert.equal((await server.json({ hub: 'named', user: 'alice' })).connected.userId, 'carol');
    assert.equal((await server.json({ hub: 'keeps', user: 'alice' })).connected.userId, 'alice');
  });

  check('1.7 a rejected connection has neither connected nor disconnected; claims are given, tokens are not', when, async () => {
    const c = await server.json({ hub: 'told', user: 'claimed', token: server.token({ hub: 'told', user: 'claimed', roles: ALL, extra: { deep: [1] } }) });
    await c.close(1000);
    const seen = await until(5000, 'disconnected', async () => { const list = await events(c.connectionId); return list.some((e) => e.type === 'disconnected') && list; });
    assert.deepEqual(seen.map((e) => e.type), ['connect', 'connected', 'disconnected']);
    const claims = Object.fromEntries(seen[0].claims);
    assert.equal(claims.sub, 'claimed');
    assert.equal(claims.extra, '{"deep":[1]}');
    assert.deepEqual(seen[0].claims.filter(([n]) => n === 'role').map(([, v]) => v), ALL);
    assert.equal(seen[2].code, 1000);
  });
});

suite('events', () => {
  check('C-45 text frame → event message, text/plain; binary → octet-stream', when, async () => {
    const c = await server.simple({ hub: 'echo' });
    c.send('hello');
    assert.equal(await c.text(), 'hello');
    c.send(Buffer.from([0, 1, 255]));
    assert.deepEqual((await c.next()).binary, Buffer.from([0, 1, 255]));
    const list = await until(5000, 'both events', async () => { const l = (await events()).filter((x) => x.hub === 'echo' && x.subprotocol !== JSON_V1 && x.subprotocol !== RELIABLE_V1); return l.length >= 2 && l; });
    assert.deepEqual(list.slice(-2).map((e) => [e.name, e.dataType, e.data]), [['message', 'text', 'hello'], ['message', 'binary', '0001ff']]);
  });

  check('C-46 handler reply text → text frame; octet-stream → binary frame; nothing → nothing', when, async () => {
    const text = await server.simple({ hub: 'text' });
    text.send(Buffer.from([1]));
    assert.equal(await text.text(), 'said');
    const nothing = await server.simple({ hub: 'ok' });
    nothing.send('x');
    nothing.send('y');
    assert.deepEqual(await nothing.wsFence(), []);
    assert.equal(nothing.ended, undefined);
  });

  check('C-47 handler 500 → close 1011', when, async () => {
    const c = await server.simple({ hub: 'fail' });
    c.send('x');
    assert.equal((await c.end()).code, 1011);
  });

  check('C-70 event with 2xx body → message from:"server" before the ack', when, async () => {
    for (const reliable of [false, true]) {
      const c = await server.json({ hub: 'text', reliable });
      c.send({ type: 'event', event: 'order', ackId: 1, data: 1 });
      const message = await c.json();
      assert.deepEqual([message.type, message.from, message.dataType, message.data], ['message', 'server', 'text', 'said']);
      assert.equal(message.sequenceId, reliable ? 1 : undefined);
      assert.deepEqual(await c.json(), { type: 'ack', ackId: 1, success: true });
    }
  });

  check('C-71 event replies keep their type', when, async () => {
    const c = await server.json({ hub: 'echo' });
    for (const [dataType, data] of [['text', 'x"\u0001ü'], ['json', { a: [1, 'b'] }], ['binary', 'AQID']]) {
      c.send({ type: 'event', event: 'e', dataType, data });
      const m = await c.json();
      assert.deepEqual([m.from, m.dataType, m.data], ['server', dataType, data]);
    }
    const empty = await server.json({ hub: 'ok' });
    assert.equal((await empty.ask({ type: 'event', event: 'e', data: 1 })).success, true);
    assert.deepEqual(await empty.fence(), []);
  });

  check('C-72 handler that fails → ack InternalServerError, still open', when, async () => {
    const c = await server.json({ hub: 'fail' });
    assert.deepEqual((await c.ask({ type: 'event', event: 'order', data: 1 })).error, { name: 'InternalServerError', message: 'Internal server error' });
    c.send({ type: 'event', event: 'order', data: 1 });
    assert.deepEqual(await c.fence(), []);
  });

  check('C-64 C-73 events run one after the other; pings are answered meanwhile', when, async () => {
    const c = await server.json({ hub: 'slow' });
    const start = Date.now();
    c.ws._socket.cork(); // and so it comes, however slow this machine is
    c.send({ type: 'event', event: 'e', ackId: 1, data: 'one' });
    c.send({ type: 'event', event: 'e', ackId: 2, data: 'two' });
    c.send({ type: 'joinGroup', group: 'behind', ackId: 3 });
    c.send({ type: 'ping' });
    c.ws._socket.uncork();
    const order = [];
    for (let i = 0; i < 6; i++) { const m = await c.json(); order.push(m.type === 'ack' ? `ack ${m.ackId}` : m.data ?? m.type); }
    assert.deepEqual(order, ['pong', 'one', 'ack 1', 'two', 'ack 2', 'ack 3']);
    assert.ok(Date.now() - start >= 580, 'not at the same time');
  });

  check('C-67 an ackId whose first execution is still running waits for it', when, async () => {
    const c = await server.json({ hub: 'slow' });
    c.send({ type: 'event', event: 'e', ackId: 7, data: 1 });
    c.send({ type: 'event', event: 'e', ackId: 7, data: 1 });
    assert.equal((await c.type('message')).data, 1);
    assert.deepEqual(await c.json(), { type: 'ack', ackId: 7, success: true });
    assert.equal((await c.json()).error.name, 'Duplicate');
    assert.deepEqual(await c.fence(), []);
  });

  check('5.6 an answer of another thread comes as well', when, async () => {
    const c = await server.json({ hub: 'thread' });
    for (let i = 0; i < 20; i++) c.send({ type: 'event', event: 'e', ackId: i, data: i });
    for (let i = 0; i < 20; i++) {
      assert.equal((await c.json()).data, i);
      assert.equal((await c.json()).ackId, i);
    }
  });

  check('5.6 the first handler that matches takes the event', when, async () => {
    const c = await server.json({ hub: 'mixed' });
    c.send({ type: 'event', event: 'one', data: 1 });
    assert.equal((await c.json()).data, 'first');
    c.send({ type: 'event', event: 'two', data: 1 });
    assert.equal((await c.json()).data, 'rest');
    const s = await server.simple({ hub: 'mixed', token: null });
    s.send('x');
    assert.equal(await s.text(), 'rest');
  });

  check('C-76 metadata of the event is given to the handler', when, async () => {
    const c = await server.json({ hub: 'echo' });
    await c.did({ type: 'event', event: 'meta', data: 1, metadata: { Trace: '00-abc' } });
    const [e] = (await events(c.connectionId)).filter((x) => x.name === 'meta');
    assert.deepEqual(e.tags, [['Trace', '00-abc']]);
  });

  check('1.7 state set by an answer comes along with later events', when, async () => {
    const c = await server.json({ hub: 'stated' });
    await c.did({ type: 'event', event: 'a', data: 1 });
    await c.did({ type: 'event', event: 'b', data: 1 });
    const list = (await events(c.connectionId)).filter((x) => x.type === 'message');
    assert.deepEqual(list.map((e) => e.state), [null, 'kept']);
  });
});

suite('events of reliable clients', () => {
  check('C-117 no second connect or connected event on recovery; C-118 disconnected once, after the retain time', { ...when, timeout: 60000 }, async () => {
    const c = await server.reliable({ hub: 'told' });
    await c.drop();
    const again = await server.recovered(c);
    await again.fence();
    assert.deepEqual((await events(c.connectionId)).map((e) => e.type), ['connect', 'connected']);
    const start = Date.now();
    await again.drop();
    const list = await until(40000, 'disconnected', async () => { const l = await events(c.connectionId); return l.length > 2 && l; });
    assert.ok(Date.now() - start > 28000, 'kept for 30 s');
    assert.deepEqual(list.map((e) => e.type), ['connect', 'connected', 'disconnected']);
  });

  check('C-118 close 1000 → disconnected at once, only one', when, async () => {
    const c = await server.reliable({ hub: 'told' });
    await c.close(1000);
    await until(5000, 'disconnected', async () => (await events(c.connectionId)).some((e) => e.type === 'disconnected'));
    assert.equal((await events(c.connectionId)).length, 3);
  });

  check('7.1 an event that is with its handler at the drop goes on; its reply waits', when, async () => {
    const c = await server.reliable({ hub: 'slow' });
    c.send({ type: 'event', event: 'e', ackId: 5, data: 'late' });
    c.send({ type: 'ping' });
    await c.type('pong');
    await c.drop();
    await until(5000, 'the event has come', async () => (await events(c.connectionId)).length === 1);
    await pass(800); // the handler takes 300 ms
    const again = await server.recovered(c);
    const m = await again.type('message');
    assert.deepEqual([m.data, m.sequenceId], ['late', 1]);
    assert.equal((await again.ask({ type: 'event', event: 'e', ackId: 5, data: 'late' })).error.name, 'Duplicate');
    assert.equal((await events(c.connectionId)).length, 1);
  });

  check('C-121 REST close of a detached session: disconnected at once', { skip: !hasControl || !hasUpstream }, async () => {
    const c = await server.reliable({ hub: 'told' });
    await c.drop();
    await control.close(server, 'told', { conn: c.connectionId }, { reason: 'out' });
    const list = await until(5000, 'disconnected', async () => { const l = await events(c.connectionId); return l.length > 2 && l; });
    assert.equal(list[2].type, 'disconnected');
    assert.equal(list[2].reason, 'Application server closed the connection. Reason: out');
  });

  check('5.6 a client that goes while its handler is silent holds up nobody, nor the end of the server', when, async () => {
    const c = await server.json({ hub: 'silent' });
    c.send({ type: 'event', event: 'e', ackId: 1, data: 1 });
    c.send({ type: 'ping' });
    await c.type('pong');
    await c.drop();
    const other = await server.json({ hub: 'silent' });
    await other.join('g');
    await other.publish('g', 1);
    assert.equal((await other.json()).data, 1);
  });

  check('C-148 clients whose time to go is the end of all patience have their close and their events', { skip: !hasControl || !hasUpstream, timeout: 30000 }, async (t) => {
    const s = await controlledIn(t, { shutdown: { timeout: '1s', spread: '1s' }, hubs: { told: hub(all('echo')) } });
    const clients = await Promise.all(Array.from({ length: 30 }, () => s.json({ hub: 'told' })));
    s.signal('SIGTERM');
    await within(limit(8000), 'exit', s.exited);
    assert.deepEqual(s.exit, { code: 0, signal: null });
    for (const c of clients) assert.equal((await c.end()).code, 1001);
  });
});
