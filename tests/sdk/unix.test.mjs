// SPDX-License-Identifier: Apache-2.0
// Listening on a unix socket.
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { check } from './lib/cases.mjs';
import { testServer } from './lib/server.mjs';
import { token } from './lib/token.mjs';

check('a unix socket serves clients, is replaced when stale, and goes away', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'webpubsubd-unix-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, 'http.sock');
  const stale = net.createServer().listen(path);
  await new Promise((resolve) => stale.once('listening', resolve));
  stale.unref();
  const config = { listen: [{ address: '127.0.0.1:0' }, { address: `unix:${path}` }], endpoints: ['http://pubsub.example.com'], workers: 3 };
  const s = await testServer(t, { ...config, listen: [config.listen[0], { address: `unix:${path}2` }] });
  assert.ok(existsSync(`${path}2`));
  const a = await s.json({ groups: ['u'] });
  for (let i = 0; i < 12; i++) {
    const b = await s.json({
      socket: net.connect(`${path}2`), wsOrigin: 'ws://localhost', token: token({ origin: 'http://pubsub.example.com', roles: ['webpubsub.sendToGroup'] }),
    });
    await b.publish('u', i);
    assert.equal((await a.json()).data, i);
  }
  await s.stop();
  assert.equal(existsSync(`${path}2`), false);
  stale.close();
});
