// SPDX-License-Identifier: Apache-2.0
// 200 clients on 4 workers joining, leaving, publishing, being cut and resumed.
// Meant for a daemon with the thread sanitizer: every report fails the stop.
import assert from 'node:assert/strict';
import { check } from './lib/cases.mjs';
import { controlledIn, control, hasControl } from './lib/control.mjs';
import { pass, random } from './lib/time.mjs';

const SECONDS = Number(process.env.SDK_STRESS_SECONDS ?? (process.env.SDK_LONG ? 120 : 5));
const CLIENTS = 200;
const GROUPS = 60;
const PAUSE = 100; // ms, on average, between two steps of a client

check(`6.3 ${CLIENTS} clients join, leave, publish, are cut and resumed for ${SECONDS} s on 4 workers`,
  { timeout: 60000 + SECONDS * 1000 }, async (t) => {
    const server = await controlledIn(t, { workers: 4, log: { level: 'info', format: 'json' } });
    const seed = Number(process.env.SDK_SEED ?? 7);
    t.diagnostic(`seed ${seed}`);
    const end = Date.now() + SECONDS * 1000;
    const done = { steps: 0, drops: 0, resumes: 0, fresh: 0, received: 0, wrong: [] };

    async function one(number) {
      const rnd = random(seed * 1000 + number);
      const reliable = number % 4 !== 0;
      const open = () => (number % 8 === 4
        ? server.simple({ user: `u${number % 50}`, groups: [`g${number % GROUPS}`], query: { webpubsub_mode: 'sendToGroup', group: `g${number % GROUPS}` } })
        : server.json({ reliable, user: `u${number % 50}` }));
      let c = await open();
      let expected = null;
      const seen = (message) => {
        done.received += 1;
        const id = message.json?.sequenceId;
        if (!reliable || id === undefined) return;
        if (expected !== null && id > expected + 1) done.wrong.push(`client ${number}: ${expected} then ${id}`);
        if (expected === null || id > expected) expected = id;
      };
      // What came in one packet with the 101 was there before us.
      const watch = (client) => {
        client.queue.forEach(seen);
        client.ws.on('message', (data, binary) => seen(binary || !reliable ? {} : { json: JSON.parse(data) }));
      };
      watch(c);
      while (Date.now() < end) {
        done.steps += 1;
        await pass(rnd.below(2 * PAUSE)); // load of the server, not of this process
        const group = `g${rnd.below(GROUPS)}`;
        const what = rnd();
        try {
          if (number % 8 === 4) {
            if (what < 0.05) { await c.drop(); c = await open(); } else { c.send(`from ${number}`); await c.wsFence(); }
          } else if (what < 0.25) await c.join(group);
          else if (what < 0.4) await c.leave(group);
          else if (what < 0.75) await c.publish(group, { from: number, n: done.steps });
          else if (what < 0.85) { if (reliable && expected) c.send({ type: 'sequenceAck', sequenceId: expected }); await c.fence(); }
          else if (what < 0.87 && hasControl) await control.publish(server, 'chat', { user: `u${rnd.below(50)}` }, 'x', { type: 'text' });
          else if (what < 0.88 && hasControl) await control.count(server, 'chat');
          else {
            await c.drop();
            done.drops += 1;
            if (reliable && what < 0.97) {
              const old = c;
              // Now and then two at once for the same session.
              const rival = what > 0.955 ? server.recover(old).catch(() => null) : null;
              c = await server.recover(old);
              watch(c);
              c.options = old.options;
              c.connected = await c.json().catch(() => null);
              if (rival) {
                await rival;
                await c.drop();
                c = await open(); expected = null; watch(c);
              } else {
                assert.equal(c.connected?.connectionId, old.connectionId);
                c.ackId = old.ackId;
                done.resumes += 1;
              }
            } else {
              c = await open(); expected = null; watch(c); done.fresh += 1;
            }
          }
          c.queue.length = 0;
        } catch (error) {
          // A full replay buffer ends a client that was away for long.
          if (!c.ended || c.ended.code !== 1008) throw Object.assign(error, { message: `client ${number}: ${error.message}` });
          c = await open(); expected = null; watch(c);
        }
      }
      c.ws.terminate();
    }

    await Promise.all(Array.from({ length: CLIENTS }, (x, i) => one(i)));
    t.diagnostic(JSON.stringify({ ...done, wrong: done.wrong.length }));
    assert.deepEqual(done.wrong, []);
    assert.ok(done.resumes > 0 && done.received > 0);
    const last = await server.json();
    await last.join('after');
    await last.publish('after', 1);
  });
