/** int4, f8 and i32 as engines/plan/format.md lays them out: a second reading, by hand. */

type Packed = { bytes: Uint8Array; values: Float64Array };

/**
 * Row-major numbers as `int4_g32` or `int4_g128` (`groupColumns` 32 or 128), each group from its least to its largest
 * number, so that zero points have fractions.
 */
export function packInt4(rows: number, columns: number, groupColumns: number, numbers: number[]): Packed {
  const record = 8 * groupColumns + 64;
  const bytes = new Uint8Array(Math.ceil(rows / 16) * (columns / groupColumns) * record);
  const view = new DataView(bytes.buffer);
  const values = new Float64Array(rows * columns);
  for (let n = 0; n < rows; n++) {
    for (let group = 0; group < columns / groupColumns; group++) {
      const at = (Math.floor(n / 16) * (columns / groupColumns) + group) * record;
      const first = n * columns + group * groupColumns;
      const part = numbers.slice(first, first + groupColumns);
      const [least, most] = [Math.min(...part), Math.max(...part)];
      const scale = Math.f16round((most - least) / 15);
      const zero = scale === 0 ? 0 : Math.f16round(-least / scale);
      view.setFloat16(at + 8 * groupColumns + 2 * (n % 16), scale, true);
      view.setFloat16(at + 8 * groupColumns + 32 + 2 * (n % 16), zero, true);
      part.forEach((number, k) => {
        const nibble = scale === 0 ? 0 : Math.max(0, Math.min(15, Math.round(number / scale + zero)));
        bytes[at + 64 * Math.floor(k / 8) + 4 * (n % 16) + (k % 4)]! |= k % 8 < 4 ? nibble : nibble << 4;
        values[first + k] = (nibble - zero) * scale;
      });
    }
  }
  return { bytes, values };
}

/** The values of the bytes 0 to 126: E4M3 without its sign. */
export const float8Values = Array.from({ length: 127 }, (_, byte) => {
  const [exponent, fraction] = [byte >> 3, byte & 7];
  return exponent === 0 ? fraction * 2 ** -9 : (8 + fraction) * 2 ** (exponent - 10);
});

export function packFloat8(rows: number, columns: number, numbers: number[]): Packed {
  const scalesAt = Math.ceil((rows * columns) / 64) * 64;
  const bytes = new Uint8Array(scalesAt + 4 * rows);
  const view = new DataView(bytes.buffer);
  const values = new Float64Array(rows * columns);
  for (let n = 0; n < rows; n++) {
    const row = numbers.slice(n * columns, (n + 1) * columns);
    const scale = Math.fround(Math.max(...row.map(Math.abs)) / 448);
    view.setFloat32(scalesAt + 4 * n, scale, true);
    row.forEach((number, k) => {
      const wanted = scale === 0 ? 0 : Math.abs(number) / scale;
      let byte = 0;
      for (let i = 1; i < 127; i++) {
        if (Math.abs(float8Values[i]! - wanted) < Math.abs(float8Values[byte]! - wanted)) byte = i;
      }
      bytes[n * columns + k] = number < 0 ? byte | 0x80 : byte;
      values[n * columns + k] = float8Values[byte]! * scale * Math.sign(number);
    });
  }
  return { bytes, values };
}

export function packInt32(numbers: number[]): Packed {
  const bytes = new Uint8Array(4 * numbers.length);
  numbers.forEach((number, i) => {
    new DataView(bytes.buffer).setInt32(4 * i, number, true);
  });
  return { bytes, values: Float64Array.from(numbers) };
}
