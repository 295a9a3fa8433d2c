/** The best candidates in the order of a reranker, or as they were where it cannot say in time. */
import { textToEmbed } from './embedder.ts';
import type { Reranker } from './reranker.ts';
import type { StoredPassage } from './store.ts';

/** What became of the reranking. */
export type Reranking =
  | { type: 'none' }
  | { type: 'done'; model: string; numScored: number; tookMs: number }
  | { type: 'given-up'; model: string; why: 'slow' | 'failed'; tookMs: number };

export type RerankOptions = {
  reranker: Reranker;
  question: string;
  /** After this the passages stay as they were. */
  deadlineMs: number;
  signal: AbortSignal;
  nowMs: () => number;
  log: (level: 'info' | 'warn' | 'error', message: string, details?: Record<string, unknown>) => void;
};

/**
 * Scores of the passages, in their order; null where none can be had in time. Fails only when `signal` aborts.
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
  try {
    const scores = await orAbort(reranker.score(question, passages.map(textToEmbed), ended), ended);
    if (scores.length !== passages.length || !scores.every(Number.isFinite)) throw new Error('a score is no number');
    return { scores, reranking: { type: 'done', model, numScored: scores.length, tookMs: nowMs() - startMs } };
  } catch (error) {
    signal.throwIfAborted();
    const why = late.signal.aborted ? 'slow' : 'failed';
    const tookMs = nowMs() - startMs;
    log('warn', 'the passages stay in their first order', { model, why, tookMs, cause: String(error) });
    return { scores: null, reranking: { type: 'given-up', model, why, tookMs } };
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
