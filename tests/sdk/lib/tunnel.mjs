// SPDX-License-Identifier: Apache-2.0
// The application's end of a tunnel, written from azure-server.md 9.1 to 9.4:
// what comes waits until a test takes it, or is answered by serve().
import assert from 'node:assert/strict';
import { msgpack } from './deps.mjs';
import { suiteServer, testServer } from './server.mjs';
import { now, sign } from './token.mjs';
import { Client } from './wsclient.mjs';

export const REQUEST = 1;
export const RESPONSE = 2;
export const STATUS = 5;
export const CONNECTED = 10;

/** One WebSocket message. content undefined or null: nil. */
export function encode(type, members, content = null) {
  const json = typeof members === 'string' ? members : JSON.stringify(members);
  const body = msgpack.encode([type, json, content]);
  const frame = Buffer.alloc(4 + body.length);
  frame.writeUInt32LE(body.length);
  frame.set(body, 4);
  return frame;
}

/** {type, json (text), members, content: Buffer or null}; exact, as sent. */
export function decode(bytes) {
  const frame = Buffer.from(bytes);
  assert.equal(frame.readUInt32LE(), frame.length - 4, 'the length is all that follows');
  const list = msgpack.decode(frame.subarray(4));
  assert.equal(list.length, 3);
  const [type, json, content] = list;
  assert.equal(typeof json, 'string');
  const members = JSON.parse(json);
  assert.equal(members.Type, type);
  return {
    type, json, members, content: content === null ? null : Buffer.from(content),
  };
}

/** Where tunnels connect. token null: none in the URL. */
export function tunnelUrl(server, {
  hub = 'chat', target, query, path = '/server/tunnel', key, sub = 'app-1', aud, claims, token,
} = {}) {
  const q = query ?? [hub === null ? '' : `hub=${encodeURIComponent(hub)}`, target === undefined ? '' : `target=${encodeURIComponent(target)}`].filter(Boolean).join('&');
  const url = `${server.wsOrigin}${path}?${q}`;
  const access = token === undefined ? sign({
    ...(sub === null ? {} : { sub }), aud: aud ?? url, iat: now(), exp: now() + 3600, ...claims,
  }, { key }) : token;
  return access === null ? url : `${url}&access_token=${access}`;
}

const lower = (headers) => Object.fromEntries(Object.entries(headers).map(([k, v]) => {
  assert.ok(Array.isArray(v), `${k} is an array`);
  return [k.toLowerCase(), v[0]];
}));

/** A type 1 of the service, with what tests look at. */
function request(message) {
  const { members, content } = message;
  const headers = lower(members.Headers);
  return {
    ...message,
    ack: members.AckId,
    method: members.HttpMethod,
    url: members.Url,
    headers,
    hub: headers['ce-hub'],
    event: headers['ce-eventname'],
    conn: headers['ce-connectionid'],
    id: headers['ce-id'],
    user: headers['ce-userid'],
    state: headers['ce-connectionstate'],
    text: content?.toString(),
    get jsonBody() { return JSON.parse(content.toString()); },
  };
}

export class Tunnel {
  /** With its type 10 taken. */
  static async open(server, options = {}) {
    const client = await Client.open(tunnelUrl(server, options), options);
    server.clients.add(client);
    client.closed.then(() => server.clients.delete(client));
    const tunnel = new Tunnel(client, server);
    tunnel.hello = await tunnel.next(CONNECTED);
    return tunnel;
  }

  constructor(client, server) {
    Object.assign(this, { client, server });
    this.ackId = 0;
    this.seen = []; // by serve()
  }

  static #of(message) {
    assert.ok(message.binary, 'only binary messages come');
    if (!message.tunnel) {
      message.tunnel = decode(message.binary);
      message.binary = true; // short where a test says what it has
    }
    return message.tunnel;
  }

  get id() { return this.hello.members.ConnectionId; }

  /** The next message of that type. */
  async next(type = REQUEST, { match = () => true, ...options } = {}) {
    const made = (m) => (Tunnel.#of(m).type === REQUEST ? request(m.tunnel) : m.tunnel);
    return made(await this.client.take((m) => Tunnel.#of(m).type === type && match(made(m)), { what: `type ${type}`, ...options }));
  }

  /** The next event of that name. */
  event(name, { conn, ...options } = {}) {
    return this.next(REQUEST, { what: `the event ${name}`, match: (r) => r.event === name && (conn === undefined || r.conn === conn), ...options });
  }

  send(type, members, content) { this.client.ws.send(encode(type, members, content)); }

  answer(to, {
    status = 204, headers = {}, body, more = false, ...members
  } = {}) {
    this.send(RESPONSE, {
      Type: RESPONSE, AckId: to.ack ?? to, StatusCode: status, Headers: headers, LocalRouting: false, ChannelName: '', NotCompleted: more, TracingId: null, ...members,
    }, body === undefined ? null : Buffer.from(body));
  }

  /** From now on: answer every event with what fn says of it, at once or
   * later; `undefined` is 204, null no answer. Kept in `seen`. */
  serve(fn = () => undefined) {
    this.fn = fn;
    if (this.serving) return this;
    this.serving = true;
    const look = async () => {
      for (const m of this.client.queue.splice(0)) {
        if (Tunnel.#of(m).type !== REQUEST) continue;
        const r = request(m.tunnel);
        this.seen.push(r);
        this.#react(r);
      }
    };
    this.client.ws.on('message', look);
    look();
    return this;
  }

  async #react(r) {
    const said = await this.fn(r);
    if (said !== null) this.answer(r, said ?? {});
  }

  /** Send a REST request; nothing is awaited. */
  post(method, url, { type, body, headers, ...members } = {}) {
    const AckId = ++this.ackId;
    this.send(REQUEST, {
      Type: REQUEST, AckId, HttpMethod: method, Url: url, Headers: { ...(type ? { 'Content-Type': [type] } : {}), ...headers }, LocalRouting: true, ChannelName: '', TracingId: null, ...members,
    }, body === undefined ? null : Buffer.from(body));
    return AckId;
  }

  /** Its answer, with all of its pieces: {status, headers, body, pieces}. */
  async answered(AckId, options) {
    const pieces = [];
    for (;;) {
      const m = await this.client.take((x) => Tunnel.#of(x).type === RESPONSE && x.tunnel.members.AckId === AckId, { what: `the answer ${AckId}`, ...options });
      pieces.push(m.tunnel);
      if (m.tunnel.members.NotCompleted !== true) break;
    }
    const [{ members }] = pieces;
    const body = Buffer.concat(pieces.map((p) => p.content ?? Buffer.alloc(0))).toString();
    return { status: members.StatusCode, headers: lower(members.Headers), body, members, pieces };
  }

  /** As the official packages write them: the literal host "host". */
  rest(method, path, { query = {}, ...options } = {}) {
    const q = new URLSearchParams({ 'api-version': '2023-07-01', ...query });
    return this.answered(this.post(method, path.includes('://') ? path : `https://host${path}?${q}`, options));
  }

  get closed() { return this.client.closed; }

  end(options) { return this.client.end(options); }

  drop() { return this.client.drop(); }

  close(code = 1000) { return this.client.close(code); }
}

const EVENTS = { user_events: '*', system_events: ['connect', 'connected', 'disconnected'] };
/** An entry of event_handlers. */
export const through = (more = {}) => ({ url: 'tunnel:///eventhandler/{event}', ...EVENTS, ...more });

const withTunnel = ({ tunnel = {}, plugins, hubs, ...config } = {}) => ({
  plugins: { 'upstream-tunnel': tunnel, ...plugins },
  hubs: hubs ?? { '*': { anonymous: 'deny', event_handlers: [through()] } },
  ...config,
});
/** Daemons that have the plugin; `tunnel` is its block. */
export const tunnelServer = (config, options) => suiteServer(withTunnel(config), options);
export const tunnelServerIn = (t, config, options) => testServer(t, withTunnel(config), options);
