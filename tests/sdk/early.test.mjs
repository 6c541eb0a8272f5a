// SPDX-License-Identifier: Apache-2.0
// Early forms of the protocol, each off by default: /client without a hub, and
// the subprotocol's name of before its first version.
import assert from 'node:assert/strict';
import { check, suite } from './lib/cases.mjs';
import { HASTY, Handler } from './lib/handler.mjs';
import { suiteServer } from './lib/server.mjs';
import { JSON_V1 } from './lib/wsclient.mjs';

const EARLY = 'json.webpubsub.azure';
const handler = await Handler.start();
handler.always({ method: 'POST' }, (r) => ({ body: r.body, type: r.headers['content-type'] }));
const hubs = { '*': { anonymous: 'deny', event_handlers: [handler.all({ system_events: [] })] } };
const plugins = { 'upstream-webhook': HASTY };

suite('early forms by default', () => {
  const server = suiteServer({ plugins, hubs });

  check('C-3 /client without hub → 400', async () => {
    for (const path of ['/client', '/client/']) assert.equal((await server.refused({ path, protocols: JSON_V1 })).status, 400, path);
    for (const hub of ['', '1abc', 'a-b']) assert.equal((await server.refused({ path: '/client/', query: { hub }, protocols: JSON_V1 })).status, 400, hub);
  });

  check('1.4 the early name is a name like any other', async () => {
    const c = await server.raw();
    const answer = await c.handshake({ path: `/client/hubs/chat?access_token=${server.token()}`, host: `127.0.0.1:${server.port}`, protocols: EARLY });
    assert.equal(answer.status, 101);
    assert.equal(answer.headers['sec-websocket-protocol'], undefined);
    c.destroy();
    assert.equal((await server.json({ protocols: [EARLY, JSON_V1] })).protocol, JSON_V1);
  });

  check('5.2 the early form of events → 1007', async () => {
    const c = await server.json();
    c.send({ event: 'publish', payload: 1 });
    assert.equal((await c.end()).code, 1007);
  });
});

suite('early forms', () => {
  const server = suiteServer({
    plugins: { ...plugins, 'subprotocol-json': { early_names: true } }, hubs, websocket: { default_hub: 'lobby' },
  });

  check('C-3 default_hub: /client without a hub goes there, with the audience of that hub', async () => {
    const member = await server.json({ hub: 'lobby', groups: ['g'] });
    for (const path of ['/client', '/client/']) {
      const c = await server.json({ path, hub: 'lobby' });
      await c.publish('g', path);
      assert.equal((await member.json()).data, path);
      assert.equal((await server.refused({ path, hub: 'chat', protocols: JSON_V1 })).status, 401, 'the audience of another hub');
    }
    const named = await server.json({ path: '/client/', query: { hub: 'chat' }, hub: 'chat' });
    await named.publish('g', 'elsewhere');
    assert.deepEqual(await member.fence(), []);
    for (const hub of ['1abc', 'a-b']) assert.equal((await server.refused({ path: '/client/', query: { hub }, protocols: JSON_V1 })).status, 400, hub);
  });

  check('1.4 the early name is the plain protocol, echoed as it was offered', async () => {
    for (const name of [EARLY, 'JSON.webpubsub.azure']) {
      const c = await server.json({ protocols: name, groups: ['h'] });
      assert.equal(c.protocol, name);
      assert.equal(c.reconnectionToken, undefined);
      await c.publish('h', 1);
      assert.equal((await c.type('message')).data, 1);
    }
    assert.equal((await server.json({ protocols: [EARLY, JSON_V1] })).protocol, EARLY, 'the first of the offer');
  });

  check('1.8 an object with event and payload is that event', async () => {
    const c = await server.json({ protocols: EARLY, user: 'alice' });
    c.send({ event: 'publish', payload: { a: [1] }, ackId: 4 });
    assert.deepEqual(await c.json(), {
      type: 'message', from: 'server', dataType: 'json', data: { a: [1] },
    });
    assert.deepEqual(await c.json(), { type: 'ack', ackId: 4, success: true });
    const [request] = handler.seen({ conn: c.connectionId });
    assert.equal(request.headers['ce-type'], 'azure.webpubsub.user.publish');
    c.send({ event: 'say', dataType: 'text', payload: 'hi', data: 'not this' });
    assert.equal((await c.json()).data, 'hi');
    c.send({ type: 'event', event: 'say', data: 2 });
    assert.equal((await c.json()).data, 2, 'and the usual form as well');
    c.send({ event: 'say' });
    assert.equal((await c.end()).code, 1007, 'no payload');
  });

  check('1.8 it is understood on the early name only', async () => {
    const c = await server.json();
    c.send({ event: 'publish', payload: 1 });
    assert.equal((await c.end()).code, 1007);
  });
});
