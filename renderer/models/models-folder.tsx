import { HardDrive } from 'lucide-react';
import { useTranslation } from 'react-i18next';
import { useStore } from 'zustand';
import { Button } from '../common/button.tsx';
import { formatBytes } from '../common/format.ts';
import { ProgressBar } from '../common/progress.tsx';
import { useQuoth } from '../common/quoth.tsx';
import { fractionOf, Numbers } from './install-progress.tsx';
import { useModels } from './use-models.ts';

/** Where the models lie, and the way to another drive. A browser cannot name a folder: there the command line moves them. */
export function ModelsFolderSection() {
  const { t } = useTranslation();
  const { models, shell } = useQuoth();
  const folder = useStore(models, (state) => state.folder);
  const { move, cancelMove } = useModels();
  if (!folder) return null;
  const { name, state, modelsBytes, freeBytes, reason } = folder;
  const facts = [
    t('models.folder.takes', { size: formatBytes(modelsBytes) }),
    ...(freeBytes === null ? [] : [t('models.folder.free', { size: formatBytes(freeBytes) })]),
  ];
  return (
    <section className="mt-8" aria-labelledby="models-folder-title">
      <h2 id="models-folder-title" className="mb-3 font-semibold">
        {t('models.folder.title')}
      </h2>
      <div className="rounded-2xl border border-line bg-raised p-4 shadow-card">
        <div className="flex flex-wrap items-center gap-x-4 gap-y-3">
          <HardDrive className="size-5 text-soft" aria-hidden="true" />
          <div className="min-w-40 flex-1">
            <p className="font-medium [overflow-wrap:anywhere]">{name}</p>
            <p className={`text-[0.8125rem] ${state === 'unreachable' ? 'text-danger' : 'text-faint'}`}>
              {state === 'unreachable' ? t('models.folder.unreachable') : facts.join(' · ')}
            </p>
          </div>
          {folder.move ? (
            <Button onClick={cancelMove} disabled={folder.move.step === 'tidy'}>
              {t('common.cancel')}
            </Button>
          ) : (
            shell.kind === 'electron' && <Button onClick={move}>{t('models.folder.move')}</Button>
          )}
        </div>
        {shell.kind === 'loopback' && !folder.move && (
          <p className="mt-2 text-[0.8125rem] text-soft">{t('models.folder.byCommand')}</p>
        )}
        {folder.move && (
          <div className="mt-3">
            <ProgressBar value={fractionOf(folder.move)} label={t('models.folder.moving', { to: folder.move.to })} />
            <p className="mt-1.5 flex flex-wrap justify-between gap-x-4 text-xs text-soft tabular-nums">
              <span>{t(`models.folder.step.${folder.move.step}`, { to: folder.move.to })}</span>
              {folder.move.step !== 'tidy' && <Numbers measured={folder.move} />}
            </p>
          </div>
        )}
        {reason !== null && !folder.move && <p className="mt-2 text-[0.8125rem] text-danger">{reason}</p>}
      </div>
    </section>
  );
}
