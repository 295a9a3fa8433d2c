/**
 * What a search's result says about whether the documents hold the answer: a few numbers, none of which is enough alone. What
 * they are worth together is learned (`calibrations.ts`).
 */
import { wordingOf } from '../../ingest/wording.ts';

/** What is looked at of a passage that was found. */
export type Sighted = { text: string; heading: string | null; similarity: number | null; wordScore: number | null };

export const signNames = [
  'similarity', // the best cosine of question and passage; 0 where there is no embedder
  'stretch', // of the question's words, by rarity: what stands together in one stretch of two sentences
  'whole', // what stands in one passage
  'pairs', // of its neighbouring words: what stands side by side
  'missing', // the share of its words that stands in no passage found
  'names', // of its names and numbers: what stands in one passage; 1 without any
  'agreement', // 1 when the nearest passage by meaning is the first by words too
  'wordGap', // how far the best BM25 stands above the second, as a share of it
  'lead', // how far the passage that has most of likeness and wording at once stands above the next three
] as const;
export type SignName = (typeof signNames)[number];
export type Signs = { [name in SignName]: number };

/** A capital inside the question, or a digit anywhere. */
const nameOrNumber = /(?<=\S\s+["'“‘(«]?)\p{Lu}[\p{L}\p{M}'’-]*|[\p{L}\p{N}.,-]*\p{N}[\p{L}\p{N}]*/gu;

const fold = (text: string): string =>
  text
    .normalize('NFKD')
    .replace(/\p{Mn}/gu, '')
    .toLowerCase();

/** `found`: what the app's search gave, best first. */
export function signsOf(question: string, found: readonly Sighted[]): Signs {
  const texts = found.map(({ text, heading }) => (heading === null ? text : `${heading}\n${text}`));
  const wording = wordingOf(question, texts);
  const similarities = found.map(({ similarity }) => similarity ?? 0);
  const wordScores = found.map(({ wordScore }) => wordScore ?? 0);
  const nearest = most(similarities);
  const [bestWord = 0, secondWord] = wordScores.toSorted((a, b) => b - a);
  const each = wording.map(({ whole, stretch, pairs }, at) => 2.5 * similarities[at]! + whole + stretch + pairs);
  const [first = 0, ...rest] = each.toSorted((a, b) => b - a);
  return {
    similarity: nearest,
    stretch: most(wording.map(({ stretch }) => stretch)),
    whole: most(wording.map(({ whole }) => whole)),
    pairs: most(wording.map(({ pairs }) => pairs)),
    missing: 1 - (wordingOf(question, [texts.join('\n')])[0]?.whole ?? 0),
    names: namesOf(question, texts),
    agreement: nearest > 0 && bestWord > 0 && similarities.indexOf(nearest) === wordScores.indexOf(bestWord) ? 1 : 0,
    // One passage alone stands above nothing.
    wordGap: bestWord > 0 && secondWord !== undefined ? (bestWord - secondWord) / bestWord : 0,
    lead: rest.length > 0 ? first - mean(rest.slice(0, 3)) : 0,
  };
}

function namesOf(question: string, texts: readonly string[]): number {
  const found = Array.from(question.matchAll(nameOrNumber), ([one]) => fold(one.replace(/['’]s$|[.,-]+$/gu, '')));
  const names = [...new Set(found)];
  if (names.length === 0) return 1;
  return most(texts.map(fold).map((text) => names.filter((name) => text.includes(name)).length / names.length));
}

function most(numbers: readonly number[]): number {
  return Math.max(0, ...numbers);
}

function mean(numbers: readonly number[]): number {
  return numbers.reduce((sum, one) => sum + one, 0) / Math.max(1, numbers.length);
}
