import { dirname } from 'node:path';
import type { Source } from '../../ingest/source.ts';
import { QuothError } from '../contract/errors.ts';
import {
  type CollectionId,
  type DocumentId,
  type DocumentKind,
  type DocumentProblem,
  type DocumentState,
  type DocumentSummary,
  documentProblem,
} from '../contract/types.ts';
import type { Database } from './database.ts';
import { createId } from './ids.ts';
import { pathsUnder, placeKeyOf } from './scope-table.ts';
import { withStoreErrors } from './store-error.ts';

/** A document as it is stored. `location` (a path, or a video's address) never leaves the core process. */
export type StoredDocument = {
  id: DocumentId;
  sourceType: Source['type'];
  location: string;
  name: string;
  title: string;
  kind: DocumentKind;
  state: DocumentState;
  /** Why it is not ready; of a ready one, what of it was not read. */
  reason: string | null;
  detail: string | null;
  numPages: number | null;
  /** Of a recording: where its last passage ends. */
  durationSeconds: number | null;
  numPassages: number;
  sizeBytes: number;
  modifiedAtMs: number;
  contentHash: string | null;
  /** The edition of the reader that read it (ingest/reader-versions.ts). */
  readerVersion: number;
  addedAtMs: number;
};

/** What is found out about a document while it is read; what is left out stays as it is. */
export type DocumentFacts = Partial<
  Pick<StoredDocument, 'title' | 'kind' | 'numPages' | 'contentHash' | 'sizeBytes' | 'modifiedAtMs' | 'readerVersion'>
>;

/** A document whose file now lies elsewhere, with the same bytes. */
export type DocumentMove = { id: DocumentId; path: string; name: string; title: string; modifiedAtMs: number };

export type DocumentTable = {
  /** A new document in state `queued`; a source that is there already is queued again under its old id. */
  insertQueued(source: Source): StoredDocument;
  /** The new state; `reason` is for the person, `detail` for the log. Without them both are cleared. */
  setState(id: string, state: DocumentState, why?: { reason: string; detail: string | null }): StoredDocument;
  setFacts(id: string, facts: DocumentFacts): StoredDocument;
  find(id: string): StoredDocument | null;
  findByLocation(location: string): StoredDocument | null;
  /** The document, ready ones first, that was cut from exactly these bytes. */
  findByHash(contentHash: string): StoredDocument | null;
  /** All documents that were cut from exactly these bytes. */
  listByHash(contentHash: string): StoredDocument[];
  /** Whether any file of this size is known. */
  hasSize(sizeBytes: number): boolean;
  /** The files at this path and below it. */
  listUnder(path: string): StoredDocument[];
  countsUnder(folder: string): { numDocuments: number; numReady: number; numWorking: number };
  /** New places for documents, all or none; those with passages are `ready` again. Passages and vectors stay. */
  moveAll(moves: readonly DocumentMove[]): void;
  /** As `setState`, for many at once. Ids that are gone are passed over. */
  setStateOfAll(ids: readonly string[], state: DocumentState, why: { reason: string; detail: string | null }): void;
  /** All documents, the newest first. */
  list(): StoredDocument[];
  /** Those with scanned pages, whether their words could be recognized or not. */
  listScanned(): StoredDocument[];
  /** Those that ended for this reason. */
  listFailed(problem: DocumentProblem): StoredDocument[];
  /** Those that an end of the process has left on their way, the oldest first. */
  listUnfinished(): StoredDocument[];
  /**
   * Files that are ready and were read by an older reader than that of `versions`, by kind; the newest first. Those with scanned
   * pages are left out: to recognize them again takes minutes, and is asked for by hand.
   */
  listOutdated(versions: Readonly<Record<DocumentKind, number>>): DocumentId[];
  /**
   * Removes the document, its passages and vectors, also from the write-ahead log. Its single words leave the word index
   * when the database's scrubber has worked.
   */
  remove(id: string): { removedIds: number[] };
  counts(): { numDocuments: number; numReady: number; numPassages: number };
};

type Row = Omit<StoredDocument, 'id'> & { id: string };

const columns = `id, source_type AS sourceType, location, name, title, kind, state,
  CASE state WHEN 'ready' THEN note ELSE reason END AS reason, detail, num_pages AS numPages,
  size_bytes AS sizeBytes, modified_at_ms AS modifiedAtMs, content_hash AS contentHash, reader_version AS readerVersion, added_at_ms AS addedAtMs,
  CASE kind WHEN 'recording' THEN (SELECT max(end_seconds) FROM passages WHERE document_id = documents.id) END AS durationSeconds,
  (SELECT count(*) FROM passages WHERE document_id = documents.id) AS numPassages`;

const factColumns: Record<keyof DocumentFacts, string> = {
  title: 'title',
  kind: 'kind',
  numPages: 'num_pages',
  contentHash: 'content_hash',
  sizeBytes: 'size_bytes',
  modifiedAtMs: 'modified_at_ms',
  readerVersion: 'reader_version',
};

export function createDocumentTable(
  database: Database,
  outside: { nowMs: () => number; randomBytes: (numBytes: number) => Uint8Array },
): DocumentTable {
  const { sqlite } = database;
  const select = (rest: string) => sqlite.prepare<unknown[], Row>(`SELECT ${columns} FROM documents ${rest}`);
  const selectById = select('WHERE id = ?');
  const selectByLocation = select('WHERE location = ?');
  const selectByHash = select("WHERE content_hash = ? ORDER BY state = 'ready' DESC, added_at_ms, rowid LIMIT 1");
  const selectAll = select('ORDER BY added_at_ms DESC, rowid DESC');
  const selectUnfinished = select("WHERE state IN ('queued', 'reading', 'embedding') ORDER BY added_at_ms, rowid");
  // What a PDF or a picture had that was not read are pages: scans, most often.
  const selectScanned = select(
    `WHERE id IN (SELECT document_id FROM scanned_pages) OR (kind IN ('pdf', 'image') AND
       (state = 'no-text' OR (state = 'ready' AND note IS NOT NULL))) ORDER BY added_at_ms, rowid`,
  );
  const selectFailed = select("WHERE state <> 'ready' AND detail LIKE ? || ':%' ORDER BY added_at_ms, rowid");
  const selectOutdated = sqlite
    .prepare<[string], string>(
      `SELECT documents.id FROM documents JOIN json_each(?) AS newest ON newest.key = kind
       WHERE state = 'ready' AND source_type = 'file' AND reader_version < newest.value
         AND NOT EXISTS (SELECT 1 FROM scanned_pages WHERE document_id = documents.id)
       ORDER BY added_at_ms DESC, documents.rowid DESC`,
    )
    .pluck();
  const insert = sqlite.prepare(
    `INSERT INTO documents (id, source_type, location, name, title, kind, state, size_bytes, modified_at_ms, added_at_ms)
     VALUES (@id, @sourceType, @location, @name, @name, @kind, 'queued', @sizeBytes, @modifiedAtMs, @addedAtMs)
     ON CONFLICT (location) DO UPDATE SET name = excluded.name, size_bytes = excluded.size_bytes,
       modified_at_ms = excluded.modified_at_ms, state = 'queued', reason = NULL, detail = NULL`,
  );
  const updateState = sqlite.prepare('UPDATE documents SET state = ?, reason = ?, detail = ? WHERE id = ?');
  // A half-open range of the index by location: all that begins with the folder and the separator, whose successor ends it.
  const under = `source_type = 'file' AND (location = @path OR (location >= @from AND location < @toExclusive))`;
  const selectUnder = select(`WHERE ${under} ORDER BY location`);
  const selectAllByHash = select('WHERE content_hash = ? ORDER BY added_at_ms, rowid');
  const selectSize = sqlite
    .prepare<[number], number>("SELECT 1 FROM documents WHERE size_bytes = ? AND source_type = 'file' LIMIT 1")
    .pluck();
  const selectCountsUnder = sqlite.prepare<
    [ReturnType<typeof rangeOf>],
    { numDocuments: number; numReady: number; numWorking: number }
  >(
    `SELECT count(*) AS numDocuments, count(*) FILTER (WHERE state = 'ready') AS numReady,
       count(*) FILTER (WHERE state IN ('queued', 'reading', 'embedding')) AS numWorking FROM documents WHERE ${under}`,
  );
  const move = sqlite.prepare(
    `UPDATE documents SET location = @path, name = @name, title = @title, modified_at_ms = @modifiedAtMs,
       state = 'ready', reason = NULL, detail = NULL WHERE id = @id`,
  );
  const selectPassageIds = sqlite.prepare<[string], number>('SELECT id FROM passages WHERE document_id = ?').pluck();
  const remove = sqlite.prepare('DELETE FROM documents WHERE id = ?');
  const selectCounts = sqlite.prepare<[], { numDocuments: number; numReady: number; numPassages: number }>(
    `SELECT count(*) AS numDocuments, count(*) FILTER (WHERE state = 'ready') AS numReady,
       (SELECT count(*) FROM passages) AS numPassages FROM documents`,
  );

  const found = (row: Row | undefined): StoredDocument | null => (row ? { ...row, id: row.id as DocumentId } : null);

  function mustFind(id: string): StoredDocument {
    const document = found(selectById.get(id));
    if (!document) throw new QuothError('not-found', 'This document is not in the library any more.');
    return document;
  }

  const removeAll = sqlite.transaction((id: string) => {
    mustFind(id);
    const removedIds = selectPassageIds.all(id);
    remove.run(id);
    database.scrubber.note();
    return { removedIds };
  });

  const moveAll = sqlite.transaction((moves: readonly DocumentMove[]) => {
    for (const one of moves) move.run(one);
  });
  const setStateOfAll = sqlite.transaction(
    (ids: readonly string[], state: DocumentState, why: { reason: string; detail: string | null }) => {
      for (const id of ids) updateState.run(state, why.reason, why.detail, id);
    },
  );

  return withStoreErrors(database, {
    insertQueued(source: Source) {
      const location = source.type === 'file' ? source.path : source.address;
      insert.run({
        id: createId('doc', outside.randomBytes),
        sourceType: source.type,
        location,
        name: source.type === 'file' ? source.name : source.address,
        kind: source.type === 'file' ? 'other' : 'youtube',
        sizeBytes: source.type === 'file' ? source.sizeBytes : 0,
        modifiedAtMs: source.type === 'file' ? source.modifiedAtMs : outside.nowMs(),
        addedAtMs: outside.nowMs(),
      });
      return found(selectByLocation.get(location))!;
    },
    setState(id: string, state: DocumentState, why?: { reason: string; detail: string | null }) {
      updateState.run(state, why?.reason ?? null, why?.detail ?? null, id);
      return mustFind(id);
    },
    setFacts(id: string, facts: DocumentFacts) {
      const keys = (Object.keys(factColumns) as (keyof DocumentFacts)[]).filter((key) => facts[key] !== undefined);
      if (keys.length > 0)
        sqlite
          .prepare(
            `UPDATE documents SET ${keys.map((key) => `${factColumns[key]} = @${key}`).join(', ')} WHERE id = @id`,
          )
          .run({ ...facts, id });
      return mustFind(id);
    },
    find: (id: string) => found(selectById.get(id)),
    findByLocation: (location: string) => found(selectByLocation.get(location)),
    findByHash: (contentHash: string) => found(selectByHash.get(contentHash)),
    listByHash: (contentHash: string) => selectAllByHash.all(contentHash).map((row) => found(row)!),
    hasSize: (sizeBytes: number) => selectSize.get(sizeBytes) !== undefined,
    listUnder: (path: string) => selectUnder.all(rangeOf(path)).map((row) => found(row)!),
    countsUnder: (folder: string) => selectCountsUnder.get(rangeOf(folder))!,
    moveAll: (moves: readonly DocumentMove[]) => moveAll(moves),
    setStateOfAll: (...input: Parameters<DocumentTable['setStateOfAll']>) => setStateOfAll(...input),
    list: () => selectAll.all().map((row) => found(row)!),
    listScanned: () => selectScanned.all().map((row) => found(row)!),
    listFailed: (problem: DocumentProblem) => selectFailed.all(problem).map((row) => found(row)!),
    listUnfinished: () => selectUnfinished.all().map((row) => found(row)!),
    listOutdated: (versions: Readonly<Record<DocumentKind, number>>) =>
      selectOutdated.all(JSON.stringify(versions)).map((id) => id as DocumentId),
    remove(id: string) {
      const removed = removeAll(id);
      // The log still holds the pages as they were; a deleted text must be gone from every file.
      sqlite.pragma('wal_checkpoint(TRUNCATE)');
      return removed;
    },
    counts: () => selectCounts.get()!,
  });
}

/** The locations below a path; a root (`/`, `C:\\`) ends with its separator already. */
function rangeOf(path: string): { path: string; from: string; toExclusive: string } {
  return { path, ...pathsUnder(path) };
}

/** What a window learns of a document. `progress` is known to whoever works on it, and never stored. */
export function toDocumentSummary(
  document: StoredDocument,
  { progress = 0, collections = [] }: { progress?: number; collections?: CollectionId[] } = {},
): DocumentSummary {
  const { id, title, name, kind, state, reason, numPages, numPassages, sizeBytes, addedAtMs } = document;
  const facts = { id, title, source: name, kind, state, progress, reason, numPages, numPassages, sizeBytes, addedAtMs };
  const folder = document.sourceType === 'file' ? placeKeyOf(dirname(document.location)) : null;
  const duration = document.durationSeconds === null ? {} : { durationSeconds: document.durationSeconds };
  return { ...facts, ...duration, problem: problemOf(document), folder, collections };
}

/** Of "video-unavailable: private: …" the refusal, of "damaged: …" the reason. */
function problemOf({ state, detail }: StoredDocument): DocumentProblem | null {
  if (state === 'ready' || detail === null) return null;
  const [reason = '', refusal = ''] = detail.split(':', 2).map((word) => word.trim());
  return documentProblem.safeParse(refusal).data ?? documentProblem.safeParse(reason).data ?? null;
}
