import { createStore } from 'zustand/vanilla';
import type { QuothContract } from '../../app/contract/contract.ts';
import type { Client } from '../../app/contract/procedure.ts';
import type { Collection, CollectionId, DocumentId, PlaceFolder, PlaceKey } from '../../app/contract/types.ts';
import { type Filters, noFilters, type Sort } from './arrange.ts';

export type Sizes = { databaseBytes: number; indexBytes: number; copiesBytes: number };
type Parts = { documentIds?: DocumentId[]; folders?: PlaceKey[] };

/** What the dialog for a collection's name is about. */
export type NameAsked = ({ type: 'create' } & Parts) | { type: 'rename'; collection: Collection };

export type Shelf = {
  collections: Collection[];
  places: PlaceFolder[];
  /** What the library takes on the disk; null until it was asked for. */
  sizes: Sizes | null;

  // How the library is looked at: kept while another view is in front.
  filters: Filters;
  sort: Sort;
  selected: ReadonlySet<DocumentId>;
  /** The row that the keys start from. */
  active: DocumentId | null;
  scrollTop: number;
  /** The rows are to take the focus. */
  focusWanted: boolean;

  // What is asked in a dialog; null while it is closed.
  nameAsked: NameAsked | null;
  removalAsked: DocumentId[] | null;

  /** Follows the collections until the signal aborts. Throws when the connection ends. */
  watch(signal: AbortSignal): Promise<void>;
  loadPlaces(): Promise<void>;
  loadSizes(): Promise<void>;
  filter(part: Partial<Filters>): void;
  sortBy(sort: Sort): void;
  select(ids: ReadonlySet<DocumentId>): void;
  activate(id: DocumentId | null): void;
  keepScroll(scrollTop: number): void;
  wantFocus(isWanted: boolean): void;
  askName(asked: NameAsked | null): void;
  askRemoval(ids: DocumentId[] | null): void;

  create(name: string, parts: Parts): Promise<void>;
  rename(id: CollectionId, name: string): Promise<void>;
  put(id: CollectionId, parts: Parts): Promise<void>;
  /** How many stay in it with their folder. */
  take(id: CollectionId, parts: Parts): Promise<number>;
  delete(id: CollectionId): Promise<void>;
  restore(id: CollectionId): Promise<void>;
};

/** The collections as the core tells them, and how the library is looked at. Functions throw what the contract answered. */
export function createShelf(client: Client<QuothContract>) {
  return createStore<Shelf>((set, get) => ({
    collections: [],
    places: [],
    sizes: null,
    filters: noFilters,
    sort: { key: 'added', descending: true },
    selected: new Set(),
    active: null,
    scrollTop: 0,
    focusWanted: false,
    nameAsked: null,
    removalAsked: null,
    watch: async (signal) => {
      for await (const { collections } of client.watchCollections({}, signal)) {
        const { filters } = get();
        // What is shown must not be narrowed to something that is gone.
        const isGone = filters.collection !== null && !collections.some(({ id }) => id === filters.collection);
        set({ collections, ...(isGone ? { filters: { ...filters, collection: null } } : {}) });
      }
    },
    loadPlaces: async () => {
      const { folders } = await client.listPlaces({});
      set({ places: folders });
    },
    loadSizes: async () => set({ sizes: await client.describeLibrary({}) }),
    filter: (part) => set(({ filters }) => ({ filters: { ...filters, ...part }, scrollTop: 0 })),
    sortBy: (sort) => set({ sort, scrollTop: 0 }),
    select: (selected) => set({ selected }),
    activate: (active) => set({ active }),
    keepScroll: (scrollTop) => set({ scrollTop }),
    wantFocus: (focusWanted) => set({ focusWanted }),
    askName: (nameAsked) => set({ nameAsked }),
    askRemoval: (removalAsked) => set({ removalAsked }),
    create: async (name, parts) => {
      await client.createCollection({ name, ...parts });
    },
    rename: async (collectionId, name) => {
      await client.renameCollection({ collectionId, name });
    },
    put: async (collectionId, parts) => {
      await client.addToCollection({ collectionId, ...parts });
    },
    take: async (collectionId, parts) => (await client.takeFromCollection({ collectionId, ...parts })).numKept,
    delete: async (collectionId) => {
      await client.deleteCollection({ collectionId });
    },
    restore: async (collectionId) => {
      await client.restoreCollection({ collectionId });
    },
  }));
}
