/** How large a model is, reckoned from its true shape. */
import type { HubConfig } from './shapes.ts';

/** Bits of a weight of the linears with its share of scales and zero points, by the plan's type. */
const bitsPerWeight = { f32: 32, f16: 16, q8: 8.5, q4: 4.5, int4_g32: 5, int4_g128: 4.25, f8: 8 } as const;
export type WeightKind = keyof typeof bitsPerWeight;

export type ModelSizes = {
  /** Numbers of the published checkpoint. */
  readonly parameters: number;
  /** Of these in linears; and in tables and the head, which a plan keeps in eight bits. */
  readonly linearParameters: number;
  readonly tableParameters: number;
  readonly planBytes: number;
  /** Keys and values in float16; 0 for encoders. */
  readonly kvBytesPerThousandTokens: number;
};

/** Fails with a TypeError for a shape without its counts: the catalogue's are complete, and a test says so. */
export function sizesOf(shape: HubConfig, weights: WeightKind): ModelSizes {
  return isEncoder(shape) ? encoderSizes(shape, weights) : decoderSizes(shape, weights);
}

/** What a model takes on the device for conversations of so many tokens together. */
export function deviceBytes(model: { planBytes: number; kvBytesPerThousandTokens: number }, numTokens: number): number {
  return model.planBytes + Math.ceil((model.kvBytesPerThousandTokens * numTokens) / 1000);
}

/** Bytes of an AutoAWQ checkpoint: nibbles, a float16 scale and a nibble of zero a group of 128, tables and head in float16. */
export function awqCheckpointBytes(shape: HubConfig): number {
  const { linearParameters, tableParameters } = sizesOf(shape, 'int4_g128');
  return Math.round((linearParameters * (4 + 16 / 128 + 4 / 128)) / 8 + 2 * tableParameters);
}

export function isEncoder({ model_type }: HubConfig): boolean {
  return model_type === 'bert' || model_type === 'xlm-roberta';
}

function decoderSizes(shape: HubConfig, weights: WeightKind): ModelSizes {
  const { layers, hidden, intermediate, query, keys, vocabulary } = widthsOf(shape);
  const headSize = query / count(shape, 'num_attention_heads');
  const linears = layers * (2 * hidden * query + 2 * hidden * keys + 3 * hidden * intermediate);
  const biases = shape.model_type === 'qwen2' ? query + 2 * keys : 0;
  const headNorms = shape.model_type === 'qwen3' ? 2 * headSize : 0;
  const norms = layers * ((shape.model_type === 'gemma2' ? 4 : 2) * hidden + headNorms + biases) + hidden;
  const tables = vocabulary * hidden * (shape.tie_word_embeddings === true ? 1 : 2);
  return {
    ...sized(linears, tables, norms, weights),
    kvBytesPerThousandTokens: 1000 * 2 * 2 * layers * keys,
  };
}

function encoderSizes(shape: HubConfig, weights: WeightKind): ModelSizes {
  const [layers, hidden, intermediate] = [
    count(shape, 'num_hidden_layers'),
    count(shape, 'hidden_size'),
    count(shape, 'intermediate_size'),
  ];
  const isReranker = String((shape.architectures as readonly string[] | undefined)?.[0]).endsWith(
    'ForSequenceClassification',
  );
  const linears = layers * (4 * hidden * hidden + 2 * hidden * intermediate);
  const vectors = layers * (4 * hidden + intermediate + hidden + 4 * hidden) + 2 * hidden;
  const tables =
    (count(shape, 'vocab_size') + count(shape, 'max_position_embeddings') + count(shape, 'type_vocab_size')) * hidden;
  // A pooler (BERT) or the head's dense layer (XLM-R as a reranker): of the same size.
  const pooler = hidden * hidden + hidden;
  return {
    ...sized(
      linears + hidden * hidden,
      tables,
      vectors + pooler - hidden * hidden + (isReranker ? hidden + 1 : 0),
      weights,
    ),
    kvBytesPerThousandTokens: 0,
  };
}

function sized(linears: number, tables: number, vectors: number, weights: WeightKind) {
  const tableBits = Math.max(bitsPerWeight.q8, bitsPerWeight[weights] > 16 ? bitsPerWeight[weights] : 0);
  return {
    parameters: linears + tables + vectors,
    linearParameters: linears,
    tableParameters: tables,
    planBytes: Math.ceil((linears * bitsPerWeight[weights]) / 8 + (tables * tableBits) / 8 + 4 * vectors),
  };
}

/** Columns of what a layer works on. */
export type Widths = {
  readonly layers: number;
  readonly hidden: number;
  readonly intermediate: number;
  /** Of all query heads, and of the keys (or values) of all heads. */
  readonly query: number;
  readonly keys: number;
  readonly vocabulary: number;
};

/** Fails with a TypeError for a shape without its counts. */
export function widthsOf(shape: HubConfig): Widths {
  const hidden = count(shape, 'hidden_size');
  const heads = count(shape, 'num_attention_heads');
  const headSize = shape.head_dim === undefined ? hidden / heads : count(shape, 'head_dim');
  const kvHeads = shape.num_key_value_heads === undefined ? heads : count(shape, 'num_key_value_heads');
  return {
    layers: count(shape, 'num_hidden_layers'),
    hidden,
    intermediate: count(shape, 'intermediate_size'),
    query: heads * headSize,
    keys: kvHeads * headSize,
    vocabulary: count(shape, 'vocab_size'),
  };
}

function count(shape: HubConfig, key: string): number {
  const value = shape[key];
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 1)
    throw new TypeError(`The shape has no ${key}.`);
  return value;
}
