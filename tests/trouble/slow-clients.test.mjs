// Five hundred clients that are slow in five ways, and one that is not.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';

import { filledDatabase, folderFor, latencies, pause, percentile, Server, Wire } from './servers.mjs';

/** Of each kind. */
const CLIENTS = 100;

const HEAD = 'POST /graphql HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n';

/** So often the same is asked for at once: its answers are more than the buffers of the network hold. */
const REPEATED = 20;

/** A short message of a WebSocket client. */
function frame(text) {
  const [mask, data] = [randomBytes(4), Buffer.from(text)];
  return Buffer.concat([Buffer.from([0x81, 0x80 | data.length]), mask, data.map((byte, at) => byte ^ mask[at % 4])]);
}

/** What each kind does, given a script of some 100 KB, once its connection is open; a byte a second is sent of what it returns. */
const KINDS = {
  'sends nothing': () => '',
  'sends a head, a byte a second': () => `${HEAD}content-length: 2\r\n\r\n{}`,
  'sends a body, a byte a second': wire => {
    wire.send(`${HEAD}content-length: 1000\r\n\r\n`);
    return ' '.repeat(1_000);
  },
  'does not read its answer': (wire, script) => {
    wire.send(`GET /${script} HTTP/1.1\r\nhost: localhost\r\naccept-encoding: gzip\r\n\r\n`.repeat(REPEATED));
    wire.socket.pause();
    return '';
  },
  'does not read its WebSocket': wire => {
    const key = 'sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n';
    wire.send(`GET /graphql HTTP/1.1\r\nhost: localhost\r\nupgrade: websocket\r\nconnection: upgrade\r\n${key}`);
    wire.send('sec-websocket-protocol: graphql-transport-ws\r\n\r\n');
    wire.send(frame('{"type":"connection_init"}'));
    wire.socket.pause();
    return '';
  },
};

/** Within how many seconds each of them is gone, as docs/operations.md promises. */
const BOUNDS = {
  'sends nothing': 7,
  'sends a head, a byte a second': 7,
  'sends a body, a byte a second': 12,
  'does not read its answer': 35,
  'does not read its WebSocket': 55,
};

test('slow clients are ended in time, and nobody else waits for them', { timeout: 120_000 }, async context => {
  const folder = folderFor(context);
  const server = await Server.start({ folder, url: `sqlite://${filledDatabase(folder)}` });
  const alone = percentile(await latencies(server, 300), 99);
  const [megabytes, descriptors] = [server.megabytes(), server.descriptors()];

  const [script] = /assets\/index-[^"]+\.js/.exec((await server.get('/')).text);
  const bytes = Number((await server.get(`/${script}`, { headers: { 'accept-encoding': 'gzip' } })).headers['content-length']);
  assert.ok(REPEATED * bytes > 6_000_000, `${bytes} bytes`);

  const wires = Object.entries(KINDS).flatMap(([kind, begin]) =>
    Array.from({ length: CLIENTS }, () => ({ kind, begin, wire: new Wire(server.port), rest: '' })));
  await Promise.all(wires.map(async each => {
    await each.wire.opened;
    each.rest = each.begin(each.wire, script);
  }));
  // How long each kind stays is seen on the server's side: who does not read does not see the end.
  const dripping = setInterval(() => {
    for (const each of wires) {
      if (each.rest && each.wire.socket.writable) each.wire.send(each.rest[0]);
      each.rest = each.rest.slice(1);
    }
  }, 1_000);
  const stay = {};
  let beside = [];
  let most = 0;
  try {
    const started = performance.now();
    const bound = Math.max(...Object.values(BOUNDS));
    while (Object.keys(stay).length < wires.length && performance.now() - started < bound * 1_000) {
      if (beside.length < 300) beside = beside.concat(await latencies(server, 20));
      else await pause(200);
      most = Math.max(most, server.megabytes());
      const open = new Set(server.peers());
      for (const [index, each] of wires.entries()) {
        if (!open.has(each.wire.socket.localPort ?? each.port)) stay[index] ??= (performance.now() - started) / 1_000;
        else each.port = each.wire.socket.localPort;
      }
    }
  } finally {
    clearInterval(dripping);
  }
  const longest = kind => Math.max(...wires.map((each, index) => (each.kind === kind ? (stay[index] ?? Infinity) : 0)));
  for (const kind of Object.keys(KINDS)) context.diagnostic(`who ${kind} is gone after ${longest(kind).toFixed(1)} s`);
  const p99 = percentile(beside, 99);
  context.diagnostic(
    `beside ${wires.length} slow clients the 99th percentile of another one is ${p99.toFixed(1)} ms, alone ` +
      `${alone.toFixed(1)} ms; memory +${(most - megabytes).toFixed(1)} MB`,
  );
  for (const { wire } of wires) wire.leave();
  for (const [kind, bound] of Object.entries(BOUNDS)) assert.ok(longest(kind) < bound, `${kind}: ${longest(kind)} s`);
  assert.ok(p99 < Math.max(5 * alone, 250), `${p99} ms`);
  // Some may be new connections to the database.
  assert.ok(server.descriptors() <= descriptors + 30, `${descriptors} to ${server.descriptors()} descriptors`);
  assert.ok(most - megabytes < 400, `${megabytes} to ${most} MB`);
  await server.stop();
});
