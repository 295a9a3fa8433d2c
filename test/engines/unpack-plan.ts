/** Reads a plan's quantized types by the words of engines/plan/format.md, number by number. */

export function halfAt(bytes: Uint8Array, at: number): number {
  const bits = bytes[at]! | (bytes[at + 1]! << 8);
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 0x3ff;
  const magnitude = exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15);
  return bits & 0x8000 ? -magnitude : magnitude;
}

const shapes = {
  q8: { columns: 32, sizeBytes: 544 },
  int4_g32: { columns: 32, sizeBytes: 320 },
  int4_g128: { columns: 128, sizeBytes: 1088 },
} as const;

export type RecordType = keyof typeof shapes;

/** [rows, columns] numbers; rows of padding are left out. */
export function unpackRecords(bytes: Uint8Array, type: RecordType, rows: number, columns: number): Float32Array {
  const { columns: width, sizeBytes } = shapes[type];
  const out = new Float32Array(rows * columns);
  for (let n = 0; n < rows; n++) {
    for (let k = 0; k < columns; k++) {
      const record = (Math.floor(n / 16) * (columns / width) + Math.floor(k / width)) * sizeBytes;
      const [r, c] = [n % 16, k % width];
      if (type === 'q8') {
        const code = bytes[record + 64 * Math.floor(c / 4) + 4 * r + (c % 4)]! - 128;
        out[n * columns + k] = code * halfAt(bytes, record + 512 + 2 * r);
        continue;
      }
      const byte = bytes[record + 64 * Math.floor(c / 8) + 4 * r + (c % 4)]!;
      const scale = halfAt(bytes, record + 8 * width + 2 * r);
      const zero = halfAt(bytes, record + 8 * width + 32 + 2 * r);
      out[n * columns + k] = ((c % 8 < 4 ? byte & 15 : byte >> 4) - zero) * scale;
    }
  }
  return out;
}
