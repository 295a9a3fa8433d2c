import { describe, expect, test } from 'vitest';
import { bindWeights, unreadTensors } from '../../../engines/graph/passes/bind-weights.ts';
import { layOutBuffers } from '../../../engines/graph/passes/lay-out-buffers.ts';
import { compile } from '../../../engines/graph/passes/passes.ts';
import { madeCheckpoint } from './numbers.ts';
import { createChoice, randomModel } from './random-graph.ts';
import { graphOf, size } from './small.ts';

describe('Binding weights', () => {
  test('keeps what several steps read once, and what is read in two ways twice', () => {
    const graph = graphOf((g, x) => {
      const whole = g.weight('w', size, size);
      const order = Int32Array.from({ length: size }, (_, row) => size - 1 - row);
      const turned = g.weight('w', size, size, 'linear', { order });
      const [norm, plus] = [g.vector('n', size), g.vector('n', size, { plus: 1 })];
      const y = g.rmsNorm(g.linear(g.linear(x, whole), whole), norm, 1e-5);
      return g.rmsNorm(g.linear(y, turned), plus, 1e-5);
    });
    const { tensors, indexOf } = bindWeights(graph, () => ({ type: 'f32' }));
    expect(tensors.map(({ name }) => name.replace(/\[.*\]/, '[…]'))).toEqual(['table', 'w', 'n', 'w[…]', 'n(plus 1)']);
    expect(graph.nodes.slice(1, 3).map((node) => indexOf(node.weights[0]!))).toEqual([1, 1]);
  });

  test('names the tensors that the architecture does not read', () => {
    const graph = graphOf((g, x) => g.linear(x, g.weight('w', size, size)));
    expect(unreadTensors(graph, ['w', 'w.bias', 'table'])).toEqual(['w.bias']);
  });
});

describe('Laying out buffers', () => {
  const index = () => 0;

  test('uses a buffer again once nobody reads what it held, and says what a token takes', () => {
    const chain = graphOf((g, x) => {
      let y = x;
      for (let i = 0; i < 10; i++) y = g.linear(y, g.weight(`w${i}`, size, size));
      return y;
    });
    // Two in turns, and the output's own.
    expect(layOutBuffers(chain, index)).toMatchObject({ peakFloatsPerToken: 3 * size, peakBytesPerToken: 12 * size });
    expect(layOutBuffers(chain, index, { reuse: false }).peakFloatsPerToken).toBe(11 * size);
  });

  test('gives keys and values of full attention one stride', () => {
    const graph = graphOf((g, x) => {
      const wide = g.activate(g.linear(x, g.weight('wide', 96, size)), 'silu');
      const y = g.linear(wide, g.weight('y', size, 96));
      const [q, k, v] = ['q', 'k', 'v'].map((name) => g.linear(y, g.weight(name, size, size)));
      return g.attentionFull(q!, k!, v!, { numHeads: 2, headSize: 16, scale: 0.25 });
    });
    const { program } = layOutBuffers(graph, index);
    const [, keys, values] = program.steps.at(-1)!.in;
    expect(program.buffers[keys![0]]!.width).toBe(program.buffers[values![0]]!.width);
  });

  test('never lets a step write over a value that is read later, in any of many random programs', () => {
    for (let seed = 0; seed < 200; seed++) {
      const model = randomModel(seed);
      const fuse = createChoice(seed).below(2) === 0;
      const { program } = compile(model.build(madeCheckpoint(model).shapes!), { precision: 'f32', fuse });
      // Each column of each buffer remembers who wrote it last; a reader must find one writer's whole value or a view of it.
      const written = program.buffers.map(({ width }) => new Int32Array(width).fill(-1));
      const inPlace = (op: string) =>
        /^(add_positions|add_segments|add_bias|rms_norm_heads|soft_cap|clamp|rope|rope_kv_write|normalize)$/.test(op);
      program.steps.forEach((step, at) => {
        const reads = inPlace(step.op) ? step.out : step.in;
        for (const [buffer, first, width] of reads) {
          expect(written[buffer]!.subarray(first, first + width), `seed ${seed} step ${at}`).not.toContain(-1);
        }
        for (const [buffer, first, width] of step.out) {
          const overlapsInput = step.in.some(
            ([other, from, wide]) => other === buffer && from < first + width && first < from + wide,
          );
          expect(overlapsInput, `seed ${seed} step ${at}`).toBe(false);
          written[buffer]!.fill(at, first, first + width);
        }
      });
      expect(program.buffers[program.output]!.width).toBe(
        model.role === 'chat' ? model.vocabularySize : model.embeddingSize,
      );
    }
  });
});
