import { createHash } from 'node:crypto';
import { dirname, parse, sep } from 'node:path';
import type { PlaceKey, Scope } from '../contract/types.ts';
import type { Database } from './database.ts';
import { withStoreErrors } from './store-error.ts';

export type ScopeTable = {
  /**
   * Folders in which documents lie, those above them where several come together, and `others`; by their paths. `above`: the
   * next of them that a folder lies in.
   */
  folders(others?: readonly string[]): { path: string; numDocuments: number; above: string | null }[];
  /** The path behind a folder's key: of those above, or any other that a document lies below. */
  pathOf(key: PlaceKey): string | null;
  /**
   * The ids of a scope's passages as pairs of a first and a last one, ascending; null where the scope is everything. A
   * document's passages are stored in one go, so their ids stand in a row.
   */
  rangesOf(scope: Scope): Float64Array | null;
  /** How many documents that are ready, and passages, a scope holds. */
  countsOf(scope: Scope): { numDocuments: number; numPassages: number };
};

/** What stands for a folder outside of the core: its path's hash, so that nobody learns the path. */
export function placeKeyOf(path: string): PlaceKey {
  return `place_${createHash('sha256').update(path).digest('hex').slice(0, 16)}` as PlaceKey;
}

export function isEverything(scope: Scope): boolean {
  const { places, kinds, changedFromMs, changedBeforeMs } = scope;
  return places.length === 0 && kinds.length === 0 && changedFromMs === null && changedBeforeMs === null;
}

/** The paths below a folder, as a half-open range: all that begins with the folder and a separator. */
export function pathsUnder(path: string): { from: string; toExclusive: string } {
  const from = path.endsWith(sep) ? path : path + sep;
  return { from, toExclusive: from.slice(0, -1) + String.fromCharCode(sep.charCodeAt(0) + 1) };
}

type Conditions = {
  isSome: 0 | 1;
  documents: string;
  folders: string;
  collections: string;
  kinds: string;
  from: number;
  before: number;
};
type Resolved = { ranges: Float64Array; counts: { numDocuments: number; numPassages: number } };

const inCollection = `SELECT document_id FROM collection_documents JOIN collections ON collections.id = collection_id
  WHERE deleted_at_ms IS NULL AND collection_id IN (SELECT value FROM json_each(@collections))`;

const inScope = `state = 'ready' AND modified_at_ms >= @from AND modified_at_ms < @before
  AND (@kinds = '[]' OR kind IN (SELECT value FROM json_each(@kinds)))
  AND (@isSome = 0 OR id IN (SELECT value FROM json_each(@documents)) OR id IN (${inCollection}) OR (source_type = 'file' AND EXISTS
    (SELECT 1 FROM json_each(@folders) WHERE location >= value ->> 0 AND location < value ->> 1)))`;

export function createScopeTable(database: Database): ScopeTable {
  const { sqlite } = database;
  const selectLocations = sqlite
    .prepare<[], string>("SELECT location FROM documents WHERE source_type = 'file'")
    .pluck();
  // Both ends from the index by document and ordinal: nothing is read of what lies between.
  const selectRanges = sqlite.prepare<[Conditions], { first: number | null; last: number | null }>(
    `SELECT (SELECT id FROM passages WHERE document_id = documents.id ORDER BY ordinal LIMIT 1) AS first,
       (SELECT id FROM passages WHERE document_id = documents.id ORDER BY ordinal DESC LIMIT 1) AS last
     FROM documents WHERE ${inScope} ORDER BY first`,
  );
  const selectCollected = sqlite
    .prepare<[string], string>(
      `SELECT path FROM collection_folders JOIN collections ON collections.id = collection_id
       WHERE deleted_at_ms IS NULL AND collection_id IN (SELECT value FROM json_each(?))`,
    )
    .pluck();
  const countChanges = sqlite.prepare<[], number>('SELECT total_changes()').pluck();

  /** What was found out, until something is written: questions come one after another in the same scope. */
  let known = { changes: -1, resolved: new Map<string, Resolved>(), folders: null as Folders | null };
  function upToDate(): typeof known {
    const changes = countChanges.get() ?? 0;
    if (changes !== known.changes) known = { changes, resolved: new Map(), folders: null };
    return known;
  }

  function folders(): Folders {
    const now = upToDate();
    now.folders ??= foldersOf(selectLocations.all());
    return now.folders;
  }

  function resolve(scope: Scope): Resolved {
    const now = upToDate();
    const key = JSON.stringify(scope);
    const before = now.resolved.get(key);
    if (before) return before;
    const wanted = new Set(scope.places.flatMap((place) => (place.type === 'folder' ? [place.folder] : [])));
    const paths =
      wanted.size === 0 ? [] : [...folders().numUnder.keys()].filter((path) => wanted.has(placeKeyOf(path)));
    const collections = JSON.stringify(
      scope.places.flatMap((place) => (place.type === 'collection' ? [place.collectionId] : [])),
    );
    if (collections !== '[]') paths.push(...selectCollected.all(collections));
    const rows = selectRanges.all({
      isSome: scope.places.length > 0 ? 1 : 0,
      documents: JSON.stringify(scope.places.flatMap((place) => (place.type === 'document' ? [place.documentId] : []))),
      folders: JSON.stringify(paths.map((path) => Object.values(pathsUnder(path)))),
      collections,
      kinds: JSON.stringify(scope.kinds),
      from: scope.changedFromMs ?? -Number.MAX_VALUE,
      before: scope.changedBeforeMs ?? Number.MAX_VALUE,
    });
    const pairs: number[] = [];
    let numPassages = 0;
    for (const { first, last } of rows) {
      if (first === null || last === null) continue;
      numPassages += last - first + 1;
      if (pairs.at(-1) === first - 1) pairs[pairs.length - 1] = last;
      else pairs.push(first, last);
    }
    const resolved = { ranges: Float64Array.from(pairs), counts: { numDocuments: rows.length, numPassages } };
    now.resolved.set(key, resolved);
    return resolved;
  }

  return withStoreErrors(database, {
    folders(others: readonly string[] = []) {
      const { numUnder, listed } = folders();
      const all = new Set([...listed, ...others]);
      return [...all].sort().map((path) => {
        let above = dirname(path);
        while (!all.has(above) && dirname(above) !== above) above = dirname(above);
        return { path, numDocuments: numUnder.get(path) ?? 0, above: all.has(above) && above !== path ? above : null };
      });
    },
    pathOf: (key: PlaceKey) => [...folders().numUnder.keys()].find((path) => placeKeyOf(path) === key) ?? null,
    rangesOf: (scope: Scope) => (isEverything(scope) ? null : resolve(scope).ranges),
    countsOf: (scope: Scope) => resolve(scope).counts,
  });
}

/** `listed`: those that hold files themselves, and those in which branches with files meet; the others say nothing new. */
type Folders = { numUnder: Map<string, number>; listed: string[] };

/** How many files lie in and under each folder, up to the disk's root. */
function foldersOf(locations: readonly string[]): Folders {
  const numIn = new Map<string, number>();
  for (const location of locations) numIn.set(dirname(location), (numIn.get(dirname(location)) ?? 0) + 1);
  const numUnder = new Map<string, number>();
  const branches = new Map<string, Set<string>>();
  for (const [folder, count] of numIn) {
    numUnder.set(folder, (numUnder.get(folder) ?? 0) + count);
    for (let below = folder, above = dirname(folder); above !== below; below = above, above = dirname(above)) {
      if (above === parse(above).root) break;
      numUnder.set(above, (numUnder.get(above) ?? 0) + count);
      branches.set(above, (branches.get(above) ?? new Set()).add(below));
    }
  }
  const listed = [...numUnder.keys()].filter((path) => numIn.has(path) || (branches.get(path)?.size ?? 0) > 1);
  return { numUnder, listed: listed.sort() };
}
