// SPDX-License-Identifier: Apache-2.0
// The application: it decides who comes in, into which rooms, and what may be
// said there; rolls dice; and remembers the last lines for those who come later.
import { randomInt } from 'node:crypto';
import { Refusal, WebPubSubServer } from './webpubsub-server.mjs';

const LINES = 10;
const TEXT_MAX = 500;
const STRIKES = 3;

// What `./bootstrap run` prints behind "ready". Everybody knows this key; it is
// taken on loopback only.
const DEVELOPMENT = 'Endpoint=http://localhost:8080;AccessKey=ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEFGH;Version=1.0;';

const server = new WebPubSubServer(
  process.env.WebPubSubConnectionString ?? DEVELOPMENT,
  'publisher+subscriber+manager',
  { log: console.log },
);

const lines = []; // the last ones of the lobby
const strikes = new Map(); // connection id: how often it was refused

// Who comes in? The user id is the one of the client's token.
server.handleEvents('connect', ({ userId }) => {
  if (!userId) throw new Refusal('a token with a user id is needed', 401);
  return { groups: ['lobby'], roles: ['webpubsub.joinLeaveGroup', 'webpubsub.sendToGroup'] };
});

// Now it is in, and can be sent to.
server.handleEvents('connected', ({ client, userId }) => client.send({ hello: userId, lines }));

// May it join? "staff" is for some.
server.handleEvents('subscribe', ({ userId, group }) => group !== 'staff' || userId.startsWith('staff-'));

// May this go to the group? Who does not learn it is shown out.
server.handleEvents('publish', async ({ client, connectionId, dataType, data }) => {
  if (dataType === 'text' && data.length <= TEXT_MAX && !/\bspam\b/i.test(data)) return true;
  const count = (strikes.get(connectionId) ?? 0) + 1;
  strikes.set(connectionId, count);
  if (count >= STRIKES) await client.close('too much spam');
  return false;
});

server.handleEvents('disconnect', ({ connectionId }) => strikes.delete(connectionId));

// A custom event; the client waits for what this returns.
server.handleEvents('roll', async ({ userId, data }) => {
  const sides = Number(data ?? 6);
  if (!(Number.isInteger(sides) && sides >= 2 && sides <= 100)) throw new Refusal('2 to 100 sides', 400);
  const rolled = randomInt(1, sides + 1);
  await server.publish('lobby', `${userId} rolled ${rolled} of ${sides}`);
  return rolled;
});

// A custom event of some: that of others never gets here.
server.handleEvents('announce', async ({ data }) => {
  await server.manager.sendToAll({ announcement: data });
}, "startswith(userId, 'staff-')");

// What is said in the lobby, also by this server.
server.subscribe('lobby', ({ fromUserId, data }) => {
  lines.push(fromUserId ? `${fromUserId}: ${data}` : data);
  if (lines.length > LINES) lines.shift();
});

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, async () => {
    await server.close();
    console.log('closed');
  });
}
