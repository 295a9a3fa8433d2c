/**
 * Tables of a PDF's page: rows, columns, heads and titles, recovered from where its words stand. A PDF has no tables, only
 * words at places; what is found are tables of numbers. Tables of prose stay text, in the order in which they were written.
 */
import type { PdfItem } from '../pdf-lines.ts';
import { oneLine } from '../sections.ts';
import { type CellLine, cellLinesOf } from './cells.ts';
import { headsOf, titleOf } from './heads.ts';
import { regionsOf } from './regions.ts';
import { type PdfRow, rowsOf } from './rows.ts';

export type PdfTable = {
  /** Which items of the page it is made of; the title's too where it is no part of the text. */
  items: Set<number>;
  /** Its title and unit in one line; '' if it has none. */
  title: string;
  /** Its title, where it stands nowhere else, and the lines that name its columns, as the page has them. */
  header: string;
  columns: string[];
  rows: PdfRow[];
};

/**
 * The tables of a page from the top. `shown`: the transform of the page's viewport at scale 1. `before`: the last table of the
 * page before; a table without a head at the top of a page, with as many columns, goes on with it.
 */
export function tablesOfPage(
  items: readonly PdfItem[],
  shown: readonly number[],
  before: PdfTable | null = null,
): PdfTable[] {
  const lines = cellLinesOf(items, shown);
  const regions = regionsOf(lines);
  const textWidth = Math.max(0, ...lines.map(({ cells }) => cells.at(-1)!.right - cells[0]!.left));
  const tables: PdfTable[] = [];
  let after = -1;
  for (const region of regions) {
    const heads = headsOf(lines, region, after);
    const isTop = tables.length === 0 && region.first < 6;
    const isHeadless = heads.columns.every((name) => name === '');
    const continued = isTop && isHeadless && before?.columns.length === region.columns.length ? before : null;
    const columns = (continued?.columns ?? heads.columns).map(oneLine);
    if (isHeadless && !continued && region.columns.length < 2 && !hasMoney(lines, region.first, region.last)) continue;
    const title = titleOf(lines, heads.first, after, textWidth);
    const own = [...(title?.lines ?? []), ...heads.lines];
    // Groups named before the first number are rows already.
    const firstRow = heads.lines.length > 0 ? heads.lines.at(-1)! + 1 : region.first;
    const rows = rowsOf(lines, firstRow, region, columns).map(cleanRow);
    const taken = [...own, ...range(firstRow, region.last)];
    const above = tables.at(-1);
    const followsAt = heads.first - after;
    const inherited = continued ?? (above && followsAt <= 2 ? above : null);
    tables.push({
      items: new Set(taken.flatMap((at) => lines[at]!.cells.flatMap((cell) => cell.items))),
      title: oneLine([title?.text ?? inherited?.title ?? '', /\(/.test(heads.stub) ? heads.stub : ''].join(' ')),
      header: own.map((at) => oneLine(lines[at]!.cells.map(({ text }) => text).join(' | '))).join('\n'),
      columns,
      rows,
    });
    after = region.last;
  }
  return tables;
}

function cleanRow({ text, named }: PdfRow): PdfRow {
  return { text: oneLine(text), named: named.map((cell) => ({ ...cell, text: oneLine(cell.text) })) };
}

function hasMoney(lines: readonly CellLine[], first: number, last: number): boolean {
  return range(first, last).some((at) => lines[at]!.cells.some(({ text }) => /[$€£¥₹%]|\d[.,]\d/.test(text)));
}

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}
