// SPDX-License-Identifier: Apache-2.0
// One record for every refusal and every close; nothing of a peer forges one,
// and no secret is in any (every server of the suite is held to that).
import assert from 'node:assert/strict';
import { check, suite } from './lib/cases.mjs';
import { controlled, control, hasControl } from './lib/control.mjs';
import { PING, TEXT, frame } from './lib/rawsocket.mjs';
import { testServer } from './lib/server.mjs';
import { JSON_V1 } from './lib/wsclient.mjs';

const server = controlled();
const about = (c, code) => server.logged((r) => r.connection === c.connectionId && r.code === String(code) && r.msg !== 'client connected',
  { what: `a record of ${c.connectionId} with ${code}` });

suite('logs', () => {
  check('a close has hub, connection, user, code, reason, cause', async () => {
    const open = () => server.json({ hub: 'logged', user: 'ann' });
    const whole = (r) => {
      for (const key of ['time', 'level', 'thread', 'msg', 'hub', 'connection', 'user', 'remote', 'code', 'reason', 'cause']) {
        assert.ok(r[key], `${key} in ${JSON.stringify(r)}`);
      }
      assert.deepEqual([r.hub, r.user], ['logged', 'ann']);
      assert.match(r.time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    };
    const own = await open();
    await own.close(4001, 'bye');
    const record = await about(own, 4001);
    whole(record);
    assert.equal(record.reason, 'bye');
    const bad = await open();
    bad.send('nonsense');
    await bad.end();
    whole(await about(bad, 1007));
    const framing = await open();
    framing.ws._socket.write(Buffer.from([0xf1, 0x80, 0, 0, 0, 0]));
    await framing.end();
    whole(await about(framing, 1002));
    const cut = await open();
    await cut.drop();
    whole(await about(cut, 1006));
    if (hasControl) {
      const kicked = await open();
      await control.close(server, 'logged', { conn: kicked.connectionId }, { reason: 'kicked' });
      await kicked.end();
      whole(await about(kicked, 1000));
    }
  });

  check('a refusal has remote, method, path, status, cause', async () => {
    const from = server.lines.length;
    await server.refused({ hub: 'nope', token: null });
    const record = await server.logged((r) => r.status === '401' && r.target?.startsWith('/client/hubs/nope'), { from, what: 'the 401' });
    for (const key of ['remote', 'method', 'target', 'cause']) assert.ok(record[key], key);
    await server.http('/not-there?access_token=abc');
    const other = await server.logged((r) => r.status === '404' && r.target?.startsWith('/not-there'), { from, what: 'the 404' });
    assert.ok(!other.target.includes('abc'), 'the value of access_token is hidden');
  });

  check('a refused recovery is logged, without its token', async () => {
    const c = await server.reliable();
    const from = server.lines.length;
    const again = await server.recover(c, { token: `${c.reconnectionToken}x` });
    await again.end();
    const record = await server.logged((r) => r.msg === 'recovery refused' && r.connection === c.connectionId, { from, what: 'a record of the refusal' });
    for (const key of ['hub', 'remote', 'code', 'reason', 'cause']) assert.ok(record[key], key);
    assert.ok(!server.err.includes(c.reconnectionToken));
  });

  check('after a resume the records name the socket in use', async () => {
    const c = await server.reliable();
    const from = server.lines.length;
    await c.drop();
    const again = await server.recovered(c);
    const port = `:${again.ws._socket.localPort}`;
    const resumed = await server.logged((r) => r.msg === 'session resumed' && r.connection === c.connectionId, { from, what: 'a record of the resume' });
    assert.ok(resumed.remote.endsWith(port), resumed.remote);
    await again.close(1000);
    const last = await server.logged((r) => r.cause === 'client' && r.connection === c.connectionId, { from, what: 'a record of the end' });
    assert.ok(last.remote.endsWith(port), last.remote);
  });

  for (const format of ['json', 'text']) {
    check(`what a peer sends forges no line (${format})`, async (t) => {
      const s = await testServer(t, { log: { level: 'debug', format }, hubs: { '*': { anonymous: 'allow' } } });
      const nasty = 'x" level=error\nFORGED 1\r\nFORGED 2 {"level":"error"} \u2028FORGED \u001b[31m\u007f\u0085';
      const c = await s.json({ user: nasty, groups: [nasty] });
      await c.join(nasty);
      await c.close(4000, 'r"\nFORGED 3');
      const raw = await s.raw();
      await raw.write('GET /x?a=%0aFORGED%204 HTTP/1.1\r\nHost: x\r\nUser-Agent: "\\\r\n\r\n');
      await raw.answer();
      await raw.write('\x1b[31m\x00\r\n\r\n');
      await raw.answer();
      const url = new URL(s.url());
      const framed = await s.raw();
      await framed.handshake({ path: url.pathname + url.search, host: url.host, protocols: `${JSON_V1}, x` });
      await framed.write(Buffer.concat([frame(PING, '\nFORGED 5'), frame(TEXT, '{"type":"\\nFORGED 6"}')]));
      await framed.closing();
      framed.destroy();
      await s.stop();
      for (const line of s.err.split('\n').filter(Boolean)) {
        assert.doesNotMatch(line, /^\s*FORGED/);
        assert.doesNotMatch(line, /[\u0000-\u0008\u000b-\u001f\u007f\u0085\u2028]/);
        if (format === 'json') JSON.parse(line);
        else assert.match(line, /^\d{4}-\d\d-\d\dT\S+Z level=(info|debug) component=/);
      }
    });
  }

  check('levels: warn shows no connects, debug more than info', async (t) => {
    const quiet = await testServer(t, { log: { level: 'warn', format: 'json' } });
    await quiet.json();
    await quiet.stop();
    assert.doesNotMatch(quiet.err, /client connected/);
    const info = await testServer(t, { log: { level: 'info', format: 'json' } });
    await info.json();
    await info.stop();
    assert.match(info.err, /client connected/);
  });
});
