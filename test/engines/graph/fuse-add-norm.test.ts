import { expect, test } from 'vitest';
import type { GraphBuilder, View } from '../../../engines/graph/graph.ts';
import { fuseAddNorm } from '../../../engines/graph/passes/fuse-add-norm.ts';
import { graphOf, opsOf, size } from './small.ts';

const norm = (g: GraphBuilder, x: View) => g.rmsNorm(x, g.vector('norm', size), 1e-5);
const linear = (g: GraphBuilder, x: View, name: string) => g.linear(x, g.weight(name, size, size));

test('a residual and the norm after it become one, whichever operand the residual is', () => {
  for (const swapped of [false, true]) {
    const graph = fuseAddNorm(
      graphOf((g, x) => {
        const y = linear(g, x, 'w');
        const sum = swapped ? g.add(y, x) : g.add(x, y);
        return g.add(sum, linear(g, norm(g, sum), 'v'));
      }),
    );
    expect(opsOf(graph)).toEqual(['embed', 'linear', 'add_rms_norm', 'linear', 'add']);
  }
  const layer = graphOf((g, x) => g.layerNorm(g.add(x, linear(g, x, 'w')), g.vector('n', size), null, 1e-5));
  expect(opsOf(fuseAddNorm(layer))).toEqual(['embed', 'linear', 'add_layer_norm']);
});

test('a sum of two values that are both read later stays', () => {
  const graph = graphOf((g, x) => {
    const y = linear(g, x, 'w');
    const normed = norm(g, g.add(x, y));
    return g.add(g.add(normed, x), y);
  });
  expect(opsOf(fuseAddNorm(graph))).toEqual(opsOf(graph));
});

test('a value that is added to itself, and some columns of a wider one, stay', () => {
  const twice = graphOf((g, x) => norm(g, g.add(x, x)));
  expect(opsOf(fuseAddNorm(twice))).toEqual(opsOf(twice));
  const columns = graphOf((g, x) => {
    const wide = g.linear(x, g.weight('w', 64, size));
    return norm(g, g.add(g.columns(wide, 0, size), g.columns(wide, size, size)));
  });
  expect(opsOf(fuseAddNorm(columns))).toEqual(opsOf(columns));
});
