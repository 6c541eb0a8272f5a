// SPDX-License-Identifier: Apache-2.0
// An express application with the official middleware, as its documentation
// writes it; what the middleware calls is kept.
import { createRequire } from 'node:module';
import { within } from './time.mjs';

const require = createRequire(process.env.SDK_MODULES
  ? `${process.env.SDK_MODULES}/anchor.cjs` : import.meta.url);
const express = require('express');
const { WebPubSubEventHandler } = require('@azure/web-pubsub-express');

export class Application {
  static async start(handlers, port = 0) {
    const application = new Application();
    const app = express();
    app.use((request, response, next) => { application.requests.push({ method: request.method, url: request.originalUrl, response }); next(); });
    for (const [hub, options] of Object.entries(handlers)) {
      const kept = { ...options };
      for (const name of ['handleConnect', 'onConnected', 'onDisconnected', 'handleUserEvent']) {
        const inner = options[name];
        if (inner) kept[name] = (request, response) => { application.#came(hub, name, request); inner(request, response); };
      }
      const handler = new WebPubSubEventHandler(hub, kept);
      application.paths[hub] = handler.path;
      app.use(handler.getMiddleware());
    }
    await new Promise((resolve, reject) => {
      application.server = app.listen(port, '127.0.0.1', (error) => (error ? reject(error) : resolve()));
    });
    application.server.unref();
    application.origin = `http://127.0.0.1:${application.server.address().port}`;
    return application;
  }

  constructor() {
    this.calls = [];
    this.requests = [];
    this.paths = {};
    this.watchers = new Set();
  }

  #came(hub, name, request) {
    this.calls.push({ hub, name, request });
    for (const f of [...this.watchers]) f();
  }

  seen(hub, name, conn) {
    return this.calls.filter((c) => c.hub === hub && (!name || c.name === name) && (!conn || c.request.context.connectionId === conn))
      .map((c) => c.request);
  }

  /** The first n calls of that kind, there or to come. */
  wait(hub, name, conn, n = 1, { ms = 5000 } = {}) {
    let watcher;
    return within(ms, () => `${n} calls of ${name} for ${hub}; have ${this.calls.map((c) => `${c.hub} ${c.name}`)}`, new Promise((resolve) => {
      watcher = () => {
        const list = this.seen(hub, name, conn);
        if (list.length >= n) resolve(list);
      };
      this.watchers.add(watcher);
      watcher();
    })).finally(() => this.watchers.delete(watcher));
  }

  /** Entry of event_handlers for a hub of this application. */
  entry(hub, more = {}) {
    return {
      url: `${this.origin}${this.paths[hub]}`, user_events: '*', system_events: ['connect', 'connected', 'disconnected'], ...more,
    };
  }
}
