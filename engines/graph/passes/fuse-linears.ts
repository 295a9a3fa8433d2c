/**
 * Linears of the same input become one: q + k + v, gate + up. One pass over the activations instead of several, and one
 * long matrix for the threads to share. Their outputs become columns of one wider value.
 *
 * Neutral: every output is still the same dot product of the same row of weights with the same input.
 */
import { becomesOutput, joinVectors, redirect, sameView } from '../rewrite.ts';
import type { Graph, Node, View, Weight } from '../types.ts';

/** Quantized weights stand in blocks of 16 rows: a part that does not fill its last block cannot be followed by another. */
const rowsOfBlock = 16;

export function fuseLinears(graph: Graph): Graph {
  const values = [...graph.values];
  const moved = new Map<number, View>();
  const nodes: Node[] = [];
  const taken = new Set<Node>();

  for (const first of graph.nodes) {
    if (taken.has(first)) continue;
    const group = first.op === 'linear' ? siblingsOf(graph, first) : [first];
    for (const node of group) taken.add(node);
    if (group.length === 1) {
      nodes.push(first);
      continue;
    }
    const rows = first.out[0]!.rows;
    const width = group.reduce((sum, node) => sum + node.out[0]!.width, 0);
    values.push({ rows, width });
    const value = values.length - 1;
    let firstColumn = 0;
    for (const node of group) {
      const out = node.out[0]!;
      moved.set(out.value, { value, rows, first: firstColumn, width: out.width });
      firstColumn += out.width;
    }
    nodes.push({
      ...first,
      out: [{ value, rows, first: 0, width }],
      weights: [
        stack(group.map((node) => node.weights[0]!)),
        first.weights[1] === null ? null : joinVectors(group.map((node) => node.weights[1]!)),
      ],
    });
  }
  return redirect({ ...graph, values, nodes }, moved);
}

/** `first` and the linears after it that read the same columns and can stand below it in one matrix. */
function siblingsOf(graph: Graph, first: Node): Node[] {
  const group: Node[] = [];
  for (const node of graph.nodes) {
    const fits =
      node.op === 'linear' &&
      sameView(node.in[0]!, first.in[0]!) &&
      node.attributes.activation === first.attributes.activation &&
      (node.weights[1] === null) === (first.weights[1] === null) &&
      node.weights[0]!.use === first.weights[0]!.use &&
      // The output has a buffer to itself.
      !becomesOutput(graph, node.out[0]!);
    if (!fits) continue;
    const before = group.at(-1);
    if (before !== undefined && before.out[0]!.width % rowsOfBlock !== 0) break;
    group.push(node);
  }
  return group.includes(first) && group[0] === first ? group : [first];
}

function stack(weights: Weight[]): Weight {
  return { ...weights[0]!, parts: weights.flatMap((weight) => weight.parts) };
}
