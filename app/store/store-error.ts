import { QuothError } from '../contract/errors.ts';

/** True if SQLite says that the file's content is not what SQLite wrote. */
export function isDamage(error: unknown): boolean {
  const code = sqliteCode(error);
  return code.startsWith('SQLITE_CORRUPT') || code.startsWith('SQLITE_NOTADB');
}

/** Turns what SQLite or the file system throws into a code and a sentence for the person; others come back as they are. */
export function toStoreError(error: unknown): unknown {
  if (error instanceof QuothError) return error;
  const code = sqliteCode(error);
  const made = (quothCode: QuothError['code'], message: string): QuothError =>
    new QuothError(quothCode, message, { cause: error });
  if (code.startsWith('SQLITE_BUSY') || code.startsWith('SQLITE_LOCKED') || code === 'EBUSY')
    return made('busy', 'Quoth is already using this profile. Please close the other Quoth, or open another profile.');
  if (code.startsWith('SQLITE_FULL') || code === 'ENOSPC' || code === 'EDQUOT')
    return made('disk-full', 'The disk is full. Please free some space and try again; nothing was lost.');
  if (isDamage(error))
    return made('unreadable', "Quoth's database is damaged. Please restart Quoth: it will save what can be saved.");
  if (/^(SQLITE_(READONLY|CANTOPEN|PERM|AUTH)|EACCES|EPERM|EROFS|ENOTDIR|EEXIST)/.test(code))
    return made('denied', "Quoth may not write in its profile's folder. Please check the folder's permissions.");
  if (code.startsWith('SQLITE_IOERR') || code === 'EIO' || code === 'EMFILE' || code === 'ENFILE')
    return made('denied', "The disk did not read or write Quoth's database. Please check the disk and try again.");
  if (code.startsWith('SQLITE_NOMEM')) return made('out-of-memory', 'There is not enough memory. Please try again.');
  return error;
}

/**
 * The same functions, with all that SQLite throws turned into `QuothError`s. Damage is also told to the database, so that
 * the next opening looks at every page.
 */
export function withStoreErrors<Table extends object>(database: { suspectDamage(): void }, table: Table): Table {
  const wrapped: Record<string, unknown> = {};
  for (const [name, run] of Object.entries(table) as [string, (...input: unknown[]) => unknown][]) {
    wrapped[name] = (...input: unknown[]) => {
      try {
        return run(...input);
      } catch (error) {
        if (isDamage(error)) database.suspectDamage();
        throw toStoreError(error);
      }
    };
  }
  return wrapped as Table;
}

function sqliteCode(error: unknown): string {
  if (typeof error !== 'object' || error === null || !('code' in error)) return '';
  return typeof error.code === 'string' ? error.code : '';
}
