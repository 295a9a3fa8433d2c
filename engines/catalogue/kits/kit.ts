/**
 * What Quoth can fetch beside models that it builds a plan of: files that a reader uses as they are. Each is known by its
 * size and hash before a byte of it comes.
 */
import type { PackageArchive } from '../types.ts';

export type KitFile = {
  /** Its name in the kit's folder; one folder deep at most. */
  readonly name: string;
  readonly sizeBytes: number;
  /** Lower-case hexadecimal. */
  readonly sha256: string;
  readonly archive: PackageArchive;
  /** Where it lies in the archive. */
  readonly path: string;
};

export type KitEntry = {
  readonly id: string;
  readonly name: string;
  /** `speech` turns what is said in a recording into text; `scan` reads scanned pages of one language. */
  readonly role: 'speech' | 'scan';
  /** SPDX. */
  readonly licence: string;
  readonly licenceUrl: string;
  /** BCP 47; of a `scan`, just one. */
  readonly languages: readonly string[];
  readonly note: string;
  readonly files: readonly KitFile[];
};

/** What a kit takes on the disk. */
export function keptBytesOf({ files }: Pick<KitEntry, 'files'>): number {
  return files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
}
