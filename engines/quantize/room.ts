/** Refuses before the work begins what the disk or the memory will not hold. */
import { statfs } from 'node:fs/promises';
import { freemem } from 'node:os';
import { dirname, resolve } from 'node:path';
import { rowsOf } from '../graph/graph.ts';
import { ModelError } from '../model-error.ts';
import { type PlanType, planTensorBytes } from '../plan/format.ts';
import { cutIntoPieces } from './pieces.ts';
import type { PieceWork } from './work-piece.ts';

/** Fails with `invalid-input` when the disk of `out` has less room than these tensors take. */
export async function needDisk(
  out: string,
  tensors: readonly { type: PlanType; rows: number; columns: number }[],
): Promise<void> {
  const bytes = tensors.reduce((sum, { type, rows, columns }) => sum + (planTensorBytes(type, rows, columns) ?? 0), 0);
  await needDiskBytes(out, bytes);
}

export async function needDiskBytes(out: string, bytes: number): Promise<void> {
  const folder = dirname(resolve(out));
  const found = await statfs(folder).catch((cause: unknown) => {
    throw new ModelError('invalid-input', `There is no folder ${folder}.`, { cause });
  });
  const freeBytes = found.bavail * found.bsize;
  if (freeBytes < bytes) {
    throw new ModelError(
      'invalid-input',
      `There is too little room in ${folder}: ${gigabytes(bytes)} are needed, ${gigabytes(freeBytes)} are free.`,
    );
  }
}

/** What the work takes at its height: the largest piece as float32, twice its largest matrix, and the hidden states. */
export function memoryNeeded(work: PieceWork): number {
  const pieces = cutIntoPieces(work.graph).map((piece) => {
    const nodes = work.graph.nodes.slice(piece.first, piece.endExclusive);
    const weights = nodes.filter(({ op }) => op !== 'embed').flatMap((node) => node.weights);
    const counts = weights.map((weight) => (weight === null ? 0 : rowsOf(weight) * weight.columns));
    return { all: counts.reduce((sum, count) => sum + count, 0), largest: Math.max(0, ...counts) };
  });
  const largest = Math.max(...pieces.map((piece) => piece.largest));
  const reads = work.calibration !== null || work.evaluation !== null;
  if (!reads) return 4 * 4 * largest;
  const width = Math.max(...work.graph.values.filter(({ rows }) => rows === 'tokens').map((value) => value.width));
  const tokens = (work.calibration?.ids.length ?? 0) + 2 * (work.evaluation?.ids.length ?? 0);
  return 4 * (Math.max(...pieces.map(({ all, largest: most }) => all + 2 * most)) + 2 * tokens * width);
}

export function needMemory(work: PieceWork): void {
  const bytes = memoryNeeded(work);
  const freeBytes = freemem();
  if (freeBytes >= bytes) return;
  throw new ModelError(
    'invalid-input',
    `There is too little memory: quantizing needs ${gigabytes(bytes)}, ${gigabytes(freeBytes)} are free.`,
  );
}

function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(1)} GB`;
}
