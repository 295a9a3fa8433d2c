/**
 * Tells when a model has left its passages. A small one answers in its first sentence and then wanders until it is stopped:
 * two sentences in a row without support, or one that was said before, and the answer ends at what was supported; where
 * nothing was, at its last whole sentence.
 */
import type { Passage } from '../contract/types.ts';
import { findSupport, gatherEvidence, stemsOf } from './citations.ts';
import { contentWords, splitSentences } from './sentences.ts';

const maxUnsupported = 2;

/** Given all that was said so far: null, or the text to keep when it is time to stop. */
export type WanderGuard = (text: string) => string | null;

export function createWanderGuard(question: string, passages: Passage[]): WanderGuard {
  const evidence = gatherEvidence(passages);
  const questionStems = stemsOf(question);
  const said = new Set<string>();
  let numJudged = 0;
  let numUnsupported = 0;
  /** Where the last supported sentence ends; 0 = none yet. */
  let goodEnd = 0;
  return (text) => {
    // The last sentence is still being said.
    for (const { text: sentence, endExclusive } of splitSentences(text).slice(numJudged, -1)) {
      numJudged += 1;
      const words = contentWords(sentence);
      if (words.length === 0) continue;
      const key = words.map(({ stem }) => stem).join(' ');
      const repeated = said.has(key);
      said.add(key);
      const supported = !repeated && findSupport(sentence, questionStems, evidence, new Set()) !== null;
      if (supported) goodEnd = endExclusive;
      numUnsupported = supported ? 0 : numUnsupported + 1;
      // Never the beginning of the next sentence: a lone "Green" would find a passage about green tea.
      if (repeated || numUnsupported >= maxUnsupported) return text.slice(0, goodEnd || endExclusive);
    }
    return null;
  };
}
