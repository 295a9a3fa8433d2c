/**
 * What is checked of a device with whole models. The same checks run on the CPU with small numbers (checks.test.ts), on a GPU
 * as tests (device.gpu.test.ts), and on a machine that has Node and no packages (run.ts, for test/bench/gpu.sh).
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DeviceName, Engine, EngineOptions, Native } from '../../../native/index.ts';

/** `failure` is absent when all is well; `reached` says how well, in numbers. */
export type Checked = { name: string; reached: string; failure?: string };

export type Place = {
  native: Native;
  device: DeviceName;
  /** For plans; removed at the end. */
  folder: string;
  /** A tenth of the work: for machines whose work is not this. */
  isSmall: boolean;
};

/** A family of checks. One that throws has failed as a whole. */
export type Check = { name: string; run(place: Place): AsyncIterable<Checked> };

export function judge(name: string, reached: string, isRight: boolean, why = 'out of its bounds'): Checked {
  return isRight ? { name, reached } : { name, reached, failure: why };
}

export async function withEngine<Result>(
  { native, device }: Place,
  options: Omit<EngineOptions, 'device'>,
  work: (engine: Engine) => Promise<Result>,
): Promise<Result> {
  const engine = await native.loadEngine({ ...options, device, ...(device === 'cpu' ? { numThreads: 2 } : {}) });
  try {
    return await work(engine);
  } finally {
    await engine.close();
  }
}

/** Runs checks one after another; `report` sees each as it ends. */
export async function runChecks(
  checks: readonly Check[],
  place: Omit<Place, 'folder'>,
  report: (checked: Checked) => void,
): Promise<void> {
  for (const { name, run } of checks) {
    const folder = await mkdtemp(join(tmpdir(), 'quoth-device-'));
    try {
      for await (const checked of run({ ...place, folder })) report(checked);
    } catch (error) {
      report({
        name,
        reached: 'nothing',
        failure: error instanceof Error ? (error.stack ?? error.message) : String(error),
      });
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }
}
