import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Engine, Native } from '../../native/index.ts';
import { codeOf, openNative, randomIds } from './native.ts';
import { bertEmbedding } from './oracle.ts';
import { planBytes, temporaryFolder } from './plan-writer.ts';
import { tinyBert } from './tiny-models.ts';

const folder = temporaryFolder();
const model = tinyBert();
const { vocabularySize, contextTokens, size } = model.shape;
let native: Native;
let engine: Engine;

beforeAll(async () => {
  native = await openNative();
  engine = await native.loadEngine({ plan: folder.write('bert.plan', planBytes(model)), device: 'cpu' });
}, 600_000);
afterAll(async () => {
  await engine.close();
  folder.remove();
});

const sequencesOf = (lengths: number[]) =>
  lengths.map((length, i) => Int32Array.from(randomIds(length, vocabularySize, 100 + i)));
const rowOf = (vectors: Float32Array, row: number) => vectors.slice(row * size, (row + 1) * size);

describe('embeddings', () => {
  test.each([
    ['f32', 'pool_mean', 1e-5],
    ['f16', 'pool_first', 1e-5],
    ['q8', 'pool_mean', 1e-2],
    ['q4', 'pool_mean', 1e-2],
  ] as const)('of %s weights and %s agree with float64', async (weights, pool, tolerance) => {
    const other = tinyBert({ weights, pool });
    const plan = folder.write(`${weights} ${pool}.plan`, planBytes(other));
    const embedder = await native.loadEngine({ plan, device: 'cpu', numThreads: 2 });
    const sequences = sequencesOf([1, 5, 17, contextTokens]);
    const vectors = await embedder.embed(sequences);
    expect(vectors).toHaveLength(sequences.length * size);
    sequences.forEach((ids, row) => {
      bertEmbedding(other, [...ids]).forEach((expected, i) => {
        expect(Math.abs(vectors[row * size + i]! - expected)).toBeLessThan(tolerance);
      });
    });
    await embedder.close();
  });

  test('have the same bits alone, in a large job of many steps and beside another job', async () => {
    const sequences = sequencesOf(Array.from({ length: 300 }, (_, i) => 1 + ((i * 7) % contextTokens)));
    const [vectors, question] = await Promise.all([engine.embed(sequences), engine.embed([sequences[150]!])]);
    expect(question).toEqual(rowOf(vectors, 150));
    for (const row of [0, 33, 64, 150, 299]) {
      expect(await engine.embed([sequences[row]!])).toEqual(rowOf(vectors, row));
    }
  });

  test('are of unit length', async () => {
    const vectors = await engine.embed(sequencesOf([3, 30]));
    for (const row of [0, 1]) expect(Math.hypot(...rowOf(vectors, row))).toBeCloseTo(1, 6);
  });

  test('of no sequences are nothing', async () => {
    expect(await engine.embed([])).toHaveLength(0);
  });

  test('fail for a sequence that is empty, too long or not of the vocabulary', async () => {
    const good = Int32Array.of(1, 2);
    for (const bad of [[], randomIds(contextTokens + 1, vocabularySize, 1), [0, vocabularySize], [-1]]) {
      expect(await codeOf(engine.embed([good, Int32Array.from(bad)]))).toBe('invalid-input');
    }
    expect(await codeOf(engine.embed([Float32Array.of(1) as unknown as Int32Array]))).toBe('invalid-input');
    expect((await engine.embed([good])).length).toBe(size);
  });

  test('say what the engine is', () => {
    expect(engine.info).toMatchObject({
      architecture: 'bert',
      role: 'embedder',
      device: 'cpu',
      vocabularySize,
      contextTokens,
      embeddingSize: size,
      kvBytes: 0,
    });
    expect(engine.info.weightBytes).toBe([...model.tensors.values()].reduce((sum, t) => sum + t.bytes.length, 0));
    expect(engine.info.activationBytes).toBeGreaterThan(0);
  });
});
