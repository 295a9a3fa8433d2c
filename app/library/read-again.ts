/** Documents that are read once more: because the person asks for it, or because what was missing is there now. */
import type { AddEvent, QuothContract } from '../contract/contract.ts';
import { QuothError } from '../contract/errors.ts';
import type { Handlers } from '../contract/procedure.ts';
import type { DocumentId } from '../contract/types.ts';
import type { DocumentTable, StoredDocument } from '../store/document-table.ts';
import type { Adding } from './adding.ts';
import type { IngestQueue } from './ingest-queue.ts';
import { isGone } from './reconcile.ts';

export type ReadAgain = {
  handlers: Pick<Handlers<QuothContract>, 'retryDocument' | 'retryDocuments' | 'describeScans' | 'readScansAgain'>;
  /** A speech model is there: what waits for one is read. */
  hear(): void;
};

export function createReadAgain(parts: {
  documents: DocumentTable;
  queue: Pick<IngestQueue, 'add' | 'has'>;
  adding: Adding;
  /** Fails with `not-found`. */
  mustFind(id: DocumentId): StoredDocument;
  /** Whether the folder that a file lies in is not to be read now. */
  isPaused(path: string): boolean;
  onChanged(document: StoredDocument): void;
}): ReadAgain {
  const { documents, queue, adding, mustFind, onChanged } = parts;

  function retry(ids: readonly DocumentId[], anew: boolean, signal: AbortSignal): AsyncGenerator<AddEvent> {
    return adding(signal, async (follow) => {
      for (const id of new Set(ids)) {
        const document = ids.length === 1 ? mustFind(id) : documents.find(id);
        if (!document) continue;
        if (!queue.has(id)) {
          const isLost =
            document.sourceType === 'file' && document.state === 'ready' && (await isGone(document.location));
          if (isLost && ids.length === 1)
            throw new QuothError('not-found', 'The file is no longer where it was. Its text stays as it was read.');
          if (isLost) continue;
          // The hash of what it was cut from: without it, the same bytes are read again.
          if (anew) documents.setFacts(id, { contentHash: null });
          onChanged(documents.setState(id, 'queued'));
        }
        follow(queue.add(id));
      }
    });
  }

  return {
    handlers: {
      retryDocument: ({ documentId }, signal) => retry([documentId], false, signal),
      retryDocuments: ({ documentIds, anew = false }, signal) => retry(documentIds, anew, signal),
      describeScans: async () => ({ numDocuments: documents.listScanned().length }),
      readScansAgain: (_input, signal) => {
        const ids = documents.listScanned().map(({ id }) => id);
        // Before the first of them is read: one of the same bytes would be taken for read already.
        for (const id of ids) documents.setFacts(id, { contentHash: null });
        return retry(ids, true, signal);
      },
    },
    hear() {
      for (const { id, location } of documents.listFailed('no-speech-model')) {
        if (parts.isPaused(location) || queue.has(id)) continue;
        onChanged(documents.setState(id, 'queued'));
        void queue.add(id).catch(() => {});
      }
    },
  };
}
