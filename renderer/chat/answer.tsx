import { Check, Copy, Quote, RotateCcw, SearchX, TriangleAlert } from 'lucide-react';
import { memo, type ReactNode, useDeferredValue, useMemo, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useStore } from 'zustand';
import type { Answer, AnswerTimings } from '../../app/contract/types.ts';
import { Button, IconButton } from '../common/button.tsx';
import { formatCount, formatDuration, formatPlace } from '../common/format.ts';
import { useQuoth } from '../common/quoth.tsx';
import { AnswerText } from './answer-text.tsx';
import { CitedSourcesProvider, citedSources } from './cited-sources.ts';
import type { LiveTurn } from './conversations.ts';
import { Quotes } from './quotes.tsx';
import { SourcesStrip } from './sources-strip.tsx';

type AnswerProps = { turn: LiveTurn; onAskAgain: (question: string) => void };

/** One question and all that has come of it so far. */
export const AnswerView = memo(function AnswerView({ turn, onAskAgain }: AnswerProps) {
  const { t } = useTranslation();
  const { answer, passages } = turn;
  const text = useDeferredValue(turn.text); // A long answer must not slow the typing of the next question.
  const sources = useMemo(() => citedSources(answer, passages), [answer, passages]);
  const writing = turn.state === 'searching' || turn.state === 'writing';
  return (
    <article aria-label={turn.question} aria-busy={writing}>
      <h2 className="mb-3 font-serif text-[1.3rem] leading-snug font-medium whitespace-pre-wrap [overflow-wrap:anywhere]">
        {turn.question}
      </h2>
      <SourcesStrip turn={turn} />
      <div className="mt-3">
        {answer?.refused && (
          <Remark icon={<SearchX className="size-4" />} tone="calm">
            <strong className="font-semibold">{t('answer.refused')}</strong>
          </Remark>
        )}
        {answer?.writtenBy === 'quotes' && !answer.refused && <QuotesOnly />}
        <CitedSourcesProvider value={sources}>
          <div className={answer?.refused ? 'text-soft' : ''}>
            <AnswerText text={text} />
          </div>
        </CitedSourcesProvider>
        {turn.state === 'writing' && (
          <p className="mt-1 flex items-center gap-2 text-[0.8125rem] text-soft">
            <span className="indeterminate inline-block h-4 w-2 rounded-[2px] bg-accent" aria-hidden="true" />
            {text === '' && t('answer.reading')}
          </p>
        )}
        <AnswerEnd turn={turn} onAskAgain={onAskAgain} />
        {sources && <Quotes sources={[...sources.values()]} />}
        {answer && <AnswerFoot answer={answer} />}
      </div>
    </article>
  );
});

/** Says how an answer ended when it did not end by itself, with the one thing to do about it. */
function AnswerEnd({ turn, onAskAgain }: AnswerProps) {
  const { t } = useTranslation();
  const { view } = useQuoth();
  const again = (
    <Button look="plain" onClick={() => onAskAgain(turn.question)}>
      <RotateCcw className="size-3.5" aria-hidden="true" />
      {t('answer.askAgain')}
    </Button>
  );
  const alert = <TriangleAlert className="size-4" />;
  if (turn.state === 'failed' && turn.error)
    return (
      <Remark icon={alert} tone="danger">
        <span className="min-w-48 flex-1">
          {turn.error.message} {turn.text !== '' && t('answer.kept')}
        </span>
        {turn.error.code === 'no-model' ? (
          <Button onClick={() => view.getState().show('models')}>{t('answer.openModels')}</Button>
        ) : (
          again
        )}
      </Remark>
    );
  if (turn.state === 'unanswered')
    return (
      <Remark icon={null} tone="calm">
        <span className="min-w-48 flex-1">{t('answer.none')}</span>
        {again}
      </Remark>
    );
  const end = turn.answer?.end ?? (turn.state === 'stopped' ? 'stopped' : null);
  if (end === 'stopped')
    return (
      <Remark icon={null} tone="calm">
        <span className="min-w-48 flex-1">{t(turn.text === '' ? 'answer.stoppedEmpty' : 'answer.stopped')}</span>
        {again}
      </Remark>
    );
  if (end === 'cut')
    return (
      <Remark icon={alert} tone="warn">
        <span className="min-w-48 flex-1">{t('answer.cut')}</span>
        {again}
      </Remark>
    );
  if (end === 'length')
    return (
      <Remark icon={null} tone="calm">
        <span className="min-w-48 flex-1">{t('answer.length')}</span>
        <Button onClick={() => view.getState().show('settings')}>{t('answer.openSettings')}</Button>
      </Remark>
    );
  return null;
}

function QuotesOnly() {
  const { t } = useTranslation();
  const { models, view } = useQuoth();
  const hasChatModel = useStore(models, ({ models }) =>
    models.some((model) => model.role === 'chat' && model.state === 'installed'),
  );
  return (
    <Remark icon={<Quote className="size-4" />} tone="calm">
      <span className="min-w-48 flex-1">
        <strong className="font-semibold">{t('answer.quotesOnly')}</strong> {t('answer.quotesOnlyMeaning')}
      </span>
      {!hasChatModel && <Button onClick={() => view.getState().show('models')}>{t('answer.openModels')}</Button>}
    </Remark>
  );
}

const tones = {
  calm: 'bg-panel text-soft border-line',
  warn: 'bg-warn-wash text-warn border-transparent',
  danger: 'bg-danger-wash text-danger border-transparent',
} as const;

function Remark({ icon, tone, children }: { icon: ReactNode; tone: keyof typeof tones; children: ReactNode }) {
  return (
    <div
      className={`my-3 flex flex-wrap items-center gap-x-3 gap-y-2 rounded-xl border px-3.5 py-2.5 text-[0.8125rem] ${tones[tone]}`}
    >
      {icon && (
        <span aria-hidden="true" className="shrink-0">
          {icon}
        </span>
      )}
      {children}
    </div>
  );
}

function AnswerFoot({ answer }: { answer: Answer }) {
  const { t } = useTranslation();
  const [copied, setCopied] = useState(false);
  const copy = async (): Promise<void> => {
    const lines = answer.citations.map(
      ({ n, title, place, quote }) => `[${n}] ${[title, formatPlace(place)].filter(Boolean).join(', ')}: “${quote}”`,
    );
    await navigator.clipboard.writeText([answer.text, ...lines].join('\n\n'));
    setCopied(true);
    setTimeout(() => setCopied(false), 2000);
  };
  return (
    <footer className="mt-3 flex items-center gap-2">
      <IconButton
        label={t(copied ? 'answer.copied' : 'answer.copy')}
        onClick={() => void copy().catch(() => undefined)}
      >
        {copied ? <Check className="size-4" /> : <Copy className="size-4" />}
      </IconButton>
      <SpeedLine timings={answer.timings} />
    </footer>
  );
}

/** Where the time went. Parts that did not happen are left out. */
function SpeedLine({ timings }: { timings: AnswerTimings }) {
  const { t } = useTranslation();
  const parts = [
    timings.ttftMs > 0 && t('speed.first', { time: formatDuration(timings.ttftMs) }),
    t('speed.retrieve', { time: formatDuration(timings.retrieveMs) }),
    timings.decodeTokensPerSecond > 0 && t('speed.decode', { rate: timings.decodeTokensPerSecond.toFixed(1) }),
    timings.numCachedTokens > 0 &&
      t('speed.reused', {
        cached: formatCount(timings.numCachedTokens),
        prompt: formatCount(timings.numPromptTokens),
      }),
  ].filter((part) => part !== false);
  return <p className="text-xs text-faint tabular-nums">{parts.join(' · ')}</p>;
}
