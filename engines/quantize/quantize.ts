/**
 * From a checkpoint of 16 or 32 bits to a smaller one: 4 bits by AWQ or by round to nearest, int8, or FP8, as a plan or
 * as a folder that AutoAWQ's readers know. One piece of the model at a time is in memory.
 */
import { basename } from 'node:path';
import { graphOf, openCheckpoint, planOf, tokenizerFor } from '../build/build.ts';
import type { Checkpoint } from '../build/checkpoint.ts';
import type { WeightPart } from '../graph/graph.ts';
import type { BoundTensor } from '../graph/passes/bind-weights.ts';
import { compile } from '../graph/passes/passes.ts';
import { ModelError } from '../model-error.ts';
import type { PlanType } from '../plan/format.ts';
import { writePlan } from '../plan/write-plan.ts';
import { loadTokenizer } from '../tokenizer/tokenizer.ts';
import { ahead } from './ahead.ts';
import { exportAwq } from './awq-export.ts';
import { joinSequences, splitSequences, spread, toSequences } from './calibration.ts';
import { calibrationText } from './calibration-text.ts';
import type { GroupReport, QuantizeReport } from './report.ts';
import { needDisk, needMemory } from './room.ts';
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
};

export type QuantizeProgress = {
  doneBytes: number;
  totalBytes: number;
  tensor: string;
  /** From how long the done part took; null in the beginning. */
  secondsLeft: number | null;
};

/**
 * Quantizes a checkpoint. What is written appears at its place when it is whole; when it fails or is cancelled, nothing
 * is left. Fails with a `ModelError`, or with the arithmetic's own error.
 */
export async function quantizeCheckpoint(options: QuantizeOptions): Promise<QuantizeReport> {
  const checkpoint = await openCheckpoint(options.checkpoint, options.tokenizerFile);
  const bench = options.arithmetic.openWorkbench();
  const stop = (): void => bench.close();
  options.signal?.addEventListener('abort', stop, { once: true });
  try {
    throwIfCancelled(options.signal);
    const tokenizer = await tokenizerFor(checkpoint, options);
    const graph = graphOf(checkpoint);
    if (graph.nodes.some(({ op }) => op === 'permute_columns')) {
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
    needMemory(work);
    const source = createPartSource({ ...work, signal: options.signal, onGroup: options.onGroup });
    const counted = countProgress(source, checkpoint, options);
    if (target.type === 'awq') {
      return await exportAwq({ from: options.checkpoint, folder: target.folder, work, source: counted });
    }
    const compiled = compile(graph, { precision: rule });
    const plan = planOf(checkpoint, compiled, options.name);
    await needDisk(target.out, plan.tensors);
    let report: QuantizeReport | undefined;
    // Text goes through the pieces in order; without one, the next part is read and rounded while the last is written.
    const depth = work.calibration === null && work.evaluation === null ? 2 : 1;
    const parts = ahead(
      compiled.tensors.flatMap((tensor) => tensor.parts.map((part) => ({ tensor, part }))),
      depth,
      ({ tensor, part }) => counted.take(part, tensor.type),
    );
    async function* partsOf(index: number): AsyncIterable<Uint8Array> {
      const tensor = compiled.tensors[index]!;
      const own: Uint8Array[] = [];
      for (let i = 0; i < tensor.parts.length; i++) {
        const next = await parts.next();
        if (next.done === true) throw new ModelError('invalid-plan', `${tensor.name} has too few parts.`);
        if (tensor.type === 'f8') own.push(next.value);
        else yield next.value;
      }
      if (tensor.type === 'f8') yield* joinFloat8(tensor, own);
      // The plan takes its place only after this: a failure here leaves nothing.
      if (index === compiled.tensors.length - 1) report = await source.finish();
    }
    try {
      await writePlan({ out: target.out, plan, tokenizer, partsOf, ...pick(options.signal) });
    } finally {
      await parts.return(undefined);
    }
    return report!;
  } catch (error) {
    throwIfCancelled(options.signal);
    throw error;
  } finally {
    options.signal?.removeEventListener('abort', stop);
    bench.close();
    await checkpoint.close();
  }
}

function refuseExport(method: QuantizeMethod, head: HeadType): void {
  if (method !== 'awq' && method !== 'rtn') {
    throw new ModelError('invalid-input', `AutoAWQ's form holds 4 bits: the methods awq and rtn, not ${method}.`);
  }
  if (head !== 'f16') throw new ModelError('invalid-input', "In AutoAWQ's form the head is always f16.");
}

function pick(signal: AbortSignal | undefined): { signal?: AbortSignal } {
  return signal === undefined ? {} : { signal };
}

/** The codes of all parts, then their scales: an f8 matrix has one block of each. */
function* joinFloat8(tensor: BoundTensor, parts: readonly Uint8Array[]): Iterable<Uint8Array> {
  const codesOf = (part: WeightPart): number => part.rows * part.columns;
  let numCodes = 0;
  for (const [index, part] of tensor.parts.entries()) {
    numCodes += codesOf(part);
    yield parts[index]!.subarray(0, codesOf(part));
  }
  yield new Uint8Array((64 - (numCodes % 64)) % 64);
  for (const [index, part] of tensor.parts.entries())
    yield parts[index]!.subarray(parts[index]!.length - 4 * part.rows);
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
    const split = splitSequences(sequencesOf(texts), limits);
    calibration = rows(
      evaluationTexts === undefined ? split.calibration : spread(sequencesOf(texts), limits.maxSequences),
    );
    evaluation = scores && evaluationTexts === undefined ? rows(split.evaluation) : null;
  } else if (searches) {
    calibration = rows(spread(sequencesOf(calibrationText), limits.maxSequences));
  }
  if (evaluationTexts !== undefined && scores) {
    evaluation = rows(spread(sequencesOf(evaluationTexts), limits.maxSequences));
  }
  return { calibration, evaluation };
}

/** Tells of every part that is done, with the time that the rest will take if it goes on like this. */
function countProgress(source: PartSource, checkpoint: Checkpoint, options: QuantizeOptions): PartSource {
  const sizes = new Map(checkpoint.tensors.map((tensor) => [tensor.name, tensor.sizeBytes]));
  const totalBytes = checkpoint.tensors.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const startMs = performance.now();
  let doneBytes = 0;
  return {
    ...source,
    async take(part: WeightPart, type: PlanType) {
      const bytes = await source.take(part, type);
      throwIfCancelled(options.signal);
      const whole = checkpoint.tensors.find(({ name }) => name === part.name);
      const share = whole === undefined ? 0 : Math.min(1, (part.rows * part.columns) / (whole.rows * whole.columns));
      doneBytes = Math.min(totalBytes, doneBytes + share * (sizes.get(part.name) ?? 0));
      const seconds = (performance.now() - startMs) / 1000;
      const secondsLeft = doneBytes > 0.02 * totalBytes ? (seconds * (totalBytes - doneBytes)) / doneBytes : null;
      options.onProgress?.({ doneBytes, totalBytes, tensor: part.name, secondsLeft });
      return bytes;
    },
  };
}
