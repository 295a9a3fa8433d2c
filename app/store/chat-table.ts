import { z } from 'zod';
import { QuothError } from '../contract/errors.ts';
import {
  type Answer,
  answer as answerSchema,
  type ChatId,
  type ChatSummary,
  type Scope,
  scope as scopeSchema,
  type Turn,
  type TurnId,
} from '../contract/types.ts';
import { growTree, type Tree, type TurnNode } from './branches.ts';
import type { Database } from './database.ts';
import { createId } from './ids.ts';
import { withStoreErrors } from './store-error.ts';

/** What is kept of a passage that was found: enough to find it again, and none of its words. */
const foundNote = z.object({
  passageId: z.number().int().positive(),
  score: z.number(),
  similarity: z.number().nullable(),
  wordScore: z.number().nullable(),
  rerankScore: z.number().nullable(),
  /** Passages of other documents that say the same. */
  alsoIn: z.array(z.number().int().positive()).optional(),
});
const foundNotes = z.object({ embedderId: z.string().nullable(), passages: z.array(foundNote) });
export type FoundNotes = z.infer<typeof foundNotes>;

export type ChatPiece = { numTurns?: number | undefined; before?: string | undefined };

export type ChatTable = {
  /** Chats that are not deleted, the one last spoken in first. */
  list(): ChatSummary[];
  /**
   * The turns of the shown branch, or the last `numTurns` of them, or of those before the turn `before`; `numBefore`: how many
   * more stand before these. Fails with `not-found` for a chat that is not there or is deleted, or a turn not on the branch.
   */
  read(id: string, piece?: ChatPiece): { chat: ChatSummary; turns: Turn[]; numBefore: number };
  create(title: string): ChatId;
  /**
   * Adds a question without an answer: at the end of the shown branch, or beside the turn `insteadOf`. It is shown. Fails
   * with `not-found` for a turn that is none of the chat's. Without `scope` (null: everything) it is asked in what the turn
   * before it, or the one that it stands beside, was asked in.
   */
  addTurn(chatId: string, question: string, insteadOf?: string, scope?: Scope | null): TurnId;
  saveAnswer(turnId: string, answer: Answer, found?: FoundNotes): void;
  /** Shows the branch through a turn. */
  showTurn(chatId: string, turnId: string): void;
  /** The branch from a chat's first turn to this one. Fails with `not-found` as `read` does, or for a turn that is not there. */
  readPath(turnId: string): Turn[];
  /** What was found for a turn of a chat that is not deleted, best first. */
  readFound(turnId: string): FoundNotes;
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
type NodeRow = { id: string; parentId: string | null; isShown: number };
type TurnRow = {
  id: string;
  question: string;
  scope: string | null;
  answer: string | null;
  found: string | null;
  askedAtMs: number;
};

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
  const selectNodes = sqlite.prepare<[string], NodeRow>(
    'SELECT id, parent_id AS parentId, is_shown AS isShown FROM turns WHERE chat_id = ? ORDER BY ordinal',
  );
  const selectTurn = sqlite.prepare<[string], TurnRow>(
    'SELECT id, question, scope, answer, found, asked_at_ms AS askedAtMs FROM turns WHERE id = ?',
  );
  const selectFound = sqlite
    .prepare<[string], string | null>(
      `SELECT found FROM turns JOIN chats ON chats.id = turns.chat_id WHERE turns.id = ? AND deleted_at_ms IS NULL`,
    )
    .pluck();
  const insertChat = sqlite.prepare('INSERT INTO chats (id, title, created_at_ms, updated_at_ms) VALUES (?, ?, ?, ?)');
  const insertTurn = sqlite.prepare(
    `INSERT INTO turns (id, chat_id, ordinal, question, asked_at_ms, parent_id, is_shown, scope)
     VALUES (@id, @chatId, (SELECT coalesce(max(ordinal) + 1, 0) FROM turns WHERE chat_id = @chatId), @question, @nowMs,
       @parentId, 1, @scope)`,
  );
  const selectChatOf = sqlite.prepare<[string], string>('SELECT chat_id FROM turns WHERE id = ?').pluck();
  const updateShown = sqlite.prepare('UPDATE turns SET is_shown = ? WHERE id = ?');
  const updateAnswer = sqlite.prepare('UPDATE turns SET answer = ? WHERE id = ?');
  const updateFound = sqlite.prepare('UPDATE turns SET found = ? WHERE id = ?');
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

  const treeOf = (chatId: string): Tree =>
    growTree(selectNodes.all(chatId).map((row) => ({ ...row, isShown: row.isShown === 1 })));

  function mustReach(tree: Tree, turnId: string): TurnNode[] {
    const path = tree.pathTo(turnId);
    if (path.length === 0) throw new QuothError('not-found', 'This question does not exist any more.');
    return path;
  }

  /** Makes each turn of the path the shown one of its siblings. */
  function show(tree: Tree, path: TurnNode[]): void {
    for (const node of path)
      for (const sibling of tree.siblingsOf(node.id)) {
        const isShown = sibling.id === node.id;
        if (isShown !== sibling.isShown) updateShown.run(isShown ? 1 : 0, sibling.id);
      }
  }

  function toTurn(node: TurnNode, tree: Tree): Turn {
    const { id, question, scope, answer, found, askedAtMs } = selectTurn.get(node.id)!;
    const inside = checked(scope, scopeSchema);
    return {
      id: id as TurnId,
      question,
      ...(inside ? { scope: inside } : {}),
      answer: toAnswer(answer),
      askedAtMs,
      siblings: tree.siblingsOf(id).map((sibling) => sibling.id as TurnId),
      numFound: toFound(found).passages.length,
    };
  }

  const addTurn = sqlite.transaction((...[chatId, question, insteadOf, scope]: Parameters<ChatTable['addTurn']>) => {
    mustFind(chatId);
    const tree = treeOf(chatId);
    const before = insteadOf === undefined ? tree.shown : mustReach(tree, insteadOf).slice(0, -1);
    if (insteadOf !== undefined) {
      show(tree, before);
      for (const { id } of tree.siblingsOf(insteadOf)) updateShown.run(0, id);
    }
    const id = createId('turn', outside.randomBytes) as TurnId;
    const nowMs = outside.nowMs();
    const neighbour = insteadOf ?? before.at(-1)?.id;
    const inherited = neighbour === undefined ? null : (selectTurn.get(neighbour)?.scope ?? null);
    const inside = scope === undefined ? inherited : scope && JSON.stringify(scope);
    insertTurn.run({ id, chatId, question, nowMs, parentId: before.at(-1)?.id ?? null, scope: inside });
    touch.run(nowMs, chatId);
    return id;
  });

  const saveAnswer = sqlite.transaction((turnId: string, answer: Answer, found?: FoundNotes) => {
    mustChange(updateAnswer.run(JSON.stringify(answer), turnId).changes);
    if (found) updateFound.run(JSON.stringify(found), turnId);
    touchOfTurn.run(outside.nowMs(), turnId);
  });

  const showTurn = sqlite.transaction((chatId: string, turnId: string) => {
    mustFind(chatId);
    const tree = treeOf(chatId);
    show(tree, mustReach(tree, turnId));
  });

  const rewriteAnswersCiting = sqlite.transaction((documentId: string, rewrite: (answer: Answer) => Answer) => {
    for (const row of selectCiting.all(JSON.stringify(documentId))) {
      const answer = toAnswer(row.answer);
      if (answer) updateAnswer.run(JSON.stringify(rewrite(answer)), row.id);
    }
  });

  return withStoreErrors(database, {
    list: () => selectAll.all().map(toChat),
    read(id: string, { numTurns, before }: ChatPiece = {}) {
      const chat = mustFind(id);
      const tree = treeOf(id);
      const endExclusive =
        before === undefined ? tree.shown.length : tree.shown.findIndex((node) => node.id === before);
      if (endExclusive === -1) throw new QuothError('not-found', 'This question does not exist any more.');
      const numBefore = Math.max(0, endExclusive - (numTurns ?? endExclusive));
      return { chat, turns: tree.shown.slice(numBefore, endExclusive).map((node) => toTurn(node, tree)), numBefore };
    },
    create(title: string) {
      const id = createId('chat', outside.randomBytes) as ChatId;
      const nowMs = outside.nowMs();
      insertChat.run(id, title, nowMs, nowMs);
      return id;
    },
    addTurn: (...input: Parameters<ChatTable['addTurn']>): TurnId => addTurn(...input),
    saveAnswer: (turnId: string, answer: Answer, found?: FoundNotes) => saveAnswer(turnId, answer, found),
    showTurn: (chatId: string, turnId: string) => showTurn(chatId, turnId),
    readPath(turnId: string) {
      const chatId = selectChatOf.get(turnId);
      if (chatId === undefined) throw new QuothError('not-found', 'This question does not exist any more.');
      mustFind(chatId);
      const tree = treeOf(chatId);
      return mustReach(tree, turnId).map((node) => toTurn(node, tree));
    },
    readFound(turnId: string) {
      const found = selectFound.get(turnId);
      if (found === undefined) throw new QuothError('not-found', 'This question does not exist any more.');
      return toFound(found);
    },
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
  return checked(json, answerSchema);
}

function toFound(json: string | null): FoundNotes {
  return checked(json, foundNotes) ?? { embedderId: null, passages: [] };
}

function checked<T>(json: string | null, schema: z.ZodType<T>): T | null {
  if (json === null) return null;
  try {
    return schema.safeParse(JSON.parse(json)).data ?? null;
  } catch {
    return null;
  }
}
