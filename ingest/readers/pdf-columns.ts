/** The reading order of a page in two columns whose file wrote it line by line across both. */
import type { PdfItem } from './pdf-lines.ts';

type Word = Extract<PdfItem, { str: string }>;
type Side = 'left' | 'right' | 'across';

const binPoints = 2;
const narrowestGutterPoints = 8;
/** Fewer lines are a form or a signature, not columns. */
const fewestLines = 8;
/** A page of more is a map or a drawing. */
const mostWords = 20_000;
/** A line of prose has more letters; a cell of a table has fewer. */
const fewestCharacters = 20;

/**
 * Items in reading order. Nearly all files hold their columns one after the other already and are left as they are: only
 * where the stream jumps from side to side with nearly every line, over a clear gutter, between lines of prose that fill
 * their columns on both sides, each band between lines that cross the gutter is read left, then right. A table's rows, whose
 * cells are short, stay rows.
 */
export function inColumnOrder(items: readonly PdfItem[]): readonly PdfItem[] {
  const words = items.filter((item): item is Word => 'str' in item && item.str.trim() !== '');
  if (
    words.length < 2 * fewestLines ||
    words.length > mostWords ||
    words.some((word) => Math.abs(word.transform[1] ?? 0) > 0.01)
  )
    return items;
  const gutter = gutterOf(words);
  if (gutter === null) return items;
  const sideOf = (word: Word): Side =>
    leftOf(word) + word.width <= gutter ? 'left' : leftOf(word) >= gutter ? 'right' : 'across';

  const left = linesOf(words.filter((word) => sideOf(word) === 'left'));
  const right = linesOf(words.filter((word) => sideOf(word) === 'right'));
  if (![left, right].every(isProse)) return items;
  let numSwitches = 0;
  let last: Side | null = null;
  for (const word of words) {
    const side = sideOf(word);
    if (side !== 'across' && last !== null && side !== last) numSwitches += 1;
    if (side !== 'across') last = side;
  }
  if (numSwitches < Math.min(left.length, right.length)) return items;

  const barriers = words.filter((word) => sideOf(word) === 'across').map(heightOf);
  let place = { band: 0, side: 'left' as Side };
  const placed = items.map((item, index) => {
    // An end of line belongs to what stands before it.
    if ('str' in item && item.str.trim() !== '') {
      const height = heightOf(item);
      place = { band: barriers.filter((barrier) => barrier > height + 1).length, side: sideOf(item) };
    }
    return { item, index, ...place };
  });
  const order: Record<Side, number> = { across: 0, left: 1, right: 2 };
  return placed
    .sort((a, b) => a.band - b.band || order[a.side] - order[b.side] || a.index - b.index)
    .map(({ item }) => item);
}

function leftOf(word: Word): number {
  return word.transform[4] ?? 0;
}

function heightOf(word: Word): number {
  return word.transform[5] ?? 0;
}

/** The middle of the widest empty strip near the page's middle; a tenth of the lines may cross it. */
function gutterOf(words: readonly Word[]): number | null {
  const from = words.reduce((least, word) => Math.min(least, leftOf(word)), Number.POSITIVE_INFINITY);
  const to = words.reduce((most, word) => Math.max(most, leftOf(word) + word.width), Number.NEGATIVE_INFINITY);
  const numBins = Math.ceil((to - from) / binPoints);
  if (!(numBins > 50 && numBins < 5000)) return null;
  const covered = new Uint32Array(numBins);
  for (const word of words) {
    const first = Math.max(0, Math.floor((leftOf(word) - from) / binPoints));
    const last = Math.min(numBins, Math.ceil((leftOf(word) + word.width - from) / binPoints));
    for (let bin = first; bin < last; bin++) covered[bin]! += 1;
  }
  const most = new Set(words.map((word) => Math.round(heightOf(word)))).size / 10;
  let best = { start: 0, length: 0 };
  let start = -1;
  for (let bin = Math.floor(numBins * 0.35); bin <= Math.ceil(numBins * 0.65); bin++) {
    if (covered[bin]! > most) start = -1;
    else if (start === -1) start = bin;
    if (start !== -1 && bin - start + 1 > best.length) best = { start, length: bin - start + 1 };
  }
  if (best.length * binPoints < narrowestGutterPoints) return null;
  return from + (best.start + best.length / 2) * binPoints;
}

type Line = { from: number; to: number; numCharacters: number };

function linesOf(words: readonly Word[]): Line[] {
  const lines = new Map<number, Line>();
  for (const word of words) {
    const height = Math.round(heightOf(word) / 2);
    const line = lines.get(height) ?? {
      from: Number.POSITIVE_INFINITY,
      to: Number.NEGATIVE_INFINITY,
      numCharacters: 0,
    };
    line.from = Math.min(line.from, leftOf(word));
    line.to = Math.max(line.to, leftOf(word) + word.width);
    line.numCharacters += word.str.trim().length;
    lines.set(height, line);
  }
  return [...lines.values()];
}

/** Enough lines, most of them of many letters and nearly as wide as the column. */
function isProse(lines: readonly Line[]): boolean {
  if (lines.length < fewestLines) return false;
  const from = Math.min(...lines.map((line) => line.from));
  const to = Math.max(...lines.map((line) => line.to));
  const numFull = lines.filter(
    (line) => line.to - line.from > (to - from) * 0.7 && line.numCharacters >= fewestCharacters,
  ).length;
  return numFull >= lines.length * 0.6;
}
