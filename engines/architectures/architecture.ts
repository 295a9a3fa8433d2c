/** What a file of this folder is: the words that the checkpoint readers and the architectures share. */
import type { Graph, TensorShapes } from '../graph/graph.ts';
import type { ConfigReader } from './config-reader.ts';

/** A checkpoint's model: what the plan's header says of it, and its graph. */
export type Model = {
  readonly architecture: string;
  readonly role: 'chat' | 'embedder' | 'reranker';
  readonly vocabularySize: number;
  /** The longest sequence that the model was made for, in tokens. */
  readonly contextTokens: number;
  /** Embedders: the length of a vector; else 0. */
  readonly embeddingSize: number;
  /** The heads of keys and values that are kept per token; null where nothing is. */
  readonly kv: { readonly numLayers: number; readonly numHeads: number; readonly headSize: number } | null;
  /** The program over the checkpoint's tensors. Fails with a `ModelError` that names the tensor at fault. */
  build(tensors: TensorShapes): Graph;
};

/** What a checkpoint's files say beside its config. */
export type CheckpointFacts = {
  /** Whether the rows of q and k have a rotary pair's two rows side by side (GGUF's `llama`, llama2.c). */
  readonly adjacentPairs: boolean;
  /**
   * Whether every matrix is rows × columns and a fused q + k + v has all queries, then all keys, then all values (GGUF),
   * however the hub has them (GPT-2 turned, BLOOM, Falcon and GPT-NeoX head by head).
   */
  readonly rowsInOrder: boolean;
  /** What each rotary frequency is divided by (GGUF's `rope_freqs.weight`), or null. */
  readonly ropeDivisors: Float32Array | null;
  /** How an embedder makes one vector of its rows (the hub's `1_Pooling/config.json`), or null. */
  readonly pooling: 'mean' | 'first' | null;
  /** Embedders: the longest text in tokens that they were made for, where the table of positions is longer; or null. */
  readonly maxTokens: number | null;
  /** Whether norm weights that the hub keeps less 1 (Gemma's) are whole (GGUF). */
  readonly normsHoldOne: boolean;
  /** The context that the plan is wanted for, shorter than the model's own; null = that. */
  readonly contextTokens: number | null;
};

export const noFacts: CheckpointFacts = {
  adjacentPairs: false,
  rowsInOrder: false,
  ropeDivisors: null,
  pooling: null,
  maxTokens: null,
  normsHoldOne: false,
  contextTokens: null,
};

/** What an embedder wants before a question and before a passage ("query: "); '' = nothing. */
export type Prompts = { readonly query: string; readonly passage: string };

/** How GGUF calls what the hub's config.json and tensors say. */
export type GgufNames = {
  /** Its `general.architecture`, the prefix of its metadata's keys. */
  readonly architecture: string;
  /** The `model_type` of the hub. */
  readonly modelType: string;
  /** For each key of config.json the key of the metadata, without the prefix. */
  readonly config: Readonly<Record<string, string>>;
  /** Keys of config.json that GGUF does not write since they are the same for all. */
  readonly constants?: Readonly<Record<string, unknown>>;
  /** `blk.7.attn_q.bias` becomes `<layers>.7.<layerTensors.attn_q>.bias`. */
  readonly layers: string;
  readonly layerTensors: Readonly<Record<string, string>>;
  /** Whole names of the other tensors. */
  readonly tensors: Readonly<Record<string, string>>;
  readonly adjacentPairs: boolean;
  readonly normsHoldOne?: boolean;
  /** Keys of config.json that follow from others. */
  derive?(config: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>>;
};

/** One family of models. A new one is a file here and a line in `index.ts`. */
export type Architecture = {
  /** The `model_type`s of config.json that it reads. */
  readonly modelTypes: readonly string[];
  readonly gguf: readonly GgufNames[];
  /**
   * Where the hub's tensors of some checkpoints begin with a prefix that others leave out (`bert.`, `transformer.`):
   * it is dropped, so that the graph names tensors without it.
   */
  readonly optionalPrefix?: string;
  /** Reads the config, every number checked. Fails with a `ModelError` that names the key. */
  readModel(config: ConfigReader, facts: CheckpointFacts): Model;
};
