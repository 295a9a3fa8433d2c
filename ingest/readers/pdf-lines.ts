/** From pdf.js' text items to lines, paragraphs and whole words. */
import { isRightToLeft, type Piece, textFromRight, withoutShapes } from './right-to-left.ts';

/** What is used of a pdf.js text item; marked-content items have no `str`. */
export type PdfItem =
  | { str: string; transform: number[]; width: number; height: number; hasEOL: boolean; fontName?: string }
  | { type: string };

/** One line of a page; `startsParagraph` when a gap stands above it. */
export type PdfLine = {
  text: string;
  startsParagraph: boolean;
  /** The one font that all of it is in, by its name in the file, and its size in points; absent where it has several. */
  font?: { name: string; size: number };
};

const longestWord = 100;

type Pen = { x: number; y: number; end: number; size: number };

/**
 * Items in the order of the content stream, which is the reading order of nearly all PDFs that were typeset (sorting by
 * position would mix columns). Lines end where pdf.js says so or the baseline moves; a gap of a quarter of the letter
 * size is a space. Rotated text is measured along its own direction.
 */
export function linesOfPage(items: readonly PdfItem[]): PdfLine[] {
  const lines: PdfLine[] = [];
  let text = '';
  let pen: Pen | null = null;
  let previousLine: Pen | null = null;
  let startsParagraph = false;
  let pieces: Piece[] = [];
  let fonts = new Set<string | undefined>();
  const endLine = () => {
    if (text.trim()) {
      const read = isRightToLeft(text) && pieces.length > 1 ? textFromRight(pieces) : text;
      const [name] = fonts;
      const font = fonts.size === 1 && name !== undefined && pen ? { font: { name, size: pen.size } } : {};
      lines.push({ text: read.trimEnd(), startsParagraph, ...font });
      previousLine = pen;
    }
    text = '';
    pieces = [];
    fonts = new Set();
    startsParagraph = false;
  };

  for (const item of items) {
    if (!('str' in item)) continue;
    if (item.str !== '') {
      const place = placeOf(item);
      if (text === '') startsParagraph = isParagraphGap(previousLine, place);
      else if (pen) {
        if (Math.abs(place.y - pen.y) > Math.max(pen.size, place.size) * 0.6) {
          previousLine = pen;
          endLine();
          startsParagraph = isParagraphGap(previousLine, place);
        } else {
          const gap = place.x - pen.end;
          const isApart = gap > place.size * 0.25 || gap < -place.size * 2;
          if (isApart && !/\s$/.test(text) && !/^\s/.test(item.str)) text += ' ';
        }
      }
      const words = withoutShapes(item.str);
      text += words;
      if (words.trim() !== '') {
        pieces.push({ text: words, left: place.x, right: place.end, size: place.size });
        fonts.add(item.fontName);
      }
      pen = place;
    }
    if (item.hasEOL) endLine();
  }
  endLine();
  return lines;
}

/** Coordinates along the text's own direction: `x` runs with the line, `y` upwards from line to line. */
function placeOf(item: Extract<PdfItem, { str: string }>): Pen {
  const [a = 1, b = 0, , , e = 0, f = 0] = item.transform;
  const length = Math.hypot(a, b) || 1;
  const cos = a / length;
  const sin = b / length;
  const x = e * cos + f * sin;
  return { x, y: f * cos - e * sin, end: x + item.width, size: item.height || length };
}

function isParagraphGap(previous: Pen | null, next: Pen): boolean {
  if (!previous) return false;
  const fall = previous.y - next.y;
  const size = Math.max(previous.size, next.size, 1);
  // Upwards is a new column or a header; more than 1.9 letter sizes down is a blank line.
  return fall < -size || fall > size * 1.9;
}

/**
 * Pages of lines → pages of text. A word that a line's end has cut is put together again: its hyphen goes if the whole
 * word stands somewhere in the document, stays if the hyphenated one does, and goes if neither is known and the rest is
 * in lower case.
 */
export function joinHyphens(pages: PdfLine[][]): string[] {
  const known = new Set<string>();
  for (const lines of pages)
    for (const line of lines)
      for (const [word] of line.text.toLowerCase().matchAll(/[\p{L}\p{N}]+(?:-[\p{L}\p{N}]+)*(?![\p{L}\p{N}-]*-$)/gu))
        known.add(word);

  return pages.map((lines) => {
    let text = '';
    for (const line of lines) {
      // Only the end of a page's text can be the beginning of a word.
      const cut = /([\p{L}\p{N}]+(?:-[\p{L}\p{N}]+)*)[-\u00ad\u2010]$/u.exec(text.slice(-longestWord));
      const rest = /^\p{L}+/u.exec(line.text)?.[0];
      if (!cut || !rest || line.startsParagraph) {
        text += text ? (line.startsParagraph ? '\n\n' : '\n') + line.text : line.text;
        continue;
      }
      const whole = (cut[1]! + rest).toLowerCase();
      const hyphenated = `${cut[1]}-${rest}`.toLowerCase();
      const isSoft = text.endsWith('\u00ad');
      const keepsHyphen =
        !isSoft && !known.has(whole) && (known.has(hyphenated) || /\p{Lu}/u.test(rest[0]!) || /\p{N}$/u.test(cut[1]!));
      text = (keepsHyphen ? text : text.slice(0, -1)) + line.text;
    }
    return text.replaceAll('\u00ad', '');
  });
}
