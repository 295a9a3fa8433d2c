/** A file that is read where it is needed, never whole. */
import type { FileHandle } from 'node:fs/promises';

export type ByteSource = {
  sizeBytes: number;
  /** Up to `length` bytes from `at` on; fewer at the end alone. */
  read(at: number, length: number): Promise<Uint8Array>;
};

export function bytesOfFile(file: FileHandle, sizeBytes: number): ByteSource {
  return {
    sizeBytes,
    async read(at, length) {
      const wanted = Math.max(0, Math.min(length, sizeBytes - at));
      const bytes = new Uint8Array(wanted);
      let filled = 0;
      while (filled < wanted) {
        const { bytesRead } = await file.read(bytes, filled, wanted - filled, at + filled);
        if (bytesRead === 0) break;
        filled += bytesRead;
      }
      return filled === wanted ? bytes : bytes.slice(0, filled);
    },
  };
}

export const pieceBytes = 64 * 1024;

/** The bytes from `at` up to `endExclusive`, piece by piece. */
export async function* piecesOf(
  source: ByteSource,
  at = 0,
  endExclusive = source.sizeBytes,
): AsyncIterable<Uint8Array> {
  for (let from = at; from < endExclusive; ) {
    const piece = await source.read(from, Math.min(pieceBytes, endExclusive - from));
    if (piece.length === 0) return;
    yield piece;
    from += piece.length;
  }
}
