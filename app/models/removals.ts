/** Models that were removed: for some seconds they can be brought back, then their bytes go. */
import { rename, rm, rmdir, stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import type { Log } from '../outside.ts';
import { type ModelFolder, modelFolder, withModelLock } from './model-folder.ts';
import { filesOfModels } from './models-place.ts';

/** A little longer than the window shows its way back. */
export const undoMs = 12_000;

export type Removals = {
  /** Takes a model out; what is free once its bytes are gone. */
  remove(where: ModelFolder): Promise<number>;
  /** True if it is back. */
  restore(where: ModelFolder): Promise<boolean>;
  /** Ends what an earlier process could not. */
  tidy(folder: string): Promise<void>;
  /** The bytes of all that was removed go now. */
  close(): Promise<void>;
};

export function createRemovals(log: Log, waitMs = undoMs): Removals {
  const waiting = new Map<string, { where: ModelFolder; timer: NodeJS.Timeout }>();

  async function erase(where: ModelFolder): Promise<void> {
    waiting.delete(where.folder);
    try {
      await withModelLock(where, async () => {
        await rm(where.plan, { force: true });
        await rm(where.kit, { recursive: true, force: true });
        await rm(where.download, { recursive: true, force: true });
        await rm(where.removed, { force: true });
      });
      await rmdir(where.folder);
    } catch (error) {
      log('warn', 'the files of a removed model are still there', { folder: where.folder, error: String(error) });
    }
  }

  return {
    async remove(where) {
      const files = (await filesOfModels(dirname(where.folder))).get(basename(where.folder)) ?? [];
      // Without its manifest the folder holds no model; with this one, it can be again.
      await withModelLock(where, () => rename(where.manifest, where.removed).catch(() => undefined));
      clearTimeout(waiting.get(where.folder)?.timer);
      const timer = setTimeout(() => void erase(where), waitMs);
      timer.unref();
      waiting.set(where.folder, { where, timer });
      return files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    },
    async restore(where) {
      clearTimeout(waiting.get(where.folder)?.timer);
      waiting.delete(where.folder);
      // Without this, the lock would make a folder for a model that there is none of.
      if (!(await stat(where.removed).catch(() => null))) return false;
      return withModelLock(where, () =>
        rename(where.removed, where.manifest).then(
          () => true,
          () => false,
        ),
      );
    },
    async tidy(folder) {
      for (const [name, files] of await filesOfModels(folder)) {
        const where = modelFolder(folder, name);
        if (files.some(({ path }) => path === 'removed.json') && !files.some(({ path }) => path === 'manifest.json'))
          await erase(where);
      }
    },
    async close() {
      for (const { where, timer } of [...waiting.values()]) {
        clearTimeout(timer);
        await erase(where);
      }
    },
  };
}
