/** Ogg (RFC 3533): pages of packets, read and written. */
import type { ByteSource } from './byte-source.ts';

/** One packet of one of the streams that a file interleaves. */
export type OggPacket = { stream: number; packet: Uint8Array };

const headBytes = 27;
const mostPacketBytes = 4e6;
/** How far to look for a page when there is none where there should be one. */
const mostSkippedBytes = 4e6;

/** The packets of all streams in their order. Damaged pages are passed over; `onPosition` is told how far it is. */
export async function* oggPacketsOf(source: ByteSource, onPosition: (at: number) => void): AsyncIterable<OggPacket> {
  const open = new Map<number, Uint8Array[]>();
  let skipped = 0;
  for (let at = 0; at + headBytes <= source.sizeBytes; ) {
    const bytes = await source.read(at, headBytes + 255 + 255 * 255);
    if (!isPage(bytes)) {
      const next = findPage(bytes);
      skipped += next;
      if (skipped > mostSkippedBytes) return;
      at += next;
      continue;
    }
    skipped = 0;
    onPosition(at);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const stream = view.getUint32(14, true);
    const isContinued = (bytes[5]! & 1) === 1;
    const numSegments = bytes[26]!;
    let from = headBytes + numSegments;
    let parts = isContinued ? (open.get(stream) ?? null) : [];
    open.delete(stream);
    let length = 0;
    for (let segment = 0; segment < numSegments; segment++) {
      const size = bytes[headBytes + segment]!;
      length += size;
      if (size === 255 && segment < numSegments - 1) continue;
      const part = bytes.subarray(from, Math.min(bytes.length, from + length));
      from += length;
      length = 0;
      parts?.push(part);
      if (size === 255) {
        // Goes on in the next page of its stream.
        if (parts && parts.reduce((sum, one) => sum + one.length, 0) <= mostPacketBytes && open.size < 16)
          open.set(stream, parts);
        break;
      }
      // What continues a packet whose beginning is missing is no packet.
      if (parts) yield { stream, packet: joined(parts) };
      parts = [];
    }
    at += Math.max(headBytes, from);
  }
}

function isPage(bytes: Uint8Array): boolean {
  return bytes[0] === 0x4f && bytes[1] === 0x67 && bytes[2] === 0x67 && bytes[3] === 0x53 && bytes[4] === 0;
}

/** Where the next page may begin, at least one byte on. */
function findPage(bytes: Uint8Array): number {
  for (let at = 1; at + 5 <= bytes.length; at++) if (isPage(bytes.subarray(at, at + 5))) return at;
  return Math.max(1, bytes.length - 4);
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  if (parts.length === 1) return parts[0]!;
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** Writes packets of one stream into a page of their own. */
export function oggPages(): (packets: readonly Uint8Array[], isFirst: boolean) => Uint8Array {
  let number = 0;
  return (packets, isFirst) => {
    const segments: number[] = [];
    for (const { length } of packets) {
      for (let left = length; left >= 255; left -= 255) segments.push(255);
      segments.push(length % 255);
    }
    if (segments.length > 255) return new Uint8Array(0); // 64 KB in one packet is no sound
    const body = packets.reduce((sum, { length }) => sum + length, 0);
    const page = new Uint8Array(headBytes + segments.length + body);
    const view = new DataView(page.buffer);
    page.set([0x4f, 0x67, 0x67, 0x53, 0, isFirst ? 2 : 0]);
    view.setBigInt64(6, isFirst ? 0n : BigInt(number) * 1024n, true);
    view.setUint32(14, 1, true);
    view.setUint32(18, number++, true);
    page[26] = segments.length;
    page.set(segments, headBytes);
    let at = headBytes + segments.length;
    for (const packet of packets) {
      page.set(packet, at);
      at += packet.length;
    }
    view.setUint32(22, checksum(page), true);
    return page;
  };
}

/** CRC of the polynomial 0x04c11db7, not reflected. */
function checksum(bytes: Uint8Array): number {
  let sum = 0;
  for (const byte of bytes) {
    sum ^= byte << 24;
    for (let bit = 0; bit < 8; bit++) sum = sum & 0x80000000 ? (sum << 1) ^ 0x04c11db7 : sum << 1;
  }
  return sum >>> 0;
}
