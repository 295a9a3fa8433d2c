/** Sound and film: what is said in it, a section for each sentence or so, with its seconds. */
import type { FileHandle } from 'node:fs/promises';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { OnProgress, ReaderRequest } from '../reader-process.ts';
import type { ReadResult, Section } from '../source.ts';
import { bytesOfFile } from '../speech/audio/byte-source.ts';
import { decodeAudio } from '../speech/decode-audio.ts';
import { transcribe } from '../speech/transcribe.ts';
import { loadSpeechModel, type SpeechModel } from '../speech/whisper/model.ts';
import { ReadingRefused } from './refusal.ts';
import { oneLine, titleFromName } from './sections.ts';

/** `loadModel` is an argument for tests. */
export async function readRecording(
  file: FileHandle,
  sizeBytes: number,
  { name, speech }: Pick<ReaderRequest, 'name' | 'speech'>,
  onProgress?: OnProgress,
  loadModel: (folder: string) => Promise<SpeechModel> = loadSpeechModel,
): Promise<ReadResult> {
  // What is no recording is told even where there is no model yet.
  const audio = await decodeAudio(bytesOfFile(file, sizeBytes));
  if (!speech) throw new ReadingRefused('no-speech-model', 'No speech model is installed.');
  onProgress?.(0, false, true);
  await nextTurn();
  const model = await loadModel(speech.folder).catch((error: unknown) => {
    throw new ReadingRefused('no-speech-model', `The speech model could not be loaded: ${error}`);
  });
  const { segments } = await transcribe(audio.pieces, model, {
    async onStretch() {
      onProgress?.(audio.done(), false, true);
      // What was said of the progress must leave before this thread is busy for seconds.
      await nextTurn();
    },
  });
  const sections = segments.flatMap(({ startSeconds, endSeconds, text }): Section[] => {
    const line = oneLine(text);
    return line ? [{ text: line, locator: { type: 'time', startSeconds, endSeconds }, heading: null }] : [];
  });
  if (sections.length === 0) throw new ReadingRefused('no-speech', 'Nothing is said in it.');
  return { type: 'read', kind: 'recording', title: titleFromName(name), numPages: null, sections };
}
