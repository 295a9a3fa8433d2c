import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packFloat8, packInt4, packInt32 } from './pack-small.ts';

/** A second reading of engines/plan/format.md, by hand, so that the engine is not tested against the product's own writer. */
export type PlanType = 'f32' | 'f16' | 'q8' | 'q4' | 'int4_g32' | 'int4_g128' | 'f8' | 'i32';
export type TensorEntry = {
  name: string;
  type: string;
  rows: number;
  columns: number;
  offset: number;
  sizeBytes: number;
  sha256: string;
  codebook?: number[];
};
export type Step = {
  op: string;
  in?: number[][];
  out?: number[][];
  weights?: (number | null)[];
  [name: string]: unknown;
};
export type Header = {
  architecture: string;
  name: string;
  role: string;
  vocabularySize: number;
  contextTokens: number;
  embeddingSize: number;
  startIds: number[];
  stopIds: number[];
  kv: { type: string; numLayers: number; numHeads: number; headSize: number } | null;
  tokenizer: { offset: number; sizeBytes: number; sha256: string };
  template: string | null;
  program: { buffers: { rows: string; width: number }[]; steps: Step[]; output: number };
  tensors: TensorEntry[];
};
/** A tensor with the numbers that the engine will find in it, after packing: row-major [rows, columns]. */
export type PackedTensor = { entry: TensorEntry; bytes: Uint8Array; values: Float64Array };
export type TinyPlan = { header: Header; tensors: Map<string, PackedTensor> };

const tokenizerBytes = new TextEncoder().encode('{}');
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const align = (offset: number) => Math.ceil(offset / 4096) * 4096;
export const iq4nl = [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];

/** Numbers in (-1, 1), the same for the same seed. */
export function randomNumbers(seed: number): () => number {
  let state = (seed * 2654435761 + 12345) >>> 0;
  return () => {
    state ^= state << 13;
    state >>>= 0;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state / 2 ** 31 - 1;
  };
}

export function toFloat16Bits(value: number): number {
  const bytes = new DataView(new ArrayBuffer(2));
  bytes.setFloat16(0, value, true);
  return bytes.getUint16(0, true);
}
const roundToFloat16 = (value: number) => Math.f16round(value);

/** Packs row-major numbers as the format's page says. */
export function packTensor(
  name: string,
  type: PlanType,
  rows: number,
  columns: number,
  numbers: number[],
): PackedTensor {
  let values: Float64Array = new Float64Array(rows * columns);
  let bytes: Uint8Array;
  if (type === 'f32' || type === 'f16') {
    bytes = new Uint8Array(rows * columns * (type === 'f32' ? 4 : 2));
    const view = new DataView(bytes.buffer);
    for (let i = 0; i < values.length; i++) {
      values[i] = type === 'f32' ? Math.fround(numbers[i]!) : roundToFloat16(numbers[i]!);
      if (type === 'f32') view.setFloat32(4 * i, values[i]!, true);
      else view.setUint16(2 * i, toFloat16Bits(values[i]!), true);
    }
  } else if (type === 'int4_g32' || type === 'int4_g128') {
    ({ bytes, values } = packInt4(rows, columns, type === 'int4_g32' ? 32 : 128, numbers));
  } else if (type === 'f8') {
    ({ bytes, values } = packFloat8(rows, columns, numbers));
  } else if (type === 'i32') {
    ({ bytes, values } = packInt32(numbers));
  } else {
    const record = type === 'q8' ? 544 : 288;
    const scalesAt = record - 32;
    bytes = new Uint8Array(Math.ceil(rows / 16) * (columns / 32) * record);
    const view = new DataView(bytes.buffer);
    if (type === 'q8') {
      for (let at = 0; at < bytes.length; at += record) bytes.fill(128, at, at + scalesAt);
    }
    for (let n = 0; n < rows; n++) {
      for (let group = 0; group < columns / 32; group++) {
        const at = (Math.floor(n / 16) * (columns / 32) + group) * record;
        const first = n * columns + group * 32;
        const most = Math.max(...numbers.slice(first, first + 32).map(Math.abs));
        const scale = roundToFloat16(most / 127);
        view.setUint16(at + scalesAt + 2 * (n % 16), toFloat16Bits(scale), true);
        for (let k = 0; k < 32; k++) {
          const wanted = scale === 0 ? 0 : numbers[first + k]! / scale;
          const row = 4 * (n % 16);
          if (type === 'q8') {
            const code = Math.max(-127, Math.min(127, Math.round(wanted)));
            bytes[at + 64 * Math.floor(k / 4) + row + (k % 4)] = code + 128;
            values[first + k] = code * scale;
          } else {
            let nibble = 0;
            for (let i = 1; i < 16; i++) {
              if (Math.abs(iq4nl[i]! - wanted) < Math.abs(iq4nl[nibble]! - wanted)) nibble = i;
            }
            bytes[at + 64 * Math.floor(k / 8) + row + (k % 4)]! |= k % 8 < 4 ? nibble : nibble << 4;
            values[first + k] = iq4nl[nibble]! * scale;
          }
        }
      }
    }
  }
  const entry: TensorEntry = { name, type, rows, columns, offset: 0, sizeBytes: bytes.length, sha256: sha256(bytes) };
  if (type === 'q4') entry.codebook = iq4nl;
  return { entry, bytes, values };
}

/** The file's bytes. `edit` may spoil the header before it is hashed. */
export function planBytes(plan: TinyPlan, edit: (header: Header) => void = () => {}): Uint8Array {
  const header = structuredClone(plan.header);
  header.tensors = [...plan.tensors.values()].map((tensor) => structuredClone(tensor.entry));
  header.tokenizer = { offset: 0, sizeBytes: tokenizerBytes.length, sha256: sha256(tokenizerBytes) };
  // The offsets depend on the header's length, which depends on their digits: leave room and begin after it.
  let offset = align(48 + JSON.stringify(header).length * 2 + 32 * header.tensors.length + 256);
  header.tokenizer.offset = offset;
  offset = align(offset + tokenizerBytes.length);
  for (const entry of header.tensors) {
    entry.offset = offset;
    offset = align(offset + entry.sizeBytes);
  }
  const last = header.tensors.at(-1)!;
  const bytes = new Uint8Array(last.offset + last.sizeBytes);
  bytes.set(tokenizerBytes, header.tokenizer.offset);
  const sections = [...plan.tensors.values()];
  header.tensors.forEach((entry, i) => {
    bytes.set(sections[i]!.bytes, entry.offset);
  });
  edit(header);
  setHeader(bytes, new TextEncoder().encode(JSON.stringify(header)));
  return bytes;
}

/** Writes the beginning of a plan: magic, version, the header's size and hash, the header. */
export function setHeader(bytes: Uint8Array, header: Uint8Array): void {
  bytes.set(new TextEncoder().encode('QUOTHPLN'));
  const view = new DataView(bytes.buffer);
  view.setUint32(8, 1, true);
  view.setUint32(12, header.length, true);
  bytes.set(createHash('sha256').update(header).digest(), 16);
  bytes.set(header, 48);
}

/** A folder of its own with a name that is hard for careless code; `remove` ends it. */
export function temporaryFolder(): { write(name: string, bytes: Uint8Array): string; path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'quoth 山田 太郎 '));
  return {
    path,
    write(name, bytes) {
      const file = join(path, name);
      writeFileSync(file, bytes);
      return file;
    },
    remove: () => rmSync(path, { recursive: true, force: true }),
  };
}
