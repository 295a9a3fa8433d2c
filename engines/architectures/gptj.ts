/**
 * GPT-J: one norm a layer, whose rows both the attention and the feed forward read; the first columns of a head turn, in
 * pairs that stand side by side; a head with a bias. (Wang, Komatsuzaki 2021, "GPT-J-6B")
 */
import {
  type Activation,
  createGraphBuilder,
  type Graph,
  pairsApart,
  type TensorShapes,
  type View,
} from '../graph/graph.ts';
import { activationOf, refuseScales } from './activation.ts';
import type { Architecture } from './architecture.ts';
import { decoderModel, headOf } from './blocks.ts';
import type { ConfigReader } from './config-reader.ts';
import { headSizeOf } from './heads.ts';
import { ropeFrequencies } from './rope.ts';

export type GptjConfig = {
  readonly numLayers: number;
  readonly hiddenSize: number;
  readonly numHeads: number;
  readonly headSize: number;
  /** The leading columns of a head that turn. */
  readonly rotarySize: number;
  readonly feedForwardSize: number;
  readonly vocabularySize: number;
  readonly contextTokens: number;
  readonly normEpsilon: number;
  /** The head is the table, whatever else the checkpoint holds. */
  readonly tiedHead: boolean;
  readonly activation: Activation;
};

/** Tensors by their Hugging Face names, without a leading `transformer.`. */
export function buildGptj(config: GptjConfig, tensors: TensorShapes): Graph {
  const { hiddenSize, numHeads, headSize, rotarySize, feedForwardSize, vocabularySize } = config;
  const g = createGraphBuilder('gptj', tensors);
  const frequencies = g.constant('rope.inverse_frequencies', ropeFrequencies(10_000, rotarySize));
  const rope = { headSize, rotarySize, adjacentPairs: false };
  const turned = { order: pairsApart(hiddenSize, headSize, rotarySize) };
  const norm = (x: View, at: string) =>
    g.layerNorm(x, g.vector(`${at}.weight`, hiddenSize), g.vector(`${at}.bias`, hiddenSize), config.normEpsilon);
  const square = (x: View, at: string, taking = {}) =>
    g.linear(x, g.weight(`${at}.weight`, hiddenSize, hiddenSize, 'linear', taking));
  const feed = (x: View, at: string, rows: number, activation: Activation = 'none') =>
    g.linear(x, g.weight(`${at}.weight`, rows, x.width), g.vector(`${at}.bias`, rows), activation);

  const table = g.weight('wte.weight', vocabularySize, hiddenSize, 'table');
  let x = g.embed(table);
  for (let layer = 0; layer < config.numLayers; layer++) {
    const at = `h.${layer}`;
    const normed = norm(x, `${at}.ln_1`);
    const q = square(normed, `${at}.attn.q_proj`, turned);
    const k = square(normed, `${at}.attn.k_proj`, turned);
    const v = square(normed, `${at}.attn.v_proj`);
    const queries = g.rope(q, frequencies, rope);
    g.kvWrite(g.rope(k, frequencies, rope), v, layer);
    const scale = 1 / Math.sqrt(headSize);
    const seen = g.attention(queries, { layer, numHeads, numKvHeads: numHeads, headSize, scale, window: 0 });
    const attended = square(seen, `${at}.attn.out_proj`);

    refuseScales(g, `${at}.mlp.act`);
    const inner = feed(normed, `${at}.mlp.fc_in`, feedForwardSize, config.activation);
    x = g.add(x, g.add(attended, feed(inner, `${at}.mlp.fc_out`, hiddenSize)));
  }
  const head = headOf(g, table, config.tiedHead);
  const bias = g.optional('lm_head.bias', 1, vocabularySize, 'vector');
  return g.finish(g.linear(g.gatherOutputs(norm(x, 'ln_f')), head, bias));
}

function readConfig(config: ConfigReader): GptjConfig {
  const hiddenSize = config.size('n_embd');
  const numHeads = config.size('n_head');
  const headSize = headSizeOf(config, hiddenSize, numHeads);
  if (config.isNull('rotary_dim')) config.unsupported('positions that turn whole rows');
  const rotarySize = config.size('rotary_dim', 64);
  if (rotarySize > headSize || rotarySize < 2 || rotarySize % 2 !== 0)
    config.damaged(`${rotarySize} of a head's ${headSize} columns turn`);
  return {
    numLayers: config.size('n_layer'),
    hiddenSize,
    numHeads,
    headSize,
    rotarySize,
    feedForwardSize: config.size('n_inner', 4 * hiddenSize),
    vocabularySize: config.size('vocab_size'),
    contextTokens: config.size('n_positions'),
    normEpsilon: config.real('layer_norm_epsilon', 1e-5),
    tiedHead: config.flag('tie_word_embeddings', false),
    activation: activationOf(config, 'activation_function', 'gelu_new'),
  };
}

/** No names in GGUF: its converter does not write GPT-J. */
export const gptj: Architecture = {
  modelTypes: ['gptj'],
  gguf: [],
  optionalPrefix: 'transformer.',
  readModel(config) {
    const read = readConfig(config);
    return decoderModel('gptj', read, (tensors) => buildGptj(read, tensors));
  },
};
