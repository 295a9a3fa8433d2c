// Each line of ahead_cases.cc is a test: an engine that starts a step before it knows the ids of the last one, against one
// that waits for them.
import { spawnSync } from 'node:child_process';
import { afterAll, expect, test } from 'vitest';
import { buildTestProgram } from '../../main/setup/addon.mjs';
import { planBytes, temporaryFolder } from './plan-writer.ts';
import { tinyBert, tinyLlama } from './tiny-models.ts';

const folder = temporaryFolder();
afterAll(() => folder.remove());
const plan = folder.write('ahead.plan', planBytes(tinyLlama({ contextTokens: 4096 })));
const embedder = folder.write('embedder.plan', planBytes(tinyBert()));
const ran = spawnSync(await buildTestProgram('quoth_ahead_cases'), [plan, embedder], {
  encoding: 'utf8',
  timeout: 240_000,
});
const cases = ran.stdout.split('\n').flatMap((line) => {
  const found = /^(ok|FAILED) ([^:]*)(?:: (.*))?$/.exec(line);
  return found ? [{ name: found[2]!, outcome: found[1]!, why: found[3] }] : [];
});

test('the program runs to its end', () => {
  expect(ran.stdout.trim().split('\n').at(-1)).toBe('all ok');
  expect(ran.status).toBe(0);
  expect(cases.length).toBeGreaterThan(14);
});

test.each(cases)('with steps in the air: $name', ({ outcome, why }) => {
  expect(outcome, why).toBe('ok');
});
