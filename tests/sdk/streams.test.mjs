// SPDX-License-Identifier: Apache-2.0
// azure-client.md 5.8: streams of JSON clients.
import assert from 'node:assert/strict';
import { check, suite } from './lib/cases.mjs';
import { HASTY, Handler, gate } from './lib/handler.mjs';
import { officialClient } from './lib/official.mjs';
import { Rest } from './lib/rest.mjs';
import { suiteServer, testServer } from './lib/server.mjs';
import {
  acked, ackedUpTo, alive, closed, collect, end, nacked, openRaw, start, whole, write,
} from './lib/streams.mjs';
import { awake, pass, until, within } from './lib/time.mjs';

const server = suiteServer({ plugins: { 'http-rest': {}, 'subprotocol-json': { session_retain: '1500ms' } } });
let names = 0;
const fresh = (word = 'g') => `${word}-${process.pid}-${names++}`;
const name = (m) => m.error?.name;

/** A publisher and members of a new group. */
async function room({ members = 1, publisher = {}, member = {} } = {}) {
  const group = fresh();
  const p = await server.json({ user: 'pub', ...publisher });
  const all = await Promise.all(Array.from({ length: members }, () => server.json({ groups: [group], ...member })));
  return { group, p, m: all[0], all };
}

suite('starting a stream', () => {
  check('C-87 stream start → streamAck expected 1; with ackId the normal ack, too', async () => {
    const { group, p, m } = await room();
    start(p, group, 's1', { noEcho: true, idleTimeoutMs: 60000 });
    assert.deepEqual(await p.json(), { type: 'streamAck', streamId: 's1', expectedSequenceId: 1 });
    await p.did({ type: 'sendToGroup', group, stream: { streamId: 's"2' } });
    assert.equal(await acked(p, 's"2'), 1);
    assert.deepEqual(await m.fence(), [], 'a start is no message');
    assert.deepEqual(await p.fence(), []);
  });

  check('C-88 without send permission → streamClosed Forbidden; with ackId a failed ack of the same error', async () => {
    const { group, p } = await room({ publisher: { roles: ['webpubsub.joinLeaveGroup'] } });
    start(p, group, 's1');
    const m = await p.json();
    assert.deepEqual([m.type, m.streamId, m.error.name], ['streamClosed', 's1', 'Forbidden']);
    assert.equal(m.error.message, `The client does not have permission to send to group '${group}'.`);
    const ack = await p.ask({ type: 'sendToGroup', group, stream: { streamId: 's2' } });
    assert.deepEqual(ack.error, m.error);
    assert.equal(name(await closed(p, 's2')), 'Forbidden');
    write(p, 's1', 1);
    assert.equal(name(await closed(p, 's1')), 'StreamNotFound');
  });

  check('C-88 the id of an active stream → BadRequest; the running stream goes on', async () => {
    const { group, p, m } = await room();
    await openRaw(p, group, 's');
    write(p, 's', 1);
    start(p, group, 's');
    assert.equal(name(await closed(p, 's')), 'BadRequest');
    write(p, 's', 2);
    end(p, 's');
    assert.equal(name(await closed(p, 's')), undefined);
    const got = (await m.fence()).map((x) => x.json.stream.streamSequenceId);
    assert.deepEqual(got, [1, 2, 3]);
  });

  check('C-98 idleTimeoutMs that is no positive integer, data, dataType, a long id → BadRequest', async () => {
    const { group, p } = await room();
    for (const idleTimeoutMs of [0, -1, 1.5, '60000', true, [], {}, 4294967296]) {
      start(p, group, 's', { idleTimeoutMs });
      assert.equal(name(await closed(p, 's')), 'BadRequest', JSON.stringify(idleTimeoutMs));
    }
    for (const more of [{ dataType: 'text', data: '' }, { data: 1 }, { dataType: 'json' }]) {
      start(p, group, 's', more);
      assert.equal(name(await closed(p, 's')), 'BadRequest', JSON.stringify(more));
    }
    const long = 'é'.repeat(128); // 256 bytes
    start(p, group, `${long}x`);
    assert.equal(name(await closed(p, `${long}x`)), 'BadRequest');
    await openRaw(p, group, long, { idleTimeoutMs: 4294967295 });
    await openRaw(p, group, 's', { idleTimeoutMs: 1000 });
  });

  check('5.7 a stream on event or invoke → BadRequest', async () => {
    const { p } = await room();
    p.send({ type: 'event', event: 'e', stream: { streamId: 's1' } });
    assert.equal(name(await closed(p, 's1')), 'BadRequest');
    p.send({ type: 'invoke', invocationId: '1', event: 'e', stream: { streamId: 's2' } });
    assert.equal(name(await closed(p, 's2')), 'BadRequest');
    assert.deepEqual(await p.fence(), [], 'and no invokeResponse');
  });

  check('9.1 100 streams of a client at once; the next → BadRequest until one ends', async () => {
    const { group, p } = await room();
    await Promise.all(Array.from({ length: 100 }, (_, i) => openRaw(p, group, `s${i}`)));
    start(p, group, 'more');
    assert.equal(name(await closed(p, 'more')), 'BadRequest');
    end(p, 's50');
    await closed(p, 's50');
    await openRaw(p, group, 'more');
    const other = await server.json();
    await openRaw(other, group, 's1');
  });
});

suite('fragments', () => {
  check('C-89 1..n delivered with their numbers; acks rise, never beyond n+1', async () => {
    const { group, p, m } = await room();
    const streams = collect(m);
    await openRaw(p, group, 's');
    for (let n = 1; n <= 100; n++) write(p, 's', n, { n });
    await ackedUpTo(p, 's', 101);
    end(p, 's');
    assert.deepEqual(await closed(p, 's'), { type: 'streamClosed', streamId: 's' });
    await m.fence();
    whole(streams.get('s'), 100);
    assert.deepEqual(streams.get('s').data, Array.from({ length: 100 }, (_, i) => ({ n: i + 1 })));
    assert.deepEqual(await p.fence(), [], 'no ack is left over');
  });

  check('5.8 acks are prompt: every 16 fragments at the latest, and soon behind the last', async () => {
    const { group, p } = await room();
    await openRaw(p, group, 's');
    for (let n = 1; n <= 64; n++) write(p, 's', n);
    let last = 1;
    for (const n of await ackedUpTo(p, 's', 65)) {
      assert.ok(n - last <= 16, `${last} → ${n}`);
      last = n;
    }
    for (let n = 65; n < 70; n++) {
      write(p, 's', n);
      assert.equal(await acked(p, 's'), n + 1);
    }
  });

  check('5.11 each data type reaches JSON, reliable and simple receivers', async () => {
    const group = fresh();
    const p = await server.json({ user: 'pub' });
    const plain = await server.json({ groups: [group] });
    const reliable = await server.reliable({ groups: [group] });
    const simple = await server.simple({ groups: [group] });
    await openRaw(p, group, 's');
    const any = Buffer.from('0a03612f62120101', 'hex').toString('base64');
    const cases = [['text', 'hé"', 'hé"'], ['json', { a: [1, null] }, '{"a":[1,null]}'], ['binary', 'AQID', Buffer.from([1, 2, 3])],
      ['protobuf', any, Buffer.from(any, 'base64')], ['text', '', '']];
    cases.forEach(([dataType, data], i) => write(p, 's', i + 1, data, dataType));
    end(p, 's');
    await closed(p, 's');
    for (const [i, [dataType, data, bare]] of cases.entries()) {
      const m = {
        type: 'message', from: 'group', group, fromUserId: 'pub', dataType, data, stream: { streamId: 's', streamSequenceId: i + 1 },
      };
      assert.deepEqual(await plain.json(), m);
      assert.deepEqual(await reliable.json(), { sequenceId: i + 1, ...m }, 'C-112');
      const s = await simple.next();
      assert.deepEqual(s.binary ?? s.text, bare);
    }
    const last = {
      type: 'message', from: 'group', group, fromUserId: 'pub', dataType: 'text', data: '', stream: { streamId: 's', streamSequenceId: 6, endOfStream: true },
    };
    assert.deepEqual(await plain.json(), last, 'C-93');
    assert.deepEqual(await reliable.json(), { sequenceId: 6, ...last });
    assert.deepEqual(await simple.wsFence(), [], 'section 4: the end is not for simple clients');
  });

  check('C-90 a repeated fragment is not delivered and acked with the current value', async () => {
    const { group, p, m } = await room();
    await openRaw(p, group, 's');
    write(p, 's', 1, 'one');
    write(p, 's', 2, 'two');
    await ackedUpTo(p, 's', 3);
    for (const n of [2, 1, 0]) {
      write(p, 's', n, 'again');
      assert.equal(await acked(p, 's'), 3);
    }
    write(p, 's', 3, 'three');
    assert.equal(await acked(p, 's'), 4);
    assert.deepEqual((await m.fence()).map((x) => x.json.data), ['one', 'two', 'three']);
  });

  check('C-91 a skipped fragment → streamNack InvalidSequenceId; the right one is accepted then', async () => {
    const { group, p, m } = await room();
    await openRaw(p, group, 's');
    write(p, 's', 1);
    assert.equal(await acked(p, 's'), 2);
    for (const n of [3, '18446744073709551615']) {
      p.send(`{"type":"streamData","streamId":"s","streamSequenceId":${n},"dataType":"json","data":9}`);
      assert.deepEqual(await nacked(p, 's'), {
        type: 'streamNack', streamId: 's', name: 'InvalidSequenceId', message: 'Expected 2.', expectedSequenceId: 2,
      });
    }
    write(p, 's', 2);
    assert.equal(await acked(p, 's'), 3);
    assert.deepEqual((await m.fence()).map((x) => x.json.data), [1, 2]);
  });

  check('C-92 data, keepalive or end for an unknown id → streamClosed StreamNotFound', async () => {
    const { group, p } = await room();
    const other = await server.json();
    await openRaw(other, group, 'theirs');
    write(p, 'theirs', 1);
    assert.equal(name(await closed(p, 'theirs')), 'StreamNotFound');
    alive(p, 'nobody');
    assert.equal(name(await closed(p, 'nobody')), 'StreamNotFound');
    end(p, 'nobody', { message: 'x' });
    assert.equal(name(await closed(p, 'nobody')), 'StreamNotFound');
  });

  check('5.8 streams of one client are told apart, those of two clients as well', async () => {
    const { group, p, m } = await room();
    const q = await server.json({ user: 'other' });
    await openRaw(p, group, 'a');
    await openRaw(p, group, 'b');
    await openRaw(q, group, 'a');
    for (let n = 1; n <= 20; n++) {
      write(p, 'a', n, `pa${n}`);
      write(p, 'b', n, `pb${n}`);
      write(q, 'a', n, `qa${n}`);
    }
    for (const [c, id] of [[p, 'a'], [p, 'b'], [q, 'a']]) { end(c, id); await closed(c, id); }
    const got = (await m.fence()).map((x) => x.json);
    for (const [user, id, word] of [['pub', 'a', 'pa'], ['pub', 'b', 'pb'], ['other', 'a', 'qa']]) {
      const mine = got.filter((x) => x.fromUserId === user && x.stream.streamId === id);
      assert.deepEqual(mine.map((x) => x.data), [...Array.from({ length: 20 }, (_, i) => `${word}${i + 1}`), '']);
    }
  });

  check('5.8 a member that joins in mid-stream gets fragments from then on', async () => {
    const { group, p } = await room();
    await openRaw(p, group, 's');
    write(p, 's', 1);
    await ackedUpTo(p, 's', 2);
    const late = await server.json();
    await late.join(group);
    write(p, 's', 2);
    assert.equal((await late.json()).stream.streamSequenceId, 2);
  });

  check('C-64 streamData behind a running event waits in its order; pings do not', async (t) => {
    const handler = await Handler.start();
    t.after(() => handler.down());
    const own = await testServer(t, {
      plugins: { 'upstream-webhook': HASTY }, hubs: { chat: { anonymous: 'deny', event_handlers: [handler.all({ system_events: [] })] } },
    });
    const wait = gate();
    handler.always({ event: 'slow' }, wait.answer);
    const p = await own.json();
    const m = await own.json({ groups: ['g'] });
    await openRaw(p, 'g', 's');
    p.send({ type: 'event', event: 'slow', data: 1, ackId: 900 });
    await handler.one({ event: 'slow' });
    for (let n = 1; n <= 3; n++) write(p, 's', n, `d${n}`);
    end(p, 's');
    await p.fence();
    assert.deepEqual(await m.fence(), []);
    wait.open();
    assert.equal((await p.type('ack')).ackId, 900);
    await closed(p, 's');
    assert.deepEqual((await m.fence()).map((x) => x.json.data), ['d1', 'd2', 'd3', '']);
  });

  check('5.8 permission that is taken away ends it: streamClosed and terminal Forbidden', async () => {
    const { group, p, m } = await room({ publisher: { roles: [] } });
    const rest = new Rest(server);
    assert.equal((await rest.permission('PUT', 'sendToGroup', p, group)).status, 200);
    await openRaw(p, group, 's');
    write(p, 's', 1);
    await ackedUpTo(p, 's', 2);
    assert.equal((await rest.permission('DELETE', 'sendToGroup', p, group)).status, 204);
    write(p, 's', 2);
    assert.equal(name(await closed(p, 's')), 'Forbidden');
    write(p, 's', 2);
    assert.equal(name(await closed(p, 's')), 'StreamNotFound');
    const got = (await m.fence()).map((x) => x.json.stream);
    assert.equal(got.length, 2);
    assert.deepEqual([got[1].streamSequenceId, got[1].endOfStream, got[1].error.name], [2, true, 'Forbidden']);
  });
});

suite('the end of a stream', () => {
  check('C-93 streamEnd → terminal n+1, text "", and streamClosed without error', async () => {
    const { group, p, m } = await room();
    await openRaw(p, group, 'empty');
    end(p, 'empty');
    assert.deepEqual(await closed(p, 'empty'), { type: 'streamClosed', streamId: 'empty' });
    assert.deepEqual(await m.json(), {
      type: 'message', from: 'group', group, fromUserId: 'pub', dataType: 'text', data: '', stream: { streamId: 'empty', streamSequenceId: 1, endOfStream: true },
    });
  });

  check('C-94 streamEnd with error → UserError with message and userErrorCode; streamClosed without error', async () => {
    const { group, p, m } = await room();
    for (const [error, wanted] of [
      [{ message: 'bo"om', userErrorCode: 'E1' }, { name: 'UserError', message: 'bo"om', userErrorCode: 'E1' }],
      [{ message: 'x', name: 'Forbidden' }, { name: 'UserError', message: 'x' }],
      [{}, { name: 'UserError' }], [{ message: null, userErrorCode: '' }, { name: 'UserError', userErrorCode: '' }]]) {
      await openRaw(p, group, 's');
      write(p, 's', 1);
      end(p, 's', error);
      assert.deepEqual(await closed(p, 's'), { type: 'streamClosed', streamId: 's' });
      await m.json();
      assert.deepEqual((await m.json()).stream, {
        streamId: 's', streamSequenceId: 2, endOfStream: true, error: wanted,
      });
    }
  });

  check('C-95 idle → streamClosed and terminal IdleTimeout; keepalives and data prevent it', async () => {
    const { group, p, m } = await room();
    const before = performance.now();
    await openRaw(p, group, 'idle', { idleTimeoutMs: 300 });
    assert.deepEqual(await closed(p, 'idle'), {
      type: 'streamClosed', streamId: 'idle', error: { name: 'IdleTimeout', message: 'The stream was idle for too long.' },
    });
    assert.ok(performance.now() - before >= 300, 'not too early');
    const terminal = (await m.json()).stream;
    assert.deepEqual([terminal.streamSequenceId, terminal.endOfStream, terminal.error.name], [1, true, 'IdleTimeout']);
    let round = 0;
    await awake(300, async () => {
      const [busy, told] = [`busy ${++round}`, `told ${round}`];
      await openRaw(p, group, busy, { idleTimeoutMs: 600 });
      await openRaw(p, group, told, { idleTimeoutMs: 600 });
      for (let n = 1; n <= 12; n++) {
        write(p, busy, n);
        alive(p, told);
        await pass(100);
      }
      for (const [id, n] of [[busy, 13], [told, 1]]) {
        write(p, id, n);
        end(p, id);
        assert.equal((await closed(p, id)).error, undefined);
      }
      const wanted = (n) => (x) => x.json?.stream?.streamId === told && x.json.stream.streamSequenceId === n;
      assert.equal((await m.take(wanted(1))).json.stream.endOfStream, undefined);
    });
    // A repeated or a skipped fragment is no sign of life.
    await openRaw(p, group, 'wrong', { idleTimeoutMs: 400 });
    for (let i = 0; i < 5; i++) { write(p, 'wrong', i % 2 ? 0 : 7); await pass(100); }
    assert.equal(name(await closed(p, 'wrong')), 'IdleTimeout');
  });

  check('C-96 noEcho: the publisher gets no fragments and no terminal message', async () => {
    const { group, p, m } = await room();
    await p.join(group);
    await openRaw(p, group, 'quiet', { noEcho: true });
    write(p, 'quiet', 1);
    end(p, 'quiet');
    await closed(p, 'quiet');
    await openRaw(p, group, 'loud');
    write(p, 'loud', 1);
    end(p, 'loud');
    await closed(p, 'loud');
    await until(5000, 'the loud one', () => p.queue.filter((x) => x.json?.stream).length >= 2);
    assert.deepEqual((await p.fence()).filter((x) => x.json.stream).map((x) => x.json.stream.streamId), ['loud', 'loud']);
    assert.equal((await m.fence()).length, 4);
    await openRaw(p, group, 'quiet idle', { noEcho: true, idleTimeoutMs: 50 });
    await closed(p, 'quiet idle');
    assert.deepEqual((await p.fence()).filter((x) => x.json.stream), []);
  });

  check('C-97 the id can be used again after streamClosed, and counts from 1', async () => {
    const { group, p, m } = await room();
    for (let round = 0; round < 5; round++) {
      await openRaw(p, group, 's');
      write(p, 's', 1, round);
      end(p, 's');
      await closed(p, 's');
    }
    assert.deepEqual((await m.fence()).map((x) => [x.json.data, x.json.stream.streamSequenceId]),
      Array.from({ length: 5 }, (_, i) => [[i, 1], ['', 2]]).flat());
  });

  for (const [how, leave] of [['is dropped', (c) => c.drop()], ['closes with 1000', (c) => c.close(1000)],
    ['breaks the rules', async (c) => { c.send('{}'); await c.end(); }]]) {
    check(`C-99 the publisher ${how} → terminal Cancelled`, async () => {
      const { group, p, m } = await room();
      await openRaw(p, group, 'a');
      await openRaw(p, group, 'b');
      write(p, 'a', 1);
      await ackedUpTo(p, 'a', 2);
      await leave(p);
      const got = [(await m.json()).stream, (await m.json()).stream, (await m.json()).stream];
      assert.deepEqual(got[0], { streamId: 'a', streamSequenceId: 1 });
      for (const s of got.slice(1)) {
        assert.deepEqual([s.endOfStream, s.error.name], [true, 'Cancelled']);
        assert.equal(s.streamSequenceId, s.streamId === 'a' ? 2 : 1);
      }
      assert.deepEqual(got.slice(1).map((s) => s.streamId).sort(), ['a', 'b']);
    });
  }

  check('C-99 a reliable publisher that does not come back: Cancelled after the retain time', async (t) => {
    const { group, p, m } = await room({ publisher: { reliable: true } });
    await openRaw(p, group, 's');
    const left = performance.now();
    await p.drop();
    assert.equal((await m.json({ ms: 8000 })).stream.error.name, 'Cancelled');
    assert.ok(performance.now() - left > 1400, 'not before');
    // C-120 at once, where the session would be kept for long.
    const own = await testServer(t, { plugins: { 'subprotocol-json': { session_retain: '10m' } } });
    const [q, n] = [await own.reliable(), await own.json({ groups: ['g'] })];
    await openRaw(q, 'g', 's');
    await q.close(1000);
    assert.equal((await n.json()).stream.error.name, 'Cancelled');
  });
});

suite('recovery of a publisher', () => {
  check('C-127 a running stream continues with its expected id', async () => {
    const { group, p, m } = await room({ publisher: { reliable: true } });
    const streams = collect(m);
    await openRaw(p, group, 's');
    for (let n = 1; n <= 3; n++) write(p, 's', n);
    await ackedUpTo(p, 's', 4);
    await p.drop();
    const again = await server.recovered(p);
    assert.deepEqual(await again.json(), { type: 'streamAck', streamId: 's', expectedSequenceId: 4 }, 'at once, behind connected');
    for (const n of [2, 3]) {
      write(again, 's', n);
      assert.equal(await acked(again, 's'), 4, 'C-90');
    }
    write(again, 's', 4);
    assert.equal(await acked(again, 's'), 5);
    end(again, 's');
    await closed(again, 's');
    await m.fence();
    whole(streams.get('s'), 4);
  });

  check('5.8 an end whose streamClosed may have been lost is told again; a new stream of that id is not hurt', async () => {
    const { group, p, m } = await room({ publisher: { reliable: true } });
    const streams = collect(m);
    for (const id of ['gone', 'again']) {
      await openRaw(p, group, id);
      write(p, id, 1);
      end(p, id);
    }
    await openRaw(p, group, 'idle', { idleTimeoutMs: 30 });
    await closed(p, 'idle');
    await openRaw(p, group, 'again');
    await p.drop();
    const back = await server.recovered(p);
    assert.equal(await acked(back, 'again'), 1);
    assert.deepEqual(await closed(back, 'gone'), { type: 'streamClosed', streamId: 'gone' });
    assert.equal(name(await closed(back, 'idle')), 'IdleTimeout');
    assert.deepEqual(await back.fence(), [], 'and of no other');
    // What the JavaScript client does with its end that was not acknowledged.
    write(back, 'gone', 1);
    assert.equal(name(await closed(back, 'gone')), 'StreamNotFound');
    write(back, 'again', 1);
    assert.equal(await acked(back, 'again'), 2);
    await m.fence();
    whole(streams.get('gone'), 1);
  });

  check('C-127 the idle clock goes on while it is away', async () => {
    const { group, p, m } = await room({ publisher: { reliable: true } });
    await openRaw(p, group, 's', { idleTimeoutMs: 300 });
    await p.drop();
    assert.equal((await m.json()).stream.error.name, 'IdleTimeout');
    const again = await server.recovered(p);
    assert.equal(name(await closed(again, 's')), 'IdleTimeout');
  });

  check('C-122 a second socket takes the streams over', async () => {
    const { group, p, m } = await room({ publisher: { reliable: true } });
    await openRaw(p, group, 's');
    write(p, 's', 1);
    await ackedUpTo(p, 's', 2);
    const again = await server.recovered(p);
    assert.equal((await p.end()).code, 1008);
    assert.equal(await acked(again, 's'), 2);
    write(again, 's', 2);
    assert.equal(await acked(again, 's'), 3);
    assert.deepEqual((await m.fence()).map((x) => x.json.data), [1, 2]);
  });
});

suite('the official client', () => {
  check('C-89 openGroupStream and onGroupStream', async (t) => {
    const [a, b] = [officialClient({ s: server }), officialClient({ s: server, userId: 'bob' })];
    t.after(() => { a.c.stop(); b.c.stop(); });
    await a.start();
    await b.start();
    const group = fresh();
    await b.c.joinGroup(group);
    const got = new Map();
    let over;
    const both = new Promise((resolve) => { over = resolve; });
    b.c.onGroupStream(async (stream) => {
      const list = [];
      try {
        for await (const m of stream) list.push([m.dataType, m.dataType === 'binary' ? Buffer.from(m.data).toString('hex') : m.data]);
        got.set(stream.streamId, { list });
      } catch (error) { got.set(stream.streamId, { list, error }); }
      if (got.size === 2) over();
    }, { groupNames: [group], handleFromStart: true });
    const good = await a.c.openGroupStream(group, { noEcho: true, idleTimeoutInMs: 5000 });
    const bad = await a.c.openGroupStream(group, { streamId: 'bad' });
    const errors = [];
    good.onError((e) => errors.push(e));
    bad.onError((e) => errors.push(e));
    await good.write('hello', 'text');
    await good.write({ a: 1 }, 'json');
    await good.write(new Uint8Array([1, 2]).buffer, 'binary');
    for (let i = 0; i < 200; i++) await good.write(i, 'json');
    await bad.write('x', 'text');
    await bad.abort({ message: 'boom', userErrorCode: 'E1' });
    await good.end();
    await within(10000, 'both streams', both);
    assert.deepEqual(got.get(good.streamId), {
      list: [['text', 'hello'], ['json', { a: 1 }], ['binary', '0102'], ...Array.from({ length: 200 }, (_, i) => ['json', i])],
    });
    assert.deepEqual(got.get('bad').list, [['text', 'x']]);
    assert.deepEqual(got.get('bad').error, { name: 'UserError', message: 'boom', userErrorCode: 'E1' });
    await until(5000, 'both are closed', () => a.c._outboundStreams.size === 0);
    assert.deepEqual(errors, []);
  });

  check('C-88 C-95 refusals and idleness reach the application', async (t) => {
    const a = officialClient({ s: server, roles: ['webpubsub.sendToGroup.mine'] });
    t.after(() => a.c.stop());
    await a.start();
    await assert.rejects(a.c.openGroupStream('theirs'), { name: 'Forbidden' });
    const s = await a.c.openGroupStream('mine', { idleTimeoutInMs: 100 });
    const error = await within(5000, 'the error', new Promise((resolve) => s.onError(resolve)));
    assert.equal(error.name, 'IdleTimeout');
    await assert.rejects(s.write('x', 'text'));
  });
});
