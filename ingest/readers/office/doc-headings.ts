/** Which paragraphs of a DOC are headings: their style is one of Word's own nine (MS-DOC 2.4.6.1, 2.9.260: styles 1 to 9). */

/** A stretch of characters and where it lies in the file: from `offset`, a byte or two for each. */
export type Piece = { firstCharacter: number; numCharacters: number; offset: number; bytesPerCharacter: 1 | 2 };

/** A heading stands behind this mark, which is no character and in no text. */
export const headingMark = '\ufdd0';

const pageBytes = 512;
const mostPages = 100_000;
const firstHeading = 1;
const lastHeading = 9;

/**
 * The text with a mark before each paragraph that is a heading. `document` and `table` are the file's streams. A file whose lists
 * are broken has none: its words are worth more than what stands over them.
 */
export function withHeadingMarks(
  text: string,
  pieces: readonly Piece[],
  document: Uint8Array,
  table: Uint8Array,
): string {
  const plain = text.replaceAll(headingMark, ' ');
  try {
    const headings = headingRanges(document, table);
    return headings.length === 0 ? plain : marked(plain, pieces, headings);
  } catch {
    return plain;
  }
}

type Range = { from: number; toExclusive: number };

/** The bytes of the file in which headings lie, ascending. */
function headingRanges(document: Uint8Array, table: Uint8Array): Range[] {
  const view = new DataView(document.buffer, document.byteOffset, document.byteLength);
  const lists = new DataView(table.buffer, table.byteOffset, table.byteLength);
  const isHeading = headingStyles(lists, view.getUint32(0xa2, true), view.getUint32(0xa6, true));
  const [from, size] = [view.getUint32(0x102, true), view.getUint32(0x106, true)];
  // n + 1 places and n numbers of pages, four bytes each
  const numPages = Math.min(mostPages, Math.floor((Math.min(size, table.length - from) - 4) / 8));
  const ranges: Range[] = [];
  for (let page = 0; page < numPages; page++) {
    const at = (lists.getUint32(from + 4 * (numPages + 1 + page), true) & 0x3fffff) * pageBytes;
    if (at + pageBytes > document.length) continue;
    const numParagraphs = view.getUint8(at + pageBytes - 1);
    for (let paragraph = 0; paragraph < numParagraphs; paragraph++) {
      const box = at + 4 * (numParagraphs + 1) + 13 * paragraph;
      if (box >= at + pageBytes) break;
      const facts = at + 2 * view.getUint8(box);
      if (facts === at || facts + 4 > at + pageBytes) continue;
      // A first byte of 0 says that the next one has the length; the style's number follows.
      const style = view.getUint16(view.getUint8(facts) === 0 ? facts + 2 : facts + 1, true);
      if (isHeading.has(style))
        ranges.push({
          from: view.getUint32(at + 4 * paragraph, true),
          toExclusive: view.getUint32(at + 4 * (paragraph + 1), true),
        });
    }
  }
  return ranges.sort((one, other) => one.from - other.from);
}

/** The numbers that this document gives to Word's heading styles. */
function headingStyles(lists: DataView, from: number, size: number): Set<number> {
  const found = new Set<number>();
  const end = Math.min(from + size, lists.byteLength);
  let at = from + 2 + lists.getUint16(from, true);
  for (let style = 0; at + 4 <= end; style++) {
    const length = lists.getUint16(at, true);
    const kind = length >= 2 ? lists.getUint16(at + 2, true) & 0xfff : 0;
    if (kind >= firstHeading && kind <= lastHeading) found.add(style);
    at += 2 + length + (length % 2);
  }
  return found;
}

/** A paragraph is what ends with its mark; where the mark lies decides. Pieces and paragraphs both go forwards. */
function marked(text: string, pieces: readonly Piece[], headings: readonly Range[]): string {
  const parts: string[] = [];
  let start = 0;
  let piece = 0;
  for (let at = 0; at < text.length; at++) {
    const character = text[at]!;
    if (character !== '\r' && character !== '\u0007' && character !== '\u000c') continue;
    while (piece < pieces.length && pieces[piece]!.firstCharacter + pieces[piece]!.numCharacters <= at) piece += 1;
    const holding = pieces[piece];
    const place = holding ? holding.offset + (at - holding.firstCharacter) * holding.bytesPerCharacter : -1;
    if (character === '\r' && contains(headings, place)) parts.push(headingMark);
    parts.push(text.slice(start, at + 1));
    start = at + 1;
  }
  parts.push(text.slice(start));
  return parts.join('');
}

function contains(ranges: readonly Range[], place: number): boolean {
  let [low, high] = [0, ranges.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ranges[middle]!.toExclusive <= place) low = middle + 1;
    else high = middle;
  }
  return ranges[low] !== undefined && ranges[low]!.from <= place;
}
