import { expect, test } from 'vitest';
import { dropUnused } from '../../../engines/graph/passes/drop-unused.ts';
import { compile } from '../../../engines/graph/passes/passes.ts';
import { graphOf, opsOf, size } from './small.ts';

test('what nobody reads is left out, with all that only it read, and its weights with it', () => {
  const graph = graphOf((g, x) => {
    g.activate(g.clamp(g.linear(x, g.weight('unused', size, size)), 1), 'silu');
    return g.linear(x, g.weight('used', size, size));
  });
  expect(opsOf(dropUnused(graph))).toEqual(['embed', 'linear']);
  expect(compile(graph).tensors.map(({ name }) => name)).toEqual(['table', 'used']);
});

test('what is stored in the kv pages is kept', () => {
  const graph = graphOf((g, x) => {
    g.kvWrite(g.linear(x, g.weight('k', 16, size)), g.linear(x, g.weight('v', 16, size)), 0);
    return x;
  });
  expect(opsOf(dropUnused(graph))).toEqual(opsOf(graph));
});
