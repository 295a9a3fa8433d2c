/**
 * Opens and builds broken checkpoints, for as long as one likes:
 *
 *     node_modules/.bin/node test/fuzz/checkpoints.ts [first case] [cases]
 *
 * A case is its number: the same on every machine. The work is done in a process of its own, with little memory; one that
 * does not answer for a minute is ended, and its case named.
 */
import { fork } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { openNative } from '../native/native.ts';
import { fuzzCheckpoints } from './fuzz-checkpoints.ts';

const silenceMs = 60_000;
const [first = '0', count = '20000'] = process.argv.slice(2);

if (process.send === undefined) {
  const child = fork(import.meta.filename, [first, count], { execArgv: ['--max-old-space-size=256'] });
  let last = 'none yet';
  let heard = performance.now();
  let isDone = false;
  child.on('message', (line) => {
    last = String(line);
    heard = performance.now();
    if (last.startsWith('case') === false) process.stdout.write(`${last}\n`);
  });
  child.on('exit', (code, signal) => {
    isDone = true;
    if (code === 0) return;
    process.stdout.write(`Ended with ${code ?? signal}; the last sound one was ${last}.\n`);
    process.exitCode = 1;
  });
  while (!isDone) {
    await delay(500);
    if (performance.now() - heard < silenceMs + 50_000 * Number(last === 'none yet')) continue;
    child.kill('SIGKILL');
    heard = Number.POSITIVE_INFINITY;
  }
} else {
  const folder = await mkdtemp(join(tmpdir(), 'quoth fuzz '));
  try {
    const { builder } = await openNative();
    const onCase = (number: number, outcome: string) => process.send!(`case ${number}: ${outcome}`);
    const outcomes = await fuzzCheckpoints({ folder, first: Number(first), count: Number(count), builder, onCase });
    process.send(`${count} cases from ${first} on: ${JSON.stringify(outcomes)}`);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  process.disconnect();
}
