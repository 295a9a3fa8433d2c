/**
 * SentencePiece's `precompiled_charsmap`: what characters are replaced by before a text is cut up (NFKC and the like).
 *
 * A little-endian u32 says how many bytes of a double-array trie follow (darts-clone: one u32 a unit); behind it stand the
 * replacements, each ended by a zero byte. A key's value is where its replacement begins. All of it is untrusted: a
 * step outside the array is "no match", a value outside the texts is refused when the map is read.
 */
import { ModelError } from '../model-error.ts';

/** The published maps take about 300 kB. */
const maxCharsmapBytes = 16 * 1024 * 1024;

/** The longest published one has some 30: a character must not become a book. */
const maxReplacementBytes = 1024;

export type Charsmap = {
  /** Replaces the longest key that begins at each place, as SentencePiece does. */
  replaceLongest(text: string): string;
  /** Replaces graphemes below 6 bytes and else characters by their shortest key, as a tokenizer.json's normalizer does. */
  replaceGraphemes(text: string): string;
};

/** Fails with `invalid-checkpoint`. `where` names the file in the message. */
export function readCharsmap(bytes: Uint8Array, where: string): Charsmap {
  const refuse = (why: string): never => {
    throw new ModelError('invalid-checkpoint', `The normalization table of ${where} is damaged: ${why}.`);
  };
  if (bytes.length > maxCharsmapBytes) refuse('it is too long');
  if (bytes.length < 8) refuse('it is too short');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const trieBytes = view.getUint32(0, true);
  if (trieBytes === 0 || trieBytes % 4 !== 0 || trieBytes > bytes.length - 4) refuse('its trie does not fit');
  const units = Uint32Array.from({ length: trieBytes / 4 }, (_, i) => view.getUint32(4 + 4 * i, true));
  const texts = bytes.subarray(4 + trieBytes);
  if (texts.length === 0 || texts.at(-1) !== 0) refuse('its replacements do not end');
  let lastEnd = -1;
  for (let at = texts.indexOf(0); at >= 0; at = texts.indexOf(0, at + 1)) {
    if (at - lastEnd > maxReplacementBytes) refuse('a replacement is longer than any');
    lastEnd = at;
  }
  const replacements = new Map<number, Uint8Array>();
  const replacementAt = (value: number): Uint8Array => {
    const known = replacements.get(value);
    if (known !== undefined) return known;
    const text = texts.subarray(value, texts.indexOf(0, value));
    replacements.set(value, text);
    return text;
  };
  for (let at = 0; at < units.length; at++) checkLeaves(units, at, texts, refuse);

  /** The value and length of the longest (or shortest) key that `source` has at `start`, or null. */
  let matchBytes = 0;
  const match = (source: Uint8Array, start: number, end: number, shortest: boolean): number => {
    let found = -1;
    let at = offsetOf(units[0]!);
    for (let i = start; i < end; i++) {
      const byte = source[i]!;
      // In a trie of bytes a zero byte ends the key: no key holds one.
      if (byte === 0) break;
      at ^= byte;
      const unit = units[at];
      if (unit === undefined || (unit & 0x800000ff) !== byte) break;
      at ^= offsetOf(unit);
      if ((unit & 0x100) !== 0) {
        const leaf = units[at];
        if (leaf === undefined) break;
        found = leaf & 0x7fffffff;
        matchBytes = i + 1 - start;
        if (shortest) break;
      }
    }
    return found;
  };

  const replaceLongest = (text: string): string => {
    const source = utf8.encode(text);
    const out = new Bytes(source.length + 64);
    for (let at = 0; at < source.length; ) {
      const value = match(source, at, source.length, false);
      if (value >= 0) {
        out.add(replacementAt(value), 0, -1);
        at += matchBytes;
        continue;
      }
      const length = bytesOfCharacter(source[at]!);
      out.add(source, at, at + length);
      at += length;
    }
    return out.text();
  };

  const ofGrapheme = new Map<string, string>();
  const replaceGrapheme = (grapheme: string): string => {
    const known = ofGrapheme.get(grapheme);
    if (known !== undefined) return known;
    const source = utf8.encode(grapheme);
    const whole = source.length < 6 ? match(source, 0, source.length, true) : -1;
    const replaced =
      whole >= 0
        ? decoder.decode(replacementAt(whole))
        : Array.from(grapheme, (character) => {
            const bytesOfIt = utf8.encode(character);
            const value = match(bytesOfIt, 0, bytesOfIt.length, true);
            return value >= 0 ? decoder.decode(replacementAt(value)) : character;
          }).join('');
    if (ofGrapheme.size < 20_000) ofGrapheme.set(grapheme, replaced);
    return replaced;
  };
  const replaceGraphemes = (text: string): string =>
    // Between two ASCII characters there is always a border, but within a line break.
    text.replace(/[\0-\x7f]?[^\0-\x7f]+|\r\n|[\0-\x7f]/g, (part) => {
      if (part.length === 1 || part === '\r\n') return replaceGrapheme(part);
      let replaced = '';
      for (const { segment } of graphemes.segment(part)) replaced += replaceGrapheme(segment);
      return replaced;
    });

  return { replaceLongest, replaceGraphemes };
}

const utf8 = new TextEncoder();
// U+FEFF is a character as others are.
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' });

const offsetOf = (unit: number): number => (unit >>> 10) << ((unit & 0x200) >>> 6);

/** A unit that has a leaf must have it inside the array, and the leaf's text inside the texts. */
function checkLeaves(units: Uint32Array, at: number, texts: Uint8Array, refuse: (why: string) => never): void {
  const unit = units[at]!;
  if (unit >>> 31 !== 0 || (unit & 0x100) === 0) return;
  const leaf = units[at ^ offsetOf(unit)];
  if (leaf === undefined || leaf >>> 31 === 0) refuse('a key has no value');
  else if ((leaf & 0x7fffffff) >= texts.length) refuse('a value lies outside its texts');
}

function bytesOfCharacter(first: number): number {
  return first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

/** Bytes that grow. */
class Bytes {
  #bytes: Uint8Array;
  #length = 0;

  constructor(capacity: number) {
    this.#bytes = new Uint8Array(capacity);
  }

  /** Adds `source` from `start` to `end`; -1 = to its end. */
  add(source: Uint8Array, start: number, end: number): void {
    const last = end < 0 ? source.length : Math.min(end, source.length);
    const length = last - start;
    if (this.#length + length > this.#bytes.length) {
      const larger = new Uint8Array(2 * (this.#length + length));
      larger.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = larger;
    }
    for (let i = start; i < last; i++) this.#bytes[this.#length++] = source[i]!;
  }

  text(): string {
    return decoder.decode(this.#bytes.subarray(0, this.#length));
  }
}
