/** Passages of question sets as a library that can be searched in memory with the real search: the store's words, exact vectors. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { openDatabase } from '../../app/store/database.ts';
import { createPassageTable } from '../../app/store/passage-table.ts';
import { textToEmbed } from '../../ingest/embedder.ts';
import type { PassageIndex } from '../../ingest/passage-index.ts';
import { type SearchResult, search } from '../../ingest/search.ts';
import type { PassageStore } from '../../ingest/store.ts';
import { fillProfile } from '../../main/fill-profile.ts';
import type { SetPassage } from './collections.ts';
import type { Vectors } from './vectors.ts';

export type EvalLibrary = {
  passages: SetPassage[];
  store: PassageStore;
  /** The app's search. `withMeaning` false: by words alone. */
  find(question: string, limit: number, withMeaning?: boolean): Promise<SearchResult>;
  /** Passages by cosine alone, as places in `passages`, best first. */
  nearest(question: string, limit: number): Promise<number[]>;
  /** Where a passage of the store stands in `passages`. */
  placeOf(passageId: number): number;
  close(): void;
};

/** `withTitles`: a passage's title is its heading, as in `quoth eval retrieval`. */
export async function openLibrary(passages: SetPassage[], vectors: Vectors, withTitles: boolean): Promise<EvalLibrary> {
  const filled = passages.map(({ title, text }) => ({ text, heading: withTitles && title !== '' ? title : null }));
  const rows = await vectors.of(filled.map(textToEmbed), 'passage');
  const profileFolder = fs.mkdtempSync(path.join(os.tmpdir(), 'quoth-eval-'));
  const places = fillProfile(profileFolder, filled);
  const ids = new Map([...places].map(([id, place]) => [place, id]));
  const database = openDatabase({ profileFolder, nowMs: Date.now, log: () => undefined });
  const store = createPassageTable(database);
  const rank = (question: Float32Array, limit: number): { passageId: number; score: number }[] =>
    rows
      .map((row, place) => ({ passageId: ids.get(place)!, score: dot(row, question) }))
      .sort((one, other) => other.score - one.score)
      .slice(0, limit);
  const index = { search: async (vector: Float32Array, limit: number) => rank(vector, limit) } as PassageIndex;
  const embedText = async (text: string): Promise<Float32Array> => (await vectors.of([text], 'query'))[0]!;
  const log = () => undefined;
  return {
    passages,
    store,
    find: (question, limit, withMeaning = true) =>
      search({ store, dense: withMeaning ? { index, embedText } : null, nowMs: Date.now, log }, question, limit),
    nearest: async (question, limit) =>
      rank(await embedText(question), limit).map(({ passageId }) => places.get(passageId)!),
    placeOf: (passageId) => places.get(passageId)!,
    close() {
      database.close();
      fs.rmSync(profileFolder, { recursive: true, force: true });
    },
  };
}

function dot(one: Float32Array, other: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < one.length; i++) sum += one[i]! * other[i]!;
  return sum;
}
