/** BERT: MiniLM, bge and gte as sentence embedders, ms-marco-MiniLM as a cross-encoder. (arXiv 1810.04805, 1908.10084) */
import { createGraphBuilder, type Graph, type TensorShapes } from '../graph/graph.ts';
import type { Architecture } from './architecture.ts';
import {
  activationOf,
  bertNames,
  dense,
  type EncoderConfig,
  encode,
  encoderModel,
  endOf,
  scoreOf,
  vectorOf,
} from './encoder.ts';

/** Tensors by their Hugging Face names, without a leading `bert.`. */
export function buildBert(config: EncoderConfig, tensors: TensorShapes): Graph {
  const { hiddenSize, end } = config;
  const g = createGraphBuilder('bert', tensors);
  const x = encode(g, config, bertNames);
  if (end !== 'score') return g.finish(vectorOf(g, x, end));
  const pooled = dense(g, g.poolFirst(x), 'pooler.dense', hiddenSize, hiddenSize, 'tanh');
  return g.finish(scoreOf(g, pooled, 'classifier'));
}

export const bert: Architecture = {
  modelTypes: ['bert'],
  gguf: [],
  optionalPrefix: 'bert.',
  readModel(config, facts) {
    const positions = config.text('position_embedding_type', 'absolute');
    if (positions !== 'absolute') config.unsupported(`${positions} positions`);
    if (config.flag('is_decoder', false)) config.unsupported('a BERT that sees only what is before a token');
    const read: EncoderConfig = {
      numLayers: config.size('num_hidden_layers'),
      hiddenSize: config.size('hidden_size'),
      numHeads: config.size('num_attention_heads'),
      feedForwardSize: config.size('intermediate_size'),
      vocabularySize: config.size('vocab_size'),
      numPositions: config.size('max_position_embeddings'),
      firstPosition: 0,
      numSegments: config.size('type_vocab_size', 2),
      normEpsilon: config.real('layer_norm_eps', 1e-12),
      activation: activationOf(config, 'hidden_act'),
      end: endOf(config, facts),
    };
    return encoderModel('bert', read, facts, (tensors) => buildBert(read, tensors));
  },
};
