// SPDX-License-Identifier: Apache-2.0
// Short of memory: whoever may have missed something is closed and told so, the
// others get everything in its order. For a daemon of --enable-debug, which
// fails where WEBPUBSUBD_FAULT says (core/base/fault.h).
import assert from 'node:assert/strict';
import { check, suite } from './lib/cases.mjs';
import { officialClient } from './lib/official.mjs';
import { TEXT, frame } from './lib/rawsocket.mjs';
import { Server, testServer } from './lib/server.mjs';
import { within } from './lib/time.mjs';
import { JSON_V1 } from './lib/wsclient.mjs';

const when = /debug build/.test((await Server.run(['--version'])).out)
  ? {} : { skip: 'this daemon has no fault injection' };
const SENT = 200;

const faulty = (t, WEBPUBSUBD_FAULT) => testServer(t, { workers: 1 }, { env: { WEBPUBSUBD_FAULT } });

/** 0 to 199 in turn to the groups, as one piece of input. */
async function burst(s, groups) {
  const url = new URL(s.url({ roles: ['webpubsub.sendToGroup'] }));
  const raw = await s.raw();
  await raw.handshake({ path: url.pathname + url.search, host: url.host, protocols: JSON_V1 });
  await raw.frame();
  await raw.write(Buffer.concat(Array.from({ length: SENT }, (_, i) => frame(TEXT, JSON.stringify({
    type: 'sendToGroup', group: groups[i % groups.length], dataType: 'json', data: i,
  })))));
  return raw;
}

/** It gets all of them, or each `step`th. */
async function whole(c, step = 1) {
  for (let i = 0; i < SENT; i += step) assert.equal((await c.json({ ms: 10000 })).data, i);
}

const gone = async (s, c, code, reason) => {
  const id = c.connectionId;
  assert.equal((await c.end({ ms: 10000 })).code, code);
  await s.logged((r) => r.connection === id && reason.test(`${r.msg} ${r.reason}`), { what: `a record of ${reason}` });
};

suite('short of memory', () => {
  for (const reliable of [false, true]) {
    check(`what several groups owe a ${reliable ? 'reliable ' : ''}client cannot be merged: it is closed`, when, async (t) => {
      const s = await faulty(t, 'alloc_due:1');
      const first = await s.json({ groups: ['a', 'b'], reliable });
      const others = [await s.json({ groups: ['a', 'b'] }), await s.reliable({ groups: ['b', 'a'] })];
      const half = await s.json({ groups: ['a'] });
      await burst(s, ['a', 'b']);
      await Promise.all([gone(s, first, 1011, /out of memory while delivering/), ...others.map((c) => whole(c)), whole(half, 2)]);
      // Its session has a gap, and is not to be had again.
      if (reliable) assert.equal((await (await s.recover(first)).end()).code, 1008);
    });
  }

  check('there is no room for a piece for all: each is given its own', when, async (t) => {
    const s = await faulty(t, 'alloc_shared:1+');
    const all = await Promise.all(Array.from({ length: 5 }, () => s.json({ groups: ['a'] })));
    await burst(s, ['a']);
    await Promise.all(all.map((c) => whole(c)));
  });

  check('no more may wait in a group: it is delivered at once, behind the others', when, async (t) => {
    const s = await faulty(t, 'alloc_pending:1+');
    const all = [await s.json({ groups: ['a', 'b'] }), await s.reliable({ groups: ['a', 'b'] })];
    const half = await s.json({ groups: ['b', 'a'].slice(1) });
    await burst(s, ['a', 'b']);
    await Promise.all([...all.map((c) => whole(c)), whole(half, 2)]);
  });

  check('the rest of a piece cannot be kept: the socket is lost, inside a frame', when, async (t) => {
    const s = await faulty(t, 'short_write:1+,keep_rest:1');
    const first = await s.json({ groups: ['a'] });
    const others = [await s.json({ groups: ['a'] }), await s.reliable({ groups: ['a'] }), await s.json({ groups: ['a'] })];
    await burst(s, ['a']);
    await Promise.all([gone(s, first, 1006, /out of memory/), ...others.map((c) => whole(c))]);
  });

  check('a session cannot keep a message: it ends', when, async (t) => {
    const s = await faulty(t, 'alloc_kept:1');
    const first = await s.reliable({ groups: ['a'] });
    const others = [await s.reliable({ groups: ['a'] }), await s.json({ groups: ['a'] })];
    await burst(s, ['a']);
    await Promise.all([gone(s, first, 1011, /out of memory while delivering/), ...others.map((c) => whole(c))]);
    assert.equal((await (await s.recover(first)).end()).code, 1008);
  });

  check('nobody could be told of a join: nothing is joined, and it may be repeated', when, async (t) => {
    const s = await faulty(t, 'alloc_completion:1');
    const c = await s.json();
    const refused = await c.ask({ type: 'joinGroup', group: 'a' });
    assert.equal(refused.success, false);
    assert.equal(refused.error.name, 'InternalServerError');
    await (await s.json()).publish('a', 'for nobody');
    assert.deepEqual(await c.fence(), []);
    await c.join('a');
    await burst(s, ['a']);
    await whole(c);
  });

  check('a fragment of a stream cannot be published: the official client hears of it, and so does the group', when, async (t) => {
    const s = await faulty(t, 'alloc_message:3');
    const [a, b] = [officialClient({ s }), officialClient({ s, userId: 'bob' })];
    t.after(() => { a.c.stop(); b.c.stop(); });
    await a.start();
    await b.start();
    await b.c.joinGroup('g');
    const got = [];
    const broken = within(10000, 'the end of the stream', new Promise((resolve) => {
      b.c.onGroupStream(async (stream) => {
        try {
          for await (const m of stream) got.push(m.data);
          resolve(undefined);
        } catch (error) { resolve(error); }
      });
    }));
    const stream = await a.c.openGroupStream('g');
    const told = within(10000, 'the error', new Promise((resolve) => stream.onError(resolve)));
    for (const text of ['1', '2', '3', '4']) await stream.write(text, 'text').catch(() => {});
    assert.equal((await told).name, 'InternalServerError');
    assert.equal((await broken).name, 'InternalServerError');
    assert.deepEqual(got, ['1', '2'], 'nothing behind the gap');
    await assert.rejects(stream.end());
  });
});
