// SPDX-License-Identifier: Apache-2.0
// azure-client.md 4: clients without a known subprotocol.
import assert from 'node:assert/strict';
import { check, suite } from './lib/cases.mjs';
import { control, controlled, hasControl } from './lib/control.mjs';
import { ALL } from './lib/token.mjs';

const server = controlled();
const raw = (group, more = {}) => server.simple({ query: { webpubsub_mode: 'sendToGroup', group, ...more.query }, ...more.options });

suite('simple clients', () => {
  check('C-47 no handler and no listener → close 1011', async () => {
    for (const message of ['hello', Buffer.from([1, 2])]) {
      const c = await server.simple();
      c.send(message);
      const { code } = await c.end();
      assert.equal(code, 1011);
    }
    const named = await server.simple({ query: { webpubsub_mode: 'sendEvent' } });
    named.send('hello');
    assert.equal((await named.end()).code, 1011);
  });

  check('C-48 sendToGroup mode publishes; echo only if the sender is a member', async () => {
    const member = await server.simple({ groups: ['room'] });
    const json = await server.json({ groups: ['room'] });
    const outsider = await raw('room', { options: { user: 'ann' } });
    outsider.send('hi');
    outsider.send(Buffer.from([1, 2, 255]));
    assert.equal(await member.text(), 'hi');
    assert.deepEqual((await member.next()).binary, Buffer.from([1, 2, 255]));
    assert.deepEqual(await json.json(), { type: 'message', from: 'group', group: 'room', fromUserId: 'ann', dataType: 'text', data: 'hi' });
    assert.deepEqual(await json.json(), { type: 'message', from: 'group', group: 'room', fromUserId: 'ann', dataType: 'binary', data: 'AQL/' });
    assert.deepEqual(await outsider.wsFence(), [], 'no echo without membership');
    const insider = await raw('echo', { options: { groups: ['echo'] } });
    insider.send('me');
    assert.equal(await insider.text(), 'me');
  });

  check('C-48 noEcho=true stops the echo', async () => {
    const other = await server.simple({ groups: ['quiet'] });
    const c = await raw('quiet', { query: { noEcho: 'true' }, options: { groups: ['quiet'] } });
    c.send('one');
    assert.equal(await other.text(), 'one');
    assert.deepEqual(await c.wsFence(), []);
    const loud = await raw('quiet', { query: { noEcho: 'false' }, options: { groups: ['quiet'] } });
    loud.send('two');
    assert.equal(await loud.text(), 'two');
    assert.equal(await c.text(), 'two');
  });

  check('C-48 the group of the URL is decoded once', async () => {
    const member = await server.simple({ groups: ['a b/ä%41', 'a+b'] });
    (await raw('a b/ä%41')).send('x');
    assert.equal(await member.text(), 'x');
    (await raw('a+b')).send('y');
    assert.equal(await member.text(), 'y');
  });

  check('C-49 sendToGroup mode without permission → close 1008', async () => {
    const c = await raw('room', { options: { roles: ['webpubsub.sendToGroup.other', 'webpubsub.joinLeaveGroup'] } });
    c.send('hi');
    assert.deepEqual(await c.end(), { code: 1008, reason: 'The connection is not authorized for raw sendToGroup mode.' });
  });

  check('C-50 the JSON string "x" published as json arrives as "x" with quotes', async () => {
    const member = await server.simple({ groups: ['kinds'] });
    const c = await server.json();
    const send = (dataType, data) => c.publish('kinds', data, { dataType });
    await send('json', 'x');
    assert.equal(await member.text(), '"x"');
    await send('text', 'x');
    assert.equal(await member.text(), 'x');
    await send('json', { a: [1, null] });
    assert.deepEqual(JSON.parse(await member.text()), { a: [1, null] });
    await send('binary', 'AQID');
    assert.deepEqual((await member.next()).binary, Buffer.from([1, 2, 3]));
    await send('protobuf', 'Ci90eXBlLmdvb2dsZWFwaXMuY29tL2F6dXJlLndlYnB1YnN1Yi5UZXN0TWVzc2FnZRICCAE=');
    assert.equal((await member.next()).binary.length, 53);
    await c.publish('kinds', 'm', { dataType: 'text', metadata: { k: 'v' } });
    assert.equal(await member.text(), 'm', 'metadata is not visible');
  });

  check('C-51 REST close → close 1000 with the reason, no extra frame', { skip: !hasControl }, async () => {
    const c = await server.simple({ user: 'gone' });
    await control.close(server, 'chat', { user: 'gone' }, { reason: 'kicked by admin' });
    assert.deepEqual(await c.end(), { code: 1000, reason: 'kicked by admin' });
    assert.deepEqual(c.queue, []);
  });

  check('4 messages to connection, user and hub arrive as bare frames', { skip: !hasControl }, async () => {
    const c = await server.simple({ hub: 'bare', user: 'u1' });
    const j = await server.json({ hub: 'bare', user: 'u2' });
    await control.publish(server, 'bare', { user: 'u1' }, 'to user', { type: 'text' });
    await control.publish(server, 'bare', {}, 'to hub', { type: 'text' });
    assert.equal(await c.text(), 'to user');
    assert.equal(await c.text(), 'to hub');
    assert.deepEqual(await j.json(), { type: 'message', from: 'server', dataType: 'text', data: 'to hub' });
  });

  check('4 fragments of a client are one message; control frames between are answered', async () => {
    const member = await server.simple({ groups: ['frag'] });
    const c = await raw('frag');
    c.ws.send('Hel', { fin: false });
    const pong = new Promise((resolve) => c.ws.once('pong', resolve));
    c.ws.ping('between');
    await pong;
    c.ws.send('lo', { fin: true });
    assert.equal(await member.text(), 'Hello');
    c.ws.send('', { fin: true });
    assert.equal(await member.text(), '');
  });

  check('4 a close of the client is answered with its code', async () => {
    for (const code of [1000, 1001, 3000, 4999]) {
      const c = await server.simple({ roles: ALL });
      assert.equal((await c.close(code, 'bye')).code, code);
    }
    const none = await server.simple();
    assert.equal((await none.close()).code, 1005);
  });
});
