/**
 * What a person dropped → the files in it. Nothing is opened here, only looked at: a FIFO would wait forever, a device may
 * never end. Links are followed inside the folder and reported where they lead out of it.
 */
import { constants, type Dirent, type Stats } from 'node:fs';
import { access, lstat, readdir, realpath, stat } from 'node:fs/promises';
import { basename, join, sep } from 'node:path';
import { documentKindOf } from './readers/kind.ts';
import { reasonOfOpen } from './readers/read-document.ts';
import type { FailureReason, Source } from './source.ts';

export type Walked =
  | { type: 'file'; source: Extract<Source, { type: 'file' }> }
  /** Listed for the person with its reason; never opened. */
  | { type: 'rejected'; path: string; name: string; sizeBytes: number; reason: FailureReason; detail: string };

/** Folders and files that systems and programs make for themselves. */
const systemNames = new Set([
  '__macosx',
  'thumbs.db',
  'desktop.ini',
  '$recycle.bin',
  'system volume information',
  'lost+found',
  'node_modules', // other people's readme files, by the thousand
  'bower_components',
  '__pycache__',
  'site-packages',
]);

/** What programs write beside a file until it is whole: downloads on their way, drafts of editors, backups. */
const temporaryName = /(?:\.(?:tmp|temp|part|partial|crdownload|download|swp|swx)|~)$/i;

/** Deeper trees are made by loops that links cannot explain (bind mounts) or on purpose. */
const deepestFolder = 100;

/**
 * Walks files and folders, depth first, names in code point order. A file that was named itself is always handed on,
 * whatever its extension: its first bytes will tell; in folders only kinds that Quoth reads are. Each real file comes once.
 */
export async function* walk(paths: readonly string[], signal?: AbortSignal): AsyncIterable<Walked> {
  const seen = new Set<string>();
  for (const path of paths) {
    signal?.throwIfAborted();
    let resolved: string;
    let facts: Stats;
    try {
      resolved = await realpath(path);
      facts = await stat(resolved);
    } catch (error) {
      yield rejected(path, reasonOfOpen(error), codeOf(error));
      continue;
    }
    if (facts.isDirectory()) yield* walkFolder(resolved, resolved, 0, seen, signal);
    else if (!seen.has(resolved)) {
      seen.add(resolved);
      yield await fileOf(resolved, facts);
    }
  }
}

/**
 * What a walk of `root` finds at `path`, a file or folder below it or `root` itself: for looking again at the part that
 * changed. Both are resolved paths. Nothing comes of names that a walk passes over, and of what is not there.
 */
export async function* walkWithin(root: string, path: string, signal?: AbortSignal): AsyncIterable<Walked> {
  if (!isInside(path, root)) return;
  const names = path.slice(root.length).split(sep).filter(Boolean);
  if (names.some(isPassedOver)) return;
  let resolved: string;
  let facts: Stats;
  try {
    resolved = await realpath(path);
    facts = await stat(resolved);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') yield rejected(path, reasonOfOpen(error), codeOf(error));
    return;
  }
  if (!isInside(resolved, root)) yield rejected(path, 'outside', 'It is a link that leads out of the folder.');
  else if (facts.isDirectory()) yield* walkFolder(resolved, root, names.length, new Set(), signal);
  else if (facts.isFile() && documentKindOf(basename(resolved)) === 'other')
    yield rejected(resolved, 'unsupported', 'Quoth does not read files of this kind.', facts.size);
  else yield await fileOf(resolved, facts);
}

async function* walkFolder(
  folder: string,
  root: string,
  depth: number,
  seen: Set<string>,
  signal: AbortSignal | undefined,
): AsyncIterable<Walked> {
  if (seen.has(folder)) return;
  seen.add(folder);
  if (depth > deepestFolder) return yield rejected(folder, 'outside', 'Its folders are nested too deeply.');
  let entries: Dirent[];
  try {
    entries = await readdir(folder, { withFileTypes: true });
  } catch (error) {
    return yield rejected(folder, reasonOfOpen(error), codeOf(error));
  }
  entries.sort((a, b) => (a.name < b.name ? -1 : 1));

  for (const entry of entries) {
    signal?.throwIfAborted();
    if (isPassedOver(entry.name)) continue;
    const path = join(folder, entry.name);
    let resolved = path;
    let facts: Stats;
    try {
      facts = await lstat(path);
      if (facts.isSymbolicLink()) {
        resolved = await realpath(path);
        if (!isInside(resolved, root)) {
          yield rejected(path, 'outside', 'It is a link that leads out of the folder.');
          continue;
        }
        facts = await stat(resolved);
      }
    } catch (error) {
      yield rejected(path, reasonOfOpen(error), codeOf(error));
      continue;
    }
    if (facts.isDirectory()) yield* walkFolder(resolved, root, depth + 1, seen, signal);
    else if (!seen.has(resolved)) {
      seen.add(resolved);
      if (facts.isFile() && documentKindOf(entry.name) === 'other')
        yield rejected(path, 'unsupported', 'Quoth does not read files of this kind.', facts.size);
      else yield await fileOf(resolved, facts);
    }
  }
}

/** Hidden by a dot, a system's own, unfinished, or the lock file that Word lays beside an open document. */
export function isPassedOver(name: string): boolean {
  return (
    name.startsWith('.') || name.startsWith('~$') || temporaryName.test(name) || systemNames.has(name.toLowerCase())
  );
}

/** Whether a resolved path is the folder `root` or lies in it. */
export function isInside(path: string, root: string): boolean {
  return path === root || path.startsWith(root.endsWith(sep) ? root : root + sep);
}

async function fileOf(path: string, facts: Stats): Promise<Walked> {
  if (!facts.isFile()) return rejected(path, 'not-a-file', 'It is a pipe, a device or a socket.');
  try {
    await access(path, constants.R_OK);
  } catch (error) {
    return rejected(path, reasonOfOpen(error), codeOf(error), facts.size);
  }
  return {
    type: 'file',
    source: { type: 'file', path, name: basename(path), sizeBytes: facts.size, modifiedAtMs: facts.mtimeMs },
  };
}

function rejected(path: string, reason: FailureReason, detail: string, sizeBytes = 0): Walked {
  return { type: 'rejected', path, name: basename(path) || path, sizeBytes, reason, detail };
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}
