/**
 * Every pass is neutral: a program compiled without it gives the same numbers, through the real engine in float32. Most of
 * it bit for bit, since a fused operation does the same arithmetic in the same order.
 */
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { compile, type RewriteName, rewriteNames } from '../../../engines/graph/passes/passes.ts';
import type { Graph } from '../../../engines/graph/types.ts';
import { openNative } from '../../native/native.ts';
import { withFolder } from '../checkpoints.ts';
import {
  largestDifference,
  readReference,
  referenceNames,
  runReference,
  withEngine,
  writeHubFolder,
} from '../reference/reference.ts';
import { madeCheckpoint, outputOf, withModel } from './numbers.ts';
import { createChoice, randomModel } from './random-graph.ts';

type Toggle = RewriteName | 'reuse-buffers';
const toggles: readonly Toggle[] = [...rewriteNames, 'reuse-buffers'];

/** They move numbers and change no arithmetic: the same bits on every processor. */
const exact: ReadonlySet<Toggle> = new Set(['fuse-linears', 'fuse-rope-kv', 'drop-unused', 'reuse-buffers']);

/**
 * Of the outputs' spread, for the others: a fused loop may round an intermediate number otherwise than two loops do.
 * Reached: 0 on AVX-512.
 */
const tolerance = 1e-6;

// The engine may have to be compiled first.
beforeAll(openNative, 600_000);

describe.each(referenceNames())('The model %s', (name) => {
  const reference = readReference(name);

  test.runIf(reference.kind !== 'score')('gives the same without each pass, one at a time', () =>
    withFolder(async (folder) => {
      const checkpoint = await writeHubFolder(reference, join(folder, 'model'));
      const whole = await withEngine(checkpoint, {}, (engine) => runReference(engine, reference));
      for (const toggle of toggles) {
        const without = new Set([toggle]);
        const found = await withEngine(checkpoint, { without }, (engine) => runReference(engine, reference));
        const apart = largestDifference(found, whole);
        expect(apart, `without ${toggle}`).toBeLessThanOrEqual(exact.has(toggle) ? 0 : tolerance);
      }
    }),
  );
});

const numModels = 60;
const numSubsets = 3;

describe('A random program', () => {
  test('is changed by each of the passes often enough to tell', () => {
    const changed = new Map<string, number>();
    for (let seed = 0; seed < numModels; seed++) {
      const { shapes } = madeCheckpoint(randomModel(seed));
      let before: Graph | null = null;
      compile(randomModel(seed).build(shapes!), {
        precision: 'f32',
        observe({ pass, graph }) {
          if (before !== null && graph.nodes.length !== before.nodes.length)
            changed.set(pass, (changed.get(pass) ?? 0) + 1);
          before = graph;
        },
      });
    }
    for (const name of rewriteNames) expect(changed.get(name) ?? 0, name).toBeGreaterThanOrEqual(10);
  });

  const ids = Int32Array.from([1, 7, 33, 2, 2, 19, 5, 38, 11]);

  test.each(Array.from({ length: numModels / 10 }, (_, tens) => tens * 10))(
    'of seeds from %i on gives the same whatever passes are left out',
    (first) =>
      withFolder(async (folder) => {
        for (let seed = first; seed < first + 10; seed++) {
          const model = randomModel(seed);
          const run = (without: ReadonlySet<Toggle>): Promise<Float32Array> =>
            withModel(folder, model, { without }, (engine) => outputOf(model, engine, ids));
          const written = await run(new Set(toggles));
          expect(written.every(Number.isFinite), `seed ${seed}`).toBe(true);
          expect(Math.max(...written) - Math.min(...written), `seed ${seed}`).toBeGreaterThan(0.01);
          const choice = createChoice(1000 + seed);
          for (let subset = 0; subset <= numSubsets; subset++) {
            const without = new Set(toggles.filter(() => subset > 0 && choice.below(2) === 0));
            const found = await run(without);
            const apart = largestDifference([found], [written]);
            expect(apart, `seed ${seed} without ${[...without].join(', ')}`).toBeLessThanOrEqual(tolerance);
          }
        }
      }),
  );
});
