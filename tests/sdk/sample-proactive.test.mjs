// SPDX-License-Identifier: Apache-2.0
// doc/samples/proactive with the server that its own configuration makes, and
// one client after the other; and its helper, webpubsub-server.mjs, by itself.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import {
  copyFileSync, mkdtempSync, readFileSync, rmSync, symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { check } from './lib/cases.mjs';
import { SOURCE, Server } from './lib/server.mjs';
import { limit, until, within } from './lib/time.mjs';
import { EMULATOR_KEY } from './lib/token.mjs';

const SAMPLE = join(SOURCE, 'doc/samples/proactive');
const HERE = join(SOURCE, 'tests/sdk');
const MODULES = join(process.env.SDK_MODULES ?? HERE, 'node_modules');
const read = (...path) => readFileSync(join(...path), 'utf8');

/** The sample's own server, on another port. */
async function service(t, port = 0) {
  const yaml = read(SAMPLE, 'webpubsubd.yaml');
  assert.match(yaml, /127\.0\.0\.1:8080/);
  const daemon = new Server({ yaml: yaml.replace('127.0.0.1:8080', `127.0.0.1:${port}`) });
  t.after(() => daemon.stop(), { timeout: limit(40000) });
  await daemon.start();
  return daemon;
}

const connection = (daemon) => `Endpoint=${daemon.origin};AccessKey=${EMULATOR_KEY};Version=1.0;`;
const token = (daemon, user, more) => daemon.token({ user, ...more }, { key: EMULATOR_KEY });
const enter = (daemon, user, more) => daemon.json({ token: token(daemon, user, more) });

/** What `user` is greeted with as soon as there are lines: the ack of one does
 * not wait for the application. */
const heard = (daemon, user) => until(5000, 'a line', async () => {
  const { data } = await (await enter(daemon, user)).type('message');
  return data.lines.length > 0 && data;
});

/** A copy that finds the packages of the tests. */
function copy(t) {
  const folder = mkdtempSync(join(tmpdir(), 'webpubsubd-proactive-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  for (const path of ['package.json', 'server.mjs', 'webpubsub-server.mjs']) {
    copyFileSync(join(SAMPLE, path), join(folder, path));
  }
  symlinkSync(MODULES, join(folder, 'node_modules'));
  return folder;
}

class Application {
  static async start(t, daemon, folder = copy(t)) {
    const app = new Application(daemon, folder);
    t.after(() => app.end('SIGKILL'));
    await app.said(/^connected to chat as \S+$/m);
    return app;
  }

  constructor(daemon, folder) {
    this.folder = folder;
    this.out = '';
    this.err = '';
    this.child = spawn(process.execPath, ['server.mjs'], {
      cwd: folder, env: { ...process.env, WebPubSubConnectionString: connection(daemon) }, stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.exited = new Promise((done) => {
      this.child.on('error', done);
      this.child.on('close', (code, signal) => { this.exit = { code, signal }; done(this.exit); });
    });
    this.child.stdout.setEncoding('utf8').on('data', (piece) => { this.out += piece; });
    this.child.stderr.setEncoding('utf8').on('data', (piece) => { this.err += piece; });
  }

  /** A line behind `from`. */
  async said(pattern, from = 0) {
    return until(15000, `${pattern} of the application`, () => {
      assert.equal(this.exit, undefined, `the application ended: ${this.out}${this.err}`);
      return pattern.test(this.out.slice(from));
    });
  }

  end(signal) {
    this.child.kill(signal);
    return within(10000, () => `its end: ${this.out}${this.err}`, this.exited);
  }
}

const roll = { type: 'event', event: 'roll', dataType: 'json' };
const say = (group, data) => ({ type: 'sendToGroup', group, dataType: 'text', data });
async function refused(client, request, error) {
  const ack = await client.ask(request);
  assert.deepEqual([ack.success, ack.error?.name], [false, error], JSON.stringify(ack));
}

async function shownOut(client, why) {
  const last = await client.type('system');
  assert.deepEqual([last.event, last.message], ['disconnected', `Application server closed the connection. Reason: ${why}`]);
  assert.equal((await client.end()).code, 1000);
}

check('the sample has the version that the tests have', () => {
  const ours = JSON.parse(read(SAMPLE, 'package.json')).dependencies;
  assert.deepEqual(ours, { ws: JSON.parse(read(HERE, 'package.json')).devDependencies.ws });
  const locked = JSON.parse(read(SAMPLE, 'package-lock.json')).packages;
  assert.deepEqual(Object.keys(locked), ['', 'node_modules/ws']);
  assert.equal(locked['node_modules/ws'].version, ours.ws);
  assert.deepEqual(locked[''].dependencies, ours);
  assert.doesNotMatch(read(SAMPLE, 'package-lock.json'), /"resolved"/);
  for (const [, from] of read(SAMPLE, 'webpubsub-server.mjs').matchAll(/^import .* from '(.*)';$/gm)) {
    assert.ok(['ws', 'node:crypto'].includes(from), from);
  }
});

check('one client: in, into rooms, talking, asking, and shown out', async (t) => {
  const daemon = await service(t);
  const app = await Application.start(t, daemon);

  // connect, with an answer in words, and with groups and roles
  const stranger = await daemon.refused({ token: token(daemon), protocols: 'json.webpubsub.azure.v1' });
  assert.deepEqual([stranger.status, stranger.body], [401, 'a token with a user id is needed']);
  const ada = await enter(daemon, 'ada');
  // connected, and client().send()
  assert.deepEqual((await ada.type('message')).data, { hello: 'ada', lines: [] });

  // subscribe decides about joins
  await ada.join('room');
  await refused(ada, { type: 'joinGroup', group: 'staff' }, 'Forbidden');
  const zoe = await enter(daemon, 'staff-zoe');
  await zoe.type('message');
  await zoe.join('staff');

  // publish decides about messages
  await ada.did(say('lobby', 'good morning'));
  const heard = await zoe.type('message');
  assert.deepEqual([heard.group, heard.fromUserId, heard.data], ['lobby', 'ada', 'good morning']);
  await refused(ada, say('lobby', 'buy SPAM'), 'Forbidden');
  await refused(ada, { ...say('room', { no: 'text' }), dataType: 'json' }, 'Forbidden');

  // a custom event, which is answered, and publishes
  const rolled = await ada.ask({ ...roll, data: 20 });
  assert.equal(rolled.success, true, JSON.stringify(rolled));
  const told = await zoe.type('message');
  const answer = (await ada.take((m) => m.json?.from === 'server')).json;
  assert.ok(answer.dataType === 'json' && answer.data >= 1 && answer.data <= 20, JSON.stringify(answer));
  assert.deepEqual([told.data, told.fromUserId], [`ada rolled ${answer.data} of 20`, undefined]);
  await refused(ada, { ...roll, data: 1 }, 'InternalServerError');

  // one that a filter keeps for some
  await refused(ada, { type: 'event', event: 'announce', dataType: 'text', data: 'me!' }, 'InternalServerError');
  await zoe.did({ type: 'event', event: 'announce', dataType: 'text', data: 'tea' });
  for (const client of [ada, zoe]) {
    assert.deepEqual((await client.take((m) => m.json?.data?.announcement)).json.data, { announcement: 'tea' });
  }

  // what the server heard of the group
  const bob = await enter(daemon, 'bob');
  assert.deepEqual((await bob.type('message')).data.lines, ['ada: good morning', `ada rolled ${answer.data} of 20`]);

  // the third strike: client().close()
  ada.send(say('lobby', 'spam!'));
  await shownOut(ada, 'too much spam');
  await bob.did(say('lobby', 'bye, ada'));
  await zoe.close(1000);
  await daemon.logged((line) => /client disconnected.*user=staff-zoe/.test(line.text), { what: 'her end' });

  // It leaves in order.
  await app.end('SIGTERM');
  assert.deepEqual([app.exit, app.err], [{ code: 0, signal: null }, '']);
  assert.match(app.out, /^connected to chat as \S+\nclosed\n$/);
  assert.doesNotMatch(daemon.err, /requestType:(Disconnected|Connected) failed/);
});

check('while it is away nobody is let in, and nothing is let through', async (t) => {
  const daemon = await service(t);
  const app = await Application.start(t, daemon);
  const ada = await enter(daemon, 'ada');
  await ada.type('message');
  await app.end('SIGKILL');
  await until(5000, 'the end of its connection', async () => (await daemon.status({ token: token(daemon, 'bob') })) === 500);
  await refused(ada, { type: 'joinGroup', group: 'room' }, 'Forbidden');
  await refused(ada, say('lobby', 'anybody there?'), 'Forbidden');
  const again = await Application.start(t, daemon, app.folder);
  await ada.join('room');
  await ada.did(say('lobby', 'there you are'));
  assert.deepEqual(await heard(daemon, 'bob'), { hello: 'bob', lines: ['ada: there you are'] });
  assert.equal(again.err, '');
});

check('when the server is killed and comes back, all is registered again', { timeout: 60000 }, async (t) => {
  const daemon = await service(t);
  const app = await Application.start(t, daemon);
  const before = await enter(daemon, 'ada');
  await before.did(say('lobby', 'before'));
  await heard(daemon, 'eve');
  await daemon.child.kill('SIGKILL');
  await daemon.exited;
  daemon.stopped = true;
  rmSync(daemon.folder, { recursive: true, force: true });
  await app.said(/^not connected: /m);
  const { length } = app.out;

  const back = await service(t, daemon.port);
  await app.said(/^connected to chat as /m, length);
  const ada = await enter(back, 'ada');
  assert.deepEqual((await ada.type('message')).data.lines, ['ada: before']);
  await refused(ada, { type: 'joinGroup', group: 'staff' }, 'Forbidden');
  await refused(ada, say('lobby', 'spam'), 'Forbidden');
  await ada.did(say('lobby', 'after'));
  await ada.did({ ...roll, data: 2 });
  const bob = await enter(back, 'bob');
  const { lines } = (await bob.type('message')).data;
  assert.deepEqual(lines.slice(0, 2), ['ada: before', 'ada: after']);
  assert.match(lines[2], /^ada rolled [12] of 2$/);
  assert.equal(app.err, '');
});

// ---- the helper ----

async function helper(t) {
  const daemon = await service(t);
  const { Failure, Refusal, WebPubSubServer } = await import(join(copy(t), 'webpubsub-server.mjs'));
  const log = [];
  const open = async (roles, options) => {
    const server = new WebPubSubServer(connection(daemon), roles, { log: (line) => log.push(line), ...options });
    t.after(() => server.close());
    await within(5000, () => `its connection: ${log}`, server.ready());
    return server;
  };
  return { daemon, open, log, Failure, Refusal, WebPubSubServer };
}

check('beyond its roles it is told which one it needs', async (t) => {
  const { daemon, open, Failure } = await helper(t);
  const publisher = await open('publisher.news+subscriber.room-*');
  const no = (promise, words) => assert.rejects(promise, (e) => e instanceof Failure && e.name === 'Forbidden' && words.test(e.message));
  await publisher.publish('news', 'hello');
  await publisher.subscribe('room-1', () => {});
  await no(publisher.publish('weather', 'hello'), /role publisher for the group 'weather'/);
  await no(publisher.subscribe('news', () => {}), /role subscriber for the group 'news'/);
  await no(publisher.manager.sendToAll('hello'), /role publisher/);
  await no(publisher.handleEvents('connect', () => true), /role manager/);
  await no(publisher.client('x').send('hello'), /role manager/);
  await no(publisher.client('x').exists(), /role manager/);
  // What was refused is not kept: the next one asks again.
  await no(publisher.subscribe('news', () => {}), /role subscriber/);
  assert.equal(await daemon.status({ token: token(daemon, 'ada') }), 500);
});

check('answers, states, octets, groups, and what is not there', async (t) => {
  const { daemon, open, log, Failure, Refusal } = await helper(t);
  const server = await open();
  const events = [];
  await server.handleEvents('connect', (e) => {
    e.state = 'fresh';
    return { userId: `${e.userId}!`, groups: ['all', 'told'], roles: ['webpubsub.sendToGroup', 'webpubsub.joinLeaveGroup'] };
  });
  await server.handleEvents('publish', (e) => {
    events.push([e.name, e.group, e.dataType, e.data, e.userId, e.state]);
    e.state = 'seen';
    if (e.data === 'no') throw new Refusal('not so');
    if (e.data === 'bug') throw new Error('a fault of the application');
    return e.group === undefined ? Buffer.from([0, 255]) : undefined;
  });
  await server.handleEvents('subscribe', ({ group }) => group !== 'no', { groups: ['*'] });
  const gone = new Promise((resolve) => { server.handleEvents('disconnect', (e) => resolve([e.userId, e.reason, e.state])); });
  const heard = [];
  await server.subscribe('all', (m) => heard.push([m.group, m.fromUserId, m.dataType, m.data]));
  await server.ready();

  const ada = await enter(daemon, 'ada', { ending: 1 });
  assert.equal(ada.connected.userId, 'ada!');
  await refused(ada, { type: 'joinGroup', group: 'no' }, 'Forbidden');
  await ada.did({ type: 'sendToGroup', group: 'all', dataType: 'binary', data: 'AAEC', noEcho: true });
  await refused(ada, say('all', 'no'), 'Forbidden');
  await refused(ada, say('all', 'bug'), 'Forbidden');
  ada.send({ type: 'event', event: 'publish', dataType: 'json', data: { n: 1 }, ackId: 99 });
  assert.deepEqual(await ada.type('message'), { type: 'message', from: 'server', dataType: 'binary', data: 'AP8=' });
  assert.deepEqual(events.map((e) => e.slice(1, 4)), [['all', 'binary', Buffer.from([0, 1, 2])],
    ['all', 'text', 'no'], ['all', 'text', 'bug'], [undefined, 'json', { n: 1 }]]);
  assert.deepEqual(events[0].slice(4), ['ada!', 'fresh']);
  assert.ok(log.some((line) => line.includes('a fault of the application')));

  // Its own messages come back, unless it says no.
  await server.publish('all', 'echo');
  await server.publish('all', 'no echo', { noEcho: true });
  await server.publish('all', { last: true });
  await until(5000, 'three messages', () => heard.length === 3);
  assert.deepEqual(heard, [['all', 'ada!', 'binary', Buffer.from([0, 1, 2])], ['all', undefined, 'text', 'echo'], ['all', undefined, 'json', { last: true }]]);
  await server.unsubscribe('all');
  await server.publish('all', 'unheard');

  const client = server.client(ada.connectionId);
  assert.deepEqual([await client.exists(), await server.client('nobody').exists()], [true, false]);
  assert.deepEqual([await server.manager.userExists('ada!'), await server.manager.userExists('ada')], [true, false]);
  assert.equal((await server.ask({ type: 'count', target: 'group', name: 'told' })).count, 1);
  await client.leave('told');
  assert.equal((await server.ask({ type: 'count', target: 'group', name: 'told' })).count, 0);
  await client.join('told');
  await assert.rejects(server.client('nobody').join('told'), (e) => e instanceof Failure && e.name === 'NotFound');
  await server.publish('told', 'in again');
  await ada.take((m) => m.json?.data === 'in again');
  await server.manager.sendToUser('ada!', Buffer.from('bin'));
  assert.equal((await ada.take((m) => m.json?.from === 'server')).json.data, 'Ymlu');
  await client.close('enough');
  await shownOut(ada, 'enough');
  const [user, , state] = await within(5000, 'disconnect', gone);
  assert.deepEqual([user, state], ['ada!', 'seen']);
  assert.equal(heard.length, 3);
});

check('several callbacks for a word: the first whose filter lets it pass', async (t) => {
  const { daemon, open } = await helper(t);
  const server = await open();
  await server.handleEvents('connect', () => ({ groups: ['all'] }));
  await server.handleEvents('ask', () => 'first', "userId eq 'ada'");
  await server.handleEvents('ask*', ({ name }) => `second ${name}`, "userId ne 'bob'");
  await server.handleEvents('*', ({ name }) => `rest ${name}`);
  const answers = async (user) => {
    const client = await enter(daemon, user);
    const all = [];
    for (const event of ['ask', 'asking', 'tell']) {
      client.send({ type: 'event', event, dataType: 'text', data: '' });
      all.push((await client.type('message')).data);
    }
    return all;
  };
  assert.deepEqual(await answers('ada'), ['first', 'second asking', 'rest tell']);
  assert.deepEqual(await answers('bob'), ['rest ask', 'rest asking', 'rest tell']);
  assert.deepEqual(await answers('cat'), ['second ask', 'second asking', 'rest tell']);
});

check('what cannot be sent is refused before it is', async (t) => {
  const { open, WebPubSubServer } = await helper(t);
  const server = await open('publisher+subscriber+manager');
  for (const bad of [undefined, null, () => {}]) assert.throws(() => server.publish('g', bad), TypeError);
  for (const bad of [undefined, '', 7]) {
    assert.throws(() => server.publish(bad, 'x'), TypeError);
    assert.throws(() => server.client(bad), TypeError);
    await assert.rejects(server.handleEvents(bad, () => {}), TypeError);
  }
  await assert.rejects(server.handleEvents('x', () => {}, 'nonsense eq 1'), { name: 'BadRequest' });
  assert.throws(() => new WebPubSubServer('Endpoint=http://localhost;'), TypeError);
  await server.publish('g', 'all the same connection');
});

check('without a service: patience, and an end', async (t) => {
  const { daemon, open, WebPubSubServer, log } = await helper(t);
  const server = await open();
  const never = new WebPubSubServer(`Endpoint=${daemon.origin};AccessKey=${'x'.repeat(40)};`, 'manager', { timeout: 300, log: (line) => log.push(line) });
  await assert.rejects(never.publish('g', 'x'), { name: 'Timeout' });
  await until(5000, 'the reason', () => log.some((line) => /not connected: .*401; again in/.test(line)));
  await never.close();
  await assert.rejects(never.ready(), { name: 'Closed' });
  await daemon.stop();
  await until(5000, 'its loss', () => log.some((line) => /not connected: closed 1001/.test(line)));
  await server.close();
  await server.close();
  await assert.rejects(server.publish('g', 'x'), { name: 'Closed' });
});
