#!/usr/bin/env node
/**
 * `npm test`: sets up what the tests need, runs every kind that can run here, and ends with
 * `N passed, N failed, N skipped`. A kind that cannot run is named aloud and its tests are counted as skipped.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runScript, setUp } from '../main/setup/setup.mjs';
import { cacheFolder, ensureDebianPackages, root, run, say } from '../main/setup/tools.mjs';

/** Debian's names for what a window and a browser need. */
const windowPackages = 'xvfb xauth libnss3 libatk-bridge2.0-0 libgtk-3-0 libgbm1 libasound2'.split(' ');

/** Beside those that a fresh machine starts with: the smallest that turns speech into text (29 MB). */
const modelsOfTests = ['whisper-tiny'];

/** What each kind of test needs; the answer is null, or the reason why it cannot run here. */
const kinds = {
  model: () => null,
  browser: async () =>
    process.platform === 'linux' && (await ensureDebianPackages(['chromium'], 'tests in Chromium')).length > 0
      ? 'Chromium is not installed'
      : null,
  electron: async () => {
    if (process.platform !== 'linux') return 'the Electron tests run on Linux, under Xvfb';
    const missing = await ensureDebianPackages(windowPackages, 'tests in Electron');
    return missing.length > 0 ? `missing: ${missing.join(' ')}` : null;
  },
  gpu: () => (spawnSync('nvidia-smi', ['-L']).status === 0 ? null : 'there is no NVIDIA GPU here'),
};

await runScript(async () => {
  // Models for tests are kept beside the other heavy things, not in the user's own folder.
  process.env.QUOTH_MODELS ??= cacheFolder('test-models');
  const node = await setUp({ models: true, more: modelsOfTests });
  const excluded = [];
  for (const [kind, reasonAgainst] of Object.entries(kinds)) {
    const reason = await reasonAgainst();
    if (!reason) continue;
    excluded.push(kind);
    say(`Skipping the tests that need ${kind}: ${reason}.`);
  }
  if (!existsSync(join(root, '..', 'shared', 'data'))) say('Skipping what needs ../shared/data: it is not here.');

  const folder = mkdtempSync(join(tmpdir(), 'quoth-test-'));
  const report = join(folder, 'report.json');
  const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  const environment = { ...process.env, QUOTH_SKIP_KINDS: excluded.join(','), FORCE_COLOR: '0' };
  const extra = process.argv.slice(2);
  const status = await run(node, [vitest, 'run', '-c', 'test/vitest.config.ts', ...reporters, ...extra], {
    env: environment,
  });
  if (!existsSync(report)) {
    say('The test runner ended without a report.\n0 passed, 1 failed, 0 skipped');
    return 1;
  }
  const result = JSON.parse(readFileSync(report, 'utf8'));
  rmSync(folder, { recursive: true, force: true });
  // A file that cannot be loaded, or whose set-up failed, has no failed test of its own: it counts as one failure.
  const hasFailure = (file) => file.assertionResults.some((one) => one.status === 'failed');
  const broken = result.testResults.filter((file) => file.status === 'failed' && !hasFailure(file));
  for (const file of broken) say(`This file could not run: ${file.name}`);
  // What the runner complains of outside of any file (an unhandled rejection, say) is a failure too.
  const numOutside = status !== 0 && result.numFailedTests + broken.length === 0 ? 1 : 0;
  const numFailed = result.numFailedTests + broken.length + numOutside;
  const numSkipped = result.numPendingTests + (result.numTodoTests ?? 0);
  say(`${result.numPassedTests} passed, ${numFailed} failed, ${numSkipped} skipped`);
  return numFailed === 0 && result.numPassedTests > 0 ? 0 : 1;
});
