/**
 * The numbers that Word counts for headings and lists (ECMA-376 part 1, 17.9): "7.2", "(a)", "第三条". They stand nowhere in the
 * file, and are what people cite. They are counted here and written into the document's XML before it is read.
 */
import { attributeOf, childrenOf, elementAt, type XmlElement } from '../xml.ts';

type Level = {
  start: number;
  format: string;
  /** "%1.%2": the counters of the levels from 1. */
  text: string;
  restartsAfter: number | null;
  isLegal: boolean;
  style: string | null;
  hasSpace: boolean;
};
type List = { abstractId: string; levels: ReadonlyMap<number, Level>; startsAt: ReadonlyMap<number, number> };
type Style = { numId: string | null; level: number | null; basedOn: string | null };

export type WordNumbering = { lists: ReadonlyMap<string, List>; styles: ReadonlyMap<string, Style> };

const mostLevels = 9;
const mostSteps = 20;

/** `numbering` and `styles`: the parts of that name; a document without the first counts nothing. */
export function numberingOf(numbering: XmlElement | undefined, styles: XmlElement | undefined): WordNumbering {
  const abstracts = new Map<string, XmlElement>();
  const byStyleLink = new Map<string, XmlElement>();
  for (const abstract of childrenOf(numbering, 'abstractNum')) {
    abstracts.set(attributeOf(abstract, 'abstractNumId') ?? '', abstract);
    const link = textAt(abstract, 'styleLink');
    if (link !== null) byStyleLink.set(link, abstract);
  }
  const lists = new Map<string, List>();
  for (const num of childrenOf(numbering, 'num')) {
    const named = abstracts.get(textAt(num, 'abstractNumId') ?? '');
    const abstract = byStyleLink.get(textAt(named, 'numStyleLink') ?? '') ?? named;
    const levels = new Map<number, Level>();
    const startsAt = new Map<number, number>();
    for (const level of childrenOf(abstract, 'lvl')) addLevel(levels, level);
    for (const change of childrenOf(num, 'lvlOverride')) {
      const start = numberOf(textAt(change, 'startOverride'));
      if (start !== null) startsAt.set(numberOf(attributeOf(change, 'ilvl') ?? null) ?? 0, start);
      for (const level of childrenOf(change, 'lvl')) addLevel(levels, level);
    }
    const abstractId = attributeOf(abstract ?? num, 'abstractNumId') ?? '';
    lists.set(attributeOf(num, 'numId') ?? '', { abstractId, levels, startsAt });
  }
  return { lists, styles: stylesOf(styles) };
}

function addLevel(levels: Map<number, Level>, level: XmlElement): void {
  const at = numberOf(attributeOf(level, 'ilvl') ?? null);
  if (at === null || at < 0 || at >= mostLevels) return;
  levels.set(at, {
    start: numberOf(textAt(level, 'start')) ?? 0,
    format: textAt(level, 'numFmt') ?? 'decimal',
    text: (textAt(level, 'lvlText') ?? '').slice(0, 200),
    restartsAfter: numberOf(textAt(level, 'lvlRestart')),
    isLegal: elementAt(level, 'isLgl') !== undefined && textAt(level, 'isLgl') !== '0',
    style: textAt(level, 'pStyle'),
    hasSpace: textAt(level, 'suff') !== 'nothing',
  });
}

function stylesOf(part: XmlElement | undefined): Map<string, Style> {
  return new Map(
    childrenOf(part, 'style').map((style) => {
      const numbers = elementAt(style, 'pPr', 'numPr');
      const facts = {
        numId: textAt(numbers, 'numId'),
        level: numberOf(textAt(numbers, 'ilvl')),
        basedOn: textAt(style, 'basedOn'),
      };
      return [attributeOf(style, 'styleId') ?? '', facts] as const;
    }),
  );
}

function textAt(parent: XmlElement | undefined, name: string): string | null {
  return attributeOf(elementAt(parent, name), 'val') ?? null;
}

function numberOf(text: string | null): number | null {
  const number = text === null || text.trim() === '' ? Number.NaN : Number(text);
  return Number.isSafeInteger(number) ? number : null;
}

type Paragraph = {
  insertAt: number;
  style: string | null;
  numId: string | null;
  level: number | null;
  label: string;
  hasText: boolean;
};

const marks = /<(\/?)(?:w:(p|pPr|pPrChange|pStyle|numId|ilvl|t)|mc:(Choice))(?=[\s/>])([^<>]*)>/g;

/** The XML of a document's body with each number as a piece of text at its paragraph's beginning. Linear in its length. */
export function withNumbers(xml: string, numbering: WordNumbering): string {
  if (numbering.lists.size === 0) return xml;
  const labelOf = createCounter(numbering);
  const inserted: { at: number; label: string }[] = [];
  const open: Paragraph[] = [];
  let inProperties = false;
  let numChanges = 0;
  let numChoices = 0; // what a choice says, its fallback says again
  for (const match of xml.matchAll(marks)) {
    const [whole, slash, name, choice, rest = ''] = match;
    const isEnd = slash === '/';
    const isEmpty = rest.endsWith('/');
    const end = match.index + whole.length;
    if (choice !== undefined) numChoices += isEmpty ? 0 : isEnd ? -1 : 1;
    if (numChoices > 0) continue;
    if (name === 'p') {
      const closed = isEnd ? open.pop() : undefined;
      if (closed?.hasText && closed.label) inserted.push({ at: closed.insertAt, label: closed.label });
      if (!isEnd && !isEmpty)
        open.push({ insertAt: end, style: null, numId: null, level: null, label: '', hasText: false });
      continue;
    }
    const paragraph = open.at(-1);
    if (!paragraph) continue;
    const value = /\bw:val\s*=\s*["']([^"']*)["']/.exec(rest)?.[1] ?? null;
    if (name === 'pPrChange') numChanges += isEmpty ? 0 : isEnd ? -1 : 1;
    else if (numChanges > 0) continue;
    else if (name === 'pPr') {
      inProperties = !isEnd && !isEmpty;
      if (!isEnd) continue;
      paragraph.insertAt = end;
      paragraph.label = labelOf(paragraph);
    } else if (name === 't') paragraph.hasText = true;
    else if (inProperties && name === 'pStyle') paragraph.style = value;
    else if (inProperties && name === 'numId') paragraph.numId = value;
    else if (inProperties && name === 'ilvl') paragraph.level = numberOf(value);
  }
  inserted.sort((one, other) => one.at - other.at);
  const parts: string[] = [];
  let from = 0;
  for (const { at, label } of inserted) {
    parts.push(xml.slice(from, at), `<w:r><w:t xml:space="preserve">${escapeXml(label)}</w:t></w:r>`);
    from = at;
  }
  return parts.join('') + xml.slice(from);
}

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

/** Counts on with each paragraph. Lists that share their definition share their counters. */
function createCounter({ lists, styles }: WordNumbering): (paragraph: Paragraph) => string {
  const counters = new Map<string, (number | undefined)[]>();
  const begun = new Set<string>();
  return ({ style, numId, level }) => {
    const ofStyle = style === null ? null : numberingOfStyle(styles, style);
    const id = numId ?? ofStyle?.numId ?? null;
    const list = id === null ? undefined : lists.get(id);
    if (!list || id === '0') return '';
    const linked = [...list.levels].find(([, facts]) => facts.style !== null && facts.style === style)?.[0];
    const at = level ?? (numId === null ? (linked ?? ofStyle?.level) : ofStyle?.level) ?? 0;
    const facts = list.levels.get(at);
    if (!facts) return '';
    const counts = counters.get(list.abstractId) ?? [];
    counters.set(list.abstractId, counts);
    const startsAt = list.startsAt.get(at);
    const key = `${id} ${at}`;
    if (startsAt !== undefined && !begun.has(key)) counts[at] = startsAt;
    else counts[at] = counts[at] === undefined ? facts.start : counts[at] + 1;
    begun.add(key);
    for (let deeper = at + 1; deeper < mostLevels; deeper++) {
      const restartsAfter = list.levels.get(deeper)?.restartsAfter ?? null;
      // 0: never; a level from 1: only where that one, or one above it, counts on.
      if (restartsAfter === null || (restartsAfter > 0 && at < restartsAfter)) counts[deeper] = undefined;
    }
    if (facts.format === 'bullet') return '';
    const label = facts.text.replace(/%([1-9])/g, (_, digit: string) => {
      const of = Number(digit) - 1;
      const shown = list.levels.get(of);
      counts[of] ??= shown?.start ?? 1;
      return formatCount(counts[of], facts.isLegal && of < at ? 'decimal' : (shown?.format ?? 'decimal'));
    });
    if (!/[\p{L}\p{N}]/u.test(label)) return '';
    return facts.hasSpace ? `${label.trimEnd()} ` : label;
  };
}

function numberingOfStyle(styles: ReadonlyMap<string, Style>, id: string): Pick<Style, 'numId' | 'level'> | null {
  let level: number | null = null;
  let next: string | null = id;
  for (let step = 0; next !== null && step < mostSteps; step++) {
    const style = styles.get(next);
    if (!style) return null;
    level ??= style.level;
    if (style.numId !== null) return { numId: style.numId, level };
    next = style.basedOn;
  }
  return null;
}

const romans: readonly [number, string][] = [
  [1000, 'm'], [900, 'cm'], [500, 'd'], [400, 'cd'], [100, 'c'], [90, 'xc'], [50, 'l'], [40, 'xl'], [10, 'x'], [9, 'ix'],
  [5, 'v'], [4, 'iv'], [1, 'i'],
]; // biome-ignore format: a table

/** A counter in one of the formats of ST_NumberFormat that people meet; any other as plain digits. */
export function formatCount(count: number, format: string): string {
  switch (format) {
    case 'lowerRoman':
      return roman(count);
    case 'upperRoman':
      return roman(count).toUpperCase();
    case 'lowerLetter':
      return letters(count);
    case 'upperLetter':
      return letters(count).toUpperCase();
    case 'decimalZero':
      return String(count).padStart(2, '0');
    case 'ordinal':
      return `${count}${ordinalEnding(count)}`;
    case 'none':
      return '';
    case 'decimalFullWidth':
      return String(count).replace(/\d/g, (digit) => String.fromCharCode(0xff10 + Number(digit)));
    case 'decimalEnclosedCircle':
    case 'decimalEnclosedCircleChinese':
      return count >= 1 && count <= 20 ? String.fromCharCode(0x245f + count) : String(count);
    case 'chineseCounting':
    case 'chineseCountingThousand':
    case 'japaneseCounting':
    case 'taiwaneseCounting':
    case 'taiwaneseCountingThousand':
      return chinese(count);
    case 'ideographDigital':
    case 'japaneseDigitalTenThousand':
    case 'taiwaneseDigital':
      return String(count).replace(/\d/g, (digit) => chineseDigits[Number(digit)]!);
    default:
      return String(count);
  }
}

function roman(count: number): string {
  if (count < 1 || count > 3999) return String(count);
  let left = count;
  let text = '';
  for (const [value, sign] of romans) for (; left >= value; left -= value) text += sign;
  return text;
}

/** a … z, aa, bb … zz, aaa: Word doubles the letter. */
function letters(count: number): string {
  if (count < 1 || count > 780) return String(count);
  return String.fromCharCode(97 + ((count - 1) % 26)).repeat(Math.ceil(count / 26));
}

function ordinalEnding(count: number): string {
  if (count % 100 >= 11 && count % 100 <= 13) return 'th';
  return ['th', 'st', 'nd', 'rd'][count % 10] ?? 'th';
}

const chineseDigits = '〇一二三四五六七八九';

function chinese(count: number): string {
  if (count < 1 || count > 9999) return String(count);
  let text = '';
  let hasGap = false;
  for (const [unit, sign] of [
    [1000, '千'],
    [100, '百'],
    [10, '十'],
    [1, ''],
  ] as const) {
    const digit = Math.floor(count / unit) % 10;
    if (digit === 0) hasGap = text !== '';
    else {
      if (hasGap) text += '零';
      hasGap = false;
      text += (digit === 1 && unit === 10 && text === '' ? '' : chineseDigits[digit]!) + sign;
    }
  }
  return text;
}
