/** What the benchmarks of generating share: made-up prompts, and generations run to their end. */
import { type Engine, type GenerateEvent, type GenerateRequest, greedy } from '../../../native/index.ts';

export type Finished = Extract<GenerateEvent, { type: 'finished' }> & { ids: number[]; numCachedTokens: number };

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((first, second) => first - second);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Ids that look like nothing in particular and differ from round to round, so that no cached prefix fits. */
export function someIds(length: number, vocabularySize: number, round: number): Int32Array {
  let state = (12_345 + 7_919 * round) >>> 0;
  return Int32Array.from({ length }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    // The low bits of such a generator repeat soon.
    return 3 + ((state >>> 8) % Math.max(1, vocabularySize - 3));
  });
}

/**
 * Runs a generation to its end. Ids that mean nothing make a model repeat itself, and drafts would then measure that: they are
 * off unless they are asked for.
 */
export async function generate(
  engine: Engine,
  ids: Int32Array,
  maxTokens: number,
  speculation: GenerateRequest['speculation'] = 'off',
): Promise<Finished> {
  const output: number[] = [];
  let numCachedTokens = 0;
  const request = { ids, maxTokens, stopIds: [], sampling: greedy, priority: 10, speculation };
  for await (const event of engine.generate(request)) {
    if (event.type === 'started') ({ numCachedTokens } = event);
    if (event.type === 'tokens') output.push(...event.ids);
    if (event.type === 'finished') return { ...event, ids: output, numCachedTokens };
  }
  throw new Error('The generation ended without its last event.');
}
