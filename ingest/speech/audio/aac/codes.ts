/** Canonical Huffman codes: bit by bit down to a value. */
import type { BitReader } from './bits.ts';
import { type CodeTable, scaleTable, spectralTables } from './tables.ts';

/** Writes the values of one code to `out` from `at` on; signs and escapes that stand behind the code are read too. */
export type ReadCode = (bits: BitReader, out: Int32Array, at: number) => void;

function readIndex(bits: BitReader, { counts, values }: CodeTable): number {
  let code = 0;
  let first = 0;
  let index = 0;
  for (const count of counts) {
    code |= bits.read(1);
    if (code - first < count) return values[index + code - first]!;
    index += count;
    first = (first + count) << 1;
    code <<= 1;
  }
  throw new Error('A code in it means nothing.');
}

function reader(table: CodeTable): ReadCode {
  const { size, least, most } = table;
  const base = most - least + 1;
  return (bits, out, at) => {
    let index = readIndex(bits, table);
    for (let item = size - 1; item >= 0; item--) {
      out[at + item] = (index % base) + least;
      index = Math.floor(index / base);
    }
    if (least < 0) return;
    for (let item = 0; item < size; item++) if (out[at + item] !== 0 && bits.flag()) out[at + item] = -out[at + item]!;
    if (most !== 16) return;
    for (let item = 0; item < size; item++) {
      const value = out[at + item]!;
      if (Math.abs(value) !== 16) continue;
      let length = 4;
      while (bits.flag()) if (++length > 12) throw new Error('A value in it is too large.');
      const escaped = 2 ** length + bits.read(length);
      out[at + item] = value < 0 ? -escaped : escaped;
    }
  };
}

/** By codebook, 1 to 11; at 0 is nothing. */
export const spectralCodes: readonly (ReadCode | undefined)[] = [undefined, ...spectralTables.map(reader)];

/** How many values one code of a codebook has. */
export const codeSize = (codebook: number): number => (codebook < 5 ? 4 : 2);

/** The step from the last scale factor to this one. */
export function readScaleStep(bits: BitReader): number {
  return readIndex(bits, scaleTable) - 60;
}
