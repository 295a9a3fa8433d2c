/** EPUB: bytes → the book's chapters in their order, as numbered paragraphs under headings. */
import type { ReadResult, Section } from '../../source.ts';
import { htmlToSections } from '../html.ts';
import { partOf, resolvePart } from '../office/package.ts';
import { ReadingRefused } from '../refusal.ts';
import { oneLine, titleFromName } from '../sections.ts';
import { decodeText } from '../text.ts';
import { attributeOf, childrenOf, descendantsOf, elementAt, textBelow } from '../xml.ts';
import { openZip } from '../zip-limits.ts';

const mostChapters = 10_000;

export function readEpub(bytes: Uint8Array, name: string, onProgress?: (done: number) => void): ReadResult {
  const zip = openZip(bytes);
  const [rootFile] = descendantsOf(partOf(zip, 'META-INF/container.xml'), 'rootfile');
  const bookName = attributeOf(rootFile, 'full-path') ?? zip.names.find((entry) => entry.endsWith('.opf'));
  const book = partOf(zip, bookName);
  if (!book || bookName === undefined) throw new ReadingRefused('damaged', 'The archive holds no book.');
  const folder = bookName.slice(0, bookName.lastIndexOf('/') + 1);

  const targets = new Map<string, string>();
  for (const item of childrenOf(elementAt(book, 'manifest'), 'item')) {
    const [id, target, type] = ['id', 'href', 'media-type'].map((key) => attributeOf(item, key));
    // The table of contents says every heading a second time.
    const isContents = /\bnav\b/.test(attributeOf(item, 'properties') ?? '');
    if (id && target && /html|xml$/.test(type ?? '') && !isContents)
      targets.set(id, resolvePart(folder, unescaped(target)));
  }
  const chapters = childrenOf(elementAt(book, 'spine'), 'itemref').map((item) =>
    targets.get(attributeOf(item, 'idref') ?? ''),
  );
  if (chapters.length > mostChapters) throw new ReadingRefused('too-large', `It has ${chapters.length} chapters.`);

  const locked = new Set<string>();
  // Fonts are often scrambled, which hinders nobody; a scrambled chapter is a book with a lock.
  for (const reference of descendantsOf(partOf(zip, 'META-INF/encryption.xml'), 'CipherReference'))
    locked.add(resolvePart('', unescaped(attributeOf(reference, 'URI') ?? '')));

  const sections: Section[] = [];
  let numTables = 0;
  for (const [index, chapter] of chapters.entries()) {
    if (chapter !== undefined && locked.has(chapter))
      throw new ReadingRefused('password', 'It is locked by its seller.');
    if (chapter === undefined || !zip.has(chapter)) continue;
    const decoded = decodeText(zip.read(chapter));
    if (decoded.type === 'junk') continue;
    const read = htmlToSections(decoded.text);
    const tablesBefore = numTables;
    for (const section of read.sections) {
      const row = section.row && { ...section.row, table: section.row.table + tablesBefore };
      numTables = Math.max(numTables, row?.table ?? 0);
      const locator = { type: 'paragraph', paragraph: sections.length + 1 } as const;
      sections.push({ ...section, locator, ...(row ? { row } : {}) });
    }
    onProgress?.((index + 1) / chapters.length);
  }
  if (sections.length === 0) throw new ReadingRefused('no-text', 'The book opens but holds no text.');
  const title = oneLine(textBelow(elementAt(book, 'metadata', 'title')));
  return { type: 'read', kind: 'epub', title: title.slice(0, 200) || titleFromName(name), numPages: null, sections };
}

function unescaped(address: string): string {
  const [path = ''] = address.split('#');
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}
