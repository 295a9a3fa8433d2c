/** The chats' own procedures, and what happens to saved answers when a document they cite is removed. */

import type { SearchResult } from '../../ingest/search.ts';
import type { StoredPassage } from '../../ingest/store.ts';
import type { QuothContract } from '../contract/contract.ts';
import type { Handlers } from '../contract/procedure.ts';
import type { Answer, DocumentId, TurnId } from '../contract/types.ts';
import type { ChatSearch } from '../store/chat-search.ts';
import type { ChatTable } from '../store/chat-table.ts';
import { exportChat } from './export/export-chat.ts';
import { englishWords } from './export/words.ts';
import { asLine, asMarkdown } from './markdown.ts';
import { toPassage } from './to-passage.ts';
import { unsupportedIn } from './unsupported.ts';

type ChatHandlers = Pick<
  Handlers<QuothContract>,
  | 'listChats'
  | 'searchChats'
  | 'readChat'
  | 'showTurn'
  | 'readFound'
  | 'exportChat'
  | 'renameChat'
  | 'deleteChat'
  | 'restoreChat'
>;

/** What a search found, or what was kept of one. */
export type FoundForTurn = Pick<SearchResult, 'passages' | 'embedderId'>;

export type Chats = {
  handlers: ChatHandlers;
  /** Blanks the removed document's quotes in every saved answer, also in deleted chats. */
  forgetDocument(documentId: DocumentId): void;
  /** What was found for a turn, as far as it is still in the library. */
  foundFor(turnId: TurnId): FoundForTurn;
};

export type ChatStore = {
  table: ChatTable;
  search: ChatSearch;
  readPassages: (ids: number[]) => StoredPassage[];
};

export function createChats({ table, search, readPassages }: ChatStore): Chats {
  const foundFor = (turnId: TurnId): FoundForTurn => {
    const { embedderId, passages } = table.readFound(turnId);
    const notes = new Map(passages.map((note) => [note.passageId, note]));
    const found = readPassages([...notes.keys()]).flatMap((passage) => {
      const note = notes.get(passage.passageId);
      if (!note) return [];
      const { alsoIn = [], ...scores } = note;
      return [{ ...passage, ...scores, ...(alsoIn.length > 0 ? { alsoIn: readPassages(alsoIn) } : {}) }];
    });
    return { embedderId, passages: found };
  };
  return {
    foundFor,
    handlers: {
      listChats: async () => ({ chats: table.list() }),
      searchChats: async ({ words, limit }) => ({ found: search.search(words, limit) }),
      readChat: async ({ chatId, ...piece }) => table.read(chatId, piece),
      showTurn: async ({ chatId, turnId, numTurns }) => {
        table.showTurn(chatId, turnId);
        const { turns, numBefore } = table.read(chatId, { numTurns });
        return { turns, numBefore };
      },
      readFound: async ({ turnId }) => ({ passages: foundFor(turnId).passages.map(toPassage) }),
      exportChat: async ({ chatId, format, words = englishWords }) =>
        exportChat(format, { ...table.read(chatId), words }),
      renameChat: async ({ chatId, title }) => {
        table.rename(chatId, title);
        return {};
      },
      deleteChat: async ({ chatId }) => {
        table.delete(chatId);
        return {};
      },
      restoreChat: async ({ chatId }) => {
        table.restore(chatId);
        return {};
      },
    },
    forgetDocument: (documentId) =>
      table.rewriteAnswersCiting(documentId, (answer) => withoutDocument(answer, documentId)),
  };
}

export const removedTitle = 'Removed document';

/**
 * The answer without a removed document's words: its citations stay as numbers without quote, name or proof, and its
 * quotes leave the text. What a model said in its own words stays.
 */
export function withoutDocument(answer: Answer, documentId: DocumentId): Answer {
  let { text } = answer;
  const citations = answer.citations.map((citation) => {
    if (citation.documentId !== documentId) return citation;
    const words = citation.quote.replace(/\s+/g, ' ');
    for (const written of [citation.quote, words, asMarkdown(words), asLine(words)])
      if (written.length > 0) text = text.replaceAll(written, '…');
    const { cell: _cell, boxes: _boxes, ...rest } = citation;
    return { ...rest, title: removedTitle, source: '', quote: '', verified: false };
  });
  const { job } = answer;
  if (!job) return { ...answer, text, citations, ...(answer.unsupported ? { unsupported: unsupportedIn(text) } : {}) };
  // The result of a job names its documents: over their lines, and among those that could not be read.
  const isIt = (one: { documentId: DocumentId }): boolean => one.documentId === documentId;
  for (const { title } of [...answer.citations, ...job.coverage.unread].filter(isIt))
    if (title !== '' && title !== removedTitle) text = text.replaceAll(asLine(title), removedTitle);
  const unread = job.coverage.unread.map((one) => (isIt(one) ? { ...one, title: removedTitle, reason: '' } : one));
  return { ...answer, text, citations, job: { ...job, coverage: { ...job.coverage, unread } } };
}

/** A chat's name, from its first question: one line, cut at a word. */
export function titleFrom(question: string): string {
  const line = question.replace(/\s+/g, ' ').trim();
  const characters = [...line];
  if (characters.length <= 60) return line;
  const cut = characters.slice(0, 60).join('');
  const space = cut.lastIndexOf(' ');
  return `${(space > 30 ? cut.slice(0, space) : cut).trimEnd()}…`;
}
