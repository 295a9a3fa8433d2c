import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { QuothError } from '../contract/errors.ts';
import type { StoredDocument } from '../store/document-table.ts';

/** A multiple of three, so that the pieces' base64 can be joined. */
const originalPieceBytes = 3 * 64 * 1024;

/** The bytes of a document's own file, piece by piece. Fails with `not-found` where it is no longer there. */
export async function* readOriginal(
  document: StoredDocument,
  signal: AbortSignal,
): AsyncGenerator<{ base64: string; totalBytes: number }> {
  if (document.sourceType !== 'file')
    throw new QuothError('unsupported', 'A video has no pages to show. Its address opens it in the browser.');
  const moved = (cause: unknown): QuothError =>
    new QuothError('not-found', 'The file is no longer where it was. Its text can still be read here.', { cause });
  const file = await open(document.location, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0)).catch(
    (error: unknown) => {
      throw moved(error);
    },
  );
  try {
    const facts = await file.stat();
    if (!facts.isFile()) throw moved(null);
    const piece = Buffer.alloc(originalPieceBytes);
    for (let at = 0; at < facts.size && !signal.aborted; ) {
      let filled = 0;
      while (filled < piece.length) {
        const { bytesRead } = await file.read(piece, filled, piece.length - filled, at + filled);
        if (bytesRead === 0) break;
        filled += bytesRead;
      }
      if (filled === 0) return; // it became shorter meanwhile
      at += filled;
      yield { base64: piece.toString('base64', 0, filled), totalBytes: facts.size };
    }
  } finally {
    await file.close();
  }
}
