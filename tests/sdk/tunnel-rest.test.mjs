// SPDX-License-Identifier: Apache-2.0
// The REST API through tunnels (azure-server.md 9.3).
import assert from 'node:assert/strict';
import { check, suite } from './lib/cases.mjs';
import {
  Tunnel, through, tunnelServer, tunnelServerIn,
} from './lib/tunnel.mjs';

const hubs = { '*': { anonymous: 'deny' } };
const plugins = { 'http-rest': {} };
const server = tunnelServer({ plugins, hubs });
let number = 0;
const fresh = () => `r${++number}`;

async function pair(s = server) {
  const hub = fresh();
  return { hub, t: await Tunnel.open(s, { hub }), c: await s.json({ hub, user: 'alice' }) };
}
const got = async (c) => (await c.fence()).map((m) => m.json.data);

suite('requests', () => {
  check('S-121 sends without Authorization: 202 for the tunnel\'s hub', async () => {
    const { hub, t, c } = await pair();
    const { connectionId } = c;
    await c.join('g');
    const text = { type: 'text/plain', body: 'hi' };
    for (const path of [`/api/hubs/${hub}/:send`, `/api/hubs/${hub}/connections/${connectionId}/:send`, `/api/hubs/${hub}/groups/g/:send`, `/api/hubs/${hub}/users/alice/:send`, `/api/hubs/${hub.toUpperCase()}/:send`, `/api/hubs/%72${hub.slice(1)}/%3Asend`]) {
      const r = await t.rest('POST', path, text);
      assert.equal(r.status, 202, path);
      assert.equal(r.body, '');
      assert.deepEqual(r.members, { Type: 2, AckId: t.ackId, StatusCode: 202, Headers: r.members.Headers, LocalRouting: true, ChannelName: '', NotCompleted: false, TracingId: null });
      assert.equal(r.pieces.length, 1);
      assert.equal((await c.type('message')).data, 'hi', path);
    }
    const json = await t.rest('POST', `/api/hubs/${hub}/:send`, { type: 'application/json', body: '{"a":1}' });
    assert.equal(json.status, 202);
    assert.deepEqual((await c.type('message')).data, { a: 1 });
    const binary = await t.rest('POST', `/api/hubs/${hub}/:send`, { type: 'application/octet-stream', body: Buffer.from([0, 255]), headers: { 'X-WebPubSub-Metadata-K': ['v'] } });
    assert.equal(binary.status, 202);
    const message = await c.type('message');
    assert.equal(message.data, 'AP8=');
  });

  check('S-121 403 for another hub, and for what is no hub\'s', async () => {
    const { hub, t } = await pair();
    const other = await pair();
    for (const path of [`/api/hubs/${other.hub}/:send`, `/api/hubs/${hub}x/:send`, `/api/hubs/${hub}%2F../${other.hub}/:send`, '/api/health', '/', `/api//hubs/${hub}/:send`, `/server/tunnel?hub=${hub}`, `/client/hubs/${hub}`]) {
      const r = await t.answered(t.post('POST', `https://host${path}`, { type: 'text/plain', body: 'x' }));
      assert.equal(r.status, 403, path);
      assert.equal(r.pieces.at(-1).members.NotCompleted, false);
    }
    // A path that climbs stays in its hub, or is nothing.
    const climb = await t.answered(t.post('POST', `https://host/api/hubs/${hub}/../${other.hub}/:send`, { type: 'text/plain', body: 'x' }));
    assert.ok([400, 404, 405].includes(climb.status), String(climb.status));
    assert.deepEqual(await got(other.c), []);
  });

  check('S-121 an answer in any case: what is wrong, unknown, or no request', async () => {
    const { hub, t } = await pair();
    const status = async (method, url, more) => (await t.answered(t.post(method, url, more))).status;
    const base = `https://host/api/hubs/${hub}`;
    assert.equal(await status('POST', `${base}/nothing`), 404);
    assert.equal(await status('PATCH', `${base}/:send`), 405);
    assert.equal(await status('POST', `${base}/:send?api-version=1999-01-01`, { type: 'text/plain', body: 'x' }), 400);
    assert.equal(await status('POST', `${base}/:send`, { type: 'no/type', body: 'x' }), 415);
    assert.equal(await status('GET', ''), 400);
    assert.equal(await status('GET', 'https://host'), 400);
    assert.equal(await status('G T', `${base}/:send`), 400);
    assert.equal(await status('GET\r\nX: y', `${base}/:send`), 400);
    assert.equal(await status('GET', `${base}/a b`), 400);
    assert.equal(await status('GET', `${base}/\r\nX: y`), 400);
    assert.equal(await status('POST', `${base}/:send`, { body: 'x', headers: { 'content-type': ['text/plain\r\nX: y'] } }), 400);
    const missing = await t.rest('POST', `/api/hubs/${hub}/connections/none/:send`, { type: 'text/plain', body: 'x' });
    assert.ok([202, 404].includes(missing.status));
    const error = await t.rest('GET', `/api/hubs/${hub}/groups/g/connections`, { query: { maxpagesize: '0' } });
    assert.equal(error.status, 400);
    assert.match(error.headers['content-type'], /json/);
    assert.ok(JSON.parse(error.body).code);
  });

  check('S-121 LocalRouting and ChannelName come back, headers of others do not go on', async () => {
    const { hub, t } = await pair();
    const r = await t.answered(t.post('GET', `https://host/api/hubs/${hub}/groups/g/connections?api-version=2024-12-01`, { LocalRouting: false, ChannelName: 'ch', headers: { Authorization: ['Bearer nonsense'], Host: ['x'], 'Content-Length': ['99'], 'Transfer-Encoding': ['chunked'] } }));
    assert.equal(r.status, 200);
    assert.equal(r.members.LocalRouting, false);
    assert.equal(r.members.ChannelName, 'ch');
    assert.deepEqual(JSON.parse(r.body).value, []);
  });

  check('S-121 groups, existence, permissions, closing', async () => {
    const { hub, t, c } = await pair();
    const id = c.connectionId;
    const base = `/api/hubs/${hub}`;
    const status = async (...args) => (await t.rest(...args)).status;
    assert.equal(await status('PUT', `${base}/groups/g/connections/${id}`), 200);
    const list = await t.rest('GET', `${base}/groups/g/connections`, { query: { 'api-version': '2024-12-01' } });
    assert.deepEqual(JSON.parse(list.body).value.map((x) => x.connectionId), [id]);
    const head = await t.rest('HEAD', `${base}/groups/g`);
    assert.equal(head.status, 200);
    assert.equal(head.body, '');
    assert.equal(await status('DELETE', `${base}/groups/g/connections/${id}`), 204);
    assert.equal(await status('HEAD', `${base}/groups/g`), 404);
    assert.equal(await status('POST', `${base}/:addToGroups`, { type: 'application/json', body: JSON.stringify({ groups: ['x', 'y'], filter: `connectionId eq '${id}'` }) }), 200);
    assert.equal(await status('HEAD', `${base}/groups/y`), 200);
    assert.equal(await status('POST', `${base}/:removeFromGroups`, { type: 'application/json', body: JSON.stringify({ groups: ['x', 'y'], filter: '' }) }), 200);
    assert.equal(await status('HEAD', `${base}/connections/${id}`), 200);
    assert.equal(await status('DELETE', `${base}/connections/${id}`, { query: { reason: 'enough' } }), 204);
    await c.end();
  });

  check('S-124 :invoke is answered in pieces: NotCompleted true, then false', async () => {
    const { hub, t } = await pair();
    const r = await t.rest('POST', `/api/hubs/${hub}/:invoke`, { type: 'text/plain', body: '43["x"]' });
    assert.equal(r.status, 200);
    assert.ok(r.pieces.length >= 2);
    assert.deepEqual(r.pieces.map((p) => p.members.NotCompleted), [true, false]);
    assert.equal(r.pieces.at(-1).content, null);
    const again = await t.rest('POST', `/api/hubs/${hub}/%3Ainvoke`, { type: 'text/plain', body: '43' });
    assert.deepEqual(again.pieces.map((p) => p.members.NotCompleted), [true, false]);
    const wrong = await t.answered(t.post('POST', 'https://host/api/hubs/elsewhere/:invoke', { type: 'text/plain', body: '43' }));
    assert.equal(wrong.status, 403);
    assert.equal(wrong.pieces.at(-1).members.NotCompleted, false);
  });

  check('S-121 a switch turns it off', async (x) => {
    const s = await tunnelServerIn(x, { plugins, hubs, tunnel: { rest: false } });
    const t = await Tunnel.open(s, {});
    assert.equal((await t.rest('POST', '/api/hubs/chat/:send', { type: 'text/plain', body: 'x' })).status, 403);
    const bare = await tunnelServerIn(x, { hubs });
    const u = await Tunnel.open(bare, {});
    assert.equal((await u.rest('POST', '/api/hubs/chat/:send', { type: 'text/plain', body: 'x' })).status, 404, 'nobody serves it');
  });
});

suite('order', () => {
  check('S-121 in the order they came, many at a time', async () => {
    const { hub, t, c } = await pair();
    const url = `https://host/api/hubs/${hub}/:send?api-version=2023-07-01`;
    const ids = Array.from({ length: 500 }, (_, i) => t.post('POST', url, { type: 'text/plain', body: String(i) }));
    const answers = [];
    for (const id of ids) answers.push(await t.answered(id));
    assert.ok(answers.every((r) => r.status === 202));
    const seen = [];
    while (seen.length < 500) seen.push((await c.type('message')).data);
    assert.deepEqual(seen, ids.map((_, i) => String(i)));
  });

  check('S-121 answers come in the order of the requests, refused ones too', async () => {
    const { hub, t } = await pair();
    const order = [];
    const url = (i) => (i % 3 === 1 ? 'https://host/api/hubs/other/:send' : `https://host/api/hubs/${hub}/:send`);
    const ids = Array.from({ length: 60 }, (_, i) => t.post('POST', url(i), { type: 'text/plain', body: 'x' }));
    await Promise.all(ids.map(async (id) => { await t.answered(id); order.push(id); }));
    assert.deepEqual(order, ids);
  });

  check('S-121 large ones, and an application that does not read its answers', async (x) => {
    const s = await tunnelServerIn(x, { plugins, hubs, limits: { queue_bytes: '256k' } });
    const t = await Tunnel.open(s, {});
    const clients = await Promise.all(Array.from({ length: 60 }, () => s.json({ groups: ['g'] })));
    t.client.pause();
    const ids = [];
    for (let i = 0; i < 3000; i++) ids.push(t.post('GET', 'https://host/api/hubs/chat/groups/g/connections?api-version=2024-12-01'));
    for (let i = 0; i < 30; i++) ids.push(t.post('POST', 'https://host/api/hubs/chat/:send', { type: 'text/plain', body: 'x'.repeat(500000) }));
    await (await Tunnel.open(s, {})).rest('POST', '/api/hubs/chat/:send', { type: 'text/plain', body: 'meanwhile' });
    assert.equal((await clients[0].type('message')).data, 'meanwhile');
    t.client.resume();
    const answers = await Promise.all(ids.map((id) => t.answered(id, { ms: 15000 })));
    assert.ok(answers.slice(0, 3000).every((r) => r.status === 200 && JSON.parse(r.body).value.length === 60));
    assert.ok(answers.slice(3000).every((r) => r.status === 202));
  });

  check('requests that wait take what they took on the wire', async (x) => {
    const s = await tunnelServerIn(x, { plugins, hubs, workers: 1, limits: { queue_bytes: '256k' } });
    const t = await Tunnel.open(s, {});
    await Promise.all(Array.from({ length: 60 }, () => s.json({ groups: ['g'] })));
    const full = () => t.post('GET', 'https://host/api/hubs/chat/groups/g/connections?api-version=2024-12-01');
    t.client.pause();
    const ids = Array.from({ length: 3000 }, full);
    const before = s.memory('VmHWM');
    // 21000 values of a header that counts for nothing, 60 times.
    const Headers = { a: Array.from({ length: 21000 }, () => '') };
    for (let i = 0; i < 60; i++) ids.push(t.post('POST', 'https://host/api/hubs/chat/:send', { type: 'text/plain', body: 'x', Headers }));
    t.client.resume();
    await Promise.all(ids.map((id) => t.answered(id, { ms: 15000 })));
    const grown = (s.memory('VmHWM') - before) / 1048576;
    x.diagnostic(`memory grew by ${grown.toFixed(1)} MiB`);
    if (!process.env.SDK_SANITIZED) assert.ok(grown < 30, `${grown} MiB`);
  });

  check('events and requests at the same time: a handler that uses the API', async (x) => {
    const s = await tunnelServerIn(x, { plugins, hubs: { '*': { anonymous: 'deny', event_handlers: [through()] } } });
    const t = await Tunnel.open(s, {});
    t.fn = undefined;
    const events = (async () => {
      for (let i = 0; i < 3; i++) {
        const r = await t.next();
        if (r.event === 'echo') assert.equal((await t.rest('POST', `/api/hubs/chat/connections/${r.conn}/:send`, { type: 'text/plain', body: `you said ${r.text}` })).status, 202);
        t.answer(r);
      }
    })();
    const c = await s.json({});
    await c.did({
      type: 'event', event: 'echo', dataType: 'text', data: 'hi',
    });
    await events;
    assert.equal((await c.type('message')).data, 'you said hi');
  });

  check('a tunnel that goes in the middle of its requests', async () => {
    const { hub, c } = await pair();
    for (let round = 0; round < 5; round++) {
      const t = await Tunnel.open(server, { hub });
      for (let i = 0; i < 200; i++) t.post('POST', `https://host/api/hubs/${hub}/:send`, { type: 'text/plain', body: String(i) });
      await t.answered(5);
      await t.drop();
    }
    const count = new Map();
    for (const n of (await got(c)).map(Number)) {
      count.set(n, (count.get(n) ?? 0) + 1);
      assert.ok(n === 0 || count.get(n) <= count.get(n - 1), 'each tunnel\'s came in order');
    }
    assert.equal(count.get(0), 5);
  });
});
