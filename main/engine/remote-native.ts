/** `Native` in another process: the same interfaces, spoken over a port. */
import { createClient } from '../../app/contract/client.ts';
import { QuothError } from '../../app/contract/errors.ts';
import type { Port } from '../../app/contract/port.ts';
import type { Client } from '../../app/contract/procedure.ts';
import type {
  Builder,
  Engine,
  EngineInfo,
  EngineOptions,
  GenerateEvent,
  GenerateRequest,
  Native,
  VectorIndex,
  VectorIndexOptions,
} from '../../native/index.ts';
import { NativeError } from '../../native/index.ts';
import { type NativeContract, nativeContract, type OrFailed } from './native-contract.ts';

type Remote = Client<NativeContract>;

function unwrap<T>(answer: OrFailed<T>): T {
  if ('failed' in answer) throw new NativeError(answer.failed.code, answer.failed.message);
  return answer.value;
}

/** An error of the connection, in the engine's codes: an end of the port is an end of the engine's process. */
function toNativeError(thrown: unknown): NativeError {
  if (thrown instanceof NativeError) return thrown;
  if (thrown instanceof QuothError && thrown.code === 'closed')
    return new NativeError('engine-died', 'The engine ended while it worked. It is being started again; please retry.');
  return new NativeError('internal', thrown instanceof Error ? thrown.message : String(thrown));
}

async function ask<T>(answer: Promise<OrFailed<T>>): Promise<T> {
  try {
    return unwrap(await answer);
  } catch (thrown) {
    throw toNativeError(thrown);
  }
}

/** The events of a generation. `return` cancels at once, also while `next` waits (which then ends). */
function generate(remote: Remote, engine: number, request: GenerateRequest): AsyncIterable<GenerateEvent> {
  return {
    [Symbol.asyncIterator]() {
      const items = remote.generate({ engine, request })[Symbol.asyncIterator]();
      return {
        async next(): Promise<IteratorResult<GenerateEvent>> {
          try {
            const next = await items.next();
            return next.done ? { done: true, value: undefined } : { done: false, value: unwrap(next.value) };
          } catch (thrown) {
            void items.return?.();
            throw toNativeError(thrown);
          }
        },
        async return(): Promise<IteratorResult<GenerateEvent>> {
          await items.return?.();
          return { done: true, value: undefined };
        },
      };
    },
  };
}

function remoteEngine(remote: Remote, engine: number, info: EngineInfo): Engine {
  return {
    info,
    generate: (request) => generate(remote, engine, request),
    score: (ids) => ask(remote.score({ engine, ids })),
    logits: (ids) => ask(remote.logits({ engine, ids })),
    embed: (sequences) => ask(remote.embed({ engine, sequences })),
    rerank: (sequences, firstLengths) => ask(remote.rerank({ engine, sequences, firstLengths })),
    stats: () => ask(remote.stats({ engine })),
    close: async () => void (await ask(remote.closeEngine({ engine }))),
  };
}

function remoteVectorIndex(remote: Remote, index: number, initialSize: number): VectorIndex {
  let size = initialSize;
  return {
    get size() {
      return size;
    },
    async add(ids, vectors) {
      size = (await ask(remote.addVectors({ index, ids, vectors }))).size;
    },
    async remove(ids) {
      size = (await ask(remote.removeVectors({ index, ids }))).size;
    },
    search: (query, limit, within) => ask(remote.searchVectors({ index, query, limit, ...(within ? { within } : {}) })),
    ids: () => ask(remote.listIndex({ index })),
    save: (file) => ask(remote.saveIndex({ index, file })),
    serialize: () => ask(remote.serializeIndex({ index })),
    close: async () => void (await ask(remote.closeIndex({ index }))),
  };
}

/** What a port whose other end runs `serveNative` offers. When the port closes, everything fails with `engine-died`. */
export function createRemoteNative(port: Port): Native {
  const remote = createClient(nativeContract, port);
  return {
    describe: () => ask(remote.describe({})),
    planMemory: (options) => ask(remote.planMemory({ options })),
    async loadEngine(options: EngineOptions) {
      const { engine, info } = await ask(remote.loadEngine({ options }));
      return remoteEngine(remote, engine, info);
    },
    async openVectorIndex(options: VectorIndexOptions) {
      const { index, size } = await ask(remote.openVectorIndex({ options }));
      return remoteVectorIndex(remote, index, size);
    },
    builder: {
      toFloat32: (bytes, from, numRows, numColumns) => ask(remote.toFloat32({ bytes, from, numRows, numColumns })),
      pack: (request) => ask(remote.pack({ request })),
    } satisfies Builder,
  };
}
