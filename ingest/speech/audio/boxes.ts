/** The boxes of MP4: a length, a name of four letters, and what is in it. */
import type { ByteSource } from './byte-source.ts';

/** `at`: where its content begins, behind the head. */
export type Box = { name: string; at: number; length: number };

const mostBoxes = 200_000;

export function nameAt(bytes: Uint8Array, at: number): string {
  return String.fromCharCode(...bytes.subarray(at, at + 4));
}

/** The boxes of the file itself. One that reaches past the end is cut there. */
export async function* boxesOf(source: ByteSource): AsyncIterable<Box> {
  let numBoxes = 0;
  for (let at = 0; at + 8 <= source.sizeBytes && numBoxes < mostBoxes; numBoxes++) {
    const head = await source.read(at, 16);
    const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
    let length = view.getUint32(0);
    let headBytes = 8;
    if (length === 1 && head.length === 16) {
      length = Number(view.getBigUint64(8));
      headBytes = 16;
    } else if (length === 0) length = source.sizeBytes - at;
    if (length < headBytes) return;
    const end = Math.min(source.sizeBytes, at + length);
    yield { name: nameAt(head, 4), at: at + headBytes, length: end - at - headBytes };
    at += length;
  }
}

/** The boxes between two places of bytes that are held. */
export function boxesIn(bytes: Uint8Array, from: number, endExclusive: number): Box[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = Math.min(endExclusive, bytes.length);
  const boxes: Box[] = [];
  for (let at = from; at + 8 <= end && boxes.length < 10_000; ) {
    let length = view.getUint32(at);
    let headBytes = 8;
    if (length === 1 && at + 16 <= end) {
      length = Number(view.getBigUint64(at + 8));
      headBytes = 16;
    } else if (length === 0) length = end - at;
    if (length < headBytes || at + length > end) break;
    boxes.push({ name: nameAt(bytes, at + 4), at: at + headBytes, length: length - headBytes });
    at += length;
  }
  return boxes;
}

/** The box at the end of a path of names within another. */
export function findBox(bytes: Uint8Array, within: Box, ...path: string[]): Box | null {
  let box = within;
  for (const name of path) {
    const found = boxesIn(bytes, box.at, box.at + box.length).find((one) => one.name === name);
    if (!found) return null;
    box = found;
  }
  return box;
}
