/** The words of a page and where they stand, for marking a quote that the page's own text, as it is drawn, does not hold. */
import type { ScannedWord } from '../../ingest/source.ts';
import type { Outside } from '../outside.ts';
import type { StoredDocument } from '../store/document-table.ts';

/** Nobody looks at a page for longer without its mark. */
const deadlineMs = 10_000;

/**
 * Of a scan what is stored. Another page of a PDF is read once more, in a process of its own: what was typed into a form, and letters
 * that only a glyph's name tells, stand in no text that a window draws. None for anything else, and where it cannot be read.
 */
export async function wordsOfPage(
  parts: {
    scannedWords: (documentId: string, page: number) => ScannedWord[];
    readFile: Outside['readFile'];
  },
  document: StoredDocument,
  page: number,
  signal: AbortSignal,
): Promise<ScannedWord[]> {
  const scanned = parts.scannedWords(document.id, page);
  if (scanned.length > 0 || document.kind !== 'pdf' || document.sourceType !== 'file') return scanned;
  const { location: path, name, sizeBytes, modifiedAtMs } = document;
  const until = AbortSignal.any([signal, AbortSignal.timeout(deadlineMs)]);
  const source = { type: 'file' as const, path, name, sizeBytes, modifiedAtMs };
  const read = await parts.readFile(source, { signal: until, wordsOf: [page] });
  return (read.type === 'read' && read.scannedPages?.find((one) => one.page === page)?.words) || [];
}
