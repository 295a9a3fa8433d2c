/**
 * AAC of low complexity → sound (ISO/IEC 14496-3, subpart 4). Of HE-AAC the base is decoded, which holds all that speech needs: its
 * rate is half the file's, 22,050 or 24,000 Hz, and Whisper hears 16,000.
 *
 * Written for speech to text: 1,024 samples a frame, mono or pairs, no coupling between channels, no frames of 960.
 */
import { type BitReader, createBitReader } from './bits.ts';
import { type Channel, intensityMinusBook, intensityPlusBook, noiseBook, readChannel, readLayout } from './channel.ts';
import type { AacConfig } from './config.ts';
import { createFilterBank } from './filter-bank.ts';
import { shape } from './shaping.ts';

/** One frame without its head → channels of 1,024 samples from -1 to 1. Throws for one that is damaged. */
export type AacDecoder = (frame: Uint8Array) => Float32Array[];

const elements = { single: 0, pair: 1, coupling: 2, low: 3, data: 4, program: 5, fill: 6, end: 7 };
const mostChannels = 8;

export function createAacDecoder({ rateIndex }: AacConfig): AacDecoder {
  const banks: ReturnType<typeof createFilterBank>[] = [];
  let seed = 1;
  const random = (): number => {
    seed = (Math.imul(seed, 1664525) + 1013904223) | 0;
    return seed / 2 ** 31;
  };

  function sound(channel: Channel, index: number): Float32Array {
    const { layout, shaping, spectrum } = channel;
    if (shaping) shape(spectrum, shaping, layout, rateIndex);
    banks[index] ??= createFilterBank();
    const samples = banks[index]!(spectrum, layout.sequence, layout.shape);
    for (let at = 0; at < samples.length; at++) samples[at]! /= 32768;
    return samples;
  }

  return (frame) => {
    const bits = createBitReader(frame);
    const channels: Float32Array[] = [];
    while (bits.left() >= 3) {
      const element = bits.read(3);
      if (element === elements.end) break;
      if (channels.length >= mostChannels) throw new Error('It has too many channels.');
      if (element === elements.single || element === elements.low) {
        bits.skip(4);
        const channel = readChannel(bits, rateIndex, null, random);
        // The low frequencies' own loudspeaker says nothing.
        if (element === elements.single) channels.push(sound(channel, channels.length));
      } else if (element === elements.pair) {
        for (const channel of readPair(bits, rateIndex, random)) channels.push(sound(channel, channels.length));
      } else if (element === elements.data) skipData(bits);
      else if (element === elements.fill) {
        const count = bits.read(4);
        bits.skip(8 * (count === 15 ? 14 + bits.read(8) : count));
      } else if (element === elements.program) skipProgram(bits);
      else throw new Error('It couples its channels, which is not read.');
    }
    return channels;
  };
}

function readPair(bits: BitReader, rateIndex: number, random: () => number): [Channel, Channel] {
  bits.skip(4);
  const shared = bits.flag() ? readLayout(bits, rateIndex) : null;
  const numFlags = shared ? shared.groups.length * shared.numBands : 0;
  const mode = shared ? bits.read(2) : 0;
  if (mode === 3) throw new Error('Its pair of channels is of no known kind.');
  const isMiddle = Array.from({ length: numFlags }, () => (mode === 1 ? bits.flag() : mode === 2));
  const left = readChannel(bits, rateIndex, shared, random);
  const right = readChannel(bits, rateIndex, shared, random);
  if (shared) joinPair(left, right, isMiddle, mode === 1);
  return [left, right];
}

/** Middle and side become left and right; a right channel that is only a place becomes that share of the left (4.6.8). */
function joinPair(left: Channel, right: Channel, isMiddle: readonly boolean[], mayTurn: boolean): void {
  const { groups, numBands, bands, windowSamples } = left.layout;
  let firstWindow = 0;
  for (const [group, numWindows] of groups.entries()) {
    for (let band = 0; band < numBands; band++) {
      const index = group * numBands + band;
      const [leftBook, rightBook] = [left.books[index]!, right.books[index]!];
      const isPlace = rightBook === intensityPlusBook || rightBook === intensityMinusBook;
      if (!isPlace && (!isMiddle[index] || leftBook === noiseBook || rightBook === noiseBook)) continue;
      const sign = (rightBook === intensityPlusBook ? 1 : -1) * (mayTurn && isMiddle[index] ? -1 : 1);
      const share = isPlace ? sign * 2 ** (-0.25 * right.scales[index]!) : 0;
      for (let window = firstWindow; window < firstWindow + numWindows; window++) {
        const start = window * windowSamples;
        for (let at = start + bands[band]!; at < start + bands[band + 1]!; at++) {
          const [middle, side] = [left.spectrum[at]!, right.spectrum[at]!];
          if (isPlace) right.spectrum[at] = middle * share;
          else {
            left.spectrum[at] = middle + side;
            right.spectrum[at] = middle - side;
          }
        }
      }
    }
    firstWindow += numWindows;
  }
}

function skipData(bits: BitReader): void {
  bits.skip(4);
  const isAligned = bits.flag();
  const count = bits.read(8);
  const numBytes = count === 255 ? 255 + bits.read(8) : count;
  if (isAligned) bits.align();
  bits.skip(8 * numBytes);
}

/** What is where in a room full of loudspeakers. */
function skipProgram(bits: BitReader): void {
  bits.skip(4 + 2 + 4);
  const counts = [bits.read(4), bits.read(4), bits.read(4)];
  const numLow = bits.read(2);
  const numData = bits.read(3);
  const numCoupled = bits.read(4);
  if (bits.flag()) bits.skip(4);
  if (bits.flag()) bits.skip(4);
  if (bits.flag()) bits.skip(3);
  bits.skip(5 * (counts[0]! + counts[1]! + counts[2]!) + 4 * numLow + 4 * numData + 5 * numCoupled);
  bits.align();
  bits.skip(8 * bits.read(8));
}
