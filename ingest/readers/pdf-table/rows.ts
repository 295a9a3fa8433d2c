/** The rows of a table: labels of several lines put together, sub-rows under their parents, numbers under their columns. */
import type { NamedCell } from '../../source.ts';
import { boxOf, type Cell, type CellLine } from './cells.ts';
import { columnOf, labelOf, type Region, valuesOf } from './regions.ts';

export type PdfRow = {
  /** As the page has it, its cells with bars between. */
  text: string;
  /** The label with its parent first, then the numbers; empty for a row that only names those under it. */
  named: NamedCell[];
};

type Part = { line: CellLine; cell: Cell };
/** A row before its parents are known: the cells of its label, from the top, and its values. */
type Draft = { label: Part[]; values: Part[] };
type Parent = { words: string; left: number; childLeft: number | null };

const indentSlack = 2.5;
/** Words that no label ends with. */
const goesOn = /(?:,|[-–—/&(]|\b(?:and|or|of|the|in|to|for|from|with|by|on|at|net|as|an?))$/i;

/** The rows of lines `from` to `region.last`. `names`: the columns' names. */
export function rowsOf(lines: readonly CellLine[], from: number, region: Region, names: readonly string[]): PdfRow[] {
  const parents: Parent[] = [];
  return draftsOf(lines, from, region).map(({ label, values }) => {
    const words = label.map(({ cell }) => cell.text).join(' ');
    const left = label[0]?.cell.left ?? Number.POSITIVE_INFINITY;
    const text = [words, ...values.map(({ cell }) => cell.text)].filter((part) => part !== '').join(' | ');
    if (values.length === 0) {
      enterGroup(parents, words, left);
      return { text, named: [] };
    }
    if (label.length > 0) leaveGroups(parents, left);
    // A sum without a label is of nobody knows which group.
    const path = label.length > 0 ? [parents.at(-1)?.words ?? '', words].filter((part) => part !== '') : [];
    const named: NamedCell[] = values.map((part) => ({
      column: names[columnOf(region.columns, part.cell)] ?? '',
      text: part.cell.text,
      box: boxOf([part]),
    }));
    if (path.length > 0)
      named.unshift({ column: '', text: joinPath(path), box: boxOf(label.length > 0 ? label : values) });
    return { text, named };
  });
}

function joinPath(path: readonly string[]): string {
  return path.map((words, at) => (at < path.length - 1 && !/[:：]$/.test(words) ? `${words}:` : words)).join(' ');
}

/** A group ends the groups at its left and right; a heading in capitals stands above one that has none. */
function enterGroup(parents: Parent[], words: string, left: number): void {
  const isLoud = isCapitals(words);
  while (parents.length > 0) {
    const last = parents.at(-1)!;
    const hasEnded =
      last.childLeft !== null && last.childLeft > last.left + indentSlack && left <= last.left + indentSlack;
    const isBelow = last.left < left - indentSlack || (!isLoud && isCapitals(last.words));
    if (isBelow && !hasEnded) break;
    parents.pop();
  }
  parents.push({ words, left, childLeft: null });
}

/** The groups whose rows are over: one whose first row stood further right ends with a row that does not. */
function leaveGroups(parents: Parent[], left: number): void {
  while (parents.length > 0) {
    const last = parents.at(-1)!;
    last.childLeft ??= left;
    const childrenAreRight = last.childLeft > last.left + indentSlack;
    if (!childrenAreRight || left > last.left + indentSlack) return;
    parents.pop();
  }
}

function isCapitals(words: string): boolean {
  return /\p{Lu}/u.test(words) && !/\p{Ll}/u.test(words);
}

/** Lines that belong to one row put together. */
function draftsOf(lines: readonly CellLine[], from: number, region: Region): Draft[] {
  const drafts: Draft[] = [];
  const rowGap = usualRowGap(lines, from, region);
  let open: Part[] = [];
  const endLabel = () => {
    if (open.length > 0) drafts.push({ label: open, values: [] });
    open = [];
  };
  for (let at = from; at <= region.last; at++) {
    const line = lines[at]!;
    const values = valuesOf(line, region.columns);
    const label = values ? labelOf(line, values) : (line.cells[0] ?? null);
    const above = open.at(-1);
    const part = label ? [{ line, cell: label }] : [];
    if (above && !(label && continues(above, { line, cell: label }, rowGap, region))) endLabel();
    if (values) {
      drafts.push({ label: [...open, ...part], values: values.map((cell) => ({ line, cell })) });
      open = [];
      continue;
    }
    const last = drafts.at(-1);
    const [only] = part;
    // "of tax" under "Income, net | 5 | 6": the rest of a label whose numbers stand on its first line.
    const above2 = open.length === 0 ? last?.label.at(-1) : undefined;
    if (only && above2 && last!.values.length > 0 && isRest(above2, only, rowGap)) last!.label.push(only);
    else open.push(...part);
  }
  endLabel();
  return drafts;
}

function usualRowGap(lines: readonly CellLine[], from: number, region: Region): number {
  const gaps: number[] = [];
  for (let at = from + 1; at <= region.last; at++)
    if (valuesOf(lines[at]!, region.columns) && valuesOf(lines[at - 1]!, region.columns))
      gaps.push(lines[at]!.baseline - lines[at - 1]!.baseline);
  gaps.sort((one, other) => one - other);
  return gaps[Math.floor(gaps.length / 2)] ?? 0;
}

/** Whether a line of words goes on in the next one: closer than rows are, or plainly unfinished. */
function continues(above: Part, below: Part, rowGap: number, region: Region): boolean {
  if (/[:：]$/.test(above.cell.text)) return false;
  const gap = below.line.baseline - above.line.baseline;
  const isTight = rowGap > 0 && gap < 0.88 * rowGap;
  if (rowGap > 0 && gap > 1.3 * rowGap) return false;
  const startsInside = /^[\p{Ll}$(]|^\d/u.test(below.cell.text) || goesOn.test(above.cell.text);
  const columnsLeft = region.columns[0]?.left ?? 0;
  const isFull = above.cell.right > columnsLeft - 0.12 * (columnsLeft - above.cell.left);
  const isAligned = Math.abs(below.cell.left - above.cell.left) < 12;
  return isAligned && (isTight || startsInside || (isFull && !isCapitals(above.cell.text)));
}

function isRest(above: Part, below: Part, rowGap: number): boolean {
  const gap = below.line.baseline - above.line.baseline;
  const isAligned = Math.abs(below.cell.left - above.cell.left) < 12;
  const isTight = rowGap > 0 && gap < 0.88 * rowGap;
  return isAligned && isTight && (/^[\p{Ll}$(]/u.test(below.cell.text) || goesOn.test(above.cell.text));
}
