/**
 * GPTQ's act-order: the columns of a linear are of groups in any order. Where the plan keeps the groups, its columns are
 * sorted by group, and `permute_columns` turns the input in the same way; linears that read the same input in the same
 * order share it. Where the plan keeps no groups the columns stay as they are.
 *
 * Neutral: the same products, in another order of the sum.
 */
import { sameView } from '../rewrite.ts';
import type { Graph, Node, View, Weight } from '../types.ts';

export function orderColumns(graph: Graph, keepsGroups: (weight: Weight) => boolean): Graph {
  const values = [...graph.values];
  const turned: { from: View; order: Int32Array; to: View }[] = [];
  const nodes = graph.nodes.flatMap((node): Node[] => {
    const weight = node.op === 'linear' ? node.weights[0] : null;
    const order = weight?.parts[0]?.columnOrder;
    if (weight == null || order === undefined) return [node];
    if (!keepsGroups(weight)) return [{ ...node, weights: [withoutOrder(weight), ...node.weights.slice(1)] }];

    const from = node.in[0]!;
    const known = turned.find((one) => sameView(one.from, from) && sameOrder(one.order, order));
    if (known !== undefined) return [{ ...node, in: [known.to] }];
    values.push({ rows: from.rows, width: from.width });
    const to: View = { value: values.length - 1, rows: from.rows, first: 0, width: from.width };
    turned.push({ from, order, to });
    const columns = order.length;
    const name = `${weight.parts[0]!.name}.columns`;
    const index: Weight = { use: 'index', columns, parts: [{ name, rows: 1, columns, from: 'i32', values: order }] };
    return [
      { op: 'permute_columns', from: node.from, in: [from], out: [to], weights: [index], attributes: {} },
      { ...node, in: [to] },
    ];
  });
  return { ...graph, values, nodes };
}

function withoutOrder(weight: Weight): Weight {
  return { ...weight, parts: weight.parts.map(({ columnOrder: _, ...part }) => part) };
}

function sameOrder(a: Int32Array, b: Int32Array): boolean {
  return a.length === b.length && a.every((column, place) => column === b[place]);
}
