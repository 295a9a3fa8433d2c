/**
 * Answers without a model: the sentences of the passages that say most of what the question asks for, word for word. Also
 * the honest way out when a model's answer has no support.
 */
import type { Citation, Passage } from '../contract/types.ts';
import { citationNumber, coverageOf, gatherEvidence } from './citations.ts';
import { contentWords } from './sentences.ts';

const maxQuotes = 4;
/** Below this share of the question's content words, a sentence says nothing about it; relevance.ts has judged the whole. */
const worthQuoting = 0.15;
/** A sentence so much weaker than the best one is left out. */
const shareOfBest = 0.6;

export type Quotes = { lines: string; citations: Citation[]; bestCoverage: number };

/**
 * The best sentences for a question, best first, at most two of one passage. A sentence counts by the share of the
 * question's content words in it, and by its passage's rank in the search (up to a fifth).
 */
export function pickQuotes(question: string, passages: Passage[], leastCoverage = worthQuoting): Quotes {
  const evidence = gatherEvidence(passages);
  const words = contentWords(question);
  const candidates = evidence.stretches.flatMap((stretches, passageIndex) =>
    stretches.map((stretch) => {
      const coverage = coverageOf(words, stretch, evidence.weightOf);
      const rank = 0.2 * (1 - passageIndex / Math.max(1, passages.length));
      // Two sentences hold more words than one: they must be worth the length.
      const length = 0.0003 * (stretch.endExclusive - stretch.start);
      return { stretch, passageIndex, coverage, score: coverage + rank - length };
    }),
  );
  candidates.sort((a, b) => b.score - a.score);
  const citations: Citation[] = [];
  const taken: typeof candidates = [];
  const lines: string[] = [];
  const best = candidates[0];
  for (const candidate of candidates) {
    if (taken.length >= maxQuotes || !best) break;
    if (candidate.coverage < leastCoverage || candidate.score < best.score * shareOfBest) continue;
    const inSame = taken.filter(({ passageIndex }) => passageIndex === candidate.passageIndex);
    const overlaps = inSame.some(
      ({ stretch }) => stretch.start < candidate.stretch.endExclusive && candidate.stretch.start < stretch.endExclusive,
    );
    if (overlaps || inSame.length >= 2) continue;
    taken.push(candidate);
    const n = citationNumber(citations, passages[candidate.passageIndex]!, candidate.stretch);
    lines.push(`- “${citations[n - 1]!.quote.replace(/\s+/g, ' ')}” [${n}]`);
  }
  return {
    lines: lines.join('\n'),
    citations,
    bestCoverage: Math.max(0, ...candidates.map(({ coverage }) => coverage)),
  };
}

/** The best sentences of the best passages, however little they say: offered as "nearest" when nothing answers. */
export function nearestQuotes(question: string, passages: Passage[]): Quotes {
  return pickQuotes(question, passages.slice(0, 3), 0);
}
