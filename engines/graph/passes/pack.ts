/**
 * Cuts the packing into pieces: which rows of which of the checkpoint's tensors are read, packed and written together.
 * So the memory of a build is a bound of ours, not the largest tensor's.
 *
 * Neutral: a record of the packed types holds 16 rows, and pieces are whole records.
 */
import { ModelError } from '../../model-error.ts';
import { planTensorBytes } from '../../plan/format.ts';
import type { WeightPart } from '../types.ts';
import type { BoundTensor } from './bind-weights.ts';

export type PackPiece = {
  readonly part: WeightPart;
  /** Rows of the part; of a vector the one. */
  readonly firstRow: number;
  readonly numRows: number;
  /** The bytes of the checkpoint's tensor that they are made of; none for computed numbers. */
  readonly sourceOffset: number;
  readonly sourceBytes: number;
  /** Whether those are less than the whole tensor. */
  readonly isCut: boolean;
  readonly packedBytes: number;
};

export type Packing = {
  /** The pieces of each tensor of the plan, in order. */
  readonly tensors: readonly (readonly PackPiece[])[];
  readonly sourceBytes: number;
  readonly packedBytes: number;
  /** The largest piece, read and packed. */
  readonly peakPieceBytes: number;
  /** All pieces, read and packed: what is in flight is never more. */
  readonly peakBytes: number;
};

/** What the packing must know of a checkpoint's tensor. */
export type SourceOf = (name: string) => { readonly rows: number; readonly sizeBytes: number } | undefined;

export type PackOptions = {
  /** A piece reads at most so much, but for one block of rows, and for tensors that are taken in an order. */
  readonly maxPieceBytes?: number;
  /** Whether the checkpoint can read a part of a tensor: its rows stand one after the other. */
  readonly canCut?: (part: WeightPart) => boolean;
};

/**
 * Few enough for a small machine, enough that reading, packing and writing do not wait for each other's starts. Well below
 * 32 MiB, from where on glibc gets every block anew from the system: with 32, half of the processor time went there (5.8 of
 * 12.0 s for 1 G weights to 4 bits), with 12 a sixth (1.2 of 7.7 s).
 */
const defaultPieceBytes = 12 * 2 ** 20;

/** A record's rows: pieces end where records do. */
const rowsOfRecord = 16;

/** Plans the packing. Fails with `unsupported-model` where a type does not allow a shape. */
export function planPacking(tensors: readonly BoundTensor[], sourceOf: SourceOf, options: PackOptions = {}): Packing {
  const pieces = tensors.map((tensor) => tensor.parts.flatMap((part) => cut(tensor, part, sourceOf, options)));
  const all = pieces.flat();
  const sourceBytes = all.reduce((sum, piece) => sum + piece.sourceBytes, 0);
  const packedBytes = all.reduce((sum, piece) => sum + piece.packedBytes, 0);
  return {
    tensors: pieces,
    sourceBytes,
    packedBytes,
    peakBytes: sourceBytes + packedBytes,
    peakPieceBytes: all.reduce((most, piece) => Math.max(most, piece.sourceBytes + piece.packedBytes), 0),
  };
}

function cut(tensor: BoundTensor, part: WeightPart, sourceOf: SourceOf, options: PackOptions): PackPiece[] {
  const source = sourceOf(part.name);
  const sourceBytes = part.values === undefined ? (source?.sizeBytes ?? 0) : 0;
  const { maxPieceBytes = defaultPieceBytes, canCut = () => false } = options;
  const isPlain = part.order === undefined && part.transposed !== true && part.rows > 1 && part.rows === source?.rows;
  const rowBytes = sourceBytes / part.rows;
  const rowsAtOnce =
    isPlain && canCut(part) && Number.isInteger(rowBytes)
      ? Math.max(rowsOfRecord, Math.floor(maxPieceBytes / rowBytes / rowsOfRecord) * rowsOfRecord)
      : part.rows;
  const pieces: PackPiece[] = [];
  for (let firstRow = 0; firstRow < part.rows; firstRow += rowsAtOnce) {
    const numRows = Math.min(rowsAtOnce, part.rows - firstRow);
    const isCut = numRows < part.rows;
    pieces.push({
      part,
      firstRow,
      numRows,
      sourceOffset: isCut ? firstRow * rowBytes : 0,
      sourceBytes: isCut ? numRows * rowBytes : sourceBytes,
      isCut,
      packedBytes: packedBytesOf(tensor, part, numRows),
    });
  }
  return pieces;
}

function packedBytesOf(tensor: BoundTensor, part: WeightPart, numRows: number): number {
  const bytes = planTensorBytes(tensor.type, numRows, part.columns);
  if (bytes !== null) return bytes;
  throw new ModelError('unsupported-model', `${part.name} cannot be ${tensor.type}: it has ${part.columns} columns.`);
}
