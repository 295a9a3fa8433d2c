/**
 * Whether the passages found speak of the question at all. Too kind, and a small model invents; too strict, and Quoth refuses
 * what the documents hold.
 *
 * A logistic model over the signs of a search (`signs.ts`), learned per embedder and kind of writing from questions whose
 * article is in the library and the same questions when it is not, so set that 5 % of the first are refused. An embedder that
 * was not measured has no say: the words alone decide, by coefficients of their own, as they do without an embedder.
 * Questions made to look answerable pass it mostly: they are for the check of the answer. test/eval/finding.md has the figures.
 */

import { type Writing, writingOf } from '../../ingest/writing.ts';
import { calibrations, wordCalibration } from './calibrations.ts';
import { type Sighted, type Signs, signNames, signsOf } from './signs.ts';

/** Log-odds = bias + Σ coefficient × sign; an answer is looked for from `least` on. */
export type Judgement = { bias: number; weights: Readonly<Partial<Signs>>; least: number };
export type Calibration = Readonly<Record<Writing, Judgement>>;

/** The coefficients for an embedder's vectors; null or one that was not measured = for words alone. */
export function calibrationOf(embedderId: string | null): Calibration {
  // An id is the model's name, `@`, and the build it was made by: another build of the same model is near enough.
  return (embedderId === null ? undefined : calibrations[embedderId.split('@')[0]!]) ?? wordCalibration;
}

export function logOddsOf({ bias, weights }: Judgement, signs: Signs): number {
  return signNames.reduce((sum, name) => sum + (weights[name] ?? 0) * signs[name], bias);
}

export function isRelevant(question: string, found: readonly Sighted[], embedderId: string | null): boolean {
  if (found.length === 0) return false;
  // Where nothing was found by meaning (it failed, or vectors are still missing), the words decide.
  const meant = found.some(({ similarity }) => similarity !== null) ? embedderId : null;
  const known = calibrationOf(meant);
  const judged = known === wordCalibration ? found.map((one) => ({ ...one, similarity: null })) : found;
  const judgement = known[writingOf(question, found)];
  return logOddsOf(judgement, signsOf(question, judged)) >= judgement.least;
}
