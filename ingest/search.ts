/**
 * Finding passages for a question: by meaning and by words, fused.
 */
import type { PassageIndex } from './passage-index.ts';
import type { PassageStore, StoredPassage } from './store.ts';

export type SearchParts = {
  store: PassageStore;
  /** The meaning half: null while no embedder is installed. `embedText` gives a vector of unit length. */
  dense: { index: PassageIndex; embedText: (text: string) => Promise<Float32Array> } | null;
  nowMs: () => number;
  log: (level: 'info' | 'warn' | 'error', message: string, details?: Record<string, unknown>) => void;
};

export type FoundPassage = StoredPassage & {
  /** Fused from the two ranks: compares passages of one search, and nothing else. */
  score: number;
  /** Cosine of question and passage; null if it was not found by meaning. */
  similarity: number | null;
  /** BM25; null if it was not found by words. */
  wordScore: number | null;
};

export type SearchResult = { passages: FoundPassage[]; timings: { embedMs: number; searchMs: number } };

/** Candidates of each half. More add work and, beyond the first tens, next to nothing that ends up in the first ten. */
const minCandidates = 50;
/** Reciprocal rank fusion (Cormack, Clarke and Büttcher, SIGIR 2009): their constant. */
const rankOffset = 60;
const weights = { dense: 1, words: 1 };

/**
 * The best passages for a question, best first, at most `limit`.
 *
 * Passages come from SQLite: what is gone from there is not found, whatever an index still holds. Of passages with the same
 * words the best stays. If the meaning half fails, the words alone answer.
 */
export async function search(parts: SearchParts, question: string, limit: number): Promise<SearchResult> {
  const { store, dense, nowMs, log } = parts;
  const numCandidates = Math.max(minCandidates, 2 * limit);

  const startMs = nowMs();
  let embeddedMs = startMs;
  let near: { passageId: number; score: number }[] = [];
  try {
    if (dense) {
      const vector = await dense.embedText(question);
      embeddedMs = nowMs();
      near = await dense.index.search(vector, numCandidates);
    }
  } catch (error) {
    log('warn', 'the search by meaning failed; words alone are used', { cause: String(error) });
  }
  const worded = store.searchWords(question, numCandidates);

  const scores = new Map<number, number>();
  const addRanks = (found: { passageId: number }[], weight: number) => {
    found.forEach(({ passageId }, rank) => {
      scores.set(passageId, (scores.get(passageId) ?? 0) + weight / (rankOffset + rank + 1));
    });
  };
  addRanks(near, weights.dense);
  addRanks(worded, weights.words);

  const similarities = new Map(near.map(({ passageId, score }) => [passageId, score]));
  const wordScores = new Map(worded.map(({ passageId, score }) => [passageId, score]));
  const order = [...scores.keys()].sort((a, b) => scores.get(b)! - scores.get(a)! || a - b);
  const passages: FoundPassage[] = [];
  const said = new Set<string>();
  // As many at a time as are wanted: most of the candidates need never be read.
  for (let first = 0; first < order.length && passages.length < limit; first += limit)
    for (const passage of store.passages(order.slice(first, first + limit))) {
      const saying = bareText(passage.text);
      if (passages.length === limit || said.has(saying)) continue;
      said.add(saying);
      const { passageId } = passage;
      passages.push({
        ...passage,
        score: scores.get(passageId)!,
        similarity: similarities.get(passageId) ?? null,
        wordScore: wordScores.get(passageId) ?? null,
      });
    }
  return { passages, timings: { embedMs: embeddedMs - startMs, searchMs: nowMs() - embeddedMs } };
}

/**
 * What two passages have in common that say the same, sign for sign: the same file twice, a page's footer. Spaces and
 * capitals do not count. Texts that differ in one word or number are two: that word may be the answer.
 */
function bareText(text: string): string {
  return text.toLowerCase().replace(/\s+/g, ' ').trim();
}
