import path from 'node:path';
import { describe, expect, test } from 'vitest';
import type { DocumentKind, Scope } from '../../../app/contract/types.ts';
import { createScopeTable, placeKeyOf } from '../../../app/store/scope-table.ts';
import { createWordSearch } from '../../../app/store/word-search.ts';
import { chunksOf, createProfile, facts, openStore } from './profile.ts';

const day = 86_400_000;
const everything: Scope = { places: [], kinds: [], changedFromMs: null, changedBeforeMs: null };
const folder = (at: string): Scope['places'][number] => ({
  type: 'folder',
  folder: placeKeyOf(path.resolve('/files', at)),
  name: at,
});

function openScene() {
  const store = openStore(createProfile());
  const scopes = createScopeTable(store.database);
  function add(name: string, { kind = 'text' as DocumentKind, modifiedAtMs = 0, numPassages = 3 } = {}) {
    const at = path.resolve('/files', name);
    const source = { type: 'file' as const, path: at, name: path.basename(at), sizeBytes: 1, modifiedAtMs };
    const { id } = store.documents.insertQueued(source);
    const texts = Array.from({ length: numPassages }, (_, i) => `the cat number${i} of ${name}`);
    const { addedIds } = store.passages.replacePassages(id, chunksOf(texts), null, { ...facts, kind });
    return { id, addedIds, place: { type: 'document' as const, documentId: id, name } };
  }
  const idsOf = (scope: Partial<Scope>): number[] => {
    const pairs = scopes.rangesOf({ ...everything, ...scope })!;
    return Array.from({ length: pairs.length / 2 }, (_, i) => i).flatMap((i) =>
      Array.from({ length: pairs[2 * i + 1]! - pairs[2 * i]! + 1 }, (_, k) => pairs[2 * i]! + k),
    );
  };
  return { ...store, scopes, add, idsOf };
}

describe('a scope', () => {
  test('of folders holds what lies in them and below, and nothing whose name only begins like theirs', () => {
    const { add, idsOf } = openScene();
    const a = add('work/a.txt');
    const b = add('work/deep 山田/b.txt');
    add('work2/c.txt');
    add('workshop.txt');
    const d = add("%_'x/d.txt");
    expect(idsOf({ places: [folder('work')] })).toEqual([...a.addedIds, ...b.addedIds]);
    expect(idsOf({ places: [folder('work/deep 山田')] })).toEqual(b.addedIds);
    expect(idsOf({ places: [folder("%_'x"), folder('work/deep 山田')] })).toEqual([...b.addedIds, ...d.addedIds]);
    expect(idsOf({ places: [folder('nowhere')] })).toEqual([]);
  });

  test('of documents, kinds and times holds what is all of these', () => {
    const { add, idsOf, scopes } = openScene();
    const old = add('old.pdf', { kind: 'pdf', modifiedAtMs: 10 * day });
    const fresh = add('fresh.pdf', { kind: 'pdf', modifiedAtMs: 20 * day });
    const note = add('note.txt', { modifiedAtMs: 20 * day });
    expect(idsOf({ kinds: ['pdf'] })).toEqual([...old.addedIds, ...fresh.addedIds]);
    expect(idsOf({ kinds: ['pdf'], changedFromMs: 15 * day })).toEqual(fresh.addedIds);
    expect(idsOf({ changedBeforeMs: 20 * day })).toEqual(old.addedIds);
    expect(idsOf({ places: [old.place, note.place], changedFromMs: 20 * day })).toEqual(note.addedIds);
    expect(idsOf({ kinds: ['email'] })).toEqual([]);
    expect(scopes.rangesOf(everything)).toBeNull();
    expect(scopes.countsOf({ ...everything, kinds: ['pdf'] })).toEqual({ numDocuments: 2, numPassages: 6 });
  });

  test('follows the library: what is added, read anew or removed', () => {
    const { add, idsOf, documents } = openScene();
    const a = add('work/a.txt');
    expect(idsOf({ places: [folder('work')] })).toEqual(a.addedIds);
    const b = add('work/b.txt');
    expect(idsOf({ places: [folder('work')] })).toEqual([...a.addedIds, ...b.addedIds]);
    const again = add('work/a.txt', { numPassages: 5 });
    expect(idsOf({ places: [folder('work')] })).toEqual([...b.addedIds, ...again.addedIds]);
    documents.remove(b.id);
    expect(idsOf({ places: [folder('work')] })).toEqual(again.addedIds);
    documents.setState(a.id, 'reading');
    expect(idsOf({ places: [folder('work')] })).toEqual([]);
  });

  test('can be chosen from the folders with files in them, and those where such folders meet', () => {
    const { add, scopes } = openScene();
    add('work/2023/a.txt');
    add('work/2024/b.txt');
    add('work/2024/c.txt');
    add('home/letters/d.txt');
    const shown = scopes
      .folders()
      .map(({ path: at, numDocuments }) => [path.relative(path.resolve('/files'), at), numDocuments]);
    expect(shown).toEqual([
      ['', 4],
      ['home/letters'.replaceAll('/', path.sep), 1],
      ['work', 3],
      ['work/2023'.replaceAll('/', path.sep), 1],
      ['work/2024'.replaceAll('/', path.sep), 2],
    ]);
  });
});

describe('words within a scope', () => {
  test('are those of its passages only, best first, however many others there are', () => {
    const { passages, documents, scopes } = openScene();
    const adding = (name: string, texts: string[]) => {
      const at = path.resolve('/files', name);
      const { id } = documents.insertQueued({ type: 'file', path: at, name, sizeBytes: 1, modifiedAtMs: 0 });
      return passages.replacePassages(id, chunksOf(texts), null, facts).addedIds;
    };
    adding(
      'big/one.txt',
      Array.from({ length: 9000 }, (_, i) => `the cat and the dog of house${i}`),
    );
    const small = adding('small/two.txt', ['a cat', 'the dog sleeps', 'the cat and the mouse', 'nothing']);
    adding(
      'big/three.txt',
      Array.from({ length: 9000 }, (_, i) => `the cat and the mouse of house${i}`),
    );
    const within = scopes.rangesOf({ ...everything, places: [folder('small')] })!;
    const found = passages.searchWords('the cat and the mouse', 10, within).map(({ passageId }) => passageId);
    expect(found[0]).toBe(small[2]);
    expect(new Set(found)).toEqual(new Set(small.slice(0, 3)));
    expect(passages.searchWords('house8', 10, within)).toEqual([]);
    expect(passages.searchWords('cat', 10, new Float64Array(0))).toEqual([]);
    // Ranges that lie far apart.
    const first = passages.searchWords('house7 mouse', 1)[0]!.passageId;
    const apart = Float64Array.of(1, 5, small[0]!, small[3]!, first, first);
    expect(passages.searchWords('the mouse of house7', 3, apart)[0]!.passageId).toBe(first);
  });

  test('are found within any limits, and the rarest count most', () => {
    const { passages, documents, database } = openScene();
    const { id } = documents.insertQueued({ type: 'file', path: '/files/x', name: 'x', sizeBytes: 1, modifiedAtMs: 0 });
    const texts = Array.from(
      { length: 600 },
      (_, i) => `the ${i % 2 ? 'red' : 'blue'} ${i % 3 ? 'car' : 'house'} n${i % 60}`,
    );
    const { addedIds } = passages.replacePassages(id, chunksOf(texts), null, facts);
    const find = (query: string, mostRanked: number, mostNamed: number, within?: Float64Array) =>
      createWordSearch(database.sqlite, { mostRanked, mostNamed })(query, 20, within).map(
        ({ passageId }) => texts[addedIds.indexOf(passageId)]!,
      );
    const query = 'the red house of n33';
    const exact = find(query, 100_000, 0);
    expect(exact.slice(0, 10)).toEqual(new Array(10).fill('the red house n33'));
    // n33 is ranked, "house" named; n33 named alone; nothing has room.
    for (const [mostRanked, mostNamed] of [
      [50, 250],
      [0, 50],
      [0, 5],
    ] as const)
      expect(find(query, mostRanked, mostNamed).slice(0, 10)).toEqual(exact.slice(0, 10));
    const together = find('the red house', 0, 5);
    expect(together).toHaveLength(20);
    expect(together.every((text) => text.startsWith('the red house'))).toBe(true);
    expect(find('the', 0, 5)).toHaveLength(20);
    expect(find('the blue', 0, 5, Float64Array.of(addedIds[0]!, addedIds[2]!))).toEqual([texts[0], texts[2]]);
    expect(find('nowhere', 0, 5)).toEqual([]);
  });

  test('are found where ids begin high, as in a database that was made anew, and where they lie far apart', () => {
    const { passages, documents, database } = openScene();
    const texts = Array.from({ length: 300 }, (_, i) => `the ${i % 3 ? 'car' : 'house'} n${i}`);
    const add = (name: string, startAfter: number) => {
      database.sqlite.prepare("UPDATE sqlite_sequence SET seq = ? WHERE name = 'passages'").run(startAfter);
      const { id } = documents.insertQueued({ type: 'file', path: name, name, sizeBytes: 1, modifiedAtMs: 0 });
      return passages.replacePassages(id, chunksOf(texts), null, facts).addedIds;
    };
    const find = (ids: number[]) => {
      const search = createWordSearch(database.sqlite, { mostRanked: 20, mostNamed: 900 });
      expect(search('the house n33', 5)[0]!.passageId).toBe(ids[33]);
      expect(search('the house n34', 5)[0]!.passageId).toBe(ids[34]);
    };
    const first = add('/files/first', 0);
    documents.remove(documents.findByLocation('/files/first')!.id);
    expect(first[0]).toBe(1);
    const high = add('/files/high', 1_760_000_000);
    expect(high[0]).toBe(1_760_000_001);
    find(high);
    documents.remove(documents.findByLocation('/files/high')!.id);
    add('/files/apart', 1_760_001_000);
    find(add('/files/far apart', 1_860_000_000).map((_, i) => 1_760_001_001 + i));
  });

  test('a common word alone finds, and so do common words together', () => {
    const { passages, documents } = openScene();
    const { id } = documents.insertQueued({ type: 'file', path: '/files/x', name: 'x', sizeBytes: 1, modifiedAtMs: 0 });
    const texts = Array.from(
      { length: 20_000 },
      (_, i) => `the ${i % 2 ? 'red' : 'blue'} ${i % 3 ? 'car' : 'house'} again`,
    );
    const { addedIds } = passages.replacePassages(id, chunksOf(texts), null, facts);
    expect(passages.searchWords('red', 50)).toHaveLength(50);
    expect(passages.searchWords('the', 5)).toHaveLength(5);
    const found = passages.searchWords('the red house', 50).map(({ passageId }) => texts[addedIds.indexOf(passageId)]);
    expect(new Set(found)).toEqual(new Set(['the red house again']));
  });
});
