// SPDX-License-Identifier: Apache-2.0
// azure-client.md 5.9: states of the members of a group.
import assert from 'node:assert/strict';
import { check, suite } from './lib/cases.mjs';
import { Rest, fresh, restServer } from './lib/rest.mjs';
import { ALL } from './lib/token.mjs';

const STATES = [...ALL, 'webpubsub.setGroupState', 'webpubsub.getGroupState'];

const set = (c, group, state) => c.ask({ type: 'setGroupState', group, ...(state === undefined ? {} : { state }) });
const subscribe = (c, group) => c.ask({ type: 'subscribeGroupState', group });
const unsubscribe = (c, group) => c.did({ type: 'unsubscribeGroupState', group });
const snapshot = (c) => c.type('groupStateSnapshot');
const update = async (c) => {
  const m = await c.type('groupStateUpdate');
  assert.equal(m.items.length, 1);
  return m;
};

async function watching(c, group) {
  const ack = await subscribe(c, group);
  assert.equal(ack.success, true, JSON.stringify(ack));
  return snapshot(c);
}

for (const workers of [1, 4]) {
  const server = restServer({ workers, plugins: { 'subprotocol-json': { session_retain: '3s' } } });

  const member = async (hub, group, options = {}) => server[options.kind ?? 'json']({
    hub, roles: STATES, groups: [group], ...options,
  });

  suite(`group states, workers: ${workers}`, () => {
    check('C-100 without the role, and without being a member: Forbidden', async () => {
      const hub = fresh();
      const plain = await member(hub, 'g', { roles: ALL });
      assert.deepEqual((await set(plain, 'g', { k: 'v' })).error, { name: 'Forbidden', message: 'Permission denied.' });
      assert.deepEqual((await subscribe(plain, 'g')).error,
        { name: 'Forbidden', message: 'No permission to get states of group g.' });
      const other = await member(hub, 'other');
      assert.deepEqual((await set(other, 'g', { k: 'v' })).error, { name: 'Forbidden', message: 'Not a member of group.' });
      assert.deepEqual((await subscribe(other, 'g')).error, { name: 'Forbidden', message: 'Not a member of group g.' });
      await unsubscribe(other, 'g');
    });

    check('C-101 subscribe: ack, snapshot; then updates for all, the setter included', async () => {
      const hub = fresh();
      const a = await member(hub, 'g', { user: 'alice' });
      const b = await member(hub, 'g');
      assert.equal((await set(a, 'g', { activity: 'typing' })).success, true);
      assert.equal((await subscribe(b, 'g')).success, true);
      const first = await b.json();
      assert.equal(first.type, 'groupStateSnapshot');
      assert.equal(first.group, 'g');
      assert.deepEqual(first.items.map(({ updatedAt, ...rest }) => rest),
        [{ connectionId: a.connectionId, userId: 'alice', state: { activity: 'typing' } }]);
      await watching(a, 'g');
      assert.equal((await set(b, 'g', {})).success, true);
      let last = first.items[0].updatedAt;
      for (const c of [a, b]) {
        const m = await update(c);
        assert.equal(m.group, 'g');
        assert.deepEqual([m.items[0].connectionId, m.items[0].state], [b.connectionId, {}]);
        assert.ok(m.items[0].updatedAt > last);
      }
      // The same again is an update, and so is clearing what there is not.
      for (const state of [{ x: '1' }, { x: '1' }, null, undefined]) {
        assert.equal((await set(b, 'g', state)).success, true);
        const [m] = (await update(a)).items;
        assert.deepEqual(m.state, state ?? undefined);
        assert.equal('state' in m, Boolean(state));
        assert.ok(m.updatedAt > last);
        last = m.updatedAt;
      }
      await unsubscribe(a, 'g');
      await set(b, 'g', { y: '1' });
      for (let i = 0; i < 5; i++) await update(b);
      assert.deepEqual((await a.fence()).filter((m) => m.json.type === 'groupStateUpdate'), []);
    });

    check('C-101 the ack stands before the update', async () => {
      const hub = fresh();
      const a = await member(hub, 'g');
      await watching(a, 'g');
      a.send({ type: 'setGroupState', group: 'g', state: { a: 'b' }, ackId: 77 });
      assert.deepEqual([(await a.json()).type, (await a.json()).type], ['ack', 'groupStateUpdate']);
    });

    check('C-102 leaving, REST, a disconnect: an update without state to the others', async () => {
      const hub = fresh();
      const rest = new Rest(server, { hub });
      const watcher = await member(hub, 'g');
      await watching(watcher, 'g');
      const ends = [(c) => c.leave('g'), (c) => rest.leave('g', c), (c) => c.close(1000), (c) => c.drop()];
      for (const end of ends) {
        const c = await member(hub, 'g');
        await set(c, 'g', { here: 'yes' });
        assert.deepEqual((await update(watcher)).items[0].state, { here: 'yes' });
        await end(c);
        const [item] = (await update(watcher)).items;
        assert.equal(item.connectionId, c.connectionId);
        assert.equal('state' in item, false);
      }
      assert.deepEqual((await watching(watcher, 'g')).items, []);
    });

    check('C-102 a detached reliable client keeps state and subscription until it expires', async () => {
      const hub = fresh();
      const watcher = await member(hub, 'g');
      await watching(watcher, 'g');
      const c = await member(hub, 'g', { kind: 'reliable' });
      const first = await watching(c, 'g');
      assert.equal(first.sequenceId, 1);
      await set(c, 'g', { n: '1' });
      assert.equal((await update(c)).sequenceId, 2);
      await update(watcher);
      await c.drop();
      await set(watcher, 'g', { w: '1' });
      const again = await server.recovered(c);
      const seen = [];
      while (seen.length < 3) {
        const m = await again.take((x) => /^groupState/.test(x.json?.type));
        seen.push(m.json.sequenceId);
      }
      assert.deepEqual(seen, [1, 2, 3]);
      await update(watcher);
      await again.drop();
      const [item] = (await update(watcher)).items;
      assert.deepEqual([item.connectionId, 'state' in item], [c.connectionId, false]);
    });

    check('C-103 512 bytes of UTF-8 are enough, 513 are too many', async () => {
      const c = await member(fresh(), 'g');
      assert.equal((await set(c, 'g', { ä: 'ü'.repeat(255) })).success, true);
      assert.deepEqual((await set(c, 'g', { ä: `${'ü'.repeat(255)}x` })).error,
        { name: 'BadRequest', message: 'State payload exceeds maximum size 512 bytes.' });
    });

    check('5.9 at most 200 items, those first in the order of their ids', async () => {
      const hub = fresh();
      const crowd = await Promise.all(Array.from({ length: 205 }, () => member(hub, 'g')));
      await Promise.all(crowd.map((c, i) => set(c, 'g', { i: String(i) })));
      const { items } = await watching(crowd[0], 'g');
      const ids = crowd.map((c) => c.connectionId).sort().slice(0, 200);
      assert.deepEqual(items.map((i) => i.connectionId), ids);
    });

    check('5.9 who subscribes while others set misses nothing and sees nothing twice', async () => {
      const hub = fresh();
      const setters = await Promise.all(Array.from({ length: 4 }, () => member(hub, 'g')));
      const watchers = await Promise.all(Array.from({ length: 6 }, (_, i) => member(hub, 'g', { kind: i % 2 ? 'reliable' : 'json' })));
      const rounds = 60;
      const setting = Promise.all(setters.map(async (c) => {
        for (let i = 1; i <= rounds; i++) await set(c, 'g', { i: String(i) });
      }));
      const pictures = await Promise.all(watchers.map((c) => watching(c, 'g')));
      await setting;
      await Promise.all(watchers.map(async (c, k) => {
        const last = new Map(pictures[k].items.map((i) => [i.connectionId, i]));
        const seen = await c.fence();
        let before = Math.max(0, ...pictures[k].items.map((i) => i.updatedAt));
        for (const { json } of seen) {
          const [item] = json.items;
          assert.ok(item.updatedAt > before, 'times rise');
          before = item.updatedAt;
          const had = Number(last.get(item.connectionId)?.state.i ?? 0);
          assert.equal(Number(item.state.i), had + 1, 'each step once');
          last.set(item.connectionId, item);
        }
        for (const s of setters) assert.equal(last.get(s.connectionId).state.i, String(rounds));
      }));
    });
  });
}
