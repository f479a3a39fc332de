// Ten thousand clients that have asked once and stay connected.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { filledDatabase, folderFor, latencies, percentile, Server, until, Wire } from './servers.mjs';

const WANTED = 10_000;

/** Connections that are opened at a time, so that the queue of the listener holds them. */
const AT_ONCE = 500;

/** Seconds after which an idle connection is closed (all have to be open before), and some for the closing. */
const IDLE = 25;
const CLOSING = 5;

/** How many file descriptors a process may have here. */
function descriptorLimit() {
  return Number(/^Max open files\s+\d+\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))[1]);
}

test('ten thousand idle connections', { timeout: 120_000 }, async context => {
  const count = Math.min(WANTED, descriptorLimit() - 500);
  const folder = folderFor(context);
  const url = `sqlite://${filledDatabase(folder)}`;
  const options = ['--keep-alive', `${IDLE}`];
  const server = await Server.start({ folder, url, shell: 'ulimit -n "$(ulimit -H -n)"', options });
  const alone = percentile(await latencies(server, 200), 99);
  const [megabytes, descriptors] = [server.megabytes(), server.descriptors()];
  const request = 'GET /health/live HTTP/1.1\r\nhost: localhost\r\n\r\n';

  const wires = [];
  const started = performance.now();
  while (wires.length < count) {
    const some = Array.from({ length: Math.min(AT_ONCE, count - wires.length) }, () => new Wire(server.port));
    await Promise.all(some.map(async wire => {
      await wire.opened;
      wire.send(request);
      await new Promise(resolve => wire.socket.once('data', resolve));
      wire.answered = performance.now();
      wire.idle = wire.ended.then(() => (performance.now() - wire.answered) / 1_000);
    }));
    wires.push(...some);
  }
  const opening = (performance.now() - started) / 1_000;
  const held = server.descriptors() - descriptors;
  const ended = wires.filter(wire => wire.socket.destroyed).length;
  const each = (1_024 * (server.megabytes() - megabytes)) / held;
  const beside = percentile(await latencies(server, 100), 99);
  const still = server.descriptors() - descriptors;
  const idle = await Promise.all(wires.map(wire => wire.idle));
  // Some may be new connections to the database.
  await until('all descriptors are free', () => server.descriptors() <= descriptors + 30);
  const [shortest, longest] = [Math.min(...idle), Math.max(...idle)];
  context.diagnostic(
    `${held} idle connections at once, opened in ${opening.toFixed(1)} s, with ${each.toFixed(1)} KB each; beside them the ` +
      `99th percentile of another client is ${beside.toFixed(1)} ms, alone ${alone.toFixed(1)} ms; closed after ` +
      `${shortest.toFixed(1)} to ${longest.toFixed(1)} s`,
  );
  assert.equal(ended, 0);
  // A connection to the database may have come, and that of a client before have gone.
  assert.ok(Math.abs(held - count) < 20, `${held} descriptors for ${count} connections`);
  assert.ok(still > count / 2, `${still} were open while the other client asked`);
  assert.ok(each < 64, `${each} KB`);
  assert.ok(beside < Math.max(5 * alone, 250), `${beside} ms`);
  assert.ok(shortest >= IDLE - 1 && longest <= IDLE + CLOSING, `${shortest} to ${longest} s`);
  await server.stop();
});
