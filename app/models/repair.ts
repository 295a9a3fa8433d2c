/** Fetches single pieces of a file again, where the disk did not keep what arrived. */
import { open, stat } from 'node:fs/promises';
import { type Pieces, pieceBytes } from './pieces.ts';

/** When most of a file is wrong, the server's file is another one or the disk is broken: then it is fetched as a whole. */
const maxShare = 0.5;

/** A megabyte on the slowest line that a model would be fetched by. */
const pieceMs = 60_000;

export type RepairRequest = {
  address: string;
  partial: string;
  /** What proves that the server still has the same file; without it nothing is put into one of which parts are known. */
  validator: string | null;
  pieces: Pieces;
};

/** True when every piece that was wrong or doubtful has been fetched again. */
export async function repair(
  { address, partial, validator, pieces }: RepairRequest,
  options: { fetch: typeof globalThis.fetch; signal: AbortSignal },
): Promise<boolean> {
  const { size } = await stat(partial);
  const numPieces = Math.ceil(size / pieceBytes);
  const { wrong, doubtful } = await pieces.check(partial, size, options.signal);
  const wanted = [...wrong, ...doubtful].sort((a, b) => a - b);
  if (wrong.length + doubtful.length === 0 || wanted.length > Math.max(1, maxShare * numPieces)) return false;
  if (numPieces === 1 || !validator) return false;
  const file = await open(partial, 'r+');
  try {
    for (const index of wanted) {
      const start = index * pieceBytes;
      const end = Math.min(size, start + pieceBytes);
      const response = await options.fetch(address, {
        headers: { 'accept-encoding': 'identity', range: `bytes=${start}-${end - 1}`, 'if-range': validator },
        signal: AbortSignal.any([options.signal, AbortSignal.timeout(pieceMs)]),
        redirect: 'follow',
      });
      const isThatRange =
        response.status === 206 &&
        response.headers.get('content-range')?.startsWith(`bytes ${start}-${end - 1}/`) === true;
      if (!isThatRange) {
        await response.body?.cancel();
        return false;
      }
      const bytes = await readExactly(response, end - start);
      if (!bytes) return false;
      await file.write(bytes, 0, bytes.length, start);
      await pieces.replace(index, bytes);
    }
    await file.datasync();
    return true;
  } finally {
    await file.close();
  }
}

/** The body if it has just so many bytes; a server that sends more is not read to its end. */
async function readExactly(response: Response, sizeBytes: number): Promise<Uint8Array | null> {
  const whole = new Uint8Array(sizeBytes);
  let filled = 0;
  for await (const piece of response.body ?? []) {
    if (filled + piece.length > sizeBytes) return null;
    whole.set(piece, filled);
    filled += piece.length;
  }
  return filled === sizeBytes ? whole : null;
}
