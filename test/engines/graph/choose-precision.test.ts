import { describe, expect, test } from 'vitest';
import { createGraphBuilder, type TensorShapes } from '../../../engines/graph/graph.ts';
import {
  choosePrecision,
  effectivePolicy,
  type precisionPolicies,
} from '../../../engines/graph/passes/choose-precision.ts';
import { compile } from '../../../engines/graph/passes/passes.ts';
import type { Graph } from '../../../engines/graph/types.ts';

/** A table, a linear of q + k (whose types may differ), a head. Large enough not to count as small. */
function model(types: { q: string; k?: string; other?: string }, columns = 4096): Graph {
  const shapes: TensorShapes = {
    get: () => undefined,
    has: () => false,
    keys: () => [],
    imagine: (name, rows, width) => {
      const type = name === 'q' ? types.q : name === 'k' ? (types.k ?? types.q) : (types.other ?? 'f16');
      return { rows, columns: width, type };
    },
  };
  const g = createGraphBuilder('test', shapes);
  const x = g.embed(g.weight('table', 1024, columns, 'table'));
  const normed = g.rmsNorm(x, g.vector('norm', columns), 1e-5);
  const q = g.linear(normed, g.weight('q', 1024, columns));
  const k = g.linear(normed, g.weight('k', 1024, columns));
  return g.finish(g.linear(g.gatherOutputs(g.multiply(q, k)), g.weight('head', 64, 1024, 'head')));
}

const typesOf = (graph: Graph, precision?: (typeof precisionPolicies)[number]) =>
  Object.fromEntries(compile(graph, { precision }).tensors.map(({ name, type }) => [name, type]));

describe('Precision', () => {
  test.each([
    ['f16', 'q8'],
    ['bf16', 'q8'],
    ['q6_k', 'q8'],
    ['q4_0', 'q4'],
    ['iq2_xxs', 'q4'],
    ['iq4_xs', 'q4'],
    ['q4_1', 'int4_g32'],
    ['q4_k', 'int4_g32'],
    ['awq_gemm-4-128-f16', 'int4_g128'],
    ['gptq-4-32-f16', 'int4_g32'],
  ])('keeps a linear of %s as %s when nothing else is asked for', (from, type) => {
    expect(typesOf(model({ q: from }))).toMatchObject({ 'q+k': type, norm: 'f32', table: 'q8', head: 'q8' });
  });

  test.each([
    ['f32', { 'q+k': 'f32', table: 'f32', head: 'f32' }],
    ['f16', { 'q+k': 'f16', table: 'f16', head: 'f16' }],
    ['q8', { 'q+k': 'q8', table: 'q8', head: 'q8' }],
    ['q4', { 'q+k': 'q4', table: 'q8', head: 'q8' }],
    ['int4', { 'q+k': 'int4_g128', table: 'q8', head: 'q8' }],
    ['int4_g32', { 'q+k': 'int4_g32', table: 'q8', head: 'q8' }],
    ['f8', { 'q+k': 'f8', table: 'q8', head: 'q8' }],
  ] as const)('%s is what every linear becomes; vectors stay float32', (policy, types) => {
    expect(typesOf(model({ q: 'f16' }), policy)).toEqual({ ...types, norm: 'f32' });
  });

  test('goes to what the columns allow: groups of 32, then halves', () => {
    expect(typesOf(model({ q: 'f16' }, 4000), 'int4')['q+k']).toBe('int4_g32');
    expect(typesOf(model({ q: 'f16' }, 4001), 'int4')['q+k']).toBe('f16');
    expect(typesOf(model({ q: 'f16' }, 4001), 'f8')['q+k']).toBe('f8');
    expect(typesOf(model({ q: 'f32', other: 'f32' }, 4001), 'q8')).toMatchObject({ 'q+k': 'f32', table: 'f32' });
  });

  test('splits a fused linear where its parts get different types, each into its own columns', () => {
    const { program, tensors } = compile(model({ q: 'awq_gemm-4-128-f16', k: 'f16' }));
    const linears = program.steps.filter(({ op }) => op === 'linear');
    expect(linears.map(({ weights }) => tensors[weights[0]!]!.type)).toEqual(['int4_g128', 'q8', 'q8']);
    expect(linears.slice(0, 2).map(({ out }) => out[0]!.slice(1))).toEqual([
      [0, 1024],
      [1024, 1024],
    ]);
  });

  test('of a small model is float32 unless something is asked for', () => {
    const small = model({ q: 'f16' }, 128);
    expect(effectivePolicy(small)).toBe('f32');
    expect(effectivePolicy(small, 'q8')).toBe('q8');
    expect(new Set(Object.values(typesOf(small)))).toEqual(new Set(['f32']));
  });

  test("can be a rule of the caller's own", () => {
    const { precisionOf } = choosePrecision(model({ q: 'f16' }), ({ use }) => ({
      type: use === 'head' ? 'f16' : 'f32',
    }));
    const weights = model({ q: 'f16' }).nodes.flatMap((node) => node.weights.filter((weight) => weight !== null));
    expect(new Set(weights.map((weight) => `${weight.use} ${precisionOf(weight).type}`))).toEqual(
      new Set(['table f32', 'vector f32', 'linear f32', 'head f16']),
    );
  });
});
