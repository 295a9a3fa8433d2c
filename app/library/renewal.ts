/**
 * Documents that an older reader has read are read again by today's, one after the other, while nothing else is to be done.
 * Until the new text is there the old one is found and quoted as before; should the reading fail, it stays.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { readerVersions } from '../../ingest/reader-versions.ts';
import type { DocumentId } from '../contract/types.ts';
import type { Log } from '../outside.ts';
import type { DocumentTable, StoredDocument } from '../store/document-table.ts';

export type RenewalParts = {
  documents: Pick<DocumentTable, 'find' | 'listOutdated'>;
  /** Reads a document again without a word about it. Resolves at its end; rejects when it was removed meanwhile. */
  renew(id: DocumentId): Promise<StoredDocument>;
  isPaused(location: string): boolean;
  isBusy(): boolean;
  signal: AbortSignal;
  log: Log;
  pauseMs?: number | undefined;
};

/** Between two documents, and between two looks whether the computer is free. */
const usualPauseMs = 500;

/** Works through what is outdated at the moment; ends when the signal aborts. Never rejects. */
export async function renewOutdated(parts: RenewalParts): Promise<void> {
  const { documents, renew, isPaused, isBusy, signal, log, pauseMs = usualPauseMs } = parts;
  try {
    const outdated = documents.listOutdated(readerVersions);
    if (outdated.length > 0) log('info', 'documents are read again by a newer reader', { count: outdated.length });
    for (const id of outdated) {
      // Unreferenced: a command that has done its work ends without waiting; what is left is found at the next start.
      do await pause(pauseMs, undefined, { signal, ref: false });
      while (isBusy());
      const document = documents.find(id);
      if (document?.state !== 'ready' || isPaused(document.location)) continue;
      await renew(id).catch(() => null);
      signal.throwIfAborted();
    }
  } catch (error) {
    if (!signal.aborted) log('warn', 'documents of an older reader stay as they are', { error: String(error) });
  }
}
