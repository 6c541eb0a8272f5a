// SPDX-License-Identifier: Apache-2.0
// A client of `ws` whose messages can be awaited in order.
import { WebSocket } from './deps.mjs';
import { remember } from './token.mjs';
import { within } from './time.mjs';
import * as certs from './certs.mjs';

export const JSON_V1 = 'json.webpubsub.azure.v1';
export const RELIABLE_V1 = 'json.reliable.webpubsub.azure.v1';

/** The server answered the handshake with something other than 101. */
export class Refusal extends Error {
  constructor(status, headers, body) {
    super(`handshake answered ${status} ${body}`);
    Object.assign(this, { status, headers, body });
  }
}

export class Client {
  /** Resolves when the handshake is through; rejects with a Refusal. */
  static open(url, {
    protocols, headers, authorization, tls, origin, socket, ms = 10000,
  } = {}) {
    const options = {
      headers: { ...headers, ...(authorization ? { authorization } : {}) },
      perMessageDeflate: false, origin,
    };
    if (socket) options.createConnection = () => socket;
    if (url.startsWith('wss:')) {
      options.ca = certs.text('ca.pem');
      if (tls) Object.assign(options, tls);
    }
    const list = protocols === undefined ? [] : [].concat(protocols);
    const ws = new WebSocket(url, list, options);
    const client = new Client(ws, url);
    return within(ms, () => `handshake of ${url.replace(/[?].*/, '')}`, new Promise((resolve, reject) => {
      ws.on('open', () => resolve(client));
      ws.on('upgrade', (response) => { client.response = response; });
      ws.on('unexpected-response', (request, response) => {
        let body = '';
        response.on('data', (piece) => { body += piece; });
        response.on('end', () => {
          reject(new Refusal(response.statusCode, response.headers, body));
          ws.terminate();
        });
      });
      // "ws" ends the connection by itself when a server chooses no
      // subprotocol though some were offered; browsers do the same.
      ws.on('error', (error) => { client.error = error; reject(error); });
    })).catch((error) => { ws.terminate(); throw error; });
  }

  constructor(ws, url) {
    this.ws = ws;
    this.url = url;
    this.queue = [];
    this.waiting = [];
    this.ackId = 0;
    this.sequence = 0;
    this.closed = new Promise((resolve) => {
      ws.on('close', (code, reason) => {
        this.ended = { code, reason: reason.toString() };
        for (const waiter of this.waiting.splice(0)) {
          waiter.reject(new Error(`closed ${code} "${reason}" while waiting`));
        }
        resolve(this.ended);
      });
    });
    ws.on('message', (data, binary) => this.#arrived(
      binary ? { binary: data } : Client.#text(data)));
  }

  static #text(data) {
    const text = data.toString();
    let json;
    try { json = JSON.parse(text); } catch { /* a simple client's text */ }
    if (json?.reconnectionToken) remember(json.reconnectionToken);
    return { text, json };
  }

  #arrived(message) {
    if (message.json?.sequenceId > this.sequence) this.sequence = message.json.sequenceId;
    const waiter = this.waiting.find((w) => w.wanted(message));
    if (!waiter) { this.queue.push(message); return; }
    this.waiting.splice(this.waiting.indexOf(waiter), 1);
    waiter.resolve(message);
  }

  get protocol() { return this.ws.protocol; }

  get connectionId() { return this.connected.connectionId; }

  get reconnectionToken() { return this.connected.reconnectionToken; }

  send(message) {
    this.ws.send(typeof message === 'string' || Buffer.isBuffer(message)
      ? message : JSON.stringify(message));
  }

  /** The first message, arrived or to come, that `wanted` accepts. */
  take(wanted = () => true, { ms = 5000, what = 'a message' } = {}) {
    const at = this.queue.findIndex(wanted);
    if (at >= 0) return Promise.resolve(this.queue.splice(at, 1)[0]);
    if (this.ended) return Promise.reject(new Error(`closed ${this.ended.code} "${this.ended.reason}", no ${what}`));
    const waiter = { wanted };
    const arrival = new Promise((resolve, reject) => Object.assign(waiter, { resolve, reject }));
    this.waiting.push(waiter);
    return within(ms, () => `${what}; have ${JSON.stringify(this.queue.slice(0, 5))}`, arrival)
      .finally(() => {
        const i = this.waiting.indexOf(waiter);
        if (i >= 0) this.waiting.splice(i, 1);
      });
  }

  /** The next message, whatever it is. */
  next(options) { return this.take(undefined, options); }

  async json(options) { return (await this.next(options)).json; }

  async text(options) { return (await this.next(options)).text; }

  /** The next JSON message of that type, past others. */
  async type(type, options) {
    return (await this.take((m) => m.json?.type === type, { what: `"${type}"`, ...options })).json;
  }

  /** Send a request with an ack id and return its ack. */
  async ask(request, options) {
    const ackId = request.ackId ?? ++this.ackId;
    this.send({ ...request, ackId });
    return (await this.take((m) => m.json?.type === 'ack' && m.json.ackId === ackId,
      { what: `ack ${ackId} of ${request.type}`, ...options })).json;
  }

  /** The same, and it must have succeeded. */
  async did(request, options) {
    const ack = await this.ask(request, options);
    if (ack.success !== true) throw new Error(`${request.type}: ${JSON.stringify(ack)}`);
    return ack;
  }

  join(group) { return this.did({ type: 'joinGroup', group }); }

  leave(group) { return this.did({ type: 'leaveGroup', group }); }

  publish(group, data, more = {}) {
    return this.did({ type: 'sendToGroup', group, data, ...more });
  }

  /** Everything that came before the answer to a ping sent now. */
  async fence() {
    this.send({ type: 'ping' });
    await this.take((m) => m.json?.type === 'pong', { what: 'pong' });
    return this.queue.splice(0);
  }

  /** The same for clients without a protocol, by a WebSocket ping. */
  async wsFence() {
    const mark = Buffer.from(String(Math.random()));
    const pong = new Promise((resolve) => {
      const listener = (data) => {
        if (!data.equals(mark)) return;
        this.ws.off('pong', listener);
        resolve();
      };
      this.ws.on('pong', listener);
    });
    this.ws.ping(mark);
    await within(5000, 'pong', pong);
    return this.queue.splice(0);
  }

  async end(options = {}) { return within(options.ms ?? 5000, options.what ?? 'the end of the connection', this.closed); }

  /** Close frame with `code`, or without any. */
  async close(code, reason) {
    this.ws.close(code, reason);
    return this.end();
  }

  /** As a cable that is pulled out (a reset). */
  // A socket that is being shut down can no more be reset, and would then never
  // say that it has closed.
  async drop() {
    const socket = this.ws._socket;
    if (socket && !socket.encrypted && !socket.writableEnded) socket.resetAndDestroy();
    else this.ws.terminate();
    return this.end();
  }

  pause() { this.ws.pause(); }

  resume() { this.ws.resume(); }
}
