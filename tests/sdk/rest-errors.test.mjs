// SPDX-License-Identifier: Apache-2.0
// azure-server.md 7.2 and 7.3: the rules all operations have, and every way in
// which they are refused.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { check, suite } from './lib/cases.mjs';
import {
  NEWEST, Rest, VERSIONS, bearer, enc, fresh, got, restIn, restServer, to,
} from './lib/rest.mjs';
import { pass, within } from './lib/time.mjs';
import { SECONDARY } from './lib/token.mjs';

const server = restServer();
const rest = new Rest(server);
const TEXT = { body: 'x', type: 'text/plain' };
const JSON_TYPE = 'application/json';
const BAD = 'Error.BadRequest';

const error = (code, message, target) => ({
  code, message, target, details: null, innererror: null,
});
/** An answer with an application error, to the letter. */
function errs(answer, status, code, message, target) {
  assert.equal(answer.status, status);
  assert.equal(answer.headers['content-type'], 'application/json; charset=utf-8');
  assert.equal(answer.headers['x-ms-error-code'], code);
  assert.equal(answer.headers['api-supported-versions'], VERSIONS);
  assert.equal(answer.headers['retry-after'], undefined);
  if (message !== undefined) assert.equal(answer.body, JSON.stringify(error(code, message, target)));
}
/** 400 Error.BadRequest, whatever its message, about `target`. */
async function bad(target, method, tail, options) {
  const answer = await rest.ask(method, tail, options);
  const what = `${method} ${tail.slice(0, 80)} ${JSON.stringify(options?.query ?? options?.version ?? '').slice(0, 80)}: ${answer.body.slice(0, 300)}`;
  assert.equal(answer.status, 400, what);
  errs(answer, 400, BAD);
  assert.ok(answer.json.message.length > 5, what);
  if (target) assert.equal(answer.json.target, target, what);
  return answer.json;
}
/** Method, tail and status of all operations of 7.1 where nobody is. */
const operations = () => [
  ['POST', ':send', 202], ['POST', 'connections/c/:send', 202], ['POST', 'groups/g/:send', 202], ['POST', 'users/u/:send', 202],
  ['HEAD', 'connections/c', 404], ['HEAD', 'groups/g', 404], ['HEAD', 'users/u', 404],
  ['DELETE', 'connections/c', 204], ['POST', ':closeConnections', 204], ['POST', 'groups/g/:closeConnections', 204], ['POST', 'users/u/:closeConnections', 204],
  ['PUT', 'groups/g/connections/c', 404], ['DELETE', 'groups/g/connections/c', 204], ['DELETE', 'connections/c/groups', 204],
  ['PUT', 'users/u/groups/g', 404], ['DELETE', 'users/u/groups/g', 204], ['DELETE', 'users/u/groups', 204],
  ['POST', ':addToGroups', 200], ['POST', ':removeFromGroups', 200], ['GET', 'groups/g/connections', 200],
  ['PUT', 'permissions/sendToGroup/connections/c', 404], ['DELETE', 'permissions/sendToGroup/connections/c', 204], ['HEAD', 'permissions/sendToGroup/connections/c', 404],
  ['POST', ':generateToken', 200], ['HEAD', 'users/u/groups/g', 404], ['POST', ':invoke', 200],
];
/** A body where one is needed. */
function fitting(method, tail) {
  if (/:send|:invoke/.test(tail)) return TEXT;
  if (/ToGroups|FromGroups/.test(tail)) return { body: '{"groups":["g"]}', type: JSON_TYPE };
  if (/permissions/.test(tail)) return { query: { targetName: 'g' } };
  return {};
}

suite('REST answers', () => {
  check('S-70 S-75 every operation, in every api-version, with the status of the table; no bodies', { timeout: 60000 }, async () => {
    for (const version of [...VERSIONS.split(', '), '2020-10-01', '2021-05-01-preview', '2021-08-01-preview', '2022-10-01-preview', null]) {
      const one = new Rest(server, { hub: 'nobody', version });
      one.line = await server.raw();
      for (const [method, tail, status] of operations()) {
        const a = await one.ask(method, tail, fitting(method, tail));
        const what = `${version} ${method} ${tail}: ${a.status} ${a.body}`;
        assert.equal(a.status, status, what);
        assert.equal(a.headers['api-supported-versions'], VERSIONS, what);
        assert.equal(a.headers['strict-transport-security'], server.secure ? 'max-age=15724800; includeSubDomains' : undefined);
        assert.equal(a.headers['retry-after'], undefined);
        assert.equal(a.headers['x-ms-client-request-id'], undefined);
        assert.equal(a.headers['access-control-allow-origin'], undefined);
        if (status === 204) assert.equal(a.headers['content-length'], undefined, what);
        else if (status === 202 || /ToGroups|FromGroups/.test(tail)) assert.equal(a.headers['content-length'], '0', what);
      }
      one.end();
    }
  });

  check('S-70 the same where somebody is', async () => {
    const hub = fresh();
    const one = new Rest(server, { hub });
    const statuses = {
      'HEAD connections/c': 200, 'HEAD groups/g': 200, 'HEAD users/u': 200, 'PUT groups/g/connections/c': 200, 'PUT users/u/groups/g': 200,
      'PUT permissions/sendToGroup/connections/c': 200, 'HEAD permissions/sendToGroup/connections/c': 200, 'HEAD users/u/groups/g': 200,
    };
    for (const [method, tail, miss] of operations()) {
      const c = await server.json({ hub, user: 'u', groups: ['g'] });
      const path = tail.replace(/connections\/c\b/, `connections/${c.connectionId}`);
      const status = statuses[`${method} ${tail}`] ?? miss;
      const a = await one.ask(method, path, fitting(method, tail));
      assert.equal(a.status, status, `${method} ${tail}: ${a.status} ${a.body}`);
      if (/generateToken|:invoke|\/connections$/.test(tail)) continue;
      assert.equal(a.body, '');
      assert.equal(a.headers['content-length'], status === 204 ? undefined : '0', `${method} ${tail}`);
      if (c.ws.readyState === 1) await c.drop();
    }
  });

  check('7.2 the request id is echoed, also on refusals, and not without one', async () => {
    const id = '9C4A1B2D-0000-4a4a-8b8b-1234567890ab';
    const headers = { 'x-ms-client-request-id': id };
    for (const [method, tail, options] of [['POST', ':send', TEXT], ['HEAD', 'users/none', {}], ['POST', ':send', { ...TEXT, query: { filter: 'x y' } }], ['GET', 'groups/g/connections', {}], ['POST', ':generateToken', {}]]) {
      const a = await rest.ask(method, tail, { ...options, headers });
      assert.equal(a.headers['x-ms-client-request-id'], id, `${method} ${tail}`);
    }
  });

  check('S-72 S-73 S-74 what is missing: codes, texts, and HEAD without a body', async () => {
    const raw = await rest.kept();
    const names = { User: 'some user/ü', Connection: 'none', Group: 'gröup' };
    const missing = (kind) => `${kind} \`${names[kind]}\` is not found.`;
    const table = [
      ['HEAD', to.user(names.User), 'Warning.User.NotExisted', 'User'], ['HEAD', to.group(names.Group), 'Warning.Group.NotExisted', 'Group'],
      ['HEAD', to.conn(names.Connection), 'Warning.Connection.NotExisted', 'Connection'],
      ['PUT', `${to.user(names.User)}groups/g/`, 'Warning.User.NotExisted', 'User'], ['PUT', `${to.group('g')}${to.conn(names.Connection)}`, 'Error.Connection.NotExisted', 'Connection'],
      ...['sendToGroup', 'joinLeaveGroup'].flatMap((p) => ['PUT', 'HEAD'].map((m) => [m, `permissions/${p}/${to.conn(names.Connection)}`, 'Info.Connection.NotExisted', 'Connection']))];
    for (const [method, tail, code, kind] of table) {
      const path = tail.slice(0, -1);
      const a = await raw.ask(method, path, fitting(method, path));
      const text = JSON.stringify(error(code, missing(kind), kind));
      errs(a, 404, code, method === 'HEAD' ? undefined : missing(kind), kind);
      assert.equal(a.headers['content-length'], String(Buffer.byteLength(text)), `${method} ${path}`);
      // Had a body followed HEAD, the next answer would be none.
      assert.equal((await raw.ask('HEAD', '/api/health')).status, 200);
    }
    raw.end();
  });

  check('S-100 health: HEAD and GET, with any token or none, in any version', async () => {
    for (const auth of [null, 'Bearer nonsense', 'Basic x', bearer(`${server.origin}/api/health`)]) {
      for (const method of ['HEAD', 'GET']) {
        for (const version of [null, NEWEST, '2021-10-01']) assert.equal((await rest.ask(method, '/api/health', { auth, version })).status, 200);
      }
    }
  });

  check('7.1 an OpenAPI description of what is served', async () => {
    const a = await rest.must(200, 'GET', '/api/openapi.json', { auth: null, version: null });
    assert.match(a.headers['content-type'], /^application\/json/);
    const api = JSON.parse(a.body);
    assert.match(api.openapi, /^3\./);
    const text = JSON.stringify(Object.keys(api.paths)).replace(/\{[^}]*\}/g, '{}');
    for (const [, tail] of operations()) {
      if (tail === ':invoke') continue;
      const path = `/api/hubs/{}/${tail.replace(/\/[cgu](?=\/|$)/g, '/{}').replace('permissions/sendToGroup', 'permissions/{}')}`;
      assert.ok(text.includes(`"${path}"`), path);
    }
  });
});

suite('REST refusals', () => {
  check('S-105 api-version: missing is fine; unknown, twice, empty → 400', async () => {
    const soon = new Date(Date.now() + 30 * 86400e3).toISOString().slice(0, 10);
    for (const version of [null, '2025-01-01', soon]) await rest.must(202, 'POST', ':send', { ...TEXT, version });
    const message = 'The specified API version is not supported.';
    for (const version of ['2099-01-01', '', 'latest', '2024-13-01', '2021-10-02', '2020-01-01', '2024-12-01-preview2', ' 2024-12-01', '1']) {
      const answer = await rest.ask('POST', ':send', { ...TEXT, version: null, query: { 'api-version': version } });
      errs(answer, 400, BAD, message, 'api-version');
    }
    errs(await rest.ask('POST', ':send', { ...TEXT, query: { 'api-version': NEWEST } }), 400, BAD, message, 'api-version');
    for (const [method, tail] of operations()) {
      assert.equal((await rest.ask(method, tail, { ...fitting(method, tail), version: '2099-01-01' })).status, 400, `${method} ${tail}`);
    }
  });

  check('S-105 newer versions can be refused', async (t) => {
    const strict = await restIn(t, { rest: { accept_newer_api_versions: false } });
    const one = new Rest(strict);
    await one.must(400, 'POST', ':send', { ...TEXT, version: '2025-01-01' });
    await one.must(202, 'POST', ':send', TEXT);
  });

  check('S-5 bad hubs → 400', async () => {
    for (const hub of ['1chat', '_x', 'a-b', 'a%20b', 'x'.repeat(129), '%2F', 'h%C3%BCb']) {
      const answer = await rest.ask('POST', `/api/hubs/${hub}/:send`, TEXT);
      errs(answer, 400, BAD);
    }
    await rest.must(202, 'POST', `/api/hubs/${'x'.repeat(128)}/:send`, TEXT);
  });

  check('7.2 groups: blank, longer than 1024, no UTF-8 → 400', async () => {
    for (const name of ['%20', '%20%09%20', 'x'.repeat(1025)]) {
      await bad(null, 'POST', `groups/${name}/:send`, TEXT);
      await bad(null, 'PUT', `groups/${name}/connections/c`);
      await bad(null, 'GET', `groups/${name}/connections`);
      await bad(null, 'PUT', `users/u/groups/${name}`);
      await bad(null, 'PUT', 'permissions/sendToGroup/connections/c', { query: `targetName=${name}` });
    }
    for (const name of ['x'.repeat(1024), enc('😀'.repeat(512)), enc('ü'.repeat(1024)), '%20x']) await rest.must(202, 'POST', `groups/${name}/:send`, TEXT);
    for (const path of ['groups//:send', 'users//:send', 'connections//:send']) assert.ok([400, 404].includes((await rest.ask('POST', path, TEXT)).status), path);
    for (const path of ['groups/%FF/:send', 'users/%FF/:send', 'connections/%FF/:send', 'groups/%C0%80/:send', 'users/%zz/:send']) assert.equal((await rest.ask('POST', path, TEXT)).status, 400, path);
  });

  const integers = [
    ['messageTtlSeconds', 'POST', ':send', ['0', '300', '60'], ['301', '-1', '1.5', '', 'x', '1e2', ' 1', '99999999999999999999', '0x10']],
    ['messageTtlSeconds', 'POST', 'connections/c/:send', ['1'], ['301']], ['messageTtlSeconds', 'POST', 'users/u/:send', ['1'], ['301']], ['messageTtlSeconds', 'POST', 'groups/g/:send', ['1'], ['301']],
    ['minutesToExpire', 'POST', ':generateToken', ['1', '60', '2147483647'], ['0', '-1', '1.5', '', 'x', '2147483648']],
    ['maxpagesize', 'GET', 'groups/g/connections', ['1', '200'], ['0', '201', '-1', '1.5', '', 'x']],
    ['top', 'GET', 'groups/g/connections', ['1', '2147483647'], ['0', '-1', '1.5', '', 'x', '2147483648']],
  ];
  check('S-84 S-137 integers: out of range, fractional, empty, twice → 400 about the parameter', async () => {
    for (const [name, method, tail, good, wrong] of integers) {
      const options = fitting(method, tail);
      for (const value of good) assert.ok((await rest.ask(method, tail, { ...options, query: { [name]: value } })).status < 300, `${name}=${value}`);
      for (const value of wrong) await bad(name, method, tail, { ...options, query: { [name]: value } });
      await bad(name, method, tail, { ...options, query: { [name]: [good[0], good[0]] } });
    }
  });

  check('S-84 nothing happens before all parameters are checked', async () => {
    const hub = fresh();
    const one = new Rest(server, { hub });
    const c = await server.json({ hub, groups: ['g'] });
    await one.must(400, 'POST', ':send', { ...TEXT, query: { messageTtlSeconds: 301 } });
    await one.must(400, 'POST', ':send', { ...TEXT, query: { messageTtlSeconds: [1, 2] } });
    await one.must(400, 'POST', ':send', { ...TEXT, version: '2099-01-01' });
    await one.must(400, 'POST', ':closeConnections', { version: '2099-01-01' });
    assert.deepEqual(await got(c), []);
  });

  check('7.3 401: no body, WWW-Authenticate, whatever else is wrong', async () => {
    for (const [method, tail] of operations()) {
      const a = await rest.ask(method, tail, { ...fitting(method, tail), auth: null });
      assert.deepEqual([a.status, a.body, a.headers['www-authenticate'], a.headers['retry-after']], [401, '', 'Bearer', undefined], `${method} ${tail}`);
      assert.equal(a.headers['content-length'], '0');
    }
    for (const options of [{ version: '2099-01-01' }, { query: { filter: 'x y' } }, { body: 'x', type: 'text/html' }]) await rest.must(401, 'POST', ':send', { ...TEXT, ...options, auth: null });
  });

  check('7.3 404 for unknown paths: no body', async () => {
    for (const [method, path] of [['GET', 'nothing'], ['POST', ':sendx'], ['POST', ':Send'], ['POST', 'groups/g/c/:send'], ['POST', ''], ['POST', ':addToGroup'], ['POST', ':removeFromGroup'],
      ['GET', '/api/hubs'], ['GET', '/api'], ['GET', 'chat/rooms'], ['POST', 'connections/c/%3Asend/'], ['GET', '/api/hub/chat/:send'], ['POST', '/API/hubs/chat/:send']]) {
      const a = await rest.must(404, method, path, { body: '' });
      assert.deepEqual([a.body, a.headers['content-length'], a.headers['retry-after']], ['', '0', undefined], path);
    }
  });

  check('7.3 405 with Allow for known paths', async () => {
    const table = [['GET', ':send', 'POST'], ['POST', 'connections/c', 'DELETE, HEAD'], ['POST', 'groups/g/connections/c', 'DELETE, PUT'], ['POST', 'groups/g/connections', 'GET, HEAD'], ['PUT', 'users/u/groups', 'DELETE'],
      ['GET', 'users/u/groups/g', 'DELETE, HEAD, PUT'], ['GET', 'permissions/sendToGroup/connections/c', 'DELETE, HEAD, PUT'], ['PUT', ':addToGroups', 'POST'], ['DELETE', ':generateToken', 'POST'], ['PATCH', 'groups/g', 'HEAD'], ['OPTIONS', ':send', 'POST']];
    for (const [method, tail, allow] of table) {
      const a = await rest.must(405, method, tail, { body: '' });
      assert.deepEqual([a.body, a.headers.allow.split(/, */).sort().join(', ')], ['', allow], `${method} ${tail}`);
    }
  });

  check('S-90 bulk membership: content type, body and groups', async () => {
    for (const tail of [':addToGroups', ':removeFromGroups']) {
      for (const type of ['text/plain', undefined, 'application/octet-stream', 'application/jsonx', 'application/json; charset=klingon']) {
        assert.equal((await rest.ask('POST', tail, { body: '{"groups":["g"]}', type })).status, 415, `${tail} ${type}`);
      }
      await rest.must(200, 'POST', tail, { body: '{"groups":["g"],"x":1}', type: 'APPLICATION/JSON; charset=utf-8' });
      for (const filter of ['null', '""', '"userId eq null"']) await rest.must(200, 'POST', tail, { body: `{"groups":["g"],"filter":${filter}}`, type: JSON_TYPE });
      for (const body of ['', '{', 'null', '[]', '1', '"g"', '{}', '{"groups":null}', '{"groups":[]}', '{"groups":"g"}', '{"groups":{}}', '{"groups":[null]}', '{"groups":["a",1]}', '{"groups":[""]}', '{"groups":[" \\t"]}',
        JSON.stringify({ groups: ['x'.repeat(1025)] }), '{"groups":["g"],"filter":1}', '{"groups":["g"],"filter":[]}', '{"groups":["g"],"filter":" "}', '{"groups":["g"],"filter":"x y"}']) {
        const a = await rest.ask('POST', tail, { body, type: JSON_TYPE });
        assert.equal(a.status, 400, `${tail} ${body.slice(0, 50)}: ${a.status} ${a.body}`);
        assert.equal(a.headers['x-ms-error-code'], BAD);
      }
      await rest.must(200, 'POST', tail, { body: JSON.stringify({ groups: Array.from({ length: 2000 }, (x, i) => `g${i}`) }), type: JSON_TYPE });
      const over = await rest.ask('POST', tail, { body: JSON.stringify({ groups: ['g'], x: 'x'.repeat(1048576) }), type: JSON_TYPE });
      errs(over, 400, BAD);
      assert.match(over.json.message, /^Invalid Content-Length header\..*\b1048576\b/);
    }
  });

  check('S-96 generateToken: bad clientType and groups → 400', async () => {
    for (const query of [{ clientType: 'other' }, { clientType: '' }, { clientType: ['Default', 'Default'] }, { group: ' ' }, { group: ['g', '\t'] }, { userId: ['a', 'b'] }]) {
      await bad(null, 'POST', ':generateToken', { query });
    }
  });

  check('S-136 permission names', async () => {
    for (const name of ['3', 'sendtogroups', 'join', '0', 'sendToGroup.g']) await bad(null, 'PUT', `permissions/${name}/connections/c`, { query: { targetName: 'g' } });
  });

  check('S-104 a body announced over 16 MiB is refused at once', async () => {
    const raw = await server.raw();
    await raw.write(rest.request('POST', ':send', { type: 'text/plain', headers: { 'Content-Length': 17 * 1048576 } }));
    const a = await raw.answer();
    assert.ok([400, 413].includes(a.status), String(a.status));
    assert.equal(a.headers['retry-after'], undefined);
    raw.destroy();
  });

  check('7.2 Expect: 100-continue is honoured, and not before a refusal', async () => {
    const kept = await rest.kept();
    const raw = kept.line;
    const headers = { 'Content-Length': 2, Expect: '100-continue' };
    await raw.write(kept.request('POST', ':send', { type: 'text/plain', headers }));
    assert.equal((await raw.answer()).status, 100);
    await raw.write('hi');
    assert.equal((await raw.answer()).status, 202);
    await raw.write(kept.request('POST', ':send', { type: 'text/plain', headers, auth: null }));
    assert.equal((await raw.answer()).status, 401);
    raw.destroy();
  });
});

suite('REST limits', () => {
  check('7.3 429 with Retry-After and the limit; each key by itself', async (t) => {
    const limited = await restIn(t, { rest: { rate: 5, burst: 5 } });
    const one = new Rest(limited);
    one.line = await limited.raw();
    let refused;
    for (let i = 0; i < 30 && !refused; i++) {
      const a = await one.ask('POST', ':send', TEXT);
      if (a.status !== 202) refused = a;
    }
    assert.equal(refused?.status, 429);
    assert.match(refused.headers['retry-after'], /^[1-9][0-9]*$/);
    assert.equal(refused.headers['x-ms-error-code'], 'Error.TooManyRequests');
    assert.match(JSON.parse(refused.body).message, /\b5\b/);
    assert.equal((await one.ask('POST', ':send', { ...TEXT, key: SECONDARY })).status, 202, 'the other key');
    for (let i = 0; i < 8; i++) assert.equal((await one.ask('HEAD', '/api/health')).status, 200);
    one.end();
  });

  check('7.10 groups in a bulk call can be limited; the refusal says the limit', async (t) => {
    const limited = await restIn(t, { rest: { max_groups: 3 } });
    const one = new Rest(limited);
    const body = (n) => ({ body: JSON.stringify({ groups: Array.from({ length: n }, (x, i) => `g${i}`) }), type: JSON_TYPE });
    await one.must(200, 'POST', ':addToGroups', body(3));
    for (const tail of [':addToGroups', ':removeFromGroups']) assert.match((await one.refused(400, 'POST', tail, body(4))).message, /\b3\b/);
  });

  check('7.10 a connection in too many groups: 400 that names the limit', async (t) => {
    const limited = await restIn(t, { limits: { groups_per_connection: 5 } });
    const one = new Rest(limited);
    const c = await limited.json({ user: 'u', groups: ['a', 'b', 'c'] });
    const call = (path, ...names) => one.ask('POST', path, { body: JSON.stringify({ groups: names }), type: JSON_TYPE });
    assert.equal((await call(':addToGroups', 'a', 'd')).status, 200);
    const full = await call(':addToGroups', 'b', 'x', 'y');
    errs(full, 400, BAD);
    assert.match(full.json.message, /groups_per_connection/);
    assert.equal((await call(':removeFromGroups', 'a', 'b', 'x', 'y')).status, 200);
    await one.join('e', c);
    assert.equal((await call(':addToGroups', 'a', 'b')).status, 200);
    for (const path of [`groups/z/connections/${c.connectionId}`, 'users/u/groups/z']) errs(await one.ask('PUT', path), 400, BAD);
    assert.equal(await one.exists(to.group('z')), false);
  });

  check('S-106 with legacy_encoded_slash %2F stays as it is written', async (t) => {
    const legacy = await restIn(t, { rest: { legacy_encoded_slash: true } });
    const one = new Rest(legacy);
    const a = await legacy.json({ user: 'x', groups: ['a/b'] });
    const b = await legacy.json({ user: 'x', groups: ['a%2Fb'] });
    await one.send('groups/a%2Fb/', 'x');
    await one.send('groups/a%20b/', 'y');
    assert.deepEqual([(await got(a)).length, (await got(b)).length], [0, 1]);
  });

  check('the server does not stop in the middle of an answer', async (t) => {
    const going = await restIn(t, { workers: 1, tls: false, shutdown: { timeout: '10s', spread: '0s' } });
    const socket = connect({ port: going.port, host: '127.0.0.1' });
    const pieces = [];
    socket.on('data', (piece) => pieces.push(piece));
    const request = 'GET /api/openapi.json HTTP/1.1\r\nHost: x\r\n\r\n';
    socket.write(request.repeat(600)); // answers of 29 MB: more than sockets hold
    await once(socket, 'data');
    socket.pause();
    await pass(500);
    going.signal('SIGTERM');
    await going.logged((r) => /shutting down/.test(r.msg ?? ''), { what: 'shutting down' });
    await pass(300);
    socket.resume();
    await once(socket, 'close');
    const bytes = Buffer.concat(pieces).toString('latin1');
    const last = bytes.slice(bytes.lastIndexOf('HTTP/1.1 200'));
    const [head, body] = [last.slice(0, last.indexOf('\r\n\r\n')), last.slice(last.indexOf('\r\n\r\n') + 4)];
    assert.equal(body.length, Number(/content-length: (\d+)/i.exec(head)[1]));
    await within(8000, 'exit', going.exited);
  });

  check('7.3 503 with Retry-After while draining', async (t) => {
    const going = await restIn(t, { workers: 1, shutdown: { timeout: '20s', spread: '19s' } });
    const one = new Rest(going);
    await Promise.all([0, 1, 2, 3].map(() => going.json()));
    const raw = await going.raw();
    const bytes = one.request('POST', ':send', TEXT);
    await raw.write(bytes.subarray(0, 40));
    await going.http('/api/health'); // by the only worker, behind it
    going.signal('SIGTERM');
    await going.logged((r) => /shutting down/.test(r.msg ?? ''), { what: 'shutting down' });
    await raw.write(bytes.subarray(40));
    const a = await raw.answer();
    assert.equal(a.status, 503, `${a.status} ${a.body}`);
    assert.match(a.headers['retry-after'], /^[0-9]+$/);
    raw.destroy();
  });
});
