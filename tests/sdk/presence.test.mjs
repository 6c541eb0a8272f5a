// SPDX-License-Identifier: Apache-2.0
// Who comes into groups and goes, told to upstreams (azure-server.md 3.12), with
// an application inside the server (tests/fixtures/upstream-fixture).
import assert from 'node:assert/strict';
import { check, suite } from './lib/cases.mjs';
import { controlled, hasUpstream } from './lib/control.mjs';
import { Rest } from './lib/rest.mjs';
import { until } from './lib/time.mjs';

const when = { skip: !hasUpstream && 'the fixture plugins are not built' };
const BOTH = ['joined', 'left'];
const SYSTEM = ['connected', 'disconnected'];
const handler = (url, presence_events, more = {}) => ({ url: `fixture:///${url}`, presence_events, ...more });
const hub = (...event_handlers) => ({ anonymous: 'allow', event_handlers });
const server = controlled({
  plugins: { 'http-rest': {}, 'subprotocol-json': { session_retain: '3s' } },
  hubs: when.skip ? undefined : {
    told: hub(handler('echo', BOTH, { user_events: '*', system_events: SYSTEM })),
    token: hub(handler('connect?groups=a,b', BOTH, { system_events: ['connect', ...SYSTEM] })),
    only: hub(handler('ok', ['joined'], { system_events: SYSTEM })),
    some: hub(handler('ok', BOTH, { presence_groups: ['group1', 'group2*', 'deep.**', 'x?'] })),
    two: hub(handler('ok?first', ['left'], { presence_groups: ['a*'] }), handler('ok?second', BOTH)),
    fails: hub(handler('fail', BOTH), handler('silent', [], { system_events: ['disconnected'] })),
    want: hub(handler('ok?wants=joined', [], { system_events: SYSTEM })),
  },
});

const events = async (conn) => JSON.parse((await server.http(`/fixture/events?conn=${conn}`)).body);
/** type and group of what came of a client, in order. */
const told = async (conn) => (await events(conn)).map((e) => [e.type, e.group].filter(Boolean).join(' '));
/** The same when it has ended. */
const ended = (c) => until(5000, 'disconnected', async () => {
  const all = await told(c.connectionId);
  return all.includes('disconnected') && all;
});

suite('presence events', () => {
  check('S-57 joining twice raises one joined event; leaving raises left, once', when, async () => {
    const c = await server.json({ hub: 'told' });
    for (let i = 0; i < 2; i++) await c.join('g');
    for (let i = 0; i < 2; i++) await c.leave('g');
    await c.join('g');
    await c.leave('never');
    assert.deepEqual(await told(c.connectionId), ['connected', 'joined g', 'left g', 'joined g']);
  });

  check('S-57 leaving by disconnection raises left, of all groups, before disconnected', when, async () => {
    for (const way of ['close', 'drop']) {
      const c = await server.json({ hub: 'told' });
      for (const g of ['a', 'b', 'c']) await c.join(g);
      await c[way](...(way === 'close' ? [1000] : []));
      const all = await ended(c);
      assert.deepEqual(all.slice(0, 4), ['connected', 'joined a', 'joined b', 'joined c']);
      assert.deepEqual(all.slice(4, 7).sort(), ['left a', 'left b', 'left c']);
      assert.deepEqual(all.slice(7), ['disconnected']);
    }
  });

  check('3.12 by REST: one group, all groups, a user; each only when it changes something', when, async () => {
    const rest = new Rest(server, { hub: 'told' });
    const c = await server.json({ hub: 'told', user: 'rest-user' });
    for (let i = 0; i < 2; i++) await rest.join('g', c);
    await c.join('g');
    await c.join('h');
    for (let i = 0; i < 2; i++) await rest.leave('g', c);
    await rest.must(200, 'PUT', 'users/rest-user/groups/u');
    await rest.must(204, 'DELETE', `connections/${c.connectionId}/groups`);
    const all = await told(c.connectionId);
    assert.deepEqual(all.slice(0, 5), ['connected', 'joined g', 'joined h', 'left g', 'joined u']);
    assert.deepEqual(all.slice(5).sort(), ['left h', 'left u']);
    await rest.must(200, 'PUT', 'users/rest-user/groups/u');
    await rest.must(204, 'DELETE', `connections/${c.connectionId}`, { query: { reason: 'x' } });
    assert.deepEqual((await ended(c)).slice(7), ['joined u', 'left u', 'disconnected']);
  });

  check('3.12 groups of the token and of the connect answer, behind connected', when, async () => {
    const c = await server.json({ hub: 'told', groups: ['t1', 't2'] });
    assert.deepEqual(await told(c.connectionId), ['connected', 'joined t1', 'joined t2']);
    const d = await server.json({ hub: 'token', groups: ['t1'] });
    assert.deepEqual(await told(d.connectionId), ['connect', 'connected', 'joined a', 'joined b']);
  });

  check('3.3 ce-id rises over all of them; what nobody hears of takes no number', when, async () => {
    const c = await server.json({ hub: 'told', groups: ['t'], user: 'alice' });
    await c.join('g');
    await c.did({ type: 'event', event: 'e', dataType: 'text', data: 'x' });
    await c.leave('g');
    const all = await events(c.connectionId);
    assert.deepEqual(all.map((e) => [e.type, e.sequence]), [['connected', 1], ['joined', 2], ['joined', 3], ['message', 4], ['left', 5]]);
    for (const e of all) assert.deepEqual([e.hub, e.user, e.subprotocol], ['told', 'alice', 'json.webpubsub.azure.v1']);
    assert.equal(new Set(all.map((e) => e.id)).size, 5);

    const d = await server.json({ hub: 'only' });
    await d.join('g');
    await d.leave('g');
    await d.join('h');
    await d.close(1000);
    await ended(d);
    assert.deepEqual((await events(d.connectionId)).map((e) => [e.type, e.sequence]), [['connected', 1], ['joined', 2], ['joined', 3], ['disconnected', 4]]);
  });

  check('2 presence_groups: patterns of roles', when, async () => {
    const c = await server.json({ hub: 'some' });
    for (const g of ['group1', 'group11', 'group2', 'group25', 'group2.x', 'deep', 'deep.a.b', 'x', 'x1', 'x.']) await c.join(g);
    assert.deepEqual(await told(c.connectionId), ['joined group1', 'joined group2', 'joined group25', 'joined deep.a.b', 'joined x1']);
  });

  check('3.1 the first handler that matches takes it', when, async () => {
    const c = await server.json({ hub: 'two' });
    for (const g of ['a1', 'b1']) { await c.join(g); await c.leave(g); }
    assert.deepEqual((await events(c.connectionId)).map((e) => [e.type, e.group, e.handler]),
      [['joined', 'a1', 1], ['left', 'a1', 0], ['joined', 'b1', 1], ['left', 'b1', 1]]);
  });

  check('nobody waits for them: no answer, no harm', when, async () => {
    const c = await server.json({ hub: 'fails' });
    await c.join('g');
    await c.publish('g', 1);
    assert.equal((await c.json()).data, 1);
    await c.leave('g');
    assert.deepEqual(await told(c.connectionId), ['joined g', 'left g']);
    assert.deepEqual(await c.fence(), []);
  });

  check('a client that comes back has not been away; one that does not leaves in the end', when, async () => {
    let c = await server.reliable({ hub: 'told' });
    await c.join('g');
    await c.drop();
    c = await server.recovered(c);
    assert.deepEqual(await told(c.connectionId), ['connected', 'joined g']);
    await c.drop();
    assert.deepEqual(await ended(c), ['connected', 'joined g', 'left g', 'disconnected']);
  });

  check('who wants them though it is not configured', when, async () => {
    const c = await server.json({ hub: 'want' });
    await c.join('before');
    await server.http('/fixture/wants?on=1', { method: 'POST', body: '' });
    await c.join('g');
    await c.leave('g');
    await server.http('/fixture/wants?on=0', { method: 'POST', body: '' });
    await c.join('h');
    assert.deepEqual(await told(c.connectionId), ['connected', 'joined g']);
    await c.close(1000);
    await ended(c);
    assert.deepEqual((await events(c.connectionId)).map((e) => e.sequence), [1, 2, 3]);
  });
});
