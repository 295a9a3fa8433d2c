/**
 * Brings the library in line with a part of a watched folder: what is on the disk now against what is stored.
 *
 * A file that appears with the bytes of a document whose own file is gone is that document, moved: its id, passages and
 * vectors stay. A file that is gone leaves the search at once and the library a little later, should it turn up elsewhere.
 */
import { lstat, readdir, stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { hashFile } from '../../ingest/hash-file.ts';
import { titleFromName } from '../../ingest/readers/sections.ts';
import { sentenceFor } from '../../ingest/reasons.ts';
import type { Source } from '../../ingest/source.ts';
import { type Walked, walkWithin } from '../../ingest/walk.ts';
import type { DocumentId } from '../contract/types.ts';
import type { DocumentMove, DocumentTable, StoredDocument } from '../store/document-table.ts';

type FileSource = Extract<Source, { type: 'file' }>;

export type ReconcileParts = {
  documents: DocumentTable;
  /** Queues a file that is new or has changed; resolves with the document at its end. */
  take(source: FileSource): Promise<StoredDocument>;
  reject(walked: Extract<Walked, { type: 'rejected' }>): StoredDocument;
  /** Whether a document waits or is being read. */
  isQueued(id: DocumentId): boolean;
  /** Stops the reading of a document. */
  drop(id: DocumentId): Promise<void>;
  onChanged(document: StoredDocument): void;
  /** The most files of one folder. */
  maxFiles: number;
  nowMs: () => number;
};

export type ReconcileRequest = {
  /** Resolved path of the watched folder. */
  root: string;
  /** What the file system called it when it was first seen, as `identityOf` says. */
  identity: string | null;
  /** What to look at: paths in it, or itself. */
  paths: readonly string[];
  /** Sizes and dates at the last look, by path: a file that is still being written is left for the next. Null = take all. */
  looks: Map<string, string> | null;
  /** Told of every file found, with its end: those that were there unchanged, too. */
  onFound?: (ended: Promise<StoredDocument>) => void;
};

export type Reconciled =
  /** `again`: paths to be looked at once more in a moment. `gone`: documents without a file, out of the search by now. */
  { type: 'done'; again: string[]; gone: DocumentId[]; isTooMany: boolean } | { type: 'unreachable' };

/** A file that was last written so long ago is not being written. */
const settledMs = 1000;
/** Files between two turns for others. */
const filesOfTurn = 64;

/** The detail of a document whose file is gone: see `reject` and `fail` in library.ts. */
export const missingDetail = 'missing: It is not in its folder any more.';

/** Ends that the next look may mend: the file was away, or in use. */
const passing = /^(missing|locked|crashed):/;

/** Device and number of a folder, for telling whether it is still the same. Null when it is not there or no folder. */
export async function identityOf(folder: string): Promise<string | null> {
  const facts = await stat(folder, { bigint: true }).catch(() => null);
  return facts?.isDirectory() ? `${facts.ino}` : null;
}

/** Only an answer that says so: a drive that does not answer, or a folder that may not be read, hides files and loses none. */
export async function isGone(path: string): Promise<boolean> {
  return lstat(path).then(
    () => false,
    (error: unknown) => ['ENOENT', 'ENOTDIR'].includes(String((error as { code?: unknown }).code)),
  );
}

export async function reconcile(
  request: ReconcileRequest,
  parts: ReconcileParts,
  signal: AbortSignal,
): Promise<Reconciled> {
  const { root, paths, looks, onFound } = request;
  const { documents } = parts;
  if ((await identityOf(root)) === null) return { type: 'unreachable' };

  const seen = new Map<string, Walked>();
  for (const path of topmost(paths))
    for await (const walked of walkWithin(root, path, signal))
      seen.set(walked.type === 'file' ? walked.source.path : walked.path, walked);

  const gone: StoredDocument[] = [];
  for (const path of topmost(paths))
    for (const document of documents.listUnder(path))
      if (!seen.has(document.location) && (await isGone(document.location))) gone.push(document);
  signal.throwIfAborted();
  // Looked at last: had the drive gone while its files were asked for, it is seen now.
  if (gone.length > 0 && !(await isSameFolder(root, request.identity))) return { type: 'unreachable' };

  const moves: DocumentMove[] = [];
  const fresh: FileSource[] = [];
  const changed: { source: FileSource; there: StoredDocument }[] = [];
  const rejected: Extract<Walked, { type: 'rejected' }>[] = [];
  let numSeen = 0;
  for (const walked of seen.values()) {
    if (++numSeen % filesOfTurn === 0) await nextTurn();
    signal.throwIfAborted();
    const location = walked.type === 'file' ? walked.source.path : walked.path;
    const there = documents.findByLocation(location);
    if (there && isUnchanged(there, walked)) onFound?.(Promise.resolve(there));
    else if (walked.type === 'rejected') rejected.push(walked);
    else if (there) changed.push({ source: walked.source, there });
    else {
      const move = await findMove(walked.source, moves, parts, signal);
      if (move) moves.push(move);
      else fresh.push(walked.source);
    }
  }
  signal.throwIfAborted();

  if (moves.length > 0) documents.moveAll(moves);
  for (const { id } of moves) {
    const moved = documents.find(id);
    if (!moved) continue;
    parts.onChanged(moved);
    onFound?.(Promise.resolve(moved));
  }
  const movedIds = new Set<string>(moves.map(({ id }) => id));
  const lost = gone.filter(({ id }) => !movedIds.has(id));
  for (const { id } of lost) if (parts.isQueued(id)) await parts.drop(id);
  documents.setStateOfAll(
    lost.map(({ id }) => id),
    'failed',
    { reason: sentenceFor('missing'), detail: missingDetail },
  );
  for (const { id } of lost) {
    const document = documents.find(id);
    if (document) parts.onChanged(document);
  }

  const again: string[] = [];
  const take = (source: FileSource): void => {
    if (looks && !isSettled(source, looks, parts.nowMs())) again.push(source.path);
    else follow(parts.take(source));
  };
  const follow = (ended: Promise<StoredDocument>): void => {
    if (onFound) onFound(ended);
    else ended.catch(() => {}); // removed meanwhile, or Quoth closes
  };
  for (const { source, there } of changed) {
    if (!parts.isQueued(there.id)) take(source);
    else {
      // It may have been read before the change: another look when that reading has ended.
      follow(parts.take(source));
      again.push(source.path);
    }
  }
  const room = parts.maxFiles - documents.countsUnder(root).numDocuments + lost.length;
  for (const source of fresh.slice(0, Math.max(0, room))) take(source);
  for (const walked of rejected.slice(0, Math.max(0, room - fresh.length)))
    follow(Promise.resolve(parts.reject(walked)));
  return { type: 'done', again, gone: lost.map(({ id }) => id), isTooMany: fresh.length > Math.max(0, room) };
}

/** The paths that lie in no other of them. */
function topmost(paths: readonly string[]): string[] {
  const all = new Set(paths);
  return [...all].filter((path) => {
    for (let at = path; dirname(at) !== at; at = dirname(at)) if (all.has(dirname(at))) return false;
    return true;
  });
}

/** False for a folder that is away, and for an empty one in its place: the mount point of a drive that is away. */
export async function isSameFolder(root: string, identity: string | null): Promise<boolean> {
  const now = await identityOf(root);
  if (now === null) return false;
  if (identity === null || now === identity) return true;
  const names = await readdir(root).catch(() => null);
  return names !== null && names.length > 0;
}

function isUnchanged(there: StoredDocument, walked: Walked): boolean {
  const hasEnded = !['queued', 'reading', 'embedding'].includes(there.state) && !passing.test(there.detail ?? '');
  if (!hasEnded) return false;
  if (walked.type === 'rejected') return there.state !== 'ready' && there.sizeBytes === walked.sizeBytes;
  return there.sizeBytes === walked.source.sizeBytes && there.modifiedAtMs === walked.source.modifiedAtMs;
}

/** The document that this file was, if its own file is gone and the bytes are the same. */
async function findMove(
  source: FileSource,
  moves: readonly DocumentMove[],
  { documents }: ReconcileParts,
  signal: AbortSignal,
): Promise<DocumentMove | null> {
  if (source.sizeBytes === 0 || !documents.hasSize(source.sizeBytes)) return null;
  const hashed = await hashFile(source, signal);
  if (hashed.type === 'failed') return null;
  for (const { id, location, name, title } of documents.listByHash(hashed.contentHash)) {
    if (location === source.path || moves.some((move) => move.id === id) || !(await isGone(location))) continue;
    const newName = basename(source.path);
    const newTitle = title === titleFromName(name) ? titleFromName(newName) : title;
    return { id, path: source.path, name: newName, title: newTitle, modifiedAtMs: source.modifiedAtMs };
  }
  return null;
}

/** Whether a file is whole: last written a while ago, or the same at two looks. Notes this look. */
function isSettled(source: FileSource, looks: Map<string, string>, nowMs: number): boolean {
  const { path, sizeBytes, modifiedAtMs } = source;
  const ageMs = nowMs - modifiedAtMs;
  const look = `${sizeBytes} ${modifiedAtMs}`;
  const isWhole = ageMs > settledMs || looks.get(path) === look;
  if (isWhole) looks.delete(path);
  else looks.set(path, look);
  return isWhole;
}
