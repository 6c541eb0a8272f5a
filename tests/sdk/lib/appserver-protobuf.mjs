// SPDX-License-Identifier: Apache-2.0
// The protobuf form of /server with the surface of the JSON one: the schema is
// the one that doc/server-protocol.md prints, read by protobufjs.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { protobuf } from './deps.mjs';
import { SOURCE } from './server.mjs';

const [, schema] = readFileSync(join(SOURCE, 'doc/server-protocol.md'), 'utf8').match(/```proto\n(.*?)```/s);
const parsed = protobuf.parse(schema);
for (const name of parsed.imports) parsed.root.addJSON(protobuf.common.get(name).nested);
const root = parsed.root.resolveAll();
const typeOf = (name) => root.lookupType(`azure.webpubsub.server.${name}`);
const UP = typeOf('UpstreamMessage');
const DOWN = typeOf('DownstreamMessage');
const Payload = typeOf('PayloadDetail');

// `type` of JSON and the member that carries it, where it is not in the table.
const commands = {
  closeClient: 'clientClose',
  clientExists: 'clientExists',
  sendToClient: 'clientSend',
  userExists: 'userExists',
  sendToUser: 'userSend',
  sendToAll: 'hubSend',
  count: 'count',
  closeUser: 'userClose',
  closeGroup: 'groupClose',
  closeAll: 'hubClose',
  addClientToGroup: 'groupAddClient',
  addUserToGroup: 'groupAddUser',
  removeClientFromGroup: 'groupRemoveClient',
  removeUserFromGroup: 'groupRemoveUser',
  groupContainsClient: 'groupContainsClient',
  groupContainsUser: 'groupContainsUser',
  grant: 'grant',
  revoke: 'revoke',
  publish: 'groupPublish',
  subscribe: 'groupSubscribe',
  unsubscribe: 'groupUnsubscribe',
  handleEvents: 'handleEvents',
};
const memberOf = (type) => (commands[type] ? `${commands[type]}Request` : type);
const notices = {
  connectRequest: 'connect',
  disconnectRequest: 'disconnected',
  connectedNotice: 'clientConnected',
  userEventRequest: 'event',
  publishRequest: 'publish',
  joinRequest: 'join',
  leaveRequest: 'leave',
  joinedNotice: 'joined',
  leftNotice: 'left',
  groupMessage: 'message',
  ackMessage: 'ack',
  serverConnected: 'connected',
};

const isValue = (field) => field.resolvedType?.fullName === '.google.protobuf.StringValue';
const isEnum = (field) => field.resolvedType instanceof protobuf.Enum;
const NOWHERE = 99; // of what has no number: a wrong value for a wrong name

const enumNumber = (field, name) => field.resolvedType.values[String(name).replace(/[A-Z]/g, '_$&').toUpperCase()] ?? NOWHERE;

function payloadUp({ dataType = 'json', data }) {
  const format = Payload.lookupEnum('Format').values[dataType.toUpperCase()] ?? NOWHERE;
  if (dataType === 'json') return { format, content: data === undefined ? Buffer.alloc(0) : Buffer.from(JSON.stringify(data)) };
  return { format, content: Buffer.from(data ?? '', dataType === 'text' ? 'utf8' : 'base64') };
}

function up(type, message) {
  const out = {};
  for (const field of type.fieldsArray) {
    const value = message[field.name];
    if (value === undefined || value === null) continue;
    if (field.map || field.repeated) out[field.name] = value;
    else if (isValue(field)) out[field.name] = { value };
    else if (isEnum(field)) out[field.name] = enumNumber(field, value);
    else if (field.resolvedType === Payload) out[field.name] = payloadUp(value);
    else if (field.resolvedType) out[field.name] = up(field.resolvedType, value);
    else out[field.name] = value;
  }
  return out;
}

function encode({ type, ...message }) {
  const member = DOWN.fields[memberOf(type)];
  if (!member) { // a member of tomorrow
    const ack = protobuf.Writer.create().uint32(8).int32(message.ackId ?? 0).finish();
    return Buffer.from(protobuf.Writer.create().uint32(19 << 3 | 2).bytes(ack).finish());
  }
  return Buffer.from(DOWN.encode(DOWN.fromObject({ [member.name]: up(member.resolvedType, message) })).finish());
}

function payloadDown({ format, content }) {
  const dataType = Payload.lookupEnum('Format').valuesById[format].toLowerCase();
  const bytes = Buffer.from(content);
  if (dataType === 'json') return { dataType, data: JSON.parse(bytes) };
  return { dataType, data: bytes.toString(dataType === 'text' ? 'utf8' : 'base64') };
}

const number = (value) => (typeof value === 'object' ? value.toNumber() : value);

/** As JSON has it. A field without presence that is empty is not there, but
 * for lists; `presence` names those that JSON shows all the same. */
function down(type, message) {
  const out = {};
  for (const field of type.fieldsArray) {
    const value = message[field.name];
    const there = Object.hasOwn(message, field.name) && value !== null;
    if (field.map) out[field.name] = there ? { ...value } : {};
    else if (field.repeated) out[field.name] = field.resolvedType ? value.map((x) => down(field.resolvedType, x)) : [...value];
    else if (isEnum(field)) out[field.name] = field.resolvedType.valuesById[value].toLowerCase();
    else if (!there) continue;
    else if (isValue(field)) out[field.name] = value.value;
    else if (field.resolvedType === Payload) out[field.name] = payloadDown(value);
    else if (field.resolvedType) out[field.name] = down(field.resolvedType, value);
    else out[field.name] = number(value);
  }
  return out;
}

// Several values of a name are one with commas; what stands in one header by
// itself ("gzip, br") has a blank behind them.
const split = (map) => Object.fromEntries(Object.entries(map).map(([k, v]) => [k, v.split(/,(?! )/)]));

function contextDown({ state, claims, headers, query, ...context }, type) {
  return {
    ...context,
    ...(state === undefined ? {} : { connectionState: state }),
    ...(type === 'connect' ? { claims: split(claims), headers: split(headers), query: split(query) } : {}),
  };
}

function decode(m) {
  assert.ok(m.binary !== undefined, 'only binary messages come');
  const message = UP.decode(m.binary);
  assert.deepEqual(Buffer.from(UP.encode(message).finish()), Buffer.from(m.binary), 'nothing in it is unknown, all in order');
  const { message: member } = message;
  assert.ok(member, 'a member that is known');
  const type = notices[member];
  const { context, metadata, ...out } = down(UP.fields[member].resolvedType, message[member]);
  if (metadata && Object.keys(metadata).length > 0) out.metadata = metadata;
  if (context) out.context = contextDown(context, type);
  if (type === 'publish') out.payloadMetadata = { payloadSize: 0, ...out.payloadMetadata };
  return { type, ...out };
}

export const protobufForm = { encode, decode };
