/**
 * A `Native` of a few lines, to test what carries it: the port, the process, the supervisor. It computes nothing; what it
 * does with a request is told by the first id of the prompt.
 */
import { setTimeout as pause } from 'node:timers/promises';
import {
  type Engine,
  type GenerateEvent,
  type GenerateRequest,
  type Native,
  NativeError,
  type VectorIndex,
} from '../../native/index.ts';

/** First ids of a prompt, and what comes of it. */
export const prompts = { counts: 0, staysSilent: 1, fails: 2, dies: 3 };

export type SmallNative = Native & { numRunning: number };

export function createSmallNative(): SmallNative {
  const native: SmallNative = {
    numRunning: 0,
    async describe() {
      return {
        device: 'cpu',
        deviceName: 'small',
        reason: 'a test',
        instructions: 'plain',
        numThreads: 1,
        vectorIndex: 'exact',
        vectorIndexReason: 'a test',
      };
    },
    async planMemory() {
      return {
        device: 'cpu',
        fits: true,
        sentence: 'a test',
        totalBytes: 2000,
        freeBytes: 1000,
        neededBytes: 30,
        weightBytes: 10,
        activationBytes: 10,
        kvBytes: 10,
        kvTokens: 64,
        kvType: 'f16' as const,
        wantedKvTokens: 64,
      };
    },
    async loadEngine({ plan }) {
      if (plan === 'broken.plan') throw new NativeError('invalid-plan', 'The plan file "broken.plan" is damaged.');
      return engine(native);
    },
    async openVectorIndex() {
      return vectorIndex();
    },
    builder: {
      toFloat32: async (bytes) => Float32Array.from(bytes),
      pack: async ({ bytes }) => bytes.slice().reverse(),
    },
  };
  return native;
}

function engine(native: SmallNative): Engine {
  return {
    info: {
      architecture: 'small',
      role: 'chat',
      device: 'cpu',
      numThreads: 1,
      vocabularySize: 10,
      memoryBytesPerSecond: 0,
      contextTokens: 10,
      kvTokens: 64,
      kvType: 'f16' as const,
      embeddingSize: 0,
      weightBytes: 0,
      kvBytes: 0,
      activationBytes: 0,
    },
    generate: (request) => generate(native, request),
    async score(ids) {
      return Float32Array.from(ids, (id, place) => (place === 0 ? Number.NaN : -id));
    },
    async logits(ids) {
      return new Float32Array(ids.length * 10);
    },
    async embed(sequences) {
      return Float32Array.from(sequences, (sequence) => sequence.length);
    },
    async rerank(sequences, firstLengths) {
      return Float32Array.from(sequences, (sequence, i) => sequence.length - firstLengths[i]!);
    },
    async stats() {
      return {
        numRunning: native.numRunning,
        numWaiting: 0,
        kvPagesTotal: 0,
        kvPagesFree: 0,
        kvPagesCached: 0,
        numSteps: 0,
        promptTokens: 0,
        cachedTokens: 0,
        outputTokens: 0,
        draftedTokens: 0,
        acceptedTokens: 0,
        numFinished: 0,
        ttftMs: { mean: 0, p50: 0, p95: 0 },
        tokenMs: { mean: 0, p50: 0, p95: 0 },
        latencyMs: { mean: 0, p50: 0, p95: 0 },
        busyMs: 0,
        decodeMs: 0,
        decodeTokens: 0,
        decodeBytes: 0,
      };
    },
    close: async () => undefined,
  };
}

/** As the addon's: `return` ends it at once, also while `next` waits. */
function generate(native: SmallNative, { ids, maxTokens }: GenerateRequest): AsyncIterable<GenerateEvent> {
  return {
    [Symbol.asyncIterator]() {
      const controller = new AbortController();
      let numTokens = -1;
      native.numRunning += 1;
      controller.signal.addEventListener('abort', () => {
        native.numRunning -= 1;
      });
      return {
        async next() {
          if (controller.signal.aborted) return { done: true, value: undefined };
          if (ids[0] === prompts.fails) throw new NativeError('out-of-memory', 'There is no room for this prompt.');
          if (ids[0] === prompts.dies) process.kill(process.pid, 'SIGKILL');
          numTokens += 1;
          if (numTokens === 0)
            return { done: false, value: { type: 'started', numPromptTokens: ids.length, numCachedTokens: 0 } };
          const forever = 2 ** 30;
          await pause(ids[0] === prompts.staysSilent ? forever : 1, undefined, { signal: controller.signal }).catch(
            () => undefined,
          );
          if (controller.signal.aborted || numTokens > maxTokens) return { done: true, value: undefined };
          return { done: false, value: { type: 'tokens', ids: Int32Array.of(numTokens) } };
        },
        async return() {
          controller.abort();
          return { done: true, value: undefined };
        },
      };
    },
  };
}

function vectorIndex(): VectorIndex {
  const held = new Set<number>();
  return {
    get size() {
      return held.size;
    },
    async add(ids) {
      for (const id of ids) held.add(id);
    },
    async remove(ids) {
      for (const id of ids) held.delete(id);
    },
    async search(_query, limit) {
      const ids = Float64Array.from([...held].slice(0, limit));
      return { ids, scores: new Float32Array(ids.length) };
    },
    ids: async () => Float64Array.from(held).sort(),
    serialize: async () => Uint8Array.from(held),
    save: async () => ({ numVectors: held.size, lastId: 0, sha256: '' }),
    close: async () => undefined,
  };
}

export const request = (first: number, maxTokens = 1_000_000): GenerateRequest => ({
  ids: Int32Array.of(first, 5, 6),
  maxTokens,
  stopIds: [],
  sampling: { temperature: 0, topK: 0, topP: 1, minP: 0, repetitionPenalty: 1, seed: 0 },
  priority: 0,
});
