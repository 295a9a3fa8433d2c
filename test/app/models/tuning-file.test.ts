import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { tuningFileFor } from '../../../app/models/tuning-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'quoth 山田-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const profile = join(folder, 'profile', 'tuning');

test('a plan in a folder that can be written to has its tuning file beside it, and nothing else is left there', async () => {
  expect(await tuningFileFor(join(folder, 'a.plan'), profile)).toEqual({});
  expect(readdirSync(folder)).toEqual([]);
});

test('a plan in a folder that cannot be written to has it in the profile, each its own', async () => {
  const plan = join(folder, 'missing', 'a.plan');
  const { tuningFile } = await tuningFileFor(plan, profile);
  expect(tuningFile).toMatch(/[0-9a-f]{32}\.json$/);
  expect(tuningFile!.startsWith(profile)).toBe(true);
  expect(existsSync(profile)).toBe(true);
  expect(await tuningFileFor(plan, profile)).toEqual({ tuningFile });
  expect(await tuningFileFor(join(folder, 'missing', 'b.plan'), profile)).not.toEqual({ tuningFile });
});

test('where the profile cannot be written to either, the engine does as it does by itself', async () => {
  expect(await tuningFileFor(join(folder, 'missing', 'a.plan'), join(folder, '\0'))).toEqual({});
});
