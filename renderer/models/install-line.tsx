import { useTranslation } from 'react-i18next';
import { useStore } from 'zustand';
import { formatDuration } from '../common/format.ts';
import { useQuoth } from '../common/quoth.tsx';
import { fractionOf } from './install-progress.tsx';
import { nameOfInstall } from './name.ts';

/** What is on its way, in one quiet line of the sidebar: seen from everywhere, and the way to all that can be done about it. */
export function InstallLine() {
  const { t } = useTranslation();
  const { models, view } = useQuoth();
  const installs = useStore(models, (state) => state.installs);
  const known = useStore(models, (state) => state.models);
  const move = useStore(models, (state) => state.folder?.move ?? null);
  const running = installs.find(({ state }) => state === 'running');
  const failed = installs.find(({ state }) => state === 'failed');
  const paused = installs.find(({ state }) => state === 'paused');
  const shown = running ?? failed ?? installs.find(({ state }) => state === 'waiting') ?? paused;
  if (!move && !shown) return null;
  const measured = move ?? shown;
  const fraction = measured ? fractionOf(measured) : null;
  const title = move ? t('models.folder.moving', { to: move.to }) : shown ? nameOfInstall(shown, known) : '';
  const step = move
    ? t(`models.folder.step.${move.step}`, { to: move.to })
    : shown?.state === 'running'
      ? t(`models.step.${shown.step}`)
      : t(`models.on.${shown?.state ?? 'waiting'}`);
  const secondsLeft = move || running ? (measured?.secondsLeft ?? null) : null;
  const numbers = [
    fraction !== null && shown?.state !== 'failed' && `${Math.floor(fraction * 100)} %`,
    secondsLeft !== null && secondsLeft > 0 && t('models.left', { time: formatDuration(secondsLeft * 1000) }),
  ].filter((part) => part !== false);
  const more = installs.length - (shown ? 1 : 0);
  return (
    <button
      type="button"
      title={[title, step, ...numbers].join(' · ')}
      className="mx-2 mb-1 rounded-lg px-2.5 py-2 text-left text-xs text-soft hover:bg-hover max-md:px-1"
      onClick={() =>
        !move && shown?.role === 'scan' ? view.getState().showSettings('library') : view.getState().show('models')
      }
    >
      <span className="flex items-baseline justify-between gap-2 max-md:sr-only">
        <span className="truncate font-medium text-ink">{title}</span>
        {more > 0 && <span className="shrink-0 text-faint">+{more}</span>}
      </span>
      <span className="mt-1.5 block h-1 overflow-hidden rounded-full bg-hover">
        <span
          className={`block h-full rounded-full ${shown?.state === 'failed' && !move ? 'bg-danger' : 'bg-accent'} ${fraction === null && running ? 'indeterminate' : ''}`}
          style={{ width: `${(fraction ?? 1) * 100}%` }}
        />
      </span>
      <span className="mt-1 flex justify-between gap-2 tabular-nums max-md:sr-only">
        {/* A download is what it mostly is, and its numbers want the room. */}
        <span
          className={`truncate ${shown?.state === 'failed' && !move ? 'text-danger' : ''} ${move === null && running?.step === 'download' ? 'sr-only' : ''}`}
        >
          {step}
        </span>
        <span className="shrink-0">{numbers.join(' · ')}</span>
      </span>
    </button>
  );
}
