// SPDX-License-Identifier: Apache-2.0
// An application written with @azure/web-pubsub-express and @azure/web-pubsub,
// changed in nothing but its connection string, and the official client.
import assert from 'node:assert/strict';
import { check, suite } from './lib/cases.mjs';
import { WebPubSubJsonProtocol, WebPubSubJsonReliableProtocol, WebPubSubServiceClient } from './lib/deps.mjs';
import { Application } from './lib/handler-express.mjs';
import { HASTY, hookServer, hookServerIn } from './lib/handler.mjs';
import { officialClient } from './lib/official.mjs';
import { until } from './lib/time.mjs';
import { PRIMARY } from './lib/token.mjs';
import { JSON_V1 } from './lib/wsclient.mjs';

let service; // of the hub "greeted", once the server is there
const plain = {
  handleUserEvent: (request, response) => response.success(`Hey ${request.data}`, request.dataType),
};
/** What an application does with data of each type. */
function answer(request, response) {
  const { eventName } = request.context;
  if (eventName === 'fails') return response.fail(400, 'not that');
  if (eventName === 'breaks') return response.fail(500);
  if (eventName === 'quiet') return response.success();
  if (eventName === 'count') {
    const count = (request.context.states.count ?? 0) + 1;
    response.setState('count', count);
    return response.success(JSON.stringify({ count, room: request.context.states.room }), 'json');
  }
  switch (request.dataType) {
    case 'text': return response.success(`you said ${request.data}`, 'text');
    case 'json': return response.success(JSON.stringify({ you: request.data }), 'json');
    default: return response.success(Buffer.from(request.data).reverse(), 'binary');
  }
}
const app = await Application.start({
  chat: {
    path: '/custom/Path/',
    handleConnect: (request, response) => {
      const user = request.claims?.sub?.[0];
      if (user === 'mallory') return response.fail(401, 'not you');
      if (request.queries?.code?.[0] === 'unheard') return response.fail(400);
      if (request.queries?.code?.[0] === 'broken') return response.fail(500, 'inner details');
      response.setState('room', request.queries?.room?.[0] ?? 'lobby');
      return response.success({
        userId: `${user}!`, groups: [`all-${user}`], roles: ['webpubsub.sendToGroup', 'webpubsub.joinLeaveGroup'],
        subprotocol: request.subprotocols?.[0],
      });
    },
    onConnected: () => {},
    onDisconnected: () => {},
    handleUserEvent: answer,
  },
  bare: {}, plain,
  open: { ...plain, allowedEndpoints: ['https://other.example.com', 'https://PUBSUB.example.com'] },
  shut: { ...plain, allowedEndpoints: ['https://other.example.com'] },
  greeted: {
    handleConnect: (request, response) => response.success({ groups: ['all'], userId: request.claims.sub[0] }),
    onConnected: async (request) => {
      const { connectionId, userId } = request.context;
      await service.sendToConnection(connectionId, `welcome ${userId}`, { contentType: 'text/plain' });
      await service.group('regulars').addConnection(connectionId);
    },
    onDisconnected: (request) => service.group('all').sendToAll({ left: request.context.userId }),
    handleUserEvent: async (request, response) => {
      await service.group('regulars').sendToAll({ from: request.context.userId, text: request.data });
      response.success();
    },
  },
});
const hub = (name, more) => ({ anonymous: 'deny', event_handlers: [app.entry(name, more)] });
const server = hookServer({
  endpoints: ['https://pubsub.example.com'],
  plugins: { 'subprotocol-json': { session_retain: '300ms' } },
  webhook: { ...HASTY, timeout: '20s' },
  hubs: Object.fromEntries(['chat', 'bare', 'plain', 'open', 'shut'].map((name) => [name, hub(name)])),
});
const official = (options) => officialClient({ s: server, options: { autoReconnect: false, messageRetryOptions: { maxRetries: 0 } }, ...options });

suite('the official application', () => {
  for (const [kind, Protocol] of [['json', WebPubSubJsonProtocol], ['reliable', WebPubSubJsonReliableProtocol]]) {
    check(`S-18 S-115 connect, connected, events and disconnected of the official client, ${kind}`, async () => {
      const protocol = Protocol();
      const c = official({ protocol, userId: `alice-${kind}`, roles: [], groups: ['token'] });
      await c.start();
      const { connectionId, userId } = c.seen.connected[0];
      assert.equal(userId, `alice-${kind}!`);
      const [connect] = await app.wait('chat', 'handleConnect', connectionId);
      assert.deepEqual(connect.claims.sub, [`alice-${kind}`]);
      assert.deepEqual(connect.subprotocols, [protocol.name]);
      assert.deepEqual(connect.clientCertificates, []);
      assert.equal(connect.context.hub, 'chat');
      assert.equal(connect.context.origin, 'pubsub.example.com');
      assert.equal(connect.context.userId, `alice-${kind}`);
      const [connected] = await app.wait('chat', 'onConnected', connectionId);
      assert.deepEqual(connected.context.states, { room: 'lobby' });
      assert.equal(connected.context.userId, `alice-${kind}!`);

      await c.c.joinGroup(`x-${kind}`); // with a role of the answer
      await c.c.sendToGroup(`x-${kind}`, 'hello', 'text');
      await c.c.sendToGroup(`all-alice-${kind}`, 'all of you', 'text'); // in a group of the answer
      await c.c.sendToGroup('token', 'replaced by it', 'text');
      await c.group(2);
      assert.deepEqual(c.seen.group.map((e) => e.message.group), [`x-${kind}`, `all-alice-${kind}`]);

      const send = async (name, data, type) => {
        const n = c.seen.server.length;
        await c.c.sendEvent(name, data, type);
        await c.wait('answer', () => c.seen.server.length > n);
        return c.seen.server[n].message;
      };
      const text = await send('message', 'grüße', 'text');
      assert.deepEqual([text.dataType, text.data], ['text', 'you said grüße']);
      const json = await send('order', { id: [1, 'ü'] }, 'json');
      assert.deepEqual([json.dataType, json.data], ['json', { you: { id: [1, 'ü'] } }]);
      const binary = await send('bytes', new Uint8Array([1, 2, 255]).buffer, 'binary');
      assert.deepEqual([binary.dataType, [...new Uint8Array(binary.data)]], ['binary', [255, 2, 1]]);
      assert.deepEqual((await send('count', 1, 'json')).data, { count: 1, room: 'lobby' });
      assert.deepEqual((await send('count', 1, 'json')).data, { count: 2, room: 'lobby' });

      await c.c.sendEvent('quiet', 'x', 'text');
      for (const name of ['fails', 'breaks']) {
        await assert.rejects(c.c.sendEvent(name, 'x', 'text'), (e) => e.errorDetail?.name === 'InternalServerError');
      }
      await c.c.joinGroup('still-there');
      assert.equal(c.seen.server.length, 5);
      c.c.stop();
      const [gone] = await app.wait('chat', 'onDisconnected', connectionId);
      assert.deepEqual(gone.context.states, { room: 'lobby', count: 2 });
      assert.equal(typeof gone.reason, 'string');
      assert.deepEqual(app.seen('chat', undefined, connectionId).map((r) => r.context.eventName),
        ['connect', 'connected', 'message', 'order', 'bytes', 'count', 'count', 'quiet', 'fails', 'breaks', 'disconnected']);
    });
  }

  check('S-18 the same for simple clients', async () => {
    const c = await server.simple({ user: 'sam', roles: [], query: { room: '7' } });
    assert.equal(c.protocol, '');
    c.send('hi');
    assert.equal(await c.text(), 'you said hi');
    c.send(Buffer.from([1, 2, 3]));
    assert.deepEqual((await c.next()).binary, Buffer.from([3, 2, 1]));
    const [first] = app.seen('chat', 'handleUserEvent').filter((r) => r.context.userId === 'sam!');
    assert.deepEqual(first.context.states, { room: '7' });
    const { connectionId } = first.context;
    await c.close(1000, 'enough');
    const [gone] = await app.wait('chat', 'onDisconnected', connectionId);
    assert.equal(gone.reason, 'enough');
  });

  check('S-30 fail() refuses the client with its status and words', async () => {
    const refusal = await server.refused({ user: 'mallory', protocols: JSON_V1 });
    assert.deepEqual([refusal.status, refusal.body], [401, 'not you']);
    assert.equal((await server.refused({ user: 'u', query: { code: 'unheard' } })).status, 400);
    const broken = await server.refused({ user: 'u', query: { code: 'broken' } });
    assert.deepEqual([broken.status, broken.body], [500, '']);
    await assert.rejects(official({ userId: 'mallory' }).start());
    assert.deepEqual(app.seen('chat', 'onConnected').filter((r) => /mallory|^u!/.test(r.context.userId)), []);
  });

  check('S-22 S-49 an application without handlers takes everything and says nothing', async () => {
    const c = await server.json({ hub: 'bare', user: 'u', groups: ['g'] });
    assert.equal(c.connected.userId, 'u');
    await c.did({ type: 'event', event: 'e', data: 1 });
    await c.publish('g', 1);
    assert.deepEqual((await c.fence()).map((m) => m.json.data), [1]);
    await c.close(1000);
  });

  check('S-47 what the documentation begins with: "Hey" and the data', async () => {
    const c = await server.simple({ hub: 'plain' });
    c.send('you');
    assert.equal(await c.text(), 'Hey you');
    const j = await server.json({ hub: 'plain' });
    await j.did({ type: 'event', event: 'e', dataType: 'text', data: 'you' });
    assert.equal((await j.type('message')).data, 'Hey you');
  });

  check('S-59 allowedEndpoints: ours among them lets us in, others do not', async () => {
    const c = await server.simple({ hub: 'open' });
    c.send('you');
    assert.equal(await c.text(), 'Hey you');
    assert.equal(await server.status({ hub: 'shut' }), 500);
  });

  check('S-16 S-58 the middleware\'s usual path, with and without {event} behind it', async () => {
    await server.json({ hub: 'bare' });
    assert.ok(app.requests.some((r) => r.method === 'OPTIONS' && r.url === '/api/webpubsub/hubs/bare/'));
    assert.ok(app.requests.some((r) => r.method === 'OPTIONS' && r.url === '/custom/path/'));
  });
});

suite('the whole chain', () => {
  check('S-115 greeted on connected, added to a group, told of others, through REST', async (t) => {
    const s = await hookServerIn(t, { plugins: { 'http-rest': {}, 'subprotocol-json': { session_retain: '300ms' } }, hubs: { greeted: hub('greeted') } });
    service = new WebPubSubServiceClient(`Endpoint=${s.origin};AccessKey=${PRIMARY};Version=1.0;`, 'greeted', { allowInsecureConnection: true });
    const alice = official({ s, hub: 'greeted', userId: 'alice', roles: [] });
    await alice.start();
    await alice.wait('welcome', () => alice.seen.server.length);
    assert.equal(alice.seen.server[0].message.data, 'welcome alice');
    const bob = official({ s, hub: 'greeted', userId: 'bob', roles: [], protocol: WebPubSubJsonProtocol() });
    await bob.start();
    await bob.wait('welcome', () => bob.seen.server.length);
    // Both are in when a message of each reaches both.
    await until(5000, 'both hear it', async () => {
      await bob.c.sendEvent('say', 'hi', 'text');
      return alice.seen.group.some((e) => e.message.data.text === 'hi') && bob.seen.group.some((e) => e.message.data.text === 'hi');
    });
    assert.equal(alice.seen.group.find((e) => e.message.data.text === 'hi').message.data.from, 'bob');
    bob.c.stop();
    await alice.wait('told that bob left', () => alice.seen.group.some((e) => e.message.data.left === 'bob'));
    alice.c.stop();
    await app.wait('greeted', 'onDisconnected', undefined, 2);
  });
});
