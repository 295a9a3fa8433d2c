/** The rows of a table → chunks: whole rows where they fit, each chunk under the table's title and header. */
import type { Chunk, NamedCell, PlacedCell, Section, TableRow } from './source.ts';

/** A header that is longer takes the room of the rows that it is about. */
const headerShare = 0.4;

export type TableSplit = {
  countTokens: (text: string) => number;
  mostTokens: number;
  /** A text in parts of at most `budget` tokens. */
  cutText: (text: string, budget: number) => { text: string; numTokens: number }[];
};

/** What stands on one line of a chunk. `cells`: within its text. */
type Line = { section: Section; text: string; numTokens: number; cells: PlacedCell[] };

/**
 * The rows of the table that begins at `first`, as many to a chunk as fit. A row whose cells have named columns reads "label |
 * column: value | …"; one that is longer than a chunk is cut into several, between cells under its label again.
 */
export function* cutTable(
  sections: readonly Section[],
  first: number,
  split: TableSplit,
): Iterable<Omit<Chunk, 'ordinal'>> {
  const { countTokens, mostTokens } = split;
  const { row: firstRow, heading, label } = sections[first]!;
  const headingTokens = heading === null ? 0 : Math.min(Math.floor(mostTokens / 2), countTokens(heading) + 1);
  const top = firstRow?.named ? (firstRow.title ?? '') : (firstRow?.header ?? '');
  const header = shortened(top, Math.floor((mostTokens - headingTokens) * headerShare), countTokens);
  const budget = mostTokens - headingTokens - (header === '' ? 0 : countTokens(header) + 1);
  let lines: Line[] = [];
  let numTokens = 0;
  const chunk = (): Omit<Chunk, 'ordinal'> => {
    const range = { first: lines[0]!.section.row?.cells?.first, last: lines.at(-1)!.section.row?.cells?.last };
    const rangeWords = range.first && range.last ? `${range.first}:${range.last}` : '';
    let text = header;
    const cells: PlacedCell[] = [];
    for (const line of lines) {
      if (text !== '') text += '\n';
      for (const cell of line.cells)
        cells.push({ ...cell, start: cell.start + text.length, endExclusive: cell.endExclusive + text.length });
      text += line.text;
    }
    return {
      text,
      locator: lines[0]!.section.locator,
      heading,
      label: [label, rangeWords].filter(Boolean).join(' ') || undefined,
      ...(cells.length > 0 ? { cells } : {}),
    };
  };
  for (let at = first; sections[at]?.row?.table === firstRow?.table; at++)
    for (const line of linesOf(sections[at]!, budget, split)) {
      if (lines.length > 0 && numTokens + line.numTokens > budget) {
        yield chunk();
        lines = [];
        numTokens = 0;
      }
      lines.push(line);
      numTokens += line.numTokens;
    }
  if (lines.length > 0) yield chunk();
}

function linesOf(section: Section, budget: number, split: TableSplit): Line[] {
  const named = section.row?.named;
  if (named) return named.length === 0 ? [] : linesOfNamed(section, named, budget, split);
  return split.cutText(section.text, budget).map((part) => ({ section, ...part, cells: [] }));
}

/** A row by its named cells, on as many lines as it needs, each with its label. */
function linesOfNamed(section: Section, named: readonly NamedCell[], budget: number, split: TableSplit): Line[] {
  const [first, ...others] = named;
  const label = first && first.column === '' && others.length > 0 ? first : null;
  const lines: Line[] = [];
  let cells = label ? [label] : [];
  let numTokens = label ? split.countTokens(label.text) : 0;
  const labelTokens = numTokens;
  for (const cell of label ? others : named) {
    const cellTokens = split.countTokens(` | ${wordsOf(cell)}`);
    const isFull = numTokens + cellTokens > budget && cells.length > (label ? 1 : 0);
    if (isFull) {
      lines.push(lineOf(section, cells, label, numTokens));
      cells = label ? [label] : [];
      numTokens = labelTokens;
    }
    cells.push(cell);
    numTokens += cellTokens;
  }
  lines.push(lineOf(section, cells, label, numTokens));
  // A label or a value as long as a page is no cell: its words are kept, its places are not.
  return lines.flatMap((line) =>
    line.numTokens <= budget
      ? line
      : split.cutText(line.text, budget).map((part) => ({ section, ...part, cells: [] as PlacedCell[] })),
  );
}

function lineOf(section: Section, cells: readonly NamedCell[], label: NamedCell | null, numTokens: number): Line {
  let text = '';
  const placed: PlacedCell[] = [];
  for (const cell of cells) {
    if (text !== '') text += ' | ';
    const start = text.length;
    text += wordsOf(cell);
    placed.push({ start, endExclusive: text.length, isLabel: cell === label, box: cell.box });
  }
  return { section, text, numTokens, cells: placed };
}

function wordsOf({ column, text }: NamedCell): string {
  return column === '' ? text : `${column}: ${text}`;
}

/** The beginning of a text that has at most so many tokens, cut between the cells of a row where it has cells. */
function shortened(text: string, mostTokens: number, countTokens: (text: string) => number): string {
  let kept = text;
  for (let numTokens = countTokens(kept); kept !== '' && numTokens > mostTokens; numTokens = countTokens(kept)) {
    const share = Math.floor((kept.length * mostTokens) / numTokens);
    const bar = kept.lastIndexOf(' | ', share);
    kept = kept.slice(0, bar > 0 ? bar : Math.min(share, kept.length - 1)).trimEnd();
  }
  return kept;
}

/** Whether two sections are rows of the same table. */
export function areOfOneTable(one: { row?: TableRow }, other: { row?: TableRow }): boolean {
  return one.row !== undefined && one.row.table === other.row?.table;
}
