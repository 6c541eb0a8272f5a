// SPDX-License-Identifier: Apache-2.0
// Server-side commands and events through the fixture plugins, until the REST
// API and webhooks do it.
import assert from 'node:assert/strict';
import {
  fixture, hasFixture, suiteServer, testServer,
} from './server.mjs';

export const hasControl = hasFixture('http-control');
export const hasUpstream = hasFixture('upstream-fixture');

function plugins(more) {
  return {
    ...(hasControl ? { 'http-control': { path: fixture('http-control') } } : {}),
    ...(hasUpstream ? { 'upstream-fixture': { path: fixture('upstream-fixture') } } : {}),
    ...more,
  };
}

export const controlled = ({ plugins: more, ...config } = {}) =>
  suiteServer({ plugins: plugins(more), ...config });

export const controlledIn = (t, { plugins: more, ...config } = {}, options) =>
  testServer(t, { plugins: plugins(more), ...config }, options);

/** {conn: id} | {user: name} | {group: name} | {} for the hub. */
function target(who) {
  for (const to of ['conn', 'user', 'group']) {
    if (who[to] !== undefined) return { to, name: who[to] };
  }
  return { to: 'hub' };
}

async function call(server, method, path, query, body) {
  const q = Object.entries(query).filter(([, v]) => v !== undefined)
    .flatMap(([k, v]) => [].concat(v).map((x) => `${k}=${encodeURIComponent(x)}`)).join('&');
  const answer = await server.http(`/control/${path}?${q}`, { method, ...(method === 'POST' ? { body: body ?? '' } : {}) });
  assert.equal(answer.status, 200, `${method} ${path}: ${answer.status} ${answer.body}`);
  const { status, clients } = JSON.parse(answer.body);
  assert.equal(status, 'OK', `${method} ${path}`);
  return clients;
}

/** Each answers how many clients it concerned. */
export const control = {
  publish: (server, hub, who, data, { type, exclude, ttl } = {}) =>
    call(server, 'POST', `${hub}/publish`, { ...target(who), type, exclude, ttl_ms: ttl }, data),
  join: (server, hub, who, group) => call(server, 'POST', `${hub}/join`, { ...target(who), group }),
  leave: (server, hub, who, group) => call(server, 'POST', `${hub}/leave`, { ...target(who), group }),
  close: (server, hub, who, { code, reason, exclude } = {}) =>
    call(server, 'POST', `${hub}/close`, { ...target(who), code, reason, exclude }),
  permission: (server, hub, { op, action, group, ...who }) =>
    call(server, 'POST', `${hub}/permission`, { ...target(who), op, action, group }),
  count: (server, hub, who = {}, exclude) => call(server, 'GET', `${hub}/count`, { ...target(who), exclude }),
};
