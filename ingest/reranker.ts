/** Question and passage → how well the one answers the other, over an engine that runs a cross-encoder's plan. */
import type { Engine } from '../native/index.ts';

export type Reranker = {
  /** What people call the model. */
  name: string;
  /** One number a text, higher = better; they compare texts for one question. Stops between batches when the signal says so. */
  score(question: string, texts: readonly string[], signal: AbortSignal): Promise<Float32Array>;
};

/** The two texts as one sequence of at most `maxTokens`, the first `firstLength` ids of which are the first text's. */
export type EncodePair = (first: string, second: string, maxTokens: number) => { ids: Int32Array; firstLength: number };

/** One call to the engine: a cancel, and a question's vector, wait for no more than these. */
const pairsOfBatch = 4;

export function createReranker(engine: Engine, encodePair: EncodePair, name: string): Reranker {
  return {
    name,
    async score(question, texts, signal) {
      const scores = new Float32Array(texts.length);
      for (let first = 0; first < texts.length; first += pairsOfBatch) {
        signal.throwIfAborted();
        const pairs = texts
          .slice(first, first + pairsOfBatch)
          .map((text) => encodePair(question, text, engine.info.contextTokens));
        const firstLengths = Int32Array.from(pairs, ({ firstLength }) => firstLength);
        scores.set(
          await engine.rerank(
            pairs.map(({ ids }) => ids),
            firstLengths,
          ),
          first,
        );
      }
      return scores;
    },
  };
}
