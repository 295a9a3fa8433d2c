import { type KeyboardEvent, useCallback, useEffect, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useStore } from 'zustand';
import { useQuoth } from '../common/quoth.tsx';
import { useJob } from '../jobs/use-job.ts';
import { groupOf } from '../library/library-state.ts';
import { ComposerHint, ComposerMark } from '../models/remote-mark.tsx';
import { Composer } from './composer.tsx';
import type { Instead } from './conversations.ts';
import { EmptyState } from './empty-state.tsx';
import type { LiveTurn } from './live-turn.ts';
import { ScopeChooser } from './scope-chooser.tsx';
import { TurnList } from './turn-list.tsx';
import { useAsk } from './use-ask.ts';

/** A conversation: its turns, and the place to ask. */
export function ChatView() {
  const { t } = useTranslation();
  const { library } = useQuoth();
  const { run } = useJob();
  const { key, conversation, isAsking, ask, showTurn, stop, draft, chooseScope } = useAsk();
  const numReady = useStore(
    library,
    ({ documents }) => [...documents.values()].filter((document) => groupOf(document.state) === 'ready').length,
  );
  const turns = conversation?.turns ?? [];
  const isEmpty = turns.length === 0 && conversation?.chatId === null;
  const [numAsked, setNumAsked] = useState(0);
  const askAndFollow = useCallback(
    (question: string, instead?: Instead): void => {
      ask(question, instead); // The conversation itself refuses a second question at a time.
      setNumAsked((before) => before + 1);
    },
    [ask],
  );
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: keys that lead from one part to the other
    <div className="relative flex h-full min-h-0 flex-col" onKeyDown={goBetween}>
      {turns.length > 0 ? (
        <TurnList
          key={key}
          conversationKey={key}
          turns={turns}
          numUnread={conversation?.numUnread ?? 0}
          isAsking={isAsking}
          numAsked={numAsked}
          onAsk={askAndFollow}
          onShow={showTurn}
        />
      ) : (
        <div className="min-h-0 flex-1 overflow-y-auto overscroll-contain">
          <div className="mx-auto w-full max-w-[46rem] px-6 pt-10 pb-6">
            {isEmpty && <EmptyState />}
            {conversation?.loading && <p className="text-sm text-soft">{t('chat.loading')}</p>}
            {conversation?.error && <p className="text-sm text-danger">{conversation.error.message}</p>}
          </div>
        </div>
      )}
      <div className="relative mx-auto w-full max-w-[46rem] px-6 pb-5">
        <Composer
          conversationKey={key}
          draft={conversation?.draft ?? ''}
          isAsking={isAsking}
          placeholder={
            numReady > 0
              ? t('composer.placeholder', { documents: t('count.documents', { count: numReady }) })
              : t('composer.placeholderEmpty')
          }
          onDraft={draft}
          onAsk={askAndFollow}
          onCommand={run}
          onStop={stop}
        />
        <ComposerMark />
        <div className="@container mt-2 flex items-center justify-between gap-4">
          <ScopeChooser scope={conversation?.scope ?? null} onChange={chooseScope} />
          <ComposerHint />
        </div>
      </div>
      <Announcer turn={turns.at(-1)} />
    </div>
  );
}

/** Page up in an empty question goes to the last turn, page down from there back to the question. */
function goBetween(event: KeyboardEvent<HTMLElement>): void {
  const { target, currentTarget, key } = event;
  if (event.defaultPrevented || !(target instanceof HTMLElement)) return;
  const field = currentTarget.querySelector<HTMLTextAreaElement>('form textarea');
  const last = [...currentTarget.querySelectorAll<HTMLElement>('article')].at(-1);
  const goal =
    key === 'PageUp' && target === field && field.value === ''
      ? last
      : key === 'PageDown' && last?.contains(target) && target.tagName !== 'TEXTAREA'
        ? field
        : null;
  if (!goal) return;
  event.preventDefault();
  goal.focus();
}

/** An answer as it is read aloud: without the signs of Markdown, and without the numbers of its sources. */
function spokenWords(markdown: string): string {
  return markdown
    .replace(/\s*\[\d{1,3}(?:\s*,\s*\d{1,3})*\]/g, '')
    .replace(/^\s*(?:[-*+]|#{1,6}|>|\|?[\s:|-]+\|)(?:\s+|$)/gm, '')
    .replace(/\*\*|__|`+|~~|\\(?=[!-/:-@[-`{-~])/g, '')
    .replace(/\s*\|\s*/g, ', ')
    .trim();
}

/** Tells a screen reader of an answer once, when it is whole; never word by word. */
function Announcer({ turn }: { turn: LiveTurn | undefined }) {
  const { t } = useTranslation();
  const [said, setSaid] = useState('');
  const running = useRef<string | null>(null);
  useEffect(() => {
    if (!turn) return;
    if (turn.state === 'searching' || turn.state === 'writing') {
      running.current = turn.key;
      setSaid('');
    } else if (running.current === turn.key) {
      running.current = null;
      const ending = turn.state === 'done' ? '' : (turn.error?.message ?? t('answer.stopped'));
      setSaid(`${spokenWords(turn.text)} ${ending}`.trim());
    }
  }, [turn, t]);
  return (
    <div role="status" aria-live="polite" className="sr-only">
      {said}
    </div>
  );
}
