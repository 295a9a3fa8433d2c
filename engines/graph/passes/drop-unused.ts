/**
 * Takes out what nobody reads: an operation whose outputs have no reader and that stores nothing.
 *
 * Neutral: what is left does not see the difference. Weights that only such operations read are not in the plan.
 */
import { readersOf } from '../rewrite.ts';
import type { Graph, OperationName } from '../types.ts';

/** They are there for what they write into the kv pages. */
const storing: ReadonlySet<OperationName> = new Set(['kv_write', 'rope_kv_write']);

export function dropUnused(graph: Graph): Graph {
  let { nodes } = graph;
  for (let index = nodes.length - 1; index >= 0; index--) {
    const { op, out } = nodes[index]!;
    const isRead = out.some((view) => readersOf({ ...graph, nodes }, view).length > 0);
    if (!isRead && !storing.has(op)) nodes = nodes.toSpliced(index, 1);
  }
  return { ...graph, nodes };
}
