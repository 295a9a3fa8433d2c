/** Text → vectors, over an engine that runs an embedder's plan and the tokenizer that belongs to it. */
import type { Engine } from '../native/index.ts';
import type { Chunk } from './source.ts';

export type Embedder = {
  /** Vectors of different ids cannot be compared: the model with its version. */
  id: string;
  /** Length of a vector. */
  dimension: number;
  /** The longest sequence, special tokens included, a passage's prompt not; longer texts are cut. */
  maxTokens: number;
  /** Tokens of a text, without special ones. */
  countTokens(text: string): number;
  /**
   * Unit vectors, [texts.length, dimension]: of passages, or of questions, which some models tell apart by what goes before
   * them. Stops between batches when the signal says so.
   */
  embed(texts: readonly string[], signal?: AbortSignal, as?: 'passage' | 'query'): Promise<Float32Array>;
};

/** What goes before a question and before a passage, as the model was taught; '' = nothing. */
export type EmbedderPrompts = { readonly query: string; readonly passage: string };

/** What is needed of a tokenizer. `encode` gives ids without special tokens. */
export type EmbedderTokenizer = {
  encode(text: string): ArrayLike<number>;
  /** Ids that stand before and after every text: [CLS] and [SEP] for BERT. */
  prefixIds: readonly number[];
  suffixIds: readonly number[];
};

/** One call to the engine: large enough to fill it, small enough that a cancel is felt within a second on two cores. */
const textsOfBatch = 16;

export function createEmbedder(
  engine: Engine,
  tokenizer: EmbedderTokenizer,
  id: string,
  prompts: EmbedderPrompts = { query: '', passage: '' },
): Embedder {
  const dimension = engine.info.embeddingSize;
  const maxTokens = engine.info.contextTokens;
  const numSpecial = tokenizer.prefixIds.length + tokenizer.suffixIds.length;
  const promptTokens = tokenizer.encode(prompts.passage).length;
  const sequenceOf = (text: string) => {
    const ids = Array.from(tokenizer.encode(text)).slice(0, maxTokens - numSpecial);
    return Int32Array.from([...tokenizer.prefixIds, ...ids, ...tokenizer.suffixIds]);
  };
  return {
    id,
    dimension,
    maxTokens: maxTokens - promptTokens,
    countTokens: (text) => tokenizer.encode(text).length,
    async embed(texts, signal, as = 'passage') {
      const vectors = new Float32Array(texts.length * dimension);
      for (let first = 0; first < texts.length; first += textsOfBatch) {
        signal?.throwIfAborted();
        const batch = texts.slice(first, first + textsOfBatch);
        const block = await engine.embed(batch.map((text) => sequenceOf(prompts[as] + text)));
        vectors.set(block, first * dimension);
      }
      return vectors;
    },
  };
}

/** What of a chunk is embedded: its heading says what a bare paragraph leaves out. Used for old and new chunks alike. */
export function textToEmbed(chunk: Pick<Chunk, 'text' | 'heading'>): string {
  return chunk.heading === null || chunk.text.startsWith(chunk.heading)
    ? chunk.text
    : `${chunk.heading}\n${chunk.text}`;
}

/**
 * Tokens of a text where no tokenizer is installed: a run of letters makes one token for each five begun, a Chinese, Japanese
 * or Korean character and a mark one each. Too high rather than too low: against MiniLM's own count 4 % on a Japanese
 * novel, 14 % on an English one, 31 % on a filing full of figures.
 */
export function estimateTokens(text: string): number {
  let numTokens = 0;
  for (const [run] of text.matchAll(
    /[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[\p{L}\p{M}]+|\p{N}{1,3}|[^\s\p{L}\p{N}]/gu,
  ))
    numTokens += /^\p{L}/u.test(run) && run.length > 1 ? Math.ceil(run.length / 5) : 1;
  return numTokens;
}
