// SPDX-License-Identifier: Apache-2.0
// azure-server.md 7.6: the filter language, as requests use it.
import assert from 'node:assert/strict';
import { before, describe } from 'node:test';
import { check, suite } from './lib/cases.mjs';
import {
  Rest, data, enc, fresh, restServer, to,
} from './lib/rest.mjs';
import { limit } from './lib/time.mjs';

const server = restServer({ workers: 4 });

/** Name → client; all in one hub that only these tests use. */
const members = {
  user1: { user: 'user1', groups: ['group1'] },
  user2: { user: 'user2', groups: ['group2', 'group3'] },
  quote: { user: "user'1" },
  none: {},
  simple: { user: 'user1', groups: ['group1'], simple: true },
  doe: { user: 'Doe, John', groups: ['group1', 'group2'] },
  brien: { user: "O'Brien, Jane" },
  umlaut: { user: 'ÄRGER ß', groups: ['ünï code'] },
  a: { user: 'a' },
  reliable: { user: 'A', groups: ['group2'], reliable: true },
};
const clients = {};
const hub = fresh('filter');
const rest = new Rest(server, { hub });
const ALL = Object.keys(members);
const but = (...names) => ALL.filter((n) => !names.includes(n));
const only = (...names) => ALL.filter((n) => names.includes(n));

/** Send once for each filter, and tell who got which. */
async function chosen(filters, where = to.all) {
  for (const [i, filter] of filters.entries()) await rest.send(where, String(i), { query: { filter } });
  const who = filters.map(() => []);
  for (const name of ALL) {
    const c = clients[name];
    const got = members[name].simple ? (await c.wsFence()).map((m) => m.text) : await data(c);
    for (const n of got) who[Number(n)].push(name);
  }
  return who;
}

async function select(table, where) {
  const who = await chosen(table.map(([filter]) => filter), where);
  for (const [i, [filter, names]] of table.entries()) assert.deepEqual(who[i], names, filter);
}

/** One after the other: they share the clients. */
describe('filters select', () => {
  before(async () => {
    for (const [name, { simple, reliable, ...options }] of Object.entries(members)) {
      clients[name] = await server[simple ? 'simple' : reliable ? 'reliable' : 'json']({ hub, ...options });
    }
  }, { timeout: limit(20000) });

  check('S-85 S-89 S-88 who gets a message', { timeout: 60000 }, async () => {
    await select([
      // The examples of 7.6.
      ["'group1' in groups or 'group2' in groups", only('user1', 'user2', 'simple', 'doe', 'reliable')],
      ["userId in ('user1','user2') and 'group1' in groups", only('user1', 'simple')],
      ["userId eq 'user1' and (not ('group1' in groups))", []],
      ["userId eq 'user''1'", only('quote')],
      ['length(groups) gt 1', only('user2', 'doe')],
      ['userId eq null', only('none')],
      ["protocol eq 'json.webpubsub.azure.v1'", but('simple', 'reliable')],
      ["userId in ('Doe, John','O''Brien, Jane')", only('doe', 'brien')],
      // And the rest of S-85, S-88.
      ['protocol eq null', only('simple')],
      ["protocol eq 'json.reliable.webpubsub.azure.v1'", only('reliable')],
      ["USERID eq 'a'", only('a')],
      ["uSeRiD eq 'A'", only('reliable')],
      ["userId eq 'A'", only('reliable')],
      ["substring(userId,5) eq 'x'", []],
      ["substring(userId,3) eq 'r1'", only('user1', 'simple')],
      ["substring(userId,0,4) eq 'user'", only('user1', 'user2', 'quote', 'simple')],
      ['substring(userId,20) eq null', ALL],
      // Operators.
      ["userId ne 'user1'", but('user1', 'simple')],
      ['userId ne null', but('none')],
      ["not (userId eq 'user1' or userId eq null)", but('user1', 'simple', 'none')],
      ["userId eq 'user1' or userId eq 'a' and userId eq 'b'", only('user1', 'simple')],
      ["(userId eq 'user1' or userId eq 'a') and userId eq 'a'", only('a')],
      ["not contains(userId,'user') and userId ne null", only('doe', 'brien', 'umlaut', 'a', 'reliable')],
      ['length(groups) ge 1 and length(groups) lt 2', only('user1', 'simple', 'umlaut', 'reliable')],
      ['length(groups) le 0', only('quote', 'none', 'brien', 'a')],
      ['length(userId) eq 5', only('user1', 'user2', 'simple')],
      ['length(userId) gt +8', only('doe', 'brien')],
      ['length(userId) lt -1', []],
      ['length(userId) ge 0', but('none')],
      ['true', ALL],
      ['false', []],
      ['not false', ALL],
      ['1 eq 1', ALL],
      ["1 eq '1'", []],
      ["'1' ne 1", ALL],
      ['null eq null', ALL],
      ['userId in ()', []],
      ["userId in ('user1',null)", only('user1', 'none', 'simple')],
      ['3 in (1,2,3)', ALL],
      ["not ('group1' in groups)", but('user1', 'simple', 'doe')],
      ['userId in groups', []],
      // Functions.
      ["tolower(userId) eq 'a'", only('a', 'reliable')],
      ["toupper(userId) eq 'USER1'", only('user1', 'simple')],
      ["tolower(userId) eq 'ärger ß'", only('umlaut')],
      ["trim(' a ') eq userId", only('a')],
      ["startswith(userId,'user') and endswith(userId,'1')", only('user1', 'quote', 'simple')],
      ["indexof(userId,'O') eq 0", only('brien')],
      ["indexof(userId,'x') eq -1", ALL.filter((n) => !members[n].user?.includes('x'))],
      ["concat(userId,'!') eq 'a!'", only('a')],
      ["concat(null,'!') eq '!'", ALL],
      ["concat(concat('us','er'),'2') eq userId", only('user2')],
      ["contains(userId,'')", but('none')],
      ["contains(userId,'ÄR')", only('umlaut')],
      ["length('ü😀') eq 3", ALL],
      ["'ünï code' in GROUPS", only('umlaut')],
      ['tolower(null) eq null', ALL],
      [`connectionId eq '${clients.a.connectionId}'`, only('a')],
      [`CONNECTIONID ne '${clients.a.connectionId}'`, but('a')],
      [`connectionId in ('${clients.a.connectionId}','${clients.doe.connectionId}')`, only('doe', 'a')],
      // White space.
      ["\tuserId\n eq\r\n 'a' ", only('a')],
      ["((((userId eq 'a'))))", only('a')],
      ["userId in('a' , 'user2')", only('user2', 'a')],
      // None at all.
      ['', ALL],
    ]);
    await select([["userId eq 'user1'", only('user1', 'simple')], ["protocol ne null", only('user1', 'doe')], ['', only('user1', 'simple', 'doe')]].map(
      ([filter, names]) => [filter, names.filter((n) => members[n].groups?.includes('group1'))]), to.group('group1'));
    await select([['protocol eq null', only('simple')], ["'group1' in groups", only('user1', 'simple')], ["'group2' in groups", []]], to.user('user1'));
  });

  check('S-85 the query may be written with + or %20, with raw or encoded quotes', async () => {
    const forms = ["userId%20eq%20'a'", 'userId+eq+%27a%27', 'userId%20eq%20%27%61%27', "%75serId+eq%0A'a'"];
    for (const form of forms) await rest.send(to.all, form, { query: `filter=${form}` });
    assert.deepEqual(await data(clients.a), forms);
    assert.deepEqual(await data(clients.doe), []);
    for (const name of ALL.filter((n) => n !== 'a')) await (members[name].simple ? clients[name].wsFence() : clients[name].fence());
  });

  check('S-127 connectionId eq in :addToGroups adds that one connection', async () => {
    const group = fresh('g');
    await rest.must(200, 'POST', ':addToGroups', { body: JSON.stringify({ groups: [group], filter: `connectionId eq '${clients.brien.connectionId}'` }), type: 'application/json' });
    const page = await rest.page(group);
    assert.deepEqual(page.value, [{ connectionId: clients.brien.connectionId, userId: "O'Brien, Jane" }]);
    assert.equal(page.nextLink, undefined);
  });
});

const TAIL = "(Parameter 'filter')";
const syntax = (filter, n) => `Invalid syntax for '${filter}': Syntax error at position ${n} in '${filter}'. ${TAIL}`;
const problem = (message, target = 'filter') => ({
  code: 'Error.BadRequest', message, target, errors: { [target]: [message] }, type: null, title: 'One or more validation errors occurred.', status: 400, detail: null, instance: null, extensions: {},
});
/** The refusal of a filter, which must be problem+json. */
async function refusal(filter, where = ':send') {
  const answer = await rest.must(400, 'POST', where, { body: 'x', type: 'text/plain', query: { filter } });
  assert.equal(answer.headers['content-type'], 'application/problem+json; charset=utf-8');
  assert.equal(answer.headers['x-ms-error-code'], 'Error.BadRequest');
  assert.deepEqual(answer.json, problem(answer.json.message));
  return answer.json.message;
}

suite('filters that are refused', () => {
  check('S-86 `invalid filter` gives exactly the recorded answer', async () => {
    const message = syntax('invalid filter', 14);
    const answer = await rest.must(400, 'POST', ':send', { body: 'x', type: 'text/plain', query: { filter: 'invalid filter' } });
    assert.equal(answer.body, JSON.stringify(problem(message)));
    for (const where of ['groups/g/:send', 'users/u/:send']) assert.equal(await refusal('invalid filter', where), message);
    for (const where of [':addToGroups', ':removeFromGroups']) {
      const bulk = await rest.must(400, 'POST', where, { body: '{"groups":["g"],"filter":"invalid filter"}', type: 'application/json' });
      assert.equal(bulk.headers['content-type'], 'application/problem+json; charset=utf-8');
      assert.deepEqual(bulk.json, problem(message, 'Filter'), where);
    }
  });

  check('S-87 the five messages of 7.6', async () => {
    const type = (part, is, wanted) => `Invalid syntax for '${part}': Type '${is}', expect '${wanted}'. ${TAIL}`;
    const token = (name) => `Invalid syntax for '${name[0]}': Token '${name[1]}' is not supported. ${TAIL}`;
    for (const [filter, message] of [
      ['not length(userId)', type('not length(userId)', 'null', 'bool')],
      ['userId lt 1', type('userId lt 1', 'string', 'int')],
      ['ab eq 1', token(['ab eq 1', 'ab'])],
      ['invalid(ab,c)', token(['invalid(ab,c)', 'invalid(ab,c)'])],
      ['( not \'a\' )', type("not 'a'", 'string', 'bool')],
    ]) assert.equal(await refusal(filter), message, filter);
  });

  check('S-88 `true or userId` is a 400, as is every filter that is not bool', async () => {
    for (const filter of ['true or userId', 'userId and true', 'userId', "'a'", '1', 'null', 'groups', 'length(groups)', 'tolower(userId)', 'not userId', 'not 1']) {
      assert.match(await refusal(filter), /^Invalid syntax for '.*': Type '(null|string|int|collection)', expect 'bool'\. \(Parameter 'filter'\)$/, filter);
    }
    for (const filter of ["length(groups) gt '1'", "userId gt 'a'", "'a' lt 1"]) assert.match(await refusal(filter), /: Type 'string', expect 'int'\. /, filter);
  });

  check('7.6 syntax errors tell the position behind the token', async () => {
    for (const [filter, n] of [["userId eq 'a' userId", 20], ['true false', 10], ["userId eq 'a')", 14]]) assert.equal(await refusal(filter), syntax(filter, n));
    for (const filter of ['userId eq', 'eq', "userId eq 'a", '(true', 'true)', "userId in ('a'", "userId in ('a',)", 'userId = 1', 'userId eq "a"', 'and true', 'true and', '()', 'not', "userId eq 'a' AND true",
      'length(', 'length(userId', '1.5 eq 1', 'true && true', '#', ' ', '\t']) {
      assert.match(await refusal(filter), /^Invalid syntax for '/, JSON.stringify(filter));
    }
  });

  check('7.6 known functions with wrong arguments, unknown names', async () => {
    for (const filter of ['length() eq 1', 'length(userId,1) eq 1', 'tolower(1) eq null', 'concat(userId) eq null', "startswith(userId) eq true", "substring(userId,'1') eq 'x'", 'trim(groups) eq null']) {
      assert.match(await refusal(filter), /: (Invalid token '|Type '|Syntax error)/, filter);
    }
    for (const filter of ["user eq 'a'", 'TOLOWER(userId) eq userId', 'nofunction() eq 1', 'userId eq True']) {
      assert.match(await refusal(filter), /^Invalid syntax for '.*': Token '.*' is not supported\. \(Parameter 'filter'\)$/, filter);
    }
  });

  check('7.6 limits: 8 KiB of text, 200 operators, nesting 100', async () => {
    const long = `userId eq '${'x'.repeat(8 * 1024)}'`;
    assert.match(await refusal(long), /^.+$/);
    const wide = (n) => Array.from({ length: n }, (x, i) => `userId eq '${i}'`).join(' or ');
    await rest.send(to.all, 'x', { query: { filter: `${wide(100)} and false` } });
    await refusal(wide(120));
    const deep = (n) => `${'('.repeat(n)}false${')'.repeat(n)}`;
    await rest.send(to.all, 'x', { query: { filter: deep(90) } });
    await refusal(deep(150));
    await refusal('not '.repeat(1500) + 'true');
  });

  check('S-138 a filter error is reported before the body is looked at', async () => {
    const bad = { query: { filter: 'invalid filter' } };
    for (const options of [{ type: 'text/plain' }, { type: 'text/html', body: 'x' }, { type: 'application/json', body: '{' }, { type: 'text/plain', body: 'x', chunked: true }, { type: 'text/plain', body: 'x'.repeat(1048577) }]) {
      const answer = await rest.must(400, 'POST', ':send', { ...bad, ...options });
      assert.equal(answer.json.message, syntax('invalid filter', 14), JSON.stringify(options));
    }
    // Names and api-version come before it.
    assert.equal((await rest.refused(400, 'POST', ':send', { ...bad, body: 'x', version: '2099-01-01' })).target, 'api-version');
    assert.equal((await rest.ask('POST', `:send?filter=${enc('userId eq')}`.replace('?', '%3F'), { body: 'x' })).status, 404);
  });

  check('7.6 given twice it is refused', async () => {
    await rest.must(400, 'POST', ':send', { body: 'x', type: 'text/plain', query: { filter: ["userId eq 'a'", "userId eq 'b'"] } });
  });
});
