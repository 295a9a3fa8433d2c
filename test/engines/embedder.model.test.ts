import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { defaultEmbedder } from '../../engines/catalogue.ts';
import { readPlanHeader, readPlanTokenizer } from '../../engines/plan/format.ts';
import { loadTokenizer } from '../../engines/tokenizer/tokenizer.ts';
import { openNative } from '../native/native.ts';
import { installedPlan } from './checkpoints.ts';

type Reference = {
  dimension: number;
  maxTokens: number;
  texts: { text: string; numTokens: number; vector: string }[];
};
const reference: Reference = JSON.parse(
  readFileSync(join(import.meta.dirname, 'reference', 'minilm-vectors.json'), 'utf8'),
);
const plan = installedPlan(defaultEmbedder);

describe.skipIf(plan === null)('all-MiniLM-L6-v2, as it is installed', () => {
  test('places 40 texts of 17 languages, from none to 512 tokens, where sentence-transformers places them', async () => {
    const header = await readPlanHeader(plan!);
    expect(header).toMatchObject({ contextTokens: reference.maxTokens, embeddingSize: reference.dimension });
    const tokenizer = loadTokenizer(await readPlanTokenizer(plan!, header));
    const sequences = reference.texts.map(({ text }) => {
      const ids = tokenizer.encode(text);
      return ids.length <= header.contextTokens
        ? ids
        : Int32Array.of(...ids.subarray(0, header.contextTokens - 1), ids.at(-1)!);
    });
    expect(sequences.map(({ length }) => length)).toEqual(reference.texts.map(({ numTokens }) => numTokens));
    const engine = await (await openNative()).loadEngine({ plan: plan! });
    const vectors = await engine.embed(sequences);
    await engine.close();
    const apart = reference.texts.map(({ text, vector }, row) => {
      const found = vectors.subarray(row * reference.dimension, (row + 1) * reference.dimension);
      return { text: text.slice(0, 60), apart: 1 - cosine(found, new Float16Array(bytesOf(vector))) };
    });
    // Reached: 6e-4 at most (a long Japanese text), 2e-4 in the middle: the weights are in 8 bits, the reference's in 16.
    for (const one of apart) expect(one.apart, one.text).toBeLessThan(1e-3);
    const middle = apart.map((one) => one.apart).sort((a, b) => a - b)[apart.length / 2]!;
    expect(middle).toBeLessThan(3e-4);
    if (process.env.QUOTH_SHOW !== undefined) console.log(middle, Math.max(...apart.map((one) => one.apart)));
  });
});

function bytesOf(base64: string): ArrayBuffer {
  return new Uint8Array(Buffer.from(base64, 'base64')).buffer;
}

function cosine(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let [dot, aa, bb] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    dot += a[i]! * b[i]!;
    aa += a[i]! ** 2;
    bb += b[i]! ** 2;
  }
  return dot / Math.sqrt(aa * bb);
}
