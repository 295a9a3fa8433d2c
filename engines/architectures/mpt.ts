/**
 * MPT: ALiBi, no biases in most models (norms neither), queries, keys and values held between limits in some.
 * (MosaicML 2023, "Introducing MPT-7B")
 */
import { type Activation, createGraphBuilder, type Graph, type TensorShapes, type View } from '../graph/graph.ts';
import { refuseScales } from './activation.ts';
import { alibiSlopes } from './alibi.ts';
import type { Architecture, GgufNames } from './architecture.ts';
import { decoderModel, headOf } from './blocks.ts';
import type { ConfigReader } from './config-reader.ts';
import { headSizeOf } from './heads.ts';

export type MptConfig = {
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
  /** What a score is multiplied by. */
  readonly scale: number;
  /** Queries, keys and values stay between −limit and limit; null = as they are. */
  readonly limit: number | null;
  /** What the last head loses is 2^-biasMax per token of distance. */
  readonly biasMax: number;
};

/** Tensors by their Hugging Face names, without a leading `transformer.`; biases where the checkpoint has them. */
export function buildMpt(config: MptConfig, tensors: TensorShapes): Graph {
  const { hiddenSize, numHeads, numKvHeads, headSize, scale, vocabularySize } = config;
  const kvSize = numKvHeads * headSize;
  const g = createGraphBuilder('mpt', tensors);
  const norm = (x: View, at: string) => {
    const bias = g.optional(`${at}.bias`, 1, hiddenSize, 'vector');
    return g.layerNorm(x, g.vector(`${at}.weight`, hiddenSize), bias, config.normEpsilon);
  };
  const project = (x: View, at: string, rows: number, activation: Activation = 'none') =>
    g.linear(x, g.weight(`${at}.weight`, rows, x.width), g.optional(`${at}.bias`, 1, rows, 'vector'), activation);
  const slopes = g.constant('alibi.slopes', alibiSlopes(numHeads, config.biasMax));

  const table = g.weight('wte.weight', vocabularySize, hiddenSize, 'table');
  let x = g.embed(table);
  for (let layer = 0; layer < config.numLayers; layer++) {
    const at = `blocks.${layer}`;
    const fused = project(norm(x, `${at}.norm_1`), `${at}.attn.Wqkv`, hiddenSize + 2 * kvSize);
    const qkv = config.limit === null ? fused : g.clamp(fused, config.limit);
    g.kvWrite(g.columns(qkv, hiddenSize, kvSize), g.columns(qkv, hiddenSize + kvSize, kvSize), layer);
    const queries = g.columns(qkv, 0, hiddenSize);
    const seen = g.attention(queries, { layer, numHeads, numKvHeads, headSize, scale, window: 0 }, slopes);
    x = g.add(x, project(seen, `${at}.attn.out_proj`, hiddenSize));

    // GGUF's name is the second.
    for (const place of [at, `blk.${layer}`]) refuseScales(g, `${place}.ffn.act`);
    const inner = project(norm(x, `${at}.norm_2`), `${at}.ffn.up_proj`, config.feedForwardSize, 'gelu');
    x = g.add(x, project(inner, `${at}.ffn.down_proj`, hiddenSize));
  }
  const head = headOf(g, table, config.tiedHead);
  return g.finish(g.linear(g.gatherOutputs(norm(x, 'norm_f')), head));
}

const kindsOfAttention = ['multihead_attention', 'multiquery_attention', 'grouped_query_attention'];

function readConfig(config: ConfigReader): MptConfig {
  const hiddenSize = config.size('d_model');
  const numHeads = config.size('n_heads');
  const headSize = headSizeOf(config, hiddenSize, numHeads);
  // GGUF has no sections.
  const attention = config.section('attn_config') ?? config;
  const kind = attention.text('attn_type', 'multihead_attention');
  if (!kindsOfAttention.includes(kind)) config.unsupported(kind);
  const numKvHeads = attention.size('kv_n_heads', kind === 'multiquery_attention' ? 1 : numHeads);
  if (numHeads % numKvHeads !== 0) config.damaged(`${numHeads} heads cannot share ${numKvHeads} key heads`);
  if (!attention.flag('alibi', true)) config.unsupported('positions without ALiBi');
  if (attention.flag('qk_ln', false)) config.unsupported('norms of queries and keys');
  if (attention.flag('prefix_lm', false)) config.unsupported('a prefix that sees what follows it');
  if (config.has('logit_scale')) config.unsupported('scaled logits');
  const norm = config.text('norm_type', 'low_precision_layernorm');
  if (!['layernorm', 'low_precision_layernorm'].includes(norm)) config.unsupported(`the norm ${norm}`);
  const feed = config.section('ffn_config')?.text('ffn_type', 'mptmlp') ?? 'mptmlp';
  if (feed !== 'mptmlp') config.unsupported(`the feed forward ${feed}`);
  return {
    numLayers: config.size('n_layers'),
    hiddenSize,
    numHeads,
    numKvHeads,
    headSize,
    feedForwardSize: config.size('ffn_size', config.size('expansion_ratio', 4) * hiddenSize),
    vocabularySize: config.size('vocab_size'),
    contextTokens: config.size('max_seq_len'),
    normEpsilon: config.real('layer_norm_epsilon', 1e-5),
    tiedHead: config.flag('tie_word_embeddings', true),
    scale: attention.real('softmax_scale', 1 / Math.sqrt(headSize)),
    limit: attention.has('clip_qkv') ? attention.real('clip_qkv') : null,
    biasMax: attention.real('alibi_bias_max', 8),
  };
}

const ggufNames: GgufNames = {
  architecture: 'mpt',
  modelType: 'mpt',
  adjacentPairs: false,
  // A head that is not there is the table.
  constants: { tie_word_embeddings: false },
  config: {
    d_model: 'embedding_length',
    n_layers: 'block_count',
    n_heads: 'attention.head_count',
    kv_n_heads: 'attention.head_count_kv',
    ffn_size: 'feed_forward_length',
    max_seq_len: 'context_length',
    layer_norm_epsilon: 'attention.layer_norm_epsilon',
    clip_qkv: 'attention.clamp_kqv',
    alibi_bias_max: 'attention.max_alibi_bias',
  },
  layers: 'blocks',
  layerTensors: {
    attn_norm: 'norm_1',
    attn_qkv: 'attn.Wqkv',
    attn_output: 'attn.out_proj',
    ffn_norm: 'norm_2',
    ffn_up: 'ffn.up_proj',
    ffn_down: 'ffn.down_proj',
  },
  tensors: {
    'token_embd.weight': 'wte.weight',
    'output_norm.weight': 'norm_f.weight',
    'output_norm.bias': 'norm_f.bias',
    'output.weight': 'lm_head.weight',
  },
};

export const mpt: Architecture = {
  modelTypes: ['mpt'],
  gguf: [ggufNames],
  optionalPrefix: 'transformer.',
  readModel(config) {
    const read = readConfig(config);
    return decoderModel('mpt', read, (tensors) => buildMpt(read, tensors));
  },
};
