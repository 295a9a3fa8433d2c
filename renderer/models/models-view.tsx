import { useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useStore } from 'zustand';
import type { ModelSummary } from '../../app/contract/types.ts';
import { Button } from '../common/button.tsx';
import { Modal } from '../common/dialog.tsx';
import { useQuoth } from '../common/quoth.tsx';
import { ModelCard } from './model-card.tsx';
import { RemoteSection } from './remote-section.tsx';

/** The models of the catalogue by what they do: which are here, which could be. */
export function ModelsView() {
  const { t } = useTranslation();
  const { models: store, notices } = useQuoth();
  const models = useStore(store, (state) => state.models);
  // The catalogue may offer none of a role.
  const roles = (['chat', 'embedder', 'reranker'] as const).filter((role) =>
    models.some((model) => model.role === role),
  );
  const [removing, setRemoving] = useState<ModelSummary | null>(null);
  const { tellError } = notices.getState();
  useEffect(() => {
    store.getState().load().catch(tellError);
  }, [store, tellError]);
  return (
    <div className="h-full overflow-y-auto">
      <div className="mx-auto w-full max-w-[46rem] px-6 pt-8 pb-10">
        <h1 className="font-serif text-2xl font-medium">{t('models.title')}</h1>
        <p className="mt-1 text-sm text-soft">{t('models.promise')}</p>
        {roles.map((role) => (
          <section key={role} className="mt-8" aria-label={t(`models.role.${role}`)}>
            <h2 className="font-semibold">{t(`models.role.${role}`)}</h2>
            <p className="mb-3 text-[0.8125rem] text-soft">{t(`models.meaning.${role}`)}</p>
            <ul className="grid gap-3">
              {models
                .filter((model) => model.role === role)
                .map((model) => (
                  <li key={model.id}>
                    <ModelCard model={model} onRemove={() => setRemoving(model)} />
                  </li>
                ))}
            </ul>
          </section>
        ))}
        <RemoteSection />
      </div>
      <Modal
        open={removing !== null}
        title={t('models.removeTitle', { name: removing?.name })}
        description={t('models.removeMeaning')}
        onClose={() => setRemoving(null)}
      >
        <div className="mt-5 flex justify-end gap-2">
          <Button onClick={() => setRemoving(null)}>{t('common.cancel')}</Button>
          <Button
            look="danger"
            onClick={() => {
              if (removing) store.getState().remove(removing.id).catch(tellError);
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
