/**
 * Whether the passages found speak of the question at all. One that is too kind lets a small model invent; one that is too
 * strict refuses what the documents hold. The rule: the best passage by meaning is near enough, or the question's rare
 * words stand together in one passage.
 */
import type { Passage } from '../contract/types.ts';
import { coverageOf, gatherEvidence } from './citations.ts';
import { contentWords } from './sentences.ts';

/** Cosine of question and passage. */
const leastSimilarity = 0.35;
/** Share of the question's content words, by weight, in the best stretch of two sentences. */
const leastCoverage = 0.5;

export type Judged = { passage: Passage; similarity: number | null };

export function isRelevant(question: string, found: readonly Judged[]): boolean {
  if (found.some(({ similarity }) => similarity !== null && similarity >= leastSimilarity)) return true;
  const evidence = gatherEvidence(found.map(({ passage }) => passage));
  const words = contentWords(question);
  return evidence.stretches.some((stretches) =>
    stretches.some((stretch) => coverageOf(words, stretch, evidence.weightOf) >= leastCoverage),
  );
}
