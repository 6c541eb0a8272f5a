// SPDX-License-Identifier: Apache-2.0
// Clients of protobuf.webpubsub.azure.v1 by hand: the schema of
// azure-client.md 6.2 and 6.3, read by protobufjs.
import assert from 'node:assert/strict';
import { protobuf } from './deps.mjs';
import { remember } from './token.mjs';

export const PROTOBUF_V1 = 'protobuf.webpubsub.azure.v1';
export const PROTOBUF_RELIABLE_V1 = 'protobuf.reliable.webpubsub.azure.v1';

export const PROTO = `
syntax = "proto3";
package azure.webpubsub;
message Any { string type_url = 1; bytes value = 2; }
message MessageData {
  oneof data { string text_data = 1; bytes binary_data = 2; Any protobuf_data = 3; string json_data = 4; }
}
message StreamStartInfo { string stream_id = 1; optional uint32 idle_timeout_ms = 2; }
message GroupState { map<string, string> entries = 1; }
message UpstreamMessage {
  oneof message {
    SendToGroup send_to_group_message = 1; Event event_message = 5;
    Member join_group_message = 6; Member leave_group_message = 7;
    SequenceAck sequence_ack_message = 8; Ping ping_message = 9;
    Invoke invoke_event = 10; Cancel cancel_invocation = 11;
    StreamData stream_data = 13; StreamEnd stream_end = 14;
    SetGroupState set_group_state = 15; Member subscribe_group_state = 16; Member unsubscribe_group_state = 17;
  }
  message SendToGroup {
    string group = 1; optional uint64 ack_id = 2; MessageData data = 3; optional bool no_echo = 4;
    optional uint32 ttl_seconds = 5; map<string, string> metadata = 6; StreamStartInfo stream = 7;
  }
  message Event {
    string event = 1; MessageData data = 2; optional uint64 ack_id = 3; map<string, string> metadata = 4;
    StreamStartInfo stream = 5;
  }
  message Member { string group = 1; optional uint64 ack_id = 2; }
  message SequenceAck { uint64 sequence_id = 1; }
  message Ping {}
  message Invoke {
    string event = 1; string invocation_id = 2; MessageData data = 3; map<string, string> metadata = 4;
    StreamStartInfo stream = 5;
  }
  message Cancel { string invocation_id = 1; }
  message StreamData { string stream_id = 1; optional uint64 stream_sequence_id = 2; optional MessageData data = 3; }
  message StreamEnd {
    string stream_id = 1; optional Failure error = 2;
    message Failure { optional string message = 1; optional string user_error_code = 2; }
  }
  message SetGroupState { string group = 1; optional uint64 ack_id = 2; optional GroupState state = 3; }
}
message DownstreamMessage {
  oneof message {
    Ack ack_message = 1; Data data_message = 2; System system_message = 3; Pong pong_message = 4;
    InvokeResponse invoke_response = 5; StreamAck stream_ack = 6; StreamNack stream_nack = 7;
    StreamClosed stream_closed = 8; GroupStates group_state_update = 9; GroupStates group_state_snapshot = 10;
  }
  message Failure { string name = 1; string message = 2; }
  message Ack { uint64 ack_id = 1; bool success = 2; optional Failure error = 3; }
  message Data {
    string from = 1; optional string group = 2; MessageData data = 3; optional uint64 sequence_id = 4;
    map<string, string> metadata = 5; optional Stream stream = 6;
  }
  message Stream {
    string stream_id = 1; uint64 stream_sequence_id = 2; optional bool end_of_stream = 3; optional StreamFailure error = 4;
  }
  message StreamFailure { string name = 1; string message = 2; optional string user_error_code = 3; }
  message System {
    oneof message { Connected connected_message = 1; Disconnected disconnected_message = 2; }
    message Connected { string connection_id = 1; string user_id = 2; optional string reconnection_token = 3; }
    message Disconnected { string reason = 2; }
  }
  message Pong {}
  message InvokeResponse {
    string invocation_id = 1; bool success = 2; optional MessageData data = 3; optional Failure error = 4;
    map<string, string> metadata = 5;
  }
  message StreamAck { string stream_id = 1; uint64 expected_sequence_id = 2; }
  message StreamNack { string stream_id = 1; string name = 2; string message = 3; uint64 expected_sequence_id = 4; }
  message StreamClosed { string stream_id = 1; optional Failure error = 2; }
  message GroupStates { string group = 1; repeated Item items = 2; optional uint64 sequence_id = 3; }
  message Item { string connection_id = 1; optional string user_id = 2; optional GroupState state = 3; int64 updated_at = 4; }
}`;

const read = (text) => protobuf.parse(text, { keepCase: true }).root.resolveAll();
const root = read(PROTO);
/** The same bytes, with an Any left as it is. */
const opaque = read(PROTO.replace('Any protobuf_data', 'bytes protobuf_data'));
const typeOf = (name, r = root) => r.lookupType(`azure.webpubsub.${name}`);

/** Bytes of an UpstreamMessage: {member: {fields}}. */
export function up(message, { any = false } = {}) {
  const type = typeOf('UpstreamMessage', any ? root : opaque);
  return Buffer.from(type.encode(type.fromObject(message)).finish());
}

export const any = (typeUrl, value) => {
  const type = typeOf('Any');
  return Buffer.from(type.encode(type.create({ type_url: typeUrl, value })).finish());
};

const plain = (x) => {
  if (Buffer.isBuffer(x) || x instanceof Uint8Array) return Buffer.from(x);
  if (Array.isArray(x)) return x.map(plain);
  return x !== null && typeof x === 'object' ? Object.fromEntries(Object.entries(x).map(([k, v]) => [k, plain(v)])) : x;
};

function decode(type, bytes, options) {
  return plain(type.toObject(type.decode(bytes), { longs: Number, oneofs: false, ...options }));
}

/** {member: {fields}}: what has no presence and is zero is not there. */
export const down = (bytes, options) => decode(typeOf('DownstreamMessage', opaque), bytes, options);
/** The same with Any taken apart: a parser that knows it must read it. */
export const downAny = (bytes) => decode(typeOf('DownstreamMessage'), bytes);

/** "0A 04 .chat": bytes, and text after a dot. */
export const hex = (text) => Buffer.concat(text.split(' ').filter(Boolean)
  .map((word) => (word[0] === '.' ? Buffer.from(word.slice(1)) : Buffer.from(word, 'hex'))));

export const data = (member, value) => ({ [`${member}_data`]: value });
export const text = (value) => data('text', value);
export const json = (value) => data('json', JSON.stringify(value));

/** A wsclient's Client, and what it has got as {member, ...fields}. */
export class ProtobufClient {
  /** With its `connected` taken; options of Server.simple(). */
  static async open(server, { reliable = false, ...options } = {}) {
    const protocols = reliable ? PROTOBUF_RELIABLE_V1 : PROTOBUF_V1;
    const client = new ProtobufClient(await server.simple({ protocols, ...options }), server, { reliable, ...options });
    await client.#greeted();
    return client;
  }

  constructor(ws, server, options) {
    Object.assign(this, { ws, server, options, ackId: 0 });
  }

  async #greeted() {
    const first = await this.next({ what: 'connected' });
    assert.equal(first.member, 'system_message');
    this.connected = first.connected_message;
    remember(this.connected.reconnection_token);
  }

  get connectionId() { return this.connected.connection_id; }

  /** Come back; does not wait for the first message. */
  async recover({ id = this.connectionId, token = this.connected.reconnection_token, ...options } = {}) {
    const ws = await this.server.simple({
      token: null, protocols: PROTOBUF_RELIABLE_V1, hub: this.options.hub,
      query: { awps_connection_id: id, awps_reconnection_token: token }, ...options,
    });
    return Object.assign(new ProtobufClient(ws, this.server, this.options), { ackId: this.ackId });
  }

  /** As recover(), and it must work. */
  async recovered(options) {
    const again = await this.recover(options);
    await again.#greeted();
    assert.equal(again.connectionId, this.connectionId);
    return again;
  }

  /** Bytes, or a member with its fields. */
  send(member, fields = {}) {
    this.ws.send(Buffer.isBuffer(member) ? member : up({ [member]: fields }));
  }

  static #read(m) {
    assert.ok(m.binary, `a text message: ${m.text}`);
    if (!m.down) {
      const [[member, fields]] = Object.entries(down(m.binary));
      m.down = { member, ...fields };
    }
    return m.down;
  }

  /** The next message, whatever it is. */
  async next(options) { return ProtobufClient.#read(await this.ws.next(options)); }

  /** Its bytes. */
  async bytes(options) { return (await this.ws.next(options)).binary; }

  /** The next of that member, past others. */
  async take(member, { wanted = () => true, ...options } = {}) {
    const found = await this.ws.take((m) => {
      const d = ProtobufClient.#read(m);
      return d.member === member && wanted(d);
    }, { what: `a ${member}`, ...options });
    return found.down;
  }

  /** Send a request with an ack id and return its ack. */
  async ask(member, fields, options) {
    const id = fields.ack_id ?? ++this.ackId;
    this.send(member, { ...fields, ack_id: id });
    return this.take('ack_message', { wanted: (a) => (a.ack_id ?? 0) === id, what: `ack ${id} of ${member}`, ...options });
  }

  /** The same, and it must have succeeded. */
  async did(member, fields, options) {
    const ack = await this.ask(member, fields, options);
    assert.equal(ack.success, true, `${member}: ${JSON.stringify(ack)}`);
    return ack;
  }

  join(group) { return this.did('join_group_message', { group }); }

  leave(group) { return this.did('leave_group_message', { group }); }

  publish(group, payload, more = {}) { return this.did('send_to_group_message', { group, data: payload, ...more }); }

  /** Everything that came before the answer to a ping sent now. */
  async fence() {
    this.send('ping_message');
    await this.take('pong_message', { what: 'pong' });
    return this.ws.queue.splice(0).map(ProtobufClient.#read);
  }

  end(options) { return this.ws.end(options); }

  close(code, reason) { return this.ws.close(code, reason); }

  drop() { return this.ws.drop(); }
}
