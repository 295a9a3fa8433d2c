/**
 * Every architecture against PyTorch's transformers: small models of the true classes with the same numbers for weights.
 * The numbers were made by reference/make-logits.py; a case is some lines in a file reference/cases_*.py.
 */
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { openNative } from '../native/native.ts';
import { withFolder } from './checkpoints.ts';
import {
  largestDifference,
  readReference,
  referenceNames,
  runReference,
  withEngine,
  writeGgufFile,
  writeHubFolder,
} from './reference/reference.ts';

/** Of the reference's spread. Reached: 2e-6; float32 sums in another order, and 6 digits in the files. */
const tolerance = 2e-5;

// The engine may have to be compiled first.
beforeAll(openNative, 600_000);

describe.each(referenceNames())('The model %s', (name) => {
  const reference = readReference(name);
  const wanted = reference.sequences.map(({ output }) => output);
  const [published, saved] = reference.configs;
  const { contextTokens } = reference;

  test('gives the outputs of transformers, fused and as it was written', () =>
    withFolder(async (folder) => {
      const checkpoint = await writeHubFolder(reference, join(folder, 'model'), published);
      const reached: Record<string, number> = {};
      for (const fuse of [true, false]) {
        const found = await withEngine(checkpoint, { contextTokens, fuse }, (engine) =>
          runReference(engine, reference),
        );
        reached[fuse ? 'fused' : 'written'] = largestDifference(found, wanted);
      }
      if (process.env.QUOTH_SHOW !== undefined) console.log(name, reached);
      expect(Math.max(...Object.values(reached)), JSON.stringify(reached)).toBeLessThan(tolerance);
    }));

  test('gives them from the config.json that transformers saves today', () =>
    withFolder(async (folder) => {
      const checkpoint = await writeHubFolder(reference, join(folder, 'model'), saved);
      const found = await withEngine(checkpoint, { contextTokens }, (engine) => runReference(engine, reference));
      expect(largestDifference(found, wanted)).toBeLessThan(tolerance);
    }));

  if (reference.kind === 'logits')
    test('gives them one token at a time, and in pieces of a prompt', () =>
      withFolder(async (folder) => {
        const checkpoint = await writeHubFolder(reference, join(folder, 'model'));
        for (const stepTokens of [1, 5]) {
          const found = await withEngine(checkpoint, { contextTokens, stepTokens }, (engine) =>
            runReference(engine, reference),
          );
          expect(largestDifference(found, wanted), `${stepTokens} at a time`).toBeLessThan(tolerance);
        }
      }));

  if (reference.gguf !== undefined)
    test('gives them from a GGUF file', () =>
      withFolder(async (folder) => {
        const { checkpoint, tokenizerFile } = await writeGgufFile(reference, folder);
        const options = { contextTokens, tokenizerFile };
        const found = await withEngine(checkpoint, options, (engine) => runReference(engine, reference));
        expect(largestDifference(found, wanted)).toBeLessThan(tolerance);
      }));

  test('gives nearly the same in f16 and in q8', () =>
    withFolder(async (folder) => {
      const checkpoint = await writeHubFolder(reference, join(folder, 'model'));
      for (const [precision, bound] of [
        ['f16', 0.01],
        ['q8', 0.05],
      ] as const) {
        const found = await withEngine(checkpoint, { contextTokens, precision }, (engine) =>
          runReference(engine, reference),
        );
        const reached = largestDifference(found, wanted);
        if (process.env.QUOTH_SHOW !== undefined) console.log(name, precision, reached);
        expect(reached, precision).toBeLessThan(bound);
      }
    }));
});
