/** WebM and Matroska (RFC 9559): the packets of the first sound track. Its pictures are passed over unread. */
import { ReadingRefused } from '../../readers/refusal.ts';
import type { ByteSource } from './byte-source.ts';
import {
  createAacPacketDecoder,
  createFlacDecoder,
  createMp3Decoder,
  createOpusDecoder,
  createVorbisPacketDecoder,
} from './codecs.ts';
import { elementsOf, idOf, readNumber, readUnsigned } from './ebml.ts';
import { createPcmDecoder } from './pcm.ts';
import type { PacketDecoder, Recording, Sound } from './sound.ts';

type Track = {
  number: number;
  codec: string;
  config: Uint8Array;
  sampleRate: number;
  numChannels: number;
  bits: number;
};

const mostHeadBytes = 16e6;
const soundTrack = 2;

export async function openMatroska(source: ByteSource): Promise<Recording> {
  let track: Track | null = null;
  let scale = 1e6;
  let duration: number | null = null;
  let firstCluster = source.sizeBytes;
  for await (const element of elementsOf(source, 0, source.sizeBytes)) {
    if (element.id === idOf.info || element.id === idOf.tracks) {
      if (element.length > mostHeadBytes) throw new ReadingRefused('damaged', 'Its head is too large.');
      const bytes = await source.read(element.at, element.length);
      if (element.id === idOf.tracks) track ??= trackIn(bytes);
      else
        for (const { id, body } of childrenOf(bytes)) {
          if (id === idOf.timestampScale) scale = readUnsigned(body) || scale;
          if (id === idOf.duration) duration = readNumber(body);
        }
    }
    if (element.id === idOf.cluster) {
      firstCluster = element.headAt;
      break;
    }
  }
  if (!track) throw new ReadingRefused('no-text', 'It is a film without sound.');
  const sound = track;
  const lengthSeconds = duration !== null && duration > 0 ? (duration * scale) / 1e9 : null;
  let at = 0;
  return {
    lengthSeconds: lengthSeconds !== null && Number.isFinite(lengthSeconds) ? lengthSeconds : null,
    done: () => at / Math.max(1, source.sizeBytes),
    sounds: (async function* (): AsyncIterable<Sound> {
      const decoder = await decoderOf(sound);
      try {
        for await (const block of elementsOf(source, firstCluster, source.sizeBytes)) {
          if (block.id !== idOf.simpleBlock && block.id !== idOf.block) continue;
          if (block.length > mostHeadBytes) continue;
          at = block.at;
          // The track's number is in its first bytes: pictures need not be read.
          const head = await source.read(block.at, Math.min(8, block.length));
          if (trackOf(head) !== sound.number) continue;
          for (const packet of framesOf(await source.read(block.at, block.length))) yield* await decoder.decode(packet);
        }
        yield* await decoder.finish();
      } finally {
        decoder.close();
      }
    })(),
  };
}

type Child = { id: number; body: Uint8Array };

/** The elements within bytes that are held; those whose own children matter are opened by the caller. */
function childrenOf(bytes: Uint8Array): Child[] {
  const children: Child[] = [];
  for (let at = 0; at < bytes.length; ) {
    const id = readVarint(bytes, at, true);
    const length = id && readVarint(bytes, at + id.numBytes, false);
    if (!id || !length) break;
    const from = at + id.numBytes + length.numBytes;
    if (from + length.value > bytes.length) break;
    children.push({ id: id.value, body: bytes.subarray(from, from + length.value) });
    at = from + length.value;
  }
  return children;
}

function readVarint(bytes: Uint8Array, at: number, keepMarker: boolean): { value: number; numBytes: number } | null {
  const first = bytes[at];
  if (!first) return null;
  const numBytes = Math.clz32(first) - 23;
  if (at + numBytes > bytes.length) return null;
  let value = keepMarker ? first : first & (0xff >> numBytes);
  for (let index = 1; index < numBytes; index++) value = value * 256 + bytes[at + index]!;
  return { value, numBytes };
}

function trackIn(bytes: Uint8Array): Track | null {
  for (const entry of childrenOf(bytes)) {
    if (entry.id !== idOf.trackEntry) continue;
    const track: Track = {
      number: 0,
      codec: '',
      config: new Uint8Array(0),
      sampleRate: 8000,
      numChannels: 1,
      bits: 16,
    };
    let type = 0;
    for (const { id, body } of childrenOf(entry.body)) {
      if (id === idOf.trackNumber) track.number = readUnsigned(body);
      if (id === idOf.trackType) type = readUnsigned(body);
      if (id === idOf.codecId) track.codec = String.fromCharCode(...body.subarray(0, 64)).replace(/\0+$/, '');
      if (id === idOf.codecPrivate) track.config = body.slice();
      if (id === idOf.audio)
        for (const field of childrenOf(body)) {
          if (field.id === idOf.samplingFrequency) track.sampleRate = readNumber(field.body);
          if (field.id === idOf.channels) track.numChannels = readUnsigned(field.body);
          if (field.id === idOf.bitDepth) track.bits = readUnsigned(field.body);
        }
    }
    if (type === soundTrack) return track;
  }
  return null;
}

async function decoderOf({ codec, config, sampleRate, numChannels, bits }: Track): Promise<PacketDecoder> {
  switch (codec) {
    case 'A_OPUS':
      return createOpusDecoder(config);
    case 'A_VORBIS':
      return createVorbisPacketDecoder(config);
    case 'A_AAC':
      return createAacPacketDecoder(config);
    case 'A_MPEG/L3':
    case 'A_MPEG/L2':
      return createMp3Decoder();
    case 'A_FLAC': {
      const decoder = await createFlacDecoder();
      await decoder.decode(config);
      return decoder;
    }
    case 'A_PCM/INT/LIT':
    case 'A_PCM/FLOAT/IEEE': {
      const coding = codec === 'A_PCM/INT/LIT' ? 'integer' : 'float';
      const isUnsigned = bits === 8;
      return createPcmDecoder({ coding, bitsPerSample: bits, isBigEndian: false, isUnsigned, numChannels, sampleRate });
    }
    default:
      throw new ReadingRefused('unsupported', `Its sound is "${codec}", which Quoth does not read.`);
  }
}

function trackOf(block: Uint8Array): number | null {
  return readVarint(block, 0, false)?.value ?? null;
}

/** The packets of a block: one, or several by Xiph's, EBML's or no lacing (RFC 9559, 10.3). */
function framesOf(block: Uint8Array): Uint8Array[] {
  const track = readVarint(block, 0, false);
  if (!track || block.length < track.numBytes + 3) return [];
  const flags = block[track.numBytes + 2]!;
  let at = track.numBytes + 3;
  const lacing = (flags >> 1) & 3;
  if (lacing === 0) return [block.subarray(at)];
  const numFrames = (block[at++] ?? 0) + 1;
  const sizes: number[] = [];
  if (lacing === 2)
    sizes.push(...Array.from({ length: numFrames - 1 }, () => Math.floor((block.length - at) / numFrames)));
  else
    for (let frame = 0; frame < numFrames - 1; frame++) {
      if (lacing === 1) {
        let size = 0;
        for (let byte = 255; byte === 255; size += byte) byte = block[at++] ?? 0;
        sizes.push(size);
        continue;
      }
      const number = readVarint(block, at, false);
      if (!number) return [];
      at += number.numBytes;
      // Differences, but for the first: a number whose middle is none.
      sizes.push(frame === 0 ? number.value : sizes.at(-1)! + number.value - (2 ** (7 * number.numBytes - 1) - 1));
    }
  const frames: Uint8Array[] = [];
  for (const size of sizes) {
    if (size < 0 || at + size > block.length) return frames;
    frames.push(block.subarray(at, at + size));
    at += size;
  }
  frames.push(block.subarray(at));
  return frames;
}
