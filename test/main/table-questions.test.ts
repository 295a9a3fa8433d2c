import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { linesOfPdf, questionsOf, rowsOfTables } from '../../main/cli/tables/questions.ts';
import { nearestOf, piecesOf } from '../../main/cli/tables/rivals.ts';
import { dataFolder, hasData, type PlacedText, placedPdfOf } from '../ingest/data.ts';

const right = (text: string, x: number, y: number): PlacedText => ({ text, x: x - 6 * text.length, y });
const head = (y: number): PlacedText[] => [
  { text: 'Three Months Ended', x: 320, y: y + 24 },
  { text: 'June 30,', x: 350, y: y + 12 },
  { text: '2022', x: 310, y },
  { text: '2023', x: 410, y },
];
const row = (label: string, y: number, one: string, other: string): PlacedText[] => [
  { text: label, x: 40, y },
  right(one, 340, y),
  right(other, 440, y),
];
const first = [
  ...head(700),
  ...row('Interest income', 684, '159', '661'),
  ...row('Interest expense', 668, '(584)', '(840)'),
  ...row('Net income here', 652, '77', '88'),
  ...row('Basic', 636, '10,175', '10,285'),
];
const second = [
  { text: 'Interest expense rose in both years, as did the rates.', x: 40, y: 720 },
  ...head(680),
  ...row('Net income here', 664, '77', '88'),
];

describe('questions from tables', () => {
  test('are asked of rows whose label stands on one page only, for a value by its column', async () => {
    const pages = await linesOfPdf(placedPdfOf([first, second]));
    expect(rowsOfTables(pages).map(({ label, page }) => `${label} ${page}`)).toEqual([
      'Interest income 1',
      'Interest expense 1',
      'Net income here 1',
      'Basic 1',
      'Net income here 2',
    ]);
    const [question, ...others] = questionsOf('pond.pdf', pages);
    // The words of the second row stand on both pages, and one word names no row.
    expect(others).toEqual([]);
    const isFirst = question?.value === '159';
    expect(question).toMatchObject({
      question: `What was Interest income for the three months ended June 30, ${isFirst ? 2022 : 2023}?`,
      page: 1,
      column: `Three Months Ended June 30, ${isFirst ? 2022 : 2023}`,
      value: isFirst ? '159' : '661',
    });
  });

  test.skipIf(!hasData)(
    'of real filings are more than a hundred, and each value stands on the page it is said to',
    async () => {
      const folder = path.join(dataFolder, 'qa/docugami-sec10q');
      let numQuestions = 0;
      for (const name of ['2023_Q1_AMZN.pdf', '2023_Q2_AMZN.pdf', '2023_Q3_AMZN.pdf']) {
        const pages = await linesOfPdf(readFileSync(path.join(folder, name)));
        const questions = questionsOf(name, pages);
        numQuestions += questions.length;
        for (const { label, value, page } of questions) {
          const line = pages[page - 1]!.find(({ words }) => words[0]!.text === label);
          expect(line?.words.map(({ text }) => text).join(' ')).toContain(value.replace(' %', ''));
        }
      }
      expect(numQuestions).toBeGreaterThanOrEqual(100);
    },
  );
});

describe('what others do by default', () => {
  test('is to cut pages into pieces of a thousand characters that overlap', async () => {
    const long = Array.from({ length: 40 }, (_, at) => ({
      text: `Line ${at} of a page that is long enough`,
      x: 40,
      y: 760 - 12 * at,
    }));
    const pieces = piecesOf('a.pdf', await linesOfPdf(placedPdfOf([long, first])));
    expect(pieces.every(({ text }) => text.length <= 1_000)).toBe(true);
    expect(pieces.filter(({ page }) => page === 1).length).toBeGreaterThan(1);
    expect(pieces[1]!.text.split('\n').some((line) => pieces[0]!.text.includes(line))).toBe(true);
    expect(pieces.at(-1)).toMatchObject({ file: 'a.pdf', page: 2 });
  });

  test('is to take the nearest vectors', () => {
    expect(nearestOf(new Float32Array([1, 0, 0, 1, 0.6, 0.8]), new Float32Array([0, 1]), 2)).toEqual([1, 2]);
  });
});
