/** Small graphs for the tests of single passes: a builder over a checkpoint that has whatever is asked for. */
import {
  createGraphBuilder,
  type Graph,
  type GraphBuilder,
  type TensorShapes,
  type View,
} from '../../../engines/graph/graph.ts';

export const anyShapes = (type = 'f32'): TensorShapes => ({
  get: () => undefined,
  has: () => false,
  keys: () => [],
  imagine: (_name, rows, columns, optional) => (optional ? null : { rows, columns, type }),
});

export const size = 32;

/** A graph that begins with 40 tokens' rows of `size` and ends with what `body` gives. */
export function graphOf(body: (g: GraphBuilder, x: View) => View, type = 'f32'): Graph {
  const g = createGraphBuilder('small', anyShapes(type));
  return g.finish(body(g, g.embed(g.weight('table', 40, size, 'table'))));
}

export const opsOf = (graph: Graph): string[] => graph.nodes.map(({ op }) => op);
