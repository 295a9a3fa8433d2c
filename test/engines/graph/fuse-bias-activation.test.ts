import { expect, test } from 'vitest';
import type { GraphBuilder, View } from '../../../engines/graph/graph.ts';
import { fuseBiasActivation } from '../../../engines/graph/passes/fuse-bias-activation.ts';
import { compile } from '../../../engines/graph/passes/passes.ts';
import { graphOf, opsOf, size } from './small.ts';

const linear = (g: GraphBuilder, x: View, name: string) => g.linear(x, g.weight(name, size, size));

test('a linear, its bias and its activation written apart become one linear', () => {
  const graph = fuseBiasActivation(
    graphOf((g, x) => linear(g, g.activate(g.addBias(linear(g, x, 'w'), g.vector('b', size)), 'gelu'), 'v')),
  );
  expect(opsOf(graph)).toEqual(['embed', 'linear', 'linear']);
  expect(graph.nodes[1]).toMatchObject({
    attributes: { activation: 'gelu' },
    weights: [{ columns: size }, { columns: size }],
  });
});

test('a second bias, and a bias after the activation, stay', () => {
  const graph = graphOf((g, x) => {
    const b = g.vector('b', size);
    return g.addBias(g.activate(g.addBias(g.addBias(linear(g, x, 'w'), b), b), 'relu'), b);
  });
  expect(opsOf(fuseBiasActivation(graph))).toEqual(['embed', 'linear', 'add_bias', 'activate', 'add_bias']);
});

test('what is read before its activation stays', () => {
  const graph = graphOf((g, x) => {
    const y = linear(g, x, 'w');
    return g.add(g.activate(y, 'silu'), y);
  });
  expect(opsOf(fuseBiasActivation(graph))).toEqual(opsOf(graph));
});

test('a gate keeps its activation for the product, and biases written apart do not keep linears apart', () => {
  const graph = graphOf((g, x) => {
    const gate = g.addBias(linear(g, x, 'gate'), g.vector('gate.b', size));
    const up = g.addBias(linear(g, x, 'up'), g.vector('up.b', size));
    return g.multiply(g.activate(gate, 'silu'), up);
  });
  expect(compile(graph).program.steps.map(({ op }) => op)).toEqual(['embed', 'linear', 'gated']);
});
