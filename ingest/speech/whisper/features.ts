/**
 * What Whisper hears: the logarithm of the power in 80 bands of the mel scale, every 10 ms of a stretch of 30 s (Radford et al.
 * 2022, section 2.2; the bands are those of Slaney's Auditory Toolbox, 1998).
 */
import { createTransform } from './fourier.ts';

export const sampleRate = 16_000;
export const stretchSeconds = 30;
export const stretchSamples = stretchSeconds * sampleRate;
export const hopSamples = 160;
export const numFrames = stretchSamples / hopSamples;
const windowSamples = 400;
const numFrequencies = windowSamples / 2 + 1;

/** `samples`: at most 30 s at 16 kHz from -1 to 1; what is missing counts as silence. float32 [numBands, numFrames]. */
export type FeatureExtractor = (samples: Float32Array) => Float32Array;

export function createFeatureExtractor(numBands = 80): FeatureExtractor {
  const bands = melBands(numBands);
  const transform = createTransform(windowSamples);
  const hann = new Float64Array(windowSamples);
  for (let index = 0; index < windowSamples; index++)
    hann[index] = 0.5 - 0.5 * Math.cos((2 * Math.PI * index) / windowSamples);
  const real = new Float64Array(windowSamples);
  const imaginary = new Float64Array(windowSamples);
  const power = [new Float64Array(numFrequencies), new Float64Array(numFrequencies)] as const;

  return (samples) => {
    const features = new Float32Array(numBands * numFrames);
    const silence = Math.log10(1e-10);
    features.fill(silence);
    // Frames are centred; before the first sample, and after 30 s, the samples are mirrored.
    const sampleAt = (index: number): number => {
      const mirrored = index < 0 ? -index : index >= stretchSamples ? 2 * stretchSamples - 2 - index : index;
      return samples[mirrored] ?? 0;
    };
    const usedFrames = Math.min(numFrames, Math.ceil((samples.length + windowSamples) / hopSamples));
    let loudest = silence;
    // Two real frames at a time: as the real and the imaginary part of one complex transform.
    for (let frame = 0; frame < usedFrames; frame += 2) {
      const start = frame * hopSamples - windowSamples / 2;
      for (let index = 0; index < windowSamples; index++) {
        real[index] = sampleAt(start + index) * hann[index]!;
        imaginary[index] = sampleAt(start + hopSamples + index) * hann[index]!;
      }
      transform(real, imaginary);
      for (let bin = 0; bin < numFrequencies; bin++) {
        const mirror = (windowSamples - bin) % windowSamples;
        const [a, b, c, d] = [real[bin]!, imaginary[bin]!, real[mirror]!, imaginary[mirror]!];
        power[0][bin] = ((a + c) ** 2 + (b - d) ** 2) / 4;
        power[1][bin] = ((b + d) ** 2 + (c - a) ** 2) / 4;
      }
      for (let band = 0; band < numBands; band++) {
        const { first, weights } = bands[band]!;
        for (let offset = 0; offset < 2 && frame + offset < numFrames; offset++) {
          let sum = 0;
          const spectrum = power[offset as 0 | 1];
          for (let index = 0; index < weights.length; index++) sum += weights[index]! * spectrum[first + index]!;
          const value = Math.log10(Math.max(1e-10, sum));
          features[band * numFrames + frame + offset] = value;
          if (value > loudest) loudest = value;
        }
      }
    }
    for (let index = 0; index < features.length; index++)
      features[index] = (Math.max(features[index]!, loudest - 8) + 4) / 4;
    return features;
  };
}

/** A band as a triangle over the frequencies, from the first one that it weighs. */
type Band = { first: number; weights: Float64Array };

/** Each triangle reaches from the middle of the band below to that of the band above, and has the same area. */
function melBands(numBands: number): Band[] {
  const most = hertzToMel(sampleRate / 2);
  const middles = Array.from({ length: numBands + 2 }, (_, index) => melToHertz((most * index) / (numBands + 1)));
  return Array.from({ length: numBands }, (_, band) => {
    const [low, middle, high] = [middles[band]!, middles[band + 1]!, middles[band + 2]!];
    const weights = Array.from({ length: numFrequencies }, (_, bin) => {
      const hertz = (bin * sampleRate) / windowSamples;
      const weight = Math.min((hertz - low) / (middle - low), (high - hertz) / (high - middle));
      return Math.max(0, weight) * (2 / (high - low));
    });
    const first = Math.max(
      0,
      weights.findIndex((weight) => weight > 0),
    );
    const last = weights.findLastIndex((weight) => weight > 0);
    return { first, weights: Float64Array.from(weights.slice(first, last + 1)) };
  });
}

/** Slaney's scale is a line up to 1,000 Hz and a logarithm above. */
const linearMelHertz = 200 / 3;
const melStep = Math.log(6.4) / 27;

function hertzToMel(hertz: number): number {
  return hertz < 1000 ? hertz / linearMelHertz : 1000 / linearMelHertz + Math.log(hertz / 1000) / melStep;
}

function melToHertz(mel: number): number {
  const corner = 1000 / linearMelHertz;
  return mel < corner ? mel * linearMelHertz : 1000 * Math.exp(melStep * (mel - corner));
}
