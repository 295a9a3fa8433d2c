import { type FormEvent, useState } from 'react';
import { useTranslation } from 'react-i18next';
import { toErrorMessage } from '../../app/contract/errors.ts';
import { Button } from '../common/button.tsx';
import { Modal } from '../common/dialog.tsx';
import { useQuoth } from '../common/quoth.tsx';
import { Row } from './rows.tsx';

/** Removes everything that Quoth keeps, after a word that nobody types by accident. */
export function ForgetRow() {
  const { t } = useTranslation();
  const { client } = useQuoth();
  const [open, setOpen] = useState(false);
  const [typed, setTyped] = useState('');
  const [modelsToo, setModelsToo] = useState(false);
  const [state, setState] = useState<'asking' | 'forgetting' | { error: string }>('asking');
  const word = t('forget.word');
  const isMeant = typed.trim().toLocaleLowerCase() === word.toLocaleLowerCase();
  const isForgetting = state === 'forgetting';

  const forget = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    if (!isMeant || isForgetting) return;
    setState('forgetting');
    try {
      await client.forgetEverything({ modelsToo });
      // The page's own few settings; a browser's tab keeps what lets it in.
      localStorage.clear();
      location.reload();
    } catch (thrown) {
      setState({ error: toErrorMessage(thrown).message });
    }
  };
  return (
    <Row label={t('forget.label')} meaning={t('forget.meaning')}>
      <Button
        look="danger"
        onClick={() => {
          setTyped('');
          setModelsToo(false);
          setState('asking');
          setOpen(true);
        }}
      >
        {t('forget.begin')}
      </Button>
      <Modal
        open={open}
        title={t('forget.title')}
        description={t('forget.what')}
        onClose={() => !isForgetting && setOpen(false)}
      >
        <form onSubmit={(event) => void forget(event)}>
          <label className="mt-4 flex items-start gap-2.5 text-sm">
            <input
              type="checkbox"
              checked={modelsToo}
              disabled={isForgetting}
              className="mt-1 accent-accent"
              onChange={(event) => setModelsToo(event.target.checked)}
            />
            <span>{t('forget.modelsToo')}</span>
          </label>
          <label className="mt-4 block text-sm">
            {t('forget.type', { word })}
            <input
              type="text"
              value={typed}
              disabled={isForgetting}
              autoComplete="off"
              spellCheck={false}
              className="mt-1.5 h-9 w-full rounded-lg border border-line-strong bg-raised px-3 text-sm outline-none focus:border-accent"
              onChange={(event) => setTyped(event.target.value)}
            />
          </label>
          {typeof state === 'object' && (
            <p role="alert" className="mt-3 text-sm text-danger">
              {state.error}
            </p>
          )}
          <div className="mt-5 flex flex-wrap justify-end gap-2">
            <Button disabled={isForgetting} onClick={() => setOpen(false)}>
              {t('common.cancel')}
            </Button>
            <Button look="danger" type="submit" disabled={!isMeant || isForgetting} aria-busy={isForgetting}>
              {t(isForgetting ? 'forget.now' : 'forget.do')}
            </Button>
          </div>
        </form>
      </Modal>
    </Row>
  );
}
