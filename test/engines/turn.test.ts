import { describe, expect, test } from 'vitest';
import { turn } from '../../engines/build/turn.ts';
import { randomNumbers } from './checkpoints.ts';

describe('A matrix', () => {
  test.each([
    [1, 7],
    [33, 65],
    [64, 32],
  ])('of %i × %i is turned', (rows, columns) => {
    const numbers = randomNumbers(rows * columns, 1);
    const turned = new Float32Array(turn(new Uint8Array(numbers.buffer), rows, columns).buffer);
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        expect(turned[column * rows + row]).toBe(numbers[row * columns + column]);
      }
    }
  });

  test.each([1, 2, 4, 8])('of numbers of %i bytes is itself when turned twice, wherever its bytes begin', (size) => {
    const block = Buffer.from(Array.from({ length: 35 * 37 * size + 3 }, (_, i) => (i * 167) % 251));
    const bytes = block.subarray(3);
    const once = turn(bytes, 35, 37);
    expect(Buffer.compare(once, bytes)).not.toBe(0);
    expect(Buffer.compare(turn(once, 37, 35), bytes)).toBe(0);
  });

  test('of blocks cannot be turned', () => {
    expect(() => turn(new Uint8Array(4 * 18), 2, 2)).toThrow(/18 bytes cannot be turned/);
  });
});
