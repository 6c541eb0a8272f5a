// SPDX-License-Identifier: Apache-2.0
// Abuse protection: nothing is posted to an address that has not agreed.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { check, suite } from './lib/cases.mjs';
import { ALLOW, Handler, HASTY, gate, hookServer, hookServerIn } from './lib/handler.mjs';
import { pass, until } from './lib/time.mjs';
import { remember } from './lib/token.mjs';

const CODE = 'c0de-of-the-probes-5512';
remember(CODE);
const app = await Handler.start();
const allow = (...event_handlers) => ({ anonymous: 'allow', event_handlers });
const server = hookServer({
  endpoints: ['https://pubsub.example.com:8443'],
  hubs: {
    '*': allow(app.all()),
    coded: allow(app.all({ url: `${app.origin}/{hub}/{event}?code=${CODE}` })),
    shared: allow(app.all({ url: `${app.origin}/shared/{event}` })),
    fixed: allow(app.all({ url: `${app.origin}/fixed` })),
    off: allow(app.all({ validate: false })),
    down: allow(app.all({ url: 'http://127.0.0.1:1/{event}' })),
    patient: allow(app.all({ timeout: '60s' })),
    brief: allow(app.all({ timeout: '2s' })),
  },
});
let number = 0;
const fresh = () => `p${++number}`;
const enter = (hub, more) => server.json({ hub, token: null, ...more });
const status = (hub) => server.status({ hub, token: null });
const origin = (...values) => ({ status: 200, headers: { 'WebHook-Allowed-Origin': values.length === 1 ? values[0] : values } });

suite('the probe', () => {
  check('S-58 OPTIONS comes first, once, with our name and nothing of the client', async () => {
    const door = gate(ALLOW);
    app.always({ hub: 'coded', method: 'OPTIONS' }, door.answer);
    const clients = Array.from({ length: 10 }, () => enter('coded', { headers: { cookie: 'a=b' } }));
    const probe = await app.one({ hub: 'coded' });
    assert.equal(probe.method, 'OPTIONS');
    assert.equal(probe.url, `/coded/validate?code=${CODE}`);
    assert.deepEqual(probe.lines('webhook-request-origin'), ['pubsub.example.com']);
    assert.deepEqual(probe.lines('ce-awpsversion'), ['1.0']);
    assert.deepEqual(probe.lines('host'), [new URL(app.origin).host]);
    assert.equal(probe.body.length, 0);
    for (const name of ['ce-signature', 'cookie', 'ce-id', 'ce-type', 'authorization', 'transfer-encoding']) assert.deepEqual(probe.lines(name), [], name);
    await pass(100);
    assert.deepEqual(app.seen({ hub: 'coded', method: 'POST' }), [], 'events wait for it');
    door.open();
    for (const c of await Promise.all(clients)) {
      await c.did({ type: 'event', event: 'e', data: 1 });
      await c.close(1000);
    }
    await app.wait({ hub: 'coded', event: 'disconnected' }, 10);
    // Each worker may hold a result of its own.
    const probes = app.seen({ hub: 'coded', method: 'OPTIONS' });
    assert.ok(probes.length <= 2, `${probes.length} probes`);
    assert.equal(app.seen({ hub: 'coded', method: 'POST' }).length, 40);
  });

  check('S-58 a URL without {event} is probed as it is; hubs that share a URL share its result', async () => {
    await enter('fixed');
    await app.wait({ path: '/fixed', method: 'POST' });
    assert.equal(app.seen({ path: '/fixed' })[0].method, 'OPTIONS');
    assert.deepEqual(app.seen({ path: '/fixed', method: 'OPTIONS' }).map((r) => r.url).slice(0, 1), ['/fixed']);
    for (let i = 0; i < 4; i++) await enter('shared');
    assert.ok(app.seen({ path: '/shared/validate' }).length <= 2);
  });

  check('S-59 what passes: *, our host in any case, with its port, a list, one of several lines', async () => {
    for (const answer of [origin('*'), origin('pubsub.example.com'), origin('PubSub.Example.COM'), origin('pubsub.example.com:8443'), origin('a.example.com, pubsub.example.com'), origin('x,*'),
      origin('a.example.com', 'pubsub.example.com', 'b.example.com'), origin('a.example.com', ' PUBSUB.example.com:8443 , z'), { ...origin('*'), status: 204 }, { ...origin('*'), status: 299 }, { ...origin('*'), body: 'ignored', headers: { 'webhook-ALLOWED-origin': '*', 'WebHook-Allowed-Rate': '0' } }]) {
      const hub = fresh();
      app.always({ hub, method: 'OPTIONS' }, answer);
      assert.equal(await status(hub), 101, JSON.stringify(answer));
    }
  });

  check('S-59 S-60 what fails: others, nothing said, refusals; connect is 500 and no event is sent', async () => {
    for (const answer of [origin('other.example.com'), origin('pubsub.example.com.evil.org'), origin('xpubsub.example.com'), origin('example.com'), origin('*.example.com'), origin(''), origin('a', 'b'), { status: 200 },
      { ...origin('*'), status: 400 }, { ...origin('*'), status: 401 }, { ...origin('*'), status: 500 }, { ...origin('*'), status: 302 }, { ...origin('*'), status: 405 },
      { drop: 'rst' }, { raw: 'garbage\r\n\r\n' }, { raw: '' }]) {
      const hub = fresh();
      app.always({ hub, method: 'OPTIONS' }, answer);
      const refusal = await server.refused({ hub, token: null });
      assert.deepEqual([refusal.status, refusal.body], [500, ''], JSON.stringify(answer));
      assert.deepEqual(app.seen({ hub, method: 'POST' }), []);
    }
  });

  check('S-60 404 is asked again as GET, whose answer counts', async () => {
    const [yes, no, none] = [fresh(), fresh(), fresh()];
    app.always({ hub: yes, method: 'OPTIONS' }, { status: 404 });
    app.always({ hub: yes, method: 'GET' }, origin('*'));
    assert.equal(await status(yes), 101);
    const [a, b] = app.seen({ hub: yes });
    assert.deepEqual([a.method, b.method, b.url], ['OPTIONS', 'GET', a.url]);
    assert.deepEqual(b.lines('webhook-request-origin'), ['pubsub.example.com']);
    assert.deepEqual(b.lines('ce-awpsversion'), ['1.0']);
    app.always({ hub: no, method: 'OPTIONS' }, { status: 404 });
    app.always({ hub: no, method: 'GET' }, { status: 404, headers: { 'WebHook-Allowed-Origin': '*' } });
    assert.equal(await status(no), 500);
    app.always({ hub: none, method: 'OPTIONS' }, { status: 404 });
    app.always({ hub: none, method: 'GET' }, { status: 200 });
    assert.equal(await status(none), 500);
    const direct = fresh();
    app.always({ hub: direct, method: 'OPTIONS' }, { status: 403 });
    assert.equal(await status(direct), 500);
    assert.deepEqual(app.seen({ hub: direct, method: 'GET' }), []);
  });

  check('S-60 after a failure it is repeated while events want it, and the handler is used again', { timeout: 40000 }, async () => {
    const hub = fresh();
    app.always({ hub, method: 'OPTIONS' }, { status: 403 });
    assert.equal(await status(hub), 500);
    let since = Date.now();
    // Somebody keeps coming; the result is repeated at intervals, not for each.
    await until(15000, 'three probes more', async () => { await status(hub); return app.seen({ hub, method: 'OPTIONS' }).length >= 7; }).catch(() => {});
    const times = app.seen({ hub, method: 'OPTIONS' }).map((r) => r.at);
    assert.ok(times.length >= 4, `${times.length} probes in ${Date.now() - since} ms`);
    const tries = (Date.now() - since) / 20;
    assert.ok(times.length < tries / 4, 'not one for each client');
    app.always({ hub, method: 'OPTIONS' }, ALLOW);
    since = Date.now();
    await until(5000, 'accepted again', async () => await status(hub) === 101);
    assert.ok(app.seen({ hub, method: 'POST' }).length >= 1);
  });

  check('S-60 the first failure is followed by another probe after a second, not before', async () => {
    const hub = fresh();
    app.always({ hub, method: 'OPTIONS' }, { status: 403 });
    const probes = () => app.seen({ hub, method: 'OPTIONS' });
    await until(5000, 'probes of both workers, and another', async () => { await status(hub); return probes().length >= 3; });
    // Two workers probe for themselves.
    probes().forEach((r, i, all) => assert.ok(i < 2 || r.at - all[i - 2].at >= 990, 'one of each worker'));
  });

  check('S-60 user events of clients that are in fail as well when the probe does', async (t) => {
    // connect goes elsewhere, so that the client is in before anything is probed.
    const hub = 'mixed';
    const s = await hookServerIn(t, { hubs: { [hub]: allow(app.all({ user_events: [], system_events: ['connect'] }), app.all({ url: `${app.origin}/closed/{event}`, system_events: [] })) } });
    app.always({ path: '/closed/validate' }, { status: 400 });
    const j = await s.json({ hub, token: null });
    assert.equal((await j.ask({ type: 'event', event: 'e', data: 1 })).error.name, 'InternalServerError');
    const c = await s.simple({ hub, token: null });
    c.send('x');
    assert.equal((await c.end()).code, 1011);
    assert.deepEqual(app.seen({ path: /^\/closed/, method: 'POST' }), []);
  });
});

suite('switches and words', () => {
  check('S-58 validate: false asks nobody', async () => {
    assert.equal(await status('off'), 101);
    await app.wait({ hub: 'off', event: 'connected' });
    assert.deepEqual(app.seen({ hub: 'off' }).filter((r) => r.method !== 'POST'), []);
  });

  check('S-58 validate_loopback: false asks nobody on this machine', async (t) => {
    const s = await hookServerIn(t, { webhook: { ...HASTY, validate_loopback: false }, hubs: { '*': allow(app.all()), named: allow(app.all({ url: `http://localhost:${app.port}/{hub}/{event}` })) } });
    for (const hub of ['loop', 'named']) {
      const c = await s.json({ hub, token: null });
      await app.wait({ hub, event: 'connected' });
      await c.close(1000);
      assert.deepEqual(app.seen({ hub }).filter((r) => r.method !== 'POST'), []);
    }
  });

  check('S-60 the log has the cause of a failure, and no secret', async () => {
    const from = server.lines.length;
    for (const [answer, cause] of [
      [origin('other.example.com'), 'AbuseProtectionResponseMissingAllowedOrigin'], [{ status: 200 }, 'AbuseProtectionResponseMissingAllowedOrigin'],
      [{ ...origin('*'), status: 403 }, 'AbuseProtectionResponseInvalidStatusCode'], [{ drop: 'rst' }, 'AbuseProtectionResponseFailed']]) {
      const hub = fresh();
      app.always({ hub, method: 'OPTIONS' }, answer);
      assert.equal(await status(hub), 500);
      await server.logged((r) => JSON.stringify(r).includes(cause) && JSON.stringify(r).includes(`/${hub}/`), { from, what: `${cause} of ${hub}` });
    }
    assert.equal(await status('down'), 500);
    await server.logged((r) => JSON.stringify(r).includes('AbuseProtectionResponseFailed') && JSON.stringify(r).includes('127.0.0.1:1'), { from, what: 'the port that is closed' });
    const hub = fresh();
    app.always({ hub, event: 'connect' }, { status: 502 });
    assert.equal(await status(hub), 502);
    const words = `Sending message during operation hub:${hub},event:connect,type:sys,category:connections,requestType:Connect got unexpected response with status code 502.`;
    await server.logged((r) => JSON.stringify(r).includes(words), { from, what: words });
    await server.logged((r) => JSON.stringify(r).includes('HttpHandlerUnexpectedResponse'), { from });
  });

  check('4 thousands of hubs are asked about a few at a time, and fail together when nobody answers', { timeout: 60000 }, async (t) => {
    const silent = await Handler.start();
    const door = gate(ALLOW);
    silent.always({ method: 'OPTIONS' }, door.answer);
    const s = await hookServerIn(t, { workers: 1, webhook: { ...HASTY, timeout: '30s', in_flight: 3 }, hubs: { '*': allow(silent.all()) } });
    const ask = (name) => Promise.all(Array.from({ length: 60 }, (_, i) => s.status({ hub: `${name}${i}`, token: null, ms: 25000 })));
    const asked = () => silent.seen({ method: 'OPTIONS' }).length;
    const first = ask('many');
    await silent.wait({ method: 'OPTIONS' }, 3);
    await pass(500);
    assert.equal(asked(), 3);
    const failed = (await first).filter((code) => code === 500).length;
    assert.ok(asked() <= 3 * 6, `${asked()} questions in ten seconds`);
    assert.ok(failed > 50, `${failed} of 60 have been told`);
    door.open();
    await until(5000, 'all are in', async () => (await ask('many')).every((code) => code === 101));
  });

  check('4 a reload asks again', async (t) => {
    const s = await hookServerIn(t, { hubs: { '*': allow(app.all()) } });
    await s.json({ hub: 'again', token: null });
    const before = app.seen({ hub: 'again', method: 'OPTIONS' }).length;
    s.child.kill('SIGHUP');
    await until(5000, 'probed again', async () => {
      await s.status({ hub: 'again', token: null });
      return app.seen({ hub: 'again', method: 'OPTIONS' }).length > before;
    });
    await s.json({ hub: 'again', token: null });
  });

  check('4 a reload that moves the handler loses no event, and asks there first', async (t) => {
    const s = await hookServerIn(t, { hubs: { moved: allow(app.all({ url: `${app.origin}/old/{event}` })) } });
    const c = await s.json({ hub: 'moved', token: null });
    const door = gate({ type: 'text/plain', body: 'from the old one' });
    app.queue({ path: '/old/e' }, door.answer);
    c.send({ type: 'event', event: 'e', data: 1 });
    c.send({ type: 'event', event: 'e', data: 2, ackId: 2 });
    await app.wait({ path: '/old/e' });
    writeFileSync(s.file, readFileSync(s.file, 'utf8').replace('/old/{event}', '/new/{event}'));
    s.child.kill('SIGHUP');
    await s.logged((r) => /SIGHUP: access keys/.test(r.msg), { what: 'the reload' });
    door.open();
    assert.equal((await c.json()).data, 'from the old one');
    assert.equal((await c.json()).ackId, 2);
    await c.did({ type: 'event', event: 'e', data: 3 });
    assert.equal(app.seen({ path: /^\/(new|old)\/e$/ }).at(-1).path, '/new/e');
    assert.equal(app.seen({ path: '/new/validate', method: 'OPTIONS' }).length >= 1, true);
    await c.close(1000);
    await app.wait({ path: '/new/disconnected' });
    assert.equal(await s.status({ hub: 'moved', token: null }), 101);
  });

  check('4 a probe that hangs lasts no longer than its 10 s, the event no longer than its timeout', { timeout: 40000 }, async () => {
    app.always({ hub: 'brief', method: 'OPTIONS' }, { hang: true });
    assert.equal(await status('brief'), 500);
    assert.equal(app.seen({ hub: 'brief', method: 'OPTIONS' })[0].gone, false, 'its 10 s are not over');
    app.always({ hub: 'patient', method: 'OPTIONS' }, { hang: true });
    const raw = await server.raw();
    const { RawSocket } = await import('./lib/rawsocket.mjs');
    await raw.write(RawSocket.request({ path: '/client/hubs/patient', host: `127.0.0.1:${server.port}` }));
    assert.equal((await raw.answer({ ms: 13000 })).status, 500);
    await until(5000, 'the first one is given up', () => app.seen({ hub: 'patient', method: 'OPTIONS' })[0].gone);
  });
});

suite('addresses that are refused', () => {
  check('refuse_private: no loopback, private or link-local target, whatever its name', async (t) => {
    const inner = await Handler.start();
    const { port } = inner;
    const urls = { plain: inner.origin, name: `http://localhost:${port}`, six: `http://[::1]:${port}`, mapped: `http://[::ffff:127.0.0.1]:${port}`, zero: `http://0.0.0.0:${port}`, ten: 'http://10.0.0.1:9', link: 'http://169.254.169.254', short: `http://127.1:${port}`, number: `http://2130706433:${port}` };
    const s = await hookServerIn(t, { webhook: { ...HASTY, refuse_private: true }, hubs: Object.fromEntries(Object.entries(urls).map(([hub, url]) => [hub, allow(inner.all({ url: `${url}/{event}` }))])) });
    for (const hub of Object.keys(urls)) assert.equal(await s.status({ hub, token: null }), 500, hub);
    assert.equal(inner.accepted, 0);
  });
});
