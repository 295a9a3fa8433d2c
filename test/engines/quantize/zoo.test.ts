/** The quantizer over the small models of every architecture (test/engines/reference). */
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { quantizeCheckpoint } from '../../../engines/quantize/quantize.ts';
import type { QuantizerArithmetic } from '../../../engines/quantize/workbench.ts';
import { withFolder } from '../checkpoints.ts';
import { readReference, referenceNames, withEngine, writeHubFolder } from '../reference/reference.ts';
import { quantizer } from './small-llama.ts';

/** Searches and scales as ever, but goes on with the numbers as they were before rounding. */
function withoutRounding(): QuantizerArithmetic {
  const arithmetic = quantizer();
  return {
    ...arithmetic,
    openWorkbench() {
      const bench = arithmetic.openWorkbench();
      return { ...bench, quantize: (name, request) => bench.quantize(name, { ...request, keep: false }) };
    },
  };
}

const names = referenceNames().filter((name) => readReference(name).kind === 'logits');
/** Their columns are no multiple of 32, which is their point. */
const odd = new Set(['bloom-odd', 'gptj-odd']);

describe.each(names.filter((name) => !odd.has(name)))('The model %s, in 4 bits', (name) => {
  const reference = readReference(name);
  const lastId = Number(reference.configs[0].vocab_size) - 1;
  const ids = Array.from({ length: 200 }, (_, i) => 1 + ((i * 7919 + 3 * i * i) % lastId));
  const words = (some: number[]): string => some.map((id) => `p${id}`).join(' ');
  const evaluated = ids.slice(0, 24);

  test('runs piece after piece as the engine runs it whole; scales change nothing, and help where they are used', () =>
    withFolder(async (folder) => {
      const checkpoint = await writeHubFolder(reference, join(folder, 'model'));
      const out = join(folder, 'model.plan');
      const { perplexity, groups } = await quantizeCheckpoint({
        ...{ checkpoint, method: 'awq', target: { type: 'plan', out }, arithmetic: withoutRounding() },
        ...{ texts: [words(ids)], evaluationTexts: [words(evaluated)] },
        ...{ sequenceTokens: 30, maxSequences: 100, lossRows: 1e6 },
      });
      const logprobs = await withEngine(checkpoint, {}, (engine) => engine.score(Int32Array.from(evaluated)));
      const nats = -logprobs.subarray(1).reduce((sum, value) => sum + value, 0) / (evaluated.length - 1);
      expect(Math.abs(Math.log(perplexity!.before) - nats)).toBeLessThan(1e-5);
      expect(Math.abs(Math.log(perplexity!.after / perplexity!.before))).toBeLessThan(1e-4);
      expect(groups.length).toBeGreaterThan(0);
      for (const { loss, plainLoss } of groups) expect(loss!).toBeLessThanOrEqual(plainLoss! * (1 + 1e-3));
    }));
});

test.each([...odd])('The model %s is refused, with its columns', (name) =>
  withFolder(async (folder) => {
    const checkpoint = await writeHubFolder(readReference(name), join(folder, 'model'));
    const target = { type: 'plan' as const, out: join(folder, 'model.plan') };
    await expect(quantizeCheckpoint({ checkpoint, method: 'rtn', target, arithmetic: quantizer() })).rejects.toThrow(
      /Nothing of this model can be quantized: its linears have 60, \d+ columns/,
    );
  }),
);
