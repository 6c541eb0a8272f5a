// SPDX-License-Identifier: Apache-2.0
// Streams (azure-client.md 5.8): publishing fragments by hand, and what
// receivers have got of them.
import assert from 'node:assert/strict';

/** Put a message into `streams`, a map of ids, if it is part of one. */
export function gather(streams, m) {
  if (!m?.stream) return;
  const { streamId, streamSequenceId, endOfStream, error } = m.stream;
  if (!streams.has(streamId)) streams.set(streamId, { numbers: [], data: [], ends: [], late: 0 });
  const s = streams.get(streamId);
  if (s.ends.length) s.late += 1;
  if (endOfStream) {
    assert.deepEqual([m.from, m.dataType, m.data], ['group', 'text', ''], 'C-93 the form of a terminal message');
    s.ends.push({ number: streamSequenceId, error });
  } else {
    s.numbers.push(streamSequenceId);
    s.data.push(m.data);
  }
}

/** What a client gets of streams from now on, by their ids. */
export function collect(client, streams = new Map()) {
  client.ws.on('message', (data, binary) => { if (!binary) gather(streams, JSON.parse(data.toString())); });
  return streams;
}

/** Fragments 1 to n, each once and in order, and the end if there is one. */
export function whole(stream, n, error) {
  assert.deepEqual(stream?.numbers, Array.from({ length: n }, (_, i) => i + 1), 'fragments');
  assert.deepEqual(stream.ends.map((e) => e.number), [n + 1], 'one end');
  assert.deepEqual(stream.ends[0].error, error);
  assert.equal(stream.late, 0, 'nothing behind the end');
}

export const about = (type, id, options) => [(m) => m.json?.type === type && m.json.streamId === id, { what: `${type} of ${id}`, ...options }];
export const acked = async (c, id, options) => (await c.take(...about('streamAck', id, options))).json.expectedSequenceId;
export const closed = async (c, id, options) => (await c.take(...about('streamClosed', id, options))).json;
export const nacked = async (c, id, options) => (await c.take(...about('streamNack', id, options))).json;

/** Ask for a stream; `more` of noEcho, idleTimeoutMs and what else is sent. */
export function start(client, group, id, { idleTimeoutMs, ...more } = {}) {
  client.send({
    type: 'sendToGroup', group, stream: { streamId: id, ...(idleTimeoutMs === undefined ? {} : { idleTimeoutMs }) }, ...more,
  });
}

/** A stream that is open when this returns. Fragments of an earlier one of that
 * id, which is over, may have been acknowledged or not before its end was. */
export async function openRaw(client, group, id, more) {
  client.queue = client.queue.filter((m) => m.json?.type !== 'streamAck' || m.json.streamId !== id);
  start(client, group, id, more);
  assert.equal(await acked(client, id), 1, 'C-87 streamAck expected 1');
}

export function write(client, id, n, data = n, dataType = 'json') {
  client.send({ type: 'streamData', streamId: id, streamSequenceId: n, dataType, data });
}

export const alive = (client, id) => client.send({ type: 'streamData', streamId: id });

export const end = (client, id, error) => client.send({ type: 'streamEnd', streamId: id, ...(error ? { error } : {}) });

/** Acks of a stream up to `expected`: they never go back, never beyond it. */
export async function ackedUpTo(client, id, expected, from = 1) {
  const all = [];
  let last = from;
  while (last < expected) {
    const n = await acked(client, id);
    assert.ok(n >= last && n <= expected, `C-89 ack ${n} after ${last}, ${expected} at most`);
    all.push(n);
    last = n;
  }
  return all;
}
