/** What kind of AAC a file holds: the AudioSpecificConfig of MP4 and Matroska, and the heads of ADTS frames (ISO/IEC 14496-3, 1.6 and 1.A). */
import { type BitReader, createBitReader } from './bits.ts';
import { sampleRates } from './tables.ts';

export type AacConfig = {
  sampleRate: number;
  /** Of `sampleRates`; a rate between two of them has the bands of the nearest. */
  rateIndex: number;
};

const lowComplexity = 2;
const bandReplication = 5;
const parametricStereo = 29;

/** Null for a kind of AAC that is not read: any but low complexity, alone or as the base of HE-AAC. */
export function readConfig(bytes: Uint8Array): AacConfig | null {
  const bits = createBitReader(bytes);
  let kind = readKind(bits);
  const rate = readRate(bits);
  bits.skip(4); // channels: the frames say
  if (kind === bandReplication || kind === parametricStereo) {
    // HE-AAC: what is above the base's own rate is left out. Speech is below.
    readRate(bits);
    kind = readKind(bits);
  }
  if (kind !== lowComplexity || rate === null) return null;
  const hasShortFrames = bits.flag();
  return hasShortFrames ? null : rate;
}

function readKind(bits: BitReader): number {
  const kind = bits.read(5);
  return kind === 31 ? 32 + bits.read(6) : kind;
}

function readRate(bits: BitReader): AacConfig | null {
  const index = bits.read(4);
  if (index === 15) return configOfRate(bits.read(24));
  const sampleRate = sampleRates[index];
  return sampleRate === undefined ? null : { sampleRate, rateIndex: index };
}

function configOfRate(sampleRate: number): AacConfig | null {
  if (sampleRate < 7000 || sampleRate > 100_000) return null;
  const distances = sampleRates.map((known) => Math.abs(known - sampleRate));
  return { sampleRate, rateIndex: distances.indexOf(Math.min(...distances)) };
}

export type AdtsHead = { config: AacConfig | null; headBytes: number; frameBytes: number; isSingle: boolean };

/** Null where no frame begins. `bytes`: at least 7. */
export function readAdtsHead(bytes: Uint8Array, at: number): AdtsHead | null {
  if (bytes[at] !== 0xff || (bytes[at + 1]! & 0xf6) !== 0xf0) return null;
  const third = bytes[at + 2]!;
  const index = (third >> 2) & 15;
  const sampleRate = sampleRates[index];
  const headBytes = (bytes[at + 1]! & 1) === 1 ? 7 : 9;
  const frameBytes = ((bytes[at + 3]! & 3) << 11) | (bytes[at + 4]! << 3) | (bytes[at + 5]! >> 5);
  if (sampleRate === undefined || frameBytes <= headBytes) return null;
  const isLow = third >> 6 === lowComplexity - 1;
  return {
    config: isLow ? { sampleRate, rateIndex: index } : null,
    headBytes,
    frameBytes,
    isSingle: (bytes[at + 6]! & 3) === 0,
  };
}
