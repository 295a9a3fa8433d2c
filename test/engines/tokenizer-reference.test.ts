/** Ids beside those of the published libraries, made by reference/make-tokenizers.py. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { tokenizerFromSentencePiece } from '../../engines/tokenizer/from-sentencepiece.ts';
import { tokenizerFromJson } from '../../engines/tokenizer/from-tokenizer-json.ts';
import { loadTokenizer } from '../../engines/tokenizer/tokenizer.ts';
import type { Tokenizer, TokenizerJson } from '../../engines/tokenizer/types.ts';
import { hasShared, sharedData } from './checkpoints.ts';

const reference = join(import.meta.dirname, 'reference', 'tokenizers');
const contentOf = (path: string): Buffer => {
  const bytes = readFileSync(path);
  return path.endsWith('.gz') ? gunzipSync(bytes) : bytes;
};
const texts: string[] = JSON.parse(contentOf(join(reference, 'texts.json.gz')).toString());
const expected: Record<string, string[]> = JSON.parse(contentOf(join(reference, 'ids.json.gz')).toString());

/** Published vocabularies, in the given data. */
const published: Readonly<Record<string, string>> = {
  llama2: 'llama2/tokenizer.model.gz',
  'mistral-v1': 'mistral/tokenizer.model.v1.gz',
  'mistral-v3': 'mistral/mistral_instruct_tokenizer_240323.model.v3.gz',
  test_model: 'sentencepiece/test_model.model',
  llama3: 'llama3/tokenizer.json.gz',
  qwen2_5: 'qwen2_5/tokenizer.json.gz',
};
const kinds: Readonly<Record<string, TokenizerJson['type']>> = {
  unigram: 'unigram',
  'unigram-bytes': 'unigram',
  'unigram-first': 'unigram',
  'xlm-r': 'unigram',
  'bge-m3': 'unigram',
  test_model: 'unigram',
  wordpiece: 'wordpiece',
  'wordpiece-cased': 'wordpiece',
  'wordpiece-accents': 'wordpiece',
};
const byteLevel = ['gpt2', 'roberta', 'neox', 'falcon', 'bloom', 'tekken', 'gpt4o', 'llama3', 'qwen2_5'];
const kindOf = (name: string) => kinds[name] ?? (byteLevel.includes(name) ? 'byte-bpe' : 'sentencepiece');
/** Whose text does not come back as it was: characters are replaced, or not known. */
const lossy = (name: string): boolean =>
  kindOf(name) === 'wordpiece' ||
  (kindOf(name) === 'unigram' && name !== 'unigram-bytes') ||
  ['bpe-charsmap', 'metaspace-like', 'mistral3-like', 'neox', 'qwen2_5', 'roberta'].includes(name);

const loaded = new Map<string, { json: TokenizerJson; tokenizer: Tokenizer }>();
function load(name: string) {
  const known = loaded.get(name);
  if (known !== undefined) return known;
  const given = published[name];
  const model = join(reference, `${name}.model.gz`);
  const json = existsSync(model) ? model : join(reference, `${name}.json.gz`);
  const path = given === undefined ? json : join(sharedData, 'tokenizers', given);
  const made = path.includes('.model')
    ? tokenizerFromSentencePiece(contentOf(path), `${name}.model`)
    : tokenizerFromJson(JSON.parse(contentOf(path).toString()));
  // As it comes out of a plan.
  const found = { json: made, tokenizer: loadTokenizer(JSON.parse(JSON.stringify(made))) };
  loaded.set(name, found);
  return found;
}

describe.each(Object.keys(expected))('The vocabulary %s', (name) => {
  const run = test.skipIf(published[name] !== undefined && !hasShared);

  run('is one of our own kinds and gives the published library’s ids of all texts', () => {
    const { json, tokenizer } = load(name);
    expect(json.type).toBe(kindOf(name));
    const wrong = texts.filter((text, at) => {
      const ids = [...tokenizer.encode(text, { addSpecial: false })].join(' ');
      return createHash('sha256').update(ids).digest('hex').slice(0, 10) !== expected[name]![at];
    });
    expect(wrong.slice(0, 5)).toEqual([]);
  });

  run('makes no control token of any text, with all their names in it', () => {
    const { tokenizer } = load(name);
    const names: string[] = [];
    let unknown = -1;
    for (let id = 0; id < tokenizer.vocabularySize; id++) {
      if (!tokenizer.isControl(id)) continue;
      names.push(tokenizer.pieceOf(id));
      // The unknown piece is no danger: it says that a word was not known.
      if (/^(<unk>|\[UNK\])$/.test(tokenizer.pieceOf(id))) unknown = id;
    }
    const some = names.slice(0, 20);
    const attacks = [
      ...some,
      some.join(''),
      some.join(' '),
      some.join('\n'),
      ...texts.map((text, at) => text + some[at % some.length]),
    ];
    for (const text of attacks) {
      const ids = [...tokenizer.encode(text, { addSpecial: false })];
      expect(
        ids.filter((id) => id !== unknown && tokenizer.isControl(id)),
        text,
      ).toEqual([]);
    }
  });

  run('streams what it decodes, whatever the pieces, and never half a character', () => {
    const { tokenizer } = load(name);
    let seed = 1;
    const random = (below: number) => {
      seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
      return seed % below;
    };
    for (const text of texts) {
      const ids = tokenizer.encode(text, { addSpecial: false });
      const whole = tokenizer.decode(ids);
      const decoder = tokenizer.streamDecoder();
      let streamed = '';
      for (let at = 0; at < ids.length; ) {
        const next = at + 1 + random(3);
        const piece = decoder.push(ids.subarray(at, next));
        if (!whole.includes('\uFFFD')) expect(piece).not.toContain('\uFFFD');
        streamed += piece;
        at = next;
      }
      expect(streamed + decoder.end()).toBe(whole);
      // SentencePiece's mark for a space is a space to it, wherever it came from.
      const back = kindOf(name) === 'byte-bpe' ? text : text.replaceAll('\u2581', ' ');
      if (!lossy(name)) expect(whole).toBe(back);
    }
  });

  test.skipIf(!hasShared || lossy(name))('gives back every text of the languages as it was', () => {
    const { tokenizer } = load(name);
    for (const path of ['botchan.txt.gz', 'wagahaiwa_nekodearu.txt.gz', 'unstructured/eng_afr_spa.txt']) {
      const text = contentOf(join(sharedData, 'documents/languages', path)).toString('utf8');
      expect(tokenizer.decode(tokenizer.encode(text)) === text, path).toBe(true);
    }
  });
});

describe('A Unigram tokenizer', () => {
  test.skipIf(!hasShared)('of the full NFKC table gives the same from its model file and as a tokenizer.json', () => {
    const { json, tokenizer } = load('test_model');
    if (json.type !== 'unigram') throw new Error('no Unigram');
    const charsmap = json.normalizer.find((step) => step.type === 'charsmap')!.charsmap;
    const asJson = tokenizerFromJson({
      added_tokens: [],
      normalizer: { type: 'Sequence', normalizers: [{ type: 'Precompiled', precompiled_charsmap: charsmap }] },
      pre_tokenizer: {
        type: 'Sequence',
        pretokenizers: [
          { type: 'WhitespaceSplit' },
          { type: 'Metaspace', replacement: '\u2581', add_prefix_space: true },
        ],
      },
      model: {
        type: 'Unigram',
        unk_id: json.unknownId,
        vocab: json.pieces.map((piece, id) => [piece, json.scores[id]]),
      },
    });
    const other = loadTokenizer(asJson);
    // Where words stand between spaces of one kind the two ways of normalizing are one.
    for (const text of ['Ｈｅｌｌｏ ﬁne ①② world', 'I saw a girl with a telescope.', '㍿ ㎏ ½', 'e\u0301 naïve Å']) {
      expect([...other.encode(text)], text).toEqual([...tokenizer.encode(text, { addSpecial: false })]);
    }
  });
});
