/** What stands above a table's numbers: the names of its columns, and its title with the unit. */
import { sentencesOf } from '../../sentences.ts';
import { type Cell, type CellLine, isValue, isYear, partedFiner } from './cells.ts';
import { type Column, type Region, valuesOf } from './regions.ts';

export type Heads = {
  /** The first line of the head, or of what stands before the first row: the table begins here. */
  first: number;
  /** The lines that name columns, from the top. */
  lines: number[];
  /** One for each column; '' where nothing stands above it. */
  columns: string[];
  /** What stands above the labels: "(In millions, unaudited)", "Region". */
  stub: string;
};

const mostHeadLines = 6;
const widestHeadGap = 2.6;

/** The head of a region: lines right above it whose cells stand over its columns. */
export function headsOf(lines: readonly CellLine[], region: Region, after: number): Heads {
  const { columns } = region;
  const labelsLeft = leftOfLabels(lines, region);
  let at = region.first - 1;
  // Between the head and the first row with numbers a group may be named: "Operating expenses:".
  let top = region.first;
  while (at > after && region.first - at <= 4 && isNear(lines, at) && isGroupName(lines[at]!, columns, labelsLeft))
    at -= 1;
  const head: number[] = [];
  const parted = new Map<number, CellLine>();
  const beside: number[] = [];
  while (at > after && head.length < mostHeadLines && isNear(lines, at)) {
    const headAt = (place: number): CellLine | undefined =>
      [lines[place]!, partedFiner(lines[place]!)].find((one) => isHead(one, columns, labelsLeft));
    const line = headAt(at);
    // What stands over the labels may be on lines between those over the columns: "(in millions)".
    const isBeside = !line && head.length > 0 && isOverLabels(lines[at]!, columns) && at - 1 > after;
    if (!line && !(isBeside && isNear(lines, at - 1) && headAt(at - 1))) break;
    if (line) {
      parted.set(at, line);
      head.unshift(at);
    } else beside.push(at);
    at -= 1;
  }
  // "(in millions)" above the names of the columns belongs to the title.
  while (head.length > 1 && lines[head[0]!]!.cells.every(({ text }) => /^\(.*\)$/.test(text))) head.shift();
  if (head.length > 0) top = head[0]!;
  const all = [...head, ...beside.filter((line) => line > top)].sort((one, other) => one - other);
  const stub = all.flatMap((line) => {
    const known = parted.get(line);
    return stubOf(known ?? lines[line]!, columns, labelsLeft, !known)?.text ?? [];
  });
  const names = namesOf(
    head.map((line) => parted.get(line)!),
    columns,
    labelsLeft,
  );
  return { first: top, lines: all, stub: stub.join(' '), columns: names };
}

function isOverLabels({ cells }: CellLine, columns: readonly Column[]): boolean {
  return cells.length === 1 && cells[0]!.right < (columns[0]?.left ?? 0);
}

function isNear(lines: readonly CellLine[], at: number): boolean {
  const [line, next] = [lines[at]!, lines[at + 1]!];
  return next.baseline - line.baseline <= widestHeadGap * Math.max(line.size, next.size);
}

function leftOfLabels(lines: readonly CellLine[], { first, last, columns }: Region): number {
  let left = columns[0]?.left ?? 0;
  for (let at = first; at <= last; at++) left = Math.min(left, lines[at]!.cells[0]?.left ?? left);
  return left;
}

function isGroupName(line: CellLine, columns: readonly Column[], labelsLeft: number): boolean {
  const [cell, more] = line.cells;
  return (
    cell !== undefined &&
    more === undefined &&
    !isValue(cell.text) &&
    cell.right < (columns[0]?.left ?? 0) &&
    (cell.left < labelsLeft + 40 || !/\p{Ll}/u.test(cell.text))
  );
}

/** The name of the label column, where it has one, stands at the left of the line. */
function stubOf(line: CellLine, columns: readonly Column[], labelsLeft: number, isAlone = false): Cell | null {
  const [cell] = line.cells;
  const isLeft =
    cell && (isAlone || line.cells.length > 1) && cell.left < labelsLeft + 24 && !standsOver(cell, columns);
  return isLeft ? cell : null;
}

function isHead(line: CellLine, columns: readonly Column[], labelsLeft: number): boolean {
  const values = valuesOf(line, columns);
  if (values !== null && !values.every(({ text }) => isYear(text))) return false;
  const stub = stubOf(line, columns, labelsLeft);
  const cells = line.cells.filter((cell) => cell !== stub);
  const [only, more] = cells;
  // The last line of the paragraph above may be as wide as the table.
  if (only && !more && (only.left < labelsLeft + 24 || /[.:;]$/.test(only.text))) return false;
  return cells.length > 0 && cells.every((cell) => standsOver(cell, columns));
}

function standsOver({ left, right }: Column, columns: readonly Column[]): boolean {
  const [first, last] = [columns[0], columns.at(-1)];
  if (!first || !last) return false;
  const slack = 0.6 * pitchOf(columns);
  const shared = Math.min(right, last.right + slack) - Math.max(left, first.left - slack);
  return shared > 0.75 * (right - left);
}

/** How far the columns' middles are apart; of a single column a guess. */
function pitchOf(columns: readonly Column[]): number {
  if (columns.length < 2) return 70;
  return (middle(columns.at(-1)!) - middle(columns[0]!)) / (columns.length - 1);
}

function middle({ left, right }: Column): number {
  return (left + right) / 2;
}

/** The words above each column, from the top: "Three Months Ended June 30, 2023". */
function namesOf(head: readonly CellLine[], columns: readonly Column[], labelsLeft: number): string[] {
  const names = columns.map((): string[] => []);
  const cellsOf = (line: CellLine): Cell[] => {
    const stub = stubOf(line, columns, labelsLeft);
    return line.cells.filter((cell) => cell !== stub);
  };
  // Numbers may stand at the right edge of a wide column: a line that names each column shows where their middles are.
  const full = head.findLast((line) => cellsOf(line).length === columns.length);
  const middles = full === undefined ? columns.map(middle) : cellsOf(full).map(middle);
  let above = new Map<Cell, number[]>();
  for (const line of head) {
    const cells = cellsOf(line);
    // "Three Months Ended" and "June 30," right under it are one name.
    const twins = [...above.keys()];
    const slack = 0.2 * pitchOf(columns);
    const isSame =
      twins.length === cells.length && cells.every((cell, i) => Math.abs(middle(cell) - middle(twins[i]!)) < slack);
    above = isSame
      ? new Map(cells.map((cell, i) => [cell, above.get(twins[i]!)!]))
      : cellsOverColumns(cells, columns, middles, line !== head.at(-1));
    for (const [cell, over] of above) for (const index of over) names[index]!.push(cell.text);
  }
  return names.map((words) => words.join(' '));
}

/**
 * Which columns each cell of a line of the head names. One that stands over the middle of a group of columns names them all:
 * where the groups are of one size, that is plain. Else a cell right over a column names that one; a cell between columns is
 * taken to reach as far to the left as to the right, over what no other cell stands right over.
 */
function cellsOverColumns(
  cells: readonly Cell[],
  columns: readonly Column[],
  middles: readonly number[],
  hasMoreBelow: boolean,
): Map<Cell, number[]> {
  const pitch = pitchOf(columns);
  const groupSize = columns.length / cells.length;
  const groupOf = (index: number): number[] =>
    columns.map((_, at) => at).slice(index * groupSize, (index + 1) * groupSize);
  const isOverGroup = (cell: Cell, group: number[]): boolean => {
    const [first, last] = [group[0]!, group.at(-1)!];
    const byEdges = (columns[first]!.left + columns[last]!.right) / 2;
    const byMiddles = (middles[first]! + middles[last]!) / 2;
    const away = Math.min(Math.abs(middle(cell) - byEdges), Math.abs(middle(cell) - byMiddles));
    if (groupSize === 1) return away < 0.5 * pitch;
    // Of an even group the middle is between two columns.
    const isOverOne = groupSize % 2 === 0 && group.some((at) => Math.abs(middle(cell) - middles[at]!) < away);
    return away < 0.35 * pitch && !isOverOne;
  };
  const mayBeGroups = Number.isInteger(groupSize) && (hasMoreBelow || cells.length > 1 || columns.length <= 2);
  if (mayBeGroups && cells.every((cell, index) => isOverGroup(cell, groupOf(index))))
    return new Map(cells.map((cell, index) => [cell, groupOf(index)]));

  const over = new Map<Cell, number[]>();
  const free = new Set(columns.keys());
  const spanning: Cell[] = [];
  for (const cell of cells) {
    const at = columns.findIndex((column, index) => {
      const away = Math.abs(middle(cell) - middles[index]!);
      const isFlush = Math.abs(cell.right - column.right) < 3 && away < 0.6 * pitch && cell.right - cell.left < pitch;
      return free.has(index) && (away < 0.3 * pitch || isFlush);
    });
    const isWide = cell.right - cell.left > 1.6 * pitch;
    if (at === -1 || isWide) spanning.push(cell);
    else over.set(cell, [at]);
    if (at !== -1 && !isWide) free.delete(at);
  }
  for (const cell of spanning) {
    const reached: number[] = [];
    const byDistance = [...free].sort(
      (a, b) => Math.abs(middles[a]! - middle(cell)) - Math.abs(middles[b]! - middle(cell)),
    );
    const others = spanning.filter((other) => other !== cell);
    for (const at of byDistance) {
      const distance = Math.abs(middles[at]! - middle(cell));
      if (others.some((other) => Math.abs(middles[at]! - middle(other)) < distance)) continue;
      const mirrored = 2 * middle(cell) - middles[at]!;
      const hasTwin = [...free].some((other) => Math.abs(middles[other]! - mirrored) < 0.6 * pitch);
      if (hasTwin || covers(cell, columns[at]!)) reached.push(at);
    }
    over.set(cell, reached);
  }
  return over;
}

/** A cell so wide that it spans a column names it, wherever its own middle is. */
function covers(cell: Column, column: Column): boolean {
  const shared = Math.min(cell.right, column.right) - Math.max(cell.left, column.left);
  return shared > 0.6 * (column.right - column.left);
}

export type Title = {
  text: string;
  /** The lines that are nothing but the title; none where it is the last sentence of a paragraph. */
  lines: number[];
};

const mostTitleLines = 5;
const mostTitleCharacters = 280;

/**
 * What is written right above a table: its centred lines ("CONSOLIDATED BALANCE SHEETS", "(in millions)"), or the last sentence
 * of the paragraph that announces it. `textWidth`: how wide the page's widest line is.
 */
export function titleOf(lines: readonly CellLine[], first: number, after: number, textWidth: number): Title | null {
  const taken: number[] = [];
  for (let at = first - 1; at > after && taken.length < mostTitleLines; at--) {
    const [line, next] = [lines[at]!, lines[at + 1]!];
    const widestGap = taken.length === 0 ? 3.2 : 1.75;
    if (next.baseline - line.baseline > widestGap * Math.max(line.size, next.size)) break;
    if (line.cells.length > 1 || isValue(line.cells[0]!.text)) break;
    taken.unshift(at);
  }
  if (taken.length === 0) return null;
  const isShort = (at: number) => lines[at]!.cells[0]!.right - lines[at]!.cells[0]!.left < 0.62 * textWidth;
  const texts = taken.map((at) => lines[at]!.cells[0]!.text);
  if (taken.every(isShort)) {
    const text = texts.join(' ').slice(0, mostTitleCharacters);
    return /[\p{L}]/u.test(text) ? { text, lines: taken } : null;
  }
  const paragraph = texts.join(' ');
  const last = sentencesOf(paragraph).at(-1);
  let sentence = last ? paragraph.slice(last.from, last.to) : '';
  // Its end says the unit.
  if (sentence.length > mostTitleCharacters) sentence = sentence.slice(-mostTitleCharacters).replace(/^\S*\s+/, '');
  return /\p{L}{3}/u.test(sentence) ? { text: sentence, lines: [] } : null;
}
