/** Heads: their number, their size, and tensors that hold the queries, keys and values of all of them. */
import { maxHeadSize, maxWidth } from './blocks.ts';
import type { ConfigReader } from './config-reader.ts';

/** A size that published configs call by either name. */
export function eitherSize(config: ConfigReader, key: string, other: string): number {
  return config.size(config.has(other) && !config.has(key) ? other : key);
}

/** `hiddenSize / numHeads`. Fails where the heads do not fill the width, or either is past all bounds. */
export function headSizeOf(config: ConfigReader, hiddenSize: number, numHeads: number): number {
  if (hiddenSize > maxWidth) config.unsupported(`a width of ${hiddenSize}`);
  if (hiddenSize % numHeads !== 0) return config.damaged(`${numHeads} heads do not fill a width of ${hiddenSize}`);
  const headSize = hiddenSize / numHeads;
  return headSize <= maxHeadSize ? headSize : config.unsupported(`heads of ${headSize} columns`);
}

/**
 * The order of rows that puts all queries first, then all keys, then all values, where the checkpoint has head after head
 * of the keys: the queries that share it, the key, the value ([numKvHeads, numHeads / numKvHeads + 2, headSize]).
 * Absent where that is how they stand.
 */
export function queriesKeysValues(numHeads: number, numKvHeads: number, headSize: number): { order?: Int32Array } {
  if (numKvHeads === 1) return {};
  const sharing = numHeads / numKvHeads;
  const order = new Int32Array((numHeads + 2 * numKvHeads) * headSize);
  for (let row = 0; row < order.length; row++) {
    const head = Math.floor(row / headSize);
    const [group, place] =
      head < numHeads
        ? [Math.floor(head / sharing), head % sharing]
        : [(head - numHeads) % numKvHeads, sharing + Math.floor((head - numHeads) / numKvHeads)];
    order[row] = (group * (sharing + 2) + place) * headSize + (row % headSize);
  }
  return { order };
}
