/** What a file is, by its first bytes, and the hash of all of them. */
import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { decideKind, documentKindOf, mostBytesOfKind } from './readers/kind.ts';
import { reasonOfOpen } from './readers/read-document.ts';
import type { DocumentKind, FailureReason, Source } from './source.ts';

export type Hashed =
  | { type: 'hashed'; contentHash: string; kind: DocumentKind }
  | { type: 'failed'; kind: DocumentKind; reason: FailureReason; detail: string };

/**
 * SHA-256 of a file. It is taken before the reading: should the file change in between, its next hash differs and it is
 * read again. What Quoth does not read, and what is too large for its kind, is refused by its first bytes.
 */
export async function hashFile(source: Extract<Source, { type: 'file' }>, signal: AbortSignal): Promise<Hashed> {
  const kind = documentKindOf(source.name);
  const failed = (reason: FailureReason, detail: string): Hashed => ({ type: 'failed', kind, reason, detail });
  try {
    const file = await open(source.path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
    try {
      const facts = await file.stat();
      if (!facts.isFile()) return failed('not-a-file', 'It is no ordinary file.');
      if (facts.size === 0) return failed('empty', 'It holds 0 bytes.');
      const head = new Uint8Array(Math.min(4096, facts.size));
      await file.read(head, 0, head.length, 0);
      const decision = decideKind(head, source.name);
      if (decision.type === 'refused') return { ...decision, type: 'failed' };
      if (facts.size > mostBytesOfKind[decision.kind])
        return failed('too-large', `It is ${Math.round(facts.size / 1e6)} MB.`);
      return { type: 'hashed', contentHash: await hashOf(file, signal), kind: decision.kind };
    } finally {
      await file.close();
    }
  } catch (error) {
    signal.throwIfAborted();
    return failed(reasonOfOpen(error), error instanceof Error && 'code' in error ? String(error.code) : String(error));
  }
}

/** Read piece by piece and not as a stream: a stream that is aborted before it is iterated throws where nobody catches. */
async function hashOf(file: FileHandle, signal: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  const piece = Buffer.allocUnsafe(1024 * 1024);
  for (let at = 0; ; ) {
    signal.throwIfAborted();
    const { bytesRead } = await file.read(piece, 0, piece.length, at);
    if (bytesRead === 0) return hash.digest('hex');
    hash.update(piece.subarray(0, bytesRead));
    at += bytesRead;
  }
}
