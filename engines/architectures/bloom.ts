/**
 * BLOOM: ALiBi, a norm of the embeddings, q, k and v of a head side by side in one matrix, biases throughout.
 * (arXiv 2211.05100)
 */
import { type Activation, createGraphBuilder, type Graph, type TensorShapes, type View } from '../graph/graph.ts';
import { refuseScales } from './activation.ts';
import { alibiSlopes } from './alibi.ts';
import type { Architecture, CheckpointFacts, GgufNames } from './architecture.ts';
import { decoderModel, headOf } from './blocks.ts';
import type { ConfigReader } from './config-reader.ts';
import { eitherSize, headSizeOf, queriesKeysValues } from './heads.ts';

export type BloomConfig = {
  readonly numLayers: number;
  readonly hiddenSize: number;
  readonly numHeads: number;
  readonly headSize: number;
  readonly vocabularySize: number;
  readonly contextTokens: number;
  readonly normEpsilon: number;
  /** The head is the table, whatever else the checkpoint holds. */
  readonly tiedHead: boolean;
  /** Whether a block's result is added to the normed rows that it read, not to those before the norm. */
  readonly residualBehindNorm: boolean;
  /** The rows of the checkpoint's q + k + v, where they are not in order. */
  readonly fused: { readonly order?: Int32Array };
};

/** Tensors by their Hugging Face names, without a leading `transformer.`. */
export function buildBloom(config: BloomConfig, tensors: TensorShapes): Graph {
  const { hiddenSize, numHeads, headSize, vocabularySize } = config;
  const g = createGraphBuilder('bloom', tensors);
  const norm = (x: View, at: string) =>
    g.layerNorm(x, g.vector(`${at}.weight`, hiddenSize), g.vector(`${at}.bias`, hiddenSize), config.normEpsilon);
  const project = (x: View, at: string, rows: number, activation: Activation = 'none', taking = {}) =>
    g.linear(
      x,
      g.weight(`${at}.weight`, rows, x.width, 'linear', taking),
      g.vector(`${at}.bias`, rows, taking),
      activation,
    );
  const slopes = g.constant('alibi.slopes', alibiSlopes(numHeads));

  const table = g.weight('word_embeddings.weight', vocabularySize, hiddenSize, 'table');
  let x = norm(g.embed(table), 'word_embeddings_layernorm');
  for (let layer = 0; layer < config.numLayers; layer++) {
    const at = `h.${layer}`;
    const attended = norm(x, `${at}.input_layernorm`);
    const qkv = project(attended, `${at}.self_attention.query_key_value`, 3 * hiddenSize, 'none', config.fused);
    g.kvWrite(g.columns(qkv, hiddenSize, hiddenSize), g.columns(qkv, 2 * hiddenSize, hiddenSize), layer);
    const queries = g.columns(qkv, 0, hiddenSize);
    const scale = 1 / Math.sqrt(headSize);
    const seen = g.attention(queries, { layer, numHeads, numKvHeads: numHeads, headSize, scale, window: 0 }, slopes);
    x = g.add(config.residualBehindNorm ? attended : x, project(seen, `${at}.self_attention.dense`, hiddenSize));

    refuseScales(g, `${at}.mlp.gelu_impl`);
    const fed = norm(x, `${at}.post_attention_layernorm`);
    const inner = project(fed, `${at}.mlp.dense_h_to_4h`, 4 * hiddenSize, 'gelu_tanh');
    x = g.add(config.residualBehindNorm ? fed : x, project(inner, `${at}.mlp.dense_4h_to_h`, hiddenSize));
  }
  const head = headOf(g, table, config.tiedHead);
  return g.finish(g.linear(g.gatherOutputs(norm(x, 'ln_f')), head));
}

function readConfig(config: ConfigReader, facts: CheckpointFacts): BloomConfig {
  const hiddenSize = eitherSize(config, 'hidden_size', 'n_embed');
  const numHeads = eitherSize(config, 'n_head', 'num_attention_heads');
  const headSize = headSizeOf(config, hiddenSize, numHeads);
  return {
    numLayers: eitherSize(config, 'n_layer', 'num_hidden_layers'),
    hiddenSize,
    numHeads,
    headSize,
    vocabularySize: config.size('vocab_size'),
    // ALiBi has no end; this is what the models were trained on.
    contextTokens: config.size('seq_length', 2048),
    normEpsilon: config.real('layer_norm_epsilon', 1e-5),
    tiedHead: config.flag('tie_word_embeddings', true),
    residualBehindNorm: config.flag('apply_residual_connection_post_layernorm', false),
    fused: facts.rowsInOrder ? {} : queriesKeysValues(numHeads, numHeads, headSize),
  };
}

const ggufNames: GgufNames = {
  architecture: 'bloom',
  modelType: 'bloom',
  adjacentPairs: false,
  // A head that is not there is the table.
  constants: { tie_word_embeddings: false },
  config: {
    hidden_size: 'embedding_length',
    n_layer: 'block_count',
    n_head: 'attention.head_count',
    seq_length: 'context_length',
    layer_norm_epsilon: 'attention.layer_norm_epsilon',
  },
  layers: 'h',
  layerTensors: {
    attn_norm: 'input_layernorm',
    attn_qkv: 'self_attention.query_key_value',
    attn_output: 'self_attention.dense',
    ffn_norm: 'post_attention_layernorm',
    ffn_up: 'mlp.dense_h_to_4h',
    ffn_down: 'mlp.dense_4h_to_h',
  },
  tensors: {
    'token_embd.weight': 'word_embeddings.weight',
    'token_embd_norm.weight': 'word_embeddings_layernorm.weight',
    'token_embd_norm.bias': 'word_embeddings_layernorm.bias',
    'output_norm.weight': 'ln_f.weight',
    'output_norm.bias': 'ln_f.bias',
    'output.weight': 'lm_head.weight',
  },
};

export const bloom: Architecture = {
  modelTypes: ['bloom'],
  gguf: [ggufNames],
  optionalPrefix: 'transformer.',
  readModel(config, facts) {
    const read = readConfig(config, facts);
    return decoderModel('bloom', read, (tensors) => buildBloom(read, tensors));
  },
};
