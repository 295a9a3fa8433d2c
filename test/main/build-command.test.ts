/** `quoth build` from outside, as a person has it: what it prints, what it leaves, and the story that it is shown by. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readPlanHeader, verifyPlan } from '../../engines/plan/format.ts';
import { hasShared, sharedData } from '../engines/checkpoints.ts';
import { openNative } from '../native/native.ts';
import { llama2cScores } from './llama2c-oracle.ts';

const launcher = path.resolve(import.meta.dirname, '../../main/cli/quoth.mjs');
let folder = '';

beforeAll(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'quoth build 山田 '));
  await openNative(); // the addon is built before the clock of a test runs
}, 600_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

type Ended = { code: number | null; out: string; err: string; facts: Record<string, unknown>[] };

/** Runs a command to its end; `onOutput` sees the process whenever it has said something. */
function quoth(words: string[], onOutput: (child: ChildProcess, out: string) => void = () => {}): Promise<Ended> {
  return new Promise((resolve) => {
    // A group of its own, so that a signal goes to all of it, as a terminal sends Ctrl+C.
    const child = spawn(process.execPath, [launcher, ...words], { cwd: folder, detached: true });
    let [out, err] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (piece: string) => {
      out += piece;
      onOutput(child, out);
    });
    child.stderr.setEncoding('utf8').on('data', (piece: string) => {
      err += piece;
    });
    child.once('close', (code) => {
      const lines = out.split('\n').filter((line) => line.startsWith('{'));
      resolve({ code, out, err, facts: lines.map((line) => JSON.parse(line)) });
    });
  });
}

const at = (name: string): string => path.join(folder, name);
const named = async (start: string) => (await readdir(folder)).filter((name) => name.startsWith(start));

describe.skipIf(!hasShared)('stories260K, by the command line', () => {
  const weights = path.join(sharedData, 'weights');
  const build = ['build', path.join(weights, 'stories260K.bin'), '--tokenizer', path.join(weights, 'tok512.bin')];

  test('is built, and tells 200 tokens of its story byte for byte as it was published', async () => {
    const built = await quoth([...build, '--out', 's.plan']);
    expect(built).toMatchObject({ code: 0, err: '' });
    expect(built.out).toMatch(/^Built .*s\.plan \(stories260K, 1\.1 MB\)\.$/m);
    const told = await quoth(['generate', '--model', 's.plan', '--prompt', '', '--max-tokens', '200']);
    expect(told.code).toBe(0);
    const story = await readFile(path.join(weights, 'stories260K.expected_t0_n200.txt'), 'utf8');
    expect(told.out).toBe(story);
  });

  test('is scored within 1e-4 of the formulas in float64, read from the .bin without the builder', async () => {
    await quoth([...build, '--out', 'scored.plan']);
    const ids = [1, 403, 407, 261, 378, 264, 285, 290, 432, 405, 414, 262, 263, 310, 286, 417, 26, 402, 9, 511];
    await writeFile(at('ids.json'), JSON.stringify(ids));
    const { code, facts } = await quoth(['score', '--model', 'scored.plan', '--ids', 'ids.json']);
    expect(code).toBe(0);
    const found = facts[0]!.logprobs as (number | null)[];
    const wanted = llama2cScores(await readFile(path.join(weights, 'stories260K.bin')), ids);
    expect(found).toHaveLength(ids.length);
    expect(found[0]).toBeNull();
    const apart = wanted.slice(1).map((logprob, i) => Math.abs(logprob - found[i + 1]!));
    expect(Math.max(...apart)).toBeLessThan(1e-4);
  });

  test('is printed before and after every pass, for people and for programs, and nothing is written', async () => {
    const words = await quoth([...build, '--print']);
    expect(words.code).toBe(0);
    expect(words.out).toContain('── as written: by the architecture');
    expect(words.out).toMatch(/^\+ .*rope_kv_write/m);
    const { facts } = await quoth([...build, '--print', '--json']);
    expect(facts[0]).toMatchObject({ type: 'program', architecture: 'llama', unread: [] });
    expect(await named('undefined')).toEqual([]);
  });
});

describe('quoth build', () => {
  // 139 MB of table and head, and some layers.
  const random = (layers: number) => ['build', '--random', 'tinyllama-1.1b-chat', '--layers', String(layers)];

  /** Ctrl+C when seven tenths are done, so that the table is whole; more layers where the build was done before it was heard. */
  async function stopEarly(): Promise<{ layers: number; stopped: Ended }> {
    for (const layers of [1, 4, 22]) {
      let isSent = false; // a second Ctrl+C would not wait for anything
      const stopped = await quoth([...random(layers), '--out', 'stopped.plan', '--json'], (child, out) => {
        if (!isSent && out.split('"progress"').length > 8) isSent = process.kill(-child.pid!, 'SIGINT');
      });
      if (stopped.code !== 0) return { layers, stopped };
      await rm(at('stopped.plan'));
    }
    throw new Error('Ctrl+C was never heard in time');
  }

  test.skipIf(process.platform === 'win32')('stopped by Ctrl+C says what stays, and goes on there', async () => {
    const { layers, stopped } = await stopEarly();
    expect(stopped).toMatchObject({ code: 1, err: 'Stopped.\n' });
    const last = stopped.facts.at(-1)!;
    expect(last).toMatchObject({ type: 'stopped' });
    expect(last.safeBytes as number).toBeGreaterThan(0);
    expect(last.safeBytes as number).toBeLessThan(last.totalBytes as number);
    expect(await named('stopped.plan')).toEqual([
      expect.stringMatching(/^stopped\.plan\.[0-9a-f]{16}\.partial$/),
      expect.stringMatching(/^stopped\.plan\.[0-9a-f]{16}\.partial\.journal$/),
    ]);

    const resumed = await quoth([...random(layers), '--out', 'stopped.plan', '--json']);
    expect(resumed.code).toBe(0);
    expect(resumed.facts.at(-1)).toMatchObject({ type: 'built', name: 'TinyLlama 1.1B Chat, random weights' });
    expect(await named('stopped.plan')).toEqual(['stopped.plan']);
    expect(await verifyPlan(at('stopped.plan'))).toMatchObject({ kv: { numLayers: layers } });
  });

  test.skipIf(process.platform === 'win32')('killed leaves no plan, and the same command goes on', async () => {
    const killed = await quoth([...random(1), '--out', 'killed.plan', '--seed', '2'], (child) => {
      process.kill(-child.pid!, 'SIGKILL');
    });
    expect(killed.code).not.toBe(0);
    expect(await named('killed.plan')).not.toContain('killed.plan');
    const again = await quoth([...random(1), '--out', 'killed.plan', '--seed', '2']);
    expect(again.code).toBe(0);
    expect(again.out).toMatch(/\d+ %, [\d.]+ of [\d.]+ MB/);
    await verifyPlan(at('killed.plan'));
    expect(await named('killed.plan')).toEqual(['killed.plan']);
  });

  test('takes a precision and a name', async () => {
    const words = ['--precision', 'q8', '--name', 'Größe', '--out', 'named.plan'];
    const { code } = await quoth(['build', '--random', 'all-minilm-l6-v2', '--layers', '1', ...words]);
    expect(code).toBe(0);
    const { name, tensors } = await readPlanHeader(at('named.plan'));
    expect(name).toBe('Größe');
    expect(new Set(tensors.map(({ type }) => type))).toEqual(new Set(['q8', 'f16', 'f32']));
  });

  test.each([
    [['build', '--out', 'x'], 2, /^Something is missing\. Usage: quoth build /],
    [['build', 'a', '--random', 'b', '--out', 'x'], 2, /^Give a checkpoint or --random, not both\./],
    [
      ['build', 'a', '--layers', '2', '--out', 'x'],
      2,
      /^--layers, --seed, --half-tables and --counts are for --random\./,
    ],
    [
      ['build', '--random', 'all-minilm-l6-v2', '--precision', 'q3', '--out', 'x'],
      2,
      /^--precision is one of auto, f32,/,
    ],
    [['build', '--random', 'all-minilm-l6-v2'], 2, /^--out is missing\./],
    [
      ['build', '--random', 'gpt-5', '--out', 'x'],
      1,
      /^There is no model "gpt-5" in the catalogue; there are .*tinyllama/,
    ],
    [['build', 'ids.txt', '--out', 'x'], 1, /^ids\.txt is damaged: /],
  ] as const)('%j fails with %i and one sentence', async (words, code, sentence) => {
    await writeFile(at('ids.txt'), 'no checkpoint at all, but some text');
    const ended = await quoth([...words]);
    expect(ended).toMatchObject({ code, out: '' });
    expect(ended.err).toMatch(sentence);
    expect(ended.err.trim().split('\n')).toHaveLength(1);
  });
});
