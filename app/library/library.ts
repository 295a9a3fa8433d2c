/** The documents' life: added, read, found again, read anew when they change, removed without a trace. */
import { access, realpath, stat } from 'node:fs/promises';
import { sep } from 'node:path';
import { sentenceFor, stateFor } from '../../ingest/reasons.ts';
import type { FailureReason, Source } from '../../ingest/source.ts';
import { type Walked, walk } from '../../ingest/walk.ts';
import { expandAddress } from '../../ingest/youtube.ts';
import { createChannel } from '../channel.ts';
import type { AddEvent, QuothContract } from '../contract/contract.ts';
import { QuothError } from '../contract/errors.ts';
import type { Handlers } from '../contract/procedure.ts';
import type { DocumentId, DocumentSummary, PassageId } from '../contract/types.ts';
import type { Outside } from '../outside.ts';
import { type DocumentTable, type StoredDocument, toDocumentSummary } from '../store/document-table.ts';
import type { FolderTable } from '../store/folder-table.ts';
import type { PassageTable } from '../store/passage-table.ts';
import { createFolders, type FolderOptions, type Folders } from './folders.ts';
import { createIngestQueue } from './ingest-queue.ts';
import type { MeaningService } from './meaning.ts';
import { placeOf } from './place.ts';
import { readOriginal } from './read-original.ts';
import { createWatchers } from './watchers.ts';

type LibraryHandlers = Pick<
  Handlers<QuothContract>,
  'watchLibrary' | 'addAddress' | 'retryDocument' | 'removeDocument' | 'readDocument' | 'readScan' | 'readOriginal'
> &
  Folders['handlers'];

export type Library = {
  handlers: LibraryHandlers;
  /**
   * Adds files and folders by path: for the shells, which turn tickets into paths, and the command line. What is there
   * already and has not changed is only reported. Leaving the loop ends the walk; what is queued by then goes on. With
   * `watch`, folders are followed from now on, and leaving the loop does not end that.
   */
  addPaths(paths: readonly string[], signal: AbortSignal, options?: { watch?: boolean }): AsyncGenerator<AddEvent>;
  list(): DocumentSummary[];
  /** The documents at a path or below it, which is absolute and resolved. */
  under(path: string): DocumentSummary[];
  listFolders: Folders['list'];
  lookAgain: Folders['lookAgain'];
  dropGone: Folders['dropGone'];
  /** Takes up what an end of the process has left; called once, after the start. */
  resume(): void;
  isBusy(): boolean;
  /** Resolves when nothing waits and nothing runs. */
  idle(): Promise<void>;
  close(): Promise<void>;
};

export type LibraryParts = {
  outside: Outside;
  documents: DocumentTable;
  folders: FolderTable;
  folderOptions?: FolderOptions;
  passages: PassageTable;
  meaning: MeaningService;
  captionLanguages: () => readonly string[];
  /** Called with every removed document: saved answers forget its words. */
  onRemoved: (id: DocumentId) => void;
  /** Called after a removal and when the last waiting document has come to its end: time to tidy up. */
  onQuiet: () => void;
};

export function createLibrary(parts: LibraryParts): Library {
  const { outside, documents, passages, meaning } = parts;
  const watchers = createWatchers(outside.nowMs);
  const queue = createIngestQueue({
    ...parts,
    onChange: (document, progress) => {
      watchers.changed(toDocumentSummary(document, progress));
      folders.noteChange();
    },
  });
  const folders = createFolders({
    outside,
    folders: parts.folders,
    documents,
    library: {
      take,
      reject,
      isQueued: (id) => queue.has(id),
      drop: (id) => queue.drop(id),
      onChanged(document) {
        watchers.changed(summaryOf(document));
        folders.noteChange();
      },
    },
    remove,
    options: parts.folderOptions,
  });

  const summaryOf = (document: StoredDocument): DocumentSummary =>
    toDocumentSummary(document, queue.progressOf(document.id));
  const list = (): DocumentSummary[] => documents.list().map(summaryOf);

  function mustFind(id: DocumentId): StoredDocument {
    const document = documents.find(id);
    if (!document) throw new QuothError('not-found', 'This document is not in the library any more.');
    return document;
  }

  /** Queues a source unless it is there and unchanged. */
  function take(source: Source): Promise<StoredDocument> {
    const there = documents.findByLocation(source.type === 'file' ? source.path : source.address);
    const same =
      there?.state === 'ready' &&
      (source.type === 'video' || (there.sizeBytes === source.sizeBytes && there.modifiedAtMs === source.modifiedAtMs));
    if (same) return Promise.resolve(there);
    if (there && queue.has(there.id)) return queue.add(there.id);
    const queued = documents.insertQueued(source);
    watchers.changed(summaryOf(queued));
    return queue.add(queued.id);
  }

  /** A file that was looked at and not opened: a row with its reason, so that the person sees it. */
  function reject({ path, name, sizeBytes, reason, detail }: Extract<Walked, { type: 'rejected' }>): StoredDocument {
    const { id } = documents.insertQueued({ type: 'file', path, name, sizeBytes, modifiedAtMs: 0 });
    return fail(id, reason, detail);
  }

  function fail(id: DocumentId, reason: FailureReason, detail: string): StoredDocument {
    const why = { reason: sentenceFor(reason, detail), detail: `${reason}: ${detail}` };
    const document = documents.setState(id, stateFor(reason), why);
    watchers.changed(summaryOf(document));
    return document;
  }

  /** Documents that stood under a walked folder and are not there any more. */
  async function findMissing(paths: readonly string[], seen: ReadonlySet<string>): Promise<void> {
    const folders: string[] = [];
    for (const path of paths) folders.push(`${await realpath(path).catch(() => path)}${sep}`);
    for (const { id, location, sourceType, state } of documents.list()) {
      if (sourceType !== 'file' || state !== 'ready' || seen.has(location)) continue;
      if (!folders.some((folder) => location.startsWith(folder))) continue;
      const code = await access(location).then(
        () => null,
        (error: unknown) => (error as { code?: unknown }).code,
      );
      if (code === 'ENOENT') fail(id, 'missing', 'It is not in its folder any more.');
    }
  }

  /** Runs an adding: `feed` queues documents through `follow`; items are their ends, the last one the summary. */
  async function* adding(
    signal: AbortSignal,
    feed: (follow: (ended: Promise<StoredDocument>) => void, signal: AbortSignal) => Promise<void>,
  ): AsyncGenerator<AddEvent> {
    const startMs = outside.nowMs();
    const left = new AbortController();
    const both = AbortSignal.any([signal, left.signal]);
    const events = createChannel<AddEvent>({
      keyOf: ({ type }) => (type === 'found' ? 'found' : null),
      onLeave: () => left.abort(),
    });
    let numDocuments = 0;
    let numReady = 0;
    let numFailed = 0;
    const all: Promise<void>[] = [];
    const follow = (ended: Promise<StoredDocument>): void => {
      events.push({ type: 'found', numDocuments: ++numDocuments });
      const told = ended.then(
        (document) => {
          if (document.state === 'ready') numReady += 1;
          else numFailed += 1;
          events.push({ type: 'document', document: summaryOf(document) });
        },
        () => {
          numFailed += 1; // removed while it was read, or Quoth closes
        },
      );
      all.push(told);
    };
    both.addEventListener('abort', () => events.end(), { once: true });
    if (both.aborted) events.end();
    feed(follow, both)
      .then(() => Promise.all(all))
      .then(() => {
        const seconds = (outside.nowMs() - startMs) / 1000;
        events.push({ type: 'summary', numReady, numFailed, seconds });
        events.end();
      })
      .catch((error: unknown) => events.fail(error));
    yield* events.items;
  }

  function addPaths(
    all: readonly string[],
    signal: AbortSignal,
    { watch = false }: { watch?: boolean } = {},
  ): AsyncGenerator<AddEvent> {
    return adding(signal, async (follow, both) => {
      const paths: string[] = [];
      for (const path of all) {
        if (watch && (await stat(path).catch(() => null))?.isDirectory()) await folders.add(path, follow);
        else paths.push(path);
      }
      const seen = new Set<string>();
      for await (const walked of walk(paths, both)) {
        if (both.aborted) return;
        seen.add(walked.type === 'file' ? walked.source.path : walked.path);
        follow(walked.type === 'file' ? take(walked.source) : Promise.resolve(reject(walked)));
      }
      await findMissing(paths, seen);
    });
  }

  function addAddress(address: string, signal: AbortSignal): AsyncGenerator<AddEvent> {
    return adding(signal, async (follow, both) => {
      const found = await expandAddress(address, { fetch: outside.fetch, signal: both });
      if (found.type === 'failed') {
        const codes = { unsupported: 'invalid-input', 'video-unavailable': 'denied' } as const;
        const code = found.reason === 'offline' || found.reason === 'network-off' ? found.reason : codes[found.reason];
        throw new QuothError(code, sentenceFor(found.reason, found.detail));
      }
      if (found.videos.length === 0)
        throw new QuothError('not-found', 'This playlist has no videos that can be read. Choose another one.');
      for (const { source } of found.videos) follow(take(source));
    });
  }

  async function remove(id: DocumentId): Promise<void> {
    mustFind(id);
    await queue.drop(id);
    // The answers first: should the process end in between, the document is still there and can be removed again.
    parts.onRemoved(id);
    const { removedIds } = documents.remove(id);
    watchers.removed(id);
    folders.noteChange();
    await meaning.forgetPassages(removedIds);
    parts.onQuiet();
  }

  return {
    handlers: {
      watchLibrary: (_input, signal) => watchers.watch(list, signal),
      addAddress: ({ address }, signal) => addAddress(address, signal),
      retryDocument: ({ documentId }, signal) =>
        adding(signal, async (follow) => {
          mustFind(documentId);
          if (!queue.has(documentId)) watchers.changed(summaryOf(documents.setState(documentId, 'queued')));
          follow(queue.add(documentId));
        }),
      removeDocument: async ({ documentId }) => {
        await remove(documentId);
        return {};
      },
      readDocument: async ({ documentId, fromPassage, numPassages }) => {
        const document = mustFind(documentId);
        const found = passages.passagesOf(documentId, fromPassage, numPassages);
        return {
          document: summaryOf(document),
          passages: found.map((passage) => ({
            passageId: passage.passageId as PassageId,
            place: placeOf(passage),
            text: passage.text,
          })),
          numPassages: document.numPassages,
        };
      },
      readScan: async ({ documentId, page }) => {
        mustFind(documentId);
        return { words: passages.scannedWords(documentId, page) };
      },
      readOriginal: ({ documentId }, signal) => readOriginal(mustFind(documentId), signal),
      ...folders.handlers,
    },
    addPaths,
    list,
    under: (path) => documents.listUnder(path).map(summaryOf),
    listFolders: folders.list,
    lookAgain: folders.lookAgain,
    dropGone: folders.dropGone,
    resume() {
      for (const { id, location } of documents.listUnfinished())
        if (!folders.isPaused(location)) void queue.add(id).catch(() => {});
      folders.start();
    },
    isBusy: () => queue.isBusy(),
    async idle() {
      await folders.idle();
      await queue.idle();
    },
    async close() {
      await folders.close();
      await queue.close();
    },
  };
}
