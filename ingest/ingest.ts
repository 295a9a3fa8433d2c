/** The pipeline: a source → its passages in the store and the index, one state after the other. */
import { createHash } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Embedder, estimateTokens, textToEmbed } from './embedder.ts';
import { hashFile } from './hash-file.ts';
import { noteFor, sentenceFor, stateFor } from './reasons.ts';
import type { Chunk, DocumentKind, FailureReason, ReadFile, ReadResult, Section, Source } from './source.ts';
import { batchesOfChunks, type SplitOptions } from './split.ts';
import type { PassageStore } from './store.ts';
import { readVideo } from './youtube.ts';

/** What the pipeline needs of the world, all as arguments. */
export type IngestOutside = {
  readFile: ReadFile;
  fetch: typeof globalThis.fetch;
  store: Pick<PassageStore, 'replacePassages' | 'copyPassages' | 'vectorsByText'>;
  /** The vector index in use; what it misses it takes from the store when it is next opened. */
  index: {
    add(passageIds: number[], vectors: Float32Array): Promise<void>;
    remove(passageIds: number[]): Promise<void>;
  };
  /** Null while none is installed: the words are searchable at once, the vectors are made later. */
  embedder: Embedder | null;
  captionLanguages: readonly string[];
  /** What is being taken in at the moment, by its bytes: the same file twice at the same time is read once. */
  underway?: Map<string, Promise<void>>;
  log: (level: 'info' | 'warn' | 'error', message: string, details?: Record<string, unknown>) => void;
};

export type IngestRequest = {
  documentId: string;
  source: Source;
  /** The hash of what the stored passages were cut from; null for a new document. */
  knownHash: string | null;
};

/** `progress` runs from 0 to 1 within its state. The last item is an end: `ready`, `unchanged` or one with a reason. */
export type IngestProgress =
  | { state: 'reading' | 'embedding'; progress: number }
  | { state: 'ready'; numPassages: number; hasVectors: boolean; contentHash: string }
  | { state: 'unchanged'; contentHash: string }
  | {
      state: 'failed' | 'no-text' | 'password' | 'unsupported';
      kind: DocumentKind;
      reason: FailureReason;
      /** For the person: what is wrong and what to do. */
      sentence: string;
      detail: string;
    };

const chunksOfBatch = 64;
const turnMs = 15;

/**
 * Takes one source in. Bad sources end in a state with a reason; only a leaving caller (`signal`) and a failing store
 * throw. Until `replacePassages` nothing is changed, so a kill at any moment leaves the old passages or the new ones.
 */
export async function* ingestDocument(
  request: IngestRequest,
  outside: IngestOutside,
  signal: AbortSignal,
): AsyncIterable<IngestProgress> {
  const { source } = request;
  yield { state: 'reading', progress: 0 };

  const hashed = source.type === 'file' ? await hashFile(source, signal) : null;
  if (hashed?.type === 'failed') return yield endOf(hashed.kind, hashed.reason, hashed.detail);
  if (hashed && hashed.contentHash === request.knownHash)
    return yield { state: 'unchanged', contentHash: hashed.contentHash };
  if (!hashed) return yield* readAndEmbed(request, null, outside, signal);

  const bytes = `${hashed.kind} ${hashed.contentHash}`;
  for (let other = outside.underway?.get(bytes); other; other = outside.underway?.get(bytes)) {
    await orAbort(other, signal);
    signal.throwIfAborted();
  }
  const copied = await copyOf(request.documentId, hashed, outside);
  if (copied) return yield copied;
  let end = () => {};
  outside.underway?.set(
    bytes,
    new Promise((resolve) => {
      end = resolve;
    }),
  );
  try {
    yield* readAndEmbed(request, hashed.contentHash, outside, signal);
  } finally {
    outside.underway?.delete(bytes);
    end();
  }
}

/** The passages and vectors of a document of the same bytes, for this one too; null where there is none. */
async function copyOf(
  documentId: string,
  { contentHash, kind }: { contentHash: string; kind: DocumentKind },
  outside: IngestOutside,
): Promise<IngestProgress | null> {
  const embedderId = outside.embedder?.id ?? null;
  const copied = outside.store.copyPassages(documentId, { contentHash, kind, embedderId });
  if (!copied) return null;
  const { addedIds, removedIds, vectors } = copied;
  await updateIndex(addedIds, removedIds, vectors, outside);
  return { state: 'ready', numPassages: addedIds.length, hasVectors: vectors !== null, contentHash };
}

/** Ends when the other has ended or the signal aborts. */
function orAbort(other: Promise<void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
    void other.then(resolve);
  });
}

async function* readAndEmbed(
  request: IngestRequest,
  fileHash: string | null,
  outside: IngestOutside,
  signal: AbortSignal,
): AsyncIterable<IngestProgress> {
  const { documentId, source } = request;
  const reading = createProgress();
  const whenRead = readSource(source, outside, signal, reading.report);
  yield* reading.until(whenRead, 'reading');
  const result = await whenRead;
  signal.throwIfAborted();
  if (result.type === 'failed') return yield endOf(result.kind, result.reason, result.detail);

  const contentHash = fileHash ?? hashText(result);
  if (contentHash === request.knownHash) return yield { state: 'unchanged', contentHash };

  const { embedder } = outside;
  // MiniLM takes 256 tokens; chunks of longer-sighted models stay as small, since a passage is also what a person reads.
  const mostTokens = Math.min(220, (embedder?.maxTokens ?? 256) - 36);
  const countTokens = embedder?.countTokens ?? estimateTokens;
  const chunks = await splitInTurns(result.sections, { countTokens, mostTokens }, signal);
  if (chunks.length === 0) return yield endOf(result.kind, 'no-text', 'Nothing was left after splitting.');

  yield { state: 'embedding', progress: 0 };
  let vectors: Float32Array | null = null;
  if (embedder) {
    const { dimension } = embedder;
    vectors = new Float32Array(chunks.length * dimension);
    // What was said before, word for word, has its vector: of a contract in which a clause changes, the clause is embedded.
    const known = outside.store.vectorsByText(documentId, embedder.id);
    const fresh: number[] = [];
    for (const [at, chunk] of chunks.entries()) {
      const vector = known.get(textToEmbed(chunk));
      if (vector?.length === dimension) vectors.set(vector, at * dimension);
      else fresh.push(at);
    }
    for (let first = 0; first < fresh.length && vectors; first += chunksOfBatch) {
      const batch = fresh.slice(first, first + chunksOfBatch);
      const block = await embedBatch(
        batch.map((at) => chunks[at]!),
        embedder,
        signal,
        outside,
      );
      if (!block) vectors = null;
      else
        for (const [i, at] of batch.entries())
          vectors.set(block.subarray(i * dimension, (i + 1) * dimension), at * dimension);
      yield { state: 'embedding', progress: Math.min(1, (first + chunksOfBatch) / fresh.length) };
    }
  }

  signal.throwIfAborted();
  const { addedIds, removedIds } = outside.store.replacePassages(
    documentId,
    chunks,
    embedder && vectors ? { embedderId: embedder.id, vectors } : null,
    {
      title: result.title,
      kind: result.kind,
      numPages: result.numPages,
      contentHash,
      ...(result.scannedPages ? { scannedPages: result.scannedPages } : {}),
      ...(result.unread && result.unread.length > 0 ? { note: noteFor(result.unread) } : {}),
    },
  );
  await updateIndex(addedIds, removedIds, vectors, outside);
  yield { state: 'ready', numPassages: chunks.length, hasVectors: vectors !== null, contentHash };
}

/** Splitting a book takes seconds of this thread: every few milliseconds others get their turn. */
async function splitInTurns(
  sections: readonly Section[],
  options: SplitOptions,
  signal: AbortSignal,
): Promise<Chunk[]> {
  const chunks: Chunk[] = [];
  let turnEndsMs = performance.now() + turnMs;
  for (const batch of batchesOfChunks(sections, options)) {
    for (const chunk of batch) chunks.push(chunk);
    if (performance.now() < turnEndsMs) continue;
    await nextTurn();
    signal.throwIfAborted();
    turnEndsMs = performance.now() + turnMs;
  }
  return chunks;
}

function readSource(
  source: Source,
  outside: IngestOutside,
  signal: AbortSignal,
  onProgress: (done: number) => void,
): Promise<ReadResult> {
  if (source.type === 'file') return outside.readFile(source, { signal, onProgress });
  return readVideo(source, { fetch: outside.fetch, languages: outside.captionLanguages, signal });
}

/** Vectors of some chunks; null when the engine fails, for the words are worth keeping without them. */
async function embedBatch(
  chunks: Chunk[],
  embedder: Embedder,
  signal: AbortSignal,
  outside: IngestOutside,
): Promise<Float32Array | null> {
  try {
    return await embedder.embed(chunks.map(textToEmbed), signal);
  } catch (error) {
    signal.throwIfAborted();
    outside.log('warn', 'A document is stored without vectors: the embedder failed.', { error: String(error) });
    return null;
  }
}

/** The store has committed: an index that fails here is behind, not wrong, and is rebuilt from the store. */
async function updateIndex(
  addedIds: number[],
  removedIds: number[],
  vectors: Float32Array | null,
  outside: IngestOutside,
): Promise<void> {
  try {
    if (removedIds.length > 0) await outside.index.remove(removedIds);
    if (vectors && addedIds.length > 0) await outside.index.add(addedIds, vectors);
  } catch (error) {
    outside.log('error', 'The vector index could not be brought up to date.', { error: String(error) });
  }
}

/** A video has no bytes of its own: its words and times stand for it. */
function hashText(result: Extract<ReadResult, { type: 'read' }>): string {
  return createHash('sha256')
    .update(JSON.stringify([result.title, result.sections]))
    .digest('hex');
}

function endOf(kind: DocumentKind, reason: FailureReason, detail: string): IngestProgress {
  return { state: stateFor(reason), kind, reason, sentence: sentenceFor(reason, detail, kind), detail };
}

/** Turns a callback's progress into items of the caller's loop, until the work has ended. */
function createProgress(): {
  report: (done: number) => void;
  until: (work: Promise<unknown>, state: 'reading') => AsyncIterable<IngestProgress>;
} {
  let latest: number | null = null;
  let wake = () => {};
  return {
    report(done) {
      latest = done;
      wake();
    },
    async *until(work, state) {
      let hasEnded = false;
      const end = () => {
        hasEnded = true;
        wake();
      };
      work.then(end, end);
      while (!hasEnded) {
        await new Promise<void>((resolve) => {
          wake = resolve;
          if (latest !== null || hasEnded) resolve();
        });
        if (latest === null || hasEnded) continue;
        const progress = latest;
        latest = null;
        yield { state, progress };
      }
    },
  };
}
