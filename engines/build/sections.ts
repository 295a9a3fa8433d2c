/** The bytes of a plan's tensors, one after another, packed ahead of whoever writes them. */
import type { BoundTensor } from '../graph/passes/bind-weights.ts';
import type { Packing, PackPiece } from '../graph/passes/pack.ts';
import { ahead } from './ahead.ts';

/** What is read and packed but not yet written is at most so much: enough that the disk never waits. */
export const inFlightBytes = 128 * 2 ** 20;

/** `f8` keeps the scales of all rows behind the codes of all rows, at the next multiple of this. */
const scalesAlignment = 64;

type Placed = { readonly tensorIndex: number; readonly piece: PackPiece };

export type Sections = {
  /** The bytes of tensor `tensorIndex`; to be asked for in ascending order, without those of `skip`. */
  partsOf(tensorIndex: number): AsyncIterable<Uint8Array>;
  /** Stops packing. To be called at the end, whatever it is. */
  close(): Promise<void>;
};

/** Packs the tensors of a plan, but for those of `skip`. */
export function createSections(
  tensors: readonly BoundTensor[],
  packing: Packing,
  skip: ReadonlySet<number>,
  packOne: (tensor: BoundTensor, piece: PackPiece) => Promise<Uint8Array>,
  onPiece: (tensor: BoundTensor, piece: PackPiece) => void,
): Sections {
  const placed = packing.tensors.flatMap((pieces, tensorIndex): Placed[] =>
    skip.has(tensorIndex) ? [] : pieces.map((piece) => ({ tensorIndex, piece })),
  );
  const packed = ahead(placed, ({ tensorIndex, piece }) => packOne(tensors[tensorIndex]!, piece), {
    bytesOf: ({ piece }) => piece.sourceBytes + piece.packedBytes,
    maxBytes: inFlightBytes,
  });
  async function* partsOf(tensorIndex: number): AsyncIterable<Uint8Array> {
    const tensor = tensors[tensorIndex]!;
    const scales: Uint8Array[] = [];
    for (const piece of packing.tensors[tensorIndex]!) {
      const { value: bytes, done } = await packed.next();
      if (done) throw new Error('more tensors were asked for than there are');
      if (tensor.type === 'f8') {
        const codeBytes = piece.numRows * piece.part.columns;
        scales.push(bytes.subarray(bytes.length - 4 * piece.numRows));
        yield bytes.subarray(0, codeBytes);
      } else yield bytes;
      onPiece(tensor, piece);
    }
    if (tensor.type !== 'f8') return;
    const codeBytes = tensor.rows * tensor.columns;
    yield new Uint8Array((scalesAlignment - (codeBytes % scalesAlignment)) % scalesAlignment);
    yield* scales;
  }
  return { partsOf, close: async () => void (await packed.return(undefined)) };
}
