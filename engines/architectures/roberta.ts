/**
 * RoBERTa and XLM-R: multilingual E5, bge-m3, paraphrase-multilingual and others as embedders, bge-reranker as a
 * cross-encoder. BERT whose positions begin after the row for padding. (arXiv 1907.11692, 1911.02116)
 */
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

/** Tensors by their Hugging Face names, without a leading `roberta.`. */
export function buildRoberta(config: EncoderConfig, tensors: TensorShapes): Graph {
  const { hiddenSize, end } = config;
  const g = createGraphBuilder('roberta', tensors);
  const x = encode(g, config, bertNames);
  if (end !== 'score') return g.finish(vectorOf(g, x, end));
  const inner = dense(g, g.poolFirst(x), 'classifier.dense', hiddenSize, hiddenSize, 'tanh');
  return g.finish(scoreOf(g, inner, 'classifier.out_proj'));
}

export const roberta: Architecture = {
  modelTypes: ['roberta', 'xlm-roberta', 'camembert'],
  gguf: [],
  optionalPrefix: 'roberta.',
  readModel(config, facts) {
    const positions = config.text('position_embedding_type', 'absolute');
    if (positions !== 'absolute') config.unsupported(`${positions} positions`);
    if (config.flag('is_decoder', false)) config.unsupported('a RoBERTa that sees only what is before a token');
    // The hub counts positions from the padding's id: its row, and those before it, are never looked up.
    const firstPosition = (config.has('pad_token_id') ? config.whole('pad_token_id') : 1) + 1;
    const numPositions = config.size('max_position_embeddings');
    if (firstPosition >= numPositions) config.damaged(`pad_token_id leaves none of ${numPositions} positions`);
    const read: EncoderConfig = {
      numLayers: config.size('num_hidden_layers'),
      hiddenSize: config.size('hidden_size'),
      numHeads: config.size('num_attention_heads'),
      feedForwardSize: config.size('intermediate_size'),
      vocabularySize: config.size('vocab_size'),
      numPositions,
      firstPosition,
      numSegments: config.size('type_vocab_size', 2),
      normEpsilon: config.real('layer_norm_eps', 1e-12),
      activation: activationOf(config, 'hidden_act'),
      end: endOf(config, facts),
    };
    return encoderModel('roberta', read, facts, (tensors) => buildRoberta(read, tensors));
  },
};
