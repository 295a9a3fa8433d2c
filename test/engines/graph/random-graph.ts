/** Random models over the operations of the graph language: for each seed another program, the same for the same seed. */

import { ropeFrequencies } from '../../../engines/architectures/rope.ts';
import { createGraphBuilder, type GraphBuilder, type TensorShapes, type View } from '../../../engines/graph/graph.ts';
import type { MadeModel } from './numbers.ts';

const vocabularySize = 40;
const headSize = 16;
const activations = ['silu', 'gelu', 'gelu_tanh', 'relu', 'tanh'] as const;

export type Choice = {
  /** A whole number below `count`. */
  below(count: number): number;
  of<Item>(items: readonly Item[]): Item;
};

export function createChoice(seed: number): Choice {
  let state = Math.imul(seed + 1, 0x9e3779b1) >>> 0;
  const below = (count: number): number => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x6d2b79f5) >>> 0;
    return (state >>> 8) % count;
  };
  return { below, of: (items) => items[below(items.length)]! };
}

export function randomModel(seed: number): MadeModel {
  const choice = createChoice(seed);
  const role = choice.of(['chat', 'chat', 'embedder'] as const);
  const size = choice.of([32, 48, 64]);
  const numLayers = 1 + choice.below(3);
  const numKvHeads = choice.of([1, 2]);
  return {
    role,
    vocabularySize,
    embeddingSize: role === 'chat' ? 0 : size,
    kv: role === 'chat' ? { numLayers, numHeads: numKvHeads, headSize } : null,
    build: (tensors) => buildRandom(createChoice(seed), role, size, numLayers, numKvHeads, tensors),
  };
}

function buildRandom(
  { below, of }: Choice,
  role: 'chat' | 'embedder',
  size: number,
  numLayers: number,
  numKvHeads: number,
  tensors: TensorShapes,
) {
  const g = createGraphBuilder('random', tensors);
  let numNames = 0;
  const fresh = (kind: string): string => `${kind}.${numNames++}`;
  const yes = (): boolean => below(2) === 0;

  const bias = (x: View): View => (yes() ? g.addBias(x, g.vector(fresh('bias'), x.width)) : x);
  const linear = (x: View, width: number): View => {
    const weight = g.weight(fresh('linear'), width, x.width);
    switch (below(4)) {
      case 0:
        return g.linear(x, weight);
      case 1:
        return g.linear(x, weight, g.vector(fresh('bias'), width), yes() ? of(activations) : 'none');
      case 2:
        return bias(g.linear(x, weight));
      default:
        return g.activate(bias(g.linear(x, weight)), of(activations));
    }
  };
  const plain = (x: View, width: number, biased: boolean): View =>
    g.linear(x, g.weight(fresh('linear'), width, x.width), biased ? g.vector(fresh('bias'), width) : null);
  const norm = (x: View): View =>
    yes()
      ? g.rmsNorm(x, g.vector(fresh('norm'), x.width), 1e-5)
      : g.layerNorm(x, g.vector(fresh('norm'), x.width), yes() ? g.vector(fresh('bias'), x.width) : null, 1e-5);

  /** Something that changes its input in place: nobody may read that again. */
  const changed = (x: View): View => {
    if (below(4) > 0) return x;
    switch (below(3)) {
      case 0:
        return g.clamp(x, 3);
      case 1:
        return g.softCap(x, 5);
      default:
        return g.rmsNormHeads(x, g.vector(fresh('norm'), headSize), headSize, 1e-5);
    }
  };

  const frequencies = g.constant('frequencies', ropeFrequencies(10_000, headSize));
  const rope = { headSize, rotarySize: headSize, adjacentPairs: yes() };
  const turn = (x: View): View => (below(4) === 0 ? x : g.rope(x, frequencies, rope));

  const attend = (x: View, layer: number): View => {
    const numHeads = numKvHeads * (1 + below(2));
    const biased = yes();
    const q = changed(plain(x, numHeads * headSize, biased));
    const k = changed(plain(x, numKvHeads * headSize, biased));
    const v = plain(x, numKvHeads * headSize, biased);
    const scale = 1 / Math.sqrt(headSize);
    if (role === 'embedder') {
      const full = plain(x, numHeads * headSize, biased);
      return g.attentionFull(q, full, plain(x, numHeads * headSize, biased), { numHeads, headSize, scale });
    }
    const turned = turn(q);
    g.kvWrite(turn(k), v, layer);
    const window = of([0, 0, 5]);
    const slopes = below(4) === 0 ? g.constant(`slopes.${numHeads}`, new Float32Array(numHeads).fill(0.25)) : null;
    return g.attention(
      turned,
      { layer, numHeads, numKvHeads, headSize, scale, window, softCap: of([0, 0, 20]) },
      slopes,
    );
  };

  const feed = (x: View): View => {
    const width = of([16, 32, 80]);
    if (below(3) === 0) return linear(linear(x, width), size);
    const [gate, up] = yes() ? [plain(x, width, false), plain(x, width, false)] : halves(g, plain(x, 2 * width, yes()));
    const opened = g.activate(gate, of(activations));
    return plain(yes() ? g.multiply(opened, up) : g.multiply(up, opened), size, yes());
  };

  let x = g.embed(g.weight(fresh('table'), vocabularySize, size, 'table'), of([1, 1.5]));
  if (yes()) x = g.addPositions(x, g.weight(fresh('table.positions'), 66, size, 'positions'), of([0, 2]));
  for (let layer = 0; layer < numLayers; layer++) {
    const seen = linear(attend(norm(x), layer), size);
    if (below(3) === 0) x = g.add(g.add(x, seen), feed(norm(x)));
    else {
      x = yes() ? g.add(x, seen) : g.add(seen, x);
      if (below(4) === 0) linear(x, 16); // nobody reads it
      if (below(4) === 0) x = norm(x);
      const turned = below(4) === 0 ? g.permuteColumns(norm(x), reversed(g, fresh('index'), size)) : norm(x);
      x = g.add(x, feed(turned));
    }
  }
  const last = yes() ? norm(x) : x;
  if (role === 'embedder') {
    const pooled = yes() ? g.poolMean(last) : g.poolFirst(last);
    return g.finish(yes() ? g.normalize(pooled) : pooled);
  }
  const logits = g.linear(g.gatherOutputs(last), g.weight(fresh('head'), vocabularySize, size, 'head'));
  return g.finish(below(3) === 0 ? g.softCap(logits, 10) : logits);
}

function halves(g: GraphBuilder, x: View): [View, View] {
  return [g.columns(x, 0, x.width / 2), g.columns(x, x.width / 2, x.width / 2)];
}

function reversed(g: GraphBuilder, name: string, size: number) {
  return g.index(
    name,
    Int32Array.from({ length: size }, (_, i) => size - 1 - i),
  );
}
