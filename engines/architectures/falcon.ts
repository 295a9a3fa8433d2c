/**
 * Falcon: attention and feed forward beside each other, from one norm (7B, 11B) or from two (40B, 180B), with one key head
 * for all queries or for groups of them; falcon-rw has ALiBi, biases and one block after the other. (arXiv 2311.16867)
 */
import { type Activation, createGraphBuilder, type Graph, type TensorShapes, type View } from '../graph/graph.ts';
import { activationOf, refuseScales } from './activation.ts';
import { alibiSlopes } from './alibi.ts';
import type { Architecture, CheckpointFacts, GgufNames } from './architecture.ts';
import { decoderModel, headOf } from './blocks.ts';
import type { ConfigReader } from './config-reader.ts';
import { eitherSize, headSizeOf, queriesKeysValues } from './heads.ts';
import { frequenciesOf } from './rope.ts';

export type FalconConfig = {
  readonly numLayers: number;
  readonly hiddenSize: number;
  readonly numHeads: number;
  readonly numKvHeads: number;
  readonly headSize: number;
  readonly feedForwardSize: number;
  readonly vocabularySize: number;
  readonly contextTokens: number;
  readonly normEpsilon: number;
  /** The head is the table, whatever else the checkpoint holds. */
  readonly tiedHead: boolean;
  readonly activation: Activation;
  readonly bias: boolean;
  /** Whether the feed forward reads what the attention reads, not what it made. */
  readonly parallel: boolean;
  /** [headSize / 2], or null with ALiBi. */
  readonly inverseFrequencies: Float32Array | null;
  /** The rows of the checkpoint's q + k + v, where they are not in order. */
  readonly fused: { readonly order?: Int32Array };
};

/** Tensors by their Hugging Face names, without a leading `transformer.`. */
export function buildFalcon(config: FalconConfig, tensors: TensorShapes): Graph {
  const { hiddenSize, numHeads, numKvHeads, headSize, feedForwardSize, vocabularySize } = config;
  const kvSize = numKvHeads * headSize;
  const g = createGraphBuilder('falcon', tensors);
  const norm = (x: View, at: string) =>
    g.layerNorm(x, g.vector(`${at}.weight`, hiddenSize), g.vector(`${at}.bias`, hiddenSize), config.normEpsilon);
  const project = (x: View, at: string, rows: number, activation: Activation = 'none', taking = {}) =>
    g.linear(
      x,
      g.weight(`${at}.weight`, rows, x.width, 'linear', taking),
      config.bias ? g.vector(`${at}.bias`, rows, taking) : null,
      activation,
    );
  const frequencies = config.inverseFrequencies && g.constant('rope.inverse_frequencies', config.inverseFrequencies);
  const turn = (x: View) =>
    frequencies === null ? x : g.rope(x, frequencies, { headSize, rotarySize: headSize, adjacentPairs: false });
  const slopes = frequencies === null ? g.constant('alibi.slopes', falconSlopes(numHeads, headSize)) : null;

  const table = g.weight('word_embeddings.weight', vocabularySize, hiddenSize, 'table');
  let x = g.embed(table);
  for (let layer = 0; layer < config.numLayers; layer++) {
    const at = `h.${layer}`;
    const twoNorms = config.parallel && g.has(`${at}.ln_attn.weight`);
    const normed = norm(x, twoNorms ? `${at}.ln_attn` : `${at}.input_layernorm`);
    const rows = hiddenSize + 2 * kvSize;
    const qkv = project(normed, `${at}.self_attention.query_key_value`, rows, 'none', config.fused);
    const queries = turn(g.columns(qkv, 0, hiddenSize));
    g.kvWrite(turn(g.columns(qkv, hiddenSize, kvSize)), g.columns(qkv, hiddenSize + kvSize, kvSize), layer);
    const scale = 1 / Math.sqrt(headSize);
    const seen = g.attention(queries, { layer, numHeads, numKvHeads, headSize, scale, window: 0 }, slopes);
    const attended = project(seen, `${at}.self_attention.dense`, hiddenSize);

    refuseScales(g, `${at}.mlp.act`);
    const feedForward = (fed: View) => {
      const inner = project(fed, `${at}.mlp.dense_h_to_4h`, feedForwardSize, config.activation);
      return project(inner, `${at}.mlp.dense_4h_to_h`, hiddenSize);
    };
    if (config.parallel) {
      // GGUF calls the second norm what it calls the only one elsewhere.
      const second = g.has(`${at}.ln_mlp.weight`) ? `${at}.ln_mlp` : `${at}.input_layernorm`;
      x = g.add(x, g.add(attended, feedForward(twoNorms ? norm(x, second) : normed)));
    } else {
      x = g.add(x, attended);
      x = g.add(x, feedForward(norm(x, `${at}.post_attention_layernorm`)));
    }
  }
  const head = headOf(g, table, config.tiedHead);
  return g.finish(g.linear(g.gatherOutputs(norm(x, 'ln_f')), head));
}

/**
 * Falcon scales the distance's loss as it scales the scores, and keeps the slopes in bfloat16. (Its reference also rounds
 * slope · position to bfloat16, which moves a loss by up to 1 / 512 of it; that rounding is not repeated here.)
 */
function falconSlopes(numHeads: number, headSize: number): Float32Array {
  return alibiSlopes(numHeads).map((slope) => roundToBfloat16(slope) / Math.sqrt(headSize));
}

function roundToBfloat16(number: number): number {
  const bits = new Uint32Array(Float32Array.of(number).buffer);
  bits[0] = (bits[0]! + 0x7fff + ((bits[0]! >>> 16) & 1)) & 0xffff0000;
  return new Float32Array(bits.buffer)[0]!;
}

function readConfig(config: ConfigReader, facts: CheckpointFacts): FalconConfig {
  if (config.flag('apply_residual_connection_post_layernorm', false)) config.unsupported('residuals behind the norm');
  const numNorms = config.size('num_ln_in_parallel_attn', 1);
  if (numNorms > 2) config.unsupported(`${numNorms} norms before one layer`);
  const hiddenSize = config.size('hidden_size');
  const numHeads = eitherSize(config, 'num_attention_heads', 'n_head');
  const headSize = headSizeOf(config, hiddenSize, numHeads);
  const grouped = config.flag('new_decoder_architecture', config.modelType === 'RefinedWeb');
  const multiQuery = config.flag('multi_query', true);
  const numKvHeads =
    !grouped && multiQuery ? 1 : config.size(config.has('n_head_kv') ? 'n_head_kv' : 'num_kv_heads', numHeads);
  if (numHeads % numKvHeads !== 0) config.damaged(`${numHeads} heads cannot share ${numKvHeads} key heads`);
  return {
    numLayers: eitherSize(config, 'num_hidden_layers', 'n_layer'),
    hiddenSize,
    numHeads,
    numKvHeads,
    headSize,
    feedForwardSize: config.size('ffn_hidden_size', 4 * hiddenSize),
    vocabularySize: config.size('vocab_size'),
    contextTokens: config.size('max_position_embeddings', 2048),
    normEpsilon: config.real('layer_norm_epsilon', 1e-5),
    tiedHead: config.flag('tie_word_embeddings', true),
    activation: activationOf(config, 'activation', 'gelu'),
    bias: config.flag('bias', false),
    parallel: grouped || config.flag('parallel_attn', true),
    inverseFrequencies: config.flag('alibi', false) ? null : frequenciesOf(config, headSize, facts),
    fused: facts.rowsInOrder ? {} : queriesKeysValues(numHeads, numKvHeads, headSize),
  };
}

const ggufNames: GgufNames = {
  architecture: 'falcon',
  modelType: 'falcon',
  adjacentPairs: false,
  // What differs from model to model shows in the number of key heads and in the norms that are there.
  constants: { new_decoder_architecture: true, tie_word_embeddings: false },
  config: {
    hidden_size: 'embedding_length',
    num_hidden_layers: 'block_count',
    num_attention_heads: 'attention.head_count',
    num_kv_heads: 'attention.head_count_kv',
    ffn_hidden_size: 'feed_forward_length',
    max_position_embeddings: 'context_length',
    layer_norm_epsilon: 'attention.layer_norm_epsilon',
    rope_theta: 'rope.freq_base',
  },
  layers: 'h',
  layerTensors: {
    attn_norm: 'input_layernorm',
    attn_norm_2: 'ln_attn',
    attn_qkv: 'self_attention.query_key_value',
    attn_output: 'self_attention.dense',
    ffn_up: 'mlp.dense_h_to_4h',
    ffn_down: 'mlp.dense_4h_to_h',
  },
  tensors: {
    'token_embd.weight': 'word_embeddings.weight',
    'output_norm.weight': 'ln_f.weight',
    'output_norm.bias': 'ln_f.bias',
    'output.weight': 'lm_head.weight',
  },
};

/** Before transformers knew Falcon, the 7B was published as `RefinedWebModel` and the 40B as `RefinedWeb`. */
export const falcon: Architecture = {
  modelTypes: ['falcon', 'RefinedWebModel', 'RefinedWeb'],
  gguf: [ggufNames],
  optionalPrefix: 'transformer.',
  readModel(config, facts) {
    const read = readConfig(config, facts);
    return decoderModel('falcon', read, (tensors) => buildFalcon(read, tensors));
  },
};
