/** DistilBERT: BERT with half the layers and no segments (multi-qa-distilbert, msmarco-distilbert). (arXiv 1910.01108) */
import { createGraphBuilder, type Graph, type TensorShapes } from '../graph/graph.ts';
import type { Architecture } from './architecture.ts';
import {
  activationOf,
  dense,
  type EncoderConfig,
  type EncoderNames,
  encode,
  encoderModel,
  endOf,
  scoreOf,
  vectorOf,
} from './encoder.ts';

const names: EncoderNames = {
  layers: 'transformer.layer',
  query: 'attention.q_lin',
  key: 'attention.k_lin',
  value: 'attention.v_lin',
  attentionOutput: 'attention.out_lin',
  attentionNorm: 'sa_layer_norm',
  inner: 'ffn.lin1',
  output: 'ffn.lin2',
  outputNorm: 'output_layer_norm',
};

/** Tensors by their Hugging Face names, without a leading `distilbert.`. */
export function buildDistilBert(config: EncoderConfig, tensors: TensorShapes): Graph {
  const { hiddenSize, end } = config;
  const g = createGraphBuilder('distilbert', tensors);
  const x = encode(g, config, names);
  if (end !== 'score') return g.finish(vectorOf(g, x, end));
  const inner = dense(g, g.poolFirst(x), 'pre_classifier', hiddenSize, hiddenSize, 'relu');
  return g.finish(scoreOf(g, inner, 'classifier'));
}

export const distilbert: Architecture = {
  modelTypes: ['distilbert'],
  gguf: [],
  optionalPrefix: 'distilbert.',
  readModel(config, facts) {
    const read: EncoderConfig = {
      numLayers: config.size('n_layers', 6),
      hiddenSize: config.size('dim', 768),
      numHeads: config.size('n_heads', 12),
      feedForwardSize: config.size('hidden_dim', 3072),
      vocabularySize: config.size('vocab_size', 30_522),
      numPositions: config.size('max_position_embeddings', 512),
      firstPosition: 0,
      numSegments: 0,
      // A constant of the published model, not of its config.
      normEpsilon: 1e-12,
      activation: activationOf(config, 'activation'),
      end: endOf(config, facts),
    };
    return encoderModel('distilbert', read, facts, (tensors) => buildDistilBert(read, tensors));
  },
};
