// SPDX-License-Identifier: Apache-2.0
// What clients may do only when an application says yes (`request_events`, and
// what it wants beyond them), with one inside the server
// (tests/fixtures/upstream-fixture).
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { check, suite } from './lib/cases.mjs';
import { controlled, controlledIn, hasUpstream } from './lib/control.mjs';
import { Server, configuration, fixture } from './lib/server.mjs';
import { until } from './lib/time.mjs';

const when = { skip: !hasUpstream && 'the fixture plugins are not built' };
const ALL = ['join', 'leave', 'publish'];
const handler = (url, request_events, more = {}) => ({ url: `fixture:///${url}`, request_events, ...more });
const hub = (...event_handlers) => ({ anonymous: 'allow', event_handlers });
const hubs = {
  asked: hub(handler('decide?refuse=no', ALL, { user_events: '*' })),
  joins: hub(handler('decide?refuse=no', ['join'])),
  down: hub(handler('fail', ALL)),
  gate: hub(handler('gate', ['join'], { user_events: '*', system_events: ['disconnected'] })),
  silent: hub(handler('silent', ALL)),
  want: hub(handler('decide?refuse=no&wants=join,leave,publish', [], { system_events: ['connected'] })),
};
const server = controlled({ hubs: when.skip ? undefined : hubs });

const events = async (conn, s = server) => JSON.parse((await s.http(`/fixture/events?conn=${conn}`)).body);
const told = async (conn, s) => (await events(conn, s)).map((e) => [e.type, e.group].filter(Boolean).join(' '));
const post = (s, path) => s.http(`/fixture/${path}`, { method: 'POST', body: '' });
const forbidden = async (c, request) => {
  const ack = await c.ask(request);
  assert.deepEqual([ack.success, ack.error?.name], [false, 'Forbidden'], JSON.stringify(ack));
  return ack.error.message;
};

suite('decisions of an application', () => {
  check('join, leave and publish are asked about, each time, with what they are', when, async () => {
    const c = await server.json({ hub: 'asked', user: 'alice' });
    await c.join('g');
    await c.join('g');
    await c.publish('g', { a: 1 });
    assert.deepEqual((await c.type('message')).data, { a: 1 });
    await c.leave('g');
    const all = await events(c.connectionId);
    assert.deepEqual(all.map((e) => [e.type, e.group, e.sequence]), [['join', 'g', 2], ['join', 'g', 3], ['publish', 'g', 4], ['leave', 'g', 5]]);
    assert.deepEqual([all[2].dataType, all[2].data, all[2].user], ['json', '{"a":1}', 'alice']);
  });

  check('a no is Forbidden in the words of a missing permission, and nothing happens', when, async () => {
    const c = await server.json({ hub: 'asked' });
    const bare = await server.json({ hub: 'asked', roles: [] });
    for (const request of [{ type: 'joinGroup' }, { type: 'leaveGroup' }, { type: 'sendToGroup', data: 1 }]) {
      assert.equal(await forbidden(c, { ...request, group: 'no' }), await forbidden(bare, { ...request, group: 'no' }));
    }
    assert.deepEqual(await told(c.connectionId), ['join no', 'leave no', 'publish no']);
    assert.deepEqual(await told(bare.connectionId), [], 'who lacks the permission is not asked about');
    c.send({ type: 'joinGroup', group: 'no' });
    c.send({ type: 'sendToGroup', group: 'no', data: 1 });
    assert.deepEqual(await c.fence(), [], 'without ackId: no word');
  });

  check('what is not listed is not asked about', when, async () => {
    const c = await server.json({ hub: 'joins' });
    await c.join('g');
    await c.publish('no', 1);
    await c.leave('g');
    await forbidden(c, { type: 'joinGroup', group: 'no' });
    assert.deepEqual(await told(c.connectionId), ['join g', 'join no']);
  });

  check('configured and nobody there: refused', when, async () => {
    const c = await server.json({ hub: 'down' });
    for (const type of ['joinGroup', 'leaveGroup', 'sendToGroup']) await forbidden(c, { type, group: 'g', data: type === 'sendToGroup' ? 1 : undefined });
    const s = await server.simple({ hub: 'down', query: { webpubsub_mode: 'sendToGroup', group: 'g' } });
    s.send('x');
    assert.equal((await s.end()).code, 1008);
  });

  check('no answer in time: refused', when, async (t) => {
    const s = await controlledIn(t, { hubs, limits: { event_timeout: '200ms' } });
    const c = await s.json({ hub: 'silent' });
    c.send({ type: 'joinGroup', group: 'g', ackId: 1 });
    c.send({ type: 'ping' });
    await c.type('pong');
    assert.equal((await c.type('ack')).error.name, 'Forbidden');
    assert.equal((await events(c.connectionId, s))[0].abandoned, true);
  });

  check('what follows a request waits for it: order is kept', when, async (t) => {
    const s = await controlledIn(t, { hubs });
    const c = await s.json({ hub: 'gate' });
    const other = await s.json({ hub: 'gate' });
    c.send({ type: 'event', event: 'e', ackId: 1, dataType: 'text', data: 'first' });
    c.send({ type: 'joinGroup', group: 'g', ackId: 2 });
    c.send({ type: 'sendToGroup', group: 'g', ackId: 3, dataType: 'text', data: 'mine' });
    c.send({ type: 'event', event: 'e', ackId: 4, dataType: 'text', data: 'last' });
    c.send({ type: 'ping' });
    await c.type('pong');
    assert.deepEqual(c.queue, []);
    await other.publish('g', 'others are served');
    assert.deepEqual(await told(c.connectionId, s), ['message']);
    await post(s, 'gate?open=1');
    const all = [];
    for (let i = 0; i < 7; i++) all.push(await c.json());
    assert.deepEqual(all.filter((m) => m.data).map((m) => m.data), ['first', 'mine', 'last']);
    assert.deepEqual(all.filter((m) => m.ackId).map((m) => [m.ackId, m.success]), [[1, true], [2, true], [3, true], [4, true]]);
    assert.deepEqual(await told(c.connectionId, s), ['message', 'join g', 'message']);
  });

  check('a client that ends while it is asked about: nobody waits, the application hears of its end', when, async (t) => {
    const s = await controlledIn(t, { hubs });
    const c = await s.json({ hub: 'gate' });
    c.send({ type: 'joinGroup', group: 'a', ackId: 1 });
    c.send({ type: 'joinGroup', group: 'b', ackId: 2 });
    await until(5000, 'the request', async () => (await told(c.connectionId, s)).length === 1);
    await c.close(1000);
    await until(5000, 'disconnected', async () => (await told(c.connectionId, s)).includes('disconnected'));
    assert.deepEqual(await told(c.connectionId, s), ['join a', 'disconnected']);
    assert.equal((await events(c.connectionId, s))[0].abandoned, true);
    await post(s, 'gate?open=1');
  });

  check('clients without a protocol: a no ends them, a yes is a publish', when, async () => {
    const of = (group) => ({ hub: 'asked', query: { webpubsub_mode: 'sendToGroup', group } });
    const listener = await server.json({ hub: 'asked' });
    await listener.join('yes');
    const c = await server.simple(of('yes'));
    for (let i = 0; i < 50; i++) c.send(`m${i}`);
    for (let i = 0; i < 50; i++) assert.equal((await listener.type('message')).data, `m${i}`);
    const d = await server.simple(of('no'));
    d.send('x');
    d.send('y');
    assert.equal((await d.end()).code, 1008);
  });

  check('who wants to be asked though it is not configured; before and after it costs nothing', when, async () => {
    const c = await server.json({ hub: 'want' });
    const all = async () => {
      await c.join('g');
      await c.publish('g', 1);
      await c.type('message');
      await c.leave('g');
    };
    await c.join('no');
    await c.leave('no');
    await all();
    assert.deepEqual(await told(c.connectionId), ['connected']);
    await post(server, 'wants?on=1');
    await all();
    await forbidden(c, { type: 'joinGroup', group: 'no' });
    await post(server, 'wants?on=0');
    await c.join('no');
    assert.deepEqual((await events(c.connectionId)).map((e) => [e.type, e.sequence]), [['connected', 1], ['join', 2], ['publish', 3], ['leave', 4], ['join', 5]]);
  });

  check('a stream is asked about when it starts', when, async () => {
    const c = await server.json({ hub: 'asked' });
    const start = (group, streamId) => c.send({ type: 'sendToGroup', group, stream: { streamId } });
    start('no', 's1');
    const closed = await c.type('streamClosed');
    assert.deepEqual([closed.streamId, closed.error.name], ['s1', 'Forbidden']);
    start('g', 's2');
    c.send({ type: 'streamData', streamId: 's2', streamSequenceId: 1, dataType: 'text', data: 'x' });
    assert.equal((await c.type('streamAck')).streamId, 's2');
    assert.deepEqual(await told(c.connectionId), ['publish no', 'publish g']);
  });
});

suite('their configuration', () => {
  const faults = async (handlers, plugins = {}, more = {}) => {
    const folder = mkdtempSync(join(tmpdir(), 'webpubsubd-conf-'));
    try {
      const file = join(folder, 'c.yaml');
      writeFileSync(file, JSON.stringify(configuration({ plugins, hubs: { chat: hub(...handlers) }, ...more }), null, 1), { mode: 0o600 });
      const { code, err } = await Server.run(['-t', '-c', file]);
      return code === 0 ? '' : err;
    } finally { rmSync(folder, { recursive: true, force: true }); }
  };
  const fixtures = { 'upstream-fixture': { path: fixture('upstream-fixture') } };
  const webhook = (more) => faults([{ url: 'http://127.0.0.1:1/', ...more }], { 'upstream-webhook': {} });

  check('what webhooks cannot do, patterns that are none, words that are not known', async () => {
    assert.match(await webhook({ request_events: ['join'] }), /`request_events`: the plugin that takes this URL does not decide about requests of clients/);
    assert.equal(await webhook({ presence_events: ['joined', 'left'], presence_groups: ['room-*'] }), '');
    assert.match(await webhook({ presence_events: ['joined'], presence_groups: ['ok', '***********'] }), /`presence_groups`: `\*+` is no pattern: /);
    assert.match(await webhook({ presence_groups: ['a'] }), /`presence_groups`: needs `presence_events` beside it/);
    assert.match(await webhook({ presence_events: ['join'] }), /`presence_events`: `join` is not one of `joined`, `left`/);
    assert.match(await webhook({ request_events: ['joined'] }), /`request_events`: `joined` is not one of `join`, `leave`, `publish`/);
    assert.match(await webhook({ groupPresenceEvents: {} }), /`groupPresenceEvents`; here it is called `presence_events`/);
  });

  check('what is good', when, async () => {
    assert.equal(await faults([handler('ok', ALL, { presence_events: 'left' })], fixtures), '');
  });

  check('default_hub has to be a hub name', async () => {
    assert.match(await faults([], {}, { websocket: { default_hub: '1st' } }), /`default_hub`: `1st` is no hub name/);
    assert.equal(await faults([], {}, { websocket: { default_hub: 'Chat' } }), '');
  });
});
