import type Sqlite from 'better-sqlite3';

/**
 * Takes the words of removed passages out of the file.
 *
 * A removal only notes in the word index that they are gone; they leave when its segments are merged. FTS5 could do it at
 * once (`secure-delete`), but one document of 633 passages among 100,000 then took 8 s, and so takes 0.06 s. The note that there is
 * something to do lies in the database and outlives the process.
 */
export type Scrubber = {
  /** To be called in the transaction of the removal. */
  note(): void;
  /** Works for about so long. True when nothing is left to do. */
  work(budgetMs: number): boolean;
};

/** Pages of one step: some milliseconds of work, and at most some tens. */
const stepPages = 64;
const key = 'store.scrub';

export function createScrubber(sqlite: Sqlite.Database, nowMs: () => number): Scrubber {
  const select = sqlite.prepare<[string], string>('SELECT value FROM settings WHERE key = ?').pluck();
  const insert = sqlite.prepare("INSERT OR REPLACE INTO settings (key, value) VALUES (?, 'true')");
  const remove = sqlite.prepare('DELETE FROM settings WHERE key = ?');
  const merge = sqlite.prepare("INSERT INTO passage_words (passage_words, rank) VALUES ('merge', ?)");
  const countChanges = sqlite.prepare<[], number>('SELECT total_changes()').pluck();
  /** A merge of all segments has begun since the last removal. */
  let begun = false;

  return {
    note() {
      begun = false;
      insert.run(key);
    },
    work(budgetMs) {
      if (select.get(key) === undefined) return true;
      const startMs = nowMs();
      for (;;) {
        const before = countChanges.get() ?? 0;
        // Negative: of all segments, not only of those that are due.
        merge.run(begun ? stepPages : -stepPages);
        begun = true;
        // FTS5's own sign that there was nothing left to merge.
        if ((countChanges.get() ?? 0) - before < 2) break;
        if (nowMs() - startMs >= budgetMs) return false;
      }
      remove.run(key);
      // The write-ahead log still holds the pages as they were.
      sqlite.pragma('wal_checkpoint(TRUNCATE)');
      return true;
    },
  };
}
