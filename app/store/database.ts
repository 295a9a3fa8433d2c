/**
 * Opens a profile's database: `<profile>/quoth.db`, the only truth about documents, passages, chats and settings.
 *
 * One process owns a profile. The lock is SQLite's own exclusive lock on the file: the system takes it back when the
 * process ends, however it ends, on Windows as on Linux, so there is no stale lock to recover from.
 */
import fs from 'node:fs';
import path from 'node:path';
import Sqlite from 'better-sqlite3';
import { QuothError } from '../contract/errors.ts';
import type { Log } from '../outside.ts';
import { answerWords, sourceWords } from './answer-words.ts';
import { migrations } from './migrations/migrations.ts';
import { rescueRows } from './rescue.ts';
import { createScrubber, type Scrubber } from './scrub.ts';
import { isDamage, toStoreError } from './store-error.ts';
import { words } from './words.ts';

export type Database = {
  /** The connection, for the tables of this folder only. */
  sqlite: Sqlite.Database;
  /** What the person must be told about the opening, in plain words; null when all was well. */
  notice: string | null;
  /** Notes in the profile that SQLite met damage: the next opening looks at every page. */
  suspectDamage(): void;
  /** What takes the words of removed passages out of the file. Call `work` when idle; `close` does some, too. */
  scrubber: Scrubber;
  /** Writes everything into the one file and gives the profile free. May be called twice. */
  close(): void;
};

export type DatabaseOptions = { profileFolder: string; nowMs: () => number; log: Log };

/** What a person does not notice at the end of a program. What is left then is done at the next end. */
const scrubAtCloseMs = 1000;
/** Longer than another Quoth needs to end, shorter than a person's patience. */
const lockTimeoutMs = 1000;

/**
 * Opens the database, creating or migrating it as needed.
 *
 * A damaged file is kept beside it as `quoth.db.corrupt-<time>`; chats, settings and the list of documents are taken over
 * as far as they can be read, the documents queued to be read again, and `notice` says so.
 *
 * Fails with `busy` (another Quoth owns the profile), `unsupported` (written by a newer Quoth), `disk-full`, `denied` or
 * `unreadable`.
 */
export function openDatabase({ profileFolder, nowMs, log }: DatabaseOptions): Database {
  const file = path.join(profileFolder, 'quoth.db');
  try {
    fs.mkdirSync(profileFolder, { recursive: true });
    try {
      return toDatabase(file, openFile(file), null, nowMs);
    } catch (error) {
      if (!isDamage(error)) throw error;
      return replaceDamaged(file, nowMs, log, error);
    }
  } catch (error) {
    throw toStoreError(error);
  }
}

/** Opens one file, takes its lock, checks it if there is a reason to, and brings its schema up to date. */
function openFile(file: string): Sqlite.Database {
  // A clean close removes the write-ahead log. Looked at before the open, which creates one.
  const uncleanExit = fs.existsSync(`${file}-wal`);
  const suspected = fs.existsSync(`${file}.suspect`);
  const sqlite = new Sqlite(file, { timeout: lockTimeoutMs });
  try {
    sqlite.pragma('locking_mode = EXCLUSIVE');
    sqlite.pragma('journal_mode = WAL');
    sqlite.pragma('synchronous = FULL');
    sqlite.pragma('foreign_keys = ON');
    sqlite.pragma('secure_delete = ON');
    sqlite.pragma('journal_size_limit = 16777216');
    sqlite.function('words', { deterministic: true }, (text) => (typeof text === 'string' ? words(text) : null));
    for (const [name, take] of Object.entries({ answer_words: answerWords, source_words: sourceWords }))
      sqlite.function(name, { deterministic: true }, (json) => (typeof json === 'string' ? take(json) : null));
    if (suspected) check(sqlite, 'integrity_check(1)');
    else if (uncleanExit) check(sqlite, 'quick_check(1)');
    migrate(sqlite);
    if (suspected) fs.rmSync(`${file}.suspect`, { force: true });
    return sqlite;
  } catch (error) {
    sqlite.close();
    throw error;
  }
}

function check(sqlite: Sqlite.Database, pragma: string): void {
  const result = sqlite.pragma(pragma, { simple: true });
  if (result !== 'ok') throw new Sqlite.SqliteError(`${pragma}: ${String(result)}`, 'SQLITE_CORRUPT');
}

function migrate(sqlite: Sqlite.Database): void {
  const run = sqlite.transaction(() => {
    const version = sqlite.pragma('user_version', { simple: true }) as number;
    if (version > migrations.length)
      throw new QuothError(
        'unsupported',
        'This profile was written by a newer Quoth. Please update Quoth, or open it with another profile.',
      );
    for (const migration of migrations.slice(version)) sqlite.exec(migration);
    if (version < migrations.length) sqlite.pragma(`user_version = ${migrations.length}`);
  });
  // Immediate: the lock is taken here, also when there is nothing to migrate.
  run.immediate();
}

/** Moves a damaged database aside and starts a new one with all that can still be read of the old. */
function replaceDamaged(file: string, nowMs: () => number, log: Log, cause: unknown): Database {
  const stamp = new Date(nowMs()).toISOString().replace(/[:.]/g, '-');
  const kept = `${file}.corrupt-${stamp}`;
  log('error', 'the database is damaged; it is kept and a new one is made', { kept, cause: String(cause) });
  for (const suffix of ['', '-wal', '-journal', '.suspect'])
    if (fs.existsSync(file + suffix)) fs.renameSync(file + suffix, kept + suffix);
  const sqlite = openFile(file);
  try {
    const rescued = rescueRows(sqlite, kept, nowMs());
    log('warn', 'rows taken over from the damaged database', rescued);
    return toDatabase(
      file,
      sqlite,
      `Quoth's database was damaged and has been made anew. ${rescued.documents} documents are being read again and ` +
        `${rescued.chats} chats were kept. The damaged file is still there as "${path.basename(kept)}".`,
      nowMs,
    );
  } catch (error) {
    sqlite.close();
    throw error;
  }
}

function toDatabase(file: string, sqlite: Sqlite.Database, notice: string | null, nowMs: () => number): Database {
  const scrubber = createScrubber(sqlite, nowMs);
  return {
    sqlite,
    notice,
    scrubber,
    suspectDamage() {
      try {
        fs.writeFileSync(`${file}.suspect`, '');
      } catch {
        // The disk takes no more: then the write-ahead log that stays behind leads to a check as well.
      }
    },
    close() {
      if (!sqlite.open) return;
      try {
        scrubber.work(scrubAtCloseMs);
      } catch {
        // A full disk or damage: the note stays, and whoever reads next is told.
      }
      sqlite.close();
    },
  };
}
