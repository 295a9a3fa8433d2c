import { describe, expect, it } from 'vitest';
import type { DocumentId, DocumentSummary, PlaceFolder, PlaceKey } from '../../app/contract/types.ts';
import { createArranger, foldersUnder, noFilters, type Sort, sortKeys } from '../../renderer/library/arrange.ts';
import { makeDocument } from '../fakes/app-handlers.ts';

const place = (n: number): PlaceKey => `place_${String(n).padStart(16, '0')}` as PlaceKey;
const listed = (n: number, above: number | null): PlaceFolder => {
  return { folder: place(n), name: `Folder ${n}`, numDocuments: 1, above: above === null ? null : place(above) };
};
const mapOf = (documents: DocumentSummary[]): Map<DocumentId, DocumentSummary> =>
  new Map(documents.map((document) => [document.id, document]));
const titles = (documents: DocumentSummary[]): string[] => documents.map(({ title }) => title);
const byName: Sort = { key: 'name', descending: false };

describe('the order of the rows', () => {
  it('is the same after small changes as when all is sorted anew', () => {
    let seed = 7;
    const random = (below: number): number => {
      seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
      return seed % below;
    };
    const make = (n: number): DocumentSummary =>
      makeDocument(n, {
        title: `Title ${random(30)} ${'é山zA'[random(4)]}`,
        sizeBytes: random(5) * 1000,
        numPages: random(2) === 0 ? null : random(9),
        addedAtMs: random(20),
      });
    const documents = mapOf(Array.from({ length: 400 }, (_, n) => make(n)));
    const arrangers = new Map(sortKeys.map((key) => [key, createArranger('en')]));
    for (let round = 0; round < 60; round++) {
      for (let n = 0; n < 5; n++) {
        const id = makeDocument(random(450)).id;
        if (random(3) === 0) documents.delete(id);
        else documents.set(id, { ...make(Number(id.slice(4))), id });
      }
      const now = new Map(documents);
      for (const key of sortKeys) {
        const sort = { key, descending: round % 2 === 0 };
        const kept = arrangers.get(key)!(now, noFilters, sort, []);
        const anew = createArranger('en')(now, noFilters, sort, []);
        expect(kept.rows.map(({ id }) => id)).toEqual(anew.rows.map(({ id }) => id));
        expect(kept.rows).toHaveLength(now.size);
      }
    }
  });

  it('by name is that of people: numbers count, accents stand beside their letters', () => {
    const all = ['Part 10', 'part 2', 'Zebra', 'Élan', 'Eland'].map((title, n) => makeDocument(n, { title }));
    expect(titles(createArranger('en')(mapOf(all), noFilters, byName, []).rows)).toEqual([
      'Élan',
      'Eland',
      'part 2',
      'Part 10',
      'Zebra',
    ]);
  });
});

describe('what the filters let through', () => {
  const all = [
    makeDocument(1, { title: 'A', kind: 'pdf', folder: place(1), addedAtMs: 10 }),
    makeDocument(2, { title: 'B', kind: 'docx', folder: place(2), addedAtMs: 20, state: 'failed' }),
    makeDocument(3, { title: 'C', kind: 'pdf', folder: place(3), addedAtMs: 30, state: 'reading' }),
    makeDocument(4, { title: 'D', kind: 'youtube', addedAtMs: 40 }),
  ];
  const places = [listed(1, null), listed(2, 1), listed(3, null)];
  const shown = (part: Partial<typeof noFilters>) =>
    createArranger('en')(mapOf(all), { ...noFilters, ...part }, byName, places);

  it('is all of them together', () => {
    expect(titles(shown({ kinds: ['pdf'] }).rows)).toEqual(['A', 'C']);
    expect(titles(shown({ folder: place(1) }).rows)).toEqual(['A', 'B']);
    expect(titles(shown({ addedFromMs: 20, addedBeforeMs: 40 }).rows)).toEqual(['B', 'C']);
    expect(titles(shown({ addedFromMs: 20, state: 'problem' }).rows)).toEqual(['B']);
    expect(titles(shown({ words: 'a', kinds: ['docx'] }).rows)).toEqual([]);
  });

  it('is counted by state before a state is chosen', () => {
    expect(shown({ state: 'ready' }).counts).toEqual({ all: 4, ready: 2, working: 1, problem: 1 });
    expect(shown({ kinds: ['pdf'], state: 'ready' }).counts).toEqual({ all: 2, ready: 1, working: 1, problem: 0 });
  });

  it('of a folder is what lies below, however deep, and one that is not listed is itself', () => {
    const deep = [listed(1, null), listed(2, 1), listed(3, 2), listed(4, null)];
    expect([...foldersUnder(place(1), deep)].sort()).toEqual([place(1), place(2), place(3)]);
    expect([...foldersUnder(place(9), deep)]).toEqual([place(9)]);
  });
});
