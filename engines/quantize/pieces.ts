/**
 * Cuts a model into pieces that can be worked on one after another: wherever a single value alone lives on. In a Llama
 * that is before and after every block of attention and of feed forward, so a piece is half a layer.
 *
 * Each piece is a program of its own: it begins with an `embed` whose table is the hidden states that the piece before
 * it left, one row a token, and it ends with a `gather_outputs` of all rows, which are the table of the next.
 */
import type { Graph, Node, View } from '../graph/types.ts';

export type Piece = {
  /** The nodes of the graph from `first` to `endExclusive`. */
  readonly first: number;
  readonly endExclusive: number;
  /** The value that it reads; null for the first piece, which reads ids. */
  readonly input: View | null;
  /** The value that lives on; null for the last piece, whose output is the graph's. */
  readonly output: View | null;
};

/** The name under which a piece's program reads the table of hidden states. */
export const hiddenStates = '@hidden-states';

/** Pieces in order. One without a linear joins the next, so all but the last have one. */
export function cutIntoPieces(graph: Graph): Piece[] {
  const cuts = graph.nodes
    .map((_, index) => ({ index, view: loneValue(graph, index) }))
    .filter((cut): cut is { index: number; view: View } => cut.view !== null);
  const pieces: Piece[] = [];
  let first = 0;
  let input: View | null = null;
  for (const { index, view } of cuts) {
    if (!graph.nodes.slice(first, index).some(({ op }) => op === 'linear')) continue;
    pieces.push({ first, endExclusive: index, input, output: view });
    [first, input] = [index, view];
  }
  pieces.push({ first, endExclusive: graph.nodes.length, input, output: null });
  return pieces;
}

/** The only value that is read from node `index` on and written before it, if it has a row a token; else null. */
function loneValue(graph: Graph, index: number): View | null {
  const written = new Set(graph.nodes.slice(0, index).flatMap(({ out }) => out.map(({ value }) => value)));
  const later = graph.nodes.slice(index);
  const read = [...later.flatMap((node) => node.in), graph.output].filter(({ value }) => written.has(value));
  const alive = new Set(read.map(({ value }) => value));
  if (alive.size !== 1) return null;
  // Keys and values in the kv pages live on, too, until the last attention over them.
  const stored = new Set(
    graph.nodes
      .slice(0, index)
      .filter(writesKv)
      .map(({ attributes }) => attributes.layer),
  );
  if (later.some(({ op, attributes }) => op === 'attention' && stored.has(attributes.layer))) return null;
  const [value] = alive as Set<number>;
  const { rows, width } = graph.values[value!]!;
  return rows === 'tokens' ? { value: value!, rows, first: 0, width } : null;
}

function writesKv({ op }: Node): boolean {
  return op === 'kv_write' || op === 'rope_kv_write';
}

/** The piece as a graph of its own, over the values of the whole. Its kv layers are numbered from 0. */
export function graphOfPiece(graph: Graph, piece: Piece): Graph {
  const nodes: Node[] = [];
  const values = [...graph.values];
  if (piece.input !== null) {
    const part = { name: hiddenStates, rows: 1, columns: piece.input.width, from: 'f32' };
    const table = { use: 'table' as const, columns: piece.input.width, parts: [part] };
    nodes.push({ op: 'embed', from: null, in: [], out: [piece.input], weights: [table], attributes: { scale: 1 } });
  }
  const layers: unknown[] = [];
  for (const node of graph.nodes.slice(piece.first, piece.endExclusive)) {
    const { layer } = node.attributes;
    if (layer === undefined) {
      nodes.push(node);
      continue;
    }
    if (!layers.includes(layer)) layers.push(layer);
    nodes.push({ ...node, attributes: { ...node.attributes, layer: layers.indexOf(layer) } });
  }
  if (piece.output === null) return { ...graph, values, nodes };
  values.push({ rows: 'outputs', width: piece.output.width });
  const output: View = { value: values.length - 1, rows: 'outputs', first: 0, width: piece.output.width };
  nodes.push({ op: 'gather_outputs', from: null, in: [piece.output], out: [output], weights: [], attributes: {} });
  return { ...graph, values, nodes, output };
}

/** How many nodes of a piece's graph stand before those of the whole graph. */
export function nodesBefore(piece: Piece): number {
  return piece.input === null ? 0 : 1;
}

/** The kv cache that a piece needs, or null. */
export function kvOfPiece(
  graph: Graph,
  piece: Piece,
): { numLayers: number; numHeads: number; headSize: number } | null {
  const nodes = graph.nodes.slice(piece.first, piece.endExclusive);
  const attention = nodes.filter(({ op }) => op === 'attention');
  if (attention.length === 0) return null;
  const { numKvHeads, headSize } = attention[0]!.attributes;
  const numLayers = new Set(nodes.filter(writesKv).map(({ attributes }) => attributes.layer)).size;
  return { numLayers, numHeads: Number(numKvHeads), headSize: Number(headSize) };
}

/** Whether a row of the piece depends on other rows of its sequence, or on its place in it. */
export function mixesRows(graph: Graph, piece: Piece): boolean {
  const mixing = new Set(['attention', 'attention_full', 'add_positions', 'add_segments', 'rope', 'rope_kv_write']);
  return graph.nodes.slice(piece.first, piece.endExclusive).some(({ op }) => mixing.has(op));
}
