// SPDX-License-Identifier: Apache-2.0
// What an application server may do: the claim `role` of its token
// (doc/server-protocol.md, Roles). Every command without its role is refused,
// and the ack names it.
import assert from 'node:assert/strict';
import { AppServer, appServer } from './lib/appserver.mjs';
import { check, suite } from './lib/cases.mjs';
import { pass } from './lib/time.mjs';
import { lastMoment } from './lib/token.mjs';

const server = appServer({ hubs: { '*': { anonymous: 'deny', event_handlers: [{ url: 'server:///' }] } } });
let number = 0;
const fresh = () => `r${++number}`;
const open = (roles, hub = fresh(), more = {}) => AppServer.open(server, { hub, roles, ...more });
const payload = { dataType: 'text', data: 'x' };
const connectionId = 'nobody';

// Of each: what it needs, and whether it is about a group.
const COMMANDS = [
  ['manager', { type: 'closeClient', connectionId }],
  ['manager', { type: 'clientExists', connectionId }],
  ['manager', { type: 'sendToClient', connectionId, payload }],
  ['manager', { type: 'userExists', userId: 'u' }],
  ['manager', { type: 'sendToUser', userId: 'u', payload }],
  ['publisher', { type: 'sendToAll', payload }],
  ['manager', { type: 'count' }],
  ['manager', { type: 'count', target: 'hub' }],
  ['manager', { type: 'count', target: 'group', name: 'a.b' }, true],
  ['manager', { type: 'count', target: 'user', name: 'u' }],
  ['manager', { type: 'closeUser', userId: 'u' }],
  ['manager', { type: 'closeGroup', groupName: 'a.b' }, true],
  ['manager', { type: 'closeAll', excluded: ['x'] }],
  ['manager', { type: 'addClientToGroup', connectionId, groupName: 'a.b' }, true],
  ['manager', { type: 'addUserToGroup', userId: 'u', groupName: 'a.b' }, true],
  ['manager', { type: 'removeClientFromGroup', connectionId, groupName: 'a.b' }, true],
  ['manager', { type: 'removeUserFromGroup', userId: 'u', groupName: 'a.b' }, true],
  ['manager', { type: 'groupContainsClient', connectionId, groupName: 'a.b' }, true],
  ['manager', { type: 'groupContainsUser', userId: 'u', groupName: 'a.b' }, true],
  ['manager', { type: 'grant', connectionId, permission: 'sendToGroup', groupName: 'a.b' }, true],
  ['manager', { type: 'revoke', connectionId, permission: 'sendToGroup', groupName: 'a.b' }, true],
  ['manager', { type: 'grant', connectionId, permission: 'sendToGroup' }],
  ['manager', { type: 'revoke', connectionId, permission: 'joinLeaveGroup' }],
  ['publisher', { type: 'publish', groupName: 'a.b', payload }, true],
  ['subscriber', { type: 'subscribe', groupName: 'a.b' }, true],
  ['manager', { type: 'handleEvents', id: 1, userEvents: ['*'] }],
  ['manager', { type: 'handleEvents', id: 1, systemEvents: ['connect'] }],
];
const label = (command) => JSON.stringify(command);
const sentence = (role, group) => `needs the role ${role}${group ? " for the group 'a.b'" : ''}`;

/** May: it is done, or what it is about is not there. */
async function may(app, command) {
  const ack = await app.ask(command);
  assert.ok(ack.result === 'success' || ack.error === 'NotFound', `${label(command)}: ${JSON.stringify(ack)}`);
}
async function mayNot(app, command, detail) {
  assert.deepEqual(await app.failed(command), ['Forbidden', detail], label(command));
}

for (const encoding of ['json', 'protobuf']) {
  suite(`roles, ${encoding}`, () => {
    check('without any role everything is refused, and the role is named', async () => {
      for (const roles of [null, [], ['webpubsub.sendToGroup', 'owner', 'managers', 'Manager']]) {
        const app = await open(roles, fresh(), { encoding });
        for (const [role, command, group] of COMMANDS) await mayNot(app, command, sentence(role, group));
        await app.did({ type: 'unsubscribe', groupName: 'a.b' });
      }
    });

    check('with one role exactly its commands are done', async () => {
      for (const one of ['publisher', 'subscriber', 'manager']) {
        const app = await open([one], fresh(), { encoding });
        for (const [role, command, group] of COMMANDS) {
          if (role === one) await may(app, command);
          else await mayNot(app, command, sentence(role, group));
        }
      }
    });

    check('with a pattern the commands with a group that matches', async () => {
      for (const [pattern, matches] of [['a.b', true], ['a.*', true], ['**', true], ['?.?', true], ['*', false], ['a', false], ['a.b.c', false], ['b.*', false]]) {
        const app = await open(['publisher', 'subscriber', 'manager'].map((role) => `${role}.${pattern}`), fresh(), { encoding });
        for (const [role, command, group] of COMMANDS) {
          if (group && matches) await may(app, command);
          else await mayNot(app, command, sentence(role, group));
        }
      }
    });
  });
}

suite('registrations', () => {
  check('manager.PATTERN registers for the groups of exactly its patterns', async () => {
    const hub = fresh();
    const app = await open(['manager.room.*', 'manager.hall'], hub);
    const no = (command) => mayNot(app, { type: 'handleEvents', id: 1, ...command }, 'needs the role manager');
    await no({ systemEvents: ['join'] });
    await no({ systemEvents: ['join'], groups: ['room.1'] });
    await no({ systemEvents: ['join'], groups: ['room.*', 'lobby'] });
    await no({ systemEvents: ['join', 'connected'], groups: ['room.*'] });
    await no({ systemEvents: ['join'], groups: ['room.*'], userEvents: ['x'] });
    await app.handle({ systemEvents: ['join', 'leave', 'publish', 'joined', 'left'], groups: ['room.*', 'hall'] });
    app.serve((e) => (e.groupName === 'hall' ? { error: {} } : undefined));
    const c = await server.json({ hub });
    await c.join('room.1');
    await c.join('lobby');
    assert.equal((await c.ask({ type: 'joinGroup', group: 'hall' })).error.name, 'Forbidden');
    assert.deepEqual(app.seen.map((e) => `${e.type} ${e.groupName}`), ['join room.1', 'joined room.1', 'join hall']);
    await app.handle({ id: 1 });
    await c.join('hall');
  });

  check('who registered keeps what it has when its token ends', async () => {
    const hub = fresh();
    const app = await lastMoment((exp) => open(['manager'], hub, { claims: { exp } }));
    await app.handle({ userEvents: ['*'] });
    app.serve();
    await pass(3500);
    const c = await server.json({ hub });
    await c.did({ type: 'event', event: 'e', data: 1 });
    await app.did({ type: 'count' });
  });
});
