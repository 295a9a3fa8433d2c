import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createEmbedder, type Embedder, estimateTokens, textToEmbed } from '../../ingest/embedder.ts';
import { type IngestOutside, type IngestProgress, ingestDocument } from '../../ingest/ingest.ts';
import { createNodeSpawner } from '../../ingest/readers/node-spawner.ts';
import { sentenceFor, stateFor } from '../../ingest/reasons.ts';
import { createReadFile } from '../../ingest/run-reader.ts';
import { type Chunk, type DocumentKind, type FailureReason, failureReasons, type Source } from '../../ingest/source.ts';
import type { Engine } from '../../native/index.ts';
import { startYouTubeServer } from '../fakes/youtube-server.ts';
import { bytesOf, dataFolder, docxOf, hasData, pdfOf, sourceOf } from './data.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "quoth it's #1 山田 太郎 "));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function fileWith(name: string, content: string | Uint8Array): Source & { type: 'file' } {
  const path = join(folder, name);
  writeFileSync(path, content);
  return sourceOf(path);
}

/** Each text's vector is its length, so that a test sees which text a vector came from. */
const lengthEmbedder: Embedder = {
  id: 'length-1',
  dimension: 2,
  maxTokens: 256,
  countTokens: estimateTokens,
  embed: async (texts) => Float32Array.from(texts.flatMap((text) => [text.length, 1])),
};

/** The world as the pipeline sees it, recording what reaches the store and the index. */
function recording(changes: Partial<IngestOutside> = {}) {
  const stored: { chunks: Chunk[]; embedded: { embedderId: string; vectors: Float32Array } | null; facts: object }[] =
    [];
  const indexed: (string | number)[] = [];
  let lastIds: number[] = [];
  let nextId = 1;
  const outside: IngestOutside = {
    readFile: createReadFile(createNodeSpawner()),
    fetch: async () => {
      throw new TypeError('no network here');
    },
    store: {
      replacePassages: (_documentId, chunks, embedded, facts) => {
        stored.push({ chunks, embedded, facts });
        const removedIds = lastIds;
        lastIds = chunks.map(() => nextId++);
        return { addedIds: lastIds, removedIds };
      },
      copyPassages: () => null,
      vectorsByText: () => new Map(),
    },
    index: {
      add: async (ids, vectors) => void indexed.push('add', ...ids, vectors.length),
      remove: async (ids) => void indexed.push('remove', ...ids),
    },
    embedder: lengthEmbedder,
    captionLanguages: [],
    log: () => {},
    ...changes,
  };
  return { outside, stored, indexed };
}

async function ingest(
  source: Source,
  outside: IngestOutside,
  knownHash: string | null = null,
  signal = new AbortController().signal,
) {
  const items: IngestProgress[] = [];
  for await (const item of ingestDocument({ documentId: 'doc_0000000000000000', source, knownHash }, outside, signal))
    items.push(item);
  return { items, end: items.at(-1)! };
}

test('a document passes through its states, and its passages, vectors and facts are stored together', async () => {
  const { outside, stored, indexed } = recording();
  const { items, end } = await ingest(fileWith('報告.pdf', pdfOf([['First page.'], ['Second page.']])), outside);
  expect([...new Set(items.map(({ state }) => state))]).toEqual(['reading', 'embedding', 'ready']);
  expect(end).toMatchObject({ state: 'ready', numPassages: 2, hasVectors: true });
  expect(stored).toEqual([
    {
      chunks: [
        { ordinal: 0, text: 'First page.', locator: { type: 'page', page: 1 }, heading: null },
        { ordinal: 1, text: 'Second page.', locator: { type: 'page', page: 2 }, heading: null },
      ],
      embedded: { embedderId: 'length-1', vectors: Float32Array.of(11, 1, 12, 1) },
      facts: { title: '報告', kind: 'pdf', numPages: 2, contentHash: expect.stringMatching(/^[0-9a-f]{64}$/) },
    },
  ]);
  expect(indexed).toEqual(['add', 1, 2, 4]);
  for (const item of items) if ('progress' in item) expect(item.progress >= 0 && item.progress <= 1).toBe(true);
});

test('the same bytes again are not read, changed ones are, and the old passages go', async () => {
  const { outside, stored, indexed } = recording();
  const first = await ingest(fileWith('a.txt', 'The first version.'), outside);
  const hash = first.end.state === 'ready' ? first.end.contentHash : '';
  let numRead = 0;
  const counting = {
    ...outside,
    readFile: (...call: Parameters<IngestOutside['readFile']>) => {
      numRead += 1;
      return outside.readFile(...call);
    },
  };
  const touched = fileWith('a.txt', 'The first version.');
  utimesSync(touched.path, 1, 1);
  expect((await ingest(touched, counting, hash)).end).toEqual({ state: 'unchanged', contentHash: hash });
  expect(numRead).toBe(0);
  expect((await ingest(fileWith('a.txt', 'The second version.'), counting, hash)).end.state).toBe('ready');
  expect(stored.at(-1)!.chunks[0]!.text).toBe('The second version.');
  expect(indexed).toEqual(['add', 1, 2, 'remove', 1, 'add', 2, 2]);
});

test('a passage that was there before, word for word, keeps its vector; what is new is embedded', async () => {
  const asked: string[] = [];
  const { outside, stored } = recording({
    embedder: {
      ...lengthEmbedder,
      embed: async (texts, ...rest) => {
        asked.push(...texts);
        return lengthEmbedder.embed(texts, ...rest);
      },
    },
  });
  const clause = (number: number, words: string) => `${number}. ${words} ${'and so on and so forth '.repeat(40)}.`;
  const [first, second, third] = [clause(1, 'Rent'), clause(2, 'Repairs'), clause(3, 'Notice')];
  const known = new Map([first, third].map((text, at) => [text, Float16Array.of(at + 0.5, 7)]));
  outside.store.vectorsByText = (documentId, embedderId) =>
    documentId && embedderId === 'length-1' ? known : new Map();
  const { end } = await ingest(fileWith('contract.txt', [first, second, third].join('\n\n')), outside);
  expect(end).toMatchObject({ state: 'ready', hasVectors: true, numPassages: stored[0]!.chunks.length });
  const { chunks, embedded } = stored[0]!;
  expect(asked.sort()).toEqual(
    chunks
      .map(({ text }) => text)
      .filter((text) => !known.has(text))
      .sort(),
  );
  for (const [at, { text }] of chunks.entries())
    expect([...embedded!.vectors.slice(2 * at, 2 * at + 2)]).toEqual([...(known.get(text) ?? [text.length, 1])]);
});

test('bad files end in a state with a reason in words, and nothing is stored', async () => {
  const { outside, stored } = recording();
  const huge = fileWith('huge.txt', 'begin');
  truncateSync(huge.path, 2 ** 31);
  const gone = fileWith('gone.md', 'x');
  rmSync(gone.path);
  const cases: [Source, string, FailureReason, DocumentKind?][] = [
    [fileWith('e.pdf', ''), 'failed', 'empty'],
    [fileWith('d.pdf', '%PDF-1.7 nothing'), 'failed', 'damaged'],
    [fileWith('s.pdf', pdfOf([[]])), 'no-text', 'no-text'],
    [fileWith('p.docx', Uint8Array.of(0xd0, 0xcf, 0x11, 0xe0)), 'password', 'password'],
    [fileWith('z.docx', 'no zip'), 'failed', 'damaged'],
    [fileWith('film.mp4', 'xxxx'), 'failed', 'damaged', 'recording'],
    [fileWith('program.exe', 'MZ\0'), 'unsupported', 'unsupported'],
    [sourceOf(huge.path), 'failed', 'too-large'],
    [gone, 'failed', 'missing'],
  ];
  for (const [source, state, reason, kind] of cases) {
    const { end } = await ingest(source, outside);
    expect(end).toMatchObject({ state, reason, sentence: sentenceFor(reason, '', kind) });
  }
  expect(stored).toEqual([]);
});

test.skipIf(process.platform === 'win32')('a pipe that took the place of a file is not waited for', async () => {
  const source = fileWith('pipe.txt', 'x');
  rmSync(source.path);
  execFileSync('mkfifo', [source.path]);
  expect((await ingest(source, recording().outside)).end).toMatchObject({ state: 'failed', reason: 'not-a-file' });
});

test('without an embedder, or with a failing one, the words are stored alone', async () => {
  const without = recording({ embedder: null });
  expect((await ingest(fileWith('a.txt', 'Words.'), without.outside)).end).toMatchObject({
    state: 'ready',
    hasVectors: false,
  });
  const failing: Embedder = { ...lengthEmbedder, embed: () => Promise.reject(new Error('engine died')) };
  const dying = recording({ embedder: failing });
  expect((await ingest(fileWith('b.txt', 'Words.'), dying.outside)).end).toMatchObject({
    state: 'ready',
    hasVectors: false,
  });
  for (const { stored, indexed } of [without, dying]) {
    expect(stored[0]!.embedded).toBeNull();
    expect(indexed).toEqual([]);
  }
});

test('an index that fails does not undo what the store has', async () => {
  const { outside } = recording({ index: { add: () => Promise.reject(new Error('full')), remove: async () => {} } });
  expect((await ingest(fileWith('a.txt', 'Words.'), outside)).end.state).toBe('ready');
});

test('leaving while it reads or embeds ends it with nothing stored', async () => {
  for (const state of ['reading', 'embedding']) {
    const { outside, stored } = recording();
    const controller = new AbortController();
    const walk = async () => {
      const request = {
        documentId: 'doc_0000000000000000',
        source: fileWith('a.docx', docxOf(['Words.'])),
        knownHash: null,
      };
      for await (const item of ingestDocument(request, outside, controller.signal))
        if (item.state === state) controller.abort(new Error('left'));
    };
    await expect(walk()).rejects.toThrow('left');
    expect(stored).toEqual([]);
  }
});

test.skipIf(!hasData)(
  'a video becomes passages with their seconds; the same captions again change nothing',
  async () => {
    const captured = (name: string) => gunzipSync(bytesOf(join(dataFolder, 'youtube', `${name}.gz`)));
    const server = await startYouTubeServer((request) => ({
      body: captured(
        request.path === '/api/timedtext' ? 'captions/manual.json3' : 'transcript_api/youtube.innertube.json.static',
      ),
    }));
    try {
      const { outside, stored } = recording({ fetch: server.fetch });
      const source: Source = {
        type: 'video',
        address: 'https://www.youtube.com/watch?v=GJLlxj_dtq8',
        videoId: 'GJLlxj_dtq8',
      };
      const { end } = await ingest(source, outside);
      const { chunks, facts } = stored[0]!;
      expect(facts).toMatchObject({ title: 'Surface Go Review - It’s Awesome', kind: 'youtube', numPages: null });
      expect(chunks.length).toBeGreaterThan(9);
      expect(chunks[0]!.locator).toMatchObject({ type: 'time', startSeconds: 0.21 });
      expect(chunks[0]!.text).toContain('some good news and some bad news');
      const hash = end.state === 'ready' ? end.contentHash : '';
      expect((await ingest(source, outside, hash)).end.state).toBe('unchanged');
    } finally {
      await server.close();
    }
  },
);

describe('the embedder over an engine', () => {
  const info = { embeddingSize: 3, contextTokens: 8 } as Engine['info'];
  const tokenizer = {
    encode: (text: string) => [...text].map((letter) => letter.charCodeAt(0)),
    prefixIds: [1],
    suffixIds: [2],
  };

  test('wraps texts in the special ids, cuts them to the window, and keeps their order over batches', async () => {
    const batches: number[][][] = [];
    const engine = {
      info,
      embed: async (sequences: Int32Array[]) => {
        batches.push(sequences.map((sequence) => [...sequence]));
        return Float32Array.from(sequences.flatMap((sequence) => [sequence.length, sequence[1]!, 0]));
      },
    } as unknown as Engine;
    const embedder = createEmbedder(engine, tokenizer, 'toy-1');
    const texts = Array.from({ length: 40 }, (_, n) => 'abcdefghij'.slice(0, (n % 10) + 1));
    const vectors = await embedder.embed(texts);
    expect(batches.map((batch) => batch.length)).toEqual([16, 16, 8]);
    expect(batches[0]![0]).toEqual([1, 97, 2]);
    expect(batches[0]![9]).toEqual([1, 97, 98, 99, 100, 101, 102, 2]);
    for (const [index, text] of texts.entries()) expect(vectors[index * 3]).toBe(Math.min(8, text.length + 2));
    expect(embedder.countTokens('abc')).toBe(3);
  });

  test('stops between batches when the caller leaves', async () => {
    const controller = new AbortController();
    let numCalls = 0;
    const engine = {
      info,
      embed: async (sequences: Int32Array[]) => {
        numCalls += 1;
        controller.abort(new Error('left'));
        return new Float32Array(sequences.length * 3);
      },
    } as unknown as Engine;
    const texts = Array.from({ length: 40 }, () => 'a');
    await expect(createEmbedder(engine, tokenizer, 't').embed(texts, controller.signal)).rejects.toThrow('left');
    expect(numCalls).toBe(1);
  });

  test('a heading is embedded with its text, once', () => {
    expect(textToEmbed({ text: 'Text.', heading: 'Top' })).toBe('Top\nText.');
    expect(textToEmbed({ text: 'Top\n\nText.', heading: 'Top' })).toBe('Top\n\nText.');
    expect(textToEmbed({ text: 'Text.', heading: null })).toBe('Text.');
  });
});

describe('reasons', () => {
  test('each has one sentence that says what to do, and a state', () => {
    const sentences = failureReasons.map((reason) => sentenceFor(reason));
    expect(new Set(sentences).size).toBe(failureReasons.length);
    for (const sentence of sentences) expect(sentence).toMatch(/^[A-Z].{20,}[.]$/);
    expect(
      failureReasons.map(stateFor).every((state) => ['failed', 'no-text', 'password', 'unsupported'].includes(state)),
    ).toBe(true);
  });

  test('a video’s refusal is worded exactly; any other detail is for the log', () => {
    expect(sentenceFor('video-unavailable', 'private: This video is private')).toContain('private');
    expect(sentenceFor('damaged', 'constructor: x')).toBe(sentenceFor('damaged'));
    expect(sentenceFor('damaged', 'Invalid PDF structure.')).toBe(sentenceFor('damaged'));
  });
});
