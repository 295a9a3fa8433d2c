import { Search, X } from 'lucide-react';
import { useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import type { ChatId, ChatMatch, ChatSummary } from '../../app/contract/types.ts';
import { useQuoth } from '../common/quoth.tsx';

export type FoundChat = { chat: ChatSummary; matches: ChatMatch[] };

const maxChats = 50;
const calmMs = 120; // Not at every letter of a word.

/** What the words find, and null while there are none. What was found before stays until the next is there. */
export function useFoundChats(words: string): FoundChat[] | null {
  const { client, chats, notices } = useQuoth();
  const [found, setFound] = useState<FoundChat[] | null>(null);
  const wanted = words.trim();
  useEffect(() => {
    if (wanted === '') return setFound(null);
    const controller = new AbortController();
    const search = (): void =>
      void client.searchChats({ words: wanted.slice(0, 500), limit: maxChats }, controller.signal).then(
        (answer) => !controller.signal.aborted && setFound(answer.found),
        (thrown: unknown) => !controller.signal.aborted && notices.getState().tellError(thrown),
      );
    const timer = setTimeout(search, calmMs);
    const unsubscribe = chats.subscribe(search); // A chat was renamed, deleted or brought back.
    return () => {
      clearTimeout(timer);
      unsubscribe();
      controller.abort();
    };
  }, [wanted, client, chats, notices]);
  return wanted === '' ? null : found;
}

/** Where the words are written; Escape takes them away. */
export function SearchField({ words, onWords }: { words: string; onWords: (words: string) => void }) {
  const { t } = useTranslation();
  return (
    <div className="mx-2 mt-3 flex h-8 items-center gap-2 rounded-lg border border-transparent bg-hover/70 px-2.5 focus-within:border-accent focus-within:bg-raised">
      <Search className="size-3.5 shrink-0 text-soft" aria-hidden="true" />
      <input
        type="search"
        value={words}
        maxLength={500}
        placeholder={t('chats.search')}
        aria-label={t('chats.search')}
        className="min-w-0 flex-1 bg-transparent text-sm outline-none placeholder:text-soft [&::-webkit-search-cancel-button]:hidden"
        onChange={(event) => onWords(event.target.value)}
        onKeyDown={(event) => {
          if (event.key !== 'Escape' || event.nativeEvent.isComposing || event.keyCode === 229 || words === '') return;
          event.preventDefault();
          event.stopPropagation();
          onWords('');
        }}
      />
      {words !== '' && (
        <button
          type="button"
          aria-label={t('chats.searchEnd')}
          title={t('chats.searchEnd')}
          className="-mr-1 inline-flex size-5 shrink-0 items-center justify-center rounded text-soft hover:text-ink"
          onClick={() => onWords('')}
        >
          <X className="size-3.5" />
        </button>
      )}
    </div>
  );
}

/** The turns of a chat that were found, each with the words around the one that was sought. */
export function Matches({ chatId, matches }: { chatId: ChatId; matches: ChatMatch[] }) {
  const { t } = useTranslation();
  const { conversations, notices, view } = useQuoth();
  const open = ({ turnId }: ChatMatch): void => {
    const key = conversations.getState().open(chatId);
    view.getState().showConversation(key, turnId);
    conversations.getState().showTurn(key, turnId).catch(notices.getState().tellError);
  };
  return (
    <ul className="mb-1 ml-2 grid border-l border-line">
      {matches.map((match) => (
        <li key={match.turnId}>
          <button
            type="button"
            className="block w-full rounded-r-lg py-1 pr-2 pl-2.5 text-left text-xs leading-snug text-soft hover:bg-hover"
            onClick={() => open(match)}
          >
            <span className="sr-only">{t(`chats.in.${match.field}`)} </span>
            <span className="line-clamp-2 [overflow-wrap:anywhere]">
              {match.before}
              <mark className="text-ink">{match.match}</mark>
              {match.after}
            </span>
          </button>
        </li>
      ))}
    </ul>
  );
}
