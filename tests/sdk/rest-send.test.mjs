// SPDX-License-Identifier: Apache-2.0
// azure-server.md 7.4 and 7.5: what a send is, and what each kind of client
// gets of it.
import assert from 'node:assert/strict';
import { check, suite } from './lib/cases.mjs';
import {
  Rest, crowd, data, enc, fresh, got, restIn, restServer, to,
} from './lib/rest.mjs';
import { pass, until, within } from './lib/time.mjs';

const server = restServer({ workers: 4 });
const MIB = 1048576;
const OCTETS = 'application/octet-stream';
const PROTOBUF = 'application/x-protobuf';
const JSON_TYPE = 'application/json';

/** What each kind gets of `body` sent by each of the four operations. */
async function delivered({
  rest, simple, json, reliable,
}, body, type, group = 'g') {
  const targets = [to.all, to.user('alice'), to.group(group)];
  for (const where of targets) await rest.send(where, body, { type });
  for (const c of [simple, json, reliable]) {
    if (c.connected) await rest.send(to.conn(c), body, { type });
  }
  return {
    simple: await simple.wsFence(), json: await json.fence(), reliable: await reliable.fence(),
  };
}
const frame = (m) => (m.binary ? { binary: m.binary.toString('latin1') } : { text: m.text });

suite('REST sends: what arrives', () => {
  const matrix = [
    ['S-78 text/plain', 'text/plain', 'hi "ü" 😀\n', { text: 'hi "ü" 😀\n' }, 'text', 'hi "ü" 😀\n'],
    ['S-80 application/json, a string keeps its quotes', JSON_TYPE, '"x"', { text: '"x"' }, 'json', 'x'],
    ['7.5 application/json, an object', JSON_TYPE, '{"hello":["world",null,1.5]}', { text: '{"hello":["world",null,1.5]}' }, 'json', { hello: ['world', null, 1.5] }],
    ['7.5 application/json, null', JSON_TYPE, 'null', { text: 'null' }, 'json', null],
    ['S-81 octet-stream', OCTETS, Buffer.from([0, 1, 254, 255]), { binary: '\0\x01\xfe\xff' }, 'binary', 'AAH+/w=='],
    ['7.5 x-protobuf', PROTOBUF, Buffer.from([10, 1, 97, 18, 1, 98]), { binary: '\n\x01a\x12\x01b' }, 'protobuf', 'CgFhEgFi'],
    ['7.4 empty text', 'text/plain', '', { text: '' }, 'text', ''],
    ['7.4 empty binary', OCTETS, '', { binary: '' }, 'binary', ''],
  ];
  for (const [name, type, body, plain, dataType, shown] of matrix) {
    check(`${name}, S-79 S-82: simple, JSON and reliable clients, all four operations`, async () => {
      const c = await crowd(server, { user: 'alice', groups: ['g'] });
      const seen = await delivered(c, body, type);
      assert.deepEqual(seen.simple.map(frame), [plain, plain, plain]);
      const served = { type: 'message', from: 'server', dataType, data: shown };
      const grouped = { type: 'message', from: 'group', group: 'g', dataType, data: shown };
      assert.deepEqual(seen.json.map((m) => m.json), [served, served, grouped, served]);
      assert.deepEqual(seen.reliable.map((m) => m.json), [served, served, grouped, served].map((m, i) => ({ sequenceId: i + 1, ...m })));
    });
  }

  check('7.5 JSON is forwarded as it was written: blanks, numbers, escapes, order', async () => {
    const c = await crowd(server, { user: 'alice', groups: ['g'] });
    const body = '{ "b" : 12345678901234567890.10 ,\t"a":"\\u00e4\\/\u00e4", "b":1e400 }';
    const seen = await delivered(c, body, JSON_TYPE);
    for (const m of seen.simple) assert.equal(m.text, body);
    for (const m of [...seen.json, ...seen.reliable]) assert.ok(m.text.includes(`"data":${body}`), m.text);
  });

  check('7.4 names in paths: blanks, umlauts, slashes, plus, quotes, percent', async () => {
    const hub = fresh();
    const rest = new Rest(server, { hub });
    for (const name of ['room 1', 'a/b', 'ünï😀', 'x+y', 'x%2Fy', '"q"', "o'b", ':send', 'a:b', '.', '..', '-', 'x;y=1', 'n?#&=']) {
      const c = await server.json({ hub, user: name, groups: [name] });
      await rest.send(to.group(name), '1');
      await rest.send(to.user(name), '2');
      const all = await got(c);
      assert.deepEqual(all.map((m) => [m.group, m.data]), [[name, '1'], [undefined, '2']], name);
      assert.equal(await rest.exists(to.user(name)), true, name);
      assert.equal(await rest.exists(to.group(name)), true, name);
      await c.close(1000);
    }
  });

  check('S-106 room%2Fa is the one group room/a', async () => {
    const hub = fresh();
    const rest = new Rest(server, { hub });
    const c = await server.json({ hub, groups: ['room/a'] });
    await rest.send('groups/room%2Fa/', 'x');
    await rest.must(404, 'POST', 'groups/room/a/:send', { body: 'y', type: 'text/plain' });
    await rest.send('groups/room%2fa/', 'z');
    await rest.send('groups/room%252Fa/', 'nobody');
    assert.deepEqual((await got(c)).map((m) => [m.group, m.data]), [['room/a', 'x'], ['room/a', 'z']]);
  });

  check('S-107 %3Asend and :send are the same operation, as %3AcloseConnections', async () => {
    const hub = fresh();
    const rest = new Rest(server, { hub });
    const c = await server.json({ hub, user: 'u', groups: ['g'] });
    for (const path of ['%3Asend', '%3asend', 'groups/g/%3Asend', 'users/u/%3Asend', `connections/${c.connectionId}/%3Asend`]) {
      await rest.must(202, 'POST', path, { body: path, type: 'text/plain' });
    }
    assert.equal((await data(c)).length, 5);
    await rest.must(200, 'POST', '%3AaddToGroups', { body: '{"groups":["x"]}', type: JSON_TYPE });
    await rest.must(200, 'POST', '%3AgenerateToken');
    await rest.must(204, 'POST', '%3AcloseConnections');
    assert.equal((await c.end()).code, 1000);
  });

  check('S-5 a hub is the same in any case of its letters', async () => {
    const hub = fresh();
    const c = await server.json({ hub });
    const rest = new Rest(server, { hub: hub.toUpperCase() });
    await rest.send(to.all, 'x');
    assert.deepEqual(await data(c), ['x']);
    await rest.refused(400, 'POST', '/api/hubs/1chat/:send', { body: 'x', type: 'text/plain' });
  });

  check('S-134 metadata headers reach clients as metadata, with lower-case keys', async () => {
    const {
      rest, simple, json, reliable,
    } = await crowd(server);
    await rest.send(to.all, 'a', { headers: { 'X-WebPubSub-Metadata-Trace': 'One', 'x-webpubsub-metadata-K!#$': ' b c ' } });
    await rest.send(to.all, 'b', { headers: [['X-WebPubSub-Metadata-K', 'first'], ['X-WEBPUBSUB-METADATA-k', 'second, third']] });
    await rest.send(to.all, 'c', { headers: { 'X-WebPubSub-Metadata-Long': 'v'.repeat(1024), [`X-WebPubSub-Metadata-${'n'.repeat(256)}`]: 'x' } });
    for (const c of [json, reliable]) {
      const m = await got(c);
      assert.deepEqual(m.map((x) => x.metadata), [{ trace: 'One', 'k!#$': 'b c' }, { k: 'third' }, { long: 'v'.repeat(1024), ['n'.repeat(256)]: 'x' }]);
    }
    assert.deepEqual((await simple.wsFence()).map((m) => m.text), ['a', 'b', 'c']);
    const many = Object.fromEntries(Array.from({ length: 9 }, (x, i) => [`X-WebPubSub-Metadata-K${i}`, 'v'.repeat(1000)]));
    for (const [name, headers] of [
      ['a key of 257', { [`X-WebPubSub-Metadata-${'n'.repeat(257)}`]: 'x' }], ['a value of 1025', { 'X-WebPubSub-Metadata-K': 'v'.repeat(1025) }],
      ['no ASCII', { 'X-WebPubSub-Metadata-K': 'ä' }], ['over 8 KiB', many], ['no key', { 'X-WebPubSub-Metadata-': 'x' }]]) {
      const error = await rest.refused(400, 'POST', ':send', { body: name, type: 'text/plain', headers });
      assert.equal(error.code, 'Error.BadRequest', name);
    }
    assert.deepEqual(await got(json), []);
  });
});

suite('REST sends: content types', () => {
  check('S-77 parameters and case do not matter; text/html → 415; none → binary', async () => {
    const { rest, simple } = await crowd(server);
    const types = [['text/plain; charset=utf-8', 'a'], ['TEXT/Plain ; Charset="UTF-8"', 'b'], ['text/plain;format=flowed', 'c'], ['Application/JSON; odata=x', '4'], ['application/json;charset=UTF8', '5']];
    for (const [type, body] of types) await rest.send(to.all, body, { type });
    assert.deepEqual((await simple.wsFence()).map((m) => m.text), types.map(([, body]) => body));
    await rest.send(to.all, 'no type', { type: null });
    await rest.send(to.all, 'octets', { type: 'application/octet-stream;x=y' });
    assert.deepEqual((await simple.wsFence()).map(frame), [{ binary: 'no type' }, { binary: 'octets' }]);
    for (const type of ['text/html', 'application/xml', 'text/json', 'text', 'application/jsonx', 'multipart/form-data', '*/*', 'image/png', 'text/plain; charset=klingon', 'application/json; charset=utf-7']) {
      const answer = await rest.must(415, 'POST', ':send', { body: '1', type });
      assert.equal(answer.headers['retry-after'], undefined);
    }
    assert.deepEqual(await simple.wsFence(), []);
  });

  check('7.4 charset ISO-8859-1 and UTF-16 are transcoded', async () => {
    const { rest, simple, json } = await crowd(server);
    const text = 'grün "1"';
    const le = Buffer.from(text, 'utf16le');
    const be = Buffer.from(le).swap16();
    const sent = [['text/plain; charset=iso-8859-1', Buffer.from(text, 'latin1')], ['text/plain; charset=utf-16le', le], ['text/plain; charset=UTF-16BE', be],
      ['text/plain; charset=utf-16', Buffer.concat([Buffer.from([0xff, 0xfe]), le])], ['text/plain; charset="utf-16"', Buffer.concat([Buffer.from([0xfe, 0xff]), be])]];
    for (const [type, body] of sent) await rest.send(to.all, body, { type });
    assert.deepEqual((await simple.wsFence()).map((m) => m.text), sent.map(() => text));
    assert.deepEqual(await data(json), sent.map(() => text));
    await rest.send(to.all, Buffer.from('{"ü":1}', 'latin1'), { type: 'application/json; charset=ISO-8859-1' });
    assert.deepEqual(await data(json), [{ ü: 1 }]);
    await rest.refused(400, 'POST', ':send', { body: Buffer.from([0x61]), type: 'text/plain; charset=utf-16le' });
  });

  check('7.4 text that is no UTF-8 → 400; JSON that is no JSON → 400', async () => {
    const { rest, json } = await crowd(server);
    for (const bytes of [[0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0x61, 0xe2, 0x82], [0xf4, 0x90, 0x80, 0x80]]) {
      assert.equal((await rest.refused(400, 'POST', ':send', { body: Buffer.from(bytes), type: 'text/plain' })).code, 'Error.BadRequest');
    }
    for (const body of ['', ' ', '{', '{"a":1', "{'a':1}", '[1,]', 'nul', '1 2', '"a', '{"a":1}x', '01', 'NaN', Buffer.from([0x22, 0xff, 0x22])]) {
      const error = await rest.refused(400, 'POST', ':send', { body, type: JSON_TYPE });
      assert.deepEqual([error.code, error.message], ['Error.BadRequest', 'The request body is not a valid JSON.'], String(body));
    }
    assert.deepEqual(await got(json), []);
    for (const body of [' 1 ', '\n"a"\r\n', 'true', '[]']) await rest.send(to.all, body, { type: JSON_TYPE });
    assert.deepEqual(await data(json), [1, 'a', true, []]);
  });

  check('S-104 1 MiB is accepted, one byte more is 400; chunked alike', { timeout: 60000 }, async () => {
    const { rest, simple } = await crowd(server);
    const full = 'x'.repeat(MIB);
    await rest.send(to.all, full);
    await rest.send(to.all, full, { chunked: 65536 });
    await rest.send(to.all, 'in pieces of three', { chunked: 3 });
    const seen = await simple.wsFence();
    assert.deepEqual(seen.map((m) => m.text.length), [MIB, MIB, 18]);
    for (const chunked of [undefined, 65536]) {
      const answer = await rest.ask('POST', ':send', { body: `${full}x`, type: 'text/plain', chunked });
      assert.equal(answer.status, 400);
      assert.equal(answer.json.code, 'Error.BadRequest');
      assert.match(answer.json.message, /^Invalid Content-Length header\..*\b1048576\b/);
      assert.equal(answer.headers['retry-after'], undefined);
    }
    await rest.send(to.all, '', { chunked: true });
    assert.deepEqual((await simple.wsFence()).map((m) => m.text), ['']);
  });
});

suite('REST sends: who gets it, and when', () => {
  check('S-76 excluded may be repeated; unknown ids and commas mean nothing', async () => {
    const hub = fresh();
    const rest = new Rest(server, { hub });
    const [a, b, c] = await Promise.all([0, 1, 2].map(() => server.json({ hub, user: 'u', groups: ['g'] })));
    const ids = [a, b, c].map((x) => x.connectionId);
    await rest.send(to.all, '1', { query: { excluded: [ids[0], ids[1]] } });
    await rest.send(to.group('g'), '2', { query: { excluded: [ids[1], ids[2]] } });
    await rest.send(to.all, '3', { query: { excluded: `${ids[0]},${ids[1]}` } });
    await rest.send(to.all, '4', { query: { excluded: ['', 'nobody', ids[2].toUpperCase(), ids[2]] } });
    await rest.send(to.group('g'), '5', { query: { excluded: ids[0], filter: `connectionId ne '${ids[1]}'` } });
    await rest.send(to.all, '6', { query: { excluded: ids } });
    await rest.send(to.all, '7', { query: { excluded: Array.from({ length: 150 }, (x, i) => `no${i}`).concat(ids[1]) } });
    assert.deepEqual(await data(a), ['2', '3', '4', '7']);
    assert.deepEqual(await data(b), ['3', '4']);
    assert.deepEqual(await data(c), ['1', '3', '5', '7']);
  });

  check('S-71 missing connection, user, group and hub: 202, and nobody gets it', async () => {
    const { rest, json } = await crowd(server);
    for (const where of [to.conn('none'), to.user('none'), to.group('none')]) await rest.send(where, 'x');
    await new Rest(server, { hub: fresh('unused') }).send(to.all, 'x');
    assert.deepEqual(await got(json), []);
  });

  check('7.4 a user with several connections: each once, other users none', async () => {
    const hub = fresh();
    const rest = new Rest(server, { hub });
    const clients = await Promise.all(Array.from({ length: 12 }, (x, i) => server.json({ hub, user: i < 8 ? 'many' : `one${i}` })));
    await rest.send(to.user('many'), 'x');
    await rest.send(to.user('MANY'), 'y');
    assert.deepEqual((await Promise.all(clients.map(data))).map((d) => d.length), [...Array(8).fill(1), 0, 0, 0, 0]);
  });

  check('S-83 messageTtlSeconds=1 to a detached reliable client that comes back after 3 s: gone', async () => {
    const hub = fresh();
    const rest = new Rest(server, { hub });
    const c = await server.reliable({ hub, user: 'u', groups: ['g'] });
    await c.drop();
    // What is written to a socket that is just breaking counts as written.
    await server.logged((r) => r.msg === 'client detached' && r.connection === c.connectionId, { what: 'the detach' });
    for (const [where, query] of [[to.all, { messageTtlSeconds: 1 }], [to.user('u'), { messageTtlSeconds: 1 }], [to.group('g'), { messageTtlSeconds: 1 }], [to.conn(c), { messageTtlSeconds: 1 }],
      [to.all, {}], [to.all, { messageTtlSeconds: 0 }], [to.all, { messageTtlSeconds: 300 }]]) {
      await rest.send(where, JSON.stringify(query), { type: JSON_TYPE, query });
    }
    await pass(3000);
    const again = await server.recovered(c);
    assert.deepEqual(await data(again), [{}, { messageTtlSeconds: 0 }, { messageTtlSeconds: 300 }]);
  });

  check('S-135 a send to a detached reliable connection is delivered after recovery, with metadata', async () => {
    const hub = fresh();
    const rest = new Rest(server, { hub });
    const c = await server.reliable({ hub, user: 'u', groups: ['g'] });
    await rest.send(to.conn(c), 'before');
    assert.deepEqual(await data(c), ['before']);
    await c.drop();
    for (const where of [to.conn(c), to.user('u'), to.group('g'), to.all]) await rest.send(where, where, { headers: { 'X-WebPubSub-Metadata-K': 'v' } });
    const again = await server.recovered(c);
    // "before" was never acknowledged.
    const m = await got(again);
    assert.deepEqual(m.map((x) => x.data), ['before', to.conn(c), to.user('u'), to.group('g'), to.all]);
    assert.deepEqual(m.map((x) => x.metadata?.k), [undefined, 'v', 'v', 'v', 'v']);
    assert.deepEqual(m.map((x) => x.sequenceId), [1, 2, 3, 4, 5]);
  });

  check('7.4 two sends acknowledged one after the other arrive in that order, over many connections to 4 workers', { timeout: 60000 }, async (t) => {
    const hub = fresh();
    const lines = await new Rest(server, { hub }).lines(t);
    const clients = await Promise.all(Array.from({ length: 8 }, (x, i) => server[i % 2 ? 'json' : 'reliable']({ hub, user: 'u', groups: ['g'] })));
    const rounds = 400;
    const targets = [to.all, to.group('g'), to.user('u')];
    for (let i = 0; i < rounds; i++) {
      await lines[i % lines.length].send(targets[(i >> 1) % 3], String(i), { type: JSON_TYPE });
    }
    const wanted = Array.from({ length: rounds }, (x, i) => i);
    for (const c of clients) assert.deepEqual(await data(c), wanted);
  });

  check('7.4 the effect precedes the answer: join over one connection, send over another, 200 times', { timeout: 60000 }, async (t) => {
    const hub = fresh();
    const lines = await new Rest(server, { hub }).lines(t);
    const clients = await Promise.all(Array.from({ length: 8 }, (x, i) => server.json({ hub, user: `u${i}` })));
    for (let i = 0; i < 200; i++) {
      const c = clients[i % clients.length];
      const group = `g${i}`;
      const [a, b, d, e] = [0, 1, 2, 3].map((k) => lines[(i + 5 * k) % lines.length]);
      if (i % 2) await a.join(group, c);
      else await a.must(200, 'PUT', `users/${c.options.user}/groups/${group}`);
      await b.send(to.group(group), `${i}`);
      assert.equal(await d.exists(to.group(group)), true);
      await e.leave(group, c);
      await a.send(to.group(group), 'late');
      assert.equal(await b.exists(to.group(group)), false);
      assert.deepEqual(await data(c), [String(i)], `round ${i}`);
    }
  });

  check('7.4 sends in parallel: every receiver gets each exactly once', { timeout: 60000 }, async (t) => {
    const hub = fresh();
    const lines = await new Rest(server, { hub }).lines(t);
    const clients = await Promise.all(Array.from({ length: 6 }, () => server.json({ hub })));
    const rounds = 40;
    await within(40000, 'parallel sends', Promise.all(lines.map(async (line, l) => {
      for (let i = 0; i < rounds; i++) await line.send(to.all, JSON.stringify([l, i]), { type: JSON_TYPE });
    })));
    for (const c of clients) {
      const all = await data(c);
      assert.equal(all.length, lines.length * rounds);
      for (let l = 0; l < lines.length; l++) assert.deepEqual(all.filter((d) => d[0] === l).map((d) => d[1]), Array.from({ length: rounds }, (x, i) => i));
    }
  });

  check('7.2 a hub that is not configured and in which nobody is: accepted, acts on nothing', async (t) => {
    const one = await restIn(t, { hubs: { chat: {} } });
    const rest = new Rest(one, { hub: 'other' });
    await rest.send(to.all, 'x');
    await rest.must(204, 'POST', ':closeConnections');
    await rest.must(200, 'POST', ':addToGroups', { body: '{"groups":["g"]}', type: JSON_TYPE });
    assert.deepEqual(await rest.page('g'), { value: [] });
    assert.equal(await rest.exists(to.user('u')), false);
    const chat = new Rest(one, { hub: 'CHAT' });
    const c = await one.json({ hub: 'chat' });
    await chat.send(to.all, 'x');
    assert.deepEqual(await data(c), ['x']);
  });

  check('7.4 senders that vanish in the middle of a request or before its answer', async () => {
    const hub = fresh();
    const rest = new Rest(server, { hub });
    const clients = await Promise.all(Array.from({ length: 6 }, () => server.json({ hub, user: 'u', groups: ['g'] })));
    const requests = [
      ['POST', ':send', { body: 'x'.repeat(100000), type: 'text/plain' }], ['POST', 'groups/g/:send', { body: 'y', type: 'text/plain', query: { filter: "userId eq 'u'" } }],
      ['PUT', 'users/u/groups/h', {}], ['GET', 'groups/g/connections', {}], ['POST', ':removeFromGroups', { body: '{"groups":["h"]}', type: JSON_TYPE }], ['HEAD', 'users/u', {}], ['POST', ':generateToken', {}]];
    await within(20000, 'the aborted requests', Promise.all(Array.from({ length: 140 }, async (x, i) => {
      const raw = await server.raw();
      const bytes = rest.request(...requests[i % requests.length]);
      await raw.write(i % 3 === 0 ? bytes.subarray(0, Math.floor(bytes.length * (i / 140))) : bytes);
      if (i % 2) raw.reset(); else raw.destroy();
    })));
    await rest.send(to.all, 'end');
    for (const c of clients) await c.take((m) => m.json?.data === 'end');
    assert.equal((await rest.page('g')).value.length, 6);
  });

  check('7.4 a client that is closed while it is sent to, joined and listed', { timeout: 60000 }, async (t) => {
    const hub = fresh();
    const lines = await new Rest(server, { hub }).lines(t, 8);
    let stop = false;
    const churn = Promise.all([0, 1, 2, 3].map(async (k) => {
      while (!stop) {
        const c = await server[k % 2 ? 'reliable' : 'simple']({ hub, user: `u${k}`, groups: ['g'] });
        await (k < 2 ? c.drop() : c.close(1000));
      }
    }));
    const steady = await server.json({ hub, user: 'steady', groups: ['g'] });
    try {
      await within(40000, 'requests beside the churn', Promise.all(lines.map(async (line, l) => {
        for (let i = 0; i < 60; i++) {
          const user = `u${i % 4}`;
          await line.send([to.all, to.group('g'), to.user(user)][i % 3], String(i));
          assert.ok([200, 404].includes((await line.ask('PUT', `users/${user}/groups/x${l}`)).status));
          await line.must(204, 'POST', `users/${user}/:closeConnections`);
          await line.must(200, 'POST', ':addToGroups', { body: JSON.stringify({ groups: ['y'], filter: `userId eq '${user}'` }), type: JSON_TYPE });
          assert.ok((await line.page('g', { maxpagesize: 2 })).value.length <= 2);
        }
      })));
    } finally { stop = true; await churn; }
    assert.equal((await data(steady)).length, lines.length * 40);
  });

  check('7.4 a client that does not read holds nobody up', { timeout: 60000 }, async () => {
    const hub = fresh();
    const rest = new Rest(server, { hub });
    const [slow, good] = await Promise.all([0, 1].map(() => server.json({ hub })));
    slow.pause();
    const sends = 30;
    for (let i = 0; i < sends; i++) {
      await rest.send(to.all, `${i} ${'x'.repeat(MIB - 10)}`);
      const m = await good.json();
      assert.equal(parseInt(m.data, 10), i);
    }
    await until(10000, 'the slow client to be given up', async () => !(await rest.exists(to.conn(slow))));
    assert.equal(await rest.exists(to.conn(good)), true);
    slow.resume();
    await slow.end();
  });

  check('7.4 pipelined requests on one connection are answered in order', async (t) => {
    const hub = fresh();
    const [line] = await new Rest(server, { hub }).lines(t, 1);
    const c = await server.json({ hub });
    const all = Buffer.concat([
      line.request('POST', ':send', { body: '1', type: 'text/plain' }), line.request('HEAD', 'users/none'),
      line.request('POST', ':send', { body: '2', type: 'text/plain', chunked: true }), line.request('HEAD', `connections/${enc(c.connectionId)}`),
      line.request('GET', 'nothing/like/this'), line.request('POST', ':send', { body: '3', type: 'text/plain' })]);
    await line.line.write(all);
    const answers = [];
    for (const head of [false, true, false, true, false, false]) answers.push((await line.line.answer({ head })).status);
    assert.deepEqual(answers, [202, 404, 202, 200, 404, 202]);
    assert.deepEqual(await data(c), ['1', '2', '3']);
  });
});
