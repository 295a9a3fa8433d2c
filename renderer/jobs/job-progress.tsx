import { BookOpenCheck, Play, Square, TriangleAlert } from 'lucide-react';
import { useTranslation } from 'react-i18next';
import type { Job } from '../../app/contract/types.ts';
import { Button } from '../common/button.tsx';
import { formatCount, formatDuration } from '../common/format.ts';
import { ProgressBar } from '../common/progress.tsx';
import { useQuoth } from '../common/quoth.tsx';

/** How far the reading of whole documents is, with the ways to end it and to go on. */
export function JobProgress({ job }: { job: Job }) {
  const { t } = useTranslation();
  const { jobs, notices } = useQuoth();
  const { turnId, state, numParts, numRead, document, secondsLeft, reason } = job;
  const { tellError } = notices.getState();
  const rests = state === 'stopped' || state === 'failed';
  const part = Math.min(numParts, numRead + 1);
  const words =
    state === 'failed'
      ? (reason ?? t('jobs.state.failed'))
      : state === 'reading' && numParts > 0
        ? t('jobs.reading', { part: formatCount(part), numParts: formatCount(numParts) })
        : t(`jobs.state.${state}`);
  const details = [
    !rests && document,
    !rests && secondsLeft !== null && t('jobs.left', { time: formatDuration(secondsLeft * 1000) }),
  ].filter((detail) => detail !== false && detail !== null);
  const tone = state === 'failed' ? 'bg-danger-wash text-danger border-transparent' : 'bg-panel border-line';
  const Icon = state === 'failed' ? TriangleAlert : BookOpenCheck;
  return (
    <section aria-label={t('jobs.progress')} className={`my-3 rounded-xl border px-4 py-3 text-[0.8125rem] ${tone}`}>
      <div className="flex flex-wrap items-center gap-x-3 gap-y-2">
        <Icon className={`size-4 shrink-0 ${state === 'failed' ? '' : 'text-accent'}`} aria-hidden="true" />
        <div className="min-w-40 flex-1">
          <p className="font-medium tabular-nums">{words}</p>
          {details.length > 0 && (
            <p className="truncate text-xs text-soft tabular-nums" dir="auto">
              {details.join(' · ')}
            </p>
          )}
        </div>
        {rests ? (
          <Button onClick={() => jobs.getState().resume(turnId).catch(tellError)}>
            <Play className="size-3.5" aria-hidden="true" />
            {t('jobs.resume')}
          </Button>
        ) : (
          <Button onClick={() => jobs.getState().stop(turnId).catch(tellError)}>
            <Square className="size-3 fill-current" aria-hidden="true" />
            {t('jobs.stop')}
          </Button>
        )}
      </div>
      {!rests && (
        <div className="mt-2.5">
          <ProgressBar
            value={state === 'reading' && numParts > 0 ? numRead / numParts : null}
            label={t('jobs.progress')}
          />
        </div>
      )}
      {!rests && <p className="mt-2 text-xs text-soft">{t('jobs.background')}</p>}
    </section>
  );
}
