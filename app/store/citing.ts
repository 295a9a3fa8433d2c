/** Where saved answers quote a document, and where its name is kept beside a question. */
import { type ChatId, type CitingTurn, type Scope, scope as scopeSchema, type TurnId } from '../contract/types.ts';
import type { Database } from './database.ts';
import { withStoreErrors } from './store-error.ts';

export type Citing = {
  /** The turns whose answers quote it, of chats that are not deleted, the latest first. */
  turnsCiting(documentId: string, limit: number): CitingTurn[];
  /** Puts `name` in the place of the document's own wherever a question was asked in it. */
  forgetNames(documentId: string, name: string): void;
};

export function createCiting(database: Database): Citing {
  const { sqlite } = database;
  const selectCiting = sqlite.prepare<
    [string, number],
    { chatId: string; title: string; turnId: string; question: string; askedAtMs: number }
  >(
    `SELECT chats.id AS chatId, title, turns.id AS turnId, question, asked_at_ms AS askedAtMs
     FROM turns JOIN chats ON chats.id = turns.chat_id
     WHERE deleted_at_ms IS NULL AND instr(answer, ?) > 0 ORDER BY asked_at_ms DESC LIMIT ?`,
  );
  const selectScopes = sqlite.prepare<[string], { id: string; scope: string }>(
    'SELECT id, scope FROM turns WHERE instr(scope, ?) > 0',
  );
  const updateScope = sqlite.prepare('UPDATE turns SET scope = ? WHERE id = ?');

  const forgetNames = sqlite.transaction((documentId: string, name: string) => {
    for (const { id, scope } of selectScopes.all(JSON.stringify(documentId))) {
      const known = parsed(scope);
      const places = known?.places.map((place) =>
        place.type === 'document' && place.documentId === documentId ? { ...place, name } : place,
      );
      updateScope.run(known ? JSON.stringify({ ...known, places }) : null, id);
    }
  });

  return withStoreErrors(database, {
    turnsCiting: (documentId: string, limit: number) =>
      selectCiting.all(JSON.stringify(documentId), limit).map((row) => {
        return { ...row, chatId: row.chatId as ChatId, turnId: row.turnId as TurnId };
      }),
    forgetNames: (documentId: string, name: string) => forgetNames(documentId, name),
  });
}

/** Null for what is damaged: no question was asked in it then. */
function parsed(json: string): Scope | null {
  try {
    return scopeSchema.safeParse(JSON.parse(json)).data ?? null;
  } catch {
    return null;
  }
}
