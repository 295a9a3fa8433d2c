import { describe, expect, test } from 'vitest';
import { type Stay, shareBuffers } from '../../../engines/graph/passes/share-buffers.ts';

const stay = (width: number, firstStep: number, lastStep: number, more: Partial<Stay> = {}): Stay => {
  return { rows: 'tokens', width, firstStep, lastStep, alone: false, ...more };
};
const sumOf = (stays: Stay[]) => shareBuffers(stays).buffers.reduce((sum, { width }) => sum + width, 0);

describe('Values', () => {
  test('share a buffer when one is read for the last time before the other is made', () => {
    const { buffers, bufferOf } = shareBuffers([stay(8, 0, 1), stay(4, 1, 2), stay(6, 2, 3)]);
    expect(bufferOf).toEqual([0, 1, 0]);
    expect(buffers).toEqual([
      { rows: 'tokens', width: 8 },
      { rows: 'tokens', width: 4 },
    ]);
  });

  test('share none with rows of another kind, nor with one that is alone', () => {
    const stays = [stay(8, 0, 1), stay(8, 2, 3, { rows: 'outputs' }), stay(8, 4, 5, { alone: true }), stay(8, 6, 7)];
    expect(shareBuffers(stays).bufferOf).toEqual([0, 1, 2, 0]);
  });

  test('that are narrow and stay long are kept out of wide buffers', () => {
    // A layer of GPT-2 twice: residual, norm, q + k + v, seen, projected, norm, inner, projected.
    const layer = (at: number) => [
      stay(1, at, at + 1),
      stay(3, at + 1, at + 3),
      stay(1, at + 3, at + 4),
      stay(1, at + 4, at + 5),
      stay(1, at + 5, at + 6),
      stay(4, at + 6, at + 7),
      stay(1, at + 7, at + 8),
    ];
    expect(sumOf([stay(1, 0, 17), ...layer(1), ...layer(9)])).toBe(7);
  });

  test('never lie in one buffer at the same time, and take no more than all of them beside each other', () => {
    let state = 1;
    const random = (below: number) => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return Math.floor((state / 2 ** 32) * below);
    };
    for (let round = 0; round < 200; round++) {
      const stays = Array.from({ length: 1 + random(30) }, () => {
        const firstStep = random(20);
        const rows = (['tokens', 'outputs', 'sequences'] as const)[random(3)]!;
        return stay(1 + random(64), firstStep, firstStep + random(8), { rows, alone: random(10) === 0 });
      });
      const { buffers, bufferOf } = shareBuffers(stays);
      stays.forEach((one, i) => {
        expect(buffers[bufferOf[i]!]).toMatchObject({ rows: one.rows });
        expect(buffers[bufferOf[i]!]!.width).toBeGreaterThanOrEqual(one.width);
        stays.slice(0, i).forEach((other, j) => {
          if (bufferOf[i] !== bufferOf[j]) return;
          expect(one.alone || other.alone).toBe(false);
          expect(one.lastStep < other.firstStep || other.lastStep < one.firstStep).toBe(true);
        });
      });
      const widest = buffers.reduce((sum, { width }) => sum + width, 0);
      expect(widest).toBeLessThanOrEqual(stays.reduce((sum, { width }) => sum + width, 0));
    }
  });
});
