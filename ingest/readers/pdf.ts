/** PDF: bytes → the text of each page in its reading order, through pdf.js. */
import { createRequire } from 'node:module';
import { dirname, join, sep } from 'node:path';
import { getDocument, PasswordException } from 'pdfjs-dist/legacy/build/pdf.mjs';
import type { OnProgress } from '../reader-process.ts';
import type { FailureReason, ReadResult, ScannedPage, Section } from '../source.ts';
import { inColumnOrder } from './pdf-columns.ts';
import { joinHyphens, linesOfPage, type PdfLine } from './pdf-lines.ts';
import { createOutline } from './pdf-outline.ts';
import { createScanReader, defaultScanLimits, mayBeScan, type ScanLimits } from './scan/scanned-pages.ts';
import { cleanText, oneLine, titleFromName } from './sections.ts';

/** A page's text beyond this is no page: a hostile or generated file. */
const mostCharactersOfPage = 1_000_000;
const mostPages = 20_000;
/** pdf.js leaves out pictures above it before it decodes them. */
const mostPixelsOfImage = 80e6;

/** `onProgress` gets the share of pages that are done. A page without text but with a picture is recognized (`scan/`). */
export async function readPdf(
  bytes: Uint8Array,
  name: string,
  onProgress?: OnProgress,
  scanLimits: ScanLimits = defaultScanLimits,
): Promise<ReadResult> {
  const failed = (reason: FailureReason, detail: string): ReadResult => ({
    type: 'failed',
    kind: 'pdf',
    reason,
    detail,
  });
  const folder = dirname(createRequire(import.meta.url).resolve('pdfjs-dist/package.json'));
  const task = getDocument({
    // pdf.js takes the buffer away from us, so it must own it whole.
    data: bytes.byteLength === bytes.buffer.byteLength && !Buffer.isBuffer(bytes) ? bytes : new Uint8Array(bytes),
    // As paths, not addresses: pdf.js for Node opens them with fs. Without the maps CJK text has no characters.
    cMapUrl: join(folder, 'cmaps') + sep,
    cMapPacked: true,
    standardFontDataUrl: join(folder, 'standard_fonts') + sep,
    useSystemFonts: false,
    disableFontFace: true,
    useWorkerFetch: false,
    wasmUrl: join(folder, 'wasm') + sep, // for the pictures of scanned pages
    maxImageSize: mostPixelsOfImage,
    isOffscreenCanvasSupported: false,
    isImageDecoderSupported: false,
    verbosity: 0,
  });

  try {
    const pdf = await task.promise;
    if (pdf.numPages > mostPages) return failed('too-large', `It has ${pdf.numPages} pages.`);
    const pages: PdfLine[][] = [];
    const scanReader = createScanReader(scanLimits);
    const scannedPages: ScannedPage[] = [];
    const unread: string[] = [];
    let firstError: unknown = null;
    for (let number = 1; number <= pdf.numPages; number++) {
      try {
        const page = await pdf.getPage(number);
        const lines = linesOfPage(inColumnOrder((await page.getTextContent()).items));
        lines.push(...filledInLines(await page.getAnnotations().catch(() => [])));
        if (mayBeScan(lines)) {
          const scan = await scanReader.read(page, () => onProgress?.((number - 1) / pdf.numPages, true));
          if (scan.type === 'unread') unread.push(`page ${number}: ${scan.why}`);
          if (scan.type === 'read') {
            lines.push(...scan.lines);
            scannedPages.push({ page: number, words: scan.words });
          }
        }
        pages.push(lines);
        page.cleanup();
      } catch (error) {
        // One broken page must not take the others away; its number must still count.
        firstError ??= error;
        pages.push([]);
      }
      onProgress?.(number / pdf.numPages);
    }

    const outline = await createOutline(pdf);
    const sections: Section[] = [];
    const texts = joinHyphens(pages);
    const isScanned = new Set(scannedPages.map(({ page }) => page));
    for (const [index, text] of texts.entries()) {
      const cleaned = cleanText(text).slice(0, mostCharactersOfPage).trim();
      if (!/[\p{L}\p{N}]/u.test(cleaned)) continue;
      const page = index + 1;
      const label = isScanned.has(page) ? { label: `Scanned page ${page}` } : {};
      for (const part of outline.cut(page, cleaned))
        sections.push({ text: part.text, locator: { type: 'page', page }, heading: part.heading, ...label });
    }
    if (sections.length === 0) {
      if (firstError) return failed('damaged', describe(firstError));
      const why = unread.length > 0 ? ` Scans: ${unread.slice(0, 20).join('; ')}.` : '';
      return failed('no-text', `Its ${pdf.numPages} pages hold no text.${why}`);
    }
    const title = await titleOf(pdf, name);
    const scans = scannedPages.length > 0 ? { scannedPages } : {};
    return { type: 'read', kind: 'pdf', title, numPages: pdf.numPages, sections, ...scans };
  } catch (error) {
    if (error instanceof PasswordException) return failed('password', 'It opens with a password only.');
    return failed('damaged', describe(error));
  } finally {
    await task.destroy().catch(() => {});
  }
}

/** What a person has typed into a form or onto a page stands in annotations, not in the page's own text. */
function filledInLines(annotations: unknown[]): PdfLine[] {
  const lines: PdfLine[] = [];
  for (const annotation of annotations) {
    if (typeof annotation !== 'object' || annotation === null) continue;
    const { subtype, fieldType, fieldValue, contentsObj, hidden } = annotation as Record<string, unknown>;
    if (hidden === true) continue;
    const typed = subtype === 'Widget' && (fieldType === 'Tx' || fieldType === 'Ch') ? fieldValue : null;
    const note = subtype === 'FreeText' && typeof contentsObj === 'object' && contentsObj !== null ? contentsObj : null;
    for (const text of [typed, note && 'str' in note ? note.str : null])
      if (typeof text === 'string' && text.trim()) lines.push({ text: text.trim(), startsParagraph: true });
  }
  return lines;
}

/** The title from the file's facts where a person wrote it; programs leave "Microsoft Word - a.doc" or "untitled". */
async function titleOf(pdf: { getMetadata(): Promise<{ info: object }> }, name: string): Promise<string> {
  const { info } = await pdf.getMetadata().catch(() => ({ info: {} }));
  const title = 'Title' in info && typeof info.Title === 'string' ? oneLine(info.Title) : '';
  const writtenByProgram =
    /^(microsoft|untitled|unknown|document\d*$|title$|print|slide 1|powerpoint)|\.\w{2,4}$|[\\/]/i.test(title);
  // A number of a filing or an order says less than the file's name.
  const hasWord = /\p{L}{2}/u.test(title);
  const isReadable =
    title.length >= 4 && title.length <= 200 && hasWord && !writtenByProgram && !title.includes('\ufffd');
  return isReadable ? title : titleFromName(name);
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
