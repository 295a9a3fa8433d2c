import { describe, expect, test } from 'vitest';
import type { Checkpoint } from '../../../engines/build/checkpoint.ts';
import { type Packer, packPiece } from '../../../engines/build/pack-piece.ts';
import { createSections } from '../../../engines/build/sections.ts';
import type { BoundTensor } from '../../../engines/graph/passes/bind-weights.ts';
import { planPacking } from '../../../engines/graph/passes/pack.ts';
import type { WeightPart } from '../../../engines/graph/types.ts';
import { type PlanType, planTensorBytes } from '../../../engines/plan/format.ts';
import { openNative } from '../../native/native.ts';
import { referenceNumbers } from '../reference/reference.ts';

const columns = 256;

/** Parts with numbers of their own, in float32, one below the other in one tensor of the plan. */
function stacked(type: PlanType, rows: number[]): { tensor: BoundTensor; checkpoint: Checkpoint; whole: Float32Array } {
  const parts = rows.map((count, at): WeightPart => ({ name: `part${at}`, rows: count, columns, from: 'f32' }));
  const numbers = parts.map(({ name, rows: count }) =>
    referenceNumbers({ name, shape: [count, columns], around: 0, spread: 1 }),
  );
  const bytesOf = (name: string) => new Uint8Array(numbers[Number(name.slice(4))]!.buffer);
  const whole = Float32Array.from(numbers.flatMap((part) => [...part]));
  const codebook = type === 'q4' ? { codebook: [-8, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7] } : {};
  return {
    whole,
    tensor: { name: 'all', type, rows: whole.length / columns, columns, parts, ...codebook },
    checkpoint: {
      tensors: parts.map(({ name, rows: count }) => ({
        name,
        rows: count,
        columns,
        type: 'f32',
        sizeBytes: 4 * count * columns,
      })),
      read: async (name: string) => bytesOf(name),
      readRange: async (name: string, offset: number, size: number) => bytesOf(name).slice(offset, offset + size),
    } as unknown as Checkpoint,
  };
}

const sourceOf = (checkpoint: Checkpoint) => (name: string) =>
  checkpoint.tensors.find((tensor) => tensor.name === name);

describe('Packing in pieces', () => {
  test.each(['f32', 'f16', 'q8', 'q4', 'int4_g32', 'int4_g128', 'f8'] as const)(
    'gives the bytes of packing %s whole, whatever the pieces and parts are',
    async (type) => {
      const builder: Packer = (await openNative()).builder;
      const { tensor, checkpoint, whole } = stacked(type, [64, 48, 40]);
      const expected = await builder.pack({
        bytes: new Uint8Array(whole.buffer),
        from: 'f32',
        to: type,
        numRows: tensor.rows,
        numColumns: columns,
        ...(tensor.codebook === undefined ? {} : { codebook: Int8Array.from(tensor.codebook) }),
      });
      expect(expected.length).toBe(planTensorBytes(type, tensor.rows, columns));
      for (const rowsAtOnce of [16, 32, 1000]) {
        const packing = planPacking([tensor], sourceOf(checkpoint), {
          maxPieceBytes: rowsAtOnce * columns * 4,
          canCut: () => true,
        });
        expect(packing.tensors[0]).toHaveLength({ 16: 10, 32: 6, 1000: 3 }[rowsAtOnce]!);
        const seen: number[] = [];
        const pack = (_: BoundTensor, piece: Parameters<typeof packPiece>[3]) =>
          packPiece(checkpoint, builder, tensor, piece);
        const sections = createSections([tensor], packing, new Set(), pack, (_, piece) => seen.push(piece.packedBytes));
        const parts: Uint8Array[] = [];
        for await (const part of sections.partsOf(0)) parts.push(part);
        await sections.close();
        expect(Buffer.concat(parts).equals(expected), `${rowsAtOnce} rows at once`).toBe(true);
        expect(seen).toHaveLength(packing.tensors[0]!.length);
      }
    },
  );

  test('cuts nothing that is turned, ordered or kept in groups, and ends pieces where records end', () => {
    const { tensor, checkpoint } = stacked('q8', [64]);
    const part = tensor.parts[0]!;
    const piecesOf = (change: Partial<WeightPart>, canCut = true) =>
      planPacking([{ ...tensor, parts: [{ ...part, ...change }] }], sourceOf(checkpoint), {
        maxPieceBytes: 20 * columns * 4,
        canCut: () => canCut,
      }).tensors[0]!;
    expect(piecesOf({}).map(({ firstRow, numRows }) => [firstRow, numRows])).toEqual([
      [0, 16],
      [16, 16],
      [32, 16],
      [48, 16],
    ]);
    for (const change of [{ transposed: true }, { order: new Int32Array(64) }])
      expect(piecesOf(change)).toHaveLength(1);
    expect(piecesOf({}, false)).toHaveLength(1);
    expect(piecesOf({})[2]).toMatchObject({
      sourceOffset: 32 * columns * 4,
      sourceBytes: 16 * columns * 4,
      isCut: true,
    });
  });

  test('refuses a shape that the type does not allow, with the tensor named', () => {
    const { tensor, checkpoint } = stacked('int4_g128', [16]);
    const odd = { ...tensor, columns: 100, parts: [{ ...tensor.parts[0]!, columns: 100 }] };
    expect(() => planPacking([odd], sourceOf(checkpoint))).toThrow('part0 cannot be int4_g128: it has 100 columns.');
  });
});
