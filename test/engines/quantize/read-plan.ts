/** A plan's matrices read back, written for the tests alone: by format.md, not by what packs or runs them. */
import { readFile } from 'node:fs/promises';
import { type PlanHeader, readPlanHeader } from '../../../engines/plan/format.ts';

export type Int4Matrix = {
  rows: number;
  columns: number;
  /** [rows, columns] 0..15. */
  codes: Uint8Array;
  /** [rows, columns / group]: bits of f16 as they stand in the file, and their values. */
  scaleBits: Uint16Array;
  scales: Float32Array;
  zeros: Float32Array;
  group: number;
};

export async function openPlan(path: string) {
  const header: PlanHeader = await readPlanHeader(path);
  const bytes = await readFile(path);
  const tensorOf = (part: string) => {
    for (const tensor of header.tensors) {
      let firstRow = 0;
      for (const name of tensor.name.split('+')) {
        if (name === part) return { tensor, firstRow };
        firstRow += rowsOfPart(header, name, tensor.rows);
      }
    }
    throw new Error(`The plan has no ${part}.`);
  };
  const section = (name: string): Uint8Array => {
    const { tensor } = tensorOf(name);
    return Uint8Array.from(bytes.subarray(tensor.offset, tensor.offset + tensor.sizeBytes));
  };
  return { header, section, typeOf: (name: string) => tensorOf(name).tensor.type, tensorOf };
}

/** Parts of a fused tensor of the small Llama: q as wide as the model, k and v alike, gate and up halves. */
function rowsOfPart(header: PlanHeader, name: string, rows: number): number {
  const { numHeads, headSize } = header.kv!;
  if (name.includes('k_proj') || name.includes('v_proj')) return numHeads * headSize;
  if (name.includes('q_proj')) return rows - 2 * numHeads * headSize;
  return name.includes('gate_proj') ? rows / 2 : rows;
}

/** All rows of an int4 tensor, without padding. */
export function readInt4(bytes: Uint8Array, rows: number, columns: number, group: 32 | 128): Int4Matrix {
  const recordBytes = group === 128 ? 1088 : 320;
  const groups = columns / group;
  const codes = new Uint8Array(rows * columns);
  const scaleBits = new Uint16Array(rows * groups);
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const [scales, zeros] = [new Float32Array(rows * groups), new Float32Array(rows * groups)];
  for (let row = 0; row < rows; row++) {
    const r = row % 16;
    for (let g = 0; g < groups; g++) {
      const record = (Math.floor(row / 16) * groups + g) * recordBytes;
      for (let k = 0; k < group; k++) {
        const byte = bytes[record + 64 * Math.floor(k / 8) + 4 * r + (k % 4)]!;
        codes[row * columns + g * group + k] = k % 8 < 4 ? byte & 15 : byte >> 4;
      }
      const place = record + 8 * group + 2 * r;
      scaleBits[row * groups + g] = view.getUint16(place, true);
      scales[row * groups + g] = view.getFloat16(place, true);
      zeros[row * groups + g] = view.getFloat16(place + 32, true);
    }
  }
  return { rows, columns, codes, scaleBits, scales, zeros, group };
}

export function weightsOf({ rows, columns, codes, scales, zeros, group }: Int4Matrix): Float32Array {
  return Float32Array.from({ length: rows * columns }, (_, i) => {
    const at = Math.floor(i / columns) * (columns / group) + Math.floor((i % columns) / group);
    return (codes[i]! - zeros[at]!) * scales[at]!;
  });
}
