/** From spectrum to sound: the inverse modified discrete cosine transform, windows and their overlap (ISO/IEC 14496-3, 4.6.11). */
import { createTransform } from '../../whisper/fourier.ts';

export type WindowSequence = 'long' | 'start' | 'short' | 'stop';
export const windowSequences: readonly WindowSequence[] = ['long', 'start', 'short', 'stop'];

const frameSamples = 1024;
const shortSamples = 128;
/** Between a frame's edge and its short windows. */
const flatSamples = (frameSamples - shortSamples) / 2;

/** `numInputs` coefficients → twice as many samples. */
function createInverse(numInputs: number): (spectrum: Float32Array, from: number, out: Float64Array) => void {
  const quarter = numInputs / 2;
  const transform = createTransform(quarter);
  const real = new Float64Array(quarter);
  const imaginary = new Float64Array(quarter);
  const cosines = new Float64Array(quarter);
  const sines = new Float64Array(quarter);
  for (let index = 0; index < quarter; index++) {
    const angle = (Math.PI / numInputs) * (index + 1 / 8);
    cosines[index] = Math.cos(angle);
    sines[index] = Math.sin(angle);
  }
  const folded = new Float64Array(numInputs);
  return (spectrum, from, out) => {
    for (let index = 0; index < quarter; index++) {
      const even = spectrum[from + 2 * index]!;
      const odd = spectrum[from + numInputs - 1 - 2 * index]!;
      const [c, s] = [cosines[index]!, sines[index]!];
      real[index] = even * c + odd * s;
      imaginary[index] = odd * c - even * s;
    }
    transform(real, imaginary);
    // A type IV cosine transform of the spectrum, from which the samples are unfolded.
    for (let index = 0; index < quarter; index++) {
      const [c, s] = [cosines[index]!, sines[index]!];
      folded[2 * index] = real[index]! * c + imaginary[index]! * s;
      folded[numInputs - 1 - 2 * index] = real[index]! * s - imaginary[index]! * c;
    }
    const half = numInputs / 2;
    const scale = 1 / numInputs;
    for (let index = 0; index < half; index++) {
      out[index] = folded[half + index]! * scale;
      out[half + index] = -folded[numInputs - 1 - index]! * scale;
      out[numInputs + index] = -folded[half - 1 - index]! * scale;
      out[numInputs + half + index] = -folded[index]! * scale;
    }
  };
}

function sineSlope(length: number): Float64Array {
  return Float64Array.from({ length }, (_, index) => Math.sin((Math.PI / (2 * length)) * (index + 0.5)));
}

/** Kaiser's window, summed up (4.6.11.3.2). */
function kaiserSlope(length: number, alpha: number): Float64Array {
  const bessel = (x: number): number => {
    let sum = 1;
    for (let term = 1, factor = 1; factor > 1e-18 * sum; term++) {
      factor *= (x / 2 / term) ** 2;
      sum += factor;
    }
    return sum;
  };
  const values = Array.from({ length: length + 1 }, (_, index) =>
    bessel(Math.PI * alpha * Math.sqrt(1 - ((2 * index) / length - 1) ** 2)),
  );
  const total = values.reduce((sum, value) => sum + value, 0);
  let sum = 0;
  return Float64Array.from({ length }, (_, index) => {
    sum += values[index]!;
    return Math.sqrt(sum / total);
  });
}

let shared: {
  long: ReturnType<typeof createInverse>;
  short: ReturnType<typeof createInverse>;
  slopes: Float64Array[][];
};
function parts(): typeof shared {
  shared ??= {
    long: createInverse(frameSamples),
    short: createInverse(shortSamples),
    // By the window's shape: sine, Kaiser.
    slopes: [
      [sineSlope(frameSamples), sineSlope(shortSamples)],
      [kaiserSlope(frameSamples, 4), kaiserSlope(shortSamples, 6)],
    ],
  };
  return shared;
}

/** For one channel: what overlaps with the next frame stays here. `shape`: 0 sine, 1 Kaiser. 1,024 samples of 16 bits' scale. */
export function createFilterBank(): (spectrum: Float32Array, sequence: WindowSequence, shape: number) => Float32Array {
  const { long, short, slopes } = parts();
  const overlap = new Float64Array(frameSamples);
  const samples = new Float64Array(2 * frameSamples);
  const shortOut = new Float64Array(2 * shortSamples);
  let lastShape = 0;

  return (spectrum, sequence, shape) => {
    const [longRise, shortRise] = slopes[lastShape]! as [Float64Array, Float64Array];
    const [longFall, shortFall] = slopes[shape]! as [Float64Array, Float64Array];
    lastShape = shape;
    if (sequence === 'short') {
      samples.fill(0);
      for (let window = 0; window < 8; window++) {
        short(spectrum, window * shortSamples, shortOut);
        const rise = window === 0 ? shortRise : shortFall;
        const at = flatSamples + window * shortSamples;
        for (let index = 0; index < shortSamples; index++) {
          samples[at + index]! += shortOut[index]! * rise[index]!;
          samples[at + shortSamples + index]! += shortOut[shortSamples + index]! * shortFall[shortSamples - 1 - index]!;
        }
      }
    } else {
      long(spectrum, 0, samples);
      if (sequence === 'stop') {
        samples.fill(0, 0, flatSamples);
        for (let index = 0; index < shortSamples; index++) samples[flatSamples + index]! *= shortRise[index]!;
      } else for (let index = 0; index < frameSamples; index++) samples[index]! *= longRise[index]!;
      if (sequence === 'start') {
        const at = frameSamples + flatSamples;
        for (let index = 0; index < shortSamples; index++) samples[at + index]! *= shortFall[shortSamples - 1 - index]!;
        samples.fill(0, at + shortSamples);
      } else
        for (let index = 0; index < frameSamples; index++)
          samples[frameSamples + index]! *= longFall[frameSamples - 1 - index]!;
    }
    const out = new Float32Array(frameSamples);
    for (let index = 0; index < frameSamples; index++) {
      out[index] = samples[index]! + overlap[index]!;
      overlap[index] = samples[frameSamples + index]!;
    }
    return out;
  };
}

/** For tests: the transform alone. */
export const inverseTransformOf = createInverse;
