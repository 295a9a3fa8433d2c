import { describe, expect, test } from 'vitest';
import { readPdf } from '../../ingest/readers/pdf.ts';
import { withoutFurniture } from '../../ingest/readers/pdf-furniture.ts';
import type { PdfLine } from '../../ingest/readers/pdf-lines.ts';
import { pdfOf, textOf } from './data.ts';

const linesOf = (...texts: string[]): PdfLine[] => texts.map((text) => ({ text, startsParagraph: false }));
const textsOf = (pages: PdfLine[][]) => withoutFurniture(pages).map((lines) => lines.map(({ text }) => text));
const pages = (page: (number: number) => string[], count = 6) =>
  Array.from({ length: count }, (_, index) => linesOf(...page(index + 1)));

describe('what stands on every page', () => {
  test('is kept where it is said first, and goes from the other pages', () => {
    const kept = textsOf(pages((n) => ['Annual report of the pond', `Words of page ${'abcdef'[n - 1]}.`]));
    expect(kept[0]).toEqual(['Annual report of the pond', 'Words of page a.']);
    expect(kept.slice(1)).toEqual(['b', 'c', 'd', 'e', 'f'].map((letter) => [`Words of page ${letter}.`]));
  });

  test('as its number goes everywhere, whatever it is counted from', () => {
    for (const numbered of [(n: number) => `${n + 10}`, (n: number) => `Page ${n} of 6`, (n: number) => `- ${n} -`])
      expect(textsOf(pages((n) => [`The pond in the year ${1990 + n * 7}.`, numbered(n)])).flat()).toHaveLength(6);
  });

  test('stays where numbers count something else than pages', () => {
    const invoices = pages((n) => [`Invoice No. ${4700 + 3 * n}`, 'Thank you.', `Total ${n * n * 100}`]);
    expect(textsOf(invoices).map(([first]) => first)).toEqual(
      [1, 2, 3, 4, 5, 6].map((n) => `Invoice No. ${4700 + 3 * n}`),
    );
  });

  test('stays on few pages, and in the middle of a page', () => {
    const three = pages((n) => ['Title', `Text ${'abc'[n - 1]}.`], 3);
    expect(textsOf(three)).toEqual(three.map((lines) => lines.map(({ text }) => text)));
    const middle = pages((n) => ['abcdef'[n - 1]!, 'x'.repeat(n), 'See the note.', 'y'.repeat(n), 'ghijkl'[n - 1]!]);
    expect(textsOf(middle).filter((lines) => lines.includes('See the note.'))).toHaveLength(6);
  });

  test('is gone from what is read of a PDF', async () => {
    const file = pdfOf(
      ['one', 'two', 'three', 'four', 'five'].map((word, at) => ['Pond News', `Duck ${word}.`, `${at + 1}`]),
    );
    expect(textOf(await readPdf(file, 'a.pdf')).split('\n')).toEqual([
      'Pond News',
      'Duck one.',
      'Duck two.',
      'Duck three.',
      'Duck four.',
      'Duck five.',
    ]);
  });
});
