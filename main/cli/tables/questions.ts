/**
 * Questions made by program from the rows of a filing's tables: a row's label and a column's name ask for the value where they
 * meet. The page is known since the row was taken from it.
 *
 * This reads pages in its own way, not with what reads them for the library: lines of words, heads that are nothing but years
 * or dates, rows with exactly as many numbers as the head has columns. What is less plain is left out, so the set asks about
 * the plain part of tables only; but what is asked does not depend on what the app could read.
 */
import { createHash } from 'node:crypto';
import { openPdf } from '../../../ingest/readers/pdf-engine.ts';

export type TableQuestion = {
  id: string;
  question: string;
  file: string;
  page: number;
  label: string;
  column: string;
  /** As the page has it, without signs of currency: "(2,028)", "8.4 %". */
  value: string;
};

type Word = { text: string; left: number; right: number; y: number; size: number };
export type TextLine = { y: number; size: number; words: Word[] };
/** The lines of each page from the top. */
export type PageLines = TextLine[][];

/** All words of a PDF by lines: words on one baseline, from left to right; what pdf.js calls one item is one word. */
export async function linesOfPdf(bytes: Uint8Array): Promise<PageLines> {
  const task = openPdf(bytes);
  try {
    const pdf = await task.promise;
    const pages: PageLines = [];
    for (let number = 1; number <= pdf.numPages; number++) {
      const page = await pdf.getPage(number);
      const { items } = await page.getTextContent();
      const words = items.flatMap((item): Word[] => {
        if (!('str' in item) || item.str.trim() === '') return [];
        const [, , , , left = 0, y = 0] = item.transform as number[];
        return [{ text: item.str.trim(), left, right: left + item.width, y: -y, size: item.height }];
      });
      words.sort((one, other) => one.y - other.y || one.left - other.left);
      const lines: TextLine[] = [];
      for (const word of words) {
        const last = lines.at(-1);
        if (last && word.y - last.y < 3) last.words.push(word);
        else lines.push({ y: word.y, size: word.size, words: [word] });
      }
      for (const { words: some } of lines) some.sort((one, other) => one.left - other.left);
      pages.push(lines);
    }
    return pages;
  } finally {
    await task.destroy();
  }
}

const year = /^(?:19|20)\d\d$/;
const date =
  /^(?:January|February|March|April|May|June|July|August|September|October|November|December) \d{1,2}, (?:19|20)\d\d$/;
const period =
  /^(?:Three|Six|Nine|Twelve) Months Ended$|^(?:Three|Six|Nine|Twelve) Months Ended [A-Z][a-z]+ \d{1,2},$|^(?:Year|Quarter) Ended [A-Z][a-z]+ \d{1,2},$|^[A-Z][a-z]+ \d{1,2},$/;
const number = /^\(?\d[\d,]*(?:\.\d+)?\)?$/;

type Head = { names: string[]; middles: number[]; left: number };

/** A row of numbers under a head, on its page. */
export type Row = { page: number; label: string; values: { column: string; value: string }[] };

/** The plain rows of a document's tables. */
export function rowsOfTables(pages: PageLines): Row[] {
  const rows: Row[] = [];
  for (const [index, lines] of pages.entries()) {
    let head: Head | null = null;
    let above: TextLine | null = null;
    for (const [at, line] of lines.entries()) {
      const next = headOf(lines, at);
      if (next) {
        head = next;
        above = line;
        continue;
      }
      // Rows of one table are not far apart, and no line of prose stands between them.
      if (above && line.y - above.y > 3.5 * line.size) head = null;
      above = line;
      if (!head) continue;
      const [label, ...others] = line.words;
      if (!label) continue;
      if (others.length === 0) {
        if (label.right > head.left) head = null;
        continue;
      }
      const values = valuesOf(others);
      const belongs =
        values !== null &&
        values.length === head.names.length &&
        values.every((value, column) => nearest(head!.middles, (value.left + value.right) / 2) === column);
      if (!belongs || !values || label.right > head.left) continue;
      const columns = head.names;
      rows.push({
        page: index + 1,
        label: label.text,
        values: values.map(({ text }, column) => ({ column: columns[column]!, value: text })),
      });
    }
  }
  return rows;
}

/** Numbers with "$" before or "%" behind; null if anything else stands there. */
function valuesOf(words: readonly Word[]): Word[] | null {
  const values: Word[] = [];
  for (const word of words) {
    const last = values.at(-1);
    if (/^\$$/.test(word.text)) continue;
    if (word.text === '%' && last) last.text += ' %';
    else if (number.test(word.text) || word.text === '—') values.push({ ...word });
    else return null;
  }
  return values;
}

/** A line of nothing but years or dates, with the lines of periods right above it, each over as many columns as the others. */
function headOf(lines: readonly TextLine[], at: number): Head | null {
  const { words } = lines[at]!;
  const isHead =
    words.length >= 2 && (words.every(({ text }) => year.test(text)) || words.every(({ text }) => date.test(text)));
  if (!isHead) return null;
  const middles = words.map(({ left, right }) => (left + right) / 2);
  const names = words.map(({ text }) => text);
  for (let line = at - 1; line >= Math.max(0, at - 2); line--) {
    const over = lines[line]!.words;
    if (!over.every(({ text }) => period.test(text)) || lines[at]!.y - lines[line]!.y > 4 * lines[at]!.size) break;
    const size = names.length / over.length;
    if (!Number.isInteger(size)) return null;
    for (const [column] of names.entries()) names[column] = `${over[Math.floor(column / size)]!.text} ${names[column]}`;
  }
  if (new Set(names).size < names.length) return null;
  return { names, middles, left: Math.min(...words.map(({ left }) => left)) - 10 };
}

/** Numbers stand at the right of their column, its name in its middle: the nearest name decides, if it is plainly so. */
function nearest(middles: readonly number[], at: number): number {
  const byDistance = [...middles.keys()].sort(
    (one, other) => Math.abs(middles[one]! - at) - Math.abs(middles[other]! - at),
  );
  return byDistance[0]!;
}

const fold = (text: string): string =>
  text
    .toLowerCase()
    .replace(/[’‘]/g, "'")
    .replace(/[^\p{L}\p{N}]+/gu, ' ')
    .trim();

/**
 * One question for each row whose label stands on one page of the document only, and there as one row's label only. Which of
 * the columns is asked for depends on the words alone, so that the set is always the same.
 */
export function questionsOf(file: string, pages: PageLines): TableQuestion[] {
  const texts = pages.map(
    (lines) => ` ${fold(lines.flatMap(({ words }) => words.map(({ text }) => text)).join(' '))} `,
  );
  const rows = rowsOfTables(pages);
  return rows.flatMap((row): TableQuestion[] => {
    const label = fold(row.label);
    const isWhole = /^\p{Lu}/u.test(row.label) && label.length >= 8 && label.includes(' ') && !row.label.endsWith(':');
    const numPages = texts.filter((text) => text.includes(` ${label} `)).length;
    const numRows = rows.filter((other) => fold(other.label) === label).length;
    if (!isWhole || numPages !== 1 || numRows !== 1) return [];
    const told = row.values.filter(
      ({ value }) =>
        value.replace(/\D/g, '').length >= 2 && row.values.filter((other) => other.value === value).length === 1,
    );
    if (told.length === 0) return [];
    const digest = createHash('sha256').update(`${file}\0${row.label}`).digest();
    const { column, value } = told[digest.readUInt32BE(0) % told.length]!;
    const id = digest.toString('hex').slice(0, 12);
    return [{ id, question: wordsOf(row.label, column), file, page: row.page, label: row.label, column, value }];
  });
}

/** "What was Interest income for the three months ended June 30, 2023?" */
function wordsOf(label: string, column: string): string {
  const name = label.replace(/\s*(?:\(\d\))+$/, '');
  if (date.test(column)) return `What was ${name} as of ${column}?`;
  if (year.test(column)) return `What was ${name} in ${column}?`;
  return `What was ${name} for the ${column.replace(/^(\w+) Months Ended/, (words) => words.toLowerCase()).replace(/^Year Ended/, 'year ended')}?`;
}
