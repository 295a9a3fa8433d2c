/** A page's text items as lines of cells, with their places on the page as it is shown. */
import type { Box } from '../../source.ts';
import type { PdfItem } from '../pdf-lines.ts';

/** Words that stand together; a wide gap parts cells. Points from the upper left of the page as it is shown. */
export type Cell = {
  text: string;
  left: number;
  right: number;
  /** Which items of the page it is made of. */
  items: number[];
  words: Word[];
};

export type CellLine = { baseline: number; size: number; cells: Cell[] };

/** An affine transform [a, b, c, d, e, f], as pdf.js has them. */
type Transform = readonly number[];

export type Word = { text: string; left: number; right: number; baseline: number; size: number; item: number };

/** A gap of more letter sizes parts two cells; between two numbers next to none is needed, before a sign of currency none. */
const widestGap = 0.95;
const closest = 0.1;
/** A space between words is narrower. */
const narrowestGap = 0.3;
/** A page of more is a map or a drawing. */
const mostWords = 20_000;

/**
 * Lines from the top. `shown` is the transform of the page's viewport at scale 1: turned pages come upright with it. Empty
 * for a page that has more words than a page of text, and without those that stand aslant or upright.
 */
export function cellLinesOf(items: readonly PdfItem[], shown: Transform): CellLine[] {
  const words = wordsOf(items, shown);
  if (words.length > mostWords) return [];
  words.sort((one, other) => one.baseline - other.baseline || one.left - other.left);
  const lines: CellLine[] = [];
  let together: Word[] = [];
  const endLine = () => {
    if (together.length === 0) return;
    const size = Math.max(...together.map((word) => word.size));
    const cells = joinSigns(cellsOf(together.sort((one, other) => one.left - other.left)));
    lines.push({ baseline: together[0]!.baseline, size, cells });
    together = [];
  };
  for (const word of words) {
    const first = together[0];
    if (first && word.baseline - first.baseline > 0.35 * Math.min(first.size, word.size)) endLine();
    together.push(word);
  }
  endLine();
  return lines;
}

function wordsOf(items: readonly PdfItem[], [a = 1, b = 0, c = 0, d = 1, e = 0, f = 0]: Transform): Word[] {
  const words: Word[] = [];
  for (const [item, one] of items.entries()) {
    if (!('str' in one) || one.str.trim() === '') continue;
    const [ta = 1, tb = 0, tc = 0, td = 1, te = 0, tf = 0] = one.transform;
    const along = { x: a * ta + c * tb, y: b * ta + d * tb };
    const up = Math.hypot(a * tc + c * td, b * tc + d * td);
    if (along.x <= 0 || Math.abs(along.y) > 0.02 * along.x) continue;
    const left = a * te + c * tf + e;
    const baseline = b * te + d * tf + f;
    const size = one.height || up;
    // Tables of typewriters are one string for a line: runs of spaces part its cells, all letters being of one width.
    const perCharacter = one.width / one.str.length;
    for (const part of one.str.matchAll(/\S+?(?: {1,2}\S+?)*?(?= {3}|\s*$|(?<=[\d)%])[$€£])/g)) {
      const from = left + part.index * perCharacter;
      words.push({ text: part[0], left: from, right: from + part[0].length * perCharacter, baseline, size, item });
    }
  }
  return words;
}

function cellsOf(words: readonly Word[]): Cell[] {
  const runs: Word[][] = [];
  for (const word of words) {
    const last = runs.at(-1)?.at(-1);
    const gap = last ? word.left - last.right : 0;
    const afterNumber = last !== undefined && isValue(last.text);
    const isNext =
      afterNumber && (startsWithCurrency.test(word.text) || (isValue(word.text) && gap > closest * word.size));
    if (!last || isNext || gap > word.size * widestGap) runs.push([word]);
    else runs.at(-1)!.push(word);
  }
  // From the end: behind the last words of a line there is nothing but numbers.
  const lastWords = runs.findLastIndex((run) => !run.every(({ text }) => isValue(text) || currency.test(text)));
  return runs.flatMap((run, at) => (at >= lastWords ? partedNumbers(run) : [cellOf(run)]));
}

/** A narrow table: numbers that end a line and were written apart are cells, though little room is before them. */
function partedNumbers(run: readonly Word[]): Cell[] {
  let first = run.length;
  while (first > 0 && (isValue(run[first - 1]!.text) || currency.test(run[first - 1]!.text)) && isApart(run, first - 1))
    first -= 1;
  const label = run.slice(0, first);
  return [...(label.length > 0 ? [cellOf(label)] : []), ...run.slice(first).map((word) => cellOf([word]))];
}

function isApart(run: readonly Word[], at: number): boolean {
  const [before, word] = [run[at - 1], run[at]!];
  return before === undefined || (word.item !== before.item && word.left - before.right > word.size * narrowestGap);
}

function cellOf(words: readonly Word[]): Cell {
  let text = '';
  for (const [at, word] of words.entries())
    text += (at > 0 && word.left - words[at - 1]!.right > word.size * 0.15 ? ' ' : '') + word.text;
  const right = Math.max(...words.map((word) => word.right));
  return { text, left: words[0]!.left, right, items: [...new Set(words.map(({ item }) => item))], words: [...words] };
}

/** The cells of a line parted wherever it was written in pieces with some room between: names of narrow columns. */
export function partedFiner({ cells, ...line }: CellLine): CellLine {
  const finer = cells.flatMap(({ words }) => {
    const runs: Word[][] = [];
    for (const [at, word] of words.entries()) {
      if (at === 0 || isApart(words, at)) runs.push([word]);
      else runs.at(-1)!.push(word);
    }
    return runs.map(cellOf);
  });
  return { ...line, cells: finer };
}

const currency = /^(?:[$€£¥₹]|US\$|C\$|EUR|USD|GBP|CHF)$/;
const startsWithCurrency = /^(?:[$€£¥₹]|US\$|C\$)/;

/** A sign that stands apart belongs to its number: "$" before it, "%" and a closing bracket behind it. */
function joinSigns(cells: Cell[]): Cell[] {
  const joined: Cell[] = [];
  for (const cell of cells) {
    const last = joined.at(-1);
    const opens = last && currency.test(last.text) && isValue(cell.text);
    const closes = last && isValue(last.text) && /^[%)]+$/.test(cell.text);
    if (last && (opens || closes)) {
      last.text += (cell.text.startsWith(')') ? '' : ' ') + cell.text;
      last.right = cell.right;
      last.items.push(...cell.items);
      last.words.push(...cell.words);
    } else joined.push({ ...cell, items: [...cell.items], words: [...cell.words] });
  }
  return joined;
}

const number =
  /^(?:[($€£¥₹+\-–−—.±<>~≈]\s?|US\$\s?){0,3}\d[\d,.'’\u00a0]*(?<![,'’])\s?[)%‰]{0,3}(?:\s?(?:%|years?|months?|days?|hours?|times|bps|pts?|x|million|billion|[a-zA-Z°µ]{1,3}²?))?\)?(?:\s?\(\w\)){0,2}\*?$/;
const nothing = /^(?:[—–\-−]{1,3}|\$?\s?[—–-]\s?%?|n\/?a|N\/?A|n\.a\.|nm|NM|\*{1,3}|\(\*\))$/;

/** A number with its signs and unit, or what stands for none: "$ (1,234)", "12.5 %", "11.6 years", "2024 - 2044", "—". */
export function isValue(text: string): boolean {
  if (number.test(text) || nothing.test(text)) return true;
  const ends = text.length < 40 ? text.split(/\s(?:[-–—]|to)\s/) : [];
  return ends.length === 2 && ends.every((end) => number.test(end));
}

/** A bare year: the head of a column far more often than a value. */
export function isYear(text: string): boolean {
  return /^(?:FY\s?)?(?:19|20)\d\d(?:\s?\(\w\))?$/.test(text);
}

/** The box of some cells of lines, for a person: from the tallest letter to the descenders. */
export function boxOf(parts: readonly { line: CellLine; cell: Cell }[]): Box {
  const left = Math.min(...parts.map(({ cell }) => cell.left));
  const right = Math.max(...parts.map(({ cell }) => cell.right));
  const top = Math.min(...parts.map(({ line }) => line.baseline - line.size * 0.85));
  const bottom = Math.max(...parts.map(({ line }) => line.baseline + line.size * 0.25));
  return [left, top, right, bottom].map((side) => Math.round(side * 10) / 10) as unknown as Box;
}
