// SPDX-License-Identifier: Apache-2.0
// The REST API: by hand, so that every kind of wrong request can be made, and
// with the official server SDK.
import assert from 'node:assert/strict';
import * as certs from './certs.mjs';
import { AzureKeyCredential, WebPubSubServiceClient } from './deps.mjs';
import { suiteServer, testServer } from './server.mjs';
import {
  PRIMARY, now, remember, sign,
} from './token.mjs';

export const VERSIONS = '2021-10-01, 2022-11-01, 2023-07-01, 2024-01-01, 2024-12-01';
export const NEWEST = '2024-12-01';
export const enc = encodeURIComponent;

const withRest = ({ rest = {}, plugins, ...config } = {}) =>
  ({ plugins: { 'http-rest': rest, ...plugins }, ...config });
/** `rest` is the plugin's block; the rest as for suiteServer(). */
export const restServer = (config) => suiteServer(withRest(config));
export const restIn = (t, config, options) => testServer(t, withRest(config), options);

let names = 0;
/** A hub or group that no other test uses. */
export const fresh = (word = 'h') => `${word}_${process.pid}_${names++}`;

// One token for each path: thousands of them would make the search of the log
// for secrets slow.
const signed = new Map();
export function bearer(aud, { key = PRIMARY } = {}) {
  const name = `${key} ${aud}`;
  if (!signed.has(name)) signed.set(name, sign({ aud, iat: now(), exp: now() + 3600 }, { key }));
  return `Bearer ${signed.get(name)}`;
}

/** What may stand before "/:send" and ":closeConnections". */
export const to = {
  all: '',
  user: (name) => `users/${enc(name)}/`,
  group: (name) => `groups/${enc(name)}/`,
  conn: (id) => `connections/${enc(id?.connectionId ?? id)}/`,
};

const pairs = (query) => (Array.isArray(query) ? query : Object.entries(query))
  .flatMap(([k, v]) => [].concat(v).filter((x) => x !== undefined).map((x) => `${k}=${enc(x)}`));

export class Rest {
  /** On `line`, a RawSocket, or on a connection of its own for each request. */
  constructor(server, { hub = 'chat', line, version = NEWEST } = {}) {
    Object.assign(this, { server, hub, line, version });
  }

  /** The same over one connection that is kept. */
  async kept() {
    const line = await this.server.raw();
    return Object.assign(new Rest(this.server, this), { line });
  }

  /** Several of them: enough that all workers have some. */
  async lines(t, n = 12) {
    const all = await Promise.all(Array.from({ length: n }, () => this.kept()));
    t.after(() => { for (const one of all) one.end(); });
    return all;
  }

  end() { this.line?.destroy(); }

  path(tail) { return tail.startsWith('/') ? tail : `/api/hubs/${this.hub}/${tail}`; }

  /** The bytes of a request. query: an object, pairs, or text as it is; auth:
   * the header's value, or null for none; version null: no api-version. */
  request(method, tail, {
    query = {}, body, type, headers = {}, version = this.version, auth, key, host, chunked, origin = this.server.origin,
  } = {}) {
    const path = this.path(tail);
    const q = typeof query === 'string' ? [query] : pairs(query);
    if (version !== null) q.push(`api-version=${version}`);
    const bytes = body === undefined ? undefined : Buffer.from(body);
    const lines = [`${method} ${path}${q.length ? `?${q.filter(Boolean).join('&')}` : ''} HTTP/1.1`,
      `Host: ${host ?? `127.0.0.1:${this.server.port}`}`];
    const credential = auth === undefined ? bearer(`${origin}${path}`, { key }) : auth;
    if (credential !== null) lines.push(`Authorization: ${credential}`);
    if (type !== undefined) lines.push(`Content-Type: ${type}`);
    if (chunked) lines.push('Transfer-Encoding: chunked');
    else if (bytes) lines.push(`Content-Length: ${bytes.length}`);
    for (const [k, v] of Array.isArray(headers) ? headers : Object.entries(headers)) lines.push(`${k}: ${v}`);
    if (!this.line) lines.push('Connection: close');
    const head = Buffer.from([...lines, '', ''].join('\r\n'), 'latin1');
    if (!bytes) return head;
    if (!chunked) return Buffer.concat([head, bytes]);
    const size = chunked === true ? 700 : chunked;
    const pieces = [head];
    for (let i = 0; i < bytes.length; i += size) {
      const piece = bytes.subarray(i, i + size);
      pieces.push(Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from('\r\n'));
    }
    return Buffer.concat([...pieces, Buffer.from('0\r\n\r\n')]);
  }

  /** {status, headers, body, json}. */
  async ask(method, tail, options = {}) {
    const line = this.line ?? await this.server.raw();
    try {
      await line.write(this.request(method, tail, options));
      const answer = await line.answer({ head: method === 'HEAD', ms: options.ms });
      if (/json/.test(answer.headers['content-type'] ?? '') && answer.body) answer.json = JSON.parse(answer.body);
      return answer;
    } finally { if (!this.line) line.destroy(); }
  }

  /** The same, and it must be answered `status`. */
  async must(status, method, tail, options) {
    const answer = await this.ask(method, tail, options);
    assert.equal(answer.status, status, `${method} ${tail.slice(0, 200)} ${JSON.stringify(options?.query ?? '').slice(0, 200)}: ${answer.status} ${answer.body}`);
    return answer;
  }

  /** A refusal: its JSON, held to what all of them are. */
  async refused(status, method, tail, options) {
    const answer = await this.must(status, method, tail, options);
    assert.ok(!answer.headers['retry-after'] || status === 429 || status === 503, 'Retry-After');
    assert.ok(answer.json, `${method} ${tail}: a body`);
    assert.equal(answer.headers['x-ms-error-code'], answer.json.code);
    return answer.json;
  }

  /** send(to.group('g'), 'text') and so on; must be accepted. */
  send(where, body, { type = 'text/plain', ...options } = {}) {
    return this.must(202, 'POST', `${where}:send`, { body, type: type ?? undefined, ...options });
  }

  join(group, c) { return this.must(200, 'PUT', `${to.group(group)}${to.conn(c).slice(0, -1)}`); }

  leave(group, c) { return this.must(204, 'DELETE', `${to.group(group)}${to.conn(c).slice(0, -1)}`); }

  permission(method, name, c, group, options) {
    return this.ask(method, `permissions/${name}/${to.conn(c).slice(0, -1)}`, { query: { targetName: group }, ...options });
  }

  async exists(what) {
    const answer = await this.ask('HEAD', what.replace(/\/$/, ''));
    assert.ok(answer.status === 200 || answer.status === 404, `HEAD ${what}: ${answer.status}`);
    return answer.status === 200;
  }

  /** One page, or with a link the page behind it. */
  async page(group, query = {}, link = undefined) {
    const answer = link === undefined ? await this.must(200, 'GET', `${to.group(group)}connections`, { query })
      : await this.must(200, 'GET', link.slice(link.indexOf('/api/')), { version: null, auth: bearer(link) });
    assert.equal(answer.headers['content-type'], 'application/json; charset=utf-8');
    return answer.json;
  }

  /** All pages, each an array of entries. */
  async pages(group, query) {
    const all = [];
    let link;
    do {
      const page = await this.page(group, query, link);
      all.push(page.value);
      link = page.nextLink;
    } while (link !== undefined && all.length < 10000);
    return all;
  }
}

/** The official server SDK. `used` collects its answers' statuses. */
export function service(server, hub, {
  endpoint = server.origin, key = PRIMARY, text, credential, ...options
} = {}) {
  const more = {
    allowInsecureConnection: true,
    retryOptions: { maxRetries: 0 },
    ...(server.secure ? { tlsOptions: { ca: certs.text('ca.pem') } } : {}),
    additionalPolicies: [{
      position: 'perRetry',
      policy: {
        name: 'rememberToken',
        sendRequest(request, next) {
          remember(request.headers.get('Authorization')?.replace(/^Bearer /, ''));
          return next(request);
        },
      },
    }],
    ...options,
  };
  if (credential) return new WebPubSubServiceClient(endpoint, credential === true ? new AzureKeyCredential(key) : credential, hub, more);
  return new WebPubSubServiceClient(text ?? `Endpoint=${endpoint};AccessKey=${key};Version=1.0;`, hub, more);
}

/** An answer of the SDK: (client.sendToAll, …args, options) → {status, headers}. */
export async function answered(call, options = {}) {
  let answer;
  const value = await call({ ...options, onResponse: (raw) => { answer = raw; } });
  return { value, status: answer.status, headers: answer.headers, request: answer.request };
}

export const claimsOf = (token) => JSON.parse(Buffer.from(token.split('.')[1], 'base64url'));
export const headerOf = (token) => JSON.parse(Buffer.from(token.split('.')[0], 'base64url'));

/** A hub of its own with one client of each kind; what each has got. */
export async function crowd(server, { hub = fresh(), user, groups } = {}) {
  const rest = new Rest(server, { hub });
  const simple = await server.simple({ hub, user, groups });
  const json = await server.json({ hub, user, groups });
  const reliable = await server.reliable({ hub, user, groups });
  return { hub, rest, simple, json, reliable };
}

/** Messages of a JSON client up to now. */
export const got = async (c) => (await c.fence()).map((m) => m.json);
/** Their data. */
export const data = async (c) => (await got(c)).map((m) => m.data);
