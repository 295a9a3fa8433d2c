/** A PDF's outline (its bookmarks) as headings: which one holds at which place of which page. */
import type { PDFDocumentProxy } from './pdf-engine.ts';
import { mostHeadingCharacters, oneLine } from './sections.ts';

const mostEntries = 3000;

export type Outline = {
  /** Cuts a page's text where headings of the outline stand in it. Pages must come in ascending order. */
  cut(page: number, text: string): { text: string; heading: string | null }[];
};

export type OutlineEntry = { title: string; page: number };

/** The file's own entries; where it has none, those of `found`. Never fails: a broken outline is no outline. */
export async function createOutline(pdf: PDFDocumentProxy, found: () => OutlineEntry[]): Promise<Outline> {
  const own = await readEntries(pdf).catch((): OutlineEntry[] => []);
  const entries = own.length > 0 ? own : found();
  let next = 0;
  let current: string | null = null;
  return {
    cut(page, text) {
      while (next < entries.length && entries[next]!.page < page) current = entries[next++]!.title;
      const parts: { text: string; heading: string | null }[] = [];
      let from = 0;
      for (; next < entries.length && entries[next]!.page === page; next++) {
        const { title } = entries[next]!;
        const at = findLine(text, title, from);
        if (at === null) {
          // Its words stand nowhere on the page (a picture, other spelling): it holds from the page's top if none did.
          current ??= title;
          continue;
        }
        if (at > from && text.slice(from, at).trim()) {
          parts.push({ text: text.slice(from, at).trim(), heading: current });
          from = at;
        }
        current = title;
      }
      const rest = text.slice(from).trim();
      if (rest) parts.push({ text: rest, heading: current });
      return parts;
    },
  };
}

/** Where a line begins that starts with the title's words, or ends with them after a number ("3.2 Results"). */
function findLine(text: string, title: string, from: number): number | null {
  const words = title.split(' ').map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  const line = new RegExp(`(?:^|\\n)[^\\S\\n]*(?:[\\dA-Z.]{1,10}\\s+)?${words.join('\\s+')}`, 'iu');
  const found = line.exec(text.slice(from));
  if (!found) return null;
  return from + found.index + (found[0].startsWith('\n') ? 1 : 0);
}

async function readEntries(pdf: PDFDocumentProxy): Promise<OutlineEntry[]> {
  const entries: OutlineEntry[] = [];
  type Node = { title: string; dest: string | unknown[] | null; items: Node[] };
  const visit = async (nodes: Node[], depth: number): Promise<void> => {
    for (const node of nodes) {
      if (entries.length >= mostEntries || depth > 20) return;
      const page = await pageOf(pdf, node.dest).catch(() => null);
      const title = oneLine(node.title ?? '').slice(0, mostHeadingCharacters);
      if (page !== null && title.length >= 2) entries.push({ title, page });
      await visit(node.items ?? [], depth + 1);
    }
  };
  await visit(((await pdf.getOutline()) ?? []) as Node[], 0);
  return entries.sort((a, b) => a.page - b.page); // stable: entries of one page keep the outline's order
}

async function pageOf(pdf: PDFDocumentProxy, dest: string | unknown[] | null): Promise<number | null> {
  const explicit = typeof dest === 'string' ? await pdf.getDestination(dest) : dest;
  const target: unknown = explicit?.[0];
  if (typeof target === 'number') return target + 1;
  if (typeof target !== 'object' || target === null || !('num' in target) || !('gen' in target)) return null;
  return (await pdf.getPageIndex(target as { num: number; gen: number })) + 1;
}
