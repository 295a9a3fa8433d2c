/**
 * The language that architectures are written in: a graph of typed operations on matrices with one row per token, per
 * wanted output or per sequence. What an operation does is written beside its signature in `kernels/ops.h`.
 *
 * A value is written once. An operation that changes its input in place (an added residual, turned heads) yields a new
 * value; the pass that lays out buffers puts both in the same place and refuses a later reader of the old one.
 */
export type RowKind = 'tokens' | 'outputs' | 'sequences';
export type Activation = 'none' | 'silu' | 'gelu' | 'gelu_tanh' | 'relu' | 'tanh';

export type OperationName =
  | 'embed'
  | 'add_positions'
  | 'add_segments'
  | 'gather_outputs'
  | 'linear'
  | 'permute_columns'
  | 'rms_norm'
  | 'rms_norm_heads'
  | 'layer_norm'
  | 'add_rms_norm'
  | 'add_layer_norm'
  | 'add'
  | 'multiply'
  | 'add_bias'
  | 'activate'
  | 'gated'
  | 'soft_cap'
  | 'clamp'
  | 'rope'
  | 'kv_write'
  | 'rope_kv_write'
  | 'attention'
  | 'attention_full'
  | 'pool_mean'
  | 'pool_first'
  | 'normalize';

/** Some columns of a value: `width` of them from `first`. */
export type View = {
  readonly value: number;
  readonly rows: RowKind;
  readonly first: number;
  readonly width: number;
};

/** What a weight is for; it decides how exactly it is kept. */
export type WeightUse = 'table' | 'positions' | 'linear' | 'head' | 'vector' | 'index';

/** One tensor of the checkpoint or some of its rows, or numbers that the architecture computes. */
export type WeightPart = {
  readonly name: string;
  readonly rows: number;
  readonly columns: number;
  /** The type that the checkpoint keeps it in; `f32` for computed numbers, `i32` for a computed index. */
  readonly from: string;
  /**
   * Row i of this part is row `order[i]` of the checkpoint's tensor, which may have more. A vector's numbers are its rows
   * here, since a bias is turned and cut with the rows of its linear.
   */
  readonly order?: Int32Array;
  /** The checkpoint's groups take its columns in this order (see passes/order-columns.ts); absent = as they are. */
  readonly columnOrder?: Int32Array;
  /** The checkpoint has it as columns × rows (GPT-2's `Conv1D`). */
  readonly transposed?: boolean;
  /** A vector whose numbers are wanted so much larger (Gemma's norms multiply by 1 + weight). */
  readonly plus?: number;
  readonly values?: Float32Array | Int32Array;
};

/** Parts one below the other: several when linears were fused. */
export type Weight = { readonly use: WeightUse; readonly columns: number; readonly parts: readonly WeightPart[] };

export type Attributes = Readonly<Record<string, number | boolean | string>>;

export type Node = {
  readonly op: OperationName;
  /** The line of the architecture that wrote it, `llama.ts:45`; null where the lines are not known (in a bundle). */
  readonly from: string | null;
  readonly in: readonly View[];
  readonly out: readonly View[];
  readonly weights: readonly (Weight | null)[];
  readonly attributes: Attributes;
};

export type Graph = {
  readonly architecture: string;
  readonly values: readonly { readonly rows: RowKind; readonly width: number }[];
  readonly nodes: readonly Node[];
  /** The logits or the embeddings. */
  readonly output: View;
};

/** Operations whose first output takes the place of their first input. */
export const inPlaceOperations: ReadonlySet<OperationName> = new Set([
  'add_positions',
  'add_segments',
  'add_rms_norm',
  'add_layer_norm',
  'add_bias',
  'rms_norm_heads',
  'soft_cap',
  'clamp',
  'rope',
  'rope_kv_write',
  'normalize',
]);

/** The number of rows of a weight, over all its parts. */
export function rowsOf(weight: Weight): number {
  return weight.parts.reduce((sum, part) => sum + part.rows, 0);
}

export type TensorShape = {
  readonly rows: number;
  readonly columns: number;
  readonly type: string;
  /** As in `WeightPart`. */
  readonly columnOrder?: Int32Array;
};

/** What the graph must know of a checkpoint's tensors: their shapes and types. A `Map` is one. */
export type TensorShapes = {
  get(name: string): TensorShape | undefined;
  has(name: string): boolean;
  keys(): Iterable<string>;
  /**
   * A checkpoint that is made up (`--random`): has each tensor in the shape that is asked for, or null where it leaves an
   * optional one out.
   */
  imagine?(name: string, rows: number, columns: number, optional: boolean): TensorShape | null;
};

/** Which rows of the checkpoint's tensor a weight takes, and how it stands there. */
export type Taking = {
  /** Row i of the weight is row `order[i]` of the tensor. */
  order?: Int32Array;
  /** How many rows the checkpoint's tensor has; absent = as many as the weight. */
  tensorRows?: number;
  transposed?: boolean;
  plus?: number;
};

export type RopeAttributes = {
  headSize: number;
  rotarySize: number;
  adjacentPairs: boolean;
  /** What sine and cosine are multiplied by; absent = 1. */
  factor?: number;
};
