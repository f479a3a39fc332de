// The servers that the tests talk to. tests/run starts them and says where they are:
//
//   DERMAGA_URL, DERMAGA_PID        with a ticker every second and a connection_init within one second
//   DERMAGA_CLOSED_URL              with introspection off
//
// Nothing here sleeps: a test waits for what it wants to see, and BOUND is when it gives up.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';

import { WebSocket } from 'ws';

/** After how many milliseconds something that should have happened has failed to. */
export const BOUND = 30_000;

/** Milliseconds between two looks at something that sends no event. */
const LOOK_AGAIN = 50;

export const PROTOCOL = 'graphql-transport-ws';

export const TICKS = 'subscription { rateUpdated(quotes: ["IDR", "USD"]) { quote rate } }';

function fromEnvironment(name) {
  assert.ok(process.env[name], `${name} must be set; tests/run --only protocol does`);
  return process.env[name];
}

export const server = {
  origin: fromEnvironment('DERMAGA_URL'),
  pid: Number(fromEnvironment('DERMAGA_PID')),
};

export const closedServer = { origin: fromEnvironment('DERMAGA_CLOSED_URL') };

export const socketUrl = `${server.origin.replace('http', 'ws')}/graphql`;

/** Megabytes of memory that the server has. */
export function residentMegabytes() {
  const status = readFileSync(`/proc/${server.pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)[1]) / 1024;
}

/** The value of a metric; 0 when it is not there yet. */
export async function metric(name) {
  const text = await (await fetch(`${server.origin}/metrics`)).text();
  const line = text.split('\n').find(line => line.startsWith(`${name} `));
  return line ? Number(line.slice(name.length + 1)) : 0;
}

/** Waits until a metric has a value. */
export async function metricIs(name, wanted) {
  const end = Date.now() + BOUND;
  let value;
  do {
    value = await metric(name);
    if (value === wanted) return;
    await pause(LOOK_AGAIN);
  } while (Date.now() < end);
  assert.equal(value, wanted, name);
}

/** A WebSocket whose messages are awaited one by one. */
export class Socket {
  #messages = [];
  #waiting = [];

  constructor({ protocols = [PROTOCOL], url = socketUrl, headers } = {}) {
    this.raw = new WebSocket(url, protocols, { headers, perMessageDeflate: false });
    this.pongs = [];
    this.raw.on('message', data => {
      const message = JSON.parse(data.toString());
      const waiting = this.#waiting.shift();
      if (waiting) waiting(message);
      else this.#messages.push(message);
    });
    this.raw.on('pong', data => this.pongs.push(data.toString()));
    // A connection that is cut is looked at through its close event.
    this.raw.on('error', () => {});
    this.closed = new Promise(resolve => {
      this.raw.on('close', (code, reason) => resolve({ code, reason: reason.toString() }));
    });
    this.opened = new Promise((resolve, reject) => {
      this.raw.on('open', () => resolve(this));
      this.raw.on('error', reject);
    });
    this.opened.catch(() => {});
  }

  /** A socket that is open. */
  static open(options) {
    return new Socket(options).opened;
  }

  /** A socket on which operations may start. */
  static async acknowledged(options) {
    const socket = await Socket.open(options);
    socket.send({ type: 'connection_init' });
    assert.deepEqual(await socket.next(), { type: 'connection_ack' });
    return socket;
  }

  send(message) {
    this.raw.send(typeof message === 'string' || Buffer.isBuffer(message) ? message : JSON.stringify(message));
  }

  subscribe(id, query, variables) {
    this.send({ id, type: 'subscribe', payload: { query, variables } });
  }

  /** The next message that has not been looked at. */
  next() {
    if (this.#messages.length > 0) return Promise.resolve(this.#messages.shift());
    return within(new Promise(resolve => this.#waiting.push(resolve)), 'a message');
  }

  /** The code and reason of the end. */
  end() {
    return within(this.closed, 'the end of the socket');
  }

  async leave() {
    this.raw.close();
    await this.end();
  }
}

/** What is promised, unless it takes too long. */
export async function within(promise, what, milliseconds = BOUND) {
  const control = new AbortController();
  try {
    return await Promise.race([
      promise,
      pause(milliseconds, null, { signal: control.signal, ref: false }).then(() => assert.fail(`no sign of ${what}`)),
    ]);
  } finally {
    control.abort();
  }
}
