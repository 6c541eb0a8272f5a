// SPDX-License-Identifier: Apache-2.0
// The official JavaScript client, as applications use it: default protocol
// (reliable JSON) and plain JSON, with tokens of the official server SDK.
import assert from 'node:assert/strict';
import { check, suite } from './lib/cases.mjs';
import { control, controlled, controlledIn, hasControl } from './lib/control.mjs';
import {
  WebPubSubJsonProtocol, WebPubSubJsonReliableProtocol, WebPubSubServiceClient,
} from './lib/deps.mjs';
import { officialClient } from './lib/official.mjs';
import { Proxy } from './lib/proxy.mjs';
import { Server } from './lib/server.mjs';
import { awake, pass, until, within } from './lib/time.mjs';
import { EMULATOR_KEY, remember } from './lib/token.mjs';

const server = controlled();

async function client(t, { s = server, start = true, ...options } = {}) {
  const made = officialClient({ s, ...options });
  t.after(() => made.c.stop());
  if (start) await made.start();
  return made;
}
const kinds = {
  'default (reliable)': () => undefined,
  'reliable json': () => WebPubSubJsonReliableProtocol(),
  'plain json': () => WebPubSubJsonProtocol(),
};

for (const [kind, protocol] of Object.entries(kinds)) {
  suite(`official client, ${kind}`, () => {
    check('C-1 connects with getClientAccessToken, joins, publishes, receives', async (t) => {
      const group = `off-${kind}`;
      const a = await client(t, { protocol: protocol(), userId: 'alice' });
      const b = await client(t, { protocol: protocol(), userId: 'bob' });
      assert.equal(a.seen.connected[0].userId, 'alice');
      assert.ok(a.seen.connected[0].connectionId);
      assert.equal((await a.c.joinGroup(group)).isDuplicated, false);
      await b.c.joinGroup(group);
      await a.c.sendToGroup(group, 'hello', 'text');
      await a.c.sendToGroup(group, { a: [1, 'x'] }, 'json');
      await a.c.sendToGroup(group, new Uint8Array([1, 2, 255]).buffer, 'binary');
      for (const x of [a, b]) {
        await x.group(3);
        const m = x.seen.group.map((e) => e.message);
        assert.deepEqual([m[0].dataType, m[0].data, m[0].fromUserId, m[0].group], ['text', 'hello', 'alice', group]);
        assert.deepEqual([m[1].dataType, m[1].data], ['json', { a: [1, 'x'] }]);
        assert.equal(m[2].dataType, 'binary');
        assert.deepEqual(Buffer.from(m[2].data), Buffer.from([1, 2, 255]));
      }
      await b.c.leaveGroup(group);
      await a.c.sendToGroup(group, 'last', 'text');
      await a.group(4);
      await b.c.joinGroup(`${group}-fence`);
      assert.equal(b.seen.group.length, 3);
    });

    check('C-55 noEcho and fireAndForget', async (t) => {
      const group = `echo-${kind}`;
      const a = await client(t, { protocol: protocol() });
      const b = await client(t, { protocol: protocol() });
      await a.c.joinGroup(group);
      await b.c.joinGroup(group);
      await a.c.sendToGroup(group, 'quiet', 'text', { noEcho: true });
      await a.c.sendToGroup(group, 'fire', 'text', { fireAndForget: true });
      await b.group(2);
      await a.group(1);
      assert.deepEqual(a.seen.group.map((e) => e.message.data), ['fire']);
      assert.deepEqual(b.seen.group.map((e) => e.message.data), ['quiet', 'fire']);
    });

    check('C-66 a refused request rejects with the ack\'s error', async (t) => {
      const a = await client(t, { protocol: protocol(), roles: [], options: { messageRetryOptions: { maxRetries: 1, retryDelayInMs: 1 } } });
      await assert.rejects(a.c.joinGroup('x'), (e) => {
        assert.equal(e.name, 'SendMessageError');
        assert.equal(e.errorDetail.name, 'Forbidden');
        assert.match(e.errorDetail.message, /permission to join group 'x'/);
        return true;
      });
      await assert.rejects(a.c.sendToGroup('x', 'y', 'text'), (e) => e.errorDetail.name === 'Forbidden');
      await assert.rejects(a.c.sendEvent('order', { a: 1 }, 'json'), (e) => e.errorDetail.name === 'InternalServerError');
    });

    check('C-67 an ackId used again is a duplicate, which is a success', async (t) => {
      const a = await client(t, { protocol: protocol() });
      assert.equal((await a.c.joinGroup('dup', { ackId: 77 })).isDuplicated, false);
      assert.equal((await a.c.joinGroup('dup', { ackId: 77 })).isDuplicated, true);
    });

    check('C-54 messages from the server', { skip: !hasControl }, async (t) => {
      const a = await client(t, { protocol: protocol(), userId: `srv-${kind}` });
      await control.publish(server, 'chat', { user: `srv-${kind}` }, '{"n":1}', { type: 'json' });
      await a.wait('a server message', () => a.seen.server.length);
      assert.deepEqual(a.seen.server[0].message.data, { n: 1 });
    });

    check('C-64 the client\'s keepalive is answered', async (t) => {
      await awake(500, async () => {
        const a = await client(t, { protocol: protocol(), options: { keepAliveIntervalInMs: 200, keepAliveTimeoutInMs: 1000 } });
        await pass(3000);
        assert.equal(a.seen.disconnected.length, 0);
        await a.c.joinGroup('alive');
      });
    });

    check('C-78 stop() ends without reconnecting', async (t) => {
      const a = await client(t, { protocol: protocol() });
      a.c.stop();
      await a.wait('stopped', () => a.seen.stopped.length);
      assert.equal(a.seen.connected.length, 1);
    });

    check('C-8 a wrong token makes start() fail', async (t) => {
      const a = await client(t, { protocol: protocol(), start: false, key: 'x'.repeat(40) });
      await assert.rejects(a.c.start());
    });
  });
}

suite('official client, reconnecting', () => {
  check('C-113 survives a cut cable without a new connection, missing nothing', async (t) => {
    const proxy = await Proxy.start(server.port);
    t.after(() => proxy.stop());
    const origin = server.origin.replace(String(server.port), String(proxy.port));
    const a = await client(t, { origin });
    const publisher = await server.json();
    await a.c.joinGroup('cable');
    await publisher.publish('cable', 1);
    await a.group(1);
    const back = proxy.next();
    proxy.cut('rst');
    await publisher.publish('cable', 2);
    await back;
    await publisher.publish('cable', 3);
    await a.group(3);
    assert.deepEqual(a.seen.group.map((e) => e.message.data), [1, 2, 3]);
    assert.equal(a.seen.connected.length, 1);
    assert.equal(a.seen.disconnected.length, 0);
  });

  check('C-115 after the session is gone it connects anew and rejoins its groups', { skip: !hasControl }, async (t) => {
    const proxy = await Proxy.start(server.port);
    t.after(() => proxy.stop());
    const origin = server.origin.replace(String(server.port), String(proxy.port));
    const a = await client(t, { origin, userId: 'rejoiner' });
    await a.c.joinGroup('rejoin');
    proxy.down = true;
    proxy.cut('fin');
    await control.close(server, 'chat', { user: 'rejoiner' }, { reason: 'gone' });
    proxy.down = false;
    await a.wait('a second connection', () => a.seen.connected.length === 2, 20000);
    assert.notEqual(a.seen.connected[0].connectionId, a.seen.connected[1].connectionId);
    assert.equal(a.seen.rejoin.length, 0);
    const publisher = await server.json();
    // The client rejoins behind its "connected" event and tells nobody.
    await until(5000, 'the group is joined again', async () => { await publisher.publish('rejoin', 1); return a.seen.group.length > 0; });
  });

  check('C-148 plain client: auto-reconnect with rejoin after the server is back', async (t) => {
    const proxy = await Proxy.start(server.port);
    t.after(() => proxy.stop());
    const origin = server.origin.replace(String(server.port), String(proxy.port));
    const a = await client(t, { origin, protocol: WebPubSubJsonProtocol() });
    await a.c.joinGroup('auto');
    proxy.cut('rst');
    await a.wait('a second connection', () => a.seen.connected.length === 2, 20000);
    assert.equal(a.seen.disconnected.length, 1);
    await a.c.sendToGroup('auto', 'me', 'text');
  });

  check('C-122 a client that stands still does not lose its place', async (t) => {
    const proxy = await Proxy.start(server.port);
    t.after(() => proxy.stop());
    const origin = server.origin.replace(String(server.port), String(proxy.port));
    const a = await client(t, { origin, options: { keepAliveIntervalInMs: 300, keepAliveTimeoutInMs: 1500 } });
    const publisher = await server.json();
    await a.c.joinGroup('still');
    const back = proxy.next();
    proxy.hold();
    await publisher.publish('still', 1);
    // The client gives the socket up; its close frame gets through only now.
    await pass(3000);
    proxy.go();
    await within(20000, 'the client comes back on a new socket', back);
    await publisher.publish('still', 2);
    await a.group(2);
    assert.deepEqual(a.seen.group.map((e) => e.message.data), [1, 2]);
    assert.equal(a.seen.connected.length, 1);
  });
});

suite('the development server', () => {
  check('--dev prints a connection string with which samples run unchanged', async (t) => {
    const dev = new Server({ dev: true });
    t.after(() => dev.stop());
    await dev.start();
    const [, connection] = /^ready (Endpoint=http:\/\/localhost:\d+;AccessKey=\w+;Version=1\.0;)/.exec(`ready ${dev.ready}`) ?? [];
    assert.ok(connection, dev.ready);
    assert.ok(connection.includes(`AccessKey=${EMULATOR_KEY};`));
    const service = new WebPubSubServiceClient(connection, 'sample', { allowInsecureConnection: true });
    const { url, token } = await service.getClientAccessToken({ userId: 'u', roles: ['webpubsub.joinLeaveGroup.g', 'webpubsub.sendToGroup.g'] });
    remember(token);
    const a = await client(t, { url });
    await a.c.joinGroup('g');
    await a.c.sendToGroup('g', 'hi', 'text');
    await a.group(1);
    assert.equal(a.seen.group[0].message.data, 'hi');
    a.c.stop();
    await a.wait('stopped', () => a.seen.stopped.length);
  });

  check('two servers at once, each with its own clients', async (t) => {
    const other = await controlledIn(t);
    const a = await client(t, { s: other });
    await a.c.joinGroup('x');
    a.c.stop();
    await a.wait('stopped', () => a.seen.stopped.length);
  });
});
