/** Sound and film: what is said in it, with its seconds. */
import type { FileHandle } from 'node:fs/promises';
import type { OnProgress, ReaderRequest } from '../reader-process.ts';
import type { ReadResult } from '../source.ts';
import { ReadingRefused } from './refusal.ts';

export async function readRecording(
  _file: FileHandle,
  _sizeBytes: number,
  request: Pick<ReaderRequest, 'name' | 'speech'>,
  _onProgress?: OnProgress,
): Promise<ReadResult> {
  if (!request.speech)
    throw new ReadingRefused('no-speech-model', 'No model is installed that turns speech into text.');
  throw new ReadingRefused('unsupported', 'Recordings are not read yet.');
}
