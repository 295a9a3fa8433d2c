import type { Port } from '../../app/contract/port.ts';
import { serve } from '../../app/contract/server.ts';
import type { Engine, GenerateEvent, Native, NativeErrorCode, VectorIndex } from '../../native/index.ts';
import { NativeError, nativeErrorCodes } from '../../native/index.ts';
import { type Failed, nativeContract, type OrFailed } from './native-contract.ts';

/** An error as an answer. Errors of the addon are told by their code, whatever class they are of. */
function toFailed(thrown: unknown): Failed {
  const code = (thrown as { code?: unknown } | null)?.code;
  const known = nativeErrorCodes.find((one) => one === code) ?? ('internal' satisfies NativeErrorCode);
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return { failed: { code: known, message } };
}

async function orFailed<T>(work: () => Promise<T>): Promise<OrFailed<T>> {
  try {
    return { value: await work() };
  } catch (thrown) {
    return toFailed(thrown);
  }
}

/**
 * The events of a generation. An abort leaves the engine's loop at once, also between two events: the caller's stop must
 * not wait for the prompt to be read.
 */
async function* generateOrFailed(
  open: () => AsyncIterable<GenerateEvent>,
  signal: AbortSignal,
): AsyncGenerator<OrFailed<GenerateEvent>> {
  let iterator: AsyncIterator<GenerateEvent> | undefined;
  const leave = (): void => void iterator?.return?.().catch(() => undefined);
  try {
    iterator = open()[Symbol.asyncIterator]();
    signal.addEventListener('abort', leave, { once: true });
    for (let next = await iterator.next(); !next.done && !signal.aborted; next = await iterator.next())
      yield { value: next.value };
  } catch (thrown) {
    yield toFailed(thrown);
  } finally {
    signal.removeEventListener('abort', leave);
    leave();
  }
}

/** What is open in this process, by number. A number is never used twice. */
function createHandles<T>(what: string) {
  const open = new Map<number, T>();
  let nextHandle = 0;
  return {
    add(thing: T): number {
      open.set(nextHandle, thing);
      return nextHandle++;
    },
    get(handle: number): T {
      const thing = open.get(handle);
      if (thing === undefined) throw new NativeError('closed', `The ${what} was closed.`);
      return thing;
    },
    remove(handle: number): T | undefined {
      const thing = open.get(handle);
      open.delete(handle);
      return thing;
    },
  };
}

/**
 * Answers `nativeContract` on a port. `load` is called once, at the first request; when it fails, every request is
 * answered with its error.
 */
export function serveNative(load: () => Promise<Native>, port: Port): void {
  let loading: Promise<Native> | undefined;
  const native = (): Promise<Native> => {
    loading ??= load();
    return loading;
  };
  const engines = createHandles<Engine>('engine');
  const indexes = createHandles<VectorIndex>('vector index');

  serve(
    nativeContract,
    {
      describe: () => orFailed(async () => (await native()).describe()),
      planMemory: ({ options }) => orFailed(async () => (await native()).planMemory(options)),
      loadEngine: ({ options }) =>
        orFailed(async () => {
          const engine = await (await native()).loadEngine(options);
          return { engine: engines.add(engine), info: { ...engine.info } };
        }),
      generate: ({ engine, request }, signal) => generateOrFailed(() => engines.get(engine).generate(request), signal),
      score: ({ engine, ids }) => orFailed(async () => engines.get(engine).score(ids)),
      logits: ({ engine, ids }) => orFailed(async () => engines.get(engine).logits(ids)),
      embed: ({ engine, sequences }) => orFailed(async () => engines.get(engine).embed(sequences)),
      rerank: ({ engine, sequences, firstLengths }) =>
        orFailed(async () => engines.get(engine).rerank(sequences, firstLengths)),
      stats: ({ engine }) => orFailed(async () => engines.get(engine).stats()),
      closeEngine: ({ engine }) =>
        orFailed(async () => {
          await engines.remove(engine)?.close();
          return {};
        }),
      openVectorIndex: ({ options }) =>
        orFailed(async () => {
          const index = await (await native()).openVectorIndex(options);
          return { index: indexes.add(index), size: index.size };
        }),
      addVectors: ({ index, ids, vectors }) =>
        orFailed(async () => {
          await indexes.get(index).add(ids, vectors);
          return { size: indexes.get(index).size };
        }),
      removeVectors: ({ index, ids }) =>
        orFailed(async () => {
          await indexes.get(index).remove(ids);
          return { size: indexes.get(index).size };
        }),
      searchVectors: ({ index, query, limit, within }) =>
        orFailed(async () => indexes.get(index).search(query, limit, within)),
      listIndex: ({ index }) => orFailed(async () => indexes.get(index).ids()),
      saveIndex: ({ index, file }) => orFailed(async () => indexes.get(index).save(file)),
      serializeIndex: ({ index }) => orFailed(async () => indexes.get(index).serialize()),
      closeIndex: ({ index }) =>
        orFailed(async () => {
          await indexes.remove(index)?.close();
          return {};
        }),
      toFloat32: ({ bytes, from, numRows, numColumns }) =>
        orFailed(async () => (await native()).builder.toFloat32(bytes, from, numRows, numColumns)),
      pack: ({ request }) => orFailed(async () => (await native()).builder.pack(request)),
    },
    port,
  );
}
