/** A recording as a document: its kind, its sections with their seconds, and every way in which it ends without. */
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { listenLimits, type ReaderRequest } from '../../../ingest/reader-process.ts';
import { decideKind } from '../../../ingest/readers/kind.ts';
import { createNodeSpawner } from '../../../ingest/readers/node-spawner.ts';
import { readMember } from '../../../ingest/readers/read-document.ts';
import { readRecording } from '../../../ingest/readers/recording.ts';
import { sentenceFor, stateFor } from '../../../ingest/reasons.ts';
import { createReadFile, type ReaderChild } from '../../../ingest/run-reader.ts';
import type { ReadResult } from '../../../ingest/source.ts';
import { batchesOfChunks } from '../../../ingest/split.ts';
import { sourceOf } from '../data.ts';
import { bytesOf, pathOf, recordings, wavOf } from './recordings.ts';
import { createScriptedModel } from './scripted-whisper.ts';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'quoth 山田 太郎 '));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const fileWith = (name: string, bytes: Uint8Array | string): string => {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
};
const signal = (): AbortSignal => new AbortController().signal;

async function read(
  path: string,
  model = createScriptedModel(() => ({ says: '<0.00>abc<2.00><2.00>d e<4.00>' })).model,
) {
  const file = await open(path);
  const progress: [number, boolean | undefined][] = [];
  try {
    const result = await readRecording(
      file,
      (await stat(path)).size,
      { name: 'My talk.mp3', speech: { folder: 'x' } },
      (done, _isScanning, isListening) => progress.push([done, isListening]),
      async () => model,
    );
    return { result: result as Extract<ReadResult, { type: 'read' }>, progress };
  } finally {
    await file.close();
  }
}

describe('sections', () => {
  test('each segment is one, with its seconds', async () => {
    const { result, progress } = await read(pathOf('jfk.opus'));
    expect(result).toMatchObject({ type: 'read', kind: 'recording', title: 'My talk', numPages: null });
    expect(result.sections).toEqual([
      { text: 'abc', locator: { type: 'time', startSeconds: 0, endSeconds: 2 }, heading: null },
      { text: 'd e', locator: { type: 'time', startSeconds: 2, endSeconds: 4 }, heading: null },
    ]);
    expect(progress.length).toBeGreaterThanOrEqual(2);
    expect(progress.every(([done, isListening]) => done >= 0 && done <= 1 && isListening)).toBe(true);
  });

  test('become chunks that keep the second at which they begin', async () => {
    const { result } = await read(pathOf('jfk.opus'));
    const chunks = [
      ...batchesOfChunks(result.sections, { countTokens: (text) => text.length, mostTokens: 100 }),
    ].flat();
    expect(chunks.length).toBeGreaterThan(0);
    expect(chunks[0]!.locator).toMatchObject({ type: 'time', startSeconds: 0 });
  });

  test('where nobody says anything, that is said', async () => {
    const silence = fileWith('silence.wav', wavOf(new Float32Array(16_000 * 40)));
    await expect(read(silence)).rejects.toMatchObject({ reason: 'no-speech' });
    expect(stateFor('no-speech')).toBe('no-text');
    expect(sentenceFor('no-speech')).toMatch(/^Nothing is said .*\.$/);
  });
});

describe('in a reader of its own', () => {
  const readFile = createReadFile(createNodeSpawner());

  test('a recording without an installed model waits for one', async () => {
    for (const name of Object.keys(recordings)) {
      const result = await readFile(sourceOf(pathOf(name)), { signal: signal() });
      expect(result).toMatchObject({ type: 'failed', kind: 'recording', reason: 'no-speech-model' });
    }
  });

  test('a model that is not whole is told as none', async () => {
    const speech = { folder: fileWith('no-folder', 'x') };
    const result = await readFile(sourceOf(pathOf('jfk.mp3')), { signal: signal(), speech });
    expect(result).toMatchObject({ reason: 'no-speech-model', detail: expect.stringContaining('could not be loaded') });
  });

  test('what is no recording is told, whatever its name says, model or none', async () => {
    const ends: [string, Uint8Array | string, string][] = [
      ['a.mp3', 'This is a text.', 'damaged'],
      ['b.mp4', new Uint8Array(5000), 'damaged'],
      ['c.wav', bytesOf('jfk.opus'), 'no-speech-model'],
      ['d.mp3', '', 'empty'],
      ['e.m4a', bytesOf('jfk.m4a').slice(0, 9000), 'damaged'],
      ['f.ogg', 'OggS and nothing else', 'damaged'],
      ['g.webm', Uint8Array.of(0x1a, 0x45, 0xdf, 0xa3, 0x80), 'no-text'],
      ['h.pdf', bytesOf('jfk.flac').slice(0, 4000), 'no-speech-model'],
    ];
    for (const [name, bytes, reason] of ends)
      expect(await readFile(sourceOf(fileWith(name, bytes)), { signal: signal() }), name).toMatchObject({ reason });
  });

  test('a file of many gigabytes is not read into memory', async () => {
    const path = fileWith('large.wav', wavOf(new Float32Array(100)));
    truncateSync(path, 15e9);
    const result = await readFile(sourceOf(path), { signal: signal() });
    expect(result).toMatchObject({ reason: 'no-speech-model' });
  });
});

describe('the time that it may take', () => {
  afterEach(() => {
    vi.useRealTimers();
  });
  /** A reader that does what a test tells it to. */
  function createChild() {
    let tell: (message: unknown) => void = () => {};
    const requests: ReaderRequest[] = [];
    const child: ReaderChild = {
      send: (request) => void requests.push(request),
      onMessage: (listener) => {
        tell = listener;
      },
      onExit: () => {},
      kill: vi.fn(),
      memoryBytes: async () => null,
    };
    return { child, requests, listening: (done: number) => tell({ type: 'progress', done, isListening: true }) };
  }
  const source = { type: 'file' as const, path: '/a.mp3', name: 'a.mp3', sizeBytes: 10, modifiedAtMs: 0 };

  test('grows with each stretch, and a stretch that hangs is ended in minutes', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'performance'] });
    const { child, requests, listening } = createChild();
    const speech = { folder: '/models/whisper' };
    const result = createReadFile(() => child)(source, { signal: signal(), speech });
    expect(requests[0]).toMatchObject({ speech });
    // Three hours in stretches of a minute each.
    for (let minute = 0; minute < 180; minute++) {
      listening(minute / 180);
      await vi.advanceTimersByTimeAsync(60_000);
      expect(child.kill).not.toHaveBeenCalled();
    }
    listening(1);
    await vi.advanceTimersByTimeAsync(listenLimits.stretchClockMs);
    expect(await result).toMatchObject({ type: 'failed', reason: 'too-slow' });
    expect(child.kill).toHaveBeenCalled();
  });

  test('ends after a day, however often it says that it listens', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'performance'] });
    const { child, listening } = createChild();
    const result = createReadFile(() => child, { memoryPollMs: 1e9 })(source, { signal: signal() });
    for (let minute = 0; minute <= listenLimits.documentClockMs / 60_000; minute++) {
      listening(0.5);
      await vi.advanceTimersByTimeAsync(60_000);
    }
    expect(await result).toMatchObject({ reason: 'too-slow' });
  });

  test('is over at once when nobody wants it any more', async () => {
    const { child, listening } = createChild();
    const leaving = new AbortController();
    const result = createReadFile(() => child)(source, { signal: leaving.signal });
    listening(0.1);
    leaving.abort();
    expect(await result).toMatchObject({ detail: 'stopped' });
    expect(child.kill).toHaveBeenCalled();
  });
});

describe('kinds by their first bytes', () => {
  const kindOf = (bytes: Uint8Array | string, name: string): string => {
    const decision = decideKind(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes, name);
    return decision.type === 'kind' ? decision.kind : `${decision.reason}: ${decision.detail}`;
  };

  test('recordings are known by what they are, the weak signs only with a name', () => {
    for (const name of Object.keys(recordings)) expect(kindOf(bytesOf(name), name)).toBe('recording');
    for (const name of ['jfk.flac', 'jfk.m4a', 'jfk.opus', 'jfk.webm'])
      expect(kindOf(bytesOf(name), 'x')).toBe('recording');
    expect(kindOf('\xff\xfb\x90\x64 and so on', 'a.mp3')).toBe('recording');
    expect(kindOf('\xff\xfb\x90\x64 and so on', 'a.txt')).not.toBe('recording');
    expect(kindOf('RIFF\x10\0\0\0AVI LIST', 'a.avi')).toMatch(/^unsupported/);
    expect(kindOf('\0\0\0\x18ftypheic\0\0\0\0', 'photo.heic')).toMatch(/^unsupported/);
    expect(kindOf('\0\0\0\x18ftypM4A \0\0\0\0', 'photo')).toBe('recording');
    expect(kindOf('Just words.', 'talk.mp3')).toMatch(/^damaged/);
    expect(kindOf('%PDF-1.4', 'talk.mp3')).toBe('pdf');
  });

  test('within an archive or a mail it is named, not heard', async () => {
    expect(await readMember(bytesOf('jfk.mp3'), 'a.mp3')).toMatchObject({
      type: 'failed',
      kind: 'recording',
      reason: 'unsupported',
    });
  });
});
