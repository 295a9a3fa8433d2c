/**
 * The hashes of a download's pieces as they arrived, in a file beside it: what the disk has lost or changed since then can
 * be told from what the server sent, and fetched again alone.
 */
import { createHash, type Hash } from 'node:crypto';
import { type FileHandle, open, rm } from 'node:fs/promises';

/** As much as is fetched again for one wrong bit. */
export const pieceBytes = 1 << 20;
const hashBytes = 32;

export type PieceRecorder = {
  /** To be told all bytes that are written, in order, after they are. */
  push(bytes: Uint8Array): Promise<void>;
  close(): Promise<void>;
};

export type Pieces = {
  /**
   * Records from a byte of the download on; what was recorded behind it is forgotten. Bytes of an unfinished piece that lie
   * there already are taken as they are: such a piece counts as doubtful.
   */
  record(partial: FileHandle, fromByte: number): Promise<PieceRecorder>;
  /** Records one piece anew, after it was fetched again. */
  replace(index: number, bytes: Uint8Array): Promise<void>;
  /** The pieces of the first `sizeBytes` that are not as they arrived, and those of which that is not known. */
  check(partial: string, sizeBytes: number, signal: AbortSignal): Promise<{ wrong: number[]; doubtful: number[] }>;
  remove(): Promise<void>;
};

const sha256 = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest();

export function openPieces(path: string): Pieces {
  const doubtful = new Set<number>();
  return {
    async record(partial, fromByte) {
      let index = Math.floor(fromByte / pieceBytes);
      const journal = await open(path, 'a').then(async (made) => {
        await made.close();
        return open(path, 'r+');
      });
      await journal.truncate(index * hashBytes);
      for (const known of doubtful) if (known >= index) doubtful.delete(known);
      let hash: Hash = createHash('sha256');
      let inPiece = fromByte % pieceBytes;
      if (inPiece > 0) {
        const there = Buffer.alloc(inPiece);
        await partial.read(there, 0, inPiece, index * pieceBytes);
        hash.update(there);
        doubtful.add(index);
      }
      return {
        async push(bytes) {
          for (let done = 0; done < bytes.length; ) {
            const part = bytes.subarray(done, done + pieceBytes - inPiece);
            hash.update(part);
            done += part.length;
            inPiece += part.length;
            if (inPiece < pieceBytes) continue;
            await journal.write(hash.digest(), 0, hashBytes, index * hashBytes);
            hash = createHash('sha256');
            index += 1;
            inPiece = 0;
          }
        },
        close: () => journal.close(),
      };
    },
    async replace(index, bytes) {
      doubtful.delete(index);
      if (bytes.length < pieceBytes) return;
      const journal = await open(path, 'r+');
      await journal.write(sha256(bytes), 0, hashBytes, index * hashBytes).finally(() => journal.close());
    },
    async check(partial, sizeBytes, signal) {
      const wrong: number[] = [];
      const unsure: number[] = [];
      const [file, journal] = [await open(partial, 'r'), await open(path, 'r').catch(() => null)];
      try {
        const [bytes, known] = [Buffer.alloc(pieceBytes), Buffer.alloc(hashBytes)];
        for (let index = 0; index * pieceBytes < sizeBytes; index++) {
          signal.throwIfAborted();
          const isWhole = (index + 1) * pieceBytes <= sizeBytes;
          const read = isWhole ? await journal?.read(known, 0, hashBytes, index * hashBytes) : undefined;
          if (read?.bytesRead !== hashBytes || known.every((byte) => byte === 0)) {
            unsure.push(index); // the last piece, or one that nobody recorded
            continue;
          }
          const { bytesRead } = await file.read(bytes, 0, pieceBytes, index * pieceBytes);
          if (bytesRead !== pieceBytes || !sha256(bytes).equals(known)) wrong.push(index);
          else if (doubtful.has(index)) unsure.push(index);
        }
      } finally {
        await file.close();
        await journal?.close();
      }
      return { wrong, doubtful: unsure };
    },
    remove: () => rm(path, { force: true }),
  };
}
