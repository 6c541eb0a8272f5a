// SPDX-License-Identifier: Apache-2.0
// Several application servers: who of them gets what, in which order, and what
// happens when one of them goes.
import assert from 'node:assert/strict';
import { AppServer, appServer, appServerIn } from './lib/appserver.mjs';
import { check, suite } from './lib/cases.mjs';
import { until, within } from './lib/time.mjs';

const hubs = {
  required: { anonymous: 'deny', event_handlers: [{ url: 'server:///', user_events: '*', system_events: ['connect'] }] },
  '*': { anonymous: 'deny', event_handlers: [{ url: 'server:///' }] },
};
const config = { hubs, workers: 4, app: { timeout: '300s', decision_timeout: '300s' } };
const server = appServer(config);
let number = 0;
const fresh = () => `f${++number}`;
const everything = { systemEvents: ['connect', 'connected', 'disconnected', 'join', 'leave', 'publish'], userEvents: ['*'] };

async function apps(count, hub, fn, what = everything, s = server) {
  return Promise.all(Array.from({ length: count }, async (_, i) => {
    const app = await AppServer.open(s, { hub, encoding: i % 2 ? 'protobuf' : 'json' });
    await app.handle(what);
    return fn === null ? app : app.serve(fn);
  }));
}
const text = (data) => ({ payload: { dataType: 'text', data } });

suite('several servers', () => {
  check('60 clients: each has one server, all have some, order is kept', { timeout: 60000 }, async () => {
    const hub = fresh();
    const all = await apps(3, hub, (e) => (e.type === 'event' ? { payload: e.payload } : undefined));
    const clients = await Promise.all(Array.from({ length: 60 }, () => server.json({ hub })));
    const EVENTS = 20;
    await Promise.all(clients.map(async (c) => {
      for (let i = 0; i < EVENTS; i++) c.send({ type: 'event', event: 'n', dataType: 'json', data: i, ackId: i + 1 });
      for (let i = 0; i < EVENTS; i++) assert.equal((await c.type('message', { ms: 20000 })).data, i);
    }));
    const owner = new Map();
    for (const app of all) {
      assert.ok(app.seen.length > 0);
      for (const e of app.seen) {
        const id = e.context.connectionId;
        assert.ok([undefined, app].includes(owner.get(id)), 'one server for a client');
        owner.set(id, app);
      }
      for (const c of clients.filter((x) => owner.get(x.connectionId) === app)) {
        const mine = app.seen.filter((e) => e.context.connectionId === c.connectionId);
        assert.equal(mine[0].type, 'connect');
        assert.deepEqual(mine.filter((e) => e.type === 'event').map((e) => e.payload.data), [...Array(EVENTS).keys()]);
      }
    }
    const shares = all.map((app) => [...owner.values()].filter((a) => a === app).length);
    assert.deepEqual(shares, [20, 20, 20]);
    assert.equal(all.reduce((n, a) => n + a.seen.filter((e) => e.type === 'event').length, 0), 60 * EVENTS, 'each once');
  });

  check('one goes in the middle of events: they fail at once, others take over', async () => {
    const hub = fresh();
    const [a, b, c] = await apps(3, hub, (e) => (e.eventName === 'slow' || e.type === 'join' ? null : text('done')));
    const clients = await Promise.all(Array.from({ length: 12 }, () => server.json({ hub })));
    const of = (app) => clients.filter((x) => app.seen.some((e) => e.type === 'connect' && e.context.connectionId === x.connectionId));
    assert.equal(of(a).length, 4);
    const waits = of(a).map((x, i) => (i % 2 ? x.ask({ type: 'joinGroup', group: 'g' }) : x.ask({ type: 'event', event: 'slow', data: 1 })));
    await until(5000, 'the events', () => a.seen.filter((e) => e.eventName === 'slow' || e.type === 'join').length === 4);
    await a.drop();
    const acks = await Promise.all(waits);
    assert.deepEqual(acks.map((x) => x.error.name).sort(), ['Forbidden', 'Forbidden', 'InternalServerError', 'InternalServerError']);
    for (const x of of(a)) {
      x.send({ type: 'event', event: 'next', data: 1 });
      assert.equal((await x.take((m) => m.json.data === 'done')).json.data, 'done');
    }
    assert.equal([b, c].flatMap((app) => app.seen).filter((e) => e.eventName === 'slow').length, 0, 'at most once');
    const taken = [b, c].map((app) => app.seen.filter((e) => e.eventName === 'next').length);
    assert.deepEqual(taken, [2, 2], 'in turn');
    // The last one's disconnected goes to who took over.
    const last = of(a)[0];
    await last.close();
    await until(5000, 'disconnected', () => [b, c].some((app) => app.seen.some((e) => e.type === 'disconnected' && e.context.connectionId === last.connectionId)));
  });

  check('the next event of the same client waits for the failure, then goes on', async () => {
    const hub = fresh();
    const [a] = await apps(1, hub, null);
    const coming = server.json({ hub });
    a.respond(await a.next('connect'));
    const c = await coming;
    a.respond(await a.next('clientConnected'));
    for (const event of ['one', 'two']) c.send({ type: 'event', event, data: 1, ackId: ++c.ackId });
    assert.equal((await a.next('event')).eventName, 'one');
    const [b] = await apps(1, hub);
    await a.drop();
    assert.equal((await c.type('ack')).success, false);
    assert.equal((await c.type('ack')).success, true);
    assert.deepEqual(b.seen.filter((e) => e.type === 'event').map((e) => e.eventName), ['two']);
  });

  check('each kind goes to who registered for it, and stays there', async () => {
    const hub = fresh();
    const [a] = await apps(1, hub, () => text('a'), { userEvents: ['x'] });
    const [b] = await apps(1, hub, () => text('b'), { userEvents: ['y'] });
    const [both] = await apps(1, hub, () => text('both'), { userEvents: ['x', 'y', 'z'] });
    const c = await server.json({ hub });
    const ask = async (event) => { c.send({ type: 'event', event, data: 1 }); return (await c.type('message')).data; };
    assert.equal(await ask('z'), 'both');
    assert.equal(await ask('x'), 'both', 'it had an event of this client');
    assert.equal(await ask('y'), 'both');
    await both.close();
    await until(5000, 'the other', async () => (await ask('x')) === 'a');
    assert.equal(await ask('y'), 'b');
    assert.equal(await ask('x'), 'a');
    assert.equal(a.seen.length + b.seen.length >= 3, true);
  });

  check('a server that is full is passed over', async (t) => {
    const s = await appServerIn(t, { ...config, app: { ...config.app, max_pending: 1 } });
    const [a, b] = await apps(2, 'chat', null, { userEvents: ['*'] }, s);
    const clients = await Promise.all([1, 2, 3].map(() => s.json()));
    const first = clients[0].ask({ type: 'event', event: 'e', data: 1 });
    const second = clients[1].ask({ type: 'event', event: 'e', data: 1 });
    const [x, y] = await Promise.all([a.next('event'), b.next('event')]);
    assert.equal((await clients[2].ask({ type: 'event', event: 'e', data: 1 })).error.name, 'InternalServerError');
    a.respond(x);
    b.respond(y);
    assert.deepEqual([(await first).success, (await second).success], [true, true]);
  });
});

suite('events that nobody waits for any more', () => {
  const one = { ...config, app: { timeout: '300s', decision_timeout: '300s', max_pending: 1 } };

  check('hold no place at their server, and a late answer does no harm', async (t) => {
    const s = await appServerIn(t, one);
    const [app] = await apps(1, 'chat', (e) => (e.eventName === 'slow' || e.type === 'join' || e.context.userId === 'stuck' ? null : undefined), { systemEvents: ['connect', 'join'], userEvents: ['*'] }, s);
    const [a, b] = [await s.json(), await s.json()];
    const quick = async () => (await b.ask({ type: 'event', event: 'quick', data: 1 })).success;
    const there = (match) => until(5000, 'the event', () => app.seen.find(match));

    a.send({ type: 'invoke', invocationId: '1', target: 'event', event: 'slow' });
    const slow = await there((e) => e.eventName === 'slow');
    assert.equal(await quick(), false, 'it is full');
    a.send({ type: 'cancelInvocation', invocationId: '1' });
    await until(5000, 'a place after the cancelled invocation', quick);
    app.respond(slow, text('late'));
    await s.logged((r) => r.level === 'debug' && /nobody waits/.test(r.msg) && r.connection === app.id);
    assert.deepEqual((await a.fence()).map((m) => m.json), []);

    a.send({ type: 'invoke', invocationId: '2', target: 'event', event: 'slow' });
    await until(5000, 'the event', () => app.seen.filter((e) => e.eventName === 'slow').length === 2);
    await a.drop();
    await until(5000, 'a place after the client that invoked', quick);

    const c = await s.json();
    c.send({ type: 'joinGroup', group: 'g', ackId: 1 });
    await there((e) => e.type === 'join');
    assert.equal(await quick(), false);
    await c.drop();
    await until(5000, 'a place after the client that asked', quick);

    const url = new URL(s.url({ user: 'stuck' }));
    const raw = await s.raw();
    await raw.write(`GET ${url.pathname}${url.search} HTTP/1.1\r\nHost: ${url.host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`);
    await there((e) => e.type === 'connect' && e.context.userId === 'stuck');
    assert.equal(await quick(), false);
    raw.socket.destroy();
    await until(5000, 'a place after the handshake', quick);
  });
});

suite('nobody', () => {
  check('required: refused; a registration alone protects nothing', async () => {
    assert.equal((await server.refused({ hub: 'required' })).status, 500);
    const hub = fresh();
    const [a] = await apps(1, hub, () => ({ error: {} }), { systemEvents: ['connect', 'join'] });
    assert.equal((await server.refused({ hub })).status, 403);
    await a.close();
    await until(5000, 'its end', async () => (await server.status({ hub, protocols: 'json.webpubsub.azure.v1' })) === 101);
    await (await server.json({ hub })).join('g');
  });
});

suite('the end of the service', () => {
  check('the last events still go out, then servers are closed with 1001', { timeout: 40000 }, async (t) => {
    const s = await appServerIn(t, config);
    const [a, b] = await apps(2, 'chat', undefined, everything, s);
    const idle = await AppServer.open(s, { hub: 'other' });
    const clients = await Promise.all(Array.from({ length: 10 }, () => s.json()));
    for (const c of clients) await c.did({ type: 'event', event: 'e', data: 1 });
    s.signal('SIGTERM');
    for (const app of [a, b, idle]) assert.equal((await app.end({ ms: 15000 })).code, 1001);
    const gone = [a, b].flatMap((app) => app.seen.filter((e) => e.type === 'disconnected').map((e) => e.context.connectionId));
    assert.deepEqual(gone.sort(), clients.map((c) => c.connectionId).sort());
    await within(15000, 'the end', s.exited);
  });

  for (const workers of [1, 4]) {
    check(`with events that nobody answers, ${workers} workers`, { timeout: 40000 }, async (t) => {
      const s = await appServerIn(t, { ...config, workers, shutdown: { timeout: '1s', spread: '0s' }, limits: { events_after_end: '0s' } });
      const [a, b] = await apps(2, 'chat', (e) => (e.type === 'connect' ? undefined : null), { systemEvents: ['connect', 'connected', 'disconnected', 'join', 'joined'], userEvents: ['*'] }, s);
      const clients = await Promise.all(Array.from({ length: 10 }, () => s.json()));
      clients.forEach((c, i) => c.send(i % 2 ? { type: 'event', event: 'e', data: 1 } : { type: 'joinGroup', group: 'g', ackId: 1 }));
      clients.forEach((c) => c.send({ type: 'invoke', invocationId: '1', target: 'event', event: 'e' }));
      await until(5000, 'the events', () => a.seen.length + b.seen.length === 40);
      s.signal('SIGTERM');
      await Promise.all([a, b].map((app) => app.closed));
      assert.ok([a, b].some((app) => app.seen.some((e) => e.type === 'disconnected')));
      await within(15000, 'the end', s.exited);
      await s.stop();
      assert.ok(!s.err.includes('owes'), s.err);
    });
  }
});
