// SPDX-License-Identifier: Apache-2.0
// Application servers at /server (doc/server-protocol.md): the handshake, all
// commands in both forms, subscriptions, and the conversation of the document.
import assert from 'node:assert/strict';
import {
  mkdtempSync, readFileSync, rmSync, writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  AppServer, ROLES, appServer, appServerIn, serverStatus, serverUrl,
} from './lib/appserver.mjs';
import { check, suite } from './lib/cases.mjs';
import { SOURCE, Server, configuration } from './lib/server.mjs';
import { until } from './lib/time.mjs';
import { SECONDARY, STRANGER, now, sign } from './lib/token.mjs';
import { Client } from './lib/wsclient.mjs';

const hubs = { '*': { anonymous: 'deny', event_handlers: [{ url: 'server:///' }] } };
const server = appServer({ hubs, app: { timeout: '2s' } });
let number = 0;
const fresh = () => `s${++number}`;
const open = (hub, options) => AppServer.open(server, { hub, ...options });
const text = (data) => ({ payload: { dataType: 'text', data } });

suite('the handshake', () => {
  check('the first message names the connection, the hub and the roles', async () => {
    const a = await open('MiXed', { aud: `${server.wsOrigin}/server?hub=mixed`, roles: ['manager.g', 'publisher', 'other', 'publisherx', 'manager.'] });
    assert.deepEqual(a.hello, {
      type: 'connected', connectionId: a.id, hub: 'mixed', roles: ['manager.g', 'publisher'],
    });
    assert.match(a.id, /^\S+$/);
    const b = await open('mixed', { roles: null });
    assert.deepEqual(b.hello.roles, []);
    assert.notEqual(a.id, b.id);
    assert.deepEqual((await open('mixed', { roles: 'manager' })).hello.roles, ['manager']);
  });

  check('tokens: in the query or the header, of either key, of this audience', async () => {
    const status = (options) => serverStatus(server, { hub: 'a', ...options });
    assert.equal(await status(), 101);
    assert.equal(await status({ key: SECONDARY }), 101);
    for (const scheme of ['ws', 'wss', 'http', 'https']) assert.equal(await status({ aud: `${scheme}://127.0.0.1:${server.port}/server?hub=a` }), 101);
    const token = sign({ aud: `${server.wsOrigin}/server?hub=a`, exp: now() + 60 });
    assert.equal(await status({ token: null, authorization: `Bearer ${token}` }), 101);
    assert.equal(await status({ token: null }), 401);
    assert.equal(await status({ key: STRANGER }), 401);
    assert.equal(await status({ claims: { exp: now() - 600 } }), 401);
    assert.equal(await status({ aud: `${server.wsOrigin}/server?hub=b` }), 401);
    assert.equal(await status({ aud: `${server.wsOrigin}/server/tunnel?hub=a` }), 401);
    assert.equal(await status({ aud: `${server.wsOrigin}/server` }), 401);
    assert.equal(await status({ aud: `${server.wsOrigin}/client/hubs/a` }), 401);
    assert.equal(await status({ url: server.url({ hub: 'a' }).replace('/client/hubs/a?', '/server?hub=a&') }), 401, 'of a client');
  });

  check('subprotocols: json, protobuf, none; 400 for others; no hub: 400', async () => {
    const url = serverUrl(server, { hub: 'a' });
    const chosen = async (protocols) => {
      const c = await Client.open(url, { protocols });
      const first = await c.next();
      await c.drop();
      return [c.protocol, first.json !== undefined];
    };
    assert.deepEqual(await chosen('json'), ['json', true]);
    assert.deepEqual(await chosen(['x', 'json']), ['json', true]);
    assert.deepEqual(await chosen(undefined), ['', true]);
    assert.deepEqual(await chosen(['protobuf', 'json']), ['protobuf', false]);
    assert.equal(await serverStatus(server, { hub: 'a', protocols: 'json.webpubsub.azure.v1' }), 400);
    for (const hub of ['1a', 'a b']) assert.equal(await serverStatus(server, { hub }), 400);
    assert.ok([400, 401].includes(await serverStatus(server, { hub: null })));
    const token = sign({ aud: `${server.wsOrigin}/server?hub=a`, exp: now() + 60 });
    const plain = await server.http('/server?hub=a', { headers: { Authorization: `Bearer ${token}` } });
    assert.ok([400, 426].includes(plain.status), String(plain.status));
  });

  check('no more than max_connections', async (t) => {
    const s = await appServerIn(t, { app: { max_connections: 2 } });
    const first = await AppServer.open(s, {});
    await AppServer.open(s, { hub: 'other' });
    assert.equal(await serverStatus(s), 429);
    await first.close();
    await until(5000, 'room', async () => (await serverStatus(s)) === 101);
  });

  check('what cannot be read: 1007, of the other kind: 1003, too long: 1009', async () => {
    const code = async (message, encoding = 'json') => {
      const c = await Client.open(serverUrl(server, { hub: 'a' }), { protocols: encoding });
      c.send(message);
      return (await c.end()).code;
    };
    for (const bad of ['', '{', '[]', '1', '{"type":1}', '{"ackId":"1","type":"count"}', '{"type":"count","ackId":-1}', '{"type":"count","ackId":2147483648}', '{"type":"sendToAll","ackId":1,"payload":1}', '{"type":"publish","groupName":1}', '{"type":"nothing"}', '{}', '{"type":"handleEvents","userEvents":[1]}']) assert.equal(await code(bad), 1007, bad);
    assert.equal(await code(Buffer.from([1])), 1003);
    assert.equal(await code('{}', 'protobuf'), 1003);
    for (const bad of [[0xaa], [0xaa, 6, 9], [0xaa, 6, 2, 8, 0xff], []]) assert.equal(await code(Buffer.from(bad), 'protobuf'), 1007, String(bad));
    assert.equal(await code(`{"type":"x","a":"${'x'.repeat(4 << 20)}"}`), 1009);
  });
});

for (const encoding of ['json', 'protobuf']) {
  suite(`commands, ${encoding}`, () => {
    const start = async (options) => {
      const hub = fresh();
      const app = await open(hub, { encoding, ...options });
      return { hub, app, id: () => fresh() };
    };
    const nobody = { connectionId: 'nobody' };

    check('send to a connection, a user, a group, all', async () => {
      const { hub, app } = await start();
      const a = await server.json({ hub, user: 'alice' });
      const b = await server.json({ hub, user: 'bob' });
      await a.join('g');
      const any = Buffer.from([0x0a, 3, 0x61, 0x2e, 0x62]).toString('base64');
      await app.did({ type: 'sendToClient', connectionId: a.connectionId, ...text('one') });
      await app.did({ type: 'sendToUser', userId: 'bob', payload: { dataType: 'json', data: { a: [1, null] } } });
      await app.did({ type: 'publish', groupName: 'g', payload: { dataType: 'binary', data: 'AP8=' } });
      await app.did({ type: 'sendToAll', payload: { dataType: 'protobuf', data: any }, excluded: [b.connectionId] });
      await app.did({ type: 'sendToAll', ...text('x'), filter: "userId eq 'bob'" });
      await app.did({ type: 'publish', groupName: 'g', ...text('no'), excluded: [a.connectionId] });
      await app.did({ type: 'sendToClient', ...nobody, ...text('nobody') });
      await app.did({ type: 'sendToAll', ...text('') });
      const of = async (c) => (await c.fence()).map(({ json: m }) => [m.from, m.group, m.dataType, m.data].filter((x) => x !== undefined));
      assert.deepEqual(await of(a), [['server', 'text', 'one'], ['group', 'g', 'binary', 'AP8='], ['server', 'protobuf', any], ['server', 'text', '']]);
      assert.deepEqual(await of(b), [['server', 'json', { a: [1, null] }], ['server', 'text', 'x'], ['server', 'text', '']]);
    });

    check('a message of a server to a group has no fromUserId', async () => {
      const { hub, app } = await start();
      const c = await server.json({ hub });
      await c.join('g');
      for (const noEcho of [false, true]) {
        await app.did({ type: 'publish', groupName: 'g', ...text('x'), noEcho });
        assert.deepEqual(await c.type('message'), {
          type: 'message', from: 'group', group: 'g', dataType: 'text', data: 'x',
        });
      }
    });

    check('exists and count', async () => {
      const { hub, app } = await start();
      const c = await server.json({ hub, user: 'u' });
      await server.json({ hub, user: 'u' });
      await c.join('g');
      const count = async (command) => (await app.did({ type: 'count', ...command })).count;
      assert.equal((await app.did({ type: 'clientExists', connectionId: c.connectionId })).count, 1);
      assert.equal((await app.did({ type: 'userExists', userId: 'u' })).count, 2);
      assert.equal(await count({}), 2);
      assert.equal(await count({ target: 'hub' }), 2);
      assert.equal(await count({ target: 'group', name: 'g' }), 1);
      assert.equal(await count({ target: 'group', name: 'h' }), 0);
      assert.equal(await count({ target: 'user', name: 'u' }), 2);
      assert.equal((await app.failed({ type: 'clientExists', ...nobody }))[0], 'NotFound');
      assert.equal((await app.failed({ type: 'userExists', userId: 'v' }))[0], 'NotFound');
      assert.equal((await app.failed({ type: 'count', target: 'group' }))[0], 'BadRequest');
    });

    check('groups: add, remove, contains, for connections and users', async () => {
      const { hub, app } = await start();
      const c = await server.json({ hub, user: "o'hara" });
      const d = await server.json({ hub, user: "o'hara" });
      const member = (groupName = "it's") => app.ask({ type: 'groupContainsClient', connectionId: c.connectionId, groupName });
      const user = (groupName = "it's") => app.ask({ type: 'groupContainsUser', userId: "o'hara", groupName });
      const of = async () => [await member(), await user()].map((a) => a.error ?? a.result);
      assert.deepEqual(await of(), ['NotFound', 'NotFound']);
      assert.equal((await app.did({ type: 'addClientToGroup', connectionId: c.connectionId, groupName: "it's" })).count, 1);
      assert.deepEqual(await of(), ['success', 'success']);
      await app.publish("it's", 'x');
      assert.equal((await c.type('message')).data, 'x');
      await app.did({ type: 'removeClientFromGroup', connectionId: c.connectionId, groupName: "it's" });
      assert.deepEqual(await of(), ['NotFound', 'NotFound']);
      assert.equal((await app.did({ type: 'addUserToGroup', userId: "o'hara", groupName: "it's" })).count, 2);
      assert.deepEqual(await of(), ['success', 'success']);
      await app.publish("it's", 'y');
      assert.equal((await d.type('message')).data, 'y');
      await app.did({ type: 'removeUserFromGroup', userId: "o'hara", groupName: "it's" });
      assert.deepEqual(await of(), ['NotFound', 'NotFound']);
      await app.did({ type: 'removeClientFromGroup', ...nobody, groupName: 'g' });
      assert.equal((await app.failed({ type: 'addClientToGroup', ...nobody, groupName: 'g' }))[0], 'NotFound');
      assert.equal((await app.failed({ type: 'addUserToGroup', userId: 'v', groupName: 'g' }))[0], 'NotFound');
    });

    check('grant and revoke', async () => {
      const { hub, app } = await start();
      const c = await server.json({ hub, roles: [] });
      const { connectionId } = c;
      const may = async (type, group) => (await c.ask({ type, group, ...(type === 'sendToGroup' ? { data: 1 } : {}) })).success;
      assert.equal(await may('joinGroup', 'g'), false);
      await app.did({ type: 'grant', connectionId, permission: 'joinLeaveGroup', groupName: 'g' });
      assert.deepEqual([await may('joinGroup', 'g'), await may('joinGroup', 'h'), await may('sendToGroup', 'g')], [true, false, false]);
      await app.did({ type: 'grant', connectionId, permission: 'sendToGroup' });
      assert.deepEqual([await may('sendToGroup', 'g'), await may('sendToGroup', 'h')], [true, true]);
      await app.did({ type: 'revoke', connectionId, permission: 'sendToGroup' });
      await app.did({ type: 'revoke', connectionId, permission: 'joinLeaveGroup', groupName: 'g' });
      assert.deepEqual([await may('sendToGroup', 'g'), await may('leaveGroup', 'g')], [false, false]);
      for (const type of ['grant', 'revoke']) assert.equal((await app.failed({ type, ...nobody, permission: 'sendToGroup', groupName: 'g' }))[0], 'NotFound');
    });

    check('close: a connection, a user, a group, all', async () => {
      const { hub, app } = await start();
      const make = (user) => server.json({ hub, user });
      const [a, b, c, d, e] = await Promise.all(['a', 'b', 'b', 'd', 'e'].map(make));
      await d.join('g');
      await e.join('g');
      assert.equal((await app.did({ type: 'closeClient', connectionId: a.connectionId, reason: 'enough' })).count, 1);
      assert.match((await a.type('system')).message, /enough/);
      await a.end();
      assert.equal((await app.did({ type: 'closeUser', userId: 'b', excluded: [c.connectionId] })).count, 1);
      await b.end();
      assert.equal((await app.did({ type: 'closeGroup', groupName: 'g', excluded: [e.connectionId], reason: 'g' })).count, 1);
      await d.end();
      assert.equal((await app.did({ type: 'closeAll', excluded: [e.connectionId] })).count, 1);
      await c.end();
      assert.equal((await app.did({ type: 'closeAll' })).count, 1);
      await e.end();
      assert.equal((await app.did({ type: 'closeClient', ...nobody })).count, 0);
    });

    check('subscriptions: what clients, the REST API and servers publish; noEcho', async () => {
      const { hub, app } = await start();
      const other = await open(hub);
      const c = await server.json({ hub, user: 'alice' });
      await app.subscribe('g');
      await app.subscribe('g');
      await c.publish('g', { a: 1 }, { metadata: { key: 'v' } });
      await c.publish('h', 'elsewhere');
      await other.publish('g', 'of another');
      await app.publish('g', 'mine');
      await app.publish('g', 'not back', { noEcho: true });
      await app.did({ type: 'publish', groupName: 'g', ...text('filtered'), filter: "userId eq 'alice'" });
      const heard = (await app.fence()).map((m) => [m.type, m.groupName, m.fromUserId, m.payload.data, m.metadata]);
      assert.deepEqual(heard, [['message', 'g', 'alice', { a: 1 }, { key: 'v' }], ['message', 'g', undefined, 'of another', undefined], ['message', 'g', undefined, 'mine', undefined]]);
      assert.equal((await app.did({ type: 'count', target: 'group', name: 'g' })).count, 0, 'nobody counts it');
      await app.did({ type: 'unsubscribe', groupName: 'g' });
      await app.did({ type: 'unsubscribe', groupName: 'g' });
      await c.publish('g', 'later');
      assert.deepEqual(await app.fence(), []);
    });

    check('what is wrong with a command is said in its ack', async () => {
      const { app } = await start();
      const bad = async (command) => {
        const [error, detail] = await app.failed(command);
        assert.equal(error, 'BadRequest', JSON.stringify(command));
        return detail;
      };
      assert.match(await bad({ type: 'closeClient' }), /connectionId/);
      assert.match(await bad({ type: 'sendToUser', ...text('x') }), /userId/);
      assert.match(await bad({ type: 'subscribe' }), /groupName/);
      assert.match(await bad({ type: 'publish', groupName: 'x'.repeat(1025), ...text('x') }), /group/);
      assert.match(await bad({ type: 'sendToAll' }), /payload/);
      assert.match(await bad({ type: 'sendToAll', ...text('x'), filter: 'userId eq' }), /./);
      assert.match(await bad({ type: 'handleEvents', id: 1, systemEvents: ['nothing'] }), /systemEvents/);
      assert.match(await bad({ type: 'handleEvents', id: 1, userEvents: ['*'], filter: '(' }), /./);
      assert.match(await bad({ type: 'sendToAll', payload: { dataType: 'protobuf', data: Buffer.from('no any').toString('base64') } }), /Any/);
      assert.match(await bad({ type: 'sendToAll', ...text('x'.repeat((1 << 20) + 1)) }), /message_size/);
      await app.fence();
    });

    check('without an ackId there is no ack', async () => {
      const { hub, app } = await start();
      const c = await server.json({ hub });
      app.send({ type: 'sendToAll', ...text('x') });
      app.send({ type: 'closeClient' });
      app.send({ type: 'sendToAll', ackId: 0, ...text('y') });
      assert.deepEqual(await app.fence(), []);
      assert.deepEqual([(await c.type('message')).data, (await c.type('message')).data], ['x', 'y']);
    });

    check('commands are done in their order, many at once', async () => {
      const { hub, app } = await start();
      const c = await server.json({ hub });
      const { connectionId } = c;
      const N = 1000;
      for (let i = 0; i < N; i++) {
        app.send({ type: 'addClientToGroup', ackId: 3 * i + 1, connectionId, groupName: 'g' });
        app.send({ type: 'publish', ackId: 3 * i + 2, groupName: 'g', ...text(String(i)) });
        app.send({ type: 'removeClientFromGroup', ackId: 3 * i + 3, connectionId, groupName: 'g' });
      }
      app.ackId = 3 * N;
      for (let i = 0; i < N; i++) assert.equal((await c.type('message', { ms: 20000 })).data, String(i));
      const acks = (await app.fence()).map((a) => a.ackId);
      assert.equal(new Set(acks).size, 3 * N);
    });
  });
}

suite('JSON', () => {
  check('a type that is not known', async () => {
    const app = await open(fresh());
    assert.deepEqual(await app.failed({ type: 'nothing' }), ['BadRequest', 'no such type of message']);
    assert.deepEqual((await app.failed({ type: 'Count' }))[0], 'BadRequest', 'names are of one case');
    await app.did({ type: 'count', unknown: { a: [1] }, target: null });
    app.send('{"type":"x","type":"count","ackId":77}');
    app.client.send('{"type":"x","type":"count","ackId":78}');
  });

  check('a payload without a dataType is JSON', async () => {
    const hub = fresh();
    const app = await open(hub);
    const c = await server.json({ hub });
    await app.did({ type: 'sendToAll', payload: { data: ['x'] } });
    assert.deepEqual((await c.type('message')).data, ['x']);
    assert.equal((await app.failed({ type: 'sendToAll', payload: {} }))[0], 'BadRequest');
    assert.equal((await app.failed({ type: 'sendToAll', payload: { dataType: 'xml', data: '' } }))[0], 'BadRequest');
    assert.equal((await app.failed({ type: 'sendToAll', payload: { dataType: 'binary', data: '***' } }))[0], 'BadRequest');
  });

  check('a hub that is not configured: nothing comes, subscribe fails', async (t) => {
    const s = await appServerIn(t, { hubs: { chat: { event_handlers: [{ url: 'server:///' }] } } });
    const app = await AppServer.open(s, { hub: 'elsewhere' });
    assert.equal((await app.failed({ type: 'subscribe', groupName: 'g' }))[0], 'NotFound');
    assert.equal((await app.did({ type: 'count' })).count, 0);
    await app.handle({ userEvents: ['*'] });
  });

  check('hubs are apart, and their names have no case', async (t) => {
    const s = await appServerIn(t, { workers: 2 });
    const app = await AppServer.open(s, { hub: 'One' });
    const roles = ['webpubsub.joinLeaveGroup', 'webpubsub.sendToGroup'];
    const [here, there] = await Promise.all(['oNE', 'two'].map((hub) => s.json({ hub, user: hub, roles })));
    const { connectionId } = there;
    for (const c of [here, there]) await c.join('g');
    assert.equal((await app.did({ type: 'count' })).count, 1);
    for (const command of [{ type: 'clientExists' }, { type: 'addClientToGroup', groupName: 'x' }, { type: 'groupContainsClient', groupName: 'g' }, { type: 'grant', permission: 'sendToGroup' }]) {
      assert.equal((await app.failed({ connectionId, ...command }))[0], 'NotFound');
    }
    assert.equal((await app.failed({ type: 'userExists', userId: 'two' }))[0], 'NotFound');
    assert.equal((await app.did({ type: 'closeClient', connectionId })).count, 0);
    assert.equal((await app.did({ type: 'closeUser', userId: 'two' })).count, 0);
    const payload = { data: 'not for it' };
    await app.did({ type: 'sendToClient', connectionId, payload });
    await app.did({ type: 'sendToUser', userId: 'two', payload });
    await app.did({ type: 'publish', groupName: 'g', payload });
    await app.did({ type: 'sendToAll', payload });
    await app.subscribe('g');
    await app.handle({ systemEvents: ['connect'], userEvents: ['*'] });
    await there.publish('g', 'theirs');
    assert.equal((await there.type('message')).data, 'theirs');
    await s.json({ hub: 'two' });
    await here.publish('g', 'ours');
    assert.deepEqual((await app.fence()).map((m) => m.payload.data), ['ours']);
  });

  check('limits: max_groups, registrations, names', async (t) => {
    const s = await appServerIn(t, { app: { max_groups: 2 } });
    const app = await AppServer.open(s);
    await app.subscribe('a');
    await app.subscribe('b');
    assert.equal((await app.failed({ type: 'subscribe', groupName: 'c' }))[0], 'LimitExceeded');
    await app.did({ type: 'unsubscribe', groupName: 'a' });
    await app.subscribe('c');
    for (let id = 0; id < 256; id++) await app.handle({ id, userEvents: ['x'] });
    assert.equal((await app.failed({ type: 'handleEvents', id: 256, userEvents: ['x'] }))[0], 'LimitExceeded');
    await app.handle({ id: 255, userEvents: ['y'] }); // in the place of the one that it had
    assert.equal((await app.failed({ type: 'handleEvents', id: 256, userEvents: ['x'] }))[0], 'LimitExceeded');
    await app.handle({ id: 7 });
    await app.handle({ id: 256, userEvents: ['x'] });
    assert.equal((await app.failed({ type: 'handleEvents', id: 1, userEvents: Array(257).fill('x') }))[0], 'LimitExceeded');
  });

  check('a short queue holds a server back, and loses nothing', async (t) => {
    const s = await appServerIn(t, { app: { queue: 1 }, workers: 4 });
    const app = await AppServer.open(s);
    const c = await s.json();
    await app.subscribe('g');
    await app.handle({ userEvents: ['*'] });
    const { connectionId } = c;
    for (let i = 0; i < 300; i++) {
      app.send({ type: 'publish', groupName: 'g', payload: { data: i }, noEcho: i % 2 === 1 });
      app.send({ type: 'grant', ackId: i + 1, connectionId, permission: 'sendToGroup', groupName: 'x' });
    }
    c.send({ type: 'event', event: 'e', data: 1, ackId: 1 });
    app.respond(await app.next('event', { ms: 10000 }));
    assert.equal((await c.type('ack', { ms: 10000 })).success, true);
    for (let i = 0; i < 300; i++) assert.equal((await app.next('ack', { ms: 10000 })).ackId, i + 1);
    app.ackId = 300;
    assert.deepEqual((await app.fence()).map((m) => m.payload.data), Array.from({ length: 150 }, (_, i) => 2 * i));
  });

  check('silence ends a connection, pings keep it', async (t) => {
    const s = await appServerIn(t, { app: { ping_interval: '50ms', silence: '3s' } });
    const quiet = await AppServer.open(s);
    const lively = await AppServer.open(s);
    quiet.client.pause();
    await s.logged((r) => r.connection === quiet.id && r.reason === 'PingTimeout');
    await lively.did({ type: 'count' });
    quiet.client.resume();
    await quiet.end();
  });

  check('a server that does not read is closed, and clients go on', async (t) => {
    const s = await appServerIn(t, { limits: { queue_bytes: '256k' } });
    const app = await AppServer.open(s);
    const c = await s.json();
    await app.subscribe('g');
    app.client.pause();
    const data = 'x'.repeat(100000);
    for (let i = 0; i < 200; i++) await c.publish('g', data, { dataType: 'text' });
    await s.logged((r) => /slow|queue/.test(JSON.stringify(r)) && r.connection === app.id);
    await c.publish('g', 'x');
    app.client.resume();
    await app.drop().catch(() => {});
  });

  check('the block of the plugin and the URL of a handler are checked', async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'webpubsubd-test-'));
    t.after(() => rmSync(folder, { recursive: true }));
    const file = join(folder, 'c.yaml');
    const run = (block, handler) => {
      writeFileSync(file, JSON.stringify(configuration({ plugins: { 'upstream-server': block }, hubs: { chat: { event_handlers: [handler] } } })), { mode: 0o600 });
      return Server.run(['-t', '-c', file]);
    };
    const faulty = async (block, handler, words) => {
      const { code, err } = await run(block, handler);
      assert.notEqual(code, 0);
      assert.match(err, words);
    };
    for (const url of ['server:///x', 'server://host/', 'server:/', 'server:']) await faulty({}, { url }, /`url`/);
    await faulty({}, { url: 'server:///', request_events: ['connect'] }, /request_events/);
    await faulty({ queue: 0 }, { url: 'server:///' }, /queue/);
    await faulty({ timeout: '1ms' }, { url: 'server:///' }, /timeout/);
    assert.deepEqual(await run({ timeout: '1s', decision_timeout: '1s', max_groups: 0 }, { url: 'server:///', user_events: '*', system_events: ['connect', 'connected', 'disconnected'], presence_events: ['joined', 'left'], request_events: ['join', 'leave', 'publish'] }).then((r) => r.code), 0);
  });
});

// The document.

const document = readFileSync(join(SOURCE, 'doc/server-protocol.md'), 'utf8');
const example = document.match(/```json\n(→[^]*?)\n```/)[1].split('\n');

/** `said` is as the document has it, where that says more than "…". */
function like(said, line) {
  const wanted = JSON.parse(line.replace(/(?<=:)…(?=[,}])/g, '"…"'));
  const same = (a, b, at) => {
    if (b === '…') { assert.ok(a !== undefined, `${line}: ${at}`); return; }
    if (b === null || typeof b !== 'object') { assert.equal(a, b, `${line}: ${at}`); return; }
    assert.deepEqual(Object.keys(a ?? {}), Object.keys(b), `${line}: ${at}`);
    for (const key of Object.keys(b)) same(a[key], b[key], `${at}.${key}`);
  };
  same(said, wanted, '');
}

suite('doc/server-protocol.md', () => {
  check('the example, line by line', async () => {
    const hub = 'chat';
    let client;
    let coming;
    const c = await Client.open(serverUrl(server, { hub, roles: ['publisher.news', 'subscriber', 'manager'] }), { protocols: 'json' });
    server.clients.add(c);
    // What the client does so that the lines that begin so come.
    const before = {
      connect: () => { coming = server.json({ hub, user: 'alice', roles: [] }); },
      join: async () => { client = await coming; client.send({ type: 'joinGroup', group: 'room1', ackId: 1 }); },
      event: async () => { await client.type('ack'); client.send({ type: 'event', event: 'order', dataType: 'json', data: { id: 1 }, ackId: 2 }); },
      message: () => client.send({ type: 'sendToGroup', group: 'room1', dataType: 'text', data: 'hi' }),
    };
    for (const line of example) {
      const rest = line.slice(2);
      if (line[0] === '←') { c.send(rest); continue; }
      await before[/^\{"type":"(\w+)"/.exec(rest)[1]]?.();
      like(await c.json(), rest);
    }
    assert.equal((await client.take((m) => m.json.from === 'server')).json.data, 'done');
    assert.equal(example.length, 18);
  });

  check('the octets', async () => {
    const { forms } = await import('./lib/appserver.mjs');
    const lines = document.match(/as octets:\n\n```\n([^]*?)\n```/)[1].split('\n');
    assert.equal(lines.length, 4);
    for (const line of lines) {
      const [, way, json, octets] = /^(.) (\{.*\}) +([0-9a-f ]+)$/.exec(line);
      const bytes = Buffer.from(octets.replaceAll(' ', ''), 'hex');
      if (way === '←') assert.deepEqual(Buffer.from(forms.protobuf.encode(JSON.parse(json))), bytes, line);
      else assert.deepEqual(forms.protobuf.decode({ binary: bytes }), JSON.parse(json), line);
    }
  });

  check('it names every key of the block', async () => {
    for (const key of ['timeout', 'decision_timeout', 'max_connections', 'max_groups', 'max_pending', 'queue', 'ping_interval', 'silence']) assert.ok(document.includes(`\`${key}\``), key);
    assert.deepEqual(ROLES, ['publisher', 'subscriber', 'manager']);
  });
});
