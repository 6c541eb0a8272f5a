// SPDX-License-Identifier: Apache-2.0
// What a connect handler's answer does to the client: accept, change, refuse.
import assert from 'node:assert/strict';
import { check, suite } from './lib/cases.mjs';
import { Handler, HASTY, gate, hookServer, hookServerIn } from './lib/handler.mjs';
import { until, within } from './lib/time.mjs';
import { ALL, now } from './lib/token.mjs';
import { JSON_V1, RELIABLE_V1 } from './lib/wsclient.mjs';

const app = await Handler.start();
const server = hookServer({
  hubs: {
    '*': { anonymous: 'allow', event_handlers: [app.all()] },
    strict: { anonymous: 'deny', event_handlers: [app.all()] },
    unasked: { anonymous: 'deny', event_handlers: [app.all({ system_events: ['connected', 'disconnected'] })] },
    closedport: { anonymous: 'allow', event_handlers: [app.all({ url: 'http://127.0.0.1:1/{event}' })] },
    impatient: { anonymous: 'allow', event_handlers: [app.all({ timeout: '300ms' })] },
    untrusted: { anonymous: 'allow', event_handlers: [app.all({ url: 'https://127.0.0.1:1/{event}', validate: false })] },
  },
});
let number = 0;
/** A hub that no other test uses. */
const fresh = () => `h${++number}`;
const answer = (body, more) => ({ type: 'application/json; charset=utf-8', body: typeof body === 'string' ? body : JSON.stringify(body), ...more });

/** A JSON client of a new hub whose connect event gets `reply`. */
async function admitted(reply, options = {}) {
  const hub = fresh();
  app.queue({ hub, event: 'connect' }, reply);
  return server.json({ hub, user: 'alice', groups: ['t'], ...options });
}

async function refused(reply, options = {}) {
  const hub = fresh();
  app.always({ hub, event: 'connect' }, reply);
  const refusal = await server.refused({ hub, user: 'alice', protocols: JSON_V1, ...options });
  refusal.hub = hub;
  return refusal;
}

/** Those of `groups` that the client is a member of. */
async function memberOf(client, ...groups) {
  const { hub } = client.options;
  const other = await server.json({ hub, user: 'other' });
  for (const group of groups) await other.publish(group, group);
  return (await client.fence()).map((m) => m.json.data);
}

suite('accepted', () => {
  check('S-22 204 and nothing said: the user, groups and roles of the token', async () => {
    const c = await admitted({ status: 204 });
    assert.equal(c.connected.userId, 'alice');
    assert.deepEqual(await memberOf(c, 't', 'u'), ['t']);
    await c.join('x');
    await c.publish('x', 1);
  });

  check('S-22 S-26 every 2xx and every way to say nothing', async () => {
    for (const reply of [{ status: 200 }, { status: 201 }, { status: 202 }, { status: 299 }, { status: 200, type: 'text/html' },
      answer('null'), answer('{}'), answer(' \r\n{ }\t'), answer({ groups: null, userId: null, roles: null, subprotocol: null }),
      answer({ subprotocol: '' }), answer({ unknown: [1, { a: 2 }], mqtt: { code: 3 }, groups: [] })]) {
      const c = await admitted(reply);
      assert.equal(c.connected.userId, 'alice', JSON.stringify(reply));
      assert.equal(c.protocol, JSON_V1);
      await c.join('x');
      assert.deepEqual(await memberOf(c, 't'), ['t'], JSON.stringify(reply));
    }
  });

  check('S-23 userId replaces, "" removes, null keeps', async () => {
    for (const [userId, user] of [['bob', 'bob'], ['', null], [null, 'alice'], ['zoë "x"', 'zoë "x"']]) {
      const c = await admitted(answer({ userId }));
      assert.equal(c.connected.userId, user);
      const r = await app.one({ conn: c.connectionId, event: 'connected' });
      assert.equal(r.headers['ce-userid'] === undefined ? null : Buffer.from(r.headers['ce-userid'], 'latin1').toString(), user);
      assert.equal((await app.one({ conn: c.connectionId, event: 'connect' })).headers['ce-userid'], 'alice', 'on connect it is the token\'s');
    }
    const named = await admitted(answer({ userId: 'carol' }), { token: null });
    assert.equal(named.connected.userId, 'carol');
  });

  check('S-24 groups replace those of the token when there are any, without a role', async () => {
    const c = await admitted(answer({ groups: ['a', 'b'] }), { roles: [] });
    assert.deepEqual(await memberOf(c, 't', 'a', 'b'), ['a', 'b']);
    const none = await admitted(answer({ groups: [] }), { roles: [] });
    assert.deepEqual(await memberOf(none, 't', 'a'), ['t']);
    const twice = await admitted(answer({ groups: ['a', 'a', 'g'.repeat(1024)] }));
    assert.deepEqual(await memberOf(twice, 'a', 't', 'g'.repeat(1024)), ['a', 'g'.repeat(1024)]);
  });

  check('S-24 they are joined before the first frame of the client is handled', async () => {
    const hub = fresh();
    app.queue({ hub, event: 'connect' }, answer({ groups: ['early'] }));
    const raw = await server.raw();
    const { frame, RawSocket } = await import('./lib/rawsocket.mjs');
    const query = `/client/hubs/${hub}?access_token=${server.token({ hub, roles: ALL })}`;
    await raw.write(Buffer.concat([Buffer.from(RawSocket.request({ path: query, protocols: JSON_V1, host: `127.0.0.1:${server.port}` })),
      frame(1, JSON.stringify({ type: 'sendToGroup', group: 'early', data: 1 }))]));
    assert.equal((await raw.answer()).status, 101);
    assert.equal(JSON.parse((await raw.frame()).payload).event, 'connected');
    assert.equal(JSON.parse((await raw.frame()).payload).group, 'early');
    raw.destroy();
  });

  check('S-25 roles replace, [] too; null keeps; unknown ones do nothing', async () => {
    for (const [roles, join, send] of [[[], false, false], [['webpubsub.joinLeaveGroup'], true, false], [['webpubsub.sendToGroup.x', 'unheard.of', ''], false, true], [null, true, true]]) {
      const c = await admitted(answer({ roles }));
      assert.equal((await c.ask({ type: 'joinGroup', group: 'x' })).success, join, JSON.stringify(roles));
      assert.equal((await c.ask({ type: 'sendToGroup', group: 'x', data: 1 })).success, send, JSON.stringify(roles));
    }
  });

  check('S-27 JSON without a content type, or with any other, is parsed; names in any case', async () => {
    for (const more of [{ type: undefined }, { type: 'text/plain' }, { status: 202 }]) {
      assert.equal((await admitted(answer({ userId: 'bob' }, more))).connected.userId, 'bob');
    }
    const c = await admitted(answer({ USERID: 'bob', Groups: ['a'], subProtocol: RELIABLE_V1, ROLES: [] }), { protocols: [JSON_V1, RELIABLE_V1] });
    assert.equal(c.connected.userId, 'bob');
    assert.equal(c.protocol, RELIABLE_V1);
    assert.equal((await c.ask({ type: 'joinGroup', group: 'x' })).success, false);
    assert.deepEqual(await memberOf(c, 't', 'a'), ['a']);
  });

  check('S-29 S-28 the subprotocol: offered ones only, and ours when none is named', async () => {
    assert.equal((await admitted({ status: 204 })).protocol, JSON_V1);
    assert.equal((await admitted({ status: 204 }, { protocols: ['foo', RELIABLE_V1, JSON_V1] })).protocol, RELIABLE_V1);
    assert.equal((await admitted(answer({ subprotocol: JSON_V1 }), { protocols: [RELIABLE_V1, JSON_V1] })).protocol, JSON_V1);
    const hub = fresh();
    app.queue({ hub, event: 'connect' }, answer({ subprotocol: 'foo' }));
    const c = await server.simple({ hub, protocols: [JSON_V1, 'foo'] });
    assert.equal(c.protocol, 'foo');
    app.always({ hub, event: 'message' }, { type: 'text/plain', body: 'simple' });
    c.send('x');
    assert.equal(await c.text(), 'simple');
    assert.equal((await app.one({ hub, event: 'message' })).headers['ce-subprotocol'], 'foo');
    for (const [subprotocol, protocols] of [[RELIABLE_V1, JSON_V1], ['bar', ['foo', JSON_V1]], [JSON_V1, undefined]]) {
      const refusal = await refused(answer({ subprotocol }), { protocols });
      assert.deepEqual([refusal.status, refusal.body], [500, ''], subprotocol);
    }
  });

  check('S-34 without a token, where that is allowed, the handler is asked about nobody', async () => {
    const c = await admitted(answer({ groups: ['a'], roles: ['webpubsub.joinLeaveGroup.x'] }), { token: null });
    assert.equal(c.connected.userId, null);
    const r = await app.one({ conn: c.connectionId, event: 'connect' });
    assert.equal(r.headers['ce-userid'], undefined);
    assert.deepEqual(r.json.claims, {});
    await c.join('x');
    assert.deepEqual(await memberOf(c, 'a', 't'), ['a']);
  });

  check('S-35 a state that is set here goes with everything that follows', async () => {
    const c = await admitted({ status: 204, headers: { 'ce-connectionState': 'eyJrIjoxfQ==' } });
    await c.did({ type: 'event', event: 'e', data: 1 });
    await c.close(1000);
    const list = await app.wait({ conn: c.connectionId }, 4);
    assert.deepEqual(Object.fromEntries(list.map((r) => [r.event, r.state])), { connect: undefined, connected: 'eyJrIjoxfQ==', e: 'eyJrIjoxfQ==', disconnected: 'eyJrIjoxfQ==' });
  });

  check('3.1 without a handler for connect the token alone decides', async () => {
    assert.equal(await server.status({ hub: 'unasked', token: null }), 401);
    const c = await server.json({ hub: 'unasked', user: 'u' });
    const r = await app.one({ hub: 'unasked', event: 'connected' });
    assert.equal(r.id, '1');
    assert.equal(r.headers['ce-userid'], 'u');
    await c.close(1000);
    await app.wait({ hub: 'unasked', event: 'disconnected' });
    assert.equal(app.seen({ hub: 'unasked', event: 'connect' }).length, 0);
  });
});

suite('refused', () => {
  check('S-30 4xx: the same status, body and type, and no 101', async () => {
    for (const status of [400, 401, 402, 403, 404, 409, 410, 418, 422, 429, 451, 499]) {
      const r = await refused({ status, type: 'text/plain; charset=utf-8', body: `no ${status} ü` });
      assert.deepEqual([r.status, r.body, r.headers['content-type']], [status, `no ${status} ü`, 'text/plain; charset=utf-8']);
    }
    const json = await refused(answer({ error: 'no such room' }, { status: 403, headers: { 'X-Secret': 'inner', 'Set-Cookie': 'a=b', 'ce-connectionState': 's', Connection: 'close' } }));
    assert.deepEqual([json.status, JSON.parse(json.body), json.headers['content-type']], [403, { error: 'no such room' }, 'application/json; charset=utf-8']);
    for (const name of ['x-secret', 'set-cookie', 'ce-connectionstate']) assert.equal(json.headers[name], undefined, name);
    const empty = await refused({ status: 401 });
    assert.deepEqual([empty.status, empty.body, empty.headers['content-length']], [401, '', '0']);
    const binary = await refused({ status: 400, type: 'application/octet-stream', body: Buffer.from('\u0000x') });
    assert.deepEqual([binary.body, binary.headers['content-type']], ['\u0000x', 'application/octet-stream']);
  });

  check('S-30 a body over 64 KiB is cut there', async () => {
    const full = await refused({ status: 400, type: 'text/plain', body: 'x'.repeat(65536) });
    assert.equal(full.body.length, 65536);
    const cut = await refused({ status: 400, type: 'text/plain', body: 'x'.repeat(70000) });
    assert.deepEqual([cut.status, cut.body.length], [400, 65536]);
  });

  check('S-31 5xx: the same status, nothing of the body', async () => {
    for (const status of [500, 501, 502, 503, 504, 599]) {
      const r = await refused({ status, type: 'text/plain', body: 'inner details' });
      assert.deepEqual([r.status, r.body], [status, ''], String(status));
    }
  });

  check('S-31 S-55 3xx and answers that are none: 500, nothing of the body', async () => {
    for (const reply of [{ status: 301, headers: { Location: `${app.origin}/elsewhere/connect` } }, { status: 302, body: 'x', headers: { Location: '/' } }, { status: 304 }, { status: 307, headers: { Location: `${app.origin}/elsewhere/connect` } },
      { drop: 'fin' }, { drop: 'rst' }, { raw: 'what?\r\n\r\n' }, { raw: 'HTTP/1.1 banana\r\n\r\n' }, { raw: '' }, { half: true, body: '{}' },
      { raw: Buffer.alloc(3000, 0xfe) }, { raw: 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n{}' }]) {
      const r = await refused(reply);
      assert.deepEqual([r.status, r.body], [500, ''], JSON.stringify(reply).slice(0, 80));
    }
    assert.deepEqual(app.seen({ path: '/elsewhere/connect' }), []);
  });

  check('S-31 C-18 bodies of 2xx that say nothing sensible: 500', async () => {
    const bodies = ['{', '{"userId":"a"', 'no', '[]', '"x"', '5', 'true', '{}{}', '{"userId":5}', '{"userId":["a"]}', '{"userId":{}}', '{"groups":"a"}', '{"groups":{}}', '{"groups":[null]}',
      '{"groups":[""]}', '{"groups":["  "]}', '{"groups":[5]}', `{"groups":["${'g'.repeat(1025)}"]}`, '{"groups":["a",null]}', '{"roles":"a"}', '{"roles":[null]}', '{"roles":[1]}', '{"roles":{}}',
      '{"subprotocol":5}', '{"subprotocol":[]}', `{"x":${'['.repeat(100000)}`, Buffer.from('{"userId":"\xff"}', 'latin1'), Buffer.from('{"userId":"\xc3\x28"}', 'latin1')];
    for (const body of bodies) {
      const r = await refused({ type: 'application/json', body });
      assert.deepEqual([r.status, r.body], [500, ''], body.toString().slice(0, 60));
    }
  });

  check('S-31 nobody there, nobody who answers in time: 500', async () => {
    assert.deepEqual((({ status, body }) => [status, body])(await server.refused({ hub: 'closedport' })), [500, '']);
    assert.equal(await server.status({ hub: 'untrusted' }), 500);
    app.queue({ hub: 'impatient', event: 'connect' }, { hang: true });
    const start = Date.now();
    assert.equal(await server.status({ hub: 'impatient' }), 500);
    assert.ok(Date.now() - start >= 290, 'not before the timeout');
    assert.equal(app.seen({ hub: 'impatient', event: 'connect' }).length, 1, 'no retry after a timeout');
    const [r] = app.seen({ hub: 'impatient', event: 'connect' });
    await until(5000, 'the request is given up', () => r.gone);
    app.queue({ hub: 'impatient', event: 'connect' }, { status: 204 });
    assert.equal(await server.status({ hub: 'impatient' }), 101, 'and the next one passes');
  });

  check('S-32 a refused client has neither connected nor disconnected', async () => {
    const list = [await refused({ status: 403 }), await refused({ status: 500 }), await refused({ body: '{' }), await refused(answer({ subprotocol: 'x' })), await refused({ drop: 'rst' })];
    // An event of each hub that comes later shows that nothing came before.
    for (const { hub } of list) {
      app.always({ hub, event: 'connect' }, { status: 204 });
      const c = await server.json({ hub });
      await app.wait({ hub, event: 'connected' });
      const others = app.seen({ hub, method: 'POST' }).filter((r) => r.conn !== c.connectionId);
      assert.ok(others.length >= 1 && others.every((r) => r.event === 'connect'), JSON.stringify(others.map((r) => r.event)));
    }
  });

  check('S-33 tokens are looked at first', async () => {
    assert.equal(await server.status({ hub: 'strict', exp: now() - 3600 }), 401);
    assert.equal(await server.status({ hub: 'strict', token: null }), 401);
    assert.equal(await server.status({ hub: 'strict', token: 'nonsense' }), 401);
    const elsewhere = server.token({ hub: 'other' });
    assert.equal(await server.status({ hub: 'strict', token: elsewhere }), 401);
    assert.deepEqual(app.seen({ hub: 'strict' }), []);
    assert.equal(await server.status({ hub: 'strict' }), 101);
    assert.equal(app.seen({ hub: 'strict', event: 'connect' }).length, 1);
  });

  check('3.6 a client that goes while it is asked about: the question is withdrawn', async () => {
    const hub = fresh();
    const door = gate();
    app.queue({ hub, event: 'connect' }, door.answer);
    const raw = await server.raw();
    const { RawSocket } = await import('./lib/rawsocket.mjs');
    await raw.write(RawSocket.request({ path: `/client/hubs/${hub}`, host: `127.0.0.1:${server.port}` }));
    const r = await app.one({ hub, event: 'connect' });
    raw.reset();
    await until(5000, 'it is withdrawn', () => r.gone);
    door.open();
    await server.json({ hub });
    await app.wait({ hub, event: 'connected' });
    assert.deepEqual(app.seen({ hub, method: 'POST' }).map((x) => [x.event, x.conn === r.conn]), [['connect', true], ['connect', false], ['connected', false]]);
  });

  check('S-31 the default schedule: four requests, after 1, 3 and 5 s', { timeout: 40000 }, async (t) => {
    const s = await hookServerIn(t, { webhook: {}, hubs: { '*': { anonymous: 'allow', event_handlers: [app.all()] } } });
    app.always({ hub: 'schedule', event: 'connect' }, { status: 503, body: 'busy' });
    app.queue({ hub: 'limited', event: 'connect' }, { status: 429, body: 'slower' });
    app.queue({ hub: 'soon', event: 'connect' }, { status: 408 }, { status: 500 }, answer({ userId: 'late' }));
    const patient = within(30000, '503', new Promise((resolve) => {
      s.raw().then(async (raw) => {
        const { RawSocket } = await import('./lib/rawsocket.mjs');
        await raw.write(RawSocket.request({ path: '/client/hubs/schedule', host: `127.0.0.1:${s.port}` }));
        resolve(await raw.answer({ ms: 25000 }));
      });
    }));
    assert.equal(await s.status({ hub: 'limited' }), 429);
    assert.equal((await s.json({ hub: 'soon', token: null })).connected.userId, 'late');
    assert.equal((await patient).status, 503);
    for (const [hub, gaps] of [['schedule', [900, 2900, 4900]], ['soon', [900, 2900]], ['limited', []]]) {
      const list = app.seen({ hub, event: 'connect' });
      assert.equal(list.length, gaps.length + 1, hub);
      gaps.forEach((gap, i) => assert.ok(list[i + 1].at - list[i].at >= gap, `${hub}: ${list[i + 1].at - list[i].at} ms`));
      assert.equal(new Set(list.map((r) => `${r.request} ${r.id} ${r.conn} ${r.text}`)).size, 1);
    }
  });

  check('S-31 event_retry_delays: other ones, or none', async (t) => {
    const s = await hookServerIn(t, {
      webhook: { ...HASTY, event_retry_delays: ['50ms', '60ms'] },
      hubs: { '*': { anonymous: 'allow', event_handlers: [app.all()] }, never: { anonymous: 'allow', event_handlers: [app.all({ event_retry_delays: [] })] } },
    });
    for (const [hub, n] of [['twice', 3], ['never', 1]]) {
      app.always({ hub, event: 'connect' }, { status: 502 });
      assert.equal(await s.status({ hub }), 502);
      assert.equal(app.seen({ hub, event: 'connect' }).length, n);
    }
  });
});
