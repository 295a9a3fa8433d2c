/**
 * act(gate) * up over the two halves of one value becomes `gated`.
 *
 * Neutral: the same activation and the same product, without the matrix between them.
 */
import type { Graph } from '../graph.ts';
import { readersOf, writerOf } from '../rewrite.ts';

export function fuseGated(graph: Graph): Graph {
  const dropped = new Set<number>();
  const nodes = graph.nodes.map((node, index) => {
    if (node.op !== 'multiply') return node;
    const [activated, up] = [node.in[0]!, node.in[1]!];
    const activateIndex = writerOf(graph, activated);
    const activate = graph.nodes[activateIndex];
    if (activate?.op !== 'activate') return node;
    const gate = activate.in[0]!;
    const halves = gate.value === up.value && gate.first + gate.width === up.first && gate.width === up.width;
    const readHereOnly = readersOf(graph, activated).every((reader) => reader === index);
    if (!halves || !readHereOnly) return node;
    dropped.add(activateIndex);
    return {
      ...node,
      op: 'gated' as const,
      in: [{ ...gate, width: gate.width + up.width }],
      attributes: { activation: activate.attributes.activation! },
    };
  });
  return { ...graph, nodes: nodes.filter((_, index) => !dropped.has(index)) };
}
