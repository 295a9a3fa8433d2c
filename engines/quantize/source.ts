/**
 * Where a target takes the quantized parts from, in the order of the model: it asks for one, and what the piece of the
 * model that holds it needs is done then. So one piece at a time is in memory.
 */
import { packPart, packPiece, readPart } from '../build/pack-piece.ts';
import { partKey } from '../graph/passes/bind-weights.ts';
import type { PackPiece } from '../graph/passes/pack.ts';
import type { Node } from '../graph/types.ts';
import { ModelError } from '../model-error.ts';
import type { PlanType } from '../plan/format.ts';
import { cutIntoPieces } from './pieces.ts';
import type { GroupReport, LinearReport, QuantizeReport } from './report.ts';
import { type PieceWork, workPiece } from './work-piece.ts';

/** Operations whose weights are rounded, or take a scale. */
const makers: ReadonlySet<string> = new Set(['linear', 'rms_norm', 'layer_norm']);

export type PartSource = {
  /** Whether rows of a part can be taken by themselves. */
  readonly cuts: boolean;
  /** The rows in the plan's layout for `type`. Each once, in the order of the model. */
  take(piece: PackPiece, type: PlanType): Promise<Uint8Array>;
  /** Works the pieces that nobody asked for any more, for the perplexity. */
  finish(): Promise<QuantizeReport>;
};

export type SourceOptions = PieceWork & {
  readonly signal?: AbortSignal | undefined;
  readonly onGroup?: ((group: GroupReport) => void) | undefined;
};

/** Parts that need no text: each by itself. Else piece after piece. */
export function createPartSource(options: SourceOptions): PartSource {
  const needsText = options.calibration !== null || options.evaluation !== null;
  return needsText ? sourceOfPieces(options) : sourceOfParts(options);
}

function sourceOfPieces(options: SourceOptions): PartSource {
  const { graph, checkpoint, arithmetic, onGroup, calibration } = options;
  const pieces = cutIntoPieces(graph);
  // What a piece may change or round. A table that is the head, too, is neither: it is written first.
  const keysOf = (nodes: readonly Node[]): string[] =>
    nodes.flatMap(({ weights }) => weights.flatMap((weight) => weight?.parts ?? [])).map(partKey);
  const tables = new Set(keysOf(graph.nodes.filter(({ op }) => op === 'embed')));
  const pieceOf = new Map<string, number>();
  pieces.forEach(({ first, endExclusive }, index) => {
    const made = graph.nodes.slice(first, endExclusive).filter(({ op }) => makers.has(op));
    for (const key of keysOf(made)) if (!tables.has(key)) pieceOf.set(key, index);
  });
  const packed = new Map<string, Uint8Array>();
  const groups: GroupReport[] = [];
  let score: { before: number; after: number; tokens: number } | null = null;
  let nextPiece = 0;
  let turn: Promise<unknown> = Promise.resolve();
  const workUpTo = async (last: number) => {
    for (; nextPiece <= last; nextPiece++) {
      throwIfCancelled(options.signal);
      const result = await workPiece(options, pieces[nextPiece]!, nextPiece);
      for (const [key, bytes] of result.packed) packed.set(key, bytes);
      for (const group of result.groups) onGroup?.(group);
      groups.push(...result.groups);
      score = result.score;
    }
  };
  return {
    cuts: false,
    async take({ part }, type) {
      const key = partKey(part);
      // Several may be asked for at a time; the pieces are worked one after another.
      const worked = turn.then(() => workUpTo(pieceOf.get(key) ?? -1));
      turn = worked.catch(() => undefined);
      await worked;
      const bytes = packed.get(key);
      if (bytes === undefined) return packPart(checkpoint, arithmetic.builder, { type }, part);
      packed.delete(key);
      return bytes;
    },
    async finish() {
      await workUpTo(pieces.length - 1);
      return {
        groups,
        calibrationTokens: calibration?.ids.length ?? 0,
        perplexity: score && {
          before: Math.exp(score.before / score.tokens),
          after: Math.exp(score.after / score.tokens),
          tokens: score.tokens,
          heldOut: options.evaluation?.ids !== calibration?.ids,
        },
      };
    },
  };
}

function sourceOfParts(options: SourceOptions): PartSource {
  const { checkpoint, arithmetic, graph, onGroup } = options;
  const linears = new Set(
    graph.nodes
      .filter(({ op, weights }) => op === 'linear' && weights[0]!.parts.length === 1)
      .map(({ weights }) => partKey(weights[0]!.parts[0]!)),
  );
  const groups: GroupReport[] = [];
  const measured = new Map<string, { rows: number; lost: number; energy: number }>();
  return {
    cuts: true,
    async take(piece, type) {
      throwIfCancelled(options.signal);
      const { part } = piece;
      const isRounded = linears.has(partKey(part)) && part.values === undefined && type !== 'f16' && type !== 'f32';
      if (!isRounded) return packPiece(checkpoint, arithmetic.builder, { type }, piece);
      const numbers = piece.isCut
        ? {
            bytes: await checkpoint.readRange!(part.name, piece.sourceOffset, piece.sourceBytes),
            ...{ from: part.from, numRows: piece.numRows, numColumns: part.columns },
          }
        : await readPart(checkpoint, part);
      const { bytes, lost, energy } = await arithmetic.packMeasured({ ...numbers, to: type });
      const sums = measured.get(partKey(part)) ?? { rows: 0, lost: 0, energy: 0 };
      sums.rows += piece.numRows;
      sums.lost += lost;
      sums.energy += energy;
      measured.set(partKey(part), sums);
      if (sums.rows === part.rows) {
        const shape = { rows: part.rows, columns: part.columns };
        const weightError = sums.energy > 0 ? sums.lost / sums.energy : 0;
        const linear: LinearReport = { name: part.name, type, ...shape, weightError, outputError: null, clipped: 0 };
        groups.push({ linears: [linear], ratio: null, loss: null, plainLoss: null });
        onGroup?.(groups.at(-1)!);
      }
      return bytes;
    },
    finish: () => Promise.resolve({ groups, calibrationTokens: 0, perplexity: null }),
  };
}

export function throwIfCancelled(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new ModelError('cancelled', 'Quantizing was cancelled.');
}
