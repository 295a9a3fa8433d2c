/**
 * The typed door between TypeScript and C++.
 *
 * Promises and async iterables only. No JavaScript value is kept by C++, no callback crosses, and every method answers or
 * fails with a code in every state (idle, loading, generating, cancelled, closed). The JavaScript thread never waits for
 * the device; the engine's thread never runs JavaScript. The same interfaces are spoken by the addon in this process and
 * by `main/processes.ts` across a process border.
 */

/** Codes of everything that can be thrown here. The message is one sentence that names the file or tensor at fault. */
export const nativeErrorCodes = [
  'invalid-input', // an argument is out of its range
  'invalid-plan', // the plan file is damaged or not a plan
  'unsupported', // the plan asks for an operation or type that no device here offers
  'out-of-memory',
  'io', // a file cannot be opened, read or written
  'cancelled', // the caller left the loop
  'closed', // the engine or index was closed
  'engine-died', // the engine's process ended; what was opened in it must be opened again
  'internal',
] as const;
export type NativeErrorCode = (typeof nativeErrorCodes)[number];

export class NativeError extends Error {
  override readonly name = 'NativeError';
  readonly code: NativeErrorCode;

  constructor(code: NativeErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

export type DeviceName = 'cpu' | 'cuda';

/** What the machine offers and what will be used. */
export type DeviceReport = {
  device: DeviceName;
  /** For people: "AMD EPYC, AVX-512 VNNI". */
  deviceName: string;
  /** One sentence: why this device, e.g. why not the GPU. */
  reason: string;
  /** The widest vector instructions in use: "avx512-vnni", "avx-vnni", "avx2" or "plain". */
  instructions: string;
  numThreads: number;
  /** Of the device that will be used: in all, and free now. Absent where it cannot be told. */
  totalBytes?: number;
  freeBytes?: number;
  vectorIndex: 'faiss' | 'exact';
  vectorIndexReason: string;
};

/** Types of kv pages; `i8` and `f8` are bytes with a scale per token and head (kernels/tensor.h). */
export type KvType = 'f32' | 'f16' | 'i8' | 'f8';

export type EngineOptions = {
  /** Path of a plan file, see engines/plan/format.md. */
  plan: string;
  /** Which device; `undefined` = the best there is. */
  device?: DeviceName;
  /** 0 or absent = one per physical core. */
  numThreads?: number;
  /**
   * How many tokens the KV cache holds in all, over all sequences. Rounded up to whole kv pages of 64. Absent = two whole
   * contexts, if they fit into 2 GiB. A sequence is never longer than this.
   */
  kvTokens?: number;
  /**
   * Where memory is short, the KV cache is made smaller, but not smaller than this; where even that does not fit, the load
   * fails with `out-of-memory` and a sentence with the numbers. Absent = `kvTokens`, or 1024 where that is absent, too.
   */
  minKvTokens?: number;
  /** The most that the engine may take of the device's memory. Absent = what is free, but for 256 MiB. */
  memoryBytes?: number;
  /**
   * The most tokens of one step: prefill is cut into chunks of this, on a GPU smaller ones where it is slow, so that a step
   * ends within about 50 ms. On a processor a cancel does not wait for a step's end. From 1 to 16384.
   */
  stepTokens?: number;
  /**
   * How the KV cache keeps its numbers. `plan` (and absent): as the plan says. `auto`: the same, but `i8`, about half the
   * bytes, on a GPU where `kvTokens` do not fit otherwise.
   */
  kvType?: 'plan' | 'auto' | KvType;
  /**
   * Whether the engine finds out, while nobody asks for anything, which of its kernels' shapes is the fastest on this GPU. All
   * give the same bits. Absent = true; false: as they are built in, whatever an earlier run found out.
   */
  tune?: boolean;
  /** Where that is kept. Absent = beside the plan, `<plan>.tuning.json`. */
  tuningFile?: string;
};

/** What an engine with these options would take, and what there is for it. */
export type MemoryPlan = {
  device: DeviceName;
  fits: boolean;
  /** For people: what is needed for what and, where not all fits, what can be had. */
  sentence: string;
  /** Of the device; 0 = it cannot be told. */
  totalBytes: number;
  /** What may be taken now; 0 = it cannot be told. */
  freeBytes: number;
  /** The sum of the next four. */
  neededBytes: number;
  weightBytes: number;
  activationBytes: number;
  /** The kernels' scratch and recorded steps, on a GPU. Absent = 0. */
  workingBytes?: number;
  kvBytes: number;
  /** As many of the wanted ones as fit; when nothing fits, the least that was asked for. */
  kvTokens: number;
  wantedKvTokens: number;
  /** Absent where the model has no KV cache. */
  kvType?: KvType;
};

export type EngineInfo = {
  architecture: string;
  role: 'chat' | 'embedder' | 'reranker';
  device: DeviceName;
  numThreads: number;
  /** What the device’s memory could give at best, by the device’s own words; 0 = it does not say (processors do not). */
  memoryBytesPerSecond: number;
  vocabularySize: number;
  /** The longest sequence the model was made for, in tokens. */
  contextTokens: number;
  /** How many tokens the KV cache holds. */
  kvTokens: number;
  /** Absent where the model has no KV cache. */
  kvType?: KvType;
  /** Embedders: the length of a vector; others: 0. */
  embeddingSize: number;
  weightBytes: number;
  kvBytes: number;
  activationBytes: number;
};

export type Sampling = {
  /** 0 = greedy. */
  temperature: number;
  /** 0 = off. */
  topK: number;
  /** 1 = off. */
  topP: number;
  /** 0 = off. */
  minP: number;
  /** 1 = off; over the tokens of the prompt and the output so far. */
  repetitionPenalty: number;
  /** Subtracted from the logit of each id that the output holds. From -100 to 100; 0 and absent = off. */
  presencePenalty?: number;
  /** The same, for each time that the output holds it. */
  frequencyPenalty?: number;
  /** Pairs of an id and what is added to its logit, from -1000 (never) to 1000; at most 4096, each id once. */
  logitBias?: [id: number, bias: number][];
  /** A whole number from 0 to 2^53 - 1. The same seed gives the same tokens, whatever else is in the batch. */
  seed: number;
};

export const greedy: Sampling = { temperature: 0, topK: 0, topP: 1, minP: 0, repetitionPenalty: 1, seed: 0 };

export type GenerateRequest = {
  /** The prompt, `numTokens` ids of the vocabulary. */
  ids: Int32Array;
  /** The end of the context may come first; the reason is `length` then, too. */
  maxTokens: number;
  /** Ids that end the generation; they are not yielded. */
  stopIds: number[];
  sampling: Sampling;
  /** Asks for the log-probability of each id and of so many of the likeliest in its place: 0 to 20. Absent = of none. */
  logProbabilities?: number;
  /** Higher goes first when kv pages or step tokens are short. 0 = background, 10 = a person waits. */
  priority: number;
  /**
   * Whether tokens are drafted from the prompt and the output and verified several in a step. The ids are the same with and
   * without. `auto` (and absent) drafts where it is faster, as far as can be told; `always` wherever something fits.
   */
  speculation?: 'auto' | 'always' | 'off';
};

/** Natural logarithms of what the model gave, before bias, penalties and temperature: those that `score` gives, too. */
export type TokenLogProbabilities = {
  logProbability: number;
  /** Likeliest first. */
  top: { id: number; logProbability: number }[];
};

/**
 * `started` comes once the first prompt chunk is scheduled; `tokens` carries ids in order, at least one each; `finished`
 * comes exactly once and last.
 */
export type GenerateEvent =
  | { type: 'started'; numPromptTokens: number; numCachedTokens: number }
  | { type: 'tokens'; ids: Int32Array; logProbabilities?: TokenLogProbabilities[] }
  | {
      type: 'finished';
      reason: 'stop' | 'length';
      numOutputTokens: number;
      /** From submission to the first token, and over all tokens after it. */
      ttftMs: number;
      decodeMs: number;
    };

/** Of the last 256 generations that ended by themselves; zeros before the first. */
export type Spread = { mean: number; p50: number; p95: number };

/** How far the engine's tuning is, see `EngineOptions.tune`. */
export type TuningReport = {
  /**
   * `nothing`: this device has one way to do each thing. `off`: not asked for. `tuning`: goes on in idle time. `tuned`: all was
   * measured, now or earlier. `stopped`: its time was used up, or `reason`; what was not measured stays as it is built in.
   */
  state: 'nothing' | 'off' | 'tuning' | 'tuned' | 'stopped';
  /** Shapes of linears, times numbers of rows; how many of them were measured, found faster otherwise, known from the file. */
  numTasks: number;
  numMeasured: number;
  numChanged: number;
  numKnown: number;
  /** Of this process. */
  numTimings: number;
  spentMs: number;
  /** Of the time of all that was measured, the part that is saved. */
  gain: number;
  reason: string;
};

export type EngineStats = {
  numRunning: number;
  numWaiting: number;
  kvPagesTotal: number;
  kvPagesFree: number;
  /** Pages that hold a reusable prefix no running sequence owns. They are free when needed. */
  kvPagesCached: number;
  numSteps: number;
  promptTokens: number;
  cachedTokens: number;
  outputTokens: number;
  /** Tokens guessed from the prompt and the output, and how many of them were right. */
  draftedTokens: number;
  acceptedTokens: number;
  /** Generations that ended by themselves. */
  numFinished: number;
  /** From submission to the first token; between two tokens; from submission to the end. */
  ttftMs: Spread;
  tokenMs: Spread;
  latencyMs: Spread;
  /** Of all steps. */
  busyMs: number;
  /**
   * Of the steps that did nothing but generate: how long, how many tokens, and how many bytes of weights and KV they read.
   * `decodeBytes / decodeTokens` is what a token costs; `decodeBytes / decodeMs` beside the bandwidth of the memory says
   * how close to the limit it runs.
   */
  decodeMs: number;
  decodeTokens: number;
  decodeBytes: number;
  /** Absent where whoever answers knows nothing of it. */
  tuning?: TuningReport;
};

/** A loaded plan on a device. */
export interface Engine {
  readonly info: EngineInfo;
  /** Leaving the loop cancels; the sequence is dropped at the next step and its kv pages are free. */
  generate(request: GenerateRequest): AsyncIterable<GenerateEvent>;
  /**
   * For each id, the natural logarithm of its probability given those before it: `numTokens` values, the first is NaN.
   * Fails with `invalid-input` for more ids than the context holds.
   */
  score(ids: Int32Array): Promise<Float32Array>;
  /**
   * The logits of what follows each id, [ids.length, vocabularySize]: to compare a model with its reference. Fails with
   * `invalid-input` for more ids than the context holds, or for more than 2^26 logits.
   */
  logits(ids: Int32Array): Promise<Float32Array>;
  /** Embedders: one vector of unit length per sequence, in one block of shape [sequences.length, embeddingSize]. */
  embed(sequences: Int32Array[]): Promise<Float32Array>;
  /**
   * Rerankers: one number for each pair, higher for a better fit. A sequence is a whole pair; its first `firstLengths[i]`
   * ids are segment 0, the others segment 1.
   */
  rerank(sequences: Int32Array[], firstLengths: Int32Array): Promise<Float32Array>;
  stats(): Promise<EngineStats>;
  close(): Promise<void>;
}

/** Inner-product search over unit vectors. Ids are passage ids: integers from 1 to 2^53 - 1. */
export interface VectorIndex {
  readonly size: number;
  /** `vectors` is [ids.length, dimension]. An id that is there already is replaced. */
  add(ids: Float64Array, vectors: Float32Array): Promise<void>;
  remove(ids: Float64Array): Promise<void>;
  /**
   * The `limit` nearest to `query` ([dimension]), best first. Fewer when the index holds fewer. `within`: only ids in these
   * ranges are found, pairs of a first and a last id, ascending, none overlapping; absent = all.
   */
  search(
    query: Float32Array,
    limit: number,
    within?: Float64Array,
  ): Promise<{ ids: Float64Array; scores: Float32Array }>;
  /** All ids, ascending. */
  ids(): Promise<Float64Array>;
  /**
   * The whole index as bytes of our own framing (checksum inside); `openVectorIndex` reads them back. The same vectors give
   * the same bytes. The layout is in native/retrieval/vector_index.h.
   */
  serialize(): Promise<Uint8Array>;
  /** The same bytes into a file, which is on the disk when the promise is kept: 1,000,000 vectors are too many to pass around. */
  save(file: string): Promise<SavedIndex>;
  close(): Promise<void>;
}

/** `sha256`: the checksum inside the file, hexadecimal. `lastId`: 0 for an empty index. */
export type SavedIndex = { numVectors: number; lastId: number; sha256: string };

export type VectorIndexOptions = {
  dimension: number;
  /** A file that `save` wrote, and the checksum that it said. Another file fails with `invalid-input`, none with `io`. */
  saved?: { file: string; sha256: string };
  /** Bytes from `serialize`. Anything else, or a wrong checksum, fails with `invalid-input`, before FAISS sees it. */
  bytes?: Uint8Array;
  /** To compare the two; absent = FAISS where the build has it. Both read each other's bytes. */
  kind?: 'faiss' | 'exact';
};

/**
 * Types of tensors in checkpoints: the names of safetensors and of GGUF's blocks, in lower case; or, for a linear kept in
 * groups, "layout-bits-groupSize-scaleType", as "gptq-4-128-f16": its tensors one after the other (native/build/grouped.h).
 */
export type CheckpointType = string;

/** Types of tensors in a plan; their layouts are in engines/plan/format.md. */
export type PlanType = 'f32' | 'f16' | 'q8' | 'q4' | 'int4_g32' | 'int4_g128' | 'f8' | 'i32';

export type PackRequest = {
  /** The tensor's bytes as the checkpoint has them. */
  bytes: Uint8Array;
  from: CheckpointType;
  to: PlanType;
  numRows: number;
  numColumns: number;
  /**
   * Row i of the result is row `rowOrder[i]` of the checkpoint, whose tensor may have more. Absent = as they are.
   */
  rowOrder?: Int32Array;
  /** Weights in groups only, with `rowOrder`: the rows of the checkpoint's tensor, where they are not `numRows`. */
  checkpointRows?: number;
  /** Weights in groups only: column i of the result is column `columnOrder[i]` of the checkpoint. */
  columnOrder?: Int32Array;
  /** `q4` only, and needed there: the 16 levels that the builder chose, int8; they stand in the plan's tensor table. */
  codebook?: Int8Array;
};

/** The builder's heavy arithmetic: read a checkpoint's numbers, quantize, lay them out for the kernels. */
export interface Builder {
  /** The checkpoint's numbers as float32, [numRows, numColumns]. */
  toFloat32(bytes: Uint8Array, from: CheckpointType, numRows: number, numColumns: number): Promise<Float32Array>;
  /** The tensor in the plan's layout. */
  pack(request: PackRequest): Promise<Uint8Array>;
}

/** A piece of a model's program, run over every row of a calibration text. */
export type PieceRun = {
  /** JSON of `{ buffers, steps, output }`, as in a plan; the output has rows `outputs`. */
  program: string;
  /** What the steps' weights name, by place: matrices that were put, or the table `input`. */
  tensors: string[];
  /** The table whose rows `embed` reads, one after another. Absent: `embed` reads a matrix by `ids` ([T]). */
  input?: string;
  ids?: Int32Array;
  /** Rows of each sequence; T in all. */
  lengths: Int32Array;
  /** The table that takes the output, [T, outputWidth]. Absent: it is not kept. */
  output?: string;
  outputWidth: number;
  /** [T] the id that each row's output is scored on as logits; -1 = none. */
  targets?: Int32Array;
  /** Positions that a table of positions has. */
  contextTokens: number;
  kv?: { numLayers: number; numHeads: number; headSize: number };
  /** What the step reads first is gathered as a sample of that name. */
  taps: { step: number; sample: string }[];
  /** How many rows of a sample losses are measured on, evenly spread. */
  lossRows: number;
};

/**
 * Where the quantizer works on a piece of a model: matrices of float32 under names, tables of hidden states between the
 * pieces, samples of what linears read. Calls run one after another. Every loss and error is a square over a square: the
 * part of the energy of a linear's own output (or of the weight) that is lost.
 */
export interface Workbench {
  /** Keeps rows of a matrix of `rowsInAll` rows, from `firstRow` on. */
  put(
    name: string,
    matrix: Omit<PackRequest, 'to' | 'codebook'> & { firstRow: number; rowsInAll: number },
  ): Promise<void>;
  /** Forgets that matrix or table; without a name, all matrices and samples. */
  clear(name?: string): Promise<void>;
  /** `nats`: the sum of -ln of the probabilities of the targets. */
  run(run: PieceRun): Promise<{ nats: number; numScored: number }>;
  /** AWQ's scale of the columns of linears that read one sample; `ratio` null: none is better than rounding to nearest. */
  searchScale(
    sample: string,
    weights: string[],
    groupColumns: number,
  ): Promise<{ scale: Float32Array; ratio: number | null; loss: number; plainLoss: number }>;
  /** AWQ's clipping of each group of a weight; `quantize` clamps to it. */
  searchClip(
    sample: string,
    weight: string,
    groupColumns: number,
  ): Promise<{ loss: number; plainLoss: number; numClipped: number; numGroups: number }>;
  /** Multiplies rows or columns of a matrix, from `first` on, or all columns of a sample. */
  scale(what: 'rows' | 'columns' | 'sample', name: string, first: number, factors: Float32Array): Promise<void>;
  /** The matrix in the plan's layout and what it loses. `keep`: from now on it is what the packed one means. */
  quantize(
    matrix: string,
    request: { to: PlanType; sample?: string; keep: boolean },
  ): Promise<{ bytes: Uint8Array; weightError: number; outputError: number | null }>;
  /** At once; what runs fails with `cancelled`. */
  close(): void;
}

/** A matrix as AutoAWQ's "gemm" has it: int32 [K, N/8], int32 [K/128, N/8], f16 [K/128, N]. */
export type AwqGemm = { qweight: Uint8Array; qzeros: Uint8Array; scales: Uint8Array };

/**
 * The builder's arithmetic and the quantizer's, offered in the process that loads the addon alone: a model's matrices
 * would take longer to cross to another process than to be worked on.
 */
export interface Quantizer {
  readonly builder: Builder;
  openWorkbench(): Workbench;
  /** `pack`, the squares of what it loses, and those of the matrix. Not for `q4`, nor from weights in groups. */
  packMeasured(request: Omit<PackRequest, 'codebook'>): Promise<{ bytes: Uint8Array; lost: number; energy: number }>;
  /** A packed matrix of type `int4_g128` with whole zero points. */
  toAwqGemm(packed: Uint8Array, numRows: number, numColumns: number): Promise<AwqGemm>;
}

/** All that the engine's process offers. */
export interface Native {
  describe(): Promise<DeviceReport>;
  /** What `loadEngine` would take. Fails as it does, but that not fitting is an answer. */
  planMemory(options: EngineOptions): Promise<MemoryPlan>;
  loadEngine(options: EngineOptions): Promise<Engine>;
  openVectorIndex(options: VectorIndexOptions): Promise<VectorIndex>;
  readonly builder: Builder;
}
