/**
 * GPT-NeoX and Pythia: q, k and v of a head side by side in one matrix, the first columns of a head turn, attention and
 * feed forward beside each other (each with its norm) or one after the other. (arXiv 2204.06745, 2304.01373)
 */
import { type Activation, createGraphBuilder, type Graph, type TensorShapes, type View } from '../graph/graph.ts';
import { activationOf, refuseScales } from './activation.ts';
import type { Architecture, CheckpointFacts, GgufNames } from './architecture.ts';
import { decoderModel, headOf } from './blocks.ts';
import type { ConfigReader } from './config-reader.ts';
import { headSizeOf, queriesKeysValues } from './heads.ts';
import { frequenciesOf } from './rope.ts';

export type GptNeoxConfig = {
  readonly numLayers: number;
  readonly hiddenSize: number;
  readonly numHeads: number;
  readonly headSize: number;
  readonly feedForwardSize: number;
  readonly vocabularySize: number;
  readonly contextTokens: number;
  readonly normEpsilon: number;
  /** The head is the table, whatever else the checkpoint holds. */
  readonly tiedHead: boolean;
  readonly activation: Activation;
  /** Whether the feed forward reads what the attention reads, not what it made. */
  readonly parallel: boolean;
  readonly attentionBias: boolean;
  /** [rotarySize / 2] */
  readonly inverseFrequencies: Float32Array;
  /** The rows of the checkpoint's q + k + v, where they are not in order. */
  readonly fused: { readonly order?: Int32Array };
};

/** Tensors by their Hugging Face names, without a leading `gpt_neox.`. */
export function buildGptNeox(config: GptNeoxConfig, tensors: TensorShapes): Graph {
  const { hiddenSize, numHeads, headSize, feedForwardSize, vocabularySize } = config;
  const g = createGraphBuilder('gptneox', tensors);
  const frequencies = g.constant('rope.inverse_frequencies', config.inverseFrequencies);
  const rope = { headSize, rotarySize: 2 * config.inverseFrequencies.length, adjacentPairs: false };
  const norm = (x: View, at: string) =>
    g.layerNorm(x, g.vector(`${at}.weight`, hiddenSize), g.vector(`${at}.bias`, hiddenSize), config.normEpsilon);
  const attend = (x: View, at: string, rows: number, taking = {}) =>
    g.linear(
      x,
      g.weight(`${at}.weight`, rows, hiddenSize, 'linear', taking),
      config.attentionBias ? g.vector(`${at}.bias`, rows, taking) : null,
    );
  const feed = (x: View, at: string, rows: number, activation: Activation = 'none') =>
    g.linear(x, g.weight(`${at}.weight`, rows, x.width), g.vector(`${at}.bias`, rows), activation);

  const table = g.weight('embed_in.weight', vocabularySize, hiddenSize, 'table');
  let x = g.embed(table);
  for (let layer = 0; layer < config.numLayers; layer++) {
    const at = `layers.${layer}`;
    const normed = norm(x, `${at}.input_layernorm`);
    const qkv = attend(normed, `${at}.attention.query_key_value`, 3 * hiddenSize, config.fused);
    const queries = g.rope(g.columns(qkv, 0, hiddenSize), frequencies, rope);
    const keys = g.rope(g.columns(qkv, hiddenSize, hiddenSize), frequencies, rope);
    g.kvWrite(keys, g.columns(qkv, 2 * hiddenSize, hiddenSize), layer);
    const scale = 1 / Math.sqrt(headSize);
    const seen = g.attention(queries, { layer, numHeads, numKvHeads: numHeads, headSize, scale, window: 0 });
    const attended = attend(seen, `${at}.attention.dense`, hiddenSize);

    refuseScales(g, `${at}.mlp.act`);
    const feedForward = (from: View) => {
      const fed = norm(from, `${at}.post_attention_layernorm`);
      const inner = feed(fed, `${at}.mlp.dense_h_to_4h`, feedForwardSize, config.activation);
      return feed(inner, `${at}.mlp.dense_4h_to_h`, hiddenSize);
    };
    if (config.parallel) {
      x = g.add(x, g.add(attended, feedForward(x)));
    } else {
      x = g.add(x, attended);
      x = g.add(x, feedForward(x));
    }
  }
  // Published checkpoints call the head `embed_out`, transformers' class `lm_head`.
  const head = headOf(g, table, config.tiedHead, g.has('embed_out.weight') ? 'embed_out.weight' : 'lm_head.weight');
  return g.finish(g.linear(g.gatherOutputs(norm(x, 'final_layer_norm')), head));
}

function readConfig(config: ConfigReader, facts: CheckpointFacts): GptNeoxConfig {
  const hiddenSize = config.size('hidden_size');
  const numHeads = config.size('num_attention_heads');
  const headSize = headSizeOf(config, hiddenSize, numHeads);
  const share =
    config.section('rope_parameters')?.real('partial_rotary_factor', 0.25) ?? config.real('rotary_pct', 0.25);
  // GGUF has the number of columns, the hub their share.
  const rotarySize = config.has('rotary_ndims') ? config.size('rotary_ndims') : Math.floor(headSize * share);
  if (rotarySize > headSize || rotarySize < 2 || rotarySize % 2 !== 0)
    config.damaged(`${rotarySize} of a head's ${headSize} columns turn`);
  return {
    numLayers: config.size('num_hidden_layers'),
    hiddenSize,
    numHeads,
    headSize,
    feedForwardSize: config.size('intermediate_size'),
    vocabularySize: config.size('vocab_size'),
    contextTokens: config.size('max_position_embeddings'),
    normEpsilon: config.real('layer_norm_eps', 1e-5),
    tiedHead: config.flag('tie_word_embeddings', false),
    activation: activationOf(config, 'hidden_act', 'gelu'),
    parallel: config.flag('use_parallel_residual', true),
    attentionBias: config.flag('attention_bias', true),
    inverseFrequencies: frequenciesOf(config, rotarySize, facts, config.real('rotary_emb_base', 10_000)),
    fused: facts.rowsInOrder ? {} : queriesKeysValues(numHeads, numHeads, headSize),
  };
}

const ggufNames: GgufNames = {
  architecture: 'gptneox',
  modelType: 'gpt_neox',
  adjacentPairs: false,
  config: {
    hidden_size: 'embedding_length',
    num_hidden_layers: 'block_count',
    num_attention_heads: 'attention.head_count',
    intermediate_size: 'feed_forward_length',
    max_position_embeddings: 'context_length',
    layer_norm_eps: 'attention.layer_norm_epsilon',
    use_parallel_residual: 'use_parallel_residual',
    rotary_ndims: 'rope.dimension_count',
    rotary_emb_base: 'rope.freq_base',
  },
  layers: 'layers',
  layerTensors: {
    attn_norm: 'input_layernorm',
    attn_qkv: 'attention.query_key_value',
    attn_output: 'attention.dense',
    ffn_norm: 'post_attention_layernorm',
    ffn_up: 'mlp.dense_h_to_4h',
    ffn_down: 'mlp.dense_4h_to_h',
  },
  tensors: {
    'token_embd.weight': 'embed_in.weight',
    'output_norm.weight': 'final_layer_norm.weight',
    'output_norm.bias': 'final_layer_norm.bias',
    'output.weight': 'lm_head.weight',
  },
};

export const gptNeox: Architecture = {
  modelTypes: ['gpt_neox'],
  gguf: [ggufNames],
  optionalPrefix: 'gpt_neox.',
  readModel(config, facts) {
    const read = readConfig(config, facts);
    return decoderModel('gptneox', read, (tensors) => buildGptNeox(read, tensors));
  },
};
