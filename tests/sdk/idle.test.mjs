// SPDX-License-Identifier: Apache-2.0
// Many idle connections on one worker, slow handshakes beside them, and others
// who go on working. Both ends are counted: one process here holds the clients.
import assert from 'node:assert/strict';
import { spawn, execFileSync } from 'node:child_process';
import { createInterface } from 'node:readline';
import { check } from './lib/cases.mjs';
import { testServer } from './lib/server.mjs';
import { limit, until, within } from './lib/time.mjs';
import { JSON_V1 } from './lib/wsclient.mjs';

const SLOW = 1000;

/** Another process that holds idle sockets: prints a line for each step. */
class Holder {
  constructor(port) {
    this.child = spawn(process.execPath, ['-e', Holder.program, String(port)], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.lines = createInterface({ input: this.child.stdout })[Symbol.asyncIterator]();
  }

  static program = `
    const net = require('node:net');
    const port = Number(process.argv[1]);
    const sockets = [];
    let lost = 0, answered = 0, wrong = 0;
    process.stdin.setEncoding('utf8');
    let rest = '';
    process.stdin.on('data', (d) => { const all = (rest + d).split('\\n'); rest = all.pop(); for (const l of all) run(JSON.parse(l)); });
    process.stdin.on('end', () => process.exit(0));
    const say = (o) => process.stdout.write(JSON.stringify(o) + '\\n');
    function open(text, whole, done) {
      const s = net.connect({ port, host: '127.0.0.1' });
      let head = '';
      s.on('connect', () => { s.write(text); if (!whole) done(); });
      s.on('data', (d) => {
        if (s.through) return;
        head += d;
        if (!head.includes('connected')) { if (head.includes('\\r\\n\\r\\n') && !head.startsWith('HTTP/1.1 101')) { wrong++; done(); s.through = true; } return; }
        s.through = true; answered++; done();
      });
      s.on('error', () => {});
      s.on('close', () => { lost++; if (!s.through && whole) done(); });
      sockets.push(s);
    }
    async function run({ count, texts, whole }) {
      let next = 0, ready = 0;
      await new Promise((resolve) => {
        const one = () => {
          if (next < count) open(texts[next++ % texts.length], whole, () => { if (++ready === count) resolve(); else one(); });
        };
        for (let i = 0; i < 60; i++) one();
      });
      say({ answered, wrong, lost });
    }`;

  async ask(command, ms) {
    this.child.stdin.write(`${JSON.stringify(command)}\n`);
    const { value } = await within(ms, 'the holder of sockets', this.lines.next());
    return JSON.parse(value);
  }

  stop() { this.child.stdin.end(); this.child.kill(); }
}

check('6.5 idle connections on one worker, slow handshakes beside, others go on', { timeout: 120000 }, async (t) => {
  const hard = Number(execFileSync('bash', ['-c', 'ulimit -Hn']).toString().trim().replace('unlimited', '1048576'));
  // The daemon needs one descriptor for each, and so does the holder.
  const room = hard - SLOW - 500;
  const count = Math.min(10000, room);
  if (count < 10000) t.diagnostic(`the hard limit on open files is ${hard}: ${count} connections instead of 10000`);
  assert.ok(count > 100, `the hard limit on open files, ${hard}, leaves no room`);
  const server = await testServer(t, {
    workers: 1, log: { level: 'warn', format: 'json' }, limits: { connections: 20000 },
    http: { first_byte_timeout: '60s', headers_timeout: '60s' },
    websocket: { ping_interval: '120s' }, // which the holder does not answer
  }, { prefix: ['bash', '-c', 'ulimit -n "$(ulimit -Hn)"; exec "$0" "$@"'] });
  const holder = new Holder(server.port);
  const others = new Holder(server.port);
  t.after(() => { holder.stop(); others.stop(); });

  const a = await server.json({ groups: ['busy'] });
  const b = await server.json();
  for (let i = 0; i < 200; i++) await b.publish('busy', i);
  await a.take((m) => m.json?.data === 199);
  a.queue.length = 0;
  const before = server.memory();

  const url = new URL(server.url());
  const text = ['GET ', url.pathname, url.search, ' HTTP/1.1\r\nHost: ', url.host, '\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n',
    'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: ', JSON_V1, '\r\n\r\n'].join('');
  const start = Date.now();
  const idle = await holder.ask({ count, texts: [text], whole: true }, 60000);
  const opened = Date.now() - start;
  assert.deepEqual(idle, { answered: count, wrong: 0, lost: 0 });
  const after = server.memory();

  // Handshakes that stop anywhere: in the request line, the headers, the end.
  const cuts = Array.from({ length: 50 }, (x, i) => text.slice(0, 1 + Math.floor(((text.length - 2) * i) / 50)));
  await others.ask({ count: SLOW, texts: cuts, whole: false }, 30000);
  await until(10000, 'the slow ones are accepted', async () => (await server.descriptors()) > count + SLOW);

  const worst = { join: 0, publish: 0, connect: 0 };
  const timed = async (what, fn) => {
    const begin = performance.now();
    const value = await fn();
    worst[what] = Math.max(worst[what], performance.now() - begin);
    return value;
  };
  for (let i = 0; i < 100; i++) {
    const c = await timed('connect', () => server.json());
    await timed('join', () => c.join(`room-${i}`));
    await timed('publish', () => b.publish(`room-${i}`, i));
    assert.equal((await c.json()).data, i);
    await c.drop();
  }
  await b.publish('busy', 'last');
  assert.equal((await a.json()).data, 'last');
  for (const [what, ms] of Object.entries(worst)) assert.ok(ms < limit(2000), `${what} took ${Math.round(ms)} ms`);
  const still = await holder.ask({ count: 1, texts: [text], whole: true }, 10000);
  assert.equal(still.lost, 0, 'idle connections were closed');

  const each = (after - before) / count;
  t.diagnostic(`${count} idle connections opened in ${opened} ms; ${SLOW} slow handshakes`);
  t.diagnostic(`memory: ${(before / 1048576).toFixed(1)} MiB before, ${(after / 1048576).toFixed(1)} MiB with them: ${Math.round(each)} bytes per idle connection (RSS)`);
  t.diagnostic(`others meanwhile, worst: ${JSON.stringify(Object.fromEntries(Object.entries(worst).map(([k, v]) => [k, `${v.toFixed(1)} ms`])))}`);
});
