/**
 * BM25 over the word index, within a time that does not grow with the library.
 *
 * FTS5 takes 0.8 µs for each passage that it ranks, and 0.07 µs for one that it only names; it walks through all passages of
 * each word to weigh it. A word of half of 1,000,000 passages costs 0.5 s so, and says nothing. So the rarest words of a
 * question are ranked, as many as stand in `mostRanked` places together; the commoner ones count where they stand with the
 * weight that they have once in a passage of usual length, as many as stand in `mostNamed`; those that are commoner still are
 * left out. In a library where all words of the question have room the ranking is BM25 itself. What the shortening does to the
 * ranking of 1,000,000: test/bench/scale/README.md.
 */
import type Sqlite from 'better-sqlite3';
import { anyOf, questionWords } from './words.ts';

type Hit = { passageId: number; score: number };

/** How much of the word index one search may read. 10,000 places ranked took 8 ms, 60,000 named 4 ms. */
export type WordLimits = { mostRanked: number; mostNamed: number };
const usualLimits: WordLimits = { mostRanked: 10_000, mostNamed: 60_000 };
/** Where every word of a question is too common, passages with so many of the rarest together are looked for first. */
const mostTogether = 4;
/** What a word of half of the passages, or more, still weighs: enough to tell two that are else alike. */
const leastWeight = 0.001;
/** In a part of the library a word may stand so many times as often as elsewhere, and a little more. */
const skew = 4;
const fewPlaces = 100;
/** Between the first and the last passage's id: 4 bytes for each are kept. */
const mostApart = 50_000_000;
/** The number of passages is counted again when so much of it may have changed: the counting itself takes milliseconds. */
const staleShare = 0.05;

export type WordSearch = (query: string, limit: number, within?: Float64Array) => Hit[];

export function createWordSearch(sqlite: Sqlite.Database, limits: WordLimits = usualLimits): WordSearch {
  const { mostRanked, mostNamed } = limits;
  const select = `SELECT rowid AS passageId, -rank AS score FROM passage_words
    WHERE passage_words MATCH @query AND rank MATCH 'bm25(1.0, 0.5)'`;
  const selectRanked = sqlite.prepare<[{ query: string; limit: number }], Hit>(`${select} ORDER BY rank LIMIT @limit`);
  const selectAllRanked = sqlite
    .prepare<[Bounded], [passageId: number, score: number]>(`${select} AND rowid BETWEEN @first AND @last`)
    .raw();
  const selectNamed = sqlite
    .prepare<[Bounded], number>(
      'SELECT rowid FROM passage_words WHERE passage_words MATCH @query AND rowid BETWEEN @first AND @last',
    )
    .pluck();
  const selectSome = sqlite
    .prepare<[Bounded & { limit: number }], number>(
      `SELECT rowid FROM passage_words WHERE passage_words MATCH @query AND rowid BETWEEN @first AND @last LIMIT @limit`,
    )
    .pluck();
  const countPlaces = sqlite
    .prepare<[Bounded & { limit: number }], number>(
      `SELECT count(*) FROM (SELECT 1 FROM passage_words
         WHERE passage_words MATCH @query AND rowid BETWEEN @first AND @last LIMIT @limit)`,
    )
    .pluck();
  // Two statements: SQLite takes either end from the tree, but not both at once.
  const selectFirstId = sqlite.prepare<[], number | null>('SELECT min(id) FROM passages').pluck();
  const selectLastId = sqlite.prepare<[], number | null>('SELECT max(id) FROM passages').pluck();
  const countPassages = sqlite.prepare<[], number>('SELECT count(*) FROM passages').pluck();

  const library = { lastId: 0, numPassages: 0, numChanges: -1, counts: new Map<string, number>() };
  const countChanges = sqlite.prepare<[], number>('SELECT total_changes()').pluck();
  /** By passage id above the first one's; all 0 between two searches. */
  let scores = new Float32Array(0);

  /** How large the library is, about; and how often its common words stand in it. */
  function upToDate(): typeof library {
    const numChanges = countChanges.get() ?? 0;
    const numRows = Math.abs(numChanges - library.numChanges);
    if (library.numChanges >= 0 && numRows <= staleShare * library.numPassages) return library;
    const numPassages = countPassages.get() ?? 0;
    Object.assign(library, { numPassages, numChanges, counts: new Map() });
    return library;
  }

  /** In how many passages of all a word stands; `mostNamed` + 1 for any more. */
  function countOf(word: string): number {
    const { counts } = upToDate();
    const known = counts.get(word);
    if (known !== undefined) return known;
    const bounds = { first: 1, last: Number.MAX_SAFE_INTEGER, limit: mostNamed + 1 };
    const count = countPlaces.get({ query: anyOf([word]), ...bounds }) ?? 0;
    // Rare words are counted fast, and there are many of them.
    if (count > 1000) counts.set(word, count);
    return count;
  }

  /** The best of some passages, by their scores; these are 0 afterwards. */
  function takeBest(touched: readonly number[], firstId: number, limit: number, within?: Float64Array): Hit[] {
    const best: Hit[] = [];
    let least = 0;
    for (const passageId of touched) {
      const score = scores[passageId - firstId]!;
      if (score === 0) continue; // seen before
      scores[passageId - firstId] = 0;
      if (score <= least || (within && !holds(within, passageId))) continue;
      best.push({ passageId, score });
      if (best.length < 4 * limit) continue;
      best.sort(byScore).length = limit;
      least = best[limit - 1]!.score;
    }
    return best.sort(byScore).slice(0, limit);
  }

  /** Some passages with the rarest words together: nothing tells them apart but that. */
  function someOf(
    words: readonly string[],
    bounds: Omit<Bounded, 'query'>,
    limit: number,
    within?: Float64Array,
  ): Hit[] {
    for (let together = Math.min(mostTogether, words.length); together > 0; together--) {
      const all = words.slice(0, together).map((word) => anyOf([word]));
      const ids = selectSome.all({ query: all.join(' AND '), ...bounds, limit: within ? mostNamed : limit });
      const inside = within ? ids.filter((id) => holds(within, id)).slice(0, limit) : ids;
      if (inside.length > 0) return inside.map((passageId) => ({ passageId, score: together }));
    }
    return [];
  }

  return (query, limit, within) => {
    const found = questionWords(query);
    if (found.length === 0 || limit === 0 || within?.length === 0) return [];
    const { numPassages } = upToDate();
    if (!within && found.length * numPassages <= mostRanked) return selectRanked.all({ query: anyOf(found), limit });

    const bounds = { first: within?.[0] ?? 1, last: within?.at(-1) ?? Number.MAX_SAFE_INTEGER };
    const firstId = selectFirstId.get() ?? 0;
    const lastId = selectLastId.get() ?? 0;
    const span = bounds.last - bounds.first + 1;
    const spanShare = Math.min(1, span / (lastId - firstId + 1));
    const counted = found.map((word): Counted => {
      const count = countOf(word);
      // Counting anew would take as long as it may spare. A word may be common where it is asked for.
      const numPlaces = Math.min(count, span, Math.ceil(skew * spanShare * count) + fewPlaces);
      return { word, count, numPlaces };
    });
    const rarestFirst = counted.filter(({ count }) => count > 0).sort((a, b) => a.count - b.count);
    const { ranked, named } = share(rarestFirst, limits);
    if (ranked.length + named.length === 0) {
      const words = rarestFirst.map(({ word }) => word);
      return someOf(words, bounds, limit, within);
    }
    if (!within && named.length === 0 && ranked.length > 0)
      return selectRanked.all({ query: anyOf(ranked.map(({ word }) => word)), limit });

    // Ids are never used twice, so they lie apart where much was read anew; then the ranked words alone must do.
    if (lastId - firstId >= mostApart)
      return selectAllRanked
        .all({ query: anyOf((ranked.length > 0 ? ranked : named.slice(0, 1)).map(({ word }) => word)), ...bounds })
        .map(([passageId, score]) => ({ passageId, score }))
        .filter(({ passageId }) => !within || holds(within, passageId))
        .sort(byScore)
        .slice(0, limit);
    if (scores.length <= lastId - firstId) scores = new Float32Array(Math.ceil(1.2 * (lastId - firstId)) + 1);
    const touched: number[] = [];
    if (ranked.length > 0) {
      const query = anyOf(ranked.map(({ word }) => word));
      for (const [passageId, score] of selectAllRanked.all({ query, ...bounds })) {
        scores[passageId - firstId] = score;
        touched.push(passageId);
      }
    }
    for (const { word, count } of named) {
      // As FTS5 weighs a word; a passage of usual length that has it once gets just this.
      const weight = Math.max(leastWeight, Math.log((numPassages - count + 0.5) / (count + 0.5)));
      for (const passageId of selectNamed.all({ query: anyOf([word]), ...bounds })) {
        if (scores[passageId - firstId] === 0) touched.push(passageId);
        scores[passageId - firstId]! += weight;
      }
    }
    return takeBest(touched, firstId, limit, within);
  };
}

type Bounded = { query: string; first: number; last: number };
type Counted = { word: string; count: number; numPlaces: number };

/** Which words are ranked, and which only named: the rarest first, as long as there is room. */
function share(
  rarestFirst: readonly Counted[],
  { mostRanked, mostNamed }: WordLimits,
): { ranked: Counted[]; named: Counted[] } {
  const ranked: Counted[] = [];
  const named: Counted[] = [];
  let numRanked = 0;
  let numNamed = 0;
  for (const one of rarestFirst) {
    if (
      named.length === 0 &&
      // Also in a part of the library FTS5 walks through all places of a word.
      one.count <= mostNamed &&
      // A word that is asked for alone is ranked also where it is common.
      numRanked + one.numPlaces <= (rarestFirst.length === 1 ? mostNamed : mostRanked)
    ) {
      ranked.push(one);
      numRanked += one.numPlaces;
    } else if (one.count <= mostNamed && numNamed + one.numPlaces <= mostNamed) {
      named.push(one);
      numNamed += one.numPlaces;
    }
  }
  return { ranked, named };
}

function byScore(a: Hit, b: Hit): number {
  return b.score - a.score || a.passageId - b.passageId;
}

/** Whether an id lies in one of the ranges, pairs of a first and a last one, ascending. */
export function holds(ranges: Float64Array, id: number): boolean {
  let low = 0;
  let high = ranges.length / 2;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ranges[2 * middle + 1]! < id) low = middle + 1;
    else high = middle;
  }
  return 2 * low < ranges.length && ranges[2 * low]! <= id;
}
