// SPDX-License-Identifier: Apache-2.0
// doc/samples/chat as its README starts it, used by two people with a browser.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import {
  copyFileSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { check } from './lib/cases.mjs';
import { Browser, skipWithout } from './lib/chromium.mjs';
import { Proxy } from './lib/proxy.mjs';
import { SOURCE, testServer } from './lib/server.mjs';
import { within } from './lib/time.mjs';

const SAMPLE = join(SOURCE, 'doc/samples/chat');
const HERE = join(SOURCE, 'tests/sdk');
const MODULES = join(process.env.SDK_MODULES ?? HERE, 'node_modules');
const read = (...path) => readFileSync(join(...path), 'utf8');

/** The argument of --set that the README gives, for an application elsewhere. */
function handlerSetting(port) {
  const set = /--set '(hubs\.chat\.event_handlers=[^']*)'/.exec(read(SAMPLE, 'README.md'))?.[1];
  assert.ok(set, 'README.md has no --set with an event handler');
  assert.match(set, /127\.0\.0\.1:3000/);
  return set.replace('127.0.0.1:3000', `127.0.0.1:${port}`);
}

/** The application, in a copy that finds the packages of the tests. */
async function application(t, connection) {
  const folder = mkdtempSync(join(tmpdir(), 'webpubsubd-chat-'));
  mkdirSync(join(folder, 'public'));
  for (const path of ['package.json', 'server.mjs', ...readdirSync(join(SAMPLE, 'public')).map((name) => join('public', name))]) {
    copyFileSync(join(SAMPLE, path), join(folder, path));
  }
  symlinkSync(MODULES, join(folder, 'node_modules'));
  const child = spawn(process.execPath, ['server.mjs'], {
    cwd: folder,
    env: { ...process.env, PORT: '0', WebPubSubConnectionString: connection },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const app = { child, err: '' };
  const exited = new Promise((done) => { child.on('error', done); child.on('close', done); });
  t.after(async () => {
    child.kill('SIGKILL');
    await exited;
    rmSync(folder, { recursive: true, force: true });
  });
  child.stderr.setEncoding('utf8').on('data', (piece) => { app.err += piece; });
  let out = '';
  app.port = await within(20000, () => `the application's ready line: ${out}${app.err}`, new Promise((done, fail) => {
    child.stdout.setEncoding('utf8').on('data', (piece) => {
      out += piece;
      const ready = /^chat: +http:\/\/localhost:(\d+)\/$/m.exec(out);
      if (ready) done(Number(ready[1]));
    });
    exited.then(() => fail(new Error(`the application ended: ${out}${app.err}`)));
  }));
  return app;
}

/** Daemon and application, each of which wants to know the other's port: the
 * daemon is told a line's, which leads to the application once that is there. */
async function sample(t) {
  const line = await Proxy.start(9);
  // It is stopped first, while there is still somebody to be told.
  const daemon = await testServer(t, {}, { dev: true, args: ['--set', handlerSetting(line.port)] });
  t.after(() => line.stop());
  const app = await application(t, daemon.ready);
  line.target.port = app.port;
  return { daemon, app, url: `http://localhost:${app.port}/` };
}

const SHOWN = "[...document.querySelectorAll('#log li')].map((li) => li.textContent)";
const shows = (window, text) => window.until(`${SHOWN}.includes(${JSON.stringify(text)})`, { what: `"${text}"` });

async function enter(window, name) {
  await window.type('#name', name);
  await window.enter();
  await shows(window, `You are in as ${name}`);
}

async function say(window, text) {
  await window.type('#text', text);
  await window.enter();
}

check('the sample has the versions that the tests have', () => {
  const ours = JSON.parse(read(SAMPLE, 'package.json')).dependencies;
  const theirs = JSON.parse(read(HERE, 'package.json')).devDependencies;
  for (const [name, version] of Object.entries(ours)) assert.equal(version, theirs[name], name);
  const locked = JSON.parse(read(SAMPLE, 'package-lock.json')).packages;
  for (const [name, version] of Object.entries(ours)) assert.equal(locked[`node_modules/${name}`].version, version, name);
  assert.deepEqual(locked[''].dependencies, ours);
  assert.doesNotMatch(read(SAMPLE, 'package-lock.json'), /"resolved"/);
});

check('two windows see each other\'s message', { skip: skipWithout(), timeout: 90000 }, async (t) => {
  const { app, url } = await sample(t);
  const browser = await Browser.start(t);
  const ada = await browser.window(url);
  const zoe = await browser.window(url);
  assert.equal(await ada.evaluate("document.getElementById('say').checkVisibility()"), false);

  // Beyond Latin-1 and with signs of HTML, which a name may have.
  const name = 'Zoë 李 <b>';
  await enter(ada, 'Ada');
  await shows(ada, 'Ada joined');
  await enter(zoe, name);
  await shows(ada, `${name} joined`);
  await shows(zoe, `${name} joined`);

  await say(ada, 'Hello, who is here?');
  await shows(zoe, 'Ada: Hello, who is here?');
  await shows(ada, 'Ada: Hello, who is here?');

  const nasty = '<img src=x onerror="document.title=\'owned\'"> & <i>me</i>';
  await say(zoe, nasty);
  await shows(ada, `${name}: ${nasty}`);
  await shows(zoe, `${name}: ${nasty}`);
  for (const window of [ada, zoe]) {
    assert.equal(await window.evaluate("document.querySelectorAll('#log img, #log i, #log b').length"), 0);
    assert.equal(await window.evaluate('document.title'), 'Chat');
  }

  // Typing goes from client to client.
  await ada.type('#text', 'I am th');
  await zoe.until("document.getElementById('typing').textContent === 'Ada is typing…'");
  assert.equal(await ada.evaluate("document.getElementById('typing').textContent"), '', 'no echo of one\'s own typing');

  await zoe.close();
  await shows(ada, `${name} left`);
  assert.deepEqual(await ada.evaluate(SHOWN), ['You are in as Ada', 'Ada joined', `${name} joined`,
    'Ada: Hello, who is here?', `${name}: ${nasty}`, `${name} left`]);
  assert.deepEqual(ada.trouble, []);
  assert.equal(app.err, '');
});

check('one who is refused is told so, and may try again', { skip: skipWithout(), timeout: 90000 }, async (t) => {
  const { url } = await sample(t);
  const browser = await Browser.start(t);
  const window = await browser.window(url);
  await window.type('#name', 'x'.repeat(33));
  await window.enter();
  await shows(window, 'You were not let in');
  await window.evaluate("document.getElementById('name').value = ''");
  await enter(window, 'Xavier');
  await shows(window, 'Xavier joined');
});
