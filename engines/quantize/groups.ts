/**
 * Which linears read the same value, and where a scale of its columns can go instead.
 *
 * AWQ multiplies the columns of some linears by s and must divide what they read by s. That costs nothing where it can be
 * folded into what produces the value: a norm's weight, the rows of the linear that feeds a product, of the one that
 * makes attention's values, or of one before a ReLU. The groups are found on the graph, so a new architecture has them
 * without a line of its own.
 */

import { overlap, readersOf, sameView } from '../graph/rewrite.ts';
import type { Graph, Node, View, Weight } from '../graph/types.ts';

/** Rows of a matrix, or columns of a vector, that are divided by the scale. */
export type Fold = { readonly weight: Weight; readonly what: 'rows' | 'columns'; readonly first: number };

export type LinearGroup = {
  /** What its linears read. */
  readonly input: View;
  /** Indices of the linears in the graph. */
  readonly linears: readonly number[];
  /** Where the scale goes; null where it can go nowhere, and only clipping helps. */
  readonly folds: readonly Fold[] | null;
};

/** The groups of the linears for which `takes` holds, in the order of the graph. */
export function findGroups(graph: Graph, takes: (node: Node) => boolean): LinearGroup[] {
  const groups: { input: View; linears: number[] }[] = [];
  graph.nodes.forEach((node, index) => {
    if (node.op !== 'linear' || !takes(node)) return;
    const input = node.in[0]!;
    const group = groups.find((other) => sameView(other.input, input));
    if (group === undefined) groups.push({ input, linears: [index] });
    else group.linears.push(index);
  });
  return groups.map((group) => ({ ...group, folds: foldsOf(graph, group.input, new Set(group.linears)) }));
}

/**
 * Whether a linear makes queries or keys, alone or among others. Their rounding meets in a product and then in a softmax;
 * clipping them by their own error makes models worse (as AutoAWQ, it leaves them out).
 */
export function makesQueriesOrKeys(graph: Graph, linear: number): boolean {
  return reaches(graph, graph.nodes[linear]!.out[0]!);
}

/** Whether a view comes to attention as queries or keys through operations that keep its columns where they are. */
function reaches(graph: Graph, view: View): boolean {
  const keepsColumns = new Set(['rope', 'rms_norm_heads', 'add_bias', 'clamp']);
  return graph.nodes.some((node) =>
    node.in.some((input, place) => {
      if (!overlap(input, view)) return false;
      if (node.op === 'attention' || node.op === 'kv_write') return place === 0;
      if (node.op === 'attention_full') return place < 2;
      return keepsColumns.has(node.op) && reaches(graph, node.out[0]!);
    }),
  );
}

/** Where the inverse scale of the columns of `view` can be folded, when only `readers` read it. */
function foldsOf(graph: Graph, view: View, readers: ReadonlySet<number>): Fold[] | null {
  if (!readersOf(graph, view).every((reader) => readers.has(reader))) return null;
  const writer = graph.nodes.findIndex((node) => node.out.some((out) => out.value === view.value));
  const node = graph.nodes[writer];
  if (node === undefined) return null;
  const whole = sameView(node.out[0]!, view);
  switch (node.op) {
    case 'rms_norm':
    case 'layer_norm': {
      const vectors = node.weights.filter((weight) => weight !== null);
      if (!whole || !vectors.every((weight) => usedOnce(graph, weight))) return null;
      return vectors.map((weight) => ({ weight, what: 'columns' as const, first: 0 }));
    }
    case 'add_bias': {
      const [bias] = node.weights;
      const before = whole && usedOnce(graph, bias!) ? foldsOf(graph, node.in[0]!, new Set([writer])) : null;
      return before && [...before, { weight: bias!, what: 'columns', first: 0 }];
    }
    case 'gather_outputs':
      return whole ? foldsOf(graph, node.in[0]!, new Set([writer])) : null;
    case 'linear': {
      // max(0, y / s) = max(0, y) / s; GELU and SiLU have no such rule.
      const { activation } = node.attributes;
      const scalable = activation === 'none' || activation === 'relu';
      const weights = node.weights.filter((weight) => weight !== null);
      if (!scalable || !weights.every((weight) => usedOnce(graph, weight))) return null;
      return weights.map((weight, place) => ({
        weight,
        what: place === 0 ? ('rows' as const) : ('columns' as const),
        first: view.first - node.out[0]!.first,
      }));
    }
    case 'activate':
      return whole && node.attributes.activation === 'relu' ? foldsOf(graph, node.in[0]!, new Set([writer])) : null;
    case 'multiply': {
      if (!whole) return null;
      // The activated half cannot take it; the other, straight from its linear, can.
      const candidates = [...node.in].reverse().map((input) => foldsOf(graph, input, new Set([writer])));
      return candidates.find((folds) => folds !== null) ?? null;
    }
    case 'attention': {
      const { layer, numHeads, numKvHeads } = node.attributes;
      const write = graph.nodes.findIndex((other) => other.op === 'kv_write' && other.attributes.layer === layer);
      const shared = graph.nodes.filter((other) => other.op === 'attention' && other.attributes.layer === layer);
      if (!whole || write < 0 || numHeads !== numKvHeads || shared.length !== 1) return null;
      return foldsOf(graph, graph.nodes[write]!.in[1]!, new Set([write]));
    }
    case 'attention_full':
      return whole ? foldsOf(graph, node.in[2]!, new Set([writer])) : null;
    default:
      return null;
  }
}

/** A weight that another step reads, too (a tied head, a shared norm), cannot be changed for one of them. */
function usedOnce(graph: Graph, weight: Weight): boolean {
  const names = new Set(weight.parts.map(({ name }) => name));
  const users = graph.nodes.filter((node) =>
    node.weights.some((other) => other?.parts.some((part) => names.has(part.name))),
  );
  // Rows of one tensor of the checkpoint (q, k and v out of one) are weights of their own.
  const same = users.filter((node) => node.weights.some((other) => other !== null && sameWeight(other, weight)));
  return same.length === 1 && weight.parts.every(({ values }) => values === undefined);
}

function sameWeight(a: Weight, b: Weight): boolean {
  if (a.parts.length !== b.parts.length) return false;
  return a.parts.every((part, index) => {
    const other = b.parts[index]!;
    return part.name === other.name && (part.order === other.order || String(part.order) === String(other.order));
  });
}
