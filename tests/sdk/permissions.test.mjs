// SPDX-License-Identifier: Apache-2.0
// azure-client.md 3: roles and permissions.
import assert from 'node:assert/strict';
import { check, suite } from './lib/cases.mjs';
import { control, controlled, hasControl } from './lib/control.mjs';

const server = controlled();
const join = async (c, group) => (await c.ask({ type: 'joinGroup', group }));
const leave = async (c, group) => (await c.ask({ type: 'leaveGroup', group }));
const send = async (c, group) => (await c.ask({ type: 'sendToGroup', group, data: 1 }));
const yes = (ack, what) => assert.equal(ack.success, true, `${what}: ${JSON.stringify(ack)}`);
const no = (ack, what) => {
  assert.equal(ack.success, false, what);
  assert.equal(ack.error.name, 'Forbidden', what);
};
const sender = (...roles) => server.json({ roles });

suite('permissions', () => {
  check('C-35 no role: join, leave, send → Forbidden; event → works', async () => {
    const c = await server.json({ roles: undefined });
    const texts = [await join(c, 'x'), await leave(c, 'x'), await send(c, 'x')].map((ack) => {
      no(ack, 'no role');
      return ack.error.message;
    });
    assert.deepEqual(texts, [
      "The client does not have permission to join group 'x'.",
      "The client does not have permission to leave group 'x'.",
      "The client does not have permission to send to group 'x'."]);
    // Permitted, but nobody takes it (C-72).
    const ack = await c.ask({ type: 'event', event: 'order', data: 1 });
    assert.equal(ack.error.name, 'InternalServerError');
  });

  check('C-36 joinLeaveGroup does not allow sending; sendToGroup does not allow joining', async () => {
    const joiner = await sender('webpubsub.joinLeaveGroup');
    yes(await join(joiner, 'x'), 'join');
    no(await send(joiner, 'x'), 'send');
    yes(await leave(joiner, 'x'), 'leave');
    const talker = await sender('webpubsub.sendToGroup');
    no(await join(talker, 'x'), 'join');
    no(await leave(talker, 'x'), 'leave');
    yes(await send(talker, 'x'), 'send');
  });

  check('C-37 webpubsub.sendToGroup.a.b allows exactly group a.b', async () => {
    const c = await sender('webpubsub.sendToGroup.a.b');
    yes(await send(c, 'a.b'), 'a.b');
    for (const group of ['a', 'a.', 'a.b.c', 'A.b', 'a.B', 'axb', 'b']) no(await send(c, group), group);
    const j = await sender('webpubsub.joinLeaveGroup.a.b');
    yes(await join(j, 'a.b'), 'a.b');
    no(await join(j, 'a'), 'a');
  });

  check('C-38 chat-* allows chat-1, not chat-1.x; chat-** allows both', async () => {
    const one = await sender('webpubsub.sendToGroups.chat-*');
    yes(await send(one, 'chat-1'), 'chat-1');
    yes(await send(one, 'chat-'), 'chat-');
    no(await send(one, 'chat-1.x'), 'chat-1.x');
    no(await send(one, 'xchat-1'), 'xchat-1');
    no(await send(one, 'Chat-1'), 'Chat-1');
    const two = await sender('webpubsub.sendToGroups.chat-**');
    yes(await send(two, 'chat-1'), 'chat-1');
    yes(await send(two, 'chat-1.x'), 'chat-1.x');
    const j = await sender('webpubsub.joinLeaveGroups.clientA.*');
    yes(await join(j, 'clientA.x'), 'clientA.x');
    no(await join(j, 'clientA.x.y'), 'clientA.x.y');
    no(await join(j, 'clientA'), 'clientA');
    const all = await sender('webpubsub.sendToGroups.**');
    yes(await send(all, 'any.group at all'), '**');
  });

  check('C-39 ? matches one non-dot character; \\* matches * only', async () => {
    const c = await sender('webpubsub.sendToGroups.rooms.?1', 'webpubsub.sendToGroups.literal\\*star', 'webpubsub.sendToGroups.q\\?', 'webpubsub.sendToGroups.b\\\\');
    yes(await send(c, 'rooms.a1'), 'rooms.a1');
    no(await send(c, 'rooms..1'), 'rooms..1');
    no(await send(c, 'rooms.1'), 'rooms.1');
    no(await send(c, 'rooms.ab1'), 'rooms.ab1');
    yes(await send(c, 'literal*star'), 'literal*star');
    no(await send(c, 'literalXstar'), 'literalXstar');
    yes(await send(c, 'q?'), 'q?');
    no(await send(c, 'qx'), 'qx');
    yes(await send(c, 'b\\'), 'b\\');
    const wide = await sender('webpubsub.sendToGroups.x?z');
    yes(await send(wide, 'xäz'), 'one character of two bytes');
  });

  check('C-40 six asterisks, trailing backslash, empty pattern: ignored, the connection lives', async () => {
    const c = await sender('webpubsub.sendToGroups.a*b*c*d*e*f*', 'webpubsub.sendToGroups.x\\', 'webpubsub.sendToGroups.',
      'webpubsub.sendToGroups.y\\z', `webpubsub.sendToGroups.${'p'.repeat(1025)}`, 'webpubsub.sendToGroups.***a***', 'webpubsub.sendToGroups.good-*');
    for (const group of ['abcdef', 'x', 'x\\', 'yz', 'a', 'p']) no(await send(c, group), group);
    yes(await send(c, 'good-1'), 'good-1');
    const five = await sender('webpubsub.sendToGroups.*a*b*c*d*');
    yes(await send(five, '1a2b3c4d5'), 'five asterisks');
  });

  check('C-40 ten patterns for each permission count, what is over is skipped', async () => {
    const c = await sender(...Array.from({ length: 11 }, (x, i) => `webpubsub.sendToGroups.p${i}-*`));
    for (let i = 0; i < 10; i++) yes(await send(c, `p${i}-x`), `pattern ${i}`);
    no(await send(c, 'p10-x'), 'the eleventh');
  });

  check('C-41 webpubsub.sendToGroup.chat-* (singular) allows only the literal group chat-*', async () => {
    const c = await sender('webpubsub.sendToGroup.chat-*');
    yes(await send(c, 'chat-*'), 'chat-*');
    no(await send(c, 'chat-1'), 'chat-1');
  });

  check('C-42 token groups are joined without any role', async () => {
    const member = await server.json({ roles: undefined, groups: ['lobby'] });
    const other = await server.json();
    await other.publish('lobby', 'hello');
    assert.equal((await member.json()).data, 'hello');
    no(await leave(member, 'lobby'), 'leave');
  });

  check('C-43 sending to a group works without membership', async () => {
    const member = await server.json();
    await member.join('remote');
    const c = await sender('webpubsub.sendToGroup.remote');
    yes(await send(c, 'remote'), 'send');
    assert.equal((await member.json()).data, 1);
    assert.deepEqual(await c.fence(), []);
    yes(await send(await sender('webpubsub.sendToGroup'), 'nobody is here'), 'an empty group');
  });

  check('C-44 revoke all, then grant group a: only a is allowed; grant all clears both', { skip: !hasControl }, async () => {
    const c = await sender('webpubsub.sendToGroup', 'webpubsub.joinLeaveGroup');
    const change = (op, action, group) => control.permission(server, 'chat', { conn: c.connectionId, op, action, group });
    await change('revoke', 'publish');
    no(await send(c, 'a'), 'after revoke all');
    yes(await join(c, 'a'), 'the other permission is untouched');
    await change('grant', 'publish', 'a');
    yes(await send(c, 'a'), 'granted');
    no(await send(c, 'b'), 'not granted');
    await change('grant', 'publish');
    yes(await send(c, 'b'), 'after grant all');
    await change('revoke', 'publish', 'b');
    no(await send(c, 'b'), 'b revoked');
    yes(await send(c, 'c'), 'c is not');
    await change('grant', 'publish', 'b');
    yes(await send(c, 'b'), 'b granted again');
    await change('revoke', 'publish', 'c');
    await change('grant', 'publish');
    yes(await send(c, 'c'), 'grant all clears the denial');
    // Patterns of the token fall under revoke all as well.
    const p = await sender('webpubsub.sendToGroups.room-*');
    await control.permission(server, 'chat', { conn: p.connectionId, op: 'revoke', action: 'publish', group: 'room-1' });
    no(await send(p, 'room-1'), 'room-1');
    yes(await send(p, 'room-2'), 'room-2');
    await control.permission(server, 'chat', { conn: p.connectionId, op: 'revoke', action: 'publish' });
    no(await send(p, 'room-2'), 'all');
  });
});
