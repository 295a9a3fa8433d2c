/** CSV and TSV: bytes → one section per row, under the header where the first row is one. */
import type { ReadResult, Section } from '../source.ts';
import { columnName, looksLikeHeader } from './office/cells.ts';
import { ReadingRefused } from './refusal.ts';
import { rowsOfTable, titleFromName } from './sections.ts';
import { decodeText } from './text.ts';

const mostRows = 500_000;
const mostCellsOfRow = 16_384; // as many as a spreadsheet has columns

export function readSeparated(bytes: Uint8Array, name: string): ReadResult {
  const decoded = decodeText(bytes);
  if (decoded.type === 'junk') throw new ReadingRefused('damaged', decoded.detail);
  const text = decoded.text.replace(/^\ufeff/, '');
  const separator = /\.tsv$/i.test(name) ? '\t' : separatorOf(text);
  const rows: string[][] = [];
  const numbers: number[] = [];
  let number = 0;
  for (const row of rowsOf(text, separator)) {
    number += 1;
    if (row.every((cell) => cell.trim() === '')) continue;
    if (rows.length >= mostRows) throw new ReadingRefused('too-large', `It has more than ${mostRows} rows.`);
    rows.push(row);
    numbers.push(number);
  }
  const hasHeader = rows.length > 1 && looksLikeHeader(rows[0]!, rows.slice(1, 20));
  const sections: Section[] = rowsOfTable(rows, {
    hasHeader,
    table: 1,
    cellsOf: (row) => ({
      first: `A${numbers[row]}`,
      last: `${columnName(Math.max(1, rows[row]!.length))}${numbers[row]}`,
    }),
  }).map((section, index) => ({
    ...section,
    locator: { type: 'paragraph', paragraph: index + 1 },
    heading: null,
    label: 'Cells',
  }));
  if (sections.length === 0) throw new ReadingRefused('no-text', 'It holds no words.');
  return { type: 'read', kind: 'csv', title: titleFromName(name), numPages: null, sections };
}

/** The one of four marks that the first lines have alike most often. */
function separatorOf(text: string): string {
  const head = text.slice(0, 64 * 1024);
  let best = { separator: ',', score: 0 };
  for (const separator of [',', ';', '\t', '|']) {
    const widths: number[] = [];
    for (const row of rowsOf(head, separator)) {
      if (widths.length === 50) break;
      if (row.length > 1 || row[0] !== '') widths.push(row.length);
    }
    const common = widths.sort((a, b) => a - b)[Math.floor(widths.length / 2)] ?? 1;
    const score =
      common < 2 ? 0 : (widths.filter((width) => width === common).length / widths.length) * Math.sqrt(common);
    if (score > best.score) best = { separator, score };
  }
  return best.separator;
}

/** Rows of cells. A cell in quotes may hold the separator, line ends, and a quote written twice. */
function* rowsOf(text: string, separator: string): Generator<string[]> {
  const special = new RegExp(`[\\r\\n${separator === '|' ? '\\|' : separator}]`, 'g');
  let at = 0;
  let row: string[] = [];
  while (at <= text.length) {
    let cell = '';
    if (text[at] === '"') {
      at += 1;
      for (;;) {
        const quote = text.indexOf('"', at);
        cell += text.slice(at, quote === -1 ? text.length : quote);
        at = quote === -1 ? text.length : quote + 1;
        if (quote === -1 || text[at] !== '"') break;
        cell += '"';
        at += 1;
      }
    }
    special.lastIndex = at;
    const found = special.exec(text);
    const end = found?.index ?? text.length;
    cell += text.slice(at, end);
    if (row.length < mostCellsOfRow) row.push(cell);
    at = end + 1;
    if (found?.[0] === separator) continue;
    if (found?.[0] === '\r' && text[at] === '\n') at += 1;
    if (found || row.length > 1 || row[0] !== '') yield row;
    row = [];
  }
}
