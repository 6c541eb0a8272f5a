// SPDX-License-Identifier: Apache-2.0
// Every method of the official server SDK, with the official client and ws as
// receivers, on one worker and on four.
import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { describe } from 'node:test';
import { check } from './lib/cases.mjs';
import {
  WebPubSubJsonProtocol, WebPubSubJsonReliableProtocol, odata,
} from './lib/deps.mjs';
import { officialClient } from './lib/official.mjs';
import {
  NEWEST, Rest, VERSIONS, answered, claimsOf, data, fresh, got, restServer, service,
} from './lib/rest.mjs';
import { secure } from './lib/server.mjs';
import { until } from './lib/time.mjs';
import { PRIMARY, SECONDARY, STRANGER, remember, sign, now } from './lib/token.mjs';

for (const workers of [1, 4]) {
  describe(`official server SDK, ${workers} workers`, { concurrency: 4 }, () => {
    const server = restServer({ workers });

    /** A hub with one receiver of each kind. */
    async function receivers(t, { userId = 'alice', groups } = {}) {
      const hub = fresh();
      const s = service(server, hub);
      const open = async (protocol) => {
        const made = officialClient({ s: server, hub, userId, groups, protocol, options: { autoReconnect: false } });
        t.after(() => made.c.stop());
        await made.start();
        return made;
      };
      const reliable = await open(WebPubSubJsonReliableProtocol());
      const json = await open(WebPubSubJsonProtocol());
      const simple = await server.simple({ hub, user: userId, groups });
      return {
        hub, s, reliable, json, simple, open,
      };
    }

    const payloads = [
      ['text', 'hällo "x"', { contentType: 'text/plain' }, 'hällo "x"', { text: 'hällo "x"' }],
      ['JSON object', { a: [1, null, 'x'] }, {}, { a: [1, null, 'x'] }, { text: '{"a":[1,null,"x"]}' }],
      ['JSON string', 'quoted', {}, 'quoted', { text: '"quoted"' }],
      ['JSON number', 1.5, {}, 1.5, { text: '1.5' }],
      ['JSON boolean', false, {}, false, { text: 'false' }],
      ['ArrayBuffer', new Uint8Array([0, 1, 255]).buffer, {}, [0, 1, 255], { binary: [0, 1, 255] }],
      ['view', new Uint8Array([9, 8]), {}, [9, 8], { binary: [9, 8] }],
      ['stream (chunked)', () => Readable.from([Buffer.from([1]), Buffer.from([2, 3])]), {}, [1, 2, 3], { binary: [1, 2, 3] }],
    ];

    check('S-115 sendToAll, sendToUser, sendToConnection, group.sendToAll: all kinds of content', async (t) => {
      const r = await receivers(t, { groups: ['g1'] });
      const id = r.json.seen.connected[0].connectionId;
      const seen = (x, list) => x.seen[list].map((e) => {
        const { data: d, dataType } = e.message;
        return dataType === 'binary' ? [...Buffer.from(d)] : d;
      });
      let server1 = 0; let group = 0; let alone = 0;
      for (const [name, payload, options, shown, frame] of payloads) {
        for (const call of [(o) => r.s.sendToAll(payload, o), (o) => r.s.sendToUser('alice', payload, o), (o) => r.s.group('g1').sendToAll(payload, o)]) {
          const answer = await answered(call, options);
          assert.equal(answer.status, 202, name);
          const m = await r.simple.next();
          if (frame.binary) assert.deepEqual([...m.binary], frame.binary, name);
          else assert.equal(m.text, frame.text, name);
        }
        server1 += 2; group += 1;
        assert.equal((await answered((o) => r.s.sendToConnection(id, payload, o), options)).status, 202);
        alone += 1;
        await r.reliable.wait(name, () => r.reliable.seen.server.length >= server1 && r.reliable.seen.group.length >= group);
        await r.json.wait(name, () => r.json.seen.server.length >= server1 + alone && r.json.seen.group.length >= group);
        for (const x of [r.reliable, r.json]) {
          assert.deepEqual(seen(x, 'server').at(-1), shown, name);
          assert.deepEqual(seen(x, 'group').at(-1), shown, name);
          const m = x.seen.group.at(-1).message;
          assert.deepEqual([m.group, m.fromUserId], ['g1', undefined]);
        }
      }
      assert.equal(r.reliable.seen.server.length, server1);
      assert.equal(r.json.seen.server.length, server1 + alone);
      assert.deepEqual(await r.simple.wsFence(), []);
    });

    check('S-115 options of sends: excludedConnections, filter, messageTtlSeconds', async () => {
      const hub = fresh();
      const s = service(server, hub);
      const [a, b, c] = await Promise.all(['ann', 'bob', "o'brien"].map((user) => server.json({ hub, user, groups: ['g'] })));
      const ids = [a, b].map((x) => x.connectionId);
      const text = { contentType: 'text/plain' };
      await s.sendToAll('1', { ...text, excludedConnections: ids });
      await s.sendToAll('2', { ...text, excludedConnections: [ids[0], 'not there'] });
      await s.sendToAll('3', { ...text, filter: "userId eq 'ann'" });
      await s.sendToAll('4', { ...text, filter: odata`userId eq ${"o'brien"}`, messageTtlSeconds: 60 });
      await s.sendToAll('5', { ...text, filter: "'g' in groups", excludedConnections: [c.connectionId] });
      await s.group('g').sendToAll('6', { ...text, excludedConnections: ids, messageTtlSeconds: 300 });
      await s.group('g').sendToAll('7', { ...text, filter: "userId in ('ann','bob')", excludedConnections: [ids[1]] });
      await s.sendToUser('bob', '8', { ...text, filter: "not ('g' in groups)", messageTtlSeconds: 0 });
      await s.sendToUser('bob', '9', { ...text, filter: 'length(groups) eq 1' });
      await s.sendToConnection(ids[0], '10', { ...text, messageTtlSeconds: 1 });
      assert.deepEqual(await data(a), ['3', '5', '7', '10']);
      assert.deepEqual(await data(b), ['2', '5', '9']);
      assert.deepEqual(await data(c), ['1', '2', '4', '6']);
    });

    check('S-115 long URLs, which the SDK signs as a whole', async () => {
      const hub = fresh();
      const s = service(server, hub);
      const c = await server.json({ hub });
      const excludedConnections = Array.from({ length: 200 }, (x, i) => `${c.connectionId.slice(0, -3)}${100 + i}`);
      await s.sendToAll('excluded', { contentType: 'text/plain', excludedConnections });
      const filter = Array.from({ length: 100 }, (x, i) => `userId ne 'somebody with a long name ${100 + i}'`).join(' and ');
      await s.sendToAll('filtered', { contentType: 'text/plain', filter });
      await s.group('ü'.repeat(1024)).addConnection(c.connectionId);
      await s.group('ü'.repeat(1024)).sendToAll('in', { contentType: 'text/plain' });
      assert.deepEqual(await data(c), ['excluded', 'filtered', 'in']);
    });

    check('S-71 sends to what is not there are accepted', async () => {
      const s = service(server, fresh());
      for (const call of [
        (o) => s.sendToAll({ a: 1 }, o), (o) => s.sendToUser('nobody', 'x', o),
        (o) => s.sendToConnection('none', 'x', o), (o) => s.group('empty').sendToAll('x', o)]) {
        const { status, headers } = await answered(call);
        assert.equal(status, 202);
        assert.equal(headers.get('api-supported-versions'), VERSIONS);
        assert.equal(headers.get('strict-transport-security'), secure ? 'max-age=15724800; includeSubDomains' : undefined);
      }
    });

    check('S-115 connectionExists, userExists, groupExists', async () => {
      const hub = fresh();
      const s = service(server, hub);
      const c = await server.json({ hub, user: 'alice', groups: ['g 1/ü'] });
      const asked = async () => [await s.connectionExists(c.connectionId), await s.userExists('alice'), await s.groupExists('g 1/ü')];
      assert.deepEqual(await asked(), [true, true, true]);
      assert.deepEqual([await s.connectionExists('x'), await s.userExists('Alice'), await s.groupExists('g')], [false, false, false]);
      const other = service(server, fresh());
      assert.equal(await other.connectionExists(c.connectionId), false, 'another hub');
      await c.close(1000);
      await until(5000, 'all to be gone', async () => !(await asked()).some(Boolean));
      const { status, headers } = await answered((o) => s.userExists('alice', o));
      assert.equal(status, 404);
      assert.equal(headers.get('x-ms-error-code'), 'Warning.User.NotExisted');
    });

    check('S-101 closeConnection, closeUserConnections, closeAllConnections, group.closeAllConnections', async (t) => {
      const r = await receivers(t, { groups: ['g'] });
      const ends = async (x, message) => {
        await x.wait('stopped', () => x.seen.stopped.length);
        assert.equal(x.seen.disconnected[0].message?.message, message);
      };
      await r.s.closeConnection(r.json.seen.connected[0].connectionId, { reason: 'bänned: "x"' });
      await ends(r.json, 'Application server closed the connection. Reason: bänned: "x"');
      assert.deepEqual(await r.simple.wsFence(), [], 'nobody else is told');
      await r.s.group('g').closeAllConnections();
      await ends(r.reliable, 'Application server closed the connection.');
      assert.deepEqual(await r.simple.end(), { code: 1000, reason: '' });
      const hub = r.hub;
      const two = await Promise.all([0, 1].map(() => server.json({ hub, user: 'bob' })));
      const kept = await server.json({ hub, user: 'carl' });
      await r.s.closeUserConnections('bob', { reason: 'bye' });
      for (const c of two) {
        assert.equal((await c.json()).message, 'Application server closed the connection. Reason: bye');
        assert.deepEqual(await c.end(), { code: 1000, reason: '' });
      }
      assert.deepEqual(await kept.fence(), []);
      await r.s.closeAllConnections({ reason: 'all' });
      assert.deepEqual((await kept.json()), { type: 'system', event: 'disconnected', message: 'Application server closed the connection. Reason: all' });
      await kept.end();
      for (const call of [(o) => r.s.closeConnection('none', o), (o) => r.s.closeUserConnections('none', o), (o) => r.s.closeAllConnections(o), (o) => r.s.group('none').closeAllConnections(o)]) {
        assert.equal((await answered(call)).status, 204);
      }
    });

    check('S-102 a closed official client that reconnects by itself is a new connection', async (t) => {
      const hub = fresh();
      const s = service(server, hub);
      const made = officialClient({ s: server, hub, userId: 'u', groups: ['token'], protocol: WebPubSubJsonReliableProtocol() });
      t.after(() => made.c.stop());
      await made.start();
      await made.c.joinGroup('joined');
      const first = made.seen.connected[0].connectionId;
      await s.closeConnection(first, { reason: 'r' });
      await made.wait('a second connection', () => made.seen.connected.length > 1, 20000);
      const second = made.seen.connected[1].connectionId;
      assert.notEqual(second, first);
      assert.equal(made.seen.disconnected[0].message.message, 'Application server closed the connection. Reason: r');
      assert.deepEqual([await s.connectionExists(first), await s.connectionExists(second)], [false, true]);
      await until(5000, 'the groups of before', async () => (await Promise.all(['token', 'joined'].map((g) => s.groupExists(g)))).every(Boolean));
    });

    check('S-115 group(): addConnection, removeConnection, addUser, removeUser', async () => {
      const hub = fresh();
      const s = service(server, hub);
      const g = s.group('room/ü 1');
      assert.deepEqual([g.groupName, g.hubName, g.apiVersion], ['room/ü 1', hub, NEWEST]);
      const a = await server.json({ hub, user: 'ann' });
      const b = await server.reliable({ hub, user: 'ann' });
      const send = (n) => g.sendToAll(n);
      await g.addConnection(a.connectionId);
      await g.addConnection(a.connectionId);
      await send(1);
      await g.addUser('ann');
      await send(2);
      await g.removeConnection(a.connectionId);
      await g.removeConnection(a.connectionId);
      await send(3);
      await g.removeUser('ann');
      await g.removeUser('nobody');
      await send(4);
      assert.deepEqual(await data(a), [1, 2]);
      assert.deepEqual(await data(b), [2, 3]);
      await assert.rejects(g.addConnection('none'), (e) => e.statusCode === 404);
      await assert.rejects(g.addUser('nobody'), (e) => e.statusCode === 404 && e.code === 'Warning.User.NotExisted' && e.message === 'User `nobody` is not found.');
    });

    check('S-90 addConnectionsToGroups, removeConnectionsFromGroups, removeConnectionFromAllGroups, removeUserFromAllGroups', async () => {
      const hub = fresh();
      const s = service(server, hub);
      const [a, b, c] = await Promise.all(['ann', 'bob', 'bob'].map((user) => server.json({ hub, user })));
      const there = async () => (await Promise.all(['g1', 'g2'].map((g) => s.groupExists(g)))).map(Number).join('');
      const { status } = await answered((o) => s.addConnectionsToGroups(['g1', 'g2'], "userId eq 'bob'", o));
      assert.equal(status, 200);
      await s.group('g1').sendToAll(1);
      await s.group('g2').sendToAll(2);
      await s.removeConnectionsFromGroups(['g2'], `connectionId eq '${b.connectionId}'`);
      await s.group('g2').sendToAll(3);
      assert.deepEqual(await data(a), []);
      assert.deepEqual(await data(b), [1, 2]);
      assert.deepEqual(await data(c), [1, 2, 3]);
      assert.equal(await there(), '11');
      await s.removeConnectionFromAllGroups(c.connectionId);
      assert.equal(await there(), '10');
      await s.removeUserFromAllGroups('bob');
      assert.equal(await there(), '00');
      await s.removeUserFromAllGroups('nobody');
      await s.removeConnectionFromAllGroups('none');
      await s.addConnectionsToGroups(['g1'], '');
      assert.equal(await there(), '10');
      await s.group('g1').sendToAll('all');
      for (const x of [a, b, c]) assert.deepEqual(await data(x), ['all']);
    });

    check('S-94 grantPermission, hasPermission, revokePermission', async () => {
      const hub = fresh();
      const s = service(server, hub);
      const c = await server.json({ hub, roles: undefined });
      for (const [name, request] of [['sendToGroup', { type: 'sendToGroup', group: 'g', data: 1 }], ['joinLeaveGroup', { type: 'joinGroup', group: 'g' }]]) {
        const has = () => s.hasPermission(c.connectionId, name, { targetName: 'g' });
        const may = async () => (await c.ask(request)).success;
        assert.deepEqual([await has(), await may()], [false, false]);
        await s.grantPermission(c.connectionId, name, { targetName: 'g' });
        assert.deepEqual([await has(), await may()], [true, true]);
        await s.revokePermission(c.connectionId, name, { targetName: 'g' });
        assert.deepEqual([await has(), await may()], [false, false]);
        await assert.rejects(s.grantPermission(c.connectionId, name), (e) => e.statusCode === 400
          && e.message === 'Invalid group name. Valid group name should be in between 1 and 1024 characters long.');
        await assert.rejects(s.grantPermission('none', name, { targetName: 'g' }), (e) => e.statusCode === 404
          && e.code === 'Info.Connection.NotExisted');
        await s.revokePermission('none', name, { targetName: 'g' });
        assert.equal(await s.hasPermission('none', name, { targetName: 'g' }), false);
      }
    });

    check('S-91 group().listConnections: every entry, maxPageSize, top, byPage', async () => {
      const hub = fresh();
      const s = service(server, hub);
      const clients = await Promise.all([...'abcdef'].map((user, i) => server.json({ hub, user: i ? user : undefined, groups: ['g'] })));
      const wanted = clients.map((c) => ({ connectionId: c.connectionId, ...(c.options.user ? { userId: c.options.user } : {}) }))
        .sort((x, y) => (x.connectionId < y.connectionId ? -1 : 1));
      const list = async (options) => {
        const all = [];
        for await (const x of await s.group('g').listConnections(options)) all.push(JSON.parse(JSON.stringify(x)));
        return all;
      };
      const sizes = async (options) => {
        const all = [];
        for await (const page of (await s.group('g').listConnections(options)).byPage()) all.push(page.length);
        return all;
      };
      assert.deepEqual(await list(), wanted);
      assert.deepEqual(await list({ maxPageSize: 1 }), wanted);
      assert.deepEqual(await list({ top: 3 }), wanted.slice(0, 3));
      assert.deepEqual(await sizes({ maxPageSize: 2 }), [2, 2, 2]);
      assert.deepEqual(await sizes({ maxPageSize: 2, top: 5 }), [2, 2, 1]);
      assert.deepEqual(await sizes({ top: 3 }), [3]);
      assert.deepEqual(await sizes({ maxPageSize: 6 }), [6]);
      assert.deepEqual(await sizes({ maxPageSize: 4 }), [4, 2]);
      const { nextLink } = await new Rest(server, { hub }).page('g', { maxpagesize: 4 });
      const rest = [];
      for await (const page of (await s.group('g').listConnections()).byPage({ continuationToken: nextLink })) rest.push(...page);
      assert.deepEqual(rest.map((x) => x.connectionId), wanted.slice(4).map((x) => x.connectionId));
      const none = [];
      for await (const x of await s.group('empty').listConnections()) none.push(x);
      assert.deepEqual(none, []);
    });

    check('S-115 getClientAccessToken with every option; the client comes in', async () => {
      const hub = fresh();
      const s = service(server, hub);
      const plain = await s.getClientAccessToken();
      remember(plain.token);
      assert.equal(plain.baseUrl, `${server.wsOrigin}/client/hubs/${hub}`);
      assert.equal(plain.url, `${plain.baseUrl}?access_token=${plain.token}`);
      const anonymous = await server.json({ hub, url: plain.url });
      assert.equal(anonymous.connected.userId, null);
      const full = await s.getClientAccessToken({
        userId: 'zoë', roles: ['webpubsub.sendToGroup.g2'], groups: ['g1', 'g2'], expirationTimeInMinutes: 5, clientProtocol: 'default',
      });
      remember(full.token);
      assert.ok(Math.abs(claimsOf(full.token).exp - now() - 300) < 10);
      const c = await server.json({ hub, url: full.url });
      assert.equal(c.connected.userId, 'zoë');
      await s.group('g1').sendToAll('in');
      assert.deepEqual(await data(c), ['in']);
      assert.equal((await c.ask({ type: 'sendToGroup', group: 'g2', data: 1 })).success, true);
      assert.equal((await c.ask({ type: 'sendToGroup', group: 'g1', data: 1 })).success, false);
      for (const clientProtocol of ['mqtt', 'socketio']) {
        const other = await s.getClientAccessToken({ clientProtocol });
        remember(other.token);
        assert.equal(await server.status({ hub, token: other.token }), 401, clientProtocol);
      }
    });

    check('S-97 S-98 with a TokenCredential tokens come from the server', { skip: !secure }, async () => {
      const hub = fresh();
      const credential = {
        getToken: async () => ({
          token: sign({ aud: `${server.origin}/api/hubs/${hub}/:generateToken`, exp: now() + 600 }), expiresOnTimestamp: Date.now() + 600000,
        }),
      };
      const s = service(server, hub, { credential });
      const made = await s.getClientAccessToken({ userId: 'u', roles: ['a', 'b'], groups: ['g'], expirationTimeInMinutes: 7 });
      remember(made.token);
      const claims = claimsOf(made.token);
      assert.deepEqual([claims.sub, claims.role, [].concat(claims['webpubsub.group']), claims.exp - claims.nbf], ['u', ['a', 'b'], ['g'], 420]);
      assert.equal((await server.json({ hub, url: made.url })).connected.userId, 'u');
      const mqtt = await s.getClientAccessToken({ clientProtocol: 'mqtt' });
      remember(mqtt.token);
      assert.equal(claimsOf(mqtt.token).aud, `${server.origin}/clients/mqtt/hubs/${hub}`);
    });

    check('S-86 errors as applications read them: JSON.parse(error.message)', async () => {
      const s = service(server, fresh());
      const message = "Invalid syntax for 'invalid filter': Syntax error at position 14 in 'invalid filter'. (Parameter 'filter')";
      await assert.rejects(s.sendToAll('x', { filter: 'invalid filter' }), (e) => {
        assert.equal(e.name, 'RestError');
        assert.equal(e.statusCode, 400);
        assert.equal(JSON.parse(e.message).message, message);
        assert.equal(JSON.parse(e.message).code, 'Error.BadRequest');
        assert.equal(e.response.headers.get('x-ms-error-code'), 'Error.BadRequest');
        return true;
      });
      await assert.rejects(s.sendToUser('u', 'x', { filter: 'not length(userId)' }), (e) => JSON.parse(e.message).message
        === "Invalid syntax for 'not length(userId)': Type 'null', expect 'bool'. (Parameter 'filter')");
      await assert.rejects(s.addConnectionsToGroups(['g'], 'invalid filter'), (e) => JSON.parse(e.message).message === message);
      await assert.rejects(s.removeConnectionsFromGroups([], "userId eq 'a'"), (e) => e.statusCode === 400);
      await assert.rejects(service(server, '1chat').sendToAll('x'), (e) => e.statusCode === 400 && e.code === 'Error.BadRequest');
    });

    check('S-115 onResponse sees status, headers and the echoed request id', async () => {
      const s = service(server, fresh());
      const { status, headers, request } = await answered((o) => s.sendToAll('x', o));
      assert.equal(status, 202);
      assert.ok(request.requestId);
      assert.equal(headers.get('x-ms-client-request-id'), request.requestId);
      assert.equal((await answered((o) => s.groupExists('none', o))).status, 404);
    });

    check('S-115 the other forms of construction; a wrong key is a 401', async () => {
      const hub = fresh();
      const c = await server.json({ hub });
      await service(server, hub, { credential: true }).sendToAll('key credential');
      await service(server, hub, { key: SECONDARY }).sendToAll('secondary');
      assert.deepEqual(await data(c), ['key credential', 'secondary']);
      await assert.rejects(service(server, hub, { key: STRANGER }).sendToAll('x'), (e) => e.statusCode === 401);
      assert.deepEqual(await got(c), []);
    });

    check('S-1 Endpoint with the port, or Port beside it: the same audiences', async () => {
      const hub = fresh();
      const bare = server.origin.replace(`:${server.port}`, '');
      const forms = [`Endpoint=${server.origin};AccessKey=${PRIMARY};Version=1.0;`,
        `Endpoint=${bare};AccessKey=${PRIMARY};Version=1.0;Port=${server.port};`,
        `Endpoint=${bare};AccessKey=${PRIMARY};Port=${server.port};Version=1.0`,
        `endpoint=${server.origin};;ACCESSKEY=${PRIMARY};version=1.0`,
        `Port=${server.port};AccessKey=${PRIMARY};Endpoint=${bare}/`];
      const audiences = new Set();
      for (const text of forms) {
        const s = service(server, hub, { text });
        const { token, url } = await s.getClientAccessToken({ userId: 'alice' });
        remember(token);
        audiences.add(claimsOf(token).aud);
        const c = await server.json({ hub, url });
        await s.sendToConnection(c.connectionId, 'hi', { contentType: 'text/plain' });
        assert.deepEqual(await data(c), ['hi']);
        await c.close(1000);
      }
      assert.deepEqual([...audiences], [`${server.origin}/client/hubs/${hub}`]);
    });
  });
}
