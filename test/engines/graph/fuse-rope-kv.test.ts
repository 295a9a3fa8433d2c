import { expect, test } from 'vitest';
import { createGraphBuilder, type GraphBuilder, type View } from '../../../engines/graph/graph.ts';
import { fuseLinears } from '../../../engines/graph/passes/fuse-linears.ts';
import { fuseRopeKv } from '../../../engines/graph/passes/fuse-rope-kv.ts';
import { graphOf, opsOf, size } from './small.ts';

const heads = { numHeads: 4, numKvHeads: 2, headSize: 16 };
const rope = { headSize: 16, rotarySize: 16, adjacentPairs: false };

function attend(
  g: GraphBuilder,
  x: View,
  layer: number,
  more: (parts: { q: View; k: View; v: View }) => void = () => {},
) {
  const project = (name: string, width: number) => g.linear(x, g.weight(`${layer}.${name}`, width, x.width));
  const [q, k, v] = [project('q', 64), project('k', 32), project('v', 32)];
  const frequencies = g.constant('frequencies', new Float32Array(8));
  const queries = g.rope(q, frequencies, rope);
  g.kvWrite(g.rope(k, frequencies, rope), v, layer);
  more({ q, k, v });
  const seen = g.attention(queries, { layer, ...heads, scale: 0.25, window: 0 });
  return g.linear(seen, g.weight(`${layer}.o`, size, 64));
}

test('both turns and the write become one operation over q + k + v, in every layer', () => {
  const graph = fuseRopeKv(fuseLinears(graphOf((g, x) => attend(g, attend(g, x, 0), 1))));
  const layer = ['linear', 'rope_kv_write', 'attention', 'linear'];
  expect(opsOf(graph)).toEqual(['embed', ...layer, ...layer]);
  expect(graph.nodes[6]!.attributes).toEqual({ layer: 1, ...heads, rotarySize: 16, adjacentPairs: false });
  expect(graph.nodes[3]!.in[0]).toMatchObject({ first: 0, width: 64 });
});

test('nothing is done where the linears stand apart', () => {
  const graph = graphOf((g, x) => attend(g, x, 0));
  expect(opsOf(fuseRopeKv(graph))).toEqual(opsOf(graph));
});

test('nothing is done where keys or values as they were are read by another', () => {
  for (const name of ['q', 'k', 'v'] as const) {
    const graph = fuseLinears(graphOf((g, x) => attend(g, x, 0, (parts) => g.activate(parts[name], 'silu'))));
    expect(opsOf(fuseRopeKv(graph)), name).toEqual(opsOf(graph));
  }
});

/** As `attend`, with the heads of queries and keys normed before they turn. */
function attendNormed(g: GraphBuilder, x: View, more: (parts: Record<string, View>) => void = () => {}) {
  const project = (name: string, width: number) => g.linear(x, g.weight(`0.${name}`, width, x.width));
  const [q, k, v] = [project('q', 64), project('k', 32), project('v', 32)];
  const norm = g.constant('norm', new Float32Array(16).fill(1));
  const [queries, keys] = [g.rmsNormHeads(q, norm, 16, 1e-6), g.rmsNormHeads(k, norm, 16, 1e-6)];
  const frequencies = g.constant('frequencies', new Float32Array(8));
  const turned = g.rope(queries, frequencies, rope);
  g.kvWrite(g.rope(keys, frequencies, rope), v, 0);
  more({ q, k, v, queries, keys });
  return g.linear(g.attention(turned, { layer: 0, ...heads, scale: 0.25, window: 0 }), g.weight('0.o', size, 64));
}

test('norms of the heads before it stay, on the columns of the same value', () => {
  const graph = fuseRopeKv(fuseLinears(graphOf((g, x) => attendNormed(g, x))));
  expect(opsOf(graph)).toEqual([
    'embed',
    'linear',
    'rms_norm_heads',
    'rms_norm_heads',
    'rope_kv_write',
    'attention',
    'linear',
  ]);
  const [queries, keys, write] = graph.nodes.slice(2, 5);
  expect(queries!.out[0]).toMatchObject({ first: 0, width: 64 });
  expect(keys!.out[0]).toMatchObject({ first: 64, width: 32, value: queries!.out[0]!.value });
  expect(write!.in[0]).toMatchObject({ first: 0, width: 128, value: queries!.out[0]!.value });
});

test('nothing is done where normed heads, or heads before their norm, are read by another', () => {
  for (const name of ['q', 'k', 'v', 'queries', 'keys']) {
    const graph = fuseLinears(graphOf((g, x) => attendNormed(g, x, (parts) => g.activate(parts[name]!, 'silu'))));
    expect(opsOf(fuseRopeKv(graph)), name).toEqual(opsOf(graph));
  }
});

test('two tables of frequencies with one name are refused where they are written', () => {
  const g = createGraphBuilder('small', new Map());
  g.constant('frequencies', Float32Array.of(1, 2));
  g.constant('frequencies', Float32Array.of(1, 2));
  expect(() => g.constant('frequencies', Float32Array.of(1, 3))).toThrow(/two constants are called frequencies/);
});
