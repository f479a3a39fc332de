// Makes what the tests import, from nothing, so that what an earlier schema left behind cannot help a test:
// generated/ by codegen, relay/__generated__ and generated/relay-manifest.json by relay-compiler.

import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';

const folder = import.meta.dirname;

function run(program, ...options) {
  const file = path.join(folder, 'node_modules', '.bin', program);
  const { status, stdout, stderr } = spawnSync(file, options, { cwd: folder, encoding: 'utf8' });
  process.stdout.write(stdout + stderr);
  // relay-compiler ends well when all that it has to say are warnings.
  if (status !== 0 || /\bWARN/i.test(stdout + stderr)) {
    process.stderr.write(`${program} has complaints; exit code ${status}\n`);
    process.exit(1);
  }
}

for (const made of ['generated', 'relay/__generated__']) rmSync(path.join(folder, made), { recursive: true, force: true });
mkdirSync(path.join(folder, 'generated/relay-persisted'), { recursive: true });
mkdirSync(path.join(folder, 'relay/__generated__'), { recursive: true });
// relay-compiler adds to its manifest and does not begin one.
writeFileSync(path.join(folder, 'generated/relay-manifest.json'), '{}\n');

run('graphql-codegen', '--config', 'codegen.ts', '--silent');
run('relay-compiler', 'relay.config.json');
run('relay-compiler', 'relay.persisted.config.json');
