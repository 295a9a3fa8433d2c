/** The text of a PDF's page as items: what pdf.js finds, its unknown letters by their names, and what forms and notes say. */
import { OPS, type PDFDocumentProxy, type PDFPageProxy } from './pdf-engine.ts';
import { type Field, fieldsOf, placeFields } from './pdf-fields.ts';
import { withKnownGlyphs } from './pdf-glyphs.ts';
import type { PdfItem } from './pdf-lines.ts';

/** Of pdf.js' annotations (ISO 32000-2, 12.5.6): those that show words of their own. Links are many, and show none. */
const types = { freeText: 3, stamp: 13, widget: 20 };
const mostFieldsOfPage = 3000;

export type PageTexts = {
  itemsOf(page: PDFPageProxy): Promise<readonly PdfItem[]>;
};

/**
 * `itemsOf` gives the items of a page in the order in which they were written, but for fields: each stands behind its label,
 * or at the end. All annotations are asked for at once: asked page by page, pdf.js reads a page's text a second time for every
 * page that has a link.
 */
export async function createPageTexts(pdf: PDFDocumentProxy): Promise<PageTexts> {
  const byPage = new Map<number, unknown[]>();
  let isWhole = true;
  try {
    const found = await pdf.getAnnotationsByType(new Set(Object.values(types)), new Set());
    for (const annotation of found ?? []) {
      const { pageIndex } = annotation as { pageIndex?: unknown };
      if (typeof pageIndex !== 'number') continue;
      const ofPage = byPage.get(pageIndex + 1) ?? [];
      if (ofPage.length < mostFieldsOfPage) ofPage.push(annotation);
      byPage.set(pageIndex + 1, ofPage);
    }
  } catch {
    isWhole = false; // one broken page fails them all
  }
  return {
    async itemsOf(page) {
      const annotations = isWhole
        ? (byPage.get(page.pageNumber) ?? [])
        : await page.getAnnotations().catch((): unknown[] => []);
      const { items } = await page.getTextContent();
      const known = await withKnownGlyphs(page, items as PdfItem[]).catch(() => items as PdfItem[]);
      const { fields, drawn } = fieldsOf(annotations);
      if (drawn.size > 0) fields.push(...(await drawnFields(page, drawn).catch((): Field[] => [])));
      return fields.length > 0 ? placeFields(known, fields) : known;
    },
  };
}

/**
 * Words that stand only in the drawing of an annotation: who signed, when, what a stamp says. `drawn`: the places of those
 * annotations by their ids.
 */
async function drawnFields(page: PDFPageProxy, drawn: ReadonlyMap<string, Field['place']>): Promise<Field[]> {
  const { fnArray, argsArray } = await page.getOperatorList();
  const lines = new Map<string, string[]>();
  let id: string | null = null;
  let line = '';
  const endLine = () => {
    if (id !== null && line.trim() !== '') lines.set(id, [...(lines.get(id) ?? []), line.trim()]);
    line = '';
  };
  for (let at = 0; at < fnArray.length; at++) {
    const args: unknown[] = argsArray[at] ?? [];
    switch (fnArray[at]) {
      case OPS.beginAnnotation:
        id = typeof args[0] === 'string' && drawn.has(args[0]) ? args[0] : null;
        break;
      case OPS.endAnnotation:
        endLine();
        id = null;
        break;
      case OPS.nextLine:
      case OPS.setTextMatrix:
      case OPS.beginText:
        endLine();
        break;
      case OPS.moveText:
        if (args[1] !== 0) endLine();
        else line += ' ';
        break;
      case OPS.showText:
        if (id !== null && Array.isArray(args[0])) line += args[0].map(letterOf).join('');
        break;
    }
  }
  return [...lines].map(([of, texts]) => ({ texts, place: drawn.get(of)!, isBox: false }));
}

/** A glyph as pdf.js sends it to be drawn, or a gap, in thousandths of the letter size. */
function letterOf(glyph: unknown): string {
  if (typeof glyph === 'number') return glyph < -200 ? ' ' : '';
  if (typeof glyph !== 'object' || glyph === null || !('unicode' in glyph)) return '';
  return typeof glyph.unicode === 'string' ? glyph.unicode : '';
}
