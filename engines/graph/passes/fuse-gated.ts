/**
 * act(gate) * up over the two halves of one value becomes `gated`.
 *
 * Neutral: the same activation and the same product (which does not depend on its order), without the matrix between.
 */
import { isChanged, readersOf, writerOf } from '../rewrite.ts';
import type { Graph, Node, View } from '../types.ts';

export function fuseGated(graph: Graph): Graph {
  const dropped = new Set<number>();
  const nodes = graph.nodes.map((node, index): Node => {
    if (node.op !== 'multiply') return node;
    const [a, b] = node.in as [View, View];
    const found = gateOf(graph, index, a, b) ?? gateOf(graph, index, b, a);
    if (found === null) return node;
    dropped.add(found.activateIndex);
    return { ...node, op: 'gated', in: [found.both], attributes: { activation: found.activation } };
  });
  return { ...graph, nodes: nodes.filter((_, index) => !dropped.has(index)) };
}

function gateOf(graph: Graph, productIndex: number, activated: View, up: View) {
  const activateIndex = writerOf(graph, activated);
  const activate = graph.nodes[activateIndex];
  if (activate?.op !== 'activate') return null;
  const gate = activate.in[0]!;
  const areHalves = gate.value === up.value && gate.first + gate.width === up.first && gate.width === up.width;
  const isReadHereOnly = readersOf(graph, activated).every((reader) => reader === productIndex);
  // The gate is read later than it was: it must still be what it was.
  if (!areHalves || !isReadHereOnly || isChanged(graph, gate)) return null;
  const both: View = { ...gate, width: gate.width + up.width };
  return { activateIndex, both, activation: activate.attributes.activation! };
}
