/** What a person has typed into a form or onto a page of a PDF: it stands in annotations, not in the page's own text. */
import type { PdfItem } from './pdf-lines.ts';

/** What a field shows, line by line. `place`: left, bottom, right and top in the page's own points. */
export type Field = { texts: string[]; place: [number, number, number, number]; isBox: boolean };

const hiddenFlags = 2 | 32; // hidden; not to be shown
const mostLinesOfField = 2000;
const mostOptions = 200;
/** In letter sizes: how far a label may be above its field, and how far behind the box that it names. */
const widestAbove = 3;
const widestBehind = 4;
const usualSize = 10;

/**
 * What annotations (as pdf.js gives them) say. A chosen option or box is marked ☑, the others of a list that shows them all ☐.
 * `drawn`: those whose words are in their drawing alone, by id.
 */
export function fieldsOf(annotations: readonly unknown[]): { fields: Field[]; drawn: Map<string, Field['place']> } {
  const fields: Field[] = [];
  const drawn = new Map<string, Field['place']>();
  for (const annotation of annotations) {
    if (typeof annotation !== 'object' || annotation === null) continue;
    const facts = annotation as Record<string, unknown>;
    const { rect, annotationFlags, hidden, subtype, fieldType, hasAppearance, id } = facts;
    if (hidden === true || (Number(annotationFlags ?? 0) & hiddenFlags) !== 0) continue;
    const sides: unknown[] = Array.isArray(rect) ? rect : [];
    if (sides.length !== 4 || !sides.every(Number.isFinite)) continue;
    const place = sides as [number, number, number, number];
    const isButton = subtype === 'Widget' && fieldType === 'Btn';
    const texts = subtype === 'Widget' ? textsOfField(facts) : subtype === 'FreeText' ? textsOfNote(facts) : [];
    if (texts.length > 0) fields.push({ texts: texts.slice(0, mostLinesOfField), place, isBox: isButton });
    else if (hasAppearance === true && typeof id === 'string' && (subtype === 'Stamp' || fieldType === 'Sig'))
      drawn.set(id, place);
  }
  return { fields, drawn };
}

function textsOfNote({ contentsObj }: Record<string, unknown>): string[] {
  const text = typeof contentsObj === 'object' && contentsObj !== null && 'str' in contentsObj ? contentsObj.str : '';
  return linesOf(text);
}

function textsOfField(facts: Record<string, unknown>): string[] {
  const { fieldType, fieldValue, password } = facts;
  if (fieldType === 'Tx') return password === true ? [] : linesOf(fieldValue);
  if (fieldType === 'Ch') return textsOfChoice(facts);
  if (fieldType !== 'Btn' || facts.pushButton === true) return [];
  const own = facts.radioButton === true ? facts.buttonValue : facts.exportValue;
  if (typeof own !== 'string' && typeof fieldValue !== 'string') return [];
  return [typeof own === 'string' && own === fieldValue ? '☑' : '☐'];
}

/** Of a box that opens only what is chosen is seen; a list shows its options. */
function textsOfChoice({ fieldValue, options, combo }: Record<string, unknown>): string[] {
  const values = (Array.isArray(fieldValue) ? fieldValue : [fieldValue]).filter((one) => typeof one === 'string');
  const all = (Array.isArray(options) ? options : []).flatMap((option: unknown) => {
    if (typeof option !== 'object' || option === null) return [];
    const { exportValue, displayValue } = option as Record<string, unknown>;
    return typeof displayValue === 'string' ? [{ exportValue, displayValue }] : [];
  });
  if (combo === false)
    return all.slice(0, mostOptions).flatMap(({ exportValue, displayValue }) => {
      const [line] = linesOf(displayValue);
      return line === undefined ? [] : [`${values.some((value) => value === exportValue) ? '☑' : '☐'} ${line}`];
    });
  return values.flatMap((value) =>
    linesOf(all.find(({ exportValue }) => exportValue === value)?.displayValue ?? value),
  );
}

function linesOf(text: unknown): string[] {
  if (typeof text !== 'string') return [];
  return text
    .split(/\r\n?|\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '');
}

type Word = Extract<PdfItem, { str: string }>;

/**
 * The items of a page with its fields among them: what was typed follows its label, a box stands before the words that it is
 * ticked for. What stands near nothing comes at the end, in lines of its own.
 */
export function placeFields(items: readonly PdfItem[], fields: readonly Field[]): PdfItem[] {
  const before = new Map<number, Word[]>();
  const behind = new Map<number, Word[]>();
  const rest: Word[] = [];
  const words = items.flatMap((item, index) =>
    'str' in item && item.str.trim() !== '' && isUpright(item) ? [{ item, index }] : [],
  );
  // From the top, then from the left: fields behind one label stand in the order in which they are read.
  const inOrder = [...fields].sort((one, other) => other.place[3] - one.place[3] || one.place[0] - other.place[0]);
  for (const field of inOrder) {
    const beside = besideOf(field, words);
    const added = itemsOf(field, beside);
    if (beside === null) rest.push(...added);
    else {
      const at = beside.isBefore ? before : behind;
      const index = beside.isAbove ? endOfLine(items, beside) : beside.index;
      at.set(index, [...(at.get(index) ?? []), ...added]);
    }
  }
  const placed: PdfItem[] = [];
  for (const [index, item] of items.entries()) {
    placed.push(...(before.get(index) ?? []));
    const after = behind.get(index);
    if (!after || !('str' in item)) {
      placed.push(item);
      continue;
    }
    placed.push({ ...item, hasEOL: false }, ...after);
    if (item.hasEOL) placed[placed.length - 1] = { ...after.at(-1)!, hasEOL: true };
  }
  return [...placed, ...rest];
}

type Beside = { item: Word; index: number; isBefore: boolean; isAbove: boolean };

/** What a field belongs to: on its line the words left of it (for a box right of it), else those above it. */
function besideOf({ place, isBox }: Field, words: readonly { item: Word; index: number }[]): Beside | null {
  const [left, bottom, right, top] = place;
  let best: Beside | null = null;
  let least = Number.POSITIVE_INFINITY;
  for (const { item, index } of words) {
    const [, , , , x = 0, y = 0] = item.transform;
    const size = sizeOf(item);
    const middle = y + size * 0.35;
    const isOnLine = middle > bottom - size * 0.3 && middle < top + size * 0.3;
    // Words that fill the gap themselves ("Name: ______") begin left of the field, wherever they end.
    const isLeft = x <= left;
    let distance = Number.POSITIVE_INFINITY;
    let isBefore = false;
    if (isOnLine && isBox && x >= right - 1 && x - right < widestBehind * size) {
      distance = x - right;
      isBefore = true;
    } else if (isOnLine && isLeft) distance = 1e3 + Math.max(0, left - x - item.width) + Math.abs(middle - top) / 100;
    else if (!isBox && y >= top - 1 && y - top < widestAbove * size && x < right && x + item.width > left)
      distance = 1e6 + (y - top);
    if (distance < least) [least, best] = [distance, { item, index, isBefore, isAbove: distance >= 1e6 }];
  }
  return best;
}

/** Below a line stands what follows all of it. */
function endOfLine(items: readonly PdfItem[], { item, index }: Beside): number {
  let last = index;
  for (let at = index + 1; at < items.length; at++) {
    const next = items[at]!;
    if (!('str' in next) || next.str.trim() === '') continue;
    if (Math.abs((next.transform[5] ?? 0) - (item.transform[5] ?? 0)) > sizeOf(item) * 0.5) break;
    last = at;
  }
  return last;
}

function itemsOf({ texts, place, isBox }: Field, beside: Beside | null): Word[] {
  const [left, bottom, right, top] = place;
  const size = beside ? sizeOf(beside.item) : usualSize;
  const y = beside?.item.transform[5] ?? 0;
  const isOnLine = beside !== null && y > bottom - size * 0.65 && y < top;
  const end = beside && !beside.isBefore ? (beside.item.transform[4] ?? 0) + beside.item.width + size * 0.3 : left;
  return texts.map((text, line) => {
    // The first line on the label's own; the others below one another in the field.
    const first = isOnLine ? y : top - size;
    const x = isOnLine && line === 0 ? Math.max(left, end) : left;
    return {
      str: isBox && beside?.isBefore ? `${text} ` : text,
      transform: [size, 0, 0, size, x, first - line * size * 1.2],
      width: Math.min(Math.max(right - x, size), text.length * size * 0.5),
      height: size,
      hasEOL: !isBox && (texts.length > 1 || !isOnLine),
      fontName: 'field',
    };
  });
}

function isUpright({ transform }: Word): boolean {
  return (transform[0] ?? 0) > 0 && Math.abs(transform[1] ?? 0) < 0.01;
}

function sizeOf({ height, transform }: Word): number {
  return height || Math.hypot(transform[2] ?? 0, transform[3] ?? 0) || usualSize;
}
