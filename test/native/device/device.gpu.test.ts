// The checks of whole models on the GPU of this machine; without one, or without its kernels beside the addon, they are skipped.
// `test/native/device/run.ts` runs the same without vitest.
import { beforeAll, describe, expect, test } from 'vitest';
import { buildAddon } from '../../../main/setup/addon.mjs';
import { placeCuda } from '../../../main/setup/cuda.mjs';
import { openNative } from '../native.ts';
import { type Checked, runChecks } from './checks.ts';
import { families } from './families.ts';

async function whyNoGpu(): Promise<string | null> {
  const addon = process.env.QUOTH_ADDON ?? (await buildAddon());
  placeCuda(addon.slice(0, Math.max(addon.lastIndexOf('/'), addon.lastIndexOf('\\'))));
  const { device, reason } = await (await openNative()).describe();
  return device === 'cuda' ? null : reason;
}

const why = await whyNoGpu();

describe.skipIf(why !== null)(`whole models on the GPU${why === null ? '' : ` (${why})`}`, () => {
  beforeAll(openNative, 600_000);

  test.each(Object.entries(families))(
    '%s: all checks pass',
    async (_name, check) => {
      const wrong: Checked[] = [];
      const place = { native: await openNative(), device: 'cuda' as const, isSmall: false };
      await runChecks([check], place, (checked) => checked.failure !== undefined && wrong.push(checked));
      expect(wrong).toEqual([]);
    },
    300_000,
  );
});
