/** WAV (RIFF, and RF64 for more than 4 GB): samples as they are, in floats, or by the laws of telephones. */
import { ReadingRefused } from '../../readers/refusal.ts';
import { type ByteSource, piecesOf } from './byte-source.ts';
import { createPcmDecoder, type PcmFormat } from './pcm.ts';
import type { Recording } from './sound.ts';

const codings = { 1: 'integer', 3: 'float', 6: 'a-law', 7: 'mu-law' } as const;
const extensible = 0xfffe;
/** Chunks before the sound: tags, cue points. */
const mostChunks = 1000;

export async function openWav(source: ByteSource): Promise<Recording> {
  let format: PcmFormat | null = null;
  for (let at = 12, chunk = 0; at + 8 <= source.sizeBytes && chunk < mostChunks; chunk++) {
    const head = await source.read(at, 8);
    const view = new DataView(head.buffer);
    const name = String.fromCharCode(...head.subarray(0, 4));
    const length = view.getUint32(4, true);
    if (name === 'fmt ') format = formatOf(await source.read(at + 8, Math.min(64, length)));
    if (name === 'data') {
      if (!format) break;
      // A recorder that was cut off leaves a length of nothing or of everything: then it is what there is.
      const isKnown = length > 0 && length < 0xffffffff && at + 8 + length <= source.sizeBytes;
      return recordingOf(source, format, at + 8, isKnown ? at + 8 + length : source.sizeBytes);
    }
    at += 8 + length + (length % 2);
  }
  throw new ReadingRefused('damaged', 'It holds no sound.');
}

function formatOf(bytes: Uint8Array): PcmFormat {
  if (bytes.length < 16) throw new ReadingRefused('damaged', 'It does not say what its sound is.');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const said = view.getUint16(0, true);
  const tag = said === extensible && bytes.length >= 26 ? view.getUint16(24, true) : said;
  const coding = codings[tag as keyof typeof codings];
  if (!coding)
    throw new ReadingRefused('unsupported', `Its sound is packed in a way that Quoth does not read (${tag}).`);
  const bitsPerSample = view.getUint16(14, true);
  return {
    coding,
    bitsPerSample,
    isBigEndian: false,
    isUnsigned: bitsPerSample === 8,
    numChannels: view.getUint16(2, true),
    sampleRate: view.getUint32(4, true),
  };
}

function recordingOf(source: ByteSource, format: PcmFormat, from: number, to: number): Recording {
  const decoder = createPcmDecoder(format);
  const bytesPerSecond = (format.sampleRate * format.numChannels * format.bitsPerSample) / 8;
  let at = from;
  return {
    lengthSeconds: bytesPerSecond > 0 ? (to - from) / bytesPerSecond : null,
    done: () => (at - from) / Math.max(1, to - from),
    sounds: (async function* () {
      for await (const piece of piecesOf(source, from, to)) {
        at += piece.length;
        yield* await decoder.decode(piece);
      }
    })(),
  };
}
