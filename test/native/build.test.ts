import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { planTensorBytes } from '../../engines/plan/format.ts';
import type { Builder, PackRequest } from '../../native/index.ts';
import { openNative } from './native.ts';

/** Type, values and bytes of a block, where its f16 numbers stand, and the hash of what ggml 0.5 makes of `blocksOf`. */
const types: [string, number, number, number[], string][] = [
  ['q4_0', 32, 18, [0], 'bf499aab57ebb465d032d2362a3dbcd9'],
  ['q4_1', 32, 20, [0, 2], 'ccd2693e5e13894d0a5c1c6b51cf1b82'],
  ['q5_0', 32, 22, [0], '57a9462408f32fea29a39a82de2e35bd'],
  ['q5_1', 32, 24, [0, 2], '9c371d0e47b1cbb7a5ff6e69b62485c9'],
  ['q8_0', 32, 34, [0], '3c22190148914e85a517649917f84ffa'],
  ['q2_k', 256, 84, [80, 82], 'bedbc5ee450d3f72426f54c2f1a75f56'],
  ['q3_k', 256, 110, [108], 'd366a4c9fef242729b95b78984b74494'],
  ['q4_k', 256, 144, [0, 2], '544a1481fa8660ad1ad518ac85fc875b'],
  ['q5_k', 256, 176, [0, 2], 'cc5c615a1c15e715ccc2ebbe6556efec'],
  ['q6_k', 256, 210, [208], '5c3048f5513fc98bf84aaffe0f05b3a9'],
  ['iq2_xxs', 256, 66, [0], 'ebd784078668936eb8118b1b5871c044'],
  ['iq4_nl', 32, 18, [0], 'f0fc0d354588ed270ce804fe4c05582b'],
  ['iq4_xs', 256, 136, [0], '83c2a4e54787883b882136c7df2e82de'],
];

/** 64 blocks of bytes from a linear congruence; the f16 numbers lose a bit of their exponent, so that they are finite. */
function blocksOf(blockBytes: number, halfAt: number[]): Uint8Array {
  let state = 1;
  const bytes = Uint8Array.from({ length: 64 * blockBytes }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state >>> 24;
  });
  for (let block = 0; block < 64; block++) for (const at of halfAt) bytes[block * blockBytes + at + 1]! &= 0xbb;
  return bytes;
}

function halfAt(bytes: Uint8Array, at: number): number {
  const bits = bytes[at]! | (bytes[at + 1]! << 8);
  const magnitude =
    (bits & 0x7c00) === 0 ? (bits & 0x3ff) * 2 ** -24 : (1 + (bits & 0x3ff) / 1024) * 2 ** (((bits >> 10) & 31) - 15);
  return bits & 0x8000 ? -magnitude : magnitude;
}

/** Reads q8 and q4 by the words of engines/plan/format.md, number by number. */
function unpack(
  bytes: Uint8Array,
  type: 'q8' | 'q4',
  rows: number,
  columns: number,
  codebook: Int8Array,
): Float32Array {
  const recordBytes = type === 'q8' ? 544 : 288;
  const out = new Float32Array(Math.ceil(rows / 16) * 16 * columns);
  for (let n = 0; n < Math.ceil(rows / 16) * 16; n++) {
    for (let k = 0; k < columns; k++) {
      const record = (Math.floor(n / 16) * (columns / 32) + Math.floor(k / 32)) * recordBytes;
      const [r, c] = [n % 16, k % 32];
      const scale = halfAt(bytes, record + recordBytes - 32 + 2 * r);
      if (type === 'q8') {
        out[n * columns + k] = (bytes[record + 64 * Math.floor(c / 4) + 4 * r + (c % 4)]! - 128) * scale;
      } else {
        const byte = bytes[record + 64 * Math.floor(c / 8) + 4 * r + (c % 4)]!;
        out[n * columns + k] = codebook[c % 8 < 4 ? byte & 15 : byte >> 4]! * scale;
      }
    }
  }
  return out;
}

const levels = (...values: number[]) => Int8Array.from({ length: 16 }, (_, i) => values[i] ?? 0);
const q4Levels = levels(-8, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7);
const iq2Levels = levels(-43, -25, -8, 8, 25, 43);
const iq4Levels = levels(-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113);

describe('The builder', () => {
  const builder = async (): Promise<Builder> => (await openNative()).builder;

  test.each(types)('reads %s as ggml does, bit by bit', async (type, values, blockBytes, halves, hash) => {
    const numbers = await (await builder()).toFloat32(blocksOf(blockBytes, halves), type, 4, 16 * values);
    expect(createHash('sha256').update(new Uint8Array(numbers.buffer)).digest('hex').slice(0, 32)).toBe(hash);
  });

  test('has all the points of IQ2_XXS', async () => {
    // Scale 8 with the smallest sub-scale (1/8) makes the numbers the points' own magnitudes.
    const blocks = new Uint8Array(8 * 66);
    for (let block = 0; block < 8; block++) {
      blocks[block * 66 + 1] = 0x48;
      for (let point = 0; point < 32; point++) {
        blocks[block * 66 + 2 + 8 * Math.floor(point / 4) + (point % 4)] = 32 * block + point;
      }
    }
    const numbers = await (await builder()).toFloat32(blocks, 'iq2_xxs', 8, 256);
    expect(createHash('sha256').update(Uint8Array.from(numbers)).digest('hex')).toBe(
      '05826b5d3e472a3a78f196be62ac78acf81df0f909626e12ab9fa2a5d490dd54',
    );
  });

  test.each([
    ['q4_0', 18, 'q4', q4Levels],
    ['iq4_nl', 18, 'q4', iq4Levels],
    ['q8_0', 34, 'q8', q4Levels],
    ['q5_0', 22, 'q8', q4Levels],
  ] as const)('keeps every bit of %s', async (from, blockBytes, to, codebook) => {
    const bytes = blocksOf(blockBytes, [0]);
    if (from === 'q8_0') {
      // As its quantizer leaves them: the largest code is 127, and -128 is none.
      for (let at = 0; at < bytes.length; at++) if (at % 34 >= 2 && bytes[at] === 0x80) bytes[at] = 0x81;
      for (let at = 2; at < bytes.length; at += 34) bytes[at] = 127;
    }
    if (from === 'q5_0') {
      for (let at = 0; at < bytes.length; at += 22) {
        bytes[at + 2]! &= 0xfe; // the first code is 0: -16, as its quantizer leaves one
        bytes[at + 6]! &= 0xf0;
      }
    }
    const expected = await (await builder()).toFloat32(bytes, from, 16, 128);
    const packed = await (await builder()).pack({ bytes, from, to, numRows: 16, numColumns: 128, codebook });
    // Adding zero makes one of the two zeros.
    expect(unpack(packed, to, 16, 128, codebook).map((value) => value + 0)).toEqual(expected.map((value) => value + 0));
  });

  test.each([
    ['iq2_xxs', 66, iq2Levels],
    ['iq4_xs', 136, iq4Levels],
  ] as const)('keeps all of %s but the last bits of its scales', async (from, blockBytes, codebook) => {
    const bytes = blocksOf(blockBytes, [0]);
    const expected = await (await builder()).toFloat32(bytes, from, 16, 1024);
    const packed = await (await builder()).pack({ bytes, from, to: 'q4', numRows: 16, numColumns: 1024, codebook });
    const found = unpack(packed, 'q4', 16, 1024, codebook);
    for (let i = 0; i < found.length; i++) {
      // Half a unit of f16: 2^-11 of the scale, or 2^-25 where the scale is below f16's normal numbers.
      const allowed = Math.max(Math.abs(expected[i]!) * 2 ** -11, 128 * 2 ** -25);
      expect(Math.abs(found[i]! - expected[i]!)).toBeLessThanOrEqual(allowed * 1.001);
    }
  });

  test('rounds other weights to the nearest of 255 levels, and pads rows with zeros', async () => {
    const values = Float32Array.from({ length: 19 * 64 }, (_, i) => Math.sin(i * i) * (1 + (i % 7)));
    const bytes = new Uint8Array(values.buffer);
    const packed = await (await builder()).pack({ bytes, from: 'f32', to: 'q8', numRows: 19, numColumns: 64 });
    expect(packed.length).toBe(planTensorBytes('q8', 19, 64));
    const found = unpack(packed, 'q8', 19, 64, q4Levels);
    for (let group = 0; group < values.length; group += 32) {
      const part = values.subarray(group, group + 32);
      const step = Math.max(...part.map(Math.abs)) / 127;
      for (let i = 0; i < 32; i++) expect(Math.abs(found[group + i]! - part[i]!)).toBeLessThanOrEqual(step * 0.57);
    }
    expect(found.subarray(19 * 64).every((value) => value === 0)).toBe(true);
  });

  test('finds good 4-bit scales for weights that never were 4-bit', async () => {
    const values = Float32Array.from({ length: 16 * 256 }, (_, i) => Math.sin(i * 12.9898) * Math.cos(i * 78.233));
    const request = {
      bytes: new Uint8Array(values.buffer),
      from: 'f32',
      to: 'q4',
      numRows: 16,
      numColumns: 256,
    } as const;
    const found = unpack(await (await builder()).pack({ ...request, codebook: iq4Levels }), 'q4', 16, 256, iq4Levels);
    let [error, energy] = [0, 0];
    for (let i = 0; i < values.length; i++) {
      error += (found[i]! - values[i]!) ** 2;
      energy += values[i]! ** 2;
    }
    expect(Math.sqrt(error / energy)).toBeLessThan(0.08);
  });

  test('puts rows in the order it is told, in float32 and in float16', async () => {
    const values = Float32Array.of(1, 2, 3, 4, 5, 6);
    const request = { bytes: new Uint8Array(values.buffer), from: 'f32', numRows: 3, numColumns: 2 } as const;
    const rowOrder = Int32Array.of(2, 0, 1);
    const f32 = await (await builder()).pack({ ...request, to: 'f32', rowOrder });
    expect([...new Float32Array(f32.buffer)]).toEqual([5, 6, 1, 2, 3, 4]);
    const f16 = await (await builder()).pack({ ...request, to: 'f16', rowOrder });
    expect(Array.from({ length: 6 }, (_, i) => halfAt(f16, 2 * i))).toEqual([5, 6, 1, 2, 3, 4]);
  });

  const good: PackRequest = { bytes: new Uint8Array(4 * 64), from: 'f32', to: 'q8', numRows: 2, numColumns: 32 };
  const bad: [string, Partial<PackRequest>, string][] = [
    ['too few bytes', { bytes: new Uint8Array(4 * 63) }, 'invalid-input'],
    ['too many bytes', { bytes: new Uint8Array(4 * 96) }, 'invalid-input'],
    ['columns that fill no record', { bytes: new Uint8Array(4 * 60), numColumns: 30 }, 'invalid-input'],
    ['columns that fill no block', { from: 'q4_k', bytes: new Uint8Array(288) }, 'invalid-input'],
    ['a type that is not known', { from: 'q9_9' }, 'unsupported'],
    ['a type that no plan has', { to: 'q3' as 'q4' }, 'invalid-input'],
    ['4 bits without levels', { to: 'q4' }, 'invalid-input'],
    ['15 levels', { to: 'q4', codebook: new Int8Array(15) }, 'invalid-input'],
    ['an order of too many rows', { rowOrder: Int32Array.of(0, 1, 1) }, 'invalid-input'],
    ['an order that names a row that is not there', { rowOrder: Int32Array.of(0, 2) }, 'invalid-input'],
    ['an order that names row -1', { rowOrder: Int32Array.of(0, -1) }, 'invalid-input'],
    ['no rows', { numRows: 0 }, 'invalid-input'],
    ['2^40 rows', { numRows: 2 ** 40 }, 'invalid-input'],
    ['half a row', { numRows: 1.5 }, 'invalid-input'],
    [
      'a weight that is no number',
      { bytes: new Uint8Array(new Float32Array(64).fill(Number.NaN).buffer) },
      'invalid-input',
    ],
    ['an endless weight', { bytes: new Uint8Array(new Float32Array(64).fill(Infinity).buffer) }, 'invalid-input'],
  ];
  test.each(bad)('refuses %s with a code', async (_, change, code) => {
    await expect((await builder()).pack({ ...good, ...change })).rejects.toMatchObject({ code });
  });
});
