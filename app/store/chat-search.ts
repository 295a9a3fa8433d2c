/** Finds chats by the words of their questions, answers and sources, and shows where they stand. */
import type { ChatId, ChatMatch, ChatSummary, TurnId } from '../contract/types.ts';
import { answerParts } from './answer-words.ts';
import type { Database } from './database.ts';
import { withStoreErrors } from './store-error.ts';
import { questionWords } from './words.ts';

export type FoundChat = { chat: ChatSummary; matches: ChatMatch[] };

export type ChatSearch = {
  /**
   * Chats in which one turn, on any branch, has all the words (of the last one its beginning is enough), or whose title has;
   * the one last spoken in first. Deleted ones are not found.
   */
  search(wanted: string, limit: number): FoundChat[];
};

/** Of one chat. The chat itself shows the rest. */
const maxMatches = 3;
/** Turns that are looked at: with a word that stands in every one, the newest chats are enough. */
const maxTurns = 300;
const charactersBefore = 32;
const charactersAfter = 90;

type Row = { id: string; chatId: string; question: string; answer: string | null };
type ChatRow = { id: string; title: string; numTurns: number; updatedAtMs: number };

export function createChatSearch(database: Database): ChatSearch {
  const selectTurns = database.sqlite.prepare<[string, number], Row>(
    `SELECT turns.id, chat_id AS chatId, question, answer
     FROM (SELECT rowid AS number FROM turn_words WHERE turn_words MATCH ?) JOIN turns USING (number)
       JOIN chats ON chats.id = chat_id
     WHERE deleted_at_ms IS NULL ORDER BY updated_at_ms DESC, chats.rowid DESC, ordinal LIMIT ?`,
  );
  const selectChats = database.sqlite.prepare<[], ChatRow>(
    `SELECT id, title, updated_at_ms AS updatedAtMs, (SELECT count(*) FROM turns WHERE chat_id = chats.id) AS numTurns
     FROM chats WHERE deleted_at_ms IS NULL ORDER BY updated_at_ms DESC, rowid DESC`,
  );
  return withStoreErrors(database, {
    search(wanted: string, limit: number) {
      const sought = questionWords(wanted);
      if (sought.length === 0) return [];
      const query = sought.map((word, index) => `"${word}"${index === sought.length - 1 ? '*' : ''}`).join(' AND ');
      const matches = new Map<string, ChatMatch[]>();
      for (const row of selectTurns.all(query, maxTurns)) {
        const ofChat = matches.get(row.chatId) ?? [];
        if (ofChat.length < maxMatches) ofChat.push(matchIn(row, sought));
        matches.set(row.chatId, ofChat);
      }
      const inTitle = (title: string): boolean => sought.every((word) => placeOf(title, word) !== null);
      return selectChats
        .all()
        .filter(({ id, title }) => matches.has(id) || inTitle(title))
        .slice(0, limit)
        .map((row) => ({ chat: { ...row, id: row.id as ChatId }, matches: matches.get(row.id) ?? [] }));
    },
  });
}

/** The words around the first that was found: in the question, else in the answer, else in a source. */
function matchIn({ id, question, answer }: Row, sought: string[]): ChatMatch {
  const { text, sources } = answerParts(answer);
  const fields: { field: ChatMatch['field']; text: string }[] = [
    { field: 'question', text: question },
    { field: 'answer', text: text.replace(/\s*(?<!\\)\[\d{1,3}\]/g, '').replace(/\\([!-/:-@[-`{-~])/g, '$1') },
    ...sources.flatMap(({ title, source, quote }) =>
      [quote, title, source].map((one) => ({ field: 'source' as const, text: one })),
    ),
  ];
  // An ending that the index cuts off may stand otherwise in the text.
  for (const shorter of [0, 1, 2, 3])
    for (const { field, text } of fields)
      for (const word of sought) {
        const place = placeOf(text, word.slice(0, Math.max(Math.min(4, word.length), word.length - shorter)));
        if (place) return { turnId: id as TurnId, field, ...cutAround(text, place) };
      }
  return { turnId: id as TurnId, field: 'question', before: '', match: '', after: cut(question, charactersAfter) };
}

/** Where a word begins a word of the text, whatever its capitals and accents. */
function placeOf(text: string, word: string): { start: number; endExclusive: number } | null {
  const bare = (value: string): string => value.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase();
  const wanted = bare(word);
  const starts: number[] = [];
  let folded = '';
  let offset = 0;
  for (const character of text) {
    const piece = bare(character);
    for (let unit = 0; unit < piece.length; unit++) starts.push(offset);
    folded += piece;
    offset += character.length;
  }
  starts.push(text.length);
  const isLetter = (value: string | undefined): boolean => value !== undefined && /[a-z0-9]/.test(value);
  for (let at = folded.indexOf(wanted); at !== -1; at = folded.indexOf(wanted, at + 1))
    if (!isLetter(folded[at - 1]) || !isLetter(wanted[0]))
      return { start: starts[at] ?? 0, endExclusive: starts[at + wanted.length] ?? text.length };
  return null;
}

function cutAround(text: string, { start, endExclusive }: { start: number; endExclusive: number }) {
  const before = line(text.slice(0, start));
  const characters = [...before];
  const left =
    characters.length <= charactersBefore
      ? before
      : `…${characters
          .slice(-charactersBefore)
          .join('')
          .replace(/^\S+\s(?=.)/, '')}`;
  return {
    before: left,
    match: line(text.slice(start, endExclusive)),
    after: cut(text.slice(endExclusive), charactersAfter),
  };
}

function cut(text: string, numCharacters: number): string {
  const characters = [...line(text)];
  return characters.length <= numCharacters ? characters.join('') : `${characters.slice(0, numCharacters).join('')}…`;
}

function line(text: string): string {
  return text.replace(/\s+/g, ' ');
}
