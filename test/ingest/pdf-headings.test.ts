import { describe, expect, test } from 'vitest';
import { headingsOf } from '../../ingest/readers/pdf-headings.ts';
import type { PdfLine } from '../../ingest/readers/pdf-lines.ts';

const text = (words: string): PdfLine => ({ text: words, startsParagraph: false, font: { name: 'text', size: 10 } });
const bold = (words: string, size = 10, startsParagraph = true): PdfLine => ({
  text: words,
  startsParagraph,
  font: { name: 'bold', size },
});
const prose = Array.from({ length: 8 }, (_, at) =>
  text(`The pond has many ducks, and line ${at} says more about them.`),
);
const titlesOf = (...pages: PdfLine[][]) => headingsOf(pages).map(({ title, page }) => [title, page]);

describe('headings of a PDF without an outline', () => {
  test('are lines that are larger, or in a font of their own after a gap', () => {
    expect(
      titlesOf(
        [bold('The Pond', 16), ...prose, bold('Feeding the ducks'), ...prose],
        [...prose, bold('Ice'), ...prose],
      ),
    ).toEqual([
      ['The Pond', 1],
      ['Feeding the ducks', 1],
      ['Ice', 2],
    ]);
  });

  test('are put together from lines that follow one another in the same font', () => {
    expect(titlesOf([bold('A history of the'), bold('northern pond', 10, false), ...prose])).toEqual([
      ['A history of the northern pond', 1],
    ]);
  });

  test('are no sentences, no bold words within a paragraph, and nothing at the foot of a page', () => {
    expect(
      titlesOf([...prose, bold('Never feed the ducks bread.'), bold('Important', 10, false), ...prose, bold('Signed')]),
    ).toEqual([]);
  });

  test('are none where much of the text is set like them, or no font is known', () => {
    expect(
      titlesOf([...prose, ...Array.from({ length: 6 }, (_, at) => [bold(`Verse ${at}`), text('la la')]).flat()]),
    ).toEqual([]);
    expect(titlesOf([[{ text: 'Pond', startsParagraph: true }], prose].flat())).toEqual([]);
  });
});
