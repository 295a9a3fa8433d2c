import { first } from './0001-first.ts';
import { scannedPages } from './0002-scanned-pages.ts';
import { jobs } from './0003-jobs.ts';
import { cellsAndNotes } from './0004-cells-and-notes.ts';
import { scopes } from './0005-scopes.ts';
import { copies } from './0006-copies.ts';
import { collections } from './0007-collections.ts';
import { connections } from './0008-connections.ts';
import { scansSureness } from './0009-scans-sureness.ts';
import { readerVersions } from './0010-reader-versions.ts';

/** All schemas in order. A database's `user_version` is the number of those it has seen. Never change one that shipped. */
export const migrations: readonly string[] = [
  first,
  scannedPages,
  jobs,
  cellsAndNotes,
  scopes,
  copies,
  collections,
  connections,
  scansSureness,
  readerVersions,
];
