/** Where a question can be asked: the library's folders and documents, by their names and paths. */
import { realpathSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { QuothError } from '../contract/errors.ts';
import { documentKind, type PlaceFolder, type Scope } from '../contract/types.ts';
import type { StoredCollection } from '../store/collection-table.ts';
import type { StoredDocument } from '../store/document-table.ts';
import { placeKeyOf, type ScopeTable } from '../store/scope-table.ts';

/** What a person wrote on a command line. */
export type WantedScope = {
  /** Paths of files or folders, names of them, or ids of documents. */
  places: readonly string[];
  /** Names or ids of collections. */
  collections?: readonly string[];
  kinds: readonly string[];
  changedFromMs: number | null;
  changedBeforeMs: number | null;
};

/** A folder's name with its parent's, for display. */
export function nameOf(path: string): string {
  const above = basename(dirname(path));
  const name = basename(path) || path;
  return (above ? `${above} › ${name}` : name).slice(0, 500);
}

/** The folders that a person can choose, by name; `others`: paths of some that are to be among them. */
export function listFolders(
  scopes: Pick<ScopeTable, 'folders'>,
  others: readonly string[] = [],
  isHidden: (path: string) => boolean = () => false,
): PlaceFolder[] {
  const folders = scopes
    .folders(others)
    .filter(({ path }) => !isHidden(path))
    .map(({ path, numDocuments, above }) => {
      return {
        folder: placeKeyOf(path),
        name: nameOf(path),
        numDocuments,
        above: above === null ? null : placeKeyOf(above),
      };
    });
  return folders.sort((a, b) => a.name.localeCompare(b.name));
}

/** Fails with `not-found` for a place, and `invalid-input` for a kind, that there is not. */
export function toScope(
  wanted: WantedScope,
  documents: readonly Pick<StoredDocument, 'id' | 'title' | 'name' | 'location'>[],
  scopes: Pick<ScopeTable, 'folders' | 'countsOf'>,
  collections: readonly Pick<StoredCollection, 'id' | 'name'>[] = [],
): Scope {
  const kinds = wanted.kinds.map((kind) => {
    const parsed = documentKind.safeParse(kind.toLowerCase());
    if (!parsed.success)
      throw new QuothError('invalid-input', `"${kind}" is none of the types: ${documentKind.options.join(', ')}.`);
    return parsed.data;
  });
  const { changedFromMs, changedBeforeMs } = wanted;
  const none: Scope = { places: [], kinds: [], changedFromMs: null, changedBeforeMs: null };
  const folders = scopes.folders();
  const places = wanted.places.flatMap((place): Scope['places'] => {
    const same = (name: string): boolean => name.toLowerCase() === place.toLowerCase();
    const named = documents.filter(({ id, name, title }) => id === place || same(name) || same(title));
    const document = ({ id, title }: (typeof documents)[number]): Scope['places'][number] => {
      return { type: 'document', documentId: id, name: title.slice(0, 500) };
    };
    const path = realPathOf(place);
    const folder = (at: string): Scope['places'][number] => {
      return { type: 'folder', folder: placeKeyOf(at), name: nameOf(at) };
    };
    const atPath = folder(path);
    // Also a folder that is not in the list, because all in it lies one level deeper.
    if (scopes.countsOf({ ...none, places: [atPath] }).numDocuments > 0) return [atPath];
    const filed = documents.filter(({ location }) => location === path || location === place);
    if (filed.length > 0) return filed.map(document);
    if (named.length > 0) return named.map(document);
    const called = folders.filter((one) => same(basename(one.path)) || same(nameOf(one.path)));
    if (called.length > 0) return called.map(({ path: at }) => folder(at));
    throw new QuothError('not-found', `Nothing in the library is called "${place}".`);
  });
  const collected = (wanted.collections ?? []).map((name): Scope['places'][number] => {
    const found = collectionNamed(collections, name);
    return { type: 'collection', collectionId: found.id, name: found.name };
  });
  return { places: [...places, ...collected], kinds, changedFromMs, changedBeforeMs };
}

/** Names are the same whatever their capitals, and however a letter is put together. */
export function sameName(a: string, b: string): boolean {
  const folded = (name: string): string => name.trim().normalize('NFKC').toLowerCase();
  return folded(a) === folded(b);
}

/** Fails with `not-found`. */
export function collectionNamed<Named extends Pick<StoredCollection, 'id' | 'name'>>(
  collections: readonly Named[],
  wanted: string,
): Named {
  const found = collections.find(({ id, name }) => id === wanted || sameName(name, wanted));
  if (!found) throw new QuothError('not-found', `There is no collection called "${wanted}".`);
  return found;
}

/** As the library has it: without links on the way. */
function realPathOf(place: string): string {
  const path = resolve(place);
  try {
    return realpathSync.native(path);
  } catch {
    return path; // not there any more, but perhaps still in the library
  }
}
