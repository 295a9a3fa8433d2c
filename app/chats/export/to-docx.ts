/**
 * A chat as a Word document: each question a heading, each quote a paragraph of the style "Quote" with a bookmark that its
 * [n] leads to, and its source below it, with a link to the web where it has one: a video at its second. Nothing in it is
 * fetched when it is opened, and no field is to be updated.
 */
import {
  Bookmark,
  BorderStyle,
  Document,
  ExternalHyperlink,
  HeadingLevel,
  InternalHyperlink,
  type IParagraphOptions,
  type IRunOptions,
  Packer,
  Paragraph,
  type ParagraphChild,
  ShadingType,
  Table,
  TableCell,
  TableRow,
  TextRun,
  WidthType,
} from 'docx';
import type { Citation, Turn } from '../../contract/types.ts';
import { accent, bullets, codeFont, indentOfLevel, levels, line, mark, numbersFrom, stylesIn } from './docx-styles.ts';
import { type Block, type Inline, markdownTree } from './markdown-tree.ts';
import { type ChatToExport, dateWords, placeWords, sourceAddress } from './words.ts';

/** The width between the margins of a page of A4. */
const textWidth = 9026;

export async function toDocx(chat: ChatToExport): Promise<Uint8Array<ArrayBuffer>> {
  const writer = createWriter(chat);
  const children = [
    new Paragraph({ heading: HeadingLevel.TITLE, children: runs(chat.chat.title) }),
    new Paragraph({ style: 'Date', children: runs(dateWords(chat)) }),
    ...chat.turns.flatMap((turn, index) => writer.turn(turn, index + 1)),
  ];
  const document = new Document({
    title: clean(chat.chat.title),
    creator: 'Quoth',
    lastModifiedBy: 'Quoth',
    styles: stylesIn(chat.words.language),
    numbering: { config: [bullets, ...writer.numberings()] },
    sections: [{ properties: {}, children }],
  });
  const bytes = await Packer.toArrayBuffer(document);
  return new Uint8Array(bytes);
}

/** What XML cannot hold is left out. */
function clean(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
  return text.replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, '').toWellFormed();
}

/** A text as runs: each line after the first begins with a break. */
function runs(text: string, look: Partial<IRunOptions> = {}): TextRun[] {
  const lines = clean(text).split('\n');
  return lines.map((line, index) => new TextRun({ ...look, text: line, ...(index > 0 ? { break: 1 } : {}) }));
}

type Look = { bold?: true; italics?: true; strike?: true; font?: string };

function createWriter(chat: ChatToExport) {
  const { words } = chat;
  /** Each ordered list counts for itself, from where it starts. */
  const starts: { reference: string; start: number }[] = [];

  function turn({ question, answer }: Turn, number: number): (Paragraph | Table)[] {
    const heading = new Paragraph({
      heading: HeadingLevel.HEADING_1,
      children: [new Bookmark({ id: `turn-${number}`, children: runs(question.trim()) })],
    });
    if (!answer) return [heading, new Paragraph({ style: 'Date', children: runs(words.unanswered) })];
    const known = new Set(answer.citations.map(({ n }) => n));
    const cite = (n: number): ParagraphChild =>
      known.has(n)
        ? new InternalHyperlink({
            anchor: `quote-${number}-${n}`,
            children: [new TextRun({ text: `[${n}]`, style: 'Hyperlink', superScript: true })],
          })
        : new TextRun(`[${n}]`);
    const quotes = answer.citations.flatMap((citation) => quote(citation, number));
    return [
      heading,
      ...blocks(markdownTree(answer.text), cite, {}),
      ...(quotes.length === 0
        ? []
        : [new Paragraph({ heading: HeadingLevel.HEADING_2, children: runs(words.quotes) }), ...quotes]),
    ];
  }

  function quote(citation: Citation, number: number): Paragraph[] {
    const { n, title, source, quote: said, verified } = citation;
    const isGone = said === '' && source === '';
    const address = sourceAddress(citation);
    const name = isGone ? words.removed : title;
    const parts: ParagraphChild[][] = [
      [...(address === null ? runs(name, { bold: true }) : [outward(address, runs(name, { style: 'Hyperlink' }))])],
      source !== title && address === null && source !== '' ? runs(source) : [],
      placeWords(citation, words) === '' ? [] : runs(placeWords(citation, words)),
      isGone ? [] : runs(verified ? words.verified : words.unverified),
    ];
    const place = parts
      .filter((part) => part.length > 0)
      .flatMap((part, index) => [...(index > 0 ? runs(' · ') : []), ...part]);
    const anchor = new Bookmark({ id: `quote-${number}-${n}`, children: runs(`[${n}] `, { color: accent }) });
    if (said === '') return [new Paragraph({ style: 'QuotePlace', children: [anchor, ...place] })];
    return [
      new Paragraph({
        style: 'Quote',
        keepNext: true,
        border: {
          left: { style: verified ? BorderStyle.SINGLE : BorderStyle.DASHED, size: 18, space: 8, color: mark },
        },
        children: [anchor, ...runs(said)],
      }),
      new Paragraph({ style: 'QuotePlace', children: place }),
    ];
  }

  function blocks(list: readonly Block[], cite: Cite, given: IParagraphOptions): (Paragraph | Table)[] {
    return list.flatMap((block) => blockOf(block, cite, given));
  }

  function blockOf(block: Block, cite: Cite, given: IParagraphOptions): (Paragraph | Table)[] {
    switch (block.type) {
      case 'paragraph':
        return [new Paragraph({ ...given, children: inlines(block.children, cite, {}) })];
      case 'heading':
        return [
          new Paragraph({
            heading: block.level === 1 ? HeadingLevel.HEADING_2 : HeadingLevel.HEADING_3,
            children: inlines(block.children, cite, {}),
          }),
        ];
      case 'code':
        return [new Paragraph({ style: 'Code', children: runs(block.text) })];
      case 'rule':
        return [new Paragraph({ border: { bottom: { style: BorderStyle.SINGLE, size: 6, space: 1, color: line } } })];
      case 'quote':
        return blocks(block.children, cite, { ...given, style: 'IntenseQuote' });
      case 'table':
        // Word joins tables that touch, and a document must not end with one.
        return [table(block, cite), new Paragraph({ children: [] })];
      case 'list':
        return listItems(block, cite, given);
    }
  }

  function listItems(list: Extract<Block, { type: 'list' }>, cite: Cite, given: IParagraphOptions) {
    const level = Math.min(levels.length - 1, (given.numbering ? given.numbering.level : -1) + 1);
    let reference = bullets.reference;
    if (list.isOrdered) {
      reference = `numbers-${starts.length + 1}`;
      starts.push({ reference, start: list.start });
    }
    return list.items.flatMap(([first, ...others]): (Paragraph | Table)[] => {
      const numbering = { reference, level };
      const isText = first?.type === 'paragraph';
      const head = new Paragraph({ numbering, children: isText ? inlines(first.children, cite, {}) : [] });
      const rest = (isText ? others : [first, ...others]).filter((block) => block !== undefined);
      const below = rest.flatMap((block) =>
        block.type === 'list'
          ? listItems(block, cite, { numbering })
          : blocks([block], cite, { indent: { left: indentOfLevel * (level + 1) } }),
      );
      return [head, ...below];
    });
  }

  return {
    turn,
    numberings: () => starts.map(numbersFrom),
  };
}

type Cite = (n: number) => ParagraphChild;

function table({ head, rows }: Extract<Block, { type: 'table' }>, cite: Cite): Table {
  const numColumns = Math.max(1, Math.min(63, Math.max(head.length, ...rows.map((row) => row.length)))); // Word's limit
  const columnWidth = Math.floor(textWidth / numColumns);
  const rowOf = (cells: readonly (readonly Inline[])[], isHead: boolean): TableRow =>
    new TableRow({
      tableHeader: isHead,
      cantSplit: true,
      children: Array.from(
        { length: numColumns },
        (_, column) =>
          new TableCell({
            width: { size: columnWidth, type: WidthType.DXA },
            margins: { left: 80, right: 80, top: 40, bottom: 40 },
            ...(isHead ? { shading: { type: ShadingType.CLEAR, color: 'auto', fill: 'F2F4F3' } } : {}),
            children: [new Paragraph({ children: inlines(cells[column] ?? [], cite, isHead ? { bold: true } : {}) })],
          }),
      ),
    });
  return new Table({
    width: { size: columnWidth * numColumns, type: WidthType.DXA },
    columnWidths: Array.from({ length: numColumns }, () => columnWidth),
    rows: [rowOf(head, true), ...rows.map((row) => rowOf(row, false))],
  });
}

function outward(address: string, children: ParagraphChild[]): ExternalHyperlink {
  return new ExternalHyperlink({ link: address, children });
}

function inlines(nodes: readonly Inline[], cite: Cite, look: Look): ParagraphChild[] {
  return nodes.flatMap((node) => inlineOf(node, cite, look));
}

function inlineOf(node: Inline, cite: Cite, look: Look): ParagraphChild[] {
  switch (node.type) {
    case 'text':
      return runs(node.text.replaceAll('\n', ' '), look);
    case 'code':
      return runs(node.text, { ...look, font: codeFont });
    case 'break':
      return [new TextRun({ break: 1 })];
    case 'citation':
      return [cite(node.n)];
    case 'strong':
      return inlines(node.children, cite, { ...look, bold: true });
    case 'emphasis':
      return inlines(node.children, cite, { ...look, italics: true });
    case 'deleted':
      return inlines(node.children, cite, { ...look, strike: true });
    case 'link':
      return [outward(node.address, runs(plainText(node.children), { ...look, style: 'Hyperlink' }))];
  }
}

/** A link in Word holds runs; what is emphasised or cited within its words is their text. */
function plainText(nodes: readonly Inline[]): string {
  return nodes
    .map((node): string => {
      if (node.type === 'text' || node.type === 'code') return node.text;
      if (node.type === 'break') return ' ';
      return node.type === 'citation' ? `[${node.n}]` : plainText(node.children);
    })
    .join('');
}
