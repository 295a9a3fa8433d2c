import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { buildPlan, openCheckpoint } from '../../engines/build/build.ts';
import { openNative } from '../native/native.ts';
import { withFolder, writeTo } from './checkpoints.ts';
import { type LlamaSizes, llamaTensors, tinyLlama, writeLlamaConfig } from './packed-folders.ts';
import { type Packing, quantizationConfigOf, safetensorsOf } from './packed-linears.ts';

const ids = Int32Array.from([1, 40, 7, 26, 37, 29, 41, 13, 57, 10, 5, 31, 44]);

async function scoresOf(plan: string): Promise<Float32Array> {
  const engine = await (await openNative()).loadEngine({ plan, kvTokens: 256, device: 'cpu' });
  try {
    return (await engine.score(ids)).subarray(1);
  } finally {
    await engine.close();
  }
}

/** The folder of the packed model and that of the same numbers unpacked. */
async function writeBoth(folder: string, sizes: LlamaSizes, packing: Packing): Promise<[string, boolean][]> {
  const { packed, plain } = llamaTensors(sizes, packing);
  const folders: [string, boolean][] = [];
  for (const tensors of [packed, plain]) {
    const checkpoint = join(folder, tensors === packed ? 'packed' : 'plain');
    await mkdir(checkpoint);
    await writeLlamaConfig(checkpoint, sizes, tensors === packed ? quantizationConfigOf(packing) : null);
    await writeTo(checkpoint, 'model.safetensors', safetensorsOf(tensors));
    folders.push([checkpoint, tensors === packed]);
  }
  return folders;
}

/** Large enough that `auto` keeps the codes; the smallest such of whole groups of 128. */
const llama: LlamaSizes = { hidden: 256, inner: 1024, layers: 4, heads: 4, vocabulary: 512 };

const packings: [string, Packing][] = [
  ['AWQ gemm', { layout: 'awq_gemm', groupSize: 128 }],
  ['AWQ gemv', { layout: 'awq_gemv', groupSize: 64 }],
  ['AWQ gemv_fast', { layout: 'awq_gemv_fast', groupSize: 32 }],
  ['GPTQ v1 with act-order', { layout: 'gptq', groupSize: 128, actOrder: true }],
  ['GPTQ v2 with act-order', { layout: 'gptq_v2', groupSize: 32, actOrder: true }],
  ['GPTQ of 8 bits', { layout: 'gptq', bits: 8, groupSize: 128 }],
  ['compressed-tensors, asymmetric', { layout: 'compressed', groupSize: 128 }],
  ['compressed-tensors, symmetric, with act-order', { layout: 'compressed_symmetric', groupSize: 128, actOrder: true }],
];

describe('A folder of packed weights', () => {
  test.each(packings)('of %s becomes a plan that answers as the unpacked numbers do', (_, packing) =>
    withFolder(async (folder) => {
      const { builder } = await openNative();
      const scores: Float32Array[] = [];
      for (const [checkpoint, packed] of await writeBoth(folder, llama, packing)) {
        const out = `${checkpoint}.plan`;
        const header = await buildPlan({ checkpoint, out, builder, precision: packed ? 'auto' : 'f32' });
        if (packed) {
          const kept = packing.bits === 8 ? 'q8' : packing.groupSize % 128 === 0 ? 'int4_g128' : 'int4_g32';
          const linears = header.tensors.filter(({ name }) => /_proj/.test(name) && !name.endsWith('.columns'));
          expect(new Set(linears.map(({ type }) => type))).toEqual(new Set([kept]));
          // q + k + v share one turned input, gate + up another; o and down have theirs.
          const turns = header.program.steps.filter(({ op }) => op === 'permute_columns').length;
          expect(turns).toBe(packing.actOrder === true ? 4 * llama.layers : 0);
          expect(header.tensors.length).toBe(llama.layers * (packing.actOrder === true ? 10 : 6) + 4);
        }
        scores.push(await scoresOf(out));
      }
      const [found, expected] = scores as [Float32Array, Float32Array];
      expect(Math.max(...expected) - Math.min(...expected)).toBeGreaterThan(1);
      for (let i = 0; i < found.length; i++)
        expect(Math.abs(found[i]! - expected[i]!)).toBeLessThan(packing.bits === 8 ? 1e-2 : 1e-3);
    }),
  );

  test.each(packings)('of %s that is small is kept as float32, the same number for number', (_, packing) =>
    withFolder(async (folder) => {
      const { builder } = await openNative();
      const small = { ...packing, groupSize: Math.min(packing.groupSize, 64) };
      const scores: Float32Array[] = [];
      for (const [checkpoint] of await writeBoth(folder, tinyLlama, small)) {
        const out = `${checkpoint}.plan`;
        const { tensors } = await buildPlan({ checkpoint, out, builder });
        expect(tensors.every(({ type }) => type === 'f32')).toBe(true);
        scores.push(await scoresOf(out));
      }
      expect(scores[0]).toEqual(scores[1]);
    }),
  );

  test.each(packings.filter(([, { bits }]) => bits !== 8))(
    'of %s keeps its codes where 4 bits are asked for, however small it is',
    (_, packing) =>
      withFolder(async (folder) => {
        const { builder } = await openNative();
        const small = { ...packing, groupSize: 32 };
        const [[checkpoint]] = (await writeBoth(folder, tinyLlama, small)) as [[string, boolean]];
        const header = await buildPlan({ checkpoint, out: join(folder, 'plan'), builder, precision: 'int4' });
        const linears = header.tensors.filter(({ name }) => /_proj/.test(name) && !name.endsWith('.columns'));
        expect(new Set(linears.map(({ type }) => type))).toEqual(new Set(['int4_g32']));
        const turns = header.program.steps.filter(({ op }) => op === 'permute_columns').length;
        expect(turns).toBe(packing.actOrder === true ? 4 : 0);
      }),
  );

  test('may leave some linears unpacked, and may say how it was packed in a file of its own', () =>
    withFolder(async (folder) => {
      const { builder } = await openNative();
      const packing: Packing = { layout: 'gptq', groupSize: 64, actOrder: true };
      const { packed, plain } = llamaTensors(tinyLlama, packing);
      for (const name of [...packed.keys()]) if (/o_proj|up_proj/.test(name)) packed.delete(name);
      for (const [name, tensor] of plain) if (/o_proj|up_proj/.test(name)) packed.set(name, tensor);
      const scores: Float32Array[] = [];
      for (const [name, tensors] of [
        ['packed', packed],
        ['plain', plain],
      ] as const) {
        const checkpoint = join(folder, name);
        await mkdir(checkpoint);
        await writeLlamaConfig(checkpoint, tinyLlama, null);
        await writeTo(checkpoint, 'model.safetensors', safetensorsOf(tensors));
        if (name === 'packed') {
          const { quant_method: _, ...old } = quantizationConfigOf(packing);
          await writeTo(checkpoint, 'quantize_config.json', JSON.stringify({ ...old, model_name_or_path: '' }));
        }
        await buildPlan({ checkpoint, out: join(folder, `${name}.plan`), builder });
        scores.push(await scoresOf(join(folder, `${name}.plan`)));
      }
      expect(scores[0]).toEqual(scores[1]);
    }));

  test('is refused with what to do when it holds a pickle', () =>
    withFolder(async (folder) => {
      await writeLlamaConfig(folder, tinyLlama, null);
      await writeTo(folder, 'pytorch_model-00001-of-00002.bin', 'PK\x03\x04');
      await expect(openCheckpoint(folder)).rejects.toMatchObject({
        code: 'unsupported-model',
        message: expect.stringMatching(/pytorch_model-00001-of-00002\.bin.*convert it to safetensors/),
      });
      await expect(openCheckpoint(join(folder, 'pytorch_model-00001-of-00002.bin'))).rejects.toThrow(/safetensors/);
    }));
});
