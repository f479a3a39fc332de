// More connections than the server has file descriptors for.

import assert from 'node:assert/strict';
import http from 'node:http';
import { test } from 'node:test';

import { ask, codes, filledDatabase, folderFor, pause, READ, Server, until, Wire } from './servers.mjs';

/** File descriptors of the server. */
const LIMIT = 256;

const CONNECTIONS = 1_000;

/** Seconds for which the server has none left. */
const SHORT = 5;

test('a server without free file descriptors serves those it has', { timeout: 60_000 }, async context => {
  const folder = folderFor(context);
  const url = `sqlite://${filledDatabase(folder)}`;
  const server = await Server.start({ folder, url, shell: `ulimit -n ${LIMIT}` });
  const logged = server.logged().length;
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  const known = () => ask({ port: server.port, path: '/graphql', body: JSON.stringify({ query: READ }), agent });
  assert.deepEqual(codes(await known()), []);

  const wires = Array.from({ length: CONNECTIONS }, () => new Wire(server.port));
  await until('no file descriptor is left', () => server.descriptors() >= LIMIT - 1);
  const cpu = server.cpuSeconds();
  const asked = [];
  for (const end = performance.now() + SHORT * 1_000; performance.now() < end; ) {
    asked.push(await known());
    await pause(200);
  }
  const busy = (server.cpuSeconds() - cpu) / SHORT;
  for (const answer of asked) assert.deepEqual(codes(answer), [], answer.text);

  for (const wire of wires) wire.leave();
  const left = performance.now();
  await until('it takes new clients', async () => (await server.get('/health/ready').catch(() => ({}))).status === 200);
  const again = (performance.now() - left) / 1_000;
  agent.destroy();
  await until('all descriptors are free', () => server.descriptors() < LIMIT / 4);
  const lines = server.logged().slice(logged).trim().split('\n');
  context.diagnostic(
    `${CONNECTIONS} connections to ${LIMIT} descriptors: ${asked.length} requests on a connection that was there, ` +
      `${(100 * busy).toFixed(0)} % of a core, new clients after ${again.toFixed(1)} s, ${lines.length} lines of log`,
  );
  assert.ok(busy < 0.5, `${busy} of a core`);
  assert.ok(again < 5, `${again} s`);
  assert.ok(lines.length < 20 + 4 * SHORT, `${lines.length} lines of log`);
  await server.stop();
});
