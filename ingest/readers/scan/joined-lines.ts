/**
 * What Tesseract cuts apart on pages in Chinese and Japanese. Their letters stand in a grid, and where the gaps of many lines
 * lie above one another it takes them for the gap between two columns: the lines' beginnings come first, then their ends.
 * And it takes every letter or two for a word.
 */
import { oneLine } from '../sections.ts';
import type { RecognizedLine, RecognizedWord } from './recognizer.ts';

/** Letters that are written without spaces, and their punctuation. */
const dense =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\u3000-\u303f\u30fc\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65]/u;
/** Two columns are further apart than this many letters. */
const mostGap = 1.3;

type Piece = { line: RecognizedLine; left: number; right: number; top: number; bottom: number; isDense: boolean };

/** Lines whose pieces lie beside each other, a letter apart, become one again; the place in the order is the first piece's. */
export function joinedLines(lines: readonly RecognizedLine[]): RecognizedLine[] {
  const pieces = lines.flatMap((line): Piece[] => {
    if (line.words.length === 0) return [];
    const boxes = line.words.map(({ box }) => box);
    return [
      {
        line,
        left: Math.min(...boxes.map(([left]) => left)),
        top: Math.min(...boxes.map(([, top]) => top)),
        right: Math.max(...boxes.map(([, , right]) => right)),
        bottom: Math.max(...boxes.map(([, , , bottom]) => bottom)),
        isDense: line.words.some(({ text }) => dense.test(text)),
      },
    ];
  });
  const done = new Set<Piece>();
  return pieces.flatMap((first) => {
    if (done.has(first)) return [];
    let row = [first];
    done.add(first);
    for (let found: Piece | undefined = first; found; ) {
      found = pieces.find((other) => !done.has(other) && row.some((piece) => isBeside(piece, other)));
      if (!found) break;
      done.add(found);
      row = [...row, found].sort((a, b) => a.left - b.left);
    }
    if (row.length === 1) return [first.line];
    const startsParagraph = row.some(({ line }) => line.startsParagraph);
    return [{ words: row.flatMap(({ line }) => line.words), startsParagraph: startsParagraph && row[0] === first }];
  });
}

function isBeside(a: Piece, b: Piece): boolean {
  if (!a.isDense || !b.isDense) return false;
  const height = Math.min(a.bottom - a.top, b.bottom - b.top);
  // Columns of letters that run down the page lie beside each other by nature.
  if (isUpright(a) || isUpright(b)) return false;
  const overlap = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
  const gap = Math.max(a.left, b.left) - Math.min(a.right, b.right);
  return overlap > 0.6 * height && gap < mostGap * height && gap > -0.5 * height;
}

const isUpright = ({ left, right, top, bottom, line }: Piece): boolean =>
  line.words.length > 1 && bottom - top > 1.5 * (right - left);

/** The words as they are written: with a space between them, but for scripts that have none. */
export function textOfWords(words: readonly RecognizedWord[]): string {
  let text = '';
  let last: RecognizedWord | undefined;
  for (const word of words) {
    const clean = oneLine(word.text);
    if (clean === '') continue;
    if (last && !isUnspaced(last, word)) text += ' ';
    text += clean;
    last = word;
  }
  return text;
}

function isUnspaced(before: RecognizedWord, after: RecognizedWord): boolean {
  if (!dense.test(oneLine(before.text).slice(-1)) && !dense.test(oneLine(after.text).slice(0, 1))) return false;
  const height = Math.max(before.box[3] - before.box[1], after.box[3] - after.box[1]);
  return after.box[0] - before.box[2] < mostGap * height;
}
