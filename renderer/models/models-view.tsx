import { ChevronRight } from 'lucide-react';
import { useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useStore } from 'zustand';
import type { ModelSummary } from '../../app/contract/types.ts';
import { Button } from '../common/button.tsx';
import { Modal } from '../common/dialog.tsx';
import { formatBytes } from '../common/format.ts';
import { useQuoth } from '../common/quoth.tsx';
import { ModelCard } from './model-card.tsx';

import { ModelsFolderSection } from './models-folder.tsx';
import { OwnModel } from './own-model.tsx';
import { RemoteSection } from './remote-section.tsx';
import { useModels } from './use-models.ts';

/** The models by what they do: which are here, which could be; one's own; and where they lie. */
export function ModelsView() {
  const { t } = useTranslation();
  const { models: store, notices } = useQuoth();
  const models = useStore(store, (state) => state.models);
  const loaded = useStore(store, (state) => state.loaded);
  // The catalogue may offer none of a role.
  const roles = (['chat', 'embedder', 'reranker', 'speech'] as const).filter((role) =>
    models.some((model) => model.role === role),
  );
  const [removing, setRemoving] = useState<ModelSummary | null>(null);
  const { remove } = useModels();
  const { tellError } = notices.getState();
  useEffect(() => {
    store.getState().load().catch(tellError);
  }, [store, tellError]);
  return (
    <div className="h-full overflow-y-auto">
      <div className="mx-auto w-full max-w-[46rem] px-6 pt-8 pb-10">
        <h1 className="font-serif text-2xl font-medium">{t('models.title')}</h1>
        <p className="mt-1 text-sm text-soft">{t('models.promise')}</p>
        {!loaded && <p className="mt-8 text-sm text-faint">{t('models.loading')}</p>}
        {roles.map((role) => (
          <section key={role} className="mt-8" aria-label={t(`models.role.${role}`)}>
            <h2 className="font-semibold">{t(`models.role.${role}`)}</h2>
            <p className="mb-3 text-[0.8125rem] text-soft">{t(`models.meaning.${role}`)}</p>
            <Cards models={models.filter((model) => model.role === role)} onRemove={setRemoving} />
          </section>
        ))}
        <RemoteSection />
        <OwnModel />
        <ModelsFolderSection />
      </div>
      <Modal
        open={removing !== null}
        title={t('models.removeTitle', { name: removing?.name })}
        description={t(removing?.own ? 'models.removeOwn' : 'models.removeMeaning', {
          size: formatBytes(removing?.planBytes ?? 0),
        })}
        onClose={() => setRemoving(null)}
      >
        <div className="mt-5 flex justify-end gap-2">
          <Button onClick={() => setRemoving(null)}>{t('common.cancel')}</Button>
          <Button
            look="danger"
            onClick={() => {
              if (removing) remove(removing);
              setRemoving(null);
            }}
          >
            {t('models.remove')}
          </Button>
        </div>
      </Modal>
    </div>
  );
}

/** What is here first, then what fits, then what is slow; what has no room on this machine only when it is asked for. */
function Cards({ models, onRemove }: { models: ModelSummary[]; onRemove: (model: ModelSummary) => void }) {
  const { t } = useTranslation();
  const installs = useStore(useQuoth().models, (state) => state.installs);
  const [open, setOpen] = useState(false);
  const isHere = (model: ModelSummary): boolean =>
    model.state !== 'available' || installs.some(({ modelId }) => modelId === model.id);
  const isTooLarge = (model: ModelSummary): boolean => !isHere(model) && model.fit?.verdict === 'too-large';
  const rank = (model: ModelSummary): number => (isHere(model) ? 0 : model.fit?.verdict === 'slow' ? 2 : 1);
  const shown = models.filter((model) => !isTooLarge(model)).sort((a, b) => rank(a) - rank(b));
  const tooLarge = models.filter(isTooLarge);
  const list = (some: ModelSummary[]) => (
    <ul className="grid gap-3">
      {some.map((model) => (
        <li key={model.id}>
          <ModelCard model={model} onRemove={() => onRemove(model)} />
        </li>
      ))}
    </ul>
  );
  return (
    <>
      {list(shown)}
      {tooLarge.length > 0 && (
        <button
          type="button"
          aria-expanded={open}
          className="mt-3 -ml-1 inline-flex items-center gap-1 rounded-lg px-1.5 py-1 text-[0.8125rem] text-soft hover:text-ink"
          onClick={() => setOpen(!open)}
        >
          <ChevronRight className={`size-4 transition-transform ${open ? 'rotate-90' : ''}`} aria-hidden="true" />
          {t('models.tooLarge', { count: tooLarge.length })}
        </button>
      )}
      {open && tooLarge.length > 0 && <div className="mt-2">{list(tooLarge)}</div>}
    </>
  );
}
