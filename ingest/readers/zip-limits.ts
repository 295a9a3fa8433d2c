/**
 * Refuses hostile zip archives before a parser that trusts them opens one. The directory's numbers are read first (they may
 * lie), then every entry is really inflated into nothing under a common limit.
 */
import { createInflateRaw, inflateRawSync } from 'node:zlib';
import { ReadingRefused } from './refusal.ts';

export type ZipLimits = { numEntries: number; inflatedBytes: number; ratio: number; ratioFromBytes: number };

/** A DOCX of 500 pages with pictures has some 200 entries; text compresses 5 to 20 times. */
export const zipLimits: ZipLimits = { numEntries: 4096, inflatedBytes: 512e6, ratio: 200, ratioFromBytes: 10e6 };

export type ZipCheck =
  | { type: 'fine'; names: string[] }
  | { type: 'refused'; reason: 'damaged' | 'too-large' | 'password'; detail: string };

type Entry = { name: string; compressedBytes: number; inflatedBytes: number; method: number; dataAt: number };

/** An archive whose directory is believed no further than its own limits. Names are names: nothing here is ever a path. */
export type Zip = {
  names: string[];
  has(name: string): boolean;
  /** The bytes of an entry. Throws `ReadingRefused` when it is not there, is broken, or is more than the limits allow. */
  read(name: string): Uint8Array;
};

/** Opens a zip for reading entry by entry; what is never read is never unpacked. Throws `ReadingRefused`. */
export function openZip(bytes: Uint8Array, limits: ZipLimits = zipLimits): Zip {
  const directory = readDirectory(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length), limits);
  const refusal = directory.type === 'refused' ? directory : checkClaims(directory.entries, limits);
  if (directory.type === 'refused' || refusal)
    throw new ReadingRefused(refusal?.reason ?? 'damaged', refusal?.detail ?? '');
  const byName = new Map(directory.entries.map((entry) => [entry.name.replace(/^\//, ''), entry]));
  let leftBytes = limits.inflatedBytes;
  return {
    names: [...byName.keys()],
    has: (name) => byName.has(name),
    read(name) {
      const entry = byName.get(name);
      if (!entry) throw new ReadingRefused('damaged', `The archive holds no ${name}.`);
      const data = bytes.subarray(entry.dataAt, entry.dataAt + entry.compressedBytes);
      const most = Math.min(leftBytes, Math.max(limits.ratioFromBytes, data.length * limits.ratio));
      const content = entry.method === 0 ? data : inflate(data, name, most);
      if (content.length > most) throw new ReadingRefused('too-large', `The entry ${name} is too large.`);
      leftBytes -= content.length;
      return content;
    },
  };
}

function inflate(data: Uint8Array, name: string, mostBytes: number): Uint8Array {
  try {
    return inflateRawSync(data, { maxOutputLength: Math.max(1, mostBytes) });
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE')
      throw new ReadingRefused(
        'too-large',
        `The entry ${name} unpacks to more than ${Math.round(mostBytes / 1e6)} MB.`,
      );
    throw new ReadingRefused('damaged', `The entry ${name} cannot be unpacked.`);
  }
}

/** Walks the central directory of a zip held in memory and inflates all entries within `limits`. */
export async function checkZip(bytes: Uint8Array, limits: ZipLimits = zipLimits): Promise<ZipCheck> {
  const directory = readDirectory(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length), limits);
  if (directory.type === 'refused') return directory;
  const { entries } = directory;
  const claims = checkClaims(entries, limits);
  if (claims) return claims;

  let totalBytes = 0;
  for (const entry of entries) {
    const data = bytes.subarray(entry.dataAt, entry.dataAt + entry.compressedBytes);
    if (entry.method === 0) {
      totalBytes += data.length;
      continue;
    }
    const most = Math.min(
      limits.inflatedBytes - totalBytes,
      Math.max(limits.ratioFromBytes, data.length * limits.ratio),
      // One byte more than declared is already a lie.
      entry.inflatedBytes,
    );
    const inflated = await inflateIntoNothing(data, most);
    if (inflated.type === 'damaged') return refused('damaged', `The entry ${entry.name} cannot be unpacked.`);
    if (inflated.type === 'more')
      return most === entry.inflatedBytes
        ? refused('damaged', `The entry ${entry.name} unpacks to more than it says.`)
        : refused('too-large', `The entry ${entry.name} unpacks to more than ${Math.round(most / 1e6)} MB.`);
    totalBytes += inflated.numBytes;
  }
  return { type: 'fine', names: entries.map((entry) => entry.name) };
}

function checkClaims(entries: Entry[], limits: ZipLimits): (ZipCheck & { type: 'refused' }) | null {
  const declared = entries.reduce((sum, entry) => sum + entry.inflatedBytes, 0);
  if (declared > limits.inflatedBytes)
    return refused('too-large', `Unpacked it would be ${Math.round(declared / 1e6)} MB.`);
  // Entries that share their bytes are how a small file becomes endless; honest writers lay them one after the other.
  const inOrder = [...entries].sort((a, b) => a.dataAt - b.dataAt);
  for (let at = 1; at < inOrder.length; at++) {
    const previous = inOrder[at - 1]!;
    if (previous.compressedBytes > 0 && previous.dataAt + previous.compressedBytes > inOrder[at]!.dataAt)
      return refused('damaged', 'Entries of the zip archive overlap.');
  }
  return null;
}

function readDirectory(
  bytes: Buffer,
  limits: ZipLimits,
): { type: 'entries'; entries: Entry[] } | (ZipCheck & { type: 'refused' }) {
  const endAt = bytes.lastIndexOf(Buffer.from('PK\x05\x06', 'latin1'));
  if (endAt < 0 || endAt + 22 > bytes.length)
    return refused('damaged', 'The zip archive has no directory; it may be cut off.');
  const numEntries = bytes.readUInt16LE(endAt + 10);
  let at = bytes.readUInt32LE(endAt + 16);
  // ZIP64 is for archives beyond 4 GB or 65,535 entries: above our limits in any case.
  if (numEntries === 0xffff || at === 0xffffffff) return refused('too-large', 'It is a ZIP64 archive.');
  if (numEntries > limits.numEntries) return refused('too-large', `It holds ${numEntries} entries.`);

  const entries: Entry[] = [];
  while (entries.length < numEntries) {
    if (at + 46 > bytes.length || bytes.readUInt32LE(at) !== 0x02014b50)
      return refused('damaged', 'The directory of the zip archive is broken.');
    const flags = bytes.readUInt16LE(at + 8);
    const method = bytes.readUInt16LE(at + 10);
    const compressedBytes = bytes.readUInt32LE(at + 20);
    const inflatedBytes = bytes.readUInt32LE(at + 24);
    const nameLength = bytes.readUInt16LE(at + 28);
    const restLength = bytes.readUInt16LE(at + 30) + bytes.readUInt16LE(at + 32);
    const localAt = bytes.readUInt32LE(at + 42);
    const name = bytes.toString('utf8', at + 46, at + 46 + nameLength);
    at += 46 + nameLength + restLength;

    if (flags & 1) return refused('password', 'It is an encrypted zip archive.');
    if (method !== 0 && method !== 8) return refused('damaged', `The entry ${name} is packed in an unknown way.`);
    if (localAt + 30 > bytes.length || bytes.readUInt32LE(localAt) !== 0x04034b50)
      return refused('damaged', `The entry ${name} is not where the directory says.`);
    const dataAt = localAt + 30 + bytes.readUInt16LE(localAt + 26) + bytes.readUInt16LE(localAt + 28);
    if (dataAt + compressedBytes > bytes.length) return refused('damaged', `The entry ${name} is cut off.`);
    entries.push({ name, compressedBytes, inflatedBytes, method, dataAt });
  }
  return { type: 'entries', entries };
}

type Inflated = { type: 'all'; numBytes: number } | { type: 'more' } | { type: 'damaged' };

/** Counts what an entry unpacks to and keeps none of it. Stops as soon as it is more than `mostBytes`. */
function inflateIntoNothing(data: Uint8Array, mostBytes: number): Promise<Inflated> {
  return new Promise((resolve) => {
    const inflate = createInflateRaw({ chunkSize: 256 * 1024 });
    let numBytes = 0;
    inflate.on('data', (chunk: Buffer) => {
      numBytes += chunk.length;
      if (numBytes > mostBytes) {
        inflate.destroy();
        resolve({ type: 'more' });
      }
    });
    inflate.on('end', () => resolve({ type: 'all', numBytes }));
    inflate.on('error', () => resolve({ type: 'damaged' }));
    inflate.end(data);
  });
}

function refused(reason: 'damaged' | 'too-large' | 'password', detail: string): ZipCheck & { type: 'refused' } {
  return { type: 'refused', reason, detail };
}
