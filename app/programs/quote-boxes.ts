/** Where the words of citations stand on their pages, for programs that mark them themselves. */

import type { ReadPassages } from '../chats/finish.ts';
import { locateQuote } from '../contract/locate-quote.ts';
import type { Box, Citation, ScannedWord } from '../contract/types.ts';
import type { Outside } from '../outside.ts';
import type { StoredDocument } from '../store/document-table.ts';

export type QuoteBoxesParts = {
  findDocument: (id: string) => StoredDocument | null;
  scannedWords: (documentId: string, page: number) => ScannedWord[];
  readPassages: ReadPassages;
  readFile: Outside['readFile'];
};

/** For each citation its boxes, one a line; null where it has no page, or where its place on it is not certain. */
export type QuoteBoxes = (citations: readonly Citation[], signal: AbortSignal) => Promise<(Box[] | null)[]>;

/** An answer is not held back for longer. */
const deadlineMs = 10_000;

/**
 * What is known from the reading is taken as it is: cells of tables, words of scanned pages. Other pages of PDFs are read once
 * more, in a process of their own as ever.
 */
export function createQuoteBoxes(parts: QuoteBoxesParts): QuoteBoxes {
  return async (citations, signal) => {
    const wanted = new Map<string, Set<number>>();
    const words = new Map<string, ScannedWord[]>();
    const keyOf = (documentId: string, page: number): string => `${documentId} ${page}`;
    for (const { documentId, place, boxes, kind } of citations) {
      if (boxes || place.page === null) continue;
      const scanned = parts.scannedWords(documentId, place.page);
      if (scanned.length > 0) words.set(keyOf(documentId, place.page), scanned);
      else if (kind === 'pdf') wanted.set(documentId, (wanted.get(documentId) ?? new Set()).add(place.page));
    }
    const until = AbortSignal.any([signal, AbortSignal.timeout(deadlineMs)]);
    // One after another: each is a process that may take 1.5 GB.
    for (const [documentId, pages] of wanted) {
      const document = parts.findDocument(documentId);
      if (document?.sourceType !== 'file' || until.aborted) continue;
      const { location: path, name, sizeBytes, modifiedAtMs } = document;
      const source = { type: 'file' as const, path, name, sizeBytes, modifiedAtMs };
      const read = await parts.readFile(source, { signal: until, wordsOf: [...pages] });
      if (read.type !== 'read') continue;
      for (const scanned of read.scannedPages ?? []) words.set(keyOf(documentId, scanned.page), scanned.words);
    }
    const texts = new Map(
      parts.readPassages(citations.map(({ passageId }) => passageId)).map(({ passageId, text }) => [passageId, text]),
    );
    return citations.map(({ documentId, passageId, place, quote, boxes }) => {
      if (boxes) return boxes;
      const onPage = place.page === null ? undefined : words.get(keyOf(documentId, place.page));
      return onPage ? boxesOf(onPage, quote, texts.get(passageId) ?? null) : null;
    });
  };
}

function boxesOf(words: readonly ScannedWord[], quote: string, passage: string | null): Box[] | null {
  const found = locateQuote(
    words.map(({ text }) => text),
    quote,
    passage,
  );
  if (!found) return null;
  const lines: Box[] = [];
  for (const { box } of words.slice(found.from.part, found.to.part + 1)) {
    const last = lines.at(-1);
    if (last && isSameLine(last, box)) {
      last[0] = Math.min(last[0], box[0]);
      last[1] = Math.min(last[1], box[1]);
      last[2] = Math.max(last[2], box[2]);
      last[3] = Math.max(last[3], box[3]);
    } else lines.push([...box]);
  }
  return lines.map((box) => box.map((side) => Math.round(side * 10) / 10) as Box);
}

/** Beside it, not farther than words stand apart: two columns stay two boxes. */
function isSameLine(one: Box, other: Box): boolean {
  const overlap = Math.min(one[3], other[3]) - Math.max(one[1], other[1]);
  const height = Math.min(one[3] - one[1], other[3] - other[1]);
  const gap = other[0] - one[2];
  return overlap > height / 2 && gap < 2 * height && gap > -height;
}
