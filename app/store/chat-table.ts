import { QuothError } from '../contract/errors.ts';
import {
  type Answer,
  answer as answerSchema,
  type ChatId,
  type ChatSummary,
  type Turn,
  type TurnId,
} from '../contract/types.ts';
import type { Database } from './database.ts';
import { createId } from './ids.ts';
import { withStoreErrors } from './store-error.ts';

export type ChatTable = {
  /** Chats that are not deleted, the one last spoken in first. */
  list(): ChatSummary[];
  /** Fails with `not-found` for a chat that is not there or is deleted. */
  read(id: string): { chat: ChatSummary; turns: Turn[] };
  create(title: string): ChatId;
  /** Appends a question without an answer. */
  addTurn(chatId: string, question: string): TurnId;
  saveAnswer(turnId: string, answer: Answer): void;
  rename(id: string, title: string): void;
  /** Takes the chat out of the list; `restore` brings it back until `purge`. */
  delete(id: string): void;
  restore(id: string): void;
  /**
   * Rewrites every saved answer that cites a document, also in deleted chats, in one commit: for what must be forgotten.
   */
  rewriteAnswersCiting(documentId: string, rewrite: (answer: Answer) => Answer): void;
  /** Removes deleted chats for good, also from the write-ahead log. Called at start and at the end. */
  purge(): void;
};

type ChatRow = { id: string; title: string; numTurns: number; updatedAtMs: number };
type TurnRow = { id: string; question: string; answer: string | null; askedAtMs: number };

const chatColumns = `id, title, updated_at_ms AS updatedAtMs,
  (SELECT count(*) FROM turns WHERE chat_id = chats.id) AS numTurns FROM chats`;

export function createChatTable(
  database: Database,
  outside: { nowMs: () => number; randomBytes: (numBytes: number) => Uint8Array },
): ChatTable {
  const { sqlite } = database;
  const selectAll = sqlite.prepare<[], ChatRow>(
    `SELECT ${chatColumns} WHERE deleted_at_ms IS NULL ORDER BY updated_at_ms DESC, rowid DESC`,
  );
  const selectOne = sqlite.prepare<[string], ChatRow>(`SELECT ${chatColumns} WHERE id = ? AND deleted_at_ms IS NULL`);
  const selectTurns = sqlite.prepare<[string], TurnRow>(
    'SELECT id, question, answer, asked_at_ms AS askedAtMs FROM turns WHERE chat_id = ? ORDER BY ordinal',
  );
  const insertChat = sqlite.prepare('INSERT INTO chats (id, title, created_at_ms, updated_at_ms) VALUES (?, ?, ?, ?)');
  const insertTurn = sqlite.prepare(
    `INSERT INTO turns (id, chat_id, ordinal, question, asked_at_ms)
     VALUES (@id, @chatId, (SELECT coalesce(max(ordinal) + 1, 0) FROM turns WHERE chat_id = @chatId), @question, @nowMs)`,
  );
  const updateAnswer = sqlite.prepare('UPDATE turns SET answer = ? WHERE id = ?');
  const touch = sqlite.prepare('UPDATE chats SET updated_at_ms = ? WHERE id = ?');
  const touchOfTurn = sqlite.prepare(
    'UPDATE chats SET updated_at_ms = ? WHERE id = (SELECT chat_id FROM turns WHERE id = ?)',
  );
  const updateTitle = sqlite.prepare('UPDATE chats SET title = ? WHERE id = ? AND deleted_at_ms IS NULL');
  const markDeleted = sqlite.prepare('UPDATE chats SET deleted_at_ms = ? WHERE id = ? AND deleted_at_ms IS NULL');
  const unmarkDeleted = sqlite.prepare('UPDATE chats SET deleted_at_ms = NULL WHERE id = ?');
  const removeDeleted = sqlite.prepare('DELETE FROM chats WHERE deleted_at_ms IS NOT NULL');

  const selectCiting = sqlite.prepare<[string], { id: string; answer: string }>(
    'SELECT id, answer FROM turns WHERE instr(answer, ?) > 0',
  );

  const toChat = (row: ChatRow): ChatSummary => ({ ...row, id: row.id as ChatId });

  function mustChange(numChanges: number): void {
    if (numChanges === 0) throw new QuothError('not-found', 'This chat does not exist any more.');
  }

  function mustFind(id: string): ChatSummary {
    const row = selectOne.get(id);
    if (!row) throw new QuothError('not-found', 'This chat does not exist any more.');
    return toChat(row);
  }

  const addTurn = sqlite.transaction((chatId: string, question: string): TurnId => {
    mustFind(chatId);
    const id = createId('turn', outside.randomBytes) as TurnId;
    const nowMs = outside.nowMs();
    insertTurn.run({ id, chatId, question, nowMs });
    touch.run(nowMs, chatId);
    return id;
  });

  const saveAnswer = sqlite.transaction((turnId: string, answer: Answer) => {
    mustChange(updateAnswer.run(JSON.stringify(answer), turnId).changes);
    touchOfTurn.run(outside.nowMs(), turnId);
  });

  const rewriteAnswersCiting = sqlite.transaction((documentId: string, rewrite: (answer: Answer) => Answer) => {
    for (const row of selectCiting.all(JSON.stringify(documentId))) {
      const answer = toAnswer(row.answer);
      if (answer) updateAnswer.run(JSON.stringify(rewrite(answer)), row.id);
    }
  });

  return withStoreErrors(database, {
    list: () => selectAll.all().map(toChat),
    read(id: string) {
      const chat = mustFind(id);
      const turns = selectTurns.all(id).map((row) => ({ ...row, id: row.id as TurnId, answer: toAnswer(row.answer) }));
      return { chat, turns };
    },
    create(title: string) {
      const id = createId('chat', outside.randomBytes) as ChatId;
      const nowMs = outside.nowMs();
      insertChat.run(id, title, nowMs, nowMs);
      return id;
    },
    addTurn: (chatId: string, question: string) => addTurn(chatId, question),
    saveAnswer: (turnId: string, answer: Answer) => saveAnswer(turnId, answer),
    rename: (id: string, title: string) => mustChange(updateTitle.run(title, id).changes),
    delete: (id: string) => mustChange(markDeleted.run(outside.nowMs(), id).changes),
    restore: (id: string) => mustChange(unmarkDeleted.run(id).changes),
    rewriteAnswersCiting: (documentId: string, rewrite: (answer: Answer) => Answer) =>
      rewriteAnswersCiting(documentId, rewrite),
    purge() {
      if (removeDeleted.run().changes > 0) sqlite.pragma('wal_checkpoint(TRUNCATE)');
    },
  });
}

/** A stored answer is checked like any other input: one that does not hold is shown as none, never as half of one. */
function toAnswer(json: string | null): Answer | null {
  if (json === null) return null;
  try {
    const parsed = answerSchema.safeParse(JSON.parse(json));
    return parsed.success ? parsed.data : null;
  } catch {
    return null;
  }
}
