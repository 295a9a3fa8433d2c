import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { explanationWords } from '../../main/cli/explain.ts';
import { readReference, writeHubFolder } from '../engines/reference/reference.ts';
import { openNative } from '../native/native.ts';

const launcher = path.resolve(import.meta.dirname, '../../main/cli/quoth.mjs');
let folder = '';

beforeAll(async () => {
  await openNative();
  folder = await mkdtemp(path.join(os.tmpdir(), 'quoth cli 山田 '));
}, 600_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

function quoth(words: string[], input = ''): string {
  const env = { ...process.env, QUOTH_MODELS: path.join(folder, 'models') };
  const ended = spawnSync(process.execPath, [launcher, ...words, '--profile', path.join(folder, 'profile')], {
    cwd: folder,
    env,
    input,
    encoding: 'utf8',
  });
  expect(ended.stderr).toBe('');
  return ended.stdout;
}

describe('quoth search --explain', () => {
  beforeAll(async () => {
    const texts = {
      'one.txt': 'The pump hums.',
      'same.txt': 'the  pump HUMS.',
      'two.txt': 'A pump and a long tale of it.',
    };
    for (const [name, text] of Object.entries(texts)) await writeFile(path.join(folder, name), text);
    quoth(['add', ...Object.keys(texts).map((name) => path.join(folder, name))]);
  });

  it('shows every candidate with its scores, and why it is not among those found', () => {
    const out = quoth(['search', 'pump', '-k', '1', '--explain']);
    const lines = out.trimEnd().split('\n');
    expect(lines.slice(0, 3)).toEqual([
      'Query: pump',
      'By words: BM25. By meaning: no embedder is in use. Reranker: none in use.',
      '3 candidates, 1 shown.',
    ]);
    expect(lines[5]).toMatch(/^ {2}1 +\d\.\d{3} +– +3\.000 +– {2}(one|same)\.txt: the +pump hums\.$/i);
    expect(lines[6]).toMatch(/^ {2}– .*\[dropped, others are better\] two\.txt: A pump and/);
    expect(lines[7]).toMatch(/^ {2}– .*\[dropped, says the same as one above\] (one|same)\.txt/);
  });

  it('gives programs the same as one object', () => {
    const found = JSON.parse(quoth(['search', 'pump', '-k', '1', '--explain', '--json']));
    expect(found.passages).toHaveLength(1);
    expect(found.explanation).toMatchObject({ query: 'pump', embedder: null, reranking: { type: 'none' } });
    const fates = found.explanation.candidates.map(({ outcome }: { outcome: string }) => outcome);
    expect(fates).toEqual(['found', 'past-limit', 'repeats']);
    expect(JSON.parse(quoth(['search', 'pump', '--json']))).not.toHaveProperty('explanation');
  });

  it.each([
    [{ type: 'done', model: 'M', numScored: 30, tookMs: 812 }, 'Reranker: M put 30 in order, in 0.8 s.'],
    [
      { type: 'given-up', model: 'M', why: 'slow', numScored: 8, tookMs: 5000 },
      'Reranker: M had read 8 passages after 5.0 s and was given up, so the order is that without it.',
    ],
    [
      { type: 'given-up', model: 'M', why: 'failed', numScored: 4, tookMs: 90 },
      'Reranker: M failed after 0.1 s and was given up, so the order is that without it.',
    ],
  ] as const)('says what the reranker did: %j', (reranking, expected) => {
    expect(explanationWords({ query: 'q', embedder: 'E', reranking, candidates: [] })).toContain(expected);
  });
});

describe('an XLM-R from a folder of the hub', () => {
  it('is built with its prompts, and its vectors are those of the texts with them', async () => {
    const checkpoint = await writeHubFolder(readReference('xlm-roberta-first'), path.join(folder, 'xlm-r'));
    const plan = path.join(folder, 'xlm-r.plan');
    const prompts = ['--query-prompt', 'p5 p6 ', '--passage-prompt', 'p7 '];
    quoth(['build', checkpoint, '--out', plan, ...prompts]);
    const vectorOf = (text: string, ...words: string[]): number[] =>
      JSON.parse(quoth(['embed', '--model', plan, ...words], `${JSON.stringify(text)}\n`));
    const plain = vectorOf('p9 p10');
    expect(Math.hypot(...plain)).toBeCloseTo(1, 5);
    expect(vectorOf('p9 p10', '--as', 'query')).toEqual(vectorOf('p5 p6 p9 p10'));
    expect(vectorOf('p9 p10', '--as', 'passage')).toEqual(vectorOf('p7 p9 p10'));
    expect(vectorOf('p9 p10', '--as', 'passage')).not.toEqual(plain);
  });
});
