/** The chats' own procedures, and what happens to saved answers when a document they cite is removed. */
import type { QuothContract } from '../contract/contract.ts';
import type { Handlers } from '../contract/procedure.ts';
import type { Answer, DocumentId } from '../contract/types.ts';
import type { ChatTable } from '../store/chat-table.ts';

type ChatHandlers = Pick<
  Handlers<QuothContract>,
  'listChats' | 'readChat' | 'renameChat' | 'deleteChat' | 'restoreChat'
>;

export type Chats = {
  handlers: ChatHandlers;
  /** Blanks the removed document's quotes in every saved answer, also in deleted chats. */
  forgetDocument(documentId: DocumentId): void;
};

export function createChats(table: ChatTable): Chats {
  return {
    handlers: {
      listChats: async () => ({ chats: table.list() }),
      readChat: async ({ chatId }) => table.read(chatId),
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
    for (const words of [citation.quote, citation.quote.replace(/\s+/g, ' ')])
      if (words.length > 0) text = text.replaceAll(words, '…');
    return { ...citation, title: removedTitle, source: '', quote: '', verified: false };
  });
  return { ...answer, text, citations };
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
