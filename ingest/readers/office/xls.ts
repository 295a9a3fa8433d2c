/** XLS: what Excel wrote until 2003 (MS-XLS, BIFF8) → the rows of each sheet as a person sees them. Formulas by their last results. */
import type { ReadResult, Section } from '../../source.ts';
import { ReadingRefused } from '../refusal.ts';
import { titleFromName } from '../sections.ts';
import { columnName, fillMerged, type SheetRow, sectionsOfSheet } from './cells.ts';
import { openCompoundFile } from './compound-file.ts';
import { createNumberFormats, type NumberFormats } from './number-formats.ts';

const types = {
  formula: 0x06, end: 0x0a, dateMode: 0x22, filePass: 0x2f, continues: 0x3c, sheet: 0x85, multipleRk: 0xbd, richString: 0xd6,
  xf: 0xe0, merged: 0xe5, strings: 0xfc, labelOfStrings: 0xfd, number: 0x203, label: 0x204, boolOrError: 0x205, string: 0x207,
  rk: 0x27e, format: 0x41e, begin: 0x809,
}; // biome-ignore format: a table
const errors: Record<number, string> = {
  0: '#NULL!', 7: '#DIV/0!', 15: '#VALUE!', 23: '#REF!', 29: '#NAME?', 36: '#NUM!', 42: '#N/A',
}; // biome-ignore format: a table

const mostSheets = 1000;
const mostCells = 3_000_000;
const mostColumns = 256;
const biff8 = 0x600;

/** `name` is that of the file. Throws `ReadingRefused` for what is none, or is encrypted. */
export function readXls(bytes: Uint8Array, name: string): ReadResult {
  const file = openCompoundFile(bytes);
  if (file.names.includes('EncryptedPackage')) throw new ReadingRefused('password', 'It is encrypted.');
  const stream = file.read('Workbook') ?? file.read('Book');
  if (!stream) throw new ReadingRefused('unsupported', 'It is a file of an office before 2007, but none of Excel.');
  const book = readBook(stream);
  const sections: Section[] = [];
  const budget = { cells: mostCells };
  let numTables = 0;
  for (const sheet of book.sheets) {
    const read = sectionsOfSheet(sheet.name, readSheet(stream, sheet.offset, book, budget), numTables);
    numTables = read.numTables;
    for (const section of read.sections) sections.push(section);
  }
  if (sections.length === 0) throw new ReadingRefused('no-text', 'Its sheets hold no words.');
  for (const [index, section] of sections.entries()) section.locator = { type: 'paragraph', paragraph: index + 1 };
  return { type: 'read', kind: 'xlsx', title: titleFromName(name), numPages: null, sections };
}

type BiffRecord = { type: number; data: Buffer };

/** Records from an offset on; the last may be cut off. */
function* recordsFrom(stream: Uint8Array, offset: number): Generator<BiffRecord> {
  const bytes = Buffer.from(stream.buffer, stream.byteOffset, stream.byteLength);
  for (let at = offset; at + 4 <= bytes.length; ) {
    const type = bytes.readUInt16LE(at);
    const size = bytes.readUInt16LE(at + 2);
    yield { type, data: bytes.subarray(at + 4, at + 4 + size) };
    at += 4 + size;
  }
}

type Book = { sheets: { name: string; offset: number }[]; strings: string[]; formats: NumberFormats };

function readBook(stream: Uint8Array): Book {
  const sheets: Book['sheets'] = [];
  const codes = new Map<number, string>();
  const formatOfStyle: number[] = [];
  let stringParts: Buffer[] = [];
  let isStrings = false;
  let is1904 = false;
  for (const { type, data } of recordsFrom(stream, 0)) {
    if (type === types.end) break;
    if (type === types.filePass) throw new ReadingRefused('password', 'It is encrypted.');
    if (type === types.begin && data.readUInt16LE(0) !== biff8)
      throw new ReadingRefused('unsupported', 'It was written by Excel 95 or older.');
    if (type === types.strings) stringParts = [data];
    else if (type === types.continues && isStrings) stringParts.push(data);
    isStrings = type === types.strings || (isStrings && type === types.continues);
    if (type === types.dateMode) is1904 = data.readUInt16LE(0) === 1;
    else if (type === types.format)
      codes.set(data.readUInt16LE(0), createText([data], 2).read(data.readUInt16LE(2), 4));
    else if (type === types.xf) formatOfStyle.push(data.readUInt16LE(2));
    // Of the kinds of sheets, 0 has cells; the others are charts and macros.
    else if (type === types.sheet && data.readUInt8(5) === 0 && sheets.length < mostSheets)
      sheets.push({ name: createText([data], 0).read(data.readUInt8(6), 7), offset: data.readUInt32LE(0) });
  }
  return { sheets, strings: readStrings(stringParts), formats: createNumberFormats(codes, formatOfStyle, is1904) };
}

/**
 * Characters of strings, which go on in the next record where one ends: that begins with a byte that says again whether letters have
 * one byte or two. Reading beyond the end throws, as a `Buffer` does.
 */
function createText(parts: readonly Buffer[], start: number) {
  let part = 0;
  let at = start;
  const move = (): void => {
    while (part < parts.length - 1 && at >= parts[part]!.length) {
      at -= parts[part]!.length;
      part += 1;
    }
  };
  const take = (size: 1 | 2 | 4): number => {
    move();
    const value = parts[part]!.readUIntLE(at, size);
    at += size;
    return value;
  };
  return {
    take,
    skip(size: number) {
      at += size;
      move();
    },
    /** `numCharacters` letters, whose flags stand at `from`, or here. */
    read(numCharacters: number, from?: number, flagsBefore?: number): string {
      if (from !== undefined) at = from;
      let flags = flagsBefore ?? take(1);
      let text = '';
      for (let left = numCharacters; left > 0; ) {
        const here = parts[part]!;
        if (at >= here.length) {
          if (part === parts.length - 1) return text;
          part += 1;
          at = 0;
          flags = take(1);
          continue;
        }
        const width = (flags & 1) === 0 ? 1 : 2;
        const numHere = Math.min(left, Math.floor((here.length - at) / width));
        if (numHere === 0) return text;
        text += here.toString(width === 1 ? 'latin1' : 'utf16le', at, at + numHere * width);
        at += numHere * width;
        left -= numHere;
      }
      return text;
    },
  };
}

/** The texts that cells point to. What is cut off in the middle gives those before it. */
function readStrings(parts: readonly Buffer[]): string[] {
  const strings: string[] = [];
  if (parts.length === 0) return strings;
  const text = createText(parts, 4);
  try {
    for (let left = text.take(4); left > 0; left--) {
      const numCharacters = text.take(2);
      const flags = text.take(1);
      const numRuns = (flags & 8) === 0 ? 0 : text.take(2);
      const phoneticBytes = (flags & 4) === 0 ? 0 : text.take(4);
      strings.push(text.read(numCharacters, undefined, flags));
      text.skip(4 * numRuns + phoneticBytes);
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
  }
  return strings;
}

function readSheet(stream: Uint8Array, offset: number, book: Book, budget: { cells: number }): SheetRow[] {
  const rows = new Map<number, Map<number, string>>();
  const merges: string[] = [];
  /** A formula's text comes in a record of its own. */
  let waiting: { row: number; column: number } | null = null;
  let depth = 0;
  const set = (row: number, column: number, shown: string): void => {
    const text = shown.trim();
    if (text === '' || column >= mostColumns) return;
    budget.cells -= 1;
    if (budget.cells < 0) throw new ReadingRefused('too-large', `It has more than ${mostCells} cells.`);
    const cells = rows.get(row) ?? new Map<number, string>();
    rows.set(row, cells.set(column, text));
  };
  const show = (value: number, style: number): string => book.formats.show(String(value), style);
  for (const { type, data } of recordsFrom(stream, offset)) {
    // A chart within the sheet has records of its own.
    if (type === types.begin) depth += 1;
    if (type === types.end) depth -= 1;
    if (depth <= 0) break;
    if (depth !== 1 || data.length < 2) continue;
    if (type === types.string && waiting) {
      set(waiting.row, waiting.column, createText([data], 2).read(data.readUInt16LE(0)));
      waiting = null;
      continue;
    }
    if (type === types.merged) {
      for (let at = 2; at + 8 <= data.length; at += 8) {
        const [top, bottom, left, right] = [0, 2, 4, 6].map((side) => data.readUInt16LE(at + side));
        merges.push(`${columnName(left! + 1)}${top! + 1}:${columnName(right! + 1)}${bottom! + 1}`);
      }
      continue;
    }
    if (data.length < 6) continue;
    const [row, column, style] = [data.readUInt16LE(0), data.readUInt16LE(2), data.readUInt16LE(4)];
    if (type === types.labelOfStrings) set(row, column, book.strings[data.readUInt32LE(6)] ?? '');
    else if (type === types.label || type === types.richString)
      set(row, column, createText([data], 8).read(data.readUInt16LE(6)));
    else if (type === types.number) set(row, column, show(data.readDoubleLE(6), style));
    else if (type === types.rk) set(row, column, show(numberOfRk(data.readInt32LE(6)), style));
    else if (type === types.multipleRk)
      for (let at = 4, to = column; at + 6 <= data.length - 2; at += 6, to++)
        set(row, to, show(numberOfRk(data.readInt32LE(at + 2)), data.readUInt16LE(at)));
    else if (type === types.boolOrError) set(row, column, boolOrError(data.readUInt8(6), data.readUInt8(7) === 1));
    else if (type === types.formula) {
      const isNumber = data.readUInt16LE(12) !== 0xffff;
      const kind = data.readUInt8(6);
      waiting = !isNumber && kind === 0 ? { row, column } : null;
      if (isNumber) set(row, column, show(data.readDoubleLE(6), style));
      else if (kind === 1 || kind === 2) set(row, column, boolOrError(data.readUInt8(8), kind === 2));
    }
  }
  const sheet = [...rows]
    .sort(([one], [other]) => one - other)
    .map(([row, cells]) => ({
      row: row + 1,
      cells: [...cells].sort(([one], [other]) => one - other).map(([column, text]) => ({ column: column + 1, text })),
    }));
  fillMerged(sheet, merges);
  return sheet;
}

function boolOrError(value: number, isError: boolean): string {
  return isError ? (errors[value] ?? '#ERROR') : value === 0 ? 'FALSE' : 'TRUE';
}

/** Thirty bits of a number: whole or the upper half of a fraction, as it is or a hundred times too large. */
function numberOfRk(rk: number): number {
  const half = Buffer.alloc(8);
  half.writeInt32LE(rk & ~3, 4);
  const number = (rk & 2) === 0 ? half.readDoubleLE(0) : rk >> 2;
  return (rk & 1) === 0 ? number : number / 100;
}
