/** Which sentences of a model's answer stand there without a quote. */
import { contentWords, isRow, splitSentences } from './sentences.ts';

/** A stretch of an answer's text. */
export type Stretch = { start: number; endExclusive: number };

const number = /\[\d{1,3}\]/;
/** A number behind the full stop belongs to the sentence before it; the text stays as long as it was. */
const numberBehindStop = /([.!?。！？]+)((?:\s*\[\d{1,3}\])+)/gu;
const code = /^ {0,3}(`{3,}|~{3,})[\s\S]*?(?:^ {0,3}\1[`~]*[ \t]*$|$(?![\s\S]))/gm;

/**
 * The sentences that say something and have no [n]. Headings, what only leads to a list ("These are:"), the lines of a table and
 * code say nothing by themselves, and nor does a single word.
 */
export function unsupportedIn(text: string): Stretch[] {
  const moved = text.replace(numberBehindStop, '$2$1');
  const blocks = [...moved.matchAll(code)].map(({ index, 0: whole }) => ({
    start: index,
    endExclusive: index + whole.length,
  }));
  return splitSentences(moved).flatMap(({ text: words, start, endExclusive }) => {
    if (number.test(words) || isRow(words) || /^\s*(?:#{1,6}\s|\|)|[:：]\s*[*_]*$/.test(words)) return [];
    if (blocks.some((block) => block.start < endExclusive && start < block.endExclusive)) return [];
    return contentWords(words).length < 2 ? [] : [{ start, endExclusive }];
  });
}
