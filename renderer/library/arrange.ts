/** Which documents the library shows, and in what order. */
import type {
  CollectionId,
  DocumentId,
  DocumentKind,
  DocumentState,
  DocumentSummary,
  PlaceFolder,
  PlaceKey,
} from '../../app/contract/types.ts';

export type StateFilter = 'all' | 'ready' | 'working' | 'problem';

export type Filters = {
  words: string;
  state: StateFilter;
  /** None = all. */
  kinds: readonly DocumentKind[];
  /** In it and below. */
  folder: PlaceKey | null;
  collection: CollectionId | null;
  addedFromMs: number | null;
  addedBeforeMs: number | null;
};

export const noFilters: Filters = {
  words: '',
  state: 'all',
  kinds: [],
  folder: null,
  collection: null,
  addedFromMs: null,
  addedBeforeMs: null,
};

export const sortKeys = ['added', 'name', 'size', 'pages'] as const;
export type SortKey = (typeof sortKeys)[number];
export type Sort = { key: SortKey; descending: boolean };

export function groupOf(state: DocumentState): Exclude<StateFilter, 'all'> {
  if (state === 'ready') return 'ready';
  return state === 'queued' || state === 'reading' || state === 'embedding' ? 'working' : 'problem';
}

const folded = (text: string): string => text.normalize('NFKC').toLocaleLowerCase();
const wordsOf = (text: string): string[] => folded(text).split(/\s+/).filter(Boolean);

/** Names as they are sought: made once for each state of a document. */
const soughtNames = new WeakMap<DocumentSummary, string>();
function soughtName(document: DocumentSummary): string {
  let name = soughtNames.get(document);
  if (name === undefined) {
    name = folded(`${document.title} ${document.source}`);
    soughtNames.set(document, name);
  }
  return name;
}

/** The documents whose names have all the words, newest first. */
export function filterDocuments(
  documents: Iterable<DocumentSummary>,
  words: string,
  state: StateFilter,
): DocumentSummary[] {
  const wanted = wordsOf(words);
  return [...documents]
    .filter((document) => state === 'all' || groupOf(document.state) === state)
    .filter((document) => wanted.every((word) => soughtName(document).includes(word)))
    .sort((a, b) => b.addedAtMs - a.addedAtMs || a.title.localeCompare(b.title));
}

/** The folders at and below one, as far as they are listed. */
export function foldersUnder(folder: PlaceKey, places: readonly PlaceFolder[]): ReadonlySet<PlaceKey> {
  const above = new Map(places.map((place) => [place.folder, place.above]));
  const isUnder = (key: PlaceKey): boolean => {
    for (let at: PlaceKey | null | undefined = key; at; at = above.get(at)) if (at === folder) return true;
    return false;
  };
  return new Set([folder, ...[...above.keys()].filter(isUnder)]);
}

/** What all filters but the state let through. */
function passes(filters: Filters, places: readonly PlaceFolder[]): (document: DocumentSummary) => boolean {
  const { words, kinds, folder, collection, addedFromMs, addedBeforeMs } = filters;
  const wanted = wordsOf(words);
  const kindSet = new Set(kinds);
  const folders = folder === null ? null : foldersUnder(folder, places);
  return (document) =>
    (kindSet.size === 0 || kindSet.has(document.kind)) &&
    (collection === null || document.collections.includes(collection)) &&
    (folders === null || (document.folder !== null && folders.has(document.folder))) &&
    (addedFromMs === null || document.addedAtMs >= addedFromMs) &&
    (addedBeforeMs === null || document.addedAtMs < addedBeforeMs) &&
    wanted.every((word) => soughtName(document).includes(word));
}

export type Arranged = {
  rows: DocumentSummary[];
  /** How many there would be with each choice of state. */
  counts: Record<StateFilter, number>;
};

/** More changes than this are sorted anew; fewer are put in their places. */
const fewChanges = 200;

/**
 * Filters and sorts. It remembers the order of the last time: while ten thousand documents are indexed, a few of them change
 * many times a second, and comparing all names again each time would hold up the window.
 */
export function createArranger(language: string) {
  const collator = new Intl.Collator(language, { numeric: true });
  const byName = (a: DocumentSummary, b: DocumentSummary): number =>
    collator.compare(a.title, b.title) || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);
  const compare: Record<SortKey, (a: DocumentSummary, b: DocumentSummary) => number> = {
    name: byName,
    added: (a, b) => a.addedAtMs - b.addedAtMs || byName(b, a),
    size: (a, b) => a.sizeBytes - b.sizeBytes || byName(b, a),
    pages: (a, b) => (a.numPages ?? 0) - (b.numPages ?? 0) || byName(b, a),
  };
  const keyOf: Record<SortKey, (document: DocumentSummary) => string | number | null> = {
    name: ({ title }) => title,
    added: ({ addedAtMs, title }) => `${addedAtMs} ${title}`,
    size: ({ sizeBytes, title }) => `${sizeBytes} ${title}`,
    pages: ({ numPages, title }) => `${numPages} ${title}`,
  };
  let last: { key: SortKey; order: DocumentSummary[] } = { key: 'added', order: [] };

  /** All documents, ascending. */
  function sorted(documents: ReadonlyMap<DocumentId, DocumentSummary>, key: SortKey): DocumentSummary[] {
    const order = last.key === key ? last.order : [];
    const kept: DocumentSummary[] = [];
    const known = new Set<DocumentId>();
    const moved: DocumentSummary[] = [];
    for (const before of order) {
      const now = documents.get(before.id);
      if (!now) continue;
      known.add(now.id);
      if (now === before || keyOf[key](now) === keyOf[key](before)) kept.push(now);
      else moved.push(now);
    }
    for (const document of documents.values()) if (!known.has(document.id)) moved.push(document);
    let next: DocumentSummary[];
    if (moved.length > fewChanges) next = [...kept, ...moved].sort(compare[key]);
    else {
      next = kept;
      for (const document of moved) next.splice(placeIn(next, document, compare[key]), 0, document);
    }
    last = { key, order: next };
    return next;
  }

  return (
    documents: ReadonlyMap<DocumentId, DocumentSummary>,
    filters: Filters,
    { key, descending }: Sort,
    places: readonly PlaceFolder[],
  ): Arranged => {
    const isWanted = passes(filters, places);
    const counts = { all: 0, ready: 0, working: 0, problem: 0 };
    const rows: DocumentSummary[] = [];
    for (const document of sorted(documents, key)) {
      if (!isWanted(document)) continue;
      const group = groupOf(document.state);
      counts.all += 1;
      counts[group] += 1;
      if (filters.state === 'all' || filters.state === group) rows.push(document);
    }
    if (descending) rows.reverse();
    return { rows, counts };
  };
}

function placeIn(
  order: readonly DocumentSummary[],
  document: DocumentSummary,
  compare: (a: DocumentSummary, b: DocumentSummary) => number,
): number {
  let low = 0;
  let high = order.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (compare(order[middle]!, document) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
