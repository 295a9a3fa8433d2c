/** What is found for a question, why, and what an answer makes of it. */
import { z } from 'zod';
import { box, documentKind, place } from './documents.ts';
import { documentId, passageId } from './ids.ts';

/** A passage of another document that says the same. */
export const twinPassage = z.object({
  passageId,
  documentId,
  title: z.string(),
  source: z.string(),
  kind: documentKind,
  place,
});
export type TwinPassage = z.infer<typeof twinPassage>;

/** A chunk found for a question. */
export const passage = twinPassage.extend({
  text: z.string(),
  score: z.number(),
  /** Of a table on a page: the stretches of `text` that are its cells, and where they stand. A row's label comes first. */
  cells: z.array(z.object({ start: z.number(), endExclusive: z.number(), isLabel: z.boolean(), box })).optional(),
  /** Where else it stands, one place for each other document, at most 20; absent = nowhere. */
  alsoIn: z.array(twinPassage).optional(),
});
export type Passage = z.infer<typeof passage>;

/** How a passage came to its place among those found. */
export const searchCandidate = z.object({
  passageId,
  /** Null where it is gone from the library. */
  passage: passage.nullable(),
  /** BM25; null where the words did not find it. */
  wordScore: z.number().nullable(),
  /** Cosine; null where the meaning did not find it. */
  similarity: z.number().nullable(),
  /** Fused from these two: the first order. */
  score: z.number(),
  /** The reranker's: the last order of the best; null where it was not asked. */
  rerankScore: z.number().nullable(),
  /** `repeats`: another one says the same, so this one is folded into it. `past-limit`: others are better. */
  outcome: z.enum(['found', 'repeats', 'past-limit', 'gone']),
  /** For `repeats`: into which, and the share of runs of three words that both have; 1 for the same words. */
  repeats: z.object({ passageId, likeness: z.number() }).optional(),
});
export type SearchCandidate = z.infer<typeof searchCandidate>;

/** What the reranker did. `given-up`: it was too slow or failed, so the fused order stayed. */
export const reranking = z.discriminatedUnion('type', [
  z.object({ type: z.literal('none') }),
  z.object({ type: z.literal('done'), model: z.string(), numScored: z.number().int(), tookMs: z.number() }),
  z.object({
    type: z.literal('given-up'),
    model: z.string(),
    why: z.enum(['slow', 'failed']),
    numScored: z.number().int(),
    tookMs: z.number(),
  }),
]);

/** Why the passages of a search are what they are. */
export const searchExplanation = z.object({
  /** What was searched for. */
  query: z.string(),
  /** The embedder's name; null where words alone were searched. */
  embedder: z.string().nullable(),
  reranking,
  /** All that either half found: those shown first and in their order. */
  candidates: z.array(searchCandidate),
});
export type SearchExplanation = z.infer<typeof searchExplanation>;

/** A passage the answer points to as `[n]`, with its verbatim words. */
export const citation = z.object({
  n: z.number().int().positive(),
  passageId,
  documentId,
  title: z.string(),
  source: z.string(),
  kind: documentKind,
  place,
  /** Words that stand exactly so in the passage. */
  quote: z.string(),
  /** True when a program has found the quote, letter for letter, in the stored passage. */
  verified: z.boolean(),
  /** Where the quote is a row of a table: the cell in it that the question is about, "June 30, 2023: 7,681". */
  cell: z.string().optional(),
  /** What is to be marked on the page, where it is known: that cell and its row's label, or all of the row. */
  boxes: z.array(box).optional(),
});
export type Citation = z.infer<typeof citation>;

export const answerTimings = z.object({
  retrieveMs: z.number(),
  /** From the question to the first text that is shown: `retrieveMs`, `prefillMs`, and what the first words took. */
  ttftMs: z.number(),
  /** From the prompt's submission to its first token; absent where no model spoke. */
  prefillMs: z.number().optional(),
  decodeTokensPerSecond: z.number(),
  /** Of what the memory could give, while the answer was written; absent where the device does not say what that is. */
  bandwidthFraction: z.number().optional(),
  numPromptTokens: z.number().int(),
  numCachedTokens: z.number().int(),
  numOutputTokens: z.number().int(),
});
export type AnswerTimings = z.infer<typeof answerTimings>;
