import type { Connection, ConnectionPurpose } from '../contract/types.ts';
import type { Database } from './database.ts';
import { withStoreErrors } from './store-error.ts';

export type ConnectionEnd = Pick<Connection, 'outcome' | 'status' | 'sentBytes' | 'receivedBytes'>;

export type ConnectionTable = {
  /** A connection that is about to be made; gives its id. The oldest entries leave when there are too many. */
  begin(host: string, purpose: ConnectionPurpose): number;
  /** What came of it; may be told several times. One that was cleared meanwhile stays away. */
  note(id: number, end: ConnectionEnd): void;
  /** The newest first, from before `beforeId` on (null: the very newest). */
  list(limit: number, beforeId: number | null): Connection[];
  count(): number;
  clear(): void;
};

/** Some years of a person's use; a row takes about 100 bytes. */
const maxConnections = 20_000;

/** The ledger. What an end of the process has left open counts as failed. */
export function createConnectionTable(database: Database, { nowMs }: { nowMs: () => number }): ConnectionTable {
  const { sqlite } = database;
  const insert = sqlite.prepare<[number, string, ConnectionPurpose]>(
    "INSERT INTO connections (started_at_ms, host, purpose, outcome) VALUES (?, ?, ?, 'open')",
  );
  const prune = sqlite.prepare<[number]>('DELETE FROM connections WHERE id <= ?');
  const update = sqlite.prepare(
    `UPDATE connections SET outcome = @outcome, status = @status, sent_bytes = @sentBytes, received_bytes = @receivedBytes,
       ended_at_ms = @endedAtMs WHERE id = @id`,
  );
  const select = sqlite.prepare<[number, number], Connection>(
    `SELECT id, started_at_ms AS startedAtMs, ended_at_ms AS endedAtMs, host, purpose, outcome, status,
       sent_bytes AS sentBytes, received_bytes AS receivedBytes
     FROM connections WHERE id < ? ORDER BY id DESC LIMIT ?`,
  );
  const count = sqlite.prepare<[], number>('SELECT count(*) FROM connections').pluck();
  const clear = sqlite.prepare('DELETE FROM connections');
  sqlite.prepare("UPDATE connections SET outcome = 'failed', ended_at_ms = started_at_ms WHERE outcome = 'open'").run();

  return withStoreErrors(database, {
    begin(host: string, purpose: ConnectionPurpose) {
      const id = Number(insert.run(nowMs(), host, purpose).lastInsertRowid);
      prune.run(id - maxConnections);
      return id;
    },
    note(id: number, end: ConnectionEnd) {
      update.run({ ...end, id, endedAtMs: end.outcome === 'open' ? null : nowMs() });
    },
    list: (limit: number, beforeId: number | null) => select.all(beforeId ?? Number.MAX_SAFE_INTEGER, limit),
    count: () => count.get() ?? 0,
    clear() {
      clear.run();
      // The write-ahead log still holds the pages as they were.
      sqlite.pragma('wal_checkpoint(TRUNCATE)');
    },
  });
}
