/** Gathers the graph's weights into the plan's table of tensors; what several steps read stands there once. */
import { type Graph, rowsOf, type Weight, type WeightPart } from '../types.ts';
import type { Precision } from './choose-precision.ts';

export type BoundTensor = Precision & {
  readonly name: string;
  readonly rows: number;
  readonly columns: number;
  readonly parts: readonly WeightPart[];
};

export function bindWeights(
  graph: Graph,
  precisionOf: (weight: Weight) => Precision,
): { tensors: BoundTensor[]; indexOf: (weight: Weight) => number } {
  const tensors: BoundTensor[] = [];
  const indices = new Map<string, number>();
  for (const node of graph.nodes) {
    for (const weight of node.weights) {
      if (weight === null || indices.has(keyOf(weight))) continue;
      indices.set(keyOf(weight), tensors.length);
      const isVector = weight.use === 'vector' || weight.use === 'index';
      tensors.push({
        ...precisionOf(weight),
        name: keyOf(weight),
        rows: isVector ? 1 : rowsOf(weight),
        columns: weight.columns,
        parts: weight.parts,
      });
    }
  }
  return { tensors, indexOf: (weight) => indices.get(keyOf(weight))! };
}

/** What is read in two ways (a row of a table, the rows of q out of q + k + v) is two tensors of the plan. */
function keyOf(weight: Weight): string {
  return weight.parts.map(partKey).join('+');
}

/** A part's name in the plan: the tensor's, and how it is taken where that is not as it stands. */
export function partKey({ name, order, transposed, plus }: WeightPart): string {
  const rows = order === undefined ? '' : `[${rangeOf(order)}]`;
  return `${name}${rows}${transposed === true ? '(turned)' : ''}${plus === undefined ? '' : `(plus ${plus})`}`;
}

/** The checkpoint's tensors that the graph does not read: a forgotten bias makes a model that runs and is another one. */
export function unreadTensors(graph: Graph, names: Iterable<string>): string[] {
  const parts = graph.nodes.flatMap((node) => node.weights.flatMap((weight) => weight?.parts ?? []));
  const read = new Set(parts.map((part) => part.name));
  return [...names].filter((name) => !read.has(name));
}

function rangeOf(order: Int32Array): string {
  let digest = 0;
  for (const row of order) digest = (Math.imul(digest, 31) + row) | 0;
  return `${order[0]}..${order.at(-1)}:${(digest >>> 0).toString(16)}`;
}
