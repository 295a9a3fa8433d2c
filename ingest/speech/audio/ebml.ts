/** EBML (RFC 8794): elements of an id, a length and a content. Those that only hold others are entered, all others are named. */
import type { ByteSource } from './byte-source.ts';

/** Of Matroska (RFC 9559, 5.1). */
export const idOf = {
  segment: 0x18538067,
  info: 0x1549a966,
  timestampScale: 0x2ad7b1,
  duration: 0x4489,
  tracks: 0x1654ae6b,
  trackEntry: 0xae,
  trackNumber: 0xd7,
  trackType: 0x83,
  codecId: 0x86,
  codecPrivate: 0x63a2,
  audio: 0xe1,
  samplingFrequency: 0xb5,
  channels: 0x9f,
  bitDepth: 0x6264,
  cluster: 0x1f43b675,
  blockGroup: 0xa0,
  block: 0xa1,
  simpleBlock: 0xa3,
} as const;

/** Entered, and told before what they hold. */
const holders: readonly number[] = [idOf.segment, idOf.cluster, idOf.blockGroup];
const mostElements = 50_000_000;
const windowBytes = 64 * 1024;

/** `at`: where the content begins; `headAt`: where the element does. A length that is not known reaches to the end. */
export type Element = { id: number; headAt: number; at: number; length: number };

/** Elements in their order, those within holders too. What is no element ends it. */
export async function* elementsOf(source: ByteSource, from: number, endExclusive: number): AsyncIterable<Element> {
  let window: Uint8Array = new Uint8Array(0);
  let windowAt = 0;
  for (let at = from, count = 0; at < endExclusive && count < mostElements; count++) {
    if (at < windowAt || at + 12 > windowAt + window.length) {
      window = await source.read(at, windowBytes);
      windowAt = at;
    }
    const id = number(window, at - windowAt, 4, true);
    const length = id && number(window, at - windowAt + id.numBytes, 8, false);
    if (!id || !length) return;
    const contentAt = at + id.numBytes + length.numBytes;
    const left = endExclusive - contentAt;
    const contentBytes = length.isUnknown ? left : Math.min(left, length.value);
    yield { id: id.value, headAt: at, at: contentAt, length: contentBytes };
    at = holders.includes(id.value) ? contentAt : contentAt + contentBytes;
  }
}

function number(bytes: Uint8Array, at: number, mostBytes: number, keepMarker: boolean) {
  const first = bytes[at];
  if (!first) return null;
  const numBytes = Math.clz32(first) - 23;
  if (numBytes > mostBytes || at + numBytes > bytes.length) return null;
  let value = keepMarker ? first : first & (0xff >> numBytes);
  let isUnknown = value === 0xff >> numBytes;
  for (let index = 1; index < numBytes; index++) {
    value = value * 256 + bytes[at + index]!;
    isUnknown &&= bytes[at + index] === 0xff;
  }
  return { value, numBytes, isUnknown: isUnknown && !keepMarker };
}

export function readUnsigned(body: Uint8Array): number {
  return body.length > 8 ? 0 : body.reduce((value, byte) => value * 256 + byte, 0);
}

export function readNumber(body: Uint8Array): number {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  if (body.length === 4) return view.getFloat32(0);
  return body.length === 8 ? view.getFloat64(0) : 0;
}
