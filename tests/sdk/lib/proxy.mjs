// SPDX-License-Identifier: Apache-2.0
// A TCP proxy that can be a bad line: cut by reset or by FIN, between bytes of
// a frame, or stand still.
import net from 'node:net';

export class Proxy {
  static async start(port, host = '127.0.0.1') {
    const proxy = new Proxy(port, host);
    await new Promise((resolve, reject) => {
      proxy.server.once('error', reject);
      proxy.server.listen(0, '127.0.0.1', resolve);
    });
    proxy.port = proxy.server.address().port;
    return proxy;
  }

  constructor(port, host) {
    this.target = { port, host };
    this.lines = new Set();
    this.accepted = 0;
    this.cuts = 0;
    this.down = false;
    this.listeners = [];
    this.server = net.createServer({ pauseOnConnect: false }, (near) => this.#connect(near));
  }

  #connect(near) {
    this.accepted += 1;
    if (this.down) { near.resetAndDestroy(); return; }
    const far = net.connect(this.target);
    const line = {
      near, far, up: 0, downBytes: 0, cutAfter: null, dead: false, number: this.accepted,
    };
    near.setNoDelay(true);
    far.setNoDelay(true);
    this.lines.add(line);
    far.on('connect', () => {
      line.sourcePort = far.localPort; // what the server sees and logs
      for (const f of this.listeners.splice(0)) f(line);
    });
    near.on('data', (data) => { line.up += data.length; if (!line.dead) far.write(data); });
    far.on('data', (data) => {
      if (line.dead) return;
      line.downBytes += data.length;
      if (line.cutAfter === null) { near.write(data); return; }
      // Let through a part only: the client is left in the middle of a frame.
      const part = data.subarray(0, Math.min(line.cutAfter.bytes, data.length));
      line.cutAfter.bytes -= part.length;
      const how = line.cutAfter.how;
      if (line.cutAfter.bytes > 0) { near.write(part); return; }
      line.dead = true;
      near.write(part, () => this.#cut(line, how));
    });
    const gone = (self, other) => {
      self.on('error', () => {});
      self.on('end', () => { if (!line.dead) other.end(); });
      self.on('close', () => {
        if (!line.dead) other.destroy();
        this.lines.delete(line);
      });
    };
    gone(near, far);
    gone(far, near);
  }

  /** The next connection that got through to the server. */
  next() { return new Promise((resolve) => this.listeners.push(resolve)); }

  #cut(line, how) {
    line.dead = true;
    this.cuts += 1;
    this.lines.delete(line);
    if (how === 'fin') {
      line.near.end(); line.far.end();
      line.near.destroySoon(); line.far.destroySoon();
    } else {
      line.near.resetAndDestroy(); line.far.resetAndDestroy();
    }
    line.onCut?.();
  }

  /** Cut every line now, 'rst' or 'fin'. */
  cut(how = 'rst') { for (const line of [...this.lines]) this.#cut(line, how); }

  /** Cut each line after `bytes` more from the server. Resolves when done. */
  cutAfter(bytes, how = 'rst') {
    return Promise.all([...this.lines].map((line) => new Promise((resolve) => {
      line.cutAfter = { bytes, how };
      line.onCut = resolve;
      line.near.once('close', resolve);
    })));
  }

  /** Nothing passes until go(). The sockets stay open. */
  hold() { for (const line of this.lines) { line.near.pause(); line.far.pause(); } }

  go() { for (const line of this.lines) { line.near.resume(); line.far.resume(); } }

  async stop() {
    this.cut('rst');
    await new Promise((resolve) => this.server.close(resolve));
  }
}
