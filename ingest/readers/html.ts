/** HTML: bytes → numbered paragraphs under headings. Nothing is fetched, run or resolved. */
import { HTMLElement, type Node, NodeType, parse, type TextNode } from 'node-html-parser';
import type { ReadResult, Section } from '../source.ts';
import { boundDepth } from './html-depth.ts';
import { looksLikeHeader } from './office/cells.ts';
import { formatCount } from './office/word-numbers.ts';
import { createParagraphs, oneLine, titleFromName } from './sections.ts';
import { decodeText } from './text.ts';

/** What a reader of the page does not read as its text. */
const skipped = new Set(
  'script style noscript template nav head iframe object embed svg math canvas audio video select button textarea dialog'.split(
    ' ',
  ),
);
const blocks = new Set(
  (
    'address article aside blockquote body center dd details dir div dl dt fieldset figcaption figure footer form header hr html ' +
    'legend li main menu ol p pre section summary table tbody tfoot thead tr ul caption option'
  ).split(' '),
);
/** Deeper than any page a person wrote; a hostile one has 100,000 levels and would overflow the stack. */
const deepest = 500;

export function readHtml(bytes: Uint8Array, name: string): ReadResult {
  const decoded = decodeText(recode(bytes));
  if (decoded.type === 'junk') return { type: 'failed', kind: 'html', reason: 'damaged', detail: decoded.detail };
  const { title, sections } = htmlToSections(decoded.text);
  if (sections.length === 0)
    return { type: 'failed', kind: 'html', reason: 'no-text', detail: 'The page holds no text.' };
  return { type: 'read', kind: 'html', title: title || titleFromName(name), numPages: null, sections };
}

/**
 * Also used by the DOCX reader, whose parser gives HTML. `title` is empty where there is none. `countsLists`: items of ordered lists
 * get the numbers that a browser shows; a document of Word brings its own.
 */
export function htmlToSections(html: string, countsLists = true): { title: string; sections: Section[] } {
  const root = parse(boundDepth(html), {
    comment: false,
    blockTextElements: { script: false, style: false, noscript: false, pre: true },
  });
  const paragraphs = createParagraphs();
  let line = '';
  let firstHeading = '';
  let rows: Row[] | null = null;
  const lists: (List | null)[] = [];
  /** The number of the item that begins; a paragraph in it begins with it. */
  let label = '';
  const flush = () => {
    paragraphs.add(line.trim() === '' ? '' : label + line.trimStart());
    if (line.trim() !== '') label = '';
    line = '';
  };

  const walk = (node: Node, depth: number, preserve: boolean) => {
    if (node.nodeType === NodeType.TEXT_NODE) {
      const text = (node as TextNode).text;
      line += preserve ? text : text.replace(/[^\S\u00a0]+/g, ' ');
      return;
    }
    if (!(node instanceof HTMLElement) || depth > deepest) return;
    const tag = (node.rawTagName ?? '').toLowerCase();
    if (skipped.has(tag) || node.hasAttribute('hidden')) return;
    if (/^h[1-6]$/.test(tag)) {
      flush();
      for (const child of node.childNodes) walk(child, depth + 1, preserve);
      const heading = oneLine(line) && label + oneLine(line);
      line = '';
      label = '';
      if (tag === 'h1') firstHeading ||= heading;
      paragraphs.startHeading(heading);
      return;
    }
    if (tag === 'br') {
      line += '\n';
      return;
    }
    if (tag === 'tr') {
      flush();
      const row = rowOf(node, depth, walkInto);
      if (rows) rows.push(row);
      else paragraphs.add(row.cells.filter((cell) => cell !== '').join(' | '));
      return;
    }
    if (tag === 'table' && !rows) {
      flush();
      rows = [];
      for (const child of node.childNodes) walk(child, depth + 1, preserve);
      flush();
      const [first, ...next] = rows;
      const cells = next.slice(0, 20).map((row) => row.cells);
      // Who writes no header cells may still have a header: words above figures.
      const isHeader = first?.isHeader || (cells.flat().some(isFigure) && looksLikeHeader(first?.cells ?? [], cells));
      paragraphs.addTable(
        rows.map((row) => row.cells),
        isHeader === true && first!.cells.length > 1,
      );
      rows = null;
      return;
    }
    const isBlock = blocks.has(tag);
    if (isBlock) flush();
    const isList = tag === 'ol' || tag === 'ul' || tag === 'menu';
    if (isList) lists.push(tag === 'ol' && countsLists ? listOf(node) : null);
    if (tag === 'li') label = labelOf(node, lists.at(-1));
    for (const child of node.childNodes) walk(child, depth + 1, preserve || tag === 'pre');
    if (isBlock) flush();
    if (isList) lists.pop();
    if (tag === 'li') label = '';
  };
  /** The text below a node as one line, without ending the paragraph at hand. */
  const walkInto = (node: Node, depth: number): string => {
    const before = line;
    line = '';
    inlineText(node, depth);
    const text = oneLine(line);
    line = before;
    return text;
  };
  const inlineText = (node: Node, depth: number) => {
    if (node.nodeType === NodeType.TEXT_NODE) line += (node as TextNode).text;
    if (!(node instanceof HTMLElement) || depth > deepest) return;
    const tag = (node.rawTagName ?? '').toLowerCase();
    if (skipped.has(tag)) return;
    const separates = blocks.has(tag) || tag === 'br' || tag === 'td' || tag === 'th';
    if (separates) line += ' ';
    for (const child of node.childNodes) inlineText(child, depth + 1);
    if (separates) line += ' ';
  };

  walk(root, 0, false);
  flush();
  const title = oneLine(root.querySelector('title')?.text ?? '') || firstHeading;
  return { title: title.slice(0, 200), sections: paragraphs.sections };
}

type List = { next: number; format: string };

const listFormats: Record<string, string> = { a: 'lowerLetter', A: 'upperLetter', i: 'lowerRoman', I: 'upperRoman' };

/** Null for one that counts downwards, which is rare, and is not followed here. */
function listOf(element: HTMLElement): List | null {
  if (element.hasAttribute('reversed')) return null;
  const start = Number.parseInt(element.getAttribute('start') ?? '1', 10);
  return {
    next: Number.isSafeInteger(start) ? start : 1,
    format: listFormats[element.getAttribute('type') ?? ''] ?? '',
  };
}

function labelOf(item: HTMLElement, list: List | null | undefined): string {
  if (!list) return '';
  const value = Number.parseInt(item.getAttribute('value') ?? '', 10);
  if (Number.isSafeInteger(value)) list.next = value;
  const label = `${formatCount(list.next, list.format)}. `;
  list.next += 1;
  return label;
}

type Row = { cells: string[]; isHeader: boolean };

const mostColumns = 500;

/** A row's cells; one that spans several columns leaves the rest of them empty, in a header it names each of them. */
function rowOf(row: HTMLElement, depth: number, textOf: (node: Node, depth: number) => string): Row {
  const cells: string[] = [];
  let isHeader = true;
  for (const child of row.childNodes) {
    if (!(child instanceof HTMLElement)) continue;
    const text = textOf(child, depth + 1);
    const isName = (child.rawTagName ?? '').toLowerCase() === 'th';
    isHeader &&= isName || text === '';
    const span = Math.min(100, Number(child.getAttribute('colspan') ?? 1) || 1);
    for (let at = 0; at < span && cells.length < mostColumns; at++) cells.push(at === 0 || isName ? text : '');
  }
  return { cells, isHeader: isHeader && cells.some((cell) => cell !== '') };
}

function isFigure(cell: string): boolean {
  return /^[-+(]?\W?\d[\d.,]*\W?\W?$/.test(cell.trim());
}

/** A page that names its encoding in a `meta` is turned into UTF-8 first; the name is taken only if the decoder has it. */
function recode(bytes: Uint8Array): Uint8Array {
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, 2048)).toString('latin1');
  const named = /<meta[^>]+charset\s*=\s*["']?\s*([a-z0-9_:.-]+)/i.exec(head)?.[1];
  if (!named || /^utf-?(8|16)/i.test(named) || bytes[0] === 0xef || bytes[0] === 0xff || bytes[0] === 0xfe)
    return bytes;
  try {
    return new TextEncoder().encode(new TextDecoder(named, { fatal: true }).decode(bytes));
  } catch {
    return bytes;
  }
}
