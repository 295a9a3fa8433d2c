/**
 * What may follow in a transcript: seconds come in pairs around the words and never go back (Radford et al. 2022, section 4.5, and
 * the rules of its published program, as facts). Works on scores in place: what may not follow gets minus infinity.
 */
import type { Vocabulary } from './vocabulary.ts';

/** A stretch's first words begin within its first second, unless it is silent before. */
const mostStartTimestamp = 50;

/** `said`: what was chosen so far, without the prompt. */
export function applyRules(scores: Float32Array, said: readonly number[], vocabulary: Vocabulary): void {
  const { firstTimestamp, endOfText, noTimestamps, suppressed, suppressedAtStart } = vocabulary;
  const never = Number.NEGATIVE_INFINITY;
  for (const token of suppressed) scores[token] = never;
  scores[noTimestamps] = never;
  if (said.length === 0) {
    for (const token of suppressedAtStart) scores[token] = never;
    scores.fill(never, 0, firstTimestamp);
    scores.fill(never, firstTimestamp + mostStartTimestamp + 1);
    return;
  }
  const isTime = (token: number | undefined): boolean => token !== undefined && token >= firstTimestamp;
  const lastIsTime = isTime(said.at(-1));
  const oneBeforeIsTime = said.length < 2 || isTime(said.at(-2));
  if (lastIsTime && oneBeforeIsTime) scores.fill(never, firstTimestamp);
  else if (lastIsTime) scores.fill(never, 0, endOfText);
  const lastTime = said.findLast(isTime);
  if (lastTime !== undefined) {
    // A segment's end may be the next one's beginning, but it has a length.
    const least = lastIsTime && !oneBeforeIsTime ? lastTime : lastTime + 1;
    scores.fill(never, firstTimestamp, least);
  }
  if (isTimeMoreLikely(scores, firstTimestamp)) scores.fill(never, 0, firstTimestamp);
}

/** Whether all seconds together are likelier than the likeliest word: then it is time for one of them. */
function isTimeMoreLikely(scores: Float32Array, firstTimestamp: number): boolean {
  let bestWord = Number.NEGATIVE_INFINITY;
  for (let token = 0; token < firstTimestamp; token++) if (scores[token]! > bestWord) bestWord = scores[token]!;
  let sum = 0;
  for (let token = firstTimestamp; token < scores.length; token++) sum += Math.exp(scores[token]! - bestWord);
  return sum > 1;
}

/** The logarithms of the probabilities of scores, for one token. */
export function logProbabilityOf(scores: Float32Array, token: number): number {
  let most = Number.NEGATIVE_INFINITY;
  for (const score of scores) if (score > most) most = score;
  let sum = 0;
  for (const score of scores) sum += Math.exp(score - most);
  return scores[token]! - most - Math.log(sum);
}
