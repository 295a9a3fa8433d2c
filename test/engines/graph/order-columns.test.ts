import { describe, expect, test } from 'vitest';
import { createGraphBuilder } from '../../../engines/graph/graph.ts';
import { orderColumns } from '../../../engines/graph/passes/order-columns.ts';

const [one, other] = [Int32Array.of(2, 0, 3, 1), Int32Array.of(3, 2, 1, 0)];

/** Four linears of one input: two in one order, one in another, one in none; and one of the first's output. */
function graph() {
  const tensor = (columnOrder?: Int32Array) => ({
    rows: 4,
    columns: 4,
    type: 'gptq-4-128-f16',
    ...(columnOrder === undefined ? {} : { columnOrder }),
  });
  const g = createGraphBuilder(
    'small',
    new Map([
      ['table', { rows: 8, columns: 4, type: 'f16' }],
      ['a', tensor(one)],
      ['b', tensor(Int32Array.from(one))],
      ['c', tensor(other)],
      ['d', tensor()],
      ['e', tensor(one)],
    ]),
  );
  const x = g.embed(g.weight('table', 8, 4, 'table'));
  const linears = ['a', 'b', 'c', 'd'].map((name) => g.linear(x, g.weight(name, 4, 4)));
  const last = g.linear(linears[0]!, g.weight('e', 4, 4));
  return g.finish([...linears.slice(1), last].reduce((sum, value) => g.add(sum, value)));
}

describe('The order of the columns', () => {
  test('turns an input once for all linears that read it in the same order', () => {
    const { nodes } = orderColumns(graph(), () => true);
    const turns = nodes.filter(({ op }) => op === 'permute_columns');
    expect(turns.map(({ weights }) => weights[0]!.parts[0]!.values)).toEqual([one, other, one]);
    const inputs = new Map(
      nodes.filter(({ op }) => op === 'linear').map((node) => [node.weights[0]!.parts[0]!.name, node.in[0]!.value]),
    );
    const outputs = turns.map(({ out }) => out[0]!.value);
    expect(inputs.get('a')).toBe(outputs[0]);
    expect(inputs.get('b')).toBe(outputs[0]);
    expect(inputs.get('c')).toBe(outputs[1]);
    expect(inputs.get('d')).toBe(turns[0]!.in[0]!.value);
    expect(inputs.get('e')).toBe(outputs[2]);
    // A turn stands before what reads it.
    for (const [at, node] of nodes.entries()) {
      for (const view of node.in) expect(nodes.findIndex(({ out }) => out[0]?.value === view.value)).toBeLessThan(at);
    }
  });

  test('leaves all as it is where the plan keeps no groups, and the weights in their own order', () => {
    const before = graph();
    const { nodes } = orderColumns(before, () => false);
    expect(nodes.map(({ op }) => op)).toEqual(before.nodes.map(({ op }) => op));
    expect(nodes.flatMap(({ weights }) => weights.map((weight) => weight?.parts[0]?.columnOrder))).toEqual(
      nodes.flatMap(({ weights }) => weights.map(() => undefined)),
    );
  });
});
