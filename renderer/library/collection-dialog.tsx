import { useEffect, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { useStore } from 'zustand';
import { toErrorMessage } from '../../app/contract/errors.ts';
import { Button } from '../common/button.tsx';
import { Modal } from '../common/dialog.tsx';
import { useQuoth } from '../common/quoth.tsx';

const mostCharacters = 100; // The contract's limit.

/** Asks for the name of a new collection, or for another one of an old. */
export function CollectionDialog() {
  const { t } = useTranslation();
  const { shelf, notices } = useQuoth();
  const asked = useStore(shelf, (state) => state.nameAsked);
  const [name, setName] = useState('');
  const [error, setError] = useState<string | null>(null);
  useEffect(() => {
    setName(asked?.type === 'rename' ? asked.collection.name : '');
    setError(null);
  }, [asked]);
  const close = (): void => shelf.getState().askName(null);
  const save = async (): Promise<void> => {
    if (!asked || name.trim() === '') return;
    try {
      const { create, rename } = shelf.getState();
      if (asked.type === 'rename') await rename(asked.collection.id, name.trim());
      else {
        const { documentIds = [], folders = [] } = asked;
        await create(name.trim(), { documentIds, folders });
        const count = documentIds.length;
        if (count > 0)
          notices
            .getState()
            .tell(t('collections.added', { documents: t('count.documents', { count }), name: name.trim() }));
      }
      close();
    } catch (thrown) {
      const { code } = toErrorMessage(thrown);
      setError(code === 'invalid-input' ? t('collections.taken') : toErrorMessage(thrown).message);
    }
  };
  const isNew = asked?.type !== 'rename';
  return (
    <Modal
      open={asked !== null}
      title={t(isNew ? 'collections.new' : 'collections.renameTitle')}
      description={isNew ? t('collections.meaning') : undefined}
      onClose={close}
    >
      <form
        className="mt-4"
        onSubmit={(event) => {
          event.preventDefault();
          void save();
        }}
      >
        <input
          type="text"
          value={name}
          maxLength={mostCharacters}
          aria-label={t('collections.name')}
          aria-invalid={error !== null}
          aria-describedby={error === null ? undefined : 'collection-name-error'}
          placeholder={t('collections.name')}
          className="h-9 w-full rounded-lg border border-line-strong bg-paper px-3 text-sm outline-none focus:border-accent"
          onChange={(event) => {
            setName(event.target.value);
            setError(null);
          }}
        />
        {error !== null && (
          <p id="collection-name-error" role="alert" className="mt-1.5 text-[0.8125rem] text-danger">
            {error}
          </p>
        )}
        <div className="mt-5 flex justify-end gap-2">
          <Button onClick={close}>{t('common.cancel')}</Button>
          <Button type="submit" look="primary" disabled={name.trim() === ''}>
            {t(isNew ? 'collections.create' : 'collections.rename')}
          </Button>
        </div>
      </form>
    </Modal>
  );
}
