// SPDX-License-Identifier: Apache-2.0
// An application server that connects to webpubsubd instead of being called by
// it: the JSON form of doc/server-protocol.md over `ws`. One file, to be copied.
import { createHmac } from 'node:crypto';
import { WebSocket } from 'ws';

const PING = 20000;
const RETRY = { first: 250, most: 10000 };

// Words of handleEvents() and what they are on the wire; every other word is a
// custom event of clients.
const SYSTEM = {
  connect: 'connect',
  connected: 'connected',
  disconnect: 'disconnected',
  subscribe: 'join',
  unsubscribe: 'leave',
  publish: 'publish',
  subscribed: 'joined',
  unsubscribed: 'left',
};
// The same of messages that come. A client's `connected` is `clientConnected`
// there: `connected` is the first message to a server.
const WORDS = Object.fromEntries(Object.entries(SYSTEM).map(([word, type]) => [
  type === 'connected' ? 'clientConnected' : type, word]));
// Those that only tell: there is nothing to say no to.
const TELLING = ['clientConnected', 'disconnected', 'joined', 'left'];

/** What a callback throws to say no in words of its own. */
export class Refusal extends Error {
  constructor(detail = '', code = 403) {
    super(detail);
    this.code = code;
  }
}

/** What was not done: `name` is Forbidden, NotFound, BadRequest, Lost, ... */
export class Failure extends Error {
  constructor(name, detail) {
    super(detail || name);
    this.name = name;
  }
}

/** Text is text, octets are binary, everything else is JSON. */
function payload(data) {
  if (typeof data === 'string') return { dataType: 'text', data };
  if (data instanceof Uint8Array) return { dataType: 'binary', data: Buffer.from(data).toString('base64') };
  if (data === null || JSON.stringify(data) === undefined) throw new TypeError('that is no data to send');
  return { dataType: 'json', data };
}

/** {dataType, data} as it came, octets in a Buffer. */
function unpacked({ dataType, data } = {}) {
  const octets = dataType === 'binary' || dataType === 'protobuf';
  return { dataType, data: octets ? Buffer.from(data, 'base64') : data };
}

/** The service ends a connection that sends anything else in its place. */
function name(value, what) {
  if (typeof value !== 'string' || value === '') throw new TypeError(`${what} has to be a text`);
  return value;
}
const group = (value) => name(value, 'a group');
const connection = (value) => name(value, 'a connection id');
const names = (list, what) => (list === undefined ? undefined : [...list].map((value) => name(value, what)));
const perhaps = (value, what) => (value === undefined ? undefined : name(value, what));

/** A promise that is kept from outside. One that fails with nobody waiting is no
 * fault. */
function deferred() {
  const d = {};
  d.promise = new Promise((resolve, reject) => Object.assign(d, { resolve, reject }));
  d.promise.catch(() => {});
  return d;
}

export class WebPubSubServer {
  #url; #key; #roles; #timeout; #log;

  #ws = null;
  #up = deferred(); // connected, and all that was registered is so again
  #isUp = false;
  #greeted = false; // commands may be sent
  #attempts = 0;
  #retry;
  #closed = false;

  #ackId = 0;
  #asked = new Map(); // ackId: what waits for it
  #registered = new Set(); // {command, first}, for this connection and the next
  #handlers = new Map(); // id of a registration: callback
  #groups = new Map(); // name: {callbacks, registration}
  #running = new Set(); // answers in the making

  /** `roles` are publisher, subscriber and manager, of all groups or of one
   * ("publisher.news"), joined by "+" or in a list. It connects by itself, and
   * again whenever the connection is lost, until close(). */
  constructor(connectionString, roles = 'publisher+subscriber+manager', { hub = 'chat', timeout = 10000, log = console.error } = {}) {
    const part = (key) => new RegExp(`(?:^|;)\\s*${key}=([^;]*)`, 'i').exec(connectionString)?.[1].trim();
    if (!part('Endpoint') || !part('AccessKey')) throw new TypeError('a connection string has Endpoint=...;AccessKey=...;');
    const endpoint = new URL(part('Endpoint'));
    if (part('Port')) endpoint.port = part('Port');
    this.#url = `${endpoint.href.replace(/\/$/, '')}/server?hub=${encodeURIComponent(hub)}`;
    this.#key = part('AccessKey');
    this.#roles = Array.isArray(roles) ? roles : roles.split('+');
    this.#timeout = timeout;
    this.#log = log;
    this.#connect();
  }

  // ---- what an application does ----

  /** Resolves when it is connected and all its handlers and groups are known. */
  ready() { return this.#up.promise; }

  /** callback({group, dataType, data, fromUserId, metadata}) for every message
   * to the group. */
  async subscribe(groupName, callback) {
    let entry = this.#groups.get(group(groupName));
    if (!entry) {
      entry = { callbacks: new Set() };
      this.#groups.set(groupName, entry);
      entry.registration = this.#register({ type: 'subscribe', groupName }, () => this.#groups.delete(groupName));
    }
    entry.callbacks.add(callback);
    await entry.registration.first.promise;
  }

  async unsubscribe(groupName) {
    const entry = this.#groups.get(groupName);
    if (!entry) return;
    this.#groups.delete(groupName);
    this.#registered.delete(entry.registration);
    await this.ask({ type: 'unsubscribe', groupName });
  }

  /** noEcho: not to subscriptions of this connection; excluded: connection ids. */
  publish(groupName, data, { noEcho, excluded, filter } = {}) {
    return this.ask({
      type: 'publish', groupName: group(groupName), payload: payload(data), noEcho, excluded, filter,
    });
  }

  /** Ask callback(event) for every event of that word which the filter lets
   * pass, and no callback before. What it returns or promises is the answer:
   *
   *   false            no; `throw new Refusal(why)` is a no in words
   *   true, undefined  yes, with nothing more to say
   *   connect          {userId, groups, roles, subprotocol}
   *   custom events    data for the client
   *
   * event.state is the client's, and may be set. `publish` is both a message to
   * a group and a custom event of that name. `how` is a filter, or {filter,
   * groups} with patterns of the groups that subscribe and publish are about. */
  async handleEvents(word, callback, how = {}) {
    const { filter, groups } = typeof how === 'string' ? { filter: how } : how;
    const system = Object.hasOwn(SYSTEM, name(word, 'an event'));
    const id = Math.max(0, ...this.#handlers.keys()) + 1; // events name it
    const command = {
      type: 'handleEvents',
      id,
      systemEvents: system ? [SYSTEM[word]] : [],
      userEvents: !system || word === 'publish' ? [word] : [],
      filter,
      groups,
      withPayload: word === 'publish',
    };
    this.#handlers.set(id, callback);
    await this.#register(command, () => this.#handlers.delete(id)).first.promise;
  }

  client(connectionId) {
    const { manager } = this;
    return {
      connectionId: connection(connectionId),
      send: (data) => manager.sendToConnection(connectionId, data),
      close: (reason) => manager.closeConnection(connectionId, reason),
      join: (groupName) => manager.addToGroup(connectionId, groupName),
      leave: (groupName) => manager.removeFromGroup(connectionId, groupName),
      exists: () => manager.connectionExists(connectionId),
    };
  }

  manager = {
    sendToConnection: (id, data) => this.ask({ type: 'sendToClient', connectionId: connection(id), payload: payload(data) }),
    sendToUser: (id, data) => this.ask({ type: 'sendToUser', userId: name(id, 'a user id'), payload: payload(data) }),
    sendToAll: (data, { excluded, filter } = {}) => this.ask({ type: 'sendToAll', payload: payload(data), excluded, filter }),
    closeConnection: (id, reason) => this.ask({ type: 'closeClient', connectionId: connection(id), reason: perhaps(reason, 'a reason') }),
    addToGroup: (id, groupName) => this.ask({ type: 'addClientToGroup', connectionId: connection(id), groupName: group(groupName) }),
    removeFromGroup: (id, groupName) => this.ask({ type: 'removeClientFromGroup', connectionId: connection(id), groupName: group(groupName) }),
    connectionExists: (id) => this.#exists({ type: 'clientExists', connectionId: connection(id) }),
    userExists: (id) => this.#exists({ type: 'userExists', userId: name(id, 'a user id') }),
  };

  /** Any command of doc/server-protocol.md, once connected. Resolves with its
   * ack; else there is a Failure. What was under way when the connection was
   * lost may have been done or not: it fails as Lost and is not sent again. */
  async ask(command) {
    let timer;
    const late = new Promise((resolve, reject) => {
      timer = setTimeout(() => reject(new Failure('Timeout', `not connected within ${this.#timeout} ms`)), this.#timeout);
    });
    await Promise.race([this.ready(), late]).finally(() => clearTimeout(timer));
    return this.#send(command);
  }

  async #exists(command) {
    try {
      await this.ask(command);
      return true;
    } catch (error) {
      if (error.name === 'NotFound') return false;
      throw error;
    }
  }

  /** Takes no more events, answers those that it has, and leaves. */
  async close() {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#retry);
    const ws = this.#ws;
    if (this.#isUp) {
      await Promise.allSettled([...this.#handlers.keys()].map((id) => this.#send({ type: 'handleEvents', id })));
      await Promise.allSettled(this.#running);
    }
    if (ws && ws.readyState !== WebSocket.CLOSED) {
      const gone = new Promise((resolve) => { ws.once('close', resolve); });
      ws.close(1000);
      await gone;
    }
    this.#up.reject(new Failure('Closed', 'close() was called'));
  }

  // ---- the connection ----

  #token() {
    const now = Math.floor(Date.now() / 1000);
    const text = [
      { alg: 'HS256', typ: 'JWT' },
      { aud: this.#url, iat: now, exp: now + 300, role: this.#roles },
    ].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
    return `${text}.${createHmac('sha256', this.#key).update(text).digest('base64url')}`;
  }

  #connect() {
    const ws = new WebSocket(this.#url.replace(/^http/i, 'ws'), 'json', {
      headers: { authorization: `Bearer ${this.#token()}` },
      handshakeTimeout: this.#timeout,
      perMessageDeflate: false,
    });
    let why;
    let heard = true;
    // A service that is gone without a word is noticed by its silence.
    const beat = setInterval(() => {
      if (!heard) ws.terminate();
      else if (ws.readyState === WebSocket.OPEN) ws.ping();
      heard = ws.readyState !== WebSocket.OPEN;
    }, PING);
    ws.on('pong', () => { heard = true; });
    ws.on('message', (data) => {
      heard = true;
      this.#arrived(JSON.parse(data));
    });
    ws.on('error', (error) => { why = error.message; });
    ws.on('close', (code, reason) => {
      clearInterval(beat);
      this.#lost(why || `closed ${code} ${reason}`.trim());
    });
    this.#ws = ws;
  }

  #lost(why) {
    if (this.#isUp) this.#up = deferred();
    this.#isUp = false;
    this.#greeted = false;
    this.#ws = null;
    for (const { reject } of this.#asked.values()) reject(new Failure('Lost', why));
    this.#asked.clear();
    if (this.#closed) return;
    const delay = Math.min(RETRY.most, RETRY.first * 2 ** this.#attempts) * (0.5 + Math.random() / 2);
    this.#attempts += 1;
    this.#log(`not connected: ${why}; again in ${(delay / 1000).toFixed(1)} s`);
    this.#retry = setTimeout(() => this.#connect(), delay);
  }

  #send(command) {
    if (this.#ws?.readyState !== WebSocket.OPEN) return Promise.reject(new Failure('Lost', 'not connected'));
    this.#ackId = (this.#ackId % 0x7fffffff) + 1;
    const answer = deferred();
    this.#asked.set(this.#ackId, answer);
    this.#ws.send(JSON.stringify({ ...command, ackId: this.#ackId }));
    return answer.promise;
  }

  #arrived(message) {
    switch (message.type) {
      case 'connected':
        this.#welcome(message);
        break;
      case 'ack':
        this.#acknowledged(message);
        break;
      case 'message':
        this.#published(message);
        break;
      default: {
        const answer = this.#answer(this.#ws, message).finally(() => this.#running.delete(answer));
        this.#running.add(answer);
      }
    }
  }

  /** The service runs commands in order: all that was registered comes first. */
  async #welcome({ connectionId, hub }) {
    const ws = this.#ws;
    this.#greeted = true;
    await Promise.all([...this.#registered].map((r) => this.#announce(r)));
    if (this.#ws !== ws) return;
    this.#isUp = true;
    this.#attempts = 0;
    this.#log(`connected to ${hub} as ${connectionId}`);
    this.#up.resolve();
  }

  /** What is to hold from now on. When the service says no to it at first, it
   * is dropped; a no to a later connection is logged. */
  #register(command, drop) {
    if (this.#closed) throw new Failure('Closed', 'close() was called');
    const registration = { command, drop, first: deferred() };
    this.#registered.add(registration);
    if (this.#greeted) this.#announce(registration);
    return registration;
  }

  async #announce(registration) {
    const { command, drop, first } = registration;
    try {
      await this.#send(command);
      registration.held = true;
      first.resolve();
    } catch (error) {
      if (error.name === 'Lost') return; // said again to the next connection
      this.#log(`${command.type}: ${error.name}: ${error.message}`);
      if (registration.held) return;
      this.#registered.delete(registration);
      drop();
      first.reject(error);
    }
  }

  #acknowledged(ack) {
    const asked = this.#asked.get(ack.ackId);
    this.#asked.delete(ack.ackId);
    if (ack.result === 'success') asked?.resolve(ack);
    else asked?.reject(new Failure(ack.error ?? ack.result, ack.detail));
  }

  #published(message) {
    const event = {
      group: message.groupName, fromUserId: message.fromUserId, metadata: message.metadata, ...unpacked(message.payload),
    };
    for (const callback of this.#groups.get(message.groupName)?.callbacks ?? []) {
      try {
        callback(event);
      } catch (error) {
        this.#log(`a message to ${message.groupName}: ${error.stack}`);
      }
    }
  }

  // ---- events ----

  async #answer(ws, message) {
    const { context, ackId, id } = message;
    const event = {
      name: message.type === 'event' ? message.eventName : WORDS[message.type],
      client: this.client(context.connectionId),
      connectionId: context.connectionId,
      userId: context.userId,
      hub: context.hub,
      subprotocol: context.subprotocol,
      state: context.connectionState,
      claims: context.claims,
      headers: context.headers,
      query: context.query,
      subprotocols: message.subprotocols,
      group: message.groupName,
      size: message.payloadMetadata?.payloadSize,
      reason: message.reason,
      ...unpacked(message.payload),
    };
    let said;
    try {
      const callback = this.#handlers.get(id);
      said = callback ? await callback(event) : false;
      if (said === false && !TELLING.includes(message.type)) throw new Refusal();
      said = this.#saying(message, said);
      if (event.state !== context.connectionState) said.state = String(event.state ?? '');
    } catch (error) {
      const refused = error instanceof Refusal;
      if (!refused) this.#log(`${event.name}: ${error.stack}`);
      said = { error: refused ? { code: error.code, detail: error.message } : { code: 500 } };
    }
    if (!ackId || ws.readyState !== WebSocket.OPEN) return;
    ws.send(JSON.stringify({ type: message.type === 'connect' ? 'connectResponse' : 'messageResponse', ackId, ...said }));
  }

  #saying({ type }, said) {
    if (said === undefined || typeof said === 'boolean') return {};
    if (type === 'event') return { payload: payload(said) };
    if (type !== 'connect') return {};
    const { userId, groups, roles, subprotocol } = said;
    return {
      userId: perhaps(userId, 'a user id'),
      groups: names(groups, 'a group'),
      roles: names(roles, 'a role'),
      subprotocol: perhaps(subprotocol, 'a subprotocol'),
    };
  }
}
