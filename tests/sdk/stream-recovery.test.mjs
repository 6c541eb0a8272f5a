// SPDX-License-Identifier: Apache-2.0
// Streams of the official client on a line that is cut again and again, and
// receivers on lines of that kind: no fragment is lost, doubled, or out of its
// order, and each stream ends once (C-127).
import assert from 'node:assert/strict';
import { check, suite } from './lib/cases.mjs';
import { officialClient } from './lib/official.mjs';
import { Proxy } from './lib/proxy.mjs';
import { testServer } from './lib/server.mjs';
import { gather, whole } from './lib/streams.mjs';
import {
  limit, pass, random, until, within,
} from './lib/time.mjs';

const long = !!process.env.SDK_LONG;
const STREAMS = 20;
const FRAGMENTS = long ? 4000 : 400; // of the longest of them
const CUTS = long ? 500 : 40; // of each line

/** Cut the line of `proxy` at random moments, between frames and inside. */
async function cutter(proxy, rnd, cuts, over) {
  const made = { rst: 0, fin: 0, inside: 0 };
  for (let k = 0; k < cuts && !over.is; k++) {
    await pass(rnd.below(200));
    const how = rnd() < 0.5 ? 'rst' : 'fin';
    await until(30000, 'a line to cut', () => [...proxy.lines].some((l) => l.sourcePort && !l.dead));
    const back = proxy.next();
    if (rnd() < 0.5) {
      made.inside += 1;
      // Where nothing more comes there is nothing to be cut.
      await Promise.race([proxy.cutAfter(1 + rnd.below(300), how), over.promise]);
    } else proxy.cut(how);
    made[how] += 1;
    await Promise.race([within(40000, `the client comes back after cut ${k}`, back), over.promise]);
  }
  return made;
}

/** A reliable client by hand that comes back until it is told to stop. */
class Receiver {
  streams = new Map();

  sequence = 0;

  recoveries = 0;

  again = 0;

  static async open(server, port, group) {
    const r = new Receiver();
    Object.assign(r, { server, port });
    r.client = await server.reliable({ port, groups: [group] });
    r.running = r.#follow();
    r.running.catch(() => {});
    return r;
  }

  async #follow() {
    while (!this.stopped) {
      try {
        for (;;) this.#take((await this.client.next({ ms: 120000 })).json);
      } catch (error) {
        if (this.stopped) return;
        if (!/^closed/.test(error.message)) throw error;
        // A cut attempt to come back may reach the server behind the next one.
        const { code, reason } = this.client.ended;
        assert.ok(code !== 1008 || /Replaced/.test(reason), `the session is kept: ${reason}`);
      }
      await this.#recover();
    }
  }

  async #recover() {
    const { options } = this.client;
    const [id, token] = [this.id ?? this.client.connectionId, this.token ?? this.client.reconnectionToken];
    Object.assign(this, { id, token });
    const end = Date.now() + limit(20000);
    while (!this.stopped) {
      try {
        const c = await this.server.recover(this.client, { port: this.port, id, token, hub: options.hub });
        const first = await c.json();
        assert.equal(first.event, 'connected', JSON.stringify(first));
        this.client = Object.assign(c, { options, connected: first });
        this.token = first.reconnectionToken;
        this.recoveries += 1;
        this.#ack(); // the last one may have been cut
        return;
      } catch (error) {
        if (Date.now() > end || error instanceof assert.AssertionError) throw error;
        await pass(20);
      }
    }
  }

  /** As the SDKs do: what has been seen already is a replay. */
  #take(m) {
    if (m.sequenceId === undefined) return;
    if (m.sequenceId <= this.sequence) { this.again += 1; return; }
    assert.equal(m.sequenceId, this.sequence + 1, 'a message is missing');
    this.sequence = m.sequenceId;
    gather(this.streams, m);
    if (this.sequence % 40 === 0) this.#ack();
  }

  #ack() { this.client.send({ type: 'sequenceAck', sequenceId: this.sequence }); }

  async stop() {
    this.stopped = true;
    await this.client.drop().catch(() => {});
    await this.running.catch(() => {});
  }
}

/** The streams of the official client, one behind the other in each lane. */
async function lane(p, number, rnd, over, opened, ahead) {
  for (let round = 0; !(over.wanted && round > 0); round++) {
    const n = round === 0 ? Math.ceil(FRAGMENTS * (0.3 + 0.7 * rnd())) : 5 + rnd.below(20);
    const streamId = `lane ${number} round ${round}`;
    let stream;
    try {
      stream = await p.c.openGroupStream('flow', { streamId, noEcho: true, idleTimeoutInMs: 30000 });
    } catch (error) {
      // A cut during the start: the client gives that stream up.
      assert.ok(!['Forbidden', 'BadRequest'].includes(error.name), `${streamId}: ${error}`);
      opened.set(streamId, { given: 'up' });
      await pass(50);
      continue;
    }
    const failure = new Promise((resolve, reject) => stream.onError((e) => reject(new Error(`${streamId}: ${e.name} ${e.message}`))));
    failure.catch(() => {});
    const one = { n, failed: rnd() < 0.2 };
    opened.set(streamId, one);
    for (let i = 1; i <= n; i++) {
      over.sent += 1;
      await Promise.race([stream.write({ number, round, i }, 'json'), failure]);
      await pass(over.wanted ? 2 : rnd.below(40));
      while (ahead()) await pass(10);
    }
    over.sent += 1;
    if (one.failed) await Promise.race([stream.abort({ message: streamId, userErrorCode: 'E1' }), failure]);
    else await Promise.race([stream.end(), failure]);
  }
}

async function run(t, workers, lines) {
  const ends = []; // before the proxies, which wait for their lines
  try {
    await flow(t, workers, lines, ends);
  } finally {
    await Promise.all(ends.map((f) => f()));
  }
}

async function flow(t, workers, lines, ends) {
  const seed = Number(process.env.SDK_SEED ?? 5127 + workers);
  t.diagnostic(`seed ${seed}`);
  const server = await testServer(t, { workers });
  const proxies = {};
  for (const name of ['publisher', 'first', 'second']) {
    proxies[name] = await Proxy.start(server.port);
    t.after(() => proxies[name].stop());
  }
  const receivers = [await Receiver.open(server, proxies.first.port, 'flow'), await Receiver.open(server, proxies.second.port, 'flow')];
  ends.push(...receivers.map((r) => () => r.stop()));
  const witness = await server.json({ groups: ['flow'] });
  const seen = new Map();
  let told = 0;
  witness.ws.on('message', (data) => { told += 1; gather(seen, JSON.parse(data.toString())); });
  const over = { is: false, wanted: false, sent: 0 };
  over.promise = new Promise((resolve) => { over.now = () => { over.is = true; resolve(); }; });
  // A session keeps 1000 messages: the flow is never so far ahead of anybody,
  // also while the server stands still and everything waits before it, or when
  // a cut takes the acks along that were under way.
  const ahead = () => receivers.some((r) => Math.max(told, over.sent) - r.sequence > 100);
  const p = officialClient({ origin: server.origin.replace(String(server.port), String(proxies.publisher.port)) });
  ends.push(() => p.c.stop());
  await p.start();
  assert.equal(p.seen.connected.length, 1);

  const opened = new Map();
  const lanes = Promise.all(Array.from({ length: STREAMS }, (_, i) => lane(p, i, random(seed * 100 + i), over, opened, ahead)));
  await until(20000, 'all streams are open', () => [...opened.values()].filter((o) => o.n).length >= STREAMS || opened.size > STREAMS);
  const cutting = Promise.all(lines.map((name, i) => cutter(proxies[name], random(seed + i), CUTS, over)));
  const failed = Promise.race([lanes, ...receivers.map((r) => r.running)]).then(() => new Promise(() => {}));
  // The flow goes on through all cuts: lanes open one stream behind the other.
  const made = await Promise.race([cutting, failed]);
  over.wanted = true;
  await Promise.race([within(60000, 'the lanes', lanes), ...receivers.map((r) => r.running)]);
  const ids = [...opened].filter(([, o]) => o.n);
  const complete = (streams) => ids.every(([id]) => streams.get(id)?.ends.length > 0);
  await until(30000, 'the publisher has got rid of its streams', () => p.c._outboundStreams.size === 0);
  for (const r of receivers) {
    await Promise.race([until(30000, `all ends at a receiver; missing ${ids.filter(([id]) => !r.streams.get(id)?.ends.length).map(([id]) => id).join()}`, () => complete(r.streams)), r.running]);
  }
  await until(10000, 'all ends at the witness', () => complete(seen));

  for (const streams of [seen, ...receivers.map((r) => r.streams)]) {
    for (const [id, { n, failed: error }] of ids) {
      const s = streams.get(id);
      whole(s, n, error ? { name: 'UserError', message: id, userErrorCode: 'E1' } : undefined);
      s.data.forEach((d, i) => assert.equal(d.i, i + 1, id));
    }
    for (const [id, s] of streams) if (!opened.get(id)?.n) assert.deepEqual(s.numbers, [], `${id} was given up before its start`);
  }
  assert.equal(p.seen.connected.length, 1, 'never a new connection');
  assert.equal(p.seen.disconnected.length, 0);
  over.now();
  const resumed = server.lines.filter((r) => r.msg === 'session resumed');
  t.diagnostic(`cuts: ${JSON.stringify(made)}; streams: ${ids.length} with ${ids.reduce((sum, [, o]) => sum + o.n, 0)} fragments, ${opened.size - ids.length} given up; ${receivers.map((r) => `${r.recoveries} recoveries, ${r.again} replayed`).join('; ')}; resumed ${resumed.length}, moved ${resumed.filter((r) => r.arrived !== r.thread).length}`);
  assert.ok(ids.length >= STREAMS);
  assert.ok(resumed.length >= (lines.length * CUTS) / 2);
}

const patience = { timeout: long ? 900000 : 110000 };
for (const workers of [1, 4]) {
  suite(`streams under cuts, workers: ${workers}`, () => {
    check(`C-127 ${STREAMS} streams through ${CUTS} cuts of the publisher and of each receiver`, patience, (t) => run(t, workers, ['publisher', 'first', 'second']));
    check(`C-113 ${STREAMS} streams through ${CUTS} cuts of each receiver`, patience, (t) => run(t, workers, ['first', 'second']));
  });
}
