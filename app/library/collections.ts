/** The collections: made, renamed, filled and emptied, deleted and brought back. */
import { createChannel } from '../channel.ts';
import type { QuothContract } from '../contract/contract.ts';
import { QuothError } from '../contract/errors.ts';
import type { Handlers } from '../contract/procedure.ts';
import type { Collection, CollectionId, DocumentId, PlaceKey } from '../contract/types.ts';
import type { CollectionTable, StoredCollection } from '../store/collection-table.ts';
import type { DocumentTable } from '../store/document-table.ts';
import { placeKeyOf } from '../store/scope-table.ts';
import { nameOf, sameName } from './places.ts';

/** Counts are told so often; a large folder brings thousands of changes a second. */
const tellEveryMs = 200;

export type CollectionsParts = {
  table: CollectionTable;
  documents: Pick<DocumentTable, 'listUnder' | 'find'>;
  /** The path behind a folder's key, of a watched folder or one in which documents lie. */
  pathOf(key: PlaceKey): string | null;
  /** These documents are in other collections than before. */
  onChanged(ids: readonly DocumentId[]): void;
};

export type Collections = {
  handlers: Pick<
    Handlers<QuothContract>,
    | 'watchCollections'
    | 'createCollection'
    | 'renameCollection'
    | 'addToCollection'
    | 'takeFromCollection'
    | 'deleteCollection'
    | 'restoreCollection'
  >;
  list(): Collection[];
  /** Something changed in the library: counts may be others. */
  noteChange(): void;
  close(): void;
};

export function createCollections({ table, documents, pathOf, onChanged }: CollectionsParts): Collections {
  const tellers = new Set<() => void>();
  let telling: NodeJS.Timeout | undefined;
  let closed = false;

  function toCollection({ id, name, folders, createdAtMs }: StoredCollection): Collection {
    const named = folders.map((path) => ({ folder: placeKeyOf(path), name: nameOf(path) }));
    return { id, name, folders: named, ...table.countsOf(id), createdAtMs };
  }
  const list = (): Collection[] =>
    table
      .list()
      .map(toCollection)
      .sort((a, b) => a.name.localeCompare(b.name));

  function tell(): void {
    clearTimeout(telling);
    telling = undefined;
    if (closed) return;
    for (const one of tellers) one();
  }

  function mustFind(id: string): StoredCollection {
    const collection = table.find(id);
    if (!collection) throw new QuothError('not-found', 'This collection does not exist any more.');
    return collection;
  }

  function mustBeFree(name: string, except?: CollectionId): void {
    if (table.list().some((one) => one.id !== except && sameName(one.name, name)))
      throw new QuothError('invalid-input', 'There is a collection of this name already. Choose another name.');
  }

  const pathsOf = (keys: readonly PlaceKey[], known: readonly string[] = []): string[] =>
    keys.map((key) => {
      const path = known.find((one) => placeKeyOf(one) === key) ?? pathOf(key);
      if (path === null) throw new QuothError('not-found', 'This folder is not in the library any more.');
      return path;
    });

  type Parts = { documentIds: DocumentId[]; folders: PlaceKey[] };
  const touchedBy = (documentIds: readonly DocumentId[], paths: readonly string[]): DocumentId[] => [
    ...new Set([...documentIds, ...paths.flatMap((path) => documents.listUnder(path).map(({ id }) => id))]),
  ];

  function put(id: CollectionId, { documentIds, folders }: Parts): void {
    const paths = pathsOf(folders);
    table.put(id, { documentIds, folders: paths });
    onChanged(touchedBy(documentIds, paths));
    tell();
  }

  return {
    list,
    handlers: {
      watchCollections: (_input, signal) => watchList(signal),
      async createCollection({ name, ...parts }) {
        mustBeFree(name);
        pathsOf(parts.folders); // a collection with half of what was wanted is none
        const { id } = table.create(name);
        put(id, parts);
        return { collectionId: id };
      },
      async renameCollection({ collectionId, name }) {
        mustFind(collectionId);
        mustBeFree(name, collectionId);
        table.rename(collectionId, name);
        tell();
        return {};
      },
      async addToCollection({ collectionId, ...parts }) {
        mustFind(collectionId);
        put(collectionId, parts);
        return {};
      },
      async takeFromCollection({ collectionId, documentIds, folders }) {
        const paths = pathsOf(folders, mustFind(collectionId).folders);
        const touched = touchedBy(documentIds, paths);
        table.take(collectionId, { documentIds, folders: paths });
        onChanged(touched);
        tell();
        const kept = documentIds.filter((id) => {
          const document = documents.find(id);
          return document !== null && table.collectionsOf(document).withFolder.includes(collectionId);
        });
        return { numKept: kept.length };
      },
      async deleteCollection({ collectionId }) {
        mustFind(collectionId);
        const members = table.documentsOf(collectionId);
        table.delete(collectionId);
        onChanged(members);
        tell();
        return {};
      },
      async restoreCollection({ collectionId }) {
        if (!table.restore(collectionId))
          throw new QuothError('not-found', 'This collection cannot be brought back any more.');
        // Another may have got its name meanwhile.
        const { name } = mustFind(collectionId);
        const others = table.list().filter(({ id }) => id !== collectionId);
        let free = name;
        for (let n = 2; others.some((one) => sameName(one.name, free)); n++) free = `${name.slice(0, 95)} ${n}`;
        if (free !== name) table.rename(collectionId, free);
        onChanged(table.documentsOf(collectionId));
        tell();
        return {};
      },
    },
    noteChange() {
      if (tellers.size > 0 && !closed) telling ??= setTimeout(tell, tellEveryMs);
    },
    close() {
      closed = true;
      clearTimeout(telling);
    },
  };

  async function* watchList(signal: AbortSignal): AsyncGenerator<{ collections: Collection[] }> {
    const channel = createChannel<{ collections: Collection[] }>({ keyOf: () => 'collections' });
    const push = (): void => channel.push({ collections: list() });
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
