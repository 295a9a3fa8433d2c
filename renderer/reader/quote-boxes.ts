/** Where a quote is marked on a drawn page. */
import type { Box as PageBox, ScannedWord } from '../../app/contract/types.ts';
import { locateQuote } from './locate-quote.ts';

/** A rectangle on a drawn page, in CSS pixels from its top left corner. */
export type Box = { left: number; top: number; width: number; height: number };

/**
 * The words to mark, and the text around them where it is known. `readScan`: the words of the page if it is a scan. `boxes`:
 * where they stand, in points, if that is known already.
 */
export type Quote = {
  words: string;
  passageText: string | null;
  readScan?: () => Promise<ScannedWord[]>;
  boxes?: readonly PageBox[] | undefined;
};

/** Boxes in points as boxes on the drawn page. `scale`: CSS pixels per point. */
export function drawnBoxes(boxes: readonly PageBox[], scale: number): Box[] {
  return boxes.map(([left, top, right, bottom]) => ({
    left: left * scale - 1,
    top: top * scale - 1,
    width: (right - left) * scale + 2,
    height: (bottom - top) * scale + 2,
  }));
}

/** The boxes of a quote on a page that is a picture. `scale`: CSS pixels per point. */
export function boxesOnScan(quote: Quote, words: readonly ScannedWord[], scale: number): Box[] {
  const parts = words.map(({ text }) => text);
  const place = locateQuote(parts, quote.words, quote.passageText);
  if (!place) return [];
  const places = words.slice(place.from.part, place.to.part + 1).map(({ box }) => box);
  return mergeLines(drawnBoxes(places, scale));
}

/** One box for the words of a line: where two of them meet, the mark would be drawn twice. */
export function mergeLines(boxes: Box[]): Box[] {
  const merged: Box[] = [];
  for (const box of boxes) {
    const last = merged.at(-1);
    const overlap = last ? Math.min(last.top + last.height, box.top + box.height) - Math.max(last.top, box.top) : 0;
    const gap = last ? box.left - (last.left + last.width) : Number.POSITIVE_INFINITY;
    if (!last || overlap < Math.min(last.height, box.height) / 2 || gap < -last.width || gap > last.height * 2) {
      merged.push({ ...box });
      continue;
    }
    const right = Math.max(last.left + last.width, box.left + box.width);
    const bottom = Math.max(last.top + last.height, box.top + box.height);
    last.left = Math.min(last.left, box.left);
    last.top = Math.min(last.top, box.top);
    last.width = right - last.left;
    last.height = bottom - last.top;
  }
  return merged;
}
