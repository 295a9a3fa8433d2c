/** How much context a chat model gets on this machine, in which precision, and on which device. */
import type { EngineOptions, Native } from '../../native/index.ts';

/**
 * Room in the KV cache, in contexts: the one that runs, and the passages of the last questions for reuse.
 * TinyLlama takes 22.5 kB a token: 92 MB for two contexts of 2048.
 */
const contextsInCache = 2;
const maxCacheTokens = 16_384;
/** Nothing here asks for more; models that were made for 128k tokens would reserve gigabytes. */
const maxContextTokens = 8192;
/** With less, no passages fit beside a question: the load fails and says what it needs. */
const minContextTokens = 1024;
/** Left free for the embedder and what it computes with, which may be loaded later. */
const embedderBytes = 250e6;

/**
 * What to load a plan with: a whole context and more for reuse; where memory is short, a context of bytes on a GPU, then a
 * shorter one; where a GPU has not even that, the processor. What fits nowhere is left to the load, which says what it needs.
 */
export async function chooseRoom(
  native: Pick<Native, 'planMemory'>,
  plan: string,
  modelContextTokens: number,
): Promise<{ contextTokens: number; options: EngineOptions }> {
  const contextTokens = Math.min(modelContextTokens, maxContextTokens);
  const leastTokens = Math.min(contextTokens, minContextTokens);
  const cacheTokens = Math.max(contextTokens, Math.min(contextTokens * contextsInCache, maxCacheTokens));
  const roomy: EngineOptions = { plan, kvTokens: cacheTokens, minKvTokens: contextTokens };
  const short: EngineOptions = { plan, kvTokens: contextTokens, minKvTokens: leastTokens, kvType: 'auto' };

  const first = await native.planMemory(roomy);
  const memoryBytes = first.freeBytes > 0 ? Math.max(1, first.freeBytes - embedderBytes) : undefined;
  const wishes = [
    { ...roomy, memoryBytes },
    { ...short, memoryBytes },
  ];
  for (const options of wishes) if ((await native.planMemory(options)).fits) return { contextTokens, options };
  if (first.device === 'cuda') {
    const options: EngineOptions = { ...roomy, minKvTokens: leastTokens, device: 'cpu' };
    if ((await native.planMemory(options)).fits) return { contextTokens, options };
  }
  return { contextTokens, options: { ...short, memoryBytes } };
}
