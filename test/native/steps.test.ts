// Each line of step_cases.cc is a test: which rows a step has, which an engine on a processor does not show.
import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { buildTestProgram } from '../../main/setup/addon.mjs';

const ran = spawnSync(await buildTestProgram('quoth_step_cases'), { encoding: 'utf8', timeout: 60_000 });
const cases = ran.stdout.split('\n').flatMap((line) => {
  const found = /^(ok|FAILED) (.*)$/.exec(line);
  return found ? [{ name: found[2]!, outcome: found[1]! }] : [];
});

test('the program runs to its end', () => {
  expect(ran.stdout.trim().split('\n').at(-1)).toBe('all ok');
  expect(ran.status).toBe(0);
  expect(cases.length).toBeGreaterThan(14);
});

test.each(cases)('$name', ({ outcome }) => {
  expect(outcome).toBe('ok');
});
