// SPDX-License-Identifier: Apache-2.0
// azure-server.md 7.7 to 7.10 and 7.12: existence, closing, membership,
// permissions; attached and detached.
import assert from 'node:assert/strict';
import { check, suite } from './lib/cases.mjs';
import {
  Rest, data, fresh, got, restIn, restServer, to,
} from './lib/rest.mjs';
import { until } from './lib/time.mjs';
import { RELIABLE_V1 } from './lib/wsclient.mjs';

const server = restServer({ workers: 4 });
const JSON_TYPE = 'application/json';
const bulk = (groups, filter) => ({ body: JSON.stringify({ groups, filter }), type: JSON_TYPE });
const REFUSED = 'The connection could not be recovered.';

suite('REST membership', () => {
  check('7.9 clients get no frame about it; it needs no role; it is idempotent', async () => {
    const hub = fresh();
    const rest = new Rest(server, { hub });
    const c = await server.json({ hub, user: 'u', roles: undefined });
    for (let i = 0; i < 2; i++) await rest.join('g', c);
    for (let i = 0; i < 2; i++) await rest.must(200, 'PUT', 'users/u/groups/g');
    await rest.send(to.group('g'), 'once');
    assert.deepEqual((await got(c)).map((m) => m.data), ['once']);
    for (let i = 0; i < 2; i++) await rest.leave('g', c);
    await rest.send(to.group('g'), 'late');
    assert.deepEqual(await got(c), []);
  });

  check('7.9 a user\'s connections of now, not of later; detached ones too', async () => {
    const hub = fresh();
    const rest = new Rest(server, { hub });
    const all = await Promise.all(Array.from({ length: 5 }, () => server.reliable({ hub, user: 'u' })));
    await all[4].drop();
    await rest.must(200, 'PUT', 'users/u/groups/g');
    const later = await server.json({ hub, user: 'u' });
    await rest.send(to.group('g'), 'x');
    assert.deepEqual(await got(later), []);
    for (const c of all.slice(0, 4)) assert.deepEqual(await data(c), ['x']);
    assert.deepEqual(await data(await server.recovered(all[4])), ['x']);
    assert.equal((await rest.page('g')).value.length, 5);
    await rest.must(204, 'DELETE', 'users/u/groups/g');
    assert.equal(await rest.exists(to.group('g')), false);
  });

  check('7.9 from all groups: one connection, one user', async () => {
    const hub = fresh();
    const rest = new Rest(server, { hub });
    const groups = ['a', 'b', 'c/d'];
    const [c, d] = await Promise.all([0, 1].map(() => server.json({ hub, user: 'u', groups })));
    const other = await server.json({ hub, user: 'v', groups });
    const counts = async () => (await Promise.all(groups.map(async (g) => (await rest.page(g)).value.length)));
    assert.deepEqual(await counts(), [3, 3, 3]);
    await rest.must(204, 'DELETE', `connections/${c.connectionId}/groups`);
    assert.deepEqual(await counts(), [2, 2, 2]);
    await rest.must(204, 'DELETE', 'users/u/groups');
    assert.deepEqual(await counts(), [1, 1, 1]);
    for (const path of ['connections/none/groups', 'users/none/groups', 'users/none/groups/a', 'groups/a/connections/none']) await rest.must(204, 'DELETE', path);
    for (const g of groups) await rest.send(to.group(g), g);
    assert.deepEqual([await data(c), await data(d), await data(other)], [[], [], groups]);
  });

  check('7.15 HEAD /users/{id}/groups/{group}', async () => {
    const hub = fresh();
    const rest = new Rest(server, { hub });
    await server.json({ hub, user: 'u', groups: ['g'] });
    await server.json({ hub, user: 'u' });
    await server.json({ hub, user: 'v' });
    const asked = async (...names) => (await Promise.all(names.map(async (n) => (await rest.ask('HEAD', `users/${n}`)).status)));
    assert.deepEqual(await asked('u/groups/g', 'u/groups/h', 'v/groups/g', 'w/groups/g'), [200, 404, 404, 404]);
  });

  check('S-90 addToGroups and removeFromGroups with filters; permissions stay', async () => {
    const hub = fresh();
    const rest = new Rest(server, { hub });
    const clients = await Promise.all(Array.from({ length: 12 }, (x, i) => server[i % 3 ? 'json' : 'reliable']({ hub, user: `u${i % 4}`, roles: undefined })));
    const members = async (g) => (await rest.page(g)).value.map((e) => e.userId).sort().join(' ');
    await rest.must(200, 'POST', ':addToGroups', bulk(['a', 'b'], "userId in ('u1','u2')"));
    assert.equal(await members('a'), 'u1 u1 u1 u2 u2 u2');
    assert.equal(await members('b'), await members('a'));
    await rest.must(200, 'POST', ':addToGroups', bulk(['c'], "'a' in groups and userId ne 'u1'"));
    assert.equal(await members('c'), 'u2 u2 u2');
    await rest.must(200, 'POST', ':removeFromGroups', bulk(['a', 'c', 'none'], "userId eq 'u2'"));
    assert.equal(await members('a'), 'u1 u1 u1');
    assert.equal(await members('c'), '');
    await rest.must(200, 'POST', ':addToGroups', bulk(['all', 'all', 'x']));
    assert.equal((await rest.page('all')).value.length, 12);
    await rest.must(200, 'POST', ':addToGroups', bulk(['none'], 'false'));
    assert.equal(await rest.exists(to.group('none')), false);
    // Selected before anything changes.
    await rest.must(200, 'POST', ':addToGroups', bulk(['p', 'q'], 'not (\'p\' in groups)'));
    assert.equal((await rest.page('q')).value.length, 12);
    await rest.must(200, 'POST', ':removeFromGroups', bulk(['p', 'q'], "'p' in groups"));
    assert.deepEqual([await rest.exists(to.group('p')), await rest.exists(to.group('q'))], [false, false]);
    assert.equal((await clients[1].ask({ type: 'leaveGroup', group: 'all' })).error.name, 'Forbidden');
    await rest.must(200, 'POST', ':removeFromGroups', bulk(['all']));
    assert.equal(await rest.exists(to.group('all')), false);
    const later = await server.json({ hub, user: 'u1' });
    await rest.send(to.group('a'), 'x');
    assert.deepEqual(await got(later), []);
  });

  check('S-90 nothing happens when one group of a bulk call is bad', async () => {
    const hub = fresh();
    const rest = new Rest(server, { hub });
    await server.json({ hub });
    await rest.refused(400, 'POST', ':addToGroups', bulk(['good', ' ']));
    await rest.refused(400, 'POST', ':addToGroups', bulk(['good'], 'x y'));
    assert.equal(await rest.exists(to.group('good')), false);
  });

  check('7.10 many groups at once', async () => {
    const hub = fresh();
    const rest = new Rest(server, { hub });
    const c = await server.json({ hub });
    const names = Array.from({ length: 500 }, (x, i) => `g${i}`);
    await rest.must(200, 'POST', ':addToGroups', bulk(names));
    for (const n of [0, 250, 499]) await rest.send(to.group(names[n]), String(n));
    assert.deepEqual(await data(c), ['0', '250', '499']);
    await rest.must(204, 'DELETE', `connections/${c.connectionId}/groups`);
    assert.equal(await rest.exists(to.group('g7')), false);
  });

  check('7.10 names that come again and again, and more of them than any client has', async () => {
    const hub = fresh();
    const rest = new Rest(server, { hub });
    await Promise.all(Array.from({ length: 40 }, (x, i) => server.json({ hub, user: `u${i}`, groups: ['own', 'g3'] })));
    const size = async (g) => (await rest.page(g)).value.length;
    await rest.must(200, 'POST', ':addToGroups', bulk(Array.from({ length: 100000 }, (x, i) => `g${i % 20}`)));
    assert.deepEqual(await Promise.all(['g0', 'g3', 'g19', 'own'].map(size)), [40, 40, 40, 40]);
    await rest.must(200, 'POST', ':removeFromGroups', bulk(Array.from({ length: 90000 }, (x, i) => `g${i + 1}`), "userId ne 'u7'"));
    assert.deepEqual(await Promise.all(['g0', 'g3', 'g19', 'own'].map(size)), [40, 1, 1, 40]);
  });

  check('S-135 membership of a detached reliable client is changed, counted, listed', async () => {
    const hub = fresh();
    const rest = new Rest(server, { hub });
    const c = await server.reliable({ hub, user: 'u', groups: ['old'] });
    await c.drop();
    const there = (what) => rest.exists(what);
    assert.deepEqual([await there(to.user('u')), await there(to.conn(c)), await there(to.group('old'))], [true, true, true]);
    await rest.join('new', c);
    await rest.leave('old', c);
    await rest.must(200, 'POST', ':addToGroups', bulk(['bulk'], "userId eq 'u' and 'new' in groups"));
    assert.deepEqual((await rest.page('bulk')).value, [{ connectionId: c.connectionId, userId: 'u' }]);
    for (const g of ['old', 'new', 'bulk']) await rest.send(to.group(g), g);
    const again = await server.recovered(c);
    assert.deepEqual((await got(again)).map((m) => [m.group, m.data]), [['new', 'new'], ['bulk', 'bulk']]);
  });
});

suite('REST closing', () => {
  const TEXT = 'Application server closed the connection.';

  check('S-101 reason: the message, close 1000, empty text; simple clients get the reason', async () => {
    const hub = fresh();
    const rest = new Rest(server, { hub });
    for (const [kind, text] of [['json', ''], ['reliable', ''], ['simple', 'x']]) {
      const c = await server[kind]({ hub, user: kind });
      await rest.must(204, 'POST', `users/${kind}/:closeConnections`, { query: { reason: 'x' } });
      if (c.connected) assert.deepEqual(await c.json(), { type: 'system', event: 'disconnected', message: `${TEXT} Reason: x` });
      assert.deepEqual(await c.end(), { code: 1000, reason: text }, kind);
      assert.deepEqual(c.queue, []);
    }
    const long = `${'ä'.repeat(200)}😀`;
    const [a, b] = [await server.json({ hub }), await server.simple({ hub })];
    await rest.must(204, 'POST', ':closeConnections', { query: { reason: long } });
    assert.equal((await a.json()).message, `${TEXT} Reason: ${long}`);
    assert.deepEqual(await a.end(), { code: 1000, reason: '' });
    assert.deepEqual(await b.end(), { code: 1000, reason: 'ä'.repeat(61) });
    const none = await server.json({ hub });
    await rest.must(204, 'DELETE', `connections/${none.connectionId}`);
    assert.equal((await none.json()).message, TEXT);
    await none.end();
    const empty = await server.json({ hub });
    await rest.must(204, 'DELETE', `connections/${empty.connectionId}`, { query: { reason: '' } });
    assert.match((await empty.json()).message, /^Application server closed the connection\.( Reason: )?$/);
  });

  check('S-102 a closed reliable client cannot recover, attached or detached', async () => {
    const hub = fresh();
    const rest = new Rest(server, { hub });
    const ways = [(c) => ['DELETE', `connections/${c.connectionId}`], () => ['POST', 'users/u/:closeConnections'], () => ['POST', 'groups/g/:closeConnections'], () => ['POST', ':closeConnections']];
    for (const way of ways) {
      for (const detached of [false, true]) {
        const c = await server.reliable({ hub, user: 'u', groups: ['g'] });
        if (detached) await c.drop();
        await rest.must(204, ...way(c), { query: { reason: 'r' } });
        assert.equal(await rest.exists(to.conn(c)), false, 'gone at once');
        if (!detached) await c.end();
        const again = await server.recover(c);
        assert.equal(again.protocol, RELIABLE_V1);
        assert.deepEqual(await again.end(), { code: 1008, reason: REFUSED });
        assert.deepEqual(again.queue, []);
      }
    }
  });

  check('S-103 excluded stays; ids are compared exactly', async () => {
    const hub = fresh();
    const rest = new Rest(server, { hub });
    const open = () => Promise.all(Array.from({ length: 6 }, () => server.json({ hub, user: 'u', groups: ['g'] })));
    for (const path of [':closeConnections', 'groups/g/:closeConnections', 'users/u/:closeConnections']) {
      const all = await open();
      await rest.must(204, 'POST', path, { query: { excluded: [all[1].connectionId, all[4].connectionId, 'nobody', `${all[0].connectionId} `] } });
      for (const [i, c] of all.entries()) {
        if (i === 1 || i === 4) assert.deepEqual(await got(c), []);
        else assert.equal((await c.end()).code, 1000);
      }
      assert.equal((await rest.page('g')).value.length, 2);
      for (const i of [1, 4]) await all[i].close(1000);
      await until(5000, 'the rest to be gone', async () => !(await rest.exists(to.user('u'))));
    }
  });

  check('S-75 closing what is not there, or another hub: 204, nobody is closed', async () => {
    const hub = fresh();
    const rest = new Rest(server, { hub });
    const c = await server.json({ hub, user: 'u', groups: ['g'] });
    for (const [method, path] of [['DELETE', 'connections/none'], ['POST', 'groups/none/:closeConnections'], ['POST', 'users/U/:closeConnections']]) await rest.must(204, method, path);
    const other = new Rest(server, { hub: fresh() });
    await other.must(204, 'POST', ':closeConnections');
    await other.must(204, 'DELETE', `connections/${c.connectionId}`);
    assert.deepEqual(await got(c), []);
  });

  check('S-101 messages sent before the close arrive before it', async () => {
    const hub = fresh();
    const rest = new Rest(server, { hub });
    const all = await Promise.all(Array.from({ length: 8 }, () => server.json({ hub })));
    for (let i = 0; i < 20; i++) await rest.send(to.all, String(i), { type: JSON_TYPE });
    await rest.must(204, 'POST', ':closeConnections');
    for (const c of all) {
      await c.end();
      assert.deepEqual(c.queue.map((m) => m.json.data ?? m.json.event), [...Array.from({ length: 20 }, (x, i) => i), 'disconnected']);
    }
  });
});

suite('REST permissions', () => {
  const may = async (c, type, group) => (await c.ask({ type, group, ...(type === 'sendToGroup' ? { data: 1 } : {}) })).success;
  const KINDS = [['sendToGroup', 'sendToGroup'], ['joinLeaveGroup', 'joinGroup']];

  check('S-94 grant, check, revoke, check; a group of the general role revoked; missing targetName', async () => {
    const hub = fresh();
    const rest = new Rest(server, { hub });
    for (const [name, type] of KINDS) {
      const c = await server.json({ hub, roles: undefined });
      const call = async (method, group, options) => (await rest.permission(method, name, c, group, options)).status;
      assert.deepEqual([await call('HEAD', 'g'), await call('PUT', 'g'), await call('PUT', 'g'), await call('HEAD', 'g'), await call('HEAD', 'G'), await may(c, type, 'g')], [404, 200, 200, 200, 404, true], name);
      assert.deepEqual([await call('DELETE', 'g'), await call('DELETE', 'g'), await call('HEAD', 'g'), await may(c, type, 'g')], [204, 204, 404, false], name);
      const general = await server.json({ hub, roles: [`webpubsub.${name}`] });
      const with_ = async (method, group) => (await rest.permission(method, name, general, group)).status;
      assert.deepEqual([await with_('HEAD', 'any'), await with_('DELETE', 'g'), await with_('HEAD', 'g'), await with_('HEAD', 'h')], [200, 204, 404, 200]);
      assert.deepEqual([await may(general, type, 'g'), await may(general, type, 'h')], [false, true]);
      assert.deepEqual([await with_('PUT', 'g'), await with_('HEAD', 'g'), await may(general, type, 'g')], [200, 200, true]);
      for (const method of ['PUT', 'DELETE', 'HEAD']) {
        const a = await rest.permission(method, name, c, undefined);
        assert.equal(a.status, 400);
        assert.equal(a.headers['x-ms-error-code'], 'Error.BadRequest');
        if (method !== 'HEAD') {
          assert.deepEqual(a.json, {
            code: 'Error.BadRequest', message: 'Invalid group name. Valid group name should be in between 1 and 1024 characters long.', target: 'Request', details: null, innererror: null,
          });
        }
        for (const group of ['', ' ', 'x'.repeat(1025)]) assert.equal((await rest.permission(method, name, c, group)).status, 400, `${method} ${group.slice(0, 3)}`);
      }
    }
  });

  check('S-94 targets are literal: patterns are names', async () => {
    const hub = fresh();
    const rest = new Rest(server, { hub });
    const c = await server.json({ hub, roles: ['webpubsub.sendToGroups.room.*'] });
    const ask = async (method, group) => (await rest.permission(method, 'sendToGroup', c, group)).status;
    await ask('PUT', '*');
    await ask('PUT', 'x.**');
    assert.deepEqual([await ask('HEAD', '*'), await ask('HEAD', 'y'), await ask('HEAD', 'x.y'), await ask('HEAD', 'room.1')], [200, 404, 404, 200]);
    await ask('DELETE', 'room.*');
    assert.deepEqual([await ask('HEAD', 'room.*'), await ask('HEAD', 'room.1')], [404, 200]);
    await ask('DELETE', 'room.1');
    assert.deepEqual([await ask('HEAD', 'room.1'), await ask('HEAD', 'room.2'), await may(c, 'sendToGroup', 'room.1'), await may(c, 'sendToGroup', 'room.2')], [404, 200, false, true]);
  });

  check('S-95 a granted sendToGroup lets the running client publish; revoking does not end membership', async () => {
    const hub = fresh();
    const rest = new Rest(server, { hub });
    const member = await server.json({ hub, groups: ['g'] });
    const c = await server.json({ hub, user: 'c', roles: undefined });
    assert.equal((await c.ask({ type: 'sendToGroup', group: 'g', data: 1 })).error.name, 'Forbidden');
    await rest.permission('PUT', 'sendToGroup', c, 'g');
    await c.publish('g', 2);
    assert.deepEqual(await data(member), [2]);
    await rest.permission('DELETE', 'joinLeaveGroup', member, 'g');
    await c.publish('g', 3);
    assert.deepEqual(await data(member), [3]);
    assert.equal(await may(member, 'leaveGroup', 'g'), false);
  });

  check('S-136 1 is sendToGroup, 2 joinLeaveGroup, case does not matter, 3 is 400', async () => {
    const hub = fresh();
    const rest = new Rest(server, { hub });
    const c = await server.json({ hub, roles: undefined });
    const ask = async (method, name, group) => (await rest.permission(method, name, c, group)).status;
    assert.deepEqual([await ask('PUT', '1', 'a'), await ask('HEAD', 'sendToGroup', 'a'), await ask('HEAD', 'joinLeaveGroup', 'a')], [200, 200, 404]);
    assert.deepEqual([await ask('PUT', 'SENDTOGROUP', 'b'), await ask('HEAD', 'sendtogroup', 'b'), await may(c, 'sendToGroup', 'b')], [200, 200, true]);
    assert.deepEqual([await ask('PUT', '2', 'c'), await ask('HEAD', 'JoinLeaveGroup', 'c'), await may(c, 'joinGroup', 'c')], [200, 200, true]);
    for (const method of ['PUT', 'DELETE', 'HEAD']) for (const name of ['3', '0', 'send', '01']) assert.equal(await ask(method, name, 'a'), 400, `${method} ${name}`);
  });

  check('7.12 grants survive recovery and can be changed while detached', async () => {
    const hub = fresh();
    const rest = new Rest(server, { hub });
    const c = await server.reliable({ hub, roles: undefined });
    await rest.permission('PUT', 'sendToGroup', c, 'before');
    await c.drop();
    assert.equal((await rest.permission('PUT', 'sendToGroup', c, 'while')).status, 200);
    assert.equal((await rest.permission('HEAD', 'sendToGroup', c, 'before')).status, 200);
    const again = await server.recovered(c);
    assert.deepEqual([await may(again, 'sendToGroup', 'before'), await may(again, 'sendToGroup', 'while'), await may(again, 'sendToGroup', 'other')], [true, true, false]);
  });

  check('7.12 the effect is there for the next request over another connection', async (t) => {
    const hub = fresh();
    const rest = new Rest(server, { hub });
    const lines = await rest.lines(t, 8);
    const clients = await Promise.all(Array.from({ length: 4 }, () => server.json({ hub, roles: undefined })));
    for (let i = 0; i < 100; i++) {
      const c = clients[i % 4];
      const group = `g${i}`;
      const [a, b] = [lines[i % 8], lines[(i + 3) % 8]];
      assert.equal((await a.permission('PUT', 'sendToGroup', c, group)).status, 200);
      assert.equal((await b.permission('HEAD', 'sendToGroup', c, group)).status, 200, `round ${i}`);
      assert.equal(await may(c, 'sendToGroup', group), true);
      assert.equal((await b.permission('DELETE', 'sendToGroup', c, group)).status, 204);
      assert.equal((await a.permission('HEAD', 'sendToGroup', c, group)).status, 404);
    }
  });

  check('7.3 the 1001st literal grant → 409 Error.Connection.Conflict, nothing changed', { timeout: 60000 }, async (t) => {
    const one = await restIn(t, { workers: 1, log: { level: 'warn' } });
    const rest = new Rest(one);
    const c = await one.json({ roles: undefined });
    const lines = await rest.lines(t, 4);
    await Promise.all(lines.map(async (line, l) => {
      for (let i = l; i < 1000; i += 4) assert.equal((await line.permission('PUT', 'sendToGroup', c, `g${i}`)).status, 200);
    }));
    const a = await rest.permission('PUT', 'sendToGroup', c, 'one more');
    assert.equal(a.status, 409, a.body);
    assert.equal(a.json.code, 'Error.Connection.Conflict');
    assert.equal((await rest.permission('HEAD', 'sendToGroup', c, 'one more')).status, 404);
    assert.equal((await rest.permission('PUT', 'sendToGroup', c, 'g7')).status, 200, 'one that is there');
    assert.equal((await rest.permission('PUT', 'joinLeaveGroup', c, 'one more')).status, 200, 'the other permission');
  });
});
