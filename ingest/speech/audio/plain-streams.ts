/** Files that are nothing but coded sound from end to end: MP3, FLAC, and AAC in ADTS frames. And Ogg, which holds one of several. */
import { ReadingRefused } from '../../readers/refusal.ts';
import { readAdtsHead } from './aac/config.ts';
import { type AacDecoder, createAacDecoder } from './aac/decoder.ts';
import { type ByteSource, piecesOf } from './byte-source.ts';
import { createFlacDecoder, createMp3Decoder, createOggVorbisDecoder, createOpusDecoder } from './codecs.ts';
import { oggPacketsOf } from './ogg-pages.ts';
import { type PacketDecoder, type Recording, type Sound, soundOf } from './sound.ts';

/** The bytes go to the decoder as they come. */
function openStream(source: ByteSource, create: () => Promise<PacketDecoder>, from = 0): Recording {
  let at = from;
  return {
    lengthSeconds: null,
    done: () => at / Math.max(1, source.sizeBytes),
    sounds: (async function* (): AsyncIterable<Sound> {
      const decoder = await create();
      try {
        for await (const piece of piecesOf(source, from)) {
          at += piece.length;
          yield* await decoder.decode(piece);
        }
        yield* await decoder.finish();
      } finally {
        decoder.close();
      }
    })(),
  };
}

/** `from`: after the tags. */
export const openMp3 = (source: ByteSource, from: number): Recording => openStream(source, createMp3Decoder, from);
export const openFlac = (source: ByteSource): Recording => openStream(source, createFlacDecoder);

/** Frames that say their own length. What is no frame is passed over. */
export function openAdts(source: ByteSource, from: number): Recording {
  let at = from;
  return {
    lengthSeconds: null,
    done: () => at / Math.max(1, source.sizeBytes),
    sounds: (async function* (): AsyncIterable<Sound> {
      let decode: AacDecoder | null = null;
      let rate = 0;
      let held = new Uint8Array(0);
      for await (const piece of piecesOf(source, from)) {
        at += piece.length;
        const bytes = new Uint8Array(held.length + piece.length);
        bytes.set(held);
        bytes.set(piece, held.length);
        let start = 0;
        while (start + 9 <= bytes.length) {
          const head = readAdtsHead(bytes, start);
          if (!head) {
            start += 1;
            continue;
          }
          if (start + head.frameBytes > bytes.length) break;
          if (!head.config || !head.isSingle)
            throw new ReadingRefused('unsupported', 'Its sound is AAC of a kind that Quoth does not read.');
          if (!decode || rate !== head.config.sampleRate) decode = createAacDecoder(head.config);
          rate = head.config.sampleRate;
          yield* tryFrame(decode, bytes.subarray(start + head.headBytes, start + head.frameBytes), rate);
          start += head.frameBytes;
        }
        held = bytes.slice(start);
      }
    })(),
  };
}

function tryFrame(decode: AacDecoder, frame: Uint8Array, rate: number): Sound[] {
  try {
    return soundOf(decode(frame), rate);
  } catch {
    return [{ channels: [new Float32Array(1024)], sampleRate: rate }];
  }
}

/** The first stream with sound. */
export async function openOgg(source: ByteSource): Promise<Recording> {
  let at = 0;
  const names: string[] = [];
  for await (const { stream, packet } of oggPacketsOf(source, () => {})) {
    const name = String.fromCharCode(...packet.subarray(0, 8));
    if (name === 'OpusHead') {
      return {
        lengthSeconds: null,
        done: () => at / Math.max(1, source.sizeBytes),
        sounds: opusOf(source, stream, packet, (position) => {
          at = position;
        }),
      };
    }
    if (name.startsWith('\x01vorbis')) return openStream(source, createOggVorbisDecoder);
    names.push(name);
    if (names.length >= 8) break;
  }
  if (names.some((name) => name.startsWith('Speex')))
    throw new ReadingRefused('unsupported', 'Its sound is Speex, which Quoth does not read.');
  if (names.some((name) => name.startsWith('\x7fFLAC'))) return openStream(source, createFlacDecoder);
  throw new ReadingRefused('damaged', 'It holds no sound that Quoth knows.');
}

async function* opusOf(
  source: ByteSource,
  stream: number,
  head: Uint8Array,
  onPosition: (at: number) => void,
): AsyncIterable<Sound> {
  const decoder = await createOpusDecoder(head);
  try {
    let numPackets = 0;
    for await (const one of oggPacketsOf(source, onPosition)) {
      // The first two are the head and the tags.
      if (one.stream !== stream || ++numPackets <= 2) continue;
      yield* await decoder.decode(one.packet);
    }
  } finally {
    decoder.close();
  }
}
