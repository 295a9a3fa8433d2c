/** A kit: files that a reader uses as they came. There is nothing to build; they are put in place, and are whole or not there. */
import { createHash } from 'node:crypto';
import { rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Outside } from '../outside.ts';
import { hashFile } from './download.ts';
import { type KeptFile, type Manifest, type ModelFolder, writeManifest } from './model-folder.ts';
import type { Offer } from './offer.ts';

/** Puts a folder of unpacked files in the place of the kit's; without its manifest the old one does not count any more. */
export async function keepKit(
  where: ModelFolder,
  { offer, folder, sources }: { offer: Offer; folder: string; sources: string[] },
  outside: Pick<Outside, 'nowMs'>,
  signal: AbortSignal,
): Promise<void> {
  const files: KeptFile[] = [];
  for (const { name } of offer.files) {
    const path = join(folder, name);
    files.push({ name, sizeBytes: (await stat(path)).size, sha256: await hashFile(path, 'sha256', signal) });
  }
  signal.throwIfAborted();
  await rm(where.manifest, { force: true });
  await rm(where.kit, { recursive: true, force: true });
  await rename(folder, where.kit);
  await writeManifest(where, {
    id: offer.id,
    planBytes: files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    planSha256: createHash('sha256').update(JSON.stringify(files)).digest('hex'),
    sources,
    installedAtMs: outside.nowMs(),
    files,
  });
}

/** Whether what lies on the disk is, to the last bit, what was checked when it came. */
export async function isSound({ plan, kit }: ModelFolder, manifest: Manifest, signal: AbortSignal): Promise<boolean> {
  if (!manifest.files) return (await hashFile(plan, 'sha256', signal)) === manifest.planSha256;
  for (const { name, sha256 } of manifest.files)
    if ((await hashFile(join(kit, name), 'sha256', signal)) !== sha256) return false;
  return true;
}
