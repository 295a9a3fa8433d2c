/** Whole folders of sentence-transformers, from texts to numbers: reference/make-sentences.py made them. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { buildPlan } from '../../engines/build/build.ts';
import { type PlanHeader, readPlanHeader, readPlanTokenizer } from '../../engines/plan/format.ts';
import { encodePair } from '../../engines/tokenizer/pair.ts';
import { loadTokenizer, type Tokenizer } from '../../engines/tokenizer/tokenizer.ts';
import { createEmbedder } from '../../ingest/embedder.ts';
import { createReranker } from '../../ingest/reranker.ts';
import type { Engine } from '../../native/index.ts';
import { openNative } from '../native/native.ts';
import { withFolder } from './checkpoints.ts';
import { type ReferenceCase, writeHubFolder } from './reference/reference.ts';

type Sentences = Pick<ReferenceCase, 'versions' | 'tensors'> & {
  tokenizer: string;
  files: Record<string, unknown> & { 'config.json': Record<string, unknown> };
  maxTokens: number;
  texts: string[];
  query: number[][];
  passage: number[][];
  pairs: [string, string][];
  scores: number[];
};
const folderOf = join(import.meta.dirname, 'reference');

function readSentences(name: string): Sentences {
  return JSON.parse(readFileSync(join(folderOf, 'sentences', `${name}.json`), 'utf8'));
}
const named = (part: string) =>
  readdirSync(join(folderOf, 'sentences'))
    .map((name) => name.replace('.json', ''))
    .filter((name) => name.endsWith('-pairs') === (part === 'pairs'));

type Opened = { header: PlanHeader; tokenizer: Tokenizer; engine: Engine };

/** The folder as it was saved, built and opened. */
async function withModel(sentences: Sentences, body: (opened: Opened) => Promise<void>): Promise<void> {
  await withFolder(async (folder) => {
    const tokenizer = gunzipSync(readFileSync(join(folderOf, 'tokenizers', `${sentences.tokenizer}.json.gz`)));
    const files = { ...sentences.files, 'tokenizer.json': JSON.parse(tokenizer.toString()) };
    const config = sentences.files['config.json'];
    const configs: ReferenceCase['configs'] = [config, config];
    const reference: ReferenceCase = { ...sentences, name: '', kind: 'embedding', configs, sequences: [], files };
    const checkpoint = await writeHubFolder(reference, join(folder, 'model'));
    const native = await openNative();
    const out = join(folder, 'model.plan');
    await buildPlan({ checkpoint, out, builder: native.builder, precision: 'f32' });
    const header = await readPlanHeader(out);
    const engine = await native.loadEngine({ plan: out, device: 'cpu', numThreads: 1 });
    try {
      await body({ header, tokenizer: loadTokenizer(await readPlanTokenizer(out, header)), engine });
    } finally {
      await engine.close();
    }
  });
}

describe.each(named('texts'))('The embedder of sentence-transformers %s', (name) => {
  test('gives its vectors of questions and of passages: prompts, cuts and all', async () => {
    const sentences = readSentences(name);
    await withModel(sentences, async ({ header, tokenizer, engine }) => {
      expect(header).toMatchObject({ role: 'embedder', contextTokens: sentences.maxTokens });
      const around = [...tokenizer.encode('')];
      const ends = {
        encode: (text: string) => tokenizer.encode(text, { addSpecial: false }),
        prefixIds: around.slice(0, header.startIds.length),
        suffixIds: around.slice(header.startIds.length),
      };
      const embedder = createEmbedder(engine, ends, name, header.prompts ?? undefined);
      for (const as of ['query', 'passage'] as const) {
        const vectors = await embedder.embed(sentences.texts, undefined, as);
        sentences[as].forEach((wanted, row) => {
          const found = vectors.subarray(row * embedder.dimension, (row + 1) * embedder.dimension);
          const cosine = wanted.reduce((sum, value, i) => sum + value * found[i]!, 0);
          // Reached: some 1e-7.
          expect(1 - cosine, `${as}: ${sentences.texts[row]}`).toBeLessThan(1e-6);
        });
      }
      // Some text is longer than the model takes, or nothing was said of cuts.
      const lengths = sentences.texts.map((text) => tokenizer.encode(text).length);
      expect(Math.max(...lengths)).toBeGreaterThan(sentences.maxTokens);
    });
  });
});

describe.each(named('pairs'))('The cross-encoder of sentence-transformers %s', (name) => {
  test('gives its scores of questions and passages, long ones cut', async () => {
    const sentences = readSentences(name);
    await withModel(sentences, async ({ header, tokenizer, engine }) => {
      expect(header).toMatchObject({ role: 'reranker', contextTokens: sentences.maxTokens });
      const encode: Parameters<typeof createReranker>[1] = (first, second, maxTokens) =>
        encodePair(tokenizer, header.pair!, first, second, maxTokens);
      const reranker = createReranker(engine, encode, name);
      const questions = [...new Set(sentences.pairs.map(([question]) => question))];
      for (const question of questions) {
        const pairs = sentences.pairs.map((pair, at) => ({ pair, at })).filter(({ pair }) => pair[0] === question);
        const scores = await reranker.score(
          question,
          pairs.map(({ pair }) => pair[1]),
        );
        pairs.forEach(({ pair, at }, row) => {
          // Reached: some 1e-5, of scores that are some units apart.
          expect(Math.abs(scores[row]! - sentences.scores[at]!), pair.join(' | ')).toBeLessThan(1e-4);
        });
      }
      const lengths = sentences.pairs.map(([, passage]) => tokenizer.encode(passage).length);
      expect(Math.max(...lengths)).toBeGreaterThan(sentences.maxTokens);
      expect(Math.max(...sentences.scores) - Math.min(...sentences.scores)).toBeGreaterThan(1);
    });
  });
});
