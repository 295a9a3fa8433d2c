/**
 * What the decoders with rotary positions have in common: the sizes that their configs name, and the building blocks of
 * a layer. An architecture's file puts the blocks together, so that what is its own can be seen there.
 */
import { type Activation, type GraphBuilder, pairsApart, rowsOf, type View, type Weight } from '../graph/graph.ts';
import type { CheckpointFacts, GgufNames, Model } from './architecture.ts';
import type { ConfigReader } from './config-reader.ts';
import { type RopeOptions, readRope } from './rope.ts';

export type DecoderConfig = {
  readonly numLayers: number;
  readonly hiddenSize: number;
  readonly numHeads: number;
  readonly numKvHeads: number;
  readonly headSize: number;
  readonly feedForwardSize: number;
  readonly vocabularySize: number;
  readonly contextTokens: number;
  readonly normEpsilon: number;
  /** [rotarySize / 2] what a position is multiplied by to give each pair's angle. */
  readonly inverseFrequencies: Float32Array;
  /** How many leading columns of a head turn; absent = all. */
  readonly rotarySize?: number;
  /** What turned queries and keys are multiplied by; absent = 1. */
  readonly ropeFactor?: number;
  /** Whether the checkpoint's q and k rows have a pair's two rows side by side (GGUF's `llama`, llama2.c). */
  readonly adjacentPairs: boolean;
  /** The head is the table, whatever else the checkpoint holds. */
  readonly tiedHead?: boolean;
};

/** The widest head that the kernels attend with. */
export const maxHeadSize = 256;
const maxLayers = 1024;
/** The widest rows that are believed: twenty times those of the largest published models. */
export const maxWidth = 2 ** 20;

/** The sizes of a config.json of this family. Fails with a `ModelError` that names the key. */
export function readDecoder(
  config: ConfigReader,
  facts: CheckpointFacts,
  defaults: { normEpsilon?: number; tiedHead?: boolean; headSize?: number; rope?: RopeOptions } = {},
): DecoderConfig {
  for (const key of ['num_local_experts', 'num_experts', 'n_routed_experts']) {
    if (config.has(key) && config.whole(key) > 0) config.unsupported('a mixture of experts');
  }
  const hiddenSize = config.size('hidden_size');
  const numHeads = config.size('num_attention_heads');
  const numKvHeads = config.size('num_key_value_heads', numHeads);
  const numLayers = config.size('num_hidden_layers');
  const feedForwardSize = config.size('intermediate_size');
  if (!config.has('head_dim') && defaults.headSize === undefined && hiddenSize % numHeads !== 0) {
    config.damaged(`hidden_size ${hiddenSize} is no multiple of ${numHeads} heads`);
  }
  const headSize = config.size('head_dim', defaults.headSize ?? hiddenSize / numHeads);
  if (headSize > maxHeadSize) config.unsupported(`heads of ${headSize} columns`);
  if (headSize % 2 !== 0) config.damaged(`a head of ${headSize} columns cannot turn`);
  if (numHeads % numKvHeads !== 0) config.damaged(`${numHeads} heads cannot share ${numKvHeads} of keys and values`);
  if (numLayers > maxLayers || Math.max(hiddenSize, feedForwardSize, numHeads * headSize) > maxWidth) {
    config.unsupported(`${numLayers} layers of ${hiddenSize} and ${feedForwardSize} with ${numHeads} heads`);
  }
  const rope = readRope(config, headSize, facts, defaults.rope);
  return {
    numLayers,
    hiddenSize,
    numHeads,
    numKvHeads,
    headSize,
    feedForwardSize,
    vocabularySize: config.size('vocab_size'),
    contextTokens: config.size('max_position_embeddings'),
    normEpsilon: config.real('rms_norm_eps', defaults.normEpsilon ?? 1e-6),
    inverseFrequencies: rope.inverseFrequencies,
    rotarySize: rope.rotarySize,
    ropeFactor: rope.factor,
    adjacentPairs: facts.adjacentPairs,
    tiedHead: config.flag('tie_word_embeddings', defaults.tiedHead ?? false),
  };
}

/** The activation that a config names, if it is one of those that the architecture was published with. */
export function readActivation(
  config: ConfigReader,
  key: string,
  known: Readonly<Record<string, Activation>>,
  otherwise: string,
): Activation {
  const named = config.text(key, otherwise);
  return Object.hasOwn(known, named) ? known[named]! : config.unsupported(`the activation ${named}`);
}

/**
 * Each layer's window, 0 = it sees all: from `layer_types` where the config has them, else from `isSliding`. `window` is
 * that of the sliding layers; null where the config has none.
 */
export function readWindows(
  config: ConfigReader,
  numLayers: number,
  window: number | null,
  isSliding: (layer: number) => boolean,
): number[] {
  const types = config.texts('layer_types');
  if (types !== null && types.length !== numLayers) config.damaged(`layer_types has ${types.length} for ${numLayers}`);
  return Array.from({ length: numLayers }, (_, layer) => {
    const type = types?.[layer];
    if (type !== undefined && type !== 'full_attention' && type !== 'sliding_attention') {
      config.unsupported(`layers of the type ${type}`);
    }
    const slides = type === undefined ? window !== null && isSliding(layer) : type === 'sliding_attention';
    return slides ? (window ?? config.damaged('a layer slides, but no window is given')) : 0;
  });
}

type ModelSizes = Pick<DecoderConfig, 'numLayers' | 'numHeads' | 'headSize' | 'vocabularySize' | 'contextTokens'> & {
  readonly numKvHeads?: number;
};

/** What a plan's header says of such a model. */
export function decoderModel(architecture: string, config: ModelSizes, build: Model['build']): Model {
  return {
    architecture,
    role: 'chat',
    vocabularySize: config.vocabularySize,
    contextTokens: config.contextTokens,
    embeddingSize: 0,
    kv: { numLayers: config.numLayers, numHeads: config.numKvHeads ?? config.numHeads, headSize: config.headSize },
    build,
  };
}

/** The head: the checkpoint's own, or the table where it is shared or there is none. */
export function headOf(g: GraphBuilder, table: Weight, tied: boolean, name = 'lm_head.weight'): Weight {
  const own = tied ? null : g.optional(name, rowsOf(table), table.columns, 'head');
  return own ?? { ...table, use: 'head' };
}

type AttendOptions = {
  layer: number;
  /** A token sees itself and the `window - 1` before it; 0 = all. */
  window: number;
  /** What scores are multiplied by; absent = 1 / sqrt(headSize). */
  scale?: number;
  softCap?: number;
};

/** The blocks of a decoder's layers. `normPlus`: what the checkpoint's norm weights lack (Gemma's are 1 + weight). */
export function decoderBlocks(g: GraphBuilder, config: DecoderConfig, normPlus = 0) {
  const { hiddenSize, headSize, numHeads, numKvHeads, vocabularySize, normEpsilon } = config;
  const rotarySize = config.rotarySize ?? headSize;
  const ropeFactor = config.ropeFactor ?? 1;
  const frequencies = g.constant('rope.inverse_frequencies', config.inverseFrequencies);
  const taking = normPlus === 0 ? {} : { plus: normPlus };

  /** `biased`: the architecture has a bias here; without it one is taken where the checkpoint has it. */
  const project = (x: View, name: string, rows: number, biased = false, order?: Int32Array): View => {
    const turned = order === undefined ? {} : { order };
    const bias = biased
      ? g.vector(`${name}.bias`, rows, turned)
      : g.optional(`${name}.bias`, 1, rows, 'vector', turned);
    return g.linear(x, g.weight(`${name}.weight`, rows, x.width, 'linear', turned), bias);
  };
  const heads = (x: View, name: string, count: number, biased: boolean): View => {
    const rows = count * headSize;
    return project(x, name, rows, biased, config.adjacentPairs ? pairsApart(rows, headSize, rotarySize) : undefined);
  };

  return {
    project,
    table: (): Weight => g.weight('model.embed_tokens.weight', vocabularySize, hiddenSize, 'table'),
    norm: (x: View, name: string): View => g.rmsNorm(x, g.vector(`${name}.weight`, hiddenSize, taking), normEpsilon),
    /** Each head normed by itself (Qwen 3). */
    normHeads: (x: View, name: string): View =>
      g.rmsNormHeads(x, g.vector(`${name}.weight`, headSize), headSize, normEpsilon),
    queriesKeysValues(x: View, at: string, biased = false): { q: View; k: View; v: View } {
      return {
        q: heads(x, `${at}.q_proj`, numHeads, biased),
        k: heads(x, `${at}.k_proj`, numKvHeads, biased),
        v: project(x, `${at}.v_proj`, numKvHeads * headSize, biased),
      };
    },
    /** Turns queries and keys by their positions, stores keys and values, and attends. */
    attend({ q, k, v }: { q: View; k: View; v: View }, { layer, window, scale, softCap = 0 }: AttendOptions): View {
      const rope = { headSize, rotarySize, adjacentPairs: false, ...(ropeFactor === 1 ? {} : { factor: ropeFactor }) };
      const queries = g.rope(q, frequencies, rope);
      g.kvWrite(g.rope(k, frequencies, rope), v, layer);
      const attributes = { layer, numHeads, numKvHeads, headSize, scale: scale ?? 1 / Math.sqrt(headSize), window };
      return g.attention(queries, softCap === 0 ? attributes : { ...attributes, softCap });
    },
    /** down(act(gate(x)) · up(x)) (SwiGLU, GeGLU; arXiv 2002.05202) */
    gatedFeedForward(x: View, at: string, activation: Activation, biased = false): View {
      const gate = project(x, `${at}.gate_proj`, config.feedForwardSize, biased);
      const up = project(x, `${at}.up_proj`, config.feedForwardSize, biased);
      return project(g.multiply(g.activate(gate, activation), up), `${at}.down_proj`, hiddenSize, biased);
    },
    /** The logits of the rows that are asked for; the head is the table where there is none of its own. */
    logits: (x: View, table: Weight): View => g.linear(g.gatherOutputs(x), headOf(g, table, config.tiedHead === true)),
  };
}

/** What GGUF calls the parts that these architectures share. */
export const decoderGgufNames: Omit<GgufNames, 'architecture' | 'modelType'> = {
  adjacentPairs: false,
  config: {
    hidden_size: 'embedding_length',
    num_hidden_layers: 'block_count',
    num_attention_heads: 'attention.head_count',
    num_key_value_heads: 'attention.head_count_kv',
    head_dim: 'attention.key_length',
    intermediate_size: 'feed_forward_length',
    vocab_size: 'vocab_size',
    max_position_embeddings: 'context_length',
    rms_norm_eps: 'attention.layer_norm_rms_epsilon',
    rope_theta: 'rope.freq_base',
  },
  layers: 'model.layers',
  layerTensors: {
    attn_norm: 'input_layernorm',
    attn_q: 'self_attn.q_proj',
    attn_k: 'self_attn.k_proj',
    attn_v: 'self_attn.v_proj',
    attn_output: 'self_attn.o_proj',
    ffn_norm: 'post_attention_layernorm',
    ffn_gate: 'mlp.gate_proj',
    ffn_up: 'mlp.up_proj',
    ffn_down: 'mlp.down_proj',
  },
  tensors: {
    'token_embd.weight': 'model.embed_tokens.weight',
    'output_norm.weight': 'model.norm.weight',
    'output.weight': 'lm_head.weight',
  },
};
