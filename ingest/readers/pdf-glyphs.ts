/** Letters of a PDF that have a name but no place in Unicode: figures in old style, small capitals, ligatures. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { OPS, type PDFPageProxy } from './pdf-engine.ts';
import type { PdfItem } from './pdf-lines.ts';

/** Codes that pdf.js passes on as they are, having found no letter for a glyph's name: no text holds them otherwise. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const unknownCode = /[\u0001-\u0008\u000e-\u001f\u0080-\u009f]/;
const unknownCodes = new RegExp(unknownCode.source, 'g');
/** Adobe's own places for small capitals, figures in old style and letters set high or low (Adobe Glyph List, "small", "oldstyle"). */
const adobeLetter = /[\uf6df-\uf6fa\uf721-\uf7ff]/;
const adobeLetters = new RegExp(adobeLetter.source, 'g');

const lowered: Record<string, string> = {
  '\uf6df': '¢', '\uf6e0': '¢', '\uf6e1': ',', '\uf6e2': ',', '\uf6e3': '$', '\uf6e4': '$', '\uf6e5': '-', '\uf6e6': '-',
  '\uf6e7': '.', '\uf6e8': '.', '\uf6e9': 'a', '\uf6ea': 'b', '\uf6eb': 'd', '\uf6ec': 'e', '\uf6ed': 'i', '\uf6ee': 'l',
  '\uf6ef': 'm', '\uf6f0': 'o', '\uf6f1': 'r', '\uf6f2': 's', '\uf6f3': 't', '\uf6f9': 'ł', '\uf6fa': 'œ',
}; // biome-ignore format: a table

const mostTurns = 100;
const mostFonts = 200;

const named: Record<string, string> = {
  zero: '0', one: '1', two: '2', three: '3', four: '4', five: '5', six: '6', seven: '7', eight: '8', nine: '9',
  period: '.', comma: ',', colon: ':', semicolon: ';', hyphen: '-', endash: '–', emdash: '—', percent: '%', slash: '/',
  parenleft: '(', parenright: ')', dollar: '$', sterling: '£', Euro: '€', yen: '¥', ampersand: '&', plus: '+', equal: '=',
  quoteright: '’', quoteleft: '‘', quotedblleft: '“', quotedblright: '”', exclam: '!', question: '?', asterisk: '*',
  space: ' ', bullet: '•', section: '§', degree: '°', numbersign: '#', at: '@', minus: '−',
}; // biome-ignore format: a table

const marks: Record<string, string> = {
  grave: '\u0300', acute: '\u0301', circumflex: '\u0302', tilde: '\u0303', dieresis: '\u0308', ring: '\u030a',
  cedilla: '\u0327', caron: '\u030c',
}; // biome-ignore format: a table

/**
 * The letter that a glyph's name stands for, '' if the name says none. What follows a dot tells its shape, not its letter
 * ("one.oldstyle", "a.sc"); "_" joins those of a ligature; "uni0041" and "u1F600" are codes (Adobe Glyph List Specification, 2).
 */
export function letterOfGlyph(name: string): string {
  const [bare = ''] = name.split('.');
  return bare.split('_').map(letterOfPart).join('');
}

function letterOfPart(part: string): string {
  if (/^[A-Za-z]$/.test(part)) return part;
  if (named[part]) return named[part];
  const code = /^(?:uni([0-9A-F]{4})|u([0-9A-F]{4,6}))$/.exec(part);
  const point = code ? Number.parseInt(code[1] ?? code[2]!, 16) : 0;
  if (point > 0x20 && point <= 0x10ffff) return String.fromCodePoint(point).toWellFormed();
  const [, letter, mark] = /^([A-Za-z])([a-z]+)$/.exec(part) ?? [];
  if (letter && mark && marks[mark]) return (letter + marks[mark]).normalize('NFC');
  const [, digit, place] = /^([a-z]+)(oldstyle|superior|inferior|fitted)$/.exec(part) ?? [];
  return digit && place ? (named[digit] ?? '') : '';
}

/** The items with plain letters for Adobe's own, and with letters for codes of which the font tells a glyph's name. */
export async function withKnownGlyphs(page: PDFPageProxy, items: readonly PdfItem[]): Promise<readonly PdfItem[]> {
  let isUnknown = false;
  let isAdobe = false;
  for (const item of items) {
    if (!('str' in item)) continue;
    isUnknown ||= unknownCode.test(item.str);
    isAdobe ||= adobeLetter.test(item.str);
  }
  if (!isUnknown && !isAdobe) return items;
  const lettersOf = isUnknown ? await letterFinder(page) : null;
  return items.map((item) => {
    if (!('str' in item)) return item;
    const { fontName = '' } = item;
    let { str } = item;
    if (lettersOf && unknownCode.test(str))
      str = str.replace(unknownCodes, (code) => lettersOf(fontName, code.charCodeAt(0)) ?? code);
    str = str.replace(adobeLetters, plainLetter);
    return str === item.str ? item : { ...item, str };
  });
}

/**
 * What a code means in a font of the page. pdf.js joins what is set in several fonts to one item, with the name of the first:
 * a code that this one does not know means what all others say that know it.
 */
async function letterFinder(page: PDFPageProxy): Promise<(font: string, code: number) => string | undefined> {
  // Drawing is the only way to a font's facts; few pages are in need of them.
  const { fnArray, argsArray } = await page.getOperatorList();
  const fonts = new Set<string>();
  for (const [at, operator] of fnArray.entries()) {
    const [font]: unknown[] = operator === OPS.setFont ? (argsArray[at] ?? []) : [];
    if (typeof font === 'string' && fonts.size < mostFonts) fonts.add(font);
  }
  // pdf.js tells of a page's fonts some turns after the page's drawing.
  for (let turn = 0; turn < mostTurns && [...fonts].some((font) => !page.commonObjs.has(font)); turn++)
    await nextTurn();
  const byFont = new Map([...fonts].map((font) => [font, namesOf(page, font)]));
  const letterIn = (font: string, code: number): string | undefined => {
    const name = byFont.get(font)?.get(code);
    return (typeof name === 'string' && letterOfGlyph(name)) || undefined;
  };
  return (font, code) => {
    const own = letterIn(font, code);
    if (own !== undefined) return own;
    const others = new Set([...fonts].flatMap((other) => letterIn(other, code) ?? []));
    return others.size === 1 ? [...others][0] : undefined;
  };
}

/** Small capitals are what was written in small letters. */
function plainLetter(letter: string): string {
  const code = letter.charCodeAt(0) - 0xf700;
  if (lowered[letter]) return lowered[letter];
  const isAscii = code >= 0x21 && code <= 0x7a;
  const isLatin = code === 0xa1 || code === 0xa2 || code === 0xbf || (code >= 0xe0 && code !== 0xf7);
  return isAscii || isLatin ? String.fromCharCode(code) : letter;
}

/** By codes, the names of a font's glyphs; empty where it has none of its own. */
function namesOf(page: PDFPageProxy, font: string): ReadonlyMap<unknown, unknown> {
  try {
    const facts: unknown = page.commonObjs.has(font) ? page.commonObjs.get(font) : null;
    const names = typeof facts === 'object' && facts !== null && 'differences' in facts ? facts.differences : null;
    return names instanceof Map ? names : new Map();
  } catch {
    return new Map();
  }
}
