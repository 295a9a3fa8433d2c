/** The stored text of a table in a spreadsheet, as the cells that it is made of. */

/** `start` and `endExclusive`: where its words stand in the passage. */
export type GridCell = { text: string; start: number; endExclusive: number };

export type SheetGrid = {
  /** "B", "C", … where they are certain: a table may skip empty columns. */
  columns: string[] | null;
  header: GridCell[] | null;
  /** `number` as the sheet counts, where that is certain. */
  rows: { number: number | null; cells: GridCell[] }[];
};

const range = /(?:^|\s)([A-Z]{1,3})(\d{1,7}):([A-Z]{1,3})(\d{1,7})$/;
const between = ' | ';

function columnNumber(name: string): number {
  return [...name].reduce((sum, letter) => sum * 26 + letter.charCodeAt(0) - 64, 0);
}

function columnName(column: number): string {
  let name = '';
  for (let left = column; left > 0; left = Math.floor((left - 1) / 26))
    name = String.fromCharCode(65 + ((left - 1) % 26)) + name;
  return name;
}

/**
 * The grid of a passage, by its label ("Sheet Budget A2:F40") and its lines; null where it is no table, or where its lines are
 * not its rows. Sheets part their tables at empty rows, so as many lines as rows are those rows, and one more is the header.
 */
export function sheetGrid(text: string, label: string | null): SheetGrid | null {
  const [, fromName = '', fromRow = '', toName = '', toRow = ''] = range.exec(label ?? '') ?? [];
  const [first, last] = [Number(fromRow), Number(toRow)];
  if (fromName === '' || last < first) return null;
  const lines = linesOf(text);
  const numRows = last - first + 1;
  const hasHeader = lines.length === numRows + 1;
  if (lines.length > numRows + 1 || lines.every((line) => line.length < 2)) return null;
  const header = hasHeader ? (lines[0] ?? null) : null;
  const cells = hasHeader ? lines.slice(1) : lines;
  const isNumbered = hasHeader || cells.length === numRows;
  const width = columnNumber(toName) - columnNumber(fromName) + 1;
  const areAll = header ? header.length === width : cells.every((line) => line.length === width);
  return {
    columns: areAll ? Array.from({ length: width }, (_, index) => columnName(columnNumber(fromName) + index)) : null,
    header,
    rows: cells.map((line, index) => ({ number: isNumbered ? first + index : null, cells: line })),
  };
}

function linesOf(text: string): GridCell[][] {
  let at = 0;
  return text.split('\n').map((line) => {
    let start = at;
    at += line.length + 1;
    return line.split(between).map((words) => {
      const cell = { text: words.trim(), start, endExclusive: start + words.length };
      start = cell.endExclusive + between.length;
      return cell;
    });
  });
}
