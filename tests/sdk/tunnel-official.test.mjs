// SPDX-License-Identifier: Apache-2.0
// The application's end of a tunnel as the official packages have it: the
// connection alone, and the proxy in the process with the official middleware
// and all that it sends back.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { check, suite } from './lib/cases.mjs';
import { AzureKeyCredential, InprocessServerProxy, TunnelConnection } from './lib/deps.mjs';
import { officialClient } from './lib/official.mjs';
import { until } from './lib/time.mjs';
import { PRIMARY, STRANGER } from './lib/token.mjs';
import { Tunnel, tunnelServer, tunnelServerIn } from './lib/tunnel.mjs';
import { JSON_V1 } from './lib/wsclient.mjs';

const require = createRequire(process.env.SDK_MODULES
  ? `${process.env.SDK_MODULES}/anchor.cjs` : import.meta.url);
const { WebPubSubEventHandler } = require('@azure/web-pubsub-express');

const plugins = { 'http-rest': {} };
const server = tunnelServer({ plugins });
let number = 0;
const fresh = () => `o${++number}`;
const bytes = (text) => new Uint8Array(Buffer.from(text));

async function connected(hub, handler, { s = server, key = PRIMARY } = {}) {
  const connection = new TunnelConnection(s.origin, new AzureKeyCredential(key), hub, handler);
  await connection.runAsync();
  return connection;
}

suite('TunnelConnection', () => {
  check('S-116 its start resolves, and ends what it began', async () => {
    const connection = await connected(fresh(), undefined);
    const [client] = connection.clients.values();
    assert.ok(client.currentConnectionId);
    connection.stop();
    await connection.lifetimeTcs.promise;
  });

  check('S-122 a key that is not ours: its start fails', async () => {
    await assert.rejects(connected(fresh(), undefined, { key: STRANGER }));
  });

  check('S-17 connect, events, connected and disconnected', async (x) => {
    const hub = fresh();
    const seen = [];
    const connection = await connected(hub, async (request) => {
      const event = new URL(request.Url).pathname.split('/').at(-1);
      seen.push({ event, request });
      if (event === 'connect') return { StatusCode: 200, Headers: { 'Content-Type': ['application/json'], 'ce-connectionState': ['eyJrIjoxfQ=='] }, Content: bytes('{"userId":"official"}') };
      if (event === 'greet') return { StatusCode: 200, Headers: { 'content-type': ['text/plain'] }, Content: bytes(`hello ${Buffer.from(request.Content)}`) };
      return { StatusCode: 200, Headers: {}, Content: bytes('') };
    });
    x.after(() => connection.stop());
    const c = await server.json({ hub, user: 'alice' });
    assert.equal(c.connected.userId, 'official');
    await c.did({
      type: 'event', event: 'greet', dataType: 'text', data: 'you',
    });
    assert.equal((await c.type('message')).data, 'hello you');
    await c.close(1000);
    await until(5000, 'all four', () => seen.length === 4);
    assert.deepEqual(seen.map((r) => r.event), ['connect', 'connected', 'greet', 'disconnected']);
    assert.deepEqual(seen[2].request.Headers['ce-connectionState'], ['eyJrIjoxfQ==']);
    assert.deepEqual(seen.map((r) => r.request.AckId), [1, 2, 3, 4]);
  });

  check('S-118 refused with 401; S-120 a handler that fails is a timeout', async (x) => {
    const s = await tunnelServerIn(x, { tunnel: { timeout: '3s' } });
    const connection = await connected('chat', async (request) => {
      if (request.Url.endsWith('fails')) throw new Error('fails');
      if (request.Url.endsWith('connect') && Buffer.from(request.Content).includes('mallory')) return { StatusCode: 401, Headers: {}, Content: bytes('not you') };
      return { StatusCode: 204, Headers: {}, Content: bytes('') };
    }, { s });
    x.after(() => connection.stop());
    const refused = await s.refused({ user: 'mallory', protocols: JSON_V1 });
    assert.equal(refused.status, 401);
    assert.equal(refused.body, 'not you');
    const c = await s.json({ user: 'alice' });
    assert.equal((await c.ask({ type: 'event', event: 'fails', data: 1 })).success, false);
  });

  check('S-120 it comes back by itself after a cut', async (x) => {
    const s = await tunnelServerIn(x);
    const connection = await connected('chat', async () => ({ StatusCode: 204, Headers: {}, Content: bytes('') }), { s });
    x.after(() => connection.stop());
    const [client] = connection.clients.values();
    const before = client.currentConnectionId;
    client._client._wsClient.close(3000, 'cut');
    await until(15000, 'another connection', () => client.currentConnectionId && client.currentConnectionId !== before);
    await s.json({ user: 'alice' });
  });
});

/** A proxy in this process with the official middleware. */
async function proxied(x, options, { s = server, hub = fresh() } = {}) {
  const middleware = new WebPubSubEventHandler(hub, { path: '/eventhandler/', ...options }).getMiddleware();
  const proxy = InprocessServerProxy.fromConnectionString(`Endpoint=${s.origin};AccessKey=${PRIMARY};Version=1.0;`, hub, middleware);
  await proxy.runAsync();
  x.after(() => proxy.stop());
  return { proxy, hub };
}

suite('InprocessServerProxy', () => {
  check('S-17 S-123 web-pubsub-express behind it', async (x) => {
    const calls = [];
    const { hub } = await proxied(x, {
      handleConnect: (request, response) => {
        calls.push('connect');
        if (request.claims.sub?.[0] === 'mallory') { response.fail(401, 'not you'); return; }
        response.setState('room', request.queries.room?.[0]);
        response.success({ userId: `${request.claims.sub[0]}!`, groups: ['all'] });
      },
      handleUserEvent: (request, response) => {
        calls.push(request.context.eventName);
        if (request.context.eventName === 'fails') response.fail(400, 'no');
        else response.success(`room ${request.context.states.room}: ${request.data}`, 'text');
      },
      onConnected: () => { calls.push('connected'); },
      onDisconnected: (request) => { calls.push(`disconnected ${request.reason}`); },
    });
    const c = await server.json({ hub, user: 'alice', query: { room: '7' } });
    assert.equal(c.connected.userId, 'alice!');
    await c.did({
      type: 'event', event: 'say', dataType: 'text', data: 'hi',
    });
    assert.equal((await c.type('message')).data, 'room 7: hi');
    assert.equal((await c.ask({ type: 'event', event: 'fails', data: 1 })).success, false);
    const refused = await server.refused({ hub, user: 'mallory', protocols: JSON_V1 });
    assert.equal(refused.status, 401);
    assert.equal(refused.body, 'not you');
    await c.close(1000, 'bye');
    await until(5000, 'the end', () => calls.includes('disconnected bye'));
  });

  check('S-121 S-124 all that it sends: connection, all, group, groups by filter, invoke', async (x) => {
    const { proxy, hub } = await proxied(x, {});
    const a = await server.json({ hub, user: 'a' });
    const b = await server.json({ hub, user: 'b' });
    const data = async (c) => (await c.type('message')).data;
    await proxy.sendToConnection(a.connectionId, 'to a');
    assert.equal(await data(a), 'to a');
    await proxy.sendToAll('to all');
    assert.deepEqual([await data(a), await data(b)], ['to all', 'to all']);
    await proxy.sendToAll('to b', { filter: "userId eq 'b'" });
    assert.equal(await data(b), 'to b');
    await proxy.addConnectionsToGroups(['g1', 'g2'], `connectionId eq '${a.connectionId}'`);
    await proxy.group('g1').sendToAll('to g1');
    assert.equal(await data(a), 'to g1');
    await proxy.group('g2').removeConnection(a.connectionId);
    await proxy.group('g2').sendToAll('to nobody');
    await proxy.removeConnectionsFromGroups(['g1'], `connectionId eq '${a.connectionId}'`);
    await proxy.group('g1').sendToAll('to nobody');
    assert.deepEqual((await a.fence()).map((m) => m.json), []);
    assert.deepEqual((await b.fence()).map((m) => m.json), []);
    const ended = await new Promise((done, fail) => {
      proxy.invoke('43["x"]', (chunk, end) => { if (end) done(true); }).catch(fail);
    });
    assert.equal(ended, true);
  });

  check('S-121 what it sends to one group comes in order', async (x) => {
    const { proxy, hub } = await proxied(x, {});
    const c = await server.json({ hub, groups: ['g'] });
    await Promise.all(Array.from({ length: 100 }, (_, i) => proxy.group('g').sendToAll(String(i))));
    const seen = [];
    while (seen.length < 100) seen.push((await c.type('message')).data);
    assert.deepEqual(seen, seen.map((_, i) => String(i)));
  });

  check('the official client on the other side', async (x) => {
    const { hub } = await proxied(x, { handleUserEvent: (request, response) => response.success(`Hey ${request.data}`, request.dataType) });
    const client = officialClient({ s: server, hub });
    x.after(() => client.c.stop());
    await client.c.start();
    await client.c.sendEvent('say', 'you', 'text');
    await until(5000, 'the answer', () => client.seen.server.length === 1);
    assert.equal(client.seen.server[0].message.data, 'Hey you');
    const result = await client.c.invokeEvent('say', 'again', 'text');
    assert.equal(result.data, 'Hey again');
  });

  check('several of them on one hub, beside one by hand', async (x) => {
    const hub = fresh();
    const calls = [0, 0];
    for (const i of [0, 1]) await proxied(x, { handleUserEvent: (request, response) => { calls[i] += 1; response.success(); } }, { hub });
    const mine = (await Tunnel.open(server, { hub })).serve();
    const clients = await Promise.all([1, 2, 3, 4, 5, 6].map(() => server.json({ hub })));
    for (const c of clients) await c.did({ type: 'event', event: 'e', data: 1 });
    assert.deepEqual([...calls, mine.seen.filter((r) => r.event === 'e').length], [2, 2, 2]);
  });
});
