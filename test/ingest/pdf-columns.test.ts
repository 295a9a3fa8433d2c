import { describe, expect, test } from 'vitest';
import { inColumnOrder } from '../../ingest/readers/pdf-columns.ts';
import { linesOfPage, type PdfItem } from '../../ingest/readers/pdf-lines.ts';

const word = (str: string, x: number, y: number, width: number): PdfItem => ({
  str,
  transform: [10, 0, 0, 10, x, y],
  width,
  height: 10,
  hasEOL: false,
});
const prose = (side: string, n: number) => `${side} line ${n} with words enough to fill its column`;
const textsOf = (items: readonly PdfItem[]) => linesOfPage(items).map((line) => line.text);
const numbers = Array.from({ length: 12 }, (_, n) => n);

describe('a page in two columns', () => {
  const across = numbers.flatMap((n) => [
    word(prose('left', n), 50, 650 - n * 12, 240),
    word(prose('right', n), 320, 650 - n * 12, 240),
  ]);
  const title = word('A title that runs over both of the columns', 60, 700, 480);

  test('that was written line by line across both is read column by column, its title first', () => {
    expect(textsOf(inColumnOrder([title, ...across]))).toEqual([
      'A title that runs over both of the columns',
      ...numbers.map((n) => prose('left', n)),
      ...numbers.map((n) => prose('right', n)),
    ]);
  });

  test('that was written column by column stays as it is', () => {
    const items = [title, ...across.filter((_, n) => n % 2 === 0), ...across.filter((_, n) => n % 2 === 1)];
    expect(inColumnOrder(items)).toBe(items);
  });

  test('a table of short cells stays in rows, and so does one column', () => {
    const table = numbers.flatMap((n) => [
      word(`Label ${n}`, 50, 650 - n * 12, 60),
      word(`${n},000`, 500, 650 - n * 12, 40),
    ]);
    expect(inColumnOrder(table)).toBe(table);
    const single = numbers.map((n) => word(prose('one', n), 50, 650 - n * 12, 500));
    expect(inColumnOrder(single)).toBe(single);
  });

  test('a label column of prose beside figures stays in rows', () => {
    const rows = numbers.flatMap((n) => [
      word(prose('label', n), 50, 650 - n * 12, 240),
      word(`${n},000`, 520, 650 - n * 12, 40),
    ]);
    expect(inColumnOrder(rows)).toBe(rows);
  });
});
