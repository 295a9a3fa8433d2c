/** Positions as a loss per token of distance, steeper for one head than for the next (ALiBi, arXiv 2108.12409). */

/**
 * The slope of each head, [numHeads]. For 2^n heads they are 2^(-biasMax · i / 2^n), i = 1 … 2^n; the heads beyond the
 * last power of two get every second slope of twice as many. BLOOM, Falcon and MPT write this rule in three ways that
 * come to the same numbers.
 */
export function alibiSlopes(numHeads: number, biasMax = 8): Float32Array {
  const power = 2 ** Math.floor(Math.log2(numHeads));
  return Float32Array.from({ length: numHeads }, (_, head) =>
    head < power ? 2 ** ((-biasMax * (head + 1)) / power) : 2 ** ((-biasMax * (2 * (head - power) + 1)) / (2 * power)),
  );
}
