/** What a chat model with its context, and an embedder beside it, take of the device's memory in all. */
import type { EngineOptions, Native } from '../../../native/index.ts';
import type { Measured } from './runs.ts';

/**
 * Loads both and asks for what is left. The GPU's own use (the driver's context and our kernels) is in it, and whatever else runs
 * there: so nothing else should.
 */
export async function memory(native: Native, chat: EngineOptions, embedder: EngineOptions | null): Promise<Measured> {
  const freeNow = async (): Promise<{ totalBytes: number; freeBytes: number }> => native.planMemory(chat);
  const before = await freeNow();
  const engine = await native.loadEngine(chat);
  const withChat = await freeNow();
  const second = embedder === null ? null : await native.loadEngine(embedder);
  const after = await freeNow();
  const { weightBytes, kvBytes, activationBytes, kvTokens, kvType } = engine.info;
  const embedderBytes = withChat.freeBytes - after.freeBytes;
  await second?.close();
  await engine.close();
  const closed = await freeNow();
  return {
    shape: {
      kvTokens,
      kvType,
      weightBytes,
      kvBytes,
      activationBytes,
      chatBytes: before.freeBytes - withChat.freeBytes,
      embedderBytes,
      totalBytes: before.totalBytes,
      leftBytes: before.freeBytes - closed.freeBytes,
    },
    median: (before.freeBytes - after.freeBytes) / 1e9,
    unit: 'GB',
    limit: (weightBytes + kvBytes + (second?.info.weightBytes ?? 0)) / 1e9,
    limitFrom: 'the weights of both and the keys and values of the context',
  };
}
