// SPDX-License-Identifier: Apache-2.0
// WebSockets that belong to a plugin and requests that it makes to the server
// itself, with tests/fixtures/peer-fixture: what /server/tunnel and /server
// stand on.
import assert from 'node:assert/strict';
import { check, suite } from './lib/cases.mjs';
import { KEY, PING, RawSocket, TEXT, frame } from './lib/rawsocket.mjs';
import {
  fixture, hasFixture, suiteServer, testServer,
} from './lib/server.mjs';
import { awake, pass, until } from './lib/time.mjs';
import { PRIMARY, STRANGER, now, sign } from './lib/token.mjs';
import { Client, JSON_V1, Refusal } from './lib/wsclient.mjs';

const built = hasFixture('upstream-peer');
const when = { skip: !built && 'the fixture plugins are not built' };
const told = [{ url: 'peer:///', system_events: ['connected', 'disconnected'] }];
const config = ({ plugins, hubs, ...more } = {}) => ({
  plugins: { ...(built ? { 'upstream-peer': { path: fixture('upstream-peer') } } : {}), ...plugins },
  hubs: hubs ?? { '*': { anonymous: 'deny' }, ...(built ? { told: { anonymous: 'deny', event_handlers: told } } : {}) },
  ...more,
});
const server = suiteServer(config({ limits: { connections: 3, message_size: '64k', queue_bytes: '1m' } }));

const pairs = (query) => Object.entries(query).filter(([, v]) => v !== undefined)
  .flatMap(([k, v]) => [].concat(v).map((x) => `${k}=${encodeURIComponent(x)}`)).join('&');

/** A server's token: aud is the URL without it. */
function signed(s, {
  path = '/fixture/peer', hub = 'h', aud = `${s.origin}${path}?hub=${hub}`, key = PRIMARY, ...claims
} = {}) {
  return sign({ aud, iat: now(), exp: now() + 3600, ...claims }, { key });
}

function peerUrl(s, {
  path = '/fixture/peer', hub = 'h', token, query = {},
} = {}) {
  return `${s.wsOrigin}${path}?${pairs({ hub, access_token: token, ...query })}`;
}

async function peerOf(s, {
  path, hub, query, token = signed(s, { path, hub }), header, ...options
} = {}) {
  const client = await Client.open(peerUrl(s, {
    path, hub, query, token: header ? undefined : token,
  }), { ...(header ? { authorization: `Bearer ${token}` } : {}), ...options });
  s.clients.add(client);
  return client;
}
const peer = (options) => peerOf(server, options);
const refusal = async (options) => {
  try {
    (await peer(options)).ws.terminate();
  } catch (error) {
    if (error instanceof Refusal) return error;
    throw error;
  }
  throw new Error('the handshake was accepted');
};

suite('conn->accept', () => {
  check('a route becomes a WebSocket: open, both opcodes, close', when, async () => {
    const p = await peer({ query: { selected: 'own.v1' }, protocols: ['own.v1', 'x'], token: signed(server, { sub: 'app', role: ['publisher.news', 'publisher'] }) });
    assert.equal(p.protocol, 'own.v1');
    const hello = await p.text();
    assert.match(hello, /^open id=[\w-]{27} hub=h user=app roles=webpubsubd\.owner,publisher\.news,publisher selected=own\.v1$/);
    p.send('hello');
    assert.equal(await p.text(), 'hello');
    p.ws.send(Buffer.from([0, 1, 255]));
    assert.deepEqual((await p.next()).binary, Buffer.from([0, 1, 255]));
    p.send('close 4321 enough');
    assert.deepEqual(await p.end(), { code: 4321, reason: 'enough' });
    await server.logged((r) => r.msg === 'peer closed 4321 enough');
    const record = await server.logged((r) => r.msg === 'peer connected');
    assert.equal(record.plugin, 'upstream-peer');
  });

  check('the token in the header, accepted on another thread', when, async () => {
    const p = await peer({ header: true, query: { thread: '1' } });
    assert.match(await p.text(), /^open /);
    assert.equal(p.protocol, '');
    assert.equal((await p.close(1000)).code, 1000);
  });

  check('the hub of the path counts before that of the query', when, async () => {
    const path = '/fixture/peer/inpath';
    const p = await peer({ path, hub: 'other', token: signed(server, { path, hub: 'inpath' }) });
    assert.match(await p.text(), / hub=inpath /);
    const aud = `${server.origin}${path}`;
    assert.equal((await refusal({ path, hub: 'inpath', token: signed(server, { aud }) })).status, 401);
  });

  check('no handshake → 400 or 426, no token → 401 before that', when, async () => {
    const token = signed(server);
    const at = (t) => `/fixture/peer?hub=h${t ? `&access_token=${t}` : ''}`;
    assert.equal((await server.http(at(token))).status, 400);
    assert.equal((await server.http(at(token), { method: 'HEAD' })).status, 400);
    assert.equal((await server.http(at(token), { method: 'POST', body: '' })).status, 405);
    assert.equal((await server.http(at())).status, 401);
    const raw = await server.raw();
    await raw.write(RawSocket.request({ path: at(token), host: `127.0.0.1:${server.port}` }).replace('Version: 13', 'Version: 12'));
    const answer = await raw.answer();
    assert.equal(answer.status, 426);
    assert.equal(answer.headers['sec-websocket-version'], '13');
    raw.destroy();
  });

  check('S-122 aud names the URL: any of four schemes, and this hub', when, async () => {
    const host = server.origin.replace(/^https?:\/\//, '');
    for (const scheme of ['ws', 'wss', 'http', 'https']) {
      const p = await peer({ token: signed(server, { aud: `${scheme}://${host}/fixture/peer?hub=h` }) });
      assert.match(await p.text(), /^open /);
      p.ws.terminate();
    }
    for (const aud of [
      `${server.origin}/fixture/peer`, `${server.origin}/fixture/peer?hub=other`,
      `${server.origin}/fixture/peer/?hub=h&x`.replace('peer/', 'peers'), `http://elsewhere:${server.port}/fixture/peer?hub=h`,
      `${server.origin}/client/hubs/h`, `${server.origin}/fixture/peer?x=hub=h`,
    ]) assert.equal((await refusal({ token: signed(server, { aud }) })).status, 401, aud);
    assert.equal((await refusal({ token: signed(server, { key: STRANGER }) })).status, 401);
    assert.equal((await refusal({ token: signed(server, { exp: now() - 3600 }) })).status, 401);
    assert.equal((await refusal({ token: null })).status, 401);
    assert.match(await (await peer({ token: signed(server, { aud: `${server.origin}/fixture/peer?target=t&hub=H#x` }) })).text(), /^open /);
    assert.match(await (await peer({ token: signed(server, { aud: ['x', `${server.origin}/fixture/peer?hub=%68`] }) })).text(), /^open /);
  });

  check('open() that fails closes; ops that lack something are a 500', when, async () => {
    const p = await peer({ query: { refuse: '1' } });
    assert.equal((await p.end()).code, 1008);
    assert.equal((await refusal({ query: { ops: '0' } })).status, 500);
    assert.equal((await refusal({ query: { selected: 'a b' } })).status, 500);
  });

  check('what is for clients only fails', when, async () => {
    const p = await peer();
    await p.text();
    p.send('forbidden');
    assert.equal(await p.text(), 'deliver EINVAL, session EINVAL, ack EINVAL, token none, join ECLOSED, event ENOTFOUND, allowed 0, hub 0');
    p.send('fail');
    assert.equal((await p.end()).code, 1002);
  });

  check('timers and posts', when, async () => {
    const p = await peer();
    await p.text();
    p.send('timer 20');
    p.send('post');
    assert.equal(await p.text(), 'posted');
    assert.equal(await p.text(), 'timer');
  });

  check('frames that come with the handshake', when, async () => {
    const raw = await server.raw();
    const request = RawSocket.request({ path: `/fixture/peer?hub=h&access_token=${signed(server)}`, host: `127.0.0.1:${server.port}`, key: KEY });
    await raw.write(Buffer.concat([Buffer.from(request), frame(TEXT, 'early'), frame(TEXT, 'bird')]));
    assert.equal((await raw.answer()).status, 101);
    assert.match((await raw.frame()).payload.toString(), /^open /);
    assert.equal((await raw.frame()).payload.toString(), 'early');
    assert.equal((await raw.frame()).payload.toString(), 'bird');
    raw.destroy();
  });

  check('its own size of a message, else that of clients', when, async () => {
    const own = await peer({ query: { max: 100000 } });
    await own.text();
    own.ws.send(Buffer.alloc(100000));
    assert.equal((await own.next()).binary.length, 100000);
    own.ws.send(Buffer.alloc(100001));
    assert.equal((await own.end()).code, 1009);
    const plain = await peer();
    await plain.text();
    plain.ws.send(Buffer.alloc(65536));
    assert.equal((await plain.next()).binary.length, 65536);
    plain.ws.send(Buffer.alloc(65537));
    assert.equal((await plain.end()).code, 1009);
  });

  check('what comes while it closes may be as large', when, async () => {
    const p = await peer({ query: { max: 200000 } });
    await p.text();
    p.ws.on('message', () => {});
    p.send('close 4000 now');
    for (let i = 0; i < 5; i++) p.ws.send(Buffer.alloc(150000));
    assert.equal((await p.end()).code, 4000);
  });

  check('pings at its interval, and its end when it is silent', when, async () => {
    const raw = await server.raw();
    const begin = Date.now();
    const answer = await raw.handshake({
      path: `/fixture/peer?hub=h&greet=0&ping=100&silence=2000&access_token=${signed(server)}`, host: `127.0.0.1:${server.port}`,
    });
    assert.equal(answer.status, 101);
    let pings = 0;
    for (;;) {
      const f = await raw.frame().catch(() => null);
      if (f === null) break;
      assert.equal(f.opcode, PING);
      pings++;
    }
    const passed = Date.now() - begin;
    assert.ok(pings >= 1, `${pings} pings`);
    assert.ok(passed >= 1990, `${passed} ms`);
    await server.logged((r) => /PingTimeout/.test(JSON.stringify(r)));
    // Who answers pings lives.
    await awake(500, async () => {
      const p = await peer({ query: { ping: 50, silence: 1500 } });
      await p.text();
      await pass(3000);
      p.send('there');
      assert.equal(await p.text(), 'there');
    });
  });

  check('held, it is not read, and silence does not count', when, async () => {
    await awake(500, async () => {
      const p = await peer({ query: { ping: 50, silence: 1500 } });
      await p.text();
      p.send('hold 3000');
      await pass(300);
      p.send('later');
      assert.equal(await p.text(), 'let go');
      assert.equal(await p.text(), 'later');
    });
  });

  check('who does not read what is sent is closed', when, async () => {
    const p = await peer({ query: { ping: 60000 } });
    await p.text();
    p.pause();
    p.send('flood 400 30000');
    await server.logged((r) => /outbound message queue is full/.test(JSON.stringify(r)));
    p.resume();
    assert.equal((await p.end()).code, 1008);
  });

  check('no place of limits.connections is taken', when, async () => {
    const peers = await Promise.all(Array.from({ length: 5 }, () => peer()));
    const clients = await Promise.all(Array.from({ length: 3 }, () => server.json({ hub: 'counted' })));
    assert.equal(await server.status({ hub: 'counted', protocols: JSON_V1 }), 429);
    for (const c of [...clients, ...peers]) await c.close(1000);
    await until(5000, 'places', async () => await server.status({ hub: 'counted', protocols: JSON_V1 }) === 101);
  });

  check('it goes: dropped, or by its close frame', when, async () => {
    const before = Number((await server.http('/fixture/peers')).body);
    const [a, b] = [await peer(), await peer()];
    assert.ok(Number((await server.http('/fixture/peers')).body) >= 2);
    await a.drop();
    assert.equal((await b.close(4001, 'mine')).code, 4001);
    await server.logged((r) => /peer closed 4001 mine/.test(JSON.stringify(r)));
    await until(5000, 'peers to go', async () => Number((await server.http('/fixture/peers')).body) <= before);
  });
});

suite('the end of the server', () => {
  for (const workers of [1, 4]) {
    check(`peers live until their plugin is drained (${workers} workers)`, when, async (t) => {
      const s = await testServer(t, config({ workers }));
      const peers = await Promise.all(Array.from({ length: 6 }, () => peerOf(s)));
      for (const p of peers) assert.match(await p.text(), /^open /);
      const clients = await Promise.all(Array.from({ length: 6 }, () => s.json({ hub: 'told' })));
      const ids = new Set(clients.map((c) => c.connectionId));
      for (const p of peers) {
        const seen = new Set();
        while (seen.size < ids.size) seen.add((await p.text()).replace('event 2 ', ''));
        assert.deepEqual(seen, ids);
      }
      const ends = [];
      for (const c of clients) c.closed.then(({ code }) => ends.push(`client ${code}`));
      for (const p of peers) p.closed.then(({ code, reason }) => ends.push(`peer ${code} ${reason}`));
      s.signal('SIGHUP'); // which is nothing to a peer
      await s.logged((r) => /reload|configuration/.test(JSON.stringify(r)), { from: 1 });
      s.signal('SIGTERM');
      for (const p of peers) {
        const seen = new Set();
        while (seen.size < ids.size) seen.add((await p.text({ what: 'the last events' })).replace('event 8 ', ''));
        assert.deepEqual(seen, ids, 'each client\'s last event reaches each peer');
        assert.deepEqual(await p.end(), { code: 1001, reason: 'drained' });
      }
      await until(5000, 'all ends', () => ends.length === 12);
      await s.exited;
      assert.deepEqual(ends.sort(), [...Array(6).fill('client 1001'), ...Array(6).fill('peer 1001 drained')]);
    });
  }

  check('a request of its own that nobody answers', when, async (t) => {
    const s = await testServer(t, config({ shutdown: { timeout: '500ms', spread: '0s' } }));
    const silent = s.http(`/fixture/dispatch?${pairs({ method: 'GET', target: '/fixture/api/silent', role: 'webpubsubd.owner' })}`, { method: 'POST', body: '' });
    await s.logged((r) => /silent/.test(JSON.stringify(r)));
    await Promise.all([s.stop({ keepClients: true }), assert.rejects(silent)]);
  });
});

/** {code, headers, body} of a request that the plugin makes. */
async function ask(method, target, {
  body = '', headers = {}, role = 'webpubsubd.owner', user = 'app', who, s = server,
} = {}) {
  const answer = await s.http(`/fixture/dispatch?${pairs({
    method, target, role, user, who, header: Object.entries(headers).map(([k, v]) => `${k}:${v}`),
  })}`, { method: 'POST', body });
  if (answer.status !== 200) return { refused: answer.body, code: answer.status };
  const [, code, head, text] = /^(\d+)\n((?:[^\n]+\n)*)\n([^]*)$/.exec(answer.body);
  return {
    code: Number(code), body: text, headers: Object.fromEntries(head.split('\n').filter(Boolean).map((l) => l.split(': '))),
  };
}

suite('http->dispatch', () => {
  check('a route sees a request as any other', when, async () => {
    const a = await ask('PATCH', '/fixture/api/a%20b?q=x%26y&z', { body: '12345', headers: { 'X-Test': 'yes it is' } });
    assert.equal(a.code, 200);
    assert.deepEqual(a.headers, { 'Content-Type': 'text/plain' });
    assert.equal(a.body, 'what=a b method=PATCH remote=peer:fixture user=app header=yes it is q=x&y purpose=2 body=5');
    const echo = await ask('POST', '/fixture/api/echo', { body: 'x'.repeat(1000), headers: { 'Content-Type': 'a/b' } });
    assert.deepEqual([echo.code, echo.body.length, echo.headers['Content-Type']], [202, 1000, 'application/x-echo']);
  });

  check('answers of all kinds, from all threads', when, async () => {
    assert.deepEqual([(await ask('GET', '/fixture/api/thread')).body, (await ask('GET', '/fixture/api/ok')).code], ['elsewhere', 204]);
    assert.equal((await ask('GET', '/fixture/api/fail')).code, 503);
    assert.equal((await ask('GET', '/fixture/api/decline')).code, 404);
    assert.equal((await ask('GET', '/fixture/api/accept')).code, 400);
    const head = await ask('HEAD', '/fixture/api/x');
    assert.deepEqual([head.code, head.body], [200, '']);
  });

  check('what the core says: 404, 405, 403, 413, 400', when, async () => {
    for (const path of ['/nowhere', '/', '/client/hubs/h', '/api/health', '/fixture/peer?hub=h', '/fixture/peers', '/fixture/dispatch']) {
      const a = await ask('GET', path);
      assert.ok(a.code === 404 || (a.code === 405 && path === '/fixture/dispatch'), `${path}: ${a.code}`);
    }
    const wrong = await ask('GET', '/fixture/scoped/x');
    assert.deepEqual([wrong.code, wrong.headers.Allow], [405, 'PUT']);
    assert.equal((await ask('PUT', '/fixture/scoped/x')).code, 200);
    assert.equal((await ask('PUT', '/fixture/scoped/x', { role: 'fixture.scope' })).code, 200);
    assert.equal((await ask('GET', '/fixture/api/x', { role: 'fixture.scope' })).code, 403);
    assert.equal((await ask('GET', '/fixture/api/x', { role: '' })).code, 403);
    const big = await ask('POST', '/fixture/api/echo', { body: 'x'.repeat(1001) });
    assert.deepEqual([big.code, big.body], [413, 'own words']);
    assert.equal((await ask('GET', '/fixture/api/%zz')).code, 400);
    await server.logged((r) => r.listener === 'internal' && Number(r.status) === 403);
  });

  check('what cannot be sent is EINVAL', when, async () => {
    const bad = [
      ['G T', '/fixture/api/x'], ['', '/fixture/api/x'], ['GET', 'fixture/api/x'], ['GET', ''],
      ['GET', '/fixture/api/x HTTP/1.1\r\nX-Evil: 1'], ['GET', '/fixture/api/x y'], ['GET', 'http://h/fixture/api/x'],
    ];
    for (const [method, target] of bad) assert.equal((await ask(method, target)).refused, 'EINVAL', `${method} ${target}`);
    for (const headers of [
      { 'X-Test': 'a\r\nX-Evil: 1' }, { 'X Test': 'a' }, { 'Content-Length': '5' }, { Host: 'h' }, { 'transfer-encoding': 'chunked' },
      { Expect: '100-continue' }, { Upgrade: 'websocket' }, { Connection: 'close' },
    ]) assert.equal((await ask('GET', '/fixture/api/x', { headers })).refused, 'EINVAL', JSON.stringify(headers));
    assert.equal((await ask('GET', '/fixture/api/x', { who: '0' })).refused, 'EINVAL');
  });

  check('a hundred at once, on all workers', when, async (t) => {
    const s = await testServer(t, config({ workers: 4 }));
    const all = await Promise.all(Array.from({ length: 100 }, (_, i) => ask('POST', `/fixture/api/${i % 2 ? 'thread' : 'echo'}`, { body: `${i}`, s })));
    all.forEach((a, i) => assert.equal(a.body, i % 2 ? 'elsewhere' : `${i}`));
  });
});
