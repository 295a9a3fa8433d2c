/** Gathers the graph's weights into the plan's table of tensors; what several steps read stands there once. */
import { type Graph, rowsOf, type Weight, type WeightPart } from '../graph.ts';
import type { Precision } from './choose-precision.ts';

export type BoundPart = WeightPart & {
  /** Row i of the plan is row `rowOrder[i]` of the checkpoint; absent = as they are. */
  readonly rowOrder?: Int32Array;
};

export type BoundTensor = Precision & {
  readonly name: string;
  readonly rows: number;
  readonly columns: number;
  readonly parts: readonly BoundPart[];
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
      const isVector = weight.use === 'vector';
      tensors.push({
        ...precisionOf(weight),
        name: keyOf(weight),
        rows: isVector ? 1 : rowsOf(weight),
        columns: weight.columns,
        parts: weight.parts.map((part) => {
          const rowOrder = rowOrderOf(part);
          return rowOrder === null ? part : { ...part, rowOrder };
        }),
      });
    }
  }
  return { tensors, indexOf: (weight) => indices.get(keyOf(weight))! };
}

function keyOf(weight: Weight): string {
  return weight.parts.map((part) => part.name).join('+');
}

/** From pairs side by side to pairs half a head apart: row h d + j d/2 + i comes from row h d + 2 i + j. */
function rowOrderOf(part: WeightPart): Int32Array | null {
  const size = part.adjacentPairsOfHead;
  if (size === undefined) return null;
  // A bias is turned with its rows: its numbers stand in one row, so the order is of columns there.
  const count = part.rows === 1 ? part.columns : part.rows;
  const order = new Int32Array(count);
  for (let row = 0; row < count; row++) {
    const place = row % size;
    const second = place >= size / 2 ? 1 : 0;
    order[row] = row - place + 2 * (place - (second * size) / 2) + second;
  }
  return order;
}
