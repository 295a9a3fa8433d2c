/**
 * The meaning half of the library: the embedder in use and the vector index over its vectors, opened when first needed,
 * opened anew when the embedder changes. Without an embedder there is none, and words alone are searched.
 */
import { join } from 'node:path';
import { type Embedder, textToEmbed } from '../../ingest/embedder.ts';
import { openPassageIndex, type PassageIndex } from '../../ingest/passage-index.ts';
import type { PassageStore } from '../../ingest/store.ts';
import { createLoaded } from '../models/loaded.ts';
import type { Outside } from '../outside.ts';

export type Meaning = {
  embedder: Embedder;
  index: PassageIndex;
};

export type MeaningParts = {
  outside: Outside;
  store: PassageStore;
  models: { embedder(): Promise<Embedder | null>; noteFailure(error: unknown, thing: Embedder): boolean };
};

export type MeaningService = {
  /** Null while no embedder is installed, or when it cannot be loaded (the log says why). */
  get(): Promise<Meaning | null>;
  /** Gives every passage a vector that has none; at most one at a time runs. Ends early when the signal aborts. */
  fill(signal: AbortSignal): Promise<void>;
  /** Takes removed passages out of the index if it is open; an opening leaves them out by itself. */
  forgetPassages(passageIds: number[]): Promise<void>;
  /** Takes removed passages out of the written index, too. */
  settle(): Promise<void>;
  /** The embedder has changed: the next `get` opens another index. */
  change(): Promise<void>;
  close(): Promise<void>;
};

/** Passages that get their vectors in one go: a commit a second or two apart, and a search never waits longer. */
const fillBatch = 32;

export function createMeaning({ outside, store, models }: MeaningParts): MeaningService {
  const loaded = createLoaded<Meaning>(
    async () => {
      const embedder = await models.embedder();
      if (!embedder) return null;
      const { id, dimension } = embedder;
      const folder = join(outside.profileFolder, 'index');
      const options = { native: outside.native, store, folder, embedderId: id, dimension, log: outside.log };
      return { embedder: persistent(embedder), index: await openPassageIndex(options) };
    },
    ({ index }) => index.close(),
  );
  let filling: Promise<void> | undefined;

  /** The same embedder for as long as it is in use, over as many engines as have died meanwhile. */
  function persistent(first: Embedder): Embedder {
    return {
      ...first,
      async embed(texts, signal, as) {
        const current = (await models.embedder()) ?? first;
        try {
          return await current.embed(texts, signal, as);
        } catch (error) {
          if (!models.noteFailure(error, current)) throw error;
          const fresh = await models.embedder();
          if (fresh?.id !== first.id) throw error;
          return fresh.embed(texts, signal, as);
        }
      },
    };
  }

  async function get(): Promise<Meaning | null> {
    try {
      return await loaded.get();
    } catch (error) {
      outside.log('warn', 'the search by meaning is not available', { error: String(error) });
      return null;
    }
  }

  async function fillAll(signal: AbortSignal): Promise<void> {
    for (;;) {
      const meaning = await get();
      if (!meaning || signal.aborted) return;
      const { embedder, index } = meaning;
      const batch = store.passagesWithoutVector(embedder.id, fillBatch);
      if (batch.length === 0) return;
      const vectors = await embedder.embed(batch.map(textToEmbed), signal);
      if ((await get()) !== meaning) continue; // another embedder is in use by now
      const ids = batch.map(({ passageId }) => passageId);
      store.addVectors(embedder.id, ids, vectors);
      await index.add(ids, vectors);
    }
  }

  return {
    get,
    fill(signal) {
      filling ??= fillAll(signal)
        .catch((error: unknown) => {
          if (!signal.aborted) outside.log('warn', 'passages stay without vectors for now', { error: String(error) });
        })
        .finally(() => {
          filling = undefined;
        });
      return filling;
    },
    async forgetPassages(passageIds) {
      if (passageIds.length === 0) return;
      try {
        await loaded.current()?.index.remove(passageIds);
      } catch (error) {
        outside.log('warn', 'the index still holds vectors of a removed document', { error: String(error) });
      }
    },
    async settle() {
      try {
        await loaded.current()?.index.settle();
      } catch (error) {
        outside.log('warn', 'the written index still holds vectors of a removed document', { error: String(error) });
      }
    },
    change: () => loaded.forget(),
    close: () => loaded.forget(),
  };
}
