import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { architectures } from '../../../engines/architectures/index.ts';
import { buildRandomPlan, explainRandom } from '../../../engines/build/random-plan.ts';
import { randomMatrix, randomVector } from '../../../engines/build/random-weights.ts';
import { catalogue, findModel } from '../../../engines/catalogue.ts';
import { type PlanType, planTensorBytes, readPlanTokenizer, verifyPlan } from '../../../engines/plan/format.ts';
import { loadTokenizer } from '../../../engines/tokenizer/tokenizer.ts';
import { openNative } from '../../native/native.ts';
import { withFolder } from '../checkpoints.ts';

const small = {
  model_type: 'llama',
  hidden_size: 256,
  intermediate_size: 512,
  num_hidden_layers: 6,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  vocab_size: 400,
  max_position_embeddings: 128,
  rms_norm_eps: 1e-5,
};
const ids = Int32Array.from([1, 300, 17, 380, 4, 4, 90, 261]);

/** The weights of some rows, read from the packed bytes by hand. */
function weightsOf(type: PlanType, bytes: Uint8Array, rows: number, columns: number): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const group = type === 'int4_g128' ? 128 : 32;
  const record = { q8: 544, q4: 288, int4_g32: 320, int4_g128: 1088 }[type as 'q8'];
  const e4m3 = (byte: number) => (byte & 128 ? -1 : 1) * 2 ** (((byte >> 3) & 15) - 7) * (1 + (byte & 7) / 8);
  return Array.from({ length: rows * columns }, (_, i) => {
    const [n, k] = [Math.floor(i / columns), i % columns];
    if (type === 'f32') return view.getFloat32(4 * i, true);
    if (type === 'f16') return view.getFloat16(2 * i, true);
    if (type === 'f8') return e4m3(bytes[i]!) * view.getFloat32(Math.ceil((rows * columns) / 64) * 64 + 4 * n, true);
    const at = (Math.floor(n / 16) * (columns / group) + Math.floor(k / group)) * record;
    const [r, c] = [n % 16, k % group];
    if (type === 'q8')
      return (bytes[at + 64 * Math.floor(c / 4) + 4 * r + (c % 4)]! - 128) * view.getFloat16(at + 512 + 2 * r, true);
    const byte = bytes[at + 64 * Math.floor(c / 8) + 4 * r + (c % 4)]!;
    const nibble = c % 8 < 4 ? byte & 15 : byte >> 4;
    const scale = view.getFloat16(at + group * 8 + 2 * r, true);
    return type === 'q4' ? (nibble - 8) * scale : (nibble - view.getFloat16(at + group * 8 + 32 + 2 * r, true)) * scale;
  });
}

describe('Random weights', () => {
  test.each(['f32', 'f16', 'q8', 'q4', 'int4_g32', 'int4_g128', 'f8'] as const)(
    'of %s have the spread that is asked for and hardly a mean',
    (type) => {
      const [rows, columns, spread] = [48, 384, 1 / Math.sqrt(384)];
      const bytes = randomMatrix({ type, rows, columns, spread, key: 'a' });
      expect(bytes.length).toBe(planTensorBytes(type, rows, columns));
      const weights = weightsOf(type, bytes, rows, columns);
      const mean = weights.reduce((sum, weight) => sum + weight, 0) / weights.length;
      const deviation = Math.sqrt(weights.reduce((sum, weight) => sum + weight * weight, 0) / weights.length);
      expect(Math.abs(mean) / spread).toBeLessThan(0.15);
      expect(deviation / spread).toBeGreaterThan(0.7);
      expect(deviation / spread).toBeLessThan(1.45);
      expect(new Set(weights).size).toBeGreaterThan(10);
    },
  );

  test('are the same for the same key, and others for another', () => {
    const of = (key: string) => Buffer.from(randomMatrix({ type: 'q8', rows: 16, columns: 64, spread: 1, key }));
    expect(of('a').equals(of('a'))).toBe(true);
    expect(of('a').equals(of('b'))).toBe(false);
    const vector = new Float32Array(randomVector(1000, 1, 0.1, 'v').buffer);
    expect(Math.min(...vector)).toBeGreaterThanOrEqual(0.9);
    expect(Math.max(...vector)).toBeLessThan(1.1);
  });
});

describe('A random plan', () => {
  test.each(['f32', 'q8', 'int4', 'f8'] as const)(
    'in %s runs, and its numbers neither vanish nor explode',
    (precision) =>
      withFolder(async (folder) => {
        const out = join(folder, 'random.plan');
        const header = await buildRandomPlan({ config: small, name: 'Random', out, precision });
        expect(await verifyPlan(out)).toEqual(header);
        const engine = await (await openNative()).loadEngine({ plan: out, device: 'cpu', numThreads: 1 });
        const logits = await engine.logits(ids);
        await engine.close();
        const deviation = Math.sqrt(logits.reduce((sum, logit) => sum + logit * logit, 0) / logits.length);
        expect(deviation).toBeGreaterThan(0.2);
        expect(deviation).toBeLessThan(5);
      }),
  );

  test('is the same for the same seed, has the layers that are asked for, and a tokenizer of its vocabulary', () =>
    withFolder(async (folder) => {
      const build = async (seed: number, layers?: number) => {
        const out = join(folder, `${seed} ${layers}.plan`);
        const header = await buildRandomPlan({ config: small, name: 'Random', out, precision: 'int4', seed, layers });
        return { header, bytes: await readFile(out), out };
      };
      const [first, again, other] = [await build(1), await build(1), await build(2)];
      expect(first.bytes.equals(again.bytes)).toBe(true);
      expect(first.bytes.equals(other.bytes)).toBe(false);
      const { header, out } = await build(1, 2);
      expect(header.kv?.numLayers).toBe(2);
      const tokenizer = loadTokenizer(await readPlanTokenizer(out, header));
      expect(tokenizer.encode('Grüße 山').every((id) => id < small.vocab_size)).toBe(true);
      const decoder = tokenizer.streamDecoder();
      expect(decoder.push(Int32Array.from([399])) + decoder.end()).not.toBe('');
    }));

  const modelTypes = architectures.flatMap((architecture) => architecture.modelTypes);
  const known = catalogue.filter(({ shape }) => modelTypes.includes(shape.model_type));

  test.each(known)(
    'of $id has a program, every number of the published model and no other',
    ({ shape, name, parameters }) => {
      const { stages, types } = explainRandom({ config: shape, name, precision: 'q8' });
      expect(stages.at(-1)!.numOperations).toBeGreaterThan(10);
      const numWeights = types.reduce((sum, type) => sum + type.numWeights, 0);
      // Beside them: rotary frequencies, zeros for norms without a bias, rows that are read in two ways.
      expect(Math.abs(numWeights / parameters - 1)).toBeLessThan(0.01);
    },
  );

  test('of an embedder gives vectors of unit length', () =>
    withFolder(async (folder) => {
      const out = join(folder, 'mini.plan');
      const config = findModel('all-minilm-l6-v2')!.shape;
      const header = await buildRandomPlan({ config, name: 'Mini', out, precision: 'q8', layers: 2 });
      const engine = await (await openNative()).loadEngine({ plan: out, device: 'cpu', numThreads: 1 });
      const vector = await engine.embed([ids]);
      await engine.close();
      expect(header.role).toBe('embedder');
      expect(Math.hypot(...vector)).toBeCloseTo(1, 4);
    }));
});
