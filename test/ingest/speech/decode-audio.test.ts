/** Recordings of every kind → the same sound; what is damaged ends, and what is not read is called by its name. */
import { beforeAll, describe, expect, test } from 'vitest';
import { inverseTransformOf } from '../../../ingest/speech/audio/aac/filter-bank.ts';
import { createResampler } from '../../../ingest/speech/audio/resample.ts';
import { decodeAudio } from '../../../ingest/speech/decode-audio.ts';
import { bytesOf, likeness, type Name, recordings, samplesOf, sourceOf, wavOf } from './recordings.ts';

let original: Float32Array;
beforeAll(async () => {
  original = await samplesOf(bytesOf('jfk.flac'));
});

describe.each(Object.entries(recordings))('%s', (name, lag) => {
  test('gives the sound that was put into it, in its time', async () => {
    const samples = await samplesOf(bytesOf(name));
    expect(samples.length / 16_000).toBeGreaterThan(10.95);
    expect(samples.length / 16_000).toBeLessThan(11.2);
    // AAC fills high bands with noise of its own, at 24,000 bits a second a good deal of it.
    const least = /aac|m4a|mov|mp4/.test(name) ? 0.9 : 0.97;
    expect(likeness(original, samples, lag)).toBeGreaterThan(least);
  });

  test('is read in pieces, and says how far it is', async () => {
    let most = 0;
    const bytes = bytesOf(name);
    const audio = await decodeAudio(sourceOf(bytes, (length) => (most = Math.max(most, length))));
    let largest = 0;
    let done = 0;
    for await (const piece of audio.pieces) {
      largest = Math.max(largest, piece.length);
      expect(audio.done()).toBeGreaterThanOrEqual(done);
      done = audio.done();
      expect(piece.every((sample) => Math.abs(sample) <= 1)).toBe(true);
    }
    expect(most).toBeLessThanOrEqual(256 * 1024);
    expect(largest).toBeLessThan(16_000 * 60);
    expect(done).toBeGreaterThan(0.9);
  });
});

describe('samples as they are', () => {
  test.each([
    ['8 bits', { tag: 1, bits: 8 }, 0.999],
    ['16 bits', { tag: 1, bits: 16 }, 0.99999],
    ['24 bits, two channels', { tag: 1, bits: 24, channels: 2 }, 0.99999],
    ['32 bits', { tag: 1, bits: 32 }, 0.99999],
    ['floats', { tag: 3, bits: 32 }, 0.99999],
  ])('%s', async (_, format, least) => {
    expect(likeness(original, await samplesOf(wavOf(original, format)), 0)).toBeGreaterThan(least);
  });

  test('a recorder that was cut off leaves no length: what there is is read', async () => {
    const bytes = wavOf(original);
    bytes.fill(0, 40, 44);
    expect(await samplesOf(bytes)).toHaveLength(original.length);
    expect(await samplesOf(wavOf(original).slice(0, 100_045))).toHaveLength(50_000);
  });

  test('another rate becomes 16,000 a second with its tones in place', async () => {
    for (const rate of [8000, 11_025, 22_050, 44_100, 48_000, 96_000]) {
      const tone = Float32Array.from({ length: rate }, (_, at) => Math.sin((2 * Math.PI * 1000 * at) / rate));
      const samples = await samplesOf(wavOf(tone, { tag: 3, bits: 32, rate }));
      expect(samples.length).toBeGreaterThan(15_800);
      const expected = Float32Array.from({ length: 8000 }, (_, at) => Math.sin((2 * Math.PI * 1000 * at) / 16_000));
      expect(likeness(expected.subarray(2000), samples.subarray(2000, 10_000), 0)).toBeGreaterThan(0.9999);
    }
  });

  test('what lies above half the new rate goes, and does not fold back', () => {
    const resample = createResampler(48_000, 16_000);
    const out = resample(
      Float32Array.from({ length: 48_000 }, (_, at) => Math.sin((2 * Math.PI * 10_000 * at) / 48_000)),
    );
    expect(Math.max(...out.subarray(200, 15_000).map(Math.abs))).toBeLessThan(0.001);
  });

  test('pieces of any size give the same as the whole', () => {
    const whole = createResampler(44_100, 16_000)(original);
    const inPieces = createResampler(44_100, 16_000);
    const parts: number[] = [];
    for (let at = 0, size = 1; at < original.length; at += size, size = (size * 7) % 1009)
      parts.push(...inPieces(original.subarray(at, at + size)));
    expect(parts.length).toBe(whole.length);
    expect(parts.every((sample, index) => Math.abs(sample - whole[index]!) < 1e-6)).toBe(true);
  });
});

test.each([128, 1024])(
  'the transform of %i coefficients is the formula’s (ISO/IEC 14496-3, 4.6.11.3.1)',
  (numInputs) => {
    const spectrum = Float32Array.from({ length: numInputs }, (_, index) => Math.sin(index * index));
    const out = new Float64Array(2 * numInputs);
    inverseTransformOf(numInputs)(spectrum, 0, out);
    for (let sample = 0; sample < 2 * numInputs; sample += 17) {
      let sum = 0;
      for (let index = 0; index < numInputs; index++)
        sum += spectrum[index]! * Math.cos((Math.PI / numInputs) * (sample + (numInputs + 1) / 2) * (index + 0.5));
      expect(out[sample]).toBeCloseTo(sum / numInputs, 9);
    }
  },
);

describe('what is not read is said by name', () => {
  const refusalOf = async (bytes: Uint8Array): Promise<unknown> =>
    samplesOf(bytes).then(
      () => null,
      (error: unknown) => error,
    );
  const replaced = (name: Name, from: string, to: string): Uint8Array =>
    new Uint8Array(Buffer.from(Buffer.from(bytesOf(name)).toString('latin1').replace(from, to), 'latin1'));

  test('sound of another kind', async () => {
    expect(await refusalOf(replaced('jfk.mov', 'mp4a', 'alac'))).toMatchObject({
      reason: 'unsupported',
      message: 'Its sound is Apple Lossless, which Quoth does not read.',
    });
    expect(await refusalOf(replaced('jfk.webm', 'A_OPUS', 'A_TTA1'))).toMatchObject({ reason: 'unsupported' });
    expect(await refusalOf(wavOf(original.subarray(0, 100), { tag: 17, bits: 16 }))).toMatchObject({
      reason: 'unsupported',
    });
  });

  test('a film without sound, and one that was cut off before its table', async () => {
    expect(await refusalOf(replaced('jfk.m4a', 'soun', 'subt'))).toMatchObject({ reason: 'no-text' });
    const bytes = bytesOf('jfk.m4a');
    expect(await refusalOf(bytes.slice(0, 20_000))).toMatchObject({ reason: 'damaged' });
  });
});
