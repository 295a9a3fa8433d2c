/**
 * The copies of files that a browser sent: a page cannot say where a file lies, so the profile keeps it, under
 * `dropped/<hash>/<name>`. A copy belongs to its document and goes with it; the person's own files are never touched.
 */
import { realpathSync } from 'node:fs';
import { rm, rmdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isInside } from '../../ingest/walk.ts';
import type { StoredDocument } from '../store/document-table.ts';

export type Copies = {
  folder: string;
  isCopy(document: Pick<StoredDocument, 'sourceType' | 'location'>): boolean;
  /** Deletes the document's copy, if it is one. The bytes that were freed. */
  remove(document: Pick<StoredDocument, 'sourceType' | 'location'>): Promise<number>;
};

export function createCopies(profileFolder: string): Copies {
  const folder = join(profileFolder, 'dropped');
  /** Locations are resolved; the profile may be reached through a link. */
  let root: string | null = null;
  const resolved = (): string | null => {
    try {
      root ??= realpathSync.native(folder);
      return root;
    } catch {
      return null; // nothing was ever sent
    }
  };
  const isOurs = ({ sourceType, location }: Pick<StoredDocument, 'sourceType' | 'location'>): boolean => {
    if (sourceType !== 'file') return false;
    const at = resolved();
    return at !== null && location !== at && isInside(location, at);
  };
  return {
    folder,
    isCopy: isOurs,
    async remove(document) {
      if (!isOurs(document)) return 0;
      const sizeBytes = (await stat(document.location).catch(() => null))?.size ?? 0;
      await rm(document.location, { force: true });
      await rmdir(dirname(document.location)).catch(() => {}); // another name for the same bytes lies in it
      return sizeBytes;
    },
  };
}
