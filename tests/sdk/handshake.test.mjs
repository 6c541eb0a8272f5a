// SPDX-License-Identifier: Apache-2.0
// azure-client.md 1: endpoints, names, negotiation, order of checks.
import assert from 'node:assert/strict';
import { check, suite } from './lib/cases.mjs';
import { PROTOBUF_RELIABLE_V1, PROTOBUF_V1, down } from './lib/protobuf.mjs';
import { ACCEPT, TEXT, frame } from './lib/rawsocket.mjs';
import { suiteServer } from './lib/server.mjs';
import { ALL, STRANGER, token } from './lib/token.mjs';
import { JSON_V1, RELIABLE_V1 } from './lib/wsclient.mjs';

const server = suiteServer({
  plugins: { 'subprotocol-protobuf': {} },
  hubs: { '*': { anonymous: 'deny' }, open: { anonymous: 'allow' } },
});
const host = () => `127.0.0.1:${server.port}`;
const access = (options) => server.token({ roles: ALL, ...options });

suite('handshake', () => {
  check('C-1 GET /client/hubs/chat with a valid token and upgrade → 101', async () => {
    const raw = await server.raw();
    const answer = await raw.handshake({ path: `/client/hubs/chat?access_token=${access()}`, host: host() });
    assert.equal(answer.status, 101);
    assert.equal(answer.line, 'HTTP/1.1 101 Switching Protocols');
    assert.equal(answer.headers['sec-websocket-accept'], ACCEPT);
    assert.equal(answer.headers.upgrade.toLowerCase(), 'websocket');
    assert.equal(answer.headers.connection.toLowerCase(), 'upgrade');
    assert.equal(answer.headers['sec-websocket-extensions'], undefined);
    raw.destroy();
  });

  check('C-1 the path prefix is matched without regard to case', async () => {
    const raw = await server.raw();
    const answer = await raw.handshake({ path: `/CLIENT/Hubs/chat?access_token=${access()}`, host: host() });
    assert.equal(answer.status, 101);
    raw.destroy();
  });

  check('C-1 frames sent along with the handshake are not lost', async () => {
    const raw = await server.raw();
    await raw.write(Buffer.concat([
      Buffer.from(raw.constructor.request({ path: `/client/hubs/chat?access_token=${access()}`, host: host(), protocols: JSON_V1 })),
      frame(TEXT, '{"type":"ping"}')]));
    assert.equal((await raw.answer()).status, 101);
    assert.equal(JSON.parse((await raw.frame()).payload).event, 'connected');
    assert.deepEqual(JSON.parse((await raw.frame()).payload), { type: 'pong' });
    raw.destroy();
  });

  check('C-2 /client/?hub=chat and /client?hub=chat → 101 and the same hub', async () => {
    const a = await server.json();
    await a.join('forms');
    for (const path of ['/client/', '/client']) {
      const b = await server.json({ path, query: { hub: 'chat' } });
      await b.publish('forms', path);
      assert.equal((await a.json()).data, path);
    }
  });

  check('C-2 the token of the older form may name its URL as audience', async () => {
    const t = token({ origin: server.origin, aud: `${server.origin}/client/?hub=chat` });
    assert.equal(await server.status({ path: '/client/', query: { hub: 'chat' }, token: t }), 101);
  });

  check('C-3 /client without hub → 400', async () => {
    for (const path of ['/client', '/client/', '/client?hub=', '/client/?x=1']) {
      const raw = await server.raw();
      const answer = await raw.handshake({ path: `${path}${path.includes('?') ? '&' : '?'}access_token=${access()}`, host: host() });
      assert.equal(answer.status, 400, path);
      raw.destroy();
    }
  });

  check('C-4 hubs 1abc, empty, 129 characters, a-b → 400; 128 characters → 101', async () => {
    const hub128 = 'h'.repeat(128);
    assert.equal(await server.status({ hub: hub128 }), 101);
    for (const hub of ['1abc', `${hub128}x`, 'a-b', 'a%20b', 'a%00b', '%C3%A4', '_a', 'a%']) {
      assert.equal(await server.status({ hub, token: access({ hub: decodeSafe(hub) }) }), 400, hub);
    }
    assert.ok([400, 404].includes(await server.status({ hub: '', token: access() })), 'an empty hub');
    assert.equal(await server.status({ path: '/client/', query: { hub: '' }, token: access() }), 400);
    assert.equal(await server.status({ hub: 'a_`,.[]9' .replace(/[`[\]]/g, (c) => `%${c.charCodeAt(0).toString(16)}`),
      token: token({ origin: server.origin, aud: [`${server.origin}/client/hubs/${encodeURIComponent('a_`,.[]9')}`, `${server.origin}/client/hubs/a_\`,.[]9`] }) }), 101);
  });

  check('C-5 hubs Chat and chat are the same hub', async () => {
    const a = await server.json({ hub: 'Chat' });
    const b = await server.json({ hub: 'chat' });
    await a.join('case');
    await b.publish('case', 1);
    assert.equal((await a.json()).data, 1);
  });

  check('C-1 as java.net.http has it: the length of no body is said', async () => {
    const c = await server.json({ headers: { 'Content-Length': '0', 'User-Agent': 'Java-http-client/17.0.15' } });
    await c.join('java');
    await c.publish('java', 1);
    assert.equal((await c.type('message')).data, 1);
  });

  check('C-6 plain GET without upgrade → 400', async () => {
    const answer = await server.http(`/client/hubs/chat?access_token=${access()}`);
    assert.equal(answer.status, 400);
    assert.equal((await server.http('/client/hubs/chat', { method: 'POST', body: 'x' })).status, 400);
    const raw = await server.raw();
    const options = { path: `/client/hubs/chat?access_token=${access()}`, host: host() };
    assert.equal((await raw.handshake({ ...options, method: 'POST' })).status, 400);
    raw.destroy();
  });

  check('C-6 an unknown path → 404', async () => {
    for (const path of ['/', '/clients', '/client/hub/chat', '/client/hubs/chat/x', '/nothing']) {
      assert.equal((await server.http(path)).status, 404, path);
      const raw = await server.raw();
      assert.equal((await raw.handshake({ path, host: host() })).status, 404, path);
      raw.destroy();
    }
  });

  check('C-7 no token: policy deny → 401 with WWW-Authenticate; policy allow → 101', async () => {
    const refusal = await server.refused({ token: null });
    assert.equal(refusal.status, 401);
    assert.match(refusal.headers['www-authenticate'], /^Bearer/);
    assert.equal(await server.status({ hub: 'open', token: null }), 101);
    const c = await server.json({ hub: 'open', token: null });
    assert.equal(c.connected.userId, null);
    assert.equal((await c.ask({ type: 'joinGroup', group: 'x' })).error.name, 'Forbidden');
    // An empty token is no token.
    assert.equal(await server.status({ hub: 'open', token: null, query: { access_token: '' } }), 101);
  });

  check('C-8 policy allow with an invalid token → 401', async () => {
    assert.equal(await server.status({ hub: 'open', token: 'no.token.atall' }), 401);
    assert.equal(await server.status({ hub: 'open', token: server.token({ hub: 'open' }, { key: STRANGER }) }), 401);
    assert.equal(await server.status({ hub: 'open', token: null, authorization: 'Bearer x' }), 401);
  });

  check('C-9 token only in "Authorization: bearer" (lower case) → 101', async () => {
    for (const word of ['bearer', 'Bearer', 'BEARER']) {
      assert.equal(await server.status({ token: null, authorization: `${word} ${access()}` }), 101);
    }
    assert.equal(await server.status({ token: null, authorization: 'Basic eDp5' }), 401);
  });

  check('C-10 a valid query token wins over an invalid header; an invalid one is not rescued', async () => {
    assert.equal(await server.status({ token: access(), authorization: 'Bearer x.y.z' }), 101);
    assert.equal(await server.status({ token: 'x.y.z', authorization: `Bearer ${access()}` }), 401);
  });

  check('C-11 nothing offered → no Sec-WebSocket-Protocol and no connected frame', async () => {
    const raw = await server.raw();
    const answer = await raw.handshake({ path: `/client/hubs/chat?access_token=${access()}`, host: host() });
    assert.equal(answer.status, 101);
    assert.equal(answer.headers['sec-websocket-protocol'], undefined);
    await raw.write(frame(9, 'fence'));
    const f = await raw.frame();
    assert.deepEqual([f.opcode, f.payload.toString()], [10, 'fence']);
    raw.destroy();
  });

  check('C-12 known subprotocols are echoed, in the spelling of the offer', async () => {
    for (const name of [JSON_V1, RELIABLE_V1, 'JSON.WebPubSub.Azure.V1', PROTOBUF_V1, PROTOBUF_RELIABLE_V1, 'Protobuf.WebPubSub.Azure.V1']) {
      const raw = await server.raw();
      const answer = await raw.handshake({ path: `/client/hubs/chat?access_token=${access()}`, host: host(), protocols: name });
      assert.equal(answer.status, 101);
      assert.equal(answer.headers['sec-websocket-protocol'], name);
      const { payload } = await raw.frame();
      if (/^json/i.test(name)) assert.equal(JSON.parse(payload).event, 'connected');
      else assert.ok(down(payload).system_message.connected_message.connection_id);
      raw.destroy();
    }
  });

  check('C-13 offer foo, json, reliable without handler → the first known one', async () => {
    for (const protocols of [`foo, ${JSON_V1}, ${RELIABLE_V1}`, `foo ,\t${JSON_V1},${RELIABLE_V1}`]) {
      const raw = await server.raw();
      const answer = await raw.handshake({ path: `/client/hubs/chat?access_token=${access()}`, host: host(), protocols });
      assert.equal(answer.headers['sec-websocket-protocol'], JSON_V1);
      const connected = JSON.parse((await raw.frame()).payload);
      assert.equal(connected.reconnectionToken, undefined);
      raw.destroy();
    }
    // Several headers count as one list.
    const raw = await server.raw();
    const answer = await raw.handshake({
      path: `/client/hubs/chat?access_token=${access()}`, host: host(), protocols: 'foo',
      headers: [`Sec-WebSocket-Protocol: ${RELIABLE_V1}`, `Sec-WebSocket-Protocol: ${JSON_V1}`],
    });
    assert.equal(answer.headers['sec-websocket-protocol'], RELIABLE_V1);
    raw.destroy();
  });

  check('C-14 offer foo without handler → 101 without the header, simple behaviour', async () => {
    const listener = await server.simple({ groups: ['raw14'] });
    const raw = await server.raw();
    const answer = await raw.handshake({
      path: `/client/hubs/chat?webpubsub_mode=sendToGroup&group=raw14&access_token=${access()}`, host: host(), protocols: 'foo',
    });
    assert.equal(answer.status, 101);
    assert.equal(answer.headers['sec-websocket-protocol'], undefined);
    await raw.write(frame(TEXT, 'bare'));
    assert.equal(await listener.text(), 'bare');
    raw.destroy();
  });

  check('C-22 webpubsub_mode=bad → 400; SENDTOGROUP with group → 101; without → 400', async () => {
    const refusal = await server.refused({ query: { webpubsub_mode: 'bad' } });
    assert.equal(refusal.status, 400);
    assert.equal(refusal.body.trim(), 'Only raw sendToGroup mode is supported.');
    assert.equal(await server.status({ query: { webpubsub_mode: 'SENDTOGROUP', group: 'g' } }), 101);
    const none = await server.refused({ query: { webpubsub_mode: 'SENDTOGROUP' } });
    assert.equal(none.status, 400);
    assert.equal(none.body.trim(), 'The raw sendToGroup group name is invalid.');
    for (const group of ['', '   ', 'x'.repeat(1025)]) {
      assert.equal(await server.status({ query: { webpubsub_mode: 'sendToGroup', group } }), 400);
    }
    assert.equal(await server.status({ query: { webpubsub_mode: 'sendToGroup', group: 'ä'.repeat(1024) } }), 101);
    assert.equal(await server.status({ query: { webpubsub_mode: '' } }), 101);
    assert.equal(await server.status({ query: { webpubsub_mode: 'sendEvent' } }), 101);
    // The last of repeated ones counts, and JSON clients are checked as well.
    assert.equal(await server.status({ query: { webpubsub_mode: ['bad', 'sendEvent'] } }), 101);
    assert.equal(await server.status({ query: { webpubsub_mode: ['sendEvent', 'bad'] } }), 400);
    assert.equal(await server.status({ protocols: JSON_V1, query: { webpubsub_mode: 'bad' } }), 400);
  });

  check('C-23 noEcho=maybe with sendToGroup → 400; with sendEvent ignored', async () => {
    const mode = { webpubsub_mode: 'sendToGroup', group: 'g' };
    assert.equal(await server.status({ query: { ...mode, noEcho: 'maybe' } }), 400);
    assert.equal(await server.status({ query: { webpubsub_mode: 'sendEvent', noEcho: 'maybe' } }), 101);
    assert.equal(await server.status({ query: { noEcho: 'maybe' } }), 101);
    for (const noEcho of ['', 'true', 'FALSE', 'True']) {
      assert.equal(await server.status({ query: { ...mode, noEcho } }), 101, noEcho);
    }
    assert.equal(await server.status({ query: { ...mode, noEcho: ['maybe', 'true'] } }), 101);
    assert.equal(await server.status({ query: { ...mode, noEcho: ['true', 'maybe'] } }), 400);
  });

  check('C-24 the first frame of a PubSub client is connected even while messages flow', async () => {
    const publisher = await server.json();
    let stop = false;
    const flood = (async () => {
      for (let i = 0; !stop; i++) await publisher.publish('busy', i);
    })();
    try {
      for (let i = 0; i < 40; i++) {
        // json() asserts that `connected` is the first message.
        const c = await server.json({ groups: ['busy'], reliable: i % 2 === 1 });
        await c.type('message');
        await c.drop();
      }
    } finally { stop = true; await flood; }
  });

  check('1.6 health needs no token and answers HEAD', async () => {
    assert.equal((await server.http('/api/health')).status, 200);
    const head = await server.http('/api/health', { method: 'HEAD' });
    assert.equal(head.status, 200);
    assert.equal(head.body, '');
    const post = await server.http('/api/health', { method: 'POST', body: '' });
    assert.equal(post.status, 405);
  });

  check('1.6 an HTTP connection is kept alive, pipelined requests are answered in order', async () => {
    const raw = await server.raw();
    const get = (path) => `GET ${path} HTTP/1.1\r\nHost: ${host()}\r\n\r\n`;
    await raw.write(get('/api/health') + get('/nothing') + get('/api/health'));
    assert.equal((await raw.answer()).status, 200);
    assert.equal((await raw.answer()).status, 404);
    assert.equal((await raw.answer()).status, 200);
    await raw.write(RawHandshake());
    assert.equal((await raw.answer()).status, 101);
    raw.destroy();
    function RawHandshake() {
      return raw.constructor.request({ path: `/client/hubs/chat?access_token=${access()}`, host: host() });
    }
  });

  check('1.6 every refusal of a handshake is logged with its status, without the token', async () => {
    const from = server.lines.length;
    await server.refused({ token: 'eyJub3QiOiJhIn0.eyJ0b2tlbiI6MX0.c2lnbmF0dXJlLXRoYXQtaXMtbm90' });
    await server.logged((r) => JSON.stringify(r).includes('401'), { from, what: 'a record of the 401' });
    assert.doesNotMatch(server.err, /c2lnbmF0dXJlLXRoYXQtaXMtbm90/);
  });
});

function decodeSafe(s) { try { return decodeURIComponent(s); } catch { return s; } }
