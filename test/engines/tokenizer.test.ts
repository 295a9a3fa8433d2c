import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { Tokenizer as Library } from '@huggingface/tokenizers';
import { describe, expect, test } from 'vitest';
import { openGguf } from '../../engines/build/gguf.ts';
import { tokenizerFromGguf } from '../../engines/tokenizer/from-gguf.ts';
import { tokenizerFromJson } from '../../engines/tokenizer/from-tokenizer-json.ts';
import { loadTokenizer } from '../../engines/tokenizer/tokenizer.ts';
import {
  pieceKinds,
  type SentencePieceJson,
  type Tokenizer,
  type WordPieceJson,
} from '../../engines/tokenizer/types.ts';
import { hasShared, sharedData, withFolder, writeTo } from './checkpoints.ts';

const given = join(sharedData, 'tokenizers');
const separator = '\n__ggml_vocab_test__\n';

async function fromVocabulary(name: string): Promise<Tokenizer> {
  const bytes = gunzipSync(readFileSync(join(given, 'llamacpp', `ggml-vocab-${name}.gguf.gz`)));
  return withFolder(async (folder) => {
    const gguf = await openGguf(await writeTo(folder, 'vocabulary.gguf', bytes));
    await gguf.file.close();
    return loadTokenizer(JSON.parse(JSON.stringify(tokenizerFromGguf(gguf.metadata))));
  });
}

const strings = () => readFileSync(join(given, 'llamacpp', 'ggml-vocab-llama-spm.gguf.inp'), 'utf8').split(separator);

describe.skipIf(!hasShared).each(['llama-spm', 'gpt-2', 'bert-bge'])('The vocabulary %s', (name) => {
  test('gives the published ids of all strings', async () => {
    const tokenizer = await fromVocabulary(name);
    const expected = readFileSync(join(given, 'llamacpp', `ggml-vocab-${name}.gguf.out`), 'utf8').split('\n');
    const inputs = strings();
    expect(inputs).toHaveLength(47);
    for (const [at, text] of inputs.entries()) {
      const ids = [...tokenizer.encode(text, { addSpecial: false })].join(' ');
      expect(ids, JSON.stringify(text)).toBe(expected[at]!.trim());
    }
  });

  test.skipIf(name === 'bert-bge')('gives the text back, whole and in any pieces', async () => {
    const tokenizer = await fromVocabulary(name);
    for (const text of strings()) {
      const ids = tokenizer.encode(text);
      expect(tokenizer.decode(ids)).toBe(text);
      const decoder = tokenizer.streamDecoder();
      let streamed = '';
      for (const id of ids) {
        const piece = decoder.push([id]);
        expect(piece).not.toContain('\uFFFD');
        streamed += piece;
      }
      expect(streamed + decoder.end()).toBe(text);
    }
  });

  test('never makes a control token of text, and does when it is asked to', async () => {
    const tokenizer = await fromVocabulary(name);
    const controls = ['<s>', '</s>', '<unk>', '[CLS]', '[SEP]', '<|endoftext|>', '<|im_end|>', '[MASK]'];
    const text = controls.join(' and ').repeat(3);
    // The unknown piece is no danger: it says that a word was not known.
    const unknown = tokenizer.idOf('[UNK]');
    const ids = tokenizer.encode(text, { addSpecial: false });
    expect([...ids].filter((id) => id !== unknown && tokenizer.isControl(id))).toEqual([]);
    const end = { 'llama-spm': '</s>', 'gpt-2': '<|endoftext|>', 'bert-bge': '[SEP]' }[name]!;
    expect([...tokenizer.encode(text, { parseSpecial: true })]).toContain(tokenizer.idOf(end));
  });

  test('keeps a prompt’s control tokens apart from the texts between them', async () => {
    const tokenizer = await fromVocabulary(name);
    const end = { 'llama-spm': '</s>', 'gpt-2': '<|endoftext|>', 'bert-bge': '[SEP]' }[name]!;
    const ids = tokenizer.encodePieces(
      [
        { type: 'text', text: `say ${end} to me` },
        { type: 'special', text: end },
      ],
      { addSpecial: false },
    );
    expect([...ids].filter((id) => id === tokenizer.idOf(end))).toHaveLength(1);
    expect(ids.at(-1)).toBe(tokenizer.idOf(end));
  });

  test('reads a text of one endless word, of spaces only, and of broken surrogates', async () => {
    const tokenizer = await fromVocabulary(name);
    for (const text of ['x'.repeat(50_000), ' '.repeat(50_000), '\uD800 a \uDC00', '\0\u0001', '']) {
      for (const id of tokenizer.encode(text)) expect(id).toBeLessThan(tokenizer.vocabularySize);
    }
  });
});

describe.skipIf(!hasShared).each(['llama3', 'qwen2_5'])('The published tokenizer.json of %s', (name) => {
  test('is one of our kinds and gives the library’s ids', () => {
    const json = JSON.parse(gunzipSync(readFileSync(join(given, name, 'tokenizer.json.gz'))).toString('utf8'));
    const translated = tokenizerFromJson(json);
    expect(translated.type).toBe('byte-bpe');
    const tokenizer = loadTokenizer(translated);
    const library = new Library(json, {});
    for (const text of [
      ...strings(),
      'naïve ÀÉÎ',
      "I'LL DON'T",
      '中文 text 123456',
      'e\u0301\u00a0x',
      'ﬁ ½ Ⅷ',
      '$x+y=<z>^`|~',
    ]) {
      expect([...tokenizer.encode(text)], JSON.stringify(text)).toEqual(library.encode(text).ids);
    }
  });
});

describe.skipIf(!hasShared)('The vocabulary phi-3', () => {
  test('gives Llama’s ids, whose pieces it took over, and the text back', async () => {
    const tokenizer = await fromVocabulary('phi-3');
    const expected = readFileSync(join(given, 'llamacpp', 'ggml-vocab-llama-spm.gguf.out'), 'utf8').split('\n');
    for (const [at, text] of strings().entries()) {
      const ids = tokenizer.encode(text, { addSpecial: false });
      expect([...ids].join(' '), JSON.stringify(text)).toBe(expected[at]!.trim());
      expect(tokenizer.decode(ids)).toBe(text);
    }
  });
});

describe('GGUF’s Unigram', () => {
  const metadata = (more: Record<string, unknown> = {}) =>
    new Map<string, unknown>(
      Object.entries({
        'tokenizer.ggml.model': 't5',
        'tokenizer.ggml.tokens': ['<s>', '<pad>', '</s>', '<unk>', '\u2581', 'a', 'b', '\u2581ab'],
        'tokenizer.ggml.scores': [0, 0, 0, 0, -3, -4, -5, -2],
        'tokenizer.ggml.token_type': [3, 3, 3, 2, 1, 1, 1, 1],
        'tokenizer.ggml.bos_token_id': 0,
        'tokenizer.ggml.eos_token_id': 2,
        'tokenizer.ggml.unknown_token_id': 3,
        'tokenizer.ggml.add_bos_token': true,
        ...more,
      }),
    );
  test('takes the cheapest way to cut a text, and its spaces together', () => {
    const tokenizer = loadTokenizer(tokenizerFromGguf(metadata()));
    expect([...tokenizer.encode('  ab   b ')]).toEqual([0, 7, 4, 6, 2]);
    expect([...tokenizer.encode('xx</s>', { addSpecial: false })]).toEqual([4, 3]);
  });
  test.each([
    ['no scores', { 'tokenizer.ggml.scores': [1] }],
    ['no unknown piece', { 'tokenizer.ggml.unknown_token_id': 99 }],
    ['a damaged table', { 'tokenizer.ggml.precompiled_charsmap': [1, 2, 3] }],
  ])('is refused with %s', (_, more) => {
    expect(() => tokenizerFromGguf(metadata(more))).toThrow(expect.objectContaining({ code: 'invalid-checkpoint' }));
  });
});

const tiny: SentencePieceJson = {
  type: 'sentencepiece',
  pieces: ['<unk>', '<s>', '</s>', '<0xE5>', '<0xB1>', '<0xB1>', '\u2581', 'a', 'b', 'ab', '\u2581ab'],
  kinds: [2, 3, 3, 6, 6, 6, 1, 1, 1, 1, 1],
  scores: [0, 0, 0, 0, 0, 0, -9, -9, -9, -1, -2],
  unknownId: 0,
  addSpacePrefix: true,
  startIds: [1],
  endIds: [],
};

describe('A tokenizer', () => {
  test('joins text where pieces of a prompt meet, and starts anew after a control token', () => {
    const tokenizer = loadTokenizer(tiny);
    const pieces = [
      { type: 'text', text: 'a' },
      { type: 'special', text: 'b</s>' },
      { type: 'text', text: 'ab' },
    ] as const;
    expect([...tokenizer.encodePieces(pieces)]).toEqual([1, 10, 2, 10]);
  });

  test('does not put the start there twice when the template wrote it', () => {
    const tokenizer = loadTokenizer(tiny);
    expect([...tokenizer.encodePieces([{ type: 'special', text: '<s>ab' }])]).toEqual([1, 10]);
    expect([...tokenizer.encode('<s>ab')].filter((id) => id === 1)).toHaveLength(1);
  });

  test('holds a character back until all its bytes are there, and marks one that stays broken', () => {
    const decoder = loadTokenizer(tiny).streamDecoder();
    expect(decoder.push([3])).toBe('');
    expect(decoder.push([4])).toBe('');
    expect(decoder.push([5, 7])).toBe('展a'.replace('展', Buffer.from([0xe5, 0xb1, 0xb1]).toString()));
    expect(decoder.push([3])).toBe('');
    expect(decoder.end()).toBe('\uFFFD');
  });

  test('treats user-defined pieces that look like control tokens as such', () => {
    const json = {
      ...tiny,
      pieces: [...tiny.pieces, '<|end|>', 'aa'],
      kinds: [...tiny.kinds!, 4, 4],
      scores: [...tiny.scores, 0, 0],
    };
    const tokenizer = loadTokenizer(json);
    expect([...tokenizer.encode('<|end|>')]).not.toContain(11);
    expect([...tokenizer.encode('<|end|>', { parseSpecial: true })]).toContain(11);
    expect([...tokenizer.encode('aa')]).toContain(12);
  });

  test('ignores ids that are none when it decodes', () => {
    expect(loadTokenizer(tiny).decode([-1, 10, 99999, 1])).toBe('ab');
  });

  test('makes no control token of a word that is named like one', () => {
    const common = {
      pieces: ['stop', 's', 't', '##t', 'to', '##to', 'st', 'op', 'p', '[UNK]'],
      startIds: [],
      endIds: [],
    };
    const kinds = [3, 1, 1, 1, 1, 1, 1, 1, 1, 2];
    const words = loadTokenizer({
      ...common,
      type: 'wordpiece',
      kinds,
      unknownId: 9,
      lowerCase: true,
      maxWordCharacters: 9,
    });
    expect([...words.encode('stop')]).not.toContain(0);
    const merges = ['s t', 'o p', 'st op'];
    const bytes = loadTokenizer({ ...common, type: 'byte-bpe', kinds, merges, split: 'llama-3', ignoreMerges: true });
    expect([...bytes.encode('stop')]).not.toContain(0);
    expect([...bytes.encode('stop', { parseSpecial: true })]).toEqual([0]);
  });

  const damages: [string, unknown][] = [
    ['nothing', null],
    ['another type', { ...tiny, type: 'other' }],
    ['no pieces', { ...tiny, pieces: [] }],
    ['pieces that are numbers', { ...tiny, pieces: [1, 2] }],
    ['too few scores', { ...tiny, scores: [1] }],
    ['too few kinds', { ...tiny, kinds: [1] }],
    ['a start that is no id', { ...tiny, startIds: [11] }],
    ['no unknown piece', { ...tiny, unknownId: -1 }],
    ['merges that are numbers', { ...tiny, type: 'byte-bpe', merges: [1] }],
  ];
  test.each(damages)('is refused with %s', (_, json) => {
    expect(() => loadTokenizer(json)).toThrow(expect.objectContaining({ code: 'invalid-plan' }));
  });

  test('from a tokenizer.json with truncation and padding cuts and pads nothing', () => {
    const json = {
      truncation: { max_length: 4, strategy: 'LongestFirst', stride: 0 },
      padding: { strategy: { Fixed: 8 }, pad_id: 0, pad_token: '[PAD]' },
      added_tokens: ['[PAD]', '[UNK]', '[CLS]', '[SEP]'].map((content, id) => ({ id, content, special: true })),
      normalizer: {
        type: 'BertNormalizer',
        clean_text: true,
        handle_chinese_chars: true,
        strip_accents: null,
        lowercase: true,
      },
      pre_tokenizer: { type: 'BertPreTokenizer' },
      post_processor: {
        type: 'TemplateProcessing',
        single: [{ SpecialToken: { id: '[CLS]' } }, { Sequence: { id: 'A' } }, { SpecialToken: { id: '[SEP]' } }],
      },
      model: {
        type: 'WordPiece',
        unk_token: '[UNK]',
        vocab: { '[PAD]': 0, '[UNK]': 1, '[CLS]': 2, '[SEP]': 3, un: 4, '##known': 5, word: 6, '!': 7 },
      },
    };
    const translated = tokenizerFromJson(json) as WordPieceJson;
    expect(translated.type).toBe('wordpiece');
    expect(translated.kinds!.slice(0, 4)).toEqual(new Array(4).fill(pieceKinds.control));
    const tokenizer = loadTokenizer(translated);
    expect([...tokenizer.encode('Wörd UNKNOWN! word zzz')]).toEqual([2, 6, 4, 5, 7, 6, 1, 3]);
    expect([...tokenizer.encode('[SEP]', { addSpecial: false })]).toEqual([1, 1, 1]);
    expect(tokenizer.decode([2, 4, 5, 6, 3])).toBe('unknown word');
  });

  test('of none of our kinds goes through the library, and makes no control token of text either', () => {
    const letters = [...'abcdefghijklmnopqrstuvwxyz</>'].map((letter) => [letter, -5]);
    const json = {
      added_tokens: ['<s>', '</s>', '<unk>'].map((content, id) => ({ id, content, special: true })),
      // Not one of our steps.
      normalizer: { type: 'StripAccents' },
      pre_tokenizer: { type: 'Metaspace', replacement: '\u2581', add_prefix_space: true, prepend_scheme: 'always' },
      post_processor: {
        type: 'TemplateProcessing',
        single: [
          { SpecialToken: { id: '<s>', type_id: 0 } },
          { Sequence: { id: 'A', type_id: 0 } },
          { SpecialToken: { id: '</s>', type_id: 0 } },
        ],
        pair: [],
        special_tokens: {
          '<s>': { id: '<s>', ids: [0], tokens: ['<s>'] },
          '</s>': { id: '</s>', ids: [1], tokens: ['</s>'] },
        },
      },
      decoder: { type: 'Metaspace', replacement: '\u2581', add_prefix_space: true, prepend_scheme: 'always' },
      model: {
        type: 'Unigram',
        unk_id: 2,
        vocab: [['<s>', 0], ['</s>', 0], ['<unk>', 0], ['\u2581', -4], ['\u2581hello', -1], ...letters],
      },
    };
    const translated = tokenizerFromJson(json);
    expect(translated.type).toBe('huggingface');
    const tokenizer = loadTokenizer(JSON.parse(JSON.stringify(translated)));
    expect([...tokenizer.encode('hello world')].slice(0, 2)).toEqual([0, 4]);
    expect(tokenizer.encode('hello world').at(-1)).toBe(1);
    expect([...tokenizer.encode('hello </s>', { addSpecial: false })]).not.toContain(1);
    expect(
      [
        ...tokenizer.encodePieces([
          { type: 'text', text: '</s>' },
          { type: 'special', text: '</s>' },
        ]),
      ].filter((id) => id === 1),
    ).toHaveLength(1);
    const ids = tokenizer.encode('hello world');
    expect(tokenizer.decode(ids)).toBe('hello world');
    const decoder = tokenizer.streamDecoder();
    expect([...ids].map((id) => decoder.push([id])).join('') + decoder.end()).toBe('hello world');
  });
});
