/**
 * The vector index over all passages: kept in memory by the engine's process, derived from SQLite, and written now and then
 * as a *generation*, one file that is never changed, so that a start need not build it anew.
 *
 * SQLite is the only truth. A generation is used only if its SHA-256 is the one in the database's row; what was added or
 * removed since it was written is made up for at the opening; anything else is built again from the stored vectors. The
 * engine's process reads and writes the files itself: those of a million passages are too large to pass around.
 */
import fs from 'node:fs';
import path from 'node:path';
import type { Native, VectorIndex } from '../native/index.ts';
import type { IndexGeneration, PassageStore } from './store.ts';

export type PassageIndexOptions = {
  native: Pick<Native, 'openVectorIndex'>;
  store: PassageStore;
  /** The folder of the generations, `<profile>/index`; made if it is not there. */
  folder: string;
  embedderId: string;
  dimension: number;
  log: (level: 'info' | 'warn' | 'error', message: string, details?: Record<string, unknown>) => void;
};

export type NearPassage = { passageId: number; score: number };

export type PassageIndex = {
  /**
   * Adds vectors ([passageIds.length, dimension]) that are in the store already. It may fail: the next opening finds them
   * in the store.
   */
  add(passageIds: number[], vectors: Float32Array): Promise<void>;
  /** Takes out passages that are gone from the store. */
  remove(passageIds: number[]): Promise<void>;
  /**
   * The passages nearest to a vector ([dimension], unit length), best first. May hold some that are gone meanwhile. `within`:
   * only ids in these ranges, pairs of a first and a last one, ascending.
   */
  search(vector: Float32Array, limit: number, within?: Float64Array): Promise<NearPassage[]>;
  numVectors(): Promise<number>;
  /** Writes a generation if vectors were removed since the last one: until then the file still holds them. */
  settle(): Promise<void>;
  /** Writes a generation if anything has changed, and lets the memory go. */
  close(): Promise<void>;
};

/** Vectors that are read from the store at once: 1.5 MB at 384 numbers. */
const batchSize = 1000;
/** Changes after which a new generation is worth writing; below it the tail is read from SQLite in well under a second. */
const minChanges = 1000;
const maxChangedShare = 0.1;

const headerBytes = 64;
const generationFile = /^vectors-[0-9a-f]{32}\.index$/;
/** One that is being written: it gets its name when its checksum is known. */
const unnamedFile = 'vectors.index.tmp';
const leftoverFile = /^vectors(-[0-9a-f]{32})?\.index(\.tmp)?$/;

/**
 * Opens the index of one embedder's vectors. When the engine's process dies, the index is opened anew, once per call, and
 * the call is made again.
 */
export async function openPassageIndex(options: PassageIndexOptions): Promise<PassageIndex> {
  const { native, store, folder, embedderId, dimension, log } = options;
  let opened: Promise<VectorIndex> | null = null;
  let closed = false;
  /** Additions and removals since the generation in use was written. */
  let numChanges = 0;
  /** The written generation has vectors of passages that are gone. */
  let holdsRemoved = false;
  /** Changes and savings come one after another; searches run beside them. */
  let lastChange: Promise<unknown> = Promise.resolve();
  await fs.promises.mkdir(folder, { recursive: true });
  await current();

  /** The index, opened if it is not; an opening that failed is tried again by the next call. */
  function current(): Promise<VectorIndex> {
    if (opened) return opened;
    const opening = load();
    opened = opening;
    opening.catch(() => {
      if (opened === opening) opened = null;
    });
    return opening;
  }

  async function withIndex<Result>(run: (index: VectorIndex) => Promise<Result>): Promise<Result> {
    if (closed) throw closedError();
    const before = current();
    try {
      return await run(await before);
    } catch (error) {
      if (!isGone(error) || closed) throw error;
      log('warn', 'the vector index is gone with its process; opening it anew', { cause: String(error) });
      if (opened === before) opened = null;
      return run(await current());
    }
  }

  async function load(): Promise<VectorIndex> {
    const generation = store.generation();
    const known = generation && (await openGeneration(generation));
    if (known) {
      numChanges = await catchUp(known.index, known.ids);
      // What an end between a generation's row and the removal of the others has left holds vectors of what is gone.
      await removeOthers(folder, generation.file).catch((error: unknown) =>
        log('warn', 'an old vector index could not be removed', { cause: String(error) }),
      );
      return known.index;
    }
    const index = await native.openVectorIndex({ dimension });
    numChanges = await addStored(index, 0);
    if (numChanges > 0) log('info', 'the vector index was built from the database', { numVectors: index.size });
    if (numChanges >= minChanges) await save(index);
    return index;
  }

  /** The index of a generation with the ids it holds, or null, and the reason in the log, if it cannot be trusted. */
  async function openGeneration(generation: IndexGeneration) {
    if (generation.embedderId !== embedderId || generation.dimension !== dimension) return null;
    try {
      const file = await placeOf(folder, generation);
      const index = await native.openVectorIndex({ dimension, saved: { file, sha256: generation.sha256 } });
      return { index, ids: await index.ids() };
    } catch (error) {
      if (isGone(error)) throw error;
      log('warn', 'the vector index on the disk is not what was written; building it anew', { cause: String(error) });
      return null;
    }
  }

  /** Makes an index from a generation what the store says. Returns how much had to change. */
  async function catchUp(index: VectorIndex, heldIds: Float64Array): Promise<number> {
    const lastId = heldIds.at(-1) ?? 0;
    const storedIds = store.passageIdsUpTo(embedderId, lastId);
    const gone = difference(heldIds, storedIds);
    // Passages that got their vector after later ones had theirs.
    const missing = difference(storedIds, heldIds);
    if (gone.length > 0) {
      await index.remove(gone);
      holdsRemoved = true;
    }
    await addMissing(index, missing);
    return gone.length + missing.length + (await addStored(index, lastId));
  }

  async function addMissing(index: VectorIndex, missing: Float64Array): Promise<void> {
    const wanted = new Set(missing);
    for (let i = 0; i < missing.length; ) {
      const batch = store.vectorsAfter(embedderId, missing[i]! - 1, batchSize);
      await addBatch(
        index,
        batch.filter(({ passageId }) => wanted.has(passageId)),
      );
      const lastId = batch.at(-1)?.passageId ?? Number.POSITIVE_INFINITY;
      while (i < missing.length && missing[i]! <= lastId) i += 1;
    }
  }

  /** Adds all stored vectors with ids above `afterId`; returns their number. */
  async function addStored(index: VectorIndex, afterId: number): Promise<number> {
    let numAdded = 0;
    for (let lastId = afterId; ; ) {
      const batch = store.vectorsAfter(embedderId, lastId, batchSize);
      const last = batch.at(-1);
      if (!last) return numAdded;
      numAdded += await addBatch(index, batch);
      lastId = last.passageId;
    }
  }

  async function addBatch(index: VectorIndex, batch: ReturnType<PassageStore['vectorsAfter']>): Promise<number> {
    const sound = batch.filter(({ vector }) => vector.length === dimension);
    if (sound.length < batch.length) log('error', 'stored vectors of a wrong length were left out', { embedderId });
    const vectors = new Float32Array(sound.length * dimension);
    sound.forEach(({ vector }, i) => {
      vectors.set(vector, i * dimension);
    });
    if (sound.length > 0)
      await index.add(
        Float64Array.from(sound, ({ passageId }) => passageId),
        vectors,
      );
    return sound.length;
  }

  /** Writes a new generation and points the database to it. A failure is told and forgotten: the index is only derived. */
  async function save(index: VectorIndex): Promise<void> {
    try {
      const { numVectors, lastId, sha256 } = await index.save(path.join(folder, unnamedFile));
      const file = `vectors-${sha256.slice(0, 32)}.index`;
      await nameDurably(folder, unnamedFile, file);
      store.setGeneration({ file, sha256, dimension, embedderId, numVectors, lastPassageId: lastId });
      numChanges = 0;
      holdsRemoved = false;
      await removeOthers(folder, file);
    } catch (error) {
      log('warn', 'the vector index could not be written', { cause: String(error) });
    }
  }

  /** Runs one change after those before it, and writes a generation when much has changed. */
  function change(numIds: number, run: (index: VectorIndex) => Promise<void>): Promise<void> {
    const done = lastChange.then(async () => {
      await withIndex(run);
      numChanges += numIds;
      const index = await current();
      if (numChanges > Math.max(minChanges, maxChangedShare * index.size)) await save(index);
    });
    lastChange = done.catch(() => {});
    return done;
  }

  return {
    add: (passageIds, vectors) =>
      change(passageIds.length, (index) => index.add(Float64Array.from(passageIds), vectors)),
    remove(passageIds) {
      holdsRemoved ||= passageIds.length > 0;
      return change(passageIds.length, (index) => index.remove(Float64Array.from(passageIds)));
    },
    async settle() {
      await lastChange;
      if (closed || !holdsRemoved) return;
      const done = lastChange.then(async () => save(await current()));
      lastChange = done.catch(() => {});
      await done;
    },
    search: (vector, limit, within) =>
      withIndex(async (index) => {
        const { ids, scores } = await index.search(vector, limit, within);
        return Array.from(ids, (passageId, i) => ({ passageId, score: scores[i] ?? 0 }));
      }),
    numVectors: () => withIndex(async (index) => index.size),
    async close() {
      if (closed) return;
      closed = true;
      await lastChange;
      const index = await opened?.catch(() => null);
      if (!index) return;
      try {
        if (numChanges > 0) await save(index);
        await index.close();
      } catch (error) {
        if (!isGone(error)) throw error; // its process is gone, and its memory with it
      }
    },
  };
}

/** The path of a generation's file, if it is as long as what was written; the engine checks its every byte. */
async function placeOf(folder: string, generation: IndexGeneration): Promise<string> {
  const { file, dimension, numVectors } = generation;
  if (!generationFile.test(file)) throw new Error(`"${file}" is no generation's name`);
  const place = path.join(folder, file);
  const stat = await fs.promises.stat(place);
  const wantedBytes = headerBytes + numVectors * (8 + 2 * dimension);
  if (!stat.isFile() || stat.size !== wantedBytes)
    throw new Error(`${file} has ${stat.size} bytes, not ${wantedBytes}`);
  return place;
}

/** After this, the file is on the disk under its name, or not there under it. Its bytes are there already. */
async function nameDurably(folder: string, from: string, to: string): Promise<void> {
  const place = path.join(folder, to);
  await fs.promises.rename(path.join(folder, from), place).catch(async () => {
    // Something else stands under the name, or the system does not replace files: first away with it.
    await fs.promises.rm(place, { recursive: true, force: true });
    await fs.promises.rename(path.join(folder, from), place);
  });
  if (process.platform === 'win32') return; // a folder cannot be opened there, and NTFS journals the name by itself
  const handle = await fs.promises.open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Removes generations that are not in use any more, and what an end in the middle of writing has left. */
async function removeOthers(folder: string, keptFile: string): Promise<void> {
  for (const file of await fs.promises.readdir(folder))
    if (leftoverFile.test(file) && file !== keptFile)
      await fs.promises.rm(path.join(folder, file), { recursive: true, force: true });
}

/** The numbers of `a` that are not in `b`; both ascend. */
function difference(a: Float64Array, b: Float64Array): Float64Array {
  let j = 0;
  return a.filter((value) => {
    while (j < b.length && b[j]! < value) j += 1;
    return b[j] !== value;
  });
}

/** True when the index went with its process, or was left half changed: it must be opened anew. */
function isGone(error: unknown): boolean {
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : null;
  return code === 'engine-died' || code === 'closed';
}

function closedError(): Error {
  return Object.assign(new Error('The passage index was closed.'), { code: 'closed' });
}
