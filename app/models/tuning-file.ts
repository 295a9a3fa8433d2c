/** Where an engine keeps which of its kernels' shapes are the fastest here. */
import { createHash, randomUUID } from 'node:crypto';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { EngineOptions } from '../../native/index.ts';

/**
 * Beside the plan, as an engine does by itself (nothing is said then); in `folder`, which is made, where the plan's own cannot
 * be written to: a model on a shared or protected drive. Where neither can be, an engine finds it out anew each time.
 */
export async function tuningFileFor(plan: string, folder: string): Promise<Pick<EngineOptions, 'tuningFile'>> {
  if (await canWriteTo(dirname(plan))) return {};
  try {
    await mkdir(folder, { recursive: true });
  } catch {
    return {};
  }
  const name = createHash('sha256').update(resolve(plan)).digest('hex').slice(0, 32);
  return { tuningFile: join(folder, `${name}.json`) };
}

/** What a system says of a folder's rights is not always what it does. */
async function canWriteTo(folder: string): Promise<boolean> {
  const probe = join(folder, `.quoth-${randomUUID()}`);
  try {
    await writeFile(probe, '', { flag: 'wx' });
  } catch {
    return false;
  }
  await rm(probe, { force: true });
  return true;
}
