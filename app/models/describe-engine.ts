import type { Engine } from '../../native/index.ts';
import type { EngineReport } from '../contract/types.ts';
import { isKit, type KitRole, type Offer } from './offer.ts';

/** What a loaded thing's engine says of itself; null when nothing is loaded, or when it ended while it was asked. */
export async function describeEngine<Thing>(
  engineOf: (thing: Thing) => Engine | null,
  thing: Thing | null,
  offer: Pick<Offer, 'name' | 'role'> | null,
): Promise<EngineReport | null> {
  const engine = thing === null ? null : engineOf(thing);
  if (!engine || !offer || isKit(offer)) return null;
  const stats = await engine.stats().catch(() => null);
  if (!stats) return null;
  const { device, contextTokens, kvTokens, weightBytes, kvBytes, activationBytes, memoryBytesPerSecond } = engine.info;
  const { decodeMs, decodeTokens, decodeBytes, numSteps: _, ...rest } = stats;
  const bytesPerSecond = decodeMs > 0 ? (1000 * decodeBytes) / decodeMs : null;
  return {
    role: offer.role as Exclude<Offer['role'], KitRole>,
    model: offer.name,
    device,
    contextTokens,
    kvTokens,
    weightBytes,
    kvBytes,
    activationBytes,
    ...rest,
    bytesPerToken: decodeTokens > 0 ? decodeBytes / decodeTokens : null,
    bytesPerSecond,
    tokensPerSecond: decodeMs > 0 ? (1000 * decodeTokens) / decodeMs : null,
    bandwidthFraction:
      bytesPerSecond !== null && memoryBytesPerSecond > 0 ? bytesPerSecond / memoryBytesPerSecond : null,
  };
}
