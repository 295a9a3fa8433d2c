/** Temporal noise shaping: a filter along the spectrum gives the noise the shape of the sound (ISO/IEC 14496-3, 4.6.9). */
import type { BitReader } from './bits.ts';
import type { Layout } from './channel.ts';
import { longShapedBands, shortShapedBands } from './tables.ts';

type Filter = { numBands: number; isDownward: boolean; coefficients: Float64Array };
/** By window, the filters from the top down. */
export type Shaping = Filter[][];

const mostOrder = 20;

export function readShaping(bits: BitReader, isShort: boolean): Shaping {
  return Array.from({ length: isShort ? 8 : 1 }, () => {
    const numFilters = bits.read(isShort ? 1 : 2);
    const resolution = numFilters > 0 ? 3 + bits.read(1) : 0;
    return Array.from({ length: numFilters }, () => {
      const numBands = bits.read(isShort ? 4 : 6);
      const order = bits.read(isShort ? 3 : 5);
      if (order > mostOrder) throw new Error('A filter of it is too long.');
      if (order === 0) return { numBands, isDownward: false, coefficients: new Float64Array(0) };
      const isDownward = bits.flag();
      const width = resolution - bits.read(1);
      const reflections = Array.from({ length: order }, () => {
        const raw = bits.read(width);
        const value = raw >= 2 ** (width - 1) ? raw - 2 ** width : raw;
        const steps = 2 ** (resolution - 1) + (value >= 0 ? -0.5 : 0.5);
        return Math.sin((value * Math.PI) / 2 / steps);
      });
      return { numBands, isDownward, coefficients: toPredictor(reflections) };
    });
  });
}

/** Reflection coefficients → the filter's own, from the first on. */
function toPredictor(reflections: readonly number[]): Float64Array {
  const filter = new Float64Array(reflections.length);
  for (const [length, reflection] of reflections.entries()) {
    const before = filter.slice(0, length);
    for (let index = 0; index < length; index++)
      filter[index] = before[index]! + reflection * before[length - 1 - index]!;
    filter[length] = reflection;
  }
  return filter;
}

/** Undoes the filters, in place. */
export function shape(spectrum: Float32Array, shaping: Shaping, layout: Layout, rateIndex: number): void {
  const { sequence, bands, numBands, windowSamples } = layout;
  const reach = Math.min(numBands, (sequence === 'short' ? shortShapedBands : longShapedBands)[rateIndex]!);
  for (const [window, filters] of shaping.entries()) {
    let top = bands.length - 1;
    for (const { numBands: length, isDownward, coefficients } of filters) {
      const bottom = Math.max(0, top - length);
      const from = bands[Math.min(bottom, reach)]!;
      const to = bands[Math.min(top, reach)]!;
      top = bottom;
      const step = isDownward ? -1 : 1;
      const first = window * windowSamples + (isDownward ? to - 1 : from);
      for (let index = 0; index < to - from; index++) {
        const at = first + index * step;
        let value = spectrum[at]!;
        const order = Math.min(index, coefficients.length);
        for (let back = 1; back <= order; back++) value -= coefficients[back - 1]! * spectrum[at - back * step]!;
        spectrum[at] = value;
      }
    }
  }
}
