import { describe, expect, it } from 'vitest';
import { type AskParts, ask } from '../../../app/chats/ask.ts';
import { doubts } from '../../../app/chats/calibrations.ts';
import { doubtOddsOf, isDoubtful, type Weighing } from '../../../app/chats/doubt.ts';
import { doubtSignsOf, sentencesToWeigh } from '../../../app/chats/doubt-signs.ts';
import { contentWords } from '../../../app/chats/sentences.ts';
import type { AskEvent } from '../../../app/contract/contract.ts';
import type { Answer, Turn } from '../../../app/contract/types.ts';
import { settings } from '../../../app/contract/types.ts';
import { passageOf } from './fixtures.ts';

const minilm = 'all-minilm-l6-v2';

/** As many dimensions as words: texts with the same words are near. */
const dimension = 256;
function vectorOf(text: string): Float32Array {
  const vector = new Float32Array(dimension);
  for (const { stem } of contentWords(text))
    vector[Array.from(stem).reduce((hash, letter) => (hash * 31 + letter.codePointAt(0)!) % dimension, 7)]! += 1;
  const length = Math.hypot(...vector) || 1;
  return vector.map((value) => value / length);
}

function embedderOf(id: string): Weighing & { asked: string[] } {
  const asked: string[] = [];
  return {
    id,
    dimension,
    asked,
    async embed(texts, signal) {
      signal?.throwIfAborted();
      asked.push(...texts);
      const block = new Float32Array(texts.length * dimension);
      for (const [at, text] of texts.entries()) block.set(vectorOf(text), at * dimension);
      return block;
    },
  };
}

const found = [
  {
    text:
      'The Velvet Revolution took place in Czechoslovakia. In the Rose Revolution of 2003 the people of Georgia turned against ' +
      'their government. The Orange Revolution of 2004 was in Ukraine.',
  },
  { text: 'The Singing Revolution brought independence to the Baltic countries. It was peaceful.' },
];

const signsFor = (question: string, passages: readonly { text: string }[] = found) => {
  const asked = vectorOf(question);
  const weighed = sentencesToWeigh(passages).map((one) => ({
    ...one,
    similarity: vectorOf(one.text).reduce((sum, value, at) => sum + value * asked[at]!, 0),
  }));
  return doubtSignsOf(question, passages, weighed);
};

describe('the signs that passages do not answer', () => {
  it('are few where they do', () => {
    expect(signsFor('In which country was the Orange Revolution of 2004?')).toMatchObject({
      namesNowhere: 0,
      numbersMissing: 0,
      hasCandidate: 1,
      notOnlyAsked: 0,
      opposite: 0,
      undone: 0,
    });
  });

  it('tell a year that belongs to something else', () => {
    expect(signsFor('In which country was the Rose Revolution of 2004?').numbersMissing).toBe(1);
  });

  it('tell a name that the passage does not have', () => {
    expect(signsFor('Which people of Georgia joined the Purple Revolution?').namesNowhere).toBeCloseTo(1 / 3);
  });

  it('tell a denial that only the question has, not one that stands beside the sentence too', () => {
    expect(signsFor('Which country did not have the Orange Revolution?').notOnlyAsked).toBe(1);
    const denied = [
      { text: 'The Orange Revolution came in 2004. It did not reach Belarus. Many people hoped for it there.' },
    ];
    expect(signsFor('Which country did the Orange Revolution of 2004 not reach?', denied).notOnlyAsked).toBe(0);
  });

  it('tell an opposite, and a word with its "un-" on one side only', () => {
    const passages = [
      { text: 'The northern towns were lawful and grew rich, because the taxes on wool had been lowered by the king.' },
    ];
    expect(signsFor('Which southern towns grew rich by wool?', passages).opposite).toBe(1);
    expect(signsFor('Which towns were unlawful and grew rich?', passages).undone).toBe(1);
    expect(signsFor('Which northern towns were lawful?', passages)).toMatchObject({ opposite: 0, undone: 0 });
  });

  it('look for a thing of the kind that is asked for', () => {
    const passages = [{ text: 'The bridge was opened with a parade, and the whole town danced until the morning.' }];
    expect(signsFor('When was the bridge opened?', passages).hasCandidate).toBe(0);
    expect(signsFor('Who opened the bridge with a parade?', passages).hasCandidate).toBe(0);
    expect(signsFor('How many people danced at the bridge?', passages).hasCandidate).toBe(0);
    expect(signsFor('What did the town do when the bridge was opened?', passages).hasCandidate).toBe(1);
  });

  it('come of the first passages only, and of no more than 20 sentences', () => {
    const long = Array.from({ length: 9 }, (_, n) => ({ text: `It rained on day ${n}. `.repeat(30) }));
    const sentences = sentencesToWeigh(long);
    expect(sentences).toHaveLength(20);
    expect(Math.max(...sentencesToWeigh(long.map(() => ({ text: 'It rained.' }))).map(({ place }) => place))).toBe(2);
  });
});

describe('whether the passages may not answer', () => {
  it('was learned so that each sign counts as it should', () => {
    const { weights, least } = doubts[minilm]!;
    expect(weights.sentence).toBeGreaterThan(0);
    expect(weights.hasCandidate).toBeGreaterThan(0);
    for (const name of ['namesNowhere', 'numbersMissing', 'notOnlyAsked', 'opposite', 'undone'] as const)
      expect(weights[name], name).toBeLessThan(0);
    const signs = signsFor('In which country was the Orange Revolution of 2004?');
    expect(doubtOddsOf(doubts[minilm]!, signs)).toBeGreaterThan(least);
    expect(doubtOddsOf(doubts[minilm]!, { ...signs, notOnlyAsked: 1, numbersMissing: 1, opposite: 1 })).toBeLessThan(
      least,
    );
  });

  it('is said of what is turned round, not of what is there', async () => {
    const embedder = embedderOf(`${minilm}@0123456789abcdef`);
    const asked = 'In which country was the Orange Revolution of 2004?';
    expect(await isDoubtful(asked, found, embedder)).toBe(false);
    expect(await isDoubtful('Which country of 1989 never had the Orange Revolution of 1991?', found, embedder)).toBe(
      true,
    );
    expect(embedder.asked).toContain('The Orange Revolution of 2004 was in Ukraine.');
  });

  it('is never said in other languages, by an embedder that was not measured, or of nothing; and embeds nothing then', async () => {
    const measured = embedderOf(minilm);
    const german = [{ text: 'Die Brücke wurde von dem Fürsten gebaut und ist lang. Sie steht über dem Fluss.' }];
    expect(await isDoubtful('Wann wurde die Burg nicht gebaut?', german, measured)).toBe(false);
    expect(await isDoubtful('2003年に起きたのは何ですか？', found, measured)).toBe(false);
    expect(await isDoubtful('Which country never had it?', [], measured)).toBe(false);
    const another = embedderOf('another-embedder@0');
    expect(await isDoubtful('Which country never had the Orange Revolution of 1991?', found, another)).toBe(false);
    expect(await isDoubtful('Which country never had the Orange Revolution of 1991?', found, null)).toBe(false);
    expect([...measured.asked, ...another.asked]).toEqual([]);
  });

  it('stops when the signal says so', async () => {
    await expect(
      isDoubtful('Which country never had it?', found, embedderOf(minilm), AbortSignal.abort()),
    ).rejects.toThrow();
  });
});

/** An answer of quotes alone about the revolutions, as `ask` gives it. */
async function answerTo(question: string, embedder: AskParts['embedder'], logged: string[] = []): Promise<Answer> {
  const turns: Turn[] = [];
  const passages = found.map(({ text }, at) => ({
    ...passageOf(at + 1, text),
    heading: null,
    locator: { type: 'page' as const, page: at + 1 },
    boxes: [],
    similarity: 0.8 - at / 4,
    wordScore: 9 - 4 * at,
    rerankScore: null,
  }));
  const parts: AskParts = {
    search: async () => ({
      passages: passages as never,
      candidates: [],
      reranking: { type: 'none' },
      embedderId: minilm,
      timings: { embedMs: 0, searchMs: 0 },
    }),
    foundFor: () => ({ passages: [], embedderId: null }),
    chatModel: async () => null,
    noteFailure: () => false,
    chats: {
      create: () => 'chat_0000000000000000' as never,
      addTurn(_chat, asked) {
        turns.push({
          id: 'turn_0000000000000000' as never,
          question: asked,
          answer: null,
          askedAtMs: 0,
          siblings: [],
          numFound: 0,
        });
        return turns[0]!.id;
      },
      read: () => ({
        chat: { id: 'chat_0000000000000000' as never, title: '', numTurns: 1, updatedAtMs: 0 },
        turns,
        numBefore: 0,
      }),
      saveAnswer: () => undefined,
    },
    readPassages: (ids) => passages.filter(({ passageId }) => ids.includes(passageId)),
    counts: () => ({ numDocuments: 2, numPassages: 2 }),
    settings: () => settings.parse({}),
    ...(embedder ? { embedder } : {}),
    memory: { lastShown: [] },
    nowMs: () => 0,
    log: (_level, message) => void logged.push(message),
  };
  let last: AskEvent | undefined;
  for await (const event of ask({ question, chatId: null }, parts, new AbortController().signal)) last = event;
  if (last?.type !== 'answer') throw new Error('the ask did not come to its end');
  return last.answer;
}

describe('an answer', () => {
  const turned = 'In which country of 1989 was never the Orange Revolution of 2004?';

  it('is given with the remark where its passages may not say what was asked, and without where they do', async () => {
    const embedder = async () => embedderOf(minilm);
    expect(await answerTo(turned, embedder)).toMatchObject({ doubtful: true, refused: false });
    const plain = await answerTo('In which country was the Orange Revolution of 2004?', embedder);
    expect(plain.refused).toBe(false);
    expect(plain).not.toHaveProperty('doubtful');
  });

  it('is given without the remark where nobody can tell, or the telling fails', async () => {
    expect(await answerTo(turned, undefined)).not.toHaveProperty('doubtful');
    const logged: string[] = [];
    const failing = async () => ({
      ...embedderOf(minilm),
      embed: async () => {
        throw new Error('the engine is gone');
      },
    });
    const answer = await answerTo(turned, failing, logged);
    expect(answer).not.toHaveProperty('doubtful');
    expect(answer.citations.length).toBeGreaterThan(0);
    expect(logged.join()).toContain('cannot be told');
  });
});
