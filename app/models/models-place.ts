/**
 * Where the models lie. The folder that the system's custom names is the home; once they were moved, a note in it says
 * where they are, for all profiles of this user alike.
 */
import { readFileSync } from 'node:fs';
import { readdir, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { z } from 'zod';
import { writeWhole } from './model-folder.ts';

const note = z.object({ folder: z.string().min(1) });

export type ModelsPlace = {
  home: string;
  folder(): string;
  /** True where the models were moved to a drive that is not there now. */
  isUnreachable(): Promise<boolean>;
  /** From now on the models are there. */
  moveTo(folder: string): Promise<void>;
};

export function createModelsPlace(home: string): ModelsPlace {
  const path = join(home, 'moved.json');
  let folder = home;
  try {
    ({ folder } = note.parse(JSON.parse(readFileSync(path, 'utf8'))));
  } catch {
    // never moved, or the note is damaged: they are looked for at home
  }
  return {
    home,
    folder: () => folder,
    isUnreachable: async () => folder !== home && !(await stat(folder).catch(() => null))?.isDirectory(),
    async moveTo(next) {
      if (next === home) await rm(path, { force: true });
      else await writeWhole(path, JSON.stringify({ folder: next }));
      folder = next;
    },
  };
}

/** The end of a path, for people: "Users › Quoth models". */
export function nameOfFolder(folder: string): string {
  const above = basename(dirname(folder));
  return above === '' ? basename(folder) || folder : `${above} › ${basename(folder)}`;
}

/** A model's own file, so long as it is worth keeping. */
const leftOver = /^lock$|\.new(\.|$)|\.partial\.journal$/;

export type ModelFile = { path: string; sizeBytes: number };

/** The files of each model below the folder, by the names of their folders; locks and unfinished plans are not among them. */
export async function filesOfModels(folder: string): Promise<Map<string, ModelFile[]>> {
  const found = new Map<string, ModelFile[]>();
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  for (const entry of entries) {
    if (!/^[0-9a-zA-Z][0-9a-zA-Z._-]{0,99}$/.test(entry.name) || entry.name.endsWith('.arriving')) continue;
    // A model may be a link to another place: its files are what counts.
    const root = join(folder, entry.name);
    if (!(await stat(root).catch(() => null))?.isDirectory()) continue;
    const below = await readdir(root, { recursive: true, withFileTypes: true }).catch(() => []);
    const files: ModelFile[] = [];
    for (const file of below) {
      if (!file.isFile() || leftOver.test(file.name)) continue;
      const path = join(file.parentPath, file.name).slice(root.length + 1);
      const { size } = await stat(join(root, path));
      files.push({ path, sizeBytes: size });
    }
    if (files.some(({ path }) => /^(manifest|removed)\.json$|^download\b/.test(path))) found.set(entry.name, files);
  }
  return found;
}
