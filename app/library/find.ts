/** The library's search: the halves and the reranker that are in use, and what came of them in a window's words. */
import { createRerankPace } from '../../ingest/rerank.ts';
import type { Reranker } from '../../ingest/reranker.ts';
import { type Candidate, type SearchOptions, type SearchResult, search } from '../../ingest/search.ts';
import type { PassageStore, StoredPassage } from '../../ingest/store.ts';
import { toPassage } from '../chats/to-passage.ts';
import type { PassageId, Scope, SearchCandidate, SearchExplanation } from '../contract/types.ts';
import type { Log } from '../outside.ts';
import type { MeaningService } from './meaning.ts';

export type FindParts = {
  store: PassageStore;
  /** The ids of a scope's passages, as `SearchOptions.within`; null for everything. */
  rangesOf?: (scope: Scope) => Float64Array | null;
  meaning: Pick<MeaningService, 'get'>;
  models: { reranker(): Promise<Reranker | null>; noteFailure(error: unknown, thing: Reranker): boolean };
  /** Takes documents whose files are gone out of the search; true if there were any. */
  dropGone?: (documentIds: readonly string[]) => Promise<boolean>;
  /** How long the reranker may take; absent = the search's own limit. */
  rerankDeadlineMs?: number;
  nowMs: () => number;
  log: Log;
};

export type FindOptions = Omit<SearchOptions, 'within'> & { scope?: Scope | null | undefined };
export type Find = (question: string, limit: number, options?: FindOptions) => Promise<SearchResult>;

export function createFind(parts: FindParts): Find {
  const { store, rangesOf, meaning, models, dropGone, rerankDeadlineMs, nowMs, log } = parts;
  const rerankPace = createRerankPace();

  /** Null while none is in use, or when it cannot be loaded: the fused order is good enough to go on with. */
  async function openReranker(): Promise<Reranker | null> {
    try {
      const current = await models.reranker();
      return (
        current && {
          name: current.name,
          async score(question, texts) {
            try {
              return await current.score(question, texts);
            } catch (error) {
              models.noteFailure(error, current); // after its engine's death, the next search opens it anew
              throw error;
            }
          },
        }
      );
    } catch (error) {
      log('warn', 'the reranker cannot be used', { error: String(error) });
      return null;
    }
  }

  return async (question, limit, { scope, ...options } = {}) => {
    const { signal } = options;
    const [meant, reranker] = await Promise.all([meaning.get(), openReranker()]);
    const embedText = (text: string): Promise<Float32Array> => meant!.embedder.embed([text], signal, 'query');
    const dense = meant && { index: meant.index, embedText, embedderId: meant.embedder.id };
    for (let numSearches = 1; ; numSearches++) {
      const searched = { store, dense, reranker, rerankDeadlineMs, rerankPace, nowMs, log };
      // Anew each time: a file that has gone took its passages with it.
      const within = (scope && rangesOf?.(scope)) ?? undefined;
      const found = await search(searched, question, limit, { ...options, within });
      // A file may have gone this moment, or while nobody watched: it must not be cited. What comes in its place is as good.
      const isWhole = !(await dropGone?.([...new Set(found.passages.map(({ documentId }) => documentId))]));
      if (isWhole) return found;
      if (numSearches === mostSearches) return { ...found, passages: [] };
    }
  };
}

/** Where whole folders go while one asks; what is left then is taken out by the watching. */
const mostSearches = 4;

/** Why the passages are what they are, as a window sees it. */
export function toExplanation(query: string, embedder: string | null, found: SearchResult): SearchExplanation {
  const alsoIn = new Map(found.passages.map((passage) => [passage.passageId, passage.alsoIn]));
  const candidates = found.candidates.map((candidate) => toCandidate(candidate, alsoIn.get(candidate.passageId)));
  return { query, embedder, reranking: found.reranking, candidates };
}

function toCandidate(candidate: Candidate, alsoIn: StoredPassage[] = []): SearchCandidate {
  const { passageId, passage, wordScore, similarity, score, rerankScore, outcome, repeats } = candidate;
  return {
    passageId: passageId as PassageId,
    passage: passage && toPassage({ ...passage, score, similarity, wordScore, rerankScore, alsoIn }),
    wordScore,
    similarity,
    score,
    rerankScore,
    outcome,
    ...(repeats ? { repeats: { ...repeats, passageId: repeats.passageId as PassageId } } : {}),
  };
}
