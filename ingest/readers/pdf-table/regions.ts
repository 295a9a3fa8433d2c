/** Which lines of a page are rows of one table, and which columns their numbers stand in. */
import { type Cell, type CellLine, isValue, isYear } from './cells.ts';

/** From the left to the right edge of what stands in it. */
export type Column = { left: number; right: number };

/** Lines `first` to `last` (inclusive) of the page: from the first row with a number to the last one. */
export type Region = { first: number; last: number; columns: Column[]; numRows: number };

/** Label lines in a row without any number between; more is text beside something. */
const mostLabelLines = 5;
/** Rows are not further apart, in letter sizes. */
const widestRowGap = 4;
const columnSlack = 1.5;

/** Tables of numbers, from the top: at least three rows, or two of at least two numbers. */
export function regionsOf(lines: readonly CellLine[]): Region[] {
  const regions: Region[] = [];
  let open: Region | null = null;
  let numLabels = 0;
  const close = () => {
    if (open && (open.numRows >= 3 || (open.numRows >= 2 && open.columns.length >= 2))) regions.push(open);
    open = null;
    numLabels = 0;
  };
  for (const [at, line] of lines.entries()) {
    const before = lines[at - 1];
    if (before && line.baseline - before.baseline > widestRowGap * Math.max(line.size, before.size)) close();
    const values: Cell[] | null = valuesOf(line, open?.columns);
    if (values) {
      const columns: Column[] | null = open === null ? null : extended(open.columns, values, labelOf(line, values));
      if (open !== null && columns !== null) Object.assign(open, { columns, last: at, numRows: open.numRows + 1 });
      else {
        close();
        open = { first: at, last: at, columns: extended([], values, null) ?? [], numRows: 1 };
      }
      numLabels = 0;
      continue;
    }
    if (open === null) continue;
    const columnsLeft: number = open.columns[0]?.left ?? 0;
    numLabels += 1;
    const [only, more] = line.cells;
    const isSentence = /\S+\s+\S+\s+\S+\s+\S+\.$/.test(only!.text);
    if (more || isSentence || only!.right > columnsLeft || numLabels > mostLabelLines) close();
  }
  close();
  return regions;
}

/**
 * The numbers of a row, which stand right of its label; null for a line that is none: prose, a head of years, a list's
 * "1." with its text. `columns`: those of the table so far.
 */
export function valuesOf(line: CellLine, columns: readonly Column[] = []): Cell[] | null {
  // "$(10)" at the left of all columns is the rest of a label.
  const isOfLabel = line.cells.length > 1 && columns[0] !== undefined && line.cells[0]!.right < columns[0].left - 12;
  const firstValue = line.cells.findIndex(({ text }, at) => isValue(text) && !(isOfLabel && at === 0));
  if (firstValue === -1 || firstValue > 1) return null;
  const values = line.cells.slice(firstValue);
  if (!values.every(({ text }) => isValue(text))) return mixedValues(line, firstValue, columns);
  if (values.every(({ text }) => isYear(text)) && (firstValue === 0 || values.length > 1)) return null;
  if (firstValue === 1) return /[\p{L}\p{N}]/u.test(line.cells[0]!.text) ? values : null;
  return values.length >= 2 && values.some(({ text }) => /\d/.test(text)) ? values : null;
}

/** A row that says a word or a date in one of its columns: in several numbers, or where the table has columns for each cell. */
function mixedValues(line: CellLine, firstValue: number, columns: readonly Column[]): Cell[] | null {
  if (firstValue !== 1) return null;
  const values = line.cells.slice(firstValue);
  const numValues = values.filter(({ text }) => isValue(text) && !isYear(text)).length;
  const places = new Set(values.map((cell) => columns.findIndex((column) => overlaps(cell, column))));
  const fitsColumns = values.length > 1 && places.size === values.length && !places.has(-1);
  const isMostlyNumbers = values.length >= 3 && numValues * 2 > values.length;
  return numValues > 0 && (fitsColumns || isMostlyNumbers) && values.every(({ text }) => text.length <= 24)
    ? values
    : null;
}

function overlaps(one: Column, other: Column): boolean {
  return one.left < other.right && one.right > other.left;
}

export function labelOf(line: CellLine, values: readonly Cell[]): Cell | null {
  return line.cells[0] === values[0] ? null : (line.cells[0] ?? null);
}

/** Columns with the cells of one more row in them; null where a cell does not fit: it would make one of two. */
function extended(columns: readonly Column[], values: readonly Cell[], label: Cell | null): Column[] | null {
  const after = columns.map((column) => ({ ...column }));
  const taken = new Set<Column>();
  let numNew = 0;
  // A label that reaches into the first column belongs to something else.
  if (label && after[0] && label.right > after[0].right) return null;
  for (const { left, right } of values) {
    const met = after.filter((column) => left < column.right + columnSlack && right > column.left - columnSlack);
    if (met.length > 1 || (met[0] && taken.has(met[0]))) return null;
    const column = met[0] ?? { left, right };
    if (!met[0]) numNew = after.push(column) - columns.length;
    taken.add(column);
    column.left = Math.min(column.left, left);
    column.right = Math.max(column.right, right);
  }
  // Rows of one table have their numbers in the same columns, but for some that few rows fill.
  if (columns.length > 0 && numNew > 1 && numNew * 2 > values.length) return null;
  return after.sort((one, other) => one.left - other.left);
}

/** The column that a cell stands in: the one it shares most with. */
export function columnOf(columns: readonly Column[], cell: Column): number {
  let best = -1;
  let most = -columnSlack;
  for (const [index, column] of columns.entries()) {
    const shared = Math.min(column.right, cell.right) - Math.max(column.left, cell.left);
    if (shared > most) [best, most] = [index, shared];
  }
  return best;
}
