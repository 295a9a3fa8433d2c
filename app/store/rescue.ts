import Sqlite from 'better-sqlite3';
import { isDamage } from './store-error.ts';

export type Rescued = { documents: number; chats: number; turns: number; settings: number };

/**
 * Copies the rows of a damaged database that can still be read, in one transaction: documents (queued, to be read again:
 * a damaged passage must never become a quote), collections, chats with their turns, settings.
 *
 * Passage ids go on far above the old ones, so that a citation in an old answer never points to a new passage.
 */
export function rescueRows(target: Sqlite.Database, damagedFile: string, nowMs: number): Rescued {
  const rescued: Rescued = { documents: 0, chats: 0, turns: 0, settings: 0 };
  const copyAll = target.transaction(() => {
    // More seconds have passed since 1970 than passages were ever stored here.
    target.prepare("INSERT INTO sqlite_sequence (name, seq) VALUES ('passages', ?)").run(Math.floor(nowMs / 1000));
    let source: Sqlite.Database;
    try {
      source = new Sqlite(damagedFile, { fileMustExist: true });
    } catch (error) {
      if (isDamage(error)) return;
      throw error;
    }
    try {
      rescued.documents = copy(source, target, 'documents', "state = 'queued', reason = NULL, content_hash = NULL");
      copy(source, target, 'folders');
      for (const table of ['collections', 'collection_documents', 'collection_folders']) copy(source, target, table);
      rescued.chats = copy(source, target, 'chats');
      rescued.turns = copy(source, target, 'turns');
      rescued.settings = copy(source, target, 'settings');
    } finally {
      source.close();
    }
  });
  copyAll();
  return rescued;
}

/** Reads forwards up to the damage, then backwards down to it; rows that break a rule of the schema are left out. */
function copy(source: Sqlite.Database, target: Sqlite.Database, table: string, change?: string): number {
  const columnsIn = (database: Sqlite.Database): string[] =>
    (database.prepare(`PRAGMA table_info(${table})`).all() as { name: string }[]).map(({ name }) => name);
  // A database of an older version lacks columns that came later.
  let known: string[] = [];
  try {
    known = columnsIn(source);
  } catch (error) {
    if (!isSourceFault(error)) throw error;
  }
  const columns = columnsIn(target).filter((name) => known.includes(name));
  if (columns.length === 0) return 0;
  const insert = target.prepare(
    `INSERT OR IGNORE INTO ${table} (${columns.join(', ')}) VALUES (${columns.map((name) => `@${name}`).join(', ')})`,
  );
  let numRows = 0;
  for (const order of ['ASC', 'DESC']) {
    try {
      const rows = source.prepare(`SELECT ${columns.join(', ')} FROM ${table} NOT INDEXED ORDER BY rowid ${order}`);
      for (const row of rows.iterate()) numRows += insertSoundRow(insert, row);
      break;
    } catch (error) {
      if (!isSourceFault(error)) throw error;
    }
  }
  if (change) target.exec(`UPDATE ${table} SET ${change}`);
  return numRows;
}

function insertSoundRow(insert: Sqlite.Statement, row: unknown): number {
  try {
    return insert.run(row).changes;
  } catch (error) {
    if (error instanceof Sqlite.SqliteError && error.code.startsWith('SQLITE_CONSTRAINT')) return 0;
    throw error;
  }
}

/** Damage, or a table that is not there any more. */
function isSourceFault(error: unknown): boolean {
  return isDamage(error) || (error instanceof Sqlite.SqliteError && /^SQLITE_(ERROR|IOERR)/.test(error.code));
}
