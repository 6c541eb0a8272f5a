// SPDX-License-Identifier: Apache-2.0
// What only TLS listeners have: versions, certificates of clients, both kinds
// of listeners at once. The client suites run over TLS in tls-*.test.mjs.
import assert from 'node:assert/strict';
import net from 'node:net';
import tls from 'node:tls';
import { check, suite } from './lib/cases.mjs';
import * as certs from './lib/certs.mjs';
import { CLOSE, RawSocket, TEXT } from './lib/rawsocket.mjs';
import { suiteServer, testServer } from './lib/server.mjs';
import { pass, until, within } from './lib/time.mjs';
import { JSON_V1 } from './lib/wsclient.mjs';

const server = suiteServer({ tls: true });

const connect = (options) => within(5000, 'TLS', new Promise((resolve, reject) => {
  const socket = tls.connect({ port: server.port, host: '127.0.0.1', servername: 'localhost', ca: certs.text('ca.pem'), ...options });
  socket.once('secureConnect', () => resolve(socket));
  socket.once('error', reject);
}));

suite('tls', () => {
  check('TLS 1.2 and 1.3 are spoken, nothing older', async () => {
    for (const version of ['TLSv1.2', 'TLSv1.3']) {
      const socket = await connect({ minVersion: version, maxVersion: version });
      assert.equal(socket.getProtocol(), version);
      socket.destroy();
    }
    await assert.rejects(connect({ minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'ALL:@SECLEVEL=0' }));
  });

  check('the certificate is the configured one', async () => {
    const socket = await connect({});
    assert.equal(socket.authorized, true);
    assert.equal(socket.getPeerCertificate().subject.CN, 'server');
    socket.destroy();
  });

  check('plain HTTP on a TLS port ends the connection, others go on', async () => {
    const c = await server.json({ groups: ['g'] });
    const raw = await RawSocket.connect({ port: server.port });
    await raw.write('GET /api/health HTTP/1.1\r\nHost: x\r\n\r\n');
    await raw.end({ ms: 5000 });
    for (const bytes of ['\x16\x03\x01\x00\x05hello', Buffer.alloc(2000, 0xff), Buffer.from([0x16, 3, 1, 0xff, 0xff])]) {
      const bad = await RawSocket.connect({ port: server.port });
      await bad.write(bytes);
      bad.socket.end();
      await bad.end({ ms: 15000 });
    }
    await c.publish('g', 1);
    assert.equal((await c.json()).data, 1);
  });

  check('a message of 1 MiB and many small ones pass unchanged', async () => {
    const c = await server.json({ groups: ['big'] });
    const data = 'x'.repeat(1000000);
    await c.publish('big', data, { dataType: 'text' });
    assert.equal((await c.json({ ms: 10000 })).data, data);
    for (let i = 0; i < 500; i++) c.send({ type: 'sendToGroup', group: 'big', data: i });
    for (let i = 0; i < 500; i++) assert.equal((await c.json()).data, i);
  });

  check('a peer that stops in the TLS handshake is dropped in time', async (t) => {
    const s = await testServer(t, { tls: true, http: { first_byte_timeout: '500ms' } });
    const raw = await RawSocket.connect({ port: s.port });
    await raw.end({ ms: 5000 });
    assert.equal(await s.status(), 101);
  });

  check('a plain and a TLS listener beside each other', async (t) => {
    const s = await testServer(t, { listen: [{ address: '127.0.0.1:0' }, { address: '127.0.0.1:0', tls: { certificate: certs.file('server.pem'), key: certs.file('server.key') } }] });
    const [plain, secured] = [...s.ready.matchAll(/(https?):\/\/[^\s:]+:(\d+)/g)];
    assert.deepEqual([plain[1], secured[1]], ['http', 'https']);
    const port = Number(secured[2]);
    const a = await s.json({ groups: ['both'] });
    // aud with the other scheme is accepted (2.3).
    const b = await s.json({ wsOrigin: `wss://127.0.0.1:${port}`, origin: `https://127.0.0.1:${port}` });
    await b.publish('both', 'over TLS');
    assert.equal((await a.json()).data, 'over TLS');
    const r = await s.reliable({ groups: ['both'] });
    await r.drop();
    const again = await s.recovered(r, { wsOrigin: `wss://127.0.0.1:${port}` });
    await again.fence();
  });

  check('client certificates: optional', async (t) => {
    const s = await testServer(t, { tls: { client_ca: certs.file('ca.pem'), client_certificate: 'optional' } });
    assert.equal(await s.status(), 101);
    assert.equal(await s.status({ tls: { cert: certs.text('client.pem'), key: certs.text('client.key') } }), 101);
    await assert.rejects(s.status({ tls: { cert: certs.text('stranger.pem'), key: certs.text('stranger.key') } }));
    assert.equal(await s.status(), 101);
  });

  check('client certificates: required', async (t) => {
    const s = await testServer(t, { tls: { client_ca: certs.file('ca.pem'), client_certificate: 'required' } });
    assert.equal(await s.status({ tls: { cert: certs.text('client.pem'), key: certs.text('client.key') } }), 101);
    await assert.rejects(s.status());
    await assert.rejects(s.status({ tls: { cert: certs.text('stranger.pem'), key: certs.text('stranger.key') } }));
  });

  check('100 connections that break off during the handshake leave nothing behind', async (t) => {
    const s = await testServer(t, { tls: true });
    await s.status();
    const before = await s.descriptors();
    await Promise.all(Array.from({ length: 100 }, (x, i) => new Promise((resolve) => {
      const socket = net.connect({ port: s.port, host: '127.0.0.1' });
      socket.on('error', () => {});
      socket.on('close', resolve);
      socket.on('connect', () => {
        const secured = tls.connect({ socket, servername: 'localhost', ca: certs.text('ca.pem') });
        secured.on('error', () => {});
        if (i % 2) socket.resetAndDestroy(); else setImmediate(() => socket.destroy());
      });
    })));
    await until(10000, 'all descriptors are given back', async () => (await s.descriptors()) <= before);
  });

  // What TLS has taken of a queue has to be written as it was, whatever is
  // dropped behind it.
  async function paused(s, groups) {
    const url = new URL(s.url({ groups }));
    const raw = await s.raw();
    assert.equal((await raw.handshake({ path: url.pathname + url.search, host: url.host, protocols: JSON_V1 })).status, 101);
    raw.id = JSON.parse((await raw.frame()).payload).connectionId;
    raw.socket.pause();
    return raw;
  }

  check('C-145 a slow client is told so by a close frame, behind a record that waits', { timeout: 60000 }, async (t) => {
    const s = await testServer(t, { tls: true, limits: { queue_bytes: '1m' } });
    const publisher = await s.json();
    const raw = await paused(s, ['slow']);
    let closed = false;
    const record = s.logged((r) => r.connection === raw.id && String(r.code) === '1008', { ms: 30000, what: 'a close 1008' });
    record.then(() => { closed = true; }, () => {});
    for (let i = 0; !closed && i < 4000; i++) await publisher.publish('slow', 'x'.repeat(3000), { dataType: 'text' });
    await record;
    raw.socket.resume();
    assert.deepEqual(await raw.closing({ ms: 10000 }), { code: 1008, reason: 'The outbound message queue is full.' });
  });

  check('5.10 messages that expire behind a record that waits', { timeout: 60000 }, async (t) => {
    const s = await testServer(t, { tls: true, limits: { queue_bytes: '64m', queue_messages: 100000 } });
    const publisher = await s.json();
    const raw = await paused(s, ['ttl']);
    for (let i = 0; i < 6000; i++) publisher.send({ type: 'sendToGroup', group: 'ttl', data: 'x'.repeat(3000), dataType: 'text', ttlSeconds: 1 });
    await publisher.publish('void', 1);
    await pass(1500);
    raw.socket.resume();
    await publisher.publish('ttl', 'last', { dataType: 'text' });
    let count = 0;
    for (let last = false; !last; count++) {
      const f = await raw.frame({ ms: 10000 });
      assert.notEqual(f.opcode, CLOSE, f.payload.toString('latin1'));
      last = f.opcode === TEXT && JSON.parse(f.payload).data === 'last';
    }
    assert.ok(count < 6000, `${count}`);
    raw.destroy();
  });
});
