import { Tokenizer as Library } from '@huggingface/tokenizers';
import { describe, expect, test } from 'vitest';
import { tokenizerFromJson } from '../../engines/tokenizer/from-tokenizer-json.ts';
import { encodePair, pairIdsOf } from '../../engines/tokenizer/pair.ts';
import { loadTokenizer } from '../../engines/tokenizer/tokenizer.ts';

const words = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', 'where', 'is', 'the', 'pump', 'in', 'cellar', 'it', 'hum', '##s'];
const vocab = Object.fromEntries(words.map((word, id) => [word, id]));
const token = (id: string, type: number) => ({ SpecialToken: { id, type_id: type } });
const sequence = (id: string, type: number) => ({ Sequence: { id, type_id: type } });
const tokens = Object.fromEntries(['[CLS]', '[SEP]'].map((id) => [id, { id, ids: [vocab[id]], tokens: [id] }]));

const processors = {
  'BERT’s template': {
    type: 'TemplateProcessing',
    single: [token('[CLS]', 0), sequence('A', 0), token('[SEP]', 0)],
    pair: [token('[CLS]', 0), sequence('A', 0), token('[SEP]', 0), sequence('B', 1), token('[SEP]', 1)],
    special_tokens: tokens,
  },
  'XLM-R’s template': {
    type: 'TemplateProcessing',
    single: [token('[CLS]', 0), sequence('A', 0), token('[SEP]', 0)],
    pair: [
      token('[CLS]', 0),
      sequence('A', 0),
      token('[SEP]', 0),
      token('[SEP]', 0),
      sequence('B', 0),
      token('[SEP]', 0),
    ],
    special_tokens: tokens,
  },
  'BERT’s processor': { type: 'BertProcessing', sep: ['[SEP]', 3], cls: ['[CLS]', 2] },
  'RoBERTa’s processor': {
    type: 'RobertaProcessing',
    sep: ['[SEP]', 3],
    cls: ['[CLS]', 2],
    trim_offsets: true,
    add_prefix_space: false,
  },
};

const jsonOf = (postProcessor: unknown) => ({
  version: '1.0',
  added_tokens: ['[PAD]', '[UNK]', '[CLS]', '[SEP]'].map((content) => {
    return { id: vocab[content], content, special: true, single_word: false, lstrip: false, rstrip: false };
  }),
  normalizer: {
    type: 'BertNormalizer',
    clean_text: true,
    handle_chinese_chars: true,
    strip_accents: null,
    lowercase: true,
  },
  pre_tokenizer: { type: 'BertPreTokenizer' },
  post_processor: postProcessor,
  decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
  model: {
    type: 'WordPiece',
    unk_token: '[UNK]',
    continuing_subword_prefix: '##',
    max_input_chars_per_word: 100,
    vocab,
  },
});

const question = 'Where is the pump?';
const passage = 'The pump is in the cellar. It hums.';

describe.each(Object.entries(processors))('Two texts by %s', (name, processor) => {
  const json = jsonOf(processor);
  const tokenizer = loadTokenizer(tokenizerFromJson(json));
  const around = pairIdsOf(json)!;
  const twoSegments = { ...around, oneSegment: false };
  const pairOf = (first: string, second: string) => encodePair(tokenizer, around, first, second, 512);

  const cutPair = (first: string, second: string, maxTokens: number) =>
    encodePair(tokenizer, twoSegments, first, second, maxTokens);

  test('become the ids of the published library', () => {
    const library = new Library(json, {});
    for (const [first, second] of [
      [question, passage],
      ['pump', 'the cellar hums'],
      ['', 'pump'],
    ] as const) {
      const expected = library.encode(first, { text_pair: second }).ids;
      expect([...pairOf(first, second).ids]).toEqual(expected);
    }
  });

  test('have their border where the second one begins', () => {
    const { ids, firstLength } = encodePair(tokenizer, twoSegments, question, passage, 512);
    const second = tokenizer.encode(passage, { addSpecial: false });
    expect([...ids.subarray(firstLength, -around.end.length)]).toEqual([...second]);
    expect(ids[firstLength - 1]).toBe(vocab['[SEP]']);
  });

  test('are one segment or two, as the model was taught', () => {
    const { ids, firstLength } = pairOf(question, passage);
    expect(firstLength === ids.length).toBe(name === 'XLM-R’s template');
    const config = { model_input_names: ['input_ids', 'attention_mask'] };
    const taught = encodePair(tokenizer, pairIdsOf(json, config)!, question, passage, 512);
    expect(taught).toEqual({ ids, firstLength: ids.length });
    const segments = { model_input_names: ['input_ids', 'token_type_ids', 'attention_mask'] };
    expect(pairIdsOf(json, segments)).toEqual(around);
  });

  test('never hold a control token of the texts themselves', () => {
    const { ids } = pairOf('[SEP] where', '[CLS] in [SEP] [PAD] cellar');
    const specials = [...ids].filter((id) => id === vocab['[SEP]'] || id === vocab['[CLS]'] || id === vocab['[PAD]']);
    expect(specials).toHaveLength(around.start.length + around.between.length + around.end.length);
  });

  test('fill the room and no more: the passage is cut, the question whole', () => {
    const numSpecial = around.start.length + around.between.length + around.end.length;
    const long = passage.repeat(100);
    const whole = tokenizer.encode(question, { addSpecial: false });
    for (const maxTokens of [16, 17, 40, 512]) {
      const { ids, firstLength } = cutPair(question, long, maxTokens);
      expect(ids).toHaveLength(maxTokens);
      const first = ids.subarray(around.start.length, firstLength - around.between.length);
      expect([...first]).toEqual([...whole]);
      expect([...ids.subarray(-around.end.length)]).toEqual(around.end);
    }
    // A question without end leaves the passage a quarter; where the passage needs less, it leaves it that.
    const both = cutPair(question.repeat(100), long, 100);
    expect(both.ids).toHaveLength(100);
    expect(both.ids.length - both.firstLength - around.end.length).toBe(Math.floor((100 - numSpecial) / 4));
    const short = cutPair(question.repeat(100), 'pump', 100);
    expect(short.ids).toHaveLength(100);
    expect(short.ids[short.firstLength]).toBe(vocab.pump);
    expect(cutPair(question, passage, numSpecial).ids).toHaveLength(numSpecial);
  });
});

describe('A post-processor', () => {
  test.each([
    ['that is missing', null],
    ['without a pair', { type: 'TemplateProcessing', single: [], pair: [sequence('A', 0)], special_tokens: {} }],
    ['with the second text first', { type: 'TemplateProcessing', pair: [sequence('B', 0), sequence('A', 1)] }],
    ['of a token that it does not know', { type: 'TemplateProcessing', pair: [token('[X]', 0), sequence('A', 0)] }],
    ['with a third text', { type: 'TemplateProcessing', pair: ['A', 'B', 'A'].map((id) => sequence(id, 0)) }],
    ['with ids that are none', { type: 'BertProcessing', sep: ['[SEP]', -1], cls: ['[CLS]', 'x'] }],
    ['that is none', { type: 'ByteLevel' }],
    ['that is no object', 7],
  ])('%s says nothing', (_, processor) => {
    expect(pairIdsOf(jsonOf(processor))).toBeNull();
  });

  test('in a sequence of them is found', () => {
    const processor = { type: 'Sequence', processors: [{ type: 'ByteLevel' }, processors['RoBERTa’s processor']] };
    expect(pairIdsOf(jsonOf(processor))).toEqual({ start: [2], between: [3, 3], end: [3] });
  });
});
