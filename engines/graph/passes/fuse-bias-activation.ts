/**
 * A linear, its bias and its activation, written one after the other, become one operation: the sums are still in
 * registers when the bias is added and the activation applied.
 *
 * Neutral: the same sum, the same number added to it, the same function of it. An activation that a product reads stays:
 * it is a gate's, and `fuse-gated` has a use for it.
 */
import { joinVectors, readersOf, writerOf } from '../rewrite.ts';
import type { Graph, Node } from '../types.ts';

export function fuseBiasActivation(graph: Graph): Graph {
  const nodes = [...graph.nodes];
  const live = (): Graph => ({ ...graph, nodes });
  for (let index = 0; index < nodes.length; index++) {
    const node = nodes[index]!;
    if (node.op !== 'add_bias' && node.op !== 'activate') continue;
    const writerIndex = writerOf(live(), node.in[0]!);
    const linear = nodes[writerIndex];
    if (linear?.op !== 'linear' || linear.attributes.activation !== 'none') continue;
    // What the linear wrote is read here alone, so nobody misses it.
    if (readersOf(live(), linear.out[0]!).some((reader) => reader !== index)) continue;
    const fused = node.op === 'add_bias' ? withBias(linear, node) : withActivation(linear, node, live());
    if (fused === null) continue;
    nodes[writerIndex] = fused;
    nodes.splice(index--, 1);
  }
  return live();
}

function withBias(linear: Node, { weights, out }: Node): Node | null {
  if (linear.weights[1] !== null) return null;
  return { ...linear, out, weights: [linear.weights[0]!, joinVectors([weights[0]!])] };
}

function withActivation(linear: Node, { attributes, out }: Node, graph: Graph): Node | null {
  const isGate = readersOf(graph, out[0]!).some((reader) => graph.nodes[reader]?.op === 'multiply');
  return isGate ? null : { ...linear, out, attributes: { ...linear.attributes, activation: attributes.activation! } };
}
