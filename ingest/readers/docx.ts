/** DOCX: bytes → numbered paragraphs under headings, through mammoth. Pictures are dropped, nothing outside is opened. */
import mammoth from 'mammoth';
import type { FailureReason, ReadResult, Section } from '../source.ts';
import { htmlToSections } from './html.ts';
import { wordsOfChart } from './office/drawing.ts';
import { partOf } from './office/package.ts';
import { numberingOf, withNumbers } from './office/word-numbers.ts';
import { cleanText, titleFromName } from './sections.ts';
import { descendantsOf, textBelow, type XmlElement } from './xml.ts';
import { checkZip, openZip, type Zip } from './zip-limits.ts';

export async function readDocx(bytes: Uint8Array, name: string): Promise<ReadResult> {
  const failed = (reason: FailureReason, detail: string): ReadResult => ({
    type: 'failed',
    kind: 'docx',
    reason,
    detail,
  });
  const zip = await checkZip(bytes);
  if (zip.type === 'refused') return failed(zip.reason, zip.detail);
  if (!zip.names.some((entry) => /^\/?word\/document\d*\.xml$/i.test(entry)) && !zip.names.includes('_rels/.rels'))
    return failed('damaged', 'The zip archive holds no Word document.');
  if (zip.names.includes('EncryptedPackage')) return failed('password', 'It is encrypted.');

  let html: string;
  try {
    const converted = await mammoth.convertToHtml(
      { file: withCountedNumbers(openZip(bytes)) } as unknown as Parameters<typeof mammoth.convertToHtml>[0],
      {
        externalFileAccess: false, // a link to a local picture must not read that file into the text (CVE-2025-11849)
        includeEmbeddedStyleMap: false, // a style map inside the document is the document's author's program
        convertImage: mammoth.images.imgElement(async () => ({ src: '' })),
        styleMap: ["p[style-name='Title'] => h1:fresh", "p[style-name='Subtitle'] => h2:fresh"],
      },
    );
    html = converted.value;
  } catch (error) {
    return failed('damaged', error instanceof Error ? error.message : String(error));
  }
  const { title, sections } = htmlToSections(html, false);
  addAsides(bytes, sections);
  if (sections.length === 0) return failed('no-text', 'The document opens but holds no text.');
  return { type: 'read', kind: 'docx', title: title || titleFromName(name), numPages: null, sections };
}

/** The archive as mammoth wants it, with the numbers of headings and lists written into its text. */
function withCountedNumbers(zip: Zip): {
  exists(name: string): boolean;
  read(name: string, encoding?: string): unknown;
} {
  // Some writers begin the names of entries with a stroke.
  const entryOf = (name: string) => (zip.has(name) ? name : `/${name}`);
  return {
    exists: (name) => zip.has(entryOf(name)),
    async read(name, encoding) {
      const part = zip.read(entryOf(name));
      if (encoding === 'base64') return Buffer.from(part).toString('base64');
      if (encoding === undefined) return part;
      const text = new TextDecoder(encoding).decode(part);
      if (!/^word\/document\d*\.xml$/i.test(name)) return text;
      const [numbering, styles] = ['word/numbering.xml', 'word/styles.xml'].map((one) =>
        readablePart(zip, entryOf(one)),
      );
      return withNumbers(text, numberingOf(numbering, styles));
    },
  };
}

/** What mammoth leaves out: headers and footers, each words once, and the figures of charts. They stand after the text. */
function addAsides(bytes: Uint8Array, sections: Section[]): void {
  const zip = openZip(bytes);
  const said = new Set<string>();
  const add = (label: string, text: string) => {
    const words = cleanText(text).trim();
    if (!/[\p{L}\p{N}]/u.test(words) || said.has(words)) return;
    said.add(words);
    const locator = { type: 'paragraph', paragraph: sections.length + 1 } as const;
    sections.push({ text: words, locator, heading: null, label });
  };
  for (const name of zip.names) {
    const [, part] = /^word\/(header|footer|charts\/chart)\d*\.xml$/.exec(name) ?? [];
    const root = part === undefined ? undefined : readablePart(zip, name);
    if (part === 'charts/chart') add('Chart', wordsOfChart(root).join('\n'));
    else if (root) add(part === 'header' ? 'Page header' : 'Page footer', wordParagraphs(root).join('\n'));
  }
}

/** A broken header is no reason to refuse the text that could be read. */
function readablePart(zip: Zip, name: string): XmlElement | undefined {
  try {
    return partOf(zip, name);
  } catch {
    return undefined;
  }
}

/** Only the words between a field's fences that the field gives, not its program; a page's number is none of the document's. */
function wordParagraphs(root: XmlElement): string[] {
  return [...descendantsOf(root, 'p')].flatMap((paragraph) => {
    const text = [...descendantsOf(paragraph, 't')].map(textBelow).join('');
    return /\p{L}/u.test(text) ? [text] : [];
  });
}
