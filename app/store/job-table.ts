import { z } from 'zod';
import { type ChatId, type JobTask, jobTask, type TurnId, windowLanguages } from '../contract/types.ts';
import type { Database } from './database.ts';
import { withStoreErrors } from './store-error.ts';

export type JobLanguage = (typeof windowLanguages)[number];

/** A job that has not come to its end, of a chat that is not deleted. */
export type StoredJob = {
  turnId: TurnId;
  chatId: ChatId;
  task: JobTask;
  language: JobLanguage;
  state: 'active' | 'stopped' | 'failed';
  reason: string | null;
};

/** One sentence about a part, with the words of the passage that bear it; `text` null = these words themselves. */
export const noteLine = z.object({
  text: z.string().nullable(),
  passageId: z.number().int().positive(),
  start: z.number().int().nonnegative(),
  endExclusive: z.number().int().positive(),
});
export type NoteLine = z.infer<typeof noteLine>;

const noteLines = z.array(noteLine);
const storedLanguage = z.enum(windowLanguages);

export type JobTable = {
  insert(turnId: string, task: JobTask, language: JobLanguage): void;
  /** The oldest first. One whose row cannot be understood is left out. */
  list(): StoredJob[];
  find(turnId: string): StoredJob | null;
  setState(turnId: string, state: StoredJob['state'], reason: string | null): void;
  /** Removes the job with its notes; the turn stays. */
  remove(turnId: string): void;
  saveNote(turnId: string, documentId: string, part: string, lines: readonly NoteLine[]): void;
  note(turnId: string, part: string): NoteLine[] | null;
};

type Row = Omit<StoredJob, 'task' | 'language'> & { task: string; language: string };

const columns = `jobs.turn_id AS turnId, turns.chat_id AS chatId, task, language, state, reason FROM jobs
  JOIN turns ON turns.id = jobs.turn_id JOIN chats ON chats.id = turns.chat_id WHERE chats.deleted_at_ms IS NULL`;

export function createJobTable(database: Database): JobTable {
  const { sqlite } = database;
  const insert = sqlite.prepare("INSERT INTO jobs (turn_id, task, language, state) VALUES (?, ?, ?, 'active')");
  const selectAll = sqlite.prepare<[], Row>(`SELECT ${columns} ORDER BY jobs.number`);
  const selectOne = sqlite.prepare<[string], Row>(`SELECT ${columns} AND jobs.turn_id = ?`);
  const updateState = sqlite.prepare('UPDATE jobs SET state = ?, reason = ? WHERE turn_id = ?');
  const remove = sqlite.prepare('DELETE FROM jobs WHERE turn_id = ?');
  // A document that was removed meanwhile takes no note.
  const insertNote = sqlite.prepare(
    `INSERT OR REPLACE INTO job_notes (turn_id, document_id, part, note)
     SELECT @turnId, id, @part, @note FROM documents WHERE id = @documentId AND EXISTS
       (SELECT 1 FROM jobs WHERE turn_id = @turnId)`,
  );
  const selectNote = sqlite
    .prepare<[string, string], string>('SELECT note FROM job_notes WHERE turn_id = ? AND part = ?')
    .pluck();

  function toJob(row: Row): StoredJob[] {
    const task = jobTask.safeParse(parse(row.task));
    const language = storedLanguage.safeParse(row.language);
    return task.success && language.success ? [{ ...row, task: task.data, language: language.data }] : [];
  }

  return withStoreErrors(database, {
    insert(turnId: string, task: JobTask, language: JobLanguage) {
      insert.run(turnId, JSON.stringify(task), language);
    },
    list: () => selectAll.all().flatMap(toJob),
    find(turnId: string) {
      const row = selectOne.get(turnId);
      return (row && toJob(row)[0]) ?? null;
    },
    setState(turnId: string, state: StoredJob['state'], reason: string | null) {
      updateState.run(state, reason, turnId);
    },
    remove(turnId: string) {
      remove.run(turnId);
    },
    saveNote(turnId: string, documentId: string, part: string, lines: readonly NoteLine[]) {
      insertNote.run({ turnId, documentId, part, note: JSON.stringify(lines) });
    },
    note(turnId: string, part: string) {
      return noteLines.safeParse(parse(selectNote.get(turnId, part) ?? 'null')).data ?? null;
    },
  });
}

function parse(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return null;
  }
}
