import { describe, expect, test } from 'vitest';
import type { PackRequest } from '../../native/index.ts';
import { type Packing, packLinear, quantizationConfigOf } from '../engines/packed-linears.ts';
import { unpackRecords } from '../engines/unpack-plan.ts';
import { openNative } from './native.ts';

/** The bytes of a linear as the builder wants them, and its weights. */
function bytesOf(packing: Packing, rows: number, columns: number): { bytes: Uint8Array; weights: Float32Array } {
  const { tensors, weights } = packLinear(packing, rows, columns, 5);
  const bytes = Buffer.concat([...tensors].filter(([ending]) => ending !== 'weight_shape').map(([, one]) => one.bytes));
  return { bytes, weights };
}

const { builder } = await openNative();
const unsigned = (numbers: Float32Array): Float32Array => numbers.map((number) => number + 0);

describe('Weights in groups', () => {
  test.each([
    ['awq_gemm', 'awq_gemm-4-64-f16'],
    ['awq_gemv', 'awq_gemv-4-64-f16'],
    ['awq_gemv_fast', 'awq_gemv_fast-4-64-f16'],
    ['gptq', 'gptq-4-64-f16'],
    ['gptq_v2', 'gptq_v2-4-64-f16'],
  ] as const)('of %s fit int8 too, to the last bit', async (layout, from) => {
    const { bytes, weights } = bytesOf({ layout, groupSize: 64 }, 40, 192);
    const packed = await builder.pack({ bytes, from, to: 'q8', numRows: 40, numColumns: 192 });
    expect(unsigned(unpackRecords(packed, 'q8', 40, 192))).toEqual(unsigned(weights));
  });

  test('of 8 columns become float32, and int8 with the loss of rounding', async () => {
    const { bytes, weights } = bytesOf({ layout: 'gptq', groupSize: 8 }, 16, 64);
    const request = { bytes, from: 'gptq-4-8-f16', numRows: 16, numColumns: 64 } as const;
    const single = await builder.pack({ ...request, to: 'f32' });
    expect(unsigned(new Float32Array(single.slice().buffer))).toEqual(unsigned(weights));
    const found = unpackRecords(await builder.pack({ ...request, to: 'q8' }), 'q8', 16, 64);
    const largest = Math.max(...weights.map(Math.abs));
    for (let i = 0; i < found.length; i++) {
      expect(Math.abs(found[i]! - weights[i]!)).toBeLessThanOrEqual((largest / 127) * 0.51);
    }
    await expect(builder.pack({ ...request, to: 'int4_g32' })).rejects.toMatchObject({ code: 'invalid-input' });
  });

  test('are said in config.json as their packing is', () => {
    expect(quantizationConfigOf({ layout: 'awq_gemm', groupSize: 64 })).toMatchObject({
      version: 'gemm',
      group_size: 64,
    });
  });

  const { bytes } = bytesOf({ layout: 'gptq', groupSize: 32 }, 16, 64);
  const good: PackRequest = { bytes, from: 'gptq-4-32-f16', to: 'int4_g32', numRows: 16, numColumns: 64 };
  const groupsOf = (change: (groups: Int32Array) => void): Uint8Array => {
    const copy = Uint8Array.from(bytes);
    change(new Int32Array(copy.buffer, copy.length - 4 * 64, 64));
    return copy;
  };
  const columns = Int32Array.from({ length: 64 }, (_, k) => k);
  const bad: [string, Partial<PackRequest>, string][] = [
    ['too few bytes', { bytes: bytes.subarray(1) }, 'invalid-input'],
    ['too many bytes', { bytes: Buffer.concat([bytes, Buffer.alloc(1)]) }, 'invalid-input'],
    ['other rows', { numRows: 24 }, 'invalid-input'],
    ['other columns', { numColumns: 32 }, 'invalid-input'],
    ['rows that fill no word', { numRows: 12 }, 'invalid-input'],
    ['a layout that is not known', { from: 'gptq_v3-4-32-f16' }, 'unsupported'],
    ['three bits', { from: 'gptq-3-32-f16' }, 'invalid-input'],
    ['AWQ of eight bits', { from: 'awq_gemm-8-32-f16' }, 'invalid-input'],
    ['groups of nothing', { from: 'gptq-4-0-f16' }, 'unsupported'],
    ['groups past all bounds', { from: 'gptq-4-99999999999-f16' }, 'unsupported'],
    ['scales that are not known', { from: 'gptq-4-32-f64' }, 'unsupported'],
    ['a name that goes on', { from: 'gptq-4-32-f16-more' }, 'unsupported'],
    ['a group below the first', { bytes: groupsOf((groups) => groups.fill(-1, 3, 4)) }, 'invalid-input'],
    ['a group past the last', { bytes: groupsOf((groups) => groups.fill(2, 3, 4)) }, 'invalid-input'],
    ['columns of two groups in a record', { bytes: groupsOf((groups) => groups.fill(1, 3, 4)) }, 'invalid-input'],
    ['records that hold more than a group', { to: 'int4_g128' }, 'invalid-input'],
    ['8 bits of floating point', { to: 'f8' }, 'unsupported'],
    ['whole numbers', { to: 'i32' }, 'unsupported'],
    ['4 bits without levels', { to: 'q4' }, 'invalid-input'],
    ['an order of too few columns', { columnOrder: columns.subarray(1) }, 'invalid-input'],
    ['an order of a column that is not there', { columnOrder: columns.map((k) => k + 1) }, 'invalid-input'],
    ['an order of column -1', { columnOrder: columns.map((k) => k - 1) }, 'invalid-input'],
    ['an order of a row that is not there', { rowOrder: new Int32Array(16).fill(16) }, 'invalid-input'],
    ['rows of a checkpoint that has others', { rowOrder: new Int32Array(16), checkpointRows: 24 }, 'invalid-input'],
    ['an order of columns for other weights', { from: 'f32', columnOrder: columns }, 'invalid-input'],
  ];
  test('are packed', async () => {
    expect((await builder.pack(good)).length).toBe(2 * 320);
  });
  test.each(bad)('are refused with a code: %s', async (_, change, code) => {
    await expect(builder.pack({ ...good, ...change })).rejects.toMatchObject({ code });
  });
});
