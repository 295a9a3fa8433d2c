/** What architectures write with: each method adds an operation to the graph, or names a weight of the checkpoint. */
import { ModelError } from '../model-error.ts';
import { callingLine } from './blame.ts';
import {
  type Activation,
  type Attributes,
  type Graph,
  type Node,
  type OperationName,
  type RopeAttributes,
  type RowKind,
  rowsOf,
  type Taking,
  type TensorShapes,
  type View,
  type Weight,
  type WeightUse,
} from './types.ts';
import { createWeightFinder } from './weights.ts';

/**
 * Builds a graph. Every mismatch fails at once with a `ModelError` that begins with the line of the architecture
 * (`llama.ts:45: llama: …`) and names the tensor, or the widths that do not fit.
 */
export function createGraphBuilder(architecture: string, tensors: TensorShapes) {
  const values: { rows: RowKind; width: number }[] = [];
  const nodes: Node[] = [];

  const sentence = (what: string): string => {
    const line = callingLine();
    return `${line === null ? '' : `${line}: `}${architecture}: ${what}`;
  };
  const refuse = (what: string): never => {
    throw new ModelError('unsupported-model', `${sentence(what)}.`);
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
    nodes.push({ op, from: callingLine(), in: inputs, out, weights, attributes });
  };
  const sameShape = (op: string, a: View, b: View) => {
    if (a.width !== b.width || a.rows !== b.rows) refuse(`${op} of ${describe(a)} and ${describe(b)}`);
  };
  const vectorOf = (op: string, weight: Weight, width: number) => {
    if (weight.columns !== width || rowsOf(weight) !== 1) {
      refuse(`${op} wants ${width} numbers, ${nameOf(weight)} has ${rowsOf(weight)} × ${weight.columns}`);
    }
  };

  const { find, keepOne, nearest } = createWeightFinder(tensors, sentence);

  return {
    refuse,
    has: (name: string): boolean => tensors.has(name),
    /** As `weight`, null where the checkpoint has no such tensor. */
    optional: (name: string, rows: number, columns: number, use: WeightUse, taking: Taking = {}): Weight | null =>
      find(name, rows, columns, use, taking, true),
    /** A matrix `rows` × `columns` (a linear's [N, K]) of the checkpoint. */
    weight(name: string, rows: number, columns: number, use: WeightUse = 'linear', taking: Taking = {}): Weight {
      const weight = find(name, rows, columns, use, taking, false);
      if (weight !== null) return weight;
      const near = nearest(name);
      const hint = near === null ? '' : ` Did you mean ${near}?`;
      throw new ModelError('invalid-checkpoint', sentence(`the checkpoint has no tensor ${name}.${hint}`));
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
      keepOne(name, numbers);
      const columns = numbers.length;
      return { use: 'index', columns, parts: [{ name, rows: 1, columns, from: 'i32', values: numbers }] };
    },
    /** Numbers that the architecture computes; the plan keeps them once under their name. */
    constant(name: string, numbers: Float32Array): Weight {
      keepOne(name, numbers);
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
    /** The graph whose output is `output`: all columns of the logits or the embeddings. */
    finish(output: View): Graph {
      if (output.width !== values[output.value]!.width)
        refuse(`the output is ${output.width} columns of a wider value`);
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

const maxTurnedRows = 2 ** 20;

/**
 * The order that puts rotary pairs half a turned part apart (i, i + rotarySize / 2), where the checkpoint has a pair's two
 * rows side by side (2i, 2i + 1); rows of a head past `rotarySize` stay.
 */
export function pairsApart(numRows: number, headSize: number, rotarySize: number): Int32Array {
  // Asked for before the tensor's shape is known: the numbers are the config's. The largest known models have 2^15.
  if (numRows > maxTurnedRows) throw new ModelError('invalid-checkpoint', `Heads of ${numRows} rows are impossible.`);
  return Int32Array.from({ length: numRows }, (_, row) => {
    const place = row % headSize;
    if (place >= rotarySize) return row;
    const second = place >= rotarySize / 2 ? 1 : 0;
    return row - place + 2 * (place - (second * rotarySize) / 2) + second;
  });
}
