import type { FolderId } from '../contract/types.ts';
import type { Database } from './database.ts';
import { createId } from './ids.ts';
import { withStoreErrors } from './store-error.ts';

/** A watched folder as it is stored. Its path never leaves the core process. */
export type StoredFolder = {
  id: FolderId;
  /** Absolute and resolved. */
  path: string;
  isPaused: boolean;
  /** What the file system calls the folder itself; null until it was first seen. */
  identity: string | null;
  addedAtMs: number;
};

export type FolderTable = {
  /** A new folder, or the one that is there already. */
  insert(path: string): StoredFolder;
  find(id: string): StoredFolder | null;
  /** All folders, the oldest first. */
  list(): StoredFolder[];
  setPaused(id: string, isPaused: boolean): void;
  setIdentity(id: string, identity: string): void;
  remove(id: string): void;
};

type Row = Omit<StoredFolder, 'id' | 'isPaused'> & { id: string; isPaused: number };

export function createFolderTable(
  database: Database,
  outside: { nowMs: () => number; randomBytes: (numBytes: number) => Uint8Array },
): FolderTable {
  const { sqlite } = database;
  const select = (rest: string) =>
    sqlite.prepare<unknown[], Row>(
      `SELECT id, path, is_paused AS isPaused, identity, added_at_ms AS addedAtMs FROM folders ${rest}`,
    );
  const selectById = select('WHERE id = ?');
  const selectByPath = select('WHERE path = ?');
  const selectAll = select('ORDER BY added_at_ms, rowid');
  const insert = sqlite.prepare('INSERT INTO folders (id, path, added_at_ms) VALUES (?, ?, ?) ON CONFLICT DO NOTHING');
  const updatePaused = sqlite.prepare('UPDATE folders SET is_paused = ? WHERE id = ?');
  const updateIdentity = sqlite.prepare('UPDATE folders SET identity = ? WHERE id = ?');
  const remove = sqlite.prepare('DELETE FROM folders WHERE id = ?');
  const toFolder = (row: Row): StoredFolder => ({ ...row, id: row.id as FolderId, isPaused: row.isPaused === 1 });

  return withStoreErrors(database, {
    insert(path: string) {
      insert.run(createId('folder', outside.randomBytes), path, outside.nowMs());
      return toFolder(selectByPath.get(path)!);
    },
    find(id: string) {
      const row = selectById.get(id);
      return row ? toFolder(row) : null;
    },
    list: () => selectAll.all().map(toFolder),
    setPaused(id: string, isPaused: boolean) {
      updatePaused.run(isPaused ? 1 : 0, id);
    },
    setIdentity(id: string, identity: string) {
      updateIdentity.run(identity, id);
    },
    remove(id: string) {
      remove.run(id);
    },
  });
}
