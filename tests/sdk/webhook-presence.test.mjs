// SPDX-License-Identifier: Apache-2.0
// Group presence over HTTP (azure-server.md 3.12).
import assert from 'node:assert/strict';
import { check, suite } from './lib/cases.mjs';
import { HASTY, Handler, hookServer, hookServerIn } from './lib/handler.mjs';
import { Rest } from './lib/rest.mjs';
import { until } from './lib/time.mjs';
import { JSON_V1 } from './lib/wsclient.mjs';

const app = await Handler.start();
const PRESENCE = { presence_events: ['joined', 'left'] };
const server = hookServer({
  plugins: { 'http-rest': {} },
  hubs: {
    '*': { anonymous: 'deny', event_handlers: [app.all(PRESENCE)] },
    filtered: { event_handlers: [app.all({ ...PRESENCE, presence_groups: ['group2*', 'a.**'] })] },
    joins: { event_handlers: [app.all({ presence_events: ['joined'] })] },
    second: { event_handlers: [{ url: `${app.origin}/first/{hub}/{event}`, user_events: '*', presence_events: ['left'] }, { url: `${app.origin}/second/{hub}/{event}`, ...PRESENCE }] },
    plain: { event_handlers: [app.all()] },
  },
});
let number = 0;
const fresh = () => `p${++number}`;
const presence = (conn) => app.seen({ conn }).filter((r) => r.headers['ce-type'].startsWith('azure.webpubsub.gp.'));
const told = (conn) => presence(conn).map((r) => [r.event, r.json.group]);
const waitFor = (conn, n) => until(5000, `${n} presence events`, () => presence(conn).length >= n && presence(conn));
/** Nothing more comes: events of one client come in the order of their ids. */
async function fence(c) {
  await c.did({ type: 'event', event: 'fence', data: 1 });
  return told(c.connectionId);
}

suite('what is sent', () => {
  check('S-57 the request of joined and left', async () => {
    const hub = fresh();
    const c = await server.json({ hub, user: 'alice' });
    await c.join('group1');
    const [joined] = await waitFor(c.connectionId, 1);
    assert.equal(joined.method, 'POST');
    assert.equal(joined.url, `/${hub}/joined`);
    assert.equal(joined.text, '{"group":"group1"}');
    for (const [name, value] of Object.entries({
      'content-type': 'application/json; charset=utf-8', 'ce-type': 'azure.webpubsub.gp.joined', 'ce-eventname': 'joined', 'ce-hub': hub, 'ce-connectionid': c.connectionId,
      'ce-userid': 'alice', 'ce-specversion': '1.0', 'ce-awpsversion': '1.0', 'ce-source': `/hubs/${hub}/client/${c.connectionId}`, 'ce-subprotocol': JSON_V1,
    })) assert.deepEqual(joined.lines(name), [value], name);
    assert.ok(joined.headers['ce-signature']);
    assert.match(joined.headers['ce-time'], /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    await c.leave('group1');
    const [, left] = await waitFor(c.connectionId, 2);
    assert.equal(left.url, `/${hub}/left`);
    assert.equal(left.text, '{"group":"group1"}');
    assert.equal(left.headers['ce-type'], 'azure.webpubsub.gp.left');
    assert.equal(left.headers['ce-eventname'], 'left');
    assert.ok(Number(left.id) > Number(joined.id));
  });

  check('S-57 joining twice is one event, leaving twice too', async () => {
    const c = await server.json({ hub: fresh() });
    await c.join('g');
    await c.join('g');
    await c.leave('g');
    await c.leave('g');
    await c.leave('never');
    await waitFor(c.connectionId, 2);
    assert.deepEqual((await fence(c)).sort(), [['joined', 'g'], ['left', 'g']]);
  });

  check('S-57 the end of the connection is a left for each group, before disconnected', async () => {
    const c = await server.json({ hub: fresh() });
    await c.join('a');
    await c.join('b');
    await waitFor(c.connectionId, 2);
    await c.drop();
    await waitFor(c.connectionId, 4);
    assert.deepEqual(told(c.connectionId).slice(2).sort(), [['left', 'a'], ['left', 'b']]);
    const gone = await app.one({ conn: c.connectionId, event: 'disconnected' });
    for (const left of presence(c.connectionId).slice(2)) assert.ok(Number(left.id) < Number(gone.id));
  });

  check('S-57 groups of the token and of the connect answer: joined follows connected', async () => {
    const hub = fresh();
    app.queue({ hub, event: 'connect' }, { status: 200, type: 'application/json', body: '{"groups":["x","y"]}' });
    const c = await server.json({ hub, groups: ['t'] });
    const events = await waitFor(c.connectionId, 2);
    assert.deepEqual(told(c.connectionId).sort(), [['joined', 'x'], ['joined', 'y']]);
    const connected = await app.one({ conn: c.connectionId, event: 'connected' });
    assert.equal(connected.id, '1');
    for (const r of events) assert.ok(Number(r.id) > 1);
    const other = await server.json({ hub: fresh(), groups: ['t'] });
    await waitFor(other.connectionId, 1);
    assert.deepEqual(told(other.connectionId), [['joined', 't']]);
  });

  check('S-57 by the REST API: groups of a connection and of a user', async () => {
    const hub = fresh();
    const rest = new Rest(server, { hub });
    const c = await server.json({ hub, user: 'alice' });
    await rest.join('r', c);
    await rest.join('r', c);
    await rest.leave('r', c);
    await rest.must(200, 'PUT', 'users/alice/groups/u');
    await waitFor(c.connectionId, 3);
    assert.deepEqual(told(c.connectionId).map(String).sort(), ['joined,r', 'joined,u', 'left,r']);
    await rest.must(204, 'DELETE', 'users/alice/groups');
    await waitFor(c.connectionId, 4);
  });

  check('S-57 simple clients, and names of any script', async () => {
    const hub = fresh();
    const c = await server.simple({ hub, groups: ['Gruppe "ü" 𝄞'] });
    const r = await app.one({ hub, event: 'joined' });
    assert.deepEqual(r.json, { group: 'Gruppe "ü" 𝄞' });
    assert.equal(r.headers['ce-subprotocol'], undefined);
    await c.close(1000);
    await app.one({ hub, event: 'left' });
  });
});

suite('who gets it', () => {
  check('S-57 only groups that match a pattern', async () => {
    const c = await server.json({ hub: 'filtered' });
    for (const group of ['group1', 'group2', 'group22', 'group2.x', 'a', 'a.b', 'a.b.c']) await c.join(group);
    await waitFor(c.connectionId, 4);
    assert.deepEqual((await fence(c)).map(([, g]) => g).sort(), ['a.b', 'a.b.c', 'group2', 'group22']);
  });

  check('S-57 only the events that are named; the first handler that matches', async () => {
    const c = await server.json({ hub: 'joins' });
    await c.join('g');
    await c.leave('g');
    await c.join('g');
    await waitFor(c.connectionId, 2);
    assert.deepEqual(await fence(c), [['joined', 'g'], ['joined', 'g']]);
    const d = await server.json({ hub: 'second' });
    await d.join('g');
    await d.leave('g');
    await waitFor(d.connectionId, 2);
    assert.deepEqual(presence(d.connectionId).map((r) => r.url).sort(), ['/first/second/left', '/second/second/joined']);
  });

  check('S-57 a hub without them: not a request, not a number', async () => {
    const c = await server.json({ hub: 'plain' });
    await c.join('g');
    await c.leave('g');
    await c.did({ type: 'event', event: 'e', data: 1 });
    assert.deepEqual(told(c.connectionId), []);
    assert.equal(app.seen({ conn: c.connectionId, event: 'e' })[0].id, '2');
  });
});

suite('nobody waits for it', () => {
  check('S-57 a join is acknowledged while its event hangs; the answer changes nothing', async () => {
    const hub = fresh();
    app.always({ hub, event: 'joined' }, { hang: true });
    app.always({ hub, event: 'left' }, { status: 200, headers: { 'ce-connectionState': 'never' }, type: 'text/plain', body: 'never' });
    const c = await server.json({ hub });
    await c.join('g');
    await c.leave('g');
    await waitFor(c.connectionId, 2);
    await c.did({ type: 'event', event: 'e', data: 1 });
    assert.equal(app.seen({ conn: c.connectionId, event: 'e' })[0].state, undefined);
    assert.deepEqual((await c.fence()).map((m) => m.json), []);
  });

  check('S-57 a handler that answers 404 or 500: only logged', async () => {
    const hub = fresh();
    app.always({ hub, event: /joined|left/ }, { status: 404 });
    const c = await server.json({ hub });
    await c.join('g');
    await waitFor(c.connectionId, 1);
    const line = await server.logged((l) => JSON.stringify(l).includes(`hub:${hub},event:joined,type:gp`));
    assert.match(JSON.stringify(line), /HttpHandlerUnexpectedResponse: .*requestType:Joined got unexpected response with status code 404/);
    await c.join('h');
  });

  check('S-57 repeated as others are, and no more often', async (x) => {
    const s = await hookServerIn(x, { webhook: { ...HASTY, event_retry_delays: ['10ms', '20ms'] }, hubs: { '*': { anonymous: 'deny', event_handlers: [app.all({ ...PRESENCE, system_events: [] })] } } });
    const hub = fresh();
    app.always({ hub, event: 'joined' }, { status: 503 });
    const c = await s.json({ hub });
    await c.join('g');
    const list = await waitFor(c.connectionId, 3);
    await s.logged((l) => JSON.stringify(l).includes('requestType:Joined'));
    assert.equal(presence(c.connectionId).length, 3);
    assert.equal(new Set(list.map((r) => r.request)).size, 1, 'the same event');
  });

  check('S-57 a handler that is down: joins go on, and nothing is kept for later', async (x) => {
    const down = await Handler.start();
    const s = await hookServerIn(x, { webhook: { event_retry_delays: [], timeout: '20s' }, hubs: { '*': { anonymous: 'deny', event_handlers: [down.all({ ...PRESENCE, system_events: [] })] } } });
    await down.down();
    const c = await s.json({});
    for (let i = 0; i < 50; i++) await c.join(`g${i}`);
    await s.logged((l) => /requestType:Joined failed/.test(JSON.stringify(l)));
  });

  check('S-57 at shutdown everybody leaves', async (x) => {
    const s = await hookServerIn(x, { hubs: { '*': { anonymous: 'deny', event_handlers: [app.all(PRESENCE)] } } });
    const hub = fresh();
    const clients = await Promise.all(Array.from({ length: 10 }, () => s.json({ hub, groups: ['g'] })));
    await app.wait({ hub, event: 'joined' }, 10);
    s.signal('SIGTERM');
    await Promise.all(clients.map((c) => c.end()));
    await s.exited;
    await s.stop();
    assert.equal(app.seen({ hub, event: 'left' }).length, 10);
  });
});
