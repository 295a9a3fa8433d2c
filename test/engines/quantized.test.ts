import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import {
  type GroupedLinear,
  type PieceOfFile,
  readGroupedLinear,
  takeGroupedLinears,
} from '../../engines/build/grouped-linears.ts';
import { parseGroupedType, planTypeOfGroups } from '../../engines/build/grouped-types.ts';
import { parseQuantization } from '../../engines/build/quantization-config.ts';
import { openSafetensors } from '../../engines/build/safetensors.ts';
import { planTensorBytes } from '../../engines/plan/format.ts';
import { openNative } from '../native/native.ts';
import { type RecordType, unpackRecords } from './unpack-plan.ts';

const reference = await openSafetensors(join(import.meta.dirname, 'reference', 'quantized.safetensors'));
const { builder } = await openNative();
afterAll(() => reference.file.close());

const awq = (version: string, group_size: number) => ({
  quant_method: 'awq',
  bits: 4,
  group_size,
  zero_point: true,
  version,
  modules_to_not_convert: null,
});
const gptq = (bits: number, group_size: number, checkpoint_format?: string) => ({
  quant_method: 'gptq',
  bits,
  group_size,
  desc_act: true,
  sym: false,
  checkpoint_format,
});
const compressed = (num_bits: number, group_size: number | null, symmetric: boolean) => ({
  quant_method: 'compressed-tensors',
  format: 'pack-quantized',
  ignore: ['lm_head'],
  config_groups: {
    group_0: {
      targets: ['Linear'],
      weights: { num_bits, type: 'int', symmetric, strategy: group_size === null ? 'channel' : 'group', group_size },
    },
  },
});

/** The case, what its folder says, the type it gets in a graph and in a plan. */
const cases: [string, object, string, RecordType][] = [
  ['awq_gemm_128', awq('gemm', 128), 'awq_gemm-4-128-f16', 'int4_g128'],
  ['awq_gemm_32', awq('GEMM', 32), 'awq_gemm-4-32-f16', 'int4_g32'],
  ['awq_gemv_128', awq('gemv', 128), 'awq_gemv-4-128-f16', 'int4_g128'],
  ['awq_gemv_64', awq('gemv', 64), 'awq_gemv-4-64-f16', 'int4_g32'],
  ['awq_gemv_fast_128', awq('gemv_fast', 128), 'awq_gemv_fast-4-128-f16', 'int4_g128'],
  ['awq_gemv_fast_32', awq('gemv_fast', 32), 'awq_gemv_fast-4-32-f16', 'int4_g32'],
  ['gptq_v1_128', gptq(4, 128), 'gptq-4-128-f16', 'int4_g128'],
  ['gptq_v1_order_32', gptq(4, 32, 'gptq'), 'gptq-4-32-f16', 'int4_g32'],
  ['gptq_v2_order_128', gptq(4, 128, 'gptq_v2'), 'gptq_v2-4-128-f16', 'int4_g128'],
  ['gptq_v2_row', gptq(4, -1, 'gptq_v2'), 'gptq_v2-4-256-f16', 'int4_g128'],
  ['gptq_8_symmetric', gptq(8, 128), 'gptq-8-128-f16', 'q8'],
  ['gptq_8_order', gptq(8, 64, 'gptq_v2'), 'gptq_v2-8-64-f16', 'q8'],
  ['compressed_128', compressed(4, 128, true), 'compressed_symmetric-4-128-bf16', 'int4_g128'],
  ['compressed_order_64', compressed(4, 64, false), 'compressed-4-64-f16', 'int4_g32'],
  ['compressed_row', compressed(4, null, false), 'compressed-4-256-bf16', 'int4_g128'],
  ['compressed_8', compressed(8, 128, true), 'compressed_symmetric-8-128-bf16', 'q8'],
];
/** Zero points of 8 bits that are not the middle: the differences need nine bits. */
const needsNineBits: ReadonlySet<string> = new Set(['gptq_8_order']);

async function linearOf(name: string, config: object): Promise<GroupedLinear> {
  const files = new Map<string, PieceOfFile>();
  for (const { offset, ...tensor } of reference.tensors) {
    if (!tensor.name.startsWith(`${name}.`)) continue;
    const { path } = reference.file;
    files.set(tensor.name, { ...tensor, path, into: (bytes) => reference.file.into(bytes, offset) });
  }
  const linears = await takeGroupedLinears(files, parseQuantization(config, 'config.json'));
  expect(files.size).toBe(0);
  expect(linears.length).toBe(1);
  return linears[0]!;
}

async function expectedOf(name: string): Promise<Float32Array> {
  const { offset, sizeBytes } = reference.tensors.find((tensor) => tensor.name === `expected.${name}`)!;
  return new Float32Array((await reference.file.at(offset, sizeBytes)).buffer);
}

/** One zero for both. */
const unsigned = (numbers: Float32Array): Float32Array => numbers.map((number) => number + 0);

describe('A packed linear', () => {
  test.each(cases)('%s is read as PyTorch reads it, bit by bit', async (name, config, type) => {
    const linear = await linearOf(name, config);
    expect(linear).toMatchObject({ name: `${name}.weight`, rows: 24, columns: 256, type });
    const numbers = await builder.toFloat32(await readGroupedLinear(linear), type, 24, 256);
    expect(unsigned(numbers)).toEqual(unsigned(await expectedOf(name)));
  });

  test.each(cases)('%s keeps every bit in a plan', async (name, config, from, to) => {
    const linear = await linearOf(name, config);
    expect(planTypeOfGroups(parseGroupedType(from)!, 256)).toBe(to);
    const { columnOrder } = linear;
    expect(columnOrder !== undefined).toBe(name.includes('order'));
    const bytes = await readGroupedLinear(linear);
    const packed = await builder.pack({ bytes, from, to, numRows: 24, numColumns: 256, columnOrder });
    expect(packed.length).toBe(planTensorBytes(to, 24, 256));
    const found = unpackRecords(packed, to, 24, 256);
    const expected = await expectedOf(name);
    const sorted = expected.map((_, i) => expected[i - (i % 256) + (columnOrder?.[i % 256] ?? i % 256)]!);
    if (!needsNineBits.has(name)) expect(unsigned(found)).toEqual(unsigned(sorted));
    else {
      for (let group = 0; group < sorted.length; group += 32) {
        const largest = Math.max(...sorted.subarray(group, group + 32).map(Math.abs));
        for (let i = group; i < group + 32; i++) {
          expect(Math.abs(found[i]! - sorted[i]!)).toBeLessThanOrEqual((largest / 127) * 0.51 + 2 ** -25 * 127);
        }
      }
    }
  });

  test.each(cases)('%s gives some of its rows in any order', async (name, config, from, to) => {
    const linear = await linearOf(name, config);
    const bytes = await readGroupedLinear(linear);
    const { columnOrder } = linear;
    const whole = await builder.pack({ bytes, from, to, numRows: 24, numColumns: 256, columnOrder });
    const all = unpackRecords(whole, to, 24, 256);
    for (const rows of [
      [8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 0, 1, 2, 3, 4, 5, 6, 7],
      [3, 5, 7, 7, 23, 0, 2, 11, 13, 1, 4, 6, 8, 9, 10, 12, 14, 15, 16],
    ]) {
      const rowOrder = Int32Array.from(rows);
      const request = { bytes, from, to, numRows: rows.length, numColumns: 256, checkpointRows: 24, columnOrder };
      const found = unpackRecords(await builder.pack({ ...request, rowOrder }), to, rows.length, 256);
      rows.forEach((row, place) => {
        expect(found.subarray(256 * place, 256 * (place + 1))).toEqual(all.subarray(256 * row, 256 * (row + 1)));
      });
    }
  });

  test.each(cases)('%s becomes float32 and float16 where that is asked for', async (name, config, from) => {
    const bytes = await readGroupedLinear(await linearOf(name, config));
    const expected = await expectedOf(name);
    const single = await builder.pack({ bytes, from, to: 'f32', numRows: 24, numColumns: 256 });
    expect(unsigned(new Float32Array(single.slice().buffer))).toEqual(unsigned(expected));
    const half = await builder.pack({ bytes, from, to: 'f16', numRows: 24, numColumns: 256 });
    for (let i = 0; i < expected.length; i++) {
      const view = new DataView(half.buffer, half.byteOffset).getUint16(2 * i, true);
      const magnitude =
        (view & 0x7c00) === 0
          ? (view & 0x3ff) * 2 ** -24
          : (1 + (view & 0x3ff) / 1024) * 2 ** (((view >> 10) & 31) - 15);
      const number = view & 0x8000 ? -magnitude : magnitude;
      expect(Math.abs(number - expected[i]!)).toBeLessThanOrEqual(
        Math.max(Math.abs(expected[i]!) * 2 ** -11, 2 ** -25),
      );
    }
  });
});
