// SPDX-License-Identifier: Apache-2.0
// Exactly one disconnected for every connected, however a client ends.
import assert from 'node:assert/strict';
import { check, suite } from './lib/cases.mjs';
import { control, controlledIn, hasControl } from './lib/control.mjs';
import { Handler, HASTY, hookServerIn } from './lib/handler.mjs';
import { limit, pass, until, within } from './lib/time.mjs';

const allow = (...event_handlers) => ({ anonymous: 'allow', event_handlers });
const open = (s, kind, hub) => s[kind]({ hub, token: null });
const KINDS = ['simple', 'json', 'reliable'];

/** Names of the events of each client. */
function histories(app) {
  const all = new Map();
  for (const r of app.seen({ method: 'POST' })) all.set(r.conn, [...(all.get(r.conn) ?? []), r]);
  return all;
}

/** Each client has had connect, connected and disconnected, once each, in this
 * order of their numbers. */
function exact(app, n) {
  const all = histories(app);
  const wrong = [...all.values()].map((list) => [...list].sort((a, b) => a.id - b.id).map((r) => r.event).filter((e) => e !== 'message' && e !== 'e').join(' '))
    .filter((names) => names !== 'connect connected disconnected');
  assert.deepEqual(wrong, []);
  assert.equal(all.size, n);
  for (const list of all.values()) {
    const last = list.find((r) => r.event === 'disconnected');
    assert.equal(Math.max(...list.map((r) => Number(r.id))), Number(last.id), 'nothing has a number behind it');
  }
}

suite('once', () => {
  check('S-38 S-42 two hundred clients of all kinds that end in all ways', { skip: !hasControl && 'the fixture plugins are not built', timeout: 60000 }, async (t) => {
    const app = await Handler.start();
    const s = await controlledIn(t, {
      plugins: { 'upstream-webhook': HASTY, 'subprotocol-json': { session_retain: '700ms' } }, hubs: { '*': allow(app.all()) },
      shutdown: { timeout: '8s', spread: '500ms' },
    });
    const wrong = { simple: (c) => c.ws._socket.write(Buffer.from([0xff, 0xff])), json: (c) => c.send('{'), reliable: (c) => c.send('{') };
    const ways = {
      'close 1000': (c) => c.close(1000, 'bye'),
      'close without code': (c) => c.close(),
      'close 4000': (c) => c.close(4000, 'mine'),
      'cable cut': (c) => c.drop(),
      'end of stream': (c) => { c.ws._socket.end(); return c.end(); },
      'closed by the server': (c) => control.close(s, 'once', { conn: c.connectionId }, { reason: 'out' }).then(() => c.end()),
      'protocol error': (c, kind) => { wrong[kind](c); return c.end(); },
      'with an event under way': (c, kind) => { c.send(kind === 'simple' ? 'x' : { type: 'event', event: 'e', data: 1 }); return c.drop(); },
      'left to the shutdown': () => {},
    };
    const clients = [];
    for (let round = 0; round < 8; round++) {
      clients.push(...await Promise.all(Object.entries(ways).flatMap(([way, end]) => KINDS.map(async (kind) => {
        const c = await open(s, kind, 'once');
        return { c, kind, way, end };
      }))));
    }
    for (const one of clients) {
      if (one.kind !== 'simple') continue;
      if (one.way === 'closed by the server') one.end = () => one.c.drop(); // its id is not known here
    }
    await Promise.all(clients.map(({ c, kind, end }) => end(c, kind)));
    const left = clients.filter(({ way }) => way === 'left to the shutdown').length;
    const ended = clients.length - left;
    await app.wait({ event: 'disconnected' }, ended, { ms: 15000 });
    await pass(300);
    assert.equal(app.seen({ event: 'disconnected' }).length, ended);
    // Some more go at the moment when the server does.
    const [away, quick] = await Promise.all([open(s, 'reliable', 'once'), open(s, 'json', 'once')]);
    await away.drop();
    s.signal('SIGTERM');
    await quick.drop();
    await within(limit(15000), 'exit', s.exited);
    assert.deepEqual(s.exit, { code: 0, signal: null });
    exact(app, clients.length + 2);
  });

  check('S-42 sessions: one disconnected, when the last of the sockets has been gone for the time', async (t) => {
    const app = await Handler.start();
    const s = await hookServerIn(t, { plugins: { 'subprotocol-json': { session_retain: '4s' } }, hubs: { '*': allow(app.all()) } });
    const clients = await Promise.all(Array.from({ length: 20 }, () => open(s, 'reliable', 'sessions')));
    const again = await Promise.all(clients.map(async (c) => { await c.drop(); return s.recovered(c); }));
    for (const c of again) await c.did({ type: 'event', event: 'e', data: 1 });
    assert.equal(app.seen({ event: 'disconnected' }).length, 0);
    await Promise.all(again.map((c) => c.drop()));
    await app.wait({ event: 'disconnected' }, 20, { ms: 10000 });
    await pass(700);
    exact(app, 20);
  });

  check('3.9 soon: a client that is cut is reported in a second', async (t) => {
    const app = await Handler.start();
    const s = await hookServerIn(t, { hubs: { '*': allow(app.all()) } });
    for (const kind of ['simple', 'json']) {
      const c = await open(s, kind, `soon${kind}`);
      await app.wait({ hub: `soon${kind}`, event: 'connected' });
      const start = Date.now();
      await c.drop();
      await app.wait({ hub: `soon${kind}`, event: 'disconnected' });
      assert.ok(Date.now() - start < limit(1000));
    }
  });

  check('3.9 at shutdown the handler is told in time, though it is slow', { timeout: 40000 }, async (t) => {
    const app = await Handler.start();
    const s = await hookServerIn(t, { webhook: { ...HASTY, timeout: '5s', in_flight: 8 }, shutdown: { timeout: '8s', spread: '300ms' }, hubs: { '*': allow(app.all()) } });
    const clients = await Promise.all(Array.from({ length: 60 }, (_, i) => open(s, KINDS[i % 3], 'slow')));
    app.always({ event: 'disconnected' }, { delay: 150, status: 204 });
    s.signal('SIGTERM');
    for (const c of clients) assert.equal((await c.end({ ms: 10000 })).code, 1001);
    await within(limit(15000), 'exit', s.exited);
    assert.deepEqual(s.exit, { code: 0, signal: null });
    exact(app, 60);
  });

  check('3.9 a shutdown does not wait longer than it may, though the handler hangs', { timeout: 40000 }, async (t) => {
    const app = await Handler.start();
    const s = await hookServerIn(t, { webhook: { ...HASTY, timeout: '60s' }, shutdown: { timeout: '2s', spread: '200ms' }, hubs: { '*': allow(app.all()) } });
    await Promise.all(Array.from({ length: 20 }, (_, i) => open(s, KINDS[i % 3], 'hung')));
    app.always({ event: 'disconnected' }, { hang: true });
    const start = Date.now();
    s.signal('SIGTERM');
    await within(limit(10000), 'exit', s.exited);
    assert.deepEqual(s.exit, { code: 0, signal: null });
    assert.ok(Date.now() - start < limit(6000));
    assert.equal(app.seen({ event: 'disconnected' }).length, 20);
  });

  check('S-32 none without connected: clients that went before they were in, or were refused', async (t) => {
    const app = await Handler.start();
    const s = await hookServerIn(t, { hubs: { '*': allow(app.all()) } });
    app.queue({ event: 'connect' }, ...Array(10).fill({ delay: 200, status: 204 }));
    const { RawSocket } = await import('./lib/rawsocket.mjs');
    for (let i = 0; i < 10; i++) {
      const raw = await s.raw();
      await raw.write(RawSocket.request({ path: '/client/hubs/early', host: `127.0.0.1:${s.port}` }));
      await app.wait({ event: 'connect' }, i + 1);
      raw.reset();
    }
    await until(5000, 'all are over', () => app.seen({ event: 'connect' }).every((r) => r.ended));
    const c = await open(s, 'json', 'early');
    await c.close(1000);
    await app.wait({ event: 'disconnected' });
    await pass(200);
    const all = histories(app);
    for (const list of all.values()) {
      const names = list.map((r) => r.event);
      assert.equal(names.includes('connected'), names.includes('disconnected'), names.join(' '));
    }
    assert.equal(all.size, 11);
  });
});
