/** Recordings heard by the smallest speech model, in a reader of its own (`quoth models install whisper-tiny`). */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { createNodeSpawner } from '../../../ingest/readers/node-spawner.ts';
import { createReadFile } from '../../../ingest/run-reader.ts';
import { transcribe } from '../../../ingest/speech/transcribe.ts';
import { loadSpeechModel } from '../../../ingest/speech/whisper/model.ts';
import { modelsFolder } from '../../../main/folders.ts';
import { wordErrors, wordsOf } from '../../eval/speech.ts';
import { sourceOf } from '../data.ts';
import { bytesOf, type Name, pathOf, samplesOf, words } from './recordings.ts';

const home = join(modelsFolder(), 'whisper-tiny');
const speech = { folder: join(home, 'kit') };

describe.skipIf(!existsSync(join(home, 'manifest.json')))('with Whisper tiny', () => {
  const readFile = createReadFile(createNodeSpawner());

  test.each<Name>(['jfk.opus', 'jfk.mp3', 'jfk.m4a', 'jfk.mov'])(
    '%s becomes its words, with their seconds',
    { timeout: 180_000 },
    async (name) => {
      const progress: number[] = [];
      const { signal } = new AbortController();
      const result = await readFile(sourceOf(pathOf(name)), {
        signal,
        speech,
        onProgress: (done) => progress.push(done),
      });
      if (result.type === 'failed') throw new Error(`${result.reason}: ${result.detail}`);
      const said = wordsOf(words);
      const errors = wordErrors(said, wordsOf(result.sections.map(({ text }) => text).join(' ')));
      expect(errors).toBeLessThanOrEqual(2); // of 22
      const last = result.sections.at(-1)!.locator;
      expect(last.type === 'time' && last.endSeconds).toBeLessThanOrEqual(11.2);
      expect(last.type === 'time' && last.endSeconds).toBeGreaterThan(9);
      expect(progress.length).toBeGreaterThan(0);
    },
  );

  test('words after a long silence keep their second, and nothing is made up of the silence', {
    timeout: 180_000,
  }, async () => {
    const model = await loadSpeechModel(speech.folder);
    const samples = await samplesOf(bytesOf('jfk.opus'));
    async function* pieces() {
      yield new Float32Array(16_000 * 65);
      yield samples;
      yield new Float32Array(16_000 * 40);
    }
    const { segments, language, lengthSeconds } = await transcribe(pieces(), model);
    expect(language).toBe('en');
    expect(Math.round(lengthSeconds)).toBe(116);
    expect(segments[0]!.startSeconds).toBeGreaterThan(64.5);
    expect(segments[0]!.startSeconds).toBeLessThan(66.5);
    expect(segments.at(-1)!.endSeconds).toBeLessThan(80);
    expect(wordErrors(wordsOf(words), wordsOf(segments.map(({ text }) => text).join(' ')))).toBeLessThanOrEqual(2);
  });

  test('a person who leaves ends the reader within a second', { timeout: 60_000 }, async () => {
    const leaving = new AbortController();
    const whenListening = Promise.withResolvers<void>();
    const reading = readFile(sourceOf(pathOf('jfk.mp3')), {
      signal: leaving.signal,
      speech,
      onProgress: () => whenListening.resolve(),
    });
    await whenListening.promise;
    leaving.abort();
    expect(await reading).toMatchObject({ type: 'failed', detail: 'stopped' });
  });
});
