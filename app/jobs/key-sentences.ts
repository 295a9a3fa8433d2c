/**
 * The sentences that say most of what a text is about, chosen by program: those whose words the text uses most, each word
 * counting less once it has been said (SumBasic, Nenkova and Vanderwende 2005). Works in every language that has words.
 */
import type { Word } from '../chats/sentences.ts';

export type Frequencies = Map<string, number>;

/** How often each word stands in a text; filled sentence by sentence. */
export function countWords(frequencies: Frequencies, words: readonly Word[]): void {
  for (const { stem } of words) if (isTelling(stem)) frequencies.set(stem, (frequencies.get(stem) ?? 0) + 1);
}

/** Scripts without spaces have their function words as short pieces: は, です, 的. */
function isTelling(stem: string): boolean {
  return !/^[\p{Script=Hiragana}ー]{1,4}$|^\p{Script=Han}$/u.test(stem);
}

/** One that leans on the sentence before it is understood by nobody who has not read that. */
const leans =
  /^["'“«(]?(?:it|its|this|that|these|those|they|their|he|his|she|her|such|however|but|and|then|thus|therefore|il|elle|ils|elles|ce|cet|cette|ces|cela|mais|et|donc|cependant|esso|essa|questo|questa|questi|queste|ciò|ma|però|quindi|そして|しかし|また|これ|それ|この|その|但是|但|而|这|那|它|他|她)(?![\p{L}\p{M}])|^(?:そして|しかし|また|これ|それ|この|その|但是|这|那|它|他|她)/iu;
const ends = /[.!?…。！？｡]["'”’」』）)\]]*$/u;
const hasNoSpaces = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]/u;
const leastLength = 20;
const mostLength = 320;

/**
 * How much a sentence is one to quote: 0 for headings, rows of tables and crumbs, less for one that leans on another, 1 for
 * the rest.
 */
export function fitnessOf(text: string, words: readonly Word[]): number {
  const numCharacters = hasNoSpaces.test(text) ? 2.5 * text.length : text.length;
  if (numCharacters < leastLength || numCharacters > mostLength || !ends.test(text)) return 0;
  if (words.filter(({ stem }) => isTelling(stem)).length < 3) return 0;
  const numDigits = text.match(/\p{Nd}/gu)?.length ?? 0;
  if (numDigits > text.length * 0.25 || /\t|\n\s*\n| {3,}|\.{4,}/.test(text)) return 0;
  return leans.test(text.replace(/^[-*•–\s]+/, '')) ? 0.6 : 1;
}

export type Candidate = { words: readonly Word[]; fitness: number };

/** At most `howMany` candidates, in their order. Those of fitness 0 come last, so that a text of crumbs gives something. */
export function pickKeySentences<One extends Candidate>(
  candidates: readonly One[],
  frequencies: ReadonlyMap<string, number>,
  howMany: number,
): One[] {
  if (candidates.length <= howMany) return [...candidates];
  let total = 0;
  for (const count of frequencies.values()) total += count;
  const shares = new Map<string, number>();
  const shareOf = (stem: string): number => shares.get(stem) ?? (frequencies.get(stem) ?? 0) / Math.max(1, total);
  const stemsOf = candidates.map(({ words }) => [...new Set(words.map(({ stem }) => stem).filter(isTelling))]);
  const left = new Set(candidates.keys());
  const chosen: number[] = [];
  while (chosen.length < howMany && left.size > 0) {
    let best = -1;
    let bestScore = -1;
    for (const index of left) {
      const stems = stemsOf[index]!;
      const mean = stems.reduce((sum, stem) => sum + shareOf(stem), 0) / Math.max(6, stems.length);
      const score = mean * Math.max(1e-6, candidates[index]!.fitness);
      if (score > bestScore) [best, bestScore] = [index, score];
    }
    left.delete(best);
    chosen.push(best);
    for (const stem of stemsOf[best]!) shares.set(stem, shareOf(stem) ** 2);
  }
  return chosen.sort((a, b) => a - b).map((index) => candidates[index]!);
}
