/**
 * The parts of the passages that a small model is shown: the sentences that speak of the question, with their neighbours.
 *
 * A model of one billion weights gets lost in three whole passages: it answers from wherever it happens to look. Less text
 * is also sooner read. test/eval/README.md has what was measured.
 */
import type { Passage } from '../contract/types.ts';
import { rankStretches } from './quotes.ts';
import { splitSentences } from './sentences.ts';

/** Stands for the sentences between two that were chosen. */
const gap = ' … ';

/**
 * The passages, best first, with only so much of their text that all fit `maxTokens`. Passages that fit whole, stay whole;
 * those of which nothing was chosen are left out.
 */
export function focusOn(
  question: string,
  passages: Passage[],
  maxPassages: number,
  maxTokens: number,
  countTokens: (text: string) => number,
): Passage[] {
  const best = passages.slice(0, maxPassages);
  if (best.reduce((sum, { text }) => sum + countTokens(text), 0) <= maxTokens) return best;
  const sentences = passages.map(({ text }) => splitSentences(text));
  const chosen = passages.map(() => new Set<number>());
  let left = maxTokens;

  /** Takes the sentences of a passage from `first` to `last` that are not yet taken, if all of them fit. */
  const take = (passageIndex: number, first: number, last: number): boolean => {
    const fresh: number[] = [];
    for (let index = Math.max(0, first); index <= Math.min(last, sentences[passageIndex]!.length - 1); index++)
      if (!chosen[passageIndex]!.has(index)) fresh.push(index);
    const tokens = fresh.reduce((sum, index) => sum + countTokens(sentences[passageIndex]![index]!.text), 0);
    if (tokens > left) return false;
    left -= tokens;
    for (const index of fresh) chosen[passageIndex]!.add(index);
    return true;
  };

  for (const { passageIndex, stretch } of rankStretches(question, passages)) {
    const inside = sentences[passageIndex]!.flatMap(({ start, endExclusive }, index) =>
      start < stretch.endExclusive && stretch.start < endExclusive ? [index] : [],
    );
    const [first, last] = [inside.at(0), inside.at(-1)];
    const isNew = chosen[passageIndex]!.size === 0;
    if (first === undefined || last === undefined) continue;
    if (isNew && chosen.filter(({ size }) => size > 0).length === maxPassages) continue;
    // "It is 330 metres tall" needs the sentence before it; what a name is said to be often stands in the one after.
    if (!take(passageIndex, first - 1, last + 1) && !take(passageIndex, first, last)) break;
  }
  return passages.flatMap((passage, index) => {
    if (chosen[index]!.size === 0) return [];
    let text = '';
    let before = -1;
    for (const at of [...chosen[index]!].sort((a, b) => a - b)) {
      const sentence = sentences[index]![at]!;
      const between =
        at === before + 1
          ? passage.text.slice(sentences[index]![before]?.endExclusive ?? sentence.start, sentence.start)
          : gap;
      text += (text === '' ? '' : between) + sentence.text;
      before = at;
    }
    return [{ ...passage, text }];
  });
}
