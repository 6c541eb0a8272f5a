// SPDX-License-Identifier: Apache-2.0
// webpubsubctl with a running server.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { check, suite } from './lib/cases.mjs';
import { Server, TOOL, plugin, suiteServer } from './lib/server.mjs';
import { within } from './lib/time.mjs';
import { PRIMARY, remember } from './lib/token.mjs';
import { Client, JSON_V1 } from './lib/wsclient.mjs';

const server = suiteServer({ tls: false });
const tool = (args, options) => Server.run(args, { command: TOOL, ...options });
const connection = () => `Endpoint=http://127.0.0.1:${server.port};AccessKey=${PRIMARY};Version=1.0;`;

suite('webpubsubctl', () => {
  check('token prints a token and a URL that work', async () => {
    const { code, out, err } = await tool(['token', '--connection', connection(), '--hub', 'chat', '--user', 'ann', '--role', 'webpubsub.sendToGroup', '--role', 'webpubsub.joinLeaveGroup.x', '--group', 'lobby', '--ttl', '10m']);
    assert.equal(code, 0, err);
    const token = /(eyJ[\w-]+\.[\w-]+\.[\w-]+)/.exec(out)[1];
    remember(token);
    const url = /(wss?:\/\/\S+)/.exec(out)[1];
    assert.ok(url.includes('access_token='));
    const c = await Client.open(url, { protocols: JSON_V1 });
    assert.equal((await c.json()).userId, 'ann');
    await c.join('x');
    await c.publish('lobby', 1);
    assert.equal((await c.json()).data, 1);
    await c.drop();
    assert.equal(await server.status({ token }), 101);
  });

  check('tail shows what send sends', async () => {
    const tail = spawn(TOOL, ['tail', '--connection', connection(), 'chat', 'news'], { stdio: ['ignore', 'pipe', 'pipe'] });
    let out = '';
    const exited = new Promise((resolve) => tail.on('close', resolve));
    try {
      const seen = new Promise((resolve) => tail.stdout.on('data', (d) => { out += d; if (/hello from send/.test(out)) resolve(); }));
      let said = '';
      await within(15000, () => `tail to listen; ${said}`, new Promise((resolve) => tail.stderr.on('data', (d) => { said += d; if (/^listening$/m.test(said)) resolve(); })));
      const { code, err } = await tool(['send', '--connection', connection(), 'chat', 'news', 'hello from send']);
      assert.equal(code, 0, err);
      await within(15000, () => `a line of tail; ${out}`, seen);
    } finally { tail.kill('SIGTERM'); await within(5000, 'end of tail', exited); }
  });

  check('plugin-info says what a file is', async () => {
    const { code, out, err } = await tool(['plugin-info', plugin('subprotocol-json')]);
    assert.equal(code, 0, err);
    assert.match(out, /subprotocol-json/);
    const file = join(server.folder, 'no-plugin.so');
    writeFileSync(file, 'no plugin');
    const wrong = await tool(['plugin-info', file]);
    assert.notEqual(wrong.code, 0);
    assert.match(wrong.err, /no-plugin\.so/);
  });

  check('misuse is told with the usage', async () => {
    for (const [args, words] of [[[], /usage/], [['nonsense'], /usage/], [['token', '--nonsense'], /--nonsense/], [['send'], /usage/]]) {
      const { code, err } = await tool(args);
      assert.notEqual(code, 0);
      assert.match(err, words);
    }
    assert.equal((await tool(['--help'])).code, 0);
    assert.equal((await tool(['--version'])).code, 0);
  });
});
