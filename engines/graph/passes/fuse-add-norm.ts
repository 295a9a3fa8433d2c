/**
 * The residual's add and the norm after it become one pass: `add_rms_norm`, `add_layer_norm`.
 *
 * Neutral: the same sum, kept in the residual's place, and the same norm of it. Done only where nobody reads the
 * residual as it was before the add.
 */
import { isWhole, readersOf, sameView } from '../rewrite.ts';
import type { Graph, Node } from '../types.ts';

export function fuseAddNorm(graph: Graph): Graph {
  const dropped = new Set<number>();
  const nodes = graph.nodes.map((node, index): Node => {
    if (node.op !== 'add') return node;
    const sum = node.out[0]!;
    const normIndex = graph.nodes.findIndex(
      (other) => (other.op === 'rms_norm' || other.op === 'layer_norm') && sameView(other.in[0]!, sum),
    );
    if (normIndex < 0) return node;
    const norm = graph.nodes[normIndex]!;
    const place = node.in.findIndex((input) => {
      return isWhole(graph, input) && readersOf(graph, input).every((reader) => reader <= index);
    });
    if (place < 0 || node.in[0]!.value === node.in[1]!.value) return node;
    dropped.add(normIndex);
    return {
      from: node.from,
      op: norm.op === 'rms_norm' ? 'add_rms_norm' : 'add_layer_norm',
      in: [node.in[place]!, node.in[1 - place]!],
      out: [sum, norm.out[0]!],
      weights: norm.weights,
      attributes: norm.attributes,
    };
  });
  return { ...graph, nodes: nodes.filter((_, index) => !dropped.has(index)) };
}
