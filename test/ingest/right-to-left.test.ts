import { describe, expect, test } from 'vitest';
import { linesOfPage, type PdfItem } from '../../ingest/readers/pdf-lines.ts';
import { readMember } from '../../ingest/readers/read-document.ts';
import { isRightToLeft, withoutShapes } from '../../ingest/readers/right-to-left.ts';
import { splitSections } from '../../ingest/split.ts';
import { docxOf, textOf } from './data.ts';

const hebrew = 'הברווז שוחה באגם בשנת 2023 עם 12 אווזים';
const arabic = 'يسبح البط في البحيرة عام 2023';

/** A piece of a line as a PDF writes it: its letters from left to right, as they are seen. */
type Seen = { letters: string; x: number; y: number };

/** A PDF that says by a table which letter each of its codes is; it holds no font. Letters are 6 points wide. */
function pdfOfSeen(pieces: Seen[]): Uint8Array {
  const hex = (text: string) => Buffer.from(text, 'utf16le').swap16().toString('hex');
  const letters = [...new Set(pieces.flatMap(({ letters: some }) => Array.from(some)))];
  const map = `/CIDInit /ProcSet findresource begin 12 dict begin begincmap /CMapName /X def
1 begincodespacerange <0000> <ffff> endcodespacerange
${letters.length} beginbfchar
${letters.map((letter) => `<${hex(letter)}> <${hex(letter)}>`).join('\n')}
endbfchar endcmap end end`;
  const content = pieces.map(({ letters: some, x, y }) => `BT /F 10 Tf ${x} ${y} Td <${hex(some)}> Tj ET`).join('\n');
  const objects = [
    '<< /Type /Catalog /Pages 2 0 R >>',
    '<< /Type /Pages /Kids [3 0 R] /Count 1 >>',
    '<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Resources << /Font << /F 5 0 R >> >> /Contents 4 0 R >>',
    `<< /Length ${content.length} >>\nstream\n${content}\nendstream`,
    '<< /Type /Font /Subtype /Type0 /BaseFont /Seen /Encoding /Identity-H /DescendantFonts [6 0 R] /ToUnicode 7 0 R >>',
    '<< /Type /Font /Subtype /CIDFontType2 /BaseFont /Seen /CIDSystemInfo << /Registry (Adobe) /Ordering (Identity) /Supplement 0 >> /DW 600 >>',
    `<< /Length ${map.length} >>\nstream\n${map}\nendstream`,
  ];
  let file = '%PDF-1.4\n';
  const offsets = objects.map((object, at) => {
    const offset = file.length;
    file += `${at + 1} 0 obj\n${object}\nendobj\n`;
    return offset;
  });
  const xrefAt = file.length;
  const table = offsets.map((offset) => `${String(offset).padStart(10, '0')} 00000 n \n`).join('');
  file += `xref\n0 8\n0000000000 65535 f \n${table}trailer\n<< /Size 8 /Root 1 0 R >>\nstartxref\n${xrefAt}\n%%EOF\n`;
  return new TextEncoder().encode(file);
}

/** A line as it is seen: words from the right edge leftwards, each a piece with its letters turned; numbers as they are. */
function seenOf(text: string, y: number): Seen[] {
  let right = 540;
  const pieces = text.split(' ').map((word) => {
    const isNumber = /^[\dA-Za-z.,$]+$/.test(word);
    right -= 6 * word.length;
    const piece = { letters: isNumber ? word : Array.from(word).reverse().join(''), x: right, y };
    right -= 4;
    return piece;
  });
  return pieces.reverse(); // from the left, as programs write them
}

describe('a PDF that is read from the right', () => {
  test('has its words and letters in reading order, numbers from the left', async () => {
    const result = await readMember(pdfOfSeen([...seenOf(hebrew, 700), ...seenOf(arabic, 684)]), 'a.pdf');
    expect(textOf(result).split('\n')).toEqual([hebrew, arabic]);
  });

  test('keeps Latin words among its own in their order', async () => {
    const line = 'הדוח נכתב על ידי John Smith בעיר חיפה';
    const [before, after] = ['הדוח נכתב על ידי', 'בעיר חיפה'].map((part) => part.length * 6);
    const latin: Seen[] = [
      { letters: 'John', x: 540 - before! - 90, y: 700 },
      { letters: 'Smith', x: 540 - before! - 60, y: 700 },
    ];
    const right = seenOf('הדוח נכתב על ידי', 700);
    const left = seenOf('בעיר חיפה', 700).map((piece) => ({ ...piece, x: piece.x - before! - 110 }));
    expect(after).toBeGreaterThan(0);
    expect(textOf(await readMember(pdfOfSeen([...left, ...latin, ...right]), 'a.pdf'))).toBe(line);
  });
});

describe('a line', () => {
  const item = (str: string, x: number, width: number): PdfItem => ({
    str,
    transform: [10, 0, 0, 10, x, 700],
    width,
    height: 10,
    hasEOL: false,
  });

  test('from the right has its brackets the right way round', () => {
    const items = [
      item('.(', 100, 8),
      item('כולל מעמ', 108, 50),
      item(')', 158, 4),
      item('$1,250', 166, 36),
      item('המחיר', 206, 30),
    ];
    expect(linesOfPage(items).map(({ text }) => text)).toEqual(['המחיר $1,250 (כולל מעמ).']);
  });

  test('from the left stays as it was written, whatever words of other languages it has', () => {
    const items = [item('The word', 100, 60), item('שלום', 170, 30), item('means peace', 210, 70)];
    expect(linesOfPage(items).map(({ text }) => text)).toEqual(['The word שלום means peace']);
    expect(isRightToLeft('The word שלום means peace')).toBe(false);
  });
});

describe('Arabic letters that were stored by their shape', () => {
  // "البط": alef alone, lam first, beh between, tah last.
  const read = '\ufe8d\ufedf\ufe92\ufec2';

  test('become letters, in the order of reading', () => {
    expect(withoutShapes(read)).toBe('البط');
  });

  test('are turned round where they stand as they are seen', () => {
    expect(withoutShapes(Array.from(read).reverse().join(''))).toBe('البط');
  });

  test('and plain words stay as they are', () => {
    expect(withoutShapes('البط 2023')).toBe('البط 2023');
    expect(withoutShapes('ducks')).toBe('ducks');
  });
});

describe('a DOCX that is read from the right', () => {
  test('is not changed, and its chunks are slices of it', async () => {
    const result = await readMember(docxOf([`# ${hebrew}`, arabic, hebrew]), 'a.docx');
    expect(textOf(result).split('\n')).toEqual([hebrew, arabic, hebrew]);
    const sections = result.type === 'read' ? result.sections : [];
    const chunks = splitSections(sections, { countTokens: (text) => text.length });
    expect(chunks.map(({ text }) => text).join(' ')).toContain(arabic);
  });
});
