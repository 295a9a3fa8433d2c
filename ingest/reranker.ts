/** Question and passage → how well the one answers the other, over an engine that runs a cross-encoder's plan. */
import type { Engine } from '../native/index.ts';

export type Reranker = {
  /** What people call the model. */
  name: string;
  /** One number a text, higher = better; they compare texts for one question. */
  score(question: string, texts: readonly string[]): Promise<Float32Array>;
};

/** The two texts as one sequence of at most `maxTokens`, the first `firstLength` ids of which are the first text's. */
export type EncodePair = (first: string, second: string, maxTokens: number) => { ids: Int32Array; firstLength: number };

export function createReranker(engine: Engine, encodePair: EncodePair, name: string): Reranker {
  return {
    name,
    async score(question, texts) {
      const pairs = texts.map((text) => encodePair(question, text, engine.info.contextTokens));
      const firstLengths = Int32Array.from(pairs, ({ firstLength }) => firstLength);
      return engine.rerank(
        pairs.map(({ ids }) => ids),
        firstLengths,
      );
    },
  };
}
