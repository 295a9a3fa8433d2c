/**
 * Random weights straight in the plan's types: no checkpoint, no rounding, as fast as memory. The same seed and name give
 * the same bytes.
 *
 * The bytes are AES in counter mode under a key of the seed and the name: gigabytes a second on any processor of today, on
 * any system the same. What must not be random (scales, zero points, exponents) is then put over them.
 */
import { createCipheriv, createHash } from 'node:crypto';
import type { PlanType } from '../plan/format.ts';
import { planTensorBytes } from '../plan/format.ts';

export type RandomMatrix = {
  readonly type: PlanType;
  readonly rows: number;
  readonly columns: number;
  /** About the standard deviation of the weights: 1 / √columns keeps the size of what goes through a linear. */
  readonly spread: number;
  /** What the numbers depend on. */
  readonly key: string;
};

/** The bytes of a matrix, laid out as engines/plan/format.md says. */
export function randomMatrix(matrix: RandomMatrix): Uint8Array {
  const { type, rows, columns, spread, key } = matrix;
  const sizeBytes = planTensorBytes(type, rows, columns);
  if (sizeBytes === null) throw new Error(`no matrix of ${type} is ${rows} × ${columns}`);
  const bytes = randomBytes(sizeBytes, key);
  fill[type](bytes, rows, columns, spread);
  return bytes;
}

/** Numbers in [middle − spread, middle + spread) as f32. */
export function randomVector(count: number, middle: number, spread: number, key: string): Uint8Array {
  const bytes = randomBytes(4 * count, key);
  const words = new Uint32Array(bytes.buffer);
  const numbers = new Float32Array(bytes.buffer);
  for (let i = 0; i < count; i++) numbers[i] = middle + spread * (words[i]! / 2 ** 31 - 1);
  return bytes;
}

function randomBytes(sizeBytes: number, key: string): Uint8Array<ArrayBuffer> {
  const digest = createHash('sha256').update(key).digest();
  const cipher = createCipheriv('aes-128-ctr', digest.subarray(0, 16), digest.subarray(16));
  const bytes = new Uint8Array(Math.ceil(sizeBytes / 4) * 4);
  // In pieces: what is ciphered and what comes out of it are both in the processor's cache.
  for (let at = 0; at < bytes.length; at += zeros.length)
    bytes.set(cipher.update(zeros.subarray(0, bytes.length - at)), at);
  return bytes.subarray(0, sizeBytes);
}

const zeros = new Uint8Array(256 * 1024);

type Fill = (bytes: Uint8Array<ArrayBuffer>, rows: number, columns: number, spread: number) => void;

const fill: Readonly<Record<PlanType, Fill>> = {
  f32: (bytes, _rows, _columns, spread) => keepBits(bytes, 0x807fffff, exponentOf(spread, 127) * 2 ** 23),
  f16: (bytes, _rows, _columns, spread) => keepBits(bytes, 0x83ff83ff, exponentOf(spread, 15) * (2 ** 10 + 2 ** 26)),
  f8(bytes, rows, columns, spread) {
    const scalesAt = Math.ceil((rows * columns) / 64) * 64;
    // ±[1, 2), so the row's scale is the spread.
    keepBits(bytes.subarray(0, scalesAt), 0x87878787, 0x38383838);
    bytes.fill(0, rows * columns, scalesAt);
    new Float32Array(bytes.buffer, scalesAt, rows).fill(spread / meanOfSigned);
  },
  q8(bytes, _rows, _columns, spread) {
    setTails(bytes, 544, halfScales(spread / 73.9));
    // A byte of 0 would be −128, which no weight is.
    const words = new Uint32Array(bytes.buffer, 0, bytes.length / 4);
    const recordWords = 544 / 4;
    for (let at = 0; at < words.length; at += recordWords) {
      for (let i = at; i < at + recordWords - 8; i++) words[i]! |= 0x01010101;
    }
  },
  q4: (bytes, _rows, _columns, spread) => setTails(bytes, 288, halfScales(spread / 4.64)),
  int4_g32: (bytes, _rows, _columns, spread) => setTails(bytes, 320, scalesAndZeros(spread)),
  int4_g128: (bytes, _rows, _columns, spread) => setTails(bytes, 1088, scalesAndZeros(spread)),
  i32() {
    throw new Error('an index is computed, never random');
  },
};

/** The root of the mean square of ±[1, 2). */
const meanOfSigned = Math.sqrt(7 / 3);

/** The biased exponent of ±[2^e, 2^(e + 1)) whose root mean square is nearest to the spread. */
function exponentOf(spread: number, bias: number): number {
  return Math.max(1, Math.round(Math.log2(spread / meanOfSigned)) + bias);
}

/** Sign and mantissa stay random, the exponent becomes `set`. */
function keepBits(bytes: Uint8Array<ArrayBuffer>, mask: number, set: number): void {
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, Math.ceil(bytes.length / 4));
  for (let i = 0; i < words.length; i++) words[i] = (words[i]! & mask) | set;
}

/** Sixteen scales as f16: those of the rows of a record. */
function halfScales(scale: number): Uint8Array {
  const tail = new DataView(new ArrayBuffer(32));
  for (let row = 0; row < 16; row++) tail.setFloat16(2 * row, scale, true);
  return new Uint8Array(tail.buffer);
}

/** Uniform nibbles have a spread of 4.61; zero points of 7 and 8 in turns, whole as AWQ's are, keep their mean near 0. */
function scalesAndZeros(spread: number): Uint8Array {
  const tail = new DataView(new ArrayBuffer(64));
  for (let row = 0; row < 16; row++) {
    tail.setFloat16(2 * row, spread / 4.61, true);
    tail.setFloat16(32 + 2 * row, 7 + (row % 2), true);
  }
  return new Uint8Array(tail.buffer);
}

/** Puts `tail` over the end of every record. */
function setTails(bytes: Uint8Array, recordBytes: number, tail: Uint8Array): void {
  for (let end = recordBytes; end <= bytes.length; end += recordBytes) bytes.set(tail, end - tail.length);
}
