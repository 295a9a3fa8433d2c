import { describe, expect, test } from 'vitest';
import { createGraphBuilder, type Graph } from '../../../engines/graph/graph.ts';
import { findGroups, makesQueriesOrKeys } from '../../../engines/quantize/groups.ts';
import { cutIntoPieces, graphOfPiece } from '../../../engines/quantize/pieces.ts';

/** A decoder with what differs between families as a choice; every matrix is there. */
function decoder(choice: {
  numKvHeads: number;
  activation: 'silu' | 'gelu' | 'relu';
  parallel: boolean;
  gated: boolean;
  bias: boolean;
}): Graph {
  const [size, inner, numHeads, headSize, vocabulary] = [64, 96, 4, 16, 50];
  const kvSize = choice.numKvHeads * headSize;
  const shapes = new Map<string, { rows: number; columns: number; type: string }>();
  const add = (name: string, rows: number, columns: number) => shapes.set(name, { rows, columns, type: 'f16' });
  add('table', vocabulary, size);
  add('head', vocabulary, size);
  add('norm', 1, size);
  for (const layer of [0, 1]) {
    for (const [name, rows, columns] of [
      ['q', size, size],
      ['k', kvSize, size],
      ['v', kvSize, size],
      ['o', size, size],
      ['gate', inner, size],
      ['up', inner, size],
      ['down', size, inner],
    ] as const) {
      add(`${layer}.${name}`, rows, columns);
      add(`${layer}.${name}.bias`, 1, rows);
    }
    for (const norm of ['norm1', 'norm2']) add(`${layer}.${norm}`, 1, size);
  }
  const g = createGraphBuilder('test', shapes);
  const frequencies = g.constant('frequencies', new Float32Array(headSize / 2).fill(1));
  let x = g.embed(g.weight('table', vocabulary, size, 'table'));
  for (const layer of [0, 1]) {
    const linear = (input: typeof x, name: string, rows: number) =>
      g.linear(
        input,
        g.weight(`${layer}.${name}`, rows, input.width),
        choice.bias ? g.vector(`${layer}.${name}.bias`, rows) : null,
      );
    const attended = g.rmsNorm(x, g.vector(`${layer}.norm1`, size), 1e-5);
    const rope = { headSize, rotarySize: headSize, adjacentPairs: false };
    const q = g.rope(linear(attended, 'q', size), frequencies, rope);
    g.kvWrite(g.rope(linear(attended, 'k', kvSize), frequencies, rope), linear(attended, 'v', kvSize), layer);
    const shape = { layer, numHeads, numKvHeads: choice.numKvHeads, headSize, scale: 0.25, window: 0 };
    const seen = linear(g.attention(q, shape), 'o', size);
    const after = choice.parallel ? x : g.add(x, seen);
    const fed = choice.parallel ? attended : g.rmsNorm(after, g.vector(`${layer}.norm2`, size), 1e-5);
    const up = linear(fed, 'up', inner);
    const fedForward = choice.gated
      ? g.multiply(g.activate(linear(fed, 'gate', inner), choice.activation), up)
      : g.activate(up, choice.activation);
    const down = linear(fedForward, 'down', size);
    x = choice.parallel ? g.add(g.add(x, seen), down) : g.add(after, down);
  }
  const normed = g.rmsNorm(x, g.vector('norm', size), 1e-5);
  return g.finish(g.linear(g.gatherOutputs(normed), g.weight('head', vocabulary, size, 'head')));
}

const llama = { numKvHeads: 4, activation: 'silu', parallel: false, gated: true, bias: false } as const;

function namesOf(graph: Graph, indices: readonly number[]): string {
  return indices.map((index) => graph.nodes[index]!.weights[0]!.parts[0]!.name).join(' ');
}

/** For each group its linears, and where their scale goes. */
function foldsOf(graph: Graph): Record<string, string | null> {
  return Object.fromEntries(
    findGroups(graph, () => true).map(({ linears, folds }) => [
      namesOf(graph, linears),
      folds?.map(({ weight, what }) => `${what} of ${weight.parts[0]!.name}`).join(', ') ?? null,
    ]),
  );
}

describe('A model is cut into pieces', () => {
  test('before and after each block, and at the end', () => {
    const graph = decoder(llama);
    const pieces = cutIntoPieces(graph);
    const linears = pieces.map(({ first, endExclusive }) =>
      namesOf(
        graph,
        graph.nodes.flatMap((node, index) =>
          node.op === 'linear' && index >= first && index < endExclusive ? [index] : [],
        ),
      ),
    );
    expect(linears).toEqual(['0.q 0.k 0.v 0.o', '0.up 0.gate 0.down', '1.q 1.k 1.v 1.o', '1.up 1.gate 1.down', 'head']);
  });

  test('of a whole layer where attention and feed forward run side by side', () => {
    const pieces = cutIntoPieces(decoder({ ...llama, parallel: true }));
    expect(pieces).toHaveLength(3);
  });

  test('that follow each other without a gap, each a graph of its own with the kv layers from 0', () => {
    const graph = decoder(llama);
    const pieces = cutIntoPieces(graph);
    expect(pieces[0]).toMatchObject({ first: 0, input: null });
    expect(pieces.at(-1)).toMatchObject({ endExclusive: graph.nodes.length, output: null });
    pieces.slice(1).forEach((piece, index) => {
      expect(piece.first).toBe(pieces[index]!.endExclusive);
      expect(piece.input).toEqual(pieces[index]!.output);
      const own = graphOfPiece(graph, piece);
      expect(own.nodes[0]!.op).toBe('embed');
      for (const { attributes } of own.nodes) if ('layer' in attributes) expect(attributes.layer).toBe(0);
    });
  });
});

describe('A scale goes', () => {
  test('into norms, the rows of values, and the rows that a product takes in', () => {
    expect(foldsOf(decoder(llama))).toEqual({
      '0.q 0.k 0.v': 'columns of 0.norm1',
      '0.o': 'rows of 0.v',
      '0.up 0.gate': 'columns of 0.norm2',
      '0.down': 'rows of 0.up',
      '1.q 1.k 1.v': 'columns of 1.norm1',
      '1.o': 'rows of 1.v',
      '1.up 1.gate': 'columns of 1.norm2',
      '1.down': 'rows of 1.up',
      head: 'columns of norm',
    });
  });

  test('into a bias with the rows', () => {
    expect(foldsOf(decoder({ ...llama, bias: true }))['0.down']).toBe('rows of 0.up, columns of 0.up.bias');
  });

  test('nowhere before attention whose values several heads share, nor before GELU or SiLU', () => {
    expect(foldsOf(decoder({ ...llama, numKvHeads: 2 }))['0.o']).toBeNull();
    expect(foldsOf(decoder({ ...llama, gated: false, activation: 'gelu' }))['0.down']).toBeNull();
    expect(foldsOf(decoder({ ...llama, gated: false, activation: 'silu' }))['0.down']).toBeNull();
  });

  test('through a ReLU, which keeps a factor', () => {
    expect(foldsOf(decoder({ ...llama, gated: false, activation: 'relu' }))['0.down']).toBe('rows of 0.up');
  });

  test('into one norm for all that reads it, where blocks run side by side', () => {
    expect(foldsOf(decoder({ ...llama, parallel: true }))['0.q 0.k 0.v 0.up 0.gate']).toBe('columns of 0.norm1');
  });

  test('nowhere when something that is no linear reads the value, too', () => {
    const shapes = new Map([
      ['table', { rows: 8, columns: 32, type: 'f16' }],
      ['norm', { rows: 1, columns: 32, type: 'f16' }],
      ['a', { rows: 32, columns: 32, type: 'f16' }],
    ]);
    const g = createGraphBuilder('test', shapes);
    const normed = g.rmsNorm(g.embed(g.weight('table', 8, 32, 'table')), g.vector('norm', 32), 1e-5);
    const graph = g.finish(g.gatherOutputs(g.add(normed, g.linear(normed, g.weight('a', 32, 32)))));
    expect(foldsOf(graph)).toEqual({ a: null });
  });
});

test('Queries and keys are known by where they go', () => {
  const graph = decoder({ ...llama, bias: true });
  const known = graph.nodes.flatMap((node, index) =>
    node.op === 'linear' && makesQueriesOrKeys(graph, index) ? [node.weights[0]!.parts[0]!.name] : [],
  );
  expect(known).toEqual(['0.q', '0.k', '1.q', '1.k']);
});
