/**
 * The language that architectures are written in: a graph of typed operations on matrices with one row per token, per
 * wanted output or per sequence. What an operation does is written beside its signature in `kernels/ops.h`.
 *
 * A value is written once. An operation that changes its input in place (an added residual, turned heads) yields a new
 * value; the pass that lays out buffers puts both in the same place and refuses a later reader of the old one.
 */
import { ModelError } from '../model-error.ts';

export type RowKind = 'tokens' | 'outputs' | 'sequences';
export type Activation = 'none' | 'silu' | 'gelu' | 'gelu_tanh' | 'relu';

export type OperationName =
  | 'embed'
  | 'add_positions'
  | 'gather_outputs'
  | 'linear'
  | 'rms_norm'
  | 'layer_norm'
  | 'add_rms_norm'
  | 'add_layer_norm'
  | 'add'
  | 'multiply'
  | 'add_bias'
  | 'activate'
  | 'gated'
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
export type WeightUse = 'table' | 'positions' | 'linear' | 'head' | 'vector';

/** One tensor of the checkpoint, or numbers that the architecture computes. */
export type WeightPart = {
  readonly name: string;
  readonly rows: number;
  readonly columns: number;
  /** The type that the checkpoint keeps it in; `f32` for computed numbers. */
  readonly from: string;
  /**
   * The rows are heads of this size whose rotary pairs stand side by side (2i, 2i + 1), as in llama2.c and in GGUF's
   * `llama`; in the plan they stand half a head apart (i, i + size / 2).
   */
  readonly adjacentPairsOfHead?: number;
  readonly values?: Float32Array;
  /** This row of the checkpoint's tensor alone. */
  readonly row?: number;
};

/** Parts one below the other: several when linears were fused. */
export type Weight = { readonly use: WeightUse; readonly columns: number; readonly parts: readonly WeightPart[] };

export type Attributes = Readonly<Record<string, number | boolean | string>>;

export type Node = {
  readonly op: OperationName;
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
  'add_rms_norm',
  'add_layer_norm',
  'add_bias',
  'rope',
  'rope_kv_write',
  'normalize',
]);

/** The number of rows of a weight, over all its parts. */
export function rowsOf(weight: Weight): number {
  return weight.parts.reduce((sum, part) => sum + part.rows, 0);
}

/** What the graph must know of a checkpoint's tensors: their shapes and types. */
export type TensorShapes = ReadonlyMap<
  string,
  { readonly rows: number; readonly columns: number; readonly type: string }
>;

export type RopeAttributes = { headSize: number; rotarySize: number; adjacentPairs: boolean };

/** Builds a graph. Every mismatch fails at once, with the architecture and the tensor or widths in the sentence. */
export function createGraphBuilder(architecture: string, tensors: TensorShapes) {
  const values: { rows: RowKind; width: number }[] = [];
  const nodes: Node[] = [];

  const refuse = (what: string): never => {
    throw new ModelError('unsupported-model', `${architecture}: ${what}.`);
  };
  const fresh = (rows: RowKind, width: number): View => {
    values.push({ rows, width });
    return { value: values.length - 1, rows, first: 0, width };
  };
  const push = (
    op: OperationName,
    inputs: View[],
    out: View[],
    weights: (Weight | null)[] = [],
    attributes: Attributes = {},
  ) => {
    nodes.push({ op, in: inputs, out, weights, attributes });
  };
  const sameShape = (op: string, a: View, b: View) => {
    if (a.width !== b.width || a.rows !== b.rows) refuse(`${op} of ${describe(a)} and ${describe(b)}`);
  };
  const vectorOf = (op: string, weight: Weight, width: number) => {
    if (weight.columns !== width || rowsOf(weight) !== 1) {
      refuse(`${op} wants ${width} numbers, ${nameOf(weight)} has ${rowsOf(weight)} × ${weight.columns}`);
    }
  };

  const find = (
    name: string,
    rows: number,
    columns: number,
    use: WeightUse,
    adjacentPairsOfHead?: number,
  ): Weight | null => {
    const tensor = tensors.get(name);
    if (tensor === undefined) return null;
    // A vector has one row, however the checkpoint writes its shape.
    if (tensor.rows !== rows || tensor.columns !== columns) {
      throw new ModelError(
        'invalid-checkpoint',
        `${architecture}: the tensor ${name} is ${tensor.rows} × ${tensor.columns}, but ${rows} × ${columns} is needed.`,
      );
    }
    const order = adjacentPairsOfHead === undefined ? {} : { adjacentPairsOfHead };
    return { use, columns, parts: [{ name, rows, columns, from: tensor.type, ...order }] };
  };

  return {
    refuse,
    optional: find,
    /** A matrix `rows` × `columns` (a linear's [N, K]) of the checkpoint. */
    weight(
      name: string,
      rows: number,
      columns: number,
      use: WeightUse = 'linear',
      adjacentPairsOfHead?: number,
    ): Weight {
      const weight = find(name, rows, columns, use, adjacentPairsOfHead);
      if (weight === null) {
        throw new ModelError('invalid-checkpoint', `${architecture}: the checkpoint has no tensor ${name}.`);
      }
      return weight;
    },
    vector(name: string, columns: number): Weight {
      return this.weight(name, 1, columns, 'vector');
    },
    /** Row `row` of a matrix `rows` × `columns` of the checkpoint, as a vector. */
    row(name: string, rows: number, columns: number, row: number): Weight {
      const { parts } = this.weight(name, rows, columns, 'vector');
      return { use: 'vector', columns, parts: [{ ...parts[0]!, rows: 1, row }] };
    },
    constant(name: string, numbers: Float32Array): Weight {
      const columns = numbers.length;
      return { use: 'vector', columns, parts: [{ name, rows: 1, columns, from: 'f32', values: numbers }] };
    },

    embed(table: Weight, scale = 1): View {
      const out = fresh('tokens', table.columns);
      push('embed', [], [out], [table], { scale });
      return out;
    },
    addPositions(x: View, table: Weight, offset = 0): View {
      if (table.columns !== x.width) refuse(`positions of width ${table.columns} on ${describe(x)}`);
      const out = fresh(x.rows, x.width);
      push('add_positions', [x], [out], [table], { offset });
      return out;
    },
    gatherOutputs(x: View): View {
      const out = fresh('outputs', x.width);
      push('gather_outputs', [x], [out]);
      return out;
    },
    linear(x: View, weight: Weight, bias: Weight | null = null, activation: Activation = 'none'): View {
      if (weight.columns !== x.width) refuse(`${nameOf(weight)} takes width ${weight.columns}, not ${describe(x)}`);
      if (bias !== null) vectorOf('a bias', bias, rowsOf(weight));
      const out = fresh(x.rows, rowsOf(weight));
      push('linear', [x], [out], [weight, bias], { activation });
      return out;
    },
    rmsNorm(x: View, weight: Weight, epsilon: number): View {
      vectorOf('rms_norm', weight, x.width);
      const out = fresh(x.rows, x.width);
      push('rms_norm', [x], [out], [weight], { epsilon });
      return out;
    },
    layerNorm(x: View, weight: Weight, bias: Weight, epsilon: number): View {
      vectorOf('layer_norm', weight, x.width);
      vectorOf('layer_norm', bias, x.width);
      const out = fresh(x.rows, x.width);
      push('layer_norm', [x], [out], [weight, bias], { epsilon });
      return out;
    },
    add(a: View, b: View): View {
      sameShape('add', a, b);
      const out = fresh(a.rows, a.width);
      push('add', [a, b], [out]);
      return out;
    },
    multiply(a: View, b: View): View {
      sameShape('multiply', a, b);
      const out = fresh(a.rows, a.width);
      push('multiply', [a, b], [out]);
      return out;
    },
    addBias(x: View, bias: Weight): View {
      vectorOf('add_bias', bias, x.width);
      const out = fresh(x.rows, x.width);
      push('add_bias', [x], [out], [bias]);
      return out;
    },
    activate(x: View, activation: Activation): View {
      const out = fresh(x.rows, x.width);
      push('activate', [x], [out], [], { activation });
      return out;
    },
    rope(x: View, inverseFrequencies: Weight, rope: RopeAttributes): View {
      if (x.width % rope.headSize !== 0) refuse(`heads of ${rope.headSize} in ${describe(x)}`);
      vectorOf('rope', inverseFrequencies, rope.rotarySize / 2);
      const out = fresh(x.rows, x.width);
      push('rope', [x], [out], [inverseFrequencies], { numHeads: x.width / rope.headSize, ...rope });
      return out;
    },
    kvWrite(keys: View, keyValues: View, layer: number): void {
      sameShape('kv_write', keys, keyValues);
      push('kv_write', [keys, keyValues], [], [], { layer });
    },
    attention(
      queries: View,
      attributes: {
        layer: number;
        numHeads: number;
        numKvHeads: number;
        headSize: number;
        scale: number;
        window: number;
      },
    ): View {
      if (queries.width !== attributes.numHeads * attributes.headSize)
        refuse(`attention's heads in ${describe(queries)}`);
      const out = fresh(queries.rows, queries.width);
      push('attention', [queries], [out], [], attributes);
      return out;
    },
    attentionFull(
      queries: View,
      keys: View,
      keyValues: View,
      attributes: { numHeads: number; headSize: number; scale: number },
    ): View {
      sameShape('attention_full', queries, keys);
      sameShape('attention_full', keys, keyValues);
      if (queries.width !== attributes.numHeads * attributes.headSize)
        refuse(`attention's heads in ${describe(queries)}`);
      const out = fresh(queries.rows, queries.width);
      push('attention_full', [queries, keys, keyValues], [out], [], attributes);
      return out;
    },
    poolMean(x: View): View {
      const out = fresh('sequences', x.width);
      push('pool_mean', [x], [out]);
      return out;
    },
    poolFirst(x: View): View {
      const out = fresh('sequences', x.width);
      push('pool_first', [x], [out]);
      return out;
    },
    normalize(x: View): View {
      const out = fresh(x.rows, x.width);
      push('normalize', [x], [out]);
      return out;
    },
    finish(output: View): Graph {
      return { architecture, values, nodes, output };
    },
  };
}

export type GraphBuilder = ReturnType<typeof createGraphBuilder>;

function describe(view: View): string {
  return `a matrix of ${view.rows} × ${view.width}`;
}

function nameOf(weight: Weight): string {
  return weight.parts.map((part) => part.name).join(' + ');
}
