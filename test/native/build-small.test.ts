// What the builder makes of a checkpoint's numbers in int4 and f8, read back by the words of engines/plan/format.md.
import { beforeAll, describe, expect, test } from 'vitest';
import { planTensorBytes } from '../../engines/plan/format.ts';
import type { Builder, PackRequest } from '../../native/index.ts';
import { codeOf, openNative } from './native.ts';
import { float8Values } from './pack-small.ts';
import { randomNumbers } from './plan-writer.ts';

let builder: Builder;
beforeAll(async () => {
  builder = (await openNative()).builder;
}, 600_000);

type Int4 = { nibbles: Uint8Array; scales: Float64Array; zeros: Float64Array };
type Int4Type = 'int4_g32' | 'int4_g128';

/** Nibbles [rows padded to 16, columns], and per group the scale and the zero point. */
function readInt4(bytes: Uint8Array, type: Int4Type, rows: number, columns: number): Int4 {
  const group = type === 'int4_g32' ? 32 : 128;
  const record = 8 * group + 64;
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const [padded, numGroups] = [Math.ceil(rows / 16) * 16, columns / group];
  const nibbles = new Uint8Array(padded * columns);
  const [scales, zeros] = [new Float64Array(padded * numGroups), new Float64Array(padded * numGroups)];
  for (let n = 0; n < padded; n++) {
    for (let g = 0; g < numGroups; g++) {
      const at = (Math.floor(n / 16) * numGroups + g) * record;
      scales[n * numGroups + g] = view.getFloat16(at + 8 * group + 2 * (n % 16), true);
      zeros[n * numGroups + g] = view.getFloat16(at + 8 * group + 32 + 2 * (n % 16), true);
      for (let k = 0; k < group; k++) {
        const byte = bytes[at + 64 * Math.floor(k / 8) + 4 * (n % 16) + (k % 4)]!;
        nibbles[n * columns + g * group + k] = k % 8 < 4 ? byte & 15 : byte >> 4;
      }
    }
  }
  return { nibbles, scales, zeros };
}

/** 8 blocks of a GGUF type from random bytes, its f16 numbers small and finite. */
function blocksOf(blockBytes: number, halfAt: number[], numBlocks: number): Uint8Array {
  const random = randomNumbers(blockBytes);
  const bytes = Uint8Array.from({ length: numBlocks * blockBytes }, () => Math.floor((random() + 1) * 128));
  const view = new DataView(bytes.buffer);
  for (let block = 0; block < numBlocks; block++) {
    for (const at of halfAt) view.setFloat16(block * blockBytes + at, random() * 0.02, true);
  }
  return bytes;
}

function numbersOf(count: number, seed: number, middle: number): Float32Array {
  const random = randomNumbers(seed);
  return Float32Array.from({ length: count }, (_, i) => middle + random() * (i % 61 === 7 ? 40 : 1) * (1 + (i % 5)));
}

const packFloats = (numbers: Float32Array, to: PackRequest['to'], numRows: number, numColumns: number) =>
  builder.pack({ bytes: new Uint8Array(numbers.buffer), from: 'f32', to, numRows, numColumns });

describe('4-bit codes of a checkpoint', () => {
  test.each([
    ['q4_0', 32, 18, [0]],
    ['q4_1', 32, 20, [0, 2]],
    ['q4_k', 256, 144, [0, 2]],
  ] as const)('are kept as %s has them in int4_g32', async (from, blockValues, blockBytes, halves) => {
    const [numRows, numColumns] = [18, 512];
    const bytes = blocksOf(blockBytes, [...halves], (numRows * numColumns) / blockValues);
    const expected = await builder.toFloat32(bytes, from, numRows, numColumns);
    const packed = await builder.pack({ bytes, from, to: 'int4_g32', numRows, numColumns });
    expect(packed.length).toBe(planTensorBytes('int4_g32', numRows, numColumns));
    const { nibbles, scales, zeros } = readInt4(packed, 'int4_g32', numRows, numColumns);
    const isExact = from === 'q4_0';
    for (let i = 0; i < expected.length; i++) {
      const [scale, zero] = [scales[Math.floor(i / 32)]!, zeros[Math.floor(i / 32)]!];
      const found = (nibbles[i]! - zero) * scale;
      // Half a unit of f16 for the scale and for the zero point, which may be below f16's normal numbers.
      const rounding = 2 ** -11 * (Math.abs(found) + Math.abs(zero * scale)) + 2 ** -25 * (16 + Math.abs(zero));
      expect(Math.abs(found - expected[i]!)).toBeLessThanOrEqual(isExact ? 0 : rounding * 1.01);
    }
  });

  test('of a group whose scale is zero become a constant', async () => {
    const bytes = new Uint8Array(2 * 144);
    const view = new DataView(bytes.buffer);
    for (const at of [0, 144]) {
      view.setFloat16(at, at === 0 ? 0 : 1, true); // no scale at all; sub-scales that are 0
      view.setFloat16(at + 2, 0.5, true);
      bytes.fill(33, at + 8, at + 12); // minima of groups 0 to 3
      bytes.fill(0x57, at + 16, at + 144);
    }
    const packed = await builder.pack({ bytes, from: 'q4_k', to: 'int4_g32', numRows: 2, numColumns: 256 });
    const { nibbles, scales, zeros } = readInt4(packed, 'int4_g32', 2, 256);
    const expected = await builder.toFloat32(bytes, 'q4_k', 2, 256);
    expect(expected[0]).toBe(-16.5);
    expected.forEach((value, i) => {
      const group = Math.floor(i / 32);
      expect((nibbles[i]! - zeros[group]!) * scales[group]! + 0).toBe(value + 0);
    });
  });
});

describe('rounding to nearest', () => {
  test.each([
    ['int4_g32', 32, 0],
    ['int4_g32', 32, 1.5],
    ['int4_g128', 128, 0],
    ['int4_g128', 128, -1.5],
  ] as const)('to %s, groups of %i, values around %f', async (to, group, middle) => {
    const [numRows, numColumns] = [19, 384];
    const numbers = numbersOf(numRows * numColumns, group, middle);
    const packed = await packFloats(numbers, to, numRows, numColumns);
    expect(packed.length).toBe(planTensorBytes(to, numRows, numColumns));
    const { nibbles, scales, zeros } = readInt4(packed, to, numRows, numColumns);
    for (let first = 0; first < numbers.length; first += group) {
      const part = numbers.subarray(first, first + group);
      const [scale, zero] = [scales[first / group]!, zeros[first / group]!];
      const [least, most] = [Math.min(...part), Math.max(...part)];
      expect(Math.abs(scale / Math.max(most - least, 1e-5) - 1 / 15)).toBeLessThan(2 ** -11 / 15 + 1e-6);
      expect(zero).toBe(Math.min(15, Math.max(0, -Math.round(least / scale))) + 0);
      part.forEach((number, k) => {
        const best = Math.min(15, Math.max(0, number / scale + zero));
        expect(Math.abs(nibbles[first + k]! - best)).toBeLessThanOrEqual(0.5001);
      });
    }
    for (let i = numRows * numColumns; i < nibbles.length; i++) expect(nibbles[i]).toBe(0);
    expect(scales.subarray((numRows * numColumns) / group).every((scale) => scale === 0)).toBe(true);
  });

  test('to int4 keeps a group of zeros', async () => {
    const packed = await packFloats(new Float32Array(2 * 128), 'int4_g128', 2, 128);
    const { nibbles, zeros } = readInt4(packed, 'int4_g128', 2, 128);
    expect(nibbles.every((nibble, i) => nibble === zeros[Math.floor(i / 128)])).toBe(true);
  });

  test('to f8 takes the nearest of its numbers, with one scale a row', async () => {
    const [numRows, numColumns] = [37, 50];
    const numbers = numbersOf(numRows * numColumns, 5, 0);
    numbers.fill(0, 50, 100);
    for (let i = 100; i < 150; i++) numbers[i]! *= 1e-9;
    numbers[101] = 3; // all others are below the smallest normal number beside it
    const packed = await packFloats(numbers, 'f8', numRows, numColumns);
    expect(packed.length).toBe(planTensorBytes('f8', numRows, numColumns));
    const view = new DataView(packed.buffer, packed.byteOffset);
    const scalesAt = Math.ceil((numRows * numColumns) / 64) * 64;
    for (let n = 0; n < numRows; n++) {
      const row = numbers.subarray(n * numColumns, (n + 1) * numColumns);
      const scale = view.getFloat32(scalesAt + 4 * n, true);
      expect(scale).toBe(Math.fround(Math.max(...row.map(Math.abs)) / 448));
      row.forEach((number, k) => {
        const byte = packed[n * numColumns + k]!;
        expect(byte & 0x7f).toBeLessThan(0x7f);
        const wanted = scale === 0 ? 0 : Math.abs(number) / scale;
        const least = Math.min(...float8Values.map((value) => Math.abs(value - wanted)));
        expect(Math.abs(float8Values[byte & 0x7f]! - wanted)).toBeLessThanOrEqual(least + wanted * 1e-6);
        if (number < 0) expect(byte & 0x80).toBe(0x80);
      });
    }
    expect(packed.subarray(numRows * numColumns, scalesAt).every((byte) => byte === 0)).toBe(true);
  });

  test('to f8 keeps E4M3 as it is, ties to even', async () => {
    const halfWay = [1.0625, 1.1875, 432, 2 ** -10, 3 * 2 ** -10];
    const numbers = Float32Array.of(448, ...float8Values, ...halfWay);
    const packed = await packFloats(numbers, 'f8', 1, numbers.length);
    expect([...packed.subarray(1, 128)]).toEqual(Array.from({ length: 127 }, (_, i) => i));
    const found = [...packed.subarray(128, 128 + halfWay.length)].map((byte) => float8Values[byte]);
    expect(found).toEqual([1, 1.25, 448, 0, 2 * 2 ** -9]);
  });

  test('whole numbers are carried', async () => {
    const index = Int32Array.of(3, 0, 2, 1, 2 ** 31 - 1, -1);
    const request = { bytes: new Uint8Array(index.buffer), from: 'i32', numRows: 1, numColumns: 6 } as const;
    expect([...new Int32Array((await builder.pack({ ...request, to: 'i32' })).buffer)]).toEqual([...index]);
  });

  test.each<[string, Partial<PackRequest>]>([
    ['int4_g128 of 96 columns', { to: 'int4_g128', numColumns: 96, bytes: new Uint8Array(4 * 192) }],
    ['int4_g32 of 48 columns', { to: 'int4_g32', numColumns: 48, bytes: new Uint8Array(4 * 96) }],
    ['whole numbers from floats', { to: 'i32', numRows: 1, numColumns: 256 }],
    ['whole numbers of two rows', { to: 'i32', from: 'i32' }],
    ['a weight that is no number', { bytes: new Uint8Array(new Float32Array(256).fill(Number.NaN).buffer) }],
    ['an endless weight in f8', { to: 'f8', bytes: new Uint8Array(new Float32Array(256).fill(-Infinity).buffer) }],
    [
      'a scale that no f16 holds',
      { bytes: new Uint8Array(Float32Array.from({ length: 256 }, (_, i) => (i % 2 === 0 ? 1e6 : -1e6)).buffer) },
    ],
  ])('refuses %s', async (_, change) => {
    const good: PackRequest = {
      bytes: new Uint8Array(4 * 256),
      from: 'f32',
      to: 'int4_g32',
      numRows: 2,
      numColumns: 128,
    };
    expect((await builder.pack(good)).length).toBe(4 * 320);
    expect(await codeOf(builder.pack({ ...good, ...change }))).toBe('invalid-input');
  });
});
