/**
 * The language that architectures are written in: a graph of typed operations on matrices with one row per token, per
 * wanted output or per sequence. What an operation does is written beside its signature in `kernels/ops.h`.
 *
 * A value is written once. An operation that changes its input in place (an added residual, turned heads) yields a new
 * value; the pass that lays out buffers puts both in the same place and refuses a later reader of the old one.
 */
import { ModelError } from '../model-error.ts';

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

/** What the graph must know of a checkpoint's tensors: their shapes and types. */
export type TensorShapes = ReadonlyMap<
  string,
  { readonly rows: number; readonly columns: number; readonly type: string }
>;

/** Which rows of the checkpoint's tensor a weight takes, and how it stands there. */
export type Taking = {
  /** Row i of the weight is row `order[i]` of the tensor. */
  order?: Int32Array;
  /** How many rows the checkpoint's tensor has; absent = as many as the weight. */
  tensorRows?: number;
  transposed?: boolean;
  plus?: number;
};

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

  const find = (name: string, rows: number, columns: number, use: WeightUse, taking: Taking = {}): Weight | null => {
    const tensor = tensors.get(name);
    if (tensor === undefined) return null;
    const { order, tensorRows, transposed, plus } = taking;
    // A vector has one row, however the checkpoint writes its shape; it is taken from by its numbers.
    const wanted = rows === 1 ? [1, tensorRows ?? columns] : [tensorRows ?? rows, columns];
    const [wantedRows, wantedColumns] = transposed === true ? wanted.toReversed() : wanted;
    if (tensor.rows !== wantedRows || tensor.columns !== wantedColumns) {
      throw new ModelError(
        'invalid-checkpoint',
        `${architecture}: the tensor ${name} is ${tensor.rows} × ${tensor.columns}, but ${wantedRows} × ${wantedColumns} is needed.`,
      );
    }
    if (order !== undefined && order.length !== (rows === 1 ? columns : rows)) {
      refuse(`${name} is taken in an order of ${order.length} rows`);
    }
    const part: WeightPart = {
      name,
      rows,
      columns,
      from: tensor.type,
      ...(order === undefined ? {} : { order }),
      ...(transposed === true ? { transposed } : {}),
      ...(plus === undefined ? {} : { plus }),
    };
    return { use, columns, parts: [part] };
  };

  return {
    refuse,
    has: (name: string): boolean => tensors.has(name),
    optional: find,
    /** A matrix `rows` × `columns` (a linear's [N, K]) of the checkpoint. */
    weight(name: string, rows: number, columns: number, use: WeightUse = 'linear', taking?: Taking): Weight {
      const weight = find(name, rows, columns, use, taking);
      if (weight === null) {
        throw new ModelError('invalid-checkpoint', `${architecture}: the checkpoint has no tensor ${name}.`);
      }
      return weight;
    },
    vector(name: string, columns: number, taking?: Taking): Weight {
      return this.weight(name, 1, columns, 'vector', taking);
    },
    /** Row `row` of a matrix `rows` × `columns` of the checkpoint, as a vector. */
    row(name: string, rows: number, columns: number, row: number): Weight {
      const { parts } = this.weight(name, rows, columns, 'vector');
      return { use: 'vector', columns, parts: [{ ...parts[0]!, rows: 1, order: Int32Array.of(row) }] };
    },
    /** Some columns of a value. */
    columns(x: View, first: number, width: number): View {
      if (first < 0 || width < 1 || first + width > x.width)
        refuse(`columns ${first} to ${first + width} of ${describe(x)}`);
      return { ...x, first: x.first + first, width };
    },
    index(name: string, numbers: Int32Array): Weight {
      const columns = numbers.length;
      return { use: 'index', columns, parts: [{ name, rows: 1, columns, from: 'i32', values: numbers }] };
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
    /** Adds the row of each token's segment: which of two texts it belongs to. */
    addSegments(x: View, table: Weight): View {
      if (table.columns !== x.width) refuse(`segments of width ${table.columns} on ${describe(x)}`);
      const out = fresh(x.rows, x.width);
      push('add_segments', [x], [out], [table]);
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
    /** Without a bias: zeros. */
    layerNorm(x: View, weight: Weight, bias: Weight | null, epsilon: number): View {
      const shift = bias ?? this.constant(`zeros.${x.width}`, new Float32Array(x.width));
      vectorOf('layer_norm', weight, x.width);
      vectorOf('layer_norm', shift, x.width);
      const out = fresh(x.rows, x.width);
      push('layer_norm', [x], [out], [weight, shift], { epsilon });
      return out;
    },
    /** Each head of `headSize` columns normed by itself, all with the same weight. */
    rmsNormHeads(x: View, weight: Weight, headSize: number, epsilon: number): View {
      if (x.width % headSize !== 0) refuse(`heads of ${headSize} in ${describe(x)}`);
      vectorOf('rms_norm_heads', weight, headSize);
      const out = fresh(x.rows, x.width);
      push('rms_norm_heads', [x], [out], [weight], { numHeads: x.width / headSize, headSize, epsilon });
      return out;
    },
    /** cap · tanh(x / cap) */
    softCap(x: View, cap: number): View {
      const out = fresh(x.rows, x.width);
      push('soft_cap', [x], [out], [], { cap });
      return out;
    },
    /** Between −limit and limit. */
    clamp(x: View, limit: number): View {
      const out = fresh(x.rows, x.width);
      push('clamp', [x], [out], [], { limit });
      return out;
    },
    /** Column i of the result is column `index[i]` of x. */
    permuteColumns(x: View, index: Weight): View {
      if (index.use !== 'index' || index.columns !== x.width) refuse(`an index of ${index.columns} for ${describe(x)}`);
      const out = fresh(x.rows, x.width);
      push('permute_columns', [x], [out], [index]);
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
        /** Scores become softCap · tanh(scores / softCap); 0 = none. */
        softCap?: number;
      },
      /** [numHeads] ALiBi: what a score loses per token of distance (arXiv 2108.12409). */
      slopes: Weight | null = null,
    ): View {
      if (queries.width !== attributes.numHeads * attributes.headSize)
        refuse(`attention's heads in ${describe(queries)}`);
      if (slopes !== null) vectorOf('attention', slopes, attributes.numHeads);
      const out = fresh(queries.rows, queries.width);
      push('attention', [queries], [out], slopes === null ? [] : [slopes], attributes);
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

/**
 * The order that puts rotary pairs half a turned part apart (i, i + rotarySize / 2), where the checkpoint has a pair's two
 * rows side by side (2i, 2i + 1); rows of a head past `rotarySize` stay.
 */
export function pairsApart(numRows: number, headSize: number, rotarySize: number): Int32Array {
  return Int32Array.from({ length: numRows }, (_, row) => {
    const place = row % headSize;
    if (place >= rotarySize) return row;
    const second = place >= rotarySize / 2 ? 1 : 0;
    return row - place + 2 * (place - (second * rotarySize) / 2) + second;
  });
}
