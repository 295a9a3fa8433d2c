/**
 * DOC: what Word wrote until 2003 (MS-DOC) → paragraphs and rows of tables. The text lies in pieces, each in Windows' Latin
 * letters or in UTF-16; what the marks in it mean is here, which paragraphs are headings in doc-headings; how it looks is left aside.
 */
import type { ReadResult } from '../../source.ts';
import { ReadingRefused } from '../refusal.ts';
import { createParagraphs, oneLine, titleFromName } from '../sections.ts';
import { type CompoundFile, openCompoundFile } from './compound-file.ts';
import { headingMark, type Piece, withHeadingMarks } from './doc-headings.ts';

const firstWord97 = 0xc1;
const mostCharacters = 64e6;

/** The parts of a document, one after the other in its characters; `label` is the place that is shown for an aside. */
const parts = [
  { lengthAt: 0x4c, label: null },
  { lengthAt: 0x50, label: 'Footnote' },
  { lengthAt: 0x54, label: 'Page header' },
  { lengthAt: 0x58, label: null }, // macros
  { lengthAt: 0x5c, label: 'Comment' },
  { lengthAt: 0x60, label: 'Endnote' },
  { lengthAt: 0x64, label: 'Text box' },
] as const;

export async function readDoc(bytes: Uint8Array, name: string): Promise<ReadResult> {
  const file = openCompoundFile(bytes);
  const document = file.read('WordDocument');
  if (!document) {
    if (file.names.includes('EncryptedPackage')) throw new ReadingRefused('password', 'It is encrypted.');
    throw new ReadingRefused('unsupported', 'It is a file of an office before 2007, but none of Word.');
  }
  const view = new DataView(document.buffer, document.byteOffset, document.byteLength);
  if (document.length < 0x60 || ![0xa5ec, 0xa5dc].includes(view.getUint16(0, true)))
    throw new Error('It does not begin as a Word document.');
  const flags = view.getUint16(10, true);
  if (flags & 0x0100) throw new ReadingRefused('password', 'It is encrypted.');
  const isOld = view.getUint16(2, true) < firstWord97;
  const texts = isOld ? [textOfWord6(document, view, flags)] : textsOfWord97(file, document, view, flags);

  const paragraphs = createParagraphs();
  const said = new Set<string>();
  for (const [at, text] of texts.entries()) {
    const label = parts[at]?.label;
    const numBefore = paragraphs.sections.length;
    addText(paragraphs, withoutFields(text));
    if (!label) continue;
    // A page header is kept for each section and each kind of page: its words once.
    const added = paragraphs.sections.splice(numBefore).filter((section) => !said.has(section.text));
    for (const section of added) {
      said.add(section.text);
      const locator = { type: 'paragraph', paragraph: paragraphs.sections.length + 1 } as const;
      paragraphs.sections.push({ ...section, locator, label });
    }
  }
  const { sections } = paragraphs;
  if (sections.length === 0) throw new ReadingRefused('no-text', 'The document opens but holds no text.');
  const [first] = sections;
  const isTitle = first && !first.row && first.text.length <= 100 && sections.length > 1 && !/[.!?]$/.test(first.text);
  const title = isTitle ? oneLine(first.text) : titleFromName(name);
  return { type: 'read', kind: 'doc', title, numPages: null, sections };
}

/** By the primary language (the lower byte of Windows' language ids) of a Word that knew no Unicode. */
const codePages: Record<number, string> = {
  1: 'windows-1256', // Arabic
  2: 'windows-1251', // Bulgarian
  5: 'windows-1250', // Czech
  8: 'windows-1253', // Greek
  13: 'windows-1255', // Hebrew
  14: 'windows-1250', // Hungarian
  17: 'shift_jis',
  21: 'windows-1250', // Polish
  25: 'windows-1251', // Russian
  31: 'windows-1254', // Turkish
  34: 'windows-1251', // Ukrainian
};

/** Word 6 and 95: the text lies in one stretch, if the file was not saved in a hurry. */
function textOfWord6(document: Uint8Array, view: DataView, flags: number): string {
  if (flags & 0x0004) throw new ReadingRefused('unsupported', 'It was saved in pieces by Word 95 or older.');
  const [from, numCharacters] = [view.getUint32(0x18, true), view.getUint32(0x34, true)];
  const language = view.getUint16(6, true) & 0xff;
  return new TextDecoder(codePages[language] ?? 'windows-1252').decode(document.subarray(from, from + numCharacters));
}

/** The texts of the parts, in their order. */
function textsOfWord97(file: CompoundFile, document: Uint8Array, view: DataView, flags: number): string[] {
  const table = file.read(flags & 0x0200 ? '1Table' : '0Table');
  if (!table || document.length < 0x1aa) throw new Error('It has no table of its pieces.');
  const [from, size] = [view.getUint32(0x1a2, true), view.getUint32(0x1a6, true)];
  const { text, pieces } = textOfPieces(table.subarray(from, from + size), document);
  let at = 0;
  return parts.map(({ lengthAt }, index) => {
    const length = view.getUint32(lengthAt, true);
    const part = text.slice(at, at + length);
    at += length;
    return index === 0 ? withHeadingMarks(part, pieces, document, table) : part;
  });
}

/** The piece table (Clx): properties that are passed over, then where each stretch of characters lies in the file. */
function textOfPieces(clx: Uint8Array, document: Uint8Array): { text: string; pieces: Piece[] } {
  const view = new DataView(clx.buffer, clx.byteOffset, clx.byteLength);
  let at = 0;
  while (clx[at] === 1) at += 3 + view.getUint16(at + 1, true);
  if (clx[at] !== 2) throw new Error('Its pieces are not listed.');
  const size = Math.min(view.getUint32(at + 1, true), clx.length - at - 5);
  const numPieces = Math.floor((size - 4) / 12);
  const start = at + 5;
  const latin = new TextDecoder('windows-1252');
  const utf16 = new TextDecoder('utf-16le');
  let text = '';
  const pieces: Piece[] = [];
  for (let piece = 0; piece < numPieces; piece++) {
    const from = view.getUint32(start + 4 * piece, true);
    const numCharacters = view.getUint32(start + 4 * piece + 4, true) - from;
    if (numCharacters <= 0 || text.length + numCharacters > mostCharacters) break;
    const where = view.getUint32(start + 4 * (numPieces + 1) + 8 * piece + 2, true);
    const offset = where & 0x3fffffff;
    const isLatin = (where & 0x40000000) !== 0;
    pieces.push({
      firstCharacter: text.length,
      numCharacters,
      offset: isLatin ? offset >> 1 : offset,
      bytesPerCharacter: isLatin ? 1 : 2,
    });
    // Pieces lie where earlier ones said: a gap would shift all that follow.
    const words = isLatin
      ? latin.decode(document.subarray(offset >> 1, (offset >> 1) + numCharacters))
      : utf16.decode(document.subarray(offset, offset + 2 * numCharacters));
    text += words.padEnd(numCharacters, '\u0000');
  }
  return { text, pieces };
}

/** Of a field only what it shows: its program stands between the marks 0x13 and 0x14, what it gave before 0x15. */
function withoutFields(text: string): string {
  let shown = '';
  const inProgram: boolean[] = [];
  let numPrograms = 0;
  for (const character of text) {
    if (character === '\u0013') {
      inProgram.push(true);
      numPrograms += 1;
    } else if (character === '\u0014' && inProgram.at(-1)) {
      inProgram[inProgram.length - 1] = false;
      numPrograms -= 1;
    } else if (character === '\u0015') {
      if (inProgram.pop()) numPrograms -= 1;
    } else if (numPrograms === 0) shown += character;
  }
  return shown;
}

/** Paragraphs end with 0x0d, cells with 0x07, and so do rows: after a cell's end an empty one is the end of its row. */
function addText(paragraphs: ReturnType<typeof createParagraphs>, text: string): void {
  let rows: string[][] = [];
  let cells: string[] = [];
  const endTable = () => {
    if (cells.length > 0) rows.push(cells);
    if (rows.length > 0) paragraphs.addTable(rows, false);
    rows = [];
    cells = [];
  };
  for (const { words, end } of segmentsOf(text)) {
    const plain = words
      .replaceAll('\u000b', '\n')
      .replaceAll('\u001e', '-')
      .replaceAll('\u001f', '')
      // biome-ignore lint/suspicious/noControlCharactersInRegex: marks of pictures, notes and anchors
      .replace(/[\u0000-\u0008]/g, '');
    if (end !== '\u0007') {
      if (plain.trim() === '') continue;
      endTable();
      if (plain.includes(headingMark)) paragraphs.startHeading(plain.replaceAll(headingMark, ''));
      else paragraphs.add(plain);
    } else if (plain.trim() === '' && cells.length > 0) {
      rows.push(cells);
      cells = [];
    } else cells.push(plain);
  }
  endTable();
}

const ends = new Set(['\r', '\u0007', '\u000c', '\u000e']);

function* segmentsOf(text: string): Generator<{ words: string; end: string }> {
  let from = 0;
  for (let at = 0; at <= text.length; at++) {
    const end = text[at] ?? '';
    if (at < text.length && !ends.has(end)) continue;
    yield { words: text.slice(from, at), end };
    from = at + 1;
  }
}
