import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { modelFolder, writeManifest } from '../../app/models/model-folder.ts';
import { buildPlan } from '../../engines/build/build.ts';
import { explanationWords } from '../../main/cli/explain.ts';
import { readReference, writeHubFolder } from '../engines/reference/reference.ts';
import { writeTinyReranker } from '../fakes/tiny-reranker.ts';
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
    expect(lines[5]).toMatch(
      /^ {2}1 +\d\.\d{3} +– +3\.000 +– {2}(one|same)\.txt \(also in (one|same)\.txt\): the +pump hums\.$/i,
    );
    expect(lines[6]).toMatch(/^ {2}– .*\[dropped, others are better\] two\.txt: A pump and/);
    expect(lines[7]).toMatch(/^ {2}– .*\[folded, says the same as (one|same)\.txt: word for word\] (one|same)\.txt/);
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

describe('a reranker that is installed', () => {
  const id = 'ms-marco-minilm-l6-v2';

  it('orders what the command line finds, by the engine in its own process', async () => {
    const checkpoint = path.join(folder, 'reranker');
    await writeTinyReranker(checkpoint);
    const where = modelFolder(path.join(folder, 'models'), id);
    await mkdir(where.folder, { recursive: true });
    const { builder } = await openNative();
    await buildPlan({ checkpoint, out: where.plan, builder });
    const bytes = await readFile(where.plan);
    const planSha256 = createHash('sha256').update(bytes).digest('hex');
    await writeManifest(where, { id, planBytes: bytes.length, planSha256, sources: [], installedAtMs: 0 });
    await writeFile(path.join(folder, 'good.txt'), 'A pump, good good good good.');
    quoth(['add', path.join(folder, 'good.txt')]);

    const explained = () => JSON.parse(quoth(['search', 'pump', '--explain', '--json']));
    const { passages, explanation } = explained();
    expect(passages[0].source).toBe('good.txt');
    expect(explanation.reranking).toMatchObject({ type: 'done', numScored: 3 });
    expect(quoth(['search', 'pump', '--explain'])).toMatch(/Reranker: .+ put 3 in order, in \d+\.\d s\./);
    quoth(['models', 'unuse', id]);
    expect(explained().explanation.reranking).toEqual({ type: 'none' });
    quoth(['models', 'use', id]);
    expect(explained().explanation.reranking).toMatchObject({ type: 'done' });
  }, 120_000);
});

describe('an XLM-R from a folder of the hub', () => {
  it('is built with its prompts, and its vectors are those of the texts with them', async () => {
    const checkpoint = await writeHubFolder(readReference('xlm-roberta-first'), path.join(folder, 'xlm-r'));
    const plan = path.join(folder, 'xlm-r.plan');
    const prompts = ['--query-prompt', 'p5 p6 ', '--passage-prompt', 'p7 '];
    quoth(['build', checkpoint, '--out', plan, ...prompts]);
    const vectorsOf = (texts: string[], ...words: string[]): number[][] => {
      const lines = texts.map((text) => `${JSON.stringify(text)}\n`).join('');
      const out = quoth(['embed', '--model', plan, ...words], lines)
        .trimEnd()
        .split('\n');
      return out.map((line) => JSON.parse(line));
    };
    const [plain, asked, told] = vectorsOf(['p9 p10', 'p5 p6 p9 p10', 'p7 p9 p10']);
    expect(Math.hypot(...plain!)).toBeCloseTo(1, 5);
    expect(vectorsOf(['p9 p10'], '--as', 'query')).toEqual([asked]);
    expect(vectorsOf(['p9 p10'], '--as', 'passage')).toEqual([told]);
    expect(told).not.toEqual(plain);
  }, 120_000);
});
