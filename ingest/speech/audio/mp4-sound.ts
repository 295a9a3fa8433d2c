/** What an MP4's sound is packed with: its sample entry → a decoder (ISO/IEC 14496-12, 12.2; 14496-14; QuickTime's own kinds). */
import { ReadingRefused } from '../../readers/refusal.ts';
import { type Box, boxesIn } from './boxes.ts';
import { createAacPacketDecoder, createFlacDecoder, createMp3Decoder, createOpusDecoder } from './codecs.ts';
import { createPcmDecoder } from './pcm.ts';
import type { PacketDecoder } from './sound.ts';

const names: Record<string, string> = {
  alac: 'Apple Lossless',
  'ac-3': 'Dolby Digital',
  'ec-3': 'Dolby Digital Plus',
  samr: 'AMR',
  sawb: 'AMR',
  drms: 'AAC that is locked to an account',
  enca: 'locked to an account',
};

export async function decoderOfEntry(bytes: Uint8Array, entry: Box): Promise<PacketDecoder> {
  if (entry.length < 28) throw new ReadingRefused('damaged', 'It does not say what its sound is.');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const version = view.getUint16(entry.at + 8);
  const numChannels = view.getUint16(entry.at + 16);
  const bitsPerSample = view.getUint16(entry.at + 18);
  const sampleRate = view.getUint16(entry.at + 24);
  // QuickTime's entries have more fields in versions 1 and 2.
  const inner = boxesWithin(bytes, entry, 28 + (version === 1 ? 16 : version === 2 ? 36 : 0));
  const find = (name: string): Box | undefined => inner.find((box) => box.name === name);
  switch (entry.name) {
    case 'mp4a': {
      const box = find('esds');
      const said = box && readDescriptor(bytes.subarray(box.at + 4, box.at + box.length));
      if (!said) throw new ReadingRefused('damaged', 'It does not say what its AAC sound is.');
      if (said.kind === 0x6b || said.kind === 0x69) return createMp3Decoder();
      if (![0x40, 0x66, 0x67, 0x68].includes(said.kind) || said.config.length < 2)
        throw new ReadingRefused('unsupported', `Its sound is of a kind that Quoth does not read (${said.kind}).`);
      return createAacPacketDecoder(said.config);
    }
    case '.mp3':
      return createMp3Decoder();
    case 'Opus': {
      const box = find('dOps');
      if (!box || box.length < 11) throw new ReadingRefused('damaged', 'It does not say what its Opus sound is.');
      return createOpusDecoder(opusHead(bytes.subarray(box.at, box.at + box.length)));
    }
    case 'fLaC': {
      const box = find('dfLa');
      if (!box || box.length < 4) throw new ReadingRefused('damaged', 'It does not say what its FLAC sound is.');
      const decoder = await createFlacDecoder();
      await decoder.decode(
        new Uint8Array([0x66, 0x4c, 0x61, 0x43, ...bytes.subarray(box.at + 4, box.at + box.length)]),
      );
      return decoder;
    }
    case 'sowt':
    case 'twos':
    case 'in24':
    case 'in32':
    case 'fl32':
    case 'alaw':
    case 'ulaw':
    case 'raw ':
      return createPcmDecoder(pcmOf(entry.name, { numChannels, bitsPerSample, sampleRate }));
    case 'ipcm':
    case 'fpcm': {
      const box = find('pcmC');
      const isBigEndian = !box || (bytes[box.at + 4]! & 1) === 0;
      const bits = box ? bytes[box.at + 5]! : bitsPerSample;
      const coding = entry.name === 'ipcm' ? 'integer' : 'float';
      return createPcmDecoder({ coding, bitsPerSample: bits, isBigEndian, isUnsigned: false, numChannels, sampleRate });
    }
    default:
      throw new ReadingRefused(
        'unsupported',
        `Its sound is ${names[entry.name] ?? `"${entry.name}"`}, which Quoth does not read.`,
      );
  }
}

/** The boxes of an entry; QuickTime puts what it says of AAC into one more, `wave`. */
function boxesWithin(bytes: Uint8Array, entry: Box, from: number): Box[] {
  const boxes = boxesIn(bytes, entry.at + from, entry.at + entry.length);
  const wave = boxes.find(({ name }) => name === 'wave');
  return wave ? [...boxes, ...boxesIn(bytes, wave.at, wave.at + wave.length)] : boxes;
}

function pcmOf(name: string, facts: { numChannels: number; bitsPerSample: number; sampleRate: number }) {
  const bits: Record<string, number> = { in24: 24, in32: 32, fl32: 32, alaw: 8, ulaw: 8 };
  const codings = { alaw: 'a-law', ulaw: 'mu-law', fl32: 'float' } as const;
  return {
    ...facts,
    coding: codings[name as keyof typeof codings] ?? ('integer' as const),
    bitsPerSample: bits[name] ?? facts.bitsPerSample,
    isBigEndian: name !== 'sowt',
    isUnsigned: name === 'raw ',
  };
}

/** `dOps` says what an "OpusHead" says, in the other byte order. */
function opusHead(box: Uint8Array): Uint8Array {
  const head = new Uint8Array(8 + box.length);
  head.set(new TextEncoder().encode('OpusHead'));
  head.set(box, 8);
  head[8] = 1;
  return head;
}

/** The descriptors of MPEG-4 (14496-1, 7.2.6): stream, its decoder's configuration, and what that decoder needs. */
function readDescriptor(bytes: Uint8Array): { kind: number; config: Uint8Array } | null {
  let at = 0;
  const head = (tag: number): number | null => {
    if (bytes[at++] !== tag) return null;
    let length = 0;
    for (let index = 0; index < 4; index++) {
      const byte = bytes[at++] ?? 0;
      length = (length << 7) | (byte & 127);
      if (byte < 128) break;
    }
    return length;
  };
  if (head(3) === null) return null;
  const flags = bytes[at + 2] ?? 0;
  at += 3 + (flags & 128 ? 2 : 0) + (flags & 64 ? 1 + (bytes[at + 3] ?? 0) : 0) + (flags & 32 ? 2 : 0);
  if (head(4) === null) return null;
  const kind = bytes[at] ?? 0;
  at += 13;
  const length = head(5);
  return { kind, config: length === null ? new Uint8Array(0) : bytes.subarray(at, at + length) };
}
