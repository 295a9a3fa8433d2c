/** The watched folders: added, paused, resumed, forgotten, each with what it holds. What one does is in watched-folder.ts. */
import { realpath } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { sentenceFor } from '../../ingest/reasons.ts';
import { isInside } from '../../ingest/walk.ts';
import { createChannel } from '../channel.ts';
import type { QuothContract } from '../contract/contract.ts';
import { QuothError } from '../contract/errors.ts';
import type { Handlers } from '../contract/procedure.ts';
import type { DocumentId, FolderId, WatchedFolder } from '../contract/types.ts';
import type { Outside } from '../outside.ts';
import type { DocumentTable, StoredDocument } from '../store/document-table.ts';
import type { FolderTable, StoredFolder } from '../store/folder-table.ts';
import { placeKeyOf } from '../store/scope-table.ts';
import { isGone, isSameFolder, missingDetail, type ReconcileParts, reconcile } from './reconcile.ts';
import { createSemaphore } from './semaphore.ts';
import { createLiveFolder, type FolderTiming, folderTiming, type LiveFolder } from './watched-folder.ts';

/** What a walk looks through in some seconds, and far more than a person's folder of documents holds. */
const mostFiles = 50_000;
/** A search waits no longer for a slow drive. */
const lookLimitMs = 300;
/** Counts are told so often; a large folder brings thousands of changes a second. */
const tellEveryMs = 200;

export type FolderOptions = Partial<FolderTiming> & { maxFiles?: number };

export type FolderParts = {
  outside: Outside;
  folders: FolderTable;
  documents: DocumentTable;
  /** What the comparison needs of the library. */
  library: Omit<ReconcileParts, 'documents' | 'maxFiles' | 'nowMs'>;
  remove(id: DocumentId): Promise<void>;
  /** A folder with its documents is forgotten. */
  onForgotten?: (path: string) => void;
  options?: FolderOptions;
};

export type Folders = {
  handlers: Pick<Handlers<QuothContract>, 'watchFolders' | 'pauseFolder' | 'resumeFolder' | 'removeFolder'>;
  /** All folders with their paths: for the command line. */
  list(): (WatchedFolder & { path: string })[];
  /**
   * Watches a folder from now on; one within another watched folder is watched already. Resolves when all in it was looked
   * at once; `onFound` is told of each file's end.
   */
  add(path: string, onFound: (ended: Promise<StoredDocument>) => void): Promise<void>;
  /** Starts to watch all that are not paused; called once, after the start. */
  start(): void;
  /** Whether a document lies in a paused folder: then it is not read. */
  isPaused(location: string): boolean;
  /**
   * Looks whether the files of these documents are there, where they lie in watched folders; those that are not leave the
   * search. True if there were any. A drive that does not answer within a moment hides nothing.
   */
  dropGone(ids: readonly string[]): Promise<boolean>;
  /** Something changed in the library: counts may be others. */
  noteChange(): void;
  idle(): Promise<void>;
  close(): Promise<void>;
};

export function createFolders(parts: FolderParts): Folders {
  const { outside, folders, documents, library } = parts;
  const { maxFiles = mostFiles, ...changes } = parts.options ?? {};
  const timing: FolderTiming = { ...folderTiming, ...changes };
  const live = new Map<FolderId, LiveFolder>();
  const tellers = new Set<() => void>();
  const oneAtATime = createSemaphore(1);
  const forgetting = new Set<NodeJS.Timeout>();
  let telling: NodeJS.Timeout | undefined;
  let closed = false;

  const reasons: { [state in WatchedFolder['state']]?: string } = {
    unreachable:
      'The folder is not there: its drive may be away, or it was renamed. Its documents stay until it is back.',
    'too-many': `This folder holds more than ${maxFiles.toLocaleString('en')} files, and the others were not read. Watch smaller folders inside of it instead.`,
    looking: 'The system does not tell Quoth of changes in this folder, so it looks through it every now and then.',
  };

  function summaryOf(folder: StoredFolder): WatchedFolder {
    const state = folder.isPaused ? 'paused' : (live.get(folder.id)?.state() ?? 'comparing');
    const above = basename(dirname(folder.path));
    const name = basename(folder.path) || folder.path;
    return {
      id: folder.id,
      place: placeKeyOf(folder.path),
      name: above ? `${above} › ${name}` : name,
      state,
      reason: reasons[state] ?? null,
      ...documents.countsUnder(folder.path),
      addedAtMs: folder.addedAtMs,
    };
  }

  function tell(): void {
    clearTimeout(telling);
    telling = undefined;
    if (closed) return;
    for (const one of tellers) one();
  }

  function mustFind(id: FolderId): StoredFolder {
    const folder = folders.find(id);
    if (!folder) throw new QuothError('not-found', 'This folder is not watched any more.');
    return folder;
  }

  function open(folder: StoredFolder): LiveFolder {
    const one = createLiveFolder({
      path: folder.path,
      identity: () => folders.find(folder.id)?.identity ?? null,
      onIdentity: (identity) => folders.setIdentity(folder.id, identity),
      watchFolder: outside.watchFolder,
      async reconcile(request, signal) {
        const leave = await oneAtATime.enter();
        try {
          signal.throwIfAborted();
          return await reconcile(request, { ...library, documents, maxFiles, nowMs: outside.nowMs }, signal);
        } finally {
          leave();
        }
      },
      onGone: forgetLater,
      onState: tell,
      timing,
      nowMs: outside.nowMs,
      log: outside.log,
    });
    live.set(folder.id, one);
    return one;
  }

  async function shut(id: FolderId): Promise<void> {
    const one = live.get(id);
    live.delete(id);
    await one?.close();
  }

  /** Documents without a file leave the library, unless by then the file is back or turned up elsewhere. */
  function forgetLater(ids: readonly DocumentId[]): void {
    const timer = setTimeout(() => {
      forgetting.delete(timer);
      void forget(ids).catch((error: unknown) => {
        outside.log('error', 'a document without a file could not be removed', { error: String(error) });
      });
    }, timing.forgetAfterMs);
    timer.unref();
    forgetting.add(timer);
  }

  /** The watched folder of a file, if it is there: a file without its folder is out of reach, not gone. */
  async function reachableFolderOf(location: string): Promise<StoredFolder | null> {
    const folder = folders.list().find(({ path, isPaused }) => !isPaused && isInside(location, path));
    return folder && (await isSameFolder(folder.path, folder.identity)) ? folder : null;
  }

  async function findGone(ids: readonly string[]): Promise<DocumentId[]> {
    const all = await Promise.all(
      ids.map(async (id) => {
        const document = documents.find(id);
        if (document?.sourceType !== 'file' || !(await reachableFolderOf(document.location))) return [];
        return (await isGone(document.location)) ? [document.id] : [];
      }),
    );
    return all.flat();
  }

  async function forget(ids: readonly DocumentId[]): Promise<void> {
    for (const id of ids) {
      const document = documents.find(id);
      if (closed || document?.detail !== missingDetail) continue;
      const { location } = document;
      if (!(await reachableFolderOf(location)) || !(await isGone(location))) continue;
      if (!closed) await parts.remove(id);
    }
  }

  return {
    handlers: {
      watchFolders: (_input, signal) => watchList(signal),
      async pauseFolder({ folderId }) {
        const { path } = mustFind(folderId);
        folders.setPaused(folderId, true);
        await shut(folderId);
        for (const { id } of documents.listUnder(path)) {
          if (!library.isQueued(id)) continue;
          await library.drop(id);
          if (documents.find(id)) library.onChanged(documents.setState(id, 'queued'));
        }
        tell();
        return {};
      },
      async resumeFolder({ folderId }) {
        mustFind(folderId);
        folders.setPaused(folderId, false);
        if (!live.has(folderId)) void open(mustFind(folderId)).start();
        tell();
        return {};
      },
      async removeFolder({ folderId, keepDocuments }) {
        const { path } = mustFind(folderId);
        await shut(folderId);
        folders.remove(folderId);
        tell();
        if (keepDocuments) return {};
        for (const { id } of documents.listUnder(path)) await parts.remove(id);
        parts.onForgotten?.(path);
        return {};
      },
    },
    list: () => folders.list().map((folder) => ({ ...summaryOf(folder), path: folder.path })),
    async add(path, onFound) {
      const resolved = await realpath(path);
      const all = folders.list();
      const around = all.find((folder) => isInside(resolved, folder.path));
      const folder = around ?? folders.insert(resolved);
      for (const inner of all) {
        if (inner.id === folder.id || !isInside(inner.path, folder.path)) continue;
        await shut(inner.id);
        folders.remove(inner.id);
      }
      if (folder.isPaused) folders.setPaused(folder.id, false);
      tell();
      await (live.get(folder.id) ?? open(folder)).start(onFound, resolved);
    },
    start() {
      for (const folder of folders.list()) if (!folder.isPaused) void open(folder).start();
    },
    isPaused: (location) => folders.list().some(({ isPaused, path }) => isPaused && isInside(location, path)),
    async dropGone(ids) {
      const gone = await Promise.race([findGone(ids), pause(lookLimitMs, [], { ref: false })]);
      if (gone.length === 0 || closed) return false;
      documents.setStateOfAll(gone, 'failed', { reason: sentenceFor('missing'), detail: missingDetail });
      for (const id of gone) {
        const document = documents.find(id);
        if (document) library.onChanged(document);
      }
      forgetLater(gone);
      return true;
    },
    noteChange() {
      if (tellers.size > 0 && !closed) telling ??= setTimeout(tell, tellEveryMs);
    },
    async idle() {
      await Promise.all([...live.values()].map((one) => one.idle()));
    },
    async close() {
      closed = true;
      clearTimeout(telling);
      for (const timer of forgetting) clearTimeout(timer);
      await Promise.all([...live.keys()].map(shut));
    },
  };

  async function* watchList(signal: AbortSignal): AsyncGenerator<{ folders: WatchedFolder[] }> {
    const channel = createChannel<{ folders: WatchedFolder[] }>({ keyOf: () => 'folders' });
    const push = (): void => channel.push({ folders: folders.list().map(summaryOf) });
    const end = (): void => channel.end();
    signal.addEventListener('abort', end, { once: true });
    if (signal.aborted) end();
    tellers.add(push);
    push();
    try {
      yield* channel.items;
    } finally {
      tellers.delete(push);
      signal.removeEventListener('abort', end);
    }
  }
}
