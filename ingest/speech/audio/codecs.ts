/** Packed sound: which decoder reads it. MP3, Opus, FLAC and Vorbis by WebAssembly of their own libraries, AAC by our own code. */
import { ReadingRefused } from '../../readers/refusal.ts';
import { readConfig } from './aac/config.ts';
import { createAacDecoder } from './aac/decoder.ts';
import { oggPages } from './ogg-pages.ts';
import { type PacketDecoder, type Sound, soundOf } from './sound.ts';

/** As the packages answer. */
type Decoded = { channelData: Float32Array[]; samplesDecoded: number; sampleRate: number };
type Streaming = {
  ready: Promise<void>;
  decode(bytes: Uint8Array): Decoded | Promise<Decoded>;
  flush?: () => Decoded | Promise<Decoded>;
  free(): void;
};

function soundsOf({ channelData, samplesDecoded, sampleRate }: Decoded): Sound[] {
  return samplesDecoded > 0 ? soundOf(channelData, sampleRate) : [];
}

async function streaming(decoder: Streaming): Promise<PacketDecoder> {
  await decoder.ready;
  return {
    decode: async (bytes) => soundsOf(await decoder.decode(bytes)),
    finish: async () => (decoder.flush ? soundsOf(await decoder.flush()) : []),
    close: () => decoder.free(),
  };
}

/** Takes MP3 in pieces of any size. */
export async function createMp3Decoder(): Promise<PacketDecoder> {
  const { MPEGDecoder } = await import('mpg123-decoder');
  return streaming(new MPEGDecoder() as Streaming);
}

/** Takes a FLAC file in pieces of any size. */
export async function createFlacDecoder(): Promise<PacketDecoder> {
  const { FLACDecoder } = await import('@wasm-audio-decoders/flac');
  return streaming(new FLACDecoder() as Streaming);
}

/** Takes an Ogg file with Vorbis in pieces of any size. */
export async function createOggVorbisDecoder(): Promise<PacketDecoder> {
  const { OggVorbisDecoder } = await import('@wasm-audio-decoders/ogg-vorbis');
  return streaming(new OggVorbisDecoder() as Streaming);
}

/** `head`: an "OpusHead" (RFC 7845, 5.1), which MP4 and Matroska have too. Takes packets. */
export async function createOpusDecoder(head: Uint8Array): Promise<PacketDecoder> {
  const { OpusDecoder } = await import('opus-decoder');
  const numChannels = head[9] ?? 0;
  const family = head[18] ?? 0;
  if (numChannels < 1 || numChannels > 8 || (family !== 0 && head.length < 21 + numChannels))
    throw new ReadingRefused('damaged', 'Its Opus sound says nothing of its channels.');
  const layout =
    family === 0
      ? { channels: numChannels }
      : {
          channels: numChannels,
          streamCount: head[19]!,
          coupledStreamCount: head[20]!,
          channelMappingTable: [...head.subarray(21, 21 + numChannels)],
        };
  const decoder = new OpusDecoder({ ...layout, sampleRate: 16_000 });
  await decoder.ready;
  return {
    decode: async (packet) => soundsOf(decoder.decodeFrame(packet)),
    finish: async () => [],
    close: () => decoder.free(),
  };
}

/** `config`: an AudioSpecificConfig. Takes frames without heads. */
export function createAacPacketDecoder(config: Uint8Array): PacketDecoder {
  const known = readConfig(config);
  if (!known) throw new ReadingRefused('unsupported', 'Its sound is AAC of a kind that Quoth does not read.');
  const decode = createAacDecoder(known);
  return {
    async decode(frame) {
      try {
        return soundOf(decode(frame), known.sampleRate);
      } catch {
        // A frame that cannot be read is silence, so that what follows keeps its time.
        return [{ channels: [new Float32Array(1024)], sampleRate: known.sampleRate }];
      }
    },
    finish: async () => [],
    close() {},
  };
}

/** Vorbis as Matroska keeps it: three head packets in one, then packets. They are put into pages, as the decoder wants them. */
export async function createVorbisPacketDecoder(heads: Uint8Array): Promise<PacketDecoder> {
  const decoder = await createOggVorbisDecoder();
  const pages = oggPages();
  const [first, ...others] = vorbisHeads(heads);
  let sounds = await decoder.decode(pages([first!], true));
  sounds = sounds.concat(await decoder.decode(pages(others, false)));
  return { ...decoder, decode: (packet) => decoder.decode(pages([packet], false)) };
}

/** Two lengths in Xiph's lacing, then the three packets. */
function vorbisHeads(bytes: Uint8Array): Uint8Array[] {
  if (bytes[0] !== 2) throw new ReadingRefused('damaged', 'Its Vorbis sound has no head.');
  let at = 1;
  const lengths = [0, 1].map(() => {
    let length = 0;
    for (let byte = 255; byte === 255; ) {
      byte = bytes[at++] ?? 0;
      length += byte;
    }
    return length;
  });
  const [first, second] = lengths as [number, number];
  const parts = [
    bytes.subarray(at, at + first),
    bytes.subarray(at + first, at + first + second),
    bytes.subarray(at + first + second),
  ];
  if (parts.some(({ length }) => length < 7)) throw new ReadingRefused('damaged', 'Its Vorbis sound has no head.');
  return parts;
}
