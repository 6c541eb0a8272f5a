// SPDX-License-Identifier: Apache-2.0
// Access tokens made by hand, so that every kind of wrong one can be made too.
import { createHmac, createSign } from 'node:crypto';

export const PRIMARY = 'primary-key-of-the-tests-0123456789-abcdefgh';
export const SECONDARY = 'secondary-key-of-the-tests-9876543210-zyxwvut';
export const STRANGER = 'a-key-that-no-server-of-the-tests-knows-000000';
export const EMULATOR_KEY = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEFGH';

// What must never be seen in a log; every server checks it when it stops.
const secrets = new Set([PRIMARY, SECONDARY, STRANGER]);
export const remember = (secret) => { if (secret) secrets.add(secret); };
export const remembered = () => secrets;

export const b64 = (x) =>
  Buffer.from(typeof x === 'string' || Buffer.isBuffer(x) ? x : JSON.stringify(x))
    .toString('base64url');

export const now = () => Math.floor(Date.now() / 1000);

export const mac = (text, key, hash = 'sha256') => createHmac(hash, key).update(text).digest('base64url');

/** Sign `payload` (object, or text as it is). */
export function sign(payload, { key = PRIMARY, header = { alg: 'HS256', typ: 'JWT' } } = {}) {
  const head = `${b64(header)}.${b64(payload)}`;
  const alg = header.alg ?? 'HS256';
  let signature = '';
  if (/^HS/i.test(alg)) {
    signature = mac(head, key, `sha${alg.slice(2)}`);
  } else if (/^RS/.test(alg)) {
    signature = createSign(`sha${alg.slice(2)}`).update(head).sign(key, 'base64url');
  } else if (/^ES/.test(alg)) {
    signature = createSign(`sha${alg.slice(2)}`).update(head)
      .sign({ key, dsaEncoding: 'ieee-p1363' }, 'base64url');
  }
  const token = `${head}.${signature}`;
  remember(token);
  if (signature) remember(signature);
  return token;
}

/** The claims an SDK writes. */
export function claims({
  origin, hub = 'chat', user, roles, groups, ttl = 3600, ...more
}) {
  const c = { aud: `${origin}/client/hubs/${hub}`, iat: now(), exp: now() + ttl };
  if (user !== undefined) c.sub = user;
  if (roles !== undefined) c.role = roles;
  if (groups !== undefined) c['webpubsub.group'] = groups;
  return { ...c, ...more };
}

export const token = (options, how) => sign(claims(options), how);

/** What connect(exp) gives with a token that is over in two seconds at most: of
 * the five minutes of skew so much is left. It may come too late. */
export async function lastMoment(connect) {
  for (;;) {
    const exp = now() - 298;
    try {
      return await connect(exp);
    } catch (error) {
      if (now() - exp < 300) throw error;
    }
  }
}

export const ALL = ['webpubsub.sendToGroup', 'webpubsub.joinLeaveGroup'];
