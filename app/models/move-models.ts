/**
 * Moves all models to another folder: copied, checked, and only then used from there and removed here. Whatever fails or
 * ends on the way, the models are whole in one of the two places, and the other is tidied up at the next start.
 */
import { link, mkdir, readdir, readFile, realpath, rename, rm, rmdir, stat } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import { z } from 'zod';
import { QuothError } from '../contract/errors.ts';
import type { ModelsFolder } from '../contract/types.ts';
import { freeBytes } from '../free-bytes.ts';
import type { Log } from '../outside.ts';
import { copyWhole } from './copy-file.ts';
import { spareBytes } from './install.ts';
import { isSound } from './keep-kit.ts';
import { modelFolder, readModelFolder, withModelLock, writeWhole } from './model-folder.ts';
import { filesOfModels, type ModelFile, type ModelsPlace } from './models-place.ts';

/** What the folder is called that is made where others' files lie already. */
const ownFolderName = 'Quoth models';

const journal = z.object({ from: z.string(), to: z.string(), names: z.array(z.string()), pid: z.number() });
type Journal = z.infer<typeof journal>;

export type MoveReport = (
  step: NonNullable<ModelsFolder['move']>['step'],
  doneBytes: number,
  totalBytes: number,
) => void;

export type MoveParts = {
  place: ModelsPlace;
  log: Log;
  /** Closes the engines: a plan that one has open cannot be removed on every system. */
  letGo(): Promise<void>;
};

const journalOf = (place: ModelsPlace): string => join(place.home, 'moving.json');

/** Where the models would lie if the person chose this folder. Fails with a sentence where that cannot be. */
export async function targetOf(chosen: string, place: ModelsPlace): Promise<string> {
  const found = await stat(chosen).catch(() => null);
  if (!found?.isDirectory()) throw new QuothError('not-found', 'Please choose a folder; this is none.');
  const folder = await realpath(chosen);
  const names = await readdir(folder).catch((cause: unknown) => {
    throw new QuothError('denied', 'This folder cannot be read. Please choose another one.', { cause });
  });
  const isHome = folder === (await realpath(place.home).catch(() => place.home));
  const isOurs = isHome || basename(folder) === ownFolderName || (await filesOfModels(folder)).size > 0;
  const target = isHome ? place.home : names.length === 0 || isOurs ? folder : join(folder, ownFolderName);
  const from = await realpath(place.folder()).catch(() => place.folder());
  if (target === from || target === place.folder())
    throw new QuothError('invalid-input', 'The models are there already.');
  if (isWithin(target, from))
    throw new QuothError('invalid-input', 'This folder lies within the one of the models. Please choose another one.');
  return target;
}

function isWithin(path: string, folder: string): boolean {
  const way = relative(folder, path);
  return way !== '' && way !== '..' && !/^\.\.[\\/]/.test(way) && way !== path;
}

/** Moves the models. Fails as the disk does, or with `cancelled`, and then everything is as it was. */
export async function moveModels(to: string, parts: MoveParts, signal: AbortSignal, report: MoveReport): Promise<void> {
  const { place } = parts;
  const from = place.folder();
  const wasThere = (await stat(to).catch(() => null)) !== null;
  let names: string[] = [];
  try {
    await mkdir(to, { recursive: true });
    await mkdir(place.home, { recursive: true });
    const there = await filesOfModels(to);
    const models = [...(await filesOfModels(from))].filter(([name]) => !there.has(name));
    names = models.map(([name]) => name);
    await refuseWithoutRoom(from, to, models);
    await writeJournal(place, { from, to, names, pid: process.pid });
    await copyModels(from, to, models, signal, report);
    signal.throwIfAborted();
    await parts.letGo();
    await place.moveTo(to);
  } catch (error) {
    await undo(to, names, wasThere);
    await rm(journalOf(place), { force: true });
    throw signal.aborted ? new QuothError('cancelled', 'The move was stopped.', { cause: error }) : inWords(error);
  }
  report('tidy', 0, 0);
  await removeFrom(from, names, parts.log);
  await rm(journalOf(place), { force: true });
}

async function copyModels(
  from: string,
  to: string,
  models: [string, ModelFile[]][],
  signal: AbortSignal,
  report: MoveReport,
): Promise<void> {
  const totalBytes = models.flatMap(([, files]) => files).reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  let doneBytes = 0;
  for (const [name, files] of models) {
    // Nobody installs or removes it meanwhile, in this process or another.
    await withModelLock(modelFolder(from, name), async () => {
      const arriving = join(to, `${name}.arriving`);
      await rm(arriving, { recursive: true, force: true });
      for (const { path, sizeBytes } of files) {
        const [source, target] = [join(from, name, path), join(arriving, path)];
        await mkdir(dirname(target), { recursive: true });
        // On the same disk a second name will do, and nothing has to be read.
        const isLinked = await link(source, target).then(
          () => true,
          () => false,
        );
        if (!isLinked)
          await copyWhole(source, target, signal, (copied) => report('copy', doneBytes + copied, totalBytes));
        doneBytes += sizeBytes;
        report('copy', doneBytes, totalBytes);
      }
      await check(arriving, name, signal, () => report('verify', doneBytes, totalBytes));
      await rename(arriving, join(to, name));
    });
  }
}

/** What counts is read back: what a drive does not keep must be known before the other copy goes. */
async function check(folder: string, name: string, signal: AbortSignal, report: () => void): Promise<void> {
  const where = modelFolder(dirname(folder), basename(folder));
  const state = await readModelFolder(where);
  if (state.type !== 'installed') return; // unfinished, or broken before
  report();
  if (await isSound(where, state.manifest, signal)) return;
  throw new QuothError('unreadable', `The copy of "${name}" is not what it was: nothing was moved.`);
}

async function refuseWithoutRoom(from: string, to: string, models: [string, ModelFile[]][]): Promise<void> {
  const [here, there] = await Promise.all([stat(from).catch(() => null), stat(to)]);
  if (here?.dev === there.dev) return;
  const need = models.flatMap(([, files]) => files).reduce((sum, { sizeBytes }) => sum + sizeBytes, spareBytes);
  const free = await freeBytes(to);
  if (free === null || free >= need) return;
  const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(1)} GB`;
  throw new QuothError(
    'disk-full',
    `The models take ${gigabytes(need)}, and ${gigabytes(free)} are free there. Please choose another folder.`,
  );
}

async function writeJournal(place: ModelsPlace, written: Journal): Promise<void> {
  await writeWhole(journalOf(place), JSON.stringify(written));
}

/** Takes away what came to the new place, and nothing that was there before. */
async function undo(to: string, names: readonly string[], wasThere: boolean): Promise<void> {
  for (const name of names)
    for (const folder of [`${name}.arriving`, name]) await rm(join(to, folder), { recursive: true, force: true });
  if (!wasThere) await rmdir(to).catch(() => undefined); // somebody put something there
}

async function removeFrom(from: string, names: readonly string[], log: Log): Promise<void> {
  for (const name of names)
    await rm(join(from, name), { recursive: true, force: true }).catch((error: unknown) =>
      log('warn', 'a moved model could not be removed from its old place', { name, error: String(error) }),
    );
}

/** Ends what a process that died left of a move: its copies go, or, where the move was done, the old files. */
export async function tidyMove(place: ModelsPlace, log: Log): Promise<void> {
  let left: Journal;
  try {
    left = journal.parse(JSON.parse(await readFile(journalOf(place), 'utf8')));
  } catch {
    return;
  }
  if (left.pid !== process.pid && isAlive(left.pid)) return;
  if (place.folder() === left.to) await removeFrom(left.from, left.names, log);
  else await undo(left.to, left.names, true);
  await rm(journalOf(place), { force: true });
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0); // asks only whether it is there
    return true;
  } catch (error) {
    return (error as { code?: unknown }).code === 'EPERM';
  }
}

function inWords(error: unknown): unknown {
  const code = (error as { code?: unknown } | null)?.code;
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return new QuothError('disk-full', 'That disk is full: nothing was moved.', { cause: error });
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS')
    return new QuothError('denied', 'Quoth may not write there: nothing was moved.', { cause: error });
  if (error instanceof QuothError) return error;
  return new QuothError('unreadable', 'The models could not be copied there: nothing was moved.', { cause: error });
}
