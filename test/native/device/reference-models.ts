/** Small models of every architecture against the numbers of PyTorch's transformers (../../engines/reference). */
import { join } from 'node:path';
import { buildPlan } from '../../../engines/build/build.ts';
import {
  largestDifference,
  readReference,
  referenceNames,
  runReference,
  writeHubFolder,
} from '../../engines/reference/reference.ts';
import { type Check, judge, withEngine } from './checks.ts';

/**
 * Of the reference's spread. A GPU rounds what it multiplies to f16, in attention and beside weights of any type but f32; f16 and
 * q8 weights are themselves rounded (../../engines/reference-logits.test.ts has the same bounds for the CPU).
 */
const bounds = {
  cpu: { f32: 2e-5, f16: 0.01, q8: 0.05 },
  cuda: { f32: 3e-3, f16: 0.01, q8: 0.05 },
} as const;

export const referenceModels: Check = {
  name: 'reference models',
  async *run(place) {
    const names = referenceNames();
    for (const name of place.isSmall ? names.filter((_, at) => at % 12 === 0) : names) {
      const reference = readReference(name);
      const { contextTokens } = reference;
      const checkpoint = await writeHubFolder(reference, join(place.folder, name));
      const wanted = reference.sequences.map(({ output }) => output);
      for (const precision of ['f32', 'f16', 'q8'] as const) {
        const plan = `${checkpoint}.${precision}.plan`;
        await buildPlan({ checkpoint, out: plan, builder: place.native.builder, precision, contextTokens });
        const found = await withEngine(place, { plan }, (engine) => runReference(engine, reference));
        const apart = largestDifference(found, wanted);
        yield judge(`${name} in ${precision}`, apart.toExponential(1), apart < bounds[place.device][precision]);
      }
    }
  },
};
