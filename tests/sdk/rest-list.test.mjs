// SPDX-License-Identifier: Apache-2.0
// azure-server.md 7.11: listings and their pages.
import assert from 'node:assert/strict';
import { check, suite } from './lib/cases.mjs';
import {
  NEWEST, Rest, VERSIONS, bearer, fresh, restServer, to,
} from './lib/rest.mjs';
import { until } from './lib/time.mjs';

const server = restServer({ workers: 4 });

async function members(n, options = {}) {
  const hub = options.hub ?? fresh();
  const all = [];
  while (all.length < n) {
    all.push(...await Promise.all(Array.from({ length: Math.min(50, n - all.length) }, () => server.simple({ hub, groups: ['g'], ...options }))));
  }
  return { hub, rest: new Rest(server, { hub }), all };
}
const ids = (pages) => pages.flat().map((e) => e.connectionId);
const sizes = (pages) => pages.map((p) => p.length);
const bytes = (a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b));
const queryOf = (link) => Object.fromEntries(new URL(link).searchParams);

suite('REST listings', () => {
  check('S-91 6 members: pages of 2; top=5: 2, 2, 1; no empty page behind the last', async () => {
    const { rest } = await members(6);
    for (const [query, wanted] of [[{}, [6]], [{ maxpagesize: 2 }, [2, 2, 2]], [{ maxpagesize: 2, top: 5 }, [2, 2, 1]], [{ top: 3 }, [3]], [{ top: 6 }, [6]], [{ maxpagesize: 3, top: 6 }, [3, 3]], [{ maxpagesize: 6 }, [6]],
      [{ maxpagesize: 4 }, [4, 2]], [{ maxpagesize: 2, top: 2 }, [2]], [{ maxpagesize: 1, top: 3 }, [1, 1, 1]], [{ top: 7, maxpagesize: 5 }, [5, 1]], [{ top: 2147483647, maxpagesize: 200 }, [6]]]) {
      assert.deepEqual(sizes(await rest.pages('g', query)), wanted, JSON.stringify(query));
    }
    const last = (await rest.page('g'));
    assert.deepEqual(Object.keys(last), ['value']);
  });

  check('S-92 nextLink is absolute, has what 7.11 says, works with or without api-version', async () => {
    const { rest, hub } = await members(6);
    const page = await rest.page('g', { maxpagesize: 2, top: 5 });
    const link = new URL(page.nextLink);
    assert.equal(link.origin, server.origin);
    assert.equal(link.pathname, `/api/hubs/${hub}/groups/g/connections`);
    const { continuationToken, ...query } = queryOf(page.nextLink);
    assert.deepEqual(query, { 'api-version': NEWEST, maxpagesize: '2', top: '3' });
    assert.match(continuationToken, /^[A-Za-z0-9_-]+$/);
    const second = await rest.page('g', {}, page.nextLink);
    assert.equal(queryOf(second.nextLink).top, '1');
    const bare = page.nextLink.replace(/[?&]api-version=[^&]*/, (m) => (m[0] === '?' ? '?' : ''));
    assert.ok(!bare.includes('api-version'));
    assert.deepEqual((await rest.page('g', {}, bare)).value, second.value);
    // Without a limit the link has none.
    const { continuationToken: other, ...open } = queryOf((await rest.page('g', { maxpagesize: 2 })).nextLink);
    assert.deepEqual(open, { 'api-version': NEWEST, maxpagesize: '2' });
    assert.ok(other);
    // The oldest version lists as well.
    assert.equal((await rest.must(200, 'GET', 'groups/g/connections', { version: VERSIONS.slice(0, 10) })).json.value.length, 6);
  });

  check('S-139 a token signed for page 1 serves page 2', async () => {
    const { rest } = await members(3);
    const first = `${server.origin}${rest.path('groups/g/connections')}?maxpagesize=2&api-version=${NEWEST}`;
    const page = await rest.page('g', { maxpagesize: 2 });
    const a = await rest.must(200, 'GET', page.nextLink.slice(server.origin.length), { version: null, auth: bearer(first) });
    assert.equal(a.json.value.length, 1);
  });

  check('S-93 anonymous connections have no userId member; order is that of the ids', async () => {
    const hub = fresh();
    const rest = new Rest(server, { hub });
    const users = ['ann', undefined, 'ünï "x"', undefined, 'ann', 'zed'];
    const clients = await Promise.all(users.map((user, i) => server[i % 2 ? 'reliable' : 'json']({ hub, user, groups: ['g'] })));
    const wanted = clients.map((c, i) => ({ connectionId: c.connectionId, ...(users[i] === undefined ? {} : { userId: users[i] }) }))
      .sort((a, b) => bytes(a.connectionId, b.connectionId));
    const a = await rest.must(200, 'GET', 'groups/g/connections');
    assert.equal(a.body, JSON.stringify({ value: wanted }));
    assert.deepEqual((await rest.pages('g', { maxpagesize: 1 })).flat(), wanted);
  });

  check('S-91 a missing group, hub: 200 with an empty value', async () => {
    const { rest } = await members(1);
    for (const one of [rest, new Rest(server, { hub: fresh() })]) {
      assert.equal((await one.must(200, 'GET', 'groups/none/connections', { query: { maxpagesize: 2 } })).body, '{"value":[]}');
    }
  });

  check('S-137 maxpagesize=201, top=0, a foreign or altered continuationToken → 400', async () => {
    const { rest } = await members(3);
    const { rest: other } = await members(3);
    const token = queryOf((await rest.page('g', { maxpagesize: 1 })).nextLink).continuationToken;
    const foreign = queryOf((await other.page('g', { maxpagesize: 1 })).nextLink).continuationToken;
    await rest.must(200, 'GET', 'groups/g/connections', { query: { continuationToken: token } });
    const bad = (query, tail = 'groups/g/connections') => rest.refused(400, 'GET', tail, { query });
    await bad({ continuationToken: foreign });
    await bad({ continuationToken: token }, 'groups/other/connections');
    const flipped = `${token.slice(0, 5)}${token[5] === 'A' ? 'B' : 'A'}${token.slice(6)}`;
    for (const altered of ['x', '', `${token}A`, token.slice(0, -1), token.slice(1), `A${token.slice(1)}`, token.toLowerCase(), `${token}=`, 'A'.repeat(2049), 'A'.repeat(2048), '%00', 'Yzg', flipped]) {
      if (altered === token) continue;
      const error = await bad({ continuationToken: altered });
      assert.equal(error.code, 'Error.BadRequest', altered.slice(0, 30));
    }
    await bad({ continuationToken: [token, token] });
    for (const query of [{ maxpagesize: 201 }, { maxpagesize: 0 }, { top: 0 }, { maxpagesize: '' }, { top: '' }, { top: [1, 2] }, { maxpagesize: [1, 1] }]) await bad(query);
  });

  check('S-92 groups and hubs with odd names come back in the link', async () => {
    const hub = fresh('Odd');
    for (const group of ['a/b c', 'ü?&=#%', ":send'\"", '+ ']) {
      const rest = new Rest(server, { hub });
      for (let i = 0; i < 3; i++) await server.simple({ hub, groups: [group] });
      const pages = await rest.pages(group, { maxpagesize: 1 });
      assert.deepEqual(sizes(pages), [1, 1, 1], group);
      const { nextLink } = await rest.page(group, { maxpagesize: 1 });
      assert.ok(new URL(nextLink).pathname.split('/').map(decodeURIComponent).includes(group), nextLink);
    }
  });

  check('7.11 members that leave or join while it is listed: the others appear exactly once', { timeout: 60000 }, async (t) => {
    const { rest, all, hub } = await members(200);
    const lines = await rest.lines(t, 4);
    const known = new Set(ids(await rest.pages('g', {})));
    assert.equal(known.size, 200);
    let stop = false;
    const restless = (async () => {
      const odd = all.slice(150);
      for (let i = 0; !stop; i++) {
        const c = odd[i % odd.length];
        await c.drop();
        odd[i % odd.length] = await server.simple({ hub, groups: ['g'] });
      }
    })();
    try {
      let steady;
      for (let round = 0; round < 10; round++) {
        const seen = ids(await lines[round % 4].pages('g', { maxpagesize: 7 }));
        assert.equal(new Set(seen).size, seen.length, 'no one twice');
        assert.deepEqual(seen, [...seen].sort(bytes), 'in order');
        const kept = seen.filter((id) => known.has(id));
        steady = steady === undefined ? kept : steady.filter((id) => kept.includes(id));
      }
      assert.ok(steady.length >= 150, `${steady.length} were there all the time`);
    } finally { stop = true; await restless; }
  });

  check('7.11 a cursor whose connection has gone goes on behind it', async () => {
    const { rest, all } = await members(6);
    const first = await rest.page('g', { maxpagesize: 3 });
    for (const c of all) await c.drop();
    await until(5000, 'all to be gone', async () => !(await rest.exists(to.group('g'))));
    assert.deepEqual((await rest.page('g', {}, first.nextLink)).value, []);
  });

  check('7.11 1000 members on 4 workers: each once, whatever the page', { timeout: 60000 }, async () => {
    const { rest } = await members(1000);
    const whole = await rest.pages('g', {});
    assert.deepEqual(sizes(whole), [200, 200, 200, 200, 200]);
    const every = ids(whole);
    assert.equal(new Set(every).size, 1000);
    assert.deepEqual(every, [...every].sort(bytes));
    for (const query of [{ maxpagesize: 7 }, { maxpagesize: 199 }]) assert.deepEqual(ids(await rest.pages('g', query)), every);
    const top = await rest.pages('g', { maxpagesize: 100, top: 950 });
    assert.deepEqual(sizes(top), [...Array(9).fill(100), 50]);
    assert.deepEqual(ids(top), every.slice(0, 950));
  });
});
