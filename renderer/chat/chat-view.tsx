import { ArrowDown } from 'lucide-react';
import { type RefObject, useCallback, useEffect, useRef, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useStore } from 'zustand';
import { useQuoth } from '../common/quoth.tsx';
import { useJob } from '../jobs/use-job.ts';
import { groupOf } from '../library/library-state.ts';
import { ComposerHint, ComposerMark } from '../models/remote-mark.tsx';
import { AnswerView } from './answer.tsx';
import { Composer } from './composer.tsx';
import type { Instead, LiveTurn } from './conversations.ts';
import { EmptyState } from './empty-state.tsx';
import { ScopeChooser } from './scope-chooser.tsx';
import { useAsk } from './use-ask.ts';
import { useFollowEnd } from './use-follow-end.ts';

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
  const { frame, content, awayFromEnd, toEnd, stay } = useFollowEnd(key, !isEmpty);
  useWantedTurn(turns, content, stay);
  const askAndFollow = useCallback(
    (question: string, instead?: Instead): void => {
      ask(question, instead); // The conversation itself refuses a second question at a time.
      toEnd();
    },
    [ask, toEnd],
  );
  return (
    <div className="relative flex h-full min-h-0 flex-col">
      <div ref={frame} className="min-h-0 flex-1 overflow-y-auto overscroll-contain">
        <div ref={content} className="mx-auto w-full max-w-[46rem] px-6 pt-10 pb-6">
          {isEmpty && <EmptyState />}
          {conversation?.loading && <p className="text-sm text-soft">{t('chat.loading')}</p>}
          {conversation?.error && <p className="text-sm text-danger">{conversation.error.message}</p>}
          <div className="grid grid-cols-[minmax(0,1fr)] gap-12">
            {turns.map((turn) => (
              <AnswerView
                key={turn.key}
                turn={turn}
                conversationKey={key}
                isAsking={isAsking}
                onAsk={askAndFollow}
                onShow={showTurn}
              />
            ))}
          </div>
        </div>
      </div>
      <div className="relative mx-auto w-full max-w-[46rem] px-6 pb-5">
        {awayFromEnd && (
          <button
            type="button"
            aria-label={t('chat.toEnd')}
            title={t('chat.toEnd')}
            className="absolute -top-11 left-1/2 inline-flex size-8 -translate-x-1/2 items-center justify-center rounded-full border border-line bg-raised text-soft shadow-float hover:text-ink"
            onClick={toEnd}
          >
            <ArrowDown className="size-4" />
          </button>
        )}
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
        <div className="mt-2 flex items-center justify-between gap-4">
          <ScopeChooser scope={conversation?.scope ?? null} onChange={chooseScope} />
          <ComposerHint />
        </div>
      </div>
      <Announcer turn={turns.at(-1)} />
    </div>
  );
}

/** Brings the turn that a search found to the top, and the focus to it. */
function useWantedTurn(turns: LiveTurn[], content: RefObject<HTMLElement | null>, stay: () => void): void {
  const { view } = useQuoth();
  const wanted = useStore(view, (state) => state.wantedTurn);
  const index = wanted === null ? -1 : turns.findIndex(({ turnId }) => turnId === wanted);
  useEffect(() => {
    const article = index === -1 ? undefined : content.current?.querySelectorAll('article')[index];
    if (!article) return;
    stay();
    article.focus({ preventScroll: true });
    article.scrollIntoView({ block: 'start' });
    view.getState().reached();
  }, [index, content, stay, view]);
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
      setSaid(`${turn.text} ${ending}`.trim());
    }
  }, [turn, t]);
  return (
    <div role="status" aria-live="polite" className="sr-only">
      {said}
    </div>
  );
}
