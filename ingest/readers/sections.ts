/** Small pieces that all readers share: building numbered paragraphs and cleaning a line of text. */
import type { Section } from '../source.ts';

/** A heading says where a text stands; a whole sentence as one would crowd the text out of the embedder's window. */
export const mostHeadingCharacters = 120;

/** Builds the sections of a document that has paragraphs instead of pages. */
export function createParagraphs(): {
  add: (text: string) => void;
  /** A table's rows, each with its cells. `hasHeader`: the first row names the columns. */
  addTable: (rows: string[][], hasHeader: boolean) => void;
  startHeading: (heading: string) => void;
  sections: Section[];
} {
  const sections: Section[] = [];
  let heading: string | null = null;
  const add = (text: string) => {
    const cleaned = cleanText(text).trim();
    if (cleaned)
      sections.push({ text: cleaned, locator: { type: 'paragraph', paragraph: sections.length + 1 }, heading });
  };
  let numTables = 0;
  return {
    sections,
    add,
    addTable(rows, hasHeader) {
      numTables += 1;
      for (const section of rowsOfTable(rows, { hasHeader, table: numTables }))
        sections.push({ ...section, locator: { type: 'paragraph', paragraph: sections.length + 1 }, heading });
    },
    /** A heading stands in the text too: a person may quote it, and it must be findable by its words. */
    startHeading(text) {
      const cleaned = oneLine(text);
      if (!cleaned) return;
      heading = cleaned.slice(0, mostHeadingCharacters);
      add(cleaned);
    },
  };
}

export type TableLayout = {
  hasHeader: boolean;
  table: number;
  /** The first and the last cell of the row at this index, where cells have names. */
  cellsOf?: (row: number) => { first: string; last: string };
};

/**
 * A table's rows as texts: cells side by side with a bar between them, so that a number stays apart from its neighbour. Under
 * a header empty cells keep their place, without one they are left out. A header alone is a row.
 */
export function rowsOfTable(rows: readonly string[][], layout: TableLayout): Pick<Section, 'text' | 'row'>[] {
  const lines = rows.map((cells) => {
    const clean = cells.map(oneLine);
    if (!layout.hasHeader) return clean.filter((cell) => cell !== '').join(' | ');
    return clean.slice(0, clean.findLastIndex((cell) => cell !== '') + 1).join(' | ');
  });
  const hasHeader = layout.hasHeader && lines.slice(1).some((line) => /[^\s|]/.test(line));
  const sections: Pick<Section, 'text' | 'row'>[] = [];
  for (const [index, line] of lines.entries()) {
    if ((hasHeader && index === 0) || !/[^\s|]/.test(line)) continue;
    const header = hasHeader && sections.length === 0 ? { header: lines[0]! } : {};
    const cells = layout.cellsOf ? { cells: layout.cellsOf(index) } : {};
    sections.push({ text: line, row: { table: layout.table, ...header, ...cells } });
  }
  return sections;
}

const ligatures: Record<string, string> = {
  '\ufb00': 'ff',
  '\ufb01': 'fi',
  '\ufb02': 'fl',
  '\ufb03': 'ffi',
  '\ufb04': 'ffl',
  '\ufb05': 'st',
  '\ufb06': 'st',
};

/**
 * Folds what no person types or sees: Latin ligatures become letters, no-break spaces become spaces, control characters
 * and lone surrogates go. Everything else stays as written, so that quotes are the document's own words (full NFKC would
 * turn "x²" into "x2" and "①" into "1").
 */
export function cleanText(text: string): string {
  return (
    text
      .replace(/[\ufb00-\ufb06]/g, (ligature) => ligatures[ligature] ?? ligature)
      .replace(/\r\n?|[\u2028\u2029\u0085]/g, '\n')
      .replace(/[\u00a0\u202f\u2007\t\v\f]/g, ' ')
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
      .replace(/[\u0000-\u0008\u000e-\u001f\u007f-\u009f\ufeff\ufffe\uffff]/g, '')
      .replace(unseen, '')
      .toWellFormed()
  );
}

/**
 * Characters that nobody sees: zero-width spaces and marks, direction controls, the tag block, variation selectors on
 * anything but a Chinese character. They hide words from the person and show them to a model, or tear a word apart for the
 * search. The joiners stay where writing needs them: between Arabic or Indic letters, and within an emoji. What is taken out
 * here is in no passage, so a quote still stands in its passage letter for letter.
 */
const unseen =
  /[\u200b\u200e\u200f\u061c\u202a-\u202e\u2060-\u206f\ufff9-\ufffb\u{e0000}-\u{e007f}]|(?<![\p{Script=Arabic}\p{Script=Syriac}\p{Script=Mongolian}\p{Mn}\p{Mc}\p{Extended_Pictographic}\p{EMod}])[\u200c\u200d]|(?<!\p{Script=Han})[\u{e0100}-\u{e01ef}]/gu;

/** All white space to single spaces. */
export function oneLine(text: string): string {
  return cleanText(text).replace(/\s+/g, ' ').trim();
}

/** A file's name without its extension: the title where the document has none of its own. */
export function titleFromName(name: string): string {
  const dot = name.lastIndexOf('.');
  return dot > 0 ? name.slice(0, dot) : name;
}
