/** XLSX, and XLS under its name or that of its kind: bytes → the rows of each sheet as a person sees them: formulas' results, dates as dates, hidden sheets too. */
import type { ReadResult, Section } from '../../source.ts';
import { ReadingRefused } from '../refusal.ts';
import { oneLine, titleFromName } from '../sections.ts';
import { attributeOf, childrenOf, descendantsOf, elementAt, textBelow, type XmlElement, xmlEvents } from '../xml.ts';
import { openZip, type Zip } from '../zip-limits.ts';
import { columnOf, fillMerged, type SheetRow, sectionsOfSheet } from './cells.ts';
import { paragraphsOf, wordsOfChart } from './drawing.ts';
import { type NumberFormats, numberFormatsOf } from './number-formats.ts';
import { partOf, relationsOf } from './package.ts';
import { readXls } from './xls.ts';

const mostSheets = 1000;
const mostCells = 3_000_000;

export function readXlsx(bytes: Uint8Array, name: string, onProgress?: (done: number) => void): ReadResult {
  if (bytes[0] === 0xd0 && bytes[1] === 0xcf) return readXls(bytes, name);
  const zip = openZip(bytes);
  const main = [...relationsOf(zip, '').values()].find((part) => part.type === 'officeDocument')?.target;
  const bookName = main ?? 'xl/workbook.xml';
  if (/\.bin$/i.test(bookName)) throw new ReadingRefused('unsupported', 'It is a binary workbook (XLSB).');
  const book = partOf(zip, bookName);
  if (!book) throw new ReadingRefused('damaged', 'The archive holds no workbook.');
  const parts = relationsOf(zip, bookName);
  const partNamed = (type: string) => [...parts.values()].find((part) => part.type === type)?.target;
  const strings = readStrings(zip, partNamed('sharedStrings'));
  const is1904 = /^(1|true)$/.test(attributeOf(elementAt(book, 'workbookPr'), 'date1904') ?? '');
  const formats = numberFormatsOf(partOf(zip, partNamed('styles')), is1904);

  const people = readPeople(partOf(zip, partNamed('person')));

  const sheets = childrenOf(elementAt(book, 'sheets'), 'sheet');
  if (sheets.length > mostSheets) throw new ReadingRefused('too-large', `It has ${sheets.length} sheets.`);
  const sections: Section[] = [];
  const budget = { cells: mostCells };
  let numTables = 0;
  for (const [index, sheet] of sheets.entries()) {
    const part = parts.get([...sheet.attributes].find(([key]) => /^[^:]+:id$/.test(key))?.[1] ?? '');
    const sheetName = attributeOf(sheet, 'name') ?? `${index + 1}`;
    if (!part || !zip.has(part.target) || part.type !== 'worksheet') continue;
    const rows = readRows(zip.read(part.target), strings, formats, budget);
    const read = sectionsOfSheet(sheetName, rows, numTables);
    numTables = read.numTables;
    for (const section of read.sections) sections.push(section);
    for (const text of remarksOf(zip, part.target, people))
      sections.push({
        text,
        heading: sheetName,
        label: `Sheet ${oneLine(sheetName).slice(0, 100)}`,
        locator: { type: 'paragraph', paragraph: 1 },
      });
    onProgress?.((index + 1) / sheets.length);
  }
  if (sections.length === 0) throw new ReadingRefused('no-text', 'Its sheets hold no words.');
  for (const [index, section] of sections.entries()) section.locator = { type: 'paragraph', paragraph: index + 1 };
  const title = oneLine(textBelow(elementAt(partOf(zip, 'docProps/core.xml'), 'title')));
  return { type: 'read', kind: 'xlsx', title: title.slice(0, 200) || titleFromName(name), numPages: null, sections };
}

/** The texts that cells point to by number. How a Japanese word is pronounced stands beside it and is left out. */
function readStrings(zip: Zip, part: string | undefined): string[] {
  const strings: string[] = [];
  if (part === undefined || !zip.has(part)) return strings;
  let text = '';
  let inText = false;
  let phonetic = 0;
  for (const event of xmlEvents(zip.read(part))) {
    if (event.type === 'text') {
      if (inText && phonetic === 0) text += event.text;
    } else if (event.name === 'rPh') phonetic += event.type === 'open' ? 1 : -1;
    else if (event.name === 't') inText = event.type === 'open';
    else if (event.name === 'si') {
      if (event.type === 'close') strings.push(text);
      text = '';
    }
  }
  return strings;
}

function readRows(bytes: Uint8Array, strings: string[], formats: NumberFormats, budget: { cells: number }): SheetRow[] {
  const rows: SheetRow[] = [];
  let row: SheetRow = { row: 0, cells: [] };
  let cell = { column: 0, type: '', style: 0, value: '' };
  let inValue = false;
  const merges: string[] = [];
  for (const event of xmlEvents(bytes)) {
    if (event.type === 'text') {
      if (inValue) cell.value += event.text;
      continue;
    }
    const isOpen = event.type === 'open';
    if (event.name === 'row') {
      if (event.type === 'open') {
        const number = Number(event.attributes.get('r'));
        row = { row: Number.isSafeInteger(number) && number > row.row ? number : row.row + 1, cells: [] };
      } else if (row.cells.length > 0) rows.push(row);
    } else if (event.name === 'c') {
      if (event.type === 'open') {
        const { attributes } = event;
        const column = columnOf(attributes.get('r') ?? '') ?? cell.column + 1;
        cell = { column, type: attributes.get('t') ?? 'n', style: Number(attributes.get('s') ?? 0), value: '' };
        continue;
      }
      const text = shownText(cell, strings, formats).trim();
      const last = row.cells.at(-1)?.column ?? 0;
      if (text === '' || cell.column <= last) continue;
      budget.cells -= 1;
      if (budget.cells < 0) throw new ReadingRefused('too-large', `It has more than ${mostCells} cells.`);
      row.cells.push({ column: cell.column, text });
    } else if (event.name === 'v' || event.name === 't') inValue = isOpen;
    else if (event.name === 'mergeCell' && event.type === 'open') merges.push(event.attributes.get('ref') ?? '');
    else if (event.name === 'rPh') inValue = false;
  }
  fillMerged(rows, merges);
  return rows;
}

function shownText(
  cell: { type: string; style: number; value: string },
  strings: string[],
  formats: NumberFormats,
): string {
  if (cell.type === 's') return strings[Number(cell.value)] ?? '';
  if (cell.type === 'b') return cell.value === '1' || cell.value === 'true' ? 'TRUE' : 'FALSE';
  if (cell.type === 'n') return formats.show(cell.value, cell.style);
  return cell.value; // inline, formula's text, error, ISO date
}

const hasRemarks = new Set(['comments', 'threadedComment', 'drawing']);

/** Comments with their cell and author, and words in shapes and charts that lie over the sheet. */
function* remarksOf(zip: Zip, sheetPart: string, people: ReadonlyMap<string, string>): Generator<string> {
  const relations = [...relationsOf(zip, sheetPart).values()];
  const isThreaded = relations.some(({ type }) => type === 'threadedComment');
  for (const relation of relations) {
    const part = hasRemarks.has(relation.type) ? partOf(zip, relation.target) : undefined;
    if (relation.type === 'comments') yield* commentsOf(part, isThreaded);
    if (relation.type === 'threadedComment')
      for (const comment of descendantsOf(part, 'threadedComment')) {
        const words = oneLine(textBelow(elementAt(comment, 'text')));
        const by = [people.get(attributeOf(comment, 'personId') ?? ''), attributeOf(comment, 'dT')];
        if (words) yield `${[attributeOf(comment, 'ref'), ...by].filter(Boolean).join(', ')}: ${words}`;
      }
    if (relation.type === 'drawing') {
      for (const body of descendantsOf(part, 'txBody')) {
        const text = oneLine(paragraphsOf(body).join('\n'));
        if (text) yield text;
      }
      for (const inner of relationsOf(zip, relation.target).values()) {
        const words = inner.type === 'chart' ? wordsOfChart(partOf(zip, inner.target)).join('\n') : '';
        if (words) yield words;
      }
    }
  }
}

/** `isThreaded`: the words of threads stand in a part of their own, here only a copy for old programs. */
function* commentsOf(part: XmlElement | undefined, isThreaded: boolean): Generator<string> {
  const authors = childrenOf(elementAt(part, 'authors'), 'author').map((author) => oneLine(textBelow(author)));
  for (const comment of descendantsOf(part, 'comment')) {
    const text = oneLine([...descendantsOf(comment, 't')].map((piece) => textBelow(piece)).join(''));
    const isCopy = text.startsWith('[Threaded comment]'); // says that this Excel is too old; the words follow
    if (isCopy && isThreaded) continue;
    const words = isCopy ? text.replace(/^.*?Comment:\s*/, '') : text;
    const author = authors[Number(attributeOf(comment, 'authorId'))] ?? '';
    // Excel often writes the author into the words as well.
    const by = isCopy || words.startsWith(`${author}:`) ? '' : author;
    if (words) yield `${[attributeOf(comment, 'ref'), by].filter(Boolean).join(', ')}: ${words}`;
  }
}

/** Who wrote in threads, by id. */
function readPeople(part: XmlElement | undefined): Map<string, string> {
  return new Map(
    [...descendantsOf(part, 'person')].map((person) => [
      attributeOf(person, 'id') ?? '',
      oneLine(attributeOf(person, 'displayName') ?? ''),
    ]),
  );
}
