/**
 * Models made of files that the person has: a checkpoint as it is published (a folder, its files, or a GGUF file), or a plan
 * that was built before. Such files come from anywhere: they are looked through before anything is begun.
 */
import { copyFile, link, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, extname, join, relative } from 'node:path';
import { explainModel, openCheckpoint, tokenizerFor } from '../../engines/build/build.ts';
import { planMagic, readPlanHeader, verifyPlan } from '../../engines/plan/format.ts';
import { QuothError } from '../contract/errors.ts';

import { freeBytes } from '../free-bytes.ts';
import { copyWhole } from './copy-file.ts';
import { hashFile } from './download.ts';
import { buildInto, inWords, type Report, spareBytes } from './install.ts';
import { type ModelFolder, type OwnModel, withModelLock, writeManifest } from './model-folder.ts';
import type { BuildOffer, Offer, PlanRole } from './offer.ts';

/** What was found in the files. `path`: what the builder opens, or the plan itself. */
export type Found = {
  type: 'checkpoint' | 'plan';
  path: string;
  name: string;
  role: PlanRole;
  planBytes: number;
};

const maxFiles = 10_000;
const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(1)} GB`;

/** Files that were given one by one are put together in `folder`, under their names. */
export async function gather(paths: readonly string[], folder: string): Promise<string> {
  const [only, another] = paths;
  if (only !== undefined && another === undefined) return only;
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const names = new Set(paths.map((path) => basename(path)));
  if (names.size < paths.length)
    throw new QuothError('unsupported', 'Two of these files have the same name. Please give the folder as a whole.');
  for (const path of paths) {
    const to = join(folder, basename(path));
    if (!(await stat(path)).isFile())
      throw new QuothError('unsupported', 'Please give one folder, or the files of one model.');
    await link(path, to).catch(() => copyFile(path, to));
  }
  return folder;
}

/** Looks through the files without building anything. Fails with a sentence that says what they are not. */
export async function look(given: string): Promise<Found> {
  try {
    const path = await mainFileOf(given);
    if (await isPlan(path)) {
      const { name, role } = await readPlanHeader(path);
      return { type: 'plan', path, name, role, planBytes: (await stat(path)).size };
    }
    const checkpoint = await openCheckpoint(path);
    try {
      await tokenizerFor(checkpoint, { checkpoint: path });
      const { types } = explainModel(checkpoint, {});
      const planBytes = types.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
      return { type: 'checkpoint', path, name: checkpoint.name, role: checkpoint.model.role, planBytes };
    } finally {
      await checkpoint.close();
    }
  } catch (error) {
    throw withoutPath(inWords(error), given);
  }
}

/** What stands in a sentence for the window is a name, not a path. */
function withoutPath(error: unknown, given: string): unknown {
  if (!(error instanceof QuothError)) return error;
  const folder = `${dirname(given)}/`;
  const message = error.message.replaceAll(folder, '').replaceAll(folder.replaceAll('/', '\\'), '');
  return message === error.message ? error : new QuothError(error.code, message, { cause: error });
}

/** In a folder the checkpoint itself, or the one file that can be opened. */
async function mainFileOf(given: string): Promise<string> {
  const found = await stat(given).catch((cause: unknown) => {
    throw new QuothError('not-found', `"${basename(given)}" is not there any more.`, { cause });
  });
  if (!found.isDirectory()) {
    if (/^(config|tokenizer)\.json$|\.safetensors$/i.test(basename(given)))
      throw new QuothError('unsupported', `"${basename(given)}" is one file of a model: please give its whole folder.`);
    return given;
  }
  const names = (await readdir(given)).slice(0, maxFiles);
  if (names.includes('config.json')) return given;
  const plans = names.filter((name) => extname(name) === '.quoth');
  const ggufs = names.filter((name) => extname(name).toLowerCase() === '.gguf').sort();
  const isSplit = ggufs.length > 1 && /-00001-of-\d{5}\.gguf$/i.test(ggufs[0]!);
  if (plans.length === 1) return join(given, plans[0]!);
  if (ggufs.length === 1 || isSplit) return join(given, ggufs[0]!);
  throw new QuothError(
    'unreadable',
    ggufs.length > 1
      ? `"${basename(given)}" holds ${ggufs.length} GGUF files: please give one of them.`
      : `"${basename(given)}" holds no model: neither a config.json with its weights, nor a GGUF file.`,
  );
}

async function isPlan(path: string): Promise<boolean> {
  if (!(await stat(path)).isFile()) return false;
  const file = await open(path, 'r');
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(planMagic.length), 0, planMagic.length, 0);
    return bytesRead === planMagic.length && buffer.toString('latin1') === planMagic;
  } finally {
    await file.close();
  }
}

/** Refuses what the disk or the memory has no room for, with both numbers. `memoryBytes`: the most that any device has. */
export async function refuseTooLarge(
  { name, planBytes }: Found,
  folder: string,
  memoryBytes: number | null,
): Promise<void> {
  if (memoryBytes !== null && planBytes > memoryBytes)
    throw new QuothError(
      'out-of-memory',
      `"${name}" takes ${gigabytes(planBytes)} of memory, and this computer has ${gigabytes(memoryBytes)}.`,
    );
  const free = await freeBytes(folder);
  const need = planBytes + spareBytes;
  if (free !== null && free < need)
    throw new QuothError(
      'disk-full',
      `This model takes ${gigabytes(need)} on the disk of the models, and ${gigabytes(free)} are free. Please free some space.`,
    );
}

/** A name that files can have, and a few signs that no other has. */
export function ownId(name: string, random: Uint8Array): string {
  const slug = name
    .toLowerCase()
    .replace(/[^a-z0-9.]+/g, '-')
    .replace(/^[-.]+|[-.]+$/g, '')
    .slice(0, 40);
  const signs = Array.from(random.subarray(0, 4), (byte) => (byte % 36).toString(36)).join('');
  return `own-${slug === '' ? 'model' : slug}-${signs}`;
}

/** Makes the model: builds the plan, or takes the one that is given after every byte of it was checked. */
export async function importFiles(
  given: string,
  offer: Offer,
  where: ModelFolder,
  build: BuildOffer,
  outside: { nowMs: () => number },
  signal: AbortSignal,
  report: Report,
): Promise<void> {
  try {
    const found = await look(given);
    const own: OwnModel = { name: offer.name, role: found.role };
    await refuseTooLarge(found, dirname(where.folder), null);
    await withModelLock(where, async () => {
      if (found.type === 'plan') await takePlan(found.path, offer, own, where, outside, signal, report);
      else {
        // What the builder opens is named by its folder and, for a file, its name in it.
        const isFile = (await stat(found.path)).isFile();
        const folder = isFile ? dirname(found.path) : found.path;
        const made = { ...offer, checkpoint: isFile ? basename(found.path) : null, planBytes: found.planBytes };
        report('build', 0, found.planBytes);
        await buildInto(where, { offer: made, folder, build, sources: [], own }, outside, signal, report);
      }
      await rm(where.download, { recursive: true, force: true });
    });
  } catch (error) {
    if (signal.aborted) throw new QuothError('cancelled', 'The import was stopped.', { cause: error });
    throw withoutPath(inWords(error), given);
  }
}

async function takePlan(
  path: string,
  offer: Offer,
  own: OwnModel,
  where: ModelFolder,
  outside: { nowMs: () => number },
  signal: AbortSignal,
  report: Report,
): Promise<void> {
  const { size: planBytes } = await stat(path);
  const unfinished = `${where.plan}.new`;
  await copyWhole(path, unfinished, signal, (doneBytes) => report('copy', doneBytes, planBytes));
  await verifyPlan(unfinished, {
    signal,
    onProgress: (doneBytes, totalBytes) => report('verify', doneBytes, totalBytes),
  });
  const planSha256 = await hashFile(unfinished, 'sha256', signal);
  await rm(where.manifest, { force: true });
  await rename(unfinished, where.plan);
  await writeManifest(where, { id: offer.id, planBytes, planSha256, sources: [], installedAtMs: outside.nowMs(), own });
}

/** Files that a browser sent for this alone are not kept a second time. */
export async function removeUploads(paths: readonly string[], profileFolder: string): Promise<void> {
  const dropped = join(profileFolder, 'dropped');
  for (const path of paths) {
    const within = relative(dropped, path);
    if (within !== '' && !within.startsWith('..') && within !== path) await rm(path, { force: true });
  }
}
