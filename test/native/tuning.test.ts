// tuning_cases.cc: the tuner with times that are made up, its file, and an engine whose device pretends to have ways to choose.
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { buildTestProgram } from '../../main/setup/addon.mjs';
import { openNative } from './native.ts';
import { planBytes, temporaryFolder } from './plan-writer.ts';
import { tinyLlama } from './tiny-models.ts';

const folder = temporaryFolder();
let plan: string;
let lines: string[];
beforeAll(async () => {
  await openNative();
  const program = await buildTestProgram('quoth_tuning_cases');
  plan = folder.write('tuned.plan', planBytes(tinyLlama()));
  const work = join(folder.path, 'work 山田');
  mkdirSync(work);
  const ran = spawnSync(program, [plan, work], { encoding: 'utf8', timeout: 120_000 });
  lines = `${ran.stdout}${ran.stderr}`.split('\n').filter((line) => line !== '');
}, 900_000);
afterAll(() => folder.remove());

test.each([
  'the fastest way is taken, the most valuable shape first',
  'no way is taken for noise, with other bits, or that is not there',
  'the budget is respected: what is not reached stays',
  'what fails ends the tuning alone',
  'what is known is not measured again, what is unknown is',
  'ranges of rows follow each other within a family',
  'what is written is read again, under any name',
  'a file of another GPU, driver or build is as good as none',
  'a damaged file is as good as none',
  'what cannot be written is told, and nothing stays behind',
  'an engine tunes when nobody asks, once, and answers the same',
  'an engine that is closed meanwhile, or cannot write, goes on',
])('%s', (name) => {
  expect(lines, lines.join('\n')).toContain(`ok ${name}`);
});

test('on a processor there is nothing to tune', async () => {
  const native = await openNative();
  const engine = await native.loadEngine({ plan, device: 'cpu', numThreads: 1, kvTokens: 64 });
  expect((await engine.stats()).tuning).toMatchObject({ state: 'nothing', numTasks: 0 });
  await engine.close();
  for (const wrong of [{ tune: 1 }, { tuningFile: 7 }])
    await expect(native.loadEngine({ plan, device: 'cpu', ...(wrong as object) })).rejects.toMatchObject({
      code: 'invalid-input',
    });
});
