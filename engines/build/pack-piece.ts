/** A piece of a plan's tensor: its bytes of the checkpoint, packed as the plan has them. */
import type { BoundTensor } from '../graph/passes/bind-weights.ts';
import type { PackPiece } from '../graph/passes/pack.ts';
import type { WeightPart } from '../graph/types.ts';
import { ModelError } from '../model-error.ts';
import type { PlanType } from '../plan/format.ts';
import type { Checkpoint } from './checkpoint.ts';

/** The heavy arithmetic, handed in: `Builder` of native/index.ts fits. */
export type Packer = {
  pack(request: {
    bytes: Uint8Array;
    from: string;
    to: PlanType;
    numRows: number;
    numColumns: number;
    rowOrder?: Int32Array;
    checkpointRows?: number;
    columnOrder?: Int32Array;
    codebook?: Int8Array;
  }): Promise<Uint8Array>;
};

/** What of a tensor of the plan decides how its parts are packed. */
export type PackTarget = Pick<BoundTensor, 'type' | 'codebook'>;

/** A part's numbers as the checkpoint has them, in the words of the builder. */
export async function readPart(checkpoint: Checkpoint, part: WeightPart) {
  const bytes = await checkpoint.read(part.name);
  // A vector with an order is taken number by number: to the builder it is a matrix of one column.
  const tensorRows = checkpoint.tensors.find(({ name }) => name === part.name)!.rows;
  const asColumn = part.order !== undefined && part.rows === 1 && tensorRows === 1;
  return {
    bytes: part.transposed === true ? transpose(bytes, part.columns, part.rows) : bytes,
    from: part.from,
    numRows: asColumn ? part.columns : part.rows,
    numColumns: asColumn ? 1 : part.columns,
    ...(part.order === undefined ? {} : { rowOrder: part.order, checkpointRows: tensorRows }),
    ...(part.columnOrder === undefined ? {} : { columnOrder: part.columnOrder }),
  };
}

/** A whole part in the plan's layout. Fails with the builder's error, the tensor's name before it. */
export async function packPart(
  checkpoint: Checkpoint,
  packer: Packer,
  tensor: PackTarget,
  part: WeightPart,
): Promise<Uint8Array> {
  if (part.values !== undefined) return new Uint8Array(part.values.slice().buffer);
  const packed = await packNumbers(packer, tensor, part, await readPart(checkpoint, part));
  return part.plus === undefined ? packed : addTo(packed, part.plus);
}

/** Some rows of a part, or all of it. */
export async function packPiece(
  checkpoint: Checkpoint,
  packer: Packer,
  tensor: PackTarget,
  piece: PackPiece,
): Promise<Uint8Array> {
  const { part, isCut, numRows, sourceOffset, sourceBytes } = piece;
  if (!isCut) return packPart(checkpoint, packer, tensor, part);
  const bytes = await checkpoint.readRange!(part.name, sourceOffset, sourceBytes);
  return packNumbers(packer, tensor, part, { bytes, from: part.from, numRows, numColumns: part.columns });
}

async function packNumbers(
  packer: Packer,
  { type, codebook }: PackTarget,
  part: WeightPart,
  numbers: Omit<Parameters<Packer['pack']>[0], 'to' | 'codebook'>,
): Promise<Uint8Array> {
  try {
    return await packer.pack({
      ...numbers,
      to: type,
      ...(codebook === undefined ? {} : { codebook: Int8Array.from(codebook) }),
    });
  } catch (error) {
    // What the builder does not take is wrong in the checkpoint: a scale that is no number.
    const why = error instanceof Error ? error.message : String(error);
    if ((error as { code?: unknown }).code === 'invalid-input') {
      const sentence = `The tensor ${part.name} is damaged: ${why.replace(/^pack: /, '').replace(/\.?$/, '.')}`;
      throw new ModelError('invalid-checkpoint', sentence, { cause: error });
    }
    if (error instanceof Error) error.message = `${part.name}: ${why}`;
    throw error;
  }
}

/** Numbers per side of the squares that a matrix is turned in: both sides of one stay in the cache. */
const tile = 32;

/** Rows × columns of numbers of 1, 2, 4 or 8 bytes → columns × rows. */
function transpose(bytes: Uint8Array, rows: number, columns: number): Uint8Array {
  const size = bytes.length / (rows * columns);
  const turned = new Uint8Array(bytes.length);
  const Numbers = { 1: Uint8Array, 2: Uint16Array, 4: Uint32Array, 8: BigUint64Array }[size]!;
  const aligned = bytes.byteOffset % size === 0 ? bytes : bytes.slice();
  const from = new Numbers(aligned.buffer as ArrayBuffer, aligned.byteOffset, rows * columns) as Uint32Array;
  const to = new Numbers(turned.buffer) as Uint32Array;
  for (let firstRow = 0; firstRow < rows; firstRow += tile) {
    for (let firstColumn = 0; firstColumn < columns; firstColumn += tile) {
      const endRow = Math.min(rows, firstRow + tile);
      const endColumn = Math.min(columns, firstColumn + tile);
      for (let row = firstRow; row < endRow; row++) {
        for (let column = firstColumn; column < endColumn; column++) {
          to[column * rows + row] = from[row * columns + column]!;
        }
      }
    }
  }
  return turned;
}

function addTo(packed: Uint8Array, plus: number): Uint8Array {
  const numbers = new Float32Array(packed.slice().buffer).map((number) => number + plus);
  return new Uint8Array(numbers.buffer);
}
