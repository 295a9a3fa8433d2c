import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { buildPlan } from '../../../engines/build/build.ts';
import { type QuantizeOptions, quantizeCheckpoint } from '../../../engines/quantize/quantize.ts';
import { openNative } from '../../native/native.ts';
import { hasShared, sharedData, withFolder } from '../checkpoints.ts';
import { openPlan, readInt4, weightsOf } from './read-plan.ts';
import { quantizer, type SmallLlama, writeSmallLlama } from './small-llama.ts';

/** Text with numbers, names and punctuation, so that bytes of all kinds come. */
const text = Array.from({ length: 60 }, (_, i) => {
  const word = String.fromCharCode(97 + (i % 26)).repeat(1 + (i % 4));
  return `Sentence ${i}: ${(i * 7919) % 1000} is a number, "${word}" a word — and ${word.toUpperCase()} its shout.`;
}).join('\n');

const outliers = { every: 40, factor: 20 };

async function withCheckpoint<Result>(
  change: Partial<SmallLlama>,
  body: (folder: string, checkpoint: string) => Promise<Result>,
): Promise<Result> {
  return withFolder(async (folder) => {
    await writeSmallLlama(folder, change);
    return body(folder, folder);
  });
}

/** Everything of the calibration text counts for the losses. */
async function quantize(checkpoint: string, options: Partial<QuantizeOptions> & Pick<QuantizeOptions, 'method'>) {
  const target = options.target ?? { type: 'plan' as const, out: join(checkpoint, `${options.method}.plan`) };
  const all = { sequenceTokens: 128, maxSequences: 1000, lossRows: 100_000 };
  return quantizeCheckpoint({ checkpoint, arithmetic: quantizer(), ...all, ...options, target });
}

async function scores(plan: string): Promise<Float32Array> {
  const engine = await (await openNative()).loadEngine({ plan, kvTokens: 256 });
  const ids = Int32Array.from({ length: 200 }, (_, i) => (7 * i * i + 3 * i) % 256);
  const logprobs = await engine.score(ids);
  await engine.close();
  return logprobs.subarray(1);
}

/** Mean squared difference of log-probabilities. */
function distance(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, i) => sum + (value - b[i]!) ** 2, 0) / a.length;
}

describe('AWQ', () => {
  for (const change of [{}, { outliers }, { numKvHeads: 2, biases: true }, { tied: true, outliers }]) {
    test(`is never worse than round to nearest on the calibration text: ${JSON.stringify(change)}`, () =>
      withCheckpoint({ numLayers: 1, ...change }, async (_, checkpoint) => {
        const report = await quantize(checkpoint, { method: 'awq', texts: [text], head: 'int4' });
        expect(report.groups.length).toBe('tied' in change ? 4 : 5);
        for (const { linears, loss, plainLoss, ratio } of report.groups) {
          const names = linears.map(({ name }) => name).join(' ');
          expect(loss!, names).toBeLessThanOrEqual(plainLoss! * (1 + 1e-3));
          // Scales go everywhere but into attention's values where several heads share them.
          if (names.includes('o_proj') && 'numKvHeads' in change) expect(ratio).toBeNull();
        }
      }));
  }

  test('keeps a model with outlier channels several times closer to itself', () =>
    withCheckpoint({ outliers }, async (folder, checkpoint) => {
      const whole = join(folder, 'whole.plan');
      await buildPlan({ checkpoint, out: whole, builder: quantizer().builder, precision: 'f32' });
      const exact = await scores(whole);
      const found: Record<string, number> = {};
      for (const method of ['rtn', 'awq'] as const) {
        await quantize(checkpoint, { method, texts: [text] });
        found[method] = distance(await scores(join(checkpoint, `${method}.plan`)), exact);
      }
      expect(found.rtn).toBeGreaterThan(0);
      expect(found.awq!).toBeLessThan(found.rtn! / 4);
    }));

  test('calibrates on a text of its own when it is given none', () =>
    withCheckpoint({ numLayers: 1, outliers }, async (_, checkpoint) => {
      const report = await quantize(checkpoint, { method: 'awq' });
      expect(report.calibrationTokens).toBeGreaterThan(4000);
      expect(report.perplexity).toBeNull();
      for (const { loss, plainLoss } of report.groups) expect(loss!).toBeLessThan(plainLoss!);
    }));
});

describe('The perplexity', () => {
  test('before is that of the checkpoint as a plan of float32, after that of the plan that was written', () =>
    withCheckpoint({ numLayers: 1 }, async (folder, checkpoint) => {
      const sequence = text.slice(0, 120);
      const { perplexity } = await quantize(checkpoint, { method: 'rtn', head: 'int8', evaluationTexts: [sequence] });
      const whole = join(folder, 'whole.plan');
      await buildPlan({ checkpoint, out: whole, builder: quantizer().builder, precision: 'f32' });
      for (const [plan, said] of [
        [whole, perplexity!.before],
        [join(checkpoint, 'rtn.plan'), perplexity!.after],
      ] as const) {
        const engine = await (await openNative()).loadEngine({ plan, kvTokens: 256 });
        // In the small model's tokenizer every byte is its own id.
        const ids = Int32Array.from(new TextEncoder().encode(sequence));
        const logprobs = (await engine.score(ids)).subarray(1);
        await engine.close();
        expect(perplexity!.tokens).toBe(logprobs.length);
        const mean = -logprobs.reduce((sum, value) => sum + value, 0) / logprobs.length;
        // The engine keeps keys and values of a quantized model in float16.
        expect(Math.abs(Math.log(said) - mean)).toBeLessThan(2e-3);
      }
    }));
});

describe('Round to nearest', () => {
  test('is the nearest of 16 levels that span each group of 128, with a whole zero point', () =>
    withFolder(async (folder) => {
      const tensors = await writeSmallLlama(folder, { numLayers: 1 });
      await quantize(folder, { method: 'rtn' });
      const plan = await openPlan(join(folder, 'rtn.plan'));
      for (const name of ['model.layers.0.self_attn.o_proj.weight', 'model.layers.0.mlp.down_proj.weight']) {
        const { shape, numbers } = tensors.find((tensor) => tensor.name === name)!;
        const [rows, columns] = shape as [number, number];
        expect(plan.typeOf(name)).toBe('int4_g128');
        const matrix = readInt4(plan.section(name), rows, columns, 128);
        const rounded = weightsOf(matrix);
        for (let at = 0; at < numbers.length; at += 128) {
          const group = numbers.subarray(at, at + 128);
          const scale = matrix.scales[at / 128]!;
          const span = Math.max(0, ...group) - Math.min(0, ...group);
          expect(Math.abs(scale * 15 - span)).toBeLessThan(span * 2 ** -10);
          expect(Number.isInteger(matrix.zeros[at / 128])).toBe(true);
          // Half a level, and half more at the ends, which the rounded zero point may move.
          for (let k = 0; k < 128; k++) expect(Math.abs(group[k]! - rounded[at + k]!)).toBeLessThan(scale * 1.01);
        }
      }
    }));

  test('falls to groups of 32 where 128 do not fit, and says so', () =>
    withCheckpoint({ numLayers: 1, hiddenSize: 192, numHeads: 3, numKvHeads: 3 }, async (_, checkpoint) => {
      const report = await quantize(checkpoint, { method: 'awq', texts: [text] });
      const types = Object.fromEntries(report.groups.flatMap(({ linears }) => linears.map((l) => [l.name, l.type])));
      expect(types['model.layers.0.self_attn.q_proj.weight']).toBe('int4_g32');
      expect(types['model.layers.0.mlp.down_proj.weight']).toBe('int4_g128');
      for (const { loss, plainLoss } of report.groups) expect(loss!).toBeLessThanOrEqual(plainLoss! * (1 + 1e-3));
    }));

  test('refuses a model whose columns fit no group', () =>
    withCheckpoint({ numLayers: 1, hiddenSize: 40, feedForwardSize: 56, numHeads: 2, numKvHeads: 2 }, (_, checkpoint) =>
      expect(quantize(checkpoint, { method: 'rtn' })).rejects.toThrow(
        'Nothing of this model can be quantized: its linears have 40, 56 columns, and a group has 32.',
      ),
    ));
});

describe('The other methods and the heads', () => {
  test('int8 and FP8 stay close, and each head is of the type that was asked for', () =>
    withCheckpoint({}, async (folder, checkpoint) => {
      const whole = join(folder, 'whole.plan');
      await buildPlan({ checkpoint, out: whole, builder: quantizer().builder, precision: 'f32' });
      const exact = await scores(whole);
      const distances: number[] = [];
      const wanted = [
        { method: 'int8', head: 'f16', type: 'f16', linears: 'q8' },
        { method: 'int8', head: 'int8', type: 'q8', linears: 'q8' },
        { method: 'int8', head: 'int4', type: 'int4_g128', linears: 'q8' },
        { method: 'fp8', head: 'f16', type: 'f16', linears: 'f8' },
        { method: 'rtn', head: 'f16', type: 'f16', linears: 'int4_g128' },
      ] as const;
      for (const { method, head, type, linears } of wanted) {
        const out = join(folder, `${method}-${head}.plan`);
        await quantize(checkpoint, { method, head, target: { type: 'plan', out } });
        const plan = await openPlan(out);
        expect(plan.typeOf('lm_head.weight')).toBe(type);
        expect(plan.typeOf('model.layers.1.self_attn.q_proj.weight')).toBe(linears);
        distances.push(distance(await scores(out), exact));
      }
      const [int8, int8Head, int4Head, fp8, rtn] = distances as [number, number, number, number, number];
      expect(int8).toBeLessThan(int8Head * 1.5);
      expect(int8Head).toBeLessThan(int4Head);
      expect(int8).toBeLessThan(fp8);
      expect(fp8).toBeLessThan(rtn);
    }));

  test('a tied head is the table, of the type of the head', () =>
    withCheckpoint({ numLayers: 1, tied: true }, async (_, checkpoint) => {
      const report = await quantize(checkpoint, { method: 'awq', head: 'int8', texts: [text] });
      expect(report.perplexity!.heldOut).toBe(true);
      const short = await quantize(checkpoint, { method: 'rtn', head: 'int8', texts: [text.slice(0, 500)] });
      expect(short.perplexity!.heldOut).toBe(false);
      const plan = await openPlan(join(checkpoint, 'awq.plan'));
      expect(plan.typeOf('model.embed_tokens.weight')).toBe('q8');
      expect(report.perplexity!.after / report.perplexity!.before).toBeLessThan(3);
    }));
});

describe('Quantizing', () => {
  test('leaves nothing behind when it is cancelled or fails, and says why', () =>
    withCheckpoint({}, async (folder, checkpoint) => {
      const before = await readdir(folder);
      for (const target of [
        { type: 'plan' as const, out: join(folder, 'p') },
        { type: 'awq' as const, folder: join(folder, 'f') },
      ]) {
        const stop = new AbortController();
        const cancelled = quantize(checkpoint, {
          ...{ method: 'awq', target, signal: stop.signal },
          onGroup: () => stop.abort(),
        });
        await expect(cancelled).rejects.toMatchObject({ code: 'cancelled' });
        const arithmetic = { ...quantizer(), toAwqGemm: () => Promise.reject(new Error('full')) };
        const builder = { ...arithmetic.builder, pack: () => Promise.reject(new Error('full')) };
        const failed = quantize(checkpoint, { method: 'rtn', target, arithmetic: { ...arithmetic, builder } });
        await expect(failed).rejects.toThrow('full');
      }
      expect(await readdir(folder)).toEqual(before);
    }));

  test('tells how far it is, up to the end, and how long it will take', () =>
    withCheckpoint({}, async (_, checkpoint) => {
      const told: { doneBytes: number; totalBytes: number; secondsLeft: number | null }[] = [];
      await quantize(checkpoint, { method: 'rtn', onProgress: (progress) => told.push(progress) });
      expect(told.map(({ doneBytes }) => doneBytes)).toEqual(
        told.map(({ doneBytes }) => doneBytes).sort((a, b) => a - b),
      );
      expect(told.at(-1)!.doneBytes).toBe(told.at(-1)!.totalBytes);
      expect(told.at(-1)!.secondsLeft).toBe(0);
    }));

  test('refuses before it starts where the disk or the memory will not do', () =>
    withCheckpoint({}, async (folder, checkpoint) => {
      const before = await readdir(folder);
      const room = { diskBytes: async () => 70e6, memoryBytes: () => 1e6 };
      const targets = [
        { type: 'plan' as const, out: join(folder, 'p') },
        { type: 'awq' as const, folder: join(folder, 'f') },
      ];
      for (const target of targets) {
        const full = { ...room, diskBytes: async () => 1e6 };
        await expect(quantize(checkpoint, { method: 'awq', target, room: full })).rejects.toMatchObject({
          code: 'disk-full',
        });
        await expect(quantize(checkpoint, { method: 'awq', target, room })).rejects.toMatchObject({
          code: 'out-of-memory',
        });
      }
      expect(await readdir(folder)).toEqual(before);
    }));

  test('gives the same plan twice', () =>
    withCheckpoint({ numLayers: 1, outliers }, async (folder, checkpoint) => {
      const hashes = [];
      for (const name of ['a', 'b']) {
        const out = join(folder, name);
        await quantize(checkpoint, { method: 'awq', texts: [text], target: { type: 'plan', out } });
        hashes.push((await openPlan(out)).header.tensors.map(({ sha256 }) => sha256));
      }
      expect(hashes[0]).toEqual(hashes[1]);
    }));
});

describe.skipIf(!hasShared)('stories260K, quantized', () => {
  test('still tells stories: its perplexity grows by less than half, and by less than with rounding', () =>
    withFolder(async (folder) => {
      const weights = join(sharedData, 'weights');
      const story = 'Once upon a time, there was a little girl named Lily. She loved to play outside in the park. ';
      const after: Record<string, number> = {};
      for (const method of ['rtn', 'awq', 'int8'] as const) {
        const { perplexity, groups } = await quantizeCheckpoint({
          checkpoint: join(weights, 'stories260K.bin'),
          target: { type: 'plan', out: join(folder, method) },
          ...{ method, arithmetic: quantizer(), texts: [story.repeat(20)], evaluationTexts: [story.repeat(4)] },
        });
        // Its linears have 64 and 172 columns: groups of 32 fit the one, nothing fits the other.
        expect(groups.some(({ linears }) => linears[0]!.name.includes('w2') || linears[0]!.name.includes('down'))).toBe(
          false,
        );
        after[method] = perplexity!.after / perplexity!.before;
      }
      expect(after.int8).toBeLessThan(1.02);
      expect(after.rtn).toBeLessThan(1.5);
      expect(after.awq!).toBeLessThan(after.rtn!);
    }));
});
