/** What the passes share: finding readers of values and rewriting nodes. */
import { type Graph, inPlaceOperations, type Node, type View, type Weight } from './types.ts';

/** Whether two views are the same columns of the same value. */
export function sameView(a: View, b: View): boolean {
  return a.value === b.value && a.first === b.first && a.width === b.width;
}

/** Whether two views share a column. */
export function overlap(a: View, b: View): boolean {
  return a.value === b.value && a.first < b.first + b.width && b.first < a.first + a.width;
}

/** Whether a view is all columns of its value. */
export function isWhole(graph: Graph, view: View): boolean {
  return view.first === 0 && view.width === graph.values[view.value]!.width;
}

/** Indices of the nodes that read any column of `view`; the graph's end counts as node `nodes.length`. */
export function readersOf(graph: Graph, view: View): number[] {
  const readers: number[] = [];
  graph.nodes.forEach((node, index) => {
    if (node.in.some((input) => overlap(input, view))) readers.push(index);
  });
  if (overlap(graph.output, view)) readers.push(graph.nodes.length);
  return readers;
}

/** The index of the node that writes the whole of `view`, or -1. */
export function writerOf(graph: Graph, view: View): number {
  return graph.nodes.findIndex((node) => node.out.some((out) => sameView(out, view)));
}

/** Whether an operation changes a column of `view` in place. */
export function isChanged(graph: Graph, view: View): boolean {
  return graph.nodes.some((node) => inPlaceOperations.has(node.op) && overlap(node.in[0]!, view));
}

/**
 * Whether the output is `view`, or `view` changed in place: then it stands in the output's buffer, which belongs to
 * nothing else.
 */
export function becomesOutput(graph: Graph, view: View): boolean {
  if (graph.output.value === view.value) return true;
  return graph.nodes.some(
    (node) => inPlaceOperations.has(node.op) && overlap(node.in[0]!, view) && becomesOutput(graph, node.out[0]!),
  );
}

/** The graph with each value in `moved` read from another place: column c of it is column `to.first + c` of `to`. */
export function redirect(graph: Graph, moved: ReadonlyMap<number, View>): Graph {
  const move = (view: View): View => {
    const to = moved.get(view.value);
    return to === undefined ? view : { ...view, value: to.value, first: to.first + view.first };
  };
  const nodes = graph.nodes.map((node): Node => {
    return node.in.some((view) => moved.has(view.value)) ? { ...node, in: node.in.map(move) } : node;
  });
  return { ...graph, nodes, output: move(graph.output) };
}

/** Vectors side by side as one. */
export function joinVectors(vectors: readonly Weight[]): Weight {
  return {
    use: 'vector',
    columns: vectors.reduce((sum, vector) => sum + vector.columns, 0),
    parts: vectors.flatMap((vector) => vector.parts),
  };
}
