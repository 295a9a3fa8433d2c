/** Cells of sheets: their names, how a number is shown, and where tables lie among them. */
import type { Section } from '../../source.ts';
import { mostHeadingCharacters, oneLine, rowsOfTable } from '../sections.ts';

/** 1 → A, 27 → AA. */
export function columnName(column: number): string {
  let name = '';
  for (let left = column; left > 0; left = Math.floor((left - 1) / 26))
    name = String.fromCharCode(65 + ((left - 1) % 26)) + name;
  return name;
}

/** AA12 → 27; null where it is no cell's name. */
export function columnOf(cell: string): number | null {
  const letters = /^\$?([A-Z]{1,3})\$?\d*$/i.exec(cell)?.[1]?.toUpperCase();
  if (!letters) return null;
  return [...letters].reduce((sum, letter) => sum * 26 + letter.charCodeAt(0) - 64, 0);
}

/** A row of a sheet that has words: its number from 1, and its cells by column from 1, ascending, none of them empty. */
export type SheetRow = { row: number; cells: { column: number; text: string }[] };

const numeric = /^[-+(]?[\p{Sc}\s]*[\d.,\s]+\)?\s*[%\p{Sc}]?$/u;

/** Names of columns are words, and stand over something that is as wide. */
export function looksLikeHeader(first: readonly string[], next: readonly string[][]): boolean {
  const filled = first.filter((cell) => cell.trim() !== '');
  if (filled.length < 2 || next.length === 0) return false;
  const isYear = (cell: string) => /^\s*(?:19|20)\d\d\s*$/.test(cell);
  const numWords = filled.filter((cell) => !numeric.test(cell) && cell.length <= 200).length;
  const numYears = filled.filter(isYear).length;
  // Years name columns too, beside at least one word or an empty corner.
  if (numYears > 1 && numYears + numWords === filled.length)
    return (
      (numWords > 0 || first[0]?.trim() === '') &&
      next.some((row) => row.some((cell) => numeric.test(cell) && !isYear(cell)))
    );
  return numWords >= filled.length * 0.8;
}

/**
 * A sheet's rows → sections. Empty rows part its tables; a line with one cell above a table is its title, and its heading.
 * `table` counts on over the sheets of a file; the number after the last is returned.
 */
export function sectionsOfSheet(
  sheetName: string,
  rows: readonly SheetRow[],
  numTablesBefore: number,
): { sections: Section[]; numTables: number } {
  const sections: Section[] = [];
  let numTables = numTablesBefore;
  let heading = sheetName;
  const place = {
    locator: { type: 'paragraph', paragraph: 1 } as const,
    label: `Sheet ${oneLine(sheetName).slice(0, 100)}`,
  };
  for (const block of blocksOf(rows)) {
    let first = 0;
    for (; first < block.length; first++) {
      const row = block[first]!;
      const [cell] = row.cells;
      const nextIsWider = (block[first + 1]?.cells.length ?? 0) > 1;
      if (row.cells.length > 1 || !cell || (block.length > 1 && !nextIsWider)) break;
      const name = `${columnName(cell.column)}${row.row}`;
      heading = oneLine(cell.text).slice(0, mostHeadingCharacters);
      numTables += 1;
      sections.push({
        text: oneLine(cell.text),
        heading,
        ...place,
        row: { table: numTables, cells: { first: name, last: name } },
      });
    }
    const table = block.slice(first);
    if (table.length === 0) continue;
    const columns = [...new Set(table.flatMap((row) => row.cells.map((cell) => cell.column)))].sort((a, b) => a - b);
    const indexOf = new Map(columns.map((column, index) => [column, index]));
    // Beyond this a row of empty places would say less than its cells alone.
    const isWide = columns.length > 100;
    const grid = table.map((row) => {
      if (isWide) return row.cells.map((cell) => cell.text);
      const cells: string[] = new Array(columns.length).fill('');
      for (const cell of row.cells) cells[indexOf.get(cell.column)!] = cell.text;
      return cells;
    });
    numTables += 1;
    const [from, to] = [columnName(columns[0]!), columnName(columns.at(-1)!)];
    const hasHeader = !isWide && looksLikeHeader(grid[0]!, grid.slice(1, 20));
    for (const row of rowsOfTable(grid, {
      hasHeader,
      table: numTables,
      cellsOf: (index) => ({ first: `${from}${table[index]!.row}`, last: `${to}${table[index]!.row}` }),
    }))
      sections.push({ ...row, heading, ...place });
  }
  for (const [index, section] of sections.entries()) section.locator = { type: 'paragraph', paragraph: index + 1 };
  return { sections, numTables };
}

/** Runs of rows without an empty one between them, and what stands side by side in them. */
function blocksOf(rows: readonly SheetRow[]): SheetRow[][] {
  const blocks: SheetRow[][] = [];
  for (const row of rows) {
    const block = blocks.at(-1);
    if (block && row.row <= block.at(-1)!.row + 1) block.push(row);
    else blocks.push([row]);
  }
  return blocks.flatMap((block) => {
    const [left, right] = sideBySide(block) ?? [];
    return left && right ? [left, ...blocksOf(right)] : [block];
  });
}

/**
 * Two tables with an empty column between them, if both begin with a header of their own: a column that is merely left empty
 * parts labels from their figures, which must stay together.
 */
function sideBySide(block: readonly SheetRow[]): [SheetRow[], SheetRow[]] | null {
  const columns = [...new Set(block.flatMap((row) => row.cells.map((cell) => cell.column)))].sort((a, b) => a - b);
  if (columns.length > 100) return null;
  for (let at = 2; at < columns.length - 1; at++) {
    const from = columns[at]!;
    if (from === columns[at - 1]! + 1) continue;
    const part = (isOurs: (column: number) => boolean): SheetRow[] =>
      block.flatMap(({ row, cells }) => {
        const own = cells.filter((cell) => isOurs(cell.column));
        return own.length > 0 ? [{ row, cells: own }] : [];
      });
    const left = part((column) => column < from);
    const right = part((column) => column >= from);
    if ([left, right].every(beginsWithHeader)) return [left, right];
  }
  return null;
}

function beginsWithHeader(rows: SheetRow[]): boolean {
  const texts = rows.slice(0, 20).map((row) => row.cells.map((cell) => cell.text));
  return looksLikeHeader(texts[0] ?? [], texts.slice(1));
}

const mostMergedCells = 1000;
const mostMerges = 20_000;

/**
 * Writes a merged cell's words into all the cells it covers, so that each row says all by itself. A line that holds nothing
 * else is a title and keeps its words once.
 */
export function fillMerged(rows: readonly SheetRow[], ranges: readonly string[]): void {
  const byNumber = new Map(rows.map((row) => [row.row, row]));
  for (const range of ranges.slice(0, mostMerges)) {
    const [, fromName, fromRow, toName, toRow] = /^([A-Z]{1,3})(\d{1,7}):([A-Z]{1,3})(\d{1,7})$/.exec(range) ?? [];
    const [from, to] = [columnOf(fromName ?? ''), columnOf(toName ?? '')];
    const [top, bottom] = [Number(fromRow), Number(toRow)];
    if (from === null || to === null || !(bottom >= top) || !(to >= from)) continue;
    if ((to - from + 1) * (bottom - top + 1) > mostMergedCells) continue;
    const text = byNumber.get(top)?.cells.find((cell) => cell.column === from)?.text;
    if (text === undefined) continue;
    for (let number = top; number <= bottom; number++) {
      const row = byNumber.get(number);
      if (!row || (number === top && row.cells.length === 1)) continue;
      for (let column = from; column <= to; column++)
        if (!row.cells.some((cell) => cell.column === column)) row.cells.push({ column, text });
      row.cells.sort((a, b) => a.column - b.column);
    }
  }
}
