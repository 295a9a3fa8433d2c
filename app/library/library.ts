/** The documents' life: added, read, found again, read anew when they change, removed without a trace. */
import { access, realpath, stat } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { sentenceFor, stateFor } from '../../ingest/reasons.ts';
import type { FailureReason, Source } from '../../ingest/source.ts';
import { type Walked, walk } from '../../ingest/walk.ts';
import { expandAddress } from '../../ingest/youtube.ts';
import type { AddEvent, QuothContract } from '../contract/contract.ts';
import { QuothError } from '../contract/errors.ts';
import type { Handlers } from '../contract/procedure.ts';
import type { CollectionId, DocumentId, DocumentSummary, PassageId } from '../contract/types.ts';
import type { Outside } from '../outside.ts';
import type { Citing } from '../store/citing.ts';
import { type DocumentTable, type StoredDocument, toDocumentSummary } from '../store/document-table.ts';
import type { FolderTable } from '../store/folder-table.ts';
import type { PassageTable } from '../store/passage-table.ts';
import { createAdding } from './adding.ts';
import { createCopies } from './copies.ts';
import { createDescribe } from './describe.ts';
import { createFolders, type FolderOptions, type Folders } from './folders.ts';
import { createIngestQueue } from './ingest-queue.ts';
import type { MeaningService } from './meaning.ts';
import { wordsOfPage } from './page-words.ts';
import { placeOf } from './place.ts';
import { createReadAgain } from './read-again.ts';
import { readOriginal } from './read-original.ts';
import { isGone } from './reconcile.ts';
import { createRemoval } from './removal.ts';
import { renewOutdated } from './renewal.ts';
import { createWatchers } from './watchers.ts';

type LibraryHandlers = Pick<
  Handlers<QuothContract>,
  | 'watchLibrary'
  | 'addAddress'
  | 'retryDocument'
  | 'retryDocuments'
  | 'describeScans'
  | 'readScansAgain'
  | 'removeDocument'
  | 'removeDocuments'
  | 'describeDocument'
  | 'describeLibrary'
  | 'readDocument'
  | 'readScan'
  | 'readOriginal'
> &
  Folders['handlers'];

/** What is called so was removed; its name is not kept. */
const removedName = 'Removed document';

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
  /** Where a document's file lies; null for a video, and for what is not there. For the shell that shows it. */
  pathOf(id: string): Promise<string | null>;
  /** The same of a recording alone, for the shell that plays it. */
  recordingOf(id: string): Promise<string | null>;
  /** Whether a path is that of a copy, or of a folder of copies. */
  isOwn(path: string): boolean;
  /** Tells the windows of documents whose collections have changed. */
  tell(ids: readonly DocumentId[]): void;
  listFolders: Folders['list'];
  lookAgain: Folders['lookAgain'];
  dropGone: Folders['dropGone'];
  /** A speech model is there: what waits for one is read. */
  hearAgain(): void;
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
  citing: Citing;
  collectionsOf: (document: StoredDocument) => CollectionId[];
  captionLanguages: () => readonly string[];
  /** Called with every removed document: saved answers forget its words. */
  onRemoved: (id: DocumentId) => void;
  /** A watched folder was removed with its documents. */
  onFolderForgotten: (path: string) => void;
  /** Documents came, went or changed. */
  onChange: () => void;
  /** Called after a removal and when the last waiting document has come to its end: time to tidy up. */
  onQuiet: () => void;
  /** Somebody asks a question now: what can wait waits. */
  isAsked: () => boolean;
  /** How long is waited before each document that a newer reader reads again; for tests. */
  renewalPauseMs?: number | undefined;
};

export function createLibrary(parts: LibraryParts): Library {
  const { outside, documents, passages } = parts;
  const closing = new AbortController();
  let renewing: Promise<void> | undefined;
  const copies = createCopies(outside.profileFolder);
  const watchers = createWatchers(outside.nowMs);
  const queue = createIngestQueue({
    ...parts,
    onChange: (document, progress) => {
      watchers.changed(summaryOf(document, progress));
      noteChange();
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
        noteChange();
      },
    },
    remove: async (id) => void (await removal.remove(id)),
    onForgotten: parts.onFolderForgotten,
    options: parts.folderOptions,
  });

  const removal = createRemoval({
    ...parts,
    copies,
    drop: (id) => queue.drop(id),
    onRemoved(id) {
      parts.onRemoved(id);
      parts.citing.forgetNames(id, removedName);
    },
    onGone(id) {
      watchers.removed(id);
      noteChange();
    },
  });
  function summaryOf(document: StoredDocument, progress = queue.progressOf(document.id)): DocumentSummary {
    const summary = toDocumentSummary(document, { progress, collections: parts.collectionsOf(document) });
    // Where a copy lies is no folder of the person's.
    return copies.isCopy(document) ? { ...summary, folder: null } : summary;
  }
  const adding = createAdding({ summaryOf, nowMs: outside.nowMs });
  const again = createReadAgain({
    documents,
    queue,
    adding,
    mustFind,
    isPaused: (path) => folders.isPaused(path),
    onChanged: (document) => watchers.changed(summaryOf(document)),
  });
  const list = (): DocumentSummary[] => documents.list().map((document) => summaryOf(document));

  function noteChange(): void {
    folders.noteChange();
    parts.onChange();
  }

  function mustFind(id: DocumentId): StoredDocument {
    const document = documents.find(id);
    if (!document) throw new QuothError('not-found', 'This document is not in the library any more.');
    return document;
  }

  async function pathOf(id: string): Promise<string | null> {
    const document = documents.find(id);
    if (document?.sourceType !== 'file' || (await isGone(document.location))) return null;
    return document.location;
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

  return {
    handlers: {
      watchLibrary: (_input, signal) => watchers.watch(list, signal),
      addAddress: ({ address }, signal) => addAddress(address, signal),
      ...again.handlers,
      removeDocument: async ({ documentId }) => {
        await removal.remove(documentId);
        return {};
      },
      removeDocuments: ({ documentIds }, signal) => removal.removeAll(documentIds, signal),
      ...createDescribe({
        profileFolder: outside.profileFolder,
        find: documents.find,
        summaryOf,
        passages,
        citing: parts.citing,
        copies,
      }),
      readDocument: async ({ documentId, fromPassage, numPassages }) => {
        const document = mustFind(documentId);
        const found = passages.passagesOf(documentId, fromPassage, numPassages);
        return {
          document: summaryOf(document),
          passages: found.map((passage) => ({
            passageId: passage.passageId as PassageId,
            place: placeOf(passage),
            heading: passage.heading,
            text: passage.text,
          })),
          numPassages: document.numPassages,
        };
      },
      readScan: async ({ documentId, page }, signal) => {
        const { readFile } = outside;
        const { scannedWords } = passages;
        return { words: await wordsOfPage({ scannedWords, readFile }, mustFind(documentId), page, signal) };
      },
      readOriginal: ({ documentId }, signal) => readOriginal(mustFind(documentId), signal),
      ...folders.handlers,
    },
    addPaths,
    list,
    under: (path) => documents.listUnder(path).map((document) => summaryOf(document)),
    pathOf,
    recordingOf: async (id) => (documents.find(id)?.kind === 'recording' ? pathOf(id) : null),
    isOwn: (path) => copies.isCopy({ sourceType: 'file', location: join(path, 'any') }),
    tell(ids) {
      for (const id of ids) {
        const document = documents.find(id);
        if (document) watchers.changed(summaryOf(document));
      }
    },
    listFolders: folders.list,
    lookAgain: folders.lookAgain,
    dropGone: folders.dropGone,
    hearAgain: again.hear,
    resume() {
      for (const { id, location } of documents.listUnfinished())
        if (!folders.isPaused(location)) void queue.add(id).catch(() => {});
      folders.start();
      renewing = renewOutdated({
        documents,
        renew: (id) => queue.add(id, { quietly: true }),
        isPaused: folders.isPaused,
        isBusy: () => parts.isAsked() || queue.isBusy(),
        signal: closing.signal,
        log: outside.log,
        pauseMs: parts.renewalPauseMs,
      });
    },
    isBusy: () => queue.isBusy(),
    async idle() {
      await folders.idle();
      await queue.idle();
    },
    async close() {
      closing.abort();
      await folders.close();
      await queue.close();
      await renewing;
    },
  };
}
