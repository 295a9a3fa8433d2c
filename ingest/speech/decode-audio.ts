/**
 * A recording → what Whisper hears: mono at 16,000 samples a second, in pieces, as they are asked for. Nothing is held but the piece
 * in hand, so a lecture of three hours takes no more memory than a word. What decodes is TypeScript and WebAssembly.
 */
import { ReadingRefused } from '../readers/refusal.ts';
import type { ByteSource } from './audio/byte-source.ts';
import { openMatroska } from './audio/matroska.ts';
import { openMp4 } from './audio/mp4.ts';
import { openAdts, openFlac, openMp3, openOgg } from './audio/plain-streams.ts';
import { createResampler, monoOf, type Resampler } from './audio/resample.ts';
import type { Recording } from './audio/sound.ts';
import { openWav } from './audio/wav.ts';

export type DecodedAudio = {
  /** Null where only the recording's end would tell. */
  lengthSeconds: number | null;
  /** How much of it was decoded, from 0 to 1. */
  done(): number;
  pieces: AsyncIterable<Float32Array>;
};

const toRate = 16_000;
/** What claims to be longer is none that a person made. */
export const mostSeconds = 12 * 3600;
const headBytes = 64;

/** Throws `ReadingRefused` for what is no recording that is read; a damaged one may end early. */
export async function decodeAudio(source: ByteSource): Promise<DecodedAudio> {
  const recording = await openRecording(source);
  return {
    lengthSeconds: recording.lengthSeconds,
    done: () => Math.min(1, Math.max(0, recording.done())),
    pieces: toMono(recording),
  };
}

async function openRecording(source: ByteSource): Promise<Recording> {
  const from = await afterTags(source);
  const head = String.fromCharCode(...(await source.read(from, headBytes)));
  if (from === 0 && /^(RIFF|RF64)/.test(head)) return openWav(source);
  if (head.startsWith('OggS')) return openOgg(source);
  if (head.startsWith('fLaC')) return openFlac(source);
  if (head.startsWith('\x1a\x45\xdf\xa3')) return openMatroska(source);
  if (/^(ftyp|moov|mdat|wide|free|skip)$/.test(head.slice(4, 8))) return openMp4(source);
  // Both begin with eleven or twelve set bits; AAC's layer is 0, which no MP3 has.
  if (/^\xff[\xf0\xf1\xf8\xf9]/.test(head)) return openAdts(source, from);
  return openMp3(source, from);
}

/** Behind ID3 tags (id3.org, 2.4, 3.1), which players put before anything. */
async function afterTags(source: ByteSource): Promise<number> {
  let at = 0;
  for (let tags = 0; tags < 8; tags++) {
    const head = await source.read(at, 10);
    if (head[0] !== 0x49 || head[1] !== 0x44 || head[2] !== 0x33) break;
    const sizes = [...head.subarray(6, 10)];
    at += 10 + sizes.reduce((sum, byte) => sum * 128 + (byte & 127), 0) + (head[5]! & 16 ? 10 : 0);
  }
  return at < source.sizeBytes ? at : 0;
}

async function* toMono(recording: Recording): AsyncIterable<Float32Array> {
  let resample: Resampler | null = null;
  let rate = 0;
  let numSamples = 0;
  for await (const sound of recording.sounds) {
    if (!resample || rate !== sound.sampleRate) {
      resample = createResampler(sound.sampleRate, toRate);
      rate = sound.sampleRate;
    }
    const samples = resample(monoOf(sound));
    if (samples.length === 0) continue;
    for (let index = 0; index < samples.length; index++) {
      const sample = samples[index]!;
      samples[index] = sample >= -1 && sample <= 1 ? sample : sample > 1 ? 1 : sample < -1 ? -1 : 0; // 0: no number
    }
    numSamples += samples.length;
    if (numSamples > mostSeconds * toRate) throw new ReadingRefused('too-large', 'It is longer than twelve hours.');
    yield samples;
  }
}
