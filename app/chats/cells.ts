/** Which cell of a table's row a question is about. */
import type { Box, Passage } from '../contract/types.ts';
import { contentWords, type Word } from './sentences.ts';

export type CellFocus = {
  /** The words of the cell with its column, as they stand in the passage; absent where all of the row is as near. */
  cell?: string;
  boxes: Box[];
};

type PassageCell = NonNullable<Passage['cells']>[number];

/**
 * The cell of a quoted stretch whose column the question's words name best, and the boxes of it and of its row's label. Words
 * that all columns have tell nothing. Where no column is better than the others, or the stretch is more than a row, the boxes are
 * those of all its cells. Null where the stretch is no part of a table on a page.
 */
export function focusCell(
  question: string,
  passage: Passage,
  stretch: { start: number; endExclusive: number },
): CellFocus | null {
  const inside = (passage.cells ?? []).filter(
    ({ start, endExclusive }) => start < stretch.endExclusive && stretch.start < endExclusive,
  );
  if (inside.length === 0) return null;
  const labels = inside.filter(({ isLabel }) => isLabel);
  const values = inside.filter(({ isLabel }) => !isLabel);
  const chosen = labels.length <= 1 ? bestOf(question, passage.text, values) : null;
  if (chosen === null) return { boxes: inside.map(({ box }) => box) };
  return {
    cell: passage.text.slice(chosen.start, chosen.endExclusive),
    boxes: [...labels, chosen].map(({ box }) => box),
  };
}

/** The cell with the most of the question in its column's name; of two as good, neither. */
function bestOf(question: string, text: string, values: readonly PassageCell[]): PassageCell | null {
  if (values.length < 2) return values[0] ?? null;
  const asked = contentWords(question);
  const columns = values.map(({ start, endExclusive }) => contentWords(columnOf(text.slice(start, endExclusive))));
  const scores = columns.map((words) => agreement(asked, words, columns));
  const best = Math.max(...scores);
  return scores.filter((score) => score === best).length === 1 && best > 0 ? values[scores.indexOf(best)]! : null;
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
