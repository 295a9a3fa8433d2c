/**
 * From a checkpoint of 16 or 32 bits to a smaller one: 4 bits by AWQ or by round to nearest, int8, or FP8, as a plan or
 * as a folder that AutoAWQ's readers know. One piece of the model at a time is in memory.
 */
import { basename } from 'node:path';
import { graphOf, openCheckpoint, packingOf, planOf, tokenizerFor } from '../build/build.ts';
import type { Checkpoint } from '../build/checkpoint.ts';
import { parseGroupedType } from '../build/grouped-types.ts';
import { type Room, refuseWithoutRoom, thisMachine } from '../build/room.ts';
import { createSections } from '../build/sections.ts';
import type { BoundTensor } from '../graph/passes/bind-weights.ts';
import type { PackPiece } from '../graph/passes/pack.ts';
import { compile } from '../graph/passes/passes.ts';
import { ModelError } from '../model-error.ts';
import { planFileBytes, writePlan } from '../plan/write-plan.ts';
import { loadTokenizer } from '../tokenizer/tokenizer.ts';
import { exportAwq } from './awq-export.ts';
import { joinSequences, splitSequences, spread, toSequences } from './calibration.ts';
import { calibrationText } from './calibration-text.ts';
import { memoryOf } from './memory.ts';
import { countProgress, type QuantizeProgress } from './progress.ts';
import type { GroupReport, QuantizeReport } from './report.ts';
import { type HeadType, type QuantizeMethod, refuseUntouched, ruleOf, ruleOfAwqExport } from './rule.ts';
import { createPartSource, type PartSource, throwIfCancelled } from './source.ts';
import type { PieceWork, Rows } from './work-piece.ts';
import type { QuantizerArithmetic } from './workbench.ts';

export type QuantizeTarget =
  /** A plan of this path. */
  | { readonly type: 'plan'; readonly out: string }
  /** A new folder of AutoAWQ's "gemm" form, for the methods of 4 bits. */
  | { readonly type: 'awq'; readonly folder: string };

export type QuantizeOptions = {
  checkpoint: string;
  target: QuantizeTarget;
  method: QuantizeMethod;
  /** The logits' matrix. Default f16. */
  head?: HeadType;
  arithmetic: QuantizerArithmetic;
  tokenizerFile?: string | undefined;
  name?: string;
  /**
   * What the model is calibrated on; a part of it is kept for the perplexity. Absent: AWQ takes a mix of its own, and no
   * perplexity is measured. The methods without calibration measure with it alone.
   */
  texts?: readonly string[];
  /** What the perplexity is measured on, instead of a part of `texts`. */
  evaluationTexts?: readonly string[];
  /** Tokens of a sequence (default 512, at most the model's context), and sequences for each use (default 16). */
  sequenceTokens?: number;
  maxSequences?: number;
  /** How many rows losses are measured on (default 512). */
  lossRows?: number;
  signal?: AbortSignal;
  onProgress?: (progress: QuantizeProgress) => void;
  onGroup?: (group: GroupReport) => void;
  /** What the machine has; absent = it is asked. */
  room?: Room;
};

/**
 * Quantizes a checkpoint. What is written appears at its place when it is whole; when it fails or is cancelled, nothing
 * is left. Fails with a `ModelError`, or with the arithmetic's own error.
 */
export async function quantizeCheckpoint(options: QuantizeOptions): Promise<QuantizeReport> {
  const bench = options.arithmetic.openWorkbench();
  const stop = (): void => bench.close();
  options.signal?.addEventListener('abort', stop, { once: true });
  let checkpoint: Checkpoint | undefined;
  try {
    throwIfCancelled(options.signal);
    checkpoint = await openCheckpoint(options.checkpoint, options.tokenizerFile);
    const tokenizer = await tokenizerFor(checkpoint, options);
    const graph = graphOf(checkpoint);
    const parts = graph.nodes.flatMap(({ weights }) => weights.flatMap((weight) => weight?.parts ?? []));
    if (parts.some(({ from }) => parseGroupedType(from) !== null)) {
      throw new ModelError('unsupported-model', `${basename(options.checkpoint)} is quantized already.`);
    }
    const { method, target, head = 'f16' } = options;
    if (target.type === 'awq') refuseExport(method, head);
    const rule = target.type === 'awq' ? ruleOfAwqExport() : ruleOf(graph, method, head);
    refuseUntouched(graph, rule);
    const searches = method === 'awq';
    const texts = rowsOf(options, checkpoint, tokenizer, searches);
    const work: PieceWork = {
      ...{ checkpoint, graph, rule, arithmetic: options.arithmetic, bench, searches },
      ...{ ...texts, lossRows: options.lossRows ?? 512 },
    };
    const source = createPartSource({ ...work, signal: options.signal, onGroup: options.onGroup });
    const { room = thisMachine, onProgress } = options;
    const common = { work, source, room, onProgress };
    if (target.type === 'awq') return await exportAwq({ ...common, from: options.checkpoint, folder: target.folder });
    return await writeQuantizedPlan({ ...common, ...options, out: target.out, tokenizer });
  } catch (error) {
    throwIfCancelled(options.signal);
    throw error;
  } finally {
    options.signal?.removeEventListener('abort', stop);
    bench.close();
    await checkpoint?.close();
  }
}

function refuseExport(method: QuantizeMethod, head: HeadType): void {
  if (method !== 'awq' && method !== 'rtn') {
    throw new ModelError('invalid-input', `AutoAWQ's form holds 4 bits: the methods awq and rtn, not ${method}.`);
  }
  if (head !== 'f16') throw new ModelError('invalid-input', "In AutoAWQ's form the head is always f16.");
}

/** The plan, packed ahead of its writing where no text holds it up. */
async function writeQuantizedPlan(options: {
  out: string;
  name?: string;
  tokenizer: object;
  work: PieceWork;
  source: PartSource;
  room: Room;
  signal?: AbortSignal;
  onProgress: ((progress: QuantizeProgress) => void) | undefined;
}): Promise<QuantizeReport> {
  const { work, source, out, tokenizer } = options;
  const { checkpoint, graph, rule } = work;
  const compiled = compile(graph, { precision: rule });
  const plan = planOf(checkpoint, compiled, options.name);
  const packing = packingOf(checkpoint, compiled.tensors, source.cuts);
  const needs = { out, diskBytes: planFileBytes(plan, tokenizer), memoryBytes: memoryOf(work, packing.peakPieceBytes) };
  await refuseWithoutRoom(options.room, needs);
  const progress = countProgress(packing.packedBytes, options.onProgress);
  const pack = (tensor: BoundTensor, piece: PackPiece) => source.take(piece, tensor.type);
  const sections = createSections(compiled.tensors, packing, new Set(), pack, ({ name }, { packedBytes }) =>
    progress(packedBytes, name),
  );
  let report: QuantizeReport | undefined;
  async function* partsOf(index: number): AsyncIterable<Uint8Array> {
    yield* sections.partsOf(index);
    // The plan takes its place only after this: a failure here leaves nothing.
    if (index === compiled.tensors.length - 1) report = await source.finish();
  }
  try {
    const signal = options.signal === undefined ? {} : { signal: options.signal };
    await writePlan({ out, plan, tokenizer, partsOf, ...signal });
  } finally {
    await sections.close();
  }
  return report!;
}

/** The texts as rows of ids. */
function rowsOf(
  options: QuantizeOptions,
  checkpoint: Checkpoint,
  tokenizerJson: unknown,
  searches: boolean,
): { calibration: Rows | null; evaluation: Rows | null } {
  const limits = {
    sequenceTokens: Math.min(options.sequenceTokens ?? 512, checkpoint.model.contextTokens),
    maxSequences: options.maxSequences ?? 16,
  };
  const sequencesOf = (texts: readonly string[]): Int32Array[] =>
    toSequences(texts, loadTokenizer(tokenizerJson), checkpoint.startIds, limits.sequenceTokens);
  const rows = (sequences: readonly Int32Array[]): Rows | null => {
    if (sequences.length > 0) return joinSequences(sequences);
    throw new ModelError('invalid-input', 'The text is too short: it has fewer than two tokens.');
  };
  const scores = checkpoint.model.role === 'chat';
  const { texts, evaluationTexts } = options;
  let calibration: Rows | null = null;
  let evaluation: Rows | null = null;
  if (texts !== undefined) {
    const sequences = sequencesOf(texts);
    if (evaluationTexts === undefined && scores) {
      const split = splitSequences(sequences, limits);
      calibration = rows(split.calibration);
      evaluation = split.evaluation === split.calibration ? calibration : rows(split.evaluation);
    } else {
      calibration = rows(spread(sequences, limits.maxSequences));
    }
  } else if (searches) {
    calibration = rows(spread(sequencesOf(calibrationText), limits.maxSequences));
  }
  if (evaluationTexts !== undefined && scores) {
    evaluation = rows(spread(sequencesOf(evaluationTexts), limits.maxSequences));
  }
  return { calibration, evaluation };
}
