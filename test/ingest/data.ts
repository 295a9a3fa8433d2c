/** Where the real documents are, helpers to read them, and small files that the tests make themselves. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { deflateRawSync } from 'node:zlib';
import type { Chunk, ReadResult, Source } from '../../ingest/source.ts';

export const dataFolder = fileURLToPath(new URL('../../../shared/data', import.meta.url));
export const hasData = existsSync(join(dataFolder, 'documents'));

export type FileSource = Extract<Source, { type: 'file' }>;

export function sourceOf(path: string): FileSource {
  const facts = statSync(path);
  return { type: 'file', path, name: basename(path), sizeBytes: facts.size, modifiedAtMs: facts.mtimeMs };
}

/** All files below a folder, in a fixed order; none where the folder is absent. */
export function filesBelow(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true })
    .map((name) => join(folder, String(name)))
    .filter((path) => statSync(path).isFile())
    .sort();
}

export function bytesOf(path: string): Uint8Array {
  return new Uint8Array(readFileSync(path));
}

/** The words of what was read, or the reason why there are none: a failing test then says it. */
export function textOf(result: ReadResult): string {
  if (result.type === 'failed') return `FAILED ${result.reason}: ${result.detail}`;
  // A table's header stands once, with its first row.
  return result.sections.map(({ text, row }) => (row?.header ? `${row.header}\n${text}` : text)).join('\n');
}

export function wordsOf(text: string): Map<string, number> {
  const words = new Map<string, number>();
  for (const [word] of text
    .normalize('NFKC')
    .toLowerCase()
    .matchAll(/[\p{L}\p{N}]+/gu))
    words.set(word, (words.get(word) ?? 0) + 1);
  return words;
}

/** Share of the expected words that are there, each as often as expected, in any order. */
export function recallOfWords(expected: string, actual: string): number {
  const wanted = wordsOf(expected);
  const found = wordsOf(actual);
  let numWanted = 0;
  let numFound = 0;
  for (const [word, count] of wanted) {
    numWanted += count;
    numFound += Math.min(count, found.get(word) ?? 0);
  }
  return numWanted === 0 ? 1 : numFound / numWanted;
}

/** How alike two texts are in their words, in any order: the harmonic mean of recall and precision. */
export function f1OfWords(expected: string, actual: string): number {
  const [recall, precision] = [recallOfWords(expected, actual), recallOfWords(actual, expected)];
  return recall + precision === 0 ? 0 : (2 * recall * precision) / (recall + precision);
}

/** Entries of a zip from texts by their names. */
export function entriesOf(texts: Record<string, string>): ZipEntry[] {
  return Object.entries(texts).map(([name, text]) => ({ name, data: new TextEncoder().encode(text) }));
}

export type ZipEntry = {
  name: string;
  data: Uint8Array;
  /** What the directory claims instead of the truth. */
  claimedInflatedBytes?: number;
  flags?: number;
  /** Points to the data of the entry with this index instead of its own. */
  sharesDataOf?: number;
};

/** A zip archive, honest or not. */
export function zipOf(entries: ZipEntry[], claimedNumEntries = entries.length): Uint8Array {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  const offsets: number[] = [];
  let at = 0;
  for (const entry of entries) {
    const name = Buffer.from(entry.name);
    const packed = deflateRawSync(entry.data);
    const inflatedBytes = entry.claimedInflatedBytes ?? entry.data.length;
    const local = Buffer.alloc(30);
    local.writeUInt32LE(0x04034b50, 0);
    local.writeUInt16LE(20, 4);
    local.writeUInt16LE(entry.flags ?? 0, 6);
    local.writeUInt16LE(8, 8);
    local.writeUInt32LE(packed.length, 18);
    local.writeUInt32LE(inflatedBytes, 22);
    local.writeUInt16LE(name.length, 26);
    offsets.push(at);
    const isShared = entry.sharesDataOf !== undefined;
    if (!isShared) {
      parts.push(local, name, packed);
      at += 30 + name.length + packed.length;
    }
    const central = Buffer.alloc(46);
    central.writeUInt32LE(0x02014b50, 0);
    central.writeUInt16LE(20, 4);
    central.writeUInt16LE(20, 6);
    central.writeUInt16LE(entry.flags ?? 0, 8);
    central.writeUInt16LE(8, 10);
    central.writeUInt32LE(packed.length, 20);
    central.writeUInt32LE(inflatedBytes, 24);
    central.writeUInt16LE(name.length, 28);
    central.writeUInt32LE(offsets[entry.sharesDataOf ?? offsets.length - 1]!, 42);
    directory.push(central, name);
  }
  const central = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(claimedNumEntries & 0xffff, 8);
  end.writeUInt16LE(claimedNumEntries & 0xffff, 10);
  end.writeUInt32LE(central.length, 12);
  end.writeUInt32LE(at, 16);
  return new Uint8Array(Buffer.concat([...parts, central, end]));
}

/** The smallest DOCX that Word opens, with one paragraph per text; a text that begins with `# ` is a heading. */
export function docxOf(paragraphs: string[], extra: ZipEntry[] = []): Uint8Array {
  const escaped = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
  const body = paragraphs
    .map((text) => {
      const style = text.startsWith('# ') ? '<w:pPr><w:pStyle w:val="Heading1"/></w:pPr>' : '';
      return `<w:p>${style}<w:r><w:t xml:space="preserve">${escaped(text.replace(/^# /, ''))}</w:t></w:r></w:p>`;
    })
    .join('');
  const word = 'http://schemas.openxmlformats.org/wordprocessingml/2006/main';
  const packageTypes = 'http://schemas.openxmlformats.org/package/2006';
  const entry = (name: string, text: string): ZipEntry => ({ name, data: new TextEncoder().encode(text) });
  return zipOf([
    entry(
      '[Content_Types].xml',
      `<?xml version="1.0"?><Types xmlns="${packageTypes}/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Override PartName="/word/document.xml" ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>`,
    ),
    entry(
      '_rels/.rels',
      `<?xml version="1.0"?><Relationships xmlns="${packageTypes}/relationships"><Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="word/document.xml"/></Relationships>`,
    ),
    entry(
      'word/document.xml',
      `<?xml version="1.0"?><w:document xmlns:w="${word}"><w:body>${body}</w:body></w:document>`,
    ),
    entry(
      'word/styles.xml',
      `<?xml version="1.0"?><w:styles xmlns:w="${word}"><w:style w:type="paragraph" w:styleId="Heading1"><w:name w:val="heading 1"/></w:style></w:styles>`,
    ),
    entry(
      'word/_rels/document.xml.rels',
      `<?xml version="1.0"?><Relationships xmlns="${packageTypes}/relationships"><Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/styles" Target="styles.xml"/></Relationships>`,
    ),
    ...extra,
  ]);
}

/** A PDF with one line of Latin text per line given, on as many pages as there are lists. */
export function pdfOf(pages: string[][]): Uint8Array {
  const content = (lines: string[]): string => {
    const shown = lines.map((line) => `(${line.replace(/[()\\]/g, '\\$&')}) Tj T*`).join('\n');
    return `BT /F1 12 Tf 14 TL 72 720 Td\n${shown}\nET`;
  };
  return pdfFileOf(pages.map(content), '/Helvetica');
}

/** A PDF with a page for each content stream, all in one font, F1. */
function pdfFileOf(contents: string[], font: string): Uint8Array {
  const objects: string[] = [];
  const kids = contents.map((_, index) => `${4 + index * 2} 0 R`).join(' ');
  objects[1] = '<< /Type /Catalog /Pages 2 0 R >>';
  objects[2] = `<< /Type /Pages /Kids [${kids}] /Count ${contents.length} >>`;
  objects[3] = `<< /Type /Font /Subtype /Type1 /BaseFont ${font} >>`;
  for (const [index, content] of contents.entries()) {
    objects[4 + index * 2] =
      `<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Resources << /Font << /F1 3 0 R >> >> /Contents ${5 + index * 2} 0 R >>`;
    objects[5 + index * 2] = `<< /Length ${content.length} >>\nstream\n${content}\nendstream`;
  }
  let file = '%PDF-1.4\n';
  const offsets: number[] = [];
  for (let id = 1; id < objects.length; id++) {
    offsets[id] = file.length;
    file += `${id} 0 obj\n${objects[id]}\nendobj\n`;
  }
  const table = offsets
    .slice(1)
    .map((offset) => `${String(offset).padStart(10, '0')} 00000 n \n`)
    .join('');
  const xrefAt = file.length;
  file += `xref\n0 ${objects.length}\n0000000000 65535 f \n${table}trailer\n<< /Size ${objects.length} /Root 1 0 R >>\nstartxref\n${xrefAt}\n%%EOF\n`;
  return new TextEncoder().encode(file);
}

/** Words of a page: where they begin, and their baseline from the page's lower edge, in points. */
export type PlacedText = { text: string; x: number; y: number };

/** A PDF of 612 × 792 points in Courier of 10 points, whose letters are 6 points wide, with each text where it is wanted. */
export function placedPdfOf(pages: PlacedText[][]): Uint8Array {
  const content = (texts: PlacedText[]): string =>
    texts.map(({ text, x, y }) => `BT /F1 10 Tf ${x} ${y} Td (${text.replace(/[()\\]/g, '\\$&')}) Tj ET`).join('\n');
  return pdfFileOf(pages.map(content), '/Courier');
}

/** Chunks without what only the order gives. */
export function textsOf(chunks: Chunk[]): string[] {
  return chunks.map((chunk) => chunk.text);
}
