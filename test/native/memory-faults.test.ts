// Every allocation fails once; memory_faults.cc does it, since JavaScript cannot make an allocation fail.
import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { buildTestProgram } from '../../main/setup/addon.mjs';
import { planBytes, temporaryFolder } from './plan-writer.ts';
import { tinyLlama } from './tiny-models.ts';

const folder = temporaryFolder();
let lines: string[];
let status: number | null;
beforeAll(async () => {
  const program = await buildTestProgram('quoth_memory_faults');
  const plan = folder.write('faults.plan', planBytes(tinyLlama()));
  const ran = spawnSync(program, [plan], { encoding: 'utf8', timeout: 300_000 });
  lines = ran.stdout.split('\n').filter((line) => line !== '');
  status = ran.status;
}, 900_000);
afterAll(() => folder.remove());

test.each([
  ['any allocation of a load', /^ok: (\d+) allocations of a load by new$/, 100],
  ['any of the device’s buffers', /^ok: (\d+) allocations of a load by the device$/, 10],
  ['any allocation of an answer', /^ok: (\d+) allocations of an answer, \d+ told as faults$/, 50],
])('%s may fail: a clear fault, nothing left behind, and the engine goes on', (_, line, least) => {
  expect(lines.filter((one) => one.startsWith('FAILED'))).toEqual([]);
  const found = lines.map((one) => line.exec(one)).find((one) => one !== null);
  expect(found, lines.join('\n')).toBeTruthy();
  expect(Number(found![1])).toBeGreaterThan(least);
});

test('the program ends by itself', () => {
  expect(lines.at(-1)).toBe('all ok');
  expect(status).toBe(0);
});
