// SPDX-License-Identifier: Apache-2.0
// Chromium without a screen, driven through its DevTools protocol: windows that
// know nothing of each other, keys that are pressed, and waiting for what a page
// shows.
import { spawn } from 'node:child_process';
import { accessSync, constants, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { WebSocket } from './deps.mjs';
import { limit, within } from './time.mjs';

/** Path of the program: CHROMIUM, or the first on PATH; undefined: none. */
export function chromium() {
  if (process.env.CHROMIUM) return process.env.CHROMIUM;
  return (process.env.PATH ?? '').split(delimiter)
    .flatMap((dir) => ['chromium', 'chromium-browser', 'google-chrome'].map((name) => join(dir, name)))
    .find((path) => {
      try { accessSync(path, constants.X_OK); return true; } catch { return false; }
    });
}

/** For the option `skip` of a test: a sentence where there is no browser, unless
 * SDK_REQUIRE_CHROMIUM=1 says that there has to be one. */
export const skipWithout = () => (chromium() || process.env.SDK_REQUIRE_CHROMIUM === '1'
  ? false : 'chromium is not installed');

/** One window. */
class Window {
  constructor(browser, context, session) {
    Object.assign(this, { browser, context, session, trouble: [] });
  }

  send(method, params) { return this.browser.send(method, params, this.session); }

  /** An exception that nobody caught, or a line of console.error. */
  event(method, params) {
    if (method === 'Runtime.exceptionThrown') {
      const { text, exception } = params.exceptionDetails;
      this.trouble.push(`${text} ${exception?.description ?? ''}`);
    } else if (method === 'Runtime.consoleAPICalled' && params.type === 'error') {
      this.trouble.push(params.args.map((a) => a.value ?? a.description).join(' '));
    }
  }

  /** Value of an expression in the page; a promise is awaited. */
  async evaluate(expression) {
    const { result, exceptionDetails } = await this.send('Runtime.evaluate',
      { expression, awaitPromise: true, returnByValue: true });
    if (exceptionDetails) {
      throw new Error(`${expression}: ${exceptionDetails.exception?.description ?? exceptionDetails.text}`);
    }
    return result.value;
  }

  async open(url) {
    const { errorText } = await this.send('Page.navigate', { url });
    if (errorText) throw new Error(`${url}: ${errorText}`);
    await this.evaluate(`document.readyState === 'complete' ? 0
      : new Promise((done) => addEventListener('load', () => done(0)))`);
  }

  /** Wait until the page makes `expression` true, looking after each change. */
  async until(expression, { what = expression, ms = 10000 } = {}) {
    const wait = this.evaluate(`new Promise((done) => {
      const look = () => { if (${expression}) { watch.disconnect(); done(0); } };
      const watch = new MutationObserver(look);
      watch.observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
      look();
    })`);
    wait.catch(() => {});
    let page = '';
    try {
      await within(ms, () => what, wait);
    } catch (error) {
      page = await this.evaluate('document.body.innerText').catch(() => 'gone');
      throw new Error(`${error.message}; the page shows ${JSON.stringify(page)}; trouble ${JSON.stringify(this.trouble)}`);
    }
  }

  /** As a hand would: click on it, then text comes from the keyboard. */
  async type(selector, text) {
    const { x, y } = await this.evaluate(`(() => {
      const box = document.querySelector(${JSON.stringify(selector)}).getBoundingClientRect();
      return { x: box.x + box.width / 2, y: box.y + box.height / 2 };
    })()`);
    const mouse = (type) => this.send('Input.dispatchMouseEvent', {
      type, x, y, button: 'left', clickCount: 1,
    });
    await mouse('mousePressed');
    await mouse('mouseReleased');
    await this.send('Input.insertText', { text });
  }

  async enter() {
    const key = { key: 'Enter', code: 'Enter', windowsVirtualKeyCode: 13 };
    await this.send('Input.dispatchKeyEvent', { type: 'keyDown', text: '\r', ...key });
    await this.send('Input.dispatchKeyEvent', { type: 'keyUp', ...key });
  }

  close() { return this.browser.send('Target.disposeBrowserContext', { browserContextId: this.context }); }
}

export class Browser {
  #id = 0;

  #asked = new Map();

  #windows = new Map();

  /** Started for one test, and gone with it. */
  static async start(t) {
    const browser = new Browser();
    t.after(() => browser.stop(), { timeout: limit(20000) });
    await browser.#launch();
    return browser;
  }

  async #launch() {
    const program = chromium();
    if (!program) throw new Error('SDK_REQUIRE_CHROMIUM=1, but chromium is not installed');
    this.folder = mkdtempSync(join(tmpdir(), 'webpubsubd-chromium-'));
    // A group of its own: what chromium starts ends with it. The sandbox wants
    // rights that containers do not give; it opens our own pages only.
    this.child = spawn(program, ['--headless=new', '--remote-debugging-port=0', `--user-data-dir=${this.folder}`,
      '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run', '--no-default-browser-check',
      '--disable-background-networking', '--disable-component-update', '--disable-sync', '--disable-extensions',
      '--no-proxy-server', '--mute-audio', 'about:blank'], {
      detached: true,
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, HOME: this.folder, XDG_CONFIG_HOME: this.folder, XDG_CACHE_HOME: this.folder },
    });
    let said = '';
    this.exited = new Promise((done) => {
      this.child.on('error', done);
      this.child.on('close', done);
    });
    const url = await within(30000, () => `start of ${program}: ${said.slice(-2000)}`, new Promise((done, fail) => {
      this.child.stderr.setEncoding('utf8').on('data', (piece) => {
        said = (said + piece).slice(-20000);
        const ready = /DevTools listening on (ws:\S+)/.exec(said);
        if (ready) done(ready[1]);
      });
      this.exited.then(() => fail(new Error(`${program} ended: ${said.slice(-2000)}`)));
    }));
    this.ws = new WebSocket(url, { perMessageDeflate: false });
    this.ws.on('message', (data) => this.#received(JSON.parse(data)));
    this.ws.on('close', () => {
      for (const { fail } of this.#asked.values()) fail(new Error('the browser is gone'));
      this.#asked.clear();
    });
    await within(10000, 'DevTools', new Promise((done, fail) => {
      this.ws.once('open', done);
      this.ws.once('error', fail);
    }));
  }

  #received({ id, result, error, method, params, sessionId }) {
    if (id === undefined) { this.#windows.get(sessionId)?.event(method, params); return; }
    const asked = this.#asked.get(id);
    this.#asked.delete(id);
    if (error) asked?.fail(new Error(`${asked.method}: ${error.message}`));
    else asked?.done(result);
  }

  send(method, params = {}, sessionId = undefined) {
    const id = ++this.#id;
    return new Promise((done, fail) => {
      this.#asked.set(id, { done, fail, method });
      this.ws.send(JSON.stringify({ id, method, params, sessionId }));
    });
  }

  /** A window with cookies and storage of its own, at `url`. */
  async window(url) {
    const { browserContextId } = await this.send('Target.createBrowserContext');
    const { targetId } = await this.send('Target.createTarget', { url: 'about:blank', browserContextId });
    const { sessionId } = await this.send('Target.attachToTarget', { targetId, flatten: true });
    const window = new Window(this, browserContextId, sessionId);
    this.#windows.set(sessionId, window);
    await window.send('Page.enable');
    await window.send('Runtime.enable');
    await window.open(url);
    return window;
  }

  async stop() {
    try {
      if (this.ws?.readyState === WebSocket.OPEN) {
        this.send('Browser.close').catch(() => {});
        await within(5000, 'end of chromium', this.exited);
      }
    } catch { /* it is killed below */ } finally {
      if (this.child?.pid) {
        try { process.kill(-this.child.pid, 'SIGKILL'); } catch { /* all gone */ }
        await this.exited;
      }
      this.ws?.terminate();
      if (this.folder) rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
    }
  }
}
