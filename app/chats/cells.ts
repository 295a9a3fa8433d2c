/** Which cell of a table's row a question is about. */
import type { Box, Passage } from '../contract/types.ts';
import { contentWords, type Word } from './sentences.ts';

export type CellFocus = {
  /** The words of the cell with its column, as they stand in the passage; absent where all of the row is as near. */
  cell?: string;
  /** Of a table on a page. */
  boxes?: Box[];
};

type PassageCell = NonNullable<Passage['cells']>[number];

/**
 * The cell of a quoted stretch whose column the question's words name best, and the boxes of it and of its row's label. Words
 * that all columns have tell nothing. Where no column is better than the others, or the stretch is more than a row, the boxes are
 * those of all its cells. A row of a spreadsheet has no boxes. Null where the stretch is no part of a table.
 */
export function focusCell(
  question: string,
  passage: Passage,
  stretch: { start: number; endExclusive: number },
): CellFocus | null {
  const inside = (passage.cells ?? []).filter(
    ({ start, endExclusive }) => start < stretch.endExclusive && stretch.start < endExclusive,
  );
  if (inside.length === 0) return focusSheetCell(question, passage, stretch);
  const labels = inside.filter(({ isLabel }) => isLabel);
  const values = inside.filter(({ isLabel }) => !isLabel);
  const wordsOf = ({ start, endExclusive }: PassageCell): string => passage.text.slice(start, endExclusive);
  const chosen = labels.length <= 1 ? values[bestOf(question, values.map(wordsOf).map(columnOf)) ?? -1] : undefined;
  if (!chosen) return { boxes: inside.map(({ box }) => box) };
  return { cell: wordsOf(chosen), boxes: [...labels, chosen].map(({ box }) => box) };
}

/** As the labels of spreadsheets' passages end: "Sheet Budget A2:F40". */
const rowsOfLabel = /\s[A-Z]{1,3}(\d{1,7}):[A-Z]{1,3}(\d{1,7})$/;

/** Of a spreadsheet: its passage begins with the names of the columns where it has one line more than rows. */
function focusSheetCell(
  question: string,
  { text, place }: Passage,
  stretch: { start: number; endExclusive: number },
): CellFocus | null {
  const [, first, last] = rowsOfLabel.exec(place.label ?? '') ?? [];
  const [header = '', ...rows] = text.split('\n');
  if (first === undefined || rows.length !== Number(last) - Number(first) + 1) return null;
  const row = text.slice(stretch.start, stretch.endExclusive).trim();
  if (!row.includes(' | ') || !rows.some((line) => line.trim() === row)) return null;
  const names = header.split(' | ').map((name) => name.trim());
  const cells = row.split(' | ').map((cell) => cell.trim());
  const columns = names.slice(1).filter((_, index) => (cells[index + 1] ?? '') !== '');
  const best = columns[bestOf(question, columns) ?? -1];
  return best === undefined ? null : { cell: `${best}: ${cells[names.indexOf(best, 1)]}` };
}

/** The one of these columns with the most of the question in its name; of two as good, neither. */
function bestOf(question: string, columns: readonly string[]): number | null {
  if (columns.length < 2) return columns.length === 1 ? 0 : null;
  const asked = contentWords(question);
  const words = columns.map((column) => contentWords(column));
  const scores = words.map((one) => agreement(asked, one, words));
  const best = Math.max(...scores);
  return scores.filter((score) => score === best).length === 1 && best > 0 ? scores.indexOf(best) : null;
}

/** What stands before the value: "Three Months Ended June 30, 2023" of "Three Months Ended June 30, 2023: 7,681". */
function columnOf(cell: string): string {
  const colon = cell.lastIndexOf(': ');
  return colon === -1 ? '' : cell.slice(0, colon);
}

/** Words of the column that are asked for, against those that are not: each counts the more, the fewer columns have it. */
function agreement(asked: readonly Word[], words: readonly Word[], columns: readonly Word[][]): number {
  const wanted = new Set(asked.map(({ stem }) => stem));
  let score = 0;
  for (const stem of new Set(words.map((word) => word.stem))) {
    const numWith = columns.filter((column) => column.some((word) => word.stem === stem)).length;
    const weight = Math.log(1 + columns.length / numWith) - Math.log(2) + 0.01;
    score += wanted.has(stem) ? weight : -0.5 * weight;
  }
  return score;
}
