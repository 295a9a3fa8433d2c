/**
 * The addon behind the typed door: loads `quoth.node` and speaks `Native` of index.ts on top of it. What the addon exports
 * stands in addon/bindings.h.
 */

import { createRequire } from 'node:module';
import type {
  AwqGemm,
  CheckpointType,
  DeviceReport,
  Engine,
  EngineInfo,
  EngineOptions,
  EngineStats,
  GenerateEvent,
  GenerateRequest,
  MemoryPlan,
  Native,
  NativeErrorCode,
  PackRequest,
  PieceRun,
  Quantizer,
  SavedIndex,
  VectorIndex,
  VectorIndexOptions,
  Workbench,
} from './index.ts';
import { NativeError, nativeErrorCodes } from './index.ts';

/** Something of C++'s that only the addon can look into. */
type Handle<Name extends string> = { readonly __handle: Name };
type EngineHandle = Handle<'engine'>;
type GenerationHandle = Handle<'generation'>;
type IndexHandle = Handle<'index'>;

type EngineExports = {
  describeDevice(): Promise<Omit<DeviceReport, 'vectorIndex' | 'vectorIndexReason'>>;
  planMemory(options: EngineOptions): Promise<MemoryPlan>;
  loadEngine(options: EngineOptions): Promise<{ handle: EngineHandle; info: EngineInfo }>;
  engineGenerate(engine: EngineHandle, request: GenerateRequest): GenerationHandle;
  generationNext(generation: GenerationHandle): Promise<GenerateEvent[]>;
  generationCancel(generation: GenerationHandle): Promise<void>;
  engineScore(engine: EngineHandle, ids: Int32Array): Promise<Float32Array>;
  engineLogits(engine: EngineHandle, ids: Int32Array): Promise<Float32Array>;
  engineEmbed(engine: EngineHandle, sequences: Int32Array[]): Promise<Float32Array>;
  engineRerank(engine: EngineHandle, sequences: Int32Array[], firstLengths: Int32Array): Promise<Float32Array>;
  engineStats(engine: EngineHandle): Promise<EngineStats>;
  engineClose(engine: EngineHandle): Promise<void>;
};

type RetrievalExports = {
  describeVectorIndex(): Pick<DeviceReport, 'vectorIndex' | 'vectorIndexReason'>;
  openVectorIndex(options: VectorIndexOptions): Promise<IndexHandle>;
  vectorIndexSize(index: IndexHandle): number;
  vectorIndexAdd(index: IndexHandle, ids: Float64Array, vectors: Float32Array): Promise<void>;
  vectorIndexRemove(index: IndexHandle, ids: Float64Array): Promise<void>;
  vectorIndexSearch(
    index: IndexHandle,
    query: Float32Array,
    limit: number,
    within?: Float64Array,
  ): Promise<{ ids: Float64Array; scores: Float32Array }>;
  vectorIndexIds(index: IndexHandle): Promise<Float64Array>;
  vectorIndexSave(index: IndexHandle, file: string): Promise<SavedIndex>;
  vectorIndexSerialize(index: IndexHandle): Promise<Uint8Array>;
  vectorIndexClose(index: IndexHandle): Promise<void>;
};

type BuildExports = {
  toFloat32(bytes: Uint8Array, from: CheckpointType, numRows: number, numColumns: number): Promise<Float32Array>;
  pack(request: PackRequest): Promise<Uint8Array>;
};

type WorkbenchHandle = Handle<'workbench'>;
/** A method of the workbench with its handle before the other arguments. */
type WithHandle<Method extends (...args: never[]) => unknown> = (
  handle: WorkbenchHandle,
  ...args: Parameters<Method>
) => ReturnType<Method>;

type QuantizeExports = {
  openWorkbench(): WorkbenchHandle;
  workbenchClose(handle: WorkbenchHandle): void;
  workbenchPut: WithHandle<Workbench['put']>;
  workbenchClear: WithHandle<Workbench['clear']>;
  workbenchRun(handle: WorkbenchHandle, run: PieceRun): ReturnType<Workbench['run']>;
  workbenchSearchScale: WithHandle<Workbench['searchScale']>;
  workbenchSearchClip: WithHandle<Workbench['searchClip']>;
  workbenchScale: WithHandle<Workbench['scale']>;
  workbenchQuantize: WithHandle<Workbench['quantize']>;
  packMeasured: Quantizer['packMeasured'];
  toAwqGemm(packed: Uint8Array, numRows: number, numColumns: number): Promise<AwqGemm>;
};

/** A part that was not compiled in has none of its functions. */
type Addon = Partial<EngineExports & RetrievalExports & BuildExports & QuantizeExports>;

function toNativeError(cause: unknown): NativeError {
  if (cause instanceof NativeError) return cause;
  const code = (cause as { code?: unknown } | null)?.code;
  const known = nativeErrorCodes.find((one) => one === code);
  const message = cause instanceof Error ? cause.message : String(cause);
  const error = new NativeError(known ?? ('internal' satisfies NativeErrorCode), message);
  error.cause = cause;
  return error;
}

async function answered<T>(ask: () => Promise<T> | T): Promise<T> {
  try {
    return await ask();
  } catch (cause) {
    throw toNativeError(cause);
  }
}

function openAddon(addonPath: string): Addon {
  try {
    return createRequire(import.meta.url)(addonPath) as Addon;
  } catch (cause) {
    const error = new NativeError('io', `The engine cannot be loaded from ${addonPath}: ${(cause as Error).message}`);
    error.cause = cause;
    throw error;
  }
}

/**
 * The addon at that path (`main/setup/addon.mjs` builds it and says where).
 *
 * Throws NativeError `io` when it is not there or was built for another system.
 */
export function loadNative(addonPath: string): Native {
  const addon = openAddon(addonPath);

  /** The function of that name; `unsupported` when its part was not compiled in. */
  function part<Name extends keyof Addon>(name: Name): NonNullable<Addon[Name]> {
    const found = addon[name];
    if (!found) throw new NativeError('unsupported', `This build of the engine has no ${name}.`);
    return found;
  }

  return {
    describe: () => answered(async () => ({ ...(await part('describeDevice')()), ...part('describeVectorIndex')() })),
    planMemory: (options) => answered(() => part('planMemory')(options)),
    loadEngine: (options) =>
      answered(async () => {
        const { handle, info } = await part('loadEngine')(options);
        return wrapEngine(addon as EngineExports, handle, info);
      }),
    openVectorIndex: (options) =>
      answered(async () => wrapIndex(addon as RetrievalExports, await part('openVectorIndex')(options))),
    builder: {
      toFloat32: (bytes, from, numRows, numColumns) =>
        answered(() => part('toFloat32')(bytes, from, numRows, numColumns)),
      pack: (request) => answered(() => part('pack')(request)),
    },
  };
}

/** The quantizer of the addon at that path, in this process. Throws as `loadNative` does. */
export function loadQuantizer(addonPath: string): Quantizer {
  const { builder } = loadNative(addonPath);
  const addon = openAddon(addonPath) as QuantizeExports;
  return {
    builder,
    openWorkbench() {
      const handle = addon.openWorkbench();
      return {
        put: (...args) => answered(() => addon.workbenchPut(handle, ...args)),
        clear: (...args) => answered(() => addon.workbenchClear(handle, ...args)),
        run: (run) => answered(() => addon.workbenchRun(handle, run)),
        searchScale: (...args) => answered(() => addon.workbenchSearchScale(handle, ...args)),
        searchClip: (...args) => answered(() => addon.workbenchSearchClip(handle, ...args)),
        scale: (...args) => answered(() => addon.workbenchScale(handle, ...args)),
        quantize: (...args) => answered(() => addon.workbenchQuantize(handle, ...args)),
        close: () => addon.workbenchClose(handle),
      };
    },
    packMeasured: (request) => answered(() => addon.packMeasured(request)),
    toAwqGemm: (...args) => answered(() => addon.toAwqGemm(...args)),
  };
}

function wrapEngine(addon: EngineExports, handle: EngineHandle, info: EngineInfo): Engine {
  return {
    info: Object.freeze(info),
    generate: (request) => ({ [Symbol.asyncIterator]: () => iterateGeneration(addon, handle, request) }),
    score: (ids) => answered(() => addon.engineScore(handle, ids)),
    logits: (ids) => answered(() => addon.engineLogits(handle, ids)),
    embed: (sequences) => answered(() => addon.engineEmbed(handle, sequences)),
    rerank: (sequences, firstLengths) => answered(() => addon.engineRerank(handle, sequences, firstLengths)),
    stats: () => answered(() => addon.engineStats(handle)),
    close: () => answered(() => addon.engineClose(handle)),
  };
}

/**
 * One generation, submitted by the first `next`. `return` does not wait for a `next` that is under way, as a generator
 * function's would: it cancels at once, ends that `next`, and settles when the kv pages are free.
 */
function iterateGeneration(
  addon: EngineExports,
  engine: EngineHandle,
  request: GenerateRequest,
): AsyncIterableIterator<GenerateEvent, undefined> {
  const end = { value: undefined, done: true } as const;
  let generation: GenerationHandle | undefined;
  let events: GenerateEvent[] = [];
  let isOver = false;
  let last: Promise<unknown> = Promise.resolve();

  async function pull(): Promise<IteratorResult<GenerateEvent, undefined>> {
    try {
      if (events.length === 0 && !isOver) {
        generation ??= addon.engineGenerate(engine, request);
        const pulled = await addon.generationNext(generation);
        if (!isOver) events = pulled;
      }
    } catch (cause) {
      if (isOver) return end;
      isOver = true;
      throw toNativeError(cause);
    }
    const value = events.shift();
    if (value) return { value, done: false };
    isOver = true;
    return end;
  }

  return {
    next() {
      const turn = last.then(pull);
      last = turn.catch(() => {});
      return turn;
    },
    async return() {
      isOver = true;
      events = [];
      if (generation) await answered(() => addon.generationCancel(generation as GenerationHandle));
      return end;
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

function wrapIndex(addon: RetrievalExports, handle: IndexHandle): VectorIndex {
  return {
    get size() {
      return addon.vectorIndexSize(handle);
    },
    add: (ids, vectors) => answered(() => addon.vectorIndexAdd(handle, ids, vectors)),
    remove: (ids) => answered(() => addon.vectorIndexRemove(handle, ids)),
    search: (query, limit, within) => answered(() => addon.vectorIndexSearch(handle, query, limit, within)),
    ids: () => answered(() => addon.vectorIndexIds(handle)),
    save: (file) => answered(() => addon.vectorIndexSave(handle, file)),
    serialize: () => answered(() => addon.vectorIndexSerialize(handle)),
    close: () => answered(() => addon.vectorIndexClose(handle)),
  };
}
