/** How much of what the device's memory could give an answer took while it was written. */
import type { Engine } from '../../native/index.ts';

/**
 * Begins to count now. What comes back gives the share, 0 to 1, of the engine's steps since then that only generated; null where
 * the device does not say what it could give, where there were none, and where the engine did not answer.
 */
export function countBandwidth(engine: Engine): () => Promise<number | null> {
  const best = engine.info.memoryBytesPerSecond;
  if (!(best > 0)) return async () => null;
  const before = engine.stats().catch(() => null);
  return async () => {
    const [first, last] = await Promise.all([before, engine.stats().catch(() => null)]);
    if (!first || !last) return null;
    const decodeMs = last.decodeMs - first.decodeMs;
    const bytes = last.decodeBytes - first.decodeBytes;
    return decodeMs > 0 && bytes > 0 ? (1000 * bytes) / decodeMs / best : null;
  };
}
