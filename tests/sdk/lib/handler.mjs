// SPDX-License-Identifier: Apache-2.0
// An application server that does what a test says: it keeps every request,
// and answers, hangs, or breaks off as told. Without being told it allows
// every origin and takes every event, saying nothing.
import http from 'node:http';
import https from 'node:https';
import * as certs from './certs.mjs';
import { suiteServer, testServer } from './server.mjs';
import { pass, within } from './time.mjs';

const field = (pairs, name) => pairs.filter(([k]) => k.toLowerCase() === name).map(([, v]) => v);

/** One request as it came. */
class Received {
  constructor(request, during) {
    this.at = Date.now();
    this.method = request.method;
    this.url = request.url;
    [this.path] = request.url.split('?');
    this.headers = request.headers;
    this.pairs = [];
    for (let i = 0; i < request.rawHeaders.length; i += 2) this.pairs.push([request.rawHeaders[i], request.rawHeaders[i + 1]]);
    const parts = this.path.split('/').filter(Boolean).map(decodeURIComponent);
    this.hub = request.headers['ce-hub'] ?? parts.at(-2);
    this.event = request.headers['ce-eventname'] ?? parts.at(-1);
    this.conn = request.headers['ce-connectionid'];
    this.id = request.headers['ce-id'];
    this.state = request.headers['ce-connectionstate'];
    this.request = request.headers['x-ms-client-request-id'];
    /** Those that had come before it and were not answered yet. */
    this.during = during;
    this.gone = false;
  }

  /** The lines of a header field, in their order, letter by letter. */
  lines(name) { return field(this.pairs, name); }

  get text() { return this.body.toString(); }

  get json() { return JSON.parse(this.body.toString()); }

  /** Requests of the same client that were open at the same time. */
  get overlaps() { return this.during.filter((r) => r.conn !== undefined && r.conn === this.conn); }
}

const matches = (match, r) => Object.entries(match).every(([k, v]) => (v instanceof RegExp ? v.test(r[k]) : r[k] === v));

// States may have 16 KiB, which is all that node reads of a head.
const LARGE = { maxHeaderSize: 128 * 1024 };
export const ALLOW = { status: 200, headers: { 'WebHook-Allowed-Origin': '*' } };

/** Ends with the process: while a daemon ends it still has events to tell. */
export class Handler {
  static async start(options) {
    const handler = new Handler(options);
    await handler.up();
    return handler;
  }

  constructor({ tls, host = '127.0.0.1' } = {}) {
    this.tls = tls && {
      cert: certs.text('server.pem'), key: certs.text('server.key'), ...(tls === true ? {} : tls),
    };
    this.host = host;
    this.requests = [];
    this.open = new Set();
    this.queued = [];
    this.standing = [];
    this.watchers = new Set();
    this.sockets = new Set();
    this.accepted = 0;
    this.port = 0;
  }

  get origin() { return `${this.tls ? 'https' : 'http'}://${this.host}:${this.port}`; }

  /** Listen, at the port of the last time. */
  async up() {
    const take = (request, response) => this.#request(request, response);
    const server = this.tls ? https.createServer({ ...LARGE, ...this.tls }, take) : http.createServer(LARGE, take);
    server.keepAliveTimeout = 60000;
    server.on(this.tls ? 'secureConnection' : 'connection', (socket) => {
      this.accepted += 1;
      this.sockets.add(socket);
      socket.on('close', () => this.sockets.delete(socket));
      socket.on('error', () => {});
    });
    server.on('clientError', (error, socket) => socket.destroy());
    await new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen(this.port, this.host, resolve);
    });
    server.unref();
    this.server = server;
    this.port = server.address().port;
  }

  /** Refuse connections from now on, and cut those that are there. */
  async down() {
    const { server } = this;
    if (!server) return;
    this.server = undefined;
    const closed = new Promise((resolve) => server.close(resolve));
    for (const socket of this.sockets) socket.destroy();
    await closed;
  }

  /** The next requests that match get these answers, one each. */
  queue(match, ...answers) { for (const answer of answers) this.queued.push({ match, answer }); }

  /** All that match get this one, when nothing is queued for them. */
  always(match, answer) { this.standing.unshift({ match, answer }); }

  seen(match = {}) { return this.requests.filter((r) => matches(match, r)); }

  /** Posted events of a client, by their names. */
  events(conn) { return this.seen({ method: 'POST', conn }); }

  /** The first n requests that match, there or to come. */
  wait(match, n = 1, { ms = 5000 } = {}) {
    let watcher;
    return within(ms, () => `${n} requests like ${JSON.stringify(match)}; have ${JSON.stringify(this.requests.slice(-20).map((r) => [r.method, r.url, r.id]))}`, new Promise((resolve) => {
      watcher = () => {
        const list = this.seen(match);
        if (list.length >= n) resolve(list.slice(0, n));
      };
      this.watchers.add(watcher);
      watcher();
    })).finally(() => this.watchers.delete(watcher));
  }

  async one(match, options) { return (await this.wait(match, 1, options))[0]; }

  async #request(request, response) {
    const r = new Received(request, [...this.open]);
    this.open.add(r);
    response.on('close', () => { r.ended = Date.now(); r.gone = !response.writableFinished; this.open.delete(r); });
    response.on('error', () => {});
    const pieces = [];
    try {
      for await (const piece of request) pieces.push(piece);
    } catch { return; }
    r.body = Buffer.concat(pieces);
    this.requests.push(r);
    const at = this.queued.findIndex((rule) => matches(rule.match, r));
    const rule = at >= 0 ? this.queued.splice(at, 1)[0] : this.standing.find((s) => matches(s.match, r));
    r.answer = rule?.answer ?? (r.method === 'POST' ? { status: 204 } : ALLOW);
    for (const f of [...this.watchers]) f();
    const answer = typeof r.answer === 'function' ? await r.answer(r) : r.answer;
    await this.#answer(request, response, answer ?? {});
  }

  async #answer(request, response, {
    status = 200, headers = {}, body, type, delay, hang, raw, half, drip, drop, broken, repeat = 1,
  }) {
    const { socket } = request;
    if (delay) await pass(delay);
    if (hang) return;
    if (drop) { if (drop === 'rst') socket.resetAndDestroy(); else socket.destroy(); return; }
    if (raw !== undefined) { socket.write(raw); socket.end(); return; }
    if (broken) { socket.write(broken); return; } // and nothing more
    const bytes = body === undefined ? Buffer.alloc(0) : Buffer.from(body);
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    if (type) response.setHeader('Content-Type', type);
    response.statusCode = status;
    if (half) {
      response.setHeader('Content-Length', bytes.length + 100);
      response.write(bytes, () => socket.destroy());
    } else if (drip) {
      response.setHeader('Content-Length', bytes.length);
      response.flushHeaders();
      for (let i = 0; i < bytes.length && !response.destroyed; i++) {
        response.write(bytes.subarray(i, i + 1));
        await pass(drip);
      }
      response.end();
    } else if (repeat > 1) { // `body` so many times, without building it first
      response.setHeader('Content-Length', bytes.length * repeat);
      const closed = new Promise((resolve) => response.once('close', resolve));
      for (let i = 0; i < repeat && !response.destroyed; i++) {
        if (!response.write(bytes)) await Promise.race([closed, new Promise((resolve) => response.once('drain', resolve))]);
      }
      response.end();
    } else response.end(bytes);
  }

  /** An entry of event_handlers that sends everything here. */
  all(more = {}) {
    return {
      url: `${this.origin}/{hub}/{event}`, user_events: '*', system_events: ['connect', 'connected', 'disconnected'], ...more,
    };
  }
}

/** Short of patience, and never tired of a handler: for tests that are about
 * something else. */
export const HASTY = { event_retry_delays: [], timeout: '6s', breaker_failures: 1000 };

const hooked = ({ webhook = HASTY, plugins, ...config }) => ({
  plugins: { 'upstream-webhook': webhook, ...plugins }, ...config,
});

/** Daemons that have the plugin; `webhook` is its block. */
export const hookServer = (config, options) => suiteServer(hooked(config), options);
export const hookServerIn = (t, config, options) => testServer(t, hooked(config), options);

/** A gate: requests wait at it until it is opened. */
export function gate(answer = { status: 204 }) {
  let open;
  const opened = new Promise((resolve) => { open = resolve; });
  return { open, answer: async () => { await opened; return answer; } };
}
