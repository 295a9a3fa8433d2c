import { useTranslation } from 'react-i18next';
import type { Install } from '../../app/contract/types.ts';
import { formatBytes, formatDuration } from '../common/format.ts';
import { ProgressBar } from '../common/progress.tsx';

type Measured = Pick<Install, 'doneBytes' | 'totalBytes' | 'bytesPerSecond' | 'secondsLeft'>;

/** From 0 to 1; null while nobody knows. */
export function fractionOf({ doneBytes, totalBytes }: Measured): number | null {
  return totalBytes > 0 ? Math.min(1, doneBytes / totalBytes) : null;
}

/** How far a model is: a bar, the step, and its numbers. */
export function InstallProgress({ install }: { install: Install }) {
  const { t } = useTranslation();
  const { state, step, reason } = install;
  const label = state === 'running' ? t(`models.step.${step}`) : t(`models.on.${state}`);
  const fraction = state === 'running' || install.doneBytes > 0 ? fractionOf(install) : 0;
  return (
    <div className="mt-3">
      {state !== 'failed' && <ProgressBar value={fraction} label={`${install.name}: ${label}`} />}
      <p
        className={`mt-1.5 flex flex-wrap justify-between gap-x-4 text-xs tabular-nums ${state === 'failed' ? 'text-danger' : 'text-soft'}`}
      >
        <span>{state === 'failed' ? (reason ?? label) : label}</span>
        {(state === 'running' || (state !== 'failed' && install.doneBytes > 0)) && <Numbers measured={install} />}
      </p>
    </div>
  );
}

/** "43 % · 138 MB of 322 MB · 12.1 MB/s · 15 s left" */
export function Numbers({ measured }: { measured: Measured }) {
  const { t } = useTranslation();
  const { doneBytes, totalBytes, bytesPerSecond, secondsLeft } = measured;
  const fraction = fractionOf(measured);
  const parts = [
    fraction !== null && `${Math.floor(fraction * 100)} %`,
    totalBytes > 0 && t('models.bytesOf', { done: formatBytes(doneBytes), total: formatBytes(totalBytes) }),
    bytesPerSecond > 0 && t('models.speed', { size: formatBytes(bytesPerSecond) }),
    secondsLeft !== null && secondsLeft > 0 && t('models.left', { time: formatDuration(secondsLeft * 1000) }),
  ];
  return <span>{parts.filter((part) => part !== false).join(' · ')}</span>;
}
