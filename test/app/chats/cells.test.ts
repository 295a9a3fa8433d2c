import { describe, expect, test } from 'vitest';
import { focusCell } from '../../../app/chats/cells.ts';
import { gatherEvidence } from '../../../app/chats/citations.ts';
import { pickQuotes } from '../../../app/chats/quotes.ts';
import { splitSentences } from '../../../app/chats/sentences.ts';
import type { Box } from '../../../app/contract/types.ts';
import { passageOf } from './fixtures.ts';

const title = 'Operating income, Inc. by segment is as follows (in millions):';
const rows = [
  [
    'AWS',
    'Three Months Ended June 30, 2022: 5,715',
    'Three Months Ended June 30, 2023: 5,365',
    'Six Months Ended June 30, 2023: 10,488',
  ],
  [
    'Interest expense',
    'Three Months Ended June 30, 2022: (584)',
    'Three Months Ended June 30, 2023: (840)',
    'Six Months Ended June 30, 2023: (1,663)',
  ],
];
const text = [title, ...rows.map((row) => row.join(' | '))].join('\n');
const cells = rows.flatMap((row, y) =>
  row.map((_, x) => ({
    start: text.indexOf(row.join(' | ')) + row.slice(0, x).join(' | ').length + (x > 0 ? 3 : 0),
    endExclusive: text.indexOf(row.join(' | ')) + row.slice(0, x + 1).join(' | ').length,
    isLabel: x === 0,
    box: [100 * x, 20 * y, 100 * x + 90, 20 * y + 10] as Box,
  })),
);
const passage = passageOf(1, text, { cells });

describe('a row of a table', () => {
  test('is one sentence, whatever stops stand in it, and its title another', () => {
    expect(splitSentences(text).map((sentence) => sentence.text)).toEqual([
      title,
      rows[0]!.join(' | '),
      rows[1]!.join(' | '),
    ]);
  });

  test('is never quoted together with the next one', () => {
    const quotes = gatherEvidence([passage]).stretches[0]!.map(({ start, endExclusive }) =>
      text.slice(start, endExclusive),
    );
    expect(quotes.filter((quote) => quote.includes('\n'))).toEqual([]);
  });

  test('is quoted whole, and the cell that was asked for stands out in it', () => {
    const { lines, citations } = pickQuotes('What was interest expense for the six months ended June 30, 2023?', [
      passage,
    ]);
    expect(citations[0]).toMatchObject({
      quote: rows[1]!.join(' | '),
      cell: 'Six Months Ended June 30, 2023: (1,663)',
      boxes: [
        [0, 20, 90, 30],
        [300, 20, 390, 30],
      ],
    });
    expect(lines.split('\n')[0]).toContain('**Six Months Ended June 30, 2023: (1,663)**');
  });
});

describe('the cell of a row', () => {
  const second = { start: text.indexOf('Interest'), endExclusive: text.length };

  test('is the one whose column has the words that the others lack', () => {
    expect(focusCell('interest expense, three months, June 2022', passage, second)?.cell).toBe(rows[1]![1]);
    expect(focusCell('interest expense, three months, June 2023', passage, second)?.cell).toBe(rows[1]![2]);
  });

  test('is none where the question does not say which: all of the row is marked', () => {
    const focus = focusCell('How much was interest expense?', passage, second);
    expect(focus?.cell).toBeUndefined();
    expect(focus?.boxes).toHaveLength(4);
  });

  test('is none where more than one row is quoted, and nothing is marked where the passage is no table', () => {
    expect(focusCell('June 30, 2022', passage, { start: 0, endExclusive: text.length })?.cell).toBeUndefined();
    expect(focusCell('June 30, 2022', passageOf(2, text), second)).toBeNull();
  });
});

describe('the cell of a spreadsheet’s row', () => {
  const text = 'City | Rent 2023 | Rent 2024 | Tenant\nOslo | 1,200 | 1,250 | Hansen\nParis | 2,000 | 2,100';
  const plain = passageOf(3, text);
  const sheet = { ...plain, kind: 'xlsx' as const, place: { ...plain.place, label: 'Sheet Rents A2:D3' } };
  const oslo = { start: text.indexOf('Oslo'), endExclusive: text.indexOf('\nParis') };

  test('is the one that the names of the columns tell, with its column', () => {
    expect(focusCell('What was the rent in Oslo in 2024?', sheet, oslo)).toEqual({ cell: 'Rent 2024: 1,250' });
    expect(focusCell('Who is the tenant in Oslo?', sheet, oslo)).toEqual({ cell: 'Tenant: Hansen' });
  });

  test('is none where two columns are as good, where lines were left out, or the names are quoted themselves', () => {
    expect(focusCell('What is it in Oslo?', sheet, oslo)).toBeNull();
    const other = { ...sheet, place: { ...sheet.place, label: 'Sheet Rents A2:D9' } };
    expect(focusCell('What was the rent in Oslo in 2024?', other, oslo)).toBeNull();
    expect(focusCell('rent in 2024?', sheet, { start: 0, endExclusive: text.indexOf('\n') })).toBeNull();
  });
});
