/** The best candidates in the order of a reranker, or as they were where it cannot say in time. */
import { textToEmbed } from './embedder.ts';
import type { Reranker } from './reranker.ts';
import type { StoredPassage } from './store.ts';

/** What became of the reranking. */
export type Reranking =
  | { type: 'none' }
  | { type: 'done'; model: string; numScored: number; tookMs: number }
  | { type: 'given-up'; model: string; why: 'slow' | 'failed'; numScored: number; tookMs: number };

export type RerankOptions = {
  reranker: Reranker;
  question: string;
  /** After this the passages stay as they were. */
  deadlineMs: number;
  signal: AbortSignal;
  nowMs: () => number;
  log: (level: 'info' | 'warn' | 'error', message: string, details?: Record<string, unknown>) => void;
};

/** One call to the engine: a cancel, and another question's vector, wait for no more than these. */
const passagesOfBatch = 4;

/**
 * Scores of the passages, in their order; null where they cannot all be had in time. Fails only when `signal` aborts.
 */
export async function rerank(
  passages: readonly StoredPassage[],
  { reranker, question, deadlineMs, signal, nowMs, log }: RerankOptions,
): Promise<{ scores: Float32Array | null; reranking: Reranking }> {
  const startMs = nowMs();
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), deadlineMs);
  const ended = AbortSignal.any([signal, late.signal]);
  const model = reranker.name;
  const scores = new Float32Array(passages.length);
  let numScored = 0;
  try {
    while (numScored < passages.length) {
      const texts = passages.slice(numScored, numScored + passagesOfBatch).map(textToEmbed);
      const found = await orAbort(reranker.score(question, texts), ended);
      if (found.length !== texts.length || !found.every(Number.isFinite)) throw new Error('a score is no number');
      scores.set(found, numScored);
      numScored += texts.length;
    }
    return { scores, reranking: { type: 'done', model, numScored, tookMs: nowMs() - startMs } };
  } catch (error) {
    signal.throwIfAborted();
    const why = late.signal.aborted ? 'slow' : 'failed';
    const tookMs = nowMs() - startMs;
    const details = { model, why, numScored, tookMs, cause: String(error) };
    log('warn', 'the passages stay in their first order', details);
    return { scores: null, reranking: { type: 'given-up', model, why, numScored, tookMs } };
  } finally {
    clearTimeout(timer);
  }
}

/** What runs on in the engine ends by itself after its batch; nobody waits for it. */
function orAbort<Result>(work: Promise<Result>, signal: AbortSignal): Promise<Result> {
  return new Promise((resolve, reject) => {
    const leave = (): void => reject(signal.reason);
    if (signal.aborted) leave();
    signal.addEventListener('abort', leave, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', leave));
  });
}

/** How many passages a reranker is asked about, learnt from how many it managed in time. */
export type RerankPace = {
  numPassages(model: string): number;
  note(reranking: Reranking, deadlineMs: number): void;
};

/** The most that are worth it: each costs as much as embedding it again. */
const mostPassages = 30;

/**
 * A large model on a small machine orders the best few, instead of making each question wait for nothing: after a late one
 * it is asked about three quarters of what it managed; where it managed none twice, no more.
 */
export function createRerankPace(): RerankPace {
  let of = { model: '', numPassages: mostPassages, numFruitless: 0 };
  return {
    numPassages(model) {
      if (of.model !== model) of = { model, numPassages: mostPassages, numFruitless: 0 };
      return of.numFruitless < 2 ? of.numPassages : 0;
    },
    note(reranking, deadlineMs) {
      if (reranking.type === 'done') {
        of.numFruitless = 0;
        if (reranking.tookMs < deadlineMs / 3) of.numPassages = Math.min(mostPassages, 2 * of.numPassages);
      } else if (reranking.type === 'given-up' && reranking.why === 'slow') {
        of.numFruitless = reranking.numScored === 0 ? of.numFruitless + 1 : 0;
        of.numPassages = Math.max(passagesOfBatch, Math.floor(reranking.numScored * 0.75));
      }
    },
  };
}
