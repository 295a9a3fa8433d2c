/** Fills a fresh profile with passages that come from no file: for evaluations and benchmarks. */
import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { openDatabase } from '../app/store/database.ts';
import { createDocumentTable } from '../app/store/document-table.ts';
import { createPassageTable } from '../app/store/passage-table.ts';

export type FilledPassage = { heading: string | null; text: string };

/** Passages of one document: a transaction each, small enough to keep the write-ahead log small. */
const documentPassages = 1_000;

/** Writes the passages, without vectors, and gives the place of each by its passage id. The profile is closed after. */
export function fillProfile(profileFolder: string, passages: FilledPassage[]): Map<number, number> {
  const database = openDatabase({ profileFolder, nowMs: Date.now, log: () => undefined });
  try {
    const documents = createDocumentTable(database, { nowMs: Date.now, randomBytes: (size) => randomBytes(size) });
    const store = createPassageTable(database);
    const places = new Map<number, number>();
    for (let first = 0; first < passages.length; first += documentPassages) {
      const name = `part-${first / documentPassages}.txt`;
      const location = path.join(profileFolder, name);
      const source = { type: 'file', path: location, name, sizeBytes: 0, modifiedAtMs: 0 } as const;
      const { id } = documents.insertQueued(source);
      const chunks = passages.slice(first, first + documentPassages).map(({ heading, text }, ordinal) => ({
        ordinal,
        text,
        heading,
        locator: { type: 'paragraph', paragraph: ordinal + 1 } as const,
      }));
      const facts = { title: name, kind: 'text', numPages: null, contentHash: `filled-${first}` } as const;
      const { addedIds } = store.replacePassages(id, chunks, null, facts);
      addedIds.forEach((passageId, index) => {
        places.set(passageId, first + index);
      });
    }
    return places;
  } finally {
    database.close();
  }
}
