import { Check, Copy, ListPlus, RotateCcw, Search } from 'lucide-react';
import { useTranslation } from 'react-i18next';
import type { Answer, AnswerTimings, JobTask } from '../../app/contract/types.ts';
import { IconButton } from '../common/button.tsx';
import { formatCount, formatDuration, formatNumber, formatPlace } from '../common/format.ts';
import { Menu, MenuItem } from '../common/menu.tsx';
import { useCopy } from '../common/use-copy.ts';
import { useJob } from '../jobs/use-job.ts';
import type { Instead } from './conversations.ts';

type AnswerFootProps = { answer: Answer; disabled: boolean; onAskAgain: (sources: Instead['sources']) => void };

/** What can be done with an answer, and where its time went. */
export function AnswerFoot({ answer, disabled, onAskAgain }: AnswerFootProps) {
  const { t } = useTranslation();
  const { copied, copy } = useCopy();
  const copyAll = (): void => {
    const lines = answer.citations.map(
      ({ n, title, place, quote }) => `[${n}] ${[title, formatPlace(place)].filter(Boolean).join(', ')}: “${quote}”`,
    );
    copy([answer.text, ...lines].join('\n\n'));
  };
  return (
    <footer className="mt-3 -ml-2 flex items-center gap-1">
      <IconButton label={t(copied ? 'answer.copied' : 'answer.copy')} onClick={copyAll}>
        {copied ? <Check className="size-4" /> : <Copy className="size-4" />}
      </IconButton>
      {answer.job ? (
        <JobAgain task={answer.job.task} />
      ) : (
        <>
          <AskAgain disabled={disabled} onAskAgain={onAskAgain} />
          <SpeedLine timings={answer.timings} />
        </>
      )}
    </footer>
  );
}

/** Reads the documents once more, as they are now. */
function JobAgain({ task }: { task: JobTask }) {
  const { t } = useTranslation();
  const { start } = useJob();
  return (
    <IconButton label={t('jobs.again')} onClick={() => start(task)}>
      <RotateCcw className="size-4" />
    </IconButton>
  );
}

function AskAgain({ disabled, onAskAgain }: Omit<AnswerFootProps, 'answer'>) {
  const { t } = useTranslation();
  return (
    <Menu
      trigger={
        <IconButton label={t('answer.askAgain')} disabled={disabled}>
          <RotateCcw className="size-4" />
        </IconButton>
      }
    >
      <MenuItem icon={<RotateCcw className="size-3.5" />} onSelect={() => onAskAgain('same')}>
        {t('turn.same')}
      </MenuItem>
      <MenuItem icon={<ListPlus className="size-3.5" />} onSelect={() => onAskAgain('more')}>
        {t('turn.more')}
      </MenuItem>
      <MenuItem icon={<Search className="size-3.5" />} onSelect={() => onAskAgain('search')}>
        {t('turn.search')}
      </MenuItem>
    </Menu>
  );
}

/** Where the time went: what the first word waited for, and then how fast it went. Parts that did not happen are left out. */
function SpeedLine({ timings }: { timings: AnswerTimings }) {
  const { t } = useTranslation();
  const { ttftMs, retrieveMs, prefillMs, decodeTokensPerSecond, bandwidthFraction } = timings;
  const writeMs = prefillMs === undefined ? 0 : Math.max(0, ttftMs - retrieveMs - prefillMs);
  const waits = [
    { key: 'retrieve', ms: retrieveMs, look: 'bg-accent' },
    { key: 'prefill', ms: prefillMs ?? 0, look: 'bg-mark-line' },
    { key: 'write', ms: writeMs, look: 'bg-line-strong' },
  ] as const;
  const waited = waits.filter(({ key, ms }) => key === 'retrieve' || ms >= 1);
  const words = waited.map(({ key, ms }) => t(`speed.${key}`, { time: formatDuration(ms) })).join(' + ');
  const parts = [
    ttftMs > 0 ? `${t('speed.first', { time: formatDuration(ttftMs) })}: ${words}` : words,
    decodeTokensPerSecond > 0 && t('speed.decode', { rate: formatNumber(decodeTokensPerSecond, 1) }),
    bandwidthFraction !== undefined && t('speed.bandwidth', { percent: formatNumber(100 * bandwidthFraction, 0) }),
    timings.numCachedTokens > 0 &&
      t('speed.reused', {
        cached: formatCount(timings.numCachedTokens),
        prompt: formatCount(timings.numPromptTokens),
      }),
  ].filter((part) => part !== false);
  return (
    <p className="min-w-0 text-xs text-faint tabular-nums">
      {waited.length > 1 && (
        <span
          aria-hidden="true"
          className="mr-2 inline-flex h-1.5 w-12 gap-px overflow-hidden rounded-full align-[0.08em]"
        >
          {waited.map(({ key, ms, look }) => (
            <span key={key} className={`min-w-0.5 ${look}`} style={{ flexGrow: ms, flexBasis: 0 }} />
          ))}
        </span>
      )}
      {parts.join(' · ')}
    </p>
  );
}
