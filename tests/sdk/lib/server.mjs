// SPDX-License-Identifier: Apache-2.0
// The daemon under test: started with a configuration of its own on a free
// port, stopped with SIGTERM, and held to what must be true of every run: it
// ends with 0, no sanitizer has anything to say, and no secret is in its logs.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import {
  existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { after, before } from 'node:test';
import * as certs from './certs.mjs';
import { RawSocket } from './rawsocket.mjs';
import { limit, within } from './time.mjs';
import {
  ALL, EMULATOR_KEY, PRIMARY, SECONDARY, remembered, token,
} from './token.mjs';
import {
  Client, JSON_V1, RELIABLE_V1, Refusal,
} from './wsclient.mjs';

const top = resolve(dirname(import.meta.filename), '../../..');
export const DAEMON = resolve(process.env.WEBPUBSUBD ?? join(top, 'build/webpubsubd'));
export const TOOL = resolve(process.env.WEBPUBSUBCTL ?? join(dirname(DAEMON), 'webpubsubctl'));
export const PLUGINS = resolve(process.env.WEBPUBSUBD_PLUGIN_DIR ?? join(dirname(DAEMON), '.libs'));
export const FIXTURES = resolve(process.env.SDK_FIXTURES ?? join(dirname(DAEMON), 'tests/fixtures/.libs'));
export const SOURCE = top;
export const plugin = (name) => join(PLUGINS, `${name}.so`);
/** Plugins that only tests load; `make check` builds them. */
export const fixture = (name) => join(FIXTURES, `${name}.so`);
export const hasFixture = (name) => existsSync(fixture(name));

/** The suites that run a second time over TLS ask this. */
export const secure = process.env.SDK_TLS === '1';

const REPORTS = /(ERROR: AddressSanitizer|ERROR: LeakSanitizer|WARNING: ThreadSanitizer|runtime error:|contract violation|Assertion|corrupted|double free|stack smashing)/;

/** What tests change of it they write with the keys of the configuration. */
export function configuration({
  listen, tls = secure, workers = 2, plugins = {}, hubs, keys = [PRIMARY, SECONDARY], log, ...more
} = {}) {
  const block = tls && {
    certificate: certs.file('server.pem'), key: certs.file('server.key'), ...(tls === true ? {} : tls),
  };
  return {
    listen: listen ?? [{ address: '127.0.0.1:0', ...(block ? { tls: block } : {}) }],
    access_keys: keys,
    workers,
    plugins: {
      'subprotocol-simple': {}, 'subprotocol-json': {}, 'auth-jwt': {}, ...plugins,
    },
    hubs: hubs ?? { '*': { anonymous: 'deny' } },
    shutdown: { timeout: '10s', spread: '0s' },
    // All clients of a file are one process, which may be busy with another.
    http: { first_byte_timeout: '60s', headers_timeout: '60s', body_timeout: '60s' },
    log: { level: 'debug', format: 'json', ...log },
    ...more,
  };
}

export class Server {
  #children = new Set();

  constructor(options = {}) {
    this.options = options;
    this.clients = new Set();
    this.out = '';
    this.err = '';
    this.lines = [];
    this.watchers = new Set();
  }

  /** With a configuration as text, `yaml`; else options of configuration(). */
  async start() {
    const {
      yaml, args = [], env = {}, dev, stderr, prefix = [],
    } = this.options;
    this.folder = mkdtempSync(join(tmpdir(), 'webpubsubd-test-'));
    this.file = join(this.folder, 'webpubsubd.yaml');
    let line = ['-c', this.file, ...args];
    if (dev) line = ['--dev', '--port', '0', ...args];
    else writeFileSync(this.file, yaml ?? JSON.stringify(configuration(this.options.config), null, 1), { mode: 0o600 });
    const command = [...prefix, DAEMON, ...line];
    this.child = spawn(command[0], command.slice(1), {
      cwd: this.folder,
      env: { ...process.env, WEBPUBSUBD_PLUGIN_DIR: PLUGINS, ...env },
      stdio: ['ignore', 'pipe', stderr ?? 'pipe'],
    });
    this.exited = new Promise((done) => {
      this.child.on('close', (code, signal) => { this.exit = { code, signal }; this.#stir(); done(this.exit); });
      this.child.on('error', (error) => { this.exit = { code: null, error }; this.#stir(); done(this.exit); });
    });
    this.child.stdout.setEncoding('utf8');
    this.child.stdout.on('data', (piece) => { this.out += piece; this.#stir(); });
    let rest = '';
    this.child.stderr?.setEncoding('utf8');
    this.child.stderr?.on('data', (piece) => {
      this.err += piece;
      const all = (rest + piece).split('\n');
      rest = all.pop();
      for (const text of all) this.#log(text);
      this.#stir();
    });
    await this.#wait('the ready line', 20000, () => /^ready .*\n/m.test(this.out));
    const ready = /^ready (.*)$/m.exec(this.out)[1];
    this.ready = ready;
    const address = /(https?):\/\/([^\s;]+):(\d+)/.exec(ready);
    this.secure = address[1] === 'https';
    this.port = Number(address[3]);
    this.origin = `${address[1]}://127.0.0.1:${this.port}`;
    this.wsOrigin = this.origin.replace('http', 'ws');
    return this;
  }

  #log(text) {
    let record;
    try { record = JSON.parse(text); } catch { record = { text }; }
    this.lines.push(record);
  }

  #stir() { for (const f of [...this.watchers]) f(); }

  async #wait(what, ms, ready) {
    let watcher;
    try {
      return await within(ms, () => `${what}; stderr: ${this.err.slice(-2000)}`, new Promise((done, fail) => {
        watcher = () => {
          const value = ready();
          if (value) done(value);
          else if (this.exit) fail(new Error(`the daemon ended (${JSON.stringify(this.exit)}) before ${what}; stderr: ${this.err.slice(-3000)}`));
        };
        this.watchers.add(watcher);
        watcher();
      }));
    } finally { this.watchers.delete(watcher); }
  }

  /** The first log record, there or to come, that `wanted` accepts. */
  logged(wanted, { ms = 5000, what = 'a log record', from = 0 } = {}) {
    return this.#wait(what, ms, () => this.lines.slice(from).find(wanted));
  }

  get pid() { return this.child.pid; }

  /** Value of a line of /proc/PID/status in bytes. */
  memory(field = 'VmRSS') {
    const status = readFileSync(`/proc/${this.pid}/status`, 'utf8');
    return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)[1]) * 1024;
  }

  /** How many descriptors it has open. */
  async descriptors() { return readdirSync(`/proc/${this.pid}/fd`).length; }

  token(options = {}, how) { return token({ origin: this.origin, ...options }, how); }

  /** ws URL of a hub's client endpoint. `token` undefined: one of the options
   * user, roles, groups is made; null: none. */
  url({
    hub = 'chat', path, query = {}, token: given, port, origin, wsOrigin, ...claims
  } = {}) {
    const base = wsOrigin ?? (port ? this.wsOrigin.replace(String(this.port), String(port)) : this.wsOrigin);
    const o = origin ?? (port ? this.origin.replace(String(this.port), String(port)) : this.origin);
    const access = given === undefined ? token({ origin: o, hub, ...claims }) : given;
    const q = Object.entries(query).flatMap(([k, v]) => [].concat(v).map((x) => `${k}=${encodeURIComponent(x)}`));
    if (access) q.push(`access_token=${access}`);
    return `${base}${path ?? `/client/hubs/${hub}`}${q.length ? `?${q.join('&')}` : ''}`;
  }

  async #open(options) {
    const client = await Client.open(options.url ?? this.url(options), options);
    this.clients.add(client);
    client.closed.then(() => this.clients.delete(client));
    return client;
  }

  /** A client without a known subprotocol. */
  simple(options = {}) { return this.#open({ roles: ALL, ...options }); }

  /** A JSON client, with its `connected` message taken. */
  async json(options = {}) {
    const client = await this.#open({
      roles: ALL, protocols: options.reliable ? RELIABLE_V1 : JSON_V1, ...options,
    });
    client.connected = await client.json({ what: 'connected' });
    assert.equal(client.connected.event, 'connected');
    client.options = options;
    return client;
  }

  reliable(options = {}) { return this.json({ ...options, reliable: true }); }

  /** Come back as `client`; does not wait for the first message. */
  recover(client, { id = client.connectionId, token: ticket = client.reconnectionToken, ...options } = {}) {
    return this.#open({
      token: null, protocols: RELIABLE_V1, hub: client.options.hub,
      query: { awps_connection_id: id, awps_reconnection_token: ticket, ...options.query }, ...options,
      ...(options.query ? { query: { awps_connection_id: id, awps_reconnection_token: ticket, ...options.query } } : {}),
    });
  }

  /** As recover(), and it must work: the new client with `connected` taken. */
  async recovered(client, options) {
    const again = await this.recover(client, options);
    again.connected = await again.json({ what: 'connected after recovery' });
    assert.equal(again.connected.event, 'connected');
    assert.equal(again.connected.connectionId, client.connectionId);
    again.options = client.options;
    again.ackId = client.ackId;
    return again;
  }

  /** A handshake that must be refused: its Refusal. */
  async refused(options = {}) {
    try {
      const client = await this.#open(options);
      await client.drop();
    } catch (error) {
      if (error instanceof Refusal) return error;
      throw error;
    }
    throw new Error('the handshake was accepted');
  }

  /** Status of a handshake with everything in the options, 101 included. */
  async status(options = {}) {
    try {
      const client = await this.#open(options);
      await client.drop();
      return 101;
    } catch (error) {
      if (error instanceof Refusal) return error.status;
      throw error;
    }
  }

  raw(options = {}) { return RawSocket.connect({ port: this.port, secure: this.secure, ...options }); }

  /** Plain HTTP; {status, headers, body}. */
  async http(path, { method = 'GET', body, headers = {} } = {}) {
    const raw = await this.raw();
    try {
      const bytes = body === undefined ? Buffer.alloc(0) : Buffer.from(body);
      await raw.write(Buffer.concat([Buffer.from(`${[`${method} ${path} HTTP/1.1`, `Host: 127.0.0.1:${this.port}`,
        ...(body === undefined ? [] : [`Content-Length: ${bytes.length}`]),
        ...Object.entries(headers).map(([k, v]) => `${k}: ${v}`), 'Connection: close', '', ''].join('\r\n')}`), bytes]));
      return await raw.answer({ head: method === 'HEAD' });
    } finally { raw.destroy(); }
  }

  signal(name) { this.signalled = true; this.child.kill(name); }

  /** End it, and look at what it leaves behind. */
  async stop({ signal = 'SIGTERM', code = 0, ms = 20000, keepClients = false } = {}) {
    if (!this.child || this.stopped) return;
    this.stopped = true;
    if (!keepClients) for (const client of this.clients) client.ws.terminate();
    const early = this.exit;
    if (!early) this.signal(signal);
    try {
      await within(ms, () => `exit after ${signal}; stderr: ${this.err.slice(-3000)}`, this.exited);
    } catch (error) {
      this.child.kill('SIGKILL');
      await this.exited;
      throw error;
    } finally {
      if (process.env.SDK_KEEP_LOGS) writeFileSync(join(process.env.SDK_KEEP_LOGS, `${this.pid}.log`), this.err);
      rmSync(this.folder, { recursive: true, force: true });
    }
    const report = REPORTS.exec(this.err);
    if (report) throw new Error(`the daemon reported: ${this.err.slice(Math.max(0, report.index - 200), report.index + 6000)}`);
    if (this.exit.code !== code || this.exit.signal || (early && !this.signalled)) {
      throw new Error(`the daemon ended ${early ? 'early ' : ''}with ${JSON.stringify(this.exit)}; stderr: ${this.err.slice(-2000)}`);
    }
    this.checkSecrets();
    const { yaml, dev, stderr, config } = this.options;
    if (!yaml && !dev && !stderr && (config?.log?.format ?? 'json') === 'json') {
      const odd = this.lines.find((r) => r.text !== undefined);
      if (odd) throw new Error(`a line of the log is no JSON: ${odd.text.slice(0, 300)}`);
    }
  }

  checkSecrets() {
    const all = this.err + (this.options.dev ? this.out.replace(/^ready .*$/m, '') : this.out);
    for (const secret of remembered()) {
      const at = all.indexOf(secret);
      if (at >= 0) throw new Error(`a secret is in the log: ${all.slice(Math.max(0, at - 300), at + 40)}...`);
    }
    if (this.options.dev && this.err.includes(EMULATOR_KEY)) throw new Error('the key is in the log');
    if (/access_token=[^\s"&]*eyJ/.test(all)) throw new Error('a token is in the log');
  }

  /** Run for its exit status only: {code, out, err}. */
  static run(args, { env = {}, input, ms = 20000, command = DAEMON, cwd } = {}) {
    const child = spawn(command, args, {
      cwd, env: { ...process.env, WEBPUBSUBD_PLUGIN_DIR: PLUGINS, ...env }, stdio: ['pipe', 'pipe', 'pipe'],
    });
    let out = ''; let err = '';
    child.stdin.on('error', () => {});
    child.stdin.end(input ?? '');
    child.stdout.on('data', (piece) => { out += piece; });
    child.stderr.on('data', (piece) => { err += piece; });
    return within(ms, () => `end of ${command} ${args.join(' ')}: ${err}`, new Promise((done, fail) => {
      child.on('error', fail);
      child.on('close', (code, signal) => done({ code, signal, out, err }));
    })).catch((error) => { child.kill('SIGKILL'); throw error; });
  }
}

/** One daemon for all tests of a file. */
export function suiteServer(config = {}, options = {}) {
  const server = new Server({ config, ...options });
  before(() => server.start(), { timeout: limit(30000) });
  after(() => server.stop(), { timeout: limit(40000) });
  return server;
}

/** One daemon for one test. */
export async function testServer(t, config = {}, options = {}) {
  const server = new Server({ config, ...options });
  t.after(() => server.stop(), { timeout: limit(40000) });
  await server.start();
  return server;
}
