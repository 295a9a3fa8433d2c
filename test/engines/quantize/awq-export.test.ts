import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { buildPlan } from '../../../engines/build/build.ts';
import { quantizeCheckpoint } from '../../../engines/quantize/quantize.ts';
import { type SafetensorsEntry, shard } from '../../../engines/quantize/write-safetensors.ts';
import { withFolder } from '../checkpoints.ts';
import { openPlan, readInt4 } from './read-plan.ts';
import { quantizer, writeSmallLlama } from './small-llama.ts';

type Tensor = { dtype: string; shape: number[]; bytes: Uint8Array };

async function readSafetensors(path: string): Promise<Map<string, Tensor>> {
  const file = await readFile(path);
  const headerBytes = Number(file.readBigUInt64LE(0));
  const header = JSON.parse(file.toString('utf8', 8, 8 + headerBytes)) as Record<
    string,
    { dtype: string; shape: number[]; data_offsets: [number, number] }
  >;
  expect(headerBytes % 8).toBe(0);
  return new Map(
    Object.entries(header)
      .filter(([name]) => name !== '__metadata__')
      .map(
        ([
          name,
          {
            dtype,
            shape,
            data_offsets: [begin, end],
          },
        ]) => {
          const bytes = Uint8Array.from(file.subarray(8 + headerBytes + begin, 8 + headerBytes + end));
          return [name, { dtype, shape, bytes }];
        },
      ),
  );
}

const options = { arithmetic: quantizer(), sequenceTokens: 64, maxSequences: 4, texts: ['abcdefgh '.repeat(60)] };

/** A model in 4 bits as a plan and as AutoAWQ's folder. */
async function inBothForms(folder: string) {
  const checkpoint = join(folder, 'checkpoint');
  await mkdir(checkpoint);
  const tensors = await writeSmallLlama(checkpoint, {
    numLayers: 1,
    biases: true,
    outliers: { every: 40, factor: 20 },
  });
  const [out, exported] = [join(folder, 'model.plan'), join(folder, 'model-awq')];
  await quantizeCheckpoint({ ...options, checkpoint, method: 'awq', target: { type: 'plan', out } });
  await quantizeCheckpoint({ ...options, checkpoint, method: 'awq', target: { type: 'awq', folder: exported } });
  return { tensors, out, exported };
}

describe('The export for AutoAWQ', () => {
  test('holds the very codes, zero points and scales of the plan, in its own order; all else is float16', () =>
    withFolder(async (folder) => {
      const { tensors, out, exported } = await inBothForms(folder);
      const plan = await openPlan(out);
      const written = await readSafetensors(join(exported, 'model.safetensors'));
      let numLinears = 0;
      for (const { name, shape } of tensors) {
        const at = name.replace(/\.weight$/, '');
        if (!name.includes('_proj.weight')) {
          expect(written.get(name)).toMatchObject({ dtype: 'F16', shape });
          continue;
        }
        numLinears++;
        const [rows, columns] = shape as [number, number];
        const { tensor, firstRow } = plan.tensorOf(name);
        const all = readInt4(plan.section(name), tensor.rows, columns, 128);
        const [qweight, qzeros, scales] = ['qweight', 'qzeros', 'scales'].map((kind) => written.get(`${at}.${kind}`)!);
        expect(qweight).toMatchObject({ dtype: 'I32', shape: [columns, rows / 8] });
        expect(qzeros).toMatchObject({ dtype: 'I32', shape: [columns / 128, rows / 8] });
        expect(scales).toMatchObject({ dtype: 'F16', shape: [columns / 128, rows] });
        const words = new Uint32Array(qweight!.bytes.buffer);
        const zeroWords = new Uint32Array(qzeros!.bytes.buffer);
        const halves = new Uint16Array(scales!.bytes.buffer);
        // AutoAWQ's order, undone: the place of row 8 c + i in word c.
        const places = [0, 4, 1, 5, 2, 6, 3, 7];
        const nibble = (word: number, row: number): number => (word >>> (4 * places[row % 8]!)) & 15;
        let [others, otherScales, otherZeros] = [0, 0, 0];
        for (let row = 0; row < rows; row++) {
          for (let k = 0; k < columns; k++) {
            const code = nibble(words[k * (rows / 8) + Math.floor(row / 8)]!, row);
            if (code !== all.codes[(firstRow + row) * columns + k]) others++;
          }
          for (let g = 0; g < columns / 128; g++) {
            const place = (firstRow + row) * (columns / 128) + g;
            if (halves[g * rows + row] !== all.scaleBits[place]) otherScales++;
            if (nibble(zeroWords[g * (rows / 8) + Math.floor(row / 8)]!, row) !== all.zeros[place]) otherZeros++;
          }
        }
        expect([others, otherScales, otherZeros], name).toEqual([0, 0, 0]);
      }
      expect(numLinears).toBe(7);
    }));

  test('is read back by the builder into the same weights', () =>
    withFolder(async (folder) => {
      const { out, exported } = await inBothForms(folder);
      const again = join(folder, 'again.plan');
      await buildPlan({ checkpoint: exported, out: again, builder: quantizer().builder, precision: 'int4' });
      const hashes = async (path: string) =>
        (await openPlan(path)).header.tensors
          .filter(({ type }) => type === 'int4_g128')
          .map(({ name, sha256 }) => [name, sha256]);
      expect((await hashes(out)).length).toBe(4);
      expect(await hashes(again)).toEqual(await hashes(out));
    }));

  test('carries the tokenizer, and a config that says how it is quantized', () =>
    withFolder(async (folder) => {
      const { exported } = await inBothForms(folder);
      expect((await readdir(exported)).sort()).toEqual(['config.json', 'model.safetensors', 'tokenizer.json']);
      const config = JSON.parse(await readFile(join(exported, 'config.json'), 'utf8')) as Record<string, unknown>;
      expect(config).toMatchObject({ model_type: 'llama', hidden_size: 256, torch_dtype: 'float16' });
      expect(config.quantization_config).toEqual({
        ...{ quant_method: 'awq', bits: 4, group_size: 128, zero_point: true, version: 'gemm' },
        modules_to_not_convert: null,
      });
    }));

  test('names the linears that its form cannot hold, and keeps them in float16', () =>
    withFolder(async (folder) => {
      const checkpoint = join(folder, 'checkpoint');
      await mkdir(checkpoint);
      await writeSmallLlama(checkpoint, { numLayers: 1, feedForwardSize: 160 });
      const target = { type: 'awq' as const, folder: join(folder, 'out') };
      await quantizeCheckpoint({ ...options, checkpoint, method: 'rtn', target });
      const config = JSON.parse(await readFile(join(folder, 'out', 'config.json'), 'utf8'));
      expect(config.quantization_config.modules_to_not_convert).toEqual(['model.layers.0.mlp.down_proj']);
      const written = await readSafetensors(join(folder, 'out', 'model.safetensors'));
      expect(written.get('model.layers.0.mlp.down_proj.weight')).toMatchObject({ dtype: 'F16', shape: [256, 160] });
    }));

  test('is refused for other bits, another head, a place that is taken, and what is no folder', () =>
    withFolder(async (folder) => {
      const checkpoint = join(folder, 'checkpoint');
      await mkdir(checkpoint);
      await writeSmallLlama(checkpoint, { numLayers: 1 });
      const target = { type: 'awq' as const, folder };
      const all = { ...options, checkpoint, target };
      await expect(quantizeCheckpoint({ ...all, method: 'int8' })).rejects.toThrow(/holds 4 bits/);
      await expect(quantizeCheckpoint({ ...all, method: 'rtn', head: 'int8' })).rejects.toThrow(/always f16/);
      await expect(quantizeCheckpoint({ ...all, method: 'rtn' })).rejects.toThrow(/is there already/);
      expect(await readdir(folder)).toEqual(['checkpoint']);
      const once = join(folder, 'once');
      await quantizeCheckpoint({ ...all, method: 'rtn', target: { type: 'awq', folder: once } });
      const twice = { type: 'plan' as const, out: join(folder, 'twice.plan') };
      await expect(quantizeCheckpoint({ ...all, checkpoint: once, method: 'rtn', target: twice })).rejects.toThrow(
        'once is quantized already.',
      );
    }));
});

test('Shards are filled in order up to their size, and a tensor is never split', () => {
  const entry = (name: string, values: number): SafetensorsEntry => ({ name, dtype: 'F16', shape: [values] });
  const names = shard([entry('a', 30), entry('b', 20), entry('c', 60), entry('d', 1)], 100).map((own) =>
    own.map(({ name }) => name),
  );
  expect(names).toEqual([['a', 'b'], ['c'], ['d']]);
});
