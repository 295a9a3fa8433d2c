/**
 * Answers without a model: the sentences of the passages that say most of what the question asks for, word for word. Also
 * the honest way out when a model's answer has no support.
 */
import type { Citation, Passage } from '../contract/types.ts';
import { citationNumber, coverageOf, gatherEvidence, type Stretch } from './citations.ts';
import { asLine, asMarkdown } from './markdown.ts';
import { contentWords } from './sentences.ts';

const maxQuotes = 4;
/** Below this share of the question's content words, a sentence says nothing about it; relevance.ts has judged the whole. */
const worthQuoting = 0.15;
/** A sentence so much weaker than the best one is left out. */
const shareOfBest = 0.6;

export type Quotes = { lines: string; citations: Citation[]; bestCoverage: number };

export type RankedStretch = { stretch: Stretch; passageIndex: number; coverage: number; score: number };

/**
 * The stretches of the passages, best first. One counts by the share of the question's content words in it, and by its
 * passage's rank in the search (up to a fifth).
 */
export function rankStretches(question: string, passages: Passage[]): RankedStretch[] {
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
  return candidates.sort((a, b) => b.score - a.score);
}

/**
 * How much of the best that the passages say about the question is said where an answer took its proof from: 0 to 1 (1 also
 * where nothing is to be compared). What stands right beside a quote counts with it: "It is 330 metres tall" goes on about
 * the tower of the sentence before.
 */
export function aptnessOf(question: string, passages: Passage[], citations: Citation[]): number {
  const ranked = rankStretches(question, passages);
  const best = Math.max(0, ...ranked.map(({ coverage }) => coverage));
  if (best === 0) return 1;
  const cited = ranked.filter(({ stretch, passageIndex }) =>
    citations.some(({ passageId, quote }) => {
      const passage = passages[passageIndex]!;
      if (passage.passageId !== passageId) return false;
      const start = passage.text.indexOf(quote);
      return stretch.start < start + quote.length && start < stretch.endExclusive;
    }),
  );
  return Math.max(0, ...cited.map(({ coverage }) => coverage)) / best;
}

/** The best sentences for a question, best first, at most two of one passage. */
export function pickQuotes(question: string, passages: Passage[], leastCoverage = worthQuoting): Quotes {
  const candidates = rankStretches(question, passages);
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
    // Passages overlap: the same sentence may stand in two of them, alone or with its neighbour.
    const repeats = taken.some(
      ({ stretch }) =>
        candidate.stretch.stems.isSubsetOf(stretch.stems) || stretch.stems.isSubsetOf(candidate.stretch.stems),
    );
    if (overlaps || repeats || inSame.length >= 2) continue;
    taken.push(candidate);
    const n = citationNumber(citations, passages[candidate.passageIndex]!, candidate.stretch, question);
    lines.push(`- “${quoteLine(citations[n - 1]!)}” [${n}]`);
  }
  return {
    lines: lines.join('\n'),
    citations,
    bestCoverage: Math.max(0, ...candidates.map(({ coverage }) => coverage)),
  };
}

/** A quote in one line; of a row, the cell that was asked for in bold. */
function quoteLine({ quote, cell }: Citation): string {
  const at = cell === undefined || !quote.includes(' | ') ? -1 : quote.lastIndexOf(cell);
  if (cell === undefined || at === -1) return asLine(quote);
  const inLine = (words: string): string => asMarkdown(words.replace(/\s+/g, ' '));
  return `${inLine(quote.slice(0, at))}**${inLine(cell)}**${inLine(quote.slice(at + cell.length))}`;
}

/** The best sentences of the best passages, however little they say: offered as "nearest" when nothing answers. */
export function nearestQuotes(question: string, passages: Passage[]): Quotes {
  return pickQuotes(question, passages.slice(0, 3), 0);
}
