/** PDF: the words of some pages and where they stand, as pdf.js knows them: for marking a quote where no window draws the page. */
import type { Box, ReadResult, ScannedPage, ScannedWord } from '../source.ts';
import { openPdf } from './pdf-engine.ts';
import { createPageTexts } from './pdf-items.ts';
import type { PdfItem } from './pdf-lines.ts';

const mostPages = 50;
const mostWordsOfPage = 50_000;
/** Of the size of its letters, how far a line reaches above its baseline and below it. */
const ascent = 0.8;
const descent = 0.2;

/** Letters without spaces between words stand alone: a quote may begin at any of them. */
const wordOrSign = /[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\s\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]{1,200}/gu;

/** Pages that are not there are left out. The order of words is that of the file, as in the text that was read of it. */
export async function readPdfWords(bytes: Uint8Array, pages: readonly number[]): Promise<ReadResult> {
  const task = openPdf(bytes);
  try {
    const pdf = await task.promise;
    const texts = await createPageTexts(pdf);
    const scannedPages: ScannedPage[] = [];
    for (const number of [...new Set(pages)].slice(0, mostPages)) {
      if (!(number >= 1 && number <= pdf.numPages)) continue;
      const page = await pdf.getPage(number);
      const items = await texts.itemsOf(page);
      const viewport = page.getViewport({ scale: 1 });
      const toPage = (x: number, y: number): [number, number] => {
        const [left = 0, top = 0] = viewport.convertToViewportPoint(x, y);
        return [left, top];
      };
      const words: ScannedWord[] = [];
      for (const item of items) if (words.length < mostWordsOfPage) words.push(...wordsOf(item, toPage));
      scannedPages.push({ page: number, words });
      page.cleanup();
    }
    return { type: 'read', kind: 'pdf', title: '', numPages: pdf.numPages, sections: [], scannedPages };
  } finally {
    await task.destroy();
  }
}

type ToPage = (x: number, y: number) => [number, number];

/** A run of text as its words. pdf.js says how wide the run is; how wide its letters are is a matter of their form. */
function wordsOf(item: PdfItem, toPage: ToPage): ScannedWord[] {
  if (!('str' in item) || item.str.trim() === '') return [];
  const { str, width, height } = item;
  const [a = 1, b = 0, c = 0, d = 1, e = 0, f = 0] = item.transform;
  const along = unit(a, b);
  const up = unit(c, d);
  const size = height || Math.hypot(c, d);
  const total = widthOf(str);
  const boxFrom = (start: number, end: number): Box => {
    const corners = [start, end].flatMap((share) =>
      [-descent, ascent].map((rise) =>
        toPage(e + along.x * width * share + up.x * size * rise, f + along.y * width * share + up.y * size * rise),
      ),
    );
    const [xs, ys] = [corners.map(([x]) => x), corners.map(([, y]) => y)];
    return [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
  };
  return [...str.matchAll(wordOrSign)].map((match) => {
    const before = widthOf(str.slice(0, match.index)) / total;
    return { text: match[0], box: boxFrom(before, before + widthOf(match[0]) / total) };
  });
}

function unit(x: number, y: number): { x: number; y: number } {
  const length = Math.hypot(x, y) || 1;
  return { x: x / length, y: y / length };
}

/** In letters of usual width. */
function widthOf(text: string): number {
  let width = 0;
  for (const letter of text)
    width += /[ijltfI.,:;|!'()[\]\s]/.test(letter)
      ? 0.5
      : /[mwMW@]/.test(letter)
        ? 1.45
        : /[A-Z]/.test(letter)
          ? 1.2
          : 1;
  return width;
}
