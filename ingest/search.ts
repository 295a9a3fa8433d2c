/**
 * Finding passages for a question: by meaning and by words, fused; the best of them by how closely they have the question's
 * wording too; and where there is a reranker, in its order.
 */
import { othersSaying, readCandidates } from './candidates.ts';
import type { PassageIndex } from './passage-index.ts';
import { createRerankPace, type Reranking, type RerankPace, rerank } from './rerank.ts';
import type { Reranker } from './reranker.ts';
import type { PassageStore, StoredPassage } from './store.ts';
import { wordingOf } from './wording.ts';
import { writingOf } from './writing.ts';

export type SearchParts = {
  store: PassageStore;
  /** The meaning half: null while no embedder is installed. `embedText` gives a vector of unit length. */
  dense: { index: PassageIndex; embedText: (text: string) => Promise<Float32Array>; embedderId?: string } | null;
  /** Absent or null while none is in use. */
  reranker?: Reranker | null;
  /** How long the reranker may take; absent = 5 s. */
  rerankDeadlineMs?: number;
  /** Kept from search to search, so that a slow reranker is asked about fewer. */
  rerankPace?: RerankPace;
  nowMs: () => number;
  log: (level: 'info' | 'warn' | 'error', message: string, details?: Record<string, unknown>) => void;
};

/** How a passage came to its place. */
export type Scores = {
  /** Fused from the two below and the wording: compares passages of one search, and nothing else. */
  score: number;
  /** Cosine of question and passage; null if it was not found by meaning. */
  similarity: number | null;
  /** BM25; null if it was not found by words. */
  wordScore: number | null;
  /** What the reranker says; null if it was not asked about this one. */
  rerankScore: number | null;
};

/** `alsoIn`: passages of other documents that say the same, one of each document. */
export type FoundPassage = StoredPassage & Scores & { alsoIn?: StoredPassage[] };

/** A passage that was looked at, and what became of it. */
export type Candidate = Scores & {
  passageId: number;
  /** Null where it is gone from the store. */
  passage: StoredPassage | null;
  /** `repeats`: another one, which `repeats` names, says the same (fold.ts). `past-limit`: others are better. */
  outcome: 'found' | 'repeats' | 'past-limit' | 'gone';
  repeats?: { passageId: number; likeness: number };
};

export type SearchResult = {
  passages: FoundPassage[];
  /** All that were looked at, best first; with `explain` all that either half found, else as many as were needed. */
  candidates: Candidate[];
  reranking: Reranking;
  /** Whose cosines the similarities are; null where words alone were searched, or nobody said. */
  embedderId: string | null;
  timings: { embedMs: number; searchMs: number };
};

export type SearchOptions = {
  explain?: boolean;
  signal?: AbortSignal;
  /** Only passages with ids in these ranges are looked at, pairs of a first and a last one, ascending; absent = all. */
  within?: Float64Array | undefined;
};

/** Candidates of each half. More add work and, beyond the first tens, next to nothing that ends up in the first ten. */
const minCandidates = 50;
/** Where copies took the places of others, no more than this are looked at. */
const mostCandidates = 2_000;
/**
 * How much a cosine counts against BM25 (as a share of the best). A cosine is taken above that of the last candidate: an
 * embedder that does not know the question's language finds everything about equally near, and so has little to say. What a
 * passage has of the question's wording (0 to 3, `wording.ts`) is added for the first few dozen, and where they are English
 * prose, which all our embedders know, a cosine counts for more. Tuned on half of the articles; test/eval/finding.md has what each
 * part brings, in ten sets.
 */
const meaningWeight = 2.5;
const meaningWeightInEnglish = 6;
/** Whether it is prose, and no rows of tables, is told by as many. */
const numTold = 10;
const numWorded = 40;

/** A person waits. A model of MiniLM's size reads 30 passages of 240 tokens in 1.4 s on two (busy) cores. */
const usualRerankDeadlineMs = 5_000;
const never = new AbortController().signal;

/**
 * The best passages for a question, best first, at most `limit`.
 *
 * Passages come from SQLite: what is gone from there is not found, whatever an index still holds. Of passages that say the
 * same (fold.ts) the best stays, with the others' documents. If the meaning half fails, the words alone answer; if the reranker fails or is late, the fused order
 * stays. Fails only when the signal aborts.
 */
export async function search(
  parts: SearchParts,
  question: string,
  limit: number,
  { explain = false, signal = never, within }: SearchOptions = {},
): Promise<SearchResult> {
  const { store, dense, reranker = null, rerankPace = createRerankPace(), nowMs, log } = parts;
  const numCandidates = Math.max(minCandidates, 2 * limit);

  const startMs = nowMs();
  let embeddedMs = startMs;
  let vector: Float32Array | null = null;
  const nearest = async (numAsked: number): Promise<Hit[]> => {
    try {
      if (!dense) return [];
      if (!vector) {
        vector = await dense.embedText(question);
        embeddedMs = nowMs();
      }
      return await dense.index.search(vector, numAsked, within);
    } catch (error) {
      log('warn', 'the search by meaning failed; words alone are used', { cause: String(error) });
      return [];
    }
  };
  let near = await nearest(numCandidates);
  signal.throwIfAborted();
  const numReranked = reranker ? rerankPace.numPassages(reranker.name) : 0;
  const numWanted = Math.max(limit, numReranked, numWorded);
  let looked: Candidate[];
  for (let numAsked = numCandidates; ; numAsked *= 4) {
    const worded = store.searchWords(question, numAsked, within);
    const order = fuse(near, worded);
    looked = readCandidates(store, order, explain ? order.length : numWanted);
    // Many copies of the same can take all places: then one looks deeper.
    const numFound = looked.filter(({ outcome }) => outcome === 'found').length;
    const isAll = near.length < numAsked && worded.length < numAsked;
    if (numFound >= limit || isAll || numAsked >= mostCandidates) break;
    if (near.length === numAsked) near = await nearest(4 * numAsked);
  }
  signal.throwIfAborted();

  let kept = withWording(
    question,
    looked.filter(({ outcome }) => outcome === 'found'),
    leastSimilarOf(near),
  );
  let reranking: Reranking = { type: 'none' };
  if (reranker && kept.length > 0) {
    const best = kept.slice(0, numReranked);
    const deadlineMs = parts.rerankDeadlineMs ?? usualRerankDeadlineMs;
    const asked = { reranker, question, deadlineMs, signal, nowMs, log };
    const ranked = await rerank(
      best.flatMap(({ passage }) => passage ?? []),
      asked,
    );
    reranking = best.length > 0 ? ranked.reranking : gaveUp(reranker.name);
    rerankPace.note(reranking, deadlineMs);
    const { scores } = ranked;
    if (scores !== null) {
      const scored = best.map((candidate, at) => ({ ...candidate, rerankScore: scores[at]! }));
      scored.sort((a, b) => b.rerankScore - a.rerankScore);
      kept = [...scored, ...kept.slice(numReranked)];
    }
  }
  const candidates = [
    ...kept.map((candidate, at) => (at < limit ? candidate : { ...candidate, outcome: 'past-limit' as const })),
    ...looked.filter(({ outcome }) => outcome !== 'found'),
  ];
  const passages = candidates.flatMap(({ passage, outcome, score, similarity, wordScore, rerankScore }) => {
    if (passage === null || outcome !== 'found') return [];
    const alsoIn = othersSaying(store, passage, looked, within);
    return { ...passage, score, similarity, wordScore, rerankScore, ...(alsoIn.length > 0 ? { alsoIn } : {}) };
  });
  const timings = { embedMs: embeddedMs - startMs, searchMs: nowMs() - embeddedMs };
  return { passages, candidates, reranking, embedderId: dense?.embedderId ?? null, timings };
}

/** A reranker that was too slow before is not asked again. */
function gaveUp(model: string): Reranking {
  return { type: 'given-up', model, why: 'slow', numScored: 0, tookMs: 0 };
}

export type Fused = Scores & { passageId: number };
type Hit = { passageId: number; score: number };

/** The cosine that others are taken above. */
function leastSimilarOf(near: readonly Hit[]): number {
  return near[Math.min(near.length, minCandidates) - 1]?.score ?? 0;
}

/** What the two halves found, best first. */
function fuse(near: readonly Hit[], worded: readonly Hit[]): Fused[] {
  const scores = new Map<number, number>();
  const leastSimilar = leastSimilarOf(near);
  for (const { passageId, score } of near) scores.set(passageId, meaningWeight * Math.max(0, score - leastSimilar));
  const bestWordScore = worded[0]?.score ?? 1;
  for (const { passageId, score } of worded)
    scores.set(passageId, (scores.get(passageId) ?? 0) + (bestWordScore > 0 ? score / bestWordScore : 0));

  const similarities = new Map(near.map(({ passageId, score }) => [passageId, score]));
  const wordScores = new Map(worded.map(({ passageId, score }) => [passageId, score]));
  return [...scores]
    .sort(([a, scoreOfA], [b, scoreOfB]) => scoreOfB - scoreOfA || a - b)
    .map(([passageId, score]) => ({
      passageId,
      score,
      similarity: similarities.get(passageId) ?? null,
      wordScore: wordScores.get(passageId) ?? null,
      rerankScore: null,
    }));
}

/** The first of them in the order of their fused scores and their wording together; the others stay behind them. */
function withWording(question: string, kept: readonly Candidate[], leastSimilar: number): Candidate[] {
  const first = kept.slice(0, numWorded);
  const texts = first.map(({ passage }) => (passage?.heading ? `${passage.heading}\n` : '') + (passage?.text ?? ''));
  const wording = wordingOf(question, texts);
  const knowsIt = isEnglishProse(question, texts.slice(0, numTold));
  const moreMeaning = knowsIt ? meaningWeightInEnglish - meaningWeight : 0;
  const scored = first.map((candidate, at) => {
    const { whole, stretch, pairs } = wording[at]!;
    const meant = moreMeaning * Math.max(0, (candidate.similarity ?? 0) - leastSimilar);
    return { ...candidate, score: candidate.score + meant + whole + stretch + pairs };
  });
  scored.sort((a, b) => b.score - a.score || a.passageId - b.passageId);
  return [...scored, ...kept.slice(numWorded)];
}

/** One row of a table among them is enough: an embedder tells rows apart badly, and their labels do it well. */
function isEnglishProse(question: string, texts: readonly string[]): boolean {
  const found = texts.map((text) => ({ text }));
  return !texts.some((text) => text.includes(' | ')) && writingOf(question, found) === 'english';
}
