/** How much memory the quantizer takes, so that it can be refused before it begins. */
import { memoryNeeded } from '../build/room.ts';
import { inFlightBytes } from '../build/sections.ts';
import { rowsOf } from '../graph/types.ts';
import { cutIntoPieces } from './pieces.ts';
import type { PieceWork } from './work-piece.ts';

/** What the work takes at its height: the largest piece as float32, twice its largest matrix, and the hidden states. */
export function memoryOf(work: PieceWork, pieceBytes: number): number {
  const { graph, calibration, evaluation } = work;
  const packing = memoryNeeded(inFlightBytes, pieceBytes);
  if (calibration === null && evaluation === null) return packing;
  const pieces = cutIntoPieces(graph);
  const numbers = pieces.map(({ first, endExclusive }) => {
    const nodes = graph.nodes.slice(first, endExclusive).filter(({ op }) => op !== 'embed');
    const counts = nodes.flatMap(({ weights }) =>
      weights.map((weight) => (weight ? rowsOf(weight) * weight.columns : 0)),
    );
    return counts.reduce((sum, count) => sum + count, 2 * Math.max(0, ...counts));
  });
  const width = Math.max(...pieces.map(({ input }) => input?.width ?? 0));
  const tokens = (calibration?.ids.length ?? 0) + 2 * (evaluation?.ids.length ?? 0);
  return packing + 4 * (Math.max(...numbers) + 2 * tokens * width);
}
