import { Check, Plus, Trash2 } from 'lucide-react';
import { useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useStore } from 'zustand';
import type { RemoteModel } from '../../app/contract/types.ts';
import { Button, IconButton } from '../common/button.tsx';
import { Modal } from '../common/dialog.tsx';
import { formatCount } from '../common/format.ts';
import { useQuoth } from '../common/quoth.tsx';
import { RemoteDialog } from './remote-dialog.tsx';
import { HostWords } from './remote-host.tsx';

/** The models of other computers: which are there, which is in use, and a way to add one. */
export function RemoteSection() {
  const { t } = useTranslation();
  const { models: local, remotes, notices } = useQuoth();
  const models = useStore(remotes, (state) => state.models);
  const localModels = useStore(local, (state) => state.models);
  const [adding, setAdding] = useState(false);
  const [removing, setRemoving] = useState<RemoteModel | null>(null);
  const { tellError } = notices.getState();
  // A model of this computer that is put to use takes the place of one elsewhere.
  // biome-ignore lint/correctness/useExhaustiveDependencies: the list follows the other list
  useEffect(() => {
    remotes.getState().load().catch(tellError);
  }, [remotes, tellError, localModels]);
  return (
    <section className="mt-8" aria-label={t('remote.title')}>
      <div className="mb-3 flex flex-wrap items-end gap-x-6 gap-y-2">
        <div className="min-w-56 flex-1">
          <h2 className="font-semibold">{t('remote.title')}</h2>
          <p className="text-[0.8125rem] text-soft">{t('remote.meaning')}</p>
        </div>
        <Button onClick={() => setAdding(true)}>
          <Plus className="size-3.5" aria-hidden="true" />
          {t('remote.add')}
        </Button>
      </div>
      {models.length > 0 && (
        <ul className="grid gap-3">
          {models.map((model) => (
            <li key={model.id}>
              <RemoteCard model={model} onRemove={() => setRemoving(model)} />
            </li>
          ))}
        </ul>
      )}
      {adding && <RemoteDialog onClose={() => setAdding(false)} />}
      <Modal
        open={removing !== null}
        title={t('remote.removeTitle', { name: removing?.name })}
        description={t('remote.removeMeaning')}
        onClose={() => setRemoving(null)}
      >
        <div className="mt-5 flex justify-end gap-2">
          <Button onClick={() => setRemoving(null)}>{t('common.cancel')}</Button>
          <Button
            look="danger"
            onClick={() => {
              if (removing) remotes.getState().remove(removing.id).catch(tellError);
              setRemoving(null);
            }}
          >
            {t('models.remove')}
          </Button>
        </div>
      </Modal>
    </section>
  );
}

function RemoteCard({ model, onRemove }: { model: RemoteModel; onRemove: () => void }) {
  const { t } = useTranslation();
  const { remotes, notices } = useQuoth();
  const { name, host, isLoopback, isPrivate, hasKey, contextTokens, inUse } = model;
  const facts = [
    host,
    t('remote.context', { tokens: formatCount(contextTokens) }),
    ...(hasKey ? [t('remote.hasKey')] : []),
  ];
  return (
    <article className={`rounded-2xl border bg-raised p-4 shadow-card ${inUse ? 'border-accent' : 'border-line'}`}>
      <div className="flex flex-wrap items-start gap-x-4 gap-y-3">
        <div className="min-w-56 flex-1">
          <h3 className="flex flex-wrap items-center gap-2 font-semibold [overflow-wrap:anywhere]">
            {name}
            {inUse && (
              <span className="inline-flex items-center gap-1 rounded-full bg-accent-wash px-2 py-0.5 text-xs text-accent">
                <Check className="size-3" aria-hidden="true" />
                {t('models.inUse')}
              </span>
            )}
          </h3>
          <p className="mt-0.5 text-xs text-faint [overflow-wrap:anywhere]">{facts.join(' · ')}</p>
          <HostWords host={host} isLoopback={isLoopback} isPrivate={isPrivate} />
        </div>
        <div className="flex items-center gap-2">
          {!inUse && (
            <Button
              onClick={() => remotes.getState().use(model.id).catch(notices.getState().tellError)}
              aria-label={t('models.useOf', { name })}
            >
              {t('models.use')}
            </Button>
          )}
          <IconButton label={t('models.removeOf', { name })} onClick={onRemove}>
            <Trash2 className="size-4" />
          </IconButton>
        </div>
      </div>
    </article>
  );
}
