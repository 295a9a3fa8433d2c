import { Check, Download, Pause, Play, RotateCw, Trash2, TriangleAlert, X } from 'lucide-react';
import { useTranslation } from 'react-i18next';
import { useStore } from 'zustand';
import type { Install, ModelSummary } from '../../app/contract/types.ts';
import { Button, IconButton } from '../common/button.tsx';
import { formatBytes } from '../common/format.ts';
import { useQuoth } from '../common/quoth.tsx';
import { fitWords, toFetch } from './fit.ts';
import { InstallProgress } from './install-progress.tsx';
import { noteOf } from './note.ts';
import { useModels } from './use-models.ts';

/** One model: what it costs, how it fits, whether it is here or on its way, and the few things that can be done with it. */
export function ModelCard({ model, onRemove }: { model: ModelSummary; onRemove: () => void }) {
  const { t } = useTranslation();
  const { models, view } = useQuoth();
  const install = useStore(models, ({ installs }) => installs.find(({ modelId }) => modelId === model.id));
  const rate = useStore(models, ({ downloadBytesPerSecond }) => downloadBytesPerSecond);
  const { licenceUrl } = model;
  const note = noteOf(model);
  const size =
    model.state === 'installed' || model.own
      ? t('models.onDisk', { size: formatBytes(model.planBytes) })
      : toFetch(model.downloadBytes, rate);
  return (
    <article
      aria-label={model.name}
      className={`rounded-2xl border bg-raised p-4 shadow-card ${model.inUse ? 'border-accent' : 'border-line'}`}
    >
      <div className="flex flex-wrap items-start gap-x-4 gap-y-3">
        <div className="min-w-56 flex-1">
          <h3 className="flex flex-wrap items-center gap-2 font-semibold">
            {model.name}
            <Badges model={model} />
          </h3>
          <p className="mt-0.5 text-xs text-faint">
            {size}
            {model.licence !== '' && ' · '}
            {licenceUrl === null ? (
              model.licence
            ) : (
              <button
                type="button"
                className="underline decoration-line-strong underline-offset-2 hover:text-ink"
                aria-label={t('models.licenceOf', { name: model.name, licence: model.licence })}
                onClick={() => view.getState().leaveTo(licenceUrl)}
              >
                {model.licence}
              </button>
            )}
          </p>
          {note !== '' && (
            <p className={`mt-2 text-[0.8125rem] ${model.state === 'broken' ? 'text-danger' : 'text-soft'}`}>{note}</p>
          )}
          {model.role === 'speech' && model.languages && model.state !== 'broken' && (
            <p className="mt-1 text-[0.8125rem] text-faint">
              {t('models.languages', { count: model.languages.length })}
            </p>
          )}
          {model.fit && model.state !== 'broken' && (
            <p className="mt-1 text-[0.8125rem] text-faint">{fitWords(model.fit)}</p>
          )}
        </div>
        <div className="flex items-center gap-2">
          {install ? <InstallButtons install={install} /> : <Buttons model={model} onRemove={onRemove} />}
        </div>
      </div>
      {install && <InstallProgress install={install} />}
    </article>
  );
}

const badge = 'inline-flex items-center gap-1 rounded-full px-2 py-0.5 text-xs font-normal';

function Badges({ model }: { model: ModelSummary }) {
  const { t } = useTranslation();
  const verdict = model.fit?.verdict;
  return (
    <>
      {model.inUse && (
        <span className={`${badge} bg-accent-wash text-accent`}>
          <Check className="size-3" aria-hidden="true" />
          {t('models.inUse')}
        </span>
      )}
      {model.own && <span className={`${badge} bg-hover text-soft`}>{t('models.own')}</span>}
      {model.state === 'broken' && <span className={`${badge} bg-danger-wash text-danger`}>{t('models.broken')}</span>}
      {verdict === 'fits' && !model.inUse && (
        <span className={`${badge} bg-hover text-soft`}>{t('models.fit.fits')}</span>
      )}
      {verdict === 'slow' && <span className={`${badge} bg-warn-wash text-warn`}>{t('models.fit.slow')}</span>}
      {verdict === 'too-large' && (
        <span className={`${badge} bg-danger-wash text-danger`}>
          <TriangleAlert className="size-3" aria-hidden="true" />
          {t('models.fit.too-large')}
        </span>
      )}
    </>
  );
}

/** Of a model that is at rest. */
function Buttons({ model, onRemove }: { model: ModelSummary; onRemove: () => void }) {
  const { t } = useTranslation();
  const { install, use, unuse } = useModels();
  const { name, state } = model;
  const remove = (
    <IconButton label={t('models.removeOf', { name })} onClick={onRemove}>
      <Trash2 className="size-4" />
    </IconButton>
  );
  if (state === 'installed')
    return (
      <>
        {!model.inUse && (
          <Button onClick={() => use(model)} aria-label={t('models.useOf', { name })}>
            {t('models.use')}
          </Button>
        )}
        {model.inUse && model.role === 'reranker' && (
          <Button onClick={() => unuse(model)} aria-label={t('models.unuseOf', { name })}>
            {t('models.unuse')}
          </Button>
        )}
        {remove}
      </>
    );
  // Another process is at it.
  if (state === 'downloading' || state === 'building')
    return <span className="text-[0.8125rem] text-soft">{t(`models.state.${state}`)}</span>;
  if (model.own) return remove;
  return (
    <>
      <Button
        look={model.fit?.verdict === 'too-large' ? 'plain' : 'primary'}
        onClick={() => install(model)}
        aria-label={t('models.installOf', { name })}
      >
        <Download className="size-3.5" aria-hidden="true" />
        {t(state === 'broken' ? 'models.repair' : 'models.install')}
      </Button>
      {state === 'broken' && remove}
    </>
  );
}

/** Of a model on its way: hold it, let it go on, give it up. */
export function InstallButtons({ install }: { install: Install }) {
  const { t } = useTranslation();
  const actions = useModels();
  const { name, state, modelId: id } = install;
  return (
    <>
      {state === 'running' || state === 'waiting' ? (
        <Button onClick={() => actions.pause({ id })} aria-label={t('models.pauseOf', { name })}>
          <Pause className="size-3.5" aria-hidden="true" />
          {t('models.pause')}
        </Button>
      ) : (
        <Button
          look="primary"
          onClick={() => actions.install({ id })}
          aria-label={t(state === 'failed' ? 'models.againOf' : 'models.resumeOf', { name })}
        >
          {state === 'failed' ? (
            <RotateCw className="size-3.5" aria-hidden="true" />
          ) : (
            <Play className="size-3.5" aria-hidden="true" />
          )}
          {t(state === 'failed' ? 'models.again' : 'models.resume')}
        </Button>
      )}
      <IconButton label={t('models.cancelOf', { name })} onClick={() => actions.cancel({ id })}>
        <X className="size-4" />
      </IconButton>
    </>
  );
}
