import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import {
  createFeatureExtractor,
  numFrames,
  sampleRate,
  stretchSamples,
} from '../../../ingest/speech/whisper/features.ts';

/** Made by features.py beside this file. */
const reference = JSON.parse(readFileSync(new URL('features.json', import.meta.url), 'utf8')) as {
  frames: number[];
  features: number[][];
};

function signal(): Float32Array {
  let state = 12345;
  return Float32Array.from({ length: 7 * sampleRate }, (_, index) => {
    state = Number((BigInt(state) * 1103515245n + 12345n) % 2n ** 31n);
    const t = index / sampleRate;
    const tone = (hertz: number): number => Math.sin(2 * Math.PI * hertz * t);
    const swelling = 0.3 * tone(220) * Math.abs(Math.sin(t));
    const rising = 0.1 * Math.sin(2 * Math.PI * 5100 * t * (1 + 0.01 * t));
    return swelling + 0.2 * tone(1730) + rising + 0.02 * (state / 2 ** 30 - 1);
  });
}

test('what Whisper hears are the numbers of its published extractor, to four places', () => {
  const features = createFeatureExtractor()(signal());
  expect(features).toHaveLength(80 * numFrames);
  let worst = 0;
  for (const [index, frame] of reference.frames.entries())
    for (const [band, expected] of reference.features[index]!.entries())
      worst = Math.max(worst, Math.abs(features[band * numFrames + frame]! - expected));
  expect(worst).toBeLessThan(1e-4);
});

test('a recording of nothing is silence in every band, and so is what follows a short one', () => {
  const extract = createFeatureExtractor();
  expect(new Set(extract(new Float32Array(0)))).toEqual(new Set([-1.5]));
  expect(extract(new Float32Array(stretchSamples)).every((value) => value === -1.5)).toBe(true);
});
