/** `quoth bench` and `quoth engine` from outside, on small models of random weights. */
import { spawnSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildLlama, buildShape, smallLlama } from '../native/device/models.ts';
import { openNative } from '../native/native.ts';

const launcher = path.resolve(import.meta.dirname, '../../main/cli/quoth.mjs');
let folder = '';
let chat = '';
let embedder = '';

beforeAll(async () => {
  await openNative();
  folder = await mkdtemp(path.join(os.tmpdir(), 'quoth bench 山田 '));
  chat = await buildLlama(folder, smallLlama, { counts: true });
  embedder = await buildShape(folder, 'all-minilm-l6-v2', 1, 'q8');
}, 600_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

function quoth(...words: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [launcher, ...words], { encoding: 'utf8' });
  return {
    status,
    stdout,
    stderr,
    facts: stdout
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line)),
  };
}

const bench = (name: string, ...words: string[]) =>
  quoth(
    'bench',
    name,
    '--model',
    name === 'embed' ? embedder : chat,
    '--device',
    'cpu',
    '--threads',
    '2',
    '--json',
    ...words,
  );

describe('The benchmarks', () => {
  test.each([
    ['decode', ['--prompt', '40', '--tokens', '8'], 'tokens/s'],
    ['prefill', ['--prompt', '40'], 'tokens/s'],
    ['embed', ['--prompt', '16', '--sequences', '2'], 'texts/s'],
  ])('"%s" gives a rate, its limit and the part of it', (name, words, unit) => {
    const { status, stderr, facts } = bench(name, ...words);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(facts).toHaveLength(1);
    const { median, limit, fraction } = facts[0];
    expect(facts[0]).toMatchObject({ bench: name, device: 'cpu', unit });
    expect(median).toBeGreaterThan(0);
    expect(fraction).toBeCloseTo(median / limit, 6);
  });

  test('"serve" measures each number of sequences that it is given', () => {
    const { facts } = bench('serve', '--prompt', '20', '--tokens', '6', '--sequences', '1,3');
    expect(facts.map(({ shape }) => shape.sequences)).toEqual([1, 3]);
    for (const { stats } of facts) expect(stats.decodeTokens).toBeGreaterThan(0);
  });

  test('"followup" finds the context of the first question in the cache', () => {
    const [{ shape, unit }] = bench('followup', '--prompt', '200').facts as [
      { shape: Record<string, number>; unit: string },
    ];
    expect(unit).toBe('ms');
    expect(shape).toMatchObject({ context: 200, cached: 192 });
  });

  test('"quote" drafts where the answer stands in the prompt, at equal ids', () => {
    const [{ shape }] = bench('quote', '--counting', '--tokens', '96').facts as [{ shape: Record<string, number> }];
    expect(shape.sameIds).toBe(true);
    // Of three rounds; three quarters of an answer stand in the prompt.
    expect(shape.accepted! / 3).toBeGreaterThan(20);
    expect(shape.accepted! / 3).toBeLessThan(0.75 * 96);
  });

  test('"memory" tells what both models take', () => {
    const [{ shape, unit }] = bench('memory', '--embedder', embedder, '--prompt', '512').facts as [
      { shape: Record<string, number>; unit: string },
    ];
    expect(unit).toBe('GB');
    expect(shape.kvTokens).toBe(512);
    expect(shape.weightBytes!).toBeGreaterThan(1e6);
  });

  test('of people are one line, and what does not exist is wrong use', () => {
    const { stdout } = quoth('bench', 'decode', '--model', chat, '--device', 'cpu', '--prompt', '8', '--tokens', '4');
    expect(stdout).toMatch(/^decode: [\d.,]+ tokens\/s; the limit is [\d.,]+: \d+ % \(.+\)\n$/);
    expect(quoth('bench', 'decode', '--model', chat, '--bandwidth', 'fast').status).toBe(2);
    expect(quoth('bench', 'serve', '--model', chat, '--sequences', '0').status).toBe(2);
  });
});

describe('quoth engine', () => {
  test('tries a model and says how its engine did', () => {
    const { status, stdout } = quoth('engine', '--model', chat, '--device', 'cpu');
    expect(status).toBe(0);
    for (const words of [
      /first token +\d+ ms/,
      /kv pages +0 of \d+ in use/,
      /cache hits +\d+ %/,
      /speculation +\d+ of/,
    ])
      expect(stdout).toMatch(words);
    const [fact] = quoth('engine', '--model', embedder, '--device', 'cpu', '--json').facts;
    expect(fact).toMatchObject({ role: 'embedder', device: 'cpu', bandwidthFraction: null });
  });
});
