/** What the passes share: finding readers of values and rewriting nodes. */
import type { Graph, Node, View } from './graph.ts';

/** Whether two views are the same columns of the same value. */
export function sameView(a: View, b: View): boolean {
  return a.value === b.value && a.first === b.first && a.width === b.width;
}

/** Whether two views share a column. */
export function overlap(a: View, b: View): boolean {
  return a.value === b.value && a.first < b.first + b.width && b.first < a.first + a.width;
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

/** The graph with each value in `moved` read from another place: column c of it is column `to.first + c` of `to`. */
export function redirect(graph: Graph, moved: ReadonlyMap<number, View>): Graph {
  const move = (view: View): View => {
    const to = moved.get(view.value);
    return to === undefined ? view : { ...view, value: to.value, first: to.first + view.first };
  };
  const nodes = graph.nodes.map((node): Node => ({ ...node, in: node.in.map(move) }));
  return { ...graph, nodes, output: move(graph.output) };
}
