/** What stands on every page of a PDF and is no part of its text: running titles, page numbers. */
import type { PdfLine } from './pdf-lines.ts';

/** Fewer pages may all begin alike because that is what they say. */
const fewestPages = 4;
const shareOfPages = 0.5;
/** How many lines at each end of a page are looked at. */
const linesAtEnd = 2;
const mostCharacters = 80;
/** A number so near to the page's own may be its printed number. */
const mostOffset = 50;

/**
 * The pages without lines that stand at the top, or at the bottom, of at least half of them with the same words, page numbers
 * counted on. The first page that has one keeps it, but for a bare page number: what it says is said once.
 */
export function withoutFurniture(pages: readonly PdfLine[][]): PdfLine[][] {
  if (pages.length < fewestPages) return pages.map((lines) => [...lines]);
  const numPagesWith = new Map<string, number>();
  for (const [index, lines] of pages.entries())
    for (const key of new Set(endsOf(lines).flatMap(({ line, end }) => keysOf(line, end, index + 1))))
      numPagesWith.set(key, (numPagesWith.get(key) ?? 0) + 1);
  const least = Math.max(fewestPages, Math.ceil(pages.length * shareOfPages));
  const said = new Set<string>();
  return pages.map((lines, index) => {
    const dropped = new Set<PdfLine>();
    for (const { line, end } of endsOf(lines)) {
      const keys = keysOf(line, end, index + 1).filter((key) => (numPagesWith.get(key) ?? 0) >= least);
      if (keys.length === 0) continue;
      const isNumber = !/\p{L}{3}/u.test(line.text.replace(/\bpage\b/giu, ''));
      if (isNumber || keys.some((key) => said.has(key))) dropped.add(line);
      for (const key of keys) said.add(key);
    }
    return lines.filter((line) => !dropped.has(line));
  });
}

function endsOf(lines: readonly PdfLine[]): { line: PdfLine; end: 'top' | 'bottom' }[] {
  const top = lines.slice(0, linesAtEnd).map((line) => ({ line, end: 'top' as const }));
  const bottom = lines.slice(Math.max(linesAtEnd, lines.length - linesAtEnd));
  return [...top, ...bottom.map((line) => ({ line, end: 'bottom' as const }))];
}

/** The line as it is, and with one of its numbers counted from the page's: "Page 7 of 12" is on page 7 what 8 is on page 8. */
function keysOf({ text }: PdfLine, end: string, page: number): string[] {
  const words = text.toLowerCase().replace(/\s+/g, ' ').trim();
  if (words === '' || words.length > mostCharacters) return [];
  const counted = [...words.matchAll(/\d{1,5}/g)].flatMap(({ 0: digits, index }) => {
    const offset = Number(digits) - page;
    if (Math.abs(offset) > mostOffset) return [];
    return `${end} ${words.slice(0, index)}#${offset}${words.slice(index + digits.length)}`;
  });
  return [`${end} ${words}`, ...counted];
}
