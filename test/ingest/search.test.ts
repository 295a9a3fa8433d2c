import path from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { openPassageIndex } from '../../ingest/passage-index.ts';
import { type SearchParts, search } from '../../ingest/search.ts';
import { chunksOf, createProfile, facts, fileSource, openStore } from '../app/store/profile.ts';
import { openAddon } from '../native/open-addon.ts';
import { embedAllByHash, embedByHash } from './hashing-embedder.ts';

const texts = [
  'The capital of France is Paris.',
  'The capital of Spain is Madrid.',
  'Whales are mammals that live in the sea.',
  'A recipe for bread needs flour, water, salt and yeast.',
  'In 2022 the revenue was 5 million.',
  'In 2023 the revenue was 5 million.',
];

function wordParts(store: ReturnType<typeof openStore>): SearchParts & { logged: string[] } {
  const logged: string[] = [];
  return {
    store: store.passages,
    dense: null,
    nowMs: () => performance.now(),
    log: (_level, message) => logged.push(message),
    logged,
  };
}

async function bothParts(profile: string, store: ReturnType<typeof openStore>) {
  const parts = wordParts(store);
  const index = await openPassageIndex({
    native: openAddon(),
    store: store.passages,
    folder: path.join(profile, 'index'),
    embedderId: 'hash',
    dimension: 64,
    log: parts.log,
  });
  onTestFinished(() => index.close());
  return { ...parts, dense: { index, embedText: async (text: string) => embedByHash(text) } };
}

function add(store: ReturnType<typeof openStore>, name: string, added: string[]) {
  const { id } = store.documents.insertQueued(fileSource(name));
  store.passages.replacePassages(
    id,
    chunksOf(added),
    { embedderId: 'hash', vectors: embedAllByHash(added) },
    { ...facts, title: name },
  );
  return id;
}

describe('without an embedder', () => {
  test('the words alone find, with title, place and score', async () => {
    const store = openStore(createProfile());
    const id = add(store, 'a.txt', texts);
    const { passages, timings } = await search(wordParts(store), 'What is the capital of Spain?', 3);
    expect(passages[0]).toMatchObject({
      text: texts[1],
      documentId: id,
      title: 'a.txt',
      locator: { type: 'paragraph', paragraph: 2 },
      similarity: null,
    });
    expect(passages[0]!.wordScore).toBeGreaterThan(0);
    expect(passages.length).toBeLessThanOrEqual(3);
    expect(passages.map(({ score }) => score)).toEqual(passages.map(({ score }) => score).sort((a, b) => b - a));
    expect(timings.embedMs).toBe(0);
    expect(timings.searchMs).toBeGreaterThan(0);
  });

  test('a question without words, or without a match, finds nothing', async () => {
    const store = openStore(createProfile());
    add(store, 'a.txt', texts);
    for (const question of ['?', '"', 'zebra', '\0', '👍'])
      expect((await search(wordParts(store), question, 5)).passages).toEqual([]);
  });

  test('the same words twice are one passage; texts that differ in a number are two', async () => {
    const store = openStore(createProfile());
    add(store, 'a.txt', texts);
    add(
      store,
      'copy.txt',
      texts.map((text) => `  ${text.toUpperCase()}\n`),
    );
    const { passages } = await search(wordParts(store), 'revenue million', 10);
    expect(passages.map(({ text }) => text.trim().toLowerCase()).sort()).toEqual(
      texts.slice(4).map((text) => text.toLowerCase()),
    );
  });

  test('a removed document, and one that is being read again, are not found', async () => {
    const store = openStore(createProfile());
    const id = add(store, 'a.txt', texts);
    store.documents.setState(id, 'reading');
    expect((await search(wordParts(store), 'capital', 5)).passages).toEqual([]);
    store.documents.setState(id, 'ready');
    expect((await search(wordParts(store), 'capital', 5)).passages).toHaveLength(2);
    store.documents.remove(id);
    expect((await search(wordParts(store), 'capital', 5)).passages).toEqual([]);
  });
});

describe('with an embedder', () => {
  test('a passage found both ways comes before those found one way', async () => {
    const profile = createProfile();
    const store = openStore(profile);
    add(store, 'a.txt', texts);
    const { passages } = await search(await bothParts(profile, store), 'whales that live in the sea', 6);
    expect(passages[0]!.text).toBe(texts[2]);
    expect(passages[0]!.similarity).toBeGreaterThan(0.5);
    expect(passages[0]!.wordScore).toBeGreaterThan(0);
    expect(passages).toHaveLength(6); // by meaning, everything is somewhere
  });

  test('in English prose meaning outweighs wording; in tables and in other languages the wording holds', async () => {
    const meant = 'The ferry that was lost in the storm of the last winter is on the ground of the sea.';
    const worded = 'The ship was sunk when the harbour of the town was rebuilt.';
    const first = async (added: string[], question: string, nearTo: string): Promise<string> => {
      const profile = createProfile();
      const store = openStore(profile);
      add(store, 'a.txt', added);
      const parts = await bothParts(profile, store);
      // As near to the one as it can be while it is not near to the other.
      const [near, far] = [embedByHash(nearTo), embedByHash(added[0]!)];
      const shared = near.reduce((sum, value, at) => sum + value * far[at]!, 0);
      const apart = near.map((value, at) => value - shared * far[at]!);
      const length = Math.hypot(...apart);
      const embedText = async () => apart.map((value) => value / length);
      return (await search({ ...parts, dense: { ...parts.dense, embedText } }, question, 3)).passages[0]!.text;
    };
    const prose = [worded, meant, 'The mill of the town is by the river, and it is for sale.'];
    expect(await first(prose, 'When was the ship sunk when the harbour was rebuilt?', meant)).toBe(meant);
    const rows = prose.map((text) => text.replace(' of the ', ' of the year | the '));
    expect(await first(rows, 'When was the ship sunk when the harbour was rebuilt?', rows[1]!)).toBe(rows[0]);
    const german = [
      'Das Schiff wurde versenkt, als der Hafen umgebaut wurde.',
      'Die Fähre liegt seit dem Sturm auf dem Grund.',
      'Die Mühle steht am Fluss.',
    ];
    expect(await first(german, 'Wann wurde das Schiff versenkt, als der Hafen umgebaut wurde?', german[1]!)).toBe(
      german[0],
    );
  });

  test('an embedder to which everything is equally near does not spoil what the words find', async () => {
    const profile = createProfile();
    const store = openStore(profile);
    const { id } = store.documents.insertQueued(fileSource('a.txt'));
    const same = embedByHash('whatever');
    const vectors = Float32Array.from(texts.flatMap(() => [...same]));
    store.passages.replacePassages(id, chunksOf(texts), { embedderId: 'hash', vectors }, facts);
    const parts = await bothParts(profile, store);
    const embedText = async () => same;
    const { passages } = await search({ ...parts, dense: { ...parts.dense, embedText } }, 'bread with yeast', 6);
    expect(passages[0]!.text).toBe(texts[3]);
  });

  test('a passage that no word finds is found by its meaning', async () => {
    const profile = createProfile();
    const store = openStore(profile);
    add(store, 'a.txt', texts);
    const parts = await bothParts(profile, store);
    // Stands for a synonym: the words of the question are in no passage, its vector is that of the recipe.
    const embedText = async () => embedByHash(texts[3]!);
    const { passages } = await search({ ...parts, dense: { ...parts.dense, embedText } }, 'loaf baking', 3);
    expect(passages[0]).toMatchObject({ text: texts[3], wordScore: null });
  });

  test('what the index still holds and the store does not is not found', async () => {
    const profile = createProfile();
    const store = openStore(profile);
    const id = add(store, 'a.txt', texts);
    const kept = add(store, 'b.txt', ['Whales sing.']);
    const parts = await bothParts(profile, store);
    store.documents.remove(id); // and the index is not told
    expect(await parts.dense.index.numVectors()).toBe(7);
    const { passages } = await search(parts, 'whales that live in the sea', 6);
    expect(passages.map(({ documentId }) => documentId)).toEqual([kept]);
  });

  test('if embedding fails, the words answer and the log says why', async () => {
    const profile = createProfile();
    const store = openStore(profile);
    add(store, 'a.txt', texts);
    const parts = await bothParts(profile, store);
    const embedText = () => Promise.reject(Object.assign(new Error('gone'), { code: 'engine-died' }));
    const { passages } = await search({ ...parts, dense: { ...parts.dense, embedText } }, 'capital of Spain', 3);
    expect(passages[0]!.text).toBe(texts[1]);
    expect(parts.logged.join()).toMatch(/words alone/);
  });
});
