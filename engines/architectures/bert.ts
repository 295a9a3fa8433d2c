/**
 * BERT as a sentence embedder (MiniLM, bge, gte): learned positions, norms after the blocks, attention in both
 * directions, the mean or the first of the last rows as a vector of unit length. (arXiv 1810.04805, 1908.10084)
 */
import { createGraphBuilder, type Graph, type TensorShapes } from '../graph/graph.ts';
import type { Architecture } from './architecture.ts';

export type BertConfig = {
  readonly numLayers: number;
  readonly hiddenSize: number;
  readonly numHeads: number;
  readonly feedForwardSize: number;
  readonly vocabularySize: number;
  readonly contextTokens: number;
  readonly tokenTypes: number;
  readonly normEpsilon: number;
  readonly activation: 'gelu' | 'gelu_tanh' | 'relu';
  readonly pooling: 'mean' | 'first';
};

/** Tensors by their Hugging Face names, without a leading `bert.`. */
export function buildBert(config: BertConfig, tensors: TensorShapes): Graph {
  const { hiddenSize, numHeads, feedForwardSize, normEpsilon } = config;
  const headSize = hiddenSize / numHeads;
  const g = createGraphBuilder('bert', tensors);
  const norm = (x: ReturnType<typeof g.embed>, at: string) =>
    g.layerNorm(x, g.vector(`${at}.weight`, hiddenSize), g.vector(`${at}.bias`, hiddenSize), normEpsilon);

  let x = g.embed(g.weight('embeddings.word_embeddings.weight', config.vocabularySize, hiddenSize, 'table'));
  x = g.addPositions(
    x,
    g.weight('embeddings.position_embeddings.weight', config.contextTokens, hiddenSize, 'positions'),
  );
  // Every text is one segment, so the first row of the segments' table is added to all.
  x = g.addBias(x, g.row('embeddings.token_type_embeddings.weight', config.tokenTypes, hiddenSize, 0));
  x = norm(x, 'embeddings.LayerNorm');
  for (let layer = 0; layer < config.numLayers; layer++) {
    const at = `encoder.layer.${layer}`;
    const project = (
      input: typeof x,
      name: string,
      rows: number,
      columns: number,
      activation: 'none' | typeof config.activation = 'none',
    ) =>
      g.linear(
        input,
        g.weight(`${at}.${name}.weight`, rows, columns),
        g.vector(`${at}.${name}.bias`, rows),
        activation,
      );

    const q = project(x, 'attention.self.query', hiddenSize, hiddenSize);
    const k = project(x, 'attention.self.key', hiddenSize, hiddenSize);
    const v = project(x, 'attention.self.value', hiddenSize, hiddenSize);
    const seen = g.attentionFull(q, k, v, { numHeads, headSize, scale: 1 / Math.sqrt(headSize) });
    x = norm(
      g.add(x, project(seen, 'attention.output.dense', hiddenSize, hiddenSize)),
      `${at}.attention.output.LayerNorm`,
    );
    const inner = project(x, 'intermediate.dense', feedForwardSize, hiddenSize, config.activation);
    x = norm(g.add(x, project(inner, 'output.dense', hiddenSize, feedForwardSize)), `${at}.output.LayerNorm`);
  }
  return g.finish(g.normalize(config.pooling === 'mean' ? g.poolMean(x) : g.poolFirst(x)));
}

const activations: Readonly<Record<string, BertConfig['activation']>> = {
  gelu: 'gelu',
  gelu_new: 'gelu_tanh',
  relu: 'relu',
};

export const bert: Architecture = {
  modelTypes: ['bert'],
  gguf: [],
  optionalPrefix: 'bert.',
  readModel(config, facts) {
    const positions = config.text('position_embedding_type', 'absolute');
    if (positions !== 'absolute') config.unsupported(`${positions} positions`);
    const named = config.text('hidden_act', 'gelu');
    const read: BertConfig = {
      numLayers: config.size('num_hidden_layers'),
      hiddenSize: config.size('hidden_size'),
      numHeads: config.size('num_attention_heads'),
      feedForwardSize: config.size('intermediate_size'),
      vocabularySize: config.size('vocab_size'),
      contextTokens: config.size('max_position_embeddings'),
      tokenTypes: config.size('type_vocab_size', 2),
      normEpsilon: config.real('layer_norm_eps', 1e-12),
      activation: activations[named] ?? config.unsupported(`the activation ${named}`),
      pooling: facts.pooling ?? 'mean',
    };
    return {
      architecture: 'bert',
      role: 'embedder',
      vocabularySize: read.vocabularySize,
      contextTokens: read.contextTokens,
      embeddingSize: read.hiddenSize,
      kv: null,
      build: (tensors) => buildBert(read, tensors),
    };
  },
};
