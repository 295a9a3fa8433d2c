/** What is done around a speech model: stretches and their seconds, silence, languages, loops, doubt. */
import { describe, expect, test } from 'vitest';
import { transcribe } from '../../../ingest/speech/transcribe.ts';
import { compressionRatioOf, roundEndOf, segmentsOf } from '../../../ingest/speech/whisper/decode-stretch.ts';
import { applyRules } from '../../../ingest/speech/whisper/rules.ts';
import { readVocabulary } from '../../../ingest/speech/whisper/vocabulary.ts';
import { createScriptedModel, type Saying, sound, tokensOf, vocabulary } from './scripted-whisper.ts';

const hear = async (parts: readonly number[], say: (stretch: number, attempt: number) => Saying) => {
  const { model, asked } = createScriptedModel(say);
  const begins: number[] = [];
  const transcript = await transcribe(sound(parts), model, { onStretch: (seconds) => void begins.push(seconds) });
  return { ...transcript, asked, begins };
};

describe('stretches', () => {
  test('segments have their seconds in the recording, and the next stretch begins at the last whole one’s end', async () => {
    const { segments, begins } = await hear([45], (stretch) =>
      stretch === 0
        ? { says: '<0.00>one<10.00><10.00>two<22.00><22.00>cut off' }
        : { says: '<0.00>three<8.00><8.00>four<23.00>' },
    );
    expect(begins).toEqual([0, 22]);
    expect(segments).toEqual([
      { startSeconds: 0, endSeconds: 10, text: 'one' },
      { startSeconds: 10, endSeconds: 22, text: 'two' },
      { startSeconds: 22, endSeconds: 30, text: 'three' },
      { startSeconds: 30, endSeconds: 45, text: 'four' },
    ]);
  });

  test('no second lies behind the recording’s end', async () => {
    const { segments, lengthSeconds } = await hear([5], () => ({ says: '<0.00>short<29.00>' }));
    expect(segments).toEqual([{ startSeconds: 0, endSeconds: 5, text: 'short' }]);
    expect(lengthSeconds).toBe(5);
  });

  test('a model that steps on the spot is moved on by a whole stretch', async () => {
    const { begins, asked } = await hear([90], () => ({ says: '<0.00>a<0.02><0.02>b' }));
    expect(begins).toEqual([0, 30, 60]);
    expect(asked.stretches).toBe(3);
  });

  test('pieces of any size are heard alike', async () => {
    const say = (): Saying => ({ says: '<0.00>word<20.00><20.00>rest' });
    const results = [];
    for (const size of [1000, 16_000, 700_000]) {
      const { model } = createScriptedModel(say);
      results.push(await transcribe(sound([70], size), model));
    }
    expect(results[1]).toEqual(results[0]);
    expect(results[2]).toEqual(results[0]);
  });
});

describe('silence', () => {
  test('is passed over without asking the model, and the words behind it keep their seconds', async () => {
    const { segments, begins, asked } = await hear([-100, 10, -60], () => ({ says: '<0.20>late<9.00>' }));
    expect(asked.stretches).toBe(1);
    expect(begins.map((seconds) => Math.round(10 * seconds) / 10)).toEqual([0, 30, 60, 90, 99.8, 129.8, 159.8]);
    expect(segments).toEqual([{ startSeconds: 100, endSeconds: 108.8, text: 'late' }]);
  });

  test('alone gives nothing, and neither does an empty recording', async () => {
    for (const parts of [[-200], []]) {
      const { segments, asked, language } = await hear(parts, () => ({ says: '<0.00>thank you<2.00>' }));
      expect(segments).toEqual([]);
      expect(language).toBeNull();
      expect(asked.stretches).toBe(0);
    }
  });

  test('what the model doubts that anybody said is left out; what it is sure of stays', async () => {
    const doubtful = await hear([10], () => ({ says: '<0.00>thank you<2.00>', noSpeech: 0.9, sureness: 0.2 }));
    expect(doubtful.segments).toEqual([]);
    const sure = await hear([10], () => ({ says: '<0.00>thank you<2.00>', noSpeech: 0.9 }));
    expect(sure.segments).toHaveLength(1);
  });
});

describe('loops and doubt', () => {
  const loop = `<0.00>${'and so '.repeat(30)}`;

  test('a loop is noticed while it is being said, and heard again with some chance', async () => {
    const { segments, asked } = await hear([20], (_, attempt) =>
      attempt === 0 ? { says: loop } : { says: '<0.00>and so it ended<12.00>', sureness: 0.9999999 },
    );
    expect(segments).toEqual([{ startSeconds: 0, endSeconds: 12, text: 'and so it ended' }]);
    expect(asked.steps).toBeLessThan(60);
  });

  test('of a loop that stays one, the first round is kept', async () => {
    const { segments } = await hear([20], () => ({ says: loop, sureness: 0.9999999 }));
    expect(segments.map(({ text }) => text)).toEqual(['and so']);
  });

  test('seconds between the rounds do not hide a loop', () => {
    const tokens = tokensOf(Array.from({ length: 9 }, (_, at) => `<${at}.00>thank you<${at + 1}.00>`).join(''));
    const end = roundEndOf(tokens, vocabulary.endOfText)!;
    expect(tokens.slice(0, end)).toEqual(tokensOf('<0.00>thank you<1.00>'));
    expect(roundEndOf(tokensOf('<0.00>no no no that is not what i said<4.00>'), vocabulary.endOfText)).toBeNull();
  });

  test('what is unlikely is tried again, and the likeliest of all is taken', async () => {
    const { segments } = await hear([10], (_, attempt) => ({
      says: `<0.00>${['first', 'second', 'third'][attempt]}<4.00>`,
      sureness: [0.2, 0.9999999, 0.1][attempt]!,
    }));
    expect(segments.map(({ text }) => text)).toEqual(['second']);
  });

  test('a text that says the same over and over becomes very small', () => {
    expect(compressionRatioOf('the same again and again '.repeat(12))).toBeGreaterThan(2.4);
    expect(compressionRatioOf('Ask not what your country can do for you.')).toBeLessThan(2.4);
    expect(compressionRatioOf('')).toBe(1);
  });
});

describe('the language', () => {
  test('is asked for once where the model is sure of it', async () => {
    const { language, asked } = await hear([90], () => ({ says: '<0.00>bonjour<30.00>', language: 'fr' }));
    expect(language).toBe('fr');
    expect(asked.begins.filter(({ length }) => length === 1)).toHaveLength(1);
    expect(asked.begins.filter(({ length }) => length === 3).every(([, token]) => token === 33)).toBe(true);
  });

  test('is asked for again until the model is sure', async () => {
    const { language, asked } = await hear([120], (stretch) => ({
      says: '<0.00>bonjour<30.00>',
      language: stretch === 0 ? 'en' : 'fr',
      languageSureness: stretch === 0 ? 0.55 : 0.95,
    }));
    expect(language).toBe('fr');
    expect(asked.begins.filter(({ length }) => length === 1)).toHaveLength(2);
  });
});

describe('what may follow in a transcript', () => {
  const allowed = (said: string, favourite?: number): Set<number> => {
    const scores = new Float32Array(vocabulary.numTokens);
    if (favourite !== undefined) scores[favourite] = 20;
    applyRules(scores, tokensOf(said), vocabulary);
    return new Set([...scores.keys()].filter((token) => scores[token] !== Number.NEGATIVE_INFINITY));
  };
  const at = (seconds: number): number => tokensOf(`<${seconds}>`)[0]!;

  test('first a second, and none after the first', () => {
    const first = allowed('');
    expect(Math.min(...first)).toBe(at(0));
    expect(Math.max(...first)).toBe(at(1));
  });
  test('after the second, a word: no other second, no command', () => {
    const next = allowed('<0.00>');
    expect(next.has(0)).toBe(true);
    expect([...next].every((token) => token < vocabulary.firstTimestamp)).toBe(true);
    expect(next.has(25)).toBe(false); // never said
    expect(next.has(vocabulary.noTimestamps)).toBe(false);
  });
  test('after a word, a word or a later second', () => {
    const next = allowed('<2.00>ab', 3);
    expect(next.has(3)).toBe(true);
    expect(next.has(at(2))).toBe(false);
    expect(next.has(at(2.02))).toBe(true);
  });
  test('after the second that ends a segment, its double or the end', () => {
    const next = allowed('<0.00>ab<2.00>', vocabulary.endOfText);
    expect(next.has(0)).toBe(false);
    expect(next.has(at(2))).toBe(true);
    expect(next.has(at(1.98))).toBe(false);
    expect(next.has(vocabulary.endOfText)).toBe(true);
  });
  test('where all seconds together are likelier than any word, a second it is', () => {
    expect(allowed('<0.00>ab').has(3)).toBe(false);
  });
});

test('seconds that were said in no order make no segment of negative length', () => {
  const { segments } = segmentsOf(tokensOf('<5.00>a<3.00><3.00>b<9.00>'), vocabulary, 30);
  expect(segments.every(({ startSeconds, endSeconds }) => endSeconds >= startSeconds)).toBe(true);
});

describe('a model’s own files', () => {
  const special = ['<|endoftext|>', '<|startoftranscript|>', '<|fr|>', '<|transcribe|>', '<|notimestamps|>'];
  const tokenizer = {
    model: { vocab: { a: 0, Ġb: 1, Ã: 2, '©': 3 } },
    added_tokens: special.map((content, index) => ({ id: 4 + index, content })),
  };
  const generation = { lang_to_id: { '<|fr|>': 6, '<|xx': 7, '<|zz|>': 999 } };

  test('say its words byte by byte, so that letters in two pieces become one', () => {
    const read = readVocabulary({ vocab_size: 20, suppress_tokens: [1, 99, 'x'] }, generation, tokenizer);
    expect(read.textOf([0, 1, 2, 3, 4, 15])).toBe('a bé');
    expect(read.textOf([0, 2])).toBe('a'); // half a letter
    expect(read.suppressed).toEqual([1]);
    expect([...read.languages]).toEqual([['fr', 6]]);
    expect(read.firstTimestamp).toBe(9);
  });

  test('of another kind are refused', () => {
    for (const config of [{}, null, { vocab_size: 1e9 }, { vocab_size: -1 }])
      expect(() => readVocabulary(config, generation, tokenizer)).toThrow('vocabulary');
    expect(() => readVocabulary({ vocab_size: 20 }, generation, { model: { vocab: {} } })).toThrow('no token');
    expect(() => readVocabulary({ vocab_size: 20 }, generation, {})).toThrow();
  });
});
