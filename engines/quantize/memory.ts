/** How much memory the quantizer takes, so that it can be refused before it begins. */
import { memoryNeeded } from '../build/room.ts';
import { inFlightBytes } from '../build/sections.ts';
import { rowsOf } from '../graph/types.ts';
import { cutIntoPieces } from './pieces.ts';
import type { PieceWork } from './work-piece.ts';

/** What the work takes at its height: the largest piece as float32, twice its largest matrix, and the hidden states. */
export function memoryOf(work: PieceWork, pieceBytes: number): number {
  const pieces = cutIntoPieces(work.graph).map((piece) => {
    const nodes = work.graph.nodes.slice(piece.first, piece.endExclusive);
    const weights = nodes.filter(({ op }) => op !== 'embed').flatMap((node) => node.weights);
    const counts = weights.map((weight) => (weight === null ? 0 : rowsOf(weight) * weight.columns));
    return { all: counts.reduce((sum, count) => sum + count, 0), largest: Math.max(0, ...counts) };
  });
  const reads = work.calibration !== null || work.evaluation !== null;
  if (!reads) return memoryNeeded(inFlightBytes, pieceBytes);
  const width = Math.max(...work.graph.values.filter(({ rows }) => rows === 'tokens').map((value) => value.width));
  const tokens = (work.calibration?.ids.length ?? 0) + 2 * (work.evaluation?.ids.length ?? 0);
  return 4 * (Math.max(...pieces.map(({ all, largest: most }) => all + 2 * most)) + 2 * tokens * width);
}
