/**
 * Removing means gone: the document's row, passages, vectors, words of scans, its quotes in saved answers, its name beside
 * questions, and the copy of its file if Quoth made one. What must be rewritten to be gone (the word index, the written
 * vector index) is rewritten as soon as nobody waits for anything.
 */

import type { RemoveEvent } from '../contract/contract.ts';
import { QuothError } from '../contract/errors.ts';
import type { DocumentId } from '../contract/types.ts';
import type { DocumentTable } from '../store/document-table.ts';
import type { PassageTable } from '../store/passage-table.ts';
import type { Copies } from './copies.ts';
import type { MeaningService } from './meaning.ts';

export type RemovalParts = {
  documents: DocumentTable;
  passages: Pick<PassageTable, 'storedFacts'>;
  meaning: Pick<MeaningService, 'forgetPassages'>;
  copies: Copies;
  /** Stops work on a document. */
  drop(id: DocumentId): Promise<void>;
  /** Saved answers forget its words. */
  onRemoved(id: DocumentId): void;
  /** It has left the library. */
  onGone(id: DocumentId): void;
  onQuiet(): void;
};

export type Removal = {
  remove(id: DocumentId): Promise<{ numPassages: number; freedBytes: number }>;
  removeAll(ids: readonly DocumentId[], signal: AbortSignal): AsyncGenerator<RemoveEvent>;
};

export function createRemoval(parts: RemovalParts): Removal {
  const { documents, passages, meaning, copies } = parts;

  async function removeOne(id: DocumentId): Promise<{ numPassages: number; freedBytes: number }> {
    await parts.drop(id);
    const document = documents.find(id);
    if (!document) throw new QuothError('not-found', 'This document is not in the library any more.');
    const { storedBytes } = passages.storedFacts(id);
    // The answers and the copy first: should the process end in between, the document is still there and can be removed again.
    parts.onRemoved(id);
    const copyBytes = await copies.remove(document);
    const { removedIds } = documents.remove(id);
    parts.onGone(id);
    await meaning.forgetPassages(removedIds);
    return { numPassages: removedIds.length, freedBytes: storedBytes + copyBytes };
  }

  return {
    async remove(id) {
      const removed = await removeOne(id);
      parts.onQuiet();
      return removed;
    },
    async *removeAll(ids, signal) {
      const total = { numDocuments: 0, numPassages: 0, freedBytes: 0 };
      try {
        for (const id of new Set(ids)) {
          if (signal.aborted) return;
          if (!documents.find(id)) continue;
          const { numPassages, freedBytes } = await removeOne(id);
          total.numDocuments += 1;
          total.numPassages += numPassages;
          total.freedBytes += freedBytes;
          yield { type: 'removed', documentId: id };
        }
        yield { type: 'summary', ...total };
      } finally {
        parts.onQuiet();
      }
    },
  };
}
