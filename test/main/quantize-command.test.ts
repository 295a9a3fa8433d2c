import { spawn } from 'node:child_process';
import { readdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { withFolder } from '../engines/checkpoints.ts';
import { writeSmallLlama } from '../engines/quantize/small-llama.ts';
import { addonFile } from '../native/open-addon.ts';

const launcher = resolve(import.meta.dirname, '../../main/cli/quoth.mjs');

function quoth(cwd: string, ...words: string[]): Promise<{ code: number | null; out: string; err: string }> {
  return new Promise((done) => {
    const child = spawn(process.execPath, [launcher, ...words], {
      cwd,
      env: { ...process.env, QUOTH_ADDON: addonFile },
    });
    const ended = { out: '', err: '' };
    child.stdout.setEncoding('utf8').on('data', (piece: string) => {
      ended.out += piece;
    });
    child.stderr.setEncoding('utf8').on('data', (piece: string) => {
      ended.err += piece;
    });
    child.once('close', (code) => done({ ...ended, code }));
  });
}

test('quoth quantize reports every group, and the perplexity on what the texts have to spare', () =>
  withFolder(async (folder) => {
    await writeSmallLlama(folder, { numLayers: 1 });
    const prose = 'The harbour office opens at six, and the clerk writes down the wind. ';
    await writeFile(join(folder, 'one.txt'), prose.repeat(20));
    await writeFile(join(folder, 'two.txt'), prose.toUpperCase().repeat(20));
    const words = ['quantize', '.', '--out', 'small.plan', '--head', 'int8', '--tokens', '128'];
    const { code, out, err } = await quoth(folder, ...words, '--json', '--text', 'one.txt', 'two.txt');
    expect(err).toBe('');
    expect(code).toBe(0);
    const lines = out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { type: string; [key: string]: unknown });
    expect(lines.filter(({ type }) => type === 'group')).toHaveLength(5);
    expect(lines.filter(({ type }) => type === 'progress').at(-1)).toMatchObject({ secondsLeft: 0 });
    const last = lines.at(-1)!;
    expect(last).toMatchObject({ type: 'quantized', method: 'awq', head: 'int8' });
    const { before, after, tokens } = last.perplexity as { before: number; after: number; tokens: number };
    // Every eighth of 22 sequences of 128 bytes.
    expect(tokens).toBe(2 * 127);
    expect(Math.abs(Math.log(after / before))).toBeLessThan(1);
  }));

test('quoth quantize --export awq makes a folder, and says in one sentence what it cannot do', () =>
  withFolder(async (folder) => {
    await writeSmallLlama(folder, { numLayers: 1 });
    const made = await quoth(folder, 'quantize', '.', '--method', 'rtn', '--export', 'awq', '--out', 'small-awq');
    expect(made.code).toBe(0);
    expect(made.out.trim().split('\n').at(-1)).toMatch(/^Made .*small-awq\.$/);
    expect((await readdir(join(folder, 'small-awq'))).sort()).toEqual([
      'config.json',
      'model.safetensors',
      'tokenizer.json',
    ]);
    for (const [code, ...words] of [
      [2, '.'],
      [2, '.', '--out', 'p', '--method', 'magic'],
      [2, '.', 'more', '--out', 'p'],
      [1, 'nothing', '--out', 'p'],
      [1, '.', '--out', 'p', '--text', 'nothing.txt'],
      [1, '.', '--out', 'small-awq', '--export', 'awq', '--method', 'rtn'],
      [1, '.', '--out', 'f', '--export', 'awq', '--method', 'int8'],
    ] as [number, ...string[]][]) {
      const ended = await quoth(folder, 'quantize', ...words);
      expect(ended, words.join(' ')).toMatchObject({ code, out: '' });
      expect(ended.err.trim().split('\n').length, ended.err).toBeLessThanOrEqual(2);
    }
  }));
