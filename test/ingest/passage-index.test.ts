import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { openPassageIndex } from '../../ingest/passage-index.ts';
import type { PassageStore } from '../../ingest/store.ts';
import type { Native, VectorIndex } from '../../native/index.ts';
import { chunksOf, createProfile, facts, fileSource, openStore } from '../app/store/profile.ts';
import { addonFile, openAddon } from '../native/open-addon.ts';
import { embedAllByHash, embedByHash } from './hashing-embedder.ts';

const dimension = 64;
const embedderId = 'hash';

/** The real index over a real store, and what it logged. */
async function openIndex(
  profile: string,
  store: PassageStore,
  native: Pick<Native, 'openVectorIndex'> = openAddon(),
  width = dimension,
) {
  const logged: string[] = [];
  const index = await openPassageIndex({
    native,
    store,
    folder: path.join(profile, 'index'),
    embedderId,
    dimension: width,
    log: (_level, message) => logged.push(message),
  });
  onTestFinished(() => index.close());
  return { ...index, logged };
}

type Store = ReturnType<typeof openStore>;

function addDocument(store: Store, name: string, texts: string[], embedded = true) {
  const { id } = store.documents.insertQueued(fileSource(name));
  const vectors = embedded ? { embedderId, vectors: embedAllByHash(texts) } : null;
  return { id, texts, ...store.passages.replacePassages(id, chunksOf(texts), vectors, facts) };
}

const textsOf = (name: string, count: number) => Array.from({ length: count }, (_, i) => `${name} number${i} of many`);

/** Every passage is its own nearest, and nothing else is in the index. */
async function expectHolds(index: Awaited<ReturnType<typeof openIndex>>, store: Store) {
  const stored = store.passages.vectorsAfter(embedderId, 0, 100_000);
  expect(await index.numVectors()).toBe(stored.length);
  for (const { passageId, vector } of stored.filter((_, i) => i % 7 === 0)) {
    const [best] = await index.search(Float32Array.from(vector), 1);
    expect(best).toMatchObject({ passageId });
    expect(best!.score).toBeCloseTo(1, 2);
  }
}

/** A profile with 60 passages in a written generation, closed; `afterwards` works on the store only. */
async function createIndexedProfile(afterwards: (store: Store) => void = () => {}) {
  const profile = createProfile();
  const store = openStore(profile);
  addDocument(store, 'a.txt', textsOf('a', 40));
  addDocument(store, 'b.txt', textsOf('b', 20));
  const index = await openIndex(profile, store.passages);
  await index.add([], new Float32Array(0));
  await index.close();
  afterwards(store);
  store.database.close();
  return profile;
}

const generationFiles = (profile: string) =>
  fs.readdirSync(path.join(profile, 'index')).map((name) => path.join(profile, 'index', name));

describe('passage index', () => {
  test('it is built from the store, written at the close, and read back at the next opening', async () => {
    const profile = await createIndexedProfile();
    expect(generationFiles(profile)).toHaveLength(1);
    const store = openStore(profile);
    expect(store.passages.generation()).toMatchObject({ numVectors: 60, lastPassageId: 60, dimension, embedderId });
    const opened: (string | undefined)[] = [];
    const native: Pick<Native, 'openVectorIndex'> = {
      openVectorIndex(options) {
        opened.push(options.saved?.file);
        return openAddon().openVectorIndex(options);
      },
    };
    const index = await openIndex(profile, store.passages, native);
    expect(opened).toEqual(generationFiles(profile));
    expect(index.logged).toEqual([]);
    await expectHolds(index, store);
  });

  test('what was added, removed, or embedded late since the generation is made up for', async () => {
    const profile = await createIndexedProfile((store) => {
      addDocument(store, 'c.txt', textsOf('c', 15));
      store.documents.remove(store.documents.findByLocation(fileSource('b.txt').path)!.id);
      addDocument(store, 'a.txt', textsOf('a again', 9));
    });
    const store = openStore(profile);
    const index = await openIndex(profile, store.passages);
    await expectHolds(index, store);
    expect(await index.numVectors()).toBe(24);
  });

  test('passages that got their vectors after later ones are in the index after an opening', async () => {
    const profile = createProfile();
    const store = openStore(profile);
    const late = addDocument(store, 'late.txt', textsOf('late', 10), false);
    addDocument(store, 'early.txt', textsOf('early', 10));
    const first = await openIndex(profile, store.passages);
    await first.close();
    expect(store.passages.generation()).toMatchObject({ numVectors: 10 });
    store.passages.addVectors(embedderId, late.addedIds, embedAllByHash(late.texts));
    await expectHolds(await openIndex(profile, store.passages), store);
  });

  test('additions and removals are found at once', async () => {
    const profile = createProfile();
    const store = openStore(profile);
    const index = await openIndex(profile, store.passages);
    expect(await index.search(embedByHash('anything'), 5)).toEqual([]);
    const { id, addedIds } = addDocument(store, 'a.txt', ['the red fox', 'a blue whale']);
    await index.add(addedIds, embedAllByHash(['the red fox', 'a blue whale']));
    expect((await index.search(embedByHash('blue whale'), 2)).map(({ passageId }) => passageId)).toEqual([
      addedIds[1],
      addedIds[0],
    ]);
    await index.remove(store.documents.remove(id).removedIds);
    expect(await index.search(embedByHash('blue whale'), 2)).toEqual([]);
  });

  test('a search within ranges of ids finds the nearest of these and no others', async () => {
    const profile = createProfile();
    const store = openStore(profile);
    const [a, b, c] = ['a', 'b', 'c'].map((name) => addDocument(store, `${name}.txt`, textsOf(name, 30)));
    const index = await openIndex(profile, store.passages);
    const within = Float64Array.of(a!.addedIds[0]!, a!.addedIds[29]!, c!.addedIds[0]!, c!.addedIds[29]!);
    const found = await index.search(embedByHash(b!.texts[7]!), 40, within);
    expect(found).toHaveLength(40);
    const allowed = new Set([...a!.addedIds, ...c!.addedIds]);
    expect(found.every(({ passageId }) => allowed.has(passageId))).toBe(true);
    const [best] = await index.search(embedByHash(c!.texts[7]!), 1, within);
    expect(best?.passageId).toBe(c!.addedIds[7]);
    expect(await index.search(embedByHash('a'), 5, new Float64Array(0))).toEqual([]);
  });

  test('after many changes a new generation is written, and the old file is gone', async () => {
    const profile = createProfile();
    const store = openStore(profile);
    const index = await openIndex(profile, store.passages);
    const files = new Set<string>();
    for (let round = 0; round < 3; round++) {
      const texts = textsOf(`round${round}`, 1001);
      const { addedIds } = addDocument(store, `${round}.txt`, texts);
      await index.add(addedIds, embedAllByHash(texts));
      expect(store.passages.generation()).toMatchObject({ numVectors: 1001 * (round + 1) });
      const [file, ...others] = generationFiles(profile);
      expect(others).toEqual([]);
      files.add(file!);
    }
    expect(files.size).toBe(3);
    await expectHolds(index, store);
  });

  test('searches during changes and writings see every passage that was there all the time', async () => {
    const profile = createProfile();
    const store = openStore(profile);
    const steady = addDocument(store, 'steady.txt', textsOf('steady', 50));
    const index = await openIndex(profile, store.passages);
    let numSearches = 0;
    let changing = true;
    const searching = (async () => {
      while (changing) {
        const place = numSearches % 50;
        const [best] = await index.search(embedByHash(steady.texts[place]!), 1);
        expect(best?.passageId).toBe(steady.addedIds[place]);
        numSearches += 1;
      }
    })();
    for (let round = 0; round < 6; round++) {
      const texts = textsOf(`other${round}`, 1100);
      const { addedIds, removedIds } = addDocument(store, 'changing.txt', texts);
      await Promise.all([index.remove(removedIds), index.add(addedIds, embedAllByHash(texts))]);
    }
    changing = false;
    await searching;
    expect(numSearches).toBeGreaterThan(10);
    await expectHolds(index, store);
  });

  const faults: Record<string, (file: string, profile: string) => void> = {
    'has one byte changed in its header': (file) => flip(file, 13),
    'has one byte changed in its middle': (file) => flip(file, 3000),
    'is cut': (file) => fs.truncateSync(file, fs.statSync(file).size - 1),
    'is empty': (file) => fs.truncateSync(file, 0),
    'is gone': (file) => fs.rmSync(file),
    'is longer': (file) => fs.appendFileSync(file, 'x'),
    'is a folder': (file) => {
      fs.rmSync(file);
      fs.mkdirSync(file);
    },
    'is another, valid one': (file) => {
      const bytes = fs.readFileSync(otherGeneration);
      fs.writeFileSync(file, bytes);
    },
    'lies in a row that leads out of the folder': (file, profile) => {
      fs.renameSync(file, path.join(profile, 'vectors.index'));
      const { database } = openStore(profile);
      database.sqlite.prepare("UPDATE index_generation SET file = '../vectors.index'").run();
      database.close();
    },
  };
  let otherGeneration = '';

  function flip(file: string, place: number): void {
    const bytes = fs.readFileSync(file);
    bytes[place]! ^= 1;
    fs.writeFileSync(file, bytes);
  }

  test.each(Object.keys(faults))('a generation that %s is never loaded: the index is built anew', async (name) => {
    // The same size, other vectors.
    const other = await createIndexedProfile((store) => store.database.sqlite.exec('DELETE FROM vectors'));
    otherGeneration = generationFiles(other)[0]!;
    fs.copyFileSync(otherGeneration, `${otherGeneration}.kept`);
    otherGeneration += '.kept';
    const bytes = fs.readFileSync(otherGeneration);
    bytes.fill(0x11, 64 + 60 * 8);
    fs.writeFileSync(otherGeneration, bytes);

    const profile = await createIndexedProfile();
    faults[name]!(generationFiles(profile)[0]!, profile);
    const store = openStore(profile);
    const index = await openIndex(profile, store.passages);
    expect(index.logged.join()).toMatch(/building it anew/);
    await expectHolds(index, store);
    await index.close();
    const reopened = await openIndex(profile, store.passages);
    await expectHolds(reopened, store);
    expect(reopened.logged).toEqual([]);
  });

  test('an index of another embedder or another length of vectors is not used', async () => {
    const profile = await createIndexedProfile();
    const store = openStore(profile);
    const wider = await openIndex(profile, store.passages, openAddon(), dimension * 2);
    expect(await wider.numVectors()).toBe(0);
    expect(wider.logged.join()).toMatch(/wrong length/);
  });

  test('when the process of the engine dies, the index is opened anew and the call is made again', async () => {
    const profile = createProfile();
    const store = openStore(profile);
    const { addedIds, texts } = addDocument(store, 'a.txt', textsOf('a', 30));
    const engine = mortalNative();
    const index = await openIndex(profile, store.passages, engine.native);
    engine.die();
    expect((await index.search(embedByHash(texts[3]!), 1))[0]?.passageId).toBe(addedIds[3]);
    const more = addDocument(store, 'b.txt', textsOf('b', 5));
    engine.die();
    await index.add(more.addedIds, embedAllByHash(more.texts));
    await expectHolds(index, store);
    engine.die();
    const removed = store.documents.remove(more.id).removedIds;
    await Promise.all([index.remove(removed), ...texts.map((text) => index.search(embedByHash(text), 1))]);
    await expectHolds(index, store);
    expect(engine.numOpened()).toBe(4);
    engine.die();
    await index.close();
    await expect(index.search(embedByHash('a'), 1)).rejects.toMatchObject({ code: 'closed' });
  });

  test('an engine that stays dead is an error for the caller, and works again once it lives', async () => {
    const profile = createProfile();
    const store = openStore(profile);
    const { addedIds, texts } = addDocument(store, 'a.txt', textsOf('a', 3));
    const engine = mortalNative();
    const index = await openIndex(profile, store.passages, engine.native);
    engine.die();
    engine.refuse(true);
    await expect(index.search(embedByHash('a'), 1)).rejects.toMatchObject({ code: 'engine-died' });
    await expect(index.add([9], embedByHash('x'))).rejects.toMatchObject({ code: 'engine-died' });
    engine.refuse(false);
    expect((await index.search(embedByHash(texts[1]!), 1))[0]?.passageId).toBe(addedIds[1]);
  });

  test('a folder that cannot be written costs the generation and nothing else', async () => {
    const profile = createProfile();
    const store = openStore(profile);
    const { addedIds, texts } = addDocument(store, 'a.txt', textsOf('a', 30));
    const index = await openIndex(profile, store.passages);
    fs.rmSync(path.join(profile, 'index'), { recursive: true });
    fs.writeFileSync(path.join(profile, 'index'), 'a file in the way');
    await index.remove([]);
    expect((await index.search(embedByHash(texts[3]!), 1))[0]?.passageId).toBe(addedIds[3]);
    await index.close();
    expect(index.logged.join()).toMatch(/could not be written/);
  });

  test('what an end before the removal of old generations has left goes at the next opening', async () => {
    const profile = await createIndexedProfile();
    const [inUse] = generationFiles(profile);
    fs.copyFileSync(inUse!, path.join(profile, 'index', `vectors-${'0'.repeat(32)}.index`));
    fs.writeFileSync(path.join(profile, 'index', 'vectors.index.tmp'), 'half of one');
    const store = openStore(profile);
    const index = await openIndex(profile, store.passages);
    expect(generationFiles(profile)).toEqual([inUse]);
    await index.close();
    store.database.close();
  });

  test('a process that is killed while it writes generations leaves an index that is right', async () => {
    const profile = createProfile();
    const script = path.join(import.meta.dirname, 'index-until-killed.ts');
    for (let kill = 0; kill < 5; kill++) {
      const child = spawn(process.execPath, [script, profile], {
        stdio: ['ignore', 'pipe', 'inherit'],
        env: { ...process.env, QUOTH_ADDON: addonFile },
      });
      let numWritten = 0;
      for await (const chunk of child.stdout) {
        numWritten += String(chunk).split('\n').length - 1;
        if (numWritten >= 1 + kill) setTimeout(() => child.kill('SIGKILL'), kill * 13);
      }
      expect(numWritten).toBeGreaterThan(0);
      const store = openStore(profile);
      const index = await openIndex(profile, store.passages);
      expect(index.logged.join()).not.toMatch(/not what was written/);
      await expectHolds(index, store);
      await index.close();
      expect(generationFiles(profile)).toHaveLength(1);
      store.database.close();
    }
  });

  test('100,000 vectors of 384 numbers: how long it takes', async () => {
    const native = openAddon();
    const index = await native.openVectorIndex({ dimension: 384 });
    const vectors = Float32Array.from({ length: 10_000 * 384 }, (_, i) => Math.sin(i * 12.9898) * 0.05);
    const took = async (what: string, run: () => Promise<unknown>) => {
      const startMs = performance.now();
      const result = await run();
      console.log(`${what}: ${(performance.now() - startMs).toFixed(1)} ms`);
      return result;
    };
    await took('add 100,000', async () => {
      for (let k = 0; k < 10; k++)
        await index.add(
          Float64Array.from({ length: 10_000 }, (_, i) => k * 10_000 + i + 1),
          vectors,
        );
    });
    await took('search', () => index.search(vectors.subarray(0, 384), 50));
    const bytes = (await took('serialize', () => index.serialize())) as Uint8Array;
    await took('open from bytes', () => native.openVectorIndex({ dimension: 384, bytes }));
    expect(index.size).toBe(100_000);
    await index.close();
  });
});

/** The real index, in an engine that can die: then every handle fails, as across the border of a process. */
function mortalNative() {
  const native = openAddon();
  let life = 0;
  let refusing = false;
  let numOpened = 0;
  const died = () => Object.assign(new Error('The engine ended.'), { code: 'engine-died' });
  return {
    die: () => {
      life += 1;
    },
    refuse: (refuse: boolean) => {
      refusing = refuse;
    },
    numOpened: () => numOpened,
    native: {
      async openVectorIndex(options): Promise<VectorIndex> {
        if (refusing) throw died();
        const born = life;
        const index = await native.openVectorIndex(options);
        numOpened += 1;
        const alive = async <Result>(run: () => Promise<Result>): Promise<Result> => {
          if (life !== born) throw died();
          return run();
        };
        return {
          get size() {
            return index.size;
          },
          add: (ids, vectors) => alive(() => index.add(ids, vectors)),
          remove: (ids) => alive(() => index.remove(ids)),
          search: (query, limit, within) => alive(() => index.search(query, limit, within)),
          ids: () => alive(() => index.ids()),
          serialize: () => alive(() => index.serialize()),
          save: (file) => alive(() => index.save(file)),
          close: () => alive(() => index.close()),
        };
      },
    } satisfies Pick<Native, 'openVectorIndex'>,
  };
}
