/** Turns matrices that a checkpoint keeps as columns × rows (GPT-2's `Conv1D`). */

type Numbers = Uint8Array | Uint16Array | Uint32Array | BigUint64Array;

/** Rows and columns of a tile: 32 × 32 numbers of 4 bytes, read and written, fit the first cache. */
const tile = 32;

/** The numbers of a matrix rows × columns, of 1, 2, 4 or 8 bytes each, as columns × rows. */
export function turn(bytes: Uint8Array, rows: number, columns: number): Uint8Array {
  const numberBytes = bytes.length / (rows * columns);
  const turned = new Uint8Array(bytes.length);
  // Both of one kind, so either is a number or both are a bigint.
  const from = numbersOf(bytes, numberBytes) as Uint32Array;
  const to = numbersOf(turned, numberBytes) as Uint32Array;
  for (let firstRow = 0; firstRow < rows; firstRow += tile) {
    const endRow = Math.min(firstRow + tile, rows);
    for (let firstColumn = 0; firstColumn < columns; firstColumn += tile) {
      const endColumn = Math.min(firstColumn + tile, columns);
      for (let column = firstColumn; column < endColumn; column++) {
        for (let row = firstRow; row < endRow; row++) to[column * rows + row] = from[row * columns + column]!;
      }
    }
  }
  return turned;
}

function numbersOf(bytes: Uint8Array, numberBytes: number): Numbers {
  if (numberBytes === 1) return bytes;
  // A view wants its first byte at a multiple of a number.
  const { buffer, byteOffset, length } = bytes.byteOffset % numberBytes === 0 ? bytes : new Uint8Array(bytes);
  const count = length / numberBytes;
  if (numberBytes === 2) return new Uint16Array(buffer, byteOffset, count);
  if (numberBytes === 4) return new Uint32Array(buffer, byteOffset, count);
  if (numberBytes === 8) return new BigUint64Array(buffer, byteOffset, count);
  throw new RangeError(`Numbers of ${numberBytes} bytes cannot be turned.`);
}
