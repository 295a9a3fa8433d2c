/** From texts to the sequences of ids that a model is shown while it is quantized. */
import type { Tokenizer } from '../tokenizer/tokenizer.ts';

export type Calibration = {
  /** Sequences that scales and clipping are searched on. */
  readonly calibration: readonly Int32Array[];
  /** Sequences, others if there are enough, that the perplexity is measured on. */
  readonly evaluation: readonly Int32Array[];
};

export type CalibrationLimits = {
  /** The longest sequence, and the model's own limit if that is smaller. */
  readonly sequenceTokens: number;
  /** How many sequences each use takes at most, evenly spread over the text. */
  readonly maxSequences: number;
};

/** One sequence in so many is kept from the calibration to measure the perplexity on. */
const heldOut = 8;

/** Sequences of `sequenceTokens` each (the last may be shorter), each with the model's start ids before it. */
export function toSequences(
  texts: readonly string[],
  tokenizer: Tokenizer,
  startIds: readonly number[],
  sequenceTokens: number,
): Int32Array[] {
  const room = Math.max(2, sequenceTokens - startIds.length);
  const ids = texts.map((text) => [...tokenizer.encodePieces([{ type: 'text', text }], { addSpecial: false })]);
  // Short texts share a sequence; a long one fills several.
  const flat = ids.flat();
  const sequences: Int32Array[] = [];
  for (let at = 0; at < flat.length; at += room) {
    const piece = flat.slice(at, at + room);
    if (piece.length >= 2) sequences.push(Int32Array.from([...startIds, ...piece]));
  }
  return sequences;
}

/** Parts of the user's text for each use: every eighth sequence is for the perplexity, or all, where there are few. */
export function splitSequences(sequences: readonly Int32Array[], limits: CalibrationLimits): Calibration {
  const isHeldOut = (index: number): boolean => index % heldOut === heldOut - 1;
  if (sequences.length < heldOut) {
    const few = spread(sequences, limits.maxSequences);
    return { calibration: few, evaluation: few };
  }
  return {
    calibration: spread(
      sequences.filter((_, index) => !isHeldOut(index)),
      limits.maxSequences,
    ),
    evaluation: spread(
      sequences.filter((_, index) => isHeldOut(index)),
      limits.maxSequences,
    ),
  };
}

/** At most so many of them, evenly spread. */
export function spread<T>(all: readonly T[], most: number): T[] {
  if (all.length <= most) return [...all];
  return Array.from({ length: most }, (_, index) => all[Math.floor((index * all.length) / most)]!);
}

/** All sequences one after another, and for each token the one that follows it in its sequence (-1 = none). */
export function joinSequences(sequences: readonly Int32Array[]): {
  ids: Int32Array;
  targets: Int32Array;
  lengths: Int32Array;
} {
  const lengths = Int32Array.from(sequences, (sequence) => sequence.length);
  const ids = Int32Array.from(sequences.flatMap((sequence) => [...sequence]));
  const targets = Int32Array.from(sequences.flatMap((sequence) => [...sequence.subarray(1), -1]));
  return { ids, targets, lengths };
}
