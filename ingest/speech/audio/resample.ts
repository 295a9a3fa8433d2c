/** Sound of any rate → mono of another rate: the mean of its channels, through a windowed sinc (Smith and Gossett 1984). */
import type { Sound } from './sound.ts';

/** Zero crossings of the sinc on each side: 80 dB of what would fold back is gone. */
const numCrossings = 16;
/** The share of the lower rate's band that is kept. */
const keptBand = 0.92;

export type Resampler = (samples: Float32Array) => Float32Array;

/** Keeps what it still needs from piece to piece. */
export function createResampler(fromRate: number, toRate: number): Resampler {
  const [from, to] = [Math.round(fromRate), toRate];
  if (from === to) return (samples) => samples;
  const divisor = greatestCommonDivisor(from, to);
  const numPhases = to / divisor;
  const step = from / divisor;
  const cut = Math.min(1, to / from) * keptBand;
  const halfTaps = Math.ceil(numCrossings / cut);
  const numTaps = 2 * halfTaps;
  const phases: (Float32Array | undefined)[] = new Array(numPhases);
  /** The filter for an output that lies `phase / numPhases` after an input. */
  const phaseOf = (phase: number): Float32Array => {
    const known = phases[phase];
    if (known) return known;
    const taps = new Float32Array(numTaps);
    let sum = 0;
    for (let tap = 0; tap < numTaps; tap++) {
      const distance = tap - halfTaps + 1 - phase / numPhases;
      const x = Math.PI * cut * distance;
      const hann = 0.5 + 0.5 * Math.cos((Math.PI * distance) / (halfTaps + 1));
      taps[tap] = (x === 0 ? 1 : Math.sin(x) / x) * hann;
      sum += taps[tap]!;
    }
    for (let tap = 0; tap < numTaps; tap++) taps[tap]! /= sum;
    phases[phase] = taps;
    return taps;
  };

  let held = new Float32Array(halfTaps); // silence before the first sample
  /** Where the next output lies: in `held`, and how far behind that sample. */
  let at = halfTaps;
  let phase = 0;
  return (samples) => {
    const input = new Float32Array(held.length + samples.length);
    input.set(held);
    input.set(samples, held.length);
    const out = new Float32Array(Math.max(0, Math.ceil(((input.length - halfTaps - at) * numPhases) / step) + 1));
    let numOut = 0;
    while (at + halfTaps < input.length) {
      const taps = phaseOf(phase);
      const first = at - halfTaps + 1;
      let sum = 0;
      for (let tap = 0; tap < numTaps; tap++) sum += taps[tap]! * input[first + tap]!;
      out[numOut++] = sum;
      phase += step;
      at += Math.floor(phase / numPhases);
      phase %= numPhases;
    }
    const drop = Math.min(input.length, Math.max(0, at - halfTaps));
    held = input.slice(drop);
    at -= drop;
    return out.subarray(0, numOut);
  };
}

export function monoOf({ channels }: Sound): Float32Array {
  const [first] = channels;
  if (!first || channels.length === 1) return first ?? new Float32Array(0);
  const mono = new Float32Array(first.length);
  for (const channel of channels) for (let index = 0; index < mono.length; index++) mono[index]! += channel[index]!;
  for (let index = 0; index < mono.length; index++) mono[index]! /= channels.length;
  return mono;
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
