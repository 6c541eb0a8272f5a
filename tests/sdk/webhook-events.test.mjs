// SPDX-License-Identifier: Apache-2.0
// User events and their answers, states, failures, retries, and the end of a
// client, for each kind of client.
import assert from 'node:assert/strict';
import { check, suite } from './lib/cases.mjs';
import { control, controlledIn, hasControl } from './lib/control.mjs';
import { Handler, HASTY, gate, hookServer, hookServerIn } from './lib/handler.mjs';
import { pass, until } from './lib/time.mjs';

const app = await Handler.start();
const allow = (...event_handlers) => ({ anonymous: 'allow', event_handlers });
const server = hookServer({
  plugins: { 'subprotocol-json': { session_retain: '3s' } },
  hubs: {
    '*': allow(app.all()),
    nobody: allow(app.all({ user_events: [] })),
    retried: allow(app.all({ event_retry_delays: ['1s', '50ms'] })),
    impatient: allow(app.all({ timeout: '300ms', event_retry_delays: ['50ms'] })),
    late: allow(app.all({ timeout: '2s', event_retry_delays: ['300ms', '10m'] })),
    paused: allow(app.all({ event_retry_delays: ['600ms', '600ms'] })),
    gone: allow(app.all({ url: 'http://127.0.0.1:1/{event}', system_events: [], validate: false, event_retry_delays: ['50ms'] })),
    unprobed: allow(app.all({ url: 'http://127.0.0.1:1/{event}', system_events: [] })),
  },
});
let number = 0;
const fresh = () => `e${++number}`;
const says = (type, body, more) => ({ type, body, ...more });
const FAILED = { name: 'InternalServerError', message: 'Internal server error' };
const event = (more) => ({ type: 'event', event: 'e', dataType: 'text', data: 'x', ...more });

/** The three kinds of clients that get answers, of one hub. */
async function kinds(hub, options) {
  const [simple, json, reliable] = await Promise.all([server.simple({ hub, ...options }), server.json({ hub, ...options }), server.reliable({ hub, ...options })]);
  return { simple, json, reliable };
}

suite('answers', () => {
  check('S-47 S-48 each content type, for each kind of client', async () => {
    const hub = fresh();
    const c = await kinds(hub);
    let sequence = 0;
    for (const [type, body, frame, dataType, data] of [
      ['text/plain', 'said ü"', { text: 'said ü"' }, 'text', 'said ü"'],
      ['text/plain; charset=utf-8', 'x', { text: 'x' }, 'text', 'x'],
      ['TEXT/Plain;charset=UTF-8', 'x', { text: 'x' }, 'text', 'x'],
      ['application/json', '{"b":[2, "ü"]}', { text: '{"b":[2, "ü"]}' }, 'json', { b: [2, 'ü'] }],
      ['application/json; charset=utf-8', '"x"', { text: '"x"' }, 'json', 'x'],
      ['application/json', ' 7 ', null, 'json', 7],
      ['application/octet-stream', Buffer.from([0, 1, 255]), { binary: Buffer.from([0, 1, 255]) }, 'binary', 'AAH/'],
      [undefined, 'bytes', { binary: Buffer.from('bytes') }, 'binary', 'Ynl0ZXM='],
      ['application/x-protobuf', Buffer.from([10, 1, 97]), { binary: Buffer.from([10, 1, 97]) }, 'protobuf', 'CgFh'],
    ]) {
      app.always({ hub, method: 'POST' }, says(type, body));
      sequence += 1;
      c.simple.send('x');
      const got = await c.simple.next();
      if (frame?.text !== undefined) assert.equal(got.text, frame.text, type);
      if (frame?.binary) assert.deepEqual(got.binary, frame.binary, type);
      for (const kind of ['json', 'reliable']) {
        c[kind].send(event({ ackId: sequence }));
        assert.deepEqual(await c[kind].json(), { ...(kind === 'reliable' ? { sequenceId: sequence } : {}), type: 'message', from: 'server', dataType, data }, `${kind} ${type}`);
        assert.deepEqual(await c[kind].json(), { type: 'ack', ackId: sequence, success: true }, 'the ack comes behind it');
      }
    }
  });

  check('S-49 nothing said: nothing delivered, the ack says success', async () => {
    for (const reply of [{ status: 204 }, { status: 200 }, { status: 202, type: 'text/plain' }, says('application/octet-stream', ''), says('application/json', ''), says('text/html', '')]) {
      const hub = fresh();
      app.always({ hub, method: 'POST' }, reply);
      app.always({ hub, event: 'connect' }, { status: 204 });
      const c = await kinds(hub);
      c.simple.send('x');
      await app.wait({ hub, event: 'message' });
      for (const kind of ['json', 'reliable']) {
        assert.deepEqual(await c[kind].did(event()), { type: 'ack', ackId: 1, success: true });
        assert.deepEqual(await c[kind].fence(), []);
      }
      assert.deepEqual(await c.simple.wsFence(), []);
    }
  });

  check('S-51 a repeated ackId is a duplicate only after success', async () => {
    const c = await server.json({ hub: fresh() });
    app.queue({ conn: c.connectionId, event: 'e' }, { status: 404 }, says('text/plain', 'done'));
    assert.deepEqual(await c.ask(event({ ackId: 3 })), { type: 'ack', ackId: 3, success: false, error: FAILED });
    assert.deepEqual(await c.fence(), []);
    c.send(event({ ackId: 3 }));
    assert.equal((await c.json()).data, 'done');
    assert.equal((await c.json()).success, true);
    assert.equal((await c.ask(event({ ackId: 3 }))).error.name, 'Duplicate');
    assert.equal(app.seen({ conn: c.connectionId, event: 'e' }).length, 2);
  });

  check('S-47 an answer that is too large for a client is a failure', async () => {
    const hub = fresh();
    const c = await server.json({ hub });
    app.queue({ hub, event: 'e' }, says('text/plain', 'x'.repeat(1048576)), says('text/plain', 'x'.repeat(1048577)));
    await c.did(event(), { ms: 15000 });
    assert.equal((await c.type('message')).data.length, 1048576);
    assert.deepEqual((await c.ask(event())).error, FAILED);
    assert.deepEqual(await c.fence(), []);
  });
});

/** What the three kinds of clients see when a user event fails. */
async function failure(hub, { requests = 3, options } = {}) {
  const c = await kinds(hub, options);
  c.simple.send('x');
  const { code, reason } = await c.simple.end({ ms: 8000 });
  assert.equal(code, 1011);
  assert.ok(!/secret|detail|127/.test(reason), reason);
  for (const kind of ['json', 'reliable']) {
    assert.deepEqual(await c[kind].ask(event({ ackId: 7 }), { ms: 8000 }), { type: 'ack', ackId: 7, success: false, error: FAILED }, kind);
    c[kind].send(event());
    assert.deepEqual(await c[kind].fence(), [], kind);
    assert.equal((await c[kind].ask({ type: 'joinGroup', group: 'g' }, { ms: 8000 })).success, true, 'stays');
    assert.deepEqual(await c[kind].fence(), [], 'nothing of the event without ackId');
  }
  return { ...c, requests };
}

suite('failures (3.13)', () => {
  check('S-50 S-51 S-52 nobody takes it', () => failure('nobody'));

  check('S-50 S-51 S-52 non-2xx of every kind; nothing of the answer reaches the client', async () => {
    for (const status of [400, 401, 403, 404, 409, 429, 500, 503]) {
      const hub = fresh();
      app.always({ hub, method: 'POST' }, { status, type: 'text/plain', body: 'secret detail', headers: { 'ce-connectionState': 'leak', 'X-WebPubSub-Metadata-a': 'b' } });
      app.always({ hub, event: 'connect' }, { status: 204 });
      const { json } = await failure(hub);
      await json.close(1000);
      assert.equal((await app.one({ conn: json.connectionId, event: 'disconnected' })).state, undefined, 'S-37');
    }
  });

  check('S-55 a redirect is a failure, and is not followed', async () => {
    for (const status of [301, 302, 303, 307, 308]) {
      const hub = fresh();
      app.always({ hub, event: /^(e|message)$/ }, { status, headers: { Location: `${app.origin}/followed/x` } });
      await failure(hub);
    }
    assert.deepEqual(app.seen({ path: '/followed/x' }), []);
  });

  check('S-140 an answer of a type we do not know', async () => {
    for (const type of ['text/html', 'image/png', 'application/xml', 'text/plainer', 'nonsense']) {
      const hub = fresh();
      app.always({ hub, event: /^(e|message)$/ }, says(type, 'x'));
      await failure(hub);
    }
  });

  check('3.10 JSON that is none, text that is no UTF-8, breaking off in the body', async () => {
    for (const reply of [says('application/json', '{'), says('application/json', 'x'), says('application/json', '1 2'), says('application/json', Buffer.from('"\xff"', 'latin1')),
      says('text/plain', Buffer.from('\xff\xfe', 'latin1')), { half: true, type: 'text/plain', body: 'half' }, { drop: 'rst' }, { raw: 'garbage\r\n\r\n' }]) {
      const hub = fresh();
      app.always({ hub, event: /^(e|message)$/ }, reply);
      await failure(hub);
    }
  });

  check('3.13 nobody listens; the probe fails', async () => {
    await failure('gone');
    await failure('unprobed');
  });

  check('S-54 no answer in time: one request, no retry', async () => {
    app.always({ hub: 'impatient', event: /^(e|message)$/ }, { hang: true });
    const c = await failure('impatient');
    assert.equal(app.seen({ conn: c.json.connectionId, event: 'e' }).length, 2, 'one for each event');
    await until(5000, 'they are given up', () => app.seen({ hub: 'impatient', event: 'e' }).every((r) => r.gone));
  });

  check('3.13 drop_on_event_failure ends clients that asked for no ack', async (t) => {
    const s = await hookServerIn(t, { plugins: { 'subprotocol-json': { drop_on_event_failure: true } }, hubs: { '*': allow(app.all()) } });
    for (const reliable of [false, true]) {
      const hub = fresh();
      app.always({ hub, event: 'e' }, { status: 500 });
      const c = await s.json({ hub, reliable, token: null });
      assert.deepEqual((await c.ask(event({ ackId: 1 }))).error, FAILED);
      c.send(event());
      assert.equal((await c.end()).code, 1011);
      await app.wait({ conn: c.connectionId, event: 'disconnected' });
    }
  });
});

suite('retries', () => {
  check('S-54 503 and then 200: the same event again, a second later', async () => {
    for (const first of [{ status: 503 }, { status: 408 }, { drop: 'rst' }]) {
      const c = await server.json({ hub: 'retried' });
      app.queue({ conn: c.connectionId, event: 'e' }, first, says('text/plain', 'at last', { headers: { 'ce-connectionState': 'new' } }));
      c.send(event({ ackId: 100, metadata: { k: 'v' } }));
      assert.equal((await c.json()).data, 'at last');
      assert.equal((await c.json()).success, true);
      let list = app.seen({ conn: c.connectionId, event: 'e' });
      // A connection that was kept open may be found closed by the other side
      // only when it is used; that is repeated at once, on a new one.
      if (first.drop && list.length > 2) list = list.slice(-2);
      assert.equal(list.length, 2);
      const [a, b] = list;
      assert.ok(first.drop || b.at - a.at >= 900, `${b.at - a.at} ms`);
      for (const name of ['ce-id', 'x-ms-client-request-id', 'ce-time', 'ce-signature', 'x-webpubsub-metadata-k', 'content-type']) assert.deepEqual(a.lines(name), b.lines(name), name);
      assert.deepEqual(a.body, b.body);
      await c.did(event());
      assert.equal(app.seen({ conn: c.connectionId, event: 'e' }).at(-1).state, 'new');
    }
  });

  check('S-54 not for 429 and other refusals; given up after the last delay', async () => {
    for (const status of [400, 404, 429]) {
      const c = await server.json({ hub: 'retried' });
      app.queue({ conn: c.connectionId, event: 'e' }, { status }, says('text/plain', 'never'));
      assert.equal((await c.ask(event())).success, false);
      assert.equal(app.seen({ conn: c.connectionId, event: 'e' }).length, 1);
    }
    const c = await server.json({ hub: 'retried' });
    app.always({ conn: c.connectionId, event: 'e' }, { status: 500 });
    assert.equal((await c.ask(event())).success, false);
    assert.equal(app.seen({ conn: c.connectionId, event: 'e' }).length, 3);
  });

  check('3.6 the timeout is for all attempts together', async () => {
    const c = await server.json({ hub: 'late' });
    app.always({ conn: c.connectionId, event: 'e' }, { status: 500 });
    assert.equal((await c.ask(event())).success, false);
    assert.equal(app.seen({ conn: c.connectionId, event: 'e' }).length, 2);
  });

  check('S-54 unblocking events are repeated too, also when the client has gone', async () => {
    const c = await server.json({ hub: 'retried' });
    await app.wait({ conn: c.connectionId, event: 'connected' });
    app.queue({ conn: c.connectionId, event: 'disconnected' }, { status: 500 }, { status: 200 });
    await c.close(1000);
    const [a, b] = await app.wait({ conn: c.connectionId, event: 'disconnected' }, 2);
    assert.equal(a.id, b.id);
    assert.equal(a.request, b.request);
  });
});

suite('state', () => {
  check('S-36 an answer replaces it as a whole, an empty one too; none leaves it', async () => {
    for (const kind of ['simple', 'json', 'reliable']) {
      const hub = fresh();
      const c = await server[kind]({ hub });
      const send = () => c.send(kind === 'simple' ? 'x' : event());
      const state = (value) => ({ status: 204, headers: { 'ce-connectionState': value } });
      const name = kind === 'simple' ? 'message' : 'e';
      app.queue({ hub, event: name }, state('one'), { status: 200 }, state(''), { status: 204 }, state(['two', 'last']), state('x'.repeat(16384)), state('y'.repeat(16385)), { status: 204 });
      for (let i = 0; i < 8; i++) send();
      const list = await app.wait({ hub, event: name }, 8);
      assert.deepEqual(list.map((r) => r.state?.slice(0, 4)), [undefined, 'one', 'one', '', '', 'last', 'xxxx', 'xxxx'], kind);
      assert.equal(list[7].state.length, 16384, 'a longer one is no state');
      await c.close(1000);
      assert.equal((await app.one({ hub, event: 'disconnected' })).state.length, 16384);
    }
  });

  check('S-37 not by a failure, and not by connected', async () => {
    const hub = fresh();
    const state = { 'ce-connectionState': 'wrong' };
    app.queue({ hub, event: 'connected' }, { status: 200, headers: state });
    app.queue({ hub, event: 'e' }, { status: 400, headers: state }, { status: 500, headers: state });
    const c = await server.json({ hub });
    await app.wait({ hub, event: 'connected' });
    for (const success of [false, false, true]) assert.equal((await c.ask(event())).success, success);
    await c.close(1000);
    await app.wait({ hub, event: 'disconnected' });
    assert.deepEqual(app.seen({ hub, method: 'POST' }).map((r) => r.state), Array(6).fill(undefined));
  });
});

suite('beginning and end', () => {
  check('S-39 a slow connected holds up nobody', async () => {
    const hub = fresh();
    const door = gate({ status: 200 });
    app.queue({ hub, event: 'connected' }, door.answer);
    const c = await server.json({ hub });
    await c.did(event());
    assert.equal(app.seen({ hub, event: 'connected' })[0].ended, undefined);
    await c.close(1000);
    await c.end();
    assert.deepEqual(app.seen({ hub, event: 'disconnected' }), [], 'disconnected comes after it');
    door.open();
    await app.wait({ hub, event: 'disconnected' });
  });

  check('S-40 disconnected comes after the last event has ended, whatever became of the client', async () => {
    for (const how of ['close', 'drop']) {
      const hub = fresh();
      const door = gate();
      app.queue({ hub, event: 'e' }, door.answer);
      const c = await server.json({ hub });
      c.send(event());
      c.send(event());
      const first = await app.one({ hub, event: 'e' });
      if (how === 'close') await c.close(1000);
      else await c.drop();
      assert.deepEqual(app.seen({ hub, event: 'disconnected' }), []);
      door.open();
      const last = await app.one({ hub, event: 'disconnected' }, { ms: 15000 });
      assert.ok(last.at >= (first.ended ?? 0));
      assert.deepEqual(last.during.filter((r) => r.conn === c.connectionId), []);
    }
  });

  check('S-40 a client that goes between two attempts: the event is over, then it is reported', async () => {
    const c = await server.json({ hub: 'paused' });
    app.always({ conn: c.connectionId, event: 'e' }, { status: 503 });
    c.send(event());
    await app.wait({ conn: c.connectionId, event: 'e' });
    await c.drop();
    const last = await app.one({ conn: c.connectionId, event: 'disconnected' }, { ms: 15000 });
    const tries = app.seen({ conn: c.connectionId, event: 'e' }).length;
    assert.deepEqual(last.overlaps, []);
    await pass(800);
    assert.equal(app.seen({ conn: c.connectionId, event: 'e' }).length, tries, 'no attempt behind it');
  });

  check('S-40 limits.events_after_end: longer nobody waits for the last events of a client', async (t) => {
    const s = await hookServerIn(t, { webhook: { ...HASTY, timeout: '60s' }, limits: { events_after_end: '300ms' }, hubs: { '*': allow(app.all()) } });
    app.queue({ hub: 'stuck', event: 'e' }, { hang: true });
    const c = await s.json({ hub: 'stuck', token: null });
    c.send(event());
    const r = await app.one({ hub: 'stuck', event: 'e' });
    const start = Date.now();
    await c.drop();
    await app.wait({ hub: 'stuck', event: 'disconnected' }, 1, { ms: 15000 });
    assert.ok(Date.now() - start >= 280);
    await until(5000, 'the event is given up', () => r.gone);
  });

  check('S-41 S-42 recovery raises nothing; disconnected comes when the session is over', async () => {
    const hub = fresh();
    const c = await server.reliable({ hub });
    await app.wait({ hub, event: 'connected' });
    await c.drop();
    const again = await server.recovered(c);
    await again.did(event());
    await again.fence();
    assert.deepEqual(app.seen({ hub, method: 'POST' }).map((r) => r.event), ['connect', 'connected', 'e']);
    const start = Date.now();
    await again.drop();
    const last = await app.one({ hub, event: 'disconnected' });
    assert.ok(Date.now() - start >= 2990, 'kept for three seconds here');
    assert.equal(last.id, '3');
    await pass(300);
    assert.equal(app.seen({ hub, event: 'disconnected' }).length, 1);
  });

  check('7.1 an answer that comes while a reliable client is away waits for it', async () => {
    const hub = fresh();
    const door = gate(says('application/json', '{"a":1}'));
    app.queue({ hub, event: 'e' }, door.answer);
    const c = await server.reliable({ hub });
    c.send(event({ ackId: 1 }));
    await app.wait({ hub, event: 'e' });
    await c.drop();
    door.open();
    await until(5000, 'it is answered', () => app.seen({ hub, event: 'e' })[0].ended);
    const again = await server.recovered(c);
    assert.deepEqual((await again.type('message')).data, { a: 1 });
    assert.equal((await again.ask(event({ ackId: 1 }))).error.name, 'Duplicate');
  });

  check('C-64 pings are answered and frames read while a handler thinks', async () => {
    const hub = fresh();
    const door = gate(says('text/plain', 'slow'));
    app.queue({ hub, event: /^(e|message)$/ }, door.answer, door.answer);
    const [j, s] = [await server.json({ hub }), await server.simple({ hub })];
    j.send(event());
    s.send('x');
    await app.wait({ hub, event: /^(e|message)$/ }, 2);
    j.send({ type: 'joinGroup', group: 'g', ackId: 1 });
    assert.deepEqual(await j.fence(), []);
    assert.deepEqual(await s.wsFence(), []);
    door.open();
    assert.equal((await j.json()).data, 'slow');
    assert.equal((await j.json()).ackId, 1);
    assert.equal(await s.text(), 'slow');
  });

  check('3.9 the reason of a close by the server', { skip: !hasControl && 'the fixture plugins are not built' }, async (t) => {
    const s = await controlledIn(t, { plugins: { 'upstream-webhook': HASTY }, hubs: { '*': allow(app.all()) } });
    for (const [hub, reason, text] of [['c1', 'banned', ' Reason: banned'], ['c2', undefined, '']]) {
      for (const reliable of [false, true]) {
        const c = await s.json({ hub, token: null, reliable });
        await control.close(s, hub, { conn: c.connectionId }, { reason });
        assert.deepEqual((await app.one({ conn: c.connectionId, event: 'disconnected' })).json, { reason: `Application server closed the connection.${text}` });
      }
      const simple = await s.simple({ hub: `${hub}s`, token: null });
      await control.close(s, `${hub}s`, {}, { reason });
      await simple.end();
      assert.deepEqual((await app.one({ hub: `${hub}s`, event: 'disconnected' })).json, { reason: `Application server closed the connection.${text}` });
    }
  });
});
