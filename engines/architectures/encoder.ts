/**
 * What BERT and its kin have in common: learned positions, norms after the blocks, attention in both directions, and an
 * end that makes one row of a text: a vector of unit length, or one number for a pair of texts. (arXiv 1810.04805)
 */
import type { GraphBuilder, View } from '../graph/graph.ts';
import type { CheckpointFacts, Model } from './architecture.ts';
import type { ConfigReader } from './config-reader.ts';

export type EncoderConfig = {
  readonly numLayers: number;
  readonly hiddenSize: number;
  readonly numHeads: number;
  readonly feedForwardSize: number;
  readonly vocabularySize: number;
  /** Rows of the table of positions. */
  readonly numPositions: number;
  /** The row of the first token; those before it are for padding (RoBERTa). */
  readonly firstPosition: number;
  /** Rows of the table of segments; 0 = the model has none. */
  readonly numSegments: number;
  readonly normEpsilon: number;
  readonly activation: EncoderActivation;
  readonly end: EncoderEnd;
};
export type EncoderActivation = 'gelu' | 'gelu_tanh' | 'relu' | 'silu';
/** A vector of a text, of its rows' mean or its first row; or how well two texts fit each other, as a number. */
export type EncoderEnd = 'mean' | 'first' | 'score';

/** Where a layer's tensors are, by the names that follow the layer's own. */
export type EncoderNames = {
  readonly layers: string;
  readonly query: string;
  readonly key: string;
  readonly value: string;
  readonly attentionOutput: string;
  readonly attentionNorm: string;
  readonly inner: string;
  readonly output: string;
  readonly outputNorm: string;
};

/** The names of BERT and RoBERTa, without a leading `bert.` or `roberta.`. */
export const bertNames: EncoderNames = {
  layers: 'encoder.layer',
  query: 'attention.self.query',
  key: 'attention.self.key',
  value: 'attention.self.value',
  attentionOutput: 'attention.output.dense',
  attentionNorm: 'attention.output.LayerNorm',
  inner: 'intermediate.dense',
  output: 'output.dense',
  outputNorm: 'output.LayerNorm',
};

/** The last rows of all tokens, [T, hiddenSize]. */
export function encode(g: GraphBuilder, config: EncoderConfig, names: EncoderNames): View {
  const { hiddenSize, numHeads, feedForwardSize } = config;
  const headSize = hiddenSize / numHeads;
  if (!Number.isInteger(headSize)) return g.refuse(`${hiddenSize} columns cannot be ${numHeads} heads`);
  // Checkpoints from before 2019 say gamma and beta.
  const norm = (x: View, at: string) => {
    const [weight, bias] = g.has(`${at}.gamma`) ? ['gamma', 'beta'] : ['weight', 'bias'];
    return g.layerNorm(
      x,
      g.vector(`${at}.${weight}`, hiddenSize),
      g.vector(`${at}.${bias}`, hiddenSize),
      config.normEpsilon,
    );
  };

  let x = g.embed(g.weight('embeddings.word_embeddings.weight', config.vocabularySize, hiddenSize, 'table'));
  const positions = g.weight('embeddings.position_embeddings.weight', config.numPositions, hiddenSize, 'positions');
  x = g.addPositions(x, positions, config.firstPosition);
  const segments = 'embeddings.token_type_embeddings.weight';
  // A text alone is one segment, so the first row of the segments' table is added to all.
  if (config.numSegments === 1) x = g.addBias(x, g.vector(segments, hiddenSize));
  else if (config.end === 'score' && config.numSegments > 1)
    x = g.addSegments(x, g.weight(segments, config.numSegments, hiddenSize, 'positions'));
  else if (config.numSegments > 1) x = g.addBias(x, g.row(segments, config.numSegments, hiddenSize, 0));
  x = norm(x, 'embeddings.LayerNorm');

  for (let layer = 0; layer < config.numLayers; layer++) {
    const at = `${names.layers}.${layer}`;
    const project = (
      input: View,
      name: string,
      rows: number,
      columns: number,
      activation: 'none' | EncoderActivation = 'none',
    ) => dense(g, input, `${at}.${name}`, rows, columns, activation);

    const q = project(x, names.query, hiddenSize, hiddenSize);
    const k = project(x, names.key, hiddenSize, hiddenSize);
    const v = project(x, names.value, hiddenSize, hiddenSize);
    const seen = g.attentionFull(q, k, v, { numHeads, headSize, scale: 1 / Math.sqrt(headSize) });
    const attended = g.add(x, project(seen, names.attentionOutput, hiddenSize, hiddenSize));
    x = norm(attended, `${at}.${names.attentionNorm}`);
    const inner = project(x, names.inner, feedForwardSize, hiddenSize, config.activation);
    x = norm(g.add(x, project(inner, names.output, hiddenSize, feedForwardSize)), `${at}.${names.outputNorm}`);
  }
  return x;
}

/** x Wᵀ + b, by `<at>.weight` and `<at>.bias`. */
export function dense(
  g: GraphBuilder,
  x: View,
  at: string,
  rows: number,
  columns: number,
  activation: Parameters<GraphBuilder['linear']>[3] = 'none',
): View {
  return g.linear(x, g.weight(`${at}.weight`, rows, columns), g.vector(`${at}.bias`, rows), activation);
}

/** The one number of a pair, [B, 1]. It is all that is said of a pair, so its weights are kept as they are. */
export function scoreOf(g: GraphBuilder, x: View, at: string): View {
  return g.linear(x, g.vector(`${at}.weight`, x.width), g.vector(`${at}.bias`, 1));
}

/** The vector of each text, [B, hiddenSize], of unit length. */
export function vectorOf(g: GraphBuilder, x: View, end: Exclude<EncoderEnd, 'score'>): View {
  return g.normalize(end === 'mean' ? g.poolMean(x) : g.poolFirst(x));
}

const activations: Readonly<Record<string, EncoderActivation>> = {
  gelu: 'gelu',
  gelu_python: 'gelu',
  gelu_new: 'gelu_tanh',
  gelu_pytorch_tanh: 'gelu_tanh',
  relu: 'relu',
  silu: 'silu',
  swish: 'silu',
};

export function activationOf(config: ConfigReader, key: string): EncoderActivation {
  const named = config.text(key, 'gelu');
  return activations[named] ?? config.unsupported(`the activation ${named}`);
}

/**
 * What a checkpoint is made for, by its class: a classifier of one label scores pairs; classifiers of more labels and
 * models that mark words or spans are refused. All else is an embedder.
 */
export function endOf(config: ConfigReader, facts: CheckpointFacts): EncoderEnd {
  const [made = ''] = config.texts('architectures') ?? [];
  if (/For(TokenClassification|QuestionAnswering|MultipleChoice|NextSentencePrediction)$/.test(made))
    return config.unsupported(`what ${made} gives`);
  if (!made.endsWith('ForSequenceClassification')) return facts.pooling ?? 'mean';
  // The hub writes one name per label, and leaves them out for its usual two.
  const labels = config.section('id2label');
  const numLabels = labels === null ? config.size('num_labels', 2) : labels.numKeys;
  return numLabels === 1 ? 'score' : config.unsupported(`a classifier of ${numLabels} labels`);
}

/** The header of an encoder's plan. */
export function encoderModel(
  architecture: string,
  config: EncoderConfig,
  facts: CheckpointFacts,
  build: Model['build'],
): Model {
  const contextTokens = config.numPositions - config.firstPosition;
  return {
    architecture,
    role: config.end === 'score' ? 'reranker' : 'embedder',
    vocabularySize: config.vocabularySize,
    contextTokens: Math.min(contextTokens, facts.maxTokens ?? contextTokens),
    embeddingSize: config.end === 'score' ? 0 : config.hiddenSize,
    kv: null,
    build,
  };
}
