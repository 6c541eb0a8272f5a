// SPDX-License-Identifier: Apache-2.0
// SIGHUP: what a running server takes over from its configuration.
import assert from 'node:assert/strict';
import {
  copyFileSync, mkdtempSync, rmSync, writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import tls from 'node:tls';
import { check, suite } from './lib/cases.mjs';
import * as certs from './lib/certs.mjs';
import { controlled, hasUpstream } from './lib/control.mjs';
import { configuration, testServer } from './lib/server.mjs';
import { until, within } from './lib/time.mjs';
import { PRIMARY, SECONDARY, STRANGER } from './lib/token.mjs';

/** Write `options` over the server's file, or `text`, and wait until the log says what came of it. */
async function reload(s, options, { says = /are those of the configuration again/ } = {}) {
  const from = s.lines.length;
  writeFileSync(s.file, typeof options === 'string' ? options : JSON.stringify(configuration(options), null, 1));
  s.child.kill('SIGHUP');
  await s.logged((r) => says.test(r.msg), { from, what: `${says} in the log` });
  return s.lines.slice(from);
}

suite('SIGHUP', () => {
  check('S-4 a regenerated secondary key rejects old secondary tokens at once and drops no client', async (t) => {
    const s = await testServer(t, { workers: 2 });
    const c = await s.json({ groups: ['g'], token: s.token({ groups: ['g'], roles: ['webpubsub.sendToGroup'] }, { key: SECONDARY }) });
    const old = s.token({}, { key: SECONDARY });
    assert.equal(await s.status({ token: old }), 101);
    await reload(s, { workers: 2, keys: [PRIMARY, STRANGER] });
    for (let i = 0; i < 8; i++) assert.equal(await s.status({ token: old }), 401);
    assert.equal(await s.status({ token: s.token({}, { key: STRANGER }) }), 101);
    assert.equal(await s.status({ token: s.token({}) }), 101);
    await c.publish('g', 1);
    assert.equal((await c.json()).data, 1);
  });

  check('a configuration with faults changes nothing, and its faults are in the log', async (t) => {
    const s = await testServer(t, {});
    const lines = await reload(s, JSON.stringify({ ...configuration({ keys: [STRANGER] }), wrokers: 1 }), { says: /everything stays as it was/ });
    assert.ok(lines.some((r) => r.level === 'error' && /webpubsubd\.yaml:1:\d+: .*wrokers/.test(r.msg)), JSON.stringify(lines));
    assert.equal(await s.status({ token: s.token({}) }), 101);
    assert.equal(await s.status({ token: s.token({}, { key: STRANGER }) }), 401);
    const unreadable = await reload(s, '{', { says: /everything stays as it was/ });
    assert.ok(unreadable.some((r) => r.level === 'error' && /webpubsubd\.yaml:/.test(r.msg)));
  });

  check('hubs: new ones, others gone, the anonymous policy', async (t) => {
    const s = await testServer(t, { hubs: { one: { anonymous: 'deny' }, two: { anonymous: 'allow' } } });
    const c = await s.json({ hub: 'two', groups: ['g'] });
    assert.equal(await s.status({ hub: 'one', token: null }), 401);
    assert.equal(await s.status({ hub: 'three' }), 404);
    await reload(s, { hubs: { one: { anonymous: 'allow' }, three: { anonymous: 'deny' } } });
    assert.equal(await s.status({ hub: 'one', token: null }), 101);
    assert.equal(await s.status({ hub: 'two' }), 404);
    assert.equal(await s.status({ hub: 'three' }), 101);
    await c.publish('g', 'still here');
    assert.equal((await c.json()).data, 'still here');
  });

  check('while the server stops it does nothing, up to the last moment', async (t) => {
    const s = await testServer(t, {});
    await s.json({ groups: ['g'] });
    const often = setInterval(() => { for (let i = 0; i < 20; i++) s.child.kill('SIGHUP'); }, 0);
    try {
      await s.stop();
    } finally { clearInterval(often); }
    assert.deepEqual(s.exit, { code: 0, signal: null });
  });

  check('what takes a restart is named', async (t) => {
    const s = await testServer(t, {});
    const lines = await reload(s, { limits: { connections: 7 }, workers: 1, log: { level: 'info' } });
    assert.deepEqual(lines.map((r) => /`(\w+)` has changed, which takes a restart/.exec(r.msg)?.[1]).filter(Boolean).sort(), ['limits', 'workers']);
    const from = s.lines.length;
    await (await s.json()).drop();
    await s.status({ token: null });
    await s.logged((r) => r.level === 'info', { from, what: 'a refusal' });
    assert.deepEqual(s.lines.slice(from).filter((r) => r.level === 'debug'), [], 'log.level is info now');
  });

  check('renewed files of a certificate are shown to who comes next', async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'webpubsubd-reload-'));
    t.after(() => rmSync(folder, { recursive: true }));
    const config = { tls: { certificate: join(folder, 'c.pem'), key: join(folder, 'c.key') } };
    const put = (name) => {
      copyFileSync(certs.file(`${name}.pem`), config.tls.certificate);
      copyFileSync(certs.file(`${name}.key`), config.tls.key);
    };
    put('server');
    const s = await testServer(t, config);
    const peer = () => within(5000, 'TLS', new Promise((done, fail) => {
      const socket = tls.connect({ port: s.port, host: '127.0.0.1', rejectUnauthorized: false }, () => {
        done(socket.getPeerCertificate().subject.CN);
        socket.destroy();
      });
      socket.once('error', fail);
    }));
    assert.equal(await peer(), 'server');
    const c = await s.json({ groups: ['g'] });
    put('client');
    await reload(s, config);
    assert.equal(await peer(), 'client');
    await c.publish('g', 'on the old socket');
    assert.equal((await c.json()).data, 'on the old socket');
    writeFileSync(config.tls.certificate, 'no certificate');
    await reload(s, config, { says: /everything stays as it was/ });
    assert.equal(await peer(), 'client');
  });
});

suite('event handlers of a reload', () => {
  const when = { skip: !hasUpstream && 'the fixture plugins are not built' };
  const s = controlled({ hubs: { '*': { anonymous: 'deny' } } });
  const events = async () => JSON.parse((await s.http('/fixture/events')).body);

  check('reach clients that came before there were any', when, async () => {
    const c = await s.json({ hub: 'late' });
    c.send({ type: 'event', event: 'e', dataType: 'text', data: 'x', ackId: 1 });
    assert.equal((await c.json()).success, false);
    await reload(s, { ...s.options.config, hubs: { late: { event_handlers: [{ url: 'fixture:///echo', user_events: '*', system_events: ['disconnected'] }] } } });
    c.send({ type: 'event', event: 'e', dataType: 'text', data: 'y', ackId: 2 });
    assert.equal((await c.json()).data, 'y');
    assert.equal((await c.json()).success, true);
    await c.close(1000);
    await until(5000, 'the disconnected event', async () => (await events()).some((e) => e.type === 'disconnected'));
  });
});
