// SPDX-License-Identifier: Apache-2.0
// azure-client.md 5.7, azure-server.md 3.11: invocations of JSON clients, with
// a webhook as the application.
import assert from 'node:assert/strict';
import { check, suite } from './lib/cases.mjs';
import {
  HASTY, Handler, gate, hookServerIn,
} from './lib/handler.mjs';
import { officialClient } from './lib/official.mjs';
import { suiteServer } from './lib/server.mjs';
import { until, within } from './lib/time.mjs';

const EVENTS = 'echo,empty,fail,slow,slow1,slow2,slow3,slow100,slowabort,tagged,odd0,odd1,odd2,odd3,both';
const handler = await Handler.start();
const server = suiteServer({
  plugins: { 'upstream-webhook': HASTY },
  hubs: {
    '*': { anonymous: 'deny' },
    chat: { anonymous: 'deny', event_handlers: [handler.all({ system_events: [], user_events: EVENTS }), handler.all({ system_events: [], user_events: 'odd4', timeout: '1s' })] },
  },
});
const echo = (r) => ({ body: r.body, type: r.headers['content-type'] });
handler.always({ event: 'echo' }, echo);
handler.always({ event: 'empty' }, { status: 204 });
handler.always({ event: 'fail' }, { status: 500, body: 'secret', type: 'text/plain' });

const invoke = (c, id, event = 'echo', more = {}) => c.send({
  type: 'invoke', invocationId: id, target: 'event', event, ...more,
});
const answer = async (c, id, options) => (await c.take((m) => m.json?.type === 'invokeResponse' && m.json.invocationId === id, { what: `answer to ${id}`, ...options })).json;
const failed = async (c, id, name) => {
  const m = await answer(c, id);
  assert.deepEqual(Object.keys(m).sort(), ['error', 'invocationId', 'success', 'type'], 'no data');
  assert.equal(m.success, false);
  assert.equal(m.error.name, name);
  assert.equal(typeof m.error.message, 'string');
  return m.error.message;
};

suite('invoke', () => {
  check('C-80 S-56 invoke → one invokeResponse with success, dataType, data', async () => {
    const c = await server.json({ user: 'alice' });
    const any = Buffer.from('0a03612f62120101', 'hex').toString('base64');
    for (const [i, [dataType, data, type]] of [['text', 'hé"', 'text/plain; charset=utf-8'], ['json', { a: [1] }, 'application/json'],
      ['binary', 'AQID', 'application/octet-stream'], ['protobuf', any, 'application/x-protobuf']].entries()) {
      invoke(c, `i${i}`, 'echo', { dataType, data });
      assert.deepEqual(await answer(c, `i${i}`), {
        type: 'invokeResponse', invocationId: `i${i}`, success: true, dataType, data,
      });
      const request = await handler.one({ conn: c.connectionId, event: 'echo' }).then(() => handler.seen({ conn: c.connectionId }).at(-1));
      assert.equal(request.headers['content-type'].toLowerCase(), type, 'S-45');
      assert.equal(request.headers['ce-type'], 'azure.webpubsub.user.echo', 'an ordinary user event');
      assert.equal(request.headers['ce-userid'], 'alice');
    }
    assert.deepEqual(await c.fence(), [], 'one each, and no message or ack beside it');
  });

  check('C-80 without data, without target: an empty body reaches the handler', async () => {
    const c = await server.json();
    c.send({ type: 'invoke', invocationId: 'a', event: 'empty', ackId: 7 });
    assert.deepEqual(await answer(c, 'a'), { type: 'invokeResponse', invocationId: 'a', success: true });
    const [request] = handler.seen({ conn: c.connectionId });
    assert.equal(request.body.length, 0);
    assert.deepEqual(await c.fence(), [], 'C-86 an invoke never yields an ack');
  });

  check('C-81 empty reply → success:true without dataType and data; response metadata is shown', async () => {
    const c = await server.json();
    invoke(c, '1', 'empty', { dataType: 'text', data: 'x' });
    assert.deepEqual(await answer(c, '1'), { type: 'invokeResponse', invocationId: '1', success: true });
    handler.queue({ event: 'tagged', conn: c.connectionId }, { status: 204, headers: { 'X-WebPubSub-Metadata-Trace': 't1' } },
      { status: 200, body: '{"b":1}', type: 'application/json', headers: { 'X-WebPubSub-Metadata-Trace': 't2' } });
    invoke(c, '2', 'tagged', { dataType: 'json', data: 1, metadata: { Up: 'u' } });
    assert.deepEqual(await answer(c, '2'), {
      type: 'invokeResponse', invocationId: '2', success: true, metadata: { trace: 't1' },
    });
    assert.equal(handler.seen({ conn: c.connectionId, event: 'tagged' })[0].headers['x-webpubsub-metadata-up'], 'u');
    invoke(c, '3', 'tagged');
    assert.deepEqual(await answer(c, '3'), {
      type: 'invokeResponse', invocationId: '3', success: true, dataType: 'json', data: { b: 1 }, metadata: { trace: 't2' },
    });
  });

  check('C-82 S-56 handler 500, timeout, gone, odd content type → success:false with name and message', async () => {
    const c = await server.json();
    invoke(c, '1', 'fail');
    assert.equal(await failed(c, '1', 'InternalServerError'), 'Internal server error');
    for (const [i, odd] of [{ status: 401 }, { drop: 'rst' }, { status: 200, body: 'x', type: 'image/png' },
      { status: 200, body: '{', type: 'application/json' }, { hang: true }].entries()) {
      handler.always({ event: `odd${i}` }, odd);
      invoke(c, `o${i}`, `odd${i}`);
      await failed(c, `o${i}`, 'InternalServerError');
    }
    invoke(c, '1', 'echo', { dataType: 'text', data: 'still here' });
    assert.equal((await answer(c, '1')).data, 'still here', 'a failed invoke never drops the connection');
  });

  check('C-83 no handler → NotFound; another target → BadRequest', async () => {
    const c = await server.json();
    invoke(c, '1', 'nobody');
    assert.equal(await failed(c, '1', 'NotFound'), "No event handler for event 'nobody'.");
    const other = await server.json({ hub: 'other' });
    invoke(other, '1');
    assert.equal(await failed(other, '1', 'NotFound'), "No event handler for event 'echo'.");
    c.send({ type: 'invoke', invocationId: '2', target: 'group', event: 'echo' });
    await failed(c, '2', 'BadRequest');
    c.send({ type: 'invoke', invocationId: '3', target: 'Event' });
    await failed(c, '3', 'BadRequest');
  });

  check('C-84 cancelInvocation → no response, the request is aborted; an unknown id → nothing', async () => {
    const c = await server.json();
    const wait = gate();
    handler.queue({ event: 'slow', conn: c.connectionId }, wait.answer);
    invoke(c, 's', 'slow');
    const request = await handler.one({ conn: c.connectionId });
    c.send({ type: 'cancelInvocation', invocationId: 'nobody' });
    c.send({ type: 'cancelInvocation', invocationId: 's' });
    await until(5000, 'the request is aborted', () => request.gone);
    assert.deepEqual(await c.fence(), []);
    wait.open();
    invoke(c, 's', 'echo', { dataType: 'text', data: 'again' });
    assert.equal((await answer(c, 's')).data, 'again', 'the id is free');
    c.send({ type: 'cancelInvocation', invocationId: 's' });
    assert.deepEqual(await c.fence(), []);
  });

  check('pending invocations hold up no other events, nor those them', async (t) => {
    const app = await Handler.start();
    const s = await hookServerIn(t, {
      workers: 1, webhook: { ...HASTY, timeout: '60s', in_flight: 2, queue: 8 },
      hubs: { '*': { anonymous: 'allow', event_handlers: [app.all()] } },
    });
    const calls = gate({ body: 'done', type: 'text/plain' });
    const events = gate();
    app.always({ event: 'slow' }, calls.answer);
    app.always({ event: 'stuck' }, events.answer);
    const c = await s.json({ token: null });
    for (let i = 0; i < 10; i++) invoke(c, `s${i}`, 'slow');
    await app.wait({ event: 'slow' }, 2);
    const other = await s.json({ token: null });
    assert.equal((await other.ask({ type: 'event', event: 'e', ackId: 1, dataType: 'text', data: 'x' })).success, true);
    // All of them that may wait do so; other events may wait, too.
    const asks = [c, other, await s.json({ token: null })].map((one) => one.ask({ type: 'event', event: 'stuck', ackId: 2, dataType: 'text', data: 'x' }, { ms: 60000 }));
    await app.wait({ event: 'stuck' }, 2);
    calls.open();
    for (let i = 0; i < 10; i++) assert.equal((await answer(c, `s${i}`)).data, 'done');
    events.open();
    for (const one of await Promise.all(asks)) assert.equal(one.success, true);
  });

  check('C-85 two invocations run concurrently, beside an event, and answer in completion order', async () => {
    const c = await server.json();
    const [first, second, event] = [gate({ body: '1', type: 'text/plain' }), gate({ body: '2', type: 'text/plain' }), gate()];
    handler.queue({ event: 'slow1', conn: c.connectionId }, first.answer);
    handler.queue({ event: 'slow2', conn: c.connectionId }, second.answer);
    handler.queue({ event: 'slow3', conn: c.connectionId }, event.answer);
    c.send({ type: 'event', event: 'slow3', data: 1, ackId: 5 });
    invoke(c, 'a', 'slow1');
    invoke(c, 'b', 'slow2');
    await handler.wait({ conn: c.connectionId }, 3);
    second.open();
    assert.equal((await answer(c, 'b')).data, '2');
    assert.deepEqual(await c.fence(), []);
    first.open();
    assert.equal((await answer(c, 'a')).data, '1');
    event.open();
    assert.equal((await c.type('ack')).ackId, 5);
    assert.deepEqual(await c.fence(), []);
  });

  check('C-86 the response has no sequenceId and is not kept for a recovery', async () => {
    const c = await server.reliable();
    invoke(c, '1', 'echo', { dataType: 'text', data: 'x' });
    assert.deepEqual(await answer(c, '1'), {
      type: 'invokeResponse', invocationId: '1', success: true, dataType: 'text', data: 'x',
    });
    const wait = gate({ body: 'late', type: 'text/plain' });
    handler.queue({ event: 'slow', conn: c.connectionId }, wait.answer);
    invoke(c, '2', 'slow');
    const request = (await handler.one({ conn: c.connectionId, event: 'slow' }));
    await c.drop();
    await until(5000, 'the request is aborted', () => request.gone);
    const again = await server.recovered(c);
    wait.open();
    assert.deepEqual(await again.fence(), []);
    invoke(again, '2', 'echo', { dataType: 'text', data: 'y' });
    assert.equal((await answer(again, '2')).data, 'y');
  });

  check('5.7 a pending id again → BadRequest, and the first goes on; 257 bytes → 1007', async () => {
    const c = await server.json();
    const wait = gate({ body: 'first', type: 'text/plain' });
    handler.queue({ event: 'slow', conn: c.connectionId }, wait.answer);
    const id = 'i'.repeat(256);
    invoke(c, id, 'slow');
    invoke(c, id, 'echo', { dataType: 'text', data: 'second' });
    await failed(c, id, 'BadRequest');
    wait.open();
    assert.equal((await answer(c, id)).data, 'first');
    invoke(c, `${id}i`);
    assert.equal((await c.end()).code, 1007);
  });

  check('5.7 more than 100 pending → BadRequest', async () => {
    const c = await server.json();
    const wait = gate();
    handler.always({ event: 'slow100', conn: c.connectionId }, wait.answer);
    for (let i = 0; i < 101; i++) invoke(c, `${i}`, 'slow100');
    await failed(c, '100', 'BadRequest');
    wait.open();
    for (let i = 0; i < 100; i++) assert.equal((await answer(c, `${i}`)).success, true);
    invoke(c, 'next', 'empty');
    assert.equal((await answer(c, 'next')).success, true);
  });

  check('5.7 what it says about the state holds for later events', async () => {
    const c = await server.json();
    const state = Buffer.from('{"n":1}').toString('base64');
    handler.queue({ event: 'both', conn: c.connectionId }, { status: 204, headers: { 'ce-connectionState': state } });
    invoke(c, '1', 'both');
    await answer(c, '1');
    await c.did({ type: 'event', event: 'both', data: 1 });
    assert.deepEqual(handler.seen({ conn: c.connectionId, event: 'both' }).map((r) => r.state), [undefined, state]);
  });

  check('5.7 a client that leaves takes its invocations along', async (t) => {
    const own = await Handler.start();
    t.after(() => own.down());
    const s = await hookServerIn(t, { hubs: { chat: { anonymous: 'deny', event_handlers: [own.all({ system_events: [] })] } } });
    const c = await s.json();
    own.always({ event: 'slow' }, { hang: true });
    for (let i = 0; i < 20; i++) invoke(c, `${i}`, 'slow');
    await own.wait({ event: 'slow' }, 20);
    await c.close(1000);
    await until(5000, 'all are aborted', () => own.seen({ event: 'slow' }).every((r) => r.gone));
  });
});

suite('invokeEvent of the official client', () => {
  const client = async (t, options) => {
    const c = officialClient({ s: server, options: { messageRetryOptions: { maxRetries: 0 } }, ...options });
    t.after(() => c.c.stop());
    await c.start();
    return c.c;
  };

  check('C-80 C-81 results by data type', async (t) => {
    const c = await client(t);
    const text = await c.invokeEvent('echo', 'hello', 'text');
    assert.deepEqual([text.dataType, text.data], ['text', 'hello']);
    assert.deepEqual((await c.invokeEvent('echo', { a: 1 }, 'json')).data, { a: 1 });
    const bytes = await c.invokeEvent('echo', new Uint8Array([1, 2, 3]).buffer, 'binary');
    assert.deepEqual(Buffer.from(bytes.data), Buffer.from([1, 2, 3]));
    assert.equal((await c.invokeEvent('empty', 'x', 'text')).data, undefined);
    const many = await Promise.all(Array.from({ length: 50 }, (_, i) => c.invokeEvent('echo', i, 'json')));
    assert.deepEqual(many.map((r) => r.data), Array.from({ length: 50 }, (_, i) => i));
  });

  check('C-82 C-83 failures', async (t) => {
    const c = await client(t);
    await assert.rejects(c.invokeEvent('fail', 'x', 'text'), (e) => e.errorDetail.name === 'InternalServerError');
    await assert.rejects(c.invokeEvent('nobody', 'x', 'text'), (e) => e.errorDetail.name === 'NotFound');
  });

  check('C-84 an aborted one is cancelled upstream', async (t) => {
    const c = await client(t);
    const wait = gate();
    handler.always({ event: 'slowabort' }, wait.answer);
    const abort = new AbortController();
    const call = c.invokeEvent('slowabort', 'x', 'text', { abortSignal: abort.signal });
    const request = await handler.one({ event: 'slowabort' });
    abort.abort();
    await assert.rejects(call);
    await until(5000, 'the request is aborted', () => request.gone);
    wait.open();
    assert.equal((await within(5000, 'the next', c.invokeEvent('echo', 'next', 'text'))).data, 'next');
  });
});
