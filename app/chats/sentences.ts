/** Text as sentences and content words: what citations are decided by. Works on scripts without spaces too (ICU). */
import { sentencesOf } from '../../ingest/sentences.ts';

export type Sentence = { text: string; start: number; endExclusive: number };

const wordSegmenter = new Intl.Segmenter(undefined, { granularity: 'word' });

/** Where a list item or a heading begins; other line ends are only wrapping. */
const itemStart = /\n(?=\s*(?:[-*•–]|\d{1,3}[.)]|#{1,6})\s)/g;
/** In a table each line is a row, and a row is one: "Fulfillment, Inc. | 2022: 5 | 2023: 6". Its title is the line before. */
const itemOrRowStart = /\n(?=\s*(?:[-*•–]|\d{1,3}[.)]|#{1,6})\s)|\n(?=[^\n]* \| )|(?<= \| [^\n]*)\n/g;
const loneMark = /^(?:[-*•–]|\d{1,3}[.)])$/;

/** Cuts a text into sentences as passages are cut, without the white space around them; list items and headings too. */
export function splitSentences(text: string): Sentence[] {
  const sentences: Sentence[] = [];
  const splitBlock = (start: number, endExclusive: number): void => {
    let markStart: number | null = null;
    for (const { from, to } of sentencesOf(text.slice(start, endExclusive))) {
      const begin: number = markStart ?? start + from;
      const piece = text.slice(begin, start + to);
      // The "1." of a list belongs to what it numbers.
      if (loneMark.test(piece)) markStart = begin;
      else {
        markStart = null;
        sentences.push({ text: piece, start: begin, endExclusive: start + to });
      }
    }
    if (markStart !== null) {
      const mark = text.slice(markStart, endExclusive).trimEnd();
      sentences.push({ text: mark, start: markStart, endExclusive: markStart + mark.length });
    }
  };
  let blockStart = 0;
  const endBlock = (endExclusive: number): void => {
    const from = blockStart + /^\s*/.exec(text.slice(blockStart, endExclusive))![0].length;
    const block = text.slice(from, endExclusive).trimEnd();
    if (isRow(block)) sentences.push({ text: block, start: from, endExclusive: from + block.length });
    else splitBlock(blockStart, endExclusive);
    blockStart = endExclusive;
  };
  for (const { index } of text.matchAll(text.includes(' | ') ? itemOrRowStart : itemStart)) endBlock(index);
  endBlock(text.length);
  return sentences;
}

/** A line of a table, its cells with bars between. */
export function isRow(block: string): boolean {
  return block.includes(' | ') && !block.includes('\n');
}

/** Words that carry no matter of their own, of the languages most documents are in. */
const functionWords = new Set(
  (
    'a an the and or but nor so if then than that this these those there here it its he she they them his her their our ' +
    'we you your i me my us is are was were be been being am do does did done has have had having will would can could ' +
    'shall should may might must not no yes of in on at by for from to into onto over under with without about as up ' +
    'out off per via who whom whose which what when where why how all any some each every both such only also just more ' +
    'most other very too own same while during between because until again further once said says according ' +
    'passage passages document documents text answer question sentence ' +
    'le la les un une des du de et ou que qui dans pour sur avec est sont au aux ce cette ces il elle ils pas ne par ' +
    'der die das ein eine einer eines und oder in im ist sind von zu zum zur mit auf für als an dem den des nicht es ' +
    'il lo gli i un una di e che per con su è sono della del dei nel nella non da ' +
    'el los las una de y que en con por para es son del al no se su'
  ).split(' '),
);

export type Word = {
  /** Folded and stemmed: equal for "Rivers" and "river". */
  stem: string;
  /** It has a digit: must match exactly. */
  isNumber: boolean;
  /** It stands with a capital where the sentence does not begin: likely a name. */
  isName: boolean;
};

/** Letters that are no letter with a mark to Unicode, as people write them without the keyboard for it. */
const plainLetters: Readonly<Record<string, string>> = {
  ø: 'o',
  ł: 'l',
  đ: 'd',
  ð: 'd',
  ı: 'i',
  ß: 'ss',
  æ: 'ae',
  œ: 'oe',
  þ: 'th',
};

/** British spelling as American: the models write what they learned, the documents what their authors did. */
export function american(word: string): string {
  return word
    .replace(/(?<=[a-z]{2})our(?=s?$|ed$|ing$|ful$)/, 'or')
    .replace(/(?<=[a-z]{2})tre(?=s?$)/, 'ter')
    .replace(/(?<=[a-z]{3})is(?=e$|ed$|es$|ing$|ations?$)/, 'iz');
}

/** Cuts the commonest English endings. Crude on purpose: both sides of every comparison go through it. */
function stemOf(word: string): string {
  if (word.length < 5 || !/^[a-z]+$/.test(word))
    return word.length === 4 && /[^s]s$/.test(word) ? word.slice(0, -1) : word;
  let stem = word.replace(/(?:'s|ies)$/, (ending) => (ending === 'ies' ? 'y' : ''));
  stem = stem.replace(/(?<=[a-z]{3})(?:ing|edly|ed|ly|es|s|e)$/, '');
  return stem.replace(/([b-df-hj-np-tv-z])\1$/, '$1');
}

/** "1,234.50" and "1234.5" are one number; "2.0" is not "20". */
function numberOf(word: string): string {
  const plain = word.replace(/(?<=\d),(?=\d{3}(?!\d))/g, '');
  return /^\d+\.\d+$/.test(plain) ? plain.replace(/\.?0+$/, '') : plain;
}

/** The content words of a text, in order: function words are left out. */
export function contentWords(text: string): Word[] {
  const words: Word[] = [];
  let first = true;
  for (const { segment, isWordLike } of wordSegmenter.segment(text.normalize('NFKC'))) {
    if (!isWordLike) continue;
    const folded = segment
      .toLowerCase()
      .normalize('NFD')
      .replace(/\p{Mn}/gu, '')
      .normalize('NFC')
      .replace(/[øłđðıßæœþ]/g, (letter) => plainLetters[letter]!);
    const isNumber = /\p{Nd}/u.test(folded);
    const isName = !first && /^\p{Lu}/u.test(segment);
    first = false;
    if (functionWords.has(folded) && !isNumber) continue;
    if (folded.length === 1 && /[a-z]/.test(folded)) continue;
    words.push({
      stem: isNumber ? numberOf(folded) : stemOf(american(folded.replace(/[’']s$/, ''))),
      isNumber,
      isName,
    });
  }
  return words;
}
