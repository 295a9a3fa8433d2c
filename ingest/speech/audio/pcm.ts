/** Sound that is not packed: samples as they are, and the two laws of telephones (ITU-T G.711). */
import { ReadingRefused } from '../../readers/refusal.ts';
import { type PacketDecoder, type Sound, soundOf } from './sound.ts';

export type PcmFormat = {
  coding: 'integer' | 'float' | 'a-law' | 'mu-law';
  bitsPerSample: number;
  isBigEndian: boolean;
  /** Of 8 bits: from 0 to 255 and not from -128. */
  isUnsigned: boolean;
  numChannels: number;
  sampleRate: number;
};

const mostChannels = 64;

/** Throws for a format that cannot be. */
export function createPcmDecoder(format: PcmFormat): PacketDecoder {
  const { bitsPerSample, numChannels, sampleRate } = format;
  const read = readerOf(format);
  if (!read || numChannels < 1 || numChannels > mostChannels)
    throw new ReadingRefused('unsupported', `Its sound has ${bitsPerSample} bits in ${numChannels} channels.`);
  const sampleBytes = bitsPerSample / 8;
  const frameBytes = sampleBytes * numChannels;
  let rest = new Uint8Array(0);
  return {
    async decode(packet): Promise<Sound[]> {
      const bytes = new Uint8Array(rest.length + packet.length);
      bytes.set(rest);
      bytes.set(packet, rest.length);
      const numFrames = Math.floor(bytes.length / frameBytes);
      rest = bytes.slice(numFrames * frameBytes);
      const view = new DataView(bytes.buffer);
      const channels = Array.from({ length: Math.min(8, numChannels) }, (_, channel) => {
        const samples = new Float32Array(numFrames);
        for (let frame = 0; frame < numFrames; frame++) {
          const sample = read(view, frame * frameBytes + channel * sampleBytes);
          samples[frame] = Number.isFinite(sample) ? sample : 0;
        }
        return samples;
      });
      return soundOf(channels, sampleRate);
    },
    finish: async () => [],
    close() {},
  };
}

function readerOf({ coding, bitsPerSample, isBigEndian, isUnsigned }: PcmFormat) {
  const little = !isBigEndian;
  switch (`${coding} ${bitsPerSample}`) {
    case 'integer 8':
      return (view: DataView, at: number) => (isUnsigned ? view.getUint8(at) - 128 : view.getInt8(at)) / 128;
    case 'integer 16':
      return (view: DataView, at: number) => view.getInt16(at, little) / 32_768;
    case 'integer 24':
      return (view: DataView, at: number) => {
        const [high, low] = little ? [at + 2, at] : [at, at + 2];
        return (view.getInt8(high) * 65_536 + view.getUint8(at + 1) * 256 + view.getUint8(low)) / 2 ** 23;
      };
    case 'integer 32':
      return (view: DataView, at: number) => view.getInt32(at, little) / 2 ** 31;
    case 'float 32':
      return (view: DataView, at: number) => view.getFloat32(at, little);
    case 'float 64':
      return (view: DataView, at: number) => view.getFloat64(at, little);
    case 'a-law 8':
      return (view: DataView, at: number) => fromALaw(view.getUint8(at));
    case 'mu-law 8':
      return (view: DataView, at: number) => fromMuLaw(view.getUint8(at));
    default:
      return null;
  }
}

function fromMuLaw(byte: number): number {
  const code = ~byte & 0xff;
  const size = ((((code & 15) << 3) + 132) << ((code >> 4) & 7)) - 132;
  return (code & 128 ? -size : size) / 32_768;
}

function fromALaw(byte: number): number {
  const code = byte ^ 0x55;
  const exponent = (code >> 4) & 7;
  const base = ((code & 15) << 4) + 8;
  const size = exponent === 0 ? base : (base + 256) << (exponent - 1);
  return (code & 128 ? size : -size) / 32_768;
}
