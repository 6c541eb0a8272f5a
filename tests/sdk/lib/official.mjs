// SPDX-License-Identifier: Apache-2.0
// The official client with tokens of the official server SDK.
import { WebPubSubClient, WebPubSubServiceClient } from './deps.mjs';
import { within } from './time.mjs';
import { PRIMARY, remember } from './token.mjs';

export async function accessUrl(origin, { hub = 'chat', key = PRIMARY, ...options } = {}) {
  const service = new WebPubSubServiceClient(`Endpoint=${origin};AccessKey=${key};Version=1.0;`, hub, { allowInsecureConnection: true });
  const { url, token } = await service.getClientAccessToken({
    userId: 'alice', roles: ['webpubsub.sendToGroup', 'webpubsub.joinLeaveGroup'], ...options,
  });
  remember(token);
  return url;
}

/** A client, not started, whose events are kept in `seen` and can be awaited. */
export function officialClient({
  s, origin = s.origin, url, protocol, options, ...access
}) {
  const c = new WebPubSubClient(url ?? { getClientAccessUrl: () => accessUrl(origin, access) },
    { ...(protocol ? { protocol } : {}), ...options });
  // An ack that is rejected while its request is still being written has nobody
  // yet who would catch it: without this a cut may end the whole process.
  const acks = c._ackManager;
  const register = acks.registerAck.bind(acks);
  acks.registerAck = (id) => {
    const registered = register(id);
    registered.wait().catch(() => {});
    return registered;
  };
  const seen = {
    group: [], server: [], connected: [], disconnected: [], stopped: [], rejoin: [],
  };
  const waiting = [];
  const on = (name, list) => c.on(name, (e) => { list.push(e); for (const w of waiting.splice(0)) w(); });
  on('group-message', seen.group);
  on('server-message', seen.server);
  on('connected', seen.connected);
  on('disconnected', seen.disconnected);
  on('stopped', seen.stopped);
  on('rejoin-group-failed', seen.rejoin);
  const wait = (what, ready, ms = 10000) => within(ms, () => `${what}; events ${JSON.stringify(Object.entries(seen).map(([k, v]) => [k, v.length]))}`, (async () => {
    while (!ready()) await new Promise((resolve) => waiting.push(resolve));
    return ready();
  })());
  return {
    c, seen, wait,
    start: async () => {
      await within(15000, 'start of the official client', c.start());
      // start() is through with the socket's open event already.
      await wait('connected', () => seen.connected.length);
    },
    group: (n, ms) => wait(`${n} group messages`, () => seen.group.length >= n, ms),
  };
}
