import { describe, expect, test } from 'vitest';
import { createRerankPace } from '../../ingest/rerank.ts';
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
    if (asked.length === 0) asked.push(question);
    asked.push(...found);
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

  test('is left when the search is left, between two calls or in one that never ends', async () => {
    const controller = new AbortController();
    const reranker: Reranker = {
      name: 'Watched',
      score: () => {
        queueMicrotask(() => controller.abort());
        return new Promise(() => {});
      },
    };
    const searching = search({ ...scene(), reranker }, 'pump', 3, { signal: controller.signal });
    await expect(searching).rejects.toThrow(/abort/i);
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

describe('a slow reranker', () => {
  const many = Array.from({ length: 40 }, (_, n) => `${'pump '.repeat(40 - n)}${'word '.repeat(n)}x${n} #${n}`);

  /** Manages so many passages, then hangs: the search's own limit ends it. */
  const managing = (numPassages: number): Reranker => {
    let numScored = 0;
    return {
      name: 'Slow',
      async score(_question, texts) {
        numScored += texts.length;
        return numScored <= numPassages ? Float32Array.from(texts, opinionOf) : new Promise(() => {});
      },
    };
  };

  test('is asked about fewer the next time, and orders those', async () => {
    const rerankPace = createRerankPace();
    const parts = { ...scene(many), rerankPace, rerankDeadlineMs: 60 };
    const first = await search({ ...parts, reranker: managing(16) }, 'pump', 40);
    expect(first.reranking).toMatchObject({ type: 'given-up', why: 'slow', numScored: 16 });
    const second = await search({ ...parts, reranker: managing(16) }, 'pump', 40);
    expect(second.reranking).toMatchObject({ type: 'done', numScored: 12 });
    const order = textsOf(second).map(opinionOf);
    expect(order.slice(0, 12)).toEqual([...order.slice(0, 12)].sort((a, b) => b - a));
    expect(textsOf(second).slice(12)).toEqual(textsOf(first).slice(12));
  });

  test('that never manages any is not asked a third time', async () => {
    let numAsked = 0;
    const hanging: Reranker = {
      name: 'Hanging',
      score: () => {
        numAsked += 1;
        return new Promise(() => {});
      },
    };
    const parts = { ...scene(many), rerankPace: createRerankPace(), rerankDeadlineMs: 20 };
    for (let n = 0; n < 4; n++) {
      const found = await search({ ...parts, reranker: hanging }, 'pump', 5);
      expect(found.reranking).toMatchObject({ type: 'given-up', why: 'slow', numScored: 0 });
      expect(found.passages).toHaveLength(5);
    }
    expect(numAsked).toBe(2);
    // Another model begins anew.
    const other = await search({ ...parts, reranker: opinionated() }, 'pump', 5);
    expect(other.reranking).toMatchObject({ type: 'done', numScored: 30 });
  });

  test('is asked about more again when it has become quick', () => {
    const pace = createRerankPace();
    pace.note({ type: 'given-up', model: 'M', why: 'slow', numScored: 8, tookMs: 5000 }, 5000);
    expect(pace.numPassages('M')).toBe(30); // it was another model's
    pace.note({ type: 'given-up', model: 'M', why: 'slow', numScored: 8, tookMs: 5000 }, 5000);
    expect(pace.numPassages('M')).toBe(6);
    pace.note({ type: 'done', model: 'M', numScored: 6, tookMs: 4000 }, 5000);
    expect(pace.numPassages('M')).toBe(6);
    for (const expected of [12, 24, 30]) {
      pace.note({ type: 'done', model: 'M', numScored: 6, tookMs: 500 }, 5000);
      expect(pace.numPassages('M')).toBe(expected);
    }
  });
});

describe('an engine’s reranker', () => {
  test('gives the engine whole pairs with their borders', async () => {
    const asked: { ids: number[][]; firstLengths: number[] }[] = [];
    const engine = {
      info: { contextTokens: 9 },
      rerank: async (sequences: Int32Array[], firstLengths: Int32Array) => {
        asked.push({ ids: sequences.map((ids) => [...ids]), firstLengths: [...firstLengths] });
        return Float32Array.from(sequences, (ids) => ids[1]!);
      },
    } as unknown as Engine;
    const reranker = createReranker(
      engine,
      (first, second, maxTokens) => ({
        ids: Int32Array.of(first.length, Number(second), maxTokens),
        firstLength: Number(second) % 3,
      }),
      'Small',
    );
    expect([...(await reranker.score('what', ['7', '5']))]).toEqual([7, 5]);
    const ids = [
      [4, 7, 9],
      [4, 5, 9],
    ];
    expect(asked).toEqual([{ ids, firstLengths: [1, 2] }]);
  });
});
