// The servers that are brought into trouble. tests/run says what to start them from:
//
//   DERMAGA                        the program
//   TROUBLE_SEED                   a SQLite file that is filled already, which each test copies
//   TROUBLE_POSTGRES_URL           a PostgreSQL server that nobody else uses
//   TROUBLE_POSTGRES_DATA          its folder
//   TROUBLE_PG_CTL                 how it is stopped and started, with what goes before as words between blanks
//
// Each server ends with the process that started it, however that ends.

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { closeSync, copyFileSync, mkdtempSync, openSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

/** After how many milliseconds something that should have happened has failed to. */
export const BOUND = 60_000;

/** Milliseconds between two looks at something that sends no event. */
const LOOK_AGAIN = 50;

export function fromEnvironment(name) {
  assert.ok(process.env[name], `${name} must be set; tests/run --only trouble does`);
  return process.env[name];
}

const servers = [];

/** A folder that is deleted after the test, when the servers that run in it have ended. */
export function folderFor(context) {
  const folder = mkdtempSync(join(tmpdir(), 'trouble-'));
  context.after(async () => {
    await Promise.all(servers.filter(server => server.folder === folder).map(server => server.kill()));
    rmSync(folder, { recursive: true, force: true });
  });
  return folder;
}

/** A port that is free now. */
export async function freePort() {
  const probe = net.createServer().listen(0, '127.0.0.1');
  await new Promise(resolve => probe.once('listening', resolve));
  const { port } = probe.address();
  await new Promise(resolve => probe.close(resolve));
  return port;
}

/** A copy of the filled SQLite file. */
export function filledDatabase(folder) {
  const file = join(folder, 'dermaga.db');
  copyFileSync(fromEnvironment('TROUBLE_SEED'), file);
  return file;
}

/** Waits until something is so, or has not come about in time. */
export async function until(what, look, bound = BOUND) {
  const end = Date.now() + bound;
  for (;;) {
    const seen = await look();
    if (seen) return seen;
    assert.ok(Date.now() < end, `waited ${bound / 1000} s in vain until ${what}`);
    await pause(LOOK_AGAIN);
  }
}

/** Dermaga itself. */
export class Server {
  /**
   * Starts one and waits until it is ready. `shell` is what a shell does first, as `ulimit -n 256`; `unshare` gives it
   * file systems of its own.
   */
  static async start({ folder, url, shell = ':', unshare = [], options = [] }) {
    const server = new Server();
    server.folder = folder;
    server.port = await freePort();
    server.origin = `http://127.0.0.1:${server.port}`;
    server.log = join(folder, 'dermaga.log');
    const log = openSync(server.log, 'w');
    const command = `${shell}; exec "$0" "$@"`;
    const [program, ...words] = [
      ...[...unshare, 'setpriv', '--pdeathsig', 'KILL', 'bash', '-c', command, fromEnvironment('DERMAGA'), 'serve'],
      ...['--listen', `127.0.0.1:${server.port}`, '--demo-payments', '20', '--demo-ticker', '0', ...options],
    ];
    server.process = spawn(program, words, {
      cwd: folder,
      env: { ...process.env, DATABASE_URL: url },
      stdio: ['ignore', 'ignore', log],
    });
    closeSync(log);
    servers.push(server);
    server.ended = new Promise(resolve => server.process.once('exit', (code, signal) => resolve(code ?? signal)));
    await until('the server is ready', async () => {
      assert.ok(server.lives(), `the server ended before it was ready\n${server.logged().slice(-2_000)}`);
      return (await server.get('/health/ready').catch(() => ({}))).status === 200;
    });
    return server;
  }

  lives() {
    return this.process.exitCode === null && this.process.signalCode === null;
  }

  kill() {
    if (this.lives()) this.process.kill('SIGKILL');
    return this.ended;
  }

  /** Ends it as an operator does, which must go well. */
  async stop() {
    this.process.kill('SIGTERM');
    assert.equal(await this.ended, 0, this.logged().slice(-2_000));
  }

  logged() {
    return readFileSync(this.log, 'utf8');
  }

  get(path, options = {}) {
    return ask({ port: this.port, path, ...options });
  }

  /** The answer to a GraphQL request, with its milliseconds. */
  graphql(query, variables, options = {}) {
    return ask({ port: this.port, path: '/graphql', body: JSON.stringify({ query, variables }), ...options });
  }

  async metric(name) {
    const { text } = await this.get('/metrics');
    const line = text.split('\n').find(line => line.startsWith(`${name} `));
    return line ? Number(line.slice(name.length + 1)) : 0;
  }

  /** Megabytes of memory. */
  megabytes() {
    return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${this.process.pid}/status`, 'utf8'))[1]) / 1024;
  }

  /** Open file descriptors. */
  descriptors() {
    return readdirSync(`/proc/${this.process.pid}/fd`).length;
  }

  /** The ports of those whose connections it holds. */
  peers() {
    const ours = this.port.toString(16).toUpperCase().padStart(4, '0');
    const held = new Set();
    for (const name of readdirSync(`/proc/${this.process.pid}/fd`)) {
      try {
        held.add(/^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${this.process.pid}/fd/${name}`))?.[1]);
      } catch {
        // It was closed meanwhile.
      }
    }
    const lines = readFileSync('/proc/net/tcp', 'utf8').trim().split('\n').slice(1);
    const rows = lines.map(line => line.trim().split(/\s+/)).filter(row => row[1].endsWith(`:${ours}`) && held.has(row[9]));
    return rows.map(row => Number.parseInt(row[2].split(':')[1], 16));
  }

  /** Seconds of CPU so far, of all threads. */
  cpuSeconds() {
    const fields = readFileSync(`/proc/${this.process.pid}/stat`, 'utf8').split(') ')[1].split(' ');
    return (Number(fields[11]) + Number(fields[12])) / 100;
  }
}

/** Sends one request. Every answer has been read to its end; one that does not come is an error. */
export function ask({ port, path, body, agent = false, headers = {}, timeout = 30_000 }) {
  const started = performance.now();
  return new Promise((resolve, reject) => {
    const request = http.request(
      {
        ...{ host: '127.0.0.1', port, path, agent, timeout, method: body === undefined ? 'GET' : 'POST' },
        headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
      },
      response => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', piece => (text += piece));
        response.on('error', reject);
        response.on('end', () => {
          const answer = { status: response.statusCode, headers: response.headers, text };
          answer.milliseconds = performance.now() - started;
          if (/json/.test(response.headers['content-type'])) answer.json = JSON.parse(text);
          resolve(answer);
        });
      },
    );
    request.on('timeout', () => request.destroy(new Error(`no answer in ${timeout} ms`)));
    request.on('error', reject);
    request.end(body);
  });
}

/** The codes of the errors in an answer. */
export function codes(answer) {
  return (answer.json?.errors ?? []).map(error => error.extensions?.code);
}

export const READ = '{ payments(first: 10) { totalCount nodes { reference installments { nodes { dueDate } } } } }';

const CREATE = `mutation ($input: CreatePaymentInput!) {
  createPayment(input: $input) { payment { reference } userErrors { code } }
}`;

/** Makes a payment. The reference is its idempotency key as well. */
export function createPayment(server, reference, options) {
  const plan = { even: { count: 3, firstDueDate: '2026-11-30' } };
  const amount = { amount: '90000000', currency: 'IDR' };
  const input = { idempotencyKey: reference, reference, amount, payerName: 'PT Samudra Raya', plan };
  return server.graphql(CREATE, { input }, options);
}

/** How many payments there are whose reference begins like this. */
export async function countOf(server, prefix) {
  const query = 'query ($prefix: String!) { payments(where: {reference: {startsWith: $prefix}}) { totalCount } }';
  const answer = await server.graphql(query, { prefix });
  assert.ok(answer.json.data, answer.text);
  return answer.json.data.payments.totalCount;
}

/** Looks for faults in the books; `within` is a command that runs it elsewhere. */
export function verify(url, within = []) {
  const [program, ...words] = [...within, fromEnvironment('DERMAGA'), 'verify'];
  return execFileSync(program, words, {
    env: { ...process.env, DATABASE_URL: url },
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

/** The value below which so many hundredths of them are. */
export function percentile(values, hundredths) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * hundredths) / 100))];
}

/** Milliseconds that a client with connections of its own waits for answers, one after the other. */
export async function latencies(server, count) {
  const found = [];
  for (let index = 0; index < count; index += 1) {
    const answer = await server.graphql(READ);
    assert.deepEqual(codes(answer), []);
    found.push(answer.milliseconds);
  }
  return found;
}

/** A bare connection, and what it received. */
export class Wire {
  constructor(port) {
    this.received = '';
    this.socket = net.connect({ host: '127.0.0.1', port });
    this.socket.setEncoding('latin1');
    this.started = performance.now();
    this.opened = new Promise(resolve => this.socket.once('connect', resolve));
    this.ended = new Promise(resolve => {
      this.socket.on('close', () => resolve((performance.now() - this.started) / 1_000));
    });
    this.socket.on('data', piece => (this.received += piece));
    // How it ended is seen in `ended`, and in what was received before.
    this.socket.on('error', () => {});
  }

  send(text) {
    this.socket.write(text);
    return this;
  }

  leave() {
    this.socket.destroy();
  }
}

export { pause };
