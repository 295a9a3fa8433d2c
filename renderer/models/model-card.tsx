import { Check, Download, Trash2, X } from 'lucide-react';
import { useTranslation } from 'react-i18next';
import { useStore } from 'zustand';
import type { InstallProgress, ModelSummary } from '../../app/contract/types.ts';
import { Button, IconButton } from '../common/button.tsx';
import { formatBytes, formatDuration } from '../common/format.ts';
import { ProgressBar } from '../common/progress.tsx';
import { useQuoth } from '../common/quoth.tsx';
import { useInstall } from './use-install.ts';

/** One model: what it costs, whether it is here, and the one or two things that can be done with it. */
export function ModelCard({ model, onRemove }: { model: ModelSummary; onRemove: () => void }) {
  const { t } = useTranslation();
  const { models, notices } = useQuoth();
  const running = useStore(models, ({ installs }) => installs[model.id]);
  const install = useInstall();
  const installing = running !== undefined;
  const facts = [
    model.state === 'installed'
      ? t('models.onDisk', { size: formatBytes(model.planBytes) })
      : t('models.toDownload', { size: formatBytes(model.downloadBytes) }),
    model.licence,
  ];
  return (
    <article
      className={`rounded-2xl border bg-raised p-4 shadow-card ${model.inUse ? 'border-accent' : 'border-line'}`}
    >
      <div className="flex flex-wrap items-start gap-x-4 gap-y-3">
        <div className="min-w-56 flex-1">
          <h3 className="flex flex-wrap items-center gap-2 font-semibold">
            {model.name}
            {model.inUse && (
              <span className="inline-flex items-center gap-1 rounded-full bg-accent-wash px-2 py-0.5 text-xs text-accent">
                <Check className="size-3" aria-hidden="true" />
                {t('models.inUse')}
              </span>
            )}
            {model.state === 'broken' && (
              <span className="rounded-full bg-danger-wash px-2 py-0.5 text-xs text-danger">{t('models.broken')}</span>
            )}
          </h3>
          <p className="mt-0.5 text-xs text-faint">{facts.join(' · ')}</p>
          {model.note !== '' && <p className="mt-2 text-[0.8125rem] text-soft">{model.note}</p>}
        </div>
        <div className="flex items-center gap-2">
          {installing ? (
            <Button onClick={() => models.getState().cancel(model.id)}>
              <X className="size-3.5" aria-hidden="true" />
              {t('models.cancel')}
            </Button>
          ) : model.state === 'installed' ? (
            <>
              {!model.inUse && (
                <Button
                  onClick={() => models.getState().use(model.id).catch(notices.getState().tellError)}
                  aria-label={t('models.useOf', { name: model.name })}
                >
                  {t('models.use')}
                </Button>
              )}
              {model.inUse && model.role === 'reranker' && (
                <Button
                  onClick={() => models.getState().unuse(model.id).catch(notices.getState().tellError)}
                  aria-label={t('models.unuseOf', { name: model.name })}
                >
                  {t('models.unuse')}
                </Button>
              )}
              <IconButton label={t('models.removeOf', { name: model.name })} onClick={onRemove}>
                <Trash2 className="size-4" />
              </IconButton>
            </>
          ) : model.state === 'downloading' || model.state === 'building' ? (
            <span className="text-[0.8125rem] text-soft">{t(`models.state.${model.state}`)}</span>
          ) : (
            <Button
              look="primary"
              onClick={() => install(model)}
              aria-label={t('models.installOf', { name: model.name })}
            >
              <Download className="size-3.5" aria-hidden="true" />
              {t(model.state === 'broken' ? 'models.repair' : 'models.install')}
            </Button>
          )}
        </div>
      </div>
      {installing && <Progress progress={running} />}
    </article>
  );
}

function Progress({ progress }: { progress: InstallProgress | null }) {
  const { t } = useTranslation();
  if (!progress)
    return (
      <div className="mt-4">
        <ProgressBar value={null} label={t('models.step.start')} />
        <p className="mt-1.5 text-xs text-soft">{t('models.step.start')}</p>
      </div>
    );
  const { step, doneBytes, totalBytes, bytesPerSecond, secondsLeft } = progress;
  const fraction = totalBytes > 0 ? Math.min(1, doneBytes / totalBytes) : null;
  const parts = [
    fraction !== null && `${Math.floor(fraction * 100)} %`,
    totalBytes > 0 && t('models.bytesOf', { done: formatBytes(doneBytes), total: formatBytes(totalBytes) }),
    bytesPerSecond > 0 && t('models.speed', { size: formatBytes(bytesPerSecond) }),
    secondsLeft !== null && secondsLeft > 0 && t('models.left', { time: formatDuration(secondsLeft * 1000) }),
  ].filter((part) => part !== false);
  return (
    <div className="mt-4">
      <ProgressBar value={fraction} label={t(`models.step.${step}`)} />
      <p className="mt-1.5 flex justify-between gap-4 text-xs text-soft tabular-nums">
        <span>{t(`models.step.${step}`)}</span>
        <span>{parts.join(' · ')}</span>
      </p>
    </div>
  );
}
