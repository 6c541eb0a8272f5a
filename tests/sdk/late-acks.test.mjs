// SPDX-License-Identifier: Apache-2.0
// azure-client.md 5.12: the blocking client of the SDK for Python begins to wait
// for the end of a handshake and for acks when it has started them, and misses
// what is there before. Both are kept back a little; nobody else's are.
import assert from 'node:assert/strict';
import { check, suite } from './lib/cases.mjs';
import { Rest, fresh, restIn, restServer, to } from './lib/rest.mjs';
import { JSON_V1 } from './lib/wsclient.mjs';

const AGENT = 'azsdk-python-webpubsub-client/1.1.0 Python/3.11.7 (Linux-6.1.0-x86_64-with-glibc2.36)';
const PYTHON = { headers: { 'User-Agent': AGENT } };
const late = (delay) => ({ plugins: { 'subprotocol-json': { python_delay: delay } } });

const server = restServer(late('1s'));

/** `count` requests that are refused inside the call, and a ping, as one piece:
 * what the answers have in common is one turn. The acks' ids, and the pong. */
async function answers(c, count = 1) {
  c.ws._socket.cork();
  for (let ackId = 1; ackId <= count; ackId++) c.send({ type: 'sendToGroup', group: 'g', data: 1, ackId });
  c.send({ type: 'ping' });
  c.ws._socket.uncork();
  const got = [];
  while (got.length <= count) {
    const { type, ackId } = await c.json();
    got.push(type === 'ack' ? ackId : type);
  }
  return got;
}

/** What happened, in its order. */
function order(...all) {
  const done = [];
  return Promise.all(all.map(([name, made]) => made.then(() => done.push(name)))).then(() => done);
}

suite('handshakes of the SDK for Python', () => {
  check('5.12 are answered later than others that came after them', async (t) => {
    const s = await restIn(t, late('5s'));
    const c = await s.reliable();
    await c.drop();
    const python = [s.json(PYTHON), s.recovered(c, PYTHON), s.refused({ token: null, protocols: JSON_V1, ...PYTHON })];
    assert.equal((await order(...python.map((p) => ['python', p]), ['other', s.json()]))[0], 'other');
    assert.equal((await python[2]).status, 401);
  });

  check('5.12 a client that goes meanwhile leaves nothing', async (t) => {
    const s = await restIn(t, late('10s'));
    const raw = await s.raw();
    const { pathname, search, host } = new URL(s.url());
    raw.write(`GET ${pathname}${search} HTTP/1.1\r\nHost: ${host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: json.webpubsub.azure.v1\r\nUser-Agent: ${AGENT}\r\n\r\n`);
    await (await s.json()).fence();
    raw.destroy();
    await (await s.json()).fence();
  });

  check('5.12 one that still waits at the end is refused', async (t) => {
    const s = await restIn(t, late('10s'));
    const waiting = s.refused({ protocols: JSON_V1, ...PYTHON });
    await (await s.json()).fence();
    await s.stop();
    assert.equal((await waiting).status, 503);
  });
});

suite('acks for the SDK for Python', () => {
  check('5.12 come later than what is said at once', async () => {
    for (const reliable of [false, true]) {
      assert.deepEqual(await answers(await server.json({ roles: [], reliable })), [1, 'pong']);
      assert.deepEqual(await answers(await server.json({ roles: [], reliable, ...PYTHON })), ['pong', 1]);
      const headers = { 'User-Agent': `my-app/1.0 ${AGENT}` };
      assert.deepEqual(await answers(await server.json({ roles: [], reliable, headers }), 3), ['pong', 1, 2, 3]);
    }
  });

  check('5.12 as configured: by default, and not at all', async (t) => {
    const usual = await restIn(t);
    assert.deepEqual(await answers(await usual.json({ roles: [], ...PYTHON }), 2), ['pong', 1, 2]);
    const off = await restIn(t, late('0s'));
    assert.deepEqual(await answers(await off.json({ roles: [], ...PYTHON })), [1, 'pong']);
  });

  check('5.12 only so many wait', async () => {
    const c = await server.json({ roles: [], ...PYTHON });
    const first = Array.from({ length: 8 }, (_, i) => i + 1);
    const rest = Array.from({ length: 32 }, (_, i) => i + 9);
    assert.deepEqual(await answers(c, 40), [...first, 'pong', ...rest]);
  });

  check('5.12 of every kind of request, one after the other', async () => {
    const c = await server.json(PYTHON);
    await c.join('late');
    await c.publish('late', 'x');
    assert.equal((await c.type('message')).data, 'x');
    await c.leave('late');
    assert.equal((await c.ask({ type: 'event', event: 'e', data: 1 })).error.name, 'InternalServerError');
  });

  check('5.12 go before a close by the application', async () => {
    const hub = fresh();
    const c = await server.json({ hub, roles: [], ...PYTHON });
    c.send({ type: 'joinGroup', group: 'g', ackId: 1 });
    await c.fence();
    await new Rest(server, { hub }).must(204, 'DELETE', to.conn(c).slice(0, -1));
    assert.equal((await c.json()).ackId, 1);
    assert.equal((await c.json()).event, 'disconnected');
    assert.equal((await c.end()).code, 1000);
  });

  check('5.12 may be lost with the socket, and the session is not', async () => {
    const c = await server.reliable({ roles: [], ...PYTHON });
    c.send({ type: 'joinGroup', group: 'g', ackId: 1 });
    await c.fence();
    await c.drop();
    const again = await server.recovered(c, PYTHON);
    await again.ask({ type: 'joinGroup', group: 'g', ackId: 2 });
    await again.close(1000);
  });
});
