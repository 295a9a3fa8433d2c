import { expect, test } from 'vitest';
import type { GraphBuilder, View } from '../../../engines/graph/graph.ts';
import { fuseLinears } from '../../../engines/graph/passes/fuse-linears.ts';
import { graphOf, opsOf, size } from './small.ts';

const linear = (g: GraphBuilder, x: View, name: string, width: number, biased = false) =>
  g.linear(x, g.weight(name, width, x.width), biased ? g.vector(`${name}.bias`, width) : null);

test('linears of one input become one, their outputs columns of one value', () => {
  const graph = fuseLinears(
    graphOf((g, x) => {
      const [q, k] = [linear(g, x, 'q', 48, true), linear(g, x, 'k', 32, true)];
      return linear(g, g.add(linear(g, q, 'o', 32), k), 'last', 16);
    }),
  );
  expect(opsOf(graph)).toEqual(['embed', 'linear', 'linear', 'add', 'linear']);
  const [weight, bias] = graph.nodes[1]!.weights;
  expect(weight!.parts.map(({ name, rows }) => [name, rows])).toEqual([
    ['q', 48],
    ['k', 32],
  ]);
  expect(bias).toMatchObject({ use: 'vector', columns: 80 });
  expect(graph.nodes[2]!.in[0]).toMatchObject({ first: 0, width: 48 });
  expect(graph.nodes[3]!.in[1]).toMatchObject({ first: 48, width: 32 });
});

test('a part that does not fill its last block of 16 rows is followed by no other', () => {
  const twoLinears = (width: number) =>
    opsOf(fuseLinears(graphOf((g, x) => g.multiply(linear(g, x, 'a', width), linear(g, x, 'b', width)))));
  expect(twoLinears(20)).toEqual(['embed', 'linear', 'linear', 'multiply']);
  expect(twoLinears(32)).toEqual(['embed', 'linear', 'multiply']);
});

test('linears that differ in input, activation or bias stay apart', () => {
  const graph = graphOf((g, x) => {
    const a = g.linear(x, g.weight('a', size, size), null, 'silu');
    const b = linear(g, x, 'b', size);
    const c = linear(g, x, 'c', size, true);
    const d = linear(g, b, 'd', size);
    return g.add(g.add(a, b), g.add(c, d));
  });
  expect(opsOf(fuseLinears(graph))).toEqual(opsOf(graph));
});

test('the output keeps a value of its own, also where it is changed in place', () => {
  const graph = graphOf((g, x) => {
    linear(g, x, 'other', size);
    return g.softCap(linear(g, x, 'head', size), 30);
  });
  expect(opsOf(fuseLinears(graph))).toEqual(['embed', 'linear', 'linear', 'soft_cap']);
});
