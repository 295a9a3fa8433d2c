import type { CollectionId, DocumentId } from '../contract/types.ts';
import type { Database } from './database.ts';
import { createId } from './ids.ts';
import { pathsUnder } from './scope-table.ts';
import { withStoreErrors } from './store-error.ts';

/** A collection as it is stored; the paths of its folders never leave the core process. */
export type StoredCollection = { id: CollectionId; name: string; folders: string[]; createdAtMs: number };

/** Documents by their ids, folders by their absolute and resolved paths. */
export type CollectionParts = { documentIds: readonly string[]; folders: readonly string[] };

export type CollectionTable = {
  /** Those that are not deleted, the oldest first. */
  list(): StoredCollection[];
  find(id: string): StoredCollection | null;
  create(name: string): StoredCollection;
  rename(id: string, name: string): void;
  /** Takes it out of the list; `restore` brings it back until `purge`. */
  delete(id: string): void;
  /** False where there is none to bring back. */
  restore(id: string): boolean;
  purge(): void;
  /** What is in it already, or not in the library, is passed over. */
  put(id: string, parts: CollectionParts): void;
  take(id: string, parts: CollectionParts): void;
  /** Takes a folder, and those below it, out of every collection: for what must be forgotten. */
  forgetFolder(path: string): void;
  /** The documents of a collection, by themselves and with its folders, by their places. */
  documentsOf(id: string): DocumentId[];
  countsOf(id: string): { numDocuments: number; numReady: number };
  /** The collections that a document is in; `withFolder`: those whose folder it lies in. */
  collectionsOf(document: { id: string; sourceType: string; location: string }): {
    all: CollectionId[];
    withFolder: CollectionId[];
  };
};

type FolderRow = { collectionId: CollectionId; path: string };
type Members = { byDocument: Map<string, CollectionId[]>; folders: (FolderRow & { from: string; end: string })[] };

const isMember = `(id IN (SELECT document_id FROM collection_documents WHERE collection_id = @id)
  OR (source_type = 'file' AND EXISTS
    (SELECT 1 FROM json_each(@ranges) WHERE location >= value ->> 0 AND location < value ->> 1)))`;

export function createCollectionTable(
  database: Database,
  outside: { nowMs: () => number; randomBytes: (numBytes: number) => Uint8Array },
): CollectionTable {
  const { sqlite } = database;
  type Row = { id: CollectionId; name: string; createdAtMs: number };
  const select = (rest: string) =>
    sqlite.prepare<unknown[], Row>(`SELECT id, name, created_at_ms AS createdAtMs FROM collections ${rest}`);
  const selectAll = select('WHERE deleted_at_ms IS NULL ORDER BY created_at_ms, rowid');
  const selectOne = select('WHERE id = ? AND deleted_at_ms IS NULL');
  const selectPaths = sqlite
    .prepare<[string], string>('SELECT path FROM collection_folders WHERE collection_id = ? ORDER BY path')
    .pluck();
  const insert = sqlite.prepare('INSERT INTO collections (id, name, created_at_ms) VALUES (?, ?, ?)');
  const updateName = sqlite.prepare('UPDATE collections SET name = ? WHERE id = ?');
  const mark = sqlite.prepare('UPDATE collections SET deleted_at_ms = ? WHERE id = ?');
  const unmark = sqlite.prepare(
    'UPDATE collections SET deleted_at_ms = NULL WHERE id = ? AND deleted_at_ms IS NOT NULL',
  );
  const removeDeleted = sqlite.prepare('DELETE FROM collections WHERE deleted_at_ms IS NOT NULL');
  const putDocument = sqlite.prepare(
    'INSERT OR IGNORE INTO collection_documents (collection_id, document_id) SELECT ?, id FROM documents WHERE id = ?',
  );
  const putFolder = sqlite.prepare('INSERT OR IGNORE INTO collection_folders (collection_id, path) VALUES (?, ?)');
  const takeDocument = sqlite.prepare('DELETE FROM collection_documents WHERE collection_id = ? AND document_id = ?');
  const takeFolder = sqlite.prepare('DELETE FROM collection_folders WHERE collection_id = ? AND path = ?');
  const forgetFolder = sqlite.prepare(
    'DELETE FROM collection_folders WHERE path = @path OR (path >= @from AND path < @toExclusive)',
  );
  const selectDocuments = sqlite
    .prepare<[{ id: string; ranges: string }], DocumentId>(
      `SELECT id FROM documents WHERE ${isMember} ORDER BY location`,
    )
    .pluck();
  const selectCounts = sqlite.prepare<[{ id: string; ranges: string }], { numDocuments: number; numReady: number }>(
    `SELECT count(*) AS numDocuments, count(*) FILTER (WHERE state = 'ready') AS numReady
     FROM documents WHERE ${isMember}`,
  );
  const selectMembers = sqlite.prepare<[], { collectionId: CollectionId; documentId: string }>(
    `SELECT collection_id AS collectionId, document_id AS documentId FROM collection_documents
     JOIN collections ON collections.id = collection_id WHERE deleted_at_ms IS NULL ORDER BY created_at_ms`,
  );
  const selectFolders = sqlite.prepare<[], FolderRow>(
    `SELECT collection_id AS collectionId, path FROM collection_folders
     JOIN collections ON collections.id = collection_id WHERE deleted_at_ms IS NULL ORDER BY created_at_ms`,
  );

  /** Who is in what, for lists of ten thousand; until something is written here. A document that is gone does no harm. */
  let members: Members | null = null;
  function membersNow(): Members {
    if (members) return members;
    const byDocument = new Map<string, CollectionId[]>();
    for (const { collectionId, documentId } of selectMembers.all())
      byDocument.set(documentId, [...(byDocument.get(documentId) ?? []), collectionId]);
    const folders = selectFolders.all().map((row) => {
      const { from, toExclusive } = pathsUnder(row.path);
      return { ...row, from, end: toExclusive };
    });
    members = { byDocument, folders };
    return members;
  }
  const changing = <Input extends unknown[]>(run: (...input: Input) => void) => {
    const all = sqlite.transaction(run);
    return (...input: Input): void => {
      members = null;
      all(...input);
      members = null;
    };
  };

  const toCollection = (row: Row): StoredCollection => ({ ...row, folders: selectPaths.all(row.id) });
  const rangesOf = (id: string): string =>
    JSON.stringify(selectPaths.all(id).map((path) => Object.values(pathsUnder(path))));

  return withStoreErrors(database, {
    list: () => selectAll.all().map(toCollection),
    find(id: string) {
      const row = selectOne.get(id);
      return row ? toCollection(row) : null;
    },
    create(name: string) {
      const id = createId('collection', outside.randomBytes);
      insert.run(id, name, outside.nowMs());
      return toCollection(selectOne.get(id)!);
    },
    rename(id: string, name: string) {
      updateName.run(name, id);
    },
    delete: changing((id: string) => {
      mark.run(outside.nowMs(), id);
    }),
    restore(id: string) {
      members = null;
      return unmark.run(id).changes > 0;
    },
    purge() {
      removeDeleted.run();
    },
    put: changing((id: string, { documentIds, folders }: CollectionParts) => {
      for (const documentId of documentIds) putDocument.run(id, documentId);
      for (const path of folders) putFolder.run(id, path);
    }),
    take: changing((id: string, { documentIds, folders }: CollectionParts) => {
      for (const documentId of documentIds) takeDocument.run(id, documentId);
      for (const path of folders) takeFolder.run(id, path);
    }),
    forgetFolder: changing((path: string) => {
      forgetFolder.run({ path, ...pathsUnder(path) });
    }),
    documentsOf: (id: string) => selectDocuments.all({ id, ranges: rangesOf(id) }),
    countsOf: (id: string) => selectCounts.get({ id, ranges: rangesOf(id) })!,
    collectionsOf({ id, sourceType, location }: { id: string; sourceType: string; location: string }) {
      const { byDocument, folders } = membersNow();
      const direct = byDocument.get(id) ?? [];
      if (folders.length === 0 || sourceType !== 'file') return { all: direct, withFolder: [] };
      const around = folders.filter(({ from, end }) => location >= from && location < end);
      const withFolder = [...new Set(around.map(({ collectionId }) => collectionId))];
      return { all: [...new Set([...direct, ...withFolder])], withFolder };
    },
  });
}
