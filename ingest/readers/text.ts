/** Plain text in any encoding: bytes → numbered paragraphs. */
import { cutBefore } from '../sentences.ts';
import type { ReadResult } from '../source.ts';
import { createParagraphs, titleFromName } from './sections.ts';

/** Blocks longer than this are cut at their line ends: a file without blank lines still has places to point to. */
const longBlock = 3000;
const blockTarget = 1200;
/** Also within a line, when one is longer than any that a person wrote. */
const longestPiece = 20_000;

export function readText(bytes: Uint8Array, name: string): ReadResult {
  const decoded = decodeText(bytes);
  if (decoded.type === 'junk') return { type: 'failed', kind: 'text', reason: 'damaged', detail: decoded.detail };
  const paragraphs = createParagraphs();
  for (const block of decoded.text.split(/(?:\r?\n|\r)[^\S\r\n]*(?:\r?\n|\r)\s*/))
    for (const piece of cutLongBlock(block)) paragraphs.add(piece);
  if (paragraphs.sections.length === 0)
    return { type: 'failed', kind: 'text', reason: 'no-text', detail: 'It holds white space only.' };
  return { type: 'read', kind: 'text', title: titleFromName(name), numPages: null, sections: paragraphs.sections };
}

function* cutLongBlock(block: string): Iterable<string> {
  if (block.length <= longBlock) return yield block;
  let piece = '';
  for (const line of block.split(/\r?\n|\r/)) {
    if (piece.length >= blockTarget) {
      yield piece;
      piece = '';
    }
    piece += piece ? `\n${line}` : line;
    while (piece.length > longestPiece) {
      const cut = cutBefore(piece, 0, longestPiece);
      yield piece.slice(0, cut);
      piece = piece.slice(cut);
    }
  }
  if (piece) yield piece;
}

export type Decoded = { type: 'text'; text: string; encoding: string } | { type: 'junk'; detail: string };

/**
 * Bytes → text. A byte order mark decides, then UTF-16 by its zero bytes, then UTF-8 if it is valid, then the East Asian
 * encoding whose result looks most like writing, then Windows-1251 where most letters are above 127, else Windows-1252.
 * What holds control bytes that no text holds is junk.
 */
export function decodeText(bytes: Uint8Array): Decoded {
  const marked = encodingFromMark(bytes);
  if (marked) return decodeAs(bytes, marked);
  const sample = bytes.subarray(0, 64 * 1024);
  const wide = encodingFromZeros(sample);
  if (wide) return decodeAs(bytes, wide);
  const numControls = sample.reduce((sum, byte) => sum + (isControl(byte) ? 1 : 0), 0);
  // One stray form of control byte in 200 is a dirty text (terminal logs have escapes), more is a program or a picture.
  if (numControls > sample.length / 200) return { type: 'junk', detail: 'It holds binary data, not text.' };
  return decodeAs(bytes, isUtf8(bytes) ? 'utf-8' : guessLegacy(sample));
}

function decodeAs(bytes: Uint8Array, encoding: string): Decoded {
  const text = new TextDecoder(encoding).decode(bytes);
  const sample = text.slice(0, 64 * 1024);
  const numBroken = [...sample.matchAll(/\ufffd/g)].length;
  if (numBroken > 20 && numBroken > sample.length / 10)
    return { type: 'junk', detail: `It is not valid ${encoding} text.` };
  return { type: 'text', text, encoding };
}

function encodingFromMark(bytes: Uint8Array): string | null {
  if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) return 'utf-8';
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return 'utf-16le';
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return 'utf-16be';
  return null;
}

/** UTF-16 without a mark: in Western text every second byte is zero. */
function encodingFromZeros(sample: Uint8Array): string | null {
  const zeros = [0, 0];
  for (let at = 0; at < sample.length; at++) if (sample[at] === 0) zeros[at % 2]! += 1;
  const half = sample.length / 2;
  if (half < 2) return null;
  if (zeros[1]! > half * 0.4 && zeros[0]! < half * 0.05) return 'utf-16le';
  if (zeros[0]! > half * 0.4 && zeros[1]! < half * 0.05) return 'utf-16be';
  return null;
}

/** Control bytes other than tab, line ends, form feed, escape and the DOS end-of-file mark. */
function isControl(byte: number): boolean {
  return byte < 0x20 && !(byte >= 0x09 && byte <= 0x0d) && byte !== 0x1b && byte !== 0x1a;
}

function isUtf8(bytes: Uint8Array): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return true;
  } catch {
    return false;
  }
}

function guessLegacy(sample: Uint8Array): string {
  let best = { encoding: '', score: 0 };
  for (const encoding of ['shift_jis', 'euc-jp', 'gb18030', 'big5', 'euc-kr']) {
    const score = scoreEastAsian(sample, encoding);
    if (score > best.score) best = { encoding, score };
  }
  if (best.score > 0.5) return best.encoding;
  const { numHigh, numLow } = countLetters(sample);
  return numHigh > numLow ? 'windows-1251' : 'windows-1252';
}

/**
 * The share of characters above ASCII that ordinary writing in that encoding uses: kana, Hangul syllables, and the most
 * frequent Chinese characters weigh fully, rarer ones little. Zero where the bytes are invalid.
 */
function scoreEastAsian(sample: Uint8Array, encoding: string): number {
  let text: string;
  try {
    // The sample may end inside a character: decoding as a stream forgives exactly that.
    text = new TextDecoder(encoding, { fatal: true }).decode(sample, { stream: true });
  } catch {
    return 0;
  }
  let numWide = 0;
  let points = 0;
  for (const character of text) {
    const code = character.codePointAt(0)!;
    if (code < 0x80) continue;
    numWide += 1;
    if (code >= 0x3041 && code <= 0x30fe) points += encoding === 'shift_jis' || encoding === 'euc-jp' ? 1 : 0.2;
    else if (code >= 0xac00 && code <= 0xd7a3) points += encoding === 'euc-kr' ? 1 : 0;
    else if (frequentHan.has(character)) points += 1.5;
    else if (code >= 0x4e00 && code <= 0x9fff) points += 0.5;
    else if (code >= 0x3000 && code <= 0x303f) points += 1;
    else if (code >= 0xff01 && code <= 0xff5e) points += 0.8;
  }
  return numWide === 0 ? 0 : points / numWide;
}

/** The Chinese characters that make up about a third of running text, simplified and traditional. */
const frequentHan = new Set(
  '的一是不了在人有我他这中大来上国个到说们为子和你地出道也时年得就那要下以生会自着去之过家学对可她里后小么心多天而能好都然没日于起还发成事只作当想看文无开手十用主行方又如前所本见经头面公同三已老从动两长這個來國說們為時會過學對後麼還發當無開見經頭動兩長從',
);

function countLetters(sample: Uint8Array): { numHigh: number; numLow: number } {
  let numHigh = 0;
  let numLow = 0;
  for (const byte of sample) {
    if (byte >= 0xc0) numHigh += 1;
    else if ((byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x7a) numLow += 1;
  }
  return { numHigh, numLow };
}
