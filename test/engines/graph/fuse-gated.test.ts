import { expect, test } from 'vitest';
import { fuseGated } from '../../../engines/graph/passes/fuse-gated.ts';
import { graphOf, opsOf } from './small.ts';

test('an activated half times the other becomes one operation, in either order of the product', () => {
  for (const swapped of [false, true]) {
    const graph = fuseGated(
      graphOf((g, x) => {
        const opened = g.activate(g.columns(x, 0, 16), 'gelu_tanh');
        const up = g.columns(x, 16, 16);
        return swapped ? g.multiply(up, opened) : g.multiply(opened, up);
      }),
    );
    expect(opsOf(graph)).toEqual(['embed', 'gated']);
    expect(graph.nodes[1]).toMatchObject({ attributes: { activation: 'gelu_tanh' }, in: [{ first: 0, width: 32 }] });
  }
});

test('halves of two values, halves the other way round and a gate that is read twice stay', () => {
  const stays = [
    graphOf((g, x) => g.multiply(g.activate(g.columns(x, 16, 16), 'silu'), g.columns(x, 0, 16))),
    graphOf((g, x) => g.multiply(g.activate(g.linear(x, g.weight('w', 32, 32)), 'silu'), x)),
    graphOf((g, x) => {
      const opened = g.activate(g.columns(x, 0, 16), 'silu');
      return g.add(g.multiply(opened, g.columns(x, 16, 16)), opened);
    }),
  ];
  for (const graph of stays) expect(opsOf(fuseGated(graph))).toEqual(opsOf(graph));
});

test('a gate that is changed in place after it was read stays: it would be read too late', () => {
  const graph = graphOf((g, x) => {
    const opened = g.activate(g.columns(x, 0, 16), 'silu');
    const changed = g.clamp(g.columns(x, 0, 16), 1);
    return g.add(g.multiply(opened, g.columns(x, 16, 16)), changed);
  });
  expect(opsOf(fuseGated(graph))).toEqual(opsOf(graph));
});
