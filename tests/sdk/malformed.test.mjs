// SPDX-License-Identifier: Apache-2.0
// Runs the corpus of tests/malformed against one daemon. A line of it is one
// input and what must come of it:
//
//   http.jsonl       bytes of a request       status, whether the connection stays open
//   handshake.jsonl  the same, at the client endpoint
//   frames.jsonl     frames behind a handshake    close code, or still open with answers
//   json.jsonl       one message of a JSON client
//   tokens.jsonl     an access token          status
//
// Pieces of input: text (latin1; JSON messages UTF-8), {"hex"}, {"repeat",
// "times"}, {"frame": {opcode, text | hex, fin, rsv, masked, mask, length,
// lengthBytes}}. ${token}, ${host}, ${origin} are of this run.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { check, suite } from './lib/cases.mjs';
import { controlled, hasControl } from './lib/control.mjs';
import {
  CLOSE, PING, PONG, TEXT, closeFrame, frame,
} from './lib/rawsocket.mjs';
import { SOURCE } from './lib/server.mjs';
import { within } from './lib/time.mjs';
import {
  ALL, PRIMARY, STRANGER, b64, claims, mac, now, remember, sign,
} from './lib/token.mjs';
import { JSON_V1, RELIABLE_V1 } from './lib/wsclient.mjs';

const server = controlled({
  websocket: { close_timeout: '700ms' }, workers: 2, log: { level: 'info', format: 'json' },
});
const folder = join(SOURCE, 'tests/malformed');
const corpus = Object.fromEntries(readdirSync(folder).filter((n) => n.endsWith('.jsonl')).map((n) => [n.replace('.jsonl', ''),
  readFileSync(join(folder, n), 'utf8').split('\n').filter(Boolean).map((line, i) => ({ ...JSON.parse(line), at: `${n}:${i + 1}` }))]));

let good; // one token for all that need a valid one
const host = () => `127.0.0.1:${server.port}`;
const fill = (text) => text.replaceAll('${token}', good).replaceAll('${host}', host())
  .replaceAll('${origin}', server.origin).replaceAll('${wsOrigin}', server.wsOrigin);

function oneFrame({ opcode, text, hex, mask, ...options }) {
  return frame(opcode, hex !== undefined ? Buffer.from(hex, 'hex') : Buffer.from(text ?? ''),
    { ...options, ...(mask ? { mask: Buffer.from(mask, 'hex') } : {}) });
}

function bytes(piece, encoding = 'latin1') {
  if (typeof piece === 'string') return Buffer.from(fill(piece), encoding);
  if (piece.hex !== undefined) return Buffer.from(piece.hex, 'hex');
  if (piece.repeat !== undefined) return Buffer.from(piece.repeat.repeat(piece.times), encoding);
  if (piece.frame) return oneFrame(piece.frame);
  if (piece.repeatFrame) {
    const one = oneFrame(piece.repeatFrame);
    return Buffer.concat([oneFrame(piece.first), ...Array(piece.times).fill(one)]);
  }
  throw new Error(`what is ${JSON.stringify(piece)}?`);
}
const all = (pieces, encoding) => Buffer.concat(pieces.map((p) => bytes(p, encoding)));
const oneOf = (actual, wanted, what) => assert.ok([].concat(wanted).includes(actual), `${what}: ${actual}, not ${JSON.stringify(wanted)}`);

/** Every key of `wanted` is in `actual`; error messages may say what they like. */
function contains(actual, wanted) {
  for (const [key, value] of Object.entries(wanted)) {
    if (value && typeof value === 'object') contains(actual[key], value);
    else assert.deepEqual(actual[key], value, key);
  }
}

async function http(entry, raw, strict) {
  const { expect } = entry;
  // A refusal may come before everything is written.
  const writing = raw.write(all(entry.send)).catch(() => {});
  if (entry.fin) { await writing; raw.socket.end(); await raw.end(); return; }
  const answer = await raw.answer({ head: entry.send[0]?.startsWith?.('HEAD ') });
  oneOf(answer.status, expect.status, 'status');
  for (const [name, value] of Object.entries(expect.with ?? {})) assert.match(answer.headers[name] ?? '', new RegExp(`^${value}`), name);
  for (const name of expect.without ?? []) assert.equal(answer.headers[name], undefined, name);
  if (expect.body) assert.equal(answer.body.trim(), expect.body);
  if (answer.body.length > 0) assert.ok(answer.body.length < 300, 'a short text');
  assert.ok(!answer.body.includes(good), 'the body repeats the token');
  if (expect.close) {
    const f = await raw.frame();
    assert.equal(f.opcode, CLOSE, 'no other frame');
    assert.equal(f.payload.readUInt16BE(0), expect.close);
  } else if (expect.open) {
    await raw.write('GET /api/health HTTP/1.1\r\nHost: x\r\n\r\n');
    if (/^HTTP\/1\.1/.test(answer.line) && answer.headers.connection !== 'close') assert.equal((await raw.answer()).status, 200, 'still open');
  } else if (strict && [400, 413, 414, 431, 501, 505].includes(answer.status)) {
    await raw.end();
  }
}

async function opened(kind, raw) {
  const query = { simple: '', echo: '&webpubsub_mode=sendToGroup&group=e', denied: '&webpubsub_mode=sendToGroup&group=e' }[kind] ?? '';
  // An echo of its own: a group that nobody else is in.
  const group = `e${opened.count = (opened.count ?? 0) + 1}`;
  const roles = ['norole', 'denied'].includes(kind) ? [] : ALL;
  const token = server.token({ roles, ...(kind === 'echo' ? { groups: [group] } : {}) });
  const protocols = { json: JSON_V1, norole: JSON_V1, reliable: RELIABLE_V1 }[kind];
  const answer = await raw.handshake({ path: `/client/hubs/chat?access_token=${token}${query.replace('group=e', `group=${group}`)}`, host: host(), protocols });
  assert.equal(answer.status, 101);
  if (protocols) assert.equal(JSON.parse((await raw.frame()).payload).event, 'connected');
}

async function outcome(entry, raw, input) {
  const { expect } = entry;
  if (entry.split) for (const byte of input) await raw.write(Buffer.from([byte]));
  else raw.write(input).catch(() => {});
  if (entry.fin) {
    raw.socket.end();
    await raw.end();
    return;
  }
  const got = [];
  if (expect.open) {
    await raw.write(frame(PING, 'fence'));
    for (;;) {
      const f = await raw.frame();
      if (f.opcode === PONG && f.payload.toString() === 'fence') break;
      assert.notEqual(f.opcode, CLOSE, `closed ${f.payload.length > 1 && f.payload.readUInt16BE(0)}`);
      if (f.opcode === TEXT || f.opcode === 2) got.push(f);
    }
  } else {
    const end = await raw.closing();
    oneOf(end.code, expect.close, 'close code');
    if (expect.reason !== undefined) assert.equal(end.reason, expect.reason);
    assert.ok(Buffer.byteLength(end.reason) <= 123);
    await raw.write(closeFrame(1000));
    await raw.end();
    assert.equal(raw.data.length, 0, 'nothing behind the close frame');
  }
  if (!expect.answers) return;
  assert.equal(got.length, expect.answers.length, 'answers');
  expect.answers.forEach((wanted, i) => {
    const { payload } = got[i];
    if (wanted.hex) assert.equal(payload.toString('hex'), wanted.hex);
    else if (typeof wanted === 'string') assert.equal(payload.toString(), wanted);
    else contains(JSON.parse(payload), wanted);
  });
}

function makeToken(entry) {
  if (entry.token !== undefined) {
    return [].concat(entry.token).map((p) => bytes(p).toString('latin1')).join('');
  }
  const payload = claims({ origin: server.origin, roles: ALL });
  for (const [key, value] of Object.entries(entry.claims ?? {})) {
    if (key === 'expIn') payload.exp = now() + value;
    else if (key === 'nbfIn') payload.nbf = now() + value;
    else if (value === null) delete payload[key];
    else payload[key] = typeof value === 'string' ? fill(value) : value;
  }
  const key = {
    stranger: STRANGER, empty: '', decoded: Buffer.from(PRIMARY, 'base64'), upper: PRIMARY.toUpperCase(), newline: `${PRIMARY}\n`,
  }[entry.key] ?? PRIMARY;
  const text = entry.payloadText === undefined ? JSON.stringify(payload)
    : [].concat(entry.payloadText).map((p) => bytes(typeof p === 'string' ? p.replace('${claims}', JSON.stringify(payload)) : p, 'utf8').toString()).join('');
  const header = entry.headerText ?? JSON.stringify(entry.header ?? { alg: 'HS256', typ: 'JWT' });
  const head = `${b64(header)}.${b64(text)}`;
  let signature = mac(head, key);
  let token = `${head}.${signature}`;
  switch (entry.mangle) {
    case 'flip': signature = `${signature[0] === 'A' ? 'B' : 'A'}${signature.slice(1)}`; token = `${head}.${signature}`; break;
    case 'short': token = token.slice(0, -4); break;
    case 'long': token += 'AAAA'; break;
    case 'empty': token = `${head}.`; break;
    case 'pad': token += '='; break;
    case 'lf': token += '%0A'; break;
    case 'fourth': token += '.AAAA'; break;
    case 'dot': token = `.${token}`; break;
    case 'other': token = `${head}.${sign({ x: 1 }).split('.')[2]}`; break;
    case 'plus': {
      for (let i = 0; !/[-_]/.test(signature); i++) {
        const changed = `${b64(header)}.${b64({ ...payload, i })}`;
        signature = mac(changed, key);
        token = `${changed}.${signature}`;
      }
      token = encodeURI(token.slice(0, token.lastIndexOf('.') + 1)) + encodeURIComponent(signature.replaceAll('-', '+').replaceAll('_', '/'));
      break;
    }
    default: assert.equal(entry.mangle, undefined);
  }
  remember(signature);
  return token;
}

const runners = {
  http: (entry, raw) => http(entry, raw, true),
  handshake: (entry, raw) => http(entry, raw, false),
  frames: async (entry, raw) => { await opened(entry.kind, raw); await outcome(entry, raw, all(entry.send)); },
  json: async (entry, raw) => { await opened(entry.kind, raw); await outcome(entry, raw, frame(TEXT, all(entry.message, 'utf8'))); },
  tokens: async (entry, raw) => {
    const token = makeToken(entry);
    const answer = await raw.handshake({ path: `/client/hubs/chat?access_token=${token.replaceAll(' ', '%20')}`, host: host() });
    oneOf(answer.status, entry.expect.status, 'status');
    if (answer.status === 401) assert.match(answer.headers['www-authenticate'] ?? '', /^Bearer/);
    for (const part of token.split('.')) {
      if (part.length > 12) assert.ok(!answer.body.includes(part), 'the body repeats the token');
    }
  },
};

async function run(name, t) {
  good ??= server.token({ roles: ALL });
  const wrong = [];
  let skipped = 0;
  const queue = [...corpus[name]];
  await Promise.all(Array.from({ length: 8 }, async () => {
    for (;;) {
      const entry = queue.shift();
      if (!entry) return;
      if ((entry.needs === 'http-control' && !hasControl) || (entry.plain && server.secure)) { skipped += 1; continue; }
      const raw = await server.raw();
      try {
        await within(20000, 'its outcome', runners[name](entry, raw));
      } catch (error) {
        wrong.push(`${entry.at} "${entry.name}": ${error.message}`);
      } finally { raw.destroy(); }
    }
  }));
  t.diagnostic(`${corpus[name].length} entries, ${skipped} skipped`);
  assert.equal(wrong.length, 0, `\n${wrong.join('\n')}`);
}

suite('malformed input', () => {
  check('6.4 the corpus has at least 300 entries', () => {
    assert.ok(Object.values(corpus).flat().length >= 300);
    assert.deepEqual(Object.keys(corpus).sort(), Object.keys(runners).sort());
  });

  for (const name of Object.keys(runners)) {
    check(`6.4 tests/malformed/${name}.jsonl`, { timeout: 120000 }, (t) => run(name, t));
  }
});

check('6.4 after all of it the daemon serves a normal client', async () => {
  const c = await server.json({ groups: ['after'] });
  await c.publish('after', 'all well');
  assert.equal((await c.json()).data, 'all well');
  assert.equal((await server.http('/api/health')).status, 200);
  const errors = server.lines.filter((r) => /error|fatal|crit/i.test(r.level ?? ''));
  assert.deepEqual(errors.slice(0, 3), [], 'what peers send is never an error of ours');
});
