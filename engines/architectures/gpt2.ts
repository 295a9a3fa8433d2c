/**
 * GPT-2: learned positions, norms before the blocks, q + k + v in one matrix, the table as the head. Its matrices stand
 * as columns × rows (`Conv1D`). (Radford et al. 2019, "Language Models are Unsupervised Multitask Learners")
 */
import { type Activation, createGraphBuilder, type Graph, type TensorShapes, type View } from '../graph/graph.ts';
import { activationOf } from './activation.ts';
import type { Architecture, CheckpointFacts, GgufNames } from './architecture.ts';
import { decoderModel, headOf } from './blocks.ts';
import type { ConfigReader } from './config-reader.ts';
import { headSizeOf } from './heads.ts';

export type Gpt2Config = {
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
  /** Whether scores are divided by the root of a head's size, and by the number of the layer. */
  readonly scaled: boolean;
  readonly scaledByLayer: boolean;
  /** Whether the checkpoint has its matrices as columns × rows. */
  readonly transposed: boolean;
};

/** Tensors by their Hugging Face names, without a leading `transformer.`. */
export function buildGpt2(config: Gpt2Config, tensors: TensorShapes): Graph {
  const { hiddenSize, numHeads, headSize, feedForwardSize, vocabularySize } = config;
  const g = createGraphBuilder('gpt2', tensors);
  const norm = (x: View, at: string) =>
    g.layerNorm(x, g.vector(`${at}.weight`, hiddenSize), g.vector(`${at}.bias`, hiddenSize), config.normEpsilon);
  const project = (x: View, at: string, rows: number, activation: Activation = 'none') =>
    g.linear(
      x,
      g.weight(`${at}.weight`, rows, x.width, 'linear', { transposed: config.transposed }),
      g.vector(`${at}.bias`, rows),
      activation,
    );

  const table = g.weight('wte.weight', vocabularySize, hiddenSize, 'table');
  let x = g.addPositions(g.embed(table), g.weight('wpe.weight', config.contextTokens, hiddenSize, 'positions'));
  for (let layer = 0; layer < config.numLayers; layer++) {
    const at = `h.${layer}`;
    const qkv = project(norm(x, `${at}.ln_1`), `${at}.attn.c_attn`, 3 * hiddenSize);
    g.kvWrite(g.columns(qkv, hiddenSize, hiddenSize), g.columns(qkv, 2 * hiddenSize, hiddenSize), layer);
    const scale = (config.scaled ? 1 / Math.sqrt(headSize) : 1) / (config.scaledByLayer ? layer + 1 : 1);
    const queries = g.columns(qkv, 0, hiddenSize);
    const seen = g.attention(queries, { layer, numHeads, numKvHeads: numHeads, headSize, scale, window: 0 });
    x = g.add(x, project(seen, `${at}.attn.c_proj`, hiddenSize));

    const inner = project(norm(x, `${at}.ln_2`), `${at}.mlp.c_fc`, feedForwardSize, config.activation);
    x = g.add(x, project(inner, `${at}.mlp.c_proj`, hiddenSize));
  }
  const head = headOf(g, table, config.tiedHead);
  return g.finish(g.linear(g.gatherOutputs(norm(x, 'ln_f')), head));
}

function readConfig(config: ConfigReader, facts: CheckpointFacts): Gpt2Config {
  if (config.flag('add_cross_attention', false)) config.unsupported('attention to a second text');
  const hiddenSize = config.size('n_embd');
  const numHeads = config.size('n_head');
  return {
    numLayers: config.size('n_layer'),
    hiddenSize,
    numHeads,
    headSize: headSizeOf(config, hiddenSize, numHeads),
    feedForwardSize: config.size('n_inner', 4 * hiddenSize),
    vocabularySize: config.size('vocab_size'),
    contextTokens: config.size('n_positions'),
    normEpsilon: config.real('layer_norm_epsilon', 1e-5),
    tiedHead: config.flag('tie_word_embeddings', true),
    activation: activationOf(config, 'activation_function', 'gelu_new'),
    scaled: config.flag('scale_attn_weights', true),
    scaledByLayer: config.flag('scale_attn_by_inverse_layer_idx', false),
    transposed: !facts.rowsInOrder,
  };
}

const ggufNames: GgufNames = {
  architecture: 'gpt2',
  modelType: 'gpt2',
  adjacentPairs: false,
  // A head that is not there is the table.
  constants: { tie_word_embeddings: false },
  config: {
    n_embd: 'embedding_length',
    n_layer: 'block_count',
    n_head: 'attention.head_count',
    n_inner: 'feed_forward_length',
    n_positions: 'context_length',
    layer_norm_epsilon: 'attention.layer_norm_epsilon',
  },
  layers: 'h',
  layerTensors: {
    attn_norm: 'ln_1',
    attn_qkv: 'attn.c_attn',
    attn_output: 'attn.c_proj',
    ffn_norm: 'ln_2',
    ffn_up: 'mlp.c_fc',
    ffn_down: 'mlp.c_proj',
  },
  tensors: {
    'token_embd.weight': 'wte.weight',
    'position_embd.weight': 'wpe.weight',
    'output_norm.weight': 'ln_f.weight',
    'output_norm.bias': 'ln_f.bias',
    'output.weight': 'lm_head.weight',
  },
};

export const gpt2: Architecture = {
  modelTypes: ['gpt2'],
  gguf: [ggufNames],
  optionalPrefix: 'transformer.',
  readModel(config, facts) {
    const read = readConfig(config, facts);
    return decoderModel('gpt2', read, (tensors) => buildGpt2(read, tensors));
  },
};
