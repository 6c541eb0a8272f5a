// SPDX-License-Identifier: Apache-2.0
// What an application server is sent: headers and bodies of each event, URLs,
// signatures, cookies, certificates of clients. Every hub of the suite has URLs
// of its own, so that its requests are told from those of other tests.
import assert from 'node:assert/strict';
import { X509Certificate, createHmac } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { check, suite } from './lib/cases.mjs';
import * as certs from './lib/certs.mjs';
import { Handler, HASTY, gate, hookServer, hookServerIn } from './lib/handler.mjs';
import { Server, configuration, fixture, hasFixture } from './lib/server.mjs';
import { limit, pass } from './lib/time.mjs';
import { ALL, PRIMARY, SECONDARY, now, remember } from './lib/token.mjs';

const CODE = 'c0de-that-nobody-may-see-7781';
remember(CODE);
const app = await Handler.start();
const only = (more) => ({ url: `${app.origin}/{hub}/{event}`, ...more });
const server = hookServer({
  endpoints: ['https://pubsub.example.com:8443'],
  plugins: hasFixture('subprotocol-fixture') ? { 'subprotocol-fixture': { path: fixture('subprotocol-fixture') } } : {},
  hubs: {
    '*': { anonymous: 'allow', event_handlers: [app.all()] },
    uncounted: { anonymous: 'allow', event_handlers: [only({ user_events: 'a' })] },
    order: { anonymous: 'allow', event_handlers: [{ ...app.all(), url: `${app.origin}/first/{event}`, user_events: ['one'], system_events: [] }, { ...app.all(), url: `${app.origin}/rest/{event}` }] },
    patterns: { anonymous: 'allow', event_handlers: [only({ user_events: 'a, b' })] },
    listed: { anonymous: 'allow', event_handlers: [only({ user_events: ['a', 'B'] })] },
    nothing: { anonymous: 'allow', event_handlers: [only({ system_events: ['connected'] })] },
    coded: { anonymous: 'allow', event_handlers: [app.all({ url: `${app.origin}/api/{hub}/{event}?code=${CODE}&x=a%20b` })] },
    odd: { anonymous: 'allow', event_handlers: [app.all({ url: `${app.origin}/odd%7Bx%7D/{EVENT}?hub={Hub}&e={event}` })] },
  },
});
const here = () => new URL(server.origin).host;
const HOST = 'pubsub.example.com';
/** A client with the token of this server, whatever its public name is. */
const options = (more) => ({ origin: 'https://pubsub.example.com:8443', ...more });
const json = (more) => server.json(options(more));
const simple = (more) => server.simple(options(more));
const hmac = (key, id) => `sha256=${createHmac('sha256', key).update(id).digest('hex')}`;

const ALWAYS = ['Host', 'WebHook-Request-Origin', 'Content-Type', 'Content-Length', 'ce-specversion', 'ce-awpsversion', 'ce-type', 'ce-source', 'ce-id', 'x-ms-client-request-id', 'ce-time', 'ce-signature', 'ce-hub', 'ce-connectionId', 'ce-eventName'];

/** Exactly these fields, each once, spelt like that. */
function fields(r, ...more) {
  const harmless = ['accept', 'user-agent', 'connection', 'accept-encoding'];
  const names = r.pairs.map(([k]) => k).filter((k) => !harmless.includes(k.toLowerCase()));
  assert.deepEqual(names.map((n) => n.toLowerCase()).sort(), [...ALWAYS, ...more].map((n) => n.toLowerCase()).sort());
  for (const name of [...ALWAYS, ...more]) assert.ok(names.includes(name), `${name} is spelt like that, not as in ${names}`);
}

suite('headers', () => {
  check('S-10 S-11 S-12 S-15 every event has exactly its header fields', async () => {
    const c = await json({ hub: 'S10', user: 'alice' });
    await c.did({ type: 'event', event: 'order', dataType: 'json', data: { id: 1 } });
    await c.did({ type: 'event', event: 'order', dataType: 'json', data: { id: 2 } });
    await c.close(1000, 'bye');
    const list = await app.wait({ method: 'POST', hub: 's10' }, 5);
    assert.deepEqual(list.map((r) => r.event).sort(), ['connect', 'connected', 'disconnected', 'order', 'order']);
    const byId = [...list].sort((a, b) => a.id - b.id);
    assert.deepEqual(byId.map((r) => [r.id, r.event]), [['0', 'connect'], ['1', 'connected'], ['2', 'order'], ['3', 'order'], ['4', 'disconnected']]);
    for (const r of list) {
      fields(r, 'ce-userId', ...(r.event === 'connect' ? [] : ['ce-subprotocol']));
      const type = r.event === 'order' ? 'user.order' : `sys.${r.event}`;
      for (const [name, value] of Object.entries({
        host: new URL(app.origin).host, 'webhook-request-origin': HOST, 'ce-specversion': '1.0', 'ce-awpsversion': '1.0', 'ce-type': `azure.webpubsub.${type}`,
        'ce-source': `/hubs/s10/client/${c.connectionId}`, 'ce-hub': 's10', 'ce-connectionid': c.connectionId, 'ce-eventname': r.event, 'ce-userid': 'alice',
        'content-length': String(r.body.length), 'content-type': r.event === 'order' ? 'application/json' : 'application/json; charset=utf-8',
        ...(r.event === 'connect' ? {} : { 'ce-subprotocol': 'json.webpubsub.azure.v1' }),
      })) assert.deepEqual(r.lines(name), [value], `${name} of ${r.event}`);
      assert.match(r.headers['ce-time'], /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
      assert.ok(Math.abs(Date.parse(r.headers['ce-time']) - Date.now()) < 60000);
      assert.match(r.request, /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i);
    }
    assert.equal(new Set(list.map((r) => r.request)).size, 5, 'a new one for each event');
  });

  check('S-5 the hub is in lower case everywhere, the event as the client spelt it', async () => {
    const c = await json({ hub: 'MiXed' });
    await c.did({ type: 'event', event: 'OrDer', data: 1 });
    const [r] = await app.wait({ event: 'OrDer', conn: c.connectionId });
    assert.equal(r.url, '/mixed/OrDer');
    assert.equal(r.headers['ce-hub'], 'mixed');
    assert.equal(r.headers['ce-type'], 'azure.webpubsub.user.OrDer');
  });

  check('S-12 ce-id counts what nobody takes, and 0 belongs to connect', async () => {
    const c = await json({ hub: 'uncounted' });
    assert.equal((await c.ask({ type: 'event', event: 'b', data: 1 })).success, false);
    await c.did({ type: 'event', event: 'a', data: 1 });
    assert.deepEqual(app.events(c.connectionId).map((r) => [r.event, r.id]), [['a', '3']]);
  });

  check('S-13 S-2 the signature is of the connection id, by each key, without a blank', async () => {
    assert.equal(hmac('primarykey', 'conn1'), 'sha256=d784e4dad05e26fdb4ce36a5cf7dd790ff4182734a00fcac0a13051124b98a86');
    assert.equal(hmac('secondarykey', 'conn1'), 'sha256=2ad6a047c82972e9f198ccda494103891528a6c502f2c714e9276288f5fce77d');
    const c = await json({ hub: 's13' });
    const [r] = await app.wait({ hub: 's13', event: 'connected' });
    assert.deepEqual(r.lines('ce-signature'), [`${hmac(PRIMARY, c.connectionId)},${hmac(SECONDARY, c.connectionId)}`]);
  });

  check('S-14 one key, one item', async (t) => {
    const key = '7aab239577fd4f24bc919802fb629f5f';
    assert.equal(hmac(key, '0f9c97a2f0bf4706afe87a14e0797b11'), 'sha256=7767effcb3946f3e1de039df4b986ef02c110b1469d02c0a06f41b3b727ab561');
    const s = await hookServerIn(t, { keys: [key], hubs: { '*': { anonymous: 'allow', event_handlers: [app.all()] } } });
    const c = await s.json({ hub: 's14', token: null });
    const [r] = await app.wait({ conn: c.connectionId, event: 'connected' });
    assert.deepEqual(r.lines('ce-signature'), [hmac(key, c.connectionId)]);
    assert.deepEqual(r.lines('webhook-request-origin'), [hostname()], 'where no endpoint is configured');
  });

  check('S-15 no ce-userId without a user, no ce-subprotocol on connect and for simple clients', async () => {
    const c = await simple({ hub: 's15', token: null });
    c.send('x');
    await c.wsFence();
    await c.close(1000);
    for (const r of await app.wait({ hub: 's15', method: 'POST' }, 4)) fields(r);
    const refused = await json({ hub: 's15b', token: null, protocols: ['foo', 'json.webpubsub.azure.v1'] });
    const [connect, connected] = await app.wait({ conn: refused.connectionId }, 2);
    fields(connect);
    fields(connected, 'ce-subprotocol');
  });

  check('S-10 nothing of the client\'s own request is copied', async () => {
    const c = await json({ hub: 'copied', user: 'u', headers: { cookie: 'mine=1', 'x-mine': 'v', 'ce-hub': 'other', 'x-ms-client-request-id': 'mine', authorization: 'Basic eDp5' } });
    for (const r of await app.wait({ hub: 'copied', method: 'POST', conn: c.connectionId }, 2)) fields(r, 'ce-userId', ...(r.event === 'connect' ? [] : ['ce-subprotocol']));
  });
});

suite('urls', () => {
  check('S-16 {event} is the name, percent-encoded; the query is kept', async () => {
    const c = await json({ hub: 'coded' });
    const names = ['Order-1.a_b', 'x-._'];
    for (const event of names) await c.ask({ type: 'event', event, data: 1 });
    const s = await simple({ hub: 'coded' });
    s.send('x');
    await s.wsFence();
    await c.close(1000);
    const q = `?code=${CODE}&x=a%20b`;
    const urls = async (match, n = 1) => (await app.wait({ hub: 'coded', ...match }, n)).map((r) => r.url);
    assert.deepEqual(await urls({ method: 'OPTIONS' }), [`/api/coded/validate${q}`]);
    assert.deepEqual(await urls({ event: 'connect' }), [`/api/coded/connect${q}`]);
    assert.deepEqual(await urls({ event: 'connected' }), [`/api/coded/connected${q}`]);
    assert.deepEqual(await urls({ event: 'message' }), [`/api/coded/message${q}`]);
    assert.deepEqual(await urls({ event: 'disconnected', conn: c.connectionId }), [`/api/coded/disconnected${q}`]);
    const came = app.events(c.connectionId).filter((r) => r.headers['ce-type'].includes('.user.')).map((r) => r.url);
    assert.deepEqual(came, names.map((name) => `/api/coded/${name}${q}`));
  });

  check('S-16 names that our own protocols do not let through are encoded, and climb no path', { skip: !hasFixture('subprotocol-fixture') && 'the fixture plugins are not built' }, async () => {
    const c = await simple({ hub: 'climb', protocols: 'fixture.v1' });
    assert.equal(await c.text(), 'hello');
    const encoded = { 'order/new': 'order%2Fnew', '..': '%2E%2E', '.': '%2E', '../../x': '..%2F..%2Fx', '%2e%2e': '%252e%252e', '?a=b&c#d;e+f': '%3Fa%3Db%26c%23d%3Be%2Bf', 'x-._~': 'x-._~' };
    for (const [event, path] of Object.entries(encoded)) {
      c.send(`event ${event} text`);
      assert.match(await c.text(), /^answer OK/, event);
      const r = app.seen({ hub: 'climb', method: 'POST' }).at(-1);
      assert.deepEqual([r.url, r.headers['ce-eventname'], r.headers['ce-type']], [`/climb/${path}`, event, `azure.webpubsub.user.${event}`]);
    }
    c.send('event ümlaut text');
    assert.match(await c.text(), /^answer [^O]/, 'a header cannot carry it');
  });

  check('S-16 S-131 a secret of the query may come from a file or the environment', async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'webpubsubd-test-'));
    t.after(() => rmSync(folder, { recursive: true }));
    writeFileSync(join(folder, 'code'), `${CODE}-file\n`, { mode: 0o600 });
    const s = await hookServerIn(t, { hubs: {
      filed: { anonymous: 'allow', event_handlers: [app.all({ url: `${app.origin}/{hub}/{event}?code=\${file:${join(folder, 'code')}}` })] },
      env: { anonymous: 'allow', event_handlers: [app.all({ url: `${app.origin}/{hub}/{event}?code=\${env:HOOK_CODE}` })] },
    } }, { env: { HOOK_CODE: `${CODE}-env` } });
    for (const [hub, code] of [['filed', `${CODE}-file`], ['env', `${CODE}-env`]]) {
      await s.json({ hub, token: null });
      assert.equal((await app.one({ hub, event: 'connect' })).url, `/${hub}/connect?code=${code}`);
    }
  });

  check('S-16 parameter names in any case, in the query too; other braces stay encoded', async () => {
    const c = await json({ hub: 'odd' });
    await c.did({ type: 'event', event: 'new', data: 1 });
    assert.deepEqual(app.seen({ conn: c.connectionId, event: 'new' }).map((r) => r.url), ['/odd%7Bx%7D/new?hub=odd&e=new']);
    assert.deepEqual(app.seen({ method: 'OPTIONS' }).filter((r) => r.url.startsWith('/odd')).map((r) => r.url), ['/odd%7Bx%7D/validate?hub=odd&e=validate']);
  });

  check('S-6 templates that cannot be are refused before the start', async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'webpubsubd-test-'));
    t.after(() => rmSync(folder, { recursive: true }));
    const file = join(folder, 'c.yaml');
    for (const url of ['https://{hub}.example.com/e', 'https://example.com:{event}/', 'https://u{hub}@example.com/', 'http:///nohost', 'http://a b/', 'https://example.com/{@Microsoft.KeyVault(SecretUri=x)}', 'https://example.com/{other}', 'https://example.com/a{hub', 'ftp://example.com/', 'example.com/x', 'http://']) {
      writeFileSync(file, JSON.stringify(configuration({ plugins: { 'upstream-webhook': {} }, hubs: { '*': { event_handlers: [{ url, user_events: '*' }] } } })), { mode: 0o600 });
      const { code, err } = await Server.run(['-t', '-c', file]);
      assert.notEqual(code, 0, url);
      assert.match(err, /`url`/, `${url}: ${err}`);
    }
    writeFileSync(file, JSON.stringify(configuration({ plugins: { 'upstream-webhook': {} }, hubs: { '*': { event_handlers: [{ url: 'https://example.com/{hub}/{event}?code=x', user_events: '*' }] } } })), { mode: 0o600 });
    const good = await Server.run(['-t', '-c', file]);
    assert.equal(good.code, 0, good.err);
  });

  check('S-8 of two handlers that match only the first has the event', async () => {
    const c = await json({ hub: 'order' });
    await c.did({ type: 'event', event: 'one', data: 1 });
    await c.did({ type: 'event', event: 'two', data: 1 });
    await app.wait({ conn: c.connectionId, event: 'connected' });
    assert.deepEqual(app.events(c.connectionId).map((r) => r.path).sort(), ['/first/one', '/rest/connect', '/rest/connected', '/rest/two']);
  });

  check('S-9 patterns: a list, case ignored; none takes nothing', async () => {
    for (const hub of ['patterns', 'listed']) {
      const c = await json({ hub });
      for (const [event, taken] of [['a', true], ['B', true], ['b', true], ['A', true], ['c', false], ['ab', false], ['a.b', false]]) {
        assert.equal((await c.ask({ type: 'event', event, data: 1 })).success, taken, `${hub} ${event}`);
      }
      assert.deepEqual(app.events(c.connectionId).map((r) => r.event), ['a', 'B', 'b', 'A']);
    }
    const c = await json({ hub: 'nothing' });
    assert.equal((await c.ask({ type: 'event', event: 'connected', data: 1 })).success, false);
    const all = await json({ hub: 'everything' });
    for (const event of ['x', 'connect', 'validate']) await all.did({ type: 'event', event, data: 1 });
    assert.deepEqual(app.events(all.connectionId).filter((r) => r.headers['ce-type'].includes('.user.')).map((r) => r.event), ['x', 'connect', 'validate']);
  });
});

suite('bodies', () => {
  check('S-20 the connect body has exactly its five members', async () => {
    const token = server.token({ hub: 's20', origin: 'https://pubsub.example.com:8443', user: 'alice', roles: ALL });
    await json({ hub: 's20', protocols: ['json.webpubsub.azure.v1', 'custom.v1'], query: { room: ['7', 'ü&='], x: '', Access_Token: token }, headers: { cookie: 'a=b', 'X-Two': ['1', '2'], 'x-asrs-internal-x': 'no' } });
    const [r] = await app.wait({ hub: 's20', event: 'connect' });
    const body = r.json;
    assert.deepEqual(Object.keys(body).sort(), ['claims', 'clientCertificates', 'headers', 'query', 'subprotocols']);
    assert.deepEqual(body.query, { room: ['7', 'ü&='], x: [''] });
    assert.deepEqual(body.subprotocols, ['json.webpubsub.azure.v1', 'custom.v1']);
    assert.deepEqual(body.clientCertificates, []);
    const headers = Object.fromEntries(Object.entries(body.headers).map(([k, v]) => [k.toLowerCase(), v]));
    assert.deepEqual(headers.host, [here()]);
    assert.deepEqual(headers.cookie, ['a=b']);
    assert.deepEqual(headers['x-two'], ['1', '2']);
    for (const name of ['authorization', 'x-asrs-internal-x']) assert.equal(headers[name], undefined, name);
    for (const values of [...Object.values(body.headers), ...Object.values(body.claims)]) assert.ok(Array.isArray(values) && values.every((v) => typeof v === 'string'));
    assert.ok(!r.text.includes(token));
  });

  check('S-20 a token in the Authorization header is not passed on; no token: no claims, no subprotocol: none', async () => {
    const token = server.token({ hub: 's20b', origin: 'https://pubsub.example.com:8443', user: 'alice' });
    await simple({ hub: 's20b', token: null, authorization: `Bearer ${token}` });
    const [r] = await app.wait({ hub: 's20b', event: 'connect' });
    assert.ok(!r.text.includes(token) && !r.text.toLowerCase().includes('authorization'));
    assert.deepEqual(r.json.claims.sub, ['alice']);
    assert.deepEqual(r.json.subprotocols, []);
    await simple({ hub: 's20c', token: null });
    const [anonymous] = await app.wait({ hub: 's20c', event: 'connect' });
    assert.deepEqual(anonymous.json.claims, {});
    assert.deepEqual(anonymous.json.query, {});
  });

  check('S-21 claims are texts in their order; the user has both names', async () => {
    const exp = now() + 600;
    const long = 'http://schemas.xmlsoap.org/ws/2005/05/identity/claims/nameidentifier';
    await json({ hub: 's21', user: 'alice', roles: ['b', 'a', 'webpubsub.sendToGroup'], groups: ['g'], exp, number: 12, float: 1.5, list: ['z', 1, 'a'], yes: true, ü: '"\\\u0001' });
    const [r] = await app.wait({ hub: 's21', event: 'connect' });
    const { claims } = r.json;
    assert.deepEqual(claims.sub, ['alice']);
    assert.deepEqual(claims[long], ['alice']);
    assert.deepEqual(claims.exp, [String(exp)]);
    assert.deepEqual(claims.role, ['b', 'a', 'webpubsub.sendToGroup']);
    assert.deepEqual(claims['webpubsub.group'], ['g']);
    assert.deepEqual(claims.number, ['12']);
    assert.deepEqual(claims.float, ['1.5']);
    assert.deepEqual(claims.list, ['z', '1', 'a']);
    assert.deepEqual(claims.yes, ['true']);
    assert.deepEqual(claims['ü'], ['"\\\u0001']);
    assert.deepEqual(claims.aud, ['https://pubsub.example.com:8443/client/hubs/s21']);
  });

  check('S-20 certificates of clients: thumbprint and text', async (t) => {
    const s = await hookServerIn(t, { tls: { client_ca: certs.file('ca.pem'), client_certificate: 'optional' }, hubs: { '*': { anonymous: 'allow', event_handlers: [app.all()] } } });
    const own = { cert: certs.text('client.pem'), key: certs.text('client.key') };
    await s.json({ hub: 'mtls', tls: own });
    await s.json({ hub: 'notls' });
    const [r] = await app.wait({ hub: 'mtls', event: 'connect' });
    const real = new X509Certificate(certs.text('client.pem'));
    assert.equal(r.json.clientCertificates.length, 1);
    const [{ thumbprint, content }] = r.json.clientCertificates;
    assert.equal(thumbprint.toLowerCase(), real.fingerprint.replaceAll(':', '').toLowerCase());
    assert.match(content, /^-----BEGIN CERTIFICATE-----\r?\n/);
    assert.equal(new X509Certificate(content).fingerprint256, real.fingerprint256);
    assert.deepEqual(Object.keys(r.json.clientCertificates[0]).sort(), ['content', 'thumbprint']);
    assert.deepEqual((await app.one({ hub: 'notls', event: 'connect' })).json.clientCertificates, []);
  });

  check('S-38 connected is {}, disconnected has the text of the client\'s close', async () => {
    const c = await json({ hub: 's38' });
    await c.close(1000, 'test-close');
    const gone = await app.one({ hub: 's38', event: 'disconnected' });
    assert.equal((await app.one({ hub: 's38', event: 'connected' })).text, '{}');
    assert.deepEqual(gone.json, { reason: 'test-close' });
    const quiet = await json({ hub: 's38b' });
    await quiet.close();
    assert.deepEqual((await app.one({ hub: 's38b', event: 'disconnected' })).json, { reason: '' });
    const wrong = await json({ hub: 's38c' });
    wrong.send('{');
    const { reason } = await wrong.end();
    assert.deepEqual((await app.one({ hub: 's38c', event: 'disconnected' })).json, { reason });
    const cut = await json({ hub: 's38d' });
    await cut.drop();
    const last = await app.one({ hub: 's38d', event: 'disconnected' });
    assert.deepEqual(Object.keys(last.json), ['reason']);
    assert.equal(typeof last.json.reason, 'string');
  });

  check('S-43 frames of simple clients', async () => {
    const c = await simple({ hub: 's43' });
    c.send('grüße\u0000');
    c.send(Buffer.from([0, 255, 10]));
    c.ws.send('he', { fin: false });
    c.ws.send('llo', { fin: true });
    c.send('');
    const list = await app.wait({ hub: 's43', event: 'message' }, 4);
    assert.deepEqual(list.map((r) => [r.headers['content-type'], r.body.toString('hex')]), [
      ['text/plain; charset=utf-8', Buffer.from('grüße\u0000').toString('hex')], ['application/octet-stream', '00ff0a'],
      ['text/plain; charset=utf-8', Buffer.from('hello').toString('hex')], ['text/plain; charset=utf-8', '']]);
    const mode = await simple({ hub: 's43b', query: { webpubsub_mode: 'sendToGroup', group: 'g' } });
    mode.send('not an event');
    await mode.wsFence();
    assert.deepEqual(app.seen({ hub: 's43b', event: 'message' }), []);
  });

  check('S-44 dataType of JSON clients', async () => {
    const c = await json({ hub: 's44' });
    for (const [sent, type, body] of [
      [{ dataType: 'text', data: 'x"ü\n' }, 'text/plain; charset=utf-8', Buffer.from('x"ü\n')],
      [{ dataType: 'binary', data: 'AP8K' }, 'application/octet-stream', Buffer.from([0, 255, 10])],
      [{ dataType: 'binary', data: '' }, 'application/octet-stream', Buffer.alloc(0)],
      [{ dataType: 'protobuf', data: 'CgFh' }, 'application/x-protobuf', Buffer.from([10, 1, 97])],
    ]) {
      await c.did({ type: 'event', event: 'e', ...sent });
      const r = app.events(c.connectionId).at(-1);
      assert.equal(r.headers['content-type'], type);
      assert.deepEqual(r.body, body);
    }
    for (const data of [{ id: 1, ü: [null, 'x'] }, 'text', 7, false, [], {}, 'a\u0001']) {
      for (const more of [{ dataType: 'json' }, {}]) {
        await c.did({ type: 'event', event: 'e', data, ...more });
        const r = app.events(c.connectionId).at(-1);
        assert.equal(r.headers['content-type'], 'application/json');
        assert.deepEqual(r.json, data);
      }
    }
  });

  check('S-43 the largest message a client may send', async () => {
    const c = await simple({ hub: 'large' });
    app.always({ hub: 'large', event: 'message' }, (r) => ({ type: 'text/plain', body: String(r.body.length) }));
    c.send('x'.repeat(1048576));
    assert.equal(await c.text({ ms: 10000 }), '1048576');
    assert.equal(app.seen({ hub: 'large', event: 'message' })[0].lines('expect').length, 0);
  });

  check('S-46 events of one client follow each other, those of two do not wait', async () => {
    const [a, b] = await Promise.all([json({ hub: 's46' }), json({ hub: 's46' })]);
    const door = gate();
    app.queue({ hub: 's46', event: 'first' }, door.answer, door.answer);
    for (const c of [a, b]) {
      c.send({ type: 'event', event: 'first', data: 1 });
      for (let i = 0; i < 5; i++) c.send({ type: 'event', event: `n${i}`, data: i });
    }
    await app.wait({ hub: 's46', event: 'first' }, 2);
    await Promise.all([a.fence(), b.fence()]);
    assert.equal(app.seen({ hub: 's46' }).filter((r) => r.event.startsWith('n')).length, 0);
    door.open();
    for (const c of [a, b]) {
      await c.did({ type: 'event', event: 'last', data: 1 });
      const list = app.events(c.connectionId).filter((r) => r.headers['ce-type'].includes('.user.'));
      assert.deepEqual(list.map((r) => r.event), ['first', 'n0', 'n1', 'n2', 'n3', 'n4', 'last']);
      for (const r of list) assert.deepEqual(r.overlaps.filter((o) => o.event !== 'connected'), []);
    }
  });
});

suite('cookies, users, metadata', () => {
  check('S-132 cookies of answers come back on the later events of that client', async () => {
    app.queue({ hub: 's132', event: 'connect' }, { status: 204, headers: { 'Set-Cookie': ['lb=one; Path=/; HttpOnly', 'deep=1; Path=/s132/order', 'other=1; Path=/elsewhere', 'foreign=1; Domain=example.com', 'old=1; Max-Age=0'] } }, { status: 204 });
    const a = await json({ hub: 's132' });
    const b = await json({ hub: 's132' });
    const connected = await app.one({ conn: a.connectionId, event: 'connected' });
    assert.deepEqual(connected.lines('cookie'), ['lb=one']);
    app.queue({ conn: a.connectionId, event: 'order' }, { status: 500, headers: { 'Set-Cookie': 'failed=1; Path=/' } }, { status: 204, headers: { 'Set-Cookie': 'lb=two; Path=/' } });
    assert.equal((await a.ask({ type: 'event', event: 'order', data: 1 })).success, false);
    await a.did({ type: 'event', event: 'order', data: 2 });
    await a.did({ type: 'event', event: 'order', data: 3 });
    await a.close(1000);
    const list = await app.wait({ conn: a.connectionId }, 6);
    const cookie = (r) => r.lines('cookie').join('|').split('; ').sort().join('; ');
    assert.deepEqual(list.filter((r) => r.event === 'order').map(cookie), ['deep=1; lb=one', 'deep=1; lb=one', 'deep=1; lb=two']);
    assert.deepEqual(list.filter((r) => r.event === 'disconnected').map(cookie), ['lb=two']);
    await b.did({ type: 'event', event: 'order', data: 1 });
    for (const r of app.events(b.connectionId)) assert.deepEqual(r.lines('cookie'), []);
    for (const r of app.seen({ hub: 's132', method: 'OPTIONS' })) assert.deepEqual(r.lines('cookie'), []);
  });

  check('S-132 a flood of cookies for one client takes none from another', async (t) => {
    const s = await hookServerIn(t, { workers: 1, hubs: { '*': { anonymous: 'allow', event_handlers: [app.all()] } } });
    const [a, b] = await Promise.all([s.json({ hub: 'flood', token: null }), s.json({ hub: 'flood', token: null })]);
    const set = (conn, list) => app.queue({ conn, event: 'set' }, { status: 204, headers: { 'Set-Cookie': list } });
    set(a.connectionId, ['mine=1; Path=/']);
    await a.did({ type: 'event', event: 'set', data: 1 });
    for (let i = 0; i < 3; i++) {
      set(b.connectionId, Array.from({ length: 60 }, (_, k) => `flood${k}=1; Path=/`));
      await b.did({ type: 'event', event: 'set', data: 1 });
      await a.did({ type: 'event', event: 'look', data: 1 });
    }
    for (const r of app.seen({ conn: a.connectionId, event: 'look' })) assert.deepEqual(r.lines('cookie'), ['mine=1']);
  });

  check('S-133 users are raw UTF-8; line breaks never come into a header', async () => {
    const c = await json({ hub: 's133', user: 'zoë 日本' });
    const r = await app.one({ hub: 's133', event: 'connected' });
    assert.equal(Buffer.from(r.headers['ce-userid'], 'latin1').toString(), 'zoë 日本');
    await c.did({ type: 'event', event: 'e', data: 1 });
    app.queue({ hub: 's133b', event: 'connect' }, { type: 'application/json', body: '{"userId":"a\\r\\nx-evil: 1\\u0000b"}' });
    const d = await json({ hub: 's133b' });
    const said = await app.one({ hub: 's133b', event: 'connected' });
    assert.equal(said.headers['x-evil'], undefined);
    assert.equal(said.headers['ce-userid'], 'ax-evil: 1b');
    await d.did({ type: 'event', event: 'e', data: 1 });
  });

  check('S-133 a state that is not ASCII fails later events, without retry', async () => {
    app.queue({ hub: 's133c', event: 'connect' }, { status: 204, headers: { 'ce-connectionState': 'st\u00e4te' } });
    const c = await json({ hub: 's133c' });
    assert.equal((await c.ask({ type: 'event', event: 'e', data: 1 })).error.name, 'InternalServerError');
    assert.equal((await c.ask({ type: 'event', event: 'e', data: 1 })).success, false);
    await c.close(1000);
    await pass(300);
    assert.deepEqual(app.events(undefined).concat(app.seen({ hub: 's133c', method: 'POST' })).map((r) => r.event), ['connect']);
  });

  check('S-134 metadata goes as headers, and comes as headers', async () => {
    const c = await json({ hub: 's134' });
    app.queue({ hub: 's134', event: 'e' }, { type: 'text/plain', body: 'x', headers: { 'X-WebPubSub-Metadata-Foo': ['1', 'a, b ,  last '], 'x-webpubsub-metadata-bar': 'v' } }, { status: 204, headers: { 'X-WebPubSub-Metadata-Only': 'this' } });
    await c.ask({ type: 'event', event: 'e', data: 1, metadata: { Trace: '00-abc', trace: '00-def', other: 'x y' } });
    const r = await app.one({ hub: 's134', event: 'e' });
    assert.deepEqual(r.lines('x-webpubsub-metadata-trace'), ['00-def']);
    assert.deepEqual(r.lines('x-webpubsub-metadata-other'), ['x y']);
    assert.ok(r.pairs.some(([k]) => k === 'X-WebPubSub-Metadata-trace'), JSON.stringify(r.pairs));
    assert.deepEqual((await c.type('message')).metadata, { foo: 'last', bar: 'v' });
    await c.did({ type: 'event', event: 'e', data: 1 });
    const empty = await c.type('message');
    assert.deepEqual([empty.dataType, empty.data, empty.metadata], ['text', '', { only: 'this' }]);
    app.queue({ hub: 's134', event: 'message' }, { status: 200, headers: { 'X-WebPubSub-Metadata-Only': 'this' } });
    const s = await simple({ hub: 's134' });
    s.send('x');
    assert.equal(await s.text(), '');
  });

  check('3.14 Authorization: a token of ours, or one that a server hands out and that is kept', async (t) => {
    const issuer = await Handler.start();
    const handed = 'token-that-was-handed-out-1';
    [handed, 'fixed-token-of-the-file', 'client-secret-3391'].forEach(remember);
    issuer.always({ method: 'POST' }, { type: 'application/json', body: JSON.stringify({ access_token: handed, token_type: 'Bearer', expires_in: 3600 }) });
    const credentials = { type: 'client_credentials', token_url: `${issuer.origin}/oauth/token`, client_id: 'hooks', client_secret: 'client-secret-3391', scope: 'api://app/.default' };
    const broken = { ...credentials, token_url: `${issuer.origin}/refuses/token` };
    issuer.always({ path: '/refuses/token' }, { status: 401, type: 'application/json', body: '{"error":"invalid_client"}' });
    const s = await hookServerIn(t, { workers: 1, hubs: {
      bearer: { anonymous: 'allow', event_handlers: [app.all({ auth: { type: 'bearer', token: 'fixed-token-of-the-file' } })] },
      oauth: { anonymous: 'allow', event_handlers: [app.all({ auth: credentials })] },
      refused: { anonymous: 'allow', event_handlers: [app.all({ auth: broken })] },
      short: { anonymous: 'allow', event_handlers: [app.all({ auth: { ...credentials, token_url: `${issuer.origin}/short/token` } })] },
      stuck: { anonymous: 'allow', event_handlers: [app.all({ timeout: '300ms', auth: { ...credentials, token_url: `${issuer.origin}/hangs/token` } })] },
    } });
    issuer.always({ path: '/hangs/token' }, { hang: true });
    for (const [hub, token] of [['bearer', 'fixed-token-of-the-file'], ['oauth', handed]]) {
      const c = await s.json({ hub, token: null });
      await c.did({ type: 'event', event: 'e', data: 1 });
      for (const r of await app.wait({ hub, method: 'POST' }, 3)) assert.deepEqual(r.lines('authorization'), [`Bearer ${token}`]);
    }
    const asked = issuer.seen({ path: '/oauth/token' });
    assert.equal(asked.length, 1, 'kept until shortly before it expires');
    assert.equal(asked[0].headers['content-type'].split(';')[0], 'application/x-www-form-urlencoded');
    const form = new URLSearchParams(asked[0].text);
    assert.equal(form.get('grant_type'), 'client_credentials');
    assert.equal(form.get('scope'), 'api://app/.default');
    const basic = asked[0].headers.authorization && Buffer.from(asked[0].headers.authorization.slice(6), 'base64').toString();
    assert.ok(basic === 'hooks:client-secret-3391' || form.get('client_secret') === 'client-secret-3391');
    // One that is over is not used again.
    issuer.queue({ path: '/short/token' }, { type: 'application/json', body: JSON.stringify({ access_token: `${handed}-short`, token_type: 'bearer', expires_in: 1 }) });
    remember(`${handed}-short`);
    assert.equal(await s.status({ hub: 'short', token: null }), 101);
    await pass(1100);
    assert.equal(await s.status({ hub: 'short', token: null }), 101);
    assert.deepEqual(app.seen({ hub: 'short', event: 'connect' }).map((r) => r.headers.authorization), [`Bearer ${handed}-short`, `Bearer ${handed}`]);
    assert.equal(await s.status({ hub: 'refused', token: null }), 500);
    assert.equal(await s.status({ hub: 'stuck', token: null }), 500);
    assert.deepEqual(app.seen({ hub: /^(refused|stuck)$/, method: 'POST' }), []);
  });

  check('3.14 a token server that hangs and comes back is used again within 5 s', { timeout: 30000 }, async (t) => {
    const issuer = await Handler.start();
    const auth = { type: 'client_credentials', token_url: `${issuer.origin}/token`, client_id: 'hooks', client_secret: 'client-secret-4410' };
    ['client-secret-4410', 'token-after-the-silence'].forEach(remember);
    issuer.always({ path: '/token' }, { hang: true });
    const s = await hookServerIn(t, { workers: 1, webhook: { ...HASTY, timeout: '20s' }, hubs: { '*': { anonymous: 'allow', event_handlers: [app.all({ auth })] } } });
    const first = s.status({ hub: 'silence', token: null });
    await issuer.wait({ path: '/token' });
    issuer.always({ path: '/token' }, { type: 'application/json', body: JSON.stringify({ access_token: 'token-after-the-silence', expires_in: 3600 }) });
    await pass(3200);
    const start = Date.now();
    assert.equal(await s.status({ hub: 'silence', token: null }), 101);
    assert.ok(Date.now() - start < limit(1500));
    assert.equal(await first, 101, 'who has waited goes as well');
  });

  check('3.6 the handler may be reached over TLS, with a certificate of ours', async (t) => {
    const secure = await Handler.start({ tls: { ca: certs.text('ca.pem'), requestCert: true, rejectUnauthorized: true } });
    const keys = { client_certificate: certs.file('client.pem'), client_key: certs.file('client.key') };
    const s = await hookServerIn(t, {
      webhook: { ...HASTY, ca: certs.file('ca.pem') },
      hubs: { '*': { anonymous: 'allow', event_handlers: [secure.all(keys)] }, bare: { anonymous: 'allow', event_handlers: [secure.all()] } },
    });
    const c = await s.json({ hub: 'mtls' });
    await c.did({ type: 'event', event: 'e', data: 1 });
    assert.equal(await s.status({ hub: 'bare' }), 500);
    assert.deepEqual(secure.seen({ hub: 'bare' }), []);
  });
});
