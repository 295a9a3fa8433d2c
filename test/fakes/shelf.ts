/** The library's half of the cardboard application: removing, reading anew, a document's own page, collections. */
import type { AddEvent, LibraryEvent, QuothContract } from '../../app/contract/contract.ts';
import { QuothError } from '../../app/contract/errors.ts';
import type { Handlers } from '../../app/contract/procedure.ts';
import type {
  CitingTurn,
  Collection,
  CollectionId,
  DocumentDetails,
  DocumentId,
  DocumentSummary,
  PlaceKey,
  WatchedFolder,
} from '../../app/contract/types.ts';
import type { Tape } from './app-handlers.ts';

export function makeCollection(n: number, part: Partial<Collection> = {}): Collection {
  return {
    id: `collection_${String(n).padStart(16, '0')}` as CollectionId,
    name: `Collection ${n}`,
    folders: [],
    numDocuments: 0,
    numReady: 0,
    createdAtMs: n,
    ...part,
  };
}

type Parts = {
  documents: Map<DocumentId, DocumentSummary>;
  library: Tape<LibraryEvent>;
  setDocument: (document: DocumentSummary) => void;
  adding: () => Tape<AddEvent>;
  folders: () => WatchedFolder[];
  list: Tape<{ collections: Collection[] }>;
};

type ShelfHandlers = Pick<
  Handlers<QuothContract>,
  | 'retryDocuments'
  | 'removeDocuments'
  | 'describeDocument'
  | 'describeLibrary'
  | 'watchCollections'
  | 'createCollection'
  | 'renameCollection'
  | 'addToCollection'
  | 'takeFromCollection'
  | 'deleteCollection'
  | 'restoreCollection'
>;

export function createFakeShelf({ documents, library, setDocument, adding, folders, list }: Parts) {
  let collections: Collection[] = [];
  const deleted = new Map<CollectionId, { collection: Collection; members: DocumentId[] }>();
  const details = new Map<DocumentId, Partial<DocumentDetails>>();
  const citing = new Map<DocumentId, CitingTurn[]>();
  const retriedAll: { documentIds: DocumentId[]; anew: boolean }[] = [];
  const removedAll: DocumentId[][] = [];
  const sizes = { databaseBytes: 64e6, indexBytes: 12e6, copiesBytes: 0 };

  const membersOf = (id: CollectionId): DocumentSummary[] =>
    [...documents.values()].filter((document) => document.collections.includes(id));
  const tell = (): void =>
    list.push({
      collections: collections.map((one) => {
        const members = membersOf(one.id);
        const numReady = members.filter(({ state }) => state === 'ready').length;
        return { ...one, numDocuments: members.length, numReady };
      }),
    });
  const mustFind = (id: CollectionId): Collection => {
    const collection = collections.find((one) => one.id === id);
    if (!collection) throw new QuothError('not-found', 'This collection does not exist any more.');
    return collection;
  };
  const isIn = (document: DocumentSummary, keys: readonly PlaceKey[]): boolean =>
    document.folder !== null && keys.includes(document.folder);
  type Content = { documentIds: DocumentId[]; folders: PlaceKey[] };
  const put = (id: CollectionId, { documentIds, folders: keys }: Content): void => {
    const named = keys.map((folder) => ({
      folder,
      name: folders().find(({ place }) => place === folder)?.name ?? folder,
    }));
    collections = collections.map((one) => (one.id === id ? { ...one, folders: [...one.folders, ...named] } : one));
    for (const document of documents.values())
      if ((documentIds.includes(document.id) || isIn(document, keys)) && !document.collections.includes(id))
        setDocument({ ...document, collections: [...document.collections, id] });
    tell();
  };
  tell();

  const handlers: ShelfHandlers = {
    retryDocuments: ({ documentIds, anew = false }, signal) => {
      retriedAll.push({ documentIds, anew });
      return adding().play(signal);
    },
    removeDocuments: async function* ({ documentIds }) {
      removedAll.push(documentIds);
      let numPassages = 0;
      for (const documentId of documentIds) {
        numPassages += documents.get(documentId)?.numPassages ?? 0;
        documents.delete(documentId);
        library.push({ type: 'removed', documentId });
        yield { type: 'removed' as const, documentId };
      }
      tell();
      yield { type: 'summary' as const, numDocuments: documentIds.length, numPassages, freedBytes: 2_500_000 };
    },
    describeDocument: async ({ documentId }) => {
      const document = documents.get(documentId);
      if (!document) throw new QuothError('not-found', 'This document is not in the library any more.');
      return {
        document,
        changedAtMs: 1_690_000_000_000,
        language: 'en',
        folderName: 'Documents › Folder 1',
        isThere: true,
        isCopy: false,
        numVectors: document.numPassages,
        storedBytes: 48_000,
        citedIn: citing.get(documentId) ?? [],
        ...details.get(documentId),
      };
    },
    describeLibrary: async () => sizes,
    watchCollections: (_input, signal) => list.play(signal),
    createCollection: async ({ name, ...content }) => {
      if (collections.some((one) => one.name === name))
        throw new QuothError('invalid-input', 'There is a collection of this name already. Choose another name.');
      const collection = makeCollection(500 + collections.length + deleted.size, { name });
      collections = [...collections, collection];
      put(collection.id, content);
      return { collectionId: collection.id };
    },
    renameCollection: async ({ collectionId, name }) => {
      mustFind(collectionId);
      collections = collections.map((one) => (one.id === collectionId ? { ...one, name } : one));
      tell();
      return {};
    },
    addToCollection: async ({ collectionId, ...content }) => {
      mustFind(collectionId);
      put(collectionId, content);
      return {};
    },
    takeFromCollection: async ({ collectionId, documentIds, folders: keys }) => {
      const kept = mustFind(collectionId).folders.filter(({ folder }) => !keys.includes(folder));
      collections = collections.map((one) => (one.id === collectionId ? { ...one, folders: kept } : one));
      const held = kept.map(({ folder }) => folder);
      const wanted = [...documents.values()].filter((one) => documentIds.includes(one.id) || isIn(one, keys));
      for (const document of wanted.filter((one) => !isIn(one, held)))
        setDocument({ ...document, collections: document.collections.filter((one) => one !== collectionId) });
      tell();
      return { numKept: wanted.filter((one) => isIn(one, held)).length };
    },
    deleteCollection: async ({ collectionId }) => {
      const members = membersOf(collectionId);
      deleted.set(collectionId, { collection: mustFind(collectionId), members: members.map(({ id }) => id) });
      collections = collections.filter(({ id }) => id !== collectionId);
      for (const document of members)
        setDocument({ ...document, collections: document.collections.filter((one) => one !== collectionId) });
      tell();
      return {};
    },
    restoreCollection: async ({ collectionId }) => {
      const kept = deleted.get(collectionId);
      if (!kept) throw new QuothError('not-found', 'This collection cannot be brought back any more.');
      collections = [...collections, kept.collection];
      put(collectionId, { documentIds: kept.members, folders: [] });
      return {};
    },
  };
  return {
    handlers,
    state: {
      details,
      citing,
      retriedAll,
      removedAll,
      sizes,
      collections: () => collections,
      /** The documents of a collection are those whose `collections` name it. */
      setCollections: (next: Collection[]): void => {
        collections = next;
        tell();
      },
    },
  };
}
