/** PDF: bytes → the text of each page in its reading order, through pdf.js. */
import type { OnProgress } from '../reader-process.ts';
import type { FailureReason, ReadResult, ScannedPage, Section, UnreadPart } from '../source.ts';
import { inColumnOrder } from './pdf-columns.ts';
import { openPdf, PasswordException } from './pdf-engine.ts';
import { withoutFurniture } from './pdf-furniture.ts';
import { headingsOf } from './pdf-headings.ts';
import { createPageTexts } from './pdf-items.ts';
import { joinHyphens, linesOfPage, type PdfItem, type PdfLine } from './pdf-lines.ts';
import { createOutline } from './pdf-outline.ts';
import { type PdfTable, tablesOfPage } from './pdf-table/tables.ts';
import { createScanReader, defaultScanLimits, mayBeScan, type ScanLimits } from './scan/scanned-pages.ts';
import { cleanText, oneLine, titleFromName } from './sections.ts';

/** A page's text beyond this is no page: a hostile or generated file. */
const mostCharactersOfPage = 1_000_000;
const mostPages = 20_000;
const fewWords = 12;

/** `onProgress` gets the share of pages that are done. A page without text but with a picture is recognized (`scan/`). */
export async function readPdf(
  bytes: Uint8Array,
  name: string,
  onProgress?: OnProgress,
  scanLimits: ScanLimits = defaultScanLimits,
  scanFolders: readonly string[] = [],
): Promise<ReadResult> {
  const failed = (reason: FailureReason, detail: string): ReadResult => ({
    type: 'failed',
    kind: 'pdf',
    reason,
    detail,
  });
  const task = openPdf(bytes);

  try {
    const pdf = await task.promise;
    if (pdf.numPages > mostPages) return failed('too-large', `It has ${pdf.numPages} pages.`);
    const texts = await createPageTexts(pdf);
    const pages: PagePart[][] = [];
    let lastTable: PdfTable | null = null;
    const scanReader = createScanReader(scanLimits, scanFolders);
    const scannedPages: ScannedPage[] = [];
    const unread: string[] = [];
    const unreadPages: UnreadPart[] = [];
    let firstError: unknown = null;
    for (let number = 1; number <= pdf.numPages; number++) {
      try {
        const page = await pdf.getPage(number);
        const items = await texts.itemsOf(page);
        const tables = tablesOfPage(items, page.getViewport({ scale: 1 }).transform, lastTable);
        lastTable = tables.at(-1) ?? null;
        const parts = partsOfPage(items, tables);
        const lines: PdfLine[] = [];
        if (tables.length === 0 && mayBeScan(linesOf(parts))) {
          const scan = await scanReader.read(page, () => onProgress?.((number - 1) / pdf.numPages, true));
          if (scan.type === 'unread') {
            unread.push(`page ${number}: ${scan.why}`);
            unreadPages.push({ name: `page ${number}`, reason: 'no-text' });
          }
          if (scan.type === 'read') {
            lines.push(...scan.lines);
            const { words, confidence, languages } = scan;
            scannedPages.push({ page: number, words, confidence, languages });
          }
        }
        pages.push([...parts, ...(lines.length > 0 ? [{ type: 'lines' as const, lines }] : [])]);
        page.cleanup();
      } catch (error) {
        // One broken page must not take the others away; its number must still count.
        firstError ??= error;
        unreadPages.push({ name: `page ${number}`, reason: 'damaged' });
        pages.push([]);
      }
      onProgress?.(number / pdf.numPages);
    }

    const told = withoutRunningTitles(pages);
    const outline = await createOutline(pdf, () => headingsOf(told.map(linesOf)));
    const isScanned = new Set(scannedPages.map(({ page }) => page));
    const sections: Section[] = [];
    let numTables = 0;
    for (const [index, parts] of wholeWords(told).entries()) {
      const page = index + 1;
      const label = isScanned.has(page) ? { label: `Scanned page ${page}` } : {};
      const tables = parts.flatMap((part) => (part.type === 'table' ? [part.table] : []));
      const text = parts.map((part) => (part.type === 'text' ? cleanText(part.text) : tableMark)).join('\n');
      for (const part of outline.cut(page, text.slice(0, mostCharactersOfPage).trim())) {
        const locator = { type: 'page' as const, page };
        for (const [at, piece] of part.text.split(tableMark).entries()) {
          const table = at > 0 ? tables.shift() : undefined;
          if (table) {
            numTables += 1;
            for (const row of sectionsOfTable(table, numTables))
              sections.push({ ...row, locator, heading: part.heading });
          }
          if (!/[\p{L}\p{N}]/u.test(piece)) continue;
          // A few words between tables are a note to what was said before, not a passage.
          const before = sections.findLast(({ row, locator: at }) => !row && at.type === 'page' && at.page === page);
          const isCrumb = piece.trim().split(/\s+/).length < fewWords;
          if (isCrumb && before && before.heading === part.heading) before.text += `\n\n${piece.trim()}`;
          else sections.push({ text: piece.trim(), locator, heading: part.heading, ...label });
        }
      }
    }
    if (sections.length === 0) {
      if (firstError) return failed('damaged', describe(firstError));
      const why = unread.length > 0 ? ` Scans: ${unread.slice(0, 20).join('; ')}.` : '';
      return failed('no-text', `Its ${pdf.numPages} pages hold no text.${why}`);
    }
    const title = await titleOf(pdf, name);
    const scans = scannedPages.length > 0 ? { scannedPages } : {};
    const rest = unreadPages.length > 0 ? { unread: unreadPages } : {};
    return { type: 'read', kind: 'pdf', title, numPages: pdf.numPages, sections, ...scans, ...rest };
  } catch (error) {
    if (error instanceof PasswordException) return failed('password', 'It opens with a password only.');
    return failed('damaged', describe(error));
  } finally {
    await task.destroy().catch(() => {});
  }
}

type PagePart = { type: 'lines'; lines: PdfLine[] } | { type: 'table'; table: PdfTable };

/** Stands for a table in a page's text; no text has it, since control characters are taken out of all. */
const tableMark = '\u0000';

/** A page's text with its tables where they stand in it. */
function partsOfPage(items: readonly PdfItem[], tables: readonly PdfTable[]): PagePart[] {
  if (tables.length === 0) return [{ type: 'lines', lines: linesOfPage(inColumnOrder(items)) }];
  const tableOf = new Map(tables.flatMap((table) => [...table.items].map((item) => [item, table] as const)));
  const parts: PagePart[] = [];
  const placed = new Set<PdfTable>();
  let prose: PdfItem[] = [];
  const endProse = () => {
    const lines = linesOfPage(prose);
    if (lines.length > 0) parts.push({ type: 'lines', lines });
    prose = [];
  };
  for (const [index, item] of items.entries()) {
    const table = tableOf.get(index);
    if (!table) prose.push(item);
    else if (!placed.has(table)) {
      endProse();
      parts.push({ type: 'table', table });
      placed.add(table);
    }
  }
  endProse();
  return parts;
}

/** The pages without what stands at the top or the bottom of most of them. */
function withoutRunningTitles(pages: PagePart[][]): PagePart[][] {
  const kept = withoutFurniture(pages.map(linesOf)).map((lines) => new Set(lines));
  return pages.map((parts, page) =>
    parts.map((part) =>
      part.type === 'lines' ? { type: 'lines', lines: part.lines.filter((line) => kept[page]!.has(line)) } : part,
    ),
  );
}

function linesOf(parts: readonly PagePart[]): PdfLine[] {
  return parts.flatMap((part) => (part.type === 'lines' ? part.lines : []));
}

/** The pages with their lines as text, in which words that a line's end had cut are whole again. */
function wholeWords(pages: PagePart[][]): ({ type: 'text'; text: string } | { type: 'table'; table: PdfTable })[][] {
  const texts = joinHyphens(
    pages.flatMap((parts) => parts.flatMap((part) => (part.type === 'lines' ? [part.lines] : []))),
  );
  return pages.map((parts) =>
    parts.map((part) => (part.type === 'lines' ? { type: 'text', text: texts.shift() ?? '' } : part)),
  );
}

/** A table's rows. The words of its head are in its first row's `header`, so that nothing of the page is lost. */
function sectionsOfTable({ header, title, rows }: PdfTable, table: number): Pick<Section, 'text' | 'row'>[] {
  return rows.map(({ text, named }, index) => ({
    text,
    row: { table, named, ...(index === 0 ? { ...(header ? { header } : {}), ...(title ? { title } : {}) } : {}) },
  }));
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
