// SPDX-License-Identifier: Apache-2.0
// The official client on a line that is cut again and again: nothing is lost,
// doubled, or out of order.
import assert from 'node:assert/strict';
import { check, suite } from './lib/cases.mjs';
import { officialClient } from './lib/official.mjs';
import { Proxy } from './lib/proxy.mjs';
import { testServer } from './lib/server.mjs';
import {
  pass, random, until, within,
} from './lib/time.mjs';

const MESSAGES = process.env.SDK_LONG ? 20000 : 2000;
const CUTS = process.env.SDK_LONG ? 500 : 50;
const EVERY = MESSAGES / CUTS;

/** How many cuts there have been, for the one who keeps the flow going. */
class Progress {
  #waiting = [];

  cuts = 0;

  cut() {
    this.cuts += 1;
    for (const f of this.#waiting.splice(0)) f();
  }

  /** The flow is never far ahead of the cuts: it goes on through all of them,
   * and a client that waits a second to come back finds its buffer not full. */
  allows(message) {
    return within(60000, () => `message ${message} to be let through after ${this.cuts} cuts`, (async () => {
      while (this.cuts < Math.floor(message / EVERY) - 1) await new Promise((resolve) => this.#waiting.push(resolve));
    })());
  }
}

/** Cut the only line of `proxy` CUTS times at random moments of the flow. */
async function cutter(proxy, progress, seed) {
  const rnd = random(seed);
  const made = { rst: 0, fin: 0, inside: 0 };
  for (let k = 0; k < CUTS; k++) {
    await pass(rnd.below(200));
    const how = rnd() < 0.5 ? 'rst' : 'fin';
    // Reconnecting may be under way: wait for a line that is through.
    await until(20000, 'a line to cut', () => [...proxy.lines].some((l) => l.sourcePort && !l.dead));
    const back = proxy.next();
    if (rnd() < 0.5) {
      // Odd counts of bytes end inside of a frame.
      made.inside += 1;
      const done = proxy.cutAfter(1 + rnd.below(300), how);
      progress.cut();
      await done;
    } else {
      proxy.cut(how);
      progress.cut();
    }
    made[how] += 1;
    await within(30000, `the client comes back after cut ${k}`, back);
  }
  return made;
}

for (const workers of [1, 4]) {
  suite(`recovery under load, workers: ${workers}`, () => {
    check(`C-113 receiving ${MESSAGES} messages through ${CUTS} cuts`, { timeout: process.env.SDK_LONG ? 900000 : 110000 }, async (t) => {
      const seed = Number(process.env.SDK_SEED ?? 20261121 + workers);
      t.diagnostic(`seed ${seed}`);
      const server = await testServer(t, { workers });
      const proxy = await Proxy.start(server.port);
      t.after(() => proxy.stop());
      const receiver = officialClient({ origin: server.origin.replace(String(server.port), String(proxy.port)) });
      t.after(() => receiver.c.stop());
      await receiver.start();
      await receiver.c.joinGroup('flow');
      const publisher = await server.json();
      const progress = new Progress();
      const cutting = cutter(proxy, progress, seed);
      for (let i = 0; i < MESSAGES; i++) {
        await Promise.race([cutting, progress.allows(i)]);
        await publisher.publish('flow', i);
        await pass(1);
      }
      // A cut inside a frame may wait for more bytes than are left.
      let extra = MESSAGES;
      let over = false;
      const made = await Promise.race([cutting.finally(() => { over = true; }), (async () => {
        while (!over) { await publisher.publish('flow', extra++); await pass(5); }
        return cutting;
      })()]);
      await publisher.publish('flow', 'end');
      await receiver.wait('the end', () => receiver.seen.group.at(-1)?.message.data === 'end', 40000);
      const got = receiver.seen.group.map((e) => e.message.data);
      assert.equal(got.pop(), 'end');
      assert.ok(got.length >= MESSAGES);
      got.forEach((data, i) => assert.equal(data, i, `message ${i}`));
      assert.equal(receiver.seen.connected.length, 1, 'never a new connection');
      assert.equal(receiver.seen.disconnected.length, 0);
      assert.equal(proxy.cuts, CUTS);
      t.diagnostic(`cuts: ${JSON.stringify(made)}, messages: ${got.length}`);
      await checkWorkers(t, server, workers);
    });

    check(`C-67 publishing ${MESSAGES} messages with own ackIds through ${CUTS} cuts`, { timeout: process.env.SDK_LONG ? 900000 : 110000 }, async (t) => {
      const seed = Number(process.env.SDK_SEED ?? 41 + workers);
      t.diagnostic(`seed ${seed}`);
      const server = await testServer(t, { workers });
      const proxy = await Proxy.start(server.port);
      t.after(() => proxy.stop());
      const publisher = officialClient({
        origin: server.origin.replace(String(server.port), String(proxy.port)),
        options: { messageRetryOptions: { maxRetries: 1000, retryDelayInMs: 5, maxRetryDelayInMs: 50 } },
      });
      t.after(() => publisher.c.stop());
      await publisher.start();
      const member = await server.json({ groups: ['flow'] });
      const progress = new Progress();
      const cutting = cutter(proxy, progress, seed);
      let over = false;
      cutting.finally(() => { over = true; }).catch(() => {});
      let duplicates = 0;
      let i = 0;
      for (; i < MESSAGES || !over; i++) {
        await Promise.race([cutting, progress.allows(Math.min(i, MESSAGES - 1))]);
        const result = await publisher.c.sendToGroup('flow', i, 'json', { ackId: 1000000 + i });
        if (result.isDuplicated) duplicates += 1;
        await pass(1);
      }
      const made = await cutting;
      for (let k = 0; k < i; k++) assert.equal((await member.json()).data, k);
      assert.deepEqual(await member.fence(), []);
      assert.equal(publisher.seen.connected.length, 1, 'never a new connection');
      t.diagnostic(`cuts: ${JSON.stringify(made)}, messages: ${i}, answered as Duplicate: ${duplicates}`);
      await checkWorkers(t, server, workers);
    });
  });
}

/** Every way back is logged, with the worker that the socket arrived at. */
async function checkWorkers(t, server, workers) {
  const records = server.lines.filter((r) => r.msg === 'session resumed');
  const moved = records.filter((r) => r.arrived !== r.thread).length;
  t.diagnostic(`resumed ${records.length} times, ${moved} of them on another worker`);
  // A cut inside the handshake resumes nothing.
  assert.ok(records.length >= CUTS / 2);
  if (workers === 1) assert.equal(moved, 0);
  else assert.ok(moved >= records.length / 4, 'many sockets arrived at another worker');
}
