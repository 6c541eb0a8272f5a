// SPDX-License-Identifier: Apache-2.0
// Starting with a wrong configuration of each kind shows the message a person
// needs, with its place.
import assert from 'node:assert/strict';
import {
  chmodSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync,
} from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { check, suite } from './lib/cases.mjs';
import * as certs from './lib/certs.mjs';
import {
  SOURCE, Server, configuration, fixture, hasFixture, plugin, testServer,
} from './lib/server.mjs';
import { EMULATOR_KEY, PRIMARY } from './lib/token.mjs';

const folder = mkdtempSync(join(tmpdir(), 'webpubsubd-conf-'));
after(() => rmSync(folder, { recursive: true, force: true }));
let files = 0;

const GOOD = `listen:
  - address: 127.0.0.1:0
access_keys: [ "${PRIMARY}" ]
plugins:
  subprotocol-json: {}
  auth-jwt: {}
hubs:
  "*":
    anonymous: deny
`;

/** Check `yaml` with -t: {code, err, file}. */
async function test(yaml, { args = [], env } = {}) {
  const file = join(folder, `c${files++}.yaml`);
  writeFileSync(file, yaml, { mode: 0o600 });
  return { file, ...await Server.run(['-t', '-c', file, ...args], { env, cwd: folder }) };
}

/** It must be refused, at line:column of its file, in these words. */
async function wrong(yaml, place, ...words) {
  const { code, err, file } = await test(yaml);
  assert.notEqual(code, 0, `accepted: ${yaml}`);
  const at = place ? `${file}:${place}:` : '';
  const line = err.split('\n').find((l) => l.includes(at) && words.every((w) => (w instanceof RegExp ? w.test(l) : l.includes(w))));
  assert.ok(line, `wanted "${at}" with ${words.join(', ')}; got ${err}`);
  assert.ok(!err.includes(PRIMARY), 'a key in the message');
}

const without = (text, ...rest) => rest.reduce((t, [from, to]) => {
  assert.ok(t.includes(from), from);
  return t.replace(from, to);
}, text);

suite('configuration', () => {
  check('the good one passes', async () => {
    const { code, err } = await test(GOOD);
    assert.equal(code, 0, err);
  });

  check('the sample passes -t as shipped and with every block on', async () => {
    const sample = readFileSync(join(SOURCE, 'etc/webpubsubd.yaml'), 'utf8');
    // What it names by file: and under /etc need not exist here.
    const usable = (text) => text
      .replaceAll(/file:\/[^\s"',\]]+/g, PRIMARY).replaceAll(/env:[A-Z_]+/g, `${PRIMARY}-second`)
      .replaceAll(/\/etc\/[^\s"',}]*(fullchain|cert)[^\s"',}]*\.pem/g, certs.file('server.pem'))
      .replaceAll(/\/etc\/[^\s"',}]*(privkey|key)[^\s"',}]*\.pem/g, certs.file('server.key'))
      .replaceAll(/\/etc\/[^\s"',}]*\.pem/g, certs.file('ca.pem'));
    const shipped = await test(usable(sample));
    assert.equal(shipped.code, 0, shipped.err);
    // A single sign is a block that is switched off, two are a remark.
    const on = sample.replaceAll(/^(\s*)#(?!#) ?/gm, '$1');
    assert.notEqual(on, sample);
    const all = await test(usable(on));
    assert.equal(all.code, 0, `${all.err}\n${on}`);
  });

  check('unknown keys, with the nearest known one', async () => {
    await wrong(without(GOOD, ['listen:', 'listn:']), '1:1', 'listn', '"listen"'.replaceAll('"', ''));
    await wrong(without(GOOD, ['    anonymous', '    anonimous']), '9:5', 'anonimous', 'anonymous');
    await wrong(`${GOOD}limits: { mesage_size: 1m }\n`, '10:11', 'mesage_size', 'message_size');
    await wrong(`${GOOD}websocket:\n  ping_intervall: 20s\n`, '11:3', 'ping_intervall', 'ping_interval');
    await wrong(without(GOOD, ['address', 'adress']), '2:5', 'adress', 'address');
    await wrong(without(GOOD, ['auth-jwt: {}', 'auth-jwt: { clock_skw: 1m }']), '6:15', 'clock_skw', 'clock_skew');
    await wrong(without(GOOD, ['subprotocol-json: {}', 'subprotocol-json: { zzzzzz: 1 }']), '5:23', 'zzzzzz');
  });

  check('values of the wrong type or out of range', async () => {
    await wrong(`${GOOD}limits: { message_size: big }\n`, '10:25', 'message_size', /size|64k|1m/);
    await wrong(`${GOOD}limits: { message_size: 1tb }\n`, '10:25', 'message_size');
    await wrong(`${GOOD}limits: { connections: many }\n`, '10:24', 'connections', /number|integer/);
    await wrong(`${GOOD}limits: { connections: 0 }\n`, '10:24', 'connections');
    await wrong(`${GOOD}limits: { connections: -5 }\n`, '10:24', 'connections');
    await wrong(`${GOOD}limits: { connections: 1.5 }\n`, '10:24', 'connections');
    await wrong(`${GOOD}limits: [ 1 ]\n`, '10:9', 'limits');
    await wrong(`${GOOD}limits: 5\n`, '10:9', 'limits');
    await wrong(`${GOOD}websocket: { ping_interval: 20 }\n`, '10:29', 'ping_interval', /ms|duration|unit/);
    await wrong(`${GOOD}websocket: { ping_interval: 20x }\n`, '10:29', 'ping_interval');
    await wrong(`${GOOD}websocket: { ping_interval: 5m }\n`, '10:29', 'ping_interval');
    await wrong(`${GOOD}websocket: { ping_interval: 0s }\n`, '10:29', 'ping_interval');
    await wrong(`${GOOD}log: { level: loud }\n`, '10:15', 'level', 'debug');
    await wrong(`${GOOD}workers: 0\n`, '10:10', 'workers');
    await wrong(`${GOOD}workers: 65\n`, '10:10', 'workers', '64');
    await wrong(`${GOOD}workers: some\n`, '10:10', 'workers', 'auto');
    await wrong(without(GOOD, ['anonymous: deny', 'anonymous: maybe']), '9:16', 'anonymous', 'deny', 'allow');
  });

  check('what YAML allows and we do not', async () => {
    await wrong(`${GOOD}workers: 1\nworkers: 2\n`, '11:1', 'workers', /twice|duplicate|already/);
    await wrong(`${GOOD}log: &a { level: info }\n`, '10:6', /anchor/);
    await wrong(`${GOOD}endpoints: [ *a ]\n`, '10:14', /alias/);
    await wrong(`${GOOD}workers: !!int 1\n`, '10:10', /tag/);
    await wrong(`${GOOD}---\nworkers: 1\n`, '10', /document/);
    await wrong(`${GOOD}workers: [ 1\n`, '11');
    await wrong(`${GOOD}\tworkers: 1\n`, '10');
    await wrong('- a\n- b\n', '1:1');
    await wrong('just text\n', '1:1');
    await wrong(`${GOOD}workers: ${'['.repeat(100)}${']'.repeat(100)}\n`, '10');
    await wrong(Buffer.concat([Buffer.from(`${GOOD}workers: `), Buffer.from([0xff, 0x0a])]), '', /UTF-8|unicode|octet/i);
  });

  check('all faults at once, in the order of the file', async () => {
    const { code, err, file } = await test(without(GOOD, ['anonymous: deny', 'anonymous: maybe'], ['listen:', 'listn:']) + 'workers: some\nlog: { level: loud }\n');
    assert.notEqual(code, 0);
    const places = [...err.matchAll(new RegExp(`${file}:(\\d+):`, 'g'))].map((m) => Number(m[1]));
    assert.deepEqual([...new Set(places)], [1, 9, 10, 11]);
  });

  check('access keys: too short, missing files, the emulator key on a public listener', async () => {
    const key = (k) => without(GOOD, [PRIMARY, k]);
    await wrong(key('short'), '3:16', 'access_keys', '32');
    await wrong(key(`file:${folder}/nothing.key`), '3:16', `${folder}/nothing.key`, /No such file/);
    await wrong(key('env:SDK_TEST_NOT_SET'), '3:16', 'SDK_TEST_NOT_SET');
    const open = join(folder, 'open.key');
    writeFileSync(open, PRIMARY);
    chmodSync(open, 0o644);
    await wrong(key(`file:${open}`), '3:16', 'open.key', /read|mode|permission/);
    chmodSync(open, 0o600);
    assert.equal((await test(key(`file:${open}`))).code, 0);
    writeFileSync(join(folder, 'empty.key'), '\n', { mode: 0o600 });
    await wrong(key(`file:${folder}/empty.key`), '3:16', 'access_keys', /32|empty/);
    assert.equal((await test(key('env:SDK_TEST_KEY'), { env: { SDK_TEST_KEY: PRIMARY } })).code, 0);
    assert.equal((await test(key(EMULATOR_KEY))).code, 0, 'on loopback it may be used');
    const open2 = without(key(EMULATOR_KEY), ['127.0.0.1:0', '0.0.0.0:0']);
    await wrong(open2, '3:14', /loopback/);
    await wrong(without(open2, ['  - address: 0.0.0.0:0', '  - address: 127.0.0.1:0\n  - address: "[::]:0"']), '4:14', /loopback/);
  });

  check('plugins: missing, world-writable, of another major, not one, of a wrong name', async () => {
    const block = (b) => without(GOOD, ['  auth-jwt: {}', `  auth-jwt: {}\n  ${b}`]);
    await wrong(block('subprotocol-jsn: {}'), '7:3', 'subprotocol-jsn', 'subprotocol-json');
    await wrong(block('subprotocol-zzzzzzzzzz: {}'), '7:3', 'subprotocol-zzzzzzzzzz');
    await wrong(block(`subprotocol-mine: { path: ${folder}/none.so }`), '7', `${folder}/none.so`);
    await wrong(block('subprotocol-mine: { path: relative.so }'), '7');
    const copy = join(folder, 'writable.so');
    copyFileSync(plugin('subprotocol-simple'), copy);
    chmodSync(copy, 0o777);
    await wrong(block(`subprotocol-simple: { path: ${copy} }`), '7', 'writable.so', /writ/);
    const text = join(folder, 'text.so');
    writeFileSync(text, 'this is no shared object', { mode: 0o644 });
    await wrong(block(`subprotocol-text: { path: ${text} }`), '7', 'text.so');
    mkdirSync(join(folder, 'dir.so'));
    await wrong(block(`subprotocol-dir: { path: ${folder}/dir.so }`), '7', 'dir.so');
    const libc = '/lib/x86_64-linux-gnu/libm.so.6';
    const other = join(folder, 'libm.so');
    try { copyFileSync(libc, other); chmodSync(other, 0o644); await wrong(block(`subprotocol-math: { path: ${other} }`), '7', 'libm.so', /webpubsub_plugin_v1|plugin/); } catch (e) { if (e.code !== 'ENOENT') throw e; }
    assert.equal((await test(block(`subprotocol-simple: { path: ${plugin('subprotocol-simple')} }`))).code, 0);
    for (const [name, words] of [['bad-major', /major|version|ABI/i], ['bad-check', /./]]) {
      if (hasFixture(name)) await wrong(block(`${name}: { path: ${fixture(name)} }`), '7', name, words);
    }
  });

  check('hubs: bad names, handlers whose scheme nobody takes', async () => {
    await wrong(without(GOOD, ['"*":', '1abc:']), '8:3', '1abc');
    await wrong(without(GOOD, ['"*":', 'a-b:']), '8:3', 'a-b');
    await wrong(`${GOOD}    event_handlers:\n      - url: "gopher://x/{event}"\n        user_events: "*"\n`, '11', 'gopher');
    await wrong(`${GOOD}    event_handlers:\n      - user_events: "*"\n`, '11', 'url');
    await wrong(`${GOOD}    event_handlers:\n      - url: "nonsense"\n`, '11', 'url');
    await wrong(without(GOOD, ['hubs:', 'hubs: []\nx:']), '', 'hubs');
  });

  check('S-5 hub name `1chat` is refused; `Chat` and `chat` are one hub', async () => {
    await wrong(without(GOOD, ['"*":', '1chat:']), '8:3', '1chat');
    await wrong(`${without(GOOD, ['"*":', 'chat:'])}  Chat: {}\n`, '10:3', 'Chat', 'twice');
    for (const name of ['a`b', 'a,b.c', 'a[1]', 'x'.repeat(128)]) {
      const { code, err } = await test(without(GOOD, ['"*":', `"${name}":`]));
      assert.equal(code, 0, err);
    }
    await wrong(without(GOOD, ['"*":', `${'x'.repeat(129)}:`]), '8:3');
  });

  const webhook = (handler, hub = '"*"') => without(GOOD, ['  auth-jwt: {}', '  auth-jwt: {}\n  upstream-webhook: {}'], ['"*":', `${hub}:`], ['    anonymous: deny\n', `    event_handlers:\n      - ${handler}\n`]);

  check('S-6 a handler is looked at by its plugin, also one of all hubs', async () => {
    for (const hub of ['"*"', 'chat']) {
      assert.equal((await test(webhook('{ url: "http://h.example/{hub}/{event}?code=x", user_events: "*" }', hub))).code, 0);
      await wrong(webhook('{ url: "http://{hub}.example/", user_events: "*" }', hub), '11:16', 'url', /host/);
      await wrong(webhook('{ url: "http://h.example/{nonsense}" }', hub), '11:16', 'url');
      await wrong(webhook('{ url: "http://h.example/", auth: { type: bearer } }', hub), '11', /token/);
    }
  });

  check('keys of an upstream stand beside those of the core', async () => {
    assert.equal((await test(webhook('{ url: "http://h.example/", timeout: 5s, event_retry_delays: [], auth: { type: none } }'))).code, 0);
    await wrong(webhook('{ url: "http://h.example/", event_retry_delays: [ 1s, x ] }'), '11:63', 'event_retry_delays', 'duration');
    await wrong(webhook('{ url: "http://h.example/", timeuot: 5s }'), '11:37', 'timeuot', 'timeout');
    await wrong(webhook('{ url: "http://h.example/", system_events: [ conect ] }'), '11:54', 'conect', 'connect');
    await wrong(webhook('{ url: "http://h.example/", auth: { tipe: none } }'), '11:45', 'tipe', 'type');
  });

  check('names of the resource manager are told by ours', async () => {
    const url = 'url: "http://h.example/"';
    for (const [theirs, value, ours] of [
      ['urlTemplate', 'x', 'url'], ['userEventPattern', '"*"', 'user_events'], ['systemEvents', '[ connect ]', 'system_events'],
    ]) await wrong(webhook(`{ ${url}, ${theirs}: ${value} }`), '11:37', theirs, `\`${ours}\``);
    for (const [theirs, value, ours] of [
      ['anonymousConnectPolicy', 'allow', 'anonymous'], ['eventHandlers', '[]', 'event_handlers'],
      ['webSocketKeepAliveIntervalInSeconds', '20', 'ping_interval'],
    ]) await wrong(`${GOOD}    ${theirs}: ${value}\n`, '10:5', theirs, `\`${ours}\``);
    await wrong(webhook(`{ ${url}, auth: { type: ManagedIdentity } }`), '11:51', 'ManagedIdentity', /Azure/);
    await wrong(webhook(`{ ${url}, auth: { managedIdentity: { resource: x } } }`), '11:45', 'managedIdentity', /Azure/);
  });

  check('S-7 event listeners are not there yet, and are said to be so', async () => {
    for (const name of ['event_listeners', 'eventListeners']) {
      await wrong(`${GOOD}    ${name}: [ { systemEvents: [ connect ] } ]\n`, '10:5', name, /this version has no event listeners/);
    }
    await wrong(webhook('{ url: "http://h.example/", groupPresenceEvents: {} }'), '11:37', 'groupPresenceEvents', '`presence_events`');
  });

  check('secrets in a URL: no key vault; files and the environment', async () => {
    const secret = 'a-code-that-nobody-else-knows';
    const file = join(folder, 'code');
    writeFileSync(file, `${secret}\n`, { mode: 0o600 });
    const at = (code) => webhook(`{ url: "http://h.example/{event}?code=${code}" }`);
    await wrong(at('{@Microsoft.KeyVault(SecretUri=https://v.example/x)}'), '11:16', 'url', '${file:PATH}', '${env:NAME}');
    assert.equal((await test(at(`\${file:${file}}`))).code, 0);
    assert.equal((await test(at('${env:SDK_TEST_CODE}'), { env: { SDK_TEST_CODE: secret } })).code, 0);
    await wrong(at('${env:SDK_TEST_NOT_SET}'), '11:16', 'url', 'SDK_TEST_NOT_SET');
    await wrong(at(`\${file:${file}.none}`), '11:16', 'url', 'code.none');
    chmodSync(file, 0o644);
    await wrong(at(`\${file:${file}}`), '11:16', 'url', /read|mode|permission/);
    // What is wrong with it is told without it.
    const bad = await test(at('${env:SDK_TEST_CODE}/{x}'), { env: { SDK_TEST_CODE: `${secret}{nonsense}` } });
    assert.ok(!bad.err.includes(secret), bad.err);
    // The scheme chooses the plugin before that.
    await wrong(webhook('{ url: "${env:SDK_TEST_CODE}" }'), '11:16', 'url', /plugin/);
  });

  check('addresses and TLS files', async () => {
    const address = (a) => without(GOOD, ['127.0.0.1:0', `"${a}"`]);
    for (const a of ['nonsense', '127.0.0.1', '127.0.0.1:99999', '127.0.0.1:http', ':80:80', 'unix:', '300.1.1.1:80']) {
      const { code, err } = await test(address(a));
      assert.notEqual(code, 0, a);
      assert.match(err, /:2:14: /, a);
    }
    const tls = (block) => without(GOOD, ['  - address: 127.0.0.1:0', `  - address: 127.0.0.1:0\n    tls: ${block}`]);
    const good = `certificate: ${certs.file('server.pem')}, key: ${certs.file('server.key')}`;
    assert.equal((await test(tls(`{ ${good} }`))).code, 0);
    await wrong(tls(`{ certificate: /nothing.pem, key: ${certs.file('server.key')} }`), '3', '/nothing.pem');
    await wrong(tls(`{ certificate: ${certs.file('server.pem')} }`), '3', 'key');
    await wrong(tls(`{ certificate: ${certs.file('server.pem')}, key: ${certs.file('client.key')} }`), '3', /match|belong|key/);
    await wrong(tls(`{ certificate: ${certs.file('server.key')}, key: ${certs.file('server.key')} }`), '3', 'server.key');
    await wrong(tls(`{ ${good}, client_ca: /nothing.pem }`), '3', '/nothing.pem');
    await wrong(tls(`{ ${good}, client_certificate: sometimes }`), '3', 'client_certificate', 'required');
  });

  check('a port in use, an address that is not ours: a sentence, no start', async () => {
    const taken = net.createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => taken.once('listening', resolve));
    const { port } = taken.address();
    for (const [address, words] of [[`127.0.0.1:${port}`, /in use/], ['203.0.113.7:0', /assign|address/]]) {
      const file = join(folder, `c${files++}.yaml`);
      writeFileSync(file, without(GOOD, ['127.0.0.1:0', address]), { mode: 0o600 });
      const { code, err, out } = await Server.run(['-c', file]);
      assert.notEqual(code, 0);
      assert.match(err, words);
      assert.ok(err.includes(address.replace(/:0$/, '')), err);
      assert.doesNotMatch(out, /^ready/m);
    }
    taken.close();
  });

  check('-t opens no port', async () => {
    const taken = net.createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => taken.once('listening', resolve));
    const { code, err } = await test(without(GOOD, ['127.0.0.1:0', `127.0.0.1:${taken.address().port}`]));
    assert.equal(code, 0, err);
    taken.close();
  });

  check('no file, a folder, an unreadable path', async () => {
    for (const path of [join(folder, 'missing.yaml'), folder]) {
      const { code, err } = await Server.run(['-c', path]);
      assert.notEqual(code, 0);
      assert.ok(err.includes(path), err);
    }
  });

  check('command line: unknown options are told, --help and --version work', async () => {
    for (const args of [['--nonsense'], ['-x'], ['-c'], ['--port', 'x', '--dev'], ['--set', 'nonsense', '--dev', '-t'], ['more', 'words']]) {
      const { code, err } = await Server.run(args);
      assert.notEqual(code, 0, args.join(' '));
      assert.ok(err.length > 10);
    }
    for (const args of [['--help'], ['--version']]) {
      const { code, out } = await Server.run(args);
      assert.equal(code, 0);
      assert.ok(out.length > 5);
    }
  });

  check('--set and the environment override the file, and are named in faults', async (t) => {
    const set = await test(GOOD, { args: ['--set', 'log.level=loud'] });
    assert.notEqual(set.code, 0);
    assert.match(set.err, /--set log\.level/);
    const env = await test(GOOD, { env: { WEBPUBSUBD_LOG__LEVEL: 'loud' } });
    assert.notEqual(env.code, 0);
    assert.match(env.err, /WEBPUBSUBD_LOG__LEVEL/);
    assert.equal((await test(GOOD, { env: { WEBPUBSUBD_LOG__LEVEL: 'warn' }, args: ['--set', 'workers=3'] })).code, 0);
    const s = await testServer(t, {}, { env: { WEBPUBSUBD_HUBS__CHAT__ANONYMOUS: 'allow' }, args: ['--set', 'hubs.other.anonymous=allow'] });
    assert.equal(await s.status({ token: null, hub: 'chat' }), 101);
    assert.equal(await s.status({ token: null, hub: 'other' }), 101);
    assert.equal(await s.status({ token: null, hub: 'third' }), 401);
  });

  check('--print-defaults is a configuration that passes', async () => {
    const { code, out, err } = await Server.run(['--print-defaults']);
    assert.equal(code, 0, err);
    assert.match(out, /message_size: *"?1m/);
    assert.match(out, /ping_interval: *"?20s/);
  });

  check('hubs that are not named are refused where "*" is left out', async (t) => {
    const s = await testServer(t, { hubs: { chat: { anonymous: 'allow' } } });
    assert.equal(await s.status({ hub: 'chat', token: null }), 101);
    const refusal = await s.refused({ hub: 'other' });
    assert.ok([400, 403, 404].includes(refusal.status), String(refusal.status));
  });

  check('JSON is a configuration as well', async () => {
    const { code, err } = await test(JSON.stringify(configuration({ tls: false })));
    assert.equal(code, 0, err);
  });
});
