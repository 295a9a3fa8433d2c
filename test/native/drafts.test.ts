// Each line of draft_cases.cc is a test: what is drafted, and when, cannot be seen through the engine, whose ids it never
// changes.
import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { buildTestProgram } from '../../main/setup/addon.mjs';

const ran = spawnSync(await buildTestProgram('quoth_draft_cases'), { encoding: 'utf8', timeout: 60_000 });
const cases = ran.stdout.split('\n').flatMap((line) => {
  const found = /^(ok|FAILED) (.*)$/.exec(line);
  return found ? [{ name: found[2]!, outcome: found[1]! }] : [];
});

test('the program runs to its end', () => {
  expect(ran.stdout.trim().split('\n').at(-1)).toBe('all ok');
  expect(ran.status).toBe(0);
  expect(cases.length).toBeGreaterThan(15);
});

test.each(cases)('$name', ({ outcome }) => {
  expect(outcome).toBe('ok');
});
