/** PPTX: bytes → the text of each slide in the order of the show, its tables row by row, and its notes. */
import type { ReadResult, Section } from '../../source.ts';
import { ReadingRefused } from '../refusal.ts';
import { cleanText, mostHeadingCharacters, oneLine, rowsOfTable, titleFromName } from '../sections.ts';
import { attributeOf, childrenOf, descendantsOf, elementAt, textBelow, type XmlElement } from '../xml.ts';
import { openZip, type Zip } from '../zip-limits.ts';
import { paragraphsOf, wordsOfChart } from './drawing.ts';
import { partOf, type Relation, relationsOf } from './package.ts';

const mostSlides = 5000;

export function readPptx(bytes: Uint8Array, name: string, onProgress?: (done: number) => void): ReadResult {
  const zip = openZip(bytes);
  const main = [...relationsOf(zip, '').values()].find((part) => part.type === 'officeDocument')?.target;
  const showName = main ?? 'ppt/presentation.xml';
  const show = partOf(zip, showName);
  if (!show) throw new ReadingRefused('damaged', 'The archive holds no presentation.');
  const parts = relationsOf(zip, showName);
  const slides = childrenOf(elementAt(show, 'sldIdLst'), 'sldId').map((slide) => parts.get(relationId(slide)));
  if (slides.length > mostSlides) throw new ReadingRefused('too-large', `It has ${slides.length} slides.`);

  const sections: Section[] = [];
  let title = '';
  let numTables = 0;
  for (const [index, part] of slides.entries()) {
    const slide = readSlide(zip, part);
    title ||= slide.title;
    const place = {
      locator: { type: 'page', page: index + 1 } as const,
      heading: slide.title.slice(0, mostHeadingCharacters) || null,
      label: `Slide ${index + 1}`,
    };
    for (const block of slide.blocks) {
      if (block.type === 'text') sections.push({ text: block.text, ...place });
      else
        for (const row of rowsOfTable(block.rows, { hasHeader: block.hasHeader, table: numTables + 1 }))
          sections.push({ ...row, ...place });
      numTables += 1;
    }
    if (slide.notes) sections.push({ text: slide.notes, ...place, label: `Notes of slide ${index + 1}` });
    onProgress?.((index + 1) / slides.length);
  }
  if (sections.length === 0) throw new ReadingRefused('no-text', `Its ${slides.length} slides hold no text.`);
  const ownTitle = oneLine(textBelow(elementAt(partOf(zip, 'docProps/core.xml'), 'title')));
  const isWritten = ownTitle.length >= 4 && !/^(powerpoint|slide 1|untitled|presentation\d*$)/i.test(ownTitle);
  return {
    type: 'read',
    kind: 'pptx',
    title: (isWritten ? ownTitle : title).slice(0, 200) || titleFromName(name),
    numPages: slides.length,
    sections,
  };
}

type Block = { type: 'text'; text: string } | { type: 'table'; rows: string[][]; hasHeader: boolean };
type Slide = { title: string; blocks: Block[]; notes: string };

function readSlide(zip: Zip, part: Relation | undefined): Slide {
  const slide: Slide = { title: '', blocks: [], notes: '' };
  const root = partOf(zip, part?.target);
  if (!root || !part) return slide;
  const relations = relationsOf(zip, part.target);
  const lines: string[] = [];
  const endText = () => {
    const text = cleanText(lines.join('\n')).trim();
    if (text) slide.blocks.push({ type: 'text', text });
    lines.length = 0;
  };
  const walk = (shape: XmlElement) => {
    if (shape.name === 'sp') {
      const role = attributeOf(elementAt(shape, 'nvSpPr', 'nvPr', 'ph'), 'type') ?? '';
      if (isFurniture(role)) return;
      const text = paragraphsOf(elementAt(shape, 'txBody')).join('\n');
      if (role === 'title' || role === 'ctrTitle') slide.title ||= oneLine(text);
      if (text.trim()) lines.push(text);
    } else if (shape.name === 'graphicFrame') {
      for (const table of descendantsOf(shape, 'tbl')) {
        endText();
        const hasHeader = attributeOf(elementAt(table, 'tblPr'), 'firstRow') === '1';
        slide.blocks.push({ type: 'table', rows: cellsOfTable(table), hasHeader });
      }
      for (const reference of descendantsOf(shape, 'relIds')) {
        const drawing = partOf(zip, relations.get(attributeOf(reference, 'dm') ?? '')?.target);
        if (drawing) for (const body of descendantsOf(drawing, 't')) lines.push(...paragraphsOf(body));
      }
      for (const reference of descendantsOf(shape, 'chart'))
        lines.push(...wordsOfChart(partOf(zip, relations.get(relationId(reference))?.target)));
    } else if (shape.name === 'AlternateContent') {
      // The same thing said twice, for new programs and for old ones.
      const choice = elementAt(shape, 'Choice');
      const one = choice && /\S/.test(textBelow(choice)) ? choice : elementAt(shape, 'Fallback');
      for (const child of childrenOf(one)) walk(child);
    } else if (shape.name === 'grpSp' || shape.name === 'spTree') for (const child of childrenOf(shape)) walk(child);
  };
  for (const child of childrenOf(elementAt(root, 'cSld'))) walk(child);
  endText();
  const notes = [...relations.values()].find((relation) => relation.type === 'notesSlide');
  slide.notes = notesOf(partOf(zip, notes?.target));
  return slide;
}

/** The number, date and footer that stand on every slide. */
function isFurniture(role: string): boolean {
  return ['sldNum', 'dt', 'ftr', 'hdr', 'sldImg'].includes(role);
}

function notesOf(root: XmlElement | undefined): string {
  const lines: string[] = [];
  for (const shape of descendantsOf(root, 'sp'))
    if (!isFurniture(attributeOf(elementAt(shape, 'nvSpPr', 'nvPr', 'ph'), 'type') ?? ''))
      lines.push(...paragraphsOf(elementAt(shape, 'txBody')));
  return cleanText(lines.join('\n')).trim();
}

/** A merged cell's words stand in each of the cells it covers: a row then says all by itself. */
function cellsOfTable(table: XmlElement): string[][] {
  const rows: string[][] = [];
  for (const row of childrenOf(table, 'tr')) {
    const above = rows.at(-1);
    const cells: string[] = [];
    for (const [column, cell] of childrenOf(row, 'tc').entries()) {
      if (isTrue(attributeOf(cell, 'vMerge'))) cells.push(above?.[column] ?? '');
      else if (isTrue(attributeOf(cell, 'hMerge'))) cells.push(cells.at(-1) ?? '');
      else cells.push(paragraphsOf(elementAt(cell, 'txBody')).join(' '));
    }
    rows.push(cells);
  }
  return rows;
}

function isTrue(value: string | undefined): boolean {
  return value === '1' || value === 'true';
}

function relationId(element: XmlElement): string {
  for (const [key, value] of element.attributes) if (/^[^:]+:id$/.test(key)) return value;
  return '';
}
