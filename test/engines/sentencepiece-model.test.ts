/** tokenizer.model files made by hand: sound ones, and every damage that somebody's file may bring. */
import { describe, expect, test } from 'vitest';
import { tokenizerFromSentencePiece } from '../../engines/tokenizer/from-sentencepiece.ts';
import { loadTokenizer } from '../../engines/tokenizer/tokenizer.ts';

type Bytes = Uint8Array | number[];
const joined = (...parts: Bytes[]): Buffer => Buffer.concat(parts.map((part) => Uint8Array.from(part)));
function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  do {
    bytes.push(Number(rest & 127n) | (rest > 127n ? 128 : 0));
    rest >>= 7n;
  } while (rest > 0n);
  return bytes;
}
const number = (field: number, value: number) => [...varint(field * 8), ...varint(value)];
const bytes = (field: number, content: Bytes) => joined(varint(field * 8 + 2), varint(content.length), content);
const float = (field: number, value: number) =>
  joined(varint(field * 8 + 5), new Uint8Array(Float32Array.of(value).buffer));
const piece = (text: string | Bytes, score = 0, kind = 1) =>
  bytes(1, joined(bytes(1, typeof text === 'string' ? Buffer.from(text) : text), float(2, score), number(3, kind)));
const trainer = (...settings: Bytes[]) => bytes(2, joined(...settings));
const normalizer = (...settings: Bytes[]) => bytes(3, joined(...settings));

const specials = joined(piece('<unk>', 0, 2), piece('<s>', 0, 3), piece('</s>', 0, 3));
const words = joined(piece('\u2581', -3), piece('a', -4), piece('b', -5), piece('ab', -1), piece('\u2581ab', -2));
const bpe = trainer(number(3, 2));
const plain = normalizer(number(4, 0));
const good = joined(specials, words, bpe, plain);

/** A trie of one key: "x" becomes `value`'s text. Units: label, offset and leaf as darts-clone packs them. */
function charsmap(options: { leaf?: number; offset?: number; texts?: Buffer; trieBytes?: number } = {}): Buffer {
  const units = new Uint32Array(256);
  const root = 1 << 10; // The root's offset is 1: its children are at 1 ^ byte.
  units[0] = root;
  const at = 1 ^ 0x78;
  const offset = options.offset ?? 2;
  units[at] = (offset << 10) | 0x100 | 0x78;
  if (options.offset === undefined) units[at ^ offset] = (0x80000000 | (options.leaf ?? 0)) >>> 0;
  const trie = Buffer.from(units.buffer);
  const size = Buffer.alloc(4);
  size.writeUInt32LE(options.trieBytes ?? trie.length);
  return Buffer.concat([size, trie, options.texts ?? Buffer.from('ab\0')]);
}
const withMap = (map: Bytes) => joined(specials, words, bpe, normalizer(bytes(2, map), number(4, 0)));

describe('A tokenizer.model', () => {
  test('is read with its pieces, scores, kinds and rules', () => {
    const tokenizer = loadTokenizer(tokenizerFromSentencePiece(good, 'tokenizer.model'));
    expect([...tokenizer.encode('ab')]).toEqual([1, 7]);
    expect([...tokenizer.encode('ab a', { addSpecial: false })]).toEqual([7, 3, 4]);
    expect(tokenizer.decode([1, 7])).toBe('ab');
  });

  test('replaces by its table before it cuts', () => {
    const tokenizer = loadTokenizer(tokenizerFromSentencePiece(withMap(charsmap()), 'tokenizer.model'));
    expect([...tokenizer.encode('x', { addSpecial: false })]).toEqual([7]);
    expect([...tokenizer.encode('\0', { addSpecial: false })]).toEqual([3, 0]);
  });

  test('may be given more control tokens by tokenizer_config.json, with their spaces swallowed', () => {
    const config = {
      add_bos_token: false,
      added_tokens_decoder: { 8: { content: '<|user|>', special: true, rstrip: true, lstrip: false } },
    };
    const tokenizer = loadTokenizer(tokenizerFromSentencePiece(good, 'tokenizer.model', config));
    expect([
      ...tokenizer.encodePieces([
        { type: 'special', text: '<|user|>\n' },
        { type: 'text', text: 'ab<|user|>' },
      ]),
    ]).toEqual([8, 7, 0]);
  });

  test('of XLM-R gets the ids of its trainer', () => {
    const config = { tokenizer_class: 'XLMRobertaTokenizer' };
    const unigram = joined(specials, words, trainer(number(3, 1)), plain);
    const tokenizer = loadTokenizer(tokenizerFromSentencePiece(unigram, 'sentencepiece.bpe.model', config));
    expect(['<s>', '<pad>', '</s>', '<unk>', '\u2581', '<mask>'].map((name) => tokenizer.idOf(name))).toEqual([
      0, 1, 2, 3, 4, 9,
    ]);
    expect([...tokenizer.encode('ab')]).toEqual([0, 8, 2]);
  });

  test.each([
    ['a word model', joined(specials, words, trainer(number(3, 3)), plain)],
    ['a letter model', joined(specials, words, trainer(number(3, 4)), plain)],
    ['a model of no known kind', joined(specials, words, trainer(number(3, 99)), plain)],
    ['spaces after words', joined(specials, words, trainer(number(3, 2), number(24, 1)), plain)],
    ['spaces that stay spaces', joined(specials, words, bpe, normalizer(number(5, 0)))],
  ])('is refused by name as not read here when it has %s', (_, file) => {
    expect(() => tokenizerFromSentencePiece(file, 'my tokenizer.model')).toThrow(
      expect.objectContaining({ code: 'unsupported-model', message: expect.stringContaining('my tokenizer.model') }),
    );
  });

  const config = (added: unknown) => ({ added_tokens_decoder: added });
  const damages: [string, Bytes, unknown?][] = [
    ['nothing', []],
    ['one byte', [0x0a]],
    ['text', Buffer.from('this is no tokenizer')],
    ['JSON', Buffer.from('{"version":"1.0"}')],
    ['zeros', new Uint8Array(64)],
    ['half of itself', good.subarray(0, good.length >> 1)],
    ['a byte less', joined(good, bytes(1, [])).subarray(0, -1)],
    ['a piece longer than the file', joined(good, [0x0a, 0xff, 0xff, 0xff, 0x7f])],
    ['a piece of 2^63 bytes', joined(good, [0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f])],
    ['a length without end', joined(good, [0x0a, ...new Array(20).fill(0xff)])],
    ['a field without number', joined(good, [0x02, 0x00])],
    ['a field number of 2^40', joined(good, [0x82, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01, 0x00])],
    ['a group', joined(good, [0x0b])],
    ['a field of type 7', joined(good, [0x0f])],
    ['a number cut off', joined(good, [0x10, 0x80])],
    ['eight bytes cut off', joined(good, [0x11, 1, 2, 3])],
    ['a piece whose text is longer than the piece', joined(good, bytes(1, [0x0a, 0x50, 0x61]))],
    ['an empty piece', joined(good, piece(''))],
    ['a piece without text', joined(good, bytes(1, number(3, 1)))],
    ['a piece that is no UTF-8', joined(good, piece([0xff, 0xfe]))],
    ['a piece of half a character', joined(good, piece([0xe5, 0xb1]))],
    ['a piece of 70,000 bytes', joined(good, piece('x'.repeat(70_000)))],
    ['a piece twice', joined(good, piece('ab', -9))],
    ['a score that is no number', joined(good, piece('z', Number.NaN))],
    ['an endless score', joined(good, piece('z', Number.NEGATIVE_INFINITY))],
    ['a score of eight bytes', joined(good, bytes(1, joined(bytes(1, [0x7a]), [0x11, 0, 0, 0, 0, 0, 0, 0, 0])))],
    ['a piece whose text is a number', joined(good, bytes(1, number(1, 5)))],
    ['a piece of kind 0', joined(good, piece('z', 0, 0))],
    ['a piece of kind 7', joined(good, piece('z', 0, 7))],
    ['a piece of kind −1', joined(good, piece('z', 0, -1))],
    ['no pieces', joined(bpe, plain)],
    ['no unknown piece', joined(words, bpe, plain)],
    ['two unknown pieces', joined(good, piece('<unk2>', 0, 2))],
    ['bytes that are not used', joined(good, piece('<0x41>', 0, 6))],
    ['a byte that is none', joined(good, piece('<0xG1>', 0, 6), trainer(number(35, 1)))],
    ['too few bytes', joined(good, piece('<0x41>', 0, 6), trainer(number(35, 1)))],
    ['a table of two bytes', withMap([1, 2])],
    ['a table whose trie is longer than the table', withMap(charsmap({ trieBytes: 0x7fffffff }))],
    ['a table whose trie has no units', withMap(charsmap({ trieBytes: 0 }))],
    ['a table whose trie has a part of a unit', withMap(charsmap({ trieBytes: 1023 }))],
    ['a table without texts', withMap(charsmap({ texts: Buffer.alloc(0) }))],
    ['a table whose last text has no end', withMap(charsmap({ texts: Buffer.from('ab') }))],
    ['a table whose replacement is a book', withMap(charsmap({ texts: Buffer.from(`${'x'.repeat(5000)}\0`) }))],
    ['a table with a value behind its texts', withMap(charsmap({ leaf: 99 }))],
    ['a table with a leaf outside its trie', withMap(charsmap({ offset: 0x1fffff }))],
    ['added tokens that are none', good, config({ 8: 'x' })],
    ['an added token far behind', good, config({ 99999999: { content: '<x>' } })],
    ['an added token before the first', good, config({ '-1': { content: '<x>' } })],
  ];
  test.each(damages)('is refused by name when it is or has %s', (_, file, settings) => {
    expect(() => tokenizerFromSentencePiece(Uint8Array.from(file), 'my tokenizer.model', settings)).toThrow(
      expect.objectContaining({ code: 'invalid-checkpoint', message: expect.stringContaining('my tokenizer.model') }),
    );
  });

  test('does not hang and fails only with its own error, whatever bytes are changed', () => {
    const file = withMap(charsmap());
    let seed = 5;
    const random = (below: number) => {
      seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
      return (seed >>> 8) % below;
    };
    let read = 0;
    for (let round = 0; round < 3000; round++) {
      const changed = Buffer.from(file);
      for (let change = 0; change <= random(4); change++) changed[random(changed.length)] = random(256);
      const cut = random(3) === 0 ? changed.subarray(0, random(changed.length)) : changed;
      try {
        const tokenizer = loadTokenizer(tokenizerFromSentencePiece(cut, 'changed.model'));
        for (const id of tokenizer.encode('ab x \u00e9 <s> xx')) expect(id).toBeLessThan(tokenizer.vocabularySize);
        read++;
      } catch (error) {
        expect(['invalid-checkpoint', 'unsupported-model']).toContain((error as { code?: string }).code);
      }
    }
    expect(read).toBeGreaterThan(0);
  });
});
