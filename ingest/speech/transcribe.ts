/**
 * Speech → text with its seconds. The recording comes in pieces and is heard in stretches of 30 s; the next one begins where the
 * last whole segment ended. Silence is passed over. No more than a stretch and a piece are held.
 */

import { decodeStretch } from './whisper/decode-stretch.ts';
import { createFeatureExtractor, sampleRate, stretchSamples, stretchSeconds } from './whisper/features.ts';
import { detectLanguage, type SpokenLanguage } from './whisper/language.ts';
import type { SpeechModel } from './whisper/model.ts';

/** Seconds from the recording's beginning. */
export type SpokenSegment = { startSeconds: number; endSeconds: number; text: string };

export type Transcript = {
  segments: SpokenSegment[];
  lengthSeconds: number;
  /** The language that was spoken first, "en"; null where nothing was said. */
  language: string | null;
};

export type TranscribeOptions = {
  /** Told before each stretch, whether it is heard or passed over as silence: how many seconds lie behind. */
  onStretch?: (heardSeconds: number) => void | Promise<void>;
};

/** Silence: 40 dB below the loudest so far, and anything below -60 dB of what a sample can hold. */
const silenceShare = 0.01;
const leastLoudness = 0.001;
const loudnessSamples = sampleRate / 10;
/** Of silence before the first word, which a voice may begin softly in. */
const leadSamples = sampleRate / 5;
/** Shorter silences are heard along: they part sentences. */
const leastSkippedSamples = sampleRate;
/** Sure of the language from here on; until then each stretch is asked for its own. */
const sureOfLanguage = 0.6;

/** `pieces`: mono at 16 kHz from -1 to 1. The same recording gives the same words: chance begins anew for each. */
export async function transcribe(
  pieces: AsyncIterable<Float32Array>,
  model: SpeechModel,
  { onStretch }: TranscribeOptions = {},
): Promise<Transcript> {
  const extract = createFeatureExtractor(model.numBands);
  const random = createRandom(1);
  const segments: SpokenSegment[] = [];
  const buffer = createBuffer(pieces);
  let loudest = 0;
  let language: SpokenLanguage | null = null;
  let first: SpokenLanguage | null = null;

  for (;;) {
    const samples = await buffer.fill(stretchSamples);
    if (samples.length === 0) break;
    const startSeconds = buffer.dropped() / sampleRate;
    await onStretch?.(startSeconds);
    loudest = Math.max(loudest, loudestOf(samples));
    const silent = silentSamples(samples, Math.max(leastLoudness, loudest * silenceShare));
    if (silent >= leastSkippedSamples || silent === samples.length) {
      buffer.drop(silent === samples.length ? silent : silent - leadSamples);
      continue;
    }
    const lengthSeconds = samples.length / sampleRate;
    const heard = await model.hear(extract(samples));
    if (!language || language.probability < sureOfLanguage) {
      language = await detectLanguage(model, heard);
      first = first && language && first.probability >= language.probability ? first : language;
    }
    const stretch = await decodeStretch(model, heard, language?.token ?? null, lengthSeconds, random);
    for (const { text, ...at } of stretch.segments)
      segments.push({
        startSeconds: rounded(startSeconds + at.startSeconds),
        endSeconds: rounded(startSeconds + at.endSeconds),
        text,
      });
    // At the recording's end all was heard; elsewhere a step that is hardly one would hear the same again and again.
    const isLast = lengthSeconds < stretchSeconds;
    const next =
      stretch.nextSeconds !== null && stretch.nextSeconds >= 1 && !isLast ? stretch.nextSeconds : lengthSeconds;
    buffer.drop(Math.round(next * sampleRate));
  }
  const spoken = segments.length > 0 ? (first?.code ?? null) : null;
  return { segments, lengthSeconds: buffer.dropped() / sampleRate, language: spoken };
}

function rounded(seconds: number): number {
  return Math.round(seconds * 100) / 100;
}

/** What waits to be heard. `fill` answers up to `numSamples` from the front, fewer at the end alone. */
function createBuffer(pieces: AsyncIterable<Float32Array>): {
  fill(numSamples: number): Promise<Float32Array>;
  drop(numSamples: number): void;
  dropped(): number;
} {
  const source = pieces[Symbol.asyncIterator]();
  let held = new Float32Array(stretchSamples + sampleRate);
  let start = 0;
  let end = 0;
  let numDropped = 0;
  let hasEnded = false;
  return {
    async fill(numSamples) {
      while (!hasEnded && end - start < numSamples) {
        const { value, done } = await source.next();
        if (done) {
          hasEnded = true;
          break;
        }
        if (end + value.length > held.length) {
          held.copyWithin(0, start, end);
          end -= start;
          start = 0;
        }
        if (end + value.length > held.length) {
          const larger = new Float32Array(end + value.length);
          larger.set(held.subarray(0, end));
          held = larger;
        }
        held.set(value, end);
        end += value.length;
      }
      return held.subarray(start, Math.min(end, start + numSamples));
    },
    drop(numSamples) {
      const dropped = Math.min(numSamples, end - start);
      start += dropped;
      numDropped += dropped;
    },
    dropped: () => numDropped,
  };
}

function loudness(samples: Float32Array, from: number): number {
  let sum = 0;
  const to = Math.min(samples.length, from + loudnessSamples);
  for (let index = from; index < to; index++) sum += samples[index]! * samples[index]!;
  return Math.sqrt(sum / Math.max(1, to - from));
}

function loudestOf(samples: Float32Array): number {
  let most = 0;
  for (let from = 0; from < samples.length; from += loudnessSamples) most = Math.max(most, loudness(samples, from));
  return most;
}

/** How many samples pass before anything is louder than `threshold`. */
function silentSamples(samples: Float32Array, threshold: number): number {
  for (let from = 0; from < samples.length; from += loudnessSamples)
    if (loudness(samples, from) > threshold) return from;
  return samples.length;
}

/** Numbers from 0 to 1 that are the same for the same seed (mulberry32). */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
