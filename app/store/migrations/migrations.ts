import { first } from './0001-first.ts';
import { scannedPages } from './0002-scanned-pages.ts';
import { scopes } from './0003-scopes.ts';
import { copies } from './0004-copies.ts';

/** All schemas in order. A database's `user_version` is the number of those it has seen. Never change one that shipped. */
export const migrations: readonly string[] = [first, scannedPages, scopes, copies];
