import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Engine, Native } from '../../native/index.ts';
import { codeOf, openNative, randomIds } from './native.ts';
import { bertScore } from './oracle.ts';
import { planBytes, temporaryFolder } from './plan-writer.ts';
import { tinyBert, tinyLlama } from './tiny-models.ts';

const folder = temporaryFolder();
const model = tinyBert({ role: 'reranker', pool: 'pool_first' });
const { vocabularySize, contextTokens } = model.shape;
let native: Native;
let engine: Engine;

beforeAll(async () => {
  native = await openNative();
  engine = await native.loadEngine({ plan: folder.write('reranker.plan', planBytes(model)), device: 'cpu' });
}, 600_000);
afterAll(async () => {
  await engine.close();
  folder.remove();
});

const pairsOf = (lengths: number[]) =>
  lengths.map((length, i) => Int32Array.from(randomIds(length, vocabularySize, 300 + i)));

describe('reranking', () => {
  test.each([
    ['f32', 1e-5],
    ['f16', 1e-5],
    ['int4_g32', 1e-3],
    ['f8', 1e-5],
  ] as const)('with %s weights gives the numbers of float64', async (weights, tolerance) => {
    const other = tinyBert({ role: 'reranker', weights });
    const plan = folder.write(`reranker ${weights}.plan`, planBytes(other));
    const reranker = await native.loadEngine({ plan, device: 'cpu', numThreads: 2 });
    const pairs = pairsOf([1, 2, 9, 30, contextTokens]);
    const firstLengths = Int32Array.of(1, 0, 4, 30, 11);
    const scores = await reranker.rerank(pairs, firstLengths);
    expect(scores).toHaveLength(pairs.length);
    pairs.forEach((ids, i) => {
      expect(Math.abs(scores[i]! - bertScore(other, [...ids], firstLengths[i]!))).toBeLessThan(tolerance);
    });
    await reranker.close();
  });

  test('takes the first part for segment 0 and the rest for segment 1', async () => {
    const [pair] = pairsOf([20]);
    const scores = await engine.rerank([pair!, pair!, pair!], Int32Array.of(0, 8, 20));
    expect(new Set(scores).size).toBe(3);
  });

  test('gives the same bits alone and in a large job of many steps', async () => {
    const pairs = pairsOf(Array.from({ length: 300 }, (_, i) => 2 + ((i * 7) % (contextTokens - 1))));
    const firstLengths = Int32Array.from(pairs, (ids, i) => i % ids.length);
    const [scores, one] = await Promise.all([
      engine.rerank(pairs, firstLengths),
      engine.rerank([pairs[150]!], firstLengths.subarray(150, 151)),
    ]);
    expect(one).toEqual(scores.subarray(150, 151));
    for (const row of [0, 33, 64, 299]) {
      expect(await engine.rerank([pairs[row]!], firstLengths.slice(row, row + 1))).toEqual(scores.slice(row, row + 1));
    }
  });

  test('of no pairs is nothing', async () => {
    expect(await engine.rerank([], new Int32Array(0))).toHaveLength(0);
  });

  test('fails for pairs that are empty, too long or not of the vocabulary, and for lengths that do not fit', async () => {
    const good = Int32Array.of(1, 2);
    for (const bad of [[], randomIds(contextTokens + 1, vocabularySize, 1), [0, vocabularySize], [-1]]) {
      expect(await codeOf(engine.rerank([good, Int32Array.from(bad)], Int32Array.of(1, 0)))).toBe('invalid-input');
    }
    for (const lengths of [[], [1, 1], [3], [-1]]) {
      expect(await codeOf(engine.rerank([good], Int32Array.from(lengths)))).toBe('invalid-input');
    }
    expect(await codeOf(engine.rerank([good], [1] as unknown as Int32Array))).toBe('invalid-input');
    expect((await engine.rerank([good], Int32Array.of(1))).length).toBe(1);
  });

  test('is for rerankers alone, and is all that they do', async () => {
    expect(engine.info).toMatchObject({ role: 'reranker', embeddingSize: 0, kvBytes: 0, contextTokens });
    const ids = Int32Array.of(1, 2);
    expect(await codeOf(engine.embed([ids]))).toBe('unsupported');
    expect(await codeOf(engine.score(ids))).toBe('unsupported');
    for (const other of [tinyBert(), tinyLlama()]) {
      const plan = folder.write(`other ${other.header.role}.plan`, planBytes(other));
      const another = await native.loadEngine({ plan, device: 'cpu' });
      expect(await codeOf(another.rerank([ids], Int32Array.of(1)))).toBe('unsupported');
      await another.close();
    }
  });

  test('ends with the engine', async () => {
    const closed = await native.loadEngine({ plan: folder.write('closed.plan', planBytes(model)), device: 'cpu' });
    await closed.close();
    expect(await codeOf(closed.rerank([Int32Array.of(1)], Int32Array.of(1)))).toBe('closed');
  });
});
