/**
 * A model on the disk: `<modelsFolder>/<id>/` with `plan.quoth` (or, of a kit, its files as they are in `kit/`),
 * `manifest.json`, and, while it is installed, `download/`.
 * The manifest is written last, so a folder without one holds no model, whatever else lies in it.
 */
import { mkdir, open, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { QuothError } from '../contract/errors.ts';

export type ModelFolder = {
  folder: string;
  plan: string;
  /** The folder of what is kept as it is: readers are let into it. */
  kit: string;
  manifest: string;
  /** The manifest of a model that was removed and can still be brought back. */
  removed: string;
  /** Archives and checkpoints on their way. */
  download: string;
  lock: string;
};

/** What the catalogue says of the others: of a model that was made from files of the person's own. */
const ownModel = z.object({
  name: z.string().min(1).max(200),
  role: z.enum(['chat', 'embedder', 'reranker']),
});
export type OwnModel = z.infer<typeof ownModel>;

/** A name, or one in a folder: never a way out of the model's own. */
export const fileName = /^(?:[0-9a-zA-Z][0-9a-zA-Z._-]*\/)?[0-9a-zA-Z][0-9a-zA-Z._-]*$/;

const keptFile = z.object({
  name: z.string().regex(fileName),
  sizeBytes: z.number().int().nonnegative(),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});
export type KeptFile = z.infer<typeof keptFile>;

const manifestSchema = z.object({
  id: z.string(),
  /** Of a kit: all its files, and the hash of their list. */
  planBytes: z.number().int().positive(),
  planSha256: z.string().regex(/^[0-9a-f]{64}$/),
  /** Of a kit alone. */
  files: z.array(keptFile).max(100).optional(),
  /** What it was built from: hashes as the catalogue names them. */
  sources: z.array(z.string()),
  installedAtMs: z.number(),
  own: ownModel.optional(),
});
export type Manifest = z.infer<typeof manifestSchema>;

/** Ids come from our catalogue or from a window: one that could leave the folder is refused. */
export function modelFolder(modelsFolder: string, id: string): ModelFolder {
  if (!/^[0-9a-zA-Z][0-9a-zA-Z._-]{0,99}$/.test(id))
    throw new QuothError('not-found', 'There is no such model. The list of models has the names.');
  const folder = join(modelsFolder, id);
  return {
    folder,
    plan: join(folder, 'plan.quoth'),
    kit: join(folder, 'kit'),
    manifest: join(folder, 'manifest.json'),
    removed: join(folder, 'removed.json'),
    download: join(folder, 'download'),
    lock: join(folder, 'lock'),
  };
}

export type FolderState =
  | { type: 'empty' }
  | { type: 'installed'; manifest: Manifest }
  /** `manifest`: where at least that can be read. */
  | { type: 'broken'; why: string; manifest: Manifest | null };

/** What lies in the folder. The plan's size is compared, not its hash: that takes seconds, and loading checks more. */
export async function readModelFolder({ manifest, plan, kit }: ModelFolder): Promise<FolderState> {
  let json: string;
  try {
    json = await readFile(manifest, 'utf8');
  } catch {
    return { type: 'empty' };
  }
  let parsed: Manifest | null = null;
  try {
    parsed = manifestSchema.parse(JSON.parse(json));
    const sizes = parsed.files
      ? await Promise.all(
          parsed.files.map(async ({ name, sizeBytes }) => [(await stat(join(kit, name))).size, sizeBytes]),
        )
      : [[(await stat(plan)).size, parsed.planBytes]];
    if (sizes.every(([size, wanted]) => size === wanted)) return { type: 'installed', manifest: parsed };
    return { type: 'broken', why: `Its file has the wrong size. ${again(parsed)}`, manifest: parsed };
  } catch {
    return { type: 'broken', why: `Its file is missing or damaged. ${again(parsed)}`, manifest: parsed };
  }
}

const again = (manifest: Manifest | null): string =>
  manifest?.own ? 'Please import it again.' : 'Please install it again.';

/** Puts a small file in place so that it is there whole or not at all. */
export async function writeWhole(path: string, text: string): Promise<void> {
  const unfinished = `${path}.new`;
  const file = await open(unfinished, 'w');
  try {
    await file.writeFile(text);
    await file.datasync();
  } finally {
    await file.close();
  }
  await rename(unfinished, path);
}

export async function writeManifest(where: ModelFolder, manifest: Manifest): Promise<void> {
  await writeWhole(where.manifest, JSON.stringify(manifest, null, 2));
}

/** A lock whose owner has not touched it for so long is left over from a process that ended. */
const staleMs = 30_000;
const touchEveryMs = 5_000;

async function isStale(lock: string, nowMs: number): Promise<boolean> {
  try {
    const [text, { mtimeMs }] = await Promise.all([readFile(lock, 'utf8'), stat(lock)]);
    if (nowMs - mtimeMs > staleMs) return true;
    const pid = Number(text);
    if (!Number.isSafeInteger(pid) || pid <= 0) return false; // just being written
    if (pid === process.pid) return false;
    process.kill(pid, 0); // asks only whether it is there
    return false;
  } catch (error) {
    return (error as { code?: unknown }).code === 'ESRCH' || (error as { code?: unknown }).code === 'ENOENT';
  }
}

/** True while some process installs or removes the model. */
export async function isLocked({ lock }: ModelFolder): Promise<boolean> {
  const there = await stat(lock).catch(() => null);
  return there !== null && !(await isStale(lock, Date.now()));
}

/** Runs `work` as the only process that changes this model. Fails with `busy` when another one does. */
export async function withModelLock<Result>(where: ModelFolder, work: () => Promise<Result>): Promise<Result> {
  await mkdir(where.folder, { recursive: true });
  for (let round = 0; ; round++) {
    try {
      await writeFile(where.lock, String(process.pid), { flag: 'wx' });
      break;
    } catch (error) {
      if ((error as { code?: unknown }).code !== 'EEXIST') throw error;
      if (round > 0 || !(await isStale(where.lock, Date.now())))
        throw new QuothError(
          'busy',
          'This model is being installed or removed already. Please wait until that is done.',
        );
      await rm(where.lock, { force: true });
    }
  }
  const touching = setInterval(() => {
    const now = new Date();
    utimes(where.lock, now, now).catch(() => {}); // the folder is being removed: so is the lock
  }, touchEveryMs);
  touching.unref();
  try {
    return await work();
  } finally {
    clearInterval(touching);
    await rm(where.lock, { force: true });
  }
}
