import { MessageCircleQuestion, Quote, RotateCcw, SearchX, TriangleAlert } from 'lucide-react';
import { memo, type ReactNode, useCallback, useDeferredValue, useMemo } from 'react';
import { useTranslation } from 'react-i18next';
import { useStore } from 'zustand';
import type { TurnId } from '../../app/contract/types.ts';
import { Button } from '../common/button.tsx';
import { useQuoth } from '../common/quoth.tsx';
import { JobProgress } from '../jobs/job-progress.tsx';
import { SentMark } from '../models/remote-mark.tsx';
import { AnswerFoot } from './answer-foot.tsx';
import { type CitedSource, CitedSourcesProvider, citedSources } from './cited-sources.ts';
import type { Instead } from './conversations.ts';
import type { LiveTurn } from './live-turn.ts';
import { Question } from './question.tsx';
import { Quotes } from './quotes.tsx';
import { SourcesStrip } from './sources-strip.tsx';
import { AnswerText } from './text/answer-text.tsx';

type AnswerProps = {
  turn: LiveTurn;
  /** Counts from 1; only some of the turns are on the page. */
  position: number;
  numTurns: number;
  /** The conversation's. */
  conversationKey: string;
  /** An answer is being written somewhere in this conversation. */
  isAsking: boolean;
  onAsk: (question: string, instead: Instead) => void;
  onShow: (turnId: TurnId) => void;
};

/** One question and all that has come of it so far. */
export const AnswerView = memo(function AnswerView(props: AnswerProps) {
  const { turn, position, numTurns, conversationKey, isAsking, onAsk, onShow } = props;
  const { t } = useTranslation();
  const { conversations, jobs, view } = useQuoth();
  const { answer, passages } = turn;
  const job = useStore(jobs, (state) => state.jobs.find(({ turnId }) => turnId === turn.turnId));
  const text = useDeferredValue(turn.text); // A long answer must not slow the typing of the next question.
  const sources = useMemo(() => citedSources(answer, passages), [answer, passages]);
  const askAgain = (sources: Instead['sources']): void => onAsk(turn.question, { turnKey: turn.key, sources });
  // A saved answer holds no text of its passages: it is fetched now, so that a quote is marked as in a fresh one.
  const open = useCallback(
    async (source: CitedSource): Promise<void> => {
      const found = await conversations
        .getState()
        .found(conversationKey, turn.key)
        .catch(() => []);
      const passage = found.find(({ passageId }) => passageId === source.passageId);
      view.getState().read({ ...source, passageText: source.passageText ?? passage?.text ?? null });
    },
    [conversations, view, conversationKey, turn.key],
  );
  const cited = useMemo(() => ({ sources, open: (source: CitedSource) => void open(source) }), [sources, open]);
  const working = job !== undefined && job.state !== 'stopped' && job.state !== 'failed';
  const writing = turn.state === 'searching' || turn.state === 'writing' || working;
  return (
    <article
      aria-label={turn.question}
      aria-busy={writing}
      aria-posinset={position}
      aria-setsize={numTurns}
      tabIndex={-1}
      className="outline-none"
    >
      <Question
        turn={turn}
        disabled={isAsking}
        canEdit={!job && !answer?.job}
        onEdit={(question) => onAsk(question, { turnKey: turn.key, sources: 'search' })}
        onShow={onShow}
      />
      <SourcesStrip turn={turn} conversationKey={conversationKey} />
      <div className="mt-3">
        {answer?.refused && (
          <Remark icon={<SearchX className="size-4" />} tone="calm">
            <strong className="font-semibold">{t('answer.refused')}</strong>
          </Remark>
        )}
        {answer?.writtenBy === 'quotes' && !answer.refused && !answer.job && <QuotesOnly />}
        <CitedSourcesProvider value={cited}>
          <div className={answer?.refused ? 'text-soft' : ''}>
            <AnswerText
              text={text}
              question={turn.question}
              hasMaths={answer?.writtenBy !== 'quotes'}
              unsupported={answer?.text === text ? answer.unsupported : undefined}
            />
          </div>
          {answer?.unsupported && answer.text === text && (
            <p className="mt-2 text-xs text-soft">{t('answer.unsupportedNote')}</p>
          )}
          {answer?.doubtful && answer.text === text && (
            <Remark icon={<MessageCircleQuestion className="size-4" />} tone="calm">
              <span className="min-w-48 flex-1">{t('answer.doubtful')}</span>
            </Remark>
          )}
          {turn.state === 'writing' && (
            <p className="mt-1 flex items-center gap-2 text-[0.8125rem] text-soft">
              <span className="indeterminate inline-block h-4 w-2 rounded-[2px] bg-accent" aria-hidden="true" />
              {text === '' && t('answer.reading')}
            </p>
          )}
          {job ? (
            <JobProgress job={job} />
          ) : (
            <AnswerEnd turn={turn} disabled={isAsking} onAskAgain={() => askAgain('search')} />
          )}
          {sources && (!answer?.job || answer.job.task.type === 'summarise') && (
            <Quotes sources={[...sources.values()]} />
          )}
          {answer && <SentMark answer={answer} />}
          {answer && <AnswerFoot answer={answer} disabled={isAsking} onAskAgain={askAgain} />}
        </CitedSourcesProvider>
      </div>
    </article>
  );
});

/** Says how an answer ended when it did not end by itself, with the one thing to do about it. */
function AnswerEnd({ turn, disabled, onAskAgain }: { turn: LiveTurn; disabled: boolean; onAskAgain: () => void }) {
  const { t } = useTranslation();
  const { view } = useQuoth();
  const again = (
    <Button look="plain" disabled={disabled} onClick={onAskAgain}>
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
        <span className="min-w-48 flex-1">
          {turn.answer?.sentTo ? t('remote.cut', { host: turn.answer.sentTo.host }) : t('answer.cut')}
        </span>
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
