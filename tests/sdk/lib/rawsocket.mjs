// SPDX-License-Identifier: Apache-2.0
// Bytes on a socket: requests and frames as wrong as one likes.
import net from 'node:net';
import tls from 'node:tls';
import { randomBytes } from 'node:crypto';
import { within } from './time.mjs';
import * as certs from './certs.mjs';

export const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';
export const ACCEPT = 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=';

export const CONTINUATION = 0;
export const TEXT = 1;
export const BINARY = 2;
export const CLOSE = 8;
export const PING = 9;
export const PONG = 10;

/** One frame as a client writes it; every rule can be broken. */
export function frame(opcode, payload = '', {
  fin = true, rsv = 0, masked = true, mask, length, lengthBytes,
} = {}) {
  const body = Buffer.from(payload);
  const n = length ?? body.length;
  const form = lengthBytes ?? (n > 65535 ? 8 : n > 125 ? 2 : 0);
  const head = [Buffer.from([(fin ? 0x80 : 0) | (rsv << 4) | opcode,
    (masked ? 0x80 : 0) | (form === 8 ? 127 : form === 2 ? 126 : n)])];
  if (form === 2) { const b = Buffer.alloc(2); b.writeUInt16BE(n); head.push(b); }
  if (form === 8) { const b = Buffer.alloc(8); b.writeBigUInt64BE(BigInt(n)); head.push(b); }
  if (!masked) return Buffer.concat([...head, body]);
  const key = mask ?? randomBytes(4);
  const hidden = Buffer.from(body);
  for (let i = 0; i < hidden.length; i++) hidden[i] ^= key[i & 3];
  return Buffer.concat([...head, key, hidden]);
}

export function closeFrame(code, reason = '') {
  const body = Buffer.alloc(2 + Buffer.byteLength(reason));
  body.writeUInt16BE(code);
  body.write(reason, 2);
  return frame(CLOSE, body);
}

export class RawSocket {
  static async connect({ port, host = '127.0.0.1', secure = false, tls: more, localAddress }) {
    const socket = secure
      ? tls.connect({ port, host, ca: certs.text('ca.pem'), servername: 'localhost', ...more })
      : net.connect({ port, host, localAddress });
    const raw = new RawSocket(socket);
    await within(10000, 'connection', new Promise((resolve, reject) => {
      socket.once(secure ? 'secureConnect' : 'connect', resolve);
      socket.once('error', reject);
    }));
    socket.setNoDelay(true);
    return raw;
  }

  constructor(socket) {
    this.socket = socket;
    this.data = Buffer.alloc(0);
    this.wake = [];
    this.over = false;
    const stir = () => { for (const f of this.wake.splice(0)) f(); };
    socket.on('data', (piece) => { this.data = Buffer.concat([this.data, piece]); stir(); });
    socket.on('end', () => { this.finished = true; this.over = true; stir(); });
    socket.on('error', (error) => { this.error = error; });
    socket.on('close', () => { this.over = true; this.gone = true; stir(); });
  }

  write(bytes) {
    if (this.socket.destroyed) return Promise.resolve();
    return new Promise((resolve) => this.socket.write(bytes, () => resolve()));
  }

  async #until(ready, what, ms) {
    await within(ms, () => `${what}; have ${this.data.length} bytes ${JSON.stringify(this.data.toString('latin1', 0, 200))}`, (async () => {
      while (!ready()) {
        if (this.over) throw new Error(`ended while waiting for ${what}`);
        await new Promise((resolve) => this.wake.push(resolve));
      }
    })());
  }

  /** One HTTP answer: {status, headers, body}. */
  async answer({ ms = 5000, head = false } = {}) {
    const end = () => this.data.indexOf('\r\n\r\n');
    await this.#until(() => end() >= 0, 'an HTTP answer', ms);
    const lines = this.data.toString('latin1', 0, end()).split('\r\n');
    this.data = this.data.subarray(end() + 4);
    const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(lines[0])?.[1]);
    const headers = {};
    for (const line of lines.slice(1)) {
      const [, name, value] = /^([^:]+): *(.*)$/.exec(line);
      headers[name.toLowerCase()] = value;
    }
    const length = head || status === 101 || status === 204 ? 0 : Number(headers['content-length'] ?? 0);
    await this.#until(() => this.data.length >= length, 'the body', ms);
    const body = this.data.toString('utf8', 0, length);
    this.data = this.data.subarray(length);
    return { status, headers, body, line: lines[0] };
  }

  static request({
    path, host = 'localhost', protocols, headers = [], method = 'GET', version = '1.1', key = KEY,
  }) {
    return [`${method} ${path} HTTP/${version}`, `Host: ${host}`, 'Connection: Upgrade',
      'Upgrade: websocket', 'Sec-WebSocket-Version: 13', `Sec-WebSocket-Key: ${key}`,
      ...(protocols ? [`Sec-WebSocket-Protocol: ${protocols}`] : []), ...headers, '', ''].join('\r\n');
  }

  async handshake(options) {
    await this.write(RawSocket.request(options));
    return this.answer(options);
  }

  /** The next frame of the server: {fin, rsv, opcode, masked, payload}. */
  async frame({ ms = 5000 } = {}) {
    let header; let length;
    const ready = () => {
      const d = this.data;
      if (d.length < 2) return false;
      const short = d[1] & 0x7f;
      header = 2 + (short === 126 ? 2 : short === 127 ? 8 : 0) + (d[1] & 0x80 ? 4 : 0);
      if (d.length < header) return false;
      length = short === 126 ? d.readUInt16BE(2) : short === 127 ? Number(d.readBigUInt64BE(2)) : short;
      return d.length >= header + length;
    };
    await this.#until(ready, 'a frame', ms);
    const d = this.data;
    this.data = d.subarray(header + length);
    return {
      fin: (d[0] & 0x80) !== 0, rsv: (d[0] >> 4) & 7, opcode: d[0] & 15,
      masked: (d[1] & 0x80) !== 0, payload: Buffer.from(d.subarray(header, header + length)),
    };
  }

  /** The close frame, past other frames: {code, reason}; 1005 without code. */
  async closing(options) {
    for (;;) {
      const f = await this.frame(options);
      if (f.opcode !== CLOSE) continue;
      return f.payload.length < 2 ? { code: 1005, reason: '' }
        : { code: f.payload.readUInt16BE(0), reason: f.payload.toString('utf8', 2) };
    }
  }

  /** The server's end of the connection: 'fin' or 'reset'. */
  async end({ ms = 10000 } = {}) {
    await within(ms, 'the end of the connection', (async () => {
      while (!this.over) await new Promise((resolve) => this.wake.push(resolve));
    })());
    return this.finished ? 'fin' : 'reset';
  }

  reset() {
    if (this.socket.encrypted) this.socket.destroy();
    else this.socket.resetAndDestroy();
  }

  destroy() { this.socket.destroy(); }
}
