/** Opens broken checkpoints: nothing but a `ModelError` may come of it, soon, and in little memory. */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buildPlan, openCheckpoint } from '../../engines/build/build.ts';
import type { Builder } from '../../native/index.ts';
import { createRandom, mutate } from './mutate.ts';
import { seeds } from './seeds.ts';

/** What a small file may take of either; a sound one takes a hundredth. */
const mostMs = 20_000;
const mostBytes = 400 * 2 ** 20;

export type Outcome = 'opened' | 'built' | 'refused';

/** Thrown for whatever a broken checkpoint must not do. */
export class FuzzFailure extends Error {
  override readonly name = 'FuzzFailure';
}

/**
 * The cases from `first` on, `count` of them. `folder` is an empty one. With a builder, those that open are built too.
 * Fails with a `FuzzFailure` that names the case.
 */
export async function fuzzCheckpoints(options: {
  folder: string;
  first: number;
  count: number;
  builder?: Builder;
  onCase?: (number: number, outcome: Outcome) => void;
}): Promise<Record<Outcome, number>> {
  const { folder, first, count, builder, onCase } = options;
  const outcomes: Record<Outcome, number> = { opened: 0, built: 0, refused: 0 };
  const written: { at: string; open: string; files: string[]; sound: Map<string, Buffer> }[] = [];
  for (const [index, seed] of seeds.entries()) {
    const at = join(folder, String(index));
    await mkdir(at);
    const { open, files } = await seed.write(at);
    const sound = new Map<string, Buffer>();
    for (const file of files) sound.set(file, await readFile(join(at, file)));
    written.push({ at, open, files, sound });
    // A case that cannot be opened when it is sound would test nothing.
    await (await openCheckpoint(join(at, open))).close();
  }
  for (let number = first; number < first + count; number++) {
    const random = createRandom(number);
    const { at, open, files, sound } = random.pick(written);
    const file = random.pick(files);
    await writeFile(join(at, file), mutate(sound.get(file)!, random));
    const start = performance.now();
    const outcome = await tryCase(join(at, open), join(folder, 'plan'), builder).catch((cause: unknown) => {
      throw new FuzzFailure(
        `case ${number} (${seeds[written.findIndex((one) => one.at === at)]!.name}, ${file}): ${cause}`,
        {
          cause,
        },
      );
    });
    const milliseconds = performance.now() - start;
    const { external, heapUsed } = process.memoryUsage();
    if (milliseconds > mostMs) throw new FuzzFailure(`case ${number} took ${milliseconds.toFixed(0)} ms`);
    if (external + heapUsed > mostBytes) throw new FuzzFailure(`case ${number} took ${external + heapUsed} bytes`);
    outcomes[outcome]++;
    onCase?.(number, outcome);
    await writeFile(join(at, file), sound.get(file)!);
  }
  return outcomes;
}

async function tryCase(path: string, out: string, builder: Builder | undefined): Promise<Outcome> {
  try {
    const checkpoint = await openCheckpoint(path);
    try {
      for (const { name, sizeBytes } of checkpoint.tensors) {
        const bytes = await checkpoint.read(name);
        if (bytes.length !== sizeBytes) throw new FuzzFailure(`${name} has ${bytes.length} bytes, not ${sizeBytes}`);
      }
    } finally {
      await checkpoint.close();
    }
    if (builder === undefined) return 'opened';
    await buildPlan({ checkpoint: path, out, builder });
    return 'built';
  } catch (error) {
    if ((error as Error).name !== 'ModelError' || !/[.?]$/.test((error as Error).message)) throw error;
    return 'refused';
  } finally {
    await rm(out, { force: true });
  }
}
