/**
 * The person's keys for servers elsewhere, in one file of the profile that only this user may read. Where the system has a
 * keychain, what stands in the file is encrypted by it; else it stands there as it is, and `protection` says so.
 */
import { chmod, readFile, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import type { Secrets } from '../app/outside.ts';

/** The system's keychain. Texts in base64; null for what it cannot do, now or ever. */
export type Keychain = {
  isThere(): Promise<boolean>;
  encrypt(text: string): Promise<string | null>;
  decrypt(encrypted: string): Promise<string | null>;
};

const file = z.record(
  z.string(),
  z.union([z.object({ sealed: z.string() }).strict(), z.object({ plain: z.string() }).strict()]),
);
type File = z.infer<typeof file>;

export function createSecrets(profileFolder: string, keychain: Keychain | null): Secrets {
  const where = path.join(profileFolder, 'keys.json');
  let turn: Promise<unknown> = Promise.resolve();

  async function load(): Promise<File> {
    try {
      return file.parse(JSON.parse(await readFile(where, 'utf8')));
    } catch {
      return {}; // none yet; of a damaged one the keys are asked for again
    }
  }

  async function save(secrets: File): Promise<void> {
    const fresh = `${where}.new`;
    await writeFile(fresh, JSON.stringify(secrets), { mode: 0o600, flush: true });
    // A file of this name that a crash left behind keeps its own rights.
    await chmod(fresh, 0o600);
    await rename(fresh, where);
  }

  const isThere = async (): Promise<boolean> => (await keychain?.isThere()) ?? false;

  return {
    protection: async () => ((await isThere()) ? 'system' : 'file'),
    async read(name) {
      const found = (await load())[name];
      if (!found) return null;
      return 'plain' in found ? found.plain : ((await keychain?.decrypt(found.sealed)) ?? null);
    },
    write(name, secret) {
      const work = async (): Promise<void> => {
        const { [name]: before, ...others } = await load();
        if (secret === null) {
          if (before) await save(others);
          return;
        }
        const sealed = (await isThere()) ? await keychain?.encrypt(secret) : null;
        await save({ ...others, [name]: sealed ? { sealed } : { plain: secret } });
      };
      const mine = turn.then(work, work);
      turn = mine.catch(() => {});
      return mine;
    },
  };
}
