/** The recordings of test/fixtures/speech, and what a decoder makes of one. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { ByteSource } from '../../../ingest/speech/audio/byte-source.ts';
import { decodeAudio } from '../../../ingest/speech/decode-audio.ts';

export const words =
  'And so my fellow Americans ask not what your country can do for you ask what you can do for your country';

/** Each with how much later than in `jfk.flac` its sound begins, in samples at 16 kHz: what its encoder puts before. */
export const recordings = {
  'jfk.flac': 0,
  'jfk.mp3': 0,
  'jfk.m4a': 372,
  'jfk.aac': 1024,
  'jfk-fragments.mp4': 512,
  'jfk.mov': 683,
  'jfk.opus': 104,
  'jfk.ogg': 0,
  'jfk.webm': 104,
  'jfk.mkv': 0,
} as const;
export type Name = keyof typeof recordings;

export const pathOf = (name: string): string =>
  fileURLToPath(new URL(`../../fixtures/speech/${name}`, import.meta.url));
export const bytesOf = (name: string): Uint8Array => new Uint8Array(readFileSync(pathOf(name)));

/** Bytes in memory as a file. `onRead` is told how much is asked for at once. */
export function sourceOf(bytes: Uint8Array, onRead?: (length: number) => void): ByteSource {
  return {
    sizeBytes: bytes.length,
    async read(at, length) {
      onRead?.(length);
      return bytes.slice(at, at + Math.max(0, length));
    },
  };
}

export async function samplesOf(bytes: Uint8Array): Promise<Float32Array> {
  const { pieces } = await decodeAudio(sourceOf(bytes));
  const parts: Float32Array[] = [];
  let length = 0;
  for await (const piece of pieces) {
    parts.push(piece.slice());
    length += piece.length;
  }
  const samples = new Float32Array(length);
  let at = 0;
  for (const part of parts) {
    samples.set(part, at);
    at += part.length;
  }
  return samples;
}

/** How alike two sounds are, 1 for the same, when the second one begins `lag` samples later. */
export function likeness(one: Float32Array, other: Float32Array, lag: number): number {
  let [both, first, second] = [0, 0, 0];
  for (let index = 0; index < one.length; index++) {
    const [a, b] = [one[index]!, other[index + lag] ?? 0];
    both += a * b;
    first += a * a;
    second += b * b;
  }
  return both / Math.sqrt(first * second + 1e-12);
}

/** A WAV file of samples from -1 to 1. */
export function wavOf(
  samples: Float32Array,
  format: { tag: number; bits: number; rate?: number; channels?: number } = { tag: 1, bits: 16 },
): Uint8Array {
  const { tag, bits, rate = 16_000, channels = 1 } = format;
  const bytes = new Uint8Array(44 + (samples.length * channels * bits) / 8);
  const view = new DataView(bytes.buffer);
  const name = (at: number, text: string): void => bytes.set(new TextEncoder().encode(text), at);
  name(0, 'RIFF');
  view.setUint32(4, bytes.length - 8, true);
  name(8, 'WAVEfmt ');
  view.setUint32(16, 16, true);
  view.setUint16(20, tag, true);
  view.setUint16(22, channels, true);
  view.setUint32(24, rate, true);
  view.setUint32(28, (rate * channels * bits) / 8, true);
  view.setUint16(32, (channels * bits) / 8, true);
  view.setUint16(34, bits, true);
  name(36, 'data');
  view.setUint32(40, bytes.length - 44, true);
  let at = 44;
  for (const sample of samples)
    for (let channel = 0; channel < channels; channel++, at += bits / 8)
      if (tag === 3) view.setFloat32(at, sample, true);
      else if (bits === 8) view.setUint8(at, 128 + Math.round(sample * 127));
      else if (bits === 16) view.setInt16(at, Math.round(sample * 32767), true);
      else if (bits === 24) {
        const value = Math.round(sample * 8388607);
        bytes.set([value & 255, (value >> 8) & 255, (value >> 16) & 255], at);
      } else view.setInt32(at, Math.round(sample * 2147483647), true);
  return bytes;
}
