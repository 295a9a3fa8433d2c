/** Which values may lie in one buffer, one after another: those that are never wanted at the same time. */
import type { RowKind } from '../types.ts';

/** A value that lies somewhere from the step that makes it to the last that reads it. */
export type Stay = {
  readonly rows: RowKind;
  readonly width: number;
  readonly firstStep: number;
  readonly lastStep: number;
  /** Whether it shares its buffer with no other. */
  readonly alone: boolean;
};

export type Shared = {
  readonly buffers: { readonly rows: RowKind; width: number }[];
  /** For each stay the index of its buffer. */
  readonly bufferOf: readonly number[];
};

/**
 * Few and narrow buffers for all stays. The least sum of widths is hard to find; two ways are tried and the better is
 * kept: as they come, and the widest first (Pisarchyk, Lee, arXiv 2001.03288), which keeps a narrow value that stays long
 * out of a wide buffer that would be wanted again.
 */
export function shareBuffers(stays: readonly Stay[]): Shared {
  const asTheyCome = [...stays.keys()].sort((a, b) => stays[a]!.firstStep - stays[b]!.firstStep);
  const widestFirst = asTheyCome.toSorted((a, b) => stays[b]!.width - stays[a]!.width);
  const [first, second] = [place(stays, asTheyCome), place(stays, widestFirst)];
  return widthOf(second) < widthOf(first) ? second : first;
}

/** Each in turn goes to the free buffer that is wasted least by it, or to a new one. */
function place(stays: readonly Stay[], order: readonly number[]): Shared {
  const buffers: { rows: RowKind; width: number; held: Stay[] }[] = [];
  const bufferOf: number[] = [];
  for (const index of order) {
    const stay = stays[index]!;
    const isFree = ({ rows, held }: { rows: RowKind; held: Stay[] }) =>
      rows === stay.rows && !held.some((other) => other.alone || meet(stay, other));
    const waste = (buffer: { width: number }) => Math.abs(buffer.width - stay.width);
    let buffer = stay.alone ? undefined : buffers.filter(isFree).sort((a, b) => waste(a) - waste(b))[0];
    if (buffer === undefined) {
      buffer = { rows: stay.rows, width: stay.width, held: [] };
      buffers.push(buffer);
    }
    buffer.width = Math.max(buffer.width, stay.width);
    buffer.held.push(stay);
    bufferOf[index] = buffers.indexOf(buffer);
  }
  return { buffers: buffers.map(({ rows, width }) => ({ rows, width })), bufferOf };
}

/** A step's results never lie where what it reads does. */
function meet(a: Stay, b: Stay): boolean {
  return a.firstStep <= b.lastStep && b.firstStep <= a.lastStep;
}

/** Of the rows there are most of. */
function widthOf({ buffers }: Shared): number {
  return buffers.reduce((sum, { rows, width }) => sum + (rows === 'tokens' ? width : 0), 0);
}
