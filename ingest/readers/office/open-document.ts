/** ODT, ODS and ODP (OpenDocument): bytes → paragraphs, sheets or slides. */
import type { ReadResult, Section } from '../../source.ts';
import { ReadingRefused } from '../refusal.ts';
import {
  cleanText,
  createParagraphs,
  mostHeadingCharacters,
  oneLine,
  rowsOfTable,
  titleFromName,
} from '../sections.ts';
import { attributeOf, childrenOf, descendantsOf, elementAt, textBelow, type XmlElement } from '../xml.ts';
import { openZip, type Zip } from '../zip-limits.ts';
import { type SheetRow, sectionsOfSheet } from './cells.ts';
import { partOf } from './package.ts';

/** A row or cell may say that it stands a million times: empty ones are skipped, others believed up to this. */
const mostRepeats = 1000;
const mostCells = 2_000_000;

type Read = Omit<Extract<ReadResult, { type: 'read' }>, 'type' | 'kind'>;

export function readOdt(bytes: Uint8Array, name: string): ReadResult {
  const { body, title } = openBody(bytes);
  const text = elementAt(body, 'text');
  if (!text) throw new ReadingRefused('damaged', 'It holds no text document.');
  const paragraphs = createParagraphs();
  let firstHeading = '';
  const walk = (element: XmlElement) => {
    if (element.name === 'h') {
      const heading = wordsOf(element);
      firstHeading ||= oneLine(heading);
      paragraphs.startHeading(heading);
    } else if (element.name === 'p') {
      paragraphs.add(wordsOf(element));
      // Text boxes and notes hang within a paragraph, as paragraphs of their own.
      for (const inner of innerBlocks(element)) walk(inner);
    } else if (element.name === 'table') {
      const rows = [...rowsOf(element)].flatMap(({ cells, repeats }) => new Array(Math.min(repeats, 10)).fill(cells));
      paragraphs.addTable(rows, childrenOf(element, 'table-header-rows').length > 0);
    } else if (!isAside(element)) for (const child of childrenOf(element)) walk(child);
  };
  walk(text);
  return finish('odt', {
    title: title || firstHeading || titleFromName(name),
    numPages: null,
    sections: paragraphs.sections,
  });
}

export function readOds(bytes: Uint8Array, name: string): ReadResult {
  const { body, title } = openBody(bytes);
  const book = elementAt(body, 'spreadsheet');
  if (!book) throw new ReadingRefused('damaged', 'It holds no spreadsheet.');
  const sections: Section[] = [];
  let numTables = 0;
  let numCells = 0;
  for (const [index, sheet] of childrenOf(book, 'table').entries()) {
    const rows: SheetRow[] = [];
    let number = 0;
    for (const { places, repeats } of rowsOf(sheet)) {
      const times = places.length === 0 ? 0 : Math.min(repeats, mostRepeats);
      for (let time = 0; time < times; time++) rows.push({ row: number + time + 1, cells: places });
      numCells += times * places.length;
      if (numCells > mostCells) throw new ReadingRefused('too-large', `It has more than ${mostCells} cells.`);
      number += repeats;
    }
    const read = sectionsOfSheet(attributeOf(sheet, 'name') ?? `${index + 1}`, rows, numTables);
    numTables = read.numTables;
    for (const section of read.sections) sections.push(section);
  }
  for (const [index, section] of sections.entries()) section.locator = { type: 'paragraph', paragraph: index + 1 };
  return finish('ods', { title: title || titleFromName(name), numPages: null, sections });
}

export function readOdp(bytes: Uint8Array, name: string): ReadResult {
  const { body, title } = openBody(bytes);
  const show = elementAt(body, 'presentation');
  if (!show) throw new ReadingRefused('damaged', 'It holds no presentation.');
  const slides = childrenOf(show, 'page');
  const sections: Section[] = [];
  let firstTitle = '';
  let numTables = 0;
  for (const [index, slide] of slides.entries()) {
    const lines: string[] = [];
    let slideTitle = '';
    const tables: string[][][] = [];
    const walk = (element: XmlElement) => {
      if (element.name === 'notes') return;
      if (element.name === 'p' || element.name === 'h') {
        lines.push(wordsOf(element));
        for (const inner of innerBlocks(element)) walk(inner);
      } else if (element.name === 'table') tables.push([...rowsOf(element)].map(({ cells }) => cells));
      else if (!isAside(element)) {
        const numBefore = lines.length;
        for (const child of childrenOf(element)) walk(child);
        if (attributeOf(element, 'presentation:class') === 'title')
          slideTitle ||= oneLine(lines.slice(numBefore).join(' '));
      }
    };
    for (const child of childrenOf(slide)) walk(child);
    firstTitle ||= slideTitle;
    const place = {
      locator: { type: 'page', page: index + 1 } as const,
      heading: slideTitle.slice(0, mostHeadingCharacters) || null,
    };
    const label = `Slide ${index + 1}`;
    const text = cleanText(lines.join('\n')).trim();
    if (text) sections.push({ text, ...place, label });
    for (const rows of tables) {
      numTables += 1;
      for (const row of rowsOfTable(rows, { hasHeader: rows.length > 1, table: numTables }))
        sections.push({ ...row, ...place, label });
    }
    const notes = [...descendantsOf(elementAt(slide, 'notes'), 'p')].map(wordsOf).join('\n');
    if (notes.trim()) sections.push({ text: cleanText(notes).trim(), ...place, label: `Notes of slide ${index + 1}` });
  }
  return finish('odp', {
    title: title || firstTitle || titleFromName(name),
    numPages: slides.length || null,
    sections,
  });
}

function finish(kind: 'odt' | 'ods' | 'odp', read: Read): ReadResult {
  if (read.sections.length === 0) throw new ReadingRefused('no-text', 'The document opens but holds no text.');
  return { type: 'read', kind, ...read, title: read.title.slice(0, 200) };
}

function openBody(bytes: Uint8Array): { zip: Zip; body: XmlElement | undefined; title: string } {
  const zip = openZip(bytes);
  for (const _ of descendantsOf(partOf(zip, 'META-INF/manifest.xml'), 'encryption-data'))
    throw new ReadingRefused('password', 'It is encrypted.');
  if (!zip.has('content.xml')) throw new ReadingRefused('damaged', 'The archive holds no OpenDocument file.');
  const title = oneLine(textBelow(elementAt(partOf(zip, 'meta.xml'), 'meta', 'title')));
  return { zip, body: elementAt(partOf(zip, 'content.xml'), 'body'), title };
}

/** What is no text of the document's own: changes that were struck out, comments, forms, what a picture is called. */
function isAside(element: XmlElement): boolean {
  return ['tracked-changes', 'annotation', 'forms', 'sequence-decls', 'title', 'desc', 'binary-data', 'math'].includes(
    element.name,
  );
}

function isBlock(element: XmlElement): boolean {
  return ['text-box', 'table', 'note-body', 'list'].includes(element.name);
}

/** The words of a paragraph as they run, without the blocks that hang in it. */
function wordsOf(element: XmlElement): string {
  let text = '';
  for (const child of element.children) {
    // White space is one space here; more are written as elements.
    if (typeof child === 'string') text += child.replace(/\s+/g, ' ');
    else if (child.name === 's') text += ' '.repeat(Math.min(100, Number(attributeOf(child, 'c') ?? 1) || 1));
    else if (child.name === 'tab') text += ' ';
    else if (child.name === 'line-break') text += '\n';
    else if (!isAside(child) && !isBlock(child) && child.name !== 'note-citation') text += wordsOf(child);
  }
  return text;
}

function* innerBlocks(element: XmlElement): Generator<XmlElement> {
  for (const child of childrenOf(element)) {
    if (isBlock(child)) yield child;
    else if (!isAside(child)) yield* innerBlocks(child);
  }
}

type Row = {
  /** Every cell in its place, up to the last with words. */
  cells: string[];
  /** Those with words. */
  places: SheetRow['cells'];
  repeats: number;
};

function* rowsOf(table: XmlElement): Generator<Row> {
  for (const child of childrenOf(table)) {
    if (['table-header-rows', 'table-row-group', 'table-rows'].includes(child.name)) yield* rowsOf(child);
    if (child.name !== 'table-row') continue;
    const cells: string[] = [];
    const places: SheetRow['cells'] = [];
    let column = 0;
    for (const cell of childrenOf(child)) {
      if (cell.name !== 'table-cell' && cell.name !== 'covered-table-cell') continue;
      const repeats = Math.max(1, Math.min(16_384, Number(attributeOf(cell, 'number-columns-repeated') ?? 1) || 1));
      const text = oneLine([...linesBelow(cell)].join(' '));
      if (text)
        for (let time = 0; time < Math.min(repeats, mostRepeats); time++) {
          while (cells.length < column + time) cells.push('');
          cells.push(text);
          places.push({ column: column + time + 1, text });
        }
      column += repeats;
      if (column > 16_384) break;
    }
    const repeats = Number(attributeOf(child, 'number-rows-repeated') ?? 1);
    yield { cells, places, repeats: Number.isSafeInteger(repeats) && repeats > 0 ? Math.min(repeats, 1_048_576) : 1 };
  }
}

function* linesBelow(element: XmlElement): Generator<string> {
  for (const child of childrenOf(element)) {
    if (child.name === 'p' || child.name === 'h') {
      yield wordsOf(child);
      for (const inner of innerBlocks(child)) yield* linesBelow(inner);
    } else if (!isAside(child)) yield* linesBelow(child);
  }
}
