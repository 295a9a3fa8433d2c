/** One channel of a frame: bits → spectrum (ISO/IEC 14496-3, 4.4.2.7 and 4.6). */
import type { BitReader } from './bits.ts';
import { codeSize, readScaleStep, spectralCodes } from './codes.ts';
import { type WindowSequence, windowSequences } from './filter-bank.ts';
import { readShaping, type Shaping } from './shaping.ts';
import { longBands, shortBands } from './tables.ts';

/** How a frame's 1,024 coefficients are laid out; two channels may share one. */
export type Layout = {
  sequence: WindowSequence;
  shape: number;
  /** Windows of each group; a long window is a group of one. */
  groups: number[];
  numBands: number;
  /** Where each band begins in a window. */
  bands: Uint16Array;
  windowSamples: number;
};

export const zeroBook = 0;
export const noiseBook = 13;
export const intensityMinusBook = 14;
export const intensityPlusBook = 15;

export type Channel = {
  layout: Layout;
  /** By group and band, `group * numBands + band`: codebook, and scale factor, noise energy or intensity position. */
  books: Uint8Array;
  scales: Int32Array;
  shaping: Shaping | null;
  spectrum: Float32Array;
};

export function readLayout(bits: BitReader, rateIndex: number): Layout {
  bits.skip(1);
  const sequence = windowSequences[bits.read(2)]!;
  const shape = bits.read(1);
  const isShort = sequence === 'short';
  const bands = (isShort ? shortBands : longBands)[rateIndex]!;
  const numBands = bits.read(isShort ? 4 : 6);
  if (numBands >= bands.length) throw new Error('It has more bands than there are.');
  const groups = [1];
  if (isShort)
    for (let window = 1; window < 8; window++)
      if (bits.flag()) groups[groups.length - 1]! += 1;
      else groups.push(1);
  else if (bits.flag()) throw new Error('It predicts, which low complexity does not.');
  return { sequence, shape, groups, numBands, bands, windowSamples: isShort ? 128 : 1024 };
}

const pow43 = Float64Array.from({ length: 8192 }, (_, value) => value ** (4 / 3));
const mostScale = 255;

/** `shared`: the layout that both channels of a pair have. `random` from -1 to 1, for what is noise. */
export function readChannel(bits: BitReader, rateIndex: number, shared: Layout | null, random: () => number): Channel {
  const globalGain = bits.read(8);
  const layout = shared ?? readLayout(bits, rateIndex);
  const books = readBooks(bits, layout);
  const scales = readScales(bits, layout, books, globalGain);
  const pulses = bits.flag() ? readPulses(bits, layout) : [];
  const shaping = bits.flag() ? readShaping(bits, layout.sequence === 'short') : null;
  if (bits.flag()) throw new Error('It controls its gain, which low complexity does not.');
  const spectrum = readSpectrum(bits, layout, books, scales, pulses, random);
  return { layout, books, scales, shaping, spectrum };
}

function readBooks(bits: BitReader, { sequence, groups, numBands }: Layout): Uint8Array {
  const books = new Uint8Array(groups.length * numBands);
  const lengthBits = sequence === 'short' ? 3 : 5;
  const goesOn = 2 ** lengthBits - 1;
  for (let group = 0; group < groups.length; group++)
    for (let band = 0; band < numBands; ) {
      const book = bits.read(4);
      if (book === 12) throw new Error('It has a codebook that there is not.');
      let length = 0;
      for (let part = goesOn; part === goesOn; ) {
        part = bits.read(lengthBits);
        length += part;
        if (band + length > numBands) throw new Error('A section of it is too long.');
      }
      books.fill(book, group * numBands + band, group * numBands + band + length);
      band += length;
      if (length === 0 && bits.left() < lengthBits + 4) throw new Error('It ends within a frame.');
    }
  return books;
}

function readScales(bits: BitReader, _layout: Layout, books: Uint8Array, globalGain: number): Int32Array {
  const scales = new Int32Array(books.length);
  let scale = globalGain;
  let noise = globalGain - 90;
  let isFirstNoise = true;
  let position = 0;
  for (const [index, book] of books.entries()) {
    if (book === zeroBook) continue;
    if (book === intensityMinusBook || book === intensityPlusBook) scales[index] = position += readScaleStep(bits);
    else if (book === noiseBook) {
      noise += isFirstNoise ? bits.read(9) - 256 : readScaleStep(bits);
      isFirstNoise = false;
      scales[index] = noise;
    } else {
      scale += readScaleStep(bits);
      if (scale < 0 || scale > mostScale) throw new Error('A scale factor of it is too large.');
      scales[index] = scale;
    }
  }
  return scales;
}

type Pulse = { at: number; height: number };

function readPulses(bits: BitReader, { sequence, numBands, bands }: Layout): Pulse[] {
  if (sequence === 'short') throw new Error('It has pulses in short windows.');
  const count = bits.read(2) + 1;
  const band = bits.read(6);
  if (band > numBands) throw new Error('A pulse of it lies outside.');
  let at = bands[band]!;
  return Array.from({ length: count }, () => {
    at += bits.read(5);
    if (at >= 1024) throw new Error('A pulse of it lies outside.');
    return { at, height: bits.read(4) };
  });
}

function readSpectrum(
  bits: BitReader,
  { groups, numBands, bands, windowSamples }: Layout,
  books: Uint8Array,
  scales: Int32Array,
  pulses: readonly Pulse[],
  random: () => number,
): Float32Array {
  const spectrum = new Float32Array(1024);
  const values = new Int32Array(1024);
  let firstWindow = 0;
  for (const [group, numWindows] of groups.entries()) {
    for (let band = 0; band < numBands; band++) {
      const book = books[group * numBands + band]!;
      if (book === zeroBook || book >= intensityMinusBook) continue;
      const [from, to] = [bands[band]!, bands[band + 1]!];
      const scale = scales[group * numBands + band]!;
      for (let window = firstWindow; window < firstWindow + numWindows; window++) {
        const start = window * windowSamples;
        if (book === noiseBook) {
          fillNoise(spectrum, start + from, start + to, scale, random);
          continue;
        }
        const read = spectralCodes[book]!;
        for (let at = from; at < to; at += codeSize(book)) read(bits, values, start + at);
        const gain = 2 ** (0.25 * (scale - 100));
        for (const pulse of pulses)
          if (pulse.at >= from && pulse.at < to)
            values[pulse.at]! += values[pulse.at]! > 0 ? pulse.height : -pulse.height;
        for (let at = start + from; at < start + to; at++) {
          const value = values[at]!;
          const size = pow43[Math.abs(value)] ?? Math.abs(value) ** (4 / 3);
          spectrum[at] = (value < 0 ? -size : size) * gain;
        }
      }
    }
    firstWindow += numWindows;
  }
  return spectrum;
}

/** Noise of a given energy (4.6.13). */
function fillNoise(spectrum: Float32Array, from: number, to: number, scale: number, random: () => number): void {
  let energy = 0;
  for (let at = from; at < to; at++) {
    spectrum[at] = random();
    energy += spectrum[at]! ** 2;
  }
  const gain = 2 ** (0.25 * scale) / Math.sqrt(energy || 1);
  for (let at = from; at < to; at++) spectrum[at]! *= gain;
}
