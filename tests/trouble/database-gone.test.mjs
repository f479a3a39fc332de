// The database goes away for half a minute while fifty clients ask and write, and comes back: once it refuses
// connections, once it takes them and says nothing.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import http from 'node:http';
import { test } from 'node:test';

import { codes, countOf, createPayment, folderFor, fromEnvironment, pause, percentile, READ, Server, until, verify }
  from './servers.mjs';

const CLIENTS = 50;

/** Milliseconds between the answer to a client and its next request. */
const REST = 200;

/** Milliseconds for which the database is away. */
const AWAY = 30_000;

/** Milliseconds within which everything is well again. */
const RECOVERY = 2_000;

/** Milliseconds that a refusal may take. */
const FAST = 500;

const url = fromEnvironment('TROUBLE_POSTGRES_URL');

/** Runs `pg_ctl` with these words. */
function control(...words) {
  const [program, ...before] = fromEnvironment('TROUBLE_PG_CTL').trim().split(' ');
  const data = ['--pgdata', fromEnvironment('TROUBLE_POSTGRES_DATA'), '--wait'];
  const process = spawn(program, [...before, ...data, ...words], { cwd: '/', stdio: 'ignore' });
  return new Promise((resolve, reject) => {
    process.once('error', reject);
    process.once('exit', code => (code === 0 ? resolve() : reject(new Error(`pg_ctl ${words[0]}: ${code}`))));
  });
}

/** The processes of the database. */
function postgresProcesses() {
  const postmaster = readFileSync(`${fromEnvironment('TROUBLE_POSTGRES_DATA')}/postmaster.pid`, 'utf8').split('\n')[0];
  const children = readdirSync('/proc').filter(name => {
    try {
      return /^\d+$/.test(name) && readFileSync(`/proc/${name}/stat`, 'utf8').split(') ')[1].split(' ')[1] === postmaster;
    } catch {
      return false; // It has ended meanwhile.
    }
  });
  // The one that starts others first, so that there are no others afterwards.
  return [postmaster, ...children].map(Number);
}

let stopped = [];

function hang() {
  const [postmaster] = postgresProcesses();
  process.kill(postmaster, 'SIGSTOP');
  stopped = postgresProcesses();
  for (const each of stopped) process.kill(each, 'SIGSTOP');
}

function goOn() {
  for (const each of stopped.reverse()) process.kill(each, 'SIGCONT');
  stopped = [];
}

// However this ends: what is stopped cannot be ended by others.
process.on('exit', goOn);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => process.exit(1));

/** Clients that ask and write, each on a connection that it keeps, and what became of it. */
class Load {
  answers = [];
  broken = [];
  acknowledged = new Set();
  #ending = false;

  constructor(server, prefix) {
    this.server = server;
    this.prefix = prefix;
    this.clients = Array.from({ length: CLIENTS }, (_, number) => this.#client(number));
  }

  async #client(number) {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    for (let turn = number; !this.#ending; turn += 1) {
      if (turn % 5 === 0) await this.#write(`${this.prefix}/${number}/${turn}`, agent);
      else await this.#send(() => this.server.graphql(READ, undefined, { agent }));
      await pause(REST);
    }
    agent.destroy();
  }

  /** Sends a change under its key until it is acknowledged, as clients are told to. */
  async #write(reference, agent) {
    for (;;) {
      const answer = await this.#send(() => createPayment(this.server, reference, { agent }));
      const payload = answer?.json?.data?.createPayment;
      if (payload?.payment) return this.acknowledged.add(reference);
      // A key may still be in use by an attempt that was cut off.
      const refusals = payload?.userErrors?.map(error => error.code) ?? [];
      if (refusals.some(code => code !== 'IDEMPOTENCY_IN_PROGRESS')) this.broken.push(`${reference}: ${refusals}`);
      await pause(answer?.headers['retry-after'] ? 1_000 * answer.headers['retry-after'] : REST);
    }
  }

  async #send(request) {
    const sent = performance.now();
    try {
      const answer = await request();
      this.answers.push({ sent, ...answer, code: codes(answer)[0] ?? 'good' });
      return answer;
    } catch (error) {
      this.broken.push(String(error));
      return undefined;
    }
  }

  end() {
    this.#ending = true;
    return Promise.all(this.clients);
  }
}

/** Asks for the health again and again. */
function watchHealth(server) {
  const seen = { ready: [], live: [] };
  let ending = false;
  const watch = async (path, list) => {
    while (!ending) {
      const at = performance.now();
      const answer = await server.get(path);
      list.push({ at, status: answer.status, milliseconds: answer.milliseconds });
      await pause(100);
    }
  };
  const watching = [watch('/health/ready', seen.ready), watch('/health/live', seen.live)];
  return { seen, end: () => ((ending = true), Promise.all(watching)) };
}

/** Takes the database away and gives it back, under load; `noticed` is within how many milliseconds all know. */
async function trouble(context, { name, leave, comeBack, noticed }) {
  const folder = folderFor(context);
  const server = await Server.start({ folder, url });
  // Nobody has used these references, whatever the database has seen before.
  const prefix = `GONE/${randomUUID()}`;
  const load = new Load(server, prefix);
  const health = watchHealth(server);
  await pause(3_000);
  const before = { megabytes: server.megabytes(), descriptors: server.descriptors(), logged: server.logged().length };
  const pool = await server.metric('dermaga_database_connections{state="open"}');

  const gone = performance.now();
  await leave();
  let megabytes = 0;
  let descriptors = 0;
  while (performance.now() < gone + AWAY) {
    await pause(250);
    megabytes = Math.max(megabytes, server.megabytes());
    descriptors = Math.max(descriptors, server.descriptors());
  }
  const returning = performance.now();
  await comeBack();
  const returned = performance.now();
  await pause(RECOVERY + 3_000);
  const backs = await server.metric('dermaga_database_connections{state="open"}');
  await load.end();
  await health.end();

  const { answers } = load;
  const refused = answers.filter(({ sent }) => sent > gone + noticed && sent < returning - FAST);
  const first = answers.filter(({ sent }) => sent > gone - 100 && sent <= gone + noticed);
  const late = answers.filter(({ sent }) => sent > returned + RECOVERY);
  const good = answers.filter(({ sent, milliseconds, code }) => sent + milliseconds > returned && code === 'good');
  const recovered = Math.min(...good.map(({ sent, milliseconds }) => sent + milliseconds)) - returned;
  const slowest = list => Math.max(...list.map(({ milliseconds }) => milliseconds));
  const logged = server.logged().slice(before.logged).split('\n').length;
  context.diagnostic(
    `${name}: ${refused.length} requests refused, the 99th percentile in ` +
      `${percentile(refused.map(({ milliseconds }) => milliseconds), 99).toFixed(0)} ms, the slowest in ` +
      `${slowest(refused).toFixed(0)} ms; the slowest of the first ${noticed / 1_000} s in ${slowest(first).toFixed(0)} ms; ` +
      `first good answer ${recovered.toFixed(0)} ms after the return; memory +${(megabytes - before.megabytes).toFixed(1)} MB, ` +
      `descriptors ${before.descriptors} to ${descriptors}, pool ${pool} to ${backs}, ${logged} lines of log`,
  );

  await context.test('every answer has a code, and says when to come back', () => {
    assert.deepEqual(load.broken, []);
    assert.ok(refused.length > CLIENTS * 10, `${refused.length}`);
    const others = refused.filter(({ code }) => code !== 'SERVICE_UNAVAILABLE');
    assert.deepEqual(others.slice(0, 3).map(({ text }) => text), []);
    const silent = answers.filter(({ code, headers }) => code !== 'good' && headers['retry-after'] !== '1');
    assert.deepEqual(silent.slice(0, 3).map(({ text }) => text), []);
  });
  await context.test('nobody waits', () => {
    assert.ok(slowest(first) < noticed + FAST, `${slowest(first)} ms`);
    assert.ok(slowest(refused) < FAST, `${slowest(refused)} ms`);
  });
  await context.test('nothing piles up', () => {
    assert.ok(megabytes - before.megabytes < 32, `${before.megabytes} to ${megabytes} MB`);
    assert.ok(descriptors <= before.descriptors + 10, `${before.descriptors} to ${descriptors} descriptors`);
    assert.ok(logged < 300, `${logged} lines`);
  });
  await context.test('it is not ready, and lives', () => {
    const during = health.seen.ready.filter(({ at }) => at > gone + noticed && at < returning - FAST);
    assert.ok(during.length > 20);
    assert.deepEqual([...new Set(during.map(({ status }) => status))], [503]);
    assert.ok(slowest(during) < FAST, `${slowest(during)} ms`);
    assert.deepEqual([...new Set(health.seen.live.map(({ status }) => status))], [200]);
    assert.ok(slowest(health.seen.live) < 2 * FAST, `${slowest(health.seen.live)} ms`);
    assert.equal(health.seen.ready.at(-1).status, 200);
  });
  await context.test('all is well again two seconds after its return', () => {
    assert.ok(recovered < RECOVERY, `${recovered} ms`);
    assert.ok(late.length > CLIENTS);
    assert.deepEqual(late.filter(({ code }) => code !== 'good').slice(0, 3).map(({ text }) => text), []);
    assert.ok(backs <= 10 && backs >= 1, `${backs} connections`);
  });
  await context.test('no change is lost or made twice', async () => {
    assert.ok(load.acknowledged.size > CLIENTS);
    await until('the newest are counted', async () => (await countOf(server, `${prefix}/`)) === load.acknowledged.size, 5_000);
    assert.match(verify(url), /\b0 faults/);
  });
  await server.stop();
}

test('a database that refuses connections for half a minute', { timeout: 120_000 }, context =>
  trouble(context, {
    name: 'refuses',
    leave: () => control('stop', '--mode', 'immediate'),
    comeBack: () => control('start'),
    noticed: 1_000,
  }));

test('a database that hangs for half a minute', { timeout: 120_000 }, context =>
  trouble(context, { name: 'hangs', leave: hang, comeBack: goOn, noticed: 3_500 }));
