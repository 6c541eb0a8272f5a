// SPDX-License-Identifier: Apache-2.0
// An application server at /server, written from doc/server-protocol.md: what
// comes waits until a test takes it, or is answered by serve().
import assert from 'node:assert/strict';
import { protobufForm } from './appserver-protobuf.mjs';
import { suiteServer, testServer } from './server.mjs';
import { now, sign } from './token.mjs';
import { Client, Refusal } from './wsclient.mjs';

export const ROLES = ['publisher', 'subscriber', 'manager'];

/** One form on the wire each: a message as JSON has it, and what is sent. */
export const forms = {
  json: {
    encode: (message) => JSON.stringify(message),
    decode: (m) => {
      assert.ok(m.text !== undefined, 'only text messages come');
      return m.json;
    },
  },
  protobuf: protobufForm,
};

/** Where application servers connect. token null: none in the URL. */
export function serverUrl(server, {
  hub = 'chat', query, path = '/server', key, sub = 'app-1', aud, roles = ROLES, claims, token,
} = {}) {
  const url = `${server.wsOrigin}${path}${query ?? (hub === null ? '' : `?hub=${encodeURIComponent(hub)}`)}`;
  const access = token === undefined ? sign({
    ...(sub === null ? {} : { sub }), ...(roles === null ? {} : { role: roles }), aud: aud ?? url, iat: now(), exp: now() + 3600, ...claims,
  }, { key }) : token;
  return access === null ? url : `${url}${url.includes('?') ? '&' : '?'}access_token=${access}`;
}

/** Status of a handshake. */
export async function serverStatus(server, options = {}) {
  try {
    const c = await Client.open(options.url ?? serverUrl(server, options), { protocols: 'json', ...options });
    await c.drop();
    return 101;
  } catch (error) {
    if (error instanceof Refusal) return error.status;
    throw error;
  }
}

export class AppServer {
  /** With its hello taken. */
  static async open(server, { encoding = 'json', ...options } = {}) {
    const client = await Client.open(serverUrl(server, options), { protocols: encoding, ...options });
    server.clients.add(client);
    client.closed.then(() => server.clients.delete(client));
    const app = new AppServer(client, forms[encoding]);
    app.hello = await app.next('connected');
    return app;
  }

  constructor(client, form) {
    Object.assign(this, { client, form });
    this.ackId = 0;
    this.seen = []; // by serve()
  }

  #of(m) {
    m.notice ??= this.form.decode(m);
    return m.notice;
  }

  get id() { return this.hello.connectionId; }

  send(message) { this.client.send(this.form.encode(message)); }

  /** The next one of that type (or any), past others. */
  async next(type, { match = () => true, ...options } = {}) {
    const wanted = (m) => (type === undefined || this.#of(m).type === type) && match(this.#of(m));
    return this.#of(await this.client.take(wanted, { what: `"${type ?? 'anything'}"`, ...options }));
  }

  /** What has come and nobody has taken. */
  get queue() { return this.client.queue.map((m) => this.#of(m)); }

  /** Send a command and return its ack. */
  async ask(command, options) {
    const ackId = command.ackId ?? ++this.ackId;
    this.send({ ...command, ackId });
    return this.next('ack', { match: (m) => m.ackId === ackId, what: `the ack of ${command.type}`, ...options });
  }

  /** The same, and it must have succeeded. */
  async did(command, options) {
    const ack = await this.ask(command, options);
    assert.equal(ack.result, 'success', `${command.type}: ${JSON.stringify(ack)}`);
    return ack;
  }

  /** The same, and it must have failed: [error, detail]. */
  async failed(command, options) {
    const ack = await this.ask(command, options);
    assert.equal(ack.result, 'failure', `${command.type}: ${JSON.stringify(ack)}`);
    return [ack.error, ack.detail];
  }

  handle({ id = 1, ...what }) { return this.did({ type: 'handleEvents', id, ...what }); }

  subscribe(groupName) { return this.did({ type: 'subscribe', groupName }); }

  publish(groupName, data, more = {}) {
    return this.did({
      type: 'publish', groupName, payload: { dataType: typeof data === 'string' ? 'text' : 'json', data }, ...more,
    });
  }

  /** Answer an event: nothing, {payload}, {error: {code, detail}}, ... */
  respond(to, more = {}) {
    this.send({ type: to.type === 'connect' ? 'connectResponse' : 'messageResponse', ackId: to.ackId, ...more });
  }

  /** From now on: answer every event with what fn says of it, at once or
   * later; `undefined` is yes, null no answer. Kept in `seen`. */
  serve(fn = () => undefined) {
    this.fn = fn;
    if (this.serving) return this;
    this.serving = true;
    const look = () => {
      for (const m of this.client.queue.splice(0)) {
        const notice = this.#of(m);
        if (notice.type === 'message' || notice.type === 'ack') this.client.queue.push(m);
        else { this.seen.push(notice); this.#react(notice); }
      }
    };
    this.client.ws.on('message', look);
    look();
    return this;
  }

  async #react(notice) {
    const said = await this.fn(notice);
    if (said !== null) this.respond(notice, said ?? {});
  }

  /** Everything that came before the ack of a command sent now. */
  async fence() {
    await this.ask({ type: 'unsubscribe', groupName: 'fence' });
    return this.client.queue.splice(0).map((m) => this.#of(m));
  }

  get closed() { return this.client.closed; }

  end(options) { return this.client.end(options); }

  drop() { return this.client.drop(); }

  close(code = 1000) { return this.client.close(code); }
}

/** Daemons that have the plugin; `app` is its block, `handler` what is
 * configured of the hubs' entry. */
const withServer = ({
  app = {}, handler = {}, plugins, hubs, ...config
} = {}) => ({
  plugins: { 'upstream-server': app, ...plugins },
  hubs: hubs ?? { '*': { anonymous: 'deny', event_handlers: [{ url: 'server:///', ...handler }] } },
  ...config,
});
export const appServer = (config, options) => suiteServer(withServer(config), options);
export const appServerIn = (t, config, options) => testServer(t, withServer(config), options);
