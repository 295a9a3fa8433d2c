import { describe, expect, test } from 'vitest';
import { createReranker, type Reranker } from '../../ingest/reranker.ts';
import { type SearchParts, search } from '../../ingest/search.ts';
import type { Engine } from '../../native/index.ts';
import { chunksOf, createProfile, facts, fileSource, openStore } from '../app/store/profile.ts';

/** The more often a text says "pump", the better its words fit; the number after # is what the reranker thinks of it. */
const texts = ['pump pump pump #1', 'pump pump one #3', 'pump two three #2', 'four five six #9'];

function scene(added: string[] = texts): SearchParts & { logged: string[]; gone(text: string): void } {
  const store = openStore(createProfile());
  const logged: string[] = [];
  const ids = new Map<string, number>();
  for (const text of added) {
    const { id } = store.documents.insertQueued(fileSource(`${ids.size}.txt`));
    const { addedIds } = store.passages.replacePassages(id, chunksOf([text]), null, facts);
    ids.set(text, addedIds[0]!);
  }
  const hidden = new Set<number>();
  return {
    store: {
      ...store.passages,
      passages: (wanted) => store.passages.passages(wanted.filter((id) => !hidden.has(id))),
    },
    dense: null,
    nowMs: () => performance.now(),
    log: (_level, message) => logged.push(message),
    logged,
    gone: (text) => hidden.add(ids.get(text)!),
  };
}

const opinionOf = (text: string): number => Number(text.split('#')[1]);
const opinionated = (asked: string[] = []): Reranker => ({
  name: 'Opinionated',
  async score(question, found) {
    asked.push(question, ...found);
    return Float32Array.from(found, opinionOf);
  },
});
const neverDone: Reranker = { name: 'Slow', score: () => new Promise(() => {}) };
const byWords = texts.slice(0, 3);
const textsOf = (found: { passages: { text: string }[] }) => found.passages.map(({ text }) => text);

describe('a reranker', () => {
  test('puts the passages that were found in its order, and its scores stay with them', async () => {
    const asked: string[] = [];
    const found = await search({ ...scene(), reranker: opinionated(asked) }, 'pump', 3);
    expect(textsOf(found)).toEqual(['pump pump one #3', 'pump two three #2', 'pump pump pump #1']);
    expect(found.passages.map(({ rerankScore }) => rerankScore)).toEqual([3, 2, 1]);
    expect(asked).toEqual(['pump', ...byWords]);
    expect(found.reranking).toMatchObject({ type: 'done', model: 'Opinionated', numScored: 3 });
    // The fused scores are those of before.
    expect(found.passages[2]!.score).toBeGreaterThan(found.passages[0]!.score);
  });

  test('brings up what the limit would have cut', async () => {
    const found = await search({ ...scene(), reranker: opinionated() }, 'pump', 1);
    expect(textsOf(found)).toEqual(['pump pump one #3']);
  });

  test('is asked about the best thirty alone; those after them follow in their order', async () => {
    const many = Array.from({ length: 40 }, (_, n) => `${'pump '.repeat(40 - n)}${'word '.repeat(n)}x${n} #${n}`);
    const parts = scene(many);
    const fused = textsOf(await search(parts, 'pump', 40));
    const asked: string[] = [];
    const found = textsOf(await search({ ...parts, reranker: opinionated(asked) }, 'pump', 40));
    expect(asked.slice(1)).toEqual(fused.slice(0, 30));
    expect(found.slice(0, 30)).toEqual(fused.slice(0, 30).sort((a, b) => opinionOf(b) - opinionOf(a)));
    expect(found.slice(30)).toEqual(fused.slice(30));
  });

  test('that is not done in time changes nothing, and that is said', async () => {
    const parts = scene();
    const found = await search({ ...parts, reranker: neverDone, rerankDeadlineMs: 20 }, 'pump', 3);
    expect(textsOf(found)).toEqual(byWords);
    expect(found.reranking).toMatchObject({ type: 'given-up', model: 'Slow', why: 'slow' });
    expect(found.passages.map(({ rerankScore }) => rerankScore)).toEqual([null, null, null]);
    expect(parts.logged).toEqual(['the passages stay in their first order']);
  });

  test.each([
    ['fails', async () => Promise.reject(new Error('no engine'))],
    ['gives no numbers', async () => Float32Array.of(1, Number.NaN, 2)],
    ['gives too few', async () => Float32Array.of(1, 2)],
  ])('that %s changes nothing, and that is said', async (_, score) => {
    const failing: Reranker = { name: 'Failing', score };
    const found = await search({ ...scene(), reranker: failing }, 'pump', 3);
    expect(textsOf(found)).toEqual(byWords);
    expect(found.reranking).toMatchObject({ type: 'given-up', why: 'failed' });
  });

  test('is left when the search is left', async () => {
    const controller = new AbortController();
    let told: AbortSignal | undefined;
    const reranker: Reranker = {
      name: 'Watched',
      score: (_question, _texts, signal) => {
        told = signal;
        queueMicrotask(() => controller.abort());
        return new Promise(() => {});
      },
    };
    const searching = search({ ...scene(), reranker }, 'pump', 3, { signal: controller.signal });
    await expect(searching).rejects.toThrow(/abort/i);
    expect(told?.aborted).toBe(true);
  });

  test('has nothing to say where nothing was found', async () => {
    const found = await search({ ...scene(), reranker: neverDone }, 'giraffe', 3);
    expect(found).toMatchObject({ passages: [], candidates: [], reranking: { type: 'none' } });
  });
});

describe('an explained search', () => {
  test('names every candidate with its scores and what became of it', async () => {
    const parts = scene([...texts, 'Pump pump  pump #1', 'pump eight nine #5']);
    parts.gone('pump two three #2');
    const found = await search({ ...parts, reranker: opinionated() }, 'pump', 2, { explain: true });
    const fates = found.candidates.map(({ passage, outcome, rerankScore }) => [passage?.text, outcome, rerankScore]);
    expect(fates).toEqual([
      ['pump eight nine #5', 'found', 5],
      ['pump pump one #3', 'found', 3],
      ['pump pump pump #1', 'past-limit', 1],
      ['Pump pump  pump #1', 'repeats', null],
      [undefined, 'gone', null],
    ]);
    for (const { wordScore, similarity, score } of found.candidates) {
      expect(wordScore).toBeGreaterThan(0);
      expect(similarity).toBeNull();
      expect(score).toBeGreaterThan(0);
    }
  });

  test('finds the same passages as one that is not', async () => {
    const many = Array.from({ length: 60 }, (_, n) => `${'pump '.repeat(1 + (n % 7))}word${n % 50} #${n % 50}`);
    const parts = scene(many);
    for (const reranker of [null, opinionated()])
      for (const limit of [1, 5, 33]) {
        const plain = await search({ ...parts, reranker }, 'pump', limit);
        const explained = await search({ ...parts, reranker }, 'pump', limit, { explain: true });
        expect(explained.passages).toEqual(plain.passages);
        expect(explained.candidates.length).toBeGreaterThanOrEqual(plain.candidates.length);
      }
  });
});

describe('an engine’s reranker', () => {
  test('gives the engine whole pairs, a few at a time, and stops between them', async () => {
    const asked: { ids: number[][]; firstLengths: number[] }[] = [];
    const controller = new AbortController();
    const engine = {
      info: { contextTokens: 9 },
      rerank: async (sequences: Int32Array[], firstLengths: Int32Array) => {
        asked.push({ ids: sequences.map((ids) => [...ids]), firstLengths: [...firstLengths] });
        if (asked.length === 4) controller.abort();
        return Float32Array.from(sequences, (ids) => ids[1]!);
      },
    } as unknown as Engine;
    const reranker = createReranker(
      engine,
      (first, second, maxTokens) => ({ ids: Int32Array.of(first.length, Number(second), maxTokens), firstLength: 1 }),
      'Small',
    );
    const numbers = Array.from({ length: 10 }, (_, n) => String(n));
    const scores = await reranker.score('what', numbers, controller.signal);
    expect([...scores]).toEqual(numbers.map(Number));
    expect(asked.flatMap(({ ids }) => ids)).toEqual(numbers.map((number) => [4, Number(number), 9]));
    expect(asked.every(({ ids, firstLengths }) => ids.length === firstLengths.length)).toBe(true);
    expect(Math.max(...asked.map(({ ids }) => ids.length))).toBeLessThan(numbers.length);
    await expect(reranker.score('what', numbers, controller.signal)).rejects.toThrow(/abort/i);
    expect(asked).toHaveLength(4);
  });
});
