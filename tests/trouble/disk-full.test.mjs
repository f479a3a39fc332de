// The disk of a SQLite database is full: what is to be written is refused, what is there is read on, and nothing has to
// be restarted when there is room again.
//
// Where file systems may be mounted, the database is alone on a small one that is full. Where they may not, and there
// too, a limit of the process takes the part of the disk: files may not grow. SQLite sees two different errors.

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, rmSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { codes, countOf, createPayment, filledDatabase, folderFor, fromEnvironment, READ, Server, verify }
  from './servers.mjs';

/** What every try to write is answered with while there is no room. */
function assertUnavailable(answer, what) {
  assert.deepEqual(codes(answer), ['SERVICE_UNAVAILABLE'], `${what}: ${answer.text}`);
  assert.equal(answer.headers['retry-after'], '1', what);
  assert.equal(answer.json.data, null, what);
}

/** Fills the disk, tries, makes room, tries again; `check` verifies the books from another process. */
async function trouble(context, server, { fill, makeRoom, check }) {
  const acknowledged = [];
  const write = async reference => {
    const answer = await createPayment(server, reference);
    if (answer.json?.data?.createPayment.payment) acknowledged.push(reference);
    return answer;
  };
  for (let index = 0; index < 3; index += 1) await write(`FULL/before/${index}`);
  assert.equal(acknowledged.length, 3);

  await fill();
  // Some may still find room in what the files have.
  let refused = 0;
  for (let index = 0; index < 60 && refused < 10; index += 1) {
    const answer = await write(`FULL/while/${index}`);
    if (codes(answer).length > 0) {
      refused += 1;
      assertUnavailable(answer, `write ${index}`);
      const read = await server.graphql(READ);
      assert.deepEqual(codes(read), [], 'what is there is read');
    }
  }
  assert.equal(refused, 10);
  const among = await Promise.all(Array.from({ length: 10 }, (_, index) => write(`FULL/among/${index}`)));
  for (const answer of among.filter(answer => codes(answer).length > 0)) assertUnavailable(answer, 'one of many');
  assert.equal(await countOf(server, 'FULL/'), acknowledged.length, 'what was refused is not there, all else is');
  assert.equal((await server.get('/health/ready')).status, 200, 'it reads, so it is ready');

  await makeRoom();
  for (let index = 0; index < 60; index += 1) {
    const reference = `FULL/while/${index}`;
    if (acknowledged.includes(reference)) continue;
    const answer = await write(reference);
    assert.deepEqual(codes(answer), [], 'under its key it is done now');
  }
  assert.equal(await countOf(server, 'FULL/'), acknowledged.length);
  // Another process sees what is committed, and no more.
  const books = new RegExp(`^${20 + acknowledged.length} payments checked, .* 0 faults`, 'm');
  assert.match(check(), books);
  context.diagnostic(`${refused} writes refused, ${acknowledged.length} acknowledged and there`);
  return books;
}

test('files that may not grow', { timeout: 60_000 }, async context => {
  const folder = folderFor(context);
  const file = filledDatabase(folder);
  const url = `sqlite://${file}`;
  // Without the trap the kernel would end the process at its first write beyond the limit.
  const server = await Server.start({ folder, url, shell: "trap '' XFSZ" });
  const limit = bytes => execFileSync('prlimit', ['--pid', `${server.process.pid}`, `--fsize=${bytes}:`]);
  const books = await trouble(context, server, {
    fill: () => limit(statSync(`${file}-wal`).size + 4_096),
    makeRoom: () => limit('unlimited'),
    check: () => verify(url),
  });
  await server.stop();
  assert.match(verify(url), books);
});

const root = process.getuid() === 0;
const NAMESPACE = ['unshare', '--mount', ...(root ? [] : ['--user', '--map-root-user'])];
const mayMount = spawnSync(NAMESPACE[0], [...NAMESPACE.slice(1), 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt']).status === 0;

test('a file system that is full', { timeout: 60_000 }, async context => {
  if (!mayMount) return context.diagnostic('left out: nothing may be mounted here');
  const folder = folderFor(context);
  const disk = join(folder, 'disk');
  mkdirSync(disk);
  // Nobody else sees the file system, and it goes with the process.
  const seed = fromEnvironment('TROUBLE_SEED');
  const shell = `mount -t tmpfs -o size=64m tmpfs '${disk}' && cp '${seed}' '${disk}/dermaga.db'`;
  const url = `sqlite://${disk}/dermaga.db`;
  const server = await Server.start({ folder, url, unshare: NAMESPACE, shell });
  const ballast = `/proc/${server.process.pid}/root${disk}/ballast`;
  const enter = ['nsenter', '--target', `${server.process.pid}`, '--mount', ...(root ? [] : ['--user', '--preserve-credentials'])];
  await trouble(context, server, {
    fill: () => {
      const file = openSync(ballast, 'w');
      try {
        for (;;) writeSync(file, Buffer.alloc(4_096));
      } catch (error) {
        assert.equal(error.code, 'ENOSPC');
      } finally {
        closeSync(file);
      }
    },
    makeRoom: () => rmSync(ballast),
    check: () => verify(url, enter),
  });
  await server.stop();
});
